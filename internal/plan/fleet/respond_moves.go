package fleet

import "math"

// roughMoves answers for work that moves and is too long for follow: it stays
// in the best of its ways, and is bounded by the cheapest slots of all ways.
func (d *desk) roughMoves() (value, least float64) {
	job := d.job
	value = math.Inf(1)
	keep := d.held[:0]
	d.order = d.order[:0]
	need, fixed := int32(math.MaxInt32), math.Inf(1)
	for w := range job.Ways {
		if v, _ := d.rigid(w); v < value {
			value, keep = v, append(keep[:0], d.runs...)
		}
		for t, v := range d.total[0] {
			if v < math.Inf(1) {
				d.order = append(d.order, offer{v, int32(t)})
			}
		}
		need, fixed = min(need, job.Ways[w].Need), math.Min(fixed, d.fixed(w))
	}
	d.held, d.runs = keep, append(d.runs[:0], keep...)
	// Moves may be charged less than nothing, each in a slot of its own.
	for m := range job.Moves {
		if c := d.moved(&job.Moves[m]); c < 0 {
			fixed += c * float64(d.hi-d.lo)
		}
	}
	if len(d.order) < int(need) {
		return math.Inf(1), math.Inf(1)
	}
	sortOffers(d.order)
	least = fixed
	for i, p := range d.order {
		if i < int(need) || p.v < 0 {
			least += p.v
		}
	}
	return value, least
}
