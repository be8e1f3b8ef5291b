package plan

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

func gpus(kind string, n int64) [workload.MostGPUs]workload.GPU {
	return workload.Cards(workload.GPU{Type: kind, Count: n})
}

// equip gives some sites accelerators.
func equip(r *rand.Rand, s *Snapshot) {
	for i := range s.Sites {
		if often(r, 70) {
			s.Sites[i].Capacity.GPUs = workload.Cards(workload.GPU{Type: pick(r, "a100", "h100"), Count: int64(r.IntN(5))}, workload.GPU{Type: "l4", Count: int64(r.IntN(9))})
		}
	}
}

// wants gives an item accelerators and alternatives now and then.
func wants(r *rand.Rand, it Item) Item {
	sh := &it.Shape
	if often(r, 40) {
		sh.Demand.GPUs = gpus(pick(r, "a100", "h100", "l4"), int64(1+r.IntN(3)))
	}
	if often(r, 40) {
		return it
	}
	for range 1 + r.IntN(3) {
		w := workload.Way{Duration: sh.Duration, Power: grid.Power(r.IntN(3000)) * grid.Watt, Demand: sh.Demand}
		share := time.Duration(2 + r.IntN(14))
		w.Duration.Expected, w.Duration.P95 = max(w.Duration.Expected*share/10, time.Second), max(w.Duration.P95*share/10, time.Second)
		w.Demand.CPU, w.Demand.GPUs = 500*int64(r.IntN(6)), [workload.MostGPUs]workload.GPU{}
		if often(r, 60) {
			w.Demand.GPUs = gpus(pick(r, "a100", "h100", "l4"), int64(1+r.IntN(3)))
		}
		sh.Ways = append(sh.Ways, w)
	}
	return it
}

// lies gives an item data that lies at one place.
func lies(r *rand.Rand, it Item) Item {
	it.Shape.Data = workload.Data{Home: pick(r, "s0", "s1", "DE-LU", "FR", "elsewhere"), MiB: int64(1 + r.IntN(300_000)), Mbit: pick(r, int64(0), 300, 10_000)}
	return it
}

// Work with alternatives is placed exactly too: what is chosen is as good as the
// best of all patterns on any of its kinds of hardware.
func TestWaysAreExact(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(2500) {
		r := rand.New(rand.NewPCG(seed, 31))
		s, it := smallWorld(r)
		if len(s.Sites) < 2 || !it.Shape.Interruptible.Allowed && it.Running {
			continue
		}
		equip(r, &s)
		for i := range s.Items {
			if often(r, 50) {
				s.Items[i].Shape.Demand.GPUs = gpus(pick(r, "a100", "h100", "l4"), int64(1+r.IntN(3)))
			}
		}
		it = wants(r, it)
		if often(r, 40) {
			it = lies(r, it)
			it.Shape.Interruptible = workload.Interruptible{} // pauses do not look at what is brought
			if it.Running {
				continue
			}
		}
		if it.Pinned != "" {
			it.Placement = &Placement{Workload: it.ID, Site: it.Pinned, Way: r.IntN(len(it.Shape.Ways) + 1)}
			if it.Running {
				kinds["runs"]++
			}
		}
		whole := with(s, it)
		f := newFrame(whole)
		var others []Placement
		var x *task
		for _, tk := range f.tasks {
			if tk.ID == "x" {
				x = tk
				continue
			}
			from := time.Duration(r.IntN(60*6)) * s.Step / 60
			f.put(tk, f.measure(tk, tk.hold, []stretch{{from, from + tk.left}}), BindingNone)
			others = append(others, f.placement(tk))
		}
		best, _ := f.choose(x, x.sites, waiver{})
		var b *brute
		way := 0
		for w := 0; w <= len(it.Shape.Ways); w++ {
			kind, open := going(it, w)
			if !open {
				continue
			}
			one := newBrute(whole, kind, others).run()
			if b == nil {
				b = one
				continue
			}
			b.found = append(b.found, one.found...)
		}
		if (best != nil) != (len(b.found) > 0) {
			t.Fatalf("seed %d: placed is %v, and there are %d ways: %+v", seed, best != nil, len(b.found), it)
		}
		if best == nil {
			kinds["infeasible"]++
			continue
		}
		way = best.way
		x.at = *best
		pl := f.placement(x)
		kinds[compareBest(t, seed, f, x, pl, b)]++
		if way > 0 {
			kinds["another way"]++
		}
		if _, away := f.on(x, way).haul(f.places[best.site]); away {
			kinds["brought"]++
			if pl.Spans[0].Start.Sub(s.Now) > it.Shape.Data.TransferTime() {
				kinds["brought, later"]++
			}
		}
		if f.on(x, way).gpu.Count > 0 {
			kinds["accelerators"]++
		}
	}
	for _, k := range []string{"infeasible", "carbon", "carbon paused", "cost", "time", "unknown", "sum", "another way", "accelerators", "runs", "brought", "brought, later"} {
		if kinds[k] < 20 {
			t.Errorf("only %d worlds of kind %q: %v", kinds[k], k, kinds)
		}
	}
}

// Whatever becomes of a world with several kinds of hardware, its plans keep
// their promises; and what has begun on one goes on on it.
func TestHardwareKeepsPromises(t *testing.T) {
	stayed, other := 0, 0
	for seed := range uint64(250) {
		r := rand.New(rand.NewPCG(seed, 32))
		s := randomSnapshot(r)
		equip(r, &s)
		for i := range s.Items {
			s.Items[i] = wants(r, s.Items[i])
			if often(r, 30) {
				s.Items[i] = lies(r, s.Items[i])
			}
		}
		p := Compute(s)
		for i := range 5 {
			if err := Check(s, p); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			s = live(r, s, p, time.Duration(r.IntN(150))*s.Step/60)
			if often(r, 10) {
				equip(r, &s)
			}
			it := wants(r, randomItem(r, s, fmt.Sprintf("x%02d", i)))
			if often(r, 40) {
				it = lies(r, it)
			}
			next, refusal := Admit(s, it)
			if refusal != nil {
				next = Compute(s)
			} else {
				s.Items = append(s.Items, it)
			}
			p = next
			if err := kept(s, p); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			for _, x := range s.Items {
				if x.Pinned == "" || x.Placement == nil {
					continue
				}
				for _, pl := range p.Placements {
					if pl.Workload == x.ID && pl.Way != x.Placement.Way {
						t.Fatalf("seed %d, step %d: %s has its start right for way %d, and is planned on %d", seed, i, x.ID, x.Placement.Way, pl.Way)
					}
				}
				if stayed++; x.Placement.Way > 0 {
					other++
				}
			}
		}
	}
	if stayed < 200 || other < 50 {
		t.Errorf("%d had a start right, %d of them on another way than the first", stayed, other)
	}
}

// The Book admits beside accelerators that are taken, and forgets none.
func TestBookCountsHardware(t *testing.T) {
	admitted := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 33))
		s := randomSnapshot(r)
		s.Items = nil
		equip(r, &s)
		w := World{Now: wholeSecond(s.Now), Sites: s.Sites, Prices: s.Prices}
		w.Forecasts = map[grid.Zone][]grid.Series{}
		for _, z := range s.Outlook.Zones() {
			w.Forecasts[z] = s.Outlook.Of(z).Series()
		}
		b := NewBook(w, Rules{Step: s.Step, Horizon: s.Horizon, Margin: s.Margin})
		at := s
		at.Now = b.Now()
		for i := range 14 {
			it := wants(r, randomItem(r, s, fmt.Sprintf("w%02d", i)))
			if often(r, 70) {
				it.Shape.When.CompleteBy = s.Now.Add(s.Horizon)
			}
			pl, ok := b.Admit(it)
			if !ok {
				continue
			}
			admitted++
			if err := b.Check([]Item{it}, "", b.Addition("", []Placement{pl})); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			b.Put(workload.Workload{ID: it.ID, Tenant: it.Tenant, Shape: it.Shape, State: workload.Planned}, nil, &pl)
			it.Placement = &pl
			at.Items = append(at.Items, it)
		}
		// All of them together are what a plan of the whole finds lawful.
		at.Outlook, at.Prices = b.frame.snap.Outlook, b.frame.snap.Prices
		all := Plan{At: at.Now, Placements: []Placement{}, Unplaced: []Refusal{}}
		for _, it := range at.Items {
			all.Placements = append(all.Placements, *it.Placement)
		}
		all.ID = NewID(all)
		if err := Check(at, all); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, it := range at.Items {
			b.Drop(it.ID)
		}
		for _, p := range b.frame.places {
			if len(p.load.parts) > 0 || p.load.cards != nil && len(p.load.cards.parts) > 0 {
				t.Fatalf("seed %d: something is left at %s", seed, p.ID)
			}
		}
	}
	if admitted < 200 {
		t.Errorf("only %d admitted", admitted)
	}
}

// No plan of a tiny world emits less than its certificate says, whatever way
// each of its items goes; and accelerators that are scarce have a price.
func TestBoundOverWays(t *testing.T) {
	priced, tried, tight := 0, 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 34))
		s := tinyCrowd(r)
		for i := range s.Sites {
			s.Sites[i].Capacity.CPU = 8000
			s.Sites[i].Capacity.GPUs = workload.Cards(workload.GPU{Type: "a100", Count: 1}, workload.GPU{Type: "h100", Count: int64(r.IntN(2))})
		}
		for i := range s.Items {
			sh := &s.Items[i].Shape
			sh.Demand.GPUs = gpus("a100", 1)
			sh.Interruptible.Allowed = false
			if often(r, 30) {
				sh.Data = workload.Data{Home: pick(r, "s0", "s1"), MiB: int64(1 + r.IntN(3_000)), Mbit: 10_000}
			}
			if often(r, 60) {
				d := workload.Duration{Expected: time.Duration(1+r.IntN(2)) * time.Hour}
				sh.Ways = []workload.Way{{Duration: d, Power: grid.Power(100+r.IntN(900)) * grid.Watt, Demand: workload.Resources{CPU: 500, Slots: 1, GPUs: gpus(pick(r, "a100", "h100"), 1)}}}
			}
		}
		p := Compute(s)
		if err := Check(s, p); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(p.Unplaced) > 0 {
			continue
		}
		least := bestOverWays(s)
		if p.Certificate == nil || p.Certificate.Items != len(s.Items) {
			t.Fatalf("seed %d: %+v", seed, p.Certificate)
		}
		tried++
		if p.Certificate.Bound > least+grid.Carbon(4*len(s.Items)) {
			t.Errorf("seed %d: no plan is said to emit less than %d mg, and one emits %d mg", seed, p.Certificate.Bound, least)
		}
		if p.Certificate.Carbon <= least+least/100 {
			tight++
		}
		for _, pr := range p.Certificate.Prices {
			if strings.HasPrefix(string(pr.Thing), "gpu:") {
				priced++
				break
			}
		}
	}
	if tried < 100 || priced < 30 || tight < tried*9/10 {
		t.Errorf("%d worlds, in %d accelerators have a price, in %d the plan is within 1 %% of the best", tried, priced, tight)
	}
}

// bestOverWays tries every combination of the ways to run each item.
func bestOverWays(s Snapshot) grid.Carbon {
	type option struct {
		candidateOf
		kind Item
	}
	var options [][]option
	for _, it := range s.Items {
		var of []option
		for kind := range kinds(it) {
			for _, c := range newBrute(s, kind, nil).run().found {
				of = append(of, option{c, kind})
			}
		}
		options = append(options, of)
	}
	site := map[string]Site{}
	for _, st := range s.Sites {
		site[st.ID] = st
	}
	least := grid.Carbon(math.MaxInt64)
	chosen := make([]option, len(options))
	var try func(i int, sum grid.Carbon)
	try = func(i int, sum grid.Carbon) {
		if sum >= least {
			return
		}
		if i == len(options) {
			taken := map[string][]claim{}
			for _, c := range chosen {
				for _, sp := range c.spans {
					taken[c.site] = append(taken[c.site], claim{c.kind.ID, sp.Start, sp.End, needs(c.kind, site[c.site])})
				}
			}
			for id, claims := range taken {
				for r, room := range has(site[id]) {
					if room >= 0 && len(crowd(claims, r, room)) > 0 {
						return
					}
				}
			}
			least = sum
			return
		}
		for _, c := range options[i] {
			chosen[i] = c
			try(i+1, sum+c.carbon)
		}
	}
	try(0, 0)
	return least
}

// A plan that says one thing wrong of the hardware is found out.
func TestHardwareIsDoubted(t *testing.T) {
	world := func() (Snapshot, Plan) {
		r := rand.New(rand.NewPCG(1, 35))
		s := tinyCrowd(r)
		s.Items = s.Items[:1]
		s.Sites[0].Capacity.GPUs = gpus("a100", 2)
		sh := &s.Items[0].Shape
		sh.Interruptible.Allowed = false
		sh.Duration, sh.Power, sh.Demand.GPUs = workload.Duration{Expected: time.Hour, P95: time.Hour}, 900*grid.Watt, gpus("a100", 2)
		sh.Ways = []workload.Way{{Duration: workload.Duration{Expected: 2 * time.Hour, P95: 2 * time.Hour}, Power: 100 * grid.Watt, Demand: workload.Resources{CPU: 500, Slots: 1, GPUs: gpus("a100", 1)}}}
		sh.When.CompleteBy = midnight.Add(6 * time.Hour)
		return s, Compute(s)
	}
	if s, p := world(); Check(s, p) != nil || len(p.Placements) != 1 || p.Placements[0].Way != 1 {
		t.Fatalf("%v %+v", Check(s, p), p.Placements)
	}
	pin := func(s *Snapshot, way int) {
		s.Items[0].Pinned = s.Sites[0].ID
		s.Items[0].Placement = &Placement{Workload: s.Items[0].ID, Site: s.Sites[0].ID, Way: way}
	}
	for name, c := range map[string]struct {
		kept   Kept
		change func(s *Snapshot, p *Plan)
	}{
		"data that has not come": {KeptData, func(s *Snapshot, _ *Plan) {
			s.Items[0].Shape.Data = workload.Data{Home: "elsewhere", MiB: 8 << 20}
		}},
		"data that nobody brings": {KeptFigures, func(s *Snapshot, p *Plan) {
			s.Items[0].Shape.Data = workload.Data{Home: "elsewhere", MiB: 1, Mbit: 10_000}
			s.Items[0].Placement = &Placement{Workload: s.Items[0].ID, Site: s.Sites[0].ID, Way: 1, Spans: p.Placements[0].Spans}
		}},
		"a way that there is not":      {KeptWay, func(_ *Snapshot, p *Plan) { p.Placements[0].Way = 2 }},
		"a way before the first":       {KeptWay, func(_ *Snapshot, p *Plan) { p.Placements[0].Way = -1 }},
		"another way than it has":      {KeptWay, func(s *Snapshot, p *Plan) { pin(s, 0) }},
		"the work of another way":      {KeptWork, func(_ *Snapshot, p *Plan) { p.Placements[0].Way = 0 }},
		"the power of another way":     {KeptFigures, func(s *Snapshot, _ *Plan) { s.Items[0].Shape.Ways[0].Power *= 2 }},
		"fewer accelerators than that": {KeptCapacity, func(s *Snapshot, _ *Plan) { s.Sites[0].Capacity.GPUs = gpus("a100", 0) }},
		"accelerators of another type": {KeptCapacity, func(s *Snapshot, _ *Plan) { s.Sites[0].Capacity.GPUs = gpus("h100", 8) }},
		"the type of another way":      {KeptCapacity, func(s *Snapshot, _ *Plan) { s.Items[0].Shape.Ways[0].Demand.GPUs = gpus("h100", 1) }},
	} {
		s, p := world()
		p.Certificate = nil
		c.change(&s, &p)
		p.ID = NewID(p)
		var broken *Broken
		if err := Check(s, p); !errors.As(err, &broken) || broken.Promise != c.kept {
			t.Errorf("%s: Check says %v", name, err)
		}
	}
}

// Absurd hardware neither breaks the planner nor a promise.
func TestAbsurdHardware(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 36))
		s := promise(randomSnapshot(r))
		equip(r, &s)
		n := func() int64 {
			return pick[int64](r, math.MinInt64, -1, 0, 1, math.MaxInt64-1, math.MaxInt64, 1<<46, 1<<53)
		}
		odd := func() (gs [workload.MostGPUs]workload.GPU) {
			for i := range gs {
				gs[i] = workload.GPU{Type: pick(r, "", "a100", "a100", "l4", "no such"), Count: n()}
			}
			return gs
		}
		for i := range s.Items {
			it := &s.Items[i]
			*it = wants(r, *it)
			if often(r, 30) {
				it.Shape.Data = workload.Data{Home: pick(r, "", "s0", "x"), MiB: n(), Mbit: n()}
			}
			if often(r, 50) {
				it.Shape.Demand.GPUs = odd()
			}
			for k := range it.Shape.Ways {
				w := &it.Shape.Ways[k]
				switch r.IntN(4) {
				case 0:
					w.Duration.Expected = time.Duration(n())
				case 1:
					w.Power = grid.Power(n())
				case 2:
					w.Demand.GPUs = odd()
				case 3:
					w.Duration.P95 = time.Duration(n())
				}
			}
			if it.Placement != nil && often(r, 50) {
				it.Placement.Way = int(pick(r, -1, 0, 1, 2, 3, math.MaxInt))
			}
		}
		if often(r, 50) {
			s.Sites[0].Capacity.GPUs = odd()
		}
		if err := Check(s, Compute(s)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// Who is refused for want of accelerators is told what there is.
func TestRefusedForCards(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 37))
	s := tinyCrowd(r)
	s.Items = s.Items[:1]
	s.Sites[0].Capacity.GPUs = workload.Cards(workload.GPU{Type: "h100", Count: 4}, workload.GPU{Type: "a100", Count: 2})
	for want, demand := range map[string][workload.MostGPUs]workload.GPU{
		"None of its sites has accelerators of type l4: there are at most 2 a100, 4 h100 at one site.": gpus("l4", 1),
		"It needs 3 accelerators of type a100, and the largest of its sites has 2.":                    gpus("a100", 3),
	} {
		s.Items[0].Shape.Demand.GPUs = demand
		p := Compute(s)
		if len(p.Unplaced) != 1 || p.Unplaced[0].Failed[0].Field != "shape.resources.gpus" || p.Unplaced[0].Failed[0].Message != want || !p.Unplaced[0].NearestCompleteBy.IsZero() {
			t.Errorf("%+v\nwant %s", p.Unplaced, want)
		}
	}
	s.Sites[0].Capacity.GPUs = workload.Cards()
	if p := Compute(s); len(p.Unplaced) != 1 || !strings.Contains(p.Unplaced[0].Failed[0].Message, "none of them has any") {
		t.Errorf("%+v", p.Unplaced)
	}
}
