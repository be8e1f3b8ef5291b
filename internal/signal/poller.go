package signal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

// Sink is where the Poller leaves what it has found.
type Sink interface {
	// PutSignal stores a series. To store the same one twice is no error.
	PutSignal(ctx context.Context, kind grid.Kind, s grid.Series) error

	// Measured returns what is stored as measured of a zone from since on,
	// merged into one series (see Merge), or one without values.
	Measured(ctx context.Context, zone grid.Zone, since time.Time) (grid.Series, error)
}

const (
	// Lookback is how far back the first fetch of a zone goes: what a forecast
	// rests on.
	Lookback = 15 * 24 * time.Hour
	// Ahead is how far a forecast reaches, in steps of an hour.
	Ahead = 72
	// Refresh is the age at which a forecast is made anew without new data.
	Refresh = time.Hour

	// stale is the age of the last value at which the next provider is asked
	// too, though the one before it answers.
	stale = 3 * time.Hour
	// pages bounds how often one provider is asked in one step.
	pages = 100
)

// Poller keeps the stored signals of the wanted zones up to date: measured
// values from the first provider that has them, and a forecast for the next
// three days, the best that can be made of what is stored. Without any
// provider it goes on with climatology (grade D) or the yearly mean (grade E).
type Poller struct {
	Providers   []Provider // the most trusted first
	Wanted      func(context.Context) ([]grid.Zone, error)
	Sink        Sink
	Climatology forecast.Climatology
	Annual      []AnnualMean
	Basis       grid.Basis    // of all that is stored; AverageLifecycle if it is not given
	Patience    time.Duration // with one answer of a provider; 30 s if it is not given
	Every       time.Duration // between the steps of Run; a minute if it is not given
	Log         *slog.Logger  // nil: none

	// Refused, if it is set, is told of each answer that the gate refused or
	// thinned out, once until the reason changes.
	Refused func(ctx context.Context, now time.Time, zone grid.Zone, provider, reason string) error

	mu    sync.Mutex
	zones map[grid.Zone]*zoneState
}

// zoneState is what the Poller remembers of a zone. All of it can be lost: it
// is found again in the Sink.
type zoneState struct {
	health     Health
	forecasted time.Time
	refused    map[string]string // by provider: the last reason told
}

// Run steps until ctx ends. It is the only line here that reads the clock.
func (p *Poller) Run(ctx context.Context) error {
	every := p.Every
	if every <= 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := p.Step(ctx, time.Now()); err != nil && ctx.Err() == nil && p.Log != nil {
			p.Log.Error("poll signals", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Step brings every wanted zone up to date. What providers do wrong is told by
// Health and stops nothing; the error is of our own parts, and one zone's does
// not keep the others from being served.
func (p *Poller) Step(ctx context.Context, now time.Time) error {
	now = now.UTC().Truncate(time.Microsecond) // as the store keeps it
	wanted, err := p.Wanted(ctx)
	if err != nil {
		return fmt.Errorf("ask for the wanted zones: %w", err)
	}
	wanted = slices.Compact(slices.Sorted(slices.Values(wanted)))
	p.forget(wanted)
	var errs []error
	for _, zone := range wanted {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := p.poll(ctx, zone, now); err != nil {
			errs = append(errs, fmt.Errorf("signals of %s: %w", zone, err))
		}
	}
	return errors.Join(errs...)
}

// poll brings one zone up to date.
func (p *Poller) poll(ctx context.Context, zone grid.Zone, now time.Time) error {
	st := p.state(zone)

	// 1. What we have. A stored value is not asked for again.
	have, err := p.Sink.Measured(ctx, zone, now.Add(-Lookback))
	if err != nil {
		return fmt.Errorf("read what is measured: %w", err)
	}
	since := now.Add(-Lookback)
	if end, ok := lastKnown(have); ok && end.After(since) {
		since = end
	}

	// 2. What is new, stored as it comes: if we crash here, the next step asks
	// from where this one stopped.
	fresh, err := p.fetch(ctx, st, have, zone, since, now)
	if err != nil {
		return err
	}
	if fresh {
		if have, err = p.Sink.Measured(ctx, zone, now.Add(-Lookback)); err != nil {
			return fmt.Errorf("read what is measured: %w", err)
		}
	}
	end, _ := lastKnown(have)
	p.note(st, func(h *Health) { h.MeasuredUntil = end })

	// 3. What to expect. A clock that was set back makes it due, too.
	if age := now.Sub(st.forecasted); !fresh && age >= 0 && age < Refresh {
		return nil
	}
	s, ok := p.expect(zone, have, now)
	if !ok {
		p.note(st, func(h *Health) { h.Grade = "" })
		return nil
	}
	if err := p.Sink.PutSignal(ctx, grid.Forecast, s); err != nil {
		return fmt.Errorf("store forecast: %w", err)
	}
	st.forecasted = now
	p.note(st, func(h *Health) { h.Grade = s.Grade })
	return nil
}

// expect makes the best forecast that there is.
func (p *Poller) expect(zone grid.Zone, have grid.Series, now time.Time) (grid.Series, bool) {
	if have.Zone != zone || have.Basis != p.basis() {
		have = grid.Series{Provenance: grid.Provenance{Zone: zone, Basis: p.basis()}}
	}
	if s, ok := forecast.Anchored(have, p.Climatology, now, time.Hour, Ahead); ok {
		return s, s.Validate() == nil
	}
	for _, a := range p.Annual {
		if a.Zone == zone && a.Basis == p.basis() {
			return forecast.Annual(zone, a.Mean, a.Basis, now.Truncate(time.Hour), time.Hour, Ahead, now)
		}
	}
	return grid.Series{}, false
}

// fetch asks the providers in turn until one brings the zone up to date, and
// stores what they say. The error is the Sink's or ctx's.
func (p *Poller) fetch(ctx context.Context, st *zoneState, have grid.Series, zone grid.Zone, since, now time.Time) (fresh bool, err error) {
	offered := false
	for rank, source := range p.Providers {
		got, found, err := p.ask(ctx, st, have, rank, source, zone, since, now)
		if err != nil {
			return fresh, err
		}
		offered = offered || found
		if got.After(since) {
			fresh, since = true, got
		}
		if found && now.Sub(since) < stale {
			break
		}
	}
	if !offered {
		p.note(st, func(h *Health) { h.fail(now, "", "no provider has this zone") })
	}
	return fresh, nil
}

// ask stores all that one provider has to add, and returns the end of the last
// value stored. Found is false if the provider does not have the zone.
func (p *Poller) ask(ctx context.Context, st *zoneState, have grid.Series, rank int, source Provider, zone grid.Zone, since, now time.Time) (end time.Time, found bool, err error) {
	name := source.Name()
	tail, flat := lastFlat(have)
	q := question{provider: name, zone: zone, basis: p.basis(), to: now, now: now, from: since}
	for range pages {
		s, err := p.history(ctx, source, q)
		if ctx.Err() != nil {
			return end, true, ctx.Err() // we were stopped: not the provider's fault
		}
		if noZone(err) {
			return end, false, nil
		}
		if err == nil {
			if err = q.gate(s); err != nil {
				if err := p.refuse(ctx, st, q, err.Error()); err != nil {
					return end, true, err
				}
			}
		}
		if err != nil {
			p.note(st, func(h *Health) { h.fail(now, name, err.Error()) })
			return end, true, nil
		}
		p.note(st, func(h *Health) { h.succeed(now, name, len(s.Values) > 0) })
		if len(s.Values) == 0 || !s.End().After(q.from) {
			return end, true, nil
		}
		if rank > 0 {
			s.Grade = grid.Worse(s.Grade, grid.GradeB)
		}
		if unstick(s, tail, flat, p.Climatology) > 0 {
			why := fmt.Sprintf("repeats one value for more than %s; what it repeats is not used", flatFor)
			p.note(st, func(h *Health) { h.fail(now, name, why) })
			if err := p.refuse(ctx, st, q, why); err != nil {
				return end, true, err
			}
		}
		q.from = s.End()
		if s = trimmed(s); len(s.Values) == 0 {
			continue
		}
		if err := p.Sink.PutSignal(ctx, grid.Measured, s); err != nil {
			return end, true, fmt.Errorf("store what %s measured: %w", name, err)
		}
		end = s.End()
		tail, flat = lastFlat(s)
	}
	return end, true, nil
}

// history asks a provider, with patience.
func (p *Poller) history(ctx context.Context, source Provider, q question) (grid.Series, error) {
	patience := p.Patience
	if patience <= 0 {
		patience = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return source.History(ctx, q.zone, q.from, q.to, q.now)
}

// refuse tells of a refusal, unless it was the last one told.
func (p *Poller) refuse(ctx context.Context, st *zoneState, q question, reason string) error {
	if p.Refused == nil || st.refused[q.provider] == reason {
		return nil
	}
	if err := p.Refused(ctx, q.now, q.zone, q.provider, reason); err != nil {
		return fmt.Errorf("put a refusal on record: %w", err)
	}
	st.refused[q.provider] = reason
	return nil
}

func (p *Poller) basis() grid.Basis {
	if p.Basis == (grid.Basis{}) {
		return grid.AverageLifecycle
	}
	return p.Basis
}
