package plan

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// World is what is on record at one moment.
type World struct {
	Now        time.Time
	Parent     string
	Sites      []Site
	Open       []workload.Workload // all that are not in a terminal state
	Attempts   []workload.Attempt  // the newest attempt of each that has one
	Placements []Placement
	Forecasts  map[grid.Zone][]grid.Series // the most trusted first
	Prices     map[grid.Zone][]grid.Prices // of the market, in the zones of the sites
	Queues     []workload.Queue            // that tenants have set up
	Closed     map[string][]workload.Span  // to which workloads budgets close which times
}

// Rules are the settings of a plan that are not facts of the world.
type Rules struct {
	Step    time.Duration
	Horizon time.Duration
	Margin  time.Duration
	Basis   grid.Basis // of the intensities that are planned on; AverageLifecycle if it is not given
}

// PlansOn returns the basis of the intensities that are planned on and booked.
func (r Rules) PlansOn() grid.Basis {
	if r.Basis == (grid.Basis{}) {
		return grid.AverageLifecycle
	}
	return r.Basis
}

// Observe makes the snapshot that a plan is decided on. Series issued after
// Now are left out: a plan must not know the future, whatever the record holds.
func Observe(w World, r Rules) Snapshot {
	s := Snapshot{
		Now: w.Now, Parent: w.Parent, Step: r.Step, Horizon: r.Horizon, Margin: r.Margin,
		Sites: w.Sites, Outlook: outlook(r.PlansOn(), w.Forecasts, w.Now), Prices: market(w.Prices, w.Now),
		Queues: w.Queues,
	}
	attempts := map[string]*workload.Attempt{}
	for i := range w.Attempts {
		attempts[w.Attempts[i].Workload] = &w.Attempts[i]
	}
	placements := map[string]*Placement{}
	for i := range w.Placements {
		placements[w.Placements[i].Workload] = &w.Placements[i]
	}
	for _, wl := range w.Open {
		it := itemOf(wl, attempts[wl.ID], placements[wl.ID], w.Now)
		it.Closed = w.Closed[wl.ID]
		s.Items = append(s.Items, it)
	}
	return s
}

// outlook is what is expected, without what was issued after now.
func outlook(basis grid.Basis, forecasts map[grid.Zone][]grid.Series, now time.Time) grid.Outlooks {
	told := map[grid.Zone][]grid.Series{}
	for zone, series := range forecasts {
		for _, f := range series {
			if !f.Issued.After(now) {
				told[zone] = append(told[zone], f)
			}
		}
	}
	return grid.BelieveAll(basis, told)
}

// market is what electricity is known to cost, without what was issued after
// now and what has ended by then.
func market(prices map[grid.Zone][]grid.Prices, now time.Time) map[grid.Zone][]grid.Prices {
	told := map[grid.Zone][]grid.Prices{}
	for zone, ps := range prices {
		for _, p := range ps {
			if !p.Issued.After(now) && p.End().After(now) {
				told[zone] = append(told[zone], p)
			}
		}
	}
	return told
}

// Zones returns the zones in which sites are, sorted.
func Zones(sites []Site) []grid.Zone {
	var zones []grid.Zone
	for _, s := range sites {
		zones = append(zones, s.Zone)
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// itemOf is a workload as the planner sees it, with its live attempt and its
// placement, nil if it has none.
func itemOf(w workload.Workload, a *workload.Attempt, p *Placement, now time.Time) Item {
	it := Item{ID: w.ID, Tenant: w.Tenant, Shape: w.Shape, Placement: p}
	if a == nil || !w.State.AtSite() && w.State != workload.Offered {
		return it
	}
	it.Pinned = a.Site
	it.Done = a.Active
	it.Suspensions = a.Suspensions
	if !a.RunSince.IsZero() {
		it.Running = true
		it.RunSince = a.RunSince
		// Active was true when the site said it; it has run on since.
		if d := now.Sub(a.Seen); d > 0 {
			speed, ok := w.Shape.SpeedAt(a.Size)
			if !ok {
				speed = workload.Declared
			}
			it.Done += workload.Useful(min(d, longest), speed)
		}
	}
	return it
}
