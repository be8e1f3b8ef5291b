package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

func (t *tenantTx) PutPlacement(p plan.Placement, planID string, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	if _, err := t.workloadRow(p.Workload); err != nil {
		return err
	}
	body, err := encode("a placement", p)
	if err != nil {
		return err
	}
	e = detail(e, "plan", planID, "site", p.Site, "decision", digest(body))
	index, err := t.record(fact{Event: e, kind: audit.WorkloadPlaced, tenant: t.tenant, object: workloadObject(p.Workload)})
	if err != nil {
		return err
	}
	if err := t.failed("keeping a decision on workload "+p.Workload, t.q.InsertDecision(t.ctx, db.InsertDecisionParams{
		Idx: index, Tenant: string(t.tenant), Workload: p.Workload, Plan: planID, At: usec(e.At), Body: body})); err != nil {
		return err
	}
	for _, s := range p.Why.Signals {
		if err := t.use(s.Ref, index); err != nil {
			return err
		}
	}
	return t.failed("placing workload "+p.Workload, t.q.PutPlacement(t.ctx, db.PutPlacementParams{
		Workload: p.Workload, Tenant: string(t.tenant), Decision: index}))
}

// digest is how a decision is named in the event that records it.
func digest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// use notes that the leaf at index refers to a series, so that it is kept.
func (t *tx) use(ref string, index int64) error {
	if ref == "" {
		return nil
	}
	return t.failed("noting the use of a series", t.q.UseSeries(t.ctx, db.UseSeriesParams{Ref: ref, Idx: index}))
}

func (t *tenantTx) Placement(id string) (plan.Placement, bool, error) {
	body, err := t.q.Placement(t.ctx, db.PlacementParams{Tenant: string(t.tenant), Workload: id})
	if errors.Is(err, sql.ErrNoRows) {
		return plan.Placement{}, false, nil
	}
	if err != nil {
		return plan.Placement{}, false, t.failed("reading the placement of workload "+id, err)
	}
	p, err := t.memo.placement(body)
	return p, err == nil, err
}

func (t *tenantTx) FirstDecision(workload string) (plan.Placement, bool, error) {
	body, err := t.q.FirstDecision(t.ctx, db.FirstDecisionParams{Tenant: string(t.tenant), Workload: workload})
	if errors.Is(err, sql.ErrNoRows) {
		return plan.Placement{}, false, nil
	}
	if err != nil {
		return plan.Placement{}, false, t.failed("reading the first decision on workload "+workload, err)
	}
	p, err := t.memo.placement(body)
	return p, err == nil, err
}

func (t *tenantTx) DeletePlacement(id string) error {
	if err := t.writable(); err != nil {
		return err
	}
	return t.failed("ending the placement of workload "+id, t.q.DeletePlacement(t.ctx, db.DeletePlacementParams{
		Tenant: string(t.tenant), Workload: id}))
}

func (t *tenantTx) Decisions(id string) ([]Decision, error) {
	rows, err := t.q.Decisions(t.ctx, db.DecisionsParams{Tenant: string(t.tenant), Workload: id})
	if err != nil {
		return nil, t.failed("reading the decisions on workload "+id, err)
	}
	return each(rows, func(r db.Decision) (Decision, error) {
		p, err := t.memo.placement(r.Body)
		return Decision{Index: r.Idx, Plan: r.Plan, At: instant(r.At), Placement: p}, err
	})
}

func (t *systemTx) Placements() ([]plan.Placement, error) {
	rows, err := t.q.SystemPlacements(t.ctx)
	if err != nil {
		return nil, t.failed("reading the placements", err)
	}
	return each(rows, func(r db.SystemPlacementsRow) (plan.Placement, error) { return t.memo.placement(r.Body) })
}

func (t *systemTx) PlanInForce() (string, time.Time, error) {
	row, err := t.q.PlanInForce(t.ctx)
	if err != nil {
		return "", time.Time{}, t.failed("reading the plan in force", err)
	}
	return row.ID, perhaps(row.At), nil
}

func (t *systemTx) SetPlan(parent, id string, at time.Time, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	if id == "" {
		return problem.Errorf(problem.Invalid, "a plan has no id")
	}
	// Compared before anything is written, so that ErrStale leaves no trace.
	if now, _, err := t.PlanInForce(); err != nil {
		return err
	} else if now != parent {
		return plan.ErrStale
	}
	if _, err := t.record(fact{Event: detail(e, "parent", parent), kind: audit.PlanCommitted, tenant: e.Tenant, object: "plan:" + id}); err != nil {
		return err
	}
	n, err := t.q.SetPlan(t.ctx, db.SetPlanParams{Parent: parent, NewID: id, At: maybe(at)})
	if err == nil && n != 1 {
		return t.spoil(plan.ErrStale)
	}
	return t.failed("bringing a plan into force", err)
}
