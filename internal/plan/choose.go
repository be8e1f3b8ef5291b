package plan

import (
	"cmp"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// waiver says which constraints a promise that cannot be kept may break, so
// that it is broken as little as possible.
type waiver struct{ ceilings, late bool }

// offer is what one site, or all of them, can do for a task.
type offer struct {
	best  *candidate // by the objective
	early *candidate // the earliest finish; of equals the cleanest
	last  *candidate // the latest start
}

// choose returns the best candidate for t among sites, given all that is
// placed, and what decided. It returns nil if there is none.
func (f *frame) choose(t *task, sites []int, w waiver) (*candidate, Binding) {
	o := f.offers(t, sites, w)
	switch {
	case o.best == nil:
		return nil, ""
	case t.looks() && !o.best.known && t.Shape.Policy.OnNoSignal == workload.RunNow:
		return or(o.early, o.best), BindingNoSignal
	case t.looks() && !o.best.known:
		// An intensity may become known until the latest safe start; a later
		// plan sees to that.
		return or(o.last, o.best), BindingNoSignal
	case o.early != nil && f.notWorth(t, *o.best, *o.early):
		return o.early, BindingMinSaving
	}
	return o.best, BindingNone
}

// offers joins what the sites offer t.
func (f *frame) offers(t *task, sites []int, w waiver) (o offer) {
	for v, site := range f.options(t, sites) {
		got := f.offered(v, site, w)
		if got.best != nil && (o.best == nil || f.compare(t, *got.best, *o.best) < 0) {
			o.best = got.best
		}
		if got.early != nil && (o.early == nil || sooner(*got.early, *o.early) < 0) {
			o.early = got.early
		}
		if got.last != nil && (o.last == nil || got.last.start() > o.last.start()) {
			o.last = got.last
		}
	}
	return o
}

func or(a, b *candidate) *candidate {
	if a != nil {
		return a
	}
	return b
}

// sooner orders candidates by finish; what is known, and cleaner, is first of equals.
func sooner(a, b candidate) int {
	if c := cmp.Compare(a.finish(), b.finish()); c != 0 {
		return c
	}
	if a.known != b.known {
		return first(a.known)
	}
	return cmp.Compare(a.carbon, b.carbon)
}

// notWorth reports whether waiting for best saves less than minSaving of what
// early costs.
func (f *frame) notWorth(t *task, best, early candidate) bool {
	share := int64(min(max(t.Shape.Objective.MinSaving, 0), 1000))
	if share == 0 || best.finish() <= early.finish() {
		return false
	}
	if was, ok := f.total(t, early); ok && t.adds() {
		is, ok := f.total(t, best)
		return ok && was > 0 && below(int64(was-is), int64(was), share)
	}
	switch m := t.Shape.Objective.Minimize; {
	case m == workload.MinimizeTime:
		return false
	case m == workload.MinimizeCost && !t.adds():
		cur := f.currency(t)
		if !f.costs(best, cur) || !f.costs(early, cur) || early.cost <= 0 {
			return false
		}
		return below(int64(early.cost-best.cost), int64(early.cost), share)
	}
	return best.known && early.known && below(int64(early.carbon-best.carbon), int64(early.carbon), share)
}

// below reports whether part is less than so many thousandths of whole.
func below(part, whole, thousandths int64) bool {
	return float64(part)*1000 < float64(whole)*float64(thousandths)
}

// offered returns what one site can do for t.
func (f *frame) offered(t *task, site int, w waiver) offer {
	var o offer
	if !f.window(t, false) {
		return o
	}
	free := f.freeAt(t, site)
	var best, early, last try // none yet if it ends at 0
	scale := f.scale(t, site)
	f.tries(t, site, free, false, scale, func(c *try) {
		// One that begins later is later, but for a run under way: it pays for its
		// resume only from the second start on.
		c.enough = c.late && !w.late && c.slot > 0
		if c.full || c.late && !w.late || !c.affordable && !w.ceilings {
			return
		}
		if early.to == 0 || c.to < early.to {
			early = *c
		}
		last = *c
		if c.weighed && (best.to == 0 || c.weight < best.weight) {
			best = *c
		}
	})
	single := func(c try) *candidate {
		if c.to == 0 {
			return nil
		}
		m := f.measure(t, site, []stretch{{c.from, c.to}})
		return &m
	}
	o.early, o.last = single(early), single(last)
	if scale != nil {
		o.best = single(best)
	} else {
		o.best = o.early
	}
	if t.Shape.Interruptible.Allowed && !w.late {
		f.offerPauses(t, site, free, w, &o)
	}
	if t.elastic() {
		f.offerSizes(t, site, w, &o)
	}
	if o.best == nil {
		o.best = o.early
	}
	return o
}

// offerPauses betters what a site offers by suspending the work in between.
func (f *frame) offerPauses(t *task, site int, free []time.Duration, w waiver, o *offer) {
	pauses := f.payable(t, site, w)
	if pauses < 0 {
		return
	}
	ok := func(c candidate) bool {
		return w.ceilings || t.affordable(f.places[site], c.known, c.carbon, c.priced, c.cost)
	}
	p, scale := f.places[site], f.scale(t, site)
	capped := t.Shape.Objective.CarbonCeiling > 0 && !w.ceilings
	// The lightest is enough: if it breaks its ceiling, all do. A ceiling of
	// another thing may leave only the lightest by that.
	scales := []*curve{scale}
	if dear := p.rates; dear != nil && dear != scale && t.Shape.Objective.CostCeiling > 0 && !w.ceilings {
		scales = append(scales, dear)
	}
	if capped && p.curve != scale {
		scales = append(scales, p.curve)
	}
	lightest := func(pauses int) *candidate {
		for _, by := range scales {
			fr := f.paused(t, f.weigh(by), free, pauses, t.limit)
			if slot, found := fr.best(); found {
				if c := f.measure(t, site, fr.trace(slot)); ok(c) {
					return &c
				}
			}
		}
		return nil
	}
	// The soonest under a ceiling: each finish has its own cleanest way.
	soonest := func(pauses int) *candidate {
		wts := f.noWeights()
		switch {
		case capped:
			wts = f.carbonWeights(site)
		case p.rates != nil && t.Shape.Objective.CostCeiling > 0 && !w.ceilings:
			wts = f.weigh(p.rates)
		}
		fr := f.paused(t, wts, free, pauses, t.limit)
		for slot, v := range fr.least {
			if v >= none {
				continue
			}
			if c := f.measure(t, site, fr.trace(slot)); ok(c) {
				return &c
			}
		}
		return nil
	}
	if o.early == nil {
		o.early = soonest(pauses)
	}
	switch m := t.Shape.Objective.Minimize; {
	case m == workload.MinimizeTime:
		o.best = soonest(pauses)
	case m == workload.MinimizeCost && scale == nil:
		// Fewer resumes are cheaper, if resuming costs anything: no run without
		// one is given up.
		n, most := 0, min(pauses, maxPauses)
		if t.overhead() == 0 {
			n, most, o.best = pauses, pauses, nil
		}
		for ; n <= most && o.best == nil; n++ {
			o.best = soonest(n)
		}
	default:
		if c := lightest(pauses); c != nil && (o.best == nil || f.compare(t, *c, *o.best) < 0) {
			o.best = c
		}
	}
	if o.best == nil {
		o.best = o.early
	}
}

// scale is the curve by which what t is to make small is weighed at a site; nil
// if all times weigh the same there.
func (f *frame) scale(t *task, site int) *curve {
	if _, hauls := t.haul(f.places[site]); hauls && !t.cleans() {
		// What the data's home asks for it is not known.
		if t.adds() {
			return f.places[site].curve
		}
		return nil
	}
	if p := f.places[site]; t.adds() {
		if p.currency != f.currency(t) {
			return p.curve
		}
		return f.sum(p, t.Shape.Objective.CarbonPrice)
	}
	switch t.Shape.Objective.Minimize {
	case workload.MinimizeTime:
		return nil
	case workload.MinimizeCost:
		if p := f.places[site]; p.currency == f.currency(t) {
			return p.rates
		}
		return nil
	}
	return f.places[site].curve
}

// payable returns how many pauses t can make at a site without breaking its
// ceiling of cost by the overheads alone; -1 if not even one run is in it.
func (f *frame) payable(t *task, site int, w waiver) int {
	p, o := f.places[site], t.overhead()
	price, flat := p.tariff.Flat()
	if w.ceilings || t.Shape.Objective.CostCeiling <= 0 || flat && price <= 0 || p.rates != nil {
		return t.pauses
	}
	cost := func(n int) grid.Money {
		return grid.Charged(facility(t.power, t.left+t.lead+time.Duration(n)*o, p.pue), price)
	}
	if !t.affordable(p, true, 0, flat, cost(0)) {
		return -1
	}
	if o == 0 {
		return t.pauses
	}
	n := 0
	for n < min(t.pauses, maxPauses) && t.affordable(p, true, 0, flat, cost(n+1)) {
		n++
	}
	return n
}
