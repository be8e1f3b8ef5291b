package ledger

import (
	"errors"
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// ErrUnknown is in every error that says that an intensity is not known.
var ErrUnknown = errors.New("carbon intensity is unknown")

// UnknownError says which intensity is missing. Nothing was booked: wait for a
// better series, or book with a worse one. It is an ErrUnknown.
type UnknownError struct {
	Zone grid.Zone
	At   time.Time
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("carbon intensity of %s is unknown at %s", e.Zone, e.At.Format(time.RFC3339))
}

func (e *UnknownError) Unwrap() error { return ErrUnknown }

// Account books one attempt's hour.
//
// Emitted is the location-based method of the GHG Protocol Scope 2 Guidance
// (2015), hour by hour, and the operational term O = E × I of SCI (ISO/IEC
// 21031:2024), with E of the whole facility:
//
//	emitted = Σ over pieces of: energy of the piece × intensity of the zone then
//	energy of all pieces = metered energy × PUE, spread evenly over running time,
//	and where elastic work changes its size, in proportion to that
//
// Market-based instruments and offsets have no place in it, and embodied
// carbon (SCI's M) is not in it: shifting work in time does not change M.
//
// Avoided is what the baseline run would have emitted, by SCI's rule for a
// baseline: the identical method, without the action. So it is the same
// running time and the same energy, unbroken, at the baseline's site from the
// baseline's start: what ran after a hours of running did so at base.Start + a.
// Time lost by an interruption is running time on both sides. Elastic work is
// compared with itself at its declared size: with the running time that its work
// takes then, and the energy in proportion.
//
//	avoided = Σ over pieces of: energy of the piece × intensity of the baseline's zone at start + a
//	saved   = avoided − emitted
//
// Rounding never flatters: energy is whole joules, carbon whole milligrams;
// emitted is at least, avoided at most what exact fractions give (see divide).
// So work that ran just as its baseline has saved 0 or a few milligrams less.
//
// An intensity that nobody knows makes no entry: the error is an UnknownError.
func Account(m Meter, zone grid.Zone, pue int64, actual grid.Outlook, base workload.Counterfactual, baseline grid.Outlook, booked time.Time) (Entry, error) {
	return account(m, zone, pue, outlook(actual), base, outlook(baseline), booked)
}

// account is Account on values from anywhere: from stored series, or from an
// entry that is made again.
func account(m Meter, zone grid.Zone, pue int64, actual values, base workload.Counterfactual, baseline values, booked time.Time) (Entry, error) {
	// 1. Doubt the inputs.
	m = m.utc()
	base.Start = utc(base.Start)
	if err := check(m, zone, pue, base, booked); err != nil {
		return Entry{}, fmt.Errorf("account %s/%d, hour of %s: %w", m.Workload, m.Attempt, m.Hour.Format(time.RFC3339), err)
	}

	// 2. The time that the work did run, and the time that it would have run.
	uses, weights, err := cut(m.Runs, zone, actual)
	if err != nil {
		return Entry{}, fmt.Errorf("account %s/%d, as it ran: %w", m.Workload, m.Attempt, err)
	}
	start := base.Start.Add(m.Before)
	instead, sizes, err := cut([]Run{{From: start, To: start.Add(m.Useful())}}, base.Zone, baseline)
	if err != nil {
		return Entry{}, fmt.Errorf("account %s/%d, under its baseline: %w", m.Workload, m.Attempt, err)
	}

	// 3. The same energy at both, each with its facility's PUE.
	divide(uses, weights, facility(m.Energy, pue, true), dearest)
	divide(instead, sizes, facility(m.asDeclared(), base.PUE, false), cheapest)

	// 4. The carbon of each.
	e := Entry{
		Method: Method, Meter: m, Zone: zone, PUE: pue, Uses: uses,
		Baseline: base, Instead: instead, Booked: utc(booked),
	}
	for i, u := range uses {
		uses[i].Carbon = grid.Emitted(u.Energy, u.Intensity)
		e.Emitted += uses[i].Carbon
	}
	for i, u := range instead {
		instead[i].Carbon = grid.Avoided(u.Energy, u.Intensity)
		e.Avoided += instead[i].Carbon
	}
	e.Saved = e.Avoided - e.Emitted

	// 5. How far it can be trusted.
	basis := uses[0].Signal.Basis
	for _, us := range [][]Use{uses, instead} {
		for _, u := range us {
			if u.Signal.Basis != basis {
				return Entry{}, fmt.Errorf("account %s/%d: intensities of basis %s and %s cannot be compared",
					m.Workload, m.Attempt, basis, u.Signal.Basis)
			}
			e.Grade = grid.Worse(e.Grade, u.Signal.Grade)
		}
	}
	e.Claimed = claims(e.Grade)
	return e, nil
}

// claims reports whether a saving may be claimed on values of grade g. A yearly
// mean (grade E) cannot show that one hour was better than another.
func claims(g grid.Grade) bool { return g >= grid.GradeA && g <= grid.GradeD }

func check(m Meter, zone grid.Zone, pue int64, base workload.Counterfactual, booked time.Time) error {
	if err := m.Validate(); err != nil {
		return err
	}
	if err := checkText("zone", string(zone)); err != nil {
		return err
	}
	if err := checkPUE("PUE", pue); err != nil {
		return err
	}
	if err := checkBaseline(base); err != nil {
		return err
	}
	if err := checkTime("time of booking", booked); err != nil {
		return err
	}
	if last := m.Runs[len(m.Runs)-1].To; booked.Before(last) {
		return fmt.Errorf("it would be booked at %s, before its last run ends at %s", booked, last)
	}
	return nil
}

// facility returns what the facility draws for e of its machines: e × PUE in
// whole joules, up for what was emitted, down for what was avoided.
func facility(e grid.Energy, pue int64, up bool) grid.Energy {
	j := int64(e) * pue // at most 3.6e9 × 1e4: check has seen both
	if up {
		j += 999
	}
	return grid.Energy(j / 1000)
}
