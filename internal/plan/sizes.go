package plan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/workload"
)

// Elastic work takes its sizes as a merchant would: the next piece of work goes
// where it is cheapest, by a larger size in a slot or by another slot. As it may
// change its size at any time, and a change costs nothing, a slot can be shared
// between two sizes, so that the work comes out to the instant; with free
// pauses that is the best there is (of the lower hull of the sizes). Work that
// may not pause, or not as it likes, takes its pieces within runs, and the ends
// of those are moved for as long as that betters it.

const (
	// closeSlots is for how many slots every end is tried.
	closeSlots = 96
	// mostEnds is how many are tried where there are more.
	mostEnds = 24
	// mostShifts is how many moves of ends are tried for runs at one site.
	mostShifts = 600
	// mostLengths is how many lengths of run are looked for the cheapest place of.
	mostLengths = 24
)

// sizing is a site as it is to one elastic task: what each slot costs it, and
// the sizes for which there is room.
type sizing struct {
	*frame
	t     *task
	site  int
	limit time.Duration
	cost  []float64 // of a slot at the declared size
	most  []int     // the largest level that fits throughout the slot, -1 if none
	free  [][]time.Duration
	off   *steps // steps up from not running
	on    *steps // from the smallest level

	level []int // memory of fill, by slot: the level, -1 is off
}

// step up is a step from a level to a larger one in a slot.
type stepUp struct {
	slope    float64 // cost of a nanosecond of work
	slot     int
	from, to int
}

// steps are all steps of all slots, the cheapest first.
type steps []stepUp

// mix is levels for slots. What is shared runs at one level for a part of the
// slot, and the last slot is used for a part.
type mix struct {
	value   float64
	level   []int
	shared  int // the slot that is shared, -1 if none is
	to      int // its higher level
	part    time.Duration
	last    int // slot
	lastAt  int // its level
	lastFor time.Duration
}

// sizes looks at a site with the eyes of t.
func (f *frame) sizes(t *task, site int, scale *curve, limit time.Duration) *sizing {
	z := &sizing{frame: f, t: t, site: site, limit: limit, cost: make([]float64, f.slots), most: make([]int, f.slots)}
	p := f.places[site]
	for _, l := range t.levels {
		z.free = append(z.free, t.clear(p.load.free(l.demand, p.room, f.off, f.slots, f.step)))
	}
	var known []bool
	if scale != nil {
		var sums []int64
		sums, known = scale.each(f.slots, f.step, f.step)
		for i, s := range sums {
			z.cost[i] = float64(s - scale.lift*f.step.Milliseconds())
		}
	} else {
		for i := range z.cost {
			z.cost[i] = 1
		}
	}
	for i := range z.most {
		z.most[i] = -1
		if i < t.first || known != nil && !known[i] {
			continue
		}
		for k := range t.levels {
			if z.free[k][i] >= f.slot(i+1) && f.slot(i+1) <= limit {
				z.most[i] = k
			}
		}
	}
	return z
}

// steps lists the steps of all slots, from off (-1) or from the smallest level.
func (z *sizing) steps(from int) *steps {
	// The lower hull of the levels is the same in each slot that has room for
	// the same, but for those in which running is paid for.
	hulls := map[[2]int][]int{}
	var out steps
	for i, most := range z.most {
		if most < 0 {
			continue
		}
		sign := 1
		if z.cost[i] < 0 {
			sign = -1
		}
		key := [2]int{most, sign}
		if hulls[key] == nil {
			hulls[key] = z.hull(from, most, sign)
		}
		h := hulls[key]
		for n := 1; n < len(h); n++ {
			s0, v0 := z.point(h[n-1])
			s1, v1 := z.point(h[n])
			out = append(out, stepUp{z.cost[i] * float64(s1-s0) / float64(v1-v0) / float64(z.step), i, h[n-1], h[n]})
		}
	}
	slices.SortFunc(out, func(a, b stepUp) int {
		return cmp.Or(cmp.Compare(a.slope, b.slope), cmp.Compare(a.slot, b.slot), cmp.Compare(a.to, b.to))
	})
	return &out
}

// point returns the size and the speed of a level; -1 is off.
func (z *sizing) point(level int) (size, speed int) {
	if level < 0 {
		return 0, 0
	}
	return z.t.levels[level].size, z.t.levels[level].speed
}

// hull returns the levels from one to another on the lower hull of cost over
// speed, where cost is the size times sign.
func (z *sizing) hull(from, to, sign int) (h []int) {
	for k := from; k <= to; k++ {
		for len(h) >= 2 {
			s0, v0 := z.point(h[len(h)-2])
			s1, v1 := z.point(h[len(h)-1])
			s2, v2 := z.point(k)
			if sign*(s1-s0)*(v2-v1) < sign*(s2-s1)*(v1-v0) {
				break
			}
			h = h[:len(h)-1]
		}
		h = append(h, k)
	}
	return h
}

// reach is how long the last slot can be used at a level, with the booked tail
// after it; 0 or less if not at all.
func (z *sizing) reach(slot, level int) time.Duration {
	tail := z.t.tailAt(z.t.levels[level])
	return min(z.step, z.limit-z.slot(slot)-tail, z.free[level][slot]-z.slot(slot)-tail)
}

// run is a run of slots, the last one perhaps in part.
type slotRun struct{ from, to int } // [from, to)

// fill finds the cheapest levels for need of work in runs that end in the last
// slot of the last one, at a level; nil runs are all slots up to last, with
// pauses wherever it likes. A last level of -1 leaves open how it ends.
func (z *sizing) fill(runs []slotRun, need time.Duration, last, lastAt int) (m mix, ok bool) {
	m = mix{level: z.level[:0], shared: -1, last: last, lastAt: lastAt}
	for range z.slots {
		m.level = append(m.level, -1)
	}
	z.level = m.level
	left := float64(need)
	up := z.off
	full := float64(z.step)
	speed := func(k int) float64 { _, v := z.point(k); return float64(v) / workload.Declared }
	size := func(k int) float64 { s, _ := z.point(k); return float64(s) }
	if runs != nil {
		up = z.on
		for i := range m.level {
			m.level[i] = -2 // not to be used
		}
		for n, r := range runs {
			for i := r.from; i < r.to && (i < last || n < len(runs)-1); i++ {
				if z.most[i] < 0 {
					return m, false
				}
				m.level[i] = 0
				left -= full * speed(0)
				m.value += z.cost[i] * size(0)
			}
		}
		if left <= 0 {
			return m, false
		}
	}
	var lastSlope, lastWork float64
	if lastAt >= 0 {
		reach := z.reach(last, lastAt)
		if reach <= 0 {
			return m, false
		}
		lastSlope = z.cost[last] * size(lastAt) / speed(lastAt) / workload.Declared / full
		lastWork = float64(reach) * speed(lastAt)
	}
	tookLast := lastAt < 0
	take := func() {
		tookLast = true
		w := min(lastWork, left)
		left -= w
		m.lastFor = time.Duration(math.Ceil(w / speed(lastAt)))
		m.value += w * lastSlope * workload.Declared
	}
	for _, s := range *up {
		if left <= 0 {
			break
		}
		if !tookLast && lastSlope <= s.slope {
			take()
			if left <= 0 {
				break
			}
		}
		if m.level[s.slot] != s.from || s.slot > last || s.slot == last && lastAt >= 0 {
			continue
		}
		w := full * (speed(s.to) - speed(s.from))
		if w > left {
			m.shared, m.to, m.part = s.slot, s.to, min(time.Duration(math.Ceil(left/w*full+1)), z.step)
			m.value += left * s.slope * workload.Declared
			left = 0
			break
		}
		left -= w
		m.level[s.slot] = s.to
		m.value += w * s.slope * workload.Declared
	}
	if !tookLast && left > 0 {
		take()
	}
	return m, left <= 1 && tookLast // a nanosecond is lost in adding up
}

// write puts a mix into a candidate; ok is false if it breaks a rule that fill
// does not look at.
func (z *sizing) write(m mix) (candidate, bool) {
	c := candidate{site: z.site, levels: []int{}}
	add := func(from, to time.Duration, level int) {
		n := len(c.runs)
		switch {
		case to <= from || level < 0:
		case n > 0 && c.runs[n-1].to == from && c.levels[n-1] == level:
			c.runs[n-1].to = to
		default:
			c.runs, c.levels = append(c.runs, stretch{from, to}), append(c.levels, level)
		}
	}
	at := func(i int) int {
		switch {
		case i >= len(m.level):
			return -1
		case i == m.last && m.lastAt >= 0:
			return m.lastAt
		}
		return m.level[i]
	}
	for i := range m.level {
		from, to := z.slot(i), z.slot(i+1)
		switch {
		case i == m.last && m.lastAt >= 0:
			add(from, from+m.lastFor, m.lastAt)
		case i == m.shared:
			part := (m.part + time.Microsecond - 1).Truncate(time.Microsecond)
			lo, hi := m.level[i], m.to
			// Beside what is like it: so the size changes seldom, and a pause is one.
			if next := at(i + 1); next == hi || lo < 0 && next >= 0 {
				add(from, to-part, lo)
				add(to-part, to, hi)
			} else {
				add(from, from+part, hi)
				add(from+part, to, lo)
			}
		default:
			add(from, to, m.level[i])
		}
	}
	if len(c.runs) == 0 {
		return c, false
	}
	return z.finished(c)
}

// finished sets the end of c by the work, and reports whether it has room there
// and keeps the rules.
func (z *sizing) finished(c candidate) (candidate, bool) {
	z.t.end(&c)
	n := len(c.runs) - 1
	c.reserved = c.runs[n].to + z.t.tailAt(z.t.levels[c.levels[n]])
	if c.reserved > z.limit || !z.hasRoom(c) || !z.lawfulAt(z.t, c) {
		return c, false
	}
	return z.sized(z.t, z.site, c.runs, c.levels), true
}

// hasRoom reports whether each run of c, the last with its booked time, has room.
func (z *sizing) hasRoom(c candidate) bool {
	p := z.places[z.site]
	for i, r := range c.runs {
		if i == len(c.runs)-1 {
			r.to = c.reserved
		}
		if p.load.lacks(z.frame.off+r.from, z.frame.off+r.to, z.t.levels[c.levels[i]].demand, p.room) {
			return false
		}
	}
	return !z.t.barredAt(c)
}

// freely reports whether t pauses as it likes and pays nothing for it.
func (t *task) freely() bool { return t.Shape.Interruptible.Allowed && !t.ruled() }

// offerSizes betters what a site offers t by running at other sizes.
func (f *frame) offerSizes(t *task, site int, w waiver, o *offer) {
	limit := t.limit
	if w.late {
		limit = forever / 2
	}
	ok := func(c candidate) bool {
		return w.ceilings || t.affordable(f.places[site], c.known, c.carbon, c.priced, c.cost)
	}
	// 1. The soonest, known or not.
	blind := f.sizes(t, site, nil, limit)
	blind.each(func(c candidate) bool {
		if !ok(c) {
			return false
		}
		if o.early == nil || sooner(c, *o.early) < 0 {
			o.early = &c
		}
		return true
	})
	if w.late || t.Shape.Objective.Minimize == workload.MinimizeTime {
		o.best = o.early
		return
	}
	// 2. The lightest by what is to be made small. A ceiling of another thing may
	// leave only the lightest by that.
	scale := f.scale(t, site)
	scales := []*curve{scale}
	if p := f.places[site]; !w.ceilings {
		if dear := p.rates; dear != nil && dear != scale && t.Shape.Objective.CostCeiling > 0 {
			scales = append(scales, dear)
		}
		if t.Shape.Objective.CarbonCeiling > 0 && p.curve != scale {
			scales = append(scales, p.curve)
		}
	}
	for _, by := range scales {
		z := f.sizes(t, site, by, limit)
		for _, c := range z.lightest(*o) {
			if ok(c) && (o.best == nil || f.compare(t, c, *o.best) < 0) {
				o.best = &c
			}
		}
	}
	if o.best != nil && o.early == nil {
		o.early = o.best
	}
	if o.early != nil && (o.last == nil || o.early.start() > o.last.start()) {
		o.last = o.early
	}
}

// each calls try with the ways to be done soonest, from each slot at which it
// could start, until try takes one: the largest size that there is room for in
// each slot, and in the last one any at which the booked tail has room.
func (z *sizing) each(try func(candidate) bool) {
	t := z.t
	for s := t.first; s < z.slots; s++ {
		if t.Running && s > 0 && !t.stop {
			return
		}
		if c, ok := z.fast(s, false); ok && try(c) {
			break
		}
	}
	if !t.Shape.Interruptible.Allowed {
		return
	}
	for s := t.first; s < z.slots; s++ { // what pauses where there is no room may be done sooner
		if c, ok := z.fast(s, true); ok {
			if try(c) {
				return
			}
		} else if s > t.first+closeSlots {
			return
		}
	}
}

// fast runs from slot s on at the largest size that there is room for.
func (z *sizing) fast(s int, pausing bool) (candidate, bool) {
	t := z.t
	c := candidate{site: z.site, levels: []int{}}
	left := t.left + t.lead
	if t.Running && s > 0 {
		left += t.overhead()
	}
	started, idle := false, false
	for i := s; i < z.slots; i++ {
		if idle && z.most[i] >= 0 {
			left += t.overhead()
		}
		// Is it done in this slot?
		best := -1
		for k, l := range t.levels {
			if d := workload.Takes(left, l.speed); d <= z.reach(i, k) && (best < 0 || d < workload.Takes(left, t.levels[best].speed)) {
				best = k
			}
		}
		if best >= 0 {
			c.runs, c.levels = append(c.runs, stretch{z.slot(i), z.slot(i) + workload.Takes(left, t.levels[best].speed)}), append(c.levels, best)
			c.merge()
			return z.finished(c)
		}
		k := z.most[i]
		for k >= 0 && workload.Useful(z.step, t.levels[k].speed) >= left {
			k-- // it would be done here, and its booked tail has no room
		}
		if k < 0 {
			if !pausing || !started {
				return c, false
			}
			idle = true
			continue
		}
		idle, started = false, true
		left -= workload.Useful(z.step, t.levels[k].speed)
		c.runs, c.levels = append(c.runs, stretch{z.slot(i), z.slot(i + 1)}), append(c.levels, k)
	}
	return c, false
}

// merge makes adjoining runs of one level one.
func (c *candidate) merge() {
	n := 0
	for i := range c.runs {
		if n > 0 && c.runs[n-1].to == c.runs[i].from && c.levels[n-1] == c.levels[i] {
			c.runs[n-1].to = c.runs[i].to
			continue
		}
		c.runs[n], c.levels[n] = c.runs[i], c.levels[i]
		n++
	}
	c.cutTo(n)
}

// lightest returns the lightest ways to run t that are found, beginning with what
// a site offers already.
func (z *sizing) lightest(o offer) (out []candidate) {
	t := z.t
	z.off = z.steps(-1)
	// 1. As if pauses were free, and the booked tail too.
	ideal, ok := z.fill(nil, t.left+t.lead, z.slots-1, -1)
	ideal.level = slices.Clone(ideal.level)
	if t.freely() {
		if c, found := z.freeMix(ideal, ok); found {
			out = append(out, c)
		}
		return out
	}
	z.on = z.steps(0)
	// 2. Beginning from what is known, move the ends of the runs.
	tried := map[[2]int]bool{}
	var starts [][]slotRun
	begin := func(runs []slotRun) {
		if len(runs) == 1 {
			if key := [2]int{runs[0].from, runs[0].to}; tried[key] {
				return
			} else {
				tried[key] = true
			}
		}
		starts = append(starts, runs)
	}
	for _, c := range []*candidate{o.best, o.early} {
		if c != nil {
			begin(z.slotsOf(*c))
		}
	}
	for _, r := range z.cheapestRuns() {
		begin([]slotRun{r})
	}
	if ok && t.Shape.Interruptible.Allowed {
		for _, runs := range z.closing(ideal) {
			begin(runs)
		}
	}
	type scored struct {
		runs  []slotRun
		value float64
		m     mix
	}
	var best []scored
	for _, runs := range starts {
		if m, ok := z.evaluate(runs); ok {
			best = append(best, scored{runs, m.value, m})
		}
	}
	slices.SortStableFunc(best, func(a, b scored) int { return cmp.Compare(a.value, b.value) })
	shifts := mostShifts
	for _, b := range best[:min(len(best), 4)] {
		m := z.shift(b.runs, b.m, &shifts)
		if c, ok := z.write(m); ok {
			out = append(out, c)
		}
	}
	return out
}

// freeMix returns the lightest mix with pauses wherever it likes. The ideal is
// the lightest without a booked tail.
func (z *sizing) freeMix(ideal mix, ok bool) (best candidate, found bool) {
	if !ok {
		return best, false
	}
	need := z.t.left + z.t.lead
	value := math.Inf(1)
	look := func(last int) {
		for k := range z.t.levels {
			m, ok := z.fill(nil, need, last, k)
			if !ok || m.value >= value {
				continue
			}
			if c, ok := z.write(m); ok {
				best, found, value = c, true, m.value
			}
		}
	}
	end := 0
	for i, l := range ideal.level {
		if l >= 0 || i == ideal.shared {
			end = i
		}
	}
	if end = min(end+1, z.slots-1); z.slots <= closeSlots {
		end = z.slots - 1
	}
	tried := 0
	for last := end; last >= z.t.first; last-- {
		if found && (value <= ideal.value+1e-9*math.Abs(ideal.value) || tried >= mostEnds && z.slots > closeSlots) {
			break
		}
		if look(last); found {
			tried++
		}
	}
	return best, found
}

// slotsOf returns the runs of slots that c touches.
func (z *sizing) slotsOf(c candidate) (out []slotRun) {
	for _, r := range c.joined() {
		s := slotRun{int(max(r.from, 0) / z.step), min(z.slotsIn(r.to), z.slots)}
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		if s.from < s.to {
			out = append(out, s)
		}
	}
	return out
}

// cheapestRuns returns, for lengths from the shortest to the longest that it
// could run, where that length is cheapest at the declared size.
func (z *sizing) cheapestRuns() (out []slotRun) {
	t := z.t
	sum := make([]float64, z.slots+1)
	bad := make([]int, z.slots+1)
	for i := range z.slots {
		sum[i+1], bad[i+1] = sum[i]+z.cost[i], bad[i]
		if z.most[i] < 0 {
			bad[i+1]++
		}
	}
	work := t.left + t.lead
	least := max(z.slotsIn(workload.Takes(work, t.fastest())), 1)
	most := min(z.slotsIn(workload.Takes(work, t.levels[0].speed)), z.slots)
	by := max((most-least)/mostLengths, 1)
	for n := least; n <= most; n += by {
		at, cheapest := -1, math.Inf(1)
		for s := t.first; s+n <= z.slots; s++ {
			if t.Running && s > 0 && !t.stop {
				break
			}
			if bad[s] == bad[s+n-1] && z.slot(s+n-1) < z.limit && sum[s+n]-sum[s] < cheapest {
				at, cheapest = s, sum[s+n]-sum[s]
			}
		}
		if at >= 0 {
			out = append(out, slotRun{at, at + n})
		}
	}
	return out
}

// closing returns the runs of the ideal, and what comes of closing its shortest
// gaps, one by one, until the rules of pausing can be kept and then down to one.
func (z *sizing) closing(ideal mix) (out [][]slotRun) {
	var runs []slotRun
	for i, l := range ideal.level {
		if l < 0 && i != ideal.shared {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].to == i {
			runs[n-1].to++
		} else {
			runs = append(runs, slotRun{i, i + 1})
		}
	}
	pauses := min(z.t.pauses, maxPauses)
	for len(runs) > 0 {
		if len(runs)-1 <= pauses {
			out = append(out, slices.Clone(runs))
		}
		gap := -1
		for i := 1; i < len(runs); i++ {
			if gap < 0 || runs[i].from-runs[i-1].to < runs[gap].from-runs[gap-1].to {
				gap = i
			}
		}
		if gap < 0 {
			break
		}
		runs[gap-1].to = runs[gap].to
		runs = slices.Delete(runs, gap, gap+1)
	}
	return out
}

// evaluate finds the cheapest levels within runs.
func (z *sizing) evaluate(runs []slotRun) (best mix, ok bool) {
	t := z.t
	if t.Running && runs[0].from > 0 && !t.stop {
		return best, false
	}
	stops := len(runs) - 1
	if t.Running && runs[0].from > 0 {
		stops++
	}
	if stops > t.pauses {
		return best, false
	}
	for i, r := range runs[:len(runs)-1] {
		length := z.slot(r.to - r.from)
		if i == 0 && t.Running && r.from == 0 {
			length += t.ran(z.frame)
		}
		if length < t.minRun() {
			return best, false
		}
	}
	need := t.left + t.lead + time.Duration(stops)*t.overhead()
	last := runs[len(runs)-1].to - 1
	for k := range t.levels {
		if m, found := z.fill(runs, need, last, k); found && (!ok || m.value < best.value) {
			m.level = slices.Clone(m.level)
			best, ok = m, true
		}
	}
	return best, ok
}

// shift moves the ends of runs for as long as that makes them cheaper.
func (z *sizing) shift(runs []slotRun, best mix, left *int) mix {
	runs = slices.Clone(runs)
	for by := max(z.slots/8, 1); by > 0; {
		moved := false
		for e := range 2*len(runs) + 1 {
			for _, d := range []int{-by, by} {
				if *left--; *left < 0 {
					return best
				}
				next, ok := shifted(runs, e, d, z.t.first, z.slots)
				if !ok {
					continue
				}
				if m, ok := z.evaluate(next); ok && m.value < best.value-1e-9*math.Abs(best.value) {
					if _, lawful := z.write(m); lawful {
						runs, best, moved = next, m, true
					}
				}
			}
		}
		if !moved {
			by /= 2
		}
	}
	return best
}

// shifted returns runs with one of their ends moved by d slots; the end past
// the last moves them all. ok is false if that is none.
func shifted(runs []slotRun, end, d, first, slots int) ([]slotRun, bool) {
	out := slices.Clone(runs)
	switch {
	case end == 2*len(runs):
		for i := range out {
			out[i].from, out[i].to = out[i].from+d, out[i].to+d
		}
	case end%2 == 0:
		out[end/2].from += d
	default:
		out[end/2].to += d
	}
	for i, r := range out {
		if r.from >= r.to || r.from < first || r.to > slots || i > 0 && r.from <= out[i-1].to {
			return nil, false
		}
	}
	return out, true
}
