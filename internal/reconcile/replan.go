package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
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
	// movesAtOnce is how many placements one transaction changes: others write
	// too. A plan with more is carried over in parts.
	movesAtOnce = 256
	// certifyEvery is how often a plan that changes nothing is certified at most.
	certifyEvery = time.Minute
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
	proof   *plan.Packed // of next, until it is on record; nil if there is none
	changed []plan.Placement
	// moved says that the plan as a whole no longer holds: another one is in
	// force, a site has changed, or something has happened to what it moves.
	moved bool
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
	if len(d.changed) == 0 && now.Sub(l.certified) < certifyEvery {
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

	// A plan that cannot be proven is still one: promises do not wait for a figure.
	if packed, err := plan.NewProof(d.snap, d.next).Pack(); err == nil {
		d.proof = &packed
	} else {
		l.logger().Warn("a plan has no proof", "plan", d.next.ID, "err", err)
	}
	if len(d.changed) == 0 {
		l.behind = 0
		l.planned, err = l.certify(ctx, d)
		return err
	}

	// 4. Commit. If we crash before this, nothing has happened. If we crash
	// after it, the next step starts from the new plan: nothing to repair.
	left, err := l.commit(ctx, d)
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
	l.decideBy(d, func(s plan.Snapshot) plan.Plan { return plan.ComputeWith(s, plan.Options{Par: par}) })
}

func (l *Loop) decideBy(d *decision, by func(plan.Snapshot) plan.Plan) {
	d.snap = plan.Observe(d.world, l.Rules)
	if l.Expect {
		l.memory.see(d.world.Open, d.world.Now)
		d.snap.Expected = plan.Expect(l.memory.past, d.world.Now, l.Rules.Horizon)
	}
	d.next = by(d.snap)
	before := map[string]*plan.Placement{}
	for i, p := range d.world.Placements {
		before[p.Workload] = &d.world.Placements[i]
	}
	for _, p := range d.next.Placements {
		if old := before[p.Workload]; old == nil || !plan.Serves(*old, p, d.world.Now, l.Rules.Step) {
			d.changed = append(d.changed, p)
		}
	}
}

// certify keeps the proof of a plan that changes nothing, so that it is known
// how good the one in force is by now. It returns how the world stands after it:
// that it is certified is nothing that a plan has to answer to.
func (l *Loop) certify(ctx context.Context, d decision) (after planned, err error) {
	l.certified = d.world.Now
	if d.proof == nil {
		return d.looked, nil
	}
	err = l.Store.Update(ctx, func(tx Tx) error {
		if err := tx.CheckLead(lease, l.Epoch()); err != nil {
			return err
		}
		if err := tx.PutPlanProof(*d.proof); err != nil {
			return err
		}
		if err := tx.SetPlan(d.world.Parent, d.world.Parent, d.world.Now, audit.Event{
			At: d.world.Now, Actor: actor, Kind: audit.PlanCertified, Detail: proven(d.proof)}); err != nil {
			return err
		}
		after, err = l.look(tx, d.world.Now)
		return err
	})
	switch {
	case errors.Is(err, plan.ErrStale):
		return d.looked, nil // something is new; the next plan says how good it is
	case err != nil || after.last != d.looked.last+1:
		return d.looked, err // something else has happened meanwhile
	}
	return after, nil
}

// proven is what goes on record of a proof.
func proven(p *plan.Packed) map[string]string {
	return map[string]string{"decided": p.Plan, "proof": p.Digest, "carbonMg": fmt.Sprint(int64(p.Carbon)), "boundMg": fmt.Sprint(int64(p.Bound))}
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

// commit brings into force what holds of a plan in the world as it is by now,
// and returns how many moves that should have been made were not.
func (l *Loop) commit(ctx context.Context, d decision) (left int, err error) {
	all := d.changed
	d.moved = len(all) > movesAtOnce
	for d.changed = range slices.Chunk(all, movesAtOnce) {
		// Most of what has happened is read before others have to wait.
		err := l.Store.View(ctx, func(tx Tx) (err error) {
			d, err = l.catchUp(tx, d, math.MaxInt)
			return err
		})
		if err != nil {
			return left, err
		}
		var rest []plan.Placement
		var put bool
		err = l.Store.Update(ctx, func(tx Tx) (err error) {
			rest, put, err = l.commitPart(tx, d)
			return err
		})
		if errors.Is(err, plan.ErrStale) {
			rest = d.changed // too much happened in no time
		} else if err != nil {
			return left, err
		}
		left += len(rest)
		if put && err == nil && d.proof != nil {
			d.proof, l.certified = nil, d.world.Now // it is kept with the first part that holds
		}
	}
	return left, nil
}

// commitPart is the transaction of commit. It returns what was not moved, and
// whether anything was.
func (l *Loop) commitPart(tx Tx, d decision) (left []plan.Placement, put bool, err error) {
	if err := tx.CheckLead(lease, l.Epoch()); err != nil {
		return nil, false, err
	}
	if d, err = l.catchUp(tx, d, 1); err != nil {
		return nil, false, err
	}
	next := d.next
	next.Placements = d.changed
	if d.moved {
		// On the forecasts that it was decided on: newer ones are the next plan's.
		next, left = plan.Carry(plan.Observe(d.world, l.Rules), d.changed)
	}
	if len(next.Placements) == 0 {
		return left, false, nil
	}
	return left, true, l.put(tx, next, d.proof, d.world.Now)
}

// catchUp returns a decision with its world as it is by now, at the cost of what
// has happened since; plan.ErrStale, if that is more than so many pages.
func (l *Loop) catchUp(tx Tx, d decision, pages int) (decision, error) {
	touched := map[string]bool{}
	sites := false
	for n := pageOfChanges; n == pageOfChanges; pages-- {
		if pages == 0 {
			return d, plan.ErrStale
		}
		news, err := tx.Changes(d.looked.last + 1)
		if err != nil {
			return d, err
		}
		n = len(news)
		for _, c := range news {
			d.looked.last = c.Index
			switch c.Kind {
			case audit.PlanCommitted:
				d.world.Parent, d.moved = strings.TrimPrefix(c.Object, "plan:"), true
			case audit.SiteRegistered, audit.SiteSeen:
				sites, d.moved = true, true
			}
			if c.Workload != "" && c.Kind != audit.LedgerEntry {
				touched[c.Workload] = true
			}
		}
	}
	if sites {
		var err error
		if d.world.Sites, err = l.sites(tx, d.world.Now); err != nil {
			return d, err
		}
	}
	if len(touched) == 0 {
		return d, nil
	}
	return l.reread(tx, d, touched)
}

// reread returns a decision in whose world these workloads are as they are now.
func (l *Loop) reread(tx Tx, d decision, touched map[string]bool) (decision, error) {
	var w plan.World
	for _, wl := range d.world.Open {
		if !touched[wl.ID] {
			w.Open = append(w.Open, wl)
		}
	}
	for _, a := range d.world.Attempts {
		if !touched[a.Workload] {
			w.Attempts = append(w.Attempts, a)
		}
	}
	for _, p := range d.world.Placements {
		if !touched[p.Workload] {
			w.Placements = append(w.Placements, p)
		}
	}
	ended := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		wl, err := tx.Workload(id)
		if err != nil {
			return d, err
		}
		if ended[id] = wl.State.Terminal(); ended[id] {
			continue
		}
		t := tx.For(wl.Tenant)
		attempts, err := t.Attempts(id)
		if err != nil {
			return d, err
		}
		p, placed, err := t.Placement(id)
		if err != nil {
			return d, err
		}
		w.Open = append(w.Open, wl)
		if n := len(attempts); n > 0 && attempts[n-1].State.Live() {
			w.Attempts = append(w.Attempts, attempts[n-1])
		}
		if placed {
			w.Placements = append(w.Placements, p)
		}
	}
	d.world.Open, d.world.Attempts, d.world.Placements = w.Open, w.Attempts, w.Placements
	changed := d.changed
	d.changed = nil
	for _, p := range changed {
		if ended[p.Workload] {
			continue // its place is free
		}
		d.changed = append(d.changed, p)
		d.moved = d.moved || touched[p.Workload]
	}
	return d, nil
}

// put brings a plan into force, and with it the placements that it changes; and
// keeps the proof of what was decided, whose digest and bound go on record.
func (l *Loop) put(tx Tx, p plan.Plan, proof *plan.Packed, now time.Time) error {
	e := audit.Event{At: now, Actor: actor, Kind: audit.PlanCommitted, Detail: map[string]string{"changed": fmt.Sprint(len(p.Placements))}}
	if proof != nil {
		maps.Copy(e.Detail, proven(proof))
		if err := tx.PutPlanProof(*proof); err != nil {
			return err
		}
	}
	if err := tx.SetPlan(p.Parent, p.ID, now, e); err != nil {
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
		l.decideBy(&d, plan.InTurn) // everybody waits: there is no time for prices
		if len(d.changed) == 0 {
			return nil
		}
		if broken := plan.Check(d.snap, d.next); broken != nil {
			return l.refuse(tx, d, broken)
		}
		d.next.Placements = d.changed
		return l.put(tx, d.next, nil, now)
	})
	if err != nil {
		return fmt.Errorf("plan inside: %w", err)
	}
	l.behind = 0
	return nil
}
