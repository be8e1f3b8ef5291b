// Package fake serves what sources serve, and all that goes wrong with them,
// on this machine. It keeps what it was asked, so that a test can count the
// requests and see where a key went.
package fake

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/dial"
)

// Server is a source on this machine.
type Server struct {
	URL string

	mu       sync.Mutex
	asked    []Asked
	routes   http.Handler
	trouble  http.HandlerFunc
	unmarked bool
}

// Asked is a request as the server saw it.
type Asked struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
}

// New serves routes until the test ends. Each whole answer bears an ETag, and
// who shows it again gets 304.
func New(t testing.TB, routes http.Handler) *Server {
	t.Helper()
	s := &Server{routes: routes}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// MostBytes is the most of an answer that an Exchange of a test takes: little,
// so that tests of too much are quick.
const MostBytes = 256 << 10

// Exchange returns a way to dial the server. It is impatient where the test is
// about slow answers.
func Exchange(t testing.TB, patience time.Duration) *dial.Exchange {
	t.Helper()
	x, err := dial.New(dial.Options{Version: "test", Patience: patience, MostBytes: MostBytes})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Trouble has every request answered by h, until it is nil.
func (s *Server) Trouble(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = h
}

// Unmarked leaves out the ETags.
func (s *Server) Unmarked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unmarked = true
}

// Asked returns the requests since the last call, the oldest first.
func (s *Server) Asked() []Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.asked
	s.asked = nil
	return list
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, Asked{r.Method, r.URL.Path, r.URL.Query(), r.Header.Clone()})
	trouble, unmarked := s.trouble, s.unmarked
	s.mu.Unlock()
	if trouble != nil {
		trouble(w, r)
		return
	}
	rec := httptest.NewRecorder()
	s.routes.ServeHTTP(rec, r)
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	if rec.Code == http.StatusOK && !unmarked {
		sum := sha256.Sum256(rec.Body.Bytes())
		etag := `"` + hex.EncodeToString(sum[:8]) + `"`
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// Keyed asks for a key in a header, and answers refusal with status 401 to who
// has not got it.
func Keyed(header, key string, refusal []byte, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(header) != key {
			JSON(http.StatusUnauthorized, string(refusal))(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Body answers with a status, a type and a text.
func Body(status int, kind, text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

// JSON answers with a status and a text that is said to be JSON.
func JSON(status int, text string, header ...string) http.HandlerFunc {
	return Body(status, "application/json", text, header...)
}

// Slow sends the beginning of an answer, and then nothing more.
func Slow(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"data":[`))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// Truncated promises more than it sends.
func Truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "100000")
	_, _ = w.Write([]byte(`{"data":[`))
}

// Endless sends and sends: 10 GB, if anybody takes it.
func Endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	for range 10 << 30 / len(chunk) {
		if _, err := w.Write(chunk); err != nil || r.Context().Err() != nil {
			return
		}
	}
}

// bomb is 256 MiB of spaces in a quarter of a megabyte: one archive after the
// other, each of one MiB, which a reader takes for one.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20))
	_ = z.Close()
	return bytes.Repeat(b.Bytes(), 256)
})

// Bomb sends a small archive of a large answer.
func Bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bomb())
}

// Echo answers with an error that repeats all that it was sent: a careless
// server, whose words must not carry a key into a log.
func Echo(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		text := r.URL.String()
		for _, v := range r.Header {
			for _, one := range v {
				text += " " + one
			}
		}
		quoted := bytes.ReplaceAll([]byte(text), []byte(`"`), []byte(`'`))
		_, _ = w.Write(append(append([]byte(`{"error":"`), quoted...), `"}`...))
	}
}

// HangUp ends the connection without a word.
func HangUp(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

// Elsewhere redirects.
func Elsewhere(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}
