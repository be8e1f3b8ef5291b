package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/figure"
)

// pictureFlag is -o: where a command's picture goes.
type pictureFlag struct{ path string }

func (f *pictureFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "output", "o", "", "draw it as well, into this .svg file; - is standard output")
	_ = cmd.MarkFlagFilename("output", "svg")
}

func (f *pictureFlag) wanted() bool { return f.path != "" }

// check finds out what cannot be written before anything is asked or done.
func (f *pictureFlag) check(cmd *cobra.Command) error {
	asJSON, _ := cmd.Flags().GetBool("json")
	switch st, err := os.Stat(f.path); {
	case f.path == "" || f.path == "-" && !asJSON:
		return nil
	case f.path == "-":
		return usage("--json and -o - both want standard output: name a file, as -o plan.svg")
	case !strings.EqualFold(filepath.Ext(f.path), ".svg"):
		return usage("-o %q: the picture is an SVG; name it so, as -o %s.svg", f.path, strings.TrimSuffix(filepath.Base(f.path), filepath.Ext(f.path)))
	case err == nil && !st.Mode().IsRegular():
		return usage("-o %q is there already and is no file", f.path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return usage("-o: %w", err)
	}
	return nil
}

// write puts the picture where it is to go. A file is there whole or not at
// all: one that was there before stays until the new one is on the disk.
func (f *pictureFlag) write(cmd *cobra.Command, svg []byte) error {
	if f.path == "-" {
		_, err := cmd.OutOrStdout().Write(svg)
		return err
	}
	return replaceFile(f.path, svg, 0o644)
}

// replaceFile writes a file beside the one that is to be replaced, and then
// takes its place.
func replaceFile(path string, b []byte, mode os.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// view is what a picture shows: a plan, or what became of it, under the curves
// of the zones that it looked at.
type view struct {
	title    string
	now, by  time.Time
	from, to time.Time
	demo     bool
	curves   []clusy.Outlook   // of the zones to draw, the chosen one first
	zones    map[string]string // site → its zone
	plan     *clusy.Placement  // nil: there is none
	baseline bar
	ran      []bar
	notes    []figure.Note
}

type bar struct {
	site       string
	start, end time.Time
	label      string
}

// before is how much of the measured past a picture shows.
const before = 6 * time.Hour

// look brings together what a picture needs of the server: the sites' zones,
// and the curves of those zones that the plan chose from. A curve that cannot
// be had is drawn as unknown.
func look(ctx context.Context, c *clusy.Client, v view) (view, error) {
	sites, err := c.Sites(ctx)
	if err != nil {
		return v, err
	}
	v.zones = map[string]string{}
	for _, s := range sites.Items {
		v.zones[s.ID] = s.Zone
	}
	v.to = v.by
	grow := func(t time.Time) {
		if t.After(v.to) {
			v.to = t
		}
	}
	var wanted []string
	want := func(site string) {
		if zone := v.zones[site]; zone != "" && !slices.Contains(wanted, zone) {
			wanted = append(wanted, zone)
		}
	}
	for _, r := range v.ran {
		want(r.site)
		grow(r.end)
	}
	if v.plan != nil {
		want(v.plan.Site)
		grow(v.plan.Spans[len(v.plan.Spans)-1].End)
		for _, a := range v.plan.Why.Rejected {
			want(a.Site)
		}
	}
	want(v.baseline.site)
	if len(wanted) == 0 { // no plan at all: the zones that were asked for
		for _, o := range v.curves {
			wanted = append(wanted, o.Zone)
		}
	}
	v.curves = nil
	v.to = v.to.Add(v.to.Sub(v.from) / 24)
	if most := v.from.Add(31 * 24 * time.Hour); v.to.After(most) {
		v.to = most // as far as the server draws a curve in one answer
	}
	for _, zone := range wanted {
		o, err := c.Intensity(ctx, zone, v.from, v.to)
		if err != nil && clusy.StatusOf(err) != 404 {
			return v, err
		}
		o.Zone = zone
		v.curves = append(v.curves, o)
	}
	return v, nil
}

// svg draws a view.
func (v view) svg() []byte {
	f := figure.Figure{
		ID: "plan", Title: v.title, From: v.from, To: v.to, Notes: slices.Clone(v.notes),
		Marks: []figure.Mark{{At: v.now, Label: "now " + local(v.now)}, {At: v.by, Label: "completeBy " + local(v.by), Due: true}},
	}
	if v.demo {
		f.Notes = append([]figure.Note{{Head: "DEMO", Text: "Replayed grid data: nothing of this has been emitted or saved."}}, f.Notes...)
	}
	for _, o := range v.curves {
		f.Panels = append(f.Panels, v.panel(o))
	}
	if v.plan != nil {
		for i, a := range v.plan.Why.Rejected {
			f.Notes = append(f.Notes, figure.Note{Head: fmt.Sprintf("not %d", i+1), Text: rejectedText(a)})
		}
	}
	return f.SVG()
}

func (v view) panel(o clusy.Outlook) figure.Panel {
	p := figure.Panel{Name: o.Zone, Unit: "g CO₂e per kWh", Curve: stepsOf(o)}
	row := func(label string, look figure.Look, bars ...bar) {
		r := figure.Row{Label: label}
		for _, b := range bars {
			if v.zones[b.site] == o.Zone {
				r.Bars = append(r.Bars, figure.Bar{Start: b.start, End: b.end, Look: look, Label: b.label})
			}
		}
		if len(r.Bars) > 0 {
			p.Rows = append(p.Rows, r)
		}
	}
	row("run at once", figure.Compared, v.baseline)
	if v.plan != nil {
		row("planned", figure.Planned, spansAt(*v.plan)...)
	}
	row("ran", figure.Done, v.ran...)
	if v.plan != nil {
		for i, a := range v.plan.Why.Rejected {
			label := causeMeans[a.Cause]
			if !a.Start.Before(v.to) {
				label = local(a.Start) + ", " + label
			}
			if a.Carbon != nil {
				label = grams(*a.Carbon) + ", " + label
			}
			row(fmt.Sprintf("not %d · %s", i+1, a.Site), figure.Rejected, bar{a.Site, a.Start, a.Finish, label})
		}
	}
	return p
}

func spansAt(p clusy.Placement) []bar {
	var bars []bar
	for _, s := range p.Spans {
		b := bar{site: p.Site, start: s.Start, end: s.End}
		if s.Size != 0 {
			b.label = times(s.Size)
		}
		bars = append(bars, b)
	}
	if n := len(bars); n > 0 && p.Carbon != nil {
		bars[n-1].label = strings.TrimSpace(bars[n-1].label + " " + grams(*p.Carbon))
	}
	return bars
}

// stepsOf turns a zone's points into steps. A point holds until the next one,
// an hour at most: what the server leaves out is not known.
func stepsOf(o clusy.Outlook) []figure.Step {
	value := func(f *float64) float64 {
		if f == nil {
			return math.NaN()
		}
		return *f
	}
	var out []figure.Step
	for i, p := range o.Points {
		end := p.Start.Truncate(time.Hour).Add(time.Hour)
		if i+1 < len(o.Points) && o.Points[i+1].Start.Before(end) {
			end = o.Points[i+1].Start
		}
		out = append(out, figure.Step{Start: p.Start, End: end, Value: value(p.Intensity), Low: value(p.Low), High: value(p.High), Expected: p.Forecast})
	}
	return out
}

var causeMeans = map[string]string{
	"dirtier":   "emits more",
	"dearer":    "costs more",
	"later":     "done later, no better",
	"full":      "no room then",
	"late":      "complete too late",
	"denied":    "may not run then",
	"down":      "site takes no work",
	"unknown":   "intensity unknown",
	"ceiling":   "over a ceiling",
	"not-worth": "saves less than minSaving",
}

func rejectedText(a clusy.Alternative) string {
	text := a.Site + ", " + fromTo(a.Start, a.Finish)
	if a.Carbon != nil {
		text += ": " + grams(*a.Carbon)
		if d := a.CarbonDelta; d != nil {
			text += fmt.Sprintf(" (%s against the one taken)", signed(*d))
		}
	}
	return text + "; " + causeMeans[a.Cause]
}

// fromTo prints a stretch of time, with its day once where it is one.
func fromTo(a, b time.Time) string {
	end := local(b)
	if a.UTC().Truncate(24 * time.Hour).Equal(b.UTC().Truncate(24 * time.Hour)) {
		end = b.UTC().Format("15:04")
	}
	return local(a) + " to " + end
}

// signed prints a difference of carbon with its sign.
func signed(g float64) string {
	if g < 0 {
		return "−" + grams(-g)
	}
	return "+" + grams(g)
}

// planNotes says beneath a picture what showWhy says on a terminal.
func planNotes(p clusy.Placement) []figure.Note {
	notes := []figure.Note{{Head: "why", Text: p.Why.Text}}
	if r := p.Why.RunNow; r != nil && r.Carbon != nil && p.Carbon != nil {
		notes = append(notes, figure.Note{Head: "expected", Text: fmt.Sprintf("%s, against %s at once: %s (%s)",
			grams(*p.Carbon), grams(*r.Carbon), signed(*p.Carbon-*r.Carbon), percent(*p.Carbon-*r.Carbon, *r.Carbon))})
	}
	if p.Grade != "" {
		text := fmt.Sprintf("grade %s, %s", p.Grade, gradeMeans[p.Grade])
		for _, s := range p.Why.Signals {
			text += fmt.Sprintf("; %s by %s, issued %s UTC", s.Zone, s.Provider, local(s.Issued))
		}
		notes = append(notes, figure.Note{Head: "signal", Text: text})
	}
	return notes
}

// viewOfDryRun is what a dry run shows.
func viewOfDryRun(d clusy.DryRun, shape clusy.Shape, st clusy.Status) view {
	v := view{now: st.Now, by: shape.When.CompleteBy, demo: st.Demo, from: st.Now.Truncate(time.Hour).Add(-before), plan: d.Placement, curves: d.Outlook}
	if d.Placement == nil {
		v.title = "It cannot be done"
		for _, f := range d.Failed {
			text := f.Message
			if f.Nearest != "" {
				text += " Would do: " + f.Nearest
			}
			v.notes = append(v.notes, figure.Note{Head: f.Field, Text: text})
		}
		return v
	}
	p := *d.Placement
	v.title = fmt.Sprintf("Would run at %s, %s%s", p.Site, fromTo(p.Spans[0].Start, p.Spans[len(p.Spans)-1].End), inPieces(p.Spans))
	v.notes = planNotes(p)
	if r := p.Why.RunNow; r != nil {
		v.baseline = bar{site: r.Site, start: r.Start, end: r.Finish}
		if r.Carbon != nil {
			v.baseline.label = grams(*r.Carbon)
		}
	}
	return v
}

// viewOfWorkload is what is known of a workload: what was planned and, as far
// as it has come, what ran.
func viewOfWorkload(x explanation, st clusy.Status) view {
	w := x.Workload
	v := view{title: w.ID + "  " + describe(w), now: st.Now, by: w.Shape.When.CompleteBy, demo: st.Demo, from: w.Created.Truncate(time.Hour).Add(-before), plan: w.Plan}
	v.ran = runsOf(x, st.Now)
	if terminal(w.State) && len(v.ran) > 0 {
		// What was decided before it began; what was decided after that is
		// only about what was left of it.
		for _, d := range x.Decisions {
			if d.At.Before(v.ran[0].start) {
				v.plan = &d.Placement
				break
			}
		}
	}
	v.baseline = bar{site: w.Baseline.Site, start: w.Baseline.Start, end: w.Baseline.Start.Add(seconds(w.Shape.Duration.Expected))}
	if v.plan != nil {
		v.notes = planNotes(*v.plan)
		if r := v.plan.Why.RunNow; r != nil && r.Carbon != nil {
			v.baseline.label = grams(*r.Carbon)
		}
	}
	if a := w.Account; a != nil && a.Complete && a.Entries > 0 {
		v.baseline.label = grams(a.Avoided)
		v.notes = append(v.notes, figure.Note{Head: "booked", Text: fmt.Sprintf("emitted %s, run-now would have emitted %s: saved %s (%s), grade %s",
			grams(a.Emitted), grams(a.Avoided), grams(a.Saved), percent(a.Saved, a.Avoided), a.Grade)})
		if n := len(v.ran); n > 0 {
			v.ran[n-1].label = grams(a.Emitted)
		}
	}
	return v
}

// runsOf finds when a workload ran: from its start to its end, without the
// times for which it was suspended.
func runsOf(x explanation, now time.Time) (runs []bar) {
	for _, a := range x.Workload.Attempts {
		if a.Started.IsZero() {
			continue
		}
		end := a.Ended
		if end.IsZero() {
			end = now
		}
		at := a.Started
		for _, e := range x.Events {
			if e.Kind != "workload.moved" || e.At.Before(a.Started) || e.At.After(end) {
				continue
			}
			switch {
			case e.To == "suspended" && !at.IsZero():
				runs, at = append(runs, bar{site: a.Site, start: at, end: e.At}), time.Time{}
			case e.To == "running" && at.IsZero():
				at = e.At
			}
		}
		if !at.IsZero() {
			runs = append(runs, bar{site: a.Site, start: at, end: end})
		}
	}
	return runs
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
