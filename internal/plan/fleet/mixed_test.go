package fleet

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// tightWorld is a small world in which jobs of all kinds want the same few cells.
func tightWorld(r *rand.Rand, jobs int) *Instance {
	in := emptyWorld(r, 4, 1+r.IntN(2), 1+r.IntN(2))
	kinds := []string{"rigid", "freely", "ruled", "moves", "elastic", "paced"}
	for range jobs {
		job := randomJob(r, in, kinds[r.IntN(len(kinds))])
		job.Missing = 400
		if r.IntN(4) == 0 {
			addCeilings(r, &job, 1)
		}
		in.Jobs = append(in.Jobs, job)
	}
	if jobs > 1 {
		switch r.IntN(4) {
		case 0:
			in.After = [][2]int32{{0, 1}}
		case 1:
			in.Arrays = []Array{{Jobs: []int32{0, 1}, Most: 1}}
		}
	}
	if r.IntN(3) == 0 {
		for range in.Things {
			ramp := []float64{math.Inf(1), math.Inf(1)}[:len(in.Sites)]
			ramp[0] = float64(1 + r.IntN(3))
			in.Ramp = append(in.Ramp, ramp)
		}
	}
	return in
}

// bestPlan tries all plans of in. Verify is what knows the rules.
func bestPlan(in *Instance) float64 {
	all := make([][][]Run, len(in.Jobs))
	none := randomless(in)
	for j := range in.Jobs {
		all[j] = append(all[j], nil)
		everyPlan(in, j, none, func(runs []Run, _, _ float64) { all[j] = append(all[j], slices.Clone(runs)) })
	}
	best := math.Inf(1)
	runs := make([][]Run, len(in.Jobs))
	var try func(j int)
	try = func(j int) {
		if j == len(in.Jobs) {
			if s := planOf(in, runs); s.Cost+s.Missing < best && Verify(in, &s) == nil {
				best = s.Cost + s.Missing
			}
			return
		}
		for _, runs[j] = range all[j] {
			try(j + 1)
		}
	}
	try(0)
	return best
}

// randomless returns prices of nothing.
func randomless(in *Instance) Prices {
	p := make(Prices, len(in.Things))
	for r := range p {
		p[r] = make([]float64, in.Cells())
	}
	return p
}

// Whatever kinds are mixed, the plan is one, and the bound is below every plan.
func TestSolveKindsSmall(t *testing.T) {
	var exact, worlds int
	var gap, sum float64
	for seed := range uint64(150) {
		in := tightWorld(rand.New(rand.NewPCG(seed, 4)), 2)
		if err := in.Validate(); err != nil {
			t.Fatal(err)
		}
		s := Solve(in, Options{Passes: 10})
		if err := Verify(in, &s); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		same(t, in, &s)
		best := bestPlan(in)
		if s.Bound > best+1e-7 || s.Cost+s.Missing < best-1e-7 {
			t.Fatalf("seed %d: plan %v, bound %v, best %v", seed, s.Cost+s.Missing, s.Bound, best)
		}
		if worlds++; near(s.Cost+s.Missing, best) {
			exact++
		}
		gap, sum = gap+s.Cost+s.Missing-best, sum+math.Abs(best)
	}
	t.Logf("%d of %d plans are the best, %.2f %% above it", exact, worlds, 100*gap/sum)
	if exact < worlds*8/10 {
		t.Errorf("only %d of %d plans are the best", exact, worlds)
	}
}

// FuzzKinds: whatever the kinds and rules, a plan is one, and no bound is above
// what a job could do.
func FuzzKinds(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 5))
		in := tightWorld(r, 1+r.IntN(6))
		if in.Validate() != nil {
			t.Skip()
		}
		s := Solve(in, Options{Passes: 3})
		if err := Verify(in, &s); err != nil {
			t.Fatal(err)
		}
		if cost := s.Cost + s.Missing; s.Bound > cost+1e-6 {
			t.Fatalf("the bound %v is above the plan, %v", s.Bound, cost)
		}
		kinds := []string{"rigid", "freely", "ruled", "moves", "elastic", "paced"}
		one, p := smallWorld(r, kinds[r.IntN(len(kinds))])
		if r.IntN(2) == 0 {
			addCeilings(r, &one.Jobs[0], 1+r.IntN(2))
		}
		compare(t, one, p)
	})
}

// Jobs of all kinds in several shards: the plan does not depend on how many
// work on it at a time.
func TestKindsWorkers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	in := emptyWorld(r, 12, 2, 1)
	for c := range in.Room[0] {
		in.Room[0][c] = 2500
	}
	kinds := []string{"ruled", "moves", "elastic"}
	for j := range 6500 {
		job := randomJob(r, in, kinds[j%len(kinds)])
		job.Missing = 1e3
		in.Jobs = append(in.Jobs, job)
		if j%100 == 99 {
			in.After = append(in.After, [2]int32{int32(j - 1), int32(j)})
		}
	}
	var first Solution
	for workers := 1; workers <= 2; workers++ {
		s := Solve(in, Options{Passes: 2, Par: par(workers)})
		if err := Verify(in, &s); err != nil {
			t.Fatal(err)
		}
		if workers == 1 {
			first = s
		} else if s.Cost != first.Cost || s.Bound != first.Bound || !slices.Equal(s.Runs, first.Runs) {
			t.Errorf("%d workers find another plan", workers)
		}
	}
	t.Logf("gap %.2f %%, %d of %d without a place", 100*first.Gap(), first.Unplaced, len(in.Jobs))
}
