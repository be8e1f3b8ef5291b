package online

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"clusy.io/clusy/internal/plan/fleet"
)

// fleetOf is a week of jobs, and time to complete them, on sites whose curves
// rise and fall with the day. Jobs of the same seed but another salt are others
// of the same kind: what a planner may know of a week that is still to come.
type fleetOf struct {
	seed, salt  uint64
	jobs, sites int
	use         float64 // share of the room that they ask for
	arrive      int     // slots in which they arrive
	tail        int
}

func (f fleetOf) make() *fleet.Instance {
	slots := f.arrive + f.tail
	in := &fleet.Instance{Things: []string{"cpu"}, Room: make([][]float64, 1), Cost: make([][]float64, 1)}
	for range slots {
		in.Hours = append(in.Hours, 1)
	}
	r := rand.New(rand.NewPCG(f.seed, 17))
	for s := range f.sites {
		in.Sites = append(in.Sites, fleet.Site{ID: fmt.Sprintf("s%d", s), Zone: fmt.Sprintf("Z%d", s)})
		level, swing, wander := 200+200*r.Float64(), 0.2+0.3*r.Float64(), 0.0
		for t := range slots {
			wander = 0.97*wander + 0.05*r.NormFloat64()
			in.Cost[0] = append(in.Cost[0], level*math.Max(1+swing*math.Sin(2*math.Pi*(float64(t)+3*float64(s))/24)+wander, 0.05))
		}
	}
	r = rand.New(rand.NewPCG(f.seed, 1000+f.salt))
	work := 0.0
	for range f.jobs {
		day := float64(r.IntN(f.arrive/24)) * 24
		at := int32(day) + int32(math.Mod(14+5*r.NormFloat64()+48, 24)) // most come in the afternoon
		need := int32(min(1+r.ExpFloat64()*5, 48))
		j := fleet.Job{Kind: fleet.Kind(r.IntN(2)), Release: at, Due: at + need + int32(min(6+r.ExpFloat64()*18, 96-48))}
		cpus := float64(int(1) << r.IntN(4))
		home, moves := r.IntN(f.sites), r.IntN(2) == 0
		for s := range f.sites {
			if s != home && !moves {
				continue
			}
			way := fleet.Way{Site: int32(s), Need: need, KW: 0.01 * cpus, Use: []float64{cpus}}
			if s != home {
				way.Fixed = 0.5
			}
			j.Ways = append(j.Ways, way)
		}
		j.Missing = 3 * 1000 * 0.01 * cpus * float64(need)
		work += cpus * float64(need)
		in.Jobs = append(in.Jobs, j)
	}
	room := work / f.use / float64(f.arrive*f.sites)
	for range f.sites * slots {
		in.Room[0] = append(in.Room[0], math.Max(room, 16))
	}
	return in
}

// others are the jobs of another week, as those of the week before would be.
func (f fleetOf) others(in *fleet.Instance) func(slot, until int) []fleet.Job {
	f.salt++
	jobs := f.make().Jobs
	return func(slot, until int) (out []fleet.Job) {
		for _, j := range jobs {
			if int(j.Release) > slot && int(j.Release) < until {
				out = append(out, j)
			}
		}
		return out
	}
}

// solution makes an outcome one that fleet.Verify can doubt.
func solution(in *fleet.Instance, o *Outcome) (*fleet.Instance, *fleet.Solution) {
	copied := *in
	copied.Jobs = append([]fleet.Job(nil), in.Jobs...)
	s := &fleet.Solution{First: []uint32{0}, Cost: o.Cost}
	for j := range in.Jobs {
		s.Runs = append(s.Runs, o.Runs[j]...)
		s.First = append(s.First, uint32(len(s.Runs)))
		copied.Jobs[j].Due = o.Due[j]
	}
	return &copied, s
}

// Whatever arrives, nobody who was admitted is late, and what was carried out is
// a plan: no site held more than it has room for.
func TestNobodyIsLate(t *testing.T) {
	for seed := range uint64(2) {
		f := fleetOf{seed: seed, jobs: 160, sites: 1 + int(seed)%3, use: 0.5 + 0.08*float64(seed), arrive: 72, tail: 120}
		in := f.make()
		o := Options{Every: 6}
		if seed%2 == 0 {
			o.Virtual = f.others(in)
		}
		if seed%3 == 0 {
			o.Every = 3
		}
		out, err := Run(in, o)
		if err != nil {
			t.Fatal(err)
		}
		if out.Late != 0 || out.Broken != 0 || out.Unplaced != 0 || out.Plans == 0 {
			t.Errorf("seed %d: %d late, %d broken, %d without a place", seed, out.Late, out.Broken, out.Unplaced)
		}
		if err := fleet.Verify(solution(in, &out)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// A site dies and forecasts are nonsense: only those are late under whom it died.
func TestSiteDies(t *testing.T) {
	hit, broken := 0, 0
	for seed := range uint64(2) {
		f := fleetOf{seed: seed, jobs: 160, sites: 3, use: 0.9, arrive: 72, tail: 150}
		in := f.make()
		noise := rand.New(rand.NewPCG(seed, 5))
		bad := make([]float64, in.Cells())
		out, err := Run(in, Options{Every: 8,
			Down: func(site, slot int) bool { return site == 1 && slot >= 30 && slot < 60 },
			Expected: func(int) [][]float64 {
				for c := range bad {
					bad[c] = 1000 * noise.Float64()
				}
				return [][]float64{bad}
			},
			Virtual: f.others(in),
		})
		if err != nil {
			t.Fatal(err)
		}
		if out.Late != 0 || out.Unplaced != 0 {
			t.Errorf("seed %d: %d late and %d without a place, and no site died under them", seed, out.Late, out.Unplaced)
		}
		hit, broken = hit+out.Hit, broken+out.Broken
		if err := room(in, &out); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		for j := range in.Jobs {
			for _, r := range out.Runs[j] {
				if in.Jobs[j].Ways[r.Way].Site == 1 && r.From < 60 && r.To > 30 {
					t.Fatalf("seed %d: job %d runs at a dead site", seed, j)
				}
			}
		}
	}
	if hit == 0 || broken == 0 || broken > hit {
		t.Errorf("%d lost their place, %d of them are late: nothing was tried", hit, broken)
	}
}

// room reports a cell that holds more than it has room for.
func room(in *fleet.Instance, o *Outcome) error {
	load := make([]float64, in.Cells())
	for j := range in.Jobs {
		n := int32(0)
		for _, r := range o.Runs[j] {
			way := in.Jobs[j].Ways[r.Way]
			for s := r.From; s < r.To; s++ {
				n++
				if load[in.Cell(way.Site, s)] += way.Use[0]; load[in.Cell(way.Site, s)] > in.Room[0][in.Cell(way.Site, s)]+1e-6 {
					return fmt.Errorf("slot %d of site %d is over its room", s, way.Site)
				}
			}
		}
		if n != in.Jobs[j].Ways[0].Need {
			return fmt.Errorf("job %d ran for %d slots of %d", j, n, in.Jobs[j].Ways[0].Need)
		}
	}
	return nil
}

// Knowing what may come is worth something, and most of what knowing all is.
func TestExpectedJobsHelp(t *testing.T) {
	f := fleetOf{seed: 3, jobs: 700, sites: 2, use: 0.6, arrive: 96, tail: 100}
	in := f.make()
	offline := fleet.Solve(in, fleet.Options{})
	now := 0.0
	for j := range in.Jobs {
		way := in.Jobs[j].Ways[0]
		for s := in.Jobs[j].Release; s < in.Jobs[j].Release+way.Need; s++ {
			now += way.KW * in.Cost[0][in.Cell(way.Site, s)]
		}
	}
	share := func(o Options) float64 {
		out, err := Run(in, o)
		if err != nil {
			t.Fatal(err)
		}
		if out.Late > 0 {
			t.Errorf("%d late", out.Late)
		}
		return (now - out.Cost) / (now - offline.Cost)
	}
	blind, learnt := share(Options{Every: 4}), share(Options{Every: 4, Virtual: f.others(in)})
	t.Logf("of the offline saving: %.3f knowing nothing of what may come, %.3f with another week's jobs", blind, learnt)
	if learnt < blind-0.002 || learnt < 0.9 {
		t.Errorf("of the offline saving: %.3f knowing nothing of what may come, %.3f with another week's jobs", blind, learnt)
	}
}

func TestRefusesWhatItCannotPlan(t *testing.T) {
	in := fleetOf{jobs: 3, sites: 1, use: 0.5, arrive: 24, tail: 60}.make()
	in.Jobs[1].MinRun = 3
	if _, err := Run(in, Options{}); err == nil {
		t.Error("a shortest run is not planned online, and is taken all the same")
	}
}
