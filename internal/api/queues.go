package api

import (
	"context"
	"fmt"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

type queueIn struct {
	Name string `path:"queue" maxLength:"63" doc:"The queue's name."`
}

type queuePut struct {
	Name string `path:"queue" maxLength:"63" doc:"The queue's name."`
	Body clusy.QueueSettings
}

// queues lists the caller's queues with what they take, the default one always.
func (s *Server) queues(ctx context.Context, _ *none) (*body[clusy.Page[clusy.Queue]], error) {
	caller, _ := wire.CallerOf(ctx)
	out, err := s.queuesOf(ctx, caller.Tenant)
	if err != nil {
		return nil, err
	}
	return ok(clusy.Page[clusy.Queue]{Items: out})
}

func (s *Server) queuesOf(ctx context.Context, tenant access.Tenant) (out []clusy.Queue, err error) {
	err = s.Store.ViewAll(ctx, func(sys SystemTx) error {
		out = nil
		qs, err := sys.For(tenant).Queues()
		if err != nil {
			return err
		}
		world, err := world(sys, s.Now())
		if err != nil {
			return err
		}
		uses := plan.Uses(plan.Observe(world, s.Rules), tenant)
		if at(qs, workload.DefaultQueue) < 0 {
			out = append(out, wire.QueueOut(workload.UsualQueue(workload.DefaultQueue), uses[workload.DefaultQueue]))
		}
		for _, q := range qs {
			out = append(out, wire.QueueOut(q, uses[q.Name]))
		}
		return nil
	})
	return out, err
}

func at(qs []workload.Queue, name string) int {
	for i, q := range qs {
		if q.Name == name {
			return i
		}
	}
	return -1
}

func (s *Server) queue(ctx context.Context, in *queueIn) (*body[clusy.Queue], error) {
	caller, _ := wire.CallerOf(ctx)
	all, err := s.queuesOf(ctx, caller.Tenant)
	if err != nil {
		return nil, err
	}
	for _, q := range all {
		if q.Name == in.Name {
			return ok(q)
		}
	}
	return nil, problem.Errorf(problem.NotFound, "there is no queue %s", in.Name)
}

// setQueue sets a queue up, or changes it to exactly what is given.
func (s *Server) setQueue(ctx context.Context, in *queuePut) (*body[clusy.Queue], error) {
	caller, _ := wire.CallerOf(ctx)
	q := wire.QueueIn(in.Name, in.Body)
	if vs := q.Validate(); len(vs) > 0 {
		return nil, problem.With(problem.Invalid, "The queue breaks "+plural(len(vs), "rule")+".", vs...)
	}
	err := s.Store.Update(ctx, caller.Tenant, func(tx TenantTx) error {
		qs, err := tx.Queues()
		if err != nil {
			return err
		}
		guaranteed := q.Guaranteed
		for _, o := range qs {
			if o.Name != q.Name {
				guaranteed += o.Guaranteed
			}
		}
		i := at(qs, q.Name)
		switch {
		case guaranteed > 1000:
			left := 1000 - (guaranteed - q.Guaranteed)
			return problem.With(problem.Invalid, "The queues together would be guaranteed more than there is.", problem.Violation{
				Pointer: "/guaranteed", Message: "all queues together can be guaranteed all that the sites have, and no more", Value: fmt.Sprintf("%g", float64(q.Guaranteed)/1000),
				Limit: fmt.Sprintf("at most %g beside the others", float64(left)/1000), Nearest: fmt.Sprintf("%g", float64(left)/1000)})
		case i < 0 && len(qs) >= workload.MaxQueues:
			return problem.Errorf(problem.Limited, "There are %d queues, which is as many as there can be: remove one first.", len(qs))
		case i >= 0:
			q.Rev = qs[i].Rev
		}
		return tx.PutQueue(&q, audit.Event{At: s.Now().UTC().Truncate(time.Microsecond), Actor: caller.Principal, Kind: audit.QueueSet})
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return s.queue(ctx, &queueIn{in.Name})
}

// removeQueue removes a queue. Work that is in it stays, and has no share.
func (s *Server) removeQueue(ctx context.Context, in *queueIn) (*body[clusy.Removed], error) {
	caller, _ := wire.CallerOf(ctx)
	err := s.Store.Update(ctx, caller.Tenant, func(tx TenantTx) error {
		return tx.RemoveQueue(in.Name, audit.Event{At: s.Now().UTC().Truncate(time.Microsecond), Actor: caller.Principal, Kind: audit.QueueRemoved})
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return ok(clusy.Removed{Name: in.Name})
}
