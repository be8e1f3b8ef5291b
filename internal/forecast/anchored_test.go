package forecast_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const zone = grid.Zone("XX")

// flat returns a climatology that is the same all year.
func flat(mean, spread grid.Intensity) forecast.Climatology {
	var n forecast.Normal
	for m := range 12 {
		for h := range forecast.HoursOfWeek {
			n.Mean[m][h], n.Spread[m][h] = mean, spread
		}
	}
	return forecast.Climatology{Basis: grid.AverageLifecycle, Until: monday, Zones: map[grid.Zone]*forecast.Normal{zone: &n}}
}

// history returns n steps that end at end, valued by f.
func history(end time.Time, step time.Duration, n int, f func(t time.Time) grid.Intensity) grid.Series {
	s := grid.Series{
		Provenance: grid.Provenance{Provider: "test", Zone: zone, Issued: end, Basis: grid.AverageLifecycle, Grade: grid.GradeA},
		Start:      end.Add(-time.Duration(n) * step), Step: step,
	}
	for i := range n {
		s.Values = append(s.Values, f(s.Start.Add(time.Duration(i)*step)))
	}
	return s
}

// wave is the same every day: low at noon, high at night.
func wave(t time.Time) grid.Intensity {
	return grid.Intensity(300_000 + 200_000*math.Cos(2*math.Pi*float64(t.Hour())/24))
}

func TestAWaveGoesOn(t *testing.T) {
	now := monday.Add(9*time.Hour + 20*time.Minute)
	s, ok := forecast.Anchored(history(now.Truncate(time.Hour), time.Hour, 15*24, wave), forecast.Climatology{}, now, time.Hour, 72)
	if !ok || s.Validate() != nil {
		t.Fatalf("ok %v, %v", ok, s.Validate())
	}
	if !s.Start.Equal(monday.Add(9*time.Hour)) || !s.Issued.Equal(now) || s.Grade != grid.GradeC || s.Provider != forecast.AnchoredProvider || s.Zone != zone || !s.Estimated || len(s.Values) != 72 {
		t.Errorf("wrong provenance: %+v", s.Provenance)
	}
	for i, v := range s.Values {
		if want := wave(s.Start.Add(time.Duration(i) * time.Hour)); max(v-want, want-v) > 1 {
			t.Errorf("step %d: %d, want %d", i, v, want)
		}
	}
}

// The formula with its parts: a level day (a_day = a_now) decays with 36 h, a
// short burst (a_now alone) with 6 h.
func TestAnchorsDecay(t *testing.T) {
	const normal, off = 300_000, 60_000
	clim := flat(normal, 0)
	expect := func(what string, h grid.Series, want func(lead float64) float64) {
		t.Helper()
		s, ok := forecast.Anchored(h, clim, monday, time.Hour, 60)
		if !ok || s.Grade != grid.GradeC {
			t.Fatalf("%s: ok %v grade %s", what, ok, s.Grade)
		}
		for i, v := range s.Values {
			if w := want(float64(i + 1)); math.Abs(float64(v)-w) > 1 {
				t.Errorf("%s: step %d: %d, want %.0f", what, i, v, w)
			}
		}
	}
	expect("a day above", history(monday, time.Hour, 24, func(time.Time) grid.Intensity { return normal + off }),
		func(h float64) float64 { return normal + 0.85*off*math.Exp(-h/36) })
	// The six hours of the day before do not tell a level.
	expect("thirty hours above", history(monday, time.Hour, 30, func(time.Time) grid.Intensity { return normal + off }),
		func(h float64) float64 { return normal + 0.85*off*math.Exp(-h/36) })
	burst := history(monday, time.Hour, 24, func(at time.Time) grid.Intensity {
		if at.Before(monday.Add(-3 * time.Hour)) {
			return normal
		}
		return normal + off
	})
	expect("three hours above", burst, func(h float64) float64 {
		return normal + (off-off/8)*math.Exp(-h/6) + 0.85*off/8*math.Exp(-h/36)
	})
	// Two hours late: the anchor is that much older.
	late := history(monday.Add(-2*time.Hour), time.Hour, 21, func(time.Time) grid.Intensity { return normal + off })
	expect("old values", late, func(h float64) float64 { return normal + 0.85*off*math.Exp(-(h+2)/36) })
}

// The recent profile and the climatology are blended 4 to 1, the climatology
// at the recent level, once there are seven days of history.
func TestBlend(t *testing.T) {
	clim := flat(500_000, 10_000)
	steady := func(time.Time) grid.Intensity { return 200_000 }
	for days, want := range map[int]grid.Intensity{
		15: 200_000, // the level of the climatology follows the zone
		8:  200_000,
		// Two weeks ago tells nothing of the level of today: an anchor alone.
		1: grid.Intensity(math.Round(500_000 - 0.85*300_000*math.Exp(-1.0/36))),
	} {
		s, ok := forecast.Anchored(history(monday, time.Hour, days*24, steady), clim, monday, time.Hour, 24)
		if !ok || s.Grade != grid.GradeC || max(s.Values[0]-want, want-s.Values[0]) > 1 {
			t.Errorf("%d days: ok %v, %d, want %d", days, ok, s.Values[0], want)
		}
	}
	// A wave in flat country: four fifths of the wave remain.
	s, ok := forecast.Anchored(history(monday, time.Hour, 15*24, wave), clim, monday, time.Hour, 24)
	if !ok {
		t.Fatal("no forecast")
	}
	height := float64(slices.Max(s.Values) - slices.Min(s.Values))
	if height < 0.75*400_000 || height > 0.95*400_000 {
		t.Errorf("the wave is %.0f high, want about four fifths of 400000", height)
	}
}

func TestNewerDaysWeighMore(t *testing.T) {
	clim := forecast.Climatology{}
	jump := monday.Add(-48 * time.Hour)
	s, ok := forecast.Anchored(history(monday, time.Hour, 15*24, func(at time.Time) grid.Intensity {
		if at.Before(jump) {
			return 100_000
		}
		return 200_000
	}), clim, monday, time.Hour, 72)
	if !ok {
		t.Fatal("no forecast")
	}
	// Far ahead the anchor is gone, and the profile is 2 of 14 days, weighed.
	weights, sum := 0.0, 0.0
	for j := range 14 {
		w := math.Pow(0.85, float64(j))
		weights += w
		if j < 2 {
			sum += w
		}
	}
	profile := 100_000 + 100_000*sum/weights
	if got := float64(s.Values[71]); got < profile || got > profile+20_000 {
		t.Errorf("three days ahead: %.0f, want the weighed profile %.0f and a little", got, profile)
	}
	if s.Values[0] < 185_000 {
		t.Errorf("at once: %d, want near the 200000 of the last two days", s.Values[0])
	}
}

// No clairvoyance: whatever happens to values whose step ended after now, the
// forecast is the same to the byte. And it does depend on those before.
func TestNoClairvoyance(t *testing.T) {
	trace, clim := load(t)
	rapid.Check(t, func(t *rapid.T) {
		s := trace[rapid.SampledFrom([]grid.Zone{"DE-LU", "GB", "ES", "CA-ON"}).Draw(t, "zone")]
		now := s.Start.Add(time.Duration(rapid.IntRange(0, 40*24*60).Draw(t, "minutes")) * time.Minute)
		before, ok := forecast.Anchored(s, clim, now, time.Hour, 48)
		if !ok {
			t.Fatal("no forecast")
		}
		changed := s
		changed.Values = slices.Clone(s.Values)
		last := -1
		for i := range changed.Values {
			if s.Start.Add(time.Duration(i+1) * time.Hour).After(now) {
				changed.Values[i] = grid.Intensity(rapid.Int64Range(-1, int64(grid.MaxIntensity)).Draw(t, "value"))
				if i > last+30 {
					break
				}
			} else {
				last = i
			}
		}
		after, ok := forecast.Anchored(changed, clim, now, time.Hour, 48)
		if !ok || after.Digest() != before.Digest() {
			t.Fatal("a value that was not known changed the forecast")
		}
		cut := s
		cut.Values = s.Values[:last+1]
		if after, ok := forecast.Anchored(cut, clim, now, time.Hour, 48); !ok || after.Digest() != before.Digest() {
			t.Fatal("cutting off what was not known changed the forecast")
		}
		if last < 0 {
			return
		}
		changed.Values[last] = s.Values[last] + 50_000
		if after, _ := forecast.Anchored(changed, clim, now, time.Hour, 48); after.Digest() == before.Digest() {
			t.Fatal("the last known value did not change the forecast")
		}
	})
}

// A step that has begun and not ended is not known, even where history is in
// finer steps than the forecast.
func TestTheRunningHourIsNotKnown(t *testing.T) {
	now := monday.Add(30 * time.Minute)
	quarters := func(last grid.Intensity) grid.Series {
		return history(monday.Add(45*time.Minute), 15*time.Minute, 15*96, func(at time.Time) grid.Intensity {
			if !at.Before(monday.Add(15 * time.Minute)) {
				return last
			}
			return 300_000
		})
	}
	// The quarter from :30 to :45 has not ended; the one from :15 has, but its
	// hour has not.
	a, ok := forecast.Anchored(quarters(300_000), flat(300_000, 0), now, time.Hour, 4)
	b, _ := forecast.Anchored(quarters(900_000), flat(300_000, 0), now, time.Hour, 4)
	if !ok || a.Digest() != b.Digest() {
		t.Error("half an hour told of a whole one")
	}
	// At steps of a quarter the ended one counts, and the other does not.
	c, _ := forecast.Anchored(quarters(300_000), flat(300_000, 0), now, 15*time.Minute, 4)
	d, _ := forecast.Anchored(quarters(900_000), flat(300_000, 0), now, 15*time.Minute, 4)
	if c.Digest() == d.Digest() {
		t.Error("an ended quarter did not count")
	}
}

// A long step that has not ended reaches back into hours that have: it is not
// known for them either.
func TestTheRunningStepIsNotKnown(t *testing.T) {
	now := monday.Add(11 * time.Hour)
	told := func(last grid.Intensity) grid.Series {
		h := history(monday.Add(12*time.Hour), 6*time.Hour, 60, func(time.Time) grid.Intensity { return 300_000 })
		h.Values[59] = last
		s, ok := forecast.Anchored(h, flat(300_000, 0), now, time.Hour, 4)
		if !ok {
			t.Fatal("no forecast")
		}
		return s
	}
	if told(300_000).Digest() != told(900_000).Digest() {
		t.Error("the step from 06:00 to 12:00 was known at 11:00")
	}
}

// Of an hour of which one quarter is known, nothing is said.
func TestAQuarterIsNoHour(t *testing.T) {
	quarters := func(known int) grid.Series {
		return history(monday, 15*time.Minute, 96, func(at time.Time) grid.Intensity {
			if at.Before(monday.Add(-time.Hour)) {
				return 300_000
			}
			if at.Minute() < 15*known {
				return 900_000
			}
			return grid.Unknown
		})
	}
	one, _ := forecast.Anchored(quarters(1), flat(300_000, 0), monday, time.Hour, 4)
	none, _ := forecast.Anchored(quarters(0), flat(300_000, 0), monday, time.Hour, 4)
	two, _ := forecast.Anchored(quarters(2), flat(300_000, 0), monday, time.Hour, 4)
	if one.Digest() != none.Digest() || two.Digest() == none.Digest() {
		t.Error("a quarter tells of an hour, or half an hour does not")
	}
}

func TestStepsOfOtherLengths(t *testing.T) {
	clim := flat(300_000, 20_000)
	for _, step := range []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, 2 * time.Hour, 24 * time.Hour} {
		for _, of := range []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour} {
			h := history(monday, of, int(15*24*time.Hour/of), func(time.Time) grid.Intensity { return 410_000 })
			s, ok := forecast.Anchored(h, clim, monday.Add(7*time.Minute), step, 10)
			if !ok || s.Validate() != nil || s.Step != step {
				t.Errorf("steps of %s from %s: ok %v, %v", step, of, ok, s.Validate())
				continue
			}
			for i, v := range s.Values {
				if s.Grade == grid.GradeC && (v < 405_000 || v > 415_000) {
					t.Errorf("steps of %s from %s: value %d is %d, want about 410000", step, of, i, v)
				}
			}
			if s.Grade != grid.GradeC {
				t.Errorf("steps of %s from %s: grade %s", step, of, s.Grade)
			}
		}
	}
}

func TestFallsBack(t *testing.T) {
	clim := flat(300_000, 20_000)
	full := history(monday, time.Hour, 15*24, wave)
	empty := grid.Series{Provenance: full.Provenance}
	gap := history(monday.Add(-25*time.Hour), time.Hour, 14*24, wave)
	unknown := history(monday, time.Hour, 15*24, func(time.Time) grid.Intensity { return grid.Unknown })
	absurd := history(monday, time.Hour, 15*24, func(time.Time) grid.Intensity { return grid.MaxIntensity + 1 })
	marginal := full
	marginal.Basis = grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}
	bare := marginal
	bare.Values = nil
	for what, c := range map[string]struct {
		history grid.Series
		clim    forecast.Climatology
		step    time.Duration
		n       int
		want    grid.Grade // "": no forecast
	}{
		"full":                         {full, clim, time.Hour, 72, grid.GradeC},
		"no climatology":               {full, forecast.Climatology{}, time.Hour, 72, grid.GradeC},
		"no history":                   {empty, clim, time.Hour, 72, grid.GradeD},
		"history of nothing":           {unknown, clim, time.Hour, 72, grid.GradeD},
		"history of absurd values":     {absurd, clim, time.Hour, 72, grid.GradeD},
		"history that ended yesterday": {gap, clim, time.Hour, 72, grid.GradeD},
		"neither":                      {empty, forecast.Climatology{}, time.Hour, 72, ""},
		"six days and no climatology":  {history(monday, time.Hour, 6*24, wave), forecast.Climatology{}, time.Hour, 72, ""},
		"another basis":                {marginal, clim, time.Hour, 72, grid.GradeC}, // of its own past alone
		"another basis and no past":    {bare, clim, time.Hour, 72, ""},
		"steps that a day cannot hold": {full, clim, 7 * time.Minute, 72, ""},
		"no step":                      {full, clim, 0, 72, ""},
		"no steps":                     {full, clim, time.Hour, 0, ""},
		"less than no steps":           {full, clim, time.Hour, -1, ""},
		"too many steps":               {full, clim, time.Hour, forecast.MostSteps + 1, ""},
	} {
		s, ok := forecast.Anchored(c.history, c.clim, monday, c.step, c.n)
		if ok != (c.want != "") || s.Grade != c.want {
			t.Errorf("%s: ok %v, grade %q, want %q", what, ok, s.Grade, c.want)
			continue
		}
		if ok {
			if err := s.Validate(); err != nil || s.Basis != c.history.Basis {
				t.Errorf("%s: basis %s, %v", what, s.Basis, err)
			}
		}
	}
	// What it takes from another basis is nothing: the same as without.
	a, _ := forecast.Anchored(marginal, clim, monday, time.Hour, 24)
	b, _ := forecast.Anchored(marginal, forecast.Climatology{}, monday, time.Hour, 24)
	if a.Digest() != b.Digest() {
		t.Error("a climatology of another basis was used")
	}
}

// A step of which nothing can be said is Unknown and not zero.
func TestHolesStayHoles(t *testing.T) {
	h := history(monday, time.Hour, 15*24, func(at time.Time) grid.Intensity {
		if at.Hour() == 5 {
			return grid.Unknown
		}
		return 300_000
	})
	s, ok := forecast.Anchored(h, forecast.Climatology{}, monday, time.Hour, 24)
	if !ok || s.Values[5] != grid.Unknown || s.Low[5] != grid.Unknown || s.Values[4] != 300_000 {
		t.Errorf("ok %v, hours 4 and 5: %v, low %v", ok, s.Values[4:6], s.Low[4:6])
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	// Three days of fourteen are too few for a mean.
	few := history(monday, time.Hour, 15*24, func(at time.Time) grid.Intensity {
		if at.Hour() == 5 && at.Before(monday.Add(-72*time.Hour)) {
			return grid.Unknown
		}
		return 300_000
	})
	if s, ok := forecast.Anchored(few, forecast.Climatology{}, monday, time.Hour, 24); !ok || s.Values[5] != grid.Unknown {
		t.Errorf("ok %v, hour 5 is %d, known on three days only", ok, s.Values[5])
	}
	// With a climatology it is not a hole: the usual value at the recent level.
	s, ok = forecast.Anchored(h, flat(250_000, 5_000), monday, time.Hour, 24)
	if !ok || s.Values[5] != 300_000 {
		t.Errorf("ok %v, hour 5 is %d, want 300000", ok, s.Values[5])
	}
}

// Whatever it is given, a forecast passes the gate.
func TestForecastsAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(-2, int64(grid.MaxIntensity)+1), 0, 400).Draw(t, "values")
		h := history(monday, time.Hour, 0, nil)
		h.Start = monday.Add(-time.Duration(rapid.IntRange(0, 500).Draw(t, "back")) * time.Hour)
		h.Step = time.Duration(rapid.SampledFrom([]int{0, 5, 30, 60, 1440}).Draw(t, "step")) * time.Minute
		for _, v := range values {
			h.Values = append(h.Values, grid.Intensity(v))
		}
		mean := grid.Intensity(rapid.Int64Range(0, int64(grid.MaxIntensity)).Draw(t, "mean"))
		now := monday.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "now")) * time.Minute)
		s, ok := forecast.Anchored(h, flat(mean, mean/3), now, time.Hour, 30)
		if !ok {
			t.Fatal("no forecast, though there is a climatology")
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if s.Start.After(now) || !s.Start.Add(s.Step).After(now) {
			t.Fatalf("the first step begins at %s and does not hold %s", s.Start, now)
		}
	})
}
