package fleet

import (
	"math"
	"slices"
)

// party is what is planned as one and asked through Respond: a job of a kind
// that is not plain, or jobs of which some come after others.
type party struct {
	jobs   []int32
	runs   [][]Run // of each of the jobs; nil if the party has no place
	weight float64
	least  float64
}

// groups returns the jobs that are linked by in.After, each group in an order
// in which every job stands behind those it comes after.
func groups(in *Instance) []party {
	if len(in.After) == 0 {
		return nil
	}
	root := make(map[int32]int32)
	var find func(j int32) int32
	find = func(j int32) int32 {
		r, ok := root[j]
		if !ok || r == j {
			root[j] = j
			return j
		}
		r = find(r)
		root[j] = r
		return r
	}
	before := make(map[int32]int) // how many it waits for
	next := make(map[int32][]int32)
	for _, a := range in.After {
		root[find(a[0])] = find(a[1])
		before[a[1]]++
		next[a[0]] = append(next[a[0]], a[1])
	}
	var all []int32
	for j := range root {
		all = append(all, j)
	}
	slices.Sort(all)
	at := make(map[int32]int)
	var parties []party
	var ready []int32
	for _, j := range all {
		if before[j] == 0 {
			ready = append(ready, j)
		}
	}
	add := func(j int32) {
		r := find(j)
		i, ok := at[r]
		if !ok {
			i = len(parties)
			at[r] = i
			parties = append(parties, party{weight: 1})
		}
		parties[i].jobs = append(parties[i].jobs, j)
	}
	for len(ready) > 0 {
		j := ready[0]
		ready = ready[1:]
		add(j)
		for _, n := range next[j] {
			if before[n]--; before[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	// Jobs that wait for each other in a ring can never run; they stay out of
	// every party and so without a place.
	return parties
}

// respondParty finds runs for every job of a party at prices p in the rooms of
// in, one after the other: each begins when those it waits for have ended. It
// returns nil if one of them finds none.
func respondParty(in *Instance, q *party, p Prices) (runs [][]Run, total float64) {
	if len(q.jobs) == 1 {
		var a Answer
		if !Respond(in, int(q.jobs[0]), p, &a) {
			return nil, math.Inf(1)
		}
		return [][]Run{a.Runs}, a.Total()
	}
	narrowed := *in
	narrowed.Jobs = make([]Job, 1)
	ends := make(map[int32]int32)
	for _, j := range q.jobs {
		job := in.Jobs[j]
		for _, a := range in.After {
			if a[1] == j {
				job.Release = max(job.Release, ends[a[0]])
			}
		}
		narrowed.Jobs[0] = job
		var a Answer
		if !Respond(&narrowed, 0, p, &a) {
			return nil, math.Inf(1)
		}
		ends[j] = a.Runs[len(a.Runs)-1].To
		runs = append(runs, a.Runs)
		total += a.Total()
	}
	return runs, total
}

// missing is what q is charged if it has no place.
func (s *shard) missing(q *party) float64 {
	sum := 0.0
	for _, j := range q.jobs {
		sum += s.in.Jobs[j].Missing
	}
	return sum
}

// view returns s's prices, and an instance whose rooms are what is left to s.
func (s *shard) view(fixed bool) (*Instance, Prices) {
	p := make(Prices, s.things)
	for r := range p {
		p[r] = s.price[r*s.cells : (r+1)*s.cells]
	}
	if !fixed {
		return s.in, p
	}
	in := *s.in
	in.Room = make([][]float64, s.things)
	for r := range in.Room {
		in.Room[r] = make([]float64, s.cells)
		for c, left := range s.left[r*s.cells : (r+1)*s.cells] {
			in.Room[r][c] = max(0, left)
		}
	}
	return &in, p
}

// draws returns what a job draws and uses in a run.
func (in *Instance) draws(j int32, run Run) (kw float64, use []float64) {
	job := &in.Jobs[j]
	if job.Kind == Elastic {
		lv := &job.Levels[run.Level]
		return lv.KW, lv.Use
	}
	way := &job.Ways[run.Way]
	return way.KW, way.Use
}

// tally adds what q takes to what s holds, sign times, and to what it sees.
func (s *shard) tally(q *party, sign float64) {
	for i, j := range q.jobs {
		if q.runs == nil {
			return
		}
		for _, run := range q.runs[i] {
			_, use := s.in.draws(j, run)
			for r, u := range use {
				u *= sign * q.weight
				at := r*s.cells + s.in.Cell(s.in.Jobs[j].Ways[run.Way].Site, 0)
				for c := at + int(run.From); c < at+int(run.To); c++ {
					s.own[c] += u
					s.seen[c] += u
					s.left[c] -= u
				}
			}
		}
	}
}

// sum returns what the place of q costs at s.price.
func (s *shard) sum(q *party) float64 {
	if q.runs == nil {
		return s.missing(q)
	}
	sum := 0.0
	for i, j := range q.jobs {
		job := &s.in.Jobs[j]
		for _, run := range q.runs[i] {
			kw, use := s.in.draws(j, run)
			at := s.in.Cell(job.Ways[run.Way].Site, 0)
			for c := at + int(run.From); c < at+int(run.To); c++ {
				sum += kw * s.in.Cost[job.Table][c]
				for r, u := range use {
					sum += u * s.price[r*s.cells+c]
				}
			}
		}
		if len(q.runs[i]) > 0 {
			sum += job.Ways[q.runs[i][0].Way].Fixed
		}
	}
	return sum
}

// reprice makes the price of each cell fit what is seen there.
func (s *shard) reprice() {
	for i, seen := range s.seen {
		s.price[i] = max(0, s.m.base[i]+float64(s.m.slope[i]*seen))
	}
}

// askParty is ask for one party.
func (s *shard) askParty(q *party) {
	s.tally(q, -1)
	s.reprice()
	in, p := s.view(false)
	runs, total := respondParty(in, q, p)
	q.runs = nil
	if runs != nil && total < s.missing(q) {
		q.runs = runs
	}
	s.tally(q, 1)
	s.reprice()
}

// spreadParty is spread for one party.
func (s *shard) spreadParty(q *party, regret float64) {
	if q.runs == nil || !s.crowdedParty(q) {
		return
	}
	now := s.sum(q)
	s.tally(q, -1)
	in, p := s.view(true)
	runs, total := respondParty(in, q, p)
	most := now
	for i, j := range q.jobs {
		for _, run := range q.runs[i] {
			kw, _ := s.in.draws(j, run)
			most += regret * kw * float64(run.To-run.From)
		}
	}
	if math.IsInf(regret, 1) {
		most = regret
	}
	switch missing := s.missing(q); {
	case runs != nil && total < missing && total <= most:
		q.runs = runs
		s.moved++
	case missing <= most:
		q.runs = nil
		s.moved++
	}
	s.tally(q, 1)
}

func (s *shard) crowdedParty(q *party) bool {
	for i, j := range q.jobs {
		for _, run := range q.runs[i] {
			_, use := s.in.draws(j, run)
			for r, u := range use {
				at := r*s.cells + s.in.Cell(s.in.Jobs[j].Ways[run.Way].Site, 0)
				for c := at + int(run.From); c < at+int(run.To); c++ {
					if u > 0 && s.over(c) {
						return true
					}
				}
			}
		}
	}
	return false
}

// improveParty is improve for one party.
func (s *shard) improveParty(q *party) {
	now := s.sum(q)
	s.tally(q, -1)
	in, p := s.view(true)
	if runs, total := respondParty(in, q, p); runs != nil && total < now-1e-9*math.Abs(now) {
		q.runs = runs
		s.moved++
	}
	s.tally(q, 1)
}
