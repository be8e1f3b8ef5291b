package plan

import (
	"cmp"
	"slices"
	"time"

	"clusy.io/clusy/internal/workload"
)

// mostRejected is how many alternatives are shown.
const mostRejected = 3

// seen is a try of why, with what became of it.
type seen struct {
	try
	site  int
	cause Cause // "" if it is what was chosen
}

// why explains the placement of t, which is taken out. The candidates that it
// counts and compares are the runs without a pause from the start of each slot
// at each site that where.allow names: few enough to be computed again by hand.
func (f *frame) why(t *task) Reasons {
	c := t.at
	all, found := f.survey(t, c)
	r := Reasons{Signals: f.signals(c), Rejected: []Alternative{}, Considered: len(all), Fell: map[Cause]int{}}
	if !found {
		r.Considered++ // a paused run, or one that does not begin with a slot
	}
	for _, s := range all {
		if s.cause != "" {
			r.Fell[s.cause]++
		}
	}
	var now *candidate
	if !t.Running {
		// Like the baseline of the ledger: at once, at home, which is the
		// first of its sites that has room at all.
		for _, site := range t.sites {
			if now = f.offered(t, site, waiver{}).early; now != nil {
				r.RunNow = f.alternative(t, *now, c)
				break
			}
		}
	}
	for _, s := range f.notable(t, c, all) {
		m := f.measure(t, s.site, []stretch{{s.from, s.to}})
		a := f.alternative(t, m, c)
		a.Cause = s.cause
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
	all = make([]seen, 0, len(sites)*max(f.slots-t.first, 0))
	for _, site := range sites {
		f.tries(t, site, f.freeAt(t, site), func(x *try) {
			s := seen{try: *x, site: site}
			if site == c.site && len(c.runs) == 1 && c.runs[0] == (stretch{x.from, x.to}) {
				found = true
			} else {
				s.cause = f.cause(t, c, &s)
			}
			all = append(all, s)
		})
	}
	return all, found
}

// cause says why s was not chosen.
func (f *frame) cause(t *task, c candidate, s *seen) Cause {
	p := f.places[s.site]
	switch {
	case p.Down && t.hold < 0:
		return CauseDown
	case s.late:
		return CauseLate
	case s.full:
		return CauseFull
	case !s.affordable:
		return CauseCeiling
	}
	return f.lost(t, c, candidate{site: s.site, runs: []stretch{{s.from, s.to}}, known: s.known, carbon: s.carbon, cost: s.cost})
}

// lost says what a candidate that was possible lost by.
func (f *frame) lost(t *task, c, s candidate) Cause {
	later := s.finish() >= c.finish()
	switch t.Shape.Objective.Minimize {
	case workload.MinimizeTime:
		if later {
			return CauseLater
		}
		return CauseNotWorth
	case workload.MinimizeCost:
		cur := f.currency(t)
		switch mine, its := f.places[c.site].Currency, f.places[s.site].Currency; {
		case cur != "" && mine == cur && its != cur:
			return CauseUnknown
		case cur != "" && mine == cur && s.cost > c.cost:
			return CauseDearer
		case cur != "" && mine == cur && s.cost < c.cost || !later:
			return CauseNotWorth
		}
		return CauseLater
	}
	switch {
	case c.known && !s.known:
		return CauseUnknown
	case !c.known && later:
		return CauseLater
	case !c.known && !s.known:
		return CauseUnknown // as the chosen one; it waits for an intensity to become known
	case c.known && s.carbon > c.carbon:
		return CauseDirtier
	case c.known && s.carbon == c.carbon && later:
		return CauseLater
	}
	return CauseNotWorth
}

// alternative describes a candidate beside the chosen one.
func (f *frame) alternative(t *task, a, c candidate) *Alternative {
	out := &Alternative{Site: f.places[a.site].ID, Start: f.at(a.start()), Finish: f.at(a.finish()),
		Carbon: a.carbon, Known: a.known, DFinish: a.finish() - c.finish()}
	if a.known && c.known {
		out.DCarbon = a.carbon - c.carbon
	}
	if cur := f.places[a.site].Currency; cur != "" && cur == f.places[c.site].Currency {
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
	shown := map[Cause]bool{}
	for _, anyCause := range []bool{false, true} {
		for len(out) < mostRejected {
			best := -1
			for i := range all {
				s := &all[i]
				if s.cause == "" || s.cause == CauseDown || !anyCause && shown[s.cause] || near(s.site, s.from, c.site, c.start(), apart) ||
					slices.ContainsFunc(out, func(o seen) bool { return near(s.site, s.from, o.site, o.from, apart) }) {
					continue
				}
				if best < 0 || f.rivals(t, *s, all[best]) < 0 {
					best = i
				}
			}
			if best < 0 {
				break
			}
			shown[all[best].cause] = true
			out = append(out, all[best])
		}
	}
	slices.SortStableFunc(out, func(a, b seen) int { return f.rivals(t, a, b) })
	return out
}

func near(siteA int, a time.Duration, siteB int, b, apart time.Duration) bool {
	return siteA == siteB && max(a-b, b-a) < apart
}

// rivals orders tries by the objective.
func (f *frame) rivals(t *task, a, b seen) int {
	if t.cleans() {
		if a.known != b.known {
			return first(a.known)
		}
		return cmp.Or(cmp.Compare(a.carbon, b.carbon), cmp.Compare(a.to, b.to))
	}
	if t.Shape.Objective.Minimize == workload.MinimizeCost {
		if c := cmp.Compare(a.cost, b.cost); c != 0 && f.places[a.site].Currency == f.places[b.site].Currency {
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
	case t.flaw > dear:
		if slices.ContainsFunc(all, func(s seen) bool { return s.cause == CauseFull }) || t.flaw > late {
			return BindingCapacity
		}
		return BindingCompleteBy
	case t.cleans() && !c.known:
		return BindingNoSignal
	case t.by == BindingMinSaving:
		return BindingMinSaving
	case t.near:
		return BindingHysteresis
	}
	cleaner := func(s seen, causes ...Cause) bool {
		return s.known && (!c.known || s.carbon < c.carbon) && slices.Contains(causes, s.cause)
	}
	if !t.cleans() && slices.ContainsFunc(all, func(s seen) bool {
		return cleaner(s, CauseDearer, CauseLater, CauseUnknown, CauseNotWorth)
	}) {
		return BindingObjective
	}
	if slices.ContainsFunc(all, func(s seen) bool {
		return cleaner(s, CauseFull) && (s.affordable || t.Shape.Objective.CostCeiling <= 0)
	}) || f.pausesBetter(t, c, true) {
		return BindingCapacity
	}
	if slices.ContainsFunc(all, func(s seen) bool { return cleaner(s, CauseLate) && !s.full && s.affordable }) || f.pausesBetter(t, c, false) {
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
	for _, site := range t.sites {
		pauses := f.payable(t, site, waiver{})
		if pauses < 0 {
			continue
		}
		p := f.places[site]
		l, off, limit, until := p.load, f.off, time.Duration(forever), f.slots
		if empty {
			if !l.lacks(off, off+t.limit, t.demand, p.room) {
				continue // it is as good as empty, and c was the best
			}
			l, off, limit = &load{}, 0, t.limit
		} else if t.limit >= f.slot(until)+t.tail {
			continue
		}
		fr := f.paused(t, f.carbonWeights(site), l.free(t.demand, p.room, off, f.slots, f.step), pauses, limit)
		if slot, ok := fr.best(); ok && f.measure(t, site, fr.trace(slot)).carbon < c.carbon {
			return true
		}
	}
	return false
}
