package sim

import "time"

// clock is the time of a simulation: true, and the server's own.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// watch is what the agent of a site reads the time from: it may go wrong.
type watch struct {
	clock *clock
	off   time.Duration // what it shows too much
}

func (w *watch) Now() time.Time { return w.At(w.clock.now) }

func (w *watch) At(real time.Time) time.Time {
	return real.Add(w.off).UTC().Truncate(time.Microsecond)
}

func (w *watch) Rate() float64 { return 1 }
