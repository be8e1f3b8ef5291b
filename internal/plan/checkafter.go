package plan

import (
	"fmt"
	"slices"
	"time"
)

// line is who waits for whom, by id: those that are open alone.
type line struct {
	before, behind map[string][]string
	by             map[string]time.Time // memory for dueFor
}

// lineUp returns the line of some items. What runs waits for nobody. Those that
// wait in a circle, and those behind it, do not wait for each other: it could
// never end.
func lineUp(items map[string]Item) *line {
	l := &line{before: map[string][]string{}, behind: map[string][]string{}, by: map[string]time.Time{}}
	open := map[string][]string{}
	for id, it := range items {
		if it.Running {
			continue
		}
		for _, p := range it.Shape.After {
			if _, there := items[p]; there && p != id && !slices.Contains(open[id], p) {
				open[id] = append(open[id], p)
			}
		}
	}
	if len(open) == 0 {
		return l
	}
	// Whoever waits only for those that are free is free as well.
	free := map[string]bool{}
	for more := true; more; {
		more = false
		for id := range items {
			if !free[id] && !slices.ContainsFunc(open[id], func(p string) bool { return !free[p] }) {
				free[id], more = true, true
			}
		}
	}
	for id, ps := range open {
		for _, p := range ps {
			if free[id] || free[p] {
				l.before[id] = append(l.before[id], p)
				l.behind[p] = append(l.behind[p], id)
			}
		}
	}
	return l
}

// dueFor returns when an item's booked time must be over for itself and all that
// wait for it to be complete in time.
func (d *doubt) dueFor(it Item) time.Time {
	by := d.due(it)
	if d.line == nil || len(d.line.behind[it.ID]) == 0 {
		return by
	}
	if known, ok := d.line.by[it.ID]; ok {
		return known
	}
	for _, id := range d.line.behind[it.ID] {
		heir := d.items[id]
		owed, beyond := d.owed(heir)
		if waits(heir) {
			owed += within(heir.Shape.Interruptible.Overhead)
		}
		if start := d.mustRun(heir, owed, beyond); start.Before(by) {
			by = start
		}
	}
	d.line.by[it.ID] = by
	return by
}

// turn holds each placement against those of all that it waits for. Nothing
// excuses a start before the booked end of one of them: to be late breaks less.
func (d *doubt) turn() error {
	d.starts, d.ends = map[string]time.Time{}, map[string]time.Time{}
	for _, pl := range d.p.Placements {
		d.starts[pl.Workload], d.ends[pl.Workload] = pl.Spans[0].Start, pl.Reserved
	}
	for _, pl := range d.p.Placements {
		for _, id := range d.line.before[pl.Workload] {
			end, placed := d.ends[id]
			switch {
			case !placed && !promisedBefore(d.items[pl.Workload]):
				return &Broken{pl.Workload, KeptAfter, fmt.Sprintf("it waits for %s, which has no place", id)}
			case placed && pl.Spans[0].Start.Before(end):
				return &Broken{pl.Workload, KeptAfter, fmt.Sprintf("it starts at %s, and waits for %s until %s", pl.Spans[0].Start.Format(time.RFC3339), id, end.Format(time.RFC3339))}
			}
		}
	}
	return nil
}

// freeFrom returns the booked end of all that an item waits for.
func (d *doubt) freeFrom(it Item) (at time.Time) {
	if d.line == nil {
		return at
	}
	for _, id := range d.line.before[it.ID] {
		at = later(at, d.ends[id])
	}
	return at
}

// goneBy returns when the first of those that wait for an item is to start; zero
// if nobody waits.
func (d *doubt) goneBy(it Item) (at time.Time) {
	if d.line == nil {
		return at
	}
	for _, id := range d.line.behind[it.ID] {
		if start, placed := d.starts[id]; placed && (at.IsZero() || start.Before(at)) {
			at = start
		}
	}
	return at
}

// outOfTurn says whom of those in line pl would not leave in order, as all
// others stand on the roll; "" if it keeps it.
func (r *roll) outOfTurn(it Item, pl Placement) string {
	if r.line == nil {
		return ""
	}
	for _, id := range r.line.before[it.ID] {
		if end := r.until(id); !it.Running && pl.Spans[0].Start.Before(end) {
			return fmt.Sprintf("it starts at %s, and waits for %s until %s", pl.Spans[0].Start.Format(time.RFC3339), id, end.Format(time.RFC3339))
		}
	}
	for _, id := range r.line.behind[it.ID] {
		at, ok := r.seat[id]
		if !ok {
			continue
		}
		if start := r.rows[at.site][at.row].from; start.Before(pl.Reserved) && r.until(it.ID).Before(pl.Reserved) {
			return fmt.Sprintf("%s waits for it from %s on", id, start.Format(time.RFC3339))
		}
	}
	return ""
}
