package plan

import (
	"fmt"
	"math"
	"time"

	"clusy.io/clusy/internal/grid"
)

// What Check asks of elastic work beside the rest. It counts in thousandths of
// a nanosecond of work, and shares nothing with those that choose the sizes.

// pace returns how fast an item is at a size; ok is false if it has no such size.
func pace(it Item, size int) (speed int64, ok bool) {
	if size == 0 {
		return 1000, true
	}
	for _, l := range it.Shape.Elastic {
		if l.Size == size && size != 1000 && l.Size >= 10 && l.Size <= 100_000 && l.Speed >= 10 && l.Speed <= 100_000 {
			return int64(l.Speed), true
		}
	}
	return 0, false
}

// quickest returns the highest speed of an item.
func quickest(it Item) (most int64) {
	most = 1000
	for _, l := range it.Shape.Elastic {
		if v, ok := pace(it, l.Size); ok {
			most = max(most, v)
		}
	}
	return most
}

// does returns the work of a time at a speed, rounded down.
func does(d time.Duration, speed int64) time.Duration {
	whole, rest := int64(d)/1_000_000, int64(d)%1_000_000
	return time.Duration(whole*speed*1000 + rest*speed/1000)
}

// needsFor returns how long work takes at a speed, in whole microseconds that
// are enough for it.
func needsFor(work time.Duration, speed int64) time.Duration {
	if speed == 1000 || work <= 0 {
		return work
	}
	us := int64(work) / 1000
	if int64(work)%1000 > 0 {
		us++
	}
	q := us * 1000 / speed
	if q*speed < us*1000 {
		q++
	}
	return time.Duration(q) * time.Microsecond
}

// atSize multiplies what an item takes by a size, and rounds it up. The slots
// are one for each workload.
func atSize(n int64, size int) int64 {
	if size == 0 || n <= 0 || n > 1<<60/100_000 {
		return n
	}
	out := n / 1000 * int64(size)
	rest := n % 1000 * int64(size)
	if out += rest / 1000; rest%1000 > 0 {
		out++
	}
	return out
}

// needsOf is what a span of an item takes of its site.
func needsOf(it Item, st Site, size int) bill {
	it.Shape.Demand.CPU = atSize(it.Shape.Demand.CPU, size)
	it.Shape.Demand.Memory = atSize(it.Shape.Demand.Memory, size)
	it.Shape.Demand.Power = grid.Power(atSize(int64(it.Shape.Demand.Power), size))
	return needs(it, st)
}

// gathered returns the spans of pl with those that adjoin made one.
func gathered(pl Placement) (out []Span) {
	for _, s := range pl.Spans {
		if n := len(out); n > 0 && out[n-1].End.Equal(s.Start) {
			out[n-1].End = s.End
			continue
		}
		out = append(out, Span{Start: s.Start, End: s.End})
	}
	return out
}

// doneIn returns the work that an item does in the spans of pl that lie within s,
// from now on.
func (d *doubt) doneIn(it Item, pl Placement, s Span) (sum time.Duration) {
	for _, x := range pl.Spans {
		if !x.Start.Before(s.Start) && !x.End.After(s.End) {
			v, _ := pace(it, x.Size)
			sum += does(x.End.Sub(later(x.Start, d.now)), v)
		}
	}
	return sum
}

// sizes says what is wrong with the sizes of the spans of pl.
func (d *doubt) sizes(it Item, pl Placement) (Kept, string) {
	for i, s := range pl.Spans {
		if _, ok := pace(it, s.Size); !ok {
			return KeptSpans, fmt.Sprintf("span %d has a size of %d thousandths, and the work cannot run at it", i, s.Size)
		}
	}
	return "", ""
}

// elasticWork holds the work of all spans, each at its speed, against what is
// owed: the last one ends with the microsecond in which the work is done.
func (d *doubt) elasticWork(it Item, pl Placement, owed time.Duration) (Kept, string) {
	has := d.doneIn(it, pl, Span{Start: pl.Spans[0].Start, End: pl.Finish()})
	last := pl.Spans[len(pl.Spans)-1]
	v, _ := pace(it, last.Size)
	if spare := does(time.Microsecond, v) + time.Microsecond; has < owed || has-owed > spare {
		return KeptWork, fmt.Sprintf("it needs %s of work and is given %s", owed, has)
	}
	return "", ""
}

// elasticClaims returns what elastic work claims at a site: what its placement
// gives it from now on, each span at its size, and in the last one, at its size,
// all that it still needs. It is nil if the item is not elastic.
func (d *doubt) elasticClaims(it Item, site string, owed, beyond time.Duration) (claims []claim) {
	if len(it.Shape.Elastic) == 0 {
		return nil
	}
	var spans []Span
	if p := it.Placement; p != nil && p.Site == site {
		for _, s := range p.Spans {
			if _, ok := pace(it, s.Size); ok && d.now.Before(s.End) && s.Start.Before(s.End) {
				s.Start = later(s.Start, d.now)
				spans = append(spans, s)
			}
		}
	}
	if len(spans) == 0 {
		spans = []Span{{Start: d.now, End: d.now}}
	}
	if n := len(gathered(Placement{Spans: spans})) - 1; n > 0 {
		owed += time.Duration(n) * within(it.Shape.Interruptible.Overhead)
	}
	for i, s := range spans {
		speed, _ := pace(it, s.Size)
		c := claim{from: s.Start, to: s.End, need: needsOf(it, d.where(site), s.Size)}
		done := does(s.Len(), speed)
		if done >= owed || i == len(spans)-1 {
			c.to = s.Start.Add(needsFor(max(owed, 0), speed) + needsFor(beyond, speed))
			return append(claims, c)
		}
		owed -= done
		claims = append(claims, c)
	}
	return claims
}

// cheapestSizes is the least that elastic work could emit and pay at a site. By
// Lagrange once more: whatever a unit of work is worth, no plan does all of it
// for less than that, less what each instant would earn by it if it chose its
// size by itself. The best worth is found by halving; every one gives a bound.
func (d *doubt) cheapestSizes(it Item, st Site, ls []lane, of tariffs, step, owed, beyond time.Duration) float64 {
	type way struct {
		hours, speed, cost float64 // cost of an hour
		lane               int
	}
	first := max(it.Shape.When.NotBefore.Sub(d.now), 0)
	last := d.due(it).Add(-needsFor(beyond, quickest(it))).Sub(d.now)
	sizes := []int{0}
	for _, l := range it.Shape.Elastic {
		if _, ok := pace(it, l.Size); ok {
			sizes = append(sizes, l.Size)
		}
	}
	var ways []way
	room, top := 0.0, 0.0
	for n, l := range ls {
		from, to := max(l.from, first), min(l.to, last)
		if l.value < 0 || from >= to {
			continue
		}
		hours, fastest := (to - from).Hours(), 0.0
		for _, size := range sizes {
			v, _ := pace(it, size)
			power := max(0, min(atSize(int64(max(0, min(it.Shape.Power, 1<<40))), size), 1<<40))
			cost := l.value * float64(power) / 1e6 * float64(max(1000, min(st.PUE, 100_000))) / 1000
			need := needsOf(it, st, size)
			for r := range of {
				n := need[r]
				if l.slot < len(of[r]) {
					cost += float64(n) * of[r][l.slot] / step.Hours()
				}
			}
			w := way{hours, float64(v) / 1000, cost, n}
			ways, fastest, top = append(ways, w), max(fastest, w.speed), max(top, cost/w.speed)
		}
		room += hours * fastest
	}
	need := owed.Hours()
	if room < need*(1-1e-12) {
		return math.Inf(1)
	}
	worthIs := func(worth float64) float64 {
		sum, earns := worth*need, 0.0
		for i, w := range ways {
			earns = max(earns, (worth*w.speed-w.cost)*w.hours)
			if i+1 == len(ways) || ways[i+1].lane != w.lane {
				sum, earns = sum-earns, 0
			}
		}
		return sum
	}
	// The bound is concave in the worth. A step up may cost more than any level
	// does by itself, so the end is looked for.
	lo, hi := 0.0, max(top, 1)
	for range 60 {
		if worthIs(2*hi) <= worthIs(hi) {
			break
		}
		hi *= 2
	}
	hi *= 2
	for range 200 {
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if worthIs(a) < worthIs(b) {
			lo = a
		} else {
			hi = b
		}
	}
	return worthIs((lo + hi) / 2)
}
