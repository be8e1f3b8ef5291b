package fleet

import "math"

// shard is a part of the crowd that plans for itself between two exchanges:
// it sees each move of its own members at once, and those of the others when
// they are told. How many shards there are depends on the instance alone, so
// the plan does not depend on how many of them work at a time.
type shard struct {
	*crowd
	m    *market
	jobs []member
	rest []party

	own   []float64 // what its members take
	seen  []float64 // what it believes is taken by all
	price []float64 // what it believes a unit costs; in a fixed room, the price that is paid
	left  []float64 // room of its own that is left, in a fixed room

	table *desk       // where the parties are asked
	rooms [][]float64 // left, by thing

	row, best, spare []float64
	was              []int32
	others           float64 // how many shards there are besides
	moved            int
}

func newShard(c *crowd, m *market, jobs []member, rest []party) *shard {
	n := c.things * c.cells
	return &shard{crowd: c, m: m, jobs: jobs, rest: rest,
		own: make([]float64, n), seen: make([]float64, n), price: make([]float64, n), left: make([]float64, n),
		row: make([]float64, c.slots), best: make([]float64, c.slots), spare: make([]float64, c.slots), was: make([]int32, c.slots)}
}

// share returns the part of a slice of n that is asked between exchanges k and
// k+1 of of.
func share(n, k, of int) (from, to int) { return n * k / of, n * (k + 1) / of }

// look takes over what is taken by all, and what the prices are then.
func (s *shard) look(ghost float64) {
	m := s.m
	for i, taken := range m.taken {
		seen := taken + ghost*m.ghost[i]
		s.seen[i] = seen
		s.price[i] = max(0, m.base[i]+float64(m.slope[i]*seen))
	}
}

// ask lets stretch k of of of the members choose again at prices that rise
// with what is taken.
func (s *shard) ask(k, of int, ghost float64) {
	s.look(ghost)
	from, to := share(len(s.jobs), k, of)
	for i := from; i < to; i++ {
		j := &s.jobs[i]
		was := *j
		s.soft(j, s.held[j.held:], -1, true)
		if j.free && j.way >= 0 {
			copy(s.was, s.held[j.held:j.held+s.ways[j.way].need])
		}
		found := s.choose(j, j.missing, false)
		if found {
			s.soft(j, s.held[j.held:], 1, true)
		}
		if s.others == 0 || s.same(&was, j) {
			continue
		}
		// What one of us does, the others' members are doing too, and we shall
		// only hear of it. A shard is a fair sample of all: expect as much of
		// each of them.
		s.soft(&was, s.was, -s.others, false)
		s.soft(j, s.held[j.held:], s.others, false)
	}
	from, to = share(len(s.rest), k, of)
	for i := from; i < to; i++ {
		s.askParty(&s.rest[i])
	}
}

// same reports whether j is where it was.
func (s *shard) same(was, j *member) bool {
	if was.way != j.way || j.way < 0 || !j.free {
		return was.way == j.way && (j.way < 0 || was.start == j.start)
	}
	for i, t := range s.held[j.held : j.held+s.ways[j.way].need] {
		if s.was[i] != t {
			return false
		}
	}
	return true
}

// choose finds the cheapest place of j at s.price and writes it down, if there
// is one that costs less than most. If fixed, only slots with room left count.
func (s *shard) choose(j *member, most float64, fixed bool) bool {
	j.way = -1
	var start int
	var dearest float64
	for w := j.first; w < j.last; w++ {
		p := &s.ways[w]
		row := s.crowd.row(w, j.table, s.price, s.row)
		if fixed {
			s.barFull(w, s.left, row)
		}
		if j.free {
			least, d := cheapest(row, int(p.need), s.spare)
			if least += p.fixed; least < most {
				most, dearest, j.way = least, d, w
				s.row, s.best = s.best, s.row
			}
			continue
		}
		at, least := window(row, int(p.need))
		if least += p.fixed; least < most {
			most, start, j.way = least, at, w
		}
	}
	if j.way < 0 {
		return false
	}
	p := &s.ways[j.way]
	if j.free {
		pick(s.best[:p.hi-p.lo], int(p.need), dearest, p.lo, s.held[j.held:])
	} else {
		j.start = p.lo + int32(start)
	}
	return true
}

// soft adds what j takes to what is seen, sign times, and moves the prices. If
// it is j's own doing, it is added to what s takes, too.
func (s *shard) soft(j *member, held []int32, sign float64, own bool) {
	if j.way < 0 {
		return
	}
	p := &s.ways[j.way]
	for r := range s.things {
		use := sign * j.weight * s.uses(j.way, r)
		at := r*s.cells + int(p.site)*s.slots
		if !j.free {
			for i := at + int(j.start); i < at+int(j.start+p.need); i++ {
				s.shift(i, use, own)
			}
			continue
		}
		for _, t := range held[:p.need] {
			s.shift(at+int(t), use, own)
		}
	}
}

// shift adds use to what is seen in a cell.
func (s *shard) shift(i int, use float64, own bool) {
	if own {
		s.own[i] += use
	}
	seen := s.seen[i] + use
	s.seen[i] = seen
	s.price[i] = max(0, s.m.base[i]+float64(s.m.slope[i]*seen))
}

// firm adds what j takes to what s holds, sign times, in its own room.
func (s *shard) firm(j *member, sign float64) {
	if j.way < 0 {
		return
	}
	p := &s.ways[j.way]
	for r := range s.things {
		use := sign * s.uses(j.way, r)
		at := r*s.cells + int(p.site)*s.slots
		if !j.free {
			for i := at + int(j.start); i < at+int(j.start+p.need); i++ {
				s.own[i] += use
				s.left[i] -= use
			}
			continue
		}
		for _, t := range s.held[j.held : j.held+p.need] {
			s.own[at+int(t)] += use
			s.left[at+int(t)] -= use
		}
	}
}

// total returns what the place of j costs at s.price.
func (s *shard) total(j *member) float64 {
	if j.way < 0 {
		return j.missing
	}
	p := &s.ways[j.way]
	table := s.in.Cost[j.table]
	sum := 0.0
	at := int(p.site) * s.slots
	if !j.free {
		for i := at + int(j.start); i < at+int(j.start+p.need); i++ {
			sum += float64(p.kw * table[i])
			for r := range s.things {
				sum += float64(s.uses(j.way, r) * s.price[r*s.cells+i])
			}
		}
		return sum + p.fixed
	}
	for _, t := range s.held[j.held : j.held+p.need] {
		sum += float64(p.kw * table[at+int(t)])
		for r := range s.things {
			sum += float64(s.uses(j.way, r) * s.price[r*s.cells+at+int(t)])
		}
	}
	return sum + p.fixed
}

// crowded reports whether j sits in a cell that holds more than its room.
func (s *shard) crowded(j *member) bool {
	if j.way < 0 {
		return false
	}
	p := &s.ways[j.way]
	for r := range s.things {
		if s.uses(j.way, r) == 0 {
			continue
		}
		at := r*s.cells + int(p.site)*s.slots
		if !j.free {
			for i := at + int(j.start); i < at+int(j.start+p.need); i++ {
				if s.over(i) {
					return true
				}
			}
			continue
		}
		for _, t := range s.held[j.held : j.held+p.need] {
			if s.over(at + int(t)) {
				return true
			}
		}
	}
	return false
}

// count sets own to what the members of s take: a sum without the roundings of
// a thousand moves.
func (s *shard) count() {
	clear(s.own)
	for i := range s.jobs {
		j := &s.jobs[i]
		if j.way < 0 {
			continue
		}
		p := &s.ways[j.way]
		for r := range s.things {
			use := s.uses(j.way, r)
			at := r*s.cells + int(p.site)*s.slots
			if !j.free {
				for c := at + int(j.start); c < at+int(j.start+p.need); c++ {
					s.own[c] += use
				}
				continue
			}
			for _, t := range s.held[j.held : j.held+p.need] {
				s.own[at+int(t)] += use
			}
		}
	}
	for i := range s.rest {
		s.tally(&s.rest[i], 1)
	}
}

// allot gives s a room of its own: what its members hold, plus all the room
// that is free in the cells whose turn it is, less its part of what is held
// beyond the room. The rooms of all shards together are the room there is, so
// what each fits into its own, all fit.
func (s *shard) allot(me, turn, of int, factor float64) {
	m := s.m
	for i, taken := range m.taken {
		s.price[i] = factor * m.price[i]
		hair := hair(m.room[i])
		switch free := m.room[i] - taken; {
		case math.IsInf(free, 1):
			s.left[i] = free
		case free < -2*hair:
			s.left[i] = free * (s.own[i] / taken)
		case free > -hair && (i+turn)%of == me:
			s.left[i] = free + hair
		default:
			s.left[i] = 0
		}
	}
}

// hair is how far sums of what fits exactly may be apart by rounding.
func hair(room float64) float64 { return 1e-9 * max(1, room) }

// over reports whether s holds more than its room of a thing in a cell.
func (s *shard) over(i int) bool { return s.left[i] < 0 && s.left[i] < -hair(s.m.room[i]) }

// spread moves members of stretch k out of the cells that are too full, if
// that costs at most regret for each kilowatt in a slot, as a share of what one
// costs in the mean; with +Inf, some lose their place.
func (s *shard) spread(k, of int, regret float64) {
	if !math.IsInf(regret, 1) {
		regret *= s.m.typical
	}
	from, to := share(len(s.jobs), k, of)
	for i := from; i < to; i++ {
		j := &s.jobs[i]
		if !s.crowded(j) {
			continue
		}
		was := *j
		p := &s.ways[j.way]
		most := s.total(j) + regret*p.kw*float64(p.need)
		if math.IsInf(regret, 1) {
			most = regret
		}
		s.firm(j, -1)
		if s.choose(j, min(most, j.missing), true) {
			s.firm(j, 1)
			s.moved++
			continue
		}
		if j.missing <= most { // it is the cheapest way out to do without it
			s.moved++
			continue
		}
		*j = was // choose has written nothing but j
		s.firm(j, 1)
	}
	from, to = share(len(s.rest), k, of)
	for i := from; i < to; i++ {
		s.spreadParty(&s.rest[i], regret)
	}
}

// improve lets members of stretch k move to a place with room that is cheaper
// at s.price, and those without a place take any.
func (s *shard) improve(k, of int) {
	from, to := share(len(s.jobs), k, of)
	for i := from; i < to; i++ {
		j := &s.jobs[i]
		was := *j
		now := s.total(j)
		s.firm(j, -1)
		// Less by a hair is nothing: it would move back and forth.
		if s.choose(j, now-1e-9*math.Abs(now), true) {
			s.firm(j, 1)
			s.moved++
			continue
		}
		*j = was
		s.firm(j, 1)
	}
	from, to = share(len(s.rest), k, of)
	for i := from; i < to; i++ {
		s.improveParty(&s.rest[i])
	}
}
