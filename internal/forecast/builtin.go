package forecast

import (
	"math"
	"time"
)

// The built-in forecaster. What an hour is expected to be begins with a base:
// the mean of the same time of day on the days before, newer days weighing
// more, set right for the kind of day (weekday, Saturday, Sunday). To it are
// added the ten signs below, each with a weight by lead time. The weights begin
// as those learnt once from many zones (weights.go) and are pulled to what the
// zone's own last weeks tell.
//
// It works on whole hours, whatever the steps of the history and of the
// forecast, and knows nothing of weather: what it knows is how long a grid
// keeps straying from what is usual.

// The signs, as distances from the base.
const (
	lastHour      = iota // how far the last hour strayed
	lastThree            // the last three hours, measured by how much each time of day strays
	lastSix              // the last six hours
	lastTwelve           // the last twelve hours
	lastDay              // the last day, measured as lastThree
	lastThreeDays        // the last three days
	lastWeek             // the last week
	sameHour             // the same time of day, on the last day of which it is known
	quickProfile         // a profile of few days
	slowProfile          // a profile of many days
	signs
)

const (
	leads = 96 // hours ahead of which weights are known; beyond, those of the fourth day

	keepQuick, keep, keepSlow = 0.6, 0.85, 0.95 // weight of a day over that of the next one
	keepSpread                = 0.92            // the same, of the spread of a time of day

	fewDays      = 4   // known days without which a time of day has no profile of its own
	dayTypeDoubt = 1.5 // days of a kind that the first one seen must outweigh
	anchorHours  = 48  // without a value in so many hours, nothing is anchored

	leastSpread = 0.005 // of the value: no time of day is surer than that
	mostStray   = 5     // spreads: what strays farther is a break, and no sign of how far the next hours stray

	stride    = 3   // of the hours from which it is tried on the past
	priorDays = 100 // days of the zone's own that weigh as much as the learnt weights
)

// buckets are the lead times that share what they learn: the last lead of each.
var buckets = [...]int{0, 1, 3, 6, 11, 17, 23, 35, 47, 71, 95}

// bucketOf maps a lead time in hours to its bucket.
var bucketOf = func() (of [leads]int) {
	b := 0
	for h := range of {
		if h > buckets[b] {
			b++
		}
		of[h] = b
	}
	return of
}()

// usual gives what is usual in an hour, NaN if that is not known.
type usual func(hour int) (mean, spread float64)

// builtin is the built-in forecaster of one zone, at one moment. Its hours are
// counted from the first hour of history; now is in hour n.
type builtin struct {
	at     time.Time // the start of hour n
	monday int       // the hour of the week of hour 0
	n      int
	known  int       // hours of history
	last   int       // the hour after the last known one
	y      []float64 // what was measured, NaN where nothing is known
	e      []float64 // how far it strayed from the base of the day before
	sd     []float64 // the spread of that at the same time of day, as known before
	all    []float64 // the same over all times of day
	quick  profile
	mid    profile
	slow   profile
	kinds  []dayKinds // by block of 24 hours: as known when it begins
	first  int        // where block 0 begins: blocks end at last
	usual  usual
	level  float64 // how far the zone lay above the usual until a day ago

	learnt [len(buckets)][signs]float64 // what is added to the weights of weights.go
	tried  []trial                      // in the order of their hours
}

// profile is a running mean of each time of day, as known after that hour.
type profile struct {
	sum, weight []float64
	days        []int
}

func (p profile) at(i int) float64 {
	if i < 0 || p.weight[i] == 0 {
		return math.NaN()
	}
	return p.sum[i] / p.weight[i]
}

// dayKinds is how far each time of day lies off its mean on weekdays,
// Saturdays and Sundays.
type dayKinds [3][24]float64

// trial is a forecast made at the start of an hour of the past, from what was
// known then.
type trial struct {
	from int
	said []float64 // by lead time, as far as it is known what came; NaN where nothing was said
}

// newBuiltin tries the forecaster on the past and learns from it. Ok is false
// if there is too little of it.
func newBuiltin(y []float64, at time.Time, usual usual) (*builtin, bool) {
	b := &builtin{at: at, n: len(y), y: y, usual: usual}
	b.monday = HourOfWeek(at.Add(-time.Duration(len(y)) * time.Hour))
	for i, v := range y {
		if !math.IsNaN(v) {
			b.last = i + 1
			b.known++
		}
	}
	if b.known < 24 && (usual == nil || b.known == 0) {
		return nil, false
	}
	b.first = b.last % 24
	b.setLevel()
	b.profiles()
	b.learn()
	return b, true
}

// kind returns 0 on weekdays, 1 on Saturdays, 2 on Sundays, and the hour of
// the day, both of UTC.
func (b *builtin) kind(i int) (kind, hour int) {
	h := (b.monday + i) % HoursOfWeek
	switch h / 24 {
	case 5:
		kind = 1
	case 6:
		kind = 2
	}
	return kind, h % 24
}

// setLevel measures how far the zone lay above the usual in the two weeks that
// ended a day before the last value.
func (b *builtin) setLevel() {
	if b.usual == nil {
		return
	}
	sum, n := 0.0, 0
	for i := max(0, b.last-15*24); i < b.last-24; i++ {
		if mean, _ := b.usual(i); !math.IsNaN(mean) && !math.IsNaN(b.y[i]) {
			sum += b.y[i] - mean
			n++
		}
	}
	if n >= 24 {
		b.level = sum / float64(n)
	}
}

// profiles goes through the past once, hour by hour, so that what is noted of
// an hour rests on nothing that came after.
func (b *builtin) profiles() {
	n := b.last
	b.e, b.sd, b.all = make([]float64, n), make([]float64, n), make([]float64, n)
	for _, p := range []*profile{&b.quick, &b.mid, &b.slow} {
		p.sum, p.weight, p.days = make([]float64, n), make([]float64, n), make([]int, n)
	}
	var sums [4][24]float64 // by kind of day; the last is all of them
	var counts [4][24]float64
	var variance [24]float64
	var strays [24]int
	for i := range n {
		if (i-b.first)%24 == 0 || i == 0 {
			b.kinds = append(b.kinds, kindsOf(&sums, &counts))
		}
		kind, hour := b.kind(i)
		off := b.kinds[b.block(i)][kind][hour]

		b.sd[i], b.all[i] = spreadOf(&variance, hour)
		b.e[i] = b.y[i] - b.base(i, i-24, b.block(i))
		v := b.y[i] - off
		b.quick.add(i, v, keepQuick)
		b.mid.add(i, v, keep)
		b.slow.add(i, v, keepSlow)
		if math.IsNaN(b.y[i]) {
			continue
		}
		sums[kind][hour] += b.y[i]
		counts[kind][hour]++
		sums[3][hour] += b.y[i]
		counts[3][hour]++
		if e := b.e[i]; !math.IsNaN(e) {
			strays[hour]++
			w := max(1-keepSpread, 1/float64(strays[hour]))
			variance[hour] += float64(w * (float64(e*e) - variance[hour]))
		}
	}
	b.kinds = append(b.kinds, kindsOf(&sums, &counts))
}

func (p *profile) add(i int, v, keep float64) {
	if i >= 24 {
		p.sum[i], p.weight[i], p.days[i] = float64(keep*p.sum[i-24]), float64(keep*p.weight[i-24]), p.days[i-24]
	}
	if !math.IsNaN(v) {
		p.sum[i] += v
		p.weight[i]++
		p.days[i]++
	}
}

// kindsOf returns how far each kind of day lies off the mean. Few days of a
// kind tell little, and are taken for less.
func kindsOf(sums, counts *[4][24]float64) (off dayKinds) {
	for kind := range off {
		for hour := range off[kind] {
			// The hours beside it tell of it, too.
			sum, n, all, of := 0.0, 0.0, 0.0, 0.0
			for _, w := range [...]struct{ hour, weight int }{{hour + 23, 1}, {hour, 2}, {hour + 1, 1}} {
				h, weight := w.hour%24, float64(w.weight)
				sum += float64(weight * sums[kind][h])
				n += float64(weight * counts[kind][h])
				all += float64(weight * sums[3][h])
				of += float64(weight * counts[3][h])
			}
			if n > 0 && of > n { // where all days are of one kind, none stands out
				off[kind][hour] = (sum/n - all/of) * (n / (n + 4*dayTypeDoubt))
			}
		}
	}
	return off
}

func spreadOf(variance *[24]float64, hour int) (at, all float64) {
	for _, v := range variance {
		all += v
	}
	near := variance[(hour+23)%24] + float64(2*variance[hour]) + variance[(hour+1)%24]
	return math.Sqrt(near / 4), math.Sqrt(all / 24)
}

// block returns the day of hour i, in days that end with the last known hour.
func (b *builtin) block(i int) int {
	if b.first == 0 {
		return i / 24
	}
	if i < b.first {
		return 0
	}
	return 1 + (i-b.first)/24
}

// base returns what hour i is expected to be before any sign, if the last
// known day has hour from at the same time of day, as known in a block.
func (b *builtin) base(i, from, block int) float64 {
	days := fewDays
	if b.usual == nil {
		days = 1
	}
	if from >= 0 && b.mid.days[from] >= days {
		kind, hour := b.kind(i)
		return b.mid.at(from) + b.kinds[block][kind][hour]
	}
	if b.usual == nil {
		return math.NaN()
	}
	mean, _ := b.usual(i)
	return mean + b.level
}

// strays are the signs that do not depend on the hour that is forecast.
type strays struct{ hour, three, six, twelve, day, threeDays, week float64 }

func (b *builtin) strays(from int) strays {
	var s strays
	sum, n := 0.0, 0.0      // of strays
	relative, m := 0.0, 0.0 // of strays by their spread
	mean := func(sum, n float64) float64 {
		if n == 0 {
			return 0 // nothing is known of it: no sign
		}
		return sum / n
	}
	for k := 1; k <= 168; k++ {
		if i := from - k; i >= 0 && !math.IsNaN(b.e[i]) {
			sum += b.e[i]
			n++
			if k <= 24 {
				if sd := max(b.sd[i], 0.2*b.all[i], leastSpread*b.y[i]); sd > 0 {
					relative += max(-mostStray, min(mostStray, b.e[i]/sd))
					m++
				}
			}
		}
		switch k {
		case 1:
			s.hour = mean(sum, n)
		case 3:
			s.three = mean(relative, m)
		case 6:
			s.six = mean(sum, n)
		case 12:
			s.twelve = mean(sum, n)
		case 24:
			s.day = mean(relative, m)
		case 72:
			s.threeDays = mean(sum, n)
		case 168:
			s.week = mean(sum, n)
		}
	}
	return s
}

// signs returns the base of hour i, forecast from what was known before hour
// from, and fills in the signs. The base is NaN if nothing can be said.
func (b *builtin) signs(s *strays, from, i int, x *[signs]float64) float64 {
	q := i - 24*(1+(i-from)/24) // the same time on the last known day
	base := b.base(i, q, b.block(from))
	sd := 0.0
	x[sameHour], x[quickProfile], x[slowProfile] = 0, 0, 0
	if q >= 0 {
		sd = b.sd[q]
		if e := b.e[q]; !math.IsNaN(e) {
			x[sameHour] = e
		}
		if b.mid.days[q] >= fewDays {
			x[quickProfile] = b.quick.at(q) - b.mid.at(q)
			x[slowProfile] = b.slow.at(q) - b.mid.at(q)
		}
	}
	if sd == 0 && from > 0 {
		sd = b.all[from-1]
	}
	x[lastHour], x[lastThree], x[lastSix], x[lastTwelve] = s.hour, s.three*sd, s.six, s.twelve
	x[lastDay], x[lastThreeDays], x[lastWeek] = s.day*sd, s.threeDays, s.week
	return base
}

// leadOf returns the lead time whose weights serve hour i forecast from an
// hour: beyond the fourth day, that of the fourth.
func leadOf(from, i int) int {
	h := i - from
	if h >= leads {
		h = leads - 24 + h%24
	}
	return h
}

func weigh(w, x *[signs]float64) float64 {
	sum := 0.0
	for k := range w {
		sum += float64(w[k] * x[k])
	}
	return sum
}

// expect returns what hour i ≥ last is expected to be, NaN if nothing can be
// said.
func (b *builtin) expect(s *strays, i int) float64 {
	var x [signs]float64
	base := b.signs(s, b.last, i, &x)
	lead := leadOf(b.last, i)
	return base + weigh(&learntWeights[lead], &x) + weigh(&b.learnt[bucketOf[lead]], &x)
}

// gram gathers what a day of trials tells of the weights of one bucket.
type gram struct {
	xx [signs][signs]float64 // the lower triangle
	xr [signs]float64
}

// learn tries the forecaster on each day of the past, with the weights that it
// had learnt until then, and keeps what it said.
func (b *builtin) learn() {
	var sum [len(buckets)]gram
	var days [len(buckets)]int
	var grams [][len(buckets)]gram
	blocks := b.block(b.last)
	for day := range blocks + 1 {
		begin := b.first + 24*(day-1)
		if b.first == 0 {
			begin = 24 * day
		}
		// 1. What has become known: all that the forecasts of a day told of.
		for k := range buckets {
			if old := day - 1 - (buckets[k]+23)/24; old >= 0 {
				sum[k].plus(&grams[old][k])
				days[k]++
			}
			if days[k] >= fewDays {
				b.learnt[k] = sum[k].solve(float64(priorDays) / float64(days[k]))
			}
		}
		// 2. The trials of this day.
		grams = append(grams, [len(buckets)]gram{})
		for from := max(begin, 24); from < min(begin+24, b.last); from += stride {
			b.try(from, &grams[day])
		}
	}
}

// try forecasts from an hour of the past.
func (b *builtin) try(from int, g *[len(buckets)]gram) {
	s := b.strays(from)
	t := trial{from, make([]float64, min(leads, b.last-from))}
	for lead := range t.said {
		i := from + lead
		t.said[lead] = math.NaN()
		var x [signs]float64
		base := b.signs(&s, from, i, &x)
		if math.IsNaN(base) {
			continue
		}
		k := bucketOf[lead]
		said := base + weigh(&learntWeights[lead], &x)
		t.said[lead] = said + weigh(&b.learnt[k], &x)
		if r := b.y[i] - said; !math.IsNaN(r) {
			g[k].add(&x, r)
		}
	}
	b.tried = append(b.tried, t)
}

func (g *gram) add(x *[signs]float64, r float64) {
	for i := range x {
		g.xr[i] += float64(x[i] * r)
		row := &g.xx[i]
		for j := 0; j <= i; j++ {
			row[j] += float64(x[i] * x[j])
		}
	}
}

func (g *gram) plus(o *gram) {
	for i := range g.xx {
		g.xr[i] += o.xr[i]
		for j := 0; j <= i; j++ {
			g.xx[i][j] += o.xx[i][j]
		}
	}
}

// solve returns the weights that fit best, drawn to zero by a doubt.
func (g *gram) solve(doubt float64) (w [signs]float64) {
	a, r := g.xx, g.xr
	for i := range a {
		a[i][i] = float64(a[i][i]*(1+doubt)) + 1 // the 1 (mg/kWh)² keeps a zone that never strays solvable
		for j := i + 1; j < signs; j++ {
			a[i][j] = g.xx[j][i]
		}
	}
	// Gauss: with the doubt on its diagonal the matrix is positive definite, and
	// no pivot is zero.
	for i := range a {
		for k := i + 1; k < signs; k++ {
			f := a[k][i] / a[i][i]
			for j := i; j < signs; j++ {
				a[k][j] -= float64(f * a[i][j])
			}
			r[k] -= float64(f * r[i])
		}
	}
	for i := signs - 1; i >= 0; i-- {
		for j := i + 1; j < signs; j++ {
			r[i] -= float64(a[i][j] * w[j])
		}
		w[i] = r[i] / a[i][i]
	}
	return w
}
