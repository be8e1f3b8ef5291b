package provider

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestPaths(t *testing.T) {
	var doc any
	dec := json.NewDecoder(strings.NewReader(`{"data":[{"v":1,"w":[5,6]},{"v":2,"w":[7]}],"meta":{"zone-id":"DE","a.b":true},"n":null}`))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"data[*].v": "[1 2]", "$.data[1].v": "[2]", "data[0].w[*]": "[5 6]", "data[*].w[*]": "[5 6 7]", "$['x']": "error",
		"meta.zone-id": "[DE]", `meta["a.b"]`: "[true]", `$["meta"].zone-id`: "[DE]", "n": "[<nil>]", "": "whole",
		"data[2].v": "error", "data.v": "error", "meta[0]": "error", "n.x": "error", "none": "error", "data[*].none": "error", "data[0].w[1][0]": "error",
		"data..v": "error", "data[": "error", "data[-1]": "error", "data[x]": "error", "data[1:2]": "error", ".data": "error", "data[]": "error",
		"data[0]v": "error", `meta["a`: "error", `meta[""]`: "error", "$data": "error", "data[?(@.v)]": "error", "data.": "error",
		strings.Repeat("a.", 16) + "a": "error", "data[99999999]": "error",
	} {
		p, err := parsePath(path)
		var got []any
		if err == nil {
			got, err = p.find(doc)
		}
		switch {
		case want == "error":
			if err == nil {
				t.Errorf("%s: got %v, want an error", path, got)
			}
		case want == "whole":
			if err != nil || len(got) != 1 {
				t.Errorf("%q: %v, %v", path, got, err)
			}
		case err != nil || fmt.Sprint(got) != want:
			t.Errorf("%s: got %v, %v, want %s", path, got, err, want)
		}
	}
}

// FuzzPath: whatever the path and the answer, it is refused or reads no more than
// is allowed.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"data[*].v", "$.a[1].b", `x["a.b"]`, "a..b", "[", "$", "a[99999]", ""} {
		f.Add(p, `{"data":[{"v":1}],"a":[1,{"b":null}],"x":{"a.b":2}}`)
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		fs := fields{byRow: true, times: timeForm{"unix", time.UTC}}
		var err error
		if fs.rows, err = parsePath(path); err != nil {
			return
		}
		if len(fs.rows) > mostHops {
			t.Errorf("%q has %d hops", path, len(fs.rows))
		}
		fs.time, fs.value = jsonPath{{name: "v"}}, jsonPath{{name: "v"}}
		if samples, err := fs.decode(answer{body: []byte(text)}); err == nil && len(samples) > mostSteps {
			t.Errorf("%d samples", len(samples))
		}
	})
}

func TestRequestsAreEscaped(t *testing.T) {
	r, err := parseRequest("/v1/{zone}/series?area=x%20{zone}&from={from}&to={to}&fixed=a%26b&token={key}")
	if err != nil {
		t.Fatal(err)
	}
	path, query, err := r.fill(map[string]string{"zone": "DE?a=1&b={key}#", "from": "2026-09-14T10:00:00+00:00", "to": "t"})
	if err != nil || path != "/v1/DE?a=1&b={key}#/series" { // the line escapes it
		t.Errorf("%s, %v", path, err)
	}
	want := "area=x+DE%3Fa%3D1%26b%3D%7Bkey%7D%23&fixed=a%26b&from=2026-09-14T10%3A00%3A00%2B00%3A00&to=t"
	if got := query.Encode(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if r.key != "token" { // it is put in where the answer's echo is scrubbed of it
		t.Errorf("the key goes into %q", r.key)
	}
	for _, zone := range []string{"../admin", "a/b", "..", ".", `a\b`} {
		if _, _, err := r.fill(map[string]string{"zone": zone}); err == nil {
			t.Errorf("zone %q made another path", zone)
		}
	}
	for s, want := range map[string]string{
		"v1/x": "begin with /", "/x#y": "fragment", "/%zz": "its path", "/x?a=%zz": "its query", "/{zoned}": "{zoned} is none of", "/x?a={zone": "is none of",
		"/x}": "a } has no {", "/{key}": "{key} stands in the path", "/x?a=Bearer%20{key}": "{key} is the whole", "/x?a={key}&b={key}": "{key} is the whole", "/x?{zone}=1": "name of a parameter", "/x?=1": "its query", "/{date}?f={from}": "for days or for times",
		"/x?a=" + strings.Repeat("a", 2000): "longer than 2000",
	} {
		if _, err := parseRequest(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", s, err, want)
		}
	}
}

func TestTimesAreReadAndWritten(t *testing.T) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	for form, want := range map[string]string{
		"": "2026-09-14T10:00:00Z", "unix": "1789380000", "unix-ms": "1789380000000", "2006-01-02 15:04": "2026-09-14 12:00",
		"2006-01-02": "2026-09-14", "200601021504": "202609141200", "02.01.2006 15:04 -0700": "14.09.2026 12:00 +0200",
	} {
		f, err := parseTimeForm("timeFormat", form, oslo)
		if err != nil || f.write(ten) != want {
			t.Errorf("%q: wrote %s, %v", form, f.write(ten), err)
			continue
		}
		back, err := f.read(want)
		if form == "2006-01-02" {
			if !back.Equal(time.Date(2026, 9, 13, 22, 0, 0, 0, time.UTC)) {
				t.Errorf("the day begins at %s", back)
			}
		} else if err != nil || !back.Equal(ten) {
			t.Errorf("%q: read %s, %v", form, back, err)
		}
	}
	for _, form := range []string{"iso", "YYYY-MM-DD", "15:04", "2006", strings.Repeat("2006-01-02", 9)} {
		if _, err := parseTimeForm("timeFormat", form, time.UTC); err == nil {
			t.Errorf("form %q passed", form)
		}
	}
	for form, bad := range map[string]any{
		"unix": json.Number("1789380000000"), "unix-ms": "soon", "rfc3339": "2026-09-14T10:00:00", "2006-01-02": "14.9.2026", "": nil,
	} {
		f, _ := parseTimeForm("timeFormat", form, time.UTC)
		if at, err := f.read(bad); err == nil {
			t.Errorf("%q read %v as %s", form, bad, at)
		}
	}
}

func mustFields(t *testing.T, rows, at, value, estimated, form string) fields {
	t.Helper()
	f := fields{byRow: rows != ""}
	var err error
	path := func(s string) (p jsonPath) {
		if s == "" || err != nil {
			return nil
		}
		p, err = parsePath(s)
		return p
	}
	f.rows, f.time, f.value, f.estimated = path(rows), path(at), path(value), path(estimated)
	if err == nil {
		f.times, err = parseTimeForm("timeFormat", form, time.UTC)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAnswersOfOthersAreRead(t *testing.T) {
	f := mustFields(t, "multiAreaEntries[*]", "deliveryStart", "entryPerArea.SE3", "", "")
	s, err := f.decode(answer{body: sample(t, "nordpool/DayAheadPrices.json")})
	if err != nil || len(s) != 96 || s[0].value != 33 || !s[0].at.Equal(ten.Add(-12*time.Hour)) {
		t.Errorf("Nord Pool: %d, %v", len(s), err)
	}
	f = mustFields(t, "data[*]", "start_timestamp", "marketprice", "", "unix-ms")
	s, err = f.decode(answer{body: sample(t, "awattar/marketdata.json")})
	if err != nil || len(s) != 2 || s[1].value != 48.75 || !s[1].at.Equal(ten.Add(time.Hour)) {
		t.Errorf("aWATTar: %v, %v", s, err)
	}
	f = mustFields(t, "", "unix_seconds[*]", "co2eq[*]", "", "unix")
	s, err = f.decode(answer{body: sample(t, "energycharts/co2eq.json")})
	if err != nil || len(s) != 96 || s[0].value != 325 || !math.IsNaN(s[95].value) {
		t.Errorf("Energy-Charts by columns: %d, %v", len(s), err)
	}
	// Lists in lists, text for numbers, marks, any order, a value left out.
	f = mustFields(t, "$[*]", "[0]", "[1]", "[2]", "")
	s, err = f.decode(answer{body: []byte(`[["2026-09-14T11:00Z","7.5",true],["2026-09-14T10:00:00+00:00",5,false],["2026-09-14T12:00Z"]]`)})
	if err != nil || len(s) != 3 || s[0].value != 5 || s[1].value != 7.5 || !s[1].estimated || s[0].estimated || !math.IsNaN(s[2].value) {
		t.Errorf("%v, %v", s, err)
	}
}

func templateRefused(t *testing.T) map[string]struct {
	f         fields
	doc, want string
} {
	rows := mustFields(t, "data[*]", "t", "v", "e", "")
	lists := mustFields(t, "", "t[*]", "v[*]", "", "unix")
	const at = `"2026-09-14T10:00:00Z"`
	return map[string]struct {
		f         fields
		doc, want string
	}{
		"http: rows lead to nothing":     {rows, `{"items":[]}`, "rows: data: leads to nothing"},
		"http: rows are an object":       {rows, `{"data":{"t":1}}`, "an object, want a list"},
		"http: rows are numbers":         {rows, `{"data":[1,2]}`, "row 1 is a number"},
		"http: no row has the value":     {rows, `{"data":[{"t":` + at + `,"x":1}]}`, "leads to nothing in any row"},
		"http: a row without its time":   {rows, `{"data":[{"v":1}]}`, "row 1: time"},
		"http: the time is an object":    {rows, `{"data":[{"t":{},"v":1}]}`, "an object, want a time"},
		"http: the value is an object":   {rows, `{"data":[{"t":` + at + `,"v":{}}]}`, "an object, want a number"},
		"http: the value is true":        {rows, `{"data":[{"t":` + at + `,"v":true}]}`, "want a number"},
		"http: the value is NaN in text": {rows, `{"data":[{"t":` + at + `,"v":"NaN"}]}`, "NaN"},
		"http: the value is empty text":  {rows, `{"data":[{"t":` + at + `,"v":""}]}`, "not a decimal number"},
		"http: the value is 1e999":       {rows, `{"data":[{"t":` + at + `,"v":1e999}]}`, "1e999"},
		"http: estimated is text":        {rows, `{"data":[{"t":` + at + `,"v":1,"e":"no"}]}`, "want true or false"},
		"http: a time without offset":    {rows, `{"data":[{"t":"2026-09-14T10:00:00","v":1}]}`, "with its offset"},
		"http: a list for an answer":     {rows, `[]`, "is a list, want an object"},
		"http: a number for an answer":   {rows, `5`, "a number, and the path goes on"},
		"http: lists of unequal length":  {lists, `{"t":[1789380000,1789383600],"v":[1]}`, "time leads to 2 entries, value to 1"},
		"http: milliseconds for seconds": {lists, `{"t":[1789380000000],"v":[1]}`, "is timeFormat unix-ms?"},
		"http: time zero":                {lists, `{"t":[0],"v":[1]}`, "no count since 1970"},
		"http: a web page":               {lists, `<html>`, "not JSON"},
		"http: nothing":                  {lists, ``, "cannot be read"},
		"http: two answers":              {lists, `{"t":[],"v":[]}{}`, "more after the end"},
		"http: a deep one":               {lists, strings.Repeat(`[`, 20_000), "nests deeper"},
		"http: more than is read":        {lists, `{"v":[],"t":[` + strings.Repeat("1,", mostSteps) + `1]}`, "leads to more than"},
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	for what, c := range templateRefused(t) {
		if s, err := c.f.decode(answer{body: []byte(c.doc)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %q", what, s, err, c.want)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", what, len(err.Error()))
		}
	}
}

func TestUnits(t *testing.T) {
	for name, want := range map[string]int64{"g/kWh": 100_000, "kg/MWh": 100_000, "kg/kWh": 0, "g/MWh": 100, "lb/MWh": 45_359, "t/MWh": 0} {
		u, err := carbonUnit(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := u.intensity(100)
		if want == 0 {
			if err == nil {
				t.Errorf("100 %s passed as %d", name, v)
			}
			if v, err := u.intensity(0.1); err != nil || v != 100_000 {
				t.Errorf("0.1 %s is %d, %v", name, v, err)
			}
		} else if err != nil || int64(v) != want {
			t.Errorf("100 %s is %d, %v", name, v, err)
		}
	}
	for _, bad := range []float64{-1, 3001, math.Inf(1), math.Inf(-1)} {
		u, _ := carbonUnit("g/kWh")
		if v, err := u.intensity(bad); err == nil {
			t.Errorf("%g g/kWh passed as %d", bad, v)
		}
	}
	if _, err := carbonUnit("kg"); err == nil {
		t.Error("kg passed")
	}
	u, err := priceUnit("EUR/MWh")
	if v, err2 := u.rate(-12.5); err != nil || err2 != nil || v != -12_500 || u.currency != "EUR" {
		t.Errorf("%d, %v, %v", v, err, err2)
	}
	if v, err := u.rate(math.NaN()); err != nil || v.Known() {
		t.Errorf("%d, %v", v, err)
	}
	if v, err := u.rate(2e5); err == nil {
		t.Errorf("200,000 EUR/MWh passed as %d", v)
	}
	if u, err = priceUnit("SEK/kWh"); err != nil || u.times != 1e6 {
		t.Error(u, err)
	}
	for _, bad := range []string{"EUR", "eur/MWh", "EUR/GWh", "/MWh", "EURO/kWh"} {
		if _, err := priceUnit(bad); err == nil {
			t.Errorf("%s passed", bad)
		}
	}
}
