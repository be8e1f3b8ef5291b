package fleet

import "math"

// market is the cells, with what a unit in each of them costs and how much is
// taken. Its tables are flat: thing × cells + cell.
type market struct {
	room    []float64
	price   []float64 // Lagrange's multipliers: the prices of the bound
	slope   []float64 // what a price rises by for each unit that is taken
	base    []float64 // price less slope × room: what a unit costs in an empty cell, if above 0
	taken   []float64 // by everyone, when they last told each other
	typical float64   // the mean size of the costs in the tables
	unit    []float64 // what running costs for each unit of a thing, by thing
	mean    []float64 // taken, in the mean of the last half of a pass
	ghost   []float64 // taken by those who have no place yet, as a sample of them did
}

// newMarket returns the market of in, without prices.
func newMarket(in *Instance, c *crowd) *market {
	n := c.things * c.cells
	m := &market{room: make([]float64, 0, n), price: make([]float64, n), slope: make([]float64, n),
		base: make([]float64, n), taken: make([]float64, n), mean: make([]float64, n), ghost: make([]float64, n)}
	for _, room := range in.Room {
		m.room = append(m.room, room...)
	}
	m.unit, m.typical = in.meanCost(), in.meanTable()
	m.stiffen(soft)
	return m
}

// adopt takes over prices, and reports whether they are for these cells. One
// that cannot be right is taken for 0, which is a price like any other.
func (m *market) adopt(p Prices) bool {
	cells := len(m.room) / len(m.unit)
	if len(p) != len(m.unit) {
		return false
	}
	for r := range p {
		if len(p[r]) != cells {
			return false
		}
	}
	for i := range m.price {
		m.price[i] = 0
		if v := p[i/cells][i%cells]; v > 0 && !math.IsInf(v, 1) && !math.IsInf(m.room[i], 1) {
			m.price[i] = v
		}
	}
	m.rebase()
	return true
}

// stiffen sets how much dearer a cell becomes than its price if it is asked
// for twice, in units of what the mean unit of a thing costs by itself.
func (m *market) stiffen(by float64) {
	cells := len(m.room) / len(m.unit)
	for i, room := range m.room {
		if room > 0 { // without end it never gets dearer
			m.slope[i] = by * m.unit[i/cells] / room
		}
	}
	m.rebase()
}

// excess returns which share of what is taken does not fit, of the thing of
// which most does not.
func (m *market) excess() float64 {
	worst := 0.0
	cells := len(m.room) / len(m.unit)
	for r := range m.unit {
		over, taken := 0.0, 0.0
		for i := r * cells; i < (r+1)*cells; i++ {
			if o := m.taken[i] - m.room[i]; o > 2*hair(m.room[i]) {
				over += o
			}
			taken += m.taken[i]
		}
		if taken > 0 {
			worst = max(worst, over/taken)
		}
	}
	return worst
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
	spent, missing, units := 0.0, 0.0, make([]float64, len(in.Things))
	for j := range in.Jobs {
		job := &in.Jobs[j]
		way := &job.Ways[0]
		kw, use := way.KW, way.Use
		if job.Kind == Elastic {
			kw, use = job.Levels[0].KW, job.Levels[0].Use
		}
		need := float64(way.Need)
		spent += kw * mean[job.Table][way.Site] * need
		missing += job.Missing
		for r, u := range use {
			units[r] += u * need
		}
	}
	if spent == 0 { // where running is for nothing, it counts who runs
		spent = missing
	}
	for r, u := range units {
		if u > 0 {
			units[r] = spent / u
		}
	}
	return units
}

// meanTable returns the mean size of the costs in the tables.
func (in *Instance) meanTable() float64 {
	sum, n := 0.0, 0
	for _, table := range in.Cost {
		for _, v := range table {
			if !math.IsNaN(v) {
				sum += math.Abs(v)
				n++
			}
		}
	}
	return sum / float64(max(1, n))
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
			m.price[i] = max(0, m.price[i]+g*(m.mean[i]-m.room[i]))
		}
	}
	m.rebase()
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
