package private

import (
	"math"

	"clusy.io/clusy/internal/plan/fleet"
)

// chain is what the order of jobs leaves each of them.
type chain struct {
	early, late []int32 // the first slot and the end that leave time for the others
	depth       []int32 // most jobs in a row before it
	prev, next  [][]int32
}

func chainOf(in *fleet.Instance) chain {
	n, slots := len(in.Jobs), int32(in.Slots())
	c := chain{early: make([]int32, n), late: make([]int32, n), depth: make([]int32, n)}
	for j := range in.Jobs {
		c.early[j], c.late[j] = in.Jobs[j].Release, in.Jobs[j].Due
	}
	if len(in.After) == 0 {
		return c
	}
	c.prev, c.next = make([][]int32, n), make([][]int32, n)
	for _, a := range in.After {
		c.prev[a[1]] = append(c.prev[a[1]], a[0])
		c.next[a[0]] = append(c.next[a[0]], a[1])
	}
	// A sweep for each link of the longest chain; Validate has refused rings.
	for moved, sweep := true, 0; moved && sweep < n; sweep++ {
		moved = false
		for _, a := range in.After {
			if d := c.depth[a[0]] + 1; d > c.depth[a[1]] {
				c.depth[a[1]], moved = d, true
			}
			if t := min(slots, c.early[a[0]]+min(slots, shortest(&in.Jobs[a[0]]))); t > c.early[a[1]] {
				c.early[a[1]], moved = t, true
			}
			need := min(slots+1, shortest(&in.Jobs[a[1]]))
			if c.early[a[1]]+need > c.late[a[1]] {
				continue // it has no place anyway: the others need not mind it
			}
			if t := c.late[a[1]] - need; t < c.late[a[0]] {
				c.late[a[0]], moved = t, true
			}
		}
	}
	return c
}

// shortest returns in how many slots a job can be done at best.
func shortest(job *fleet.Job) int32 {
	fastest := 1.0
	for _, l := range job.Levels {
		fastest = max(fastest, l.Rate)
	}
	least := job.Ways[0].Need
	for _, w := range job.Ways {
		least = min(least, w.Need)
	}
	return int32(math.Ceil(float64(least) / fastest))
}

// after returns the jobs that must come after j.
func (c *chain) after(j int) []int32 {
	if c.next == nil {
		return nil
	}
	return c.next[j]
}

// window returns the slots that job j may use where the jobs it is chained to
// are now. A job whose predecessor has no place has none either.
func (e *Enclave) window(j int) (from, to int32) {
	from, to = e.chain.early[j], e.chain.late[j]
	if e.chain.prev == nil {
		return from, to
	}
	for _, i := range e.chain.prev[j] {
		runs := e.runs[i]
		if len(runs) == 0 {
			return 0, 0
		}
		from = max(from, runs[len(runs)-1].To)
	}
	for _, i := range e.chain.next[j] {
		if runs := e.runs[i]; len(runs) > 0 {
			to = min(to, runs[0].From)
		}
	}
	return from, to
}
