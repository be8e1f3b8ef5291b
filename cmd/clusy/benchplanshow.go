package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// planRow is what came of planning one instance. Carbon is in grams of CO2
// equivalent; what is unknown is left out.
type planRow struct {
	Instance string   `json:"instance"`
	Aim      string   `json:"aim,omitempty"`
	Intents  int      `json:"intents"`
	Sites    int      `json:"sites"`
	Slots    int      `json:"slots"`
	Minutes  float64  `json:"slot_minutes"`
	Zones    []string `json:"zones"`

	// Of what was made up.
	Seed        *uint64  `json:"seed,omitempty"`
	From        string   `json:"from,omitempty"`
	Carbon      string   `json:"carbon,omitempty"`
	Jobs        string   `json:"jobs,omitempty"`
	Slack       string   `json:"slack,omitempty"`
	Utilisation *float64 `json:"utilisation,omitempty"`
	Rigid       *float64 `json:"rigid,omitempty"`
	Movable     *float64 `json:"movable,omitempty"`
	Clamped     int      `json:"clamped,omitempty"` // due after the last slot

	Gap      float64 `json:"gap"`   // (cost + missing - bound) / |bound|
	Bound    float64 `json:"bound"` // no plan has less cost + missing
	Cost     float64 `json:"cost"`
	Missing  float64 `json:"missing"` // charged for intents without a place
	Unplaced int     `json:"unplaced"`
	Moved    int     `json:"moved,omitempty"` // intents, by a re-plan
	Wall     float64 `json:"wall_s"`
	CPU      float64 `json:"cpu_s,omitempty"`
	RSS      float64 `json:"rss_mb,omitempty"`
	Workers  int     `json:"workers"`
	Repeats  int     `json:"repeats"`

	Now           *otherPlan `json:"run_now"`
	ByArrival     *otherPlan `json:"greedy_arrival"`
	BySlack       *otherPlan `json:"greedy_slack"`
	ByFlexibility *otherPlan `json:"greedy_flexibility"`
	Saved         *float64   `json:"saved,omitempty"`       // against run-now, of cost + missing
	SavedBound    *float64   `json:"saved_bound,omitempty"` // the same of the bound
	Share         *float64   `json:"share_of_bound,omitempty"`
	Ratio         *float64   `json:"ratio_to_greedy,omitempty"` // to that by arrival
	RatioBest     *float64   `json:"ratio_to_best_greedy,omitempty"`

	Private *privatePlan `json:"private,omitempty"`
	Online  *onlinePlan  `json:"online,omitempty"` // the seconds above are of the plan that knows all

	Verified bool   `json:"verified"`
	Machine  string `json:"machine"`
	Version  string `json:"version"`
}

// otherPlan is how somebody else plans it.
type otherPlan struct {
	Cost     float64  `json:"cost"`
	Missing  float64  `json:"missing"`
	Unplaced int      `json:"unplaced"`
	Saved    *float64 `json:"saved,omitempty"`
}

// of writes down a plan that is to be verified.
func (r *planRow) of(w *world.World, in *fleet.Instance, s *fleet.Solution) {
	r.Intents, r.Sites, r.Slots, r.Minutes, r.Zones = len(in.Jobs), len(in.Sites), in.Slots(), w.Slot.Minutes(), w.Zones
	r.Gap, r.Bound, r.Cost, r.Missing, r.Unplaced = s.Gap(), s.Bound, s.Cost, s.Missing, s.Unplaced
	r.Machine = fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	r.Version = versionWithCommit()
}

// compare plans the instance as others do. Their plans are verified too.
func (r *planRow) compare(w *world.World, in *fleet.Instance, s *fleet.Solution) error {
	r.Verified = true
	now := world.RunNow(w, in)
	base := now.Cost + now.Missing
	saved := func(total float64) *float64 {
		if base <= 0 {
			return nil // there is nothing to save a share of
		}
		v := (base - total) / base
		return &v
	}
	other := func(s fleet.Solution) (*otherPlan, error) {
		return &otherPlan{s.Cost, s.Missing, s.Unplaced, saved(s.Cost + s.Missing)}, fleet.Verify(in, &s)
	}
	for _, o := range []struct {
		name string
		plan fleet.Solution
		to   **otherPlan
	}{
		{"run-now", now, &r.Now},
		{"greedy by arrival", world.Greedy(in, world.ByArrival), &r.ByArrival},
		{"greedy by slack", world.Greedy(in, world.BySlack), &r.BySlack},
		{"greedy by flexibility", world.Greedy(in, world.ByFlexibility), &r.ByFlexibility},
	} {
		var err error
		if *o.to, err = other(o.plan); err != nil {
			return fmt.Errorf("%s: the plan of %s does not hold: %w", r.Instance, o.name, err)
		}
	}
	r.Saved, r.SavedBound = saved(s.Cost+s.Missing), saved(s.Bound)
	if r.Saved == nil || *r.SavedBound <= 0 {
		return nil
	}
	share := *r.Saved / *r.SavedBound
	r.Share = &share
	ratio := func(greedy float64) *float64 {
		if greedy <= 0 {
			return nil // it saves nothing
		}
		v := *r.Saved / greedy
		return &v
	}
	r.Ratio = ratio(*r.ByArrival.Saved)
	r.RatioBest = ratio(max(*r.ByArrival.Saved, *r.BySlack.Saved, *r.ByFlexibility.Saved))
	return nil
}

func (r *planRow) show(w io.Writer) error {
	fmt.Fprintf(w, "%s · %d intents, %d sites, %d slots of %g min\n", paint(w, bold, r.Instance), r.Intents, r.Sites, r.Slots, r.Minutes)
	fmt.Fprintf(w, "  gap      %s · cost %.10g g, bound %.10g g", paint(w, bold, percentOf(r.Gap, 4)), r.Cost, r.Bound)
	if r.Unplaced > 0 {
		fmt.Fprintf(w, " · %d without a place, charged %.10g g", r.Unplaced, r.Missing)
	}
	fmt.Fprintf(w, "\n  took     %.3f s", r.Wall)
	if r.CPU > 0 {
		fmt.Fprintf(w, ", CPU %.3f s, by %d workers", r.CPU, r.Workers)
	}
	if r.RSS > 0 {
		fmt.Fprintf(w, " · memory %.0f MB", r.RSS)
	}
	if r.Aim != "" {
		fmt.Fprintf(w, " · aim: %s", r.Aim)
	}
	if r.Moved > 0 {
		fmt.Fprintf(w, "\n  moved    %d intents", r.Moved)
	}
	fmt.Fprintln(w)
	if r.Saved != nil {
		fmt.Fprintf(w, "  saved    %s against run-now, the bound %s", percentOf(*r.Saved, 1), percentOf(*r.SavedBound, 1))
		if r.Share != nil {
			fmt.Fprintf(w, ": a share of %s", percentOf(*r.Share, 1))
		}
		fmt.Fprintf(w, "\n  greedy   %s by arrival, %s by slack, %s by flexibility", percentOf(*r.ByArrival.Saved, 1), percentOf(*r.BySlack.Saved, 1), percentOf(*r.ByFlexibility.Saved, 1))
		if r.Ratio != nil {
			fmt.Fprintf(w, " · ratio %.2f to that by arrival", *r.Ratio)
		}
		if r.RatioBest != nil {
			fmt.Fprintf(w, ", %.2f to the best", *r.RatioBest)
		}
		fmt.Fprintf(w, "\n  no place %d by run-now; %d, %d and %d by greedy\n", r.Now.Unplaced, r.ByArrival.Unplaced, r.BySlack.Unplaced, r.ByFlexibility.Unplaced)
	}
	if o := r.Online; o != nil {
		fmt.Fprintf(w, "  online   saved %s", shareText(o.Saved))
		fmt.Fprintf(w, ", %s of what the plan that knows all saves · %d plans in %.1f s", shareText(o.Share), o.Plans, o.Wall)
		fmt.Fprintf(w, "\n  late     %d of those admitted · %d refused, %d of them for good", o.Late, o.Refused, o.Unplaced)
		if o.Hit > 0 {
			fmt.Fprintf(w, " · %d had their place at a site that died, %d of them are late", o.Hit, o.Broken)
		}
		fmt.Fprintln(w)
	}
	if r.Private != nil {
		r.Private.show(w)
	}
	if r.Seed != nil {
		fmt.Fprintf(w, "  made of  seed %d, %s of %s from %s, %s jobs, slack %s, utilisation %g, %s rigid, %s movable\n", *r.Seed, strings.Join(r.Zones, ","), r.Carbon, r.From, r.Jobs, r.Slack, *r.Utilisation, percentOf(*r.Rigid, 0), percentOf(*r.Movable, 0))
	}
	fmt.Fprintf(w, "  machine  %s · clusy %s\n", r.Machine, r.Version)
	fmt.Fprintf(w, "  %s\n", paint(w, green, "✓ the plan keeps every promise, and the bound follows from its prices"))
	return nil
}

// shareText is a share that may not be known.
func shareText(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return percentOf(*v, 1)
}

func percentOf(v float64, digits int) string { return fmt.Sprintf("%.*f %%", digits, 100*v) }
