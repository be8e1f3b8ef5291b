package private

import (
	"fmt"
	"math"
)

// Announcement is what the coordinator says to an enclave.
type Announcement struct {
	Period   uint64
	Round    int
	Enclaves int       // that are left
	Rho      float64   // stiffness of the spring
	Prices   [][]int64 // by thing and cell, in steps
	// Load is that of all enclaves: what they answered, in quanta, or, from the
	// first admission on, what is granted, in units.
	Load [][]int64
	// Grant is what the enclave that is spoken to is granted, in units; nil
	// before there are admissions.
	Grant [][]int64
}

// Answer is what an enclave says. This and the time it takes is all that is
// ever learnt of its jobs.
type Answer struct {
	Period  uint64
	Round   int
	Enclave int
	// Values are by thing and cell, and none is below zero: the prices that the
	// enclave proposes, in steps; its load, in quanta; or the room that it
	// claims, in units. The phase of the round says which.
	Values [][]int64
	Bound  float64 // what its jobs cost at least, at the announced prices
}

const (
	lessons = 12 // passes in which an enclave learns prices by itself
	passes  = 2  // in a round of planning
)

// Answer answers an announcement. It refuses one that is not of this period, or
// of a round that it has answered, and then nothing has changed.
func (e *Enclave) Answer(a *Announcement) (*Answer, error) {
	t := e.terms
	if err := e.check(a); err != nil {
		return nil, err
	}
	if t.phase(a.Round) == Closed {
		return nil, fmt.Errorf("round %d is closed: nothing is answered to it, the plan is made by Close", a.Round)
	}
	e.next = a.Round + 1
	prices := t.times(a.Prices, t.step)
	out := &Answer{Period: a.Period, Round: a.Round, Enclave: e.id}
	switch t.phase(a.Round) {
	case Proposing:
		out.Values = e.propose(a)
	case Planning:
		e.look(prices, t.times(a.Load, func(r int) float64 { return t.Quantum[r] }), a.Rho, a.Enclaves, t.Turns)
		for range passes {
			e.pass()
		}
		out.Values = e.tell()
	case Admitting:
		e.admit(a, prices)
		out.Values = e.claim()
	}
	e.pick.any = false
	out.Bound = e.bound(prices)
	return out, nil
}

// Close makes the plan that is run: inside what is granted.
func (e *Enclave) Close(a *Announcement) error {
	if err := e.check(a); err != nil {
		return err
	}
	if e.terms.phase(a.Round) != Closed {
		return fmt.Errorf("round %d is not closed: answer it", a.Round)
	}
	e.next = a.Round + 1
	e.pick.any = true
	for r := range e.own { // what is granted costs nothing more
		clear(e.view.base[r])
		clear(e.view.slope[r])
	}
	e.within(e.terms.times(a.Grant, func(r int) float64 { return e.terms.Unit[r] }))
	e.fit()
	for range passes {
		e.pass()
	}
	return nil
}

func (e *Enclave) check(a *Announcement) error {
	t := e.terms
	switch {
	case a == nil:
		return fmt.Errorf("enclave %d heard no announcement", e.id)
	case a.Period != t.Period:
		return fmt.Errorf("period %d was announced to enclave %d, this is %d", a.Period, e.id, t.Period)
	case a.Round < e.next || a.Round > t.Rounds():
		return fmt.Errorf("round %d was announced to enclave %d, it can answer %d to %d", a.Round, e.id, e.next, t.Rounds())
	case a.Enclaves < 1 || a.Enclaves > len(t.Shares):
		return fmt.Errorf("%d enclaves were announced in round %d, there are 1 to %d", a.Enclaves, a.Round, len(t.Shares))
	case !(a.Rho >= 0) || math.IsInf(a.Rho, 0):
		return fmt.Errorf("a stiffness of %v was announced in round %d, it is 0 or more", a.Rho, a.Round)
	case t.phase(a.Round) == Closed && a.Grant == nil:
		return fmt.Errorf("round %d was announced without a grant", a.Round)
	}
	if err := t.check("an announced price", a.Prices, func(int, int) int64 { return mostSteps }); err != nil {
		return err
	}
	if err := t.check("an announced load", a.Load, func(int, int) int64 { return mostCount * MostEnclaves }); err != nil {
		return err
	}
	if a.Grant == nil {
		return nil
	}
	return t.check("a grant", a.Grant, t.mostClaim)
}

// propose plans as if all others were like this enclave, and returns at which
// prices they would keep to the room there is.
func (e *Enclave) propose(a *Announcement) [][]int64 {
	t, rho := e.terms, a.Rho
	all := 0.0
	for _, s := range t.Shares {
		all += s
	}
	alike := all / t.Shares[e.id]
	prices, total := t.grid(), t.grid()
	for lesson := range lessons {
		for r := range total {
			for c, own := range e.own[r] {
				total[r][c] = alike * own
				e.said[r][c] = own
			}
		}
		e.look(prices, total, rho, len(t.Shares), 1)
		e.pass()
		if lesson == 0 {
			continue // nobody had a place before it: that is no load to learn from
		}
		for r := range prices {
			for c, own := range e.own[r] {
				if s := t.spring(r, c, rho); s > 0 {
					prices[r][c] = max(0, prices[r][c]+s*(alike*own-e.in.Room[r][c]))
				}
			}
		}
	}
	out := t.whole()
	for r := range out {
		for c, p := range prices[r] {
			out[r][c] = int64(math.Round(min(p/t.step(r), mostSteps)))
		}
	}
	return out
}

// tell returns the load in quanta, rounded up and padded.
func (e *Enclave) tell() [][]int64 {
	t := e.terms
	out := t.whole()
	for r := range out {
		for c, own := range e.own[r] {
			e.said[r][c] = own
			padded := math.Ceil(max(0, own-hair*t.Unit[r])/t.Quantum[r] + e.dummy[r][c])
			out[r][c] = int64(min(padded, float64(t.mostLoad(r, c))))
		}
	}
	return out
}

// claim returns the room that the plan needs, in units.
func (e *Enclave) claim() [][]int64 {
	t := e.terms
	out := t.whole()
	for r := range out {
		for c, own := range e.own[r] {
			need := math.Ceil(max(0, own)/t.Unit[r] - hair)
			out[r][c] = int64(min(need, float64(t.mostClaim(r, c))))
		}
	}
	return out
}
