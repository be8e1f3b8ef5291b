package fleet

import "math"

// The bound. Any plan pays, cell by cell, no more than the room is worth at the
// prices, so what it costs is at least the sum of what each job would cost at
// its best if it paid for what it uses, less what all the room is worth. The
// sum is the same as Bound's; what rounding may have done to it is taken off.

// limit sets the least of each member of s, and returns the sum, and by how
// much it may be too high by rounding.
func (s *shard) limit() (sum, doubt float64) {
	copy(s.price, s.m.price)
	const ulp = 0x1p-53
	peaks := newPeaks(s.crowd, s.price)
	var t balance
	for i := range s.jobs {
		j := &s.jobs[i]
		least, steps := j.missing, 0.0
		for w := j.first; w < j.last; w++ {
			p := &s.ways[w]
			// A sliding sum rounds twice a slot, each time by at most an ulp of
			// the largest sum there can be on the way.
			steps = max(steps, float64(p.hi-p.lo)*float64(p.need)*peaks.at(s.crowd, w, j.table)+math.Abs(p.fixed))
			row := s.crowd.row(w, j.table, s.price, s.row)
			var v float64
			if j.free {
				v, _ = cheapest(row, int(p.need), s.spare)
			} else {
				_, v = window(row, int(p.need))
			}
			least = min(least, v+p.fixed)
		}
		j.least = least
		t.add(least)
		doubt += 4 * ulp * steps
	}
	for i := range s.rest {
		q := &s.rest[i]
		d := s.desk(false)
		d.labels = mostLabels
		q.least = d.limit(&q.family)
		t.add(q.least)
		size := math.Abs(q.least)
		for _, j := range q.family.jobs {
			size += s.in.Jobs[j].Missing
		}
		doubt += ulp * 4 * float64(s.slots) * size
	}
	return t.sum(), doubt
}

// peaks are the largest sizes of costs and prices, by table or thing, and site.
type peaks struct{ cost, price [][]float64 }

func newPeaks(c *crowd, price []float64) *peaks {
	highest := func(v []float64) []float64 {
		top := make([]float64, c.cells/c.slots)
		for i, v := range v {
			if v = math.Abs(v); v > top[i/c.slots] { // an unknown cost is not
				top[i/c.slots] = v
			}
		}
		return top
	}
	k := &peaks{}
	for _, table := range c.in.Cost {
		k.cost = append(k.cost, highest(table))
	}
	for r := range c.things {
		k.price = append(k.price, highest(price[r*c.cells:(r+1)*c.cells]))
	}
	return k
}

// at returns what way w can cost at most in one slot.
func (k *peaks) at(c *crowd, w int32, table uint8) float64 {
	p := &c.ways[w]
	top := p.kw * k.cost[table][p.site]
	for r := range c.things {
		top += c.uses(w, r) * k.price[r][p.site]
	}
	return top
}

// worth returns what all the room is worth at the prices.
func (m *market) worth() float64 {
	var t balance
	for i, p := range m.price {
		if p > 0 {
			t.add(float64(p * m.room[i]))
		}
	}
	return t.sum()
}

// balance is a sum that keeps what each addition rounds away.
type balance struct{ high, low float64 }

func (t *balance) add(v float64) {
	sum := t.high + v
	if math.Abs(t.high) >= math.Abs(v) {
		t.low += (t.high - sum) + v
	} else {
		t.low += (v - sum) + t.high
	}
	t.high = sum
}

func (t *balance) sum() float64 { return t.high + t.low }
