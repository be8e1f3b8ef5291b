package plan

import (
	"slices"
	"time"
)

// largeGroup is how many items a group and its world may have together for the
// nearest completeBy to be looked for closely: with more, fewer are tried.
const largeGroup = 200

// AdmitAll finds places for new items beside all that s promises: for all of
// them, or for none. The plan answers for s with the items appended. A refusal is
// of the first of them that has no place, and its NearestCompleteBy is one for the
// group: with the latest completeBy of the items at that time, and those of the
// others as much later, all would be admitted.
func AdmitAll(s Snapshot, items []Item) (Plan, *Refusal) {
	for i, it := range items {
		same := func(x Item) bool { return x.ID == it.ID }
		if slices.ContainsFunc(s.Items, same) || slices.ContainsFunc(items[:i], same) {
			return Plan{}, &Refusal{Workload: it.ID, Failed: []Failed{{Field: "metadata.name", Message: "It is in the plan already.", Missing: "a name of its own"}}}
		}
	}
	if p, ok := admittedAll(s, items); ok {
		return p, nil
	}
	p := InTurn(withAll(s, items))
	if r := firstRefused(items, p); r != nil {
		r.NearestCompleteBy = nearestForAll(s, items)
		return Plan{}, sayNearest(r)
	}
	return p, nil
}

func withAll(s Snapshot, items []Item) Snapshot {
	s.Items = append(slices.Clone(s.Items), items...)
	return s
}

// admittedAll tries to admit items while all others stay as they are.
func admittedAll(s Snapshot, items []Item) (Plan, bool) {
	f := newFrame(withAll(s, items))
	f.stand()
	mine := map[string]bool{}
	for _, it := range items {
		mine[it.ID] = true
	}
	var fresh []*task
	for _, t := range f.tasks {
		switch {
		case mine[t.ID] && (t.promised || t.lost):
			return Plan{}, false
		case mine[t.ID]:
			fresh = append(fresh, t)
		case !t.placed || t.flaw != sound:
			return Plan{}, false
		}
	}
	slices.SortFunc(fresh, bySlack)
	for _, by := range []way{f.cleanest, f.earliest} {
		if len(f.fill(fresh, by)) == 0 {
			f.better(fresh)
			f.threads(fresh)
			return f.plan(true), true
		}
		for _, t := range fresh {
			if t.placed {
				f.take(t)
			}
		}
	}
	return Plan{}, false
}

// firstRefused returns the refusal of the first of items that has no place,
// nil if all have one: of one that others of them wait for rather than of these.
func firstRefused(items []Item, p Plan) *Refusal {
	refused := map[string]*Refusal{}
	for i := range p.Unplaced {
		refused[p.Unplaced[i].Workload] = &p.Unplaced[i]
	}
	var any *Refusal
	for _, it := range items {
		r := refused[it.ID]
		if r == nil {
			continue
		}
		if !slices.ContainsFunc(it.Shape.After, func(id string) bool { return refused[id] != nil }) {
			return r
		}
		if any == nil {
			any = r
		}
	}
	return any
}

// nearestForAll looks for the least by which the completeBy of all items must be
// later for them to be admitted; it returns the latest of them then, zero if none
// is found. What it returns is admitted.
func nearestForAll(s Snapshot, items []Item) time.Time {
	step := max(s.Step, time.Second)
	last := items[0].Shape.When.CompleteBy
	for _, it := range items {
		if by := it.Shape.When.CompleteBy; by.After(last) {
			last = by
		}
	}
	tries := 40
	if len(s.Items)+len(items) > largeGroup {
		tries = 8
	}
	fits := func(more time.Duration) bool {
		tries--
		later := slices.Clone(items)
		for i := range later {
			later[i].Shape.When.CompleteBy = later[i].Shape.When.CompleteBy.Add(more)
		}
		if _, ok := admittedAll(s, later); ok {
			return true
		}
		return len(items)+len(s.Items) <= closeLook && firstRefused(later, InTurn(withAll(s, later))) == nil
	}
	low, high := time.Duration(0), step
	for ; !fits(high); low, high = high, 2*high {
		if tries <= 0 || high > 4*max(s.Horizon, step) {
			return time.Time{}
		}
	}
	for high-low > step && tries > 0 {
		if mid := low + (high-low)/2; fits(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return wholeSecond(last.Add(high))
}
