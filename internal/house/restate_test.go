package house

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/store"
)

// A provider corrects what it measured. The ledger keeps what it was booked on;
// a dry run tells what would change, a restatement puts it on record beside
// what stood, sums count what stands, and the whole still proves itself.
func TestRestatement(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Sites: []Site{{ID: "hall", Zone: "PL", CPUs: 64, PUE: 1.2}, {ID: "barn", Zone: "DE-LU", CPUs: 64, PUE: 1.4}}}
	if err := Seed(t.Context(), cfg.Dir, cfg.Sites, 60, time.Now()); err != nil {
		t.Fatal(err)
	}
	cfg.NewAdmin = true
	h, stop := run(t, cfg)
	admin := client(h, h.Admin)
	before, err := admin.Entries(t.Context(), "", "", 500)
	if err != nil || len(before.Items) < 20 {
		t.Fatalf("%d entries, %v", len(before.Items), err)
	}
	q := clusy.RestateRequest{From: time.Now().Add(-100 * time.Hour), To: time.Now().Add(time.Hour), Reason: "re-estimated", DryRun: true}
	// Nothing is new: nothing to restate.
	if r, err := admin.Restate(t.Context(), q); err != nil || len(r.Items) != 0 || r.Looked != len(before.Items) {
		t.Fatalf("%+v, %v", r, err)
	}

	// DE-LU was cleaner by a tenth than its provider had said.
	err = h.db.System().Update(context.Background(), func(tx store.SystemTx) error {
		told, err := tx.Measured("DE-LU", time.Time{})
		for _, s := range told {
			s.Revision, s.Issued, s.Ref = 1, time.Now().Add(-time.Second).UTC().Truncate(time.Microsecond), ""
			s.Values = append([]grid.Intensity{}, s.Values...)
			for i := range s.Values {
				s.Values[i] = s.Values[i] * 9 / 10
			}
			if _, _, err := tx.PutSignal(store.Measured, s, audit.Event{At: time.Now(), Actor: "system:test", Kind: audit.SignalStored}); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dry, err := admin.Restate(t.Context(), q)
	if err != nil || len(dry.Items) == 0 || len(dry.Items) == dry.Looked {
		t.Fatalf("%d of %d would change, %v", len(dry.Items), dry.Looked, err)
	}
	for _, x := range dry.Items {
		if x.After.Zone == "DE-LU" && x.Before.Emitted > 0 && math.Abs(x.After.Emitted-0.9*x.Before.Emitted) > 0.01+0.001*x.Before.Emitted {
			t.Errorf("%s emitted %g, and would now have %g", x.Before.Zone, x.Before.Emitted, x.After.Emitted)
		}
	}
	if after, _ := admin.Entries(t.Context(), "", "", 500); len(after.Items) != len(before.Items) {
		t.Error("a dry run wrote something")
	}
	// Only an admin may.
	q.DryRun = false
	if _, err := client(h, token(t, h, tenant, access.Operator, "", 0, time.Hour)).Restate(t.Context(), q); err == nil {
		t.Error("an operator restated the ledger")
	}
	done, err := admin.Restate(t.Context(), q)
	if err != nil || len(done.Items) != len(dry.Items) {
		t.Fatalf("%d restated of %d, %v", len(done.Items), len(dry.Items), err)
	}
	if again, err := admin.Restate(t.Context(), q); err != nil || len(again.Items) != 0 || again.Looked != dry.Looked {
		t.Errorf("restated again: %+v, %v", again, err)
	}

	// Sums count what stands.
	all, err := admin.Entries(t.Context(), "", "", 500)
	if err != nil || len(all.Items) != len(before.Items)+len(done.Items) {
		t.Fatalf("%d entries, %v", len(all.Items), err)
	}
	gone, emitted := map[int64]bool{}, 0.0
	for _, e := range all.Items {
		if e.Restates != nil {
			gone[*e.Restates] = true
			if e.Reason != "re-estimated" {
				t.Errorf("entry %d gives the reason %q", e.Index, e.Reason)
			}
		}
	}
	for _, e := range all.Items {
		if !gone[e.Index] {
			emitted += e.Emitted
		}
	}
	sums := getJSON[clusy.Savings](t, h, "/v1/savings")
	if math.Abs(sums.Emitted-emitted) > 0.5 || sums.Entries != len(before.Items) {
		t.Errorf("the savings say %g g in %d entries, the entries that stand %g in %d", sums.Emitted, sums.Entries, emitted, len(before.Items))
	}
	w := getJSON[clusy.Workload](t, h, "/v1/workloads/"+done.Items[0].Before.Workload)
	sum := 0.0
	for _, e := range all.Items {
		if e.Workload == w.ID && !gone[e.Index] {
			sum += e.Emitted
		}
	}
	if w.Account == nil || math.Abs(w.Account.Emitted-sum) > 0.5 {
		t.Errorf("the account of %s says %+v, its entries that stand %g", w.ID, w.Account, sum)
	}

	// The whole proves itself, from the files alone.
	stop()
	key, err := os.ReadFile(filepath.Join(cfg.Dir, "keys", "log.pub"))
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := merkle.NewVerifiers(strings.TrimSpace(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(string(key), "+")
	db, err := store.OpenReadOnly(t.Context(), filepath.Join(cfg.Dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if r, err := store.VerifyLog(t.Context(), db, trusted, origin); err != nil || r.Entries != int64(len(all.Items)) {
		t.Errorf("%+v, %v", r, err)
	}
}
