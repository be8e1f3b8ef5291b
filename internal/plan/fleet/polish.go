package fleet

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
)

// In a small world prices alone do not find the best plan: a job is a lump, and
// where one lump fills a third of a cell no price divides the room well. polish
// takes such a plan and moves jobs by hand. Each step gives one job that has
// much to gain the place that it wants, lifts out those that are in its way,
// and puts them back where they then fit best. What is dearer than before is
// taken back, though at first not always. polish is told how many steps to do,
// not how long to take, and its dice are seeded: the same plan gives the same.

// polish makes s cheaper, never dearer, in so many steps. Jobs of kinds that
// it has no hand for stay where they are. The prices of s, if it has any, tell
// it what room is worth to others.
func polish(in *Instance, s *Solution, effort int) {
	p := newPolisher(in, s)
	if len(p.movable) < 1 {
		return
	}
	n := 0
	p.stress = slices.Repeat([]float64{tuneB}, len(p.in.Jobs))
	for p.asked = 0; p.asked < effort; {
		p.step(p.warmth(float64(p.asked) / float64(effort)))
		if n++; n%tuneN == 0 {
			for _, j := range p.homeless {
				if p.now.of[j].way < 0 {
					p.stress[j] = p.stress[j]*tuneA + tuneC
				}
			}
			if p.asked > effort*9/10 {
				for j := range p.stress {
					p.stress[j] = 1000
				}
			}
		}
	}
	p.write(s)
}

const (
	diceSeed = 0x5EED
)

type polisher struct {
	*hand
	dice    *rand.Rand
	movable []int32
	ideal   []float64 // what each job costs at least, if it has all the room for itself
	warm    float64   // first temperature: how much dearer a step may leave the plan

	words  int      // of a set of jobs
	inCell []uint64 // by cell: the set of movable jobs that run there

	now, best spots
	cost, low float64 // of both
	changed   []int32 // jobs that may differ between both, and the set of them
	isChanged []bool

	hands    []lifted // jobs that this step has moved, in the order in which they get a spot
	wasAt    []int32  // their slots before it
	target   []int32
	aim      spot
	scratch  []uint64
	up       []uint64
	homeless []int32 // jobs without a place, and some that have found one
	out      int     // jobs without a place
	stress   []float64
	size     []float64 // of each job: how much it takes, as its use is worth
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
	p := &polisher{
		hand:      newHand(in, s.Prices),
		dice:      rand.New(rand.NewPCG(diceSeed+tuneSeed, uint64(n))),
		ideal:     make([]float64, n),
		words:     (n + 63) / 64,
		inCell:    make([]uint64, (n+63)/64*in.Cells()),
		isChanged: make([]bool, n),
		scratch:   make([]uint64, (n+63)/64),
		size:      make([]float64, n),
		up:        make([]uint64, (n+63)/64),
	}
	tied := make([]bool, n) // to the time of another
	for _, a := range in.After {
		tied[a[0]], tied[a[1]] = true, true
	}
	p.now = spots{of: make([]spot, n), first: make([]int32, n)}
	size := int32(0)
	for j := range in.Jobs {
		job := &in.Jobs[j]
		p.now.first[j], p.now.of[j] = size, spot{way: -1}
		if tied[j] || !handy(job) {
			p.leave(job, s.Of(j))
			continue
		}
		for r, u := range job.Ways[0].Use {
			p.size[j] += float64(job.Ways[0].Need) * u * p.worth[r]
		}
		if len(p.options[j]) > 0 {
			p.ideal[j] = p.options[j][0].cost
			p.movable = append(p.movable, int32(j))
			for w := range job.Ways {
				size = max(size, p.now.first[j]+job.Ways[w].Need)
			}
		}
	}
	p.now.slots = make([]int32, size)
	for _, j := range p.movable {
		p.now.of[j].cost = in.Jobs[j].Missing
		if runs := s.Of(int(j)); len(runs) > 0 {
			var slots []int32
			for _, r := range runs {
				for t := r.From; t < r.To; t++ {
					slots = append(slots, t)
				}
			}
			way := runs[0].Way
			p.put(j, spot{way: way, n: int32(len(slots)), cost: p.costOf(&in.Jobs[j], way, slots)}, slots)
		}
		if p.now.of[j].way < 0 {
			p.homeless = append(p.homeless, j)
			p.out++
		}
		p.cost += p.now.of[j].cost
		p.warm += max(0, p.ideal[j])
	}
	p.warm *= env("W", .05) / float64(max(1, len(p.movable)))
	p.low = p.cost
	p.best = spots{of: slices.Clone(p.now.of), first: p.now.first, slots: slices.Clone(p.now.slots)}
	return p
}

// leave takes the room of a job that stays where it is.
func (p *polisher) leave(job *Job, runs []Run) {
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

// put gives job j a place, lift takes it from where it is.
func (p *polisher) put(j int32, at spot, slots []int32) {
	p.now.set(j, at, slots)
	if at.way >= 0 {
		way := &p.in.Jobs[j].Ways[at.way]
		p.take(way.Site, way.Use, slots[:at.n])
		p.flip(j, way, slots[:at.n])
	}
}

func (p *polisher) lift(j int32) {
	at, slots := p.now.of[j], p.now.slotsOf(j)
	p.hands = append(p.hands, lifted{j, at, int32(len(p.wasAt))})
	p.up[j>>6] |= 1 << (j & 63)
	p.wasAt = append(p.wasAt, slots...)
	p.clear(j)
}

func (p *polisher) clear(j int32) {
	if at, slots := p.now.of[j], p.now.slotsOf(j); at.way >= 0 {
		way := &p.in.Jobs[j].Ways[at.way]
		p.give(way.Site, way.Use, slots)
		p.flip(j, way, slots)
	}
	p.now.of[j] = spot{way: -1, cost: p.in.Jobs[j].Missing}
}

// flip notes that j runs in these slots, or no more.
func (p *polisher) flip(j int32, way *Way, slots []int32) {
	bit := uint64(1) << (j & 63)
	for _, t := range slots {
		p.inCell[p.in.Cell(way.Site, t)*p.words+int(j>>6)] ^= bit
	}
}

func (p *polisher) warmth(done float64) float64 {
	if done > .95 {
		return 0
	}
	return p.warm * math.Pow(1e-2, done)
}

// step is one move, kept or taken back.
func (p *polisher) step(warmth float64) {
	p.hands, p.wasAt = p.hands[:0], p.wasAt[:0]
	before := p.cost
	j := p.choose()
	p.lift(j)
	p.push(j, p.wish(j))
	factor := p.dice.Float64()
	bySize := p.dice.IntN(3) > 0
	for i := 1; i < len(p.hands); i++ {
		next := i
		if bySize {
			// The biggest of those in the hand goes first: it fits in the fewest places.
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
			p.push(j, ask{factor: factor, push: true, force: tuneForce2})
		}
	}
	dearer := 0.0
	for _, l := range p.hands {
		p.cost += p.now.of[l.job].cost - l.was.cost
		dearer += p.felt(l.job, p.now.of[l.job]) - p.felt(l.job, l.was)
	}
	if dearer <= 0 || dearer < -warmth*math.Log(1-p.dice.Float64()) {
		p.keep()
	} else {
		p.undo(before)
	}
}

// felt is what a spot counts for when steps are judged. To have none counts
// for less than it is charged, or no plan without one job would ever be left
// for a better without another. How much is made to fit: more while jobs are
// without a place, less while none is.
func (p *polisher) felt(j int32, at spot) float64 {
	if at.way >= 0 {
		return at.cost
	}
	return min(at.cost, p.ideal[j]+p.stress[j]*p.size[j])
}

// choose returns the job that gets its wish: of some, the one farthest from
// its ideal.
func (p *polisher) choose() int32 {
	if n := len(p.homeless); n > 0 && p.dice.Float64() < tuneHome {
		i := p.dice.IntN(n)
		j := p.homeless[i]
		if p.now.of[j].way < 0 {
			return j
		}
		p.homeless[i] = p.homeless[n-1]
		p.homeless = p.homeless[:n-1]
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

// wish says on what terms job j may choose the spot that it gets. At times the
// dice say where that is: else it would wish for the same again and again.
func (p *polisher) wish(j int32) ask {
	a := ask{factor: p.dice.Float64() * 1.2, push: true, force: tuneForce * p.dice.Float64()}
	random := tuneR2
	if p.hands[0].was.way < 0 {
		random = tuneR
	}
	if p.dice.Float64() >= random {
		return a
	}
	job := &p.in.Jobs[j]
	options := p.options[j]
	w := options[p.dice.IntN(len(options))].way
	way := &job.Ways[w]
	from := max(job.Release, way.From)
	spare := int(job.Due - from - way.Need)
	a.way = w + 1
	a.from = from + int32(p.dice.IntN(spare+1))
	a.to = a.from + way.Need + int32(p.dice.IntN(spare/4+1))
	return a
}

// push gives a lifted job the place that it wants, and lifts those that are in
// its way. If there are too many of them it gets none.
func (p *polisher) push(j int32, a ask) {
	job := &p.in.Jobs[j]
	at := p.respondIn(int(j), a)
	if at.way < 0 {
		return
	}
	p.target = append(p.target[:0], p.slots[:at.n]...)
	way := &job.Ways[at.way]
	for _, t := range p.target {
		cell := p.in.Cell(way.Site, t)
		for !p.fits(way.Use, cell) {
			k := p.someone(cell)
			for n := p.dice.IntN(tuneK + 1); n > 0; n-- {
				if l := p.someone(cell); l >= 0 && p.size[l] < p.size[k] {
					k = l
				}
			}
			if k < 0 || len(p.hands) >= mostLifted {
				return
			}
			p.lift(k)
		}
	}
	p.put(j, at, p.target)
}

// someone returns a job that runs in the cell, -1 if there is none.
func (p *polisher) someone(cell int) int32 {
	set := p.scratch
	for i, word := range p.inCell[cell*p.words:][:p.words] {
		set[i] = word &^ p.up[i]
	}
	at := p.dice.IntN(p.words * 64)
	word := set[at>>6] >> (at & 63) << (at & 63)
	for i := range p.words + 1 {
		if word != 0 {
			return int32((at>>6+i)%p.words*64 + bits.TrailingZeros64(word))
		}
		word = set[(at>>6+i+1)%p.words]
	}
	return -1
}

// keep makes the step last.
func (p *polisher) keep() {
	for _, l := range p.hands {
		j := l.job
		p.up[j>>6] &^= 1 << (j & 63)
		switch out := p.now.of[j].way < 0; {
		case out && l.was.way >= 0:
			p.homeless = append(p.homeless, j)
			p.out++
		case !out && l.was.way < 0:
			p.out--
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
func (p *polisher) undo(before float64) {
	for _, l := range p.hands {
		p.clear(l.job)
		p.up[l.job>>6] &^= 1 << (l.job & 63)
	}
	for _, l := range p.hands {
		p.put(l.job, l.was, p.wasAt[l.from:])
	}
	p.cost = before
}

// write puts the best plan into s.
func (p *polisher) write(s *Solution) {
	movable := make([]bool, len(p.in.Jobs))
	for _, j := range p.movable {
		movable[j] = true
	}
	old := *s
	s.First, s.Runs, s.Cost, s.Missing, s.Unplaced = make([]uint32, 0, len(old.First)), nil, 0, 0, 0
	for j := range p.in.Jobs {
		job := &p.in.Jobs[j]
		s.First = append(s.First, uint32(len(s.Runs)))
		if !movable[j] {
			s.Runs = append(s.Runs, old.Of(j)...)
		} else if at := p.best.of[j]; at.way >= 0 {
			for i, t := range p.best.slotsOf(int32(j)) {
				if last := len(s.Runs) - 1; i > 0 && s.Runs[last].To == t {
					s.Runs[last].To++
				} else {
					s.Runs = append(s.Runs, Run{From: t, To: t + 1, Way: at.way})
				}
			}
		}
		if int(s.First[j]) == len(s.Runs) {
			s.Unplaced++
			s.Missing += job.Missing
		} else {
			s.Cost += p.in.costOf(job, s.Runs[s.First[j]:])
		}
	}
	s.First = append(s.First, uint32(len(s.Runs)))
}

// costOf returns what a job costs in these runs.
func (in *Instance) costOf(job *Job, runs []Run) float64 {
	way := &job.Ways[runs[0].Way]
	sum := way.Fixed
	for _, r := range runs {
		kw := way.KW
		if job.Kind == Elastic {
			kw = job.Levels[r.Level].KW
		}
		for t := r.From; t < r.To; t++ {
			sum += kw * in.Cost[job.Table][in.Cell(way.Site, t)]
		}
	}
	return sum
}

var tuneHome = env("H", .5)
var tuneK = int(env("K", 0))
var tuneC = env("C", .0)
var tuneR = env("R", .5)
var tuneR2 = env("R2", .05)
var tuneA, tuneB, tuneN = env("A", 1.1), env("SB", .3), int(env("N", 20))
var tuneSeed uint64
var tuneForce, tuneForce2 = env("F", 1), env("G", 1)

func env(n string, d float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(n), 64); err == nil {
		return v
	}
	return d
}

var mostLifted = int(env("M", 40))
