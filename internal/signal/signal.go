// Package signal brings in carbon intensities from outside: the providers,
// each behind one small interface, and the Poller, which gates what they say,
// has it stored and forecasts from it. Nothing here decides anything about
// workloads, and no plan waits for a provider: plans read what was stored.
package signal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
)

// Provider is one source of measured carbon intensities. It is safe for use
// by several goroutines. signaltest holds what it promises.
type Provider interface {
	// Name names the source in every provenance, as "file/site.csv". It never
	// changes and holds no secret and no path of a machine.
	Name() string

	// Zones returns the zones that it has, sorted.
	Zones(ctx context.Context) ([]grid.Zone, error)

	// History returns the values of a zone whose steps overlap [from, to) and
	// that the provider had issued at or before now, and no other. A source
	// that does not say when it issued a value issued it at the end of its
	// step, so that values appear as the clock passes. Issued of the series
	// is when the last of its values was issued.
	//
	// The series may end early, where its provenance changes (from measured
	// to estimated, say): ask again from its End. It begins and ends with a
	// known value; what is unknown between is grid.Unknown. A series without
	// values means that there is nothing to tell, which is no error.
	//
	// For a zone that it does not have, History returns ErrNoZone. The caller
	// owns the slices that it gets.
	History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error)
}

// Forecaster is a Provider that also says what it expects.
type Forecaster interface {
	Provider

	// Forecast returns the newest forecast of a zone that the provider had
	// issued at or before now: Issued is when it was issued, and the first
	// step may lie before now. A series without values means that it has none,
	// which is no error. For a zone that it does not have: ErrNoZone.
	Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error)
}

// Pricer tells wholesale prices of electricity. Most also are a Provider.
type Pricer interface {
	Name() string

	// Prices returns the prices of a zone whose steps overlap [from, to), as
	// known at now: prices of the next day are known before it begins. No
	// values means that none are published yet. For a zone that it does not
	// have: ErrNoZone.
	Prices(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Prices, error)
}

// Based is a source that says what its intensities count. One that does not
// is taken to tell average lifecycle intensities.
type Based interface {
	Basis() grid.Basis
}

// BasisOf returns what the intensities of a provider count.
func BasisOf(p Provider) grid.Basis {
	if b, ok := p.(Based); ok {
		return b.Basis()
	}
	return grid.AverageLifecycle
}

// Metered is a source that may be asked only so often.
type Metered interface {
	Budget(now time.Time) Budget
}

// Budget says how far the requests of a source are used up.
type Budget struct {
	Limit    int           // requests in a Window; 0: none is known
	Window   time.Duration // rolling
	Used     int           // in the Window that ends now
	Exhausts time.Time     // when, at the pace of the last Window, the Limit is reached; zero: not within a day
	NotUntil time.Time     // the source asked not to be asked before; zero: it may be asked
}

// Wait is the error of a source that is not asked now, because it said so, its
// budget is used up, or it failed a moment ago: nothing was sent.
type Wait struct {
	Until time.Time
	Why   string
}

func (w *Wait) Error() string {
	return fmt.Sprintf("not asked again before %s: %s", w.Until.UTC().Format(time.RFC3339), w.Why)
}

// ErrNoZone says that a provider does not have a zone. It is a problem of kind
// NotFound.
var ErrNoZone error = problem.Errorf(problem.NotFound, "no such zone")

// NoZone returns ErrNoZone with the names in it.
func NoZone(provider string, zone grid.Zone) error {
	return fmt.Errorf("%s has no zone %q: %w", provider, zone, ErrNoZone)
}

// AnnualMean is the mean carbon intensity of a zone over a year.
type AnnualMean struct {
	Zone  grid.Zone
	Of    grid.Zone // whose mean it is: Zone, or the one that Zone is an alias of
	Name  string
	Mean  grid.Intensity
	Year  int
	Basis grid.Basis
}

// noZone reports whether err says that a zone is not there, and not that the
// provider is in trouble.
func noZone(err error) bool { return errors.Is(err, ErrNoZone) }
