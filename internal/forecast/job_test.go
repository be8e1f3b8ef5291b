package forecast_test

import (
	"math"
	"testing"

	"clusy.io/clusy/internal/forecast"
)

// A night is dirty, the noon of the next day clean, and what is expected of it
// changes at midnight and in each hour.
func TestShift(t *testing.T) {
	actual := []float64{5, 4, 3, 9, 1, 1, 8, 2}
	const midnight = 3
	wrong := []float64{1, 2, 3, 4, 5, 6, 7, 8} // as if waiting never paid
	outlook := func(h int) []float64 {
		if h >= midnight {
			return actual[h:]
		}
		return wrong[h:]
	}
	truth := func(h int) []float64 { return actual[h:] }
	for _, c := range []struct {
		job  forecast.Job
		r    forecast.Replanning
		o    forecast.Outlook
		from int
		want float64
	}{
		{forecast.Job{Hours: 2, Slack: 4, Interruptible: true}, forecast.Once, truth, 0, 2},
		{forecast.Job{Hours: 2, Slack: 3, Interruptible: true}, forecast.Once, truth, 0, 4},
		{forecast.Job{Hours: 2, Slack: 3}, forecast.Once, truth, 0, 7},
		{forecast.Job{Hours: 2, Slack: 4, Interruptible: true}, forecast.Once, outlook, 0, 9},
		{forecast.Job{Hours: 2, Slack: 4, Interruptible: true}, forecast.Daily, outlook, 2, 3 + 1}, // it ran at 2, at midnight it learnt to wait
		{forecast.Job{Hours: 2, Slack: 4}, forecast.Daily, outlook, 2, 3 + 9},                      // in one piece it goes on
		{forecast.Job{Hours: 2, Slack: 3, Interruptible: true}, forecast.Hourly, outlook, 3, 2},
		{forecast.Job{Hours: 1, Slack: 0}, forecast.Hourly, outlook, 6, 8},
		{forecast.Job{Hours: 3, Slack: 0, Interruptible: true}, forecast.Hourly, truth, 0, 12}, // no slack: at once
	} {
		if got, ok := c.job.Shift(actual, c.from, midnight, c.r, c.o); !ok || got != c.want {
			t.Errorf("%s from %d, planned in way %d: %g %v, want %g", c.job, c.from, c.r, got, ok, c.want)
		}
	}
	// What is equal is done at once, whatever rounding makes of the sums.
	flat := []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}
	for _, j := range []forecast.Job{{Hours: 3, Slack: 5}, {Hours: 3, Slack: 5, Interruptible: true}} {
		if got, _ := j.Shift(actual, 0, 0, forecast.Once, func(int) []float64 { return flat }); got != 12 {
			t.Errorf("%s: %g, want the first three hours", j, got)
		}
	}
	if _, ok := (forecast.Job{Hours: 4, Slack: 5}).Shift(actual, 0, 0, forecast.Once, truth); ok {
		t.Error("a window that ends after the truth")
	}
	if _, ok := (forecast.Job{Hours: 4, Slack: 2}).Shift(actual, 0, 0, forecast.Once, func(int) []float64 { return flat[:3] }); ok {
		t.Error("an outlook that ends before the window")
	}
	if _, ok := (forecast.Job{Hours: 2}).Shift([]float64{1, math.NaN()}, 0, 0, forecast.Once, func(int) []float64 { return flat }); ok {
		t.Error("a sum of what is not known")
	}
	if s := (forecast.Job{Hours: 1, Slack: 6}).String(); s != "1 h, 6 h slack" {
		t.Error(s)
	}
}
