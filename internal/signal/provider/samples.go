package provider

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// told is one value of a source and the start of the step that it holds for.
type told struct {
	at        time.Time
	value     float64 // in the source's unit; NaN: not told
	estimated bool
}

// mostSteps bounds the line that samples are laid on, gaps filled: two months
// of five minutes.
const mostSteps = 20_000

// spread lays samples on a line of equal steps and fills gaps with what is not
// known. Samples must rise; step 0 means the smallest distance between two of
// them. What lies far from the time asked for is an error, as is a distance
// that is no whole number of steps.
func spread(samples []told, step time.Duration, from, to time.Time) (board, []told, error) {
	if len(samples) == 0 {
		return board{}, nil, errNoData
	}
	for i, s := range samples {
		if s.at.Before(from.Add(-besides)) || s.at.After(to.Add(besides)) {
			return board{}, nil, fmt.Errorf("value %d is of %s, asked was %s to %s", i+1, s.at.Format(time.RFC3339), from.Format(time.RFC3339), to.Format(time.RFC3339))
		}
		if i == 0 {
			continue
		}
		gap := s.at.Sub(samples[i-1].at)
		if gap == 0 {
			return board{}, nil, fmt.Errorf("value %d: %s is there twice", i+1, s.at.Format(time.RFC3339))
		}
		if gap < 0 {
			return board{}, nil, fmt.Errorf("value %d: %s is before %s, the time of the value before it", i+1, s.at.Format(time.RFC3339), samples[i-1].at.Format(time.RFC3339))
		}
	}
	if step == 0 {
		if len(samples) < 2 {
			return board{}, nil, errors.New("one value does not tell the length of its step")
		}
		step = samples[1].at.Sub(samples[0].at)
		for i := 2; i < len(samples); i++ {
			step = min(step, samples[i].at.Sub(samples[i-1].at))
		}
	}
	if step < time.Minute || step > 24*time.Hour || step%time.Minute != 0 {
		return board{}, nil, fmt.Errorf("a step of %s, want whole minutes, 1 min to 24 h", step)
	}
	first, last := samples[0].at, samples[len(samples)-1].at
	if !first.Truncate(time.Minute).Equal(first) {
		return board{}, nil, fmt.Errorf("%s is not on a whole minute", first.Format(time.RFC3339Nano))
	}
	b := board{start: first, step: step, steps: int(last.Sub(first)/step) + 1}
	if b.steps > mostSteps {
		return board{}, nil, fmt.Errorf("%d steps of %s with gaps filled, want at most %d", b.steps, step, mostSteps)
	}
	line := make([]told, b.steps)
	for i := range line {
		line[i] = told{at: first.Add(time.Duration(i) * step), value: math.NaN()}
	}
	for i, s := range samples {
		d := s.at.Sub(first)
		if d%step != 0 {
			return board{}, nil, fmt.Errorf("value %d: %s is on no step of %s from %s", i+1, s.at.Format(time.RFC3339), step, first.Format(time.RFC3339))
		}
		line[d/step] = s
	}
	return b, line, nil
}

// inOrder sorts samples by time, for sources that promise no order.
func inOrder(samples []told) []told {
	slices.SortStableFunc(samples, func(a, b told) int { return a.at.Compare(b.at) })
	return samples
}
