package plan

import (
	"cmp"
	"slices"
	"time"
)

const (
	// carryRounds is how often Carry goes through what is left: one may have to
	// go before another can take its place.
	carryRounds = 3
	// carryLooks is how many claims Carry looks at in all: it is done in a
	// transaction that others wait for.
	carryLooks = 1_000_000
)

// Carry carries over what was decided for the world as it was a moment ago into
// s, the world as it is now: moves are the placements that were to change, made
// for the same Now and on the same Outlook. It returns the plan that follows
// s.Parent and says nothing but the moves that still hold; and those of what is
// open and does not run that do not, or were too many to look at.
//
// The moves are made one by one. Each is doubted beside all that is in force by
// then: it must keep every promise to its own workload as that stands now, and
// take nothing that is promised to another. So after each of them all is kept
// that was kept before, whatever becomes of the others. What is promised later
// than it must be passes only if it would be no sooner where it is, or if its
// site takes no work: there it has no promise at all, and a ceiling may be broken
// too.
func Carry(s Snapshot, moves []Placement) (p Plan, left []Placement) {
	p = Plan{Parent: s.Parent, At: s.Now, Placements: []Placement{}, Unplaced: []Refusal{}}
	s.Now = s.Now.Round(0).UTC()
	r := roll{}
	r.at(s.Now, s)
	items := map[string]Item{}
	for _, it := range s.Items {
		if _, twice := items[it.ID]; !twice {
			items[it.ID] = it
			r.enter(it)
		}
	}
	r.line, r.items = lineUp(items), items
	for _, pl := range moves {
		if _, open := items[pl.Workload]; open {
			left = append(left, pl)
		}
	}
	stuck := func(id string) int {
		if r.stuck(items[id]) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(left, func(a, b Placement) int { return cmp.Compare(stuck(a.Workload), stuck(b.Workload)) })

	looks := 0
	for range carryRounds {
		before := len(left)
		left = slices.DeleteFunc(left, func(pl Placement) bool {
			if looks > carryLooks {
				return false
			}
			looks += 1 + len(pl.Spans)*len(r.rows[pl.Site])
			if r.move(items[pl.Workload], pl) != nil {
				return false
			}
			p.Placements = append(p.Placements, pl)
			return true
		})
		if len(left) == before || len(left) == 0 {
			break
		}
		slices.Reverse(left) // of those that wait for each other, the last may have to move first
	}
	left = slices.DeleteFunc(left, func(pl Placement) bool { return items[pl.Workload].Running })
	slices.SortFunc(p.Placements, func(a, b Placement) int { return cmp.Compare(a.Workload, b.Workload) })
	p.ID = NewID(p)
	return p, left
}

// stuck reports whether an item that may go anywhere is promised a site that
// takes no work of it.
func (r *roll) stuck(it Item) bool {
	d := &doubt{sites: r.sites}
	return holder(it) == "" && promisedBefore(it) && !d.open(it, it.Placement.Site)
}

// until returns the end of what a workload claims, zero if it claims nothing.
func (r *roll) until(id string) time.Time {
	at, ok := r.seat[id]
	if !ok {
		return time.Time{}
	}
	return r.rows[at.site][at.row].to
}

// move gives an item another place on the roll, or returns a *Broken and leaves
// the roll as it is.
func (r *roll) move(it Item, pl Placement) error {
	d := &doubt{s: r.s, p: Plan{Placements: []Placement{pl}}, now: r.s.Now, sites: r.sites, items: r.items, line: r.line, taken: map[string][]claim{}}
	if err := d.placements(); err != nil {
		return err
	}
	if detail := r.outOfTurn(it, pl); detail != "" {
		return &Broken{it.ID, KeptAfter, detail}
	}
	if detail := d.denied(it, pl); detail != "" {
		return &Broken{it.ID, KeptDenied, detail}
	}
	if !r.stuck(it) {
		if pl.Reserved.After(d.due(it)) && r.until(it.ID).Before(pl.Reserved) {
			return &Broken{it.ID, KeptTime, "its booked time ends at " + pl.Reserved.Format(time.RFC3339)}
		}
		if detail := d.overCeiling(it, pl); detail != "" {
			return &Broken{it.ID, KeptCeiling, detail}
		}
	}
	r.strike(it.ID) // what it leaves is no claim beside it
	if err := r.crowds(it, pl, d.where(pl.Site), d.now); err != nil {
		r.enter(it)
		return err
	}
	it.Placement = &pl
	r.enter(it)
	return nil
}
