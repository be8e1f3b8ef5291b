package forecast_test

import (
	"testing"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

func TestHourOfWeek(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want int
	}{
		{monday, 0},
		{monday.Add(-time.Nanosecond), 167},
		{monday.Add(25*time.Hour + 59*time.Minute), 25},
		{monday.In(time.FixedZone("CET", 3600)), 0}, // UTC, whatever the clock on the wall
	} {
		if got := forecast.HourOfWeek(c.at); got != c.want {
			t.Errorf("%s: %d, want %d", c.at, got, c.want)
		}
	}
}

// months returns a climatology whose mean is 100, 200 … 1200 g by month.
func months() forecast.Climatology {
	c := flat(0, 30_000)
	for m := range 12 {
		for h := range forecast.HoursOfWeek {
			c.Zones[zone].Mean[m][h] = grid.Intensity(m+1) * 100_000
		}
	}
	return c
}

func TestMonthsGoOver(t *testing.T) {
	c := months()
	for _, x := range []struct {
		at   time.Time
		want grid.Intensity
	}{
		{time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC), 300_000}, // the middle of March
		{time.Date(2026, 4, 16, 0, 0, 0, 0, time.UTC), 400_000},  // of April
		{time.Date(2026, 1, 16, 12, 0, 0, 0, time.UTC), 100_000}, // of January
		{time.Date(2025, 12, 16, 12, 0, 0, 0, time.UTC), 1_200_000},
		{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 650_000}, // between December and January
		{time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC), 650_000},
		{time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), 350_819}, // March is longer than April
	} {
		mean, spread, ok := c.At(zone, x.at)
		if !ok || spread != 30_000 || max(mean-x.want, x.want-mean) > 1 {
			t.Errorf("%s: %d ± %d %v, want %d", x.at, mean, spread, ok, x.want)
		}
	}
	if _, _, ok := c.At("YY", monday); ok {
		t.Error("a zone that is not there is known")
	}
	c.Zones[zone].Spread[2][0] = grid.Unknown
	if _, _, ok := c.At(zone, monday); ok {
		t.Error("a cell that is not known is known")
	}
}

func TestClimatologySeries(t *testing.T) {
	c := flat(300_000, 50_000)
	s, ok := c.Series(zone, monday, time.Hour, 48, monday)
	if !ok || s.Validate() != nil || s.Grade != grid.GradeD || s.Provider != forecast.ClimatologyProvider || s.Basis != c.Basis || len(s.Values) != 48 {
		t.Fatalf("ok %v, %+v, %v", ok, s.Provenance, s.Validate())
	}
	if v, low, high := s.Values[7], s.Low[7], s.High[7]; v != 300_000 || low != 135_510 || high != 464_490 {
		t.Errorf("%d in [%d, %d], want 300000 ± 1.6449 × 2 × 50000", v, low, high)
	}
	// Near zero the band is cut off, not turned over.
	if s, _ := flat(10_000, 50_000).Series(zone, monday, time.Hour, 1, monday); s.Low[0] != 0 {
		t.Errorf("low is %d, want 0", s.Low[0])
	}
	if s, _ := flat(grid.MaxIntensity, 50_000).Series(zone, monday, time.Hour, 1, monday); s.High[0] != grid.MaxIntensity {
		t.Errorf("high is %d, want the maximum", s.High[0])
	}

	// A hole of the climatology stays one; a step of hours that holds it too.
	c.Zones[zone].Mean[2][1], c.Zones[zone].Mean[1][1] = grid.Unknown, grid.Unknown
	s, ok = c.Series(zone, monday, time.Hour, 3, monday)
	if !ok || s.Values[1] != grid.Unknown || s.Values[2] != 300_000 || s.Validate() != nil {
		t.Errorf("ok %v, %v, %v", ok, s.Values, s.Validate())
	}
	s, ok = c.Series(zone, monday, 2*time.Hour, 2, monday)
	if !ok || s.Values[0] != grid.Unknown || s.Values[1] != 300_000 {
		t.Errorf("ok %v, steps of two hours: %v", ok, s.Values)
	}
	if s, ok := c.Series(zone, monday.Add(time.Hour), time.Hour, 1, monday); ok {
		t.Errorf("nothing known is a forecast: %v", s.Values)
	}

	for what, bad := range map[string]func() (grid.Series, bool){
		"another zone": func() (grid.Series, bool) { return c.Series("YY", monday, time.Hour, 3, monday) },
		"odd steps":    func() (grid.Series, bool) { return c.Series(zone, monday, 7*time.Hour, 3, monday) },
		"no steps":     func() (grid.Series, bool) { return c.Series(zone, monday, time.Hour, 0, monday) },
	} {
		if _, ok := bad(); ok {
			t.Errorf("%s: a forecast", what)
		}
	}
}

func TestAnnual(t *testing.T) {
	s, ok := forecast.Annual(zone, 485_000, grid.AverageLifecycle, monday, time.Hour, 72, monday)
	if !ok || s.Validate() != nil || s.Grade != grid.GradeE || len(s.Values) != 72 || len(s.Low) != 0 || s.Provider != forecast.AnnualProvider {
		t.Fatalf("ok %v, %+v, %v", ok, s.Provenance, s.Validate())
	}
	for i, v := range s.Values {
		if v != 485_000 {
			t.Fatalf("step %d is %d", i, v)
		}
	}
	for what, c := range map[string]struct {
		mean grid.Intensity
		step time.Duration
	}{
		"unknown is not zero": {grid.Unknown, time.Hour},
		"absurd":              {grid.MaxIntensity + 1, time.Hour},
		"no step":             {1000, 0},
	} {
		if _, ok := forecast.Annual(zone, c.mean, grid.AverageLifecycle, monday, c.step, 3, monday); ok {
			t.Errorf("%s: a forecast", what)
		}
	}
}
