package audit

import "clusy.io/clusy/internal/access"

// Filter says which events a list holds.
type Filter struct {
	Workload string // only those of this workload and its attempts
	Object   string // only those whose object begins so
	After    int64  // only those after this index; -1: from the first
	Limit    int
}

// Leaf is one leaf of the log with what it commits to.
type Leaf struct {
	Index  int64
	Tenant access.Tenant
	Kind   Kind
	Leaf   []byte // what is hashed into the tree
	Salt   []byte
	Body   []byte // the event or ledger entry that Leaf commits to, as JSON
}

// Change says what a leaf is about, without what it says.
type Change struct {
	Index    int64
	Kind     Kind
	Object   string
	Workload string // "" if it is about none
	Leaf     []byte // no two leaves are equal: each commits to a salt of its own
}
