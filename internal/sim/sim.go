// Package sim runs all of Clusy in one process, on a seed and a clock of its
// own: the real control loop, doors, store, planner, ledger and agents. Only
// the machines, the wires between them and the grid are made up. One thread
// takes one event after the other and nothing in it waits, so the same seed
// gives the same record, byte for byte, and a week passes in seconds.
//
// What came of it is held against the promises of RELIABILITY §7 by one set of
// functions (invariants.go) that look at tables, log, and what really ran.
package sim

import (
	"time"

	"clusy.io/clusy/internal/grid"
)

// Config is a world and what is to happen in it.
type Config struct {
	Seed  uint64
	Start time.Time // of the first day, UTC
	Sites []Site
	Jobs  []Job
	// Grid is what came to pass in each zone of a site: hourly intensities,
	// each known when its hour is over. Forecasts are made of that alone.
	Grid   map[grid.Zone]grid.Series
	Faults Faults
	// Step is the length of a slot of the plans, and the longest time between
	// two looks of the control loop. 0: five minutes, as the server has it.
	Step time.Duration
	// Check holds everything against the promises after every so many events
	// of the log; 0: at the end alone.
	Check int
}

// Site is a place with an agent, and an engine that runs what it is told.
type Site struct {
	ID   string
	Zone grid.Zone
	CPUs float64
	PUE  float64 // below 1: 1
}

// Job is what somebody will submit, and what it really is.
type Job struct {
	ID       string
	Arrive   time.Time
	Declared time.Duration // how long its owner says that it takes
	Length   time.Duration // how long it really takes
	CPUs     float64
	Watts    float64
	Window   time.Duration // from its arrival until it must be complete
	Pauses   bool
	Home     int  // the site that it would have been sent to
	Movable  bool // false: it may run there alone
	Exit     int
}

// Names of things that a simulation has one of.
const (
	tenant = "default"
	origin = "clusy.io/log/sim"
)

// Times that the house runs by. A simulation keeps them, so that what it shows
// holds for the server.
const (
	offerFor = 90 * time.Second
	silence  = 2 * time.Minute
	patience = 24 * time.Hour
	horizon  = 72 * time.Hour
	margin   = time.Minute
	slot     = 5 * time.Minute

	// beat is how long a question waits at the server until it is answered with
	// nothing. Idle questions are asked only when somebody is about to look
	// whether they came: there are thousands a day, and nothing else notices.
	beat = 25 * time.Second
	// wireTime is how long a message takes where nothing is wrong.
	wireTime = 5 * time.Millisecond
	// rest is how long the server waits after a change until it looks again for
	// something to answer, settle how long until the control loop goes around.
	rest   = 50 * time.Millisecond
	settle = 5 * time.Second
	// glance is how often an agent looks at its engine: so much later than it
	// ended is it known that something did.
	glance = time.Second
	// polls is the time between two looks at the signals.
	polls = 10 * time.Minute
	// overhead is the running time that work loses each time it is resumed.
	overhead = 10 * time.Second
	// over is how long after the last job is due a simulation gives up waiting
	// for the rest: longer than an hour waits for its measured intensity.
	over = patience + 24*time.Hour
)
