package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
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
	prices := map[string]tariffs{}
	for _, p := range c.Prices {
		r := slices.Index([]Thing{"cpu", "memory", "power", "slots"}, p.Thing)
		for i, g := range d.sites[p.Site].Capacity.GPUs {
			if g.Type != "" && p.Thing == Thing("gpu:"+g.Type) && r < 0 {
				r = 4 + i
			}
		}
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
	given := map[string]bool{} // by workload
	var carbon int64
	var sum float64
	items := 0
	lanes := map[string][]lane{}
	for _, pl := range d.p.Placements {
		it := d.items[pl.Workload]
		if !d.matterOfCarbon(it, pl) {
			given[pl.Workload] = true
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
			for kind := range kinds(it) {
				if d.hasCards(kind, id) {
					least = min(least, d.cheapest(kind, d.sites[id], lanes[id], prices[id], c.Step))
				}
			}
		}
		if h := holder(it); h != "" && math.IsInf(least, 1) {
			least = 0
		}
		if !math.IsInf(least, 1) {
			sum += least
		}
	}
	for id, of := range prices {
		rent, ok := d.rent(id, c, of, given)
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

// tariffs are prices by the things of a bill.
type tariffs [lacking][]float64

// matterOfCarbon reports whether the certificate's sums are of a placement.
func (d *doubt) matterOfCarbon(it Item, pl Placement) bool {
	m := it.Shape.Objective.Minimize
	return !it.Running && m != "cost" && m != "time" && it.Shape.Objective.CarbonPrice <= 0 && pl.Grade != "" &&
		pl.Why.Binding != BindingMinSaving && pl.Why.Binding != BindingNoSignal && !pl.Reserved.After(d.due(it)) &&
		(holder(it) == pl.Site || holder(it) == "" && d.open(it, pl.Site))
}

// lane is a time at a site through which neither intensity nor price changes,
// counted from now.
type lane struct {
	from, to time.Duration
	hours    float64
	value    float64 // mg/kWh, -1 if it is not known
	slot     int
}

func (d *doubt) lane(id string, c *Certificate, of tariffs) (out []lane) {
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
		out = append(out, lane{t.Sub(d.now), next.Sub(d.now), next.Sub(t).Hours(), v, k})
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
func (d *doubt) cheapest(it Item, st Site, ls []lane, of tariffs, step time.Duration) float64 {
	owed, beyond := d.owed(it)
	if waits(it) {
		owed += within(it.Shape.Interruptible.Overhead)
	}
	kw := float64(max(0, min(it.Shape.Power, 1<<40))) / 1e6 * float64(max(1000, min(st.PUE, 100_000))) / 1000
	if len(it.Shape.Elastic) > 0 {
		return d.cheapestSizes(it, st, ls, of, step, owed, beyond)
	}
	need := needs(it, st)
	// What it would emit and pay in an hour of each lane, in milligrams.
	d.all, d.pays = d.all[:0], d.pays[:0]
	hours := step.Hours()
	for i := range ls {
		l, pay := &ls[i], 0.0
		for r := range of {
			if need[r] > 0 && l.slot < len(of[r]) {
				pay += float64(need[r]) * of[r][l.slot] / hours
			}
		}
		d.all, d.pays = append(d.all, l.value*kw+pay), append(d.pays, pay)
	}
	first := max(it.Shape.When.NotBefore.Sub(d.now), 0)
	last := d.due(it).Add(-beyond).Sub(d.now)
	bring := leastToBring(it, st, ls, first, d.due(it).Sub(d.now))
	if !it.Shape.Interruptible.Allowed {
		return bring + d.leastRun(ls, first, last-owed, owed, beyond)
	}
	type part struct {
		long time.Duration
		rate float64
	}
	var in []part
	for i, l := range ls {
		if long := min(l.to, last) - max(l.from, first); l.value >= 0 && long > 0 {
			in = append(in, part{long, d.all[i]})
		}
	}
	slices.SortFunc(in, func(a, b part) int { return cmp.Compare(a.rate, b.rate) })
	sum := bring
	for _, p := range in {
		take := min(p.long, owed)
		sum += take.Hours() * p.rate
		if owed -= take; owed == 0 {
			return sum
		}
	}
	return math.Inf(1)
}

// tally is a sum over the time of the lanes, to the end of each.
type tally struct {
	at  []lane
	sum []float64 // before each lane, and at the end
}

func (y *tally) add(v float64) {
	if len(y.sum) == 0 {
		y.sum = append(y.sum, 0)
	}
	y.sum = append(y.sum, y.sum[len(y.sum)-1]+v)
}

// upTo reads the sum at t, which is in lane i, or past the end of all.
func (y *tally) upTo(i int, t time.Duration) float64 {
	if i >= len(y.at) {
		return y.sum[len(y.at)]
	}
	l := &y.at[i]
	return y.sum[i] + (y.sum[i+1]-y.sum[i])*float64(t-l.from)/float64(l.to-l.from)
}

// leastRun tries each start at which the run, or its booked time, begins or ends
// with a lane. Sums are of milligrams.
func (d *doubt) leastRun(ls []lane, first, last, owed, beyond time.Duration) float64 {
	n := len(ls)
	if n == 0 || first > last {
		return math.Inf(1)
	}
	all, pays, dark := &d.sums[0], &d.sums[1], &d.sums[2]
	for _, y := range []*tally{all, pays, dark} {
		y.at, y.sum = ls, y.sum[:0]
	}
	for i := range ls {
		l := &ls[i]
		pays.add(l.hours * d.pays[i])
		if l.value < 0 {
			all.add(0)
			dark.add(float64(l.to - l.from))
		} else {
			all.add(l.hours * d.all[i])
			dark.add(0)
		}
	}
	least, end := math.Inf(1), ls[n-1].to
	// Starts are tried as they rise, so that where they lie is never looked for
	// far.
	for _, ahead := range []time.Duration{0, owed, owed + beyond} {
		a, b, c := 0, 0, 0
		seek := func(i *int, t time.Duration) int {
			for *i < n && ls[*i].to <= t {
				*i++
			}
			return *i
		}
		try := func(s time.Duration) {
			if s < first || s > last || s+owed > end {
				return
			}
			a, b, c := seek(&a, s), seek(&b, s+owed), seek(&c, s+owed+beyond)
			if dark.upTo(b, s+owed) == dark.upTo(a, s) {
				least = min(least, all.upTo(b, s+owed)-all.upTo(a, s)+pays.upTo(c, s+owed+beyond)-pays.upTo(b, s+owed))
			}
		}
		if ahead == 0 {
			try(first)
		}
		for i := range ls {
			try(ls[i].from - ahead)
		}
		try(end - ahead)
		if ahead == 0 {
			a, b, c = 0, 0, 0
			try(last)
		}
	}
	return least
}

// rent is what the room of a site would be paid that is not given away.
func (d *doubt) rent(id string, c *Certificate, of tariffs, given map[string]bool) (sum float64, ok bool) {
	room := has(d.where(id))
	all := tides(slices.DeleteFunc(slices.Clone(d.taken[id]), func(cl claim) bool { return !given[cl.workload] }))
	for r := range of {
		now := 0 // tides that have begun
		for k, v := range of[r] {
			if v == 0 {
				continue
			}
			if room[r] < 0 {
				return 0, false
			}
			from := d.now.Add(time.Duration(k) * c.Step)
			end := from.Add(c.Step)
			for from.Before(end) {
				for now < len(all) && !all[now].from.After(from) {
					now++
				}
				to, left := end, room[r]
				if now < len(all) && all[now].from.Before(end) {
					to = all[now].from
				}
				if now > 0 {
					left -= all[now-1].use[r]
				}
				sum += v * float64(max(left, 0)) * float64(to.Sub(from)) / float64(c.Step)
				from = to
			}
		}
	}
	return sum, true
}
