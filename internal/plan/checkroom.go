package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// wish is what a promise that is not kept would need to be kept after all.
type wish struct {
	inTime  bool      // booked to be complete in time
	ceiling bool      // under its ceilings
	before  time.Time // done before that; zero: at any time
	site    string    // at this one; "": at any
}

// couldMove says why an item in a crowd has no excuse, "" if it has one.
func (d *doubt) couldMove(it Item) string {
	if !promisedBefore(it) {
		return "and it is new"
	}
	if at := d.roomFor(it, wish{}); at != "" {
		return "and it could run " + at
	}
	return ""
}

// excuses goes through the placements that are not what was promised.
func (d *doubt) excuses() error {
	for _, pl := range d.p.Placements {
		it := d.item(pl.Workload)
		if underWay(it) && !it.Shape.Interruptible.Allowed {
			if detail := d.overCeiling(it, pl); detail != "" && !promisedBefore(it) {
				return &Broken{pl.Workload, KeptCeiling, detail}
			}
			continue
		}
		away := holder(it) == "" && !d.open(it, pl.Site)
		late := pl.Reserved.After(d.due(it))
		dear := d.overCeiling(it, pl)
		switch {
		case d.crowd[pl.Workload]:
			// capacity has looked at it already
		case d.denied(it, pl) != "":
			if !promisedBefore(it) {
				return &Broken{pl.Workload, KeptDenied, d.denied(it, pl)}
			}
			if at := d.roomFor(it, wish{}); at != "" {
				return &Broken{pl.Workload, KeptDenied, fmt.Sprintf("%s, and it could run %s", d.denied(it, pl), at)}
			}
		case away:
			if at := d.roomFor(it, wish{}); at != "" {
				return &Broken{pl.Workload, KeptSite, fmt.Sprintf("%s takes no work of it, and it could run %s", pl.Site, at)}
			}
		case late:
			if at := d.roomFor(it, wish{inTime: true}); at != "" {
				return &Broken{pl.Workload, KeptTime, fmt.Sprintf("it is late, and would be in time %s", at)}
			}
			if at := d.roomFor(it, wish{before: pl.Finish()}); at != "" {
				return &Broken{pl.Workload, KeptTime, fmt.Sprintf("it is late, and would be done sooner %s", at)}
			}
		case dear != "":
			if !promisedBefore(it) {
				return &Broken{pl.Workload, KeptCeiling, dear}
			}
			if at := d.roomFor(it, wish{inTime: true, ceiling: true}); at != "" {
				return &Broken{pl.Workload, KeptCeiling, fmt.Sprintf("%s, and it would not be %s", dear, at)}
			}
		}
	}
	return nil
}

// overCeiling says which ceiling pl is above, "" if none.
func (d *doubt) overCeiling(it Item, pl Placement) string {
	o := it.Shape.Objective
	if o.CarbonCeiling > 0 && pl.Grade == "" {
		return "it has a ceiling of carbon, and its carbon is not known"
	}
	if o.CarbonCeiling > 0 && pl.Carbon > o.CarbonCeiling {
		return fmt.Sprintf("it emits %s, its ceiling is %s", pl.Carbon, o.CarbonCeiling)
	}
	if o.CostCeiling > 0 && (pl.Currency == "" || pl.Currency != o.Currency) {
		return fmt.Sprintf("it has a ceiling in %q, and its cost is in %q", o.Currency, pl.Currency)
	}
	if o.CostCeiling > 0 && pl.Cost > o.CostCeiling {
		return fmt.Sprintf("it costs %d, its ceiling is %d", pl.Cost, o.CostCeiling)
	}
	return ""
}

// roomFor looks for a run without a pause from the start of a slot, beside all
// others, that grants w. It says where and when, "" if there is none.
func (d *doubt) roomFor(it Item, w wish) string {
	for kind := range kinds(d.items[it.ID]) {
		if at := d.roomForKind(kind, w); at != "" {
			return at
		}
	}
	return ""
}

// roomForKind is roomFor on one kind of hardware.
func (d *doubt) roomForKind(it Item, w wish) string {
	owed, beyond := d.owed(it)
	over := within(it.Shape.Interruptible.Overhead)
	if waits(it) {
		owed += over
	}
	step := d.slot()
	slots := int(max(1, min(d.s.Horizon/step, 10_000)))
	var ids []string
	if h := holder(it); h != "" {
		ids = []string{h}
	} else {
		for _, id := range slices.Sorted(keys(d.sites)) {
			if d.open(it, id) && (w.site == "" || w.site == id) {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		if !withinAll(needs(it, d.where(id)), needs(it, d.where(id)), has(d.where(id))) {
			continue
		}
		full := d.fullFor(it, id)
		for i := range slots {
			length := owed
			if i > 0 && underWay(it) {
				if !d.mayStop(it) {
					break
				}
				length += over
			}
			from := d.now.Add(time.Duration(i) * step)
			to := from.Add(length)
			booked := to.Add(beyond)
			if !w.before.IsZero() && !to.Before(w.before) {
				break
			}
			if w.inTime && booked.After(d.due(it)) {
				break
			}
			if deniedBetween(it, from, booked) || from.Before(d.comes(it, d.where(id))) {
				continue
			}
			if next := d.goneBy(it); !next.IsZero() && booked.After(next) {
				break // somebody who waits for it starts then
			}
			for len(full) > 0 && !full[0].to.After(from) {
				full = full[1:]
			}
			if !underWay(it) && (from.Before(it.Shape.When.NotBefore) || from.Before(d.freeFrom(it))) || len(full) > 0 && full[0].from.Before(booked) {
				continue
			}
			if w.ceiling && d.wouldBeDear(it, id, from, to) {
				continue
			}
			return fmt.Sprintf("at %s from %s", id, from.Format(time.RFC3339))
		}
	}
	return ""
}

// mayStop reports whether a run under way can be suspended at once.
func (d *doubt) mayStop(it Item) bool {
	in := it.Shape.Interruptible
	return in.Allowed && (in.MaxSuspensions <= 0 || used(it) < in.MaxSuspensions) && within(d.now.Sub(it.RunSince)) >= within(in.MinRun)
}

func (d *doubt) wouldBeDear(it Item, site string, from, to time.Time) bool {
	pl := Placement{Spans: []Span{{Start: from, End: to}}}
	pl.Energy, pl.Carbon, pl.Grade, pl.Cost, pl.Currency = d.reckon(it, site, pl.Spans)
	return d.overCeiling(it, pl) != ""
}

// fitsBeside reports whether need has room from one time to another: it goes
// through the claims as they begin and end.
func fitsBeside(others []claim, need, room bill, from, to time.Time) bool {
	type edge struct {
		at   time.Time
		sign int64
		need *bill
	}
	var edges []edge
	for i := range others {
		if c := &others[i]; c.from.Before(to) && c.to.After(from) && c.from.Before(c.to) {
			edges = append(edges, edge{later(c.from, from), 1, &c.need}, edge{c.to, -1, &c.need})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.sign, b.sign)) // what ends makes room for what begins
	})
	sum := need
	if !withinAll(sum, need, room) {
		return false
	}
	for _, e := range edges {
		for r := range sum {
			sum[r] += e.sign * e.need[r]
		}
		if e.sign > 0 && !withinAll(sum, need, room) {
			return false
		}
	}
	return true
}
