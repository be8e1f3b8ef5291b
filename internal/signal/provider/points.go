package provider

import (
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// point is one value as a source tells it.
type point struct {
	at        time.Time
	value     grid.Intensity
	estimated bool
	issued    time.Time // zero: the source does not say
	model     string    // that it came from, where the source says one
}

// origin is what all values of a source have in common.
type origin struct {
	provider string
	zone     grid.Zone
	basis    grid.Basis
	flow     grid.Flow
	step     time.Duration // 0: to be found from the times
}

const (
	// mostPoints bounds a series: 366 days of quarter hours, 122 of 5 minutes.
	mostPoints = 36_000
	// mostAhead is how far a forecast may reach.
	mostAhead = 31 * 24 * time.Hour
	// skew is how far a source's clock may be ahead of ours.
	skew = 5 * time.Minute
	// leastPeak is the intensity in mg/kWh that every grid exceeds at some
	// time, counted over the life of its plants: water and wind alone have more.
	leastPeak = 2000
)

// settle sorts the points, checks them as a whole and returns their step.
func (o origin) settle(ps []point) (time.Duration, error) {
	if len(ps) > mostPoints {
		return 0, unfitf("it tells %d values of %s, want at most %d", len(ps), o.zone, mostPoints)
	}
	slices.SortStableFunc(ps, func(a, b point) int { return a.at.Compare(b.at) })
	step := o.step
	for i := 1; i < len(ps); i++ {
		d := ps[i].at.Sub(ps[i-1].at)
		if d == 0 {
			return 0, unfitf("it tells %s of %s twice", stamp(ps[i].at), o.zone)
		}
		if o.step == 0 && (step == 0 || d < step) {
			step = d
		}
	}
	if step == 0 {
		step = time.Hour // one value of a source that does not say its step
	}
	if step < time.Minute || step > 24*time.Hour || step%time.Minute != 0 {
		return 0, unfitf("its values of %s are %s apart, want whole minutes, 1 min to 24 h", o.zone, step)
	}
	mark := min(step, 15*time.Minute) // some zones stand 45 minutes off
	for i, p := range ps {
		if !p.at.Truncate(mark).Equal(p.at) {
			return 0, unfitf("it tells a value of %s at %s, which is not on a step of %s", o.zone, stamp(p.at), step)
		}
		if d := p.at.Sub(ps[0].at); d%step != 0 {
			return 0, unfitf("it tells values of %s %s apart, in steps of %s, at %s", o.zone, p.at.Sub(ps[i-1].at), step, stamp(p.at))
		}
	}
	return step, o.checkUnit(ps)
}

// asked refuses what was not asked for: a source that mistakes the question may
// have mistaken more of it. An end too many on either side is usual.
func (o origin) asked(ps []point, from, to time.Time) error {
	slack := max(o.step, 30*time.Minute)
	for _, p := range ps {
		if p.at.Before(from.Add(-slack)) || p.at.After(to.Add(slack)) {
			return unfitf("asked for %s to %s, it tells a value of %s at %s", stamp(from), stamp(to), o.zone, stamp(p.at))
		}
	}
	return nil
}

// checkUnit refuses values that look like kilograms, or like zeros that stand
// for nothing known. Combustion alone can be zero for weeks where there is
// water; it is then a whole number of grams.
func (o origin) checkUnit(ps []point) error {
	peak := grid.Unknown
	for _, p := range ps {
		if p.value > grid.MaxIntensity || p.value < grid.Unknown {
			return unfitf("it says %d g/kWh for %s at %s, want 0 to %d", p.value/1000, o.zone, stamp(p.at), grid.MaxIntensity/1000)
		}
		peak = max(peak, p.value)
	}
	least := grid.Intensity(leastPeak)
	if o.basis.Scope != grid.Lifecycle || o.basis.Signal != grid.Average {
		if peak == 0 {
			return nil
		}
		least = 1000
	}
	switch {
	case !peak.Known() || peak >= least:
		return nil
	case peak == 0:
		return unfitf("every value of %s is 0, which no grid is; is it unknown?", o.zone)
	}
	return unfitf("no value of %s is above %g g/kWh; are they kg/kWh?", o.zone, float64(peak)/1000)
}

func (o origin) series() grid.Series {
	return grid.Series{Provenance: grid.Provenance{Provider: o.provider, Zone: o.zone, Basis: o.basis, Flow: o.flow, Grade: grid.GradeA}}
}

// history makes a series of measured values as signal.Provider.History wants
// it: those whose steps overlap [from, to) and that were issued at or before
// now, up to the first change of provenance.
func (o origin) history(ps []point, from, to, now time.Time) (grid.Series, error) {
	s := o.series()
	step, err := o.settle(ps)
	if err != nil {
		return s, err
	}
	var taken []point
	for _, p := range ps {
		end := p.at.Add(step)
		if !end.After(from) || !p.at.Before(to) {
			continue
		}
		if end.After(now) {
			break // its step is not over: nobody can have measured it
		}
		if p.issued.After(now.Add(skew)) {
			return s, unfitf("it says that its value of %s for %s was issued at %s, and it is %s; is this machine's clock right?", o.zone, stamp(p.at), stamp(p.issued), stamp(now))
		}
		if p.issued.After(now) {
			break // told in a moment
		}
		if !p.value.Known() && len(taken) == 0 {
			continue
		}
		if len(taken) > 0 && p.value.Known() && (p.estimated != taken[0].estimated || p.model != taken[0].model) {
			break
		}
		taken = append(taken, p)
	}
	for len(taken) > 0 && !taken[len(taken)-1].value.Known() {
		taken = taken[:len(taken)-1]
	}
	if len(taken) == 0 {
		return s, nil
	}
	fill(&s, taken, step)
	s.Issued = s.End()
	for _, p := range taken {
		if p.issued.After(s.Issued) {
			s.Issued = p.issued
		}
	}
	s.Model = taken[0].model
	if taken[0].estimated {
		s.Estimated, s.Grade = true, grid.GradeB
	}
	return s, fit(s)
}

// forecast makes a series of expected values that were issued at issued.
func (o origin) forecast(ps []point, issued, now time.Time) (grid.Series, error) {
	s := o.series()
	s.Estimated = true
	step, err := o.settle(ps)
	if err != nil {
		return s, err
	}
	if issued.After(now.Add(skew)) {
		return s, unfitf("it says that its forecast of %s was issued at %s, and it is %s; is this machine's clock right?", o.zone, stamp(issued), stamp(now))
	}
	if issued.After(now) {
		issued = now
	}
	for len(ps) > 0 && !ps[len(ps)-1].value.Known() {
		ps = ps[:len(ps)-1]
	}
	for len(ps) > 0 && !ps[0].value.Known() {
		ps = ps[1:]
	}
	if len(ps) == 0 {
		return s, nil
	}
	for _, p := range ps {
		if p.model != ps[0].model {
			return s, unfitf("its forecast of %s is of two models, %s and %s", o.zone, ps[0].model, p.model)
		}
	}
	if end := ps[len(ps)-1].at.Add(step); !end.After(now) {
		return s, unfitf("its forecast of %s ends at %s, and it is %s", o.zone, stamp(end), stamp(now))
	}
	if ahead := ps[0].at.Sub(now); ahead > 48*time.Hour {
		return s, unfitf("its forecast of %s begins at %s only, and it is %s", o.zone, stamp(ps[0].at), stamp(now))
	}
	if end := ps[len(ps)-1].at.Add(step); end.Sub(now) > mostAhead {
		return s, unfitf("its forecast of %s reaches to %s, more than %d days from %s", o.zone, stamp(end), mostAhead/(24*time.Hour), stamp(now))
	}
	fill(&s, ps, step)
	s.Issued, s.Model = issued, ps[0].model
	return s, fit(s)
}

// fill puts sorted points into a series; what lies between is Unknown.
func fill(s *grid.Series, ps []point, step time.Duration) {
	n := int(ps[len(ps)-1].at.Sub(ps[0].at)/step) + 1
	// Points are bounded, their distance is not: two of them may be years apart.
	n = min(n, mostPoints)
	s.Start, s.Step, s.Values = ps[0].at, step, make([]grid.Intensity, n)
	for i := range s.Values {
		s.Values[i] = grid.Unknown
	}
	last := 0
	for _, p := range ps {
		if k := int(p.at.Sub(s.Start) / step); k < n {
			s.Values[k] = p.value
			if p.value.Known() {
				last = k
			}
		}
	}
	s.Values = s.Values[:last+1]
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }

// where adds the row to what is wrong with a value.
func where(zone grid.Zone, at string, err error) error {
	return &unfit{fmt.Sprintf("value of %s at %s: %s", zone, printable(at, 40), err)}
}

// fit refuses what no store takes.
func fit(s grid.Series) error {
	if err := s.Validate(); err != nil {
		return &unfit{err.Error()}
	}
	return nil
}

// steps returns the whole steps that overlap [from, to) and are over at now:
// what is worth asking for. If there are none, from is not before to.
func steps(from, to, now time.Time, step time.Duration) (time.Time, time.Time) {
	from, last := from.UTC().Truncate(step), now.UTC().Truncate(step)
	if end := to.UTC().Truncate(step); end.Before(to) {
		to = end.Add(step)
	} else {
		to = end
	}
	return from, earlier(to, last)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
