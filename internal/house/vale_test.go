package house

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/reconcile"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/signal/signaltest/fake"
	"clusy.io/clusy/internal/signal/tables"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// vale is the house without its doors and clocks: the store on disk, the
// poller, the control loop and the API, in a time that the test sets. Only the
// grid, its providers and what runs at the sites are made up.
type vale struct {
	t     *testing.T
	now   time.Time
	truth map[grid.Zone]grid.Series
	seers []*seer

	db     store.DB
	poller *signal.Poller
	loop   *reconcile.Loop
	front  func(method, path, key string, body, out any) int
	key    intent.PrivateKey
	sites  []*place
	sent   []clusy.Workload
	cycles int
}

// newVale has sites in two zones that the providers have, and one in a zone of
// which nothing but the mean of a year is known.
func newVale(t *testing.T) *vale {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &vale{t: t, now: time.Date(2023, 6, 14, 0, 0, 0, 0, time.UTC)}
	var err error
	w.truth, err = bundled.Trace()
	must(err)
	for _, name := range []string{"grid", "spare"} {
		p, err := signal.Fixed(name, w.truth["DE-LU"], w.truth["GB"])
		must(err)
		w.seers = append(w.seers, &seer{Provider: p, truth: w.truth, bad: map[illness]int{}, told: map[grid.Zone]time.Time{}})
	}
	known, err := tables.Embedded()
	must(err)
	clim, err := bundled.ClimatologyOf(known)
	must(err)

	const origin = "clusy.io/log/test"
	private, _, err := merkle.GenerateKey(bytesOf(1), origin)
	must(err)
	signer, err := merkle.NewSigner(private)
	must(err)
	now := func() time.Time { return w.now }
	w.db, err = store.Open(t.Context(), store.Options{Dir: filepath.Join(t.TempDir(), "store"), Origin: origin, Signer: signer, Now: now})
	must(err)
	t.Cleanup(func() { must(w.db.Close()) })
	w.key, err = intent.GenerateKey()
	must(err)
	for _, s := range []Site{{ID: "berlin", Zone: "DE-LU"}, {ID: "london", Zone: "GB"}, {ID: "warsaw", Zone: "PL"}} {
		w.sites = append(w.sites, &place{tasks: map[string]*task{}, station: plan.Station{
			Site: plan.Site{ID: s.ID, Zone: s.Zone, PUE: 1200, Capacity: workload.Resources{
				CPU: 4000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}},
			Engine: "process", EnclaveKey: []byte(intent.EncodePublic(w.key.Public())), KeyID: intent.KeyID(w.key.Public()), Incarnation: "test",
		}})
	}

	annual := bundled.AnnualOf(known)
	w.poller = &signal.Poller{
		Providers: []signal.Provider{w.seers[0], spare{w.seers[1]}}, Sink: sink{w.db}, Climatology: clim, Annual: annual, Basis: grid.AverageLifecycle,
		Patience: 2 * time.Millisecond, // for those that never answer; nobody else waits
		Wanted:   func(context.Context) ([]grid.Zone, error) { return []grid.Zone{"DE-LU", "GB", "PL"}, nil },
	}
	ids, bell := 0, newBell()
	id := func() string { ids++; return fmt.Sprintf("%08d", ids) }
	rules := plan.Rules{Step: 5 * time.Minute, Horizon: 72 * time.Hour, Margin: time.Minute}
	w.loop = &reconcile.Loop{Store: loopStore{w.db, bell}, Rules: rules, Now: now, NewID: id,
		OfferFor: 90 * time.Second, Silence: 2 * time.Minute, Patience: 24 * time.Hour, Holder: "test"}
	must(w.loop.Lead(t.Context()))
	server := &api.Server{Store: apiStore{w.db, bell}, Syncer: w.loop, Zones: zones{annual, []*signal.Poller{w.poller}, fake.Exchange(t, time.Second)}, Rules: rules, Now: now, NewID: id, Silence: w.loop.Silence}
	handler := server.Handler()
	caller := wire.Caller{Principal: "token:test", Tenant: tenant}
	caller.Grants = []access.Grant{{Holder: caller.Principal, Role: access.Operator, Tenant: tenant, Until: w.now.AddDate(100, 0, 0)}}
	w.front = func(method, path, key string, body, out any) int {
		t.Helper()
		b, err := json.Marshal(body)
		must(err)
		r := httptest.NewRequestWithContext(wire.WithCaller(t.Context(), caller), method, path, bytes.NewReader(b))
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil || rec.Code >= 300 {
			t.Fatalf("at %s: %s %s: %d %v %s", w.now, method, path, rec.Code, err, rec.Body)
		}
		return rec.Code
	}
	w.sync()
	return w
}

// bytesOf is a source of randomness that is none.
type bytesOf byte

func (b bytesOf) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// mood says how the providers fail in this cycle: each way in turn.
func (w *vale) mood(down bool) {
	for i, s := range w.seers {
		s.ill = well
		if down {
			s.ill = illness(1 + (w.cycles/(i+1)+i)%int(illnesses-1))
		}
	}
}

// around is one cycle: look at the signals, hear the sites, decide, carry out.
func (w *vale) around() {
	w.t.Helper()
	w.cycles++
	if err := w.poller.Step(w.t.Context(), w.now); err != nil {
		w.t.Fatalf("at %s the poller: %v", w.now, err)
	}
	w.sync()
	if err := w.loop.Step(w.t.Context(), w.now); err != nil {
		w.t.Fatalf("at %s the control loop: %v", w.now, err)
	}
	w.sync()
	w.decided()
}

// decided looks at what the cycle has decided: whatever is open has a place, and
// something new would have one, of a grade that is shown.
func (w *vale) decided() {
	w.t.Helper()
	var dry clusy.DryRun
	shape, _ := w.intent(3, "10h")
	w.front("POST", "/v1/plans", "", wire.ShapeOut(shape), &dry)
	if !dry.Feasible || dry.Placement == nil || dry.Placement.Grade == "" || dry.Placement.Carbon == nil {
		w.t.Fatalf("at %s a dry run: %+v", w.now, dry)
	}
	err := w.db.System().View(w.t.Context(), func(t store.SystemTx) error {
		all, err := tx{t}.World(w.now)
		placed := map[string]bool{}
		for _, p := range all.Placements {
			placed[p.Workload] = true
			if p.Grade == "" {
				w.t.Errorf("at %s the decision on %s does not say its grade", w.now, p.Workload)
			}
		}
		for _, wl := range all.Open {
			if !placed[wl.ID] {
				w.t.Errorf("at %s nothing is decided for %s, which is %s", w.now, wl.ID, wl.State)
			}
		}
		if all.Parent == "" && len(w.sent) > 0 {
			w.t.Errorf("at %s there is no plan", w.now)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *vale) health() []clusy.ZoneSignal {
	w.t.Helper()
	var s clusy.Signals
	w.front("GET", "/v1/signals", "", nil, &s)
	if len(s.Zones) != len(w.sites) || len(s.Sources) != len(w.seers) {
		w.t.Fatalf("at %s the signals are %+v", w.now, s)
	}
	return s.Zones
}

// intent is the n-th of what is submitted: what may be interrupted and what may
// not, for anywhere, for one zone and for the one of which little is known.
func (w *vale) intent(n int, slack string) (workload.Shape, []byte) {
	w.t.Helper()
	minutes := 40 + 35*(n%4)
	src := fmt.Sprintf("apiVersion: clusy.io/v1\nkind: Intent\nrun: {exec: [\"true\"]}\nshape:\n  duration: %dm\n  power: %dW\n  resources: {cpus: 1}\n  interruptible: %t\nwhen: {completeBy: +%s}\n",
		minutes, 200+50*(n%5), n%2 == 0, slack)
	switch n % 6 {
	case 1:
		src += "where: {allow: [DE-LU]}\n"
	case 2:
		src += "where: {allow: [GB]}\n"
	case 5:
		src += "where: {allow: [PL]}\n"
	}
	in, err := intent.Parse([]byte(src), "test.yaml", w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	shape, err := intent.Blind(in, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	sealed, err := intent.Seal(in, w.key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	return shape, sealed
}

// submit submits one intent through the API.
func (w *vale) submit() {
	w.t.Helper()
	n := len(w.sent)
	shape, sealed := w.intent(n, []string{"4h", "9h", "18h", "30h", "6h"}[n%5])
	var out clusy.Workload
	w.front("POST", "/v1/workloads", fmt.Sprintf("k%d", n), clusy.Submission{Shape: wire.ShapeOut(shape), Sealed: sealed, Enclave: intent.KeyID(w.key.Public())}, &out)
	if out.Plan == nil {
		w.t.Fatalf("at %s what is submitted has no place: %+v", w.now, out)
	}
	w.sent = append(w.sent, out)
}

// sync has every site report, until there is nothing to say.
func (w *vale) sync() {
	w.t.Helper()
	for _, s := range w.sites {
		for again := true; again; {
			s.advance(w.now)
			s.station.Seen = w.now
			reports, meters := s.report()
			kept, _, err := w.loop.Absorb(w.t.Context(), s.station, reports, meters, w.now)
			if err != nil {
				w.t.Fatalf("at %s %s reports: %v", w.now, s.station.ID, err)
			}
			orders, err := w.loop.Orders(w.t.Context(), s.station.ID, reports, w.now)
			if err != nil {
				w.t.Fatalf("at %s orders for %s: %v", w.now, s.station.ID, err)
			}
			again = s.told(reports, kept) || len(orders) > 0
			for _, o := range orders {
				s.obey(o)
			}
		}
	}
}

// place is a site: it does as it is told, and what it runs takes exactly as long
// as was expected.
type place struct {
	station plan.Station
	tasks   map[string]*task // by grant
	until   time.Time        // to which it has lived
}

type task struct {
	order   workload.Order // the offer
	sched   workload.Schedule
	state   workload.ReportState
	said    workload.ReportState // that is on record
	report  workload.Report
	runs    []ledger.Run
	metered int // hours
}

func (s *place) obey(o workload.Order) {
	k := s.tasks[o.Grant]
	switch o.Verb {
	case workload.Offer:
		s.tasks[o.Grant] = &task{order: o, sched: o.Schedule, state: workload.ReportAccepted}
	case workload.Confirm:
		k.state, k.sched = workload.ReportHeld, o.Schedule
	case workload.Keep:
		k.sched = o.Schedule
	case workload.Release, workload.Stop:
		if k.state == workload.ReportHeld || k.state == workload.ReportAccepted {
			k.state = workload.ReportReleased
		}
	case workload.Forget:
		delete(s.tasks, o.Grant)
	}
}

// advance lives on until now, a minute at a time.
func (s *place) advance(now time.Time) {
	const minute = time.Minute
	if s.until.IsZero() {
		s.until = now
	}
	for ; s.until.Before(now); s.until = s.until.Add(minute) {
		for _, k := range s.tasks {
			r := &k.report
			whole := !k.order.Shape.Interruptible.Allowed
			switch k.state {
			case workload.ReportHeld, workload.ReportRunning, workload.ReportSuspended:
			default:
				continue
			}
			if !(k.open(s.until) || whole && !r.Started.IsZero()) {
				if k.state == workload.ReportRunning {
					k.state, r.RunSince = workload.ReportSuspended, time.Time{}
					r.Suspensions++
				}
				continue
			}
			if r.Started.IsZero() {
				r.Started = s.until
			}
			if k.state != workload.ReportRunning {
				k.state, r.RunSince = workload.ReportRunning, s.until
				k.runs = append(k.runs, ledger.Run{From: s.until})
			}
			r.Active += minute
			k.runs[len(k.runs)-1].To = s.until.Add(minute)
			if r.Active >= k.order.Shape.Duration.Expected {
				k.state, r.Ended, r.RunSince = workload.ReportEnded, s.until.Add(minute), time.Time{}
			}
		}
	}
}

// open reports whether the schedule has the work run in the minute from t on.
func (k *task) open(t time.Time) bool {
	if t.Add(time.Minute).After(k.sched.Latest) {
		return true
	}
	return slices.ContainsFunc(k.sched.Spans, func(sp workload.Span) bool { return !t.Before(sp.Start) && t.Before(sp.End) })
}

// report says how all stands, each state in its order, and what the hours that
// are over drew.
func (s *place) report() (reports []workload.Report, meters []ledger.Meter) {
	for grant, k := range s.tasks {
		r := k.report
		r.Workload, r.N, r.Grant, r.State, r.Schedule = k.order.Workload, k.order.N, grant, k.state, k.sched.ID()
		ran := k.said == workload.ReportRunning || k.said == workload.ReportSuspended || k.said == workload.ReportEnded
		if !r.Started.IsZero() && !ran {
			r.State = workload.ReportRunning // one thing after the other
			if r.RunSince.IsZero() {
				r.RunSince = r.Started
			}
		}
		hours := k.hours(s.station.ID)
		if k.state != workload.ReportEnded {
			hours = slices.DeleteFunc(hours, func(m ledger.Meter) bool { return m.Hour.Add(time.Hour).After(s.until) })
		} else if r.State == workload.ReportEnded {
			r.Metered = k.metered == len(hours)
		}
		if r.State == k.state {
			meters = append(meters, hours[k.metered:]...)
		}
		reports = append(reports, r)
	}
	slices.SortFunc(reports, func(a, b workload.Report) int { return strings.Compare(a.Grant, b.Grant) })
	return reports, meters
}

// told notes what is on record now; true if there is more to say.
func (s *place) told(reports []workload.Report, kept []ledger.Meter) (more bool) {
	for _, r := range reports {
		k := s.tasks[r.Grant]
		k.said = r.State
		more = more || k.said != k.state
		for _, m := range kept {
			if m.Workload == r.Workload && m.Attempt == r.N {
				k.metered++
				more = true
			}
		}
	}
	return more
}

// hours is what each hour of a task drew.
func (k *task) hours(site string) (all []ledger.Meter) {
	var before time.Duration
	for _, run := range k.runs {
		for from := run.From; from.Before(run.To); {
			hour := from.Truncate(time.Hour)
			to := run.To
			if next := hour.Add(time.Hour); next.Before(to) {
				to = next
			}
			if n := len(all); n == 0 || !all[n-1].Hour.Equal(hour) {
				all = append(all, ledger.Meter{Workload: k.order.Workload, Attempt: k.order.N, Site: site, Hour: hour, Before: before, Source: ledger.Declared})
			}
			m := &all[len(all)-1]
			m.Runs = append(m.Runs, ledger.Run{From: from, To: to})
			m.Energy += grid.Drawn(k.order.Shape.Power, to.Sub(from))
			before += to.Sub(from)
			from = to
		}
	}
	return all
}

// illness is a way in which a provider fails.
type illness int

const (
	well illness = iota
	refuses
	hangs
	waits
	kilograms
	elsewhere
	tomorrow
	illnesses
)

// seer is a provider that knows the truth as it comes, and each hour tells what
// it expects: the truth again, farther and farther off.
type seer struct {
	signal.Provider
	truth map[grid.Zone]grid.Series

	mu   sync.Mutex
	ill  illness
	bad  map[illness]int         // how often it was asked while it was so ill
	told map[grid.Zone]time.Time // the issue of the newest forecast that it told while it was well
}

func (s *seer) Basis() grid.Basis { return grid.AverageLifecycle }

// fail fails as an ill provider does; ok is false for one that answers all the
// same.
func (s *seer) fail(ctx context.Context, now time.Time) (error, bool) {
	s.mu.Lock()
	ill := s.ill
	s.bad[ill]++
	s.mu.Unlock()
	switch ill {
	case refuses:
		return errors.New("connection refused"), true
	case hangs:
		<-ctx.Done()
		return ctx.Err(), true
	case waits:
		return &signal.Wait{Until: now.Add(closely), Why: "429 Too Many Requests"}, true
	}
	return nil, false
}

// lie changes an answer as an ill provider does.
func (s *seer) lie(out *grid.Series) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.ill {
	case kilograms:
		for i, v := range out.Values {
			if v.Known() {
				out.Values[i] = v / 1000
			}
		}
	case elsewhere:
		out.Zone = "FR"
	case tomorrow:
		out.Issued = out.Issued.Add(24 * time.Hour)
	}
}

func (s *seer) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	if err, failed := s.fail(ctx, now); failed {
		return grid.Series{}, err
	}
	out, err := s.Provider.History(context.WithoutCancel(ctx), zone, from, to, now)
	if err == nil {
		s.lie(&out)
	}
	return out, err
}

func (s *seer) Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	if err, failed := s.fail(ctx, now); failed {
		return grid.Series{}, err
	}
	truth, ok := s.truth[zone]
	if !ok || zone == "PL" {
		return grid.Series{}, signal.NoZone(s.Name(), zone)
	}
	issued := now.Truncate(time.Hour)
	out := grid.Series{Provenance: truth.Provenance, Start: issued, Step: time.Hour}
	out.Provider, out.Issued, out.Estimated, out.Ref, out.Grade = s.Name(), issued, true, "", grid.GradeA
	off := noise(zone, issued)
	for h := range 72 {
		r, ok := truth.At(issued.Add(time.Duration(h) * time.Hour))
		if !ok {
			r.Value = grid.Unknown
		} else {
			drift := 0.15 * off * (1 - math.Exp(-float64(h)/24))
			r.Value = grid.Intensity(float64(r.Value) * (1 + drift + 0.03*noise(zone, issued.Add(time.Duration(h)*time.Minute))))
		}
		out.Values = append(out.Values, r.Value)
	}
	s.lie(&out)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ill == well {
		s.told[zone] = issued
	}
	return out, nil
}

// noise is a number from -1 to 1, always the same for a zone and time.
func noise(zone grid.Zone, at time.Time) float64 {
	h := fnv.New32a()
	fmt.Fprint(h, zone, at.Unix())
	return float64(h.Sum32()%20001)/10000 - 1
}

// spare has no forecasts.
type spare struct{ s *seer }

func (p spare) Name() string      { return p.s.Name() }
func (p spare) Basis() grid.Basis { return p.s.Basis() }
func (p spare) Zones(ctx context.Context) ([]grid.Zone, error) {
	return p.s.Zones(ctx)
}
func (p spare) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	return p.s.History(ctx, zone, from, to, now)
}
