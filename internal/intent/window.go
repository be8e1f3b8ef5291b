package intent

import (
	"fmt"
	"time"
)

// window checks that the work fits between now, notBefore and completeBy, and
// turns maxDelay into completeBy. It uses the rounded durations of the shape,
// as those are what the server plans with.
func (r *reader) window(in *Intent) {
	if r.bad(at("shape", "duration")) || r.bad(at("when", "notBefore")) || r.bad(at("when", "completeBy")) || r.bad(at("when", "maxDelay")) {
		return
	}
	declared := blindDuration(in.Shape.Duration).Booked()
	booked := in.soonest()
	if r.delayed {
		latest := r.now.Add(r.maxDelay)
		if in.When.NotBefore.After(latest) {
			r.say(fault{path: at("when", "maxDelay"), message: "the latest start is before notBefore, so the work could never start", value: length(r.maxDelay),
				limit: "at least the time until notBefore", nearest: length(upTo(in.When.NotBefore.Sub(r.now), time.Minute)), infeasible: true})
			return
		}
		in.When.CompleteBy = ceilSecond(latest.Add(declared))
	}
	by := in.When.CompleteBy
	if by.IsZero() {
		r.say(fault{path: at("when", "completeBy"), message: "an intent must say by when the work is to be done: completeBy, or maxDelay",
			limit: "an instant with its offset, or a time from now", nearest: "+" + length(upTo(booked+in.wait(r.now)+time.Hour, time.Hour))})
		return
	}
	from := "now"
	earliest := r.now.Add(booked)
	if in.When.NotBefore.After(r.now) {
		from, earliest = "notBefore", in.When.NotBefore.Add(booked)
	}
	f := fault{path: r.root.resolve(at("when", "completeBy")), infeasible: true,
		limit: fmt.Sprintf("at least %s after %s: duration.p95 and a tenth", length(booked), from)}
	switch {
	case by.Before(r.now):
		f.message = "is in the past"
	case by.Before(earliest):
		f.message = fmt.Sprintf("the work does not fit: it books %s, and there are %s from %s", length(booked), length(by.Sub(earliest.Add(-booked))), from)
		if !by.After(in.When.NotBefore) {
			f.message = "is not after notBefore"
		}
	case by.Sub(r.now) > MaxHorizon:
		f.message, f.infeasible = "is too far away", false
		f.limit = fmt.Sprintf("at most %s from now", length(MaxHorizon))
		earliest = r.now.Add(MaxHorizon - 24*time.Hour)
	default:
		return
	}
	f.value = in.When.CompleteBy.Format(time.RFC3339)
	f.nearest = ceilMinute(earliest).In(by.Location()).Format(time.RFC3339)
	if n, _, depth := r.root.find(f.path); depth == len(f.path) && n.scalar() {
		f.value = n.text
	}
	if r.relative {
		f.nearest = "+" + length(upTo(earliest.Sub(r.now), time.Minute))
	}
	if r.delayed {
		f.nearest = length(MaxHorizon - 2*MaxDuration)
	}
	r.say(f)
}

// wait returns the time from now until notBefore, 0 if that has passed.
func (in Intent) wait(now time.Time) time.Duration {
	if in.When.NotBefore.After(now) {
		return in.When.NotBefore.Sub(now)
	}
	return 0
}
