package store

import (
	"database/sql"
	"errors"
	"fmt"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

func (t *tenantTx) Append(e audit.Event) (int64, error) { return t.loose(e, t.tenant) }

func (t *systemTx) Append(e audit.Event) (int64, error) { return t.loose(e, e.Tenant) }

func (t *tenantTx) Events(f EventFilter) ([]audit.Entry, error) {
	who := string(t.tenant)
	if f.Workload != "" {
		rows, err := t.q.WorkloadEvents(t.ctx, db.WorkloadEventsParams{Tenant: who, Workload: f.Workload, Idx: f.After, Prefix: f.Object, Most: page(f.Limit)})
		if err != nil {
			return nil, t.failed("reading the events of workload "+f.Workload, err)
		}
		return each(rows, func(r db.WorkloadEventsRow) (audit.Entry, error) { return entry(t.tenant, r.Idx, r.Sealed) })
	}
	rows, err := t.q.Events(t.ctx, db.EventsParams{Tenant: who, Idx: f.After, Prefix: f.Object, Most: page(f.Limit)})
	if err != nil {
		return nil, t.failed("reading events", err)
	}
	return each(rows, func(r db.EventsRow) (audit.Entry, error) { return entry(t.tenant, r.Idx, r.Sealed) })
}

func (t *systemTx) Events(f EventFilter) ([]audit.Entry, error) {
	if f.Workload != "" {
		rows, err := t.q.SystemWorkloadEvents(t.ctx, db.SystemWorkloadEventsParams{Workload: f.Workload, Idx: f.After, Prefix: f.Object, Most: page(f.Limit)})
		if err != nil {
			return nil, t.failed("reading the events of workload "+f.Workload, err)
		}
		return each(rows, func(r db.SystemWorkloadEventsRow) (audit.Entry, error) {
			return entry(access.Tenant(r.Tenant), r.Idx, r.Sealed)
		})
	}
	rows, err := t.q.SystemEvents(t.ctx, db.SystemEventsParams{Idx: f.After, Prefix: f.Object, Most: page(f.Limit)})
	if err != nil {
		return nil, t.failed("reading events", err)
	}
	return each(rows, func(r db.SystemEventsRow) (audit.Entry, error) {
		return entry(access.Tenant(r.Tenant), r.Idx, r.Sealed)
	})
}

func entry(t access.Tenant, index int64, sealed []byte) (audit.Entry, error) {
	_, body, err := open(t, sealed)
	if err != nil {
		return audit.Entry{}, fmt.Errorf("event %d: %w", index, err)
	}
	e, err := decode[audit.Event]("an event", string(body))
	if err != nil {
		return audit.Entry{}, fmt.Errorf("event %d: %w", index, err)
	}
	return audit.Entry{Index: index, Event: e}, nil
}

func (t *systemTx) LogSize() (int64, error) {
	c, err := t.checkpoint()
	return c.Size, err
}

func (t *systemTx) Checkpoint() (string, error) {
	c, err := t.checkpoint()
	return c.Note, err
}

func (t *systemTx) checkpoint() (db.Checkpoint, error) {
	c, err := t.q.LastCheckpoint(t.ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return db.Checkpoint{}, nil
	}
	return c, t.failed("reading the newest checkpoint", err)
}

func (t *systemTx) Checkpoints(after int64) ([]string, error) {
	rows, err := t.q.Checkpoints(t.ctx, db.CheckpointsParams{Size: after, Most: MaxPage})
	if err != nil {
		return nil, t.failed("reading checkpoints", err)
	}
	return each(rows, func(c db.Checkpoint) (string, error) { return c.Note, nil })
}

func (t *systemTx) Leaves(from, to int64) ([]Leaf, error) {
	size, err := t.LogSize()
	if err != nil {
		return nil, err
	}
	rows, err := t.q.SystemLeaves(t.ctx, db.SystemLeavesParams{Idx: from, Before: min(to, size, from+MaxLeaves)})
	if err != nil {
		return nil, t.failed("reading leaves", err)
	}
	return each(rows, func(r db.Leaf) (Leaf, error) {
		salt, body, err := open(access.Tenant(r.Tenant), r.Sealed)
		if err != nil {
			return Leaf{}, &merkle.Fault{Index: r.Idx, Kind: r.Kind, Err: err}
		}
		return Leaf{Index: r.Idx, Tenant: access.Tenant(r.Tenant), Kind: audit.Kind(r.Kind), Leaf: r.Leaf, Salt: salt, Body: body}, nil
	})
}

func (t *systemTx) Hashes() merkle.HashReader { return hashesOf(t.ctx, t.q) }

func (t *systemTx) Transitions(from int64) ([]Transition, error) {
	rows, err := t.q.SystemTransitions(t.ctx, db.SystemTransitionsParams{Idx: from, Most: MaxPage})
	if err != nil {
		return nil, t.failed("reading transitions", err)
	}
	return each(rows, func(r db.Transition) (Transition, error) {
		return Transition{Index: r.Idx, Object: workload.Object(r.Object), ID: r.ID, Rev: r.Rev, From: r.FromState, To: r.ToState}, nil
	})
}

func (t *systemTx) States() ([]Standing, error) {
	rows, err := t.q.SystemStates(t.ctx)
	if err != nil {
		return nil, t.failed("reading the states", err)
	}
	return each(rows, func(r db.SystemStatesRow) (Standing, error) {
		return Standing{Object: workload.Object(r.Object), ID: r.ID, State: r.State, Rev: r.Rev}, nil
	})
}

func (t *systemTx) Decided(from int64) ([]Decided, error) {
	rows, err := t.q.SystemDecisions(t.ctx, db.SystemDecisionsParams{Idx: from, Most: MaxPage})
	if err != nil {
		return nil, t.failed("reading decisions", err)
	}
	return each(rows, func(r db.SystemDecisionsRow) (Decided, error) {
		return Decided{Index: r.Idx, Digest: digest(r.Body)}, nil
	})
}

func (t *systemTx) Changes(from int64) ([]Change, error) {
	rows, err := t.q.SystemChanges(t.ctx, db.SystemChangesParams{Idx: from, Most: MaxPage})
	if err != nil {
		return nil, t.failed("reading what has changed", err)
	}
	return each(rows, change)
}

func (t *systemTx) LastChange() (Change, error) {
	r, err := t.q.SystemLastChange(t.ctx)
	if err != nil {
		return Change{}, t.failed("reading the newest change", err)
	}
	return change(db.SystemChangesRow(r))
}

func change(r db.SystemChangesRow) (Change, error) {
	return Change{Index: r.Idx, Kind: audit.Kind(r.Kind), Object: r.Object, Workload: r.Workload, Leaf: r.Leaf}, nil
}
