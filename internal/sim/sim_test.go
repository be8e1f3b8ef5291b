package sim

import (
	"testing"
	"time"
)

// small is a world of two days that takes a moment to simulate.
func small(t testing.TB, seed uint64, jobs int) Config {
	t.Helper()
	came, err := Came()
	if err != nil {
		t.Fatal(err)
	}
	w := DefaultWeek(seed)
	w.Days, w.Jobs = 2, jobs
	cfg, err := w.Config(came)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func run(t testing.TB, cfg Config) *Result {
	t.Helper()
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("seed %d: %v", cfg.Seed, err)
	}
	return r
}

// good fails the test for every broken promise, with the end of its story.
func good(t testing.TB, r *Result) {
	t.Helper()
	for i, b := range r.Breaches {
		if i == 5 {
			break
		}
		t.Errorf("seed %d: %s", r.Seed, b)
		for _, line := range r.Facts.Story(b.Workload, 12) {
			t.Log("  " + line)
		}
	}
}

func TestQuiet(t *testing.T) {
	r := run(t, small(t, 1, 40))
	good(t, r)
	t.Logf("%+v", r.Stats)
	t.Logf("%s: %d events, %d plans, %v, %d late, %d of %d, until %s", r.Hash, r.Events, r.Plans, r.States, r.Late, r.Emitted, r.Avoided, r.End.Format(time.RFC3339))
}
