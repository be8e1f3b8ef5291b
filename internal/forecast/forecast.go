// Package forecast says what a zone's carbon intensity will probably be: from
// its own past and the climatology of the hour, with a spread that says how
// sure that is.
//
// Make is the way in. It rests on the zone's own last weeks, on providers'
// forecasts as far as their track record is good, and where there is neither on
// Climatology.Series (grade D), what is usual. Annual (grade E) is a yearly
// mean. Anchored is what Make is measured against, as persistence is. Jobs are
// the shapes of work by which forecasts are judged: what counts is whether the
// clean hours are found. docs/explanation/forecasts.md tells how and why.
package forecast

import (
	"time"

	"clusy.io/clusy/internal/grid"
)

// The names under which forecasts of our own are stored.
const (
	AnchoredProvider    = "clusy/anchored-climatology"
	BuiltinProvider     = "clusy/built-in"
	BlendProvider       = "clusy/blend"
	ClimatologyProvider = "clusy/climatology"
	AnnualProvider      = "clusy/annual-mean"
)

// MostSteps is the longest forecast that is made: 31 days of minutes.
const MostSteps = 31 * 24 * 60

// normal90 is the half-width of the central 90 % of a normal distribution, in
// standard deviations.
const normal90 = 1.6449

// Annual returns a forecast that says nothing but the zone's yearly mean, at
// grade E. It has no band, as a yearly mean does not tell how far the hours
// stray from it. It is good for choosing a place and never for a claim of
// savings. Ok is false if the mean is not known or the steps make no sense.
func Annual(zone grid.Zone, mean grid.Intensity, basis grid.Basis, from time.Time, step time.Duration, n int, issued time.Time) (grid.Series, bool) {
	if !mean.Known() || mean > grid.MaxIntensity || !usable(step, n) {
		return grid.Series{}, false
	}
	s := blank(AnnualProvider, zone, basis, grid.GradeE, from, step, n, issued)
	for i := range s.Values {
		s.Values[i] = mean
	}
	s.Low, s.High = nil, nil
	return s, true
}

// usable reports whether n steps of such a length can be forecast: a day must
// hold a whole number of them, as "the same hour yesterday" is what all of
// this rests on.
func usable(step time.Duration, n int) bool {
	return step >= time.Minute && step <= 24*time.Hour && (24*time.Hour)%step == 0 && n > 0 && n <= MostSteps
}

// blank returns a forecast in which nothing is known yet.
func blank(provider string, zone grid.Zone, basis grid.Basis, grade grid.Grade, from time.Time, step time.Duration, n int, issued time.Time) grid.Series {
	s := grid.Series{
		Provenance: grid.Provenance{Provider: provider, Zone: zone, Issued: issued, Basis: basis, Estimated: true, Grade: grade},
		Start:      from,
		Step:       step,
		Values:     make([]grid.Intensity, n),
		Low:        make([]grid.Intensity, n),
		High:       make([]grid.Intensity, n),
	}
	for i := range n {
		s.Values[i], s.Low[i], s.High[i] = grid.Unknown, grid.Unknown, grid.Unknown
	}
	return s
}

// put sets step i to mean ± half, clamped to what a grid can have.
func put(s *grid.Series, i int, mean, half float64) {
	s.Values[i] = clamp(mean)
	s.Low[i] = clamp(mean - half)
	s.High[i] = clamp(mean + half)
}

// clamp rounds to a whole value between 0 and MaxIntensity. The comparisons
// are made before the conversion, which has no meaning for huge numbers.
func clamp(f float64) grid.Intensity {
	switch {
	case f >= float64(grid.MaxIntensity):
		return grid.MaxIntensity
	case f > 0:
		return grid.Intensity(f + 0.5)
	}
	return 0
}
