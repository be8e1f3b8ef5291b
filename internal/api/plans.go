package api

import (
	"context"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
)

// plans lists how far the newest plans are from the best possible.
func (s *Server) plans(ctx context.Context, _ *none) (*body[clusy.Page[clusy.Certificate]], error) {
	out := clusy.Page[clusy.Certificate]{Items: []clusy.Certificate{}}
	err := s.Store.ViewAll(ctx, func(tx SystemTx) error {
		heads, err := tx.PlanProofs(100)
		for _, h := range heads {
			out.Items = append(out.Items, wire.CertificateOut(h))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

type byPlan struct {
	Plan string `path:"plan" maxLength:"64"`
}

// planProof returns all that a plan was decided on. Whoever plans beside others
// does not get to see them: a plan of several tenants stays in the house.
func (s *Server) planProof(ctx context.Context, in *byPlan) (*body[clusy.PlanProof], error) {
	caller, _ := wire.CallerOf(ctx)
	var out clusy.PlanProof
	err := s.Store.ViewAll(ctx, func(tx SystemTx) error {
		packed, err := tx.PlanProof(in.Plan)
		if err != nil {
			return err
		}
		proof, err := plan.Unpack(packed)
		if err != nil {
			return err
		}
		for _, it := range proof.Items {
			if it.Tenant != caller.Tenant {
				// As if there were none: that there are others is not told either.
				return problem.Errorf(problem.NotFound, "plan %q has no proof for this tenant", in.Plan)
			}
		}
		out = clusy.PlanProof{Certificate: wire.CertificateOut(packed.ProofHead), Body: packed.Body}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

// quotes says what more time would save a workload, while all others stay
// where they are.
func (s *Server) quotes(ctx context.Context, in *byID) (*body[clusy.Quotes], error) {
	caller, _ := wire.CallerOf(ctx)
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) error {
		_, err := tx.Workload(in.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	now := s.Now()
	out := clusy.Quotes{Quotes: []clusy.Quote{}}
	err = s.Store.ViewAll(ctx, func(tx SystemTx) error {
		world, err := world(tx, now)
		if err != nil {
			return err
		}
		out.Quotes = wire.QuotesOut(plan.Quotes(plan.Observe(world, s.Rules), plan.Plan{Placements: world.Placements}, in.ID))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}
