package fleet

import (
	"cmp"
	"math"
	"slices"
)

// Ramps are kept at the end, by a greedy: prices know nothing of them, and the
// bound neither. Jobs take their places in order of time, as a herd would come
// through a gate, or the large ones first; who would make the load rise too fast chooses anew, where it
// may begin. What is put in only afterwards cannot make the load rise too fast
// anywhere but where it begins, so whoever is in stays in.

// ramped reports whether any ramp of in is a limit.
func (in *Instance) ramped() bool {
	for _, ramp := range in.Ramp {
		for _, v := range ramp {
			if !math.IsInf(v, 1) {
				return true
			}
		}
	}
	return false
}

// unit is a family with its place, while ramps are kept.
type unit struct {
	party
	begin int32
	moved bool // it could not keep its place
	in    bool // it has been put where its runs are
}

// stagger returns the plan out with no ramp broken: the best of two orders, by
// time, and large jobs before small ones.
func stagger(in *Instance, out Solution) Solution {
	size := func(u *unit) float64 {
		most := 0.0
		for _, j := range u.family.jobs {
			for _, v := range in.Jobs[j].Ways[0].Use {
				most = math.Max(most, v)
			}
		}
		return most
	}
	units := unitsOf(in, &out)
	slices.SortStableFunc(units, func(a, b unit) int { return cmp.Compare(a.begin, b.begin) })
	best := through(in, out, slices.Clone(units))
	slices.SortStableFunc(units, func(a, b unit) int { return cmp.Compare(size(&b), size(&a)) })
	if other := through(in, out, units); other.Cost+other.Missing < best.Cost+best.Missing {
		return other
	}
	return best
}

// through lets the units of a plan in, in their order.
func through(in *Instance, out Solution, units []unit) Solution {
	d := newDesk(in)
	d.price, d.firm = out.Prices, true
	d.room = make([][]float64, len(in.Things))
	d.rise = make([][]float64, len(in.Things))
	for r := range d.room {
		d.room[r] = append([]float64(nil), in.Room[r]...)
		d.rise[r] = make([]float64, in.Cells())
		for c := range d.rise[r] {
			d.rise[r][c] = math.Inf(1)
			if c%in.Slots() > 0 && in.Ramp[r] != nil {
				d.rise[r][c] = in.Ramp[r][c/in.Slots()]
			}
		}
	}

	// 1. All take the places they have, if they may.
	for i := range units {
		u := &units[i]
		if u.runs != nil && d.admit(u) {
			u.in = true
			continue
		}
		u.moved = true
		d.replace(u)
	}

	// 2. Those who may not have them gave way to others who moved later. At the
	// end what is paid no longer counts.
	for round := range 3 {
		if round == 2 {
			d.price = nil
		}
		for i := range units {
			if u := &units[i]; u.moved {
				d.replace(u)
			}
		}
	}
	return planned(in, out, units)
}

// unitsOf returns the jobs of a plan, tied ones together.
func unitsOf(in *Instance, out *Solution) []unit {
	tied := make([]bool, len(in.Jobs))
	var units []unit
	add := func(q party) {
		u := unit{party: q, begin: math.MaxInt32}
		for i, j := range q.family.jobs {
			tied[j] = true
			runs := out.Of(int(j))
			if len(runs) == 0 {
				continue
			}
			if u.runs == nil {
				u.runs = make([][]Run, len(q.family.jobs))
			}
			u.runs[i] = append([]Run(nil), runs...)
			u.begin = min(u.begin, runs[0].From)
		}
		units = append(units, u)
	}
	for _, q := range groups(in) {
		add(q)
	}
	for j := range in.Jobs {
		if !tied[j] {
			add(partyOf(family{jobs: []int32{int32(j)}}))
		}
	}
	return units
}

// admit puts a unit where it has its place, if there is room and it may begin
// there; else it changes nothing and returns false.
func (d *desk) admit(u *unit) bool {
	type part struct {
		j   int32
		run Run
	}
	var all []part
	for i, runs := range u.runs {
		for _, r := range runs {
			all = append(all, part{u.family.jobs[i], r})
		}
	}
	slices.SortStableFunc(all, func(a, b part) int { return cmp.Compare(a.run.From, b.run.From) })
	for n, p := range all {
		one := []Run{p.run}
		if d.fits(p.j, p.run) {
			d.put(p.j, one, 1)
			continue
		}
		for n--; n >= 0; n-- {
			d.put(all[n].j, []Run{all[n].run}, -1)
		}
		return false
	}
	return true
}

// fits reports whether job j may run as r says: there is room, and it may begin.
func (d *desk) fits(j int32, r Run) bool {
	_, use := d.in.draws(j, r)
	base := d.in.Cell(d.in.Jobs[j].Ways[r.Way].Site, 0)
	for thing, u := range use {
		if u == 0 {
			continue
		}
		if u > d.rise[thing][base+int(r.From)]+slack {
			return false
		}
		for t := r.From; t < r.To; t++ {
			if u > d.room[thing][base+int(t)]+2*hair(d.in.Room[thing][base+int(t)]) {
				return false
			}
		}
	}
	return true
}

// replace takes a unit out, if the load then rises nowhere too fast, and puts it
// where it costs least.
func (d *desk) replace(u *unit) {
	if u.in {
		for i, runs := range u.runs {
			d.put(u.family.jobs[i], runs, -1)
		}
		for i, runs := range u.runs {
			if d.missed(u.family.jobs[i], runs) {
				for i, runs := range u.runs {
					d.put(u.family.jobs[i], runs, 1)
				}
				return
			}
		}
	}
	if ans, total := d.party(&u.family); !u.in || total < d.comesTo(&u.party) {
		u.write(ans)
	}
	u.in = true
	for i, runs := range u.runs {
		d.put(u.family.jobs[i], runs, 1)
	}
}

// planned writes the places of the units as a plan at the prices of out.
func planned(in *Instance, out Solution, units []unit) Solution {
	runs := make([][]Run, len(in.Jobs))
	for i := range units {
		for k, rs := range units[i].runs {
			runs[units[i].family.jobs[k]] = rs
		}
	}
	out.First, out.Runs, out.Unplaced = []uint32{0}, nil, 0
	var cost, missing balance
	for j, rs := range runs {
		out.Runs = append(out.Runs, rs...)
		out.First = append(out.First, uint32(len(out.Runs)))
		if len(rs) == 0 {
			out.Unplaced++
			missing.add(in.Jobs[j].Missing)
		} else {
			cost.add(in.cost(j, rs))
		}
	}
	out.Cost, out.Missing = cost.sum(), missing.sum()
	return out
}
