package private

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"clusy.io/clusy/internal/plan/fleet"
)

// State is all that the coordinator knows. Next makes the next one of it and
// leaves it as it was.
type State struct {
	Terms  *Terms
	Round  int         // that is being answered
	Turn   int         // within it
	Prices [][]int64   // announced in it, in steps
	Load   [][]int64   // announced in it: of all, in quanta, or granted, in units
	Last   []*Answer   // by enclave: the last one that was good
	Gone   []bool      // by enclave: it was silent for too long
	Grants [][][]int64 // by enclave, in units; nil before there are admissions
	Past   []Quote     // by round
}

// Quote is what was said of the bound in a round.
type Quote struct {
	Prices [][]int64 // in steps
	Bounds []float64 // by enclave; NaN where none was said
}

// Open begins a period.
func Open(t *Terms) (*State, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	s := &State{Terms: t, Prices: t.whole(), Load: t.whole(), Last: make([]*Answer, len(t.Shares)), Gone: make([]bool, len(t.Shares))}
	for r := range s.Load {
		for c := range s.Load[r] {
			// Nothing is known of the load: say that it fits.
			s.Load[r][c] = int64(min(t.World.Room[r][c]/t.Quantum[r], mostCount))
			if t.Start != nil {
				s.Prices[r][c] = t.steps(r, c, t.Start[r][c]/t.step(r))
			}
		}
	}
	s.quote()
	return s, nil
}

// steps returns a price, given in steps, as it can be told.
func (t *Terms) steps(r, c int, p float64) int64 {
	if t.spring(r, c, 1) == 0 || !(p > 0) {
		return 0
	}
	return int64(math.Round(min(p, mostSteps)))
}

// quote begins the record of the bounds at the prices that are announced now.
func (s *State) quote() {
	q := Quote{Prices: s.Prices, Bounds: make([]float64, len(s.Terms.Shares))}
	for k := range q.Bounds {
		q.Bounds[k] = math.NaN()
	}
	s.Past = append(slices.Clip(s.Past), q)
}

// Phase returns what the round is for that is being answered.
func (s *State) Phase() Phase { return s.Terms.phase(s.Round) }

// atOnce reports whether all enclaves answer in one turn: proposals need nothing
// of each other, and all first claims must be known before anything is granted.
func (s *State) atOnce() bool {
	return s.Phase() == Proposing || s.Phase() == Admitting && s.Grants == nil
}

// Asks reports whether enclave k is to answer now.
func (s *State) Asks(k int) bool {
	return s.Phase() != Closed && !s.Gone[k] && (s.atOnce() || k%s.Terms.Turns == s.Turn)
}

// Announce returns what enclave k is told now. It shares its tables with s.
func (s *State) Announce(k int) *Announcement {
	a := &Announcement{Period: s.Terms.Period, Round: s.Round, Rho: s.Terms.Rho, Prices: s.Prices, Load: s.Load}
	for _, gone := range s.Gone {
		if !gone {
			a.Enclaves++
		}
	}
	if s.Grants != nil {
		a.Grant = s.Grants[k]
	}
	return a
}

// Next takes what was answered to the last announcements, and returns the state
// that follows, and why answers were refused. Who calls it has made sure that
// each answer is from the enclave that it names.
func (s *State) Next(answers []*Answer) (*State, []error) {
	t := s.Terms
	if s.Phase() == Closed {
		return s, []error{fmt.Errorf("period %d is closed after %d rounds: nothing is answered to it", t.Period, s.Round)}
	}
	n := *s
	n.Last, n.Gone, n.Past = slices.Clone(s.Last), slices.Clone(s.Gone), slices.Clone(s.Past)
	quote := &n.Past[s.Round]
	quote.Bounds = slices.Clone(quote.Bounds)

	// 1. Take what is good.
	var refused []error
	seen := make([]bool, len(t.Shares))
	for _, a := range answers {
		if err := s.check(a, seen); err != nil {
			refused = append(refused, err)
			continue
		}
		seen[a.Enclave] = true
		n.Last[a.Enclave] = a
		quote.Bounds[a.Enclave] = a.Bound
	}

	// 2. Go on to the next turn, or the next round. Who was silent for too long
	// is left out from then on.
	n.Turn++
	done := s.atOnce() || n.Turn == t.Turns
	if done {
		n.Turn, n.Round = 0, s.Round+1
		for k, a := range n.Last {
			heard := -1
			if a != nil {
				heard = a.Round
			}
			if s.Round-heard > t.Patience {
				n.Gone[k], n.Last[k] = true, nil
			}
		}
	}

	// 3. Say what follows from it.
	switch s.Phase() {
	case Proposing:
		n.Prices = n.median()
	case Planning:
		n.Load = n.sum()
		if done {
			n.Prices = n.moved()
		}
	case Admitting:
		n.Grants, n.Load = n.granted(s)
	}
	if n.Phase() == Admitting && n.Grants == nil {
		n.Load = t.whole()
	}
	if done {
		n.quote()
	}
	return &n, refused
}

// check returns why an answer is refused.
func (s *State) check(a *Answer, seen []bool) error {
	t := s.Terms
	if a == nil {
		return fmt.Errorf("an answer in round %d is empty", s.Round)
	}
	if a.Enclave < 0 || a.Enclave >= len(t.Shares) {
		return fmt.Errorf("an answer in round %d is from enclave %d: there are 0 to %d", s.Round, a.Enclave, len(t.Shares)-1)
	}
	var err error
	switch {
	case a.Period != t.Period:
		err = fmt.Errorf("it is of period %d, this is %d", a.Period, t.Period)
	case s.Gone[a.Enclave]:
		err = fmt.Errorf("it was silent for more than %d rounds and is left out; it can join the next period", t.Patience)
	case a.Round != s.Round:
		err = fmt.Errorf("it is to round %d; answer the last announcement", a.Round)
	case !s.Asks(a.Enclave):
		err = fmt.Errorf("turn %d of %d was asked; answer when announced to", s.Turn, t.Turns)
	case seen[a.Enclave]:
		err = fmt.Errorf("it is the second one; the first one counts")
	case math.IsNaN(a.Bound) || math.Abs(a.Bound) > mostBound:
		err = fmt.Errorf("its bound is %v: it can be %v to %v", a.Bound, -mostBound, mostBound)
	case s.Phase() == Proposing:
		err = t.check("a price", a.Values, func(int, int) int64 { return mostSteps })
	case s.Phase() == Planning:
		err = t.check("a load", a.Values, t.mostLoad)
	default:
		err = t.check("a claim", a.Values, t.mostClaim)
	}
	if err != nil {
		return fmt.Errorf("the answer of enclave %d in round %d: %w", a.Enclave, s.Round, err)
	}
	return nil
}

// mostBound is what the jobs of an enclave may cost.
const mostBound = 1e18

// median returns the median of the prices that were proposed, by shares: who
// lies can move it no further than to what somebody else has said, as long as
// the honest ones are more than half.
func (s *State) median() [][]int64 {
	t := s.Terms
	out := t.whole()
	type said struct {
		price int64
		share float64
	}
	var all []said
	for r := range out {
		for c := range out[r] {
			all = all[:0]
			half := 0.0
			for k, a := range s.Last {
				if a != nil {
					all = append(all, said{a.Values[r][c], t.Shares[k]})
					half += t.Shares[k] / 2
				}
			}
			slices.SortFunc(all, func(a, b said) int { return cmp.Or(cmp.Compare(a.price, b.price), cmp.Compare(a.share, b.share)) })
			for i, p := range all {
				if half -= p.share; half < 0 || half == 0 && i == len(all)-1 {
					out[r][c] = t.steps(r, c, float64(p.price))
					break
				} else if half == 0 {
					out[r][c] = t.steps(r, c, float64(p.price+all[i+1].price)/2)
					break
				}
			}
		}
	}
	return out
}

// sum returns the load of all, in quanta. Who has not told its load yet is
// taken to have what its share is of what the others have.
func (s *State) sum() [][]int64 {
	t := s.Terms
	out := t.whole()
	said, all := 0.0, 0.0
	for k, a := range s.Last {
		if s.Gone[k] {
			continue
		}
		all += t.Shares[k]
		if a != nil && t.phase(a.Round) == Planning {
			said += t.Shares[k]
		}
	}
	if said == 0 {
		return s.Load
	}
	for r := range out {
		for c := range out[r] {
			sum := 0.0
			for _, a := range s.Last {
				if a != nil && t.phase(a.Round) == Planning {
					// What rounding and padding add on average is no load.
					sum += float64(a.Values[r][c]) - float64(t.Pad+1)/2
				}
			}
			out[r][c] = int64(math.Round(max(0, sum) * all / said))
		}
	}
	return out
}

// moved returns prices that are higher where the load is beyond the room, and
// lower where it is not.
func (s *State) moved() [][]int64 {
	t := s.Terms
	out := t.whole()
	for r := range out {
		for c, p := range s.Prices[r] {
			if push := t.spring(r, c, t.Rho); push > 0 {
				over := float64(s.Load[r][c])*t.Quantum[r] - t.World.Room[r][c]
				out[r][c] = t.steps(r, c, float64(p)+push*over/t.step(r))
			}
		}
	}
	return out
}

// granted returns what each enclave is granted now, and the sum of it. What an
// enclave was granted before it keeps, as long as it claims it; what is free
// goes to those that claim more.
func (n *State) granted(s *State) (grants [][][]int64, sum [][]int64) {
	t := s.Terms
	sum = t.whole()
	grants = make([][][]int64, len(t.Shares))
	for k := range grants {
		grants[k] = t.whole()
	}
	want, got := make([]int64, len(t.Shares)), make([]int64, len(t.Shares))
	for r := range sum {
		for c := range sum[r] {
			free := t.mostClaim(r, c)
			for k, a := range n.Last {
				want[k], got[k] = 0, 0
				if a == nil {
					continue
				}
				if s.Grants != nil {
					got[k] = s.Grants[k][r][c]
				}
				if a.Round == s.Round && s.Asks(k) { // it has claimed anew
					got[k] = min(got[k], a.Values[r][c])
					want[k] = a.Values[r][c] - got[k]
				}
				free -= got[k]
			}
			portion(free, want, got, t.Shares)
			for k, g := range got {
				grants[k][r][c] = g
				sum[r][c] += g
			}
		}
	}
	return grants, sum
}

// portion adds what is wanted to got. If that is more than what is free, those
// are cut first who want most beyond their share of it, and down to their share:
// few are cut, and nobody who wants no more than that.
func portion(free int64, want, got []int64, shares []float64) {
	over, of := -free, 0.0
	for k, w := range want {
		got[k] += w
		over += w
		if w > 0 {
			of += shares[k]
		}
	}
	if over <= 0 {
		return
	}
	type excess struct {
		k    int
		most int64
	}
	var cuts []excess
	for k, w := range want {
		if w == 0 {
			continue
		}
		if fair := int64(float64(free) * (shares[k] / of)); w > fair {
			cuts = append(cuts, excess{k, w - fair})
		}
	}
	slices.SortStableFunc(cuts, func(a, b excess) int { return cmp.Compare(b.most, a.most) })
	for _, e := range cuts {
		cut := min(over, e.most)
		got[e.k] -= cut
		over -= cut
	}
}

// Bound returns the best bound on what any plan costs for the jobs of all
// enclaves that are left, and the prices that prove it. It is not ok as long as
// there is no round in which all of them answered.
func (s *State) Bound() (bound float64, at fleet.Prices, ok bool) {
	best := -1
	for i := range s.Past {
		if b := s.bound(i); !math.IsNaN(b) && (best < 0 || b > bound) {
			best, bound = i, b
		}
	}
	if best < 0 {
		return 0, nil, false
	}
	return bound, s.Terms.times(s.Past[best].Prices, s.Terms.step), true
}

// bound returns the bound of a round: what the jobs cost at least, less what
// all the room is worth. It is NaN if somebody who is left did not answer.
func (s *State) bound(round int) float64 {
	t := s.Terms
	q := &s.Past[round]
	sum := 0.0
	for k, b := range q.Bounds {
		if !s.Gone[k] {
			sum += b
		}
	}
	for r := range q.Prices {
		for c, p := range q.Prices[r] {
			if p > 0 {
				sum -= float64(p) * t.step(r) * t.World.Room[r][c]
			}
		}
	}
	return sum
}
