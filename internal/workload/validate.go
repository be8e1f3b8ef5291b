package workload

import (
	"fmt"
	"strings"
	"time"

	"clusy.io/clusy/internal/problem"
)

// Limits on a shape. They bound what a plan must look at, and catch a wrong
// unit before it becomes a wrong promise.
const (
	MaxDuration = 365 * 24 * time.Hour
	MaxWindow   = 400 * 24 * time.Hour
	MaxPattern  = 128 // characters of a where pattern
)

// Validate returns every rule that s breaks at now, by the JSON pointers of
// the wire's shape. A feasible window is the plan's to judge, not ours.
func (s Shape) Validate(now time.Time) []problem.Violation {
	var vs []problem.Violation
	bad := func(pointer, value, limit, nearest, format string, args ...any) {
		vs = append(vs, problem.Violation{Pointer: pointer, Value: value, Limit: limit, Nearest: nearest, Message: fmt.Sprintf(format, args...)})
	}
	s.kinds(bad)
	s.data(bad)
	d := s.Duration
	switch {
	case d.Expected <= 0:
		bad("/duration/expectedSeconds", d.Expected.String(), "more than 0", "1s", "the expected duration must be more than 0")
	case d.Expected > MaxDuration:
		bad("/duration/expectedSeconds", d.Expected.String(), MaxDuration.String(), MaxDuration.String(), "the expected duration is over a year")
	}
	if d.P95 < d.Expected {
		bad("/duration/p95Seconds", d.P95.String(), "≥ "+d.Expected.String(), d.Expected.String(), "p95 is shorter than the expected duration")
	}
	if d.Max < d.Expected {
		bad("/duration/maxSeconds", d.Max.String(), "≥ "+d.Expected.String(), d.P95.String(), "work would be killed before its expected end")
	}
	if s.Power < 0 {
		bad("/watts", s.Power.String(), "≥ 0", "", "power cannot be below 0")
	}
	if s.Class != "" && !ValidClass(s.Class) {
		bad("/class", "", fmt.Sprintf("1 to %d of a-z, 0-9 and -, beginning and ending with a letter or digit", MaxClass), "", "not the name of a class")
	}
	s.checkElastic(bad)
	w := s.When
	booked, quickest := s.Quickest()
	// At its largest size elastic work is done soonest.
	booked, quickest = Takes(booked, s.Fastest()), Takes(quickest, s.Fastest())
	switch start := later(w.NotBefore, now); {
	case w.CompleteBy.IsZero():
		bad("/when/completeBy", "", "", "", "completeBy is missing: without it nothing can be promised")
	case !w.CompleteBy.After(now):
		bad("/when/completeBy", w.CompleteBy.Format(time.RFC3339), "after "+now.Format(time.RFC3339), start.Add(d.Booked()).Format(time.RFC3339), "completeBy has passed")
	case w.CompleteBy.Sub(now) > MaxWindow:
		bad("/when/completeBy", w.CompleteBy.Format(time.RFC3339), "within 400 days", now.Add(MaxWindow).Format(time.RFC3339), "completeBy is further ahead than a plan can look")
	case d.Expected > 0 && w.CompleteBy.Sub(start) < quickest:
		bad("/when/completeBy", w.CompleteBy.Format(time.RFC3339), "≥ start + expected duration", start.Add(booked).Format(time.RFC3339),
			"the window of %s is shorter than the work of %s", w.CompleteBy.Sub(start).Round(time.Second), quickest)
	}
	if len(w.Deny) > MaxDeny {
		bad("/when/deny", fmt.Sprintf("%d times", len(w.Deny)), fmt.Sprintf("at most %d", MaxDeny), "", "too many times are denied: join those that touch")
	}
	for n, x := range w.Deny {
		pointer := fmt.Sprintf("/when/deny/%d", n)
		switch {
		case !x.Start.Before(x.End):
			bad(pointer, x.Start.Format(time.RFC3339)+" to "+x.End.Format(time.RFC3339), "start before end", "", "a denied time ends before it begins")
		case n > 0 && !w.Deny[n-1].End.Before(x.Start):
			bad(pointer, x.Start.Format(time.RFC3339), "after "+w.Deny[n-1].End.Format(time.RFC3339), "", "denied times must be in order and apart: join those that touch")
		default:
			continue
		}
		break // one is enough to find the mistake by
	}
	i := s.Interruptible
	if !i.Allowed && (i.Overhead != 0 || i.MinRun != 0 || i.MaxSuspensions != 0) {
		bad("/interruptible/allowed", "false", "", "true", "overhead, minRun and maxSuspensions need allowed: true")
	}
	if i.MinRun > d.Expected && d.Expected > 0 {
		bad("/interruptible/minRunSeconds", i.MinRun.String(), "≤ "+d.Expected.String(), d.Expected.String(), "minRun is longer than the work")
	}
	for list, ps := range map[string][]string{"/where/allow": s.Where.Allow, "/where/prefer": s.Where.Prefer} {
		for n, p := range ps {
			if p == "" || len(p) > MaxPattern || strings.IndexFunc(p, func(r rune) bool { return r <= ' ' || r == 0x7f }) >= 0 {
				bad(fmt.Sprintf("%s/%d", list, n), "", fmt.Sprintf("1 to %d characters without spaces", MaxPattern), "", "not a pattern of a site or zone")
			}
		}
	}
	switch o := s.Objective; {
	case o.CarbonPrice == 0:
	case o.CarbonPrice < 0 || o.CarbonPrice > MaxCarbonPrice:
		bad("/objective/carbonPrice/amount", fmt.Sprintf("%g", float64(o.CarbonPrice)/1e6), "0 to 100000 per tonne", "", "not a price of a tonne of CO2")
	case o.Currency == "":
		bad("/objective/carbonPrice/currency", "", "", "EUR", "a price of carbon needs a currency")
	case o.Minimize == MinimizeTime:
		bad("/objective/carbonPrice", "", "minimize carbon or cost", "", "a price of carbon means nothing to work that is to be done soonest")
	}
	if s.Queue != "" && !IsLabel(s.Queue) {
		bad("/queue", "", "1 to 63 of a-z, 0-9 and -", DefaultQueue, "this is no name of a queue")
	}
	if s.Objective.CostCeiling > 0 && s.Objective.Currency == "" {
		bad("/objective/costCeiling/currency", "", "", "EUR", "a cost ceiling needs a currency")
	}
	return append(vs, s.validateAfter()...)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
