package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"clusy.io/clusy/internal/figure"
	"clusy.io/clusy/internal/sim"
)

// simFigures is one simulation for programs. What is not known is null.
type simFigures struct {
	*sim.Result
	What    string              `json:"work"`
	Faults  string              `json:"faultLevel"`
	Trials  []sim.Trial         `json:"faults,omitempty"`
	Commit  string              `json:"commit,omitempty"`
	Saving  *float64            `json:"savingPercent"` // against run-now, by the ledger
	WallS   float64             `json:"wallSeconds"`
	CPUS    float64             `json:"cpuSeconds"`
	PerMin  float64             `json:"clusterDaysPerMinute"`
	Stories map[string][]string `json:"stories,omitempty"` // of what broke, the last events
}

func (r *simRun) figures() simFigures {
	f := simFigures{Result: r.Result, What: r.what, Faults: r.faults, Trials: r.cfg.Faults.Trials, Commit: commit(),
		Saving: shareOf(float64(r.Avoided-r.Emitted), float64(r.Avoided)), WallS: math.Round(1000*r.wall.Seconds()) / 1000, CPUS: math.Round(1000*r.cpu.Seconds()) / 1000,
		PerMin: math.Round(r.Days / r.wall.Minutes())}
	for i, b := range r.Breaches {
		if i == 0 {
			f.Stories = map[string][]string{}
		}
		if i < mostStories && b.Workload != "" {
			f.Stories[b.Workload] = r.Facts.Story(b.Workload, 20)
		}
	}
	return f
}

// mostStories is of how many broken promises the last events are told.
const mostStories = 3

func simOutput(runs []*simRun) any {
	out := make([]simFigures, len(runs))
	for i, r := range runs {
		out[i] = r.figures()
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}

func showSim(w io.Writer, runs []*simRun) error {
	var days, minutes float64
	late, excused, bad := 0, 0, 0
	for i, r := range runs {
		days, minutes = days+r.Days, minutes+r.wall.Minutes()
		late, excused, bad = late+r.Late, excused+r.Excused, bad+len(r.Breaches)
		if i == 0 {
			showOneSim(w, r)
		} else if len(r.Breaches) > 0 {
			fmt.Fprintf(w, "\nseed %d\n", r.Seed)
		}
		showBroken(w, r)
	}
	if len(runs) > 1 {
		fmt.Fprintf(w, "\nin all     %d seeds, %.0f cluster-days, %.0f a minute; %d late, %d of them as the world broke; %d promises broken\n", len(runs), days, days/minutes, late, excused, bad)
	}
	return nil
}

func showOneSim(w io.Writer, r *simRun) {
	f := r.figures()
	saving := "unknown"
	if f.Saving != nil {
		saving = fmt.Sprintf("%.1f %% against run-now", *f.Saving)
	}
	fmt.Fprintf(w, "work       %d jobs (%s), %d refused, %d promised for later than asked\n", len(r.cfg.Jobs), r.what, r.Stats.Refused, r.Stats.Moved)
	fmt.Fprintf(w, "time       %s to %s, %d sites: %.1f cluster-days\n", r.Begin.Format("2006-01-02 15:04"), r.End.Format("2006-01-02 15:04"), len(r.cfg.Sites), r.Days)
	fmt.Fprintf(w, "carbon     %.2f kg; run-now %.2f kg\n", float64(r.Emitted)/1e6, float64(r.Avoided)/1e6)
	fmt.Fprintf(w, "saving     %s, by the ledger\n", saving)
	fmt.Fprintf(w, "late       %d", r.Late)
	if r.Excused > 0 {
		fmt.Fprintf(w, ", %d of them as the world broke", r.Excused)
	}
	fmt.Fprintf(w, "\nplans      %d on record; the loop went around %d times, agents called %d times\n", r.Plans, r.Stats.Turns, r.Stats.Calls)
	fmt.Fprintf(w, "faults     %s", r.faults)
	if r.Stats.Faults > 0 {
		fmt.Fprintf(w, ": %d; messages lost %d, twice %d, late %d", r.Stats.Faults, r.Stats.Lost, r.Stats.Twice, r.Stats.Late)
	}
	fmt.Fprintf(w, "\nspeed      %.0f cluster-days a minute: %s of wall, %s of CPU\n", f.PerMin, r.wall.Round(10*time.Millisecond), r.cpu.Round(10*time.Millisecond))
	fmt.Fprintf(w, "trace      %d events, hash %s\n", r.Events, r.Hash)
	fmt.Fprintf(w, "promises   %d of %d kept\n", len(r.Checked)-brokenKinds(r.Breaches), len(r.Checked))
}

func brokenKinds(bs []sim.Breach) int {
	kinds := map[string]bool{}
	for _, b := range bs {
		kinds[b.Invariant] = true
	}
	return len(kinds)
}

// showBroken tells what broke, and all that it takes to see it again.
func showBroken(w io.Writer, r *simRun) {
	if len(r.Breaches) == 0 {
		return
	}
	rev := commit()
	if rev == "" {
		rev = "unknown"
	}
	fmt.Fprintf(w, "\nBROKEN     seed %d, commit %s, %s/%s; %d sites, %d jobs, step %s, faults %s\n", r.Seed, rev, runtime.GOOS, runtime.GOARCH, len(r.cfg.Sites), len(r.cfg.Jobs), r.cfg.Step, r.faults)
	for i, b := range r.Breaches {
		if i == mostStories {
			fmt.Fprintf(w, "  and %d more\n", len(r.Breaches)-i)
			break
		}
		fmt.Fprintf(w, "  %s\n", b)
		for _, line := range r.Facts.Story(b.Workload, 20) {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	for _, t := range r.cfg.Faults.Trials {
		site := "all"
		if t.Site >= 0 {
			site = r.cfg.Sites[t.Site].ID
		}
		fmt.Fprintf(w, "  fault %s at %s from %s to %s %s\n", t.Kind, site, t.From.Format(time.DateTime), t.To.Format(time.DateTime), offText(t.Off))
	}
}

func offText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(time.Millisecond).String()
}

// simFigure draws, for the middle of it, what each grid emitted and what ran there.
func simFigure(r *simRun) figure.Figure {
	from := r.cfg.Start
	to := from.Add(min(r.End.Sub(from).Truncate(time.Hour)+time.Hour, figureDays*24*time.Hour))
	f := figure.Figure{ID: "sim", Title: "What ran in a simulation", From: from, To: to}
	const step = 15 * time.Minute
	for i := range min(3, len(r.cfg.Sites)) {
		s := r.cfg.Sites[i]
		var grams, busy []figure.Step
		for at := from; at.Before(to); at = at.Add(step) {
			value := math.NaN()
			if v, ok := r.cfg.Grid[s.Zone].At(at); ok {
				value = float64(v.Value) / 1000
			}
			grams = append(grams, figure.Step{Start: at, End: at.Add(step), Value: value, Low: math.NaN(), High: math.NaN()})
			cpus := 0.0
			for _, x := range r.Ran {
				if x.Site != s.ID {
					continue
				}
				for _, run := range x.Seen.Runs {
					if !at.Before(run.From) && at.Before(run.To) {
						cpus += float64(r.Facts.Workloads[x.Workload].Shape.Demand.CPU) / 1000
					}
				}
			}
			busy = append(busy, figure.Step{Start: at, End: at.Add(step), Value: cpus, Low: math.NaN(), High: math.NaN()})
		}
		f.Panels = append(f.Panels, figure.Panel{Name: string(s.Zone), Unit: "g CO₂e per kWh", Curve: grams},
			figure.Panel{Name: s.ID + ", what ran", Unit: "cpus", Curve: busy})
	}
	f.Scales = []figure.Scale{{Name: "Emitted", Unit: "kg CO₂e", Amounts: []figure.Amount{
		{Label: "run now", Value: max(0, float64(r.Avoided)/1e6), Look: figure.Compared}, {Label: "clusy", Value: max(0, float64(r.Emitted)/1e6), Look: figure.Done}}}}
	f.Notes = []figure.Note{
		{Head: "work", Text: fmt.Sprintf("%d jobs, %s, seed %d", len(r.cfg.Jobs), r.what, r.Seed)},
		{Head: "promises", Text: fmt.Sprintf("%d of %d kept", len(r.Checked)-brokenKinds(r.Breaches), len(r.Checked))},
	}
	return f
}
