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
	Token     string // the id of the token that it came with
	Browser   bool   // a browser carries the token in a cookie
	// Again asks anew who it is, for those who stay long after they came in:
	// a token may have been ended since. It fails if that cannot be told.
	Again func(context.Context) (Caller, error)
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
