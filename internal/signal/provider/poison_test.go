package provider

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

// Every answer that is refused is refused through the whole driver too: with
// words that say why, without a value, without a panic, and the source is well
// again when its answers are.
func TestPoisonIsRefused(t *testing.T) {
	cases := sourceCases()
	feed := func(name string, docs map[string]refusedDoc) {
		c := cases[name]
		for what, bad := range docs {
			t.Run(what, func(t *testing.T) {
				o, k := c.open(t, dial.Options{})
				k.Trouble(fake.Body(200, c.accept, bad.doc))
				now := ten.Add(40 * time.Hour)
				s, err := o.Provider.History(t.Context(), c.zone, ten, ten.Add(2*time.Hour), now)
				if len(s.Values) != 0 {
					t.Fatalf("took %v", s.Values)
				}
				switch {
				case bad.want == "no data" && err != nil:
					t.Fatalf("nothing to tell became %v", err)
				case bad.want != "no data" && (err == nil || !problem.Is(err, problem.Invalid)):
					t.Fatalf("got %v, want a refusal", err)
				}
				if err == nil {
					return
				}
				if len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\n\x00") {
					t.Errorf("an error of %d bytes: %.300q", len(err.Error()), err)
				}
				keyless(t, err)
				k.Trouble(nil)
				if err := c.ask(t.Context(), o, now.Add(24*time.Hour)); err != nil {
					t.Errorf("well again: %v", err)
				}
			})
		}
	}
	laughs := `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>`
	xml := refusedDocuments(laughs)
	delete(xml, "XML: nothing") // the core's affair
	delete(xml, "XML: a ZIP archive")
	xml["A75: far below zero"] = refusedDoc{doc(serie{}.String(), serie{kind: "B16", points: points(1, -50, 2, -50)}.String()), "below zero"}
	xml["A75: nothing but fuels without a name"] = refusedDoc{doc(serie{kind: "B20"}.String()), "unknown fuel"}
	xml["A75: a kind that nobody knows"] = refusedDoc{doc(serie{kind: "Z99"}.String()), "unknown fuel"}
	xml["A75: zero everywhere"] = refusedDoc{doc(serie{points: points(1, 0)}.String()), "no generation"}
	feed("entsoe", xml)
	feed("eia", eiaRefused())
	charts := chartsRefused()
	for what, values := range map[string]string{"below zero": "-1,200", "more than any grid": "3001,200", "kilograms": "0.3,0.2", "zeros for unknown": "0,0"} {
		charts["Energy-Charts: "+what] = refusedDoc{`{"unix_seconds":[1789380000,1789380900],"co2eq":[` + values + `]}`, ""}
	}
	feed("energy-charts", charts)
	records := energinetRefused()
	for what, value := range map[string]string{"below zero": "-3", "more than any grid": "1e9", "kilograms": "0.05"} {
		records["Energinet: "+what] = refusedDoc{`{"total":1,"dataset":"CO2Emis","records":[{"Minutes5UTC":"2026-09-14T10:00:00","PriceArea":"DK1","CO2Emission":` + value + `}]}`, ""}
	}
	feed("energinet", records)
}

// What a declared source may answer besides, through the whole driver.
func TestPoisonOfDeclaredSources(t *testing.T) {
	base := Declaration{Kind: "http", Request: "/x", Step: "1h", Zones: Zones{"DE": "DE"}}
	rows, lists, price := base, base, base
	rows.Tells, rows.Unit, rows.Signal, rows.Scope, rows.Rows, rows.Time, rows.Value, rows.Estimated = "history", "g/kWh", "average", "lifecycle", "data[*]", "t", "v", "e"
	lists.Tells, lists.Unit, lists.Signal, lists.Scope, lists.Time, lists.Value, lists.TimeFormat = "history", "g/kWh", "average", "lifecycle", "t[*]", "v[*]", "unix"
	price.Tells, price.Unit, price.Rows, price.Time, price.Value = "price", "EUR/MWh", "data[*]", "t", "v"
	row := func(t, v string) string { return fmt.Sprintf(`{"data":[{"t":"%s","v":%s}]}`, t, v) }
	type bad struct {
		d         Declaration
		doc, want string
	}
	all := map[string]bad{
		"http: kilograms for grams":      {rows, row("2026-09-14T10:00:00Z", "0.4"), "are they kg/kWh?"},
		"http: grams for kilograms":      {func() Declaration { d := rows; d.Unit = "kg/kWh"; return d }(), row("2026-09-14T10:00:00Z", "400"), "is the unit right?"},
		"http: below zero":               {rows, row("2026-09-14T10:00:00Z", "-1"), "below zero"},
		"http: years from now":           {rows, row("2126-09-14T10:00:00Z", "300"), "asked was"},
		"http: off the step":             {rows, `{"data":[{"t":"2026-09-14T10:00:00Z","v":300},{"t":"2026-09-14T10:30:00Z","v":300}]}`, "on no step"},
		"http: seconds past the minute":  {rows, row("2026-09-14T10:00:07Z", "300"), "whole minute"},
		"http: a time twice":             {rows, `{"data":[{"t":"2026-09-14T10:00:00Z","v":300},{"t":"2026-09-14T10:00:00Z","v":301}]}`, "twice"},
		"http: a field twice":            {rows, `{"data":[],"data":[]}`, "twice"},
		"http: a price of a million":     {price, row("2026-09-14T10:00:00Z", "1e6"), "more than any market"},
		"http: a price that is no price": {price, row("2026-09-14T10:00:00Z", `"free"`), "not a decimal number"},
	}
	for what, c := range templateRefused(t) {
		d := rows
		if c.f.rows == nil {
			d = lists
		}
		if c.doc != "" { // the core's affair
			all[what] = bad{d, c.doc, c.want}
		}
	}
	for what, c := range all {
		t.Run(what, func(t *testing.T) {
			k := fake.New(t, fake.JSON(200, c.doc))
			o := openFake(t, k, c.d, "")
			var values int
			var err error
			if o.Provider != nil {
				var s grid.Series
				s, err = o.Provider.History(t.Context(), "DE", ten, ten.Add(2*time.Hour), ten.Add(5*time.Hour))
				values = len(s.Values)
			} else {
				var p grid.Prices
				p, err = o.Pricer.Prices(t.Context(), "DE", ten, ten.Add(2*time.Hour), ten.Add(5*time.Hour))
				values = len(p.Values)
			}
			if values != 0 || err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
				t.Errorf("got %d values and %v, want %q", values, err, c.want)
			}
		})
	}
}

// Pages that never end, and totals that are not there, end.
func TestEIAPagesEnd(t *testing.T) {
	c := sourceCases()["eia"]
	row := eiaLine("2026-03-02T05", "NG", "100")
	for what, h := range map[string]struct {
		answer http.HandlerFunc
		asked  int
		want   string
	}{
		"a total that is never reached": {fake.JSON(200, eia(20_000, row)), eiaPages, "more than 8 pages"},
		"a total of nothing":            {fake.JSON(200, eia(7)), 1, "7 rows, and has none after 0"},
		"a total of too much":           {fake.JSON(200, eia(20_001, row)), 1, "want at most 20000"},
	} {
		o, k := c.open(t, dial.Options{})
		k.Trouble(h.answer)
		_, err := o.Provider.History(t.Context(), c.zone, opened.From, opened.To, opened.To.Add(3*time.Hour))
		if err == nil || !strings.Contains(err.Error(), h.want) || len(k.Asked()) != h.asked {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A whole answer takes several pages, one after the other.
	o, k := c.open(t, dial.Options{})
	s, err := o.Provider.History(t.Context(), c.zone, opened.From, opened.To, opened.To.Add(3*time.Hour))
	asked := k.Asked()
	if err != nil || len(s.Values) != 36 || len(asked) != 3 || asked[1].Query.Get("offset") != "50" || asked[2].Query.Get("offset") != "100" {
		t.Errorf("%d values in %d pages, %v", len(s.Values), len(asked), err)
	}
}
