package bundled

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"clusy.io/clusy/internal/forecast"
)

// A spoilt file is an error with its row, and not a forecast of nothing.
func TestSpoiltFiles(t *testing.T) {
	good := append([]string{"DE", "1", "mean", "2023-05-01T00:00Z"}, slices.Repeat([]string{"300.5"}, forecast.HoursOfWeek)...)
	for what, c := range map[string]struct {
		cell int
		text string
	}{
		"month 13": {1, "13"}, "month 0": {1, "0"}, "month x": {1, "x"}, "stat": {2, "median"}, "until": {3, "2023"}, "value": {9, "x"}, "negative": {9, "-1"}, "no value": {9, ""},
	} {
		row := slices.Clone(good)
		row[c.cell] = c.text
		if _, err := climatology([][]string{good, row}); err == nil || !strings.Contains(err.Error(), "row 3") {
			t.Errorf("%s: %v", what, err)
		}
	}
	files := fstest.MapFS{"empty": {Data: []byte("a,b\n")}, "ragged": {Data: []byte("a,b\n1\n")}}
	for _, name := range []string{"missing", "empty", "ragged"} {
		if _, err := read(files, name, 2); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	// Half a row is a zone of which half the year is not known.
	c, err := climatology([][]string{good})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := c.At("DE", c.Until); ok {
		t.Error("means without spreads are a climatology")
	}
}
