package plan

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// scarce is a world whose clean hours are too few for all.
func scarce(n int, cpu int64) Snapshot {
	s := benchWorld(n, 15*time.Minute, 72*time.Hour, workload.Interruptible{})
	for i := range s.Sites {
		s.Sites[i].Capacity.CPU = int64(n) * cpu
	}
	return s
}

func total(p Plan) (c grid.Carbon) {
	for _, pl := range p.Placements {
		c += pl.Carbon
	}
	return c
}

// Where clean hours are scarce, prices give them to those that gain most.
func TestPricesSave(t *testing.T) {
	for _, c := range []struct {
		items  int
		cpu    int64
		saves  float64 // thousandths of what is emitted in turn, at least
		within float64 // of the bound, thousandths
	}{{100, 200, 10, 60}, {300, 200, 25, 40}, {200, 400, 8, 20}} {
		s := scarce(c.items, c.cpu)
		p, before := Compute(s), InTurn(s)
		if err := Check(s, p); err != nil {
			t.Fatal(err)
		}
		if len(p.Unplaced) > 0 {
			t.Errorf("%d items at %d: %d have no place", c.items, c.cpu, len(p.Unplaced))
		}
		if got := 1000 * float64(total(before)-total(p)) / float64(total(before)); got < c.saves {
			t.Errorf("%d items at %d: prices save %.1f ‰ of %s, want %.0f", c.items, c.cpu, got, total(before), c.saves)
		}
		gap, known := p.Certificate.Gap()
		if !known || 1000*gap > c.within {
			t.Errorf("%d items at %d: the gap is %.1f ‰, want %.0f", c.items, c.cpu, 1000*gap, c.within)
		}
	}
}

// A plan that is made again a while later moves nothing that has a place.
func TestPricesDoNotFlap(t *testing.T) {
	s := promise(scarce(100, 250))
	for range 4 {
		s.Now = s.Now.Add(7 * time.Minute)
		var late []Item
		for _, it := range s.Items { // what should have begun is left out
			if it.Placement.Start().After(s.Now) {
				late = append(late, it)
			}
		}
		s.Items = late
		p := Compute(s)
		moved, was, need := 0, grid.Carbon(0), grid.Carbon(0)
		for _, pl := range p.Placements {
			i := slices.IndexFunc(s.Items, func(it Item) bool { return it.ID == pl.Workload })
			was += s.Items[i].Placement.Carbon
			if !Same(*s.Items[i].Placement, pl) {
				moved++
				need += max(grid.Gram, s.Items[i].Placement.Carbon/50)
			}
		}
		if gain := was - total(p); gain < need {
			t.Errorf("%d of %d items moved for %s of %s", moved, len(p.Placements), gain, was)
		}
		if moved > len(p.Placements)/10 {
			t.Errorf("%d of %d items moved, and nothing has changed", moved, len(p.Placements))
		}
		s = promise(s)
	}
}

// Any prices at all give a bound that no plan is below.
func TestAnyPricesBound(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		s := randomSnapshot(r)
		var prices []Price
		for _, st := range s.Sites {
			for _, thing := range []Thing{"cpu", "slots"} {
				if often(r, 50) {
					p := Price{Site: st.ID, Thing: thing}
					for range 1 + r.IntN(12) {
						p.PerSlot = append(p.PerSlot, pick(r, 0, r.Float64(), 1000*r.Float64()))
					}
					prices = append(prices, p)
				}
			}
		}
		for _, p := range []Plan{Compute(s), InTurn(s)} {
			c, err := Certify(s, p, s.Step, prices)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if c.Bound > c.Carbon {
				t.Errorf("seed %d: a plan emits %d mg, and the bound is %d mg", seed, c.Carbon, c.Bound)
			}
			p.Certificate = &c
			p.ID = NewID(p)
			if err := Check(s, p); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
}

// The bound is below the best of all plans for two or three items, and Compute
// comes near to that.
func TestBoundAgainstEveryPlan(t *testing.T) {
	worse, tried := 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 9))
		s := tinyCrowd(r)
		p := Compute(s)
		if err := Check(s, p); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		best, ok := bestOfAll(s)
		if !ok || len(p.Unplaced) > 0 {
			if ok {
				t.Errorf("seed %d: all could be placed, and %d have no place", seed, len(p.Unplaced))
			}
			continue
		}
		tried++
		if p.Certificate.Bound > best {
			t.Errorf("seed %d: a plan emits %d mg, and the bound is %d mg", seed, best, p.Certificate.Bound)
		}
		if got := total(p); got < best {
			t.Errorf("seed %d: it emits %d mg, and the best of all is %d mg", seed, got, best)
		} else if got > best {
			worse++
		}
	}
	if tried < 200 || worse > tried/20 {
		t.Errorf("of %d worlds %d could have been planned better", tried, worse)
	}
}

// tinyCrowd has two or three items and one or two sites with room for one at a time.
func tinyCrowd(r *rand.Rand) Snapshot {
	s := Snapshot{Now: midnight, Step: time.Hour, Horizon: 6 * time.Hour}
	for i := range 1 + r.IntN(2) {
		z := zones[i]
		s.Sites = append(s.Sites, Site{ID: fmt.Sprintf("s%d", i), Zone: z, PUE: 1000,
			Capacity: workload.Resources{CPU: 1000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}})
		sr := grid.Series{Start: midnight, Step: time.Hour, Provenance: grid.Provenance{Provider: "p", Zone: z, Issued: midnight, Basis: grid.AverageLifecycle, Grade: grid.GradeA}}
		for range 10 {
			sr.Values = append(sr.Values, grid.Intensity(20_000+r.IntN(400_000)))
		}
		s.Outlook = told(s.Outlook, sr)
	}
	for i := range 2 + r.IntN(2) {
		d := time.Duration(1+r.IntN(2)) * time.Hour
		it := Item{ID: fmt.Sprintf("w%d", i), Shape: workload.Shape{
			Duration: workload.Duration{Expected: d}, Power: grid.Power(100+r.IntN(900)) * grid.Watt,
			Demand: workload.Resources{CPU: pick(r, int64(500), 1000), Slots: 1},
			When:   workload.When{CompleteBy: midnight.Add(time.Duration(4+r.IntN(3)) * time.Hour)},
		}}
		it.Shape.Interruptible.Allowed = often(r, 40)
		s.Items = append(s.Items, it)
	}
	return s
}

// bestOfAll tries every combination of the ways to run each item.
func bestOfAll(s Snapshot) (least grid.Carbon, ok bool) {
	var ways [][]candidateOf
	for _, it := range s.Items {
		ways = append(ways, newBrute(s, it, nil).run().found)
	}
	least = math.MaxInt64
	chosen := make([]candidateOf, len(ways))
	var try func(i int, sum grid.Carbon)
	try = func(i int, sum grid.Carbon) {
		if sum >= least {
			return
		}
		if i == len(ways) {
			taken := map[string][]claim{}
			for k, c := range chosen {
				for _, sp := range c.spans {
					taken[c.site] = append(taken[c.site], claim{s.Items[k].ID, sp.Start, sp.End, needs(s.Items[k], s.Sites[slices.IndexFunc(s.Sites, func(st Site) bool { return st.ID == c.site })])})
				}
			}
			for _, claims := range taken {
				if len(crowd(claims, 0, 1000)) > 0 {
					return
				}
			}
			least = sum
			return
		}
		for _, c := range ways[i] {
			chosen[i] = c
			try(i+1, sum+c.carbon)
		}
	}
	try(0, 0)
	return least, least < math.MaxInt64
}

// Whatever is changed in a certificate, both its own test and Check find it.
func TestCertificateIsDoubted(t *testing.T) {
	s := scarce(60, 200)
	p := Compute(s)
	if err := errors.Join(Check(s, p), p.Certificate.Follows(s, p)); err != nil {
		t.Fatal(err)
	}
	if len(p.Certificate.Prices) == 0 {
		t.Fatal("nothing is scarce")
	}
	for name, change := range map[string]func(c *Certificate){
		"a bound too high":       func(c *Certificate) { c.Bound += c.Bound / 100 },
		"a bound below zero":     func(c *Certificate) { c.Bound = -1 },
		"less carbon":            func(c *Certificate) { c.Carbon-- },
		"an item less":           func(c *Certificate) { c.Items-- },
		"one more given":         func(c *Certificate) { c.Given++ },
		"another beginning":      func(c *Certificate) { c.Start = c.Start.Add(time.Minute) },
		"another slot":           func(c *Certificate) { c.Step *= 3 },
		"no slot":                func(c *Certificate) { c.Step = 0 },
		"a price below zero":     func(c *Certificate) { c.Prices[0].PerSlot[3] = -1 },
		"a price that is none":   func(c *Certificate) { c.Prices[0].PerSlot[3] = math.NaN() },
		"a price too high":       func(c *Certificate) { c.Prices[0].PerSlot[3] += 100 },
		"no prices":              func(c *Certificate) { c.Prices = nil },
		"a price for no thing":   func(c *Certificate) { c.Prices[0].Thing = "luck" },
		"two prices for a thing": func(c *Certificate) { c.Prices = append(c.Prices, c.Prices[0]) },
		"a price without end":    func(c *Certificate) { c.Prices[0].Thing = "memory" },
	} {
		q, c := p, *p.Certificate
		c.Prices = slices.Clone(c.Prices)
		for i := range c.Prices {
			c.Prices[i].PerSlot = slices.Clone(c.Prices[i].PerSlot)
		}
		change(&c)
		q.Certificate = &c
		q.ID = NewID(q)
		var broken *Broken
		if err := Check(s, q); !errors.As(err, &broken) || broken.Promise != KeptBound && broken.Promise != KeptName {
			t.Errorf("%s: Check says %v", name, err)
		}
		if err := c.Follows(s, p); err == nil && name != "a bound below zero" {
			t.Errorf("%s: it follows", name)
		}
	}
}
