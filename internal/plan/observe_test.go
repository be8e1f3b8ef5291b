package plan

import (
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// A snapshot holds nothing of the future: what was issued after now is left
// out, and at each instant the most trusted that is left is believed.
func TestObserveKnowsNoFuture(t *testing.T) {
	series := func(issued time.Time, v grid.Intensity) grid.Series {
		return grid.Series{Provenance: grid.Provenance{Zone: "DE", Issued: issued, Basis: grid.AverageLifecycle}, Start: midnight, Step: time.Hour, Values: []grid.Intensity{v}}
	}
	w := World{Now: hour(1), Parent: "p", Sites: []Site{{ID: "a"}}, Forecasts: map[grid.Zone][]grid.Series{
		"DE": {series(hour(2), 1), series(hour(1), 2), series(hour(0), 3)}, "FR": {series(hour(2), 1)}}}
	s := Observe(w, Rules{Step: time.Minute, Horizon: time.Hour, Margin: time.Second})
	if got := s.Outlook.Of("DE").Series(); len(got) != 2 || got[0].Values[0] != 2 || got[1].Values[0] != 3 {
		t.Errorf("DE is %v", got)
	}
	if len(s.Outlook.Of("FR").Series()) != 0 {
		t.Error("a series from the future is used")
	}
	// Nor is a series of another basis, however much it is trusted.
	marginal := series(hour(0), 9)
	marginal.Basis.Signal = grid.Marginal
	w.Forecasts["DE"] = append([]grid.Series{marginal}, w.Forecasts["DE"]...)
	if got := Observe(w, Rules{}).Outlook.Of("DE").Series(); len(got) != 2 || got[0].Values[0] != 2 {
		t.Errorf("planned on average values, DE is %v", got)
	}
	if got := Observe(w, Rules{Basis: marginal.Basis}).Outlook.Of("DE").Series(); len(got) != 1 || got[0].Values[0] != 9 {
		t.Errorf("planned on marginal values, DE is %v", got)
	}
	if s.Parent != "p" || !s.Now.Equal(hour(1)) || s.Step != time.Minute || s.Horizon != time.Hour || s.Margin != time.Second || len(s.Sites) != 1 {
		t.Errorf("the snapshot is %+v", s)
	}
}

// Work is pinned from the offer on, and what a site reported of a run is
// carried on to now.
func TestObserveItems(t *testing.T) {
	attempt := workload.Attempt{Workload: "w", Site: "a", Active: time.Hour, RunSince: hour(1), Seen: hour(2), Suspensions: 1}
	for _, c := range []struct {
		state   workload.State
		pinned  string
		running bool
		done    time.Duration
	}{
		{workload.Accepted, "", false, 0}, {workload.Planned, "", false, 0}, {workload.Offered, "a", true, 90 * time.Minute},
		{workload.Held, "a", true, 90 * time.Minute}, {workload.Running, "a", true, 90 * time.Minute},
	} {
		w := World{Now: hour(2.5), Open: []workload.Workload{{ID: "w", State: c.state}}, Attempts: []workload.Attempt{attempt}, Placements: []Placement{{Workload: "w", Site: "a"}}}
		it := Observe(w, Rules{}).Items[0]
		if it.Pinned != c.pinned || it.Running != c.running || it.Done != c.done || it.Placement == nil {
			t.Errorf("%s: %+v", c.state, it)
		}
	}
	attempt.RunSince = time.Time{}
	w := World{Now: hour(2.5), Open: []workload.Workload{{ID: "w", State: workload.Suspended}, {ID: "x", State: workload.Running}}, Attempts: []workload.Attempt{attempt}}
	s := Observe(w, Rules{})
	if it := s.Items[0]; it.Running || it.Done != time.Hour || it.Suspensions != 1 || it.Placement != nil {
		t.Errorf("suspended: %+v", it)
	}
	if it := s.Items[1]; it.Pinned != "" {
		t.Errorf("without an attempt: %+v", it)
	}
}

// Patterns name sites by id or zone; Check's own matching agrees with them.
func TestPatterns(t *testing.T) {
	st := Site{ID: "k8s/prod-eu", Zone: "DE-LU"}
	for pattern, want := range map[string]bool{
		"k8s/prod-eu": true, "k8s/*": true, "*": true, "**": true, "*eu": true, "k8s*prod*": true, "DE*": true, "DE-LU": true, "*-*": true,
		"": false, "k8s": false, "k8s/prod": false, "*us": false, "DE": false, "k8s/prod-eu*x": false, "eu*eu": false, "k8s/?rod-eu": false, "*prod*prod*": false,
	} {
		w := workload.Where{Allow: []string{pattern}}
		d := &doubt{sites: map[string]Site{st.ID: st}}
		if got, checked := Allowed(w, st), d.open(Item{Shape: workload.Shape{Where: w}}, st.ID); got != want || checked != want {
			t.Errorf("%q: allowed %v, checked %v, want %v", pattern, got, checked, want)
		}
	}
	if !Allowed(workload.Where{}, st) {
		t.Error("without a pattern a site is not allowed")
	}
	w := workload.Where{Prefer: []string{"x", "DE*"}, Allow: []string{"FR*", "y"}}
	for id, want := range map[string]int{"x": 0, "y": 3} {
		if got := Rank(w, Site{ID: id}); got != want {
			t.Errorf("%s has rank %d, want %d", id, got, want)
		}
	}
	if Rank(w, st) != 1 || Rank(w, Site{ID: "z"}) <= 3 {
		t.Error("a site that is not named goes before one that is")
	}
}

func TestDiff(t *testing.T) {
	pl := func(id, site string, carbon grid.Carbon, grade grid.Grade, spans ...Span) Placement {
		return Placement{Workload: id, Site: site, Carbon: carbon, Grade: grade, Spans: spans}
	}
	a := Plan{At: hour(0), Placements: []Placement{pl("a", "x", 5, "A", hours(1, 2)), pl("b", "x", 5, "A", hours(1, 2)), pl("c", "x", 9, "A", hours(3, 4)),
		pl("d", "x", 9, "A", hours(3, 4)), pl("e", "x", 9, "A", hours(1, 2), hours(3, 4))}}
	b := Plan{At: hour(2.5), Placements: []Placement{pl("b", "y", 7, "A", hours(3, 4)), pl("c", "x", 4, "B", hours(4, 5)), pl("d", "x", 0, "", hours(4, 5)),
		pl("e", "x", 4, "A", hours(3, 4)), pl("f", "x", 1, "A", hours(3, 4))}}
	want := []Change{{Workload: "a", Kind: Removed}, {Workload: "b", Kind: MovedSite, Carbon: 2, Known: true}, {Workload: "c", Kind: MovedTime, Carbon: -5, Known: true},
		{Workload: "d", Kind: MovedTime}, {Workload: "f", Kind: Added}}
	got := Diff(a, b)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, c := range got {
		if (c.From == nil) != (c.Kind == Added) || (c.To == nil) != (c.Kind == Removed) {
			t.Errorf("%+v", c)
		}
		c.From, c.To = nil, nil
		if c != want[i] {
			t.Errorf("%+v, want %+v", c, want[i])
		}
	}
	if len(Diff(a, a)) > 0 {
		t.Error("a plan differs from itself")
	}
}
