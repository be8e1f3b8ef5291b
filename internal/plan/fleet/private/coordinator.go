package private

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// mostSteps is the highest price that can be told, in steps.
const mostSteps = 1 << 40

// mostQuanta is the most that can be told of a cell that has no end.
const mostQuanta = 1 << 40

func (t *Terms) whole() [][]int64 {
	g := make([][]int64, len(t.World.Things))
	all := make([]int64, len(g)*t.World.Cells())
	for r := range g {
		g[r], all = all[:t.World.Cells():t.World.Cells()], all[t.World.Cells():]
	}
	return g
}

// mostLoad is the most that an enclave may say it would use of a cell.
func (t *Terms) mostLoad(r, c int) int64 {
	return int64(min(4*math.Ceil(t.World.Room[r][c]/t.Quantum[r]), mostQuanta)) + int64(t.Pad)
}

// mostClaim is the most that can be granted of a cell, whole units of it.
func (t *Terms) mostClaim(r, c int) int64 {
	return int64(min(math.Floor(t.World.Room[r][c]/t.Unit[r]+1e-9), mostQuanta))
}

func (t *Terms) checkAnnouncement(a *Announcement) error {
	switch {
	case a == nil:
		return fmt.Errorf("no announcement")
	case a.Period != t.Period:
		return fmt.Errorf("the announcement is of period %d, this is %d", a.Period, t.Period)
	case a.Round < 0 || a.Round > t.Rounds():
		return fmt.Errorf("round %d was announced, there are 0 to %d", a.Round, t.Rounds())
	case !(a.Rho >= 0) || math.IsInf(a.Rho, 0):
		return fmt.Errorf("a stiffness of %v was announced", a.Rho)
	}
	for what, g := range map[string][][]int64{"prices": a.Prices, "load": a.Load} {
		if err := t.checkWhole(what, g, func(r, c int) int64 { return math.MaxInt64 >> 8 }); err != nil {
			return err
		}
	}
	if p := t.phase(a.Round); a.Grant == nil && p != Closed {
		return nil
	}
	return t.checkWhole("grant", a.Grant, t.mostClaim)
}

// checkWhole returns what is wrong with a table that came from outside.
func (t *Terms) checkWhole(what string, g [][]int64, most func(r, c int) int64) error {
	if len(g) != len(t.World.Things) {
		return fmt.Errorf("%s of %d things, there are %d", what, len(g), len(t.World.Things))
	}
	for r := range g {
		if len(g[r]) != t.World.Cells() {
			return fmt.Errorf("%s of %s in %d cells, there are %d", what, t.World.Things[r], len(g[r]), t.World.Cells())
		}
		for c, v := range g[r] {
			if v < 0 || v > most(r, c) {
				return fmt.Errorf("%s of %s in slot %d at %s is %d, it can be 0 to %d", what, t.World.Things[r],
					c%t.World.Slots(), t.World.Sites[c/t.World.Slots()].ID, v, most(r, c))
			}
		}
	}
	return nil
}

// State is what the coordinator knows.
type State struct {
	Terms  *Terms
	Round  int         // that is being answered
	Turn   int         // within it
	Prices [][]int64   // announced in it, in steps
	Load   [][]int64   // announced in it: of all, in quanta, or granted, in units
	Last   []*Answer   // by enclave, the last one that was good
	Gone   []bool      // by enclave: dropped
	Grants [][][]int64 // by enclave, in units; nil before admissions
	Bounds [][]float64 // by round and enclave, NaN where none was said
	Worth  []float64   // by round: what all room was worth at the announced prices
	Priced []*[][]int64
}

// Open begins a period.
func Open(t *Terms) (*State, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	s := &State{Terms: t, Prices: t.whole(), Load: t.whole(), Last: make([]*Answer, len(t.Shares)), Gone: make([]bool, len(t.Shares))}
	for r := range t.Start {
		for c, p := range t.Start[r] {
			s.Prices[r][c] = int64(math.Round(min(max(0, p)/t.step(r), mostSteps)))
		}
	}
	for r := range s.Load { // nothing is known of the load: say that it fits
		for c, room := range t.World.Room[r] {
			s.Load[r][c] = int64(min(room/t.Quantum[r], mostQuanta))
		}
	}
	return s, nil
}

// Announce returns what is said to an enclave in this round.
func (s *State) Announce(k int) *Announcement {
	a := &Announcement{Period: s.Terms.Period, Round: s.Round, Prices: s.Prices, Load: s.Load, Rho: s.rho()}
	if s.Grants != nil {
		a.Grant = s.Grants[k]
	}
	return a
}

// rho returns the stiffness of this round.
func (s *State) rho() float64 {
	return s.Terms.Rho * math.Pow(Grow, float64(s.Round))
}

// EXPERIMENT
var Grow, Dither, Block, Decay = 1.0, 0.0, 8, 1.0

// Next takes the answers of a round and returns the state of the next one, and
// what was wrong with the answers that it refused. It leaves s as it was.
func (s *State) Next(answers []*Answer) (*State, []error) {
	t := s.Terms
	if t.phase(s.Round) == Closed {
		return s, nil
	}
	n := *s
	n.Last, n.Gone = slices.Clone(s.Last), slices.Clone(s.Gone)
	n.Load = t.whole()
	if t.phase(s.Round) != Admitting {
		n.Prices = t.whole()
	}
	if s.Turn == 0 {
		bounds := make([]float64, len(t.Shares))
		for k := range bounds {
			bounds[k] = math.NaN()
		}
		n.Bounds = append(slices.Clip(s.Bounds), bounds)
		n.Worth = append(slices.Clip(s.Worth), s.worth())
		now := s.Prices
		n.Priced = append(slices.Clip(s.Priced), &now)
	} else {
		n.Bounds = slices.Clone(s.Bounds)
		n.Bounds[s.Round] = slices.Clone(s.Bounds[s.Round])
	}
	bounds := n.Bounds[s.Round]
	var refused []error
	seen := make([]bool, len(t.Shares))
	for _, a := range answers {
		if err := s.check(a, seen); err != nil {
			refused = append(refused, err)
			continue
		}
		seen[a.Enclave] = true
		n.Last[a.Enclave] = a
		bounds[a.Enclave] = a.Bound
	}
	n.Turn++
	done := n.Turn == t.Turns || t.phase(s.Round) == Proposing
	if done {
		n.Turn = 0
		n.Round++
		n.drop(s.Round)
	}
	switch t.phase(s.Round) {
	case Proposing:
		n.begin()
	case Planning:
		n.sum(s)
		if done {
			n.move(s)
		} else {
			n.Prices = s.Prices
		}
	case Admitting:
		n.grant(s)
	}
	if t.phase(n.Round) == Admitting && n.Grants == nil {
		// What was last said of the load goes on with the prices; nothing is granted yet.
		n.Load = t.whole()
	}
	return &n, refused
}

// drop leaves out those who were silent for too long.
func (n *State) drop(round int) {
	for k := range n.Gone {
		silent := round + 1 // rounds
		if n.Last[k] != nil {
			silent = round - n.Last[k].Round
		}
		if silent > n.Terms.Patience {
			n.Gone[k], n.Last[k] = true, nil
		}
	}
}

// check returns why an answer is refused.
func (s *State) check(a *Answer, seen []bool) error {
	t := s.Terms
	if a == nil {
		return fmt.Errorf("an answer is missing")
	}
	if a.Enclave < 0 || a.Enclave >= len(t.Shares) {
		return fmt.Errorf("an answer of enclave %d: there are 0 to %d", a.Enclave, len(t.Shares)-1)
	}
	say := func(err error) error {
		return fmt.Errorf("the answer of enclave %d in round %d: %w", a.Enclave, s.Round, err)
	}
	switch {
	case s.Gone[a.Enclave]:
		return say(fmt.Errorf("it was silent for more than %d rounds and was dropped; it can begin again with the next period", t.Patience))
	case a.Period != t.Period:
		return say(fmt.Errorf("it is of period %d, this is %d", a.Period, t.Period))
	case a.Round != s.Round:
		return say(fmt.Errorf("it answers round %d; answer the last announcement", a.Round))
	case seen[a.Enclave]:
		return say(fmt.Errorf("it is the second one; the first one counts"))
	case math.IsNaN(a.Bound) || math.Abs(a.Bound) > mostBound:
		return say(fmt.Errorf("a bound of %v: it is a number of up to %v", a.Bound, mostBound))
	}
	what, most := "a load", t.mostLoad
	switch t.phase(s.Round) {
	case Proposing:
		what, most = "a price", func(int, int) int64 { return mostSteps }
	case Admitting:
		what, most = "a claim", t.mostClaim
	}
	if err := t.checkWhole(what, a.Values, most); err != nil {
		return say(err)
	}
	return nil
}

// mostBound is how much the jobs of an enclave may cost.
const mostBound = 1e18

// begin sets the prices to the mean of what was proposed.
func (n *State) begin() {
	t := n.Terms
	for r := range n.Prices {
		for c := range n.Prices[r] {
			sum, of := 0.0, 0.0
			for k, a := range n.Last {
				if a != nil {
					sum += float64(a.Values[r][c]) * t.Shares[k]
					of += t.Shares[k]
				}
			}
			if of > 0 {
				n.Prices[r][c] = int64(math.Round(sum / of))
			}
			n.Load[r][c] = int64(min(t.World.Room[r][c]/t.Quantum[r], mostQuanta))
		}
	}
}

// sum adds up the load that was said. Who has not said any yet is taken to have
// its share of what the others have.
func (n *State) sum(s *State) {
	t := n.Terms
	if s.Turn == 0 && t.Turns > 1 && len(s.Bounds) <= 1 {
	}
	said, all := 0.0, 0.0
	for k, a := range n.Last {
		all += t.Shares[k]
		if a != nil && t.phase(a.Round) == Planning {
			said += t.Shares[k]
		}
	}
	for r := range n.Load {
		for c := range n.Load[r] {
			sum := 0.0
			for _, a := range n.Last {
				if a != nil && t.phase(a.Round) == Planning {
					// The mean of what rounding and padding add is no load.
					sum += float64(a.Values[r][c]) - float64(t.Pad)/2 - 0.5
				}
			}
			n.Load[r][c] = int64(math.Round(max(0, sum) * all / said))
		}
	}
}

// move raises the prices of the cells that are too full, and lowers the others.
func (n *State) move(s *State) {
	t := n.Terms
	for r := range n.Prices {
		for c := range n.Prices[r] {
			n.Prices[r][c] = s.Prices[r][c]
			push := t.spring(r, c, s.rho()) * (float64(n.Load[r][c])*t.Quantum[r] - t.World.Room[r][c])
			if push != 0 && !math.IsNaN(push) {
				p := float64(s.Prices[r][c]) + Step*push/t.step(r)
				n.Prices[r][c] = int64(math.Round(min(max(0, p), mostSteps)))
			}
		}
	}
}

// Step is EXPERIMENT.
var Step = 1.0

// grant gives out room: what an enclave holds and still claims it keeps; what
// is free goes to the claims that are open, and where it is too little for
// them, each gets its share or what it claims, whichever is less.
func (n *State) grant(s *State) {
	t := n.Terms
	n.Grants = make([][][]int64, len(t.Shares))
	for k := range n.Grants {
		n.Grants[k] = t.whole()
	}
	want, got := make([]int64, len(t.Shares)), make([]int64, len(t.Shares))
	for r := range n.Load {
		for c := range n.Load[r] {
			free := t.mostClaim(r, c)
			for k, a := range n.Last {
				want[k], got[k] = 0, 0
				if a == nil || t.phase(a.Round) != Admitting {
					continue
				}
				if s.Grants != nil {
					got[k] = min(a.Values[r][c], s.Grants[k][r][c])
					if a.Round != s.Round || k%t.Turns != s.Turn {
						got[k] = s.Grants[k][r][c]
						free -= got[k]
						continue
					}
				}
				want[k] = a.Values[r][c] - got[k]
				free -= got[k]
			}
			share(free, want, got, t.Shares)
			sum := int64(0)
			for k, g := range got {
				n.Grants[k][r][c] = g
				sum += g
			}
			n.Load[r][c] = sum
		}
	}
}

// share adds free units to got, none above what is wanted. If more is wanted
// than is free, those are cut first who want most beyond their share, down to
// their share: few are cut, and nobody who wants no more than that.
func share(free int64, want, got []int64, shares []float64) {
	sum, of := int64(0), 0.0
	for k, w := range want {
		got[k] += w
		sum += w
		if w > 0 {
			of += shares[k]
		}
	}
	over := sum - free
	if over <= 0 {
		return
	}
	fair := func(k int) int64 { return int64(float64(free) * shares[k] / of) }
	var order []int
	for k, w := range want {
		if w > 0 {
			order = append(order, k)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(want[b]-fair(b), want[a]-fair(a)) })
	for _, k := range order {
		cut := min(over, max(0, want[k]-fair(k)))
		got[k] -= cut
		over -= cut
	}
}

// worth returns what all the room would be paid for at the announced prices.
func (s *State) worth() float64 {
	t := s.Terms
	sum := 0.0
	for r := range s.Prices {
		for c, p := range s.Prices[r] {
			if p > 0 {
				sum += float64(p) * t.step(r) * t.World.Room[r][c]
			}
		}
	}
	return sum
}

// Bound returns the best bound so far on what any plan of the jobs of the
// enclaves that are left costs, and the round whose prices give it; ok is false if there is none.
func (s *State) Bound() (bound float64, round int, ok bool) {
	for i, said := range s.Bounds {
		sum := -s.Worth[i]
		for k, b := range said {
			if !s.Gone[k] {
				sum += b
			}
		}
		if !math.IsNaN(sum) && (!ok || sum > bound) {
			bound, round, ok = sum, i, true
		}
	}
	return bound, round, ok
}
