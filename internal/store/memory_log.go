package store

import (
	"context"
	"database/sql"
	"math"
	"strings"

	"clusy.io/clusy/internal/store/db"
)

func (r *rows) InsertLeaf(_ context.Context, p db.InsertLeafParams) error {
	if p.Idx != int64(r.leaves.len) {
		return check // a leaf goes to the end of the log
	}
	r.leaves.put(key{n: p.Idx}, db.Leaf(p))
	r.byTenant.put(key{a: p.Tenant, n: p.Idx}, struct{}{})
	if p.Workload != "" {
		r.byWorkload.put(key{a: p.Workload, n: p.Idx}, struct{}{})
	}
	return nil
}

func (r *rows) InsertTransition(_ context.Context, p db.InsertTransitionParams) error {
	move := key{a: p.Object, n: p.Rev, b: p.ID}
	switch {
	case r.transitions.has(key{n: p.Idx}), r.moves.has(move):
		return unique
	case !r.legal.has(key{a: p.Object, b: p.FromState, c: p.ToState}), !r.leaves.has(key{n: p.Idx}):
		return foreign
	}
	r.transitions.put(key{n: p.Idx}, db.Transition(p))
	r.moves.put(move, struct{}{})
	return nil
}

func (r *rows) InsertLoghash(_ context.Context, p db.InsertLoghashParams) error {
	r.loghashes.put(key{n: p.First}, db.Loghash(p))
	return nil
}

func (r *rows) InsertCheckpoint(_ context.Context, p db.InsertCheckpointParams) error {
	r.checkpoints.put(key{n: p.Size}, db.Checkpoint(p))
	return nil
}

func (r *rows) LastLeaf(_ context.Context, tenant string) (db.LastLeafRow, error) {
	for k := range r.byTenant.before(key{a: tenant, n: math.MaxInt64}) {
		if k.a == tenant {
			l, _ := r.leaves.get(key{n: k.n})
			return db.LastLeafRow{Idx: l.Idx, TenantSeq: l.TenantSeq}, nil
		}
		break
	}
	return db.LastLeafRow{}, sql.ErrNoRows
}

// walk gives the leaves after an index that an index table holds under a name,
// as far as yield wants.
func (r *rows) walk(by *table[struct{}], name string, after int64, yield func(db.Leaf) bool) {
	for k := range by.after(key{a: name, n: after}) {
		if k.a != name {
			return
		}
		if l, _ := r.leaves.get(key{n: k.n}); !yield(l) {
			return
		}
	}
}

// take collects events whose object begins with prefix until there are enough.
func take[R any](most int32, prefix string, make func(db.Leaf) (R, bool)) (rows *[]R, yield func(db.Leaf) bool) {
	rows = new([]R)
	return rows, func(l db.Leaf) bool {
		if len(*rows) == int(most) {
			return false
		}
		if l.Kind != "ledger.entry" && strings.HasPrefix(l.Object, prefix) {
			if row, ok := make(l); ok {
				*rows = append(*rows, row)
			}
		}
		return true
	}
}

func (r *rows) Events(_ context.Context, p db.EventsParams) ([]db.EventsRow, error) {
	rows, yield := take(p.Most, p.Prefix, func(l db.Leaf) (db.EventsRow, bool) {
		return db.EventsRow{Idx: l.Idx, Tenant: l.Tenant, Sealed: l.Sealed}, true
	})
	r.walk(&r.byTenant, p.Tenant, p.Idx, yield)
	return *rows, nil
}

func (r *rows) WorkloadEvents(_ context.Context, p db.WorkloadEventsParams) ([]db.WorkloadEventsRow, error) {
	rows, yield := take(p.Most, p.Prefix, func(l db.Leaf) (db.WorkloadEventsRow, bool) {
		return db.WorkloadEventsRow{Idx: l.Idx, Tenant: l.Tenant, Sealed: l.Sealed}, l.Tenant == p.Tenant
	})
	r.walk(&r.byWorkload, p.Workload, p.Idx, yield)
	return *rows, nil
}

func (r *rows) SystemWorkloadEvents(_ context.Context, p db.SystemWorkloadEventsParams) ([]db.SystemWorkloadEventsRow, error) {
	rows, yield := take(p.Most, p.Prefix, func(l db.Leaf) (db.SystemWorkloadEventsRow, bool) {
		return db.SystemWorkloadEventsRow{Idx: l.Idx, Tenant: l.Tenant, Sealed: l.Sealed}, true
	})
	r.walk(&r.byWorkload, p.Workload, p.Idx, yield)
	return *rows, nil
}

func (r *rows) SystemEvents(_ context.Context, p db.SystemEventsParams) ([]db.SystemEventsRow, error) {
	rows, yield := take(p.Most, p.Prefix, func(l db.Leaf) (db.SystemEventsRow, bool) {
		return db.SystemEventsRow{Idx: l.Idx, Tenant: l.Tenant, Sealed: l.Sealed}, true
	})
	for _, l := range r.leaves.after(key{n: p.Idx}) {
		if !yield(l) {
			break
		}
	}
	return *rows, nil
}

func (r *rows) SystemLeaves(_ context.Context, p db.SystemLeavesParams) ([]db.Leaf, error) {
	var ls []db.Leaf
	for _, l := range r.leaves.after(key{n: p.Idx - 1}) {
		if l.Idx >= p.Before {
			break
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func (r *rows) SystemTransitions(_ context.Context, p db.SystemTransitionsParams) ([]db.Transition, error) {
	var ts []db.Transition
	for _, t := range r.transitions.after(key{n: p.Idx - 1}) {
		if len(ts) == int(p.Most) {
			break
		}
		ts = append(ts, t)
	}
	return ts, nil
}

func (r *rows) CheckpointOf(_ context.Context, size int64) (string, error) {
	for _, c := range r.checkpoints.after(key{n: size - 1}) {
		if c.Size == size {
			return c.Note, nil
		}
		break
	}
	return "", sql.ErrNoRows
}

func (r *rows) LastCheckpoint(context.Context) (db.Checkpoint, error) {
	for _, c := range r.checkpoints.before(key{n: math.MaxInt64}) {
		return c, nil
	}
	return db.Checkpoint{}, sql.ErrNoRows
}

func (r *rows) Checkpoints(_ context.Context, p db.CheckpointsParams) ([]db.Checkpoint, error) {
	var cs []db.Checkpoint
	for _, c := range r.checkpoints.after(key{n: p.Size}) {
		if len(cs) == int(p.Most) {
			break
		}
		cs = append(cs, c)
	}
	return cs, nil
}

func (r *rows) Loghash(_ context.Context, n int64) (db.Loghash, error) {
	for _, h := range r.loghashes.before(key{n: n + 1}) {
		return h, nil
	}
	return db.Loghash{}, sql.ErrNoRows
}

func (r *rows) Legal(context.Context) ([]db.Legal, error) {
	var ms []db.Legal
	for _, m := range r.legal.all() {
		ms = append(ms, m)
	}
	return ms, nil
}

func (r *rows) InsertLegal(_ context.Context, p db.InsertLegalParams) error {
	r.legal.put(key{a: p.Object, b: p.FromState, c: p.ToState}, db.Legal(p))
	return nil
}
