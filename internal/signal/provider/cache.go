package provider

import (
	"net/http"
	"slices"
)

const (
	mostKept     = 32      // answers
	mostKeptEach = 1 << 20 // bytes; larger ones are asked for anew
)

// cache holds the last answers that came with a mark (ETag, Last-Modified), so
// that what has not changed need not be sent again.
type cache struct {
	entries map[string]kept
	order   []string // the oldest first
}

type kept struct {
	answer answer
	etag   string
	since  string
}

// label names a question; the key is not in it.
func (q question) label() string { return q.path + "?" + q.query.Encode() }

func (c *cache) find(q question) (kept, bool) {
	k, ok := c.entries[q.label()]
	return k, ok
}

// ask puts the marks into a request.
func (k kept) ask(h http.Header) {
	if k.etag != "" {
		h.Set("If-None-Match", k.etag)
	}
	if k.since != "" {
		h.Set("If-Modified-Since", k.since)
	}
}

func (c *cache) put(q question, a answer) {
	label := q.label()
	k := kept{answer: a, etag: a.header.Get("ETag"), since: a.header.Get("Last-Modified")}
	if i := slices.Index(c.order, label); i >= 0 {
		c.order = slices.Delete(c.order, i, i+1)
		delete(c.entries, label)
	}
	if k.etag == "" && k.since == "" || len(a.body) > mostKeptEach {
		return
	}
	if c.entries == nil {
		c.entries = map[string]kept{}
	}
	if len(c.order) == mostKept {
		delete(c.entries, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
	c.entries[label] = k
	c.order = append(c.order, label)
}
