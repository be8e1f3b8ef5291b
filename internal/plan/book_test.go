package plan

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// FuzzBook: a Book that is kept up to date through whatever happens says what
// one made anew says, admits what Admit admits beside all others, and never
// what a check of the whole plan would refuse.
func FuzzBook(f *testing.F) {
	for seed := range uint64(600) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		if _, err := bookkeeping(seed, 8); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	})
}

// recorded is an item as the record has it.
func recorded(it Item, now time.Time) (workload.Workload, *workload.Attempt) {
	w := workload.Workload{ID: it.ID, Tenant: it.Tenant, Shape: it.Shape, State: workload.Planned}
	if it.Pinned == "" {
		return w, nil
	}
	w.State = workload.Held
	a := &workload.Attempt{Workload: it.ID, N: 1, Site: it.Pinned, State: workload.AttemptHeld, Active: it.Done, Suspensions: it.Suspensions, Seen: now}
	if it.Running {
		w.State, a.State, a.RunSince = workload.Running, workload.AttemptRunning, it.RunSince
		if it.Placement != nil { // it runs at the size that its placement says for now
			for _, sp := range it.Placement.Spans {
				if a.Size = sp.Size; now.Before(sp.End) {
					break
				}
			}
		}
	}
	return w, a
}

func recordOf(s Snapshot) World {
	w := World{Now: s.Now, Parent: s.Parent, Sites: s.Sites, Prices: s.Prices, Forecasts: map[grid.Zone][]grid.Series{}}
	for _, z := range s.Outlook.Zones() {
		w.Forecasts[z] = s.Outlook.Of(z).Series()
	}
	for _, it := range s.Items {
		wl, a := recorded(it, s.Now)
		w.Open = append(w.Open, wl)
		if a != nil {
			w.Attempts = append(w.Attempts, *a)
		}
		if it.Placement != nil {
			w.Placements = append(w.Placements, *it.Placement)
		}
	}
	return w
}

// bookkeeping lets a world go on and keeps a Book of it. It returns how many
// items the Book admitted.
func bookkeeping(seed uint64, steps int) (admitted int, err error) {
	r := rand.New(rand.NewPCG(seed, 4))
	s := randomSnapshot(r)
	p := Compute(s)
	rules := Rules{Step: s.Step, Horizon: s.Horizon, Margin: s.Margin}
	s = live(r, s, p, 0)
	b := NewBook(recordOf(s), rules)
	for i := range steps {
		fail := func(format string, args ...any) (int, error) {
			return admitted, fmt.Errorf("step %d: %w", i, fmt.Errorf(format, args...))
		}
		// 1. A few items come at this moment, one after another.
		for n := range r.IntN(4) {
			it := randomItem(r, s, fmt.Sprintf("x%02d-%d", i, n))
			next, ok, err := admitBoth(s, b, it)
			if err != nil {
				return fail("%s: %w", it.ID, err)
			}
			if !ok {
				continue
			}
			admitted++
			wl, _ := recorded(it, s.Now)
			it.Placement = &next.Placements[0]
			b.Put(wl, nil, it.Placement)
			s.Items, s.Parent = append(s.Items, it), next.ID
			if err := stands(s, it.ID); err != nil {
				return fail("%s: %w", it.ID, err)
			}
		}
		// 2. Time passes, and things happen; sometimes a whole plan is made.
		p = Compute(s)
		if err := Check(s, p); err != nil {
			return fail("%w", err)
		}
		after := live(r, s, p, time.Duration(r.IntN(150))*s.Step/60)
		if often(r, 30) {
			after = live(r, s, inForce(s, p), time.Duration(r.IntN(150))*s.Step/60)
		}
		if err := follow(b, s, after); err != nil {
			return fail("%w", err)
		}
		s = after
		// 3. The Book that was kept and one made anew say the same.
		if err := alike(b, NewBook(recordOf(s), rules)); err != nil {
			return fail("%w", err)
		}
	}
	return admitted, nil
}

// inForce is p with the placements that were in force before, where there are any.
func inForce(s Snapshot, p Plan) Plan {
	old := map[string]*Placement{}
	for _, it := range s.Items {
		old[it.ID] = it.Placement
	}
	p.Placements = slices.Clone(p.Placements)
	for i, pl := range p.Placements {
		if o := old[pl.Workload]; o != nil && len(o.Spans) > 0 {
			p.Placements[i] = *o
		}
	}
	return p
}

// admitBoth asks the Book and Admit's own first step for a place.
func admitBoth(s Snapshot, b *Book, it Item) (Plan, bool, error) {
	pl, ok := b.Admit(it)
	next := b.Addition(s.Parent, []Placement{pl})
	if ok {
		if err := b.Check([]Item{it}, s.Parent, next); err != nil {
			return next, ok, fmt.Errorf("the Book doubts its own admission: %w", err)
		}
	} else if r := b.Refuse(it); len(r.Failed) == 0 {
		return next, ok, errors.New("it is refused without a reason")
	}
	if _, _, sound := beside(s, it); !sound || len(b.away) > 0 {
		return next, ok, nil // the Book keeps more room free than may be needed
	}
	whole, fits := admitted(s, it)
	if fits != ok {
		return next, ok, fmt.Errorf("the Book says %v, a look at the whole says %v", ok, fits)
	}
	if !ok {
		return next, ok, nil
	}
	if err := Check(with(s, it), whole); err != nil {
		return next, ok, err
	}
	i, _ := slices.BinarySearchFunc(whole.Placements, it.ID, func(pl Placement, id string) int { return cmp.Compare(pl.Workload, id) })
	if !reflect.DeepEqual(whole.Placements[i], next.Placements[0]) {
		return next, ok, fmt.Errorf("the Book places it so: %+v, a look at the whole so: %+v", next.Placements[0], whole.Placements[i])
	}
	return next, ok, nil
}

// stands reports whether a promise just made is kept by whoever looks at the
// whole: it is in no crowd and needs no excuse.
func stands(s Snapshot, id string) error {
	f := newFrame(s)
	f.stand()
	for _, t := range f.tasks {
		if t.ID == id && (!t.placed || t.flaw != sound || t.at.site != t.own) {
			return fmt.Errorf("what was just promised does not stand: placed %v, flaw %d", t.placed, t.flaw)
		}
	}
	return Check(s, Compute(s))
}

// follow tells the Book what is different in after.
func follow(b *Book, before, after Snapshot) error {
	if !b.Turn(after.Now) {
		return errors.New("the Book does not turn forward")
	}
	b.SetSites(after.Sites)
	b.SetForecasts(recordOf(after).Forecasts)
	b.SetPrices(after.Prices)
	still := map[string]bool{}
	old := map[string]Item{}
	for _, it := range before.Items {
		old[it.ID] = it
	}
	for _, it := range after.Items {
		still[it.ID] = true
		if o := old[it.ID]; sameRecord(o, it, after.Now.Sub(before.Now)) {
			continue // the record says nothing new: time alone passed
		}
		wl, a := recorded(it, after.Now)
		b.Put(wl, a, it.Placement)
	}
	for _, it := range before.Items {
		if !still[it.ID] {
			wl, _ := recorded(it, after.Now)
			wl.State = workload.Succeeded
			b.Put(wl, nil, nil)
		}
	}
	return nil
}

// sameRecord reports whether b is what a is after a while in which nothing was
// put on record.
func sameRecord(a, b Item, d time.Duration) bool {
	if a.ID == "" || a.Pinned != b.Pinned || a.Running != b.Running || a.Suspensions != b.Suspensions || (a.Placement == nil) != (b.Placement == nil) {
		return false
	}
	if a.Placement != nil && !reflect.DeepEqual(*a.Placement, *b.Placement) {
		return false
	}
	if !b.Running {
		return a.Done == b.Done
	}
	return a.RunSince.Equal(b.RunSince) && a.Done+d == b.Done
}

// alike compares what two Books say is taken from now on.
func alike(kept, anew *Book) error {
	kept.settle()
	anew.settle()
	if kept.Len() != anew.Len() {
		return fmt.Errorf("the Book has %d workloads, the record %d", kept.Len(), anew.Len())
	}
	if !reflect.DeepEqual(kept.away, anew.away) {
		return fmt.Errorf("away are %v, on record %v", kept.away, anew.away)
	}
	claims := func(b *Book) (out []string) {
		for id, h := range b.held {
			for _, c := range h.claims {
				from := max(c.from, b.now.Sub(b.begins))
				out = append(out, fmt.Sprint(id, c.site, b.begins.Add(from), b.begins.Add(c.to), c.need))
			}
		}
		slices.Sort(out)
		return out
	}
	if a, b := claims(kept), claims(anew); !slices.Equal(a, b) {
		return fmt.Errorf("claims are\n%v, on record\n%v", a, b)
	}
	for id, l := range anew.loads {
		for d := time.Duration(0); d < 40*time.Hour; d += 7 * time.Minute {
			at := anew.now.Add(d)
			if a, b := useAt(l, at.Sub(anew.begins)), useAt(kept.loads[id], at.Sub(kept.begins)); a != b {
				return fmt.Errorf("%s is taken by %v at %s, on record by %v", id, b, at, a)
			}
		}
	}
	return nil
}

func useAt(l *load, t time.Duration) (use amounts) {
	if l == nil {
		return use
	}
	for i := range l.parts {
		for k, at := range l.parts[i].at {
			if at <= t {
				use = l.parts[i].use[k].and(l.parts[i].plus)
			}
		}
	}
	return use
}

// The hunt above is worth nothing if the Book admits nothing.
func TestBookAdmits(t *testing.T) {
	n := 0
	for seed := range uint64(100) {
		got, err := bookkeeping(seed, 8)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		n += got
	}
	if n < 200 {
		t.Errorf("only %d admitted in 100 worlds", n)
	}
}

// Check of an addition finds each promise that is not kept, to the new item and
// to the others, on its own: it is not told what Admit looked at.
func TestBookCheckDoubts(t *testing.T) {
	s, p := doubtful(t)
	s.Items, s.Parent = nil, p.ID
	rules := Rules{Step: s.Step, Horizon: s.Horizon, Margin: s.Margin}
	item := func(id string) Item {
		return Item{ID: id, Tenant: "t", Shape: workload.Shape{Power: 1000 * grid.Watt, Demand: workload.Resources{CPU: 5000, Slots: 1},
			Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour}, When: workload.When{CompleteBy: hour(4)}, Where: workload.Where{Allow: []string{"b"}},
			Objective: workload.Objective{Currency: "EUR"}}}
	}
	other := item("other")
	b := NewBook(recordOf(s), rules)
	taken, ok := b.Admit(other)
	if !ok {
		t.Fatal("the first one has no place")
	}
	wl, _ := recorded(other, s.Now)
	b.Put(wl, nil, &taken)
	it := item("x")
	pl, ok := b.Admit(it)
	if !ok {
		t.Fatal("the second one has no place")
	}
	if err := b.Check([]Item{it}, s.Parent, b.Addition(s.Parent, []Placement{pl})); err != nil {
		t.Fatal(err)
	}
	again := func(p Plan) Plan { p.ID = NewID(p); return p }
	at := func(start time.Time) Placement {
		moved := pl
		moved.Spans = []Span{{Start: start, End: start.Add(time.Hour)}}
		moved.Reserved = start.Add(pl.Reserved.Sub(pl.Finish()) + time.Hour)
		d := &doubt{s: b.snapshot(s.Parent), now: s.Now, sites: b.roll.sites}
		moved.Energy, moved.Carbon, moved.Grade, moved.Cost, moved.Currency = d.reckon(it, moved.Site, moved.Spans)
		moved.Why = Reasons{Binding: BindingNone, Text: "so", Considered: 1, Signals: pl.Why.Signals}
		return moved
	}
	for name, c := range map[string]struct {
		items []Item
		plan  Plan
		want  Kept
	}{
		"beside the other, with room for one": {[]Item{it}, b.Addition(s.Parent, []Placement{at(taken.Start())}), KeptCapacity},
		"half beside the other":               {[]Item{it}, b.Addition(s.Parent, []Placement{at(taken.Start().Add(30 * time.Minute))}), KeptCapacity},
		"too late":                            {[]Item{it}, b.Addition(s.Parent, []Placement{at(hour(3.5))}), KeptTime},
		"in the past":                         {[]Item{it}, b.Addition(s.Parent, []Placement{at(hour(0.5))}), KeptNotBefore},
		"another parent":                      {[]Item{it}, b.Addition("another", []Placement{pl}), KeptParent},
		"another name":                        {[]Item{it}, func() Plan { p := b.Addition(s.Parent, []Placement{pl}); p.ID = "x"; return p }(), KeptName},
		"another time":                        {[]Item{it}, again(func() Plan { p := b.Addition(s.Parent, []Placement{pl}); p.At = p.At.Add(1); return p }()), KeptParent},
		"nobody placed":                       {[]Item{it}, b.Addition(s.Parent, nil), KeptOnce},
		"somebody else":                       {[]Item{item("y")}, b.Addition(s.Parent, []Placement{pl}), KeptOnce},
		"refused in it": {[]Item{it}, again(func() Plan {
			p := b.Addition(s.Parent, nil)
			p.Unplaced = []Refusal{{Workload: "x", Failed: []Failed{{Field: "where", Message: "no"}}}}
			return p
		}()), KeptOnce},
		"not allowed there": {[]Item{func() Item { x := it; x.Shape.Where.Allow = []string{"a"}; return x }()}, b.Addition(s.Parent, []Placement{pl}), KeptSite},
		"figures":           {[]Item{it}, b.Addition(s.Parent, []Placement{func() Placement { x := pl; x.Carbon++; return x }()}), KeptFigures},
		"above its ceiling": {[]Item{func() Item { x := it; x.Shape.Objective.CarbonCeiling = 1; return x }()}, b.Addition(s.Parent, []Placement{pl}), KeptCeiling},
		"promised before":   {[]Item{func() Item { x := it; x.Placement = &pl; return x }()}, b.Addition(s.Parent, []Placement{pl}), KeptOnce},
		"two where one fits": {[]Item{it, item("y")}, b.Addition(s.Parent, []Placement{pl, func() Placement {
			x := pl
			x.Workload = "y"
			return x
		}()}), KeptCapacity},
	} {
		var broken *Broken
		if err := b.Check(c.items, s.Parent, c.plan); !errors.As(err, &broken) || broken.Promise != c.want {
			t.Errorf("%s: %v, want the promise of %s broken", name, err, c.want)
		}
		if err := b.Check([]Item{it}, s.Parent, b.Addition(s.Parent, []Placement{pl})); err != nil {
			t.Errorf("after %s the Book doubts what is good: %v", name, err)
		}
	}
	// What is in the Book and was found wrong is counted all the same.
	wrong := taken
	wrong.Carbon++
	if b.Check([]Item{other}, s.Parent, b.Addition(s.Parent, []Placement{wrong})) == nil {
		t.Error("wrong figures are let pass")
	}
	if b.Check([]Item{it}, s.Parent, b.Addition(s.Parent, []Placement{at(taken.Start())})) == nil {
		t.Error("after it was doubted, a workload of the Book has no claim any more")
	}
}

// Work without a place of its own is left the room that it needs; with very
// many of them, the Book admits nobody.
func TestBookLeavesRoomForTheHomeless(t *testing.T) {
	s, _ := doubtful(t)
	s.Items = nil
	item := func(id string) Item {
		return Item{ID: id, Tenant: "t", Shape: workload.Shape{Demand: workload.Resources{CPU: 8000, Slots: 1}, Duration: workload.Duration{Expected: time.Hour, P95: time.Hour},
			When: workload.When{CompleteBy: hour(2.5)}, Where: workload.Where{Allow: []string{"b"}}}}
	}
	s.Items = []Item{item("homeless")}
	b := NewBook(recordOf(s), Rules{Step: s.Step, Horizon: s.Horizon, Margin: s.Margin})
	if _, ok := b.Admit(item("x")); ok {
		t.Error("a newcomer is given the only room that is left for work without a place")
	}
	b.Drop("homeless")
	if _, ok := b.Admit(item("x")); !ok {
		t.Error("there is room again, and the newcomer has none")
	}
	for n := range mostAway + 1 {
		wl, _ := recorded(Item{ID: fmt.Sprint("h", n), Shape: workload.Shape{When: workload.When{CompleteBy: hour(9)}, Duration: workload.Duration{Expected: time.Minute}, Where: workload.Where{Allow: []string{"mars"}}}}, s.Now)
		b.Put(wl, nil, nil)
	}
	if _, ok := b.Admit(item("x")); ok || b.Fair() {
		t.Error("beside very many without a place, the Book admits a newcomer")
	}
}
