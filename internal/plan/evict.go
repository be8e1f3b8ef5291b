package plan

import (
	"cmp"
	"slices"

	"clusy.io/clusy/internal/grid"
)

const (
	// mostEvictions is how many items, and places for them, evict looks at: each
	// look is a search at every site, and others wait for the plan.
	mostEvictions = 250
	// evictMost is for how many items it is tried at all. Among many, prices have
	// found nearly all that there is, and a look costs more.
	evictMost = 100
	// mostWishes is how many places are tried for one item.
	mostWishes = 4
)

// evict betters the plan where one item at a time cannot: it gives an item the
// place that it would have if nobody else were there, places anew all that are
// in its way, and keeps that if all together emit less. It goes on until nothing
// is gained any more, or it has tried often enough.
func (f *frame) evict(ts []*task) {
	if len(ts) > evictMost {
		return
	}
	looks := 0
	for gained := true; gained; {
		gained = false
		for _, t := range ts {
			if !t.placed || t.fixed() || t.flaw != sound || t.ruled() {
				continue
			}
			if looks++; looks > mostEvictions {
				return
			}
			for _, want := range f.wishes(t) {
				if looks++; looks > mostEvictions {
					return
				}
				if f.makeRoom(t, want, ts) {
					gained = true
					break
				}
			}
		}
	}
}

// ruled reports whether its pauses have rules: to plan those takes long.
func (t *task) ruled() bool {
	in := t.Shape.Interruptible
	return in.Allowed && (in.Overhead > 0 || in.MinRun > 0 || t.pauses != anyPauses)
}

// worth is by how much less all must emit for the move of t from a place: a move
// of what is promised is work for a site.
func (t *task) worth(from candidate) grid.Carbon {
	if !t.promised {
		return 0
	}
	return leastCarbon + from.carbon*leastShare/1000
}

// wishes returns places that t would have if nobody else were there, and that
// are cleaner than its own: the best at each site, and the best starts of a run
// without a pause; the cleanest first, at most mostWishes.
func (f *frame) wishes(t *task) (out []candidate) {
	loads := make([]*load, len(f.places))
	for i, p := range f.places {
		loads[i], p.load = p.load, &load{}
	}
	for t, site := range f.options(t, t.sites) {
		if t.Shape.Interruptible.Allowed {
			if o := f.offered(t, site, waiver{}); o.best != nil && o.best.known && o.best.carbon < t.at.carbon {
				out = append(out, *o.best)
			}
		}
		var best []try
		f.tries(t, site, f.freeAt(t, site), true, nil, func(c *try) {
			if c.known && !c.full && !c.denied && !c.late && c.affordable && c.carbon < t.at.carbon {
				best = append(best, *c)
			}
		})
		slices.SortStableFunc(best, func(a, b try) int { return cmp.Compare(a.carbon, b.carbon) })
		for _, c := range best[:min(len(best), mostWishes)] {
			out = append(out, f.measure(t, site, []stretch{{c.from, c.to}}))
		}
	}
	for i, p := range f.places {
		p.load = loads[i]
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return cmp.Compare(a.carbon, b.carbon) })
	return out[:min(len(out), mostWishes)]
}

// makeRoom puts t at c and everything of ts that is in its way elsewhere. It
// reports whether all together emit less by it; if not, all is as it was.
func (f *frame) makeRoom(t *task, c candidate, ts []*task) bool {
	moved := []*task{t}
	was := f.stays(moved)
	f.take(t)
	f.put(t, c, BindingNone)
	for f.flawOf(t, c) == crowded {
		q := f.inTheWay(t, ts, moved)
		if q == nil {
			break
		}
		was = append(was, f.stays([]*task{q})...)
		moved = append(moved, q)
		f.take(q)
	}
	gain := was[0].at.carbon - c.carbon - t.worth(was[0].at)
	ok := f.flawOf(t, c) == sound
	for i, q := range moved[1:] {
		if !ok {
			break
		}
		d := f.cleanest(q)
		if ok = d != nil && d.known; ok {
			gain += was[i+1].at.carbon - d.carbon - q.worth(was[i+1].at)
			f.put(q, *d, q.by)
		}
	}
	if ok && gain > 0 {
		t.flaw = sound
		return true
	}
	for _, q := range moved {
		if q.placed {
			f.take(q)
		}
	}
	f.restore(moved, was)
	return false
}

// inTheWay returns what shares time with t at its site and emits least there:
// it is the cheapest to have elsewhere.
func (f *frame) inTheWay(t *task, ts, not []*task) (most *task) {
	var least grid.Carbon
	for _, q := range ts {
		if !q.placed || q.fixed() || q.ruled() || q.at.site != t.at.site || slices.Contains(not, q) || !overlap(q.at, t.at) {
			continue
		}
		if most == nil || q.at.carbon < least {
			most, least = q, q.at.carbon
		}
	}
	return most
}

// overlap reports whether two candidates at one site share any time.
func overlap(a, b candidate) bool {
	for i, x := range a.runs {
		if i == len(a.runs)-1 {
			x.to = max(x.to, a.reserved)
		}
		for k, y := range b.runs {
			if k == len(b.runs)-1 {
				y.to = max(y.to, b.reserved)
			}
			if x.from < y.to && y.from < x.to {
				return true
			}
		}
	}
	return false
}
