package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// wholeTries is how often a whole plan is made for one submission, if others
// come in between each time.
const wholeTries = 4

// long admits e by a whole plan, which may move what is promised to others, or
// refuses it. The plan is made beside the writer, so that nobody waits for it;
// if the plan in force has changed meanwhile, it is made again.
func (d *desk) long(ctx context.Context, s *Server, e *entrant) error {
	select {
	case s.whole() <- struct{}{}:
		defer func() { <-s.whole() }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for range wholeTries {
		err := d.longOnce(ctx, s, e)
		if !errors.Is(err, plan.ErrStale) {
			return err
		}
	}
	return problem.Errorf(problem.Unready, "So many others are being admitted that no plan for all of them could be made: send it again in a second, with the same Idempotency-Key.")
}

func (s *Server) whole() chan struct{} {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	if s.desk.whole == nil {
		s.desk.whole = make(chan struct{}, 1)
	}
	return s.desk.whole
}

func (d *desk) longOnce(ctx context.Context, s *Server, e *entrant) error {
	// 1. Plan in a view, for now: it may have waited long for its turn.
	now := s.Now().UTC().Truncate(time.Microsecond)
	var snap plan.Snapshot
	var next plan.Plan
	var purse *budget.Book
	err := s.Store.ViewAll(ctx, func(tx SystemTx) error {
		world, err := world(tx, now)
		if err != nil {
			return err
		}
		e.w.Baseline = baseline(e.w.Shape, world.Sites, e.w.Created)
		snap = plan.Observe(world, s.Rules)
		if err := prerequisites(tx.For(e.w.Tenant), e.w.Shape, "/shape", nil); err != nil {
			return err
		}
		purse, err = tx.Spending(e.w.Tenant, now)
		return err
	})
	if err != nil {
		return err
	}
	next, closed, refused := admitWithin(purse, snap, e.item())
	if refused != nil {
		return infeasible(*refused)
	}
	e.closed = closed
	snap.Items = append(snap.Items, e.item())
	if err := plan.Check(snap, next); err != nil {
		return fmt.Errorf("admit %s: %w", e.w.ID, err)
	}
	for i := range next.Placements {
		if next.Placements[i].Workload == e.w.ID {
			e.place = &next.Placements[i]
		}
	}
	if e.place == nil {
		return fmt.Errorf("admit %s: it is neither placed nor refused", e.w.ID)
	}

	// 2. Commit, if that view still holds.
	return s.Store.UpdateAll(ctx, func(tx SystemTx) error {
		if known, err := s.repeats(tx, e); err != nil || known {
			return errors.Join(err, e.err)
		}
		if err := prerequisites(tx.For(e.w.Tenant), e.w.Shape, "/shape", nil); err != nil {
			return err
		}
		// What was spent meanwhile is on record without a plan.
		purse, err := tx.Spending(e.w.Tenant, now)
		if err != nil {
			return err
		}
		if purse != nil && len(purse.Over(e.w.ID, e.w.Shape, *e.place, budget.Hold)) > 0 {
			return plan.ErrStale
		}
		if purse != nil {
			err = tell(tx, map[access.Tenant]*budget.Book{e.w.Tenant: purse}, []*entrant{e}, now)
		}
		if err != nil {
			return err
		}
		if err := s.moveOthers(tx, snap, next, e.who, now, func(id string) bool { return id == e.w.ID }); err != nil {
			return err
		}
		return e.write(tx.For(e.w.Tenant), next.ID)
	})
}

// moveOthers brings next into force, and with it what it changes for those that
// were there before. It is plan.ErrStale if one of them has begun meanwhile.
func (s *Server) moveOthers(tx SystemTx, snap plan.Snapshot, next plan.Plan, who access.Principal, now time.Time, isNew func(string) bool) error {
	changed := moved(snap, next)
	if err := tx.SetPlan(next.Parent, next.ID, now, audit.Event{
		At: now, Actor: who, Kind: audit.PlanCommitted, Detail: map[string]string{"changed": fmt.Sprint(len(changed))},
	}); err != nil {
		return err
	}
	for _, p := range changed {
		if isNew(p.Workload) {
			continue
		}
		w, err := tx.Workload(p.Workload)
		if err != nil {
			return err
		}
		if w.State.Terminal() {
			continue // it ended meanwhile: its place is free
		}
		if begun, err := hasBegun(tx, w, snap); err != nil || begun {
			return cmp.Or(err, plan.ErrStale)
		}
		if err := tx.For(w.Tenant).PutPlacement(p, next.ID, audit.Event{At: now, Actor: who, Kind: audit.WorkloadPlaced}); err != nil {
			return err
		}
	}
	return nil
}

// hasBegun reports whether a site has taken w, or begun to run it, since the
// snapshot: such steps change no plan, and a plan must not move it any more.
func hasBegun(tx SystemTx, w workload.Workload, snap plan.Snapshot) (bool, error) {
	attempts, err := tx.For(w.Tenant).Attempts(w.ID)
	if err != nil || len(attempts) == 0 {
		return false, err
	}
	i := slices.IndexFunc(snap.Items, func(it plan.Item) bool { return it.ID == w.ID })
	if i < 0 {
		return true, nil
	}
	a, it := attempts[len(attempts)-1], snap.Items[i]
	return a.State.Live() && (a.Site != it.Pinned || a.RunSince.IsZero() == it.Running), nil
}

// moved returns the placements of next that are not as before.
func moved(snap plan.Snapshot, next plan.Plan) (out []plan.Placement) {
	before := map[string]*plan.Placement{}
	for _, it := range snap.Items {
		before[it.ID] = it.Placement
	}
	for _, p := range next.Placements {
		if old := before[p.Workload]; old == nil || !plan.Same(*old, p) {
			out = append(out, p)
		}
	}
	return out
}
