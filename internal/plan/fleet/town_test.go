package fleet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// town says which small world to make.
type town struct {
	Jobs, Hours, Sites int
	Use                float64 // share of all the room that the jobs need
	Room               float64 // cpus a site; 0: what Use asks for
	Most               float64 // cpus of the biggest job
	Memory             bool    // sites run out of memory too
	Seed               uint64
}

func (c town) String() string {
	s := fmt.Sprintf("%d jobs of up to %g cpus, %d h x %d, use %.2f, seed %d", c.Jobs, c.Most, c.Hours, c.Sites, c.Use, c.Seed)
	if c.Room > 0 {
		s += fmt.Sprintf(", %g cpus", c.Room)
	}
	if c.Memory {
		s += ", memory"
	}
	return s
}

// hoursAt is the quantiles of how long batch jobs run, in hours, as published
// of the Azure trace: half are done in 35 minutes, one in a hundred takes two days.
var hoursAt = []struct{ q, h float64 }{{0, .08}, {.1, .167}, {.25, .25}, {.5, .583}, {.75, 2.17}, {.9, 11.3}, {.95, 20}, {.99, 50.3}, {1, 72}}

func drawHours(r *rand.Rand) float64 {
	u := r.Float64()
	for i := 1; ; i++ {
		a, b := hoursAt[i-1], hoursAt[i]
		if u <= b.q {
			return a.h * math.Pow(b.h/a.h, (u-a.q)/(b.q-a.q))
		}
	}
}

func drawCPUs(r *rand.Rand) float64 {
	switch u := r.Float64(); {
	case u < .58:
		return 2
	case u < .88:
		return 4
	default:
		return 8
	}
}

// make returns the world. Every job of it has a place: the world is made of a
// full plan at random, and each job is given the time around its place there.
func (c town) make() *Instance {
	r := rand.New(rand.NewPCG(c.Seed, 0xC407D))
	in := &Instance{Things: []string{"cpu"}, Hours: slices.Repeat([]float64{1}, c.Hours)}
	cells := c.Hours * c.Sites
	table := make([]float64, cells)
	for z := range c.Sites {
		in.Sites = append(in.Sites, Site{ID: fmt.Sprintf("s%d", z), Zone: fmt.Sprintf("z%d", z)})
		mean, swing, worst := 150+350*r.Float64(), .1+.3*r.Float64(), 10+4*r.Float64()
		drift := 0.0
		for t := range c.Hours {
			drift = .95*drift + .03*r.NormFloat64()
			table[z*c.Hours+t] = mean * (1 - swing*math.Cos(2*math.Pi*(float64(t)-worst-12)/24) + drift)
		}
	}
	in.Cost = [][]float64{table}
	need, cpus := make([]int32, c.Jobs), make([]float64, c.Jobs)
	var total float64
	for j := range need {
		need[j] = int32(min(math.Ceil(drawHours(r)), float64(c.Hours)/2))
		cpus[j] = min(drawCPUs(r), c.Most)
		total += float64(need[j]) * cpus[j]
	}
	// Big ones first, as one packs a van.
	order := make([]int, c.Jobs)
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(float64(need[b])*cpus[b] - float64(need[a])*cpus[a]) })
	room := c.Room
	if room == 0 {
		room = math.Max(c.Most, math.Ceil(total/c.Use/float64(cells)))
	}
	free := make([][]float64, 1, 2)
	free[0] = slices.Repeat([]float64{room}, cells)
	if c.Memory {
		in.Things = append(in.Things, "memory")
		free = append(free, slices.Repeat([]float64{4 * room}, cells))
	}
	for _, row := range free {
		in.Room = append(in.Room, slices.Clone(row))
	}
	for _, j := range order {
		use := []float64{cpus[j]}
		if c.Memory {
			use = append(use, math.Round(cpus[j]*(2+4*r.Float64())))
		}
		kind := Kind(r.IntN(2))
		site, slots := plant(r, in, free, kind, int(need[j]), use)
		if slots == nil {
			kind = Interruptible
			if site, slots = plant(r, in, free, kind, int(need[j]), use); slots == nil {
				continue // the world is full
			}
		}
		slack := []int{2, 6, 12, 24, 48}[r.IntN(5)]
		before := r.IntN(slack + 1)
		job := Job{Kind: kind, Release: int32(max(0, slots[0]-before)), Due: int32(min(c.Hours, slots[len(slots)-1]+1+slack-before))}
		if kind == Interruptible && int(job.Due-job.Release) < int(need[j])+slack {
			job.Due = int32(min(c.Hours, int(job.Release)+int(need[j])+slack))
		}
		kw := cpus[j] * (.004 + .012*r.Float64())
		for z := range c.Sites {
			if z == site || r.IntN(2) == 0 {
				job.Ways = append(job.Ways, Way{Site: int32(z), Need: need[j], KW: kw, Use: use})
			}
		}
		job.Missing = 3 * kw * float64(need[j]) * slices.Max(table)
		in.Jobs = append(in.Jobs, job)
	}
	r.Shuffle(len(in.Jobs), func(a, b int) { in.Jobs[a], in.Jobs[b] = in.Jobs[b], in.Jobs[a] })
	return in
}

// plant finds a place at random for one job where there is room, and takes it.
func plant(r *rand.Rand, in *Instance, free [][]float64, kind Kind, need int, use []float64) (site int, slots []int) {
	hours := in.Slots()
	fits := func(z, t int) bool {
		for k, u := range use {
			if u > free[k][z*hours+t] {
				return false
			}
		}
		return true
	}
	first, firstSite := r.IntN(hours), r.IntN(len(in.Sites))
	for i := range hours * len(in.Sites) {
		z, s := (firstSite+i/hours)%len(in.Sites), (first+i)%hours
		slots = slots[:0]
		for t := s; t < hours && len(slots) < need; t++ {
			if fits(z, t) {
				slots = append(slots, t)
			} else if kind == Rigid {
				break
			}
		}
		if len(slots) < need {
			continue
		}
		for _, t := range slots {
			for k, u := range use {
				free[k][z*hours+t] -= u
			}
		}
		return z, slots
	}
	return 0, nil
}
