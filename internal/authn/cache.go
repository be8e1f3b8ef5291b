package authn

import (
	"context"
	"sync"
	"time"

	"clusy.io/clusy/internal/access"
)

// Cached returns a store that asks the given one for a token once in a while
// and not at each request. A token that was found is believed for two seconds:
// that is the longest that one which another replica has ended may still be let
// in here. What this one ends, it forgets at once (Forget). The end of a grant is exact: it is part of the token, and
// every request is judged by it. What was not found is not remembered.
func Cached(store Store, now func() time.Time) *Cache {
	return &Cache{store: store, now: now, known: map[string]remembered{}}
}

const (
	believed = 2 * time.Second
	// mostKnown bounds the memory; beyond it all is forgotten and asked again.
	mostKnown = 4096
)

// Cache remembers tokens for a moment.
type Cache struct {
	store Store
	now   func() time.Time
	mu    sync.Mutex
	known map[string]remembered // by hash
	// forgot counts what was forgotten: a look that began before must not put
	// back what has ended meanwhile.
	forgot int
}

type remembered struct {
	token access.Token
	until time.Time
}

func (c *Cache) Token(ctx context.Context, hash []byte) (access.Token, error) {
	now := c.now()
	c.mu.Lock()
	r, ok := c.known[string(hash)]
	forgot := c.forgot
	c.mu.Unlock()
	if ok && now.Before(r.until) {
		return r.token, nil
	}
	t, err := c.store.Token(ctx, hash)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		delete(c.known, string(hash))
		return t, err
	}
	if c.forgot != forgot {
		return t, nil
	}
	if len(c.known) >= mostKnown {
		clear(c.known)
	}
	// Counted from before it was asked for: what changed meanwhile is not older.
	c.known[string(hash)] = remembered{t, now.Add(believed)}
	return t, nil
}

// Forget drops what is remembered: a token has ended.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgot++
	clear(c.known)
}
