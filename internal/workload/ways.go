package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxWays is how many kinds of hardware work can name besides its own.
const MaxWays = 4

// MaxGang is how many processes can start together.
const MaxGang = 1024

// MaxGPUs is how many accelerators are believed, of a demand and of a site.
const MaxGPUs = 1 << 20

// IsGPUType reports whether a text can be a type of accelerator: a lower-case
// DNS label of at most 32 characters.
func IsGPUType(s string) bool { return label(s, 32) }

// Has returns how many accelerators of a type are in r.
func (r Resources) Has(kind string) int64 {
	for _, g := range r.GPUs {
		if g.Type == kind && kind != "" {
			return g.Count
		}
	}
	return 0
}

// GPU returns the accelerators that a demand is for; the zero GPU if for none.
func (r Resources) GPU() GPU {
	for _, g := range r.GPUs {
		if g.Count > 0 {
			return g
		}
	}
	return GPU{}
}

// Cards puts accelerators into the order that they have in Resources: by type,
// each type once. What is beyond the most types that there can be is left out.
func Cards(gs ...GPU) (out [MostGPUs]GPU) {
	return cards(out, out, gs...)
}

// cards adds up accelerators by type.
func cards(a, b [MostGPUs]GPU, more ...GPU) (out [MostGPUs]GPU) {
	if len(more) == 0 && b == out {
		return a
	}
	var all []GPU
	for _, g := range slices.Concat(a[:], b[:], more) {
		i := slices.IndexFunc(all, func(x GPU) bool { return x.Type == g.Type })
		switch {
		case g.Type == "" || g.Count <= 0:
		case i >= 0:
			all[i].Count = add(all[i].Count, g.Count)
		default:
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(x, y GPU) int { return cmp.Compare(x.Type, y.Type) })
	copy(out[:], all)
	return out
}

// On returns the shape as it is on one of its kinds of hardware: with the
// duration, the power and the demand of that way. 0, and a way that there is
// not, is the shape's own.
func (s Shape) On(way int) Shape {
	if way > 0 && way <= len(s.Ways) {
		w := s.Ways[way-1]
		s.Duration, s.Power, s.Demand = w.Duration, w.Power, w.Demand
	}
	return s
}

// Quickest returns the least that is booked for the work on any of its kinds
// of hardware, and the least that is expected.
func (s Shape) Quickest() (booked, expected time.Duration) {
	booked, expected = s.Duration.Booked(), s.Duration.Expected
	for _, w := range s.Ways {
		booked, expected = min(booked, w.Duration.Booked()), min(expected, w.Duration.Expected)
	}
	return booked, expected
}

// hardware calls bad with what is wrong with the accelerators of a demand.
func hardware(gs [MostGPUs]GPU, bad func(value, limit, nearest, message string)) {
	types := 0
	for _, g := range gs {
		switch {
		case g == (GPU{}):
			continue
		case !IsGPUType(g.Type):
			near := ""
			if low := strings.ToLower(g.Type); IsGPUType(low) {
				near = low
			}
			bad("", "1 to 32 small letters, digits and -", near, "not a type of accelerator, such as a100")
		case g.Count < 1 || g.Count > MaxGPUs:
			bad(fmt.Sprint(g.Count), fmt.Sprintf("1 to %d", MaxGPUs), "1", "not a number of accelerators")
		}
		types++
	}
	if types > 1 {
		bad(fmt.Sprintf("%d types", types), "1 type", "", "work runs on one type of accelerator at a time; name others as alternatives")
	}
}

// kinds returns the rules that the hardware of s breaks.
func (s Shape) kinds(bad func(pointer, value, limit, nearest, format string, args ...any)) {
	hardware(s.Demand.GPUs, func(value, limit, nearest, message string) { bad("/gpus", value, limit, nearest, "%s", message) })
	if len(s.Ways) > MaxWays {
		bad("/alternatives", fmt.Sprintf("%d kinds of hardware", len(s.Ways)), fmt.Sprintf("at most %d", MaxWays), "", "too many alternatives")
		return
	}
	for n, w := range s.Ways {
		at := fmt.Sprintf("/alternatives/%d", n)
		d := w.Duration
		switch {
		case d.Expected <= 0 || d.Expected > MaxDuration:
			bad(at+"/duration/expectedSeconds", d.Expected.String(), "more than 0, at most a year", "", "the expected duration is none")
		case d.P95 < d.Expected:
			bad(at+"/duration/p95Seconds", d.P95.String(), "≥ "+d.Expected.String(), d.Expected.String(), "p95 is shorter than the expected duration")
		case d.Max < d.Expected:
			bad(at+"/duration/maxSeconds", d.Max.String(), "≥ "+d.Expected.String(), d.P95.String(), "work would be killed before its expected end")
		case s.Interruptible.MinRun > d.Expected:
			bad("/interruptible/minRunSeconds", s.Interruptible.MinRun.String(), "≤ "+d.Expected.String(), d.Expected.String(), "minRun is longer than the work on one of its alternatives")
		}
		if w.Power < 0 {
			bad(at+"/watts", w.Power.String(), "≥ 0", "", "power cannot be below 0")
		}
		hardware(w.Demand.GPUs, func(value, limit, nearest, message string) { bad(at+"/gpus", value, limit, nearest, "%s", message) })
	}
	if s.Size < 0 || s.Size > MaxGang {
		bad("/gang", fmt.Sprint(s.Size), fmt.Sprintf("1 to %d", MaxGang), "1", "not a number of processes")
	}
}
