package private

import (
	"math"

	"clusy.io/clusy/internal/plan/fleet"
)

// field is what a job sees when it chooses: for u units of a thing in a cell it
// pays u × max(0, base + u × slope/2), and that much must be free.
type field struct {
	base, slope, free [][]float64
}

func (f *field) pay(r, cell int, u float64) float64 {
	if u == 0 {
		return 0
	}
	return u * max(0, f.base[r][cell]+f.slope[r][cell]*u/2)
}

// chooser finds the best response of one job after the other; it keeps the
// memory that this takes.
type chooser struct {
	in     *fleet.Instance
	cost   []float64 // of each slot of one way, +Inf where it cannot be used
	pick   []float64
	runs   []fleet.Run
	best   []fleet.Run
	view   fleet.Instance // in, with the room that is free, for the kinds that need fleet.Respond
	price  fleet.Prices   // what fleet.Respond is shown
	answer fleet.Answer
	any    bool // any place is better than none
}

func newChooser(in *fleet.Instance) *chooser {
	c := &chooser{in: in, cost: make([]float64, in.Slots()), pick: make([]float64, in.Slots()), view: *in}
	c.price = make(fleet.Prices, len(in.Things))
	for r := range c.price {
		c.price[r] = make([]float64, in.Cells())
	}
	return c
}

// simple reports whether a job is of the kinds that are most of a fleet.
func simple(job *fleet.Job) bool {
	return len(job.Ceilings) == 0 && job.Denied == 0 && len(job.Moves) == 0 && (job.Kind == fleet.Rigid ||
		job.Kind == fleet.Interruptible && job.Resume == 0 && job.MinRun <= 1 && job.Pauses == 0)
}

// choose returns the runs that are best for job j within slots [from, to), and
// a lower bound on what any runs there cost and pay together: for most kinds of
// jobs that of these. It returns no runs, and what having no place costs, if no
// runs are cheaper. The runs are good until the next call.
func (c *chooser) choose(j int, from, to int32, f *field) ([]fleet.Run, float64) {
	job := &c.in.Jobs[j]
	least := c.missing(job)
	c.best = c.best[:0]
	if !simple(job) {
		return c.other(j, from, to, f)
	}
	for w := range job.Ways {
		way := &job.Ways[w]
		first := max(from, way.From)
		if way.Need > to-first {
			continue
		}
		table := c.in.Cost[job.Table]
		at := c.in.Cell(way.Site, 0)
		for t := first; t < to; t++ {
			cell := at + int(t)
			v := way.KW * table[cell]
			if v != v { // unknown
				v = math.Inf(1)
			}
			for r, u := range way.Use {
				if u > f.free[r][cell] {
					v = math.Inf(1)
					break
				}
				v += f.pay(r, cell, u)
			}
			c.cost[t] = v
		}
		var total float64
		if job.Kind == fleet.Rigid {
			total = c.rigid(first, to, way.Need, least-way.Fixed)
		} else {
			total = c.freely(first, to, way.Need, least-way.Fixed)
		}
		if total+way.Fixed < least {
			least = total + way.Fixed
			for i := range c.runs {
				c.runs[i].Way = int16(w)
			}
			c.best, c.runs = c.runs, c.best
		}
	}
	return c.best, least
}

// rigid finds the cheapest need slots in a row and leaves them in runs, if they
// cost less than most.
func (c *chooser) rigid(from, to, need int32, most float64) float64 {
	c.runs = c.runs[:0]
	best, start := math.Inf(1), int32(-1)
	sum, since := 0.0, from // over the last slots in a row that can be used, need at most
	for t := from; t < to; t++ {
		if math.IsInf(c.cost[t], 1) {
			sum, since = 0, t+1
			continue
		}
		sum += c.cost[t]
		if t-since >= need {
			sum -= c.cost[t-need]
		}
		if t-since+1 >= need && sum < best {
			best, start = sum, t-need+1
		}
	}
	if start < 0 || !(best < most) {
		return math.Inf(1)
	}
	// The sum that rolled along has gathered errors of rounding.
	best = 0
	for t := start; t < start+need; t++ {
		best += c.cost[t]
	}
	c.runs = append(c.runs, fleet.Run{From: start, To: start + need})
	return best
}

// freely finds the cheapest need slots and leaves them in runs, if they cost
// less than most. Of equal ones it takes the earliest.
func (c *chooser) freely(from, to, need int32, most float64) float64 {
	c.runs = c.runs[:0]
	pick := append(c.pick[:0], c.cost[from:to]...)
	limit := smallest(pick, int(need)-1)
	if math.IsInf(limit, 1) {
		return math.Inf(1)
	}
	below := int32(0)
	for t := from; t < to; t++ {
		if c.cost[t] < limit {
			below++
		}
	}
	ties := need - below
	sum := 0.0
	for t := from; t < to; t++ {
		v := c.cost[t]
		if v > limit {
			continue
		}
		if v == limit {
			if ties == 0 {
				continue
			}
			ties--
		}
		sum += v
		if n := len(c.runs); n > 0 && c.runs[n-1].To == t {
			c.runs[n-1].To++
		} else {
			c.runs = append(c.runs, fleet.Run{From: t, To: t + 1})
		}
	}
	if !(sum < most) {
		return math.Inf(1)
	}
	return sum
}

// smallest returns the value that would stand at place k of v in order. It
// leaves v in another order.
func smallest(v []float64, k int) float64 {
	lo, hi := 0, len(v)-1
	for lo < hi {
		p := v[lo+(hi-lo)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < p {
				i++
			}
			for v[j] > p {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

// other does the same for a job of any kind.
func (c *chooser) other(j int, from, to int32, f *field) ([]fleet.Run, float64) {
	job := c.in.Jobs[j]
	job.Release, job.Due = from, to
	c.view.Room = f.free
	c.view.Jobs = append(c.view.Jobs[:0:0], job)
	for w := range job.Ways {
		way := &job.Ways[w]
		for t := from; t < to; t++ {
			cell := c.in.Cell(way.Site, t)
			for r := range c.price {
				c.price[r][cell] = max(0, f.base[r][cell]+f.slope[r][cell]*way.Use[r]/2)
			}
		}
	}
	if from >= to {
		return nil, c.missing(&job)
	}
	c.answer.Least = math.Inf(1)
	found := fleet.Respond(&c.view, 0, c.price, &c.answer)
	least := min(c.answer.Least, c.missing(&job))
	if !found || c.answer.Total() >= c.missing(&job) {
		return nil, least
	}
	return c.answer.Runs, least
}

// missing returns what having no place costs job.
func (c *chooser) missing(job *fleet.Job) float64 {
	if c.any {
		return math.Inf(1)
	}
	return job.Missing
}
