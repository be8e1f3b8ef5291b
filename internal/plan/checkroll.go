package plan

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/access"
)

// roll is who has a claim on which site, as the doubting side counts it: from
// the placements, one by one, without the loads that places are chosen on.
type roll struct {
	s     Snapshot // without items
	sites map[string]Site
	rows  map[string][]row
	seat  map[string]seat // by workload
	line  *line           // who waits for whom; nil: nobody
	items map[string]Item // those in line
}

// row is what one workload claims at a site: from and to are its first and its
// last instant.
type row struct {
	workload string
	from, to time.Time
	claims   []claim
	tenant   access.Tenant
	queue    string
}

type seat struct {
	site string
	row  int
}

// at brings the roll to another moment.
func (r *roll) at(now time.Time, s Snapshot) {
	r.s = s
	r.sites = map[string]Site{}
	for _, st := range s.Sites {
		if _, twice := r.sites[st.ID]; !twice {
			r.sites[st.ID] = st
		}
	}
	if r.rows == nil {
		r.rows, r.seat = map[string][]row{}, map[string]seat{}
	}
}

// strike takes a workload off the roll.
func (r *roll) strike(id string) {
	at, ok := r.seat[id]
	if !ok {
		return
	}
	rows := r.rows[at.site]
	last := rows[len(rows)-1]
	rows[at.row] = last
	r.seat[last.workload] = at
	r.rows[at.site] = rows[:len(rows)-1]
	delete(r.seat, id)
}

// enter puts an item on the roll: with what its placement claims from now on,
// and at least with all that it still needs.
func (r *roll) enter(it Item) {
	d := &doubt{s: r.s, now: r.s.Now, sites: r.sites}
	it = standing(it)
	site := holder(it)
	if site == "" && it.Placement != nil {
		site = it.Placement.Site
	}
	if site == "" {
		return // nothing is promised to it, and no place is known
	}
	owed, beyond := d.owed(it)
	if waits(it) {
		owed += within(it.Shape.Interruptible.Overhead)
	}
	claims := d.elasticClaims(it, site, owed, beyond)
	if claims == nil {
		if p := it.Placement; p != nil && p.Site == site && it.Shape.Interruptible.Allowed {
			for _, s := range p.Spans {
				if from := later(s.Start, d.now); from.Before(s.End) {
					claims = append(claims, claim{from: from, to: s.End})
				}
			}
		} else if p != nil && p.Site == site && len(p.Spans) > 0 && !underWay(it) {
			from := later(p.Spans[0].Start, d.now)
			claims = append(claims, claim{from: from, to: from})
		}
		if len(claims) == 0 {
			claims = append(claims, claim{from: d.now, to: d.now})
		}
		if n := len(claims) - 1; n > 0 {
			owed += time.Duration(n) * within(it.Shape.Interruptible.Overhead)
		}
		for _, c := range claims[:len(claims)-1] {
			owed -= c.to.Sub(c.from)
		}
		// The last run goes on until the work is done.
		last := &claims[len(claims)-1]
		last.to = last.from.Add(max(owed, 0) + beyond)
	}
	for i := range claims {
		claims[i].workload = it.ID
		if len(it.Shape.Elastic) == 0 {
			claims[i].need = needs(it, d.where(site))
		}
	}
	r.seat[it.ID] = seat{site, len(r.rows[site])}
	r.rows[site] = append(r.rows[site], row{it.ID, claims[0].from, claims[len(claims)-1].to, claims, it.Tenant, queueName(it)})
}

// doubt returns a *Broken if p, the addition of items to the plan in force,
// does not keep every promise to each of them, or takes room that is promised.
func (r *roll) doubt(s Snapshot, items []Item, p Plan) error {
	d := &doubt{s: s, p: p, now: s.Now.Round(0).UTC(), sites: r.sites, items: map[string]Item{}, taken: map[string][]claim{}}
	if err := d.whole(); err != nil {
		return err
	}
	for _, it := range items {
		if promisedBefore(it) || it.Running {
			return &Broken{it.ID, KeptOnce, "it is not new"}
		}
		if len(it.Shape.After) > 0 {
			return &Broken{it.ID, KeptAfter, "it waits for others: only a whole plan can be doubted for that"}
		}
		r.strike(it.ID) // its place is being doubted, and is no claim of its own
	}
	d.s.Items = items
	if err := d.eachOnce(); err != nil {
		return err
	}
	if len(p.Unplaced) > 0 {
		return &Broken{p.Unplaced[0].Workload, KeptOnce, "what has no place is no addition"}
	}
	if err := d.placements(); err != nil {
		return err
	}
	for _, pl := range p.Placements {
		it := d.items[pl.Workload]
		if detail := d.overCeiling(it, pl); detail != "" {
			return &Broken{it.ID, KeptCeiling, detail}
		}
		if detail := d.denied(it, pl); detail != "" {
			return &Broken{it.ID, KeptDenied, detail}
		}
		if err := r.crowds(it, pl, d.where(pl.Site), d.now); err != nil {
			return err
		}
		if err := r.share(it, pl, d.now); err != nil {
			return err
		}
		it.Placement = &pl
		r.enter(it)
	}
	return nil
}

// crowds returns a *Broken if pl needs more than a site with so much room has
// left beside all other claims.
func (r *roll) crowds(it Item, pl Placement, st Site, now time.Time) error {
	it, _ = going(it, pl.Way)
	room := has(st)
	for i, span := range pl.Spans {
		need := needsOf(it, st, span.Size)
		c := claim{from: later(span.Start, now), to: span.End}
		if i == len(pl.Spans)-1 {
			c.to = later(span.End, pl.Reserved)
		}
		// At no instant is there more than all of them together.
		sum := need
		r.beside(pl.Site, c, func(o claim) {
			for i := range sum {
				sum[i] += o.need[i]
			}
		})
		if withinAll(sum, need, room) {
			continue
		}
		var others []claim
		r.beside(pl.Site, c, func(o claim) { others = append(others, o) })
		if !fitsBeside(others, need, room, c.from, c.to) {
			return &Broken{it.ID, KeptCapacity, fmt.Sprintf("%s has too little room for it beside what is promised", pl.Site)}
		}
	}
	return nil
}

// beside calls see with the claims at a site that overlap c.
func (r *roll) beside(site string, c claim, see func(claim)) {
	for i := range r.rows[site] {
		rw := &r.rows[site][i]
		if !rw.from.Before(c.to) || !rw.to.After(c.from) {
			continue
		}
		for _, o := range rw.claims {
			if o.from.Before(c.to) && o.to.After(c.from) {
				see(o)
			}
		}
	}
}

// withinAll reports whether sum is within room in all that is needed.
func withinAll(sum, need, room bill) bool {
	for i := range sum {
		if need[i] > 0 && room[i] >= 0 && sum[i] > room[i] {
			return false
		}
	}
	return true
}
