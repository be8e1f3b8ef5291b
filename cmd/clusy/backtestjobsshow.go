package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"clusy.io/clusy/internal/figure"
	"clusy.io/clusy/internal/plan/replay"
)

func (r *jobsResult) show(w io.Writer) error {
	var sites []string
	for _, s := range r.Sites {
		sites = append(sites, fmt.Sprintf("%s %.0f", s.Site, s.CPUs))
	}
	say := func(head, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		fmt.Fprintf(w, "%-10s%s\n", head, text)
	}
	say("jobs", "%d of %s (%s), %s to %s: %.0f cpu-hours, %.0f kWh", r.Jobs, r.File, r.Format, r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.CPUHours, r.EnergyKWh)
	if r.SampleOne > 1 {
		say("", "one job in %d", r.SampleOne)
	}
	switch {
	case r.MovedDays == nil:
		say("", "the trace has no dates: its hour 0 is %s", r.Begins.Format("2006-01-02 15:04"))
	case *r.MovedDays != 0:
		say("", "moved by %.0f days, in whole weeks, to where the grid is known", *r.MovedDays)
	}
	say("sites", "cpus: %s; %.0f %% in use on the average if nothing waits", strings.Join(sites, ", "), 100*r.Use)
	say("grid", "%s, by %s", r.Signal.Basis, r.Signal.Source)
	say("", "forecasts: %s", r.Signal.Forecast)
	if r.Signal.Unknown > 0 {
		say("", "%d hours are not known, and taken as the hour before", r.Signal.Unknown)
	}
	say("assumed", "slack where the trace does not say: %s", r.Assumed.Slack)
	say("", "%d of the jobs may be suspended, %d may run at any site", r.Assumed.Interruptible, r.Assumed.Movable)
	say("", "%.3g W for a busy cpu (%s), PUE %.3g", r.Assumed.WattsPerCPU, r.Assumed.PowerFrom, r.Assumed.PUE)
	say("", "lengths: %s; slots of %s", r.Assumed.Lengths, span(mustSpan(r.Assumed.Slot)))
	for _, l := range r.LeftOut {
		say("left out", "%d: %s (first: %s)", l.Count, l.Why, l.First)
	}
	for _, n := range r.Notes {
		say("note", "%s", n)
	}
	fmt.Fprintln(w)

	one := func(p *float64) string { return orDash(p, "%.1f %%") }
	marginal := r.Signal.Marginal != ""
	head := []string{"POLICY", "EMITTED", "SAVING"}
	if marginal {
		head = append(head, "MARGINAL")
	}
	head = append(head, "LATE", "REFUSED", "MEAN DELAY", "MOVED", "PAUSES")
	if r.EqualDelay {
		head = append(head, "CLUSY AT THAT DELAY")
	}
	rows := [][]string{head}
	for _, p := range r.Policies {
		row := []string{p.Policy, grams(p.Grams), one(p.Saving)}
		if marginal {
			row = append(row, one(p.Marginal))
		}
		at := one(p.AtDelay)
		if p.Policy == replay.Planner || p.Policy == knowing || p.Policy == replay.Expecting || p.Policy == replay.RunNow {
			at = "–"
		}
		refused := "–"
		if p.Policy == replay.Planner || p.Policy == knowing || p.Policy == replay.Expecting {
			refused = fmt.Sprint(p.Refused)
		}
		row = append(row, fmt.Sprint(p.Late), refused, fmt.Sprintf("%.1f h", p.DelayH), fmt.Sprint(p.Moved), fmt.Sprint(p.Paused))
		if r.EqualDelay {
			row = append(row, at)
		}
		rows = append(rows, row)
	}
	if b := r.Bound; b != nil {
		rows = append(rows, []string{"no plan can", grams(b.Grams), one(b.Saving)})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if b := r.Bound; b != nil {
		fmt.Fprintf(w, "Who had known all arrivals and what came could have saved at most %s: clusy's\ncarbon is %s above that bound, its saving %s of it.\n", one(b.Saving), one(b.Gap), one(b.Realised))
		if b.Offline != nil {
			fmt.Fprintf(w, "A plan that knows all and can be carried out saves %s.\n", one(b.Offline))
		}
	}
	for _, p := range r.Policies {
		if p.Policy == replay.Planner {
			fmt.Fprintf(w, "%d of the admitted were late.", p.Late)
			if p.Refused > 0 {
				fmt.Fprintf(w, " %d could not be promised the time they asked for, and took the nearest.", p.Refused)
			}
			if r.Told != nil {
				fmt.Fprintf(w, " %d were complete after the time that they had asked for.", p.Missed)
			}
			fmt.Fprintln(w)
		}
	}
	if t := r.Told; t != nil {
		fmt.Fprintf(w, "Of lengths it was told: what was learned of the class %d, of all jobs %d, what was declared %d, the truth %d.\n%d ran longer than the p95 that was told, %d longer than twice that, and would have been killed.\n",
			t.Class, t.All, t.Declared, t.Truth, t.Over, t.Killed)
	}
	return r.showWorse(w)
}

func (r *jobsResult) showWorse(w io.Writer) error {
	x := r.Worse
	if x.Jobs == 0 {
		fmt.Fprintln(w, "No job emitted more than it would have at once.")
		return nil
	}
	fmt.Fprintf(w, "%d jobs (%.0f %%) emitted more than they would have at once, %s in all:\n", x.Jobs, 100*float64(x.Jobs)/float64(r.Jobs), grams(x.Grams))
	for _, c := range x.Causes {
		fmt.Fprintf(w, "  %d: %s\n", c.Count, c.Why)
	}
	for _, m := range x.Most {
		fmt.Fprintf(w, "  most: %s, %s more (%+.0f %%): %s\n", m.Job, grams(m.Grams), m.Share, m.Cause)
	}
	fmt.Fprintf(w, "Days whose jobs emitted more: %d of %d", len(x.Days), x.AllDay)
	for i, d := range x.Days[:min(len(x.Days), mostWorse)] {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(w, "%s%s (%+.1f %%)", sep, d.Day, d.Share)
	}
	fmt.Fprintln(w, ".")
	return nil
}

func mustSpan(s string) time.Duration {
	d, _ := time.ParseDuration(s)
	return d
}

// figure draws a week: the curve of the first sites with what ran there, and how
// the policies compare.
func (b *jobsBacktest) figure(r *jobsResult) figure.Figure {
	w := &b.world
	perDay := int(24 * time.Hour / w.Slot)
	// The week in the middle: the first has an empty house.
	slots := int(b.to.Sub(b.from) / w.Slot)
	last := w.Jobs[len(w.Jobs)-1].Arrive + perDay
	slots = min(slots, last)
	first := max(0, slots/2-figureDays*perDay/2) / perDay * perDay
	until := min(first+figureDays*perDay, max(slots, perDay))
	at := func(t int) time.Time { return b.from.Add(time.Duration(t) * w.Slot) }
	f := figure.Figure{ID: "jobs", Title: "What jobs of the past would have emitted", From: at(first), To: at(until)}
	ours, now := w.loads(r.clusy), w.loads(r.now)
	for s := range min(3, len(w.Sites)) {
		curve := func(value func(t int) float64) (out []figure.Step) {
			for t := first; t < until; t++ {
				out = append(out, figure.Step{Start: at(t), End: at(t + 1), Value: value(t), Low: math.NaN(), High: math.NaN()})
			}
			return out
		}
		name := w.Sites[s].ID
		f.Panels = append(f.Panels,
			figure.Panel{Name: name, Unit: "g CO₂e per kWh", Curve: curve(func(t int) float64 { return w.Measured(s, t) / 1000 })},
			figure.Panel{Name: name + ", run by clusy", Unit: "cpus", Curve: curve(func(t int) float64 { return ours[s][t] })},
			figure.Panel{Name: name + ", run at once", Unit: "cpus", Curve: curve(func(t int) float64 { return now[s][t] })})
	}
	carbon := figure.Scale{Name: "Emitted", Unit: "kg CO₂e"}
	delay := figure.Scale{Name: "Mean delay", Unit: "h"}
	for _, p := range r.Policies {
		look := figure.Compared
		if p.Policy == replay.Planner || p.Policy == replay.Expecting {
			look = figure.Done
		}
		carbon.Amounts = append(carbon.Amounts, figure.Amount{Label: p.Policy, Value: p.Grams / 1000, Look: look})
		delay.Amounts = append(delay.Amounts, figure.Amount{Label: p.Policy, Value: max(p.DelayH, 0), Look: look})
	}
	if r.Bound != nil {
		carbon.Amounts = append(carbon.Amounts, figure.Amount{Label: "no plan can", Value: max(r.Bound.Grams, 0) / 1000, Look: figure.Planned})
	}
	f.Scales = append(f.Scales, carbon, delay)
	f.Notes = []figure.Note{
		{Head: "jobs", Text: fmt.Sprintf("%d, of %s to %s; the week shown is one of them", r.Jobs, r.From.Format(time.DateOnly), r.To.Format(time.DateOnly))},
		{Head: "grid", Text: r.Signal.Basis + ", by " + r.Signal.Source},
		{Head: "slack", Text: r.Assumed.Slack},
	}
	return f
}

// loads is how many cpus are in use, by site and slot.
func (w *jobsWorld) loads(o *replay.Outcome) [][]float64 {
	slots := int(2 * 24 * time.Hour / w.Slot)
	for i := range o.Placed {
		slots = max(slots, o.Placed[i].End()+int(24*time.Hour/w.Slot))
	}
	out := make([][]float64, len(w.Sites))
	for s := range out {
		out[s] = make([]float64, slots+figureDays*24)
	}
	for i, p := range o.Placed {
		for _, run := range p.Runs {
			for t := run.From; t < run.To; t++ {
				out[p.Site][t] += float64(w.Jobs[i].CPU) / 1000
			}
		}
	}
	return out
}
