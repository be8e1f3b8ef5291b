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
	if unplaced != s.Unplaced || !near(missing, s.Missing) {
		return fmt.Errorf("%d jobs have no place and cost %v, the plan says %d and %v", unplaced, missing, s.Unplaced, s.Missing)
	}
	if !near(cost, s.Cost) {
		return fmt.Errorf("the plan costs %v, it says %v", cost, s.Cost)
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
	sums := make([]float64, len(in.Cost)) // by table, for the ceilings
	for k := range sums {
		sums[k] = way.Fixed
	}
	done, overhead, pauses := 0.0, int32(0), int32(0)
	begin := runs[0].From // of the run, over changes of level
	for i, r := range runs {
		if r.Way != runs[0].Way {
			return 0, fmt.Errorf("it changes from way %d to way %d", runs[0].Way, r.Way)
		}
		if r.From >= r.To || r.From < max(job.Release, way.From) || r.To > job.Due {
			return 0, fmt.Errorf("its run [%d, %d) is not in [%d, %d)", r.From, r.To, max(job.Release, way.From), job.Due)
		}
		if i > 0 {
			before := runs[i-1]
			switch {
			case r.From < before.To || r.From == before.To && (job.Kind != Elastic || r.Level == before.Level):
				return 0, fmt.Errorf("its runs [%d, %d) and [%d, %d) are not apart", before.From, before.To, r.From, r.To)
			case r.From > before.To:
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
			for k := range sums {
				sums[k] += kw * in.Cost[k][cell]
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
	for _, c := range job.Ceilings {
		if !(sums[c.Table] <= c.Most*(1+1e-9)) {
			return 0, fmt.Errorf("it costs %v by table %d, at most %v is allowed", sums[c.Table], c.Table, c.Most)
		}
	}
	return cost, nil
}
