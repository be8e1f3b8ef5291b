package plan

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
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
		if !fitsBeside(b.d.taken[site], needsOf(b.it, b.d.sites[site], sp.Size), has(b.d.sites[site]), later(sp.Start, b.d.now), end) {
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
	for seed := range uint64(700) {
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
				t.Errorf("seed %d, %s: not placed, and there are %d ways, as %+v", seed, kind, len(b.found), b.found[0])
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
			kinds[kind+" worse"]++
			if pl.Carbon > 2*least.carbon+grid.Gram {
				t.Errorf("seed %d, %s: %d mg, best %d mg: %v instead of %v", seed, kind, pl.Carbon, least.carbon, pl.Spans, least.spans)
			}
		}
		bounded(t, seed, s, it, pl, least.carbon)
	}
	for _, kind := range []string{"rigid", "free", "ruled"} {
		if n, worse := kinds[kind+" carbon"], kinds[kind+" worse"]; n < 40 || worse*20 > n {
			t.Errorf("%d worlds that are %s, and in %d of them a pattern of whole slots is better", n, kind, worse)
		}
		if kinds[kind+" only within slots"] == 0 {
			t.Errorf("no work that is %s found a place that slots do not have", kind)
		}
	}
	t.Log(kinds)
}

// bounded holds the certificate's bound for one item alone, and the doubting
// side's, against the best that was found.
func bounded(t *testing.T, seed uint64, s Snapshot, it Item, pl Placement, least grid.Carbon) {
	t.Helper()
	s.Items = []Item{it}
	p := Plan{Parent: s.Parent, At: s.Now, Placements: []Placement{pl}, Unplaced: []Refusal{}}
	c, err := Certify(s, p, s.Step, nil)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if c.Items == 0 {
		return
	}
	if c.Bound > min(least, pl.Carbon) {
		t.Errorf("seed %d: no plan is said to emit less than %d mg, and one emits %d", seed, c.Bound, min(least, pl.Carbon))
	}
	d := &doubt{s: s, p: p, now: s.Now, sites: map[string]Site{}}
	again := math.Inf(1)
	for _, st := range s.Sites {
		d.sites[st.ID] = st
		if h := holder(it); h == st.ID || h == "" && d.open(it, st.ID) {
			again = min(again, d.cheapest(it, st, d.lane(st.ID, &c, tariffs{}), tariffs{}, c.Step))
		}
	}
	if float64(c.Bound) > again+1+1e-6*again || float64(c.Bound) < again*(1-1e-5)-2 {
		t.Errorf("seed %d: the bound is %d mg, and derived again %.1f mg", seed, c.Bound, again)
	}
}

// The doubting side objects to whatever is wrong with sizes.
func TestCheckObjectsToSizes(t *testing.T) {
	good := func() (Snapshot, Plan) {
		s, _ := doubtful(t)
		s.Items = slices.DeleteFunc(s.Items, func(it Item) bool { return it.ID != "fresh" })
		it := &s.Items[0]
		it.Shape.When.CompleteBy = hour(8)
		it.Shape.Duration = workload.Duration{Expected: 4 * time.Hour, P95: 4 * time.Hour, Max: 8 * time.Hour}
		it.Shape.Demand.CPU = 2000
		it.Shape.Elastic = []workload.Level{{Size: 500, Speed: 600}, {Size: 2000, Speed: 1800}, {Size: 4000, Speed: 3000}}
		p := Compute(s)
		if err := Check(s, p); err != nil {
			t.Fatal(err)
		}
		return s, p
	}
	if _, p := good(); len(p.Placements) != 1 || len(p.Placements[0].Spans) < 2 || p.Certificate == nil || p.Certificate.Items != 1 {
		t.Fatalf("the work does not change its size: %+v", p)
	}
	figures := func(s Snapshot, pl *Placement) {
		d := &doubt{s: s, now: s.Now, sites: map[string]Site{}}
		for _, st := range s.Sites {
			d.sites[st.ID] = st
		}
		pl.Energy, pl.Carbon, pl.Grade, pl.Cost, pl.Currency = d.reckon(s.Items[0], pl.Site, pl.Spans)
		pl.Why = Reasons{Binding: BindingNone, Text: "x", Considered: 1, Signals: pl.Why.Signals}
	}
	for _, m := range []struct {
		promise Kept
		what    string
		do      func(Snapshot, *Placement)
	}{
		{KeptSpans, "a size that it does not have", func(_ Snapshot, pl *Placement) { pl.Spans[0].Size = 3000 }},
		{KeptSpans, "a size below nothing", func(_ Snapshot, pl *Placement) { pl.Spans[0].Size = -500 }},
		{KeptSpans, "the declared size by another name", func(_ Snapshot, pl *Placement) { pl.Spans[0].Size = 1000 }},
		{KeptSpans, "one run cut in two", func(_ Snapshot, pl *Placement) {
			sp := pl.Spans[0]
			mid := sp.Start.Add(sp.Len() / 2)
			pl.Spans = append([]Span{{sp.Start, mid, sp.Size}, {mid, sp.End, sp.Size}}, pl.Spans[1:]...)
		}},
		{KeptSpans, "two sizes at once", func(_ Snapshot, pl *Placement) { pl.Spans[1].Start = pl.Spans[0].Start.Add(time.Minute) }},
		{KeptPauses, "a gap between two sizes", func(_ Snapshot, pl *Placement) { pl.Spans[1].Start = pl.Spans[1].Start.Add(time.Minute) }},
		{KeptWork, "another size in the middle", func(_ Snapshot, pl *Placement) {
			n := len(pl.Spans) - 1
			for _, size := range []int{500, 2000, 4000, 0} {
				if size != pl.Spans[n].Size && size != pl.Spans[n-1].Size {
					pl.Spans[n].Size = size
				}
			}
		}},
		{KeptWork, "too long", func(_ Snapshot, pl *Placement) {
			last := &pl.Spans[len(pl.Spans)-1]
			last.End = last.End.Add(time.Second)
			pl.Reserved = pl.Reserved.Add(time.Second)
		}},
		{KeptWork, "too short", func(_ Snapshot, pl *Placement) {
			last := &pl.Spans[len(pl.Spans)-1]
			last.End = last.End.Add(-time.Second)
			pl.Reserved = pl.Reserved.Add(-time.Second)
		}},
		{KeptReserve, "the booked time at the declared speed", func(_ Snapshot, pl *Placement) {
			pl.Reserved = pl.Finish().Add(24 * time.Minute)
			if pl.Spans[len(pl.Spans)-1].Size == 0 {
				pl.Reserved = pl.Reserved.Add(time.Second)
			}
		}},
		{KeptReserve, "the latest start at the declared size", func(s Snapshot, pl *Placement) {
			pl.Latest = s.Items[0].Shape.When.CompleteBy.Add(-s.Margin - s.Items[0].Shape.Duration.Booked())
		}},
		{KeptFigures, "the energy of the declared size", func(_ Snapshot, pl *Placement) { pl.Energy = facility(1000*grid.Watt, 4*time.Hour, 1200) }},
		{KeptCapacity, "larger than the site", func(s Snapshot, pl *Placement) {
			s.Sites[0].Capacity.CPU = 3999
			for i := range pl.Spans {
				pl.Spans[i].Size = 2000
			}
			begin := pl.Spans[0].Start
			end := begin.Add(needsFor(4*time.Hour, 1800))
			pl.Spans = []Span{{begin, end, 2000}}
			pl.Reserved = end.Add(needsFor(24*time.Minute, 1800))
			figures(s, pl)
		}},
	} {
		s, p := good()
		m.do(s, &p.Placements[0])
		p.Certificate = nil
		p.ID = NewID(p)
		var b *Broken
		if err := Check(s, p); !errors.As(err, &b) || b.Promise != m.promise {
			t.Errorf("%s: %v, want a broken promise of %s", m.what, err, m.promise)
		}
	}
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
		if !fitsBeside(d.taken[pl.Site], needsOf(it, d.sites[pl.Site], sp.Size), has(d.sites[pl.Site]), later(sp.Start, d.now), end) {
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

// Work that fits only at a larger size is admitted; what fits at none is refused
// with the time that its largest size needs, and the nearest completeBy is true.
func TestElasticRefusals(t *testing.T) {
	s, _ := doubtful(t)
	s.Items, s.Margin = nil, 0
	it := Item{ID: "e", Tenant: "t", Shape: workload.Shape{Power: 100 * grid.Watt, Demand: workload.Resources{CPU: 1000, Slots: 1},
		Duration: workload.Duration{Expected: 4 * time.Hour, P95: 4 * time.Hour, Max: 8 * time.Hour},
		Elastic:  []workload.Level{{Size: 4000, Speed: 3000}},
		When:     workload.When{CompleteBy: hour(3)}, Where: workload.Where{Allow: []string{"a"}}}}
	p, refusal := Admit(s, it)
	if refusal != nil {
		t.Fatalf("4 h and a tenth at three times the speed fit into 2 h: %+v", refusal)
	}
	if err := Check(with(s, it), p); err != nil {
		t.Error(err)
	}
	it.Shape.When.CompleteBy = hour(2)
	_, refusal = Admit(s, it)
	if refusal == nil || refusal.Failed[0].Field != "when.completeBy" || refusal.Failed[0].Missing != "28 m" {
		t.Fatalf("refused with %+v", refusal)
	}
	it.Shape.When.CompleteBy = refusal.NearestCompleteBy
	if _, again := Admit(s, it); again != nil || !refusal.NearestCompleteBy.Before(hour(2.6)) {
		t.Errorf("the nearest completeBy is %s: %+v", refusal.NearestCompleteBy, again)
	}
	// At its smallest it fits into a site that is too small for it as declared.
	it.Shape.When.CompleteBy = hour(13)
	it.Shape.Elastic = []workload.Level{{Size: 500, Speed: 600}}
	s.Sites[0].Capacity.CPU = 500
	p, refusal = Admit(s, it)
	if refusal != nil || p.Placements[0].Spans[0].Size != 500 {
		t.Fatalf("%+v %+v", refusal, p)
	}
	s.Sites[0].Capacity.CPU = 400
	if _, refusal = Admit(s, it); refusal == nil || refusal.Failed[0].Field != "shape.resources.cpus" || refusal.Failed[0].Missing != "0.1 CPUs" {
		t.Errorf("%+v", refusal)
	}
}
