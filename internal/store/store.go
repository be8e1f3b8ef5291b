// Package store is every byte at rest: workloads, attempts, plans, signals,
// meters and the log that puts each change of them on record. SQLite is the
// store of one machine, Memory that of a simulation; both pass storetest.
package store

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// DB is a store. SQLite and Memory implement it.
type DB interface {
	// For returns the handle of one tenant: it can neither see nor touch
	// what belongs to another.
	For(access.Tenant) Tenant
	// System returns the handle of the loops and of sync, which serve all
	// tenants.
	System() System
	// Close waits for what has begun and lets go of the files.
	Close() error
}

// Tenant is the handle of one tenant. The function it is given must not keep
// its transaction, nor begin another one inside.
type Tenant interface {
	// View runs f on one consistent state; nothing f does is kept.
	View(ctx context.Context, f func(TenantTx) error) error
	// Update runs f alone. If f fails or panics, nothing of it remains; if
	// Update returns nil, all of it is on disk, its events are leaves of the
	// log, and a signed checkpoint covers them. Once f has begun, the answer
	// is the true outcome even if ctx ends.
	Update(ctx context.Context, f func(TenantTx) error) error
}

// System is the handle that serves all tenants. It promises what Tenant does.
type System interface {
	View(ctx context.Context, f func(SystemTx) error) error
	Update(ctx context.Context, f func(SystemTx) error) error
}

// TenantTx is what one tenant may do in a transaction.
//
// Times are kept to the microsecond, in UTC. A thing that does not exist and
// a thing of another tenant are the same problem.NotFound. Every method that
// changes a state takes the event that records it and fills in the event's
// Tenant, Object, From, To and Rev, and its Kind if it has none; its At, Actor
// and Detail are the caller's. A View refuses every change.
//
// A change that fails half way (the disk, a constraint) spoils the transaction:
// Update then returns that error even if the function does not. A refusal
// before anything was written (problem.NotFound, problem.Invalid, and a
// problem.Conflict found by comparing) does not.
//
// What is returned may share memory with the store: read it, do not write it.
//
// Not on record, each because something else covers it: progress of an
// attempt (UpdateAttempt), the renewal of a lease and meters (the ledger entry made of them),
// idempotency keys (the event of the submission), the end of a placement (the
// move of its workload), histories (the ends of the attempts they are made of).
type TenantTx interface {
	// Tenant returns whose transaction this is.
	Tenant() access.Tenant

	Workload(id string) (workload.Workload, error)
	// Workloads returns a page of workloads in the order of their creation.
	Workloads(Filter) ([]workload.Workload, error)
	// Counts returns how many workloads are in each state, and how many have
	// missed their completeBy.
	Counts() (states map[workload.State]int, late int, err error)
	// InsertWorkload records the birth of w: in state accepted, with rev 1.
	InsertWorkload(w workload.Workload, e audit.Event) error
	// MoveWorkload moves w to a state, and writes its Wanted, MissedAt,
	// MissedCause and Cause with it. It is a problem.Conflict if w is not as
	// stored (by its Rev and Changed), or if the table of legal moves has no
	// such move. On success w is as it is stored.
	MoveWorkload(w *workload.Workload, to workload.State, e audit.Event) error
	// UpdateWorkload writes w's Wanted, MissedAt, MissedCause and Cause
	// without a move: its Rev stays, its Changed rises.
	UpdateWorkload(w *workload.Workload, e audit.Event) error

	// Attempts returns the attempts of a workload, the first one first.
	Attempts(workload string) ([]workload.Attempt, error)
	Attempt(workload string, n int) (workload.Attempt, error)
	// InsertAttempt records the birth of a: in state offered, with rev 1. It
	// is a problem.Conflict while another attempt of the workload is live.
	InsertAttempt(a workload.Attempt, e audit.Event) error
	// MoveAttempt moves a to a state and writes what may change of it with
	// it: Expires, Started, Ended, ExitCode, Cause and its progress. It
	// compares as MoveWorkload does.
	MoveAttempt(a *workload.Attempt, to workload.AttemptState, e audit.Event) error
	// UpdateAttempt writes a's progress (Active, RunSince, Suspensions and
	// Seen), and nothing else, if its Rev is as stored: Rev and Changed stay.
	// Progress is a heartbeat and not on record.
	UpdateAttempt(a *workload.Attempt) error

	// PutPlacement makes p its workload's part of the plan in force and
	// appends it to the workload's decisions. The event, workload.placed,
	// carries the plan and the SHA-256 of the decision.
	PutPlacement(p plan.Placement, planID string, e audit.Event) error
	// Placement returns a workload's placement; ok is false if it has none.
	Placement(workload string) (p plan.Placement, ok bool, err error)
	// DeletePlacement ends a placement; there need not be one.
	DeletePlacement(workload string) error
	// FirstDecision returns the placement that a workload was admitted with;
	// ok is false if it has had none.
	FirstDecision(workload string) (p plan.Placement, ok bool, err error)
	// Decisions returns all placements that a workload has had, oldest first.
	Decisions(workload string) ([]Decision, error)

	// AttemptsOf, DecidedOf, EntriesOf and MetersOf read what belongs to a
	// page of workloads, by their ids, at the cost of a few queries. Decided is
	// the placement in force or, where none is, the last one there was. An id
	// that the tenant does not have is in none of them.
	AttemptsOf(ids []string) (map[string][]workload.Attempt, error)
	DecidedOf(ids []string) (map[string]plan.Placement, error)
	EntriesOf(ids []string) (map[string][]LedgerLine, error)
	MetersOf(ids []string) (map[string][]ledger.Meter, error)

	// History returns the newest runs of a class of work; if none has ended
	// yet, problem.NotFound. Histories returns a page of them by their classes,
	// after one, "" from the first.
	History(class string) (workload.History, error)
	Histories(after string, limit int) ([]workload.History, error)
	// PutHistory keeps h in the place of what was known of its class. Of the
	// tenant's classes the MostClasses that ran last are kept.
	PutHistory(h workload.History) error

	// Idempotent returns what was submitted under a key.
	Idempotent(key string) (k Key, ok bool, err error)
	// PutIdempotent keeps a key; it is a problem.Conflict if it is taken.
	PutIdempotent(k Key) error

	// Events returns a page of the tenant's events in the order of the log.
	Events(EventFilter) ([]audit.Entry, error)
	// Append puts an event on record that goes with no other change here,
	// and returns its index in the log.
	Append(e audit.Event) (index int64, err error)

	// Entries returns a page of ledger entries, of one workload or ("") of
	// all, after an index (-1: from the first).
	Entries(workload string, after int64, limit int) ([]LedgerLine, error)
	// AppendEntry puts a ledger entry into the log and returns its index.
	AppendEntry(e ledger.Entry) (index int64, err error)

	// EndToken lets the grant of a token end at a time, which must be before
	// its own end. It is problem.NotFound if no such token is left to end.
	EndToken(id string, at time.Time, e audit.Event) error

	// EntriesFrom returns a page of ledger entries of hours from one on, after an
	// index (-1: from the first).
	EntriesFrom(hour time.Time, after int64, limit int) ([]LedgerLine, error)

	// Queues returns the queues that are set up, by name.
	Queues() ([]workload.Queue, error)
	// PutQueue sets a queue up (Rev 0) or changes it, if its Rev is as stored; on
	// success q is as it is stored. It is problem.Invalid if it breaks a rule.
	PutQueue(q *workload.Queue, e audit.Event) error
	// RemoveQueue removes a queue; it is problem.NotFound if there is none.
	RemoveQueue(name string, e audit.Event) error
	// Budgets, PutBudget and RemoveBudget do the same of budgets. An event of a
	// kind of its own (exceeded, foretold) goes with what PutBudget writes of it.
	Budgets() ([]budget.Budget, error)
	PutBudget(b *budget.Budget, e audit.Event) error
	RemoveBudget(name string, e audit.Event) error

	// PutMeter keeps the newest report of an attempt's hour. Once the hour
	// is settled the same report is accepted again and any other one is a
	// problem.Conflict.
	PutMeter(m ledger.Meter) error
	// Meters returns the meters of a workload by attempt and hour.
	Meters(workload string) ([]ledger.Meter, error)
}

// SystemTx is what loops and sync may do in a transaction, for all tenants.
//
// Not on record, besides what TenantTx names: that a site was seen again
// (SeeSite), pruning (nothing on record refers to what is pruned), questions on
// their way to an enclave, and Meta.
type SystemTx interface {
	// For returns a tenant's part of the same transaction.
	For(access.Tenant) TenantTx

	// OpenWorkloads returns every workload that is not in a terminal state,
	// in the order of creation.
	OpenWorkloads() ([]workload.Workload, error)
	// Workload returns a workload by its id alone.
	Workload(id string) (workload.Workload, error)
	// LiveAttempts returns the live attempts at a site, "" for all sites, by
	// workload.
	LiveAttempts(site string) ([]workload.Attempt, error)
	// LostAttempts returns the lost attempts of open workloads: their site
	// may yet tell what became of them.
	LostAttempts(site string) ([]workload.Attempt, error)
	// Placements returns all placements, by workload.
	Placements() ([]plan.Placement, error)

	// PlanInForce returns the id of the plan in force and when it came into
	// force; "" before the first.
	PlanInForce() (id string, at time.Time, err error)
	// SetPlan brings a plan into force, or returns plan.ErrStale if its
	// parent is not in force.
	SetPlan(parent, id string, at time.Time, e audit.Event) error

	// PutPlanProof keeps what a plan was decided on; its digest belongs on the
	// record of the plan. The newest 48 are kept.
	PutPlanProof(p plan.Packed) error
	// PlanProof returns the proof of a plan, PlanProofs the heads of the newest ones,
	// the newest first.
	PlanProof(plan string) (plan.Packed, error)
	PlanProofs(most int) ([]plan.ProofHead, error)

	// Changes returns what has been put on record from an index on, in the
	// order of the log, at most MaxPage of them; in an Update also what that
	// Update has put there so far, and the ones that it commits together with.
	Changes(from int64) ([]Change, error)
	// LastChange returns the newest of them.
	LastChange() (Change, error)

	// Sites returns all sites by id.
	Sites() ([]Site, error)
	Site(id string) (Site, error)
	// PutSite registers a site or writes what is new of it.
	PutSite(s Site, e audit.Event) error
	// SeeSite notes that a site was heard from: its newest Seen and Answered.
	SeeSite(id string, seen time.Time, answered int64) error

	// PutSignals keeps series, each once: its ref is its digest. All that are
	// new come with one record, whose digest is the DigestOf their refs; it
	// returns those refs. If none is new, nothing is put on record.
	PutSignals(signals []Signal, e audit.Event) (stored []string, err error)
	// PutSignal is PutSignals of one series.
	PutSignal(kind SignalKind, s grid.Series, e audit.Event) (ref string, isNew bool, err error)
	Signal(ref string) (grid.Series, error)
	// Measured returns the measured series of a zone that reach past since,
	// by start, the later issued after the earlier.
	Measured(zone grid.Zone, since time.Time) ([]grid.Series, error)
	// ForecastAt returns the forecast of a zone in a basis that was in use at an instant:
	// of those that are kept, the newest that had been issued by then.
	ForecastAt(zone grid.Zone, basis grid.Basis, at time.Time) (grid.Series, error)
	// IssuedForecasts returns what providers issued of a zone since a time,
	// the oldest first.
	IssuedForecasts(zone grid.Zone, since time.Time) ([]grid.Series, error)
	// LatestForecasts returns for each zone the newest forecast in use of each
	// provider and basis, the newest of them first: an older one only fills
	// where it does not reach.
	LatestForecasts() (map[grid.Zone][]grid.Series, error)
	// PutPrices keeps prices as PutSignals keeps series. Prices of a zone,
	// provider and currency take the place of those issued no later that lie
	// within them, unless something on record refers to these.
	PutPrices(prices []grid.Prices, e audit.Event) (stored []string, err error)
	// Prices returns the prices of a zone that reach past since, by start, the
	// later issued after the earlier.
	Prices(zone grid.Zone, since time.Time) ([]grid.Prices, error)
	// PruneSignals drops the series that are old and to which no decision and
	// no ledger entry refers; it returns how many. A newest forecast that is
	// old is the newest no longer.
	PruneSignals(keep Retention) (int64, error)

	// Queues and Budgets return those of all tenants, by tenant and name.
	Queues() ([]workload.Queue, error)
	Budgets() ([]budget.Budget, error)

	// UnsettledMeters returns the meters that have no ledger entry yet, the
	// earliest hour first.
	UnsettledMeters() ([]ledger.Meter, error)
	// SettleMeter binds a meter to the ledger entry at index, for ever.
	SettleMeter(workload string, attempt int, hour time.Time, index int64) error
	// PruneIdempotent drops the keys kept before a time.
	PruneIdempotent(before time.Time) (int64, error)

	// Token returns the token whose SHA-256 is hash.
	Token(hash []byte) (access.Token, error)
	PutToken(t access.Token, e audit.Event) error
	// Tokens returns all tokens by id.
	Tokens() ([]access.Token, error)

	// Lead makes holder the leader and returns its epoch, one above any
	// before it.
	Lead(name, holder string, at time.Time) (epoch int64, err error)
	// Compete takes the lease if nobody has renewed it for ttl, by the clock of
	// the database, and returns its epoch and whether it was taken. holder
	// names one incarnation of one process.
	Compete(name, holder string, ttl time.Duration) (epoch int64, won bool, err error)
	// Renew says that the holder of an epoch still leads, and Resign that it
	// does not: the next to compete wins. Both are ErrFenced if it does not.
	Renew(name string, epoch int64) error
	Resign(name string, epoch int64) error
	// LeaderEpoch returns the newest epoch, 0 if nobody has led yet.
	LeaderEpoch(name string) (int64, error)
	// CheckLead returns ErrFenced if epoch is not the newest. It is the first
	// statement of every transaction of a leader.
	CheckLead(name string, epoch int64) error

	// PutQuestion keeps a question for the server to which its site's agent
	// speaks, at most MaxQuestions of them. Questions returns those for which
	// somebody still waits at now. ReplyTo keeps the reply to one that has none,
	// and DropQuestion ends one. None of it is part of the record.
	PutQuestion(q Question, now time.Time) error
	Questions(now time.Time) ([]Question, error)
	ReplyTo(question, reply string) error
	DropQuestion(id string) error

	// Meta returns a small fact about the store itself.
	Meta(key string) (value string, ok bool, err error)
	SetMeta(key, value string) error

	// Append puts an event of any tenant, or ("") of the house, on record.
	Append(e audit.Event) (index int64, err error)
	// Events returns a page of all tenants' events.
	Events(EventFilter) ([]audit.Entry, error)

	Log
}

// Log is the log as it is read for proofs and for verification. Within an
// Update it does not yet hold what that Update appends.
type Log interface {
	// LogSize returns the number of leaves.
	LogSize() (int64, error)
	// Checkpoint returns the newest signed tree head as a note, "" if the log
	// is empty.
	Checkpoint() (string, error)
	// Checkpoints returns the signed tree heads of more than after leaves, the
	// smallest first, at most MaxPage of them.
	Checkpoints(after int64) ([]string, error)
	// Leaves returns the leaves [from, to), at most MaxLeaves of them.
	Leaves(from, to int64) ([]Leaf, error)
	// Hashes returns a reader of the stored hashes of the tree, for
	// tlog.ProveRecord and tlog.ProveTree.
	Hashes() tlog.HashReader

	// Transitions returns changes of state from an index on, in the order of
	// the log, at most MaxPage of them.
	Transitions(from int64) ([]Transition, error)
	// States returns how every workload and attempt stands, in the tables.
	States() ([]Standing, error)
	// Decided returns the digests of the decisions from an index on, as they
	// are in the tables, at most MaxPage of them.
	Decided(from int64) ([]Decided, error)
}

// Transition is one change of state on record.
type Transition struct {
	Index  int64
	Object workload.Object
	ID     string // a workload's, or an attempt's: "wl_…/1"
	Rev    int64
	From   string
	To     string
}

// Standing is the state of one workload or attempt.
type Standing struct {
	Object workload.Object
	ID     string
	State  string
	Rev    int64
}

// Decided is a decision by its digest, as its event names it.
type Decided struct {
	Index  int64
	Digest string
}

// MaxLeaves is how many leaves one call of Log.Leaves returns at most.
const MaxLeaves = 1024

// MaxPage is how many rows one page of a list holds at most, and how many it
// holds if no limit is given.
const MaxPage = 1000

// What the store keeps and lists, in the words of the rooms that own them.
type (
	Leaf        = audit.Leaf
	Change      = audit.Change
	EventFilter = audit.Filter
	Filter      = workload.Filter
	Cursor      = workload.Cursor
	Key         = workload.Key
	Decision    = plan.Decision
	LedgerLine  = ledger.Line
	Site        = plan.Station
	SignalKind  = grid.Kind
)

// CursorOf returns the place of w.
func CursorOf(w workload.Workload) Cursor { return workload.CursorOf(w) }

const (
	Measured = grid.Measured
	Forecast = grid.Forecast
	Issued   = grid.Issued
	Price    = grid.Price
)
