package plan

import (
	"cmp"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Numbers past these are absurd. They are cut to size, so that no sum runs
// over, and stay absurd: no site has room for them.
const (
	longest     = 366 * 24 * time.Hour
	mostPower   = grid.Power(1) << 40 // a gigawatt
	mostAmount  = int64(1) << 46
	mostPUE     = 100_000
	mostSlots   = 10_000
	longestStep = 7 * 24 * time.Hour
	farthest    = 50 * longest // from now, of any time in an item
)

// frame is a snapshot made ready for planning: time counted from now, sites
// and items in the order of their names, what each site has left.
type frame struct {
	Options
	snap   Snapshot
	now    time.Time
	off    time.Duration // how far now is from the beginning of the loads
	step   time.Duration
	slots  int
	most   time.Duration // the longest run that the curves are drawn for
	places []*place
	tasks  []*task
	chain  []*task // those of tasks that wait or are waited for, in order
	seen   []seen  // memory for why

	shares *shares // of queues; nil: there are none
	loose  bool    // promises are being kept: shares do not bind them
	looks  int     // of moveOne so far
}

// place is a site, its load, and the intensity of its zone.
type place struct {
	Site
	gone  bool // only a promise still names it
	pue   int64
	room  amounts
	types [workload.MostGPUs]string // of its accelerators
	cards amounts                   // how many of each
	load  *load
	air   grid.Outlook
	means *air // of air, as far as it is drawn
	curve *curve

	tariff   grid.Tariff
	currency string // of the tariff
	rates    *curve // of its prices; nil if it has one price, or none
	// sums are its prices with those of the carbon, by the price of a tonne.
	sums map[grid.Money]*curve
}

func newFrame(s Snapshot) *frame { return newFrameWith(s, Options{}) }

func newFrameWith(s Snapshot, o Options) *frame {
	f := &frame{Options: o, snap: s, now: s.Now.Round(0).UTC()}
	f.measureUp(s)
	f.addPlaces()
	f.shares = newShares(s.Queues)
	f.shares.measure(f.places)
	seen := map[string]bool{}
	var items []Item
	for _, it := range s.Items {
		if !seen[it.ID] {
			seen[it.ID] = true
			items = append(items, it)
		}
	}
	f.tasks = make([]*task, len(items))
	f.inParts(len(items), func(from, to int) {
		for i := from; i < to; i++ {
			f.tasks[i] = f.newTask(items[i])
		}
	})
	slices.SortFunc(f.tasks, func(a, b *task) int { return cmp.Compare(a.ID, b.ID) })

	f.link()
	var most time.Duration
	for _, t := range f.tasks {
		most = max(most, f.longest(t), t.slowestRun())
	}
	f.draw(most)
	return f
}

// measureUp sets how long a slot is and how many there are.
func (f *frame) measureUp(s Snapshot) {
	f.step = min(s.Step, longestStep)
	if f.step < time.Second {
		f.step = 15 * time.Minute
	}
	f.slots = int(min(max(s.Horizon/f.step, 1), mostSlots))
}

// draw draws the curve of every place, far enough for a run that lasts most
// from the last slot on.
func (f *frame) draw(most time.Duration) {
	f.most = most
	curves, means := map[grid.Zone]*curve{}, map[grid.Zone]*air{}
	for _, p := range f.places {
		if curves[p.Zone] == nil {
			c := newCurve(p.air, f.now, f.slot(f.slots+1)+most)
			c.whole, c.sure = c.each(f.slots, f.step, f.step)
			curves[p.Zone] = c
			means[p.Zone] = newAir(p.air, f.now, f.slot(f.slots+1)+most)
		}
		p.curve, p.means = curves[p.Zone], means[p.Zone]
		p.sums = nil
		p.rates = priceCurve(p.tariff, f.now, f.slot(f.slots+1)+most)
	}
}

// addPlaces lists the sites by name, and with them those that only a promise
// still names: they are gone, and take no new work.
func (f *frame) addPlaces() {
	sites := slices.Clone(f.snap.Sites)
	known := map[string]bool{}
	for _, s := range sites {
		known[s.ID] = true
	}
	for _, it := range f.snap.Items {
		if it.Pinned != "" {
			sites = append(sites, gone(it.Pinned))
		}
		if it.Placement != nil && it.Placement.Site != "" {
			sites = append(sites, gone(it.Placement.Site))
		}
	}
	slices.SortStableFunc(sites, func(a, b Site) int { return cmp.Compare(a.ID, b.ID) })
	sites = slices.CompactFunc(sites, func(a, b Site) bool { return a.ID == b.ID })
	for _, s := range sites {
		p := &place{Site: s, gone: !known[s.ID], load: &load{}, pue: min(max(s.PUE, 1000), mostPUE),
			room: capacity(s.Capacity), air: f.snap.Outlook.Of(s.Zone), tariff: grid.NewTariff(s.Price, s.Currency)}
		if known[s.ID] {
			p.tariff = grid.NewTariff(s.Price, s.Currency, f.snap.Prices[s.Zone]...)
		}
		p.types, p.cards = racks(s.Capacity)
		p.currency = p.tariff.Currency()
		f.places = append(f.places, p)
	}
}

// gone is a site of which only the name is left.
func gone(id string) Site {
	return Site{ID: id, Down: true, PUE: 1000, Capacity: workload.Resources{
		CPU: workload.Unlimited, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}}
}

// find returns the index of the site called id, -1 if there is none.
func (f *frame) find(id string) int {
	i, ok := slices.BinarySearchFunc(f.places, id, func(p *place, id string) int { return cmp.Compare(p.ID, id) })
	if !ok {
		return -1
	}
	return i
}

// task returns the item called id, nil if there is none.
func (f *frame) task(id string) *task {
	i, ok := slices.BinarySearchFunc(f.tasks, id, func(t *task, id string) int { return cmp.Compare(t.ID, id) })
	if !ok {
		return nil
	}
	return f.tasks[i]
}

// slot returns the start of slot i, counted from now.
func (f *frame) slot(i int) time.Duration { return time.Duration(i) * f.step }

// at returns the time d from now.
func (f *frame) at(d time.Duration) time.Time { return f.now.Add(d) }

// from returns how far t is from now.
func (f *frame) from(t time.Time) time.Duration {
	return min(max(t.Sub(f.now), -farthest), farthest)
}

// slotsIn returns how many slots d takes, the last one perhaps in part.
func (f *frame) slotsIn(d time.Duration) int { return int((d + f.step - 1) / f.step) }
