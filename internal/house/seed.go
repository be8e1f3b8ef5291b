package house

import (
	"context"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"path/filepath"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// Seed fills the data directory of a server that does not run with workloads
// that never were: submitted over the last two days, planned by the planner, and
// those whose time has come with attempts, meters and ledger entries. All goes
// through the store's own methods, so that the log verifies. It is there for
// measurements and never for anything else: the series it rests on are made up,
// and say so by their provider.
func Seed(ctx context.Context, dir string, sites []Site, n int, now time.Time) error {
	keys, err := openKeys(filepath.Join(dir, "keys"), false)
	if err != nil {
		return err
	}
	now = now.UTC().Truncate(time.Second)
	begin := now.Add(-seedBack)
	db, err := store.Open(ctx, store.Options{Dir: filepath.Join(dir, "store"), Origin: keys.origin, Signer: keys.signer, Now: func() time.Time { return begin }})
	if err != nil {
		return err
	}
	s := &seed{db: db, key: keys.enclave, now: now, r: mathrand.New(mathrand.NewPCG(1, 1)), zones: map[string]grid.Zone{}, pue: map[string]int64{},
		forecast: map[grid.Zone][]grid.Series{}, measured: map[grid.Zone]grid.Outlook{}}
	return errors.Join(s.run(ctx, sites, n, begin), db.Close())
}

const (
	seedBack  = 50 * time.Hour
	seedAhead = 72 * time.Hour
	// seedGroup is how many workloads share a transaction.
	seedGroup = 50
)

type seed struct {
	db       store.DB
	key      intent.PrivateKey
	now      time.Time
	r        *mathrand.Rand
	sites    []plan.Site
	zones    map[string]grid.Zone // by site
	pue      map[string]int64
	forecast map[grid.Zone][]grid.Series
	measured map[grid.Zone]grid.Outlook
	book     *plan.Book
	parent   string
}

func seedEvent(at time.Time, kind audit.Kind) audit.Event {
	return audit.Event{At: at, Actor: "system:seed", Kind: kind}
}

func (s *seed) run(ctx context.Context, sites []Site, n int, begin time.Time) error {
	if err := s.db.System().Update(ctx, func(tx store.SystemTx) error { return s.world(tx, sites, begin) }); err != nil {
		return err
	}
	s.book = plan.NewBook(plan.World{Now: begin, Sites: s.sites, Forecasts: s.forecast}, plan.Rules{Step: 5 * time.Minute, Horizon: seedAhead, Margin: time.Minute})
	gap := 48 * time.Hour / time.Duration(n)
	for from := 0; from < n; from += seedGroup {
		err := s.db.System().Update(ctx, func(tx store.SystemTx) error {
			for i := from; i < min(from+seedGroup, n); i++ {
				if err := s.one(tx, i, begin.Add(2*time.Hour-time.Minute+time.Duration(i)*gap)); err != nil {
					return fmt.Errorf("workload %d: %w", i, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// world puts the sites and their zones' made-up intensities on record: one
// forecast for all of it, and what came to pass so far.
func (s *seed) world(tx store.SystemTx, sites []Site, begin time.Time) error {
	var err error
	if s.parent, _, err = tx.PlanInForce(); err != nil {
		return err
	}
	for i, st := range sites {
		site := plan.Site{ID: st.ID, Zone: st.Zone, PUE: int64(st.PUE*1000 + 0.5), Capacity: workload.Resources{
			CPU: int64(st.CPUs * 1000), Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}}
		s.sites, s.zones[st.ID], s.pue[st.ID] = append(s.sites, site), st.Zone, site.PUE
		station := plan.Station{Site: site, Engine: "process", EnclaveKey: []byte(intent.EncodePublic(s.key.Public())), KeyID: intent.KeyID(s.key.Public()),
			Registered: begin, Seen: begin, Incarnation: "seed"}
		if err := tx.PutSite(station, seedEvent(begin, audit.SiteRegistered)); err != nil {
			return err
		}
		if _, told := s.measured[st.Zone]; told {
			continue
		}
		expected := s.series(st.Zone, begin, seedBack+seedAhead, i, 0)
		expected.Issued = begin
		if expected.Ref, _, err = tx.PutSignal(store.Forecast, expected, seedEvent(begin, audit.SignalStored)); err != nil {
			return err
		}
		came := s.series(st.Zone, begin.Truncate(time.Hour), s.now.Truncate(time.Hour).Sub(begin.Truncate(time.Hour)), i, 0.12)
		came.Issued = s.now
		if came.Ref, _, err = tx.PutSignal(store.Measured, came, seedEvent(s.now, audit.SignalStored)); err != nil {
			return err
		}
		s.forecast[st.Zone], s.measured[st.Zone] = []grid.Series{expected}, grid.Believe(st.Zone, came.Basis, came)
	}
	return nil
}

// series is a day that goes up and down, again and again.
func (s *seed) series(zone grid.Zone, from time.Time, length time.Duration, i int, noise float64) grid.Series {
	out := grid.Series{Start: from.Truncate(time.Hour), Step: time.Hour, Provenance: grid.Provenance{
		Provider: "seed, made up", Zone: zone, Basis: grid.AverageLifecycle, Grade: grid.GradeB}}
	level := []float64{380, 160, 60, 240}[i%4]
	for h := range int(length/time.Hour) + 1 {
		at := out.Start.Add(time.Duration(h) * time.Hour)
		day := math.Cos(2 * math.Pi * (float64(at.Hour()) - 14 - 3*float64(i%2)) / 24)
		v := level * (1 - 0.45*day) * (1 + noise*(s.r.Float64()-0.5))
		out.Values = append(out.Values, grid.Intensity(v*1000))
	}
	return out
}

var seedNames = []string{"train-model", "nightly-report", "render", "index-corpus", "backup", "simulate", "transcode", "align-reads"}

// one gives the i-th workload its life up to now.
func (s *seed) one(tx store.SystemTx, i int, created time.Time) error {
	minutes := 20 + 10*s.r.IntN(30)
	rules := ""
	if s.r.IntN(20) == 0 {
		rules = "\n  interruptible: {overhead: 2m, minRun: 10m, maxSuspensions: 2}"
	}
	where := []string{"", fmt.Sprintf("where: {allow: [%s]}\n", s.sites[s.r.IntN(len(s.sites))].ID), fmt.Sprintf("where: {prefer: [%s]}\n", s.sites[s.r.IntN(len(s.sites))].ID)}[s.r.IntN(3)]
	src := fmt.Sprintf("apiVersion: clusy.io/v1\nkind: Intent\nmetadata: {name: %s-%d}\nrun: {exec: [sleep, \"1\"]}\nshape:\n  duration: {expected: %dm, p95: %dm, max: %dm}\n  power: %dW\n  resources: {cpus: %d}%s\nwhen: {completeBy: +%dm}\n%s",
		seedNames[i%len(seedNames)], i, minutes, minutes+minutes/10, 2*minutes, 100+50*s.r.IntN(30), 1+s.r.IntN(8), rules, 2*minutes+60+30*s.r.IntN(92), where)
	in, err := intent.Parse([]byte(src), "seed.yaml", created)
	if err != nil {
		return err
	}
	shape, err := intent.Blind(in, created)
	if err != nil {
		return err
	}
	sealed, err := intent.Seal(in, s.key.Public())
	if err != nil {
		return err
	}
	w := workload.Workload{ID: "wl_" + seedID(created, s.r), Tenant: tenant, State: workload.Accepted, Shape: shape, Sealed: sealed,
		Enclave: intent.KeyID(s.key.Public()), Created: created, Changed: created}
	home := s.sites[0]
	for _, st := range s.sites {
		if plan.Allowed(shape.Where, st) && plan.Rank(shape.Where, st) < plan.Rank(shape.Where, home) || !plan.Allowed(shape.Where, home) {
			home = st
		}
	}
	w.Baseline = workload.Counterfactual{Rule: shape.Policy.Baseline, Site: home.ID, Zone: home.Zone, PUE: home.PUE, Start: created}

	// 1. It is admitted, as it would have been.
	s.book.Turn(created)
	place, ok := s.book.Admit(plan.Item{ID: w.ID, Tenant: tenant, Shape: shape})
	if !ok {
		return nil // refused: there is nothing of it
	}
	t := tx.For(tenant)
	p := s.book.Addition(s.parent, []plan.Placement{place})
	if err := t.InsertWorkload(w, seedEvent(created, audit.WorkloadSubmitted)); err != nil {
		return err
	}
	w.Rev = 1
	move := func(at time.Time, to workload.State) error {
		return t.MoveWorkload(&w, to, seedEvent(at, audit.WorkloadMoved))
	}
	if err := errors.Join(move(created, workload.Planned), t.PutPlacement(place, p.ID, seedEvent(created, audit.WorkloadPlaced)),
		tx.SetPlan(s.parent, p.ID, created, seedEvent(created, audit.PlanCommitted))); err != nil {
		return err
	}
	s.parent = p.ID
	planned := w
	s.book.Put(planned, nil, &place)

	// 2. What has become of it by now.
	start, finish := place.Start(), place.Finish()
	luck := s.r.IntN(100)
	switch {
	case luck < 4 && start.Sub(created) > 2*time.Minute && created.Add(time.Minute).Before(s.now):
		w.Cause = "cancelled by its owner"
		return errors.Join(move(created.Add(time.Minute), workload.Cancelled), t.DeletePlacement(w.ID), s.gone(w.ID))
	case !start.Before(s.now):
		return nil // its time has not come
	}
	a := workload.Attempt{Workload: w.ID, N: 1, Tenant: tenant, Site: place.Site, Grant: "gr_" + seedID(created, s.r), Epoch: 1,
		State: workload.AttemptOffered, Expires: created.Add(2 * time.Minute), Changed: created}
	step := func(at time.Time, to workload.AttemptState) error {
		return t.MoveAttempt(&a, to, seedEvent(at, audit.AttemptMoved))
	}
	if err := errors.Join(t.InsertAttempt(a, seedEvent(created, audit.AttemptMoved)), move(created, workload.Offered)); err != nil {
		return err
	}
	a.Rev = 1
	if err := errors.Join(step(created, workload.AttemptHeld), move(created, workload.Held), step(start, workload.AttemptStarting)); err != nil {
		return err
	}
	end := finish
	if end.After(s.now) {
		end = s.now
	}
	a.Started, a.Suspensions, a.Seen = start, 0, end
	runs := ranUntil(place.Spans, end)
	for _, sp := range runs {
		a.Active += sp.To.Sub(sp.From)
	}
	a.Suspensions = len(runs) - 1
	if !finish.Before(s.now) {
		if runs[len(runs)-1].To.Equal(s.now) {
			a.RunSince = runs[len(runs)-1].From
		}
		return errors.Join(step(start, workload.AttemptRunning), move(start, workload.Running), s.meters(tx, t, w, a, runs))
	}
	if err := errors.Join(step(start, workload.AttemptRunning), move(start, workload.Running)); err != nil {
		return err
	}
	a.Ended = finish
	as, ws := workload.AttemptSucceeded, workload.Succeeded
	if luck >= 96 {
		as, ws, a.ExitCode, w.Cause = workload.AttemptFailed, workload.Failed, 1, "exit code 1"
	}
	return errors.Join(step(finish, as), t.DeletePlacement(w.ID), move(finish, ws), s.gone(w.ID), s.meters(tx, t, w, a, runs))
}

func (s *seed) gone(id string) error {
	s.book.Drop(id)
	return nil
}

// seedID returns the rest of an id that sorts by its time, as a UUIDv7 does.
func seedID(at time.Time, r *mathrand.Rand) string {
	ms := at.UnixMilli()
	return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", ms>>16, ms&0xffff, r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
}

// ranUntil is what of spans is over by end.
func ranUntil(spans []plan.Span, end time.Time) (out []ledger.Run) {
	for _, sp := range spans {
		to := sp.End
		if to.After(end) {
			to = end
		}
		if sp.Start.Before(to) {
			out = append(out, ledger.Run{From: sp.Start, To: to})
		}
	}
	return out
}

// meters keeps what each hour drew, and books the hours whose intensity has
// been measured.
func (s *seed) meters(tx store.SystemTx, t store.TenantTx, w workload.Workload, a workload.Attempt, runs []ledger.Run) error {
	var before time.Duration
	first, last := runs[0].From.Truncate(time.Hour), runs[len(runs)-1].To
	for hour := first; hour.Before(last); hour = hour.Add(time.Hour) {
		m := ledger.Meter{Workload: w.ID, Attempt: a.N, Tenant: tenant, Site: a.Site, Hour: hour, Before: before, Source: ledger.Declared}
		var ran time.Duration
		for _, r := range runs {
			from, to := r.From, r.To
			if from.Before(hour) {
				from = hour
			}
			if next := hour.Add(time.Hour); to.After(next) {
				to = next
			}
			if from.Before(to) {
				m.Runs, ran = append(m.Runs, ledger.Run{From: from, To: to}), ran+to.Sub(from)
			}
		}
		if ran == 0 {
			continue
		}
		before += ran
		m.Energy = grid.Drawn(w.Shape.Power, ran)
		if err := t.PutMeter(m); err != nil {
			return err
		}
		if hour.Add(time.Hour).After(s.now.Truncate(time.Hour)) {
			continue
		}
		e, err := ledger.Account(m, s.zones[a.Site], s.pue[a.Site], s.measured[s.zones[a.Site]], w.Baseline, s.measured[w.Baseline.Zone], hour.Add(2*time.Hour))
		if errors.Is(err, ledger.ErrUnknown) {
			continue
		}
		if err != nil {
			return err
		}
		index, err := t.AppendEntry(e)
		if err != nil {
			return err
		}
		if err := tx.SettleMeter(m.Workload, m.Attempt, m.Hour, index); err != nil {
			return err
		}
	}
	return nil
}
