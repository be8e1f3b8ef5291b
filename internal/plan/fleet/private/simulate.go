package private

import (
	"fmt"
	"math"

	"clusy.io/clusy/internal/plan/fleet"
)

// Progress is one round of a Report.
type Progress struct {
	Phase    Phase
	Bound    float64 // at the prices of this round
	Cost     float64 // of what the enclaves plan, and of jobs without a place, whether it fits or not
	Over     float64 // part of the load for which there is no room
	Unplaced int
	Up, Down int // bytes that one enclave says and hears, the most of all
}

// Report is how a fleet was planned by enclaves.
type Report struct {
	Enclaves int
	Turns    int // in a round
	Rounds   []Progress
	Solution fleet.Solution
}

// Common returns terms that suit most fleets: k equal enclaves, and rounds in
// all. Scale is in the units of in.Cost by unit of each thing.
func Common(in *fleet.Instance, k, rounds int, scale []float64) *Terms {
	world := *in
	world.Jobs, world.After = nil, nil
	t := &Terms{World: &world, Shares: make([]float64, k), Turns: min(k, 10), Patience: 2, Rho: 0.4, Pad: 2, Scale: scale}
	if k > 10 && len(in.Jobs) >= 50_000 {
		// A stiff spring brings prices sooner to where they belong; in a small
		// fleet, where a job is a big part of a cell, it holds jobs where they are.
		t.Rho = 0.7
	}
	t.Admitting = max(1, min(4, rounds/4))
	t.Planning = rounds - 1 - t.Admitting
	for i := range t.Shares {
		t.Shares[i] = 1
	}
	for range in.Things {
		t.Quantum = append(t.Quantum, 1)
		t.Unit = append(t.Unit, 1)
	}
	return t
}

// Simulate deals the jobs of in out to k enclaves, jobs that are chained to the
// same one, and lets them plan in so many rounds. The report is the same for
// any par.
func Simulate(in *fleet.Instance, k, rounds int, par func(n int, f func(i int))) (Report, error) {
	if err := in.Validate(); err != nil {
		return Report{}, err
	}
	if k < 1 || k > MostEnclaves || rounds < 3 || rounds > MostRounds {
		return Report{}, fmt.Errorf("%d enclaves and %d rounds: there are 1 to %d enclaves and 3 to %d rounds", k, rounds, MostEnclaves, MostRounds)
	}
	scale, unit := measures(in)
	t := Common(in, k, rounds, scale)
	t.Unit = unit
	copy(t.Quantum, unit)
	return simulate(in, t, dealt(in, k), par)
}

// measures returns what a unit of each thing costs in the mean, and in which
// units things are used: one, or the largest power of two that most uses are
// whole multiples of.
func measures(in *fleet.Instance) (scale, unit []float64) {
	mean, n := 0.0, 0.0
	for _, v := range in.Cost[0] {
		if !math.IsNaN(v) {
			mean += math.Abs(v)
			n++
		}
	}
	mean /= max(1, n)
	for r := range in.Things {
		kw, use, small := 0.0, 0.0, math.Inf(1)
		for j := range in.Jobs {
			job := &in.Jobs[j]
			way := &job.Ways[0]
			if way.Use[r] > 0 {
				kw += way.KW * float64(way.Need)
				use += way.Use[r] * float64(way.Need)
				small = min(small, way.Use[r])
			}
		}
		step := 1.0
		if small < 1 {
			step = math.Exp2(math.Floor(math.Log2(small)))
		}
		cost := mean * kw / use
		if !(cost > 0) {
			cost = 1
		}
		scale, unit = append(scale, cost), append(unit, step)
	}
	return scale, unit
}

// dealt returns the enclave of each job.
func dealt(in *fleet.Instance, k int) []int {
	head := make([]int, len(in.Jobs)) // the first job that each is chained to
	for j := range head {
		head[j] = j
	}
	find := func(j int) int {
		for head[j] != j {
			head[j] = head[head[j]]
			j = head[j]
		}
		return j
	}
	for _, a := range in.After {
		i, j := find(int(a[0])), find(int(a[1]))
		head[max(i, j)] = min(i, j)
	}
	out := make([]int, len(in.Jobs))
	for j := range out {
		out[j] = find(j) % k
	}
	return out
}

// simulate lets enclaves plan, job j at enclave at[j].
func simulate(in *fleet.Instance, t *Terms, at []int, par func(n int, f func(i int))) (Report, error) {
	if par == nil {
		par = func(n int, f func(i int)) {
			for i := range n {
				f(i)
			}
		}
	}
	enclaves, place, err := settle(in, t, at)
	if err != nil {
		return Report{}, err
	}
	rep := Report{Enclaves: len(enclaves), Turns: t.Turns}
	s, err := Open(t)
	if err != nil {
		return rep, err
	}
	errs := make([]error, len(enclaves))
	for s.Phase() != Closed {
		now := Progress{Phase: s.Phase(), Bound: math.NaN()}
		round := s.Round
		for s.Round == round {
			var who []int
			for k := range enclaves {
				if s.Asks(k) {
					who = append(who, k)
				}
			}
			said := make([][]byte, len(enclaves))
			heard := make([]int, len(enclaves))
			par(len(who), func(i int) {
				k := who[i]
				down := s.Announce(k).Encode()
				heard[k] = len(down)
				said[k], errs[k] = enclaves[k].Hear(down)
			})
			var answers []*Answer
			for _, k := range who {
				if errs[k] != nil {
					return rep, errs[k]
				}
				a, err := t.DecodeAnswer(said[k])
				if err != nil {
					return rep, err
				}
				answers = append(answers, a)
				now.Up, now.Down = max(now.Up, len(said[k])), max(now.Down, heard[k])
			}
			next, refused := s.Next(answers)
			if len(refused) > 0 {
				return rep, refused[0]
			}
			s = next
		}
		now.Bound = s.bound(round)
		count(&now, enclaves)
		rep.Rounds = append(rep.Rounds, now)
	}
	par(len(enclaves), func(k int) { errs[k] = enclaves[k].Close(s.Announce(k)) })
	for _, err := range errs {
		if err != nil {
			return rep, err
		}
	}
	rep.Solution, err = gather(in, s, enclaves, at, place)
	return rep, err
}

// settle makes the enclaves, and returns which of its own jobs each job is.
func settle(in *fleet.Instance, t *Terms, at []int) ([]*Enclave, []int, error) {
	parts := make([]fleet.Instance, len(t.Shares))
	for k := range parts {
		parts[k] = *in
		parts[k].Jobs, parts[k].After = nil, nil
	}
	place := make([]int, len(in.Jobs))
	for j, k := range at {
		place[j] = len(parts[k].Jobs)
		parts[k].Jobs = append(parts[k].Jobs, in.Jobs[j])
	}
	for _, a := range in.After {
		k := at[a[0]]
		parts[k].After = append(parts[k].After, [2]int32{int32(place[a[0]]), int32(place[a[1]])})
	}
	enclaves := make([]*Enclave, len(parts))
	for k := range parts {
		var err error
		if enclaves[k], err = NewEnclave(t, k, &parts[k], uint64(k)); err != nil {
			return nil, nil, err
		}
	}
	return enclaves, place, nil
}

// count adds up what the enclaves plan.
func count(now *Progress, enclaves []*Enclave) {
	in := enclaves[0].in
	load := enclaves[0].terms.grid()
	for _, e := range enclaves {
		for j, runs := range e.runs {
			if len(runs) == 0 {
				now.Unplaced++
				now.Cost += e.in.Jobs[j].Missing
			} else {
				now.Cost += e.in.Drawn(j, runs)
			}
		}
		for r := range load {
			for c, own := range e.own[r] {
				load[r][c] += own
			}
		}
	}
	for r := range load {
		sum, over := 0.0, 0.0
		for c, v := range load[r] {
			sum += v
			over += max(0, v-in.Room[r][c])
		}
		if sum > 0 {
			now.Over = max(now.Over, over/sum)
		}
	}
}

// gather makes one plan of those of the enclaves.
func gather(in *fleet.Instance, s *State, enclaves []*Enclave, at, place []int) (fleet.Solution, error) {
	sol := fleet.Solution{First: make([]uint32, 1, len(in.Jobs)+1)}
	for j := range in.Jobs {
		runs := enclaves[at[j]].Plan()[place[j]]
		if len(runs) == 0 {
			sol.Unplaced++
			sol.Missing += in.Jobs[j].Missing
		} else {
			sol.Cost += in.Drawn(j, runs)
		}
		sol.Runs = append(sol.Runs, runs...)
		sol.First = append(sol.First, uint32(len(sol.Runs)))
	}
	var ok bool
	if sol.Bound, sol.Prices, ok = s.Bound(); !ok {
		return sol, fmt.Errorf("no round was answered by all of %d enclaves: there is no bound", len(enclaves))
	}
	return sol, nil
}
