package store

import (
	"database/sql"
	"errors"

	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

func (t *tenantTx) History(class string) (workload.History, error) {
	r, err := t.q.Class(t.ctx, db.ClassParams{Tenant: string(t.tenant), Class: class})
	if errors.Is(err, sql.ErrNoRows) {
		return workload.History{}, problem.Errorf(problem.NotFound, "no work of class %q has ended yet", class)
	}
	if err != nil {
		return workload.History{}, t.failed("reading the runs of class "+class, err)
	}
	return history(r)
}

func (t *tenantTx) Histories(after string, limit int) ([]workload.History, error) {
	rows, err := t.q.Classes(t.ctx, db.ClassesParams{Tenant: string(t.tenant), Class: after, Most: page(limit)})
	if err != nil {
		return nil, t.failed("reading the classes", err)
	}
	return each(rows, history)
}

func (t *tenantTx) PutHistory(h workload.History) error {
	if err := t.writable(); err != nil {
		return err
	}
	if !workload.ValidClass(h.Class) || len(h.Runs) == 0 || len(h.Runs) > workload.MostRuns {
		return problem.Errorf(problem.Invalid, "a history needs the name of a class and 1 to %d runs; it has %q and %d", workload.MostRuns, h.Class, len(h.Runs))
	}
	runs, err := encode("the runs of a class", h.Runs)
	if err != nil {
		return err
	}
	if err := t.failed("keeping the runs of class "+h.Class, t.q.PutClass(t.ctx, db.PutClassParams{
		Tenant: string(t.tenant), Class: h.Class, Last: usec(h.Runs[len(h.Runs)-1].At), Runs: runs})); err != nil {
		return err
	}
	past, err := t.q.ClassesPast(t.ctx, db.ClassesPastParams{Tenant: string(t.tenant), Keep: workload.MostClasses, Most: MaxPage})
	if err != nil {
		return t.failed("looking for classes that are too many", err)
	}
	for _, class := range past {
		if err := t.q.DropClass(t.ctx, db.DropClassParams{Tenant: string(t.tenant), Class: class}); err != nil {
			return t.failed("dropping class "+class, err)
		}
	}
	return nil
}

func history(r db.Class) (workload.History, error) {
	runs, err := decode[[]workload.Run]("the runs of class "+r.Class, r.Runs)
	return workload.History{Class: r.Class, Runs: runs}, err
}
