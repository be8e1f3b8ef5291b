package signal

import (
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func told(grams ...int) grid.Series {
	s := grid.Series{Provenance: grid.Provenance{Provider: "p", Zone: "Z", Basis: grid.AverageLifecycle, Grade: grid.GradeA, Issued: midnight}, Start: midnight, Step: time.Hour}
	for _, g := range grams {
		v := grid.Unknown
		if g >= 0 {
			v = grid.Intensity(g) * 1000
		}
		s.Values = append(s.Values, v)
	}
	return s
}

// tenDays goes from 300 to 500 g/kWh and back each day, in steps of 20.
func tenDays() grid.Series {
	var s grid.Series
	for range 10 {
		for h := range 24 {
			g := 300 + 20*min(h, 23-h)
			s.Values = append(s.Values, grid.Intensity(g)*1000)
		}
	}
	t := told()
	t.Values, t.Start = s.Values, midnight.Add(-10*day)
	return t
}

func TestLimits(t *testing.T) {
	l := limitsOf("Z", grid.AverageLifecycle, forecast.Climatology{}, tenDays())
	if l.low != 100_000 || l.high != 1_090_000 || l.jump != 110_000 {
		t.Errorf("got %+v, want a third of 300, twice 520 and 50, half of what it ranges over", l)
	}
	// Too little history, no climatology: what any grid may have.
	short := tenDays()
	short.Values = short.Values[:100]
	if got := limitsOf("Z", grid.AverageLifecycle, forecast.Climatology{}, short); got != anything {
		t.Errorf("of four days: %+v", got)
	}
	// A climatology of another basis says nothing.
	var n forecast.Normal
	for m := range n.Mean {
		for h := range n.Mean[m] {
			n.Mean[m][h], n.Spread[m][h] = 200_000, 10_000
		}
	}
	clim := forecast.Climatology{Basis: grid.AverageLifecycle, Zones: map[grid.Zone]*forecast.Normal{"Z": &n}}
	if got := limitsOf("Z", grid.AverageLifecycle, clim, grid.Series{}); got != (limits{low: 60_000, high: 490_000}) {
		t.Errorf("of a climatology: %+v", got)
	}
	if got := limitsOf("Z", grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}, clim, grid.Series{}); got != anything {
		t.Errorf("of a climatology of another basis: %+v", got)
	}
}

func TestSift(t *testing.T) {
	l := limits{low: 100_000, high: 1_000_000, jump: 150_000}
	for what, c := range map[string]struct {
		in, want []int
		why      string
	}{
		"sound":                 {[]int{410, 500, 630}, []int{410, 500, 630}, ""},
		"kilograms":             {[]int{400, 0, 0}, []int{400, -1, -1}, "kg/kWh"},
		"absurd":                {[]int{400, 2900, 410}, []int{400, -1, 410}, "far above"},
		"one wild value":        {[]int{410, 800, 420}, []int{410, -1, 420}, "jump"},
		"two wild values":       {[]int{410, 800, 810, 420}, []int{410, -1, -1, 420}, "jump"},
		"a jump that lasts":     {[]int{410, 800, 810, 820, 830}, []int{410, -1, -1, 820, 830}, "jump"},
		"down as well":          {[]int{410, 200, 400}, []int{410, -1, 400}, "jump"},
		"after a long silence":  {[]int{410, -1, -1, -1, 800, 810}, []int{410, -1, -1, -1, 800, 810}, ""},
		"from the value before": {[]int{900, 410}, []int{-1, 410}, "jump"},
	} {
		s := told(c.in...)
		taken, why := l.sift(s, 400_000, midnight.Add(-time.Hour))
		want := told(c.want...)
		gone := 0
		for i, v := range s.Values {
			if v != want.Values[i] {
				t.Errorf("%s: value %d is %d, want %d", what, i, v, want.Values[i])
			}
			if !v.Known() && c.in[i] >= 0 {
				gone++
			}
		}
		if taken != gone || (why == nil) != (c.why == "") || why != nil && !strings.Contains(why.Error(), c.why) {
			t.Errorf("%s: took out %d because %v, want %d because of %q", what, taken, why, gone, c.why)
		}
	}
}

func TestUnited(t *testing.T) {
	stored := told(1, 2, -1, 4)
	stored.Revision = 2
	for what, c := range map[string]struct {
		from   int // hours after stored
		in     []int
		want   []int
		start  int
		added  int
		change change
	}{
		"the next":       {4, []int{5}, []int{1, 2, -1, 4, 5}, 0, 1, change{}},
		"the same":       {0, []int{1, 2}, []int{1, 2, -1, 4}, 0, 0, change{}},
		"nothing known":  {1, []int{-1, -1}, []int{1, 2, -1, 4}, 0, 0, change{}},
		"a gap is known": {2, []int{3}, []int{1, 2, 3, 4}, 0, 1, change{}},
		"others":         {1, []int{9, 3, 1, 5}, []int{1, 9, 3, 1, 5}, 0, 2, change{2, 7000}},
		"before":         {-2, []int{8, 7, 1}, []int{8, 7, 1, 2, -1, 4}, -2, 2, change{}},
	} {
		s := told(c.in...)
		s.Start = s.Start.Add(time.Duration(c.from) * time.Hour)
		u, added, ch := united(stored, s)
		want := told(c.want...)
		revision := 2
		if c.change.values > 0 {
			revision = 3
		}
		if len(u.Values) != len(want.Values) || added != c.added || ch != c.change || u.Revision != revision || !u.Start.Equal(midnight.Add(time.Duration(c.start)*time.Hour)) {
			t.Errorf("%s: %v from %s revision %d, %d added, %+v", what, u.Values, u.Start, u.Revision, added, ch)
			continue
		}
		for i := range u.Values {
			if u.Values[i] != want.Values[i] {
				t.Errorf("%s: %v, want %v", what, u.Values, want.Values)
				break
			}
		}
	}
	if stored.Values[1] != 2000 {
		t.Error("what is stored was changed")
	}
}

func TestContinues(t *testing.T) {
	a := told(1, 2)
	next := told(3)
	next.Start = next.Start.Add(2 * time.Hour)
	next.Issued, next.Revision, next.Ref = next.Issued.Add(time.Hour), 4, "x"
	if !continues(a, next) {
		t.Error("the next hour does not continue the day")
	}
	for what, other := range map[string]func(*grid.Series){
		"another day":   func(s *grid.Series) { s.Start = s.Start.Add(day) },
		"another zone":  func(s *grid.Series) { s.Zone = "Y" },
		"another way":   func(s *grid.Series) { s.Estimated = true },
		"another step":  func(s *grid.Series) { s.Step = 30 * time.Minute },
		"out of step":   func(s *grid.Series) { s.Start = s.Start.Add(time.Minute) },
		"another grade": func(s *grid.Series) { s.Grade = grid.GradeB },
		"another basis": func(s *grid.Series) { s.Basis.Scope = grid.Direct },
		"another model": func(s *grid.Series) { s.Model = "2026-09-01" },
		"another flow":  func(s *grid.Series) { s.Flow = grid.Production },
		"not in a day":  func(s *grid.Series) { s.Step = 7 * time.Hour },
	} {
		s := next
		other(&s)
		b := a
		if what == "not in a day" {
			b.Step = s.Step
		}
		if continues(b, s) {
			t.Errorf("%s continues it", what)
		}
	}
}

// A series is cut at midnight, whatever its step and phase, and loses nothing.
func TestByDay(t *testing.T) {
	for _, step := range []time.Duration{5 * time.Minute, time.Hour, 7 * time.Hour, day} {
		s := told()
		s.Step, s.Start = step, midnight.Add(-90*time.Minute).Truncate(step)
		for i := range int(3 * day / step) {
			v := grid.Intensity(i)
			if i%7 == 3 {
				v = grid.Unknown
			}
			s.Values = append(s.Values, v)
		}
		known := map[time.Time]grid.Intensity{}
		for part := range byDay(s) {
			if len(part.Values) == 0 || !part.Values[0].Known() || part.Start.Truncate(day) != part.End().Add(-step).Truncate(day) {
				t.Errorf("step %s: part from %s of %d values", step, part.Start, len(part.Values))
			}
			for i, v := range part.Values {
				if v.Known() {
					known[part.Start.Add(time.Duration(i)*step)] = v
				}
			}
		}
		for i, v := range s.Values {
			if got, ok := known[s.Start.Add(time.Duration(i)*step)]; v.Known() && (!ok || got != v) {
				t.Errorf("step %s: value %d is lost", step, i)
			}
		}
	}
}

func TestDue(t *testing.T) {
	now := midnight.Add(10 * time.Hour)
	at := func(end time.Time, step time.Duration) time.Duration {
		return afterValue("Z", "p", end, step, now).Sub(now)
	}
	if d := at(now, time.Hour); d < time.Hour || d > 63*time.Minute {
		t.Errorf("the next hourly value in %s", d)
	}
	if d := at(now, 5*time.Minute); d < 5*time.Minute || d > 5*time.Minute+15*time.Second {
		t.Errorf("the next 5-minute value in %s", d)
	}
	if d := at(now.Add(-3*time.Hour), time.Hour); d != latest {
		t.Errorf("a source that is behind is asked in %s", d)
	}
	last := time.Duration(0)
	for n := 1; n < 70; n++ {
		d := afterFailure("Z", "p", n, now).Sub(now)
		if d < last || d > latest+latest/20 || d < soonest {
			t.Errorf("failure %d: asked in %s, after %s", n, d, last)
		}
		last = d
	}
	if !ripe(now.Add(72*time.Hour), now) || ripe(now.Add(time.Hour), now) || !ripe(now, now) || !ripe(time.Time{}, now) {
		t.Error("what is due three days ahead was set by another clock; what is due in an hour is not due")
	}
	// Zones are spread over the time, each always to the same place.
	seen := map[time.Duration]bool{}
	for i := range 100 {
		z := grid.Zone(rune('A' + i))
		if j := jitter(z, "p", time.Hour); j < 0 || j >= 3*time.Minute || j != jitter(z, "p", time.Hour) {
			t.Errorf("%s: %s", z, j)
		} else {
			seen[j.Truncate(10*time.Second)] = true
		}
	}
	if len(seen) < 15 {
		t.Errorf("a hundred zones come at %d times", len(seen))
	}
}
