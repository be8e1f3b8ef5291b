// Package world makes instances for the fleet planner: from a World as files
// describe it, or from a Recipe, which makes one up by a seed. It also plans
// them as the field does, without prices, for comparison.
package world

import (
	"math"
	"slices"
	"strconv"
	"time"

	"clusy.io/clusy/internal/plan/fleet"
)

// World is intents, sites and the carbon of their zones, on slots of one length.
type World struct {
	Slot    time.Duration
	Zones   []string
	Carbon  [][]float64 // by zone and slot, g/kWh; NaN is unknown
	Sites   []Site
	Intents []Intent
	// IDs are the names of the intents; nil if they are numbered.
	IDs []string
	// Regions are the sets of zones that intents may run in, by index of the
	// zone and rising. An empty one is anywhere.
	Regions [][]int32
}

// Site is a place in a zone, by the zone's index.
type Site struct {
	ID   string
	Zone int32
	CPUs float64
	PUE  float64
}

// Intent is one piece of work. It must be complete when slot Due begins.
type Intent struct {
	Release, Due int32
	Need         int32 // slots of work
	Region       int32 // index of World.Regions
	Home         int32 // the site where it would run now; -1 is unknown
	Pauses       bool  // it is interruptible
	CPUs, Watts  float64
}

// ID returns the name of intent j.
func (w *World) ID(j int) string {
	if w.IDs != nil {
		return w.IDs[j]
	}
	return "i" + strconv.Itoa(j)
}

// Slots returns how many slots there are.
func (w *World) Slots() int {
	if len(w.Carbon) == 0 {
		return 0
	}
	return len(w.Carbon[0])
}

// Cost returns the table of costs: grams for a kilowatt through a slot at a
// site, by cell.
func (w *World) Cost() []float64 {
	hours := w.Slot.Hours()
	table := make([]float64, 0, len(w.Sites)*w.Slots())
	for _, s := range w.Sites {
		for _, c := range w.Carbon[s.Zone] {
			table = append(table, c*s.PUE*hours)
		}
	}
	return table
}

// Instance returns w as the planner takes it. An intent that gets no place is
// charged three times what it would emit in the worst slots it has, and never
// less than a gram. What intents of the same shape have in common is shared,
// so that a million of them fit in little memory.
func (w *World) Instance() *fleet.Instance {
	in := &fleet.Instance{Things: []string{"cpu"}, Cost: [][]float64{w.Cost()}, Jobs: make([]fleet.Job, len(w.Intents))}
	for range w.Slots() {
		in.Hours = append(in.Hours, w.Slot.Hours())
	}
	room := make([]float64, 0, in.Cells())
	for _, s := range w.Sites {
		in.Sites = append(in.Sites, fleet.Site{ID: s.ID, Zone: w.Zones[s.Zone]})
		room = append(room, slices.Repeat([]float64{s.CPUs}, w.Slots())...)
	}
	in.Room = [][]float64{room}

	sites := w.sitesOf()
	ways := map[shape][]fleet.Way{}
	for j := range w.Intents {
		it := &w.Intents[j]
		key := shape{it.Need, it.Region, it.CPUs, it.Watts}
		if ways[key] == nil {
			use := []float64{it.CPUs}
			for _, s := range sites[it.Region] {
				ways[key] = append(ways[key], fleet.Way{Site: s, Need: it.Need, KW: it.Watts / 1000, Use: use})
			}
		}
		job := &in.Jobs[j]
		*job = fleet.Job{Release: it.Release, Due: it.Due, Ways: ways[key]}
		if it.Pauses {
			job.Kind = fleet.Interruptible
		}
	}
	charge(in)
	return in
}

// shape is what decides the ways of an intent.
type shape struct {
	need, region int32
	cpus, watts  float64
}

// sitesOf returns the sites of each region.
func (w *World) sitesOf() [][]int32 {
	all := make([][]int32, len(w.Regions))
	for r, zones := range w.Regions {
		for s := range w.Sites {
			if _, in := slices.BinarySearch(zones, w.Sites[s].Zone); in || len(zones) == 0 {
				all[r] = append(all[r], int32(s))
			}
		}
	}
	return all
}

// Choices returns how many ways an Instance of w has, those that intents share
// counted once: that is most of its memory where intents have no shape in common.
func (w *World) Choices() (n int) {
	sites, seen := w.sitesOf(), map[shape]bool{}
	for j := range w.Intents {
		it := &w.Intents[j]
		key := shape{it.Need, it.Region, it.CPUs, it.Watts}
		if !seen[key] {
			seen[key] = true
			n += len(sites[it.Region])
		}
	}
	return n
}

// charge sets what each job is charged if it has no place.
func charge(in *fleet.Instance) {
	var buf []float64
	for j := range in.Jobs {
		job := &in.Jobs[j]
		worst := 0.0
		for _, way := range job.Ways {
			row := in.Cost[0][in.Cell(way.Site, 0):][:in.Slots()]
			if job.Release < job.Due {
				worst = max(worst, way.KW*dearest(row[job.Release:job.Due], int(way.Need), job.Kind == fleet.Rigid, &buf))
			}
		}
		job.Missing = max(1, 3*worst)
	}
}

// dearest returns the sum of the need dearest values, if adjoining in a row, as
// if what is unknown were nothing. Fewer than need have no sum that counts: 0.
func dearest(values []float64, need int, adjoining bool, buf *[]float64) float64 {
	if len(values) < need {
		return 0
	}
	if need == 1 {
		adjoining = true
	}
	if !adjoining {
		b := append((*buf)[:0], values...)
		*buf = b
		for i, v := range b {
			if math.IsNaN(v) {
				b[i] = 0
			}
		}
		slices.Sort(b)
		return sum(b[len(b)-need:])
	}
	run, most := 0.0, math.Inf(-1)
	for i, v := range values {
		if !math.IsNaN(v) {
			run += v
		}
		if i >= need && !math.IsNaN(values[i-need]) {
			run -= values[i-need]
		}
		if i >= need-1 {
			most = max(most, run)
		}
	}
	return most
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}
