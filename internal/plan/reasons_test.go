package plan

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// again works out anew what the reasons of a placement claim, from the
// snapshot and the other placements alone.
type again struct {
	d  *doubt
	it Item
	pl Placement
}

// one is an uninterrupted run, judged by Check's means.
type one struct {
	Alternative
	cause Cause
	cost  grid.Money
	cur   string
}

func (a again) all() (out []one) {
	var ids []string
	if h := holder(a.it); h != "" {
		ids = []string{h}
	} else {
		for _, st := range a.d.s.Sites {
			if up := st; true {
				up.Down = false
				d := &doubt{sites: map[string]Site{st.ID: up}}
				if d.open(a.it, st.ID) {
					ids = append(ids, st.ID)
				}
			}
		}
	}
	for _, id := range ids {
		for i := range int(a.d.s.Horizon / a.d.s.Step) {
			from := a.d.now.Add(time.Duration(i) * a.d.s.Step)
			if !underWay(a.it) && from.Before(a.it.Shape.When.NotBefore) || i > 0 && underWay(a.it) && !a.d.mayStop(a.it) {
				continue
			}
			owed, _ := a.d.owed(a.it)
			if waits(a.it) || i > 0 && underWay(a.it) {
				owed += a.it.Shape.Interruptible.Overhead
			}
			out = append(out, a.judge(id, from, from.Add(owed)))
		}
	}
	return out
}

func (a again) judge(site string, from, to time.Time) one {
	_, beyond := a.d.owed(a.it)
	pl := Placement{Site: site, Spans: []Span{{Start: from, End: to}}}
	pl.Energy, pl.Carbon, pl.Grade, pl.Cost, pl.Currency = a.d.reckon(a.it, site, pl.Spans)
	o := one{Alternative: Alternative{Site: site, Start: from, Finish: to, Carbon: pl.Carbon, Known: pl.Grade != ""}, cost: pl.Cost, cur: pl.Currency}
	others := slices.DeleteFunc(slices.Clone(a.d.taken[site]), func(c claim) bool { return c.workload == a.it.ID })
	switch {
	case holder(a.it) == "" && a.d.sites[site].Down:
		o.cause = CauseDown
	case to.Add(beyond).After(a.d.due(a.it)):
		o.cause = CauseLate
	case deniedBetween(a.it, from, to.Add(beyond)):
		o.cause = CauseDenied
	case !fitsBeside(others, needs(a.it, a.d.sites[site]), has(a.d.sites[site]), from, to.Add(beyond)):
		o.cause = CauseFull
	case a.d.overCeiling(a.it, pl) != "":
		o.cause = CauseCeiling
	}
	return o
}

// Every claim in the reasons is true: the counts, the alternatives and their
// causes, the run at once, the binding constraint, the sentence.
func TestReasonsAreTrue(t *testing.T) {
	bindings := map[Binding]int{}
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 6))
		s := randomSnapshot(r)
		p := Compute(s)
		if seed%2 == 1 {
			s = live(r, s, p, s.Step*time.Duration(r.IntN(3)))
			p = Compute(s)
		}
		d := &doubt{s: s, p: p, now: s.Now, sites: map[string]Site{}, items: map[string]Item{}, taken: map[string][]claim{}}
		for _, st := range s.Sites {
			d.sites[st.ID] = st
		}
		for _, it := range s.Items {
			d.items[it.ID] = it
		}
		if err := d.placements(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, pl := range p.Placements {
			if _, here := d.sites[pl.Site]; !here {
				continue // its site is gone, and with it what could be computed
			}
			bindings[pl.Why.Binding]++
			a := again{d, d.items[pl.Workload], pl}
			if what := a.wrong(); what != "" {
				t.Errorf("seed %d: %s: %s: %+v", seed, pl.Workload, what, pl)
			}
		}
	}
	for _, b := range []Binding{BindingNone, BindingCompleteBy, BindingCapacity, BindingDenied, BindingMinSaving, BindingNoSignal, BindingStarted, BindingObjective, BindingHysteresis} {
		if bindings[b] < 3 {
			t.Errorf("%s was seen %d times only", b, bindings[b])
		}
	}
}

// In a crowded week, in which prices have moved what came first, each claim of
// twenty items is still true: that slot was full, that one dirtier, that one late.
func TestReasonsOfACrowdedWeek(t *testing.T) {
	s := benchWorld(160, time.Hour, 7*24*time.Hour, workload.Interruptible{})
	for i := range s.Sites {
		s.Sites[i].Capacity.CPU = 160 * 100
	}
	p := Compute(s)
	d := &doubt{s: s, p: p, now: s.Now, sites: map[string]Site{}, items: map[string]Item{}, taken: map[string][]claim{}}
	for _, st := range s.Sites {
		d.sites[st.ID] = st
	}
	for _, it := range s.Items {
		d.items[it.ID] = it
	}
	if err := d.placements(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(20, 0))
	causes := map[Cause]int{}
	for _, i := range r.Perm(len(p.Placements))[:20] {
		pl := p.Placements[i]
		for _, x := range pl.Why.Rejected {
			causes[x.Cause]++
		}
		a := again{d, d.items[pl.Workload], pl}
		if what := a.wrong(); what != "" {
			t.Errorf("%s: %s: %+v", pl.Workload, what, pl)
		}
	}
	for _, c := range []Cause{CauseFull, CauseDirtier, CauseLate} {
		if causes[c] == 0 {
			t.Errorf("nothing was rejected as %s: %v", c, causes)
		}
	}
}

// wrong says which claim is false, "" if all are true.
func (a again) wrong() string {
	w, all := a.pl.Why, a.all()
	chosen := func(o one) bool {
		return o.Site == a.pl.Site && len(a.pl.Spans) == 1 && o.Start.Equal(later(a.pl.Spans[0].Start, a.d.now)) && o.Finish.Equal(a.pl.Finish())
	}
	fell, considered, found := map[Cause]int{}, 0, false
	for _, o := range all {
		considered++
		if chosen(o) {
			found = true
		} else if o.cause != "" {
			fell[o.cause]++
		}
	}
	if !found {
		considered++
	}
	if considered != w.Considered {
		return "Considered"
	}
	for _, c := range []Cause{CauseDown, CauseLate, CauseDenied, CauseFull, CauseCeiling} {
		if w.Fell[c] != fell[c] {
			return "the number of " + string(c)
		}
	}
	for c := range maps.Keys(w.Fell) {
		if w.Fell[c] > 0 && a.pl.Grade != "" && a.cleans() && (c == CauseDearer || c == CauseLater && !a.anyEqual(all)) {
			return "a cause that it cannot be: " + string(c)
		}
	}
	for _, r := range w.Rejected {
		i := slices.IndexFunc(all, func(o one) bool { return o.Site == r.Site && o.Start.Equal(r.Start) && o.Finish.Equal(r.Finish) })
		if i < 0 {
			return "an alternative that is none"
		}
		o := all[i]
		switch {
		case o.Carbon != r.Carbon || o.Known != r.Known:
			return "the carbon of an alternative"
		case o.cause != "" && o.cause != r.Cause:
			return "the cause of an alternative"
		case r.Cause == CauseDirtier && !(o.Known && o.Carbon > a.pl.Carbon), r.Cause == CauseDearer && a.total(o.Carbon, o.cost) <= a.total(a.pl.Carbon, a.pl.Cost),
			r.Cause == CauseUnknown && a.cleans() && o.Known, r.Cause == CauseNotWorth && a.cleans() && a.pl.Grade != "" && o.Carbon > a.pl.Carbon:
			return "the reason of an alternative"
		case r.DCost != nil && *r.DCost != o.cost-a.pl.Cost, (r.DCost != nil) != (o.cur != "" && o.cur == a.pl.Currency):
			return "the cost of an alternative"
		case r.Site == a.pl.Site && r.Start.Sub(later(a.pl.Start(), a.d.now)).Abs() < max(time.Hour, a.d.s.Step):
			return "an alternative that is nearly the chosen one"
		}
	}
	if n := w.RunNow; n != nil {
		if at := a.d.roomFor(a.it, wish{inTime: true, ceiling: true, before: n.Finish, site: n.Site}); at != "" && !a.it.Shape.Interruptible.Allowed {
			return "RunNow, which could be done sooner " + at
		}
		if _, c, g, _, _ := a.d.reckon(a.it, n.Site, []Span{{Start: n.Start, End: n.Finish}}); !a.it.Shape.Interruptible.Allowed && (c != n.Carbon || (g != "") != n.Known) {
			return "the carbon of RunNow"
		}
	} else if !underWay(a.it) && a.d.roomFor(a.it, wish{inTime: true, ceiling: true}) != "" {
		return "no RunNow, and there is one"
	}
	if what := a.bindingWrong(all); what != "" {
		return what
	}
	waits := a.pl.Start().After(a.d.now)
	if strings.HasPrefix(w.Text, "Waits ") && !waits || strings.HasPrefix(w.Text, "Runs now") && waits || !strings.HasSuffix(w.Text, ".") {
		return "the sentence: " + w.Text
	}
	return ""
}

func (a again) cleans() bool {
	m := a.it.Shape.Objective.Minimize
	return a.it.Shape.Objective.CarbonPrice == 0 && m != workload.MinimizeCost && m != workload.MinimizeTime
}

// total is the cost with the carbon at its price.
func (a again) total(c grid.Carbon, m grid.Money) float64 {
	return float64(m) + float64(c)*float64(a.it.Shape.Objective.CarbonPrice)/1e9
}

func (a again) anyEqual(all []one) bool {
	return slices.ContainsFunc(all, func(o one) bool { return o.Known && o.Carbon == a.pl.Carbon })
}

func (a again) bindingWrong(all []one) string {
	cleaner := func(cause Cause) bool {
		return slices.ContainsFunc(all, func(o one) bool {
			return o.cause == cause && o.Known && (a.pl.Grade == "" || o.Carbon < a.pl.Carbon)
		})
	}
	rigid := !a.it.Shape.Interruptible.Allowed
	late := a.pl.Reserved.After(a.d.due(a.it))
	switch b := a.pl.Why.Binding; b {
	case BindingStarted:
		if !underWay(a.it) || !rigid {
			return "started"
		}
	case BindingNoSignal:
		if a.pl.Grade != "" {
			return "no-signal, and it is known"
		}
	case BindingCompleteBy:
		if rigid && !cleaner(CauseLate) && !late {
			return "complete-by, and nothing later is cleaner"
		}
	case BindingDenied:
		if !cleaner(CauseDenied) && a.d.denied(a.it, a.pl) == "" {
			return "denied, and nothing that is denied is cleaner"
		}
	case BindingNone:
		if cleaner(CauseDenied) && a.it.Shape.Objective.CostCeiling == 0 && a.it.Shape.Objective.CarbonCeiling == 0 {
			return "none, and something cleaner is denied"
		}
		// An alternative that is late and has no room then, or would break a
		// ceiling then, is not what completeBy keeps it from.
		if cleaner(CauseFull) && a.it.Shape.Objective.CostCeiling == 0 && a.it.Shape.Objective.CarbonCeiling == 0 {
			return "none, and something cleaner is taken"
		}
		if a.cleans() && cleaner("") {
			return "none, and something cleaner is free"
		}
	case BindingObjective:
		if a.cleans() || !cleaner("") {
			return "objective"
		}
	case BindingMinSaving:
		if a.it.Shape.Objective.MinSaving == 0 {
			return "min-saving, and none is asked"
		}
	case BindingHysteresis:
		if a.it.Placement == nil {
			return "hysteresis of what had no place"
		}
	}
	return ""
}

// The numbers of the causes are those of their list.
func TestCauseNumbers(t *testing.T) {
	for i, c := range causesInOrder {
		if int(number(c)) != i {
			t.Errorf("%q is number %d of the list, and %d by its name", c, i, number(c))
		}
	}
}
