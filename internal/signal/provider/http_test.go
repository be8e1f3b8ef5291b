package provider

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

// howTo is the page that teaches to declare a source.
func howTo(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/how-to/bring-your-own-signal.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What the page declares is read, and reads the answers that it shows.
func TestThePageOfHowTo(t *testing.T) {
	text := howTo(t)
	declared := regexp.MustCompile("(?s)```yaml\n(sources:.*?|  - kind.*?)```").FindAllStringSubmatch(text, -1)
	shown := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(text)
	if len(declared) != 2 || shown == nil {
		t.Fatalf("the page has %d declarations", len(declared))
	}
	list, err := Read(strings.NewReader(declared[0][1] + strings.TrimPrefix(declared[1][1], "sources:\n")))
	if err != nil || len(list) != 2 {
		t.Fatalf("%d declarations, %v", len(list), err)
	}

	t.Setenv("NORTH_GRID_KEY", deskKey)
	k := fake.New(t, fake.JSON(200, shown[1]))
	o := openFake(t, k, list[0], "/api/v2")
	s, err := o.Provider.History(t.Context(), "DE-LU", ten, ten.Add(time.Hour), ten.Add(2*time.Hour))
	if err != nil || len(s.Values) != 1 || s.Values[0] != 412_000 || s.Step != 30*time.Minute || s.Basis != grid.AverageLifecycle || s.Grade != grid.GradeA {
		t.Errorf("%+v, %v", s, err)
	}
	asked := k.Asked()
	if len(asked) != 1 || asked[0].Path != "/api/v2/areas/NORTH/intensity" || asked[0].Header.Get("X-Api-Key") != deskKey ||
		asked[0].Query.Encode() != "end=2026-09-14T11%3A00%3A00Z&start=2026-09-14T10%3A00%3A00Z" {
		t.Errorf("asked %+v", asked)
	}
	nordPool(t, list[1])
}

// nordPool reads the answer of Nord Pool's data portal, day by day, until the
// day that is not published.
func nordPool(t *testing.T, d Declaration) {
	body := sample(t, "nordpool/DayAheadPrices.json")
	var days []string
	k := fake.New(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		days = append(days, r.URL.Query().Get("date")+" "+r.URL.Query().Get("deliveryArea"))
		if r.URL.Query().Get("date") != "2026-09-14" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		fake.JSON(200, string(body))(w, r)
	}))
	o := openFake(t, k, d, "/api")
	if o.Provider != nil || o.Pricer == nil {
		t.Fatal("a source of prices tells carbon")
	}
	p, err := o.Pricer.Prices(t.Context(), "SE-SE3", ten, ten.Add(36*time.Hour), ten)
	if err != nil || p.Currency != "EUR" || p.Step != 15*time.Minute || !p.Start.Equal(ten) || len(p.Values) != 48 {
		t.Fatalf("%s from %s, %d values, %v", p.Currency, p.Start, len(p.Values), err)
	}
	if v, ok := p.At(ten.Add(11*time.Hour + 45*time.Minute)); !ok || v != 34_100 { // 34.1 EUR/MWh
		t.Errorf("the last quarter of the day is %d", v)
	}
	if fmt.Sprint(days) != "[2026-09-14 SE3 2026-09-15 SE3]" {
		t.Errorf("asked for %v: the 36 hours end at midnight in Oslo", days)
	}
	// Nothing is published: nothing is told, and nothing is wrong.
	p, err = o.Pricer.Prices(t.Context(), "SE-SE3", ten.AddDate(0, 0, 2), ten.AddDate(0, 0, 3), ten)
	if err != nil || len(p.Values) != 0 {
		t.Errorf("%d prices, %v", len(p.Values), err)
	}
}

// Days have the hours that they have there: 23 when the clock is put forward.
func TestDaysOfTheirOwn(t *testing.T) {
	c := sourceCases()["http price"]
	o, k := c.open(t, dial.Options{})
	saturday := at("2026-03-28T11:00Z")
	var rows []string
	k.Trouble(func(w http.ResponseWriter, r *http.Request) {
		oslo, _ := time.LoadLocation("Europe/Oslo")
		day, _ := time.ParseInLocation(time.DateOnly, r.URL.Query().Get("day"), oslo)
		rows = rows[:0]
		for h := day; h.Before(day.AddDate(0, 0, 1)); h = h.Add(time.Hour) {
			rows = append(rows, fmt.Sprintf(`{"deliveryStart":"%s","entryPerArea":{"SE3":%d}}`, h.UTC().Format(time.RFC3339), h.Hour()))
		}
		fake.JSON(200, `{"multiAreaEntries":[`+strings.Join(rows, ",")+`]}`)(w, r)
	})
	p, err := o.Pricer.Prices(t.Context(), c.zone, saturday, saturday.Add(48*time.Hour), saturday)
	if err != nil || len(p.Values) != 48 {
		t.Fatalf("%d prices, %v", len(p.Values), err)
	}
	var days []string
	for _, a := range k.Asked() {
		days = append(days, a.Query.Get("day"))
	}
	if fmt.Sprint(days) != "[2026-03-28 2026-03-29 2026-03-30]" {
		t.Errorf("asked for %v", days)
	}
	if v, _ := p.At(at("2026-03-29T01:00Z")); v != 3_000 { // the third hour, as there is no second
		t.Errorf("01:00 UTC is %d", v)
	}
}

// A series ends where what is estimated begins, whatever the source says next.
func TestEstimatedIsToldApart(t *testing.T) {
	o, _ := sourceCases()["http"].open(t, dial.Options{})
	late := opened.To.Add(time.Hour)
	a, err := o.Provider.History(t.Context(), "DE-LU", opened.From, opened.To, late)
	b, err2 := o.Provider.History(t.Context(), "DE-LU", a.End(), opened.To, late)
	if err != nil || err2 != nil || a.Estimated || a.Grade != grid.GradeA || len(a.Values) != 10 || !b.Estimated || b.Grade != grid.GradeB || len(b.Values) != 2 {
		t.Errorf("%d values %+v and %d values %+v, %v, %v", len(a.Values), a.Provenance, len(b.Values), b.Provenance, err, err2)
	}
	if a.Flow != grid.Consumption || a.Basis != (grid.Basis{Signal: grid.Average, Scope: grid.Direct}) || a.Values[0] != 300_250 {
		t.Errorf("%+v %v", a.Provenance, a.Values[0])
	}
	d := sourceCases()["http"]
	d.d.Estimated, d.d.Modelled = "", true
	o, _ = d.open(t, dial.Options{})
	if a, err = o.Provider.History(t.Context(), "DE-LU", opened.From, opened.To, late); err != nil || !a.Estimated || a.Grade != grid.GradeB || len(a.Values) != 72 {
		t.Errorf("modelled: %d values %+v, %v", len(a.Values), a.Provenance, err)
	}
}

// A value from before the question, as some sources add one, is no answer to it:
// the question goes on.
func TestWhatWasNotAskedForIsNoAnswer(t *testing.T) {
	o, k := sourceCases()["http"].open(t, dial.Options{})
	from, asked := opened.From, 0
	k.Trouble(func(w http.ResponseWriter, r *http.Request) {
		asked++
		when := from.Add(-30 * time.Minute) // in the first week only the step before
		if asked == 2 {
			when = from.Add(8 * 24 * time.Hour)
		}
		fake.JSON(200, fmt.Sprintf(`{"points":[{"at":"%s","g":300},{"at":"%s","g":null}]}`, when.Format(time.RFC3339), when.Add(time.Hour).Format(time.RFC3339)))(w, r)
	})
	s, err := o.Provider.History(t.Context(), "DE-LU", from, from.Add(10*24*time.Hour), from.Add(11*24*time.Hour))
	if err != nil || asked != 2 || len(s.Values) != 1 || !s.Start.Equal(from.Add(8*24*time.Hour)) {
		t.Errorf("%d requests, %v from %s, %v", asked, s.Values, s.Start, err)
	}
}

// A source that cannot be asked for a time is asked as it is.
func TestNoTimeInTheQuestion(t *testing.T) {
	d := Declaration{Kind: "http", Request: "/latest", Tells: "history", Unit: "lb/MWh", Step: "5m", Signal: "marginal", Scope: "direct",
		Rows: "[*]", Time: "point_time", Value: "value", Zones: Zones{"US-CAL-CISO": "x"}}
	k := fake.New(t, fake.JSON(200, `[{"point_time":"2026-09-14T09:50:00Z","value":870},{"point_time":"2026-09-14T09:55:00Z","value":880},{"point_time":"2026-09-14T10:00:00Z","value":890}]`))
	o := openFake(t, k, d, "")
	s, err := o.Provider.History(t.Context(), "US-CAL-CISO", ten.Add(-5*time.Minute), ten.Add(24*time.Hour), ten.Add(6*time.Minute))
	if err != nil || len(s.Values) != 2 || s.Values[0] != 399_161 { // 880 lb/MWh
		t.Errorf("%v, %v", s.Values, err)
	}
	if asked := k.Asked(); len(asked) != 1 || len(asked[0].Query) != 0 {
		t.Errorf("asked %+v", asked)
	}
}

func TestDeclarationsThatAreRefused(t *testing.T) {
	good := sourceCases()["http"].d
	good.URL, good.Key = "https://grid.example.com/v1", "env:K"
	price := sourceCases()["http price"].d
	price.URL, price.Key = "https://grid.example.com/v1", "env:K"
	for what, c := range map[string]struct {
		from Declaration
		set  func(*Declaration)
		want string
	}{
		"no url":                    {good, func(d *Declaration) { d.URL = "" }, "url is missing"},
		"no zones":                  {good, func(d *Declaration) { d.Zones = nil }, "zones is missing"},
		"no request":                {good, func(d *Declaration) { d.Request = "" }, "request is missing"},
		"a bad place":               {good, func(d *Declaration) { d.Request = "/{region}" }, "{region} is none of"},
		"no unit":                   {good, func(d *Declaration) { d.Unit = "" }, "unit is missing"},
		"another unit":              {good, func(d *Declaration) { d.Unit = "g" }, `unit is "g"`},
		"a unit of money":           {good, func(d *Declaration) { d.Unit = "EUR/MWh" }, "want g/kWh"},
		"carbon for a price":        {price, func(d *Declaration) { d.Unit = "g/kWh" }, "as EUR/MWh"},
		"a price with a scope":      {price, func(d *Declaration) { d.Scope = "direct" }, "scope is given, and a price has none"},
		"a price that is modelled":  {price, func(d *Declaration) { d.Modelled = true }, "modelled is given, and a price has none"},
		"no signal":                 {good, func(d *Declaration) { d.Signal = "" }, "signal is missing"},
		"no scope":                  {good, func(d *Declaration) { d.Scope = "" }, "scope is missing"},
		"tells the weather":         {good, func(d *Declaration) { d.Tells = "weather" }, "tells is"},
		"a step of seconds":         {good, func(d *Declaration) { d.Step = "30s" }, "step is"},
		"a step of a week":          {good, func(d *Declaration) { d.Step = "168h" }, "step is"},
		"a bad path":                {good, func(d *Declaration) { d.Value = "a..b" }, "value: path"},
		"a bad form of time":        {good, func(d *Declaration) { d.TimeFormat = "ISO" }, "timeFormat is"},
		"a bad form of asking":      {good, func(d *Declaration) { d.AskFormat = "YYYY" }, "askFormat is"},
		"a time zone that is none":  {good, func(d *Declaration) { d.Timezone = "Mars/Base" }, "timezone is"},
		"the machine's time zone":   {good, func(d *Declaration) { d.Timezone = "Local" }, "timezone is"},
		"a key without a place":     {good, func(d *Declaration) { d.Request = "/x?a={zone}" }, "says where it goes"},
		"a place without a key":     {good, func(d *Declaration) { d.Key = "" }, "key is missing"},
		"two places for the key":    {good, func(d *Declaration) { d.Header = "X-Key" }, "choose one"},
		"a header that is no key's": {price, func(d *Declaration) { d.Header = "host" }, "carries no key"},
		"a zone that leads away":    {good, func(d *Declaration) { d.Zones = Zones{"DE": "../admin"} }, "cannot stand in a path"},
		"a zone with a quote":       {price, func(d *Declaration) { d.Zones = Zones{"DE": `a"]`} }, "cannot stand in a path"},
		"zones all alike":           {good, func(d *Declaration) { d.Request = "/x?token={key}"; d.Zones = Zones{"DE": "a", "FR": "b"} }, "the same numbers"},
		"a field of another kind":   {good, func(d *Declaration) { d.UnknownShare = "0.2" }, "unknownShare is given"},
		"plain http":                {good, func(d *Declaration) { d.URL = "http://grid.example.com" }, "write https"},
	} {
		d := c.from
		c.set(&d)
		_, err := Open(d, Deps{Dial: exchange(t, dial.Options{})})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
	for _, d := range []Declaration{good, price} {
		if _, err := Open(d, Deps{Dial: exchange(t, dial.Options{})}); err != nil {
			t.Error(err)
		}
	}
}
