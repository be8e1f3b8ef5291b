package provider

import (
	"math"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

// lifecycle has round numbers, so that a sum can be done by heart.
func lifecycle(fuel string) (grid.Intensity, bool) {
	g, ok := map[string]grid.Intensity{
		"coal": 800, "gas": 400, "wind": 10, "solar": 40, "nuclear": 10, "hydro": 20, "biomass": 200, "unknown": 700,
		hydroStore: 360, batteries: 350,
	}[fuel]
	return 1000 * g, ok
}

func noStorage(fuel string) (grid.Intensity, bool) {
	if storage(fuel) {
		return 0, false
	}
	return lifecycle(fuel)
}

var nan = math.NaN()

func TestIntensityOfAMix(t *testing.T) {
	one := func(fuel string, mw ...float64) kind { return kind{fuel, fuel, mw} }
	for what, c := range map[string]struct {
		kinds  []kind
		factor factors
		want   []grid.Intensity
		err    string
	}{
		"a weighted mean":                      {[]kind{one("coal", 100), one("wind", 300)}, lifecycle, []grid.Intensity{207_500}, ""},
		"one kind alone":                       {[]kind{one("gas", 1)}, lifecycle, []grid.Intensity{400_000}, ""},
		"a little below zero is zero":          {[]kind{one("gas", 1000), one("solar", -15)}, lifecycle, []grid.Intensity{400_000}, ""},
		"much below zero is a mistake":         {[]kind{one("gas", 1000), one("solar", -25)}, lifecycle, nil, "25 of 1000 MW are below zero"},
		"charging is zero, however much":       {[]kind{one("gas", 1000), one(batteries, -600)}, lifecycle, []grid.Intensity{400_000}, ""},
		"storage has its factor":               {[]kind{one("wind", 100), one(hydroStore, 100)}, lifecycle, []grid.Intensity{185_000}, ""},
		"storage without a factor is left out": {[]kind{one("wind", 100), one(hydroStore, 100)}, noStorage, []grid.Intensity{10_000}, ""},
		"a little unknown fuel":                {[]kind{one("wind", 95), one("unknown", 5)}, lifecycle, []grid.Intensity{44_500}, ""},
		"too much unknown fuel":                {[]kind{one("wind", 89), one("unknown", 11)}, lifecycle, nil, "11 of 100 MW are of an unknown fuel"},
		"a fuel that the scheme has not":       {[]kind{one("wind", 95), one("peat", 5)}, lifecycle, []grid.Intensity{44_500}, ""},
		"nothing is generated":                 {[]kind{one("wind", 0), one("gas", 0)}, lifecycle, nil, "no generation is told"},
		"nothing is told":                      {[]kind{one("wind", nan)}, lifecycle, nil, "no generation is told"},
		"an hour without its coal": {[]kind{one("coal", 100, nan, 120), one("wind", 300, 300, 300)}, lifecycle,
			[]grid.Intensity{207_500, grid.Unknown, 235_714}, ""},
		"a night that is not reported": {[]kind{one("gas", 500, 500, 500), one("solar", 2, nan, 3)}, lifecycle,
			[]grid.Intensity{398_566, 400_000, 397_853}, ""},
		"the last hour is not complete": {[]kind{one("coal", 100, nan), one("wind", 300, 300)}, lifecycle,
			[]grid.Intensity{207_500, grid.Unknown}, ""},
		"a kind that is never told": {[]kind{one("gas", 500), one("oil", nan)}, lifecycle, []grid.Intensity{400_000}, ""},
	} {
		m := mix{start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), step: time.Hour, kinds: c.kinds}
		got, err := m.intensities(c.factor, mostDoubt)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "2026-03-02T00:00:00Z") {
				t.Errorf("%s: got %v, want %q", what, err, c.err)
			}
			continue
		}
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%s: %v, %v", what, got, err)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: step %d is %d, want %d", what, i, got[i], c.want[i])
			}
		}
	}
}

func TestDoubtIsTheOperators(t *testing.T) {
	m := mix{step: time.Hour, kinds: []kind{{"B04", "gas", []float64{60}}, {"B20", "unknown", []float64{40}}}}
	if v, err := m.intensities(lifecycle, 0.4); err != nil || v[0] != 520_000 {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := m.intensities(lifecycle, 0.39); err == nil {
		t.Error("40 % of unknown fuel passed a limit of 39 %")
	}
}
