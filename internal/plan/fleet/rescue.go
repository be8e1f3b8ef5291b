package fleet

import (
	"cmp"
	"math"
	"slices"
)

// Who has no place when all is settled may still get one if others move over:
// it goes where the fewest cells are short of room, and of those who sit there
// the one moves to whom it costs least.

// moversTried is how many of those who sit in a cell are asked to move over,
// and rescueAsks how many are asked in all, besides a tenth of everybody: what
// cannot be saved soon, cannot be saved.
const (
	moversTried = 48
	rescueAsks  = 20000
)

// rescue finds places for members that have none, where that makes the plan
// cost less.
func (s *solver) rescue() {
	s.gather()
	h := s.shards[0]
	h.allot(0, 0, 1, 0)
	var lost []int32
	for i := range h.jobs {
		if j := &h.jobs[i]; j.way < 0 && j.first < j.last {
			lost = append(lost, int32(i))
		}
	}
	if len(lost) == 0 {
		return
	}
	slices.SortStableFunc(lost, func(a, b int32) int { return cmp.Compare(h.jobs[b].missing, h.jobs[a].missing) })
	r := newRescuer(h)
	for _, i := range lost {
		if r.asks <= 0 {
			break
		}
		r.save(i)
	}
	s.market.exchange(s.shards)
}

// gather makes one shard of all.
func (s *solver) gather() {
	if len(s.shards) > 1 {
		h := newShard(s.crowd, s.market, s.crowd.jobs, s.crowd.rest)
		s.shards = append(s.shards[:0], h)
		s.count()
	}
}

// rescuer knows who sits in which cell.
type rescuer struct {
	*shard
	first []int32 // who sat in cell c is in who[first[c]:first[c+1]]
	who   []int32
	moves []move // made for the member that is being saved
	asks  int    // how many may still be asked
}

// move is a member that moved, and where it was.
type move struct {
	i    int32
	was  member
	held []int32
}

func newRescuer(s *shard) *rescuer {
	r := &rescuer{shard: s, first: make([]int32, s.cells+1), asks: rescueAsks + len(s.jobs)/10}
	for i := range s.jobs {
		s.each(&s.jobs[i], func(c int) { r.first[c+1]++ })
	}
	for c := range s.cells {
		r.first[c+1] += r.first[c]
	}
	r.who = make([]int32, r.first[s.cells])
	next := slices.Clone(r.first)
	for i := range s.jobs {
		s.each(&s.jobs[i], func(c int) {
			r.who[next[c]] = int32(i)
			next[c]++
		})
	}
	return r
}

// each calls f with each cell that j sits in.
func (c *crowd) each(j *member, f func(cell int)) {
	if j.way < 0 {
		return
	}
	p := &c.ways[j.way]
	at := int(p.site) * c.slots
	if !j.free {
		for t := j.start; t < j.start+p.need; t++ {
			f(at + int(t))
		}
		return
	}
	for _, t := range c.held[j.held : j.held+p.need] {
		f(at + int(t))
	}
}

// save tries to find a place for member i, and leaves all as it was if that
// would cost more than doing without.
func (r *rescuer) save(i int32) {
	j := &r.jobs[i]
	r.moves = r.moves[:0]
	if !r.squeeze(j) {
		return
	}
	r.firm(j, 1)
	spent := r.total(j)
	ok := spent < j.missing
	r.each(j, func(c int) {
		for ok && r.short(c) {
			cost, found := r.clear(i, c)
			spent += cost
			ok = found && spent < j.missing
		}
	})
	if ok {
		return
	}
	r.firm(j, -1)
	j.way = -1
	for k := len(r.moves) - 1; k >= 0; k-- {
		r.undo(&r.moves[k])
	}
}

// short reports whether more is taken of some thing in a cell than there is.
func (r *rescuer) short(c int) bool {
	for thing := range r.things {
		if r.over(thing*r.cells + c) {
			return true
		}
	}
	return false
}

// squeeze gives j the place with the fewest slots that are short of room, and
// of those the cheapest. It writes the place down, and takes no room.
func (r *rescuer) squeeze(j *member) bool {
	least := math.Inf(1)
	var start int
	var dearest float64
	for w := j.first; w < j.last; w++ {
		p := &r.ways[w]
		row := r.crowd.row(w, j.table, r.price, r.row)
		// More than everything else together, for each slot that is short.
		fine := j.missing / float64(p.need)
		from := int(p.site)*r.slots + int(p.lo)
		for k := range row {
			for thing := range r.things {
				if r.left[thing*r.cells+from+k] < r.uses(w, thing) {
					row[k] += fine
					break
				}
			}
		}
		if j.free {
			if v, d := cheapest(row, int(p.need), r.spare); v+p.fixed < least {
				least, dearest, j.way = v+p.fixed, d, w
				r.row, r.best = r.best, r.row
			}
		} else if at, v := window(row, int(p.need)); v+p.fixed < least {
			least, start, j.way = v+p.fixed, at, w
		}
	}
	if j.way < 0 {
		return false
	}
	p := &r.ways[j.way]
	if j.free {
		pick(r.best[:p.hi-p.lo], int(p.need), dearest, p.lo, r.held[j.held:])
	} else {
		j.start = p.lo + int32(start)
	}
	return true
}

// clear moves one member other than i out of cell c: of some that sit there,
// the one to whom it costs least. It returns what that costs.
func (r *rescuer) clear(i int32, c int) (cost float64, ok bool) {
	cost = math.Inf(1)
	var mover int32
	tried := 0
	for _, k := range r.who[r.first[c]:r.first[c+1]] {
		j := &r.jobs[k]
		if k == i || !r.sits(j, c) || !r.helps(j, c) {
			continue
		}
		if tried++; tried > moversTried {
			break
		}
		r.asks--
		was := r.note(k)
		before := r.total(j)
		r.firm(j, -1)
		if r.choose(j, min(j.missing, before+cost), true) {
			cost, mover, ok = r.total(j)-before, k, true
			r.firm(j, 1)
		}
		r.undo(&was)
	}
	if !ok {
		return 0, false
	}
	j := &r.jobs[mover]
	r.moves = append(r.moves, r.note(mover))
	r.firm(j, -1)
	r.choose(j, math.Inf(1), true) // as before: it is the same world
	r.firm(j, 1)
	return cost, true
}

// sits reports whether j is in cell c now.
func (r *rescuer) sits(j *member, c int) bool {
	found := false
	r.each(j, func(cell int) { found = found || cell == c })
	return found
}

// helps reports whether j takes of what cell c is short of.
func (r *rescuer) helps(j *member, c int) bool {
	for thing := range r.things {
		if r.over(thing*r.cells+c) && r.uses(j.way, thing) > 0 {
			return true
		}
	}
	return false
}

// note returns where a member is.
func (r *rescuer) note(i int32) move {
	j := &r.jobs[i]
	m := move{i: i, was: *j}
	if j.free {
		m.held = slices.Clone(r.held[j.held : j.held+r.ways[j.way].need])
	}
	return m
}

// undo puts a member back where it was.
func (r *rescuer) undo(m *move) {
	j := &r.jobs[m.i]
	r.firm(j, -1)
	*j = m.was
	copy(r.held[j.held:], m.held)
	r.firm(j, 1)
}
