package ledger

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
	"pgregory.net/rapid"
)

// TestByHand is the sum on paper.
//
// The machine drew 2,700 kJ in 45 minutes: 1 kW. With a PUE of 1.2 the facility
// drew 3,240 kJ = 0.9 kWh, 0.3 kWh in each quarter of an hour:
//
//	10:00–10:15  0.3 kWh × 400 g = 120 g
//	10:15–10:30  0.3 kWh × 300 g =  90 g
//	10:45–11:00  0.3 kWh × 200 g =  60 g   emitted 270 g
//
// The baseline began at 8:00 and by then would have run for half an hour. With
// a PUE of 1.5 it would have drawn 4,050 kJ = 1.125 kWh in its 45 minutes:
//
//	08:30–09:00  0.75 kWh × 500 g = 375 g
//	09:00–09:15  0.375 kWh × 400 g = 150 g  avoided 525 g, saved 255 g
func TestByHand(t *testing.T) {
	w := example()
	e := w.entry(t)
	pl, de := w.baseline[0].Provenance, w.actual[0].Provenance
	want := Entry{
		Method: "clusy.io/attempt-hour/v1", Meter: w.meter, Zone: "DE", PUE: 1200,
		Uses: []Use{
			{at(10, 0), at(10, 15), 1_080_000, 400_000, 120_000, de},
			{at(10, 15), at(10, 30), 1_080_000, 300_000, 90_000, de},
			{at(10, 45), at(11, 0), 1_080_000, 200_000, 60_000, de},
		},
		Emitted: 270_000, Grade: grid.GradeA,
		Baseline: w.base,
		Instead: []Use{
			{at(8, 30), at(9, 0), 2_700_000, 500_000, 375_000, pl},
			{at(9, 0), at(9, 15), 1_350_000, 400_000, 150_000, pl},
		},
		Avoided: 525_000, Saved: 255_000, Claimed: true, Booked: at(11, 5),
	}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("entry is\n%+v, want\n%+v", e, want)
	}
	// Its bytes are a promise to every log that holds one.
	b, err := Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/entry.json")
	if err != nil || string(golden) != string(b)+"\n" {
		t.Errorf("entry.json (%v) is\n%swant\n%s", err, golden, b)
	}
}

// Nothing is lost and nothing is flattered, whatever the world looks like.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		e, err := w.account()
		if err != nil {
			t.Fatal(err)
		}
		// Energy: exactly that of the meter with PUE, up for one, down for the other.
		product := int64(w.meter.Energy) * w.pue
		if got, want := int64(energyOf(e.Uses)), (product+999)/1000; got != want {
			t.Fatalf("uses draw %d J, want %d", got, want)
		}
		if got, want := int64(energyOf(e.Instead)), int64(w.meter.Energy)*w.base.PUE/1000; got != want {
			t.Fatalf("the baseline draws %d J, want %d", got, want)
		}
		// Time: the uses are the runs, no more and no less.
		var ran, instead time.Duration
		for i, u := range e.Uses {
			ran += u.To.Sub(u.From)
			if i > 0 && u.From.Before(e.Uses[i-1].To) {
				t.Fatalf("use %d begins before the last one ends", i)
			}
		}
		for i, u := range e.Instead {
			instead += u.To.Sub(u.From)
			if i > 0 && !u.From.Equal(e.Instead[i-1].To) {
				t.Fatalf("the baseline pauses before %d", i)
			}
		}
		if ran != w.meter.Running() || instead != ran {
			t.Fatalf("ran %s, uses %s, baseline %s", w.meter.Running(), ran, instead)
		}
		if !e.Instead[0].From.Equal(w.base.Start.Add(w.meter.Before)) {
			t.Fatalf("the baseline is at %s", e.Instead[0].From)
		}
		// Carbon: at least, and at most, what exact fractions give; and not far off.
		if x := w.exactEmitted(); !within(rat(e.Emitted), x, int64(2*len(e.Uses)+1)) {
			t.Fatalf("emitted %d, exactly %s", e.Emitted, x.FloatString(3))
		}
		if x := w.exactAvoided(); !within(x, rat(e.Avoided), int64(2*len(e.Instead)+1)) {
			t.Fatalf("avoided %d, exactly %s", e.Avoided, x.FloatString(3))
		}
		if e.Saved != e.Avoided-e.Emitted {
			t.Fatalf("saved %d of %d and %d", e.Saved, e.Avoided, e.Emitted)
		}
		// Trust: the worst of all.
		worst := grid.Grade("")
		for _, u := range append(e.Uses[:len(e.Uses):len(e.Uses)], e.Instead...) {
			worst = grid.Worse(worst, u.Signal.Grade)
		}
		if e.Grade != worst || e.Claimed != (worst != grid.GradeE) {
			t.Fatalf("grade %s, worst %s, claimed %v", e.Grade, worst, e.Claimed)
		}
		// And anyone can do it again.
		if err := Recompute(e); err != nil {
			t.Fatal(err)
		}
		if err := Check(e, w.stored); err != nil {
			t.Fatal(err)
		}
		b, err := Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Unmarshal(b)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%s read as %+v, %v", b, again, err)
		}
	})
}

// The same hour on another day is the same entry.
func TestShiftInvariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		d := time.Duration(rapid.IntRange(-20_000, 20_000).Draw(t, "hours")) * time.Hour
		e, err := w.account()
		if err != nil {
			t.Fatal(err)
		}
		later := w
		later.meter.Hour = w.meter.Hour.Add(d)
		later.meter.Runs = nil
		for _, r := range w.meter.Runs {
			later.meter.Runs = append(later.meter.Runs, Run{From: r.From.Add(d), To: r.To.Add(d)})
		}
		later.base.Start, later.booked = w.base.Start.Add(d), w.booked.Add(d)
		for _, o := range []*[]grid.Series{&later.actual, &later.baseline} {
			var moved []grid.Series
			for _, s := range *o {
				s.Start = s.Start.Add(d)
				s.Ref = s.Digest()
				moved = append(moved, s)
			}
			*o = moved
		}
		f, err := later.account()
		if err != nil {
			t.Fatal(err)
		}
		if e.Emitted != f.Emitted || e.Avoided != f.Avoided || e.Saved != f.Saved || e.Grade != f.Grade || len(e.Uses) != len(f.Uses) {
			t.Fatalf("%s later: %d, %d, want %d, %d", d, f.Emitted, f.Avoided, e.Emitted, e.Avoided)
		}
		for i := range e.Uses {
			if e.Uses[i].Energy != f.Uses[i].Energy || !e.Uses[i].From.Add(d).Equal(f.Uses[i].From) {
				t.Fatalf("%s later: use %d is %+v, want %+v", d, i, f.Uses[i], e.Uses[i])
			}
		}
	})
}

// Work that ran just as its baseline saved nothing: never more, and less by
// rounding alone.
func TestNothingSavedByTheBaselineItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		last := len(w.meter.Runs) - 1
		w.meter.Runs = []Run{{From: w.meter.Runs[0].From, To: w.meter.Runs[last].To}}
		w.base.Site, w.base.Zone, w.base.PUE = w.meter.Site, w.zone, w.pue
		w.base.Start, w.baseline = w.meter.Runs[0].From.Add(-w.meter.Before), w.actual
		e, err := w.account()
		if err != nil {
			t.Fatal(err)
		}
		if e.Saved > 0 || e.Saved < -grid.Carbon(4*len(e.Uses)+2) {
			t.Fatalf("saved %d mg with %d uses", e.Saved, len(e.Uses))
		}
	})
	// Where nothing needs rounding, it is nothing.
	w := example()
	w.meter.Runs = []Run{{From: at(10, 0), To: at(10, 30)}, {From: at(10, 30), To: at(11, 0)}}
	w.base = workload.Counterfactual{Rule: "run-now", Site: "berlin", Zone: "DE", PUE: 1200, Start: at(9, 30)}
	w.meter.Energy, w.baseline = 3_600_000, w.actual
	if e := w.entry(t); e.Saved != 0 || e.Emitted == 0 {
		t.Errorf("saved %d of %d", e.Saved, e.Emitted)
	}
}

// An hour that two attempts share comes to what one attempt would have.
func TestSplitConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		from, to := w.meter.Hour, w.meter.Hour.Add(time.Hour)
		w.meter.Runs = []Run{{From: from, To: to}}
		start := w.base.Start.Add(w.meter.Before)
		w.baseline = anyOutlook(t, "PL", start, start.Add(time.Hour))
		w.meter.Energy = grid.Energy(3600 * rapid.Int64Range(0, 100_000).Draw(t, "watts"))
		cut := time.Duration(rapid.Int64Range(1, 3599).Draw(t, "cut")) * time.Second

		one, two := w, w
		one.meter.Runs = []Run{{From: from, To: from.Add(cut)}}
		one.meter.Energy = w.meter.Energy / 3600 * grid.Energy(cut/time.Second)
		two.meter.Runs = []Run{{From: from.Add(cut), To: to}}
		two.meter.Energy = w.meter.Energy - one.meter.Energy
		two.meter.Before += cut
		two.meter.Attempt++
		whole, err := w.account()
		if err != nil {
			t.Fatal(err)
		}
		a, err := one.account()
		if err != nil {
			t.Fatal(err)
		}
		b, err := two.account()
		if err != nil {
			t.Fatal(err)
		}
		if !a.Instead[len(a.Instead)-1].To.Equal(b.Instead[0].From) {
			t.Fatal("the baseline of the second does not follow on the first's")
		}
		if d := energyOf(a.Uses) + energyOf(b.Uses) - energyOf(whole.Uses); d < 0 || d > 1 {
			t.Fatalf("%d J more in two parts", d)
		}
		slack := grid.Carbon(2*(len(a.Uses)+len(b.Uses)+len(a.Instead)+len(b.Instead)) + 4)
		if d := a.Emitted + b.Emitted - whole.Emitted; d < -slack || d > slack {
			t.Fatalf("%d mg more emitted in two parts", d)
		}
		if d := a.Avoided + b.Avoided - whole.Avoided; d < -slack || d > slack {
			t.Fatalf("%d mg more avoided in two parts", d)
		}
	})
}

// Runs that touch are one run, and a series that is never believed makes no
// difference: an entry has one form.
func TestOneForm(t *testing.T) {
	w := example()
	want := w.entry(t)
	w.meter.Runs = []Run{{From: at(10, 0), To: at(10, 7)}, {From: at(10, 7), To: at(10, 30)}, {From: at(10, 45), To: at(11, 0)}}
	w.actual = append(w.actual, series("DE", at(9, 58), 5*time.Minute, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14))
	got := w.entry(t)
	if !reflect.DeepEqual(got.Uses, want.Uses) {
		t.Errorf("uses are %+v, want %+v", got.Uses, want.Uses)
	}
	// Times in other zones and with a monotonic reading are the same times.
	w = example()
	cet := time.FixedZone("CET", 3600)
	w.meter.Hour, w.meter.Runs[1].To, w.booked, w.base.Start = w.meter.Hour.In(cet), w.meter.Runs[1].To.In(cet), w.booked.In(cet), w.base.Start.In(cet)
	w.actual[0].Issued = w.actual[0].Issued.In(cet).Add(7)
	if got := w.entry(t); !reflect.DeepEqual(got, want) {
		t.Errorf("entry is\n%+v, want\n%+v", got, want)
	}
	// A series without a ref is named by its digest.
	w = example()
	w.actual[0].Ref = ""
	if got := w.entry(t); !reflect.DeepEqual(got, want) || w.actual[0].Ref != "" {
		t.Errorf("entry is\n%+v, want\n%+v", got, want)
	}
}

func TestUnknownIsNeverZero(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world)
		want   UnknownError
	}{
		{"a gap while it ran", func(w *world) { w.actual[0].Values[5] = grid.Unknown }, UnknownError{"DE", at(10, 15)}},
		{"no series at all", func(w *world) { w.actual = nil }, UnknownError{"DE", at(10, 0)}},
		{"a series that ends", func(w *world) { w.actual[0].Values = w.actual[0].Values[:7] }, UnknownError{"DE", at(10, 45)}},
		{"a gap in the baseline", func(w *world) { w.baseline[0].Values[2] = grid.Unknown }, UnknownError{"PL", at(9, 0)}},
	} {
		w := example()
		c.change(&w)
		e, err := w.account()
		var u *UnknownError
		if !errors.Is(err, ErrUnknown) || !errors.As(err, &u) || *u != c.want || !reflect.DeepEqual(e, Entry{}) {
			t.Errorf("%s: %v, want %v", c.name, err, &c.want)
		}
	}
	// A gap in a time that it did not run in is nobody's business.
	w := example()
	w.actual[0].Values[6] = grid.Unknown
	w.actual[0].Ref = ""
	w.entry(t)
}

func TestGrades(t *testing.T) {
	for g, claimed := range map[grid.Grade]bool{"A": true, "B": true, "C": true, "D": true, "E": false} {
		for _, side := range []string{"actual", "baseline"} {
			w := example()
			o := &w.actual
			if side == "baseline" {
				o = &w.baseline
			}
			(*o)[0].Grade, (*o)[0].Ref = g, ""
			if e := w.entry(t); e.Grade != g || e.Claimed != claimed || e.Saved != 255_000 {
				t.Errorf("%s of grade %s: grade %s, claimed %v, saved %d", side, g, e.Grade, e.Claimed, e.Saved)
			}
		}
	}
}

func TestBasesAreNotMixed(t *testing.T) {
	for _, b := range []grid.Basis{{Signal: grid.Marginal, Scope: grid.Lifecycle}, {Signal: grid.Average, Scope: grid.Direct}} {
		w := example()
		w.baseline[0].Basis, w.baseline[0].Ref = b, ""
		if _, err := w.account(); err == nil || !strings.Contains(err.Error(), "cannot be compared") {
			t.Errorf("%s against %s: %v", grid.AverageLifecycle, b, err)
		}
		w.actual[0].Basis, w.actual[0].Ref = b, ""
		if _, err := w.account(); err != nil {
			t.Errorf("both %s: %v", b, err)
		}
	}
}

func TestDoubtfulInputs(t *testing.T) {
	long := strings.Repeat("x", 257)
	for _, c := range []struct {
		name, want string
		change     func(*world)
	}{
		{"no workload", "workload is", func(w *world) { w.meter.Workload = "" }},
		{"long workload", "workload is", func(w *world) { w.meter.Workload = long }},
		{"bad text", "workload is", func(w *world) { w.meter.Workload = "a\xffb" }},
		{"control character", "site is", func(w *world) { w.meter.Site = "a\nb" }},
		{"no tenant", "tenant is", func(w *world) { w.meter.Tenant = "" }},
		{"no site", "site is", func(w *world) { w.meter.Site = "" }},
		{"attempt 0", "attempt is 0", func(w *world) { w.meter.Attempt = 0 }},
		{"unknown source", "source of energy", func(w *world) { w.meter.Source = "guess" }},
		{"before below 0", "running time before", func(w *world) { w.meter.Before = -1 }},
		{"before beyond a life", "running time before", func(w *world) { w.meter.Before = 1<<63 - 1 }},
		{"no runs", "nothing to book", func(w *world) { w.meter.Runs, w.meter.Energy = nil, 0 }},
		{"too many runs", "3601 runs", func(w *world) { w.meter.Runs = make([]Run, 3601) }},
		{"hour of year 1", "hour is", func(w *world) { w.meter.Hour = time.Time{} }},
		{"hour of year 2201", "want a time", func(w *world) { w.meter.Hour = time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"not a whole hour", "the start of an hour", func(w *world) { w.meter.Hour = at(9, 59) }},
		{"run before the hour", "run 0 begins", func(w *world) { w.meter.Runs[0].From = at(9, 59) }},
		{"run after the hour", "run 1 ends", func(w *world) { w.meter.Runs[1].To = at(11, 1) }},
		{"run of no length", "ends before it begins", func(w *world) { w.meter.Runs[0].To = w.meter.Runs[0].From }},
		{"run backwards", "ends before it begins", func(w *world) { w.meter.Runs[0] = Run{From: at(10, 20), To: at(10, 10)} }},
		{"runs overlap", "run 1 begins", func(w *world) { w.meter.Runs[1].From = at(10, 29) }},
		{"runs out of order", "run 1 begins", func(w *world) { w.meter.Runs[0], w.meter.Runs[1] = w.meter.Runs[1], w.meter.Runs[0] }},
		{"energy below 0", "energy is", func(w *world) { w.meter.Energy = -1 }},
		{"energy beyond 1 MW", "energy is", func(w *world) { w.meter.Energy = 2_700_000_001 }},
		{"energy that overflows", "energy is", func(w *world) { w.meter.Energy = 1<<63 - 1 }},
		{"no zone", "zone is", func(w *world) { w.zone = "" }},
		{"PUE below 1", "PUE is 999", func(w *world) { w.pue = 999 }},
		{"PUE above 10", "PUE is 10001", func(w *world) { w.pue = 10_001 }},
		{"PUE as if in units", "PUE is 1 ", func(w *world) { w.pue = 1 }},
		{"baseline without rule", "rule of the baseline", func(w *world) { w.base.Rule = "" }},
		{"baseline without site", "site of the baseline", func(w *world) { w.base.Site = "" }},
		{"baseline without zone", "zone of the baseline", func(w *world) { w.base.Zone = "" }},
		{"baseline with PUE 0", "PUE of the baseline", func(w *world) { w.base.PUE = 0 }},
		{"baseline without start", "start of the baseline", func(w *world) { w.base.Start = time.Time{} }},
		{"never booked", "time of booking", func(w *world) { w.booked = time.Time{} }},
		{"booked in 2201", "time of booking", func(w *world) { w.booked = time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"booked before its end", "before its last run ends", func(w *world) { w.booked = at(10, 59) }},
		{"signal of another zone", "signal is of zone FR, want DE", func(w *world) { w.actual[0].Zone = "FR" }},
		{"baseline's signal too", "signal is of zone FR, want PL", func(w *world) { w.baseline[0].Zone = "FR" }},
		{"signal too large", "mg/kWh", func(w *world) { w.actual[0].Values[4] = grid.MaxIntensity + 1 }},
		{"signal without grade", "has grade", func(w *world) { w.actual[0].Grade = "" }},
		{"signal of grade F", "has grade", func(w *world) { w.actual[0].Grade = "F" }},
		{"signal of grade AA", "has grade", func(w *world) { w.actual[0].Grade = "AA" }},
		{"signal without basis", "has basis", func(w *world) { w.actual[0].Basis = grid.Basis{} }},
		{"signal of odd scope", "has basis", func(w *world) { w.actual[0].Basis.Scope = "all" }},
		{"signal without provider", "provider of the signal", func(w *world) { w.actual[0].Provider = "" }},
		{"signal with a long ref", "ref of the signal", func(w *world) { w.actual[0].Ref = long }},
		{"signal never issued", "issue of the signal", func(w *world) { w.actual[0].Issued = time.Time{} }},
	} {
		w := example()
		c.change(&w)
		if e, err := w.account(); err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, booked as %+v", c.name, err, e)
		}
	}
	// At the very edge of what can be.
	w := example()
	w.meter.Energy = 2_700_000_000
	w.pue = 10_000
	w.entry(t)
}

// A series that changes more often than there are seconds in an hour is an
// attack or an error, not a grid.
func TestTooManyPieces(t *testing.T) {
	w := example()
	s := series("DE", at(10, 0), 500*time.Millisecond)
	for i := range 7200 {
		s.Values = append(s.Values, grid.Intensity(i))
	}
	w.actual = []grid.Series{s}
	w.meter.Runs = []Run{{From: at(10, 0), To: at(11, 0)}}
	if _, err := w.account(); err == nil || !strings.Contains(err.Error(), "changes more than") {
		t.Errorf("%v", err)
	}
}

func ExampleAccount() {
	w := example()
	e, err := Account(w.meter, w.zone, w.pue, believed(w.actual...), w.base, believed(w.baseline...), w.booked)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("emitted", e.Emitted, "instead of", e.Avoided, "saved", e.Saved, "grade", e.Grade)
	// Output: emitted 270 g instead of 525 g saved 255 g grade A
}
