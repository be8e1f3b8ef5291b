package forecast

import (
	"math"
	"time"

	"clusy.io/clusy/internal/grid"
)

// The constants of Anchored. The form and the decays are those of
// SCHEDULING §2; the shares were chosen on July 2022 to April 2023 of 19 zones
// with a climatology learnt before, so that the bundled weeks after it are a
// fair test. There day 1 had a mean absolute error of 9.6 % and day 2 of
// 12.9 %; persistence had 11.2 % and 14.4 %.
const (
	profileDays  = 14   // days of the recent profile
	profileKeep  = 0.85 // weight of a day over that of the next one
	profileLeast = 4    // known days without which a step has no profile
	profileShare = 0.8  // of the recent profile; the rest is climatology, at the recent level

	nowHours   = 3    // a_now is the mean error of so many hours
	nowDecay   = 6.0  // hours
	dayShare   = 0.85 // of a_day, the mean error of the last 24 hours
	dayDecay   = 36.0 // hours
	sureStart  = 0.9  // share of the variance that the last value explains
	bandWiden  = 1.4  // so that the band holds 90 % of what came
	leastDays  = 7    // days of history from which the recent profile is used
	anchorDays = 1    // without a value in the last day there is no anchor
)

// Anchored returns a forecast of n steps, the first of which holds now, from
// what a zone did lately and what is usual there. The expected value of each
// step is the mean of the same time of day over the last 14 days, newer days
// weighing more, blended with the climatology; it is shifted by how far the
// last three hours and the last day have strayed from that, less so the
// farther ahead it is. Low and High are a 90 % band. Its grade is C.
//
// Of history it uses no value whose step ended after now. With too little of
// it the result is the climatology alone, at grade D; ok is false if there is
// none for the zone and for the basis of history, or if a day does not hold a
// whole number of steps. The zone and the basis are those of history, which
// need not have a single value.
func Anchored(history grid.Series, clim Climatology, now time.Time, step time.Duration, n int) (grid.Series, bool) {
	if !usable(step, n) {
		return grid.Series{}, false
	}
	if clim.Basis != history.Basis {
		clim = Climatology{} // never two bases in one series
	}
	start := now.UTC().Truncate(step)
	p := newPast(history, clim, start, now, step)
	if !p.enough() {
		return clim.Series(history.Zone, start, step, n, now)
	}

	anchorNow, anchorDay, age := p.anchors()
	s := blank(AnchoredProvider, history.Zone, history.Basis, grid.GradeC, start, step, n, now)
	known := false
	for i := range n {
		mean, spread := p.expect(i, p.daysAhead(i), p.level)
		if math.IsNaN(mean) {
			continue
		}
		h := float64(i+1)*step.Hours() + age
		mean += (anchorNow-anchorDay)*math.Exp(-h/nowDecay) + dayShare*anchorDay*math.Exp(-h/dayDecay)
		put(&s, i, mean, normal90*bandWiden*spread*math.Sqrt(1-sureStart*math.Exp(-2*h/dayDecay)))
		known = true
	}
	return s, known
}

// past is a zone's recent history, step by step back from the start of the
// forecast. Step 0 is the forecast's first; steps before it are below 0.
type past struct {
	zone   grid.Zone
	clim   Climatology
	start  time.Time
	step   time.Duration
	perDay int
	values []float64 // values[k] is step k-len(values); NaN where nothing is known
	// level is how far the history lay above the climatology; before is the
	// same as it could be known a day ago.
	level, before float64
	profiled      bool // there is history enough for the recent profile
}

func newPast(history grid.Series, clim Climatology, start, now time.Time, step time.Duration) *past {
	p := &past{zone: history.Zone, clim: clim, start: start, step: step, perDay: int(24 * time.Hour / step)}
	p.values = resample(history, start, now, step, (profileDays+1)*p.perDay)
	known := 0
	for i := -profileDays * p.perDay; i < 0; i++ {
		if !math.IsNaN(p.value(i)) {
			known++
		}
	}
	p.profiled = known >= leastDays*p.perDay
	// Both or none: an anchor measured against one level must not be added to
	// another.
	level, before := p.levelUntil(0), p.levelUntil(-p.perDay)
	if !math.IsNaN(level) && !math.IsNaN(before) {
		p.level, p.before = level, before
	}
	return p
}

// resample returns the means of history over the n steps that end at start,
// NaN where less than half of a step is known. A value whose own step ended
// after now is not looked at: it was not known then.
func resample(history grid.Series, start, now time.Time, step time.Duration, n int) []float64 {
	sums, spans := make([]float64, n), make([]time.Duration, n)
	first := start.Add(-time.Duration(n) * step)
	if history.Step <= 0 {
		history.Values = nil
	}
	for i, v := range history.Values {
		from := history.Start.Add(time.Duration(i) * history.Step)
		to := from.Add(history.Step)
		if to.After(now) {
			break
		}
		if v < 0 || v > grid.MaxIntensity || !to.After(first) {
			continue
		}
		// The part of the value in each step that it touches.
		k := max(0, int(from.Sub(first)/step))
		for ; k < n; k++ {
			a, b := first.Add(time.Duration(k)*step), first.Add(time.Duration(k+1)*step)
			if !a.Before(to) {
				break
			}
			if part := min(b.UnixNano(), to.UnixNano()) - max(a.UnixNano(), from.UnixNano()); part > 0 {
				sums[k] += float64(v) * float64(part)
				spans[k] += time.Duration(part)
			}
		}
	}
	for k := range sums {
		if 2*spans[k] < step {
			sums[k] = math.NaN()
		} else {
			sums[k] /= float64(spans[k])
		}
	}
	return sums
}

// value returns what was measured in step i < 0, NaN if that is not known.
func (p *past) value(i int) float64 {
	if k := len(p.values) + i; i < 0 && k >= 0 {
		return p.values[k]
	}
	return math.NaN()
}

func (p *past) usual(i int) (mean, spread float64) {
	return p.clim.over(p.zone, p.start.Add(time.Duration(i)*p.step), p.step)
}

// daysAhead returns how many days back from step i the last known day lies.
func (p *past) daysAhead(i int) int { return 1 + i/p.perDay }

// levelUntil returns the mean distance of the values from the climatology over
// the 14 days before step i, NaN if less than a day of it is known: that would
// be the distance of some hours and not the level.
func (p *past) levelUntil(i int) float64 {
	sum, n := 0.0, 0
	for j := i - profileDays*p.perDay; j < i; j++ {
		mean, _ := p.usual(j)
		if v := p.value(j); !math.IsNaN(v) && !math.IsNaN(mean) {
			sum += v - mean
			n++
		}
	}
	if n < p.perDay {
		return math.NaN()
	}
	return sum / float64(n)
}

// profile returns the mean and spread of the same time of day on the days that
// lie days and more before step i, newer days weighing more.
func (p *past) profile(i, days int) (mean, spread float64) {
	sum, squares, weights, weight, n := 0.0, 0.0, 0.0, 1.0, 0
	for j := range profileDays {
		if v := p.value(i - p.perDay*(days+j)); !math.IsNaN(v) {
			sum += weight * v
			squares += weight * v * v
			weights += weight
			n++
		}
		weight *= profileKeep
	}
	if n < profileLeast {
		return math.NaN(), math.NaN()
	}
	mean = sum / weights
	return mean, math.Sqrt(max(0, squares/weights-mean*mean))
}

// expect returns the expected value of step i, and its spread, as they are
// known days before it, before any anchor.
func (p *past) expect(i, days int, level float64) (mean, spread float64) {
	mean, spread = p.usual(i)
	mean += level
	if !p.profiled {
		return mean, spread
	}
	recent, around := p.profile(i, days)
	switch {
	case math.IsNaN(recent):
		return mean, spread
	case math.IsNaN(mean):
		return recent, around
	}
	return profileShare*recent + (1-profileShare)*mean, math.Sqrt((around*around + spread*spread) / 2)
}

// stray returns how far step i < 0 lay from what was expected a day before it.
func (p *past) stray(i int) float64 {
	mean, _ := p.expect(i, 1, p.before)
	return p.value(i) - mean
}

// enough reports whether there is an anchor at all: something to expect, and
// a value of the last day to compare it with.
func (p *past) enough() bool {
	for i := -anchorDays * p.perDay; i < 0; i++ {
		if !math.IsNaN(p.stray(i)) {
			return true
		}
	}
	return false
}

// anchors returns a_now and a_day, and the age of the last value in hours: an
// old anchor holds less, as if the forecast began that much later.
func (p *past) anchors() (now, day, age float64) {
	last := -1
	for math.IsNaN(p.stray(last)) {
		last--
	}
	mean := func(hours float64) float64 {
		sum, n := 0.0, 0
		for i := last; i > last-max(1, int(hours*float64(p.perDay)/24)); i-- {
			if e := p.stray(i); !math.IsNaN(e) {
				sum += e
				n++
			}
		}
		return sum / float64(n)
	}
	return mean(nowHours), mean(24), float64(-1-last) * p.step.Hours()
}
