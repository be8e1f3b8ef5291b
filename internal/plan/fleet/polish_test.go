package fleet

import (
	"cmp"
	"flag"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

var everyTown = flag.Bool("towns", false, "compare the plans of all small worlds with their optima, not of every third")

// The plans of small crowded worlds are near the best that anyone knows: the
// optimum, where a solver of integer programs can prove it. All jobs have a
// place, for these worlds are made of plans in which they have.
func TestPolishAgainstOptima(t *testing.T) {
	known := optima(t)
	if len(known) != len(towns()) {
		t.Fatalf("optima of %d worlds are known, there are %d", len(known), len(towns()))
	}
	var sum, n float64
	for i, o := range known {
		if i%3 > 0 && !*everyTown {
			continue
		}
		n++
		if o.World != towns()[i] {
			t.Fatalf("the optimum is of %v, the world is %v", o.World, towns()[i])
		}
		in := o.World.make()
		s := Solve(in, Options{})
		if err := Verify(in, &s); err != nil {
			t.Fatalf("%v: %v", o.World, err)
		}
		cost := s.Cost + s.Missing
		if cost < o.Bound*(1-1e-6) || s.Bound > o.Best*(1+1e-6) {
			t.Errorf("%v: plan %v, bound %v; the optimum is in [%v, %v]", o.World, cost, s.Bound, o.Bound, o.Best)
		}
		over := cost/o.Best - 1
		sum += over
		t.Logf("%v: %.2f %% over the best known, which is at most %.2f %% over the optimum; %d without a place",
			o.World, 100*over, 100*(o.Best/o.Bound-1), s.Unplaced)
		if s.Unplaced > 1 || s.Unplaced > 0 && !o.hard() || over > o.allowed() {
			t.Errorf("%v: %d have no place, and the plan is %.2f %% over the best", o.World, s.Unplaced, 100*over)
		}
	}
	if mean := sum / n; mean > .006 {
		t.Errorf("plans are %.2f %% over the best on average", 100*mean)
	}
}

// hard says that the world is so full that a plan made in a tenth of a second
// may leave one job out.
func (o *optimum) hard() bool { return o.World.Use >= .9 }

func (o *optimum) allowed() float64 {
	if o.hard() {
		return .03
	}
	return .01
}

// TestPolishGains shows what each part adds: jobs in turn, prices, and polish.
func TestPolishGains(t *testing.T) {
	for _, c := range []town{towns()[5], towns()[13]} {
		in := c.make()
		s := greedily(in)
		before := s.Cost + s.Missing
		polish(in, &s, thorough/4)
		if err := Verify(in, &s); err != nil {
			t.Fatal(err)
		}
		after := s.Cost + s.Missing
		t.Logf("%v: greedy %.0f, polished %.0f", c, before, after)
		if after > .95*before {
			t.Errorf("%v: greedy costs %v, polished %v", c, before, after)
		}
	}
}

// greedily plans in as the field does: each job in turn takes the cheapest
// place that is left, those first that have least time to spare.
func greedily(in *Instance) Solution {
	order := make([]int, len(in.Jobs))
	for j := range order {
		order[j] = j
	}
	spare := func(j int) int32 { return in.Jobs[j].Due - in.Jobs[j].Release - in.Jobs[j].Ways[0].Need }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(spare(a), spare(b)) })
	h := newHand(in, nil)
	runs := make([][]Run, len(in.Jobs))
	for _, j := range order {
		if at := h.respondIn(j, ask{}); at.way >= 0 {
			way := &in.Jobs[j].Ways[at.way]
			h.take(way.Site, way.Use, h.slots)
			runs[j] = appendRuns(nil, at.way, h.slots)
		}
	}
	return planOf(in, runs)
}

// Where prices and room leave a job to itself, a hand does what Respond does.
// Where they do not, it does what Respond does in the world that is left.
func TestHandAgainstRespond(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 11))
		in := oddWorld(r, 6, 3+r.IntN(8), 1+r.IntN(3))
		deny(r, in)
		p := randomPrices(r, in)
		h := newHand(in, p)
		left := *in // what others leave
		left.Room = nil
		for range in.Things {
			left.Room = append(left.Room, make([]float64, in.Cells()))
		}
		for k := range in.Things {
			copy(left.Room[k], in.Room[k])
		}
		for j := range in.Jobs {
			for _, alone := range []bool{true, false} {
				world, a := in, ask{factor: 1, push: true}
				if !alone {
					world, a.push = &left, false
				}
				var want Answer
				found := Respond(world, j, p, &want)
				got := h.respondIn(j, a)
				if found != (got.way >= 0) {
					t.Fatalf("seed %d, job %d, alone %v: %v, Respond says %v", seed, j, alone, got, found)
				}
				if !found {
					continue
				}
				way := &in.Jobs[j].Ways[got.way]
				total := got.cost
				for _, s := range h.slots {
					for k, u := range way.Use {
						total += u * p[k][in.Cell(way.Site, s)]
					}
				}
				if math.Abs(total-want.Total()) > 1e-9*(1+math.Abs(total)) {
					t.Fatalf("seed %d, job %d, alone %v: it pays %v, could pay %v", seed, j, alone, total, want.Total())
				}
				if !alone {
					h.take(way.Site, way.Use, h.slots)
					for _, s := range h.slots {
						for k, u := range way.Use {
							left.Room[k][in.Cell(way.Site, s)] -= u
						}
					}
				}
			}
		}
	}
}

// deny keeps some jobs out of some slots.
func deny(r *rand.Rand, in *Instance) {
	in.Denied = [][]Span{{{1, 2}}, {{0, 1}, {2, 3}}}
	for j := range in.Jobs {
		in.Jobs[j].Denied = int32(r.IntN(len(in.Denied) + 1))
	}
}

// Against all plans there are, in worlds of up to six jobs and several things:
// polish makes of no plan at all the best one nearly always, and of none a worse.
func TestPolishSmallWorlds(t *testing.T) {
	worlds, best := 0, 0
	for seed := range uint64(250) {
		in := fewJobs(seed)
		s := planOf(in, make([][]Run, len(in.Jobs)))
		polish(in, &s, 20_000*len(in.Jobs))
		if err := Verify(in, &s); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		least := bruteForce(in)
		cost := s.Cost + s.Missing
		if cost < least-1e-9 {
			t.Errorf("seed %d: the plan costs %v, and none costs less than %v", seed, cost, least)
		}
		if worlds++; cost < least+1e-9 {
			best++
		}
	}
	t.Logf("%d of %d plans are the best there is", best, worlds)
	if best < worlds*97/100 {
		t.Errorf("%d of %d plans are the best there is", best, worlds)
	}
}

// fewJobs is a world that brute force can still do.
func fewJobs(seed uint64) *Instance {
	r := rand.New(rand.NewPCG(seed, 12))
	jobs := 1 + r.IntN(6)
	return oddWorld(r, jobs, 2+r.IntN(4-min(jobs, 4)/2), 1+r.IntN(2))
}

// FuzzPolish: whatever the world, and whatever the plan that polish is given,
// what it returns is a plan, is no dearer, and is the same each time.
func FuzzPolish(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 13))
		in := oddWorld(r, 1+r.IntN(40), 3+r.IntN(20), 1+r.IntN(3))
		deny(r, in)
		for j := range in.Jobs {
			job := &in.Jobs[j]
			for w := range job.Ways {
				for k := range job.Ways[w].Use {
					job.Ways[w].Use[k] *= 1 - .3*r.Float64()*float64(seed%2) // sums are rounded then
				}
			}
			switch {
			case seed%3 == 0 && r.IntN(6) == 0:
				job.Ceilings = []Ceiling{{Most: 50}}
			case seed%3 == 0 && r.IntN(6) == 0:
				job.Kind, job.Resume = Interruptible, 1
			case seed%5 == 0 && j > 0 && r.IntN(6) == 0:
				in.After = append(in.After, [2]int32{int32(j - 1), int32(j)})
			}
		}
		if err := in.Validate(); err != nil {
			t.Skip(err)
		}
		s := Solve(in, Options{Passes: 1})
		if r.IntN(2) == 0 {
			s.Prices = nil
		}
		before := s
		polish(in, &s, 20_000)
		if err := Verify(in, &s); err != nil {
			t.Fatal(err)
		}
		if s.Cost+s.Missing > before.Cost+before.Missing+1e-6 {
			t.Errorf("the plan cost %v, now %v", before.Cost+before.Missing, s.Cost+s.Missing)
		}
		again := before
		polish(in, &again, 20_000)
		if !reflect.DeepEqual(again, s) {
			t.Error("the same plan was polished to two")
		}
		for j := range in.Jobs {
			if !plain(&in.Jobs[j]) && !slices.Equal(before.Of(j), s.Of(j)) {
				t.Errorf("job %d was moved, and polish knows nothing of its kind", j)
			}
		}
	})
}

// A job that polish does not move keeps its room, however much another would
// like to have it.
func TestPolishLeaves(t *testing.T) {
	in := &Instance{
		Hours: []float64{1, 1}, Sites: []Site{{ID: "a"}}, Things: []string{"cpu"},
		Room: [][]float64{{1, 1}}, Cost: [][]float64{{10, 500}},
	}
	way := []Way{{Need: 1, KW: 1, Use: []float64{1}}}
	in.Jobs = []Job{
		{Due: 2, Ways: way, Missing: 9999, Ceilings: []Ceiling{{Most: 1000}}},
		{Due: 2, Ways: way, Missing: 9999},
	}
	s := planOf(in, [][]Run{{{From: 0, To: 1}}, nil})
	polish(in, &s, 10_000)
	if err := Verify(in, &s); err != nil {
		t.Fatal(err)
	}
	if s.Unplaced > 0 || s.Cost != 510 {
		t.Errorf("the plan costs %v and leaves %d out, want 510 and none", s.Cost, s.Unplaced)
	}
}

// A world of few jobs and very many cells is left as it is: who runs where would
// fill the memory.
func TestPolishWideWorlds(t *testing.T) {
	in := oddWorld(rand.New(rand.NewPCG(1, 1)), 3, 4, 2)
	slots := mostSets/len(in.Sites) + 1
	in.Hours = make([]float64, slots)
	s := planOf(&Instance{Jobs: in.Jobs}, make([][]Run, len(in.Jobs)))
	before := s
	polish(in, &s, 1000)
	if !reflect.DeepEqual(s, before) {
		t.Error("it was polished")
	}
}

// Steps allocate nothing: a plan in a tenth of a second has no time for it.
func TestPolishAllocates(t *testing.T) {
	in := town{Jobs: 100, Hours: 48, Sites: 2, Use: .8, Most: 4, Seed: 1}.make()
	s := greedily(in)
	p := newPolisher(in, &s)
	for range 2000 {
		p.step(0)
	}
	if n := testing.AllocsPerRun(1000, func() { p.step(.5) }); n > 0 {
		t.Errorf("a step allocates %v times", n)
	}
}

func BenchmarkPolish(b *testing.B) {
	in := towns()[7].make()
	s := greedily(in)
	for b.Loop() {
		out := s
		polish(in, &out, thorough)
	}
}
