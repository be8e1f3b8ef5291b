package fleet

import "math"

// underCeilings finds the cheapest thing that keeps under the job's ceilings,
// for each way by itself. A rigid job tries every start. For the others each
// ceiling has a multiplier, what a unit by its table is charged on top: any
// multipliers give a bound, and at the right ones the answer keeps under the
// ceilings or nearly. No answer is over one; it may be up to the duality gap
// from the best, and where there are several ceilings none may be found though
// there is one.
func (d *desk) underCeilings(a *Answer) bool {
	job := d.job
	a.Least = math.Inf(1)
	value := math.Inf(1)
	keep := d.held[:0]
	only := d.only
	n := len(job.Ways)
	if len(job.Moves) > 0 && only < 0 {
		n = 1 // all ways at once
	}
	for w := range n {
		if only >= 0 && w != only {
			continue
		}
		if len(job.Moves) == 0 {
			d.only = w
		}
		var v, least float64
		switch {
		case job.Kind == Rigid:
			v = d.everyStart(w)
			least = v
		case len(job.Ceilings) == 1:
			v, least = d.oneCeiling()
		default:
			v, least = d.manyCeilings()
		}
		a.Least = math.Min(a.Least, least)
		if v < value {
			value, keep = v, append(keep[:0], d.best...)
		}
	}
	d.only, d.held = only, keep
	if math.IsInf(value, 1) {
		return false
	}
	d.answer(keep, a)
	return true
}

// everyStart finds the cheapest unbroken run in way w that keeps under the ceilings.
func (d *desk) everyStart(w int) float64 {
	way := &d.job.Ways[w]
	d.weigh(1, 0)
	d.look(0, w, way.KW, way.Use)
	value := math.Inf(1)
	var at Run
	for s := d.lo; s <= d.hi-way.Need; s++ {
		if !d.may(0, int(s-d.lo)) {
			continue
		}
		sum := d.fixed(w)
		for t := s; t < s+way.Need; t++ {
			sum += d.total[0][t-d.lo]
		}
		if !(sum < value) {
			continue
		}
		d.runs = append(d.runs[:0], Run{From: s, To: s + way.Need, Way: int16(w)})
		if d.settle(d.runs); d.kept() {
			value, at = sum, d.runs[0]
		}
	}
	d.best = append(d.best[:0], at)
	return value
}

// weigh sets what the job's own cost counts, and what each ceiling's does.
func (d *desk) weigh(own, extra float64) {
	d.own = own
	for k := range d.extra {
		d.extra[k] = extra
	}
}

// worthOf returns what the runs in d.best cost by the job's own lights, and
// leaves their sums in d.sums.
func (d *desk) worthOf() float64 {
	cost, paid := d.settle(d.best)
	return cost + paid
}

// oneCeiling walks to the multiplier at which the ceiling is just kept: each
// step takes the one at which the cheapest answer known that is over the ceiling
// and the one that is under it cost the same. It ends after few, for there are
// only so many answers on the lower hull of cost and sum.
func (d *desk) oneCeiling() (value, least float64) {
	most := d.job.Ceilings[0].Most
	d.weigh(1, 0)
	v, least := d.cheapest()
	if math.IsInf(v, 1) {
		return v, least
	}
	over := d.worthOf()
	if d.kept() {
		return v, least
	}
	overSum := d.sums[0]
	// The other end: the least that is possible by the ceiling's table.
	d.weigh(0, 1)
	if _, low := d.cheapest(); low > most+slack*math.Max(1, math.Abs(most)) {
		return math.Inf(1), math.Inf(1)
	}
	under := d.worthOf()
	underSum := d.sums[0]
	if !d.kept() {
		return math.Inf(1), least
	}
	keep := append(d.aside[:0], d.best...)
	for range 40 {
		m := (under - over) / (overSum - underSum)
		if !(m > 0) || math.IsInf(m, 0) {
			break
		}
		d.weigh(1, m)
		v, low := d.cheapest()
		least = math.Max(least, low-m*most)
		c := d.worthOf()
		s := d.sums[0]
		if v >= over+m*overSum-1e-12*math.Abs(v) {
			break // on the line between the two: this is the right multiplier
		}
		if d.kept() {
			if c < under {
				keep = append(keep[:0], d.best...)
			}
			under, underSum = c, s
		} else {
			over, overSum = c, s
		}
	}
	d.weigh(1, 0)
	d.best = append(d.best[:0], keep...)
	d.aside = keep
	value = d.polish()
	return value, math.Min(least, value)
}

// manyCeilings raises the multiplier of what is over its ceiling, and lowers
// that of what is under, in steps that grow short.
func (d *desk) manyCeilings() (value, least float64) {
	job := d.job
	n := len(job.Ceilings)
	least, value = math.Inf(-1), math.Inf(1)
	keep := d.aside[:0]
	try := func() float64 {
		_, low := d.cheapest()
		if math.IsInf(low, 1) {
			return low
		}
		if len(d.best) == 0 {
			return low
		}
		if c := d.worthOf(); d.kept() && c < value {
			value, keep = c, append(keep[:0], d.best...)
		}
		return low
	}
	// None is possible if the least by one table is over its ceiling.
	for k := range n {
		d.weigh(0, 0)
		d.extra[k] = 1
		most := job.Ceilings[k].Most
		if low := try(); low > most+slack*math.Max(1, math.Abs(most)) {
			return math.Inf(1), math.Inf(1)
		}
	}
	d.weigh(1, 0)
	least = try()
	scale := math.Max(1e-9, math.Abs(least))
	m := resize(d.steps, n)
	clear(m)
	d.steps = m
	for i := range 60 {
		if value-least <= 1e-12*math.Abs(value) || len(d.best) == 0 {
			break
		}
		moved := false
		for k := range n {
			most := job.Ceilings[k].Most
			size := math.Max(1e-9, math.Abs(most))
			over := (d.sums[k] - most) / size
			next := math.Max(0, m[k]+2*scale/size*over/float64(1+i/3))
			moved = moved || next != m[k]
			m[k] = next
		}
		if !moved {
			break
		}
		d.weigh(1, 0)
		copy(d.extra, m)
		low := try()
		for k := range n {
			low -= m[k] * job.Ceilings[k].Most
		}
		least = math.Max(least, low)
	}
	d.weigh(1, 0)
	d.aside = keep
	if math.IsInf(value, 1) {
		return value, least
	}
	d.best = append(d.best[:0], keep...)
	value = d.polish()
	return value, math.Min(least, value)
}

// polish changes one slot of freely interruptible work for another as long as
// that is cheaper and keeps under the ceilings, and returns what d.best costs.
func (d *desk) polish() float64 {
	job := d.job
	value := d.worthOf()
	w := int(d.best[0].Way)
	if job.Kind != Interruptible || job.Resume > 0 || job.MinRun > 1 || job.Pauses > 0 || len(job.Moves) > 0 || d.rise != nil {
		return value
	}
	d.look(0, w, job.Ways[w].KW, job.Ways[w].Use)
	total := d.total[0]
	in := resize(d.chosen, len(total))
	clear(in)
	for _, r := range d.best {
		for t := r.From; t < r.To; t++ {
			in[t-d.lo] = true
		}
	}
	d.chosen = in
	cell := d.in.Cell(job.Ways[w].Site, d.lo)
	kw := job.Ways[w].KW
	for range 100 {
		gain, out, into := 0.0, -1, -1
		for a := range total {
			if !in[a] {
				continue
			}
			for b := range total {
				if in[b] || total[b] == math.Inf(1) || total[a]-total[b] <= gain {
					continue
				}
				ok := true
				for k, c := range job.Ceilings {
					table := d.in.Cost[c.Table]
					ok = ok && d.sums[k]+kw*(table[cell+b]-table[cell+a]) <= c.Most
				}
				if ok {
					gain, out, into = total[a]-total[b], a, b
				}
			}
		}
		if out < 0 || gain <= 1e-12*math.Abs(value) {
			break
		}
		in[out], in[into] = false, true
		for k, c := range job.Ceilings {
			table := d.in.Cost[c.Table]
			d.sums[k] += kw * (table[cell+into] - table[cell+out])
		}
	}
	d.best = d.best[:0]
	for t, yes := range in {
		if yes {
			d.best = extend(d.best, d.lo+int32(t), int16(w), 0)
		}
	}
	return d.worthOf()
}
