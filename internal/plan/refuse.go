package plan

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// refuse says why t has no place, given all that is placed: every constraint
// that fails, by how much, and the way out.
func (f *frame) refuse(t *task) Refusal {
	r := Refusal{Workload: t.ID}
	add := func(field, missing, nearest, format string, args ...any) {
		r.Failed = append(r.Failed, Failed{Field: field, Message: fmt.Sprintf(format, args...), Missing: missing, Nearest: nearest})
	}
	if t.lost {
		add("where", "the name of the site", "", "It is said to run, but not where: it is not started a second time.")
		return r
	}
	if !f.refuseSites(t, add) {
		return r
	}
	if !f.window(t, false) {
		add("after", "a place for what it waits for", "", "What it waits for has no place itself.")
		return r
	}
	fits := f.refuseSize(t, add)
	all := t
	t = f.quickest(t)
	earliest := f.slot(t.first)
	if t.first >= f.slots {
		add("when.notBefore", span(earliest-f.slot(f.slots-1)), stamp(f.at(f.slot(f.slots-1))), "It may not start within the %s that a plan looks ahead.", span(f.slot(f.slots)))
		return r
	}
	booked := t.bookedAtBest()
	if short := earliest + booked - t.limit; short > 0 && t.chained() && t.begin+t.length() <= t.due {
		add("when.completeBy", span(short), "", "What it waits for, and what waits for it, leave it %s of its window, and %s are booked for the work.",
			room(t.limit-earliest), span(t.length()))
	} else if short := earliest + booked - t.limit; short > 0 {
		add("when.completeBy", span(short), "", "The window is too short: %s are booked for the work, and %s kept free at the end.",
			span(booked), span(max(f.snap.Margin, 0)))
	}
	if len(r.Failed) == 0 {
		f.refuseDenied(t, add)
	}
	f.refuseCeilings(all, add)
	if len(r.Failed) == 0 {
		f.refuseShare(t, add)
	}
	if len(r.Failed) == 0 {
		gap := f.longestRoom(all)
		add("when.completeBy", span(max(booked-gap, f.step)), "",
			"Its sites are taken until then: the longest room before it ends is %s, and %s are booked for the work.", room(gap), span(booked))
	}
	if fits {
		r.NearestCompleteBy = f.nearest(all)
	}
	if !r.NearestCompleteBy.IsZero() {
		for i := range r.Failed {
			if r.Failed[i].Field == "when.completeBy" {
				r.Failed[i].Nearest = stamp(r.NearestCompleteBy)
			}
		}
	}
	return r
}

type adder func(field, missing, nearest, format string, args ...any)

// refuseSites reports whether any site may take t at all.
func (f *frame) refuseSites(t *task, add adder) bool {
	if len(t.sites) > 0 {
		return true
	}
	down := 0
	for _, p := range f.places {
		if !p.gone && Allowed(t.Shape.Where, p.Site) {
			down++
		}
	}
	if down > 0 {
		add("where.allow", "1 site that takes work", "", "%s that it may use, and none takes work now.", count(down, "site"))
		return false
	}
	nearest := ""
	for _, p := range f.places {
		if !p.Down {
			nearest = p.ID
			break
		}
	}
	add("where.allow", "1 site", nearest, "No site matches %q.", t.Shape.Where.Allow)
	return false
}

// refuseSize says what t needs more of than any one of its sites has. It
// reports whether one of them is large enough.
func (f *frame) refuseSize(t *task, add adder) bool {
	demand := t.demand
	if t.elastic() {
		demand = t.levels[0].demand
	}
	for v := range f.kinds(t) {
		if t.elastic() {
			smallest := *v
			smallest.demand = demand
			v = &smallest
		}
		for _, i := range t.sites {
			if f.places[i].holds(v) {
				return true
			}
		}
	}
	fields := [...]string{"shape.resources.cpus", "shape.resources.memory", "shape.power", "shape.resources"}
	told := false
	for r := range demand {
		var most int64
		for _, i := range t.sites {
			most = max(most, f.places[i].room[r])
		}
		if demand[r] > most {
			told = true
			add(fields[r], quantity(r, demand[r]-most), quantity(r, most), "It needs %s, and the largest of its sites has %s.", quantity(r, demand[r]), quantity(r, most))
		}
	}
	told = f.refuseCards(t, add) || told
	if !told {
		add("shape.resources", "one site with all of it", "", "Each thing that it needs is at one of its sites, but no site has all of them.")
	}
	return false
}

func quantity(r int, n int64) string {
	switch r {
	case 0:
		return fmt.Sprintf("%g CPUs", float64(n)/1000)
	case 1:
		return fmt.Sprintf("%d MiB", n)
	case 2:
		return grid.Power(n).String()
	}
	return count(int(min(n, mostAmount)), "slot")
}

// refuseCeilings compares the ceilings with the least that any place in time
// would take, even if nothing else were placed; in a window that is too short
// for the work, with the least of any place at all.
func (f *frame) refuseCeilings(t *task, add adder) {
	o := t.Shape.Objective
	var least floor
	for _, limit := range []time.Duration{t.limit, forever} {
		if least = f.least(t, limit); least.any {
			break
		}
	}
	carbon, known, cost, priced := least.carbon, least.known, least.cost, least.priced
	if c := o.CarbonCeiling; c > 0 && known && carbon > c {
		add("objective.carbonCeiling", (carbon - c).String(), carbon.String(), "The cleanest time there is emits %s; the ceiling is %s.", carbon, c)
	} else if c > 0 && !known {
		add("objective.carbonCeiling", "a known carbon intensity", "", "No carbon intensity is known in its window, so that nothing can be shown to stay under %s.", c)
	}
	if c := o.CostCeiling; c > 0 && priced && cost > c {
		add("objective.costCeiling", money(cost-c, o.Currency), money(cost, o.Currency), "The electricity costs at least %s; the ceiling is %s.", money(cost, o.Currency), money(c, o.Currency))
	} else if c > 0 && !priced {
		add("objective.costCeiling", "a known price", "", "No site that it may use has a price in %q, so that nothing can be shown to stay under %s.", o.Currency, money(c, o.Currency))
	}
}

// floor is the least that some work takes.
type floor struct {
	any, known, priced bool
	carbon             grid.Carbon
	cost               grid.Money
}

// least returns the floor of t at empty sites, if it must end by limit.
func (f *frame) least(t *task, limit time.Duration) (l floor) {
	for t, site := range f.options(t, t.sites) {
		p := f.places[site]
		see := func(known bool, carbon grid.Carbon, priced bool, cost grid.Money) {
			l.any = true
			if known && (!l.known || carbon < l.carbon) {
				l.carbon, l.known = carbon, true
			}
			if priced && p.currency == t.Shape.Objective.Currency && (!l.priced || cost < l.cost) {
				l.cost, l.priced = cost, true
			}
		}
		empty := t.clear((&load{}).free(amounts{}, p.room, 0, f.slots, f.step))
		f.tries(t, site, empty, true, nil, func(x *try) {
			if x.reserved <= limit {
				see(x.known, x.carbon, x.priced, x.cost)
			}
		})
		if t.elastic() {
			was := p.load
			p.load = &load{}
			for _, by := range []*curve{p.curve, p.rates, nil} {
				for _, c := range f.sizes(t, site, by, limit).lightest(offer{}) {
					see(c.known, c.carbon, c.priced, c.cost)
				}
			}
			p.load = was
			continue
		}
		if t.Shape.Interruptible.Allowed {
			for _, by := range []*curve{p.curve, p.rates} {
				if by == nil {
					continue
				}
				fr := f.paused(t, f.weigh(by), empty, t.pauses, limit)
				if slot, ok := fr.best(); ok {
					c := f.measure(t, site, fr.trace(slot))
					see(c.known, c.carbon, c.priced, c.cost)
				}
			}
		}
	}
	return l
}

func money(m grid.Money, currency string) string {
	return fmt.Sprintf("%.2f %s", float64(m)/1e6, currency)
}

// longestRoom returns the longest time within the window of t in which a site
// has room for it without a break.
func (f *frame) longestRoom(t *task) (most time.Duration) {
	for t, site := range f.options(t, t.sites) {
		for i, until := range f.freeAt(t, site) {
			if i >= t.first {
				most = max(most, min(until, t.limit)-f.slot(i))
			}
		}
	}
	return most
}

func room(d time.Duration) string {
	if d <= 0 {
		return "none"
	}
	return span(d)
}

// nearest returns the earliest completeBy with which t would find a place,
// given all that is placed; zero if none would do, or only one of which it is
// not known what would be denied.
func (f *frame) nearest(t *task) time.Time {
	free := *t
	free.limit = forever
	if len(t.Shape.When.Deny) > 0 {
		free.limit = t.due + workload.DenyAhead
	}
	free.due = free.limit
	c := f.offers(&free, free.sites, waiver{}).early
	if free.Shape.Interruptible.Allowed {
		// Work that pauses may be booked earlier than any run without one.
		free.Shape.Objective.Minimize = "time"
		if best := f.offers(&free, free.sites, waiver{}).best; best != nil && (c == nil || best.reserved < c.reserved) {
			c = best
		}
	}
	if c == nil {
		return time.Time{}
	}
	return wholeSecond(f.at(c.reserved + min(max(f.snap.Margin, 0), longest)))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
