package store

import (
	"database/sql"
	"errors"
	"strconv"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

func (t *tenantTx) Queues() ([]workload.Queue, error) {
	rows, err := t.q.Queues(t.ctx, string(t.tenant))
	if err != nil {
		return nil, t.failed("reading the queues", err)
	}
	return each(rows, queue)
}

func (t *systemTx) Queues() ([]workload.Queue, error) {
	rows, err := t.q.SystemQueues(t.ctx)
	if err != nil {
		return nil, t.failed("reading the queues", err)
	}
	return each(rows, queue)
}

func queue(r db.Queue) (workload.Queue, error) {
	q, err := decode[workload.Queue]("queue "+r.Name, r.Body)
	q.Tenant, q.Name, q.Rev, q.Changed = access.Tenant(r.Tenant), r.Name, r.Rev, instant(r.Changed)
	return q, err
}

func (t *tenantTx) PutQueue(q *workload.Queue, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	if vs := q.Validate(); len(vs) > 0 {
		return problem.With(problem.Invalid, "The queue breaks a rule.", vs...)
	}
	old, err := t.q.Queue(t.ctx, db.QueueParams{Tenant: string(t.tenant), Name: q.Name})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return t.failed("reading queue "+q.Name, err)
	}
	if q.Rev != old.Rev {
		return problem.Errorf(problem.Conflict, "queue %s was changed meanwhile", q.Name)
	}
	next := *q
	next.Tenant = ""
	body, err := encode("a queue", next)
	if err != nil {
		return err
	}
	e = detail(e, "priority", strconv.Itoa(q.Priority), "weight", strconv.Itoa(q.Weight), "guaranteed", strconv.Itoa(q.Guaranteed),
		"most", strconv.Itoa(q.Most), "reserveAhead", q.ReserveAhead.String())
	if _, err := t.record(fact{Event: e, kind: audit.QueueSet, tenant: t.tenant, object: "queue:" + q.Name}); err != nil {
		return err
	}
	q.Tenant, q.Rev, q.Changed = t.tenant, old.Rev+1, instant(usec(e.At))
	return t.failed("keeping queue "+q.Name, t.q.PutQueue(t.ctx, db.PutQueueParams{
		Tenant: string(t.tenant), Name: q.Name, Rev: q.Rev, Changed: usec(e.At), Body: body}))
}

func (t *tenantTx) RemoveQueue(name string, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	n, err := t.q.RemoveQueue(t.ctx, db.RemoveQueueParams{Tenant: string(t.tenant), Name: name})
	return t.removed("queue "+name, n, err, fact{Event: e, kind: audit.QueueRemoved, tenant: t.tenant, object: "queue:" + name})
}

// removed puts on record that something was removed, if it was there.
func (t *tx) removed(what string, n int64, err error, f fact) error {
	if err != nil {
		return t.failed("removing "+what, err)
	}
	if n == 0 {
		return missing(what, nil)
	}
	_, err = t.record(f)
	return t.spoil(err)
}

func (t *tenantTx) Budgets() ([]budget.Budget, error) {
	rows, err := t.q.Budgets(t.ctx, string(t.tenant))
	if err != nil {
		return nil, t.failed("reading the budgets", err)
	}
	return each(rows, budgetOf)
}

func (t *systemTx) Budgets() ([]budget.Budget, error) {
	rows, err := t.q.SystemBudgets(t.ctx)
	if err != nil {
		return nil, t.failed("reading the budgets", err)
	}
	return each(rows, budgetOf)
}

func budgetOf(r db.Budget) (budget.Budget, error) {
	b, err := decode[budget.Budget]("budget "+r.Name, r.Body)
	b.Tenant, b.Name, b.Rev, b.Changed = access.Tenant(r.Tenant), r.Name, r.Rev, instant(r.Changed)
	return b, err
}

func (t *tenantTx) PutBudget(b *budget.Budget, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	if vs := b.Validate(); len(vs) > 0 {
		return problem.With(problem.Invalid, "The budget breaks a rule.", vs...)
	}
	old, err := t.q.Budget(t.ctx, db.BudgetParams{Tenant: string(t.tenant), Name: b.Name})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return t.failed("reading budget "+b.Name, err)
	}
	if b.Rev != old.Rev {
		return problem.Errorf(problem.Conflict, "budget %s was changed meanwhile", b.Name)
	}
	next := *b
	next.Tenant = ""
	body, err := encode("a budget", next)
	if err != nil {
		return err
	}
	e = detail(e, "measure", string(b.Measure), "limit", b.Say(b.Limit), "period", string(b.Period), "then", string(b.Then), "queue", b.Queue)
	if _, err := t.record(fact{Event: e, kind: audit.BudgetSet, tenant: t.tenant, object: "budget:" + b.Name}); err != nil {
		return err
	}
	b.Tenant, b.Rev, b.Changed = t.tenant, old.Rev+1, instant(usec(e.At))
	return t.failed("keeping budget "+b.Name, t.q.PutBudget(t.ctx, db.PutBudgetParams{
		Tenant: string(t.tenant), Name: b.Name, Rev: b.Rev, Changed: usec(e.At), Body: body}))
}

func (t *tenantTx) RemoveBudget(name string, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	n, err := t.q.RemoveBudget(t.ctx, db.RemoveBudgetParams{Tenant: string(t.tenant), Name: name})
	return t.removed("budget "+name, n, err, fact{Event: e, kind: audit.BudgetRemoved, tenant: t.tenant, object: "budget:" + name})
}

func (t *tenantTx) EntriesFrom(hour time.Time, after int64, limit int) ([]LedgerLine, error) {
	rows, err := t.q.LedgerEntriesFrom(t.ctx, db.LedgerEntriesFromParams{Tenant: string(t.tenant), First: usec(hour), After: after, Most: page(limit)})
	if err != nil {
		return nil, t.failed("reading the ledger from an hour on", err)
	}
	return each(rows, func(r db.LedgerEntriesFromRow) (LedgerLine, error) { return line(t.tenant, r.Idx, r.Sealed) })
}
