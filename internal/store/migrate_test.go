package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
)

// TestSeriesMove: what a store of the second version of the schema has of
// series is there after it was opened, under the same names.
func TestSeriesMove(t *testing.T) {
	dir := t.TempDir()
	d := openSQLite(t, dir)
	at := storetest.Noon
	m, f, g := storetest.Series("DE", at, 300, 200), storetest.Series("DE", at.Add(time.Hour), 50), storetest.Series("DE", at.Add(2*time.Hour), 60)
	f.Low, f.High = []grid.Intensity{40_000}, []grid.Intensity{70_000}
	g.Revision = 2
	back := `DROP TABLE member; ALTER TABLE attempt DROP COLUMN size; DROP TABLE class; DROP TABLE question; DROP TABLE proof; DROP TABLE queue; DROP TABLE budget; DROP INDEX ledger_entry_by_hour; DROP TABLE signal_newest; DROP TABLE signal; DELETE FROM goose_db_version WHERE version_id > 2;`
	for kind, ss := range map[string][]grid.Series{"measured": {m}, "forecast": {f, g}} {
		for _, s := range ss {
			e := storetest.Event(audit.SignalStored)
			e.Object = "signal:" + s.Digest()
			if err := d.System().Update(ctx, func(tx store.SystemTx) error { _, err := tx.Append(e); return err }); err != nil {
				t.Fatal(err)
			}
			body, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			back += fmt.Sprintf(`INSERT INTO series VALUES ('%s', '%s', 'DE', %d, %d, %d, '%s');`,
				s.Digest(), kind, s.Start.UnixMicro(), s.End().UnixMicro(), s.Issued.UnixMicro(), body)
		}
	}
	back += fmt.Sprintf(`INSERT INTO latest VALUES ('DE', 'test', 'average/lifecycle', %d, 2, '%s');`, g.Issued.UnixMicro(), g.Digest())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	breakIn(t, dir, back)

	ro, err := store.OpenReadOnly(ctx, dir)
	if err == nil {
		t.Fatal("a store of an old schema was opened for reading", ro.Close())
	}
	d = openSQLite(t, dir)
	err = d.System().View(ctx, func(tx store.SystemTx) error {
		for _, s := range []grid.Series{m, f, g} {
			s.Ref = s.Digest()
			got, err := tx.Signal(s.Ref)
			if err != nil || !reflect.DeepEqual(got, s) {
				t.Errorf("moved as %+v, %v; want %+v", got, err, s)
			}
		}
		ms, err := tx.Measured("DE", at)
		latest, err2 := tx.LatestForecasts()
		then, err3 := tx.ForecastAt("DE", f.Basis, f.Issued)
		if len(ms) != 1 || len(latest["DE"]) != 1 || latest["DE"][0].Ref != g.Digest() || then.Ref != f.Digest() {
			t.Errorf("moved are %v, %v, %v", ms, latest, then)
		}
		return errors.Join(err, err2, err3)
	})
	if err != nil {
		t.Fatal(err)
	}
	// A correction finds its predecessor by what it is of.
	n := m
	n.Issued = n.Issued.Add(time.Hour)
	err = d.System().Update(ctx, func(tx store.SystemTx) error {
		_, err := tx.PutSignals([]store.Signal{{Kind: store.Measured, Series: n, Replaces: m.Digest()}}, storetest.Event(""))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", filepath.Join(dir, "clusy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	var known int
	if err := raw.QueryRow(`SELECT count(*) FROM signal JOIN leaf ON leaf.idx = signal.idx AND leaf.object = 'signal:' || signal.ref`).Scan(&known); err != nil || known != 2 {
		t.Errorf("%d of the moved series know their record, %v; want 2", known, err)
	}
}

// TestSignalsAreFoundByIndex: no question about signals reads all of them.
func TestSignalsAreFoundByIndex(t *testing.T) {
	dir := t.TempDir()
	if err := openSQLite(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", filepath.Join(dir, "clusy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	all := queries(t)
	asked := 0
	for name, q := range all {
		if !strings.Contains(name, "Signal") && !strings.Contains(name, "Newest") {
			continue
		}
		asked++
		// Parameters by name are sqlc's; only their number matters here.
		n := strings.Count(q, "$")
		q = regexp.MustCompile(`sqlc\.arg\(\w+\)`).ReplaceAllStringFunc(q, func(string) string { n++; return fmt.Sprint("$", n) })
		args := make([]any, n)
		for i := range args {
			args[i] = 0
		}
		rows, err := raw.Query("EXPLAIN QUERY PLAN "+q, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			// The newest are one for each zone: reading all of them is the point.
			if strings.Contains(step, "SCAN") && !strings.Contains(step, "signal_newest") || strings.Contains(step, "(kind=?)") {
				t.Errorf("%s: %s", name, step)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if asked < 8 {
		t.Errorf("asked for the plans of %d queries only", asked)
	}
}
