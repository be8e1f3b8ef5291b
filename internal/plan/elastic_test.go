package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// someSizes are sizes of elastic work: mostly concave, some not.
func someSizes(r *rand.Rand) []workload.Level {
	return pick(r,
		[]workload.Level{{Size: 500, Speed: 550}, {Size: 2000, Speed: 1800}},
		[]workload.Level{{Size: 2000, Speed: 1800}, {Size: 4000, Speed: 3100}},
		[]workload.Level{{Size: 500, Speed: 600}},
		[]workload.Level{{Size: 500, Speed: 300}, {Size: 2000, Speed: 2500}}, // convex
		[]workload.Level{{Size: 250, Speed: 333}, {Size: 3000, Speed: 2777}},
	)
}

// bruteSizes tries every size, or none, in every slot at every site. It ends
// where the work is done, and keeps what Check's own rules let pass.
type bruteSizes struct {
	brute
	levels []int
}

func (b *bruteSizes) run() {
	n := len(b.levels) + 1
	for _, st := range b.d.s.Sites {
		if h := holder(b.it); h != "" && h != st.ID || h == "" && !b.d.open(b.it, st.ID) {
			continue
		}
		all := 1
		for range b.slots {
			all *= n
		}
		for p := 1; p < all; p++ {
			b.sizes(st.ID, p, n)
		}
	}
}

func (b *bruteSizes) sizes(site string, p, n int) {
	pl := Placement{Workload: b.it.ID, Site: site}
	for i := range b.slots {
		k := p % n
		if p /= n; k == 0 {
			continue
		}
		size := b.levels[k-1]
		if m := len(pl.Spans); m > 0 && pl.Spans[m-1].End.Equal(b.at(i)) && pl.Spans[m-1].Size == size {
			pl.Spans[m-1].End = b.at(i + 1)
		} else {
			pl.Spans = append(pl.Spans, Span{b.at(i), b.at(i + 1), size})
		}
	}
	if underWay(b.it) && pl.Spans[0].Start.Equal(b.d.now) {
		pl.Spans[0].Start = b.it.RunSince
	}
	owed, beyond := b.d.owed(b.it)
	resumes := b.d.suspensions(b.it, pl)
	if waits(b.it) {
		resumes++
	}
	owed += time.Duration(resumes) * b.it.Shape.Interruptible.Overhead
	last := &pl.Spans[len(pl.Spans)-1]
	for _, sp := range pl.Spans[:len(pl.Spans)-1] {
		v, _ := pace(b.it, sp.Size)
		owed -= does(sp.End.Sub(later(sp.Start, b.d.now)), v)
	}
	v, _ := pace(b.it, last.Size)
	begin := later(last.Start, b.d.now)
	need := needsFor(owed, v)
	if full := last.End.Sub(begin); owed <= 0 || need > full || need <= full-b.d.s.Step {
		return
	}
	last.End = begin.Add(need)
	pl.Reserved = last.End.Add(needsFor(beyond, v))
	for _, rule := range []func(Item, Placement) (Kept, string){b.d.site, b.d.sizes, b.d.spans, b.d.pauses, b.d.work} {
		if _, detail := rule(b.it, pl); detail != "" {
			return
		}
	}
	if pl.Reserved.After(b.d.due(b.it)) || b.d.denied(b.it, pl) != "" {
		return
	}
	for i, sp := range pl.Spans {
		end := sp.End
		if i == len(pl.Spans)-1 {
			end = pl.Reserved
		}
		if !fitsBeside(b.d.taken[site], needsOf(b.it, sp.Size), has(b.d.sites[site]), later(sp.Start, b.d.now), end) {
			return
		}
	}
	pl.Energy, pl.Carbon, pl.Grade, pl.Cost, pl.Currency = b.d.reckon(b.it, site, pl.Spans)
	if b.d.overCeiling(b.it, pl) != "" {
		return
	}
	b.found = append(b.found, candidateOf{site: site, spans: pl.Spans, known: pl.Grade != "", carbon: pl.Carbon, cost: pl.Cost, cur: pl.Currency, finish: pl.Finish()})
}

// Elastic work finds a place wherever one of all patterns of sizes in slots has
// one, and emits as little, or less, as it may change its size within a slot.
func TestElasticAgainstAllPatterns(t *testing.T) {
	kinds := map[string]int{}
	var excess []float64
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 77))
		s, it := smallWorld(r)
		s.Horizon = min(s.Horizon, 6*s.Step)
		it.Shape.Elastic = someSizes(r)
		if it.Shape.Objective.Minimize == workload.MinimizeTime {
			it.Shape.Objective.Minimize = workload.MinimizeCarbon
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
		b := &bruteSizes{brute: *newBrute(whole, it, others)}
		b.levels = append(b.levels, 0)
		for _, l := range it.Shape.Elastic {
			b.levels = append(b.levels, l.Size)
		}
		b.run()
		kind := "rigid"
		switch {
		case it.Shape.Interruptible.Allowed && x.ruled():
			kind = "ruled"
		case it.Shape.Interruptible.Allowed:
			kind = "free"
		}
		if best == nil {
			if len(b.found) > 0 {
				kinds[kind+" missed"]++
				t.Logf("seed %d %s: not placed, and there are %d ways, e.g. %+v: %+v", seed, kind, len(b.found), b.found[0], it)
			}
			kinds["infeasible"]++
			continue
		}
		x.at = *best
		pl := f.placement(x)
		if err := holds(b.d, it, pl); err != "" {
			t.Errorf("seed %d: %s: %+v", seed, err, pl.Spans)
		}
		if len(b.found) == 0 {
			kinds[kind+" only within slots"]++
			continue
		}
		if it.Shape.Objective.Minimize != workload.MinimizeCarbon || it.Shape.Objective.CarbonPrice > 0 {
			kinds[kind+" cost"]++
			continue
		}
		var least *candidateOf
		for i, c := range b.found {
			if c.known && (least == nil || c.carbon < least.carbon) {
				least = &b.found[i]
			}
		}
		if least == nil {
			kinds[kind+" unknown"]++
			continue
		}
		kinds[kind+" carbon"]++
		if slack := grid.Carbon(len(pl.Spans)+len(least.spans)) * (2 + grid.Carbon(pl.Energy/grid.KilowattHour)); pl.Grade == "" || pl.Carbon > least.carbon+slack {
			over := float64(pl.Carbon)/float64(least.carbon) - 1
			excess = append(excess, over)
			kinds[kind+" worse"]++
			t.Logf("seed %d %s: %d mg, best %d mg (+%.2f%%): %v instead of %v; %+v", seed, kind, pl.Carbon, least.carbon, 100*over, pl.Spans, least.spans, it.Shape)
		}
	}
	t.Log(kinds, fmt.Sprint(excess))
}

// holds says which of Check's own rules a placement breaks beside the others.
func holds(d *doubt, it Item, pl Placement) string {
	for _, rule := range []func(Item, Placement) (Kept, string){d.site, d.sizes, d.spans, d.pauses, d.work, d.reserve, d.figures} {
		if kept, detail := rule(it, pl); detail != "" {
			return string(kept) + ": " + detail
		}
	}
	if detail := d.denied(it, pl); detail != "" {
		return detail
	}
	for i, sp := range pl.Spans {
		end := sp.End
		if i == len(pl.Spans)-1 {
			end = pl.Reserved
		}
		if !fitsBeside(d.taken[pl.Site], needsOf(it, sp.Size), has(d.sites[pl.Site]), later(sp.Start, d.now), end) {
			return "it has no room"
		}
	}
	return ""
}

// Whatever the world looks like and however it goes on, plans with elastic work
// keep every promise, and the Book of it says what the record says.
func TestElasticPromises(t *testing.T) {
	alsoElastic = true
	defer func() { alsoElastic = false }()
	admitted := 0
	for seed := range uint64(250) {
		if err := history(seed, 6); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	for seed := range uint64(150) {
		n, err := bookkeeping(seed, 6)
		if err != nil {
			t.Errorf("seed %d, with a Book: %v", seed, err)
		}
		admitted += n
	}
	if admitted < 50 {
		t.Errorf("only %d were admitted", admitted)
	}
}
