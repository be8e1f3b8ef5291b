package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
)

// mostRestated bounds how many hours one call restates: each is a record that
// is written in the same transaction.
const mostRestated = 200

type restateBody struct{ Body clusy.RestateRequest }

// restate makes the ledger's hours of a time again, on what is known of the
// intensities now, and puts what has changed on record beside what stood.
func (s *Server) restate(ctx context.Context, in *restateBody) (*body[clusy.Restated], error) {
	caller, _ := wire.CallerOf(ctx)
	q := in.Body
	if !q.From.Before(q.To) {
		return nil, problem.With(problem.Invalid, "The range is empty.", problem.Violation{
			Pointer: "body.to", Message: "to must come after from", Value: q.To.Format(time.RFC3339), Limit: "after " + q.From.Format(time.RFC3339), Nearest: q.From.Add(time.Hour).Format(time.RFC3339)})
	}
	out := clusy.Restated{DryRun: q.DryRun, Items: []clusy.RestatedHour{}}
	run := s.Store.ViewAll
	if !q.DryRun {
		run = s.Store.UpdateAll
	}
	err := run(ctx, func(sys SystemTx) error {
		out = clusy.Restated{DryRun: q.DryRun, Items: []clusy.RestatedHour{}}
		return s.restateIn(sys, caller.Tenant, q, &out)
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

func (s *Server) restateIn(sys SystemTx, tenant access.Tenant, q clusy.RestateRequest, out *clusy.Restated) error {
	tx := sys.For(tenant)
	lines, err := standing(tx)
	if err != nil {
		return err
	}
	lines = slices.DeleteFunc(slices.Clone(lines), func(l ledger.Line) bool {
		return l.Entry.Meter.Hour.Before(q.From) || !l.Entry.Meter.Hour.Before(q.To)
	})
	known := outlooks{tx: sys, now: s.Now(), since: map[grid.Zone]time.Time{}, read: map[place]grid.Outlook{}}
	for _, l := range lines {
		known.need(l.Entry.Zone, l.Entry.Meter.Hour)
		known.need(l.Entry.Baseline.Zone, l.Entry.Instead[0].From)
	}
	for _, l := range lines {
		if len(out.Items) == mostRestated {
			out.More = true
			return nil
		}
		out.Looked++
		o := l.Entry
		basis := o.Uses[0].Signal.Basis
		actual, err := known.of(o.Zone, basis)
		if err != nil {
			return err
		}
		instead, err := known.of(o.Baseline.Zone, basis)
		if err != nil {
			return err
		}
		e, changed, err := ledger.Restate(l, actual, instead, q.Reason, known.now)
		if errors.Is(err, ledger.ErrUnknown) {
			out.Unknown++ // what it was booked on is not kept any more: it stands
			continue
		}
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		hour := clusy.RestatedHour{Before: wire.EntryOut(l.Index, o), After: wire.EntryOut(0, e)}
		if !q.DryRun {
			if hour.After.Index, err = tx.AppendEntry(e); err != nil {
				return err
			}
		}
		out.Items = append(out.Items, hour)
	}
	return nil
}

// outlooks reads what is known of each zone once, from the first hour on that
// is needed.
type outlooks struct {
	tx    SystemTx
	now   time.Time
	since map[grid.Zone]time.Time
	read  map[place]grid.Outlook
}

type place struct {
	zone  grid.Zone
	basis grid.Basis
}

func (o outlooks) need(zone grid.Zone, from time.Time) {
	if since, ok := o.since[zone]; !ok || from.Before(since) {
		o.since[zone] = from
	}
}

func (o outlooks) of(zone grid.Zone, basis grid.Basis) (grid.Outlook, error) {
	at := place{zone, basis}
	if known, ok := o.read[at]; ok {
		return known, nil
	}
	known, err := measured(o.tx, zone, basis, o.since[zone], o.now)
	o.read[at] = known
	return known, err
}

// standing returns all lines of a tenant's ledger that no later one restates.
func standing(tx TenantTx) ([]ledger.Line, error) {
	var all []ledger.Line
	const most = 1000
	for after := int64(-1); ; {
		lines, err := tx.Entries("", after, most)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
		if len(lines) < most {
			return ledger.Standing(all), nil
		}
		after = lines[len(lines)-1].Index
	}
}

// measured is what is known now of what a zone's intensity was.
func measured(tx SystemTx, zone grid.Zone, basis grid.Basis, since, now time.Time) (grid.Outlook, error) {
	series, err := tx.Measured(zone, since)
	if err != nil {
		return grid.Outlook{}, err
	}
	series = slices.DeleteFunc(slices.Clone(series), func(m grid.Series) bool { return m.Issued.After(now) })
	slices.SortStableFunc(series, grid.MoreTrusted)
	return grid.Believe(zone, basis, series...), nil
}
