package fleet

import "math"

// party is what is planned as one and asked through a desk: a job of a kind that
// is not plain, or a family.
type party struct {
	family family
	runs   [][]Run // of each of the jobs; nil if none has a place
	weight float64
	least  float64
}

func partyOf(f family) party {
	if f.before == nil {
		n := len(f.jobs)
		f.before, f.after, f.of = make([][]int32, n), make([][]int32, n), make([][]int32, n)
	}
	return party{family: f, weight: 1}
}

// groups returns the jobs that are tied to each other.
func groups(in *Instance) []party {
	var parties []party
	for _, f := range families(in) {
		parties = append(parties, partyOf(f))
	}
	return parties
}

// desk returns the desk of s at its prices. If firm, what it sees and takes from
// is the room that is left to s.
func (s *shard) desk(firm bool) *desk {
	if s.table == nil {
		s.table = newDesk(s.in)
		s.table.price = make(Prices, s.things)
		s.rooms = make([][]float64, s.things)
		for r := range s.things {
			s.table.price[r] = s.price[r*s.cells : (r+1)*s.cells]
			s.rooms[r] = s.left[r*s.cells : (r+1)*s.cells]
		}
	}
	s.table.firm, s.table.room, s.table.labels = firm, s.in.Room, fewLabels
	if firm {
		s.table.room = s.rooms
	}
	return s.table
}

// party finds what the jobs of q do, each alone or all together, as answers that
// are overwritten by the next, and what they come to.
func (d *desk) party(f *family) ([]Answer, float64) {
	x := &d.ties
	x.own = resize(x.own, len(f.jobs))
	if len(f.jobs) > 1 {
		total, _ := d.group(f, x.own)
		return x.own, total
	}
	a, j := &x.own[0], f.jobs[0]
	if d.respond(int(j), a) && a.Total() < d.in.Jobs[j].Missing {
		return x.own, a.Total()
	}
	a.Runs, a.Cost, a.Paid = a.Runs[:0], 0, 0
	return x.own, d.in.Jobs[j].Missing
}

// better lets the jobs of f that have runs choose again one at a time, in the
// window and the room that the others leave.
func (d *desk) better(f *family, runs [][]Run) ([]Answer, float64) {
	x := &d.ties
	x.own = resize(x.own, len(f.jobs))
	d.clearCounts(f)
	total := 0.0
	for i, j := range f.jobs {
		a := &x.own[i]
		a.Runs, a.Cost, a.Paid = append(a.Runs[:0], runs[i]...), 0, 0
		if len(a.Runs) == 0 {
			total += d.in.Jobs[j].Missing
			continue
		}
		d.sit(int(j))
		a.Cost, a.Paid = d.settle(a.Runs)
		total += a.Total()
	}
	d.takeAll(f, x.own, 1)
	total = d.settleDown(f, x.own, total)
	d.takeAll(f, x.own, -1)
	d.leave()
	return x.own, total
}

// limit returns a lower bound on what the jobs of f come to at the prices.
func (d *desk) limit(f *family) float64 {
	switch {
	case len(f.arrays) > 0:
		return d.arrayed(f, boundRounds)
	case len(f.jobs) > 1:
		return d.heads(f)
	}
	d.respond(int(f.jobs[0]), &d.ties.ans)
	return math.Min(d.in.Jobs[f.jobs[0]].Missing, d.ties.ans.Least)
}

// write makes the answers the place of q.
func (q *party) write(ans []Answer) {
	any := false
	for i := range ans {
		any = any || len(ans[i].Runs) > 0
	}
	if !any {
		q.runs = nil
		return
	}
	// In new memory: the best plan so far holds on to the old.
	n := 0
	for i := range ans {
		n += len(ans[i].Runs)
	}
	all := make([]Run, 0, n)
	q.runs = make([][]Run, len(ans))
	for i := range ans {
		from := len(all)
		all = append(all, ans[i].Runs...)
		q.runs[i] = all[from:len(all):len(all)]
	}
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
	for i, runs := range q.runs {
		j := q.family.jobs[i]
		for _, run := range runs {
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

// comesTo returns what the place of q costs at the prices, those of its jobs
// that have none included.
func (d *desk) comesTo(q *party) float64 {
	sum := 0.0
	for i, j := range q.family.jobs {
		if q.runs == nil || len(q.runs[i]) == 0 {
			sum += d.in.Jobs[j].Missing
			continue
		}
		d.sit(int(j))
		cost, paid := d.settle(q.runs[i])
		sum += cost + paid
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
	ans, _ := s.desk(false).party(&q.family)
	q.write(ans)
	s.tally(q, 1)
	s.reprice()
}

// spreadParty is spread for one party.
func (s *shard) spreadParty(q *party, regret float64) {
	if q.runs == nil || !s.crowdedParty(q) {
		return
	}
	now := s.desk(false).comesTo(q)
	most := now
	for i, runs := range q.runs {
		for _, run := range runs {
			kw, _ := s.in.draws(q.family.jobs[i], run)
			most += regret * kw * float64(run.To-run.From)
		}
	}
	if math.IsInf(regret, 1) {
		most = regret
	}
	s.tally(q, -1)
	if ans, total := s.desk(true).party(&q.family); total <= most {
		q.write(ans)
		s.moved++
	}
	s.tally(q, 1)
}

// crowdedParty is crowded for one party.
func (s *shard) crowdedParty(q *party) bool {
	for i, runs := range q.runs {
		j := q.family.jobs[i]
		for _, run := range runs {
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
	now := s.desk(false).comesTo(q)
	s.tally(q, -1)
	d := s.desk(true)
	ans, total := d.party(&q.family)
	if total >= now-1e-9*math.Abs(now) && q.runs != nil && len(q.family.jobs) > 1 {
		ans, total = d.better(&q.family, q.runs)
	}
	if total < now-1e-9*math.Abs(now) {
		q.write(ans)
		s.moved++
	}
	s.tally(q, 1)
}
