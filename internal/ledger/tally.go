package ledger

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Part is what a Tally keeps apart: the day of the hour (UTC), the zone in
// which it ran, and the grade.
type Part struct {
	Day   time.Time
	Zone  grid.Zone
	Grade grid.Grade
}

// Tally adds entries up as the log grows, so that what they come to need not
// be read from the first one each time. The zero Tally is of no entries.
type Tally struct {
	Parts       map[Part]Sum
	First, Last time.Time // hours
	Method      string
	basis       grid.Basis
}

// Add adds an entry, and refuses one that does not add to those before it: of
// another method or basis, or with figures that contradict one another.
func (t *Tally) Add(e Entry) error {
	basis, err := e.basis()
	if err == nil && t.Parts != nil && (e.Method != t.Method || basis != t.basis) {
		err = fmt.Errorf("it is of method %q on %s, the others of %q on %s", e.Method, basis, t.Method, t.basis)
	}
	var one Sum
	if err == nil {
		one, err = e.sum()
	}
	if err != nil {
		return fmt.Errorf("add %s/%d, hour of %s: %w", e.Meter.Workload, e.Meter.Attempt, e.Meter.Hour.Format(time.RFC3339), err)
	}
	if t.Parts == nil {
		t.Parts, t.Method, t.basis = map[Part]Sum{}, e.Method, basis
		t.First, t.Last = e.Meter.Hour, e.Meter.Hour
	}
	if e.Meter.Hour.Before(t.First) {
		t.First = e.Meter.Hour
	}
	if e.Meter.Hour.After(t.Last) {
		t.Last = e.Meter.Hour
	}
	return intoMap(t.Parts, Part{e.Meter.Hour.UTC().Truncate(24 * time.Hour), e.Zone, e.Grade}, one)
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
