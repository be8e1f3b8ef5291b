package house

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/authn"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/web"
)

// How long a sign-in link waits to be used, and how long the session lasts
// that it opens, if the grant behind it does not end before.
const (
	linkLives    = 15 * time.Minute
	sessionLives = 12 * time.Hour
)

// sessions lets browsers in: by a one-time link, for a token of their own.
type sessions struct {
	h     *House
	links *authn.Links
	known *authn.Cache
}

func (s sessions) Ended() { s.known.Forget() }

func (s sessions) Invite(g access.Grant, token string) (secret.Secret, time.Time, error) {
	until := s.links.Now().Add(linkLives)
	if g.Until.Before(until) {
		until = g.Until
	}
	code, err := s.links.Invite(g, token, until)
	// Behind the #, a code reaches no server's log and no Referer.
	return secret.Secret(s.h.URL+"/sign-in#") + code, until, err
}

func (s sessions) Open(ctx context.Context, code secret.Secret) (secret.Secret, access.Token, error) {
	g, of, ok := s.links.Accept(code)
	if !ok {
		return "", access.Token{}, problem.Errorf(problem.Denied, "no such sign-in link")
	}
	token, err := authn.NewToken(rand.Reader)
	if err != nil {
		return "", access.Token{}, err
	}
	hash, _ := authn.Hash(token)
	now := s.links.Now().UTC().Truncate(time.Microsecond)
	g.From = now
	if end := now.Add(sessionLives); end.Before(g.Until) {
		g.Until = end
	}
	t := access.Token{ID: "ses_" + strings.ToLower(rand.Text()[:8]), Hash: hash, Created: now, Grant: g}
	err = s.h.db.System().Update(ctx, func(tx store.SystemTx) error {
		return tx.PutToken(t, audit.Event{At: s.h.Clock.Now(), Actor: g.Holder, Kind: audit.TokenCreated, Detail: map[string]string{"why": "signed in by a link", "linkOf": of}})
	})
	return token, t, err
}

// SignIn makes a link that signs a browser in with a role, for who started the
// server: whoever reads its terminal may do all of that anyway.
func (h *House) SignIn(role access.Role) (secret.Secret, error) {
	now := time.Now()
	url, _, err := h.sessions.Invite(access.Grant{Holder: "user:terminal", Role: role, Tenant: tenant, From: now, Until: now.Add(sessionLives)}, "")
	return url, err
}

// cookieOf names the cookie of a server. Cookies do not know ports: two servers
// on one machine must not take each other's. Over TLS a browser holds it to
// this host and to TLS by its name.
func cookieOf(listener net.Listener, tls bool) api.Cookie {
	if tls {
		return api.Cookie{Name: "__Host-clusy", Secure: true}
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return api.Cookie{Name: "clusy-" + port}
}

// front is what every request passes before it comes to the API: what a page
// of another origin has a browser send is refused, who is this is found out,
// and pages are told from calls.
func (h *House) front(server *api.Server, cookie string) (http.Handler, error) {
	spec, err := json.Marshal(server.Spec())
	if err != nil {
		return nil, err
	}
	calls := authn.Identify(h.sessions.known, cookie, plain(server.Handler()))
	all, err := web.Handler(spec, calls)
	if err != nil {
		return nil, err
	}
	ours := http.NewCrossOriginProtection()
	ours.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(clusy.Problem{Title: http.StatusText(403), Status: 403,
			Detail: "A browser sent this for a page of another origin. Only the console's own pages may change anything here."})
	}))
	return http.MaxBytesHandler(ours.Handler(all), 8<<20), nil
}
