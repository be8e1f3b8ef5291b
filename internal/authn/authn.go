package authn

import (
	"context"
	"net/http"
	"strings"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/wire"
)

// Store is what authn needs of a store.
type Store interface {
	// Token returns the token whose SHA-256 is hash, or problem.NotFound.
	Token(ctx context.Context, hash []byte) (access.Token, error)
}

// Bearer puts the caller of each request into its context. A request without
// a good token goes on without a caller: whether that will do, its door says.
func Bearer(store Store, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		hash, ok := Hash(secret.Secret(strings.TrimSpace(text)))
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		t, err := store.Token(r.Context(), hash)
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		caller := wire.Caller{Principal: t.Grant.Holder, Tenant: t.Grant.Tenant, Site: t.Grant.Site, Grants: []access.Grant{t.Grant}}
		next.ServeHTTP(w, r.WithContext(wire.WithCaller(r.Context(), caller)))
	})
}
