package plan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/workload"
)

// Elastic work takes its sizes as a merchant would: the next piece of work goes
// where it is cheapest, by a larger size in one piece of time or by another
// piece. Time is cut wherever a slot begins, or what running costs or the room
// changes. As the work may change its size at any time, and a change costs
// nothing, a piece can be shared between two sizes, so that the work comes out
// to the instant; with free pauses and no booked time after it that is the best
// there is, by the lower hull of the sizes. Work that may not pause, or not as
// it likes, takes its pieces within runs, and the ends of those are moved for as
// long as that betters it.

const (
	// closePieces is for how many pieces every end is tried.
	closePieces = 96
	// closeRuns is for how many every run is.
	closeRuns = 24
	// mostStarts is how many starts of a run are tried where there are more.
	mostStarts = 200
	// mostCuts is how many changes of a site's load are cut at. Where there are
	// more, a piece has the room that it has all the time.
	mostCuts = 256
	// shortest is how long the last size lasts at least, so that the booked time
	// can be kept free at it.
	shortest = time.Minute
	// mostEnds is how many are tried where there are more.
	mostEnds = 24
	// mostShifts is how many moves of ends are tried for runs at one site.
	mostShifts = 600
	// mostLengths is how many lengths of run are looked for the cheapest place of.
	mostLengths = 24
)

// sizing is a site as it is to one elastic task: pieces of time, what each costs
// it, and the sizes for which there is room.
type sizing struct {
	*frame
	t     *task
	site  int
	limit time.Duration
	n     int               // pieces
	at    []time.Duration   // piece i is [at[i], at[i+1])
	cost  []float64         // of a nanosecond at the declared size
	most  []int             // the largest level that fits throughout the piece, -1 if none
	until [][]time.Duration // by level and piece: how long it has room from its start on
	dark  []bool            // what it costs is not known
	off   steps             // up from not running
	on    steps             // up from the smallest level

	level []int // memory of fill
}

// stepUp is a step from a level to a larger one in a piece.
type stepUp struct {
	slope    float64 // cost of a nanosecond of work
	piece    int
	from, to int
}

// steps are all steps in all pieces, the cheapest first.
type steps []stepUp

// mix is levels for pieces. What is shared runs at one level for a part of the
// piece, and the last piece is used for a part.
type mix struct {
	value   float64
	level   []int // -1 is not running
	shared  int   // the piece that is shared, -1 if none is
	to      int   // its higher level
	part    time.Duration
	last    int // piece
	lastAt  int // its level; -1: that of the piece
	lastFor time.Duration
}

// sizes looks at a site with the eyes of t.
func (f *frame) sizes(t *task, site int, scale *curve, limit time.Duration) *sizing {
	z := &sizing{frame: f, t: t, site: site, limit: limit}
	p := f.places[site]
	z.cuts(p, scale)
	z.cost, z.most, z.dark = make([]float64, z.n), make([]int, z.n), make([]bool, z.n)
	for i := range z.n {
		z.cost[i], z.most[i] = 1, -1
	}
	z.until = make([][]time.Duration, len(t.levels))
	denied := &load{} // what is denied to it is as full
	for _, d := range t.denied {
		denied.add(max(d.from, 0), d.to, amounts{1}, 1)
	}
	barred := func(a, b time.Duration) bool { return denied.lacks(a, b, amounts{1}, amounts{1}) }
	for k, l := range t.levels {
		z.until[k] = make([]time.Duration, z.n)
		until := z.at[z.n] // what comes after the last piece is looked at when it is needed
		for i := z.n - 1; i >= 0; i-- {
			if a, b := z.at[i], z.at[i+1]; over(l.demand, l.demand, p.room) || p.load.lacks(f.off+a, f.off+b, l.demand, p.room) || barred(a, b) || f.kept(t, a, b, l.demand) {
				until = a
			} else if b <= limit {
				z.most[i] = max(z.most[i], k)
			}
			z.until[k][i] = until
		}
	}
	if scale != nil {
		c := 0
		for i := range z.n {
			for c+1 < len(scale.at) && scale.at[c+1] <= z.at[i] {
				c++
			}
			if z.cost[i] = float64(scale.value[c] - scale.lift); scale.value[c] < 0 {
				z.most[i], z.dark[i] = -1, true
			}
		}
	}
	return z
}

// cuts lists where time is cut, from the first slot of t to the end of its
// window, or as far ahead as it could run.
func (z *sizing) cuts(p *place, scale *curve) {
	f, t := z.frame, z.t
	far := f.slot(f.slots)
	if end := far + t.slowestRun(); t.limit > far {
		far = min(end, z.limit)
	}
	end := min(far, z.limit)
	first := f.slot(t.first)
	cut := func(at time.Duration) {
		if at >= first && at < end {
			z.at = append(z.at, at)
		}
	}
	for i := t.first; i < f.slots; i++ {
		cut(f.slot(i))
	}
	for at := f.slot(f.slots); at < end; at += 4 * f.step { // past the horizon, more coarsely
		if cut(at); len(z.at) > 2*mostSlots {
			break
		}
	}
	if scale != nil {
		for _, at := range scale.at {
			cut(at)
		}
	}
	for _, d := range t.denied {
		cut(d.from)
		cut(d.to)
	}
	var changes []time.Duration
	p.load.pieces(f.off+first, f.off+end, func(from, _ time.Duration, _ amounts) {
		if len(changes) <= mostCuts {
			changes = append(changes, from-f.off)
		}
	})
	if len(changes) <= mostCuts {
		for _, at := range changes {
			cut(at)
		}
	}
	z.at = append(z.at, max(end, first))
	slices.Sort(z.at)
	z.at = slices.Compact(z.at)
	z.n = len(z.at) - 1
}

// length returns how long a piece is.
func (z *sizing) length(i int) time.Duration { return z.at[i+1] - z.at[i] }

// steps lists the steps in all pieces, from off (-1) or from the smallest level.
func (z *sizing) steps(from int) steps {
	// The lower hull of the levels is the same in each piece that has room for
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
			out = append(out, stepUp{z.cost[i] * float64(s1-s0) / float64(v1-v0), i, h[n-1], h[n]})
		}
	}
	slices.SortFunc(out, func(a, b stepUp) int {
		return cmp.Or(cmp.Compare(a.slope, b.slope), cmp.Compare(a.piece, b.piece), cmp.Compare(a.to, b.to))
	})
	return out
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

// reach is how long the last piece can be used at a level, with the booked tail
// after it; 0 or less if not at all.
func (z *sizing) reach(i, level int) time.Duration {
	tail := z.t.tailAt(z.t.levels[level])
	until := z.until[level][i]
	if until <= z.at[i] || z.dark[i] {
		return 0
	}
	if until == z.at[z.n] {
		until = z.limit // past the last piece it is looked at in the end
	}
	return min(z.length(i), z.limit-z.at[i]-tail, until-z.at[i]-tail)
}

// pieceRun is a run of pieces, [from, to), the last one perhaps used in part.
type pieceRun struct{ from, to int }

// fill finds the cheapest levels for need of work in runs that end in the last
// piece of the last one, at a level; nil runs are all pieces up to last, with
// pauses wherever it likes. A last level of -1 leaves open how it ends.
func (z *sizing) fill(runs []pieceRun, need time.Duration, last, lastAt int) (m mix, ok bool) {
	if m, ok = z.filled(runs, need, last, lastAt, 0); ok && lastAt >= 0 && m.lastFor == 0 {
		return z.filled(runs, need, last, lastAt, shortest)
	}
	return m, ok
}

// filled is fill with the least that the last piece is used for.
func (z *sizing) filled(runs []pieceRun, need time.Duration, last, lastAt int, least time.Duration) (m mix, ok bool) {
	m = mix{level: z.level[:0], shared: -1, last: last, lastAt: lastAt}
	idle := -1
	up := z.off
	if runs != nil {
		up, idle = z.on, -2 // not to be used
	}
	for range z.n {
		m.level = append(m.level, idle)
	}
	z.level = m.level
	left := float64(need)
	// does is the work of a piece from one level to another.
	does := func(i, from, to int) float64 {
		_, v0 := z.point(from)
		_, v1 := z.point(to)
		return float64(z.length(i)) * float64(v1-v0) / workload.Declared
	}
	for n, r := range runs {
		for i := r.from; i < r.to && (i < last || n < len(runs)-1); i++ {
			if z.most[i] < 0 {
				return m, false
			}
			m.level[i] = 0
			left -= does(i, -1, 0)
			m.value += z.cost[i] * float64(z.t.levels[0].size) / workload.Declared * float64(z.length(i))
		}
	}
	if left <= 0 {
		return m, false
	}
	var slope, rest float64 // of the last piece
	if lastAt >= 0 {
		reach := z.reach(last, lastAt)
		if reach <= 0 {
			return m, false
		}
		l := z.t.levels[lastAt]
		speed := float64(l.speed) / workload.Declared
		slope = z.cost[last] * float64(l.size) / float64(l.speed)
		took := min(float64(min(reach, least))*speed, left)
		left -= took
		rest = float64(reach)*speed - took
		m.value += took * slope
		m.lastFor = time.Duration(math.Ceil(took / speed))
	}
	finish := func() {
		if w := min(rest, left); w > 0 {
			left, rest = left-w, 0
			m.value += w * slope
			m.lastFor += time.Duration(math.Ceil(w * workload.Declared / float64(z.t.levels[lastAt].speed)))
		}
	}
	for _, s := range up {
		if left <= 0 {
			break
		}
		if slope <= s.slope {
			if finish(); left <= 0 {
				break
			}
		}
		if m.level[s.piece] != s.from || s.piece > last || s.piece == last && lastAt >= 0 {
			continue
		}
		w := does(s.piece, s.from, s.to)
		if w > left {
			part := left / w * float64(z.length(s.piece))
			m.shared, m.to, m.part = s.piece, s.to, min(time.Duration(math.Ceil(part+1)), z.length(s.piece))
			m.value += left * s.slope
			left = 0
			break
		}
		left -= w
		m.level[s.piece] = s.to
		m.value += w * s.slope
	}
	finish()
	return m, left <= 1 // a nanosecond is lost in adding up
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
		from, to := z.at[i], z.at[i+1]
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
		demand := z.t.levels[c.levels[i]].demand
		if p.load.lacks(z.frame.off+r.from, z.frame.off+r.to, demand, p.room) || z.kept(z.t, r.from, r.to, demand) {
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
	blind.each(!w.late, func(c candidate) bool {
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

// each calls try with the ways to be done soonest, from each piece on, until try
// takes one: the largest size that there is room for in each piece, and in the
// last one any at which the booked tail has room.
func (z *sizing) each(pausing bool, try func(candidate) bool) {
	t := z.t
	for s := range z.n {
		if t.Running && s > 0 && !t.stop {
			return
		}
		if c, ok := z.fast(s, false); ok && try(c) {
			break
		}
	}
	if !pausing || !t.Shape.Interruptible.Allowed {
		return
	}
	for s := range z.n { // what pauses where there is no room may be done sooner
		if c, ok := z.fast(s, true); ok {
			if try(c) {
				return
			}
		} else if s > closePieces {
			return
		}
	}
}

// fast runs from piece s on at the largest size that there is room for.
func (z *sizing) fast(s int, pausing bool) (candidate, bool) {
	t := z.t
	c := candidate{site: z.site, levels: []int{}}
	left := t.left + t.lead
	if t.Running && s > 0 {
		left += t.overhead()
	}
	started, idle := false, false
	for i := s; i < z.n; i++ {
		if idle && z.most[i] >= 0 {
			left += t.overhead()
		}
		// Is it done in this piece?
		best := -1
		for k, l := range t.levels {
			if d := workload.Takes(left, l.speed); d <= z.reach(i, k) && (best < 0 || d < workload.Takes(left, t.levels[best].speed)) {
				best = k
			}
		}
		if best >= 0 {
			c.runs, c.levels = append(c.runs, stretch{z.at[i], z.at[i] + workload.Takes(left, t.levels[best].speed)}), append(c.levels, best)
			c.merge()
			return z.finished(c)
		}
		k := z.most[i]
		for k >= 0 && workload.Useful(z.length(i), t.levels[k].speed) >= left {
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
		left -= workload.Useful(z.length(i), t.levels[k].speed)
		c.runs, c.levels = append(c.runs, stretch{z.at[i], z.at[i+1]}), append(c.levels, k)
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
	if z.n == 0 {
		return nil
	}
	z.off = z.steps(-1)
	// 1. As if pauses were free, and the booked tail too.
	ideal, ok := z.fill(nil, t.left+t.lead, z.n-1, -1)
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
	var starts [][]pieceRun
	begin := func(runs []pieceRun) {
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
			if runs := z.piecesOf(*c); len(runs) > 0 {
				begin(runs)
			}
		}
	}
	for _, r := range z.cheapestRuns() {
		begin([]pieceRun{r})
	}
	if ok && t.Shape.Interruptible.Allowed {
		for _, runs := range z.closing(ideal) {
			begin(runs)
		}
	}
	type scored struct {
		runs  []pieceRun
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
	if c, ok := z.write(ideal); ok {
		return c, true
	}
	end := 0
	for i, l := range ideal.level {
		if l >= 0 || i == ideal.shared {
			end = i
		}
	}
	if end = min(end+mostEnds/2, z.n-1); z.n <= closePieces {
		end = z.n - 1
	}
	tried := 0
	for last := end; last >= 0; last-- {
		if tried >= mostEnds && z.n > closePieces {
			break
		}
		if look(last); found {
			tried++
		}
	}
	return best, found
}

// piecesOf returns the runs of pieces that c touches.
func (z *sizing) piecesOf(c candidate) (out []pieceRun) {
	for _, r := range c.joined() {
		from, found := slices.BinarySearch(z.at, max(r.from, 0))
		if !found {
			from = max(from-1, 0)
		}
		to, _ := slices.BinarySearch(z.at, r.to)
		s := pieceRun{from, min(to, z.n)}
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

// cheapestRuns returns runs to begin from: from each start, and for lengths from
// the shortest to the longest that it could run where that length is cheapest
// at the declared size; all runs that there are if those are few.
func (z *sizing) cheapestRuns() (out []pieceRun) {
	t := z.t
	// From each start: until it could be done at its largest sizes, and at its own.
	by := z.n/mostStarts + 1
	for s := 0; s < z.n; s += by {
		if t.Running && s > 0 && !t.stop {
			break
		}
		for _, most := range []int{len(t.levels) - 1, t.plain()} {
			left := t.left + t.lead
			for i := s; i < z.n && left > 0; i++ {
				l := t.levels[max(min(z.most[i], most), 0)]
				if left -= workload.Useful(z.length(i), l.speed); left <= 0 {
					out = append(out, pieceRun{s, i + 1})
				} else if z.most[i] < 0 {
					break
				}
			}
		}
	}
	if z.n <= closeRuns {
		for from := range z.n {
			for to := from + 1; to <= z.n && (z.most[to-1] >= 0 || to == from+1 || z.most[to-2] >= 0); to++ {
				out = append(out, pieceRun{from, to})
			}
		}
		return out
	}
	sum := make([]float64, z.n+1)
	bad := make([]int, z.n+1)
	for i := range z.n {
		sum[i+1], bad[i+1] = sum[i]+z.cost[i]*float64(z.length(i)), bad[i]
		if z.most[i] < 0 {
			bad[i+1]++
		}
	}
	work := t.left + t.lead
	least := max(workload.Takes(work, t.fastest()), z.step)
	most := max(workload.Takes(work, t.levels[0].speed), least)
	for length := least; length <= most; length += max((most-least)/mostLengths, z.step) {
		at, to, cheapest := -1, 0, math.Inf(1)
		end := 0
		for s := range z.n {
			if t.Running && s > 0 && !t.stop {
				break
			}
			for end < z.n && z.at[end] < z.at[s]+length {
				end++
			}
			if z.at[end] < z.at[s]+length {
				break
			}
			if mean := (sum[end] - sum[s]) / float64(z.at[end]-z.at[s]); bad[s] == bad[end-1] && mean < cheapest {
				at, to, cheapest = s, end, mean
			}
		}
		if at >= 0 {
			out = append(out, pieceRun{at, to})
		}
	}
	return out
}

// closing returns the runs of the ideal, and what comes of closing its shortest
// gaps, one by one, until the rules of pausing can be kept and then down to one.
func (z *sizing) closing(ideal mix) (out [][]pieceRun) {
	var runs []pieceRun
	for i, l := range ideal.level {
		if l < 0 && i != ideal.shared {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].to == i {
			runs[n-1].to++
		} else {
			runs = append(runs, pieceRun{i, i + 1})
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
func (z *sizing) evaluate(runs []pieceRun) (best mix, ok bool) {
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
		length := z.at[r.to] - z.at[r.from]
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
func (z *sizing) shift(runs []pieceRun, best mix, left *int) mix {
	runs = slices.Clone(runs)
	for by := max(z.n/8, 1); by > 0; {
		moved := false
		for e := range 2*len(runs) + 1 {
			for _, d := range []int{-by, by} {
				if *left--; *left < 0 {
					return best
				}
				next, ok := shifted(runs, e, d, z.n)
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

// shifted returns runs with one of their ends moved by d pieces; the end past
// the last moves them all. ok is false if that is none.
func shifted(runs []pieceRun, end, d, n int) ([]pieceRun, bool) {
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
		if r.from >= r.to || r.from < 0 || r.to > n || i > 0 && r.from <= out[i-1].to {
			return nil, false
		}
	}
	return out, true
}
