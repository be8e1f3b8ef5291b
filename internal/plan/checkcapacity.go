package plan

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"clusy.io/clusy/internal/grid"
)

// needs is what an item takes of a site, each thing cut to what can be.
func needs(it Item) (n [4]int64) {
	r := it.Shape.Demand
	for i, v := range []int64{r.CPU, r.Memory, int64(r.Power), r.Slots} {
		n[i] = max(0, min(v, 1<<53))
	}
	return n
}

// has is what a site has of each; below 0 it has no end.
func has(st Site) (n [4]int64) {
	r := st.Capacity
	for i, v := range []int64{r.CPU, r.Memory, int64(r.Power), r.Slots} {
		if n[i] = max(0, min(v, 1<<53-1)); v == 1<<63-1 {
			n[i] = -1
		}
	}
	return n
}

// where returns the site of a placement. One that is gone has a name only.
func (d *doubt) where(id string) Site {
	if st, ok := d.sites[id]; ok {
		return st
	}
	st := Site{ID: id, PUE: 1000, Down: true}
	st.Capacity.CPU, st.Capacity.Memory, st.Capacity.Power, st.Capacity.Slots = 1<<63-1, 1<<63-1, grid.Power(1<<63-1), 1<<63-1
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
				if why := d.couldMove(d.items[w]); why != "" {
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
	type edge struct {
		at   time.Time
		sign int64
		c    claim
	}
	var edges []edge
	for _, c := range claims {
		if c.need[r] > 0 && c.from.Before(c.to) {
			edges = append(edges, edge{c.from, 1, c}, edge{c.to, -1, c})
		}
	}
	sort.SliceStable(edges, func(i, j int) bool {
		if !edges[i].at.Equal(edges[j].at) {
			return edges[i].at.Before(edges[j].at)
		}
		return edges[i].sign < edges[j].sign // what ends makes room for what begins
	})
	var sum int64
	var inside []string
	crowded := map[string]bool{}
	for i, e := range edges {
		sum += e.sign * e.c.need[r]
		if e.sign > 0 {
			inside = append(inside, e.c.workload)
		} else if n := slices.Index(inside, e.c.workload); n >= 0 {
			inside = slices.Delete(inside, n, n+1)
		}
		if sum > room && (i+1 == len(edges) || edges[i+1].at.After(e.at)) {
			for _, w := range inside {
				crowded[w] = true
			}
		}
	}
	return slices.Sorted(keys(crowded))
}
