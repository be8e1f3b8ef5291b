package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

func rollOf(s Snapshot) *roll {
	r := &roll{}
	s.Now = s.Now.Round(0).UTC()
	r.at(s.Now, s)
	for _, it := range s.Items {
		r.enter(it)
	}
	return r
}

// overfull names the workloads of a snapshot whose site has too little room for
// them, as they are promised.
func overfull(s Snapshot) map[string]bool {
	r := rollOf(s)
	d := &doubt{sites: r.sites}
	out := map[string]bool{}
	for site, rows := range r.rows {
		var claims []claim
		for _, rw := range rows {
			claims = append(claims, rw.claims...)
		}
		for i, room := range has(d.where(site)) {
			if room >= 0 {
				for _, w := range crowd(claims, i, room) {
					out[w] = true
				}
			}
		}
	}
	return out
}

func changedBy(s Snapshot, p Plan) (moves []Placement) {
	old := map[string]*Placement{}
	for _, it := range s.Items {
		old[it.ID] = it.Placement
	}
	for _, pl := range p.Placements {
		if was := old[pl.Workload]; was == nil || !Same(*was, pl) {
			moves = append(moves, pl)
		}
	}
	return moves
}

// Whatever happens while a plan is made, what is carried over keeps every
// promise that was kept before it.
func TestCarryKeeps(t *testing.T) {
	carried, leftOut, whole := 0, 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := randomSnapshot(r)
		for i := range 8 {
			s.Items = append(s.Items, randomItem(r, s, fmt.Sprintf("x%02d", i)))
		}
		s = live(r, s, Compute(s), s.Step*time.Duration(r.IntN(5)))
		moves := changedBy(s, Compute(s))

		// Meanwhile some end, some are offered or begin, and others are admitted.
		now := s
		now.Items, now.Parent = nil, "another"
		for _, it := range s.Items {
			if often(r, 10) {
				continue
			}
			if it.Pinned == "" && it.Placement != nil && often(r, 15) {
				it.Pinned = it.Placement.Site
				if often(r, 50) {
					it.Running, it.RunSince = true, now.Now
				}
			}
			now.Items = append(now.Items, it)
		}
		for i := range r.IntN(4) {
			it := randomItem(r, now, fmt.Sprintf("v%02d", i))
			if p, ok := admitted(now, it); ok {
				n := slices.IndexFunc(p.Placements, func(pl Placement) bool { return pl.Workload == it.ID })
				it.Placement = &p.Placements[n]
				now.Items = append(now.Items, it)
			}
		}
		was := overfull(now)
		p, left := Carry(now, moves)
		if p.Parent != "another" || p.ID != NewID(p) || !p.At.Equal(now.Now) || !slices.IsSortedFunc(p.Placements, func(a, b Placement) int { return cmpText(a.Workload, b.Workload) }) {
			t.Fatalf("seed %d: %+v", seed, p)
		}
		then := now
		then.Items = slices.Clone(now.Items)
		for _, pl := range p.Placements {
			i := slices.IndexFunc(then.Items, func(it Item) bool { return it.ID == pl.Workload })
			if i < 0 {
				t.Fatalf("seed %d: %s has ended and is given a place", seed, pl.Workload)
			}
			it := then.Items[i]
			if h := holder(it); h != "" && h != pl.Site {
				t.Fatalf("seed %d: %s is at %s and would be moved to %s", seed, it.ID, h, pl.Site)
			}
			if late := pl.Reserved.After(it.Shape.When.CompleteBy.Add(-s.Margin)); late {
				st := slices.IndexFunc(now.Sites, func(s Site) bool { return it.Placement != nil && s.ID == it.Placement.Site })
				stuck := it.Placement != nil && it.Pinned == "" && (st < 0 || now.Sites[st].Down || !Allowed(it.Shape.Where, now.Sites[st]))
				if !stuck && rollOf(now).until(it.ID).Before(pl.Reserved) {
					t.Fatalf("seed %d: %s would be late, and would not be where it is", seed, it.ID)
				}
			}
			then.Items[i].Placement = &pl
		}
		for id := range overfull(then) {
			if !was[id] {
				t.Fatalf("seed %d: %s has no room any more", seed, id)
			}
		}
		carried += len(p.Placements)
		if leftOut += len(left); len(left) == 0 && len(moves) > 1 {
			whole++
		}
	}
	t.Logf("%d carried over, %d left, %d as a whole", carried, leftOut, whole)
	if carried < 1000 || leftOut < 200 || whole < 200 {
		t.Error("too little happens in this test")
	}
}

func cmpText(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// With nothing in between, all of a plan is carried over that does not have to
// be done in one go.
func TestCarryRounds(t *testing.T) {
	site := func(id string, cores int64) Site {
		return Site{ID: id, PUE: 1000, Capacity: workload.Resources{CPU: cores * 1000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}}
	}
	s := Snapshot{Now: midnight, Parent: "p", Step: time.Hour, Horizon: 24 * time.Hour, Sites: []Site{site("a", 1), site("b", 1), site("c", 1), site("dead", 1)}}
	s.Sites[3].Down = true
	item := func(id, at string, by float64) Item {
		it := Item{ID: id, Shape: workload.Shape{Duration: workload.Duration{Expected: time.Hour, P95: 50 * time.Minute, Max: 2 * time.Hour},
			Demand: workload.Resources{CPU: 1000}, When: workload.When{CompleteBy: hour(by)}}}
		it.Placement = &Placement{Workload: id, Site: at, Spans: []Span{hours(0, 1)}, Reserved: hour(1)}
		return it
	}
	to := func(it Item, site string, from float64) Placement {
		pl := Placement{Workload: it.ID, Site: site, Spans: []Span{hours(from, from+1)}, Reserved: hour(from + 1), Latest: later(it.Shape.When.CompleteBy.Add(-time.Hour), hour(from)),
			Why: Reasons{Binding: BindingNone, Text: "because", Considered: 1}}
		return pl
	}
	// A chain: 1 can move when 2 has moved, and 2 when 3 has; 0 leaves a dead
	// site, and though it is late it goes before all others.
	zero, one, two, three := item("0", "dead", 0.5), item("1", "a", 24), item("2", "b", 24), item("3", "c", 24)
	s.Items = []Item{zero, one, two, three}
	chain := []Placement{to(zero, "c", 2), to(one, "b", 0), to(two, "c", 0), to(three, "a", 3)}
	if p, left := Carry(s, chain); len(p.Placements) != 4 || len(left) != 0 {
		t.Errorf("of a chain %d are left: %+v", len(left), left)
	}
	// A swap must be done in one go.
	if p, left := Carry(s, []Placement{to(one, "b", 0), to(two, "a", 0)}); len(p.Placements) != 0 || len(left) != 2 {
		t.Errorf("of a swap %d are made", len(p.Placements))
	}
	// Both want c from 2 to 3: what must leave goes first.
	if p, left := Carry(s, []Placement{to(one, "c", 2), to(zero, "c", 2)}); len(left) != 1 || p.Placements[0].Workload != "0" {
		t.Errorf("%+v is made", p.Placements)
	}
	// Late, above its ceiling, at a dead site, or too little for the work: only
	// who had no promise where it was is promised less.
	late := to(one, "c", 2)
	s.Items[1].Shape.When.CompleteBy, late.Latest = hour(1), hour(2)
	if p, _ := Carry(s, []Placement{late, to(two, "dead", 1)}); len(p.Placements) != 0 {
		t.Errorf("%+v is made", p.Placements)
	}
	// Late as it is, it may be late a little less.
	s.Items[1].Placement = &Placement{Workload: "1", Site: "a", Spans: []Span{hours(5, 6)}, Reserved: hour(6)}
	if p, _ := Carry(s, []Placement{late}); len(p.Placements) != 1 {
		t.Error("what is late may not be less late")
	}
	s.Items[1].Shape.When.CompleteBy, s.Items[1].Shape.Objective.CarbonCeiling = hour(24), 1
	if p, _ := Carry(s, []Placement{to(one, "c", 2)}); len(p.Placements) != 0 {
		t.Errorf("%+v is made", p.Placements)
	}
	s.Items[1].Shape.Objective.CarbonCeiling, s.Items[1].Shape.Duration.Expected = 0, 2*time.Hour
	if p, _ := Carry(s, []Placement{to(one, "c", 2)}); len(p.Placements) != 0 {
		t.Errorf("%+v is made", p.Placements)
	}
	// What runs is not said to be left, and what has ended is nothing.
	s.Items[1].Pinned, s.Items[1].Running = "a", true
	if _, left := Carry(s, []Placement{to(one, "c", 2), to(item("ended", "a", 24), "c", 2)}); len(left) != 0 {
		t.Errorf("%+v are left", left)
	}
}

func TestInHands(t *testing.T) {
	sites := []Site{{ID: "a"}, {ID: "b"}}
	sites[0].Capacity.Slots, sites[1].Capacity.Slots = workload.Unlimited, 3
	got := InHands(sites, 10)
	if got[0].Capacity.Slots != 10 || got[1].Capacity.Slots != 3 || sites[0].Capacity.Slots != workload.Unlimited {
		t.Errorf("%+v, of %+v", got, sites)
	}
}

// What Carry costs in its transaction, and beside it Check of a whole plan: all
// move, from a site that has gone.
func BenchmarkCarry(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		s := benchWorld(n, 15*time.Minute, 72*time.Hour, workload.Interruptible{})
		s.Sites = append(s.Sites, Site{ID: "gone", Zone: "Z0", PUE: 1000, Down: true, Capacity: s.Sites[0].Capacity})
		r := rand.New(rand.NewPCG(1, 1))
		var moves []Placement
		for i := range s.Items {
			// Placed by hand: a whole plan for so many takes very long.
			it := &s.Items[i]
			it.Shape.When.CompleteBy = midnight.Add(72 * time.Hour)
			it.Shape.Interruptible = workload.Interruptible{}
			d := &doubt{s: s, now: midnight, sites: map[string]Site{}}
			for _, st := range s.Sites {
				d.sites[st.ID] = st
			}
			owed, beyond := d.owed(*it)
			from := midnight.Add(time.Duration(r.IntN(200)) * 15 * time.Minute)
			pl := Placement{Workload: it.ID, Site: s.Sites[r.IntN(4)].ID, Spans: []Span{{Start: from, End: from.Add(owed)}}, Reserved: from.Add(owed + beyond),
				Latest: later(d.due(*it).Add(-owed-beyond), from), Why: Reasons{Binding: BindingNone, Text: "because", Considered: 1}}
			pl.Energy, pl.Carbon, pl.Grade, pl.Cost, pl.Currency = d.reckon(*it, pl.Site, pl.Spans)
			pl.Why.Signals = []SignalUsed{{Zone: d.where(pl.Site).Zone, Grade: pl.Grade}}
			was := pl
			if was.Site = s.Sites[r.IntN(4)].ID; i%2 == 0 {
				was.Site = "gone"
			}
			it.Placement = &was
			moves = append(moves, pl)
		}
		for _, most := range []int{n / 100, n} {
			made := 0
			b.Run(fmt.Sprintf("%d/moves-%d", n, most), func(b *testing.B) {
				for b.Loop() {
					p, _ := Carry(s, moves[:most])
					made = len(p.Placements)
				}
				b.ReportMetric(float64(made), "moves")
			})
		}
		p := Plan{At: s.Now, Parent: s.Parent, Placements: moves}
		slices.SortFunc(p.Placements, func(a, b Placement) int { return cmpText(a.Workload, b.Workload) })
		p.ID = NewID(p)
		b.Run(fmt.Sprintf("check/%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := Check(s, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
