package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
)

func latest(d store.DB) (all map[grid.Zone][]grid.Series, err error) {
	err = d.System().View(ctx, func(tx store.SystemTx) (err error) {
		all, err = tx.LatestForecasts()
		return err
	})
	return all, err
}

func putSignals(t *testing.T, d store.DB, signals ...store.Signal) {
	t.Helper()
	if err := d.System().Update(ctx, func(tx store.SystemTx) error {
		_, err := tx.PutSignals(signals, storetest.Event(""))
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestShelfIsShared: who reads the forecasts again gets the same memory, cannot
// grow into it, and is found out when writing it; then the store tells the
// truth again.
func TestShelfIsShared(t *testing.T) {
	for name, d := range map[string]store.DB{"sqlite": openSQLite(t, t.TempDir()), "memory": openMemory(t)} {
		s := storetest.Series("DE", storetest.Noon, 300, 200)
		putSignals(t, d, store.Signal{Kind: store.Forecast, Series: s})
		one, err := latest(d)
		two, err2 := latest(d)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		a, b := one["DE"][0], two["DE"][0]
		if &a.Values[0] != &b.Values[0] {
			t.Errorf("%s: a second look copies the values", name)
		}
		if cap(a.Values) != len(a.Values) {
			t.Errorf("%s: who appends writes into the shelf", name)
		}
		one["DE"][0] = grid.Series{} // a list of one's own
		if two, _ := latest(d); two["DE"][0].Ref != s.Digest() {
			t.Errorf("%s: the lists are shared", name)
		}
		a.Values[1] = 7
		if _, err := latest(d); err == nil || !strings.Contains(err.Error(), "written into") {
			t.Errorf("%s: a reader's writing gave %v", name, err)
		}
		if all, err := latest(d); err != nil || all["DE"][0].Values[1] != s.Values[1] {
			t.Errorf("%s: afterwards, the store says %v, %v", name, all, err)
		}
	}
}

// TestShelfIsBounded: what is remembered stays within its bound, and what is
// read again and again stays longest.
func TestShelfIsBounded(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	const most, numbers = 4000, 400
	d.Narrow(most)
	zone := func(n int) grid.Zone { return grid.Zone(fmt.Sprint("DE-", n)) }
	putSignals(t, d, store.Signal{Kind: store.Forecast, Series: storetest.Series("FR", storetest.Noon, 1)})
	first, err := latest(d)
	if err != nil {
		t.Fatal(err)
	}
	highest := 0
	for n := range 30 {
		s := storetest.Series(zone(n), storetest.Noon, 1)
		s.Step, s.Values = time.Minute, append(s.Values, make([]grid.Intensity, numbers-1)...)
		putSignals(t, d, store.Signal{Kind: store.Measured, Series: s})
		if err := d.System().View(ctx, func(tx store.SystemTx) error { _, err := tx.Measured(zone(n), time.Time{}); return err }); err != nil {
			t.Fatal(err)
		}
		now := d.Shelved()
		if now > 2*most {
			t.Fatalf("%d numbers are remembered, want at most %d", now, 2*most)
		}
		highest = max(highest, now)
		again, err := latest(d)
		if err != nil {
			t.Fatal(err)
		}
		if &again["FR"][0].Values[0] != &first["FR"][0].Values[0] {
			t.Fatal("what is read all the time was forgotten")
		}
	}
	// Once a series is too long to be read twice, it is not remembered at all.
	s := storetest.Series("DE", storetest.Noon, 1)
	s.Step, s.Values = time.Minute, append(s.Values, make([]grid.Intensity, most/4)...)
	putSignals(t, d, store.Signal{Kind: store.Forecast, Series: s})
	before := d.Shelved()
	if _, err := latest(d); err != nil || d.Shelved() > before {
		t.Errorf("a series of %d numbers is remembered: %d, then %d, %v", most/4, before, d.Shelved(), err)
	}
	if highest < most {
		t.Errorf("at most %d numbers were remembered of %d", highest, most)
	}
}

// TestChangedSignalsAreRefused: a series or prices that were changed in the
// file are not what their names say, and are not read, though they are valid.
func TestChangedSignalsAreRefused(t *testing.T) {
	dir := t.TempDir()
	d := openSQLite(t, dir)
	s, p := storetest.Series("DE", storetest.Noon, 300, 301), storetest.Prices("DE", storetest.Noon, 5, 6)
	putSignals(t, d, store.Signal{Kind: store.Forecast, Series: s}, store.Signal{Kind: store.Measured, Series: storetest.Series("DE", storetest.Noon, 7, 8)})
	err := d.System().Update(ctx, func(tx store.SystemTx) error {
		_, err := tx.PutPrices([]grid.Prices{p}, storetest.Event(""))
		return err
	})
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	breakIn(t, dir, `UPDATE signal SET body = unhex(substr(hex(body), 1, length(hex(body)) - 2) || '05')`)
	d = openSQLite(t, dir)
	for name, read := range map[string]func(store.SystemTx) error{
		"one":      func(tx store.SystemTx) error { _, err := tx.Signal(s.Digest()); return err },
		"latest":   func(tx store.SystemTx) error { _, err := tx.LatestForecasts(); return err },
		"at":       func(tx store.SystemTx) error { _, err := tx.ForecastAt("DE", storetest.Noon); return err },
		"measured": func(tx store.SystemTx) error { _, err := tx.Measured("DE", time.Time{}); return err },
		"prices":   func(tx store.SystemTx) error { _, err := tx.Prices("DE", time.Time{}); return err },
	} {
		if err := d.System().View(ctx, read); err == nil || !strings.Contains(err.Error(), "changed where") {
			t.Errorf("%s: read with %v", name, err)
		}
	}
}
