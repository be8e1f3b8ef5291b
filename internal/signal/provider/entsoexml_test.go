package provider

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

// plainFuel is what the codes of the samples mean.
func plainFuel(code string) string {
	return map[string]string{"B01": "biomass", "B04": "gas", "B10": hydroStore, "B14": "nuclear", "B16": "solar", "B19": "wind",
		"NG": "gas", "NUC": "nuclear", "SUN": "solar", "WAT": "hydro", "WND": "wind", "GEO": "geothermal", "BAT": batteries, "COL": "coal"}[code]
}

var ten = time.Date(2026, 9, 14, 10, 0, 0, 0, time.UTC)

func finland() entsoeQuestion {
	return entsoeQuestion{"A75", "10YFI-1--------U", ten, ten.Add(time.Hour)}
}

func TestGenerationOfASample(t *testing.T) {
	periods, err := decodeEntsoe(sample(t, "entsoe/A75.xml"), finland())
	if err != nil {
		t.Fatal(err)
	}
	m, err := generation(periods, plainFuel)
	if err != nil || !m.start.Equal(ten) || m.step != 15*time.Minute || len(m.kinds) != 4 {
		t.Fatalf("%+v, %v", m, err)
	}
	for i, want := range []kind{
		{"B01", "biomass", []float64{723.2, 737.97, 732.8, 731.12}},
		{"B10", hydroStore, []float64{0, 0, 0, 0}},                 // pumping feeds nothing in
		{"B14", "nuclear", []float64{4361, 4361, 4361, 4361}},      // one point holds to the end
		{"B19", "wind", []float64{1820.4, 1820.4, 1799.0, 1799.0}}, // a gap repeats
	} {
		if got := m.kinds[i]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	v, err := m.intensities(lifecycle, mostDoubt)
	if err != nil || v[0] != 29_901 || v[3] != 30_158 { // (723.2*200+4361*10+1820.4*10)/6904.6
		t.Errorf("%v, %v", v, err)
	}
}

func TestPricesOfASample(t *testing.T) {
	q := entsoeQuestion{"A44", "10Y1001A1001A82H", ten, ten.Add(4 * time.Hour)}
	periods, err := decodeEntsoe(sample(t, "entsoe/A44.xml"), q)
	if err != nil {
		t.Fatal(err)
	}
	b, perMWh, currency, err := auction(periods)
	if err != nil || currency != "EUR" || b.step != 15*time.Minute || b.steps != 96 || !b.start.Equal(ten.Add(-12*time.Hour)) {
		t.Fatalf("%+v %s %v", b, currency, err)
	}
	if perMWh[2] != 76.98 || perMWh[3] != 76.98 || perMWh[4] != 82.84 {
		t.Errorf("%v: position 4 is left out and repeats the third", perMWh[:5])
	}
}

// doc writes a document of generation, and series the TimeSeries in it.
func doc(series ...string) string {
	return `<?xml version="1.0" encoding="utf-8"?><GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"><type>A75</type>` +
		strings.Join(series, "") + `</GL_MarketDocument>`
}

const finnish = "10YFI-1--------U"

type serie struct{ in, out, unit, curve, kind, start, end, resolution, points string }

func (s serie) String() string {
	or := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	or(&s.unit, "MAW")
	or(&s.curve, "A03")
	or(&s.kind, "B04")
	or(&s.start, "2026-09-14T10:00Z")
	or(&s.end, "2026-09-14T12:00Z")
	or(&s.resolution, "PT60M")
	or(&s.points, points(1, 100, 2, 200))
	zone := ""
	if s.out != "" {
		zone = "<outBiddingZone_Domain.mRID>" + s.out + "</outBiddingZone_Domain.mRID>"
	}
	if s.in != "" || s.out == "" {
		or(&s.in, finnish)
		zone += "<inBiddingZone_Domain.mRID>" + s.in + "</inBiddingZone_Domain.mRID>"
	}
	return "<TimeSeries>" + zone + "<quantity_Measure_Unit.name>" + s.unit + "</quantity_Measure_Unit.name><curveType>" + s.curve +
		"</curveType><MktPSRType><psrType>" + s.kind + "</psrType></MktPSRType><Period><timeInterval><start>" + s.start + "</start><end>" + s.end +
		"</end></timeInterval><resolution>" + s.resolution + "</resolution>" + s.points + "</Period></TimeSeries>"
}

func points(pv ...any) string {
	var b strings.Builder
	for i := 0; i+1 < len(pv); i += 2 {
		fmt.Fprintf(&b, "<Point><position>%v</position><quantity>%v</quantity></Point>", pv[i], pv[i+1])
	}
	return b.String()
}

func TestGenerationIsRead(t *testing.T) {
	for what, c := range map[string]struct {
		doc  string
		want string
	}{
		"steps of three lengths, on the shortest": {doc(serie{}.String(),
			serie{kind: "B19", resolution: "PT30M", points: points(1, 1, 2, 2, 3, 3, 4, 4)}.String(),
			serie{kind: "B16", resolution: "PT15M", points: points(1, 5, 8, 6)}.String()),
			"B04[100 100 100 100 200 200 200 200] B16[5 5 5 5 5 5 5 6] B19[1 1 2 2 3 3 4 4]"},
		"a type in two series, one after the other": {doc(serie{end: "2026-09-14T11:00Z", points: points(1, 7)}.String(),
			serie{start: "2026-09-14T11:00Z", points: points(1, 8)}.String()), "B04[7 8]"},
		"a gap between the series of a type": {doc(serie{end: "2026-09-14T11:00Z", points: points(1, 7)}.String(),
			serie{start: "2026-09-14T12:00Z", end: "2026-09-14T13:00Z", points: points(1, 8)}.String()), "B04[7 NaN 8]"},
		"every point of A01 is there or not known": {doc(serie{curve: "A01", end: "2026-09-14T13:00Z", points: points(2, 9)}.String()), "B04[NaN 9 NaN]"},
		"before the first point of A03":            {doc(serie{points: points(2, 9)}.String()), "B04[NaN 9]"},
		"the same value twice":                     {doc(serie{}.String(), serie{}.String()), "B04[100 200]"},
		"pumping is taken from generating": {doc(serie{kind: "B10"}.String(),
			serie{kind: "B10", out: finnish, points: points(1, 30, 2, 250)}.String()), "B10[70 0]"},
		"pumping alone feeds nothing in": {doc(serie{kind: "B10", out: finnish, points: points(1, 30, 2, 0)}.String()), "B10[0 NaN]"},
	} {
		periods, err := decodeEntsoe([]byte(c.doc), entsoeQuestion{"A75", finnish, ten, ten.Add(2 * time.Hour)})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		m, err := generation(periods, plainFuel)
		var got []string
		for _, k := range m.kinds {
			got = append(got, fmt.Sprint(k.code, k.mw))
		}
		if strings.Join(got, " ") != c.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", what, strings.Join(got, " "), err, c.want)
		}
	}
}

func price(sequence, currency, resolution, pts string) string {
	return `<TimeSeries><in_Domain.mRID>10Y1001A1001A82H</in_Domain.mRID><out_Domain.mRID>10Y1001A1001A82H</out_Domain.mRID><currency_Unit.name>` + currency +
		`</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name><classificationSequence_AttributeInstanceComponent.position>` + sequence +
		`</classificationSequence_AttributeInstanceComponent.position><curveType>A03</curveType><Period><timeInterval><start>2026-09-14T10:00Z</start><end>2026-09-14T11:00Z</end></timeInterval><resolution>` +
		resolution + `</resolution>` + strings.NewReplacer("quantity", "price.amount").Replace(pts) + `</Period></TimeSeries>`
}

func prices(series ...string) string {
	return `<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"><type>A44</type>` + strings.Join(series, "") + `</Publication_MarketDocument>`
}

func TestPricesAreRead(t *testing.T) {
	q := entsoeQuestion{"A44", "10Y1001A1001A82H", ten, ten.Add(time.Hour)}
	for what, c := range map[string]struct {
		doc, want, err string
	}{
		"the lowest sequence counts": {prices(price("2", "EUR", "PT15M", points(1, 1, 2, 2)), price("1", "EUR", "PT60M", points(1, 50))), "1h0m0s [50]", ""},
		"prices may be below zero":   {prices(price("1", "EUR", "PT60M", points(1, -20.5))), "1h0m0s [-20.5]", ""},
		"two currencies":             {prices(price("1", "EUR", "PT60M", points(1, 5)), price("2", "PLN", "PT60M", points(1, 5))), "", "want one currency"},
		"one sequence, two prices":   {prices(price("1", "EUR", "PT60M", points(1, 5)), price("1", "EUR", "PT60M", points(1, 6))), "", "told twice, as 5 and as 6"},
		"more than any market":       {prices(price("1", "EUR", "PT60M", points(1, 1e6))), "", "want a number of at most 100000"},
		"a bad sequence":             {prices(price("first", "EUR", "PT60M", points(1, 1))), "", "sequence"},
		"another zone":               {strings.Replace(prices(price("1", "EUR", "PT60M", points(1, 1))), "82H</out", "99X</out", 1), "", "want 10Y1001A1001A82H"},
		"per kWh":                    {strings.Replace(prices(price("1", "EUR", "PT60M", points(1, 1))), "MWH", "KWH", 1), "", "want MWH"},
		"generation for prices":      {doc(serie{}.String()), "", "want Publication_MarketDocument"},
	} {
		periods, err := decodeEntsoe([]byte(c.doc), q)
		var b board
		var v []float64
		if err == nil {
			b, v, _, err = auction(periods)
		}
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want %q", what, err, c.err)
			}
		} else if got := fmt.Sprint(b.step, " ", v); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", what, got, err, c.want)
		}
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	_, err := decodeEntsoe(sample(t, "entsoe/no_matching_data.xml"), finland())
	if !errors.Is(err, errNoData) {
		t.Errorf("no matching data: got %v", err)
	}
	laughs := `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>`
	for what, c := range refusedDocuments(laughs) {
		periods, err := decodeEntsoe([]byte(c.doc), entsoeQuestion{"A75", finnish, ten, ten.Add(2 * time.Hour)})
		if err == nil {
			_, err = generation(periods, plainFuel)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", what, len(err.Error()))
		}
	}
}

type refusedDoc struct{ doc, want string }

func refusedDocuments(laughs string) map[string]refusedDoc {
	good := doc(serie{}.String())
	return map[string]refusedDoc{
		"XML: entities that expand":       {strings.Replace(good, "<GL", laughs+"<GL", 1), "entities of its own"},
		"XML: an external entity":         {strings.Replace(good, "<GL", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><GL`, 1), "entities of its own"},
		"XML: a declaration inside":       {strings.Replace(good, "<type>", laughs+"<type>", 1), "entities of its own"},
		"XML: an entity without a name":   {strings.Replace(good, "B04", "&lol;", 1), "not valid XML"},
		"XML: another namespace":          {strings.Replace(good, "urn:iec62325.351:", "urn:evil:", 1), "namespace"},
		"XML: no namespace":               {strings.Replace(good, "xmlns=", "x=", 1), "namespace"},
		"XML: another root":               {strings.ReplaceAll(good, "GL_MarketDocument", "Other_Document"), "want GL_MarketDocument"},
		"XML: prices for generation":      {prices(), "want GL_MarketDocument"},
		"XML: another type":               {strings.Replace(good, "<type>A75", "<type>A73", 1), "of type \"A73\", want A75"},
		"XML: Latin-1":                    {strings.Replace(good, "utf-8", "iso-8859-1", 1), "not valid XML"},
		"XML: cut short":                  {good[:len(good)-40], "too early"},
		"XML: two documents":              {good + good[strings.Index(good, "<GL"):], "more after the end"},
		"XML: nothing":                    {"", "too early"},
		"XML: a web page":                 {"<!doctype html><html><body>Maintenance</body></html>", "entities of its own"},
		"XML: tags crossed":               {strings.Replace(good, "</curveType>", "</Period>", 1), "not valid XML"},
		"XML: a ZIP archive":              {"PK\x03\x04....", "ZIP"},
		"XML: refused in words":           {`<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:x"><Reason><code>999</code><text>The amount of requested data exceeds allowed limit</text></Reason></Acknowledgement_MarketDocument>`, "exceeds allowed limit"},
		"XML: refused without a word":     {`<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:x"></Acknowledgement_MarketDocument>`, "no reason"},
		"A75: no series":                  {doc(), "no data"},
		"A75: zones mixed":                {doc(serie{}.String(), serie{in: "10YSE-1--------K"}.String()), "TimeSeries 2: it is of zone"},
		"A75: in and out":                 {doc(serie{in: finnish, out: finnish}.String()), "it is of zone"},
		"A75: kilowatts":                  {doc(serie{unit: "KWT"}.String()), "want MAW"},
		"A75: a kind without a code":      {doc(serie{kind: "gas"}.String() + serie{kind: "natural"}.String()), "TimeSeries 2: its kind of plant"},
		"A75: position 0":                 {doc(serie{points: points(0, 1)}.String()), "position \"0\", want 1 to 2"},
		"A75: position beyond the end":    {doc(serie{points: points(3, 1)}.String()), "position \"3\", want 1 to 2"},
		"A75: position 2^40":              {doc(serie{points: points("1099511627776", 1)}.String()), "want 1 to 2"},
		"A75: position -1":                {doc(serie{points: points(-1, 1)}.String()), "want 1 to 2"},
		"A75: positions fall":             {doc(serie{points: points(2, 1, 1, 1)}.String()), "out of order"},
		"A75: a position twice":           {doc(serie{points: points(1, 1, 1, 2)}.String()), "twice"},
		"A75: resolution P1Y":             {doc(serie{resolution: "P1Y"}.String()), "P1Y"},
		"A75: resolution PT0S":            {doc(serie{resolution: "PT0S"}.String()), "PT0S"},
		"A75: half a step":                {doc(serie{end: "2026-09-14T11:30Z"}.String()), "not a number of steps"},
		"A75: an interval that runs back": {doc(serie{start: "2026-09-14T12:00Z", end: "2026-09-14T10:00Z"}.String()), "its interval"},
		"A75: an interval of no length":   {doc(serie{start: "2026-09-14T12:00Z"}.String()), "its interval"},
		"A75: an interval of last year":   {doc(serie{start: "2025-09-14T10:00Z", end: "2025-09-14T12:00Z"}.String()), "asked was 2026"},
		"A75: an interval of 8000 years":  {doc(serie{end: "9999-09-14T12:00Z"}.String()), "asked was 2026"},
		"A75: a day that is not":          {doc(serie{start: "2026-09-31T10:00Z"}.String()), "its interval"},
		"A75: a curve of another type":    {doc(serie{curve: "A05"}.String()), "A05"},
		"A75: NaN":                        {doc(serie{points: points(1, "NaN")}.String()), "NaN"},
		"A75: Infinity":                   {doc(serie{points: points(1, "Infinity")}.String()), "Infinity"},
		"A75: a number in hex":            {doc(serie{points: points(1, "0x1p4")}.String()), "0x1p4"},
		"A75: 1e300 MW":                   {doc(serie{points: points(1, "1e300")}.String()), "at most 1e+06"},
		"A75: no quantity":                {doc(serie{points: points(1, "")}.String()), "position 1 says \"\""},
		"A75: a type told twice":          {doc(serie{}.String(), serie{points: points(1, 101)}.String()), "told twice, as 100 and as 101"},
		"A75: drawing below zero":         {doc(serie{kind: "B10", out: finnish, points: points(1, -5)}.String()), "want 0 or more"},
		"A75: off the steps":              {doc(serie{}.String(), serie{start: "2026-09-14T10:30Z", end: "2026-09-14T11:30Z", points: points(1, 5)}.String()), "on no step"},
	}
}

// A small document may stand for many values, and not for as many as fill the
// memory.
func TestManyPeriodsAreTooMuch(t *testing.T) {
	from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	one := serie{start: "2025-01-01T00:00Z", end: "2026-01-01T00:00Z", resolution: "PT15M", points: points(1, 5)}.String()
	i, j := strings.Index(one, "<Period>"), strings.Index(one, "</TimeSeries>")
	for what, text := range map[string]string{
		"in one series":    doc(one[:j] + strings.Repeat(one[i:j], 61) + one[j:]),
		"in many":          doc(strings.Repeat(one, 61)),
		"series upon more": doc(strings.Repeat(serie{points: points(1, 1)}.String(), mostTimeline+1)),
	} {
		q := entsoeQuestion{"A75", finnish, from, from.AddDate(1, 0, 0)}
		if what == "series upon more" {
			q.from, q.to = ten, ten.Add(2*time.Hour)
		}
		if _, err := decodeEntsoe([]byte(text), q); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzEntsoe: whatever comes, it is read or refused, and what is read fits.
func FuzzEntsoe(f *testing.F) {
	f.Add(string(sample(f, "entsoe/A75.xml")), "A75")
	f.Add(string(sample(f, "entsoe/A44.xml")), "A44")
	for _, c := range refusedDocuments("<!DOCTYPE x>") {
		f.Add(c.doc, "A75")
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		q := entsoeQuestion{document, finnish, ten, ten.Add(2 * time.Hour)}
		periods, err := decodeEntsoe([]byte(text), q)
		if err != nil {
			return
		}
		if m, err := generation(periods, plainFuel); err == nil {
			values, _ := m.intensities(lifecycle, mostDoubt)
			for _, v := range values {
				if v > grid.MaxIntensity {
					t.Errorf("%d mg/kWh of factors up to 800 g", v)
				}
			}
		}
		if b, v, _, err := auction(periods); err == nil && len(v) != b.steps {
			t.Errorf("%d prices in %d steps", len(v), b.steps)
		}
	})
}

func TestAYearIsNotTooMuch(t *testing.T) {
	from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	s := serie{start: "2025-01-01T00:00Z", end: "2026-01-01T00:00Z", resolution: "PT15M", points: points(1, 5)}
	periods, err := decodeEntsoe([]byte(doc(s.String())), entsoeQuestion{"A75", finnish, from, from.AddDate(1, 0, 0)})
	if err != nil || len(periods[0].values) != 365*96 {
		t.Fatalf("%d periods, %v", len(periods), err)
	}
	m, err := generation(periods, plainFuel)
	if err != nil || math.IsNaN(m.kinds[0].mw[365*96-1]) {
		t.Error(err)
	}
}
