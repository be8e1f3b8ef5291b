package plan

import "time"

// table is the dynamic program for work whose pauses have rules. A state is
// (pauses so far, slots gone by, slots used); its value is the least weight.
//
//	on:  the slot before was used, and the run may be suspended here
//	off: the slot before was idle, after a run that was suspended
//
// A run that will be suspended must last its shortest time: to begin one jumps
// that far. The last run may be shorter, as it ends by being complete. Every
// pause adds one overhead to the running time, so the number of slots that
// complete the work depends on the pauses so far.
type table struct {
	f      *frame
	t      *task
	w      weights
	limit  time.Duration
	free   []time.Duration
	cum    []int64 // weight of all usable slots before
	bad    []int   // unusable slots before
	n      int     // slots of the table
	width  int     // most slots used, and one
	on     [][]int64
	off    [][]int64
	need   []int           // slots that complete the work, by pauses
	rest   []time.Duration // how much of the last one
	part   [][]int64       // weight of that, by slot
	partOK [][]bool
	again  int // shortest run after a pause, in slots
	begin  int // shortest first run; of a run under way, what it still lacks
}

func (f *frame) pausedByRule(t *task, w weights, free []time.Duration, pauses int, limit time.Duration) frontier {
	tb := &table{f: f, t: t, w: w, free: free, limit: limit}
	// Nothing that ends later than limit counts: the table is no longer.
	tb.n = f.slots
	if limit < f.slot(f.slots) {
		tb.n = min(f.slots, max(f.slotsIn(limit-t.tail), 0)+1)
	}
	tb.prepare(pauses)
	fr := frontier{least: make([]int64, f.slots)}
	by := make([]int, f.slots) // the number of pauses of the lightest
	for i := range fr.least {
		fr.least[i] = none
	}
	for r := range tb.need {
		tb.fill(r)
		for i := t.first; i < tb.n; i++ {
			v, _ := tb.finish(r, i)
			if v < fr.least[i] || v < none && v == fr.least[i] && tb.rest[r] < tb.rest[by[i]] {
				fr.least[i], by[i] = v, r
			}
		}
	}
	fr.trace = func(end int) []stretch { return f.join(tb.trace(by[end], end), tb.rest[by[end]]) }
	return fr
}

func (tb *table) prepare(pauses int) {
	f, t := tb.f, tb.t
	tb.cum, tb.bad = make([]int64, f.slots+1), make([]int, f.slots+1)
	for i := range f.slots {
		tb.cum[i+1], tb.bad[i+1] = tb.cum[i]+tb.w.slot[i], tb.bad[i]
		if !tb.w.known[i] || tb.free[i] < f.slot(i+1) {
			tb.cum[i+1], tb.bad[i+1] = tb.cum[i], tb.bad[i]+1
		}
	}
	o := t.overhead()
	// A run that is resumed and suspended again within its overhead undoes
	// work. It needs no rule: leaving it out is never heavier.
	tb.again = max(f.slotsIn(t.minRun()), 1)
	tb.begin = tb.again
	if t.Running {
		tb.begin = f.slotsIn(max(t.minRun()-t.ran(f), 0))
	}
	for r := 0; r <= pauses; r++ {
		work := t.left + t.lead + time.Duration(r)*o
		k := f.slotsIn(work)
		if k > f.slots || (r+1)*(f.slots+1)*(k+1) > mostCells {
			break
		}
		rest := work - f.slot(k-1)
		part, ok := tb.w.part(rest)
		tb.need, tb.rest = append(tb.need, k), append(tb.rest, rest)
		tb.part, tb.partOK = append(tb.part, part), append(tb.partOK, ok)
		tb.width = k + 1
	}
}

func (tb *table) cell(i, j int) int { return i*tb.width + j }

// usable reports whether all slots in [i, j) can be used.
func (tb *table) usable(i, j int) bool { return tb.bad[i] == tb.bad[j] }

// starts returns the value of beginning the run after r pauses at slot i, with
// j slots used before.
func (tb *table) starts(r, i, j int) int64 {
	if r > 0 {
		return tb.off[r-1][tb.cell(i, j)]
	}
	if j == 0 && (i == 0 || !tb.t.Running) && i >= tb.t.first {
		return 0
	}
	return none
}

// shortest returns how many slots the run after r pauses lasts if it is to be
// suspended.
func (tb *table) shortest(r int) int {
	if r == 0 {
		return tb.begin
	}
	return tb.again
}

// fill works out on and off after r pauses.
func (tb *table) fill(r int) {
	n := tb.n
	on, off := make([]int64, (n+1)*tb.width), make([]int64, (n+1)*tb.width)
	tb.on, tb.off = append(tb.on, on), append(tb.off, off)
	least := tb.shortest(r)
	for i := 0; i <= n; i++ {
		row, idle := tb.row(on, i), tb.row(off, i)
		// Go on with a run, or go on being idle. Sums that begin with none
		// stay none or more, which is all that is asked of them.
		if i > 0 && tb.usable(i-1, i) {
			w := tb.w.slot[i-1]
			row[0] = none
			to := row[1:]
			for j, v := range tb.row(on, i-1)[:len(to)] {
				to[j] = v + w
			}
		} else {
			for j := range row {
				row[j] = none
			}
		}
		for j := tb.need[r]; j < len(row); j++ {
			row[j] = none // the work is complete
		}
		if i > 0 {
			rested, before := tb.row(off, i-1)[:len(idle)], tb.row(on, i-1)[:len(idle)]
			for j := range idle {
				idle[j] = min(rested[j], before[j])
			}
		} else {
			for j := range idle {
				idle[j] = none
			}
		}
		// Begin one that lasts just long enough to be suspended here.
		if i < least || !tb.usable(i-least, i) || least >= tb.need[r] {
			continue
		}
		w := tb.cum[i] - tb.cum[i-least]
		if r == 0 { // a first run begins with nothing used
			if tb.starts(0, i-least, 0) < none {
				row[least] = min(row[least], w)
			}
			continue
		}
		to := row[least:tb.need[r]]
		for j, v := range tb.row(tb.off[r-1], i-least)[:len(to)] {
			to[j] = min(to[j], v+w)
		}
	}
}

// row returns the values of a table at slot i, by slots used.
func (tb *table) row(of []int64, i int) []int64 { return of[i*tb.width : (i+1)*tb.width] }

// finish returns the least weight of completing the work in slot i after r
// pauses, and how many slots its last run has: 0 if it goes on from a run that
// could have been suspended.
func (tb *table) finish(r, i int) (v int64, length int) {
	v = none
	end := tb.f.slot(i) + tb.rest[r] + tb.t.tail
	if !tb.partOK[r][i] || tb.free[i] < end || end > tb.limit {
		return none, 0
	}
	if k := tb.need[r] - 1; k >= 0 {
		v = min(v, tb.on[r][tb.cell(i, k)])
	}
	least := tb.shortest(r)
	// A last run that is shorter than what may be suspended.
	for q := 1; q <= least && q <= tb.need[r] && q <= i+1; q++ {
		from := i - q + 1
		if !tb.usable(from, i) {
			break
		}
		if s := tb.starts(r, from, tb.need[r]-q); s < none && s+tb.cum[i]-tb.cum[from] < v {
			v, length = s+tb.cum[i]-tb.cum[from], q
		}
	}
	if v >= none {
		return none, 0
	}
	// More pauses are more work, and lifted by more.
	work := tb.f.slot(tb.need[r]-1) + tb.rest[r]
	return v + tb.part[r][i] - tb.w.lift*work.Milliseconds(), length
}

// trace returns the slots of the lightest way to end in slot end after r pauses.
func (tb *table) trace(r, end int) []int {
	var back []int
	_, length := tb.finish(r, end)
	i, j := end, tb.need[r]-1 // before slot i, j slots are used
	back = append(back, end)
	take := func(n int) {
		for range n {
			i, j = i-1, j-1
			back = append(back, i)
		}
	}
	running := length == 0
	if !running {
		take(length - 1)
	}
	for {
		least := tb.shortest(r)
		for running {
			v := tb.on[r][tb.cell(i, j)]
			if i > 0 && j > 0 && tb.usable(i-1, i) && tb.on[r][tb.cell(i-1, j-1)] < none && tb.on[r][tb.cell(i-1, j-1)]+tb.w.slot[i-1] == v {
				take(1)
				continue
			}
			take(least)
			running = false
		}
		if r == 0 {
			break
		}
		// Slot i−1 was idle; back to the end of the run before.
		r--
		for i--; tb.on[r][tb.cell(i, j)] != tb.off[r][tb.cell(i+1, j)]; i-- {
		}
		running = true
	}
	for a, b := 0, len(back)-1; a < b; a, b = a+1, b-1 {
		back[a], back[b] = back[b], back[a]
	}
	return back
}
