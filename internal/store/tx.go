package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

// tx is one transaction, the same on every engine: what an engine owes is the
// queries, and that either all or nothing of a transaction is kept.
type tx struct {
	ctx context.Context
	q   db.Querier
	log *growth // nil in a View
	// clock tells the time of the database, by which leases run.
	clock func(context.Context) (time.Time, error)
	memo  *decoded
	// shelf is where series are looked for first; nil: on disk only.
	shelf *shelf
	// own are the rows of workloads that this transaction has written: it need
	// not read them to know them.
	own map[string]db.Workload
	// spoiled is the first error that came after something was written.
	spoiled error
}

// tenantTx is a tenant's part of a transaction. Its queries name the tenant.
type tenantTx struct {
	*tx
	tenant access.Tenant
}

// systemTx is the part that serves all tenants.
type systemTx struct{ *tx }

func (t *tenantTx) Tenant() access.Tenant { return t.tenant }

func (t *systemTx) For(who access.Tenant) TenantTx {
	if who == "" {
		t.spoil(errNoTenant)
	}
	return &tenantTx{t.tx, who}
}

// spoil marks the transaction: part of a change is written, so none of it may
// be kept.
func (t *tx) spoil(err error) error {
	if err != nil && t.spoiled == nil {
		t.spoiled = err
	}
	return err
}

// end is the last word on the transaction, given what its function said.
// Nothing can use it afterwards.
func (t *tx) end(err error) error {
	t.q = nil
	return cmp.Or(err, t.spoiled)
}

// failed says what was being done when a query failed, if it did, and spoils
// the transaction: its engine may have rolled back already.
func (t *tx) failed(doing string, err error) error {
	return t.spoil(failed(doing, err))
}

// one says what was being changed, and spoils the transaction unless exactly
// one row was: someone else changed it after we had looked.
func (t *tx) one(doing string, rows int64, err error) error {
	if err == nil && rows != 1 {
		err = problem.Errorf(problem.Conflict, "%s: it was changed meanwhile", doing)
		return t.spoil(err)
	}
	return t.failed(doing, err)
}

// writable returns nil if something may be written. Once spoiled, nothing
// may: an engine that rolled back by itself would keep it.
func (t *tx) writable() error {
	if t.log == nil {
		return errReadOnly
	}
	return t.spoiled
}

// fact is an event about to go on record.
type fact struct {
	audit.Event
	kind   audit.Kind // if the event has none
	tenant access.Tenant
	object string
	move   *db.InsertTransitionParams // nil if it is no change of state
}

// record puts a fact on record: its leaf, and its transition if it is one. It
// is where every event of the house passes.
func (t *tx) record(f fact) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	e := f.Event
	e.Tenant, e.Object, e.Kind = f.tenant, f.object, cmp.Or(e.Kind, f.kind)
	e.At = e.At.UTC()
	e.From, e.To, e.Rev = "", "", 0
	if f.move != nil {
		e.From, e.To, e.Rev = f.move.FromState, f.move.ToState, f.move.Rev
	}
	if err := checkEvent(e); err != nil {
		return 0, err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("write an event as JSON: %w", err)
	}
	index, err := t.log.add(t.ctx, t.q, e.Tenant, usec(e.At), e.Kind, e.Object, workloadOf(e.Object), body)
	if err != nil {
		return 0, t.failed("putting "+string(e.Kind)+" on record", err)
	}
	if f.move != nil {
		f.move.Idx, f.move.Tenant = index, string(e.Tenant)
		if err := t.q.InsertTransition(t.ctx, *f.move); err != nil {
			return 0, t.failed(fmt.Sprintf("moving %s %s from %q to %q", f.move.Object, f.move.ID, e.From, e.To), err)
		}
	}
	return index, nil
}

func checkEvent(e audit.Event) error {
	switch {
	case e.Kind == "":
		return errors.New("an event of no kind")
	case e.Kind == audit.LedgerEntry:
		return errors.New("a ledger entry goes on record by AppendEntry only")
	case e.At.IsZero() || e.At.UnixMicro() < 0:
		return fmt.Errorf("the event %s of %s has no time", e.Kind, e.Object)
	case e.Actor == "":
		return fmt.Errorf("the event %s of %s does not say who did it", e.Kind, e.Object)
	}
	return nil
}

// loose puts an event on record that goes with no change of state.
func (t *tx) loose(e audit.Event, tenant access.Tenant) (int64, error) {
	if e.From != "" || e.To != "" || e.Rev != 0 {
		return 0, fmt.Errorf("the event %s of %s claims a change of state: only a move records one", e.Kind, e.Object)
	}
	return t.record(fact{Event: e, tenant: tenant, object: e.Object})
}

// detail returns e with more detail, and leaves the caller's alone.
func detail(e audit.Event, pairs ...string) audit.Event {
	d := maps.Clone(e.Detail)
	if d == nil {
		d = map[string]string{}
	}
	for i := 0; i < len(pairs); i += 2 {
		d[pairs[i]] = pairs[i+1]
	}
	e.Detail = d
	return e
}

func workloadObject(id string) string { return string(workload.ObjectWorkload) + ":" + id }

func attemptObject(id string, n int) string {
	return string(workload.ObjectAttempt) + ":" + attemptID(id, n)
}

func attemptID(id string, n int) string { return id + "/" + strconv.Itoa(n) }

// workloadOf returns the workload that an object is or belongs to, "" if none.
func workloadOf(object string) string {
	if id, ok := strings.CutPrefix(object, "workload:"); ok {
		return id
	}
	if id, ok := strings.CutPrefix(object, "attempt:"); ok {
		id, _, _ = strings.Cut(id, "/")
		return id
	}
	return ""
}

func missing(what string, err error) error {
	return &problem.Error{Kind: problem.NotFound, Detail: "there is no " + what, Cause: err}
}
