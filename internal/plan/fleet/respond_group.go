package fleet

import (
	"math"
	"slices"
)

// family is jobs that are tied to each other: some come after others, or are in
// one array. What one does depends on what the others do.
type family struct {
	jobs   []int32   // each stands behind those that it comes after
	before [][]int32 // places in jobs
	after  [][]int32
	arrays []int32   // of Instance.Arrays
	of     [][]int32 // the arrays of each job, by place in arrays
}

// families returns the jobs of in that are tied, as families.
func families(in *Instance) []family {
	if len(in.After) == 0 && len(in.Arrays) == 0 {
		return nil
	}
	root := make(map[int32]int32)
	var find func(j int32) int32
	find = func(j int32) int32 {
		r, ok := root[j]
		switch {
		case !ok:
			root[j] = j
			return j
		case r == j:
			return j
		}
		r = find(r)
		root[j] = r
		return r
	}
	waits := make(map[int32]int)
	next, before := make(map[int32][]int32), make(map[int32][]int32)
	for _, a := range in.After {
		root[find(a[0])] = find(a[1])
		waits[a[1]]++
		next[a[0]] = append(next[a[0]], a[1])
		before[a[1]] = append(before[a[1]], a[0])
	}
	for _, a := range in.Arrays {
		for _, j := range a.Jobs {
			root[find(j)] = find(a.Jobs[0])
		}
	}
	all := make([]int32, 0, len(root))
	for j := range root {
		all = append(all, j)
	}
	slices.Sort(all)
	var ready []int32
	for _, j := range all {
		if waits[j] == 0 {
			ready = append(ready, j)
		}
	}
	var out []family
	at, place := make(map[int32]int), make(map[int32]int32)
	for i := 0; i < len(ready); i++ {
		j := ready[i]
		k, ok := at[find(j)]
		if !ok {
			k = len(out)
			at[find(j)] = k
			out = append(out, family{})
		}
		f := &out[k]
		me := int32(len(f.jobs))
		place[j] = me
		f.jobs = append(f.jobs, j)
		f.before, f.after, f.of = append(f.before, nil), append(f.after, nil), append(f.of, nil)
		for _, b := range before[j] {
			f.before[me] = append(f.before[me], place[b])
			f.after[place[b]] = append(f.after[place[b]], me)
		}
		for _, n := range next[j] {
			if waits[n]--; waits[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	for k, a := range in.Arrays {
		if len(a.Jobs) == 0 {
			continue
		}
		f := &out[at[find(a.Jobs[0])]]
		f.arrays = append(f.arrays, int32(k))
		for _, j := range a.Jobs {
			f.of[place[j]] = append(f.of[place[j]], int32(len(f.arrays)-1))
		}
	}
	return out
}

// RespondGroup finds what jobs that are tied to each other do at prices p, as
// Respond does for one. The group must hold all that are tied to any of it.
// It writes an answer for each job in the order of group; one without runs has
// no place. It returns what they come to, what those without a place are charged
// included, and a lower bound on what anything they do comes to.
func RespondGroup(in *Instance, group []int, p Prices, answers []Answer) (total, least float64) {
	d := newDesk(in)
	d.price = p
	for _, f := range families(in) {
		if !slices.Contains(group, int(f.jobs[0])) {
			continue
		}
		own := make([]Answer, len(f.jobs))
		t, _ := d.group(&f, own)
		total, least = total+t, least+math.Min(t, d.limit(&f))
		for i, j := range f.jobs {
			if k := slices.Index(group, int(j)); k >= 0 {
				answers[k] = own[i]
			}
		}
	}
	return total, least
}

// path reports whether the job's work is a path over the slots, so that it can
// see what each end would cost those after it.
func (d *desk) path(j int) bool {
	job := &d.in.Jobs[j]
	if job.Kind == Elastic || len(job.Ceilings) > 0 {
		return false
	}
	if job.Kind == Rigid {
		return true
	}
	w := float64(job.Due - job.Release + 1)
	need, ways := 1.0, 1.0
	for i := range job.Ways {
		need = math.Max(need, float64(job.Ways[i].Need)+1)
	}
	if job.Resume > 0 {
		need = math.Max(need, w)
	}
	if len(job.Moves) > 0 {
		ways = float64(len(job.Ways)) * math.Min(w, float64(job.MostMoves+1))
	}
	return w*need*ways*math.Min(w, float64(job.Pauses+1)) <= mostStates
}

// ties is what group works with.
type ties struct {
	own   []Answer
	head  [][]float64 // what a job and its part of those after it come to if it begins at a slot or later
	low   []float64   // the least of it
	none  []float64   // the same if the job has no place
	flat  bool        // there is no head
	tail  []float64
	count [][]int32 // jobs of each array in each slot

	charged bool        // tolls count
	toll    [][]float64 // of each array in each slot
	sum     []float64   // the tolls of one job
	loose   []Answer    // what jobs do if their arrays are no limit but have tolls
	full    []bool
	shift   []float64
	trial   []Answer
	ans     Answer
}

// group finds what a family does. Each job, last first, works out what it and
// those after it come to for every slot in which it may begin: a job that comes
// after several gives each of them its part. That is a bound, for what comes
// after all of them begins no earlier than after one. Then the jobs choose, first
// first, each knowing what its end costs those after it; in a chain or a tree
// that spreads out this is the best. Else they choose again, one at a time, in the
// window that the others leave, and then all move together, until nobody gains.
//
// If d.firm is set the jobs also leave each other room, out of d.room, which is
// as it was when group returns.
func (d *desk) group(f *family, ans []Answer) (total, least float64) {
	x := &d.ties
	n := len(f.jobs)
	if len(f.arrays) > 0 {
		least = d.arrayed(f, tollRounds)
	} else {
		least = d.heads(f)
	}
	exact := !d.firm && !x.flat && len(f.arrays) == 0 && d.rise == nil
	for i, j := range f.jobs {
		exact = exact && len(f.before[i]) <= 1 && d.path(int(j))
	}
	d.clearCounts(f)
	total = d.forward(f, ans, false)
	if len(f.arrays) > 0 {
		total = d.tolled(f, ans, total)
	}
	if !exact {
		total = d.settleDown(f, ans, total)
	}
	d.takeAll(f, ans, -1)
	if !exact && lost(ans) {
		// Someone has no place. It may be that the first took their time.
		x.trial = resize(x.trial, n)
		trial := x.trial
		t := d.settleDown(f, trial, d.forward(f, trial, true))
		d.takeAll(f, trial, -1)
		if t < total {
			total = t
			for i := range trial {
				ans[i], trial[i] = trial[i], ans[i]
			}
		}
	}
	d.leave()
	return total, math.Min(least, total)
}

// leave takes away what a family put before a job.
func (d *desk) leave() {
	d.tail, d.full = nil, nil
	d.first, d.last = 0, int32(d.in.Slots())
}

func lost(ans []Answer) bool {
	for i := range ans {
		if len(ans[i].Runs) == 0 {
			return true
		}
	}
	return false
}

// mostHeads is how many numbers heads keeps, jobs times slots. Of a family that
// would need more the jobs do not know what their end costs those after them,
// and the bound does not know who comes after whom.
var mostHeads = 1 << 24

// heads fills head, low and none, and returns the bound.
func (d *desk) heads(f *family) (least float64) {
	x := &d.ties
	n, slots := len(f.jobs), d.in.Slots()
	x.low, x.none = resize(x.low, n), resize(x.none, n)
	if x.flat = n > mostHeads/(slots+1); x.flat {
		return d.lows(f)
	}
	x.head = rows(x.head, n, slots+1)
	d.first, d.last, d.full = 0, int32(slots), nil
	defer func() { d.toll = nil }()
	for i := n - 1; i >= 0; i-- {
		j := int(f.jobs[i])
		x.none[i] = d.in.Jobs[j].Missing
		for _, c := range f.after[i] {
			x.none[i] += x.none[c] / float64(len(f.before[c]))
		}
		tail := d.tailOf(f, i)
		d.charge(f, i)
		d.sit(j)
		if d.path(j) {
			d.headsOfPath(x.head[i], tail)
		} else {
			d.headsOfOther(j, x.head[i], tail)
		}
		low := math.Inf(1)
		for s := slots; s >= 0; s-- {
			low = math.Min(low, x.head[i][s])
			x.head[i][s] = math.Min(low, x.none[i])
		}
		x.low[i] = x.head[i][0]
		if len(f.before[i]) == 0 {
			least += x.low[i]
		}
	}
	return least
}

// lows is heads for a family that is too large for it.
func (d *desk) lows(f *family) (least float64) {
	x := &d.ties
	d.first, d.last, d.full = 0, int32(d.in.Slots()), nil
	for i, j := range f.jobs {
		d.charge(f, i)
		d.respond(int(j), &x.ans)
		x.none[i] = d.in.Jobs[j].Missing
		x.low[i] = math.Min(x.none[i], x.ans.Least)
		least += x.low[i]
	}
	d.toll = nil
	return least
}

// tailOf returns what an end of job i in each slot costs those after it: for
// each its part; nil if there are none.
func (d *desk) tailOf(f *family, i int) []float64 {
	x := &d.ties
	if len(f.after[i]) == 0 {
		return nil
	}
	if x.flat {
		x.tail = resize(x.tail, d.in.Slots()+1)
		clear(x.tail)
		return x.tail
	}
	x.tail = resize(x.tail, d.in.Slots()+1)
	clear(x.tail)
	for _, c := range f.after[i] {
		part := 1 / float64(len(f.before[c]))
		for t, v := range x.head[c] {
			x.tail[t] += part * v
		}
	}
	return x.tail
}

// headsOfPath writes what the job and what comes after it come to if it begins
// in a slot, for every slot.
func (d *desk) headsOfPath(head, tail []float64) {
	job := d.job
	for s := range head {
		head[s] = math.Inf(1)
	}
	if d.hi <= d.lo {
		return
	}
	d.tail = tail
	defer func() { d.tail = nil }()
	fill := func(v, w int) {
		need := int(job.Ways[w].Need)
		for t := 0; t+need <= int(d.hi-d.lo); t++ {
			s := int(d.lo) + t
			head[s] = math.Min(head[s], d.fixed(w)+d.starts(v, 0, 0, t, need))
		}
	}
	if len(job.Moves) > 0 {
		d.follow(true, 0)
		for w := range job.Ways {
			fill(w, w)
		}
		return
	}
	for w := range job.Ways {
		if job.Kind == Interruptible {
			d.follow(false, w)
			fill(0, w)
			continue
		}
		way := &job.Ways[w]
		d.look(0, w, way.KW, way.Use)
		for t := 0; t+int(way.Need) <= int(d.hi-d.lo); t++ {
			sum := d.fixed(w) + d.late(t+int(way.Need))
			for _, v := range d.total[0][t : t+int(way.Need)] {
				sum += v
			}
			if d.may(0, t) {
				head[int(d.lo)+t] = math.Min(head[int(d.lo)+t], sum)
			}
		}
	}
}

// looks is in how many windows a job that is no path is asked what it would do.
const looks = 12

// headsOfOther does the same for a job that is no path: a bound from the
// window that begins at the slot, and from the earliest end there can be.
func (d *desk) headsOfOther(j int, head, tail []float64) {
	x := &d.ties
	long := d.shortest(j)
	lo, hi := int(d.lo), int(d.hi)
	for s := range head {
		head[s] = math.Inf(1)
	}
	each := max(1, (hi-lo)/looks)
	for s := lo; s < hi; s += each {
		d.first = int32(s)
		d.respond(j, &x.ans)
		for t := s; t < min(s+each, hi); t++ {
			if t+long > hi {
				break
			}
			head[t] = x.ans.Least
			if tail != nil {
				head[t] += tail[t+long]
			}
		}
	}
	d.first = 0
}

// shortest returns in how few slots a job can be done.
func (d *desk) shortest(j int) int {
	job := &d.in.Jobs[j]
	least := math.MaxInt32
	for w := range job.Ways {
		n := int(job.Ways[w].Need)
		if job.Kind == Elastic {
			fastest := 0.0
			for _, l := range job.Levels {
				fastest = math.Max(fastest, l.Rate)
			}
			n = int(math.Ceil(float64(n)/fastest - little))
		}
		least = min(least, n)
	}
	return least
}

// window sets the slots that the others of the family leave to job i: after
// those before it, before those after it, where its arrays have a place. It
// returns false if one before it has none.
func (d *desk) window(f *family, ans []Answer, i int, last bool) bool {
	x := &d.ties
	d.first, d.last = 0, int32(d.in.Slots())
	for _, b := range f.before[i] {
		runs := ans[b].Runs
		if len(runs) == 0 {
			return false
		}
		d.first = max(d.first, runs[len(runs)-1].To)
	}
	if last {
		for _, c := range f.after[i] {
			if runs := ans[c].Runs; len(runs) > 0 {
				d.last = min(d.last, runs[0].From)
			}
		}
	}
	d.full = nil
	if len(f.of[i]) > 0 {
		x.full = resize(x.full, d.in.Slots())
		clear(x.full)
		for _, a := range f.of[i] {
			most := d.in.Arrays[f.arrays[a]].Most
			for t, n := range x.count[a] {
				x.full[t] = x.full[t] || n >= most
			}
		}
		d.full = x.full
	}
	return true
}

func (d *desk) clearCounts(f *family) {
	x := &d.ties
	x.count = rows(x.count, len(f.arrays), d.in.Slots())
	for a := range f.arrays {
		clear(x.count[a])
	}
}

// take adds what job i does to what its family has taken, sign times.
func (d *desk) take(f *family, i int, runs []Run, sign int32) {
	if d.firm {
		d.put(f.jobs[i], runs, float64(sign))
	}
	for _, a := range f.of[i] {
		for _, r := range runs {
			for t := r.From; t < r.To; t++ {
				d.ties.count[a][t] += sign
			}
		}
	}
}

func (d *desk) takeAll(f *family, ans []Answer, sign int32) {
	for i := range ans {
		d.take(f, i, ans[i].Runs, sign)
	}
}

// forward lets the jobs choose in order, and returns what they come to. If
// early, they end as soon as they can.
func (d *desk) forward(f *family, ans []Answer, early bool) (total float64) {
	x := &d.ties
	for i := range ans {
		ans[i].Runs = ans[i].Runs[:0]
	}
	for i, j := range f.jobs {
		job := &d.in.Jobs[j]
		d.charge(f, i)
		if !d.window(f, ans, i, false) {
			ans[i].Cost, ans[i].Paid = 0, 0
			total += job.Missing
			continue
		}
		tail := d.tailOf(f, i)
		if early && len(f.after[i]) > 0 {
			for t := range tail {
				tail[t] = 1e3 * float64(t) * math.Max(1, job.Missing)
			}
		}
		ok := false
		switch {
		case tail == nil:
			ok = d.respond(int(j), &ans[i]) && ans[i].Total() < job.Missing
		case d.path(int(j)):
			d.tail = tail
			d.sit(int(j))
			v, _ := d.cheapest()
			d.tail = nil
			if ok = !math.IsInf(v, 1) && (early || v < x.none[i]); ok {
				ans[i].Least = v
				d.answer(d.best, &ans[i])
			}
		default:
			ok = d.chooseEnd(int(j), &ans[i], tail, x.none[i], early)
		}
		if !ok {
			ans[i].Runs, ans[i].Cost, ans[i].Paid = ans[i].Runs[:0], 0, 0
			total += job.Missing
			continue
		}
		d.take(f, i, ans[i].Runs, 1)
		total += ans[i].Total()
	}
	d.toll = nil
	return total
}

// chooseEnd finds by when a job that is no path had best end, and what it does.
func (d *desk) chooseEnd(j int, a *Answer, tail []float64, none float64, early bool) bool {
	first := max(d.first, d.in.Jobs[j].Release)
	last := min(d.last, d.in.Jobs[j].Due)
	best, at := none, int32(-1)
	if early {
		best = math.Inf(1)
	}
	each := max(1, (last-first)/looks)
	for e := last; e > first; e -= each {
		d.last = e
		if !d.respond(j, a) {
			break
		}
		if end := a.Runs[len(a.Runs)-1].To; a.Total()+tail[end] < best {
			best, at = a.Total()+tail[end], e
		}
	}
	if at < 0 {
		return false
	}
	d.last = at
	return d.respond(j, a)
}

// settleDown lets the jobs choose again, one at a time and all together, until
// nobody gains.
func (d *desk) settleDown(f *family, ans []Answer, total float64) float64 {
	for range 8 {
		was := total
		for i := range f.jobs {
			total += d.again(f, ans, i)
		}
		for i := len(f.jobs) - 1; i >= 0; i-- {
			total += d.again(f, ans, i)
		}
		if len(f.arrays) == 0 && !d.firm {
			total += d.together(f, ans)
		}
		if !(total < was-1e-9*math.Abs(was)) {
			break
		}
	}
	return total
}

// again lets job i choose once more, and returns by how much the total rises.
func (d *desk) again(f *family, ans []Answer, i int) float64 {
	x := &d.ties
	job := &d.in.Jobs[f.jobs[i]]
	now := job.Missing
	if len(ans[i].Runs) > 0 {
		now = ans[i].Total()
	}
	d.take(f, i, ans[i].Runs, -1)
	if !(d.firm && d.missed(f.jobs[i], ans[i].Runs)) && d.window(f, ans, i, true) && d.respond(int(f.jobs[i]), &x.ans) && x.ans.Total() < now-1e-12*math.Abs(now) {
		ans[i], x.ans = x.ans, ans[i]
		d.take(f, i, ans[i].Runs, 1)
		return ans[i].Total() - now
	}
	d.take(f, i, ans[i].Runs, 1)
	return 0
}

// together moves all jobs of the family that have a place by as many slots,
// where that is cheapest, and returns by how much the total rises.
func (d *desk) together(f *family, ans []Answer) float64 {
	x := &d.ties
	slots := d.in.Slots()
	x.shift = resize(x.shift, 2*slots+1) // by slots later, plus slots
	clear(x.shift)
	d.first, d.last, d.full = 0, int32(slots), nil
	any := false
	for i, j := range f.jobs {
		if len(ans[i].Runs) == 0 {
			continue
		}
		any = true
		d.sit(int(j))
		if len(d.job.Ceilings) > 0 {
			return 0
		}
		for _, r := range ans[i].Runs {
			way := &d.job.Ways[r.Way]
			kw, use := way.KW, way.Use
			if d.job.Kind == Elastic {
				kw, use = d.job.Levels[r.Level].KW, d.job.Levels[r.Level].Use
			}
			d.look(0, int(r.Way), kw, use)
			for by := -slots; by <= slots; by++ {
				from, to := int(r.From)+by-int(d.lo), int(r.To)+by-int(d.lo)
				if from < 0 || to > int(d.hi-d.lo) || !d.may(0, from) {
					x.shift[by+slots] = math.Inf(1)
					continue
				}
				for _, v := range d.total[0][from:to] {
					x.shift[by+slots] += v
				}
			}
		}
	}
	best := slots
	for by, v := range x.shift {
		if v < x.shift[best] {
			best = by
		}
	}
	if !any || best == slots || !(x.shift[best] < x.shift[slots]-1e-9*math.Abs(x.shift[slots])) {
		return 0
	}
	for i, j := range f.jobs {
		if len(ans[i].Runs) == 0 {
			continue
		}
		for k := range ans[i].Runs {
			ans[i].Runs[k].From += int32(best - slots)
			ans[i].Runs[k].To += int32(best - slots)
		}
		d.sit(int(j))
		ans[i].Cost, ans[i].Paid = d.settle(ans[i].Runs)
	}
	return x.shift[best] - x.shift[slots]
}
