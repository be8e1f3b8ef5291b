package wire

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shapes draws shapes as an enclave discloses them.
func shapes() *rapid.Generator[workload.Shape] {
	return rapid.Custom(func(t *rapid.T) workload.Shape {
		seconds := func(name string, min int64) time.Duration {
			return time.Duration(rapid.Int64Range(min, 90*24*3600).Draw(t, name)) * time.Second
		}
		s := workload.Shape{
			Power:       grid.Power(rapid.Int64Range(0, 10_000_000).Draw(t, "watts")) * grid.Watt,
			PowerSource: rapid.SampledFrom([]string{"declared", "hardware-table"}).Draw(t, "source"),
			Demand: workload.Resources{
				CPU: rapid.Int64Range(0, 100_000_000).Draw(t, "cpu"), Memory: rapid.Int64Range(0, 1<<26).Draw(t, "memory"), Slots: 1,
			},
			When: workload.When{CompleteBy: t0.Add(seconds("by", 1))},
			Where: workload.Where{
				Allow:  rapid.SliceOfN(rapid.StringMatching(`[a-z*/-]{1,12}`), 0, 3).Draw(t, "allow"),
				Prefer: rapid.SliceOfN(rapid.StringMatching(`[a-z*/-]{1,12}`), 0, 3).Draw(t, "prefer"),
			},
			Objective: workload.Objective{
				Minimize:      rapid.SampledFrom([]workload.Minimize{workload.MinimizeCarbon, workload.MinimizeCost, workload.MinimizeTime}).Draw(t, "minimize"),
				MinSaving:     rapid.IntRange(0, 1000).Draw(t, "minSaving"),
				CarbonCeiling: grid.Carbon(rapid.Int64Range(0, 1e15).Draw(t, "ceiling")),
			},
			Policy: workload.Policy{
				Promise: rapid.SampledFrom([]workload.Promise{workload.Once, workload.RerunOK}).Draw(t, "promise"), Priority: rapid.IntRange(0, 100).Draw(t, "priority"),
				Retries: rapid.IntRange(0, 10).Draw(t, "retries"), OnNoSignal: rapid.SampledFrom([]workload.OnNoSignal{workload.RunNow, workload.RunByDeadline}).Draw(t, "none"),
				Baseline: workload.BaselineRunNow,
			},
		}
		s.Demand.Power = s.Power
		s.Duration.Expected = seconds("expected", 1)
		s.Duration.P95 = s.Duration.Expected + seconds("p95", 0)
		s.Duration.Max = s.Duration.P95 + seconds("max", 0)
		if rapid.Bool().Draw(t, "interruptible") {
			s.Interruptible = workload.Interruptible{Allowed: true, Overhead: seconds("overhead", 0), MinRun: seconds("minRun", 0), MaxSuspensions: rapid.IntRange(0, 100).Draw(t, "max")}
		}
		if rapid.Bool().Draw(t, "notBefore") {
			s.When.NotBefore = t0.Add(seconds("notBefore", 0))
		}
		for at := t0; len(s.When.Deny) < 4 && rapid.Bool().Draw(t, "deny"); {
			d := workload.Span{Start: at.Add(seconds("from", 1))}
			d.End = d.Start.Add(seconds("to", 1))
			s.When.Deny, at = append(s.When.Deny, d), d.End
		}
		if rapid.Bool().Draw(t, "cost") {
			s.Objective.CostCeiling, s.Objective.Currency = grid.Money(rapid.Int64Range(1, 1e12).Draw(t, "money")), "EUR"
		}
		if rapid.Bool().Draw(t, "carbonPrice") {
			s.Objective.CarbonPrice, s.Objective.Currency = grid.Money(rapid.Int64Range(1, 1e11).Draw(t, "per tonne")), "EUR"
		}
		return s
	})
}

// What an enclave discloses comes back from the wire as it was: the agent
// compares it with what it opens, to the last bit.
func TestShapeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shapes().Draw(t, "shape")
		b, err := json.Marshal(ShapeOut(s))
		if err != nil {
			t.Fatal(err)
		}
		var w clusy.Shape
		if err := json.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		got := ShapeIn(w)
		// No patterns and none at all are the same.
		for _, p := range []*[]string{&got.Where.Allow, &got.Where.Prefer, &s.Where.Allow, &s.Where.Prefer} {
			if len(*p) == 0 {
				*p = nil
			}
		}
		if !reflect.DeepEqual(got, s) {
			t.Fatalf("came back as\n%+v\nwas\n%+v", got, s)
		}
	})
}

func TestShapeDefaults(t *testing.T) {
	s := ShapeIn(clusy.Shape{Duration: clusy.Duration{Expected: 3600}, Watts: 0.5, When: clusy.When{CompleteBy: t0}})
	if s.Duration.P95 != time.Hour || s.Duration.Max != 2*time.Hour || s.Power != 500 || s.Objective.Minimize != workload.MinimizeCarbon ||
		s.Policy.Promise != workload.Once || s.Policy.OnNoSignal != workload.RunByDeadline || s.Policy.Baseline != workload.BaselineRunNow || s.Demand.Slots != 1 {
		t.Errorf("defaults are %+v", s)
	}
	// A p95 far above the expected duration must not be killed at twice the latter.
	s = ShapeIn(clusy.Shape{Duration: clusy.Duration{Expected: 60, P95: 600}})
	if s.Duration.Max < s.Duration.Booked() {
		t.Errorf("killed after %s, booked for %s", s.Duration.Max, s.Duration.Booked())
	}
}

func TestMeterRoundTrip(t *testing.T) {
	m := ledger.Meter{
		Workload: "wl_1", Attempt: 2, Site: "local", Hour: t0, Before: 90 * time.Second, Energy: 12345, Source: ledger.Declared,
		Runs: []ledger.Run{{From: t0.Add(time.Microsecond), To: t0.Add(time.Minute)}},
	}
	if got := MeterIn("local", MeterOut(m)); !reflect.DeepEqual(got, m) {
		t.Errorf("came back as %+v, was %+v", got, m)
	}
}

func TestSyncRoundTrip(t *testing.T) {
	r := workload.Report{
		Workload: "wl_1", N: 3, Grant: "gr_1", State: workload.ReportSuspended, Started: t0, Ended: t0.Add(time.Hour), ExitCode: 7, Cause: "why",
		Active: time.Minute, RunSince: t0.Add(time.Second), Suspensions: 2, Metered: true, Schedule: "abc",
	}
	if got := ReportIn(ReportOut(r)); !reflect.DeepEqual(got, r) {
		t.Errorf("report came back as %+v, was %+v", got, r)
	}
	o := workload.Order{
		Verb: workload.Keep, Workload: "wl_1", N: 1, Grant: "gr_1", Epoch: 9, Expires: t0,
		Schedule: workload.Schedule{Spans: []workload.Span{{Start: t0, End: t0.Add(time.Hour)}}, Latest: t0.Add(time.Minute)},
		Sealed:   []byte("x"), Enclave: "ek",
	}
	if got := OrderIn(OrderOut(o)); !reflect.DeepEqual(got, o) {
		t.Errorf("order came back as %+v, was %+v", got, o)
	}
	o.Verb, o.Shape = workload.Offer, ShapeIn(clusy.Shape{Duration: clusy.Duration{Expected: 60}, When: clusy.When{CompleteBy: t0}})
	if got := OrderIn(OrderOut(o)); !reflect.DeepEqual(got.Shape, o.Shape) {
		t.Errorf("shape came back as %+v, was %+v", got.Shape, o.Shape)
	}
	if o.Schedule.ID() == (workload.Schedule{}).ID() || o.Schedule.ID() != OrderIn(OrderOut(o)).Schedule.ID() {
		t.Error("a schedule's id does not name its content")
	}
}

func TestSiteRoundTrip(t *testing.T) {
	cpus, mem, watts, slots := 1.5, int64(64), 250.0, int64(3)
	full := clusy.SiteReport{Zone: "DE-LU", PUE: 1.25, CPUs: &cpus, MemoryMiB: &mem, Watts: &watts, Slots: &slots, Price: &clusy.Money{Amount: 0.31, Currency: "EUR"}}
	s := SiteIn("a", full)
	want := plan.Site{ID: "a", Zone: "DE-LU", PUE: 1250, Price: 310_000, Currency: "EUR", Capacity: workload.Resources{CPU: 1500, Memory: 64, Power: 250_000, Slots: 3}}
	if s != want {
		t.Errorf("site is %+v, want %+v", s, want)
	}
	out := SiteOut(s)
	if *out.CPUs != cpus || *out.MemoryMiB != mem || *out.Watts != watts || *out.Slots != slots || out.PUE != 1.25 || out.Price.Amount != 0.31 {
		t.Errorf("site goes out as %+v", out)
	}
	// What is not said is not limited, and is not shown as a number.
	out = SiteOut(SiteIn("b", clusy.SiteReport{Zone: "ES", PUE: 1}))
	if out.CPUs != nil || out.MemoryMiB != nil || out.Watts != nil || out.Slots != nil || out.Price != nil {
		t.Errorf("an unlimited site goes out as %+v", out)
	}
}

// Unknown is never zero, on the wire too.
func TestUnknownIsAbsent(t *testing.T) {
	p := PlacementOut(plan.Placement{Site: "a", Spans: []plan.Span{{Start: t0, End: t0.Add(time.Hour)}}, Why: plan.Reasons{
		RunNow: &plan.Alternative{Site: "a"}, Rejected: []plan.Alternative{{Site: "b", Known: true, Carbon: 5000, DCarbon: -1000}},
	}})
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if p.Carbon != nil || p.Cost != nil || p.Why.RunNow.Carbon != nil || *p.Why.Rejected[0].CarbonDelta != -1 {
		t.Errorf("placement goes out as %s", b)
	}
	if PerKWh(grid.Unknown) != nil || *PerKWh(0) != 0 {
		t.Error("an unknown intensity has a number, or a known one has none")
	}
}

func TestCaller(t *testing.T) {
	if _, ok := CallerOf(context.Background()); ok {
		t.Error("a context without a caller has one")
	}
	c := Caller{Principal: "token:a", Tenant: access.Tenant("acme")}
	if got, ok := CallerOf(WithCaller(context.Background(), c)); !ok || got.Principal != c.Principal {
		t.Errorf("caller is %+v", got)
	}
}
