package wire

import (
	"context"

	"clusy.io/clusy/internal/access"
)

// Caller is who a request comes from: authn says it, api asks May with it.
type Caller struct {
	Principal access.Principal
	Tenant    access.Tenant
	Site      string // for agents: the one site it may sync
	Grants    []access.Grant
}

type callerKey struct{}

// WithCaller puts c into ctx.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who the request comes from; ok is false if nobody said.
func CallerOf(ctx context.Context) (c Caller, ok bool) {
	c, ok = ctx.Value(callerKey{}).(Caller)
	return c, ok
}
