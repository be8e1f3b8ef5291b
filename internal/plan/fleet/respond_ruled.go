package fleet

import "math"

// mostStates is how many states follow looks at for one job; beyond it the job
// is answered as if it could not pause, and the bound as if it could freely.
const mostStates = 1 << 21

// ruled is the table of follow: what it costs from a state to the end, by way,
// pauses and moves so far, slot, and slots of work that are left.
type ruled struct {
	away []float64 // paused: the work goes on in this way, at this slot or later
	on   []float64 // it ran in the slot before, and for MinRun slots at least
	sum  [][]float64
	next [][]int32 // the first unusable slot at or after each, by way

	ways   []int
	w, r   int // slots, most that is left
	q, m   int // counts of pauses and moves, plus one; 1 if they are not counted
	resume int
	minRun int
	open   bool // work may be worth while beyond what is needed: something costs less than nothing
}

func (x *ruled) at(v, q, m, t, rem int) int {
	return (((v*x.q+q)*x.m+m)*(x.w+1)+t)*(x.r+1) + rem
}

// follow finds the cheapest runs of interruptible work under its rules: the
// shortest path over the slots, the work that is left, running or not, the
// pauses and moves so far and, if moves is set, the ways; else in way w alone.
// The path is the best there is. It takes O(slots × work) steps, times the
// pauses, moves and pairs of ways if there are rules about them.
func (d *desk) follow(moves bool, w int) (value, least float64) {
	x, job := &d.ruled, d.job
	x.ways = x.ways[:0]
	if moves {
		for w := range job.Ways {
			x.ways = append(x.ways, w)
		}
	} else {
		x.ways = append(x.ways, w)
	}
	d.prepare(moves)
	need := 0
	for _, w := range x.ways {
		need = max(need, int(job.Ways[w].Need))
	}
	x.r = need
	// More than that is left only when a pause took more than had been done. To
	// begin later in the same way is then as good and cheaper, if nothing costs
	// less than nothing; so that is worth while at most once for each move.
	switch {
	case x.resume > 0 && (x.open || moves && job.MostMoves == 0):
		x.r = max(need, x.w)
	case x.resume > 0 && moves:
		x.r = max(need, min(x.w, need+x.resume*int(job.MostMoves)))
	}
	d.runs = d.runs[:0]
	states := float64(len(x.ways)) * float64(x.q) * float64(x.m) * float64(x.w+1) * float64(x.r+1)
	if states > mostStates {
		return d.roughly(moves, w)
	}
	n := len(x.ways) * x.q * x.m * (x.w + 1) * (x.r + 1)
	x.away, x.on = resize(x.away, n), resize(x.on, n)
	for t := x.w; t >= 0; t-- {
		d.backTo(t, moves)
	}
	value = math.Inf(1)
	at, from := -1, -1
	for v, w := range x.ways {
		if int(job.Ways[w].Need) > x.w {
			continue
		}
		for t := range x.w {
			if c := d.fixed(w) + d.starts(v, 0, 0, t, int(job.Ways[w].Need)); c < value {
				value, at, from = c, v, t
			}
		}
	}
	if at >= 0 {
		d.trace(at, from, int(job.Ways[x.ways[at]].Need), moves)
	}
	return value, value
}

// prepare fills what follow asks again and again.
func (d *desk) prepare(moves bool) {
	x, job := &d.ruled, d.job
	x.w = int(d.hi - d.lo)
	x.resume, x.minRun = int(job.Resume), max(1, int(job.MinRun))
	x.q, x.m = 1, 1
	if p := int(job.Pauses); p > 0 && p < x.w {
		x.q = p + 1
	}
	if m := int(job.MostMoves); moves && m > 0 && m < x.w {
		x.m = m + 1
	}
	x.sum = rows(x.sum, len(x.ways), x.w+1)
	x.next = rows(x.next, len(x.ways), x.w+1)
	x.open = false
	for v, w := range x.ways {
		d.look(v, w, job.Ways[w].KW, job.Ways[w].Use)
		sum, next := x.sum[v], x.next[v]
		sum[x.w], next[x.w] = 0, int32(x.w)
		for t := x.w - 1; t >= 0; t-- {
			if c := d.total[v][t]; c < math.Inf(1) {
				sum[t], next[t] = sum[t+1]+c, next[t+1]
				x.open = x.open || c < 0
			} else {
				sum[t], next[t] = sum[t+1], int32(t)
			}
		}
	}
	for m := range job.Moves {
		x.open = x.open || d.moved(&job.Moves[m]) < 0
	}
}

// starts returns what it costs from slot t on if a run begins there.
func (d *desk) starts(v, q, m, t, rem int) float64 {
	x := &d.ruled
	n := min(x.minRun, rem)
	if int(x.next[v][t]) < t+n || t+n > x.w || !d.may(v, t) {
		return math.Inf(1)
	}
	if rem < x.minRun { // too short to be suspended: it is the last
		return x.sum[v][t] - x.sum[v][t+n] + d.late(t+n)
	}
	return x.sum[v][t] - x.sum[v][t+n] + x.on[x.at(v, q, m, t+n, rem-n)]
}

// counted returns the next count of pauses or moves, of n that are told apart.
func counted(c, n int) (int, bool) {
	if n == 1 {
		return 0, true
	}
	return c + 1, c+1 < n
}

// backTo fills the table for slot t; later slots are filled.
func (d *desk) backTo(t int, moves bool) {
	x := &d.ruled
	for v := range x.ways {
		for q := range x.q {
			for m := range x.m {
				i := x.at(v, q, m, t, 0)
				x.away[i] = math.Inf(1)
				for rem := 1; rem <= x.r; rem++ {
					c := math.Inf(1)
					if t < x.w {
						c = math.Min(x.away[i+x.r+1+rem], d.starts(v, q, m, t, rem))
					}
					x.away[i+rem] = c
				}
			}
		}
	}
	for v := range x.ways {
		for q := range x.q {
			for m := range x.m {
				i := x.at(v, q, m, t, 0)
				for rem := 0; rem <= x.r; rem++ {
					x.on[i+rem] = d.goesOn(v, q, m, t, rem, moves, nil)
				}
			}
		}
	}
}

// step is what follows on a state in which work runs.
type step struct {
	stop, run bool
	v, q, m   int // else it is suspended, and goes on here,
	t, rem    int // not before slot t
}

// goesOn returns what it costs from slot t on if the work ran before, and may be
// suspended. It writes into s, if that is not nil, what is best to do.
func (d *desk) goesOn(v, q, m, t, rem int, moves bool, s *step) float64 {
	x := &d.ruled
	best := math.Inf(1)
	if rem == 0 {
		best = d.late(t)
		if s != nil {
			s.stop = true
		}
		if !x.open || x.resume == 0 {
			return best
		}
	} else if t < x.w {
		best = d.total[v][t] + x.on[x.at(v, q, m, t+1, rem-1)]
		if s != nil {
			s.run = true
		}
	}
	left := rem + x.resume
	q2, ok := counted(q, x.q)
	if !ok || left > x.r {
		return best
	}
	if t+1 < x.w {
		if c := x.away[x.at(v, q2, m, t+1, left)]; c < best {
			best = c
			if s != nil {
				*s = step{v: v, q: q2, m: m, t: t + 1, rem: left}
			}
		}
	}
	if !moves {
		return best
	}
	m2, ok := counted(m, x.m)
	if !ok {
		return best
	}
	for k := range d.job.Moves {
		mv := &d.job.Moves[k]
		if int(mv.From) != v || int(mv.Lost) >= x.w-t {
			continue
		}
		if c := d.moved(mv) + x.away[x.at(int(mv.To), q2, m2, t+int(mv.Lost), left)]; c < best {
			best = c
			if s != nil {
				*s = step{v: int(mv.To), q: q2, m: m2, t: t + int(mv.Lost), rem: left}
			}
		}
	}
	return best
}

// trace writes the runs of the cheapest path from its beginning.
func (d *desk) trace(v, t, rem int, moves bool) {
	x := &d.ruled
	q, m := 0, 0
	for {
		n := min(x.minRun, rem)
		from := t
		t, rem = t+n, rem-n
		s := step{stop: true}
		for n >= x.minRun {
			s = step{}
			d.goesOn(v, q, m, t, rem, moves, &s)
			if !s.run {
				break
			}
			t, rem = t+1, rem-1
		}
		d.runs = append(d.runs, Run{From: d.lo + int32(from), To: d.lo + int32(t), Way: int16(x.ways[v])})
		if s.stop {
			return
		}
		v, q, m, t, rem = s.v, s.q, s.m, s.t, s.rem
		for d.starts(v, q, m, t, rem) != x.away[x.at(v, q, m, t, rem)] {
			t++
		}
	}
}

// roughly answers for work in way w that is too long for follow: it does not
// pause, and is bounded by the cheapest slots wherever they are.
func (d *desk) roughly(moves bool, w int) (value, least float64) {
	if moves {
		return d.roughMoves()
	}
	value, _ = d.rigid(w)
	if _, least = d.freely(w); d.ruled.open {
		for _, v := range d.total[0] {
			least += math.Min(0, v)
		}
	}
	d.runs = d.runs[:0]
	if value < math.Inf(1) {
		value, _ = d.rigid(w)
	}
	return value, least
}
