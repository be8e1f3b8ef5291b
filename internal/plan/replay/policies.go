package replay

import (
	"math"
	"slices"
)

// RunNow is what people do without us: each job runs where it was sent to, as
// soon as there is room.
const RunNow = "run-now"

// Policies are the ways that others have published, and capacity-aware greedy
// ones. All but the last two choose as if each job were alone. Where several
// sites may do, those that look for a place look at all of them; the threshold
// and CAP stay where the job was sent to, as they know no other place.
func Policies(w *World) []Policy {
	short, long := meanLengths(w.Jobs, queueBorder(w))
	guess := func(j *Job) int { // what GAIA knows of a length: the mean of its queue
		mean := long
		if j.Length <= queueBorder(w) {
			mean = short
		}
		return mean
	}
	truly := func(j *Job) int { return j.Length }
	return []Policy{
		{Name: RunNow, choose: func(_ *World, j *Job) wish { return wish{site: j.Sites[0], start: j.Arrive} }},
		{Name: "lowest-slot", choose: func(w *World, j *Job) wish {
			return best(w, j, func(*Job) int { return 1 }, func(sum, _ float64, _ int) float64 { return -sum })
		}},
		{Name: "lowest-window", choose: func(w *World, j *Job) wish {
			return best(w, j, guess, func(sum, _ float64, _ int) float64 { return -sum })
		}},
		{Name: "carbon-time", choose: func(w *World, j *Job) wish {
			n := guess(j)
			return best(w, j, guess, func(sum, now float64, wait int) float64 { return (now - sum) / float64(wait+n) })
		}},
		{Name: "wait-awhile", choose: func(w *World, j *Job) wish {
			if j.Pauses {
				return lowest(w, j)
			}
			return best(w, j, truly, func(sum, _ float64, _ int) float64 { return -sum })
		}},
		{Name: "threshold", choose: func(_ *World, j *Job) wish { return wish{site: j.Sites[0]} },
			wants: func(w *World, _ *Job, site, t int) bool {
				e := w.Expected(site, t)
				return e[0] <= percentile(ahead(w, e, 24), 0.3)
			}},
		{Name: "cap", choose: func(_ *World, j *Job) wish { return wish{site: j.Sites[0]} },
			wants: func(*World, *Job, int, int) bool { return true },
			most: func(w *World, site, t int) int64 {
				return int64(float64(w.Sites[site].CPU) * capShare(ahead(w, w.Expected(site, t), 48)))
			}},
		{Name: "greedy", whole: greedyByArrival},
		{Name: "greedy-by-slack", whole: greedyBySlack},
	}
}

// queueBorder is GAIA's between short jobs and long ones: two hours.
func queueBorder(w *World) int { return max(int(2/w.Slot.Hours()), 1) }

func meanLengths(jobs []Job, border int) (short, long int) {
	var sum, n [2]int
	for i := range jobs {
		k := 0
		if jobs[i].Length > border {
			k = 1
		}
		sum[k] += jobs[i].Length
		n[k]++
	}
	mean := func(k int) int { return max(int(math.Round(float64(sum[k])/float64(max(n[k], 1)))), 1) }
	return mean(0), mean(1)
}

// ahead is what is expected of the next hours.
func ahead(w *World, e []float64, hours float64) []float64 {
	return e[:min(max(int(hours/w.Slot.Hours()), 1), len(e))]
}

// best returns the start, and the site, with the greatest merit; the earliest
// of equals. Merit is told the cost of a run of the length that is believed,
// that of such a run at once where the job was sent to, and the wait.
func best(w *World, j *Job, length func(*Job) int, merit func(sum, now float64, wait int) float64) wish {
	n := length(j)
	now := w.cost(j.Sites[0], j.Arrive, 0, n)
	top, found := wish{site: j.Sites[0], start: j.Arrive}, math.Inf(-1)
	for wait := 0; wait <= j.Slack(); wait++ {
		for _, s := range j.Sites {
			if m := merit(w.cost(s, j.Arrive, wait, n), now, wait); m > found+1e-9 {
				top, found = wish{site: s, start: j.Arrive + wait}, m
			}
		}
	}
	return top
}

// cost is what a run of n slots is expected to emit at a site from wait on, seen
// from a slot, for each unit of power.
func (w *World) cost(site, slot, wait, n int) float64 {
	e := w.Expected(site, slot)
	sum := 0.0
	for k := wait; k < wait+n; k++ {
		sum += e[min(k, len(e)-1)]
	}
	return sum * float64(w.Sites[site].PUE)
}

// lowest returns the cheapest slots of the best site, for work that may pause.
func lowest(w *World, j *Job) wish {
	var top wish
	least := math.Inf(1)
	for _, s := range j.Sites {
		e := w.Expected(s, j.Arrive)[:j.Due-j.Arrive]
		order := make([]int, len(e))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case e[a] < e[b]:
				return -1
			case e[a] > e[b]:
				return 1
			}
			return 0
		})
		sum := 0.0
		slots := make([]int, j.Length)
		for i, k := range order[:j.Length] {
			sum += e[k] * float64(w.Sites[s].PUE)
			slots[i] = j.Arrive + k
		}
		if sum < least {
			slices.Sort(slots)
			top, least = wish{site: s, start: slots[0], slots: slots}, sum
		}
	}
	return top
}

// capFloor is the share of a site that CAP never switches off, and capLevels
// into how many parts the rest is divided.
const capFloor, capLevels = 0.2, 80

// capShare is the share of a site that CAP has in use: all of it at the least
// intensity L that is expected, only the floor at the greatest U, and in between
// as many of k parts as have a threshold U·(1 − (1−1/a)·(1+1/(a·k))^(i−1)) of at
// least the present intensity, where a = 1/(1 + W((L/U−1)/e)).
func capShare(e []float64) float64 {
	low, high := slices.Min(e), slices.Max(e)
	if !(low < high) || high <= 0 {
		return 1
	}
	a := 1 / (1 + lambertW((math.Max(low, 0)/high-1)/math.E))
	on := 0
	for i := 1; i <= capLevels; i++ {
		if high*(1-(1-1/a)*math.Pow(1+1/(a*capLevels), float64(i-1))) >= e[0] {
			on++
		}
	}
	return capFloor + (1-capFloor)*float64(on)/capLevels
}

// lambertW returns the main branch of W, for which W·e^W = x, for x in [−1/e, 0].
func lambertW(x float64) float64 {
	w := math.Sqrt(math.Max(2*(math.E*x+1), 0)) - 1 // near the branch point, and a fair start elsewhere
	for range 60 {
		e := math.Exp(w)
		f := w*e - x
		d := e * (w + 1)
		if math.Abs(d) < 1e-12 {
			break
		}
		next := math.Max(w-f/d, -1)
		if math.Abs(next-w) < 1e-14 {
			return next
		}
		w = next
	}
	return w
}
