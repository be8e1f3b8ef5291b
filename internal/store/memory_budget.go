package store

import (
	"context"

	"clusy.io/clusy/internal/store/db"
)

func (r *rows) PutQueue(_ context.Context, p db.PutQueueParams) error {
	if p.Tenant == "" || p.Rev < 1 {
		return check
	}
	r.queues.put(key{a: p.Tenant, b: p.Name}, db.Queue(p))
	return nil
}

func (r *rows) Queue(_ context.Context, p db.QueueParams) (db.Queue, error) {
	return one(r.queues.get(key{a: p.Tenant, b: p.Name}))
}

func (r *rows) Queues(_ context.Context, tenant string) (qs []db.Queue, _ error) {
	for _, q := range r.queues.all() {
		if q.Tenant == tenant {
			qs = append(qs, q)
		}
	}
	return qs, nil
}

func (r *rows) SystemQueues(context.Context) ([]db.Queue, error) { return values(&r.queues), nil }

func (r *rows) RemoveQueue(_ context.Context, p db.RemoveQueueParams) (int64, error) {
	return strike(&r.queues, key{a: p.Tenant, b: p.Name})
}

func (r *rows) PutBudget(_ context.Context, p db.PutBudgetParams) error {
	if p.Tenant == "" || p.Rev < 1 {
		return check
	}
	r.budgets.put(key{a: p.Tenant, b: p.Name}, db.Budget(p))
	return nil
}

func (r *rows) Budget(_ context.Context, p db.BudgetParams) (db.Budget, error) {
	return one(r.budgets.get(key{a: p.Tenant, b: p.Name}))
}

func (r *rows) Budgets(_ context.Context, tenant string) (bs []db.Budget, _ error) {
	for _, b := range r.budgets.all() {
		if b.Tenant == tenant {
			bs = append(bs, b)
		}
	}
	return bs, nil
}

func (r *rows) SystemBudgets(context.Context) ([]db.Budget, error) { return values(&r.budgets), nil }

func (r *rows) RemoveBudget(_ context.Context, p db.RemoveBudgetParams) (int64, error) {
	return strike(&r.budgets, key{a: p.Tenant, b: p.Name})
}

// strike removes a row, and returns how many there were.
func strike[V any](t *table[V], k key) (int64, error) {
	if !t.has(k) {
		return 0, nil
	}
	t.remove(k)
	return 1, nil
}

func (r *rows) LedgerEntriesFrom(_ context.Context, p db.LedgerEntriesFromParams) (es []db.LedgerEntriesFromRow, _ error) {
	for k, e := range r.entries.after(key{n: p.After}) {
		if len(es) == int(p.Most) {
			break
		}
		if e.Tenant == p.Tenant && e.Hour >= p.First {
			l, _ := r.leaves.get(k)
			es = append(es, db.LedgerEntriesFromRow{Idx: l.Idx, Sealed: l.Sealed})
		}
	}
	return es, nil
}
