package workload

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/problem"
)

// Queue is whose share of its tenant some work takes. An admin sets it up; an
// intent names it.
type Queue struct {
	Tenant access.Tenant `json:"tenant,omitempty"`
	Name   string        `json:"name"`
	// Priority stands in for that of work that says none.
	Priority int `json:"priority"`
	// Weight is its part where several queues want the same room: of two, that
	// of weight 2 gets twice as much.
	Weight int `json:"weight"`
	// Guaranteed and Most are thousandths of what all sites have together.
	// Guaranteed is kept free of the tenant's other queues for ReserveAhead from
	// now; beyond Most nothing new of the queue is admitted.
	Guaranteed   int           `json:"guaranteed"`
	Most         int           `json:"most"`
	ReserveAhead time.Duration `json:"reserveAhead"`

	Rev     int64     `json:"-"`
	Changed time.Time `json:"-"`
}

const (
	// DefaultQueue is that of work that names none. It is there without being
	// set up, and then has the usual values.
	DefaultQueue = "default"
	// UsualPriority is what an intent carries that says no priority.
	UsualPriority = 50
	// UsualReserveAhead is how long guaranteed room is kept if nothing else is said.
	UsualReserveAhead = 24 * time.Hour

	MaxQueues  = 64 // of one tenant
	MaxWeight  = 1000
	wholeShare = 1000
)

// UsualQueue returns a queue in which nothing is set.
func UsualQueue(name string) Queue {
	return Queue{Name: name, Priority: UsualPriority, Weight: 1, Most: wholeShare, ReserveAhead: UsualReserveAhead}
}

// IsLabel reports whether s is a DNS label in lower case: what the names of
// queues and budgets are made of, so that they can stand in an address and say nothing else.
func IsLabel(s string) bool { return label(s, 63) }

// QueueOf returns the name of the queue that s is in.
func (s Shape) QueueOf() string {
	if s.Queue == "" {
		return DefaultQueue
	}
	return s.Queue
}

// Validate returns every rule that q breaks, by the JSON pointers of the wire.
func (q Queue) Validate() (vs []problem.Violation) {
	whole := func(pointer string, n, least, most int, nearest string) {
		if n < least || n > most {
			vs = append(vs, problem.Violation{Pointer: pointer, Value: fmt.Sprint(n), Limit: fmt.Sprintf("%d to %d", least, most), Nearest: nearest,
				Message: fmt.Sprintf("it must be from %d to %d", least, most)})
		}
	}
	if !IsLabel(q.Name) {
		vs = append(vs, problem.Violation{Pointer: "/name", Value: q.Name, Limit: "1 to 63 of a-z, 0-9 and -", Nearest: "nightly",
			Message: "a queue's name has lower-case letters, digits and hyphens, and begins and ends with a letter or digit"})
	}
	whole("/priority", q.Priority, 0, 100, fmt.Sprint(UsualPriority))
	whole("/weight", q.Weight, 1, MaxWeight, "1")
	whole("/guaranteed", q.Guaranteed, 0, wholeShare, "0")
	whole("/most", q.Most, 1, wholeShare, fmt.Sprint(wholeShare))
	if q.Guaranteed > q.Most {
		vs = append(vs, problem.Violation{Pointer: "/guaranteed", Value: fmt.Sprint(q.Guaranteed), Limit: fmt.Sprintf("at most %d", q.Most), Nearest: fmt.Sprint(q.Most),
			Message: "it is guaranteed more than it may take at most"})
	}
	if q.ReserveAhead < 0 || q.ReserveAhead > MaxWindow {
		vs = append(vs, problem.Violation{Pointer: "/reserveAheadSeconds", Value: q.ReserveAhead.String(), Limit: "0 to 400 days", Nearest: UsualReserveAhead.String(),
			Message: "guaranteed room can be kept for up to 400 days ahead"})
	}
	return vs
}
