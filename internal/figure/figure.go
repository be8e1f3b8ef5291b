// Package figure draws values over time as SVG: step curves with a band, bars
// beneath them, marks across them. It knows nothing of Clusy. A drawing has no
// script and asks for nothing from elsewhere, goes light or dark with its
// reader, says all that it shows in words too, and is the same bytes each time.
package figure

import (
	"iter"
	"math"
	"time"
)

// Figure is a stretch of time [From, To) with panels beneath one another, all
// on one axis of time. Times are written in UTC.
type Figure struct {
	ID       string // begins every id inside, for pages with several; "figure" if empty
	Title    string
	From, To time.Time
	Width    int // in pixels; 960 if 0, never below 480
	Marks    []Mark
	Panels   []Panel
	Scales   []Scale
	Notes    []Note
}

// Scale compares amounts: a bar for each, from 0 to the greatest, beneath the
// axis of time.
type Scale struct {
	Name, Unit string
	Amounts    []Amount
}

// Amount is one of them. One that is not known has no bar, and says so.
type Amount struct {
	Label string
	Value float64 // at least 0; NaN: unknown
	Look  Look
}

// Mark is an instant that counts in every panel: now, or when all is due.
type Mark struct {
	At    time.Time
	Label string
	Due   bool // dashed and in the colour of limits
}

// Panel is one curve on a value axis of its own, and rows of bars beneath it.
type Panel struct {
	Name  string
	Unit  string
	Curve []Step
	Rows  []Row
}

// Step is a value that holds over [Start, End). NaN is unknown, and is drawn as
// a gap that says so.
type Step struct {
	Start, End time.Time
	Value      float64
	Low, High  float64 // the spread around Value; NaN: none
	Expected   bool    // else it was measured
}

// Row is a line of bars.
type Row struct {
	Label string
	Bars  []Bar
}

// Bar is a time [Start, End) that something takes.
type Bar struct {
	Start, End time.Time
	Look       Look
	Label      string // short: it stands in the bar or beside it
}

// Look is how a bar is drawn. Each differs from the others by more than colour.
type Look int

const (
	Planned  Look = iota // hatched
	Done                 // filled
	Compared             // an outline of dashes
	Rejected             // an outline of dots
)

// Note is a line of text beneath the drawing: a word for what it is, and what
// is to be said.
type Note struct{ Head, Text string }

// Words that the legend uses for what is drawn, and how they are drawn.
var looks = map[Look]struct{ class, says string }{
	Planned:  {"planned", "planned"},
	Done:     {"done", "ran"},
	Compared: {"compared", "baseline"},
	Rejected: {"rejected", "not taken"},
}

// known reports whether v is a number that can be drawn.
func known(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// axis returns the least and the greatest value of an axis for the curve, and
// the distance between its ticks. Zero is always on it: a curve that does not
// stand on zero looks better than it is.
func axis(curve []Step) (low, high, tick float64) {
	for _, s := range curve {
		for _, v := range []float64{s.Value, s.Low, s.High} {
			if known(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low == high {
		high = low + 1
	}
	tick = math.Pow(10, math.Floor(math.Log10((high-low)/3)))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(tick*f) <= 4.5 {
			tick *= f
			break
		}
	}
	return math.Floor(low/tick) * tick, math.Ceil(high/tick) * tick, tick
}

// levels are the values at which an axis has its ticks.
func levels(low, high, tick float64) iter.Seq[float64] {
	return func(yield func(float64) bool) {
		for i := 0; low+float64(i)*tick <= high+tick/2; i++ {
			if !yield(low + float64(i)*tick) {
				return
			}
		}
	}
}

var hours = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour,
}

// ticks returns instants on round hours between from and to, at most so many.
func ticks(from, to time.Time, most int) (out []time.Time, step time.Duration) {
	step = hours[len(hours)-1]
	for _, h := range hours {
		if to.Sub(from) <= h*time.Duration(most) {
			step = h
			break
		}
	}
	for t := from.UTC().Truncate(step); t.Before(to) && len(out) <= most; t = t.Add(step) {
		if !t.Before(from) {
			out = append(out, t)
		}
	}
	return out, step
}
