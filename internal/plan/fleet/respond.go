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
	// Least is a lower bound on Cost + Paid of whatever the job could do. It is
	// that of the answer itself, but where an exact answer would take too long.
	Least float64
}

// Total is what the job makes small.
func (a *Answer) Total() float64 { return a.Cost + a.Paid }

// Respond finds the cheapest thing that job j can do by itself at prices p,
// however full the cells are. It returns false if it finds none; there is none
// if a.Least is then +Inf. This is the plain form, one job at a time; Solve does
// the same for many at once.
func Respond(in *Instance, j int, p Prices, a *Answer) bool {
	d := newDesk(in)
	d.price = p
	return d.respond(j, a)
}

// respond is Respond in the world that the desk sees: its prices, what is left
// of the room, where runs may begin, and the window. The runs in a are kept from
// call to call, and overwritten.
func (d *desk) respond(j int, a *Answer) bool {
	d.sit(j)
	a.Cost, a.Paid, a.Runs = 0, 0, a.Runs[:0]
	if len(d.job.Ceilings) > 0 {
		return d.underCeilings(a)
	}
	var v float64
	v, a.Least = d.cheapest()
	if math.IsInf(v, 1) {
		return false
	}
	d.answer(d.best, a)
	return true
}

// answer writes runs into a.
func (d *desk) answer(runs []Run, a *Answer) {
	a.Runs = append(a.Runs[:0], runs...)
	a.Cost, a.Paid = d.settle(runs)
	if d.toll == nil {
		a.Least = math.Min(a.Least, a.Total()) // they were added up in another order
	}
}

func sortOffers(p []offer) {
	slices.SortFunc(p, func(a, b offer) int {
		if c := cmp.Compare(a.v, b.v); c != 0 {
			return c
		}
		return cmp.Compare(a.t, b.t)
	})
}

func sortSlots(p []offer) {
	slices.SortFunc(p, func(a, b offer) int { return cmp.Compare(a.t, b.t) })
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
	d := newDesk(in)
	d.price = p
	tied := make(map[int32]bool)
	for _, f := range families(in) {
		sum += d.limit(&f)
		for _, j := range f.jobs {
			tied[j] = true
		}
	}
	var a Answer
	for j := range in.Jobs {
		if !tied[int32(j)] {
			d.respond(j, &a)
			sum += math.Min(in.Jobs[j].Missing, a.Least)
		}
	}
	return sum
}
