package forecast

import (
	"math"
	"time"

	"clusy.io/clusy/internal/grid"
)

const (
	// Lookback is how much of a zone's history a forecast makes use of.
	Lookback = 56 * 24 * time.Hour
	// TrackRecord is the age up to which what providers forecast tells how
	// good they are.
	TrackRecord = 35 * 24 * time.Hour
	// Live is the age up to which a provider's forecast is what it expects
	// now: a day, and two hours to be late.
	Live = 26 * time.Hour
	// Good is the age up to which a provider's forecast still tells something.
	Good = 48 * time.Hour
)

// Past is what is known of a zone when a forecast is made. What is of another
// zone, basis or flow than it says, or was not known at the time, is not looked
// at.
type Past struct {
	Zone     grid.Zone
	Basis    grid.Basis
	Measured grid.Series   // the last Lookback, or what there is of it
	Issued   []grid.Series // what providers forecast in the last TrackRecord, in any order
}

// Make returns the best forecast of n steps, the first of which holds now, that
// can be made of what is known, and why it is what it is:
//
//   - Where a provider's live forecast has a say, it is that of the provider,
//     shifted by how far it strayed in the last hours and blended with the
//     built-in one as their track records tell. The grade is the provider's.
//   - Else the built-in forecast, of the zone's own past, in which a provider's
//     forecast of up to 48 h ago keeps a say that fades. Grade C.
//   - Else what is usual, the climatology. Grade D.
//
// Ok is false if there is not even that, or if a day does not hold a whole
// number of steps. Low and High are the central 90 % band. The same past gives
// the same bytes, on every machine and in whatever order Issued is.
func Make(p Past, clim Climatology, now time.Time, step time.Duration, n int) (grid.Series, Verdict, bool) {
	if !usable(step, n) {
		return grid.Series{}, Verdict{}, false
	}
	if clim.Basis != p.Basis {
		clim = Climatology{} // never two bases in one series
	}
	now = now.UTC()
	start, at := now.Truncate(step), now.Truncate(time.Hour)
	last := start.Add(time.Duration(n) * step)
	ahead := int((last.Sub(at) + time.Hour - 1) / time.Hour)

	// 1. The forecasters, each tried on the past.
	y := p.hours(at, now)
	b, built := newBuiltin(y, at, p.usual(clim, at))
	anchored := built && b.n-b.last < anchorHours
	sources := p.sources(at, now)

	// 2. What is usual, where nothing better is known.
	asUsual := func() (grid.Series, Verdict, bool) {
		s, ok := clim.Series(p.Zone, start, step, n, now)
		return s, Verdict{Grade: s.Grade, Why: "nothing was measured in the last two days, and nothing is forecast: what is usual"}, ok
	}
	if !anchored && len(sources) == 0 {
		if s, v, ok := asUsual(); ok || !built {
			return s, v, ok
		}
	}

	// 3. The blend of them, hour by hour.
	e := newBlend(b, y, sources, at, now).expect(ahead)

	// 4. The steps that were asked for.
	s := blank(BuiltinProvider, p.Zone, p.Basis, e.verdict.Grade, start, step, n, now)
	if e.verdict.blended() {
		s.Provider = BlendProvider
	}
	if !anchored && e.verdict.Grade == grid.GradeC {
		s.Grade, e.verdict.Grade = grid.GradeD, grid.GradeD
	}
	s.Flow = p.Measured.Flow
	known := false
	for i := range n {
		from := start.Add(time.Duration(i) * step)
		if mean, low, high := e.over(at, from, step); !math.IsNaN(mean) {
			s.Values[i], s.Low[i], s.High[i] = clamp(mean), clamp(min(low, mean)), clamp(max(high, mean))
			known = true
		}
	}
	if !known {
		return asUsual()
	}
	return s, e.verdict, true
}

// pastHours are the hours of Lookback.
const pastHours = int(Lookback / time.Hour)

// hours returns what was measured in the hours before at.
func (p Past) hours(at, now time.Time) []float64 {
	history := p.Measured
	if history.Zone != p.Zone || history.Basis != p.Basis || history.Step < time.Minute || history.Step > 24*time.Hour {
		history.Values = nil
	}
	return resample(history, at, now, time.Hour, pastHours)
}

// usual returns what a climatology says of those hours and the ones after, nil
// if it does not know the zone.
func (p Past) usual(clim Climatology, at time.Time) usual {
	if clim.Zones[p.Zone] == nil {
		return nil
	}
	return func(i int) (mean, spread float64) {
		return clim.over(p.Zone, at.Add(time.Duration(i-pastHours)*time.Hour), time.Hour)
	}
}

// expected is what is expected, hour by hour from the one that holds now.
type expected struct {
	mean, low, high []float64
	before          []float64 // what was measured, hour by hour until now
	verdict         Verdict
}

// over returns the mean over [t, t+step), and of its band. Hours before now, in
// which a long first step began, count as they were measured.
func (e expected) over(at, t time.Time, step time.Duration) (mean, low, high float64) {
	n := 0.0
	for end := t.Add(step); t.Before(end); t = t.Add(time.Hour) {
		i := int(math.Floor(t.Sub(at).Hours()))
		switch {
		case i >= len(e.mean):
			return math.NaN(), 0, 0
		case i >= 0:
			mean, low, high = mean+e.mean[i], low+e.low[i], high+e.high[i]
		case len(e.before)+i < 0 || math.IsNaN(e.before[len(e.before)+i]):
			continue
		default:
			v := e.before[len(e.before)+i]
			mean, low, high = mean+v, low+v, high+v
		}
		n++
	}
	return mean / n, low / n, high / n
}
