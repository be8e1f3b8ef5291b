package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// brute tries every pattern of slots at every site, and keeps what Check's own
// rules let pass. It knows nothing of how Compute searches.
type brute struct {
	d     *doubt
	it    Item
	slots int
	found []candidateOf
}

type candidateOf struct {
	site   string
	spans  []Span
	sum    int64 // of the intensity over the spans, exact
	known  bool
	carbon grid.Carbon
	cost   grid.Money
	cur    string
	finish time.Time
}

func newBrute(s Snapshot, it Item, others []Placement) *brute {
	b := &brute{it: it, slots: int(s.Horizon / s.Step)}
	b.d = &doubt{s: s, now: s.Now, sites: map[string]Site{}, items: map[string]Item{}, taken: map[string][]claim{}}
	for _, st := range s.Sites {
		b.d.sites[st.ID] = st
	}
	for _, x := range s.Items {
		b.d.items[x.ID] = x
	}
	b.d.p.Placements = others
	for _, pl := range others {
		for i, sp := range pl.Spans {
			c := claim{pl.Workload, later(sp.Start, s.Now), sp.End, needs(b.d.item(pl.Workload), b.d.sites[pl.Site])}
			if i == len(pl.Spans)-1 {
				c.to = pl.Reserved
			}
			b.d.taken[pl.Site] = append(b.d.taken[pl.Site], c)
		}
	}
	return b
}

func (b *brute) run() *brute {
	for _, st := range b.d.s.Sites {
		if h := holder(b.it); h != "" && h != st.ID || h == "" && !b.d.open(b.it, st.ID) {
			continue
		}
		for pattern := 1; pattern < 1<<b.slots; pattern++ {
			b.pattern(st.ID, pattern)
		}
		// Runs without a pause may go on past the horizon.
		for i := range b.slots {
			b.offer(st.ID, []Span{{Start: b.at(i), End: b.at(b.slots + 1)}})
		}
	}
	return b
}

func (b *brute) at(i int) time.Time { return b.d.now.Add(time.Duration(i) * b.d.s.Step) }

func (b *brute) pattern(site string, p int) {
	var spans []Span
	for i := range b.slots {
		if p>>i&1 == 0 {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].End.Equal(b.at(i)) {
			spans[n-1].End = b.at(i + 1)
		} else {
			spans = append(spans, Span{Start: b.at(i), End: b.at(i + 1)})
		}
	}
	b.offer(site, spans)
}

// offer sets the end of the last span by the work, and keeps what is lawful.
// A pattern whose last slot is not needed or not enough is not one.
func (b *brute) offer(site string, spans []Span) {
	pl := Placement{Workload: b.it.ID, Site: site, Spans: spans}
	if underWay(b.it) && spans[0].Start.Equal(b.d.now) {
		spans[0].Start = b.it.RunSince
	}
	owed, beyond := b.d.owed(b.it)
	resumes := b.d.suspensions(b.it, pl)
	if waits(b.it) {
		resumes++
	}
	owed += time.Duration(resumes) * b.it.Shape.Interruptible.Overhead
	last := &spans[len(spans)-1]
	for _, sp := range spans[:len(spans)-1] {
		owed -= sp.End.Sub(later(sp.Start, b.d.now))
	}
	begin := later(last.Start, b.d.now)
	beyondHorizon := len(spans) == 1 && last.End.Equal(b.at(b.slots+1))
	full := last.End.Sub(begin)
	if owed <= 0 || !beyondHorizon && (owed > full || owed <= full-b.d.s.Step) {
		return
	}
	last.End = begin.Add(owed)
	pl.Reserved = last.End.Add(beyond)
	for _, rule := range []func(Item, Placement) (Kept, string){b.d.site, b.d.spans, b.d.pauses, b.d.work} {
		if _, detail := rule(b.it, pl); detail != "" {
			return
		}
	}
	if pl.Reserved.After(b.d.due(b.it)) {
		return
	}
	if b.d.denied(b.it, pl) != "" {
		return
	}
	st := b.d.sites[site]
	for i, sp := range spans {
		end := sp.End
		if i == len(spans)-1 {
			end = pl.Reserved
		}
		if !fitsBeside(b.d.taken[site], needs(b.it, st), has(st), later(sp.Start, b.d.now), end) {
			return
		}
	}
	pl.Energy, pl.Carbon, pl.Grade, pl.Cost, pl.Currency = b.d.reckon(b.it, site, spans)
	if b.d.overCeiling(b.it, pl) != "" {
		return
	}
	c := candidateOf{site: site, spans: spans, carbon: pl.Carbon, cost: pl.Cost, cur: pl.Currency, finish: pl.Finish()}
	c.sum, c.known = exactSum(b.d.s.Outlook.Of(st.Zone), b.d.now, spans)
	b.found = append(b.found, c)
}

func exactSum(o grid.Outlook, now time.Time, spans []Span) (sum int64, known bool) {
	for _, sp := range spans {
		for at := later(sp.Start, now); at.Before(sp.End); {
			v, ok := o.At(at)
			if !ok {
				return 0, false
			}
			end := o.Until(at, sp.End)
			sum += int64(v.Value) * end.Sub(at).Milliseconds()
			at = end
		}
	}
	return sum, true
}

// smallWorld has few slots, one item to place, and others that run and cannot
// be moved.
func smallWorld(r *rand.Rand) (Snapshot, Item) {
	s := randomSnapshot(r)
	s.Horizon = s.Step * time.Duration(4+r.IntN(5))
	for len(s.Sites) > 2 {
		s.Sites = s.Sites[1:]
	}
	s.Items = nil
	for i := range r.IntN(6) {
		it := randomItem(r, s, fmt.Sprintf("o%d", i))
		it.Shape.Interruptible = workload.Interruptible{}
		it.Shape.Objective = workload.Objective{}
		it.Shape.Duration.Expected = time.Duration(1+r.IntN(60*2)) * s.Step / 60
		it.Shape.Demand.Slots = int64(1 + r.IntN(4))
		it.Shape.Duration.P95 = it.Shape.Duration.Expected
		it.Pinned = pick(r, s.Sites...).ID
		s.Items = append(s.Items, it)
	}
	for i := range s.Sites {
		s.Sites[i].Down = s.Sites[i].Down && often(r, 30)
	}
	it := randomItem(r, s, "x")
	it.Shape.Demand.CPU = min(it.Shape.Demand.CPU, 2000)
	it.Shape.Interruptible.Allowed = it.Shape.Interruptible.Allowed || often(r, 50)
	it.Shape.Duration.Expected = time.Duration(1+r.IntN(60*4)) * s.Step / 60
	it.Shape.Duration.P95 = it.Shape.Duration.Expected + time.Duration(r.IntN(2))*s.Step/4
	it.Shape.Objective.MinSaving = 0
	if often(r, 30) {
		it.Shape.When.Deny = randomDeny(r, s)
	}
	if len(it.Shape.Where.Allow) == 1 {
		it.Shape.Where.Allow = nil
	}
	if often(r, 60) {
		it.Shape.When.CompleteBy = s.Now.Add(s.Horizon)
	}
	if s.Prices != nil && often(r, 25) {
		it.Shape.Objective.Minimize, it.Shape.Interruptible.Allowed = workload.MinimizeCost, true
	}
	if s.Prices != nil && (it.Shape.Objective.CostCeiling > 0 || it.Shape.Objective.Minimize == workload.MinimizeCost) {
		// Where prices change, the cheapest pauses that keep a ceiling of carbon
		// are not found exactly.
		it.Shape.Objective.CarbonCeiling = 0
	}
	if o := &it.Shape.Objective; o.CarbonPrice > 0 || s.Prices != nil && often(r, 20) {
		*o = workload.Objective{Minimize: workload.MinimizeCarbon, CarbonPrice: grid.Money(1+r.IntN(900)) * 1_000_000, Currency: "EUR"}
	}
	switch r.IntN(5) {
	case 0: // it runs
		it.Pinned, it.Running, it.RunSince = pick(r, s.Sites...).ID, true, s.Now.Add(-time.Duration(r.IntN(90))*s.Step/60)
		it.Done = min(s.Now.Sub(it.RunSince), it.Shape.Duration.Expected)
		it.Suspensions = r.IntN(2)
	case 1: // it is suspended
		if it.Shape.Interruptible.Allowed {
			it.Pinned, it.Done, it.Suspensions = pick(r, s.Sites...).ID, it.Shape.Duration.Expected/3, 1
		}
	}
	return s, it
}

// Single items are placed exactly: what Compute chooses is as good as the best
// of all patterns, and it refuses only what no pattern can do.
func TestSingleItemIsExact(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, it := smallWorld(r)
		if !it.Shape.Interruptible.Allowed && it.Running {
			continue
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
		b := newBrute(whole, it, others).run()
		if (best != nil) != (len(b.found) > 0) {
			t.Fatalf("seed %d: placed is %v, and there are %d ways: %+v: %+v", seed, best != nil, len(b.found), b.found, it)
		}
		if best == nil {
			kinds["infeasible"]++
			continue
		}
		x.at = *best
		pl := f.placement(x)
		kinds[compareBest(t, seed, f, x, pl, b)]++
		if len(x.denied) > 0 {
			kinds["denied"]++
			if len(pl.Spans) > 1 {
				kinds["denied paused"]++
			}
		}
	}
	for _, k := range []string{"infeasible", "carbon", "carbon paused", "cost", "cost paused", "cost over time", "cost paused over time", "time", "time paused", "unknown", "denied", "denied paused", "sum", "sum paused"} {
		if kinds[k] < 20 {
			t.Errorf("only %d worlds of kind %q: %v", kinds[k], k, kinds)
		}
	}
}

func compareBest(t *testing.T, seed uint64, f *frame, x *task, pl Placement, b *brute) string {
	t.Helper()
	kind := ""
	if len(pl.Spans) > 1 {
		kind = " paused"
	}
	finish := b.found[0].finish
	for _, c := range b.found {
		if c.finish.Before(finish) {
			finish = c.finish
		}
	}
	if o := x.Shape.Objective; o.CarbonPrice > 0 && o.Minimize != workload.MinimizeTime {
		total := func(c grid.Carbon, m grid.Money) float64 { return float64(m) + float64(c)*float64(o.CarbonPrice)/1e9 }
		least, any := 0.0, false
		for _, c := range b.found {
			if v := total(c.carbon, c.cost); c.known && c.cur == o.Currency && (!any || v < least) {
				least, any = v, true
			}
		}
		if !any {
			return "sum unknown"
		}
		if pl.Grade == "" || pl.Currency != o.Currency {
			t.Errorf("seed %d: an unknown sum preferred to %g", seed, least)
		}
		// Each run's figures are rounded up, and each kilowatt-hour's price.
		perMilligram := float64(o.CarbonPrice) / 1e9
		slack := float64(len(pl.Spans)+6) * (2 + perMilligram) * (2 + float64(pl.Energy)/float64(grid.KilowattHour))
		if got := total(pl.Carbon, pl.Cost); got > least+slack {
			t.Errorf("seed %d: costs %g with its carbon, could cost %g: %v at %s", seed, got, least, pl.Spans, pl.Site)
		}
		return "sum" + kind
	}
	switch x.Shape.Objective.Minimize {
	case workload.MinimizeTime:
		if !pl.Finish().Equal(finish) {
			t.Errorf("seed %d: done at %s, could be at %s", seed, pl.Finish(), finish)
		}
		return "time" + kind
	case workload.MinimizeCost:
		cur := f.currency(x)
		var best *candidateOf
		for i, c := range b.found {
			if cur != "" && c.cur == cur && (best == nil || c.cost < best.cost) {
				best = &b.found[i]
			}
		}
		// A price below zero that never changes is not chased by pausing.
		chased := func(site string) bool {
			p := f.places[f.find(site)]
			return p.rates != nil || p.Price > 0
		}
		if best != nil && pl.Currency != cur {
			t.Errorf("seed %d: an unknown cost preferred to %d", seed, best.cost)
		}
		if best != nil && pl.Currency == cur && f.places[f.find(best.site)].rates != nil {
			kind += " over time"
		}
		if best != nil && chased(pl.Site) && chased(best.site) && pl.Cost > best.cost+grid.Money(len(best.spans)+len(pl.Spans)) {
			t.Errorf("seed %d: costs %d, could cost %d: %v instead of %v at %s, of %+v", seed, pl.Cost, best.cost, pl.Spans, best.spans, best.site, x.Item)
		}
		return "cost" + kind
	}
	var best *candidateOf
	for i, c := range b.found {
		if c.known && (best == nil || c.carbon < best.carbon) {
			best = &b.found[i]
		}
	}
	if best == nil {
		if pl.Grade != "" {
			t.Errorf("seed %d: a known placement that no pattern has", seed)
		}
		return "unknown"
	}
	if pl.Grade == "" {
		t.Errorf("seed %d: an unknown intensity preferred", seed)
	}
	// Within one site the exact sums are equal; over several, figures are
	// rounded up once for each span.
	if sum, _ := exactSum(f.places[f.find(pl.Site)].air, f.now, pl.Spans); pl.Site == best.site && len(b.d.s.Sites) == 1 && sum > best.sum {
		t.Errorf("seed %d: sum %d, best %d: %v instead of %v", seed, sum, best.sum, pl.Spans, best.spans)
	}
	if slack := grid.Carbon(len(pl.Spans)+len(best.spans)) * (2 + grid.Carbon(pl.Energy/grid.KilowattHour)); pl.Carbon > best.carbon+slack {
		t.Errorf("seed %d: %d mg, best %d mg: %v instead of %v at %s", seed, pl.Carbon, best.carbon, pl.Spans, best.spans, best.site)
	}
	return "carbon" + kind
}
