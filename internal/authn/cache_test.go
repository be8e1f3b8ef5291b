package authn

import (
	"context"
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/problem"
)

// counting is a store that counts how often it is asked.
type counting struct {
	tokens
	asked int
}

func (c *counting) Token(ctx context.Context, hash []byte) (access.Token, error) {
	c.asked++
	return c.tokens.Token(ctx, hash)
}

// A token is asked for once in two seconds; one that is taken back is out after
// that, and one that is new is in at once.
func TestCached(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	db := &counting{tokens: tokens{"a": {ID: "tok_a"}}}
	store := Cached(db, func() time.Time { return now })
	ask := func(hash string, want bool, asked int) {
		t.Helper()
		_, err := store.Token(context.Background(), []byte(hash))
		if (err == nil) != want || err != nil && !problem.Is(err, problem.NotFound) || db.asked != asked {
			t.Errorf("token %q: %v after %d questions to the store, want found %t after %d", hash, err, db.asked, want, asked)
		}
	}
	ask("a", true, 1)
	ask("a", true, 1)
	ask("b", false, 2)
	db.tokens["b"] = access.Token{ID: "tok_b"}
	ask("b", true, 3)
	delete(db.tokens, "a")
	now = now.Add(believed - 1)
	ask("a", true, 3)
	now = now.Add(1)
	ask("a", false, 4)
	ask("a", false, 5)

	ask("b", true, 6)
	delete(db.tokens, "b")
	ask("b", true, 6)
	store.Forget() // it was ended here: it is out at once
	ask("b", false, 7)

	for n := range 3 * mostKnown {
		id := fmt.Sprint(n)
		db.tokens[id] = access.Token{ID: id}
		_, _ = store.Token(context.Background(), []byte(id))
	}
	if n := len(store.known); n > mostKnown {
		t.Errorf("%d tokens are remembered, want at most %d", n, mostKnown)
	}
}
