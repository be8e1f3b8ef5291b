package plan

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/workload"
)

// What must have succeeded before a task may start are those before it; they
// are open, and in the frame. Those behind it wait for it. Everything that looks
// for a place asks window first, so that no place is found that starts before
// the booked end of one before it, or leaves too little time to one behind it.

// link tells the tasks of each other. What has begun waits for nobody. A circle,
// which nobody can promise, binds none of those that are in it or behind it to
// one another.
func (f *frame) link() {
	for _, t := range f.tasks {
		if t.Running || t.lost {
			continue
		}
		for _, id := range t.Shape.After {
			if p := f.task(id); p != nil && p != t && !slices.Contains(t.before, p) {
				t.before = append(t.before, p)
			}
		}
	}
	waiting := map[*task]int{}
	var ready, chain []*task
	for _, t := range f.tasks {
		for _, p := range t.before {
			p.behind = append(p.behind, t)
		}
		if waiting[t] = len(t.before); waiting[t] == 0 {
			ready = append(ready, t)
		}
	}
	for len(ready) > 0 {
		t := ready[0]
		ready = ready[1:]
		delete(waiting, t)
		if t.chained() {
			chain = append(chain, t)
		}
		for _, q := range t.behind {
			if waiting[q]--; waiting[q] == 0 {
				ready = append(ready, q)
			}
		}
	}
	if len(waiting) > 0 {
		circled := func(t *task) bool { _, in := waiting[t]; return in }
		for _, t := range f.tasks {
			if circled(t) {
				t.before = slices.DeleteFunc(t.before, circled)
				t.behind = slices.DeleteFunc(t.behind, circled)
				if t.chained() {
					chain = append(chain, t)
				}
			}
		}
	}
	f.chain = chain
	// 1. Not before the time that all before it take at least.
	for _, t := range chain {
		for _, p := range t.before {
			t.early = max(t.early, p.early+f.quick(p))
		}
	}
	// 2. Done in time for all behind it.
	for _, t := range slices.Backward(chain) {
		for _, q := range t.behind {
			if at := q.latest(f.step); at.Before(t.dueBy) {
				t.dueBy = at
			}
		}
		t.last = f.from(t.dueBy)
	}
}

// chained reports whether anything is before or behind t.
func (t *task) chained() bool { return len(t.before)+len(t.behind) > 0 }

// length is the time that t takes at least as it goes, with its booked end.
func (t *task) length() time.Duration { return t.bookedAtBest() }

// quick is the time that t takes at least on any way that is open to it.
func (f *frame) quick(t *task) time.Duration {
	least := t.length()
	for v := range f.kinds(t) {
		least = min(least, v.length())
	}
	return least
}

// latest is the latest safe start of t, with which all behind it can be in time.
func (t *task) latest(step time.Duration) time.Time { return latestBy(t.Item, t.dueBy, step) }

// window sets from when and until when t may be placed beside those before and
// behind it as they stand. One that has no place yet is taken to need no more
// than the time it takes at least; exact, it may start at any time, and otherwise
// with a slot. It returns false if t waits for one that has no place: then it has
// none either, unless it is promised.
func (f *frame) window(t *task, exact bool) bool {
	if !t.chained() {
		return true
	}
	from, till, ok := t.begin, t.due, true
	for _, p := range t.before {
		switch {
		case p.placed:
			from = max(from, p.at.reserved)
		default:
			from = max(from, p.early+f.quick(p))
			ok = t.promised
		}
	}
	for _, q := range t.behind {
		switch {
		case q.placed:
			till = min(till, q.at.start())
		case exact:
			till = min(till, f.from(q.latest(f.step)))
		default:
			at := f.from(q.latest(f.step))
			if at > 0 {
				at -= at % f.step
			}
			till = min(till, at)
		}
	}
	t.after, t.limit = from, till
	t.first = max(f.slotsIn(from), 0)
	return ok
}

// afterOthers lists ts with those before a task before it, and otherwise as they are.
func (f *frame) afterOthers(ts []*task) []*task {
	if !slices.ContainsFunc(ts, (*task).chained) {
		return ts
	}
	listed := map[*task]bool{} // false: still to come
	for _, t := range ts {
		listed[t] = false
	}
	out := make([]*task, 0, len(ts))
	var list func(t *task)
	list = func(t *task) {
		if done, mine := listed[t]; done || !mine {
			return
		}
		listed[t] = true
		for _, p := range t.before {
			list(p)
		}
		out = append(out, t)
	}
	for _, t := range ts {
		list(t)
	}
	return out
}

// straighten moves what starts before the booked end of one before it: the world
// has moved that, or another promise has. It comes last, so that no plan breaks
// an order; what has no room in time any more is late.
func (f *frame) straighten() {
	for _, t := range f.chain {
		if !t.placed || t.fixed() {
			continue
		}
		if f.flawOf(t, t.at) != early {
			continue
		}
		f.take(t)
		if t.promised {
			f.settle(t)
		} else if c := f.cleanest(t); c != nil {
			f.put(t, *c, t.by)
		}
	}
	// What is new and waits for one that found no place has none either.
	for _, t := range f.chain {
		if t.placed && !t.promised && slices.ContainsFunc(t.before, func(p *task) bool { return !p.placed }) {
			f.take(t)
		}
	}
}

// freed reports whether t should move from a to b as what it waited for has ended
// sooner than was booked: it need not wait any longer, if that is no worse. It
// can only move forward by this, so it ends.
func (t *task) freed(a, b candidate, by Binding) bool {
	if !t.promised || len(t.Shape.After) == 0 || len(t.before) > 0 || b.finish() >= a.finish() {
		return false
	}
	if t.Shape.Objective.Minimize == workload.MinimizeTime || by == BindingMinSaving {
		return true
	}
	return t.cleans() && a.known && b.known && b.carbon <= a.carbon
}
