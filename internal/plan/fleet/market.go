package fleet

import "math"

// market is the cells, with what a unit in each of them costs and how much is
// taken. Its tables are flat: thing × cells + cell.
type market struct {
	room  []float64
	price []float64 // Lagrange's multipliers: the prices of the bound
	slope []float64 // what a price rises by for each unit that is taken
	base  []float64 // price less slope × room: what a unit costs in an empty cell, if above 0
	taken []float64 // by everyone, when they last told each other
	ghost []float64 // taken by those who have no place yet, as a sample of them did
}

// stiffness is how much dearer a cell becomes than its price if it is asked
// for twice, in units of what the mean unit of a thing costs by itself. It
// spreads jobs to whom two cells are the same, as the exact optimum would.
var stiffness = 0.5

// newMarket returns the market of in at the given prices, or at none.
func newMarket(in *Instance, c *crowd, warm Prices) *market {
	n := c.things * c.cells
	m := &market{room: make([]float64, 0, n), price: make([]float64, n), slope: make([]float64, n),
		base: make([]float64, n), taken: make([]float64, n), ghost: make([]float64, n)}
	for _, room := range in.Room {
		m.room = append(m.room, room...)
	}
	if len(warm) == c.things {
		for r := range warm {
			if len(warm[r]) != c.cells {
				continue
			}
			for i, p := range warm[r] {
				if p > 0 && !math.IsInf(p, 0) && !math.IsInf(in.Room[r][i], 0) {
					m.price[r*c.cells+i] = p
				}
			}
		}
	}
	mean := in.meanCost()
	for r := range c.things {
		for i := range c.cells {
			if room := in.Room[r][i]; room > 0 && !math.IsInf(room, 1) {
				m.slope[r*c.cells+i] = stiffness * mean[r] / room
			}
		}
	}
	m.rebase()
	return m
}

// meanCost returns what running costs for each unit of a thing, in the mean
// over the jobs' work. Where nothing uses a thing it is 0.
func (in *Instance) meanCost() []float64 {
	// The mean of a table at a site stands for its cells.
	slots := in.Slots()
	mean := make([][]float64, len(in.Cost))
	for k, table := range in.Cost {
		mean[k] = make([]float64, len(in.Sites))
		for s := range in.Sites {
			sum, n := 0.0, 0
			for _, v := range table[s*slots : (s+1)*slots] {
				if !math.IsNaN(v) {
					sum += math.Abs(v)
					n++
				}
			}
			mean[k][s] = sum / float64(max(n, 1))
		}
	}
	spent, units := 0.0, make([]float64, len(in.Things))
	for j := range in.Jobs {
		job := &in.Jobs[j]
		way := &job.Ways[0]
		kw, use := way.KW, way.Use
		if job.Kind == Elastic {
			kw, use = job.Levels[0].KW, job.Levels[0].Use
		}
		need := float64(way.Need)
		spent += kw * mean[job.Table][way.Site] * need
		for r, u := range use {
			units[r] += u * need
		}
	}
	for r, u := range units {
		if u > 0 {
			units[r] = spent / u
		}
	}
	return units
}

// rebase makes base fit the prices.
func (m *market) rebase() {
	for i, p := range m.price {
		m.base[i] = p
		if m.slope[i] > 0 {
			m.base[i] = p - m.slope[i]*m.room[i]
		}
	}
}

// raise moves each price by what is asked for beyond the room, or short of it.
func (m *market) raise() {
	for i, g := range m.slope {
		if g > 0 {
			m.price[i] = max(0, m.price[i]+g*(m.taken[i]-m.room[i]))
		}
	}
	m.rebase()
}

// prices returns the prices in the form of a Solution.
func (m *market) prices(things int) Prices {
	cells := len(m.price) / things
	p := make(Prices, things)
	for r := range p {
		p[r] = append([]float64(nil), m.price[r*cells:(r+1)*cells]...)
	}
	return p
}

// exchange tells everyone what everyone has taken. The shards are added up in
// their order, so the sums are the same however many worked on them.
func (m *market) exchange(shards []*shard) {
	clear(m.taken)
	for _, s := range shards {
		for i, v := range s.own {
			m.taken[i] += v
		}
	}
}
