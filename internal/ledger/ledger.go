// Package ledger is carbon accounting: what each attempt drew and emitted hour
// by hour, what the baseline run would have emitted, and the signed difference.
// Account makes an entry from its inputs; Recompute makes it again from the
// entry itself, so that anyone can check it without us.
package ledger

import (
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Method names the rules by which entries are made. A change of rule is a new
// name: old entries stay checkable by the old rule.
const Method = "clusy.io/attempt-hour/v1"

// Source says how energy came to be known.
type Source string

const (
	RAPL     Source = "rapl"     // measured by the processor
	Declared Source = "declared" // modelled: the shape's own power
	Table    Source = "table"    // modelled: the hardware table
)

// Meter is what an agent reports of one attempt in one hour of UTC.
type Meter struct {
	Workload string        `json:"workload"`
	Attempt  int           `json:"attempt"`
	Tenant   access.Tenant `json:"tenant"`
	Site     string        `json:"site"`
	Hour     time.Time     `json:"hour"`   // start of the hour
	Runs     []Run         `json:"runs"`   // in order, apart, within the hour
	Before   time.Duration `json:"before"` // running time of this workload before this hour, earlier attempts included; of elastic work, at its declared size
	Energy   grid.Energy   `json:"energy"` // of the machine, without PUE, spread evenly over Runs, by their size
	Source   Source        `json:"source"`
}

// Run is a time [From, To) in which the attempt ran.
type Run struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Of elastic work: at which size it ran and how fast, in thousandths of the
	// declared ones; both 0: as declared.
	Size  int `json:"size,omitempty"`
	Speed int `json:"speed,omitempty"`
}

// Use is energy drawn while one intensity held, and the carbon of it.
type Use struct {
	From      time.Time       `json:"from"`
	To        time.Time       `json:"to"`
	Energy    grid.Energy     `json:"energy"` // of the facility: with PUE
	Intensity grid.Intensity  `json:"intensity"`
	Carbon    grid.Carbon     `json:"carbon"`
	Signal    grid.Provenance `json:"signal"`
}

// Entry is one line of the ledger: one attempt in one hour.
type Entry struct {
	Method  string      `json:"method"`
	Meter   Meter       `json:"meter"`
	Zone    grid.Zone   `json:"zone"`
	PUE     int64       `json:"pue"` // thousandths
	Uses    []Use       `json:"uses"`
	Emitted grid.Carbon `json:"emitted"` // location-based: Σ Uses
	Grade   grid.Grade  `json:"grade"`   // the worst of all values used

	Baseline workload.Counterfactual `json:"baseline"`
	Instead  []Use                   `json:"instead"` // the same work under the baseline
	Avoided  grid.Carbon             `json:"avoided"` // Σ Instead
	Saved    grid.Carbon             `json:"saved"`   // Avoided − Emitted; may be negative
	Claimed  bool                    `json:"claimed"` // false where the grade is too weak to claim a saving
	Booked   time.Time               `json:"booked"`

	// Restates says which earlier entry of the same hour this one takes the
	// place of; nil: none.
	Restates *Restatement `json:"restates,omitempty"`
}
