package workload

import "time"

// Filter says which workloads a list holds.
type Filter struct {
	States []State // none: all
	Group  string  // only its members, in the order of their ids; "": of any group, and of none
	After  Cursor  // the last one already seen; zero: from the start
	Newest bool    // the newest first
	Limit  int
}

// Cursor is a place in a list of workloads.
type Cursor struct {
	Created time.Time
	ID      string
}

// CursorOf returns the place of w.
func CursorOf(w Workload) Cursor { return Cursor{w.Created, w.ID} }

// Key is an idempotency key and what was submitted under it.
type Key struct {
	Key      string
	BodyHash []byte
	Workload string
	At       time.Time
}
