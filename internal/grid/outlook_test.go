package grid

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func hour(n float64) time.Time { return midnight.Add(time.Duration(n * float64(time.Hour))) }

// graded returns a series that begins h hours after midnight.
func graded(g Grade, h float64, step time.Duration, values ...Intensity) Series {
	s := hourly(values...)
	s.Start, s.Step, s.Grade = hour(h), step, g
	return s
}

// believe is Believe for the zone and basis of the first series.
func believe(series ...Series) Outlook {
	return Believe(series[0].Zone, series[0].Basis, series...)
}

// What is of another zone or another basis is no part of an outlook, however
// much it is trusted: there is no way to a sum over both.
func TestTwoBasesNeverMeet(t *testing.T) {
	right := graded(GradeD, 0, time.Hour, 100, 100)
	marginal, direct, elsewhere := graded(GradeA, 0, time.Hour, 900), graded(GradeA, 0, time.Hour, 10), graded(GradeA, 0, time.Hour, 1)
	marginal.Basis.Signal, direct.Basis.Scope, elsewhere.Zone = Marginal, Direct, "elsewhere"
	o := Believe(right.Zone, right.Basis, marginal, direct, elsewhere, right)
	if mean, grade, ok := o.Mean(hour(0), hour(2)); !ok || mean != 100 || grade != GradeD {
		t.Errorf("got %d %s %v, want 100 of grade D", mean, grade, ok)
	}
	all := BelieveAll(right.Basis, map[Zone][]Series{right.Zone: {marginal, right}, "elsewhere": {elsewhere, direct}, "empty": {marginal}})
	if len(all.Of(right.Zone).Series()) != 1 || len(all.Of("elsewhere").Series()) != 1 || len(all.Of("empty").Series()) != 0 || len(all.Of("none").Series()) != 0 {
		t.Errorf("got %+v", all)
	}
	if z := all.Zones(); len(z) != 3 || all.Basis() != right.Basis || all.Of("none").Basis() != right.Basis || all.Of("none").Zone() != "none" {
		t.Errorf("got zones %v of basis %s", z, all.Basis())
	}
}

func TestTheMostTrustedIsBelieved(t *testing.T) {
	o := believe(
		graded(GradeA, 1, time.Hour, 100, Unknown, 300),
		graded(GradeD, 0, time.Hour, 1000, 1001, 1002, 1003, 1004, Unknown),
	)
	for h, want := range []Intensity{1000, 100, 1002, 300, 1004, Unknown, Unknown} {
		r, ok := o.At(hour(float64(h)))
		if ok != want.Known() || ok && r.Value != want {
			t.Errorf("at hour %d: got %d %v, want %d", h, r.Value, ok, want)
		}
	}
}

func TestPiecesEndWhereAnySeriesSteps(t *testing.T) {
	o := believe(
		graded(GradeA, 1.5, 30*time.Minute, 100, Unknown, 300),
		graded(GradeD, 0, time.Hour, 1000, 1001, 1002, 1003),
		hourly(), // of no use, and no harm
	)
	for _, c := range []struct{ at, limit, want float64 }{
		{0, 10, 1},
		{0.25, 10, 1},
		{0.25, 0.75, 0.75},
		{1, 10, 1.5}, // there the more trusted one begins
		{1.5, 10, 2},
		{2, 10, 2.5}, // there it knows again
		{3, 10, 4},
		{4, 10, 10}, // after everything
		{-5, 10, 0},
	} {
		if got := o.Until(hour(c.at), hour(c.limit)); !got.Equal(hour(c.want)) {
			t.Errorf("from hour %g: got %s, want %s", c.at, got, hour(c.want))
		}
	}
}

func TestMean(t *testing.T) {
	o := believe(
		graded(GradeA, 1, time.Hour, 100, Unknown, 300),
		graded(GradeD, 0, time.Hour, 1000, 1001, 1002, 1003),
	)
	for _, c := range []struct {
		from, to float64
		want     Intensity
		grade    Grade
	}{
		{1, 2, 100, GradeA},
		{3, 4, 300, GradeA},
		{1, 3, 551, GradeD}, // (100 + 1002) / 2
		{0.5, 1.5, 550, GradeD},
		{1.5, 2.25, 401, GradeD}, // (100 × 30 + 1002 × 15) / 45 = 400.67, up
		{3.5, 4.5, Unknown, ""},  // the end is not known
		{-1, 1, Unknown, ""},
		{1, 1, Unknown, ""},
		{2, 1, Unknown, ""},
	} {
		mean, grade, ok := o.Mean(hour(c.from), hour(c.to))
		if mean != c.want || grade != c.grade || ok != c.want.Known() {
			t.Errorf("[%g, %g): got %d %s %v, want %d %s", c.from, c.to, mean, grade, ok, c.want, c.grade)
		}
	}
	// A piece shorter than a millisecond counts for what it is.
	if mean, _, ok := o.Mean(hour(2).Add(-1), hour(2).Add(999)); !ok || mean != 1002 {
		t.Errorf("a nanosecond of 100 and 999 of 1002: got %d %v, want 1002 (1001.1, up)", mean, ok)
	}
	// Nothing known is not nothing emitted.
	if c, _, ok := o.Emitted(Watt, hour(10), hour(11)); ok || c != 0 {
		t.Errorf("unknown time: got %d %v", c, ok)
	}
	if c, g, ok := o.Emitted(1_000*Watt, hour(1), hour(2)); !ok || c != 100 || g != GradeA {
		t.Errorf("1 kWh at 100 mg: got %d %s %v", c, g, ok)
	}
	if _, _, ok := (Outlook{}).Mean(hour(0), hour(1)); ok {
		t.Error("an empty outlook knows something")
	}
}

// The mean is the sum over pieces, exactly, whatever the series look like.
func TestMeanIntegratesExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var told []Series
		for range rapid.IntRange(1, 3).Draw(t, "series") {
			step := time.Duration(rapid.SampledFrom([]int{1, 5, 15, 60}).Draw(t, "step")) * time.Minute
			values := rapid.SliceOfN(rapid.Int64Range(-1, int64(MaxIntensity)), 1, 12).Draw(t, "values")
			s := graded(rapid.SampledFrom([]Grade{GradeA, GradeC, GradeE}).Draw(t, "grade"), 0, step)
			s.Start = midnight.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "start")) * time.Minute)
			for _, v := range values {
				s.Values = append(s.Values, Intensity(v))
			}
			told = append(told, s)
		}
		o := believe(told...)
		from := midnight.Add(time.Duration(rapid.IntRange(-30, 90).Draw(t, "from")) * time.Minute)
		length := rapid.IntRange(1, 60).Draw(t, "length")
		mean, grade, ok := o.Mean(from, from.Add(time.Duration(length)*time.Minute))

		// All borders lie on minutes, so minute by minute must come to the same.
		sum, worst, known := new(big.Int), Grade(""), true
		for m := range length {
			r, k := o.At(from.Add(time.Duration(m) * time.Minute))
			known = known && k
			sum.Add(sum, big.NewInt(int64(max(r.Value, 0))))
			worst = Worse(worst, r.Grade)
		}
		if ok != known {
			t.Fatalf("known is %v, want %v", ok, known)
		}
		if !ok {
			if mean != Unknown {
				t.Fatalf("an unknown mean is %d", mean)
			}
			return
		}
		want := new(big.Int).Add(sum, big.NewInt(int64(length-1)))
		want.Quo(want, big.NewInt(int64(length)))
		if want.Int64() != int64(mean) || grade != worst {
			t.Fatalf("got %d grade %s, want %s grade %s", mean, grade, want, worst)
		}
	})
}
