package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

// source is what every driver is made of: one line to one API, which is asked
// once per call, only so often, and not at all for a while after it said no.
// It is safe for use by several goroutines, and asks one thing at a time.
type source struct {
	name   string
	line   *dial.Line
	keyRef keyRef
	// The key goes into this header or, where a source wants that, into this
	// field of the query. One of them is set, or neither.
	keyHeader, keyQuery string
	keyPrefix           string // in the header: "Bearer "
	accept              string // "application/json" if it is not given
	// judge explains an answer that is an error in the source's own words; nil
	// where the usual reading will do.
	judge func(answer) *fault
	// secrets returns what else must not be printed, as a session's token.
	secrets func() []secret.Secret

	tables *tables.Tables

	turn chan struct{} // holds one: who has it may ask

	mu    sync.Mutex
	meter meter
	rest  pause            // of the whole source
	quiet map[string]pause // of one topic
	fails map[string]int   // in a row, by topic
	keep  cache
}

// pause is a time in which nothing is sent, and why.
type pause struct {
	until time.Time
	why   string
	key   secret.Secret // the key that was refused; with another one, it ends
}

// question is one request. Topic names what it is about, as forecast/DE: where
// that fails, other topics of the source go on.
type question struct {
	topic  string
	method string // GET if it is not given
	path   string
	query  url.Values
	header http.Header
	// empty says that an answer without a body (204) is an answer.
	empty bool
	// also says that an answer is one although its status says it is an error;
	// nil: none is.
	also func(answer) bool
	// keyless leaves the key out; fresh wants an answer that was not kept.
	keyless, fresh bool
	// auth, if it is set, returns the headers that open the door; again says
	// that those of the last call did not. It may send something itself.
	auth  func(ctx context.Context, key secret.Secret, again bool) (http.Header, error)
	renew bool // auth is to be asked again
}

// answer is what came, checked to be text in UTF-8 of the type that was asked
// for. The time of a cached one is when it was last confirmed.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// fault is why an answer is no answer.
type fault struct {
	kind problem.Kind
	why  string
	wait time.Duration // before it is asked again; 0: the usual backoff
	all  bool          // the source is left alone, not only the topic
	key  bool          // the key is the reason: with another, it may be asked at once
}

func (f *fault) Error() string { return f.why }

func newSource(d Declaration, k Kind, deps Deps) (*source, error) {
	if deps.Dial == nil {
		return nil, errors.New("there is no exchange to dial through")
	}
	where := d.URL
	if where == "" {
		where = k.URL
	}
	if where == "" {
		return nil, errors.New("url is missing; kind " + k.Name + " has none of its own")
	}
	line, err := deps.Dial.Line(dial.Destination{URL: where, Purpose: "signals of " + d.label(), Sends: k.Sends})
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	s := &source{
		name: d.label(), line: line, turn: make(chan struct{}, 1),
		quiet: map[string]pause{}, fails: map[string]int{},
	}
	if d.Key != "" {
		if s.keyRef, err = reference(d.Key); err != nil {
			return nil, fmt.Errorf("key %w", err)
		}
	}
	if s.tables = deps.Tables; s.tables == nil {
		if s.tables, err = tables.Embedded(); err != nil {
			return nil, err
		}
	}
	s.meter.rate, err = d.limit(k)
	return s, err
}

// Name is what the source signs with.
func (s *source) Name() string { return s.name }

// Budget says how far the requests are used up.
func (s *source) Budget(now time.Time) signal.Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.meter.budget(now)
	if s.rest.until.After(now) {
		b.NotUntil = s.rest.until
	}
	return b
}

// get asks once and has read make sense of the answer. An error of read counts
// as a failure of the source, and holds back the topic as any other does. If
// nothing may be sent, the error is *signal.Wait. No error of get holds a key.
func (s *source) get(ctx context.Context, now time.Time, q question, read func(answer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	key, err := s.keyRef.read()
	if err != nil {
		return problem.Errorf(problem.Invalid, "source %s: key %s", s.name, err)
	}
	if q.keyless {
		key = ""
	}
	if err := s.admit(now, q.topic, key); err != nil {
		return err
	}
	a, err := s.send(ctx, q, key)
	if f, ok := errors.AsType[*fault](err); ok && f.key && f.all && q.auth != nil && a.status != 0 {
		// The one thing that is tried twice: a session that is over.
		if wait := s.admit(now, q.topic, key); wait != nil {
			return wait
		}
		q.renew = true
		a, err = s.send(ctx, q, key)
	}
	if err == nil {
		if err = read(a); errors.Is(err, signal.ErrNoZone) {
			s.settle(q.topic)
			return err
		}
	}
	switch {
	case err == nil:
		s.settle(q.topic)
		return nil
	case errors.As(err, new(*signal.Wait)):
		return err // a part of it may not be sent now
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err() // we were stopped: not the source's doing
	}
	return s.hold(now, q.topic, key, err)
}

// admit lets a request through, or says until when none is.
func (s *source) admit(now time.Time, topic string, key secret.Secret) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range []pause{s.rest, s.quiet[topic]} {
		// A clock that was set back must not hold us for longer than we meant.
		held := p.until.After(now) && p.until.Sub(now) <= mostAsked+time.Hour
		if held && (p.key == "" || p.key == key) {
			return &signal.Wait{Until: p.until, Why: p.why}
		}
	}
	if until, ok := s.meter.take(now); !ok {
		return &signal.Wait{Until: until, Why: fmt.Sprintf("%s may be asked %d times in %s, and has been", s.name, s.meter.rate.requests, s.meter.rate.window)}
	}
	return nil
}

// settle forgets the failures of a topic, as it has answered.
func (s *source) settle(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fails, topic)
	delete(s.fails, "")
	delete(s.quiet, topic)
	s.rest = pause{}
}

// mostTopics bounds what is remembered of topics that fail.
const mostTopics = 4 * mostZones

// hold notes a failure and says until when nothing is sent.
func (s *source) hold(now time.Time, topic string, key secret.Secret, err error) error {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		f = &fault{kind: problem.Invalid, why: err.Error()}
		if _, came := errors.AsType[*unfit](err); !came {
			f.kind, f.all = problem.Unready, true // no answer at all: it is the source that is away
		}
	}
	why := s.scrub(f.why, append(s.also(), key)...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fails) >= mostTopics || len(s.quiet) >= mostTopics {
		s.fails, s.quiet = map[string]int{}, map[string]pause{}
	}
	if f.all {
		topic = ""
	}
	s.fails[topic]++
	wait := f.wait
	if wait <= 0 {
		wait = backoff(s.name+"/"+topic, s.fails[topic])
	}
	p := pause{until: now.Add(min(wait, mostAsked)), why: why}
	if f.key {
		p.key = key
	}
	if f.all {
		s.rest = p
	} else {
		s.quiet[topic] = p
	}
	return problem.Errorf(f.kind, "source %s: %s (not asked again before %s)", s.name, why, p.until.UTC().Format(time.RFC3339))
}

// send makes the one attempt.
func (s *source) send(ctx context.Context, q question, key secret.Secret) (answer, error) {
	r := dial.Request{Method: q.method, Path: q.path, Query: maps.Clone(q.query), Header: http.Header{}}
	for k, v := range q.header {
		r.Header[http.CanonicalHeaderKey(k)] = v
	}
	if q.auth != nil {
		h, err := q.auth(ctx, key, q.renew)
		if err != nil {
			return answer{}, err
		}
		maps.Copy(r.Header, h)
	}
	accept := s.accept
	if accept == "" {
		accept = jsonType
	}
	r.Header.Set("Accept", accept)
	s.mu.Lock()
	known, again := s.keep.find(q)
	s.mu.Unlock()
	again = again && !q.fresh
	if again {
		known.ask(r.Header)
	}
	if key != "" && s.keyHeader != "" {
		value := key.Reveal()
		if !strings.Contains(value, " ") { // else it says itself what it is: Basic …
			value = s.keyPrefix + value
		}
		r.Header.Set(s.keyHeader, value)
	}
	if key != "" && s.keyQuery != "" {
		if r.Query == nil {
			r.Query = url.Values{}
		}
		r.Query.Set(s.keyQuery, key.Reveal())
	}
	got, err := s.line.Do(ctx, r)
	if err != nil {
		return answer{}, err
	}
	a := answer{got.Status, got.Header, got.Body}
	switch {
	case a.status == http.StatusNotModified && again:
		return known.answer, nil
	case a.status == http.StatusNotModified:
		return a, &fault{kind: problem.Invalid, why: "it answers 304, not changed, to a question that was not asked before"}
	case a.status == http.StatusNoContent && q.empty:
		return a, nil
	case a.status != http.StatusOK && (q.also == nil || !q.also(a)):
		if s.judge != nil {
			if f := s.judge(a); f != nil {
				return a, f
			}
		}
		return a, usual(a)
	}
	if err := checkText(&a, accept); err != nil || q.fresh {
		return a, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep.put(q, a)
	return a, nil
}

const (
	wrongKey   = time.Hour        // a key does not become right by asking again
	wrongAsk   = 15 * time.Minute // what is not there may come
	wrongPlace = 6 * time.Hour    // an API that is gone does not come back
)

// usual explains the status of an answer that is none.
func usual(a answer) *fault {
	said := ""
	if text := gist(a); text != "" {
		said = ": " + text
	}
	status := fmt.Sprintf("it answers %d %s", a.status, http.StatusText(a.status))
	switch a.status {
	case http.StatusUnauthorized:
		return &fault{kind: problem.Denied, why: status + said + "; is the key right?", wait: wrongKey, all: true, key: true}
	case http.StatusForbidden:
		return &fault{kind: problem.Denied, why: status + said + "; is the key right, and may it read this?", wait: wrongKey, all: true, key: true}
	case http.StatusNotFound:
		return &fault{kind: problem.NotFound, why: status + said, wait: wrongAsk}
	case http.StatusGone:
		return &fault{kind: problem.NotFound, why: status + said + "; this version of the API is retired: set version or url to one that is in use", wait: wrongPlace, all: true}
	case http.StatusTooManyRequests:
		return &fault{kind: problem.Limited, why: status + said + "; set limit to what the source allows", wait: retryAfter(a.header), all: true}
	case http.StatusServiceUnavailable:
		return &fault{kind: problem.Unready, why: status + said, wait: retryAfter(a.header), all: true}
	}
	if a.status >= 500 {
		return &fault{kind: problem.Unready, why: status + said, all: true}
	}
	return &fault{kind: problem.Invalid, why: status + said, wait: wrongAsk}
}

// retryAfter reads how long the source wants to be left alone; 0 if it does not
// say. A date is measured against the source's own clock, so that ours may
// differ.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n <= 0 {
			return 0
		}
		return time.Duration(min(n, int64(mostAsked/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || !at.After(date) {
		return 0
	}
	return min(at.Sub(date), mostAsked)
}

func (s *source) also() []secret.Secret {
	if s.secrets == nil {
		return nil
	}
	return s.secrets()
}

// shown is the longest piece of a key that may remain in what is printed.
const shown = 3

// scrub takes keys out of a text in each form in which they may have been sent:
// sources echo requests, and what they say is logged. A source may have cut or
// changed what it echoes: so a word that holds any piece of a key goes whole.
func (s *source) scrub(text string, keys ...secret.Secret) string {
	for _, key := range keys {
		k := key.Reveal()
		if len(k) <= shown {
			continue // that is no key, and every text holds it
		}
		for _, form := range []string{k, url.QueryEscape(k), url.PathEscape(k), base64.StdEncoding.EncodeToString([]byte(k))} {
			text = strings.ReplaceAll(text, form, "•••")
			pieces := strings.ToLower(form)
			words := strings.Split(text, " ")
			for n, word := range words {
				low := strings.ToLower(word)
				for i := 0; i+shown < len(pieces); i++ {
					if strings.Contains(low, pieces[i:i+shown+1]) {
						words[n] = "•••"
						break
					}
				}
			}
			text = strings.Join(words, " ")
		}
	}
	return text
}
