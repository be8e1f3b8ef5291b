package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/grid"
	worlds "clusy.io/clusy/internal/plan/fleet/world"
	"clusy.io/clusy/internal/sim"
)

// simFlags is what the command was given.
type simFlags struct {
	trace, format, tz string
	jobs, days, seeds int
	seed              uint64
	zones             []string
	start             string
	util              float64
	slack, work       string
	movable, pauses   int
	faults            string
	step              time.Duration
	check             int
}

func simCommand() *cobra.Command {
	var f simFlags
	var picture pictureFlag
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run all of Clusy through weeks of work in seconds, and doubt it",
		Long: `Run all of Clusy through weeks of work in seconds, and doubt it.

The real control loop, planner, store, ledger, doors and agents run in one process
on a clock of their own. Only the machines, the wires and the grid are made up: a
job takes exactly as long as it is said to have taken, and what the grid emitted is
known when its hour is over, as it was then.

When it is over, all that was promised is held against what the log says and what
really ran: nothing lost, nothing started twice, nothing late, no site over its
capacity, every hour on the ledger recomputed. A promise that does not hold ends
the command with exit code 1, and with the seed and the last events that show it.

The same seed gives the same log, byte for byte: the trace hash says so.

Without --trace, work is made up as public traces have it. --faults light breaks
what may break: the provider, the server, agents, sites, clocks and messages.`,
		Example: "clusy sim\nclusy sim --days 2 --jobs 100 --faults light --seeds 20\nclusy sim --trace jobs.csv --zone DE-LU,GB --util 0.6 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := picture.check(cmd); err != nil {
				return err
			}
			runs, err := f.all(cmd)
			if err != nil {
				return err
			}
			if picture.wanted() {
				if err := picture.write(cmd, simFigure(runs[0]).SVG()); err != nil {
					return err
				}
				if picture.path == "-" {
					return nil
				}
			}
			if err := print(cmd, simOutput(runs), func(w io.Writer) error { return showSim(w, runs) }); err != nil {
				return err
			}
			return notKept(runs)
		},
	}
	fl := cmd.Flags()
	week := sim.DefaultWeek(1)
	fl.StringVar(&f.trace, "trace", "", "jobs of the past, as clusy backtest jobs reads them, instead of made-up ones")
	fl.StringVar(&f.format, "format", "auto", "what --trace is: "+strings.Join(traceFormats, ", "))
	fl.StringVar(&f.tz, "tz", "UTC", "time zone of a trace's times that have none")
	fl.IntVar(&f.jobs, "jobs", week.Jobs, "how many jobs are made up")
	fl.IntVar(&f.days, "days", week.Days, "over how many days they arrive; of a trace: how many days are taken, 0 is all")
	fl.StringSliceVar(&f.zones, "zone", zoneStrings(week.Zones), "grid zones; there is a site in each")
	fl.StringVar(&f.start, "start", week.Start.Format(time.DateOnly), "day on which it begins, in the bundled weeks of 2023")
	fl.Uint64Var(&f.seed, "seed", 1, "what chance decides; the same seed gives the same log")
	fl.IntVar(&f.seeds, "seeds", 1, "run so many seeds, one after the other")
	fl.Float64Var(&f.util, "util", week.Use, "share of the cpus that is asked for on the average")
	fl.StringVar(&f.slack, "slack", week.Slack.String(), "how long a job may wait: gaia, 12h, or 1.5x its length")
	fl.StringVar(&f.work, "work", week.Kind, "what made-up jobs are like: "+worlds.TailNames())
	fl.IntVar(&f.movable, "movable", int(100*week.Movable), "percent of jobs that may run at any site")
	fl.IntVar(&f.pauses, "interruptible", int(100*week.Pauses), "percent of jobs that may be suspended")
	fl.StringVar(&f.faults, "faults", "none", "what goes wrong: none or light")
	fl.DurationVar(&f.step, "step", 5*time.Minute, "length of a slot of the plans: 1m to 1h")
	fl.IntVar(&f.check, "check", 0, "hold all against the promises after every so many events too; 0: at the end")
	_ = cmd.MarkFlagFilename("trace")
	_ = cmd.RegisterFlagCompletionFunc("faults", cobra.FixedCompletions([]string{"none", "light"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(traceFormats, cobra.ShellCompDirectiveNoFileComp))
	picture.add(cmd)
	return cmd
}

func zoneStrings(zones []grid.Zone) (out []string) {
	for _, z := range zones {
		out = append(out, string(z))
	}
	return out
}

// checkFlags finds what can be known to be wrong before anything is read.
func (f *simFlags) checkFlags() error {
	switch {
	case f.jobs < 1 || f.jobs > 200_000:
		return usage("--jobs %d: give 1 to 200000", f.jobs)
	case f.days < 0 || f.days > 60 || f.days == 0 && f.trace == "":
		return usage("--days %d: give 1 to 60: the bundled weeks are ten", f.days)
	case f.seeds < 1 || f.seeds > 1_000_000:
		return usage("--seeds %d: give 1 or more", f.seeds)
	case !(f.util > 0 && f.util <= 1):
		return usage("--util %v: give more than 0 and up to 1", f.util)
	case f.movable < 0 || f.movable > 100:
		return usage("--movable %d: give a percentage, 0 to 100", f.movable)
	case f.pauses < 0 || f.pauses > 100:
		return usage("--interruptible %d: give a percentage, 0 to 100", f.pauses)
	case f.faults != "none" && f.faults != "light":
		return usage("--faults %q: give none or light", f.faults)
	case f.step < time.Minute || f.step > time.Hour:
		return usage("--step %s: give 1m to 1h", f.step)
	case f.check < 0:
		return usage("--check %d: give a number of events, or 0", f.check)
	case len(f.zones) == 0:
		return usage("--zone is empty: give the grid zone of each site, as --zone DE-LU,GB")
	}
	return nil
}

// simRun is a simulation and what it took.
type simRun struct {
	*sim.Result
	cfg    sim.Config
	what   string
	faults string
	wall   time.Duration
	cpu    time.Duration
}

// all runs every seed.
func (f *simFlags) all(cmd *cobra.Command) (out []*simRun, err error) {
	if err := f.checkFlags(); err != nil {
		return nil, err
	}
	for i := range f.seeds {
		seed := f.seed + uint64(i)
		cfg, what, err := f.config(cmd.Context(), cmd, seed)
		if err != nil {
			return nil, err
		}
		began, used := time.Now(), cpuTime()
		r, err := sim.Run(cmd.Context(), cfg)
		if err != nil {
			var b *sim.Broken
			if errors.As(err, &b) {
				return nil, fmt.Errorf("%w\n%s", err, strings.Join(b.Facts.Story(b.Breaches[0].Workload, 20), "\n"))
			}
			return nil, fmt.Errorf("seed %d: %w", seed, err)
		}
		run := &simRun{r, cfg, what, f.faults, time.Since(began), cpuTime() - used}
		if i > 0 && len(r.Breaches) == 0 {
			r.Facts = nil // only what is told of is kept
		}
		out = append(out, run)
		if f.seeds > 1 && (i+1)%10 == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d seeds\n", i+1, f.seeds)
		}
	}
	return out, nil
}

// config makes the world of a seed.
func (f *simFlags) config(ctx context.Context, cmd *cobra.Command, seed uint64) (cfg sim.Config, what string, err error) {
	start, err := time.Parse(time.DateOnly, f.start)
	if err != nil {
		return cfg, "", usage("--start %q is no day: give it as 2023-06-12", f.start)
	}
	length := time.Duration(f.days) * 24 * time.Hour
	if f.trace != "" {
		if cfg, err = f.traced(ctx, cmd, seed); err != nil {
			return cfg, "", err
		}
		what = f.trace
		length = cfg.Jobs[len(cfg.Jobs)-1].Arrive.Sub(cfg.Start)
	} else {
		came, err := sim.Came()
		if err != nil {
			return cfg, "", err
		}
		w := sim.DefaultWeek(seed)
		w.Start, w.Days, w.Jobs, w.Kind, w.Use, w.Movable, w.Pauses = start, f.days, f.jobs, f.work, f.util, float64(f.movable)/100, float64(f.pauses)/100
		if w.Slack, err = worlds.ParseSlack(f.slack); err != nil {
			return cfg, "", usageError{err}
		}
		w.Zones = nil
		for i, z := range f.zones {
			s, ok := came[grid.Zone(z)]
			switch {
			case !ok:
				return cfg, "", usage("--zone %s: the bundled weeks have no such zone; clusy zones lists those that they have", z)
			case slices.Contains(f.zones[:i], z):
				return cfg, "", usage("--zone %s is given twice: a zone is one site", z)
			case start.Before(s.Start.AddDate(0, 0, 7)) || start.AddDate(0, 0, f.days+4).After(s.End()):
				return cfg, "", usage("--start %s and --days %d: give days from %s on that end by %s, so that forecasts have a past and the last job an end",
					f.start, f.days, s.Start.AddDate(0, 0, 7).Format(time.DateOnly), s.End().AddDate(0, 0, -4).Format(time.DateOnly))
			}
			w.Zones = append(w.Zones, grid.Zone(z))
		}
		if cfg, err = w.Config(came); err != nil {
			return cfg, "", usageError{err}
		}
		what = "made-up jobs as " + f.work
	}
	cfg.Step, cfg.Check = f.step, f.check
	if f.faults == "light" {
		cfg.Faults = sim.Light(seed, cfg.Start, length, len(cfg.Sites))
	}
	return cfg, what, nil
}

// traced makes a world of a trace of jobs, read and moved as clusy backtest jobs
// does it.
func (f *simFlags) traced(ctx context.Context, cmd *cobra.Command, seed uint64) (sim.Config, error) {
	const slot = 5 * time.Minute
	known, err := openBook(cmd)
	if err != nil {
		return sim.Config{}, err
	}
	from, to := "", ""
	if f.days > 0 && cmd.Flags().Changed("days") {
		start, _ := time.Parse(time.DateOnly, f.start)
		from, to = f.start, start.AddDate(0, 0, f.days).Format(time.DateOnly)
	}
	g := &jobsFlags{format: f.format, tz: f.tz, zones: f.zones, slot: slot, slack: f.slack, interruptible: f.pauses, movable: f.movable, util: f.util,
		hardware: "Cascade Lake", pue: 1, sample: 1, from: from, to: to}
	if cmd.Flags().Changed("start") {
		g.start = f.start
	}
	b, err := g.load(ctx, f.trace, known.tables)
	if err != nil {
		return sim.Config{}, err
	}
	w := &b.world
	cfg := sim.Config{Seed: seed, Start: w.Start, Grid: map[grid.Zone]grid.Series{}}
	for i, s := range w.Sites {
		cfg.Sites = append(cfg.Sites, sim.Site{ID: strings.ToLower(s.ID), Zone: s.Zone, CPUs: float64(s.CPU) / 1000, PUE: float64(s.PUE) / 1000})
		cfg.Grid[s.Zone] = b.zones[i].series
	}
	for i := range w.Jobs {
		j, old := &w.Jobs[i], w.traced[i]
		said := time.Duration(j.Length) * slot
		cfg.Jobs = append(cfg.Jobs, sim.Job{ID: fmt.Sprintf("%d", i), Arrive: w.Start.Add(time.Duration(j.Arrive) * slot), Declared: said,
			Length: min(max(old.length, time.Second), said), CPUs: float64(j.CPU) / 1000, Watts: math.Max(float64(j.Power)/1000, 1),
			Window: max(time.Duration(j.Due-j.Arrive)*slot, said+said/10+2*slot), Pauses: j.Pauses, Home: j.Sites[0], Movable: len(j.Sites) > 1})
	}
	return cfg, nil
}

// commit is the revision that the binary was built from, "" if it is not known.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}

// notKept is the error of promises that were not kept: nil if all were.
func notKept(runs []*simRun) error {
	n := 0
	for _, r := range runs {
		n += len(r.Breaches)
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d promises were not kept", n)
}
