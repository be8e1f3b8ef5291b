package forecast_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

// noisy is a wave that strays: some days and hours are dirtier than others, and
// weekends are cleaner.
func noisy(at time.Time) grid.Intensity {
	r := rand.New(rand.NewPCG(uint64(at.Unix()/86400), 7))
	day := r.NormFloat64()
	hour := rand.New(rand.NewPCG(uint64(at.Unix()/3600), 8)).NormFloat64()
	v := float64(wave(at)) + 40_000*day + 8_000*hour
	if w := at.Weekday(); w == time.Saturday || w == time.Sunday {
		v -= 90_000
	}
	return grid.Intensity(max(v, 10_000))
}

func of(s grid.Series, issued ...grid.Series) forecast.Past {
	return forecast.Past{Zone: s.Zone, Basis: s.Basis, Measured: s, Issued: issued}
}

// issues returns a forecast a day at 00 UTC of 96 hours, the last one at end.
func issues(end time.Time, days int, provider string, f func(issued, at time.Time) grid.Intensity) (all []grid.Series) {
	for d := days - 1; d >= 0; d-- {
		issued := end.Add(-time.Duration(d) * 24 * time.Hour)
		s := history(issued.Add(96*time.Hour), time.Hour, 96, func(at time.Time) grid.Intensity { return f(issued, at) })
		s.Provider, s.Issued = provider, issued
		all = append(all, s)
	}
	return all
}

func perfect(_, at time.Time) grid.Intensity { return noisy(at) }

func rubbish(issued, at time.Time) grid.Intensity {
	return grid.Intensity(rand.New(rand.NewPCG(uint64(issued.Unix()), uint64(at.Unix()))).Int64N(900_000))
}

func mustMake(t testing.TB, p forecast.Past, clim forecast.Climatology, now time.Time, step time.Duration, n int) (grid.Series, forecast.Verdict) {
	t.Helper()
	s, v, ok := forecast.Make(p, clim, now, step, n)
	if !ok {
		t.Fatal("no forecast")
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s, v
}

// error returns the mean distance of a forecast from what came.
func off(s grid.Series, f func(time.Time) grid.Intensity) float64 {
	sum := 0.0
	for i, v := range s.Values {
		sum += math.Abs(float64(v - f(s.Start.Add(time.Duration(i)*s.Step))))
	}
	return sum / float64(len(s.Values))
}

func TestMakeFollowsAWave(t *testing.T) {
	now := monday.Add(9*time.Hour + 20*time.Minute)
	s, v := mustMake(t, of(history(now.Truncate(time.Hour), time.Hour, 30*24, wave)), forecast.Climatology{}, now, time.Hour, 72)
	if !s.Start.Equal(now.Truncate(time.Hour)) || !s.Issued.Equal(now) || s.Grade != grid.GradeC || s.Provider != forecast.BuiltinProvider || v.Grade != s.Grade || !s.Estimated || v.Days != 30 {
		t.Errorf("wrong provenance: %+v, %+v", s.Provenance, v)
	}
	if e := off(s, wave); e > 300 {
		t.Errorf("off by %.1f", e)
	}
	if len(v.Parts) != 1 || v.Parts[0].Days[0].Weight < 0.999 || *v.Parts[0].Days[0].MAPE > 1 || v.Why == "" {
		t.Errorf("verdict %+v", v)
	}
}

// A weekend is expected on Friday though Thursday told nothing of it.
func TestWeekendsAreExpected(t *testing.T) {
	weekly := func(at time.Time) grid.Intensity {
		if w := at.Weekday(); w == time.Saturday || w == time.Sunday {
			return wave(at) - 90_000
		}
		return wave(at)
	}
	friday := monday.Add(4 * 24 * time.Hour)
	s, _ := mustMake(t, of(history(friday, time.Hour, 56*24, weekly)), forecast.Climatology{}, friday, time.Hour, 48)
	sat := 0.0
	for h := 24; h < 48; h++ {
		sat += float64(wave(s.Start.Add(time.Duration(h)*time.Hour))-s.Values[h]) / 24
	}
	if sat < 50_000 {
		t.Errorf("Saturday is expected %.0f below a weekday, want about 90000", sat)
	}
}

// The chain: who has a say, and at which grade.
func TestChain(t *testing.T) {
	full := history(monday, time.Hour, 56*24, noisy)
	clim := flat(300_000, 20_000)
	good := issues(monday, 30, "acme/forecast", perfect)
	old := func(hours int) []grid.Series {
		return issues(monday.Add(-time.Duration(hours)*time.Hour), 30, "acme/forecast", perfect)
	}
	gradeB := slices.Clone(good)
	for i := range gradeB {
		gradeB[i].Grade = grid.GradeB
	}
	otherFlow := slices.Clone(good)
	for i := range otherFlow {
		otherFlow[i].Flow = grid.Production
	}
	consumed := full
	consumed.Flow = grid.Consumption
	otherBasis := slices.Clone(good)
	for i := range otherBasis {
		otherBasis[i].Basis.Scope = grid.Direct
	}
	none := grid.Series{Provenance: full.Provenance}
	silent := history(monday.Add(-50*time.Hour), time.Hour, 40*24, noisy)
	for what, c := range map[string]struct {
		p        forecast.Past
		clim     forecast.Climatology
		grade    grid.Grade // "": no forecast
		provider string
	}{
		"a live provider":           {of(full, good...), clim, grid.GradeA, forecast.BlendProvider},
		"a second provider":         {of(full, gradeB...), clim, grid.GradeB, forecast.BlendProvider},
		"the provider alone":        {of(none, good...), forecast.Climatology{}, grid.GradeA, forecast.BlendProvider},
		"a forecast of yesterday":   {of(full, old(25)...), clim, grid.GradeA, forecast.BlendProvider},
		"an old forecast":           {of(full, old(40)...), clim, grid.GradeC, forecast.BlendProvider},
		"too old a forecast":        {of(full, old(48)...), clim, grid.GradeC, forecast.BuiltinProvider},
		"of another basis":          {of(full, otherBasis...), clim, grid.GradeC, forecast.BuiltinProvider},
		"of another flow":           {of(consumed, otherFlow...), clim, grid.GradeC, forecast.BuiltinProvider},
		"no provider":               {of(full), clim, grid.GradeC, forecast.BuiltinProvider},
		"no climatology":            {of(full), forecast.Climatology{}, grid.GradeC, forecast.BuiltinProvider},
		"a day of history":          {of(history(monday, time.Hour, 24, noisy)), forecast.Climatology{}, grid.GradeC, forecast.BuiltinProvider},
		"an hour of history":        {of(history(monday, time.Hour, 1, noisy)), clim, grid.GradeC, forecast.BuiltinProvider},
		"an hour and nothing else":  {of(history(monday, time.Hour, 1, noisy)), forecast.Climatology{}, "", ""},
		"silent for two days":       {of(silent), clim, grid.GradeD, forecast.ClimatologyProvider},
		"silent and no climatology": {of(silent), forecast.Climatology{}, grid.GradeD, forecast.BuiltinProvider},
		"nothing measured":          {of(none), clim, grid.GradeD, forecast.ClimatologyProvider},
		"usual in another basis":    {forecast.Past{Zone: zone, Basis: grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}}, clim, "", ""},
		"nothing":                   {of(none), forecast.Climatology{}, "", ""},
		"a history of another zone": {forecast.Past{Zone: "YY", Basis: full.Basis, Measured: full}, forecast.Climatology{}, "", ""},
	} {
		s, v, ok := forecast.Make(c.p, c.clim, monday, time.Hour, 72)
		if ok != (c.grade != "") || ok && (s.Grade != c.grade || v.Grade != c.grade || s.Provider != c.provider || v.Why == "") {
			t.Errorf("%s: ok %v, %s grade %s (%q), want %s grade %s", what, ok, s.Provider, s.Grade, v.Why, c.provider, c.grade)
		}
		if ok {
			if err := s.Validate(); err != nil || slices.Contains(s.Values, grid.Unknown) {
				t.Errorf("%s: %v, %v", what, err, s.Values)
			}
		}
	}
	for _, bad := range []struct {
		step time.Duration
		n    int
	}{{7 * time.Minute, 72}, {0, 1}, {time.Hour, 0}, {time.Hour, forecast.MostSteps + 1}} {
		if _, _, ok := forecast.Make(of(full), clim, monday, bad.step, bad.n); ok {
			t.Errorf("%d steps of %s: a forecast", bad.n, bad.step)
		}
	}
}

// A provider has the say that its record deserves.
func TestTrackRecord(t *testing.T) {
	full := history(monday, time.Hour, 56*24, noisy)
	_, v := mustMake(t, of(full, issues(monday, 30, "good", perfect)...), forecast.Climatology{}, monday, time.Hour, 96)
	good := v.Parts[1]
	if good.Forecaster != "good" || good.Issues < 25 || !good.Issued.Equal(monday) || good.Days[0].Weight < 0.9 || good.Days[3].Weight < 0.9 || *good.Days[1].MAPE > 3 || *good.Regret > 1 {
		t.Errorf("a perfect provider: %+v", good)
	}
	_, v = mustMake(t, of(full, issues(monday, 30, "bad", rubbish)...), forecast.Climatology{}, monday, time.Hour, 96)
	if bad := v.Parts[1]; bad.Days[0].Weight > 0.1 || *bad.Regret < 20 || v.Grade != grid.GradeC {
		t.Errorf("a provider of rubbish, grade %s: %+v", v.Grade, bad)
	}
	// Both: the good one prevails, and all weights make one.
	s, v := mustMake(t, of(full, append(issues(monday, 30, "bad", rubbish), issues(monday, 30, "good", perfect)...)...), forecast.Climatology{}, monday, time.Hour, 96)
	if len(v.Parts) != 3 || v.Parts[1].Forecaster != "bad" || v.Parts[2].Days[0].Weight < 0.8 || v.Grade != grid.GradeA {
		t.Errorf("both: %+v", v)
	}
	for d := range v.Parts[0].Days {
		sum := 0.0
		for _, p := range v.Parts {
			sum += p.Days[d].Weight
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("day %d: the weights make %g", d+1, sum)
		}
	}
	if e := off(s, noisy); e > 15_000 {
		t.Errorf("off by %.0f", e)
	}
	// Without a record it is trusted, and less so farther ahead.
	_, v = mustMake(t, of(full, issues(monday, 1, "new", perfect)...), forecast.Climatology{}, monday, time.Hour, 96)
	if p := v.Parts[1]; p.Issues != 0 || p.Days[0].MAPE != nil || p.Days[0].Weight < 0.6 || p.Days[3].Weight >= p.Days[0].Weight {
		t.Errorf("a new provider: %+v", p)
	}
	if _, err := json.Marshal(v); err != nil {
		t.Error(err)
	}
}

// Where a provider does not reach, the built-in forecaster goes on.
func TestShortForecasts(t *testing.T) {
	full := history(monday, time.Hour, 56*24, noisy)
	short := issues(monday, 30, "short", perfect)
	for i := range short {
		short[i].Values = short[i].Values[:24]
	}
	s, v := mustMake(t, of(full, short...), forecast.Climatology{}, monday, time.Hour, 96)
	plain, _ := mustMake(t, of(full), forecast.Climatology{}, monday, time.Hour, 96)
	if p := v.Parts[1]; p.Days[0].Weight < 0.9 || p.Days[1].Weight != 0 || v.Grade != grid.GradeA {
		t.Errorf("grade %s, %+v", v.Grade, p)
	}
	if !slices.Equal(s.Values[24:], plain.Values[24:]) || slices.Equal(s.Values[:24], plain.Values[:24]) {
		t.Error("the second day is not the built-in forecast, or the first one is")
	}
}

// A provider that is off by a constant is set right by its strays.
func TestStraysAreShifted(t *testing.T) {
	full := history(monday, time.Hour, 56*24, noisy)
	biased := issues(monday, 30, "biased", func(_, at time.Time) grid.Intensity { return noisy(at) + 100_000 })
	now := monday.Add(6 * time.Hour)
	full = history(now, time.Hour, 56*24, noisy)
	published, shifted, ok := forecast.Issued(of(full, biased...), now, 24)
	if !ok || published[0] != noisy(now)+100_000 || math.Abs(float64(shifted[0]-noisy(now))) > 30_000 {
		t.Errorf("ok %v: published %d, shifted %d, came %d", ok, published[0], shifted[0], noisy(now))
	}
	s, _ := mustMake(t, of(full, biased...), forecast.Climatology{}, now, time.Hour, 72)
	if e := off(s, noisy); e > 30_000 {
		t.Errorf("off by %.0f, with a record that tells of 100000", e)
	}
	if _, _, ok := forecast.Issued(of(full), now, 24); ok {
		t.Error("a forecast of no one")
	}
	if v, _, _ := forecast.Issued(of(full, biased...), now, 200); v[199] != grid.Unknown {
		t.Error("it reaches beyond its end")
	}
}

// No clairvoyance: nothing that was measured or issued after now counts, and
// the order in which forecasts come does not either.
func TestMakeIsNotClairvoyant(t *testing.T) {
	long := history(monday.Add(10*24*time.Hour), time.Hour, 66*24, noisy)
	all := issues(monday.Add(5*24*time.Hour), 36, "acme", func(issued, at time.Time) grid.Intensity { return (perfect(issued, at) + rubbish(issued, at)/4) })
	for _, minutes := range []int{0, 1, 59, 60, 24*60 - 1, 24 * 60, 37*60 + 20, 90 * 60} {
		now := monday.Add(time.Duration(minutes) * time.Minute)
		var known []grid.Series
		for _, s := range all {
			if !s.Issued.After(now) {
				known = append(known, s)
			}
		}
		cut := long
		cut.Values = long.Values[:int(now.Sub(long.Start)/time.Hour)]
		a, _, ok := forecast.Make(of(cut, known...), forecast.Climatology{}, now, time.Hour, 48)
		mixed := slices.Clone(all)
		rand.New(rand.NewPCG(uint64(now.Unix()), 1)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		b, _, _ := forecast.Make(of(long, mixed...), forecast.Climatology{}, now, time.Hour, 48)
		if !ok || a.Digest() != b.Digest() {
			t.Fatalf("after %d min: what was not known changed the forecast, or the order of issues did", minutes)
		}
		changed := cut
		changed.Values = slices.Clone(cut.Values)
		changed.Values[len(changed.Values)-1] += 30_000
		if c, _, _ := forecast.Make(of(changed, known...), forecast.Climatology{}, now, time.Hour, 48); c.Digest() == a.Digest() {
			t.Fatal("the last known value did not count")
		}
	}
}

// Whatever it is given, a forecast passes the gate.
func TestMakeIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		series := func(what string, most int) grid.Series {
			h := history(monday, time.Hour, 0, nil)
			h.Start = monday.Add(-time.Duration(rapid.IntRange(-2000, 100_000).Draw(t, what+" back")) * time.Minute)
			h.Step = time.Duration(rapid.SampledFrom([]int{-60, 0, 5, 30, 60, 60, 60, 180, 1440, 1 << 40}).Draw(t, what+" step")) * time.Minute
			h.Issued = monday.Add(-time.Duration(rapid.IntRange(-1000, 50_000).Draw(t, what+" issued")) * time.Minute)
			h.Provider = rapid.SampledFrom([]string{"", "a", "b", "c", "d", "e", "f"}).Draw(t, what+" provider")
			n, kind := rapid.IntRange(0, most).Draw(t, what+" n"), rapid.IntRange(0, 4).Draw(t, what+" kind")
			r := rand.New(rand.NewPCG(uint64(n), uint64(kind)))
			for i := range n {
				v := [...]int64{0, 300_000, r.Int64N(int64(grid.MaxIntensity)) + 1, int64(i%24) * 10_000, r.Int64N(3) - 2}[kind]
				if r.IntN(50) == 0 {
					v = r.Int64N(int64(grid.MaxIntensity)*2) - int64(grid.MaxIntensity)/2
				}
				h.Values = append(h.Values, grid.Intensity(v))
			}
			return h
		}
		p := of(series("measured", 1500))
		for range rapid.IntRange(0, 12).Draw(t, "issues") {
			p.Issued = append(p.Issued, series("issue", 120))
		}
		clim := flat(grid.Intensity(rapid.Int64Range(0, int64(grid.MaxIntensity)).Draw(t, "usual")), 10)
		step := time.Duration(rapid.SampledFrom([]int{5, 30, 60, 360, 1440}).Draw(t, "step")) * time.Minute
		now := monday.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "now")) * time.Minute)
		s, v, ok := forecast.Make(p, clim, now, step, 100)
		if !ok {
			t.Fatal("no forecast, though there is a climatology")
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Fatal(err)
		}
		if s.Start.After(now) || !s.Start.Add(s.Step).After(now) || len(s.Values) != 100 {
			t.Fatalf("the first step begins at %s and does not hold %s", s.Start, now)
		}
	})
}

// Zones that are odd, and what is to be expected of them.
func TestOddZones(t *testing.T) {
	last := monday.Add(-40 * time.Hour)
	for what, c := range map[string]struct {
		f    func(time.Time) grid.Intensity
		want func(time.Time) grid.Intensity
		most float64 // mean error
	}{
		"always the same": {func(time.Time) grid.Intensity { return 485_000 }, func(time.Time) grid.Intensity { return 485_000 }, 1},
		"always zero":     {func(time.Time) grid.Intensity { return 0 }, func(time.Time) grid.Intensity { return 0 }, 0},
		"a gap of a week": {func(at time.Time) grid.Intensity {
			if d := monday.Sub(at); d > 3*24*time.Hour && d < 10*24*time.Hour {
				return grid.Unknown
			}
			return wave(at)
		}, wave, 4_000},
		"every other hour": {func(at time.Time) grid.Intensity {
			if at.Hour()%2 == 1 && at.Day()%2 == 0 {
				return grid.Unknown
			}
			return wave(at)
		}, wave, 4_000},
		"a plant that closed": {func(at time.Time) grid.Intensity {
			if at.Before(last) {
				return wave(at) + 400_000
			}
			return wave(at)
		}, wave, 260_000},
		"the clock was set": {func(at time.Time) grid.Intensity {
			if at.Before(monday.Add(-48 * time.Hour)) {
				return wave(at)
			}
			return wave(at.Add(time.Hour))
		}, func(at time.Time) grid.Intensity { return wave(at.Add(time.Hour)) }, 40_000},
	} {
		s, _ := mustMake(t, of(history(monday, time.Hour, 56*24, c.f)), forecast.Climatology{}, monday, time.Hour, 48)
		if e := off(s, c.want); e > c.most {
			t.Errorf("%s: off by %.0f, want %.0f at most", what, e, c.most)
		}
	}
	s, _ := mustMake(t, of(history(monday, time.Hour, 56*24, func(time.Time) grid.Intensity { return 485_000 })), forecast.Climatology{}, monday, time.Hour, 48)
	if w := s.High[20] - s.Low[20]; w < 5_000 || w > 30_000 {
		t.Errorf("the band of what never strays is %d wide, want about 2 %%: narrow, and never nothing", w)
	}
}

// With little history the band is wide.
func TestLittleHistoryIsUnsure(t *testing.T) {
	day, _ := mustMake(t, of(history(monday, time.Hour, 24, wave)), forecast.Climatology{}, monday, time.Hour, 24)
	weeks, _ := mustMake(t, of(history(monday, time.Hour, 56*24, wave)), forecast.Climatology{}, monday, time.Hour, 24)
	if day.High[12]-day.Low[12] < 3*(weeks.High[12]-weeks.Low[12]) {
		t.Errorf("after a day %d to %d, after eight weeks %d to %d", day.Low[12], day.High[12], weeks.Low[12], weeks.High[12])
	}
}

// Steps of other lengths are means of the same hours.
func TestMakeInOtherSteps(t *testing.T) {
	now := monday.Add(7*time.Hour + 10*time.Minute)
	p := of(history(monday.Add(7*time.Hour), 5*time.Minute, 56*288, noisy))
	hours, _ := mustMake(t, p, forecast.Climatology{}, now, time.Hour, 48)
	quarters, _ := mustMake(t, p, forecast.Climatology{}, now, 15*time.Minute, 96)
	sixes, _ := mustMake(t, p, forecast.Climatology{}, now, 6*time.Hour, 4)
	if quarters.Values[0] != hours.Values[0] || quarters.Values[4] != hours.Values[1] || !quarters.Start.Equal(now.Truncate(15*time.Minute)) {
		t.Errorf("quarters %v of hours %v", quarters.Values[:5], hours.Values[:2])
	}
	// 06:00 was measured, 07:00 to 12:00 is expected.
	sum := float64(0)
	for h := range 5 {
		sum += float64(hours.Values[h])
	}
	six := 0.0
	for m := range 12 {
		six += float64(noisy(monday.Add(6*time.Hour+time.Duration(m)*5*time.Minute))) / 12
	}
	if want := (sum + six) / 6; math.Abs(float64(sixes.Values[0])-want) > 2 {
		t.Errorf("six hours: %d, want %.0f", sixes.Values[0], want)
	}
}

func BenchmarkMake(b *testing.B) {
	full := history(monday, time.Hour, 56*24, noisy)
	for what, p := range map[string]forecast.Past{
		"alone":    of(full),
		"provider": of(full, issues(monday, 35, "acme", perfect)...),
		"three":    of(full, slices.Concat(issues(monday, 35, "a", perfect), issues(monday, 35, "b", rubbish), issues(monday, 35, "c", perfect))...),
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := forecast.Make(p, forecast.Climatology{}, monday, time.Hour, 72); !ok {
					b.Fatal("no forecast")
				}
			}
		})
	}
}
