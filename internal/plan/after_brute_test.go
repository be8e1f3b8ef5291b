package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// shapes of small groups: who waits for whom, by number.
var smallGroups = map[string][][]int{
	"chain of two": {{}, {0}}, "chain of three": {{}, {0}, {1}}, "chain of four": {{}, {0}, {1}, {2}},
	"fork": {{}, {0}, {0}}, "join": {{}, {}, {0, 1}}, "diamond": {{}, {0}, {0}, {1, 2}},
}

// smallGroup is a group of a form in a world of one or two small sites, in which
// every start is a slot and nothing pauses: so that all its plans can be tried.
func smallGroup(r *rand.Rand, form [][]int) (Snapshot, []Item) {
	const slots = 10
	s := Snapshot{Now: midnight, Step: time.Hour, Horizon: slots * time.Hour, Outlook: grid.Outlooks{}}
	told := map[grid.Zone][]grid.Series{}
	for i := range 1 + r.IntN(2) {
		z := grid.Zone(fmt.Sprintf("Z%d", i))
		s.Sites = append(s.Sites, Site{ID: fmt.Sprintf("s%d", i), Zone: z, PUE: 1000,
			Capacity: workload.Resources{CPU: int64(1000 * (1 + r.IntN(2))), Memory: workload.Unlimited, Power: workload.Unlimited, Slots: 9}})
		sr := grid.Series{Start: midnight, Step: time.Hour, Provenance: grid.Provenance{Provider: "p", Zone: z, Issued: midnight, Basis: grid.AverageLifecycle, Grade: grid.GradeB}}
		for range slots + 6 {
			sr.Values = append(sr.Values, grid.Intensity(1000*(50+r.IntN(450))))
		}
		told[z] = []grid.Series{sr}
	}
	s.Outlook = grid.BelieveAll(grid.AverageLifecycle, told)
	var items []Item
	by := midnight.Add(time.Duration(5+r.IntN(slots-4)) * time.Hour)
	for i, after := range form {
		d := time.Duration(1+r.IntN(2)) * time.Hour
		it := Item{ID: fmt.Sprintf("m%d", i), Tenant: "t", Shape: workload.Shape{
			Duration: workload.Duration{Expected: d, P95: d * 10 / 11, Max: 2 * d}, // booked: as expected
			Power:    1000 * grid.Watt, Demand: workload.Resources{CPU: 1000, Slots: 1}, When: workload.When{CompleteBy: by},
			Objective: workload.Objective{Minimize: workload.MinimizeCarbon}}}
		for _, p := range after {
			it.Shape.After = append(it.Shape.After, fmt.Sprintf("m%d", p))
		}
		items = append(items, it)
	}
	return s, items
}

// bestOfGroup tries every start of every member at every site.
func bestOfGroup(s Snapshot, items []Item) (least grid.Carbon, found bool) {
	slots := int(s.Horizon / s.Step)
	type place struct{ site, from, to int }
	at := make([]place, len(items))
	used := map[[2]int]int{}
	var try func(i int, sum grid.Carbon)
	try = func(i int, sum grid.Carbon) {
		if found && sum >= least {
			return
		}
		if i == len(items) {
			least, found = sum, true
			return
		}
		it := items[i]
		n := int(it.Shape.Duration.Expected / s.Step)
		first := 0
		for _, id := range it.Shape.After {
			first = max(first, at[id[1]-'0'].to)
		}
		for site, st := range s.Sites {
			room := int(st.Capacity.CPU / 1000)
			for from := first; from < slots && !s.Now.Add(time.Duration(from+n)*s.Step).After(it.Shape.When.CompleteBy); from++ {
				free := true
				for k := from; k < from+n; k++ {
					free = free && used[[2]int{site, k}] < room
				}
				if !free {
					continue
				}
				var c grid.Carbon
				e := grid.Drawn(it.Shape.Power, it.Shape.Duration.Expected)
				mean, _, ok := s.Outlook.Of(st.Zone).Mean(s.Now.Add(time.Duration(from)*s.Step), s.Now.Add(time.Duration(from+n)*s.Step))
				if !ok {
					continue
				}
				c = grid.Emitted(e, mean)
				for k := from; k < from+n; k++ {
					used[[2]int{site, k}]++
				}
				at[i] = place{site, from, from + n}
				try(i+1, sum+c)
				for k := from; k < from+n; k++ {
					used[[2]int{site, k}]--
				}
			}
		}
	}
	try(0, 0)
	return least, found
}

// Against every plan that there is: a group is admitted if it has a place at all,
// chains come out as clean as can be, and what forks and joins nearly so; and no
// bound is above the best plan.
func TestGroupsAgainstEveryPlan(t *testing.T) {
	for name, form := range smallGroups {
		t.Run(name, func(t *testing.T) {
			worlds, missed, exact := 0, 0, 0
			var ours, best grid.Carbon
			for seed := range uint64(60) {
				s, items := smallGroup(rand.New(rand.NewPCG(seed, 5)), form)
				least, feasible := bestOfGroup(s, items)
				p, refused := AdmitAll(s, items)
				if refused != nil {
					if feasible {
						missed++
					}
					if n := refused.NearestCompleteBy; !n.IsZero() {
						later := append([]Item(nil), items...)
						for i := range later {
							later[i].Shape.When.CompleteBy = n
						}
						if _, again := AdmitAll(s, later); again != nil {
							t.Errorf("seed %d: refused with the nearest completeBy %s, and then again: %+v", seed, n, again)
						}
					} else if feasible {
						t.Errorf("seed %d: no nearest completeBy", seed)
					}
					continue
				}
				if !feasible {
					t.Fatalf("seed %d: it has no place, and is admitted: %+v", seed, p.Placements)
				}
				s.Items = items
				if err := Check(s, p); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				c := Compute(s)
				if c.Certificate != nil && c.Certificate.Bound > least {
					t.Errorf("seed %d: the bound is %s, the best plan emits %s", seed, c.Certificate.Bound, least)
				}
				got := total(p)
				if got < least {
					t.Fatalf("seed %d: it emits %s, and the best plan %s", seed, got, least)
				}
				if got == least {
					exact++
				}
				worlds, ours, best = worlds+1, ours+got, best+least
			}
			t.Logf("%d worlds, %d exact, %d not found, %.2f %% above the best", worlds, exact, missed, 100*float64(ours-best)/float64(best))
			if worlds < 15 || missed > 1 {
				t.Errorf("%d admitted, %d were not found", worlds, missed)
			}
			if strings.HasPrefix(name, "chain") && exact < worlds {
				t.Errorf("%d of %d are as clean as can be", exact, worlds)
			}
			if limit := 1.05; float64(ours) > limit*float64(best) {
				t.Errorf("it emits %s, the best plans %s", ours, best)
			}
		})
	}
}
