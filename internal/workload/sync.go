package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// What a site and the server say to each other (RELIABILITY §3.4). All of it
// is level-triggered: a message says how things are, not what has changed, so
// that losing, repeating or delaying any of them is harmless.

// Report is how one attempt stands at its site.
type Report struct {
	Workload    string
	N           int
	Grant       string
	State       ReportState
	Started     time.Time
	Ended       time.Time
	ExitCode    int
	Cause       string
	Active      time.Duration // of elastic work, in the time that it takes at its declared size
	RunSince    time.Time     // zero while it does not run
	Suspensions int
	Size        int // at which it runs, of elastic work; 0: as declared
	// Metered says that every hour of an ended attempt has been reported.
	Metered bool
	// Schedule is the ID of the schedule that the site goes by.
	Schedule string
}

// ReportState is how an attempt stands at its site.
type ReportState string

const (
	ReportAccepted  ReportState = "accepted" // on record there; not yet to be started
	ReportRefused   ReportState = "refused"  // cannot be opened or does not fit; Cause says why
	ReportHeld      ReportState = "held"     // confirmed; will start by itself
	ReportReleased  ReportState = "released" // given back before its start, and never to be started there
	ReportStarting  ReportState = "starting"
	ReportRunning   ReportState = "running"
	ReportSuspended ReportState = "suspended"
	ReportEnded     ReportState = "ended"   // an exit record exists
	ReportStopped   ReportState = "stopped" // ended because its stop was wanted
	ReportLost      ReportState = "lost"    // no exit record, and nothing of it is alive
)

// Span is a time [Start, End) in which an attempt is to run.
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Size  int       `json:"size,omitempty"` // of elastic work, in thousandths; 0: as declared
}

// Schedule is when an attempt is to run. The last span is open at its end.
type Schedule struct {
	Spans  []Span
	Latest time.Time // from then on it must run without a pause
	Way    int       // which of the shape's ways it goes
}

// ID names a schedule by its content, so that a site can say which one it
// goes by.
func (s Schedule) ID() string {
	h := sha256.New()
	put := func(t time.Time) { _ = binary.Write(h, binary.BigEndian, t.UnixMicro()) }
	put(s.Latest)
	if s.Way != 0 {
		_ = binary.Write(h, binary.BigEndian, int64(s.Way))
	}
	for _, sp := range s.Spans {
		put(sp.Start)
		put(sp.End)
		if sp.Size != 0 {
			_ = binary.Write(h, binary.BigEndian, int64(sp.Size))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Order is what the server says of one attempt. Exactly one of the verbs holds.
type Order struct {
	Verb     Verb
	Workload string
	N        int
	Grant    string
	Epoch    int64
	Expires  time.Time // of an offer
	Schedule Schedule  // with Offer, Confirm and Keep
	Shape    Shape     // with Offer
	Sealed   []byte    // with Offer
	Enclave  string    // with Offer: the key that Sealed is sealed to
}

// Verb is what is to be done about an attempt.
type Verb string

const (
	Offer   Verb = "offer"   // take it if it fits; do not start it
	Confirm Verb = "confirm" // the start right is the site's
	Keep    Verb = "keep"    // as confirmed, with this schedule
	Release Verb = "release" // give it back if it has not started
	Stop    Verb = "stop"    // give it back, or stop it if it has started
	Forget  Verb = "forget"  // everything about it is on record here
)
