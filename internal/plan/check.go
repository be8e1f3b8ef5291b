package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Broken says which promise a plan breaks, and to whom. Workload is "" if it
// is a promise about the plan as a whole.
type Broken struct {
	Workload string
	Promise  Kept
	Detail   string
}

func (b *Broken) Error() string {
	if b.Workload == "" {
		return fmt.Sprintf("plan breaks its promise of %s: %s", b.Promise, b.Detail)
	}
	return fmt.Sprintf("plan breaks its promise of %s to workload %s: %s", b.Promise, b.Workload, b.Detail)
}

// Kept is a promise that Check looks after.
type Kept string

const (
	KeptName      Kept = "name"      // the ID is the hash of the content
	KeptParent    Kept = "parent"    // it follows the plan in force, at the snapshot's time
	KeptOnce      Kept = "once"      // every item is placed or refused, once, in order
	KeptPlace     Kept = "place"     // no promised item is dropped
	KeptSite      Kept = "site"      // allowed, known, and taking work
	KeptWay       Kept = "way"       // one of its kinds of hardware, and the same once it has one
	KeptData      Kept = "data"      // it starts when its data has come
	KeptStart     Kept = "start"     // the start right and a run under way stay where they are
	KeptNotBefore Kept = "notBefore" // nothing starts too early, or in the past
	KeptSpans     Kept = "spans"     // in order and apart
	KeptWork      Kept = "work"      // neither more nor less than what remains
	KeptPauses    Kept = "pauses"    // only what may be suspended, not too often, not too soon
	KeptReserve   Kept = "reserve"   // the booked time is kept, and Latest follows from it
	KeptTime      Kept = "time"      // booked to be complete in time
	KeptAfter     Kept = "after"     // not before the booked end of what it waits for
	KeptDenied    Kept = "denied"    // clear of the times that are denied to it
	KeptCapacity  Kept = "capacity"  // no site is filled beyond what it has
	KeptCeiling   Kept = "ceiling"   // of carbon and of cost
	KeptFigures   Kept = "figures"   // energy, carbon and cost are what the signals say
	KeptReasons   Kept = "reasons"   // the reasons agree with the placement
	KeptBound     Kept = "bound"     // the certificate follows from its prices
)

// doubt is a plan under suspicion. It shares no code with Compute: what both
// get wrong alike, nobody would find.
type doubt struct {
	s     Snapshot
	p     Plan
	now   time.Time
	sites map[string]Site
	items map[string]Item
	taken map[string][]claim // by site
	ways  map[string]int     // by workload, as the plan has them go
	crowd map[string]bool    // workloads whose site has too little room for them
	// tides is what tidesAt has worked out, by site.
	tides map[string]siteTides
	// What cheapest works with: by lane, and summed up over time.
	all, pays []float64
	sums      [3]tally
	line      *line // who waits for whom; nil: nobody
	// starts and ends are the first start and the booked end of each placement.
	starts, ends map[string]time.Time
}

// claim is a time at a site that a placement keeps for itself.
type claim struct {
	workload string
	from, to time.Time
	need     bill
}

// Check returns an error, a *Broken, if p is not a plan for s that keeps every
// promise. A promise that the world has made impossible to keep (its site is
// gone or smaller, it ran over or started late) is excused only if Check finds
// no room with which it could be kept.
func Check(s Snapshot, p Plan) error {
	d := &doubt{s: s, p: p, now: s.Now.Round(0).UTC(), sites: map[string]Site{}, items: map[string]Item{}, taken: map[string][]claim{}, crowd: map[string]bool{}}
	for _, st := range s.Sites {
		if _, twice := d.sites[st.ID]; !twice {
			d.sites[st.ID] = st
		}
	}
	for _, step := range []func() error{d.whole, d.eachOnce, d.inLine, d.placements, d.turn, d.capacity, d.shares, d.excuses, d.certificate} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (d *doubt) whole() error {
	if id := NewID(d.p); d.p.ID != id || id == "" {
		return &Broken{"", KeptName, fmt.Sprintf("it is called %q and its content %q", d.p.ID, id)}
	}
	if d.p.Parent != d.s.Parent {
		return &Broken{"", KeptParent, fmt.Sprintf("its parent is %q, in force is %q", d.p.Parent, d.s.Parent)}
	}
	if !d.p.At.Equal(d.now) {
		return &Broken{"", KeptParent, fmt.Sprintf("it is of %s, the snapshot of %s", d.p.At, d.now)}
	}
	return nil
}

func (d *doubt) eachOnce() error {
	for _, it := range d.s.Items {
		if _, twice := d.items[it.ID]; twice {
			return &Broken{it.ID, KeptOnce, "the snapshot has it twice"}
		}
		d.items[it.ID] = it
	}
	said := map[string]bool{}
	say := func(id, before string) error {
		if _, ok := d.items[id]; !ok {
			return &Broken{id, KeptOnce, "the snapshot does not have it"}
		}
		if said[id] {
			return &Broken{id, KeptOnce, "it is in the plan twice"}
		}
		if id < before {
			return &Broken{id, KeptOnce, "it is out of order"}
		}
		said[id] = true
		return nil
	}
	before := ""
	for _, pl := range d.p.Placements {
		if err := say(pl.Workload, before); err != nil {
			return err
		}
		before = pl.Workload
	}
	before = ""
	for _, r := range d.p.Unplaced {
		if err := say(r.Workload, before); err != nil {
			return err
		}
		before = r.Workload
		if promisedBefore(d.items[r.Workload]) {
			return &Broken{r.Workload, KeptPlace, "it has a place in the plan in force, and is refused"}
		}
		if len(r.Failed) == 0 || slices.ContainsFunc(r.Failed, func(f Failed) bool { return f.Field == "" || f.Message == "" }) {
			return &Broken{r.Workload, KeptReasons, "it is refused without a reason"}
		}
	}
	for _, it := range d.s.Items {
		if !said[it.ID] {
			return &Broken{it.ID, KeptOnce, "it is neither placed nor refused"}
		}
	}
	return nil
}

func (d *doubt) inLine() error {
	d.line = lineUp(d.items)
	return nil
}

// holder names the site that an item may not leave, "" if it may go anywhere.
func holder(it Item) string {
	if it.Pinned == "" && it.Running && it.Placement != nil {
		return it.Placement.Site
	}
	return it.Pinned
}

// promisedBefore reports whether an item has a place already. A placement
// without a site is none.
func promisedBefore(it Item) bool {
	return it.Placement != nil && it.Placement.Site != "" || it.Pinned != ""
}

// runs reports whether an item is under way at a site that is known.
func underWay(it Item) bool { return it.Running && holder(it) != "" }

// goesOn reports whether pl continues the run under way.
func (d *doubt) goesOn(it Item, pl Placement) bool {
	return underWay(it) && !pl.Spans[0].Start.After(d.now)
}

func (d *doubt) placements() error {
	for _, pl := range d.p.Placements {
		it, ok := going(d.items[pl.Workload], pl.Way)
		if !ok {
			return &Broken{pl.Workload, KeptWay, fmt.Sprintf("it has no way %d that is open to it", pl.Way)}
		}
		for _, doubtful := range []func(Item, Placement) (Kept, string){
			d.site, d.sizes, d.spans, d.pauses, d.work, d.reserve, d.figures, d.reasons,
		} {
			if kept, detail := doubtful(it, pl); detail != "" {
				return &Broken{pl.Workload, kept, detail}
			}
		}
		for i, s := range pl.Spans {
			c := claim{pl.Workload, later(s.Start, d.now), s.End, needsOf(it, d.where(pl.Site), s.Size)}
			if i == len(pl.Spans)-1 {
				c.to = later(s.End, pl.Reserved)
			}
			d.taken[pl.Site] = append(d.taken[pl.Site], c)
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (d *doubt) site(it Item, pl Placement) (Kept, string) {
	h := holder(it)
	if it.Running && h == "" {
		return KeptStart, "it runs, nobody knows where, and would be started again"
	}
	if h != "" {
		if pl.Site != h {
			return KeptStart, fmt.Sprintf("its start right is at %q, and it is placed at %q", h, pl.Site)
		}
		return "", ""
	}
	if d.open(it, pl.Site) || promisedBefore(it) && pl.Site == it.Placement.Site {
		return "", "" // in the second case only with an excuse
	}
	return KeptSite, fmt.Sprintf("%q does not take it", pl.Site)
}

// open reports whether a site may take new work of an item.
func (d *doubt) open(it Item, id string) bool {
	st, ok := d.sites[id]
	if !ok || st.Down {
		return false
	}
	for _, pattern := range it.Shape.Where.Allow {
		if like(pattern, st.ID) || like(pattern, string(st.Zone)) {
			return true
		}
	}
	return len(it.Shape.Where.Allow) == 0
}

// like matches a pattern with * one character at a time.
func like(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	if pattern[0] == '*' {
		pattern = strings.TrimLeft(pattern, "*")
		for i := 0; i <= len(text); i++ {
			if like(pattern, text[i:]) {
				return true
			}
		}
		return false
	}
	return text != "" && pattern[0] == text[0] && like(pattern[1:], text[1:])
}

func (d *doubt) spans(it Item, pl Placement) (Kept, string) {
	if len(pl.Spans) == 0 {
		return KeptSpans, "it has no span"
	}
	for i, s := range pl.Spans {
		if !s.Start.Before(s.End) {
			return KeptSpans, fmt.Sprintf("span %d ends before it begins", i)
		}
		if i > 0 && !pl.Spans[i-1].End.Before(s.Start) && !(pl.Spans[i-1].End.Equal(s.Start) && pl.Spans[i-1].Size != s.Size) {
			return KeptSpans, fmt.Sprintf("span %d is not after the one before", i)
		}
	}
	begin := pl.Spans[0].Start
	if d.goesOn(it, pl) {
		since := it.RunSince
		if since.After(d.now) {
			since = d.now
		}
		if longAgo := d.now.Add(-50 * 366 * 24 * time.Hour); since.Before(longAgo) {
			since = longAgo
		}
		if !begin.Equal(since) || !pl.Spans[0].End.After(d.now) {
			return KeptStart, fmt.Sprintf("its run began at %s and goes on; the plan says %s to %s", since, begin, pl.Spans[0].End)
		}
		return "", ""
	}
	if begin.Before(d.now) {
		return KeptNotBefore, fmt.Sprintf("it is to start at %s, and it is %s", begin, d.now)
	}
	if !underWay(it) && begin.Before(it.Shape.When.NotBefore) {
		return KeptNotBefore, fmt.Sprintf("it starts at %s", begin)
	}
	if at := d.comes(it, d.where(pl.Site)); begin.Before(at) {
		return KeptData, fmt.Sprintf("it starts at %s, and its data is there at %s", begin, at)
	}
	return "", ""
}

// suspensions counts how often pl suspends it from now on.
func (d *doubt) suspensions(it Item, pl Placement) int {
	if underWay(it) && !d.goesOn(it, pl) {
		return len(gathered(pl))
	}
	return len(gathered(pl)) - 1
}

func (d *doubt) pauses(it Item, pl Placement) (Kept, string) {
	in, n := it.Shape.Interruptible, d.suspensions(it, pl)
	if n == 0 {
		return "", ""
	}
	if !in.Allowed {
		return KeptPauses, "it may not be suspended"
	}
	if in.MaxSuspensions > 0 && used(it)+n > in.MaxSuspensions {
		return KeptPauses, fmt.Sprintf("it would be suspended %d times", used(it)+n)
	}
	if underWay(it) && !d.goesOn(it, pl) && within(d.now.Sub(it.RunSince)) < within(in.MinRun) {
		return KeptPauses, "its run is too short to be suspended now"
	}
	spans := gathered(pl)
	for i, s := range spans[:len(spans)-1] {
		resumed := i > 0 || waits(it) || underWay(it) && !d.goesOn(it, pl)
		if s.Len() < within(in.MinRun) || resumed && d.doneIn(it, pl, s) < within(in.Overhead) {
			return KeptPauses, fmt.Sprintf("run %d lasts %s", i, s.Len())
		}
	}
	if last := spans[len(spans)-1]; len(spans) > 1 && d.doneIn(it, pl, last) <= within(in.Overhead) {
		return KeptPauses, "it is resumed when its work is done"
	}
	return "", ""
}

// used returns how often an item was suspended before.
func used(it Item) int { return max(0, min(it.Suspensions, 1<<30)) }

// waits reports whether an item is suspended now.
func waits(it Item) bool {
	return it.Shape.Interruptible.Allowed && !underWay(it) && (it.Done > 0 || it.Suspensions > 0)
}

// within cuts a length of time to what can be.
func within(d time.Duration) time.Duration { return max(0, min(d, 366*24*time.Hour)) }

func (d *doubt) slot() time.Duration {
	if d.s.Step < time.Second {
		return 15 * time.Minute
	}
	return min(d.s.Step, 7*24*time.Hour)
}

// owed returns the work that an item still needs without any resume, and what
// is booked beyond it.
func (d *doubt) owed(it Item) (work, beyond time.Duration) {
	expected, p95, done := within(it.Shape.Duration.Expected), within(it.Shape.Duration.P95), within(it.Done)
	work = expected - done
	if work <= 0 {
		work = d.slot()
	}
	return work, max(0, p95+p95/10-done-work)
}

func (d *doubt) work(it Item, pl Placement) (Kept, string) {
	owed, _ := d.owed(it)
	resumes := d.suspensions(it, pl)
	if waits(it) {
		resumes++
	}
	owed += time.Duration(resumes) * within(it.Shape.Interruptible.Overhead)
	if len(it.Shape.Elastic) > 0 {
		return d.elasticWork(it, pl, owed)
	}
	var has time.Duration
	for _, s := range pl.Spans {
		has += s.End.Sub(later(s.Start, d.now))
	}
	if has != owed {
		return KeptWork, fmt.Sprintf("it needs %s and is given %s", owed, has)
	}
	return "", ""
}

// due returns when an item's booked time must be over.
func (d *doubt) due(it Item) time.Time {
	by := it.Shape.When.CompleteBy
	if first := time.Unix(0, 0); by.Before(first) {
		by = first
	}
	if last := time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC); by.After(last) {
		by = last
	}
	return by.Add(-within(d.s.Margin))
}

func (d *doubt) reserve(it Item, pl Placement) (Kept, string) {
	owed, beyond := d.owed(it)
	speed, _ := pace(it, pl.Spans[len(pl.Spans)-1].Size)
	if end := pl.Finish().Add(needsFor(beyond, speed)); !pl.Reserved.Equal(end) {
		return KeptReserve, fmt.Sprintf("capacity is kept to %s instead of %s", pl.Reserved, end)
	}
	if waits(it) {
		owed += within(it.Shape.Interruptible.Overhead)
	}
	if pl.Reserved.After(d.due(it)) && !promisedBefore(it) {
		return KeptTime, fmt.Sprintf("its booked time ends at %s, it must by %s", pl.Reserved, d.due(it))
	}
	// What is late already is not due before the plan has it start.
	if l := later(d.mustRun(it, needsFor(owed, quickest(it)), needsFor(beyond, quickest(it))), pl.Spans[0].Start); !pl.Latest.Equal(l) {
		return KeptReserve, fmt.Sprintf("its latest safe start is %s instead of %s", pl.Latest, l)
	}
	if pl.Reserved.After(d.due(it)) && len(gathered(pl)) > 1 {
		return KeptTime, "it is late and yet paused"
	}
	return "", ""
}
