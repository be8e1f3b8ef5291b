package main

import (
	"time"

	"clusy.io/clusy"
)

// What a list says of a workload, a column each.

// runsAt is when it runs or ran, and where.
func runsAt(w clusy.Workload, now time.Time) (when, site string) {
	for i := len(w.Attempts) - 1; i >= 0; i-- {
		switch a := w.Attempts[i]; {
		case a.Started.IsZero():
		case a.Ended.IsZero():
			return "since " + local(a.Started), a.Site
		default:
			return fromTo(a.Started, a.Ended), a.Site
		}
	}
	if w.Plan == nil || terminal(w.State) {
		return "–", "–"
	}
	start := w.Plan.Spans[0].Start
	if wait := start.Sub(now); wait >= time.Minute {
		return local(start) + ", in " + span(wait), w.Plan.Site
	}
	return "now", w.Plan.Site
}

// dueAt is completeBy, and how much time is left between the end and then.
func dueAt(w clusy.Workload) string {
	by := w.Shape.When.CompleteBy
	text := local(by)
	var end time.Time
	switch n := len(w.Attempts); {
	case terminal(w.State) && n > 0:
		end = w.Attempts[n-1].Ended
	case !terminal(w.State) && w.Plan != nil:
		end = w.Plan.Spans[len(w.Plan.Spans)-1].End
	}
	switch {
	case !w.MissedAt.IsZero():
		return text + " MISSED"
	case end.IsZero():
		return text
	case end.After(by):
		return text + ", LATE by " + span(end.Sub(by))
	}
	return text + ", " + span(by.Sub(end)) + " to spare"
}

// savedBy is what the ledger holds as saved, or what the plan expects to be.
func savedBy(w clusy.Workload) string {
	switch a := w.Account; {
	case a != nil && a.Complete && a.Entries > 0:
		return grams(a.Saved) + " (" + percent(a.Saved, a.Avoided) + ")"
	case a != nil && a.Complete, w.State == "cancelled", w.State == "expired":
		return "–"
	}
	if r := expectedOf(w.Plan); r != nil {
		return "≈ " + grams(*r.RunNow.Carbon-*r.carbon) + " (" + percent(*r.RunNow.Carbon-*r.carbon, *r.RunNow.Carbon) + ")"
	}
	return "unknown"
}

// expected is a plan of which both figures are known: its own, and that of
// running at once.
type expected struct {
	clusy.Reasons
	carbon *float64
}

func expectedOf(p *clusy.Placement) *expected {
	if p == nil || p.Carbon == nil || p.Why.RunNow == nil || p.Why.RunNow.Carbon == nil {
		return nil
	}
	return &expected{p.Why, p.Carbon}
}

// whyOf says in a few words why a workload waits, or how it ended.
func whyOf(w clusy.Workload) string {
	switch w.State {
	case "planned", "offered", "held", "accepted":
		switch {
		case w.Wanted == "cancel":
			return "is being cancelled"
		case w.Plan == nil:
			return "not planned yet"
		}
		return waitsFor[w.Plan.Why.Binding]
	case "running":
		if w.Wanted == "cancel" {
			return "is asked to stop"
		}
		return "runs"
	case "suspended":
		return "paused until it is cleaner"
	case "releasing":
		return "its site is asked to let it go"
	case "site_silent":
		return "its site does not answer"
	case "succeeded":
		return "done"
	}
	return w.Cause
}

// waitsFor is bindingMeans in the fewest words.
var waitsFor = map[string]string{
	"none":        "the cleanest time in its window",
	"complete-by": "the cleanest time to be done by then",
	"capacity":    "cleaner times are taken",
	"denied":      "cleaner times are denied to it",
	"min-saving":  "waiting would save too little",
	"no-signal":   "no intensity is known",
	"started":     "runs",
	"objective":   "by its objective",
	"expected":    "left to what is expected",
	"hysteresis":  "a move would gain too little",
}
