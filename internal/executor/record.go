package executor

import (
	"encoding/json"
	"fmt"
	"time"
)

// event is one fact about a task's main process, as the shim saw it. The
// journal of them is all that a caller is told after the shim has gone.
type event struct {
	Seq  int       `json:"seq"` // from 1, so that one written twice counts once
	Kind eventKind `json:"kind"`
	At   time.Time `json:"at"`

	// Of started: which process it is.
	PID   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"`
	Boot  string `json:"boot,omitempty"`

	// Of started and scaled; 0 if it has one size only.
	Size int `json:"size,omitempty"`

	// Of exited.
	Code   int           `json:"code,omitempty"`
	Signal string        `json:"signal,omitempty"`
	Cause  string        `json:"cause,omitempty"` // of lost as well
	CPU    time.Duration `json:"cpu,omitempty"`
}

type eventKind string

const (
	started   eventKind = "started"   // its program runs: the exec has succeeded
	stopped   eventKind = "stopped"   // it makes no progress from here on
	continued eventKind = "continued" // and goes on from here
	scaled    eventKind = "scaled"    // its program has been told another size
	exited    eventKind = "exited"    // it has ended, or could not be started
	lost      eventKind = "lost"      // written by an observer: no shim, no process, no exit
)

// account is what the events of a task come to.
type account struct {
	Observation
	main  event // the started event, zero if there is none
	final bool  // nothing can be added
	seq   int
}

// fold adds up the records of a task. Phase is left at Starting while only a
// look at the engine can tell.
func fold(records [][]byte) (account, error) {
	a := account{Observation: Observation{Phase: Starting}}
	for _, r := range records {
		var e event
		if err := json.Unmarshal(r, &e); err != nil {
			return a, fmt.Errorf("record of a task: %w", err)
		}
		if e.Seq <= a.seq || a.final {
			continue
		}
		a.seq = e.Seq
		a.add(e)
	}
	return a, nil
}

func (a *account) add(e event) {
	switch e.Kind {
	case started:
		a.main, a.Started, a.Phase = e, e.At, Running
		a.Runs = append(a.Runs, Span{From: e.At})
		a.sized(e)
	case scaled:
		a.sized(e)
	case stopped:
		a.shut(e.At)
	case continued:
		if n := len(a.Runs); n > 0 && !a.Runs[n-1].To.IsZero() {
			a.Runs = append(a.Runs, Span{From: e.At})
		}
	case exited:
		a.shut(e.At)
		a.Phase, a.Ended, a.final = Ended, e.At, true
		a.ExitCode, a.Signal, a.Cause, a.CPU = e.Code, e.Signal, e.Cause, e.CPU
	case lost:
		a.shut(e.At)
		a.Phase, a.Cause, a.final = Lost, e.Cause, true
	}
}

func (a *account) sized(e event) {
	if e.Size > 0 {
		a.Sizes = append(a.Sizes, Sized{e.At, e.Size})
	}
}

// shut closes the open interval, if there is one.
func (a *account) shut(at time.Time) {
	n := len(a.Runs)
	if n == 0 || !a.Runs[n-1].To.IsZero() {
		return
	}
	if at.Before(a.Runs[n-1].From) {
		at = a.Runs[n-1].From
	}
	a.Runs[n-1].To = at
}
