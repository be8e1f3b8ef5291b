package executor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wait is one answer of wait4.
type wait struct {
	pid    int
	status unix.WaitStatus
	at     time.Time
}

// waitAll tells of every child that stops, continues or ends, until there are
// none: while main lives there is one, and after its end the rest is killed.
func waitAll(to chan<- wait) {
	defer close(to)
	for {
		var w wait
		var err error
		w.pid, err = unix.Wait4(-1, &w.status, unix.WUNTRACED|unix.WCONTINUED|unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		w.at = time.Now()
		to <- w
	}
}

// goal is what the shim is about to bring the whole tree to.
type goal int

const (
	asItIs    goal = iota // reached, or none was set
	allStop               // every process stopped, main last
	allRun                // every process continued, main last
	allKilled             // nothing left
)

// watch sees the program to its end, with all that it has started, and returns
// the event of that end.
func (s *shim) watch() event {
	var end event
	ran := time.Duration(0)
	since := s.clock.from
	budget := time.NewTimer(time.Hour)
	budget.Stop()
	if s.spec.Max > 0 {
		budget.Reset(s.spec.Max)
	}
	beat := time.NewTicker(pulseEvery)
	defer beat.Stop()
	work := time.NewTimer(0) // there may be something to do already
	defer work.Stop()
	s.obey()
	for {
		select {
		case w, more := <-s.waits:
			if !more {
				return end
			}
			if w.pid != s.main.PID {
				break // an orphan that we adopted
			}
			switch {
			case w.status.Stopped() && !s.suspend:
				s.suspend = true
				ran += w.at.Sub(since)
				budget.Stop()
				s.note(event{Kind: stopped, At: s.clock.end(w.at)})
			case w.status.Continued() && s.suspend:
				s.suspend = false
				since = w.at
				if s.spec.Max > 0 && s.cause == "" {
					budget.Reset(max(0, s.spec.Max-ran))
				}
				s.clock.begin(w.at)
				s.note(event{Kind: continued, At: s.clock.now()})
			case w.status.Exited() || w.status.Signaled():
				// The task ends with its main process. What that has left
				// behind would run on unseen and unaccounted: it is killed.
				if !s.suspend {
					end.At = s.clock.end(w.at)
				} else {
					end.At = laterOf(s.clock.now(), w.at.UTC().Round(0))
				}
				end.Code, end.Signal = exitOf(w.status)
				s.aim(allKilled)
				s.main = identity{}
			}
		case <-budget.C:
			s.terminate("max-duration", s.spec.Grace)
		case sig := <-s.signals:
			s.heed(sig)
		case <-beat.C:
			_ = s.dir.beat(time.Now()) // it is older then, and says less
			_ = s.record.flush()       // said so when it was added
			s.obey()                   // a caller may have died between order and signal
		case <-work.C:
		}
		if s.want != asItIs {
			if !s.killAt.IsZero() && !time.Now().Before(s.killAt) {
				s.aim(allKilled)
			}
			s.pass()
			work.Reset(s.rest())
		} else if !s.killAt.IsZero() {
			if left := time.Until(s.killAt); left > 0 {
				work.Reset(left)
			} else {
				s.aim(allKilled)
				work.Reset(0)
			}
		}
	}
}

// rest is how long to leave the tree alone between two passes over it.
func (s *shim) rest() time.Duration {
	return min(time.Duration(s.passes)*time.Millisecond, 50*time.Millisecond)
}

func (s *shim) aim(g goal) {
	if s.want == allKilled || s.want == g {
		return
	}
	s.want, s.passes = g, 0
}

// heed does what a caller asks for by a signal.
func (s *shim) heed(sig os.Signal) {
	// Signals that wait together come in the order of their numbers, not of
	// their sending: so first what is in writing.
	s.obey()
	switch sig {
	case unix.SIGTERM:
		if s.cause == "" { // it is not from a caller: the machine goes down
			s.terminate(stopCause("the machine asked for it"), s.spec.Grace)
		}
	case unix.SIGUSR1, unix.SIGUSR2:
		if s.cause != "" || s.main == (identity{}) {
			return // it is ending, and may no longer be held up
		}
		if sig == unix.SIGUSR1 {
			s.aim(allStop)
		} else {
			s.aim(allRun)
		}
	}
}

// obey stops the task if a caller has ordered it, and sees to its size.
func (s *shim) obey() {
	s.resize()
	if o, ok := s.order(); ok {
		s.terminate(stopCause(o.Reason), o.Grace)
	}
}

// terminate asks the whole tree to end and has it killed after grace. The first
// cause stays; a later call can only shorten the grace.
func (s *shim) terminate(cause string, grace time.Duration) {
	if s.main == (identity{}) {
		return // it has ended by itself
	}
	at := time.Now().Add(grace)
	if s.cause != "" {
		if at.Before(s.killAt) {
			s.killAt = at
		}
		return
	}
	s.cause, s.killAt = cause, at
	// What is stopped takes a signal only when it goes on: so first the signal,
	// and then let them go on, straight into it.
	s.each(func(p proc) bool { return true }, unix.SIGTERM)
	s.aim(allRun)
}

// pass makes one pass over the tree towards the goal.
func (s *shim) pass() {
	s.passes++
	isMain := func(p proc) bool { return p.identity == s.main }
	switch s.want {
	case allStop:
		// Main comes last: while it runs, the task is seen to run, and a caller
		// does not take the half for the whole. But one that forks faster than
		// we stop has to be stopped before its children.
		n := s.each(func(p proc) bool { return !p.stopped() && !isMain(p) }, unix.SIGSTOP)
		if n == 0 || s.passes > 3 {
			n += s.each(func(p proc) bool { return !p.stopped() && isMain(p) }, unix.SIGSTOP)
		}
		if n == 0 {
			s.want = asItIs
		}
	case allRun:
		n := s.each(func(p proc) bool { return p.stopped() && !isMain(p) }, unix.SIGCONT)
		if n == 0 || s.passes > 3 {
			n += s.each(func(p proc) bool { return p.stopped() && isMain(p) }, unix.SIGCONT)
		}
		// A process that stops itself again and again does so by its own will.
		if n == 0 || s.passes > 100 {
			s.want = asItIs
		}
	case allKilled:
		s.each(func(p proc) bool { return true }, unix.SIGKILL)
	}
}

// each signals the living processes of the tree that are picked, and returns
// how many there were.
func (s *shim) each(pick func(proc) bool, sig unix.Signal) int {
	tree, err := descendants(s.me)
	if err != nil {
		fmt.Fprintln(os.Stderr, "processes:", err)
		return 1 // not done
	}
	n := 0
	for _, p := range tree {
		if p.gone() || !pick(p) {
			continue
		}
		n++
		if err := p.signal(sig); err != nil {
			fmt.Fprintln(os.Stderr, "processes:", err)
		}
	}
	return n
}

func exitOf(s unix.WaitStatus) (code int, signal string) {
	if s.Signaled() {
		return 128 + int(s.Signal()), unix.SignalName(s.Signal())
	}
	return s.ExitStatus(), ""
}
