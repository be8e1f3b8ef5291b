package plan

import (
	"container/heap"
	"math"
	"slices"
	"time"
)

// maxPauses is how often a plan suspends work for which a suspension has a
// price, a shortest run or a number. With days of horizon, more than a few
// pauses only follow the noise; work that pauses for nothing has no limit.
const maxPauses = 12

// mostCells bounds the table of a search for pauses: about 100 MB. Work too
// long for it runs with fewer pauses, or with none.
const mostCells = 6_000_000

const none = math.MaxInt64 / 4

// weights is what using a slot costs. Part gives the same for the first d of
// each slot. Slots whose weight is not known are not used.
type weights struct {
	slot  []int64
	known []bool
	part  func(d time.Duration) ([]int64, []bool)
	lift  int64 // by which each millisecond is heavier than it should be
}

// carbonWeights weighs a slot by its intensity at a site.
func (f *frame) carbonWeights(site int) weights { return f.weigh(f.places[site].curve) }

// weigh weighs a slot by a curve.
func (f *frame) weigh(c *curve) weights {
	w, known := c.whole, c.sure
	if len(w) != f.slots {
		w, known = c.each(f.slots, f.step, f.step)
	}
	return weights{w, known, func(d time.Duration) ([]int64, []bool) { return c.each(f.slots, f.step, d) }, c.lift}
}

// noWeights weighs nothing, so that only the finish counts.
func (f *frame) noWeights() weights {
	known := make([]bool, f.slots)
	for i := range known {
		known[i] = true
	}
	none := make([]int64, f.slots)
	return weights{none, known, func(time.Duration) ([]int64, []bool) { return none, known }, 0}
}

// frontier is the least weight of paused work by the slot in which it ends.
type frontier struct {
	least []int64 // none if it cannot end there
	trace func(slot int) []stretch
}

// best returns the slot in which the lightest run ends, the earliest of equals.
func (fr frontier) best() (slot int, ok bool) {
	slot = -1
	for i, w := range fr.least {
		if w < none && (slot < 0 || w < fr.least[slot]) {
			slot = i
		}
	}
	return slot, slot >= 0
}

// paused finds the lightest ways to run t with at most so many pauses, whose
// booked time ends by limit, in the room that free tells of.
func (f *frame) paused(t *task, w weights, free []time.Duration, pauses int, limit time.Duration) frontier {
	in := t.Shape.Interruptible
	if in.Overhead <= 0 && in.MinRun <= 0 && pauses == anyPauses {
		return f.pausedFreely(t, w, free, limit)
	}
	return f.pausedByRule(t, w, free, min(pauses, maxPauses), limit)
}

// pausedFreely is for work that pauses at no cost: of the slots before its
// last one it uses the lightest. Exact.
func (f *frame) pausedFreely(t *task, w weights, free []time.Duration, limit time.Duration) frontier {
	k := f.slotsIn(t.left)
	rest := t.left - f.slot(k-1)
	last, known := w.part(rest)
	fr := frontier{least: make([]int64, f.slots)}
	usable := func(i int) bool { return w.known[i] && free[i] >= f.slot(i+1) }

	h := &heaviest{w: w.slot}
	var sum int64
	for i := range fr.least {
		fr.least[i] = none
		if i < t.first {
			continue
		}
		end := f.slot(i) + rest + t.tail
		if h.Len() == k-1 && known[i] && free[i] >= end && end <= limit {
			fr.least[i] = sum + last[i]
		}
		if k == 1 || !usable(i) {
			continue
		}
		if h.Len() < k-1 {
			heap.Push(h, i)
			sum += w.slot[i]
		} else if w.slot[i] < w.slot[h.slots[0]] {
			sum += w.slot[i] - w.slot[h.slots[0]]
			h.slots[0] = i
			heap.Fix(h, 0)
		}
	}
	fr.trace = func(end int) []stretch {
		var used []int
		for i := t.first; i < end; i++ {
			if usable(i) {
				used = append(used, i)
			}
		}
		slices.SortStableFunc(used, func(a, b int) int { return cmpInt(w.slot[a], w.slot[b]) })
		used = used[:k-1]
		slices.Sort(used)
		return f.join(append(used, end), rest)
	}
	return fr
}

// join makes runs of slots, the last of which is used for rest.
func (f *frame) join(slots []int, rest time.Duration) []stretch {
	var out []stretch
	for n, i := range slots {
		to := f.slot(i + 1)
		if n == len(slots)-1 {
			to = f.slot(i) + rest
		}
		if len(out) > 0 && out[len(out)-1].to == f.slot(i) {
			out[len(out)-1].to = to
		} else {
			out = append(out, stretch{f.slot(i), to})
		}
	}
	return out
}

func cmpInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// heaviest is a heap of slots with the heaviest, of equals the latest, on top.
type heaviest struct {
	w     []int64
	slots []int
}

func (h *heaviest) Len() int      { return len(h.slots) }
func (h *heaviest) Swap(i, j int) { h.slots[i], h.slots[j] = h.slots[j], h.slots[i] }
func (h *heaviest) Push(x any)    { h.slots = append(h.slots, x.(int)) }
func (h *heaviest) Pop() any {
	x := h.slots[len(h.slots)-1]
	h.slots = h.slots[:len(h.slots)-1]
	return x
}
func (h *heaviest) Less(i, j int) bool {
	a, b := h.slots[i], h.slots[j]
	if h.w[a] != h.w[b] {
		return h.w[a] > h.w[b]
	}
	return a > b
}
