// Package web is what people see in a browser: the console, whose source is
// the folder web of the project and whose build is embedded here, and the
// reference of the API. The console is a client of the API like any other: no
// door in this room gives away anything that the API does not.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// Pages are the paths at which the console shows something. All of them are
// the same file: which page it is, the browser works out.
var Pages = []string{"/{$}", "/workloads/{id}", "/zones", "/zones/{zone}", "/sites", "/savings", "/budgets", "/signals", "/sign-in"}

// policy is what a page of ours may do: run our own scripts and styles, talk to
// our own API, and nothing else. Markup reaches the page by one named policy
// only, which is that of the library that the console is built with.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

// Handler serves the console and, at /docs, the reference that spec, an
// OpenAPI document in JSON, describes. What is no page goes to rest.
func Handler(spec []byte, rest http.Handler) (http.Handler, error) {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	files, err := load(root)
	if err != nil {
		return nil, fmt.Errorf("read the console: %w", err)
	}
	index, ok := files["index.html"]
	if !ok {
		return nil, fmt.Errorf("read the console: it has no index.html: build it with make console")
	}
	reference, err := referencePage(spec)
	if err != nil {
		return nil, fmt.Errorf("draw the reference of the API: %w", err)
	}
	mux := http.NewServeMux()
	for _, p := range Pages {
		mux.Handle("GET "+p, index)
	}
	for name, f := range files {
		if name != "index.html" {
			mux.Handle("GET /"+name, f)
		}
	}
	mux.Handle("GET /docs", reference)
	mux.Handle("GET /docs/reference.css", newFile("reference.css", referenceStyle, false))
	mux.Handle("/", rest)
	return guarded(mux), nil
}

// guarded sets the headers that every answer of this room carries. The API's
// answers carry them too: they harm no program.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		next.ServeHTTP(w, r)
	})
}

// file is one file of the console, ready to send.
type file struct {
	kind  string
	tag   string
	keep  string // how long a browser may keep it
	plain []byte
	small []byte // the same, gzipped; nil where that gains nothing
}

// load reads all files below root. The build names what is in assets by its
// content, so that a browser may keep it for ever.
func load(root fs.FS) (map[string]*file, error) {
	files := map[string]*file{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		files[name] = newFile(name, b, strings.HasPrefix(name, "assets/"))
		return err
	})
	return files, err
}

func newFile(name string, b []byte, forever bool) *file {
	sum := sha256.Sum256(b)
	f := &file{
		kind: mime.TypeByExtension(path.Ext(name)), plain: b, keep: "no-cache",
		tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
	}
	switch path.Ext(name) {
	// Machines differ in what they call these.
	case ".js":
		f.kind = "text/javascript; charset=utf-8"
	case ".webmanifest":
		f.kind = "application/manifest+json"
	case ".svg":
		f.kind = "image/svg+xml"
	}
	if forever {
		f.keep = "public, max-age=31536000, immutable"
	}
	var z bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if _, err := zw.Write(b); err == nil && zw.Close() == nil && z.Len() < len(b)*9/10 {
		f.small = z.Bytes()
	}
	return f
}

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", f.keep)
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.kind)
	body := f.plain
	if f.small != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.small
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
