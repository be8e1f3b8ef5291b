package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
	"clusy.io/clusy/internal/workload"
)

// faulty is a store whose World does something else first, as often as there
// is something to do, and whose views can be followed by what others do.
type faulty struct {
	*memory
	world []func() error
	after func()
}

type faultyTx struct {
	memoryTx
	m *faulty
}

func (t faultyTx) World(now time.Time) (plan.World, error) {
	if len(t.m.world) > 0 {
		f := t.m.world[0]
		t.m.world = t.m.world[1:]
		if err := f(); err != nil {
			return plan.World{}, err
		}
	}
	return t.memoryTx.World(now)
}

func (m *faulty) UpdateAll(ctx context.Context, f func(SystemTx) error) error {
	return m.System().Update(ctx, func(tx store.SystemTx) error { return f(faultyTx{memoryTx{tx}, m}) })
}

func (m *faulty) ViewAll(ctx context.Context, f func(SystemTx) error) error {
	err := m.memory.ViewAll(ctx, f)
	if g := m.after; g != nil {
		m.after = nil
		g()
	}
	return err
}

// TestDeskReadsNoGap: where much has happened, and the world cannot be read
// once, what has happened is not passed over.
func TestDeskReadsNoGap(t *testing.T) {
	s, m, _ := newDesk(t, 1)
	f := &faulty{memory: m}
	s.Store = f
	if _, err := s.trySubmit("first", hours(1, 20)); err != nil {
		t.Fatal(err)
	}
	// Another hand fills the one site of one core until late.
	err := m.System().Update(t.Context(), func(tx store.SystemTx) error {
		w, ev, of := hours(3, 4.5), storetest.Event(""), tx.For("acme")
		w.ID, w.State, w.Created, w.Changed, w.Rev = "wl_other", workload.Accepted, s.Now().UTC(), s.Now().UTC(), 1
		if err := errors.Join(of.InsertWorkload(w, ev), of.MoveWorkload(&w, workload.Planned, ev)); err != nil {
			return err
		}
		world, err := memoryTx{tx}.World(s.Now())
		next := plan.Compute(plan.Observe(world, s.Rules))
		for _, p := range next.Placements {
			err = errors.Join(err, of.PutPlacement(p, next.ID, ev))
		}
		err = errors.Join(err, tx.SetPlan(world.Parent, next.ID, s.Now(), ev))
		for range mostNews + 10 {
			_, e := of.Append(audit.Event{At: s.Now(), Actor: "system:test", Kind: audit.SignalRefused, Object: "zone:x"})
			err = errors.Join(err, e)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.world = []func() error{func() error { return errDisk }, func() error { return errDisk }}
	if _, err := s.trySubmit("fails", hours(1, 4.5)); !errors.Is(err, errDisk) {
		t.Fatalf("a world that cannot be read: %v", err)
	}
	_, _ = s.trySubmit("next", hours(1, 4.5))
	kept(t, s)
}

// TestDeskSurvivesAPanic: a panic in an admission is that admission's, and the
// next one is served.
func TestDeskSurvivesAPanic(t *testing.T) {
	s, m, _ := newDesk(t, 4)
	s.Store = &faulty{memory: m, world: []func() error{func() error { panic("in the planner") }}}
	if _, err := s.trySubmit("a", hours(1, 9)); !problem.Is(err, problem.Internal) {
		t.Errorf("a panic is answered %v", err)
	}
	if _, err := s.trySubmit("a", hours(1, 9)); err != nil {
		t.Errorf("the same again: %v", err)
	}
	kept(t, s)
}

// TestWholePlanMovesNothingThatHasBegun: what a site has taken since the view
// stays where it is.
func TestWholePlanMovesNothingThatHasBegun(t *testing.T) {
	s, m, _ := newDesk(t, 1)
	madrid := storetest.Site("madrid")
	madrid.Capacity = workload.Resources{CPU: 1000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}
	if err := m.System().Update(t.Context(), func(tx store.SystemTx) error { return tx.PutSite(madrid, storetest.Event("")) }); err != nil {
		t.Fatal(err)
	}
	x, err := s.trySubmit("x", hours(2, 3))
	if err != nil {
		t.Fatal(err)
	}
	s.Store = &faulty{memory: m, after: func() {
		w, ev := x.made, storetest.Event("")
		a := storetest.Attempt(w, 1)
		a.Site, a.RunSince, a.Seen = x.place.Site, storetest.Noon, storetest.Noon
		err := m.System().Update(t.Context(), func(tx store.SystemTx) error {
			of := tx.For("acme")
			return errors.Join(of.MoveWorkload(&w, workload.Offered, ev), of.InsertAttempt(a, ev), of.MoveAttempt(&a, workload.AttemptHeld, ev),
				of.MoveWorkload(&w, workload.Held, ev), of.MoveAttempt(&a, workload.AttemptRunning, ev), of.MoveWorkload(&w, workload.Running, ev))
		})
		if err != nil {
			t.Error(err)
		}
	}}
	n := hours(2, 3)
	n.Shape.Where.Allow = []string{x.place.Site} // so that x would have to go
	if e, err := s.trySubmit("n", n); err == nil {
		t.Errorf("%s is promised to n from %s, and x runs there", e.place.Site, e.place.Start())
	}
	err = m.ViewAll(t.Context(), func(tx SystemTx) error {
		p, _, err := tx.For("acme").Placement(x.w.ID)
		if p.Site != x.place.Site {
			t.Errorf("x runs at %s and is planned at %s", x.place.Site, p.Site)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestWholePlanIsForNow: who has waited long for a whole plan is given no place
// in the past.
func TestWholePlanIsForNow(t *testing.T) {
	s, _, now := newDesk(t, 4)
	s.whole() <- struct{}{} // another whole plan is being made
	w := hours(2, 3)
	w.Shape.Demand.CPU = 4000
	if _, err := s.trySubmit("first", w); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if e, err := s.trySubmit("late", hours(0.5, 2.8)); err == nil {
			t.Errorf("it is %s, and it is promised %s", s.Now().UTC(), e.place.Start())
		}
	}()
	time.Sleep(200 * time.Millisecond) // by then it waits for its turn; if not, nothing is tried
	now.Add((2 * time.Hour).Microseconds())
	<-s.desk.whole
	<-done
}

// TestNobodyIsRefusedForAPhantom: a place that is kept for one who may not take
// it is no reason to refuse another for good.
func TestNobodyIsRefusedForAPhantom(t *testing.T) {
	s, m, _ := newDesk(t, 1)
	big := storetest.Site("big")
	big.Capacity = workload.Resources{CPU: 1 << 30, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}
	if err := m.System().Update(t.Context(), func(tx store.SystemTx) error { return tx.PutSite(big, storetest.Event("")) }); err != nil {
		t.Fatal(err)
	}
	first := hours(1, 20)
	first.Shape.Where.Allow = []string{"big"}
	if _, err := s.trySubmit("first", first); err != nil {
		t.Fatal(err)
	}
	for i := range wholeMost + 1 { // more than whole plans are made for
		w := hours(1, 20)
		w.ID, w.State = time.Duration(i).String(), workload.Planned
		s.desk.book.Put(w, nil, &plan.Placement{Workload: w.ID, Site: "big", Spans: []plan.Span{{Start: storetest.Noon, End: storetest.Noon.Add(time.Hour)}}, Reserved: storetest.Noon.Add(time.Hour)})
	}
	only := func(key string) *entrant {
		e := &entrant{key: key, hash: []byte{1}, who: "token:a", w: hours(2, 2.9)}
		e.w.Shape.Where.Allow = []string{"berlin"}
		e.w.ID, e.w.State, e.w.Created, e.w.Changed = "wl_"+s.NewID(), workload.Accepted, s.Now().UTC(), s.Now().UTC()
		return e
	}
	stranger := only("stranger")
	stranger.w.Enclave = "no-such-enclave"
	if s.desk.propose(stranger); stranger.place != nil {
		t.Error("a place is kept for an intent that nobody here can open")
	}
	other, late := only("other"), only("late")
	s.desk.propose(other) // has the place, and waits
	s.desk.record(s, []*entrant{late})
	if !problem.Is(late.err, problem.Unready) {
		t.Errorf("while another may yet leave its place: %v", late.err)
	}
	s.desk.record(s, []*entrant{other})
	if other.err != nil {
		t.Errorf("who had the place: %v", other.err)
	}
	last := only("last")
	s.desk.record(s, []*entrant{last})
	if !problem.Is(last.err, problem.Infeasible) {
		t.Errorf("now that it is taken for good: %v", last.err)
	}
}
