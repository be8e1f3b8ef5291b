package fleet

import "math"

// Options are how far Solve goes, and from where.
type Options struct {
	// Passes is how many times all jobs are asked to choose again. 0 is as
	// often as it takes to reach Gap, or until more would not help.
	Passes int
	// Gap is the share of the bound that is near enough; 0 is 0.0005.
	Gap float64
	// Par calls f(0) to f(n-1), at once or one after the other, and returns
	// when all have returned. Nil is one after the other. The plan is the same.
	Par func(n int, f func(i int))
	// Warm is an earlier plan over the same cells and things. If it is for as
	// many jobs, its placements are taken as those of the same jobs where they
	// are still allowed. Otherwise, or if it has Prices alone, only the prices
	// are: another week's jobs can be planned from last week's prices.
	Warm *Solution
}

// Shards of more than this many jobs are split, up to mostShards.
const (
	shardSize  = 4096
	mostShardsX = 8
)

var mostShards, exMax = 8, 64

// solver is one call of Solve.
type solver struct {
	in     *Instance
	o      Options
	crowd  *crowd
	market *market
	shards []*shard
	bound  float64
}

// Solve plans all jobs of in, which must be valid, and derives a bound on what
// any plan costs.
func Solve(in *Instance, o Options) Solution {
	if o.Par == nil {
		o.Par = func(n int, f func(i int)) {
			for i := range n {
				f(i)
			}
		}
	}
	if o.Gap <= 0 {
		o.Gap = 0.0005
	}
	// 1. Write the jobs down in the form in which they are asked.
	var warm Prices
	if o.Warm != nil {
		warm = o.Warm.Prices
	}
	c := newCrowd(in)
	s := &solver{in: in, o: o, crowd: c, market: newMarket(in, c, warm)}

	// 2. Learn prices: from an earlier plan, or from samples of the jobs that
	// grow. A sample costs little and is soon near.
	placed := o.Warm != nil && c.place(o.Warm)
	if !placed && len(warm) == 0 {
		s.learn()
	}

	// 3. All jobs choose, at prices that rise where too many come and fall
	// where too few do.
	s.split(c.jobs, c.rest)
	passes := o.Passes
	if passes == 0 {
		passes = 3
	}
	for i := range passes {
		s.pass(!placed && i == 0)
		s.market.raise()
	}

	// 4. Make it fit: out of the cells that are still too full.
	s.settle()

	// 5. Fill what is free: what is paid for, then what is only emitted.
	for _, factor := range []float64{1, 0.5, 0} {
		s.refill(factor)
	}

	// 6. The certificate.
	s.certify()
	return s.solution()
}

// split cuts the crowd into shards: a number that depends on it alone.
func (s *solver) split(jobs []member, rest []party) {
	n := min(mostShards, 1+(len(jobs)+8*len(rest))/shardSize)
	s.shards = s.shards[:0]
	for i := range n {
		from, to := share(len(jobs), i, n)
		a, b := share(len(rest), i, n)
		s.shards = append(s.shards, newShard(s.crowd, s.market, jobs[from:to], rest[a:b]))
	}
	s.count()
}

// count finds what everyone takes from nothing but their places: a sum without
// the roundings of a thousand moves.
func (s *solver) count() {
	s.o.Par(len(s.shards), func(i int) { s.shards[i].count() })
	s.market.exchange(s.shards)
}

// learn sets the prices from samples of the jobs.
func (s *solver) learn() {
	n := len(s.crowd.jobs)
	for _, level := range []struct{ part, passes int }{{16, 8}, {4, 3}} {
		if n/level.part < 256 {
			continue
		}
		jobs := s.crowd.sample(n / level.part)
		s.split(jobs, nil)
		for i := range level.passes {
			s.pass(i == 0 && level.part == 4)
			s.market.raise()
		}
		copy(s.market.ghost, s.market.taken)
	}
}

// exchanges is how often in a pass the shards tell each other what they took.
func (s *solver) exchanges() int {
	n := 0
	for _, h := range s.shards {
		n += len(h.jobs)
	}
	return min(exMax, max(8, n/64))
}

// pass lets everyone choose once more. If first, the load that a sample made
// stands in for those who have not been asked yet.
func (s *solver) pass(first bool) {
	of := s.exchanges()
	for k := range of {
		ghost := 0.0
		if first {
			ghost = 1 - (float64(k)+0.5)/float64(of)
		}
		s.o.Par(len(s.shards), func(i int) { s.shards[i].ask(k, of, ghost) })
		s.market.exchange(s.shards)
	}
}

// settle moves jobs until no cell holds more than its room: first those whom it
// costs little.
func (s *solver) settle() {
	s.count()
	unit := s.meanTable()
	for _, regret := range []float64{0.01, 0.05, 0.25, 1, 4, math.Inf(1)} {
		s.rounds(len(s.shards), 1, func(h *shard, k, of int) { h.spread(k, of, regret*unit) })
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

// meanTable returns the mean size of the costs in the tables.
func (s *solver) meanTable() float64 {
	sum, n := 0.0, 0
	for _, table := range s.in.Cost {
		for _, v := range table {
			if !math.IsNaN(v) {
				sum += math.Abs(v)
				n++
			}
		}
	}
	return sum / float64(max(1, n))
}

// certify derives the bound at the prices.
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
	s.bound = t.sum() - doubt
}

// solution writes the plan down in the order of the instance.
func (s *solver) solution() Solution {
	c := s.crowd
	n := len(s.in.Jobs)
	out := Solution{First: make([]uint32, n+1), Prices: s.market.prices(c.things), Bound: s.bound}
	for i := range c.jobs {
		j := &c.jobs[i]
		out.First[j.id+1] = uint32(c.runs(j, nil))
	}
	for i := range c.rest {
		q := &c.rest[i]
		for k, j := range q.jobs {
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
		for k, j := range q.jobs {
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
			missing.add(s.in.Jobs[j].Missing)
			continue
		}
		cost.add(s.in.cost(j, runs))
	}
	out.Cost, out.Missing = cost.sum(), missing.sum()
	return out
}

// cost returns what job j costs in runs.
func (in *Instance) cost(j int, runs []Run) float64 {
	job := &in.Jobs[j]
	way := &job.Ways[runs[0].Way]
	sum := way.Fixed
	for _, run := range runs {
		kw := way.KW
		if job.Kind == Elastic {
			kw = job.Levels[run.Level].KW
		}
		at := in.Cell(way.Site, 0)
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

// place gives the members the places of an earlier plan where those are still
// allowed. It returns false if the plan is not for as many jobs.
func (c *crowd) place(w *Solution) bool {
	if len(w.First) != len(c.in.Jobs)+1 || int(w.First[len(w.First)-1]) > len(w.Runs) {
		return false
	}
	for i := range c.jobs {
		j := &c.jobs[i]
		if w.First[j.id] > w.First[j.id+1] || int(w.First[j.id+1]) > len(w.Runs) {
			continue
		}
		c.placeAs(j, w.Of(int(j.id)))
	}
	return true
}

// placeAs gives j the place that runs say, if it may have it.
func (c *crowd) placeAs(j *member, runs []Run) {
	if len(runs) == 0 {
		return
	}
	for w := j.first; w < j.last; w++ {
		p := &c.ways[w]
		if p.index != runs[0].Way {
			continue
		}
		if p.ragged { // it chooses anew: what it had may be barred now
			return
		}
		end, n := p.lo, int32(0)
		for _, r := range runs {
			if r.Way != p.index || r.From < end || r.To <= r.From || r.To > p.hi || r.To-r.From > p.need-n {
				return
			}
			end = r.To
			if j.free {
				for t := r.From; t < r.To; t++ {
					c.held[j.held+n+t-r.From] = t
				}
			}
			n += r.To - r.From
		}
		if n != p.need || !j.free && len(runs) != 1 {
			return
		}
		j.way, j.start = w, runs[0].From
		return
	}
}
