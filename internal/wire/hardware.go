package wire

import (
	"math"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

func gpusIn(g *clusy.GPUs) [workload.MostGPUs]workload.GPU {
	if g == nil {
		return workload.Cards()
	}
	// Not by Cards: what is wrong with it is to be seen, and refused.
	return [workload.MostGPUs]workload.GPU{{Type: g.Type, Count: g.Count}}
}

func gpusOut(r workload.Resources) *clusy.GPUs {
	g := r.GPU()
	if g.Count == 0 {
		return nil
	}
	return &clusy.GPUs{Type: g.Type, Count: g.Count}
}

func hardwareIn(h clusy.Hardware) workload.Way {
	w := workload.Way{
		Duration: workload.Duration{Expected: Seconds(h.Duration.Expected), P95: Seconds(h.Duration.P95), Max: Seconds(h.Duration.Max)},
		Power:    grid.Power(math.Round(h.Watts * 1000)),
		Demand:   workload.Resources{CPU: int64(math.Round(h.CPUs * 1000)), Memory: h.MemoryMiB, Slots: 1, GPUs: gpusIn(h.GPUs)},
	}
	w.Demand.Power = w.Power
	filled(&w.Duration)
	return w
}

func hardwareOut(ways []workload.Way) (out []clusy.Hardware) {
	for _, w := range ways {
		out = append(out, clusy.Hardware{
			Duration: clusy.Duration{Expected: w.Duration.Expected.Seconds(), P95: w.Duration.P95.Seconds(), Max: w.Duration.Max.Seconds()},
			Watts:    float64(w.Power) / 1000, CPUs: float64(w.Demand.CPU) / 1000, MemoryMiB: w.Demand.Memory, GPUs: gpusOut(w.Demand),
		})
	}
	return out
}

// filled fills in what a duration leaves out.
func filled(d *workload.Duration) {
	d.P95 = max(d.P95, d.Expected)
	if d.Max == 0 {
		d.Max = max(2*d.Expected, d.Booked())
	}
}

func cardsIn(gs []clusy.GPUs) [workload.MostGPUs]workload.GPU {
	var all []workload.GPU
	for _, g := range gs {
		if workload.IsGPUType(g.Type) {
			all = append(all, workload.GPU{Type: g.Type, Count: min(g.Count, workload.MaxGPUs)})
		}
	}
	return workload.Cards(all...)
}

func cardsOut(gs [workload.MostGPUs]workload.GPU) (out []clusy.GPUs) {
	for _, g := range gs {
		if g.Count > 0 {
			out = append(out, clusy.GPUs{Type: g.Type, Count: g.Count})
		}
	}
	return out
}
