package replay

import (
	"cmp"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/online"
)

// Expecting is the name of the fleet's own planner that lets each week's jobs be
// expected in the next.
const Expecting = "clusy-expecting"

// PlanExpecting lets the jobs of w arrive before the fleet's planner by prices. In
// each slot it plans what has arrived together with the jobs that arrived a week
// before the hours to come, as if they came again: so work that can wait leaves
// clean hours to work that will come and cannot. In the first week nothing is
// expected. Passed is told of each slot; it may be nil.
func (w *World) PlanExpecting(passed func(slot int) error) (Outcome, error) {
	o := Outcome{Policy: Expecting, Due: make([]int, len(w.Jobs)), Placed: make([]Placed, len(w.Jobs))}
	for i := range w.Jobs {
		o.Due[i] = w.Jobs[i].Due
	}
	in := w.Offline(append(slices.Clone(o.Due), w.last()))
	week := int(7 * 24 * time.Hour / w.Slot)
	tables := [][]float64{make([]float64, in.Cells())}
	out, err := online.Run(in, online.Options{Passed: passed,
		Virtual: func(slot, until int) []fleet.Job {
			from, _ := slices.BinarySearchFunc(w.Jobs, slot+1-week, func(j Job, t int) int { return cmp.Compare(j.Arrive, t) })
			var jobs []fleet.Job
			for i := from; i < len(w.Jobs) && w.Jobs[i].Arrive < until-week && w.Jobs[i].Arrive < slot; i++ {
				j := in.Jobs[i]
				j.Release, j.Due = j.Release+int32(week), j.Due+int32(week)
				jobs = append(jobs, j)
			}
			return jobs
		},
		Expected: func(slot int) [][]float64 {
			for s, site := range w.Sites {
				e := w.Expected(s, slot)
				grams := w.Slot.Hours() * float64(site.PUE) / 1e6
				for t := slot; t < in.Slots(); t++ {
					v := e[min(t-slot, len(e)-1)]
					if math.IsNaN(v) {
						v = e[0]
					}
					tables[0][in.Cell(int32(s), int32(t))] = v * grams
				}
			}
			return tables
		},
	})
	o.Refused, o.Plans = out.Refused, out.Plans
	if err != nil {
		return o, err
	}
	for i, runs := range out.Runs {
		for _, r := range runs {
			o.Placed[i].Site = int(in.Jobs[i].Ways[r.Way].Site)
			o.Placed[i].Runs = append(o.Placed[i].Runs, Run{int(r.From), int(r.To)})
		}
		o.Due[i] = max(o.Due[i], int(out.Due[i]))
	}
	return o, nil
}

// last is a slot by which all is surely complete: all work, one job after the other
// at its site, would be long before; a month is enough unless sites are drowned.
func (w *World) last() int {
	due := 0
	for i := range w.Jobs {
		due = max(due, w.Jobs[i].Due)
	}
	return due + int(31*24*time.Hour/w.Slot)
}
