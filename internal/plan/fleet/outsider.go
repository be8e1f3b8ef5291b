package fleet

import "math"

// Outsider plans jobs that it shows to nobody: of the others it knows prices
// and how much is taken, and of itself it tells how much it takes. It holds
// jobs of an Instance of its own, whose slots, sites, things and rooms are those
// of everybody.
type Outsider struct {
	s *shard
}

// NewOutsider returns an Outsider with the jobs of in, none of which has a
// place. In must be valid.
func NewOutsider(in *Instance) *Outsider {
	c := newCrowd(in)
	m := newMarket(in, c)
	return &Outsider{s: newShard(c, m, c.jobs, c.rest)}
}

// Round is what is told to everybody before they choose.
type Round struct {
	Prices Prices
	Taken  [][]float64 // by everybody, themselves included, by thing and cell
	// Rise is, by thing, how much dearer a unit becomes in a cell that is asked
	// for twice than in one that is just full. Half of what a unit costs by
	// itself is much; an eighth is fine work. See Rise.
	Rise []float64
	// Others is how many others are thought to do what this one does, before it
	// hears of it. It keeps all from running to the same hour.
	Others float64
	// Part and Of say which part of its jobs choose in this round: 0 of 1 is all.
	Part, Of int
}

// Rise returns a Round's Rise for the jobs of in: by the mean costs of its work.
func Rise(in *Instance, stiffness float64) []float64 {
	unit := in.meanCost()
	for r := range unit {
		unit[r] *= stiffness
	}
	return unit
}

// Choose lets the jobs choose again.
func (o *Outsider) Choose(r Round) {
	s, m := o.s, o.s.m
	for k := range m.price {
		thing, cell := k/s.cells, k%s.cells
		m.price[k] = max(0, r.Prices[thing][cell])
		m.taken[k] = r.Taken[thing][cell]
		m.slope[k] = 0
		if room := m.room[k]; room > 0 {
			m.slope[k] = r.Rise[thing] / room
		}
	}
	m.rebase()
	s.others = r.Others
	s.ask(r.Part, max(1, r.Of), 0)
}

// Taken returns what the jobs take, by thing and cell.
func (o *Outsider) Taken() [][]float64 {
	o.s.count()
	return o.s.crowd.table(o.s.own)
}

// Fit makes the jobs take no more than a room of their own, by thing and cell,
// at factor times the prices: out of what is too full first, if that costs at
// most regret for each slot of work, as a share of what one costs in the mean;
// with +Inf some lose their place. Then into what is free. If the rooms of all
// are together the room there is, what each fits into its own, all fit.
func (o *Outsider) Fit(room [][]float64, p Prices, factor, regret float64) {
	s := o.s
	s.count()
	for k := range s.left {
		thing, cell := k/s.cells, k%s.cells
		s.left[k] = room[thing][cell] - s.own[k]
		s.price[k] = factor * max(0, p[thing][cell])
	}
	s.spread(0, 1, regret)
	s.improve(0, 1)
}

// Least returns the jobs' part of the bound at prices p: what each would cost
// at its best, summed. The bound is the sum of all parts, less the worth of the
// room at the prices.
func (o *Outsider) Least(p Prices) float64 {
	for k := range o.s.m.price {
		o.s.m.price[k] = max(0, p[k/o.s.cells][k%o.s.cells])
	}
	sum, doubt := o.s.limit()
	return sum - doubt - 1e-15*math.Abs(sum)
}

// Solution returns where the jobs are, without prices and a bound.
func (o *Outsider) Solution() Solution { return o.s.solution() }
