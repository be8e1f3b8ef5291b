package store

import (
	"database/sql"
	"errors"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

// keptProofs is how many proofs are kept: the newest.
const keptProofs = 48

func (t *systemTx) PutPlanProof(p plan.Packed) error {
	if err := t.writable(); err != nil {
		return err
	}
	if p.Plan == "" || p.Digest == "" || len(p.Body) == 0 {
		return problem.Errorf(problem.Invalid, "a proof needs a plan, a digest and a body")
	}
	if err := t.failed("keeping the proof of a plan", t.q.InsertProof(t.ctx, db.InsertProofParams{
		Plan: p.Plan, At: usec(p.At), Digest: p.Digest, Items: int64(p.Items), Given: int64(p.Given),
		Carbon: int64(p.Carbon), Bound: int64(p.Bound), Owner: string(p.Tenant), Body: p.Body})); err != nil {
		return err
	}
	_, err := t.q.DropProofs(t.ctx, keptProofs)
	return t.failed("dropping old proofs", err)
}

func (t *systemTx) PlanProof(id string) (plan.Packed, error) {
	r, err := t.q.Proof(t.ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return plan.Packed{}, problem.Errorf(problem.NotFound, "plan %q has no proof here; those of the %d newest plans are kept", id, keptProofs)
	}
	if err != nil {
		return plan.Packed{}, t.failed("reading the proof of plan "+id, err)
	}
	return plan.Packed{ProofHead: proofHead(db.ProofsRow{Plan: r.Plan, At: r.At, Digest: r.Digest, Items: r.Items, Given: r.Given, Carbon: r.Carbon, Bound: r.Bound, Owner: r.Owner}), Body: r.Body}, nil
}

func (t *systemTx) PlanProofs(most int) ([]plan.ProofHead, error) {
	rows, err := t.q.Proofs(t.ctx, int32(min(max(most, 0), MaxPage)))
	if err != nil {
		return nil, t.failed("reading the proofs", err)
	}
	return each(rows, func(r db.ProofsRow) (plan.ProofHead, error) { return proofHead(r), nil })
}

func proofHead(r db.ProofsRow) plan.ProofHead {
	return plan.ProofHead{Plan: r.Plan, At: instant(r.At), Digest: r.Digest, Items: int(r.Items), Given: int(r.Given),
		Carbon: grid.Carbon(r.Carbon), Bound: grid.Carbon(r.Bound), Tenant: access.Tenant(r.Owner)}
}
