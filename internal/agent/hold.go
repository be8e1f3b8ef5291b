package agent

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/journal"
	"clusy.io/clusy/internal/workload"
)

// hold is one start right, or what is left of it. Each change of it is in the
// journal before anyone is told.
type hold struct {
	Workload string         `json:"workload"`
	N        int            `json:"n"`
	Grant    string         `json:"grant"`
	Epoch    int64          `json:"epoch"`
	State    holdState      `json:"state"`
	Shape    workload.Shape `json:"shape"`
	Sealed   []byte         `json:"sealed,omitempty"`
	Schedule timetable      `json:"schedule"`
	Stop     bool           `json:"stop,omitempty"`  // the owner wants it stopped
	Until    time.Time      `json:"until,omitzero"`  // a tombstone may be dropped then
	Cause    string         `json:"cause,omitempty"` // of a refusal or loss

	seen executor.Observation // last look at the engine; not journaled: the engine knows
}

// holdState is how far a hold has come.
type holdState string

const (
	accepted holdState = "accepted" // offered and taken; must not start yet
	refused  holdState = "refused"
	held     holdState = "held"     // confirmed; starts by itself
	started  holdState = "started"  // told to start: from now on the engine is asked
	ended    holdState = "ended"    // the engine has its end on record
	lost     holdState = "lost"     // the engine knows that nothing of it lives, and not how it ended
	released holdState = "released" // given back unstarted
	gone     holdState = "gone"     // a tombstone: never again
)

// tombstones outlive their workload's completeBy by this much, so that an
// order that was long under way finds one.
const tombstoneFor = 7 * 24 * time.Hour

func (h *hold) task() string {
	// The engine wants a DNS label of at most 63 characters.
	return fmt.Sprintf("clusy-%s-%d", strings.ReplaceAll(strings.TrimPrefix(h.Workload, "wl_"), "_", "-"), h.N)
}

// timetable is a schedule with the questions that the agent puts to it.
type timetable workload.Schedule

// open reports whether work that is unfinished is to run at now.
func (s timetable) open(now time.Time) bool {
	if !now.Before(s.Latest) {
		return true // no slack left: without a pause, whatever the spans say
	}
	for i, sp := range s.Spans {
		if !now.Before(sp.Start) && (now.Before(sp.End) || i == len(s.Spans)-1) {
			return true
		}
	}
	return false
}

// next returns the first instant after now at which open may change.
func (s timetable) next(now time.Time) (time.Time, bool) {
	var at time.Time
	consider := func(t time.Time) {
		if t.After(now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	consider(s.Latest)
	for _, sp := range s.Spans {
		consider(sp.Start)
		consider(sp.End)
	}
	return at, !at.IsZero()
}

// open reports whether the work of h, if it is unfinished, is to run at now: by
// its schedule, but never in a time that is denied to it. What cannot be
// suspended does not begin either if it may run into one.
func (h *hold) open(now time.Time) bool {
	until := now
	if !h.Shape.Interruptible.Allowed && h.State == held {
		until = now.Add(workload.Takes(h.shape().Duration.Booked(), h.Shape.Fastest()))
	}
	denied := slices.ContainsFunc(h.Shape.When.Deny, func(d workload.Span) bool {
		return now.Before(d.End) && (!now.Before(d.Start) || d.Start.Before(until))
	})
	return h.Schedule.open(now) && !denied
}

// shape is the work as it is on the kind of hardware that it goes on here.
func (h *hold) shape() workload.Shape { return h.Shape.On(h.Schedule.Way) }

// next returns the first instant after now at which open may change.
func (h *hold) next(now time.Time) (time.Time, bool) {
	at, ok := h.Schedule.next(now)
	for _, d := range h.Shape.When.Deny {
		for _, t := range []time.Time{d.Start, d.End} {
			if t.After(now) && (!ok || t.Before(at)) {
				at, ok = t, true
			}
		}
	}
	return at, ok
}

// note is one line of the journal: who this agent is, the highest epoch it has
// obeyed, or a hold as it now is.
type note struct {
	Incarnation string `json:"incarnation,omitempty"`
	MaxEpoch    int64  `json:"maxEpoch,omitempty"`
	Hold        *hold  `json:"hold,omitempty"`
}

// open reads the journal. An agent without one is a new incarnation.
func (a *Agent) open() error {
	book := a.Book
	if book == nil {
		book = func() (Book, [][]byte, error) { return journal.Open(a.Journal) }
	}
	j, lines, err := book()
	if err != nil {
		return fmt.Errorf("open the agent's journal: %w", err)
	}
	a.journal, a.holds, a.metered, a.changed = j, map[string]*hold{}, map[string]bool{}, make(chan struct{})
	for i, line := range lines {
		var n note
		if err := json.Unmarshal(line, &n); err != nil {
			return fmt.Errorf("read line %d of the agent's journal: %w", i, err)
		}
		if n.Incarnation != "" {
			a.incarnation = n.Incarnation
		}
		a.maxEpoch = max(a.maxEpoch, n.MaxEpoch)
		if n.Hold != nil {
			a.holds[n.Hold.Grant] = n.Hold
		}
	}
	a.records = len(lines)
	if a.incarnation == "" {
		var b [16]byte
		if a.Random == nil {
			a.Random = rand.Reader
		}
		if _, err := io.ReadFull(a.Random, b[:]); err != nil {
			return fmt.Errorf("name a new incarnation: %w", err)
		}
		a.incarnation = hex.EncodeToString(b[:])
		return a.write(note{Incarnation: a.incarnation})
	}
	return a.compact(a.Clock.Now())
}

// keep journals a hold. Until it returns nil, nobody may be told of the change.
func (a *Agent) keep(h *hold) error {
	return a.write(note{Hold: h})
}

func (a *Agent) write(ns ...note) error {
	lines := make([][]byte, len(ns))
	for i, n := range ns {
		b, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode a journal line: %w", err)
		}
		lines[i] = b
	}
	if err := a.journal.Append(lines...); err != nil {
		return fmt.Errorf("write the agent's journal: %w", err)
	}
	a.records += len(ns)
	return nil
}

// compact drops the tombstones that have served, and rewrites the journal when
// it is mostly history.
func (a *Agent) compact(now time.Time) error {
	for grant, h := range a.holds {
		if h.State == gone && now.After(h.Until) {
			delete(a.holds, grant)
		}
	}
	if a.records < 2*len(a.holds)+64 {
		return nil
	}
	ns := []note{{Incarnation: a.incarnation, MaxEpoch: a.maxEpoch}}
	for _, grant := range slices.Sorted(maps.Keys(a.holds)) {
		ns = append(ns, note{Hold: a.holds[grant]})
	}
	lines := make([][]byte, len(ns))
	for i, n := range ns {
		b, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode a journal line: %w", err)
		}
		lines[i] = b
	}
	if err := a.journal.Rewrite(lines); err != nil {
		return fmt.Errorf("compact the agent's journal: %w", err)
	}
	a.records = len(lines)
	return nil
}
