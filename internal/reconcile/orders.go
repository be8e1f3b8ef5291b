package reconcile

import (
	"context"
	"time"

	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Orders returns what there is to do at a site that stands as reported. It is
// computed from the record each time, so that an answer that is lost is given
// again; where site and record agree, there is nothing to say.
func (l *Loop) Orders(ctx context.Context, site string, reports []workload.Report, now time.Time) ([]workload.Order, error) {
	var orders []workload.Order
	err := l.Store.View(ctx, func(tx Tx) error {
		orders = nil
		known := map[string]bool{}
		for _, r := range reports {
			known[r.Grant] = true
			o, ok, err := orderFor(tx, site, r)
			if err != nil {
				return err
			}
			if ok {
				orders = append(orders, o)
			}
		}
		// Not the world: this is asked at every change, and must cost what the
		// site has in its hands.
		live, err := tx.LiveAttempts(site)
		if err != nil {
			return err
		}
		for _, a := range live {
			if known[a.Grant] || a.State != workload.AttemptOffered || now.After(a.Expires) {
				continue
			}
			o, ok, err := offer(tx, a)
			if err != nil {
				return err
			}
			if ok {
				orders = append(orders, o)
			}
		}
		return nil
	})
	return orders, err
}

func offer(tx Tx, a workload.Attempt) (workload.Order, bool, error) {
	w, err := tx.Workload(a.Workload)
	if err != nil {
		return workload.Order{}, false, err
	}
	p, placed, err := tx.For(w.Tenant).Placement(w.ID)
	if err != nil || !placed {
		return workload.Order{}, false, err
	}
	o := order(workload.Offer, a)
	o.Expires, o.Schedule = a.Expires, schedule(p)
	o.Shape, o.Sealed, o.Enclave = w.Shape, w.Sealed, w.Enclave
	return o, true, nil
}

// orderFor says what there is to do about one attempt that the site knows.
func orderFor(tx Tx, site string, r workload.Report) (workload.Order, bool, error) {
	w, a, err := find(tx, site, r)
	if err != nil {
		return workload.Order{}, false, err
	}
	none := workload.Order{}
	if a.Workload == "" {
		// We know of no such right. What has started is never forgotten: it
		// is evidence. The rest has nothing to stand on.
		if r.State == workload.ReportAccepted || r.State == workload.ReportRefused {
			return workload.Order{Verb: workload.Forget, Workload: r.Workload, N: r.N, Grant: r.Grant}, true, nil
		}
		return none, false, nil
	}
	switch a.State {
	case workload.AttemptRevoked, workload.AttemptReleased:
		return order(workload.Forget, a), true, nil
	case workload.AttemptSucceeded, workload.AttemptFailed, workload.AttemptStopped, workload.AttemptLost:
		return order(workload.Forget, a), r.Metered, nil
	case workload.AttemptOffered:
		return none, false, nil
	}
	switch {
	case w.Wanted == workload.WantCancel:
		return order(workload.Stop, a), true, nil
	case w.Wanted == workload.WantMove:
		return order(workload.Release, a), true, nil
	}
	p, placed, err := tx.For(w.Tenant).Placement(w.ID)
	if err != nil || !placed || p.Site != site {
		return none, false, err
	}
	o := order(workload.Keep, a)
	o.Schedule = schedule(p)
	if r.State == workload.ReportAccepted {
		o.Verb = workload.Confirm
		return o, true, nil
	}
	return o, o.Schedule.ID() != r.Schedule, nil
}

func order(v workload.Verb, a workload.Attempt) workload.Order {
	return workload.Order{Verb: v, Workload: a.Workload, N: a.N, Grant: a.Grant, Epoch: a.Epoch}
}

func schedule(p plan.Placement) workload.Schedule {
	s := workload.Schedule{Latest: p.Latest, Way: p.Way}
	for _, sp := range p.Spans {
		s.Spans = append(s.Spans, workload.Span(sp))
	}
	return s
}
