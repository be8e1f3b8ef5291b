package house

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
)

// signIn opens a link as a browser does, and returns the answer.
func signIn(t *testing.T, h *House, code string) (*http.Response, clusy.Session) {
	t.Helper()
	res, err := http.Post(h.URL+"/v1/sessions", "application/json", strings.NewReader(`{"code":"`+code+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s clusy.Session
	_ = json.NewDecoder(res.Body).Decode(&s)
	return res, s
}

// TestSession: a link lets one browser in once, with the role of who made it
// and no longer than that; signing out ends it for good.
func TestSession(t *testing.T) {
	h, _ := run(t, berlin())
	viewer := token(t, h, tenant, access.Viewer, "", 0, time.Hour)
	link, err := client(h, viewer).SessionLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page, code, found := strings.Cut(link.URL, "#")
	if !found || page != h.URL+"/sign-in" || time.Until(link.Until) > linkLives {
		t.Fatalf("the link is %+v", link)
	}
	res, s := signIn(t, h, code)
	if res.StatusCode != http.StatusCreated || s.Role != "viewer" || s.Tenant != string(tenant) || !s.Browser || time.Until(s.Until) > time.Hour {
		t.Fatalf("a fresh link: %d %+v", res.StatusCode, s)
	}
	cs := res.Cookies()
	if len(cs) != 1 || !cs[0].HttpOnly || cs[0].SameSite != http.SameSiteStrictMode || cs[0].Path != "/" || cs[0].Domain != "" || cs[0].Name != cookieOf(h.listener, false).Name {
		t.Fatalf("the cookies are %+v", cs)
	}
	cookie := cs[0].Name + "=" + cs[0].Value
	if res, _ := signIn(t, h, code); res.StatusCode != http.StatusUnauthorized || len(res.Cookies()) > 0 {
		t.Errorf("the same link again: %d with %d cookies, want 401", res.StatusCode, len(res.Cookies()))
	}

	for _, c := range []struct {
		what, method, path string
		headers            []string
		want               int
	}{
		{"its own session", "GET", "/v1/session", nil, 200},
		{"a read", "GET", "/v1/workloads", nil, 200},
		{"what a viewer may not", "POST", "/v1/workloads/wl_x/cancel", nil, 403},
		{"a link for another browser, from its own page", "POST", "/v1/session-links", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"the same from another site's page", "POST", "/v1/session-links", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"the same from another port's page", "POST", "/v1/session-links", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"the same from an old browser's other origin", "POST", "/v1/session-links", []string{"Origin", "http://evil.example"}, 403},
		{"signing out from another site's page", "DELETE", "/v1/session", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"signing out", "DELETE", "/v1/session", []string{"Sec-Fetch-Site", "same-origin"}, 204},
		{"a read after it", "GET", "/v1/workloads", nil, 401},
	} {
		if code, b := get(t, h, c.method, c.path, "", "", append(c.headers, "Cookie", cookie)...); code != c.want {
			t.Errorf("%s: %d %.200s, want %d", c.what, code, b, c.want)
		}
	}
	if _, b := get(t, h, "GET", "/v1/session", "", "", "Cookie", cookie); strings.Contains(string(b), "viewer") || strings.Contains(string(b), "principal") {
		t.Errorf("after signing out it is still %s", b)
	}
	// A token of one's own is not signed out of.
	if code, _ := get(t, h, "DELETE", "/v1/session", viewer, ""); code != http.StatusConflict {
		t.Errorf("signing out of a token: %d, want 409", code)
	}
	if code, _ := get(t, h, "GET", "/v1/session", viewer, ""); code != http.StatusOK {
		t.Errorf("the token after that: %d, want 200", code)
	}
}

// What a page may do is said with each answer, and pages are served without a
// token: they show nothing by themselves.
func TestPages(t *testing.T) {
	h, _ := run(t, berlin())
	for path, kind := range map[string]string{
		"/": "text/html", "/workloads/wl_x": "text/html", "/zones": "text/html", "/sites": "text/html", "/savings": "text/html", "/signals": "text/html", "/sign-in": "text/html",
		"/docs": "text/html", "/docs/reference.css": "text/css", "/openapi.json": "application/openapi+json", "/livez": "application/json",
	} {
		res, err := http.Get(h.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), kind) || res.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "require-trusted-types-for 'script'") {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}
}
