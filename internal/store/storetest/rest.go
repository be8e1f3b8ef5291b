package storetest

import (
	"errors"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// Site returns a site.
func Site(id string) store.Site {
	return store.Site{
		Site: plan.Site{ID: id, Zone: "DE", Capacity: workload.Resources{CPU: 8000, Memory: 16384, Power: 5_000_000, Slots: workload.Unlimited},
			PUE: 1200, Price: 250_000, Currency: "EUR"},
		Engine: "process", EnclaveKey: []byte{1, 2, 3}, KeyID: "key-1", Registered: Noon, Incarnation: "a",
	}
}

// entryOf returns a true ledger entry of the first attempt of w, on the
// series of hours.
func entryOf(t *testing.T, w workload.Workload) ledger.Entry {
	t.Helper()
	s := hours()
	s.Ref = s.Digest()
	m := ledger.Meter{
		Workload: w.ID, Attempt: 1, Tenant: w.Tenant, Site: "berlin", Hour: Noon,
		Runs: []ledger.Run{{From: Noon, To: Noon.Add(30 * time.Minute)}}, Energy: 540_000, Source: ledger.RAPL,
	}
	base := w.Baseline
	base.Start = Noon.Add(-2 * time.Hour)
	e, err := ledger.Account(m, "DE", 1200, grid.Believe(s.Zone, s.Basis, s), base, grid.Believe(s.Zone, s.Basis, s), Noon.Add(time.Hour))
	ok(t, err)
	return e
}

func hours() grid.Series { return Series("DE", Noon.Add(-3*time.Hour), 400, 300, 350, 90, 100) }

// metered adds the n-th workload of a tenant, running, with a meter of its
// attempt and the series that it is booked on, and returns its entry, not yet
// booked.
func metered(t *testing.T, d store.DB, who access.Tenant, n int) (workload.Workload, workload.Attempt, ledger.Entry) {
	t.Helper()
	w := submit(t, d, who, n)
	move(t, d, &w, workload.Planned, workload.Offered, workload.Held)
	a := Attempt(w, 1)
	e := entryOf(t, w)
	update(t, d, who, func(tx store.TenantTx) error {
		return errors.Join(tx.InsertAttempt(a, Event("")), tx.MoveAttempt(&a, workload.AttemptHeld, Event("")),
			tx.MoveAttempt(&a, workload.AttemptRunning, Event("")), tx.PutMeter(e.Meter))
	})
	house(t, d, func(tx store.SystemTx) error {
		_, _, err := tx.PutSignal(store.Measured, hours(), Event(""))
		return err
	})
	return w, a, e
}

func placements(t *testing.T, d store.DB) {
	w, v := submit(t, d, acme, 1), submit(t, d, umbr, 1)
	first, second := Placement(w), Placement(w)
	second.Site = "paris"
	second.Why.RunNow = &plan.Alternative{Site: "berlin", Start: Noon, Cause: plan.CauseDirtier, Carbon: 5, Known: true}
	view(t, d, acme, func(tx store.TenantTx) error {
		_, found, err := tx.Placement(w.ID)
		if found {
			t.Error("there is a placement before the first")
		}
		return err
	})
	update(t, d, acme, func(tx store.TenantTx) error {
		return errors.Join(tx.PutPlacement(first, "plan1", Event("")), tx.PutPlacement(second, "plan2", Event("")))
	})
	update(t, d, umbr, func(tx store.TenantTx) error { return tx.PutPlacement(Placement(v), "plan2", Event("")) })
	want(t, d.For(acme).Update(ctx, func(tx store.TenantTx) error {
		return tx.PutPlacement(Placement(Workload(acme, 5)), "plan2", Event(""))
	}), problem.NotFound)
	look(t, d, func(tx store.SystemTx) error {
		got, found, err := tx.For(acme).Placement(w.ID)
		if !found {
			t.Error("the placement is not kept")
		}
		equal(t, "placement", got, second)
		all, err2 := tx.Placements()
		equal(t, "placements", all, []plan.Placement{second, Placement(v)})
		ds, err3 := tx.For(acme).Decisions(w.ID)
		if len(ds) != 2 || ds[0].Plan != "plan1" || ds[1].Plan != "plan2" || !ds[0].At.Equal(Noon) || ds[0].Index >= ds[1].Index {
			t.Fatalf("decisions are %+v", ds)
		}
		equal(t, "first decision", ds[0].Placement, first)
		equal(t, "second decision", ds[1].Placement, second)
		es, err4 := tx.For(acme).Events(store.EventFilter{After: ds[1].Index - 1})
		if e := es[0].Event; e.Kind != audit.WorkloadPlaced || e.Detail["plan"] != "plan2" || len(e.Detail["decision"]) != 64 || e.Detail["why"] != "test" {
			t.Errorf("the decision is on record as %+v", e)
		}
		return errors.Join(err, err2, err3, err4)
	})
	update(t, d, acme, func(tx store.TenantTx) error { return errors.Join(tx.DeletePlacement(w.ID), tx.DeletePlacement(w.ID)) })
	look(t, d, func(tx store.SystemTx) error {
		all, err := tx.Placements()
		equal(t, "placements", all, []plan.Placement{Placement(v)})
		ds, err2 := tx.For(acme).Decisions(w.ID)
		if len(ds) != 2 {
			t.Errorf("%d decisions are left of 2", len(ds))
		}
		return errors.Join(err, err2)
	})
	sound(t, d)
}

func planInForce(t *testing.T, d store.DB) {
	now := func() (id string) {
		look(t, d, func(tx store.SystemTx) (err error) {
			var at time.Time
			id, at, err = tx.PlanInForce()
			if (id == "") != at.IsZero() {
				t.Errorf("plan %q is in force since %s", id, at)
			}
			return err
		})
		return id
	}
	set := func(parent, id string) error {
		return d.System().Update(ctx, func(tx store.SystemTx) error { return tx.SetPlan(parent, id, Noon, Event("")) })
	}
	if now() != "" {
		t.Errorf("plan %q is in force before the first", now())
	}
	ok(t, set("", "p1"))
	before := size(t, d)
	for _, parent := range []string{"", "p0", "p2"} {
		if err := set(parent, "p2"); !errors.Is(err, plan.ErrStale) {
			t.Errorf("a plan on %q: %v, want ErrStale", parent, err)
		}
	}
	want(t, set("p1", ""), problem.Invalid)
	if size(t, d) != before || now() != "p1" {
		t.Errorf("stale plans left %d leaves, and %q in force", size(t, d)-before, now())
	}
	// A loop that takes ErrStale for an answer leaves no trace.
	house(t, d, func(tx store.SystemTx) error { _ = tx.SetPlan("p0", "p2", Noon, Event("")); return nil })
	if size(t, d) != before {
		t.Error("a stale plan left a leaf")
	}
	ok(t, set("p1", "p2"))
	if now() != "p2" {
		t.Errorf("plan %q is in force, want p2", now())
	}
	sound(t, d)
}

func sites(t *testing.T, d store.DB) {
	berlin, paris := Site("berlin"), Site("paris")
	house(t, d, func(tx store.SystemTx) error {
		want(t, tx.PutSite(store.Site{}, Event("")), problem.Invalid)
		want(t, tx.SeeSite("berlin", Noon, 1), problem.NotFound)
		return errors.Join(tx.PutSite(paris, Event("")), tx.PutSite(berlin, Event("")))
	})
	berlin.Incarnation, berlin.Down, berlin.Answered = "b", true, 4
	house(t, d, func(tx store.SystemTx) error {
		return errors.Join(tx.PutSite(berlin, Event("")), tx.SeeSite("paris", Noon.Add(time.Second), 17))
	})
	paris.Seen, paris.Answered = Noon.Add(time.Second), 17
	look(t, d, func(tx store.SystemTx) error {
		all, err := tx.Sites()
		equal(t, "sites", all, []store.Site{berlin, paris})
		one, err2 := tx.Site("berlin")
		equal(t, "site", one, berlin)
		_, err3 := tx.Site("rome")
		want(t, err3, problem.NotFound)
		es, err4 := tx.Events(store.EventFilter{After: -1, Object: "site:"})
		if len(es) != 3 || es[0].Event.Kind != audit.SiteRegistered || es[2].Event.Kind != audit.SiteSeen || es[2].Event.Object != "site:berlin" {
			t.Errorf("sites are on record as %+v", es)
		}
		return errors.Join(err, err2, err4)
	})
}

func signals(t *testing.T, d store.DB) {
	put := func(kind store.SignalKind, s grid.Series) (string, bool) {
		t.Helper()
		var ref string
		var isNew bool
		house(t, d, func(tx store.SystemTx) (err error) {
			e := Event("")
			e.At = Noon.AddDate(0, 0, 9) // all of them had been issued
			ref, isNew, err = tx.PutSignal(kind, s, e)
			return err
		})
		return ref, isNew
	}
	day := func(n int) time.Time { return Noon.Add(time.Duration(n) * 24 * time.Hour) }
	a, b := Series("DE", day(-1), 300, 200), Series("DE", day(0), 100, 90)
	refA, isNew := put(store.Measured, a)
	if refA != a.Digest() || !isNew {
		t.Errorf("stored as %s, new is %t; want %s", refA, isNew, a.Digest())
	}
	before := size(t, d)
	a.Ref = "something"
	if again, isNew := put(store.Measured, a); again != refA || isNew || size(t, d) != before {
		t.Errorf("stored again as %s, new is %t, with %d leaves", again, isNew, size(t, d)-before)
	}
	put(store.Measured, b)
	put(store.Measured, Series("FR", day(0), 20))

	f1, f2 := Series("DE", day(1), 110), Series("DE", day(1).Add(time.Hour), 120)
	other := Series("DE", day(1), 130)
	other.Provider, other.Grade = "second", grid.GradeB
	put(store.Forecast, f2)
	put(store.Forecast, f1) // an older issue that comes late does not take its place
	put(store.Forecast, other)
	for name, bad := range map[string]error{
		"no zone": d.System().Update(ctx, func(tx store.SystemTx) error {
			_, _, err := tx.PutSignal(store.Measured, Series("", day(0), 1), Event(""))
			return err
		}),
		"absurd value": d.System().Update(ctx, func(tx store.SystemTx) error {
			_, _, err := tx.PutSignal(store.Measured, Series("DE", day(0), 1e9), Event(""))
			return err
		}),
		"no kind": d.System().Update(ctx, func(tx store.SystemTx) error {
			_, _, err := tx.PutSignal("guess", Series("DE", day(0), 1), Event(""))
			return err
		}),
	} {
		t.Run(name, func(t *testing.T) { want(t, bad, problem.Invalid) })
	}
	named := func(s grid.Series) grid.Series { s.Ref = ""; s.Ref = s.Digest(); return s }
	look(t, d, func(tx store.SystemTx) error {
		got, err := tx.Signal(refA)
		equal(t, "series", got, named(a))
		_, err2 := tx.Signal("none")
		want(t, err2, problem.NotFound)
		all, err3 := tx.Measured("DE", day(-9))
		equal(t, "measured", all, []grid.Series{named(a), named(b)})
		late, err4 := tx.Measured("DE", day(-1).Add(2*time.Hour)) // a ends just then
		equal(t, "measured since", late, []grid.Series{named(b)})
		latest, err5 := tx.LatestForecasts()
		equal(t, "latest forecasts", latest, map[grid.Zone][]grid.Series{"DE": {named(f2), named(other)}})
		return errors.Join(err, err3, err4, err5)
	})

	// What a decision or a ledger entry refers to is kept, all else may go.
	w := submit(t, d, acme, 1)
	update(t, d, acme, func(tx store.TenantTx) error {
		return tx.PutPlacement(Placement(w, refA, named(f1).Ref), "p", Event(""))
	})
	_, _, e := metered(t, d, acme, 2)
	update(t, d, acme, func(tx store.TenantTx) error { _, err := tx.AppendEntry(e); return err })
	house(t, d, func(tx store.SystemTx) error {
		n, err := tx.PruneSignals(upTo(day(9)))
		if n != 4 { // b, FR, f2, other
			t.Errorf("%d series were dropped, want 4", n)
		}
		for _, s := range []grid.Series{a, f1, hours()} {
			if _, err := tx.Signal(named(s).Ref); err != nil {
				t.Errorf("a series that is referred to is gone: %v", err)
			}
		}
		latest, err2 := tx.LatestForecasts()
		if len(latest) != 0 {
			t.Errorf("the latest forecasts are %v, and were dropped", latest)
		}
		_, err3 := tx.Signal(named(b).Ref)
		want(t, err3, problem.NotFound)
		return errors.Join(err, err2)
	})
	sound(t, d)
}

func ledgerLines(t *testing.T, d store.DB) {
	w, a, e := metered(t, d, acme, 1)
	v, _, e2 := metered(t, d, acme, 2)
	try := func(f func(store.TenantTx) error) error { return d.For(acme).Update(ctx, f) }

	// A meter may be corrected while it is not settled.
	better := e.Meter
	better.Energy += 7
	ok(t, try(func(tx store.TenantTx) error { return tx.PutMeter(better) }))
	ok(t, try(func(tx store.TenantTx) error { return tx.PutMeter(e.Meter) }))
	bad := e.Meter
	bad.Hour = bad.Hour.Add(time.Minute)
	want(t, try(func(tx store.TenantTx) error { return tx.PutMeter(bad) }), problem.Invalid)
	bad = e.Meter
	bad.Attempt = 2
	want(t, try(func(tx store.TenantTx) error { return tx.PutMeter(bad) }), problem.NotFound)
	look(t, d, func(tx store.SystemTx) error {
		ms, err := tx.UnsettledMeters()
		equal(t, "unsettled meters", ms, []ledger.Meter{e.Meter, e2.Meter})
		return err
	})

	var index, index2 int64
	update(t, d, acme, func(tx store.TenantTx) (err error) {
		if index, err = tx.AppendEntry(e); err == nil {
			index2, err = tx.AppendEntry(e2)
		}
		return err
	})
	settle := func(id string, n int, hour time.Time, index int64) error {
		return d.System().Update(ctx, func(tx store.SystemTx) error { return tx.SettleMeter(id, n, hour, index) })
	}
	want(t, settle(w.ID, 1, Noon, index2), problem.Conflict)                  // another's entry
	want(t, settle(w.ID, 1, Noon.Add(time.Hour), index), problem.Conflict)    // another hour's
	want(t, settle(w.ID, 2, Noon, index), problem.Conflict)                   // another attempt's
	want(t, settle(w.ID, 1, Noon, 0), problem.NotFound)                       // no entry at all
	ok(t, settle(w.ID, 1, Noon, index))                                       //
	want(t, settle(w.ID, 1, Noon, index), problem.Conflict)                   // once
	ok(t, try(func(tx store.TenantTx) error { return tx.PutMeter(e.Meter) })) // the same again is no change
	want(t, try(func(tx store.TenantTx) error { return tx.PutMeter(better) }), problem.Conflict)
	look(t, d, func(tx store.SystemTx) error {
		ms, err := tx.UnsettledMeters()
		equal(t, "unsettled meters", ms, []ledger.Meter{e2.Meter})
		mine := tx.For(acme)
		of, err2 := mine.Meters(w.ID)
		equal(t, "meters", of, []ledger.Meter{e.Meter})
		all, err3 := mine.Entries("", -1, 0)
		equal(t, "entries", all, []store.LedgerLine{{Index: index, Entry: e}, {Index: index2, Entry: e2}})
		first, err4 := mine.Entries("", -1, 1)
		second, err5 := mine.Entries("", first[0].Index, 1)
		equal(t, "pages", append(first, second...), all)
		ofV, err6 := mine.Entries(v.ID, -1, 0)
		equal(t, "entries of a workload", ofV, all[1:])
		rest, err7 := mine.Entries(v.ID, index2, 0)
		if len(rest) != 0 {
			t.Errorf("%d entries after the last", len(rest))
		}
		es, err8 := mine.Events(store.EventFilter{After: index - 1})
		if len(es) != 0 {
			t.Errorf("ledger entries are listed as events: %+v", es)
		}
		return errors.Join(err, err2, err3, err4, err5, err6, err7, err8)
	})
	noTime := e
	noTime.Booked = time.Time{}
	if try(func(tx store.TenantTx) error { _, err := tx.AppendEntry(noTime); return err }) == nil {
		t.Error("an entry was booked at no time")
	}
	if r := sound(t, d); r.Entries != 2 {
		t.Errorf("%d entries verified, want 2", r.Entries)
	}
	_ = a
}

func tokens(t *testing.T, d store.DB) {
	b, a := Token("b", acme), Token("a", umbr)
	house(t, d, func(tx store.SystemTx) error {
		want(t, tx.PutToken(access.Token{ID: "x"}, Event("")), problem.Invalid)
		return errors.Join(tx.PutToken(b, Event("")), tx.PutToken(a, Event("")))
	})
	same := Token("c", acme)
	same.Hash = b.Hash
	for _, k := range []access.Token{same, {ID: "b", Hash: []byte("new"), Grant: b.Grant, Created: Noon}} {
		want(t, d.System().Update(ctx, func(tx store.SystemTx) error { return tx.PutToken(k, Event("")) }), problem.Conflict)
	}
	look(t, d, func(tx store.SystemTx) error {
		got, err := tx.Token(b.Hash)
		equal(t, "token", got, b)
		_, err2 := tx.Token([]byte("hash of c"))
		want(t, err2, problem.NotFound)
		all, err3 := tx.Tokens()
		equal(t, "tokens", all, []access.Token{a, b})
		es, err4 := tx.For(acme).Events(store.EventFilter{After: -1, Object: "token:"})
		if len(es) != 1 || es[0].Event.Kind != audit.TokenCreated || es[0].Event.Detail["role"] != string(access.Operator) {
			t.Errorf("tokens are on record as %+v", es)
		}
		return errors.Join(err, err3, err4)
	})

	// A token ends before its time once, and never later than it would have.
	end := b.Grant.Until.Add(-time.Minute)
	update(t, d, acme, func(tx store.TenantTx) error { return tx.EndToken("b", end, Event("")) })
	for _, at := range []time.Time{end, end.Add(time.Second), b.Grant.Until} {
		want(t, d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.EndToken("b", at, Event("")) }), problem.NotFound)
	}
	want(t, d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.EndToken("unheard-of", end, Event("")) }), problem.NotFound)
	look(t, d, func(tx store.SystemTx) error {
		got, err := tx.Token(b.Hash)
		b.Grant.Until = end
		equal(t, "ended token", got, b)
		es, err2 := tx.For(acme).Events(store.EventFilter{After: -1, Object: "token:b"})
		if len(es) != 2 || es[1].Event.Kind != audit.TokenEnded {
			t.Errorf("the end of a token is on record as %+v", es)
		}
		return errors.Join(err, err2)
	})
	sound(t, d)
}

// lease: whoever competes gets it only when nobody has renewed it for a while,
// or when its holder has resigned; who has lost it cannot renew it.
func lease(t *testing.T, d store.DB) {
	const long = time.Hour
	compete := func(who string, ttl time.Duration) (epoch int64, won bool) {
		house(t, d, func(tx store.SystemTx) (err error) {
			epoch, won, err = tx.Compete("control", who, ttl)
			return err
		})
		return epoch, won
	}
	try := func(f func(tx store.SystemTx) error) error { return d.System().Update(ctx, f) }
	newest := func() (epoch int64) {
		look(t, d, func(tx store.SystemTx) (err error) {
			epoch, err = tx.LeaderEpoch("control")
			return err
		})
		return epoch
	}
	if newest() != 0 {
		t.Error("somebody leads a new store")
	}
	first, won := compete("a", long)
	if first != 1 || !won || newest() != 1 {
		t.Fatalf("nobody leads, and the first to compete gets epoch %d, %v", first, won)
	}
	if epoch, won := compete("b", long); won || epoch != first {
		t.Errorf("another takes the lease of one that lives: epoch %d, %v", epoch, won)
	}
	ok(t, try(func(tx store.SystemTx) error { return tx.Renew("control", first) }))
	second, won := compete("b", 0)
	if !won || second != first+1 || newest() != second {
		t.Errorf("a lease that has run out is not taken: epoch %d, %v", second, won)
	}
	for what, f := range map[string]func(tx store.SystemTx) error{
		"renew": func(tx store.SystemTx) error { return tx.Renew("control", first) }, "resign": func(tx store.SystemTx) error { return tx.Resign("control", first) },
		"act": func(tx store.SystemTx) error { return tx.CheckLead("control", first) },
	} {
		if err := try(f); !errors.Is(err, store.ErrFenced) {
			t.Errorf("who has lost the lease may %s: %v", what, err)
		}
	}
	ok(t, try(func(tx store.SystemTx) error { return tx.Resign("control", second) }))
	if third, won := compete("a", long); !won || third != second+1 {
		t.Errorf("the lease of one that has resigned is not taken: epoch %d, %v", third, won)
	}
	sound(t, d)
}

// leader: a newer leader fences the older one off, for ever.
func leader(t *testing.T, d store.DB) {
	lead := func(name string) (epoch int64) {
		house(t, d, func(tx store.SystemTx) (err error) {
			epoch, err = tx.Lead(name, "me", Noon)
			return err
		})
		return epoch
	}
	act := func(name string, epoch int64) error {
		return d.System().Update(ctx, func(tx store.SystemTx) error {
			if err := tx.CheckLead(name, epoch); err != nil {
				return err
			}
			return tx.SetMeta("acted", "yes")
		})
	}
	if err := act("control", 0); !errors.Is(err, store.ErrFenced) {
		t.Errorf("nobody leads, and yet: %v", err)
	}
	first := lead("control")
	ok(t, act("control", first))
	second := lead("control")
	if other := lead("other"); first != 1 || second != 2 || other != 1 {
		t.Errorf("epochs are %d, %d and %d of another", first, second, other)
	}
	ok(t, act("control", second))
	for _, epoch := range []int64{first, 0, second + 1} {
		err := act("control", epoch)
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("epoch %d of %d: %v, want ErrFenced", epoch, second, err)
		}
		want(t, err, problem.Conflict)
	}
	look(t, d, func(tx store.SystemTx) error {
		es, err := tx.Events(store.EventFilter{After: -1, Object: "lease:control"})
		if len(es) != 2 || es[1].Event.Detail["epoch"] != "2" || es[1].Event.Kind != audit.LeaderElected {
			t.Errorf("leaders are on record as %+v", es)
		}
		return err
	})
}

func meta(t *testing.T, d store.DB) {
	look(t, d, func(tx store.SystemTx) error {
		_, found, err := tx.Meta("clock")
		if found {
			t.Error("a fact was found that nobody kept")
		}
		origin, _, err2 := tx.Meta("log.origin")
		equal(t, "origin", origin, Origin)
		return errors.Join(err, err2)
	})
	house(t, d, func(tx store.SystemTx) error { return errors.Join(tx.SetMeta("clock", "1"), tx.SetMeta("clock", "2")) })
	look(t, d, func(tx store.SystemTx) error {
		v, _, err := tx.Meta("clock")
		equal(t, "fact", v, "2")
		return err
	})
}

// theLog: every leaf can be proved to be in the log, and every earlier log to
// be its beginning.
func theLog(t *testing.T, d store.DB) {
	var heads []merkle.Head
	for n := range 12 {
		submit(t, d, acme, n)
		look(t, d, func(tx store.SystemTx) error {
			text, err := tx.Checkpoint()
			ok(t, err)
			c, err := merkle.OpenCheckpoint([]byte(text), Trusted(), Origin)
			heads = append(heads, c.Head)
			return err
		})
	}
	look(t, d, func(tx store.SystemTx) error {
		n, err := tx.LogSize()
		ok(t, err)
		head := heads[len(heads)-1]
		if n != head.Size || n != 13 {
			t.Errorf("the log has %d leaves, its checkpoint says %d, want 13", n, head.Size)
		}
		leaves, err := tx.Leaves(0, 100)
		ok(t, err)
		for i, l := range leaves {
			p, err := merkle.Inclusion(n, int64(i), tx.Hashes())
			ok(t, err)
			ok(t, merkle.VerifyInclusion(p, head, l.Index, l.Leaf))
			parsed, err := merkle.ParseLeaf(l.Leaf)
			ok(t, err)
			if merkle.Commit(l.Salt, l.Body) != parsed.Commit || parsed.Kind != string(l.Kind) {
				t.Errorf("leaf %d does not commit to what is stored with it", i)
			}
		}
		for _, old := range heads {
			p, err := merkle.Consistency(old.Size, n, tx.Hashes())
			ok(t, err)
			ok(t, merkle.VerifyConsistency(p, old, head))
		}
		few, err := tx.Leaves(3, 5)
		if len(few) != 2 || few[0].Index != 3 {
			t.Errorf("leaves 3 to 5 are %+v", few)
		}
		if _, err := tx.Hashes().ReadHashes([]int64{1 << 40}); err == nil {
			t.Error("a hash was read that is not stored")
		}
		return err
	})
	r := sound(t, d)
	if r.Head != heads[len(heads)-1] || r.Checkpoints < 12 || r.Events != 13 || r.Moves != 12 || r.Tenants != 2 {
		t.Errorf("verified %+v", r)
	}
}

// chains: from its own leaves alone a tenant sees that none is missing.
func chains(t *testing.T, d store.DB) {
	for n := range 6 {
		submit(t, d, acme, n)
		submit(t, d, umbr, n)
		_ = d.For(acme).Update(ctx, func(tx store.TenantTx) error { // leaves no gap
			_ = tx.InsertWorkload(Workload(acme, 100+n), Event(""))
			return errors.New("no")
		})
	}
	look(t, d, func(tx store.SystemTx) error {
		leaves, err := tx.Leaves(0, 1000)
		of := map[access.Tenant]*merkle.Chain{acme: {}, umbr: {}, "": {}}
		for _, l := range leaves {
			parsed, err := merkle.ParseLeaf(l.Leaf)
			ok(t, err)
			ok(t, of[l.Tenant].Next(parsed))
		}
		if of[acme].Len != 6 || of[umbr].Len != 6 || of[""].Len != 1 {
			t.Errorf("chains are %d, %d and %d long", of[acme].Len, of[umbr].Len, of[""].Len)
		}
		return err
	})
}
