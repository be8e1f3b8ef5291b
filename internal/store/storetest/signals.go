package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
)

// stored is a series as it comes back.
func stored(s grid.Series) grid.Series { s.Ref = ""; s.Ref = s.Digest(); return s }

// put stores series in one transaction and returns the refs of the new ones.
func put(t *testing.T, d store.DB, signals ...store.Signal) (refs []string) {
	t.Helper()
	house(t, d, func(tx store.SystemTx) (err error) {
		refs, err = tx.PutSignals(signals, Event(""))
		return err
	})
	return refs
}

// signalsTogether: many series come with one record, which commits to them.
func signalsTogether(t *testing.T, d store.DB) {
	a, b, c := Series("DE", Noon, 300), Series("FR", Noon, 20), Series("ES", Noon, 120)
	before := size(t, d)
	refs := put(t, d, store.Signal{Kind: store.Measured, Series: a}, store.Signal{Kind: store.Forecast, Series: b},
		store.Signal{Kind: store.Issued, Series: c}, store.Signal{Kind: store.Measured, Series: a})
	equal(t, "refs", refs, []string{a.Digest(), b.Digest(), c.Digest()})
	if n := size(t, d) - before; n != 1 {
		t.Errorf("three series came with %d leaves, want 1", n)
	}
	look(t, d, func(tx store.SystemTx) error {
		es, err := tx.Events(store.EventFilter{After: before - 1})
		if len(es) != 1 || es[0].Event.Kind != audit.SignalStored {
			t.Fatalf("on record are %+v", es)
		}
		turned := slices.Clone(refs)
		slices.Reverse(turned)
		digest := store.DigestOf(turned)
		equal(t, "record", es[0].Event.Detail, map[string]string{"count": "3", "kinds": "forecast 1, issued 1, measured 1", "digest": digest, "why": "test"})
		equal(t, "object", es[0].Event.Object, "signals:"+digest)
		return err
	})
	if again := put(t, d, store.Signal{Kind: store.Measured, Series: a}); len(again) != 0 || size(t, d) != before+1 {
		t.Errorf("a series that is there is new again: %v", again)
	}
	if none := put(t, d); len(none) != 0 || size(t, d) != before+1 {
		t.Errorf("no series at all are %v", none)
	}
	// One that is bad refuses all of them, and spoils nothing.
	house(t, d, func(tx store.SystemTx) error {
		_, err := tx.PutSignals([]store.Signal{{Kind: store.Measured, Series: Series("IT", Noon, 1)}, {Kind: store.Price, Series: Series("IT", Noon, 2)}}, Event(""))
		want(t, err, problem.Invalid)
		all, err := tx.Measured("IT", time.Time{})
		if len(all) != 0 {
			t.Errorf("of a refused batch, %v is there", all)
		}
		return err
	})
	sound(t, d)
}

// signalsReplaced: a series takes the place of the one that it continues,
// unless something on record refers to that; and of no other.
func signalsReplaced(t *testing.T, d store.DB) {
	later := func(n time.Duration, s grid.Series) grid.Series { s.Issued = s.Issued.Add(n * time.Minute); return s }
	short, long := Series("DE", Noon, 300), later(5, Series("DE", Noon, 300, 200))
	longest := later(10, Series("DE", Noon, 300, 200, 100))
	put(t, d, store.Signal{Kind: store.Measured, Series: short}, store.Signal{Kind: store.Measured, Series: Series("FR", Noon, 20)})
	measured := func(want ...grid.Series) {
		t.Helper()
		look(t, d, func(tx store.SystemTx) error {
			all, err := tx.Measured("DE", time.Time{})
			equal(t, "measured", all, want)
			return err
		})
	}
	for name, bad := range map[string]store.Signal{
		"another zone's":   {Kind: store.Measured, Series: Series("ES", Noon, 1)},
		"another kind":     {Kind: store.Issued, Series: long},
		"another provider": {Kind: store.Measured, Series: func() grid.Series { s := long; s.Provider = "other"; return s }()},
		"another basis":    {Kind: store.Measured, Series: func() grid.Series { s := long; s.Basis.Scope = grid.Direct; return s }()},
		"an earlier issue": {Kind: store.Measured, Series: later(-5, Series("DE", Noon, 300, 200))},
	} {
		bad.Replaces = short.Digest()
		err := d.System().Update(ctx, func(tx store.SystemTx) error {
			_, err := tx.PutSignals([]store.Signal{bad}, Event(""))
			return err
		})
		if !problem.Is(err, problem.Invalid) {
			t.Errorf("%s: replaced with %v, want a refusal", name, err)
		}
	}
	measured(stored(short))
	put(t, d, store.Signal{Kind: store.Measured, Series: long, Replaces: short.Digest()})
	measured(stored(long))
	put(t, d, store.Signal{Kind: store.Measured, Series: long, Replaces: long.Digest()}) // itself
	measured(stored(long))

	w := submit(t, d, acme, 1)
	update(t, d, acme, func(tx store.TenantTx) error {
		return tx.PutPlacement(Placement(w, long.Digest()), "p", Event(""))
	})
	put(t, d, store.Signal{Kind: store.Measured, Series: longest, Replaces: long.Digest()})
	measured(stored(long), stored(longest))
	put(t, d, store.Signal{Kind: store.Measured, Series: Series("DE", Noon.Add(-time.Hour), 1), Replaces: "gone"})

	// The newest forecast gives way to its correction.
	f := Series("DE", Noon, 50)
	g := f
	g.Revision, g.Values = 1, []grid.Intensity{60_000}
	put(t, d, store.Signal{Kind: store.Forecast, Series: f})
	put(t, d, store.Signal{Kind: store.Forecast, Series: g, Replaces: f.Digest()})
	look(t, d, func(tx store.SystemTx) error {
		latest, err := tx.LatestForecasts()
		equal(t, "latest", latest, map[grid.Zone][]grid.Series{"DE": {stored(g)}})
		_, err2 := tx.Signal(f.Digest())
		want(t, err2, problem.NotFound)
		return err
	})
	sound(t, d)
}

// clockAhead: what was issued while the clock was ahead does not stand in the
// way of what is issued once it is right again.
func clockAhead(t *testing.T, d store.DB) {
	ahead, right := Series("DE", Noon.AddDate(0, 1, 0), 1), Series("DE", Noon, 2)
	for _, s := range []grid.Series{ahead, right} {
		house(t, d, func(tx store.SystemTx) error {
			e := Event("")
			e.At = s.Issued
			_, _, err := tx.PutSignal(store.Forecast, s, e)
			return err
		})
	}
	look(t, d, func(tx store.SystemTx) error {
		latest, err := tx.LatestForecasts()
		equal(t, "latest", latest["DE"], []grid.Series{stored(right)})
		return err
	})
}

// forecasts: the one in use at an instant is found, what providers issued is
// kept apart from it, and the newest comes first whatever its grade.
func forecasts(t *testing.T, d store.DB) {
	at := func(h int) time.Time { return Noon.Add(time.Duration(h) * time.Hour) }
	first, second, third := Series("DE", at(1), 1), Series("DE", at(2), 2), Series("DE", at(3), 3)
	third.Grade, third.Provider = grid.GradeD, "another"
	fix := Series("DE", at(2), 4)
	fix.Revision = 1
	theirs, older := Series("DE", at(9), 5), Series("DE", at(8), 6)
	marginal := Series("FR", at(5), 8)
	marginal.Basis.Signal = grid.Marginal
	put(t, d, store.Signal{Kind: store.Forecast, Series: marginal}, store.Signal{Kind: store.Forecast, Series: third}, store.Signal{Kind: store.Forecast, Series: first}, store.Signal{Kind: store.Forecast, Series: second},
		store.Signal{Kind: store.Forecast, Series: fix}, store.Signal{Kind: store.Issued, Series: theirs}, store.Signal{Kind: store.Issued, Series: older},
		store.Signal{Kind: store.Forecast, Series: Series("FR", at(1), 7)})
	look(t, d, func(tx store.SystemTx) error {
		for _, c := range []struct {
			at   time.Time
			want grid.Series
		}{{at(0), first}, {at(1).Add(-time.Microsecond), first}, {at(1), fix}, {at(2), third}, {at(99), third}} {
			got, err := tx.ForecastAt("DE", grid.AverageLifecycle, c.at)
			ok(t, err)
			equal(t, "forecast at "+c.at.String(), got, stored(c.want))
		}
		average, err := tx.ForecastAt("FR", grid.AverageLifecycle, at(99))
		ok(t, err)
		equal(t, "forecast of one basis", average, stored(Series("FR", at(1), 7)))
		_, err = tx.ForecastAt("DE", grid.AverageLifecycle, at(0).Add(-time.Microsecond))
		want(t, err, problem.NotFound)
		_, err = tx.ForecastAt("ES", grid.AverageLifecycle, at(9))
		want(t, err, problem.NotFound)
		issued, err := tx.IssuedForecasts("DE", time.Time{})
		equal(t, "issued", issued, []grid.Series{stored(older), stored(theirs)})
		late, err2 := tx.IssuedForecasts("DE", theirs.Issued)
		equal(t, "issued since", late, []grid.Series{stored(theirs)})
		latest, err3 := tx.LatestForecasts()
		equal(t, "latest", latest["DE"], []grid.Series{stored(third), stored(fix)})
		return errors.Join(err, err2, err3)
	})
}

// prices: they are kept, take the place of what they repeat, and are no series.
func prices(t *testing.T, d store.DB) {
	day := func(n int, cents ...int64) grid.Prices { return Prices("DE", Noon.AddDate(0, 0, n), cents...) }
	today, tomorrow := day(0, 9, -3), day(1, 8, 7)
	tomorrow.Values[1] = grid.UnknownRate
	again := day(1, 8, 7, 6)
	again.Issued = again.Issued.Add(time.Hour)
	dollars := day(1, 8)
	dollars.Currency, dollars.Issued = "USD", dollars.Issued.Add(-time.Hour)
	bring := func(ps ...grid.Prices) (refs []string) {
		t.Helper()
		house(t, d, func(tx store.SystemTx) (err error) {
			refs, err = tx.PutPrices(ps, Event(""))
			return err
		})
		return refs
	}
	before := size(t, d)
	equal(t, "refs", bring(today, tomorrow, dollars, Prices("FR", Noon, 5)), []string{today.Digest(), tomorrow.Digest(), dollars.Digest(), Prices("FR", Noon, 5).Digest()})
	if bring(today) != nil || size(t, d) != before+1 {
		t.Errorf("prices came with %d leaves, want 1", size(t, d)-before)
	}
	reads := func(since time.Time, want ...grid.Prices) {
		t.Helper()
		look(t, d, func(tx store.SystemTx) error {
			ps, err := tx.Prices("DE", since)
			equal(t, "prices", ps, want)
			return err
		})
	}
	reads(time.Time{}, today, dollars, tomorrow)
	reads(today.End(), dollars, tomorrow)
	bring(again)
	reads(time.Time{}, today, dollars, again)
	look(t, d, func(tx store.SystemTx) error {
		_, err := tx.Signal(today.Digest())
		want(t, err, problem.NotFound)
		return nil
	})
	house(t, d, func(tx store.SystemTx) error {
		bad := day(0, 1)
		bad.Currency = "euro"
		_, err := tx.PutPrices([]grid.Prices{bad}, Event(""))
		want(t, err, problem.Invalid)
		return nil
	})
	sound(t, d)
}

// retention: each kind is kept for a time of its own, and a newest forecast
// that is old is no longer the newest, whether or not it is kept.
func retention(t *testing.T, d store.DB) {
	old := Noon.AddDate(0, 0, -50)
	m, f, i, p := Series("DE", old, 1), Series("DE", old, 2), Series("DE", old, 3), Prices("DE", old, 4)
	used := Series("FR", old, 5)
	put(t, d, store.Signal{Kind: store.Measured, Series: m}, store.Signal{Kind: store.Forecast, Series: f},
		store.Signal{Kind: store.Issued, Series: i}, store.Signal{Kind: store.Forecast, Series: used})
	w := submit(t, d, acme, 1)
	update(t, d, acme, func(tx store.TenantTx) error {
		return tx.PutPlacement(Placement(w, used.Digest()), "p", Event(""))
	})
	house(t, d, func(tx store.SystemTx) error { _, err := tx.PutPrices([]grid.Prices{p}, Event("")); return err })
	left := func() (n [4]int, latest int) {
		look(t, d, func(tx store.SystemTx) error {
			ms, err := tx.Measured("DE", time.Time{})
			is, err2 := tx.IssuedForecasts("DE", time.Time{})
			ps, err3 := tx.Prices("DE", time.Time{})
			_, err4 := tx.ForecastAt("DE", grid.AverageLifecycle, Noon)
			fs, err5 := tx.LatestForecasts()
			n, latest = [4]int{len(ms), 1, len(is), len(ps)}, len(fs)
			if problem.Is(err4, problem.NotFound) {
				n[1], err4 = 0, nil
			}
			_, err6 := tx.Signal(used.Digest())
			return errors.Join(err, err2, err3, err4, err5, err6)
		})
		return n, latest
	}
	for _, c := range []struct {
		keep   store.Retention
		gone   int64
		left   [4]int
		latest int
	}{
		{store.Retention{}, 0, [4]int{1, 1, 1, 1}, 2},
		{upTo(old.Add(time.Hour)), 0, [4]int{1, 1, 1, 1}, 2}, // they end just then
		{store.Retention{Forecasts: Noon}, 1, [4]int{1, 0, 1, 1}, 0},
		{store.Retention{Issued: Noon}, 1, [4]int{1, 0, 0, 1}, 0},
		{store.Retention{Prices: Noon}, 1, [4]int{1, 0, 0, 0}, 0},
		{store.Retention{Measured: Noon}, 1, [4]int{0, 0, 0, 0}, 0},
	} {
		house(t, d, func(tx store.SystemTx) error {
			n, err := tx.PruneSignals(c.keep)
			if n != c.gone {
				t.Errorf("%+v: %d series were dropped, want %d", c.keep, n, c.gone)
			}
			return err
		})
		n, latest := left()
		if n != c.left || latest != c.latest {
			t.Errorf("%+v: left are %v and %d newest, want %v and %d", c.keep, n, latest, c.left, c.latest)
		}
	}
	sound(t, d)
}
