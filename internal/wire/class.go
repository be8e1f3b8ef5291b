package wire

import (
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/workload"
)

// ClassOut writes what is known of how long the work of a class takes.
func ClassOut(h workload.History) clusy.Class {
	l := workload.Learn(h)
	return clusy.Class{
		Class: h.Class, Runs: l.Runs, Killed: l.Killed, Median: secondsOf(l.Median), P95: secondsOf(l.P95), Longest: secondsOf(l.Longest),
		Rule: string(l.Rule), Last: l.Last, Judged: l.Judged, Over: l.Over, Drifted: l.Drifted,
	}
}

// ClassRunsOut writes its runs, the newest last.
func ClassRunsOut(h workload.History) []clusy.ClassRun {
	out := make([]clusy.ClassRun, 0, len(h.Runs))
	for _, r := range h.Runs {
		out = append(out, clusy.ClassRun{At: r.At, Length: r.Length.Seconds(), Killed: r.Killed, Declared: r.Declared.Seconds(), Site: r.Site, Way: r.Way})
	}
	return out
}

// secondsOf writes a length of time, nil if it is unknown.
func secondsOf(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := d.Seconds()
	return &s
}
