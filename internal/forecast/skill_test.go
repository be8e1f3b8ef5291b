package forecast_test

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/bundled"
)

// TestAnchoredBeatsPersistence measures forecasts of the bundled weeks, which
// no constant was chosen on and no climatology learnt from. It prints the
// figures that the documentation quotes.
func TestAnchoredBeatsPersistence(t *testing.T) {
	trace, clim := load(t)
	var anchored, persistence, climatology score
	for _, zone := range slices.Sorted(maps.Keys(trace)) {
		var a, p, c score
		s := trace[zone]
		for now := s.Start.Add(15 * 24 * time.Hour); !now.Add(48 * time.Hour).After(s.End()); now = now.Add(7 * time.Hour) {
			ours, ok := forecast.Anchored(s, clim, now, time.Hour, 48)
			if !ok || ours.Grade != grid.GradeC {
				t.Fatalf("%s at %s: ok %v, grade %s", zone, now, ok, ours.Grade)
			}
			usual, ok := clim.Series(zone, now, time.Hour, 48, now)
			if !ok {
				t.Fatalf("no climatology of %s", zone)
			}
			for h := range 48 {
				truth := at(t, s, now.Add(time.Duration(h)*time.Hour))
				a.add(h, truth, float64(ours.Values[h]), ours.Low[h], ours.High[h])
				c.add(h, truth, float64(usual.Values[h]), usual.Low[h], usual.High[h])
				before := at(t, s, now.Add(time.Duration(h%24-24)*time.Hour))
				p.add(h, truth, before, 0, 0)
			}
		}
		t.Logf("%-12s MAPE day 1 / 2: anchored %4.1f / %4.1f %%, persistence %4.1f / %4.1f %%, climatology %4.1f / %4.1f %%; band holds %2.0f / %2.0f %%", zone,
			a.mape(0), a.mape(1), p.mape(0), p.mape(1), c.mape(0), c.mape(1), a.held(0), a.held(1))
		anchored.plus(a)
		persistence.plus(p)
		climatology.plus(c)
	}
	t.Logf("%-12s MAPE day 1 / 2: anchored %4.1f / %4.1f %%, persistence %4.1f / %4.1f %%, climatology %4.1f / %4.1f %%; band holds %2.0f / %2.0f %%, climatology's %2.0f / %2.0f %%", "pooled",
		anchored.mape(0), anchored.mape(1), persistence.mape(0), persistence.mape(1), climatology.mape(0), climatology.mape(1),
		anchored.held(0), anchored.held(1), climatology.held(0), climatology.held(1))
	for day := range 2 {
		if anchored.mape(day) >= persistence.mape(day) || anchored.mape(day) >= climatology.mape(day) {
			t.Errorf("day %d: anchored %.1f %%, persistence %.1f %%, climatology %.1f %%: anchored should be the best", day+1, anchored.mape(day), persistence.mape(day), climatology.mape(day))
		}
		for what, s := range map[string]score{"anchored": anchored, "climatology": climatology} {
			if held := s.held(day); held < 80 || held > 97 {
				t.Errorf("day %d: the 90 %% band of %s holds %.0f %% of what came", day+1, what, held)
			}
		}
	}
}

// TestMakeBeatsAnchored pins what docs/benchmarks says of Make, on the bundled
// weeks: it errs less than what it is measured against, jobs planned on it save
// more, and its band holds what it says.
func TestMakeBeatsAnchored(t *testing.T) {
	trace, _ := load(t)
	var ours, anchored, persistence, held, n [2]float64
	jobs := []forecast.Job{{Hours: 4, Slack: 24, Interruptible: true}, {Hours: 12, Slack: 24, Interruptible: true}}
	saved := map[string]float64{}
	for _, zone := range slices.Sorted(maps.Keys(trace)) {
		s := trace[zone]
		for now := s.Start.Add(25 * 24 * time.Hour); !now.Add(48 * time.Hour).After(s.End()); now = now.Add(83 * time.Hour) {
			a, _, ok := forecast.Make(of(s), forecast.Climatology{}, now, time.Hour, 48)
			b, ok2 := forecast.Anchored(s, forecast.Climatology{}, now, time.Hour, 48)
			if !ok || !ok2 || a.Grade != grid.GradeC {
				t.Fatalf("%s at %s: ok %v, %v, grade %s", zone, now, ok, ok2, a.Grade)
			}
			plans := map[string][]float64{"make": nil, "anchored": nil, "persistence": nil, "clairvoyant": nil, "flat": make([]float64, 48)}
			for h := range 48 {
				truth := at(t, s, now.Add(time.Duration(h)*time.Hour))
				before := at(t, s, now.Add(time.Duration(h%24-24)*time.Hour))
				n[h/24]++
				ours[h/24] += math.Abs(float64(a.Values[h])-truth) / truth
				anchored[h/24] += math.Abs(float64(b.Values[h])-truth) / truth
				persistence[h/24] += math.Abs(before-truth) / truth
				if float64(a.Low[h]) <= truth && truth <= float64(a.High[h]) {
					held[h/24]++
				}
				for what, v := range map[string]float64{"make": float64(a.Values[h]), "anchored": float64(b.Values[h]), "persistence": before, "clairvoyant": truth} {
					plans[what] = append(plans[what], v)
				}
			}
			for _, j := range jobs {
				for what, plan := range plans {
					sum, ok := j.Shift(plans["clairvoyant"], 0, 0, forecast.Once, func(int) []float64 { return plan })
					if !ok {
						t.Fatal("no plan")
					}
					saved[what] -= sum
				}
			}
		}
	}
	share := func(what string) float64 {
		return 100 * (saved[what] - saved["flat"]) / (saved["clairvoyant"] - saved["flat"])
	}
	for d := range 2 {
		t.Logf("day %d: MAPE %.1f %%, anchored %.1f %%, persistence %.1f %%; band holds %.1f %%", d+1, 100*ours[d]/n[d], 100*anchored[d]/n[d], 100*persistence[d]/n[d], 100*held[d]/n[d])
		if ours[d] >= anchored[d] || ours[d] >= persistence[d] {
			t.Errorf("day %d: no better than what it is measured against", d+1)
		}
		if h := 100 * held[d] / n[d]; h < 87 || h > 93 {
			t.Errorf("day %d: the 90 %% band holds %.1f %%", d+1, h)
		}
	}
	t.Logf("saving: %.1f %% of the clairvoyant's, anchored %.1f %%, persistence %.1f %%", share("make"), share("anchored"), share("persistence"))
	if share("make") <= share("anchored") || share("make") <= share("persistence") || share("make") < 80 {
		t.Error("jobs save no more than by what it is measured against, or less than 80 %")
	}
}

// score gathers relative errors by day ahead.
type score struct {
	sum, within, n [2]float64
}

func (s *score) add(hour int, truth, said float64, low, high grid.Intensity) {
	day := hour / 24
	s.sum[day] += math.Abs(said-truth) / truth
	if float64(low) <= truth && truth <= float64(high) {
		s.within[day]++
	}
	s.n[day]++
}

func (s *score) plus(o score) {
	for d := range 2 {
		s.sum[d] += o.sum[d]
		s.within[d] += o.within[d]
		s.n[d] += o.n[d]
	}
}

func (s score) mape(day int) float64 { return 100 * s.sum[day] / s.n[day] }
func (s score) held(day int) float64 { return 100 * s.within[day] / s.n[day] }

func load(t testing.TB) (map[grid.Zone]grid.Series, forecast.Climatology) {
	t.Helper()
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	clim, err := bundled.Climatology()
	if err != nil {
		t.Fatal(err)
	}
	return trace, clim
}

func at(t *testing.T, s grid.Series, when time.Time) float64 {
	t.Helper()
	r, ok := s.At(when)
	if !ok {
		t.Fatalf("%s has no value at %s", s.Zone, when)
	}
	return float64(r.Value)
}
