package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// level is a size at which a task can run, and what it takes then.
type level struct {
	size, speed int // thousandths of the declared ones
	power       grid.Power
	demand      amounts
}

// levelsOf returns the levels of an item, the smallest first; nil if it is not
// elastic.
func levelsOf(it Item) (out []level) {
	if len(it.Shape.Elastic) == 0 {
		return nil
	}
	for _, l := range it.Shape.Levels() {
		// The record is checked when it is made. Should it hold nonsense all the
		// same, that is no size at which anything runs.
		if l.Size < workload.MinSize || l.Size > workload.MaxSize || l.Speed < workload.MinSize || l.Speed > workload.MaxSize {
			continue
		}
		if n := len(out); n > 0 && (l.Size <= out[n-1].size || l.Speed <= out[n-1].speed) {
			continue
		}
		out = append(out, level{l.Size, l.Speed, min(it.Shape.PowerAt(l.Size), mostPower), wanted(it.Shape.Demand.At(l.Size))})
	}
	return out
}

// elastic reports whether t can run at several sizes.
func (t *task) elastic() bool { return t.levels != nil }

// asDeclared is the level of work as it is declared.
func (t *task) asDeclared() level {
	return level{workload.Declared, workload.Declared, t.power, t.demand}
}

// level returns at which level run i of c is.
func (t *task) level(c candidate, i int) level {
	if c.levels == nil {
		return t.asDeclared()
	}
	return t.levels[c.levels[i]]
}

// plain returns the index of the level of work as it is declared.
func (t *task) plain() int {
	return slices.IndexFunc(t.levels, func(l level) bool { return l.size == workload.Declared })
}

// sizeOf returns the size of run i of c as a plan writes it.
func (t *task) sizeOf(c candidate, i int) int {
	if n := t.level(c, i).size; n != workload.Declared {
		return n
	}
	return 0
}

// tailAt returns how long the booked tail lasts at a level.
func (t *task) tailAt(l level) time.Duration { return workload.Takes(t.tail, l.speed) }

// fastest returns the highest speed of t.
func (t *task) fastest() int {
	if t.levels == nil {
		return workload.Declared
	}
	return t.levels[len(t.levels)-1].speed
}

// longest returns how long t runs at the slowest.
func (t *task) slowestRun() time.Duration {
	if t.levels == nil {
		return t.left + t.lead
	}
	return min(workload.Takes(t.left+t.lead, min(t.levels[0].speed, workload.Declared)), longest)
}

// joined returns the runs of c with those that adjoin, as they do where the size
// changes, made one: what lies between two of them is a suspension.
func (c candidate) joined() []stretch {
	if c.levels == nil {
		return c.runs
	}
	var out []stretch
	for _, r := range c.runs {
		if n := len(out); n > 0 && out[n-1].to == r.from {
			out[n-1].to = r.to
			continue
		}
		out = append(out, r)
	}
	return out
}

// useful returns the work that c does from run i on.
func (t *task) useful(c candidate, i int) (sum time.Duration) {
	for ; i < len(c.runs); i++ {
		sum += workload.Useful(c.runs[i].to-c.runs[i].from, t.level(c, i).speed)
	}
	return sum
}

// end sets the end of c by the work of t, and drops the runs that are not needed
// for it. It returns false if the last run would only be for what resuming costs.
func (t *task) end(c *candidate) bool {
	for {
		left := t.work(c.joined())
		for i := range c.runs {
			r, l := &c.runs[i], t.level(*c, i)
			does := workload.Useful(r.to-r.from, l.speed)
			if last := i == len(c.runs)-1; !last && does < left {
				left -= does
				continue
			}
			r.to = r.from + max(workload.Takes(left, l.speed), time.Microsecond)
			if i < len(c.runs)-1 {
				c.cutTo(i + 1)
				break
			}
			joined := c.joined()
			if len(joined) == 1 || t.useful(*c, t.firstOf(*c, joined[len(joined)-1])) > t.overhead() {
				return true
			}
			// It is resumed only for what resuming costs: it is not needed.
			c.cutTo(t.firstOf(*c, joined[len(joined)-1]))
			break
		}
	}
}

func (c *candidate) cutTo(n int) {
	c.runs, c.levels = c.runs[:n], c.levels[:n]
}

// firstOf returns the index of the first run of c within a joined one.
func (t *task) firstOf(c candidate, in stretch) int {
	return slices.IndexFunc(c.runs, func(r stretch) bool { return r.from >= in.from })
}

// lawfulAt reports whether c, which is of elastic work, keeps the rules of
// pausing of t: as lawful does, with the work of a run in place of its length
// where that pays for resuming.
func (f *frame) lawfulAt(t *task, c candidate) bool {
	joined := c.joined()
	if t.stops(joined) > t.pauses || t.Running && joined[0].from > 0 && !t.stop {
		return false
	}
	if !t.Shape.Interruptible.Allowed && len(joined) > 1 {
		return false
	}
	at := 0
	for i, r := range joined {
		does := time.Duration(0)
		for ; at < len(c.runs) && c.runs[at].from < r.to; at++ {
			does += workload.Useful(c.runs[at].to-c.runs[at].from, t.level(c, at).speed)
		}
		if i == len(joined)-1 {
			return i == 0 || does > t.overhead()
		}
		length := r.to - r.from
		goesOn := i == 0 && t.Running && r.from == 0
		if goesOn {
			length += t.ran(f)
		}
		resumed := !goesOn && (i > 0 || t.lead > 0 || t.Running)
		if length < t.minRun() || resumed && does < t.overhead() {
			return false
		}
	}
	return false
}

// barredAt reports whether c touches what is denied to t.
func (t *task) barredAt(c candidate) bool {
	if len(t.denied) == 0 {
		return false
	}
	for i, r := range c.runs {
		if i == len(c.runs)-1 {
			r.to = max(r.to, c.reserved)
		}
		if slices.ContainsFunc(t.denied, func(d stretch) bool { return d.from < r.to && max(r.from, 0) < d.to }) {
			return true
		}
	}
	return false
}

// carriedElastic returns the placement in force of elastic work as it stands
// now, as carried does, and whether it keeps the rules; ok is false if there is
// none.
func (f *frame) carriedElastic(t *task) (c candidate, lawful, ok bool) {
	if t.Placement == nil || t.own < 0 || t.hold >= 0 && t.own != t.hold {
		return c, false, false
	}
	c = candidate{site: t.own, levels: []int{}}
	for _, s := range t.Placement.Spans {
		from, to := max(f.from(s.Start), 0), f.from(s.End)
		size := s.Size
		if size == 0 {
			size = workload.Declared
		}
		l := slices.IndexFunc(t.levels, func(l level) bool { return l.size == size })
		n := len(c.runs)
		switch {
		case l < 0 || to <= from || n > 0 && from < c.runs[n-1].to:
		case n > 0 && from == c.runs[n-1].to && c.levels[n-1] == l:
			c.runs[n-1].to = to
		default:
			c.runs, c.levels = append(c.runs, stretch{from, to}), append(c.levels, l)
		}
	}
	if len(c.runs) == 0 {
		c.runs, c.levels = []stretch{{0, time.Microsecond}}, []int{t.plain()}
	}
	if !t.Shape.Interruptible.Allowed {
		if t.Running {
			c.runs[0].from = 0
		}
		for i := 1; i < len(c.runs); i++ {
			c.runs[i].from = c.runs[i-1].to
		}
	}
	t.end(&c)
	c = f.sized(t, t.own, c.runs, c.levels)
	if !t.Running && f.from(t.Shape.When.NotBefore) > c.runs[0].from {
		return c, false, true
	}
	return c, f.lawfulAt(t, c) && !t.barredAt(c), true
}

// atOnce returns the soonest run of t at a site at its declared size, as its
// baseline is; where that has no room, the soonest at any size.
func (f *frame) atOnce(t *task, site int) *candidate {
	if t.elastic() {
		plain := *t
		plain.levels = nil
		if c := f.offered(&plain, site, waiver{}).early; c != nil {
			return c
		}
	}
	return f.offered(t, site, waiver{}).early
}

// atSizes says at which sizes c runs, "" if as declared.
func (t *task) atSizes(c candidate) string {
	if c.levels == nil {
		return ""
	}
	var names []string
	for k, l := range t.levels {
		if slices.Contains(c.levels, k) {
			names = append(names, sizeName(l.size))
		}
	}
	if len(names) == 1 {
		return ", at size " + names[0]
	}
	return fmt.Sprintf(", at sizes %s and %s", strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}

// sizeName writes a size for people: 0.5, 4.
func sizeName(size int) string {
	return strconv.FormatFloat(float64(size)/workload.Declared, 'f', -1, 64)
}

// leastOfSizes is leastAt for elastic work: it takes the cheapest steps up the
// hulls of its levels, each of what it emits and pays, in any time of its window
// and in any pieces. No plan has more than one level at a time, and each level
// lies on the hull or above it, so that none is cheaper.
func (g *surety) leastOfSizes(t *task, site int, gr *ground) float64 {
	first := max(g.from(t.Shape.When.NotBefore), 0)
	end := t.limit - workload.Takes(t.tail, t.fastest())
	type offer struct{ slope, work float64 }
	var offers []offer
	var hull [][2]float64 // speed and cost of a nanosecond
	for i, v := range gr.value {
		d := float64(min(gr.at[i+1], end) - max(gr.at[i], first))
		if v < 0 || d <= 0 {
			continue
		}
		hull = append(hull[:0], [2]float64{})
		for _, l := range t.levels {
			emits := float64(v) * float64(l.power) * float64(g.places[site].pue) / 1000 / 3.6e18
			pays := 0.0
			for r, price := range g.price[site] {
				if k := gr.slot[i]; k < len(price) {
					pays += float64(l.demand[r]) * price[k]
				}
			}
			p := [2]float64{float64(l.speed) / workload.Declared, emits + pays/float64(g.step)}
			for n := len(hull); n >= 2; n-- {
				a, b := hull[n-2], hull[n-1]
				if (b[1]-a[1])*(p[0]-b[0]) < (p[1]-b[1])*(b[0]-a[0]) {
					break
				}
				hull = hull[:n-1]
			}
			hull = append(hull, p)
		}
		for n := 1; n < len(hull); n++ {
			w := hull[n][0] - hull[n-1][0]
			offers = append(offers, offer{(hull[n][1] - hull[n-1][1]) / w, w * d})
		}
	}
	slices.SortFunc(offers, func(a, b offer) int { return cmp.Compare(a.slope, b.slope) })
	left, sum := float64(t.left+t.lead), 0.0
	for _, o := range offers {
		w := min(o.work, left)
		sum += w * o.slope
		if left -= w; left <= 1 { // a nanosecond is lost in adding up
			return sum
		}
	}
	return math.Inf(1)
}

// bookedAtBest returns how long all that is booked for t lasts where it is done
// soonest.
func (t *task) bookedAtBest() time.Duration {
	return workload.Takes(t.lead+t.left+t.tail, t.fastest())
}
