package plan

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Past is work that was submitted once.
type Past struct {
	Submitted time.Time
	Shape     workload.Shape
}

// Arrival is work that nobody has submitted, and that is expected at a time. It
// stands for all that is expected of its kind in that hour. It has no tenant, no
// name, and never a place.
type Arrival struct {
	At    time.Time
	Shape workload.Shape
}

const (
	// expectWeeks is how far back Expect looks, and week what repeats itself.
	expectWeeks = 4
	week        = 7 * 24 * time.Hour
	// expectPieces is into how many pieces the work of a kind in an hour is cut
	// at most. As one it would find no room between others.
	expectPieces = 4
	// expectMost is how many arrivals are expected at most, the nearest first:
	// each is asked like an item.
	expectMost = 2_000
)

// Expect returns what is expected to be submitted from now on until horizon, by
// what was submitted at the same hour of the week in the last four weeks: the
// mean of demand × time over as many of those weeks as history reaches back, as
// so many pieces of mean length and slack. What has been submitted in the
// present hour is taken off what is expected of it. The result depends on the
// set of history alone.
func Expect(history []Past, now time.Time, horizon time.Duration) []Arrival {
	now = now.Round(0).UTC()
	oldest := now
	for _, p := range history {
		if p.Submitted.Before(oldest) {
			oldest = p.Submitted
		}
	}
	begins := now.Truncate(time.Hour)
	hours := int(min(max(horizon, 0), week)/time.Hour) + 1
	sums := make([]map[string]*bundle, hours)
	today := map[string]*bundle{} // submitted in the present hour
	for i := range history {
		p := &history[i]
		at := p.Submitted.Round(0).UTC()
		if at.After(now) || at.Before(begins.Add(-expectWeeks*week)) {
			continue
		}
		if !at.Before(begins) {
			bundleOf(today, p)
			continue
		}
		ago := int((begins.Sub(at.Truncate(time.Hour)) % week) / time.Hour)
		hour := 0
		if ago > 0 {
			hour = int(week/time.Hour) - ago
		}
		if hour < hours {
			if sums[hour] == nil {
				sums[hour] = map[string]*bundle{}
			}
			bundleOf(sums[hour], p)
		}
	}
	var out []Arrival
	for hour, kinds := range sums {
		at := begins.Add(time.Duration(hour) * time.Hour)
		// Only whole hours that lie in the record count as seen.
		weeks := 0
		for k := 1; k <= expectWeeks; k++ {
			if !at.Add(-time.Duration(k) * week).Before(oldest.Truncate(time.Hour)) {
				weeks++
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			if weeks == 0 {
				break
			}
			share := 1 / float64(weeks)
			if got := today[kind]; hour == 0 && got != nil {
				share = max(share-got.work()/kinds[kind].work(), 0)
			}
			out = append(out, kinds[kind].arrivals(at, now, share, float64(weeks))...)
		}
		if len(out) >= expectMost {
			return out[:expectMost]
		}
	}
	return out
}

// bundle is work of a kind: that may be at the same sites, and may pause or not.
type bundle struct {
	shape  workload.Shape // what they have in common
	n      int
	demand [4]float64 // × hours
	length float64    // hours, each counted as often as it draws kilowatts
	slack  float64    // the same
	power  float64    // milliwatts × hours
	weight float64    // kilowatts
}

// work is how much it is, in milliwatt-hours.
func (b *bundle) work() float64 { return b.power }

// bundleOf adds a past item to the bundle of its kind.
func bundleOf(kinds map[string]*bundle, p *Past) {
	sh := p.Shape
	length := sh.Duration.Expected.Hours()
	if !(length > 0) || sh.Power <= 0 || sh.Duration.Expected > longest {
		return
	}
	key := fmt.Sprintf("%v %s", sh.Interruptible.Allowed, strings.Join(slices.Sorted(slices.Values(sh.Where.Allow)), " "))
	b := kinds[key]
	if b == nil {
		b = &bundle{shape: workload.Shape{Where: workload.Where{Allow: sh.Where.Allow},
			Interruptible: workload.Interruptible{Allowed: sh.Interruptible.Allowed}, Objective: workload.Objective{Minimize: workload.MinimizeCarbon}}}
		kinds[key] = b
	}
	b.n++
	for r, v := range wanted(sh.Demand) {
		b.demand[r] += float64(v) * length
	}
	power := float64(min(sh.Power, mostPower))
	b.power += power * length
	b.length, b.weight = b.length+power*length, b.weight+power
	// What is not to wait has no slack, whenever it must be complete.
	if m := sh.Objective.Minimize; m == "" || m == workload.MinimizeCarbon {
		slack := sh.When.CompleteBy.Sub(latest(p.Submitted, sh.When.NotBefore)) - sh.Duration.Booked()
		b.slack += power * min(max(slack, 0), week).Hours()
	}
}

// arrivals cuts a share of the bundle into pieces that arrive evenly through the
// hour, or what is left of it.
func (b *bundle) arrivals(hour, now time.Time, share, weeks float64) (out []Arrival) {
	n := min(max(int(math.Round(float64(b.n)/weeks)), 1), expectPieces)
	length := time.Duration(b.length / b.weight * float64(time.Hour)).Round(time.Minute)
	length = max(length, time.Minute)
	each := share / float64(n) / length.Hours()
	amount := func(v float64) int64 { return int64(min(math.Round(v*each), float64(mostAmount))) }
	sh := b.shape
	sh.Demand = workload.Resources{CPU: amount(b.demand[0]), Memory: amount(b.demand[1]), Power: grid.Power(amount(b.demand[2])), Slots: amount(b.demand[3])}
	sh.Power = grid.Power(min(math.Round(b.power*each), float64(mostPower)))
	if sh.Power == 0 {
		return nil
	}
	sh.Duration = workload.Duration{Expected: length, P95: length * 10 / 11, Max: length}
	slack := time.Duration(b.slack / b.weight * float64(time.Hour)).Round(time.Minute)
	for i := range n {
		at := latest(hour.Add(time.Hour*time.Duration(i)/time.Duration(n)), now)
		sh.When = workload.When{NotBefore: at, CompleteBy: at.Add(length + slack + time.Minute)}
		out = append(out, Arrival{At: at, Shape: sh})
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// awaited makes tasks of what is expected, at most so many: they take part in
// the search for prices, hold room against what could as well be elsewhere, and
// are gone before the plan is written down.
func (f *frame) awaited(most int) (out []*task) {
	for i, a := range f.snap.Expected {
		if len(out) >= most {
			break
		}
		t := f.newTask(Item{ID: fmt.Sprintf("expected %06d", i), Shape: a.Shape})
		if len(t.sites) > 0 && t.power > 0 && t.limit-t.tail-t.left-t.lead >= 0 && t.first < f.slots {
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b *task) int { return cmp.Compare(a.slack(), b.slack()) })
	return out
}

// toll is what all of ts emit. What has no place is charged as if it ran three
// times in the dirtiest of all hours: worst is what a kilowatt costs in one slot
// of step then.
func toll(ts []*task, worst float64, step time.Duration) (sum grid.Carbon) {
	for _, t := range ts {
		if t.placed {
			sum += t.at.carbon
		} else {
			sum += grid.Carbon(3 * worst * float64(t.power) / 1e6 * float64(t.left) / float64(step))
		}
	}
	return sum
}

// spare marks what would be cleaner at a place that is free, and is left to work
// that is expected.
func (f *frame) spare(ts []*task) {
	for _, t := range ts {
		if !t.placed || t.flaw != sound || t.fixed() {
			continue
		}
		was, by := t.at, t.by
		f.take(t)
		c, _ := f.choose(t, t.sites, waiver{})
		t.spared = c != nil && f.gainful(t, was, *c)
		f.put(t, was, by)
	}
}
