// Package private plans a fleet whose jobs stay where they are known. Each
// enclave plans its own jobs against prices and the load of all, and says only
// how much it would use of each cell; the coordinator moves the prices, and in
// the end grants room. It never learns how many jobs there are, how long, how
// big or how patient one is, or which slots belong together.
//
// A period of planning is a fixed number of rounds. In each, an enclave hears
// one Announcement and gives one Answer:
//
//	Proposing  it plans as if all others were like it, and says at which prices
//	           its plan keeps to the room; prices begin at the median of these
//	Planning   prices move until the load of all fits: Lagrange's relaxation,
//	           with a spring
//	Admitting  it claims room, and is granted what there is for it
//	Closed     what was granted stands: nothing runs outside it
//
// With each answer comes one number, what the enclave's jobs cost at their best
// if they pay the announced prices. The sum of these, less what all room is
// worth, is a bound that no plan of the whole fleet can undercut. Anyone can add
// it up again; what an enclave says of itself is checked only by opening it.
//
// Nothing that an enclave says is trusted with anybody's room. Claims alone
// count, they are granted within the room there is, and the first claim of one
// that claims no more than its share is never cut, whatever others say.
package private

import (
	"fmt"
	"math"

	"clusy.io/clusy/internal/plan/fleet"
)

// Phase is what a round is for.
type Phase uint8

// The phases, in order.
const (
	Proposing Phase = iota
	Planning
	Admitting
	Closed
)

func (p Phase) String() string {
	return [...]string{"proposing", "planning", "admitting", "closed"}[min(p, Closed)]
}

// Limits of a period. They keep messages and memory small, whoever writes them.
const (
	MostEnclaves = 4096
	MostRounds   = 256
	MostCells    = 1 << 16 // things × cells
)

// Terms are what all sides know before a period begins. They hold no job.
type Terms struct {
	World  *fleet.Instance // the grid, with no jobs
	Period uint64          // names the period: an answer from another one is refused
	// Shares say how big a part of the fleet each enclave is thought to have,
	// relative to the others. They are what it gets of a full cell at least.
	Shares []float64

	Planning  int // rounds of planning, after one of proposing
	Admitting int // rounds of admission
	// Turns is in how many groups the enclaves answer within a round, one group
	// after the other: enclave k with k % Turns. Each hears what those before it
	// have said. It is still asked once a round.
	Turns    int
	Patience int // rounds for which the last answer of a silent enclave stands

	// Scale is what one unit of each thing typically costs for a slot, in the
	// unit of the jobs' costs. Prices are told in 1/4096 of it.
	Scale []float64
	Rho   float64 // stiffness of the spring: price, in Scales, of a load that is twice the room

	// Quantum is in which steps load is told, by thing, and Pad how many quanta
	// of load that is not there an enclave adds at most to each cell.
	Quantum []float64
	Pad     int
	// Unit is in which steps room is claimed and granted, by thing.
	Unit []float64

	Start fleet.Prices // of an earlier period; nil: the first round proposes them
}

// Validate returns the first thing that makes t no terms.
func (t *Terms) Validate() error {
	if t.World == nil {
		return fmt.Errorf("terms need a world")
	}
	if err := t.World.Validate(); err != nil {
		return fmt.Errorf("the world of the terms: %w", err)
	}
	things := len(t.World.Things)
	switch {
	case len(t.World.Jobs) > 0 || len(t.World.After) > 0:
		return fmt.Errorf("the world of the terms has %d jobs; jobs stay in their enclave", len(t.World.Jobs))
	case things*t.World.Cells() > MostCells:
		return fmt.Errorf("%d things in %d cells are more than the %d numbers a message may hold; use longer slots far ahead", things, t.World.Cells(), MostCells)
	case len(t.Shares) == 0 || len(t.Shares) > MostEnclaves:
		return fmt.Errorf("%d enclaves: there are 1 to %d", len(t.Shares), MostEnclaves)
	case t.Planning < 1 || t.Admitting < 1 || t.Planning > MostRounds || t.Admitting > MostRounds:
		return fmt.Errorf("%d rounds of planning and %d of admission: there are 1 to %d of each", t.Planning, t.Admitting, MostRounds)
	case t.Turns < 1 || t.Turns > len(t.Shares):
		return fmt.Errorf("%d turns in a round of %d enclaves: there are 1 to %d", t.Turns, len(t.Shares), len(t.Shares))
	case t.Patience < 0:
		return fmt.Errorf("a patience of %d rounds: it is 0 or more", t.Patience)
	case t.Pad < 0 || t.Pad > 1<<10:
		return fmt.Errorf("padding by %d quanta: it is 0 to %d", t.Pad, 1<<10)
	case !(t.Rho > 0) || math.IsInf(t.Rho, 0):
		return fmt.Errorf("a stiffness of %v: it is more than 0", t.Rho)
	case len(t.Scale) != things || len(t.Quantum) != things || len(t.Unit) != things:
		return fmt.Errorf("scale, quantum and unit are given for %d, %d and %d things, there are %d", len(t.Scale), len(t.Quantum), len(t.Unit), things)
	case t.Start != nil && len(t.Start) != things:
		return fmt.Errorf("the prices to start with are of %d things, there are %d", len(t.Start), things)
	}
	for r, name := range t.World.Things {
		for what, v := range map[string]float64{"scale": t.Scale[r], "quantum": t.Quantum[r], "unit": t.Unit[r]} {
			if !(v > 0) || math.IsInf(v, 0) {
				return fmt.Errorf("the %s of %s is %v: it is more than 0", what, name, v)
			}
		}
		if t.Start != nil && len(t.Start[r]) != t.World.Cells() {
			return fmt.Errorf("the prices of %s to start with are of %d cells, there are %d", name, len(t.Start[r]), t.World.Cells())
		}
	}
	for k, s := range t.Shares {
		if !(s > 0) || math.IsInf(s, 0) {
			return fmt.Errorf("the share of enclave %d is %v: it is more than 0", k, s)
		}
	}
	return nil
}

// priceSteps is how many steps a Scale is told in.
const priceSteps = 4096

// step returns in which steps the prices of a thing are told.
func (t *Terms) step(r int) float64 { return t.Scale[r] / priceSteps }

// phase returns what a round is for. Rounds count from 0.
func (t *Terms) phase(round int) Phase {
	if t.Start == nil {
		round--
	}
	switch {
	case round < 0:
		return Proposing
	case round < t.Planning:
		return Planning
	case round < t.Planning+t.Admitting:
		return Admitting
	}
	return Closed
}

// Rounds returns how many rounds have an answer.
func (t *Terms) Rounds() int {
	n := t.Planning + t.Admitting
	if t.Start == nil {
		n++
	}
	return n
}

// spring returns how much the price of a cell rises with one unit of load. What
// has no end, and what is not there, has no price.
func (t *Terms) spring(r, cell int, rho float64) float64 {
	room := t.World.Room[r][cell]
	if room <= 0 || math.IsInf(room, 0) {
		return 0
	}
	return rho * t.Scale[r] / room
}

// grid makes a table by thing and cell.
func (t *Terms) grid() [][]float64 {
	g := make([][]float64, len(t.World.Things))
	all := make([]float64, len(g)*t.World.Cells())
	for r := range g {
		g[r], all = all[:t.World.Cells():t.World.Cells()], all[t.World.Cells():]
	}
	return g
}

// whole makes a table of whole numbers.
func (t *Terms) whole() [][]int64 {
	g := make([][]int64, len(t.World.Things))
	all := make([]int64, len(g)*t.World.Cells())
	for r := range g {
		g[r], all = all[:t.World.Cells():t.World.Cells()], all[t.World.Cells():]
	}
	return g
}

// times returns g in units instead of steps of them.
func (t *Terms) times(g [][]int64, step func(r int) float64) [][]float64 {
	out := t.grid()
	for r := range g {
		for c, v := range g[r] {
			out[r][c] = float64(v) * step(r)
		}
	}
	return out
}

// What can be told at most of one cell: prices in steps, load and claims.
const (
	mostSteps = 1 << 40
	mostCount = 1 << 40
)

// mostLoad is the most that an enclave may say it would use of a cell: more
// than there is, for plans overshoot, but not without end.
func (t *Terms) mostLoad(r, c int) int64 {
	return int64(min(2*math.Ceil(t.World.Room[r][c]/t.Quantum[r]), mostCount)) + int64(t.Pad) + 1
}

// mostClaim is how many whole units there are in a cell.
func (t *Terms) mostClaim(r, c int) int64 {
	return int64(min(math.Floor(t.World.Room[r][c]/t.Unit[r]+1e-9), mostCount))
}

// check returns what is wrong with a table that came from outside.
func (t *Terms) check(what string, g [][]int64, most func(r, c int) int64) error {
	if len(g) != len(t.World.Things) {
		return fmt.Errorf("%s of %d things, there are %d", what, len(g), len(t.World.Things))
	}
	for r := range g {
		if len(g[r]) != t.World.Cells() {
			return fmt.Errorf("%s of %s in %d cells, there are %d", what, t.World.Things[r], len(g[r]), t.World.Cells())
		}
		for c, v := range g[r] {
			if v < 0 || v > most(r, c) {
				return fmt.Errorf("%s of %d for %s in slot %d at %s: it can be 0 to %d", what, v, t.World.Things[r],
					c%t.World.Slots(), t.World.Sites[c/t.World.Slots()].ID, most(r, c))
			}
		}
	}
	return nil
}
