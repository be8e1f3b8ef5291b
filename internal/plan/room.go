package plan

import (
	"cmp"
	"slices"
)

// mostMoves is how many placed items are tried as the one that must move for a
// new one.
const mostMoves = 48

// mostLooks is how many placed items are tried in all, for all that have no
// place: where hundreds have none there is no room, and others wait for the plan.
const mostLooks = 8_192

// placeNew places what has no promise yet in the room that the promises leave.
func (f *frame) placeNew() {
	var fresh []*task
	for _, t := range f.tasks {
		if !t.promised && !t.lost {
			fresh = append(fresh, t)
		}
	}
	fresh = f.byTurn(fresh)
	failed := f.fill(fresh, f.cleanest)
	if len(failed) == 0 {
		return
	}
	f.repair(fresh, failed)
	f.better(fresh)
}

// repair finds room for more of fresh, of which failed has none: by letting
// the unlucky go first, by packing early, by moving one other item, by packing
// all that can move. Each way counts only if it leaves fewer without a place.
func (f *frame) repair(fresh, failed []*task) {
	hard := slices.DeleteFunc(slices.Clone(failed), func(t *task) bool { return !f.alone(t) })
	if len(hard) == 0 {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(fresh), func(t *task) bool { return slices.Contains(failed, t) })
	tightFirst := append(slices.Clone(hard), kept...)
	byLimit := slices.Clone(tightFirst)
	slices.SortFunc(byLimit, func(a, b *task) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.ID, b.ID)) })

	hard = f.attempt(hard, tightFirst, tightFirst, f.cleanest)
	hard = f.attempt(hard, tightFirst, tightFirst, f.earliest)
	hard = f.attempt(hard, byLimit, byLimit, f.earliest)
	for _, t := range slices.Clone(hard) {
		if f.moveOne(t) {
			hard = slices.DeleteFunc(hard, func(x *task) bool { return x == t })
		}
	}
	if len(hard) == 0 || len(f.tasks) > 8*mostMoves {
		return
	}
	var all []*task
	for _, t := range f.tasks {
		if t.placed && !t.Running && t.flaw == sound || slices.Contains(hard, t) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, bySlack)
	hard = f.attempt(hard, all, all, f.earliest)
	slices.SortFunc(all, func(a, b *task) int { return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.ID, b.ID)) })
	f.attempt(hard, all, all, f.earliest)
}

// alone reports whether t could be placed if nothing else were.
func (f *frame) alone(t *task) bool {
	loads := make([]*load, len(f.places))
	for i, p := range f.places {
		loads[i], p.load = p.load, &load{}
	}
	c := f.earliest(t)
	for i, p := range f.places {
		p.load = loads[i]
	}
	return c != nil
}

// way finds a place for a task, or nil.
type way func(*task) *candidate

func (f *frame) cleanest(t *task) *candidate {
	c, by := f.choose(t, t.sites, waiver{})
	t.by = by
	return c
}

func (f *frame) earliest(t *task) *candidate {
	t.by = BindingNone
	return f.offers(t, t.sites, waiver{}).early
}

// fill places ts in turn, and returns those that found no place.
func (f *frame) fill(ts []*task, by way) (failed []*task) {
	for _, t := range f.afterOthers(ts) {
		if c := by(t); c != nil {
			f.put(t, *c, t.by)
		} else {
			failed = append(failed, t)
		}
	}
	return failed
}

// attempt takes out members and places them again in order. It returns what is
// then without a place, or puts all back and returns hard if that is not less
// or a promise is among it.
func (f *frame) attempt(hard, members, order []*task, by way) []*task {
	if len(hard) == 0 {
		return nil
	}
	before := make([]task, len(members))
	for i, t := range members {
		before[i] = *t
		if t.placed {
			f.take(t)
		}
	}
	failed := f.fill(order, by)
	if len(failed) < len(hard) && !slices.ContainsFunc(failed, func(t *task) bool { return t.promised }) {
		return failed
	}
	for _, t := range members {
		if t.placed {
			f.take(t)
		}
	}
	for i, t := range members {
		if before[i].placed {
			f.put(t, before[i].at, before[i].by)
		}
	}
	return hard
}

// moveOne finds a place for t by moving one other item to another good place.
func (f *frame) moveOne(t *task) bool {
	tried := 0
	if f.looks >= mostLooks {
		return false
	}
	for _, q := range f.tasks {
		if q == t || !q.placed || q.fixed() || q.flaw != sound || !slices.Contains(t.sites, q.at.site) {
			continue
		}
		f.looks++
		if tried++; tried > mostMoves {
			return false
		}
		was, by := q.at, q.by
		f.take(q)
		for _, find := range []way{f.cleanest, f.earliest} {
			c := find(t)
			if c == nil {
				break
			}
			f.put(t, *c, t.by)
			if d, by := f.choose(q, q.sites, waiver{}); d != nil {
				f.put(q, *d, by)
				return true
			}
			f.take(t)
		}
		f.put(q, was, by)
	}
	return false
}
