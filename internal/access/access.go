// Package access says who may do what: tenants, principals, roles, grants with
// an end, and May, the one question. It decides on what it is given and at the
// time it is told; who someone is, authn says.
package access

import (
	"slices"
	"time"
)

type (
	// Tenant is the customer cohort that isolation is drawn around.
	Tenant string
	// Principal names who acts: "token:<id>", "site:<id>", "system".
	Principal string
	// Permission names one thing that can be done, as "workload.submit".
	Permission string
	// Role is a named set of permissions.
	Role string
)

const (
	Public         Permission = "public" // needs no identity: health and the API's own description
	WorkloadSubmit Permission = "workload.submit"
	WorkloadRead   Permission = "workload.read"
	WorkloadCancel Permission = "workload.cancel"
	ClassRead      Permission = "class.read" // how long the work of a class takes
	PlanDryRun     Permission = "plan.dry-run"
	PlanRead       Permission = "plan.read"  // how far plans are from the best possible
	PlanProve      Permission = "plan.prove" // all that a plan was decided on
	SignalRead     Permission = "signal.read"
	SiteRead       Permission = "site.read"
	SiteSync       Permission = "site.sync" // an agent's: take work for its site and report on it
	LedgerRead     Permission = "ledger.read"
	LedgerRestate  Permission = "ledger.restate" // book hours again on what is known now
	StatusRead     Permission = "status.read"
	EventRead      Permission = "event.read"   // what happens to workloads, as it happens
	AuditRead      Permission = "audit.read"   // also what happens to the tenant's tokens
	SessionRead    Permission = "session.read" // who am I, and let me go
	SessionLink    Permission = "session.link" // a link that signs a browser in as oneself
	MetricsRead    Permission = "metrics.read" // figures for a monitoring system
	QueueRead      Permission = "queue.read"
	QueueWrite     Permission = "queue.write" // set up and remove queues
	BudgetRead     Permission = "budget.read"
	BudgetWrite    Permission = "budget.write" // set and remove budgets
)

const (
	Admin    Role = "admin"
	Operator Role = "operator"
	Viewer   Role = "viewer"
	Agent    Role = "agent"
)

// Roles is the role-based access control list: least privilege as data.
var Roles = map[Role][]Permission{
	Viewer:   see,
	Operator: slices.Concat(see, act),
	Admin:    slices.Concat(see, act, []Permission{AuditRead, LedgerRestate, PlanProve, QueueWrite, BudgetWrite}),
	Agent:    {SiteSync},
}

var (
	see = []Permission{StatusRead, WorkloadRead, ClassRead, PlanRead, SignalRead, SiteRead, LedgerRead, EventRead, SessionRead, SessionLink, MetricsRead, QueueRead, BudgetRead}
	act = []Permission{PlanDryRun, WorkloadSubmit, WorkloadCancel}
)

// Grant gives a principal a role on a tenant until a time. There is no grant
// without an end.
type Grant struct {
	Holder Principal
	Role   Role
	Tenant Tenant
	Site   string // for agents: the one site it may sync; "" otherwise
	From   time.Time
	Until  time.Time
}

// Live reports whether g is in force at now.
func (g Grant) Live(now time.Time) bool { return !now.Before(g.From) && now.Before(g.Until) }

// May reports whether who may do p on tenant t at now. It is the one place
// where that is decided; everything not granted is denied.
func May(grants []Grant, who Principal, p Permission, t Tenant, now time.Time) bool {
	if p == Public {
		return true
	}
	for _, g := range grants {
		if g.Holder == who && g.Tenant == t && g.Live(now) && slices.Contains(Roles[g.Role], p) {
			return true
		}
	}
	return false
}

// Token is what the server keeps of a bearer token: never the token itself,
// but its SHA-256, and the grant that it carries.
type Token struct {
	ID      string // short, public, shown in lists and logs
	Hash    []byte
	Grant   Grant
	Created time.Time
}
