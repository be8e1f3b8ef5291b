package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// elastic is offer, of work that runs at half and at four times its size too.
func (b *bench) elastic(grant, script string, spans ...clusy.Span) clusy.Order {
	b.t.Helper()
	src := "apiVersion: clusy.io/v1\nkind: Intent\nrun: {exec: [sh, -c, " + quote(script) + "]}\n" +
		"shape: {duration: 1h, power: 100W, elastic: {sizes: [0.5, 1, 4], speeds: [0.55, 1, 3.1]}}\nwhen: {completeBy: +20h}\n"
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
	return clusy.Order{Verb: "offer", Workload: "wl_" + grant, N: 1, Grant: grant, Epoch: 1, Expires: b.now.Add(time.Minute), Shape: &ws, Sealed: sealed,
		Spans: spans, Latest: b.now.Add(19 * time.Hour)}
}

// A process sees the sizes of its schedule come and go; an agent that crashes in
// between brings it to the one that it is to have.
func TestAProcessSeesItsSize(t *testing.T) {
	b := newBench(t)
	said := filepath.Join(t.TempDir(), "said")
	script := `echo start $CLUSY_SIZE > ` + said + `
was=$CLUSY_SIZE
while :; do
  now=$(cat $CLUSY_SIZE_FILE)
  if [ "$now" != "$was" ]; then echo $now >> ` + said + `; was=$now; fi
  sleep 0.02
done`
	at := func(h float64) time.Time { return b.now.Add(time.Duration(h * float64(time.Hour))) }
	o := b.elastic("e", script,
		clusy.Span{Start: at(0), End: at(1), Size: 4}, clusy.Span{Start: at(1), End: at(2), Size: 0.5}, clusy.Span{Start: at(2), End: at(3)})
	b.answer(o)
	b.answer(as(o, "confirm"))
	step := func(h float64) {
		t.Helper()
		if err := b.Step(t.Context(), at(h)); err != nil {
			t.Fatal(err)
		}
	}
	await := func(want string) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for {
			got, _ := os.ReadFile(said)
			if strings.Join(strings.Fields(string(got)), " ") == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("it has seen %q, want %q", got, want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	step(0.5)
	await("start 4")
	step(0.6) // once more is no more
	if r := b.ask().Reports[0]; r.Size != 4 || r.Suspensions != 0 {
		t.Errorf("it reports %+v", r)
	}
	// It crashes, and comes back when the size should have changed long ago.
	b.reopen()
	step(1.5)
	await("start 4 0.5")
	if r := b.ask().Reports[0]; r.Size != 0.5 || r.Suspensions != 0 {
		t.Errorf("it reports %+v", r)
	}
	step(2.5)
	await("start 4 0.5 1")
	if r := b.ask().Reports[0]; r.Size != 0 {
		t.Errorf("as declared it reports %+v", r)
	}
	h := b.holds["e"]
	if len(h.seen.Sizes) != 3 || h.seen.Size() != workload.Declared {
		t.Errorf("on record are %+v", h.seen.Sizes)
	}
	if err := b.Executor.Stop(t.Context(), h.task(), 0, "enough"); err != nil {
		t.Fatal(err)
	}
}

// What ran is told with its sizes: the work by its speed, the energy by the size.
func TestRunsOfSizes(t *testing.T) {
	b := newBench(t)
	hour := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	at := func(m int) time.Time { return hour.Add(time.Duration(m) * time.Minute) }
	h := &hold{Workload: "wl_e", N: 1, State: started, Shape: workload.Shape{Power: 100_000, PowerSource: "declared",
		Elastic: []workload.Level{{Size: 500, Speed: 550}, {Size: 4000, Speed: 3100}}}}
	h.seen = executor.Observation{Phase: executor.Running, Started: at(0),
		Runs:  []executor.Span{{From: at(0), To: at(40)}, {From: at(50)}},
		Sizes: []executor.Sized{{At: at(0), Size: 4000}, {At: at(10), Size: 1000}, {At: at(45), Size: 500}}}
	runs := b.runs(h, at(80))
	want := []ledger.Run{
		{From: at(0), To: at(10), Size: 4000, Speed: 3100}, {From: at(10), To: at(40)}, {From: at(50), To: at(80), Size: 500, Speed: 550},
	}
	if len(runs) != len(want) {
		t.Fatalf("runs are %+v", runs)
	}
	for i := range want {
		if runs[i] != want[i] {
			t.Errorf("run %d is %+v, want %+v", i, runs[i], want[i])
		}
	}
	r := b.standing(h, runs)
	if useful := 31*time.Minute + 30*time.Minute + 16*time.Minute + 30*time.Second; r.Active != useful || r.Suspensions != 1 || !r.RunSince.Equal(at(50)) || r.Size != 500 {
		t.Errorf("it stands at %+v, want active %s", r, useful)
	}
	ms := b.meters(h, runs, at(80))
	// 10 min at 400 W, 30 at 100 W, and 10 of the last 30 at 50 W.
	if len(ms) != 1 || ms[0].Energy != 240_000+180_000+30_000 || len(ms[0].Runs) != 3 || ms[0].Before != 0 {
		t.Errorf("meters are %+v", ms)
	}
	h.seen.Runs[1].To, h.State = at(80), ended
	ms = b.meters(h, b.runs(h, at(90)), at(90))
	if len(ms) != 2 || ms[1].Energy != 60_000 || ms[1].Before != 61*time.Minute+5*time.Minute+30*time.Second {
		t.Errorf("meters are %+v", ms)
	}
}

func TestSizeOfASchedule(t *testing.T) {
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	h := &hold{Shape: workload.Shape{Elastic: []workload.Level{{Size: 2000, Speed: 1500}}},
		Schedule: timetable{Spans: []workload.Span{{Start: at(1), End: at(2), Size: 2000}, {Start: at(2), End: at(3)}, {Start: at(5), End: at(6), Size: 2000}, {Start: at(6), End: at(7), Size: 9000}}}}
	for hour, want := range map[int]int{0: 2000, 1: 2000, 2: 1000, 3: 2000, 5: 2000, 6: 1000, 9: 1000} {
		if got := h.size(at(hour)); got != want {
			t.Errorf("at hour %d its size is %d, want %d", hour, got, want)
		}
	}
	if h.Shape.Elastic = nil; h.size(at(1)) != 0 {
		t.Error("work of one size has a size")
	}
}

func TestElasticWorkThatDoesNotFit(t *testing.T) {
	b := newBench(t)
	cpus := 2.0
	b.Describe.CPUs = &cpus
	at := b.now.Add(time.Hour)
	b.answer(b.elastic("large", "true", clusy.Span{Start: at, End: at.Add(time.Hour), Size: 4}))
	b.answer(b.elastic("small", "true", clusy.Span{Start: at, End: at.Add(time.Hour), Size: 0.5}))
	if got := b.state("large"); got != "refused" {
		t.Errorf("four cores at a site with two are %q", got)
	}
	if got := b.state("small"); got != "accepted" {
		t.Errorf("half a core at a site with two is %q", got)
	}
}
