package figure

import (
	"math"
	"time"
)

// within returns the steps as far as they lie in [from, to), and what none of
// them tells of as unknown: a gap is never drawn as if the curve went on.
func within(steps []Step, from, to time.Time) (out []Step) {
	gap := func(until time.Time) {
		if from.Before(until) {
			out = append(out, Step{Start: from, End: until, Value: math.NaN(), Low: math.NaN(), High: math.NaN()})
		}
	}
	for _, s := range steps {
		if s.Start.Before(from) {
			s.Start = from
		}
		if s.End.After(to) {
			s.End = to
		}
		if s.Start.Before(s.End) {
			gap(s.Start)
			out = append(out, s)
			from = s.End
		}
	}
	gap(to)
	return out
}

// areas returns the stretches of known steps in [from, to), each without a gap.
func areas(steps []Step, from, to time.Time) (out [][]Step) {
	touches := false
	for _, s := range within(steps, from, to) {
		switch {
		case !known(s.Value):
			touches = false
		case touches:
			out[len(out)-1] = append(out[len(out)-1], s)
		default:
			out, touches = append(out, []Step{s}), true
		}
	}
	return out
}
