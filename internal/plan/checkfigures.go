package plan

import (
	"fmt"
	"slices"

	"clusy.io/clusy/internal/grid"
)

// reckon works out the figures of running an item at a site, anew.
func (d *doubt) reckon(it Item, site string, spans []Span) (e grid.Energy, c grid.Carbon, g grid.Grade, m grid.Money, currency string) {
	st := d.where(site)
	pue := max(1000, min(st.PUE, 100_000))
	power := max(0, min(it.Shape.Power, 1<<40))
	known := true
	tariff := grid.NewTariff(st.Price, st.Currency)
	if _, here := d.sites[site]; here {
		tariff = grid.NewTariff(st.Price, st.Currency, d.s.Prices[st.Zone]...)
	}
	flat, one := tariff.Flat()
	currency = tariff.Currency()
	for _, s := range spans {
		from := later(s.Start, d.now)
		it := grid.Drawn(max(0, min(grid.Power(atSize(int64(power), s.Size)), 1<<40)), s.End.Sub(from))
		// it·pue/1000, rounded up, in two parts that cannot run over.
		with := it/1000*grid.Energy(pue) + (it%1000*grid.Energy(pue)+999)/1000
		e += with
		if rate, ok := tariff.Mean(from, s.End); !ok {
			currency = ""
		} else if !one {
			m += grid.Charged(with, rate)
		}
		mean, grade, ok := d.s.Outlook.Of(st.Zone).Mean(from, s.End)
		if !ok {
			known = false
			continue
		}
		c += grid.Emitted(with, mean)
		g = max(g, grade)
	}
	if brought(it, st) && len(spans) > 0 {
		e, currency = e+carrying(it), ""
		if now, ok := d.s.Outlook.Of(st.Zone).At(later(spans[0].Start, d.now)); ok {
			c, g = c+grid.Emitted(carrying(it), now.Value), max(g, now.Grade)
		} else {
			known = false
		}
	}
	if !known {
		c, g = 0, ""
	}
	switch {
	case currency == "":
		m = 0
	case one:
		m = grid.Charged(e, flat)
	}
	return e, c, g, m, currency
}

func (d *doubt) figures(it Item, pl Placement) (Kept, string) {
	e, c, g, m, cur := d.reckon(it, pl.Site, pl.Spans)
	switch {
	case e != pl.Energy:
		return KeptFigures, fmt.Sprintf("it draws %d J, the plan says %d", e, pl.Energy)
	case c != pl.Carbon || g != pl.Grade:
		return KeptFigures, fmt.Sprintf("it emits %d mg of grade %q, the plan says %d of %q", c, g, pl.Carbon, pl.Grade)
	case m != pl.Cost || cur != pl.Currency:
		return KeptFigures, fmt.Sprintf("it costs %d %q, the plan says %d %q", m, cur, pl.Cost, pl.Currency)
	}
	return "", ""
}

// reasons holds the reasons against the placement that they are for.
func (d *doubt) reasons(_ Item, pl Placement) (Kept, string) {
	w := pl.Why
	if w.Text == "" || w.Binding == "" {
		return KeptReasons, "it has no reason"
	}
	if len(w.Rejected) > 3 {
		return KeptReasons, fmt.Sprintf("it lists %d alternatives", len(w.Rejected))
	}
	fell := 0
	for _, cause := range slices.Sorted(causes(w.Fell)) {
		if w.Fell[Cause(cause)] < 0 {
			return KeptReasons, "less than no candidate fell to " + cause
		}
		fell += w.Fell[Cause(cause)]
	}
	if w.Considered != fell+1 {
		return KeptReasons, fmt.Sprintf("of %d candidates %d fell and one was chosen", w.Considered, fell)
	}
	alternatives := slices.Clone(w.Rejected)
	if w.RunNow != nil {
		alternatives = append(alternatives, *w.RunNow)
	}
	for _, a := range alternatives {
		if a.DFinish != a.Finish.Sub(pl.Finish()) {
			return KeptReasons, "the finish of an alternative does not differ by what it says"
		}
		if a.Known && pl.Grade != "" && a.DCarbon != a.Carbon-pl.Carbon {
			return KeptReasons, "the carbon of an alternative does not differ by what it says"
		}
	}
	worst := grid.Grade("")
	for _, u := range w.Signals {
		if u.Zone != d.where(pl.Site).Zone {
			return KeptReasons, fmt.Sprintf("it rests on a signal of %s", u.Zone)
		}
		worst = max(worst, u.Grade)
	}
	if pl.Grade != "" && worst != pl.Grade {
		return KeptReasons, fmt.Sprintf("its signals are of grade %q, its carbon of %q", worst, pl.Grade)
	}
	return "", ""
}

func causes(m map[Cause]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for c := range m {
			if !yield(string(c)) {
				return
			}
		}
	}
}
