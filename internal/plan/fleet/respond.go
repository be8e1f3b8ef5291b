package fleet

import (
	"cmp"
	"math"
	"slices"
)

// Answer is what one job does at given prices.
type Answer struct {
	Runs []Run
	Cost float64 // of its energy, and Fixed
	Paid float64 // for what it uses, at the prices
}

// Total is what the job makes small.
func (a *Answer) Total() float64 { return a.Cost + a.Paid }

// Respond finds the cheapest thing that job j can do by itself at prices p,
// however full the cells are. It returns false if there is none, whatever the
// prices are. This is the plain form, one job at a time; Solve does the same
// for many at once.
func Respond(in *Instance, j int, p Prices, a *Answer) bool {
	job := &in.Jobs[j]
	found := false
	for w := range job.Ways {
		var b Answer
		ok := false
		switch {
		case job.Kind == Rigid:
			ok = respondRigid(in, job, w, p, &b)
		case job.Kind == Interruptible && job.Resume == 0 && job.MinRun <= 1 && job.Pauses == 0:
			ok = respondFreely(in, job, w, p, &b)
		}
		if ok && (!found || b.Total() < a.Total()) {
			*a, found = b, true
		}
	}
	return found
}

// cellCost returns what a slot of way w costs, and what is paid for it; ok is
// false if the slot cannot be used.
func cellCost(in *Instance, job *Job, w int, t int32, p Prices) (cost, paid float64, ok bool) {
	way := &job.Ways[w]
	cell := in.Cell(way.Site, t)
	c := in.Cost[job.Table][cell]
	if math.IsNaN(c) {
		return 0, 0, false
	}
	for r, u := range way.Use {
		if u > in.Room[r][cell] {
			return 0, 0, false
		}
		paid += u * p[r][cell]
	}
	return way.KW * c, paid, true
}

func respondRigid(in *Instance, job *Job, w int, p Prices, a *Answer) bool {
	way := &job.Ways[w]
	found := false
	for s := max(job.Release, way.From); s+way.Need <= job.Due; s++ {
		b := Answer{Cost: way.Fixed}
		usable := true
		for t := s; t < s+way.Need && usable; t++ {
			c, paid, ok := cellCost(in, job, w, t, p)
			usable = ok
			b.Cost, b.Paid = b.Cost+c, b.Paid+paid
		}
		if usable && (!found || b.Total() < a.Total()) {
			b.Runs = []Run{{From: s, To: s + way.Need, Way: int16(w)}}
			*a, found = b, true
		}
	}
	return found
}

func respondFreely(in *Instance, job *Job, w int, p Prices, a *Answer) bool {
	way := &job.Ways[w]
	type slot struct {
		t          int32
		cost, paid float64
	}
	var all []slot
	for t := max(job.Release, way.From); t < job.Due; t++ {
		if c, paid, ok := cellCost(in, job, w, t, p); ok {
			all = append(all, slot{t, c, paid})
		}
	}
	if len(all) < int(way.Need) {
		return false
	}
	slices.SortStableFunc(all, func(a, b slot) int { return cmp.Compare(a.cost+a.paid, b.cost+b.paid) })
	all = all[:way.Need]
	slices.SortFunc(all, func(a, b slot) int { return cmp.Compare(a.t, b.t) })
	a.Cost, a.Paid, a.Runs = way.Fixed, 0, nil
	for _, s := range all {
		a.Cost, a.Paid = a.Cost+s.cost, a.Paid+s.paid
		if n := len(a.Runs); n > 0 && a.Runs[n-1].To == s.t {
			a.Runs[n-1].To++
		} else {
			a.Runs = append(a.Runs, Run{From: s.t, To: s.t + 1, Way: int16(w)})
		}
	}
	return true
}

// Bound returns a lower bound on Cost + Missing of every plan for in, derived
// from prices p in one pass: what each job costs at its best if it pays for
// what it uses, less what all the room there is would be paid for.
func Bound(in *Instance, p Prices) float64 {
	var sum float64
	for r := range p {
		for c, price := range p[r] {
			if price > 0 {
				sum -= price * in.Room[r][c]
			}
		}
	}
	for j := range in.Jobs {
		var a Answer
		if least := in.Jobs[j].Missing; Respond(in, j, p, &a) && a.Total() < least {
			sum += a.Total()
		} else {
			sum += least
		}
	}
	return sum
}
