package plan

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// A placement in force moves only for a gain of a fiftieth of what it costs,
// and of a gram, a hundredth of the currency or a slot of time: less is noise
// of the forecast, and each move is work for a site.
const (
	leastShare  = 20 // thousandths
	leastCarbon = grid.Gram
	leastMoney  = grid.Money(10_000)
)

// rounds is how often every item is taken out and put at its best place. The
// plan betters with each round, and the second mostly finds nothing.
const rounds = 3

// Among more than many items a round in which less than a twentieth of them
// moves is the last: what the next would gain is less than a two-thousandth, for
// a search for each of them.
const many = 1_000

// flaw says how badly a placement keeps what was promised, worst last. Only
// promises can have one: new work is refused instead.
type flaw int

const (
	sound   flaw = iota
	dear         // above a ceiling
	late         // complete too late
	stuck        // at a site that takes no work, as no other has room
	barred       // in a time that is denied to it
	crowded      // its site has no room for it
	early        // before the booked end of what it waits for
)

// Compute decides when and where the items of s run. It begins with what is
// promised: an item with a placement keeps one, and moves only to better it.
// New items are then placed, least slack first; what has no place is refused
// with reasons. The result depends on s alone, not on the order of its lists.
//
// A single item is placed exactly, on starts that are slots from Now: work
// without pauses by trying every start at every site; work that pauses freely
// by its cheapest slots; work whose pauses have an overhead, a shortest run or
// a number by dynamic programming. MaxSuspensions 0 is no limit. Pauses that
// have a price or a rule are planned at most 12 ahead.
//
// What has a known intensity is preferred to what has none. If nothing has,
// onNoSignal decides: run-now takes the earliest finish; anything else takes
// the latest safe start, as an intensity may become known until then and each
// later plan looks again. Equal candidates: the earlier finish, then the order
// of where.prefer and where.allow, then the site's name.
//
// The series of an Outlook must be of one basis, in all zones: intensities of
// two bases cannot be compared.
func Compute(s Snapshot) Plan { return ComputeWith(s, Options{}) }

// ComputeWith is Compute on as many cores as o lets it have.
func ComputeWith(s Snapshot, o Options) Plan {
	f := newFrameWith(s, o)
	f.inTurn()
	step, prices := f.steer()
	f.mend() // what is flawed may have found room by it
	p := f.outcome(false)
	if c, err := certify(s, p, step, prices, o); err == nil {
		p.Certificate = &c
	}
	p.ID = NewID(p)
	return p
}

// InTurn is Compute without prices: each item takes the best that is left in its
// turn, and nothing is certified. It is for those who cannot wait.
func InTurn(s Snapshot) Plan {
	f := newFrame(s)
	f.inTurn()
	return f.plan(false)
}

func (f *frame) inTurn() {
	f.keep()
	f.placeNew()
	f.mend()
	f.threads(f.chain)
}

// keep gives every promised item a place: its own one if that still stands,
// else the best there is, and then a better one if there is any.
func (f *frame) keep() {
	promised := f.stand()
	// 4. Each in turn may better its place. 5. What is flawed may have found room.
	f.better(promised)
	f.mend()
}

// stand gives the promised items a place, and returns them, least slack first.
func (f *frame) stand() (promised []*task) {
	var homeless []*task
	for _, t := range f.tasks {
		if t.promised {
			promised = append(promised, t)
		}
	}
	slices.SortFunc(promised, bySlack)

	// 1. What runs and cannot be stopped stays, whatever it crowds.
	for _, t := range promised {
		if t.fixed() {
			f.put(t, f.measure(t, t.hold, []stretch{{0, t.left}}), BindingStarted)
		}
	}
	// 2. What stands by its placement in force stays; runs under way first.
	for _, running := range []bool{true, false} {
		for _, t := range promised {
			if t.placed || t.Running != running {
				continue
			}
			if c, ok := f.carried(t); ok && f.fits(t, c) {
				f.put(t, c, BindingNone)
			} else {
				homeless = append(homeless, t)
			}
		}
	}
	// 3. The others go to the best place that is left.
	for _, t := range f.afterOthers(homeless) {
		f.settle(t)
	}
	f.straighten()
	return promised
}

// put places t.
func (f *frame) put(t *task, c candidate, by Binding) {
	t.at, t.placed, t.by = c, true, by
	f.book(t, c, 1)
	t.flaw = f.flawOf(t, c)
}

// take takes t out again.
func (f *frame) take(t *task) {
	f.book(t, t.at, -1)
	t.placed = false
}

func (f *frame) book(t *task, c candidate, sign int64) {
	p := f.places[c.site]
	t = f.on(t, c.way)
	for i, r := range c.runs {
		if i == len(c.runs)-1 {
			r.to = max(r.to, c.reserved)
		}
		demand := t.level(c, i).demand
		p.book(taking{demand, t.gpu}, f.off+max(r.from, 0), f.off+r.to, sign)
		f.shares.add(t.Tenant, t.Shape.QueueOf(), f.off+max(r.from, 0), f.off+r.to, demand, sign)
	}
}

// flawOf judges the placement of t at c, which is booked.
func (f *frame) flawOf(t *task, c candidate) flaw {
	f.window(t, true)
	if t.chained() && c.start() < t.after && !t.Running {
		return early
	}
	p := f.places[c.site]
	t = f.on(t, c.way)
	for i, r := range c.runs {
		if i == len(c.runs)-1 {
			r.to = max(r.to, c.reserved)
		}
		if p.crowded(taking{t.level(c, i).demand, t.gpu}, f.off+r.from, f.off+r.to) {
			return crowded
		}
	}
	switch {
	case f.beyond(t, c):
		return crowded
	case t.elastic() && t.barredAt(c), !t.elastic() && t.barred(c.runs):
		return barred
	case !slices.Contains(t.sites, c.site):
		return stuck
	case c.reserved > t.limit:
		return late
	case !t.affordable(p, c.known, c.carbon, c.priced, c.cost):
		return dear
	}
	return sound
}

// fits reports whether t can be at c without a flaw, given all that is placed.
func (f *frame) fits(t *task, c candidate) bool {
	f.book(t, c, 1)
	defer f.book(t, c, -1)
	return f.flawOf(t, c) == sound
}

// settle places a promised task where it breaks least.
func (f *frame) settle(t *task) {
	if c, by := f.choose(t, t.sites, waiver{}); c != nil {
		f.put(t, *c, by)
		return
	}
	if f.bound(t) && t.promised { // a promise comes before any share
		f.loose = true
		defer func() { f.loose = false }()
		if c, by := f.choose(t, t.sites, waiver{}); c != nil {
			f.put(t, *c, by)
			return
		}
	}
	own := []int{}
	if t.hold < 0 && t.own >= 0 && !slices.Contains(t.sites, t.own) {
		own = append(own, t.own)
	}
	for _, sites := range [][]int{t.sites, own} {
		if c, by := f.choose(t, sites, waiver{ceilings: true}); c != nil {
			f.put(t, *c, by)
			return
		}
		if c := f.soonest(t, sites); c != nil {
			f.put(t, *c, BindingCompleteBy)
			return
		}
	}
	// No room at all. It stands by what it has if that is in time, and
	// otherwise is due at once; the site must sort it out.
	c, ok := f.carried(t)
	f.window(t, true)
	if !ok || c.reserved > t.limit || c.start() < t.after && !t.Running {
		t := f.on(t, t.was)
		site := t.hold
		if site < 0 {
			site = t.own
		}
		from := time.Duration(0)
		if !t.Running {
			from = t.past(max(f.from(t.Shape.When.NotBefore), t.after, 0, f.slot(f.there(t, site).first)), t.left+t.lead+t.tail)
		}
		c = f.measure(t, site, []stretch{{from, from + t.left + t.lead}})
	}
	f.put(t, c, BindingCapacity)
}

// soonest returns the run without a pause that finishes first, too late as it is.
func (f *frame) soonest(t *task, sites []int) *candidate {
	var best *candidate
	for v, site := range f.options(t, sites) {
		o := f.offered(v, site, waiver{ceilings: true, late: true})
		if o.early != nil && (best == nil || sooner(*o.early, *best) < 0) {
			best = o.early
		}
	}
	return best
}

// better takes each task out and puts it at its best place, given all others.
// The plan gets no worse by it: if nothing is better by enough, it goes back.
func (f *frame) better(ts []*task) {
	for range rounds {
		moved := 0
		for _, t := range ts {
			if !t.placed || t.fixed() || t.flaw != sound {
				continue
			}
			was, by := t.at, t.by
			f.take(t)
			c, now := f.choose(t, t.sites, waiver{})
			if c != nil && (f.gains(t, was, *c) || t.freed(was, *c, now)) {
				f.put(t, *c, now)
				moved++
				continue
			}
			t.near = c != nil && t.promised && f.gainful(t, was, *c)
			if c != nil && (same(*c, was) || now == BindingMinSaving) {
				by = now // in the second case what it has is better than not to wait
			}
			f.put(t, was, by)
		}
		if moved == 0 || len(ts) > many && moved < len(ts)/20 {
			return
		}
	}
}

func same(a, b candidate) bool {
	return a.site == b.site && a.way == b.way && slices.Equal(a.runs, b.runs) && slices.Equal(a.levels, b.levels)
}

// gainful reports whether b is better than a in what t is to minimize.
func (f *frame) gainful(t *task, a, b candidate) bool {
	if t.adds() {
		return f.compare(t, b, a) < 0 && (b.cost != a.cost || b.carbon != a.carbon || b.known != a.known || b.priced != a.priced)
	}
	switch t.Shape.Objective.Minimize {
	case workload.MinimizeTime:
		return b.finish() < a.finish()
	case workload.MinimizeCost:
		return f.compare(t, b, a) < 0 && b.cost != a.cost
	}
	return b.known && (!a.known || b.carbon < a.carbon)
}

// gains reports whether moving t from a to b is worth it.
func (f *frame) gains(t *task, a, b candidate) bool {
	if f.compare(t, b, a) >= 0 {
		return false
	}
	if !t.promised {
		return true
	}
	if was, ok := f.total(t, a); ok && t.adds() {
		is, ok := f.total(t, b)
		return ok && was-is >= leastMoney && !below(int64(was-is), int64(max(was, -was)), leastShare)
	} else if _, known := f.total(t, b); known && t.adds() {
		return true
	}
	switch t.Shape.Objective.Minimize {
	case workload.MinimizeTime:
		return a.finish()-b.finish() >= f.step
	case workload.MinimizeCost:
		gain := a.cost - b.cost
		return f.costs(a, f.places[b.site].currency) && b.priced &&
			gain >= leastMoney && !below(int64(gain), int64(max(a.cost, -a.cost)), leastShare)
	}
	if !a.known {
		return b.known
	}
	gain := a.carbon - b.carbon
	return gain >= leastCarbon && !below(int64(gain), int64(a.carbon), leastShare)
}

// mend tries again for what is flawed, as others may have moved away or can be
// moved, until nothing more can be done.
func (f *frame) mend() {
	defer f.straighten()
	for range 2 * len(f.tasks) {
		moved := false
		for _, t := range f.tasks {
			if !t.placed || t.fixed() {
				continue
			}
			if t.flaw = f.flawOf(t, t.at); t.flaw == sound {
				continue
			}
			was, had, by := t.at, t.flaw, t.by
			f.take(t)
			if had >= late && f.moveOne(t) {
				moved = true
				continue
			}
			f.settle(t)
			if t.flaw < had || t.flaw == had && had == late && t.at.finish() < was.finish() {
				moved = true
				continue
			}
			f.take(t)
			f.put(t, was, by)
		}
		if !moved {
			return
		}
	}
}

// carried returns the placement in force of t as it stands now: what is past
// is dropped, a start that did not happen is due now, and the end is set by
// the work that remains. It returns false if that breaks a rule of pausing.
func (f *frame) carried(t *task) (candidate, bool) {
	t = f.on(t, t.was)
	if t.elastic() {
		c, lawful, ok := f.carriedElastic(t)
		return c, ok && lawful
	}
	runs, lawful := f.carriedRuns(t)
	if runs == nil {
		return candidate{}, false
	}
	return f.measure(t, t.own, runs), lawful
}

// carriedRuns returns the runs of carried, and whether they keep the rules of
// pausing; nil if there are none.
func (f *frame) carriedRuns(t *task) ([]stretch, bool) {
	if t.Placement == nil || t.own < 0 || t.hold >= 0 && t.own != t.hold {
		return nil, false
	}
	var runs []stretch
	for _, s := range t.Placement.Spans {
		from, to := max(f.from(s.Start), 0), f.from(s.End)
		if to > from && (len(runs) == 0 || from > runs[len(runs)-1].to) {
			runs = append(runs, stretch{from, to})
		}
	}
	if len(runs) == 0 {
		runs = []stretch{{0, 1}}
	}
	if !t.Shape.Interruptible.Allowed {
		from := runs[0].from
		if t.Running {
			from = 0
		}
		runs = []stretch{{from, from + t.left}}
	}
	// The last run ends when the work is done. One that is resumed only for
	// what resuming costs is not needed.
	for {
		work, before := t.work(runs), time.Duration(0)
		for _, r := range runs[:len(runs)-1] {
			before += r.to - r.from
		}
		end := &runs[len(runs)-1]
		if work-before > t.overhead() || len(runs) == 1 {
			end.to = end.from + max(work-before, 1)
			break
		}
		runs = runs[:len(runs)-1]
	}
	if !t.Running && f.from(t.Shape.When.NotBefore) > runs[0].from {
		return nil, false
	}
	return runs, f.lawful(t, runs) && !t.barred(runs)
}

// stops returns how many suspensions runs mean from now on.
func (t *task) stops(runs []stretch) int {
	n := len(runs) - 1
	if t.Running && runs[0].from > 0 {
		n++
	}
	return n
}

// work returns how long runs must last in all.
func (t *task) work(runs []stretch) time.Duration {
	return t.left + t.lead + time.Duration(t.stops(runs))*t.overhead()
}

// lawful reports whether runs keep the rules of pausing of t.
func (f *frame) lawful(t *task, runs []stretch) bool {
	if t.stops(runs) > t.pauses || t.Running && runs[0].from > 0 && !t.stop {
		return false
	}
	for i, r := range runs {
		length, least := r.to-r.from, t.minRun()
		if i == len(runs)-1 {
			return i == 0 || length > t.overhead()
		}
		if i == 0 && t.Running && r.from == 0 {
			length += t.ran(f)
		} else if i > 0 || t.lead > 0 || t.Running {
			least = max(least, t.overhead())
		}
		if length < least {
			return false
		}
	}
	return false
}
