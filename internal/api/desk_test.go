package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
	"clusy.io/clusy/internal/workload"
)

// memory is a store for the desk whose commits can be made to fail.
type memory struct {
	*store.Memory
	fail atomic.Int64 // so many commits fail from now on
}

type memoryTx struct{ store.SystemTx }

func (t memoryTx) For(who access.Tenant) TenantTx                          { return t.SystemTx.For(who) }
func (t memoryTx) Proof(int64) ([]byte, string, error)                     { return nil, "", nil }
func (t memoryTx) Spending(access.Tenant, time.Time) (*budget.Book, error) { return nil, nil }
func (t memoryTx) World(now time.Time) (w plan.World, err error) {
	w.Now = now
	w.Parent, _, err = t.PlanInForce()
	stations, err2 := t.Sites()
	w.Sites = sitesOf(stations)
	var err3, err4, err5, err6 error
	w.Open, err3 = t.OpenWorkloads()
	w.Attempts, err4 = t.LiveAttempts("")
	w.Placements, err5 = t.Placements()
	w.Forecasts, err6 = t.LatestForecasts()
	w.Prices = map[grid.Zone][]grid.Prices{}
	for _, zone := range plan.Zones(w.Sites) {
		var err7 error
		w.Prices[zone], err7 = t.Prices(zone, now)
		err6 = errors.Join(err6, err7)
	}
	return w, errors.Join(err, err2, err3, err4, err5, err6)
}

var errDisk = errors.New("the disk is full")

func (m *memory) View(ctx context.Context, t access.Tenant, f func(TenantTx) error) error {
	return m.For(t).View(ctx, func(tx store.TenantTx) error { return f(tx) })
}
func (m *memory) Update(ctx context.Context, t access.Tenant, f func(TenantTx) error) error {
	return m.For(t).Update(ctx, func(tx store.TenantTx) error { return f(tx) })
}
func (m *memory) ViewAll(ctx context.Context, f func(SystemTx) error) error {
	return m.System().View(ctx, func(tx store.SystemTx) error { return f(memoryTx{tx}) })
}
func (m *memory) UpdateAll(ctx context.Context, f func(SystemTx) error) error {
	return m.System().Update(ctx, func(tx store.SystemTx) error {
		if err := f(memoryTx{tx}); err != nil {
			return err
		}
		if m.fail.Add(-1) >= 0 {
			return errDisk // all of it is rolled back
		}
		return nil
	})
}

// newDesk is a server with one site of four cores, at noon.
func newDesk(t *testing.T, cores int64) (*Server, *memory, *atomic.Int64) {
	t.Helper()
	d, err := store.NewMemory(storetest.Options(""))
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{Memory: d}
	site := storetest.Site("berlin")
	site.Capacity = workload.Resources{CPU: cores * 1000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}
	if err := d.System().Update(t.Context(), func(tx store.SystemTx) error { return tx.PutSite(site, storetest.Event("")) }); err != nil {
		t.Fatal(err)
	}
	var now, id atomic.Int64
	now.Store(storetest.Noon.UnixMicro())
	s := &Server{Store: m, Rules: plan.Rules{Step: 15 * time.Minute, Horizon: 24 * time.Hour, Margin: time.Minute},
		Now: func() time.Time { return time.UnixMicro(now.Load()) }, NewID: func() string { return fmt.Sprintf("%06d", id.Add(1)) }}
	s.Handler()
	return s, m, &now
}

func (s *Server) trySubmit(key string, w workload.Workload) (*entrant, error) {
	now := s.Now().UTC()
	w.ID, w.State, w.Created, w.Changed = "wl_"+s.NewID(), workload.Accepted, now, now
	e := &entrant{key: key, hash: []byte(key), who: "token:a", w: w}
	return e, s.desk.admit(context.Background(), s, e)
}

// hours is work of one core for so long, to be complete so long from noon.
func hours(runs, by float64) workload.Workload {
	d := time.Duration(runs * float64(time.Hour))
	return workload.Workload{Tenant: "acme", Enclave: "key-1", Sealed: []byte("sealed"), Shape: workload.Shape{
		Duration: workload.Duration{Expected: d, P95: d, Max: 2 * d}, Power: 100 * grid.Watt, Demand: workload.Resources{CPU: 1000, Slots: 1},
		When: workload.When{CompleteBy: storetest.Noon.Add(time.Duration(by * float64(time.Hour)))}, Policy: workload.Policy{OnNoSignal: workload.RunNow}}}
}

// kept checks the plan in force as a whole, by those who know nothing of the desk.
func kept(t *testing.T, s *Server) (open int) {
	t.Helper()
	err := s.Store.ViewAll(t.Context(), func(tx SystemTx) error {
		w, err := tx.World(s.Now())
		if err != nil {
			return err
		}
		open = len(w.Open)
		if len(w.Placements) != open {
			t.Errorf("%d open workloads have %d places", open, len(w.Placements))
		}
		snap := plan.Observe(w, s.Rules)
		if err := plan.Check(snap, plan.Compute(snap)); err != nil {
			t.Error(err)
		}
		// No instant has more than there is.
		for _, p := range w.Placements {
			var use int64
			for _, q := range w.Placements {
				if !q.Start().After(p.Start()) && q.Reserved.After(p.Start()) {
					use += 1000
				}
			}
			if use > w.Sites[0].Capacity.CPU {
				t.Errorf("at %s the site is promised %d thousandths of a core, it has %d", p.Start(), use, w.Sites[0].Capacity.CPU)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The desk's own Book, brought up to now, has just these.
	if err := s.Store.UpdateAll(t.Context(), func(tx SystemTx) error {
		s.desk.mu.Lock()
		defer s.desk.mu.Unlock()
		return s.desk.open(s, tx, s.Now())
	}); err != nil {
		t.Fatal(err)
	}
	if n := s.desk.book.Len(); n != open || len(s.desk.proposed) > 0 {
		t.Errorf("the desk's Book has %d workloads and %d proposed, on record are %d", n, len(s.desk.proposed), open)
	}
	return open
}

// Very many at once get just what there is: the others are refused with a way
// out, and nobody is promised what another has.
func TestDeskManyAtOnce(t *testing.T) {
	s, _, _ := newDesk(t, 4)
	var wait sync.WaitGroup
	var admitted, refused atomic.Int64
	for i := range 60 {
		wait.Go(func() {
			_, err := s.trySubmit(fmt.Sprint("k", i), hours(2, 9.1))
			var p *problem.Error
			switch {
			case err == nil:
				admitted.Add(1)
			case errors.As(err, &p) && p.Kind == problem.Infeasible && !p.NearestCompleteBy.IsZero():
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	// Four cores for nine hours, and two hours and a tenth for each: sixteen.
	if n := kept(t, s); n != int(admitted.Load()) || n != 16 || refused.Load() != 44 {
		t.Errorf("%d admitted, %d refused, %d on record; want 16, 44, 16", admitted.Load(), refused.Load(), n)
	}
}

// One key is one workload, however many send it at once.
func TestDeskSameKeyAtOnce(t *testing.T) {
	s, _, _ := newDesk(t, 4)
	var wait sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]int{}
	for range 40 {
		wait.Go(func() {
			e, err := s.trySubmit("one", hours(1, 9))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if e.repeat {
				ids[e.body.ID]++
			} else {
				ids[e.w.ID]++
			}
		})
	}
	wait.Wait()
	if n := kept(t, s); n != 1 || len(ids) != 1 {
		t.Errorf("%d workloads on record, ids %v", n, ids)
	}
	other := hours(1, 9)
	e := &entrant{key: "one", hash: []byte("other"), who: "token:a", w: other}
	e.w.ID, e.w.State, e.w.Created, e.w.Changed = "wl_x", workload.Accepted, s.Now().UTC(), s.Now().UTC()
	if err := s.desk.admit(t.Context(), s, e); !problem.Is(err, problem.Conflict) {
		t.Errorf("another body under the same key: %v", err)
	}
	// Of two with one key, the second has its turn if the first is refused.
	first, second := hours(1, 0.5), hours(1, 9)
	for _, e := range []*entrant{{key: "two", hash: []byte("a"), w: first, faults: []problem.Violation{{Message: "x"}}}, {key: "two", hash: []byte("a"), w: second}} {
		e.who, e.w.ID, e.w.State, e.w.Created, e.w.Changed = "token:a", "wl_"+s.NewID(), workload.Accepted, s.Now().UTC(), s.Now().UTC()
		_ = s.desk.admit(t.Context(), s, e)
	}
	if n := kept(t, s); n != 2 {
		t.Errorf("%d workloads on record, want 2", n)
	}
}

// What was rolled back has no place: the next ones find all of it free.
func TestDeskAfterFailedCommits(t *testing.T) {
	s, m, _ := newDesk(t, 4)
	for round := range 5 {
		if round > 0 {
			if _, err := s.trySubmit(fmt.Sprint("good", round), hours(2, 23)); err != nil {
				t.Fatal(err)
			}
		}
		m.fail.Store(40) // the group's commit, and that of each alone
		var wait sync.WaitGroup
		for i := range 12 {
			wait.Go(func() {
				if _, err := s.trySubmit(fmt.Sprint("k", round, "-", i), hours(2, 9.1)); !errors.Is(err, errDisk) {
					t.Errorf("a commit failed, and the client was told %v", err)
				}
			})
		}
		wait.Wait()
		m.fail.Store(0)
	}
	if n := kept(t, s); n != 4 {
		t.Errorf("%d workloads on record, want 4", n)
	}
	for i := range 12 { // 16 places of two hours, 4 of them taken at most
		if _, err := s.trySubmit(fmt.Sprint("after", i), hours(2, 9.1)); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	kept(t, s)
}

// What others write, the desk knows at its next look: ends, moves, sites.
func TestDeskFollowsTheRecord(t *testing.T) {
	s, m, now := newDesk(t, 1)
	full := func(key string) bool {
		t.Helper()
		_, err := s.trySubmit(key, hours(2, 4.6))
		if err != nil && !problem.Is(err, problem.Infeasible) {
			t.Fatal(err)
		}
		return err != nil
	}
	a, err := s.trySubmit("a", hours(2, 4.6))
	if err != nil || full("b") || !full("c") {
		t.Fatalf("two fit and a third does not: %v", err)
	}
	// One is cancelled by another hand.
	update := func(f func(tx store.SystemTx) error) {
		t.Helper()
		if err := m.System().Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.SystemTx) error {
		w := a.made
		return errors.Join(tx.For("acme").MoveWorkload(&w, workload.Cancelled, storetest.Event(audit.WorkloadMoved)), tx.For("acme").DeletePlacement(w.ID))
	})
	if full("d") || !full("e") {
		t.Error("the place of what was cancelled is not free, or free twice")
	}
	// The site grows.
	update(func(tx store.SystemTx) error {
		st, err := tx.Site("berlin")
		st.Capacity.CPU = 2000
		return errors.Join(err, tx.PutSite(st, storetest.Event("")))
	})
	if full("f") || full("g") || !full("h") {
		t.Error("a site that has grown has room for two more")
	}
	// Its key changes: intents for the old one are sealed to nobody.
	update(func(tx store.SystemTx) error {
		st, err := tx.Site("berlin")
		st.KeyID = "key-2"
		return errors.Join(err, tx.PutSite(st, storetest.Event("")))
	})
	if _, err := s.trySubmit("i", hours(2, 20)); !problem.Is(err, problem.Invalid) {
		t.Errorf("sealed to nobody: %v", err)
	}
	// A clock that is set back, and one that is far ahead.
	update(func(tx store.SystemTx) error {
		st, err := tx.Site("berlin")
		st.KeyID = "key-1"
		return errors.Join(err, tx.PutSite(st, storetest.Event("")))
	})
	for i, d := range []time.Duration{-time.Hour, 5 * time.Hour, time.Hour} {
		now.Store(storetest.Noon.Add(d).UnixMicro())
		if _, err := s.trySubmit(fmt.Sprint("j", i), hours(1, 22)); err != nil {
			t.Errorf("at %s: %v", d, err)
		}
	}
	kept(t, s)
}

// What runs longer than it said is counted as it gets on, though its progress
// is not on record.
func TestDeskSeesProgress(t *testing.T) {
	s, m, now := newDesk(t, 1)
	e, err := s.trySubmit("a", hours(2, 9))
	if err != nil {
		t.Fatal(err)
	}
	w := e.made
	a := storetest.Attempt(w, 1)
	a.Site = "berlin"
	running := func(tt store.TenantTx, a *workload.Attempt) error {
		a.RunSince, a.Seen = storetest.Noon, storetest.Noon
		return tt.MoveAttempt(a, workload.AttemptRunning, storetest.Event(""))
	}
	err = m.System().Update(t.Context(), func(tx store.SystemTx) error {
		tt := tx.For("acme")
		ev := storetest.Event("")
		return errors.Join(tt.MoveWorkload(&w, workload.Offered, ev), tt.InsertAttempt(a, ev), tt.MoveAttempt(&a, workload.AttemptHeld, ev),
			tt.MoveWorkload(&w, workload.Held, ev), running(tt, &a), tt.MoveWorkload(&w, workload.Running, ev))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.trySubmit("b", hours(1, 3.4)); err != nil {
		t.Fatal(err) // beside two hours of work there is room for one more by 15:24
	}
	cancel := func(key string) {
		t.Helper()
		ws := []workload.Workload{}
		if err := m.System().View(t.Context(), func(tx store.SystemTx) (err error) { ws, err = tx.OpenWorkloads(); return err }); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(ws, func(x workload.Workload) bool { return x.State == workload.Planned })
		if err := m.System().Update(t.Context(), func(tx store.SystemTx) error {
			return errors.Join(tx.For("acme").MoveWorkload(&ws[i], workload.Cancelled, storetest.Event("")), tx.For("acme").DeletePlacement(ws[i].ID))
		}); err != nil {
			t.Fatal(key, err)
		}
	}
	cancel("b")
	// An hour later its site says that it has run for no time at all.
	now.Store(storetest.Noon.Add(time.Hour).UnixMicro())
	a.Active, a.RunSince, a.Seen = 0, storetest.Noon.Add(time.Hour), storetest.Noon.Add(time.Hour)
	if err := m.System().Update(t.Context(), func(tx store.SystemTx) error { return tx.For("acme").UpdateAttempt(&a) }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.trySubmit("c", hours(1, 3.4)); !problem.Is(err, problem.Infeasible) {
		t.Errorf("work that has two hours left leaves no room for one by 15:24: %v", err)
	}
}

// One that cannot be written hurts nobody in its group.
func TestDeskOneBadInAGroup(t *testing.T) {
	s, _, _ := newDesk(t, 4)
	first, err := s.trySubmit("first", hours(1, 20))
	if err != nil {
		t.Fatal(err)
	}
	var group []*entrant
	for i := range 5 {
		e := &entrant{key: fmt.Sprint("g", i), hash: []byte{1}, who: "token:a", w: hours(1, 20)}
		e.w.ID, e.w.State, e.w.Created, e.w.Changed = "wl_g"+fmt.Sprint(i), workload.Accepted, s.Now().UTC(), s.Now().UTC()
		if i == 2 {
			e.w.ID, e.w.Enclave = first.w.ID+"x", "key-1"
			e.w.State = workload.Planned // nothing is born so
		}
		group = append(group, e)
	}
	s.desk.record(s, group)
	for i, e := range group {
		if (e.err != nil) != (i == 2) {
			t.Errorf("%d: %v", i, e.err)
		}
	}
	if n := kept(t, s); n != 5 {
		t.Errorf("%d on record, want 5", n)
	}
}

// Two servers on one store promise nothing twice: each finds its places in a
// Book that the other's admissions are not in yet.
func TestDeskBesideAnother(t *testing.T) {
	a, m, now := newDesk(t, 2)
	b := &Server{Store: m, Rules: a.Rules, Now: a.Now, NewID: func() string { return "b" + a.NewID() }}
	b.Handler()
	for i := range 6 {
		for _, s := range []*Server{a, b, b, a} {
			if _, err := s.trySubmit(s.NewID(), hours(1, 22)); err != nil && !problem.Is(err, problem.Infeasible) {
				t.Fatal(err)
			}
		}
		kept(t, a)
		kept(t, b)
		now.Add(int64(i) * 1e6)
	}
}

// A leaf that was seen and rolled back is not taken for the one that came in its
// place.
func TestDeskSeesWhatIsRolledBack(t *testing.T) {
	s, m, _ := newDesk(t, 1)
	a, err := s.trySubmit("a", hours(2, 20))
	if err != nil {
		t.Fatal(err)
	}
	kept(t, s)
	if err := m.System().Update(t.Context(), func(tx store.SystemTx) error {
		if _, err := tx.Append(storetest.Event(audit.SignalRefused)); err != nil {
			return err
		}
		return errors.Join(s.desk.open(s, memoryTx{tx}, s.Now()), errDisk)
	}); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	if err := m.System().Update(t.Context(), func(tx store.SystemTx) error {
		w := a.made
		return errors.Join(tx.For("acme").MoveWorkload(&w, workload.Cancelled, storetest.Event("")), tx.For("acme").DeletePlacement(w.ID))
	}); err != nil {
		t.Fatal(err)
	}
	if n := kept(t, s); n != 0 {
		t.Errorf("%d on record", n)
	}
}

// A clock that was set back: what is admitted then may begin then.
func TestDeskClockSetBack(t *testing.T) {
	s, _, now := newDesk(t, 4)
	if _, err := s.trySubmit("a", hours(1, 20)); err != nil {
		t.Fatal(err)
	}
	now.Store(storetest.Noon.Add(-time.Hour).UnixMicro())
	e, err := s.trySubmit("b", hours(1, 20))
	if err != nil || !e.place.Start().Before(storetest.Noon) {
		t.Errorf("at 11:00 it is admitted to begin at %v: %v", e.place, err)
	}
}

// Of two in one group with one key, the second has its turn if the first is
// refused, and is the same workload if not.
func TestDeskTwins(t *testing.T) {
	s, _, _ := newDesk(t, 4)
	twin := func(id string, faults ...problem.Violation) *entrant {
		e := &entrant{key: id[:1], hash: []byte(id[:1]), who: "token:a", w: hours(1, 20), faults: faults}
		e.w.ID, e.w.State, e.w.Created, e.w.Changed = "wl_"+id, workload.Accepted, s.Now().UTC(), s.Now().UTC()
		return e
	}
	bad, good := twin("a1", problem.Violation{Message: "no"}), twin("a2")
	one, same := twin("b1"), twin("b2")
	refused, next := twin("c1"), twin("c2")
	refused.w.Enclave = "another"
	s.desk.record(s, []*entrant{bad, good, one, same, refused, next})
	if bad.err == nil || good.err != nil || good.repeat || one.err != nil || !same.repeat || same.body.ID != "wl_b1" || refused.err == nil || next.err != nil || next.repeat {
		t.Errorf("%v %v %v %v %v %v", bad.err, good.err, one.err, same.body.ID, refused.err, next.err)
	}
	if n := kept(t, s); n != 3 {
		t.Errorf("%d on record, want 3", n)
	}
}

// The desk admits by the prices that were stored a moment ago.
func TestDeskHearsOfPrices(t *testing.T) {
	s, m, _ := newDesk(t, 4)
	zone := storetest.Site("berlin").Zone
	cheap := hours(1, 8)
	cheap.Shape.Objective.Minimize = workload.MinimizeCost
	if _, err := s.trySubmit("before", cheap); err != nil { // now there is a Book
		t.Fatal(err)
	}
	p := storetest.Prices(zone, storetest.Noon, 20, 20, 20, 1, 20, 20, 20, 20, 20)
	if err := m.System().Update(t.Context(), func(tx store.SystemTx) error {
		e := storetest.Event("")
		e.Kind = audit.SignalStored
		_, err := tx.PutPrices([]grid.Prices{p}, e)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	e, err := s.trySubmit("after", cheap)
	if err != nil {
		t.Fatal(err)
	}
	if at := e.place.Start(); !at.Equal(storetest.Noon.Add(3*time.Hour)) || e.place.Currency != "EUR" {
		t.Errorf("placed at %s for %d %s", at, e.place.Cost, e.place.Currency)
	}
}
