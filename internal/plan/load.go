package plan

import (
	"slices"
	"sort"
	"time"

	"clusy.io/clusy/internal/workload"
)

// amounts is workload.Resources as numbers: CPU, memory, power, slots.
type amounts [4]int64

func parts(r workload.Resources) amounts { return amounts{r.CPU, r.Memory, int64(r.Power), r.Slots} }

func wanted(r workload.Resources) amounts {
	a := parts(r)
	for i, n := range a {
		a[i] = min(max(n, 0), mostAmount)
	}
	return a
}

func capacity(r workload.Resources) amounts {
	a := parts(r)
	for i, n := range a {
		if n != workload.Unlimited {
			// One less than the most that can be wanted: what was cut to
			// size must not fit by it.
			a[i] = min(max(n, 0), mostAmount-1)
		}
	}
	return a
}

// over reports whether need, which is part of use or added to it, is in
// trouble: a resource that it needs is used beyond room.
func over(use, need, room amounts) bool {
	for i := range need {
		if need[i] > 0 && room[i] != workload.Unlimited && use[i] > room[i] {
			return true
		}
	}
	return false
}

// load is what is taken of a site over time. It is kept in parts of some
// dozens of pieces, each with the most that is taken in it: so that adding to
// it and looking for room cost what they touch, and not what there is.
type load struct {
	parts []part
	cards *load // of accelerators, by the types that the site has; nil: none was ever taken
}

// part is a run of pieces: use[i]+plus is taken from at[i] to the next piece.
type part struct {
	at   []time.Duration
	use  []amounts
	plus amounts // on all of them
	top  amounts // the most of each thing that any of them takes, plus included
}

// mostPieces is how many pieces a part has before it is split.
const mostPieces = 96

func (a amounts) and(b amounts) amounts {
	for i := range a {
		a[i] += b[i]
	}
	return a
}

func (p *part) count() {
	top := p.use[0]
	for i := range p.use {
		u := &p.use[i]
		for r := range u {
			top[r] = max(top[r], u[r])
		}
	}
	p.top = top.and(p.plus)
}

// add puts need on [a, b); sign -1 takes it off again.
func (l *load) add(a, b time.Duration, need amounts, sign int64) {
	a = max(a, 0)
	if a >= b {
		return
	}
	for r := range need {
		need[r] *= sign
	}
	l.cut(a)
	l.cut(b)
	for i := l.find(a); i < len(l.parts) && l.parts[i].at[0] < b; i++ {
		p := &l.parts[i]
		if p.at[0] >= a && p.at[len(p.at)-1] < b {
			p.plus, p.top = p.plus.and(need), p.top.and(need)
			continue
		}
		for k := range p.at {
			if p.at[k] >= a && p.at[k] < b {
				p.use[k] = p.use[k].and(need)
			}
		}
		p.count()
	}
	l.mend(b)
	l.mend(a)
}

// find returns the part in which t is, the first one if t is before all.
func (l *load) find(t time.Duration) int {
	return max(sort.Search(len(l.parts), func(i int) bool { return l.parts[i].at[0] > t })-1, 0)
}

// cut makes sure that a piece begins at t.
func (l *load) cut(t time.Duration) {
	if len(l.parts) == 0 {
		l.parts = []part{{at: []time.Duration{t}, use: make([]amounts, 1)}}
		return
	}
	p := &l.parts[l.find(t)]
	k, found := slices.BinarySearch(p.at, t)
	if found {
		return
	}
	var use amounts
	if k > 0 {
		use = p.use[k-1]
	} else {
		for r := range use {
			use[r] = -p.plus[r] // nothing is taken before the first piece
		}
	}
	p.at, p.use = slices.Insert(p.at, k, t), slices.Insert(p.use, k, use)
	p.count()
	if len(p.at) > mostPieces {
		l.split(l.find(t))
	}
}

func (l *load) split(i int) {
	p, n := l.parts[i], mostPieces/2
	head := part{at: slices.Clip(p.at[:n]), use: slices.Clip(p.use[:n]), plus: p.plus}
	tail := part{at: slices.Clone(p.at[n:]), use: slices.Clone(p.use[n:]), plus: p.plus}
	head.count()
	tail.count()
	l.parts[i] = head
	l.parts = slices.Insert(l.parts, i+1, tail)
}

// mend removes the cut at t if nothing changes there.
func (l *load) mend(t time.Duration) {
	i := l.find(t)
	p := &l.parts[i]
	k, found := slices.BinarySearch(p.at, t)
	if !found {
		return
	}
	var before amounts
	switch {
	case k > 0:
		before = p.use[k-1].and(p.plus)
	case i > 0:
		last := &l.parts[i-1]
		before = last.use[len(last.use)-1].and(last.plus)
	}
	if p.use[k].and(p.plus) != before {
		return
	}
	if len(p.at) == 1 {
		l.parts = slices.Delete(l.parts, i, i+1)
		return
	}
	p.at, p.use = slices.Delete(p.at, k, k+1), slices.Delete(p.use, k, k+1)
	p.count()
}

// crowded reports whether need, which is there already, is over room at any
// time in [a, b).
func (l *load) crowded(a, b time.Duration, need, room amounts) bool {
	return l.any(a, b, func(use amounts) bool { return over(use, need, room) })
}

// lacks reports whether need, which is not there yet, would be over room at
// any time in [a, b).
func (l *load) lacks(a, b time.Duration, need, room amounts) bool {
	return l.any(a, b, func(use amounts) bool { return over(use.and(need), need, room) })
}

// any reports whether bad is true of what is taken at any time in [a, b); what
// is bad of some is bad of more.
func (l *load) any(a, b time.Duration, bad func(amounts) bool) bool {
	if len(l.parts) == 0 {
		return false
	}
	for i := l.find(a); i < len(l.parts) && l.parts[i].at[0] < b; i++ {
		p := &l.parts[i]
		if !bad(p.top) {
			continue
		}
		for k := range p.at {
			ends := k+1 == len(p.at) && i+1 < len(l.parts) && l.parts[i+1].at[0] <= a || k+1 < len(p.at) && p.at[k+1] <= a
			if p.at[k] < b && !ends && bad(p.use[k].and(p.plus)) {
				return true
			}
		}
	}
	return false
}

// forever is later than everything.
const forever = 1<<63 - 1

// free returns, for each slot from a time on, how long need has room from the
// slot's start without a break: to the slot's own start if it has none. Times
// are counted from that time.
func (l *load) free(need, room amounts, from time.Duration, slots int, step time.Duration) []time.Duration {
	out := make([]time.Duration, slots)
	start := func(i int) time.Duration { return time.Duration(i) * step }
	if over(need, need, room) {
		for i := range out {
			out[i] = start(i)
		}
		return out
	}
	// What may be taken of each thing that need is of, if there is to be room.
	var of [len(need)]int
	var most amounts
	n := 0
	for r := range need {
		if need[r] > 0 && room[r] != workload.Unlimited {
			of[n], most[r] = r, room[r]-need[r]
			n++
		}
	}
	limits := of[:n]
	full := func(use, plus *amounts) bool {
		for _, r := range limits {
			if use[r]+plus[r] > most[r] {
				return true
			}
		}
		return false
	}
	next, i := time.Duration(forever), slots-1
	var nothing amounts
	for n := len(l.parts) - 1; n >= 0 && i >= 0; n-- {
		p := &l.parts[n]
		if !full(&p.top, &nothing) {
			for ; i >= 0 && start(i) >= p.at[0]-from; i-- {
				out[i] = next
			}
			continue
		}
		for k := len(p.at) - 1; k >= 0 && i >= 0; k-- {
			at := p.at[k] - from
			taken := full(&p.use[k], &p.plus)
			for ; i >= 0 && start(i) >= at; i-- {
				if out[i] = next; taken {
					out[i] = start(i)
				}
			}
			if taken {
				next = at
			}
		}
	}
	for ; i >= 0; i-- {
		out[i] = next
	}
	return out
}

// pieces calls do with each piece of [a, b) and what is taken in it.
func (l *load) pieces(a, b time.Duration, do func(from, to time.Duration, use amounts)) {
	from, use := a, amounts{} // nothing is taken before the first piece
	for i := l.find(a); i < len(l.parts); i++ {
		p := &l.parts[i]
		for k, at := range p.at {
			if at >= b {
				do(from, b, use)
				return
			}
			if at > from {
				do(from, at, use)
				from = at
			}
			use = p.use[k].and(p.plus)
		}
	}
	do(from, b, use)
}
