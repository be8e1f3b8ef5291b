package world

import (
	"cmp"
	"math"
	"slices"

	"clusy.io/clusy/internal/plan/fleet"
)

// Order is in what order a baseline lets jobs choose.
type Order uint8

// Orders.
const (
	ByArrival     Order = iota // who was there first
	BySlack                    // who can wait the least
	ByFlexibility              // who has the least places to choose among, for its length
)

// Greedy lets one job after the other take the best that is left. This is what
// planners do that know no prices. Ties go to the job that is first in the
// instance.
func Greedy(in *fleet.Instance, by Order) fleet.Solution {
	order := make([]int32, len(in.Jobs))
	for j := range order {
		order[j] = int32(j)
	}
	key := func(j int32) float64 {
		job := &in.Jobs[j]
		switch by {
		case BySlack:
			return float64(job.Due - job.Release - job.Ways[0].Need)
		case ByFlexibility:
			return float64(job.Due-job.Release) * float64(len(job.Ways)) / float64(job.Ways[0].Need)
		}
		return float64(job.Release)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(key(a), key(b)) })
	f := newField(in)
	for _, j := range order {
		f.admit(int(j), best)
	}
	return f.solution()
}

// RunNow starts every job of w as soon as its home has room, in order of
// arrival, and never pauses it: what happens where nothing is planned. Work
// without a home starts wherever it can first.
func RunNow(w *World, in *fleet.Instance) fleet.Solution {
	order := make([]int32, len(in.Jobs))
	for j := range order {
		order[j] = int32(j)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(in.Jobs[a].Release, in.Jobs[b].Release) })
	f := newField(in)
	for _, j := range order {
		f.home = w.Intents[j].Home
		f.admit(int(j), soonest)
	}
	return f.solution()
}

// rule is how a job chooses.
type rule uint8

const (
	best rule = iota
	soonest
)

// field is a plan that grows by one job at a time.
type field struct {
	in   *fleet.Instance
	room [][]float64 // what is left, by thing and cell
	runs [][]fleet.Run
	cost float64
	home int32 // of the job that is admitted, for soonest

	pick, tried []fleet.Run // buffers
	slots       []offer
}

type offer struct {
	slot int32
	cost float64
}

func newField(in *fleet.Instance) *field {
	f := &field{in: in, runs: make([][]fleet.Run, len(in.Jobs))}
	for _, room := range in.Room {
		f.room = append(f.room, slices.Clone(room))
	}
	return f
}

// admit gives job j a place by a rule, if one is left.
func (f *field) admit(j int, by rule) {
	job := &f.in.Jobs[j]
	least := math.Inf(1)
	cost := 0.0
	f.pick = f.pick[:0]
	for w := range job.Ways {
		if by == soonest && f.home >= 0 && job.Ways[w].Site != f.home {
			continue
		}
		var score, c float64
		switch {
		case by == soonest:
			score, c = f.first(job, w)
		case job.Kind == fleet.Rigid:
			score, c = f.window(job, w)
		default:
			score, c = f.scattered(job, w)
		}
		if score < least {
			least, f.pick = score, append(f.pick[:0], f.tried...)
			cost = c
		}
	}
	if math.IsInf(least, 1) {
		return
	}
	f.cost += cost
	f.runs[j] = slices.Clone(f.pick)
	way := &job.Ways[f.pick[0].Way]
	for _, r := range f.pick {
		for t := r.From; t < r.To; t++ {
			for k, u := range way.Use {
				f.room[k][f.in.Cell(way.Site, t)] -= u
			}
		}
	}
}

// usable returns what a slot costs by way w; ok is false if it is full or its
// cost is unknown.
func (f *field) usable(job *fleet.Job, w int, t int32) (float64, bool) {
	way := &job.Ways[w]
	cell := f.in.Cell(way.Site, t)
	for k, u := range way.Use {
		if u > f.room[k][cell]+1e-9 {
			return 0, false
		}
	}
	c := f.in.Cost[job.Table][cell]
	return c * way.KW, !math.IsNaN(c)
}

// window finds the cheapest slots in a row, or the first if several are.
func (f *field) window(job *fleet.Job, w int) (score, cost float64) {
	return f.row(job, w, func(_ int32, cost float64) float64 { return cost + job.Ways[w].Fixed })
}

// first finds the first slots in a row.
func (f *field) first(job *fleet.Job, w int) (score, cost float64) {
	return f.row(job, w, func(from int32, _ float64) float64 { return float64(from) })
}

func (f *field) row(job *fleet.Job, w int, score func(from int32, cost float64) float64) (least, cost float64) {
	need := job.Ways[w].Need
	least = math.Inf(1)
	f.slots = f.slots[:0] // the last slots in a row
	run := 0.0
	for t := max(job.Release, job.Ways[w].From); t < job.Due; t++ {
		c, ok := f.usable(job, w, t)
		if !ok {
			f.slots, run = f.slots[:0], 0
			continue
		}
		f.slots, run = append(f.slots, offer{t, c}), run+c
		n := len(f.slots)
		if n > int(need) {
			run -= f.slots[n-1-int(need)].cost
		}
		if n >= int(need) {
			if s := score(t+1-need, run); s < least {
				least, cost = s, run
				f.tried = append(f.tried[:0], fleet.Run{From: t + 1 - need, To: t + 1, Way: int16(w)})
			}
		}
	}
	return least, cost + job.Ways[w].Fixed
}

// scattered finds the cheapest slots, wherever they are.
func (f *field) scattered(job *fleet.Job, w int) (score, cost float64) {
	need := int(job.Ways[w].Need)
	f.slots = f.slots[:0]
	for t := max(job.Release, job.Ways[w].From); t < job.Due; t++ {
		if c, ok := f.usable(job, w, t); ok {
			f.slots = append(f.slots, offer{t, c})
		}
	}
	if len(f.slots) < need {
		return math.Inf(1), 0
	}
	slices.SortFunc(f.slots, func(a, b offer) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.slot, b.slot))
	})
	chosen := f.slots[:need]
	slices.SortFunc(chosen, func(a, b offer) int { return cmp.Compare(a.slot, b.slot) })
	cost, f.tried = job.Ways[w].Fixed, f.tried[:0]
	for _, o := range chosen {
		cost += o.cost
		if n := len(f.tried); n > 0 && f.tried[n-1].To == o.slot {
			f.tried[n-1].To++
		} else {
			f.tried = append(f.tried, fleet.Run{From: o.slot, To: o.slot + 1, Way: int16(w)})
		}
	}
	return cost, cost
}

func (f *field) solution() fleet.Solution {
	s := fleet.Solution{First: make([]uint32, 1, len(f.runs)+1), Cost: f.cost}
	for j, runs := range f.runs {
		if len(runs) == 0 {
			s.Unplaced++
			s.Missing += f.in.Jobs[j].Missing
		}
		s.Runs = append(s.Runs, runs...)
		s.First = append(s.First, uint32(len(s.Runs)))
	}
	return s
}
