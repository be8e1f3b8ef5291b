package plan

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Change is one difference between two plans.
type Change struct {
	Workload string
	Kind     ChangeKind
	From, To *Placement // nil if it has none in the one plan or the other
	// Carbon is what the change adds, negative if it is cleaner; meaningful
	// only if Known: both placements are there and rest on known intensities.
	Carbon grid.Carbon
	Known  bool
}

// ChangeKind says what sort of difference a Change is.
type ChangeKind string

const (
	Added     ChangeKind = "added"
	Removed   ChangeKind = "removed"
	MovedSite ChangeKind = "moved-site"
	MovedTime ChangeKind = "moved-time"
	MovedWay  ChangeKind = "moved-way" // to other hardware at the same site
)

// Diff lists what changes from a to b, by workload. Spans that were over when
// b was made are no change, nor is the past of one that was under way.
func Diff(a, b Plan) []Change {
	var out []Change
	i, j := 0, 0
	for i < len(a.Placements) || j < len(b.Placements) {
		switch {
		case j == len(b.Placements) || i < len(a.Placements) && a.Placements[i].Workload < b.Placements[j].Workload:
			out = append(out, Change{Workload: a.Placements[i].Workload, Kind: Removed, From: &a.Placements[i]})
			i++
		case i == len(a.Placements) || b.Placements[j].Workload < a.Placements[i].Workload:
			out = append(out, Change{Workload: b.Placements[j].Workload, Kind: Added, To: &b.Placements[j]})
			j++
		default:
			if c, ok := change(&a.Placements[i], &b.Placements[j], b.At); ok {
				out = append(out, c)
			}
			i, j = i+1, j+1
		}
	}
	return out
}

func change(a, b *Placement, now time.Time) (Change, bool) {
	c := Change{Workload: a.Workload, From: a, To: b}
	switch {
	case a.Site != b.Site:
		c.Kind = MovedSite
	case a.Way != b.Way:
		c.Kind = MovedWay
	case !slices.EqualFunc(ahead(a.Spans, now), ahead(b.Spans, now), func(x, y Span) bool { return x.Start.Equal(y.Start) && x.End.Equal(y.End) && x.Size == y.Size }):
		c.Kind = MovedTime
	default:
		return c, false
	}
	if a.Grade != "" && b.Grade != "" {
		c.Known, c.Carbon = true, b.Carbon-a.Carbon
	}
	return c, true
}

// ahead returns the part of spans from now on.
func ahead(spans []Span, now time.Time) []Span {
	var out []Span
	for _, s := range spans {
		if s.Start.Before(now) {
			s.Start = now
		}
		if s.Start.Before(s.End) {
			out = append(out, s)
		}
	}
	return out
}
