package private

import (
	"fmt"
	"math"

	"clusy.io/clusy/internal/plan/fleet"
)

// Progress is one round of a simulation.
type Progress struct {
	Phase    Phase
	Bound    float64 // of this round's prices
	Cost     float64 // of what the enclaves plan, whether it fits or not
	Over     float64 // share of the load that is beyond the room
	Unplaced int
}

// Report is what a simulation shows.
type Report struct {
	Rounds   []Progress
	Solution fleet.Solution
}

func Simulate(in *fleet.Instance, t *Terms, par func(n int, f func(i int))) (*Report, error) {
	k := len(t.Shares)
	if par == nil {
		par = func(n int, f func(i int)) {
			for i := range n {
				f(i)
			}
		}
	}
	parts := make([]*fleet.Instance, k)
	for i := range parts {
		part := *in
		part.Jobs = nil
		parts[i] = &part
	}
	for j := range in.Jobs {
		parts[j%k].Jobs = append(parts[j%k].Jobs, in.Jobs[j])
	}
	enclaves := make([]*Enclave, k)
	for i := range enclaves {
		var err error
		if enclaves[i], err = NewEnclave(t, i, parts[i], uint64(i)); err != nil {
			return nil, err
		}
	}
	s, err := Open(t)
	if err != nil {
		return nil, err
	}
	rep := &Report{}
	errs := make([]error, k)
	for {
		phase := t.phase(s.Round)
		var who []int
		for i := range k {
			if phase == Proposing || phase == Closed || i%t.Turns == s.Turn {
				who = append(who, i)
			}
		}
		answers := make([]*Answer, len(who))
		par(len(who), func(i int) { answers[i], errs[i] = enclaves[who[i]].Answer(s.Announce(who[i])) })
		for _, err := range errs {
			if err != nil {
				return nil, err
			}
		}
		if phase != Closed {
			var refused []error
			round := s.Round
			s, refused = s.Next(answers)
			if len(refused) > 0 {
				return nil, refused[0]
			}
			if s.Round == round {
				continue
			}
		}
		pr := Progress{Phase: phase}
		load := t.grid()
		for _, e := range enclaves {
			for j := range e.in.Jobs {
				if len(e.runs[j]) == 0 {
					pr.Unplaced++
					pr.Cost += e.in.Jobs[j].Missing
				} else {
					pr.Cost += cost(e.in, j, e.runs[j])
				}
			}
			for r := range load {
				for c, v := range e.own[r] {
					load[r][c] += v
				}
			}
		}
		sum := 0.0
		for c, v := range load[0] {
			sum += v
			pr.Over += max(0, v-in.Room[0][c])
		}
		pr.Over /= sum
		if phase == Closed {
			rep.Rounds = append(rep.Rounds, pr)
			break
		}
		b := -s.Worth[len(s.Worth)-1]
		for _, v := range s.Bounds[len(s.Bounds)-1] {
			b += v
		}
		pr.Bound = b
		rep.Rounds = append(rep.Rounds, pr)
	}
	// Assemble.
	sol := &rep.Solution
	sol.First = make([]uint32, 1, len(in.Jobs)+1)
	at := make([]int, k)
	for j := range in.Jobs {
		i := j % k
		runs := enclaves[i].runs[at[i]]
		at[i]++
		sol.Runs = append(sol.Runs, runs...)
		sol.First = append(sol.First, uint32(len(sol.Runs)))
		if len(runs) == 0 {
			sol.Unplaced++
			sol.Missing += in.Jobs[j].Missing
		} else {
			sol.Cost += cost(in, j, runs)
		}
	}
	var ok bool
	sol.Bound, _, ok = s.Bound()
	if !ok {
		return nil, fmt.Errorf("no bound")
	}
	return rep, nil
}

func cost(in *fleet.Instance, j int, runs []fleet.Run) float64 {
	job := &in.Jobs[j]
	way := &job.Ways[runs[0].Way]
	sum := way.Fixed
	for _, run := range runs {
		kw := way.KW
		if job.Kind == fleet.Elastic {
			kw = job.Levels[run.Level].KW
		}
		for t := run.From; t < run.To; t++ {
			sum += kw * in.Cost[job.Table][in.Cell(way.Site, t)]
		}
	}
	return sum
}

var _ = math.Inf
