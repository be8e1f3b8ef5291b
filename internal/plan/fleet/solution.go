package fleet

import (
	"fmt"
	"math"
)

// Run is a stretch of slots [From, To) in which a job runs without a pause, in
// one of its ways and, if it is elastic, at one of its levels.
type Run struct {
	From, To int32
	Way      int16
	Level    int16
}

// Prices are what a unit of each thing costs, by thing and cell, for the whole
// slot, in the unit of the jobs' costs. None is below zero.
type Prices [][]float64

// Solution says where every job runs.
type Solution struct {
	// The runs of job j are Runs[First[j]:First[j+1]], in order of time. A job
	// that has none has no place.
	First    []uint32
	Runs     []Run
	Cost     float64 // of the jobs that have a place
	Missing  float64 // charged for those that have none
	Unplaced int
	Prices   Prices  // at which Bound holds
	Bound    float64 // no plan has a smaller Cost + Missing
}

// Of returns the runs of job j.
func (s *Solution) Of(j int) []Run { return s.Runs[s.First[j]:s.First[j+1]] }

// Gap returns how far s is from the best that is possible, at most, as a share
// of the bound.
func (s *Solution) Gap() float64 {
	if s.Bound == 0 {
		return 0
	}
	return (s.Cost + s.Missing - s.Bound) / math.Abs(s.Bound)
}

// Verify returns an error if s is no plan for in: a rule of a job is broken, a
// cell holds more than it has room for, or the cost is not what s says. It
// shares no code with what makes plans.
func Verify(in *Instance, s *Solution) error {
	if len(s.First) != len(in.Jobs)+1 {
		return fmt.Errorf("the plan is for %d jobs, there are %d", len(s.First)-1, len(in.Jobs))
	}
	for j := range in.Jobs {
		if s.First[j] > s.First[j+1] || int(s.First[j+1]) > len(s.Runs) {
			return fmt.Errorf("job %d: the plan gives it runs [%d, %d) of %d", j, s.First[j], s.First[j+1], len(s.Runs))
		}
	}
	load := make([][]float64, len(in.Things))
	for r := range load {
		load[r] = make([]float64, in.Cells())
	}
	var cost, missing float64
	unplaced := 0
	for j := range in.Jobs {
		runs := s.Of(j)
		if len(runs) == 0 {
			unplaced++
			missing += in.Jobs[j].Missing
			continue
		}
		c, err := verifyJob(in, j, runs, load)
		if err != nil {
			return fmt.Errorf("job %d: %w", j, err)
		}
		cost += c
	}
	for _, a := range in.After {
		first, then := s.Of(int(a[0])), s.Of(int(a[1]))
		if len(then) > 0 && (len(first) == 0 || first[len(first)-1].To > then[0].From) {
			return fmt.Errorf("job %d begins before job %d has ended", a[1], a[0])
		}
	}
	for r := range load {
		for c, l := range load[r] {
			if room := in.Room[r][c]; l > room+1e-6*math.Max(1, room) {
				return fmt.Errorf("%s in slot %d at %s: %v is used, and there are %v", in.Things[r], c%in.Slots(), in.Sites[c/in.Slots()].ID, l, room)
			}
		}
	}
	if err := verifyRamps(in, load); err != nil {
		return err
	}
	if err := verifyArrays(in, s); err != nil {
		return err
	}
	if unplaced != s.Unplaced || !near(missing, s.Missing) {
		return fmt.Errorf("%d jobs have no place and cost %v, the plan says %d and %v", unplaced, missing, s.Unplaced, s.Missing)
	}
	if !near(cost, s.Cost) {
		return fmt.Errorf("the plan costs %v, it says %v", cost, s.Cost)
	}
	return nil
}

// verifyRamps checks how fast the use of each thing rises.
func verifyRamps(in *Instance, load [][]float64) error {
	for r := range in.Ramp {
		for site, most := range in.Ramp[r] {
			for t := 1; t < in.Slots(); t++ {
				cell := site*in.Slots() + t
				if rise := load[r][cell] - load[r][cell-1]; rise > most+1e-6*math.Max(1, most) {
					return fmt.Errorf("%s at %s rises by %v into slot %d, at most %v is allowed", in.Things[r], in.Sites[site].ID, rise, t, most)
				}
			}
		}
	}
	return nil
}

// verifyArrays checks how many jobs of each array run at once.
func verifyArrays(in *Instance, s *Solution) error {
	for k, a := range in.Arrays {
		count := make([]int32, in.Slots())
		for _, j := range a.Jobs {
			for _, r := range s.Of(int(j)) {
				for t := r.From; t < r.To; t++ {
					if count[t]++; count[t] > a.Most {
						return fmt.Errorf("more than %d jobs of array %d run in slot %d", a.Most, k, t)
					}
				}
			}
		}
	}
	return nil
}

// near reports whether two sums of the same things in another order are the same.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
}

// verifyJob checks one job, adds what it uses to load, and returns its cost.
func verifyJob(in *Instance, j int, runs []Run, load [][]float64) (float64, error) {
	job := &in.Jobs[j]
	if int(runs[0].Way) >= len(job.Ways) || runs[0].Way < 0 {
		return 0, fmt.Errorf("it has no way %d", runs[0].Way)
	}
	way := &job.Ways[runs[0].Way]
	cost := way.Fixed
	sums := make([]float64, len(job.Ceilings))
	for k, c := range job.Ceilings {
		sums[k] = way.Fixed
		if c.Fixed != nil {
			sums[k] = c.Fixed[runs[0].Way]
		}
	}
	var denied []Span
	if job.Denied > 0 {
		denied = in.Denied[job.Denied-1]
	}
	moves := int32(0)
	done, overhead, pauses := 0.0, int32(0), int32(0)
	begin := runs[0].From // of the run, over changes of level
	for i, r := range runs {
		if i > 0 && r.Way != runs[i-1].Way {
			m := moveOf(job, runs[i-1].Way, r.Way)
			if m == nil {
				return 0, fmt.Errorf("it changes from way %d to way %d", runs[i-1].Way, r.Way)
			}
			if r.From < runs[i-1].To+m.Lost {
				return 0, fmt.Errorf("it moves in %d slots, and the move from way %d to way %d takes %d", r.From-runs[i-1].To, m.From, m.To, m.Lost)
			}
			moves++
			way = &job.Ways[r.Way]
			cost += m.Fixed
			for k, c := range job.Ceilings {
				if m.By != nil {
					sums[k] += m.By[c.Table]
				} else {
					sums[k] += m.Fixed
				}
			}
		}
		if r.From >= r.To || r.From < max(job.Release, way.From) || r.To > job.Due {
			return 0, fmt.Errorf("its run [%d, %d) is not in [%d, %d)", r.From, r.To, max(job.Release, way.From), job.Due)
		}
		for _, d := range denied {
			if r.From < d.To && d.From < r.To {
				return 0, fmt.Errorf("its run [%d, %d) is in [%d, %d), which is denied", r.From, r.To, d.From, d.To)
			}
		}
		if i > 0 {
			before := runs[i-1]
			moved := r.Way != before.Way
			switch {
			case r.From < before.To || r.From == before.To && !moved && (job.Kind != Elastic || r.Level == before.Level):
				return 0, fmt.Errorf("its runs [%d, %d) and [%d, %d) are not apart", before.From, before.To, r.From, r.To)
			case r.From > before.To || moved:
				if before.To-begin < job.MinRun {
					return 0, fmt.Errorf("its run [%d, %d) is shorter than %d", begin, before.To, job.MinRun)
				}
				begin = r.From
				pauses++
				overhead += job.Resume
			}
		}
		kw, use, rate := way.KW, way.Use, 1.0
		if job.Kind == Elastic {
			if r.Level < 0 || int(r.Level) >= len(job.Levels) {
				return 0, fmt.Errorf("it has no level %d", r.Level)
			}
			lv := &job.Levels[r.Level]
			kw, use, rate = lv.KW, lv.Use, lv.Rate
		}
		done += rate * float64(r.To-r.From)
		for t := r.From; t < r.To; t++ {
			cell := in.Cell(way.Site, t)
			c := in.Cost[job.Table][cell]
			if math.IsNaN(c) {
				return 0, fmt.Errorf("the cost of slot %d at %s is unknown", t, in.Sites[way.Site].ID)
			}
			cost += kw * c
			for k, c := range job.Ceilings {
				sums[k] += kw * in.Cost[c.Table][cell]
			}
			for r := range use {
				load[r][cell] += use[r]
			}
		}
	}
	switch {
	case pauses > 0 && job.Kind == Rigid:
		return 0, fmt.Errorf("it pauses %d times", pauses)
	case pauses > 0 && job.Pauses > 0 && pauses > job.Pauses:
		return 0, fmt.Errorf("it pauses %d times, at most %d are allowed", pauses, job.Pauses)
	case job.Kind == Elastic && done < float64(way.Need+overhead)-1e-9:
		return 0, fmt.Errorf("it does %v slots of work of %d", done, way.Need+overhead)
	case job.Kind != Elastic && done != float64(way.Need+overhead):
		return 0, fmt.Errorf("it runs for %v slots, not %d", done, way.Need+overhead)
	}
	if job.MostMoves > 0 && moves > job.MostMoves {
		return 0, fmt.Errorf("it moves %d times, at most %d are allowed", moves, job.MostMoves)
	}
	for k, c := range job.Ceilings {
		if !(sums[k] <= c.Most+1e-9*math.Max(1, math.Abs(c.Most))) {
			return 0, fmt.Errorf("it costs %v by table %d, at most %v is allowed", sums[k], c.Table, c.Most)
		}
	}
	return cost, nil
}

// moveOf returns the move between two ways, or nil if there is none.
func moveOf(job *Job, from, to int16) *Move {
	if to < 0 || int(to) >= len(job.Ways) {
		return nil
	}
	for m := range job.Moves {
		if job.Moves[m].From == from && job.Moves[m].To == to {
			return &job.Moves[m]
		}
	}
	return nil
}
