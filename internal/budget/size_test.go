package budget

import (
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Elastic work is booked, and counted, at the sizes at which it runs.
func TestSizesCount(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	shape := workload.Shape{Power: 100 * grid.Watt, Demand: workload.Resources{CPU: 2000}, Elastic: []workload.Level{{Size: 4000, Speed: 3000}}}
	pl := plan.Placement{Spans: []plan.Span{{Start: noon, End: noon.Add(time.Hour)}, {Start: noon.Add(time.Hour), End: noon.Add(2 * time.Hour), Size: 4000}}}
	got := Booked("x", shape, pl, 1000, noon)
	if len(got) != 2 || got[0].Energy != grid.Drawn(100*grid.Watt, time.Hour) || got[1].Energy != grid.Drawn(400*grid.Watt, time.Hour) ||
		got[0].CPU != 2000*3600 || got[1].CPU != 8000*3600 {
		t.Errorf("booked as %+v", got)
	}
	m := ledger.Meter{Hour: noon, Runs: []ledger.Run{{From: noon, To: noon.Add(30 * time.Minute)}, {From: noon.Add(30 * time.Minute), To: noon.Add(time.Hour), Size: 4000, Speed: 3000}}}
	if p := Pending(m, shape, pl, 1000); p.CPU != 2000*1800+8000*1800 {
		t.Errorf("metered as %+v", p)
	}
}

// A period into which the booked time of a promise reaches stays open to it,
// however crowded it is.
func TestReachedStaysOpen(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	shape := workload.Shape{Power: 100 * grid.Watt, When: workload.When{CompleteBy: now.Add(48 * time.Hour)}}
	pl := plan.Placement{Spans: []plan.Span{{Start: now.Add(10 * time.Hour), End: now.Add(11*time.Hour + 58*time.Minute)}}, Reserved: now.Add(12*time.Hour + 10*time.Minute)}
	k := &Book{now: now, budgets: []Budget{{Name: "b", Measure: Energy, Limit: 1, Period: Day, Then: Hold}},
		booked: []Piece{{Workload: "other", From: now, To: now.Add(time.Hour), Energy: 100}}}
	if closed := k.Closed("x", shape, pl); len(closed) != 1 || !closed[0].Start.Equal(now.Add(36*time.Hour)) {
		t.Errorf("closed to it is %v, want the day after tomorrow on", closed)
	}
}
