package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// Budgets are held against work where it is admitted: in the transaction that
// promises it its place, so that two submissions cannot both take the last of
// one (decision 0001).

// noQueue returns a refusal if a shape names a queue that is not there.
func noQueue(tx TenantTx, shape workload.Shape, prefix string) (refusal, err error) {
	name := shape.QueueOf()
	if name == workload.DefaultQueue {
		return nil, nil
	}
	qs, err := tx.Queues()
	if err != nil {
		return nil, err
	}
	there := []string{workload.DefaultQueue}
	for _, q := range qs {
		if q.Name == name {
			return nil, nil
		}
		if q.Name != workload.DefaultQueue {
			there = append(there, q.Name)
		}
	}
	all := strings.Join(there, ", ")
	return problem.With(problem.Invalid, fmt.Sprintf("There is no queue %q; there are: %s.", name, all), problem.Violation{
		Pointer: prefix + "/queue", Message: "there is no such queue; an admin sets one up with clusy queue set", Value: name, Limit: "one of " + all, Nearest: there[len(there)-1]}), nil
}

// open returns what the budgets of those who enter are held against, by tenant.
func open(tx SystemTx, es []*entrant, now time.Time) (map[access.Tenant]*budget.Book, error) {
	out, seen := map[access.Tenant]*budget.Book{}, map[access.Tenant]bool{}
	for _, e := range es {
		if seen[e.w.Tenant] {
			continue
		}
		seen[e.w.Tenant] = true
		b, err := tx.Spending(e.w.Tenant, now)
		if err != nil {
			return nil, err
		}
		if b != nil {
			out[e.w.Tenant] = b
		}
	}
	return out, nil
}

// afford sees to it that e has a place within its tenant's budgets, and books it
// there. If there is none that the Book can see, it says what becomes of e.
func (d *desk) afford(e *entrant, purse *budget.Book) (err error, ok bool) {
	if purse == nil {
		return nil, true
	}
	first := true
	pl, closed, over, ok := purse.Seek(e.w.ID, e.w.Shape, func(closed []workload.Span) (plan.Placement, bool) {
		if first && e.place != nil && len(closed) <= len(e.closed) {
			first = false
			return *e.place, true
		}
		first = false
		d.leave(e)
		e.closed = closed
		if !d.take(e) {
			return plan.Placement{}, false
		}
		return *e.place, true
	})
	if !ok {
		if err := d.without(e); err == nil || len(over) == 0 {
			return err, false // a whole plan will say
		}
		return infeasible(overBudget(purse, e.item(), over, d.book.Margin(), nil)), false
	}
	if len(closed) > 0 {
		e.closed = closed
	}
	purse.Put(e.w.ID, e.w.Shape, pl)
	return nil, true
}

// admitWithin is plan.Admit within budgets. It returns also what they closed.
func admitWithin(purse *budget.Book, s plan.Snapshot, it plan.Item) (next plan.Plan, closed []workload.Span, refused *plan.Refusal) {
	if purse == nil {
		next, refused = plan.Admit(s, it)
		return next, nil, refused
	}
	seek := func(it plan.Item) ([]workload.Span, []budget.Excess, bool) {
		_, closed, over, ok := purse.Seek(it.ID, it.Shape, func(closed []workload.Span) (plan.Placement, bool) {
			it.Closed = closed
			if next, refused = plan.Admit(s, it); refused != nil {
				return plan.Placement{}, false
			}
			i, _ := slices.BinarySearchFunc(next.Placements, it.ID, func(p plan.Placement, id string) int { return cmp.Compare(p.Workload, id) })
			return next.Placements[i], true
		})
		return closed, over, ok
	}
	closed, over, ok := seek(it)
	switch {
	case ok:
		return next, closed, nil
	case len(over) == 0:
		return next, nil, refused
	}
	r := overBudget(purse, it, over, s.Margin, func(it plan.Item) bool { _, _, ok := seek(it); return ok })
	return plan.Plan{}, nil, &r
}

// overBudget is the refusal of work that no budget has room for before it must
// be complete, with the nearest way out. fits says whether it would be admitted
// otherwise; nil: that is not tried.
func overBudget(purse *budget.Book, it plan.Item, over []budget.Excess, margin time.Duration, fits func(plan.Item) bool) plan.Refusal {
	r := plan.Refusal{Workload: it.ID}
	said, from := map[string]bool{}, time.Time{}
	for _, x := range over {
		b := x.Budget
		if said[b.Name] {
			continue
		}
		said[b.Name] = true
		f := plan.Failed{Field: "when.completeBy", Missing: b.Say(x.Needs - x.Left())}
		until := x.Period.End.UTC().Format(time.RFC3339)
		if !x.Known {
			f.Field, f.Missing = "objective", "a known figure"
			f.Message = fmt.Sprintf("Budget %s is of %s, and what this would take of it is not known: nothing can be shown to stay within it.", b.Name, b.Measure)
			r.Failed = append(r.Failed, f)
			continue
		}
		f.Message = fmt.Sprintf("Budget %s has %s left of %s until %s, and this takes %s.", b.Name, b.Say(max(x.Left(), 0)), b.Say(b.Limit), until, b.Say(x.Needs))
		if next, found := purse.Room(b, x.Period.End, x.Needs); found {
			f.Message += fmt.Sprintf(" There is room for it from %s on.", next.UTC().Format(time.RFC3339))
			if next.After(from) {
				from = next
			}
		} else {
			f.Message += " It is more than the budget has in any period; a larger one is needed."
		}
		r.Failed = append(r.Failed, f)
	}
	if from.IsZero() {
		return r
	}
	need := it.Shape.Duration.Booked() + margin
	later := it
	later.Shape.When.CompleteBy = from.Add(need).UTC().Truncate(time.Minute).Add(15 * time.Minute)
	if fits == nil || !fits(later) {
		for i := range r.Failed {
			if r.Failed[i].Field == "when.completeBy" {
				r.Failed[i].Nearest = "after " + from.Add(need).UTC().Format(time.RFC3339)
			}
		}
		return r
	}
	r.NearestCompleteBy = later.Shape.When.CompleteBy
	for i := range r.Failed {
		if r.Failed[i].Field == "when.completeBy" {
			r.Failed[i].Nearest = r.NearestCompleteBy.Format(time.RFC3339)
		}
	}
	return r
}

// tell puts on record which budgets those who enter exceed, and which will be
// used up: each once in a period.
func tell(tx SystemTx, purses map[access.Tenant]*budget.Book, es []*entrant, now time.Time) error {
	for tenant, purse := range purses {
		purse.Reset()
		who, exceeded := access.Principal("system"), map[string]time.Time{}
		for _, e := range es {
			if e.w.Tenant != tenant || e.place == nil {
				continue
			}
			who = e.who
			for _, then := range []budget.Consequence{budget.Alert, budget.Run} {
				for _, x := range purse.Over(e.w.ID, e.w.Shape, *e.place, then) {
					if x.Known {
						exceeded[x.Budget.Name] = x.Period.Start
					}
				}
			}
			purse.Put(e.w.ID, e.w.Shape, *e.place)
		}
		t := tx.For(tenant)
		for _, b := range purse.Budgets() {
			s := purse.Statement(b, now)
			at, past := exceeded[b.Name]
			detail := map[string]string{"spent": b.Say(s.Spent), "booked": b.Say(s.Booked), "limit": b.Say(b.Limit)}
			switch {
			case b.Then == budget.Alert && past && !b.Exceeded.Equal(at):
				b.Exceeded = at
				detail["period"] = at.Format(time.RFC3339)
				if err := t.PutBudget(&b, audit.Event{At: now, Actor: who, Kind: audit.BudgetExceeded, Detail: detail}); err != nil {
					return err
				}
			case !past && s.Rate > 0 && !s.Exhausted.IsZero() && !b.Foretold.Equal(s.Period.Start):
				b.Foretold = s.Period.Start
				detail["at"] = s.Exhausted.Format(time.RFC3339)
				if err := t.PutBudget(&b, audit.Event{At: now, Actor: who, Kind: audit.BudgetForetold, Detail: detail}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
