package house

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/store/pgtest"
)

// An agent speaks to one replica, and its enclave answers those who ask another.
func TestQuestionsReachEverySite(t *testing.T) {
	pg := pgtest.Shared(t)
	address, keys := pg.Address(pg.Schema(t)), filepath.Join(t.TempDir(), "keys")
	a, _ := run(t, Config{Keys: keys, Database: address, Sites: []Site{{ID: "berlin", Zone: "DE-LU", Slots: 1, PUE: 1}}})
	b, _ := run(t, Config{Keys: keys, Database: address})
	w, err := submit(t, a, "k", `apiVersion: clusy.io/v1
kind: Intent
metadata: {name: nightly}
run: {exec: ["true"]}
shape: {duration: 1m, power: 100W}
when: {completeBy: +8h}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*House{a, b} {
		viewer, err := intent.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		q := clusy.Question{What: "names", Workloads: []string{w.ID}, Viewer: intent.EncodePublic(viewer.Public())}
		r, err := client(h, h.Token).Ask(t.Context(), "berlin", q)
		if err != nil || r.Error != "" {
			t.Fatalf("%v, %q", err, r.Error)
		}
		plain, err := intent.OpenFrom(viewer, clusy.SealNames, nil, r.Sealed)
		if err != nil || !bytes.Contains(plain, []byte(`"nightly"`)) {
			t.Errorf("the enclave says %s, %v", plain, err)
		}
	}
	// What was carried is in nobody's post any more.
	eventually(t, time.Minute, "the post is empty", func() bool {
		waiting, err := post{b.db, b.Clock}.Waiting(t.Context())
		return err == nil && len(waiting) == 0
	})
}
