package workload

import (
	"slices"
	"time"
)

// History is what is known of how long the work of one class took: its newest
// runs, in the order in which they ended.
type History struct {
	Class string
	Runs  []Run
}

// Run is how long one attempt took.
type Run struct {
	At       time.Time     `json:"at"`     // when it ended
	Length   time.Duration `json:"length"` // useful running time: without suspensions and what resuming cost
	Killed   bool          `json:"killed,omitempty"`
	Declared time.Duration `json:"declared"` // the p95 that its owner had declared
	Site     string        `json:"site"`
	Way      int           `json:"way,omitempty"` // which of its shape's ways it went
}

const (
	// MaxClass is how many characters the name of a class has at most.
	MaxClass = 63
	// MostRuns is how many runs of a class are kept: the newest.
	MostRuns = 200
	// MostClasses is how many classes a tenant has at most; of the one that has
	// run least recently nothing is kept.
	MostClasses = 1000

	// leastRuns is how many runs must have ended of themselves before anything
	// is said of the next.
	leastRuns = 5
	// judgedRuns is how many of the newest runs say whether the declared p95 is
	// still true: so many that 1 in 20 can be told from 1 in 6, so few that a
	// class that was put right is forgiven soon.
	judgedRuns = 50
	// evidence is how likely it may be at most that runs as declared give what
	// was seen, before it is said that they are not.
	evidence = 0.01
)

// ValidClass reports whether s can be the name of a class: a DNS label, lower
// case letters, digits and -, in which nothing else can be said.
func ValidClass(s string) bool {
	return label(s, MaxClass)
}

// label reports whether s is lower-case letters, digits and inner hyphens, at
// most so many: nothing else can be said in it.
func label(s string, most int) bool {
	if s == "" || len(s) > most || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// killedAtMax is the cause of an attempt that was ended because it had run for
// its shape's Duration.Max (the executor's word).
const killedAtMax = "max-duration"

// RunOf returns what the end of attempt a tells of how long such work takes; ok
// is false if that is nothing. It tells it of work that succeeded, and at least
// so much of work that was killed at its maximum; how long it takes to fail
// says nothing of how long it takes. Of elastic work the running time is not
// its length, as it depends on the sizes at which it ran.
func RunOf(s Shape, a Attempt, way int) (r Run, ok bool) {
	killed := a.State == AttemptFailed && a.Cause == killedAtMax
	useful := a.Active - time.Duration(a.Suspensions)*s.Interruptible.Overhead
	if s.Class == "" || len(s.Elastic) > 0 || a.State != AttemptSucceeded && !killed || useful <= 0 || a.Ended.IsZero() {
		return Run{}, false
	}
	declared := s.Duration.P95
	if way > 0 && way <= len(s.Ways) {
		declared = s.Ways[way-1].Duration.P95
	}
	return Run{At: a.Ended, Length: useful, Killed: killed, Declared: declared, Site: a.Site, Way: way}, true
}

// With returns h and r besides, and of all of them the newest. It shares no
// memory with h.
func (h History) With(r Run) History {
	runs := append(slices.Clone(h.Runs), r)
	slices.SortStableFunc(runs, func(a, b Run) int { return a.At.Compare(b.At) })
	h.Runs = runs[max(0, len(runs)-MostRuns):]
	return h
}

// Rule is how a p95 was come by.
type Rule string

const (
	// RuleOrder: it is one of the runs, so far up that with 95 % confidence 19
	// of 20 runs are shorter, whatever the distribution of their lengths.
	RuleOrder Rule = "order-statistic"
	// RuleLongest: there are too few runs for that, or too many of them were
	// killed; it is the longest one and half as much again.
	RuleLongest Rule = "longest-and-half"
)

// Learned is what a history says of the next run.
type Learned struct {
	Runs    int           // that it rests on
	Killed  int           // of those: ended at their maximum, so that they would have taken longer
	Median  time.Duration // what to expect; 0: unknown
	P95     time.Duration // a cautious bound: 19 of 20 runs are shorter; 0: unknown
	Longest time.Duration
	Rule    Rule // "" if the bound is unknown
	Last    time.Time

	Judged  int  // of the newest runs: those that a declared p95 is held against
	Over    int  // of those: longer than it
	Drifted bool // so many that 19 of 20 are not shorter, with 99 % confidence
}

// Known reports whether enough is known to plan the next run by.
func (l Learned) Known() bool { return l.P95 > 0 }

// Learn says what the runs of h have in common, of those that went the shape's
// own way. The lengths are ordered, those that were killed after all others, as
// nobody knows how much longer they would have been. The median is the middle
// one, the later of two; the p95 the order statistic that the 0.95 quantile is not above with 95 %
// confidence, for which 59 runs are needed (see learnedRank).
func Learn(h History) (l Learned) {
	var runs []Run
	for _, r := range h.Runs {
		if r.Way == 0 {
			runs = append(runs, r)
		}
	}
	l.Runs = len(runs)
	judge(&l, runs)
	if len(runs) == 0 {
		return l
	}
	l.Last = runs[len(runs)-1].At
	var ended []time.Duration
	for _, r := range runs {
		l.Longest = max(l.Longest, r.Length)
		if r.Killed {
			l.Killed++
		} else {
			ended = append(ended, r.Length)
		}
	}
	slices.Sort(ended)
	if len(ended) < leastRuns || l.Killed*2 >= len(runs) {
		return l // the middle one is among those that nobody knows
	}
	l.Median = ended[len(runs)/2]
	if k := learnedRank(len(runs)); k > 0 && k <= len(ended) {
		l.P95, l.Rule = ended[k-1], RuleOrder
	} else {
		l.P95, l.Rule = l.Longest+l.Longest/2, RuleLongest
	}
	return l
}

// judge holds the newest runs against the p95 that was declared for each.
func judge(l *Learned, runs []Run) {
	for _, r := range runs[max(0, len(runs)-judgedRuns):] {
		if r.Declared <= 0 {
			continue
		}
		l.Judged++
		if r.Length > r.Declared || r.Killed {
			l.Over++
		}
	}
	l.Drifted = l.Over > 0 && atLeast(l.Over, l.Judged, 0.05) < evidence
}

// learnedRank returns which of n ordered lengths bounds their 0.95 quantile
// from above with 95 % confidence: the least k for which fewer than k of n runs
// are below the quantile with that probability, B(n, 0.95) <= k-1. It holds for
// every continuous distribution of independent runs (the textbooks' confidence
// interval of a quantile by order statistics, as in David and Nagaraja, Order
// Statistics, 7.1). It is 0 where even the longest of so few is no such bound:
// below 59, as 0.95^58 > 5 %.
func learnedRank(n int) int {
	// B(n, 0.95) <= k-1 is B(n, 0.05) >= n-k+1: runs above the quantile.
	above := 0 // of the runs may lie above the one that is taken
	for atLeast(above+1, n, 0.05) >= 0.95 {
		above++
	}
	return max(0, n-above+1) * min(above, 1)
}

// atLeast is the probability that at least k of n independent runs do what
// each does with probability p, 0 < p < 1. It is good to about 1e-15, and n is
// at most MostRuns.
func atLeast(k, n int, p float64) float64 {
	term := 1.0 // of exactly i
	for range n {
		term *= 1 - p
	}
	below := 0.0
	for i := range min(k, n+1) {
		below += term
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return max(0, 1-below)
}
