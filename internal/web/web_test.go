package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

const spec = `{"info":{"title":"Clusy <API>","version":"1"},"paths":{"/v1/x/{id}":{"get":{"operationId":"get-x","summary":"Get <x>","tags":["things"],"x-permission":"x.read",
	"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string","maxLength":64}}],
	"responses":{"200":{"description":"OK","content":{"application/json":{"schema":{"$ref":"#/components/schemas/X"}}}}}}}},
	"components":{"schemas":{"X":{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":1,"description":"Not </script> markup."}}}}}}`

func open(t *testing.T) http.Handler {
	t.Helper()
	h, err := Handler([]byte(spec), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every page is the console, all that it names is there, and nothing of it is
// written into the page itself: the policy would have it refused.
func TestConsole(t *testing.T) {
	h := open(t)
	index := text(t, ask(h, "GET", "/"))
	for _, path := range []string{"/workloads/wl_1", "/zones", "/zones/DE-LU", "/sites", "/savings", "/budgets", "/signals", "/sign-in"} {
		if res := ask(h, "GET", path); res.StatusCode != 200 || text(t, res) != index {
			t.Errorf("%s is not the console", path)
		}
	}
	if regexp.MustCompile(`(?i)<script(?:[^>]*)>\s*[^<\s]|\son\w+=|\sstyle=|<style|https?://`).MatchString(index) {
		t.Errorf("the page holds what its policy refuses, or names another host:\n%s", index)
	}
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(index, -1)
	if len(named) < 2 {
		t.Fatalf("the page names %v", named)
	}
	for _, m := range named {
		res := ask(h, "GET", m[1])
		if res.StatusCode != 200 || strings.HasPrefix(m[1], "/assets/") && !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", m[1], res.StatusCode, res.Header)
		}
	}
	for _, path := range []string{"/nothing", "/assets/", "/assets/none.js", "/index.html/x", "/workloads", "/../web.go"} {
		if res := ask(h, "GET", path); res.StatusCode != http.StatusTeapot && res.StatusCode/100 != 3 {
			t.Errorf("%s is answered %d here", path, res.StatusCode)
		}
	}
	if res := ask(h, "POST", "/zones"); res.StatusCode == 200 {
		t.Error("a page can be posted to")
	}
}

// A page is sent once, small to those who can read it so, and the same to all.
func TestSending(t *testing.T) {
	h := open(t)
	plain := ask(h, "GET", "/docs")
	want := text(t, plain)
	small := ask(h, "GET", "/docs", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(small.Body)
	if err != nil || small.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("not sent small", err)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, z); err != nil || b.String() != want {
		t.Error("small and plain differ", err)
	}
	if res := ask(h, "GET", "/docs", "If-None-Match", plain.Header.Get("ETag")); res.StatusCode != http.StatusNotModified || text(t, res) != "" {
		t.Errorf("what is known is sent again: %d", res.StatusCode)
	}
	if res := ask(h, "HEAD", "/docs"); res.StatusCode != 200 || text(t, res) != "" {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
}

// The reference shows every operation with its lock, and text as text.
func TestReference(t *testing.T) {
	page := text(t, ask(open(t), "GET", "/docs"))
	for _, want := range []string{"/v1/x/{id}", "Get &lt;x&gt;", "x.read", "at most 64 characters", `href="#schema-X"`, `id="schema-X"`, "Not &lt;/script&gt; markup.", "≥ 1"} {
		if !strings.Contains(page, want) {
			t.Errorf("the reference does not show %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "style=") {
		t.Error("the reference needs a script or an inline style")
	}
	if _, err := Handler([]byte("no JSON"), http.NotFoundHandler()); err == nil {
		t.Error("a reference of nothing is served")
	}
}
