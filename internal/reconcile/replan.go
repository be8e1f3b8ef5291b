package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/plan"
)

const (
	// behindMost is how many plans in a row may leave something where it was,
	// before the next one is made while others wait for it.
	behindMost = 3
	// insideMost is the number of open workloads up to which that is done.
	insideMost = 256
	// pageOfChanges is how many changes one read brings at most.
	pageOfChanges = 1000
)

// planned is the world that was planned last, as far as it takes to know it
// again: the newest change on record, which sites were silent, and when.
type planned struct {
	last int64
	down string
	at   time.Time
}

// same reports whether nothing has happened since that a plan could answer to.
// What time alone changes, a slot is soon enough for.
func (p planned) same(now planned, step time.Duration) bool {
	return p.last == now.last && p.down == now.down && now.at.Sub(p.at) < step && !now.at.Before(p.at)
}

// look returns how the world stands, in the few words of planned.
func (l *Loop) look(tx Tx, now time.Time) (planned, error) {
	p := planned{at: now}
	c, err := tx.LastChange()
	if err != nil {
		return p, err
	}
	p.last = c.Index
	stations, err := tx.Sites()
	for _, st := range stations {
		if now.Sub(st.Seen) > l.Silence {
			p.down += st.ID + " "
		}
	}
	return p, err
}

// decision is a plan and what it was made of.
type decision struct {
	world   plan.World
	looked  planned
	snap    plan.Snapshot
	next    plan.Plan
	changed []plan.Placement
}

// replan observes, decides, doubts and commits. The plan is made beside the
// writer, so that nobody waits for it; what happens meanwhile does not void it.
func (l *Loop) replan(ctx context.Context, now time.Time) error {
	// 1. Observe.
	var d decision
	err := l.Store.View(ctx, func(tx Tx) (err error) {
		if d.looked, err = l.look(tx, now); err != nil || l.planned.same(d.looked, l.Rules.Step) {
			return err
		}
		d.world, err = l.world(tx, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	if len(d.world.Open) == 0 {
		return nil
	}
	if l.behind >= behindMost && len(d.world.Open) <= insideMost {
		return l.replanInside(ctx, now)
	}

	// 2. Decide.
	l.decide(&d)
	if len(d.changed) == 0 {
		l.planned, l.behind = d.looked, 0
		return nil
	}

	// 3. Doubt. A plan that breaks a promise is our bug: keep the old one,
	// put it on record, and let everything that is under way go on.
	if broken := plan.Check(d.snap, d.next); broken != nil {
		err := l.Store.Update(ctx, func(tx Tx) error { return l.refuse(tx, d, broken) })
		if errors.Is(err, plan.ErrStale) {
			return nil // a submission was faster; the next step doubts again
		}
		return err
	}

	// 4. Commit. If we crash before this, nothing has happened. If we crash
	// after it, the next step starts from the new plan: nothing to repair.
	left := 0
	err = l.Store.Update(ctx, func(tx Tx) (err error) {
		left, err = l.commit(tx, d)
		return err
	})
	if err != nil {
		return fmt.Errorf("commit plan: %w", err)
	}
	if l.behind++; left == 0 {
		l.behind = 0
	}
	return nil
}

// decide makes the plan for the world of d.
func (l *Loop) decide(d *decision) {
	d.snap = plan.Observe(d.world, l.Rules)
	d.next = plan.Compute(d.snap)
	before := map[string]*plan.Placement{}
	for i, p := range d.world.Placements {
		before[p.Workload] = &d.world.Placements[i]
	}
	for _, p := range d.next.Placements {
		if old := before[p.Workload]; old == nil || !plan.Same(*old, p) {
			d.changed = append(d.changed, p)
		}
	}
}

// refuse puts a plan on record that broke a promise.
func (l *Loop) refuse(tx Tx, d decision, broken error) error {
	l.logger().Error("plan refused by its check", "plan", d.next.ID, "err", broken)
	if err := tx.CheckLead(lease, l.Epoch()); err != nil {
		return err
	}
	return tx.SetPlan(d.world.Parent, d.world.Parent, d.world.Now, audit.Event{
		At: d.world.Now, Actor: actor, Kind: audit.PlanRefused, Detail: map[string]string{"plan": d.next.ID, "why": broken.Error()},
	})
}

// commit brings into force what holds of a plan in the world as it is in this
// transaction, and returns how many moves that should have been made were not.
func (l *Loop) commit(tx Tx, d decision) (left int, err error) {
	if err := tx.CheckLead(lease, l.Epoch()); err != nil {
		return 0, err
	}
	next, holds, err := l.holds(tx, d)
	if err != nil {
		return 0, err
	}
	if !holds {
		w, err := l.world(tx, d.world.Now)
		if err != nil {
			return 0, err
		}
		w.Forecasts = d.world.Forecasts // what it was decided on; what is newer is the next plan's
		p, rest := plan.Carry(plan.Observe(w, l.Rules), next.Placements)
		next, left = p, len(rest)
	}
	if len(next.Placements) == 0 {
		return left, nil
	}
	return left, l.put(tx, next, d.world.Now)
}

// holds returns the changes of a plan without what has ended since it was begun,
// and whether they hold: whether it still follows the plan in force, the sites
// are as they were, and nothing has happened to what it moves but its end.
func (l *Loop) holds(tx Tx, d decision) (plan.Plan, bool, error) {
	p := d.next
	p.Placements = d.changed
	news, err := tx.Changes(d.looked.last + 1)
	if err != nil || len(news) >= pageOfChanges {
		return p, false, err
	}
	touched := map[string]bool{}
	for _, c := range news {
		switch c.Kind {
		case audit.PlanCommitted, audit.SiteRegistered, audit.SiteSeen:
			return p, false, nil
		}
		touched[c.Workload] = true
	}
	p.Placements = nil
	for _, pl := range d.changed {
		if touched[pl.Workload] {
			w, err := tx.Workload(pl.Workload)
			if err != nil {
				return p, false, err
			}
			if w.State.Terminal() {
				continue // its place is free
			}
			p.Placements = d.changed
			return p, false, nil
		}
		p.Placements = append(p.Placements, pl)
	}
	return p, true, nil
}

// put brings a plan into force, and with it the placements that it changes.
func (l *Loop) put(tx Tx, p plan.Plan, now time.Time) error {
	err := tx.SetPlan(p.Parent, p.ID, now, audit.Event{
		At: now, Actor: actor, Kind: audit.PlanCommitted, Detail: map[string]string{"changed": fmt.Sprint(len(p.Placements))},
	})
	if err != nil {
		return err
	}
	for _, pl := range p.Placements {
		w, err := tx.Workload(pl.Workload)
		if err != nil {
			return err
		}
		if err := tx.For(w.Tenant).PutPlacement(pl, p.ID, event(audit.WorkloadPlaced, now)); err != nil {
			return err
		}
	}
	return nil
}

// replanInside does all of it in one transaction, in which nothing else can
// happen: for moves that must be made together, and were not for a while.
func (l *Loop) replanInside(ctx context.Context, now time.Time) error {
	err := l.Store.Update(ctx, func(tx Tx) (err error) {
		if err := tx.CheckLead(lease, l.Epoch()); err != nil {
			return err
		}
		var d decision
		if d.world, err = l.world(tx, now); err != nil {
			return err
		}
		l.decide(&d)
		if len(d.changed) == 0 {
			return nil
		}
		if broken := plan.Check(d.snap, d.next); broken != nil {
			return l.refuse(tx, d, broken)
		}
		d.next.Placements = d.changed
		return l.put(tx, d.next, now)
	})
	if err != nil {
		return fmt.Errorf("plan inside: %w", err)
	}
	l.behind = 0
	return nil
}
