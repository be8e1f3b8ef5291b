package signal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

const (
	// Lookback is how far back the first fetch of a zone goes: what a forecast
	// and its band rest on.
	Lookback = forecast.Lookback
	// Ahead is how far a forecast reaches, in hours.
	Ahead = 72
	// Refresh is the age at which a forecast is made anew without new data.
	Refresh = time.Hour
	// Revisit is how far back a source is asked once a day whether it has
	// changed what it said, and Recheck how often.
	Revisit = 7 * day
	Recheck = day

	// stale is the age of the last value at which the next source is asked
	// too, though the one before it answers.
	stale = 3 * time.Hour
	// pages bounds how often one source is asked for one thing in one step.
	pages = 100
	// together is how many zones are asked for at the same time, and perPut
	// how many share a transaction.
	together = 8
	perPut   = 100
)

// Poller keeps the stored signals of the wanted zones up to date, all in one
// basis: measured values from the first source that has them, the forecasts of
// those that make any, prices, and the forecast in use, the best that can be
// made of what is stored. Without any source it goes on with climatology (grade
// D) or the yearly mean (grade E).
//
// A source is asked once for each zone and step, however many workloads wait
// for it. One zone is looked at in a visit; the files of this room tell its
// parts: due.go when a source is asked, ask.go what for, gate.go and limits.go
// what is believed, opinion.go who is when two disagree, days.go how it is
// kept, expect.go what is expected.
type Poller struct {
	Providers   []Provider // the most trusted first; those of another basis are not asked
	Pricers     []Pricer   // of wholesale prices, the most trusted first
	Wanted      func(context.Context) ([]grid.Zone, error)
	Sink        Sink
	Climatology forecast.Climatology
	Annual      []AnnualMean
	Basis       grid.Basis    // of all that is stored; AverageLifecycle if it is not given
	Patience    time.Duration // with one answer of a provider; 160 s if it is not given
	Every       time.Duration // between the steps of Run; a minute if it is not given
	Log         *slog.Logger  // nil: none

	mu      sync.Mutex
	open    map[grid.Zone][]Note // quarantines on record when the Poller began; nil: not looked up yet
	zones   map[grid.Zone]*zoneState
	sources map[string]*SourceHealth
}

// zoneState is what the Poller remembers of a zone. All of it can be lost: it
// is found again in the Sink.
type zoneState struct {
	loaded bool
	until  time.Time     // the end of the last known value
	last   tail          // that value
	days   []grid.Series // that may still grow, or be corrected
	from   time.Time     // days holds all days from here on
	limits limits
	source []sourceState // by rank
	pricer []sourceState // by rank

	expected   grid.Series // the forecast in use
	undisputed grid.Series // the one that was in use when the sources last agreed
	forecasted time.Time
	health     Health
}

// sourceState is what is remembered of one source for one zone.
type sourceState struct {
	absent    bool // it does not have the zone
	due       time.Time
	failures  int
	rechecked time.Time
	told      string // the last refusal that was put on record
	said      tail   // its own last value that was not out of place

	heard            time.Time // when it last answered what it expects
	held             time.Time // issue of the newest forecast that is stored
	forecastDue      time.Time
	forecastFailures int       // in a row; of its values, failures tells
	priced           time.Time // when it last brought prices; zero if it had none

	opinions   []float64 // how far it lay from the first source, as logarithms, the newest last
	opinionDue time.Time
	met        time.Time  // when it could last be compared with another
	apart      int        // how often in a row it was apart from the first
	jumps      [2]float64 // the largest step of the first and of this one meanwhile
	quarantine string     // why it is not believed; "" if it is
	agreed     int        // how often in a row it agreed while in quarantine
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

// Step brings every wanted zone up to date. What sources do wrong is told by
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
	if err := p.recall(ctx); err != nil {
		return err
	}
	var errs []error
	for zones := range slices.Chunk(wanted, perPut) {
		visits := p.visit(ctx, zones, now)
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := p.keep(ctx, visits, now); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// recall looks up, once, who is in quarantine: a lie does not become the truth
// because the process began anew.
func (p *Poller) recall(ctx context.Context) error {
	if p.open != nil {
		return nil
	}
	notes, err := p.Sink.Quarantines(ctx)
	if err != nil {
		return fmt.Errorf("look up who is in quarantine: %w", err)
	}
	p.open = map[grid.Zone][]Note{}
	for _, n := range notes {
		p.open[n.Zone] = append(p.open[n.Zone], n)
	}
	return nil
}

// visit looks at several zones at the same time, as most of it is waiting.
func (p *Poller) visit(ctx context.Context, zones []grid.Zone, now time.Time) []*visit {
	visits := make([]*visit, len(zones))
	var group sync.WaitGroup
	room := make(chan struct{}, together)
	for i, zone := range zones {
		visits[i] = &visit{p: p, zone: zone, now: now, st: p.remembered(zone)}
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			if ctx.Err() == nil {
				visits[i].err = visits[i].run(ctx)
			}
		})
	}
	group.Wait()
	return visits
}

// keep stores what the visits have found, and only then takes it for known: if
// the store fails, all of it is found again.
func (p *Poller) keep(ctx context.Context, visits []*visit, now time.Time) error {
	var b Batch
	var names []string
	var errs []error
	for _, v := range visits {
		if v.err != nil {
			errs = append(errs, fmt.Errorf("signals of %s: %w", v.zone, v.err))
			continue
		}
		b.Found, b.Prices, b.Notes = append(b.Found, v.found...), append(b.Prices, v.prices...), append(b.Notes, v.notes...)
		names = append(names, string(v.zone))
	}
	if !b.empty() {
		if err := p.Sink.Put(ctx, now, b); err != nil {
			errs = append(errs, fmt.Errorf("store the signals of %s: %w", strings.Join(names, ", "), err))
			return errors.Join(errs...)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range visits {
		if v.err == nil {
			p.zones[v.zone] = &v.st
		}
	}
	return errors.Join(errs...)
}

// remembered returns a copy of what is known of a zone, for a visit to change.
func (p *Poller) remembered(zone grid.Zone) zoneState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.zones == nil {
		p.zones = map[grid.Zone]*zoneState{}
	}
	st := p.zones[zone]
	if st == nil {
		st = &zoneState{health: Health{Zone: zone}}
		p.zones[zone] = st
	}
	c := *st
	c.days = slices.Clone(st.days)
	c.source = make([]sourceState, len(p.Providers))
	copy(c.source, st.source)
	c.pricer = make([]sourceState, len(p.Pricers))
	copy(c.pricer, st.pricer)
	for i := range c.source {
		c.source[i].opinions = slices.Clone(c.source[i].opinions)
	}
	return c
}

// forget drops the zones that are no longer wanted.
func (p *Poller) forget(wanted []grid.Zone) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for zone := range p.zones {
		if _, ok := slices.BinarySearch(wanted, zone); !ok {
			delete(p.zones, zone)
		}
	}
}

func (p *Poller) basis() grid.Basis {
	if p.Basis == (grid.Basis{}) {
		return grid.AverageLifecycle
	}
	return p.Basis
}

func (p *Poller) patience() time.Duration {
	if p.Patience <= 0 {
		// A source answers one question at a time, each in 20 s at most: of those
		// who ask together, the last waits for all the others.
		return together * 20 * time.Second
	}
	return p.Patience
}
