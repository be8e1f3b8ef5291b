// Package online plans a fleet whose jobs are not known before they arrive. It
// is the law of the loop, with nothing else around it: in each slot the jobs that
// have arrived are planned together with jobs that may be expected, such as those
// of last week, so that work which can wait leaves the clean hours to work that
// is still to come and cannot. Only what begins in the slot is carried out.
//
// Whoever is admitted holds a place from then on. A new plan is taken only if it
// has a place for each of them; so forecasts may err and jobs may pour in, and
// nobody is late, unless the world breaks a site under them.
package online

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"clusy.io/clusy/internal/plan/fleet"
)

// Options is how the jobs of an instance are let in and planned.
type Options struct {
	// Every is how many slots lie between two plans; 0 is 1. Jobs that arrive in
	// between get the best place that is left.
	Every int
	// Ahead is how many slots a plan looks ahead; 0 is as far as any job's due.
	Ahead int
	// Virtual returns jobs that may be expected to arrive in (slot, until). Their
	// slots are counted as those of the instance. Nil: none are expected.
	Virtual func(slot, until int) []fleet.Job
	// Expected returns a table of costs by cell as it is expected in a slot, in the
	// form of Instance.Cost. Nil: as it comes.
	Expected func(slot int) [][]float64
	// Down tells which sites are dead in a slot. What has begun there is lost, and
	// begins again. Nil: none.
	Down func(site, slot int) bool

	Passes int                        // of fleet.Solve; 0 is 4: what is planned anew in a slot need not be perfect
	Gap    float64                    // of fleet.Solve
	Par    func(n int, f func(i int)) // of fleet.Solve
	// Passed is told of each slot; an error of it ends the run. May be nil.
	Passed func(slot int) error
}

// Outcome is what became of the jobs.
type Outcome struct {
	Runs     [][]fleet.Run // by job
	Cost     float64       // at what came
	Refused  int           // could not be promised what they asked for; they took the nearest due
	Late     int           // of those promised, later than that, and no site died under them
	Broken   int           // late as a site died under them, or kept the room that those needed
	Hit      int           // had their place at a site that died
	Hopeless int           // of them, those that could not be in time anywhere from then on
	Plans    int           // that were made
	Kept     int           // of them, those not taken, as someone would have lost his place
	Due      []int32       // by when each was promised
	Unplaced int           // of those refused, or whose site died, that never found a place in the slots there are
}

// guest is a job that has arrived and is not complete.
type guest struct {
	job   int
	left  int32 // slots of work
	way   int16 // that it has begun, or holds; -1: none
	begun bool
	hit   bool
	asks  bool        // it has arrived, and is not promised anything yet
	gone  bool        // it was refused, and no time was left to offer
	runs  []fleet.Run // its place from now on; none: it has none
}

type house struct {
	in    *fleet.Instance
	o     Options
	out   Outcome
	open  []*guest
	used  [][]float64 // by thing and cell: what runs and what is promised
	dead  []bool
	warm  fleet.Prices
	from  int // slot of warm
	ahead int
	costs [][]float64 // as expected now
}

// Run lets the jobs of in arrive at their Release, each unknown before.
func Run(in *fleet.Instance, o Options) (Outcome, error) {
	if err := in.Validate(); err != nil {
		return Outcome{}, err
	}
	h := &house{in: in, o: o, dead: make([]bool, len(in.Sites)), ahead: o.Ahead}
	h.o.Every = max(o.Every, 1)
	if o.Passes == 0 {
		h.o.Passes = 4
	}
	h.out.Runs, h.out.Due = make([][]fleet.Run, len(in.Jobs)), make([]int32, len(in.Jobs))
	for range in.Things {
		h.used = append(h.used, make([]float64, in.Cells()))
	}
	order := make([]int, len(in.Jobs))
	for j := range in.Jobs {
		job := &in.Jobs[j]
		if job.Kind == fleet.Elastic || job.Resume > 0 || job.MinRun > 1 || job.Pauses > 0 || len(in.After) > 0 {
			return Outcome{}, fmt.Errorf("job %d has rules that are not planned online: only rigid work and work that pauses freely", j)
		}
		order[j], h.out.Due[j] = j, job.Due
		if o.Ahead == 0 {
			h.ahead = max(h.ahead, int(job.Due-job.Release)+1)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(in.Jobs[a].Release, in.Jobs[b].Release) })
	for t := range in.Slots() {
		if len(order) == 0 && len(h.open) == 0 {
			break
		}
		n := 0
		for n < len(order) && int(in.Jobs[order[n]].Release) <= t {
			n++
		}
		h.turn(t, order[:n])
		order = order[n:]
		if o.Passed != nil {
			if err := o.Passed(t); err != nil {
				return h.out, err
			}
		}
	}
	h.out.Unplaced += len(h.open) + len(order)
	for _, g := range h.open {
		h.lost(g)
	}
	return h.out, nil
}

// lost counts a job that is not complete when there are no slots left.
func (h *house) lost(g *guest) {
	if g.hit {
		h.out.Broken++
	} else {
		h.out.Late++
	}
}

// turn lets a slot pass.
func (h *house) turn(t int, fresh []int) {
	h.costs = h.in.Cost
	if h.o.Expected != nil {
		h.costs = h.o.Expected(t)
	}
	h.strike(t)
	h.admit(t, fresh)
	if t%h.o.Every == 0 && len(h.open) > 0 {
		h.replan(t)
	}
	h.refuse(t)
	h.pass(t)
}

// book enters the place of a guest, or takes it out.
func (h *house) book(g *guest, t int, sign float64) {
	for _, r := range g.runs {
		way := &h.in.Jobs[g.job].Ways[r.Way]
		for s := max(r.From, int32(t)); s < r.To; s++ {
			cell := h.in.Cell(way.Site, s)
			for k, u := range way.Use {
				h.used[k][cell] += sign * u
			}
		}
	}
}

// strike lets sites die and come back. Who had a place there gets another one,
// least slack first.
func (h *house) strike(t int) {
	if h.o.Down == nil {
		return
	}
	var homeless []*guest
	for _, g := range h.open {
		if len(g.runs) == 0 {
			homeless = append(homeless, g)
		}
	}
	for s := range h.dead {
		was := h.dead[s]
		h.dead[s] = h.o.Down(s, t)
		if was || !h.dead[s] {
			continue
		}
		for _, g := range h.open {
			job := &h.in.Jobs[g.job]
			if len(g.runs) == 0 || int(job.Ways[g.runs[0].Way].Site) != s {
				continue
			}
			h.book(g, t, -1)
			g.runs = nil
			if !g.hit {
				h.out.Hit++
				if int32(t)+job.Ways[0].Need > h.out.Due[g.job] {
					h.out.Hopeless++
				}
			}
			g.hit, g.begun, g.left = true, false, job.Ways[0].Need
			h.out.Runs[g.job] = nil
			homeless = append(homeless, g)
		}
	}
	slices.SortStableFunc(homeless, func(a, b *guest) int {
		return cmp.Compare(h.out.Due[a.job]-a.left, h.out.Due[b.job]-b.left)
	})
	for _, g := range homeless {
		if !h.settle(g, t, h.out.Due[g.job]) {
			h.settle(g, t, int32(h.in.Slots()))
		}
	}
	// Who is late may find an earlier place now.
	for _, g := range h.open {
		if !h.late(g) || g.begun {
			continue
		}
		before := g.runs
		h.book(g, t, -1)
		g.runs = nil
		if h.settle(g, t, h.out.Due[g.job]) {
			continue
		}
		if h.settle(g, t, int32(h.in.Slots())); h.end(g) > before[len(before)-1].To {
			h.book(g, t, -1)
			g.runs, g.way = before, before[0].Way
			h.book(g, t, 1)
		}
	}
}

// end returns the slot before which a guest is to be complete.
func (h *house) end(g *guest) int32 { return g.runs[len(g.runs)-1].To }

// late reports whether a guest has a place, and that is too late.
func (h *house) late(g *guest) bool { return len(g.runs) > 0 && h.end(g) > h.out.Due[g.job] }

// settle gives a guest the cheapest place that is left before due, and past its
// own due the first one.
func (h *house) settle(g *guest, t int, due int32) bool {
	runs := h.cheapest(g, t, due, due > h.out.Due[g.job])
	if runs == nil {
		return false
	}
	g.runs, g.way = runs, runs[0].Way
	h.book(g, t, 1)
	return true
}

// admit lets new jobs in, each with a place. Who cannot have one in time beside
// the others as they stand may have one if they move: the next plan tells, if one
// is made in this slot.
func (h *house) admit(t int, fresh []int) {
	fresh = slices.Clone(fresh)
	slices.SortStableFunc(fresh, func(a, b int) int {
		ja, jb := &h.in.Jobs[a], &h.in.Jobs[b]
		return cmp.Compare(ja.Due-ja.Ways[0].Need, jb.Due-jb.Ways[0].Need)
	})
	for _, j := range fresh {
		g := &guest{job: j, left: h.in.Jobs[j].Ways[0].Need, way: -1}
		h.open = append(h.open, g)
		if !h.settle(g, t, h.out.Due[j]) {
			g.asks = true
		}
	}
}

// refuse tells those who could not be promised what they asked for, and gives
// them the first place that there is.
func (h *house) refuse(t int) {
	for _, g := range h.open {
		if !g.asks {
			continue
		}
		if g.asks = false; len(g.runs) > 0 && !h.late(g) {
			continue
		}
		h.out.Refused++
		if len(g.runs) > 0 || h.settle(g, t, int32(h.in.Slots())) {
			h.out.Due[g.job] = max(h.out.Due[g.job], h.end(g))
			continue
		}
		if slices.ContainsFunc(h.in.Jobs[g.job].Ways, func(w fleet.Way) bool { return h.dead[w.Site] }) {
			h.out.Due[g.job], g.hit = int32(h.in.Slots()), true // it waits for a site to come back
			continue
		}
		g.gone = true // there is nothing to offer
		h.out.Unplaced++
	}
	h.open = slices.DeleteFunc(h.open, func(g *guest) bool { return g.gone })
}

// fits reports whether there is room for one more in a slot.
func (h *house) fits(way *fleet.Way, s int32) bool {
	cell := h.in.Cell(way.Site, s)
	for k, u := range way.Use {
		if h.used[k][cell]+u > h.in.Room[k][cell]+1e-9 {
			return false
		}
	}
	return true
}

// ways are those that a guest may still use.
func (h *house) ways(g *guest) (first, last int) {
	if g.begun {
		return int(g.way), int(g.way) + 1
	}
	return 0, len(h.in.Jobs[g.job].Ways)
}

// price returns what is asked for a slot at a site by the last plan.
func (h *house) price(way *fleet.Way, s int32) (paid float64) {
	at := int(s) - h.from
	if h.warm == nil || at < 0 || at >= h.ahead {
		return 0
	}
	for k, u := range way.Use {
		paid += u * h.warm[k][int(way.Site)*h.ahead+at]
	}
	return paid
}

// cheapest returns the best free place in [t, due) at the prices of the last plan;
// the earliest if soon.
func (h *house) cheapest(g *guest, t int, due int32, soon bool) (best []fleet.Run) {
	job := &h.in.Jobs[g.job]
	least := math.Inf(1)
	first, last := h.ways(g)
	for w := first; w < last; w++ {
		way := &job.Ways[w]
		if h.dead[way.Site] {
			continue
		}
		need := way.Need
		if g.begun {
			need = g.left
		}
		begin := max(int32(t), way.From)
		table := h.costs[job.Table][int(way.Site)*h.in.Slots():]
		if job.Kind == fleet.Interruptible {
			type slot struct {
				s    int32
				cost float64
			}
			var free []slot
			for s := begin; s < due && (!soon || int32(len(free)) < need); s++ {
				if c := table[s]; !math.IsNaN(c) && h.fits(way, s) {
					free = append(free, slot{s, way.KW*c + h.price(way, s)})
				}
			}
			if int32(len(free)) < need {
				continue
			}
			slices.SortStableFunc(free, func(a, b slot) int { return cmp.Compare(a.cost, b.cost) })
			free = free[:need]
			slices.SortFunc(free, func(a, b slot) int { return cmp.Compare(a.s, b.s) })
			sum := way.Fixed
			var runs []fleet.Run
			for _, f := range free {
				sum += f.cost
				runs = addSlot(runs, f.s, int16(w))
			}
			if soon {
				sum = float64(runs[len(runs)-1].To)
			}
			if sum < least {
				best, least = runs, sum
			}
			continue
		}
		clear, sum := begin, way.Fixed
		cost := make([]float64, 0, max(due-begin, 0))
		for s := begin; s < due; s++ {
			c := table[s]
			if math.IsNaN(c) || !h.fits(way, s) {
				clear, c = s+1, 0
			}
			cost = append(cost, way.KW*c+h.price(way, s))
			if sum += cost[s-begin]; s-begin >= need {
				sum -= cost[s-begin-need]
			}
			if s+1-clear < need {
				continue
			}
			if value := sum; soon {
				if value = float64(s + 1); value < least {
					best, least = []fleet.Run{{From: s + 1 - need, To: s + 1, Way: int16(w)}}, value
				}
				break
			} else if value < least {
				best, least = []fleet.Run{{From: s + 1 - need, To: s + 1, Way: int16(w)}}, value
			}
		}
	}
	return best
}

func addSlot(runs []fleet.Run, s int32, way int16) []fleet.Run {
	if n := len(runs); n > 0 && runs[n-1].To == s && runs[n-1].Way == way {
		runs[n-1].To++
		return runs
	}
	return append(runs, fleet.Run{From: s, To: s + 1, Way: way})
}

// replan plans all that is open and can still be planned anew, beside what may
// be expected, and takes the plan if everyone keeps a place in it.
func (h *house) replan(t int) {
	// 1. A window of the world from t on. What runs and cannot be stopped is not
	// asked, nor who cannot be in time any more.
	until := t + h.ahead
	sub := &fleet.Instance{Hours: make([]float64, h.ahead), Sites: h.in.Sites, Things: h.in.Things}
	for i := range sub.Hours {
		sub.Hours[i] = h.in.Hours[min(t+i, h.in.Slots()-1)]
	}
	var asked []*guest
	for _, g := range h.open {
		if g.begun && h.in.Jobs[g.job].Kind == fleet.Rigid || int32(t)+g.left > h.out.Due[g.job] {
			continue
		}
		if int(h.out.Due[g.job]) <= until {
			asked = append(asked, g)
		}
	}
	if len(asked) == 0 {
		return
	}
	for _, g := range asked {
		h.book(g, t, -1)
	}
	sub.Room = make([][]float64, len(h.in.Things))
	for k := range sub.Room {
		sub.Room[k] = h.window(t, func(cell, site int) float64 {
			if h.dead[site] {
				return 0
			}
			return math.Max(h.in.Room[k][cell]-h.used[k][cell], 0)
		}, 0)
	}
	sub.Cost = make([][]float64, len(h.costs))
	for k := range sub.Cost {
		sub.Cost[k] = h.window(t, func(cell, _ int) float64 { return h.costs[k][cell] }, math.NaN())
	}
	// 2. Those who are here, and those who may come.
	for _, g := range asked {
		sub.Jobs = append(sub.Jobs, h.asked(g, t))
	}
	if h.o.Virtual != nil {
		for _, v := range h.o.Virtual(t, until) {
			if v, ok := shifted(v, t, h.ahead); ok {
				sub.Jobs = append(sub.Jobs, v)
			}
		}
	}
	o := fleet.Options{Passes: h.o.Passes, Gap: h.o.Gap, Par: h.o.Par}
	if h.warm != nil {
		o.Warm = &fleet.Solution{Prices: h.shiftedPrices(t)}
	}
	s := fleet.Solve(sub, o)
	h.warm, h.from = s.Prices, t
	h.out.Plans++
	h.take(asked, &s, t)
}

// take makes a plan the one in force, or leaves all as it is.
func (h *house) take(asked []*guest, s *fleet.Solution, t int) {
	before := make([][]fleet.Run, len(asked))
	had := map[*guest]bool{} // a place in time
	var without []*guest
	for i, g := range asked {
		before[i] = g.runs
		had[g] = len(g.runs) > 0 && !h.late(g)
		g.runs = nil
		for _, r := range s.Of(i) {
			if g.begun {
				r.Way = g.way
			}
			r.From, r.To = r.From+int32(t), r.To+int32(t)
			g.runs = append(g.runs, r)
		}
		if h.book(g, t, 1); len(g.runs) == 0 {
			without = append(without, g)
		}
	}
	slices.SortStableFunc(without, func(a, b *guest) int {
		return cmp.Compare(h.out.Due[a.job]-a.left, h.out.Due[b.job]-b.left)
	})
	ok := true
	for _, g := range without {
		switch {
		case h.settle(g, t, h.out.Due[g.job]):
		case had[g]:
			ok = false
		default: // it had no place in time before
			h.settle(g, t, int32(h.in.Slots()))
		}
	}
	if !ok {
		h.out.Kept++
		for i, g := range asked {
			h.book(g, t, -1)
			g.runs = before[i]
			h.book(g, t, 1)
		}
	}
	for _, g := range asked {
		if !g.begun && len(g.runs) > 0 {
			g.way = g.runs[0].Way
		}
	}
}

// window returns values of the cells from t on, by cell of the window.
func (h *house) window(t int, value func(cell, site int) float64, past float64) []float64 {
	out := make([]float64, 0, h.ahead*len(h.in.Sites))
	for site := range h.in.Sites {
		for s := t; s < t+h.ahead; s++ {
			if s >= h.in.Slots() {
				out = append(out, past)
				continue
			}
			out = append(out, value(h.in.Cell(int32(site), int32(s)), site))
		}
	}
	return out
}

// asked is a guest as a job of the window.
func (h *house) asked(g *guest, t int) fleet.Job {
	j := h.in.Jobs[g.job]
	j.Release, j.Due = 0, h.out.Due[g.job]-int32(t)
	first, last := h.ways(g)
	if g.begun || slices.ContainsFunc(j.Ways, func(w fleet.Way) bool { return w.From > 0 }) {
		j.Ways = slices.Clone(j.Ways[first:last])
		for i := range j.Ways {
			j.Ways[i].From = max(j.Ways[i].From-int32(t), 0)
			if g.begun {
				j.Ways[i].Need, j.Ways[i].Fixed = g.left, 0
			}
		}
	}
	j.Missing *= firm
	return j
}

// firm is by how much those who are here go before those who may come.
const firm = 20

// shifted is a job as one of the window that begins at t.
func shifted(v fleet.Job, t, ahead int) (fleet.Job, bool) {
	v.Release, v.Due = v.Release-int32(t), min(v.Due-int32(t), int32(ahead))
	if v.Release < 0 || v.Release >= v.Due || v.Release+v.Ways[0].Need > v.Due {
		return v, false
	}
	if slices.ContainsFunc(v.Ways, func(w fleet.Way) bool { return w.From > 0 }) {
		v.Ways = slices.Clone(v.Ways)
		for i := range v.Ways {
			v.Ways[i].From = max(v.Ways[i].From-int32(t), 0)
		}
	}
	return v, true
}

// shiftedPrices are those of the last plan, moved to a window that begins at t.
// Of slots that it did not see, the same hour of the day before is taken.
func (h *house) shiftedPrices(t int) fleet.Prices {
	by := t - h.from
	day := max(1, int(math.Round(24/h.in.Hours[0])))
	out := make(fleet.Prices, len(h.warm))
	for k := range out {
		out[k] = make([]float64, len(h.warm[k]))
		for site := range h.in.Sites {
			row := h.warm[k][site*h.ahead : (site+1)*h.ahead]
			for i := range h.ahead {
				at := i + by
				for at >= h.ahead && at >= day {
					at -= day
				}
				if at < h.ahead {
					out[k][site*h.ahead+i] = row[at]
				}
			}
		}
	}
	return out
}

// pass carries out what has its place in slot t.
func (h *house) pass(t int) {
	h.open = slices.DeleteFunc(h.open, func(g *guest) bool {
		if len(g.runs) == 0 || int(g.runs[0].From) > t {
			return false
		}
		job := &h.in.Jobs[g.job]
		r := &g.runs[0]
		way := &job.Ways[r.Way]
		if !g.begun {
			g.begun, g.way, g.left = true, r.Way, way.Need
			if len(h.out.Runs[g.job]) == 0 {
				h.out.Cost += way.Fixed
			}
		}
		h.out.Cost += way.KW * h.in.Cost[job.Table][h.in.Cell(way.Site, int32(t))]
		h.out.Runs[g.job] = addSlot(h.out.Runs[g.job], int32(t), r.Way)
		g.left--
		if r.From++; r.From == r.To {
			g.runs = g.runs[1:]
		}
		if g.left > 0 {
			return false
		}
		if int32(t+1) > h.out.Due[g.job] {
			h.lost(g)
		}
		return true
	})
}
