package fleet

import "math"

// Arrays with a limit on how many run at once. The limit has prices of its own,
// tolls, which everybody can find again from the prices alone: they begin at
// nothing, and some rounds of choosing, one job after the other, raise them
// where too many run. What all would do at the tolls, less what the limit is
// worth at them, is a bound.

// tollRounds is how often the jobs of arrays choose while tolls are found: to
// find a place, and to find a bound.
const (
	tollRounds  = 6
	boundRounds = 24
)

// charge sets the tolls of job i.
func (d *desk) charge(f *family, i int) {
	x := &d.ties
	d.toll = nil
	if !x.charged || len(f.of[i]) == 0 {
		return
	}
	x.sum = resize(x.sum, d.in.Slots())
	clear(x.sum)
	for _, a := range f.of[i] {
		for t, v := range x.toll[a] {
			x.sum[t] += v
		}
	}
	d.toll = x.sum
}

// arrayed finds tolls for the arrays of f, leaves them in d.ties, and returns a
// lower bound on what the jobs come to.
func (d *desk) arrayed(f *family, rounds int) (least float64) {
	x := &d.ties
	slots := d.in.Slots()
	x.charged = false
	least = d.heads(f)
	x.toll = rows(x.toll, len(f.arrays), slots)
	for a := range f.arrays {
		clear(x.toll[a])
	}
	d.clearCounts(f)
	x.loose = resize(x.loose, len(f.jobs))
	size, work := 0.0, 0.0
	for i, j := range f.jobs {
		x.loose[i].Runs = x.loose[i].Runs[:0]
		size += math.Min(math.Abs(x.low[i]), x.none[i])
		work += float64(d.in.Jobs[j].Ways[0].Need)
	}
	unit := size / work
	for round := range rounds {
		step := unit / (1 + float64(round)/6)
		for i, j := range f.jobs {
			d.count(f, i, -1)
			d.soften(f, i, step)
			a := &x.loose[i]
			if !d.respond(int(j), a) || a.Least >= d.in.Jobs[j].Missing {
				a.Runs = a.Runs[:0]
			}
			d.count(f, i, 1)
		}
		d.toll = nil
		for a := range f.arrays {
			most := d.in.Arrays[f.arrays[a]].Most
			for t, n := range x.count[a] {
				x.toll[a][t] = math.Max(0, x.toll[a][t]+step*float64(n-most)/float64(most))
			}
		}
		if round%6 == 5 {
			x.charged = true
			bound := d.heads(f)
			x.charged = false
			for a := range f.arrays {
				for _, v := range x.toll[a] {
					bound -= v * float64(d.in.Arrays[f.arrays[a]].Most)
				}
			}
			least = math.Max(least, bound)
		}
	}
	d.clearCounts(f)
	d.heads(f)
	return least
}

// count adds what job i does in d.ties.loose to the counts, sign times.
func (d *desk) count(f *family, i int, sign int32) {
	x := &d.ties
	for _, a := range f.of[i] {
		for _, r := range x.loose[i].Runs {
			for t := r.From; t < r.To; t++ {
				x.count[a][t] += sign
			}
		}
	}
}

// soften sets the tolls of job i as they rise with the others' choices.
func (d *desk) soften(f *family, i int, step float64) {
	x := &d.ties
	x.sum = resize(x.sum, d.in.Slots())
	clear(x.sum)
	for _, a := range f.of[i] {
		most := float64(d.in.Arrays[f.arrays[a]].Most)
		for t, v := range x.toll[a] {
			x.sum[t] += math.Max(0, v+step*(float64(x.count[a][t])+0.5-most)/most)
		}
	}
	d.toll = x.sum
}

// tolled lets the jobs of arrays choose in order once more, at the tolls, and
// keeps what is better.
func (d *desk) tolled(f *family, ans []Answer, total float64) float64 {
	x := &d.ties
	d.takeAll(f, ans, -1)
	x.trial = resize(x.trial, len(f.jobs))
	x.charged = true
	d.heads(f)
	t := d.forward(f, x.trial, false)
	x.charged = false
	d.heads(f)
	if t < total {
		for i := range ans {
			ans[i], x.trial[i] = x.trial[i], ans[i]
		}
		return t
	}
	d.takeAll(f, x.trial, -1)
	d.takeAll(f, ans, 1)
	return total
}
