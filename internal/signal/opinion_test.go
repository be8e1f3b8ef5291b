package signal_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
)

// other is the bundled weeks under another name.
func other(t *testing.T, name string, scale float64) *moody {
	t.Helper()
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	var all []grid.Series
	for _, s := range trace {
		s.Estimated, s.Grade = false, grid.GradeA
		for i, v := range s.Values {
			if v.Known() {
				s.Values[i] = grid.Intensity(float64(v) * scale)
			}
		}
		all = append(all, s)
	}
	p, err := signal.Fixed(name, all...)
	if err != nil {
		t.Fatal(err)
	}
	return &moody{Provider: p}
}

// times multiplies what a source says after a time.
func times(factor float64, after time.Time) func(grid.Series) grid.Series {
	return func(s grid.Series) grid.Series {
		for i, v := range s.Values {
			if v.Known() && !s.Start.Add(time.Duration(i)*s.Step).Before(after) {
				s.Values[i] = min(grid.MaxIntensity, grid.Intensity(float64(v)*factor))
			}
		}
		return s
	}
}

// run steps each quarter of an hour, as long as it is told.
func run(t *testing.T, p *signal.Poller, sink *shelf, from time.Time, length time.Duration) time.Time {
	t.Helper()
	for at := from; at.Before(from.Add(length)); at = at.Add(15 * time.Minute) {
		step(t, p, sink, at)
	}
	return from.Add(length)
}

// Two sources that always differ by 40 % are two ways to reckon. When one of
// them drifts away it is found out, whichever it is: it is not believed, the
// other is, and all of it is on record. When they agree again, so is it.
func TestQuarantine(t *testing.T) {
	for _, liar := range []string{"first", "second"} {
		p, first, sink := world(t, "GB")
		second := other(t, "spare", 1.4)
		p.Providers = append(p.Providers, second)
		now := run(t, p, sink, may20, 36*time.Hour)
		if n := len(sink.told(signal.Quarantined)); n != 0 {
			t.Fatalf("%s: a steady difference is held against somebody: %v", liar, sink.notes)
		}
		source, honest := first, bundled.TraceProvider
		if liar == "first" {
			honest = "spare"
		} else {
			source = second
		}
		lied := now
		source.change = times(1.9, lied)
		now = run(t, p, sink, now, 14*time.Hour)
		told := sink.told(signal.Quarantined)
		if len(told) != 1 || told[0].Provider != source.Name() || told[0].Zone != "GB" || !strings.Contains(told[0].Reason, "farther") {
			t.Fatalf("%s lies by 90 %%: %+v", liar, told)
		}
		if h := health(t, p, "GB"); h.Quarantined[source.Name()] != told[0].Reason || len(h.Quarantined) != 1 {
			t.Errorf("%s: health %+v", liar, h)
		}
		for _, s := range p.Sources(now) {
			if want := source.Name() == s.Name; want != (s.Quarantined == 1) {
				t.Errorf("%s: %+v", liar, s)
			}
		}
		// What is newest is the honest one's.
		h := health(t, p, "GB")
		if h.Provider != honest || now.Sub(h.MeasuredUntil) > 4*time.Hour {
			t.Errorf("%s: measured until %s by %s at %s", liar, h.MeasuredUntil, h.Provider, now)
		}
		// It tells the truth again: back within hours, and on record.
		source.change = nil
		now = run(t, p, sink, now, 12*time.Hour)
		if told := sink.told(signal.Released); len(told) != 1 || told[0].Provider != source.Name() {
			t.Errorf("%s tells the truth again: %+v", liar, told)
		}
		if h := health(t, p, "GB"); len(h.Quarantined) != 0 {
			t.Errorf("%s: health %+v", liar, h)
		}
	}
}

// A second source that cannot be asked changes nothing.
func TestOpinionOfTheDead(t *testing.T) {
	p, _, sink := world(t, "GB")
	second := other(t, "spare", 1)
	second.err = errors.New("away")
	p.Providers = append(p.Providers, second)
	now := run(t, p, sink, may20, 24*time.Hour)
	if h := health(t, p, "GB"); len(sink.notes) != 0 || h.Grade != grid.GradeC || now.Sub(h.MeasuredUntil) > 90*time.Minute {
		t.Errorf("%+v, %v", h, sink.notes)
	}
	if second.asked == 0 || second.asked > 20 {
		t.Errorf("the dead one was asked %d times in a day", second.asked)
	}
}

// What a source changes of the past is a new revision, found within a day, and
// on record; what was is replaced.
func TestRevision(t *testing.T) {
	p, source, sink := world(t, "GB")
	now := run(t, p, sink, may20, 6*time.Hour)
	wrong := may20.Truncate(time.Hour).Add(-30 * time.Hour)
	source.change = func(s grid.Series) grid.Series {
		if i := int(wrong.Sub(s.Start) / s.Step); i >= 0 && i < len(s.Values) {
			s.Values[i] += 5000
		}
		return s
	}
	before, _ := sink.merged("GB").At(wrong)
	now = run(t, p, sink, now, 25*time.Hour)
	after, _ := sink.merged("GB").At(wrong)
	told := sink.told(signal.Revised)
	if after.Value != before.Value+5000 || len(told) != 1 || told[0].Zone != "GB" || !strings.Contains(told[0].Reason, "1 of 24 values") || !strings.Contains(told[0].Reason, "5 g/kWh") {
		t.Errorf("%d became %d, told %+v", before.Value, after.Value, told)
	}
	revised := 0
	for _, s := range sink.measured {
		if s.Revision > 0 {
			revised++
		}
	}
	if revised != 1 {
		t.Errorf("%d series of a later revision, want 1", revised)
	}
	// It is told once.
	if run(t, p, sink, now, 30*time.Hour); len(sink.told(signal.Revised)) != 1 {
		t.Errorf("told again: %v", sink.notes)
	}
}

// prophet is a source that also makes forecasts and tells prices.
type prophet struct {
	*moody
	forecast func(zone grid.Zone, now time.Time) (grid.Series, error)
	prices   func(zone grid.Zone, from, now time.Time) (grid.Prices, error)
	foretold int
	priced   int
}

func (p *prophet) Forecast(_ context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.foretold++
	return p.forecast(zone, now)
}

func (p *prophet) Prices(_ context.Context, zone grid.Zone, from, _, now time.Time) (grid.Prices, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.priced++
	return p.prices(zone, from, now)
}

// foresight is the truth, told in advance at six in the morning.
func foresight(t *testing.T, name string) func(grid.Zone, time.Time) (grid.Series, error) {
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	return func(zone grid.Zone, now time.Time) (grid.Series, error) {
		truth, ok := trace[zone]
		if !ok {
			return grid.Series{}, signal.NoZone(name, zone)
		}
		s := grid.Series{Provenance: truth.Provenance, Start: now.Add(-6 * time.Hour).Truncate(24 * time.Hour).Add(6 * time.Hour), Step: time.Hour}
		s.Provider, s.Issued, s.Estimated, s.Ref, s.Grade = name, s.Start, true, "", grid.GradeA
		for h := range 96 {
			r, _ := truth.At(s.Start.Add(time.Duration(h) * time.Hour))
			s.Values = append(s.Values, r.Value)
		}
		return s, nil
	}
}

// A provider's forecast is asked for each hour, and stored once for each issue.
func TestForecastsOfProviders(t *testing.T) {
	p, source, sink := world(t, "GB")
	seer := &prophet{moody: source, forecast: foresight(t, bundled.TraceProvider), prices: func(grid.Zone, time.Time, time.Time) (grid.Prices, error) {
		return grid.Prices{}, nil
	}}
	p.Providers, p.Pricers = []signal.Provider{seer}, []signal.Pricer{seer}
	run(t, p, sink, may20, 30*time.Hour)
	if len(sink.issued) != 2 || sink.issued[0].Provider != bundled.TraceProvider || sink.issued[0].Ref != sink.issued[0].Digest() {
		t.Errorf("%d forecasts of a provider that issues one a day", len(sink.issued))
	}
	if seer.foretold < 23 || seer.foretold > 31 {
		t.Errorf("it was asked %d times in 30 hours", seer.foretold)
	}
	if s := p.Sources(may20)[0]; strings.Join(s.Offers, " ") != "history forecast prices" || s.Zones != 1 {
		t.Errorf("%+v", s)
	}
	// A new process does not store what is stored.
	again := &signal.Poller{Providers: p.Providers, Wanted: p.Wanted, Sink: sink, Climatology: p.Climatology}
	step(t, again, sink, may20.Add(30*time.Hour))
	if len(sink.issued) != 2 {
		t.Errorf("after a restart: %d forecasts", len(sink.issued))
	}
}

// Forecasts that must not be planned on.
func TestGateOfForecasts(t *testing.T) {
	for what, c := range map[string]struct {
		lie  func(*grid.Series)
		want string
	}{
		"another zone":   {func(s *grid.Series) { s.Zone = "FR" }, "answers for FR"},
		"another name":   {func(s *grid.Series) { s.Provider = "else" }, "signs as"},
		"another basis":  {func(s *grid.Series) { s.Basis.Signal = grid.Marginal }, "never mixed"},
		"of the future":  {func(s *grid.Series) { s.Issued = may20.Add(time.Hour) }, "still to come"},
		"of long ago":    {func(s *grid.Series) { s.Issued = may20.Add(-49 * time.Hour) }, "ago"},
		"over by now":    {func(s *grid.Series) { s.Start = s.Start.Add(-96 * time.Hour) }, "ends at"},
		"later only":     {func(s *grid.Series) { s.Start = s.Start.Add(48 * time.Hour) }, "begins only"},
		"for years":      {func(s *grid.Series) { s.Step = 24 * time.Hour }, "reaches to"},
		"in kilograms":   {func(s *grid.Series) { s.Values[40] = 300 }, "far below"},
		"of another day": {func(s *grid.Series) { s.Values[40] = 2_900_000 }, "far above"},
		"mostly nothing": {func(s *grid.Series) {
			for i := range s.Values {
				if i%3 > 0 {
					s.Values[i] = grid.Unknown
				}
			}
		}, "gaps"},
		"one value": {func(s *grid.Series) {
			for i := range s.Values {
				s.Values[i] = 200_000
			}
		}, "repeats one value"},
		"not a value": {func(s *grid.Series) { s.Values[3] = -7 }, "-7"},
	} {
		p, source, sink := world(t, "GB")
		truth := foresight(t, bundled.TraceProvider)
		p.Providers = []signal.Provider{&prophet{moody: source, forecast: func(z grid.Zone, now time.Time) (grid.Series, error) {
			s, err := truth(z, now)
			c.lie(&s)
			return s, err
		}, prices: func(grid.Zone, time.Time, time.Time) (grid.Prices, error) { return grid.Prices{}, nil }}}
		step(t, p, sink, may20)
		step(t, p, sink, may20.Add(10*time.Minute))
		told := sink.told(signal.Refused)
		if len(sink.issued) != 0 || len(told) != 1 || !strings.Contains(told[0].Reason, c.want) {
			t.Errorf("%s: %d stored, told %+v, want %q", what, len(sink.issued), told, c.want)
		}
		if f := sink.last(); len(f.Values) == 0 || f.Grade > grid.GradeC {
			t.Errorf("%s: the forecast in use is of grade %s", what, f.Grade)
		}
	}
}

// Prices of today and tomorrow are asked for each hour; lies are refused.
func TestPricesOfProviders(t *testing.T) {
	good := func(zone grid.Zone, from, now time.Time) (grid.Prices, error) {
		return grid.Prices{Provider: bundled.TraceProvider, Zone: zone, Issued: now, Currency: "EUR", Start: from, Step: time.Hour, Values: []grid.Rate{100_000, -5_000}}, nil
	}
	for what, c := range map[string]struct {
		lie  func(*grid.Prices)
		want string
	}{
		"sound":          {func(*grid.Prices) {}, ""},
		"another zone":   {func(p *grid.Prices) { p.Zone = "FR" }, "answers for FR"},
		"another name":   {func(p *grid.Prices) { p.Provider = "else" }, "signs as"},
		"of the future":  {func(p *grid.Prices) { p.Issued = may20.Add(time.Hour) }, "still to come"},
		"of last year":   {func(p *grid.Prices) { p.Start = p.Start.AddDate(-1, 0, 0) }, "asked for today"},
		"beyond belief":  {func(p *grid.Prices) { p.Values[0] = grid.MaxRate + 1 }, "at most 100"},
		"of no currency": {func(p *grid.Prices) { p.Currency = "" }, "currency"},
	} {
		p, source, sink := world(t, "GB")
		seer := &prophet{moody: source, forecast: func(grid.Zone, time.Time) (grid.Series, error) { return grid.Series{}, nil }}
		seer.prices = func(zone grid.Zone, from, now time.Time) (grid.Prices, error) {
			prices, err := good(zone, from, now)
			c.lie(&prices)
			return prices, err
		}
		p.Providers, p.Pricers = []signal.Provider{seer}, []signal.Pricer{seer}
		step(t, p, sink, may20)
		step(t, p, sink, may20.Add(20*time.Minute))
		told := sink.told(signal.Refused)
		if c.want == "" && (len(sink.prices) != 1 || len(told) != 0 || seer.priced != 1) {
			t.Errorf("%s: %d stored, told %+v, asked %d times", what, len(sink.prices), told, seer.priced)
		}
		if c.want != "" && (len(sink.prices) != 0 || len(told) != 1 || !strings.Contains(told[0].Reason, c.want)) {
			t.Errorf("%s: %d stored, told %+v, want %q", what, len(sink.prices), told, c.want)
		}
	}
}

// A source that asks to be left alone is left alone, and its zones go on.
func TestWait(t *testing.T) {
	p, source, sink := world(t, "GB")
	source.err = &signal.Wait{Until: may20.Add(3 * time.Hour), Why: "429 Too Many Requests"}
	run(t, p, sink, may20, 3*time.Hour)
	if source.asked != 1 {
		t.Errorf("asked %d times before it may be", source.asked)
	}
	if h := health(t, p, "GB"); !strings.Contains(h.LastError, "429") || h.Grade != grid.GradeD {
		t.Errorf("%+v", h)
	}
	source.err = nil
	step(t, p, sink, may20.Add(3*time.Hour+10*time.Minute))
	if h := health(t, p, "GB"); h.Grade != grid.GradeC {
		t.Errorf("it may be asked again: %+v", h)
	}
	// A zone that no source has is asked for once a day.
	p, source, sink = world(t, "PL")
	run(t, p, sink, may20, 20*time.Hour)
	if source.asked != 1 {
		t.Errorf("asked %d times for a zone that it does not have", source.asked)
	}
}

// A source of another basis is not asked at all.
func TestOtherBasis(t *testing.T) {
	p, source, sink := world(t, "GB")
	p.Basis = grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}
	p.Providers = []signal.Provider{based{source}}
	step(t, p, sink, may20)
	if source.asked != 0 || len(sink.measured) != 0 {
		t.Errorf("asked %d times", source.asked)
	}
}

type based struct{ *moody }

func (based) Basis() grid.Basis { return grid.AverageLifecycle }

// A restart in the middle of a lie does not make it the truth; that comes when
// the source agrees with the other again, as it would have without.
func TestQuarantineOutlivesARestart(t *testing.T) {
	p, first, sink := world(t, "GB")
	second := other(t, "spare", 1.4)
	p.Providers = append(p.Providers, second)
	now := run(t, p, sink, may20, 36*time.Hour)
	first.change = times(1.9, now)
	now = run(t, p, sink, now, 14*time.Hour)
	if len(sink.told(signal.Quarantined)) != 1 {
		t.Fatalf("notes: %v", sink.notes)
	}
	again := &signal.Poller{Providers: p.Providers, Wanted: p.Wanted, Sink: sink, Climatology: p.Climatology}
	now = run(t, again, sink, now, 20*time.Hour)
	if h := health(t, again, "GB"); len(h.Quarantined) != 1 || h.Provider != "spare" {
		t.Errorf("after a restart the liar is believed: %+v", h)
	}
	first.change = nil
	now = run(t, again, sink, now, 14*time.Hour)
	if h := health(t, again, "GB"); len(h.Quarantined) != 0 || len(sink.told(signal.Released)) != 1 {
		t.Errorf("it tells the truth again: %+v, %v", h, sink.notes)
	}
	// And what is over is not remembered.
	later := &signal.Poller{Providers: p.Providers, Wanted: p.Wanted, Sink: sink, Climatology: p.Climatology}
	step(t, later, sink, now)
	if h := health(t, later, "GB"); len(h.Quarantined) != 0 {
		t.Errorf("what is over comes back: %+v", h)
	}
}

// A source whose only judge is away for a day is let out: a zone must not go
// without signals for good.
func TestParole(t *testing.T) {
	p, first, sink := world(t, "GB")
	second := other(t, "spare", 1)
	p.Providers = append(p.Providers, second)
	now := run(t, p, sink, may20, 36*time.Hour)
	first.change = times(1.9, now)
	now = run(t, p, sink, now, 14*time.Hour)
	second.err = errors.New("away")
	now = run(t, p, sink, now, 20*time.Hour)
	if h := health(t, p, "GB"); len(h.Quarantined) != 1 {
		t.Fatalf("before a day is over: %+v", h)
	}
	now = run(t, p, sink, now, 8*time.Hour)
	told := sink.told(signal.Released)
	if h := health(t, p, "GB"); len(h.Quarantined) != 0 || len(told) != 1 || !strings.Contains(told[0].Reason, "no other source") || now.Sub(h.MeasuredUntil) > 2*time.Hour {
		t.Errorf("after a day without a judge: %+v, %v", h, told)
	}
}

// Zero is a value that can be wrong like any other.
func TestZeroIsDoubted(t *testing.T) {
	p, first, sink := world(t, "GB")
	p.Climatology, p.Annual = forecast.Climatology{}, nil // so that no limits refuse it first
	second := other(t, "spare", 1)
	p.Providers = append(p.Providers, second)
	now := run(t, p, sink, may20.Add(-19*24*time.Hour), 5*24*time.Hour)
	first.change = times(0, now)
	run(t, p, sink, now, 14*time.Hour)
	if told := sink.told(signal.Quarantined); len(told) != 1 || told[0].Provider != bundled.TraceProvider {
		t.Errorf("a source that says 0: %v", sink.notes)
	}
}
