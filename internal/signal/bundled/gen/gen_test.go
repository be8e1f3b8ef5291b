package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// table returns hours from until of one zone, valued by f.
func table(from, until time.Time, f func(time.Time) string) hours {
	h := hours{zones: []string{"XX"}}
	for t := from; t.Before(until); t = t.Add(time.Hour) {
		h.times = append(h.times, t)
		h.cells = append(h.cells, []string{f(t)})
	}
	return h
}

var january = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)

// The climatology is blind to the bundled weeks.
func TestLearnsFromThePastOnly(t *testing.T) {
	learn := func(later string) [][]string {
		rows, err := climatology(table(january, traceUntil, func(at time.Time) string {
			if at.Before(traceFrom) {
				return strconv.Itoa(100 + at.Hour())
			}
			return later
		}))
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	a, b := learn("1"), learn("999")
	if len(a) != 1+24 || !slices.EqualFunc(a, b, slices.Equal) {
		t.Errorf("%d rows; what came later changed them", len(a))
	}
	if mean := a[1]; mean[0] != "XX" || mean[2] != "mean" || mean[4] != "100" || mean[4+23] != "123" {
		t.Errorf("means: %v", mean[:8])
	}
	if spread := a[2]; spread[2] != "spread" || spread[4] != "0" {
		t.Errorf("spreads: %v", spread[:8])
	}
	if _, err := climatology(table(january, january.AddDate(0, 3, 0), func(time.Time) string { return "1" })); err == nil {
		t.Error("three months made a year")
	}
	if _, err := climatology(table(january, traceFrom, func(time.Time) string { return "x" })); err == nil {
		t.Error("a word is a value")
	}
}

func TestFigures(t *testing.T) {
	for f, want := range map[float64]string{487.23: "487", 31.449: "31.4", 30.02: "30", 7.126: "7.13", 0.0456: "0.046", 1234.5: "1234", 99.96: "100", 0: "0", 9.5: "9.5", 600: "600"} {
		if got := figures(f, 3); got != want {
			t.Errorf("%g is %s, want %s", f, got, want)
		}
	}
	if got := figures(109.9, 2); got != "110" {
		t.Errorf("109.9 is %s", got)
	}
}

func TestThinCellsTakeInTheirNeighbours(t *testing.T) {
	var z zoneCells
	put := func(month, hour, n int, v float64) {
		for range n {
			z[month][hour] = z[month][hour].plus(cell{1, v, v * v})
		}
	}
	mean := func(month, hour int) float64 { c := z.filled(month, hour); return c.sum / c.n }
	put(5, 0, enough, 100) // Monday, enough
	put(5, 24, 9, 500)
	if mean(5, 0) != 100 {
		t.Error("a cell with enough samples took in another")
	}
	z = zoneCells{}
	put(5, 0, 2, 100)
	put(5, 24, 6, 300)  // Tuesday, the same kind of day
	put(5, 120, 9, 900) // Saturday, another
	if got := mean(5, 0); got != 250 {
		t.Errorf("weekdays: %g, want 250", got)
	}
	if got := mean(5, 144); got != 900 { // Sunday takes from Saturday
		t.Errorf("weekend: %g, want 900", got)
	}
	z = zoneCells{}
	put(0, 0, 2, 100)
	put(11, 0, 2, 200) // the months beside January
	put(1, 0, 2, 300)
	if got := mean(0, 0); got != 200 {
		t.Errorf("months: %g, want 200", got)
	}
	put(11, 0, 0, 0)
	z[1][0] = cell{}
	put(11, 24, 4, 500)
	if got := mean(0, 0); got != (2*100+2*200+4*500)/8.0 {
		t.Errorf("months and days: %g", got)
	}
}

func TestTrace(t *testing.T) {
	h := table(traceFrom.Add(-time.Hour), traceUntil.Add(time.Hour), func(at time.Time) string { return at.Format("02") })
	if _, err := trace(h); err == nil {
		t.Error("zones that the source has not were taken")
	}
	h.zones = traceZones
	for i := range h.cells {
		h.cells[i] = slices.Repeat(h.cells[i], len(traceZones))
	}
	rows, err := trace(h)
	if err != nil || len(rows) != 1+70*24 || rows[1][0] != "2023-05-01T00:00Z" || rows[1680][0] != "2023-07-09T23:00Z" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.csv")
	for text, want := range map[string]string{
		"time_utc,DE\n2021-01-01T00:00Z,1\n2021-01-01T01:00Z,2\n": "",
		"time_utc,DE\n2021-01-01T00:00Z,1\n2021-01-01T02:00Z,2\n": "does not follow",
		"time_utc,DE\nx,1\n": ":2:",
		"time_utc,DE\n":      "empty",
		"time_utc,\"DE\n":    "read",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := readHours(name)
		if want == "" && (err != nil || len(h.times) != 2) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := readHours(name + ".not"); err == nil {
		t.Error("a file that is not there was read")
	}
	if err := writeCSV(name, [][]string{{"a", "b, c"}}); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(name); string(got) != "a,\"b, c\"\n" {
		t.Errorf("wrote %q", got)
	}
}
