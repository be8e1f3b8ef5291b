package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Book is all that is promised, kept so that one more item can be admitted
// beside it at the cost of what the item's window touches: for each site what
// is taken of it over time, and for each workload what it takes.
//
// It counts as Compute does what runs, runs over, is due or waits. What has no
// place that it can keep is given one for the time being, so that newcomers
// leave it room. The Book moves nothing and refuses nothing: where it finds no
// place, a whole plan may.
type Book struct {
	rules  Rules
	now    time.Time
	begins time.Time // what its loads are counted from
	sites  []Site
	series map[grid.Zone][]grid.Series
	prices map[grid.Zone][]grid.Prices
	queues []workload.Queue
	shares *shares

	frame *frame // of now, without tasks: its places have the loads
	loads map[string]*load
	held  map[string]*holding
	// moving are those whose claim depends on the time, due when the others
	// begin to.
	moving map[string]bool
	due    dues
	// homeless are those that cannot keep their place, whatever the others do;
	// away also those whose site has too little room. settled says that
	// shelters are kept for all of them.
	homeless, away map[string]bool
	settled        bool
	shelters       []booked

	roll roll
}

// holding is a workload in the Book, and what it takes.
type holding struct {
	wl        workload.Workload
	attempt   *workload.Attempt
	placement *Placement
	claims    []booked
}

// booked is a time at a site, counted from the Book's beginning.
type booked struct {
	site     string
	from, to time.Duration
	need     taking
	tenant   access.Tenant
	queue    string
}

// mostAway is how many workloads without a place of their own are given one
// for the time being. With more than that, only a whole plan is fair to them.
const mostAway = 64

// NewBook returns the Book of a world. The world's Now is rounded up to a whole
// second: all that is admitted in one second is counted from its end.
func NewBook(w World, r Rules) *Book {
	b := &Book{rules: r, now: wholeSecond(w.Now), begins: wholeSecond(w.Now), series: w.Forecasts, prices: w.Prices, queues: w.Queues, sites: w.Sites,
		loads: map[string]*load{}, held: map[string]*holding{}}
	attempts := map[string]*workload.Attempt{}
	for i := range w.Attempts {
		attempts[w.Attempts[i].Workload] = &w.Attempts[i]
	}
	placements := map[string]*Placement{}
	for i := range w.Placements {
		placements[w.Placements[i].Workload] = &w.Placements[i]
	}
	for _, wl := range w.Open {
		wl.Sealed = nil
		b.held[wl.ID] = &holding{wl: wl, attempt: attempts[wl.ID], placement: placements[wl.ID]}
	}
	b.recount()
	return b
}

// Now returns the time that the Book is at.
func (b *Book) Now() time.Time { return b.now }

// Len returns how many workloads are in the Book.
func (b *Book) Len() int { return len(b.held) }

// Turn brings the Book to a later time. What that time changes is counted
// again. It returns false if the time is so much earlier that only a new Book
// will do: a clock was set back.
func (b *Book) Turn(now time.Time) bool {
	now = wholeSecond(now)
	if !now.After(b.now) {
		return b.now.Sub(now) <= 2*time.Second
	}
	b.now = now
	b.open()
	for _, id := range b.due.until(now) {
		if b.held[id] != nil {
			b.moving[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.moving)) {
		b.count(id)
	}
	b.settled = false
	return true
}

// Put writes down a workload as it stands on record, in place of what the Book
// said of it; the attempt is its live one, nil if there is none. One that has
// ended is dropped.
func (b *Book) Put(wl workload.Workload, attempt *workload.Attempt, placement *Placement) {
	if wl.State.Terminal() {
		b.Drop(wl.ID)
		return
	}
	wl.Sealed = nil
	h := b.held[wl.ID]
	if h == nil {
		// What is new was admitted beside all others: it unsettles nobody.
		h = &holding{}
		b.held[wl.ID] = h
	} else {
		b.settled = false
	}
	h.wl, h.attempt, h.placement = wl, attempt, placement
	b.count(wl.ID)
}

// Progress writes down how live attempts get on.
func (b *Book) Progress(attempts []workload.Attempt) {
	for _, a := range attempts {
		h := b.held[a.Workload]
		if h == nil || h.attempt != nil && *h.attempt == a {
			continue
		}
		h.attempt = &a
		b.settled = false
		b.count(a.Workload)
	}
}

// Drop forgets a workload.
func (b *Book) Drop(id string) {
	if h := b.held[id]; h != nil {
		b.release(h)
		delete(b.held, id)
		delete(b.moving, id)
		delete(b.homeless, id)
		b.settled = false
		b.roll.strike(id)
	}
}

// SetSites writes down the sites as they are now.
func (b *Book) SetSites(sites []Site) {
	if !slices.Equal(sites, b.sites) {
		b.sites = sites
		b.recount()
	}
}

// SetQueues writes down the queues as they are now.
func (b *Book) SetQueues(queues []workload.Queue) {
	if !slices.Equal(queues, b.queues) {
		b.queues = queues
		b.recount()
	}
}

// SetForecasts writes down what is expected now. Promises stay where they are;
// one that its ceiling may no longer allow is looked at again.
func (b *Book) SetForecasts(series map[grid.Zone][]grid.Series) {
	b.series = series
	b.retold()
}

// SetPrices writes down what the market tells now, as SetForecasts does.
func (b *Book) SetPrices(prices map[grid.Zone][]grid.Prices) {
	b.prices = prices
	b.retold()
}

func (b *Book) retold() {
	b.settled = false
	b.open()
	for _, id := range slices.Sorted(maps.Keys(b.held)) {
		if o := b.held[id].wl.Shape.Objective; o.CarbonCeiling > 0 || o.CostCeiling > 0 {
			b.count(id)
		}
	}
}

// Admit finds a place for a new item beside all that is promised; ok is false
// if there is none that the Book can see. The Book is as before: Put says that
// the place is taken.
func (b *Book) Admit(it Item) (pl Placement, ok bool) {
	if b.held[it.ID] != nil || !b.Fair() {
		return Placement{}, false
	}
	f := b.frame
	t := f.newTask(it)
	if t.promised || t.lost {
		return Placement{}, false
	}
	b.reach(t)
	t.free = make([][]time.Duration, len(f.places))
	c, by := f.choose(t, t.sites, waiver{})
	if c == nil {
		return Placement{}, false
	}
	t.at, t.by = *c, by
	pl = f.placement(t)
	pl.Why = f.why(t)
	return pl, true
}

// Fair reports whether newcomers may be admitted by the Book: not while too
// many of those that it holds have no place that they can keep.
func (b *Book) Fair() bool {
	b.settle()
	return len(b.away) <= mostAway
}

// Addition returns the plan that follows parent and says nothing but what is
// new: all that was promised before stands.
func (b *Book) Addition(parent string, added []Placement) Plan {
	added = slices.Clone(added)
	slices.SortFunc(added, func(x, y Placement) int { return cmp.Compare(x.Workload, y.Workload) })
	p := Plan{Parent: parent, At: b.now, Placements: added, Unplaced: []Refusal{}}
	p.ID = NewID(p)
	return p
}

// Check doubts an addition of new items that is about to follow parent: it
// returns a *Broken if the plan does not keep every promise to each of them, or
// takes what is promised to another. It counts from the placements of all
// others and shares nothing with Admit.
func (b *Book) Check(items []Item, parent string, p Plan) error {
	err := b.roll.doubt(b.snapshot(parent), items, p)
	for _, it := range items { // whatever was found, the roll is as it was
		b.roll.strike(it.ID)
		if h := b.held[it.ID]; h != nil {
			b.roll.enter(itemOf(h.wl, h.attempt, h.placement, b.now))
		}
	}
	return err
}

// Margin returns what the rules keep free before completeBy.
func (b *Book) Margin() time.Duration { return b.rules.Margin }

// Sites returns the sites that the Book knows.
func (b *Book) Sites() []Site { return b.sites }

// Refuse says why an item has no place beside all that is promised. A whole
// plan may yet find one by moving others; with a great many others, that is
// not tried.
func (b *Book) Refuse(it Item) *Refusal {
	b.settle()
	t := b.frame.newTask(it)
	b.reach(t)
	r := b.frame.refuse(t)
	return sayNearest(&r)
}

func (b *Book) snapshot(parent string) Snapshot {
	s := Snapshot{Now: b.now, Parent: parent, Step: b.rules.Step, Horizon: b.rules.Horizon, Margin: b.rules.Margin, Sites: b.sites, Queues: b.queues}
	if b.frame != nil {
		s.Outlook, s.Prices = b.frame.snap.Outlook, b.frame.snap.Prices
	}
	return s
}

// reach draws the curves far enough for t.
func (b *Book) reach(t *task) {
	if most := max(b.frame.longest(t), t.slowestRun()); most > b.frame.most {
		b.frame.draw(max(most, 2*b.frame.most))
	}
}

// open makes the frame of now. It has a place for every site that there is and
// for every one that only a promise still names.
func (b *Book) open() {
	s := b.snapshot("")
	s.Outlook, s.Prices = outlook(b.rules.PlansOn(), b.series, b.now), market(b.prices, b.now)
	for id := range b.loads {
		s.Items = append(s.Items, Item{Pinned: id})
	}
	f := &frame{snap: s, now: b.now, off: b.now.Sub(b.begins)}
	f.measureUp(s)
	f.addPlaces()
	f.snap.Items = nil
	for _, p := range f.places {
		if b.loads[p.ID] == nil {
			b.loads[p.ID] = &load{}
		}
		p.load = b.loads[p.ID]
	}
	if f.most = 24 * time.Hour; b.frame != nil {
		f.most = b.frame.most
	}
	f.draw(f.most)
	f.shares = b.shares
	f.shares.measure(f.places)
	b.frame = f
	b.roll.at(b.now, s)
}

// recount counts everything anew.
func (b *Book) recount() {
	b.begins, b.loads, b.roll, b.shares = b.now, map[string]*load{}, roll{}, newShares(b.queues)
	b.moving, b.homeless, b.due = map[string]bool{}, map[string]bool{}, nil
	b.settled, b.shelters = false, nil
	b.open()
	for _, id := range slices.Sorted(maps.Keys(b.held)) {
		b.held[id].claims = nil
		b.count(id)
	}
}

// unbook gives back what claims take.
func (b *Book) unbook(claims []booked) {
	for _, c := range claims {
		b.take(c, -1)
	}
}

func (b *Book) release(h *holding) {
	b.unbook(h.claims)
	h.claims = nil
}

// count works out anew what a workload takes.
func (b *Book) count(id string) {
	h := b.held[id]
	b.release(h)
	delete(b.moving, id)
	delete(b.homeless, id)
	it := itemOf(h.wl, h.attempt, h.placement, b.now)
	b.roll.strike(id)
	b.roll.enter(it)
	b.know(it)

	t := b.frame.newTask(it)
	if t.lost {
		return // no site can be kept free for it
	}
	t = b.frame.on(t, t.was)
	b.reach(t)
	if t.fixed() {
		h.claims = b.book(t, candidate{site: t.hold, runs: []stretch{{0, t.left}}})
		b.moving[id] = true
		return
	}
	c := candidate{site: t.own}
	var lawful bool
	if t.elastic() {
		c, lawful, _ = b.frame.carriedElastic(t)
	} else {
		c.runs, lawful = b.frame.carriedRuns(t)
	}
	if !lawful || !slices.Contains(t.sites, t.own) || b.restless(t, c) {
		b.homeless[id], b.settled = true, false
	}
	if c.runs == nil {
		// Nothing says when. If a site has its start right, it may be now.
		if c.site, c.runs = t.hold, []stretch{{0, t.left + t.lead}}; c.site < 0 {
			c.site = t.own
		}
	}
	if c.site < 0 {
		return
	}
	h.claims = b.book(t, c)
	if c.runs[0].from == 0 {
		b.moving[id] = true
	} else {
		b.due.put(b.now.Add(c.runs[0].from), id)
	}
}

// know makes a place for the sites that an item names.
func (b *Book) know(it Item) {
	names := []string{it.Pinned}
	if it.Placement != nil {
		names = append(names, it.Placement.Site)
	}
	for _, id := range names {
		if id != "" && b.loads[id] == nil {
			b.loads[id] = &load{}
			b.open()
		}
	}
}

// restless reports whether t, which is booked at c, breaks a promise there that
// is its alone: a whole plan would look for another place.
func (b *Book) restless(t *task, c candidate) bool {
	if c.finish()+t.tailAt(t.level(c, len(c.runs)-1)) > t.limit {
		return true
	}
	o := t.Shape.Objective
	if o.CarbonCeiling <= 0 && o.CostCeiling <= 0 {
		return false
	}
	c = b.frame.sized(t, t.own, c.runs, c.levels)
	return !t.affordable(b.frame.places[t.own], c.known, c.carbon, c.priced, c.cost)
}

// settle keeps a place, beside its own, for each workload that cannot stay where
// it is, or whose site has too little room for it. Where there is none now,
// newcomers cannot take it.
func (b *Book) settle() {
	if b.settled {
		return
	}
	b.settled = true
	b.unbook(b.shelters)
	b.shelters = nil
	b.away = maps.Clone(b.homeless)
	for _, p := range b.frame.places {
		if !p.full(b.frame.off) {
			continue
		}
		for id, h := range b.held {
			if slices.ContainsFunc(h.claims, func(c booked) bool {
				return c.site == p.ID && p.crowded(c.need, max(c.from, b.frame.off), c.to)
			}) && !b.fixed(h) {
				b.away[id] = true
			}
		}
	}
	if len(b.away) > mostAway {
		return // nobody is admitted beside so many
	}
	for _, id := range slices.Sorted(maps.Keys(b.away)) {
		h := b.held[id]
		t := b.frame.newTask(itemOf(h.wl, h.attempt, h.placement, b.now))
		b.reach(t)
		b.frame.loose = true // a promise comes before any share
		c, _ := b.frame.choose(t, t.sites, waiver{})
		b.frame.loose = false
		if c != nil {
			b.shelters = append(b.shelters, b.book(b.frame.on(t, c.way), *c)...)
		}
	}
}

// take takes what is booked of its site, or with sign -1 gives it back.
func (b *Book) take(c booked, sign int64) {
	if i := b.frame.find(c.site); i >= 0 {
		b.frame.places[i].book(c.need, c.from, c.to, sign)
	}
	b.shares.add(c.tenant, c.queue, c.from, c.to, c.need.amounts, sign)
}

func (b *Book) fixed(h *holding) bool {
	return b.frame.newTask(itemOf(h.wl, h.attempt, h.placement, b.now)).fixed()
}

// book takes the runs of t at c, with what its booked time adds.
func (b *Book) book(t *task, c candidate) (out []booked) {
	f := b.frame
	p := f.places[c.site]
	for i, r := range c.runs {
		l := t.level(c, i)
		if i == len(c.runs)-1 {
			r.to += t.tailAt(l)
		}
		took := booked{p.ID, f.off + max(r.from, 0), f.off + r.to, taking{l.demand, t.gpu}, t.Tenant, t.Shape.QueueOf()}
		b.take(took, 1)
		out = append(out, took)
	}
	return out
}
