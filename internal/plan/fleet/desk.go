package fleet

import "math"

// slack is by how much a use may be above the room that is left, so that what
// was taken out and put back still fits; Verify allows a thousand times as much.
const slack = 1e-9

// desk is where one job at a time is worked on. It holds the world that the job
// sees, and buffers that are kept from one job to the next: a pass over many
// jobs allocates nothing but the runs it returns. A desk is one worker's own.
type desk struct {
	in    *Instance
	price Prices
	// room is what is left of each thing, by thing and cell.
	room [][]float64
	// rise is how much more may begin in a cell than ran in the slot before it,
	// by thing and cell; nil is any. Runs begin only where that is enough.
	rise [][]float64
	// full are slots that the job may not use, whatever else; nil is none.
	full []bool
	// toll is what each slot costs on top, whatever runs; nil is nothing. It is
	// not paid: an answer's Cost and Paid leave it out.
	toll []float64
	// first and last narrow the window of the job: it runs in [first, last).
	first, last int32
	// tail is what is charged for an end in each slot, by slot; it never falls.
	// nil is nothing. Only work that is a path goes by it: see path.
	tail []float64
	firm bool // room is this desk's to take from
	// labels is how many partial answers of elastic work are kept: few are
	// enough for a place, the bound wants more.
	labels int
	// only is a way that the job is held to, or -1.
	only int

	job    *Job
	lo, hi int32 // the slots that the job sees
	// own is what a unit of the job's own cost and price counts, 1 but where a
	// ceiling is tried; extra what a unit by the table of each ceiling counts.
	own   float64
	extra []float64

	total [][]float64 // what a slot costs in all, by choice and slot from lo; +Inf is unusable
	begin [][]bool    // where a run may begin, by way and slot from lo; nil is everywhere
	runs  []Run       // the answer in hand
	best  []Run       // the best answer so far
	held  []Run       // the best over all ways
	aside []Run       // the best under the ceilings

	sums   []float64 // by ceiling
	steps  []float64
	chosen []bool
	order  []offer
	ruled  ruled
	speeds speeds
	ties   ties
}

// offer is a slot and what it costs.
type offer struct {
	v float64
	t int32
}

// newDesk returns a desk for in, where nothing has been taken yet.
func newDesk(in *Instance) *desk {
	return &desk{in: in, room: in.Room, last: int32(in.Slots()), labels: mostLabels, only: -1, own: 1}
}

// sit puts job j on the desk.
func (d *desk) sit(j int) {
	d.job = &d.in.Jobs[j]
	d.lo, d.hi = max(d.job.Release, d.first), max(min(d.job.Due, d.last), d.job.Release, d.first)
	d.own = 1
	d.extra = resize(d.extra, len(d.job.Ceilings))
	clear(d.extra)
}

// resize returns a slice of length n, s itself if it is long enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// rows returns n rows of length m.
func rows[T any](s [][]T, n, m int) [][]T {
	for len(s) < n {
		s = append(s, nil)
	}
	for i := range n {
		s[i] = resize(s[i], m)
	}
	return s
}

// look fills row of total, and begin if rises are limited, with what the job
// sees in way w at draw kw and use.
func (d *desk) look(row, w int, kw float64, use []float64) {
	in, job := d.in, d.job
	way := &job.Ways[w]
	d.total = rows(d.total, row+1, int(d.hi-d.lo))
	total := d.total[row]
	base := in.Cell(way.Site, 0)
	table := in.Cost[job.Table]
	for t := d.lo; t < d.hi; t++ {
		cell := base + int(t)
		v := math.Inf(1)
		if c := table[cell]; c == c && t >= way.From && (d.full == nil || !d.full[t]) {
			v = d.own * kw * c
			if d.toll != nil {
				v += d.own * d.toll[t]
			}
			for r, u := range use {
				if u > 0 && u > d.room[r][cell]+slack {
					v = math.Inf(1)
					break
				}
				if d.price != nil {
					v += d.own * u * d.price[r][cell]
				}
			}
			for k := range job.Ceilings {
				e := in.Cost[job.Ceilings[k].Table][cell]
				if e != e {
					v = math.Inf(1)
				} else if d.extra[k] != 0 {
					v += d.extra[k] * kw * e
				}
			}
		}
		total[t-d.lo] = v
	}
	for _, s := range in.denied(job.Denied) {
		for t := max(s.From, d.lo); t < min(s.To, d.hi); t++ {
			total[t-d.lo] = math.Inf(1)
		}
	}
	if d.rise == nil {
		d.begin = d.begin[:0]
		return
	}
	d.begin = rows(d.begin, row+1, int(d.hi-d.lo))
	for t := d.lo; t < d.hi; t++ {
		ok := true
		for r, u := range use {
			ok = ok && (u == 0 || u <= d.rise[r][base+int(t)]+slack)
		}
		d.begin[row][t-d.lo] = ok
	}
}

// may reports whether a run may begin in slot t, counted from lo.
func (d *desk) may(row int, t int) bool { return d.rise == nil || d.begin[row][t] }

// late returns what an end in a slot, counted from lo, is charged.
func (d *desk) late(t int) float64 {
	if d.tail == nil {
		return 0
	}
	return d.tail[int(d.lo)+t]
}

// fixed returns what Fixed of a way counts, ceilings included.
func (d *desk) fixed(w int) float64 {
	v := d.own * d.job.Ways[w].Fixed
	for k := range d.job.Ceilings {
		v += d.extra[k] * d.job.Ceilings[k].fixed(d.job, w)
	}
	return v
}

// moved returns what Fixed of a move counts, ceilings included.
func (d *desk) moved(m *Move) float64 {
	v := d.own * m.Fixed
	for k := range d.job.Ceilings {
		v += d.extra[k] * m.by(d.job.Ceilings[k].Table)
	}
	return v
}

func (c *Ceiling) fixed(job *Job, w int) float64 {
	if c.Fixed != nil {
		return c.Fixed[w]
	}
	return job.Ways[w].Fixed
}

// move returns the move between two ways; none costs nothing.
func (j *Job) move(from, to int16) Move {
	for _, m := range j.Moves {
		if m.From == from && m.To == to {
			return m
		}
	}
	return Move{}
}

func (m *Move) by(table uint8) float64 {
	if m.By != nil {
		return m.By[table]
	}
	return m.Fixed
}

// settle works out what the runs in hand cost, are paid for, and come to by the
// table of each ceiling, in d.sums.
func (d *desk) settle(runs []Run) (cost, paid float64) {
	in, job := d.in, d.job
	d.sums = resize(d.sums, len(job.Ceilings))
	w := int(runs[0].Way)
	cost = job.Ways[w].Fixed
	for k := range job.Ceilings {
		d.sums[k] = job.Ceilings[k].fixed(job, w)
	}
	for i, r := range runs {
		if i > 0 && r.Way != runs[i-1].Way {
			move := job.move(runs[i-1].Way, r.Way)
			cost += move.Fixed
			for k := range job.Ceilings {
				d.sums[k] += move.by(job.Ceilings[k].Table)
			}
		}
		way := &job.Ways[r.Way]
		kw, use := way.KW, way.Use
		if job.Kind == Elastic {
			kw, use = job.Levels[r.Level].KW, job.Levels[r.Level].Use
		}
		for t := r.From; t < r.To; t++ {
			cell := in.Cell(way.Site, t)
			cost += kw * in.Cost[job.Table][cell]
			for k := range job.Ceilings {
				d.sums[k] += kw * in.Cost[job.Ceilings[k].Table][cell]
			}
			if d.price != nil {
				for r, u := range use {
					paid += u * d.price[r][cell]
				}
			}
		}
	}
	return cost, paid
}

// kept reports whether the sums of the last settle are under the ceilings.
func (d *desk) kept() bool {
	for k := range d.job.Ceilings {
		if most := d.job.Ceilings[k].Most; !(d.sums[k] <= most+slack*math.Max(1, math.Abs(most))/2) {
			return false
		}
	}
	return true
}

// put takes what job j uses in runs from the room and the rises, sign times.
func (d *desk) put(j int32, runs []Run, sign float64) {
	slots := d.in.Slots()
	for _, r := range runs {
		_, use := d.in.draws(j, r)
		base := d.in.Cell(d.in.Jobs[j].Ways[r.Way].Site, 0)
		for thing, u := range use {
			room := d.room[thing][base:]
			for t := r.From; t < r.To; t++ {
				room[t] -= sign * u
			}
			if d.rise == nil {
				continue
			}
			d.rise[thing][base+int(r.From)] -= sign * u
			if int(r.To) < slots {
				d.rise[thing][base+int(r.To)] += sign * u
			}
		}
	}
}

// missed reports whether what runs no longer use is missed: whether the load
// now rises too fast where they ended.
func (d *desk) missed(j int32, runs []Run) bool {
	if d.rise == nil {
		return false
	}
	for _, r := range runs {
		if int(r.To) == d.in.Slots() {
			continue
		}
		_, use := d.in.draws(j, r)
		cell := d.in.Cell(d.in.Jobs[j].Ways[r.Way].Site, r.To)
		for thing, u := range use {
			if u > 0 && d.rise[thing][cell] < -slack {
				return true
			}
		}
	}
	return false
}

// cheapest puts the cheapest thing that the job can do at the costs that it
// sees in d.best. It returns what that comes to, and a lower bound on what
// anything comes to: the same, where the kind is answered exactly. Both are +Inf
// if there is nothing.
func (d *desk) cheapest() (value, least float64) {
	d.best = d.best[:0]
	value, least = math.Inf(1), math.Inf(1)
	job := d.job
	if d.hi <= d.lo {
		return value, least
	}
	if len(job.Moves) > 0 && d.only < 0 {
		value, least = d.follow(true, 0)
		d.best, d.runs = d.runs, d.best
		return value, least
	}
	for w := range job.Ways {
		if d.only >= 0 && w != d.only {
			continue
		}
		var v, l float64
		switch {
		case job.Kind == Rigid:
			v, l = d.rigid(w)
		case job.Kind == Elastic:
			v, l = d.elastic(w)
		case job.Resume == 0 && job.MinRun <= 1 && job.Pauses == 0 && d.rise == nil && d.tail == nil:
			v, l = d.freely(w)
		default:
			v, l = d.follow(false, w)
		}
		least = math.Min(least, l)
		if v < value {
			value = v
			d.best, d.runs = d.runs, d.best
		}
	}
	return value, least
}

// rigid finds the cheapest unbroken run.
func (d *desk) rigid(w int) (value, least float64) {
	way := &d.job.Ways[w]
	d.look(0, w, way.KW, way.Use)
	total := d.total[0]
	need := int(way.Need)
	value = math.Inf(1)
	at := -1
	var sum float64
	bad := 0
	for t, v := range total {
		if v < math.Inf(1) {
			sum += v
		} else {
			bad++
		}
		if s := t - need; s >= 0 {
			if out := total[s]; out < math.Inf(1) {
				sum -= out
			} else {
				bad--
			}
		}
		if s := t - need + 1; s >= 0 && bad == 0 && sum+d.late(t+1) < value && d.may(0, s) {
			value, at = sum+d.late(t+1), s
		}
	}
	d.runs = d.runs[:0]
	if at < 0 {
		return value, value
	}
	from := d.lo + int32(at)
	d.runs = append(d.runs, Run{From: from, To: from + way.Need, Way: int16(w)})
	// The sliding sum has drifted: add up again.
	value = d.fixed(w) + d.late(at+need)
	for _, v := range total[at : at+need] {
		value += v
	}
	return value, value
}

// freely takes the cheapest slots, wherever they are.
func (d *desk) freely(w int) (value, least float64) {
	way := &d.job.Ways[w]
	d.look(0, w, way.KW, way.Use)
	d.order = d.order[:0]
	for t, v := range d.total[0] {
		if v < math.Inf(1) {
			d.order = append(d.order, offer{v, int32(t)})
		}
	}
	d.runs = d.runs[:0]
	if len(d.order) < int(way.Need) {
		return math.Inf(1), math.Inf(1)
	}
	sortOffers(d.order)
	d.order = d.order[:way.Need]
	value = d.fixed(w)
	for _, p := range d.order {
		value += p.v
	}
	sortSlots(d.order)
	for _, p := range d.order {
		d.runs = extend(d.runs, d.lo+p.t, int16(w), 0)
	}
	return value, value
}

// extend adds slot t to runs.
func extend(runs []Run, t int32, way, level int16) []Run {
	if n := len(runs); n > 0 && runs[n-1].To == t && runs[n-1].Way == way && runs[n-1].Level == level {
		runs[n-1].To++
		return runs
	}
	return append(runs, Run{From: t, To: t + 1, Way: way, Level: level})
}
