package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// withQueues gives a world tenants with queues, and its items a queue.
func withQueues(r *rand.Rand, s Snapshot) Snapshot {
	names := []string{"", "night", "day", "unknown"}
	tenants := []access.Tenant{"a", "b", "c"}
	for _, tenant := range tenants[:1+r.IntN(2)] {
		for _, name := range []string{workload.DefaultQueue, "night", "day"} {
			if often(r, 25) {
				continue
			}
			q := workload.UsualQueue(name)
			q.Tenant, q.Weight, q.Priority = tenant, 1+r.IntN(4), 10*r.IntN(11)
			q.Most = pick(r, 1000, 1000, 500, 250)
			q.Guaranteed = min(pick(r, 0, 0, 100, 300), q.Most)
			q.ReserveAhead = pick(r, 0, s.Step, 3*s.Step, 24*time.Hour)
			s.Queues = append(s.Queues, q)
		}
	}
	for i := range s.Items {
		s.Items[i].Tenant, s.Items[i].Shape.Queue = pick(r, tenants...), pick(r, names...)
		s.Items[i].Shape.Policy.Priority = pick(r, workload.UsualPriority, workload.UsualPriority, 80)
	}
	return s
}

// overCap looks at a world instant by instant, and says which new work is where
// its queue, or the tenant's others, has no room for it.
func overCap(s Snapshot, ps []Placement) string {
	items := map[string]Item{}
	for _, it := range s.Items {
		items[it.ID] = it
	}
	in := func(pl Placement, at time.Time) bool {
		for i, sp := range pl.Spans {
			end := sp.End
			if i == len(pl.Spans)-1 {
				end = later(end, pl.Reserved)
			}
			if !at.Before(later(sp.Start, s.Now)) && at.Before(end) {
				return true
			}
		}
		return false
	}
	var instants []time.Time
	for _, pl := range ps {
		for _, sp := range pl.Spans {
			instants = append(instants, later(sp.Start, s.Now))
		}
	}
	for _, pl := range ps {
		it := items[pl.Workload]
		if promisedBefore(it) {
			continue
		}
		for _, at := range instants {
			if !in(pl, at) {
				continue
			}
			var cap, all float64
			own, use := workload.Queue{Most: 1000}, map[string]float64{}
			for _, st := range s.Sites {
				if !st.Down {
					cap += float64(st.Capacity.CPU)
				}
			}
			for _, o := range ps {
				x := items[o.Workload]
				if x.Tenant != it.Tenant || !in(o, at) {
					continue
				}
				if promisedBefore(x) && (x.Placement == nil || !in(*x.Placement, at)) {
					continue
				}
				use[x.Shape.QueueOf()] += float64(x.Shape.Demand.CPU)
				all += float64(x.Shape.Demand.CPU)
			}
			kept, has := 0.0, false
			for _, q := range s.Queues {
				if q.Tenant != it.Tenant {
					continue
				}
				if q.Name == it.Shape.QueueOf() {
					own, has = q, true
				} else if at.Before(s.Now.Add(q.ReserveAhead)) {
					kept += max(cap*float64(q.Guaranteed)/1000-use[q.Name], 0)
				}
			}
			mine := use[it.Shape.QueueOf()]
			if it.Shape.Demand.CPU == 0 {
				continue
			}
			if has && mine > cap*float64(own.Most)/1000+1e-6 {
				return fmt.Sprintf("%s at %s: queue %s takes %v of %v", it.ID, at, own.Name, mine, cap)
			}
			// Its guarantee shelters it only if that is of everything that it
			// takes: of slots too, which this does not count.
			if has && own.Guaranteed > 0 {
				continue
			}
			if kept > 0 && all+kept > cap+1e-6 {
				return fmt.Sprintf("%s at %s: %v taken and %v kept of %v", it.ID, at, all, kept, cap)
			}
		}
	}
	return ""
}

// TestSharesHoldInRandomWorlds: whoever places what, nothing new is beyond its
// queue's share, and no promise is dropped or late because of a queue.
func TestSharesHoldInRandomWorlds(t *testing.T) {
	t.Parallel()
	beyond, placed := 0, 0
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 77))
		s := withQueues(r, randomSnapshot(r))
		for _, by := range []struct {
			name string
			plan func(Snapshot) Plan
		}{{"Compute", Compute}, {"InTurn", InTurn}} {
			p := by.plan(s)
			if err := Check(s, p); err != nil {
				t.Fatalf("seed %d: %s: %v", seed, by.name, err)
			}
			if why := overCap(s, p.Placements); why != "" {
				t.Fatalf("seed %d: %s: %s", seed, by.name, why)
			}
			bare := s
			bare.Queues = nil
			placed += len(p.Placements)
			beyond += len(by.plan(bare).Placements) - len(p.Placements)
		}
		// Later, with promises and something new; and beside the Book.
		w := World{Now: s.Now, Sites: s.Sites, Queues: s.Queues}
		p := InTurn(s)
		for _, it := range s.Items {
			i, ok := slices.BinarySearchFunc(p.Placements, it.ID, func(pl Placement, id string) int {
				if pl.Workload < id {
					return -1
				} else if pl.Workload > id {
					return 1
				}
				return 0
			})
			if ok && !it.Running && it.Pinned == "" {
				w.Open = append(w.Open, workload.Workload{ID: it.ID, Tenant: it.Tenant, State: workload.Planned, Shape: it.Shape})
				w.Placements = append(w.Placements, p.Placements[i])
			}
		}
		rules := Rules{Step: s.Step, Horizon: s.Horizon, Margin: s.Margin}
		b := NewBook(w, rules)
		var fresh []Item
		for i := range 3 {
			it := randomItem(r, s, fmt.Sprintf("x%02d", i))
			it.Pinned, it.Running, it.Placement = "", false, nil
			it.Tenant, it.Shape.Queue = pick(r, access.Tenant("a"), "b"), pick(r, "", "night", "day")
			if pl, ok := b.Admit(it); ok {
				if err := b.Check([]Item{it}, "", b.Addition("", []Placement{pl})); err != nil {
					t.Fatalf("seed %d: the Book and its doubt do not agree: %v", seed, err)
				}
				b.Put(workload.Workload{ID: it.ID, Tenant: it.Tenant, State: workload.Planned, Shape: it.Shape}, nil, &pl)
			}
			fresh = append(fresh, it)
		}
		next := Observe(w, rules)
		next.Outlook, next.Prices = s.Outlook, s.Prices
		next.Items = append(next.Items, fresh...)
		q := Compute(next)
		if err := Check(next, q); err != nil {
			t.Fatalf("seed %d: the second plan: %v", seed, err)
		}
		if why := overCap(next, q.Placements); why != "" {
			t.Fatalf("seed %d: the second plan: %s", seed, why)
		}
	}
	if beyond < 100 || placed < 500 {
		t.Errorf("queues kept %d out of %d that had a place: too few to say anything", beyond, placed)
	}
}

// queueOf returns a queue of the tenant t.
func queueOf(name string, guaranteed, most int, ahead time.Duration) workload.Queue {
	q := workload.UsualQueue(name)
	q.Tenant, q.Guaranteed, q.Most, q.ReserveAhead = "t", guaranteed, most, ahead
	return q
}

// What the queues allow, Check lets pass: each of these is at the edge.
func TestCheckLetsSharesPass(t *testing.T) {
	for what, queues := range map[string][]workload.Queue{
		"no queue of its own":        {queueOf("night", 0, 1, 0)},
		"just as much as it may":     {queueOf("default", 0, 1000, 0)},
		"kept only until now":        {queueOf("night", 850, 1000, 0)},
		"another tenant's guarantee": {{Tenant: "u", Name: "night", Weight: 1, Guaranteed: 1000, Most: 1000, ReserveAhead: 24 * time.Hour}},
		"its own guarantee":          {queueOf("default", 700, 1000, time.Hour), queueOf("night", 300, 1000, 24*time.Hour)},
	} {
		s, p := doubtful(t)
		s.Queues = queues
		if err := Check(s, p); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestFairTurns: among new work priority goes first; then the queue that has
// least of its share by weight; then who has least slack.
func TestFairTurns(t *testing.T) {
	s := Snapshot{Now: midnight, Step: time.Hour, Horizon: 24 * time.Hour,
		Sites: []Site{{ID: "a", Zone: "DE-LU", PUE: 1000, Capacity: workload.Resources{CPU: 1000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: 10}}}}
	add := func(id, queue string, priority int, by time.Duration) {
		s.Items = append(s.Items, Item{ID: id, Tenant: "t", Shape: workload.Shape{Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour},
			Demand: workload.Resources{CPU: 1000, Slots: 1}, When: workload.When{CompleteBy: s.Now.Add(by)}, Queue: queue, Policy: workload.Policy{Priority: priority}}})
	}
	add("n1", "night", 50, 20*time.Hour)
	add("n2", "night", 50, 19*time.Hour)
	add("n3", "night", 50, 18*time.Hour)
	add("n4", "night", 50, 17*time.Hour)
	add("d1", "", 50, 5*time.Hour)
	add("d2", "", 50, 6*time.Hour)
	add("up", "", 60, 23*time.Hour)
	night := queueOf("night", 0, 1000, 0)
	order := func() (ids []string) {
		f := newFrame(s)
		for _, t := range f.byTurn(slices.Clone(f.tasks)) {
			ids = append(ids, t.ID)
		}
		return ids
	}
	if got, want := order(), []string{"up", "d1", "d2", "n4", "n3", "n2", "n1"}; !slices.Equal(got, want) {
		t.Errorf("without queues: %v, want %v", got, want)
	}
	night.Weight = 2
	s.Queues = []workload.Queue{night}
	if got, want := order(), []string{"up", "n4", "n3", "d1", "n2", "n1", "d2"}; !slices.Equal(got, want) {
		t.Errorf("a queue of twice the weight: %v, want %v", got, want)
	}
	night.Priority = 70
	s.Queues = []workload.Queue{night}
	if got, want := order(), []string{"n4", "n3", "n2", "n1", "up", "d1", "d2"}; !slices.Equal(got, want) {
		t.Errorf("a queue of a higher priority: %v, want %v", got, want)
	}
	u := Uses(s, "t")
	if u["night"].Waiting != 4 || u["default"].Waiting != 3 || u["night"].Share != 0 {
		t.Errorf("uses: %+v", u)
	}
	s.Items[0].Placement = &Placement{Workload: "n1", Site: "a", Spans: []Span{{Start: s.Now, End: s.Now.Add(time.Hour)}}, Reserved: s.Now.Add(6 * time.Hour)}
	if got := Uses(s, "t")["night"].Share; got != 0.25 {
		t.Errorf("six hours of a day are %v", got)
	}
}

// TestRefusalNamesTheQueue: what a queue keeps from a place is said of the queue.
func TestRefusalNamesTheQueue(t *testing.T) {
	s := Snapshot{Now: midnight, Step: time.Hour, Horizon: 24 * time.Hour, Queues: []workload.Queue{queueOf("night", 0, 500, 0), queueOf("day", 600, 1000, 24*time.Hour)},
		Sites: []Site{{ID: "a", Zone: "DE-LU", PUE: 1000, Capacity: workload.Resources{CPU: 4000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: 10}}}}
	it := func(queue string, cpu int64) Item {
		return Item{ID: "x", Tenant: "t", Shape: workload.Shape{Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour},
			Demand: workload.Resources{CPU: cpu, Slots: 1}, When: workload.When{CompleteBy: s.Now.Add(5 * time.Hour)}, Queue: queue}}
	}
	for _, c := range []struct {
		it           Item
		field, about string
	}{
		{it("night", 3000), "queue", "Queue night may take 50 % of all sites at most, which is 2 CPUs, and this needs 3 CPUs"},
		{it("night", 1800), "when.completeBy", "Queue night takes all that it may until then"},
		{it("", 1800), "when.completeBy", "kept for your other queues"},
	} {
		_, r := Admit(s, c.it)
		if r == nil || len(r.Failed) != 1 || r.Failed[0].Field != c.field || !strings.Contains(r.Failed[0].Message, c.about) {
			t.Errorf("%s %d: %+v", c.it.Shape.Queue, c.it.Shape.Demand.CPU, r)
		}
	}
	if _, r := Admit(s, it("night", 1600)); r != nil {
		t.Errorf("what is left is not given: %+v", r)
	}
	if _, r := Admit(s, it("day", 4000)); r != nil {
		t.Errorf("its own guarantee is kept from it: %+v", r)
	}
}

// TestNothingMovesIntoWhatIsClosed: however much cleaner a time is in which no
// budget has room, a promise stays out of it, and new work is not placed there.
func TestNothingMovesIntoWhatIsClosed(t *testing.T) {
	sr := grid.Series{Start: midnight, Step: time.Hour, Provenance: grid.Provenance{Provider: "p", Zone: "DE-LU", Issued: midnight, Basis: grid.AverageLifecycle, Grade: grid.GradeB}}
	for h := range 24 {
		sr.Values = append(sr.Values, grid.Intensity(400_000-h*15_000))
	}
	s := Snapshot{Now: midnight, Step: time.Hour, Horizon: 24 * time.Hour, Outlook: grid.BelieveAll(grid.AverageLifecycle, map[grid.Zone][]grid.Series{"DE-LU": {sr}}),
		Sites: []Site{{ID: "a", Zone: "DE-LU", PUE: 1000, Capacity: workload.Resources{CPU: 4000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: 10}}}}
	item := func(id string) Item {
		return Item{ID: id, Shape: workload.Shape{Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour}, Power: grid.Watt * 500,
			Demand: workload.Resources{CPU: 1000, Slots: 1}, When: workload.When{CompleteBy: midnight.Add(20 * time.Hour)}},
			Closed: []workload.Span{{Start: midnight.Add(6 * time.Hour), End: midnight.Add(30 * time.Hour)}}}
	}
	old, fresh := item("old"), item("new")
	old.Placement = &Placement{Workload: "old", Site: "a", Spans: []Span{{Start: midnight.Add(2 * time.Hour), End: midnight.Add(3 * time.Hour)}}, Reserved: midnight.Add(3*time.Hour + 6*time.Minute)}
	s.Items = []Item{old, fresh}
	p := Compute(s)
	if err := Check(s, p); err != nil {
		t.Fatal(err)
	}
	for _, pl := range p.Placements {
		if pl.Reserved.After(midnight.Add(6 * time.Hour)) {
			t.Errorf("%s is put at %s, where no budget has room", pl.Workload, pl.Start())
		}
	}
	if len(p.Placements) != 2 {
		t.Errorf("the plan has %d placements", len(p.Placements))
	}
}
