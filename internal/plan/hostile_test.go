package plan

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// FuzzHostile: nothing in a snapshot, however absurd, makes the planner panic
// or break a promise.
func FuzzHostile(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 8))
		s := promise(randomSnapshot(r))
		it := randomItem(r, s, "new")
		if often(r, 70) {
			spoilItem(r, &it)
		}
		for range 1 + r.IntN(6) {
			spoil(r, &s)
		}
		p := Compute(s)
		var broken *Broken
		if err := Check(s, p); err != nil && !(errors.As(err, &broken) && broken.Promise == KeptOnce) {
			t.Errorf("seed %d: %v", seed, err)
		}
		if p, refused := Admit(s, it); refused == nil {
			if err := Check(with(s, it), p); err != nil && !(errors.As(err, &broken) && broken.Promise == KeptOnce) {
				t.Errorf("seed %d: admitted: %v", seed, err)
			}
		}
		Diff(Plan{Placements: []Placement{{Workload: "new"}}}, p)
	})
}

func spoil(r *rand.Rand, s *Snapshot) {
	n := pick(r, math.MinInt64, -1, 0, 1, math.MaxInt64-1, math.MaxInt64, 1<<46, 1<<53)
	switch r.IntN(13) {
	case 12:
		z := s.Sites[0].Zone
		s.Prices = map[grid.Zone][]grid.Prices{z: {
			{Zone: z, Currency: "EUR", Start: pick(r, time.Time{}, midnight, midnight.AddDate(5000, 0, 0)), Step: time.Duration(n), Values: []grid.Rate{grid.Rate(n), grid.UnknownRate}},
			{Zone: z, Currency: pick(r, "", "EUR"), Start: midnight, Step: time.Hour, Values: []grid.Rate{grid.Rate(n), -grid.MaxRate, grid.MaxRate, grid.Rate(n)}}}}
	case 0:
		s.Step = time.Duration(pick(r, n, int(time.Minute), int(50*time.Hour)))
	case 1:
		s.Horizon = time.Duration(pick(r, math.MinInt64, -1, 0, 1, int(time.Hour)))
	case 2:
		s.Margin = time.Duration(n)
	case 3:
		s.Sites[0].PUE = int64(n)
	case 4:
		s.Sites[0].Capacity = workload.Resources{CPU: int64(n), Memory: int64(n), Power: grid.Power(n), Slots: int64(n)}
	case 5:
		s.Sites = append(s.Sites, s.Sites[0])
	case 6:
		s.Sites[0].Price, s.Sites[0].Currency = grid.Rate(n), "EUR"
	case 7:
		s.Outlook = grid.Outlooks{}
	case 8:
		if len(s.Items) > 0 && r.IntN(4) == 0 {
			s.Items = append(s.Items, s.Items[0])
		}
	default:
		if len(s.Items) > 0 {
			spoilItem(r, &s.Items[r.IntN(len(s.Items))])
		}
	}
}

func spoilItem(r *rand.Rand, it *Item) {
	n := pick(r, math.MinInt64, -1, 0, 1, math.MaxInt64-1, math.MaxInt64, 1<<46, 1<<53)
	d := time.Duration(n)
	far := pick(r, time.Time{}, midnight.AddDate(-4000, 0, 0), midnight.AddDate(5000, 0, 0), midnight)
	switch r.IntN(18) {
	case 16:
		it.Shape.When.Deny = []workload.Span{{Start: far, End: midnight.Add(time.Hour)}, {Start: midnight.Add(4 * time.Hour), End: midnight.Add(2 * time.Hour)}, {Start: midnight, End: midnight.Add(time.Duration(r.IntN(9)) * time.Hour)}, {}}
	case 17:
		it.Shape.When.Deny = []workload.Span{{Start: midnight.Add(2 * time.Hour), End: pick(r, far, midnight.AddDate(7000, 0, 0))}, {Start: midnight.Add(time.Hour), End: midnight.Add(90 * time.Minute)}}
	case 0:
		it.Shape.Duration = workload.Duration{Expected: d, P95: d, Max: d}
	case 1:
		it.Shape.Duration.P95 = d
	case 2:
		it.Shape.Power = grid.Power(n)
	case 3:
		it.Shape.Demand = workload.Resources{CPU: int64(n), Memory: int64(n), Power: grid.Power(n), Slots: int64(n)}
	case 4:
		it.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: d, MinRun: d, MaxSuspensions: n}
	case 5:
		it.Shape.Interruptible = workload.Interruptible{Allowed: true, MaxSuspensions: n}
	case 6:
		it.Shape.When.CompleteBy = far
	case 7:
		it.Shape.When.NotBefore = pick(r, time.Time{}, midnight.AddDate(-4000, 0, 0), midnight.AddDate(40, 0, 0))
	case 8:
		it.Shape.Objective.MinSaving, it.Shape.Objective.CarbonCeiling, it.Shape.Objective.CostCeiling = n, grid.Carbon(n), grid.Money(n)
		it.Shape.Objective.CarbonPrice, it.Shape.Objective.Currency = grid.Money(n), "EUR"
	case 9:
		it.Done = d
	case 10:
		it.Suspensions = n
	case 11:
		it.Running, it.RunSince = true, pick(r, far, midnight.Add(time.Minute), midnight.Add(5*time.Hour))
	case 12:
		it.Pinned = pick(r, "s0", "nowhere")
	case 13:
		it.Placement = &Placement{Workload: it.ID, Site: pick(r, "s0", "s1", "nowhere", "")}
	case 14:
		it.Placement = &Placement{Workload: it.ID, Site: "s0", Spans: []Span{{Start: far, End: midnight}, {Start: midnight, End: far}, {Start: midnight.Add(time.Hour), End: midnight.Add(2 * time.Hour)}}}
	case 15:
		it.Shape.Where.Allow = []string{"*", "**", "", "s*s*s", "*0"}
		it.Shape.Objective.Minimize, it.Shape.Policy.OnNoSignal = "nonsense", "nonsense"
	}
}
