package store

import (
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"
	"strconv"

	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

// rows is every table of the memory store, and the indexes that its queries
// need. It is a db.Querier: each method does what the query of its name in
// sql/query does, and refuses what the schema refuses.
type rows struct {
	undo undo

	workloads table[db.Workload]    // id
	births    table[struct{}]       // tenant, created, id
	open      table[struct{}]       // created, id
	attempts  table[db.Attempt]     // workload, n
	live      table[int64]          // workload → n: the one live attempt
	lost      table[struct{}]       // workload, n
	keys      table[db.Idempotency] // tenant, key
	members   table[string]         // group, workload → tenant

	leaves      table[db.Leaf]       // idx
	byTenant    table[struct{}]      // tenant, idx
	byWorkload  table[struct{}]      // workload, idx
	loghashes   table[db.Loghash]    // first
	checkpoints table[db.Checkpoint] // size
	transitions table[db.Transition] // idx
	moves       table[struct{}]      // object, rev, id
	legal       table[db.Legal]      // object, from, to

	decisions  table[db.Decision]           // idx
	decided    table[struct{}]              // workload, idx
	placements table[db.PutPlacementParams] // workload
	plans      table[db.PlanInForceRow]
	entries    table[db.LedgerEntry]     // idx
	entriesOf  table[struct{}]           // workload, idx
	meters     table[db.Meter]           // workload, attempt, hour
	unsettled  table[struct{}]           // hour, workload, attempt
	sites      table[db.Site]            // id
	signals    table[db.Signal]          // ref
	zones      table[struct{}]           // zone and kind, start, issued, ref
	newest     table[db.PutNewestParams] // zone, provider, basis
	uses       table[struct{}]           // ref, idx
	tokens     table[db.Token]           // id
	leases     table[db.Lease]           // name
	metas      table[string]             // key
	proofs     table[db.Proof]           // at, plan
	proven     table[int64]              // plan → at
	classes    table[db.Class]           // tenant, class
	queues     table[db.Queue]           // tenant, name
	budgets    table[db.Budget]          // tenant, name
	questions  table[db.Question]        // id
}

var _ db.Querier = (*rows)(nil)

func newRows() *rows {
	r := &rows{}
	for _, u := range []**undo{
		&r.workloads.undo, &r.births.undo, &r.open.undo, &r.attempts.undo, &r.live.undo, &r.lost.undo, &r.keys.undo, &r.members.undo,
		&r.leaves.undo, &r.byTenant.undo, &r.byWorkload.undo, &r.loghashes.undo, &r.checkpoints.undo, &r.transitions.undo, &r.moves.undo, &r.legal.undo,
		&r.decisions.undo, &r.decided.undo, &r.placements.undo, &r.plans.undo, &r.entries.undo, &r.entriesOf.undo, &r.meters.undo, &r.unsettled.undo,
		&r.sites.undo, &r.signals.undo, &r.zones.undo, &r.newest.undo, &r.uses.undo, &r.tokens.undo, &r.leases.undo, &r.metas.undo, &r.proofs.undo, &r.proven.undo, &r.classes.undo, &r.queues.undo, &r.budgets.undo, &r.questions.undo,
	} {
		*u = &r.undo
	}
	r.plans.put(key{}, db.PlanInForceRow{})
	r.commit()
	return r
}

func (r *rows) rollback() { r.undo.rollback() }
func (r *rows) commit()   { r.undo = r.undo[:0] }

// one makes sql's answer of a lookup.
func one[V any](v V, ok bool) (V, error) {
	if !ok {
		return v, sql.ErrNoRows
	}
	return v, nil
}

func (r *rows) InsertWorkload(_ context.Context, p db.InsertWorkloadParams) error {
	switch {
	case r.workloads.has(key{a: p.ID}):
		return unique
	case p.Tenant == "" || p.Rev < 1:
		return check
	case !r.moved("workload", p.ID, p.Rev):
		return check
	}
	r.putWorkload(db.Workload(p))
	r.births.put(key{a: p.Tenant, n: p.Created, b: p.ID}, struct{}{})
	return nil
}

func (r *rows) putWorkload(w db.Workload) {
	r.workloads.put(key{a: w.ID}, w)
	if k := (key{n: w.Created, b: w.ID}); !workload.State(w.State).Terminal() {
		r.open.put(k, struct{}{})
	} else {
		r.open.remove(k)
	}
}

// moved reports whether the transition of an object to rev is on record.
func (r *rows) moved(object, id string, rev int64) bool {
	return r.moves.has(key{a: object, n: rev, b: id})
}

func (r *rows) Workload(_ context.Context, p db.WorkloadParams) (db.Workload, error) {
	w, ok := r.workloads.get(key{a: p.ID})
	return one(w, ok && w.Tenant == p.Tenant)
}

func (r *rows) SystemWorkload(_ context.Context, id string) (db.Workload, error) {
	return one(r.workloads.get(key{a: id}))
}

func (r *rows) list(tenant, state string, created int64, id string, most int32, newest bool) []db.Workload {
	var ws []db.Workload
	seq := r.births.after
	if newest {
		seq = r.births.before
	}
	for k := range seq(key{a: tenant, n: created, b: id}) {
		if k.a != tenant || len(ws) == int(most) {
			break
		}
		if w, _ := r.workloads.get(key{a: k.b}); state == "" || w.State == state {
			ws = append(ws, w)
		}
	}
	return ws
}

func (r *rows) Workloads(_ context.Context, p db.WorkloadsParams) ([]db.Workload, error) {
	return r.list(p.Tenant, "", p.AfterCreated, p.AfterID, p.Most, false), nil
}

func (r *rows) WorkloadsNewest(_ context.Context, p db.WorkloadsNewestParams) ([]db.Workload, error) {
	return r.list(p.Tenant, "", p.AfterCreated, p.AfterID, p.Most, true), nil
}

func (r *rows) WorkloadsInState(_ context.Context, p db.WorkloadsInStateParams) ([]db.Workload, error) {
	return r.list(p.Tenant, p.State, p.AfterCreated, p.AfterID, p.Most, false), nil
}

func (r *rows) WorkloadsInStateNewest(_ context.Context, p db.WorkloadsInStateNewestParams) ([]db.Workload, error) {
	return r.list(p.Tenant, p.State, p.AfterCreated, p.AfterID, p.Most, true), nil
}

func (r *rows) PutMember(_ context.Context, p db.PutMemberParams) error {
	k := key{a: p.Grp, b: p.Workload}
	w, there := r.workloads.get(key{a: p.Workload})
	switch {
	case p.Tenant == "" || p.Grp == "":
		return check
	case !there || w.Tenant != p.Tenant:
		return foreign
	case r.members.has(k):
		return unique
	}
	r.members.put(k, p.Tenant)
	return nil
}

func (r *rows) WorkloadsOfGroup(_ context.Context, p db.WorkloadsOfGroupParams) (ws []db.Workload, err error) {
	for k := range r.members.after(key{a: p.Grp}) {
		if k.a != p.Grp || len(ws) == int(p.Most) {
			break
		}
		if w, _ := r.workloads.get(key{a: k.b}); w.Tenant == p.Tenant {
			ws = append(ws, w)
		}
	}
	return ws, nil
}

func (r *rows) CountWorkloads(_ context.Context, tenant string) ([]db.CountWorkloadsRow, error) {
	by := map[string]*db.CountWorkloadsRow{}
	for _, w := range r.workloads.all() {
		if w.Tenant != tenant {
			continue
		}
		c := by[w.State]
		if c == nil {
			c = &db.CountWorkloadsRow{State: w.State}
			by[w.State] = c
		}
		c.N++
		if w.MissedAt.Valid {
			c.Late++
		}
	}
	var out []db.CountWorkloadsRow
	for _, state := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[state])
	}
	return out, nil
}

func (r *rows) SystemOpenWorkloads(context.Context) ([]db.Workload, error) {
	var ws []db.Workload
	for k := range r.open.all() {
		w, _ := r.workloads.get(key{a: k.b})
		ws = append(ws, w)
	}
	return ws, nil
}

func (r *rows) SystemStates(context.Context) ([]db.SystemStatesRow, error) {
	var ss []db.SystemStatesRow
	for _, a := range r.attempts.all() {
		ss = append(ss, db.SystemStatesRow{Object: "attempt", ID: a.Workload + "/" + strconv.FormatInt(a.N, 10), State: a.State, Rev: a.Rev})
	}
	for _, w := range r.workloads.all() {
		ss = append(ss, db.SystemStatesRow{Object: "workload", ID: w.ID, State: w.State, Rev: w.Rev})
	}
	return ss, nil
}

func (r *rows) UpdateWorkload(_ context.Context, p db.UpdateWorkloadParams) (int64, error) {
	w, ok := r.workloads.get(key{a: p.ID})
	if !ok || w.Tenant != p.Tenant || w.State != p.State || w.Rev != p.Rev || w.Changed != p.Changed {
		return 0, nil
	}
	if (w.State != p.NewState || w.Rev != p.NewRev) && (p.NewRev != p.Rev+1 || !r.moved("workload", p.ID, p.NewRev)) {
		return 0, check
	}
	w.State, w.Rev, w.Changed, w.Wanted = p.NewState, p.NewRev, p.NewChanged, p.Wanted
	w.MissedAt, w.MissedCause, w.Cause = p.MissedAt, p.MissedCause, p.Cause
	r.putWorkload(w)
	return 1, nil
}

func (r *rows) PutIdempotency(_ context.Context, p db.PutIdempotencyParams) error {
	k := key{a: p.Tenant, b: p.Key}
	if r.keys.has(k) {
		return unique
	}
	r.keys.put(k, db.Idempotency(p))
	return nil
}

func (r *rows) Idempotency(_ context.Context, p db.IdempotencyParams) (db.Idempotency, error) {
	return one(r.keys.get(key{a: p.Tenant, b: p.Key}))
}

func (r *rows) SystemPruneIdempotency(_ context.Context, before int64) (int64, error) {
	return prune(&r.keys, func(k db.Idempotency) bool { return k.At < before }), nil
}

// prune drops the rows that are old and returns how many.
func prune[V any](t *table[V], old func(V) bool) int64 {
	var ks []key
	for k, v := range t.all() {
		if old(v) {
			ks = append(ks, k)
		}
	}
	for _, k := range ks {
		t.remove(k)
	}
	return int64(len(ks))
}

func (r *rows) InsertAttempt(_ context.Context, p db.InsertAttemptParams) error {
	w, ok := r.workloads.get(key{a: p.Workload})
	isLive := workload.AttemptState(p.State).Live()
	switch {
	case r.attempts.has(key{a: p.Workload, n: p.N}), isLive && r.live.has(key{a: p.Workload}):
		return unique
	case !ok || w.Tenant != p.Tenant:
		return foreign
	case !r.moved("attempt", p.Workload+"/"+strconv.FormatInt(p.N, 10), p.Rev):
		return check
	}
	return r.putAttempt(db.Attempt(p))
}

func (r *rows) putAttempt(a db.Attempt) error {
	k := key{a: a.Workload, n: a.N}
	n, taken := r.live.get(key{a: a.Workload})
	switch isLive := workload.AttemptState(a.State).Live(); {
	case isLive && taken && n != a.N:
		return unique
	case isLive:
		r.live.put(key{a: a.Workload}, a.N)
	case taken && n == a.N:
		r.live.remove(key{a: a.Workload})
	}
	if a.State == string(workload.AttemptLost) {
		r.lost.put(k, struct{}{})
	} else {
		r.lost.remove(k)
	}
	r.attempts.put(k, a)
	return nil
}

func (r *rows) Attempt(_ context.Context, p db.AttemptParams) (db.Attempt, error) {
	a, ok := r.attempts.get(key{a: p.Workload, n: p.N})
	return one(a, ok && a.Tenant == p.Tenant)
}

func (r *rows) Attempts(_ context.Context, p db.AttemptsParams) ([]db.Attempt, error) {
	var as []db.Attempt
	for k, a := range r.attempts.after(key{a: p.Workload, n: math.MinInt64}) {
		if k.a != p.Workload {
			break
		}
		if a.Tenant == p.Tenant {
			as = append(as, a)
		}
	}
	return as, nil
}

func (r *rows) SystemLiveAttempts(context.Context) ([]db.Attempt, error) {
	var as []db.Attempt
	for k, n := range r.live.all() {
		a, _ := r.attempts.get(key{a: k.a, n: n})
		as = append(as, a)
	}
	return as, nil
}

func (r *rows) SystemLiveAttemptsAtSite(ctx context.Context, site string) ([]db.Attempt, error) {
	as, err := r.SystemLiveAttempts(ctx)
	return at(site, as), err
}

func at(site string, as []db.Attempt) []db.Attempt {
	return slices.DeleteFunc(as, func(a db.Attempt) bool { return a.Site != site })
}

func (r *rows) SystemLostAttempts(context.Context) ([]db.Attempt, error) {
	var as []db.Attempt
	for k := range r.lost.all() {
		if w, _ := r.workloads.get(key{a: k.a}); !workload.State(w.State).Terminal() {
			a, _ := r.attempts.get(k)
			as = append(as, a)
		}
	}
	return as, nil
}

func (r *rows) SystemLostAttemptsAtSite(ctx context.Context, site string) ([]db.Attempt, error) {
	as, err := r.SystemLostAttempts(ctx)
	return at(site, as), err
}

func (r *rows) MoveAttempt(_ context.Context, p db.MoveAttemptParams) (int64, error) {
	a, ok := r.attempts.get(key{a: p.Workload, n: p.N})
	if !ok || a.Tenant != p.Tenant || a.State != p.State || a.Rev != p.Rev {
		return 0, nil
	}
	if p.NewRev != p.Rev+1 || !r.moved("attempt", p.Workload+"/"+strconv.FormatInt(p.N, 10), p.NewRev) {
		return 0, check
	}
	a.State, a.Rev, a.Changed = p.NewState, p.NewRev, p.NewChanged
	a.Expires, a.Started, a.Ended, a.ExitCode, a.Cause = p.Expires, p.Started, p.Ended, p.ExitCode, p.Cause
	a.Active, a.RunSince, a.Suspensions, a.Seen, a.Size = p.Active, p.RunSince, p.Suspensions, p.Seen, p.Size
	if err := r.putAttempt(a); err != nil {
		return 0, err
	}
	return 1, nil
}

func (r *rows) ProgressAttempt(_ context.Context, p db.ProgressAttemptParams) (int64, error) {
	a, ok := r.attempts.get(key{a: p.Workload, n: p.N})
	if !ok || a.Tenant != p.Tenant || a.Rev != p.Rev {
		return 0, nil
	}
	a.Active, a.RunSince, a.Suspensions, a.Seen, a.Size = p.Active, p.RunSince, p.Suspensions, p.Seen, p.Size
	r.attempts.put(key{a: p.Workload, n: p.N}, a)
	return 1, nil
}
