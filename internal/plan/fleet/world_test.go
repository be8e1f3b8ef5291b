package fleet

import (
	"math"
	"math/rand/v2"
	"sync"
)

// crowdedWeek returns n jobs as a busy week has them: most are short, a tenth
// is most of the load, half may pause and half may go to any site, at what
// moving their data emits.
func crowdedWeek(n, slots, sites int, util float64, seed uint64) *Instance {
	rng := rand.New(rand.NewPCG(seed, 7))
	in := &Instance{Things: []string{"cpu"}, Hours: make([]float64, slots)}
	hours := 168 / float64(slots)
	for t := range in.Hours {
		in.Hours[t] = hours
	}
	cost := make([]float64, slots*sites)
	for s := range sites {
		in.Sites = append(in.Sites, Site{ID: string(rune('a' + s)), Zone: string(rune('A' + s))})
		mean, swing, noise := 150+300*rng.Float64(), 0.15+0.2*rng.Float64(), 0.0
		for t := range slots {
			h := float64(t) * hours
			noise = 0.97*noise + 0.03*rng.NormFloat64()
			cost[s*slots+t] = mean * hours * max(0.1, 1-swing*math.Sin(2*math.Pi*(h-8)/24)+noise)
		}
	}
	in.Cost = [][]float64{cost}
	work := 0.0
	for range n {
		need := int(math.Exp(-0.2+1.5*rng.NormFloat64())/hours) + 1
		need = min(need, int(72/hours), slots/2)
		slack := int([]float64{6, 12, 24, 48}[rng.IntN(4)] / hours)
		slack = min(slack, slots-need)
		release := rng.IntN(slots - need - slack + 1)
		cpus := float64([]int{1, 2, 2, 4, 4, 8}[rng.IntN(6)])
		j := Job{Kind: Kind(rng.IntN(2)), Release: int32(release), Due: int32(release + need + slack)}
		home := rng.IntN(sites)
		moves := rng.IntN(2) == 0
		gb := 100 * rng.Float64()
		worst := 0.0
		for s := range sites {
			if s != home && !moves {
				continue
			}
			w := Way{Site: int32(s), Need: int32(need), KW: cpus * 0.01, Use: []float64{cpus}}
			if s != home {
				w.Fixed = 18 * gb / 10
			}
			for _, v := range cost[s*slots+release : s*slots+release+need+slack] {
				worst = max(worst, w.KW*v*float64(need)+w.Fixed)
			}
			j.Ways = append(j.Ways, w)
		}
		j.Missing = 3 * worst
		work += cpus * float64(need)
		in.Jobs = append(in.Jobs, j)
	}
	room := make([]float64, slots*sites)
	for i := range room {
		room[i] = max(10, math.Round(work/util/float64(len(room))))
	}
	in.Room = [][]float64{room}
	return in
}

// par returns a Par with so many workers.
func par(workers int) func(n int, f func(i int)) {
	return func(n int, f func(i int)) {
		var wait sync.WaitGroup
		next := make(chan int, n)
		for i := range n {
			next <- i
		}
		close(next)
		for range min(workers, n) {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for i := range next {
					f(i)
				}
			}()
		}
		wait.Wait()
	}
}
