// Package reconcile is the control loop: it observes, decides, doubts,
// commits, dispatches and accounts. It also puts on record what agents report
// and says what there is to do at their sites. It drives no engine and knows
// no intent.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Store is what the loop needs of a store. Each function runs in one
// transaction and must not keep it.
type Store interface {
	View(ctx context.Context, f func(Tx) error) error
	Update(ctx context.Context, f func(Tx) error) error
}

// Tx is what the loop does in a transaction, for all tenants.
type Tx interface {
	For(access.Tenant) TenantTx
	// World returns what is on record at now.
	World(now time.Time) (plan.World, error)
	Workload(id string) (workload.Workload, error)
	SetPlan(parent, id string, at time.Time, e audit.Event) error
	// PutPlanProof keeps what a plan was decided on.
	PutPlanProof(p plan.Packed) error
	// Changes returns what has been put on record from an index on, the oldest
	// first, at most pageOfChanges of it; LastChange the newest of it.
	Changes(from int64) ([]audit.Change, error)
	LastChange() (audit.Change, error)
	LiveAttempts(site string) ([]workload.Attempt, error)
	Sites() ([]plan.Station, error)
	Site(id string) (plan.Station, error)
	PutSite(s plan.Station, e audit.Event) error
	SeeSite(id string, seen time.Time, answered int64) error
	Measured(zone grid.Zone, since time.Time) ([]grid.Series, error)
	LatestForecasts() (map[grid.Zone][]grid.Series, error)
	ForecastAt(zone grid.Zone, basis grid.Basis, at time.Time) (grid.Series, error)
	UnsettledMeters() ([]ledger.Meter, error)
	SettleMeter(workload string, attempt int, hour time.Time, index int64) error
	Lead(name, holder string, at time.Time) (epoch int64, err error)
	// Compete takes the lease if nobody has renewed it for ttl, by the clock of
	// the database. Renew and Resign fail if it is no longer of that epoch.
	Compete(name, holder string, ttl time.Duration) (epoch int64, won bool, err error)
	Renew(name string, epoch int64) error
	Resign(name string, epoch int64) error
	LeaderEpoch(name string) (int64, error)
	// CheckLead fails if epoch is not the newest: it is the first statement
	// of every transaction of a leader.
	CheckLead(name string, epoch int64) error
}

// TenantTx is what the loop does to one tenant's things.
type TenantTx interface {
	Workload(id string) (workload.Workload, error)
	MoveWorkload(w *workload.Workload, to workload.State, e audit.Event) error
	UpdateWorkload(w *workload.Workload, e audit.Event) error
	Attempts(workload string) ([]workload.Attempt, error)
	Attempt(workload string, n int) (workload.Attempt, error)
	InsertAttempt(a workload.Attempt, e audit.Event) error
	MoveAttempt(a *workload.Attempt, to workload.AttemptState, e audit.Event) error
	UpdateAttempt(a *workload.Attempt) error
	PutPlacement(p plan.Placement, planID string, e audit.Event) error
	Placement(workload string) (plan.Placement, bool, error)
	DeletePlacement(workload string) error
	// History returns what is known of how long work of a class takes;
	// problem.NotFound if that is nothing yet.
	History(class string) (workload.History, error)
	PutHistory(workload.History) error
	Append(audit.Event) (int64, error)
	PutMeter(ledger.Meter) error
	AppendEntry(ledger.Entry) (int64, error)
}

// actor is who the record says did what the loop does.
const actor access.Principal = "system:reconcile"

// lease names the right to plan, dispatch and account.
const lease = "control"

// Loop is the control loop. Store, Rules, Now and NewID are needed.
type Loop struct {
	Store Store
	Rules plan.Rules
	Log   *slog.Logger
	Now   func() time.Time
	NewID func() string
	// Every is the longest time between two steps, in real time. Wake makes
	// the next one come at once.
	Every time.Duration
	Wake  <-chan struct{}
	// OfferFor is how long a site may take to accept an offer, Silence how
	// long it may be away before it gets no new work, and Patience how long
	// an hour waits for its measured intensity before a worse grade will do.
	OfferFor time.Duration
	Silence  time.Duration
	Patience time.Duration
	// Expect lets plans leave clean hours to work that is expected, by what was
	// submitted in the weeks before.
	Expect bool
	Holder string // names this process incarnation on the lease
	// TTL is how long a lease lasts where several replicas compete for it; 0:
	// there is no other, and the lead is taken at once and kept.
	TTL time.Duration

	epoch   atomic.Int64 // read by every Absorb
	leading atomic.Bool
	planned planned
	// certified is when a proof was kept last.
	certified time.Time
	memory    memory
	behind    int // how many plans in a row could not be committed as a whole
	// later are workloads that their sites keep refusing, and until when they
	// are not offered again: meanwhile they take nobody's place.
	later map[string]time.Time
	// ended are those that others wait for and that are not open any more.
	ended map[string]workload.State
}

// Epoch returns the leader epoch of the loop, 0 before Lead.
func (l *Loop) Epoch() int64 { return l.epoch.Load() }

// Lead takes the lease. Whoever led before can commit nothing from then on.
func (l *Loop) Lead(ctx context.Context) error {
	return l.Store.Update(ctx, func(tx Tx) error {
		epoch, err := tx.Lead(lease, l.Holder, l.Now())
		if err == nil {
			l.epoch.Store(epoch)
			l.leading.Store(true)
		}
		return err
	})
}

// Run takes the lease, if Lead has not yet, and steps until ctx ends; with a TTL
// it competes for it, as often as it loses it. Planning
// has a hand of its own: with very many workloads it takes seconds, and what is
// due must not wait for it.
func (l *Loop) Run(ctx context.Context) error {
	if l.TTL > 0 {
		return l.terms(ctx)
	}
	if l.Epoch() == 0 {
		if err := l.Lead(ctx); err != nil {
			return fmt.Errorf("take the lead: %w", err)
		}
	}
	l.lead(ctx)
	return nil
}

// lead steps until ctx ends.
func (l *Loop) lead(ctx context.Context) {
	plan, carry := make(chan struct{}, 1), make(chan struct{}, 1)
	var hands sync.WaitGroup
	hands.Go(func() { l.turns(ctx, plan, l.replan) })
	hands.Go(func() { l.turns(ctx, carry, l.carry) })
	for {
		select {
		case <-ctx.Done():
			hands.Wait()
			return
		case <-l.Wake:
			for _, c := range []chan struct{}{plan, carry} {
				select {
				case c <- struct{}{}:
				default:
				}
			}
		}
	}
}

// rest is how many times as long as its last turn a hand rests before the next
// one: it takes no more than a tenth of a core, however much there is to do.
const rest = 9

// turns takes one turn after another: when woken, and at least every Every.
func (l *Loop) turns(ctx context.Context, wake <-chan struct{}, turn func(context.Context, time.Time) error) {
	for {
		begin := time.Now()
		if err := turn(ctx, l.Now()); err != nil && ctx.Err() == nil {
			l.logger().Error("control step failed", "err", err)
		}
		pause := rest * time.Since(begin)
		for _, c := range []<-chan struct{}{nil, wake} { // first the rest, then until woken
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			case <-c:
				timer.Stop()
			}
			pause = max(l.Every-pause, 0)
		}
	}
}

func (l *Loop) logger() *slog.Logger {
	if l.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l.Log
}

// Step goes once around. Every part of it is level-triggered: what one step
// leaves undone, the next one finds.
func (l *Loop) Step(ctx context.Context, now time.Time) error {
	return errors.Join(l.replan(ctx, now), l.carry(ctx, now))
}

// carry carries out what is planned, and accounts for what was.
func (l *Loop) carry(ctx context.Context, now time.Time) error {
	var errs []error
	var world plan.World
	err := l.Store.View(ctx, func(tx Tx) (err error) {
		world, err = l.world(tx, now)
		return err
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("observe: %w", err))
	}
	world, waits, err := l.turn(ctx, world, now)
	if err != nil {
		errs = append(errs, fmt.Errorf("see whose turn it is: %w", err))
	}
	if waits == nil { // not known: then nobody's is
		world.Open = slices.DeleteFunc(slices.Clone(world.Open), func(wl workload.Workload) bool { return len(wl.Shape.After) > 0 })
	}
	if err := l.dispatch(ctx, world, waits, now); err != nil {
		errs = append(errs, fmt.Errorf("dispatch: %w", err))
	}
	if err := l.missed(ctx, world, now); err != nil {
		errs = append(errs, fmt.Errorf("record missed deadlines: %w", err))
	}
	if err := l.account(ctx, now); err != nil {
		errs = append(errs, fmt.Errorf("account: %w", err))
	}
	return errors.Join(errs...)
}

// world is what is on record, with the sites that have fallen silent down, and
// none with more than it can have in its hands.
func (l *Loop) world(tx Tx, now time.Time) (plan.World, error) {
	w, err := tx.World(now)
	if err != nil {
		return w, err
	}
	w.Sites, err = l.sites(tx, now)
	return w, err
}

func (l *Loop) sites(tx Tx, now time.Time) (out []plan.Site, err error) {
	stations, err := tx.Sites()
	for _, st := range stations {
		st.Down = now.Sub(st.Seen) > l.Silence
		out = append(out, st.Site)
	}
	return plan.InHands(out, plan.MostAtOnce), err
}

const (
	// inHand is how many workloads a site has in its hands: offered, held and
	// running. An agent reports on all of them in each call, and on what has
	// ended, at most 500. The others wait here, and are as safe.
	inHand = 448
	// ahead is how many of them are for later: what a site can begin while it
	// does not hear from us. With what is promised to run at once at most
	// (plan.MostAtOnce) they are inHand, so that what starts soon has a hand.
	ahead = inHand - plan.MostAtOnce
	// atOnce is how many workloads one transaction dispatches: others write too.
	atOnce = 64
)

// dispatch offers what is planned, takes back what was not accepted in time,
// and asks a site to release what is now planned elsewhere.
func (l *Loop) dispatch(ctx context.Context, w plan.World, turnless map[string]bool, now time.Time) error {
	for ids := range slices.Chunk(l.due(w, turnless, now), atOnce) {
		err := l.Store.Update(ctx, func(tx Tx) error {
			if err := tx.CheckLead(lease, l.Epoch()); err != nil {
				return err
			}
			for _, id := range ids {
				if err := l.dispatchOne(tx, id, now); err != nil {
					return fmt.Errorf("workload %s: %w", id, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// due names the workloads about which dispatch has something to do: first what
// is to be taken back, then what is to be offered, the nearest start first, as
// far as its site has a hand free. What is for later leaves free the hands that
// what starts soon will need: the bound makes nothing late.
func (l *Loop) due(w plan.World, turnless map[string]bool, now time.Time) []string {
	placed := map[string]plan.Placement{}
	for _, p := range w.Placements {
		placed[p.Workload] = p
	}
	soon := now.Add(2 * l.OfferFor)
	waits := func(id string) bool { p, ok := placed[id]; return ok && !p.Start().Before(soon) }
	attempts := map[string]workload.Attempt{}
	hands, waiting := map[string]int{}, map[string]int{}
	for _, a := range w.Attempts {
		attempts[a.Workload] = a
		hands[a.Site]++
		if waits(a.Workload) {
			waiting[a.Site]++
		}
	}
	down := map[string]bool{}
	for _, s := range w.Sites {
		down[s.ID] = s.Down
	}
	maps.DeleteFunc(l.later, func(_ string, until time.Time) bool { return !now.Before(until) })
	var due, offers []string
	for _, wl := range w.Open {
		p, ok := placed[wl.ID]
		a := attempts[wl.ID]
		switch {
		case wl.State == workload.Planned && ok && !down[p.Site] && !turnless[wl.ID] && l.later[wl.ID].IsZero():
			offers = append(offers, wl.ID)
		case wl.State == workload.Offered && now.After(a.Expires),
			wl.State == workload.Held && ok && a.Site != p.Site:
			due = append(due, wl.ID)
		}
	}
	slices.SortStableFunc(offers, func(a, b string) int { return placed[a].Start().Compare(placed[b].Start()) })
	for _, id := range offers {
		site := placed[id].Site
		if hands[site] >= inHand || waits(id) && waiting[site] >= ahead {
			continue
		}
		hands[site]++
		if waits(id) {
			waiting[site]++
		}
		due = append(due, id)
	}
	return due
}

func (l *Loop) dispatchOne(tx Tx, id string, now time.Time) error {
	w, err := tx.Workload(id)
	if err != nil {
		return err
	}
	t := tx.For(w.Tenant)
	p, placed, err := t.Placement(id)
	if err != nil {
		return err
	}
	attempts, err := t.Attempts(id)
	if err != nil {
		return err
	}
	switch {
	case w.State == workload.Planned && placed:
		if until := l.notBefore(attempts); now.Before(until) {
			if l.later == nil {
				l.later = map[string]time.Time{}
			}
			l.later[id] = until
			return nil
		}
		// Offers are made early, as soon as there is a plan, so that a site
		// holds its work through an outage of ours. The right is still ours.
		a := workload.Attempt{
			Workload: id, N: len(attempts) + 1, Tenant: w.Tenant, Site: p.Site, Grant: "gr_" + l.NewID(), Epoch: l.Epoch(),
			State: workload.AttemptOffered, Expires: now.Add(l.OfferFor), Changed: now,
		}
		if err := t.InsertAttempt(a, event(audit.AttemptMoved, now)); err != nil {
			return err
		}
		return t.MoveWorkload(&w, workload.Offered, event(audit.WorkloadMoved, now))
	case w.State == workload.Offered && len(attempts) > 0:
		a := attempts[len(attempts)-1]
		if !now.After(a.Expires) {
			return nil // accepted or renewed since we looked
		}
		a.Cause = "the site did not accept in time"
		return revoke(t, &w, &a, now)
	case w.State == workload.Held && placed && attempts[len(attempts)-1].Site != p.Site:
		w.Wanted = workload.WantMove
		return t.MoveWorkload(&w, workload.Releasing, event(audit.WorkloadMoved, now))
	}
	return nil
}

// notBefore spaces out the offers of work that sites keep refusing: each
// revocation in a row doubles the wait.
func (l *Loop) notBefore(attempts []workload.Attempt) time.Time {
	revoked := 0
	for i := len(attempts) - 1; i >= 0 && attempts[i].State == workload.AttemptRevoked; i-- {
		revoked++
	}
	if revoked == 0 {
		return time.Time{}
	}
	wait := l.OfferFor / 16 << min(revoked, 10)
	return attempts[len(attempts)-1].Changed.Add(wait)
}

// missed puts on record, once, that a completeBy has passed.
func (l *Loop) missed(ctx context.Context, w plan.World, now time.Time) error {
	var late []string
	open := map[string]workload.Workload{}
	for _, wl := range w.Open {
		open[wl.ID] = wl
	}
	for _, wl := range w.Open {
		if wl.MissedAt.IsZero() && now.After(wl.Shape.When.CompleteBy) {
			late = append(late, wl.ID)
		}
	}
	if len(late) == 0 {
		return nil
	}
	return l.Store.Update(ctx, func(tx Tx) error {
		if err := tx.CheckLead(lease, l.Epoch()); err != nil {
			return err
		}
		for _, id := range late {
			w, err := tx.Workload(id)
			if err != nil {
				return err
			}
			if w.State.Terminal() || !w.MissedAt.IsZero() {
				continue
			}
			w.MissedAt, w.MissedCause = now, cmp.Or(heldUp(w, open), missCause(w))
			e := event(audit.WorkloadMissed, now)
			e.Detail = map[string]string{"completeBy": w.Shape.When.CompleteBy.Format(time.RFC3339), "cause": w.MissedCause}
			if err := tx.For(w.Tenant).UpdateWorkload(&w, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func missCause(w workload.Workload) string {
	switch w.State {
	case workload.Running:
		return "it runs longer than its booked duration"
	case workload.Held, workload.Suspended:
		return "its site did not run it in time"
	case workload.Accepted, workload.Planned, workload.Offered:
		return "no site took it in time"
	}
	return "it was " + string(w.State) + " when completeBy passed"
}

func event(kind audit.Kind, now time.Time) audit.Event {
	return audit.Event{At: now, Actor: actor, Kind: kind}
}
