package plan

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// stretch is a time [from, to), counted from now.
type stretch struct{ from, to time.Duration }

// candidate is one way to run what remains of a task. A run that is under way
// begins at 0 here, and at its own beginning in the plan.
type candidate struct {
	site     int
	way      int // the kind of hardware
	runs     []stretch
	levels   []int // of elastic work, by run; nil: as declared
	reserved time.Duration
	known    bool // every intensity that it needs
	energy   grid.Energy
	carbon   grid.Carbon
	grade    grid.Grade
	cost     grid.Money // meaningful only if priced
	priced   bool       // every price that it needs is known
}

func (c candidate) start() time.Duration  { return c.runs[0].from }
func (c candidate) finish() time.Duration { return c.runs[len(c.runs)-1].to }

// measure works out the figures of running t at a site in runs.
func (f *frame) measure(t *task, site int, runs []stretch) candidate {
	return f.sized(t, site, runs, nil)
}

// sized is measure with the level of each run.
func (f *frame) sized(t *task, site int, runs []stretch, levels []int) candidate {
	p := f.places[site]
	if !slices.ContainsFunc(levels, func(k int) bool { return t.levels[k].size != workload.Declared }) {
		levels = nil
	}
	c := candidate{site: site, way: t.way, runs: runs, levels: levels, known: true, priced: p.currency != ""}
	c.reserved = c.finish() + t.tailAt(t.level(c, len(runs)-1))
	for i, r := range runs {
		e := facility(t.level(c, i).power, r.to-r.from, p.pue)
		c.energy += e
		if p.rates != nil {
			rate, ok := p.tariff.Mean(f.at(r.from), f.at(r.to))
			if c.priced = c.priced && ok; c.priced {
				c.cost += grid.Charged(e, rate)
			}
		}
		mean, grade, ok, drawn := p.means.mean(r.from, r.to)
		if !drawn {
			mean, grade, ok = p.air.Mean(f.at(r.from), f.at(r.to))
		}
		if !ok {
			c.known = false
			continue
		}
		c.carbon += grid.Emitted(e, mean)
		c.grade = grid.Worse(c.grade, grade)
	}
	if h, ok := t.haul(p); ok {
		r, known := p.air.At(f.at(c.start()))
		if c.known = c.known && known; c.known {
			c.carbon += grid.Emitted(h.energy, r.Value)
			c.grade = grid.Worse(c.grade, r.Grade)
		}
		c.energy, c.priced = c.energy+h.energy, false
	}
	if !c.known {
		c.carbon, c.grade = 0, ""
	}
	if flat, ok := p.tariff.Flat(); ok {
		c.cost = grid.Charged(c.energy, flat)
	}
	if !c.priced {
		c.cost = 0
	}
	return c
}

// facility returns the energy that a site draws for p over d, rounded up.
func facility(p grid.Power, d time.Duration, pue int64) grid.Energy {
	hi, lo := bits.Mul64(uint64(grid.Drawn(p, d)), uint64(pue))
	q, r := bits.Div64(hi, lo, 1000)
	if r > 0 {
		q++
	}
	return grid.Energy(q)
}

// emitted returns the carbon of e at the mean of sum over d.
func emitted(e grid.Energy, sum int64, d time.Duration) grid.Carbon {
	ms := max(d.Milliseconds(), 1)
	return grid.Emitted(e, grid.Intensity((sum+ms-1)/ms))
}

// charged returns the price of e at the mean of sum over d. Prices may be below 0.
func (c *curve) charged(e grid.Energy, sum int64, d time.Duration) grid.Money {
	ms := max(d.Milliseconds(), 1)
	return grid.Charged(e, grid.Rate((sum+ms-1)/ms-c.lift))
}

// affordable reports whether the figures are under the ceilings of t at p.
// What is not known cannot be shown to be under a ceiling.
func (t *task) affordable(p *place, known bool, carbon grid.Carbon, priced bool, cost grid.Money) bool {
	o := t.Shape.Objective
	if o.CarbonCeiling > 0 && (!known || carbon > o.CarbonCeiling) {
		return false
	}
	return o.CostCeiling <= 0 || priced && p.currency == o.Currency && cost <= o.CostCeiling
}

// currency is the one in which the costs of t are compared: its own, or that
// of the first site that it may use. Costs in another are as good as unknown.
func (f *frame) currency(t *task) string {
	if c := t.Shape.Objective.Currency; c != "" {
		return c
	}
	for _, i := range t.sites {
		if c := f.places[i].currency; c != "" {
			return c
		}
	}
	return ""
}

// compare says which of two candidates serves t better: negative if a does.
// What is known goes before what is not; then the objective; then the earlier
// finish. The order of t.sites decides the rest.
func (f *frame) compare(t *task, a, b candidate) int {
	sooner := cmp.Compare(a.finish(), b.finish())
	if t.adds() {
		wa, oka := f.total(t, a)
		wb, okb := f.total(t, b)
		if oka != okb {
			return first(oka)
		}
		if oka {
			return cmp.Or(cmp.Compare(wa, wb), sooner)
		}
		if a.known != b.known {
			return first(a.known)
		}
		return cmp.Or(cmp.Compare(a.carbon, b.carbon), sooner)
	}
	switch t.Shape.Objective.Minimize {
	case workload.MinimizeTime:
		return sooner
	case workload.MinimizeCost:
		cur := f.currency(t)
		ka, kb := f.costs(a, cur), f.costs(b, cur)
		if ka != kb {
			return first(ka)
		}
		if ka {
			return cmp.Or(cmp.Compare(a.cost, b.cost), sooner)
		}
		return sooner
	}
	if a.known != b.known {
		return first(a.known)
	}
	return cmp.Or(cmp.Compare(a.carbon, b.carbon), sooner)
}

// costs reports whether the cost of c is known in a currency.
func (f *frame) costs(c candidate, currency string) bool {
	return c.priced && currency != "" && f.places[c.site].currency == currency
}

func first(a bool) int {
	if a {
		return -1
	}
	return 1
}

// cleans reports whether carbon is what t is to make small.
func (t *task) cleans() bool {
	m := t.Shape.Objective.Minimize
	return !t.adds() && m != workload.MinimizeCost && m != workload.MinimizeTime
}

// try is a run without a pause, from the start of a slot.
type try struct {
	slot       int
	from, to   time.Duration
	reserved   time.Duration
	sum        int64 // of the intensity over it
	known      bool
	late, full bool
	denied     bool // then it is full too
	energy     grid.Energy
	carbon     grid.Carbon // meaningful only if known
	cost       grid.Money  // meaningful only if priced, and worked out as carbon is
	priced     bool
	affordable bool
	weight     int64 // of what is to be made small, over it
	weighed    bool
	enough     bool // set by who is called: it wants no more
}

// tries calls do with each run without a pause that t could make at a site,
// by start, until do has enough; do must not keep what it is given. A run under way can be gone on
// with; to begin it again in a later slot it must be suspended first, and pays
// for the resume. Carbon and cost are worked out if they are asked for or have a
// ceiling; the weight is by w, if it is not nil.
func (f *frame) tries(t *task, site int, free []time.Duration, figures bool, w *curve, do func(*try)) {
	p := f.places[site]
	head, end := cursor{p.curve, 0}, cursor{p.curve, 0}
	carbon := figures || t.Shape.Objective.CarbonCeiling > 0
	charge := p.rates != nil && (figures || t.Shape.Objective.CostCeiling > 0)
	begin, stop := cursor{p.rates, 0}, cursor{p.rates, 0}
	low, high := cursor{w, 0}, cursor{w, 0}
	flat, isFlat := p.tariff.Flat()
	var length time.Duration
	var c try
	brought, hauls := t.haul(p)
	isFlat, charge = isFlat && !hauls, charge && !hauls
	var like int64 // milliseconds of the run that take what bringing the data takes
	run := func(d time.Duration) {
		length, c.energy = d, facility(t.power, d, p.pue)
		if hauls {
			like = brought.like(c.energy, d)
		}
		if c.priced = isFlat; isFlat {
			c.cost = grid.Charged(c.energy, flat)
		}
	}
	run(t.left + t.lead)
	for i := t.first; i < f.slots; i++ {
		if t.Running && i == 1 {
			if !t.stop {
				return
			}
			run(t.left + t.overhead())
		}
		from := f.slot(i)
		c.slot, c.from, c.to, c.reserved = i, from, from+length, from+length+t.tail
		s0, g0 := head.upTo(c.from)
		s1, g1 := end.upTo(c.to)
		c.sum, c.known = s1-s0, g0 == g1
		c.late = c.reserved > t.limit
		c.full = free[i] < c.reserved
		c.denied = t.open != nil && t.open[i] < c.reserved
		if c.carbon = 0; c.known && carbon {
			c.carbon = emitted(c.energy, c.sum, length)
			if hauls {
				c.carbon += grid.Emitted(brought.energy, grid.Intensity(head.value[head.i]))
			}
		}
		if charge {
			s0, g0 := begin.upTo(c.from)
			s1, g1 := stop.upTo(c.to)
			if c.cost, c.priced = 0, g0 == g1; c.priced {
				c.cost = p.rates.charged(c.energy, s1-s0, length)
			}
		}
		switch {
		case w == p.curve:
			c.weight, c.weighed = c.sum, c.known
			if hauls && c.known {
				c.weight += head.value[head.i] * like
			}
		case w != nil:
			s0, g0 := low.upTo(c.from)
			s1, g1 := high.upTo(c.to)
			c.weight, c.weighed = s1-s0-w.lift*length.Milliseconds(), g0 == g1
		}
		c.affordable = t.affordable(p, c.known, c.carbon, c.priced, c.cost)
		if do(&c); c.enough {
			return
		}
	}
}

// freeAt returns the room that a site has for t from each slot on, until
// something is denied to it. While t is
// being placed and nothing else moves, it is worked out once.
func (f *frame) freeAt(t *task, site int) []time.Duration {
	p := f.places[site]
	if t.free == nil {
		return f.inShare(t, t.clear(f.free(p, p.load, t, f.off)))
	}
	if t.free[site] == nil {
		t.free[site] = f.inShare(t, t.clear(f.free(p, p.load, t, f.off)))
	}
	return t.free[site]
}
