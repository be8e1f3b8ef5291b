package house

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/store"
)

// No word of an intent's sealed part is ever in the server's files: not the
// command, not the environment, not the name, not a label, not the output.
func TestNoPlaintext(t *testing.T) {
	cfg := berlin()
	cfg.Dir = t.TempDir()
	h, stop := run(t, cfg)
	markers := []string{"MARKcommand7", "MARKenv7", "MARKkey7", "MARKname7", "MARKlabel7", "MARKdir7", "MARKoutput7"}
	dir := filepath.Join(t.TempDir(), "MARKdir7")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w, err := submit(t, h, "canary", `apiVersion: clusy.io/v1
kind: Intent
metadata: {name: MARKname7, labels: {team: MARKlabel7}}
run: {exec: [sh, -c, "echo MARKcommand7 >/dev/null; echo MARK$X; exit 3"], env: {X: output7, MARKkey7: MARKenv7}, dir: `+dir+`}
shape: {duration: 30m, power: 1W}
when: {completeBy: +4h}
`)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "it ends and is booked", func() bool {
		got, err := client(h, h.Token).Workload(t.Context(), w.ID)
		return err == nil && got.State == "failed" && got.Account != nil && got.Account.Complete
	})
	look := func(root string) (hits []string, files int) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			files++
			for _, m := range markers {
				if bytes.Contains(b, []byte(m)) {
					hits = append(hits, path+" holds "+m)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return hits, files
	}
	// Once while it runs, with the write-ahead log, and once when all is shut.
	for range 2 {
		hits, files := look(filepath.Join(cfg.Dir, "store"))
		if len(hits) > 0 || files < 1 {
			t.Errorf("the server's %d files: %q", files, hits)
		}
		stop()
	}
	// The enclave's own folder does hold the output: the search can find.
	if hits, _ := look(filepath.Join(cfg.Dir, "agents")); len(hits) == 0 {
		t.Error("the search finds nothing even where the output is")
	}
}

// The planner sees only what was issued before now: the future that the
// bundled data holds must not move any plan.
func TestNoClairvoyance(t *testing.T) {
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	real := trace["DE-LU"]
	fake := real
	fake.Values = append([]grid.Intensity{}, real.Values...)
	for i := range fake.Values {
		// From the running hour on, day is night.
		if end := fake.Start.Add(time.Duration(i+1) * fake.Step); end.After(evening) {
			fake.Values[i] = grid.MaxIntensity - fake.Values[i]
		}
	}
	forecasts := func(s grid.Series) (out []grid.Series) {
		p, err := signal.Fixed("test", s)
		if err != nil {
			t.Fatal(err)
		}
		cfg := berlin()
		cfg.Replay.Rate = 1
		cfg.Dir, cfg.Listen, cfg.Signals = t.TempDir(), "127.0.0.1:0", []signal.Provider{p}
		h, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer h.close()
		defer h.listener.Close()
		now := evening.Add(time.Second)
		if err := h.lookAround(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		err = h.db.System().View(context.Background(), func(tx store.SystemTx) error {
			measured, err := tx.Measured("DE-LU", time.Time{})
			for _, m := range measured {
				if m.Issued.After(now) || m.End().After(now) {
					t.Errorf("a value is stored before it was: series to %s issued %s at %s", m.End(), m.Issued, now)
				}
			}
			if err != nil || len(measured) == 0 {
				t.Errorf("%d measured series, err %v", len(measured), err)
			}
			all, err := tx.LatestForecasts()
			out = all["DE-LU"]
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	a, b := forecasts(real), forecasts(fake)
	if len(a) == 0 || len(a) != len(b) {
		t.Fatalf("%d and %d forecasts", len(a), len(b))
	}
	for i := range a {
		if a[i].Digest() != b[i].Digest() {
			t.Errorf("forecast %d depends on values that had not been issued", i)
		}
		for j, v := range a[i].Values {
			at := a[i].Start.Add(time.Duration(j) * a[i].Step)
			if actual, known := real.At(at); known && at.After(evening) && v == actual.Value && j > 2 {
				t.Logf("forecast of %s equals what came: chance, if it is rare", at)
			}
		}
	}
}
