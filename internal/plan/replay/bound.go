package replay

import (
	"math"

	"clusy.io/clusy/internal/plan/fleet"
)

// Offline returns the instance of all jobs of w at once, with what was measured:
// what a clairvoyant would plan. Costs are grams. Due is by when each must be
// complete, as was promised; one more due than there are jobs lets it look that
// much farther.
func (w *World) Offline(due []int) *fleet.Instance {
	slots := 0
	for _, d := range due {
		slots = max(slots, d)
	}
	in := &fleet.Instance{Hours: make([]float64, slots), Things: []string{"cpu"}, Room: make([][]float64, 1), Cost: make([][]float64, 1)}
	for t := range in.Hours {
		in.Hours[t] = w.Slot.Hours()
	}
	for s, site := range w.Sites {
		in.Sites = append(in.Sites, fleet.Site{ID: site.ID, Zone: string(site.Zone)})
		for t := range slots {
			in.Room[0] = append(in.Room[0], float64(site.CPU)/1000)
			in.Cost[0] = append(in.Cost[0], w.Measured(s, t)/1000*w.Slot.Hours()*float64(site.PUE)/1000)
		}
	}
	in.Jobs = make([]fleet.Job, len(w.Jobs))
	for i := range w.Jobs {
		in.Jobs[i] = w.offline(in, &w.Jobs[i], due[i])
	}
	return in
}

func (w *World) offline(in *fleet.Instance, j *Job, due int) fleet.Job {
	out := fleet.Job{Release: int32(j.Arrive), Due: int32(due)}
	if j.Pauses {
		out.Kind = fleet.Interruptible
	}
	worst := 0.0
	for _, s := range j.Sites {
		out.Ways = append(out.Ways, fleet.Way{Site: int32(s), Need: int32(j.Length), KW: float64(j.Power) / 1e6, Use: []float64{float64(j.CPU) / 1000}})
		for t := j.Arrive; t < due; t++ {
			worst = math.Max(worst, in.Cost[0][in.Cell(int32(s), int32(t))])
		}
	}
	out.Missing = math.Max(3*worst*float64(j.Length)*float64(j.Power)/1e6, 1e-3)
	return out
}
