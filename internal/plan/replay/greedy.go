package replay

import (
	"cmp"
	"math"
	"slices"
)

// book is what is taken of sites, by slot.
type book struct {
	w    *World
	used [][]int64
}

func newBook(w *World) *book { return &book{w: w, used: make([][]int64, len(w.Sites))} }

func (b *book) fits(site, t int, cpu int64) bool {
	return t >= len(b.used[site]) && cpu <= b.w.Sites[site].CPU || t < len(b.used[site]) && b.used[site][t]+cpu <= b.w.Sites[site].CPU
}

func (b *book) put(p *Placed, from int, cpu int64) {
	for _, r := range p.Runs {
		for t := max(r.From, from); t < r.To; t++ {
			for len(b.used[p.Site]) <= t {
				b.used[p.Site] = append(b.used[p.Site], 0)
			}
			b.used[p.Site][t] += cpu
		}
	}
}

// cheapest returns the place with the least expected emission that is free, seen
// from slot t: of work that has left slots to do, by due if there is any, and else
// the first that is free.
func (b *book) cheapest(j *Job, sites []int, t, left int) Placed {
	var top Placed
	least := math.Inf(1)
	for _, s := range sites {
		e := b.w.Expected(s, t)
		pue := float64(b.w.Sites[s].PUE)
		if j.Pauses {
			var free []int
			for k := range j.Due - t {
				if b.fits(s, t+k, j.CPU) {
					free = append(free, k)
				}
			}
			if len(free) < left {
				continue
			}
			slices.SortStableFunc(free, func(x, y int) int { return cmp.Compare(e[x], e[y]) })
			free = free[:left]
			slices.Sort(free)
			p, sum := Placed{Site: s}, 0.0
			for _, k := range free {
				p.add(t + k)
				sum += e[k] * pue
			}
			if sum < least {
				top, least = p, sum
			}
			continue
		}
		clear, sum := 0, 0.0 // since when all is free, and what the last slots cost
		for k := range j.Due - t {
			if !b.fits(s, t+k, j.CPU) {
				clear = k + 1
			}
			if sum += e[k] * pue; k >= left {
				sum -= e[k-left] * pue
			}
			if k+1-clear >= left && sum < least-1e-9 {
				top, least = Placed{Site: s, Runs: []Run{{t + k + 1 - left, t + k + 1}}}, sum
			}
		}
	}
	if top.Runs == nil {
		return b.first(j, sites, t, left)
	}
	return top
}

// first returns the earliest free place, however late.
func (b *book) first(j *Job, sites []int, t, left int) Placed {
	var top Placed
	for _, s := range sites {
		p := Placed{Site: s}
		for k, n := t, 0; n < left; k++ {
			switch {
			case b.fits(s, k, j.CPU):
				p.add(k)
				n++
			case !j.Pauses:
				p.Runs, n = nil, 0
			}
		}
		if top.Runs == nil || p.End() < top.End() {
			top = p
		}
	}
	return top
}

// greedyByArrival gives each job the best place that those before it have left,
// for good.
func greedyByArrival(w *World) []Placed {
	b, out := newBook(w), make([]Placed, len(w.Jobs))
	for i := range w.Jobs {
		j := &w.Jobs[i]
		out[i] = b.cheapest(j, j.Sites, j.Arrive, j.Length)
		b.put(&out[i], 0, j.CPU)
	}
	return out
}

// greedyBySlack does so anew in each slot with all that does not run, those
// first that can wait least.
func greedyBySlack(w *World) []Placed {
	out := make([]Placed, len(w.Jobs))
	var open []visitor
	next := 0
	for t := 0; next < len(w.Jobs) || len(open) > 0; t++ {
		if len(open) == 0 {
			t = max(t, w.Jobs[next].Arrive)
		}
		for ; next < len(w.Jobs) && w.Jobs[next].Arrive == t; next++ {
			open = append(open, visitor{Job: &w.Jobs[next], index: next, left: w.Jobs[next].Length})
		}
		b := newBook(w)
		for i := range open {
			if v := &open[i]; v.begun && !v.Pauses {
				b.put(&Placed{Site: v.wish.site, Runs: []Run{{t, t + v.left}}}, t, v.CPU)
			}
		}
		order := make([]*visitor, 0, len(open))
		for i := range open {
			order = append(order, &open[i])
		}
		slices.SortStableFunc(order, func(x, y *visitor) int { return cmp.Compare(x.Due-x.left, y.Due-y.left) })
		for _, v := range order {
			runs := v.begun && !v.Pauses
			if !runs {
				sites := v.Sites
				if v.begun {
					sites = []int{v.wish.site}
				}
				p := b.cheapest(v.Job, sites, t, v.left)
				b.put(&p, t, v.CPU)
				if runs = p.Runs[0].From == t; runs {
					v.wish.site, v.begun = p.Site, true
				}
			}
			if runs {
				out[v.index].Site = v.wish.site
				out[v.index].add(t)
				v.left--
			}
		}
		open = slices.DeleteFunc(open, func(v visitor) bool { return v.left == 0 })
	}
	return out
}
