package agent

import (
	"time"

	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/grid"
)

// Gauge reads what the machine as a whole has drawn and worked so far.
type Gauge interface {
	// Energy returns microjoules, which only grow; false if they cannot be read.
	Energy() (microjoules uint64, ok bool)
	// Busy returns the processor time of all its processors; false likewise.
	Busy() (time.Duration, bool)
}

// measured is what the gauge has shown of one task in one hour. It is memory
// only: after a crash the hour is short of it, and is modelled instead.
type measured struct {
	micro   uint64        // microjoules
	covered time.Duration // of the time in which the task ran
}

// reading is one look at everything that energy is shared out by.
type reading struct {
	at     time.Time
	energy uint64
	busy   time.Duration
	cpu    map[string]time.Duration // by task, of those that run
}

// enough is the share of an hour's running time, in percent, that must have
// been measured for the hour to count as measured.
const enough = 98

// measure shares out what the machine has drawn since the last look among the
// tasks that ran, by their processor time: a lower bound of what they caused,
// as an idle machine's draw is shared out only with the work.
func (a *Agent) measure(now time.Time) {
	if a.Gauge == nil || a.Clock.Rate() != 1 {
		return // a replay's hours pass in seconds: what is drawn then is not theirs
	}
	energy, ok1 := a.Gauge.Energy()
	busy, ok2 := a.Gauge.Busy()
	next := reading{at: now, energy: energy, busy: busy, cpu: map[string]time.Duration{}}
	for _, h := range a.holds {
		if h.State == started && h.seen.Phase == executor.Running {
			next.cpu[h.task()] = h.seen.CPU
		}
	}
	last := a.reading
	a.reading = next
	if !ok1 || !ok2 {
		a.reading = reading{} // the next look begins anew
		return
	}
	if last.cpu == nil || next.energy < last.energy || !next.at.After(last.at) {
		return
	}
	for task, cpu := range next.cpu {
		before, ran := last.cpu[task]
		if !ran {
			continue // it began in between: this piece is not covered
		}
		if micro, ok := executor.Share(next.energy-last.energy, cpu-before, next.busy-last.busy); ok {
			a.book(task, last.at, next.at, micro)
		}
	}
}

// book adds a measurement to the hours that it lies in, by time.
func (a *Agent) book(task string, from, to time.Time, micro uint64) {
	if a.drawn == nil {
		a.drawn = map[string]map[time.Time]measured{}
	}
	if a.drawn[task] == nil {
		a.drawn[task] = map[time.Time]measured{}
	}
	whole := to.Sub(from)
	for t := from; t.Before(to); {
		hour := t.Truncate(time.Hour)
		end := hour.Add(time.Hour)
		if to.Before(end) {
			end = to
		}
		m := a.drawn[task][hour]
		m.micro += uint64(float64(micro) * float64(end.Sub(t)) / float64(whole))
		m.covered += end.Sub(t)
		a.drawn[task][hour] = m
		t = end
	}
}

// gauged returns what was measured of a task in an hour in which it ran for
// active; ok is false if too little of it was.
func (a *Agent) gauged(task string, hour time.Time, active time.Duration) (grid.Energy, bool) {
	m, seen := a.drawn[task][hour]
	if !seen || m.covered*100 < active*enough {
		return 0, false
	}
	return grid.Energy((m.micro + 999_999) / 1_000_000), true
}
