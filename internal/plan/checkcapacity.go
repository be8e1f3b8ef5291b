package plan

import (
	"fmt"
	"slices"
	"sort"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// bill is an amount of each thing that there is at a site: cores, memory, power,
// slots, accelerators of its types in their order, and accelerators of a type
// that it does not have.
type bill [9]int64

const (
	accelerators = 4 // the first of them
	lacking      = 8 // the last
)

// needs is what an item takes of a site, each thing cut to what can be.
func needs(it Item, st Site) (n bill) {
	r := it.Shape.Demand
	for i, v := range []int64{r.CPU, r.Memory, int64(r.Power), r.Slots} {
		n[i] = max(0, min(v, 1<<53))
	}
	for _, g := range r.GPUs {
		if g.Count <= 0 {
			continue
		}
		at := lacking
		for i := len(st.Capacity.GPUs) - 1; i >= 0; i-- {
			if st.Capacity.GPUs[i].Type == g.Type && g.Type != "" {
				at = 4 + i
			}
		}
		n[at] = min(g.Count, 1<<46)
		break
	}
	return n
}

// has is what a site has of each; below 0 it has no end. Of a site of which only
// the name is left, nobody knows that it has an end of anything.
func has(st Site) (n bill) {
	r := st.Capacity
	for i, v := range []int64{r.CPU, r.Memory, int64(r.Power), r.Slots} {
		if n[i] = max(0, min(v, 1<<53-1)); v == 1<<63-1 {
			n[i] = -1
		}
	}
	for i, g := range r.GPUs {
		n[4+i] = max(0, min(g.Count, 1<<46-1))
	}
	if st.Capacity.GPUs == nowhere {
		n[lacking] = -1
	}
	return n
}

// nowhere marks the accelerators of a site that is gone.
var nowhere = [workload.MostGPUs]workload.GPU{{Count: -1}}

// where returns the site of a placement. One that is gone has a name only.
func (d *doubt) where(id string) Site {
	if st, ok := d.sites[id]; ok {
		return st
	}
	st := Site{ID: id, PUE: 1000, Down: true}
	st.Capacity.CPU, st.Capacity.Memory, st.Capacity.Power, st.Capacity.Slots = 1<<63-1, 1<<63-1, grid.Power(1<<63-1), 1<<63-1
	st.Capacity.GPUs = nowhere
	return st
}

// capacity sweeps over every site: wherever more is taken than there is, all
// that take part of it must have an excuse.
func (d *doubt) capacity() error {
	for _, id := range slices.Sorted(keys(d.taken)) {
		room := has(d.where(id))
		for r := range room {
			if room[r] < 0 {
				continue
			}
			for _, w := range crowd(d.taken[id], r, room[r]) {
				d.crowd[w] = true
				if why := d.couldMove(d.item(w)); why != "" {
					return &Broken{w, KeptCapacity, fmt.Sprintf("%s has too little room for it, %s", id, why)}
				}
			}
		}
	}
	return nil
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// crowd names the workloads that have a claim on resource r at an instant at
// which all claims together are more than room.
func crowd(claims []claim, r int, room int64) []string {
	// 1. When it is too full. 2. Who is there then.
	var full []period
	all := tides(claims)
	for i, l := range all {
		if l.use[r] > room { // never at the last one, which is of nothing
			full = append(full, period{l.from, all[i+1].from})
		}
	}
	crowded := map[string]bool{}
	for _, c := range claims {
		if c.need[r] <= 0 || !c.from.Before(c.to) {
			continue
		}
		i := sort.Search(len(full), func(i int) bool { return full[i].to.After(c.from) })
		if i < len(full) && full[i].from.Before(c.to) {
			crowded[c.workload] = true
		}
	}
	return slices.Sorted(keys(crowded))
}
