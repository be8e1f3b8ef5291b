package reconcile

import (
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Each submission is remembered once, for some weeks, and not more than so many.
func TestMemory(t *testing.T) {
	begin := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	one := func(i int, at time.Time) workload.Workload {
		return workload.Workload{ID: fmt.Sprint("wl_", i), Created: at, Shape: workload.Shape{Power: 100 * grid.Watt,
			Duration: workload.Duration{Expected: time.Hour, P95: time.Hour}, When: workload.When{CompleteBy: at.Add(5 * time.Hour)}}}
	}
	var m memory
	for range 3 {
		m.see([]workload.Workload{one(1, begin), one(2, begin.Add(time.Minute))}, begin)
	}
	if len(m.past) != 2 {
		t.Fatalf("two submissions are remembered as %d", len(m.past))
	}
	week := begin.Add(7 * 24 * time.Hour)
	if got := plan.Expect(m.past, week.Add(-time.Hour), 6*time.Hour); len(got) == 0 {
		t.Error("what came a week ago is not expected again")
	}
	m.see(nil, begin.Add(remembered+2*time.Minute))
	if len(m.past) != 0 || len(m.seen) != 0 {
		t.Errorf("%d are remembered for ever", len(m.past))
	}
	for i := range rememberMost + 10 {
		m.see([]workload.Workload{one(i, week)}, week)
	}
	if len(m.past) != rememberMost || len(m.seen) != rememberMost || len(m.ids) != rememberMost {
		t.Errorf("%d, %d and %d are remembered, want %d", len(m.past), len(m.seen), len(m.ids), rememberMost)
	}
	if m.seen["wl_0"] || !m.seen[fmt.Sprint("wl_", rememberMost+9)] {
		t.Error("what came last is forgotten first")
	}
}

// A loop that is to expect asks its plans to, and one that is not does not.
func TestLoopExpects(t *testing.T) {
	begin := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	w := workload.Workload{ID: "wl_1", Created: begin, Shape: workload.Shape{Power: 100 * grid.Watt,
		Duration: workload.Duration{Expected: time.Hour, P95: time.Hour}, When: workload.When{CompleteBy: begin.Add(5 * time.Hour)}}}
	for _, expect := range []bool{false, true} {
		l := &Loop{Expect: expect, Rules: plan.Rules{Step: time.Hour, Horizon: 24 * time.Hour}}
		first := decision{world: plan.World{Now: begin, Open: []workload.Workload{w}}}
		l.decide(&first)
		later := decision{world: plan.World{Now: begin.Add(7*24*time.Hour - 2*time.Hour)}}
		l.decide(&later)
		if got := len(later.snap.Expected) > 0; got != expect {
			t.Errorf("told to expect: %v; it expects %d", expect, len(later.snap.Expected))
		}
	}
}
