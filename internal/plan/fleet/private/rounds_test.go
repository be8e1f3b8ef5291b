package private

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"clusy.io/clusy/internal/plan/fleet"
)

// Ten enclaves plan a crowded week without showing a job: what they run fits,
// nearly all is placed, and is within a percent or so of what is possible.
func TestTenEnclaves(t *testing.T) {
	in := week(3000, 0.6, 1)
	rep, err := Simulate(in, 10, 12, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fleet.Verify(in, &rep.Solution); err != nil {
		t.Error(err)
	}
	if gap := rep.Solution.Gap(); !(gap >= 0 && gap < 0.02) {
		t.Errorf("the gap is %.2f %%, want 2 at most", 100*gap)
	}
	first, last := rep.Rounds[1], rep.Rounds[8]
	if !(last.Over < first.Over/2) {
		t.Errorf("%.2f %% of the load was beyond the room after the first round of planning, %.2f %% after the last", 100*first.Over, 100*last.Over)
	}
	for i, r := range rep.Rounds {
		if r.Up > 10_000 || r.Down > 10_000 {
			t.Errorf("round %d takes %d bytes up and %d down, want less than 10,000", i, r.Up, r.Down)
		}
	}
	// The bound is what anybody derives who may see the jobs.
	checks(t, in, &rep.Solution)
}

// Whoever does the work, and in whatever order, the plan is the same.
func TestWorkers(t *testing.T) {
	in := week(300, 0.5, 2)
	want, err := Simulate(in, 20, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Simulate(in, 20, 8, func(n int, f func(i int)) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { f(n - 1 - i) })
		}
		wg.Wait()
	})
	if err != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("with workers the plan is another one (%v)", err)
	}
}

// A job that loses its place takes those with it that must come after it.
func TestChain(t *testing.T) {
	in := week(0, 0.5, 1)
	way := func(site int32) []fleet.Way {
		return []fleet.Way{{Site: site, Need: 2, KW: 1, Use: []float64{1}}}
	}
	for j := range int32(4) {
		in.Jobs = append(in.Jobs, fleet.Job{Release: 0, Due: 10, Ways: way(j % 2), Missing: 1e5})
	}
	in.After = [][2]int32{{0, 1}, {1, 2}, {0, 3}}
	for c := range in.Room[0] {
		in.Room[0][c] = 10
	}
	tm := terms(in, 1, 8)
	e, err := NewEnclave(tm, 0, in, 1)
	if err != nil {
		t.Fatal(err)
	}
	if from, to := e.chain.early[2], e.chain.late[0]; from != 4 || to != 6 {
		t.Errorf("the last of the chain begins in slot %d or later, the first is done by %d; want 4 and 6", from, to)
	}
	e.pass()
	for j := range 4 {
		if len(e.Plan()[j]) == 0 {
			t.Errorf("job %d has no place", j)
		}
	}
	// Work that takes longer than there is time has no place, however long.
	endless := *in
	endless.Jobs = append([]fleet.Job(nil), in.Jobs...)
	endless.Jobs[1].Ways = []fleet.Way{{Site: 0, Need: math.MaxInt32, KW: 1, Use: []float64{1}}}
	if rep, err := Simulate(&endless, 1, 8, nil); err != nil || rep.Solution.Unplaced != 2 {
		t.Errorf("%d jobs have no place (%v), want 2: the endless one and the one after it", rep.Solution.Unplaced, err)
	}
	in.Jobs[0].Missing = 0 // it would rather not
	e.place(0)
	for j := range 4 {
		if len(e.Plan()[j]) > 0 {
			t.Errorf("job %d runs, and what it needs does not", j)
		}
	}
	for c, own := range e.own[0] {
		if own != 0 {
			t.Errorf("cell %d: nothing runs and %v is used", c, own)
		}
	}
}

// checks compares the bound of a plan with the one that fleet.Bound derives
// from its prices, and its cost with both.
func checks(t *testing.T, in *fleet.Instance, s *fleet.Solution) {
	t.Helper()
	want := fleet.Bound(in, s.Prices)
	if s.Bound > want+1e-9*math.Abs(want) {
		t.Errorf("the bound is %v, at its prices it can be %v at most", s.Bound, want)
	}
	if s.Cost+s.Missing < s.Bound*(1-1e-9) {
		t.Errorf("the plan costs %v, less than its bound %v", s.Cost+s.Missing, s.Bound)
	}
}

// Every kind of job keeps its rules, whatever is granted.
func TestAllKinds(t *testing.T) {
	for seed := range uint64(20) {
		in := mixed(seed)
		for _, k := range []int{1, 2, 5} {
			rep, err := Simulate(in, k, 8, nil)
			if err != nil {
				t.Fatalf("seed %d, %d enclaves: %v", seed, k, err)
			}
			if err := fleet.Verify(in, &rep.Solution); err != nil {
				t.Errorf("seed %d, %d enclaves: %v", seed, k, err)
			}
			if rep.Solution.Unplaced > 6 {
				t.Errorf("seed %d, %d enclaves: %d of %d jobs have no place", seed, k, rep.Solution.Unplaced, len(in.Jobs))
			}
			checks(t, in, &rep.Solution)
		}
	}
}

// Enclaves need not be alike: here each has the jobs of one home, and one of
// them ten times as many as the others.
func TestUnequalEnclaves(t *testing.T) {
	in := week(2000, 0.6, 3)
	tm := terms(in, 8, 12)
	at := make([]int, len(in.Jobs))
	for j := range at {
		at[j] = int(in.Jobs[j].Ways[0].Site)*2 + j%2
		if j%3 > 0 {
			at[j] = 0
		}
	}
	tm.Shares[0] = 10
	rep, err := simulate(in, tm, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fleet.Verify(in, &rep.Solution); err != nil {
		t.Error(err)
	}
	if gap := rep.Solution.Gap(); gap > 0.06 {
		t.Errorf("the gap is %.2f %%, want 6 at most", 100*gap)
	}
	checks(t, in, &rep.Solution)
}

// The prices of yesterday spare the round in which prices are proposed, and are
// as good.
func TestWarmPrices(t *testing.T) {
	in := week(1000, 0.5, 4)
	cold, err := Simulate(in, 5, 12, nil)
	if err != nil {
		t.Fatal(err)
	}
	tm := terms(in, 5, 12)
	tm.Start = cold.Solution.Prices
	warm, err := simulate(in, tm, dealt(in, 5), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(warm.Rounds) != len(cold.Rounds)-1 || warm.Rounds[0].Phase != Planning {
		t.Errorf("with prices to start from there are %d rounds, the first %s; without, %d", len(warm.Rounds), warm.Rounds[0].Phase, len(cold.Rounds))
	}
	if b := warm.Rounds[0].Bound; b < cold.Solution.Bound*(1-1e-3) {
		t.Errorf("the first bound is %v, yesterday's prices prove %v", b, cold.Solution.Bound)
	}
	if err := fleet.Verify(in, &warm.Solution); err != nil {
		t.Error(err)
	}
}

// What has no end has no price, whoever proposes one: at any other there would
// be no bound.
func TestNoPriceWithoutEnd(t *testing.T) {
	in := mixed(1)
	tm := terms(in, 2, 8)
	tm.Start = fleet.Prices(tm.grid())
	for r := range tm.Start {
		for c := range tm.Start[r] {
			tm.Start[r][c] = 1
		}
	}
	rep, err := simulate(in, tm, dealt(in, 2), nil)
	if err != nil || math.IsInf(rep.Rounds[0].Bound, 0) {
		t.Errorf("the first bound is %v (%v)", rep.Rounds[0].Bound, err)
	}
}

// An enclave that falls silent: what it said last stands for as long as the
// terms say, then it is left out, and its room and its bound with it.
func TestDropOut(t *testing.T) {
	in := week(600, 0.5, 5)
	for _, silent := range []int{0, 1, 4, 9} { // the round in which it first says nothing
		tm := terms(in, 4, 12)
		at := dealt(in, 4)
		enclaves, _, err := settle(in, tm, at)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(tm)
		if err != nil {
			t.Fatal(err)
		}
		for s.Phase() != Closed {
			var answers []*Answer
			for k, e := range enclaves {
				if s.Asks(k) && (k != 2 || s.Round < silent) {
					a, err := e.Answer(s.Announce(k))
					if err != nil {
						t.Fatal(err)
					}
					answers = append(answers, a)
				}
			}
			round := s.Round
			next, refused := s.Next(answers)
			if len(refused) > 0 {
				t.Fatal(refused)
			}
			s = next
			if s.Round == round {
				continue
			}
			if s.Gone[2] && s.Phase() != Closed {
				late := &Answer{Period: tm.Period, Round: s.Round, Enclave: 2, Values: tm.whole()}
				if _, refused := s.Next([]*Answer{late}); len(refused) != 1 || !strings.Contains(refused[0].Error(), "is left out") {
					t.Errorf("round %d: back from silence, it is refused with %v", s.Round, refused)
				}
			}
			if gone := s.Round-silent > tm.Patience; s.Gone[2] != gone {
				t.Errorf("silent since round %d: in round %d it is left out: %v", silent, s.Round, s.Gone[2])
			}
			// As long as its word stands, there is no bound but of rounds that it
			// answered; then there is one without it.
			if b := s.bound(round); math.IsNaN(b) != (round >= silent && !s.Gone[2]) {
				t.Errorf("silent since round %d: the bound of round %d is %v", silent, round, b)
			}
		}
		if _, err := enclaves[2].Answer(s.Announce(2)); err == nil {
			t.Error("a closed round was answered")
		}
		granted := 0
		for r := range s.Grants[2] {
			for _, g := range s.Grants[2][r] {
				granted += int(g)
			}
		}
		if s.Gone[2] != (granted == 0) {
			t.Errorf("silent since round %d: it is left out: %v, and is granted %d units", silent, s.Gone[2], granted)
		}
		// The others run within what they were granted, and that within the room.
		within(t, s)
		left := *in
		left.Jobs = nil
		for j := range in.Jobs {
			if at[j] != 2 || !s.Gone[2] {
				left.Jobs = append(left.Jobs, in.Jobs[j])
			}
		}
		if bound, prices, ok := s.Bound(); !ok || bound > fleet.Bound(&left, prices)*(1+1e-9) {
			t.Errorf("silent since round %d: the bound is %v (%v), at most %v holds", silent, bound, ok, fleet.Bound(&left, prices))
		}
	}
}

func within(t *testing.T, s *State) {
	t.Helper()
	for r := range s.Load {
		for c, room := range s.Terms.World.Room[r] {
			sum := 0.0
			for _, g := range s.Grants {
				sum += float64(g[r][c]) * s.Terms.Unit[r]
			}
			if sum > room {
				t.Fatalf("%v of %v is granted in cell %d", sum, room, c)
			}
		}
	}
}

// Enclaves is how a hundred enclaves plan a hundred thousand jobs:
//
//	go test -run '^$' -bench Enclaves -benchtime 1x ./internal/plan/fleet/private
func BenchmarkEnclaves(b *testing.B) {
	in := week(100_000, 0.6, 1)
	for _, k := range []int{2, 10, 100} {
		for _, rounds := range []int{8, 12, 16} {
			b.Run(fmt.Sprintf("k=%d/rounds=%d", k, rounds), func(b *testing.B) {
				for b.Loop() {
					rep, err := Simulate(in, k, rounds, nil)
					if err != nil {
						b.Fatal(err)
					}
					if err := fleet.Verify(in, &rep.Solution); err != nil {
						b.Fatal(err)
					}
					up, down := 0, 0
					for _, r := range rep.Rounds {
						up, down = max(up, r.Up), max(down, r.Down)
					}
					b.ReportMetric(100*rep.Solution.Gap(), "gap-%")
					b.ReportMetric(float64(up), "B-up/round")
					b.ReportMetric(float64(down), "B-down/round")
					b.ReportMetric(float64(rep.Solution.Unplaced), "unplaced")
				}
			})
		}
	}
}
