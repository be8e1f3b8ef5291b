package house

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/reconcile"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/store"
)

// Each room says in its own small interface what it needs of a store. These
// adapters introduce the one store to all of them; they decide nothing.

// tx is the store's transaction with what is made of several of its answers.
type tx struct{ store.SystemTx }

// World returns what is on record at now.
func (t tx) World(now time.Time) (w plan.World, err error) {
	w.Now = now
	if w.Parent, _, err = t.PlanInForce(); err != nil {
		return w, err
	}
	stations, err := t.Sites()
	if err != nil {
		return w, err
	}
	for _, s := range stations {
		w.Sites = append(w.Sites, s.Site)
	}
	if w.Open, err = t.OpenWorkloads(); err != nil {
		return w, err
	}
	if w.Attempts, err = t.LiveAttempts(""); err != nil {
		return w, err
	}
	if w.Placements, err = t.Placements(); err != nil {
		return w, err
	}
	if w.Forecasts, err = t.LatestForecasts(); err != nil {
		return w, err
	}
	w.Prices = map[grid.Zone][]grid.Prices{}
	for _, zone := range plan.Zones(w.Sites) {
		if w.Prices[zone], err = t.Prices(zone, now); err != nil {
			return w, err
		}
	}
	if w.Queues, err = t.Queues(); err != nil {
		return w, err
	}
	w.Closed, err = t.closed(w.Open, w.Placements, now)
	return w, err
}

// Proof returns a leaf of the log and the proof that it is in it.
func (t tx) Proof(index int64) (leaf []byte, proof string, err error) {
	size, err := t.LogSize()
	if err != nil {
		return nil, "", err
	}
	leaves, err := t.Leaves(index, index+1)
	if err != nil || len(leaves) == 0 {
		return nil, "", err
	}
	path, err := merkle.Inclusion(size, index, t.Hashes())
	if err != nil {
		return nil, "", err
	}
	checkpoint, err := t.Checkpoint()
	if err != nil {
		return nil, "", err
	}
	text, err := merkle.Proof{Index: index, Path: path, Checkpoint: []byte(checkpoint)}.Marshal()
	return leaves[0].Leaf, string(text), err
}

type apiStore struct {
	db   store.DB
	bell *bell
}

func (s apiStore) View(ctx context.Context, t access.Tenant, f func(api.TenantTx) error) error {
	return s.db.For(t).View(ctx, func(tx store.TenantTx) error { return f(tx) })
}

func (s apiStore) Update(ctx context.Context, t access.Tenant, f func(api.TenantTx) error) error {
	err := s.db.For(t).Update(ctx, func(tx store.TenantTx) error { return f(tx) })
	s.bell.ring()
	return err
}

func (s apiStore) ViewAll(ctx context.Context, f func(api.SystemTx) error) error {
	return s.db.System().View(ctx, func(t store.SystemTx) error { return f(apiTx{tx{t}}) })
}

func (s apiStore) UpdateAll(ctx context.Context, f func(api.SystemTx) error) error {
	err := s.db.System().Update(ctx, func(t store.SystemTx) error { return f(apiTx{tx{t}}) })
	s.bell.ring()
	return err
}

type apiTx struct{ tx }

func (t apiTx) For(tenant access.Tenant) api.TenantTx { return t.SystemTx.For(tenant) }

type loopStore struct {
	db   store.DB
	bell *bell
}

func (s loopStore) View(ctx context.Context, f func(reconcile.Tx) error) error {
	return s.db.System().View(ctx, func(t store.SystemTx) error { return f(loopTx{tx{t}}) })
}

func (s loopStore) Update(ctx context.Context, f func(reconcile.Tx) error) error {
	err := s.db.System().Update(ctx, func(t store.SystemTx) error { return f(loopTx{tx{t}}) })
	s.bell.ring()
	return err
}

type loopTx struct{ tx }

func (t loopTx) For(tenant access.Tenant) reconcile.TenantTx { return t.SystemTx.For(tenant) }

// tokens answers authn.
type tokens struct{ db store.DB }

func (s tokens) Token(ctx context.Context, hash []byte) (t access.Token, err error) {
	err = s.db.System().View(ctx, func(tx store.SystemTx) (err error) {
		t, err = tx.Token(hash)
		return err
	})
	return t, err
}

// sink is where the poller leaves its series.
type sink struct{ db store.DB }

// kindOf is what each note is on record as.
var kindOf = map[signal.NoteKind]audit.Kind{
	signal.Refused: audit.SignalRefused, signal.Quarantined: audit.SignalQuarantined, signal.Released: audit.SignalReleased, signal.Revised: audit.SignalRevised,
}

func (s sink) Put(ctx context.Context, now time.Time, b signal.Batch) error {
	return s.db.System().Update(ctx, func(tx store.SystemTx) error {
		stored := audit.Event{At: now, Actor: "system:signal", Kind: audit.SignalStored}
		var series []store.Signal
		for _, f := range b.Found {
			series = append(series, store.Signal{Kind: f.Kind, Series: f.Series, Replaces: f.Replaces})
		}
		if _, err := tx.PutSignals(series, stored); err != nil {
			return err
		}
		if _, err := tx.PutPrices(b.Prices, stored); err != nil {
			return err
		}
		for _, n := range b.Notes {
			e := audit.Event{At: now, Actor: "system:signal", Kind: kindOf[n.Kind], Object: "zone:" + string(n.Zone),
				Detail: map[string]string{"provider": n.Provider, "reason": n.Reason}}
			if n.Kind == signal.Quarantined || n.Kind == signal.Released {
				e.Object = quarantines + string(n.Zone)
				e.Detail["usual"] = strconv.FormatFloat(n.Usual, 'g', -1, 64)
			}
			_, err := tx.Append(e)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// quarantines is how the objects of events begin that are about one.
const quarantines = "quarantine:"

func (s sink) Quarantines(ctx context.Context) (open []signal.Note, err error) {
	err = s.db.System().View(ctx, func(tx store.SystemTx) error {
		for after := int64(-1); ; {
			events, err := tx.Events(store.EventFilter{Object: quarantines, After: after, Limit: 1000})
			if err != nil || len(events) == 0 {
				return err
			}
			for _, e := range events {
				after = e.Index
				n := signal.Note{Kind: signal.Quarantined, Zone: grid.Zone(strings.TrimPrefix(e.Event.Object, quarantines)), Provider: e.Event.Detail["provider"], Reason: e.Event.Detail["reason"]}
				open = slices.DeleteFunc(open, func(o signal.Note) bool { return o.Zone == n.Zone && o.Provider == n.Provider })
				if e.Event.Kind == audit.SignalQuarantined {
					// What cannot be read is no distance at all.
					if n.Usual, err = strconv.ParseFloat(e.Event.Detail["usual"], 64); err != nil || math.IsNaN(n.Usual) || math.IsInf(n.Usual, 0) {
						n.Usual = 0
					}
					open = append(open, n)
				}
			}
		}
	})
	return open, err
}

func (s sink) Measured(ctx context.Context, zone grid.Zone, since time.Time) (out []grid.Series, err error) {
	err = s.db.System().View(ctx, func(tx store.SystemTx) error {
		out, err = tx.Measured(zone, since)
		return err
	})
	return out, err
}

func (s sink) Issued(ctx context.Context, zone grid.Zone, since time.Time) (out []grid.Series, err error) {
	err = s.db.System().View(ctx, func(tx store.SystemTx) error {
		out, err = tx.IssuedForecasts(zone, since)
		return err
	})
	return out, err
}

// Sink returns where the house's pollers leave their series: for measurements
// of a poller on a store of its own.
func Sink(db store.DB) signal.Sink { return sink{db} }
