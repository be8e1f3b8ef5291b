package workload

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
)

// Workload is the control plane's record of an intent.
type Workload struct {
	ID      string // "wl_" and a UUIDv7: sorts by time of birth
	Tenant  access.Tenant
	State   State
	Rev     int64 // rises by exactly one with each change of state
	Shape   Shape
	Sealed  []byte // the intent, readable by the enclave only
	Enclave string // the key it is sealed to
	Created time.Time
	Changed time.Time
	Wanted  Wanted // what the owner has asked for and the site has not yet done

	// Baseline is fixed before the run, so that nobody can choose it after.
	Baseline Counterfactual

	// MissedAt is when completeBy passed with the work unfinished. A fact
	// with a cause, not a state.
	MissedAt    time.Time
	MissedCause string
	Cause       string // why it is in its last state, in the owner's words
}

// Wanted is a request that only the holding site can carry out.
type Wanted string

const (
	WantNothing Wanted = ""
	WantCancel  Wanted = "cancel"
	WantMove    Wanted = "move"
)

// Counterfactual is the baseline run: the same work at that site from then on.
type Counterfactual struct {
	Rule  Baseline  `json:"rule"`
	Site  string    `json:"site"`
	Zone  grid.Zone `json:"zone"`
	PUE   int64     `json:"pue"` // thousandths
	Start time.Time `json:"start"`
}

// State is where a workload is in its life.
type State string

const (
	Accepted   State = "accepted"
	Planned    State = "planned"
	Offered    State = "offered"
	Held       State = "held"
	Releasing  State = "releasing"
	Running    State = "running"
	Suspended  State = "suspended"
	SiteSilent State = "site_silent"
	Succeeded  State = "succeeded"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
	Expired    State = "expired"
)

// States returns every state of a workload, in the order of a life.
func States() []State {
	return []State{Accepted, Planned, Offered, Held, Releasing, Running, Suspended, SiteSilent, Succeeded, Failed, Cancelled, Expired}
}

// Attempt is one execution of a workload on an engine.
type Attempt struct {
	Workload string
	N        int // 1, 2, …
	Tenant   access.Tenant
	Site     string
	Grant    string // names this one start right
	Epoch    int64  // of the leader that offered it
	State    AttemptState
	Rev      int64
	Expires  time.Time // of the offer
	Started  time.Time // zero until the executor saw it start
	Ended    time.Time
	ExitCode int    // meaningful only in Succeeded and Failed
	Cause    string // why it ended
	Changed  time.Time

	// As last reported by its site, at Seen:
	Active      time.Duration // how long it has run, without suspensions; of elastic work, at its declared size
	RunSince    time.Time     // start of the current run; zero while it does not run
	Suspensions int           // how often it has been suspended
	Size        int           // at which it runs, of elastic work, in thousandths; 0: as declared
	Seen        time.Time
}

// AttemptState is where an attempt is in its life.
type AttemptState string

const (
	AttemptOffered   AttemptState = "offered"
	AttemptRevoked   AttemptState = "revoked"
	AttemptHeld      AttemptState = "held"
	AttemptReleased  AttemptState = "released"
	AttemptStarting  AttemptState = "starting"
	AttemptRunning   AttemptState = "running"
	AttemptSuspended AttemptState = "suspended"
	AttemptSucceeded AttemptState = "succeeded"
	AttemptFailed    AttemptState = "failed"
	AttemptStopped   AttemptState = "stopped"
	AttemptLost      AttemptState = "lost"
)

// Object is a kind of thing that has states.
type Object string

const (
	ObjectWorkload Object = "workload"
	ObjectAttempt  Object = "attempt"
)

// Move is one legal change of state. From is "" at birth.
type Move struct {
	Object   Object
	From, To string
}

// Legal is the table of legal moves (RELIABILITY §5). The database holds the
// same table and refuses every other move by foreign key.
func Legal() []Move {
	var ms []Move
	w := func(to State, from ...State) {
		for _, f := range from {
			ms = append(ms, Move{ObjectWorkload, string(f), string(to)})
		}
	}
	a := func(to AttemptState, from ...AttemptState) {
		for _, f := range from {
			ms = append(ms, Move{ObjectAttempt, string(f), string(to)})
		}
	}
	w(Accepted, "")
	w(Planned, Accepted, Planned, Offered, Releasing, SiteSilent, Running, Suspended, Held)
	w(Offered, Planned)
	w(Held, Offered, SiteSilent)
	w(Releasing, Held, Suspended, SiteSilent)
	w(Running, Held, Suspended, Releasing, SiteSilent)
	w(Suspended, Running, SiteSilent)
	w(SiteSilent, Held, Running, Suspended, Releasing)
	w(Succeeded, Held, Running, Suspended, Releasing, SiteSilent)
	w(Failed, Held, Running, Suspended, Releasing, SiteSilent)
	w(Cancelled, Accepted, Planned, Offered, Held, Running, Suspended, Releasing, SiteSilent)
	w(Expired, Accepted, Planned)

	a(AttemptOffered, "")
	a(AttemptRevoked, AttemptOffered)
	a(AttemptHeld, AttemptOffered)
	a(AttemptReleased, AttemptHeld)
	a(AttemptStarting, AttemptHeld)
	a(AttemptRunning, AttemptHeld, AttemptStarting, AttemptSuspended, AttemptLost)
	a(AttemptSuspended, AttemptRunning, AttemptLost)
	a(AttemptSucceeded, AttemptHeld, AttemptStarting, AttemptRunning, AttemptSuspended, AttemptLost)
	a(AttemptFailed, AttemptHeld, AttemptStarting, AttemptRunning, AttemptSuspended, AttemptLost)
	a(AttemptStopped, AttemptHeld, AttemptStarting, AttemptRunning, AttemptSuspended, AttemptLost)
	a(AttemptLost, AttemptHeld, AttemptStarting, AttemptRunning, AttemptSuspended)
	return ms
}

var legal = func() map[Move]bool {
	m := map[Move]bool{}
	for _, mv := range Legal() {
		m[mv] = true
	}
	return m
}()

// Check returns an error if m is not in the table.
func (m Move) Check() error {
	if !legal[m] {
		return fmt.Errorf("%s may not go from %q to %q", m.Object, m.From, m.To)
	}
	return nil
}

// Terminal reports whether nothing more can happen to a workload in s.
func (s State) Terminal() bool {
	return s == Succeeded || s == Failed || s == Cancelled || s == Expired
}

// AtSite reports whether the start right of a workload in s is with a site,
// so that the server alone may neither move nor cancel it.
func (s State) AtSite() bool {
	switch s {
	case Held, Releasing, Running, Suspended, SiteSilent:
		return true
	}
	return false
}

// Live reports whether an attempt in s may still run: at most one attempt of
// a workload is live at a time, and the database holds that too.
func (s AttemptState) Live() bool {
	switch s {
	case AttemptOffered, AttemptHeld, AttemptStarting, AttemptRunning, AttemptSuspended:
		return true
	}
	return false
}
