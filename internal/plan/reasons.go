package plan

import (
	"cmp"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// mostRejected is how many alternatives are shown.
const mostRejected = 3

// seen is a try of why, with what became of it. There are thousands of them,
// so it is small.
type seen struct {
	from, to                time.Duration
	carbon                  grid.Carbon // meaningful only if known
	cost                    grid.Money
	site                    int32
	way                     uint8
	cause                   uint8 // in causesInOrder; 0 if it is what was chosen
	known, full, affordable bool
	denied, priced          bool // cost is meaningful only if priced
}

// causesInOrder numbers the causes.
var causesInOrder = [...]Cause{"", CauseDirtier, CauseDearer, CauseLater, CauseFull, CauseLate, CauseDown, CauseUnknown, CauseCeiling, CauseNotWorth, CauseDenied}

// number is called for each of thousands of tries.
func number(c Cause) uint8 {
	switch c {
	case CauseDirtier:
		return 1
	case CauseDearer:
		return 2
	case CauseLater:
		return 3
	case CauseFull:
		return 4
	case CauseLate:
		return 5
	case CauseDown:
		return 6
	case CauseUnknown:
		return 7
	case CauseCeiling:
		return 8
	case CauseNotWorth:
		return 9
	case CauseDenied:
		return 10
	}
	return 0
}

// numbers of the causes that why asks about.
var (
	noDown = number(CauseDown)
	noFull = number(CauseFull)
)

// why explains the placement of t, which is taken out. The candidates that it
// counts and compares are the runs without a pause from the start of each slot
// at each site that where.allow names: few enough to be computed again by hand.
func (f *frame) why(t *task) Reasons {
	c := t.at
	f.window(t, true)
	all, found := f.survey(t, c)
	r := Reasons{Signals: f.signals(c), Rejected: []Alternative{}, Considered: len(all), Fell: map[Cause]int{}}
	if !found {
		r.Considered++ // a paused run, or one that does not begin with a slot
	}
	var fell [len(causesInOrder)]int
	for i := range all {
		fell[all[i].cause]++
	}
	for i, n := range fell {
		if i > 0 && n > 0 {
			r.Fell[causesInOrder[i]] = n
		}
	}
	var now *candidate
	if !t.Running {
		// Like the baseline of the ledger: at once, at home, which is the
		// first of its sites that has room at all.
		for v, site := range f.options(t, t.sites) {
			if now = f.atOnce(v, site); now != nil {
				r.RunNow = f.alternative(t, *now, c)
				break
			}
		}
	}
	for _, s := range f.notable(t, c, all) {
		m := f.measure(f.on(t, int(s.way)), int(s.site), []stretch{{s.from, s.to}})
		a := f.alternative(t, m, c)
		a.Cause = causesInOrder[s.cause]
		r.Rejected = append(r.Rejected, *a)
	}
	r.Binding = f.binding(t, c, all)
	r.Text = f.text(t, c, now, r.Binding)
	return r
}

// survey tries every slot of every site that where.allow names. It reports
// whether c was among the tries.
func (f *frame) survey(t *task, c candidate) (all []seen, found bool) {
	sites := slices.Clone(t.sites)
	if t.hold < 0 {
		for i, p := range f.places {
			if !p.gone && !slices.Contains(sites, i) && Allowed(t.Shape.Where, p.Site) {
				sites = append(sites, i)
			}
		}
	}
	all = f.seen[:0]
	for v, site := range f.options(t, sites) {
		f.tries(v, site, f.freeAt(v, site), true, nil, func(x *try) {
			s := seen{x.from, x.to, x.carbon, x.cost, int32(site), uint8(v.way), 0, x.known, x.full, x.affordable, x.denied, x.priced}
			if site == c.site && v.way == c.way && len(c.runs) == 1 && c.levels == nil && c.runs[0] == (stretch{x.from, x.to}) {
				found = true
			} else {
				s.cause = number(f.cause(t, c, x, site))
			}
			all = append(all, s)
		})
	}
	f.seen = all // the next one writes over it
	return all, found
}

// cause says why s was not chosen.
func (f *frame) cause(t *task, c candidate, s *try, site int) Cause {
	p := f.places[site]
	switch {
	case p.Down && t.hold < 0:
		return CauseDown
	case s.late:
		return CauseLate
	case s.denied:
		return CauseDenied
	case s.full:
		return CauseFull
	case !s.affordable:
		return CauseCeiling
	}
	return f.lostBy(t, c, site, s.to, s.known, s.carbon, s.priced, s.cost)
}

// lost says what a candidate that was possible lost by.
func (f *frame) lost(t *task, c, s candidate) Cause {
	return f.lostBy(t, c, s.site, s.finish(), s.known, s.carbon, s.priced, s.cost)
}

func (f *frame) lostBy(t *task, c candidate, site int, finish time.Duration, known bool, carbon grid.Carbon, priced bool, cost grid.Money) Cause {
	later := finish >= c.finish()
	if mine, ok := f.total(t, c); ok {
		switch its, ok := f.added(t, site, known, carbon, priced, cost); {
		case !ok:
			return CauseUnknown
		case its > mine:
			return CauseDearer
		case its < mine || !later:
			return CauseNotWorth
		}
		return CauseLater
	} else if _, ok := f.added(t, site, known, carbon, priced, cost); ok {
		return CauseNotWorth
	}
	if t.adds() { // the cost is not known: the carbon decides
		return lostByCarbon(c, later, known, carbon)
	}
	switch t.Shape.Objective.Minimize {
	case workload.MinimizeTime:
		if later {
			return CauseLater
		}
		return CauseNotWorth
	case workload.MinimizeCost:
		cur := f.currency(t)
		switch mine, its := f.costs(c, cur), priced && cur != "" && f.places[site].currency == cur; {
		case mine && !its:
			return CauseUnknown
		case mine && cost > c.cost:
			return CauseDearer
		case mine && cost < c.cost || !later:
			return CauseNotWorth
		}
		return CauseLater
	}
	return lostByCarbon(c, later, known, carbon)
}

func lostByCarbon(c candidate, later, known bool, carbon grid.Carbon) Cause {
	switch {
	case c.known && !known:
		return CauseUnknown
	case !c.known && later:
		return CauseLater
	case !c.known && !known:
		return CauseUnknown // as the chosen one; it waits for an intensity to become known
	case c.known && carbon > c.carbon:
		return CauseDirtier
	case c.known && carbon == c.carbon && later:
		return CauseLater
	}
	return CauseNotWorth
}

// alternative describes a candidate beside the chosen one.
func (f *frame) alternative(t *task, a, c candidate) *Alternative {
	out := &Alternative{Site: f.places[a.site].ID, Way: a.way, Start: f.at(a.start()), Finish: f.at(a.finish()),
		Carbon: a.carbon, Known: a.known, DFinish: a.finish() - c.finish()}
	if a.known && c.known {
		out.DCarbon = a.carbon - c.carbon
	}
	if a.priced && f.costs(c, f.places[a.site].currency) {
		d := a.cost - c.cost
		out.DCost = &d
	}
	if !same(a, c) {
		out.Cause = f.lost(t, c, a)
	}
	return out
}

// notable picks the best of what was not chosen: the best of each cause, and
// then the next best, no two at one site within an hour or a slot. They are
// in the order of the objective.
func (f *frame) notable(t *task, c candidate, all []seen) []seen {
	apart := max(time.Hour, f.step)
	var out []seen
	var shown [len(causesInOrder)]bool
	shown[0], shown[noDown] = true, true
	for _, anyCause := range []bool{false, true} {
		if anyCause {
			clear(shown[:])
			shown[0], shown[noDown] = true, true
		}
		for len(out) < mostRejected {
			best := -1
			for i := range all {
				s := &all[i]
				if shown[s.cause] || best >= 0 && f.rivals(t, s, &all[best]) >= 0 {
					continue
				}
				if near(int(s.site), s.from, c.site, c.start(), apart) ||
					slices.ContainsFunc(out, func(o seen) bool { return near(int(s.site), s.from, int(o.site), o.from, apart) }) {
					continue
				}
				best = i
			}
			if best < 0 {
				break
			}
			shown[all[best].cause] = !anyCause
			out = append(out, all[best])
		}
	}
	slices.SortStableFunc(out, func(a, b seen) int { return f.rivals(t, &a, &b) })
	return out
}

func near(siteA int, a time.Duration, siteB int, b, apart time.Duration) bool {
	return siteA == siteB && max(a-b, b-a) < apart
}

// rivals orders tries by the objective.
func (f *frame) rivals(t *task, a, b *seen) int {
	if t.adds() {
		wa, oka := f.added(t, int(a.site), a.known, a.carbon, a.priced, a.cost)
		wb, okb := f.added(t, int(b.site), b.known, b.carbon, b.priced, b.cost)
		if oka != okb {
			return first(oka)
		}
		if oka {
			return cmp.Or(cmp.Compare(wa, wb), cmp.Compare(a.to, b.to))
		}
	}
	if t.looks() {
		if a.known != b.known {
			return first(a.known)
		}
		return cmp.Or(cmp.Compare(a.carbon, b.carbon), cmp.Compare(a.to, b.to))
	}
	if t.Shape.Objective.Minimize == workload.MinimizeCost {
		if a.priced != b.priced {
			return first(a.priced)
		}
		if c := cmp.Compare(a.cost, b.cost); c != 0 && f.places[a.site].currency == f.places[b.site].currency {
			return c
		}
	}
	return cmp.Compare(a.to, b.to)
}

// binding names what keeps t from a cleaner place than c.
func (f *frame) binding(t *task, c candidate, all []seen) Binding {
	switch {
	case t.fixed():
		return BindingStarted
	case t.flaw == barred:
		return BindingDenied
	case t.flaw > dear:
		if slices.ContainsFunc(all, func(s seen) bool { return s.cause == noFull }) || t.flaw > late {
			return BindingCapacity
		}
		return BindingCompleteBy
	case t.looks() && !c.known:
		return BindingNoSignal
	case t.by == BindingMinSaving:
		return BindingMinSaving
	case t.near:
		return BindingHysteresis
	case t.spared:
		return BindingExpected
	}
	// What is cleaner, and was lost by what.
	var objective, full, late, denied bool
	for i := range all {
		s := &all[i]
		if !s.known || c.known && s.carbon >= c.carbon {
			continue
		}
		switch causesInOrder[s.cause] {
		case CauseDearer, CauseLater, CauseUnknown, CauseNotWorth:
			objective = true
		case CauseFull:
			full = full || s.affordable || t.Shape.Objective.CostCeiling <= 0
		case CauseDenied:
			denied = denied || s.affordable
		case CauseLate:
			late = late || !s.full && s.affordable
		}
	}
	if !t.cleans() && objective {
		return BindingObjective
	}
	if full || f.pausesBetter(t, c, true) {
		return BindingCapacity
	}
	if denied {
		return BindingDenied
	}
	if late || f.pausesBetter(t, c, false) {
		return BindingCompleteBy
	}
	return BindingNone
}

// pausesBetter reports whether work that may pause would be cleaner than c if
// its sites were empty, or else if it had no end to keep to.
func (f *frame) pausesBetter(t *task, c candidate, empty bool) bool {
	if !t.Shape.Interruptible.Allowed || !t.cleans() {
		return false
	}
	for t, site := range f.options(t, t.sites) {
		pauses := f.payable(t, site, waiver{})
		if pauses < 0 {
			continue
		}
		p := f.places[site]
		l, off, limit, until := p.load, f.off, time.Duration(forever), f.slots
		if empty {
			if !p.short(l, t, off, off+t.limit) {
				continue // it is as good as empty, and c was the best
			}
			l, off, limit = &load{}, 0, t.limit
		} else if t.limit >= f.slot(until)+t.tail {
			continue
		}
		fr := f.paused(t, f.carbonWeights(site), t.clear(f.free(p, l, t, off)), pauses, limit)
		if slot, ok := fr.best(); ok && f.measure(t, site, fr.trace(slot)).carbon < c.carbon {
			return true
		}
	}
	return false
}
