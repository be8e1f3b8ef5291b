package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
)

type eventsIn struct {
	After    string `query:"after" pattern:"^(-1|[0-9]*)$" maxLength:"20" doc:"Only what is on record after this index: the asOf of a list, or the next of the page before. Default: from the first."`
	Last     string `header:"Last-Event-ID" pattern:"^[0-9]*$" maxLength:"20" doc:"Where a stream was when it broke off. It comes before after."`
	Watch    bool   `query:"watch" doc:"Stay, and send each new one as it comes (text/event-stream)."`
	Workload string `query:"workload" maxLength:"64" doc:"Only what is about this workload."`
	Limit    int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Of a page. A stream has none."`
}

// describeEvents says in the API's description that the door answers in two ways.
func describeEvents(api huma.API, op *huma.Operation) {
	schemas := api.OpenAPI().Components.Schemas
	ref := func(v any, name string) *huma.Schema { return schemas.Schema(reflect.TypeOf(v), true, name) }
	message := func(kind string, data *huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Required: []string{"id", "event", "data"}, Properties: map[string]*huma.Schema{
			"id":    {Type: huma.TypeInteger, Description: "The index in the log."},
			"event": {Type: huma.TypeString, Enum: []any{kind}},
			"data":  data,
		}}
	}
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A page; with watch, server-sent events without an end.",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: ref(clusy.Page[clusy.Event]{}, "PageEvent")},
			"text/event-stream": {Schema: &huma.Schema{
				Description: "Each message is an event or a ledger entry, under its index.",
				OneOf:       []*huma.Schema{message("event", ref(clusy.Event{}, "Event")), message("entry", ref(clusy.LedgerEntry{}, "LedgerEntry"))},
			}},
		},
	}}
}

// How a stream goes: nothing new for beat, and it says that it is alive; a
// message that cannot be written within patience, and it ends. What comes in
// quick succession is sent together, so that a busy server is not asked for
// each event by each watcher.
const (
	beat     = 15 * time.Second
	patience = 20 * time.Second
	gather   = 50 * time.Millisecond
)

// The streams of one tenant, and of the server: one tenant's cannot take those
// of all others.
const (
	mostOfTenant = 100
	mostWatchers = 1000
)

// watchers counts the streams that are open.
type watchers struct {
	mu  sync.Mutex
	of  map[access.Tenant]int
	all int
}

func (w *watchers) enter(t access.Tenant) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of[t] >= mostOfTenant || w.all >= mostWatchers {
		return problem.Errorf(problem.Limited, "%d streams of yours and %d in all are open, and %d and %d are the most: close one, or list with ?after= from time to time.",
			w.of[t], w.all, mostOfTenant, mostWatchers)
	}
	if w.of == nil {
		w.of = map[access.Tenant]int{}
	}
	w.of[t]++
	w.all++
	return nil
}

func (w *watchers) leave(t access.Tenant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.of[t]--; w.of[t] == 0 {
		delete(w.of, t)
	}
}

// allEvents lists or streams what is on record of a tenant's workloads. A
// stream is the log itself: each message has its index, so that whoever comes
// back with the last one misses nothing and gets nothing twice.
func (s *Server) allEvents(ctx context.Context, in *eventsIn) (*huma.StreamResponse, error) {
	caller, _ := wire.CallerOf(ctx)
	if in.Workload != "" {
		err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) error { _, err := tx.Workload(in.Workload); return err })
		if err != nil {
			return nil, err
		}
	}
	start := after(cmp.Or(in.Last, in.After))
	see := eye{tenant: caller.Tenant, workload: in.Workload}
	if !access.May(caller.Grants, caller.Principal, access.AuditRead, caller.Tenant, time.Now()) {
		see.only = []string{"workload:", "attempt:"}
	}
	if !in.Watch {
		p, err := s.eventPage(ctx, see, start, in.Limit)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) { writeJSON(hc, p) }}, nil
	}
	if err := s.watchers.enter(caller.Tenant); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer s.watchers.leave(caller.Tenant)
		s.watch(hc, caller, see, start)
	}}, nil
}

// eye is what a watcher may see.
type eye struct {
	tenant   access.Tenant
	workload string
	only     []string // objects that begin so; none: all
}

func (e eye) sees(object string) bool {
	return len(e.only) == 0 || slices.ContainsFunc(e.only, func(p string) bool { return strings.HasPrefix(object, p) })
}

// eventPage is a page of events, for those who do not stay.
func (s *Server) eventPage(ctx context.Context, see eye, after int64, limit int) (p clusy.Page[clusy.Event], err error) {
	p.Items = []clusy.Event{}
	err = s.Store.View(ctx, see.tenant, func(tx TenantTx) error {
		events, err := tx.Events(audit.Filter{Workload: see.workload, After: after, Limit: limit + 1})
		if len(events) > limit {
			events = events[:limit]
			p.Next = strconv.FormatInt(events[limit-1].Index, 10)
		}
		for _, e := range events {
			if see.sees(e.Event.Object) {
				p.Items = append(p.Items, wire.EventOut(e))
			}
		}
		return err
	})
	return p, err
}

// line is one entry of the log: an event or a ledger entry.
type line struct {
	index int64
	event *clusy.Event
	entry *clusy.LedgerEntry
}

// news returns up to limit lines after an index, in the order of the log, and
// the index up to which there is nothing else to see.
func (s *Server) news(ctx context.Context, see eye, after int64, limit int) (lines []line, seen int64, err error) {
	seen = after
	err = s.Store.View(ctx, see.tenant, func(tx TenantTx) error {
		events, err := tx.Events(audit.Filter{Workload: see.workload, After: after, Limit: limit})
		if err != nil {
			return err
		}
		entries, err := tx.Entries(see.workload, after, limit)
		if err != nil {
			return err
		}
		// A full list may have more behind its last one: beyond that, the
		// other list must wait.
		end := int64(-1)
		if len(events) == limit {
			end = events[limit-1].Index
		}
		if len(entries) == limit && (end < 0 || entries[limit-1].Index < end) {
			end = entries[limit-1].Index
		}
		for _, e := range events {
			if end < 0 || e.Index <= end {
				seen = max(seen, e.Index)
				if see.sees(e.Event.Object) {
					out := wire.EventOut(e)
					lines = append(lines, line{index: e.Index, event: &out})
				}
			}
		}
		for _, l := range entries {
			if end < 0 || l.Index <= end {
				seen = max(seen, l.Index)
				out := wire.EntryOut(l.Index, l.Entry)
				lines = append(lines, line{index: l.Index, entry: &out})
			}
		}
		return nil
	})
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.index, b.index) })
	return lines, seen, err
}

// watch sends what is new until the watcher goes, may no longer look, or the
// server stops.
func (s *Server) watch(hc huma.Context, caller wire.Caller, see eye, at int64) {
	ctx := hc.Context()
	out := newStream(hc)
	alive := time.NewTicker(beat)
	defer alive.Stop()
	if out.say(": watching after "+strconv.FormatInt(at, 10)+"\n\n") != nil {
		return
	}
	for {
		// Asked for before the look: what comes in between is not missed.
		changed := s.Changed()
		// A right that has ended since ends the stream.
		if now, err := caller.Again(ctx); err != nil || !access.May(now.Grants, now.Principal, access.EventRead, caller.Tenant, time.Now()) {
			return
		}
		began := time.Now()
		lines, seen, err := s.news(ctx, see, at, 500)
		// A look that is dear is had less often.
		pause := time.After(max(gather, 9*time.Since(began)))
		if err != nil {
			if ctx.Err() == nil {
				s.Log.Error("watch broke off", "tenant", see.tenant, "err", err)
			}
			return
		}
		if len(lines) > 0 && out.say(messages(lines)) != nil {
			return
		}
		more := seen > at
		at = seen
		if !more {
			select {
			case <-changed:
			case <-alive.C:
				if out.say(": beat\n\n") != nil {
					return
				}
			case <-ctx.Done():
				return
			case <-s.Stopping:
				return
			}
		}
		select {
		case <-pause:
		case <-ctx.Done():
			return
		case <-s.Stopping:
			return
		}
	}
}

// messages writes lines as server-sent events, each under its index.
func messages(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		kind, v := "event", any(l.event)
		if l.entry != nil {
			kind, v = "entry", l.entry
		}
		text, err := json.Marshal(v)
		if err != nil {
			continue // cannot be: these types hold nothing that JSON cannot say
		}
		fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", l.index, kind, text)
	}
	return b.String()
}

// stream is an answer that goes on.
type stream struct {
	hc huma.Context
	rc *http.ResponseController
}

func newStream(hc huma.Context) *stream {
	hc.SetHeader("Content-Type", "text/event-stream")
	hc.SetHeader("X-Accel-Buffering", "no") // a proxy in between must not hold it back
	hc.SetStatus(http.StatusOK)
	w, _ := hc.BodyWriter().(http.ResponseWriter)
	s := &stream{hc: hc, rc: http.NewResponseController(w)}
	// The server's time for reading a request is over long before a stream is.
	_ = s.rc.SetReadDeadline(time.Time{})
	return s
}

// say sends text now. A watcher that does not take it in time is let go.
func (s *stream) say(text string) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := s.hc.BodyWriter().Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}

func writeJSON(hc huma.Context, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		hc.SetStatus(http.StatusInternalServerError)
		return
	}
	hc.SetHeader("Content-Type", "application/json")
	_, _ = hc.BodyWriter().Write(b.Bytes())
}
