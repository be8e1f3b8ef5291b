package private

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"clusy.io/clusy/internal/plan/fleet"
)

// Announcement is what the coordinator says in a round.
type Announcement struct {
	Period uint64
	Round  int
	Prices [][]int64 // in steps, by thing and cell
	// Load is of all enclaves: what they answered, or, once the admissions have
	// begun, what is granted. In quanta, or in units.
	Load [][]int64
	Rho  float64
	// Grant is what the enclave that reads this is granted, in units. It is nil
	// before there are admissions.
	Grant [][]int64
}

// Answer is what an enclave says in a round.
type Answer struct {
	Period  uint64
	Round   int
	Enclave int
	// Values are by thing and cell, and none is below zero: the prices that the
	// enclave proposes, in steps; its load, in quanta; or the room that it
	// claims, in units. The phase of the round says which.
	Values [][]int64
	Bound  float64 // what its jobs cost at least, at the announced prices
}

// passes is how often each job chooses again in a round.
const passes = 2

// Answer answers an announcement. It refuses one that is not of this period and
// the next round, and then changes nothing.
func (e *Enclave) Answer(a *Announcement) (*Answer, error) {
	if err := e.terms.checkAnnouncement(a); err != nil {
		return nil, err
	}
	if a.Round < e.round {
		return nil, fmt.Errorf("round %d was announced, enclave %d has answered up to round %d", a.Round, e.id, e.round-1)
	}
	e.round = a.Round + 1
	t := e.terms
	prices := t.grid()
	for r := range prices {
		for c, v := range a.Prices[r] {
			prices[r][c] = float64(v) * t.step(r)
		}
	}
	out := &Answer{Period: a.Period, Round: a.Round, Enclave: e.id}
	switch t.phase(a.Round) {
	case Proposing:
		out.Values = e.propose()
	case Planning:
		total := t.grid()
		for r := range total {
			for c, v := range a.Load[r] {
				total[r][c] = float64(v) * t.Quantum[r]
			}
		}
		e.look(prices, total, nil, a.Rho)
		e.dither(a.Round)
		for range passes {
			e.pass()
		}
		out.Values = e.load()
	case Admitting:
		if a.Grant != nil {
			e.admit(a, prices)
		}
		out.Values = e.claim()
	case Closed:
		e.close(a, prices)
		return nil, nil
	}
	out.Bound = e.bound(prices)
	return out, nil
}

// propose plans as if all others were like this enclave, and returns at which
// prices they would all keep to the room.
func (e *Enclave) propose() [][]int64 {
	t := e.terms
	n := float64(len(t.Shares))
	prices, total := t.grid(), t.grid()
	for i := range 12 {
		for r := range total {
			for c, own := range e.own[r] {
				total[r][c] = n * own
				e.said[r][c] = own
			}
		}
		e.look(prices, total, nil, t.Rho)
		for r := range e.view.slope { // all are alike
			for c, own := range e.own[r] {
				s := t.spring(r, c, t.Rho)
				e.view.slope[r][c] = n * s
				e.view.base[r][c] = prices[r][c] + s*(n*own-e.in.Room[r][c])
				if s == 0 {
					e.view.base[r][c] = 0
				}
			}
		}
		e.pass()
		if i < 1 {
			continue
		}
		for r := range prices {
			for c, own := range e.own[r] {
				if s := t.spring(r, c, t.Rho); s > 0 {
					prices[r][c] = max(0, prices[r][c]+s*(n*own-e.in.Room[r][c]))
				}
			}
		}
	}
	out := t.whole()
	for r := range out {
		for c, p := range prices[r] {
			out[r][c] = int64(math.Round(min(p/t.step(r), mostSteps)))
		}
	}
	return out
}

// load returns the load in quanta, rounded up and padded.
func (e *Enclave) load() [][]int64 {
	t := e.terms
	out := t.whole()
	for r := range out {
		for c, own := range e.own[r] {
			e.said[r][c] = own
			out[r][c] = min(int64(math.Ceil(max(0, own)/t.Quantum[r]+e.dummy[r][c])), t.mostLoad(r, c))
		}
	}
	return out
}

// claim returns the room that the plan needs, in units.
func (e *Enclave) claim() [][]int64 {
	t := e.terms
	out := t.whole()
	for r := range out {
		for c, own := range e.own[r] {
			out[r][c] = min(int64(math.Ceil(max(0, own)/t.Unit[r]-1e-6)), t.mostClaim(r, c))
		}
	}
	return out
}

// admit plans again inside what is granted and what is still free.
func (e *Enclave) admit(a *Announcement, prices [][]float64) {
	t := e.terms
	total, top := t.grid(), t.grid()
	for r := range total {
		for c := range total[r] {
			total[r][c] = float64(a.Load[r][c]) * t.Unit[r]
			e.said[r][c] = float64(a.Grant[r][c]) * t.Unit[r]
			top[r][c] = e.said[r][c] + max(0, e.in.Room[r][c]-total[r][c])
		}
	}
	e.look(prices, total, top, a.Rho)
	e.fit()
}

// close plans for the last time, inside what is granted.
func (e *Enclave) close(a *Announcement, prices [][]float64) {
	t := e.terms
	top, free := t.grid(), t.grid()
	for r := range top {
		for c := range top[r] {
			top[r][c] = float64(a.Grant[r][c]) * t.Unit[r]
			e.said[r][c] = e.own[r][c]
		}
	}
	e.look(free, free, top, 0)
	for r := range prices { // room that is granted costs nothing more
		clear(e.view.base[r])
		clear(e.view.slope[r])
	}
	e.fit()
	e.pass()
	e.pass()
}

// fit makes the plan keep to the room that it may use. Jobs that have no place
// take one as if there were room for them, and others make way, if that is cheaper.
func (e *Enclave) fit() {
	e.yield()
	for range 3 {
		forced := false
		for _, j := range e.order {
			if len(e.runs[j]) > 0 {
				continue
			}
			if e.place(int(j)); len(e.runs[j]) > 0 {
				continue
			}
			free := e.view.free
			e.view.free, e.hard = e.in.Room, false
			from, to := e.window(int(j))
			runs, _ := e.pick.choose(int(j), from, to, &e.view)
			e.runs[j] = append(e.runs[j], runs...)
			e.view.free, e.hard = free, true
			e.add(int(j), 1)
			forced = forced || len(runs) > 0
		}
		if !forced {
			return
		}
		e.yield()
	}
}

// yield moves jobs out of the cells that hold more than they may: first those that lose
// least by it, for the room that they leave.
func (e *Enclave) yield() {
	type move struct {
		j    int
		loss float64
	}
	var moves []move
	for j := range e.in.Jobs {
		over := e.over(j)
		if over == 0 {
			continue
		}
		stay := e.pays(j)
		from, to := e.window(j)
		e.add(j, -1)
		_, leave := e.pick.choose(j, from, to, &e.view)
		e.add(j, 1)
		moves = append(moves, move{j, (leave - stay) / over})
	}
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(a.loss, b.loss) })
	for _, m := range moves {
		if e.over(m.j) > 0 {
			e.place(m.j)
		}
	}
}

// pays returns what job j costs and pays where it is.
func (e *Enclave) pays(j int) float64 {
	job := &e.in.Jobs[j]
	sum := cost(e.in, j, e.runs[j])
	for _, run := range e.runs[j] {
		way := &job.Ways[run.Way]
		use := way.Use
		if job.Kind == fleet.Elastic {
			use = job.Levels[run.Level].Use
		}
		for c, end := e.in.Cell(way.Site, run.From), e.in.Cell(way.Site, run.To); c < end; c++ {
			for r, u := range use {
				sum += u * max(0, e.view.base[r][c]-e.view.slope[r][c]*u/2)
			}
		}
	}
	return sum
}

// over returns how much of what job j uses, in cells that hold too much, would help there.
func (e *Enclave) over(j int) float64 {
	job := &e.in.Jobs[j]
	sum := 0.0
	for _, run := range e.runs[j] {
		way := &job.Ways[run.Way]
		use := way.Use
		if job.Kind == fleet.Elastic {
			use = job.Levels[run.Level].Use
		}
		for c, end := e.in.Cell(way.Site, run.From), e.in.Cell(way.Site, run.To); c < end; c++ {
			for r, u := range use {
				if f := e.view.free[r][c]; f < -1e-9 {
					sum += min(u, -f) / e.terms.Unit[r]
				}
			}
		}
	}
	return sum
}

// Plan returns the runs of each job. They are the enclave's own business until
// the period is closed; then they keep to what was granted.
func (e *Enclave) Plan() [][]fleet.Run { return e.runs }

func (e *Enclave) dither(round int) {
	if Dither == 0 {
		return
	}
	rng := rand.New(rand.NewPCG(e.seed, uint64(round)))
	amp := Dither * e.typical * math.Pow(Decay, float64(round))
	n := e.in.Slots()
	for s := range e.in.Sites {
		v := rng.Float64() - 0.5
		for t := range n {
			if rng.IntN(Block) == 0 {
				v = rng.Float64() - 0.5
			}
			c := s*n + t
			e.view.base[0][c] += e.view.slope[0][c] * amp * v
		}
	}
}
