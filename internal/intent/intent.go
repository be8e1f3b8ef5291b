// Package intent holds the customer's whole declaration: what to run, by when,
// where it may run and what it may cost. It reads intent files, splits off the
// Shape that may leave the enclave, and seals the rest; only the enclave rooms,
// and those that wire them, may import it.
package intent

import (
	"fmt"
	"log/slog"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

const (
	// APIVersion is the one version of the intent file that is read.
	APIVersion = "clusy.io/v1"
	// Kind is the one kind of document that is read.
	Kind = "Intent"
)

// Intent is the whole declaration, with every default filled in and every
// relative time made absolute. Metadata and Run are the sealed part: they print
// as dots, and only Marshal and Seal put them into bytes.
type Intent struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Metadata   Metadata           `json:"metadata"`
	Run        Run                `json:"run"`
	Shape      Shape              `json:"shape"`
	Data       workload.Data      `json:"data,omitzero"`
	When       workload.When      `json:"when"` // whole seconds; maxDelay has become completeBy
	Where      workload.Where     `json:"where"`
	Objective  workload.Objective `json:"objective"`
	Policy     workload.Policy    `json:"policy"`
	// Queue is the one whose share it takes, "" for the default one. It is
	// disclosed: an admin has set it up on the server.
	Queue string `json:"queue,omitempty"`
	// After is what must have succeeded before: "#2" is the third intent of its
	// group, anything else the id of a workload that there is.
	After []string `json:"after,omitempty"`
}

// Metadata is how the customer calls the work. It is sealed.
type Metadata struct {
	Name           string            `json:"name"`
	Labels         map[string]string `json:"labels,omitempty"`
	IdempotencyKey string            `json:"idempotencyKey,omitempty"`
}

// Run is what to run. It is sealed.
type Run struct {
	// Exec is the program and its arguments. In a file it may also be one
	// string, which becomes sh -c STRING.
	Exec []string `json:"exec"`
	// Env is added to the environment that the agent gives to every process.
	Env map[string]string `json:"env,omitempty"`
	// Dir is an absolute path on the site; "" leaves the choice to the agent.
	Dir string `json:"dir,omitempty"`
	// Grace is the time between asking the work to end and killing it.
	Grace time.Duration `json:"grace"`
}

// Shape is the declared size of the work, exact; Blind rounds it.
type Shape struct {
	Duration      workload.Duration      `json:"duration"`        // with what was learned filled in
	Class         string                 `json:"class,omitempty"` // disclosed as it is
	Power         grid.Power             `json:"power"`
	PowerSource   string                 `json:"powerSource"` // PowerDeclared or PowerFromTable
	Resources     Resources              `json:"resources"`
	Interruptible workload.Interruptible `json:"interruptible"`
	Gang          int                    `json:"gang,omitempty"` // processes that start together; 0 is one. All else is of one of them
	Alternatives  []Alternative          `json:"alternatives,omitempty"`
	Elastic       []workload.Level       `json:"elastic,omitempty"`
}

// Alternative is another kind of hardware and what the work takes on it.
type Alternative struct {
	Duration  workload.Duration `json:"duration"`
	Power     grid.Power        `json:"power"`
	Resources Resources         `json:"resources"`
}

// Resources is what one run occupies.
type Resources struct {
	CPU    int64 `json:"cpu"`    // thousandths of a core
	Memory int64 `json:"memory"` // mebibytes; 0: none is set aside

	GPUs workload.GPU `json:"gpus,omitzero"` // accelerators, of one type
}

const (
	// PowerDeclared marks a power that the customer stated, itself or as energy.
	PowerDeclared = "declared"
	// PowerFromTable marks a power that was taken from the hardware table as
	// nothing was stated: PowerPerCore for each core.
	PowerFromTable = "hardware-table"
)

// What an intent means where it says nothing.
const (
	DefaultGrace          = 10 * time.Second
	DefaultCPU            = 1000   // one core
	PowerPerCore          = 10_000 // milliwatts: a busy server core with its share of memory and board
	DefaultPriority       = 50     // the middle of 0 to 100
	DefaultOverhead       = 10 * time.Second
	DefaultMinRun         = 10 * time.Minute // never more than the expected duration
	DefaultMaxSuspensions = 4
	defaultMaxFactor      = 2 // duration.max, in expected durations
)

// What an intent may ask for at most. They stop mistakes of unit and bombs, not
// large work; a tenant's own limits are the server's.
const (
	MaxBytes       = 256 << 10 // of a file
	MaxDuration    = 90 * 24 * time.Hour
	MaxHorizon     = 366 * 24 * time.Hour // completeBy, from now
	MaxPower       = 10_000_000 * grid.Watt
	MaxCPU         = 100_000 * 1000 // thousandths of a core
	MaxMemory      = 64 << 20       // mebibytes
	MaxGrace       = 10 * time.Minute
	MaxRetries     = 10
	MaxSuspensions = 100
	MaxPatterns    = 32
	maxPattern     = 128
	maxArgs        = 1024
	maxEnv         = 256
	maxLabels      = 64
	maxText        = 253 // characters of a name, a label or an idempotency key
	maxDir         = 4096
)

const dots = "•••"

// The sealed part prints as dots in every verb, in slog and in JSON: an intent
// in a log line by mistake gives away only that there was one.

func (Intent) LogValue() slog.Value           { return slog.StringValue(dots) }
func (Metadata) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(dots)) }
func (Metadata) LogValue() slog.Value         { return slog.StringValue(dots) }
func (Metadata) MarshalJSON() ([]byte, error) { return []byte(`"` + dots + `"`), nil }
func (Run) Format(f fmt.State, _ rune)        { _, _ = f.Write([]byte(dots)) }
func (Run) LogValue() slog.Value              { return slog.StringValue(dots) }
func (Run) MarshalJSON() ([]byte, error)      { return []byte(`"` + dots + `"`), nil }
