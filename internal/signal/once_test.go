package signal_test

import (
	"context"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/bundled"

	"clusy.io/clusy/internal/signal"
)

// However many workloads wait for a zone, and however often is looked, a source
// is asked once for each of its steps, and once for each of its forecasts.
func TestAskedOncePerStep(t *testing.T) {
	const workloads = 50
	p, source, sink := world(t)
	seer := &prophet{moody: source, forecast: foresight(t, bundled.TraceProvider), prices: func(grid.Zone, time.Time, time.Time) (grid.Prices, error) {
		return grid.Prices{}, nil
	}}
	p.Providers, p.Pricers = []signal.Provider{seer}, []signal.Pricer{seer}
	p.Wanted = func(context.Context) (zones []grid.Zone, err error) {
		for range workloads {
			zones = append(zones, "GB")
		}
		return zones, nil
	}
	step(t, p, sink, may20)
	source.asked, seer.foretold, seer.priced = 0, 0, 0
	for m := range 24 * 60 {
		step(t, p, sink, may20.Add(time.Duration(m+1)*time.Minute))
	}
	// A day has 24 steps; once in it the source is asked whether it has changed
	// its mind, with the question for the next step.
	if source.asked < 23 || source.asked > 25 || seer.foretold < 23 || seer.foretold > 24 || seer.priced < 23 || seer.priced > 24 {
		t.Errorf("in a day of %d workloads: asked %d times for values, %d for forecasts, %d for prices", workloads, source.asked, seer.foretold, seer.priced)
	}
	if end := sink.merged("GB").End(); may20.Add(24*time.Hour).Sub(end) > time.Hour {
		t.Errorf("it knows the values until %s only", end)
	}
}
