package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan/replay"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/signal/tables"
)

func backtestJobsCommand() *cobra.Command {
	var f jobsFlags
	var picture pictureFlag
	cmd := &cobra.Command{
		Use:   "jobs FILE",
		Short: "Say what jobs of the past would have saved",
		Long: `Say what jobs of the past would have saved: "what about last month?"

FILE is what your scheduler remembers; its kind is seen from how it begins:

  Slurm        sacct -P -a --format=JobID,Submit,Start,End,Elapsed,AllocCPUS,State
  Kubernetes   kubectl get jobs -A -o json
  CSV          arrival_h (or arrival, a time), length_h, cpus; and if you have them
               gpus, watts, slack_h or complete_by, interruptible, zone

The jobs arrive once more, and nobody knows of those that are still to come. In
each slot the planner that runs in production plans all that is not complete, on
the forecasts as they would have been made then; only what begins in the slot is
carried out. What was measured says what was emitted. The published ways to do
the same fill the same sites under the same rule, and see the same forecasts.

Without --trace the jobs are moved by whole weeks onto ten bundled weeks of 2023.
With it, your own grid: a CSV of time_utc and a column for each zone, g/kWh.

Traces have no deadlines. --slack is the assumption that counts most:
  gaia   jobs of up to 2 h wait 6 h at most, longer ones 24 h
  12h    each may wait 12 h
  1.5x   each may wait one and a half times as long as it runs
Lengths are taken as known, and rounded up to whole slots; energy is not. With
--durations learned clusy is told what jobs of the same class took that had ended
by then (the trace's class, or user and name; else those of as many cpus), with
declared what their owners had said, and both are held against the truth.`,
		Example: "clusy backtest jobs sacct.txt --zone DE-LU\nclusy backtest jobs jobs.json --zone DE-LU,GB --movable 50 --slack 12h -o jobs.svg\nclusy backtest jobs jobs.csv --zone DE-LU --trace ci.csv --from 2023-06-01 --to 2023-07-01 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := picture.check(cmd); err != nil {
				return err
			}
			known, err := openBook(cmd)
			if err != nil {
				return err
			}
			b, err := f.load(cmd.Context(), args[0], known.tables)
			if err != nil {
				return err
			}
			b.progress = cmd.ErrOrStderr()
			r, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			if picture.wanted() {
				if err := picture.write(cmd, b.figure(r).SVG()); err != nil {
					return err
				}
				if picture.path == "-" {
					return nil
				}
			}
			return print(cmd, r, func(w io.Writer) error { return r.show(w) })
		},
	}
	f.add(cmd)
	tablesFlag(cmd)
	picture.add(cmd)
	return cmd
}

// jobsFlags is what the command was given.
type jobsFlags struct {
	format, tz                    string
	zones                         []string
	trace, marginal               string
	providers                     []string
	start, from, to               string
	slot                          time.Duration
	slack                         string
	interruptible, movable        int
	cpus, util, watts, gpuW       float64
	hardware                      string
	pue                           float64
	sample                        int
	equal, spare, expect, perfect bool
	durations                     string
}

func (f *jobsFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.format, "format", "auto", "what FILE is: "+strings.Join(traceFormats, ", "))
	fl.StringVar(&f.tz, "tz", "UTC", "time zone of times that have none, as Europe/Berlin: sacct's")
	fl.StringSliceVar(&f.zones, "zone", nil, "grid zone of your site; several are several sites (DE-LU,GB)")
	fl.StringVar(&f.trace, "trace", "", "CSV of what was measured: time_utc, then a column for each zone, g/kWh by the hour")
	fl.StringVar(&f.marginal, "marginal", "", "the same of marginal intensities: what it would have been by those is told too")
	fl.StringArrayVar(&f.providers, "provider", nil, "CSV of forecasts as a provider issued them: issue_utc, then h00 to h95; ZONE=FILE")
	fl.StringVar(&f.start, "start", "", "day on which the trace begins; one that has dates is moved there by whole weeks")
	fl.StringVar(&f.from, "from", "", "first day of arrivals to replay, as 2023-06-01, once it is moved")
	fl.StringVar(&f.to, "to", "", "day after the last one")
	fl.DurationVar(&f.slot, "slot", time.Hour, "length of a slot, and time between two plans: 5m to 1h")
	fl.StringVar(&f.slack, "slack", "gaia", "how long jobs may wait where the trace does not say: gaia, 12h, or 1.5x their length")
	fl.IntVar(&f.interruptible, "interruptible", 0, "percent of jobs that may be suspended, where the trace does not say")
	fl.IntVar(&f.movable, "movable", 50, "percent of jobs that may run at any site, where there are several")
	fl.Float64Var(&f.cpus, "cpus", 0, "cpus of each site (default: what runs at most if nothing waits)")
	fl.Float64Var(&f.util, "util", 0, "instead: the share of the cpus that is in use on the average, as 0.6")
	fl.Float64Var(&f.watts, "watts-per-cpu", 0, "mean power of a busy cpu (default: that of --hardware at 50 % load)")
	fl.StringVar(&f.hardware, "hardware", "Cascade Lake", "make of your processors, as clusy hardware vcpu names it")
	fl.Float64Var(&f.gpuW, "watts-per-gpu", 0, "mean power of a busy card (default: an NVIDIA A100 at 50 % load)")
	fl.Float64Var(&f.pue, "pue", 1, "energy of the whole facility for each unit of its machines'")
	fl.IntVar(&f.sample, "sample", 1, "replay one job in so many")
	fl.BoolVar(&f.equal, "equal-delay", true, "plan with less slack too, to compare at equal mean delay; takes three times as long")
	fl.BoolVar(&f.expect, "expect", false, "let the planner expect what arrived in the weeks before, and leave clean hours to it")
	fl.BoolVar(&f.spare, "spare", false, "book a tenth more time than each job takes, as for jobs whose length is not known")
	fl.BoolVar(&f.perfect, "perfect-forecast", false, "let all plan on what came: what forecasts cost is then the difference")
	fl.StringVar(&f.durations, "durations", string(replay.LengthsTrue), "what clusy is told of lengths: true, learned, declared")
	_ = cmd.RegisterFlagCompletionFunc("durations", cobra.FixedCompletions(durationWords, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"trace", "marginal", "provider"} {
		_ = cmd.MarkFlagFilename(name, "csv")
	}
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(traceFormats, cobra.ShellCompDirectiveNoFileComp))
}

// durationWords are what the planner can be told of lengths.
var durationWords = []string{string(replay.LengthsTrue), string(replay.LengthsLearned), string(replay.LengthsDeclared)}

// jobsBacktest is what is to be replayed.
type jobsBacktest struct {
	flags     *jobsFlags
	file      string
	trace     *jobTrace
	zones     []backtestZone // one for each site
	source    string         // where the intensities come from
	marginal  [][]float64    // by site and hour of the first zone's series, mg/kWh; nil: none
	moved     time.Duration  // by how much the jobs were moved
	slack     slackRule
	wattsCPU  float64
	wattsGPU  float64
	powerFrom string
	from, to  time.Time
	progress  io.Writer
	world     jobsWorld
}

// check finds what can be known to be wrong before anything is read.
func (f *jobsFlags) check() error {
	for _, p := range []struct {
		name string
		n    int
	}{{"--interruptible", f.interruptible}, {"--movable", f.movable}} {
		if p.n < 0 || p.n > 100 {
			return usage("%s %d: give a percentage, 0 to 100", p.name, p.n)
		}
	}
	for _, p := range []struct {
		name        string
		n, low, top float64
	}{{"--cpus", f.cpus, 0, mostJobCPUs * 1000}, {"--util", f.util, 0, 1}, {"--watts-per-cpu", f.watts, 0, 1e5}, {"--watts-per-gpu", f.gpuW, 0, 1e5}, {"--pue", f.pue, 1, 5}} {
		if !(p.n >= p.low && p.n <= p.top) {
			return usage("%s %v: give a number from %v to %v", p.name, p.n, p.low, p.top)
		}
	}
	switch {
	case !slices.Contains(traceFormats, f.format):
		return usage("--format %q: give one of %s", f.format, strings.Join(traceFormats, ", "))
	case len(f.zones) == 0:
		return usage("--zone is missing: the grid zone of your site, as --zone DE-LU; clusy zones lists all, clusy regions those of clouds")
	case f.cpus > 0 && f.util > 0:
		return usage("--cpus and --util are both given: each tells how large the sites are")
	case f.slot < 5*time.Minute || f.slot > time.Hour || time.Hour%f.slot != 0:
		return usage("--slot %s: give 5m, 10m, 15m, 20m, 30m or 1h: an hour must hold a whole number of them", f.slot)
	case !slices.Contains(durationWords, f.durations):
		return usage("--durations %q: give one of %s", f.durations, strings.Join(durationWords, ", "))
	case f.spare && f.durations != string(replay.LengthsTrue):
		return usage("--spare and --durations %s are both given: what is learned or declared is booked with a tenth more anyway", f.durations)
	case f.sample < 1:
		return usage("--sample %d: give 1 or more", f.sample)
	case f.perfect && len(f.providers) > 0:
		return usage("--perfect-forecast and --provider are both given: one of them tells what is expected")
	case len(f.providers) > 0 && f.trace == "":
		return usage("--provider needs --trace FILE: what came, as the provider counts it")
	}
	for i, z := range f.zones {
		if slices.Contains(f.zones[:i], z) {
			return usage("--zone %s is given twice: a zone is one site", z)
		}
	}
	return nil
}

func (f *jobsFlags) load(ctx context.Context, file string, t *tables.Tables) (b *jobsBacktest, err error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	b = &jobsBacktest{flags: f, file: file}
	if b.slack, err = parseSlack(f.slack); err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(f.tz)
	if err != nil || f.tz == "" || f.tz == "Local" {
		return nil, usage("--tz %q is no time zone: give it as UTC or Europe/Berlin", f.tz)
	}
	if err := b.power(t); err != nil {
		return nil, err
	}
	if b.trace, err = readJobTrace(file, f.format, loc); err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", file, err)}
	}
	if err := b.grids(ctx); err != nil {
		return nil, err
	}
	if err := b.place(); err != nil {
		return nil, err
	}
	return b, b.build()
}

// power finds what a cpu and a card draw.
func (b *jobsBacktest) power(t *tables.Tables) error {
	f := b.flags
	load := 0.5
	if c, ok := t.Coefficient("utilisation"); ok {
		load = c.Value
	}
	b.wattsCPU, b.wattsGPU = f.watts, f.gpuW
	b.powerFrom = "declared"
	if f.watts == 0 {
		p, ok := t.Device(tables.VCPU, f.hardware)
		w, known := p.At(load)
		if !ok || !known || p.Verified == tables.Suspect {
			return usage("--hardware %q is not in the table; clusy hardware vcpu lists what is, or give --watts-per-cpu", f.hardware)
		}
		b.wattsCPU = float64(w) / float64(grid.Watt)
		b.powerFrom = fmt.Sprintf("%s at %.0f %% load, of the hardware table", p.Name, 100*load)
	}
	if f.gpuW == 0 {
		p, ok := t.Device(tables.GPU, "NVIDIA A100")
		w, known := p.At(load)
		if !ok || !known {
			return usage("the hardware table has no NVIDIA A100: give --watts-per-gpu")
		}
		b.wattsGPU = float64(w) / float64(grid.Watt)
	}
	return nil
}

// grids reads what was measured, and what was issued.
func (b *jobsBacktest) grids(ctx context.Context) (err error) {
	f := b.flags
	series, name := map[grid.Zone]grid.Series{}, f.trace
	if f.trace == "" {
		name = "the bundled weeks"
		b.source = "bundled weeks of 2023 (Electricity Maps, ODbL; clusy zones tells more)"
		if series, err = bundled.Trace(); err != nil {
			return err
		}
	} else if series, err = readZones(ctx, f.trace); err != nil {
		return usageError{err}
	}
	var known []grid.Zone
	for z := range series {
		known = append(known, z)
	}
	slices.Sort(known)
	if b.source == "" {
		b.source = f.trace
	}
	issued, err := (&backtestFiles{providers: f.providers}).issued(known)
	if err != nil {
		return err
	}
	var marginal map[grid.Zone]grid.Series
	if f.marginal != "" {
		if marginal, err = readZones(ctx, f.marginal); err != nil {
			return usageError{err}
		}
	}
	for _, z := range f.zones {
		s, ok := series[grid.Zone(z)]
		if !ok {
			way := ""
			if f.trace == "" {
				way = "; for another give --trace FILE with its hours"
			}
			return usage("--zone %s: %s has no such zone; it has %s%s", z, name, zoneNamesOf(known), way)
		}
		if s.Step != time.Hour || len(s.Values) == 0 || !s.Start.Equal(s.Start.Truncate(time.Hour)) {
			return usage("%s: %s has steps of %s, want whole hours", name, z, s.Step)
		}
		b.zones = append(b.zones, newBacktestZone(s, issued[s.Zone]))
		if marginal == nil {
			continue
		}
		m, ok := marginal[s.Zone]
		if !ok || m.Step != time.Hour {
			return usage("--marginal %s has no hours of zone %s", f.marginal, z)
		}
		b.marginal = append(b.marginal, alignedTo(s, m))
	}
	return nil
}

func readZones(ctx context.Context, name string) (map[grid.Zone]grid.Series, error) {
	source, err := signal.OpenFile(name, signal.FileOptions{})
	if err != nil {
		return nil, err
	}
	zones, err := source.Zones(ctx)
	if err != nil {
		return nil, err
	}
	out := map[grid.Zone]grid.Series{}
	end := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, z := range zones {
		if out[z], err = source.History(ctx, z, time.Unix(0, 0), end, end); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// alignedTo returns the values of m in the hours of s, NaN where it has none.
func alignedTo(s, m grid.Series) []float64 {
	off := int(s.Start.Sub(m.Start) / time.Hour)
	values := numbers(m.Values)
	out := make([]float64, len(s.Values))
	for i := range out {
		out[i] = math.NaN()
		if k := i + off; k >= 0 && k < len(values) {
			out[i] = values[k]
		}
	}
	return out
}

// slackRule says how long a job may wait.
type slackRule struct {
	fixed time.Duration
	times float64 // of its length
	gaia  bool
}

var slackTimes = regexp.MustCompile(`^(\d{1,3}(?:\.\d{1,3})?)x$`)

func parseSlack(s string) (slackRule, error) {
	if s == "gaia" {
		return slackRule{gaia: true}, nil
	}
	if m := slackTimes.FindStringSubmatch(s); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64)
		return slackRule{times: n}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 && d <= mostSlack {
		return slackRule{fixed: d}, nil
	}
	return slackRule{}, usage("--slack %q: give gaia, a time up to %d h as 12h, or a multiple of the length as 1.5x", s, int(mostSlack.Hours()))
}

// mostSlack is as far as forecasts tell anything.
const mostSlack = 7 * 24 * time.Hour

func (r slackRule) of(length time.Duration) time.Duration {
	switch {
	case r.gaia && length <= 2*time.Hour:
		return 6 * time.Hour
	case r.gaia:
		return 24 * time.Hour
	case r.times > 0:
		return min(time.Duration(r.times*float64(length)), mostSlack)
	}
	return r.fixed
}

func (r slackRule) String() string {
	switch {
	case r.gaia:
		return "gaia: jobs of up to 2 h wait 6 h at most, longer ones 24 h"
	case r.times > 0:
		return fmt.Sprintf("each job waits at most %v times as long as it runs", r.times)
	}
	return fmt.Sprintf("each job waits at most %v h", r.fixed.Hours())
}
