package plan

import (
	"testing"
	"time"
)

// What time alone has moved is no news to a site; what somebody decided is.
func TestServes(t *testing.T) {
	const step = 5 * time.Minute
	at := func(minutes int) time.Time { return time.Date(2026, 3, 2, 8, minutes, 0, 0, time.UTC) }
	place := func(latest, reserved int, spans ...int) Placement {
		p := Placement{Site: "a", Latest: at(latest), Reserved: at(reserved)}
		for i := 0; i < len(spans); i += 2 {
			p.Spans = append(p.Spans, Span{Start: at(spans[i]), End: at(spans[i+1])})
		}
		return p
	}
	elsewhere := place(60, 50, 10, 40)
	elsewhere.Site = "b"
	otherwise, larger := place(60, 50, 10, 40), place(60, 50, 10, 40)
	otherwise.Way, larger.Spans[0].Size = 1, 2000
	for name, c := range map[string]struct {
		a, b Placement
		now  int
		want bool
	}{
		"the same":                     {place(60, 50, 10, 40), place(60, 50, 10, 40), 0, true},
		"it runs":                      {place(60, 50, 10, 40), place(75, 50, 10, 40), 25, true},
		"it runs, and pauses later":    {place(60, 70, 10, 30, 50, 60), place(64, 70, 10, 30, 50, 60), 14, true},
		"the pause is near by now":     {place(60, 70, 10, 30, 50, 60), place(65, 70, 10, 30, 50, 60), 15, false},
		"it has less slack":            {place(60, 70, 10, 30, 50, 60), place(59, 70, 10, 30, 50, 60), 14, false},
		"it should have begun":         {place(60, 50, 10, 40), place(60, 54, 14, 44), 14, true},
		"nothing is heard for a while": {place(60, 50, 10, 40), place(60, 55, 15, 45), 15, false},
		"it is to begin later":         {place(60, 50, 10, 40), place(60, 50, 12, 42), 5, false},
		"it is moved on":               {place(60, 50, 10, 40), place(60, 54, 20, 44), 14, false},
		"on other hardware":            {place(60, 50, 10, 40), otherwise, 25, false},
		"larger":                       {place(60, 50, 10, 40), larger, 25, false},
		"elsewhere":                    {place(60, 50, 10, 40), elsewhere, 0, false},
		"in two parts":                 {place(60, 50, 10, 40), place(60, 50, 10, 20, 30, 50), 0, false},
	} {
		if got := Serves(c.a, c.b, at(c.now), step); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
