package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

// A shell that completes a word does not hang on a server that does.
func TestCompletionDoesNotHang(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes calls and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("CLUSY_URL", "http://"+l.Addr().String())
	t.Setenv("CLUSY_TOKEN", "any")
	for _, args := range [][]string{{"get", ""}, {"run", "--in", ""}} {
		cmd := root()
		var out, errs strings.Builder
		cmd.SetOut(&out)
		cmd.SetErr(&errs)
		cmd.SetArgs(append([]string{"__complete"}, args...))
		began := time.Now()
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*patience {
			t.Errorf("%v took %s", args, took)
		}
		if out := strings.TrimSpace(out.String()); !strings.HasPrefix(out, ":") {
			t.Errorf("%v says %q", args, out)
		}
	}
}

// A file that is written takes the old one's place, or nothing is changed and
// nothing is left behind.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plan.svg")
	for _, text := range []string{"first", "second"} {
		if err := replaceFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("holds %q, %v", b, err)
		}
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o644 {
		t.Errorf("mode %o", st.Mode().Perm())
	}
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(full, []byte("x"), 0o644); err == nil {
		t.Error("a directory was replaced")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNearZones(t *testing.T) {
	known, err := openBook(&cobra.Command{})
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{
		"DE": "DE", "de-lu": "DE-LU", "DELU": "DE-LU", "germny": "DE", "Spian": "ES", "spain": "ES", "US_TEX_ERCO": "US-TEX-ERCO", "california": "US-CAL-CISO", "xyzzy": "", "": "",
	} {
		got := ""
		if near := nearZones(word, known.zones); len(near) > 0 {
			got = near[0].Zone
		}
		if got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// What a list says of a workload in each of its states.
func TestRow(t *testing.T) {
	at := func(h int) time.Time { return demoFrom.Add(time.Duration(h) * time.Hour) }
	four, six := 400.0, 600.0
	plan := &clusy.Placement{Site: "berlin", Spans: []clusy.Span{{Start: at(5), End: at(7)}}, Carbon: &four,
		Why: clusy.Reasons{Binding: "capacity", RunNow: &clusy.Alternative{Carbon: &six}}}
	w := func(state string, change func(*clusy.Workload)) clusy.Workload {
		w := clusy.Workload{State: state, Plan: plan, Shape: clusy.Shape{When: clusy.When{CompleteBy: at(10)}}}
		change(&w)
		return w
	}
	same := func(*clusy.Workload) {}
	for name, c := range map[string]struct {
		w                           clusy.Workload
		when, site, due, saved, why string
	}{
		"waits":    {w("held", same), "Tue 06 Jun 18:00, in 5 h", "berlin", "Tue 06 Jun 23:00, 3 h to spare", "≈ 200 g (+33 %)", "cleaner times are taken"},
		"unplaced": {w("accepted", func(w *clusy.Workload) { w.Plan = nil }), "–", "–", "Tue 06 Jun 23:00", "unknown", "not planned yet"},
		"late":     {w("planned", func(w *clusy.Workload) { w.Shape.When.CompleteBy = at(6) }), "Tue 06 Jun 18:00, in 5 h", "berlin", "Tue 06 Jun 19:00, LATE by 1 h", "≈ 200 g (+33 %)", "cleaner times are taken"},
		"unknown":  {w("held", func(w *clusy.Workload) { p := *plan; p.Carbon = nil; p.Why.Binding = "no-signal"; w.Plan = &p }), "Tue 06 Jun 18:00, in 5 h", "berlin", "Tue 06 Jun 23:00, 3 h to spare", "unknown", "no intensity is known"},
		"runs":     {w("running", func(w *clusy.Workload) { w.Attempts = []clusy.Attempt{{Site: "madrid", Started: at(1)}} }), "since Tue 06 Jun 14:00", "madrid", "Tue 06 Jun 23:00, 3 h to spare", "≈ 200 g (+33 %)", "runs"},
		"done": {w("succeeded", func(w *clusy.Workload) {
			w.Attempts = []clusy.Attempt{{Site: "madrid", Started: at(1), Ended: at(3)}}
			w.Account = &clusy.Account{Complete: true, Entries: 2, Saved: 150, Avoided: 600}
		}), "Tue 06 Jun 14:00 to 16:00", "madrid", "Tue 06 Jun 23:00, 7 h to spare", "150 g (+25 %)", "done"},
		"missed": {w("failed", func(w *clusy.Workload) {
			w.MissedAt, w.Cause = at(10), "exit code 3"
			w.Attempts = []clusy.Attempt{{Site: "madrid", Started: at(1), Ended: at(12)}}
		}), "Tue 06 Jun 14:00 to Wed 07 Jun 01:00", "madrid", "Tue 06 Jun 23:00 MISSED", "≈ 200 g (+33 %)", "exit code 3"},
		"cancelled": {w("cancelled", func(w *clusy.Workload) { w.Cause = "cancelled by its owner" }), "–", "–", "Tue 06 Jun 23:00", "–", "cancelled by its owner"},
	} {
		when, site := runsAt(c.w, demoFrom)
		if when != c.when || site != c.site || dueAt(c.w) != c.due || savedBy(c.w) != c.saved || whyOf(c.w) != c.why {
			t.Errorf("%s: %q %q %q %q %q", name, when, site, dueAt(c.w), savedBy(c.w), whyOf(c.w))
		}
	}
}
