package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

type submission struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" doc:"Names this submission: sent again, it gives the same workload."`
	Body clusy.Submission
}

type submitted struct {
	Status   int
	Location string `header:"Location"`
	Body     clusy.Workload
}

// submit admits an intent: a place is found and reserved for it in the same
// transaction that puts it on record, or it is refused with the way out.
func (s *Server) submit(ctx context.Context, in *submission) (*submitted, error) {
	caller, _ := wire.CallerOf(ctx)
	now := s.Now().UTC().Truncate(time.Microsecond) // as the store keeps it
	shape := wire.ShapeIn(in.Body.Shape)
	shape.Group = ""
	e := &entrant{key: in.Key, hash: bodyHash(in.Body), who: caller.Principal, faults: shape.Validate(now), w: workload.Workload{
		ID: "wl_" + s.NewID(), Tenant: caller.Tenant, State: workload.Accepted, Shape: shape,
		Sealed: in.Body.Sealed, Enclave: in.Body.Enclave, Created: now, Changed: now,
	}}
	if err := s.desk.admit(ctx, s, e); err != nil {
		return nil, err
	}
	if e.repeat {
		return &submitted{Status: http.StatusOK, Location: "/v1/workloads/" + e.body.ID, Body: e.body}, nil
	}
	s.Wake()
	return &submitted{Status: http.StatusCreated, Location: "/v1/workloads/" + e.w.ID, Body: wire.WorkloadOut(e.made, e.place, nil)}, nil
}

// baseline fixes, before the run, what would have happened without us: the
// work at once at the first site that it names, or at the first there is.
func baseline(shape workload.Shape, sites []plan.Site, now time.Time) workload.Counterfactual {
	allowed := slices.DeleteFunc(slices.Clone(sites), func(s plan.Site) bool { return !plan.Allowed(shape.Where, s) })
	if len(allowed) == 0 {
		return workload.Counterfactual{}
	}
	slices.SortStableFunc(allowed, func(a, b plan.Site) int {
		return plan.Rank(shape.Where, a) - plan.Rank(shape.Where, b)
	})
	home, start := allowed[0], now
	if shape.When.NotBefore.After(now) {
		start = shape.When.NotBefore
	}
	return workload.Counterfactual{Rule: shape.Policy.Baseline, Site: home.ID, Zone: home.Zone, PUE: home.PUE, Start: start}
}

func infeasible(r plan.Refusal) error {
	p := problem.With(problem.Infeasible, "No plan keeps every constraint of this intent.")
	for _, f := range r.Failed {
		p.Violations = append(p.Violations, problem.Violation{Pointer: "/shape" + shapePointer(f.Field), Message: f.Message, Limit: f.Missing, Nearest: f.Nearest})
	}
	if !r.NearestCompleteBy.IsZero() {
		p.NearestCompleteBy = r.NearestCompleteBy
		p.Detail += " The nearest completeBy that could be kept is " + r.NearestCompleteBy.Format(time.RFC3339) + "."
	}
	return p
}

// shapePointer maps a field's name to its place in the wire's shape.
func shapePointer(field string) string {
	switch field {
	case "":
		return ""
	case "when.windows.deny":
		return "/when/deny"
	case "objective.carbonCeiling":
		return "/objective/carbonCeilingGrams"
	case "shape.resources", "shape.resources.cpus":
		return "/cpus"
	case "shape.resources.memory":
		return "/memoryMiB"
	case "shape.resources.gpus":
		return "/gpus"
	case "shape.power":
		return "/watts"
	case "shape.duration":
		return "/duration"
	}
	out := ""
	for _, part := range bytes.Split([]byte(field), []byte(".")) {
		out += "/" + string(part)
	}
	return out
}

func under(prefix string, vs []problem.Violation) []problem.Violation {
	for i := range vs {
		vs[i].Pointer = prefix + vs[i].Pointer
	}
	return vs
}

func plural(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// bodyHash tells one submission from another. What is sealed is new each time
// it is sealed, so a client that retries must keep the sealed bytes.
func bodyHash(s clusy.Submission) []byte {
	b, err := json.Marshal(s)
	if err != nil { // a Submission came from JSON, so it can go back
		return nil
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

type planned struct {
	Body clusy.Shape
}

// dryRun says what would become of a shape, and changes nothing.
func (s *Server) dryRun(ctx context.Context, in *planned) (*body[clusy.DryRun], error) {
	caller, _ := wire.CallerOf(ctx)
	now := s.Now()
	shape := wire.ShapeIn(in.Body)
	shape.Group = ""
	if vs := shape.Validate(now); len(vs) > 0 {
		return nil, problem.With(problem.Invalid, "The shape breaks "+plural(len(vs), "rule")+".", vs...)
	}
	// 1. Read in a view, 2. plan beside it: a plan may take a while, and so many
	// at a time as leave the processor to others.
	var out clusy.DryRun
	var snap plan.Snapshot
	var purse *budget.Book
	var nobody error
	err := s.Store.ViewAll(ctx, func(sys SystemTx) error {
		world, err := world(sys, now)
		if err != nil {
			return err
		}
		snap = plan.Observe(world, s.Rules)
		if purse, err = sys.Spending(caller.Tenant, now); err != nil {
			return err
		}
		if shape.QueueOf() != workload.DefaultQueue {
			if nobody, err = noQueue(sys.For(caller.Tenant), shape, ""); err != nil {
				return err
			}
		}
		if err := prerequisites(sys.For(caller.Tenant), shape, "", nil); err != nil {
			return err
		}
		for _, zone := range zonesOf(world.Sites, shape.Where) {
			o, err := outlook(sys, s.Rules.PlansOn(), world.Forecasts, zone, now.Truncate(time.Hour), shape.When.CompleteBy, now)
			if err != nil {
				return err
			}
			out.Outlook = append(out.Outlook, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if nobody != nil {
		return nil, nobody
	}
	select {
	case s.dry() <- struct{}{}:
		defer func() { <-s.dry() }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	const id = "wl_dry-run"
	item := plan.Item{ID: id, Tenant: caller.Tenant, Shape: shape}
	next, closed, refused := admitWithin(purse, snap, item)
	item.Closed = closed
	if refused != nil {
		no := wire.RefusalOut(*refused)
		no.Outlook = out.Outlook
		return ok(no)
	}
	for _, p := range next.Placements {
		if p.Workload == id {
			pl := wire.PlacementOut(p)
			out.Feasible, out.Placement = true, &pl
		}
	}
	snap.Items = append(snap.Items, item)
	out.Quotes = wire.QuotesOut(plan.Quotes(snap, next, id))
	return ok(out)
}

// dryRuns is how many dry runs are planned at once.
const dryRuns = 2

func (s *Server) dry() chan struct{} {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	if s.desk.dry == nil {
		s.desk.dry = make(chan struct{}, dryRuns)
	}
	return s.desk.dry
}
