package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/problem"
)

// account books the hours that are over. An hour waits for its measured
// intensity; after Patience a worse grade will do, and the entry says so.
func (l *Loop) account(ctx context.Context, now time.Time) error {
	var open []ledger.Meter
	err := l.Store.View(ctx, func(tx Tx) (err error) {
		open, err = tx.UnsettledMeters()
		return err
	})
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(open, func(m ledger.Meter) bool { return now.Before(m.Hour.Add(time.Hour)) })
	if len(open) == 0 {
		return nil
	}
	return l.Store.Update(ctx, func(tx Tx) error {
		if err := tx.CheckLead(lease, l.Epoch()); err != nil {
			return err
		}
		for _, m := range open {
			if err := l.book(tx, m, now); err != nil {
				return fmt.Errorf("hour %s of %s/%d: %w", m.Hour.Format(time.RFC3339), m.Workload, m.Attempt, err)
			}
		}
		return nil
	})
}

// book makes one entry, or leaves the hour open if its intensity is not known
// yet.
func (l *Loop) book(tx Tx, m ledger.Meter, now time.Time) error {
	w, err := tx.Workload(m.Workload)
	if err != nil {
		return err
	}
	site, err := tx.Site(m.Site)
	if err != nil {
		return err
	}
	patient := now.Before(m.Hour.Add(time.Hour + l.Patience))
	actual, err := intensities(tx, site.Zone, l.Rules.PlansOn(), m.Hour, now, patient)
	if err != nil {
		return err
	}
	instead, err := intensities(tx, w.Baseline.Zone, l.Rules.PlansOn(), w.Baseline.Start, now, patient)
	if err != nil {
		return err
	}
	e, err := ledger.Account(m, site.Zone, site.PUE, actual, w.Baseline, instead, now)
	if errors.Is(err, ledger.ErrUnknown) {
		return nil
	}
	if err != nil {
		// A meter that makes no sense is its site's fault. It stays unbooked,
		// and must not keep every other hour from being booked.
		l.logger().Error("an hour cannot be booked", "workload", m.Workload, "attempt", m.Attempt, "hour", m.Hour, "err", err)
		return nil
	}
	t := tx.For(w.Tenant)
	index, err := t.AppendEntry(e)
	if err != nil {
		return err
	}
	return tx.SettleMeter(m.Workload, m.Attempt, m.Hour, index)
}

// intensities returns what is known of a zone since then: measured values, the
// most trusted first, and for the impatient what was expected at the time. The
// forecasts of now do not reach back to an hour that has waited for a day.
func intensities(tx Tx, zone grid.Zone, basis grid.Basis, since, now time.Time, patient bool) (grid.Outlook, error) {
	measured, err := tx.Measured(zone, since)
	if err != nil {
		return grid.Outlook{}, err
	}
	out := slices.DeleteFunc(measured, func(s grid.Series) bool { return s.Issued.After(now) })
	slices.SortStableFunc(out, grid.MoreTrusted)
	if patient {
		return grid.Believe(zone, basis, out...), nil
	}
	for _, at := range []time.Time{since, since.Add(time.Hour)} { // the second where there was none yet
		s, err := tx.ForecastAt(zone, basis, at)
		if problem.Is(err, problem.NotFound) {
			continue
		}
		if err != nil {
			return grid.Outlook{}, err
		}
		out = append(out, s)
	}
	forecasts, err := tx.LatestForecasts()
	return grid.Believe(zone, basis, append(out, forecasts[zone]...)...), err
}
