package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// turn looks at what waits for other work: it ends what waits for what has ended
// without having succeeded, and returns a world in which only the others are
// open, and those of them whose turn has not come: they are offered to no site.
// A site that accepts an offer may start it without asking us again.
func (l *Loop) turn(ctx context.Context, w plan.World, now time.Time) (plan.World, map[string]bool, error) {
	open := map[string]workload.Workload{}
	for _, wl := range w.Open {
		open[wl.ID] = wl
	}
	// 1. How those have ended that are not open any more. That never changes, and
	// is kept as long as anybody waits for them.
	ended := map[string]workload.State{}
	var ask []string
	asked := map[string]bool{}
	for _, wl := range w.Open {
		for _, id := range wl.Shape.After {
			if _, is := open[id]; is {
				continue
			}
			if s, known := l.ended[id]; known {
				ended[id] = s
			} else if !asked[id] {
				ask, asked[id] = append(ask, id), true
			}
		}
	}
	if len(ask) > 0 {
		err := l.Store.View(ctx, func(tx Tx) error {
			for _, id := range ask {
				before, err := tx.Workload(id)
				if err != nil {
					return err
				}
				if before.State.Terminal() {
					ended[id] = before.State
				} // else it has come since we looked
			}
			return nil
		})
		if err != nil {
			return w, nil, err
		}
	}
	l.ended = ended

	// 2. Who waits, and who waits in vain: one after the other, as those end too.
	causes, waits := map[string]string{}, map[string]bool{}
	for more := true; more; {
		more = false
		for _, wl := range w.Open {
			if causes[wl.ID] != "" || !idle(wl.State) {
				continue
			}
			for _, id := range wl.Shape.After {
				s, over := ended[id]
				switch {
				case over && s != workload.Succeeded:
					causes[wl.ID] = fmt.Sprintf("after %s: %s", id, s)
				case causes[id] != "":
					causes[wl.ID] = fmt.Sprintf("after %s: %s", id, workload.Cancelled)
				case !over:
					waits[wl.ID] = true
				}
				if causes[wl.ID] != "" {
					more = true
					break
				}
			}
		}
	}
	if len(causes) == 0 {
		return w, waits, nil
	}
	var doomed []string
	for _, wl := range w.Open {
		if causes[wl.ID] != "" {
			doomed = append(doomed, wl.ID)
			waits[wl.ID] = true
		}
	}
	for ids := range slices.Chunk(doomed, atOnce) {
		err := l.Store.Update(ctx, func(tx Tx) error {
			if err := tx.CheckLead(lease, l.Epoch()); err != nil {
				return err
			}
			for _, id := range ids {
				if err := dismiss(tx, id, causes[id], now); err != nil {
					return fmt.Errorf("workload %s: %w", id, err)
				}
			}
			return nil
		})
		if err != nil {
			return w, waits, err
		}
	}
	w.Open = slices.DeleteFunc(slices.Clone(w.Open), func(wl workload.Workload) bool { return causes[wl.ID] != "" })
	return w, waits, nil
}

// idle reports whether the start right of a workload in s is with us.
func idle(s workload.State) bool {
	return s == workload.Accepted || s == workload.Planned || s == workload.Offered
}

// dismiss ends a workload that waits in vain.
func dismiss(tx Tx, id, cause string, now time.Time) error {
	w, err := tx.Workload(id)
	if err != nil || !idle(w.State) {
		return err
	}
	t := tx.For(w.Tenant)
	if w.State == workload.Offered {
		attempts, err := t.Attempts(id)
		if err != nil {
			return err
		}
		if a := attempts[len(attempts)-1]; a.State == workload.AttemptOffered {
			a.Cause = cause
			if err := t.MoveAttempt(&a, workload.AttemptRevoked, event(audit.AttemptMoved, now)); err != nil {
				return err
			}
		}
	}
	w.Cause, w.Wanted = cause, workload.WantNothing
	e := event(audit.WorkloadMoved, now)
	e.Detail = map[string]string{"cause": cause}
	if err := t.MoveWorkload(&w, workload.Cancelled, e); err != nil {
		return err
	}
	return t.DeletePlacement(id)
}

// heldUp says for whom a workload waits that has not ended in time for it, ""
// if for nobody.
func heldUp(w workload.Workload, open map[string]workload.Workload) string {
	for _, id := range w.Shape.After {
		if before, is := open[id]; is && idle(w.State) {
			if before.State == workload.Running || before.State == workload.Suspended {
				return "it waited for " + id + ", which took longer than booked"
			}
			return "it waited for " + id + ", which has not ended"
		}
	}
	return ""
}
