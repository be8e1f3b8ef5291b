package plan

import (
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/workload"
)

const (
	// steerMost is for how many items prices are looked for. It bounds time and
	// memory; beyond it the plan is as each item would have it in turn.
	steerMost = 3_000
	// priceSlots is about how many slots prices have: with more, they are of
	// several slots of the plan each.
	priceSlots = 720
)

// steer betters the plan as a whole. An item that takes the cleanest hours
// because it comes first may cost the others more than it saves. So it looks
// for the prices at which the sites' room goes to those that gain most by it
// (package fleet), places the items anew as those prices say, and keeps what
// comes of it if all together emit less by enough. It returns the prices, which
// certify either plan.
func (f *frame) steer() (step time.Duration, prices []Price) {
	// 1. What may move, and what of each site is left for it.
	moving := f.movable()
	if len(moving) == 0 || len(moving) > steerMost {
		return f.step, nil
	}
	was := f.stays(moving)
	for _, t := range moving {
		if t.placed {
			f.take(t)
		}
	}
	m := f.market(moving)
	// 2. Prices.
	s := fleet.Solve(m.in, fleet.Options{})
	prices = m.prices(s.Prices)
	// 3. Places by them; 4. and back, if that is not better by enough.
	if !f.resettle(m, &s) || !f.pays(moving, was) {
		for _, t := range moving {
			if t.placed {
				f.take(t)
			}
		}
		f.restore(moving, was)
	}
	return m.step, prices
}

// movable lists the items that have a place and whose place is a matter of
// carbon, and those that found none; the least slack first.
func (f *frame) movable() (out []*task) {
	for _, t := range f.tasks {
		if t.Running || t.lost || !t.cleans() || t.power == 0 || len(t.sites) == 0 {
			continue
		}
		if t.placed && (t.flaw != sound || !t.at.known || t.by == BindingMinSaving || t.by == BindingNoSignal || !slices.Contains(t.sites, t.at.site)) {
			continue
		}
		if !t.placed && (t.promised || t.limit-t.tail-t.left-t.lead < 0) {
			continue
		}
		out = append(out, t)
	}
	slices.SortFunc(out, bySlack)
	return out
}

// stay is where a task was.
type stay struct {
	placed bool
	at     candidate
	by     Binding
	near   bool
}

func (f *frame) stays(ts []*task) []stay {
	out := make([]stay, len(ts))
	for i, t := range ts {
		out[i] = stay{t.placed, t.at, t.by, t.near}
	}
	return out
}

func (f *frame) restore(ts []*task, was []stay) {
	for i, t := range ts {
		if was[i].placed {
			f.put(t, was[i].at, was[i].by)
		}
		t.near = was[i].near
	}
}

// market is the movable part of a frame as an instance of package fleet.
type market struct {
	*frame
	in     *fleet.Instance
	step   time.Duration // of its slots
	things []int         // that any site can run out of
	tasks  []*task       // by job
	ways   [][]int       // the place of each way, by job
}

// market makes the instance of ts, none of which is placed.
func (f *frame) market(ts []*task) *market {
	m := &market{frame: f, tasks: ts}
	n := (f.slots + priceSlots - 1) / priceSlots
	m.step = f.step * time.Duration(n)
	slots := (f.slots + n - 1) / n
	m.in = &fleet.Instance{Hours: make([]float64, slots)}
	for i := range m.in.Hours {
		m.in.Hours[i] = m.step.Hours()
	}
	for _, p := range f.places {
		m.in.Sites = append(m.in.Sites, fleet.Site{ID: p.ID, Zone: string(p.Zone)})
	}
	m.furnish(slots)
	table := make([]float64, 0, m.in.Cells())
	for _, p := range f.places {
		sums, known := p.curve.each(slots, m.step, m.step)
		for i, sum := range sums {
			v := math.NaN()
			if known[i] {
				// Milligrams for a kilowatt: mg/kWh × ms × PUE.
				v = float64(sum) / 3.6e6 * float64(p.pue) / 1000
			}
			table = append(table, v)
		}
	}
	m.in.Cost = [][]float64{table}
	for _, t := range ts {
		m.in.Jobs = append(m.in.Jobs, m.job(t))
	}
	return m
}

// furnish lists what is scarce, and the room there is of it: in each slot the
// least that is left at any time of it.
func (m *market) furnish(slots int) {
	for r := range things {
		scarce := slices.ContainsFunc(m.places, func(p *place) bool { return p.room[r] != workload.Unlimited }) &&
			slices.ContainsFunc(m.tasks, func(t *task) bool { return t.demand[r] > 0 })
		if scarce || r == len(things)-1 && len(m.things) == 0 {
			m.things = append(m.things, r)
			m.in.Things = append(m.in.Things, string(things[r]))
		}
	}
	for _, r := range m.things {
		room := make([]float64, 0, m.in.Cells())
		for _, p := range m.places {
			for i := range slots {
				if p.room[r] == workload.Unlimited {
					room = append(room, math.Inf(1))
					continue
				}
				left := p.room[r]
				a := time.Duration(i) * m.step
				p.load.pieces(m.off+a, m.off+a+m.step, func(_, _ time.Duration, use amounts) { left = min(left, p.room[r]-use[r]) })
				room = append(room, float64(max(left, 0)))
			}
		}
		m.in.Room = append(m.in.Room, room)
	}
}

// job is a task on the grid of slots: with its booked time rounded up to whole
// slots, and its energy spread over them. Rules of pausing are left to the
// frame; prices are as if pauses were free.
func (m *market) job(t *task) fleet.Job {
	booked := t.left + t.lead + t.tail
	need := max(int32((booked+m.step-1)/m.step), 1)
	j := fleet.Job{
		Release: int32((m.slot(t.first) + m.step - 1) / m.step),
		Due:     int32(min(max(t.limit/m.step, 0), time.Duration(len(m.in.Hours)))),
	}
	if t.Shape.Interruptible.Allowed {
		j.Kind = fleet.Interruptible
	}
	use := make([]float64, len(m.things))
	for i, r := range m.things {
		use[i] = float64(t.demand[r])
	}
	kw := float64(t.power) / 1e6 * float64(t.left+t.lead) / float64(time.Duration(need)*m.step)
	var ways []int
	for _, site := range t.sites {
		j.Ways = append(j.Ways, fleet.Way{Site: int32(site), Need: need, KW: kw, Use: use})
		ways = append(ways, site)
	}
	m.ways = append(m.ways, ways)
	worst := 0.0
	for _, v := range m.in.Cost[0] {
		if v > worst {
			worst = v
		}
	}
	j.Missing = 3 * (worst*kw*float64(need) + 1)
	return j
}

// prices puts prices into the words of a certificate.
func (m *market) prices(p fleet.Prices) (out []Price) {
	slots := len(m.in.Hours)
	for i, site := range m.places {
		for k, r := range m.things {
			if site.room[r] == workload.Unlimited {
				continue
			}
			of := p[k][i*slots : (i+1)*slots]
			if slices.ContainsFunc(of, func(v float64) bool { return v > 0 }) {
				out = append(out, Price{Site: site.ID, Thing: things[r], PerSlot: slices.Clone(of)})
			}
		}
	}
	return out
}

// resettle places the tasks of m anew: as the solution says where it can be
// said exactly, and else at the best place at its prices. It returns false if
// one that had a place, or a promise, found none.
func (f *frame) resettle(m *market, s *fleet.Solution) bool {
	var others []*task
	for j, t := range m.tasks {
		runs := m.runs(j, s.Of(j))
		if runs == nil {
			others = append(others, t)
			continue
		}
		if c := f.measure(t, m.ways[j][s.Of(j)[0].Way], runs); f.fits(t, c) {
			f.put(t, c, BindingNone)
		} else {
			others = append(others, t)
		}
	}
	for _, t := range others {
		if c := f.cleanest(t); c != nil {
			f.put(t, *c, t.by)
		}
	}
	return true
}

// runs returns the runs of job j in time; nil if a pause has a rule, or if it
// has no place.
func (m *market) runs(j int, runs []fleet.Run) (out []stretch) {
	t := m.tasks[j]
	in := t.Shape.Interruptible
	if len(runs) == 0 || t.Shape.Objective.MinSaving > 0 || in.Allowed && (in.Overhead > 0 || in.MinRun > 0 || t.pauses != anyPauses) {
		return nil
	}
	left := t.left + t.lead
	for _, r := range runs {
		from, to := time.Duration(r.From)*m.step, time.Duration(r.To)*m.step
		to = min(to, from+left)
		if left -= to - from; to > from {
			out = append(out, stretch{from, to})
		}
	}
	return out
}

// pays reports whether the places that ts have now are worth moving to from
// those that they had: nothing is lost, and all together emit less; by as much,
// if promises move, as would be worth moving each of them.
func (f *frame) pays(ts []*task, was []stay) bool {
	f.better(ts)
	f.evict(ts)
	var gain, need grid.Carbon
	found := 0
	for i, t := range ts {
		if was[i].placed && !t.placed {
			return false
		}
		if !t.placed {
			continue
		}
		if !was[i].placed {
			found++
			continue
		}
		if t.flaw != sound || !t.at.known {
			return false
		}
		gain += was[i].at.carbon - t.at.carbon
		if t.promised && !same(t.at, was[i].at) {
			need += leastCarbon + was[i].at.carbon*leastShare/1000
		}
	}
	return found > 0 || gain > 0 && gain >= need
}
