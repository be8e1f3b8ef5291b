// Package workload is the control plane's side of an intent: its Shape (the
// part that may leave the enclave), the Workload record, its Attempts, and the
// table of legal moves between their states.
package workload

import (
	"time"

	"clusy.io/clusy/internal/grid"
)

// Shape is the part of an intent that may leave the enclave. It names no
// command, image, environment, label or person.
type Shape struct {
	Duration      Duration      `json:"duration"`
	Power         grid.Power    `json:"power"`       // mean draw while running
	PowerSource   string        `json:"powerSource"` // declared, hardware-table
	Demand        Resources     `json:"demand"`
	Interruptible Interruptible `json:"interruptible"`
	// Size is how many processes it is, that start together at one site: Demand
	// and Power are of all of them. 0 and 1 are one.
	Size int `json:"size,omitempty"`
	// Elastic are the sizes at which it can run besides the declared one, the
	// smallest first; none: it runs as declared.
	Elastic []Level `json:"elastic,omitempty"`
	// Ways are other kinds of hardware that it can run on, each with what it
	// takes there. The shape's own is the way 0, Ways[0] the way 1.
	Ways []Way `json:"ways,omitempty"`
	// Data is what must be where it runs before it can begin.
	Data Data `json:"data,omitzero"`
	// After are the workloads that must have succeeded before it starts.
	After []string `json:"after,omitempty"`
	Group string   `json:"group,omitempty"` // the one that it was submitted with
	Queue string   `json:"queue,omitempty"` // whose share of its tenant it takes
	// Class is what its owner calls work of this kind, in the clear as he wrote
	// it: how long such work takes is learned from those before it.
	Class     string    `json:"class,omitempty"`
	When      When      `json:"when"`
	Where     Where     `json:"where"`
	Objective Objective `json:"objective"`
	Policy    Policy    `json:"policy"`
}

// Duration is how long the work runs, without suspensions.
type Duration struct {
	Expected time.Duration `json:"expected"`
	P95      time.Duration `json:"p95"` // 19 of 20 runs are shorter
	Max      time.Duration `json:"max"` // killed after this much running time
}

// Booked returns the time that a plan keeps free for the work: its p95 and a
// tenth (RELIABILITY §4.3).
func (d Duration) Booked() time.Duration { return d.P95 + d.P95/10 }

// Resources is an amount of each thing that a site can run out of. In a
// demand, 0 means none is needed; in a capacity, Unlimited is said in so many
// words.
type Resources struct {
	CPU    int64      `json:"cpu"`    // thousandths of a core
	Memory int64      `json:"memory"` // mebibytes
	Power  grid.Power `json:"power"`
	Slots  int64      `json:"slots"` // workloads at once
	// GPUs are accelerators by type, in the order of the types, those that are
	// not there last. A demand has one type at most.
	GPUs [MostGPUs]GPU `json:"gpus,omitzero"`
}

// Unlimited in a capacity means that the site does not run out of it.
const Unlimited = 1<<63 - 1

// Plus returns a + b, each clamped at Unlimited.
func (a Resources) Plus(b Resources) Resources {
	return Resources{CPU: add(a.CPU, b.CPU), Memory: add(a.Memory, b.Memory), Power: grid.Power(add(int64(a.Power), int64(b.Power))), Slots: add(a.Slots, b.Slots), GPUs: cards(a.GPUs, b.GPUs)}
}

// Within reports whether a fits into c in every resource.
func (a Resources) Within(c Resources) bool {
	for _, g := range a.GPUs {
		if g.Count > c.Has(g.Type) {
			return false
		}
	}
	return a.CPU <= c.CPU && a.Memory <= c.Memory && a.Power <= c.Power && a.Slots <= c.Slots
}

func add(a, b int64) int64 {
	if s := a + b; s >= a {
		return s
	}
	return Unlimited
}

// Level is a size at which elastic work can run, against the declared one.
type Level struct {
	Size  int `json:"size"`  // thousandths of the declared demand and power
	Speed int `json:"speed"` // thousandths of the declared speed: useful work in running time
}

// Way is a kind of hardware and what the work takes on it.
type Way struct {
	Duration Duration   `json:"duration"`
	Power    grid.Power `json:"power"`
	Demand   Resources  `json:"demand"`
}

// Data is what a run reads that lies at one place, and must be brought to any
// other before the run begins.
type Data struct {
	Home string `json:"home,omitempty"` // a site, or a zone; "": it is everywhere
	MiB  int64  `json:"mebibytes,omitempty"`
	Mbit int64  `json:"megabitsPerSecond,omitempty"` // at which it is brought; 0: DefaultMbit
}

// GPU is a number of accelerators of one type.
type GPU struct {
	Type  string `json:"type,omitempty"` // as a100; "": none
	Count int64  `json:"count,omitempty"`
}

// MostGPUs is how many types of accelerator one site can have.
const MostGPUs = 4

// Interruptible says whether the work may be suspended, and what that costs.
type Interruptible struct {
	Allowed        bool          `json:"allowed"`
	Overhead       time.Duration `json:"overhead"` // running time lost at each resume
	MinRun         time.Duration `json:"minRun"`   // shortest run between two suspensions
	MaxSuspensions int           `json:"maxSuspensions"`
}

// When is the window of an intent.
type When struct {
	NotBefore  time.Time `json:"notBefore,omitzero"` // zero: at once
	CompleteBy time.Time `json:"completeBy"`
	// Deny are the times in which the work may not run: in order, apart from
	// each other, and known until DenyAhead past CompleteBy.
	Deny []Span `json:"deny,omitempty"`
}

const (
	// MaxDeny is how many times may be denied: one for each day of a year.
	MaxDeny = 366
	// DenyAhead is how far past completeBy the denied times are told, so that a
	// refusal can name a later completeBy that would do. Past it nobody knows.
	DenyAhead = 7 * 24 * time.Hour
)

// Where says which sites may run the work. A pattern is a site's id or its
// zone, in which * stands for any run of characters.
type Where struct {
	Allow  []string `json:"allow,omitempty"` // none: any site
	Prefer []string `json:"prefer,omitempty"`
}

// Minimize is what a plan makes small.
type Minimize string

const (
	MinimizeCarbon Minimize = "carbon"
	MinimizeCost   Minimize = "cost"
	MinimizeTime   Minimize = "time"
)

// Objective is what to make small and what not to exceed. Zero ceilings are
// no ceilings.
type Objective struct {
	Minimize      Minimize    `json:"minimize"`
	MinSaving     int         `json:"minSaving"` // thousandths: do not delay for less
	CarbonCeiling grid.Carbon `json:"carbonCeiling,omitempty"`
	CostCeiling   grid.Money  `json:"costCeiling,omitempty"`
	// CarbonPrice is what a tonne of CO2-equivalent is worth to the owner. With
	// it, whether carbon or cost is named, the two are added up: what is made
	// small is the cost and the carbon at this price.
	CarbonPrice grid.Money `json:"carbonPrice,omitempty"`
	Currency    string     `json:"currency,omitempty"` // of both
}

// MaxCarbonPrice is the highest price of carbon that is believed: 100,000 units
// of currency per tonne.
const MaxCarbonPrice grid.Money = 100_000_000_000

// Policy is how the work is to be treated.
type Policy struct {
	Promise    Promise    `json:"promise"`
	Priority   int        `json:"priority"`
	Retries    int        `json:"retries"`
	OnNoSignal OnNoSignal `json:"onNoSignal"`
	Baseline   Baseline   `json:"baseline"`
}

type (
	// Promise says what happens when a site falls silent (RELIABILITY §4.2).
	Promise string
	// OnNoSignal says what to do when no intensity is known at all.
	OnNoSignal string
	// Baseline is the rule for "what would have happened without us", fixed
	// before the run.
	Baseline string
)

const (
	Once    Promise = "once"
	RerunOK Promise = "rerun_ok"

	RunNow        OnNoSignal = "run-now"
	RunByDeadline OnNoSignal = "run-by-deadline"

	BaselineRunNow Baseline = "run-now"
)
