package plan

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// certificate derives the bound of the plan's certificate again, slowly and by
// itself: every sum over time is made of its pieces, for every item, site and
// start that could be the cheapest.
func (d *doubt) certificate() error {
	c := d.p.Certificate
	if c == nil {
		return nil
	}
	broken := func(format string, args ...any) error { return &Broken{"", KeptBound, fmt.Sprintf(format, args...)} }
	if !c.Start.Equal(d.now) || c.Step < time.Second || c.Step > 7*24*time.Hour {
		return broken("its slots begin at %s and last %s", c.Start, c.Step)
	}
	prices := map[string][4][]float64{}
	for _, p := range c.Prices {
		r := slices.Index([]Thing{"cpu", "memory", "power", "slots"}, p.Thing)
		if r < 0 || len(p.PerSlot) > 10_000 || slices.ContainsFunc(p.PerSlot, func(v float64) bool { return !(v >= 0) || v > 1e15 }) {
			return broken("the price of %q at %q is none", p.Thing, p.Site)
		}
		of := prices[p.Site]
		if of[r] != nil {
			return broken("there are two prices of %q at %q", p.Thing, p.Site)
		}
		of[r] = p.PerSlot
		prices[p.Site] = of
	}
	given := map[string][]claim{} // by site
	var carbon int64
	var sum float64
	items := 0
	lanes := map[string][]lane{}
	for _, pl := range d.p.Placements {
		it := d.items[pl.Workload]
		if !d.matterOfCarbon(it, pl) {
			for _, cl := range d.taken[pl.Site] {
				if cl.workload == pl.Workload {
					given[pl.Site] = append(given[pl.Site], cl)
				}
			}
			continue
		}
		items++
		carbon += int64(pl.Carbon)
		least := math.Inf(1)
		for id := range d.sites {
			if h := holder(it); h != "" && h != id || h == "" && !d.open(it, id) {
				continue
			}
			if lanes[id] == nil {
				lanes[id] = d.lane(id, c, prices[id])
			}
			least = min(least, d.cheapest(it, d.sites[id], lanes[id], prices[id], c.Step))
		}
		if h := holder(it); h != "" && math.IsInf(least, 1) {
			least = 0
		}
		if !math.IsInf(least, 1) {
			sum += least
		}
	}
	for id, of := range prices {
		rent, ok := d.rent(id, c, of, given[id])
		if !ok {
			return broken("there is a price for what %s has no end of", id)
		}
		sum -= rent
	}
	switch slack := 1e-6*math.Abs(sum) + 1; {
	case items != c.Items || len(d.p.Placements)-items != c.Given || carbon != int64(c.Carbon):
		return broken("it speaks of %d items, %d given, %d mg; there are %d, %d, %d mg", c.Items, c.Given, c.Carbon, items, len(d.p.Placements)-items, carbon)
	case c.Bound < 0 || float64(c.Bound) > max(sum, 0)+slack:
		return broken("it says that no plan emits less than %d mg; from its prices follows %.0f mg", c.Bound, sum)
	case c.Bound > c.Carbon+1:
		return broken("it says that no plan emits less than %d mg, and this one emits %d mg", c.Bound, c.Carbon)
	}
	return nil
}

// matterOfCarbon reports whether the certificate's sums are of a placement.
func (d *doubt) matterOfCarbon(it Item, pl Placement) bool {
	m := it.Shape.Objective.Minimize
	return !it.Running && m != "cost" && m != "time" && it.Shape.Objective.CarbonPrice <= 0 && pl.Grade != "" &&
		pl.Why.Binding != BindingMinSaving && pl.Why.Binding != BindingNoSignal && !pl.Reserved.After(d.due(it)) &&
		(holder(it) == pl.Site || holder(it) == "" && d.open(it, pl.Site))
}

// lane is a time at a site through which neither intensity nor price changes.
type lane struct {
	from, to time.Time
	value    float64 // mg/kWh, -1 if it is not known
	slot     int
}

func (d *doubt) lane(id string, c *Certificate, of [4][]float64) (out []lane) {
	o := d.s.Outlook.Of(d.sites[id].Zone)
	end := d.now.Add(d.reach())
	slots := 0
	for r := range of {
		slots = max(slots, len(of[r]))
	}
	for t := d.now; t.Before(end); {
		k := int(t.Sub(d.now) / c.Step)
		next := o.Until(t, end)
		if cut := d.now.Add(time.Duration(k+1) * c.Step); k < slots && cut.Before(next) {
			next = cut
		}
		v := -1.0
		if r, ok := o.At(t); ok {
			v = float64(r.Value)
		}
		out = append(out, lane{t, next, v, k})
		t = next
	}
	return out
}

// reach is how far ahead anything in the snapshot is known.
func (d *doubt) reach() time.Duration {
	var last time.Duration
	for _, z := range d.s.Outlook.Zones() {
		for _, s := range d.s.Outlook.Of(z).Series() {
			last = max(last, s.End().Sub(d.now))
		}
	}
	return max(min(last, 400*24*time.Hour), 0)
}

// cheapest is the least that an item could emit and pay at a site.
func (d *doubt) cheapest(it Item, st Site, ls []lane, of [4][]float64, step time.Duration) float64 {
	owed, beyond := d.owed(it)
	if waits(it) {
		owed += within(it.Shape.Interruptible.Overhead)
	}
	kw := float64(max(0, min(it.Shape.Power, 1<<40))) / 1e6 * float64(max(1000, min(st.PUE, 100_000))) / 1000
	if len(it.Shape.Elastic) > 0 {
		return d.cheapestSizes(it, st, ls, of, step, owed, beyond)
	}
	need := needs(it)
	pays := func(l lane) (sum float64) { // mg an hour
		for r := range need {
			if l.slot < len(of[r]) {
				sum += float64(need[r]) * of[r][l.slot] / step.Hours()
			}
		}
		return sum
	}
	first := d.now
	if nb := it.Shape.When.NotBefore; nb.After(first) {
		first = nb
	}
	last := d.due(it).Add(-beyond)
	if it.Shape.Interruptible.Allowed {
		var in []lane
		for _, l := range ls {
			if l.from.Before(first) {
				l.from = first
			}
			if l.to.After(last) {
				l.to = last
			}
			if l.value >= 0 && l.from.Before(l.to) {
				in = append(in, l)
			}
		}
		sort.Slice(in, func(i, j int) bool { return in[i].value*kw+pays(in[i]) < in[j].value*kw+pays(in[j]) })
		sum := 0.0
		for _, l := range in {
			take := min(l.to.Sub(l.from), owed)
			sum += take.Hours() * (l.value*kw + pays(l))
			if owed -= take; owed == 0 {
				return sum
			}
		}
		return math.Inf(1)
	}
	return leastRun(ls, first.Sub(d.now), last.Sub(d.now)-owed, owed, beyond, d.now,
		func(l lane) float64 { return l.value*kw + pays(l) }, pays)
}

// leastRun tries each start at which the run, or its booked time, begins or ends
// with a lane. Times are counted from now, sums are of milligrams.
func leastRun(ls []lane, first, last, owed, beyond time.Duration, now time.Time, all, pays func(lane) float64) float64 {
	n := len(ls)
	if n == 0 || first > last {
		return math.Inf(1)
	}
	at := make([]time.Duration, n+1)
	sumAll, sumPays, dark := make([]float64, n+1), make([]float64, n+1), make([]time.Duration, n+1)
	for i, l := range ls {
		at[i], at[i+1] = l.from.Sub(now), l.to.Sub(now)
		hours := (at[i+1] - at[i]).Hours()
		sumAll[i+1], sumPays[i+1], dark[i+1] = sumAll[i], sumPays[i]+hours*pays(l), dark[i]
		if l.value < 0 {
			dark[i+1] += at[i+1] - at[i]
		} else {
			sumAll[i+1] += hours * all(l)
		}
	}
	// share reads a sum at a time that lies between two of the lanes' ends.
	share := func(sum []float64, i int, t time.Duration) float64 {
		if i >= n {
			return sum[n]
		}
		return sum[i] + (sum[i+1]-sum[i])*float64(t-at[i])/float64(at[i+1]-at[i])
	}
	lane := func(t time.Duration) int { return sort.Search(n, func(i int) bool { return at[i+1] > t }) }
	darkAt := func(i int, t time.Duration) time.Duration {
		if i < n && dark[i+1] > dark[i] {
			return dark[i] + t - at[i]
		}
		return dark[min(i, n)]
	}
	least := math.Inf(1)
	try := func(s time.Duration) {
		if s < first || s > last || s+owed > at[n] {
			return
		}
		a, b, c := lane(s), lane(s+owed), lane(s+owed+beyond)
		if darkAt(b, s+owed) == darkAt(a, s) {
			least = min(least, share(sumAll, b, s+owed)-share(sumAll, a, s)+share(sumPays, c, s+owed+beyond)-share(sumPays, b, s+owed))
		}
	}
	try(first)
	try(last)
	for _, cut := range at {
		try(cut)
		try(cut - owed)
		try(cut - owed - beyond)
	}
	return least
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// rent is what the room of a site would be paid that is not given away.
func (d *doubt) rent(id string, c *Certificate, of [4][]float64, given []claim) (sum float64, ok bool) {
	room := has(d.where(id))
	for r := range of {
		for k, v := range of[r] {
			if v == 0 {
				continue
			}
			if room[r] < 0 {
				return 0, false
			}
			a := d.now.Add(time.Duration(k) * c.Step)
			b := a.Add(c.Step)
			cuts := []time.Time{a, b}
			for _, cl := range given {
				for _, t := range []time.Time{cl.from, cl.to} {
					if t.After(a) && t.Before(b) {
						cuts = append(cuts, t)
					}
				}
			}
			slices.SortFunc(cuts, time.Time.Compare)
			for i, from := range cuts[:len(cuts)-1] {
				left := room[r]
				for _, cl := range given {
					if !cl.from.After(from) && cl.to.After(from) {
						left -= cl.need[r]
					}
				}
				sum += v * float64(max(left, 0)) * float64(cuts[i+1].Sub(from)) / float64(c.Step)
			}
		}
	}
	return sum, true
}
