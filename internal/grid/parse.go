package grid

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unit is one way to write a quantity: its symbol and its size in base units.
type unit struct {
	symbol string
	size   float64
}

var (
	powerUnits     = []unit{{"mW", 1}, {"W", 1e3}, {"kW", 1e6}, {"MW", 1e9}}
	energyUnits    = []unit{{"J", 1}, {"kJ", 1e3}, {"MJ", 1e6}, {"Wh", 3.6e3}, {"kWh", 3.6e6}, {"MWh", 3.6e9}}
	carbonUnits    = []unit{{"mgCO2e", 1}, {"gCO2e", 1e3}, {"kgCO2e", 1e6}, {"tCO2e", 1e9}, {"mg", 1}, {"g", 1e3}, {"kg", 1e6}, {"t", 1e9}}
	intensityUnits = []unit{{"g/kWh", 1e3}, {"kg/kWh", 1e6}, {"kg/MWh", 1e3}, {"lb/MWh", 453.59237}}
)

// ParsePower reads "300W", "2.4 kW".
func ParsePower(s string) (Power, error) {
	n, err := parse(s, "power", powerUnits, "300W or 2.4kW")
	return Power(n), err
}

// ParseEnergy reads "2.4kWh", "500 Wh".
func ParseEnergy(s string) (Energy, error) {
	n, err := parse(s, "energy", energyUnits, "2.4kWh or 500Wh")
	return Energy(n), err
}

// ParseCarbon reads "5 kgCO2e", "800g".
func ParseCarbon(s string) (Carbon, error) {
	n, err := parse(s, "carbon", carbonUnits, "5kgCO2e or 800g")
	return Carbon(n), err
}

// ParseIntensity reads "120 g/kWh". More than MaxIntensity is refused: it is
// an error of unit.
func ParseIntensity(s string) (Intensity, error) {
	n, err := parse(s, "carbon intensity", intensityUnits, "120g/kWh")
	if err != nil {
		return 0, err
	}
	if Intensity(n) > MaxIntensity {
		return 0, fmt.Errorf("%q is above %s, more than any grid has: is the unit right?", s, MaxIntensity)
	}
	return Intensity(n), nil
}

func parse(s, what string, units []unit, example string) (int64, error) {
	num, sym := cut(s)
	if num == "" {
		return 0, fmt.Errorf("%q is not %s: it has no number; write %s", s, what, example)
	}
	f, err := number(num)
	if err != nil {
		return 0, fmt.Errorf("%q is not %s: %w", s, what, err)
	}
	if sym == "" {
		return 0, fmt.Errorf("%q has no unit; write %s", s, example)
	}
	for _, u := range units {
		if u.symbol == sym {
			if v := f * u.size; v >= 1<<62 {
				return 0, fmt.Errorf("%q is more %s than we can count", s, what)
			} else {
				return int64(math.Round(v)), nil
			}
		}
	}
	return 0, fmt.Errorf("%q has unit %q, which is not one of %s; write %s", s, sym, what, example)
}

// cut splits "2.4 kWh" into its number and its unit.
func cut(s string) (num, sym string) {
	s = strings.TrimSpace(s)
	i := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.+-", r) })
	if i < 0 {
		return s, ""
	}
	// An exponent is part of the number: 1e3W. "e" alone begins no unit of ours.
	if i > 0 && (s[i] == 'e' || s[i] == 'E') && i+1 < len(s) && strings.ContainsRune("0123456789+-", rune(s[i+1])) {
		j := i + 2
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			j++
		}
		i = j
	}
	return s[:i], strings.TrimSpace(s[i:])
}

// number reads a finite, non-negative decimal.
func number(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a number", s)
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0, fmt.Errorf("%q is not a finite number", s)
	case f < 0:
		return 0, fmt.Errorf("%q is below zero", s)
	}
	return f, nil
}

// The units of time that people write, and those of the two parts of an ISO
// 8601 duration. ISO's months and years have no fixed length: there is none.
var (
	plainTime = []span{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"min", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}
	isoDate   = []span{{"W", 7 * 24 * time.Hour}, {"D", 24 * time.Hour}}
	isoClock  = []span{{"H", time.Hour}, {"M", time.Minute}, {"S", time.Second}}
)

type span struct {
	symbol string
	size   time.Duration
}

// longest is the length of time at which we stop believing that it is meant.
const longest = 100 * 365 * 24 * time.Hour

// ParseDuration reads what people write for a length of time: "90m", "6h",
// "1h30m", "2d", and ISO 8601's "PT6H" and "P1DT12H". It is never negative.
// In ISO 8601 "P1M" is a month, which is no fixed length: it is refused.
func ParseDuration(s string) (time.Duration, error) {
	t := strings.TrimSpace(s)
	var total time.Duration
	var err error
	if iso, ok := strings.CutPrefix(t, "P"); ok {
		date, clock, timed := strings.Cut(iso, "T")
		if date == "" && clock == "" || timed && clock == "" {
			return 0, badDuration(s)
		}
		if total, err = spans(s, date, isoDate, 0); err == nil {
			total, err = spans(s, clock, isoClock, total)
		}
		return total, err
	}
	if t == "" {
		return 0, badDuration(s)
	}
	return spans(s, t, plainTime, 0)
}

// spans adds to total each number and unit in t, a part of s.
func spans(s, t string, units []span, total time.Duration) (time.Duration, error) {
	for t != "" {
		i := strings.IndexFunc(t, func(r rune) bool { return !strings.ContainsRune("0123456789.", r) })
		if i <= 0 {
			return 0, badDuration(s)
		}
		f, err := strconv.ParseFloat(t[:i], 64)
		if err != nil {
			return 0, badDuration(s)
		}
		t = t[i:]
		j := strings.IndexAny(t, "0123456789.")
		if j < 0 {
			j = len(t)
		}
		k := slices.IndexFunc(units, func(u span) bool { return u.symbol == strings.TrimSpace(t[:j]) })
		if k < 0 {
			return 0, badDuration(s)
		}
		size := float64(units[k].size)
		if f*size+float64(total) >= float64(longest) {
			return 0, fmt.Errorf("%q is longer than 100 years", s)
		}
		total += time.Duration(f * size)
		t = t[j:]
	}
	return total, nil
}

func badDuration(s string) error {
	return fmt.Errorf("%q is not a length of time; write 90m, 6h, 1h30m or 2d", s)
}

// ParsePermille reads "5%" or "0.5 %" as thousandths: 50, 5.
func ParsePermille(s string) (int, error) {
	num, sym := cut(s)
	f, err := number(num)
	if err != nil || sym != "%" || f > 100 {
		return 0, fmt.Errorf("%q is not a share; write 5%%, between 0%% and 100%%", s)
	}
	return int(math.Round(f * 10)), nil
}

// ParseMoney reads "40 EUR": an amount and the code of its currency.
func ParseMoney(s string) (Money, string, error) {
	num, cur := cut(s)
	f, err := number(num)
	if err != nil {
		return 0, "", fmt.Errorf("%q is not an amount of money: %w; write 40 EUR", s, err)
	}
	if !currency(cur) {
		return 0, "", fmt.Errorf("%q has no currency; write 40 EUR", s)
	}
	if f >= 1e12 {
		return 0, "", fmt.Errorf("%q is more money than we can count", s)
	}
	return Money(math.Round(f * 1e6)), cur, nil
}

// ParseCarbonPrice reads "120 EUR/t": money per tonne of CO2-equivalent.
func ParseCarbonPrice(s string) (Money, string, error) {
	amount, ok := strings.CutSuffix(strings.TrimSpace(s), "/t")
	if !ok {
		return 0, "", fmt.Errorf("%q is not a price of carbon; write 120 EUR/t", s)
	}
	return ParseMoney(amount)
}

func currency(s string) bool {
	return len(s) == 3 && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}
