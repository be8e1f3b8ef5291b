// Package signaltest holds the promises that every signal.Provider keeps. A
// driver runs it from its own tests, with a window in which it has data.
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

// Window is a zone and a time of which the provider under test has values: at
// least four known ones between From and To.
type Window struct {
	Zone     grid.Zone
	From, To time.Time
}

// Test tries every promise of signal.Provider on what open returns, which is
// called once for each.
func Test(t *testing.T, w Window, open func(t *testing.T) signal.Provider) {
	promises := map[string]func(*testing.T, signal.Provider, Window){
		"its name prints and stays":                  name,
		"zones are sorted and hold the one asked":    zones,
		"history is valid and bears its origin":      valid,
		"nothing is told before it is issued":        noClairvoyance,
		"the window is kept":                         window,
		"asking on from the end brings all":          paging,
		"a zone that it has not is ErrNoZone":        unknownZone,
		"an ended context is an error":               ended,
		"the caller owns what it gets":               ownership,
		"several may ask at once":                    together,
		"the same question has the same answer":      repeatable,
		"no time at all, no values and no complaint": nothing,
	}
	for what, promise := range promises {
		t.Run(what, func(t *testing.T) { promise(t, open(t), w) })
	}
}

// late is a now by which everything in the window has been issued.
func (w Window) late() time.Time { return w.To.Add(1000 * time.Hour) }

// all reads the whole window as it is known at now, page by page.
func all(t *testing.T, p signal.Provider, w Window, now time.Time) map[time.Time]grid.Intensity {
	t.Helper()
	known := map[time.Time]grid.Intensity{}
	for from := w.From; ; {
		s := ask(t, p, w.Zone, from, w.To, now)
		if len(s.Values) == 0 {
			return known
		}
		for i, v := range s.Values {
			if v.Known() {
				known[s.Start.Add(time.Duration(i)*s.Step)] = v
			}
		}
		if !s.End().After(from) {
			t.Fatalf("asked from %s, got a series that ends at %s: asking on would never end", from, s.End())
		}
		from = s.End()
	}
}

func ask(t *testing.T, p signal.Provider, zone grid.Zone, from, to, now time.Time) grid.Series {
	t.Helper()
	s, err := p.History(t.Context(), zone, from, to, now)
	if err != nil {
		t.Fatalf("History(%s, %s, %s, %s): %v", zone, from, to, now, err)
	}
	return s
}

func name(t *testing.T, p signal.Provider, w Window) {
	before := p.Name()
	all(t, p, w, w.late())
	if n := p.Name(); n == "" || len(n) > 100 || n != before {
		t.Errorf("Name() is %q, and then %q", before, n)
	}
}

func zones(t *testing.T, p signal.Provider, w Window) {
	zs, err := p.Zones(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(zs) || len(slices.Compact(slices.Clone(zs))) != len(zs) {
		t.Errorf("Zones() = %v, want sorted, each once", zs)
	}
	if !slices.Contains(zs, w.Zone) {
		t.Errorf("Zones() = %v, want %s among them", zs, w.Zone)
	}
}

func valid(t *testing.T, p signal.Provider, w Window) {
	s := ask(t, p, w.Zone, w.From, w.To, w.late())
	if len(s.Values) == 0 {
		t.Fatalf("no value of %s between %s and %s", w.Zone, w.From, w.To)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if s.Zone != w.Zone || s.Provider != p.Name() {
		t.Errorf("series of %q from %q, want %q from %q", s.Zone, s.Provider, w.Zone, p.Name())
	}
	if !s.Values[0].Known() || !s.Values[len(s.Values)-1].Known() {
		t.Error("the series begins or ends with what is not known")
	}
	if s.Issued.Before(s.End()) || s.Issued.After(w.late()) {
		t.Errorf("issued at %s, measures until %s, asked at %s", s.Issued, s.End(), w.late())
	}
	if len(s.Low)+len(s.High) != 0 {
		t.Error("what is measured has no band")
	}
	if n := len(all(t, p, w, w.late())); n < 4 {
		t.Errorf("the window has %d known values, too few to test anything", n)
	}
}

func noClairvoyance(t *testing.T, p signal.Provider, w Window) {
	final := all(t, p, w, w.late())
	seen := 0
	for k := range 41 { // from before the window to after it, not on steps
		now := w.From.Add(w.To.Sub(w.From) * time.Duration(k) / 37).Add(-7 * time.Minute)
		s := ask(t, p, w.Zone, w.From, w.To, now)
		if len(s.Values) > 0 && (s.Issued.After(now) || s.End().After(now)) {
			t.Fatalf("at %s it tells what was issued at %s and measures until %s", now, s.Issued, s.End())
		}
		known := all(t, p, w, now)
		if len(known) < seen {
			t.Fatalf("at %s it knows %d values, and knew %d before", now, len(known), seen)
		}
		seen = len(known)
		for at := range known {
			if _, ok := final[at]; !ok {
				t.Fatalf("at %s it knew the value of %s, later it does not", now, at)
			}
		}
	}
	if seen == 0 {
		t.Error("nothing ever appeared")
	}
}

func window(t *testing.T, p signal.Provider, w Window) {
	third := w.To.Sub(w.From) / 3
	from, to := w.From.Add(third), w.To.Add(-third)
	s := ask(t, p, w.Zone, from, to, w.late())
	if len(s.Values) == 0 {
		t.Fatal("no value in the middle of the window")
	}
	if !s.Start.Add(s.Step).After(from) {
		t.Errorf("asked from %s, the first step ends at %s", from, s.Start.Add(s.Step))
	}
	if !s.End().Add(-s.Step).Before(to) {
		t.Errorf("asked to %s, the last step begins at %s", to, s.End().Add(-s.Step))
	}
}

func paging(t *testing.T, p signal.Provider, w Window) {
	whole := all(t, p, w, w.late())
	// Asked bit by bit, as the clock passes, it must come to the same.
	bits := map[time.Time]grid.Intensity{}
	from := w.From
	for now := w.From; now.Before(w.late()) && now.Before(w.To.Add(48*time.Hour)); now = now.Add(5 * time.Hour) {
		for {
			s := ask(t, p, w.Zone, from, w.To, now)
			if len(s.Values) == 0 || !s.End().After(from) {
				break
			}
			for i, v := range s.Values {
				if v.Known() {
					bits[s.Start.Add(time.Duration(i)*s.Step)] = v
				}
			}
			from = s.End()
		}
	}
	if len(bits) != len(whole) {
		t.Fatalf("bit by bit it tells %d values, at once %d", len(bits), len(whole))
	}
	for at, v := range whole {
		if bits[at] != v {
			t.Fatalf("at %s: bit by bit %s, at once %s", at, bits[at], v)
		}
	}
}

func unknownZone(t *testing.T, p signal.Provider, w Window) {
	_, err := p.History(t.Context(), "no-such-zone", w.From, w.To, w.late())
	if !errors.Is(err, signal.ErrNoZone) || !problem.Is(err, problem.NotFound) {
		t.Errorf("got %v, want ErrNoZone", err)
	}
}

func ended(t *testing.T, p signal.Provider, w Window) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.History(ctx, w.Zone, w.From, w.To, w.late()); err == nil {
		t.Error("History worked in an ended context")
	}
	if _, err := p.Zones(ctx); err == nil {
		t.Error("Zones worked in an ended context")
	}
}

func ownership(t *testing.T, p signal.Provider, w Window) {
	s := ask(t, p, w.Zone, w.From, w.To, w.late())
	before := s.Digest()
	for i := range s.Values {
		s.Values[i] = 1
	}
	if ask(t, p, w.Zone, w.From, w.To, w.late()).Digest() != before {
		t.Error("changing an answer changed the next one")
	}
}

func together(t *testing.T, p signal.Provider, w Window) {
	want := ask(t, p, w.Zone, w.From, w.To, w.late()).Digest()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				s, err := p.History(t.Context(), w.Zone, w.From, w.To, w.late())
				if err != nil || s.Digest() != want {
					t.Errorf("asked by several: %v, digest %s, want %s", err, s.Digest(), want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func repeatable(t *testing.T, p signal.Provider, w Window) {
	mid := w.From.Add(w.To.Sub(w.From) / 2)
	if a, b := ask(t, p, w.Zone, w.From, w.To, mid), ask(t, p, w.Zone, w.From, w.To, mid); a.Digest() != b.Digest() {
		t.Error("the same question got two answers")
	}
}

func nothing(t *testing.T, p signal.Provider, w Window) {
	for what, s := range map[string]grid.Series{
		"from = to":              ask(t, p, w.Zone, w.From, w.From, w.late()),
		"from after to":          ask(t, p, w.Zone, w.To, w.From, w.late()),
		"now long before window": ask(t, p, w.Zone, w.From, w.To, w.From.Add(-1000*time.Hour)),
		"from after now":         ask(t, p, w.Zone, w.To, w.late(), w.From),
	} {
		if len(s.Values) != 0 {
			t.Errorf("%s: got %d values", what, len(s.Values))
		}
	}
}
