package provider

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestEIARowsOfASample(t *testing.T) {
	rows, total, err := decodeEIA(answer{body: sample(t, "eia/fuel_type_data.json")}, "CISO", ten.Add(-3*time.Hour), ten)
	if err != nil || len(rows) != 8 || total != 16 {
		t.Fatalf("%d of %d rows, %v", len(rows), total, err)
	}
	m, err := byHour(rows, plainFuel)
	if err != nil {
		t.Fatal(err)
	}
	// A period names the end of its hour: T10 is the hour that began at 09.
	if !m.start.Add(time.Duration(len(m.kinds[0].mw)-1) * time.Hour).Equal(ten.Add(-time.Hour)) {
		t.Errorf("starts at %s with %d hours", m.start, len(m.kinds[0].mw))
	}
}

func eia(total any, rows ...string) string {
	return fmt.Sprintf(`{"response":{"total":%v,"frequency":"hourly","data":[%s]}}`, total, strings.Join(rows, ","))
}

func eiaLine(period, fuel, value string) string {
	return fmt.Sprintf(`{"period":"%s","respondent":"CISO","fueltype":"%s","value":%s,"value-units":"megawatthours"}`, period, fuel, value)
}

func TestEIARows(t *testing.T) {
	from, to := ten, ten.Add(4*time.Hour)
	read := func(body string) (mix, error) {
		rows, _, err := decodeEIA(answer{body: []byte(body)}, "CISO", from, to)
		if err != nil {
			return mix{}, err
		}
		return byHour(rows, plainFuel)
	}
	m, err := read(eia(`"5"`, eiaLine("2026-09-14T12", "NG", `"9120"`), eiaLine("2026-09-14T11", "NG", "9000"), eiaLine("2026-09-14T11", "SUN", "-31"),
		eiaLine("2026-09-14T12", "SUN", "null"), eiaLine("2026-09-14T12", "NG", `"9120"`)))
	if err != nil || !m.start.Equal(ten) || fmt.Sprint(m.kinds) != "[{NG gas [9000 9120]} {SUN solar [-31 NaN]}]" {
		t.Errorf("%+v, %v", m, err)
	}
	for what, c := range eiaRefused() {
		if _, err := read(c.doc); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
}

func eiaRefused() map[string]refusedDoc {
	row := eiaLine("2026-09-14T11", "NG", "1")
	return map[string]refusedDoc{
		"EIA: a month 13":            {eia(1, eiaLine("2026-13-40T25", "NG", "1")), "2026-13-40T25"},
		"EIA: a period with minutes": {eia(1, eiaLine("2026-09-14T11:30", "NG", "1")), "want an hour"},
		"EIA: last year":             {eia(1, eiaLine("2025-09-14T11", "NG", "1")), "asked was"},
		"EIA: next week":             {eia(1, eiaLine("2026-09-21T11", "NG", "1")), "asked was"},
		"EIA: another respondent":    {eia(1, strings.Replace(row, "CISO", "PJM", 1)), "want CISO"},
		"EIA: another unit":          {eia(1, strings.Replace(row, "megawatthours", "kilowatthours", 1)), "want megawatthours"},
		"EIA: no fuel":               {eia(1, eiaLine("2026-09-14T11", "", "1")), "fueltype"},
		"EIA: words for a value":     {eia(1, eiaLine("2026-09-14T11", "NG", `"Not Available"`)), "Not Available"},
		"EIA: NaN for a value":       {eia(1, eiaLine("2026-09-14T11", "NG", `"NaN"`)), "NaN"},
		"EIA: 1e999":                 {eia(1, eiaLine("2026-09-14T11", "NG", `1e999`)), "1e999"},
		"EIA: a list for a value":    {eia(1, eiaLine("2026-09-14T11", "NG", `[1]`)), "[1] stands where"},
		"EIA: more than any grid":    {eia(1, eiaLine("2026-09-14T11", "NG", `1e9`)), "1e9"},
		"EIA: told twice":            {eia(2, row, eiaLine("2026-09-14T11", "NG", "2")), "told twice, as 1 and as 2"},
		"EIA: total below zero":      {eia(-1, row), "total is"},
		"EIA: total in words":        {eia(`"many"`, row), "total is"},
		"EIA: a total of billions":   {eia(4_000_000_000, row), "at most 20000"},
		"EIA: local time":            {strings.Replace(eia(1, row), "hourly", "local-hourly", 1), "want hourly"},
		"EIA: no response":           {`{"data":[]}`, `no "response"`},
		"EIA: a list":                {`[]`, "is a array"},
		"EIA: cut short":             {eia(1, row)[:60], "breaks off"},
		"EIA: a web page":            {`<html>`, "not JSON"},
		"EIA: two answers":           {eia(1, row) + eia(1, row), "more after the end"},
	}
}

func TestEnergyChartsOfASample(t *testing.T) {
	c, err := decodeCharts(answer{body: sample(t, "energycharts/co2eq.json")})
	if err != nil {
		t.Fatal(err)
	}
	from := time.Unix(c.Seconds[0], 0)
	measured, err1 := c.measured()
	forecast, err2 := c.forecast()
	b, line, err3 := spread(measured, 0, from, from.Add(24*time.Hour))
	if err1 != nil || err2 != nil || err3 != nil || b.step != 15*time.Minute || len(line) != 96 {
		t.Fatal(err1, err2, err3, b)
	}
	if line[0].value != 325 || line[43].value != 205 || !math.IsNaN(line[44].value) || forecast[44].value != 196 || !math.IsNaN(forecast[43].value) {
		t.Error("the two halves do not meet where they should")
	}
	c, err = decodeCharts(answer{body: sample(t, "energycharts/price.json")})
	p, err1 := c.prices()
	if err != nil || err1 != nil || len(p) != 8 || p[0].value != 92.53 {
		t.Error(p, err, err1)
	}
}

func chartsRefused() map[string]refusedDoc {
	return map[string]refusedDoc{
		"Energy-Charts: columns of unequal length": {`{"unix_seconds":[1789380000,1789380900],"co2eq":[1],"co2eq_forecast":[]}`, "unix_seconds has 2 entries, co2eq has 1"},
		"Energy-Charts: milliseconds":              {`{"unix_seconds":[1789380000000,1789380900000],"co2eq":[1,2]}`, "milliseconds"},
		"Energy-Charts: the year 1970":             {`{"unix_seconds":[900,1800],"co2eq":[100,200]}`, "asked was"},
		"Energy-Charts: before 1970":               {`{"unix_seconds":[-900,0],"co2eq":[100,200]}`, "want a time"},
		"Energy-Charts: times fall":                {`{"unix_seconds":[1789380900,1789380000],"co2eq":[100,200]}`, "is before"},
		"Energy-Charts: a time twice":              {`{"unix_seconds":[1789380000,1789380000],"co2eq":[100,200]}`, "twice"},
		"Energy-Charts: steps of seconds":          {`{"unix_seconds":[1789380000,1789380001],"co2eq":[100,200]}`, "a step of 1s"},
		"Energy-Charts: off the steps":             {`{"unix_seconds":[1789380000,1789380900,1789382400],"co2eq":[100,200,300]}`, "on no step"},
		"Energy-Charts: text for numbers":          {`{"unix_seconds":[1789380000,1789380900],"co2eq":["100","200"]}`, "co2eq"},
		"Energy-Charts: NaN":                       {`{"unix_seconds":[1789380000,1789380900],"co2eq":[NaN,200]}`, "not JSON"},
		"Energy-Charts: 1e999":                     {`{"unix_seconds":[1789380000,1789380900],"co2eq":[1e999,200]}`, "co2eq"},
		"Energy-Charts: times with a fraction":     {`{"unix_seconds":[1789380000.5],"co2eq":[1]}`, "unix_seconds"},
		"Energy-Charts: one value alone":           {`{"unix_seconds":[1789380000],"co2eq":[100]}`, "one value does not tell"},
		"Energy-Charts: a list":                    {`[1,2]`, "is a array"},
		"Energy-Charts: null":                      {`null`, "no data"},
	}
}

func TestColumnsThatAreRefused(t *testing.T) {
	for what, c := range chartsRefused() {
		charts, err := decodeCharts(answer{body: []byte(c.doc)})
		var s []told
		if err == nil {
			s, err = charts.measured()
		}
		if err == nil {
			_, _, err = spread(s, 0, ten, ten.Add(24*time.Hour))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
}

func TestEnerginetOfASample(t *testing.T) {
	one := func(name string, d dataset, area string) ([]told, int, error) {
		var doc struct {
			Total   int              `json:"total"`
			Dataset string           `json:"dataset"`
			Records []map[string]any `json:"records"`
		}
		if err := json.Unmarshal(sample(t, name), &doc); err != nil {
			t.Fatal(err)
		}
		kept := doc.Records[:0]
		for _, r := range doc.Records {
			if r["PriceArea"] == area { // as the filter of a request does
				kept = append(kept, r)
			}
		}
		doc.Records = kept
		body, _ := json.Marshal(doc)
		return decodeEnerginet(answer{body: body}, d, area)
	}
	s, total, err := one("energinet/CO2EmisProg.json", danishForecast, "DK1")
	if err != nil || len(s) != 2 || total != 2304 || s[1].value != 37 || !s[1].at.Equal(ten.Add(5*time.Minute)) {
		t.Errorf("%v, %d, %v", s, total, err)
	}
	s, _, err = one("energinet/DayAheadPrices.json", danishPrices, "DK2")
	if err != nil || len(s) != 2 || s[0].value != 99.269997 || !s[0].at.Equal(ten) {
		t.Errorf("%v, %v", s, err)
	}
	if _, _, err := decodeEnerginet(answer{body: sample(t, "energinet/CO2EmisProg.json")}, danishForecast, "DK1"); err == nil || !strings.Contains(err.Error(), "DK2") {
		t.Errorf("another area passed: %v", err)
	}
}

func energinetRefused() map[string]refusedDoc {
	one := func(total int, set, when, area, value string) string {
		return fmt.Sprintf(`{"total":%d,"dataset":"%s","records":[{"Minutes5UTC":"%s","PriceArea":"%s","CO2Emission":%s}]}`, total, set, when, area, value)
	}
	const at = "2026-09-14T10:00:00"
	return map[string]refusedDoc{
		"Energinet: another dataset":    {one(1, "CO2EmisProg", at, "DK1", "1"), "want CO2Emis"},
		"Energinet: a time with offset": {one(1, "CO2Emis", at+"+02:00", "DK1", "1"), "in UTC"},
		"Energinet: a bad time":         {one(1, "CO2Emis", "2026-02-30T10:00:00", "DK1", "1"), "2026-02-30"},
		"Energinet: no time":            {one(1, "CO2Emis", "", "DK1", "1"), "its time"},
		"Energinet: another area":       {one(1, "CO2Emis", at, "DK2", "1"), "want DK1"},
		"Energinet: total too small":    {one(0, "CO2Emis", at, "DK1", "1"), "total is 0"},
		"Energinet: text for a number":  {one(1, "CO2Emis", at, "DK1", `"1"`), "CO2Emission"},
		"Energinet: total in words":     {strings.Replace(one(1, "CO2Emis", at, "DK1", "1"), "1,", `"x",`, 1), "total"},
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	for what, c := range energinetRefused() {
		if _, _, err := decodeEnerginet(answer{body: []byte(c.doc)}, danishCO2, "DK1"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
}
