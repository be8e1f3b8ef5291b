package signal_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
)

// A plan that does not include forecasts is common: that a source is left alone
// with them for hours does not keep its values from being asked for.
func TestAForecastThatIsRefusedHoldsUpNoValues(t *testing.T) {
	p, source, sink := world(t, "GB")
	var until time.Time
	seer := &prophet{moody: source, forecast: func(_ grid.Zone, now time.Time) (grid.Series, error) {
		if !now.Before(until) {
			until = now.Add(6 * time.Hour)
		}
		return grid.Series{}, &signal.Wait{Until: until, Why: "the plan does not include forecasts"}
	}}
	p.Providers = []signal.Provider{seer}
	for m := range 12 * 60 {
		now := may20.Add(time.Duration(m) * time.Minute)
		step(t, p, sink, now)
		if late := now.Sub(health(t, p, "GB").MeasuredUntil); late > 2*time.Hour {
			t.Fatalf("after %d minutes the newest value is %s old", m, late)
		}
	}
	if source.asked > 14 || seer.foretold > 4 {
		t.Errorf("in twelve hours: asked %d times for values, %d for forecasts", source.asked, seer.foretold)
	}
}

// A source that publishes hours late has nothing new most of the time: it is
// not asked the more often for it.
func TestASourceThatIsLateIsAskedNowAndThen(t *testing.T) {
	p, source, sink := world(t, "GB")
	behind := &lagging{source, 150 * time.Minute}
	p.Providers = []signal.Provider{behind}
	step(t, p, sink, may20)
	source.asked = 0
	for m := range 10 * 60 {
		step(t, p, sink, may20.Add(time.Duration(m+1)*time.Minute))
	}
	if source.asked > 10*13 {
		t.Errorf("in ten hours it was asked %d times, want one in five minutes at most, and one more for each value", source.asked)
	}
	if late := may20.Add(10 * time.Hour).Sub(health(t, p, "GB").MeasuredUntil); late > 4*time.Hour {
		t.Errorf("the newest value is %s old", late)
	}
}

// The second source of prices is asked where the first has none, and not
// because the first has just answered.
func TestPricesAreOfTheFirstThatHasAny(t *testing.T) {
	p, source, sink := world(t, "GB")
	priced := func(name string) func(grid.Zone, time.Time, time.Time) (grid.Prices, error) {
		return func(zone grid.Zone, from, now time.Time) (grid.Prices, error) {
			s := grid.Prices{Provider: name, Zone: zone, Currency: "EUR", Issued: now, Start: from, Step: time.Hour}
			for range 24 {
				s.Values = append(s.Values, 50)
			}
			return s, nil
		}
	}
	first := &prophet{moody: source, prices: priced(bundled.TraceProvider)}
	second := &prophet{moody: &moody{Provider: named{source, "second"}}, prices: priced("second")}
	p.Pricers = []signal.Pricer{first, second}
	for m := range 180 {
		step(t, p, sink, may20.Add(time.Duration(m)*time.Minute))
	}
	if first.priced < 3 || second.priced != 0 {
		t.Errorf("the first was asked %d times for prices, and the second %d times", first.priced, second.priced)
	}
}

// lagging publishes its values a while after their steps have ended.
type lagging struct {
	*moody
	behind time.Duration
}

func (l *lagging) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	return l.moody.History(ctx, zone, from, to, now.Add(-l.behind))
}

// named is a source under another name.
type named struct {
	signal.Provider
	name string
}

func (n named) Name() string { return n.name }

// What a source has said for hours does not make a jump away from it any
// likelier.
func TestAJumpAfterAFlatStretch(t *testing.T) {
	p, source, sink := world(t, "GB")
	flat := may20.Truncate(time.Hour)
	source.change = func(s grid.Series) grid.Series {
		for i := range s.Values {
			switch h := s.Start.Add(time.Duration(i) * s.Step).Sub(flat); {
			case h >= 0 && h < 5*time.Hour:
				s.Values[i] = 150_000
			case h == 5*time.Hour:
				s.Values[i] = 600_000
			}
		}
		return s
	}
	for h := range 7 {
		step(t, p, sink, may20.Add(time.Duration(h)*time.Hour))
	}
	if r, ok := sink.merged("GB").At(flat.Add(5 * time.Hour)); ok {
		t.Errorf("after five hours of 150 g/kWh, one of %s is believed", r.Value)
	}
	if told := sink.told(signal.Refused); len(told) != 1 || !strings.Contains(told[0].Reason, "jump") {
		t.Errorf("it was told %v", told)
	}
}

// A source that is stuck is found out hour by hour as well as in one answer.
func TestAStuckSourceThatIsAskedEachHour(t *testing.T) {
	p, source, sink := world(t, "GB")
	stuck := may20.Truncate(time.Hour)
	source.change = func(s grid.Series) grid.Series {
		for i := range s.Values {
			if !s.Start.Add(time.Duration(i) * s.Step).Before(stuck) {
				s.Values[i] = 150_000
			}
		}
		return s
	}
	for m := range 15 * 12 {
		step(t, p, sink, may20.Add(time.Duration(m)*5*time.Minute))
	}
	if end := sink.merged("GB").End(); end.Sub(stuck) > 7*time.Hour {
		t.Errorf("one value is believed for %s", end.Sub(stuck))
	}
}

// Nor is a stuck source believed anew each time that another has stood in.
func TestAStuckSourceBesideAnother(t *testing.T) {
	p, source, sink := world(t, "GB")
	stuck := may20.Truncate(time.Hour)
	source.change = func(s grid.Series) grid.Series {
		for i := range s.Values {
			if !s.Start.Add(time.Duration(i) * s.Step).Before(stuck) {
				s.Values[i] = 150_000
			}
		}
		return s
	}
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	second, err := signal.Fixed("second", trace["GB"])
	if err != nil {
		t.Fatal(err)
	}
	p.Providers = append(p.Providers, second)
	for m := range 24 * 12 {
		step(t, p, sink, may20.Add(time.Duration(m)*5*time.Minute))
	}
	told := 0
	for _, s := range late(sink.measured, "GB", stuck) {
		for i, v := range s.Values {
			if s.Provider == source.Name() && v == 150_000 && !s.Start.Add(time.Duration(i)*s.Step).Before(stuck) {
				told++
			}
		}
	}
	if told > 7 {
		t.Errorf("one value is believed for %d hours", told)
	}
	if end := sink.merged("GB").End(); may20.Add(24*time.Hour).Sub(end) > 5*time.Hour {
		t.Errorf("the other stands in until %s only", end)
	}
}
