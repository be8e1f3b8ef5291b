package authn

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/wire"
)

// Store is what authn needs of a store.
type Store interface {
	// Token returns the token whose SHA-256 is hash, or problem.NotFound.
	Token(ctx context.Context, hash []byte) (access.Token, error)
}

// Identify puts the caller of each request into its context: by its bearer
// token, else by the one that a browser carries in the cookie of that name. A
// request without a good token goes on without a caller: whether that will do,
// its door says. If the store cannot tell, nobody is taken for a stranger: the
// request is to come again.
func Identify(store Store, cookie string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, browser := carried(r, cookie)
		hash, ok := Hash(text)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		var identify func(context.Context) (wire.Caller, error)
		identify = func(ctx context.Context) (wire.Caller, error) {
			t, err := store.Token(ctx, hash)
			return wire.Caller{
				Principal: t.Grant.Holder, Tenant: t.Grant.Tenant, Site: t.Grant.Site, Grants: []access.Grant{t.Grant},
				Token: t.ID, Browser: browser, Again: identify,
			}, err
		}
		switch caller, err := identify(r.Context()); {
		case err == nil:
			r = r.WithContext(wire.WithCaller(r.Context(), caller))
		case !problem.Is(err, problem.NotFound):
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(clusy.Problem{Title: http.StatusText(503), Status: 503, Detail: "It cannot be told just now who this is: try again in a moment."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// carried returns the token that a request carries, "" if none. Whoever sends
// an Authorization header means it: the cookie does not count then.
func carried(r *http.Request, cookie string) (token secret.Secret, browser bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		text, ok := strings.CutPrefix(header, "Bearer ")
		if !ok {
			return "", false
		}
		return secret.Secret(strings.TrimSpace(text)), false
	}
	c, err := r.Cookie(cookie)
	if err != nil {
		return "", false
	}
	return secret.Secret(c.Value), true
}
