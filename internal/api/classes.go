package api

import (
	"context"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

type classesIn struct {
	Cursor string `query:"cursor" maxLength:"63" doc:"The next of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"100"`
}

// classes lists what is known of how long the tenant's work takes, by class.
func (s *Server) classes(ctx context.Context, in *classesIn) (*body[clusy.Page[clusy.Class]], error) {
	caller, _ := wire.CallerOf(ctx)
	var hs []workload.History
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) (err error) {
		hs, err = tx.Histories(in.Cursor, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	next := ""
	if len(hs) > in.Limit { // one more than asked for says that there is a next page
		hs = hs[:in.Limit]
		next = hs[len(hs)-1].Class
	}
	var out []clusy.Class
	for _, h := range hs {
		out = append(out, wire.ClassOut(h))
	}
	return page(out, next)
}

type byClass struct {
	Class string `path:"class" maxLength:"63"`
}

// class returns what is known of how long the work of one class takes. That is
// not found until the first of it has ended.
func (s *Server) class(ctx context.Context, in *byClass) (*body[clusy.Class], error) {
	caller, _ := wire.CallerOf(ctx)
	if !workload.ValidClass(in.Class) {
		return nil, problem.With(problem.Invalid, "That is not the name of a class.", problem.Violation{Pointer: "/class", Value: in.Class,
			Limit: "a-z, 0-9 and -, beginning and ending with a letter or digit", Message: "not the name of a class"})
	}
	var h workload.History
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) (err error) {
		h, err = tx.History(in.Class)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := wire.ClassOut(h)
	out.Newest = wire.ClassRunsOut(h)
	return ok(out)
}
