package fleet

import (
	"math"
	"math/rand/v2"
	"testing"
)

// plainWorld has one thing, room for so much of it everywhere, and costs by
// site and slot.
func plainWorld(room float64, costs ...[]float64) *Instance {
	in := &Instance{Things: []string{"cpu"}, Room: make([][]float64, 1), Cost: make([][]float64, 1)}
	for s, cost := range costs {
		in.Sites = append(in.Sites, Site{ID: string(rune('a' + s))})
		in.Cost[0] = append(in.Cost[0], cost...)
		for range cost {
			in.Room[0] = append(in.Room[0], room)
		}
	}
	for range costs[0] {
		in.Hours = append(in.Hours, 1)
	}
	return in
}

// What a workload may ask for, said in the words of the contract.
func TestStories(t *testing.T) {
	use := func(n float64) []float64 { return []float64{n} }
	noon := []float64{9, 9, 1, 1, 9, 9}
	for name, c := range map[string]struct {
		in   *Instance
		jobs []Job
		tie  func(*Instance)
		want [][]Run
	}{
		// All of a gang run at once: it is one job that uses as much as all. At
		// noon there is room for it or for the other, and it is worth more to it.
		"gang": {plainWorld(4, noon), []Job{
			{Due: 6, Missing: 1e3, Ways: []Way{{Need: 2, KW: 4, Use: use(4)}}},
			{Due: 6, Missing: 1e3, Ways: []Way{{Need: 2, KW: 1, Use: use(1)}}},
		}, nil, [][]Run{{{From: 2, To: 4}}, {{From: 0, To: 2}}}},
		// One of an array at a time, though there is room for both.
		"array": {plainWorld(4, []float64{9, 8, 1, 2, 9, 9}), []Job{
			{Due: 6, Missing: 1e3, Ways: []Way{{Need: 1, KW: 1, Use: use(1)}}},
			{Due: 6, Missing: 1e3, Ways: []Way{{Need: 1, KW: 1, Use: use(1)}}},
		}, func(in *Instance) { in.Arrays = []Array{{Jobs: []int32{0, 1}, Most: 1}} }, nil},
		// The fast card draws more, and is done before the clean hours are over.
		"alternatives": {plainWorld(4, noon), []Job{
			{Due: 6, Missing: 1e3, Ways: []Way{{Need: 4, KW: 1, Use: use(1)}, {Need: 2, KW: 1.8, Use: use(2)}}},
		}, nil, [][]Run{{{From: 2, To: 4, Way: 1}}}},
		// The other site is cleaner, and its data is there from slot 3 on.
		"migration at start": {plainWorld(4, noon, []float64{1, 1, 1, 1, 1, 1}), []Job{
			{Due: 6, Missing: 1e3, Ways: []Way{{Site: 0, Need: 3, KW: 1, Use: use(1)}, {Site: 1, Need: 3, KW: 1, Use: use(1), From: 3, Fixed: 5}}},
		}, nil, [][]Run{{{From: 3, To: 6, Way: 1}}}},
		// It follows the clean hours from one site to the other.
		"migration under way": {plainWorld(4, []float64{1, 1, 9, 9, 9, 9}, []float64{9, 9, 9, 9, 1, 1}), []Job{
			{Kind: Interruptible, Due: 6, Missing: 1e3, Moves: []Move{{From: 0, To: 1, Lost: 1, Fixed: 2}},
				Ways: []Way{{Site: 0, Need: 4, KW: 1, Use: use(1)}, {Site: 1, Need: 4, KW: 1, Use: use(1), Fixed: 2}}},
		}, nil, [][]Run{{{From: 0, To: 2}, {From: 4, To: 6, Way: 1}}}},
		// Denied hours are the clean ones.
		"denied": {plainWorld(4, noon), []Job{
			{Due: 5, Missing: 1e3, Denied: 1, Ways: []Way{{Need: 2, KW: 1, Use: use(1)}}},
		}, func(in *Instance) { in.Denied = [][]Span{{{2, 4}}} }, [][]Run{{{From: 0, To: 2}}}},
		// Both want noon, and no more than one may begin at a time.
		"ramp": {plainWorld(4, noon), []Job{
			{Due: 6, Missing: 1e3, Ways: []Way{{Need: 1, KW: 1, Use: use(2)}}},
			{Due: 6, Missing: 1e3, Ways: []Way{{Need: 1, KW: 1, Use: use(2)}}},
		}, func(in *Instance) { in.Ramp = [][]float64{{2}} }, nil},
		// Resuming costs a slot: it pauses once, over the dirtiest.
		"overhead": {plainWorld(4, []float64{1, 1, 9, 9, 1, 1, 1}), []Job{
			{Kind: Interruptible, Due: 7, Missing: 1e3, Resume: 1, MinRun: 2, Ways: []Way{{Need: 4, KW: 1, Use: use(1)}}},
		}, nil, [][]Run{{{From: 0, To: 2}, {From: 4, To: 7}}}},
		// A ceiling on what it emits keeps it from the cheap hours' price only.
		"ceiling": {plainWorld(4, []float64{3, 2, 2, 1}), []Job{
			{Due: 4, Missing: 1e3, Ceilings: []Ceiling{{Table: 1, Most: 5}}, Ways: []Way{{Need: 2, KW: 1, Use: use(1)}}},
		}, func(in *Instance) { in.Cost = append(in.Cost, []float64{1, 2, 3, 9}) }, [][]Run{{{From: 1, To: 3}}}},
	} {
		c.in.Jobs = c.jobs
		if c.tie != nil {
			c.tie(c.in)
		}
		if err := c.in.Validate(); err != nil {
			t.Fatal(name, err)
		}
		s := Solve(c.in, Options{})
		if err := Verify(c.in, &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if best := bestPlan(c.in); !near(s.Cost+s.Missing, best) {
			t.Errorf("%s: it costs %v, the best is %v", name, s.Cost+s.Missing, best)
		}
		for j, want := range c.want {
			got := s.Of(j)
			if len(got) != len(want) {
				t.Errorf("%s: job %d runs in %v, want %v", name, j, got, want)
				continue
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s: job %d runs in %v, want %v", name, j, got, want)
				}
			}
		}
	}
}

// Three of an array, one or two at a time, against all plans.
func TestArraysSmall(t *testing.T) {
	var exact, worlds int
	var gap, bound, sum float64
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 6))
		in := emptyWorld(r, 5, 1, 1)
		job := randomJob(r, in, []string{"rigid", "freely", "ruled"}[seed%3])
		job.Missing, job.Release, job.Due, job.Denied = 200, 0, 5, 0
		job.Ways = job.Ways[:1]
		job.Ways[0].Need = 1 + int32(r.IntN(2))
		in.Jobs = []Job{job, job, job}
		in.Arrays = []Array{{Jobs: []int32{0, 1, 2}, Most: int32(1 + r.IntN(2))}}
		s := Solve(in, Options{})
		if err := Verify(in, &s); err != nil {
			t.Fatal(err)
		}
		same(t, in, &s)
		best := bestPlan(in)
		if s.Bound > best+1e-7 || s.Cost+s.Missing < best-1e-7 {
			t.Fatalf("seed %d: plan %v, bound %v, best %v", seed, s.Cost+s.Missing, s.Bound, best)
		}
		if worlds++; near(s.Cost+s.Missing, best) {
			exact++
		}
		gap, bound, sum = gap+s.Cost+s.Missing-best, bound+best-s.Bound, sum+math.Abs(best)
	}
	t.Logf("%d of %d the best, %.2f %% above; bound %.2f %% below", exact, worlds, 100*gap/sum, 100*bound/sum)
	if exact < worlds*8/10 {
		t.Errorf("only %d of %d are the best", exact, worlds)
	}
}

// A job too long for the exact answer still has one, and a bound.
func TestTooLong(t *testing.T) {
	in := plainWorld(4, make([]float64, 3000), make([]float64, 3000))
	r := rand.New(rand.NewPCG(1, 1))
	for c := range in.Cost[0] {
		in.Cost[0][c] = 10 + r.Float64()
	}
	ways := []Way{{Need: 1000, KW: 1, Use: []float64{1}}, {Site: 1, Need: 1000, KW: 1, Use: []float64{1}}}
	in.Jobs = []Job{
		{Kind: Interruptible, Due: 3000, Missing: 1e6, Resume: 1, Ways: ways},
		{Kind: Interruptible, Due: 3000, Missing: 1e6, Resume: 1, Ways: ways, Moves: []Move{{From: 0, To: 1, Fixed: -1}}},
	}
	for j := range in.Jobs {
		var a Answer
		if !Respond(in, j, randomless(in), &a) || len(a.Runs) != 1 || a.Least > a.Total() || a.Least < 0.4*a.Total() {
			t.Errorf("job %d: %d runs, %v, at least %v", j, len(a.Runs), a.Total(), a.Least)
		}
	}
}

// A desk that is used again allocates nothing.
func TestDeskKeepsItsBuffers(t *testing.T) {
	for _, kind := range []string{"rigid", "freely", "ruled", "moves", "elastic", "paced", "ceiling", "chain", "array"} {
		in := kindWeek(kind, 40, 0.6, 3)
		d := newDesk(in)
		d.price = randomless(in)
		fs := families(in)
		var a Answer
		ask := func() {
			for i := range fs {
				d.party(&fs[i])
			}
			if len(fs) == 0 {
				for j := range in.Jobs {
					d.respond(j, &a)
				}
			}
		}
		ask()
		if n := testing.AllocsPerRun(2, ask); n > 0 {
			t.Errorf("%s: %v allocations in a pass", kind, n)
		}
	}
}

// Where a slot costs less than nothing it pays to resume, for that takes one
// more; but a run that is too short to be suspended is the last.
func TestShortLastRun(t *testing.T) {
	in := plainWorld(4, []float64{-5, 10, -5, 10})
	in.Jobs = []Job{{Kind: Interruptible, Due: 4, Missing: 1e3, Resume: 1, MinRun: 3, Ways: []Way{{Need: 1, KW: 1, Use: []float64{1}}}}}
	var a Answer
	if !Respond(in, 0, randomless(in), &a) || a.Total() != -5 || a.Least != -5 {
		t.Errorf("it costs %v, at least %v", a.Total(), a.Least)
	}
	in.Jobs[0].MinRun = 1
	if !Respond(in, 0, randomless(in), &a) || a.Total() != -10 || a.Least != -10 {
		t.Errorf("it costs %v, at least %v", a.Total(), a.Least)
	}
}
