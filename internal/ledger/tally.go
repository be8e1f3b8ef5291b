package ledger

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Kind is what entries must have in common to be added up: grams of two methods
// or bases are not the same grams.
type Kind struct {
	Method string
	Basis  grid.Basis
}

// Part is what a Tally keeps apart: the kind, the day of the hour (UTC), the
// zone in which it ran, and the grade.
type Part struct {
	Kind
	Day   time.Time
	Zone  grid.Zone
	Grade grid.Grade
}

// Tally adds entries up as the log grows, so that what they come to need not
// be read from the first one each time. The zero Tally is of no entries.
type Tally struct {
	Parts       map[Part]Sum
	First, Last time.Time // hours
	Newest      Kind      // of the entry that was added last
}

// Add adds an entry, and refuses one whose figures contradict one another.
func (t *Tally) Add(e Entry) error {
	basis, err := e.basis()
	var one Sum
	if err == nil {
		one, err = e.sum()
	}
	if err == nil && e.Restates != nil {
		err = e.Restates.check()
	}
	if err != nil {
		return fmt.Errorf("add %s/%d, hour of %s: %w", e.Meter.Workload, e.Meter.Attempt, e.Meter.Hour.Format(time.RFC3339), err)
	}
	if t.Parts == nil {
		t.Parts = map[Part]Sum{}
		t.First, t.Last = e.Meter.Hour, e.Meter.Hour
	}
	if e.Meter.Hour.Before(t.First) {
		t.First = e.Meter.Hour
	}
	if e.Meter.Hour.After(t.Last) {
		t.Last = e.Meter.Hour
	}
	t.Newest = Kind{e.Method, basis}
	part := Part{t.Newest, e.Meter.Hour.UTC().Truncate(24 * time.Hour), e.Zone, e.Grade}
	if err := intoMap(t.Parts, part, one); err != nil || e.Restates == nil {
		return err
	}
	// What it takes the place of counts no longer.
	part.Grade = e.Restates.Grade
	if err := intoMap(t.Parts, part, e.Restates.sum()); err != nil {
		return err
	}
	if t.Parts[part].Entries == 0 {
		delete(t.Parts, part)
	}
	return nil
}

// Sums adds the parts up by a key of theirs. Parts for which key says false
// are left out.
func Sums[K comparable](t Tally, key func(Part) (K, bool)) (map[K]Sum, error) {
	out := map[K]Sum{}
	for p, s := range t.Parts {
		if k, counts := key(p); counts {
			if err := intoMap(out, k, s); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
