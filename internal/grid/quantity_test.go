package grid

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRounding(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"1 W for 1 h is 3600 J", int64(Drawn(Watt, time.Hour)), 3600},
		{"a nanosecond of a milliwatt is a joule", int64(Drawn(1, 1)), 1},
		{"no power", int64(Drawn(0, time.Hour)), 0},
		{"negative power", int64(Drawn(-5, time.Hour)), 0},
		{"negative time", int64(Drawn(5, -time.Hour)), 0},
		{"1 kWh at 400 g", int64(Emitted(KilowattHour, 400_000)), 400_000},
		{"emitted is rounded up", int64(Emitted(1, 1)), 1},
		{"avoided is rounded down", int64(Avoided(1, 1)), 0},
		{"avoided of a whole sum", int64(Avoided(KilowattHour, 7)), 7},
		{"no energy", int64(Emitted(0, 400_000)), 0},
		{"negative energy", int64(Emitted(-1, 400_000)), 0},
		{"0 g is known", int64(Emitted(KilowattHour, 0)), 0},
		{"a price is rounded up", int64(Charged(1, 1)), 1},
		{"a price below zero is rounded to the dearer side", int64(Charged(1, -1)), 0},
		{"a price below zero", int64(Charged(KilowattHour, -250)), -250},
		{"the price of no energy", int64(Charged(0, 250)), 0},
		{"the price of energy below zero", int64(Charged(-1, 250)), 0},
		{"the price of energy below zero, price below zero", int64(Charged(-1, -250)), 0},
		{"too much energy is clamped", int64(Drawn(math.MaxInt64, math.MaxInt64)), math.MaxInt64},
		{"too much carbon is clamped", int64(Emitted(math.MaxInt64, math.MaxInt64)), math.MaxInt64},
		{"too much money is clamped", int64(Charged(math.MaxInt64, math.MaxInt64)), math.MaxInt64},
		{"too much money below zero is clamped", int64(Charged(math.MaxInt64, math.MinInt64)), -math.MaxInt64},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.what, c.got, c.want)
		}
	}
}

// The same sums with numbers of any size.
func TestSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(1, math.MaxInt64).Draw(t, "a")
		b := rapid.Int64Range(1, math.MaxInt64).Draw(t, "b")
		check := func(what string, got int64, divisor int64, up bool) {
			want, rest := new(big.Int).QuoRem(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), big.NewInt(divisor), new(big.Int))
			if up && rest.Sign() > 0 {
				want.Add(want, big.NewInt(1))
			}
			if most := big.NewInt(math.MaxInt64); want.Cmp(most) > 0 {
				want = most
			}
			if want.Cmp(big.NewInt(got)) != 0 {
				t.Fatalf("%s of %d and %d: got %d, want %s", what, a, b, got, want)
			}
		}
		check("Drawn", int64(Drawn(Power(a), time.Duration(b))), 1_000*int64(time.Second), true)
		check("Emitted", int64(Emitted(Energy(a), Intensity(b))), int64(KilowattHour), true)
		check("Avoided", int64(Avoided(Energy(a), Intensity(b))), int64(KilowattHour), false)
		check("Charged", int64(Charged(Energy(a), Rate(b))), int64(KilowattHour), true)
	})
}

func TestUnknownIsNotANumber(t *testing.T) {
	if Unknown.Known() || !Intensity(0).Known() {
		t.Error("0 is known, Unknown is not")
	}
	for what, f := range map[string]func(Energy, Intensity) Carbon{"Emitted": Emitted, "Avoided": Avoided} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s took unknown for a number", what)
				}
			}()
			f(1, Unknown)
		}()
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Power(300_000).String(), "300 W"},
		{Power(1_500).String(), "1.5 W"},
		{Power(2_400_000).String(), "2.4 kW"},
		{Power(0).String(), "0 W"},
		{Energy(8_640_000).String(), "2.4 kWh"},
		{Energy(3_600).String(), "1 Wh"},
		{(-KilowattHour).String(), "-1 kWh"},
		{Intensity(411_499).String(), "411 g/kWh"},
		{Intensity(411_500).String(), "412 g/kWh"},
		{Unknown.String(), "unknown"},
		{Carbon(14_300_000).String(), "14.3 kg"},
		{Carbon(1_230_000).String(), "1.23 kg"},
		{Carbon(512_000).String(), "512 g"},
		{Carbon(-512_600).String(), "-513 g"},
		{Carbon(1_230).String(), "1.23 g"},
		{Carbon(-1).String(), "0 g"},
		{Percent(-15, 100), "-15.0 %"},
		{Percent(1, 3), "+33.3 %"},
		{Percent(1, 0), "n/a"},
		{AverageLifecycle.String(), "average/lifecycle"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
