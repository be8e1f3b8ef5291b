package store

import (
	"database/sql"
	"errors"
	"slices"

	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

// gather reads what belongs to a page of workloads: in one run of an index, as
// ids are born in the order of time and a page is mostly neighbours. Where too
// much of others lies in between, each workload is read by itself instead.
func gather[R, V any](ids []string, run func(first, last string, most int32) ([]R, error), one func(id string) ([]R, error), of func(R) string, value func(R) (V, error)) (map[string][]V, error) {
	out := map[string][]V{}
	if len(ids) == 0 {
		return out, nil
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	most := 8*len(wanted) + 256
	rows, err := run(slices.Min(ids), slices.Max(ids), int32(most))
	if err != nil {
		return nil, err
	}
	if len(rows) == most {
		rows = rows[:0]
		for id := range wanted {
			more, err := one(id)
			if err != nil {
				return nil, err
			}
			rows = append(rows, more...)
		}
	}
	for _, r := range rows {
		id := of(r)
		if !wanted[id] {
			continue
		}
		v, err := value(r)
		if err != nil {
			return nil, err
		}
		out[id] = append(out[id], v)
	}
	return out, nil
}

func (t *tenantTx) AttemptsOf(ids []string) (map[string][]workload.Attempt, error) {
	who := string(t.tenant)
	out, err := gather(ids, func(first, last string, most int32) ([]db.Attempt, error) {
		return t.q.AttemptsBetween(t.ctx, db.AttemptsBetweenParams{Tenant: who, First: first, Last: last, Most: most})
	}, func(id string) ([]db.Attempt, error) {
		return t.q.Attempts(t.ctx, db.AttemptsParams{Tenant: who, Workload: id})
	}, func(r db.Attempt) string { return r.Workload }, attempt)
	return out, t.failed("reading the attempts of a page", err)
}

func (t *tenantTx) DecidedOf(ids []string) (map[string]plan.Placement, error) {
	who := string(t.tenant)
	inForce, err := gather(ids, func(first, last string, most int32) ([]db.PlacementsBetweenRow, error) {
		return t.q.PlacementsBetween(t.ctx, db.PlacementsBetweenParams{Tenant: who, First: first, Last: last, Most: most})
	}, func(id string) ([]db.PlacementsBetweenRow, error) {
		body, err := t.q.Placement(t.ctx, db.PlacementParams{Tenant: who, Workload: id})
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return []db.PlacementsBetweenRow{{Workload: id, Body: body}}, err
	}, func(r db.PlacementsBetweenRow) string { return r.Workload },
		func(r db.PlacementsBetweenRow) (plan.Placement, error) { return t.memo.placement(r.Body) })
	if err != nil {
		return nil, t.failed("reading the placements of a page", err)
	}
	out := make(map[string]plan.Placement, len(ids))
	for _, id := range ids {
		if p := inForce[id]; len(p) > 0 {
			out[id] = p[0]
			continue
		}
		body, err := t.q.LastDecision(t.ctx, db.LastDecisionParams{Tenant: who, Workload: id})
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, t.failed("reading the last decision on workload "+id, err)
		}
		if out[id], err = t.memo.placement(body); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *tenantTx) EntriesOf(ids []string) (map[string][]LedgerLine, error) {
	who := string(t.tenant)
	out, err := gather(ids, func(first, last string, most int32) ([]db.LedgerEntriesBetweenRow, error) {
		return t.q.LedgerEntriesBetween(t.ctx, db.LedgerEntriesBetweenParams{Tenant: who, First: first, Last: last, Most: most})
	}, func(id string) ([]db.LedgerEntriesBetweenRow, error) {
		rows, err := t.q.WorkloadLedgerEntries(t.ctx, db.WorkloadLedgerEntriesParams{Tenant: who, Workload: id, Idx: -1, Most: MaxPage})
		out := make([]db.LedgerEntriesBetweenRow, len(rows))
		for i, r := range rows {
			out[i] = db.LedgerEntriesBetweenRow{Workload: id, Idx: r.Idx, Sealed: r.Sealed}
		}
		return out, err
	}, func(r db.LedgerEntriesBetweenRow) string { return r.Workload },
		func(r db.LedgerEntriesBetweenRow) (LedgerLine, error) { return line(t.tenant, r.Idx, r.Sealed) })
	return out, t.failed("reading the ledger of a page", err)
}

func (t *tenantTx) MetersOf(ids []string) (map[string][]ledger.Meter, error) {
	who := string(t.tenant)
	out, err := gather(ids, func(first, last string, most int32) ([]db.Meter, error) {
		return t.q.MetersBetween(t.ctx, db.MetersBetweenParams{Tenant: who, First: first, Last: last, Most: most})
	}, func(id string) ([]db.Meter, error) {
		return t.q.Meters(t.ctx, db.MetersParams{Tenant: who, Workload: id})
	}, func(r db.Meter) string { return r.Workload }, meter)
	return out, t.failed("reading the meters of a page", err)
}
