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
	Name  string
	Mean  grid.Intensity
	Year  int
	Basis grid.Basis
}

// noZone reports whether err says that a zone is not there, and not that the
// provider is in trouble.
func noZone(err error) bool { return errors.Is(err, ErrNoZone) }
