// Package plan decides when and where workloads run. Compute decides, Check
// doubts: it knows the promises and nothing of how Compute keeps them.
package plan

import (
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Snapshot is the world at one moment, as far as a plan may look: every series
// in it was issued at or before Now.
type Snapshot struct {
	Now     time.Time
	Parent  string        // the plan in force, "" before the first
	Step    time.Duration // length of a slot; slots are counted from Now
	Horizon time.Duration // how far ahead a plan may look
	// Margin is kept free between the latest end of the booked time and
	// completeBy: the backend's start-up and the uncertainty of clocks.
	Margin  time.Duration
	Sites   []Site
	Outlook grid.Outlooks
	// Prices are those of the market, by zone. What a site pays is its tariff:
	// the market's price, and its own where the market has told none.
	Prices map[grid.Zone][]grid.Prices
	Items  []Item
	Queues []workload.Queue // that tenants have set up
	// Expected is work that nobody has submitted yet: see Expect. Clean hours are
	// left to it by what can as well be elsewhere. It takes no room from a
	// promise, makes nothing refused, and is in no certificate.
	Expected []Arrival
}

// Site is a place that can run workloads.
type Site struct {
	ID       string
	Zone     grid.Zone
	Capacity workload.Resources
	PUE      int64     // thousandths: facility energy per IT energy, ≥ 1000
	Price    grid.Rate // of electricity, where the market tells none; meaningful only with a Currency
	Currency string    // "" if the price is not known
	Down     bool      // takes no new work
}

// Item is one workload as the planner sees it.
type Item struct {
	ID     string
	Tenant access.Tenant
	Shape  workload.Shape

	Pinned      string        // the site that has its start right; "" while it may go anywhere
	Done        time.Duration // useful running time already behind it, overheads of resuming not counted
	Running     bool          // it runs now: its current run cannot be un-started
	RunSince    time.Time     // start of the current run, if Running
	Suspensions int           // suspensions already used

	// Closed are the times in which it may not run as no budget has room for it
	// there. Where it is now is never among them.
	Closed []workload.Span `json:",omitempty"`

	// Placement is its part of the plan in force, nil if it has none. It is
	// a promise: a new plan may better it, never drop it.
	Placement *Placement
}

// Plan is the whole decision, immutable, with a parent.
type Plan struct {
	ID         string // hex SHA-256 of the rest: equal plans have equal names
	Parent     string
	At         time.Time
	Placements []Placement // by workload id
	Unplaced   []Refusal   // by workload id
	// Certificate says how far it is from the best possible; nil if it was not
	// made as a whole, but added to the one before.
	Certificate *Certificate `json:",omitempty"`
}

// Span is a time [Start, End) in which a workload is to run.
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Size  int       `json:"size,omitempty"` // of elastic work, in thousandths; 0: as declared
}

// Len returns the length of s.
func (s Span) Len() time.Duration { return s.End.Sub(s.Start) }

// Placement is one workload's part of a plan.
type Placement struct {
	Workload string `json:"workload"`
	Site     string `json:"site"`
	// Way is the kind of hardware that it runs on: 0 is the shape's own, 1 the
	// first of its Ways.
	Way int `json:"way,omitempty"`
	// Spans are the runs, in order and apart; those of elastic work may adjoin,
	// if they differ in size. They hold the expected running time that remains,
	// and one overhead for each resume. The last one is
	// open at its end: work that takes longer than expected runs on.
	Spans []Span `json:"spans"`
	// Reserved is the end of the capacity kept for it: the last span, and
	// what the booked duration adds to the expected one.
	Reserved time.Time `json:"reserved"`
	// Latest is the latest safe start of all that remains: from then on the
	// work must run without a pause to be complete in time, but for the times
	// that are denied to it. What is late by its plan is not due before its start.
	Latest time.Time   `json:"latest"`
	Energy grid.Energy `json:"energy"` // of the facility, expected, for what remains
	Carbon grid.Carbon `json:"carbon"` // expected, for what remains
	Grade  grid.Grade  `json:"grade"`  // the worst of the values used; "" if none is known
	Cost   grid.Money  `json:"cost"`   // of electricity; meaningful only with a Currency
	// Currency is "" if a price is not known all the time: unknown is not 0.
	Currency string  `json:"currency,omitempty"`
	Why      Reasons `json:"why"`
}

// Start returns the beginning of the first span.
func (p Placement) Start() time.Time { return p.Spans[0].Start }

// Finish returns the expected end of the last span.
func (p Placement) Finish() time.Time { return p.Spans[len(p.Spans)-1].End }

// Reasons says why a placement is what it is: data first, so that each claim
// in it can be computed again.
type Reasons struct {
	Binding  Binding       `json:"binding"`
	Text     string        `json:"text"` // one sentence for a person
	Signals  []SignalUsed  `json:"signals"`
	RunNow   *Alternative  `json:"runNow,omitempty"` // the same work at once, at the first of its sites that has room
	Rejected []Alternative `json:"rejected"`         // the best of those not chosen, best first, at most 3
	// Considered counts the candidates, and how many fell to each cause.
	Considered int           `json:"considered"`
	Fell       map[Cause]int `json:"fell,omitempty"`
}

// Binding names the constraint that keeps a placement from being better.
type Binding string

const (
	BindingNone       Binding = "none"        // nothing in the window is cleaner
	BindingCompleteBy Binding = "complete-by" // something cleaner ends too late
	BindingCapacity   Binding = "capacity"    // something cleaner is taken
	BindingDenied     Binding = "denied"      // something cleaner is in a time that is denied to it
	BindingMinSaving  Binding = "min-saving"  // waiting would save too little
	BindingNoSignal   Binding = "no-signal"   // no intensity is known: run by the policy
	BindingStarted    Binding = "started"     // it runs and cannot be stopped
	BindingObjective  Binding = "objective"   // carbon is not what it is to minimize
	BindingExpected   Binding = "expected"    // something cleaner is free, and left to work that is expected
	BindingHysteresis Binding = "hysteresis"  // a move would gain too little to be worth it
)

// Cause says why a candidate was not chosen.
type Cause string

const (
	CauseDirtier  Cause = "dirtier"   // it emits more
	CauseDearer   Cause = "dearer"    // it costs more
	CauseLater    Cause = "later"     // it is done later and no better
	CauseFull     Cause = "full"      // its site has no capacity left then
	CauseLate     Cause = "late"      // it would be complete too late
	CauseDenied   Cause = "denied"    // it may not run then
	CauseDown     Cause = "down"      // its site takes no work
	CauseUnknown  Cause = "unknown"   // no intensity is known there
	CauseCeiling  Cause = "ceiling"   // it breaks a ceiling of carbon or cost
	CauseNotWorth Cause = "not-worth" // cleaner, but by less than minSaving
)

// Alternative is a candidate that was not chosen, with its differences to the
// chosen one: positive is worse.
type Alternative struct {
	Site    string        `json:"site"`
	Way     int           `json:"way,omitempty"` // the kind of hardware, as a placement's
	Start   time.Time     `json:"start"`
	Finish  time.Time     `json:"finish"`
	Cause   Cause         `json:"cause"`
	Carbon  grid.Carbon   `json:"carbon"` // its own; meaningful only if CarbonKnown
	Known   bool          `json:"carbonKnown"`
	DCarbon grid.Carbon   `json:"carbonDelta"`
	DFinish time.Duration `json:"finishDelta"`
	DCost   *grid.Money   `json:"costDelta,omitempty"` // nil: not known
}

// SignalUsed names one series that a decision rests on.
type SignalUsed struct {
	Zone     grid.Zone  `json:"zone"`
	Provider string     `json:"provider"`
	Issued   time.Time  `json:"issued"`
	Grade    grid.Grade `json:"grade"`
	Basis    grid.Basis `json:"basis"`
	Ref      string     `json:"ref,omitempty"`
}

// Refusal says why a workload has no place: in the customer's words, with
// every constraint that failed and by how much, and the way out.
type Refusal struct {
	Workload string   `json:"workload"`
	Failed   []Failed `json:"failed"`
	// NearestCompleteBy is the earliest completeBy with which the rest of
	// the shape could be placed; zero if no completeBy would help.
	NearestCompleteBy time.Time `json:"nearestCompleteBy,omitzero"`
}

// Failed is one constraint that cannot be kept.
type Failed struct {
	Field   string `json:"field"`   // the intent's field, as when.completeBy
	Message string `json:"message"` // a sentence
	Missing string `json:"missing"` // the amount by which it fails, with its unit
	Nearest string `json:"nearest,omitempty"`
}
