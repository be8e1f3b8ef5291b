package signaltest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal"
)

// Moment is a zone and a now at which the source under test has something to
// tell of what is to come: at least four known values that end after Now.
type Moment struct {
	Zone grid.Zone
	Now  time.Time
}

// TestForecast tries every promise of signal.Forecaster on what open returns.
func TestForecast(t *testing.T, m Moment, open func(t *testing.T) signal.Forecaster) {
	get := func(t *testing.T, f signal.Forecaster, now time.Time) grid.Series {
		t.Helper()
		s, err := f.Forecast(t.Context(), m.Zone, now)
		if err != nil {
			t.Fatalf("Forecast(%s, %s): %v", m.Zone, now, err)
		}
		return s
	}
	t.Run("forecast is valid and bears its origin", func(t *testing.T) {
		f := open(t)
		s := get(t, f, m.Now)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if s.Zone != m.Zone || s.Provider != f.Name() {
			t.Errorf("forecast of %q from %q, want %q from %q", s.Zone, s.Provider, m.Zone, f.Name())
		}
		n := 0
		for _, v := range s.Values {
			if v.Known() {
				n++
			}
		}
		if n < 4 || !s.Values[0].Known() || !s.Values[len(s.Values)-1].Known() {
			t.Errorf("%d of %d values are known, want 4 or more, the first and the last among them", n, len(s.Values))
		}
	})
	t.Run("forecast is of now and what follows", func(t *testing.T) {
		s := get(t, open(t), m.Now)
		if s.Issued.After(m.Now) {
			t.Errorf("issued at %s, asked at %s", s.Issued, m.Now)
		}
		if s.Start.After(m.Now.Add(s.Step)) {
			t.Errorf("it begins at %s, more than a step of %s after %s", s.Start, s.Step, m.Now)
		}
		if !s.End().After(m.Now) {
			t.Errorf("it ends at %s, asked at %s", s.End(), m.Now)
		}
	})
	t.Run("no forecast is told before it is issued", func(t *testing.T) {
		f := open(t)
		for _, early := range []time.Duration{time.Minute, time.Hour, 30 * time.Hour, 10000 * time.Hour} {
			now := m.Now.Add(-early)
			if s, err := f.Forecast(t.Context(), m.Zone, now); err == nil && len(s.Values) > 0 && s.Issued.After(now) {
				t.Errorf("at %s it tells what was issued at %s", now, s.Issued)
			}
		}
	})
	t.Run("forecast of a zone that it has not is ErrNoZone", func(t *testing.T) {
		if _, err := open(t).Forecast(t.Context(), "no-such-zone", m.Now); !errors.Is(err, signal.ErrNoZone) || !problem.Is(err, problem.NotFound) {
			t.Errorf("got %v, want ErrNoZone", err)
		}
	})
	t.Run("forecast in an ended context is an error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := open(t).Forecast(ctx, m.Zone, m.Now); err == nil {
			t.Error("it worked")
		}
	})
	t.Run("the caller owns the forecast", func(t *testing.T) {
		f := open(t)
		s := get(t, f, m.Now)
		before := s.Digest()
		for i := range s.Values {
			s.Values[i] = 1
		}
		if get(t, f, m.Now).Digest() != before {
			t.Error("changing an answer changed the next one")
		}
	})
	t.Run("several may ask for a forecast at once", func(t *testing.T) {
		f := open(t)
		want := get(t, f, m.Now).Digest()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if s, err := f.Forecast(t.Context(), m.Zone, m.Now); err != nil || s.Digest() != want {
						t.Errorf("asked by several: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestPrices tries every promise of signal.Pricer on what open returns. The
// window has at least four known prices, all published by its end.
func TestPrices(t *testing.T, w Window, open func(t *testing.T) signal.Pricer) {
	get := func(t *testing.T, p signal.Pricer, from, to, now time.Time) grid.Prices {
		t.Helper()
		got, err := p.Prices(t.Context(), w.Zone, from, to, now)
		if err != nil {
			t.Fatalf("Prices(%s, %s, %s, %s): %v", w.Zone, from, to, now, err)
		}
		return got
	}
	t.Run("prices are valid and bear their origin", func(t *testing.T) {
		p := open(t)
		got := get(t, p, w.From, w.To, w.To)
		if err := got.Validate(); err != nil {
			t.Fatal(err)
		}
		if got.Zone != w.Zone || got.Provider != p.Name() || got.Issued.After(w.To) {
			t.Errorf("prices of %q from %q issued at %s, want %q from %q by %s", got.Zone, got.Provider, got.Issued, w.Zone, p.Name(), w.To)
		}
		if n := len(slices.DeleteFunc(slices.Clone(got.Values), func(r grid.Rate) bool { return !r.Known() })); n < 4 {
			t.Errorf("%d prices are known, want 4 or more", n)
		}
	})
	t.Run("the window of prices is kept", func(t *testing.T) {
		third := w.To.Sub(w.From) / 3
		from, to := w.From.Add(third), w.To.Add(-third)
		got := get(t, open(t), from, to, w.To)
		if len(got.Values) == 0 {
			t.Fatal("no price in the middle of the window")
		}
		if !got.Start.Add(got.Step).After(from) || !got.End().Add(-got.Step).Before(to) {
			t.Errorf("asked for %s to %s, got %s to %s", from, to, got.Start, got.End())
		}
	})
	t.Run("prices of no time are none", func(t *testing.T) {
		if got := get(t, open(t), w.From, w.From, w.To); len(got.Values) != 0 {
			t.Errorf("got %d", len(got.Values))
		}
	})
	t.Run("prices of a zone that it has not are ErrNoZone", func(t *testing.T) {
		if _, err := open(t).Prices(t.Context(), "no-such-zone", w.From, w.To, w.To); !errors.Is(err, signal.ErrNoZone) {
			t.Errorf("got %v, want ErrNoZone", err)
		}
	})
	t.Run("prices in an ended context are an error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := open(t).Prices(ctx, w.Zone, w.From, w.To, w.To); err == nil {
			t.Error("it worked")
		}
	})
	t.Run("the caller owns the prices, and several may ask at once", func(t *testing.T) {
		p := open(t)
		got := get(t, p, w.From, w.To, w.To)
		want := got.Digest()
		for i := range got.Values {
			got.Values[i] = 1
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if got, err := p.Prices(t.Context(), w.Zone, w.From, w.To, w.To); err != nil || got.Digest() != want {
						t.Errorf("asked by several: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}
