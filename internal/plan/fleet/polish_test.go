package fleet

import (
	"cmp"
	"math"
	"slices"
)

// greedily plans in as the field does: each job in turn takes the cheapest
// place that is left, those first that have least time to spare.
func greedily(in *Instance) Solution {
	order := make([]int32, len(in.Jobs))
	for j := range order {
		order[j] = int32(j)
	}
	spare := func(j int32) int32 { return in.Jobs[j].Due - in.Jobs[j].Release - in.Jobs[j].Ways[0].Need }
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(spare(a), spare(b)) })
	return inOrder(in, order, nil, 0)
}

func inOrder(in *Instance, order []int32, prices Prices, factor float64) Solution {
	s := Solution{First: make([]uint32, len(in.Jobs)+1), Prices: prices}
	p := newPolisher(in, &s)
	for _, j := range order {
		p.cost -= p.now.of[j].cost
		p.hands, p.wasAt = p.hands[:0], p.wasAt[:0]
		p.lift(j)
		if at := p.respondIn(int(j), ask{factor: factor}); at.way >= 0 {
			p.put(j, at, p.slots)
		}
		p.cost += p.now.of[j].cost
		p.keep()
	}
	copy(p.best.of, p.now.of)
	copy(p.best.slots, p.now.slots)
	p.write(&s)
	return s
}

// priced is price decomposition alone, in its plainest form: jobs in turn
// respond to prices that rise where too many want to be.
func priced(in *Instance, passes int) Solution {
	prices := make(Prices, len(in.Things))
	load := make([][]float64, len(in.Things))
	var perUse float64
	{
		var sum, use float64
		for j := range in.Jobs {
			w := &in.Jobs[j].Ways[0]
			sum += w.KW
			use += w.Use[0]
		}
		var mean float64
		for _, c := range in.Cost[0] {
			mean += c / float64(in.Cells())
		}
		perUse = mean * sum / use
	}
	rho := make([]float64, len(in.Things))
	for r := range prices {
		prices[r] = make([]float64, in.Cells())
		load[r] = make([]float64, in.Cells())
		rho[r] = .5 * perUse
		if r > 0 {
			rho[r] /= 4
		}
	}
	type at struct {
		spot
		slots []int32
	}
	where := make([]at, len(in.Jobs))
	h := newHand(in, nil)
	add := func(j int, sign float64) {
		if where[j].way < 0 || where[j].n == 0 {
			return
		}
		w := &in.Jobs[j].Ways[where[j].way]
		for _, t := range where[j].slots {
			for r, u := range w.Use {
				load[r][in.Cell(w.Site, t)] += sign * u
			}
		}
	}
	bound, best := math.Inf(-1), prices
	for range passes {
		for j := range in.Jobs {
			job := &in.Jobs[j]
			add(j, -1)
			for w := range job.Ways {
				for t := job.Release; t < job.Due; t++ {
					c := in.Cell(job.Ways[w].Site, t)
					for r, u := range job.Ways[w].Use {
						h.price[r][c] = max(0, prices[r][c]+rho[r]/in.Room[r][c]*(load[r][c]+u/2-in.Room[r][c]))
					}
				}
			}
			a := h.respondIn(j, ask{factor: 1, push: true})
			where[j] = at{a, append(where[j].slots[:0], h.slots...)}
			add(j, 1)
		}
		for r := range prices {
			for c := range prices[r] {
				prices[r][c] = max(0, prices[r][c]+rho[r]/in.Room[r][c]*(load[r][c]-in.Room[r][c]))
			}
		}
		if b := Bound(in, prices); b > bound {
			bound, best = b, Prices{}
			for r := range prices {
				best = append(best, slices.Clone(prices[r]))
			}
		}
	}
	order := make([]int32, len(in.Jobs))
	for j := range order {
		order[j] = int32(j)
	}
	spare := func(j int32) int32 { return in.Jobs[j].Due - in.Jobs[j].Release - in.Jobs[j].Ways[0].Need }
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(spare(a), spare(b)) })
	s := inOrder(in, order, best, 1)
	for _, factor := range []float64{1, .8, .6, .4, .2, 0} {
		p := newPolisher(in, &s)
		for _, j := range order {
			p.cost -= p.now.of[j].cost
			p.hands, p.wasAt = p.hands[:0], p.wasAt[:0]
			p.lift(j)
			if a := p.respondIn(int(j), ask{factor: factor}); a.way >= 0 {
				p.put(j, a, p.slots)
			}
			p.cost += p.now.of[j].cost
			p.keep()
		}
		if p.cost < s.Cost+s.Missing {
			copy(p.best.of, p.now.of)
			copy(p.best.slots, p.now.slots)
			p.write(&s)
		}
	}
	s.Bound = bound
	return s
}

func (s *Solution) Gapx(b float64) float64 { return (s.Cost + s.Missing - b) / b }
