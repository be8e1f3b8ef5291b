package fleet

import (
	"cmp"
	"math"
	"slices"
)

// mostLabels is how many ways of getting somewhere are kept; where there are
// more, the least promising are dropped, and the answer may not be the best. In
// the passes of Solve, that ask again and again, few are kept.
const (
	mostLabels = 512
	fewLabels  = 64
)

// little is by how much the work done may fall short of what is needed, for
// rates do not add up exactly.
const little = slack / 2

// mostArena is how many labels one job may make in all.
const mostArena = 1 << 17

// speeds is what elastic works with.
type speeds struct {
	least []float64 // at the rate that work is worth, the least of each slot, by slot from lo
	tail  []float64 // the sum of least from a slot on
	base  []int8    // level that the greedy takes in each slot, plus one; 0 is none
	incs  []inc
	pts   []point

	arena      []label
	now, then  []int32
	lists      [][]int32
	lists2     [][]int32
	candidates []int32
	went       []int32
}

// inc is a step up from a level to a faster one in a slot.
type inc struct {
	slope, rate, cost float64
	t                 int32
	to                int8 // level plus one
}

// point is what may be done in a slot: work, what it costs, level plus one.
type point struct {
	rate, cost float64
	to         int8
}

// label is a way of getting to the end of a slot: the work done, what it cost,
// and how it came there.
type label struct {
	done, cost float64
	before     int32
	t          int32
	to         int8 // level plus one in slot t; 0 is a pause
}

// elastic finds levels for slots. A unit of work has one worth at which the
// slots, each choosing its level by itself, do as much as is needed: the levels
// are taken by rising (cost + price) / rate, as on the lower hull of each slot's
// levels. What that comes to is the bound; what the last step does too much is
// the gap. The gap is then closed by a search among the choices that could:
// those that lose less than the gap. It is exact unless mostLabels cut it short.
func (d *desk) elastic(w int) (value, least float64) {
	job := d.job
	for l := range job.Levels {
		d.look(l, w, job.Levels[l].KW, job.Levels[l].Use)
	}
	d.runs = d.runs[:0]
	worth, least := d.worth(w)
	if math.IsInf(least, 1) {
		return least, least
	}
	fixed := d.fixed(w)
	if job.Resume > 0 || job.MinRun > 1 || job.Pauses > 0 || d.rise != nil {
		value, low := d.paced(w, worth)
		least = math.Max(least, low)
		return fixed + value, fixed + least
	}
	value = d.greedy(w)
	if value-least > 1e-12*math.Abs(value) {
		var low float64
		value, low = d.close(w, worth, value)
		least = math.Max(least, low)
	}
	least = math.Min(least, value)
	d.write(w)
	return fixed + value, fixed + least
}

// choices lists what may be done in slot t, nothing first.
func (d *desk) choices(t int, pts []point) []point {
	pts = append(pts[:0], point{})
	for l := range d.job.Levels {
		if c := d.total[l][t]; c < math.Inf(1) {
			pts = append(pts, point{d.job.Levels[l].Rate, c, int8(l + 1)})
		}
	}
	return pts
}

// worth finds what a unit of work is worth, and the bound that it gives. It
// leaves the steps of all hulls in order, and for each slot the level that costs
// least and what the slot comes to if its work is worth that.
func (d *desk) worth(w int) (worth, least float64) {
	x, n := &d.speeds, int(d.hi-d.lo)
	need := float64(d.job.Ways[w].Need)
	x.base = resize(x.base, n)
	x.incs = x.incs[:0]
	var done float64
	for t := range n {
		x.pts = d.choices(t, x.pts)
		at := x.pts[0]
		for _, p := range x.pts[1:] {
			if p.cost < at.cost || p.cost == at.cost && p.rate > at.rate {
				at = p
			}
		}
		x.base[t] = at.to
		done += at.rate
		for { // along the lower hull
			best := inc{slope: math.Inf(1)}
			for _, p := range x.pts {
				if p.rate <= at.rate {
					continue
				}
				s := (p.cost - at.cost) / (p.rate - at.rate)
				if s < best.slope || s == best.slope && p.rate-at.rate > best.rate {
					best = inc{s, p.rate - at.rate, p.cost - at.cost, int32(t), p.to}
				}
			}
			if math.IsInf(best.slope, 1) {
				break
			}
			x.incs = append(x.incs, best)
			at = point{at.rate + best.rate, at.cost + best.cost, best.to}
		}
	}
	slices.SortStableFunc(x.incs, func(a, b inc) int { return cmp.Compare(a.slope, b.slope) })
	for _, s := range x.incs {
		if done >= need-little {
			break
		}
		done += s.rate
		worth = s.slope
	}
	if done < need-little {
		return 0, math.Inf(1)
	}
	worth = math.Max(0, worth)
	x.least, x.tail = resize(x.least, n), resize(x.tail, n+1)
	x.tail[n] = 0
	for t := n - 1; t >= 0; t-- {
		x.pts = d.choices(t, x.pts)
		m := 0.0
		for _, p := range x.pts {
			m = math.Min(m, p.cost-worth*p.rate)
		}
		x.least[t] = m
		x.tail[t] = x.tail[t+1] + m
	}
	return worth, worth*(need-little) + x.tail[0]
}

// greedy takes steps until the work is done, and returns what that costs.
func (d *desk) greedy(w int) (value float64) {
	x := &d.speeds
	need := float64(d.job.Ways[w].Need)
	var done float64
	for t, to := range x.base {
		if to > 0 {
			done += d.job.Levels[to-1].Rate
			value += d.total[to-1][t]
		}
	}
	for _, s := range x.incs {
		if done >= need-little {
			break
		}
		done += s.rate
		value += s.cost
		x.base[s.t] = s.to
	}
	return value
}

// write makes runs of the levels in base.
func (d *desk) write(w int) {
	d.runs = d.runs[:0]
	for t, to := range d.speeds.base {
		if to > 0 {
			d.runs = extend(d.runs, d.lo+int32(t), int16(w), int16(to-1))
		}
	}
}

// close looks for something cheaper than value that does the work. It leaves it
// in base, and returns what it comes to and what anything comes to at least: the
// same, if it has not dropped anything that promised more.
func (d *desk) close(w int, worth, value float64) (best, least float64) {
	x, n := &d.speeds, int(d.hi-d.lo)
	need := float64(d.job.Ways[w].Need)
	rest := 0.0 // the most that the slots to come can do
	for t := range n {
		m := 0.0
		for _, p := range d.choices(t, x.pts) {
			m = math.Max(m, p.rate)
		}
		rest += m
	}
	x.arena = append(x.arena[:0], label{before: -1, t: -1})
	x.now = append(x.now[:0], 0)
	dropped := math.Inf(1)
	for t := range n {
		x.pts = d.choices(t, x.pts)
		m := 0.0
		for _, p := range x.pts {
			m = math.Max(m, p.rate)
		}
		rest -= m
		if len(x.arena) > mostArena {
			// Base is still what greedy took.
			return value, math.Min(dropped, x.promise(x.now, worth)+worth*(need-little)+x.tail[t])
		}
		begin := len(x.arena)
		x.then = x.then[:0]
		for _, i := range x.now {
			for _, p := range x.pts {
				l := label{x.arena[i].done + p.rate, x.arena[i].cost + p.cost, i, int32(t), p.to}
				if l.done+rest < need-little || l.cost+worth*(need-little-l.done)+x.tail[t+1] >= value {
					continue
				}
				x.arena = append(x.arena, l)
				x.then = append(x.then, int32(len(x.arena)-1))
			}
		}
		var cut float64
		x.then, cut = thin(x.arena, x.then, worth, d.labels)
		x.lists = append(x.lists[:0], x.then)
		x.compact(begin, x.lists, nil)
		dropped = math.Min(dropped, cut+worth*(need-little)+x.tail[t+1])
		x.now, x.then = x.then, x.now
	}
	at := int32(-1)
	for _, i := range x.now {
		if l := x.arena[i]; l.done >= need-little && l.cost < value {
			value, at = l.cost, i
		}
	}
	if at >= 0 {
		for ; at > 0; at = x.arena[at].before {
			x.base[x.arena[at].t] = x.arena[at].to
		}
	}
	return value, math.Min(value, dropped)
}

// promise returns the least that labels have cost, less what their work is worth.
func (x *speeds) promise(list []int32, worth float64) float64 {
	low := math.Inf(1)
	for _, i := range list {
		low = math.Min(low, x.arena[i].cost-worth*x.arena[i].done)
	}
	return low
}

// thin drops the labels that cost no less than another that has done as much,
// and, of more than most, those that promise least: it returns the promise of
// the best of these, +Inf if there are none.
func thin(arena []label, list []int32, worth float64, most int) ([]int32, float64) {
	slices.SortFunc(list, func(a, b int32) int {
		if c := cmp.Compare(arena[b].done, arena[a].done); c != 0 {
			return c
		}
		if c := cmp.Compare(arena[a].cost, arena[b].cost); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	kept := list[:0]
	low := math.Inf(1)
	for _, i := range list {
		if arena[i].cost < low {
			low = arena[i].cost
			kept = append(kept, i)
		}
	}
	if len(kept) <= most {
		return kept, math.Inf(1)
	}
	slices.SortFunc(kept, func(a, b int32) int {
		if c := cmp.Compare(arena[a].cost-worth*arena[a].done, arena[b].cost-worth*arena[b].done); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	first := arena[kept[most]]
	return kept[:most], first.cost - worth*first.done
}

// paced is elastic under the rules of pausing. It goes from slot to slot with
// lists of labels: for work that has paused, and for work that runs, by how long
// (to MinRun) and the pauses so far. It returns the same as close.
func (d *desk) paced(w int, worth float64) (value, least float64) {
	x, job, n := &d.speeds, d.job, int(d.hi-d.lo)
	need := float64(job.Ways[w].Need)
	minRun := min(max(1, int(job.MinRun)), n)
	counts := 1
	if p := int(job.Pauses); p > 0 && p < n {
		counts = p + 1
	}
	// The list of q pauses and k slots of running, 0 for paused, is q×(minRun+1)+k.
	size := minRun + 1
	most := min(d.labels, max(8, mostArena/(n*counts*size)))
	x.lists, x.lists2 = lists(x.lists, counts*size), lists(x.lists2, counts*size)
	x.arena = append(x.arena[:0], label{before: -1, t: -1})
	value = math.Inf(1)
	dropped := math.Inf(1)
	best := int32(-1)
	if v, l := d.steady(w); v < value {
		value = v
		best = l
	}
	now, then := x.lists, x.lists2
	for t := range n {
		if len(x.arena) > mostArena {
			for _, list := range now {
				dropped = math.Min(dropped, x.promise(list, worth)+worth*(need-little)+x.tail[t])
			}
			// Or it has done nothing yet.
			dropped = math.Min(dropped, worth*(need-little)+x.tail[t])
			break
		}
		for i := range then {
			then[i] = then[i][:0]
		}
		x.pts = d.choices(t, x.pts)
		begin := len(x.arena)
		add := func(list int, from int32, done, cost float64, to int8) {
			if cost+math.Max(0, worth*(need-little-done))+x.tail[t+1] >= value {
				return
			}
			x.arena = append(x.arena, label{done, cost, from, int32(t), to})
			at := int32(len(x.arena) - 1)
			then[list] = append(then[list], at)
			if to > 0 && done >= need-little && cost < value {
				value, best = cost, at
			}
		}
		// A first run, the label that has done nothing yet.
		for _, p := range x.pts[1:] {
			if d.may(int(p.to-1), t) {
				add(min(1, minRun), 0, p.rate, p.cost, p.to)
			}
		}
		for q := range counts {
			for k := range size {
				for _, i := range now[q*size+k] {
					l := x.arena[i]
					for _, p := range x.pts {
						switch {
						case k == 0 && p.to == 0:
							add(q*size, i, l.done, l.cost, 0)
						case k == 0 && d.may(int(p.to-1), t):
							add(q*size+1, i, l.done+p.rate, l.cost+p.cost, p.to)
						case k > 0 && p.to > 0 && (l.to == p.to || d.may(int(p.to-1), t)):
							add(q*size+min(k+1, minRun), i, l.done+p.rate, l.cost+p.cost, p.to)
						case k == minRun && p.to == 0:
							if q2, ok := counted(q, counts); ok {
								add(q2*size, i, l.done-float64(job.Resume), l.cost, 0)
							}
						}
					}
				}
			}
		}
		for i := range then {
			var cut float64
			if d.rise == nil {
				then[i], cut = thin(x.arena, then[i], worth, most)
			} else {
				then[i], cut = d.thinByLevel(then[i], worth, most)
			}
			dropped = math.Min(dropped, cut+worth*(need-little)+x.tail[t+1])
		}
		x.compact(begin, then, &best)
		now, then = then, now
	}
	d.runs = d.runs[:0]
	if best < 0 {
		return math.Inf(1), dropped
	}
	for t := range x.base {
		x.base[t] = 0
	}
	for ; best > 0; best = x.arena[best].before {
		x.base[x.arena[best].t] = x.arena[best].to
	}
	d.write(w)
	return value, math.Min(value, dropped)
}

// compact gives up the labels from begin on that are in no list and are not
// best, if that is not nil: so that the arena holds what is still wanted.
func (x *speeds) compact(begin int, lists [][]int32, best *int32) {
	went := resize(x.went, len(x.arena)-begin)
	clear(went)
	for _, list := range lists {
		for _, i := range list {
			went[int(i)-begin] = 1
		}
	}
	if best != nil && int(*best) >= begin {
		went[int(*best)-begin] = 1
	}
	end := begin
	for i, wanted := range went {
		if wanted == 0 {
			continue
		}
		x.arena[end] = x.arena[begin+i]
		went[i] = int32(end)
		end++
	}
	for _, list := range lists {
		for k, i := range list {
			list[k] = went[int(i)-begin]
		}
	}
	if best != nil && int(*best) >= begin {
		*best = went[int(*best)-begin]
	}
	x.arena, x.went = x.arena[:end], went
}

// thinByLevel is thin for each level by itself: what may follow depends on it.
func (d *desk) thinByLevel(list []int32, worth float64, most int) ([]int32, float64) {
	x := &d.speeds
	x.candidates = append(x.candidates[:0], list...)
	list = list[:0]
	dropped := math.Inf(1)
	for to := range int8(len(d.job.Levels) + 1) {
		x.then = x.then[:0]
		for _, i := range x.candidates {
			if x.arena[i].to == to {
				x.then = append(x.then, i)
			}
		}
		kept, cut := thin(x.arena, x.then, worth, most)
		list = append(list, kept...)
		dropped = math.Min(dropped, cut)
	}
	return list, dropped
}

// lists returns n empty lists.
func lists(s [][]int32, n int) [][]int32 {
	for len(s) < n {
		s = append(s, nil)
	}
	s = s[:n]
	for i := range s {
		s[i] = s[i][:0]
	}
	return s
}

// steady finds the cheapest unbroken run at one level, to begin the search with
// something to beat, and returns its last label.
func (d *desk) steady(w int) (value float64, last int32) {
	x, n := &d.speeds, int(d.hi-d.lo)
	value, last = math.Inf(1), -1
	at, level, long := -1, 0, 0
	for l := range d.job.Levels {
		need := int(math.Ceil(float64(d.job.Ways[w].Need)/d.job.Levels[l].Rate - little))
		for s := 0; s+need <= n; s++ {
			if !d.may(l, s) {
				continue
			}
			sum := 0.0
			for t := s; t < s+need && sum < value; t++ {
				sum += d.total[l][t]
			}
			if sum < value {
				value, at, level, long = sum, s, l, need
			}
		}
	}
	if at < 0 {
		return value, last
	}
	last = 0
	for t := at; t < at+long; t++ {
		x.arena = append(x.arena, label{before: last, t: int32(t), to: int8(level + 1)})
		last = int32(len(x.arena) - 1)
	}
	return value, last
}
