package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/wire"
)

// Sessions is what the doors need to let browsers in.
type Sessions interface {
	// Invite returns a link that opens one session with grant, for the holder
	// of the token of that id, and when it is good for nothing any more.
	Invite(grant access.Grant, token string) (url secret.Secret, until time.Time, err error)
	// Open takes a code back and returns a token made for its grant, or
	// problem.Denied.
	Open(ctx context.Context, code secret.Secret) (secret.Secret, access.Token, error)
	// Ended is called when a token has ended before its time: what is
	// remembered of it is to be forgotten.
	Ended()
}

// Cookie says in which cookie a browser carries its token.
type Cookie struct {
	Name   string
	Secure bool // only over TLS
}

func (c Cookie) carry(token secret.Secret, until time.Time) string {
	k := http.Cookie{Name: c.Name, Value: token.Reveal(), Path: "/", Expires: until, HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteStrictMode}
	if token == "" {
		k.MaxAge = -1
	}
	return k.String()
}

type signIn struct{ Body clusy.SignIn }

type signedIn struct {
	Status    int
	SetCookie string `header:"Set-Cookie"`
	Body      clusy.Session
}

// openSession exchanges a one-time code for a session.
func (s *Server) openSession(ctx context.Context, in *signIn) (*signedIn, error) {
	token, t, err := s.Sessions.Open(ctx, secret.Secret(in.Body.Code))
	if problem.Is(err, problem.Denied) {
		return nil, &failure{clusy.Problem{Title: http.StatusText(401), Status: 401,
			Detail: "This sign-in link was used, is over, or never was. `clusy console` prints another one."}}
	}
	if err != nil {
		return nil, err
	}
	return &signedIn{
		Status: http.StatusCreated, SetCookie: s.Cookie.carry(token, t.Grant.Until),
		Body: sessionOut(wire.Caller{Principal: t.Grant.Holder, Tenant: t.Grant.Tenant, Grants: []access.Grant{t.Grant}, Browser: true}),
	}, nil
}

func sessionOut(c wire.Caller) clusy.Session {
	out := clusy.Session{Principal: string(c.Principal), Tenant: string(c.Tenant), Browser: c.Browser, Permissions: []string{}}
	for _, g := range c.Grants {
		out.Role, out.Until = string(g.Role), g.Until
		for _, p := range access.Roles[g.Role] {
			out.Permissions = append(out.Permissions, string(p))
		}
	}
	slices.Sort(out.Permissions)
	return out
}

// session says who the caller is. To be nobody, or nobody any more, is an
// answer: a page asks this before it knows.
func (s *Server) session(ctx context.Context, _ *none) (*body[clusy.Session], error) {
	caller, known := wire.CallerOf(ctx)
	if !known || !alive(caller) {
		caller = wire.Caller{}
	}
	return ok(sessionOut(caller))
}

// alive reports whether any grant of the caller's is in force.
func alive(c wire.Caller) bool {
	now := time.Now()
	return slices.ContainsFunc(c.Grants, func(g access.Grant) bool { return g.Live(now) })
}

type signedOut struct {
	SetCookie string `header:"Set-Cookie"`
}

// closeSession ends a browser's session. A token that someone was given is not
// a session: who holds it may not end it by mistake.
func (s *Server) closeSession(ctx context.Context, _ *none) (*signedOut, error) {
	caller, _ := wire.CallerOf(ctx)
	if !caller.Browser {
		return nil, problem.Errorf(problem.Conflict, "This request carries a token of its own, and no browser's session: there is nothing to sign out of.")
	}
	err := s.Store.Update(ctx, caller.Tenant, func(tx TenantTx) error {
		return tx.EndToken(caller.Token, time.Now(), audit.Event{At: s.Now(), Actor: caller.Principal, Kind: audit.TokenEnded, Detail: map[string]string{"why": "signed out"}})
	})
	if err != nil && !problem.Is(err, problem.NotFound) {
		return nil, err
	}
	s.Sessions.Ended()
	return &signedOut{SetCookie: s.Cookie.carry("", time.Unix(0, 0))}, nil
}

// linkSession makes a link that signs a browser in as the caller: with the
// same role, and for no longer.
func (s *Server) linkSession(ctx context.Context, _ *none) (*body[clusy.SessionLink], error) {
	caller, _ := wire.CallerOf(ctx)
	url, until, err := s.Sessions.Invite(caller.Grants[0], caller.Token)
	if err != nil {
		return nil, err
	}
	return ok(clusy.SessionLink{URL: url.Reveal(), Until: until})
}
