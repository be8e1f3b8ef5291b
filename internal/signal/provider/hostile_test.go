package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

// line is one value as JSON has it: the words are put in as they stand.
type line struct{ time, value string }

// dialect is how one source writes down lines.
type dialect struct {
	name  string
	zone  grid.Zone
	step  time.Duration
	basis grid.Basis
	// doc is an answer with these lines, about what is past or what is to come.
	doc  func(forecast bool, lines ...line) string
	open func(t testing.TB, url string, patience time.Duration) signal.Forecaster
}

// hostileNow is after what the lines tell of the past.
var hostileNow = at("2026-09-14T10:05Z")

func quoted(t time.Time) string { return `"` + t.UTC().Format("2006-01-02T15:04:05Z") + `"` }

func join(lines []line, f func(line) string) string {
	var all []string
	for _, l := range lines {
		all = append(all, f(l))
	}
	return strings.Join(all, ",")
}

func dialects(t testing.TB) []dialect {
	t.Setenv("CLUSY_TEST_EM", emKey)
	t.Setenv("CLUSY_TEST_WT", wtKey)
	open := func(t testing.TB, d Declaration, patience time.Duration) signal.Forecaster {
		t.Helper()
		o, err := Open(d, Deps{Dial: fake.Exchange(t, patience)})
		if err != nil {
			t.Fatal(err)
		}
		return o.Provider.(signal.Forecaster)
	}
	return []dialect{{
		name: "uk", zone: "GB", step: 30 * time.Minute, basis: grid.Basis{Signal: grid.Average, Scope: grid.Direct},
		doc: func(_ bool, lines ...line) string {
			return `{"data":[` + join(lines, func(l line) string {
				to := `"?"`
				if from, err := time.Parse(`"2006-01-02T15:04:05Z"`, l.time); err == nil {
					to = quoted(from.Add(30 * time.Minute))
				}
				return fmt.Sprintf(`{"from":%s,"to":%s,"intensity":{"forecast":%s,"actual":%s,"index":"low"}}`, l.time, to, l.value, l.value)
			}) + `]}`
		},
		open: func(t testing.TB, url string, patience time.Duration) signal.Forecaster {
			return open(t, Declaration{Kind: "uk-carbon-intensity", URL: url}, patience)
		},
	}, {
		name: "electricitymaps", zone: "DE", step: time.Hour, basis: grid.AverageLifecycle,
		doc: func(forecast bool, lines ...line) string {
			list := "data"
			if forecast {
				list = "forecast"
			}
			return `{"zone":"DE","updatedAt":"2026-09-14T10:00:00Z","` + list + `":[` + join(lines, func(l line) string {
				return fmt.Sprintf(`{"datetime":%s,"carbonIntensity":%s}`, l.time, l.value)
			}) + `]}`
		},
		open: func(t testing.TB, url string, patience time.Duration) signal.Forecaster {
			return open(t, Declaration{Kind: "electricitymaps", URL: url, Key: "env:CLUSY_TEST_EM", Zones: Zones{"DE": "DE"}}, patience)
		},
	}, {
		name: "watttime", zone: "US-CAL-CISO", step: wtStep, basis: grid.Basis{Signal: grid.Marginal, Scope: grid.Direct},
		doc: func(_ bool, lines ...line) string {
			return `{"data":[` + join(lines, func(l line) string {
				return fmt.Sprintf(`{"point_time":%s,"value":%s}`, l.time, l.value)
			}) + `],"meta":{"data_point_period_seconds":300,"region":"CAISO_NORTH","signal_type":"co2_moer","units":"lbs_co2_per_mwh","model":{"date":"2025-09-01"},"generated_at":"2026-09-14T10:00:00Z"}}`
		},
		open: func(t testing.TB, url string, patience time.Duration) signal.Forecaster {
			f := open(t, Declaration{Kind: "watttime", URL: url, User: "u", Key: "env:CLUSY_TEST_WT", Zones: Zones{"US-CAL-CISO": "CAISO_NORTH"}}, patience).(*wattTime)
			f.token, f.opened = "t0k3n-0f-a-s3ss10n", hostileNow
			return f
		},
	}}
}

// lines are eight good ones: of the past, or of what is to come.
func (d dialect) lines(forecast bool) []line {
	first := at("2026-09-14T10:00Z")
	if !forecast {
		first = first.Add(-8 * d.step)
	}
	var all []line
	for i := range 8 {
		all = append(all, line{quoted(first.Add(time.Duration(i) * d.step)), fmt.Sprint(300 + 7*i)})
	}
	return all
}

// hostile is one answer that must not be believed.
type hostile struct {
	name string
	// body makes it; or answer sends it, where it is more than a body.
	body   func(d dialect, forecast bool) string
	answer http.HandlerFunc
	want   string // what the refusal says, one of them; empty: nothing is told, and nothing is wrong
	only   string // the dialects that it is about; empty: all
	just   string // history or forecast; empty: both
	slow   bool
}

// value spoils one value, values each of them, when one time, text the answer.
func value(v string) func(dialect, bool) string {
	return func(d dialect, forecast bool) string {
		lines := d.lines(forecast)
		lines[3].value = v
		return d.doc(forecast, lines...)
	}
}

func values(v string) func(dialect, bool) string {
	return func(d dialect, forecast bool) string {
		lines := d.lines(forecast)
		for i := range lines {
			lines[i].value = v
		}
		return d.doc(forecast, lines...)
	}
}

func when(t string) func(dialect, bool) string {
	return func(d dialect, forecast bool) string {
		lines := d.lines(forecast)
		lines[3].time = t
		return d.doc(forecast, lines...)
	}
}

func lines(f func(d dialect, l []line) []line) func(dialect, bool) string {
	return func(d dialect, forecast bool) string { return d.doc(forecast, f(d, d.lines(forecast))...) }
}

func text(f func(string) string) func(dialect, bool) string {
	return func(d dialect, forecast bool) string { return f(d.doc(forecast, d.lines(forecast)...)) }
}

func plain(s string) func(dialect, bool) string { return func(dialect, bool) string { return s } }

func swap(old, new string) func(dialect, bool) string {
	return text(func(s string) string { return strings.Replace(s, old, new, 1) })
}

var hostiles = []hostile{
	// Numbers.
	{name: "NaN", body: value("NaN"), want: "not JSON"},
	{name: "Infinity", body: value("Infinity"), want: "not JSON"},
	{name: "minus Infinity", body: value("-Infinity"), want: "not JSON"},
	{name: "NaN as text", body: value(`"NaN"`), want: "stands where a number should"},
	{name: "a number as text", body: value(`"312"`), want: "stands where a number should"},
	{name: "a negative value", body: value("-1"), want: "below zero"},
	{name: "a value just below zero", body: value("-0.0001"), want: "below zero"},
	{name: "a thousand million", body: value("1e9"), want: "more than the 3000 that any grid has|larger than any value"},
	{name: "more than any grid", body: value("6700"), want: "more than the 3000 that any grid has"},
	{name: "more than a float holds", body: value("1e400"), want: "not a number that can be"},
	{name: "nearly more than a float holds", body: value("1e308"), want: "larger than any value"},
	{name: "a number of ten thousand digits", body: value(strings.Repeat("9", 10_000)), want: "not a decimal number"},
	{name: "a number of ten thousand decimals", body: value("0." + strings.Repeat("3", 10_000)), want: "not a decimal number"},
	{name: "an exponent without end", body: value("1e-" + strings.Repeat("9", 10_000)), want: "not a decimal number"},
	{name: "hexadecimal", body: value("0x1F4"), want: "not JSON"},
	{name: "grouped digits", body: value("1_000"), want: "not JSON"},
	{name: "a leading zero", body: value("0300"), want: "not JSON"},
	{name: "a leading plus", body: value("+300"), want: "not JSON"},
	{name: "true", body: value("true"), want: "stands where a number should"},
	{name: "an object for a number", body: value(`{"value":300}`), want: "stands where a number should"},
	{name: "a list for a number", body: value("[300]"), want: "stands where a number should"},
	{name: "kilograms for grams", body: values("0.412"), want: "are they kg/kWh?"},
	{name: "zeros for unknown", body: values("0"), want: "every value of DE is 0", only: "electricitymaps"},
	{name: "nothing but nulls", body: values("null")},
	// Times.
	{name: "a time twice", body: lines(func(_ dialect, l []line) []line { return append(l, line{l[2].time, "999"}) }), want: "twice"},
	{name: "a time twice, in two offsets", body: lines(func(_ dialect, l []line) []line {
		t, _ := time.Parse(`"2006-01-02T15:04:05Z"`, l[2].time)
		return append(l, line{`"` + t.Add(2*time.Hour).Format("2006-01-02T15:04:05") + `+02:00"`, "999"})
	}), want: "twice|half an hour"},
	{name: "off the step", body: lines(func(_ dialect, l []line) []line {
		t, _ := time.Parse(`"2006-01-02T15:04:05Z"`, l[3].time)
		l[3].time = quoted(t.Add(2 * time.Minute))
		return l
	}), want: "not on a step|apart, in steps of"},
	{name: "seconds past the minute", body: lines(func(_ dialect, l []line) []line {
		t, _ := time.Parse(`"2006-01-02T15:04:05Z"`, l[3].time)
		l[3].time = quoted(t.Add(30 * time.Second))
		return l
	}), want: "not on a step"},
	{name: "between the steps", body: lines(func(d dialect, l []line) []line {
		t, _ := time.Parse(`"2006-01-02T15:04:05Z"`, l[3].time)
		l[3].time = quoted(t.Add(15 * time.Minute))
		return l
	}), want: "in steps of", only: "uk electricitymaps"},
	{name: "the year 9999", body: when(`"9999-12-31T23:00:00Z"`), want: "out of range"},
	{name: "the year 1", body: when(`"0001-01-01T00:00:00Z"`), want: "out of range"},
	{name: "the thirteenth month", body: when(`"2026-13-01T00:00:00Z"`), want: "not a time with its offset"},
	{name: "the 30th of February", body: when(`"2026-02-30T00:00:00Z"`), want: "not a time with its offset"},
	{name: "the hour 25", body: when(`"2026-09-14T25:00:00Z"`), want: "not a time with its offset"},
	{name: "a leap second", body: when(`"2026-06-30T23:59:60Z"`), want: "not a time with its offset"},
	{name: "no offset", body: when(`"2026-09-14T08:00:00"`), want: "not a time with its offset"},
	{name: "an offset of 99 hours", body: when(`"2026-09-14T08:00:00+99:00"`), want: "not a time with its offset"},
	{name: "a date alone", body: when(`"2026-09-14"`), want: "not a time with its offset"},
	{name: "seconds since 1970", body: when("1789372800"), want: "is a number"},
	{name: "no time", body: when("null"), want: "not a time with its offset"},
	{name: "an empty time", body: when(`""`), want: "not a time with its offset"},
	{name: "a very long time", body: when(`"` + strings.Repeat("2026-", 10_000) + `"`), want: "not a time with its offset"},
	{name: "years from now", body: lines(func(d dialect, l []line) []line {
		for i := range l {
			l[i].time = quoted(at("2031-09-14T10:00Z").Add(time.Duration(i) * d.step))
		}
		return l
	}), want: "asked for|begins at 2031-09-14T10:00Z only"},
	{name: "years ago", body: lines(func(d dialect, l []line) []line {
		for i := range l {
			l[i].time = quoted(at("2021-09-14T10:00Z").Add(time.Duration(i) * d.step))
		}
		return l
	}), want: "asked for|ends at 2021-"},
	{name: "one value years away", body: lines(func(_ dialect, l []line) []line { return append(l, line{`"2199-01-01T00:00:00Z"`, "300"}) }), want: "asked for|more than 31 days"},
	{name: "a forecast of the past", body: lines(func(d dialect, l []line) []line {
		for i := range l {
			l[i].time = quoted(at("2026-09-14T00:00Z").Add(time.Duration(i) * d.step))
		}
		return l
	}), want: "ends at 2026-09-14T0", just: "forecast"},
	{name: "issued tomorrow", body: text(func(s string) string {
		return strings.ReplaceAll(s, "2026-09-14T10:00:00Z\"", "2026-09-15T10:00:00Z\"")
	}), want: "is this machine's clock right?", only: "electricitymaps watttime", just: "forecast"},
	{name: "measured, and issued tomorrow", body: swap(`"carbonIntensity"`, `"updatedAt":"2026-09-15T10:00:00Z","carbonIntensity"`), want: "is this machine's clock right?", only: "electricitymaps", just: "history"},
	{name: "imputed tomorrow", body: swap(`"value"`, `"last_updated":"2026-09-15T10:00:00Z","value"`), want: "is this machine's clock right?", only: "watttime", just: "history"},
	// Whose values these are.
	{name: "a neighbour's zone", body: swap(`"zone":"DE"`, `"zone":"FR"`), want: `answers for "FR"`, only: "electricitymaps"},
	{name: "a neighbour's row", body: swap(`"carbonIntensity"`, `"zone":"FR","carbonIntensity"`), want: `a row is of "FR"`, only: "electricitymaps"},
	{name: "no zone at all", body: swap(`"zone":"DE",`, ``), want: `answers for ""`, only: "electricitymaps"},
	{name: "half a character as zone", body: swap(`"zone":"DE"`, `"zone":"\ud800"`), want: "answers for", only: "electricitymaps"},
	{name: "the sandbox", body: swap(`"carbonIntensity"`, `"estimationMethod":"SANDBOX_MODE_DATA","carbonIntensity"`), want: "sandbox", only: "electricitymaps"},
	{name: "combustion for lifecycle", body: swap(`"carbonIntensity"`, `"emissionFactorType":"direct","carbonIntensity"`), want: "asked for lifecycle", only: "electricitymaps"},
	{name: "production for consumption", body: swap(`"carbonIntensity"`, `"flowTraced":false,"carbonIntensity"`), want: "not traced", only: "electricitymaps"},
	{name: "quarter hours for hours", body: swap(`"carbonIntensity"`, `"temporalGranularity":"15_minutes","carbonIntensity"`), want: "15_minutes", only: "electricitymaps"},
	{name: "two lists", body: swap(`"updatedAt"`, `"history":[],"updatedAt"`), want: "several lists", only: "electricitymaps"},
	{name: "another region", body: swap("CAISO_NORTH", "PJM_DC"), want: `answers for "PJM_DC"`, only: "watttime"},
	{name: "another signal", body: swap("co2_moer", "health_damage"), want: "health_damage", only: "watttime"},
	{name: "a rank for a quantity", body: swap("lbs_co2_per_mwh", "percentile"), want: "percentile", only: "watttime"},
	{name: "tons for pounds", body: swap("lbs_co2_per_mwh", "t_co2_per_mwh"), want: "t_co2_per_mwh", only: "watttime"},
	{name: "no model", body: swap(`"model":{"date":"2025-09-01"}`, `"model":null`), want: "which model", only: "watttime"},
	{name: "negative steps", body: swap(`seconds":300`, `seconds":-300`), want: "-300 seconds apart", only: "watttime"},
	{name: "steps of nothing", body: swap(`seconds":300`, `seconds":0`), want: "0 seconds apart", only: "watttime"},
	{name: "steps longer than a day", body: swap(`seconds":300`, `seconds":604800`), want: "604800 seconds apart", only: "watttime"},
	{name: "steps past an int", body: swap(`seconds":300`, `seconds":99999999999999999999`), want: "is a number", only: "watttime"},
	{name: "slots of three hours", body: swap(`:30:00Z","intensity"`, `:45:00Z","intensity"`), want: "want half an hour", only: "uk"},
	// JSON.
	{name: "a field twice", body: swap(`{`, `{"data":[],"data":[],`), want: `has the field "data" twice`},
	{name: "a field in two cases", body: swap(`{`, `{"DATA":[],"Data":[],`), want: "twice"},
	{name: "a value twice", body: text(func(s string) string {
		for _, f := range []string{`"carbonIntensity":`, `"value":`, `"actual":`} {
			s = strings.Replace(s, f, f+`1,`+f, 1)
		}
		return s
	}), want: "twice"},
	{name: "a list of nulls", body: func(d dialect, forecast bool) string {
		doc := d.doc(forecast)
		return strings.Replace(doc, "[]", "[null,null]", 1)
	}, want: "not a time with its offset"},
	{name: "null for a list", body: func(d dialect, forecast bool) string {
		return strings.NewReplacer("[]", "null").Replace(d.doc(forecast))
	}, want: "no data|no values|", just: ""},
	{name: "text for a list", body: func(d dialect, forecast bool) string {
		return strings.NewReplacer("[]", `"none"`).Replace(d.doc(forecast))
	}, want: "is a string|cannot be read"},
	{name: "an object for a list", body: func(d dialect, forecast bool) string {
		return strings.NewReplacer("[]", `{"a":1}`).Replace(d.doc(forecast))
	}, want: "is a object|cannot be read"},
	{name: "an empty list", body: func(d dialect, forecast bool) string { return d.doc(forecast) }},
	{name: "null", body: plain("null"), want: "no data|no values|answers for"},
	{name: "a number", body: plain("42"), want: "is a number"},
	{name: "a list", body: plain("[]"), want: "is a array"},
	{name: "an empty object", body: plain("{}"), want: "no data|no values|answers for"},
	{name: "an error with status 200", body: plain(`{"error":"out of order"}`), want: "out of order|answers for"},
	{name: "cut off", body: text(func(s string) string { return s[:len(s)/2] }), want: "breaks off"},
	{name: "the last brace missing", body: text(func(s string) string { return s[:len(s)-1] }), want: "breaks off"},
	{name: "two documents", body: text(func(s string) string { return s + s }), want: "more after the end"},
	{name: "words after the end", body: text(func(s string) string { return s + "<!-- cached -->" }), want: "more after the end"},
	{name: "comments", body: text(func(s string) string { return "/* ok */" + s }), want: "not JSON"},
	{name: "single quotes", body: text(func(s string) string { return strings.ReplaceAll(s, `"`, `'`) }), want: "not JSON"},
	{name: "a comma too many", body: text(func(s string) string { return strings.Replace(s, "]", ",]", 1) }), want: "not JSON"},
	{name: "lists in lists", body: plain(strings.Repeat("[", 100_000)), want: "nests deeper"},
	{name: "objects in objects", body: plain(strings.Repeat(`{"a":`, 20_000)), want: "nests deeper"},
	{name: "deep in a field that nobody reads", body: swap(`{`, `{"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`,`), want: "nests deeper"},
	{name: "five thousand values", body: func(d dialect, forecast bool) string {
		var all []line
		for i := range 5000 {
			all = append(all, line{quoted(at("2026-09-14T10:00Z").Add(time.Duration(i-2500) * d.step)), "300"})
		}
		return d.doc(forecast, all...)
	}, want: "asked for|more than 31 days|more than 262144 bytes", only: "electricitymaps"},
	// Text.
	{name: "empty", body: plain(""), want: "is empty"},
	{name: "blank", body: plain(" \r\n\t "), want: "is empty"},
	{name: "HTML", body: plain("<!doctype html><html><head><title>Please log in</title></head></html>"), want: "not JSON"},
	{name: "XML", body: plain(`<?xml version="1.0"?><a/>`), want: "not JSON"},
	{name: "UTF-16", body: text(func(s string) string {
		out := "\xff\xfe"
		for _, b := range []byte(s) {
			out += string([]byte{b, 0})
		}
		return out
	}), want: "UTF-16"},
	{name: "two byte order marks", body: text(func(s string) string { return "\ufeff\ufeff" + s }), want: "not JSON"},
	{name: "Latin-1", body: swap(`{`, "{\"note\":\"\xe4\","), want: "not text in UTF-8"},
	{name: "a zero byte", body: text(func(s string) string { return s + "\x00" }), want: "not text in UTF-8"},
	// The wire.
	{name: "another type", answer: fake.Body(200, "text/html", "<title>Hello</title>"), want: `a page titled "Hello"`},
	{name: "a picture", answer: fake.Body(200, "image/png", "\x89PNG"), want: `"image/png"`},
	{name: "another charset", answer: fake.Body(200, "application/json; charset=shift_jis", "{}"), want: "shift_jis"},
	{name: "10 GB", answer: fake.Endless, want: "more than 262144 bytes"},
	{name: "a zip bomb", answer: fake.Bomb, want: "more than 262144 bytes"},
	{name: "gzip that is none", answer: fake.Body(200, "application/json", "{}", "Content-Encoding", "gzip"), want: "is gzip and is not|broke off"},
	{name: "an unknown encoding", answer: fake.Body(200, "application/json", "{}", "Content-Encoding", "zstd"), want: `encoded as "zstd"`},
	{name: "broken off on the way", answer: fake.Truncated, want: "broke off"},
	{name: "hung up", answer: fake.HangUp, want: "broke off"},
	{name: "drop by drop", answer: fake.Slow, want: "took too long", slow: true},
	{name: "headers without end", answer: fake.Body(200, "application/json", "{}", "X-A", strings.Repeat("a", 100_000)), want: "headers of the answer"},
	{name: "a redirection elsewhere", answer: fake.Elsewhere("https://elsewhere.example/data"), want: `redirects to "elsewhere.example"`},
	{name: "a redirection to the cloud's keys", answer: fake.Elsewhere("http://169.254.169.254/latest/meta-data/"), want: "redirects to"},
	{name: "400", answer: fake.JSON(400, `{"error":"bad"}`), want: "bad"},
	{name: "401", answer: fake.JSON(401, `{"error":"Invalid auth-token"}`), want: "Invalid •••|Invalid auth-token"},
	{name: "403 in HTML", answer: fake.Body(403, "text/html", "<html><title>403 Forbidden</title>"), want: "403 Forbidden"},
	{name: "404", answer: fake.JSON(404, `{"error":"nothing here"}`), want: "nothing here"},
	{name: "410", answer: fake.JSON(410, `{}`), want: "retired"},
	{name: "429", answer: fake.JSON(429, `{}`, "Retry-After", "60"), want: "429"},
	{name: "500", answer: fake.JSON(500, `{"error":{"code":"500","message":"oh"}}`), want: "500, oh"},
	{name: "503 for a century", answer: fake.JSON(503, `{}`, "Retry-After", "9999999999"), want: "503"},
	{name: "999", answer: fake.JSON(999, `{}`), want: "999"},
	{name: "204", answer: fake.JSON(204, ``), want: "204"},
	{name: "304 to a new question", answer: fake.JSON(304, ``), want: "was not asked before"},
}

// sink is a store in memory.
type sink struct {
	mu       sync.Mutex
	measured []grid.Series
	issued   []grid.Series
	forecast []grid.Series
}

func (s *sink) Put(_ context.Context, _ time.Time, b signal.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range b.Found {
		switch f.Kind {
		case grid.Measured:
			s.measured = append(s.measured, f.Series)
		case grid.Issued:
			s.issued = append(s.issued, f.Series)
		case grid.Forecast:
			s.forecast = append(s.forecast, f.Series)
		}
	}
	return nil
}

func (s *sink) Measured(context.Context, grid.Zone, time.Time) ([]grid.Series, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.measured), nil
}

func (*sink) Quarantines(context.Context) ([]signal.Note, error) { return nil, nil }

func (s *sink) Issued(context.Context, grid.Zone, time.Time) ([]grid.Series, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.issued), nil
}

// Whatever a source answers: nothing of it is believed, it is said why, the key
// is in none of it, and planning goes on with what else there is.
func TestHostile(t *testing.T) {
	if len(hostiles) < 60 {
		t.Fatalf("%d hostile answers, want 60 or more", len(hostiles))
	}
	seen := map[string]bool{}
	for _, h := range hostiles {
		if seen[h.name] {
			t.Fatalf("%q is there twice", h.name)
		}
		seen[h.name] = true
	}
	for _, d := range dialects(t) {
		server := fake.New(t, http.NotFoundHandler())
		for _, h := range hostiles {
			if h.only != "" && !strings.Contains(h.only, d.name) {
				continue
			}
			t.Run(d.name+"/"+h.name, func(t *testing.T) { h.try(t, d, server) })
		}
	}
}

func (h hostile) try(t *testing.T, d dialect, server *fake.Server) {
	answer := h.answer
	if answer == nil {
		answer = func(w http.ResponseWriter, r *http.Request) {
			fake.JSON(200, h.body(d, strings.Contains(r.URL.Path, "forecast") || strings.HasSuffix(r.URL.Path, "fw48h")))(w, r)
		}
	}
	server.Trouble(answer)
	patience := 10 * time.Second
	if h.slow {
		patience = 20 * time.Millisecond
	}
	f := d.open(t, server.URL, patience)
	from := at("2026-09-12T00:00Z")
	check := func(what string, s grid.Series, err error) {
		t.Helper()
		if len(s.Values) > 0 {
			t.Fatalf("%s: it believes %v", what, s)
		}
		if h.want == "" {
			if err != nil {
				t.Errorf("%s: nothing is told, and that is %v", what, err)
			}
			return
		}
		if err == nil {
			// Nothing was believed; where that can be had for nothing, so be it.
			if !strings.HasSuffix(h.want, "|") {
				t.Errorf("%s: no reason is given, want %q", what, h.want)
			}
			return
		}
		if !slices.ContainsFunc(strings.Split(strings.TrimSuffix(h.want, "|"), "|"), func(w string) bool { return strings.Contains(err.Error(), w) }) {
			t.Errorf("%s: it says %q, want %q", what, err, h.want)
		}
		if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\x00\n") || strings.Contains(err.Error(), emKey) || strings.Contains(err.Error(), wtKey) {
			t.Errorf("%s: this is not for a log: %q", what, err)
		}
	}
	if h.just != "forecast" {
		s, err := f.History(t.Context(), d.zone, from, hostileNow, hostileNow)
		check("history", s, err)
	}
	if h.just != "history" {
		f = d.open(t, server.URL, patience)
		s, err := f.Forecast(t.Context(), d.zone, hostileNow)
		check("forecast", s, err)
	}

	// Planning goes on. What was said in one tongue only (history, say) is
	// answered in it for both, and the other may be sound.
	store := &sink{}
	p := &signal.Poller{
		Providers: []signal.Provider{d.open(t, server.URL, patience)}, Sink: store, Basis: d.basis,
		Wanted: func(context.Context) ([]grid.Zone, error) { return []grid.Zone{d.zone}, nil },
		Annual: []signal.AnnualMean{{Zone: d.zone, Mean: 300_000, Year: 2025, Basis: d.basis}},
	}
	if err := p.Step(t.Context(), hostileNow); err != nil {
		t.Errorf("the step failed: %v", err)
	}
	if len(store.forecast) != 1 || store.forecast[0].Validate() != nil || !store.forecast[0].End().After(hostileNow.Add(24*time.Hour)) {
		t.Errorf("no forecast to plan by: %v", store.forecast)
	}
	if h.just != "forecast" && len(store.measured) > 0 || h.just != "history" && len(store.issued) > 0 {
		t.Errorf("stored %v and %v", store.measured, store.issued)
	}
}

// The answers that are spoilt above are taken as they are.
func TestHostileBase(t *testing.T) {
	for _, d := range dialects(t) {
		server := fake.New(t, http.NotFoundHandler())
		for name, spoil := range map[string]func([]line) []line{
			"as it is":  func(l []line) []line { return l },
			"backwards": func(l []line) []line { slices.Reverse(l); return l },
			"with gaps": func(l []line) []line { return append(l[:2], l[4:]...) },
			"a null":    func(l []line) []line { l[3].value = "null"; return l },
		} {
			for _, mark := range []string{"", "\ufeff"} {
				server.Trouble(func(w http.ResponseWriter, r *http.Request) {
					forecast := strings.Contains(r.URL.Path, "forecast") || strings.HasSuffix(r.URL.Path, "fw48h")
					fake.JSON(200, mark+d.doc(forecast, spoil(d.lines(forecast))...))(w, r)
				})
				f := d.open(t, server.URL, 10*time.Second)
				h, err := f.History(t.Context(), d.zone, at("2026-09-12T00:00Z"), hostileNow, hostileNow)
				if err != nil || len(h.Values) != 8 || h.Step != d.step {
					t.Errorf("%s, %s: history %v, %v", d.name, name, h, err)
				}
				s, err := f.Forecast(t.Context(), d.zone, hostileNow)
				if err != nil || len(s.Values) != 8 || s.Step != d.step {
					t.Errorf("%s, %s: forecast %v, %v", d.name, name, s, err)
				}
				gap := slices.Contains(h.Values, grid.Unknown)
				if gap != (name == "with gaps" || name == "a null") {
					t.Errorf("%s, %s: %v", d.name, name, h.Values)
				}
			}
		}
	}
}

// Past what any question is answered with, values are not even looked at.
func TestTooManyPoints(t *testing.T) {
	o := origin{provider: "x", zone: "DE", basis: grid.AverageLifecycle}
	ps := make([]point, mostPoints+1)
	for i := range ps {
		ps[i] = point{at: hostileNow.Truncate(time.Hour).Add(time.Duration(-i) * time.Hour), value: 300_000}
	}
	if _, err := o.history(slices.Clone(ps), at("1990-01-01T00:00Z"), hostileNow, hostileNow); err == nil || !strings.Contains(err.Error(), "want at most 36000") {
		t.Errorf("got %v", err)
	}
	if _, err := o.history(ps[:mostPoints], at("1990-01-01T00:00Z"), hostileNow, hostileNow); err != nil {
		t.Error(err)
	}
}

// A step that is not over is not measured, whatever was asked for.
func TestStepNotOver(t *testing.T) {
	o := origin{provider: "x", zone: "DE", basis: grid.AverageLifecycle, step: time.Hour}
	ps := []point{{at: at("2026-09-14T09:00Z"), value: 300_000}, {at: at("2026-09-14T10:00Z"), value: 310_000}}
	s, err := o.history(ps, at("2026-09-14T00:00Z"), at("2026-09-15T00:00Z"), hostileNow)
	if err != nil || len(s.Values) != 1 || s.End().After(hostileNow) {
		t.Errorf("got %v, %v", s, err)
	}
}

// FuzzAnswer: whatever a source answers, a driver neither panics nor believes
// what no grid can be.
func FuzzAnswer(f *testing.F) {
	ds := dialects(f)
	var drivers []signal.Forecaster
	for i, d := range ds {
		drivers = append(drivers, d.open(f, "http://127.0.0.1:1", time.Second))
		for _, forecast := range []bool{false, true} {
			f.Add(d.doc(forecast, d.lines(forecast)...), i)
		}
	}
	f.Fuzz(func(t *testing.T, body string, which int) {
		which = (which%len(ds) + len(ds)) % len(ds)
		d, driver := ds[which], drivers[which]
		a := answer{status: 200, header: http.Header{}, body: []byte(body)}
		if checkText(&a, jsonType) != nil {
			return
		}
		var ps []point
		var err error
		switch x := driver.(type) {
		case *uk:
			ps, err = x.read(a, d.zone, "GB", func(s ukSlot) number { return s.Intensity.Actual })
		case *emMaps:
			ps, _, err = x.read(a, d.zone, "DE")
		case *wattTime:
			var got struct {
				Data []wtPoint `json:"data"`
				Meta wtMeta    `json:"meta"`
			}
			o := x.origin(d.zone)
			if err = decode(a, &got); err == nil {
				unit, model, cerr := x.check(got.Meta, "CAISO_NORTH", &o)
				if cerr != nil {
					return
				}
				ps, err = x.points(got.Data, o, unit, model)
			}
		}
		if err != nil {
			if _, ok := errors.AsType[*unfit](err); !ok && !errors.As(err, new(*fault)) {
				t.Errorf("an error that is not explained: %v", err)
			}
			return
		}
		o := origin{provider: "x", zone: d.zone, basis: d.basis, step: d.step}
		for _, s := range []func() (grid.Series, error){
			func() (grid.Series, error) {
				return o.history(slices.Clone(ps), at("2026-09-12T00:00Z"), hostileNow, hostileNow)
			},
			func() (grid.Series, error) { return o.forecast(slices.Clone(ps), hostileNow, hostileNow) },
		} {
			got, err := s()
			if err == nil && len(got.Values) > 0 && got.Validate() != nil {
				t.Errorf("believes %v", got)
			}
		}
	})
}
