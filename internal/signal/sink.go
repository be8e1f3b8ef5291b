package signal

import (
	"context"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Sink is where a Poller leaves what it has found, and looks up what it has
// left. It is safe for use by several goroutines.
type Sink interface {
	// Put stores what came of one look around, all of it or nothing. To store
	// the same series twice is no error.
	Put(ctx context.Context, now time.Time, b Batch) error

	// Measured returns the stored measured series of a zone that end after
	// since, of any basis, each with its Ref. The caller does not change them.
	Measured(ctx context.Context, zone grid.Zone, since time.Time) ([]grid.Series, error)

	// Quarantines returns who is not believed, and for which zone: each Note of
	// kind Quarantined without a later one of kind Released.
	Quarantines(ctx context.Context) ([]Note, error)

	// Issued returns the stored forecasts of providers that were issued at or
	// after since, the oldest first.
	Issued(ctx context.Context, zone grid.Zone, since time.Time) ([]grid.Series, error)
}

// Batch is what came of one look around.
type Batch struct {
	Found  []Found
	Prices []grid.Prices
	Notes  []Note
}

func (b Batch) empty() bool { return len(b.Found)+len(b.Prices)+len(b.Notes) == 0 }

// Found is one series to store.
type Found struct {
	Kind   grid.Kind
	Series grid.Series
	// Replaces is the Ref of the stored series that this one continues or
	// corrects, "" if there is none. It may be dropped, unless something on
	// record rests on it.
	Replaces string
}

// NoteKind says what a Note is about.
type NoteKind string

const (
	Refused     NoteKind = "refused"     // an answer, or values of it, did not pass the gate
	Quarantined NoteKind = "quarantined" // a source is not believed until it agrees with another again
	Released    NoteKind = "released"    // it is believed again
	Revised     NoteKind = "revised"     // a source has changed what it said of the past
)

// Note is something that people should be able to look up later.
type Note struct {
	Kind     NoteKind
	Zone     grid.Zone
	Provider string
	Reason   string
	// Usual is how far the two sources of the zone usually lie apart, as a
	// logarithm; of a Quarantined note alone. It outlives a restart with it.
	Usual float64
}
