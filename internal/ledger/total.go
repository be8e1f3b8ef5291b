package ledger

import (
	"errors"
	"fmt"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
)

// Sum is what several entries come to.
type Sum struct {
	Entries int
	Energy  grid.Energy // of the facility, as it ran
	Emitted grid.Carbon
	Avoided grid.Carbon

	// Saved + Unclaimed = Avoided − Emitted. Saved is of the entries that
	// claim their saving; Unclaimed is of those whose grade is too weak, and
	// is never added to Saved.
	Saved     grid.Carbon
	Unclaimed grid.Carbon

	Grade grid.Grade // the worst of all
}

// Totals is what entries come to: in all, and by each of three ways to ask.
type Totals struct {
	Method    string // "" if there are no entries
	Basis     grid.Basis
	All       Sum
	Workloads map[string]Sum
	Tenants   map[access.Tenant]Sum
	Zones     map[grid.Zone]Sum // by where it ran
}

// Total adds entries up; where one restates another, of an hour that is there,
// the newer one counts. It refuses to add what does not add: entries of two
// methods or bases, an hour of an attempt that is there twice, or more than
// can be counted. It believes the figures: Recompute each entry first.
func Total(entries []Entry) (Totals, error) {
	t := Totals{Workloads: map[string]Sum{}, Tenants: map[access.Tenant]Sum{}, Zones: map[grid.Zone]Sum{}}
	type hour struct {
		workload string
		attempt  int
		start    int64
	}
	seen := map[hour]bool{}
	for i, e := range entries {
		name := fmt.Sprintf("%s/%d, hour of %s", e.Meter.Workload, e.Meter.Attempt, e.Meter.Hour.Format(time.RFC3339))
		basis, err := e.basis()
		if err != nil {
			return Totals{}, fmt.Errorf("add %s: %w", name, err)
		}
		if i == 0 {
			t.Method, t.Basis = e.Method, basis
		}
		h := hour{e.Meter.Workload, e.Meter.Attempt, e.Meter.Hour.Unix()}
		switch {
		case e.Method != t.Method:
			return Totals{}, fmt.Errorf("add %s: its method is %q, that of the others %q", name, e.Method, t.Method)
		case basis != t.Basis:
			return Totals{}, fmt.Errorf("add %s: its basis is %s, that of the others %s", name, basis, t.Basis)
		case seen[h] && e.Restates == nil:
			return Totals{}, fmt.Errorf("add %s: it is there twice", name)
		case !seen[h] && e.Restates != nil:
			return Totals{}, fmt.Errorf("add %s: what it restates is not there", name)
		}
		seen[h] = true
		one, err := e.sum()
		if err == nil && e.Restates != nil {
			if err = e.Restates.check(); err == nil {
				err = into(&one, e.Restates.sum())
			}
		}
		if err != nil {
			return Totals{}, fmt.Errorf("add %s: %w", name, err)
		}
		for _, err := range []error{
			into(&t.All, one), intoMap(t.Workloads, e.Meter.Workload, one),
			intoMap(t.Tenants, e.Meter.Tenant, one), intoMap(t.Zones, e.Zone, one),
		} {
			if err != nil {
				return Totals{}, fmt.Errorf("add %s: %w", name, err)
			}
		}
	}
	return t, nil
}

// basis returns the one basis of all that e uses.
func (e Entry) basis() (grid.Basis, error) {
	if len(e.Uses) == 0 {
		return grid.Basis{}, errors.New("it has no uses")
	}
	b := e.Uses[0].Signal.Basis
	for _, us := range [][]Use{e.Uses, e.Instead} {
		for _, u := range us {
			if u.Signal.Basis != b {
				return b, fmt.Errorf("it mixes the bases %s and %s", b, u.Signal.Basis)
			}
		}
	}
	return b, nil
}

func (e Entry) sum() (Sum, error) {
	if e.Saved != e.Avoided-e.Emitted || e.Claimed != claims(e.Grade) {
		return Sum{}, errors.New("its figures contradict one another")
	}
	s := Sum{Entries: 1, Emitted: e.Emitted, Avoided: e.Avoided, Grade: e.Grade}
	if e.Claimed {
		s.Saved = e.Saved
	} else {
		s.Unclaimed = e.Saved
	}
	for _, u := range e.Uses {
		if err := add(&s.Energy, u.Energy); err != nil {
			return s, err
		}
	}
	return s, nil
}

func intoMap[K comparable](m map[K]Sum, k K, one Sum) error {
	s := m[k]
	err := into(&s, one)
	m[k] = s
	return err
}

func into(s *Sum, one Sum) error {
	s.Entries += one.Entries
	s.Grade = grid.Worse(s.Grade, one.Grade)
	return errors.Join(
		add(&s.Energy, one.Energy), add(&s.Emitted, one.Emitted), add(&s.Avoided, one.Avoided),
		add(&s.Saved, one.Saved), add(&s.Unclaimed, one.Unclaimed))
}

func add[N ~int64](sum *N, n N) error {
	s := *sum + n
	if (s > *sum) != (n > 0) {
		return errors.New("the sum is more than can be counted")
	}
	*sum = s
	return nil
}
