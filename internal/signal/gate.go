package signal

import (
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

// question is what was asked of a provider.
type question struct {
	provider string
	zone     grid.Zone
	basis    grid.Basis
	from, to time.Time
	now      time.Time
}

// gate refuses an answer that must not be stored: values that no grid has,
// another zone or basis than was asked for (some providers answer for a
// neighbour), times that were not asked for, and above all what was not yet
// issued. A nil error means that s may be stored as measured.
func (q question) gate(s grid.Series) error {
	if len(s.Values) == 0 {
		return nil
	}
	if err := s.Validate(); err != nil {
		return err
	}
	switch {
	case s.Zone != q.zone:
		return fmt.Errorf("asked for zone %s, it answers for %s", q.zone, s.Zone)
	case s.Provider != q.provider:
		return fmt.Errorf("provider %s signs as %q", q.provider, s.Provider)
	case s.Basis != q.basis:
		return fmt.Errorf("series of %s is %s, want %s: two bases are never mixed", s.Zone, s.Basis, q.basis)
	case s.Issued.After(q.now):
		return fmt.Errorf("series of %s was issued at %s, which is still to come", s.Zone, s.Issued.Format(time.RFC3339))
	case s.End().After(s.Issued):
		return fmt.Errorf("series of %s was issued at %s and measures until %s", s.Zone, s.Issued.Format(time.RFC3339), s.End().Format(time.RFC3339))
	case !s.Start.Add(s.Step).After(q.from) || !s.End().Add(-s.Step).Before(q.to):
		return fmt.Errorf("series of %s runs from %s to %s, which was not asked for", s.Zone, s.Start.Format(time.RFC3339), s.End().Format(time.RFC3339))
	case len(s.Low) != 0:
		return fmt.Errorf("series of %s has a band, which a measured one has not", s.Zone)
	}
	return nil
}

const (
	// oldest is the age at which a provider's forecast is no longer used.
	oldest = 48 * time.Hour
	// leastAhead is what a forecast must reach, and mostGaps the share of it
	// that may be unknown.
	leastAhead = 6 * time.Hour
	mostGaps   = 0.25
	// horizon bounds how far ahead a forecast may reach.
	horizon = 31 * day
)

// gateForecast refuses a provider's forecast that must not be stored or planned
// on: of another zone, name or basis, issued in the future or long ago, with
// values that the zone never has, gaps, or one value all along.
func (q question) gateForecast(s grid.Series, l limits, clim forecast.Climatology) error {
	if err := s.Validate(); err != nil {
		return err
	}
	switch {
	case s.Zone != q.zone:
		return fmt.Errorf("asked for the forecast of zone %s, it answers for %s", q.zone, s.Zone)
	case s.Provider != q.provider:
		return fmt.Errorf("provider %s signs as %q", q.provider, s.Provider)
	case s.Basis != q.basis:
		return fmt.Errorf("forecast of %s is %s, want %s: two bases are never mixed", s.Zone, s.Basis, q.basis)
	case s.Issued.After(q.now):
		return fmt.Errorf("forecast of %s was issued at %s, which is still to come", s.Zone, s.Issued.Format(time.RFC3339))
	case q.now.Sub(s.Issued) > oldest:
		return fmt.Errorf("forecast of %s was issued at %s, more than %s ago", s.Zone, s.Issued.Format(time.RFC3339), oldest)
	case s.End().Before(q.now.Add(leastAhead)):
		return fmt.Errorf("forecast of %s ends at %s, want %s ahead at least", s.Zone, s.End().Format(time.RFC3339), leastAhead)
	case s.End().After(q.now.Add(horizon)):
		return fmt.Errorf("forecast of %s reaches to %s, want %s ahead at most", s.Zone, s.End().Format(time.RFC3339), horizon)
	case s.Start.After(q.now.Add(max(time.Hour, s.Step))):
		return fmt.Errorf("forecast of %s begins only at %s", s.Zone, s.Start.Format(time.RFC3339))
	}
	gaps := 0
	for i, v := range s.Values {
		if !v.Known() {
			gaps++
			continue
		}
		if err := l.check(v); err != nil {
			return fmt.Errorf("forecast of %s at %s: %w", s.Zone, s.Start.Add(time.Duration(i)*s.Step).Format(time.RFC3339), err)
		}
	}
	if float64(gaps) > mostGaps*float64(len(s.Values)) {
		return fmt.Errorf("forecast of %s has %d gaps in %d steps", s.Zone, gaps, len(s.Values))
	}
	c := s
	c.Values = slices.Clone(s.Values)
	if n := unstick(c, grid.Unknown, time.Time{}, clim); n > len(s.Values)/4 {
		return fmt.Errorf("forecast of %s repeats one value for more than %s", s.Zone, flatFor)
	}
	return nil
}

// gatePrices refuses prices that must not be stored.
func gatePrices(p grid.Prices, provider string, zone grid.Zone, now time.Time) error {
	if err := p.Validate(); err != nil {
		return err
	}
	switch {
	case p.Zone != zone:
		return fmt.Errorf("asked for the prices of zone %s, it answers for %s", zone, p.Zone)
	case p.Provider != provider:
		return fmt.Errorf("provider %s signs as %q", provider, p.Provider)
	case p.Issued.After(now):
		return fmt.Errorf("prices of %s were issued at %s, which is still to come", p.Zone, p.Issued.Format(time.RFC3339))
	case p.End().Before(now.Add(-2*day)) || p.Start.After(now.Add(7*day)):
		return fmt.Errorf("prices of %s run from %s to %s, asked for today and tomorrow", p.Zone, p.Start.Format(time.RFC3339), p.End().Format(time.RFC3339))
	}
	return nil
}

const (
	// flatFor is how long one and the same value is believed where the grid
	// usually moves; after that the source is taken to be stuck.
	flatFor = 6 * time.Hour
	// moves is the least change of the climatology over a flat stretch that
	// makes it unbelievable: a tenth of its mean.
	moves = 0.1
)

// unstick makes Unknown what a stuck source repeats: the values after the
// sixth hour of a flat stretch in which the climatology of the zone changes by
// a tenth or more. Before s came the value tail, which had held since since
// (Unknown if there is none). It returns how many values it took out.
func unstick(s grid.Series, tail grid.Intensity, since time.Time, clim forecast.Climatology) int {
	if clim.Basis != s.Basis {
		return 0
	}
	taken := 0
	for i, v := range s.Values {
		at := s.Start.Add(time.Duration(i) * s.Step)
		if !v.Known() {
			continue // a gap tells nothing of whether the source moves
		}
		if v != tail {
			tail, since = v, at
			continue
		}
		if at.Sub(since) >= flatFor && varies(clim, s.Zone, since, at) {
			s.Values[i] = grid.Unknown
			taken++
		}
	}
	return taken
}

// varies reports whether the climatology changes by a tenth of its mean or
// more in the first day of [from, to].
func varies(clim forecast.Climatology, zone grid.Zone, from, to time.Time) bool {
	if day := from.Add(24 * time.Hour); to.After(day) {
		to = day
	}
	var low, high, sum float64
	n := 0
	for t := from; !t.After(to); t = t.Add(time.Hour) {
		m, _, ok := clim.At(zone, t)
		if !ok {
			return false
		}
		v := float64(m)
		if n == 0 || v < low {
			low = v
		}
		high, sum = max(high, v), sum+v
		n++
	}
	return n > 0 && high-low >= moves*sum/float64(n)
}
