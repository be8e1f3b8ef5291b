package storetest

import (
	"errors"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// Queue returns a queue that is not set up yet.
func Queue(name string) workload.Queue {
	q := workload.UsualQueue(name)
	q.Weight, q.Guaranteed, q.Most = 3, 200, 500
	return q
}

// Budget returns a budget that is not set yet.
func Budget(name string) budget.Budget {
	return budget.Budget{Name: name, Measure: budget.Carbon, Limit: 5_000_000, Period: budget.Month, Then: budget.Hold}
}

// budgets: queues and budgets are kept as they were set, change only who looked
// at them last, and each change of them is on record.
func budgets(t *testing.T, d store.DB) {
	q, b := Queue("night"), Budget("team")
	b.Queue, b.Offset = "night", -3*time.Hour
	update(t, d, acme, func(tx store.TenantTx) error {
		return errors.Join(tx.PutQueue(&q, Event("")), tx.PutBudget(&b, Event("")))
	})
	if q.Rev != 1 || q.Tenant != acme || b.Rev != 1 || b.Tenant != acme {
		t.Errorf("they were stored as %+v and %+v", q, b)
	}
	stale, old := q, b
	q.Weight, b.Limit, b.Exceeded = 7, 6_000_000, Noon
	more := Queue("day")
	update(t, d, acme, func(tx store.TenantTx) error {
		return errors.Join(tx.PutQueue(&q, Event("")), tx.PutBudget(&b, Event(audit.BudgetExceeded)), tx.PutQueue(&more, Event("")))
	})
	update(t, d, acme, func(tx store.TenantTx) error {
		if err := tx.PutQueue(&stale, Event("")); !problem.Is(err, problem.Conflict) {
			t.Errorf("an old queue is written: %v", err)
		}
		if err := tx.PutBudget(&old, Event("")); !problem.Is(err, problem.Conflict) {
			t.Errorf("an old budget is written: %v", err)
		}
		bad, worse := Queue("Night Shift"), Budget("team")
		worse.Then = "shrug"
		if err := tx.PutQueue(&bad, Event("")); !problem.Is(err, problem.Invalid) {
			t.Errorf("a queue of no name is kept: %v", err)
		}
		if err := tx.PutBudget(&worse, Event("")); !problem.Is(err, problem.Invalid) {
			t.Errorf("a budget without a consequence is kept: %v", err)
		}
		return nil
	})
	theirs := Queue("night")
	update(t, d, umbr, func(tx store.TenantTx) error { return tx.PutQueue(&theirs, Event("")) })
	look(t, d, func(tx store.SystemTx) error {
		qs, err := tx.Queues()
		bs, err2 := tx.Budgets()
		equal(t, "all queues", qs, []workload.Queue{more, q, theirs})
		equal(t, "all budgets", bs, []budget.Budget{b})
		return errors.Join(err, err2)
	})
	update(t, d, acme, func(tx store.TenantTx) error {
		return errors.Join(tx.RemoveQueue("night", Event("")), tx.RemoveBudget("team", Event("")))
	})
	view(t, d, acme, func(tx store.TenantTx) error {
		qs, err := tx.Queues()
		bs, err2 := tx.Budgets()
		equal(t, "queues", qs, []workload.Queue{more})
		equal(t, "budgets", len(bs), 0)
		var kinds []audit.Kind
		es, err3 := tx.Events(store.EventFilter{After: -1})
		for _, e := range es {
			if e.Event.Object == "queue:night" || e.Event.Object == "budget:team" {
				kinds = append(kinds, e.Event.Kind)
			}
		}
		equal(t, "record", kinds, []audit.Kind{audit.QueueSet, audit.BudgetSet, audit.QueueSet, audit.BudgetExceeded, audit.QueueRemoved, audit.BudgetRemoved})
		return errors.Join(err, err2, err3)
	})

	// What was spent is read by the hour.
	w, _, entry := metered(t, d, acme, 1)
	_ = w
	update(t, d, acme, func(tx store.TenantTx) error { _, err := tx.AppendEntry(entry); return err })
	view(t, d, acme, func(tx store.TenantTx) error {
		hour := entry.Meter.Hour
		from, err := tx.EntriesFrom(hour, -1, 0)
		past, err2 := tx.EntriesFrom(hour.Add(time.Hour), -1, 0)
		equal(t, "entries from its hour on", len(from), 1)
		equal(t, "entries from the next hour on", len(past), 0)
		if len(from) == 1 {
			after, err := tx.EntriesFrom(hour, from[0].Index, 0)
			equal(t, "entries after it", len(after), 0)
			err2 = errors.Join(err2, err)
		}
		return errors.Join(err, err2)
	})
	sound(t, d)
}
