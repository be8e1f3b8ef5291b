package house

import (
	"context"
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
	w.Forecasts, err = t.LatestForecasts()
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
type sink struct {
	db  store.DB
	now func() time.Time
}

func (s sink) PutSignal(ctx context.Context, kind grid.Kind, series grid.Series) error {
	return s.db.System().Update(ctx, func(tx store.SystemTx) error {
		_, _, err := tx.PutSignal(kind, series, audit.Event{At: s.now(), Actor: "system:signal", Kind: audit.SignalStored})
		return err
	})
}

func (s sink) Measured(ctx context.Context, zone grid.Zone, since time.Time) (out grid.Series, err error) {
	err = s.db.System().View(ctx, func(tx store.SystemTx) error {
		series, err := tx.Measured(zone, since)
		if err != nil {
			return err
		}
		out = signal.Merge(zone, grid.AverageLifecycle, series)
		return nil
	})
	return out, err
}

func (s sink) refused(ctx context.Context, now time.Time, zone grid.Zone, provider, reason string) error {
	return s.db.System().Update(ctx, func(tx store.SystemTx) error {
		_, err := tx.Append(audit.Event{At: now, Actor: "system:signal", Kind: audit.SignalRefused, Object: "zone:" + string(zone),
			Detail: map[string]string{"provider": provider, "reason": reason}})
		return err
	})
}
