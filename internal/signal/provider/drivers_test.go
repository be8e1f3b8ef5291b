package provider

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest/fake"
	"clusy.io/clusy/internal/signal/tables"
)

func TestEntsoeReckons(t *testing.T) {
	c := sourceCases()["entsoe"]
	o, k := c.open(t, dial.Options{})
	noon := at("2026-03-02T12:00Z")
	s, err := o.Provider.History(t.Context(), "FI", noon, noon.Add(time.Hour), noon.Add(3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	// 3600 MW of gas at 490, 2700 of nuclear at 12, 1200 of sun at 45, 1380 of
	// wind at 11 and a store that pumps, which is nothing.
	if len(s.Values) != 4 || s.Values[0] != 210_088 {
		t.Errorf("%v", s.Values)
	}
	if s.Step != 15*time.Minute || !s.Estimated || s.Grade != grid.GradeB || s.Flow != grid.Production || s.Basis != grid.AverageLifecycle || s.Provider != "entsoe" {
		t.Errorf("%s %+v", s.Step, s.Provenance)
	}
	if !s.Issued.Equal(s.End().Add(2 * time.Hour)) {
		t.Errorf("issued at %s, measures until %s", s.Issued, s.End())
	}
	asked := k.Asked()
	if len(asked) != 1 || asked[0].Query.Get("periodStart") != "202603020000" || asked[0].Query.Get("periodEnd") != "202603021300" || asked[0].Query.Get("processType") != "A16" {
		t.Errorf("asked %+v", asked)
	}
	// What ended less than two hours ago is not told.
	if s, err = o.Provider.History(t.Context(), "FI", noon, noon.Add(6*time.Hour), noon.Add(3*time.Hour)); err != nil || !s.End().Equal(noon.Add(time.Hour)) {
		t.Errorf("ends at %s, %v", s.End(), err)
	}

	// Combustion alone, told a little sooner.
	c.d.Scope, c.d.Settle = "direct", "30m"
	o, _ = c.open(t, dial.Options{})
	if s, err = o.Provider.History(t.Context(), "FI", noon, noon.Add(6*time.Hour), noon.Add(3*time.Hour)); err != nil || !s.End().Equal(noon.Add(150*time.Minute)) ||
		s.Basis.Scope != grid.Direct || s.Values[0] != 150_000 { // 3600 × 370 / 8880
		t.Errorf("%v %+v, %v", s.Values, s.Provenance, err)
	}
}

// What there is nothing of is said with 200 on some days and 400 on others.
func TestEntsoeHasNothing(t *testing.T) {
	c := sourceCases()["entsoe"]
	late := opened.To.Add(24 * time.Hour)
	for _, status := range []int{200, 400, 404} {
		o, k := c.open(t, dial.Options{})
		k.Trouble(fake.Body(status, "text/xml", string(sample(t, "entsoe/no_matching_data.xml"))))
		s, err := o.Provider.History(t.Context(), "FI", opened.From, opened.To, late)
		p, err2 := o.Pricer.Prices(t.Context(), "FI", opened.From, opened.To, late)
		if err != nil || err2 != nil || len(s.Values)+len(p.Values) != 0 {
			t.Errorf("%d: %v, %v", status, err, err2)
		}
	}
	refusal := strings.Replace(string(sample(t, "entsoe/no_matching_data.xml")), "No matching data found", "The amount of requested data exceeds allowed limit", 1)
	for _, status := range []int{200, 400} {
		o, k := c.open(t, dial.Options{})
		k.Trouble(fake.Body(status, "text/xml", refusal))
		if _, err := o.Provider.History(t.Context(), "FI", opened.From, opened.To, late); err == nil || !strings.Contains(err.Error(), "exceeds allowed limit") || !problem.Is(err, problem.Invalid) {
			t.Errorf("%d: %v", status, err)
		}
	}
	// Days of nothing are passed over: the question goes on to where there is
	// something.
	o, k := c.open(t, dial.Options{})
	s, err := o.Provider.History(t.Context(), "FI", opened.From.AddDate(0, 0, -25), opened.To, late)
	if err != nil || len(s.Values) == 0 || len(k.Asked()) != 3 {
		t.Errorf("%d values, %v", len(s.Values), err)
	}
}

func TestEntsoePrices(t *testing.T) {
	c := sourceCases()["entsoe"]
	o, k := c.open(t, dial.Options{})
	from := opened.From.Add(2 * time.Hour)
	p, err := o.Pricer.Prices(t.Context(), "FI", from, from.Add(time.Hour), from.Add(-6*time.Hour)) // known before the day begins
	if err != nil || !p.Start.Equal(from) || fmt.Sprint(p.Values) != "[52000 53000 54000 54000]" || p.Currency != "EUR" || p.Step != 15*time.Minute {
		t.Errorf("%+v, %v", p, err)
	}
	if q := k.Asked()[0].Query; q.Get("documentType") != "A44" || q.Get("in_Domain") != finnish || q.Get("out_Domain") != finnish {
		t.Errorf("asked %v", q)
	}
	// A zone may be priced under another code than it generates under.
	for zones, want := range map[string]string{"": "10Y1001A1001A59C", "10YIE-1001A00010/10Y1001A1001A82H": "10Y1001A1001A82H", finnish: finnish} {
		c := c
		if zones != "" {
			c.d.Zones = Zones{"IE": zones}
		}
		o, k := c.open(t, dial.Options{})
		k.Trouble(fake.Body(200, "text/xml", string(sample(t, "entsoe/no_matching_data.xml"))))
		if _, err := o.Pricer.Prices(t.Context(), "IE", from, from.Add(time.Hour), from); err != nil || k.Asked()[0].Query.Get("in_Domain") != want {
			t.Errorf("%q: %v", zones, err)
		}
	}
	c.d.Zones = Zones{"IE": "10YIE"}
	c.d.URL, c.d.Key = "https://x.example", "env:K"
	if _, err := Open(c.d, Deps{Dial: exchange(t, dial.Options{})}); err == nil || !strings.Contains(err.Error(), "EIC") {
		t.Errorf("a short code passed: %v", err)
	}
}

func TestEIAHoursEnd(t *testing.T) {
	o, _ := sourceCases()["eia"].open(t, dial.Options{})
	three := at("2026-03-02T03:00Z")
	s, err := o.Provider.History(t.Context(), "US-CAL-CISO", three, three.Add(time.Hour), three.Add(2*time.Hour))
	// 3150 MW of gas, 2700 of nuclear, −31 of sun and 1470 of wind between 3 and
	// 4 o'clock, which the source calls 04.
	if err != nil || len(s.Values) != 1 || !s.Start.Equal(three) || s.Values[0] != 217_496 {
		t.Fatalf("%v from %s, %v", s.Values, s.Start, err)
	}
	if !s.Estimated || s.Grade != grid.GradeB || s.Flow != grid.Production || s.Step != time.Hour {
		t.Errorf("%+v", s.Provenance)
	}
}

// The codes of fuels and what they emit are tables, which an operator corrects.
func TestFactorsAreTheOperators(t *testing.T) {
	over, err := tables.Load(fstest.MapFS{"factors.csv": {Data: []byte("scheme,fuel,scope,g_per_kwh\nEM-default,gas,lifecycle,390\n")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLUSY_TEST_KEY", deskKey)
	k := fake.New(t, http.HandlerFunc(eiaDesk))
	o, err := Open(Declaration{Kind: "eia", URL: k.URL + "/v2", Key: "env:CLUSY_TEST_KEY"}, Deps{Dial: exchange(t, dial.Options{}), Tables: over})
	if err != nil {
		t.Fatal(err)
	}
	three := at("2026-03-02T03:00Z")
	s, err := o.Provider.History(t.Context(), "US-CAL-CISO", three, three.Add(time.Hour), three.Add(2*time.Hour))
	if err != nil || s.Values[0] != 174_463 {
		t.Errorf("%v, %v", s.Values, err)
	}
	for field, d := range map[string]Declaration{
		"unknownShare": {Kind: "eia", URL: k.URL, Key: "env:K", UnknownShare: "0.9"},
		"settle":       {Kind: "eia", URL: k.URL, Key: "env:K", Settle: "-1h"},
		"scope":        {Kind: "eia", URL: k.URL, Key: "env:K", Scope: "both"},
		"key":          {Kind: "entsoe", URL: k.URL},
	} {
		if _, err := Open(d, Deps{Dial: exchange(t, dial.Options{})}); err == nil || !strings.Contains(err.Error(), field+" is") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestEnergyCharts(t *testing.T) {
	c := sourceCases()["energy-charts"]
	o, k := c.open(t, dial.Options{})
	noon := at("2026-03-02T12:00Z")
	s, err := o.Provider.History(t.Context(), "DE", noon, noon.Add(time.Hour), noon.Add(40*time.Minute))
	if err != nil || len(s.Values) != 2 || s.Values[0] != 320_000 || s.Estimated || s.Grade != grid.GradeA || s.Flow != grid.Production {
		t.Errorf("%v %+v, %v", s.Values, s.Provenance, err)
	}
	// The same answer holds what is measured and what is expected, and neither
	// is taken for the other.
	if s, err = o.Provider.History(t.Context(), "DE", opened.From, opened.To.Add(12*time.Hour), opened.To.Add(30*time.Hour)); err != nil || !s.End().Equal(opened.To) {
		t.Errorf("history ends at %s, %v", s.End(), err)
	}
	f, err := o.Provider.(signal.Forecaster).Forecast(t.Context(), "DE", opened.To.Add(20*time.Minute))
	if err != nil || !f.Start.Equal(opened.To.Add(15*time.Minute)) || !f.End().Equal(opened.To.Add(24*time.Hour)) || !f.Estimated || !f.Issued.Equal(opened.To.Add(20*time.Minute)) {
		t.Errorf("forecast %s to %s %+v, %v", f.Start, f.End(), f.Provenance, err)
	}
	p, err := o.Pricer.Prices(t.Context(), "DE", noon, noon.Add(time.Hour), noon)
	if err != nil || fmt.Sprint(p.Values) != "[-5500 -4500 -3500 -2500]" {
		t.Errorf("%+v, %v", p, err)
	}
	// Nothing but nulls is nothing, and no error.
	k.Trouble(fake.JSON(200, `{"unix_seconds":[1772409600,1772410500],"co2eq":[null,null],"co2eq_forecast":[null,null],"deprecated":true}`))
	if s, err = o.Provider.History(t.Context(), "DE", opened.From, opened.From.Add(time.Hour), opened.To); err != nil || len(s.Values) != 0 {
		t.Errorf("nulls: %v, %v", s.Values, err)
	}
	if f, err = o.Provider.(signal.Forecaster).Forecast(t.Context(), "DE", opened.From); err != nil || len(f.Values) != 0 {
		t.Errorf("nulls: %v, %v", f.Values, err)
	}
}

func TestEnerginet(t *testing.T) {
	c := sourceCases()["energinet"]
	o, k := c.open(t, dial.Options{})
	six := at("2026-03-02T06:00Z")
	s, err := o.Provider.History(t.Context(), "DK-DK1", six, six.Add(15*time.Minute), six.Add(time.Hour))
	if err != nil || fmt.Sprint(len(s.Values), int64(s.Values[0]), int64(s.Values[2])) != "3 36000 46000" || !s.Start.Equal(six) || s.Basis.Scope != grid.Direct || s.Flow != "" {
		t.Errorf("%v from %s %+v, %v", s.Values, s.Start, s.Provenance, err)
	}
	// Before the first of October of 2025 in Denmark prices are of hours.
	p, err := o.Pricer.Prices(t.Context(), "DK-DK1", quarterHours.Add(-3*time.Hour), quarterHours.Add(3*time.Hour), six)
	if err != nil || p.Step != time.Hour || !p.End().Equal(quarterHours) || len(p.Values) != 3 {
		t.Errorf("%d prices of %s until %s, %v", len(p.Values), p.Step, p.End(), err)
	}
	p, err = o.Pricer.Prices(t.Context(), "DK-DK1", six, six.Add(time.Hour), six)
	if err != nil || p.Step != 15*time.Minute || fmt.Sprint(p.Values) != "[36500 51500 66500 81500]" {
		t.Errorf("%v of %s, %v", p.Values, p.Step, err)
	}
	// Less than there is, is refused: the rest would be taken for unknown.
	k.Trouble(fake.JSON(200, `{"total":2,"dataset":"CO2Emis","records":[{"Minutes5UTC":"2026-03-02T06:00:00","PriceArea":"DK1","CO2Emission":40}]}`))
	if _, err := o.Provider.History(t.Context(), "DK-DK1", six, six.Add(time.Hour), six.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "total is 2") {
		t.Errorf("got %v", err)
	}
	// Null is unknown, and not zero.
	o, k = c.open(t, dial.Options{})
	k.Trouble(fake.JSON(200, `{"total":3,"dataset":"CO2Emis","records":[{"Minutes5UTC":"2026-03-02T06:10:00","PriceArea":"DK1","CO2Emission":42},
		{"Minutes5UTC":"2026-03-02T06:05:00","PriceArea":"DK1","CO2Emission":null},{"Minutes5UTC":"2026-03-02T06:00:00","PriceArea":"DK1","CO2Emission":40}]}`))
	if s, err = o.Provider.History(t.Context(), "DK-DK1", six, six.Add(time.Hour), six.Add(time.Hour)); err != nil || len(s.Values) != 3 || s.Values[1] != grid.Unknown {
		t.Errorf("%v, %v", s.Values, err)
	}
}

// A file of declarations may write numbers and marks as people do.
func TestDeclarationsAreRead(t *testing.T) {
	list, err := Read(strings.NewReader(`
sources:
  - kind: entsoe
    key: env:ENTSOE_TOKEN
    unknownShare: 0.25
    settle: 90m
    zones: {DE-LU: 10Y1001A1001A83F/10Y1001A1001A82H, FR: 10YFR-RTE------C}
  - {kind: eia, key: env:EIA_KEY, scope: direct}
  - {kind: energy-charts, zones: {DE-LU: de/DE-LU}}
  - {kind: energinet, zones: {DK-DK1: DK1}}
  - {kind: http, name: own, url: https://grid.example.com, request: "/x?z={zone}", tells: history, rows: "data[*]", time: t, value: v,
     unit: g/kWh, step: 1h, signal: average, scope: lifecycle, modelled: true, zones: {IS: x}}
`))
	if err != nil || len(list) != 5 || list[0].UnknownShare != "0.25" || !list[4].Modelled {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, d := range list {
		if _, err := Open(d, Deps{Dial: exchange(t, dial.Options{})}); err != nil {
			t.Error(err)
		}
	}
}

// What the reference declares can be opened.
func TestThePageOfReference(t *testing.T) {
	b, err := os.ReadFile("../../../docs/reference/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) < 4 {
		t.Fatalf("the page has %d declarations", len(blocks))
	}
	for _, block := range blocks {
		list, err := Read(strings.NewReader(block[1]))
		if err != nil {
			t.Errorf("%s\n%v", block[1], err)
		}
		for _, d := range list {
			if _, err := Open(d, Deps{Dial: exchange(t, dial.Options{})}); err != nil {
				t.Error(err)
			}
		}
	}
	for _, k := range Kinds() {
		_, section, found := strings.Cut(text, "\n## `"+k.Name+"`\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found {
			t.Errorf("the page has no section on %s", k.Name)
		}
		for _, f := range k.Fields {
			if !strings.Contains(section, "`"+f.Name+"`") {
				t.Errorf("the section on %s does not name %s", k.Name, f.Name)
			}
		}
	}
}
