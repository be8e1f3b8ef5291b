// Package wire turns core types into the client's wire types and back, once,
// so that no other room has to. It also carries the principal in a request's
// context.
package wire

import (
	"math"
	"slices"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// ShapeIn reads a shape from the wire and fills in the defaults.
func ShapeIn(s clusy.Shape) workload.Shape {
	out := workload.Shape{
		Duration:    workload.Duration{Expected: Seconds(s.Duration.Expected), P95: Seconds(s.Duration.P95), Max: Seconds(s.Duration.Max)},
		Power:       grid.Power(math.Round(s.Watts * 1000)),
		PowerSource: s.PowerSource,
		Demand:      workload.Resources{CPU: int64(math.Round(s.CPUs * 1000)), Memory: s.MemoryMiB, Slots: 1},
		Interruptible: workload.Interruptible{
			Allowed: s.Interruptible.Allowed, Overhead: Seconds(s.Interruptible.Overhead),
			MinRun: Seconds(s.Interruptible.MinRun), MaxSuspensions: s.Interruptible.MaxSuspensions,
		},
		Class:   s.Class,
		Elastic: elasticIn(s.Elastic),
		When:    workload.When{NotBefore: instant(s.When.NotBefore), CompleteBy: instant(s.When.CompleteBy), Deny: denyIn(s.When.Deny)},
		Where:   workload.Where{Allow: s.Where.Allow, Prefer: s.Where.Prefer},
		Objective: workload.Objective{
			Minimize:      workload.Minimize(or(s.Objective.Minimize, string(workload.MinimizeCarbon))),
			MinSaving:     int(math.Round(s.Objective.MinSaving * 1000)),
			CarbonCeiling: grid.Carbon(math.Round(s.Objective.CarbonCeiling * 1000)),
		},
		Policy: workload.Policy{
			Promise:    workload.Promise(or(s.Policy.Promise, string(workload.Once))),
			Priority:   s.Policy.Priority,
			Retries:    s.Policy.Retries,
			OnNoSignal: workload.OnNoSignal(or(s.Policy.OnNoSignal, string(workload.RunByDeadline))),
			Baseline:   workload.Baseline(or(s.Policy.Baseline, string(workload.BaselineRunNow))),
		},
		Queue: s.Queue,
	}
	out.Demand.Power = out.Power
	out.Demand.GPUs = gpusIn(s.GPUs)
	out.Size = s.Gang
	out.After, out.Group = slices.Clone(s.After), s.Group
	if d := s.Data; d != nil {
		out.Data = workload.Data(*d)
	}
	filled(&out.Duration)
	for _, h := range s.Alternatives {
		out.Ways = append(out.Ways, hardwareIn(h))
	}
	if m := s.Objective.CostCeiling; m != nil {
		out.Objective.CostCeiling, out.Objective.Currency = moneyIn(*m)
	}
	if m := s.Objective.CarbonPrice; m != nil {
		price, currency := moneyIn(*m)
		if out.Objective.CostCeiling > 0 && currency != out.Objective.Currency {
			currency = "" // two currencies cannot be added: the shape is refused
		}
		out.Objective.CarbonPrice, out.Objective.Currency = price, currency
	}
	return out
}

// ShapeOut writes a shape to the wire.
func ShapeOut(s workload.Shape) clusy.Shape {
	out := clusy.Shape{
		Duration:     clusy.Duration{Expected: s.Duration.Expected.Seconds(), P95: s.Duration.P95.Seconds(), Max: s.Duration.Max.Seconds()},
		Watts:        float64(s.Power) / 1000,
		PowerSource:  s.PowerSource,
		CPUs:         float64(s.Demand.CPU) / 1000,
		MemoryMiB:    s.Demand.Memory,
		GPUs:         gpusOut(s.Demand),
		Gang:         s.Size,
		Alternatives: hardwareOut(s.Ways),
		Interruptible: clusy.Interruptible{
			Allowed: s.Interruptible.Allowed, Overhead: s.Interruptible.Overhead.Seconds(),
			MinRun: s.Interruptible.MinRun.Seconds(), MaxSuspensions: s.Interruptible.MaxSuspensions,
		},
		Class:   s.Class,
		Elastic: elasticOut(s.Elastic),
		When:    clusy.When{NotBefore: s.When.NotBefore, CompleteBy: s.When.CompleteBy, Deny: denyOut(s.When.Deny)},
		Where:   clusy.Where{Allow: s.Where.Allow, Prefer: s.Where.Prefer},
		Objective: clusy.Objective{
			Minimize: string(s.Objective.Minimize), MinSaving: float64(s.Objective.MinSaving) / 1000,
			CarbonCeiling: Grams(s.Objective.CarbonCeiling),
		},
		Policy: clusy.Policy{
			Promise: string(s.Policy.Promise), Priority: s.Policy.Priority, Retries: s.Policy.Retries,
			OnNoSignal: string(s.Policy.OnNoSignal), Baseline: string(s.Policy.Baseline),
		},
		Queue: s.Queue,
	}
	if d := clusy.Data(s.Data); s.Data != (workload.Data{}) {
		out.Data = &d
	}
	out.After, out.Group = slices.Clone(s.After), s.Group
	if s.Objective.CostCeiling > 0 {
		out.Objective.CostCeiling = MoneyOut(s.Objective.CostCeiling, s.Objective.Currency)
	}
	if s.Objective.CarbonPrice > 0 {
		out.Objective.CarbonPrice = MoneyOut(s.Objective.CarbonPrice, s.Objective.Currency)
	}
	return out
}

func denyIn(spans []clusy.Span) (out []workload.Span) {
	for _, s := range spans {
		out = append(out, workload.Span{Start: instant(s.Start), End: instant(s.End)})
	}
	return out
}

func denyOut(spans []workload.Span) (out []clusy.Span) {
	for _, s := range spans {
		out = append(out, clusy.Span{Start: s.Start, End: s.End})
	}
	return out
}

func elasticIn(levels []clusy.Level) (out []workload.Level) {
	for _, l := range levels {
		out = append(out, workload.Level{Size: sizeIn(l.Size), Speed: sizeIn(l.Speed)})
	}
	return out
}

func elasticOut(levels []workload.Level) (out []clusy.Level) {
	for _, l := range levels {
		out = append(out, clusy.Level{Size: sizeOut(l.Size), Speed: sizeOut(l.Speed)})
	}
	return out
}

// sizeIn reads a multiple in thousandths. What is absurd becomes a size that
// nothing has.
func sizeIn(f float64) int {
	if !(f > 0 && f <= 1000) {
		return 0
	}
	return int(math.Round(f * workload.Declared))
}

func sizeOut(n int) float64 { return float64(n) / workload.Declared }

// Seconds reads a number of seconds, to the microsecond.
func Seconds(s float64) time.Duration {
	return time.Duration(math.Round(s*1e6)) * time.Microsecond
}

// Grams writes an amount of carbon.
func Grams(c grid.Carbon) float64 { return float64(c) / float64(grid.Gram) }

// KWh writes an amount of energy.
func KWh(e grid.Energy) float64 { return float64(e) / float64(grid.KilowattHour) }

// PerKWh writes an intensity in g/kWh, nil if it is unknown.
func PerKWh(i grid.Intensity) *float64 {
	if !i.Known() {
		return nil
	}
	f := float64(i) / 1000
	return &f
}

// MoneyOut writes an amount of money, nil if its currency is not known.
func MoneyOut(m grid.Money, currency string) *clusy.Money {
	if currency == "" {
		return nil
	}
	return &clusy.Money{Amount: float64(m) / 1e6, Currency: currency}
}

func moneyIn(m clusy.Money) (grid.Money, string) {
	return grid.Money(math.Round(m.Amount * 1e6)), m.Currency
}

// instant brings a time to the microsecond in UTC, as the store keeps it.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
