package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"clusy.io/clusy/internal/grid"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A window is the mean of what it covers, to the millisecond, and there is one
// for each start that fits and knows all of its time: compared with the sum
// over single minutes.
func TestWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.IntRange(1, 90).Draw(t, "step")
		f := grid.Series{Start: noon, Step: time.Duration(step) * time.Minute}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			f.Values = append(f.Values, grid.Intensity(rapid.IntRange(-1, 5).Draw(t, "value")))
		}
		n := len(f.Values) * step
		from := rapid.IntRange(0, n).Draw(t, "from")
		to := rapid.IntRange(from, n).Draw(t, "to")
		length := rapid.IntRange(1, 2*n).Draw(t, "length")
		got := windows(f, noon.Add(time.Duration(from)*time.Minute), noon.Add(time.Duration(to)*time.Minute), int64(length)*60_000)
		for m := from; m+length <= to; m += step {
			sum, known := int64(0), true
			for i := m; i < m+length; i++ {
				v := f.Values[i/step]
				sum, known = sum+int64(v)*60_000, known && v.Known()
			}
			if !known {
				continue
			}
			if len(got) == 0 {
				t.Fatalf("the window at minute %d is missing", m)
			}
			if w := got[0]; !w.start.Equal(noon.Add(time.Duration(m)*time.Minute)) || w.sum != sum || w.length != int64(length)*60_000 {
				t.Fatalf("got %+v, want %d at minute %d", w, sum, m)
			}
			got = got[1:]
		}
		if len(got) > 0 {
			t.Fatalf("there are windows that do not fit: %+v", got)
		}
	})
}

// The largest of everything does not overflow.
func TestWindowsOfManyYears(t *testing.T) {
	f := grid.Series{Start: noon, Step: 24 * time.Hour}
	for range 60_000 {
		f.Values = append(f.Values, grid.MaxIntensity)
	}
	got := windows(f, noon, noon.Add(290*365*24*time.Hour), longestForecast.Milliseconds())
	if len(got) != 1 || got[0].sum/got[0].length != int64(grid.MaxIntensity) {
		t.Errorf("got %+v", got)
	}
}

func TestDotNetNotation(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "00:05:00", time.Hour: "01:00:00", 24 * time.Hour: "1.00:00:00", 50*time.Hour + 3*time.Minute + 4*time.Second: "2.02:03:04",
		1500 * time.Millisecond: "00:00:01.5000000", 0: "00:00:00",
	} {
		if b, err := json.Marshal(span(d)); err != nil || string(b) != `"`+want+`"` {
			t.Errorf("%s is written %s, want %s", d, b, want)
		}
	}
	for at, want := range map[time.Time]string{
		noon:                                 "2026-11-24T12:00:00+00:00",
		noon.In(time.FixedZone("", -5400)):   "2026-11-24T10:30:00-01:30",
		noon.Add(1234500 * time.Microsecond): "2026-11-24T12:00:01.2345+00:00",
	} {
		if b, err := json.Marshal(stamp(at)); err != nil || string(b) != `"`+want+`"` {
			t.Errorf("%s is written %s, want %s", at, b, want)
		}
	}
}

// Whatever is read as a time is one, in years that can be reckoned with.
func FuzzParseInstant(f *testing.F) {
	for _, text := range []string{"2026-11-24", "2026-11-24T6:05", "2026-11-24 18:00:00.1234567+01:00", "2026-11-24T18:00Z", "2026-11-24T18:00 01:00", "24:00", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseInstant(text)
		switch {
		case err == nil && (at.UTC().Year() < 1970 || at.UTC().Year() > 2200):
			t.Errorf("%q is read as %s", text, at)
		case err != nil && len(err.Error()) > 1000:
			t.Errorf("an error of %d bytes", len(err.Error()))
		case err == nil && strings.TrimSpace(text) == "":
			t.Errorf("%q is read as %s", text, at)
		}
	})
}
