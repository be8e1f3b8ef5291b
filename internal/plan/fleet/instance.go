// Package fleet plans very many jobs at once, by prices. It knows slots, sites
// and jobs and nothing of workloads: room plan makes an Instance of a world,
// and placements of a Solution.
//
// A price is what a unit of a thing costs in a cell, one slot at one site, on
// top of what its energy emits. At the right prices jobs that each choose for
// themselves fill no cell beyond its room, and together emit the least that is
// possible: Lagrange's relaxation of the capacities. Any prices of zero or more
// give a lower bound on what all plans cost. So the prices are a certificate:
// Bound derives the bound again in one pass over the jobs, whoever made them.
package fleet

import (
	"fmt"
	"math"
)

// MostThings is how many kinds of resource an Instance may have.
const MostThings = 8

// Instance is a world to be planned. A cell is one slot at one site; its index
// is site × slots + slot.
type Instance struct {
	Hours  []float64   // length of each slot, in hours
	Sites  []Site      //
	Things []string    // what sites run out of: "cpu", "memory", "gpu", "kW", …; at least one
	Room   [][]float64 // what there is, by thing and cell; +Inf has no end
	// Cost is what drawing one kilowatt through the whole slot costs, by table
	// and cell: grams for carbon, PUE and length of the slot included. NaN is
	// unknown: no job that goes by this table uses the cell. It may be negative.
	Cost [][]float64
	Jobs []Job
	// After lists pairs of jobs: the second begins when the first has ended.
	// There is no way round in a circle.
	After [][2]int32
	// Denied are lists of stretches in order, apart from each other, that jobs
	// keep out of: see Job.Denied. Jobs share them.
	Denied [][]Span
	Arrays []Array
	// Ramp is the most by which the use of a thing at a site may rise from one
	// slot to the next, by thing and site; +Inf is no limit, and so is nil. The
	// first slot has none: what ran before it is not known here.
	Ramp [][]float64
}

// Span is the slots [From, To).
type Span struct{ From, To int32 }

// Array is a set of jobs of which at most Most run in any slot, wherever.
type Array struct {
	Jobs []int32
	Most int32
}

// Site is a place, by the names that people know.
type Site struct{ ID, Zone string }

// Kind says in which way a job may use slots.
type Kind uint8

const (
	// Rigid work runs without a pause.
	Rigid Kind = iota
	// Interruptible work may pause between any two slots, under the rules of
	// Resume, MinRun and Pauses.
	Interruptible
	// Elastic work may run at any of its Levels in each slot, or pause.
	Elastic
)

// Job is one piece of work. All its slots are in [Release, Due).
type Job struct {
	Kind         Kind
	Table        uint8 // of Instance.Cost
	Release, Due int32
	Ways         []Way // where, and with what; it uses one of them

	// Of Interruptible and Elastic work; 0 is no rule.
	Resume int32 // slots that each resume takes on top of the work
	MinRun int32 // shortest run that may be suspended, in slots
	Pauses int32 // most suspensions

	// Moves are the changes of way that Interruptible work may make when it is
	// suspended, at most MostMoves of them; 0 is no rule. A move is a pause, if
	// of no length: Resume, MinRun and Pauses go for it too.
	Moves     []Move
	MostMoves int32

	Denied int32 // slots it keeps out of: Instance.Denied[Denied-1]; 0 is none

	Levels   []Level   // of Elastic work, by rising rate
	Ceilings []Ceiling // what it may cost at most
	// Missing is what the plan is charged if the job has no place, in the unit
	// of its table. It must be more than any place costs.
	Missing float64
}

// Way is one way to do a job: at a site, on some hardware.
type Way struct {
	Site int32
	Need int32     // slots of work; of Elastic work, slots at rate 1
	From int32     // first slot it can use there, if later than Release: data must come first
	KW   float64   // draw while it runs
	Use  []float64 // of each thing while it runs
	// Fixed is charged once if the way is used: moving its data there.
	Fixed float64
}

// Level is one speed of Elastic work: in a slot it does Rate slots of work.
type Level struct {
	Rate float64
	KW   float64
	Use  []float64 // of each thing
}

// Move is a change of way in the middle of the work, from a way to another that
// needs as many slots. The job runs nowhere for at least Lost slots.
type Move struct {
	From, To int16
	Lost     int32
	Fixed    float64   // charged for it, instead of the way's Fixed
	By       []float64 // the same by table, for ceilings; nil: Fixed by each
}

// Ceiling is a limit on what a job costs by a table. A cell where that table is
// unknown cannot be used: nobody could say that the ceiling is kept.
type Ceiling struct {
	Table uint8
	Most  float64
	Fixed []float64 // what Fixed of each way is by this table; nil: Fixed
}

// Slots returns how many slots there are.
func (in *Instance) Slots() int { return len(in.Hours) }

// Cells returns how many cells there are.
func (in *Instance) Cells() int { return len(in.Hours) * len(in.Sites) }

// Cell returns the index of a slot at a site.
func (in *Instance) Cell(site, slot int32) int { return int(site)*len(in.Hours) + int(slot) }

// denied returns list n of the slots that jobs keep out of, as Job.Denied counts.
func (in *Instance) denied(n int32) []Span {
	if n == 0 {
		return nil
	}
	return in.Denied[n-1]
}

// within reports whether slot t is in one of spans.
func within(spans []Span, t int32) bool {
	for _, s := range spans {
		if s.From <= t && t < s.To {
			return true
		}
	}
	return false
}

// Validate returns the first thing that makes in no instance.
func (in *Instance) Validate() error {
	cells := in.Cells()
	switch {
	case len(in.Hours) == 0 || len(in.Sites) == 0:
		return fmt.Errorf("an instance needs slots and sites, this one has %d and %d", len(in.Hours), len(in.Sites))
	case len(in.Things) == 0 || len(in.Things) > MostThings || len(in.Room) != len(in.Things):
		return fmt.Errorf("an instance has 1 to %d things and the room of each, this one %d and %d", MostThings, len(in.Things), len(in.Room))
	case len(in.Cost) == 0:
		return fmt.Errorf("an instance needs a table of costs")
	}
	for t, h := range in.Hours {
		if !(h > 0) || math.IsInf(h, 0) {
			return fmt.Errorf("slot %d is %v hours long", t, h)
		}
	}
	for r, room := range in.Room {
		if len(room) != cells {
			return fmt.Errorf("the room of %s has %d cells, want %d", in.Things[r], len(room), cells)
		}
		for c, v := range room {
			if !(v >= 0) {
				return fmt.Errorf("the room of %s in cell %d is %v", in.Things[r], c, v)
			}
		}
	}
	for k, table := range in.Cost {
		if len(table) != cells {
			return fmt.Errorf("table %d has %d cells, want %d", k, len(table), cells)
		}
		for c, v := range table {
			if math.IsInf(v, 0) {
				return fmt.Errorf("table %d is %v in cell %d; what is unknown is NaN", k, v, c)
			}
		}
	}
	for j := range in.Jobs {
		if err := in.validate(&in.Jobs[j]); err != nil {
			return fmt.Errorf("job %d: %w", j, err)
		}
	}
	return in.validateTies()
}

// validateTies checks what ties jobs to each other.
func (in *Instance) validateTies() error {
	n := int32(len(in.Jobs))
	for _, a := range in.After {
		if a[0] < 0 || a[1] < 0 || a[0] >= n || a[1] >= n || a[0] == a[1] {
			return fmt.Errorf("job %d cannot come after job %d", a[1], a[0])
		}
	}
	if j, round := circle(int(n), in.After); round {
		return fmt.Errorf("job %d comes after itself, by way of others", j)
	}
	for k, spans := range in.Denied {
		for i, s := range spans {
			if s.From >= s.To || i > 0 && s.From <= spans[i-1].To {
				return fmt.Errorf("list %d of denied slots: [%d, %d) is empty, or not apart from the one before it", k, s.From, s.To)
			}
		}
	}
	for k, a := range in.Arrays {
		if a.Most < 1 {
			return fmt.Errorf("of array %d at most %d run at once; it needs 1", k, a.Most)
		}
		for _, j := range a.Jobs {
			if j < 0 || j >= n {
				return fmt.Errorf("array %d has the job %d, there are %d", k, j, n)
			}
		}
	}
	if in.Ramp != nil && len(in.Ramp) != len(in.Things) {
		return fmt.Errorf("there are ramps for %d things of %d", len(in.Ramp), len(in.Things))
	}
	for r, ramp := range in.Ramp {
		if len(ramp) != len(in.Sites) {
			return fmt.Errorf("the ramps of %s are for %d sites of %d", in.Things[r], len(ramp), len(in.Sites))
		}
		for _, v := range ramp {
			if !(v >= 0) {
				return fmt.Errorf("a ramp of %s is %v", in.Things[r], v)
			}
		}
	}
	return nil
}

// circle finds a job that comes after itself.
func circle(n int, after [][2]int32) (int32, bool) {
	before := make([]int32, n) // how many of those before it are not in order yet
	next := make(map[int32][]int32)
	for _, a := range after {
		before[a[1]]++
		next[a[0]] = append(next[a[0]], a[1])
	}
	var ready []int32
	for j, b := range before {
		if b == 0 {
			ready = append(ready, int32(j))
		}
	}
	for i := 0; i < len(ready); i++ {
		for _, k := range next[ready[i]] {
			if before[k]--; before[k] == 0 {
				ready = append(ready, k)
			}
		}
	}
	for j, b := range before {
		if b > 0 {
			return int32(j), true
		}
	}
	return 0, false
}

func (in *Instance) validate(j *Job) error {
	switch {
	case j.Release < 0 || j.Due < 0 || int(j.Due) > len(in.Hours):
		return fmt.Errorf("its slots [%d, %d) are not in [0, %d)", j.Release, j.Due, len(in.Hours))
	case int(j.Table) >= len(in.Cost):
		return fmt.Errorf("it goes by table %d of %d", j.Table, len(in.Cost))
	case len(j.Ways) == 0 || len(j.Ways) > math.MaxInt16:
		return fmt.Errorf("it has %d ways", len(j.Ways))
	case j.Kind > Elastic || (j.Kind == Elastic) != (len(j.Levels) > 0):
		return fmt.Errorf("it is of kind %d and has %d levels", j.Kind, len(j.Levels))
	case j.Denied < 0 || int(j.Denied) > len(in.Denied):
		return fmt.Errorf("it keeps out of list %d of %d", j.Denied, len(in.Denied))
	case len(j.Moves) > 0 && j.Kind != Interruptible || j.MostMoves < 0:
		return fmt.Errorf("work of kind %d has %d moves, at most %d of them; only interruptible work may move", j.Kind, len(j.Moves), j.MostMoves)
	case j.Resume < 0 || j.MinRun < 0 || j.Pauses < 0:
		return fmt.Errorf("its rules of pausing are below zero")
	case !(j.Missing >= 0) || math.IsInf(j.Missing, 0):
		return fmt.Errorf("it is charged %v if it has no place", j.Missing)
	}
	for w, way := range j.Ways {
		if way.Site < 0 || int(way.Site) >= len(in.Sites) || way.Need < 1 || !(way.KW >= 0) || math.IsInf(way.KW, 0) ||
			len(way.Use) != len(in.Things) || math.IsNaN(way.Fixed) || math.IsInf(way.Fixed, 0) {
			return fmt.Errorf("way %d is none: %+v", w, way)
		}
		if !amounts(way.Use) {
			return fmt.Errorf("way %d uses %v", w, way.Use)
		}
	}
	for k, m := range j.Moves {
		n := int16(len(j.Ways))
		for _, other := range j.Moves[:k] {
			if m.From == other.From && m.To == other.To {
				return fmt.Errorf("it has two moves from way %d to way %d", m.From, m.To)
			}
		}
		if m.From < 0 || m.To < 0 || m.From >= n || m.To >= n || m.From == m.To || m.Lost < 0 ||
			math.IsNaN(m.Fixed) || math.IsInf(m.Fixed, 0) || m.By != nil && len(m.By) != len(in.Cost) {
			return fmt.Errorf("the move is none: %+v", m)
		}
		if a, b := j.Ways[m.From].Need, j.Ways[m.To].Need; a != b {
			return fmt.Errorf("it cannot move from way %d, which needs %d slots, to way %d, which needs %d", m.From, a, m.To, b)
		}
	}
	for l, lv := range j.Levels {
		if !(lv.Rate > 0) || !(lv.KW >= 0) || math.IsInf(lv.Rate, 0) || math.IsInf(lv.KW, 0) || len(lv.Use) != len(in.Things) || !amounts(lv.Use) {
			return fmt.Errorf("level %d is none: %+v", l, lv)
		}
	}
	for _, c := range j.Ceilings {
		if int(c.Table) >= len(in.Cost) || math.IsNaN(c.Most) || c.Fixed != nil && len(c.Fixed) != len(j.Ways) {
			return fmt.Errorf("it has the ceiling %+v", c)
		}
	}
	return nil
}

func amounts(use []float64) bool {
	for _, u := range use {
		if !(u >= 0) || math.IsInf(u, 0) {
			return false
		}
	}
	return true
}
