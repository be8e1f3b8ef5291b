// Package replay lets jobs of the past arrive once more, one after the other,
// and tells what each way of planning would have made of them: the planner that
// runs in production, and the ways that others have published. All of them see
// the same forecasts as they were issued, fill the same sites under the same
// rule, and are charged for what was measured.
//
// The ways of others are here and not in tests alone, as a saving says little
// without what it is held against: clusy backtest prints each of them.
package replay

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// World is a stretch of the past, cut into slots that are counted from Start.
type World struct {
	Start time.Time
	Slot  time.Duration
	Sites []Site
	Jobs  []Job // by arrival
	Basis grid.Basis
	// Measured is the intensity that came in a slot, in mg/kWh. It is asked of
	// any slot, also of those after the last one that is due.
	Measured func(site, slot int) float64
	// Expected is what was forecast at the beginning of a slot, from it on, for
	// Reach slots. What is returned is not changed.
	Expected func(site, slot int) []float64
	Reach    int
	// Earlier are jobs that had ended before Start, by their ends, for
	// LengthsLearned.
	Earlier []Earlier
}

// Earlier is a job of before a world's beginning.
type Earlier struct {
	Class  string
	Length int       // slots
	Ended  time.Time // when, had it run at once
}

// Site is a place with so many processors.
type Site struct {
	ID   string
	Zone grid.Zone
	CPU  int64 // thousandths of a core
	PUE  int64 // thousandths
}

// Job is what was once run, and by when it would have had to be complete.
type Job struct {
	ID                  string
	Arrive, Length, Due int // slots; it may run in [Arrive, Due)
	CPU                 int64
	Power               grid.Power // mean draw in the slots that it takes
	Sites               []int      // where it may run, the one that it was sent to first
	Pauses              bool       // it may be suspended between any two slots
	Class               string     // what its owner calls such jobs, for LengthsLearned
	Declared            int        // slots that its owner declared, for LengthsDeclared; 0: nobody knows
}

// Slack returns how many slots it can wait.
func (j *Job) Slack() int { return j.Due - j.Arrive - j.Length }

// Validate returns the first thing that makes w no world that can be replayed.
func (w *World) Validate() error {
	if len(w.Sites) == 0 || w.Slot <= 0 || w.Reach <= 0 || w.Measured == nil || w.Expected == nil {
		return fmt.Errorf("a replay needs sites, slots, a reach, and what was measured and expected")
	}
	for i := range w.Jobs {
		j := &w.Jobs[i]
		switch {
		case i > 0 && j.Arrive < w.Jobs[i-1].Arrive:
			return fmt.Errorf("job %s arrives before the one ahead of it", j.ID)
		case j.Arrive < 0 || j.Length < 1 || j.Slack() < 0 || j.CPU < 0 || j.Power < 0:
			return fmt.Errorf("job %s cannot run for %d slots between %d and %d", j.ID, j.Length, j.Arrive, j.Due)
		case j.Due-j.Arrive > w.Reach:
			return fmt.Errorf("job %s is due %d slots after it arrives, and forecasts reach %d", j.ID, j.Due-j.Arrive, w.Reach)
		case len(j.Sites) == 0:
			return fmt.Errorf("job %s has no site", j.ID)
		}
		for _, s := range j.Sites {
			if s < 0 || s >= len(w.Sites) || j.CPU > w.Sites[s].CPU {
				return fmt.Errorf("job %s does not fit at site %d", j.ID, s)
			}
		}
	}
	return nil
}

// Run is slots [From, To) without a pause.
type Run struct{ From, To int }

// Placed is where and when a job ran.
type Placed struct {
	Site int
	Runs []Run
}

func (p *Placed) add(slot int) {
	if n := len(p.Runs); n > 0 && p.Runs[n-1].To == slot {
		p.Runs[n-1].To++
		return
	}
	p.Runs = append(p.Runs, Run{slot, slot + 1})
}

// End returns the slot before which it was complete.
func (p *Placed) End() int { return p.Runs[len(p.Runs)-1].To }

// Outcome is what became of the jobs of a world under one policy.
type Outcome struct {
	Policy string
	Placed []Placed // by job
	Due    []int    // by when each was promised; its own, or what was agreed on when that could not be kept
	// Refused is how many could not be promised what they asked for. They were
	// promised the nearest completeBy that could be kept, and count as admitted
	// with that.
	Refused int
	Broken  int // late as the world broke: their site was killed under them
	Plans   int // that were computed, each of them doubted by plan.Check
	First   []First
	Told    Told // what the planner was told of lengths
}

// First is what was expected of a job when it was first planned.
type First struct {
	Known       bool
	Carbon, Now grid.Carbon // of the plan, and of running at once where there was room
	Binding     string
}

// Grams returns what job i emitted by an intensity in mg/kWh.
func (w *World) Grams(o *Outcome, i int, intensity func(site, slot int) float64) float64 {
	j, p := &w.Jobs[i], &o.Placed[i]
	sum := 0.0
	for _, r := range p.Runs {
		for t := r.From; t < r.To; t++ {
			sum += intensity(p.Site, t)
		}
	}
	kWh := float64(j.Power) / 1e6 * w.Slot.Hours() * float64(w.Sites[p.Site].PUE) / 1000
	return sum * kWh / 1000
}

// Sums is a policy in figures.
type Sums struct {
	Policy  string
	Grams   float64
	KWh     float64
	Late    int     // complete after what was promised
	Missed  int     // complete after what it had asked for, whatever was promised
	Refused int     // not admitted as they were
	Delay   float64 // mean, in slots, against running at once without a queue
	Moved   int     // ran elsewhere than they were sent to
	Paused  int     // suspensions
}

// Sum adds an outcome up by an intensity in mg/kWh.
func (w *World) Sum(o *Outcome, intensity func(site, slot int) float64) Sums {
	s := Sums{Policy: o.Policy, Refused: o.Refused}
	for i := range w.Jobs {
		j, p := &w.Jobs[i], &o.Placed[i]
		s.Grams += w.Grams(o, i, intensity)
		s.KWh += float64(j.Power) / 1e6 * w.Slot.Hours() * float64(w.Sites[p.Site].PUE) / 1000 * float64(j.Length)
		if p.End() > o.Due[i] {
			s.Late++
		}
		if p.End() > j.Due {
			s.Missed++
		}
		s.Delay += float64(p.End() - j.Arrive - j.Length)
		if p.Site != j.Sites[0] {
			s.Moved++
		}
		s.Paused += len(p.Runs) - 1
	}
	if n := len(w.Jobs); n > 0 {
		s.Delay /= float64(n)
	}
	return s
}

// Verify returns an error if an outcome is none that the world allows: a job
// did not do its work, ran where or when it may not, or a site held more than
// it has room for. It shares nothing with what makes outcomes.
func (w *World) Verify(o *Outcome) error {
	if len(o.Placed) != len(w.Jobs) || len(o.Due) != len(w.Jobs) {
		return fmt.Errorf("%s tells of %d jobs, there are %d", o.Policy, len(o.Placed), len(w.Jobs))
	}
	used := map[[2]int]int64{}
	for i := range w.Jobs {
		j, p := &w.Jobs[i], &o.Placed[i]
		work, end := 0, j.Arrive
		for n, r := range p.Runs {
			if r.From < end || n > 0 && r.From == end || r.To <= r.From {
				return fmt.Errorf("%s: job %s runs in [%d, %d), after %d", o.Policy, j.ID, r.From, r.To, end)
			}
			work, end = work+r.To-r.From, r.To
			for t := r.From; t < r.To; t++ {
				used[[2]int{p.Site, t}] += j.CPU
			}
		}
		switch {
		case work != j.Length:
			return fmt.Errorf("%s: job %s runs for %d slots of %d", o.Policy, j.ID, work, j.Length)
		case len(p.Runs) > 1 && !j.Pauses:
			return fmt.Errorf("%s: job %s pauses", o.Policy, j.ID)
		case !slices.Contains(j.Sites, p.Site):
			return fmt.Errorf("%s: job %s runs at site %d", o.Policy, j.ID, p.Site)
		}
	}
	for at, cpu := range used {
		if room := w.Sites[at[0]].CPU; cpu > room {
			return fmt.Errorf("%s: %d of %d thousandths of a core are used at %s in slot %d", o.Policy, cpu, room, w.Sites[at[0]].ID, at[1])
		}
	}
	return nil
}

// Peak returns the most that jobs would use at once, in thousandths of a core,
// if each ran where it was sent to and nothing ever waited.
func Peak(jobs []Job, site int) (most int64) {
	type edge struct {
		at  int
		cpu int64
	}
	var edges []edge
	for i := range jobs {
		if j := &jobs[i]; j.Sites[0] == site {
			edges = append(edges, edge{j.Arrive, j.CPU}, edge{j.Arrive + j.Length, -j.CPU})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.cpu, b.cpu)) })
	var now int64
	for _, e := range edges {
		now += e.cpu
		most = max(most, now)
	}
	return most
}

// Percentile returns the value below which a share of values lies.
func percentile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
