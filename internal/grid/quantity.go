// Package grid is the electricity grid as numbers: zones, carbon intensity and
// price over time, and the quantities that energy accounting is made of. Each
// quantity is a type with its unit, and whole, so that two parties who do the
// same sum get the same bytes.
package grid

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

type (
	// Power is a rate of energy, in milliwatts.
	Power int64
	// Energy is in joules.
	Energy int64
	// Intensity is milligrams of CO2-equivalent per kilowatt-hour.
	Intensity int64
	// Carbon is milligrams of CO2-equivalent.
	Carbon int64
	// Money is millionths of a unit of some currency, named beside it.
	Money int64
	// Rate is millionths of a unit of some currency per kilowatt-hour.
	Rate int64
)

// Unknown is an intensity that nobody has told us. It is not zero, and no sum
// may take it for zero: ask Known first.
const Unknown Intensity = -1

const (
	Watt         Power  = 1_000
	KilowattHour Energy = 3_600_000
	Gram         Carbon = 1_000
	Kilogram     Carbon = 1_000_000

	// MaxIntensity is the largest carbon intensity that any grid can have:
	// 3,000 g/kWh. Above it a value is an error of unit or of fact.
	MaxIntensity Intensity = 3_000_000
)

// Known reports whether i is a value at all.
func (i Intensity) Known() bool { return i >= 0 }

// Drawn returns the energy of drawing p for d, rounded up to a joule.
func Drawn(p Power, d time.Duration) Energy {
	if p <= 0 || d <= 0 {
		return 0
	}
	return Energy(mulDiv(uint64(p), uint64(d), 1_000*uint64(time.Second), true))
}

// Emitted returns the carbon of drawing e at intensity i, rounded up: the
// ledger never flatters us by rounding. It panics if i is Unknown, as a sum
// that takes unknown for a number is a bug in its caller.
func Emitted(e Energy, i Intensity) Carbon {
	return emitted(e, i, true)
}

// Avoided returns the carbon that drawing e at intensity i would have emitted,
// rounded down: the same rule as Emitted's, seen from the other side.
func Avoided(e Energy, i Intensity) Carbon {
	return emitted(e, i, false)
}

func emitted(e Energy, i Intensity, up bool) Carbon {
	if !i.Known() {
		panic("grid: carbon of an unknown intensity")
	}
	if e <= 0 {
		return 0
	}
	return Carbon(mulDiv(uint64(e), uint64(i), uint64(KilowattHour), up))
}

// Charged returns the price of e at r, rounded up.
func Charged(e Energy, r Rate) Money {
	if e <= 0 {
		return 0
	}
	if r < 0 { // prices below zero are real: round toward the dearer side too
		return -Money(mulDiv(uint64(e), uint64(-r), uint64(KilowattHour), false))
	}
	return Money(mulDiv(uint64(e), uint64(r), uint64(KilowattHour), true))
}

// mulDiv returns a*b/c without overflow in between, rounded down or up. A
// result past an int64 is clamped: it is absurd, and must stay absurd.
func mulDiv(a, b, c uint64, up bool) int64 {
	const most = 1<<63 - 1
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return most
	}
	q, r := bits.Div64(hi, lo, c)
	if up && r > 0 && q < most {
		q++
	}
	return int64(min(q, most))
}

func (p Power) String() string {
	switch {
	case p >= 1_000_000:
		return trim(float64(p)/1e6, 3) + " kW"
	default:
		return trim(float64(p)/1e3, 3) + " W"
	}
}

func (e Energy) String() string {
	switch {
	case e >= KilowattHour/10 || e <= -KilowattHour/10:
		return trim(float64(e)/float64(KilowattHour), 3) + " kWh"
	default:
		return trim(float64(e)/3_600, 1) + " Wh"
	}
}

func (i Intensity) String() string {
	if !i.Known() {
		return "unknown"
	}
	return strconv.FormatInt((int64(i)+500)/1000, 10) + " g/kWh"
}

func (c Carbon) String() string {
	abs := max(c, -c)
	switch {
	case abs >= 10*Kilogram:
		return trim(float64(c)/1e6, 1) + " kg"
	case abs >= Kilogram:
		return trim(float64(c)/1e6, 2) + " kg"
	case abs >= 10*Gram:
		return strconv.FormatInt(round(int64(c), 1000), 10) + " g"
	default:
		return trim(float64(c)/1e3, 2) + " g"
	}
}

func round(n, unit int64) int64 {
	if n < 0 {
		return -round(-n, unit)
	}
	return (n + unit/2) / unit
}

// trim prints f with at most n decimals and no trailing zero.
func trim(f float64, n int) string {
	s := strconv.FormatFloat(f, 'f', n, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// Percent prints part of whole as a signed percentage, "n/a" if whole is 0.
func Percent(part, whole Carbon) string {
	if whole == 0 {
		return "n/a"
	}
	return fmt.Sprintf("%+.1f %%", 100*float64(part)/float64(whole))
}
