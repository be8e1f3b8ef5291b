package api

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

type budgetIn struct {
	Name string `path:"budget" maxLength:"63" doc:"The budget's name."`
}

type budgetsIn struct {
	At time.Time `query:"at" doc:"Show the period in which this time lies. Default: now."`
}

type budgetPut struct {
	Name string `path:"budget" maxLength:"63" doc:"The budget's name."`
	Body clusy.BudgetSettings
}

// budgets lists the caller's budgets, and how each stands.
func (s *Server) budgets(ctx context.Context, in *budgetsIn) (*body[clusy.Page[clusy.Budget]], error) {
	caller, _ := wire.CallerOf(ctx)
	out, err := s.budgetsOf(ctx, caller.Tenant, in.At)
	if err != nil {
		return nil, err
	}
	return ok(clusy.Page[clusy.Budget]{Items: out})
}

func (s *Server) budgetsOf(ctx context.Context, tenant access.Tenant, at time.Time) (out []clusy.Budget, err error) {
	now := s.Now()
	if at.IsZero() {
		at = now
	}
	err = s.Store.ViewAll(ctx, func(sys SystemTx) error {
		out = []clusy.Budget{}
		book, err := sys.Spending(tenant, now)
		if err != nil || book == nil {
			return err
		}
		since := budget.Since(book.Budgets(), now)
		for _, b := range book.Budgets() {
			// What was spent before is not read, and must not be shown as nothing.
			if b.PeriodOf(at).Start.Before(since) {
				return problem.With(problem.Invalid, "That is further back than budgets are read.", problem.Violation{
					Pointer: "query.at", Message: fmt.Sprintf("the period of budget %s then is in the ledger, and is not added up here", b.Name),
					Value: at.UTC().Format(time.RFC3339), Limit: "a period that begins after " + since.UTC().Format(time.RFC3339), Nearest: now.UTC().Format(time.RFC3339)})
			}
			out = append(out, wire.BudgetOut(book.Statement(b, at)))
		}
		return nil
	})
	return out, err
}

func (s *Server) budget(ctx context.Context, in *budgetIn) (*body[clusy.Budget], error) {
	caller, _ := wire.CallerOf(ctx)
	all, err := s.budgetsOf(ctx, caller.Tenant, time.Time{})
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.Name == in.Name {
			return ok(b)
		}
	}
	return nil, problem.Errorf(problem.NotFound, "there is no budget %s", in.Name)
}

// setBudget sets a budget, or changes it to exactly what is given.
func (s *Server) setBudget(ctx context.Context, in *budgetPut) (*body[clusy.Budget], error) {
	caller, _ := wire.CallerOf(ctx)
	b, vs := wire.BudgetIn(in.Name, in.Body)
	if vs = append(vs, b.Validate()...); len(vs) > 0 {
		return nil, problem.With(problem.Invalid, "The budget breaks "+plural(len(vs), "rule")+".", vs...)
	}
	err := s.Store.Update(ctx, caller.Tenant, func(tx TenantTx) error {
		if b.Queue != "" {
			refusal, err := noQueue(tx, workload.Shape{Queue: b.Queue}, "")
			if err != nil || refusal != nil {
				return cmp.Or(err, refusal)
			}
		}
		bs, err := tx.Budgets()
		if err != nil {
			return err
		}
		found := false
		for _, o := range bs {
			if o.Name == b.Name {
				b.Rev, found = o.Rev, true
			}
		}
		if !found && len(bs) >= budget.MaxBudgets {
			return problem.Errorf(problem.Limited, "There are %d budgets, which is as many as there can be: remove one first.", len(bs))
		}
		return tx.PutBudget(&b, audit.Event{At: s.Now().UTC().Truncate(time.Microsecond), Actor: caller.Principal, Kind: audit.BudgetSet})
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return s.budget(ctx, &budgetIn{in.Name})
}

func (s *Server) removeBudget(ctx context.Context, in *budgetIn) (*body[clusy.Removed], error) {
	caller, _ := wire.CallerOf(ctx)
	err := s.Store.Update(ctx, caller.Tenant, func(tx TenantTx) error {
		return tx.RemoveBudget(in.Name, audit.Event{At: s.Now().UTC().Truncate(time.Microsecond), Actor: caller.Principal, Kind: audit.BudgetRemoved})
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return ok(clusy.Removed{Name: in.Name})
}
