package plan

import (
	"cmp"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// task is an item made ready for planning. Times are counted from now.
type task struct {
	Item
	power  grid.Power
	demand amounts
	gpu    workload.GPU // the accelerators of its demand; none if their number is 0

	// The kind of hardware that all of this is of, that of its placement in
	// force, and how many others are open to it; what its shape says of all.
	way, was, more int
	declared       *workload.Shape

	fetches bool // its data must be brought to where it does not lie

	left   time.Duration // expected running time that remains
	tail   time.Duration // what the booked time adds to it
	lead   time.Duration // overhead before anything else: it is suspended now
	first  int           // the first slot it may use
	limit  time.Duration // its booked time must end by then
	pauses int           // suspensions it has left; many if it may be suspended at will
	stop   bool          // it runs, and may be suspended at once

	promised bool
	lost     bool  // it runs, and nothing says where
	hold     int   // the site that it may not leave, -1 if it is free to go
	own      int   // the site of its placement in force, -1 if it has none
	sites    []int // those it may use, in the order of its preference

	// The place it has now, and how good that is.
	placed bool
	at     candidate
	flaw   flaw
	near   bool    // something better was found, and is too little to move for
	by     Binding // what decided when it was placed
	spared bool    // something better is free, and left to what is expected

	// What is denied to it, and how long it may run from each slot on until it
	// is denied; nil if nothing is.
	denied []stretch
	open   []time.Duration

	levels []level // sizes at which it can run, the smallest first; nil: as declared

	// before must have succeeded before it starts, behind wait for it: those that
	// are open. Neither: nothing below is of any meaning. Early is when it can start
	// at the earliest, dueBy (last, counted from now) when its booked time must end
	// for all behind it to be in time, whatever else is placed.
	before, behind []*task
	early          time.Duration
	dueBy          time.Time
	begin, due     time.Duration // its own window; first and limit are what is left of it
	last           time.Duration
	after          time.Duration // it may start from then on, as those before it stand

	// free is what freeAt has worked out, by site; nil: nothing is kept.
	free [][]time.Duration
}

// anyPauses stands for as many suspensions as one likes.
const anyPauses = 1 << 30

func (f *frame) newTask(it Item) *task {
	sh := it.Shape
	t := &task{Item: it, hold: -1, own: -1}
	t.turn(0, f.step)
	t.setWays(f)
	t.levels = levelsOf(it)
	t.fetches = fetching(it)
	t.limit = f.from(sh.When.CompleteBy) - min(max(f.snap.Margin, 0), longest)
	t.due, t.last, t.dueBy = t.limit, t.limit, ownDue(it, f.snap.Margin)

	if it.Pinned != "" {
		t.hold = f.find(it.Pinned)
	}
	if it.Placement != nil && it.Placement.Site != "" {
		t.own = f.find(it.Placement.Site)
	}
	if it.Running && t.hold < 0 {
		t.hold = t.own
	}
	t.promised = t.own >= 0 || t.hold >= 0
	t.lost = it.Running && t.hold < 0
	t.Running = it.Running && !t.lost

	in := sh.Interruptible
	if in.Allowed {
		t.pauses = anyPauses
		if in.MaxSuspensions > 0 {
			t.pauses = min(max(in.MaxSuspensions-min(max(it.Suspensions, 0), anyPauses), 0), anyPauses-1)
		}
		t.stop = t.Running && t.pauses > 0 && t.ran(f) >= t.minRun()
		if !t.Running && (it.Done > 0 || it.Suspensions > 0) {
			t.lead = t.overhead()
		}
	}
	if !t.Running && !sh.When.NotBefore.IsZero() {
		t.begin = max(f.from(sh.When.NotBefore), 0)
		t.first = max(f.slotsIn(t.begin), 0)
		t.early = t.begin
	}
	t.sites = f.sitesFor(t)
	if len(sh.When.Deny)+len(it.Closed) > 0 {
		if t.denied = f.denied(it); len(t.denied) > 0 {
			t.open = f.opens(t.denied)
		}
	}
	return t
}

// remaining returns the expected running time that remains of an item, and
// what its booked time adds. Work that is past its expectation may end at any
// moment: one slot at a time is planned and kept for it.
func remaining(it Item, step time.Duration) (left, tail time.Duration) {
	done := min(max(it.Done, 0), longest)
	d := it.Shape.Duration
	d.Expected, d.P95 = min(max(d.Expected, 0), longest), min(max(d.P95, 0), longest)
	left = d.Expected - done
	if left <= 0 {
		left = step
	}
	return left, max(d.Booked()-done-left, 0)
}

// Latest returns the latest safe start of all that remains of it, without a
// pause: completeBy − margin − booked − done, and one overhead if it is
// suspended now. A step of planning is what overrun work is given. What is
// denied to it may need a pause, and always an earlier start: latestBeside.
func Latest(it Item, margin, step time.Duration) time.Time {
	return latestBy(it, ownDue(it, margin), step)
}

// ownDue is when the booked time of an item must end by its own completeBy.
func ownDue(it Item, margin time.Duration) time.Time {
	return sane(it.Shape.When.CompleteBy).Add(-min(max(margin, 0), longest))
}

// latestBy is Latest of work whose booked time must end by a time.
func latestBy(it Item, by time.Time, step time.Duration) time.Time {
	left, tail := remaining(it, step)
	in := it.Shape.Interruptible
	if in.Allowed && !it.Running && (it.Done > 0 || it.Suspensions > 0) {
		left += min(max(in.Overhead, 0), longest)
	}
	if len(it.Shape.Elastic) > 0 {
		// What it can make up for it makes up for at its largest size.
		speed := min(max(it.Shape.Fastest(), workload.Declared), workload.MaxSize)
		left, tail = workload.Takes(left, speed), workload.Takes(tail, speed)
	}
	if len(it.Shape.When.Deny) > 0 {
		return latestBeside(it, by, left, tail)
	}
	return by.Add(-left - tail)
}

// sane cuts a time to what can be written: between 1970 and the year 9000.
func sane(t time.Time) time.Time {
	t = t.Round(0).UTC()
	if first := time.Unix(0, 0).UTC(); t.Before(first) {
		return first
	}
	if last := time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC); t.After(last) {
		return last
	}
	return t
}

func (t *task) overhead() time.Duration { return min(max(t.Shape.Interruptible.Overhead, 0), longest) }

func (t *task) minRun() time.Duration { return min(max(t.Shape.Interruptible.MinRun, 0), longest) }

// ran returns how long its current run lasts by now.
func (t *task) ran(f *frame) time.Duration { return max(-f.from(t.RunSince), 0) }

// slack returns when it must start at the latest, counted from now.
func (t *task) slack() time.Duration {
	tail := workload.Takes(t.tail, t.fastest())
	last := t.last - tail
	for i := len(t.denied) - 1; i >= 0; i-- { // it cannot end in what is denied
		if d := t.denied[i]; d.from < last+tail && last < d.to {
			last = d.from - tail
		}
	}
	return last - workload.Takes(t.left+t.lead, t.fastest())
}

// fixed reports whether its time is not for us to choose. Of elastic work that
// runs, the sizes are.
func (t *task) fixed() bool { return t.Running && !t.Shape.Interruptible.Allowed && !t.elastic() }

func bySlack(a, b *task) int {
	return cmp.Or(cmp.Compare(a.slack(), b.slack()), cmp.Compare(a.ID, b.ID))
}

// sitesFor lists the sites that t may use: the one that holds it, or those
// that take work and match where.allow; preferred ones first.
func (f *frame) sitesFor(t *task) []int {
	if t.hold >= 0 {
		return []int{t.hold}
	}
	if t.lost {
		return nil
	}
	var out []int
	for i, p := range f.places {
		if !p.Down && Allowed(t.Shape.Where, p.Site) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		return cmp.Compare(Rank(t.Shape.Where, f.places[a].Site), Rank(t.Shape.Where, f.places[b].Site))
	})
	return out
}
