package authn

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/secret"
)

// Links are one-time codes, each good for one session with the grant that it
// was made for. They live in memory only: a code that nobody used ends with
// the process, and no file or backup ever held it.
type Links struct {
	// Now is real time, also where workloads run on a replayed clock.
	Now func() time.Time

	mu   sync.Mutex
	open map[[sha256.Size]byte]invitation
}

// invitation is what a code is good for. Of is the id of the token of who made
// it, "" if that was the terminal of the server.
type invitation struct {
	grant access.Grant
	of    string
	until time.Time
}

// maxLinks bounds the codes that wait to be used.
const maxLinks = 1000

// Invite returns a code that opens one session with grant until a time. Of is
// the id of the token of who asks for it.
func (l *Links) Invite(grant access.Grant, of string, until time.Time) (secret.Secret, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	for hash, i := range l.open {
		if !now.Before(i.until) {
			delete(l.open, hash)
		}
	}
	if len(l.open) >= maxLinks {
		return "", problem.Errorf(problem.Limited, "%d sign-in links wait to be used: use one, or wait until they end.", maxLinks)
	}
	if l.open == nil {
		l.open = map[[sha256.Size]byte]invitation{}
	}
	code := rand.Text()
	l.open[sha256.Sum256([]byte(code))] = invitation{grant, of, until}
	return secret.Secret(code), nil
}

// Accept takes a code back and returns its grant, and of whose token it is. ok
// is false for a code that was used, is over, or never was: the three cannot be
// told apart.
func (l *Links) Accept(code secret.Secret) (grant access.Grant, of string, ok bool) {
	hash := sha256.Sum256([]byte(code.Reveal()))
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := l.open[hash]
	delete(l.open, hash)
	if !found || !l.Now().Before(i.until) {
		return access.Grant{}, "", false
	}
	return i.grant, i.of, true
}
