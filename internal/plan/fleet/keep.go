package fleet

import "math"

// kept is a plan that was the best yet.
type kept struct {
	cost float64
	jobs []member
	held []int32
	rest []party
}

// gap returns how far k is from bound at most, as a share of it.
func (k *kept) gap(bound float64) float64 {
	if k.jobs == nil && k.rest == nil {
		return math.Inf(1)
	}
	if bound == 0 {
		return k.cost
	}
	return (k.cost - bound) / math.Abs(bound)
}

// keep keeps the plan as it stands if it is the best yet.
func (s *solver) keep() {
	c, k := s.crowd, &s.best
	sums := make([]float64, len(s.shards))
	s.o.Par(len(s.shards), func(i int) { sums[i] = s.shards[i].spent() })
	cost := 0.0
	for _, v := range sums {
		cost += v
	}
	if k.jobs != nil && cost >= k.cost {
		return
	}
	k.cost = cost
	k.jobs = append(k.jobs[:0], c.jobs...)
	k.held = append(k.held[:0], c.held...)
	k.rest = append(k.rest[:0], c.rest...)
}

// restore goes back to the best plan.
func (s *solver) restore() {
	copy(s.crowd.jobs, s.best.jobs)
	copy(s.crowd.held, s.best.held)
	copy(s.crowd.rest, s.best.rest)
	s.count()
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
		t.add(s.sum(&s.rest[i]))
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
