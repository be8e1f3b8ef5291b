package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/merkle"
)

// doctorOf examines a server that answers with what it is given, by path.
func doctorOf(t *testing.T, answers map[string]any) *doctor {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a)
	}))
	t.Cleanup(s.Close)
	return &doctor{dir: t.TempDir(), client: &clusy.Client{URL: s.URL}, status: clusy.Status{Now: time.Now(), Version: version()}}
}

// found returns the states of the checks of a name, and their texts.
func (d *doctor) found(name string) (states, says string) {
	for _, c := range d.checks {
		if c.Name == name {
			states, says = strings.TrimSpace(states+" "+string(c.State)), says+c.Says+"\n"
		}
	}
	return states, says
}

// A head that another key has signed does not pass, though the server names
// that very key: the one in the data directory counts.
func TestDoctorTrustsItsOwnKey(t *testing.T) {
	origin, err := merkle.Origin("0199b2c4-5a7e-7f31-9c0e-1f2a3b4c5d6e", false)
	if err != nil {
		t.Fatal(err)
	}
	private, public, err := merkle.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := merkle.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := merkle.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	head, err := merkle.Sign(signer, origin, 1, merkle.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	d := doctorOf(t, map[string]any{"/v1/ledger/checkpoint": clusy.Checkpoint{Origin: origin, Text: string(head), Key: public}})
	for _, c := range []struct{ kept, want string }{{"", "ok"}, {public, "ok"}, {other, "fail"}, {strings.Replace(public, "+", "x+", 1), "ok"}} {
		d.checks = nil
		if err := os.MkdirAll(filepath.Join(d.dir, "keys"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d.dir, "keys", "log.pub"), []byte(c.kept), 0o600); err != nil {
			t.Fatal(err)
		}
		d.log(t.Context())
		if got, says := d.found("log"); got != c.want {
			t.Errorf("key %q: %s (%s), want %s", c.kept, got, says, c.want)
		}
	}
}

// What is wrong at a server is named, each thing once and the worst as such.
func TestDoctorNamesTrouble(t *testing.T) {
	now := time.Now()
	value, old := 300.0, now.Add(-5*time.Hour)
	d := doctorOf(t, map[string]any{
		"/v1/status": clusy.Status{Now: now.Add(-2 * time.Hour), Version: version()},
		"/v1/sites": clusy.Page[clusy.Site]{Items: []clusy.Site{
			{ID: "a", Zone: "A"}, {ID: "b", Zone: "B", Silent: true, Seen: now}, {ID: "c", Zone: "C"}, {ID: "d", Zone: "D"}, {ID: "e", Zone: "E"},
		}},
		"/v1/zones": clusy.Page[clusy.Zone]{Items: []clusy.Zone{
			{Zone: "A", Now: &value, Grade: "C", Issued: now}, {Zone: "B"}, {Zone: "C", Now: &value, Grade: "E", Issued: now},
			{Zone: "D", Now: &value, Grade: "C", Issued: old}, {Zone: "E", Now: &value, Grade: "A", Issued: now, Problem: "the file is gone"}, {Zone: "F"},
		}},
		"/v1/workloads": clusy.Page[clusy.Workload]{Items: []clusy.Workload{
			{ID: "wl_late", State: "running", MissedAt: now, Plan: &clusy.Placement{}}, {ID: "wl_none", State: "accepted"},
			{ID: "wl_away", State: "site_silent", Plan: &clusy.Placement{}}, {ID: "wl_done", State: "succeeded", MissedAt: now}, {ID: "wl_fine", State: "held", Plan: &clusy.Placement{}},
		}},
	})
	d.skew(t.Context())
	d.sites(t.Context())
	d.work(t.Context())
	for name, want := range map[string]struct{ states, says string }{
		"skew": {"fail", "2 h"}, "sites": {"fail ok", "b is silent"}, "zone A": {"ok", "300"}, "zone B": {"fail", "no carbon intensity"},
		"zone C": {"warn", "grade E"}, "zone D": {"warn", "5 h old"}, "zone E": {"warn", "the file is gone"}, "zone F": {"", ""},
		"workloads": {"warn warn warn", "wl_late past completeBy"},
	} {
		states, says := d.found(name)
		if states != want.states || !strings.Contains(says, want.says) {
			t.Errorf("%s: %s: %s", name, states, says)
		}
		if strings.Contains(says, "wl_done") || strings.Contains(says, "wl_fine") {
			t.Errorf("%s names what is in order: %s", name, says)
		}
	}
	for _, c := range d.checks {
		if (c.State == warned || c.State == broken) && (c.Why == "" || c.Next == "") {
			t.Errorf("%s says neither why nor what to do: %+v", c.Name, c)
		}
	}
}

// There is exactly one next step, and it is the first that applies.
func TestGrowingUp(t *testing.T) {
	d := &doctor{}
	for _, c := range []struct {
		change func()
		want   string
	}{
		{func() {}, "a server of your own"},
		{func() { d.answers, d.status.Demo = true, true }, "leave the demo"},
		{func() { d.status.Demo = false }, "real grid data"},
		{func() { d.realData = true }, "a first intent"},
		{func() { d.workloads = 1 }, "not built yet"},
	} {
		c.change()
		if got := d.grow().Says; !strings.Contains(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
