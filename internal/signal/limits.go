package signal

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

// limits is what is believed of a zone, from what it has been: wide enough for
// a year that is like no other, narrow enough for kilograms, zeros and another
// zone's values to stand out.
type limits struct {
	low, high grid.Intensity
	jump      grid.Intensity // the most that one value may differ from the one an hour before; 0: not known
}

const (
	// roomAbove is what a zone may exceed what it has been by, beside doubling.
	roomAbove = 50_000 // mg/kWh
	// leastSeen is the history that limits are made of where there is no
	// climatology.
	leastSeen = 7 * day
	// leastJump is the change from one hour to the next that is believed of
	// every zone.
	leastJump = 100_000 // mg/kWh
	// lasting is how many values in a row make a jump true.
	lasting = 3
)

// anything is what is believed of a zone of which nothing is known.
var anything = limits{low: 0, high: grid.MaxIntensity}

// limitsOf returns the limits of a zone from its climatology and its history.
func limitsOf(zone grid.Zone, basis grid.Basis, clim forecast.Climatology, have grid.Series) limits {
	low, high := grid.MaxIntensity, grid.Unknown
	if n := clim.Zones[zone]; n != nil && clim.Basis == basis {
		for m := range n.Mean {
			for h, mean := range n.Mean[m] {
				if mean.Known() {
					low, high = min(low, max(mean/4, mean-2*n.Spread[m][h])), max(high, mean+2*n.Spread[m][h])
				}
			}
		}
	}
	var jump, last grid.Intensity = 0, grid.Unknown
	if have.Step > 0 && time.Duration(len(have.Values))*have.Step >= leastSeen {
		for _, v := range have.Values {
			if v.Known() {
				low, high = min(low, v), max(high, v)
				if last.Known() {
					jump = max(jump, v-last, last-v)
				}
			}
			last = v
		}
	}
	if !high.Known() {
		return anything
	}
	l := limits{low: max(0, low/3), high: min(grid.MaxIntensity, 2*high+roomAbove)}
	if jump > 0 {
		l.jump = max(leastJump, 3*jump, (high-max(0, low))/2)
	}
	return l
}

// check refuses a value that is out of the limits.
func (l limits) check(v grid.Intensity) error {
	switch {
	case v < l.low:
		return fmt.Errorf("%s is far below what the zone ever has (%s at least is believed); is it in kg/kWh, or of another zone?", v, l.low)
	case v > l.high:
		return fmt.Errorf("%s is far above what the zone ever has (%s at most is believed)", v, l.high)
	}
	return nil
}

// sift makes Unknown the values of s that are out of the limits, and those that
// jump away from the value before by more than the zone ever did, unless they
// last. It returns how many it took out and why the first of them.
func (l limits) sift(s grid.Series, last grid.Intensity, lastAt time.Time) (taken int, why error) {
	jumped := 0
	for i, v := range s.Values {
		if !v.Known() {
			continue
		}
		at := s.Start.Add(time.Duration(i) * s.Step)
		err := l.check(v)
		far := l.jump > 0 && last.Known() && at.Sub(lastAt) <= lasting*max(s.Step, time.Hour) && (v-last > l.jump || last-v > l.jump)
		switch {
		case err != nil:
		case far && jumped < lasting-1:
			jumped++
			err = fmt.Errorf("%s after %s is a jump that the zone never made (%s at most is believed until it lasts)", v, last, l.jump)
		default:
			last, lastAt, jumped = v, at, 0
			continue
		}
		if taken++; why == nil {
			why = fmt.Errorf("at %s: %w", at.Format(time.RFC3339), err)
		}
		s.Values[i] = grid.Unknown
	}
	return taken, why
}
