package replay

import (
	"fmt"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Planner is the name of our own policy.
const Planner = "clusy"

// Planning is how the production planner is replayed.
type Planning struct {
	// Down tells which sites are dead in a slot; nil: none ever is. What ran at a
	// site that dies is lost, and begins again.
	Down func(site, slot int) bool
	// Spare lets the planner book a tenth more than a job takes, as it does in
	// production for want of knowing. By itself the length is what is booked: all
	// that a job is held against knows it too.
	Spare bool
	// Lengths is what the planner is told of how long jobs take; "" is the truth.
	// What it is told otherwise it books as in production, with a tenth more.
	Lengths Lengths
	// Share is how much of its slack a job is planned with, 0 to 1; 0 counts as 1.
	// It trades saving for delay: what is late is told by the job's own Due.
	Share float64
	// Expect lets the planner expect what arrived in the weeks before: see
	// plan.Expect.
	Expect bool
	// Passed is told how many slots have passed, if it is not nil. An error of it
	// ends the replay.
	Passed func(slot int) error
}

// Plan lets the jobs of w arrive before the production planner. In each slot the
// new jobs and all that is not complete go to plan.Compute, on the forecasts of
// that slot, and plan.Check must agree with the plan. Only what begins in the
// slot is carried out; the rest may change with the next plan, yet what has been
// promised once is kept.
//
// A job that is refused takes the nearest completeBy that it is offered, as a
// person would who wants it done.
func (w *World) Plan(o Planning) (Outcome, error) {
	r := &rolling{w: w, o: o, out: Outcome{Policy: Planner, Placed: make([]Placed, len(w.Jobs)), Due: make([]int, len(w.Jobs)), First: make([]First, len(w.Jobs))}}
	for i := range w.Jobs {
		r.out.Due[i] = w.Jobs[i].Due
	}
	if o.Lengths == LengthsLearned {
		for _, e := range w.Earlier {
			r.learned.ended(e.Class, time.Duration(e.Length)*w.Slot, e.Ended)
		}
	}
	next := 0
	for t := 0; next < len(w.Jobs) || len(r.open) > 0; t++ {
		if len(r.open) == 0 && next < len(w.Jobs) {
			t = max(t, w.Jobs[next].Arrive)
		}
		for ; next < len(w.Jobs) && w.Jobs[next].Arrive == t; next++ {
			g := r.guest(next)
			r.open = append(r.open, g)
			r.past = append(r.past, plan.Past{Submitted: r.at(t), Shape: g.item.Shape})
		}
		if err := r.turn(t); err != nil {
			return r.out, err
		}
		if o.Passed != nil {
			if err := o.Passed(t); err != nil {
				return r.out, err
			}
		}
	}
	return r.out, nil
}

type rolling struct {
	w      *World
	o      Planning
	out    Outcome
	open   []*guest // by arrival
	past   []plan.Past
	parent string
	dead   []bool // by site, in the last slot

	learned lessons
}

// guest is a job before the planner.
type guest struct {
	*Job
	index int
	item  plan.Item
	done  int  // slots of work behind it
	hit   bool // a site died under it
	full  bool // it is to run in this slot, and there is no room

	refused bool // once at least
}

func (r *rolling) at(slot int) time.Time { return r.w.Start.Add(time.Duration(slot) * r.w.Slot) }

func (r *rolling) guest(i int) *guest {
	j := &r.w.Jobs[i]
	length := time.Duration(j.Length) * r.w.Slot
	due, known := j.Due, length*10/11 // its booked time is the length
	if r.o.Spare {
		known = length
	}
	if s := r.o.Share; s > 0 && s < 1 {
		due -= int(math.Floor((1 - s) * float64(j.Slack())))
	}
	d := workload.Duration{Expected: length, P95: known, Max: 2 * length}
	if expected, p95, ok := r.tell(j); ok {
		d = workload.Duration{Expected: expected, P95: p95, Max: 2 * p95}
	}
	it := plan.Item{ID: fmt.Sprintf("%08d", i), Tenant: "backtest", Shape: workload.Shape{
		Duration:      d,
		Power:         j.Power,
		Demand:        workload.Resources{CPU: j.CPU, Slots: 1},
		Interruptible: workload.Interruptible{Allowed: j.Pauses},
		When:          workload.When{CompleteBy: r.at(due)},
		Objective:     workload.Objective{Minimize: workload.MinimizeCarbon},
		Policy:        workload.Policy{Promise: workload.RerunOK, OnNoSignal: workload.RunNow, Baseline: workload.BaselineRunNow},
	}}
	for _, s := range j.Sites {
		it.Shape.Where.Allow = append(it.Shape.Where.Allow, r.w.Sites[s].ID)
	}
	return &guest{Job: j, index: i, item: it}
}

// turn plans at the beginning of a slot, and lets it pass.
func (r *rolling) turn(t int) error {
	r.strike(t)
	s := r.snapshot(t)
	p := plan.Compute(s)
	if err := r.follow(s, p); err != nil {
		return err
	}
	for _, f := range p.Unplaced {
		if err := r.agree(s, f, t); err != nil {
			return err
		}
	}
	r.room(t)
	for _, g := range r.open {
		r.pass(g, t)
		if g.done == g.Length && r.o.Lengths == LengthsLearned {
			r.learned.ended(g.Class, time.Duration(g.Length)*r.w.Slot, r.at(t+1))
		}
	}
	r.open = slices.DeleteFunc(r.open, func(g *guest) bool { return g.done == g.Length })
	return nil
}

// follow doubts a plan, and makes it the one in force.
func (r *rolling) follow(s plan.Snapshot, p plan.Plan) error {
	if err := plan.Check(s, p); err != nil {
		return fmt.Errorf("at %s: %w", s.Now.Format(time.RFC3339), err)
	}
	r.out.Plans++
	r.parent = p.ID
	placed := map[string]*plan.Placement{}
	for i := range p.Placements {
		placed[p.Placements[i].Workload] = &p.Placements[i]
	}
	for _, g := range r.open {
		g.item.Placement = nil
		if pl := placed[g.item.ID]; pl != nil {
			g.place(&r.out, pl)
		}
	}
	return nil
}

// strike lets sites die and live again.
func (r *rolling) strike(t int) {
	was := r.dead
	r.dead = make([]bool, len(r.w.Sites))
	for s := range r.dead {
		r.dead[s] = r.o.Down != nil && r.o.Down(s, t)
		if !r.dead[s] || was != nil && was[s] {
			continue
		}
		for _, g := range r.open {
			begun := g.item.Pinned == r.w.Sites[s].ID
			if begun || g.item.Placement != nil && g.item.Placement.Site == r.w.Sites[s].ID {
				g.hit = true // it has lost its place at least
			}
			if !begun {
				continue
			}
			g.item.Pinned, g.item.Running, g.item.Suspensions = "", false, 0
			g.done, g.item.Done = 0, 0
			r.out.Placed[g.index] = Placed{Site: s, Runs: nil}
		}
	}
}

func (r *rolling) snapshot(t int) plan.Snapshot {
	s := plan.Snapshot{Now: r.at(t), Parent: r.parent, Step: r.w.Slot}
	series := map[grid.Zone][]grid.Series{}
	for i, site := range r.w.Sites {
		s.Sites = append(s.Sites, plan.Site{ID: site.ID, Zone: site.Zone, PUE: site.PUE, Down: r.dead[i],
			Capacity: workload.Resources{CPU: site.CPU, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}})
		if series[site.Zone] == nil {
			series[site.Zone] = []grid.Series{r.expected(i, site.Zone, t)}
		}
	}
	s.Outlook = grid.BelieveAll(r.w.Basis, series)
	for _, g := range r.open {
		s.Items = append(s.Items, g.item)
		s.Horizon = max(s.Horizon, g.item.Shape.When.CompleteBy.Sub(s.Now))
	}
	s.Horizon = max(s.Horizon, r.w.Slot)
	if r.o.Expect {
		s.Expected = plan.Expect(r.past, s.Now, s.Horizon)
	}
	return s
}

func (r *rolling) expected(site int, zone grid.Zone, t int) grid.Series {
	e := r.w.Expected(site, t)
	values := make([]grid.Intensity, len(e))
	for i, v := range e {
		values[i] = grid.Unknown
		if !math.IsNaN(v) {
			values[i] = min(grid.Intensity(math.Round(max(v, 0))), grid.MaxIntensity)
		}
	}
	return grid.Series{Start: r.at(t), Step: r.w.Slot, Values: values,
		Provenance: grid.Provenance{Provider: "replayed", Zone: zone, Issued: r.at(t), Basis: r.w.Basis, Estimated: true, Grade: grid.GradeC}}
}

// place notes a placement, and of the first one what was expected.
func (g *guest) place(out *Outcome, p *plan.Placement) {
	g.item.Placement = p
	first := &out.First[g.index]
	if first.Binding != "" {
		return
	}
	first.Binding = string(p.Why.Binding)
	if n := p.Why.RunNow; n != nil && n.Known && p.Grade != "" {
		first.Known, first.Carbon, first.Now = true, p.Carbon, n.Carbon
	}
}

// mostTries is how often a job takes the next completeBy that it is offered.
const mostTries = 20

// agree lets a refused job ask again for the nearest completeBy that it is
// offered, until one is kept.
func (r *rolling) agree(s plan.Snapshot, f plan.Refusal, t int) error {
	var g *guest
	s.Items = nil
	for _, o := range r.open {
		if o.item.ID == f.Workload {
			g = o
		} else if o.item.Placement != nil {
			s.Items = append(s.Items, o.item)
		}
	}
	if !g.refused {
		r.out.Refused++
		g.refused = true
	}
	if !slices.ContainsFunc(g.Sites, func(s int) bool { return !r.dead[s] }) {
		// Nothing can be offered until a site comes back. It asks again, for as much
		// time from then on as it needs.
		by := t + 2 + g.Length + g.Length/4
		r.out.Due[g.index] = max(r.out.Due[g.index], by)
		g.item.Shape.When.CompleteBy = r.at(r.out.Due[g.index])
		return nil
	}
	for try := 1; try <= mostTries; try++ {
		by := f.NearestCompleteBy
		if by.IsZero() {
			by = r.at(t + (1+try)*r.w.Reach)
		}
		g.item.Shape.When.CompleteBy = by
		s.Parent, s.Horizon = r.parent, max(s.Horizon, by.Sub(s.Now)+r.w.Slot)
		p, refused := plan.Admit(s, g.item)
		if refused != nil {
			f = *refused
			continue
		}
		r.out.Due[g.index] = max(r.out.Due[g.index], int((by.Sub(r.w.Start)+r.w.Slot-1)/r.w.Slot))
		s.Items = append(s.Items, g.item)
		return r.follow(s, p)
	}
	return fmt.Errorf("job %s is refused each time: %s", g.ID, f.Failed[0].Message)
}

// due returns where a job is to run in a slot as the plan says; -1: nowhere.
func (r *rolling) due(g *guest, t int) int {
	pl := g.item.Placement
	now, end := r.at(t), r.at(t+1)
	if pl == nil || !slices.ContainsFunc(pl.Spans, func(s plan.Span) bool { return s.Start.Before(end) && s.End.After(now) }) {
		return -1
	}
	site := slices.IndexFunc(r.w.Sites, func(s Site) bool { return s.ID == pl.Site })
	if site < 0 || r.dead[site] {
		return -1 // what is not there runs nothing
	}
	return site
}

// room keeps those from running for whom there is none in a slot: where lengths
// were not told truly, work that runs for longer than was booked is still where
// others were to be. What runs and cannot pause runs on; then those in order of
// arrival who fit.
func (r *rolling) room(t int) {
	free := make([]int64, len(r.w.Sites))
	for s := range free {
		free[s] = r.w.Sites[s].CPU
	}
	stays := func(g *guest) bool { return g.item.Running && !g.Pauses }
	for _, first := range []bool{true, false} {
		for _, g := range r.open {
			if stays(g) != first {
				continue
			}
			g.full = false
			if site := r.due(g, t); site >= 0 {
				if g.full = g.CPU > free[site] && !first; !g.full {
					free[site] -= g.CPU
				}
			}
		}
	}
}

// pass lets a job live through a slot as the plan says.
func (r *rolling) pass(g *guest, t int) {
	pl := g.item.Placement
	now := r.at(t)
	site := r.due(g, t)
	if site < 0 || g.full {
		if g.item.Running {
			g.item.Running = false
			g.item.Suspensions++
		}
		return
	}
	if !g.item.Running {
		g.item.Running, g.item.RunSince = true, now
	}
	g.item.Pinned = pl.Site
	p := &r.out.Placed[g.index]
	p.Site = site
	p.add(t)
	g.done++
	g.item.Done = time.Duration(g.done) * r.w.Slot
	if g.done == g.Length && g.hit && p.End() > r.out.Due[g.index] {
		r.out.Broken++
	}
}
