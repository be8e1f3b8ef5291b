package forecast

import (
	"fmt"
	"math"
	"slices"
)

// Job is a shape of work that can be shifted: so many hours of constant power,
// to be done at most Slack hours later than if it ran at once.
type Job struct {
	Hours, Slack  int
	Interruptible bool
}

// Jobs are the shapes by which forecasts are judged.
var Jobs = []Job{
	{1, 6, false}, {4, 24, false}, {4, 24, true}, {12, 24, true}, {12, 48, true}, {24, 48, false}, {24, 72, true},
}

func (j Job) String() string {
	kind := "in one piece"
	if j.Interruptible {
		kind = "interruptible"
	}
	if j.Hours == 1 {
		kind = "" // an hour has no pieces
		return fmt.Sprintf("1 h, %d h slack", j.Slack)
	}
	return fmt.Sprintf("%d h, %d h slack, %s", j.Hours, j.Slack, kind)
}

// Window returns the hours from release to the latest end.
func (j Job) Window() int { return j.Hours + j.Slack }

// Replanning says when a job that waits is planned anew.
type Replanning int

const (
	Once   Replanning = iota // at its release only
	Daily                    // also at 00 UTC
	Hourly                   // also at the start of each hour
)

// Outlook returns what is expected of the hours from an hour on, as known when
// it begins. It must reach as far as the window of the job.
type Outlook func(hour int) []float64

// Shift returns the sum of the actual intensities of the hours in which the
// job, released at an hour, would have run, had it been planned on an outlook.
// Midnight is any hour that begins a day of UTC. Ok is false if the window does not lie in
// what is known or the outlook does not reach its end.
func (j Job) Shift(actual []float64, release, midnight int, r Replanning, outlook Outlook) (sum float64, ok bool) {
	end := release + j.Window()
	if release < 0 || end > len(actual) {
		return 0, false
	}
	var plan []int // the hours chosen, in order
	left := j.Hours
	for u := release; u < end && left > 0; u++ {
		begun := left < j.Hours && !j.Interruptible // what may not be interrupted goes on
		if !begun && (u == release || r == Hourly || r == Daily && (u-midnight)%24 == 0) {
			expected := outlook(u)
			if len(expected) < end-u {
				return 0, false
			}
			plan = j.choose(expected[:end-u], left, u)
		}
		if len(plan) > 0 && plan[0] == u {
			plan = plan[1:]
			sum += actual[u]
			left--
		}
	}
	return sum, !math.IsNaN(sum)
}

// choose returns the cleanest hours, in order: left of them anywhere if the
// job is interruptible, and the earliest of what is equal. from is the first.
func (j Job) choose(expected []float64, left, from int) []int {
	plan := make([]int, 0, len(expected))
	if j.Interruptible {
		for i := range expected {
			plan = append(plan, i)
		}
		slices.SortStableFunc(plan, func(a, b int) int {
			switch {
			case expected[a] < expected[b]:
				return -1
			case expected[a] > expected[b]:
				return 1
			}
			return 0
		})
		plan = plan[:left]
		slices.Sort(plan)
	} else {
		sum := 0.0
		for _, v := range expected[:left] {
			sum += v
		}
		least, best := sum, 0
		for i := 1; i+left <= len(expected); i++ {
			sum += expected[i+left-1] - expected[i-1]
			if sum < least-1e-6 { // sums that differ by less are equal but for their rounding
				least, best = sum, i
			}
		}
		for i := range left {
			plan = append(plan, best+i)
		}
	}
	for i := range plan {
		plan[i] += from
	}
	return plan
}
