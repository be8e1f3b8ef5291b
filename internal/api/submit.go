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
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
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
	now := s.Now()
	shape := wire.ShapeIn(in.Body.Shape)
	hash := bodyHash(in.Body)
	var out *submitted
	err := s.Store.UpdateAll(ctx, func(sys SystemTx) error {
		tx := sys.For(caller.Tenant)

		// 1. The same key again is the same workload: nothing is done twice,
		// also where the first answer was lost or the window has since passed.
		if k, known, err := tx.Idempotent(in.Key); err != nil {
			return err
		} else if known {
			if !bytes.Equal(k.BodyHash, hash) {
				return problem.With(problem.Conflict, "This Idempotency-Key was used for another submission.",
					problem.Violation{Pointer: "header.Idempotency-Key", Message: "the key belongs to workload " + k.Workload, Value: in.Key})
			}
			w, err := s.read(tx, k.Workload)
			out = &submitted{Status: http.StatusOK, Location: "/v1/workloads/" + k.Workload, Body: w}
			return err
		}
		if vs := shape.Validate(now); len(vs) > 0 {
			return problem.With(problem.Invalid, "The shape breaks "+plural(len(vs), "rule")+".", under("/shape", vs)...)
		}

		// 2. Admit: in the world as it is in this very transaction, so that
		// two submissions cannot be promised the same capacity.
		world, err := sys.World(now)
		if err != nil {
			return err
		}
		if !sealedFor(world, in.Body.Enclave, sys) {
			return problem.With(problem.Invalid, "The intent is sealed to a key of no enclave here.",
				problem.Violation{Pointer: "/enclave", Message: "no site has this key; GET /v1/sites lists those that there are", Value: in.Body.Enclave})
		}
		w := workload.Workload{
			ID: "wl_" + s.NewID(), Tenant: caller.Tenant, State: workload.Accepted, Shape: shape,
			Sealed: in.Body.Sealed, Enclave: in.Body.Enclave, Created: now, Changed: now,
			Baseline: baseline(shape, world.Sites, now),
		}
		snap := plan.Observe(world, s.Rules)
		next, refused := plan.Admit(snap, plan.Item{ID: w.ID, Tenant: w.Tenant, Shape: shape})
		if refused != nil {
			return infeasible(*refused)
		}
		snap.Items = append(snap.Items, plan.Item{ID: w.ID, Tenant: w.Tenant, Shape: shape})
		if err := plan.Check(snap, next); err != nil {
			return fmt.Errorf("admit %s: %w", w.ID, err)
		}

		// 3. Commit all of it at once. If we crash before the commit, nothing
		// has happened; after it, the work is ours and its place is kept.
		event := func(kind audit.Kind) audit.Event {
			return audit.Event{At: now, Actor: caller.Principal, Kind: kind}
		}
		if err := tx.InsertWorkload(w, event(audit.WorkloadSubmitted)); err != nil {
			return err
		}
		w.Rev = 1
		if err := tx.MoveWorkload(&w, workload.Planned, event(audit.WorkloadMoved)); err != nil {
			return err
		}
		if err := commit(sys, snap, next, now, caller.Principal); err != nil {
			return err
		}
		if err := tx.PutIdempotent(workload.Key{Key: in.Key, BodyHash: hash, Workload: w.ID, At: now}); err != nil {
			return err
		}
		body, err := s.read(tx, w.ID)
		out = &submitted{Status: http.StatusCreated, Location: "/v1/workloads/" + w.ID, Body: body}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return out, nil
}

// commit brings next into force and writes what it changes.
func commit(sys SystemTx, snap plan.Snapshot, next plan.Plan, now time.Time, who access.Principal) error {
	tenants := map[string]access.Tenant{}
	before := map[string]*plan.Placement{}
	for _, it := range snap.Items {
		tenants[it.ID], before[it.ID] = it.Tenant, it.Placement
	}
	changed := 0
	for _, p := range next.Placements {
		if old := before[p.Workload]; old != nil && plan.Same(*old, p) {
			continue
		}
		changed++
		if err := sys.For(tenants[p.Workload]).PutPlacement(p, next.ID, audit.Event{At: now, Actor: who, Kind: audit.WorkloadPlaced}); err != nil {
			return err
		}
	}
	return sys.SetPlan(next.Parent, next.ID, now, audit.Event{
		At: now, Actor: who, Kind: audit.PlanCommitted, Detail: map[string]string{"changed": fmt.Sprint(changed)},
	})
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

func sealedFor(_ plan.World, enclave string, sys SystemTx) bool {
	stations, err := sys.Sites()
	return err == nil && slices.ContainsFunc(stations, func(st plan.Station) bool { return st.KeyID == enclave })
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
	case "objective.carbonCeiling":
		return "/objective/carbonCeilingGrams"
	case "shape.resources", "shape.resources.cpus":
		return "/cpus"
	case "shape.resources.memory":
		return "/memoryMiB"
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
	if vs := shape.Validate(now); len(vs) > 0 {
		return nil, problem.With(problem.Invalid, "The shape breaks "+plural(len(vs), "rule")+".", vs...)
	}
	var out clusy.DryRun
	err := s.Store.ViewAll(ctx, func(sys SystemTx) error {
		world, err := sys.World(now)
		if err != nil {
			return err
		}
		const id = "wl_dry-run"
		next, refused := plan.Admit(plan.Observe(world, s.Rules), plan.Item{ID: id, Tenant: caller.Tenant, Shape: shape})
		if refused != nil {
			out = wire.RefusalOut(*refused)
		}
		for _, p := range next.Placements {
			if p.Workload == id {
				pl := wire.PlacementOut(p)
				out.Feasible, out.Placement = true, &pl
			}
		}
		for _, zone := range zonesOf(world.Sites, shape.Where) {
			o, err := outlook(sys, world.Forecasts, zone, now.Truncate(time.Hour), shape.When.CompleteBy, now)
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
	return ok(out)
}
