package plan

import (
	"cmp"
	"slices"
	"time"

	"clusy.io/clusy/internal/workload"
)

// closeLook is how many items a world may have for a refusal to be bettered by
// trying: with more, the nearest completeBy is the one that leaves all others
// where they are.
const closeLook = 64

// Admit finds a place for a new item beside all that s promises. It returns
// the new plan, in which every promised item still has a place and the new one
// too, or a refusal with the nearest completeBy that would be admitted. The
// plan answers for s with the item appended to its Items.
func Admit(s Snapshot, it Item) (Plan, *Refusal) {
	if slices.ContainsFunc(s.Items, func(x Item) bool { return x.ID == it.ID }) {
		return Plan{}, &Refusal{Workload: it.ID, Failed: []Failed{{Field: "metadata.name", Message: "It is in the plan already.", Missing: "a name of its own"}}}
	}
	if p, ok := admitted(s, it); ok {
		return p, nil
	}
	p := InTurn(with(s, it))
	for _, r := range p.Unplaced {
		if r.Workload == it.ID {
			return Plan{}, bettered(s, it, r)
		}
	}
	return p, nil
}

func with(s Snapshot, it Item) Snapshot {
	s.Items = append(slices.Clone(s.Items), it)
	return s
}

// admitted tries to admit it while all others stay as they are.
func admitted(s Snapshot, it Item) (Plan, bool) {
	f, t, ok := beside(s, it)
	if !ok || !f.squeeze(t) {
		return Plan{}, false
	}
	return f.plan(true), true
}

// beside makes a frame in which all that is promised stands as it is, if it
// can, and the new item is still out.
func beside(s Snapshot, it Item) (f *frame, fresh *task, ok bool) {
	f = newFrame(with(s, it))
	f.stand()
	ok = true
	for _, t := range f.tasks {
		switch {
		case t.ID == it.ID:
			fresh = t
		case !t.placed || t.flaw != sound:
			ok = false
		}
	}
	return f, fresh, ok && fresh != nil && !fresh.promised && !fresh.lost
}

// squeeze places t in what is free.
func (f *frame) squeeze(t *task) bool {
	c, by := f.choose(t, t.sites, waiver{})
	if c != nil {
		f.put(t, *c, by)
	}
	return c != nil
}

// bettered looks for the nearest completeBy by asking Admit's own question.
// It narrows a bracket whose later end is admitted and whose earlier end is
// refused, down to a slot.
func bettered(s Snapshot, it Item, r Refusal) *Refusal {
	if f, t, ok := beside(s, it); ok {
		if n := f.nearest(t); !n.IsZero() && (r.NearestCompleteBy.IsZero() || n.Before(r.NearestCompleteBy)) {
			r.NearestCompleteBy = n
		}
	}
	if len(s.Items) > closeLook || len(r.Failed) > 0 && (r.Failed[0].Field == "where" || r.Failed[0].Field == "where.allow") {
		return sayNearest(&r)
	}
	// until returns when the item would be complete by its booked time, if it
	// were submitted with by.
	last := s.Now.Add(farthest)
	if len(it.Shape.When.Deny) > 0 {
		last = it.Shape.When.CompleteBy.Add(workload.DenyAhead) // what is denied later is not known
	}
	until := func(by time.Time) (time.Time, bool) {
		if by.After(last) {
			return time.Time{}, false
		}
		try := it
		try.Shape.When.CompleteBy = by
		p, ok := admitted(s, try)
		if !ok {
			p = InTurn(with(s, try))
		}
		i, found := slices.BinarySearchFunc(p.Placements, it.ID, func(pl Placement, id string) int { return cmp.Compare(pl.Workload, id) })
		if !found {
			return time.Time{}, false
		}
		return p.Placements[i].Reserved, true
	}
	step := max(s.Step, time.Second)
	end, ok := until(r.NearestCompleteBy)
	if r.NearestCompleteBy.IsZero() || !ok {
		// Nothing helps while others stay where they are. With all the time
		// in the world they may move.
		if end, ok = until(last); !ok {
			r.NearestCompleteBy = time.Time{}
			return sayNearest(&r)
		}
		r.NearestCompleteBy = wholeSecond(end.Add(min(max(s.Margin, 0), longest)))
		if _, ok := until(r.NearestCompleteBy); !ok {
			r.NearestCompleteBy = last.Round(0).UTC().Truncate(time.Second)
		}
	}
	refused := it.Shape.When.CompleteBy
	if refused.Before(s.Now) {
		refused = s.Now
	}
	for r.NearestCompleteBy.Sub(refused) > step {
		mid := wholeSecond(refused.Add(r.NearestCompleteBy.Sub(refused) / 2))
		if !mid.Before(r.NearestCompleteBy) {
			break
		}
		if _, ok := until(mid); ok {
			r.NearestCompleteBy = mid
		} else {
			refused = mid
		}
	}
	for range 8 {
		sooner := r.NearestCompleteBy.Add(-step)
		if _, ok := until(sooner); !ok || !sooner.After(it.Shape.When.CompleteBy) {
			break
		}
		r.NearestCompleteBy = sooner
	}
	return sayNearest(&r)
}

// wholeSecond rounds t up: people write times without a fraction.
func wholeSecond(t time.Time) time.Time {
	t = t.Round(0).UTC()
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		return whole.Add(time.Second)
	}
	return t
}

// sayNearest repeats the nearest completeBy where the failed field stands.
func sayNearest(r *Refusal) *Refusal {
	for i := range r.Failed {
		if r.Failed[i].Field == "when.completeBy" {
			r.Failed[i].Nearest = ""
			if !r.NearestCompleteBy.IsZero() {
				r.Failed[i].Nearest = stamp(r.NearestCompleteBy)
			}
		}
	}
	return r
}
