package signal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// visit is one zone at one moment: what its sources are asked for, what came
// of it, and what will be remembered once that is stored.
type visit struct {
	p    *Poller
	zone grid.Zone
	now  time.Time
	st   zoneState // a copy

	found  []Found
	prices []grid.Prices
	notes  []Note
	err    error
	fresh  bool // a measured value was not known before
}

// run makes the visit. The error is of our own parts.
func (v *visit) run(ctx context.Context) error {
	if err := v.load(ctx); err != nil {
		return err
	}
	if err := v.measure(ctx); err != nil {
		return err
	}
	issued, err := v.hear(ctx)
	if err != nil {
		return err
	}
	if err := v.price(ctx); err != nil {
		return err
	}
	if err := v.expect(ctx, issued); err != nil {
		return err
	}
	v.tidy()
	return nil
}

// load finds in the Sink what is to be remembered of the zone.
func (v *visit) load(ctx context.Context) error {
	if v.st.loaded {
		return nil
	}
	if err := v.daysFrom(ctx, v.now.Add(-Lookback)); err != nil {
		return err
	}
	have := v.have()
	v.st.until, _ = lastKnown(have)
	v.st.last = noTail.through(have)
	v.st.limits = limitsOf(v.zone, v.p.basis(), v.p.Climatology, have)
	issued, err := v.p.Sink.Issued(ctx, v.zone, v.now.Add(-oldest))
	if err != nil {
		return fmt.Errorf("read the forecasts of providers: %w", err)
	}
	for _, s := range issued {
		for rank, source := range v.p.Providers {
			if st := &v.st.source[rank]; source.Name() == s.Provider && s.Issued.After(st.held) {
				st.held = s.Issued
			}
		}
	}
	for _, n := range v.p.open[v.zone] {
		for rank, source := range v.p.Providers {
			st := &v.st.source[rank]
			st.opinions = slices.Repeat([]float64{n.Usual}, judged)
			if source.Name() == n.Provider && v.ofBasis(source) {
				st.quarantine, st.met = n.Reason, v.now
			}
		}
	}
	// A new process does not ask everybody for everything at once.
	for rank, source := range v.p.Providers {
		v.st.source[rank].rechecked = v.now.Add(-spread(v.zone, source.Name(), Recheck))
		v.st.source[rank].opinionDue = v.now.Add(opinionEvery)
	}
	v.st.loaded = true
	return nil
}

// daysFrom makes sure that the days from a time on are at hand.
func (v *visit) daysFrom(ctx context.Context, since time.Time) error {
	since = since.Truncate(day)
	if !v.st.from.IsZero() && !since.Before(v.st.from) {
		return nil
	}
	stored, err := v.p.Sink.Measured(ctx, v.zone, since)
	if err != nil {
		return fmt.Errorf("read what is measured: %w", err)
	}
	// What this visit has found is not stored yet.
	for _, f := range v.found {
		if f.Kind == grid.Measured {
			stored = append(slices.DeleteFunc(stored, func(s grid.Series) bool { return s.Ref == f.Replaces }), f.Series)
		}
	}
	v.st.days, v.st.from = stored, since
	return nil
}

// have is all that is at hand of what is measured, as one series.
func (v *visit) have() grid.Series { return Merge(v.zone, v.p.basis(), v.st.days) }

// tidy lets go of the days that will hardly change.
func (v *visit) tidy() {
	from := v.now.Truncate(day).Add(-day)
	if !v.st.from.Before(from) {
		return
	}
	var late []grid.Series
	for _, d := range v.st.days {
		if d.End().After(from) {
			late = append(late, d)
		}
	}
	v.st.days, v.st.from = late, from
}

// measure asks the sources in turn for what is new, until one brings the zone
// up to date.
func (v *visit) measure(ctx context.Context) error {
	if err := v.compare(ctx); err != nil {
		return err
	}
	offered := false
	for rank, source := range v.p.Providers {
		st := &v.st.source[rank]
		if !v.ofBasis(source) || st.quarantine != "" {
			continue
		}
		if ripe(st.due, v.now) {
			if err := v.ask(ctx, rank, source); err != nil {
				return err
			}
		}
		offered = offered || !st.absent
		if !st.absent && v.now.Sub(v.st.until) < stale {
			break
		}
	}
	if !offered {
		v.st.health.fail(v.now, "", "no provider has this zone")
	}
	v.st.health.MeasuredUntil = v.st.until
	return nil
}

func (v *visit) ofBasis(source Provider) bool { return BasisOf(source) == v.p.basis() }

// ask asks one source for all that it has to add, and once a day also whether
// it has changed its mind.
func (v *visit) ask(ctx context.Context, rank int, source Provider) error {
	st, name := &v.st.source[rank], source.Name()
	from := v.now.Add(-Lookback)
	if v.st.until.After(from) {
		from = v.st.until
	}
	recheck := v.now.Sub(st.rechecked) >= Recheck || v.now.Before(st.rechecked)
	if since := v.now.Add(-Revisit); recheck && since.Before(from) {
		from = since
	}
	if err := v.daysFrom(ctx, from); err != nil {
		return err
	}
	before := v.st.last
	q := question{provider: name, zone: v.zone, basis: v.p.basis(), from: from, to: v.now, now: v.now}
	if from.Before(v.st.until) {
		before = noTail.through(until(v.have(), from))
	}
	own := before // and of this source alone, as another may have stood in
	if !st.said.at.IsZero() && !from.Before(st.said.at) {
		own = st.said
	}
	var end time.Time
	var step time.Duration
	doubted := false
	for range pages {
		s, err := v.history(ctx, source, q)
		if ctx.Err() != nil {
			return ctx.Err() // we were stopped: not the source's fault
		}
		if noZone(err) {
			st.absent, st.due = true, v.now.Add(again)
			return nil
		}
		st.absent = false
		if err == nil {
			if err = q.gate(s); err != nil {
				v.refuse(st, name, err.Error())
			}
		}
		if err != nil {
			st.due = v.failed(&st.failures, name, err)
			return nil
		}
		if len(s.Values) == 0 || !s.End().After(q.from) {
			break
		}
		q.from, step = s.End(), s.Step
		if rank > 0 {
			s.Grade = grid.Worse(s.Grade, grid.GradeB)
		}
		if taken, why := v.st.limits.sift(s, before.value, before.at); taken > 0 {
			doubted = true
			v.doubted(st, name, fmt.Sprintf("%d values are not used: %s", taken, why))
		}
		if unstick(s, own.value, own.since, v.p.Climatology) > 0 {
			doubted = true
			v.doubted(st, name, fmt.Sprintf("repeats one value for more than %s; what it repeats is not used", flatFor))
		}
		if own = own.through(s); own.at.After(st.said.at) {
			st.said = own
		}
		if s = trimmed(s); len(s.Values) == 0 {
			continue
		}
		if v.lay(s) > 0 {
			v.fresh = true
		}
		end = s.End()
		before = before.through(s)
		if q.from.Add(step).After(v.now) {
			break // there cannot be more
		}
	}
	if recheck {
		st.rechecked = v.now
	}
	if !end.IsZero() || !doubted { // an answer of which nothing is believed is none
		v.succeeded(&st.failures, name, !end.IsZero())
	}
	if end.After(v.st.until) {
		v.st.until, v.st.last = end, before
	}
	// Nothing new: many publish hours late, and are not to be asked each minute
	// for it.
	st.due = v.now.Add(latest)
	if step > 0 {
		st.due = afterValue(v.zone, name, q.from, step, v.now)
	}
	return nil
}

// history asks a source, with patience.
func (v *visit) history(ctx context.Context, source Provider, q question) (grid.Series, error) {
	ctx, cancel := context.WithTimeout(ctx, v.p.patience())
	defer cancel()
	v.p.count(source.Name(), func(h *SourceHealth) { h.Asked++ })
	return source.History(ctx, q.zone, q.from, q.to, q.now)
}

// hear asks the sources that make forecasts, in turn, for a newer one than the
// one that is held. It returns what is new.
func (v *visit) hear(ctx context.Context) ([]grid.Series, error) {
	var issued []grid.Series
	for rank, source := range v.p.Providers {
		st := &v.st.source[rank]
		f, ok := source.(Forecaster)
		if !ok || !v.ofBasis(source) || st.quarantine != "" || st.absent || !ripe(st.forecastDue, v.now) {
			continue
		}
		s, err := v.forecastOf(ctx, f)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		st.forecastDue = v.now.Add(hearing + jitter(v.zone, source.Name(), hearing))
		if st.failures > 0 {
			st.forecastDue = st.due // it is away as a whole, and comes back so
		}
		switch {
		case noZone(err):
			st.forecastDue = v.now.Add(again)
			continue
		case err == nil && len(s.Values) == 0:
			st.forecastDue = v.now.Add(latest) // none yet, or none because it is ill
			continue
		case err == nil && !s.Issued.After(st.held):
			st.heard = v.now
			v.succeeded(&st.forecastFailures, source.Name(), false)
			continue // the one that we have
		case err == nil:
			q := question{provider: source.Name(), zone: v.zone, basis: v.p.basis(), now: v.now}
			if err = q.gateForecast(s, v.st.limits, v.p.Climatology); err != nil {
				v.refuse(st, source.Name(), err.Error())
			}
		}
		if err != nil {
			// Its values are another thing: many plans have no forecasts.
			st.forecastDue = v.failed(&st.forecastFailures, source.Name(), err)
			if st.failures > 0 {
				st.forecastDue = st.due
			}
			continue
		}
		v.succeeded(&st.forecastFailures, source.Name(), true)
		s.Ref = ""
		s.Ref = s.Digest()
		st.held, st.heard = s.Issued, v.now
		v.found = append(v.found, Found{Kind: grid.Issued, Series: s})
		issued = append(issued, s)
	}
	return issued, nil
}

// hearing is how often a source is asked for a new forecast.
const hearing = time.Hour

func (v *visit) forecastOf(ctx context.Context, f Forecaster) (grid.Series, error) {
	ctx, cancel := context.WithTimeout(ctx, v.p.patience())
	defer cancel()
	v.p.count(f.Name(), func(h *SourceHealth) { h.Asked++ })
	return f.Forecast(ctx, v.zone, v.now)
}

// price asks the first source that has any for the prices of today and
// tomorrow.
func (v *visit) price(ctx context.Context) error {
	for i, source := range v.p.Pricers {
		st := &v.st.pricer[i]
		if !ripe(st.due, v.now) {
			if !st.priced.IsZero() {
				return nil // the next is for where this one has none
			}
			continue
		}
		st.priced = time.Time{}
		from := v.now.Truncate(day)
		prices, err := v.pricesOf(ctx, source, from)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if st.absent = noZone(err); st.absent {
			st.due = v.now.Add(again)
			continue
		}
		if err == nil && len(prices.Values) > 0 {
			if err = gatePrices(prices, source.Name(), v.zone, v.now); err != nil {
				v.refuse(st, source.Name(), err.Error())
			}
		}
		if err != nil {
			st.due = v.failed(&st.failures, source.Name(), err)
			continue
		}
		v.succeeded(&st.failures, source.Name(), false)
		st.due = v.now.Add(hearing + jitter(v.zone, source.Name(), hearing))
		if len(prices.Values) > 0 {
			st.priced = v.now
			v.prices = append(v.prices, prices)
			return nil
		}
	}
	return nil
}

func (v *visit) pricesOf(ctx context.Context, p Pricer, from time.Time) (grid.Prices, error) {
	ctx, cancel := context.WithTimeout(ctx, v.p.patience())
	defer cancel()
	v.p.count(p.Name(), func(h *SourceHealth) { h.Asked++ })
	return p.Prices(ctx, v.zone, from, from.Add(2*day), v.now)
}

// succeeded, failed, doubted and refuse note how a source does.

func (v *visit) succeeded(failures *int, name string, brought bool) {
	*failures = 0
	v.st.health.succeed(v.now, name, brought)
	v.p.count(name, func(h *SourceHealth) { h.LastSuccess = v.now })
}

// failed returns when to ask again.
func (v *visit) failed(failures *int, name string, err error) time.Time {
	*failures++
	due := afterFailure(v.zone, name, *failures, v.now)
	why := err.Error()
	wait, waits := errors.AsType[*Wait](err)
	if waits {
		if wait.Until.After(due) {
			due = wait.Until
		}
		why = wait.Why
	}
	v.st.health.fail(v.now, name, why)
	v.p.count(name, func(h *SourceHealth) {
		if waits {
			h.Asked-- // nothing was sent
		} else {
			h.Failed++
		}
		h.LastError, h.LastErrorAt = why, v.now
	})
	return due
}

func (v *visit) doubted(st *sourceState, name, why string) {
	v.st.health.fail(v.now, name, why)
	v.p.count(name, func(h *SourceHealth) { h.LastError, h.LastErrorAt = why, v.now })
	v.refuse(st, name, why)
}

// refuse puts a refusal on record, unless it was the last one told.
func (v *visit) refuse(st *sourceState, name, reason string) {
	if st.told != reason {
		st.told = reason
		v.tell(Refused, name, reason)
	}
}

func (v *visit) tell(kind NoteKind, provider, reason string) {
	v.notes = append(v.notes, Note{Kind: kind, Zone: v.zone, Provider: provider, Reason: reason})
}
