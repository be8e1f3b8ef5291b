package sim

import (
	"runtime"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	worlds "clusy.io/clusy/internal/plan/fleet/world"
)

// small is a morning of a few jobs in two zones, that takes a moment.
func small(t testing.TB, seed uint64, jobs int) Config {
	t.Helper()
	came, err := Came()
	if err != nil {
		t.Fatal(err)
	}
	w := DefaultWeek(seed)
	w.Days, w.Jobs, w.Zones, w.Kind, w.Failing, w.Slack = 1, jobs, []grid.Zone{"DE-LU", "GB"}, "pai", .2, worlds.Slack{Fixed: 5 * time.Hour}
	cfg, err := w.Config(came)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.Jobs {
		cfg.Jobs[i].Arrive = cfg.Start.Add(cfg.Jobs[i].Arrive.Sub(cfg.Start) / 4)
	}
	cfg.Step = time.Hour
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

// TestQuiet: where nothing goes wrong all is kept, all is complete, and there is
// something to have been kept.
func TestQuiet(t *testing.T) {
	cfg := small(t, 1, 10)
	cfg.Check = 60
	r := run(t, cfg)
	good(t, r)
	failing := 0
	for _, j := range cfg.Jobs {
		if j.Exit != 0 {
			failing++
		}
	}
	if r.Stats.Submitted != len(cfg.Jobs) || r.Late > 0 || r.States["failed"] != failing || r.States["succeeded"] != len(cfg.Jobs)-failing {
		t.Errorf("of %d jobs, %d of which fail: %+v, %v, %d late", len(cfg.Jobs), failing, r.Stats, r.States, r.Late)
	}
	if r.Plans == 0 || r.Emitted == 0 || r.Avoided <= r.Emitted || len(r.Facts.Entries) == 0 {
		t.Errorf("%d plans, emitted %d of %d mg, %d entries", r.Plans, r.Emitted, r.Avoided, len(r.Facts.Entries))
	}
	t.Logf("%s: %d events, %d plans, %v, until %s", r.Hash, r.Events, r.Plans, r.States, r.End.Format(time.RFC3339))
}

// TestSameSeed: the same seed gives the same record, with one processor and with
// four, and another one gives another.
func TestSameSeed(t *testing.T) {
	light := func(seed uint64) Config {
		cfg := small(t, seed, 3)
		cfg.Faults = Light(seed, cfg.Start, 6*time.Hour, len(cfg.Sites))
		return cfg
	}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	one := run(t, light(3))
	runtime.GOMAXPROCS(4)
	four, other := run(t, light(3)), run(t, light(5))
	if one.Hash != four.Hash || one.Events != four.Events || one.Stats != four.Stats {
		t.Errorf("seed 3 gives %s of %d events (%+v), and then %s of %d (%+v)", one.Hash, one.Events, one.Stats, four.Hash, four.Events, four.Stats)
	}
	if other.Hash == one.Hash {
		t.Errorf("seeds 3 and 5 both give %s", one.Hash)
	}
	for _, r := range []*Result{one, other} {
		good(t, r)
		if r.Stats.Faults == 0 || r.Stats.Lost+r.Stats.Twice+r.Stats.Late == 0 {
			t.Errorf("seed %d: nothing went wrong: %+v", r.Seed, r.Stats)
		}
	}
}
