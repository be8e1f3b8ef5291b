package api

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/problem"
)

// foreignDoor is a door that speaks as another API does: it reads and writes
// HTTP by itself, with that API's names, types and errors, and so it is no part
// of the description of ours. Its lock is ours all the same.
func foreignDoor(method, path string, p access.Permission, summary string, h func(*Server, http.ResponseWriter, *http.Request)) Route {
	return Route{
		Method: method, Path: path, Permission: p, Tag: "foreign", Summary: summary, Foreign: true,
		register: func(api huma.API, s *Server, op huma.Operation) {
			op.Hidden = true
			enter := func(ctx huma.Context) {
				r, w := humago.Unwrap(ctx)
				h(s, w, r)
			}
			api.Adapter().Handle(&op, api.Middlewares().Handler(op.Middlewares.Handler(enter)))
		},
	}
}

// sdkDoor is a door of the Carbon Aware SDK's WebAPI. Its handler returns what
// goes out as JSON, nothing for 204, or an error.
func sdkDoor(method, path, summary string, h func(*Server, *ask) (any, error)) Route {
	r := foreignDoor(method, path, access.SignalRead, summary, func(s *Server, w http.ResponseWriter, r *http.Request) {
		a := &ask{r: r, query: r.URL.Query(), wrong: map[string][]string{}}
		out, err := h(s, a)
		if err == nil && len(a.wrong) > 0 {
			err = a.refusal()
		}
		if err != nil {
			s.complain(w, r, err)
			return
		}
		if out == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(out); err != nil {
			s.complain(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(b.Bytes())
	})
	r.openable = true
	return r
}

// fromHere reports whether a request comes from this machine and for this
// machine: over loopback, to a name of loopback (a page of another origin can
// have its own name lead here), and through no proxy, behind which anybody may
// be.
func fromHere(ctx huma.Context) bool {
	addr, err := netip.ParseAddrPort(ctx.RemoteAddr())
	if err != nil || !addr.Addr().Unmap().IsLoopback() {
		return false
	}
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if ctx.Header(h) != "" {
			return false
		}
	}
	host := ctx.Host()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// complaint is an error as ASP.NET writes it: what is wrong stands under the
// name of the parameter.
type complaint struct {
	Title   string              `json:"title"`
	Status  int                 `json:"status"`
	Detail  string              `json:"detail,omitempty"`
	Errors  map[string][]string `json:"errors"`
	TraceID string              `json:"traceId"`
}

func (c *complaint) Error() string { return c.Detail }

// The titles are what the SDK's own filter writes, the names of its exceptions:
// there are clients that look at them.
var complaintTitles = map[int]string{
	http.StatusBadRequest: "ArgumentException", http.StatusNotImplemented: "NotImplementedException",
	http.StatusInternalServerError: "InternalServerError",
}

func refused(status int, format string, args ...any) *complaint {
	return &complaint{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// complain answers with an error. What is not meant for the caller is logged
// under the trace id that the caller gets.
func (s *Server) complain(w http.ResponseWriter, r *http.Request, err error) {
	trace := traceOf(r)
	var c *complaint
	if !errors.As(err, &c) {
		switch problem.KindOf(err) {
		case problem.Unready:
			c = refused(http.StatusServiceUnavailable, "%s", err.Error())
		case problem.Limited:
			c = refused(http.StatusTooManyRequests, "%s", err.Error())
		default:
			if r.Context().Err() != nil {
				c = refused(499, "The caller went away.")
				break
			}
			s.Log.Error("request failed", "op", r.Method+" "+r.URL.Path, "err", err, "trace", trace)
			c = refused(http.StatusInternalServerError, "Something went wrong on our side; it is on record.")
		}
	}
	writeComplaint(w, c, trace)
}

func writeComplaint(w http.ResponseWriter, c *complaint, trace string) {
	out := *c
	out.TraceID = trace
	if out.Title == "" {
		out.Title = complaintTitles[out.Status]
	}
	if out.Title == "" {
		out.Title = http.StatusText(out.Status)
	}
	if out.Errors == nil {
		out.Errors = map[string][]string{}
	}
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(out.Status)
	_ = json.NewEncoder(w).Encode(out)
}

// traceOf names a request as W3C Trace Context does: within the caller's trace,
// if it says one.
func traceOf(r *http.Request) string {
	var span [8]byte
	_, _ = rand.Read(span[:])
	trace := make([]byte, 16)
	_, _ = rand.Read(trace)
	if p := strings.Split(r.Header.Get("Traceparent"), "-"); len(p) == 4 && len(p[0]) == 2 && len(p[1]) == 32 {
		if theirs, err := hex.DecodeString(p[1]); err == nil && !bytes.Equal(theirs, make([]byte, 16)) {
			trace = theirs
		}
	}
	return fmt.Sprintf("00-%x-%x-00", trace, span)
}

// ask reads what was asked for, and collects everything that is wrong with it
// under the names of the parameters.
type ask struct {
	r     *http.Request
	query url.Values
	wrong map[string][]string
	item  string // before each message: which item of a batch
}

func (a *ask) blame(field, format string, args ...any) {
	a.wrong[field] = append(a.wrong[field], a.item+fmt.Sprintf(format, args...))
}

// refusal is all that is wrong, as one error.
func (a *ask) refusal() error {
	var all []string
	for _, field := range slices.Sorted(maps.Keys(a.wrong)) {
		all = append(all, a.wrong[field]...)
	}
	if len(all) > 5 {
		all = append(all[:5], fmt.Sprintf("and %d more", len(all)-5))
	}
	return &complaint{Status: http.StatusBadRequest, Detail: "Invalid parameters: " + strings.Join(all, "; "), Errors: a.wrong}
}

// docs reports whether the caller goes by the SDK's documents where these
// differ from its code.
func (a *ask) docs() bool {
	want := a.query.Get("compat")
	if want != "" && want != "docs" {
		a.blame("compat", "compat is %q; it may be docs", clipped(want))
	}
	return want == "docs"
}

// The most that one request may name, and the longest name.
const (
	mostLocations = 100
	longestName   = 128
)

// locations returns the names asked for. The SDK's code takes location, again
// and again; its documents say locations, and both are meant.
func (a *ask) locations() []string {
	var out []string
	for _, name := range a.query["location"] {
		if name != "" {
			out = append(out, name)
		}
	}
	for _, list := range a.query["locations"] {
		for name := range strings.SplitSeq(list, ",") {
			if name != "" {
				out = append(out, name)
			}
		}
	}
	switch {
	case len(out) == 0:
		a.blame("location", "location is not set")
	case len(out) > mostLocations:
		a.blame("location", "%d locations are asked for; ask for at most %d at once", len(out), mostLocations)
	}
	return out
}

// location returns the one name asked for.
func (a *ask) location() string {
	all := a.locations()
	if len(all) > 1 {
		a.blame("location", "%d locations are given, and one is wanted", len(all))
	}
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// time returns a parameter that is a time; zero if it is not there.
func (a *ask) time(field string) time.Time { return a.instant(field, a.query.Get(field)) }

func (a *ask) instant(field, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := parseInstant(text)
	if err != nil {
		a.blame(field, "%s: %s", field, err)
	}
	return t
}

// minutes returns a parameter that is a number of minutes; 0 if it is not there
// or is 0, which to the SDK is the same.
func (a *ask) minutes(field, text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil:
		a.blame(field, "%s is %q, which is no whole number of minutes below 2147483648", field, clipped(text))
	case n < 0:
		a.blame(field, "%s is %d; it may not be negative", field, n)
	}
	return int(n)
}

// order checks that start comes before end, where both are given.
func (a *ask) order(startField, endField string, start, end time.Time) {
	if !start.IsZero() && !end.IsZero() && !start.Before(end) {
		a.blame(startField, "%s must be before %s: %s is not before %s", startField, endField, start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
}

// clipped keeps an echo short.
func clipped(text string) string {
	if len(text) > longestName {
		return text[:longestName] + "…"
	}
	return text
}

// parseInstant reads a time as liberally as .NET's own parser reads ISO 8601:
// with or without an offset, seconds and a time of day, and with hours of one
// digit, as the SDK's documents have them. Without an offset it is UTC.
func parseInstant(text string) (time.Time, error) {
	if len(text) > longestName {
		return time.Time{}, fmt.Errorf("%q is no time", clipped(text))
	}
	clean := strings.ToUpper(strings.TrimSpace(text))
	for _, date := range []string{"2006-01-02T", "2006-01-02 "} {
		for _, clock := range []string{"15:04:05", "15:04"} {
			for _, offset := range []string{"", "Z07:00", "Z0700", "Z07"} {
				if t, err := time.Parse(date+clock+offset, clean); err == nil {
					return plausible(t)
				}
			}
		}
	}
	if t, err := time.Parse(time.DateOnly, clean); err == nil {
		return plausible(t)
	}
	// In a query a + is a space.
	if i := strings.LastIndexByte(clean, ' '); i > len("2006-01-02") {
		return time.Time{}, fmt.Errorf("%q is no time; in a query the + of an offset is written %%2B: %s%%2B%s", clipped(text), clean[:i], clean[i+1:])
	}
	return time.Time{}, fmt.Errorf("%q is no time; write it as 2026-11-24T18:00:00Z, 2026-11-24T18:00%%2B01:00 or 2026-11-24 (UTC)", clipped(text))
}

// plausible keeps times to years in which sums of them do not overflow.
func plausible(t time.Time) (time.Time, error) {
	if y := t.UTC().Year(); y < 1970 || y > 2200 {
		return time.Time{}, fmt.Errorf("it is in the year %d; years 1970 to 2200 can be asked for", y)
	}
	return t, nil
}

// A batch and its body are bounded.
const (
	mostItems = 100
	maxBatch  = 1 << 20
)

// items reads the body, a JSON array of objects.
func items[T any](a *ask) ([]T, error) {
	if kind, _, _ := strings.Cut(a.r.Header.Get("Content-Type"), ";"); kind != "" && !strings.HasSuffix(strings.TrimSpace(kind), "json") {
		return nil, refused(http.StatusUnsupportedMediaType, "The body is %s; send application/json.", clipped(kind))
	}
	data, err := io.ReadAll(io.LimitReader(a.r.Body, maxBatch+1))
	var tooLarge *http.MaxBytesError
	if len(data) > maxBatch || errors.As(err, &tooLarge) {
		return nil, refused(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes: send fewer items at once.", maxBatch)
	}
	if err != nil {
		return nil, refused(http.StatusBadRequest, "The body could not be read: %s", err)
	}
	if err := duplicates(data); err != nil {
		a.blame("$", "the body: %s", err)
		return nil, a.refusal()
	}
	var out []T
	if err := json.Unmarshal(data, &out); err != nil {
		a.blame("$", "the body is not the JSON array that is wanted here: %s", err)
		return nil, a.refusal()
	}
	if out == nil { // null
		a.blame("$", "a non-empty request body is required: a JSON array")
		return nil, a.refusal()
	}
	if len(out) > mostItems {
		a.blame("$", "the body has %d items; send at most %d at once", len(out), mostItems)
		return nil, a.refusal()
	}
	return out, nil
}

// number is a JSON number, also where it stands in quotes, as .NET reads it.
type number string

func (n *number) UnmarshalJSON(b []byte) error {
	if text := strings.Trim(string(b), `"`); text != "null" {
		*n = number(text)
	}
	return nil
}

// stamp is a time as .NET writes a DateTimeOffset.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	return time.Time(s).AppendFormat(nil, `"2006-01-02T15:04:05.9999999-07:00"`), nil
}

// span is a duration as .NET writes a TimeSpan: 00:05:00, 1.00:00:00.
type span time.Duration

func (s span) MarshalJSON() ([]byte, error) {
	d := time.Duration(s)
	var days string
	if n := d / (24 * time.Hour); n > 0 {
		days = fmt.Sprintf("%d.", n)
	}
	var fraction string
	if ticks := d % time.Second / 100; ticks > 0 {
		fraction = fmt.Sprintf(".%07d", ticks)
	}
	return fmt.Appendf(nil, `"%s%02d:%02d:%02d%s"`, days, d/time.Hour%24, d/time.Minute%60, d/time.Second%60, fraction), nil
}
