package fleet

import "math"

// kept is a plan that was the best yet.
type kept struct {
	cost float64
	jobs []member
	held []int32
	rest []party
}

// gap returns how far a plan of the given cost is from bound at most, as a
// share of it.
func gap(cost, bound float64) float64 {
	if bound == 0 {
		return cost
	}
	return (cost - bound) / math.Abs(bound)
}

// cost returns what the plan as it stands costs.
func (s *solver) cost() float64 {
	sums := make([]float64, len(s.shards))
	s.o.Par(len(s.shards), func(i int) { sums[i] = s.shards[i].spent() })
	cost := 0.0
	for _, v := range sums {
		cost += v
	}
	return cost
}

// keep keeps the plan as it stands, which costs so much, if it is the best yet.
func (s *solver) keep(cost float64) {
	c, k := s.crowd, &s.best
	if cost >= k.cost {
		return
	}
	k.cost = cost
	k.jobs = append(k.jobs[:0], c.jobs...)
	k.held = append(k.held[:0], c.held...)
	k.rest = append(k.rest[:0], c.rest...)
}

// restore goes back to the plan that was kept if the one that stands, which
// costs so much, is worse, and returns what costs less.
func (s *solver) restore(cost float64) float64 {
	if cost <= s.best.cost {
		return cost
	}
	copy(s.crowd.jobs, s.best.jobs)
	copy(s.crowd.held, s.best.held)
	copy(s.crowd.rest, s.best.rest)
	s.count()
	return s.best.cost
}

// spent returns what the plan of s costs, with what is charged for those who
// have no place.
func (s *shard) spent() float64 {
	clear(s.price)
	var t balance
	for i := range s.jobs {
		t.add(s.total(&s.jobs[i]))
	}
	for i := range s.rest {
		t.add(s.desk(false).comesTo(&s.rest[i]))
	}
	return t.sum()
}

// unplaced returns how many members and parties have no place.
func (s *solver) unplaced() int {
	n := 0
	for i := range s.crowd.jobs {
		if s.crowd.jobs[i].way < 0 {
			n++
		}
	}
	for i := range s.crowd.rest {
		if s.crowd.rest[i].runs == nil {
			n++
		}
	}
	return n
}
