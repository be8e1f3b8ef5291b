package figure

import (
	"fmt"
	"strings"
	"time"
)

// words says in a table of text all that the drawing shows, for those who do
// not see it. Steps that go on with the same value are one line.
func (f Figure) words() string {
	var b strings.Builder
	when := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
	fmt.Fprintf(&b, "From %s to %s UTC.\n", when(f.From), when(f.To))
	for _, m := range f.Marks {
		fmt.Fprintf(&b, "%s: %s\n", m.Label, when(m.At))
	}
	for _, p := range f.Panels {
		fmt.Fprintf(&b, "%s, %s: from | to | value | kind\n", p.Name, p.Unit)
		steps := within(p.Curve, f.From, f.To)
		for i := 0; i < len(steps); {
			j := i + 1
			for j < len(steps) && steps[j].says() == steps[i].says() && steps[j].Start.Equal(steps[j-1].End) {
				j++
			}
			fmt.Fprintf(&b, "%s | %s | %s\n", when(steps[i].Start), when(steps[j-1].End), steps[i].says())
			i = j
		}
		for _, r := range p.Rows {
			for _, bar := range r.Bars {
				fmt.Fprintf(&b, "%s | %s | %s | %s\n", when(bar.Start), when(bar.End), strings.TrimSpace(r.Label+" "+bar.Label), looks[bar.Look].says)
			}
		}
	}
	for _, c := range f.Scales {
		fmt.Fprintf(&b, "%s, %s: of | amount\n", c.Name, c.Unit)
		for _, a := range c.Amounts {
			says := "unknown"
			if known(a.Value) {
				says = number(a.Value)
			}
			fmt.Fprintf(&b, "%s | %s\n", a.Label, says)
		}
	}
	for _, n := range f.Notes {
		fmt.Fprintf(&b, "%s: %s\n", n.Head, n.Text)
	}
	return strings.TrimSpace(b.String())
}

func (s Step) says() string {
	if !known(s.Value) {
		return "unknown"
	}
	text := fmt.Sprintf("%.0f", s.Value)
	if known(s.Low) && known(s.High) {
		text += fmt.Sprintf(" (%.0f to %.0f)", s.Low, s.High)
	}
	if s.Expected {
		return text + " | expected"
	}
	return text + " | measured"
}
