package agent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// TestMain lets the test binary be the shim of the executor.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "shim" {
		os.Exit(executor.ShimMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

type realTime struct{}

func (realTime) Now() time.Time              { return time.Now().UTC() }
func (realTime) At(real time.Time) time.Time { return real.UTC() }
func (realTime) Rate() float64               { return 1 }

// bench is an agent without loops: the test is its server.
type bench struct {
	*Agent
	t   *testing.T
	now time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := intent.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := &bench{t: t, now: time.Now().UTC().Truncate(time.Microsecond), Agent: &Agent{
		Site: "here", Clock: realTime{}, Key: key, Journal: filepath.Join(dir, "journal"), Poll: time.Second, Tick: time.Second,
		Describe: clusy.SiteReport{Zone: "DE-LU", Engine: "process", PUE: 1},
		Executor: &executor.Process{Root: filepath.Join(dir, "tasks"), Shim: []string{os.Args[0], "shim"}},
	}}
	b.reopen()
	t.Cleanup(func() { _ = b.journal.Close() })
	return b
}

// reopen is what a crash and a new start do to an agent.
func (b *bench) reopen() {
	b.t.Helper()
	if b.journal != nil {
		_ = b.journal.Close()
	}
	if err := b.open(); err != nil {
		b.t.Fatal(err)
	}
}

// ask puts the newest question and returns it.
func (b *bench) ask() clusy.SyncRequest { return b.question(b.now) }

// answer answers the newest question.
func (b *bench) answer(orders ...clusy.Order) {
	b.t.Helper()
	q := b.ask()
	if err := b.obey(clusy.SyncAnswer{AnswerTo: q.Seq, Orders: orders}); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) offer(grant string, epoch int64, script string, start time.Time) clusy.Order {
	b.t.Helper()
	src := "apiVersion: clusy.io/v1\nkind: Intent\nrun: {exec: [sh, -c, " + quote(script) + "]}\nshape: {duration: 1h, power: 100W, interruptible: true}\nwhen: {completeBy: +20h}\n"
	in, err := intent.Parse([]byte(src), "test", b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	shape, err := intent.Blind(in, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	sealed, err := intent.Seal(in, b.Key.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	ws := wire.ShapeOut(shape)
	return clusy.Order{
		Verb: "offer", Workload: "wl_" + grant, N: 1, Grant: grant, Epoch: epoch, Expires: b.now.Add(time.Minute), Shape: &ws, Sealed: sealed,
		Spans: []clusy.Span{{Start: start, End: start.Add(time.Hour)}}, Latest: start.Add(10 * time.Hour),
	}
}

func quote(s string) string { b, _ := json.Marshal(s); return string(b) }

func as(o clusy.Order, verb string) clusy.Order { o.Verb = verb; return o }

func (b *bench) state(grant string) string {
	for _, r := range b.ask().Reports {
		if r.Grant == grant {
			return r.State
		}
	}
	return ""
}

// The start right moves step by step, each step on disk before it is told: an
// agent that crashes after any of them stands where it stood.
func TestRightMovesOnDisk(t *testing.T) {
	b := newBench(t)
	o := b.offer("g", 3, "true", b.now.Add(time.Hour))
	b.answer(o)
	b.reopen()
	if got := b.state("g"); got != "accepted" {
		t.Fatalf("after the offer and a crash: %q", got)
	}
	if err := b.Step(t.Context(), b.now.Add(15*time.Hour)); err != nil || b.state("g") != "accepted" {
		t.Errorf("what was not confirmed has moved on: %q %v", b.state("g"), err)
	}
	b.answer(as(o, "confirm"))
	b.reopen()
	if got := b.state("g"); got != "held" {
		t.Fatalf("after the confirmation and a crash: %q", got)
	}
	if b.maxEpoch != 3 {
		t.Errorf("epoch %d is remembered, want 3", b.maxEpoch)
	}
	b.answer(as(o, "release"))
	b.reopen()
	if got := b.state("g"); got != "released" {
		t.Fatalf("after the release and a crash: %q", got)
	}
	// Given back is given back: not even the latest safe start starts it.
	if err := b.Step(t.Context(), b.now.Add(15*time.Hour)); err != nil || b.state("g") != "released" {
		t.Errorf("what was released has moved on: %q %v", b.state("g"), err)
	}
	b.answer(as(o, "forget"))
	b.reopen()
	if got := b.state("g"); got != "" {
		t.Errorf("what was forgotten is reported as %q", got)
	}
}

// An answer that is not to the newest question does nothing: it may say what
// was so long ago.
func TestLateAnswers(t *testing.T) {
	b := newBench(t)
	old := b.ask()
	b.ask()
	o := b.offer("g", 1, "true", b.now.Add(time.Hour))
	if err := b.obey(clusy.SyncAnswer{AnswerTo: old.Seq, Orders: []clusy.Order{o}}); err != nil || len(b.holds) != 0 {
		t.Errorf("a late answer was obeyed: %d holds, %v", len(b.holds), err)
	}
}

// A tombstone outlives what it stands for: an offer or confirmation that comes
// again, late or twice, starts nothing.
func TestTombstones(t *testing.T) {
	b := newBench(t)
	o := b.offer("g", 1, "true", b.now)
	b.answer(o, as(o, "confirm"), as(o, "release"), as(o, "forget"))
	b.reopen()
	b.answer(o, as(o, "confirm"))
	if err := b.Step(t.Context(), b.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if b.holds["g"] == nil || b.holds["g"].State != gone || b.state("g") != "" {
		t.Errorf("a buried right has come back: %+v", b.holds["g"])
	}
	// It may be dropped only long after completeBy.
	if err := b.compact(o.Shape.When.CompleteBy.Add(tombstoneFor - time.Hour)); err != nil || b.holds["g"] == nil {
		t.Errorf("the tombstone is gone too early (%v)", err)
	}
	if err := b.compact(o.Shape.When.CompleteBy.Add(tombstoneFor + time.Hour)); err != nil || b.holds["g"] != nil {
		t.Errorf("the tombstone is never dropped (%v)", err)
	}
}

// A leader that has been replaced is not obeyed.
func TestOldEpochs(t *testing.T) {
	b := newBench(t)
	b.answer(b.offer("new", 5, "true", b.now.Add(time.Hour)))
	q := b.ask()
	if err := b.obey(clusy.SyncAnswer{AnswerTo: q.Seq, Orders: []clusy.Order{b.offer("old", 4, "true", b.now.Add(time.Hour))}}); err == nil {
		t.Error("an offer of epoch 4 is taken after one of epoch 5")
	}
	if b.holds["old"] != nil {
		t.Error("it is on record")
	}
}

// What does not open, does not fit or has no schedule is refused with a reason.
func TestRefusals(t *testing.T) {
	b := newBench(t)
	cores := 0.5
	b.Describe.CPUs = &cores
	large := b.offer("large", 1, "true", b.now)
	b.answer(large)
	b.Describe.CPUs = nil
	broken := b.offer("broken", 1, "true", b.now)
	broken.Sealed[len(broken.Sealed)/2] ^= 1
	swapped := b.offer("swapped", 1, "true", b.now)
	swapped.Shape.Watts++
	bare := b.offer("bare", 1, "true", b.now)
	bare.Spans = nil
	b.answer(broken, swapped, bare)
	for _, grant := range []string{"large", "broken", "swapped", "bare"} {
		if got := b.state(grant); got != "refused" || b.holds[grant].Cause == "" {
			t.Errorf("offer %s: %q, %+v", grant, got, b.holds[grant])
		}
		b.answer(as(clusy.Order{Workload: "wl_" + grant, N: 1, Grant: grant}, "confirm"))
		if got := b.state(grant); got != "refused" {
			t.Errorf("refused offer %s is now %q", grant, got)
		}
	}
}

// A held workload starts by itself, without any contact; it is suspended where
// its schedule pauses, resumed, and not suspended any more once there is no
// slack left.
func TestScheduleIsCarriedOutAlone(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	o := b.offer("g", 1, "i=0; while [ $i -lt 40 ]; do sleep 0.05; i=$((i+1)); done", b.now.Add(time.Hour))
	o.Spans = []clusy.Span{{Start: b.now.Add(time.Hour), End: b.now.Add(2 * time.Hour)}, {Start: b.now.Add(4 * time.Hour), End: b.now.Add(5 * time.Hour)}}
	o.Latest = b.now.Add(8 * time.Hour)
	b.answer(o, as(o, "confirm"))
	at := func(hour float64, want string) {
		t.Helper()
		for range 2000 {
			if err := b.Step(ctx, b.now.Add(time.Duration(hour*float64(time.Hour)))); err != nil {
				t.Fatal(err)
			}
			if b.state("g") == want {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("at hour %g it is %q, want %q", hour, b.state("g"), want)
	}
	at(0.5, "held")
	at(1, "running")
	at(2.5, "suspended")
	at(4.1, "running")
	// A revised schedule pauses it again; then the slack is used up.
	later := as(o, "keep")
	later.Spans = []clusy.Span{o.Spans[0], {Start: b.now.Add(10 * time.Hour), End: b.now.Add(11 * time.Hour)}}
	b.answer(later)
	at(4.2, "suspended")
	at(8, "running")
	at(9, "ended")
	r := b.ask().Reports[0]
	if r.ExitCode != 0 || r.Cause != "" || r.Suspensions != 2 || r.Active <= 0 || r.Metered {
		t.Errorf("its end is reported as %+v", r)
	}
}

// A report repeats until it is on record, over a crash too.
func TestEndIsReportedAfterACrash(t *testing.T) {
	b := newBench(t)
	o := b.offer("g", 1, "exit 7", b.now.Add(-time.Minute))
	b.answer(o, as(o, "confirm"))
	for range 400 {
		if err := b.Step(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if b.holds["g"].State == ended {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.reopen()
	if err := b.Step(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	q := b.ask()
	if len(q.Reports) != 1 || q.Reports[0].State != "ended" || q.Reports[0].ExitCode != 7 || q.Reports[0].Started.IsZero() || len(q.Meters) == 0 {
		t.Fatalf("after a crash the question is %+v", q)
	}
	var ids []string
	for _, m := range q.Meters {
		ids = append(ids, meterID(wire.MeterIn("here", m)))
	}
	q = b.ask()
	if err := b.obey(clusy.SyncAnswer{AnswerTo: q.Seq, Metered: ids}); err != nil {
		t.Fatal(err)
	}
	if q = b.ask(); len(q.Meters) != 0 || !q.Reports[0].Metered {
		t.Errorf("once on record the meters go on: %+v", q)
	}
}

func TestHours(t *testing.T) {
	h := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	at := func(m float64) time.Time { return h.Add(time.Duration(m * float64(time.Minute))) }
	got := hours([]ledger.Run{{From: at(30), To: at(70)}, {From: at(80), To: at(90)}, {From: at(240), To: at(300)}})
	want := []struct {
		hour time.Time
		runs []ledger.Run
	}{
		{h, []ledger.Run{{From: at(30), To: at(60)}}},
		{at(60), []ledger.Run{{From: at(60), To: at(70)}, {From: at(80), To: at(90)}}},
		{at(240), []ledger.Run{{From: at(240), To: at(300)}}},
	}
	if len(got) != len(want) {
		t.Fatalf("%d hours, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if !got[i].Hour.Equal(w.hour) || len(got[i].Runs) != len(w.runs) {
			t.Errorf("hour %d is %+v, want %+v", i, got[i], w)
			continue
		}
		for j := range w.runs {
			if got[i].Runs[j] != w.runs[j] {
				t.Errorf("hour %d, run %d is %+v, want %+v", i, j, got[i].Runs[j], w.runs[j])
			}
		}
	}
	if len(hours(nil)) != 0 {
		t.Error("no run has hours")
	}
}

func TestTimetable(t *testing.T) {
	h := func(n float64) time.Time {
		return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n * float64(time.Hour)))
	}
	s := timetable{Spans: []workload.Span{{Start: h(1), End: h(2)}, {Start: h(4), End: h(5)}}, Latest: h(9)}
	for n, want := range map[float64]bool{0: false, 1: true, 1.5: true, 2: false, 3: false, 4: true, 5: true, 7: true, 9: true} {
		if got := s.open(h(n)); got != want {
			t.Errorf("at hour %g it is open: %v, want %v", n, got, want)
		}
	}
	// Before the first span there is no right to run early, but past the
	// latest safe start there is no more waiting.
	early := timetable{Spans: []workload.Span{{Start: h(6), End: h(7)}}, Latest: h(3)}
	if early.open(h(2)) || !early.open(h(3)) {
		t.Error("the latest safe start does not open a schedule")
	}
	if next, ok := s.next(h(2)); !ok || !next.Equal(h(4)) {
		t.Errorf("after hour 2 comes %v", next)
	}
	if _, ok := s.next(h(9)); ok {
		t.Error("after all has come there is more")
	}
}

// What is denied closes every schedule: work is suspended over it, and what
// cannot be suspended does not begin shortly before.
func TestDeniedTimesCloseASchedule(t *testing.T) {
	h := func(n float64) time.Time {
		return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n * float64(time.Hour)))
	}
	x := &hold{State: started, Schedule: timetable{Spans: []workload.Span{{Start: h(1), End: h(2)}}, Latest: h(9)}}
	x.Shape.Duration = workload.Duration{Expected: time.Hour, P95: time.Hour}
	x.Shape.When.Deny = []workload.Span{{Start: h(4), End: h(5)}, {Start: h(10), End: h(12)}}
	look := func(allowed bool, state holdState, want map[float64]bool) {
		t.Helper()
		x.Shape.Interruptible.Allowed, x.State = allowed, state
		for n, open := range want {
			if got := x.open(h(n)); got != open {
				t.Errorf("interruptible %v, %s, at hour %g it is open: %v, want %v", allowed, state, n, got, open)
			}
		}
	}
	look(true, started, map[float64]bool{0.5: false, 1: true, 3.9: true, 4: false, 4.9: false, 5: true, 9: true, 9.9: true, 10: false, 11: false, 12: true})
	look(true, held, map[float64]bool{3.9: true, 4: false, 5: true})
	look(false, held, map[float64]bool{2.9: true, 2.95: false, 4: false, 5: true, 8.9: true, 8.95: false, 12: true})
	for from, want := range map[float64]float64{2: 4, 4: 5, 5: 9, 9: 10, 10: 12} {
		if next, ok := x.next(h(from)); !ok || !next.Equal(h(want)) {
			t.Errorf("after hour %g comes %v", from, next)
		}
	}
	if _, ok := x.next(h(12)); ok {
		t.Error("after all has come there is more")
	}
}

// An agent with a journal of another kind does not guess.
func TestJournalOfSomeoneElse(t *testing.T) {
	b := newBench(t)
	if err := b.journal.Append([]byte("not ours")); err != nil {
		t.Fatal(err)
	}
	_ = b.journal.Close()
	if err := b.open(); err == nil {
		t.Error("a line that cannot be read is passed over")
	}
}

// The two loops find news, wait, and end with their context.
func TestRunEnds(t *testing.T) {
	b := newBench(t)
	_ = b.journal.Close()
	asked := make(chan clusy.SyncRequest, 100)
	b.Server = serverFunc(func(ctx context.Context, q clusy.SyncRequest) (clusy.SyncAnswer, error) {
		asked <- q
		if q.Seq == 1 {
			return clusy.SyncAnswer{AnswerTo: 1, Orders: []clusy.Order{b.offer("g", 1, "true", b.now.Add(time.Hour))}}, nil
		}
		<-ctx.Done()
		return clusy.SyncAnswer{}, ctx.Err()
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	<-asked
	for {
		if q := <-asked; len(q.Reports) == 1 && q.Reports[0].State == "accepted" {
			break
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// counters is a machine that draws 10 W and is busy half a core.
type counters struct {
	began  time.Time
	now    *time.Time
	broken bool
}

func (c *counters) Energy() (uint64, bool) {
	return uint64(c.now.Sub(c.began).Microseconds()) * 10, !c.broken
}
func (c *counters) Busy() (time.Duration, bool) {
	return c.now.Sub(c.began) / 2, true
}

// Energy is measured where something measures it, shared out by processor
// time, and modelled where too little of an hour was measured.
func TestEnergyIsMeasured(t *testing.T) {
	b := newBench(t)
	hour := b.now.Truncate(time.Hour)
	now := hour
	c := &counters{began: hour, now: &now}
	b.Gauge = c
	h := &hold{Workload: "wl_a", N: 1, Grant: "a", State: started, Shape: workload.Shape{Power: 100_000, PowerSource: "declared"}}
	h.seen = executor.Observation{Phase: executor.Running}
	b.holds["a"] = h
	look := func(after, cpu time.Duration) {
		now = now.Add(after)
		h.seen.CPU += cpu
		b.measure(now)
	}
	meter := func(active time.Duration) ledger.Meter {
		return ledger.Meter{Hour: hour, Runs: []ledger.Run{{From: hour, To: hour.Add(active)}}}
	}
	// It does half of the machine's work for ten minutes: half of 6,000 J.
	for range 601 {
		look(time.Second, time.Second/4)
	}
	if e, source := b.energy(h, meter(10*time.Minute)); source != ledger.RAPL || e < 2990 || e > 3010 {
		t.Errorf("measured %d J from %s, want 3000 J from rapl", e, source)
	}
	// Had it run for longer than was measured, the stated power stands in.
	if e, source := b.energy(h, meter(20*time.Minute)); source != ledger.Declared || e != 120_000 {
		t.Errorf("half measured: %d J from %s, want 120000 J as declared", e, source)
	}
	// A counter that cannot be read, or that went back, measures nothing.
	before := b.drawn[h.task()][hour]
	c.broken = true
	look(time.Second, time.Second)
	c.broken = false
	look(time.Second, time.Second)
	now = now.Add(-time.Minute)
	b.measure(now)
	if after := b.drawn[h.task()][hour]; after != before {
		t.Errorf("broken counters measured %+v more", after)
	}
	// Over the turn of an hour, each gets its part.
	b.book("x", hour.Add(59*time.Minute), hour.Add(63*time.Minute), 4_000_000)
	if e, ok := b.gauged("x", hour, time.Minute); !ok || e != 1 {
		t.Errorf("the first hour got %d J, %v", e, ok)
	}
	if e, ok := b.gauged("x", hour.Add(time.Hour), 3*time.Minute); !ok || e != 3 {
		t.Errorf("the second hour got %d J, %v", e, ok)
	}
}

type serverFunc func(context.Context, clusy.SyncRequest) (clusy.SyncAnswer, error)

func (f serverFunc) Sync(ctx context.Context, _ string, q clusy.SyncRequest) (clusy.SyncAnswer, error) {
	return f(ctx, q)
}
