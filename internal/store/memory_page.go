package store

import (
	"context"
	"database/sql"
	"iter"
	"math"

	"clusy.io/clusy/internal/store/db"
)

// between gives the rows of a table whose keys begin with a workload from
// first to last.
func between[V any](t *table[V], first, last string) iter.Seq2[key, V] {
	return func(yield func(key, V) bool) {
		for k, v := range t.after(key{a: first, n: math.MinInt64}) {
			if k.a > last || !yield(k, v) {
				return
			}
		}
	}
}

func (r *rows) AttemptsBetween(_ context.Context, p db.AttemptsBetweenParams) (as []db.Attempt, _ error) {
	for _, a := range between(&r.attempts, p.First, p.Last) {
		if a.Tenant == p.Tenant && len(as) < int(p.Most) {
			as = append(as, a)
		}
	}
	return as, nil
}

func (r *rows) PlacementsBetween(_ context.Context, p db.PlacementsBetweenParams) (ps []db.PlacementsBetweenRow, _ error) {
	for k, pl := range between(&r.placements, p.First, p.Last) {
		if d, _ := r.decisions.get(key{n: pl.Decision}); pl.Tenant == p.Tenant && d.Tenant == p.Tenant && len(ps) < int(p.Most) {
			ps = append(ps, db.PlacementsBetweenRow{Workload: k.a, Body: d.Body})
		}
	}
	return ps, nil
}

func (r *rows) FirstDecision(_ context.Context, p db.FirstDecisionParams) (string, error) {
	for k := range r.decided.after(key{a: p.Workload, n: math.MinInt64}) {
		if d, _ := r.decisions.get(key{n: k.n}); k.a == p.Workload && d.Tenant == p.Tenant {
			return d.Body, nil
		}
		break
	}
	return "", sql.ErrNoRows
}

func (r *rows) LastDecision(_ context.Context, p db.LastDecisionParams) (string, error) {
	for k := range r.decided.before(key{a: p.Workload, n: math.MaxInt64}) {
		if d, _ := r.decisions.get(key{n: k.n}); k.a == p.Workload && d.Tenant == p.Tenant {
			return d.Body, nil
		}
		break
	}
	return "", sql.ErrNoRows
}

func (r *rows) LedgerEntriesBetween(_ context.Context, p db.LedgerEntriesBetweenParams) (es []db.LedgerEntriesBetweenRow, _ error) {
	for k := range between(&r.entriesOf, p.First, p.Last) {
		if e, _ := r.entries.get(key{n: k.n}); e.Tenant == p.Tenant && len(es) < int(p.Most) {
			l, _ := r.leaves.get(key{n: k.n})
			es = append(es, db.LedgerEntriesBetweenRow{Workload: k.a, Idx: l.Idx, Sealed: l.Sealed})
		}
	}
	return es, nil
}

func (r *rows) MetersBetween(_ context.Context, p db.MetersBetweenParams) (ms []db.Meter, _ error) {
	for _, m := range between(&r.meters, p.First, p.Last) {
		if m.Tenant == p.Tenant && len(ms) < int(p.Most) {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

func (r *rows) SystemChanges(_ context.Context, p db.SystemChangesParams) (cs []db.SystemChangesRow, _ error) {
	for i := p.Idx; i < int64(r.leaves.len) && len(cs) < int(p.Most); i++ {
		l, _ := r.leaves.get(key{n: i})
		cs = append(cs, db.SystemChangesRow{Idx: l.Idx, Kind: l.Kind, Object: l.Object, Workload: l.Workload, Leaf: l.Leaf})
	}
	return cs, nil
}

func (r *rows) SystemLastChange(context.Context) (db.SystemLastChangeRow, error) {
	l, ok := r.leaves.get(key{n: int64(r.leaves.len) - 1})
	return one(db.SystemLastChangeRow{Idx: l.Idx, Kind: l.Kind, Object: l.Object, Workload: l.Workload, Leaf: l.Leaf}, ok)
}
