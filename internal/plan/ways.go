package plan

import (
	"fmt"
	"iter"
	"time"
)

// Work may name other kinds of hardware that it can run on, each with what it
// takes there. Such a task is looked at once for each of them: as a task whose
// shape, and all that follows from that, is of that way. A candidate says which
// way it goes. Once the start right is with a site, or the work has begun, the
// way is no longer open.

// setWays makes t the task of the way that it goes by now.
func (t *task) setWays(f *frame) {
	n := min(len(t.Shape.Ways), mostWays)
	if n == 0 {
		return
	}
	declared := t.Shape
	t.declared = &declared
	was := 0
	if t.Placement != nil && t.Placement.Way > 0 && t.Placement.Way <= n {
		was = t.Placement.Way
	}
	t.was = was
	if t.Pinned != "" || t.Running {
		t.turn(was, f.step)
		return
	}
	t.more = n
}

// mostWays bounds what is looked at, whatever the shape says.
const mostWays = 8

// turn makes the figures of t those of a way.
func (t *task) turn(way int, step time.Duration) {
	if t.declared != nil {
		t.way, t.Shape = way, t.declared.On(way)
	}
	t.power = min(max(t.Shape.Power, 0), mostPower)
	t.demand, t.gpu = wanted(t.Shape.Demand), wantedGPU(t.Shape.Demand)
	t.left, t.tail = remaining(t.Item, step)
}

// on returns t as it is on one of its ways.
func (f *frame) on(t *task, way int) *task {
	if way == t.way || t.declared == nil {
		return t
	}
	v := *t
	v.turn(way, f.step)
	// What is as declared but for the hardware may have been changed since.
	v.Shape.Objective = t.Shape.Objective
	v.free = nil
	return &v
}

// kinds calls yield with t on each way that is open to it.
func (f *frame) kinds(t *task) iter.Seq[*task] {
	return func(yield func(*task) bool) {
		if !yield(t) || t.more == 0 {
			return
		}
		for way := 0; way <= t.more; way++ {
			if way != t.way && !yield(f.on(t, way)) {
				return
			}
		}
	}
}

// options calls yield with each of sites, and t on each way that is open to it
// there. A site that has none of the accelerators of a way is not one for it,
// unless the work is there already.
func (f *frame) options(t *task, sites []int) iter.Seq2[*task, int] {
	return func(yield func(*task, int) bool) {
		if t.more == 0 {
			for _, site := range sites {
				if f.apt(t, site) && !yield(f.there(t, site), site) {
					return
				}
			}
			return
		}
		for v := range f.kinds(t) {
			for _, site := range sites {
				if f.apt(v, site) && !yield(f.there(v, site), site) {
					return
				}
			}
		}
	}
}

// apt reports whether t is looked at at a site at all.
func (f *frame) apt(t *task, site int) bool {
	return t.gpu.Count == 0 || site == t.own || site == t.hold || !f.places[site].lacks(t)
}

// longest returns the longest run of t on any way that is open to it.
func (f *frame) longest(t *task) (most time.Duration) {
	for v := range f.kinds(t) {
		most = max(most, v.left+v.lead)
	}
	return most
}

// quickest returns t on the way for which the least time is booked, of those
// that one of its sites has the hardware for, if there are any.
func (f *frame) quickest(t *task) *task {
	var best *task
	fits := false
	for v := range f.kinds(t) {
		ok := false
		for _, site := range t.sites {
			ok = ok || f.places[site].holds(v)
		}
		if best == nil || ok && !fits || ok == fits && v.left+v.tail < best.left+best.tail {
			best, fits = v, ok
		}
	}
	return best
}

// spot is a site and the kind of hardware that is used there.
type spot struct{ site, way int }

// wants reports whether ok is true of t on any way that is open to it.
func (f *frame) wants(t *task, ok func(*task) bool) bool {
	for v := range f.kinds(t) {
		if ok(v) {
			return true
		}
	}
	return false
}

// anywhere reports whether there is any site and way that t could be looked at.
func (f *frame) anywhere(t *task) bool {
	for range f.options(t, t.sites) {
		return true
	}
	return false
}

// hopeless reports whether t has too little time on any of its ways.
func (f *frame) hopeless(t *task) bool {
	return !f.wants(t, func(v *task) bool { return v.limit-v.tail-v.left-v.lead >= 0 })
}

// hardware says which of its kinds of hardware t is to run on; "" if it has one.
func (f *frame) hardware(t *task, c candidate) string {
	if t.declared == nil {
		return ""
	}
	v := f.on(t, c.way)
	what := quantity(0, v.demand[0])
	if v.gpu.Count > 0 {
		what = fmt.Sprintf("%d %s", v.gpu.Count, v.gpu.Type)
	}
	return fmt.Sprintf("; of its %d kinds of hardware it takes %s", len(t.declared.Ways)+1, what)
}
