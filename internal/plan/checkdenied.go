package plan

import (
	"fmt"
	"slices"
	"time"
)

// deniedBetween reports whether a time that is denied to an item has a part in
// [from, to).
func deniedBetween(it Item, from, to time.Time) bool {
	for _, x := range append(slices.Clone(it.Shape.When.Deny), it.Closed...) {
		if x.Start.Before(x.End) && from.Before(x.End) && x.Start.Before(to) {
			return true
		}
	}
	return false
}

// denied says which span of pl, the last with its booked time, is denied to an
// item; "" if none is.
func (d *doubt) denied(it Item, pl Placement) string {
	for i, s := range pl.Spans {
		to := s.End
		if i == len(pl.Spans)-1 {
			to = later(to, pl.Reserved)
		}
		if deniedBetween(it, later(s.Start, d.now), to) {
			return fmt.Sprintf("it may not run in a part of span %d, %s to %s", i, s.Start.Format(time.RFC3339), to.Format(time.RFC3339))
		}
	}
	return ""
}

// mustRun returns the latest time from which an item is complete in time if it
// runs from then on whenever it may, and so is all that waits for it. It goes backwards over the
// gaps between what is denied.
func (d *doubt) mustRun(it Item, owed, beyond time.Duration) time.Time {
	by, in := d.dueFor(it), it.Shape.Interruptible
	over := within(in.Overhead)
	shortest := max(within(in.MinRun), over)
	gaps := gapsBefore(it, by)

	stops := 0
	for i, left := len(gaps)-1, owed+beyond; i >= 0 && in.Allowed; i-- {
		from, to := gaps[i][0], gaps[i][1]
		run := left
		if stops > 0 {
			run = max(run, shortest)
		}
		if i == 0 || !to.Add(-run).Before(from) {
			return to.Add(-run)
		}
		whole := to.Sub(from)
		if stops == 0 && whole <= over+beyond || stops > 0 && whole < shortest || left <= whole {
			continue // of no use
		}
		if stops++; in.MaxSuspensions > 0 && used(it)+stops > in.MaxSuspensions {
			break
		}
		left += over - whole
	}
	for i := len(gaps) - 1; i > 0; i-- {
		if start := gaps[i][1].Add(-owed - beyond); !start.Before(gaps[i][0]) {
			return start
		}
	}
	return gaps[0][1].Add(-owed - beyond)
}

// gapsBefore lists the times before by that are not denied, in order. The first
// has no beginning.
func gapsBefore(it Item, by time.Time) (gaps [][2]time.Time) {
	edge := by
	deny := slices.Clone(it.Shape.When.Deny)
	first, last := time.Unix(0, 0).UTC(), time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range deny {
		for _, t := range []*time.Time{&deny[i].Start, &deny[i].End} {
			if *t = later(*t, first); t.After(last) {
				*t = last
			}
		}
	}
	for {
		// Of those that begin before the edge, the one that ends last.
		last := -1
		for i, x := range deny {
			if x.Start.Before(edge) && x.Start.Before(x.End) && (last < 0 || x.End.After(deny[last].End)) {
				last = i
			}
		}
		if last < 0 {
			gaps = append(gaps, [2]time.Time{{}, edge})
			slices.Reverse(gaps)
			return gaps
		}
		if end := deny[last].End; end.Before(edge) {
			gaps = append(gaps, [2]time.Time{end, edge})
		}
		edge = deny[last].Start
	}
}
