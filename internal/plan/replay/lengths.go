package replay

import (
	"math"
	"time"

	"clusy.io/clusy/internal/workload"
)

// Lengths says what the production planner is told of how long a job takes. What
// is measured is always the truth: a job runs for as long as it does.
type Lengths string

const (
	// LengthsTrue tells it exactly, as nobody can.
	LengthsTrue Lengths = "true"
	// LengthsLearned tells it what the jobs of the same class that have ended by
	// then, in this very replay or before it, have in common (workload.Learn). Where these are
	// too few, all that have ended count as one class; before these are enough,
	// the truth is told.
	LengthsLearned Lengths = "learned"
	// LengthsDeclared tells it what the job's owner had declared, if the trace
	// has that, and else the truth.
	LengthsDeclared Lengths = "declared"
)

// Told counts what the planner was told, by job.
type Told struct {
	Class    int // what was learned of the class
	All      int // what was learned of all jobs, as of the class too little was known
	Declared int
	Truth    int // as nothing else was known
	Over     int // ran longer than the p95 that was told, of those that were not told the truth
	Killed   int // ran longer than twice that: in production they would have been killed
}

// lessons is what has been learned so far in a replay.
type lessons struct {
	byClass map[string]workload.History
	all     workload.History
}

// ended learns from a job that has ended.
func (l *lessons) ended(class string, length time.Duration, at time.Time) {
	r := workload.Run{At: at, Length: length}
	if l.byClass == nil {
		l.byClass = map[string]workload.History{}
	}
	l.byClass[class] = l.byClass[class].With(r)
	l.all = l.all.With(r)
}

// tell returns the expected running time of a job and the p95 that the planner is
// told; ok is false if that is to be the truth.
func (r *rolling) tell(j *Job) (expected, p95 time.Duration, ok bool) {
	told := &r.out.Told
	switch {
	case r.o.Lengths == LengthsDeclared && j.Declared > 0:
		told.Declared++
		expected = time.Duration(j.Declared) * r.w.Slot
		p95 = expected
	case r.o.Lengths == LengthsLearned:
		if l := workload.Learn(r.learned.byClass[j.Class]); l.Known() {
			told.Class++
			expected, p95 = l.Median, l.P95
		} else if l := workload.Learn(r.learned.all); l.Known() {
			told.All++
			expected, p95 = l.Median, l.P95
		}
	}
	if expected == 0 {
		told.Truth++
		return 0, 0, false
	}
	// Slots are whole.
	up := func(d time.Duration) time.Duration {
		return time.Duration(math.Ceil(float64(d)/float64(r.w.Slot))) * r.w.Slot
	}
	expected, p95 = up(expected), up(p95)
	switch length := time.Duration(j.Length) * r.w.Slot; {
	case length > 2*p95:
		told.Over++
		told.Killed++
	case length > p95:
		told.Over++
	}
	return expected, p95, true
}
