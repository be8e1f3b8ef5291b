package workload

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var day = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// ran returns a history of runs that took so many minutes each.
func ran(minutes ...int) History {
	h := History{Class: "c"}
	for i, m := range minutes {
		h.Runs = append(h.Runs, Run{At: day.Add(time.Duration(i) * time.Hour), Length: time.Duration(m) * time.Minute, Declared: 24 * time.Hour})
	}
	return h
}

func upTo(n int) (minutes []int) {
	for i := range n {
		minutes = append(minutes, i+1)
	}
	return minutes
}

func TestValidClass(t *testing.T) {
	for s, want := range map[string]bool{"a": true, "nightly-train": true, "3d": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "A": false, "a b": false, "a.b": false, "ä": false, "a\n": false, strings.Repeat("a", 64): false} {
		if ValidClass(s) != want {
			t.Errorf("%q is a class: %v", s, !want)
		}
	}
}

// What the next run will take is unknown until five have ended of themselves.
func TestLearn(t *testing.T) {
	for _, c := range []struct {
		minutes     []int
		median, p95 int
		rule        Rule
	}{
		{nil, 0, 0, ""},
		{upTo(4), 0, 0, ""},
		{[]int{30, 10, 20, 50, 40}, 30, 75, RuleLongest},
		{upTo(58), 30, 87, RuleLongest},
		{upTo(59), 30, 59, RuleOrder},
		{upTo(92), 47, 92, RuleOrder},
		{upTo(93), 47, 92, RuleOrder}, // the first that may leave one above
		{upTo(200), 101, 196, RuleOrder},
	} {
		l := Learn(ran(c.minutes...))
		if l.Runs != len(c.minutes) || l.Median != time.Duration(c.median)*time.Minute || l.P95 != time.Duration(c.p95)*time.Minute || l.Rule != c.rule || l.Known() != (c.p95 > 0) {
			t.Errorf("%d runs: %+v, want %d and %d by %q", len(c.minutes), l, c.median, c.p95, c.rule)
		}
	}
	h := ran(upTo(59)...)
	if l := Learn(h); !l.Last.Equal(day.Add(58*time.Hour)) || l.Longest != 59*time.Minute || l.Killed != 0 {
		t.Errorf("%+v", l)
	}
	// Another way is other hardware, and takes another time.
	for i := range h.Runs {
		h.Runs[i].Way = i % 2
	}
	if l := Learn(h); l.Runs != 30 || l.Rule != RuleLongest {
		t.Errorf("of two ways: %+v", l)
	}
}

// A run that was killed would have been longer, nobody knows how much: it counts
// as longer than all others, and is never the bound itself.
func TestLearnOfKilled(t *testing.T) {
	kill := func(h History, n int) History {
		for i := range n {
			h.Runs[i].Killed = true
		}
		return h
	}
	// The three shortest of 200 would have been the longest: the 196th is the
	// next but one to the last that ended of itself.
	l := Learn(kill(ran(upTo(200)...), 3))
	if l.Killed != 3 || l.Median != 104*time.Minute || l.P95 != 199*time.Minute || l.Rule != RuleOrder {
		t.Errorf("3 of 200 killed: %+v", l)
	}
	if l = Learn(kill(ran(upTo(200)...), 5)); l.P95 != 300*time.Minute || l.Rule != RuleLongest {
		t.Errorf("5 of 200 killed: %+v", l)
	}
	if l = Learn(kill(ran(upTo(20)...), 10)); l.Known() || l.Median != 0 {
		t.Errorf("half of them killed: %+v", l)
	}
	if l = Learn(kill(ran(upTo(9)...), 5)); l.Known() {
		t.Errorf("four ended: %+v", l)
	}
}

func TestRunOf(t *testing.T) {
	s := Shape{Class: "c", Duration: Duration{Expected: time.Hour, P95: 2 * time.Hour, Max: 3 * time.Hour}, Interruptible: Interruptible{Allowed: true, Overhead: time.Minute}}
	a := Attempt{State: AttemptSucceeded, Ended: day, Active: time.Hour, Suspensions: 2, Site: "berlin"}
	r, ok := RunOf(s, a, 0)
	if want := (Run{At: day, Length: 58 * time.Minute, Declared: 2 * time.Hour, Site: "berlin"}); !ok || r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
	killed := a
	killed.State, killed.Cause = AttemptFailed, "max-duration"
	if r, ok := RunOf(s, killed, 0); !ok || !r.Killed {
		t.Errorf("killed: %+v, %v", r, ok)
	}
	ways := s
	ways.Ways = []Way{{Duration: Duration{P95: 5 * time.Hour}}}
	if r, ok := RunOf(ways, a, 1); !ok || r.Way != 1 || r.Declared != 5*time.Hour {
		t.Errorf("the other way: %+v, %v", r, ok)
	}
	for what, change := range map[string]func(*Shape, *Attempt){
		"no class":     func(s *Shape, _ *Attempt) { s.Class = "" },
		"elastic":      func(s *Shape, _ *Attempt) { s.Elastic = []Level{{Size: 500, Speed: 600}} },
		"failed":       func(_ *Shape, a *Attempt) { a.State, a.Cause = AttemptFailed, "" },
		"stopped":      func(_ *Shape, a *Attempt) { a.State, a.Cause = AttemptStopped, "max-duration" },
		"lost":         func(_ *Shape, a *Attempt) { a.State = AttemptLost },
		"no time":      func(_ *Shape, a *Attempt) { a.Active = 2 * time.Minute },
		"nobody knows": func(_ *Shape, a *Attempt) { a.Ended = time.Time{} },
	} {
		s, a := s, a
		change(&s, &a)
		if r, ok := RunOf(s, a, 0); ok {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

// A history keeps the newest, in the order of their ends, and shares no memory.
func TestHistoryWith(t *testing.T) {
	h := ran(upTo(MostRuns)...)
	before := slices.Clone(h.Runs)
	next := h.With(Run{At: day.Add(90 * time.Minute), Length: time.Second})
	if len(next.Runs) != MostRuns || !next.Runs[0].At.Equal(day.Add(time.Hour)) || next.Runs[1].Length != time.Second {
		t.Errorf("%d runs, the first %+v, then %+v", len(next.Runs), next.Runs[0], next.Runs[1])
	}
	if !slices.Equal(before, h.Runs) {
		t.Error("a run more changes the history that was")
	}
}

// The p95 that was declared is true until it is exceeded by more than chance.
func TestDrift(t *testing.T) {
	over := func(of, n int) Learned {
		h := ran(upTo(of)...)
		for i := range n {
			h.Runs[len(h.Runs)-1-i].Declared = time.Second
		}
		return Learn(h)
	}
	for _, c := range []struct {
		of, n   int
		drifted bool
	}{{3, 0, false}, {5, 2, false}, {5, 3, true}, {20, 4, false}, {20, 5, true}, {50, 7, false}, {50, 8, true}, {200, 7, false}, {200, 8, true}} {
		if l := over(c.of, c.n); l.Drifted != c.drifted || l.Over != c.n || l.Judged != min(c.of, judgedRuns) {
			t.Errorf("%d of %d are longer than declared: %+v", c.n, c.of, l)
		}
	}
	// What is long ago is forgiven, what nobody declared is not judged, and a
	// run that was killed is longer than its p95 by its maximum.
	h := ran(upTo(100)...)
	for i := range 50 {
		h.Runs[i].Declared = time.Second
	}
	if l := Learn(h); l.Over != 0 || l.Drifted {
		t.Errorf("long ago: %+v", l)
	}
	h = ran(upTo(6)...)
	for i := range 3 {
		h.Runs[i].Declared = 0
		h.Runs[i+3].Killed = true
	}
	if l := Learn(h); l.Judged != 3 || l.Over != 3 || !l.Drifted {
		t.Errorf("killed: %+v", l)
	}
}

// The tail is that of the binomial: against a sum of exact terms.
func TestAtLeast(t *testing.T) {
	for _, n := range []int{0, 1, 5, 59, 200} {
		for k := range n + 2 {
			want := 0.0
			for i := k; i <= n; i++ {
				a, _ := math.Lgamma(float64(n + 1))
				b, _ := math.Lgamma(float64(i + 1))
				c, _ := math.Lgamma(float64(n - i + 1))
				want += math.Exp(a - b - c + float64(i)*math.Log(0.05) + float64(n-i)*math.Log(0.95))
			}
			if got := atLeast(k, n, 0.05); math.Abs(got-want) > 1e-12 {
				t.Errorf("at least %d of %d: %g, want %g", k, n, got, want)
			}
		}
	}
}

// Whatever the lengths are like, the bound is above the true 0.95 quantile 19
// times in 20 (by more than that where the ranks do not come out even), and not
// by much more.
func TestLearnedBoundHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 3))
	draws := map[string]struct {
		quantile func(p float64) float64
	}{
		"uniform":     {func(p float64) float64 { return 1 + p }},
		"exponential": {func(p float64) float64 { return -math.Log(1 - p) }},
		"heavy":       {func(p float64) float64 { return math.Pow(1-p, -1.0) }},
	}
	const worlds = 600
	for name, d := range draws {
		for _, n := range []int{59, 120, 200} {
			held := 0
			for range worlds {
				h := History{Class: "c"}
				for i := range n {
					h.Runs = append(h.Runs, Run{At: day.Add(time.Duration(i)), Length: time.Duration(d.quantile(r.Float64()) * float64(time.Hour))})
				}
				if l := Learn(h); l.P95.Hours() >= d.quantile(0.95) {
					held++
				}
			}
			// 0.95 less four standard deviations of 600 worlds.
			if share := float64(held) / worlds; share < 0.914 {
				t.Errorf("%s, %d runs: the bound holds in %.3f of the worlds", name, n, share)
			}
		}
	}
}
