package house

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/reconcile"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// FuzzReports: whatever a site says, in whatever order, late, twice or made up,
// the control loop goes on, the record stays legal, at most one attempt is
// live, what has ended stays ended, and nothing succeeds without an exit.
func FuzzReports(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := newWorld(t, seed)
		for range 60 {
			w.turn()
			w.check()
		}
	})
}

// world is a store and a loop, with a site that lies at random.
type world struct {
	t    *testing.T
	r    *rand.Rand
	now  time.Time
	db   store.DB
	loop *reconcile.Loop
	ids  []string
	over map[string]workload.State
	ends map[string]bool // grants of which an end was reported
}

const liar = "liar"

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	origin, err := merkle.Origin("fuzz", true)
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := merkle.GenerateKey(bytes.NewReader(make([]byte, 64)), origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := merkle.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 3)), now: evening, over: map[string]workload.State{}, ends: map[string]bool{}}
	db, err := store.NewMemory(store.Options{Origin: origin, Signer: signer, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	w.db = db
	n := 0
	w.loop = &reconcile.Loop{
		Store: loopStore{db, newBell()}, Rules: plan.Rules{Step: 5 * time.Minute, Horizon: 24 * time.Hour, Margin: time.Minute},
		Now: func() time.Time { return w.now }, NewID: func() string { n++; return fmt.Sprint(n) },
		OfferFor: 10 * time.Minute, Silence: 100 * time.Hour, Patience: time.Hour, Holder: "fuzz",
	}
	if err := w.loop.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.absorb(nil)
	for i := range 3 {
		w.submit(fmt.Sprintf("wl_%d", i))
	}
	return w
}

// submit puts a workload on record with a place, as the API does.
func (w *world) submit(id string) {
	w.t.Helper()
	shape := workload.Shape{
		Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour}, Power: 1000, Demand: workload.Resources{Slots: 1},
		Interruptible: workload.Interruptible{Allowed: w.r.IntN(2) == 0}, When: workload.When{CompleteBy: w.now.Add(12 * time.Hour)},
		Policy: workload.Policy{Promise: workload.Once, Retries: w.r.IntN(3), Baseline: workload.BaselineRunNow},
	}
	w.submitShape(id, shape)
}

func (w *world) submitShape(id string, shape workload.Shape) {
	w.t.Helper()
	err := w.db.System().Update(w.t.Context(), func(sys store.SystemTx) error {
		tx := sys.For(tenant)
		event := audit.Event{At: w.now, Actor: "test", Kind: audit.WorkloadSubmitted}
		wl := workload.Workload{ID: id, Tenant: tenant, State: workload.Accepted, Shape: shape, Sealed: []byte("x"), Created: w.now, Changed: w.now}
		if err := tx.InsertWorkload(wl, event); err != nil {
			return err
		}
		world, err := loopTx{txOf(sys)}.World(w.now)
		if err != nil {
			return err
		}
		snap := plan.Observe(world, w.loop.Rules)
		for i := range snap.Items {
			if snap.Items[i].ID == id {
				snap.Items = append(snap.Items[:i], snap.Items[i+1:]...)
				break
			}
		}
		next, refused := plan.Admit(snap, plan.Item{ID: id, Tenant: tenant, Shape: shape})
		if refused != nil {
			return fmt.Errorf("refused: %+v", *refused)
		}
		wl, err = tx.Workload(id)
		if err != nil {
			return err
		}
		if err := tx.MoveWorkload(&wl, workload.Planned, event); err != nil {
			return err
		}
		for _, p := range next.Placements {
			if err := tx.PutPlacement(p, next.ID, event); err != nil {
				return err
			}
		}
		return sys.SetPlan(next.Parent, next.ID, w.now, event)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.ids = append(w.ids, id)
}

func txOf(s store.SystemTx) tx { return tx{s} }

func (w *world) absorb(reports []workload.Report) {
	w.t.Helper()
	site := plan.Station{Site: plan.Site{ID: liar, Zone: "DE-LU", PUE: 1000, Capacity: workload.Resources{
		CPU: workload.Unlimited, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}}, Engine: "process", KeyID: "ek", Incarnation: "i"}
	if _, _, err := w.loop.Absorb(w.t.Context(), site, reports, nil, w.now); err != nil {
		w.t.Fatalf("a report stops the loop: %v", err)
	}
	if _, err := w.loop.Orders(w.t.Context(), liar, reports, w.now); err != nil {
		w.t.Fatalf("orders: %v", err)
	}
}

func (w *world) turn() {
	w.t.Helper()
	switch w.r.IntN(6) {
	case 0:
		w.now = w.now.Add(time.Duration(w.r.IntN(40)) * time.Minute)
	case 1:
		w.cancel(w.ids[w.r.IntN(len(w.ids))])
	case 2, 3:
		if err := w.loop.Step(w.t.Context(), w.now); err != nil {
			w.t.Fatalf("step: %v", err)
		}
	default:
		var rs []workload.Report
		for range 1 + w.r.IntN(3) {
			rs = append(rs, w.lie())
		}
		w.absorb(rs)
		if w.r.IntN(3) == 0 {
			w.absorb(rs) // once more, as a network may
		}
	}
}

// lie makes a report that may be true, early, late or made up.
func (w *world) lie() workload.Report {
	r := workload.Report{
		Workload: w.ids[w.r.IntN(len(w.ids))], N: 1 + w.r.IntN(3), Grant: "gr_made-up",
		State: []workload.ReportState{workload.ReportAccepted, workload.ReportRefused, workload.ReportHeld, workload.ReportReleased, workload.ReportStarting,
			workload.ReportRunning, workload.ReportSuspended, workload.ReportEnded, workload.ReportStopped, workload.ReportLost}[w.r.IntN(10)],
		ExitCode: w.r.IntN(2), Active: time.Duration(w.r.IntN(90)) * time.Minute, Suspensions: w.r.IntN(3),
	}
	if w.r.IntN(2) == 0 {
		r.Started, r.RunSince = w.now.Add(-time.Minute), w.now.Add(-time.Minute)
	}
	_ = w.db.For(tenant).View(w.t.Context(), func(tx store.TenantTx) error {
		attempts, err := tx.Attempts(r.Workload)
		if n := len(attempts); n > 0 && w.r.IntN(10) > 0 {
			a := attempts[n-1-w.r.IntN(min(n, 2))]
			r.N, r.Grant = a.N, a.Grant
		}
		return err
	})
	if r.State == workload.ReportEnded && r.ExitCode == 0 {
		w.ends[r.Grant] = true
	}
	return r
}

func (w *world) cancel(id string) {
	_ = w.db.For(tenant).Update(w.t.Context(), func(tx store.TenantTx) error {
		wl, err := tx.Workload(id)
		if err != nil || !wl.State.AtSite() || w.r.IntN(4) > 0 {
			return err
		}
		wl.Wanted = workload.WantCancel
		return tx.UpdateWorkload(&wl, audit.Event{At: w.now, Actor: "test", Kind: audit.CancelRequested})
	})
}

func (w *world) check() {
	w.t.Helper()
	err := w.db.System().View(w.t.Context(), func(sys store.SystemTx) error {
		for _, id := range w.ids {
			wl, err := sys.Workload(id)
			if err != nil {
				return err
			}
			attempts, err := sys.For(tenant).Attempts(id)
			if err != nil {
				return err
			}
			live, succeeded := 0, 0
			for _, a := range attempts {
				if a.State.Live() {
					live++
				}
				if a.State == workload.AttemptSucceeded {
					succeeded++
					if !w.ends[a.Grant] {
						w.t.Errorf("%s/%d succeeded, and nobody said that it ended", id, a.N)
					}
				}
			}
			if live > 1 || live == 1 && wl.State.Terminal() {
				w.t.Errorf("%s is %s with %d live attempts: %+v", id, wl.State, live, attempts)
			}
			if wl.State == workload.Succeeded && succeeded != 1 {
				w.t.Errorf("%s succeeded with %d exits", id, succeeded)
			}
			if was, ended := w.over[id]; ended && was != wl.State {
				w.t.Errorf("%s was %s and is %s", id, was, wl.State)
			}
			if wl.State.Terminal() {
				w.over[id] = wl.State
			}
		}
		wrong, err := store.VerifyReplay(sys)
		if len(wrong) > 0 {
			w.t.Errorf("replay does not give the tables: %v", wrong)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
