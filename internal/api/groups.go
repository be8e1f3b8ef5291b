package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// maxGroupBody bounds a submission of a thousand intents.
const maxGroupBody = 24 << 20

// groupPrefix begins the id of a group.
const groupPrefix = "grp_"

type groupSubmission struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" doc:"Names this submission: sent again, it gives the same group."`
	Body clusy.GroupSubmission
}

type groupSubmitted struct {
	Status   int
	Location string `header:"Location"`
	Body     clusy.Group
}

type byGroup struct {
	Group string `path:"group" maxLength:"64"`
}

// party is a group on its way in.
type party struct {
	id      string
	key     string
	hash    []byte
	members []*entrant
	own     map[string]bool // ids of the members

	known clusy.Group // if it is known by its key
}

// submitGroup admits all members of a group, or none: their places are found
// together, and all of it is put on record in one transaction.
func (s *Server) submitGroup(ctx context.Context, in *groupSubmission) (*groupSubmitted, error) {
	caller, _ := wire.CallerOf(ctx)
	now := s.Now().UTC().Truncate(time.Microsecond) // as the store keeps it
	shapes := make([]workload.Shape, len(in.Body.Members))
	for i, m := range in.Body.Members {
		shapes[i] = wire.ShapeIn(m.Shape)
	}
	b, err := json.Marshal(in.Body)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	g := &party{id: groupPrefix + s.NewID(), key: in.Key, hash: sum[:], own: map[string]bool{}}
	ids := make([]string, len(shapes))
	for i := range ids {
		ids[i] = "wl_" + s.NewID()
		g.own[ids[i]] = true
	}
	faults := s.link(shapes, ids, "/shape", now)
	for i, m := range in.Body.Members {
		shapes[i].Group = g.id
		g.members = append(g.members, &entrant{who: caller.Principal, w: workload.Workload{
			ID: ids[i], Tenant: caller.Tenant, State: workload.Accepted, Shape: shapes[i],
			Sealed: m.Sealed, Enclave: m.Enclave, Created: now, Changed: now,
		}})
	}
	select {
	case s.whole() <- struct{}{}:
		defer func() { <-s.whole() }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for range wholeTries {
		err := s.enterGroup(ctx, g, faults)
		if errors.Is(err, plan.ErrStale) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if g.known.ID != "" {
			return &groupSubmitted{Status: http.StatusOK, Location: "/v1/groups/" + g.known.ID, Body: g.known}, nil
		}
		s.Wake()
		var out clusy.Group
		err = s.Store.View(ctx, caller.Tenant, func(tx TenantTx) (err error) {
			out, err = readGroup(tx, g.id)
			return err
		})
		return &groupSubmitted{Status: http.StatusCreated, Location: "/v1/groups/" + g.id, Body: out}, err
	}
	return nil, problem.Errorf(problem.Unready, "So many others are being admitted that no plan for all of them could be made: send it again in a second, with the same Idempotency-Key.")
}

// link gives the members of a group each other's ids in place of their numbers,
// and returns every rule that one of them breaks, by its place in the request.
func (s *Server) link(shapes []workload.Shape, ids []string, inner string, now time.Time) (faults []problem.Violation) {
	links := 0
	before := make([][]int, len(shapes))
	for i := range shapes {
		here := fmt.Sprintf("/members/%d%s", i, inner)
		broken := len(faults)
		for k, ref := range shapes[i].After {
			number, isNumber := strings.CutPrefix(ref, "#")
			if !isNumber {
				continue
			}
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 || n >= len(ids) || n == i || strconv.Itoa(n) != number {
				faults = append(faults, problem.Violation{Pointer: fmt.Sprintf("%s/after/%d", here, k), Message: "there is no such other member of the group", Limit: fmt.Sprintf("#0 to #%d", len(ids)-1)})
				continue
			}
			shapes[i].After[k] = ids[n]
			before[i] = append(before[i], n)
		}
		links += len(shapes[i].After)
		if len(faults) == broken {
			faults = append(faults, under(here, shapes[i].Validate(now))...)
		}
		if len(faults) > 100 {
			return faults[:100]
		}
	}
	if links > workload.MaxLinks {
		faults = append(faults, problem.Violation{Pointer: "/members", Message: fmt.Sprintf("the members wait for each other %d times", links), Limit: fmt.Sprintf("at most %d: let one member in between wait for the others", workload.MaxLinks)})
	}
	if i := circled(before); i >= 0 {
		faults = append(faults, problem.Violation{Pointer: fmt.Sprintf("/members/%d%s/after", i, inner), Message: "it waits in a circle, for itself in the end", Limit: "an order in which one after the other can run"})
	}
	return faults
}

// circled returns a member that waits in a circle or behind one, -1 if none does.
func circled(before [][]int) int {
	behind, waits := make([][]int, len(before)), make([]int, len(before))
	var ready []int
	for i, ps := range before {
		for _, p := range ps {
			behind[p] = append(behind[p], i)
		}
		if waits[i] = len(ps); waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		for _, k := range behind[i] {
			if waits[k]--; waits[k] == 0 {
				ready = append(ready, k)
			}
		}
	}
	return slices.IndexFunc(waits, func(n int) bool { return n > 0 })
}

// prerequisites refuses a shape that waits for what is not the tenant's, or has ended
// without having succeeded. Its own are the other members of its group.
func prerequisites(tx TenantTx, shape workload.Shape, at string, own map[string]bool) error {
	for k, id := range shape.After {
		if own[id] {
			continue
		}
		w, err := tx.Workload(id)
		v := problem.Violation{Pointer: fmt.Sprintf("%s/after/%d", at, k), Value: id}
		switch {
		case problem.Is(err, problem.NotFound):
			v.Message, v.Limit = "there is no such workload", "the id of a workload of yours"
		case err != nil:
			return err
		case w.State.Terminal() && w.State != workload.Succeeded:
			v.Message, v.Limit = "it has "+ended(w.State)+", so that what waits for it would never start", "a workload that may yet succeed, or has"
		default:
			continue
		}
		return problem.With(problem.Invalid, "It waits for what it cannot wait for.", v)
	}
	return nil
}

// ended says of a state in which work has ended what became of it.
func ended(s workload.State) string {
	if s == workload.Cancelled {
		return "been cancelled"
	}
	return string(s)
}

func (g *party) items() []plan.Item {
	out := make([]plan.Item, len(g.members))
	for i, e := range g.members {
		out[i] = e.item()
	}
	return out
}

// repeats looks whether g is known by its key.
func (g *party) repeats(tx TenantTx) (known bool, err error) {
	k, known, err := tx.Idempotent(g.key)
	if err != nil || !known {
		return false, err
	}
	if !slices.Equal(k.BodyHash, g.hash) {
		return true, problem.With(problem.Conflict, "This Idempotency-Key was used for another submission.",
			problem.Violation{Pointer: "header.Idempotency-Key", Message: "the key belongs to " + k.Workload, Value: g.key})
	}
	g.known, err = readGroup(tx, k.Workload)
	return true, err
}

// enterGroup plans for a group beside the writer, and puts it on record if that
// plan still holds then.
func (s *Server) enterGroup(ctx context.Context, g *party, faults []problem.Violation) error {
	now := s.Now().UTC().Truncate(time.Microsecond)
	tenant := g.members[0].w.Tenant
	var snap plan.Snapshot
	var purse *budget.Book
	known := false
	err := s.Store.ViewAll(ctx, func(sys SystemTx) (err error) {
		tx := sys.For(tenant)
		// 1. The same key again is the same group, also where its window has passed.
		if known, err = g.repeats(tx); err != nil || known {
			return err
		}
		if len(faults) > 0 {
			return problem.With(problem.Invalid, "The group breaks "+plural(len(faults), "rule")+".", faults...)
		}
		stations, err := sys.Sites()
		if err != nil {
			return err
		}
		keys := map[string]bool{}
		for _, st := range stations {
			keys[st.KeyID] = true
		}
		world, err := world(sys, now)
		if err != nil {
			return err
		}
		for i, e := range g.members {
			if !keys[e.w.Enclave] {
				return problem.With(problem.Invalid, "The intent is sealed to a key of no enclave here.",
					problem.Violation{Pointer: fmt.Sprintf("/members/%d/enclave", i), Message: "no site has this key; GET /v1/sites lists those that there are", Value: e.w.Enclave})
			}
			here := fmt.Sprintf("/members/%d/shape", i)
			if refusal, err := noQueue(tx, e.w.Shape, here); err != nil || refusal != nil {
				return cmp.Or(err, refusal)
			}
			if err := prerequisites(tx, e.w.Shape, here, g.own); err != nil {
				return err
			}
			e.w.Baseline = baseline(e.w.Shape, world.Sites, e.w.Created)
		}
		snap = plan.Observe(world, s.Rules)
		purse, err = sys.Spending(tenant, now)
		return err
	})
	if err != nil || known {
		return err
	}

	// 2. Plan, and doubt.
	items := g.items()
	next, refused := plan.AdmitAll(snap, items)
	if refused != nil {
		i := slices.IndexFunc(items, func(it plan.Item) bool { return it.ID == refused.Workload })
		return infeasibleMember(*refused, i)
	}
	snap.Items = append(snap.Items, items...)
	if err := plan.Check(snap, next); err != nil {
		return fmt.Errorf("admit %s: %w", g.id, err)
	}
	places := map[string]*plan.Placement{}
	for i := range next.Placements {
		places[next.Placements[i].Workload] = &next.Placements[i]
	}
	for _, e := range g.members {
		if e.place = places[e.w.ID]; e.place == nil {
			return fmt.Errorf("admit %s: %s is neither placed nor refused", g.id, e.w.ID)
		}
	}
	if i, over := g.over(purse); over != nil {
		return infeasibleMember(overBudget(purse, items[i], over, s.Rules.Margin, nil), i)
	}

	// 3. Commit all of it at once, if that view still holds.
	return s.Store.UpdateAll(ctx, func(sys SystemTx) error {
		tx := sys.For(tenant)
		if known, err := g.repeats(tx); err != nil || known {
			return err
		}
		for i, e := range g.members {
			if err := prerequisites(tx, e.w.Shape, fmt.Sprintf("/members/%d/shape", i), g.own); err != nil {
				return err
			}
		}
		// What was spent meanwhile is on record without a plan.
		purse, err := sys.Spending(tenant, now)
		if err != nil {
			return err
		}
		if _, over := g.over(purse); over != nil {
			return plan.ErrStale
		}
		if purse != nil {
			if err := tell(sys, map[access.Tenant]*budget.Book{tenant: purse}, g.members, now); err != nil {
				return err
			}
		}
		if err := s.moveOthers(sys, snap, next, g.members[0].who, now, func(id string) bool { return g.own[id] }); err != nil {
			return err
		}
		for _, e := range g.members {
			if err := e.write(tx, next.ID); err != nil {
				return err
			}
		}
		return tx.PutIdempotent(workload.Key{Key: g.key, BodyHash: g.hash, Workload: g.id, At: g.members[0].w.Created})
	})
}

// over returns the first member that a budget which holds work back has no room
// for, beside those before it. Other times are not sought for a group: its places
// were found together.
func (g *party) over(purse *budget.Book) (int, []budget.Excess) {
	if purse == nil {
		return 0, nil
	}
	purse.Reset()
	for i, e := range g.members {
		if over := purse.Over(e.w.ID, e.w.Shape, *e.place, budget.Hold); len(over) > 0 {
			return i, over
		}
		purse.Put(e.w.ID, e.w.Shape, *e.place)
	}
	return 0, nil
}

// infeasibleMember is infeasible of one member of a group.
func infeasibleMember(r plan.Refusal, i int) error {
	p := problem.With(problem.Infeasible, fmt.Sprintf("No plan keeps every constraint of this group: member %d has no place.", i))
	for _, f := range r.Failed {
		p.Violations = append(p.Violations, problem.Violation{Pointer: fmt.Sprintf("/members/%d/shape%s", i, shapePointer(f.Field)), Message: f.Message, Limit: f.Missing, Nearest: f.Nearest})
	}
	if !r.NearestCompleteBy.IsZero() {
		p.NearestCompleteBy = r.NearestCompleteBy
		p.Detail += " The nearest completeBy of the group that could be kept is " + r.NearestCompleteBy.Format(time.RFC3339) + "."
	}
	return p
}

type groupPlanned struct {
	Body clusy.GroupShapes
}

// dryRunGroup says what would become of a group, and changes nothing.
func (s *Server) dryRunGroup(ctx context.Context, in *groupPlanned) (*body[clusy.GroupPlan], error) {
	caller, _ := wire.CallerOf(ctx)
	now := s.Now()
	shapes, ids, own := make([]workload.Shape, len(in.Body.Members)), make([]string, len(in.Body.Members)), map[string]bool{}
	for i, m := range in.Body.Members {
		shapes[i], ids[i] = wire.ShapeIn(m), fmt.Sprintf("wl_dry-run-%04d", i)
		shapes[i].Group, own[ids[i]] = "", true
	}
	if faults := s.link(shapes, ids, "", now); len(faults) > 0 {
		return nil, problem.With(problem.Invalid, "The group breaks "+plural(len(faults), "rule")+".", faults...)
	}
	var snap plan.Snapshot
	var purse *budget.Book
	err := s.Store.ViewAll(ctx, func(sys SystemTx) error {
		world, err := world(sys, now)
		if err != nil {
			return err
		}
		for i, shape := range shapes {
			here := fmt.Sprintf("/members/%d", i)
			if refusal, err := noQueue(sys.For(caller.Tenant), shape, here); err != nil || refusal != nil {
				return cmp.Or(err, refusal)
			}
			if err := prerequisites(sys.For(caller.Tenant), shape, here, own); err != nil {
				return err
			}
		}
		snap = plan.Observe(world, s.Rules)
		purse, err = sys.Spending(caller.Tenant, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	select {
	case s.dry() <- struct{}{}:
		defer func() { <-s.dry() }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	items := make([]plan.Item, len(shapes))
	for i, shape := range shapes {
		items[i] = plan.Item{ID: ids[i], Tenant: caller.Tenant, Shape: shape}
	}
	next, refused := plan.AdmitAll(snap, items)
	if refused != nil {
		i := slices.Index(ids, refused.Workload)
		no := wire.RefusalOut(*refused)
		return ok(clusy.GroupPlan{Refused: &i, Failed: no.Failed, Nearest: no.Nearest})
	}
	// 2. The budgets, as they are held against the group when it is submitted.
	g := &party{}
	for _, p := range next.Placements { // by id, which is the order of the request
		if own[p.Workload] {
			it := items[slices.Index(ids, p.Workload)]
			g.members = append(g.members, &entrant{w: workload.Workload{ID: it.ID, Shape: it.Shape}, place: &p})
		}
	}
	if i, over := g.over(purse); over != nil {
		i = slices.Index(ids, g.members[i].w.ID)
		no := wire.RefusalOut(overBudget(purse, items[i], over, s.Rules.Margin, nil))
		return ok(clusy.GroupPlan{Refused: &i, Failed: no.Failed, Nearest: no.Nearest})
	}
	out := clusy.GroupPlan{Feasible: true}
	for _, p := range next.Placements { // by id, which is the order of the request
		if own[p.Workload] {
			out.Members = append(out.Members, wire.PlacementOut(p))
		}
	}
	return ok(out)
}

func (s *Server) group(ctx context.Context, in *byGroup) (*body[clusy.Group], error) {
	caller, _ := wire.CallerOf(ctx)
	var out clusy.Group
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) (err error) {
		out, err = readGroup(tx, in.Group)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

// readGroup returns how a group stands.
func readGroup(tx TenantTx, id string) (clusy.Group, error) {
	g := clusy.Group{ID: id, States: map[string]int{}, Complete: true, Members: []clusy.GroupMember{}}
	ws, err := members(tx, id)
	if err != nil {
		return g, err
	}
	ids := make([]string, len(ws))
	for i, w := range ws {
		ids[i] = w.ID
	}
	attempts, err := tx.AttemptsOf(ids)
	if err != nil {
		return g, err
	}
	decided, err := tx.DecidedOf(ids)
	if err != nil {
		return g, err
	}
	finish, carbon, known := time.Time{}, 0.0, true
	for _, w := range ws {
		m := clusy.GroupMember{ID: w.ID, State: string(w.State), Cause: w.Cause, After: w.Shape.After, CompleteBy: w.Shape.When.CompleteBy}
		g.States[m.State]++
		g.Complete = g.Complete && w.State.Terminal()
		if g.Created.IsZero() || w.Created.Before(g.Created) {
			g.Created = w.Created
		}
		g.Due = laterOf(g.Due, m.CompleteBy)
		if p, placed := decided[w.ID]; placed {
			pl := wire.PlacementOut(p)
			m.Site, m.Start, m.Finish, m.Reserved, m.Carbon = p.Site, p.Start(), p.Finish(), p.Reserved, pl.Carbon
		} else if !w.State.Terminal() {
			known = false
		}
		if as := attempts[w.ID]; len(as) > 0 {
			if a := as[len(as)-1]; !a.Started.IsZero() {
				m.Site, m.Start = a.Site, a.Started
				if !a.Ended.IsZero() {
					m.Finish = a.Ended
				}
			}
		}
		if !w.State.Terminal() {
			if m.Carbon == nil {
				known = false
			} else {
				carbon += *m.Carbon
			}
		}
		finish = laterOf(finish, m.Finish)
		g.Members = append(g.Members, m)
	}
	if !slices.ContainsFunc(g.Members, func(m clusy.GroupMember) bool {
		return m.Finish.IsZero() && !workload.State(m.State).Terminal()
	}) {
		g.Finish = finish
	}
	if known {
		g.Carbon = &carbon
	}
	return g, nil
}

// members returns the workloads of a group, in the order of their submission.
func members(tx TenantTx, id string) ([]workload.Workload, error) {
	if !strings.HasPrefix(id, groupPrefix) {
		return nil, problem.Errorf(problem.NotFound, "there is no group %s", id)
	}
	ws, err := tx.Workloads(workload.Filter{Group: id, Limit: workload.MaxMembers})
	if err == nil && len(ws) == 0 {
		err = problem.Errorf(problem.NotFound, "there is no group %s", id)
	}
	return ws, err
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// cancelGroup takes all members back that have not ended.
func (s *Server) cancelGroup(ctx context.Context, in *byGroup) (*body[clusy.Group], error) {
	caller, _ := wire.CallerOf(ctx)
	now := s.Now()
	var out clusy.Group
	err := s.Store.Update(ctx, caller.Tenant, func(tx TenantTx) error {
		ws, err := members(tx, in.Group)
		if err != nil {
			return err
		}
		for _, w := range ws {
			if w.State.Terminal() {
				continue
			}
			if err := cancelOne(tx, w, caller.Principal, now); err != nil {
				return fmt.Errorf("cancel %s: %w", w.ID, err)
			}
		}
		out, err = readGroup(tx, in.Group)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return ok(out)
}
