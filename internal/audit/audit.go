// Package audit is what is put on record: the Event, written in the same
// transaction as the change that it describes, and its kinds.
package audit

import (
	"time"

	"clusy.io/clusy/internal/access"
)

// Event is one fact: who did what to which object, when, and how it went.
type Event struct {
	At     time.Time        `json:"at"`
	Tenant access.Tenant    `json:"tenant"`
	Actor  access.Principal `json:"actor"`
	Kind   Kind             `json:"kind"`
	Object string           `json:"object"` // "workload:wl_…", "attempt:wl_…/1", "site:local", "plan:…"
	// From, To and Rev are set when the event is a change of state.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	Rev  int64  `json:"rev,omitempty"`
	// Detail is what else belongs on record: small, flat, never a secret and
	// never a part of an intent.
	Detail map[string]string `json:"detail,omitempty"`
}

// Kind says what sort of fact an event is. Kinds are stable: they are stored
// and exported.
type Kind string

const (
	LogOpened         Kind = "log.opened"
	TokenCreated      Kind = "token.created"
	TokenEnded        Kind = "token.ended" // before its time: signed out or revoked
	SiteRegistered    Kind = "site.registered"
	SiteSeen          Kind = "site.seen" // a new incarnation of its agent
	SignalStored      Kind = "signal.stored"
	SignalRefused     Kind = "signal.refused"
	SignalQuarantined Kind = "signal.quarantined" // a source is not believed until it agrees with another again
	SignalReleased    Kind = "signal.released"
	SignalRevised     Kind = "signal.revised" // a source changed what it had said of the past
	WorkloadSubmitted Kind = "workload.submitted"
	WorkloadMoved     Kind = "workload.moved"
	WorkloadPlaced    Kind = "workload.placed" // decided: Detail names the plan and the decision's digest
	WorkloadMissed    Kind = "workload.missed" // completeBy passed unfinished
	ClassDrifted      Kind = "class.drifted"   // its runs take longer than is declared
	CancelRequested   Kind = "workload.cancel-requested"
	AttemptMoved      Kind = "attempt.moved"
	PlanCommitted     Kind = "plan.committed"
	PlanCertified     Kind = "plan.certified" // it changes nothing, and this is how good the one in force is
	PlanRefused       Kind = "plan.refused"   // Check found it wrong: our bug, on record
	LeaderElected     Kind = "leader.elected"
	QueueSet          Kind = "queue.set"
	QueueRemoved      Kind = "queue.removed"
	BudgetSet         Kind = "budget.set"
	BudgetRemoved     Kind = "budget.removed"
	BudgetExceeded    Kind = "budget.exceeded"            // once for each of its periods
	BudgetForetold    Kind = "budget.exhaustion-forecast" // it will be used up within its period; once for each
	LedgerEntry       Kind = "ledger.entry"               // the body is a ledger.Entry, not an Event
)

// Entry is one line of the log as it is read back.
type Entry struct {
	Index int64
	Event Event
}
