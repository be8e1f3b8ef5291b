package fleet

import (
	"math"
	"math/rand/v2"
)

// crowd is the jobs of an Instance in the form in which they are asked what
// they would do, again and again: flat and small, so that a pass over a
// hundred thousand of them streams through the cache. Jobs whose kind needs
// more than a sum over slots stand in rest, and are asked through Respond.
type crowd struct {
	in     *Instance
	things int
	slots  int
	cells  int
	jobs   []member
	ways   []place
	use    []float64 // of way w and thing r at w × things + r; nil for one thing
	held   []int32   // the slots of the interruptible jobs that have a place
	rest   []party
}

// member is a rigid job, or one that pauses freely.
type member struct {
	id      int32 // in Instance.Jobs
	first   int32 // its ways are crowd.ways[first:last]
	last    int32
	held    int32 // where its slots are in crowd.held, of free work
	way     int32 // the way it has its place in, -1 for none
	start   int32 // the first slot of its place, of rigid work
	table   uint8
	free    bool    // it may pause between any two slots
	weight  float64 // how many jobs like it it stands for
	missing float64
	least   float64 // what it would cost at the prices of the bound
}

// place is a way of a member. Ways that can never be used are left out.
type place struct {
	site   int32
	lo, hi int32 // its slots
	need   int32
	index  int16 // in Job.Ways
	denied int32 // as in Job
	ragged bool  // some cell of the window cannot be used
	kw     float64
	use    float64 // of the first thing
	fixed  float64
}

// together is how finely the order of the jobs is mixed: neighbours in the
// Instance stay neighbours in about this many blocks, so that reading them is
// reading memory from front to back, and each block is still a small share.
const together = 4096

// newCrowd reads the jobs of in. Their order is mixed, always in the same way:
// a stretch of it is a fair sample of the whole, however the jobs were sorted.
func newCrowd(in *Instance) *crowd {
	c := &crowd{in: in, things: len(in.Things), slots: in.Slots(), cells: in.Cells()}
	g := newGround(in)
	parties := groups(in)
	inGroup := make(map[int32]bool)
	for _, p := range parties {
		for _, j := range p.family.jobs {
			inGroup[j] = true
		}
	}
	n := len(in.Jobs)
	size := max(1, n/together)
	blocks := make([]int32, (n+size-1)/size)
	for b := range blocks {
		blocks[b] = int32(b)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(blocks), func(a, b int) { blocks[a], blocks[b] = blocks[b], blocks[a] })

	ways := 0
	for j := range in.Jobs {
		ways += len(in.Jobs[j].Ways)
	}
	c.jobs = make([]member, 0, n)
	c.ways = make([]place, 0, ways)
	if c.things > 1 {
		c.use = make([]float64, 0, ways*c.things)
	}
	held := int32(0)
	for _, b := range blocks {
		for j := int(b) * size; j < min(n, (int(b)+1)*size); j++ {
			job := &in.Jobs[j]
			if len(inGroup) > 0 && inGroup[int32(j)] {
				continue
			}
			if !plain(job) {
				c.rest = append(c.rest, partyOf(family{jobs: []int32{int32(j)}}))
				continue
			}
			m := member{id: int32(j), first: int32(len(c.ways)), way: -1, held: held,
				table: job.Table, free: job.Kind == Interruptible, weight: 1, missing: job.Missing}
			most := int32(0)
			for w := range job.Ways {
				if p, ok := g.place(job, w); ok {
					c.ways = append(c.ways, p)
					if c.things > 1 {
						c.use = append(c.use, job.Ways[w].Use...)
					}
					most = max(most, p.need)
				}
			}
			m.last = int32(len(c.ways))
			if m.free {
				held += most
			}
			c.jobs = append(c.jobs, m)
		}
	}
	c.held = make([]int32, held)
	for _, p := range parties {
		c.rest = append(c.rest, p)
	}
	return c
}

// plain reports whether the best response of a job is a sum over slots: a
// window for rigid work, the cheapest slots for work that pauses freely.
func plain(job *Job) bool {
	if len(job.Ceilings) > 0 || len(job.Moves) > 0 {
		return false
	}
	return job.Kind == Rigid || job.Kind == Interruptible && job.Resume == 0 && job.MinRun <= 1 && job.Pauses == 0
}

// ground is what makes most windows whole at a glance: how small the rooms of
// a site get, and where its costs are unknown.
type ground struct {
	in      *Instance
	least   [][]float64 // room, by thing and site
	unknown [][]int32   // cells without a cost before each cell, by table
}

func newGround(in *Instance) *ground {
	g := &ground{in: in}
	slots := in.Slots()
	for _, room := range in.Room {
		least := make([]float64, len(in.Sites))
		for s := range least {
			least[s] = math.Inf(1)
			for _, v := range room[s*slots : (s+1)*slots] {
				least[s] = min(least[s], v)
			}
		}
		g.least = append(g.least, least)
	}
	for _, table := range in.Cost {
		before := make([]int32, len(table)+1)
		for i, v := range table {
			before[i+1] = before[i]
			if math.IsNaN(v) {
				before[i+1]++
			}
		}
		g.unknown = append(g.unknown, before)
	}
	return g
}

// place compiles way w of a job; ok is false if it can never be used.
func (g *ground) place(job *Job, w int) (place, bool) {
	way := &job.Ways[w]
	p := place{site: way.Site, lo: max(job.Release, way.From), hi: job.Due, need: way.Need,
		index: int16(w), denied: job.Denied, kw: way.KW, use: way.Use[0], fixed: way.Fixed}
	if p.lo > p.hi-p.need { // Due is not below 0, so this holds for any Need
		return p, false
	}
	from, to := g.in.Cell(p.site, p.lo), g.in.Cell(p.site, p.hi-1)+1
	p.ragged = g.unknown[job.Table][from] != g.unknown[job.Table][to]
	for r, u := range way.Use {
		p.ragged = p.ragged || u > g.least[r][p.site]
	}
	denied := g.in.denied(job.Denied)
	for _, d := range denied {
		p.ragged = p.ragged || d.From < p.hi && p.lo < d.To
	}
	if !p.ragged {
		return p, true
	}
	run, all, longest := int32(0), int32(0), int32(0)
	for c := from; c < to; c++ {
		ok := !math.IsNaN(g.in.Cost[job.Table][c]) && !within(denied, p.lo+int32(c-from))
		for r, u := range way.Use {
			ok = ok && u <= g.in.Room[r][c]
		}
		if !ok {
			run = 0
			continue
		}
		run++
		all++
		longest = max(longest, run)
	}
	if job.Kind == Rigid {
		return p, longest >= p.need
	}
	return p, all >= p.need
}

// uses returns what way w takes of thing r.
func (c *crowd) uses(w int32, r int) float64 {
	if c.use == nil {
		return c.ways[w].use
	}
	return c.use[int(w)*c.things+r]
}

// table returns flat numbers by thing and cell in the form of Prices, a copy.
func (c *crowd) table(flat []float64) Prices {
	p := make(Prices, c.things)
	for r := range p {
		p[r] = append([]float64(nil), flat[r*c.cells:(r+1)*c.cells]...)
	}
	return p
}
