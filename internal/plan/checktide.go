package plan

import (
	"slices"
	"time"
)

// tide is what is taken of a site from a time until the next tide.
type tide struct {
	from time.Time
	use  bill
}

// tides goes once over claims as they begin and end, and returns what all of
// them take, in order of time; the first tide begins with the first claim, and
// the last one is of nothing.
func tides(claims []claim) []tide {
	type edge struct {
		at   time.Time
		sign int64
		need *bill
	}
	edges := make([]edge, 0, 2*len(claims))
	for i := range claims {
		if c := &claims[i]; c.from.Before(c.to) {
			edges = append(edges, edge{c.from, 1, &c.need}, edge{c.to, -1, &c.need})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	out := make([]tide, 0, len(edges))
	var use bill
	for i, e := range edges {
		for r := range use {
			use[r] += e.sign * e.need[r]
		}
		if i+1 == len(edges) || edges[i+1].at.After(e.at) {
			out = append(out, tide{e.at, use})
		}
	}
	return out
}

// siteTides is a site over time, and who takes what of it.
type siteTides struct {
	claims int // that it is of
	of     []tide
	own    map[string][]claim // by workload
}

// tidesAt are the tides of a site, made when they are first asked for.
func (d *doubt) tidesAt(id string) siteTides {
	claims := d.taken[id]
	if got, ok := d.tides[id]; ok && got.claims == len(claims) {
		return got
	}
	if d.tides == nil {
		d.tides = map[string]siteTides{}
	}
	got := siteTides{len(claims), tides(claims), map[string][]claim{}}
	for _, c := range claims {
		got.own[c.workload] = append(got.own[c.workload], c)
	}
	d.tides[id] = got
	return got
}

// period is a time [from, to).
type period struct{ from, to time.Time }

// fullFor lists, in order, when a site has no room for an item beside all
// others: what the item itself takes there now is not counted.
func (d *doubt) fullFor(it Item, id string) (full []period) {
	need, room := needs(it, d.where(id)), has(d.where(id))
	site := d.tidesAt(id)
	all, own := site.of, site.own[it.ID]
	for i, l := range all {
		ends := l.from
		if i+1 < len(all) {
			ends = all[i+1].from
		}
		use := l.use
		for _, c := range own {
			// Where it begins and ends, a tide does.
			if !c.from.After(l.from) && c.to.After(l.from) {
				for r := range use {
					use[r] -= c.need[r]
				}
			}
		}
		for r := range use {
			use[r] += need[r]
		}
		if withinAll(use, need, room) {
			continue
		}
		if n := len(full); n > 0 && full[n-1].to.Equal(l.from) {
			full[n-1].to = ends
		} else {
			full = append(full, period{l.from, ends})
		}
	}
	return full
}
