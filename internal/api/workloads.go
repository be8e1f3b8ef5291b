package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

type byID struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *Server) workload(ctx context.Context, in *byID) (*body[clusy.Workload], error) {
	caller, _ := wire.CallerOf(ctx)
	var out clusy.Workload
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) (err error) {
		out, err = s.read(tx, in.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

// read returns a workload with all that belongs to it.
func (s *Server) read(tx TenantTx, id string) (clusy.Workload, error) {
	w, err := tx.Workload(id)
	if err != nil {
		return clusy.Workload{}, err
	}
	out, err := s.readAll(tx, []workload.Workload{w})
	if err != nil {
		return clusy.Workload{}, err
	}
	return out[0], nil
}

// readAll returns workloads with all that belongs to them: a page of them costs
// a few queries, not a few for each.
func (s *Server) readAll(tx TenantTx, ws []workload.Workload) ([]clusy.Workload, error) {
	ids := make([]string, len(ws))
	for i, w := range ws {
		ids[i] = w.ID
	}
	attempts, err := tx.AttemptsOf(ids)
	if err != nil {
		return nil, err
	}
	decided, err := tx.DecidedOf(ids)
	if err != nil {
		return nil, err
	}
	lines, err := tx.EntriesOf(ids)
	if err != nil {
		return nil, err
	}
	meters, err := tx.MetersOf(ids)
	if err != nil {
		return nil, err
	}
	out := make([]clusy.Workload, len(ws))
	for i, w := range ws {
		var p *plan.Placement
		if d, ok := decided[w.ID]; ok {
			p = &d
		}
		out[i] = wire.WorkloadOut(w, p, attempts[w.ID])
		out[i].Account = account(w, lines[w.ID], len(meters[w.ID]))
	}
	return out, nil
}

// account sums what the ledger holds of a workload, nil if that is nothing yet.
// What has ended without having run has an account too: a complete one, of
// nothing.
func account(w workload.Workload, lines []ledger.Line, meters int) *clusy.Account {
	if len(lines) == 0 && (meters > 0 || !w.State.Terminal()) {
		return nil
	}
	lines = ledger.Standing(lines)
	out := clusy.Account{Entries: len(lines), Complete: w.State.Terminal() && meters == len(lines)}
	for _, l := range lines {
		e := wire.EntryOut(l.Index, l.Entry)
		out.EnergyKWh += e.EnergyKWh
		out.Emitted += e.Emitted
		out.Avoided += e.Avoided
		out.Grade = max(out.Grade, e.Grade)
		if e.Claimed {
			out.Saved += e.Saved
		}
	}
	return &out
}

type listIn struct {
	State  string `query:"state" maxLength:"200" doc:"States wanted, with commas between them. Default: all."`
	Group  string `query:"group" maxLength:"64" doc:"Only members of this group."`
	Cursor string `query:"cursor" maxLength:"200" doc:"The next of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

func (s *Server) workloads(ctx context.Context, in *listIn) (*body[clusy.Page[clusy.Workload]], error) {
	caller, _ := wire.CallerOf(ctx)
	f := workload.Filter{Newest: true, Group: in.Group, Limit: in.Limit + 1}
	var err error
	if f.States, err = statesIn(in.State); err != nil {
		return nil, err
	}
	if f.After, err = cursorIn(in.Cursor); err != nil {
		return nil, err
	}
	var out clusy.Page[clusy.Workload]
	err = s.Store.ViewAll(ctx, func(sys SystemTx) error {
		tx := sys.For(caller.Tenant)
		ws, err := tx.Workloads(f)
		if err != nil {
			return err
		}
		// One more than asked for says whether there is a next page.
		if len(ws) > in.Limit {
			ws = ws[:in.Limit]
			out.Next = cursorOut(workload.CursorOf(ws[len(ws)-1]))
		}
		if out.Items, err = s.readAll(tx, ws); err != nil {
			return err
		}
		out.AsOf, err = asOf(sys)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

// statesIn reads a list of states with commas between them.
func statesIn(text string) (out []workload.State, err error) {
	for st := range strings.SplitSeq(text, ",") {
		if st == "" {
			continue
		}
		if !slices.Contains(workload.States(), workload.State(st)) {
			return nil, problem.With(problem.Invalid, "There is no such state.", problem.Violation{
				Pointer: "query.state", Message: "not a state of a workload", Value: st, Limit: fmt.Sprint(workload.States()),
			})
		}
		out = append(out, workload.State(st))
	}
	return out, nil
}

func cursorOut(c workload.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Created.UnixMicro(), 36) + " " + c.ID))
}

func cursorIn(text string) (workload.Cursor, error) {
	if text == "" {
		return workload.Cursor{}, nil
	}
	bad := problem.With(problem.Invalid, "The cursor is not one of ours.", problem.Violation{Pointer: "query.cursor", Message: "send the next of the page before, unchanged"})
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return workload.Cursor{}, bad
	}
	at, id, found := strings.Cut(string(b), " ")
	us, err := strconv.ParseInt(at, 36, 64)
	if !found || err != nil {
		return workload.Cursor{}, bad
	}
	return workload.Cursor{Created: time.UnixMicro(us).UTC(), ID: id}, nil
}

// cancel takes a workload back. What no site holds is cancelled at once; what
// one holds, only that site can stop, and it is asked to.
func (s *Server) cancel(ctx context.Context, in *byID) (*body[clusy.Workload], error) {
	caller, _ := wire.CallerOf(ctx)
	now := s.Now()
	var out clusy.Workload
	err := s.Store.Update(ctx, caller.Tenant, func(tx TenantTx) error {
		w, err := tx.Workload(in.ID)
		if err != nil {
			return err
		}
		if err := cancelOne(tx, w, caller.Principal, now); err != nil {
			return err
		}
		out, err = s.read(tx, w.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Wake()
	return ok(out)
}

// cancelOne takes one workload back, as far as the server can.
func cancelOne(tx TenantTx, w workload.Workload, who access.Principal, now time.Time) error {
	event := func(kind audit.Kind) audit.Event {
		return audit.Event{At: now, Actor: who, Kind: kind}
	}
	switch w.State {
	case workload.Cancelled:
		// Asked twice, done once.
	case workload.Accepted, workload.Planned, workload.Offered:
		if w.State == workload.Offered {
			attempts, err := tx.Attempts(w.ID)
			if err != nil {
				return err
			}
			// From this revocation on, an agent's acceptance finds no
			// offer: the start right never left us.
			if a := attempts[len(attempts)-1]; a.State == workload.AttemptOffered {
				a.Cause = "cancelled"
				if err := tx.MoveAttempt(&a, workload.AttemptRevoked, event(audit.AttemptMoved)); err != nil {
					return err
				}
			}
		}
		w.Cause, w.Wanted = "cancelled by its owner", workload.WantNothing
		if err := tx.MoveWorkload(&w, workload.Cancelled, event(audit.WorkloadMoved)); err != nil {
			return err
		}
		if err := tx.DeletePlacement(w.ID); err != nil {
			return err
		}
	case workload.Held, workload.Suspended:
		w.Wanted = workload.WantCancel
		if err := tx.MoveWorkload(&w, workload.Releasing, event(audit.CancelRequested)); err != nil {
			return err
		}
	case workload.Running, workload.Releasing, workload.SiteSilent:
		if w.Wanted != workload.WantCancel {
			w.Wanted = workload.WantCancel
			if err := tx.UpdateWorkload(&w, event(audit.CancelRequested)); err != nil {
				return err
			}
		}
	default:
		return problem.Errorf(problem.Conflict, "Workload %s has %s already: there is nothing to cancel.", w.ID, w.State)
	}
	return nil
}

func (s *Server) decisions(ctx context.Context, in *byID) (*body[clusy.Page[clusy.Decision]], error) {
	caller, _ := wire.CallerOf(ctx)
	var items []clusy.Decision
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) error {
		if _, err := tx.Workload(in.ID); err != nil {
			return err
		}
		ds, err := tx.Decisions(in.ID)
		if err != nil {
			return err
		}
		for _, d := range slices.Backward(ds) {
			items = append(items, clusy.Decision{Plan: d.Plan, At: d.At, Placement: wire.PlacementOut(d.Placement)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return page(items, "")
}

type logIn struct {
	ID     string `path:"id" maxLength:"64"`
	Cursor string `query:"cursor" pattern:"^[0-9]*$" maxLength:"20" doc:"The next of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

func (s *Server) events(ctx context.Context, in *logIn) (*body[clusy.Page[clusy.Event]], error) {
	caller, _ := wire.CallerOf(ctx)
	var items []clusy.Event
	next := ""
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) error {
		if _, err := tx.Workload(in.ID); err != nil {
			return err
		}
		es, err := tx.Events(audit.Filter{Workload: in.ID, After: after(in.Cursor), Limit: in.Limit + 1})
		if err != nil {
			return err
		}
		if len(es) > in.Limit {
			es = es[:in.Limit]
			next = strconv.FormatInt(es[len(es)-1].Index, 10)
		}
		for _, e := range es {
			items = append(items, wire.EventOut(e))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return page(items, next)
}

// after reads a cursor that is an index in the log; "" is before the first.
func after(cursor string) int64 {
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

type ledgerIn struct {
	Workload string `query:"workload" maxLength:"64" doc:"Only entries of this workload."`
	Cursor   string `query:"cursor" pattern:"^[0-9]*$" maxLength:"20" doc:"The next of the page before."`
	Limit    int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

func (s *Server) entries(ctx context.Context, in *ledgerIn) (*body[clusy.Page[clusy.LedgerEntry]], error) {
	caller, _ := wire.CallerOf(ctx)
	var items []clusy.LedgerEntry
	next := ""
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) error {
		if in.Workload != "" {
			if _, err := tx.Workload(in.Workload); err != nil {
				return err
			}
		}
		lines, err := tx.Entries(in.Workload, after(in.Cursor), in.Limit+1)
		if err != nil {
			return err
		}
		if len(lines) > in.Limit {
			lines = lines[:in.Limit]
			next = strconv.FormatInt(lines[len(lines)-1].Index, 10)
		}
		items = entriesOut(lines)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return page(items, next)
}

func entriesOut(lines []ledger.Line) []clusy.LedgerEntry {
	out := make([]clusy.LedgerEntry, len(lines))
	for i, l := range lines {
		out[i] = wire.EntryOut(l.Index, l.Entry)
	}
	return out
}

func (s *Server) checkpoint(ctx context.Context, _ *none) (*body[clusy.Checkpoint], error) {
	out := clusy.Checkpoint{Origin: s.Origin, Key: s.LogKey, Demo: s.Demo}
	err := s.Store.ViewAll(ctx, func(tx SystemTx) (err error) {
		if out.Size, err = tx.LogSize(); err != nil {
			return err
		}
		out.Text, err = tx.Checkpoint()
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

type proofIn struct {
	Index int64 `path:"index" minimum:"0"`
}

// proof is for the caller's own entries: another tenant's are not found.
func (s *Server) proof(ctx context.Context, in *proofIn) (*body[clusy.Proof], error) {
	caller, _ := wire.CallerOf(ctx)
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) error {
		es, err := tx.Events(audit.Filter{After: in.Index - 1, Limit: 1})
		if err != nil {
			return err
		}
		if len(es) == 1 && es[0].Index == in.Index {
			return nil
		}
		ls, err := tx.Entries("", in.Index-1, 1)
		if err != nil {
			return err
		}
		if len(ls) == 1 && ls[0].Index == in.Index {
			return nil
		}
		return problem.Errorf(problem.NotFound, "There is no entry %d of yours in the log.", in.Index)
	})
	if err != nil {
		return nil, err
	}
	out := clusy.Proof{Index: in.Index}
	err = s.Store.ViewAll(ctx, func(tx SystemTx) (err error) {
		out.Leaf, out.Text, err = tx.Proof(in.Index)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}
