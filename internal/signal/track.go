package signal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// track is all that a source without issue times says of one zone.
type track struct {
	start     time.Time
	step      time.Duration
	values    []grid.Intensity
	estimated []bool // nil: none of them; else one for each value
}

// tracks is a whole source in memory, the same for every caller.
type tracks struct {
	name  string
	basis grid.Basis
	grade grid.Grade // of what is measured; what is estimated is B at best
	zones map[grid.Zone]track
}

func (ts tracks) zoneNames() []grid.Zone { return slices.Sorted(maps.Keys(ts.zones)) }

// history answers Provider.History.
func (ts tracks) history(zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	t, ok := ts.zones[zone]
	if !ok {
		return grid.Series{}, NoZone(ts.name, zone)
	}
	s := grid.Series{
		Provenance: grid.Provenance{Provider: ts.name, Zone: zone, Basis: ts.basis, Grade: ts.grade},
		Start:      t.start,
		Step:       t.step,
	}
	// Steps [i, j): those that reach past from, begin before to, and whose end
	// has come. Searching, unlike subtracting, cannot overflow.
	i := t.first(func(k int) bool { return t.at(k + 1).After(from) })
	j := t.first(func(k int) bool { return !t.at(k).Before(to) || t.at(k+1).After(now) })
	for i < j && !t.values[i].Known() {
		i++
	}
	for k := i; k < j; k++ {
		if t.values[k].Known() && t.guessed(k) != t.guessed(i) {
			j = k
		}
	}
	for i < j && !t.values[j-1].Known() {
		j--
	}
	if i >= j {
		return s, nil
	}
	s.Start, s.Values = t.at(i), slices.Clone(t.values[i:j])
	s.Issued = s.End()
	if t.guessed(i) {
		s.Estimated, s.Grade = true, grid.Worse(s.Grade, grid.GradeB)
	}
	return s, nil
}

// at returns the start of step k.
func (t track) at(k int) time.Time { return t.start.Add(time.Duration(k) * t.step) }

func (t track) guessed(k int) bool { return t.estimated != nil && t.estimated[k] }

// first returns the first step of which f holds, given that it holds of every
// later one too; the number of steps if there is none.
func (t track) first(f func(int) bool) int {
	lo, hi := 0, len(t.values)
	for lo < hi {
		if mid := (lo + hi) / 2; f(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// fixed is a provider whose values are all in memory.
type fixed struct{ tracks }

// Fixed returns a provider of series that are at hand, one for each zone, all
// of one basis: bundled data, a simulated grid. Whatever issue time they
// carry, it issues each value at the end of its step, as a live source would.
func Fixed(name string, series ...grid.Series) (Provider, error) {
	if name == "" || len(series) == 0 {
		return nil, errors.New("a provider needs a name and at least one series")
	}
	ts := tracks{name: name, basis: series[0].Basis, grade: series[0].Grade, zones: map[grid.Zone]track{}}
	for _, s := range series {
		if err := s.Validate(); err != nil {
			return nil, fmt.Errorf("provider %s: %w", name, err)
		}
		if _, twice := ts.zones[s.Zone]; twice {
			return nil, fmt.Errorf("provider %s: zone %s is given twice", name, s.Zone)
		}
		if s.Basis != ts.basis || s.Grade != ts.grade {
			return nil, fmt.Errorf("provider %s: zone %s is %s of grade %s, others are %s of grade %s", name, s.Zone, s.Basis, s.Grade, ts.basis, ts.grade)
		}
		t := track{start: s.Start.UTC(), step: s.Step, values: slices.Clone(s.Values)}
		if s.Estimated {
			t.estimated = make([]bool, len(t.values))
			for i := range t.estimated {
				t.estimated[i] = true
			}
		}
		ts.zones[s.Zone] = t
	}
	return fixed{ts}, nil
}

func (f fixed) Name() string { return f.name }

func (f fixed) Basis() grid.Basis { return f.basis }

func (f fixed) Zones(ctx context.Context) ([]grid.Zone, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.zoneNames(), nil
}

func (f fixed) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	if err := ctx.Err(); err != nil {
		return grid.Series{}, err
	}
	return f.history(zone, from, to, now)
}
