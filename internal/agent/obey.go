package agent

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// obey carries out an answer, if it is to the newest question.
func (a *Agent) obey(answer clusy.SyncAnswer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer.AnswerTo != a.seq {
		return nil // late or repeated: what it says may not be so any more
	}
	for _, m := range answer.Metered {
		a.metered[m] = true
	}
	if answer.Checkpoint != "" {
		a.checkpoint = answer.Checkpoint
	}
	var errs []error
	for _, wo := range answer.Orders {
		o := wire.OrderIn(wo)
		if err := a.order(o); err != nil {
			errs = append(errs, fmt.Errorf("%s %s/%d: %w", o.Verb, o.Workload, o.N, err))
		}
	}
	for _, ask := range answer.Asks {
		go a.reply(ask)
	}
	return errors.Join(errs...)
}

func (a *Agent) order(o workload.Order) error {
	h := a.holds[o.Grant]
	if o.Epoch < a.maxEpoch && o.Verb == workload.Offer {
		return fmt.Errorf("it comes from epoch %d, and %d has been obeyed", o.Epoch, a.maxEpoch)
	}
	if o.Verb == workload.Offer {
		if h != nil {
			return nil // on record, or a tombstone: never twice
		}
		return a.accept(o)
	}
	if h == nil {
		return nil // nothing here to do it to
	}
	switch o.Verb {
	case workload.Confirm:
		if h.State != accepted {
			return nil
		}
		h.Schedule = timetable(o.Schedule)
		return a.settle(h, held, "")
	case workload.Keep:
		if h.State != accepted && h.State != held && h.State != started {
			return nil
		}
		if h.State == accepted {
			return nil // only a confirmation hands over the right
		}
		before := h.Schedule
		if h.State == started && o.Schedule.Way != before.Way {
			return fmt.Errorf("it runs on its way %d, and cannot go over to way %d", before.Way, o.Schedule.Way)
		}
		h.Schedule = timetable(o.Schedule)
		if err := a.keep(h); err != nil {
			h.Schedule = before
			return err
		}
		a.tell()
		return nil
	case workload.Release:
		if h.State == accepted || h.State == held {
			return a.settle(h, released, "")
		}
		return nil // it has started: the report says so
	case workload.Stop:
		switch h.State {
		case accepted, held:
			return a.settle(h, released, "")
		case started:
			if h.Stop {
				return nil
			}
			h.Stop = true
			if err := a.keep(h); err != nil {
				h.Stop = false
				return err
			}
			a.tell()
		}
		return nil
	case workload.Forget:
		if h.State == started || h.State == held {
			return errors.New("it may still run: not forgotten")
		}
		maps.DeleteFunc(a.metered, func(id string, _ bool) bool {
			return strings.HasPrefix(id, fmt.Sprintf("%s/%d/", h.Workload, h.N))
		})
		delete(a.drawn, h.task())
		h.Sealed, h.Until = nil, h.Shape.When.CompleteBy.Add(tombstoneFor)
		return a.settle(h, gone, h.Cause)
	}
	return fmt.Errorf("there is no such order as %q", o.Verb)
}

// accept takes an offer that opens and fits, or refuses it with the reason.
// Either is in the journal before the server hears of it.
func (a *Agent) accept(o workload.Order) error {
	h := &hold{
		Workload: o.Workload, N: o.N, Grant: o.Grant, Epoch: o.Epoch, State: accepted,
		Shape: o.Shape, Sealed: o.Sealed, Schedule: timetable(o.Schedule),
	}
	if _, err := intent.Open(o.Sealed, a.Key, o.Shape); err != nil {
		h.State, h.Cause = refused, "the intent does not open here: "+err.Error()
	} else if len(o.Schedule.Spans) == 0 || o.Schedule.Latest.IsZero() {
		h.State, h.Cause = refused, "the offer has no schedule"
	} else if o.Shape.Size > 1 && len(a.Gang) == 0 {
		h.State, h.Cause = refused, "this site starts one process at a time, and the work is a gang"
	} else if way := o.Schedule.Way; way > len(o.Shape.Ways) {
		h.State, h.Cause = refused, fmt.Sprintf("the offer is for way %d, and the work has no more than %d", way, len(o.Shape.Ways))
	} else if !fits(o.Shape.On(way), o.Schedule.Spans, a.capacity()) {
		h.State, h.Cause = refused, "the work does not fit into this site"
	}
	if err := a.write(note{MaxEpoch: o.Epoch, Hold: h}); err != nil {
		return err
	}
	a.maxEpoch = max(a.maxEpoch, o.Epoch)
	a.holds[h.Grant] = h
	a.tell()
	return nil
}

func (a *Agent) capacity() workload.Resources {
	return wire.SiteIn(a.Site, a.Describe).Capacity
}

// unsent gives back the replies of a question whose answer never came.
func (a *Agent) unsent(q clusy.SyncRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.replies = append(q.Replies, a.replies...)
	if len(a.replies) > 100 {
		a.replies = a.replies[:100]
	}
}

// question says how things stand here.
func (a *Agent) question(now time.Time) clusy.SyncRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	q := clusy.SyncRequest{
		Incarnation: a.incarnation, Seq: a.seq, MaxEpoch: a.maxEpoch, Site: a.Describe,
		Reports: []clusy.AttemptReport{}, Meters: []clusy.Meter{}, Replies: a.replies, Checkpoint: a.checkpoint, WaitSeconds: a.Poll.Seconds(),
	}
	a.replies = nil
	a.report(&q, now)
	return q
}
