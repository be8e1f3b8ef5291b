package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"clusy.io/clusy"
)

type ink string

const (
	red    ink = "31"
	green  ink = "32"
	yellow ink = "33"
	blue   ink = "34"
	dim    ink = "2"
	bold   ink = "1"
)

// colour reports whether w is a terminal that wants colour.
func colour(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

func paint(w io.Writer, c ink, text string) string {
	if !colour(w) {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// table writes rows in columns; the first row is the heading.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(r, "\t"), "\t"))
	}
	return tw.Flush()
}

const bars = "▁▂▃▄▅▆▇█"

// strip draws a zone's intensity over a window in two lines: the curve, and
// below it when the work runs (━), where now (▲) and completeBy (┃) are.
// Levels are also printed as numbers, so that nothing rests on the picture.
func strip(w io.Writer, o clusy.Outlook, from, to, now, by time.Time, runs []clusy.Span, width int) {
	if len(o.Points) == 0 || !from.Before(to) {
		fmt.Fprintf(w, "%-10s no intensity known\n", o.Zone)
		return
	}
	at := func(cell int) time.Time { return from.Add(to.Sub(from) * time.Duration(cell) / time.Duration(width)) }
	value := func(t time.Time) (float64, bool, bool) {
		for i := len(o.Points) - 1; i >= 0; i-- {
			if p := o.Points[i]; !t.Before(p.Start) {
				if p.Intensity == nil {
					return 0, false, false
				}
				return *p.Intensity, p.Forecast, true
			}
		}
		return 0, false, false
	}
	low, high := 0.0, 0.0
	known := false
	for c := range width {
		if v, _, ok := value(at(c)); ok {
			if !known {
				low, high, known = v, v, true
			}
			low, high = min(low, v), max(high, v)
		}
	}
	var curve, below strings.Builder
	levels := []rune(bars)
	for c := range width {
		t, next := at(c), at(c+1)
		v, expected, ok := value(t)
		cell := "·"
		if ok {
			i := len(levels) - 1
			if high > low {
				i = int((v - low) / (high - low) * float64(len(levels)-1) * 0.999)
			}
			cell = string(levels[i])
		}
		running := false
		for _, r := range runs {
			running = running || r.Start.Before(next) && t.Before(r.End)
		}
		switch {
		case running:
			cell = paint(w, green, cell)
		case expected:
			cell = paint(w, dim, cell)
		}
		curve.WriteString(cell)
		switch {
		case !now.Before(t) && now.Before(next):
			below.WriteString("▲")
		case !by.Before(t) && by.Before(next) || c == width-1 && !by.Before(next):
			below.WriteString(paint(w, red, "┃"))
		case running:
			below.WriteString(paint(w, green, "━"))
		default:
			below.WriteString(" ")
		}
	}
	fmt.Fprintf(w, "  %-12s %s  %.0f–%.0f g/kWh\n", o.Zone, curve.String(), low, high)
	fmt.Fprintf(w, "  %-12s %s\n", "", below.String())
	fmt.Fprintf(w, "  %-12s %-*s%s\n", "", width-len("15:04")*1, from.UTC().Format("15:04"), to.UTC().Format("15:04"))
	fmt.Fprintf(w, "  %-12s ▲ now   ━ runs   ┃ completeBy\n", "")
}
