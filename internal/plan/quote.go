package plan

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// quoted are the times by which a quote moves completeBy.
var quoted = []time.Duration{time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// Quote says what more time would be worth to an item.
type Quote struct {
	More   time.Duration // later completeBy
	Site   string
	Start  time.Time
	Finish time.Time
	Carbon grid.Carbon // what it would emit
	Saves  grid.Carbon // how much less that is; 0 if more time is worth nothing
}

// Quotes returns what an item of p could save if its completeBy were later,
// while all others stay where p has them: the slots that more time gives it,
// at what is left of them. It returns none for what runs, for what is not there
// to be clean, and where nothing is known.
func Quotes(s Snapshot, p Plan, id string) []Quote {
	placed := map[string]*Placement{}
	for i, pl := range p.Placements {
		placed[pl.Workload] = &p.Placements[i]
	}
	s.Items = slices.Clone(s.Items)
	for i, it := range s.Items {
		if pl := placed[it.ID]; pl != nil {
			s.Items[i].Placement = pl
		}
	}
	f := newFrame(s)
	f.stand()
	t := f.task(id)
	if t == nil || !t.placed || t.Running || !t.cleans() || !t.at.known {
		return nil
	}
	here := t.at
	f.take(t)
	limit := t.due
	var out []Quote
	for _, more := range quoted {
		t.due, t.limit = limit+more, limit+more
		q := Quote{More: more, Site: f.places[here.site].ID, Start: f.at(here.start()), Finish: f.at(here.finish()), Carbon: here.carbon}
		if c := f.cleanest(t); c != nil && c.known && c.carbon < here.carbon {
			q.Site, q.Start, q.Finish, q.Carbon = f.places[c.site].ID, f.at(c.start()), f.at(c.finish()), c.carbon
			q.Saves = here.carbon - c.carbon
		}
		out = append(out, q)
	}
	return out
}
