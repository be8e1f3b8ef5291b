package fleet

import "math"

// The hot loops: nearly all the time of Solve is spent in this file. Each
// answers for one way of one job, in two steps: what every slot of the window
// costs, written out in a row, and then the cheapest slots of that row. Products
// are rounded by an explicit conversion, so that no machine fuses them into the
// sum and every machine finds the same plan.

// row writes what each slot of way w costs at the given prices.
func (c *crowd) row(w int32, table uint8, price []float64, row []float64) []float64 {
	p := &c.ways[w]
	from, n := int(p.site)*c.slots+int(p.lo), int(p.hi-p.lo)
	row = row[:n]
	cost, paid := c.in.Cost[table][from:from+n], price[from:from+n]
	kw, use := p.kw, p.use
	for i := range row {
		row[i] = float64(kw*cost[i]) + float64(use*paid[i])
	}
	for r := 1; r < c.things; r++ {
		use := c.use[int(w)*c.things+r]
		if use == 0 {
			continue
		}
		paid := price[r*c.cells+from:][:n]
		for i := range row {
			row[i] += float64(use * paid[i])
		}
	}
	if p.ragged {
		c.bar(w, table, row)
	}
	return row
}

// bar marks the slots of row that way w can never use.
func (c *crowd) bar(w int32, table uint8, row []float64) {
	p := &c.ways[w]
	from := int(p.site)*c.slots + int(p.lo)
	for _, d := range c.in.denied(p.denied) {
		for t := max(d.From, p.lo); t < min(d.To, p.lo+int32(len(row))); t++ {
			row[t-p.lo] = math.Inf(1)
		}
	}
	for i := range row {
		if math.IsNaN(c.in.Cost[table][from+i]) {
			row[i] = math.Inf(1)
		}
		for r := range c.things {
			if c.uses(w, r) > c.in.Room[r][from+i] {
				row[i] = math.Inf(1)
			}
		}
	}
}

// barFull marks the slots of row in which there is not enough room left for
// way w, and reports whether there were any.
func (c *crowd) barFull(w int32, left []float64, row []float64) bool {
	p := &c.ways[w]
	from := int(p.site)*c.slots + int(p.lo)
	any := false
	for r := range c.things {
		use := c.uses(w, r)
		if use == 0 {
			continue
		}
		left := left[r*c.cells+from:][:len(row)]
		for i := range row {
			if left[i] < use {
				row[i] = math.Inf(1)
				any = true
			}
		}
	}
	return any
}

// window returns the cheapest run of need slots in row, and what it costs;
// +Inf if there is none.
func window(row []float64, need int) (start int, least float64) {
	sum := 0.0
	for _, v := range row[:need] {
		sum += v
	}
	if math.IsInf(sum, 1) {
		return brokenWindow(row, need)
	}
	least = sum
	leave, enter := row[:len(row)-need], row[need:]
	for i, v := range enter {
		sum += v - leave[i]
		if sum < least {
			start, least = i+1, sum
		}
	}
	if math.IsNaN(sum) || math.IsInf(sum, 1) { // a barred slot came in: the sums after it mean nothing
		return brokenWindow(row, need)
	}
	return start, least
}

// brokenWindow is window for a row in which some slots are barred.
func brokenWindow(row []float64, need int) (start int, least float64) {
	least = math.Inf(1)
	sum, run := 0.0, 0
	for i, v := range row {
		if v == math.Inf(1) {
			sum, run = 0, 0
			continue
		}
		sum += v
		if run++; run > need {
			sum -= row[i-need]
			run = need
		}
		if run == need && sum < least {
			start, least = i+1-need, sum
		}
	}
	return start, least
}

// cheapest returns what the need cheapest slots of row cost together, +Inf if
// there are not so many, and the cost of the dearest of them. It uses spare.
func cheapest(row []float64, need int, spare []float64) (least, dearest float64) {
	if need == 1 {
		least = math.Inf(1)
		for _, v := range row {
			least = min(least, v)
		}
		return least, least
	}
	if need == len(row) {
		dearest = math.Inf(-1)
		for _, v := range row {
			least += v
			dearest = max(dearest, v)
		}
		return least, dearest
	}
	a := spare[:len(row)]
	copy(a, row)
	lo, hi := 0, len(a) // the need-th smallest is in a[lo:hi], all before lo are smaller or equal
	for hi-lo > 12 {
		// The middle of three as pivot, then a partition in one sweep.
		x, y, z := a[lo], a[(lo+hi)/2], a[hi-1]
		pivot := max(min(x, y), min(max(x, y), z))
		k := lo
		for i := lo; i < hi; i++ {
			v := a[i]
			a[i] = a[k]
			a[k] = v
			if v < pivot {
				k++
			}
		}
		switch {
		case k >= need:
			hi = k
		case k > lo:
			lo = k
		default: // nothing is smaller than the pivot: set its equals aside
			for i := lo; i < hi; i++ {
				v := a[i]
				a[i] = a[k]
				a[k] = v
				if v == pivot {
					k++
				}
			}
			if k >= need {
				lo, hi = need, need
				break
			}
			lo = k
		}
	}
	for i := lo + 1; i < hi; i++ {
		v := a[i]
		k := i
		for k > lo && a[k-1] > v {
			a[k] = a[k-1]
			k--
		}
		a[k] = v
	}
	dearest = math.Inf(-1)
	for _, v := range a[:need] {
		least += v
		dearest = max(dearest, v)
	}
	return least, dearest
}

// pick writes the need cheapest slots of row to held, first slot first, of
// equally cheap ones the earlier. The dearest of them costs dearest.
func pick(row []float64, need int, dearest float64, lo int32, held []int32) {
	below := 0
	for _, v := range row {
		if v < dearest {
			below++
		}
	}
	equal := need - below
	k := 0
	for i, v := range row {
		if v > dearest {
			continue
		}
		if v == dearest {
			if equal == 0 {
				continue
			}
			equal--
		}
		held[k] = lo + int32(i)
		if k++; k == need {
			return
		}
	}
}
