package dial

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

const key = "k3y-that-must-not-print"

func exchange(t *testing.T, o Options) *Exchange {
	t.Helper()
	x, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func line(t *testing.T, x *Exchange, url string) *Line {
	t.Helper()
	l, err := x.Line(Destination{URL: url, Purpose: "test", Sends: "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serve(t *testing.T, f http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s
}

func TestAnswer(t *testing.T) {
	var got *http.Request
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("ETag", `"1"`)
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("short and stout"))
	})
	l := line(t, exchange(t, Options{Version: "1.2.3"}), s.URL+"/v3/")
	a, err := l.Do(t.Context(), Request{Path: "/carbon intensity", Query: url.Values{"zone": {"DE&FR"}}, Header: http.Header{"auth-token": {key}}})
	if err != nil || a.Status != http.StatusTeapot || string(a.Body) != "short and stout" || a.Header.Get("ETag") != `"1"` {
		t.Fatalf("got %+v, %v", a, err)
	}
	if got.URL.String() != "/v3/carbon%20intensity?zone=DE%26FR" || got.Header.Get("Auth-Token") != key || got.UserAgent() != "clusy/1.2.3" {
		t.Errorf("the server saw %s with %v", got.URL, got.Header)
	}
}

func TestDestinations(t *testing.T) {
	x := exchange(t, Options{Proxy: "http://user:" + key + "@proxy.example:3128"})
	for _, u := range []string{"https://b.example/v1/", "https://a.example", "https://b.example/v1", "http://127.0.0.1:9"} {
		line(t, x, u)
	}
	var got []string
	for _, d := range x.Destinations() {
		got = append(got, d.URL+" via "+d.Via)
	}
	want := "http://127.0.0.1:9 via |https://a.example via http://proxy.example:3128|https://b.example/v1 via http://proxy.example:3128"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("destinations are %s, want %s", s, want)
	}
}

func TestUndeclarable(t *testing.T) {
	x := exchange(t, Options{})
	for u, want := range map[string]string{
		"http://api.example":            "plain http",
		"ftp://api.example":             "scheme",
		"api.example":                   "names no host",
		"https://":                      "names no host",
		"https://me:" + key + "@x.test": "user or password",
		"https://x.test/?k=" + key:      "query",
		"https://x.test/#" + key:        "fragment",
		"https://x.test:" + key:         "cannot be read",
		"http://127.0.0.1.example":      "plain http",
	} {
		_, err := x.Line(Destination{URL: u, Purpose: "test", Sends: "nothing"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %v, want %q", u, err, want)
		}
	}
	if _, err := x.Line(Destination{URL: "https://x.test"}); err == nil {
		t.Error("a destination without a purpose was declared")
	}
	for _, o := range []Options{{Roots: []byte("none")}, {Proxy: "::"}, {Proxy: "socks5://x:1"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestForbidden(t *testing.T) {
	for a, want := range map[string]string{
		"169.254.169.254":          "link-local",
		"::ffff:169.254.169.254":   "link-local",
		"64:ff9b::169.254.169.254": "link-local",
		"fe80::1%eth0":             "link-local",
		"fd00:ec2::254":            "metadata",
		"100.100.100.200":          "metadata",
		"168.63.129.16":            "metadata",
		"192.0.0.192":              "metadata",
		"127.0.0.1":                "this machine",
		"127.8.8.8":                "this machine",
		"::1":                      "this machine",
		"0.0.0.0":                  "this machine",
		"::":                       "this machine",
		"224.0.0.251":              "link-local",
		"239.1.1.1":                "multicast",
		"10.0.0.1":                 "",
		"2001:db8::1":              "",
		"203.0.113.9":              "",
	} {
		got := forbidden(netip.MustParseAddr(a), false)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", a, got, want)
		}
	}
	if forbidden(netip.MustParseAddr("127.0.0.1"), true) != "" || forbidden(netip.MustParseAddr("10.0.0.1"), true) == "" {
		t.Error("what was declared as this machine must be it, and nothing else")
	}
}

// A name that turns out to lead to this machine is refused before anything is
// sent. The guard is tried on the wire, as the place where it hangs matters.
func TestAddressIsLookedAt(t *testing.T) {
	called := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { called = true })
	l := line(t, exchange(t, Options{}), s.URL)
	// The same line, as if its destination had been a name elsewhere.
	other := line(t, exchange(t, Options{}), "https://elsewhere.example")
	elsewhere := *l
	elsewhere.client = other.client
	_, err := elsewhere.Do(t.Context(), Request{})
	if r, ok := errors.AsType[*Refused](err); !ok || !strings.Contains(r.Why, "this machine") || called {
		t.Errorf("got %v, called: %v", err, called)
	}
}

func TestRedirect(t *testing.T) {
	reached := false
	other := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
	for _, to := range []string{other.URL + "/?key=" + key, "/elsewhere?key=" + key, "", "http://169.254.169.254/"} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if to != "" {
				w.Header().Set("Location", to)
			}
			w.WriteHeader(http.StatusFound)
		})
		_, err := line(t, exchange(t, Options{}), s.URL).Do(t.Context(), Request{Header: http.Header{"Auth-Token": {key}}})
		if err == nil || !strings.Contains(err.Error(), "redirects") || strings.Contains(err.Error(), key) {
			t.Errorf("to %q: %v", to, err)
		}
	}
	if reached {
		t.Error("a redirection was followed")
	}
}

func TestBounds(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	archive := bytes.Repeat(bomb.Bytes(), 64) // which a reader takes for one
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "more than 262144 bytes"},
		"bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(archive)
		}, "more than 262144 bytes"},
		"not gzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(key + key))
		}, "is gzip and is not"},
		"brotli": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = w.Write([]byte("x"))
		}, `encoded as "br"`},
		"big headers": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100 {
				w.Header().Set("X-"+strings.Repeat("a", i+1), strings.Repeat("b", 4000))
			}
		}, "headers of the answer"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
		}, "broke off"},
		"hung up": {func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, "broke off"},
		"not http": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			_, _ = c.Write([]byte("HTTP/1.1 " + key + "\r\n\r\n"))
			_ = c.Close()
		}, "not HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(c.serve)
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.Start()
			defer s.Close()
			_, err := line(t, exchange(t, Options{MostBytes: 256 << 10}), s.URL).Do(t.Context(), Request{Query: url.Values{"key": {key}}})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), key) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestSlow(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("{"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, err := line(t, exchange(t, Options{Patience: 30 * time.Millisecond}), s.URL).Do(t.Context(), Request{Query: url.Values{"key": {key}}})
	if !errors.Is(err, ErrSlow) || strings.Contains(err.Error(), key) {
		t.Errorf("got %v, want ErrSlow", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := line(t, exchange(t, Options{}), s.URL).Do(ctx, Request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}

func TestTLS(t *testing.T) {
	quiet := log.New(io.Discard, "", 0)
	start := func(most uint16) (*httptest.Server, []byte) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: most}
		s.Config.ErrorLog = quiet
		s.StartTLS()
		t.Cleanup(s.Close)
		return s, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	}
	s, root := start(tls.VersionTLS13)
	if _, err := line(t, exchange(t, Options{Roots: root}), s.URL).Do(t.Context(), Request{}); err != nil {
		t.Errorf("with its root: %v", err)
	}
	if _, err := line(t, exchange(t, Options{}), s.URL).Do(t.Context(), Request{}); err == nil || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("without its root: %v", err)
	}
	old, root := start(tls.VersionTLS11)
	if _, err := line(t, exchange(t, Options{Roots: root}), old.URL).Do(t.Context(), Request{}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := line(t, exchange(t, Options{}), "https"+strings.TrimPrefix(plain.URL, "http")).Do(t.Context(), Request{}); err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("plain answer: %v", err)
	}
}

// The proxy that was declared is used, for what leaves this machine and for
// nothing else, and that of the environment never.
func TestProxy(t *testing.T) {
	asked := make(chan string, 4)
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	})
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	here := serve(t, func(http.ResponseWriter, *http.Request) {})
	x := exchange(t, Options{Proxy: proxy.URL})
	if _, err := line(t, x, "https://api.example").Do(t.Context(), Request{}); err == nil {
		t.Error("the proxy said no, and it worked")
	}
	if got := <-asked; got != "CONNECT api.example:443" {
		t.Errorf("the proxy was asked %q", got)
	}
	if _, err := line(t, x, here.URL).Do(t.Context(), Request{}); err != nil {
		t.Error(err)
	}
	if tr := line(t, exchange(t, Options{}), "https://api.example").client.Transport.(*http.Transport); tr.Proxy != nil {
		t.Error("an undeclared proxy is used")
	}
	if len(asked) != 0 {
		t.Errorf("the proxy was also asked %q", <-asked)
	}
}

func TestPathStaysInside(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	if _, err := line(t, exchange(t, Options{}), s.URL+"/v3").Do(t.Context(), Request{Path: "zones/../../admin"}); err == nil {
		t.Error("the path led out")
	}
}
