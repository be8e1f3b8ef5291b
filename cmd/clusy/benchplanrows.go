package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan/fleet/world"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
)

// recipeFlags are what of a row the caller may change.
type recipeFlags struct {
	seed        uint64
	intents     int
	slots       int
	slot        time.Duration
	zones       []string
	perZone     int
	pue         []float64
	from        string
	trace       string
	jobs        string
	shapes      string
	slack       string
	utilisation float64
	rigid       float64
	movable     float64
	watts       float64
}

// recipeNames are the flags of a recipe.
var recipeNames = []string{"seed", "intents", "slots", "slot", "zones", "sites-per-zone", "pue", "from", "trace", "jobs", "shapes", "slack", "util", "rigid", "movable", "watts-per-cpu"}

func (f *recipeFlags) add(fl *pflag.FlagSet) {
	fl.Uint64Var(&f.seed, "seed", 1, "seed of what is made up: the same gives the same")
	fl.IntVar(&f.intents, "intents", 0, "plan a row of your own, of so many intents")
	fl.IntVar(&f.slots, "slots", 168, "how many slots")
	fl.DurationVar(&f.slot, "slot", time.Hour, "length of a slot, 1m to 24h")
	fl.StringSliceVar(&f.zones, "zones", nil, "zones (default: the first 4, or 8, of the trace)")
	fl.IntVar(&f.perZone, "sites-per-zone", 1, "sites that share a zone's room")
	fl.Float64SliceVar(&f.pue, "pue", []float64{1.1, 1.2, 1.15, 1.25}, "PUE of the sites, in turn")
	fl.StringVar(&f.from, "from", "", "first day, as 2023-05-01 (default: the first of the trace)")
	fl.StringVar(&f.trace, "trace", "", "CSV of intensities: time_utc, then a column for each zone (default: the bundled weeks)")
	fl.StringVar(&f.jobs, "jobs", "", "CSV of jobs to draw from: arrival_h,length_h,cpus")
	fl.StringVar(&f.shapes, "shapes", "azure", "jobs are like those of a trace: "+world.TailNames())
	fl.StringVar(&f.slack, "slack", "1x+12h", "share of its length and time that a job may end later; or gaia")
	fl.Float64Var(&f.utilisation, "util", 0.6, "utilisation: what is asked for, of the cpu-slots there are")
	fl.Float64Var(&f.rigid, "rigid", 0.5, "share of the jobs that may not pause")
	fl.Float64Var(&f.movable, "movable", 0.5, "share of the jobs that may run in any zone")
	fl.Float64Var(&f.watts, "watts-per-cpu", 10, "draw of a cpu, in watts")
}

// benchRow is an instance to be made up.
type benchRow struct {
	name, aim string
	zones     int           // how many, if they are not named
	disturb   float64       // error of the forecast that it is planned anew by
	online    *onlineTrial  // not nil: its jobs are not known beforehand
	private   *privateTrial // not nil: it is planned by enclaves, too
	recipeFlags
}

// rowsOfTheTable returns all rows, where f says what they do not.
func (f *recipeFlags) rowsOfTheTable() []benchRow {
	of := func(name, aim string, intents int, change func(*benchRow)) benchRow {
		r := benchRow{name: name, aim: aim, zones: 4, recipeFlags: *f}
		r.intents = intents
		if change != nil {
			change(&r)
		}
		return r
	}
	quarters := func(r *benchRow) { r.slot, r.slots = 15*time.Minute, 4*r.slots }
	rows := []benchRow{
		of("small-200", "", 200, nil), of("small-500", "", 500, nil),
		of("small-1000", "≤ 0.5 % from the MILP optimum, < 100 ms", 1000, nil),
		of("100k", "≤ 0.05 %, < 0.5 s on 2 idle cores", 100_000, nil),
		of("1m", "≤ 0.1 %, < 6 s, < 1.5 GB", 1_000_000, nil),
		of("15min", "≤ 0.2 %, < 3 s", 100_000, func(r *benchRow) { r.zones = 8; quarters(r) }),
		of("replan", "< 0.3 s", 100_000, func(r *benchRow) { r.disturb = 0.1 }),
	}
	rows = append(rows,
		of("online", "≥ 95 % of the offline saving", 20_000, func(r *benchRow) { r.online = &onlineTrial{} }),
		of("late", "0 of 20,000 late among admitted", 20_000, func(r *benchRow) {
			r.online, r.utilisation = &onlineTrial{wrong: 0.3, dies: true}, 0.9
		}))
	rows = append(rows, of("private", "≤ 0.5 % by 100 enclaves in ≤ 16 rounds, < 10 kB a round each", 100_000, func(r *benchRow) {
		r.private = &privateTrial{enclaves: 100, rounds: 16}
	}))
	for _, percent := range []int{20, 40, 60, 80, 90} {
		aim := "share of the bound's saving ≥ 97 %"
		switch percent {
		case 60:
			aim += ", ratio to greedy ≥ 1.5"
		case 90:
			aim = ""
		}
		rows = append(rows, of(fmt.Sprintf("util-%d", percent), aim, 20_000, func(r *benchRow) { r.utilisation = float64(percent) / 100 }))
	}
	return append(rows,
		of("growth-1k", "", 1000, nil), of("growth-10k", "", 10_000, nil), of("growth-100k", "", 100_000, nil), of("growth-1m", "", 1_000_000, nil),
		of("growth-slots-30min", "", 100_000, func(r *benchRow) { r.slot, r.slots = 30*time.Minute, 2*r.slots }), of("growth-slots-15min", "", 100_000, quarters),
		of("growth-sites-8", "", 100_000, func(r *benchRow) { r.perZone = 2 }), of("growth-sites-16", "", 100_000, func(r *benchRow) { r.perZone = 4 }))
}

// rows returns the rows that are asked for.
func (f *recipeFlags) rows(fl *pflag.FlagSet, names []string) ([]benchRow, error) {
	if fl.Changed("shapes") && f.jobs != "" {
		return nil, usage("--shapes and --jobs are both given: jobs are drawn from a file or are like those of a trace")
	}
	if fl.Changed("intents") {
		if fl.Changed("rows") && !slices.Equal(names, []string{"own"}) {
			return nil, usage("--rows says how many intents there are, and so does --intents: leave one of them out")
		}
		return []benchRow{{name: "own", zones: 4, recipeFlags: *f}}, nil
	}
	for _, name := range []string{"slot", "slots", "util", "sites-per-zone"} {
		if fl.Changed(name) {
			return nil, usage("--%s would make another row of each under its name; with --intents N it is a row of your own", name)
		}
	}
	all := f.rowsOfTheTable()
	var out []benchRow
	for _, want := range names {
		found := false
		for _, r := range all {
			if want != "all" && r.name != want && !strings.HasPrefix(r.name, want+"-") {
				continue
			}
			found = true
			if !slices.ContainsFunc(out, func(have benchRow) bool { return have.name == r.name }) {
				out = append(out, r)
			}
		}
		if !found {
			var known []string
			for _, r := range all {
				known = append(known, r.name)
			}
			return nil, usage("--rows %q: there is no such row; there are all, %s", want, strings.Join(known, ", "))
		}
	}
	if len(out) == 0 {
		return nil, usage("--rows is empty: name one, or all")
	}
	return out, nil
}

// make makes the row's world, and writes down in r of what.
func (row *benchRow) make(ctx context.Context, r *planRow) (*world.World, error) {
	slack, err := world.ParseSlack(row.slack)
	if err != nil {
		return nil, usage("--slack: %w", err)
	}
	if row.intents < 1 || row.intents > mostWorldIntents {
		return nil, usage("--intents %d: give 1 to %d", row.intents, mostWorldIntents)
	}
	if row.slots < 2 || row.slots > mostWorldSlots || row.slot < time.Minute || row.slot > 24*time.Hour {
		return nil, usage("--slots %d, --slot %s: give 2 to %d, and 1m to 24h", row.slots, row.slot, mostWorldSlots)
	}
	zones := row.zones
	if row.recipeFlags.zones != nil {
		zones = len(row.recipeFlags.zones)
	}
	if n := zones * row.perZone; n > mostWorldSites || n*row.slots > mostWorldCells {
		return nil, usage("%d sites of %d slots are too much: give --sites-per-zone and --slots that make %d sites at most, and %d slots of all sites together", n, row.slots, mostWorldSites, mostWorldCells)
	}
	recipe := world.Recipe{Seed: row.seed, Intents: row.intents, Slot: row.slot, SitesPerZone: row.perZone, PUE: row.pue,
		Utilisation: row.utilisation, Slack: slack, Rigid: row.rigid, Movable: row.movable, Watts: row.watts}
	r.Carbon, r.Jobs = "the bundled weeks", row.shapes
	if row.trace != "" {
		r.Carbon = filepath.Base(row.trace)
	}
	if row.jobs != "" {
		r.Jobs = filepath.Base(row.jobs)
		if recipe.Jobs, err = readJobs(row.jobs); err != nil {
			return nil, err
		}
	} else if tail, ok := world.Tails[row.shapes]; ok {
		recipe.Jobs = tail
	} else {
		return nil, usage("--shapes %q: give %s, or a file with --jobs", row.shapes, world.TailNames())
	}
	var from time.Time
	if recipe.Zones, recipe.Carbon, from, err = row.carbon(ctx); err != nil {
		return nil, err
	}
	w, err := recipe.Make()
	if err != nil {
		return nil, usageError{err}
	}
	r.Seed, r.From, r.Slack, r.Utilisation, r.Rigid, r.Movable = &row.seed, from.Format(time.DateOnly), slack.String(), &row.utilisation, &row.rigid, &row.movable
	return w, nil
}

// carbon reads the intensities of the row's zones and slots. Between two values
// of the trace the first holds; what is unknown stays so.
func (row *benchRow) carbon(ctx context.Context) (zones []string, carbon [][]float64, from time.Time, err error) {
	name, source := "the bundled weeks", signal.Provider(nil)
	if row.trace == "" {
		source, err = bundled.Provider()
	} else {
		name = row.trace
		source, err = signal.OpenFile(row.trace, signal.FileOptions{})
	}
	if err != nil {
		return nil, nil, from, usage("--trace: %w", err)
	}
	known, err := source.Zones(ctx)
	if err != nil {
		return nil, nil, from, usage("--trace: %w", err)
	}
	zones = row.zonesOf(known)
	if row.recipeFlags.zones == nil && len(zones) < row.zones {
		return nil, nil, from, usage("%s is on %d zones, and %s has %d: give another --trace, or the --zones to plan it on instead", row.name, row.zones, name, len(zones))
	}
	var all []grid.Outlook
	var first, last time.Time
	for i, z := range zones {
		if !slices.Contains(known, grid.Zone(z)) {
			return nil, nil, from, usage("--zones: %s has no zone %s; it has %s", name, z, zoneNamesOf(known))
		}
		if slices.Contains(zones[:i], z) {
			return nil, nil, from, usage("--zones: %s is there twice", z)
		}
		end := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
		s, err := source.History(ctx, grid.Zone(z), time.Unix(0, 0), end, end)
		if err != nil {
			return nil, nil, from, usage("--trace: %w", err)
		}
		if i == 0 {
			first, last = s.Start, s.End()
		}
		first, last = later(first, s.Start), earlier(last, s.End())
		all = append(all, grid.Believe(grid.Zone(z), s.Basis, s))
	}
	if from = first; row.from != "" {
		if from, err = time.Parse(time.DateOnly, row.from); err != nil {
			return nil, nil, from, usage("--from %q is no day, want it as 2023-01-31", row.from)
		}
	}
	until := from.Add(time.Duration(row.slots) * row.slot)
	if from.Before(first) || until.After(last) {
		const form = "2006-01-02T15:04Z"
		return nil, nil, from, usage("--from %s: %d slots of %s end at %s, and what %s knows of all of %s is from %s to %s", from.Format(form), row.slots, row.slot, until.Format(form), name, strings.Join(zones, ", "), first.Format(form), last.Format(form))
	}
	for _, o := range all {
		values := make([]float64, row.slots)
		for t := range values {
			at := from.Add(time.Duration(t) * row.slot)
			values[t] = gramsOf(o.Mean(at, at.Add(row.slot)))
		}
		carbon = append(carbon, values)
	}
	return zones, carbon, from, nil
}

// zonesOf returns the zones that are named, or the first of the trace.
func (row *benchRow) zonesOf(known []grid.Zone) []string {
	if row.recipeFlags.zones != nil {
		return row.recipeFlags.zones
	}
	var out []string
	for _, z := range bundledOrder {
		if slices.Contains(known, grid.Zone(z)) {
			out = append(out, z)
		}
	}
	for _, z := range known {
		if !slices.Contains(out, string(z)) {
			out = append(out, string(z))
		}
	}
	return out[:min(row.zones, len(out))]
}

const mostJobs = 5_000_000

// readJobs reads a trace of jobs: arrival_h, length_h and cpus.
func readJobs(name string) (world.Trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("--jobs: %w", err)
	}
	defer f.Close()
	fault := func(err error) error { return usage("--jobs %s: %w", name, err) }
	t, err := openRows(f)
	if err == nil {
		err = t.want("arrival_h", "length_h", "cpus")
	}
	if err != nil {
		return nil, fault(err)
	}
	var jobs world.Trace
	for {
		ok, err := t.next()
		if err != nil {
			return nil, fault(err)
		}
		if !ok {
			break
		}
		if len(jobs) == mostJobs {
			return nil, fault(fmt.Errorf("line %d: there are more than %d jobs", t.line, mostJobs))
		}
		var j world.Job
		for _, c := range []struct {
			column      string
			least, most float64
			to          *float64
		}{{"arrival_h", 0, 1e7, &j.Arrival}, {"length_h", 1e-9, 1e6, &j.Hours}, {"cpus", 1e-6, 1e6, &j.CPUs}} {
			if *c.to, err = t.number(c.column, c.least, c.most); err != nil {
				return nil, fault(err)
			}
		}
		jobs = append(jobs, j)
	}
	if len(jobs) == 0 {
		return nil, fault(fmt.Errorf("it has no jobs; give a line for each"))
	}
	return jobs, nil
}

// gramsOf is an intensity in g/kWh, NaN if it is not known.
func gramsOf(i grid.Intensity, _ grid.Grade, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return float64(i) / 1000
}
