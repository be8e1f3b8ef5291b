package authn

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/wire"
)

func TestTokenForm(t *testing.T) {
	tok, err := NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := tok.Reveal()
	if !strings.HasPrefix(text, "clsy_") || len(text) != len("clsy_")+49 {
		t.Errorf("token has the wrong form: %d characters", len(text))
	}
	if tok.String() == text {
		t.Error("a token prints itself")
	}
	if _, ok := Hash(tok); !ok {
		t.Error("a fresh token is refused")
	}
	// One wrong character anywhere, and one too few or many, is found.
	for i := range text {
		b := []byte(text)
		b[i] = "AB"[btoi(b[i] == 'A')]
		if _, ok := Hash(secret.Secret(b)); ok {
			t.Errorf("a token with character %d changed is accepted", i)
		}
	}
	for _, bad := range []string{"", "clsy_", text[:len(text)-1], text + "0", strings.Replace(text, "clsy_", "clsx_", 1), text[:len(text)-1] + "é"} {
		if _, ok := Hash(secret.Secret(bad)); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
	if _, err := NewToken(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a token is made of too little randomness")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

type tokens map[string]access.Token

func (ts tokens) Token(_ context.Context, hash []byte) (access.Token, error) {
	if t, ok := ts[string(hash)]; ok {
		return t, nil
	}
	return access.Token{}, problem.Errorf(problem.NotFound, "no such token")
}

func TestIdentifyByToken(t *testing.T) {
	good, _ := NewToken(rand.Reader)
	other, _ := NewToken(rand.Reader)
	hash, _ := Hash(good)
	known := tokens{string(hash): {Grant: access.Grant{Holder: "token:a", Tenant: "acme", Role: access.Viewer, Site: "local"}}}
	for header, want := range map[string]access.Principal{
		"":                            "",
		"Bearer " + good.Reveal():     "token:a",
		"Bearer " + other.Reveal():    "",
		"Bearer nonsense":             "",
		"Basic " + good.Reveal():      "",
		"bearer" + good.Reveal():      "",
		good.Reveal():                 "",
		"Bearer  " + good.Reveal():    "token:a",
		"Bearer " + good.Reveal()[1:]: "",
	} {
		var got wire.Caller
		h := Identify(known, "clusy", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, _ = wire.CallerOf(r.Context()) }))
		r := httptest.NewRequest("GET", "/", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got.Principal != want {
			t.Errorf("Authorization %.12q…: caller %q, want %q", header, got.Principal, want)
		}
		if want != "" && (got.Tenant != "acme" || got.Site != "local" || len(got.Grants) != 1) {
			t.Errorf("caller is %+v", got)
		}
	}
}

// A browser carries its token in a cookie, and no other cookie will do. With
// an Authorization header, whatever it says, the cookie does not count.
func TestIdentifyByCookie(t *testing.T) {
	good, _ := NewToken(rand.Reader)
	hash, _ := Hash(good)
	known := tokens{string(hash): {ID: "ses_1", Grant: access.Grant{Holder: "user:a", Tenant: "acme", Role: access.Viewer}}}
	for _, c := range []struct {
		name, value, header string
		want                access.Principal
	}{
		{"clusy", good.Reveal(), "", "user:a"},
		{"clusy", good.Reveal() + "x", "", ""},
		{"other", good.Reveal(), "", ""},
		{"clusy", "", "", ""},
		{"clusy", good.Reveal(), "Bearer nonsense", ""},
		{"clusy", good.Reveal(), "Basic dTpw", ""},
	} {
		var got wire.Caller
		h := Identify(known, "clusy", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, _ = wire.CallerOf(r.Context()) }))
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: c.name, Value: c.value})
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got.Principal != c.want || got.Browser != (c.want != "") || c.want != "" && got.Token != "ses_1" {
			t.Errorf("%+v: caller is %+v, want %q", c, got, c.want)
		}
	}
}

// A code is good once, and until its end.
func TestLinks(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	l := &Links{Now: func() time.Time { return now }}
	grant := access.Grant{Holder: "user:a", Role: access.Viewer, Tenant: "acme"}
	invite := func() secret.Secret {
		t.Helper()
		code, err := l.Invite(grant, "tok_1", now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	code := invite()
	if _, _, ok := l.Accept(code + "x"); ok {
		t.Error("a code that never was is accepted")
	}
	if got, of, ok := l.Accept(code); !ok || got != grant || of != "tok_1" {
		t.Errorf("a fresh code gives %+v of %q, %t", got, of, ok)
	}
	if _, _, ok := l.Accept(code); ok {
		t.Error("a code is accepted twice")
	}
	code = invite()
	now = now.Add(time.Minute)
	if _, _, ok := l.Accept(code); ok {
		t.Error("a code is accepted at its end")
	}
	for range maxLinks {
		invite()
	}
	if _, err := l.Invite(grant, "tok_1", now.Add(time.Minute)); !problem.Is(err, problem.Limited) {
		t.Errorf("one more than the most: %v", err)
	}
	now = now.Add(time.Minute)
	invite() // the old ones have made room
	if len(l.open) != 1 {
		t.Errorf("%d codes are kept, want 1", len(l.open))
	}
}

// sick is a store that cannot tell.
type sick struct{}

func (sick) Token(context.Context, []byte) (access.Token, error) {
	return access.Token{}, errors.New("disk")
}

// Where the store cannot tell who it is, nobody is turned away as a stranger.
func TestIdentifyWhenTheStoreIsSick(t *testing.T) {
	good, _ := NewToken(rand.Reader)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+good.Reveal())
	w := httptest.NewRecorder()
	Identify(sick{}, "clusy", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it goes on as nobody") })).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("it is answered %d", w.Code)
	}
}

// slow is a store in which a token ends while it is looked up.
type slow struct {
	tokens
	meanwhile func()
}

func (s slow) Token(ctx context.Context, hash []byte) (access.Token, error) {
	t, err := s.tokens.Token(ctx, hash)
	s.meanwhile()
	return t, err
}

// What ends during a look is not remembered by that look.
func TestForgetDuringALook(t *testing.T) {
	var c *Cache
	known := tokens{"a": {ID: "tok_a"}}
	c = Cached(slow{known, func() { delete(known, "a"); c.Forget() }}, time.Now)
	if _, err := c.Token(t.Context(), []byte("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Token(t.Context(), []byte("a")); err == nil {
		t.Error("a token that has ended is still believed")
	}
}
