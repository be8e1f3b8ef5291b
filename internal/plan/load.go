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

// load is what is taken of a site over time: use[i] from at[i] to at[i+1].
type load struct {
	at  []time.Duration
	use []amounts
}

// add puts need on [a, b); sign -1 takes it off again.
func (l *load) add(a, b time.Duration, need amounts, sign int64) {
	a = max(a, 0)
	if a >= b {
		return
	}
	i, j := l.cut(a), l.cut(b)
	for k := i; k < j; k++ {
		for r := range need {
			l.use[k][r] += sign * need[r]
		}
	}
	l.mend(j)
	l.mend(i)
}

// cut makes sure that a piece begins at t, and returns its index.
func (l *load) cut(t time.Duration) int {
	i := sort.Search(len(l.at), func(i int) bool { return l.at[i] >= t })
	if i < len(l.at) && l.at[i] == t {
		return i
	}
	var use amounts
	if i > 0 {
		use = l.use[i-1]
	}
	l.at, l.use = slices.Insert(l.at, i, t), slices.Insert(l.use, i, use)
	return i
}

// mend removes the cut before piece i if nothing changes there.
func (l *load) mend(i int) {
	var before amounts
	if i > 0 {
		before = l.use[i-1]
	}
	if l.use[i] == before {
		l.at, l.use = slices.Delete(l.at, i, i+1), slices.Delete(l.use, i, i+1)
	}
}

// crowded reports whether need, which is there already, is over room at any
// time in [a, b).
func (l *load) crowded(a, b time.Duration, need, room amounts) bool {
	i := max(sort.Search(len(l.at), func(i int) bool { return l.at[i] > a })-1, 0)
	for ; i < len(l.at) && l.at[i] < b; i++ {
		if over(l.use[i], need, room) {
			return true
		}
	}
	return false
}

// forever is later than everything.
const forever = 1<<63 - 1

// free returns, for each slot, how long need has room from the slot's start
// without a break: to the slot's own start if it has none.
func (l *load) free(need, room amounts, slots int, step time.Duration) []time.Duration {
	out := make([]time.Duration, slots)
	alone := over(need, need, room)
	next := time.Duration(forever)
	taken := func(k int) bool {
		sum := l.use[k]
		for r := range need {
			sum[r] += need[r]
		}
		return over(sum, need, room)
	}
	k := len(l.at) - 1
	hit := k >= 0 && taken(k)
	for i := slots - 1; i >= 0; i-- {
		start := time.Duration(i) * step
		for k >= 0 && l.at[k] > start {
			if hit {
				next = l.at[k]
			}
			k--
			hit = k >= 0 && taken(k)
		}
		out[i] = next
		if alone || hit {
			out[i] = start
		}
	}
	return out
}
