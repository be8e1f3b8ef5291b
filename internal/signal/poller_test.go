package signal_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
)

// shelf is a Sink in memory, which checks what every Sink may rely on.
type shelf struct {
	t   *testing.T
	now time.Time

	mu        sync.Mutex
	measured  []grid.Series
	forecasts []grid.Series
	issued    []grid.Series
	prices    []grid.Prices
	notes     []signal.Note
	puts      int // of measured series
	broken    error
}

func (s *shelf) Put(_ context.Context, now time.Time, b signal.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if s.now.IsZero() {
		s.now = now // Run reads the clock itself
		defer func() { s.now = time.Time{} }()
	}
	if !now.Equal(s.now) {
		s.t.Errorf("at %s it stores as of %s", s.now, now)
	}
	for _, f := range b.Found {
		s.check(f)
		switch f.Kind {
		case grid.Forecast:
			s.forecasts = append(s.forecasts, f.Series)
		case grid.Issued:
			s.issued = append(s.issued, f.Series)
		case grid.Measured:
			s.puts++
			s.measured = slices.DeleteFunc(s.measured, func(x grid.Series) bool { return x.Ref == f.Replaces })
			s.measured = append(s.measured, f.Series)
		}
	}
	s.prices, s.notes = append(s.prices, b.Prices...), append(s.notes, b.Notes...)
	return nil
}

// check is what every Sink relies on.
func (s *shelf) check(f signal.Found) {
	x := f.Series
	if err := x.Validate(); err != nil {
		s.t.Errorf("stored what does not pass the gate: %v", err)
	}
	if x.Issued.After(s.now) {
		s.t.Errorf("at %s it stored what was issued at %s", s.now, x.Issued)
	}
	if f.Kind != grid.Measured {
		return
	}
	if n := len(x.Values); n == 0 || !x.Values[0].Known() || !x.Values[n-1].Known() {
		s.t.Errorf("stored a measured series that begins or ends with nothing: %v", x.Values)
	}
	if x.End().After(s.now) {
		s.t.Errorf("at %s it stored a measured value that ends at %s", s.now, x.End())
	}
	if x.Ref != x.Digest() {
		s.t.Errorf("stored a series under another name than its own")
	}
	if f.Replaces == "" {
		return
	}
	i := slices.IndexFunc(s.measured, func(o grid.Series) bool { return o.Ref == f.Replaces })
	if i < 0 || s.measured[i].Zone != x.Zone || s.measured[i].Provider != x.Provider || s.measured[i].Issued.After(x.Issued) {
		s.t.Errorf("replaces what is not there, or is of another: %s", f.Replaces)
	}
}

func (s *shelf) Measured(_ context.Context, zone grid.Zone, since time.Time) ([]grid.Series, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	return late(s.measured, zone, since), nil
}

func (s *shelf) Quarantines(context.Context) (open []signal.Note, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.notes {
		open = slices.DeleteFunc(open, func(o signal.Note) bool {
			return o.Zone == n.Zone && o.Provider == n.Provider && (n.Kind == signal.Released || n.Kind == signal.Quarantined)
		})
		if n.Kind == signal.Quarantined {
			open = append(open, n)
		}
	}
	return open, nil
}

func (s *shelf) Issued(_ context.Context, zone grid.Zone, since time.Time) ([]grid.Series, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return late(s.issued, zone, since), s.broken
}

func late(all []grid.Series, zone grid.Zone, since time.Time) (late []grid.Series) {
	for _, x := range all {
		if x.Zone == zone && x.End().After(since) {
			late = append(late, x)
		}
	}
	return late
}

// merged is all that is stored as measured of a zone.
func (s *shelf) merged(zone grid.Zone) grid.Series {
	return signal.Merge(zone, grid.AverageLifecycle, late(s.measured, zone, time.Time{}))
}

// told returns the notes of a kind.
func (s *shelf) told(kind signal.NoteKind) (notes []signal.Note) {
	for _, n := range s.notes {
		if n.Kind == kind {
			notes = append(notes, n)
		}
	}
	return notes
}

// last returns the newest forecast.
func (s *shelf) last() grid.Series {
	if len(s.forecasts) == 0 {
		return grid.Series{}
	}
	return s.forecasts[len(s.forecasts)-1]
}

// moody is a provider that does as it is told.
type moody struct {
	signal.Provider
	mu     sync.Mutex
	err    error
	change func(grid.Series) grid.Series
	asked  int
}

func (m *moody) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.err != nil {
		return grid.Series{}, m.err
	}
	s, err := m.Provider.History(ctx, zone, from, to, now)
	if m.change != nil && err == nil && len(s.Values) > 0 {
		s = m.change(s)
	}
	return s, err
}

func wants(zones ...grid.Zone) func(context.Context) ([]grid.Zone, error) {
	return func(context.Context) ([]grid.Zone, error) { return zones, nil }
}

// world returns a poller of the bundled weeks, its provider and its shelf.
func world(t *testing.T, zones ...grid.Zone) (*signal.Poller, *moody, *shelf) {
	t.Helper()
	p, err := bundled.Provider()
	if err != nil {
		t.Fatal(err)
	}
	clim, err := bundled.Climatology()
	if err != nil {
		t.Fatal(err)
	}
	annual, err := bundled.Annual()
	if err != nil {
		t.Fatal(err)
	}
	source, sink := &moody{Provider: p}, &shelf{t: t}
	return &signal.Poller{
		Providers: []signal.Provider{source}, Wanted: wants(zones...), Sink: sink, Climatology: clim, Annual: annual,
	}, source, sink
}

// may20 is well inside the bundled weeks.
var may20 = time.Date(2023, 5, 20, 9, 30, 0, 0, time.UTC)

func step(t *testing.T, p *signal.Poller, s *shelf, now time.Time) {
	t.Helper()
	s.now = now
	if err := p.Step(t.Context(), now); err != nil {
		t.Fatalf("at %s: %v", now, err)
	}
}

func health(t *testing.T, p *signal.Poller, zone grid.Zone) signal.Health {
	t.Helper()
	for _, h := range p.Health() {
		if h.Zone == zone {
			return h
		}
	}
	t.Fatalf("no health of %s in %v", zone, p.Health())
	return signal.Health{}
}

func TestPollerFetchesAndForecasts(t *testing.T) {
	p, source, sink := world(t, "GB")
	step(t, p, sink, may20)
	// The first fetch goes back to the first bundled hour, and ends with the
	// last hour that has ended: a series a day.
	have := sink.merged("GB")
	if want := int(may20.Sub(have.Start) / (24 * time.Hour)); len(sink.measured) != want+1 || len(sink.forecasts) != 1 || source.asked != 1 {
		t.Fatalf("first step: %d measured from %s, %d forecasts, asked %d times", len(sink.measured), have.Start, len(sink.forecasts), source.asked)
	}
	if !have.End().Equal(may20.Truncate(time.Hour)) {
		t.Errorf("first fetch: %s to %s", have.Start, have.End())
	}
	for _, d := range sink.measured {
		if d.End().Sub(d.Start.Truncate(24*time.Hour)) > 24*time.Hour {
			t.Errorf("a series from %s to %s is of more than one day", d.Start, d.End())
		}
	}
	f := sink.last()
	if f.Grade != grid.GradeC || len(f.Values) != signal.Ahead || f.Step != time.Hour || !f.Start.Equal(may20.Truncate(time.Hour)) || !f.Issued.Equal(may20) {
		t.Errorf("forecast: %+v from %s", f.Provenance, f.Start)
	}
	h := health(t, p, "GB")
	if h.Provider != bundled.TraceProvider || !h.LastSuccess.Equal(may20) || h.LastError != "" || h.Grade != grid.GradeC || !h.MeasuredUntil.Equal(may20.Truncate(time.Hour)) || !h.ForecastIssued.Equal(may20) {
		t.Errorf("health: %+v", h)
	}

	// Ten minutes on, and just after the hour: nothing is due, nothing is asked.
	puts, days := sink.puts, len(sink.measured)
	for _, m := range []int{10, 29, 30} {
		step(t, p, sink, may20.Add(time.Duration(m)*time.Minute))
	}
	if source.asked != 1 || sink.puts != puts || len(sink.forecasts) != 1 {
		t.Errorf("nothing was due: asked %d times, %d forecasts", source.asked, len(sink.forecasts))
	}
	// The hour has ended: one value more in the series of the day, and a
	// forecast that knows it.
	step(t, p, sink, may20.Add(35*time.Minute))
	if sink.puts != puts+1 || len(sink.measured) != days || !sink.merged("GB").End().Equal(may20.Add(35*time.Minute).Truncate(time.Hour)) || len(sink.forecasts) != 2 {
		t.Errorf("an hour ended: %d puts, %d series, %d forecasts", sink.puts-puts, len(sink.measured), len(sink.forecasts))
	}
	// A day later, after a silence of the poller itself: only what is new, in
	// the series of yesterday and of today.
	puts = sink.puts
	step(t, p, sink, may20.Add(24*time.Hour))
	if sink.puts != puts+2 || len(sink.measured) != days+1 {
		t.Errorf("a day later: %d puts, %d series", sink.puts-puts, len(sink.measured))
	}
	// The clock is set back: nothing is stored twice, a forecast is made from
	// then.
	puts = sink.puts
	n := len(sink.forecasts)
	step(t, p, sink, may20.Add(5*time.Hour))
	if sink.puts != puts || len(sink.forecasts) != n+1 || !sink.last().Issued.Equal(may20.Add(5*time.Hour)) {
		t.Errorf("the clock was set back: %d puts, %d forecasts", sink.puts-puts, len(sink.forecasts)-n)
	}
	// A new process with the same store asks only for what is new.
	asked := source.asked
	again := &signal.Poller{Providers: p.Providers, Wanted: p.Wanted, Sink: sink, Climatology: p.Climatology}
	step(t, again, sink, may20.Add(24*time.Hour))
	if sink.puts != puts || source.asked > asked+1 {
		t.Errorf("after a restart: %d puts, asked %d times", sink.puts-puts, source.asked-asked)
	}
}

// The same steps give the same bytes.
func TestPollerIsReplayable(t *testing.T) {
	p, source, sink := world(t, "GB", "GB")
	if step(t, p, sink, may20); source.asked != 1 {
		t.Errorf("a zone that is wanted twice is asked for %d times, want 1", source.asked)
	}
	var runs [2][]string
	for i := range runs {
		p, _, sink := world(t, "ES", "GB", "ES")
		for h := range 36 {
			step(t, p, sink, may20.Add(time.Duration(h)*20*time.Minute))
		}
		for _, s := range append(sink.measured, sink.forecasts...) {
			runs[i] = append(runs[i], s.Digest())
		}
	}
	if len(runs[0]) < 20 || !slices.Equal(runs[0], runs[1]) {
		t.Errorf("%d and %d series, not the same", len(runs[0]), len(runs[1]))
	}
}

func TestPollerGoesOnWithoutProviders(t *testing.T) {
	p, source, sink := world(t, "GB")
	step(t, p, sink, may20)
	source.err = errors.New("connection refused")
	step(t, p, sink, may20.Add(5*time.Hour))
	if f := sink.last(); f.Grade != grid.GradeC || len(sink.forecasts) != 2 {
		t.Errorf("five hours after: grade %s of %d forecasts, want C from what is stored", f.Grade, len(sink.forecasts))
	}
	step(t, p, sink, may20.Add(60*time.Hour))
	h := health(t, p, "GB")
	if f := sink.last(); f.Grade != grid.GradeD || h.Grade != grid.GradeD || !h.LastSuccess.Equal(may20) || h.LastError != bundled.TraceProvider+": connection refused" || !h.LastErrorAt.Equal(may20.Add(60*time.Hour)) {
		t.Errorf("two days after: grade %s, %+v", f.Grade, h)
	}
	// It comes back: what was missed is fetched, and C again.
	source.err = nil
	step(t, p, sink, may20.Add(61*time.Hour))
	if h := health(t, p, "GB"); h.Grade != grid.GradeC || !h.MeasuredUntil.Equal(may20.Add(61*time.Hour).Truncate(time.Hour)) || !h.LastSuccess.Equal(may20.Add(61*time.Hour)) {
		t.Errorf("it came back: %+v", h)
	}

	// A zone that no provider has and of which only the yearly mean is known.
	p, _, sink = world(t, "PL")
	step(t, p, sink, may20)
	h = health(t, p, "PL")
	if f := sink.last(); f.Grade != grid.GradeE || f.Zone != "PL" || h.Grade != grid.GradeE || h.LastError != "no provider has this zone" || h.Provider != "" {
		t.Errorf("a yearly mean: grade %s, %+v", f.Grade, h)
	}
	// One of which nothing is known has no forecast: unknown is not zero.
	p.Wanted = wants("QQ")
	n := len(sink.forecasts)
	step(t, p, sink, may20)
	if h := health(t, p, "QQ"); h.Grade != "" || len(sink.forecasts) != n {
		t.Errorf("nothing is known: %+v, %d forecasts", h, len(sink.forecasts)-n)
	}
	// And a zone that is no longer wanted is forgotten.
	if len(p.Health()) != 1 {
		t.Errorf("health of %d zones, want 1", len(p.Health()))
	}
	// A yearly mean of another basis is not used.
	p.Wanted, p.Basis = wants("PL"), grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}
	step(t, p, sink, may20)
	if h := health(t, p, "PL"); h.Grade != "" {
		t.Errorf("a mean of another basis was used: %+v", h)
	}
}

func TestSecondProvider(t *testing.T) {
	p, first, sink := world(t, "GB")
	second, err := bundled.Provider()
	if err != nil {
		t.Fatal(err)
	}
	spare := &moody{Provider: second}
	p.Providers = append(p.Providers, spare)
	step(t, p, sink, may20)
	if spare.asked != 0 {
		t.Error("the second was asked though the first is up to date")
	}
	first.err = errors.New("away")
	step(t, p, sink, may20.Add(2*time.Hour))
	if spare.asked != 0 {
		t.Error("the second was asked though the last value is fresh")
	}
	step(t, p, sink, may20.Add(10*time.Hour))
	last := sink.measured[len(sink.measured)-1]
	if spare.asked == 0 || last.Grade != grid.GradeB || !last.End().Equal(may20.Add(10*time.Hour).Truncate(time.Hour)) {
		t.Errorf("the first is away for long: asked %d, grade %s until %s", spare.asked, last.Grade, last.End())
	}
	// A first that answers and has nothing new is as good as away.
	first.err, first.change = nil, func(s grid.Series) grid.Series { s.Values = nil; return s }
	step(t, p, sink, may20.Add(20*time.Hour))
	if h := health(t, p, "GB"); !h.MeasuredUntil.Equal(may20.Add(20 * time.Hour).Truncate(time.Hour)) {
		t.Errorf("the first has nothing new: measured until %s", h.MeasuredUntil)
	}
}

// What the gate is for: each lie is refused, told of once, and nothing of it
// is stored.
func TestGate(t *testing.T) {
	future := may20.Add(time.Hour).Truncate(time.Hour)
	for what, c := range map[string]struct {
		lie  func(grid.Series) grid.Series
		want string
	}{
		"another zone":     {func(s grid.Series) grid.Series { s.Zone = "FR"; return s }, "answers for FR"},
		"another name":     {func(s grid.Series) grid.Series { s.Provider = "else"; return s }, "signs as"},
		"another basis":    {func(s grid.Series) grid.Series { s.Basis.Scope = grid.Direct; return s }, "never mixed"},
		"an absurd value":  {func(s grid.Series) grid.Series { s.Values[3] = 3_000_001; return s }, "want 0 to 3000000"},
		"below zero":       {func(s grid.Series) grid.Series { s.Values[3] = -5; return s }, "-5"},
		"issued later":     {func(s grid.Series) grid.Series { s.Issued = may20.Add(time.Hour); return s }, "still to come"},
		"not issued":       {func(s grid.Series) grid.Series { s.Issued = time.Time{}; return s }, "issued"},
		"the running hour": {func(s grid.Series) grid.Series { s.Values = append(s.Values, 1000); s.Issued = may20; return s }, "measures until " + future.Format(time.RFC3339)},
		"before the window": {func(s grid.Series) grid.Series {
			s.Start = s.Start.AddDate(0, 0, -40)
			s.Values = s.Values[:2]
			return s
		}, "asked for"},
		"a band":            {func(s grid.Series) grid.Series { s.Low, s.High = s.Values, s.Values; return s }, "band"},
		"a step of nothing": {func(s grid.Series) grid.Series { s.Step = 0; return s }, "step"},
		"no grade":          {func(s grid.Series) grid.Series { s.Grade = ""; return s }, "grade"},
	} {
		p, source, sink := world(t, "GB")
		source.change = c.lie
		step(t, p, sink, may20)
		step(t, p, sink, may20.Add(10*time.Minute))
		told := sink.told(signal.Refused)
		if len(sink.measured) != 0 || len(told) != 1 || source.asked != 2 {
			t.Errorf("%s: asked %d times, %d series stored, told %d times", what, source.asked, len(sink.measured), len(told))
			continue
		}
		if n := told[0]; n.Zone != "GB" || n.Provider != bundled.TraceProvider || !strings.Contains(n.Reason, c.want) {
			t.Errorf("%s: told %+v, want %q", what, n, c.want)
		}
		if h := health(t, p, "GB"); !strings.Contains(h.LastError, c.want) || h.Grade != grid.GradeD {
			t.Errorf("%s: health %+v", what, h)
		}
	}
}

// A source that is stuck on one value is believed for six hours.
func TestStuckSource(t *testing.T) {
	p, source, sink := world(t, "ES")
	const stuck = 123_456
	from := may20.Add(-24 * time.Hour).Truncate(time.Hour)
	source.change = func(s grid.Series) grid.Series {
		for i := range s.Values {
			if at := s.Start.Add(time.Duration(i) * s.Step); !at.Before(from) && at.Before(may20.Add(12*time.Hour)) {
				s.Values[i] = stuck
			}
		}
		return s
	}
	step(t, p, sink, may20)
	for m := range 20 {
		step(t, p, sink, may20.Add(time.Duration(m)*40*time.Minute))
	}
	// In Spain the middle of the day is flat by itself: that is not held
	// against the source until the evening.
	if h := health(t, p, "ES"); h.MeasuredUntil.Before(from.Add(6*time.Hour)) || h.MeasuredUntil.After(from.Add(9*time.Hour)) || !strings.Contains(h.LastError, "repeats one value") {
		t.Errorf("believed until %s (%s), want 6 to 9 hours from %s", h.MeasuredUntil, h.LastError, from)
	}
	if told := sink.told(signal.Refused); len(told) != 1 {
		t.Errorf("told %d times", len(told))
	}
	// It moves again: all that is sound is stored, the flat stretch is a gap.
	step(t, p, sink, may20.Add(20*time.Hour))
	h := health(t, p, "ES")
	if !h.MeasuredUntil.Equal(may20.Add(20 * time.Hour).Truncate(time.Hour)) {
		t.Errorf("it moves again: measured until %s", h.MeasuredUntil)
	}
	have := sink.merged("ES")
	if r, ok := have.At(from.Add(10 * time.Hour)); ok {
		t.Errorf("the flat stretch is known as %s", r.Value)
	}
	// Four hours on one value happen, and are believed.
	p, source, sink = world(t, "ES")
	source.change = func(s grid.Series) grid.Series {
		for i := range s.Values {
			if h := s.Start.Add(time.Duration(i) * s.Step).Hour(); h >= 16 && h < 20 {
				s.Values[i] = stuck
			}
		}
		return s
	}
	step(t, p, sink, may20)
	if h := health(t, p, "ES"); h.LastError != "" {
		t.Errorf("four hours on one value: %+v", h)
	}
	// A gap in a flat stretch does not make it any better.
	p, source, sink = world(t, "ES")
	source.change = func(s grid.Series) grid.Series {
		for i := range s.Values {
			s.Values[i] = stuck
			if i%5 == 4 {
				s.Values[i] = grid.Unknown
			}
		}
		return s
	}
	step(t, p, sink, may20)
	if h := health(t, p, "ES"); !h.MeasuredUntil.Before(sink.merged("ES").Start.Add(24 * time.Hour)) {
		t.Errorf("flat with gaps: believed until %s", h.MeasuredUntil)
	}
	// Where the climatology does not move, a flat stretch is the truth.
	p, source, sink = world(t, "SG")
	source.change = func(s grid.Series) grid.Series {
		for i := range s.Values {
			s.Values[i] = 480_000
		}
		return s
	}
	step(t, p, sink, may20)
	if h := health(t, p, "SG"); h.LastError != "" || !h.MeasuredUntil.Equal(may20.Truncate(time.Hour)) {
		t.Errorf("Singapore hardly moves: %+v", h)
	}
}

func TestOurOwnTrouble(t *testing.T) {
	disk := errors.New("disk full")
	p, _, sink := world(t, "GB", "ES")
	sink.broken = disk
	if err := p.Step(t.Context(), may20); !errors.Is(err, disk) || !strings.Contains(err.Error(), "GB") || !strings.Contains(err.Error(), "ES") {
		t.Errorf("got %v, want the error of both zones", err)
	}
	sink.broken = nil
	step(t, p, sink, may20) // nothing was lost
	if len(sink.forecasts) != 2 || !sink.merged("ES").End().Equal(may20.Truncate(time.Hour)) {
		t.Errorf("after the repair: %d forecasts", len(sink.forecasts))
	}
	// The disk is full when it is to be written: what was found is found again.
	p, source, sink := world(t, "GB")
	full := &fills{shelf: sink, err: disk}
	p.Sink = full
	sink.now = may20
	if err := p.Step(t.Context(), may20); !errors.Is(err, disk) || !strings.Contains(err.Error(), "GB") {
		t.Errorf("got %v", err)
	}
	full.err = nil
	if step(t, p, sink, may20); len(sink.forecasts) != 1 || !sink.merged("GB").End().Equal(may20.Truncate(time.Hour)) {
		t.Errorf("after the repair: %d forecasts", len(sink.forecasts))
	}
	// A refusal that cannot be put on record is told again.
	p, source, sink = world(t, "GB")
	source.change = func(s grid.Series) grid.Series { s.Zone = "FR"; return s }
	full = &fills{shelf: sink, err: disk}
	p.Sink = full
	_ = p.Step(t.Context(), may20)
	full.err = nil
	if step(t, p, sink, may20); len(sink.told(signal.Refused)) != 1 {
		t.Errorf("told %v", sink.notes)
	}

	p, source, _ = world(t, "GB")
	p.Wanted = func(context.Context) ([]grid.Zone, error) { return nil, disk }
	if err := p.Step(t.Context(), may20); !errors.Is(err, disk) {
		t.Errorf("wanted: %v", err)
	}
	p.Wanted = wants("GB", "ES")
	ctx, cancel := context.WithCancel(t.Context())
	source.change = func(s grid.Series) grid.Series { cancel(); return s }
	if err := p.Step(ctx, may20); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped while it asked: %v", err)
	}
	if h := health(t, p, "ES"); h.LastError != "" {
		t.Errorf("that we were stopped is not the provider's fault: %+v", h)
	}
}

// fills is a shelf that can be read, and not written while it is full.
type fills struct {
	*shelf
	err error
}

func (f *fills) Put(ctx context.Context, now time.Time, b signal.Batch) error {
	if f.err != nil {
		return f.err
	}
	return f.shelf.Put(ctx, now, b)
}

// hangs is a provider that never answers.
type hangs struct{ signal.Provider }

func (hangs) History(ctx context.Context, _ grid.Zone, _, _, _ time.Time) (grid.Series, error) {
	<-ctx.Done()
	return grid.Series{}, ctx.Err()
}

// A day of the real loop, ticker, patience and all, takes no time at all.
func TestRunForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, sink := world(t, "GB")
		p.Providers = []signal.Provider{hangs{p.Providers[0]}}
		var out bytes.Buffer
		p.Log = slog.New(slog.NewTextHandler(&out, nil))
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		if err := p.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run ended with %v", err)
		}
		if n := len(sink.forecasts); n < 23 || n > 25 {
			t.Errorf("%d forecasts in a day without a provider, want 24", n)
		}
		if h := health(t, p, "GB"); !strings.Contains(h.LastError, "deadline exceeded") {
			t.Errorf("health: %+v", h)
		}
		if out.Len() > 0 {
			t.Errorf("logged: %s", out.String())
		}

		sink.broken = errors.New("disk full")
		p.Every = 10 * time.Minute
		ctx, cancel = context.WithTimeout(t.Context(), time.Hour-time.Second)
		defer cancel()
		_ = p.Run(ctx)
		if n := strings.Count(out.String(), "disk full"); n < 5 {
			t.Errorf("logged %d times, want 5 at least", n)
		}
	})
}

func TestMerge(t *testing.T) {
	s := func(provider string, g grid.Grade, h int, step time.Duration, values ...grid.Intensity) grid.Series {
		start := monday.Add(time.Duration(h) * time.Hour)
		x := grid.Series{Provenance: grid.Provenance{Provider: provider, Zone: "DE", Basis: grid.AverageLifecycle, Grade: g}, Start: start, Step: step, Values: values}
		x.Issued = x.End()
		return x
	}
	other, direct, revised := s("x", grid.GradeA, 0, time.Hour, 9), s("x", grid.GradeA, 0, time.Hour, 9), s("a", grid.GradeA, 1, time.Hour, 7)
	other.Zone, direct.Basis.Scope, revised.Revision = "FR", grid.Direct, 1
	const u = grid.Unknown
	modelled := func(x grid.Series, model string) grid.Series { x.Model = model; return x }
	for what, c := range map[string]struct {
		in    []grid.Series
		start int
		step  time.Duration
		want  []grid.Intensity
		grade grid.Grade
	}{
		"nothing":                {nil, 0, 0, nil, ""},
		"others":                 {[]grid.Series{other, direct, {}}, 0, 0, nil, ""},
		"one after another":      {[]grid.Series{s("a", "A", 0, time.Hour, 1, 2), s("a", "A", 2, time.Hour, 3)}, 0, time.Hour, []grid.Intensity{1, 2, 3}, "A"},
		"in any order":           {[]grid.Series{s("a", "A", 2, time.Hour, 3), s("a", "A", 0, time.Hour, 1, 2)}, 0, time.Hour, []grid.Intensity{1, 2, 3}, "A"},
		"a gap":                  {[]grid.Series{s("a", "A", 1, time.Hour, 1), s("a", "A", 3, time.Hour, 3)}, 1, time.Hour, []grid.Intensity{1, u, 3}, "A"},
		"the better grade":       {[]grid.Series{s("a", "A", 0, time.Hour, 1, u, 3), s("b", "B", 0, time.Hour, 4, 5, 6, 7)}, 0, time.Hour, []grid.Intensity{1, 5, 3, 7}, "B"},
		"the later revision":     {[]grid.Series{s("a", "A", 0, time.Hour, 1, 2, 3), revised}, 0, time.Hour, []grid.Intensity{1, 7, 3}, "A"},
		"of the newest model":    {[]grid.Series{modelled(s("a", "A", 0, time.Hour, 1, 2), "2025"), modelled(s("a", "A", 1, time.Hour, 5, 6), "2026"), s("b", "B", 0, time.Hour, 9)}, 0, time.Hour, []grid.Intensity{9, 5, 6}, "B"},
		"the later issue":        {[]grid.Series{s("a", "A", 0, time.Hour, 1, 2), s("a", "A", 1, time.Hour, 5, 6)}, 0, time.Hour, []grid.Intensity{1, 5, 6}, "A"},
		"steps of other lengths": {[]grid.Series{s("a", "A", 0, time.Hour, 1, 2), s("b", "B", 1, 30*time.Minute, 8, 8, 8)}, 0, 30 * time.Minute, []grid.Intensity{1, 1, 2, 2, 8}, "B"},
	} {
		got := signal.Merge("DE", grid.AverageLifecycle, c.in)
		if !slices.Equal(got.Values, c.want) || got.Grade != c.grade || got.Zone != "DE" {
			t.Errorf("%s: %v grade %s, want %v grade %s", what, got.Values, got.Grade, c.want, c.grade)
		}
		if len(c.want) > 0 && (got.Step != c.step || !got.Start.Equal(monday.Add(time.Duration(c.start)*time.Hour)) || got.Validate() != nil) {
			t.Errorf("%s: step %s, start %s, %v", what, got.Step, got.Start, got.Validate())
		}
	}
	// Two far ends do not fill the memory: the newest two months are kept.
	far := signal.Merge("DE", grid.AverageLifecycle, []grid.Series{s("a", "A", 0, time.Minute, 1), s("a", "A", 200*365*24, time.Minute, 2)})
	if n := len(far.Values); n != 62*24*60 || far.Values[n-1] != 2 || far.Values[0] != u {
		t.Errorf("far ends: %d values", n)
	}
}

// A forecast is made from what Merge makes of many small series.
func TestForecastsRestOnTheStore(t *testing.T) {
	p, _, sink := world(t, "GB")
	for h := range 20 {
		step(t, p, sink, may20.Add(time.Duration(h)*time.Hour))
	}
	now := may20.Add(19 * time.Hour)
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	want, _, ok := forecast.Make(forecast.Past{Zone: "GB", Basis: grid.AverageLifecycle, Measured: trace["GB"]}, p.Climatology, now, time.Hour, signal.Ahead)
	if got := sink.last(); !ok || got.Digest() != want.Digest() {
		t.Errorf("the forecast from the store is another than the one from the source")
	}
}
