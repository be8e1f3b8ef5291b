package budget

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// mostPeriods is how many periods of a budget are looked at for one workload:
// more than a quarter of days.
const mostPeriods = 100

// Closed returns the periods into which a new plan must not move a workload that
// is promised: those in which a budget that holds has too little left for all
// that might be moved there. The periods in which it is now stay open to it.
func (k *Book) Closed(id string, shape workload.Shape, pl plan.Placement) (out []workload.Span) {
	for _, b := range k.budgets {
		if b.Then != Hold || !b.Covers(shape.QueueOf()) {
			continue
		}
		w := b.PeriodOf(k.now)
		for range mostPeriods {
			if !w.Start.Before(shape.When.CompleteBy) {
				break
			}
			if !k.touches(id, w) && !k.reaches(pl, w) && k.crowded(b, w) {
				out = append(out, workload.Span{Start: w.Start, End: w.End})
			}
			w = b.PeriodOf(w.End)
		}
	}
	return union(out)
}

// touches reports whether a workload is booked for any time of w.
func (k *Book) touches(id string, w Window) bool {
	return slices.ContainsFunc(k.booked, func(p Piece) bool {
		return p.Workload == id && p.From.Before(w.End) && p.To.After(w.Start)
	})
}

// reaches reports whether a placement keeps any time of w for its work, up to the
// end of its booked time, or to now if it should be over.
func (k *Book) reaches(pl plan.Placement, w Window) bool {
	return len(pl.Spans) > 0 && pl.Start().Before(w.End) && later(pl.Reserved, k.now).After(w.Start)
}

// crowded reports whether all that is booked outside of w, and not begun, would
// be too much for it together: as moves are decided one by one, and must hold
// all at once.
func (k *Book) crowded(b Budget, w Window) bool {
	spent, _ := sum(b, k.spent, w)
	booked, _ := sum(b, k.booked, w)
	need := int64(0)
	for _, p := range k.booked {
		if !b.Covers(p.Queue) || !p.To.After(k.now) {
			continue
		}
		n, known := p.of(b)
		if !known {
			return true
		}
		there, _, _ := p.within(b, w)
		need = min(need+n-there, int64(mostAmount))
	}
	return need > b.Limit-spent-booked
}

// union returns the times of spans, in order and apart.
func union(spans []workload.Span) (out []workload.Span) {
	slices.SortFunc(spans, func(a, b workload.Span) int { return a.Start.Compare(b.Start) })
	for _, s := range spans {
		if n := len(out); n > 0 && !s.Start.After(out[n-1].End) {
			out[n-1].End = later(out[n-1].End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Seek admits shape within the budgets that hold: place finds it a place that is
// clear of what it is told is closed, and is asked again, with the periods closed
// that the place would exceed, until one fits or none is found. It returns the
// place and what was closed; or, without a place, the excesses that closed it out.
func (k *Book) Seek(id string, shape workload.Shape, place func(closed []workload.Span) (plan.Placement, bool)) (pl plan.Placement, closed []workload.Span, over []Excess, ok bool) {
	for range mostSeeks {
		if pl, ok = place(closed); !ok {
			return pl, closed, over, false
		}
		more := k.Over(id, shape, pl, Hold)
		if len(more) == 0 {
			return pl, closed, over, true
		}
		over = append(over, more...)
		before := length(closed)
		for _, x := range more {
			closed = union(append(slices.Clone(closed), workload.Span{Start: x.Period.Start, End: x.Period.End}))
		}
		if length(closed) == before {
			break // the place was not clear of what is closed
		}
	}
	return pl, closed, over, false
}

// mostSeeks is how many places are tried: each closes a period at least.
const mostSeeks = 40

func length(spans []workload.Span) (d time.Duration) {
	for _, s := range spans {
		d += s.End.Sub(s.Start)
	}
	return d
}
