package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/workload"
)

// What is denied to a task is to it as a site that is full: its booked time
// must be clear of it. So all that looks for room finds its way around.

// denied returns the times that are denied to an item or closed to it, counted
// from now, in order and apart. What is past is left out.
func (f *frame) denied(it Item) (out []stretch) {
	for _, s := range slices.Concat(it.Shape.When.Deny, it.Closed) {
		if d := (stretch{f.from(s.Start), f.from(s.End)}); d.to > max(d.from, 0) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for i, d := range out {
		if i > 0 && d.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, d.to)
			continue
		}
		out[n] = d
		n++
	}
	return out[:n]
}

// opens returns, for each slot, how long work may run from the slot's start
// until it is denied: to the slot's own start if it is denied there.
func (f *frame) opens(denied []stretch) []time.Duration {
	out := make([]time.Duration, f.slots)
	n := 0
	for i := range out {
		at := f.slot(i)
		for n < len(denied) && denied[n].to <= at {
			n++
		}
		out[i] = forever
		if n < len(denied) {
			out[i] = max(denied[n].from, at)
		}
	}
	return out
}

// clear takes from the room that a site has what is denied to t.
func (t *task) clear(free []time.Duration) []time.Duration {
	for i := range t.open {
		free[i] = min(free[i], t.open[i])
	}
	return free
}

// barred reports whether runs, the last with its booked time, touch what is
// denied to t.
func (t *task) barred(runs []stretch) bool {
	if len(t.denied) == 0 {
		return false
	}
	for i, r := range runs {
		if i == len(runs)-1 {
			r.to += t.tail
		}
		if slices.ContainsFunc(t.denied, func(d stretch) bool { return d.from < r.to && max(r.from, 0) < d.to }) {
			return true
		}
	}
	return false
}

// past returns the first time from which d is clear of what is denied to t.
func (t *task) past(from, d time.Duration) time.Duration {
	for _, x := range t.denied {
		if x.from < from+d && from < x.to {
			from = x.to
		}
	}
	return from
}

// latestBeside returns the latest safe start of work that has left+tail to run
// by a time, beside what is denied to it. Work that may be suspended runs from
// then on whenever it may, is suspended over what is denied, and pays for each
// resume. A time between two denied ones that is too short to be suspended
// after is not used, nor is a last one in which the booked time has no room.
// Work that may not be suspended so often must run without a pause.
func latestBeside(it Item, by time.Time, left, tail time.Duration) time.Time {
	deny := slices.Clone(it.Shape.When.Deny)
	for i, d := range deny {
		deny[i] = workload.Span{Start: sane(d.Start), End: sane(d.End)}
	}
	slices.SortFunc(deny, func(a, b workload.Span) int { return b.End.Compare(a.End) }) // the last one first
	in := it.Shape.Interruptible
	overhead := min(max(in.Overhead, 0), longest)
	least := max(min(max(in.MinRun, 0), longest), overhead)
	pauses := 0
	if in.Allowed {
		pauses = anyPauses
		if in.MaxSuspensions > 0 {
			pauses = max(in.MaxSuspensions-min(max(it.Suspensions, 0), anyPauses), 0)
		}
	}

	need, end, paused := left+tail, by, false
	for _, d := range deny {
		if !d.Start.Before(end) || !d.Start.Before(d.End) {
			continue
		}
		length := end.Sub(d.End)
		first := need // how long the first run must be, if it is here
		if paused {
			first = max(need, least)
		}
		if length > 0 && first <= length {
			return end.Add(-first)
		}
		if usable := paused && length >= least || !paused && length > overhead+tail; length > 0 && usable && need > length {
			if pauses == 0 {
				return unbroken(deny, by, left+tail)
			}
			need, paused = need-length+overhead, true
			pauses--
		}
		end = d.Start
	}
	if paused {
		need = max(need, least)
	}
	return end.Add(-need)
}

// unbroken returns the latest start of a run that lasts d and ends by a time,
// clear of deny, of which the last is first.
func unbroken(deny []workload.Span, by time.Time, d time.Duration) time.Time {
	for _, x := range deny {
		if x.Start.Before(by) && x.End.After(by.Add(-d)) && x.Start.Before(x.End) {
			by = x.Start
		}
	}
	return by.Add(-d)
}

// refuseDenied says whether what is denied to t leaves it no place, were its
// sites empty.
func (f *frame) refuseDenied(t *task, add adder) {
	if t.open == nil {
		return
	}
	need := t.bookedAtBest()
	var most, sum, from time.Duration
	from = f.slot(t.first)
	see := func(to time.Duration) {
		if d := min(to, t.limit) - from; d > 0 {
			most, sum = max(most, d), sum+d
		}
	}
	for _, d := range t.denied {
		see(d.from)
		from = max(from, d.to)
	}
	see(t.limit)
	empty := t.clear((&load{}).free(amounts{}, amounts{}, 0, f.slots, f.step))
	for i := t.first; i < f.slots; i++ {
		if end := f.slot(i) + need; end <= t.limit && end <= empty[i] {
			return
		}
	}
	if !t.Shape.Interruptible.Allowed {
		add("when.windows.deny", span(max(need-most, f.step)), "", "The longest time in its window that is not denied is %s, and %s are booked for the work.", room(most), span(need))
		return
	}
	if t.elastic() && sum >= need {
		return // at some sizes there may be a way: whatever else fails is said
	}
	if _, found := f.paused(t, f.noWeights(), empty, t.pauses, t.limit).best(); !found {
		left := fmt.Sprintf("at most %s", count(min(t.pauses, maxPauses), "pause"))
		add("when.windows.deny", span(max(need-sum, f.step)), "", "What is not denied of its window comes to %s, and the %s that are booked for the work cannot be run in it with %s.", room(sum), span(need), left)
	}
}
