package plan

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"clusy.io/clusy/internal/grid"
)

const (
	// mostThread is how many tasks of a thread are placed anew together.
	mostThread = 256
	// mostThreads is how many threads are tried in a round, and mostLinks how
	// many tasks in line may be for it to be tried at all.
	mostThreads, mostLinks = 64, 1_500
)

// threads betters the plan where one task at a time cannot: of two that wait for
// each other, the first cannot go later before the second does. It takes out
// threads of tasks, each of which waits for the one before it, and places each
// thread anew as a whole: exactly, as no two of a thread are ever at a site at
// once. It keeps what is better by enough.
func (f *frame) threads(ts []*task) {
	if len(f.chain) == 0 || len(f.chain) > mostLinks {
		return
	}
	for range rounds {
		gained := false
		for _, th := range f.pulled(ts) {
			gained = f.rethread(th) || gained
		}
		if !gained {
			return
		}
		f.better(ts)
	}
}

// pulled lists threads of ts, so that each who waits for one of them is next to it
// in one thread, as far as so many threads go.
func (f *frame) pulled(ts []*task) (out [][]*task) {
	mine := map[*task]bool{}
	for _, t := range ts {
		mine[t] = t.placed && !t.Running && t.flaw == sound && t.at.known && t.cleans() && len(t.at.runs) == 1 &&
			t.by != BindingMinSaving && t.Shape.Objective.MinSaving == 0 && t.hold < 0 && !t.elastic() && t.declared == nil && !t.fetches
	}
	tied := map[[2]*task]bool{} // those next to each other in a thread
	// next is the one behind t that has the least time, of those not tied to it yet.
	next := func(t *task, again bool) (best *task) {
		for _, q := range t.behind {
			if mine[q] && (again || !tied[[2]*task{t, q}]) && (best == nil || q.last < best.last) {
				best = q
			}
		}
		return best
	}
	for _, t := range f.chain {
		for mine[t] && len(out) < mostThreads {
			q := next(t, false)
			if q == nil {
				break
			}
			th := []*task{t}
			for at := t; q != nil && len(th) < mostThread; {
				tied[[2]*task{at, q}] = true
				th, at = append(th, q), q
				if q = next(at, false); q == nil {
					q = next(at, true)
				}
			}
			out = append(out, th)
		}
	}
	return out
}

// rethread places the tasks of a thread anew where all together emit least, and
// reports whether that is better by enough; if not, they are back where they were.
func (f *frame) rethread(th []*task) bool {
	for _, t := range th {
		if !t.placed || t.flaw != sound || len(t.at.runs) != 1 || !t.at.known {
			return false // another thread has moved it
		}
	}
	was := f.stays(th)
	for _, t := range th {
		f.take(t)
	}
	found := true
	var before links
	table := make([]links, len(th))
	for k, t := range th {
		// Those beside the thread bound it, those in it by their places in it.
		f.window(t, false)
		var row links
		for _, site := range t.sites {
			f.tries(t, site, f.freeAt(t, site), true, nil, func(c *try) {
				if c.full || c.late || c.denied || !c.known || !c.affordable {
					return
				}
				l := link{site: site, run: stretch{c.from, c.to}, reserved: c.reserved, sum: c.carbon, prev: -1}
				if k > 0 {
					if l.prev = before.doneBy(c.from); l.prev < 0 {
						return
					}
					l.sum += before[l.prev].sum
				}
				row = append(row, l)
			})
		}
		if found = len(row) > 0; !found {
			break
		}
		row.order()
		table[k], before = row, row
	}
	if found {
		at := before[len(before)-1].least
		for k, t := range slices.Backward(th) {
			l := table[k][at]
			f.put(t, f.measure(t, l.site, []stretch{l.run}), BindingNone)
			at = l.prev
		}
		sound := !slices.ContainsFunc(th, func(t *task) bool { return f.flawOf(t, t.at) != sound })
		if sound && f.pays(th, was, 0) {
			return true
		}
		for _, t := range th {
			f.take(t)
		}
	}
	f.restore(th, was)
	return false
}

// link is a place of one task of a thread, with the least that the thread emits
// up to it.
type link struct {
	site     int
	run      stretch
	reserved time.Duration
	sum      grid.Carbon
	prev     int // the place of the one before it
	least    int // of those that are done no later, the place with the least sum
}

type links []link

func (ls links) order() {
	slices.SortStableFunc(ls, func(a, b link) int { return cmp.Compare(a.reserved, b.reserved) })
	for i := range ls {
		ls[i].least = i
		if i > 0 && ls[ls[i-1].least].sum <= ls[i].sum {
			ls[i].least = ls[i-1].least
		}
	}
}

// doneBy returns the place with the least sum of those that are done by a time,
// -1 if there is none.
func (ls links) doneBy(at time.Duration) int {
	n := sort.Search(len(ls), func(i int) bool { return ls[i].reserved > at })
	if n == 0 {
		return -1
	}
	return ls[n-1].least
}
