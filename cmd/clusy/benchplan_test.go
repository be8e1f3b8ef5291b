package main

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan/fleet"
)

func rowsNamed(t *testing.T, names ...string) []benchRow {
	t.Helper()
	var f recipeFlags
	fl := pflag.NewFlagSet("defaults", pflag.ContinueOnError)
	f.add(fl)
	rows, err := f.rows(fl, names)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The rows are those of the table that they are measured for.
func TestBenchRows(t *testing.T) {
	at := map[string]benchRow{}
	for _, r := range rowsNamed(t, "all") {
		if _, twice := at[r.name]; twice {
			t.Errorf("%s is there twice", r.name)
		}
		at[r.name] = r
	}
	for name, want := range map[string]struct {
		intents, zones, slots int
		slot                  time.Duration
		util                  float64
	}{
		"100k": {100_000, 4, 168, time.Hour, 0.6}, "1m": {1_000_000, 4, 168, time.Hour, 0.6}, "15min": {100_000, 8, 672, 15 * time.Minute, 0.6},
		"replan": {100_000, 4, 168, time.Hour, 0.6}, "small-1000": {1000, 4, 168, time.Hour, 0.6}, "util-90": {20_000, 4, 168, time.Hour, 0.9},
		"growth-slots-30min": {100_000, 4, 336, 30 * time.Minute, 0.6},
	} {
		if r := at[name]; r.intents != want.intents || r.zones != want.zones || r.slots != want.slots || r.slot != want.slot || r.utilisation != want.util {
			t.Errorf("%s is %+v", name, r)
		}
	}
	if at["replan"].disturb != 0.1 || at["100k"].disturb != 0 || at["growth-sites-16"].perZone != 4 {
		t.Error("what is special about a row is missing, or on another")
	}
	var names []string
	for _, r := range rowsNamed(t, "util", "util-20", "100k") {
		names = append(names, r.name)
	}
	if got := strings.Join(names, " "); got != "util-20 util-40 util-60 util-80 util-90 100k" {
		t.Errorf("util, util-20 and 100k are %s", got)
	}
}

// The carbon of a row is that of its trace, in the row's slots.
func TestBenchCarbon(t *testing.T) {
	row := rowsNamed(t, "15min")[0]
	row.from, row.slots = "2023-05-01", 8
	zones, carbon, from, err := row.carbon(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// 2023-05-01T00:00Z 392.21 and T01:00Z 379.17 in the bundled weeks.
	if len(zones) != 8 || zones[0] != "DE-LU" || from.Format(time.DateOnly) != "2023-05-01" || !slices.Equal(carbon[0], []float64{392.21, 392.21, 392.21, 392.21, 379.17, 379.17, 379.17, 379.17}) {
		t.Errorf("%v from %s: %v", zones, from, carbon[0])
	}
	row.slot, row.slots = 2*time.Hour, 2
	if _, carbon, _, err = row.carbon(context.Background()); err != nil || math.Abs(carbon[0][0]-(392.21+379.17)/2) > 0.001 {
		t.Errorf("two hours are %v, %v", carbon[0], err)
	}
	if v := gramsOf(grid.Intensity(5), grid.GradeA, false); !math.IsNaN(v) {
		t.Errorf("what is unknown is %v", v)
	}
}

// No figure is shown of a plan that breaks a promise, or says more than its
// prices do.
func TestHolds(t *testing.T) {
	d, err := readWorld(dirOf(t, small))
	if err != nil {
		t.Fatal(err)
	}
	in := d.Instance()
	for want, spoil := range map[string]func(*fleet.Solution){
		"":                          func(*fleet.Solution) {},
		"its prices give the bound": func(s *fleet.Solution) { s.Bound += 0.01 },
		"the plan costs":            func(s *fleet.Solution) { s.Cost -= 0.01 },
		"is not in [":               func(s *fleet.Solution) { s.Runs[0].From++; s.Runs[0].To++ },
	} {
		s := fleet.Solve(in, fleet.Options{})
		bound := boundOf(in, s.Prices, parallel(2))
		spoil(&s)
		switch err := holds(in, &s, bound); {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got %v, want …%s…", err, want)
		}
	}
}

// Each thing is done once, by as many workers as there are.
func TestParallel(t *testing.T) {
	for _, workers := range []int{1, 3, 50} {
		done := make([]atomic.Int32, 40)
		parallel(workers)(len(done), func(i int) { done[i].Add(1) })
		for i := range done {
			if n := done[i].Load(); n != 1 {
				t.Errorf("%d workers do thing %d %d times", workers, i, n)
			}
		}
	}
}
