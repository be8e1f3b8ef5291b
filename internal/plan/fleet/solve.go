package fleet

import "math"

// Options are how far Solve goes, and from where.
type Options struct {
	// Passes is how many times all jobs are asked to choose again. 0 is as
	// often as it takes to reach Gap, or until more would not help; a small plan
	// is then bettered job by job too, which takes longer than all passes.
	Passes int
	// Gap is the share of the bound that is near enough; 0 is 0.0005.
	Gap float64
	// Par calls f(0) to f(n-1), at once or one after the other, and returns
	// when all have returned. Nil is one after the other. The plan is the same.
	Par func(n int, f func(i int))
	// Warm is an earlier plan over the same cells and things, of which the
	// Prices count and nothing else: its jobs may be others, last week's. Where
	// its jobs were then is not asked. Prices know it better.
	Warm *Solution
}

// solver is one call of Solve.
type solver struct {
	in     *Instance
	o      Options
	crowd  *crowd
	market *market
	shards []*shard
	bound  float64 // the best yet
	prices []float64
	best   kept
}

// Solve plans all jobs of in, which must be valid, and derives a bound on what
// any plan costs. It takes about as long as asking every job ten times, and
// 300 bytes a job. The plan is the same on every machine.
func Solve(in *Instance, o Options) Solution {
	if o.Par == nil {
		o.Par = func(n int, f func(i int)) {
			for i := range n {
				f(i)
			}
		}
	}
	if !(o.Gap > 0) {
		o.Gap = 0.0005
	}
	// 1. Write the jobs down in the form in which they are asked.
	c := newCrowd(in)
	s := &solver{in: in, o: o, crowd: c, market: newMarket(in, c), bound: math.Inf(-1)}

	// 2. Learn prices: from an earlier plan, or from samples of the jobs that
	// grow. A sample costs little and is soon near.
	s.learn(o.Warm != nil && s.market.adopt(o.Warm.Prices))
	s.split(c.jobs, c.rest)
	s.market.stiffen(soft)

	passes, rounds := o.Passes, 1
	if passes <= 0 {
		passes, rounds = 2, mostRounds
	}
	s.best.cost = math.Inf(1)
	cost, last, worse := 0.0, math.Inf(1), 0
	for round := 1; ; round++ {
		// 3. All jobs choose, at prices that rise where too many come and fall
		// where too few do.
		for i := range passes {
			s.pass(round == 1 && i == 0)
			s.market.raise()
		}

		// 4. Make it fit: out of the cells that are still too full, and into
		// the room that is free elsewhere.
		s.settle()
		s.refill(0.8)

		// 5. The certificate. If it is not good enough, on from here: the
		// prices are nearer than they were. A plan made anew from better
		// prices may be worse by chance, so the best is kept.
		s.certify()
		cost = s.cost()
		now := gap(min(cost, s.best.cost), s.bound)
		if worse++; now < 0.95*last {
			last, worse = now, 0
		}
		if round == rounds || now <= o.Gap || worse == 3 {
			break
		}
		s.keep(cost)
	}
	cost = s.restore(cost)

	// 6. Last touches: who has no place gets one if others can make room, and
	// what is paid for no longer counts.
	if s.unplaced() > 0 || gap(cost, s.bound) > o.Gap {
		s.keep(cost)
		s.refill(0.4)
		s.rescue()
		s.refill(0)
		s.restore(s.cost())
	}
	out := s.crowd.solution()
	out.Prices, out.Bound = s.crowd.table(s.prices), s.bound

	// 7. Ramps, of which the prices know nothing. In a small world single jobs
	// matter: prices alone do not see how they fit together.
	switch {
	case in.ramped():
		out = stagger(in, out)
	case o.Passes == 0 && len(in.Jobs) <= small && (out.Unplaced > 0 || out.Gap() > o.Gap):
		polish(in, &out, min(thorough, thoroughEach*len(in.Jobs)))
	}
	return out
}

// soft is the stiffness of the passes over all jobs: prices that move little
// from pass to pass and are near the best to a hair. From far away they come
// at hard.
const (
	soft = 0.25
	hard = 4
)

// mostRounds is how often Solve begins again from better prices.
const mostRounds = 16

// There is a shard for each shardSize jobs, up to mostShards. A variable, so
// that tests need not plan so many.
var shardSize = 25000

const mostShards = 8

// split cuts the crowd into shards: a number that depends on it alone.
func (s *solver) split(jobs []member, rest []party) {
	n := max(1, min(mostShards, (len(jobs)+8*len(rest))/shardSize))
	s.shards = s.shards[:0]
	for i := range n {
		from, to := share(len(jobs), i, n)
		a, b := share(len(rest), i, n)
		s.shards = append(s.shards, newShard(s.crowd, s.market, jobs[from:to], rest[a:b]))
	}
	for _, h := range s.shards {
		h.others = float64(n - 1)
	}
	s.count()
}

// count finds what everyone takes from nothing but their places: a sum without
// the roundings of a thousand moves.
func (s *solver) count() {
	s.o.Par(len(s.shards), func(i int) { s.shards[i].count() })
	s.market.exchange(s.shards)
}

// samples are how many jobs the prices are learnt from, at first and then.
var samples = []int{6000, 30000}

// learn sets the prices from samples of the jobs: from nothing, or from prices
// that are near already.
func (s *solver) learn(near bool) {
	n := len(s.crowd.jobs)
	for level, size := range samples {
		if level > 0 && (near || n < 2*size) {
			return
		}
		stiffness := float64(soft)
		switch {
		case level == 0 && near:
			stiffness = 2 * soft
		case level == 0:
			stiffness = hard
		}
		s.split(s.crowd.sample(size), s.crowd.sampleRest(size))
		// Half as hard as soon as nearly all fits, or four passes changed
		// little: more would only swing.
		for i, at := 0, 1; i < 32; i, at = i+1, at+1 {
			s.market.stiffen(stiffness)
			s.pass(level > 0 && i == 0)
			s.market.raise()
			switch {
			case stiffness == soft && at >= 3:
				i = 32
			case stiffness > soft && (at >= 4 || s.market.excess() < 0.01):
				stiffness, at = max(soft, stiffness/2), 0
			}
		}
		copy(s.market.ghost, s.market.taken)
	}
}

// pass lets everyone choose once more. If first, the load that a sample made
// stands in for those who have not been asked yet. What is taken in the mean of
// the second half is the measure for the prices: at any one moment it swings.
func (s *solver) pass(first bool) {
	m := s.market
	of := s.exchanges()
	clear(m.mean)
	if first {
		for _, h := range s.shards {
			for i := range h.rest {
				h.rest[i].runs = nil // it is in the ghost
			}
		}
		s.count()
	}
	for k := range of {
		ghost := 0.0
		if first {
			ghost = 1 - (float64(k)+0.5)/float64(of)
		}
		s.o.Par(len(s.shards), func(i int) { s.shards[i].ask(k, of, ghost) })
		m.exchange(s.shards)
		if k >= of/2 {
			w := 1 / float64(of-of/2)
			for i, v := range m.taken {
				m.mean[i] += float64(w * (v + float64(ghost*m.ghost[i])))
			}
		}
	}
}

// exchanges is how often in a pass the shards tell each other what they took.
func (s *solver) exchanges() int {
	n := 0
	for _, h := range s.shards {
		n += len(h.jobs) + len(h.rest)
	}
	return min(128, max(4, n/64))
}

// regrets are what it may cost to leave a full cell, as shares of the mean cost
// of a slot: those leave first whom it costs least.
var regrets = []float64{0.001, 0.004, 0.016, 0.06, 0.25, 1, 4, math.Inf(1)}

// settle moves jobs until no cell holds more than its room: first those whom it
// costs little.
func (s *solver) settle() {
	s.count()
	for _, regret := range regrets {
		if s.market.excess() == 0 {
			return
		}
		s.rounds(len(s.shards), 1, func(h *shard, k, of int) { h.spread(k, of, regret) })
	}
}

// refill lets jobs move into free room, at factor times the prices.
func (s *solver) refill(factor float64) {
	s.rounds(4*len(s.shards), factor, func(h *shard, k, of int) { h.improve(k, of) })
}

// rounds runs f over all members in of stretches, with the room divided anew
// before each.
func (s *solver) rounds(of int, factor float64, f func(h *shard, k, of int)) {
	n := len(s.shards)
	for k := range of {
		s.o.Par(n, func(i int) {
			s.shards[i].allot(i, k, n, factor)
			f(s.shards[i], k, of)
		})
		s.market.exchange(s.shards)
	}
}

// certify derives the bound at the prices, and keeps the best.
func (s *solver) certify() {
	sums, doubts := make([]float64, len(s.shards)), make([]float64, len(s.shards))
	s.o.Par(len(s.shards), func(i int) { sums[i], doubts[i] = s.shards[i].limit() })
	var t balance
	worth := s.market.worth()
	doubt := 1e-15 * worth
	t.add(-worth)
	for i := range sums {
		t.add(sums[i])
		doubt += doubts[i] + 1e-15*math.Abs(sums[i])
	}
	if bound := t.sum() - doubt; bound > s.bound || s.prices == nil {
		s.bound = bound
		s.prices = append(s.prices[:0], s.market.price...)
	}
}

// solution writes the plan down in the order of the instance.
func (c *crowd) solution() Solution {
	n := len(c.in.Jobs)
	out := Solution{First: make([]uint32, n+1)}
	for i := range c.jobs {
		j := &c.jobs[i]
		out.First[j.id+1] = uint32(c.runs(j, nil))
	}
	for i := range c.rest {
		q := &c.rest[i]
		for k, j := range q.family.jobs {
			if q.runs != nil {
				out.First[j+1] = uint32(len(q.runs[k]))
			}
		}
	}
	for j := range n {
		out.First[j+1] += out.First[j]
	}
	out.Runs = make([]Run, out.First[n])
	for i := range c.jobs {
		j := &c.jobs[i]
		c.runs(j, out.Of(int(j.id)))
	}
	for i := range c.rest {
		q := &c.rest[i]
		for k, j := range q.family.jobs {
			if q.runs != nil {
				copy(out.Of(int(j)), q.runs[k])
			}
		}
	}
	var cost, missing balance
	for j := range n {
		runs := out.Of(j)
		if len(runs) == 0 {
			out.Unplaced++
			missing.add(c.in.Jobs[j].Missing)
			continue
		}
		cost.add(c.in.cost(j, runs))
	}
	out.Cost, out.Missing = cost.sum(), missing.sum()
	return out
}

// cost returns what job j costs in runs.
func (in *Instance) cost(j int, runs []Run) float64 {
	job := &in.Jobs[j]
	sum := job.Ways[runs[0].Way].Fixed
	for i, run := range runs {
		if i > 0 && run.Way != runs[i-1].Way {
			sum += job.move(runs[i-1].Way, run.Way).Fixed
		}
		kw, _ := in.draws(int32(j), run)
		at := in.Cell(job.Ways[run.Way].Site, 0)
		for _, v := range in.Cost[job.Table][at+int(run.From) : at+int(run.To)] {
			sum += float64(kw * v)
		}
	}
	return sum
}

// runs writes the runs of j to out, if it is long enough, and returns how many
// there are.
func (c *crowd) runs(j *member, out []Run) int {
	if j.way < 0 {
		return 0
	}
	p := &c.ways[j.way]
	if !j.free {
		if len(out) > 0 {
			out[0] = Run{From: j.start, To: j.start + p.need, Way: p.index}
		}
		return 1
	}
	n := 0
	end := int32(-1)
	for _, t := range c.held[j.held : j.held+p.need] {
		if t != end {
			if n < len(out) {
				out[n] = Run{From: t, Way: p.index}
			}
			n++
		}
		end = t + 1
		if n <= len(out) {
			out[n-1].To = end
		}
	}
	return n
}
