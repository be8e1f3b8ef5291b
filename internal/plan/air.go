package plan

import (
	"math/bits"
	"sort"
	"time"

	"clusy.io/clusy/internal/grid"
)

// air is an outlook summed up over time, so that a mean is two look-ups and a
// division. It says to the last digit what the outlook says.
type air struct {
	at    []time.Duration // piece i begins here, counted from now; the last one is the end
	value []uint64
	hi    []uint64 // intensity × nanoseconds before it, in 128 bits
	lo    []uint64
	known []bool
	grade []grid.Grade
	same  []int // the first piece after i of another grade, or no longer known
}

func newAir(o grid.Outlook, now time.Time, length time.Duration) *air {
	a := &air{}
	var hi, lo uint64
	end := now.Add(length)
	for t := now; t.Before(end); {
		r, ok := o.At(t)
		next := o.Until(t, end)
		if !ok {
			r = grid.Reading{}
		}
		a.at, a.value, a.hi, a.lo = append(a.at, t.Sub(now)), append(a.value, uint64(r.Value)), append(a.hi, hi), append(a.lo, lo)
		a.known, a.grade = append(a.known, ok), append(a.grade, r.Grade)
		hi, lo = add128(hi, lo, uint64(r.Value), uint64(next.Sub(t)))
		t = next
	}
	a.same = make([]int, len(a.grade))
	for i := len(a.grade) - 1; i >= 0; i-- {
		if a.same[i] = i + 1; i+1 < len(a.grade) && a.grade[i+1] == a.grade[i] && a.known[i+1] == a.known[i] {
			a.same[i] = a.same[i+1]
		}
	}
	a.at = append(a.at, length)
	return a
}

// add128 adds a product to a sum of 128 bits.
func add128(hi, lo, x, y uint64) (uint64, uint64) {
	h, l := bits.Mul64(x, y)
	lo, carry := bits.Add64(lo, l, 0)
	hi, _ = bits.Add64(hi, h, carry)
	return hi, lo
}

// mean is what the outlook's Mean says of [from, to), which has some length.
// drawn is false if the sums do not reach that far.
func (a *air) mean(from, to time.Duration) (mean grid.Intensity, grade grid.Grade, known, drawn bool) {
	if a == nil || from < 0 || from >= to || to > a.at[len(a.at)-1] {
		return grid.Unknown, "", false, false
	}
	n := len(a.grade)
	first := sort.Search(n, func(i int) bool { return a.at[i+1] > from })
	last := first + sort.Search(n-first, func(i int) bool { return a.at[first+i+1] >= to })
	for i := first; i <= last; i = a.same[i] {
		if !a.known[i] {
			return grid.Unknown, "", false, true
		}
		grade = grid.Worse(grade, a.grade[i])
	}
	h0, l0 := add128(a.hi[first], a.lo[first], a.value[first], uint64(from-a.at[first]))
	h1, l1 := add128(a.hi[last], a.lo[last], a.value[last], uint64(to-a.at[last]))
	lo, borrow := bits.Sub64(l1, l0, 0)
	hi, _ := bits.Sub64(h1, h0, borrow)
	q, rest := bits.Div64(hi, lo, uint64(to-from))
	if rest > 0 {
		q++
	}
	return grid.Intensity(q), grade, true, true
}
