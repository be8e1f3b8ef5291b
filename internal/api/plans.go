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
	caller, _ := wire.CallerOf(ctx)
	out := clusy.Page[clusy.Certificate]{Items: []clusy.Certificate{}}
	err := s.Store.ViewAll(ctx, func(tx SystemTx) error {
		heads, err := tx.PlanProofs(100)
		for _, h := range heads {
			out.Items = append(out.Items, wire.CertificateOut(h, caller.Tenant))
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
	var packed plan.Packed
	err := s.Store.ViewAll(ctx, func(tx SystemTx) (err error) {
		packed, err = tx.PlanProof(in.Plan)
		return err
	})
	if problem.Is(err, problem.NotFound) || err == nil && packed.Tenant != caller.Tenant {
		return nil, problem.Errorf(problem.NotFound, "plan %q has no proof here: those of the newest plans are kept, and of a plan of several tenants none is given out", in.Plan)
	}
	if err != nil {
		return nil, err
	}
	return ok(clusy.PlanProof{Certificate: wire.CertificateOut(packed.ProofHead, caller.Tenant), Body: packed.Body})
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
