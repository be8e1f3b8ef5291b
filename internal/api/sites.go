package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

func (s *Server) sites(ctx context.Context, _ *none) (*body[clusy.Page[clusy.Site]], error) {
	now := s.Now()
	var items []clusy.Site
	err := s.Store.ViewAll(ctx, func(tx SystemTx) error {
		stations, err := tx.Sites()
		if err != nil {
			return err
		}
		world, err := tx.World(now)
		if err != nil {
			return err
		}
		running := map[string]int{}
		for _, a := range world.Attempts {
			if a.State == workload.AttemptRunning {
				running[a.Site]++
			}
		}
		for _, st := range stations {
			out := wire.SiteOut(st.Site)
			out.Engine, out.Seen, out.Silent = st.Engine, st.Seen, now.Sub(st.Seen) > s.Silence
			out.Enclave = clusy.Enclave{ID: st.KeyID, Key: string(st.EnclaveKey)}
			out.Running = running[st.ID]
			items = append(items, out)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return page(items, "")
}

type syncIn struct {
	Site string `path:"site" maxLength:"64"`
	Body clusy.SyncRequest
}

// sync is an agent's call. It puts on record how things stand at the site and
// answers with what there is to do; if that is nothing, it waits for it.
func (s *Server) sync(ctx context.Context, in *syncIn) (*body[clusy.SyncAnswer], error) {
	caller, _ := wire.CallerOf(ctx)
	if caller.Site != in.Site {
		return nil, problem.Errorf(problem.NotFound, "This token is not for a site %q.", in.Site)
	}
	call, err := s.Hear(ctx, in.Site, in.Body)
	if err != nil {
		return nil, err
	}
	// An agent hangs up when it has news to tell: what it was to be asked is
	// asked in its next call.
	defer func() {
		if ctx.Err() != nil {
			s.relay.untake(in.Site)
		}
	}()

	// Nothing to say is worth waiting on: a long poll costs a goroutine, a
	// short one costs the agent's nights.
	deadline := time.NewTimer(time.Duration(in.Body.WaitSeconds * float64(time.Second)))
	defer deadline.Stop()
	for {
		changed, asked := s.Changed(), s.relay.wait(in.Site)
		looked := time.Now()
		something, err := call.Look(ctx)
		if err != nil {
			return nil, err
		}
		if something || in.Body.WaitSeconds == 0 {
			break
		}
		// Where others write all the time, looking takes a twentieth of it at most.
		again, err := news(ctx, deadline.C, asked, changed, 19*time.Since(looked))
		if err != nil {
			return nil, err
		}
		if !again {
			break
		}
	}
	answer, err := call.Answer(ctx)
	if err != nil {
		return nil, err
	}
	return ok(answer)
}

// news waits until there is something to look at again: a question at once, a
// change after a rest. It returns false when the time is over.
func news(ctx context.Context, over <-chan time.Time, asked, changed <-chan struct{}, rest time.Duration) (again bool, err error) {
	timer := time.NewTimer(rest)
	defer timer.Stop()
	for rested, new := false, false; !rested || !new; {
		select {
		case <-asked:
			return true, nil
		case <-changed:
			changed, new = nil, true
		case <-timer.C:
			rested = true
		case <-over:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return true, nil
}

type questionIn struct {
	Site string `path:"site" maxLength:"64"`
	Body clusy.Question
}

// answerWithin bounds how long a question waits for its site.
const answerWithin = 15 * time.Second

// question carries a question to the enclave behind a site and its sealed
// reply back. The server can read neither the names nor the logs in it.
func (s *Server) question(ctx context.Context, in *questionIn) (*body[clusy.Reply], error) {
	caller, _ := wire.CallerOf(ctx)
	q := in.Body
	var items []clusy.AskItem
	err := s.Store.View(ctx, caller.Tenant, func(tx TenantTx) error {
		for _, id := range q.Workloads {
			w, err := tx.Workload(id)
			if err != nil {
				return err
			}
			item := clusy.AskItem{Workload: id}
			if q.What == "names" {
				shape := wire.ShapeOut(w.Shape)
				item.Sealed, item.Shape = w.Sealed, &shape
			}
			items = append(items, item)
		}
		return nil
	})
	if err == nil {
		err = s.siteExists(ctx, in.Site)
	}
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	r, err := s.ask(ctx, caller.Tenant, in.Site, clusy.Ask{
		ID: s.NewID(), What: q.What, Items: items, Attempt: q.Attempt, Offset: q.Offset, Limit: q.Limit, Viewer: q.Viewer,
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, problem.Errorf(problem.Unready, "The enclave of site %s did not answer within %s.", in.Site, answerWithin)
	}
	if err != nil {
		return nil, err
	}
	return ok(r)
}

// siteExists refuses questions to sites that there are not: nobody would ever
// fetch them.
func (s *Server) siteExists(ctx context.Context, id string) error {
	return s.Store.ViewAll(ctx, func(tx SystemTx) error {
		stations, err := tx.Sites()
		if err == nil && !slices.ContainsFunc(stations, func(st plan.Station) bool { return st.ID == id }) {
			return problem.Errorf(problem.NotFound, "There is no site %q.", id)
		}
		return err
	})
}
