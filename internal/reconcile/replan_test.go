package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
	"clusy.io/clusy/internal/workload"
)

// meanwhile is a store in which something happens after each view: between the
// moment that is planned for and the commit.
type meanwhile struct {
	db    store.DB
	after func(store.SystemTx, plan.World) error
}

type memTx struct{ store.SystemTx }

func (t memTx) For(who access.Tenant) TenantTx { return t.SystemTx.For(who) }
func (t memTx) World(now time.Time) (w plan.World, err error) {
	w.Now = now
	w.Parent, _, err = t.PlanInForce()
	stations, err2 := t.Sites()
	for _, s := range stations {
		w.Sites = append(w.Sites, s.Site)
	}
	var err3, err4, err5, err6 error
	w.Open, err3 = t.OpenWorkloads()
	w.Attempts, err4 = t.LiveAttempts("")
	w.Placements, err5 = t.Placements()
	w.Forecasts, err6 = t.LatestForecasts()
	return w, errors.Join(err, err2, err3, err4, err5, err6)
}

func (m *meanwhile) View(ctx context.Context, f func(Tx) error) error {
	var world plan.World
	err := m.db.System().View(ctx, func(tx store.SystemTx) (err error) {
		if err = f(memTx{tx}); err == nil {
			world, err = memTx{tx}.World(noon)
		}
		return err
	})
	if err == nil && m.after != nil {
		err = m.db.System().Update(ctx, func(tx store.SystemTx) error { return m.after(tx, world) })
	}
	return err
}

func (m *meanwhile) Update(ctx context.Context, f func(Tx) error) error {
	return m.db.System().Update(ctx, func(tx store.SystemTx) error { return f(memTx{tx}) })
}

// newLoop is a loop that leads over two sites with so many cores, at noon.
func newLoop(t testing.TB, db store.DB, berlin, madrid int64) (*Loop, *meanwhile) {
	t.Helper()
	m := &meanwhile{db: db}
	for id, cores := range map[string]int64{"berlin": berlin, "madrid": madrid} {
		site := storetest.Site(id)
		site.Capacity = workload.Resources{CPU: cores * 1000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}
		err := db.System().Update(t.Context(), func(tx store.SystemTx) error {
			return errors.Join(tx.PutSite(site, storetest.Event("")), tx.SeeSite(id, noon, 0))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	l := &Loop{Store: m, Rules: plan.Rules{Step: 15 * time.Minute, Horizon: 24 * time.Hour, Margin: time.Minute},
		Now: func() time.Time { return noon }, NewID: func() string { return "id" }, OfferFor: 90 * time.Second, Silence: 2 * time.Minute, Holder: "test"}
	if err := l.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l, m
}

func newMemory(t testing.TB) store.DB {
	t.Helper()
	db, err := store.NewMemory(storetest.Options(""))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// hours is planned work of one core for so long, to be complete so long from
// noon, at these sites.
func hours(id string, runs, by float64, sites ...string) workload.Workload {
	d := time.Duration(runs * float64(time.Hour))
	return workload.Workload{ID: id, Tenant: "acme", State: workload.Accepted, Enclave: "key-1", Sealed: []byte("sealed"), Created: noon, Changed: noon,
		Shape: workload.Shape{Duration: workload.Duration{Expected: d, P95: d, Max: 2 * d}, Power: 100 * grid.Watt,
			Demand: workload.Resources{CPU: 1000, Slots: 1}, Where: workload.Where{Allow: sites},
			When:   workload.When{CompleteBy: noon.Add(time.Duration(by * float64(time.Hour)))},
			Policy: workload.Policy{OnNoSignal: workload.RunNow}}}
}

// enter puts work on record, planned; with a place, if it has one, under a plan
// that follows parent.
func enter(tx store.SystemTx, parent string, w workload.Workload, place *plan.Placement) error {
	ev, t := storetest.Event(""), tx.For(w.Tenant)
	if err := t.InsertWorkload(w, ev); err != nil {
		return err
	}
	w.Rev = 1
	if err := t.MoveWorkload(&w, workload.Planned, ev); err != nil || place == nil {
		return err
	}
	id := "plan-of-" + w.ID
	return errors.Join(tx.SetPlan(parent, id, noon, ev), t.PutPlacement(*place, id, ev))
}

// at is a place for w at a site, some hours from noon.
func at(w workload.Workload, site string, from float64) *plan.Placement {
	start := noon.Add(time.Duration(from * float64(time.Hour)))
	end := start.Add(w.Shape.Duration.Expected)
	return &plan.Placement{Workload: w.ID, Site: site, Spans: []plan.Span{{Start: start, End: end}}, Reserved: end,
		Why: plan.Reasons{Binding: plan.BindingNone, Text: "because", Considered: 1}}
}

func update(t testing.TB, m *meanwhile, f func(store.SystemTx) error) {
	t.Helper()
	if err := m.db.System().Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// places returns where all are, and fails if an instant has more than there is.
func places(t testing.TB, m *meanwhile) map[string]plan.Placement {
	t.Helper()
	out := map[string]plan.Placement{}
	err := m.db.System().View(t.Context(), func(tx store.SystemTx) error {
		w, err := memTx{tx}.World(noon)
		room := map[string]int64{}
		for _, s := range w.Sites {
			room[s.ID] = s.Capacity.CPU
		}
		for _, p := range w.Placements {
			out[p.Workload] = p
			var use int64
			for _, q := range w.Placements {
				if q.Site == p.Site && !q.Start().After(p.Start()) && q.Reserved.After(p.Start()) {
					use += 1000
				}
			}
			if use > room[p.Site] {
				t.Errorf("at %s %s is promised %d thousandths of a core, it has %d", p.Start().Format(time.TimeOnly), p.Site, use, room[p.Site])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func replan(t testing.TB, l *Loop) {
	t.Helper()
	if err := l.replan(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
}

// begin lets w be offered, held and running at a site.
func begin(tx store.SystemTx, w workload.Workload, site string) error {
	ev, t := storetest.Event(""), tx.For(w.Tenant)
	a := storetest.Attempt(w, 1)
	a.Site, a.RunSince, a.Seen = site, noon, noon
	return errors.Join(t.MoveWorkload(&w, workload.Offered, ev), t.InsertAttempt(a, ev), t.MoveAttempt(&a, workload.AttemptHeld, ev),
		t.MoveWorkload(&w, workload.Held, ev), t.MoveAttempt(&a, workload.AttemptRunning, ev), t.MoveWorkload(&w, workload.Running, ev))
}

// x has berlin's only core, and must leave it for n, which may go nowhere else.
func TestReplanMoves(t *testing.T) {
	x, n := hours("x", 2, 3), hours("n", 2, 3, "berlin")
	for name, c := range map[string]struct {
		meanwhile func(store.SystemTx, workload.Workload) error
		x, n      string
	}{
		"nothing": {nil, "madrid", "berlin"},
		// What has begun stays, and its core is promised to nobody.
		"begins": {func(tx store.SystemTx, x workload.Workload) error { return begin(tx, x, "berlin") }, "berlin", ""},
		"is offered": {func(tx store.SystemTx, x workload.Workload) error {
			a := storetest.Attempt(x, 1)
			return errors.Join(tx.For("acme").InsertAttempt(a, storetest.Event("")), tx.For("acme").MoveWorkload(&x, workload.Offered, storetest.Event("")))
		}, "berlin", ""},
		"much happens, it begins": {func(tx store.SystemTx, x workload.Workload) error {
			for range store.MaxPage {
				if _, err := tx.Append(storetest.Event(audit.SignalRefused)); err != nil {
					return err
				}
			}
			return begin(tx, x, "berlin")
		}, "berlin", ""},
		// What has ended has no place, and hinders nobody.
		"is cancelled": {func(tx store.SystemTx, x workload.Workload) error {
			return errors.Join(tx.For("acme").DeletePlacement("x"), tx.For("acme").MoveWorkload(&x, workload.Cancelled, storetest.Event("")))
		}, "", "berlin"},
		// A smaller site cannot have what was planned for a larger one.
		"berlin is smaller": {func(tx store.SystemTx, _ workload.Workload) error {
			s, err := tx.Site("berlin")
			s.Capacity.CPU = 500
			return errors.Join(err, tx.PutSite(s, storetest.Event("")))
		}, "madrid", ""},
	} {
		for _, view := range []string{"while it is planned", "before the commit"} {
			t.Run(name+" "+view, func(t *testing.T) {
				l, m := newLoop(t, newMemory(t), 1, 1000)
				update(t, m, func(tx store.SystemTx) error {
					return errors.Join(enter(tx, "", x, at(x, "berlin", 0)), enter(tx, "plan-of-x", n, nil))
				})
				views := 0
				m.after = func(tx store.SystemTx, w plan.World) error {
					if views++; c.meanwhile == nil || views == 1 != (view == "while it is planned") {
						return nil
					}
					return c.meanwhile(tx, w.Open[1])
				}
				replan(t, l)
				if p := places(t, m); p["x"].Site != c.x || p["n"].Site != c.n || views != 2 {
					t.Errorf("x is at %q, n at %q; want %q and %q", p["x"].Site, p["n"].Site, c.x, c.n)
				}
			})
		}
	}
}

// If more happens in no time than others can be let wait for, the plan is made
// again.
func TestReplanTooLate(t *testing.T) {
	l, m := newLoop(t, newMemory(t), 1, 1)
	x := hours("x", 2, 12, "madrid")
	update(t, m, func(tx store.SystemTx) error { return enter(tx, "", x, nil) })
	views := 0
	m.after = func(tx store.SystemTx, _ plan.World) (err error) {
		if views++; views != 2 {
			return nil
		}
		for range store.MaxPage {
			if _, err := tx.Append(storetest.Event(audit.SignalRefused)); err != nil {
				return err
			}
		}
		return nil
	}
	replan(t, l)
	if p := places(t, m); len(p) != 0 || l.behind != 1 {
		t.Errorf("%d have a place, %d behind", len(p), l.behind)
	}
	replan(t, l)
	if p := places(t, m); len(p) != 1 || l.behind != 0 {
		t.Errorf("%d have a place, %d behind", len(p), l.behind)
	}
}

// A plan of very many moves is committed in parts: none rests on what only a
// later one will do.
func TestReplanParts(t *testing.T) {
	for _, begins := range []bool{false, true} {
		l, m := newLoop(t, newMemory(t), 1, 1000)
		z, n := hours("z", 2, 3), hours("a", 2, 3, "berlin")
		update(t, m, func(tx store.SystemTx) error {
			err := errors.Join(enter(tx, "", z, at(z, "berlin", 0)), enter(tx, "plan-of-z", n, nil))
			for i := range movesAtOnce {
				err = errors.Join(err, enter(tx, "plan-of-z", hours(fmt.Sprintf("f%03d", i), 2, 12, "madrid"), nil))
			}
			return err
		})
		views := 0
		m.after = func(tx store.SystemTx, w plan.World) error {
			if views++; begins && views == 3 { // between the parts
				return begin(tx, w.Open[len(w.Open)-1], "berlin")
			}
			return nil
		}
		replan(t, l)
		p := places(t, m)
		if begins && (len(p) != movesAtOnce+1 || p["z"].Site != "berlin") || !begins && (len(p) != movesAtOnce+1 || p["z"].Site != "madrid") {
			t.Errorf("%d have a place, z at %q (begins: %t)", len(p), p["z"].Site, begins)
		}
		m.after = nil
		replan(t, l)
		if p := places(t, m); !begins && p["a"].Site != "berlin" {
			t.Errorf("the next plan has %q for it", p["a"].Site)
		}
	}
}

// The end of what a plan moves does not keep the rest from being done in one go:
// only as a whole is a ceiling broken, for what would be late otherwise.
func TestReplanWhole(t *testing.T) {
	l, m := newLoop(t, newMemory(t), 2, 1)
	x, y, dear := hours("x", 2, 12, "berlin"), hours("y", 2, 12, "madrid", "berlin"), hours("dear", 2, 3, "berlin")
	dear.Shape.Objective.CarbonCeiling = 1 // nothing is known: it cannot be kept
	update(t, m, func(tx store.SystemTx) error {
		return errors.Join(enter(tx, "", x, at(x, "berlin", 6)), enter(tx, "plan-of-x", y, at(y, "berlin", 6)), enter(tx, "plan-of-y", dear, at(dear, "berlin", 6)))
	})
	m.after = func(tx store.SystemTx, w plan.World) error {
		m.after = nil
		y := w.Open[2]
		return errors.Join(tx.For("acme").DeletePlacement("y"), tx.For("acme").MoveWorkload(&y, workload.Cancelled, storetest.Event("")))
	}
	replan(t, l)
	p := places(t, m)
	if _, ok := p["y"]; ok || !p["dear"].Start().Equal(noon) || l.behind != 0 {
		t.Errorf("dear starts at %s, y has a place: %t", p["dear"].Start(), ok)
	}
}

// Submissions without end keep nothing where it is: a site is dead, and what is
// promised there has another place by the first plan, on the forecast that it was
// made on.
func TestReplanBesideSubmissions(t *testing.T) {
	l, m := newLoop(t, newMemory(t), 4, 4)
	update(t, m, func(tx store.SystemTx) error {
		parent := ""
		for i := range 4 {
			w := hours(fmt.Sprintf("x%d", i), 2, 12)
			if err := enter(tx, parent, w, at(w, "berlin", 0)); err != nil {
				return err
			}
			parent = "plan-of-" + w.ID
		}
		return nil
	})
	l.Silence = time.Hour
	now := noon
	update(t, m, func(tx store.SystemTx) error { return tx.SeeSite("madrid", noon.Add(2*time.Hour), 0) })
	now = now.Add(2 * time.Hour)
	forecast := func(tx store.SystemTx, issued time.Time, grams int64) error {
		s := storetest.Series("DE", noon, slices.Repeat([]int64{grams}, 30)...)
		s.Issued = issued
		_, _, err := tx.PutSignal(grid.Forecast, s, storetest.Event(audit.SignalStored))
		return err
	}
	update(t, m, func(tx store.SystemTx) error { return forecast(tx, noon, 300) })
	submitted := 0
	m.after = func(tx store.SystemTx, w plan.World) error {
		n := hours(fmt.Sprintf("n%d", submitted), 0.5, 20, "madrid")
		submitted++
		return errors.Join(forecast(tx, noon.Add(time.Hour), 200), enter(tx, w.Parent, n, at(n, "madrid", 8+float64(submitted))))
	}
	if err := l.replan(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if p := places(t, m); submitted != 2 || p["n0"].Site != "madrid" || p["x0"].Site != "madrid" || p["x3"].Site != "madrid" {
		t.Errorf("of %d submitted while it was planned, one is at %q; x0 is at %q and x3 at %q", submitted, p["n0"].Site, p["x0"].Site, p["x3"].Site)
	}
}

// Who always takes just the place that is planned for another does it three
// times: then the plan is made while others wait.
func TestReplanInside(t *testing.T) {
	l, m := newLoop(t, newMemory(t), 1, 1)
	x := hours("x", 1, 12)
	update(t, m, func(tx store.SystemTx) error {
		return errors.Join(enter(tx, "", x, at(x, "berlin", 0)), tx.SeeSite("madrid", noon.Add(time.Hour), 0))
	})
	now := noon.Add(time.Hour) // berlin has been silent since noon
	rivals := 0
	m.after = func(tx store.SystemTx, w plan.World) error {
		w.Now = now
		for i := range w.Sites {
			w.Sites[i].Down = w.Sites[i].ID == "berlin"
		}
		for _, p := range plan.Compute(plan.Observe(w, l.Rules)).Placements {
			if p.Workload == "x" {
				rivals++
				r := hours(fmt.Sprintf("r%d", rivals), 1, 20, "madrid")
				return enter(tx, w.Parent, r, at(r, "madrid", p.Start().Sub(noon).Hours()))
			}
		}
		return errors.New("x has no place")
	}
	for i := range behindMost + 1 {
		if p := places(t, m); p["x"].Site != "berlin" {
			t.Fatalf("after %d plans x is at %q", i, p["x"].Site)
		}
		if err := l.replan(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if p := places(t, m); p["x"].Site != "madrid" || rivals != 2*behindMost+1 || l.behind != 0 {
		t.Errorf("x is at %q beside %d rivals, %d behind", p["x"].Site, rivals, l.behind)
	}
	// All is as it must be: the next plan has nothing to change.
	m.after = nil
	if err := l.replan(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if l.planned.at != now {
		t.Error("the next plan changes something")
	}
}

// No site is promised more at once than an agent can report on.
func TestReplanHands(t *testing.T) {
	l, m := newLoop(t, newMemory(t), 1000, 0)
	update(t, m, func(tx store.SystemTx) error {
		for i := range plan.MostAtOnce + 50 {
			if err := enter(tx, "", hours(fmt.Sprintf("w%03d", i), 2, 12, "berlin"), nil); err != nil {
				return err
			}
		}
		return nil
	})
	replan(t, l)
	now := 0
	p := places(t, m)
	for _, p := range p {
		if p.Start().Before(noon.Add(2 * time.Hour)) {
			now++
		}
	}
	if len(p) != plan.MostAtOnce+50 || now != plan.MostAtOnce {
		t.Errorf("%d have a place, %d of them at once; want %d and %d", len(p), now, plan.MostAtOnce+50, plan.MostAtOnce)
	}
}

// What a plan was decided on is kept with it, and its digest is on record: who
// opens it can doubt the plan again.
func TestProofOfAPlan(t *testing.T) {
	db := newMemory(t)
	l, m := newLoop(t, db, 1, 1)
	update(t, m, func(tx store.SystemTx) error {
		var errs []error
		for i := range 4 {
			errs = append(errs, enter(tx, "", hours(fmt.Sprintf("w%d", i), 2, 20), nil))
		}
		_, _, err := tx.PutSignal(store.Forecast, storetest.Series("DE", noon, 400, 300, 200, 100, 100, 100, 200, 300, 400, 400, 400), storetest.Event(""))
		return errors.Join(append(errs, err)...)
	})
	if err := l.Step(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	err := db.System().View(t.Context(), func(tx store.SystemTx) error {
		heads, err := tx.PlanProofs(9)
		if err != nil || len(heads) != 1 {
			return fmt.Errorf("%d proofs: %w", len(heads), err)
		}
		packed, err := tx.PlanProof(heads[0].Plan)
		if err != nil {
			return err
		}
		proof, err := plan.Unpack(packed)
		if err != nil {
			return err
		}
		if len(proof.Items) != 4 || len(proof.Plan.Placements) != 4 {
			t.Errorf("the proof is of %d items and %d placements", len(proof.Items), len(proof.Plan.Placements))
		}
		changes, err := tx.Changes(0)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(changes, func(c store.Change) bool { return c.Kind == audit.PlanCommitted }) {
			t.Error("no plan is on record")
		}
		return proof.Verify()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A plan that changes nothing is certified when it is made anew, so that it is
// known how good the one in force is; that it was is no reason for another.
func TestCertified(t *testing.T) {
	db := newMemory(t)
	l, m := newLoop(t, db, 1, 1)
	l.Silence = time.Hour
	update(t, m, func(tx store.SystemTx) error {
		_, _, err := tx.PutSignal(store.Forecast, storetest.Series("DE", noon, 400, 300, 200, 100, 100, 100, 200, 300, 400, 400, 400), storetest.Event(""))
		w := hours("w", 2, 20)
		return errors.Join(err, enter(tx, "", w, at(w, "berlin", 3)))
	})
	proofs := func() (n int) {
		err := db.System().View(t.Context(), func(tx store.SystemTx) error {
			heads, err := tx.PlanProofs(99)
			n = len(heads)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i, want := range []int{1, 1, 1, 2, 2, 3} {
		// The first one commits; the second finds nothing new to say in its minute.
		now := noon.Add(time.Duration(i) * 40 * time.Second)
		switch i {
		case 3: // something happens, and changes nothing
			update(t, m, func(tx store.SystemTx) error { _, err := tx.Append(storetest.Event(audit.SignalStored)); return err })
		case 5:
			now = noon.Add(l.Rules.Step + 2*time.Minute) // a slot has gone by
		}
		if err := l.replan(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if got := proofs(); got != want {
			t.Errorf("at %s there are %d proofs, want %d", now, got, want)
		}
	}
}
