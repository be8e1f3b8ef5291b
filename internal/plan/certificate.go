package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Certificate says how far a plan is from the best that is possible. It holds a
// price for what is scarce at each site in each slot. If every item paid for
// what it takes, and each chose for itself, together they would emit at least
// what Bound says, less what all the room there is would be paid: so no plan
// emits less (Lagrange's relaxation of the capacities). That is true of any
// prices of zero or more, so whoever has the snapshot and the plan can derive
// the bound again, and need not trust how the prices were found.
//
// Items whose time or site is not a matter of carbon are given: what runs, what
// is to be quick or cheap, what nobody knows the carbon of, what its owner
// would not have wait (minSaving), and what is late already. They take their
// room and are in neither sum.
type Certificate struct {
	Start  time.Time     `json:"start"` // of the first slot
	Step   time.Duration `json:"step"`  // length of a slot
	Prices []Price       `json:"prices"`
	Items  int           `json:"items"` // that the sums are of
	Given  int           `json:"given"`
	Carbon grid.Carbon   `json:"carbon"` // expected, of the items
	Bound  grid.Carbon   `json:"bound"`  // no plan has less
}

// Price is what one unit of a thing costs at a site, by slot: milligrams for a
// thousandth of a core, a mebibyte, a milliwatt, a place or an accelerator
// through the whole slot. What has no price is not scarce.
type Price struct {
	Site    string    `json:"site"`
	Thing   Thing     `json:"thing"`
	PerSlot []float64 `json:"perSlot"`
}

// Thing is what a site can run out of.
type Thing string

// things are the amounts, in their order. Beside them there are accelerators, by
// their type: gpu:a100.
var things = [...]Thing{"cpu", "memory", "power", "slots"}

// Gap returns by how much the plan is above the bound at most, as a share of
// the plan's carbon; known is false if there is nothing to compare.
func (c *Certificate) Gap() (gap float64, known bool) {
	if c == nil || c.Carbon <= 0 {
		return 0, false
	}
	return float64(c.Carbon-c.Bound) / float64(c.Carbon), true
}

// Certify derives the bound that prices give for a plan of s.
func Certify(s Snapshot, p Plan, step time.Duration, prices []Price) (Certificate, error) {
	return certify(s, p, step, prices, Options{})
}

func certify(s Snapshot, p Plan, step time.Duration, prices []Price, o Options) (Certificate, error) {
	c := Certificate{Start: s.Now.Round(0).UTC(), Step: step, Prices: prices}
	if step < time.Second || step > longestStep {
		return c, fmt.Errorf("a slot of prices lasts %s, want 1s to %s", step, longestStep)
	}
	f := newFrameWith(s, o)
	// The curves must reach as far as any item may run, not only as far as plans look.
	far := f.most
	for _, t := range f.tasks {
		far = max(far, t.due-f.slot(f.slots))
	}
	f.draw(far)
	g := &surety{frame: f, step: step, price: make([][mostThings][]float64, len(f.places))}
	if err := g.quote(prices); err != nil {
		return c, err
	}
	// What is given takes its room; what is not is in the sums.
	var covered []*task
	for i := range p.Placements {
		pl := &p.Placements[i]
		t := f.task(pl.Workload)
		if t == nil || len(pl.Spans) == 0 {
			return c, fmt.Errorf("the plan places %s, which is not in the snapshot", pl.Workload)
		}
		if g.covers(t, pl) {
			covered = append(covered, t)
			c.Carbon += pl.Carbon
			continue
		}
		c.Given++
		g.give(t, pl)
	}
	c.Items = len(covered)
	sum := -g.rent()
	var size float64 // of all that is added up, for the error of adding it
	leasts := make([]float64, len(covered))
	f.inParts(len(covered), func(from, to int) {
		part := *g
		part.ground = make([]*ground, len(g.places))
		for i := from; i < to; i++ {
			leasts[i] = part.least(covered[i])
		}
	})
	for _, v := range leasts {
		sum, size = sum+v, size+math.Abs(v)
	}
	size += math.Abs(sum)
	c.Bound = grid.Carbon(math.Floor(max(sum-1e-9*size, 0)))
	return c, nil
}

// Follows returns an error if the bound of c does not follow from its prices,
// or if its carbon is not the plan's.
func (c *Certificate) Follows(s Snapshot, p Plan) error {
	again, err := Certify(s, p, c.Step, c.Prices)
	switch {
	case err != nil:
		return err
	case !c.Start.Equal(again.Start):
		return fmt.Errorf("its prices begin at %s, the snapshot is of %s", c.Start, again.Start)
	case c.Items != again.Items || c.Given != again.Given:
		return fmt.Errorf("it speaks of %d items beside %d that are given; the plan has %d and %d", c.Items, c.Given, again.Items, again.Given)
	case c.Carbon != again.Carbon:
		return fmt.Errorf("it says that the plan emits %s, the placements emit %s", c.Carbon, again.Carbon)
	case c.Bound > again.Bound:
		return fmt.Errorf("it says that no plan emits less than %s; from its prices follows %s", c.Bound, again.Bound)
	}
	return nil
}

// surety is a frame with prices, and the load of what is given.
type surety struct {
	*frame
	step   time.Duration
	price  [][mostThings][]float64 // by place and thing
	ground []*ground               // by place, drawn when first asked for
}

// quote puts prices to their sites.
func (g *surety) quote(prices []Price) error {
	for _, p := range prices {
		i, r := g.find(p.Site), -1
		if i >= 0 {
			r = g.places[i].thing(p.Thing)
		}
		if i < 0 || r < 0 || len(p.PerSlot) > mostSlots {
			return fmt.Errorf("there is a price of %s at %q, which the snapshot does not have", p.Thing, p.Site)
		}
		if g.price[i][r] != nil {
			return fmt.Errorf("there are two prices of %s at %q", p.Thing, p.Site)
		}
		for k, v := range p.PerSlot {
			if !(v >= 0) || v > 1e15 {
				return fmt.Errorf("the price of %s at %q in slot %d is %v, want 0 to 1e15", p.Thing, p.Site, k, v)
			}
		}
		g.price[i][r] = p.PerSlot
	}
	g.ground = make([]*ground, len(g.places))
	return nil
}

// covers reports whether a placement is a matter of carbon.
func (g *surety) covers(t *task, pl *Placement) bool {
	return !t.Running && t.cleans() && pl.Grade != "" && pl.Why.Binding != BindingMinSaving && pl.Why.Binding != BindingNoSignal &&
		!pl.Reserved.After(g.at(t.due)) && slices.Contains(t.sites, g.find(pl.Site))
}

// give books what is not a matter of carbon.
func (g *surety) give(t *task, pl *Placement) {
	site := g.find(pl.Site)
	if site < 0 {
		return
	}
	for i, s := range pl.Spans {
		from, to := g.from(s.Start), g.from(s.End)
		if i == len(pl.Spans)-1 {
			to = max(to, g.from(pl.Reserved))
		}
		v := g.on(t, pl.Way)
		g.places[site].book(taking{wanted(v.Shape.Demand.At(s.Size)), v.gpu}, max(from, 0), to, 1)
	}
}

// rent is what all the room that is left would be paid.
func (g *surety) rent() (sum float64) {
	for i, p := range g.places {
		for r, price := range g.price[i] {
			for k, v := range price {
				if v == 0 {
					continue
				}
				room := p.roomOf(r)
				if room == workload.Unlimited {
					return math.Inf(1) // what has no end has no price
				}
				a, b := time.Duration(k)*g.step, time.Duration(k+1)*g.step
				left := 0.0
				p.pieces(r, a, b, func(from, to time.Duration, use int64) {
					left += float64(max(room-use, 0)) * float64(to-from)
				})
				sum += v * left / float64(g.step)
			}
		}
	}
	return sum
}

// least returns the least that t could emit and pay at any of its sites, in
// milligrams, however full they are.
func (g *surety) least(t *task) float64 {
	best := math.Inf(1)
	for t, site := range g.options(t, t.sites) {
		if g.ground[site] == nil {
			g.ground[site] = g.survey(site)
		}
		best = min(best, g.leastAt(t, site))
	}
	if math.IsInf(best, 1) {
		return 0 // nothing is known of what it could do, so nothing is claimed
	}
	return best
}

// leastAt is least at one site. Work without a pause is tried wherever its
// start, its end or the end of its booked time falls on a cut: between those
// its cost is a straight line. Work that may pause is let take any time that it
// likes, in any pieces, and pays nothing for its booked time. So is elastic work.
func (g *surety) leastAt(t *task, site int) float64 {
	gr, p := g.ground[site], g.places[site]
	// Milligrams in a nanosecond at one milligram a kilowatt-hour.
	perValue := float64(t.power) * float64(p.pue) / 1000 / 3.6e18
	if t.elastic() {
		return g.leastOfSizes(t, site, gr)
	}
	gr.restart()
	need := p.needs(t)
	for i, v := range gr.value {
		pays := 0.0
		for r, price := range g.price[site] {
			if k := gr.slot[i]; k < len(price) {
				pays += float64(need[r]) * price[k]
			}
		}
		gr.add(i, float64(v)*perValue, pays/float64(g.step))
	}
	first, length := max(g.from(t.Shape.When.NotBefore), 0), t.left+t.lead
	bring := 0.0
	if h, ok := t.haul(p); ok {
		bring = gr.lowest(first, t.limit) * float64(h.energy) / 3.6e6
	}
	if t.Shape.Interruptible.Allowed {
		return bring + gr.anyTime(first, t.due-t.tail, length)
	}
	return bring + gr.oneRun(first, t.due-t.tail-length, length, t.tail)
}

// ground is a place over time, cut wherever its intensity or its prices may
// change; and what an item would emit and pay there, in milligrams in a
// nanosecond and summed up from the beginning.
type ground struct {
	at    []time.Duration // piece i is [at[i], at[i+1])
	value []int64         // of the intensity in it, -1 if it is not known
	slot  []int           // of the prices

	all, pays       []float64 // emitted and paid; paid
	allSum, paysSum []float64
	dark            []time.Duration // unknown time before piece i
	order           []int           // memory for anyTime
}

func (g *surety) survey(site int) *ground {
	c := g.places[site].curve
	end := c.at[len(c.at)-1]
	cuts := slices.Clone(c.at)
	slots := 0
	for r := range mostThings {
		slots = max(slots, len(g.price[site][r]))
	}
	for k := 0; k <= slots; k++ {
		if t := time.Duration(k) * g.step; t < end {
			cuts = append(cuts, t)
		}
	}
	slices.Sort(cuts)
	gr := &ground{at: slices.Compact(cuts)}
	i := 0
	for _, t := range gr.at[:len(gr.at)-1] {
		for i+1 < len(c.at) && c.at[i+1] <= t {
			i++
		}
		gr.value, gr.slot = append(gr.value, c.value[i]), append(gr.slot, int(t/g.step))
	}
	return gr
}

func (gr *ground) restart() {
	gr.all, gr.pays = gr.all[:0], gr.pays[:0]
	gr.allSum, gr.paysSum, gr.dark = append(gr.allSum[:0], 0), append(gr.paysSum[:0], 0), append(gr.dark[:0], 0)
}

func (gr *ground) add(i int, emits, pays float64) {
	d, dark := gr.at[i+1]-gr.at[i], time.Duration(0)
	if gr.value[i] < 0 {
		dark = d
	}
	gr.all, gr.pays = append(gr.all, emits+pays), append(gr.pays, pays)
	gr.allSum = append(gr.allSum, gr.allSum[i]+float64(d)*(emits+pays))
	gr.paysSum = append(gr.paysSum, gr.paysSum[i]+float64(d)*pays)
	gr.dark = append(gr.dark, gr.dark[i]+dark)
}

// anyTime returns what the cheapest length of [first, end) costs.
func (gr *ground) anyTime(first, end, length time.Duration) float64 {
	gr.order = gr.order[:0]
	for i := range gr.all {
		if gr.at[i+1] > first && gr.at[i] < end && gr.value[i] >= 0 {
			gr.order = append(gr.order, i)
		}
	}
	slices.SortFunc(gr.order, func(a, b int) int { return cmp.Compare(gr.all[a], gr.all[b]) })
	sum := 0.0
	for _, i := range gr.order {
		d := min(min(gr.at[i+1], end)-max(gr.at[i], first), length)
		sum += float64(d) * gr.all[i]
		if length -= d; length <= 0 {
			return sum
		}
	}
	return math.Inf(1)
}

// oneRun returns what the cheapest run costs that begins in [first, last], with
// the booked time after it.
func (gr *ground) oneRun(first, last, length, tail time.Duration) float64 {
	best := math.Inf(1)
	for _, off := range [...]time.Duration{0, length, length + tail} {
		var a, b, c int // the pieces of the start, the end, and the booked end
		try := func(s time.Duration) {
			if s < first || s > last || s+length > gr.at[len(gr.at)-1] {
				return
			}
			a, b, c = gr.seek(a, s), gr.seek(b, s+length), gr.seek(c, s+length+tail)
			if gr.darkTo(a, s) != gr.darkTo(b, s+length) {
				return
			}
			cost := gr.sum(gr.all, gr.allSum, b, s+length) - gr.sum(gr.all, gr.allSum, a, s)
			cost += gr.sum(gr.pays, gr.paysSum, c, s+length+tail) - gr.sum(gr.pays, gr.paysSum, b, s+length)
			best = min(best, cost)
		}
		if off == 0 {
			try(first)
		}
		for _, cut := range gr.at {
			try(cut - off)
		}
		if off == 0 {
			a, b, c = 0, 0, 0
			try(last)
		}
	}
	return best
}

// seek returns the piece that t is in, which is not before piece i.
func (gr *ground) seek(i int, t time.Duration) int {
	for i+1 < len(gr.all) && gr.at[i+1] <= t {
		i++
	}
	return i
}

// sum returns the sum of a rate from the beginning to t, which is in piece i or
// past the last one, where nothing is added.
func (gr *ground) sum(rate, before []float64, i int, t time.Duration) float64 {
	return before[i] + float64(min(t, gr.at[i+1])-gr.at[i])*rate[i]
}

func (gr *ground) darkTo(i int, t time.Duration) time.Duration {
	if gr.value[i] < 0 {
		return gr.dark[i] + t - gr.at[i]
	}
	return gr.dark[i]
}
