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
	// memory: a plan of so many, made and doubted, takes some twelve seconds
	// of a busy core and about 250 MB, both of which grow with their number. Beyond it the plan is as each
	// item would have it in turn.
	steerMost = 20_000
	// steerPasses is how often all items are asked again. More would better the
	// prices by little; the last of the plan is bettered here, in exact time.
	steerPasses = 30
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
	// What is expected comes after all that is here.
	later := f.awaited(steerMost - len(moving))
	f.fill(later, f.cleanest)
	left := f.stays(later)
	f.lift(later)
	f.lift(moving)
	scarce := f.scarce(moving, was)
	if !scarce && len(later) == 0 {
		f.restore(moving, was)
		return f.step, nil
	}
	m := f.exchange(moving)
	if m.in.Validate() != nil {
		// Whatever is odd about it, prices are a gain that one can do without.
		f.restore(moving, was)
		return f.step, nil
	}
	// 2. Prices. Those of the certificate know nothing of what is expected.
	var s fleet.Solution
	if scarce {
		s = fleet.Solve(m.in, fleet.Options{Passes: steerPasses, Par: f.Par})
		prices = m.prices(s.Prices)
	}
	all := append(slices.Clip(moving), later...)
	if len(later) > 0 {
		if m = f.exchange(all); m.in.Validate() != nil {
			f.restore(moving, was)
			return m.step, prices
		}
		s = fleet.Solve(m.in, fleet.Options{Passes: steerPasses, Par: f.Par})
	}
	// 3. Places by them; 4. and back, if that is not better by enough.
	f.resettle(m, &s, len(moving))
	f.better(all)
	f.evict(moving)
	gain := toll(revert(later, left), m.worst, m.step) - toll(later, m.worst, m.step)
	f.lift(later)
	if pays := f.pays(moving, was, gain); pays && len(later) > 0 {
		f.spare(moving)
	} else if !pays {
		for _, t := range moving {
			if t.placed {
				f.take(t)
			}
		}
		f.restore(moving, was)
	}
	return m.step, prices
}

// lift takes out all of ts that have a place.
func (f *frame) lift(ts []*task) {
	for _, t := range ts {
		if t.placed {
			f.take(t)
		}
	}
}

// revert returns copies of ts as they were; nothing is booked.
func revert(ts []*task, was []stay) []*task {
	out := make([]*task, len(ts))
	for i, t := range ts {
		c := *t
		c.placed, c.at = was[i].placed, was[i].at
		out[i] = &c
	}
	return out
}

// scarce reports whether any of ts, which are all taken out, would rather be
// elsewhere if the others were not there: if not, nothing has a price.
func (f *frame) scarce(ts []*task, was []stay) bool {
	for i, t := range ts {
		if !was[i].placed {
			return true
		}
		c, _ := f.choose(t, t.sites, waiver{})
		if c != nil && c.known && c.carbon < was[i].at.carbon {
			return true
		}
	}
	return false
}

// movable lists the items that have a place and whose place is a matter of
// carbon, and those that found none; the least slack first.
func (f *frame) movable() (out []*task) {
	for _, t := range f.tasks {
		if t.chained() || t.Running || t.lost || t.elastic() || !t.cleans() || t.power == 0 || !f.anywhere(t) {
			continue
		}
		if t.placed && (t.flaw != sound || !t.at.known || t.by == BindingMinSaving || t.by == BindingNoSignal || !slices.Contains(t.sites, t.at.site)) {
			continue
		}
		if !t.placed && (t.promised || f.hopeless(t)) {
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

// exchange is the movable part of a frame as an instance of package fleet.
type exchange struct {
	*frame
	in     *fleet.Instance
	step   time.Duration // of its slots
	worst  float64       // what a kilowatt costs in the dirtiest cell
	things []Thing       // that any site can run out of
	tasks  []*task       // by job
	ways   [][]spot      // where each way is, and on what hardware, by job
}

// exchange makes the instance of ts, none of which is placed.
func (f *frame) exchange(ts []*task) *exchange {
	m := &exchange{frame: f, tasks: ts}
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
	for _, v := range table {
		if v > m.worst {
			m.worst = v
		}
	}
	for _, t := range ts {
		m.in.Jobs = append(m.in.Jobs, m.job(t))
	}
	return m
}

// furnish lists what is scarce, and the room there is of it: in each slot the
// least that is left at any time of it.
func (m *exchange) furnish(slots int) {
	for r := range things {
		scarce := slices.ContainsFunc(m.places, func(p *place) bool { return p.room[r] != workload.Unlimited }) &&
			slices.ContainsFunc(m.tasks, func(t *task) bool { return m.wants(t, func(v *task) bool { return v.demand[r] > 0 }) })
		if scarce || r == len(things)-1 && len(m.things) == 0 {
			m.things = append(m.things, things[r])
		}
	}
	m.things = append(m.things, m.cardsWanted()...)
	for _, of := range m.things {
		m.in.Things = append(m.in.Things, string(of))
	}
	for _, of := range m.things {
		room := make([]float64, 0, m.in.Cells())
		for _, p := range m.places {
			r := p.thing(of)
			for i := range slots {
				if r < 0 || p.roomOf(r) == workload.Unlimited {
					// What has no end has no price; where a type is not there,
					// nothing that is for it is looked at.
					room = append(room, math.Inf(1))
					continue
				}
				left := p.roomOf(r)
				a := time.Duration(i) * m.step
				p.pieces(r, m.off+a, m.off+a+m.step, func(_, _ time.Duration, use int64) { left = min(left, p.roomOf(r)-use) })
				room = append(room, float64(max(left, 0)))
			}
		}
		m.in.Room = append(m.in.Room, room)
	}
}

// job is a task on the grid of slots: with its booked time rounded up to whole
// slots, and its energy spread over them. Rules of pausing are left to the
// frame; prices are as if pauses were free.
func (m *exchange) job(t *task) fleet.Job {
	j := fleet.Job{
		Release: int32((m.slot(t.first) + m.step - 1) / m.step),
		Due:     int32(min(max(t.limit/m.step, 0), time.Duration(len(m.in.Hours)))),
	}
	if t.Shape.Interruptible.Allowed {
		j.Kind = fleet.Interruptible
	}
	j.Denied = m.keepOut(t.denied)
	var ways []spot
	for t := range m.kinds(t) {
		booked := t.left + t.lead + t.tail
		need := max(int32((booked+m.step-1)/m.step), 1)
		use := make([]float64, len(m.things))
		for i, of := range m.things {
			if r := slices.Index(things[:], of); r >= 0 {
				use[i] = float64(t.demand[r])
			} else if t.gpu.Count > 0 && gpuThing(t.gpu.Type) == of {
				use[i] = float64(t.gpu.Count)
			}
		}
		kw := float64(t.power) / 1e6 * float64(t.left+t.lead) / float64(time.Duration(need)*m.step)
		for _, site := range t.sites {
			if m.apt(t, site) {
				w := fleet.Way{Site: int32(site), Need: need, KW: kw, Use: use}
				m.bring(t, site, &w)
				j.Ways = append(j.Ways, w)
				ways = append(ways, spot{site, t.way})
			}
		}
		// To have no place is worse than the worst of all places.
		j.Missing = max(j.Missing, 3*(m.worst*kw*float64(need)+1))
	}
	m.ways = append(m.ways, ways)
	return j
}

// keepOut lists the slots that touch what is denied, and returns its number; 0
// if nothing is.
func (m *exchange) keepOut(denied []stretch) int32 {
	var spans []fleet.Span
	slots := time.Duration(len(m.in.Hours))
	for _, d := range denied {
		from, to := max(d.from, 0)/m.step, min((d.to+m.step-1)/m.step, slots)
		if n := len(spans); n > 0 && int32(from) <= spans[n-1].To {
			spans[n-1].To = max(spans[n-1].To, int32(to))
			continue
		}
		if from < to {
			spans = append(spans, fleet.Span{From: int32(from), To: int32(to)})
		}
	}
	if len(spans) == 0 {
		return 0
	}
	if n := len(m.in.Denied); n == 0 || !slices.Equal(m.in.Denied[n-1], spans) {
		m.in.Denied = append(m.in.Denied, spans)
	}
	return int32(len(m.in.Denied))
}

// prices puts prices into the words of a certificate.
func (m *exchange) prices(p fleet.Prices) (out []Price) {
	slots := len(m.in.Hours)
	for i, site := range m.places {
		for k, of := range m.things {
			r := site.thing(of)
			if r < 0 || site.roomOf(r) == workload.Unlimited {
				continue
			}
			at := p[k][i*slots : (i+1)*slots]
			if slices.ContainsFunc(at, func(v float64) bool { return v > 0 }) {
				out = append(out, Price{Site: site.ID, Thing: of, PerSlot: slices.Clone(at)})
			}
		}
	}
	return out
}

// resettle places the tasks of m anew: as the solution says where that can be
// said exactly, and the others at the best place that those leave. The first so
// many are here, and go before those that are expected.
func (f *frame) resettle(m *exchange, s *fleet.Solution, here int) {
	var others []*task
	settle := func() {
		for _, t := range others {
			if c := f.cleanest(t); c != nil {
				f.put(t, *c, t.by)
			}
		}
		others = nil
	}
	for j, t := range m.tasks {
		if j == here {
			settle()
		}
		runs := m.runs(j, s.Of(j))
		if runs == nil {
			others = append(others, t)
			continue
		}
		at := m.ways[j][s.Of(j)[0].Way]
		if c := f.measure(f.on(t, at.way), at.site, runs); f.fits(t, c) {
			f.put(t, c, BindingNone)
		} else {
			others = append(others, t)
		}
	}
	settle()
}

// runs returns the runs of job j in time; nil if a pause has a rule, or if it
// has no place.
func (m *exchange) runs(j int, runs []fleet.Run) (out []stretch) {
	t := m.tasks[j]
	if len(runs) == 0 || t.Shape.Objective.MinSaving > 0 || t.ruled() {
		return nil
	}
	t = m.on(t, m.ways[j][runs[0].Way].way)
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
// those that they had: all that had a place have one, and together they emit
// less, by as much as would be worth moving each promise that moves. Or another
// one has found a place by it: then what is promised goes back to where it was,
// wherever that is still free.
//
// What else is gained by it, with work that is expected, counts too.
func (f *frame) pays(ts []*task, was []stay, more grid.Carbon) bool {
	found := false
	for i, t := range ts {
		switch {
		case was[i].placed && (!t.placed || t.flaw != sound || !t.at.known):
			return false
		case t.placed && !was[i].placed:
			found = true
		}
	}
	if found {
		for i, t := range ts {
			if !t.promised || !t.placed || same(t.at, was[i].at) {
				continue
			}
			now, by := t.at, t.by
			if f.take(t); f.fits(t, was[i].at) {
				f.put(t, was[i].at, was[i].by)
			} else {
				f.put(t, now, by)
			}
		}
		return true
	}
	gain, need := more, grid.Carbon(0)
	for i, t := range ts {
		if t.placed {
			gain += was[i].at.carbon - t.at.carbon
			if !same(t.at, was[i].at) {
				need += t.worth(was[i].at)
			}
		}
	}
	return gain > 0 && gain >= need
}
