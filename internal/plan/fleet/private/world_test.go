package private

import (
	"math"
	"math/rand/v2"

	"clusy.io/clusy/internal/plan/fleet"
)

// week returns n jobs of a busy week at four sites: a few are most of the load,
// half may pause, and half may go elsewhere, for what moving their data emits.
func week(n int, util float64, seed uint64) *fleet.Instance {
	const slots, sites = 168, 4
	rng := rand.New(rand.NewPCG(seed, 1))
	in := &fleet.Instance{Things: []string{"cpu"}, Hours: make([]float64, slots), Cost: [][]float64{make([]float64, slots*sites)}}
	for t := range in.Hours {
		in.Hours[t] = 1
	}
	for z, mean := range []float64{370, 260, 190, 550} {
		in.Sites = append(in.Sites, fleet.Site{ID: string(rune('a' + z)), Zone: string(rune('A' + z))})
		drift := 0.0
		for t := range slots {
			drift = 0.9*drift + 0.04*rng.NormFloat64()
			in.Cost[0][z*slots+t] = max(5, mean*(1+0.25*math.Cos(float64(t+6*z-13)/12*math.Pi)+drift))
		}
	}
	work := 0.0
	for range n {
		need := int32(min(max(1, math.Ceil(math.Exp(0.2+1.5*rng.NormFloat64()))), 72))
		release := min(rng.Int32N(slots), slots-need)
		cpus := float64(int(1) << rng.IntN(5))
		job := fleet.Job{Kind: fleet.Kind(rng.IntN(2)), Release: release, Due: min(slots, release+need+rng.Int32N(48))}
		home := rng.Int32N(sites)
		moves := rng.IntN(2) == 0
		worst := 0.0
		for z := range int32(sites) {
			if z != home && !moves {
				continue
			}
			way := fleet.Way{Site: z, Need: need, KW: cpus * 0.01, Use: []float64{cpus}}
			if z != home {
				way.Fixed = 18 * rng.Float64()
			}
			for _, v := range in.Cost[0][in.Cell(z, job.Release):in.Cell(z, job.Due)] {
				worst = max(worst, v*way.KW*float64(need)+way.Fixed)
			}
			job.Ways = append(job.Ways, way)
		}
		job.Missing = 3 * worst
		in.Jobs = append(in.Jobs, job)
		work += cpus * float64(need)
	}
	in.Room = [][]float64{make([]float64, slots*sites)}
	for c := range in.Room[0] {
		in.Room[0][c] = math.Ceil(work / util / (slots * sites))
	}
	return in
}

// mixed returns a small world in which jobs are of every kind, things are two,
// one of them without end at a site, and a cell has neither room nor a price.
func mixed(seed uint64) *fleet.Instance {
	const slots = 24
	rng := rand.New(rand.NewPCG(seed, 2))
	in := &fleet.Instance{Things: []string{"cpu", "memory"}, Sites: []fleet.Site{{ID: "a"}, {ID: "b"}},
		Hours: make([]float64, slots), Cost: [][]float64{make([]float64, 2*slots)}, Room: [][]float64{make([]float64, 2*slots), make([]float64, 2*slots)},
		Denied: [][]fleet.Span{{{From: 3, To: 5}}}}
	for c := range 2 * slots {
		in.Hours[c%slots] = 1
		in.Cost[0][c] = 100 + 300*rng.Float64()
		in.Room[0][c], in.Room[1][c] = 12, math.Inf(1)
		if c < slots {
			in.Room[1][c] = 40
		}
	}
	in.Cost[0][7] = math.NaN()
	in.Room[0][9] = 0
	for j := range int32(30) {
		need := 1 + rng.Int32N(4)
		from := rng.Int32N(slots - 12)
		cpus := float64(1 + rng.IntN(3))
		job := fleet.Job{Release: from, Due: from + need + rng.Int32N(12-need+1), Missing: 1e4}
		for z := range int32(2) {
			job.Ways = append(job.Ways, fleet.Way{Site: z, Need: need, KW: cpus / 10, Use: []float64{cpus, 2.5 * cpus}, Fixed: float64(z)})
		}
		switch j % 6 {
		case 1:
			job.Kind = fleet.Interruptible
		case 2:
			job.Kind, job.Resume = fleet.Interruptible, 1
		case 3:
			job.Kind = fleet.Elastic
			job.Levels = []fleet.Level{{Rate: 1, KW: cpus / 10, Use: job.Ways[0].Use}, {Rate: 1.6, KW: cpus / 5, Use: []float64{2 * cpus, 5 * cpus}}}
		case 4:
			job.Kind = fleet.Interruptible
			job.Ceilings = []fleet.Ceiling{{Most: float64(need) * cpus / 10 * 300}}
		case 5:
			job.Denied = 1
			in.After = append(in.After, [2]int32{j - 5, j})
			job.Due = slots
		}
		in.Jobs = append(in.Jobs, job)
	}
	return in
}

// terms returns short rounds for a world.
func terms(in *fleet.Instance, k, rounds int) *Terms {
	scale, unit := measures(in)
	t := Common(in, k, rounds, scale)
	t.Unit, t.Quantum = unit, append([]float64(nil), unit...)
	return t
}
