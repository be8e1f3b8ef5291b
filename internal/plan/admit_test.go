package plan

import (
	"clusy.io/clusy/internal/grid"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

// The nearest completeBy of a refusal is true: with it the item is admitted,
// and with one slot less it is not.
func TestNearestCompleteByIsTrue(t *testing.T) {
	told, helpless := 0, 0
	for seed := range uint64(700) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := promise(randomSnapshot(r))
		it := randomItem(r, s, "x")
		it.Shape.When.CompleteBy = s.Now.Add(time.Duration(r.IntN(8)) * s.Step)
		_, refusal := Admit(s, it)
		if refusal == nil {
			continue
		}
		if len(refusal.Failed) == 0 || refusal.Workload != "x" {
			t.Fatalf("seed %d: refused without a reason: %+v", seed, refusal)
		}
		n := refusal.NearestCompleteBy
		if n.IsZero() {
			helpless++
			it.Shape.When.CompleteBy = s.Now.Add(10 * s.Horizon)
			if _, again := Admit(s, it); again == nil {
				t.Errorf("seed %d: a completeBy far away helps, and none was named", seed)
			}
			continue
		}
		told++
		refused := it.Shape.When.CompleteBy
		it.Shape.When.CompleteBy = n
		p, again := Admit(s, it)
		if again != nil {
			t.Errorf("seed %d: %s is refused too: %+v", seed, n, again)
			continue
		}
		if err := Check(with(s, it), p); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if it.Shape.When.CompleteBy = n.Add(-s.Step); it.Shape.When.CompleteBy.Before(refused) {
			continue
		}
		if _, again := Admit(s, it); again == nil {
			t.Errorf("seed %d: a slot before %s is admitted too", seed, n)
		}
	}
	if told < 100 || helpless < 25 {
		t.Errorf("only %d refusals named a completeBy, %d could not", told, helpless)
	}
}

// A refusal's amounts are computed again from the snapshot.
func TestRefusalAmounts(t *testing.T) {
	s, _ := doubtful(t)
	s.Items = nil
	base := Item{ID: "x", Shape: workload.Shape{Power: 1_000_000, Duration: workload.Duration{Expected: time.Hour, P95: time.Hour}, Demand: workload.Resources{CPU: 1000, Slots: 1},
		When: workload.When{CompleteBy: hour(9)}, Objective: workload.Objective{Currency: "EUR"}}}
	for _, c := range []struct {
		what   string
		change func(*Item)
		failed []Failed // Message is not compared
		none   bool     // no completeBy would help
	}{
		{"window", func(it *Item) { it.Shape.When.CompleteBy = hour(1.5) }, []Failed{{Field: "when.completeBy", Missing: "37 m", Nearest: "2026-01-01T02:07:00Z"}}, false},
		{"resources", func(it *Item) {
			it.Shape.Demand = workload.Resources{CPU: 9500, Memory: 8193, Power: 10_500_000, Slots: 6}
		}, []Failed{
			{Field: "shape.resources.cpus", Missing: "1.5 CPUs", Nearest: "8 CPUs"}, {Field: "shape.resources.memory", Missing: "1 MiB", Nearest: "8192 MiB"},
			{Field: "shape.power", Missing: "500 W", Nearest: "10 kW"}, {Field: "shape.resources", Missing: "2 slots", Nearest: "4 slots"}}, true},
		{"ceilings", func(it *Item) {
			it.Shape.Objective.CarbonCeiling, it.Shape.Objective.CostCeiling, it.Shape.Where.Allow = 100_000, 300_000, []string{"a"}
		}, []Failed{{Field: "objective.carbonCeiling", Missing: "44 g", Nearest: "144 g"}, {Field: "objective.costCeiling", Missing: "0.06 EUR", Nearest: "0.36 EUR"}}, true},
		{"a ceiling within the window", func(it *Item) {
			it.Shape.When.CompleteBy, it.Shape.Objective.CarbonCeiling, it.Shape.Where.Allow = hour(3).Add(7*time.Minute), 200_000, []string{"a"}
		}, []Failed{{Field: "objective.carbonCeiling", Missing: "40 g", Nearest: "240 g"}}, false},
		{"a currency nobody has", func(it *Item) { it.Shape.Objective.CostCeiling, it.Shape.Objective.Currency = 300_000, "SEK" }, []Failed{{Field: "objective.costCeiling", Missing: "a known price"}}, true},
		{"sites that are down", func(it *Item) { it.Shape.Where.Allow = []string{"down"} }, []Failed{{Field: "where.allow", Missing: "1 site that takes work"}}, true},
		{"no site", func(it *Item) { it.Shape.Where.Allow = []string{"x*"} }, []Failed{{Field: "where.allow", Missing: "1 site", Nearest: "a"}}, true},
		{"past the horizon", func(it *Item) { it.Shape.When.NotBefore, it.Shape.When.CompleteBy = hour(40), hour(60) }, []Failed{{Field: "when.notBefore", Missing: "1 d 3 h 30 m", Nearest: "2026-01-01T12:30:00Z"}}, true},
		{"lost", func(it *Item) { it.Running = true }, []Failed{{Field: "where", Missing: "the name of the site"}}, true},
	} {
		it := base
		c.change(&it)
		_, got := Admit(s, it)
		if got == nil {
			t.Errorf("%s: admitted", c.what)
			continue
		}
		for i := range got.Failed {
			if got.Failed[i].Message == "" {
				t.Errorf("%s: no message", c.what)
			}
			got.Failed[i].Message = ""
		}
		if !slices.Equal(got.Failed, c.failed) {
			t.Errorf("%s: %+v\nwant %+v", c.what, got.Failed, c.failed)
		}
		if got.NearestCompleteBy.IsZero() != c.none {
			t.Errorf("%s: nearest completeBy is %s", c.what, got.NearestCompleteBy)
		}
	}
	// Each thing at some site, all of them at none.
	s.Sites[0].Capacity.Memory, s.Sites[1].Capacity.CPU = 10, 10
	it := base
	it.Shape.Demand.Memory = 100
	if _, got := Admit(s, it); got == nil || got.Failed[0].Field != "shape.resources" {
		t.Errorf("split over sites: %+v", got)
	}
	// No intensity at all, and a ceiling.
	s, _ = doubtful(t)
	s.Items, s.Outlook = nil, grid.Outlooks{}
	it = base
	it.Shape.Objective.CarbonCeiling = 1_000_000
	if _, got := Admit(s, it); got == nil || got.Failed[0].Missing != "a known carbon intensity" {
		t.Errorf("a ceiling without a signal: %+v", got)
	}
}

// Admission never touches a promise that can stay where it is, and keeps the
// very reasons that it was promised with.
func TestAdmitLeavesOthers(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		s := promise(randomSnapshot(r))
		it := randomItem(r, s, "x")
		f, x, ok := beside(s, it)
		if !ok || !f.squeeze(x) {
			continue
		}
		p, refusal := Admit(s, it)
		if refusal != nil {
			t.Fatalf("seed %d: there was room: %+v", seed, refusal)
		}
		for _, old := range s.Items {
			pl := find(&p, old.ID)
			if !Same(*pl, *old.Placement) || pl.Why.Text != old.Placement.Why.Text {
				t.Errorf("seed %d: %s was moved", seed, old.ID)
			}
		}
	}
}

// few is a world of up to three rigid items and hardly any room, in which
// every combination of places can be tried.
func few(r *rand.Rand) Snapshot {
	s := randomSnapshot(r)
	s.Horizon = 8 * s.Step
	s.Sites = s.Sites[:min(len(s.Sites), 2)]
	for i := range s.Sites {
		s.Sites[i].Down = false
		s.Sites[i].Capacity.Slots = int64(1 + r.IntN(2))
		s.Sites[i].Capacity.CPU = 4000
	}
	s.Items = nil
	for i := range 1 + r.IntN(3) {
		it := randomItem(r, s, fmt.Sprintf("w%d", i))
		it.Shape.Interruptible = workload.Interruptible{}
		it.Shape.Objective.CarbonCeiling, it.Shape.Objective.CostCeiling = 0, 0
		it.Shape.Demand.CPU = 1000 * int64(1+r.IntN(3))
		it.Shape.Where.Allow = nil
		it.Shape.Duration.Expected = s.Step * time.Duration(1+r.IntN(4))
		it.Shape.Duration.P95 = it.Shape.Duration.Expected
		it.Shape.When = workload.When{CompleteBy: s.Now.Add(s.Step * time.Duration(3+r.IntN(7)))}
		s.Items = append(s.Items, it)
	}
	return s
}

// How often does the planner refuse what some arrangement could place? Never
// for a single item; rarely for three.
func TestFewItemsFeasible(t *testing.T) {
	all, missed := 0, 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 5))
		s := few(r)
		p := Compute(s)
		if !arrange(s, 0, nil) {
			if len(p.Unplaced) == 0 {
				t.Errorf("seed %d: all are placed, and brute force finds no way", seed)
			}
			continue
		}
		all++
		if len(p.Unplaced) > 0 {
			missed++
			if len(s.Items) == 1 {
				t.Errorf("seed %d: a single item is refused, and it has a place", seed)
			}
		}
	}
	t.Logf("of %d worlds in which all items have a place, %d had one refused", all, missed)
	if missed*100 > all {
		t.Errorf("%d of %d feasible worlds are refused in part", missed, all)
	}
}

// arrange reports whether the items from i on have a place beside taken.
func arrange(s Snapshot, i int, taken []Placement) bool {
	if i == len(s.Items) {
		return true
	}
	whole := s
	b := newBrute(whole, s.Items[i], taken)
	for _, st := range s.Sites {
		for k := range b.slots {
			b.offer(st.ID, []Span{{Start: b.at(k), End: b.at(b.slots + 1)}})
		}
	}
	for _, c := range b.found {
		_, beyond := b.d.owed(s.Items[i])
		pl := Placement{Workload: s.Items[i].ID, Site: c.site, Spans: c.spans, Reserved: c.finish.Add(beyond)}
		if arrange(s, i+1, append(slices.Clone(taken), pl)) {
			return true
		}
	}
	return false
}
