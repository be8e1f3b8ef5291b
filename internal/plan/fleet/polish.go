package fleet

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// In a small world prices alone do not find the best plan: a job is a lump, and
// where one lump fills a third of a cell no price divides the room well. polish
// takes such a plan and moves jobs by hand. Each step gives one job that has
// much to gain the spot that it wishes for, lifts out those that are in its
// way, and puts each of them where it then fits best, pushing others away in
// turn if it must. A step that makes the plan dearer is taken back, though at
// first not always. How far polish goes is counted in slots looked at, not in
// time, and its dice are seeded: the same plan gives the same.

// small is how many jobs a world may have for Solve to polish its plan. It then
// looks at thoroughEach slots for each job, and at thorough at most: some 60 ms
// on one core.
const (
	small        = 2000
	thorough     = 6_000_000
	thoroughEach = 100_000
	mostSets     = 4 << 20 // words of eight bytes
)

// How steps are made. The figures are the best of those that were tried on the
// worlds of TestPolish; none of them matters much by itself.
const (
	diceSeed   = 0x5EED
	mostLifted = 40   // jobs that one step moves
	firstHeat  = 0.05 // of what a job costs on average: how much dearer a step may be
	lastHeat   = 0.01 // of firstHeat, when tenths of the work are left
	strictFrom = 0.9  // share of the work after which only what is cheaper is kept
	trouble    = 20   // steps after which what has no place weighs more
	nearEnough = 1e-4 // share of the bound within which there is no more to gain
)

// polish makes s cheaper, never dearer, until it has looked at effort slots, or
// at twice as many if a job has no place by then.
// Jobs of kinds that it has no hand for, and those that wait for others, stay
// where they are.
func polish(in *Instance, s *Solution, effort int) {
	if sets(in) > mostSets {
		return // few jobs, but so many cells that the sets would fill the memory
	}
	p := newPolisher(in, s)
	if len(p.movable) == 0 {
		return
	}
	// No plan costs less than the bound, nor than what each job costs alone.
	enough := 0.0
	for _, j := range p.movable {
		enough += min(p.ideal[j], in.Jobs[j].Missing)
	}
	if s.Bound != 0 {
		enough = max(enough, s.Bound+nearEnough*math.Abs(s.Bound)-p.fixed)
	}
	enough += 1e-9 * math.Abs(enough)
	longer := false
	for steps := 1; p.looked < effort && p.low > enough; steps++ {
		done := float64(p.looked) / float64(effort)
		if done > strictFrom && !p.strict {
			if !longer && p.leavesOut() {
				longer = true // a job without a place is worth the time of one more try
				effort *= 2
				continue
			}
			p.strict = true
			p.restart()
		}
		p.step(done)
		if steps%trouble == 0 {
			p.worry()
		}
	}
	p.write(s)
}

// sets returns how many words it takes to write down who runs where.
func sets(in *Instance) int { return (len(in.Jobs) + 63) / 64 * in.Cells() }

type polisher struct {
	*hand
	dice    *rand.Rand
	movable []int32
	ideal   []float64 // what each job costs at least, if it has all the room for itself
	size    []float64 // how much each takes, as its use is worth
	fixed   float64   // what the others cost
	heat    float64   // how much dearer a step may leave the plan, at first

	words  int      // of a set of jobs
	inCell []uint64 // by cell: the set of movable jobs that run there

	now, best spots
	cost, low float64 // of both: cost, and charges for what has no place
	changed   []int32 // jobs that may differ between both, and the set of them
	isChanged []bool

	// Of jobs without a place. The list may hold some that have found one.
	homeless []int32
	stress   []float64 // how much each weighs
	strict   bool      // all weigh what they are charged

	// Of the step.
	hands  []lifted // jobs that it has moved, in the order in which they get a spot
	up     []uint64 // the set of them
	wasAt  []int32  // their slots before it
	target []int32  // scratch
	set    []uint64 // scratch
}

// lifted is a job that a step has moved, and where it was.
type lifted struct {
	job  int32
	was  spot
	from int32 // in wasAt
}

// spots says where all jobs are.
type spots struct {
	of    []spot
	first []int32 // the slots of job j begin there
	slots []int32
}

func (p *spots) slotsOf(j int32) []int32 { return p.slots[p.first[j]:][:p.of[j].n] }

func (p *spots) set(j int32, at spot, slots []int32) {
	p.of[j] = at
	copy(p.slots[p.first[j]:], slots[:at.n])
}

func newPolisher(in *Instance, s *Solution) *polisher {
	n := len(in.Jobs)
	words := (n + 63) / 64
	p := &polisher{
		hand:      newHand(in, s.Prices),
		dice:      rand.New(rand.NewPCG(diceSeed, uint64(n))),
		ideal:     make([]float64, n),
		size:      make([]float64, n),
		words:     words,
		inCell:    make([]uint64, sets(in)),
		now:       spots{of: make([]spot, n), first: make([]int32, n)},
		isChanged: make([]bool, n),
		stress:    slices.Repeat([]float64{0.3}, n),
		up:        make([]uint64, words),
		set:       make([]uint64, words),
	}
	tied := make([]bool, n) // to others
	for _, g := range groups(in) {
		for _, j := range g.family.jobs {
			tied[j] = true
		}
	}
	slots := int32(0)
	for j := range in.Jobs {
		job := &in.Jobs[j]
		p.now.first[j], p.now.of[j] = slots, spot{way: -1, cost: job.Missing}
		if tied[j] || len(p.options[j]) == 0 {
			p.leave(j, s.Of(j))
			continue
		}
		p.movable = append(p.movable, int32(j))
		p.ideal[j] = p.options[j][0].cost
		p.heat += math.Abs(p.ideal[j])
		longest := int32(0)
		for w := range job.Ways {
			longest = max(longest, job.Ways[w].Need)
		}
		slots += longest
		for r, u := range job.Ways[0].Use {
			p.size[j] += float64(job.Ways[0].Need) * u * p.worth[r]
		}
	}
	p.heat *= firstHeat / float64(max(1, len(p.movable)))
	p.now.slots = make([]int32, slots)
	var at []int32
	for _, j := range p.movable {
		if runs := s.Of(int(j)); len(runs) > 0 {
			at = at[:0]
			for _, r := range runs {
				for t := r.From; t < r.To; t++ {
					at = append(at, t)
				}
			}
			p.put(j, spot{way: runs[0].Way, n: int32(len(at)), cost: p.costOf(&in.Jobs[j], runs[0].Way, at)}, at)
		} else {
			p.homeless = append(p.homeless, j)
		}
		p.cost += p.now.of[j].cost
	}
	p.low = p.cost
	p.best = spots{of: slices.Clone(p.now.of), first: p.now.first, slots: slices.Clone(p.now.slots)}
	p.looked = 0
	return p
}

// leave takes the room of a job that stays where it is.
func (p *polisher) leave(j int, runs []Run) {
	job := &p.in.Jobs[j]
	if len(runs) == 0 {
		p.fixed += job.Missing
		return
	}
	p.fixed += p.in.cost(j, runs)
	for _, r := range runs {
		use := job.Ways[r.Way].Use
		if job.Kind == Elastic {
			use = job.Levels[r.Level].Use
		}
		for t := r.From; t < r.To; t++ {
			p.take(job.Ways[r.Way].Site, use, []int32{t})
		}
	}
}

// step is one move, kept or taken back. Done is the share of the work before it.
func (p *polisher) step(done float64) {
	p.hands, p.wasAt = p.hands[:0], p.wasAt[:0]
	j := p.choose()
	p.lift(j)
	p.push(j, p.wish(j))
	factor := p.dice.Float64()
	bySize := p.dice.IntN(3) > 0
	for i := 1; i < len(p.hands); i++ {
		next := i
		if bySize {
			// The biggest goes first: it fits in the fewest spots.
			for k := i + 1; k < len(p.hands); k++ {
				if p.size[p.hands[k].job] > p.size[p.hands[next].job] {
					next = k
				}
			}
		} else {
			next += p.dice.IntN(len(p.hands) - i)
		}
		p.hands[i], p.hands[next] = p.hands[next], p.hands[i]
		j := p.hands[i].job
		if at := p.respondIn(int(j), ask{factor: factor}); at.way >= 0 {
			p.put(j, at, p.slots)
		} else if len(p.hands) < mostLifted {
			p.push(j, ask{factor: factor, push: true, force: 1})
		}
	}
	cost, dearer := 0.0, 0.0
	for _, l := range p.hands {
		cost += p.now.of[l.job].cost - l.was.cost
		dearer += p.felt(l.job, p.now.of[l.job]) - p.felt(l.job, l.was)
	}
	heat := 0.0
	if !p.strict {
		heat = -p.heat * math.Pow(lastHeat, done) * math.Log(1-p.dice.Float64())
	}
	if dearer <= heat {
		p.cost += cost
		p.keep()
	} else {
		p.undo()
	}
}

// felt is what a spot counts for when a step is judged. To have none counts
// for less than it is charged, or no plan without one job would ever be left
// for a better without another. It counts for more the longer it lasts.
func (p *polisher) felt(j int32, at spot) float64 {
	if at.way >= 0 || p.strict {
		return at.cost
	}
	return min(at.cost, p.ideal[j]+p.stress[j]*p.size[j])
}

// worry lets those without a place weigh more, and forgets those that have one.
func (p *polisher) worry() {
	still := p.homeless[:0]
	for _, j := range p.homeless {
		if p.now.of[j].way < 0 {
			still = append(still, j)
			p.stress[j] = min(1.1*p.stress[j], 1e6)
		}
	}
	p.homeless = still
}

// choose returns the job that gets its wish: one without a place, or, of
// three, the one farthest from its ideal.
func (p *polisher) choose() int32 {
	if n := len(p.homeless); n > 0 && p.dice.IntN(2) == 0 {
		if j := p.homeless[p.dice.IntN(n)]; p.now.of[j].way < 0 {
			return j
		}
	}
	j := p.movable[p.dice.IntN(len(p.movable))]
	for range 2 {
		k := p.movable[p.dice.IntN(len(p.movable))]
		if p.now.of[k].cost-p.ideal[k] > p.now.of[j].cost-p.ideal[j] {
			j = k
		}
	}
	return j
}

// wish says on what terms job j may choose its spot. For one without a place
// the dice say where it is at times, or it would wish for the same again and again.
func (p *polisher) wish(j int32) ask {
	a := ask{factor: 1.2 * p.dice.Float64(), push: true, force: p.dice.Float64()}
	if p.hands[0].was.way >= 0 || p.dice.IntN(2) == 0 {
		return a
	}
	job, options := &p.in.Jobs[j], p.options[j]
	w := options[p.dice.IntN(len(options))].way
	way := &job.Ways[w]
	from := max(job.Release, way.From)
	spare := int(job.Due - from - way.Need)
	a.way = w + 1
	a.from = from + int32(p.dice.IntN(spare+1))
	a.to = a.from + way.Need + int32(p.dice.IntN(spare/4+1))
	return a
}

// push gives a lifted job the spot that it wishes for, and lifts those that
// are in its way. If there are too many of them it gets none.
func (p *polisher) push(j int32, a ask) {
	at := p.respondIn(int(j), a)
	if at.way < 0 {
		return
	}
	p.target = append(p.target[:0], p.slots...)
	way := &p.in.Jobs[j].Ways[at.way]
	for _, t := range p.target {
		cell := p.in.Cell(way.Site, t)
		for !p.fits(way.Use, cell) {
			k := p.someone(cell)
			if k < 0 || len(p.hands) >= mostLifted {
				return
			}
			p.lift(k)
		}
	}
	p.put(j, at, p.target)
}

// someone returns a job that runs in the cell and that this step has not
// moved, -1 if there is none.
func (p *polisher) someone(cell int) int32 {
	for i, word := range p.inCell[cell*p.words:][:p.words] {
		p.set[i] = word &^ p.up[i]
	}
	at := p.dice.IntN(p.words * 64)
	word := p.set[at>>6] >> (at & 63) << (at & 63)
	for i := range p.words + 1 {
		if word != 0 {
			return int32((at>>6+i)%p.words*64 + bits.TrailingZeros64(word))
		}
		word = p.set[(at>>6+i+1)%p.words]
	}
	return -1
}

// lift takes job j from where it is, and remembers where that was.
func (p *polisher) lift(j int32) {
	p.hands = append(p.hands, lifted{j, p.now.of[j], int32(len(p.wasAt))})
	p.wasAt = append(p.wasAt, p.now.slotsOf(j)...)
	p.up[j>>6] |= 1 << (j & 63)
	p.clear(j)
}

// clear leaves job j without a place, put gives it one.
func (p *polisher) clear(j int32) {
	if at, slots := p.now.of[j], p.now.slotsOf(j); at.way >= 0 {
		way := &p.in.Jobs[j].Ways[at.way]
		p.give(way.Site, way.Use, slots)
		p.flip(j, way.Site, slots)
	}
	p.now.of[j] = spot{way: -1, cost: p.in.Jobs[j].Missing}
}

func (p *polisher) put(j int32, at spot, slots []int32) {
	p.now.set(j, at, slots)
	if at.way >= 0 {
		way := &p.in.Jobs[j].Ways[at.way]
		p.take(way.Site, way.Use, slots[:at.n])
		p.flip(j, way.Site, slots[:at.n])
	}
}

// flip notes that j runs in these slots, or no more.
func (p *polisher) flip(j, site int32, slots []int32) {
	cell := p.in.Cell(site, 0)
	for _, t := range slots {
		p.inCell[(cell+int(t))*p.words+int(j>>6)] ^= 1 << (j & 63)
	}
}

// keep makes the step last.
func (p *polisher) keep() {
	for _, l := range p.hands {
		j := l.job
		p.up[j>>6] &^= 1 << (j & 63)
		if p.now.of[j].way < 0 && l.was.way >= 0 {
			p.homeless = append(p.homeless, j)
		}
		if !p.isChanged[j] {
			p.isChanged[j] = true
			p.changed = append(p.changed, j)
		}
	}
	if p.cost < p.low-1e-9*math.Abs(p.low) {
		p.low = p.cost
		for _, j := range p.changed {
			p.best.set(j, p.now.of[j], p.now.slotsOf(j))
			p.isChanged[j] = false
		}
		p.changed = p.changed[:0]
	}
}

// undo takes the step back.
func (p *polisher) undo() {
	for _, l := range p.hands {
		p.clear(l.job)
		p.up[l.job>>6] &^= 1 << (l.job & 63)
	}
	for _, l := range p.hands {
		p.put(l.job, l.was, p.wasAt[l.from:])
	}
}

// leavesOut reports whether a job has no place in the best plan.
func (p *polisher) leavesOut() bool {
	return slices.ContainsFunc(p.movable, func(j int32) bool { return p.best.of[j].way < 0 })
}

// restart goes back to the best plan.
func (p *polisher) restart() {
	for _, j := range p.changed {
		p.clear(j)
	}
	for _, j := range p.changed {
		p.put(j, p.best.of[j], p.best.slotsOf(j))
		p.isChanged[j] = false
	}
	p.changed = p.changed[:0]
	p.cost = p.low
	p.homeless = p.homeless[:0]
	for _, j := range p.movable {
		if p.now.of[j].way < 0 {
			p.homeless = append(p.homeless, j)
		}
	}
}

// write puts the best plan into s.
func (p *polisher) write(s *Solution) {
	old := *s
	s.First, s.Runs = make([]uint32, 1, len(old.First)), make([]Run, 0, len(old.Runs))
	s.Cost, s.Missing, s.Unplaced = 0, 0, 0
	next := p.movable
	for j := range p.in.Jobs {
		from := len(s.Runs)
		if len(next) > 0 && int(next[0]) == j {
			s.Runs = appendRuns(s.Runs, p.best.of[j].way, p.best.slotsOf(next[0]))
			next = next[1:]
		} else {
			s.Runs = append(s.Runs, old.Of(j)...)
		}
		s.First = append(s.First, uint32(len(s.Runs)))
		if len(s.Runs) == from {
			s.Unplaced++
			s.Missing += p.in.Jobs[j].Missing
		} else {
			s.Cost += p.in.cost(j, s.Runs[from:])
		}
	}
}

// appendRuns appends the runs that slots, by rising time, are.
func appendRuns(runs []Run, way int16, slots []int32) []Run {
	for i, t := range slots {
		if i > 0 && slots[i-1]+1 == t {
			runs[len(runs)-1].To++
		} else {
			runs = append(runs, Run{From: t, To: t + 1, Way: way})
		}
	}
	return runs
}
