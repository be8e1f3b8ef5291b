package private

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"clusy.io/clusy/internal/plan/fleet"
)

// lie changes a good answer into one that is refused, and says what the refusal names.
var lies = []struct {
	name  string
	tell  func(a *Answer)
	names string
}{
	{"a negative load", func(a *Answer) { a.Values[0][7] = -1 }, "of -1 for cpu in slot 7 at a"},
	{"a huge load", func(a *Answer) { a.Values[0][7] = math.MaxInt64 }, "of 9223372036854775807 for cpu in slot 7 at a: it can be 0 to"},
	{"a price in the form of a load", func(a *Answer) { a.Values[0][170] = mostSteps + 1 }, "for cpu in slot 2 at b"},
	{"too few cells", func(a *Answer) { a.Values[0] = a.Values[0][1:] }, "in 671 cells, there are 672"},
	{"too many cells", func(a *Answer) { a.Values[0] = append(a.Values[0], 1) }, "in 673 cells, there are 672"},
	{"too many things", func(a *Answer) { a.Values = append(a.Values, a.Values[0]) }, "of 2 things, there are 1"},
	{"no load", func(a *Answer) { a.Values = nil }, "of 0 things, there are 1"},
	{"no number for a bound", func(a *Answer) { a.Bound = math.NaN() }, "its bound is NaN"},
	{"a bound without end", func(a *Answer) { a.Bound = math.Inf(1) }, "its bound is +Inf"},
	{"a bound that swallows all others", func(a *Answer) { a.Bound = 1e30 }, "its bound is 1e+30"},
	{"yesterday's answer", func(a *Answer) { a.Period-- }, "it is of period 6, this is 7"},
	{"the answer of the round before", func(a *Answer) { a.Round-- }, "answer the last announcement"},
	{"the answer of the next round", func(a *Answer) { a.Round++ }, "answer the last announcement"},
	{"nobody's answer", func(a *Answer) { a.Enclave = 99 }, "is from enclave 99: there are 0 to 3"},
	{"a negative enclave", func(a *Answer) { a.Enclave = -1 }, "is from enclave -1"},
}

// In every round, each lie is refused by name, and the state that follows is
// the one that would have followed silence.
func TestLies(t *testing.T) {
	in := week(400, 0.5, 6)
	tm := terms(in, 4, 8)
	tm.Period, tm.Turns, tm.Patience = 7, 1, 100
	enclaves, _, err := settle(in, tm, dealt(in, 4))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(tm)
	if err != nil {
		t.Fatal(err)
	}
	for s.Phase() != Closed {
		answers := answer(t, s, enclaves)
		for _, lie := range lies {
			a := *answers[1]
			a.Values = [][]int64{slices.Clone(answers[1].Values[0])}
			lie.tell(&a)
			with := []*Answer{answers[0], &a, answers[2], answers[3]}
			got, refused := s.Next(with)
			if len(refused) != 1 || !strings.Contains(refused[0].Error(), lie.names) {
				t.Fatalf("round %d, %s: refused with %v, want %q", s.Round, lie.name, refused, lie.names)
			}
			want, _ := s.Next([]*Answer{answers[0], answers[2], answers[3]})
			if fmt.Sprint(got.Prices, got.Load, got.Grants) != fmt.Sprint(want.Prices, want.Load, want.Grants) {
				t.Errorf("round %d, %s: it has changed something", s.Round, lie.name)
			}
		}
		// Said twice, the first one counts.
		other := *answers[1]
		other.Bound++
		if next, refused := s.Next(append(slices.Clone(answers), &other)); len(refused) != 1 || !strings.Contains(refused[0].Error(), "second one") {
			t.Errorf("round %d: a second answer is refused with %v", s.Round, refused)
		} else if next.Last[1] != answers[1] {
			t.Errorf("round %d: the second answer counts", s.Round)
		}
		if _, refused := s.Next([]*Answer{nil}); len(refused) != 1 {
			t.Errorf("round %d: an empty answer is refused with %v", s.Round, refused)
		}
		next, refused := s.Next(answers)
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		s = next
	}
	if _, refused := s.Next(nil); len(refused) != 1 || !strings.Contains(refused[0].Error(), "closed") {
		t.Errorf("after the end, an answer is refused with %v", refused)
	}
}

// Who speaks out of turn is not heard: it would know less than it could, and
// those whose turn it is would not know of it.
func TestOutOfTurn(t *testing.T) {
	in := week(50, 0.5, 6)
	tm := terms(in, 4, 8)
	tm.Start, tm.Turns = fleet.Prices(tm.grid()), 2
	s, err := Open(tm)
	if err != nil {
		t.Fatal(err)
	}
	good := func(k int) *Answer { return &Answer{Enclave: k, Values: tm.whole()} }
	next, refused := s.Next([]*Answer{good(0), good(1), good(2)})
	if len(refused) != 1 || !strings.Contains(refused[0].Error(), "enclave 1 in round 0: turn 0 of 2") || next.Last[1] != nil {
		t.Errorf("refused with %v", refused)
	}
	if next, refused = next.Next([]*Answer{good(1), good(3), good(0)}); len(refused) != 1 || next.Round != 1 {
		t.Errorf("in the second turn refused with %v, and then round %d begins", refused, next.Round)
	}
}

func answer(t *testing.T, s *State, enclaves []*Enclave) []*Answer {
	t.Helper()
	var out []*Answer
	for k, e := range enclaves {
		if !s.Asks(k) {
			continue
		}
		a, err := e.Answer(s.Announce(k))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// An enclave that lies within what can be said makes prices wrong, and claims
// all there is. The others' plans hold all the same, nothing is granted twice,
// and nobody is cut below what its share is.
func TestGreedyEnclave(t *testing.T) {
	in := week(800, 0.6, 8)
	tm := terms(in, 4, 12)
	at := dealt(in, 4)
	enclaves, place, err := settle(in, tm, at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(tm)
	if err != nil {
		t.Fatal(err)
	}
	for s.Phase() != Closed {
		answers := answer(t, s, enclaves)
		first := s.Phase() == Admitting && s.Grants == nil
		if liar := answers[len(answers)-1]; liar.Enclave == 3 {
			for c := range liar.Values[0] {
				switch s.Phase() {
				case Proposing:
					liar.Values[0][c] = int64(c) * 1000
				case Planning:
					liar.Values[0][c] = tm.mostLoad(0, c) * int64((c+s.Round)%2)
				case Admitting:
					liar.Values[0][c] = tm.mostClaim(0, c)
				}
			}
		}
		next, refused := s.Next(answers)
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		if first {
			for k, a := range answers {
				for c, v := range a.Values[0] {
					if fair := min(v, tm.mostClaim(0, c)/4); next.Grants[k][0][c] < fair {
						t.Fatalf("enclave %d claims %d of cell %d and is granted %d, its share is %d", k, v, c, next.Grants[k][0][c], fair)
					}
				}
			}
		}
		s = next
		if s.Grants != nil {
			within(t, s)
		}
	}
	for k := range 3 {
		if err := enclaves[k].Close(s.Announce(k)); err != nil {
			t.Fatal(err)
		}
	}
	// What the honest ones run is a plan for their jobs.
	honest := *in
	honest.Jobs = nil
	sol := fleet.Solution{First: []uint32{0}}
	for j := range in.Jobs {
		if at[j] == 3 {
			continue
		}
		runs := enclaves[at[j]].Plan()[place[j]]
		if len(runs) == 0 {
			sol.Unplaced++
			sol.Missing += in.Jobs[j].Missing
		} else {
			sol.Cost += in.Drawn(j, runs)
		}
		honest.Jobs = append(honest.Jobs, in.Jobs[j])
		sol.Runs = append(sol.Runs, runs...)
		sol.First = append(sol.First, uint32(len(sol.Runs)))
	}
	if err := fleet.Verify(&honest, &sol); err != nil {
		t.Error(err)
	}
	// It has taken all that nobody claimed at first, so jobs that were cut there
	// find little elsewhere.
	if part := float64(sol.Unplaced) / float64(len(honest.Jobs)); part > 0.13 {
		t.Errorf("%.0f %% of the honest jobs have no place, want 13 at most", 100*part)
	}
}

// An enclave believes no announcement that could not be.
func TestBadAnnouncements(t *testing.T) {
	in := week(50, 0.5, 9)
	tm := terms(in, 2, 8)
	for name, c := range map[string]struct {
		spoil func(a *Announcement)
		names string
	}{
		"another period":    {func(a *Announcement) { a.Period = 3 }, "period 3"},
		"before the first":  {func(a *Announcement) { a.Round = -1 }, "round -1"},
		"after the end":     {func(a *Announcement) { a.Round = 99 }, "round 99"},
		"no enclaves":       {func(a *Announcement) { a.Enclaves = 0 }, "0 enclaves"},
		"too many enclaves": {func(a *Announcement) { a.Enclaves = 3 }, "3 enclaves"},
		"no stiffness":      {func(a *Announcement) { a.Rho = math.NaN() }, "stiffness of NaN"},
		"a negative price":  {func(a *Announcement) { a.Prices = tm.whole(); a.Prices[0][3] = -5 }, "price of -5 for cpu in slot 3"},
		"no prices":         {func(a *Announcement) { a.Prices = nil }, "price of 0 things"},
		"a negative load":   {func(a *Announcement) { a.Load = tm.whole(); a.Load[0][3] = -5 }, "load of -5"},
		"too big a grant":   {func(a *Announcement) { a.Grant = tm.whole(); a.Grant[0][3] = 1 << 50 }, "a grant of"},
		"the end, no grant": {func(a *Announcement) { a.Round = tm.Rounds() }, "without a grant"},
		"the end":           {func(a *Announcement) { a.Round, a.Grant = tm.Rounds(), tm.whole() }, "closed"},
	} {
		e, err := NewEnclave(tm, 0, in, 1)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(tm)
		if err != nil {
			t.Fatal(err)
		}
		a := s.Announce(0)
		c.spoil(a)
		if _, err := e.Answer(a); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: refused with %v, want %q", name, err, c.names)
		}
		if err := e.Close(a); name != "the end" && err == nil {
			t.Errorf("%s: closed", name)
		}
		if name == "the end" {
			continue
		}
		if _, err := e.Answer(s.Announce(0)); err != nil {
			t.Errorf("%s: afterwards the right one is refused: %v", name, err)
		}
		if _, err := e.Answer(s.Announce(0)); err == nil {
			t.Errorf("%s: a round is answered twice", name)
		}
		if err := e.Close(s.Announce(0)); err == nil {
			t.Errorf("%s: closed before the end", name)
		}
		if _, err := e.Answer(nil); err == nil {
			t.Errorf("%s: nothing is answered", name)
		}
	}
}

// Terms that cannot be kept are refused, by name.
func TestBadTerms(t *testing.T) {
	in := week(20, 0.5, 9)
	for name, spoil := range map[string]func(t *Terms){
		"need a world":               func(t *Terms) { t.World = nil },
		"the world of the terms":     func(t *Terms) { w := *t.World; w.Cost = nil; t.World = &w },
		"jobs stay in their enclave": func(t *Terms) { t.World = in },
		"0 enclaves":                 func(t *Terms) { t.Shares = nil },
		"0 rounds of planning":       func(t *Terms) { t.Planning = 0 },
		"patience of -1":             func(t *Terms) { t.Patience = -1 },
		"3 turns":                    func(t *Terms) { t.Turns = 3 },
		"padding by -1":              func(t *Terms) { t.Pad = -1 },
		"stiffness of 0":             func(t *Terms) { t.Rho = 0 },
		"for 1, 1 and 0 things":      func(t *Terms) { t.Unit = nil },
		"prices to start with are of 2 things": func(t *Terms) {
			t.Start = fleet.Prices{nil, nil}
		},
		"prices of cpu to start with": func(t *Terms) { t.Start = fleet.Prices{nil} },
		"the unit of cpu is 0":        func(t *Terms) { t.Unit = []float64{0} },
		"share of enclave 1 is -1":    func(t *Terms) { t.Shares[1] = -1 },
	} {
		tm := terms(in, 2, 8)
		spoil(tm)
		if _, err := Open(tm); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: refused with %v", name, err)
		}
	}
	tm := terms(in, 2, 8)
	if _, err := NewEnclave(tm, 2, in, 1); err == nil {
		t.Error("there is a third enclave of two")
	}
	ramped := *in
	ramped.Ramp = [][]float64{{1, 1, 1, 1}}
	if _, err := NewEnclave(tm, 0, &ramped, 1); err == nil || !strings.Contains(err.Error(), "ramps") {
		t.Errorf("a ramp is refused with %v", err)
	}
	if _, err := NewEnclave(tm, 0, mixed(1), 1); err == nil || !strings.Contains(err.Error(), "24 slots") {
		t.Errorf("another world is refused with %v", err)
	}
	if _, err := Simulate(in, 0, 8, nil); err == nil {
		t.Error("no enclave plans")
	}
}
