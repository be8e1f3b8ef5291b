package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// desk is where submissions are admitted. Each is given a place in the Book
// while it waits, and those that wait together are put on record in one
// transaction, which doubts each place again in the world as it is then. What
// the Book has no place for goes the long way: a whole plan, one at a time.
//
// The Book is a cache of the record. It knows the newest leaf that it has seen,
// and each transaction first reads what is after that; so it is right whoever
// wrote meanwhile, and if what it saw was rolled back, it is made anew.
type desk struct {
	mu   sync.Mutex
	book *plan.Book // nil: to be made
	// seen is the newest leaf that the book has, parent the plan in force by then.
	seen   audit.Change
	parent string
	keys   map[string]bool // enclaves of the sites
	// proposed are in the Book and wait for their transaction; written were put
	// on record by us, with so many leaves of each that are not seen yet.
	proposed map[string]*entrant
	written  map[string]int
	measured time.Time // when progress was read last

	queue   []*entrant
	leading bool
	whole   chan struct{} // holds one token: the right to make a whole plan
	dry     chan struct{} // held by those who plan a dry run
}

const (
	// together is how many submissions share a transaction at most: enough to
	// share its cost, few enough that others find their places meanwhile.
	together = 32
	// progressEvery is how old the progress of running work may be: it is not
	// on record, so that the log does not tell of it.
	progressEvery = 15 * time.Second
	// mostNews is how much may have happened since the last look before it is
	// cheaper to begin a new Book.
	mostNews = 4000
	// wholeMost is the number of open workloads up to which a whole plan is
	// made for what the Book has no place for.
	wholeMost = 2000
	// leavesOfOne is how many leaves of its own each submission has on record:
	// submitted, moved to planned, placed.
	leavesOfOne = 3
)

// entrant is a submission on its way.
type entrant struct {
	key    string
	hash   []byte
	who    access.Principal
	faults []problem.Violation
	w      workload.Workload
	place  *plan.Placement // nil: none found yet
	closed []workload.Span // in which no budget has room for it

	// What became of it.
	err    error
	made   workload.Workload // as it is on record
	repeat bool              // it is known by its key
	body   clusy.Workload    // if so, what it is now
	long   bool              // only a whole plan may have a place
	again  bool              // it shares its key with one before it in the group
	done   chan struct{}
}

func (e *entrant) item() plan.Item {
	return plan.Item{ID: e.w.ID, Tenant: e.w.Tenant, Shape: e.w.Shape, Closed: e.closed}
}

// planned is e as it will be on record.
func (e *entrant) planned() workload.Workload {
	w := e.w
	w.State = workload.Planned
	return w
}

// admit carries e to its end.
func (d *desk) admit(ctx context.Context, s *Server, e *entrant) error {
	e.done = make(chan struct{})
	d.propose(e)
	d.mu.Lock()
	d.queue = append(d.queue, e)
	if !d.leading {
		d.leading = true
		go d.lead(s)
	}
	d.mu.Unlock()
	<-e.done
	if e.err == nil && e.long {
		return d.long(ctx, s, e)
	}
	return e.err
}

// propose looks for a place before the transaction, while others have theirs.
func (d *desk) propose(e *entrant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.book == nil || len(e.faults) > 0 || !d.keys[e.w.Enclave] {
		return // the transaction will see to it
	}
	whole := false
	defer func() {
		if !whole { // a panic: what it has left half done is no book
			d.book = nil
			delete(d.proposed, e.w.ID)
		}
	}()
	if d.book.Turn(e.w.Created) {
		d.take(e)
	}
	whole = true
}

// take gives e a place in the Book, if there is one.
func (d *desk) take(e *entrant) bool {
	if len(e.w.Shape.After) > 0 {
		return false // who waits for others must be seen with them
	}
	pl, ok := d.book.Admit(e.item())
	if !ok {
		return false
	}
	e.place = &pl
	d.book.Put(e.planned(), nil, e.place)
	d.proposed[e.w.ID] = e
	return true
}

// leave takes back the place of e.
func (d *desk) leave(e *entrant) {
	if d.proposed[e.w.ID] != nil {
		delete(d.proposed, e.w.ID)
		if d.book != nil {
			d.book.Drop(e.w.ID)
		}
	}
	e.place = nil
}

// lead puts on record what waits, until nothing does.
func (d *desk) lead(s *Server) {
	for {
		d.mu.Lock()
		n := min(len(d.queue), together)
		if n == 0 {
			d.leading = false
			d.mu.Unlock()
			return
		}
		group := slices.Clone(d.queue[:n])
		d.queue = slices.Delete(d.queue, 0, n)
		d.mu.Unlock()
		d.record(s, group)
		for _, e := range group {
			close(e.done)
		}
	}
}

// record puts a group on record. If that fails, each is tried alone: what is
// wrong with one must not hurt the others.
func (d *desk) record(s *Server, group []*entrant) {
	// It is committed or not, whether or not its clients still wait.
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	err := d.settle(ctx, s, group)
	if err != nil {
		d.mu.Lock()
		for _, e := range group {
			d.leave(e)
		}
		d.book = nil // whatever it has seen of this was not kept
		d.mu.Unlock()
		if len(group) == 1 {
			group[0].err = err
			return
		}
		for _, e := range group {
			d.record(s, []*entrant{e})
		}
		return
	}
	for _, e := range group {
		if e.again {
			d.record(s, []*entrant{e})
		}
	}
}

// settle runs the transaction of a group. No request stands behind this
// goroutine that could catch a panic: it ends as an error of this group, and
// those that come later are served.
func (d *desk) settle(ctx context.Context, s *Server, group []*entrant) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("an admission panicked", "panic", p, "stack", string(debug.Stack()))
			err = problem.Errorf(problem.Internal, "Something went wrong on our side; it is on record.")
		}
	}()
	return s.Store.UpdateAll(ctx, func(tx SystemTx) error { return d.enter(s, tx, group) })
}

// enter is the transaction of a group.
func (d *desk) enter(s *Server, tx SystemTx, group []*entrant) error {
	var fresh, again []*entrant
	first := map[[2]string]*entrant{} // by tenant and key
	for _, e := range group {
		e.err, e.repeat, e.long, e.again = nil, false, false, false
		// 1. The same key again is the same workload: nothing is done twice,
		// also where the first answer was lost or the window has since passed.
		name := [2]string{string(e.w.Tenant), e.key}
		if first[name] != nil {
			again = append(again, e)
			continue
		}
		known, err := s.repeats(tx, e)
		if err != nil {
			return err
		}
		if known || e.err != nil {
			continue
		}
		if len(e.faults) > 0 {
			e.err = problem.With(problem.Invalid, "The shape breaks "+plural(len(e.faults), "rule")+".", under("/shape", e.faults)...)
			continue
		}
		if e.err, err = noQueue(tx.For(e.w.Tenant), e.w.Shape, "/shape"); err != nil {
			return err
		}
		if e.err != nil {
			continue
		}
		first[name] = e
		fresh = append(fresh, e)
	}

	// 2. Admit: in the world as it is in this very transaction, so that two
	// submissions cannot be promised the same capacity.
	next, fresh, err := d.seat(s, tx, group, fresh)
	if err != nil {
		return err
	}

	// 3. Commit all of it at once. If we crash before the commit, nothing has
	// happened; after it, the work is ours and its place is kept.
	for _, e := range fresh {
		if err := e.write(tx.For(e.w.Tenant), next.ID); err != nil {
			return err
		}
	}
	if len(fresh) > 0 {
		at := fresh[0].w.Created
		if err := tx.SetPlan(next.Parent, next.ID, at, audit.Event{
			At: at, Actor: fresh[0].who, Kind: audit.PlanCommitted, Detail: map[string]string{"changed": fmt.Sprint(len(fresh))},
		}); err != nil {
			return err
		}
	}
	for _, e := range again {
		if _, err := s.repeats(tx, e); err != nil {
			return err
		}
		e.again = !e.repeat && e.err == nil // the first was refused: it has a turn of its own
	}
	d.mu.Lock()
	for _, e := range fresh {
		delete(d.proposed, e.w.ID)
		d.written[e.w.ID] = leavesOfOne
	}
	d.mu.Unlock()
	return nil
}

// repeats looks whether e is known by its key.
func (s *Server) repeats(tx SystemTx, e *entrant) (known bool, err error) {
	t := tx.For(e.w.Tenant)
	k, known, err := t.Idempotent(e.key)
	if err != nil || !known {
		return false, err
	}
	if !bytes.Equal(k.BodyHash, e.hash) {
		e.err = problem.With(problem.Conflict, "This Idempotency-Key was used for another submission.",
			problem.Violation{Pointer: "header.Idempotency-Key", Message: "the key belongs to " + k.Workload, Value: e.key})
		return true, nil
	}
	e.repeat = true
	e.body, err = s.read(t, k.Workload)
	return true, err
}

// seat gives every one of fresh a place that is free in this transaction, and
// returns the plan that says so, and those that have one. The places of group
// that nobody needs are free again.
func (d *desk) seat(s *Server, tx SystemTx, group, fresh []*entrant) (plan.Plan, []*entrant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range group {
		if !slices.Contains(fresh, e) {
			d.leave(e)
		}
	}
	if len(fresh) == 0 {
		return plan.Plan{}, nil, nil
	}
	now := fresh[len(fresh)-1].w.Created
	if err := d.open(s, tx, now); err != nil {
		return plan.Plan{}, nil, err
	}
	purses, err := open(tx, fresh, now)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	refuse := func(e *entrant, err error) {
		d.leave(e)
		e.err = err
		fresh = slices.DeleteFunc(slices.Clone(fresh), func(x *entrant) bool { return x == e })
	}
	for _, e := range fresh {
		switch {
		case !d.keys[e.w.Enclave]:
			refuse(e, unknownEnclave(e.w.Enclave))
		case e.place == nil && !d.take(e):
			refuse(e, d.without(e))
		}
	}
	// Doubt, and look once more for what no longer stands: the world may have
	// changed since the place was found.
	tried := map[string]bool{}
	for {
		// Budgets, in the order of their coming: what one takes is no more
		// there for the next.
		for _, b := range purses {
			b.Reset()
		}
		for _, e := range fresh {
			if err, ok := d.afford(e, purses[e.w.Tenant]); !ok {
				refuse(e, err)
			}
		}
		p := d.book.Addition(d.parent, places(fresh))
		items := make([]plan.Item, len(fresh))
		for i, e := range fresh {
			items[i] = e.item()
		}
		err := d.book.Check(items, d.parent, p)
		var broken *plan.Broken
		if err == nil {
			for _, e := range fresh {
				e.w.Baseline = baseline(e.w.Shape, d.book.Sites(), e.w.Created)
			}
			if err := tell(tx, purses, fresh, now); err != nil {
				return plan.Plan{}, nil, err
			}
			return p, fresh, nil
		}
		if !errors.As(err, &broken) {
			return plan.Plan{}, nil, err
		}
		i := slices.IndexFunc(fresh, func(e *entrant) bool { return e.w.ID == broken.Workload })
		if i < 0 {
			return plan.Plan{}, nil, err
		}
		e := fresh[i]
		d.leave(e)
		if tried[e.w.ID] {
			// The book and its doubt do not agree: that is ours, and says
			// nothing about whether there is room.
			s.Log.Error("an admission is doubted twice", "workload", e.w.ID, "err", err)
			refuse(e, nil)
			e.long = d.book.Len() <= wholeMost
			if !e.long {
				e.err = fmt.Errorf("admit %s: %w", e.w.ID, err)
			}
			continue
		}
		tried[e.w.ID] = true
		if !d.take(e) {
			refuse(e, d.without(e))
		}
	}
}

// without decides about an entrant for which the Book has no place: a whole
// plan may move others for it. Among a great many others it is refused, but not
// for a place that is kept for one who may not take it.
func (d *desk) without(e *entrant) error {
	if d.book.Len() <= wholeMost || !d.book.Fair() || len(e.w.Shape.After) > 0 {
		e.long = true
		return nil
	}
	if others := len(d.proposed); others > 1 || others == 1 && d.proposed[e.w.ID] == nil {
		return problem.Errorf(problem.Unready, "Its place may yet become free: %d others are being admitted. Send it again in a second, with the same Idempotency-Key.", others)
	}
	return infeasible(*d.book.Refuse(e.item()))
}

func places(es []*entrant) []plan.Placement {
	out := make([]plan.Placement, len(es))
	for i, e := range es {
		out[i] = *e.place
	}
	return out
}

func unknownEnclave(id string) error {
	return problem.With(problem.Invalid, "The intent is sealed to a key of no enclave here.",
		problem.Violation{Pointer: "/enclave", Message: "no site has this key; GET /v1/sites lists those that there are", Value: id})
}

// write puts e on record, under a plan.
func (e *entrant) write(tx TenantTx, planID string) error {
	event := func(kind audit.Kind) audit.Event {
		return audit.Event{At: e.w.Created, Actor: e.who, Kind: kind}
	}
	w := e.w // a copy: if this is rolled back, it is tried again
	if err := tx.InsertWorkload(w, event(audit.WorkloadSubmitted)); err != nil {
		return err
	}
	w.Rev = 1
	if err := tx.MoveWorkload(&w, workload.Planned, event(audit.WorkloadMoved)); err != nil {
		return err
	}
	if err := tx.PutPlacement(*e.place, planID, event(audit.WorkloadPlaced)); err != nil {
		return err
	}
	e.made = w
	if e.key == "" {
		return nil // its group has one
	}
	return tx.PutIdempotent(workload.Key{Key: e.key, BodyHash: e.hash, Workload: w.ID, At: w.Created})
}

// open brings the Book up to the record of tx, or makes it.
func (d *desk) open(s *Server, tx SystemTx, now time.Time) error {
	if d.book != nil {
		ok, err := d.catchUp(tx, now)
		if err != nil {
			d.book = nil // it may have seen a part only
			return err
		}
		if ok {
			return nil
		}
		// It knows of newer leaves than it has read about. Should what follows
		// fail, the next transaction must not begin behind that gap.
		d.book = nil
	}
	w, err := world(tx, now)
	if err != nil {
		return err
	}
	seen, err := tx.LastChange()
	if err != nil {
		return err
	}
	if err := d.readKeys(tx); err != nil {
		return err
	}
	if d.proposed == nil {
		d.proposed = map[string]*entrant{}
	}
	d.book, d.seen, d.parent, d.written, d.measured = plan.NewBook(w, s.Rules), seen, w.Parent, map[string]int{}, now
	for _, e := range d.proposed {
		d.book.Put(e.planned(), nil, e.place)
	}
	return nil
}

// world is what is on record, with the sites as work may be promised on them.
func world(tx SystemTx, now time.Time) (plan.World, error) {
	w, err := tx.World(now)
	w.Sites = plan.InHands(w.Sites, plan.MostAtOnce)
	return w, err
}

func (d *desk) readKeys(tx SystemTx) error {
	stations, err := tx.Sites()
	if err != nil {
		return err
	}
	d.keys = map[string]bool{}
	for _, st := range stations {
		d.keys[st.KeyID] = true
	}
	return nil
}

// catchUp reads what is on record since the Book last looked. It returns false
// if only a new Book will do.
func (d *desk) catchUp(tx SystemTx, now time.Time) (bool, error) {
	touched := map[string]bool{}
	sites, signals, queues := false, false, false
	for from, n := d.seen.Index, 0; ; {
		cs, err := tx.Changes(from)
		if err != nil {
			return false, err
		}
		if n == 0 && (len(cs) == 0 || cs[0].Index != d.seen.Index || !bytes.Equal(cs[0].Leaf, d.seen.Leaf)) {
			return false, nil // what we saw was never committed
		}
		if n += len(cs); n > mostNews {
			return false, nil
		}
		for _, c := range cs {
			if c.Index <= d.seen.Index {
				continue
			}
			d.seen = c
			switch c.Kind {
			case audit.PlanCommitted, audit.PlanRefused, audit.PlanCertified:
				d.parent = strings.TrimPrefix(c.Object, "plan:")
			case audit.SiteRegistered, audit.SiteSeen:
				sites = true
			case audit.SignalStored:
				signals = true
			case audit.QueueSet, audit.QueueRemoved:
				queues = true
			}
			switch {
			case c.Workload == "" || c.Kind == audit.LedgerEntry:
			case d.written[c.Workload] > 0:
				d.written[c.Workload]--
			default:
				touched[c.Workload] = true
			}
		}
		if len(cs) < 2 || len(cs) < pageOfChanges {
			break
		}
		from = d.seen.Index
	}
	for id, left := range d.written {
		if left > 0 {
			d.book.Drop(id) // it was rolled back
		}
	}
	clear(d.written)
	if sites {
		w, err := tx.Sites()
		if err != nil {
			return false, err
		}
		d.book.SetSites(sitesOf(w))
		if err := d.readKeys(tx); err != nil {
			return false, err
		}
	}
	if queues {
		qs, err := tx.Queues()
		if err != nil {
			return false, err
		}
		d.book.SetQueues(qs)
	}
	if signals {
		f, err := tx.LatestForecasts()
		if err != nil {
			return false, err
		}
		d.book.SetForecasts(f)
	}
	if sites || signals { // a zone may be new, and with it its prices
		p, err := prices(tx, d.book.Sites(), now)
		if err != nil {
			return false, err
		}
		d.book.SetPrices(p)
	}
	for id := range touched {
		if err := d.reread(tx, id); err != nil {
			return false, err
		}
	}
	if now.Sub(d.measured) >= progressEvery {
		as, err := tx.LiveAttempts("")
		if err != nil {
			return false, err
		}
		d.book.Progress(as)
		d.measured = now
	}
	return d.book.Turn(now), nil
}

// prices returns what the market tells in the zones of sites.
func prices(tx SystemTx, sites []plan.Site, now time.Time) (map[grid.Zone][]grid.Prices, error) {
	out := map[grid.Zone][]grid.Prices{}
	for _, zone := range plan.Zones(sites) {
		ps, err := tx.Prices(zone, now)
		if err != nil {
			return nil, err
		}
		if len(ps) > 0 {
			out[zone] = ps
		}
	}
	return out, nil
}

// pageOfChanges is how many changes one read brings at most.
const pageOfChanges = 1000

// sitesOf returns the sites as work may be promised on them: as the control loop
// plans on them, too.
func sitesOf(stations []plan.Station) (out []plan.Site) {
	for _, st := range stations {
		out = append(out, st.Site)
	}
	return plan.InHands(out, plan.MostAtOnce)
}

// reread writes down anew how a workload stands.
func (d *desk) reread(tx SystemTx, id string) error {
	w, err := tx.Workload(id)
	if err != nil {
		return err
	}
	if w.State.Terminal() {
		d.book.Drop(id)
		return nil
	}
	t := tx.For(w.Tenant)
	as, err := t.Attempts(id)
	if err != nil {
		return err
	}
	var live *workload.Attempt
	for i := range as {
		if as[i].State.Live() {
			live = &as[i]
		}
	}
	var place *plan.Placement
	if p, ok, err := t.Placement(id); err != nil {
		return err
	} else if ok {
		place = &p
	}
	d.book.Put(w, live, place)
	return nil
}
