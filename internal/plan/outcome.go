package plan

import (
	"clusy.io/clusy/internal/grid"
)

// plan writes down what was decided. With reuse, a placement that is just what
// was promised keeps the reasons that it was promised with.
func (f *frame) plan(reuse bool) Plan {
	p := Plan{Parent: f.snap.Parent, At: f.now, Placements: []Placement{}, Unplaced: []Refusal{}}
	for _, t := range f.tasks {
		if !t.placed {
			p.Unplaced = append(p.Unplaced, f.refuse(t))
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
		p.Placements = append(p.Placements, pl)
	}
	p.ID = NewID(p)
	return p
}

// placement is what t is promised, without the reasons.
func (f *frame) placement(t *task) Placement {
	c, site := t.at, f.places[t.at.site]
	pl := Placement{Workload: t.ID, Site: site.ID, Reserved: f.at(c.reserved), Latest: t.latest(f.step),
		Energy: c.energy, Carbon: c.carbon, Grade: c.grade, Cost: c.cost}
	if c.priced {
		pl.Currency = site.currency
	}
	for i, r := range c.runs {
		s := Span{f.at(r.from), f.at(r.to)}
		if i == 0 && t.Running && r.from == 0 {
			s.Start = f.at(-t.ran(f))
		}
		pl.Spans = append(pl.Spans, s)
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
