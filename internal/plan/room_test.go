package plan

import (
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// hall is one site of two CPUs for a day, with intensities by the hour.
func hall(gs ...int) Snapshot {
	sr := grid.Series{Start: midnight, Step: time.Hour, Provenance: grid.Provenance{Provider: "p", Zone: "DE", Issued: midnight, Basis: grid.AverageLifecycle, Grade: grid.GradeA}}
	for _, g := range gs {
		sr.Values = append(sr.Values, grid.Intensity(g)*1000)
	}
	room := workload.Resources{CPU: 2000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}
	return Snapshot{Now: midnight, Step: 15 * time.Minute, Horizon: 24 * time.Hour, Outlook: grid.BelieveAll(sr.Basis, map[grid.Zone][]grid.Series{"DE": {sr}}), Sites: []Site{{ID: "hall", Zone: "DE", Capacity: room, PUE: 1000}}}
}

func work(id string, cpus int64, runs, by float64) Item {
	d := time.Duration(runs * float64(time.Hour))
	return Item{ID: id, Shape: workload.Shape{Power: 1_000_000, Demand: workload.Resources{CPU: 1000 * cpus, Slots: 1},
		Duration: workload.Duration{Expected: d, P95: d / 2, Max: 2 * d}, When: workload.When{CompleteBy: hour(by)}}}
}

func placed(it Item, site string, spans ...Span) Item {
	it.Placement = &Placement{Workload: it.ID, Site: site, Spans: spans}
	return it
}

// must computes a plan that Check lets pass.
func must(t *testing.T, s Snapshot) Plan {
	t.Helper()
	p := Compute(s)
	if err := Check(s, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func starts(t *testing.T, p *Plan, id string, h float64) {
	t.Helper()
	pl := find(p, id)
	if pl == nil {
		t.Errorf("%s has no place", id)
	} else if !pl.Start().Equal(hour(h)) {
		t.Errorf("%s starts at %s instead of %s", id, pl.Start().Format("15:04"), hour(h).Format("15:04"))
	}
}

// Two new items would fit if one promise were dropped. It is not.
func TestMoreWorkIsNoReasonToDropAPromise(t *testing.T) {
	s := hall(100, 100, 100)
	s.Items = []Item{placed(work("p", 2, 2, 2.25), "hall", hours(0, 2)), work("a", 1, 2, 2), work("b", 1, 2, 2)}
	p := must(t, s)
	starts(t, &p, "p", 0)
	if len(p.Unplaced) != 2 {
		t.Errorf("refused are %d", len(p.Unplaced))
	}
}

// A promise that lost its room gets it back before new work does: the run that
// is under way takes longer, and q can be in time only if p moves.
func TestFlawedPromiseGoesBeforeNewWork(t *testing.T) {
	s := hall(100, 100, 100, 50, 100)
	running := work("r", 2, 1, 3)
	running.Pinned, running.Running, running.RunSince, running.Done = "hall", true, midnight, 0
	s.Items = []Item{running, placed(work("p", 2, 1, 6), "hall", hours(1, 2)), placed(work("q", 2, 1, 2.5), "hall", hours(0, 1)), work("n", 2, 1, 2)}
	p := must(t, s)
	starts(t, &p, "q", 1)
	starts(t, &p, "p", 3)
	if find(&p, "n") != nil {
		t.Error("new work took the room of a promise")
	}
	// And even if p gains nothing by moving.
	s.Outlook = grid.Outlooks{}
	p = must(t, s)
	if pl := find(&p, "q"); pl.Reserved.After(hour(2.5)) {
		t.Errorf("q is at %+v", pl)
	}
	if pl := find(&p, "p"); pl == nil || pl.Start().Before(hour(2)) || pl.Reserved.After(hour(6)) {
		t.Errorf("p is at %+v", pl)
	}
}

// Room is made by moving one other item even in a world that is too large to
// be packed anew.
func TestRoomInALargeWorld(t *testing.T) {
	s := hall(100, 300, 310)
	s.Sites = append(s.Sites, Site{ID: "barn", Zone: "DE", PUE: 1000, Capacity: workload.Resources{CPU: workload.Unlimited, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}})
	only := func(it Item, site string) Item {
		it.Shape.Where.Allow = []string{site}
		return it
	}
	for i := range 10 * mostMoves {
		it := only(work(fmt.Sprintf("x%d", i), 1, 1, 1), "barn")
		s.Items = append(s.Items, placed(it, "barn", hours(0, 1)))
	}
	s.Items = append(s.Items, placed(only(work("easy", 2, 1, 3), "hall"), "hall", hours(0, 1)), only(work("tight", 2, 1, 1), "hall"))
	p := must(t, s)
	starts(t, &p, "tight", 0)
	starts(t, &p, "easy", 1)
}

// What its site has suspended more often than was planned is not planned to be
// suspended too often.
func TestPlannedPausesAreDropped(t *testing.T) {
	s := hall(100, 400, 100, 400, 100, 400)
	it := work("w", 1, 3, 8)
	it.Shape.Interruptible = workload.Interruptible{Allowed: true, MaxSuspensions: 3}
	it.Done, it.Suspensions, it.Pinned = time.Minute, 2, "hall"
	s.Items = []Item{placed(it, "hall", hours(0, 1), hours(2, 3), hours(4, 5))}
	p := must(t, s)
	if n := len(find(&p, "w").Spans); n > 2 {
		t.Errorf("it is suspended %d times more", n-1)
	}
	// A run under way that the plan has suspended, but that must last longer.
	it.Shape.Interruptible = workload.Interruptible{Allowed: true, MinRun: 2 * time.Hour}
	it.Running, it.RunSince = true, midnight.Add(-time.Hour)
	s = hall(900, 400, 100, 400, 100, 400, 100) // and it would be cleaner to
	s.Items = []Item{placed(it, "hall", hours(2, 4), hours(6, 7))}
	p = must(t, s)
	if pl := find(&p, "w"); !pl.Start().Equal(midnight.Add(-time.Hour)) || pl.Spans[0].End.Before(hour(1)) {
		t.Errorf("it is at %+v", pl.Spans)
	}
}

// Latest is completeBy − margin − all that is booked and not done, and one
// overhead if the work must be resumed first.
func TestLatest(t *testing.T) {
	it := work("w", 1, 2, 10)
	it.Shape.Duration.P95 = 3 * time.Hour // books 3 h 18 m
	if got := Latest(it, time.Minute, time.Hour); !got.Equal(hour(10).Add(-3*time.Hour - 19*time.Minute)) {
		t.Errorf("new: %s", got)
	}
	it.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: 10 * time.Minute}
	it.Done = time.Hour
	if got := Latest(it, time.Minute, time.Hour); !got.Equal(hour(10).Add(-2*time.Hour - 29*time.Minute)) {
		t.Errorf("suspended: %s", got)
	}
	it.Running, it.Done = true, 150*time.Minute // beyond what is expected: a slot, or the rest of the booked
	if got := Latest(it, 0, 15*time.Minute); !got.Equal(hour(10).Add(-48 * time.Minute)) {
		t.Errorf("overrun: %s", got)
	}
	it.Done = 5 * time.Hour
	if got := Latest(it, 0, 15*time.Minute); !got.Equal(hour(10).Add(-15 * time.Minute)) {
		t.Errorf("beyond what is booked: %s", got)
	}
}
