package grid

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	power := func(s string) (int64, error) { v, err := ParsePower(s); return int64(v), err }
	energy := func(s string) (int64, error) { v, err := ParseEnergy(s); return int64(v), err }
	carbon := func(s string) (int64, error) { v, err := ParseCarbon(s); return int64(v), err }
	intensity := func(s string) (int64, error) { v, err := ParseIntensity(s); return int64(v), err }
	duration := func(s string) (int64, error) { v, err := ParseDuration(s); return int64(v), err }
	permille := func(s string) (int64, error) { v, err := ParsePermille(s); return int64(v), err }
	money := func(s string) (int64, error) { v, cur, err := ParseMoney(s); return int64(v) + int64(len(cur)), err }
	price := func(s string) (int64, error) {
		v, cur, err := ParseCarbonPrice(s)
		return int64(v) + int64(len(cur)), err
	}
	const bad = -1
	for _, c := range []struct {
		what  string
		parse func(string) (int64, error)
		text  string
		want  int64
	}{
		{"power", power, "300W", 300_000},
		{"power", power, " 2.4 kW ", 2_400_000},
		{"power", power, "1e3W", 1_000_000},
		{"power", power, "7mW", 7},
		{"power", power, "1MW", 1_000_000_000},
		{"power", power, "300", bad},
		{"power", power, "W", bad},
		{"power", power, "", bad},
		{"power", power, "-3W", bad},
		{"power", power, "3 horses", bad},
		{"power", power, "NaN W", bad},
		{"power", power, "Inf W", bad},
		{"power", power, "1-2W", bad},
		{"power", power, "1e999W", bad},
		{"power", power, "1e300W", bad},
		{"power", power, "9e15 W", bad},
		{"energy", energy, "2.4kWh", 8_640_000},
		{"energy", energy, "500 Wh", 1_800_000},
		{"energy", energy, "5 W", bad},
		{"carbon", carbon, "5kgCO2e", 5_000_000},
		{"carbon", carbon, "800g", 800_000},
		{"carbon", carbon, "1t", 1_000_000_000},
		{"intensity", intensity, "120 g/kWh", 120_000},
		{"intensity", intensity, "0 g/kWh", 0},
		{"intensity", intensity, "0.12 kg/kWh", 120_000},
		{"intensity", intensity, "870 lb/MWh", 394_625},
		{"intensity", intensity, "3000g/kWh", 3_000_000},
		{"intensity", intensity, "3001g/kWh", bad},
		{"intensity", intensity, "120 kg/kWh", bad},
		{"intensity", intensity, "120", bad},
		{"duration", duration, "90m", int64(90 * time.Minute)},
		{"duration", duration, "1h30m", int64(90 * time.Minute)},
		{"duration", duration, "1h 30min", int64(90 * time.Minute)},
		{"duration", duration, "2d", int64(48 * time.Hour)},
		{"duration", duration, "1.5h", int64(90 * time.Minute)},
		{"duration", duration, "1w", int64(168 * time.Hour)},
		{"duration", duration, "250ms", int64(250 * time.Millisecond)},
		{"duration", duration, "0s", 0},
		{"duration", duration, "PT6H", int64(6 * time.Hour)},
		{"duration", duration, "P1DT12H30M5S", int64(36*time.Hour + 30*time.Minute + 5*time.Second)},
		{"duration", duration, "P2W", int64(336 * time.Hour)},
		{"duration", duration, "P1M", bad}, // a month
		{"duration", duration, "P1Y", bad},
		{"duration", duration, "PT1D", bad},
		{"duration", duration, "P6H", bad},
		{"duration", duration, "P", bad},
		{"duration", duration, "PT", bad},
		{"duration", duration, "P1DT", bad},
		{"duration", duration, "", bad},
		{"duration", duration, "6", bad},
		{"duration", duration, "-6h", bad},
		{"duration", duration, "1.2.3h", bad},
		{"duration", duration, "h", bad},
		{"duration", duration, "6 parsecs", bad},
		{"duration", duration, "101y", bad},
		{"duration", duration, "36501d", bad},
		{"duration", duration, "36499d3d", bad},
		{"permille", permille, "5%", 50},
		{"permille", permille, "0.5 %", 5},
		{"permille", permille, "100%", 1000},
		{"permille", permille, "101%", bad},
		{"permille", permille, "5", bad},
		{"permille", permille, "x%", bad},
		{"money", money, "40 EUR", 40_000_003},
		{"money", money, "1e3EUR", 1_000_000_003},
		{"money", money, "40", bad},
		{"money", money, "40 euro", bad},
		{"money", money, "EUR", bad},
		{"money", money, "1e12 EUR", bad},
		{"carbon price", price, "120 EUR/t", 120_000_003},
		{"carbon price", price, "120 EUR", bad},
		{"carbon price", price, "120 /t", bad},
	} {
		got, err := c.parse(c.text)
		if (err != nil) != (c.want == bad) {
			t.Errorf("%s %q: got %d, error %v", c.what, c.text, got, err)
		}
		if err == nil && got != c.want {
			t.Errorf("%s %q: got %d, want %d", c.what, c.text, got, c.want)
		}
		if err != nil && (got > 3 || !strings.Contains(err.Error(), `"`)) {
			t.Errorf("%s %q: got %d with the error %v, which should quote what was written", c.what, c.text, got, err)
		}
	}
}

// FuzzParseQuantities: whatever is written, reading it does not panic and
// gives no negative and no absurd quantity; what we print of a quantity can be
// read, and is the same to the precision that we print.
func FuzzParseQuantities(f *testing.F) {
	for _, s := range []string{"300W", "2.4 kWh", "5kgCO2e", "120 g/kWh", "1h30m", "P1DT6H", "P1M", "5%", "40 EUR", "120 EUR/t", "1e3W", "NaN", "-1W", "0x1p3W", "1_000W", "9e18 J", "½W", "1e", "e5W", "+.5 g"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePower(s); err == nil {
			again, err := ParsePower(p.String())
			near(t, s, "power", int64(p), int64(again), err, 1000, 1)
		}
		if e, err := ParseEnergy(s); err == nil {
			again, err := ParseEnergy(e.String())
			near(t, s, "energy", int64(e), int64(again), err, 1800, 181)
		}
		if c, err := ParseCarbon(s); err == nil {
			again, err := ParseCarbon(c.String())
			near(t, s, "carbon", int64(c), int64(again), err, 50_000, 6)
		}
		if i, err := ParseIntensity(s); err == nil {
			if i > MaxIntensity {
				t.Errorf("%q: intensity %d is above the maximum", s, i)
			}
			again, err := ParseIntensity(i.String())
			near(t, s, "intensity", int64(i), int64(again), err, 500, 500)
		}
		if d, err := ParseDuration(s); err == nil {
			if d < 0 || d > longest {
				t.Errorf("%q: %s", s, d)
			}
			if again, err := ParseDuration(d.Truncate(time.Second).String()); err != nil || again != d.Truncate(time.Second) {
				t.Errorf("%q: %s reads as %s, %v", s, d, again, err)
			}
		}
		if n, err := ParsePermille(s); err == nil && (n < 0 || n > 1000) {
			t.Errorf("%q: %d thousandths", s, n)
		}
		for _, parse := range []func(string) (Money, string, error){ParseMoney, ParseCarbonPrice} {
			if m, cur, err := parse(s); err == nil && (m < 0 || m > 1e18 || len(cur) != 3) {
				t.Errorf("%q: %d %q", s, m, cur)
			}
		}
	})
}

// near checks that a quantity came back from its text, to within a part in
// 10,000 or an absolute error, and that it is finite and not negative.
func near(t *testing.T, s, what string, v, again int64, err error, atMost, small int64) {
	t.Helper()
	if v < 0 || v > 1<<62 {
		t.Errorf("%q: %s %d", s, what, v)
	}
	slack := float64(atMost)
	if v < 1000 {
		slack = float64(max(small, 1))
	}
	if err != nil || math.Abs(float64(v-again)) > slack+float64(v)*1e-4 {
		t.Errorf("%q: %s %d comes back as %d, %v", s, what, v, again, err)
	}
}
