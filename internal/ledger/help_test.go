package ledger

import (
	"math/big"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
	"pgregory.net/rapid"
)

var day = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

func at(hour, minute int) time.Time {
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// series is values in g/kWh from a start, in equal steps.
func series(zone grid.Zone, start time.Time, step time.Duration, grams ...int64) grid.Series {
	s := grid.Series{
		Provenance: grid.Provenance{Provider: "test", Zone: zone, Issued: day.Add(-time.Hour), Basis: grid.AverageLifecycle, Grade: grid.GradeA},
		Start:      start, Step: step,
	}
	for _, g := range grams {
		v := grid.Intensity(g * 1000)
		if g < 0 {
			v = grid.Unknown
		}
		s.Values = append(s.Values, v)
	}
	s.Ref = s.Digest()
	return s
}

// world is one set of inputs to Account.
type world struct {
	meter    Meter
	zone     grid.Zone
	pue      int64
	actual   []grid.Series // the most trusted first
	base     workload.Counterfactual
	baseline []grid.Series
	booked   time.Time
}

func (w world) account() (Entry, error) {
	return Account(w.meter, w.zone, w.pue, believed(w.actual...), w.base, believed(w.baseline...), w.booked)
}

func (w world) entry(t testing.TB) Entry {
	t.Helper()
	e, err := w.account()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stored finds the series of w by their digests, as a store does.
func (w world) stored(ref string) (grid.Series, bool) {
	for _, o := range [][]grid.Series{w.actual, w.baseline} {
		for _, s := range o {
			if s.Digest() == ref {
				s.Ref = ""
				return s, true
			}
		}
	}
	return grid.Series{}, false
}

// example is small enough to do by hand; see TestByHand.
func example() world {
	return world{
		meter: Meter{
			Workload: "wl_1", Attempt: 1, Tenant: "acme", Site: "berlin", Hour: at(10, 0),
			Runs:   []Run{{From: at(10, 0), To: at(10, 30)}, {From: at(10, 45), To: at(11, 0)}},
			Before: 30 * time.Minute, Energy: 2_700_000, Source: RAPL,
		},
		zone: "DE", pue: 1200,
		actual:   []grid.Series{series("DE", at(9, 0), 15*time.Minute, 999, 999, 999, 999, 400, 300, 999, 200, 999)},
		base:     workload.Counterfactual{Rule: workload.BaselineRunNow, Site: "krakow", Zone: "PL", PUE: 1500, Start: at(8, 0)},
		baseline: []grid.Series{series("PL", at(7, 0), time.Hour, 999, 500, 400, 999)},
		booked:   at(11, 5),
	}
}

// believed is the outlook of one zone, the most trusted series first.
func believed(series ...grid.Series) grid.Outlook {
	if len(series) == 0 {
		return grid.Outlook{}
	}
	return grid.Believe(series[0].Zone, series[0].Basis, series...)
}

// anyOutlook covers from to to in every way that stored series do: fine and
// coarse, with gaps in the more trusted ones.
func anyOutlook(t *rapid.T, zone grid.Zone, from, to time.Time) []grid.Series {
	var o []grid.Series
	for i := range rapid.IntRange(1, 3).Draw(t, "series") {
		step := rapid.SampledFrom([]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}).Draw(t, "step")
		start := from.Add(-time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "lead")))
		s := series(zone, start, step)
		s.Provider = string(rune('a' + i))
		s.Grade = rapid.SampledFrom([]grid.Grade{grid.GradeA, grid.GradeB, grid.GradeC, grid.GradeD, grid.GradeE}).Draw(t, "grade")
		for at := start; at.Before(to); at = at.Add(step) {
			s.Values = append(s.Values, grid.Intensity(rapid.Int64Range(-1, int64(grid.MaxIntensity)).Draw(t, "value")))
		}
		s.Ref = s.Digest()
		o = append(o, s)
	}
	last := &o[len(o)-1]
	for i, v := range last.Values {
		if !v.Known() {
			last.Values[i] = 0
		}
	}
	last.Ref = last.Digest()
	return o
}

func anyWorld(t *rapid.T) world {
	var w world
	hour := day.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "hour")) * time.Hour)
	w.meter = Meter{
		Workload: "wl_1", Attempt: rapid.IntRange(1, 5).Draw(t, "attempt"), Tenant: "acme", Site: "here", Hour: hour,
		Before: time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "before")),
		Source: rapid.SampledFrom([]Source{RAPL, Declared, Table}).Draw(t, "source"),
	}
	// Runs: cut points within the hour, each second stretch a run.
	ends := rapid.SliceOfNDistinct(rapid.Int64Range(0, int64(time.Hour)), 2, 8, rapid.ID[int64]).Draw(t, "cuts")
	if len(ends)%2 == 1 {
		ends = ends[1:]
	}
	for i := range ends {
		for j := range i {
			if ends[i] < ends[j] {
				ends[i], ends[j] = ends[j], ends[i]
			}
		}
	}
	for i := 0; i < len(ends); i += 2 {
		w.meter.Runs = append(w.meter.Runs, Run{From: hour.Add(time.Duration(ends[i])), To: hour.Add(time.Duration(ends[i+1]))})
	}
	w.meter.Energy = grid.Energy(rapid.Int64Range(0, min(int64(grid.Drawn(MaxPower, w.meter.Running())), 40_000_000)).Draw(t, "energy"))
	w.zone, w.pue = "DE", rapid.Int64Range(MinPUE, 3000).Draw(t, "pue")
	w.actual = anyOutlook(t, "DE", hour, hour.Add(time.Hour))
	w.base = workload.Counterfactual{
		Rule: workload.BaselineRunNow, Site: "there", Zone: "PL", PUE: rapid.Int64Range(MinPUE, 3000).Draw(t, "base pue"),
		Start: hour.Add(-time.Duration(rapid.Int64Range(0, int64(200*time.Hour)).Draw(t, "earlier"))),
	}
	start := w.base.Start.Add(w.meter.Before)
	w.baseline = anyOutlook(t, "PL", start, start.Add(w.meter.Running()))
	w.booked = hour.Add(time.Hour)
	return w
}

// exact is the carbon without any rounding, in milligrams, by walking the runs
// in steps that no series changes within. It shares no code with Account.
func exact(runs []Run, e grid.Energy, pue int64, told []grid.Series) *big.Rat {
	o := believed(told...)
	var whole int64
	for _, r := range runs {
		whole += int64(r.To.Sub(r.From))
	}
	sum := new(big.Rat)
	for _, r := range runs {
		marks := map[int64]bool{0: true}
		for _, s := range told {
			for i := range len(s.Values) + 1 {
				if d := s.Start.Add(time.Duration(i) * s.Step).Sub(r.From); d > 0 && d < r.To.Sub(r.From) {
					marks[int64(d)] = true
				}
			}
		}
		for m := range marks {
			next := int64(r.To.Sub(r.From))
			for n := range marks {
				if n > m && n < next {
					next = n
				}
			}
			reading, _ := o.At(r.From.Add(time.Duration(m)))
			part := new(big.Rat).SetFrac(big.NewInt(next-m), big.NewInt(whole))
			part.Mul(part, new(big.Rat).SetInt64(int64(e)))
			part.Mul(part, big.NewRat(pue, 1000))
			part.Mul(part, big.NewRat(int64(reading.Value), int64(grid.KilowattHour)))
			sum.Add(sum, part)
		}
	}
	return sum
}

func (w world) exactEmitted() *big.Rat {
	return exact(w.meter.Runs, w.meter.Energy, w.pue, w.actual)
}

func (w world) exactAvoided() *big.Rat {
	start := w.base.Start.Add(w.meter.Before)
	return exact([]Run{{From: start, To: start.Add(w.meter.Running())}}, w.meter.Energy, w.base.PUE, w.baseline)
}

func rat(c grid.Carbon) *big.Rat { return new(big.Rat).SetInt64(int64(c)) }

// within reports whether low ≤ x ≤ low + slack.
func within(x, low *big.Rat, slack int64) bool {
	return x.Cmp(low) >= 0 && x.Cmp(new(big.Rat).Add(low, new(big.Rat).SetInt64(slack))) <= 0
}

func energyOf(uses []Use) (sum grid.Energy) {
	for _, u := range uses {
		sum += u.Energy
	}
	return sum
}
