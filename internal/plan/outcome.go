package plan

import (
	"clusy.io/clusy/internal/grid"
)

// plan writes down what was decided. With reuse, a placement that is just what
// was promised keeps the reasons that it was promised with.
func (f *frame) plan(reuse bool) Plan {
	p := f.outcome(reuse)
	p.ID = NewID(p)
	return p
}

// outcome is plan without a name. Each part of the items is taken out, looked
// at and put back in a frame of its own.
func (f *frame) outcome(reuse bool) Plan {
	p := Plan{Parent: f.snap.Parent, At: f.now, Placements: []Placement{}, Unplaced: []Refusal{}}
	said, refused := make([]Placement, len(f.tasks)), make([]Refusal, len(f.tasks))
	way := f.Options
	if !f.apart() {
		way.Par = nil
	}
	way.inParts(len(f.tasks), func(from, to int) {
		g := f
		if to-from < len(f.tasks) {
			g = f.twin()
		}
		g.tell(reuse, from, to, said, refused)
	})
	for i, t := range f.tasks {
		if t.placed {
			p.Placements = append(p.Placements, said[i])
		} else {
			p.Unplaced = append(p.Unplaced, refused[i])
		}
	}
	return p
}

// tell says what was decided for the tasks from a number to another.
func (f *frame) tell(reuse bool, from, to int, said []Placement, refused []Refusal) {
	for i, t := range f.tasks[from:to] {
		if !t.placed {
			refused[from+i] = f.refuse(t)
			continue
		}
		pl := f.placement(t)
		if old := t.Placement; reuse && old != nil && !f.places[t.at.site].gone && Same(*old, pl) && old.Carbon == pl.Carbon && old.Energy == pl.Energy && old.Grade == pl.Grade && old.Cost == pl.Cost {
			pl.Why = old.Why
		} else {
			f.take(t)
			pl.Why = f.why(t)
			f.put(t, t.at, t.by)
		}
		said[from+i] = pl
	}
}

// placement is what t is promised, without the reasons.
func (f *frame) placement(t *task) Placement {
	c, site := t.at, f.places[t.at.site]
	t = f.on(t, c.way)
	pl := Placement{Workload: t.ID, Site: site.ID, Way: c.way, Reserved: f.at(c.reserved), Latest: t.latest(f.step),
		Energy: c.energy, Carbon: c.carbon, Grade: c.grade, Cost: c.cost}
	if c.priced {
		pl.Currency = site.currency
	}
	for i, r := range c.runs {
		s := Span{Start: f.at(r.from), End: f.at(r.to), Size: t.sizeOf(c, i)}
		if i == 0 && t.Running && r.from == 0 {
			s.Start = f.at(-t.ran(f))
		}
		pl.Spans = append(pl.Spans, s)
	}
	// What cannot be in time any more waits for the room that was found for it:
	// its site would begin it at once, and take that from others.
	if pl.Start().After(pl.Latest) {
		pl.Latest = pl.Start()
	}
	return pl
}

// signals names every series that the candidate rests on, in order of time.
func (f *frame) signals(c candidate) []SignalUsed {
	out := []SignalUsed{}
	seen := map[SignalUsed]bool{}
	o, zone := f.places[c.site].air, f.places[c.site].Zone
	for _, r := range c.runs {
		end := f.at(r.to)
		for at := f.at(r.from); at.Before(end); at = o.Until(at, end) {
			v, ok := o.At(at)
			if !ok {
				continue
			}
			u := SignalUsed{zone, v.Provider, v.Issued.Round(0).UTC(), v.Grade, v.Basis, v.Ref}
			if !seen[u] {
				seen[u] = true
				out = append(out, u)
			}
		}
	}
	return out
}

// mean returns the intensity that c draws at on average.
func (f *frame) mean(c candidate) grid.Intensity {
	if !c.known {
		return grid.Unknown
	}
	if c.levels != nil { // each run counts by what it draws
		return grid.Intensity(float64(c.carbon) * float64(grid.KilowattHour) / float64(max(c.energy, 1)))
	}
	var sum, ms int64
	for _, r := range c.runs {
		sum += f.places[c.site].curve.over(r.from, r.to)
		ms += (r.to - r.from).Milliseconds()
	}
	if ms == 0 {
		return grid.Unknown
	}
	return grid.Intensity((sum + ms - 1) / ms)
}
