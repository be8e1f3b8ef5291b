// Package api is everything that a principal can do, each thing once: its
// route, its permission, its handler, its record. The command line, the
// console and the agents all come in through these doors.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// Store is what the doors need of a store. Each function runs in one
// transaction and must not keep it.
type Store interface {
	View(ctx context.Context, t access.Tenant, f func(TenantTx) error) error
	Update(ctx context.Context, t access.Tenant, f func(TenantTx) error) error
	// ViewAll and UpdateAll see the whole world, as admission must: capacity
	// is shared between tenants.
	ViewAll(ctx context.Context, f func(SystemTx) error) error
	UpdateAll(ctx context.Context, f func(SystemTx) error) error
}

// TenantTx is what a door may do for one tenant. What belongs to another
// tenant is not found.
type TenantTx interface {
	Workload(id string) (workload.Workload, error)
	Workloads(workload.Filter) ([]workload.Workload, error)
	InsertWorkload(w workload.Workload, e audit.Event) error
	MoveWorkload(w *workload.Workload, to workload.State, e audit.Event) error
	UpdateWorkload(w *workload.Workload, e audit.Event) error
	Attempts(workload string) ([]workload.Attempt, error)
	MoveAttempt(a *workload.Attempt, to workload.AttemptState, e audit.Event) error
	PutPlacement(p plan.Placement, planID string, e audit.Event) error
	Placement(workload string) (plan.Placement, bool, error)
	DeletePlacement(workload string) error
	Decisions(workload string) ([]plan.Decision, error)
	FirstDecision(workload string) (plan.Placement, bool, error)
	AttemptsOf(ids []string) (map[string][]workload.Attempt, error)
	DecidedOf(ids []string) (map[string]plan.Placement, error)
	EntriesOf(ids []string) (map[string][]ledger.Line, error)
	MetersOf(ids []string) (map[string][]ledger.Meter, error)
	History(class string) (workload.History, error)
	Histories(after string, limit int) ([]workload.History, error)
	Idempotent(key string) (workload.Key, bool, error)
	PutIdempotent(workload.Key) error
	Events(audit.Filter) ([]audit.Entry, error)
	Counts() (states map[workload.State]int, late int, err error)
	EndToken(id string, at time.Time, e audit.Event) error
	Entries(workload string, after int64, limit int) ([]ledger.Line, error)
	AppendEntry(e ledger.Entry) (index int64, err error)
	Meters(workload string) ([]ledger.Meter, error)
	Queues() ([]workload.Queue, error)
	PutQueue(q *workload.Queue, e audit.Event) error
	RemoveQueue(name string, e audit.Event) error
	Budgets() ([]budget.Budget, error)
	PutBudget(b *budget.Budget, e audit.Event) error
	RemoveBudget(name string, e audit.Event) error
}

// SystemTx is what admission and the views of shared things need.
type SystemTx interface {
	For(access.Tenant) TenantTx
	World(now time.Time) (plan.World, error)
	// Spending returns what the budgets of a tenant are held against; nil if it
	// has none.
	Spending(tenant access.Tenant, now time.Time) (*budget.Book, error)
	Queues() ([]workload.Queue, error) // of all tenants
	Workload(id string) (workload.Workload, error)
	LiveAttempts(site string) ([]workload.Attempt, error)
	Changes(from int64) ([]audit.Change, error)
	LastChange() (audit.Change, error)
	SetPlan(parent, id string, at time.Time, e audit.Event) error
	Sites() ([]plan.Station, error)
	Measured(zone grid.Zone, since time.Time) ([]grid.Series, error)
	LatestForecasts() (map[grid.Zone][]grid.Series, error)
	// ForecastAt returns the forecast of a zone in a basis that was in use at a
	// time: the newest issued by then. If there was none: problem.NotFound.
	ForecastAt(zone grid.Zone, basis grid.Basis, at time.Time) (grid.Series, error)
	Prices(zone grid.Zone, since time.Time) ([]grid.Prices, error)
	// PlanProof returns all that a plan was decided on, PlanProofs what one
	// sees of the newest ones, the newest first.
	PlanProof(plan string) (plan.Packed, error)
	PlanProofs(most int) ([]plan.ProofHead, error)
	LogSize() (int64, error)
	Checkpoint() (string, error)
	Proof(index int64) (leaf []byte, proof string, err error)
}

// Syncer carries out what agents and server say to each other.
type Syncer interface {
	// Absorb puts on record how things stand at a site, and returns which
	// meters are on record now.
	Absorb(ctx context.Context, site plan.Station, reports []workload.Report, meters []ledger.Meter, now time.Time) (metered []ledger.Meter, epoch int64, err error)
	// Orders returns what there is to do at a site that stands so.
	Orders(ctx context.Context, site string, reports []workload.Report, now time.Time) ([]workload.Order, error)
}

// Zones tells what is known of zones besides their stored series.
type Zones interface {
	// Annual returns every zone that has a yearly mean.
	Annual() []Annual
	// Trouble returns what is wrong with a zone's signal, "" if nothing is.
	Trouble(grid.Zone) string
	// Signals tells how all sources and wanted zones are doing.
	Signals(now time.Time) clusy.Signals
}

// Annual is a zone's yearly mean.
type Annual struct {
	Zone grid.Zone
	Name string
	Mean grid.Intensity
	Year int
}

// Server is the API. All fields but Log, Rate, Ends, Wake, Stopping and
// Places are needed.
type Server struct {
	Store    Store
	Syncer   Syncer
	Zones    Zones
	Places   Places // nil: zones alone are known by name
	Sessions Sessions
	Cookie   Cookie
	Rules    plan.Rules
	Now      func() time.Time
	NewID    func() string // a UUIDv7
	Version  string
	Origin   string // of the log
	LogKey   string // its note verifier key
	Demo     bool
	Rate     float64   // seconds of Now in a real second; 0 is 1
	Ends     time.Time // when replayed data ends; zero: never
	Log      *slog.Logger
	// OpenSignals lets this machine's own programs read the carbon intensities
	// of the Carbon Aware SDK's API without a token. Only for a server that
	// listens on loopback alone.
	OpenSignals bool
	// Silence is how long a site may be away before it counts as silent.
	Silence time.Duration
	// Changed returns a channel that closes at the next change on record.
	Changed func() <-chan struct{}
	// Post carries questions between servers that share a database; nil: this one
	// is alone.
	Post Post
	// Wake is called after a change that the control loop should see soon.
	Wake func()
	// Stopping closes when the server is to stop: streams end then.
	Stopping <-chan struct{}

	relay    relay
	carried  map[string]carriedAsk // by question
	tallies  tallies
	watchers watchers
	desk     desk
}

// Handler returns the API as an http.Handler. Who the caller is must be in
// the request's context already (authn).
func (s *Server) Handler() http.Handler {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Wake == nil {
		s.Wake = func() {}
	}
	mux := http.NewServeMux()
	s.register(humago.New(mux, config(s.Version)))
	mux.HandleFunc("/", notFound)
	return mux
}

// Spec returns the OpenAPI document, for those who generate from it.
func (s *Server) Spec() *huma.OpenAPI {
	api := humago.New(http.NewServeMux(), config(s.Version))
	s.register(api)
	return api.OpenAPI()
}

func (s *Server) register(api huma.API) {
	for _, r := range Routes {
		op := r.operation(s)
		if r.describe != nil {
			r.describe(api, &op)
		}
		r.register(api, s, op)
	}
}

func config(version string) huma.Config {
	nameErrors()
	c := huma.DefaultConfig("Clusy", version)
	c.Info.Description = "A carbon-aware workload orchestrator. Times are UTC; durations are seconds; carbon is grams of CO2-equivalent."
	c.DocsPath = ""
	c.SchemasPath = ""
	c.CreateHooks = nil
	c.RejectUnknownQueryParameters = true
	c.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "A Clusy token, clsy_…. A browser that has signed in carries one in a cookie."},
	}
	return c
}

// Route is one door: its method and path, its lock, and what is behind it.
type Route struct {
	Method     string
	Path       string
	Permission access.Permission
	Summary    string
	Tag        string
	// Foreign doors speak as another API does, and are no part of our own
	// description.
	Foreign bool

	openable bool // may be left open to this machine; see Server.OpenSignals
	// describe says in the API's description what the types cannot.
	describe func(huma.API, *huma.Operation)
	register func(huma.API, *Server, huma.Operation)
	most     int64 // of the body, in bytes; 0: maxBody
}

// sized allows a route a larger body than others.
func (r Route) sized(most int64) Route {
	r.most = most
	return r
}

func (r Route) described(f func(huma.API, *huma.Operation)) Route {
	r.describe = f
	return r
}

// maxBody bounds a request body. A sync with 500 reports stays well below it.
const maxBody = 4 << 20

func (r Route) operation(s *Server) huma.Operation {
	op := huma.Operation{
		OperationID: operationID(r), Method: r.Method, Path: r.Path, Summary: r.Summary, Tags: []string{r.Tag},
		MaxBodyBytes: maxBody, BodyReadTimeout: 10 * time.Second,
		Middlewares: huma.Middlewares{s.lock(r)},
		Extensions:  map[string]any{"x-permission": string(r.Permission)},
	}
	if r.most > 0 {
		op.MaxBodyBytes, op.BodyReadTimeout = r.most, time.Minute
	}
	if r.Permission != access.Public {
		op.Security = []map[string][]string{{"token": {}}}
		op.Errors = []int{401, 403}
	}
	return op
}

// lock lets only those through who may.
func (s *Server) lock(r Route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if r.Permission == access.Public {
			next(ctx)
			return
		}
		caller, ok := wire.CallerOf(ctx.Context())
		refuse := func(status int, detail string) { s.refuse(ctx, status, detail) }
		if r.Foreign {
			refuse = func(status int, detail string) {
				req, w := humago.Unwrap(ctx)
				writeComplaint(w, refused(status, "%s", detail), traceOf(req))
			}
		}
		switch {
		case !ok && r.openable && s.OpenSignals && ctx.Header("Authorization") == "" && fromHere(ctx):
			next(ctx)
		case !ok:
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="clusy"`)
			refuse(http.StatusUnauthorized, "This needs a token: send Authorization: Bearer clsy_…")
		case caller.Browser && !alive(caller):
			refuse(http.StatusUnauthorized, "This session is over. `clusy console` prints a link to another one.")
		case !access.May(caller.Grants, caller.Principal, r.Permission, caller.Tenant, time.Now()):
			// Grants run on real time, also where workloads run on a replayed clock.
			refuse(http.StatusForbidden, "This token has no live grant with the permission "+string(r.Permission)+".")
		default:
			next(ctx)
		}
	}
}

func door[I, O any](method, path string, p access.Permission, tag, summary string, h func(*Server, context.Context, *I) (*O, error)) Route {
	return Route{
		Method: method, Path: path, Permission: p, Tag: tag, Summary: summary,
		register: func(api huma.API, s *Server, op huma.Operation) {
			huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
				out, err := h(s, ctx, in)
				return out, s.answer(ctx, op.OperationID, err)
			})
		},
	}
}

// body is an answer with a JSON body.
type body[T any] struct {
	Body T
}

func ok[T any](v T) (*body[T], error) { return &body[T]{v}, nil }

func page[T any](items []T, next string) (*body[clusy.Page[T]], error) {
	if items == nil {
		items = []T{}
	}
	return ok(clusy.Page[T]{Items: items, Next: next})
}
