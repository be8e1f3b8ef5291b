package store

import (
	"bytes"
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

func (t *tenantTx) Workload(id string) (workload.Workload, error) {
	row, err := t.workloadRow(id)
	if err != nil {
		return workload.Workload{}, err
	}
	return t.memo.workload(row)
}

func (t *tenantTx) workloadRow(id string) (db.Workload, error) {
	if row, ok := t.own[id]; ok && row.Tenant == string(t.tenant) {
		return row, nil
	}
	row, err := t.q.Workload(t.ctx, db.WorkloadParams{Tenant: string(t.tenant), ID: id})
	if errors.Is(err, sql.ErrNoRows) {
		return row, missing("workload "+id, nil)
	}
	return row, t.failed("reading workload "+id, err)
}

func (t *systemTx) Workload(id string) (workload.Workload, error) {
	row, err := t.q.SystemWorkload(t.ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return workload.Workload{}, missing("workload "+id, nil)
	}
	if err != nil {
		return workload.Workload{}, t.failed("reading workload "+id, err)
	}
	return t.memo.workload(row)
}

func (t *systemTx) OpenWorkloads() ([]workload.Workload, error) {
	rows, err := t.q.SystemOpenWorkloads(t.ctx)
	if err != nil {
		return nil, t.failed("reading the open workloads", err)
	}
	return each(rows, t.memo.workload)
}

// Workloads reads a page for each state that is asked for and merges them, so
// that each read is a run of one index however many workloads there are.
func (t *tenantTx) Workloads(f Filter) ([]workload.Workload, error) {
	limit := page(f.Limit)
	if f.Group != "" {
		return t.group(f, limit)
	}
	after := f.After
	created, id := int64(math.MinInt64), after.ID
	switch {
	case !after.Created.IsZero():
		created = usec(after.Created)
	case f.Newest:
		created = math.MaxInt64
	}
	var rows []db.Workload
	read := func(more []db.Workload, err error) error {
		rows = append(rows, more...)
		return t.failed("listing workloads", err)
	}
	who := string(t.tenant)
	var err error
	switch {
	case len(f.States) == 0 && f.Newest:
		err = read(t.q.WorkloadsNewest(t.ctx, db.WorkloadsNewestParams{Tenant: who, AfterCreated: created, AfterID: id, Most: limit}))
	case len(f.States) == 0:
		err = read(t.q.Workloads(t.ctx, db.WorkloadsParams{Tenant: who, AfterCreated: created, AfterID: id, Most: limit}))
	default:
		states := slices.Compact(slices.Sorted(slices.Values(f.States)))
		for _, s := range states {
			if f.Newest {
				err = cmp.Or(err, read(t.q.WorkloadsInStateNewest(t.ctx, db.WorkloadsInStateNewestParams{
					Tenant: who, State: string(s), AfterCreated: created, AfterID: id, Most: limit})))
			} else {
				err = cmp.Or(err, read(t.q.WorkloadsInState(t.ctx, db.WorkloadsInStateParams{
					Tenant: who, State: string(s), AfterCreated: created, AfterID: id, Most: limit})))
			}
		}
		slices.SortFunc(rows, func(a, b db.Workload) int {
			order := cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.ID, b.ID))
			if f.Newest {
				return -order
			}
			return order
		})
	}
	if err != nil {
		return nil, err
	}
	return each(rows[:min(len(rows), int(limit))], t.memo.workload)
}

// group reads the members of a group, which are few enough to be read at once.
func (t *tenantTx) group(f Filter, limit int32) ([]workload.Workload, error) {
	rows, err := t.q.WorkloadsOfGroup(t.ctx, db.WorkloadsOfGroupParams{Tenant: string(t.tenant), Grp: f.Group, Most: workload.MaxMembers})
	if err != nil {
		return nil, t.failed("listing the group "+f.Group, err)
	}
	if f.Newest {
		slices.Reverse(rows)
	}
	rows = slices.DeleteFunc(rows, func(w db.Workload) bool {
		passed := f.After.ID != "" && (w.ID == f.After.ID || (w.ID < f.After.ID) != f.Newest)
		return passed || len(f.States) > 0 && !slices.Contains(f.States, workload.State(w.State))
	})
	return each(rows[:min(len(rows), int(limit))], t.memo.workload)
}

func (t *tenantTx) Counts() (states map[workload.State]int, late int, err error) {
	rows, err := t.q.CountWorkloads(t.ctx, string(t.tenant))
	if err != nil {
		return nil, 0, t.failed("counting workloads", err)
	}
	states = map[workload.State]int{}
	for _, r := range rows {
		states[workload.State(r.State)] = int(r.N)
		late += int(r.Late)
	}
	return states, late, nil
}

func page(limit int) int32 {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return int32(limit)
}

func (t *tenantTx) InsertWorkload(w workload.Workload, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	switch {
	case w.ID == "":
		return problem.Errorf(problem.Invalid, "a workload has no id")
	case w.Tenant != "" && w.Tenant != t.tenant:
		return missing("tenant "+string(w.Tenant), nil)
	case w.State != workload.Accepted:
		return problem.Errorf(problem.Conflict, "workload %s is born %s, want %s", w.ID, w.State, workload.Accepted)
	case w.Rev != 0 && w.Rev != 1:
		return problem.Errorf(problem.Conflict, "workload %s is born with rev %d, want 1", w.ID, w.Rev)
	case w.Created.IsZero():
		return problem.Errorf(problem.Invalid, "workload %s does not say when it was created", w.ID)
	}
	if _, err := t.q.SystemWorkload(t.ctx, w.ID); err == nil {
		return problem.Errorf(problem.Conflict, "the id %s is taken", w.ID)
	} else if !errors.Is(err, sql.ErrNoRows) {
		return t.failed("reading workload "+w.ID, err)
	}
	shape, err := encode("a shape", w.Shape)
	if err != nil {
		return err
	}
	baseline, err := encode("a baseline", w.Baseline)
	if err != nil {
		return err
	}
	if _, err := t.record(fact{Event: e, kind: audit.WorkloadSubmitted, tenant: t.tenant, object: workloadObject(w.ID),
		move: &db.InsertTransitionParams{Object: string(workload.ObjectWorkload), ID: w.ID, Rev: 1, ToState: string(w.State)}}); err != nil {
		return err
	}
	changed := w.Changed
	if changed.IsZero() {
		changed = w.Created
	}
	row := db.InsertWorkloadParams{
		ID: w.ID, Tenant: string(t.tenant), State: string(w.State), Rev: 1, Shape: shape, Sealed: blob(w.Sealed), Enclave: w.Enclave,
		Created: usec(w.Created), Changed: usec(changed), Wanted: string(w.Wanted), Baseline: baseline,
		MissedAt: maybe(w.MissedAt), MissedCause: w.MissedCause, Cause: w.Cause,
	}
	if err := t.failed("adding workload "+w.ID, t.q.InsertWorkload(t.ctx, row)); err != nil {
		return err
	}
	if t.own == nil {
		t.own = map[string]db.Workload{}
	}
	t.own[w.ID] = db.Workload(row)
	if w.Shape.Group == "" {
		return nil
	}
	return t.failed("adding workload "+w.ID+" to its group", t.q.PutMember(t.ctx, db.PutMemberParams{Tenant: string(t.tenant), Grp: w.Shape.Group, Workload: w.ID}))
}

func (t *tenantTx) MoveWorkload(w *workload.Workload, to workload.State, e audit.Event) error {
	if err := (workload.Move{Object: workload.ObjectWorkload, From: string(w.State), To: string(to)}).Check(); err != nil {
		return &problem.Error{Kind: problem.Conflict, Detail: fmt.Sprintf("workload %s is %s and cannot become %s", w.ID, w.State, to), Cause: err}
	}
	return t.changeWorkload(w, to, e)
}

func (t *tenantTx) UpdateWorkload(w *workload.Workload, e audit.Event) error {
	return t.changeWorkload(w, "", e)
}

// changeWorkload writes what may change of w, and its move if to is a state.
func (t *tenantTx) changeWorkload(w *workload.Workload, to workload.State, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	// Doubt before anything is written: a stale copy must not leave a trace,
	// even if the caller goes on after the Conflict.
	stored, err := t.workloadRow(w.ID)
	if err != nil {
		return err
	}
	if stored.Rev != w.Rev || stored.State != string(w.State) || stored.Changed != usec(w.Changed) {
		return problem.Errorf(problem.Conflict, "workload %s was changed meanwhile: it is %s at rev %d", w.ID, stored.State, stored.Rev)
	}
	next := *w
	f := fact{Event: e, kind: audit.WorkloadMoved, tenant: t.tenant, object: workloadObject(w.ID)}
	if to != "" {
		next.State, next.Rev = to, w.Rev+1
		f.move = &db.InsertTransitionParams{Object: string(workload.ObjectWorkload), ID: w.ID, Rev: next.Rev,
			FromState: string(w.State), ToState: string(to)}
	} else if f.kind = ""; e.Kind == "" {
		return errors.New("a change that is no move needs an event that says its kind")
	}
	next.Changed = later(e.At, w.Changed)
	if _, err := t.record(f); err != nil {
		return err
	}
	n, err := t.q.UpdateWorkload(t.ctx, db.UpdateWorkloadParams{
		Tenant: string(t.tenant), ID: w.ID, State: string(w.State), Rev: w.Rev, Changed: usec(w.Changed),
		NewState: string(next.State), NewRev: next.Rev, NewChanged: usec(next.Changed),
		Wanted: string(w.Wanted), MissedAt: maybe(w.MissedAt), MissedCause: w.MissedCause, Cause: w.Cause,
	})
	if err := t.one("changing workload "+w.ID, n, err); err != nil {
		return err
	}
	if row, ok := t.own[w.ID]; ok {
		row.State, row.Rev, row.Changed = string(next.State), next.Rev, usec(next.Changed)
		row.Wanted, row.MissedAt, row.MissedCause, row.Cause = string(w.Wanted), maybe(w.MissedAt), w.MissedCause, w.Cause
		t.own[w.ID] = row
	}
	*w = next
	return nil
}

// later returns the time of a change: at, or just after the one before it. It
// always rises, so that a copy read before a change is known to be stale even
// if that change was no move.
func later(at, last time.Time) time.Time {
	return instant(max(usec(at), usec(last)+1))
}

// blob returns b as the schema wants it: empty rather than absent.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return bytes.Clone(b)
}

func (t *tenantTx) Idempotent(key string) (Key, bool, error) {
	row, err := t.q.Idempotency(t.ctx, db.IdempotencyParams{Tenant: string(t.tenant), Key: key})
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, false, nil
	}
	if err != nil {
		return Key{}, false, t.failed("reading an idempotency key", err)
	}
	return Key{Key: row.Key, BodyHash: row.BodyHash, Workload: row.Workload, At: instant(row.At)}, true, nil
}

func (t *tenantTx) PutIdempotent(k Key) error {
	if err := t.writable(); err != nil {
		return err
	}
	if _, taken, err := t.Idempotent(k.Key); err != nil {
		return err
	} else if taken {
		return problem.Errorf(problem.Conflict, "this idempotency key was used before")
	}
	return t.failed("keeping an idempotency key", t.q.PutIdempotency(t.ctx, db.PutIdempotencyParams{
		Tenant: string(t.tenant), Key: k.Key, BodyHash: blob(k.BodyHash), Workload: k.Workload, At: usec(k.At)}))
}

func (t *systemTx) PruneIdempotent(before time.Time) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	n, err := t.q.SystemPruneIdempotency(t.ctx, usec(before))
	return n, t.failed("dropping old idempotency keys", err)
}
