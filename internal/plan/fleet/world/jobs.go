package world

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Job is what a trace of jobs says of one.
type Job struct {
	Arrival float64 // hours since the trace began
	Hours   float64 // that it runs
	CPUs    float64
}

// Jobs is a kind of work, to draw jobs of.
type Jobs interface {
	Draw(*rand.Rand) Job
}

// Trace is a trace of jobs; each draw is one of them.
type Trace []Job

// Draw returns one of the jobs.
func (t Trace) Draw(r *rand.Rand) Job { return t[r.IntN(len(t))] }

// Tail is work that is like that of a trace: as long, and as large. It arrives
// evenly through the year, as the traces' does.
type Tail struct {
	// Hours are lengths of which so much of the work is as long or shorter,
	// rising. Between two of them lengths are as even as their logarithms.
	Hours []Quantile
	CPUs  []Quantile // the same, of sizes that are not between two
}

// Quantile is a value and the share of the jobs that have no more.
type Quantile struct{ Share, Value float64 }

// Draw returns a job.
func (t *Tail) Draw(r *rand.Rand) Job {
	j := Job{Arrival: 8760 * r.Float64()}
	u := r.Float64()
	i := max(1, sort.Search(len(t.Hours)-1, func(i int) bool { return t.Hours[i].Share >= u }))
	a, b := t.Hours[i-1], t.Hours[i]
	j.Hours = a.Value * math.Pow(b.Value/a.Value, (u-a.Share)/(b.Share-a.Share))
	u = r.Float64()
	j.CPUs = t.CPUs[sort.Search(len(t.CPUs)-1, func(i int) bool { return t.CPUs[i].Share >= u })].Value
	return j
}

// Tails are the kinds of work that need no trace, by name: batch jobs of a
// cloud, jobs of a GPU cluster, and jobs of a supercomputer, which are as large
// as its nodes by the dozen and end at its limit of 16 h. The first two were
// measured on public traces of 100,000 jobs; the last is a likeness from what
// is told of Mustang, not a measurement.
var Tails = map[string]*Tail{
	"azure": {
		Hours: []Quantile{{0, 1. / 6}, {.05, 1. / 6}, {.25, .25}, {.5, .5833}, {.75, 2.1667}, {.9, 11.333}, {.95, 20}, {.99, 50.33}, {1, 71.92}},
		CPUs:  []Quantile{{.581, 2}, {.883, 4}, {.960, 8}, {.9955, 24}, {1, 30}},
	},
	"pai": {
		Hours: []Quantile{{0, .0836}, {.05, .0978}, {.1, .1181}, {.25, .2186}, {.5, .6644}, {.75, 2.0994}, {.9, 5.538}, {.95, 9.541}, {.99, 24.06}, {1, 71.14}},
		CPUs:  []Quantile{{.735, 1}, {.784, 2}, {.825, 3}, {.846, 4}, {.880, 5}, {.894, 7}, {.912, 8}, {.933, 10}, {.942, 13}, {.948, 15}, {.955, 16}, {.971, 20}, {.983, 25}, {.987, 30}, {.991, 40}, {1, 50}},
	},
	"mustang": {
		Hours: []Quantile{{0, .1}, {.25, .25}, {.5, 1}, {.75, 4}, {.9, 10}, {.95, 15.9}, {1, 16}},
		CPUs:  []Quantile{{.4, 24}, {.6, 48}, {.75, 96}, {.87, 192}, {.95, 384}, {.99, 768}, {1, 1536}},
	},
}

// TailNames returns the names of Tails, for people.
func TailNames() string { return strings.Join(slices.Sorted(maps.Keys(Tails)), ", ") }

// ParseSlack reads a slack: "gaia" for its two queues, or a share of the job's
// length and a time that is fixed, as 1x+12h, 2x or 12h.
func ParseSlack(text string) (Slack, error) {
	if text == "gaia" {
		return Slack{Queue: true}, nil
	}
	var s Slack
	share, fixed, both := strings.Cut(text, "+")
	if !both && !strings.HasSuffix(share, "x") {
		share, fixed = "", share
	}
	if share != "" {
		v, err := strconv.ParseFloat(strings.TrimSuffix(share, "x"), 64)
		if err != nil || !strings.HasSuffix(share, "x") || !(v >= 0 && v <= 1000) {
			return s, fmt.Errorf("slack %q: %q is no share of a job's length; give 0x to 1000x, as in 1x+12h, or gaia", text, share)
		}
		s.Share = v
	}
	if fixed != "" {
		d, err := time.ParseDuration(fixed)
		if err != nil || d < 0 || d > 8760*time.Hour {
			return s, fmt.Errorf("slack %q: %q is no time; give 0h to 8760h, as in 1x+12h, or gaia", text, fixed)
		}
		s.Fixed = d
	}
	if share == "" && fixed == "" {
		return s, fmt.Errorf("slack %q: give a share of the job's length and a time, as 1x+12h, 2x, 12h, or gaia", text)
	}
	return s, nil
}
