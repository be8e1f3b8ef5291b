package ledger

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"pgregory.net/rapid"
)

func TestTotal(t *testing.T) {
	one := example().entry(t) // emitted 270 g, avoided 525 g

	w := example()
	w.meter.Workload, w.meter.Tenant = "wl_2", "globex"
	w.baseline[0].Grade, w.baseline[0].Ref = "E", ""
	two := w.entry(t) // the same, not claimed

	w = example()
	w.meter.Attempt = 2
	w.zone, w.pue = "PL", 1500
	w.actual = []grid.Series{series("PL", at(10, 0), time.Hour, 1000)}
	three := w.entry(t) // 1.125 kWh × 1,000 g = 1,125 g: it saved less than nothing

	got, err := Total([]Entry{one, two, three})
	if err != nil {
		t.Fatal(err)
	}
	want := Totals{
		Method: Method, Basis: grid.AverageLifecycle,
		All: Sum{3, 3_240_000*2 + 4_050_000, 1_665_000, 1_575_000, 255_000 - 600_000, 255_000, "E"},
		Workloads: map[string]Sum{
			"wl_1": {2, 7_290_000, 1_395_000, 1_050_000, -345_000, 0, "A"},
			"wl_2": {1, 3_240_000, 270_000, 525_000, 0, 255_000, "E"},
		},
		Tenants: map[access.Tenant]Sum{
			"acme":   {2, 7_290_000, 1_395_000, 1_050_000, -345_000, 0, "A"},
			"globex": {1, 3_240_000, 270_000, 525_000, 0, 255_000, "E"},
		},
		Zones: map[grid.Zone]Sum{
			"DE": {2, 6_480_000, 540_000, 1_050_000, 255_000, 255_000, "E"},
			"PL": {1, 4_050_000, 1_125_000, 525_000, -600_000, 0, "A"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("total is\n%+v, want\n%+v", got, want)
	}
	none, err := Total(nil)
	if err != nil || none.All != (Sum{}) || none.Method != "" {
		t.Errorf("total of nothing is %+v, %v", none, err)
	}
}

// The three ways to ask come to the same, and saved and unclaimed are all of
// the difference.
func TestTotalConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var es []Entry
		for i := range rapid.IntRange(0, 5).Draw(t, "n") {
			e, err := anyWorld(t).account()
			if err != nil {
				t.Fatal(err)
			}
			e.Meter.Attempt = i + 1
			e.Meter.Workload = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "workload")
			e.Meter.Tenant = rapid.SampledFrom([]access.Tenant{"x", "y"}).Draw(t, "tenant")
			e.Zone = rapid.SampledFrom([]grid.Zone{"DE", "PL"}).Draw(t, "zone")
			es = append(es, e)
		}
		got, err := Total(es)
		if err != nil {
			t.Fatal(err)
		}
		if got.All.Entries != len(es) || got.All.Saved+got.All.Unclaimed != got.All.Avoided-got.All.Emitted {
			t.Fatalf("%+v", got.All)
		}
		for name, sums := range map[string]Sum{"workloads": fold(t, got.Workloads), "tenants": fold(t, got.Tenants), "zones": fold(t, got.Zones)} {
			if sums != got.All {
				t.Fatalf("%s come to %+v, all to %+v", name, sums, got.All)
			}
		}
	})
}

func fold[K comparable](t *rapid.T, m map[K]Sum) (all Sum) {
	for _, s := range m {
		if err := into(&all, s); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestTotalRefuses(t *testing.T) {
	first := example().entry(t)
	for want, change := range map[string]func(*Entry){
		"twice":              func(e *Entry) { e.Meter.Attempt = 1 },
		"its method is":      func(e *Entry) { e.Method = "clusy.io/attempt-hour/v2" },
		"its basis is":       func(e *Entry) { setBasis(e, grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}) },
		"mixes the bases":    func(e *Entry) { e.Instead[0].Signal.Basis.Signal = grid.Marginal },
		"no uses":            func(e *Entry) { e.Uses = nil },
		"contradict":         func(e *Entry) { e.Saved++ },
		"contradict one":     func(e *Entry) { e.Grade = grid.GradeE },
		"more than can":      func(e *Entry) { e.Emitted, e.Avoided = 1<<63-1, 1<<63-1; e.Saved = 0 },
		"more than can be":   func(e *Entry) { e.Uses[0].Energy = 1<<63 - 1 },
		"more than can be c": func(e *Entry) { e.Uses[0].Energy = 1<<63 - 1 - 3_000_000 },
	} {
		e := clone(first)
		e.Meter.Attempt = 2
		change(&e)
		if got, err := Total([]Entry{first, e}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, total %+v", want, err, got)
		}
	}
}

// One entry may be more than can be counted by itself.
func TestTotalOfOneTooLarge(t *testing.T) {
	e := clone(example().entry(t))
	e.Uses[0].Energy, e.Uses[1].Energy = 1<<62, 1<<62
	if got, err := Total([]Entry{e}); err == nil {
		t.Errorf("total is %+v", got)
	}
}

func setBasis(e *Entry, b grid.Basis) {
	for i := range e.Uses {
		e.Uses[i].Signal.Basis = b
	}
	for i := range e.Instead {
		e.Instead[i].Signal.Basis = b
	}
}
