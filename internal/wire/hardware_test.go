package wire

import (
	"reflect"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Hardware, gangs and data come back over the wire as they went.
func TestHardwareRoundTrip(t *testing.T) {
	s := workload.Shape{
		Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour}, Power: 600 * grid.Watt, Size: 3,
		Demand: workload.Resources{CPU: 3000, Power: 600 * grid.Watt, Slots: 1, GPUs: workload.Cards(workload.GPU{Type: "a100", Count: 6})},
		Ways: []workload.Way{{Duration: workload.Duration{Expected: time.Minute, P95: 2 * time.Minute, Max: 3 * time.Minute}, Power: grid.Watt,
			Demand: workload.Resources{CPU: 500, Memory: 64, Power: grid.Watt, Slots: 1, GPUs: workload.Cards(workload.GPU{Type: "h100", Count: 3})}}},
		Data: workload.Data{Home: "berlin", MiB: 2048, Mbit: 300},
	}
	back := ShapeIn(ShapeOut(s))
	s.Objective, s.Policy = back.Objective, back.Policy // filled in
	if !reflect.DeepEqual(back, s) {
		t.Errorf("it came back as\n%+v, was\n%+v", back, s)
	}
	// What is wrong is not set right on the way: it is to be refused.
	odd := ShapeIn(clusy.Shape{GPUs: &clusy.GPUs{Type: "A 100", Count: -1}, Alternatives: []clusy.Hardware{{Duration: clusy.Duration{Expected: 60}, GPUs: &clusy.GPUs{Type: "x y", Count: 1}}}, Data: &clusy.Data{Home: "a b", MiB: 1}, Gang: -2})
	pointers := map[string]bool{}
	for _, v := range odd.Validate(time.Now()) {
		pointers[v.Pointer] = true
	}
	for _, p := range []string{"/gpus", "/alternatives/0/gpus", "/data/home", "/gang"} {
		if !pointers[p] {
			t.Errorf("nothing is said of %s: %v", p, pointers)
		}
	}
	o := workload.Order{Verb: workload.Keep, Schedule: workload.Schedule{Way: 2, Latest: t0}}
	if got := OrderIn(OrderOut(o)).Schedule; got.Way != 2 || got.ID() != o.Schedule.ID() || got.ID() == (workload.Schedule{Latest: t0}).ID() {
		t.Errorf("%+v", got)
	}
	report := clusy.SiteReport{Zone: "DE", PUE: 1, GPUs: []clusy.GPUs{{Type: "h100", Count: 2}, {Type: "a100", Count: 8}, {Type: "no type", Count: 4}}}
	site := SiteIn("a", report)
	if site.Capacity.GPUs != workload.Cards(workload.GPU{Type: "a100", Count: 8}, workload.GPU{Type: "h100", Count: 2}) {
		t.Errorf("%+v", site.Capacity)
	}
	if out := SiteOut(site); !reflect.DeepEqual(out.GPUs, []clusy.GPUs{{Type: "a100", Count: 8}, {Type: "h100", Count: 2}}) {
		t.Errorf("%+v", out)
	}
	if p := PlacementOut(plan.Placement{Way: 1, Why: plan.Reasons{Rejected: []plan.Alternative{{Way: 2}}}}); p.Way != 1 || p.Why.Rejected[0].Way != 2 {
		t.Errorf("%+v", p)
	}
}
