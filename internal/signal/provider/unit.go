package provider

import (
	"fmt"
	"math"
	"strings"

	"clusy.io/clusy/internal/grid"
)

// unit turns a source's numbers into ours.
type unit struct {
	times    float64 // mg/kWh, or millionths of currency per kWh, in one of it
	currency string  // of a price; empty: it is carbon
	name     string
}

// gramsPerPound is exact by definition.
const gramsPerPound = 453.59237

var carbonUnits = map[string]float64{
	"g/kWh": 1e3, "kg/MWh": 1e3, "g/MWh": 1, "kg/kWh": 1e6, "t/MWh": 1e6, "lb/MWh": gramsPerPound,
}

// carbonUnit reads the unit of an intensity.
func carbonUnit(s string) (unit, error) {
	if times, ok := carbonUnits[s]; ok {
		return unit{times: times, name: s}, nil
	}
	return unit{}, fmt.Errorf("unit is %s, want g/kWh, kg/kWh, g/MWh, kg/MWh, t/MWh or lb/MWh", clip(s))
}

// priceUnit reads the unit of a price: EUR/MWh, SEK/kWh.
func priceUnit(s string) (unit, error) {
	currency, per, _ := strings.Cut(s, "/")
	if len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || per != "MWh" && per != "kWh" {
		return unit{}, fmt.Errorf("unit is %s, want a currency and MWh or kWh, as EUR/MWh", clip(s))
	}
	u := unit{times: 1e3, currency: currency, name: s}
	if per == "kWh" {
		u.times = 1e6
	}
	return u, nil
}

// intensity returns v in mg/kWh; NaN is Unknown. What no grid can have is an
// error that asks for the unit.
func (u unit) intensity(v float64) (grid.Intensity, error) {
	if math.IsNaN(v) {
		return grid.Unknown, nil
	}
	mg := v * u.times
	if mg < 0 {
		return 0, fmt.Errorf("%g %s is below zero", v, u.name)
	}
	if !(mg <= float64(grid.MaxIntensity)) {
		return 0, fmt.Errorf("%g %s is more than any grid has; is the unit right?", v, u.name)
	}
	return grid.Intensity(math.Round(mg)), nil
}

// rate returns v in millionths per kWh; NaN is UnknownRate.
func (u unit) rate(v float64) (grid.Rate, error) {
	if math.IsNaN(v) {
		return grid.UnknownRate, nil
	}
	r := v * u.times
	if !(math.Abs(r) <= float64(grid.MaxRate)) {
		return 0, fmt.Errorf("%g %s is more than any market allows; is the unit right?", v, u.name)
	}
	return grid.Rate(math.Round(r)), nil
}

// The units that most sources tell.
var (
	gramUnit = unit{times: 1e3, name: "g/kWh"}
	euroUnit = unit{times: 1e3, currency: "EUR", name: "EUR/MWh"}
)
