package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// past is work of so many hours and cores that came at a time and may wait.
func past(at time.Time, length, slack time.Duration, cores int64) Past {
	return Past{at, workload.Shape{Duration: workload.Duration{Expected: length, P95: length * 10 / 11, Max: length}, Power: grid.Power(cores) * 100 * grid.Watt,
		Demand: workload.Resources{CPU: cores * 1000, Slots: 1}, When: workload.When{CompleteBy: at.Add(length + slack)}}}
}

// coreHours is what is expected in an hour.
func coreHours(as []Arrival, hour time.Time) (sum float64) {
	for _, a := range as {
		if a.At.Truncate(time.Hour).Equal(hour) {
			sum += float64(a.Shape.Demand.CPU) / 1000 * a.Shape.Duration.Expected.Hours()
		}
	}
	return sum
}

// What came at an hour of the last weeks is expected at that hour: the mean of
// the weeks that are on record, less what has come in the present hour.
func TestExpectIsTheMeanOfTheWeeks(t *testing.T) {
	now := midnight.Add(4*7*24*time.Hour + 20*time.Minute)
	hour := now.Truncate(time.Hour)
	noon := hour.Add(12 * time.Hour)
	var all []Past
	for k := 1; k <= 4; k++ {
		ago := -time.Duration(k) * week
		all = append(all, past(hour.Add(ago), 2*time.Hour, 6*time.Hour, 4), past(hour.Add(ago+50*time.Minute), 2*time.Hour, 6*time.Hour, 4))
		if k == 1 {
			all = append(all, past(noon.Add(ago), 3*time.Hour, time.Hour, 8)) // in one week of four
		}
	}
	got := Expect(all, now, 24*time.Hour)
	if is := coreHours(got, hour); math.Abs(is-16) > 0.1 {
		t.Errorf("%.1f core-hours are expected now, want 16", is)
	}
	if is := coreHours(got, noon); math.Abs(is-6) > 0.1 {
		t.Errorf("%.1f core-hours are expected at noon, want a quarter of 24", is)
	}
	for _, a := range got {
		if a.At.Before(now) || a.At.After(now.Add(25*time.Hour)) {
			t.Errorf("something is expected at %s", a.At)
		}
		if slack := a.Shape.When.CompleteBy.Sub(a.At) - a.Shape.Duration.Expected; a.At.Truncate(time.Hour).Equal(noon) != (slack < 2*time.Hour) {
			t.Errorf("what is expected at %s may wait %s", a.At, slack)
		}
	}
	// 12 of the 16 have come by now.
	got = Expect(append(all, past(now.Add(-time.Minute), 3*time.Hour, time.Hour, 4)), now, 24*time.Hour)
	if is := coreHours(got, hour); math.Abs(is-4) > 0.1 {
		t.Errorf("%.1f core-hours are expected after 12 of 16 have come, want 4", is)
	}
	// A record of some days knows of no week; one of a week knows of one.
	if got := Expect(all[len(all)-1:], now, 24*time.Hour); len(got) != 0 && all[len(all)-1].Submitted.After(now.Add(-week)) {
		t.Errorf("%d are expected of a record of some days", len(got))
	}
	if is := coreHours(Expect(all[:3], now, 24*time.Hour), noon); math.Abs(is-24) > 0.1 {
		t.Errorf("%.1f core-hours are expected at noon by a record of one week, want 24", is)
	}
	// The order of a record says nothing, and neither does what is absurd in it.
	r := rand.New(rand.NewPCG(1, 1))
	want := Expect(all, now, 24*time.Hour)
	r.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	odd := Past{hour.Add(-week), workload.Shape{Duration: workload.Duration{Expected: -1}, Power: -5}}
	if got := Expect(append(all, odd), now, 24*time.Hour); !reflect.DeepEqual(got, want) {
		t.Error("another order of the record is another expectation")
	}
	huge := past(hour.Add(-week), 300*24*time.Hour, 90*365*24*time.Hour, math.MaxInt64/2000)
	for range 50 {
		all = append(all, huge)
	}
	if got := Expect(all, now, math.MaxInt64); len(got) > expectMost {
		t.Errorf("%d are expected", len(got))
	}
}

// leaving is a site with room for one, whose third hour is clean and whose sixth
// nearly is; and work that may be in either.
func leaving() Snapshot {
	s := Snapshot{Now: midnight, Step: time.Hour, Horizon: 12 * time.Hour, Sites: []Site{{ID: "a", Zone: "Z", PUE: 1000,
		Capacity: workload.Resources{CPU: 1000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}}}}
	sr := grid.Series{Start: midnight, Step: time.Hour, Provenance: grid.Provenance{Provider: "p", Zone: "Z", Issued: midnight, Basis: grid.AverageLifecycle, Grade: grid.GradeA}}
	for i := range 14 {
		v := grid.Intensity(400_000)
		switch i {
		case 3:
			v = 100_000
		case 6:
			v = 120_000
		}
		sr.Values = append(sr.Values, v)
	}
	s.Outlook = told(s.Outlook, sr)
	p := past(midnight, time.Hour, 10*time.Hour, 1)
	s.Items = []Item{{ID: "w", Shape: p.Shape}}
	return s
}

// Work that can wait leaves the cleanest hour to work that is expected then and
// cannot; and says so. The bound is of what is known, and the same.
func TestCleanHoursAreLeftToWhatIsExpected(t *testing.T) {
	s := leaving()
	alone := Compute(s)
	if at := alone.Placements[0].Start(); !at.Equal(midnight.Add(3 * time.Hour)) {
		t.Fatalf("alone it runs at %s", at)
	}
	three := midnight.Add(3 * time.Hour)
	s.Expected = []Arrival{{three, past(three, time.Hour, time.Minute, 1).Shape}}
	p := Compute(s)
	if err := Check(s, p); err != nil {
		t.Fatal(err)
	}
	pl := p.Placements[0]
	if !pl.Start().Equal(midnight.Add(6 * time.Hour)) {
		t.Errorf("it runs at %s: the hour is not left to what is expected", pl.Start())
	}
	if pl.Why.Binding != BindingExpected || pl.Why.Text == "" {
		t.Errorf("it says %q: %s", pl.Why.Binding, pl.Why.Text)
	}
	if p.Certificate.Bound != alone.Certificate.Bound || !reflect.DeepEqual(p.Certificate.Prices, alone.Certificate.Prices) {
		t.Errorf("the bound is %v with what is expected, and %v without", p.Certificate.Bound, alone.Certificate.Bound)
	}
	// What is not expected to need it leaves it alone.
	s.Expected[0].Shape.When.CompleteBy = midnight.Add(12 * time.Hour)
	s.Expected[0].Shape.Power /= 10
	if at := Compute(s).Placements[0].Start(); !at.Equal(three) {
		t.Errorf("it runs at %s, though what is expected may as well wait", at)
	}
}

// Whatever is expected: nothing is refused for it, no promise is broken, and the
// certificate's prices are the same.
func TestWhatIsExpectedTakesNothing(t *testing.T) {
	moved := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 77))
		s := randomSnapshot(r)
		if seed%2 == 1 {
			s = live(r, s, Compute(s), s.Step)
		}
		plain := Compute(s)
		for i := range r.IntN(12) {
			it := randomItem(r, s, fmt.Sprint(i))
			it.Shape.When.NotBefore = s.Now.Add(time.Duration(r.Int64N(int64(s.Horizon))))
			s.Expected = append(s.Expected, Arrival{it.Shape.When.NotBefore, it.Shape})
		}
		p := Compute(s)
		if err := Check(s, p); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(p.Unplaced) > len(plain.Unplaced) {
			t.Fatalf("seed %d: %d are refused for what is expected, %d without", seed, len(p.Unplaced), len(plain.Unplaced))
		}
		if !reflect.DeepEqual(p.Certificate.Prices, plain.Certificate.Prices) {
			t.Fatalf("seed %d: the certificate's prices change with what is expected", seed)
		}
		for i := range p.Placements {
			if i < len(plain.Placements) && !Same(p.Placements[i], plain.Placements[i]) {
				moved++
			}
		}
	}
	if moved == 0 {
		t.Error("what is expected moved nothing in any world")
	}
}
