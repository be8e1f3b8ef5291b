package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
)

func backtestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backtest",
		Short: "Try on the past what Clusy does about the future",
		Long: `Try on the past what Clusy does about the future.

  clusy backtest jobs sacct.txt --zone DE-LU   what your jobs would have saved
  clusy backtest forecast --trace ci.csv       how good forecasts of your grid are`,
	}
	cmd.AddCommand(backtestForecastCommand(), backtestJobsCommand())
	return cmd
}

func backtestForecastCommand() *cobra.Command {
	var f backtestFiles
	var picture pictureFlag
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "Measure forecasts of grid carbon on what came",
		Long: `Measure forecasts of grid carbon on what came.

A trace is a file of what was measured, hour by hour. At hours of it the
forecasts are made as they would have been made then: from values whose hour had
ended, and from what a provider had issued. What they said is held against what
came, and against two simple ways: persistence (the last day again) and the
anchored climatology.

Three things are printed:

  error      mean absolute error in percent of what came, by day ahead
  band       how much of what came lay in the 90 % band, by day ahead
  saving     what jobs would have saved against running at once, had they been
             planned on each forecast: the share of what a clairvoyant saves.
             Planned once, again at each 00 UTC, and again at each hour.

The saving is what counts: a forecast may err and yet find the clean hours. Jobs
are released every 5 hours in one stretch of 8 days out of N (--one-in; by itself
as many as take a few minutes). Carbon is summed over all zones and releases.

With --provider, a provider's forecasts (a row for each issue, hours in columns)
are measured too, and the blend that Clusy makes of them and its own.`,
		Example: "clusy backtest forecast --trace ci.csv --zones DE-LU,GB\nclusy backtest forecast --trace ci.csv --from 2023-01-01 -o forecast.svg\nclusy backtest forecast --actual actual.csv --provider DE=forecast_DE.csv --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := picture.check(cmd); err != nil {
				return err
			}
			b, err := f.load(cmd.Context())
			if err != nil {
				return err
			}
			b.progress = cmd.ErrOrStderr()
			zones, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			r := b.result(zones)
			if picture.wanted() {
				if err := picture.write(cmd, b.figure(zones, r).SVG()); err != nil {
					return err
				}
				if picture.path == "-" {
					return nil
				}
			}
			return print(cmd, r, func(w io.Writer) error { return r.show(w) })
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.trace, "trace", "", "CSV of what was measured: time_utc, then a column for each zone, g/kWh by the hour")
	fl.StringVar(&f.actual, "actual", "", "the same, where --provider files tell what was forecast of it")
	fl.StringArrayVar(&f.providers, "provider", nil, "CSV of a provider's forecasts of one zone: issue_utc, then h00 to h95; ZONE=FILE, or a file named …_lifecycle_ZONE_…")
	fl.StringSliceVar(&f.zones, "zones", nil, "zones to look at (default: all that the files have)")
	fl.StringVar(&f.from, "from", "", "first day to forecast, as 2023-01-31 (default: the last year of the file, after 45 days)")
	fl.StringVar(&f.to, "to", "", "day after the last one (default: the end of the file)")
	fl.IntVar(&f.oneIn, "one-in", 0, "plan jobs in one of so many stretches of 8 days (default: what takes a few minutes)")
	for _, name := range []string{"trace", "actual", "provider"} {
		_ = cmd.MarkFlagFilename(name, "csv")
	}
	picture.add(cmd)
	return cmd
}

// backtestFiles is what the command was given.
type backtestFiles struct {
	trace, actual string
	providers     []string
	zones         []string
	from, to      string
	oneIn         int
}

// backtest is what is to be measured.
type backtest struct {
	zones    []backtestZone
	from, to time.Time
	oneIn    int
	progress io.Writer
}

// warmUp is how much of a trace comes before the first forecast, if it is not
// said otherwise; leastWarmUp what must.
const warmUp, leastWarmUp = 45 * 24 * time.Hour, 15 * 24 * time.Hour

// load reads the files and finds out what cannot be measured.
func (f *backtestFiles) load(ctx context.Context) (*backtest, error) {
	name := f.trace
	switch {
	case f.trace != "" && f.actual != "":
		return nil, usage("--trace and --actual are both given: --actual goes with --provider, --trace stands alone")
	case f.actual != "" && len(f.providers) == 0:
		return nil, usage("--actual needs --provider FILE: what was forecast of it; without one, give --trace")
	case f.trace != "" && len(f.providers) > 0:
		return nil, usage("--provider needs --actual FILE: what came, as the provider counts it")
	case f.actual != "":
		name = f.actual
	case f.trace == "":
		return nil, usage("give --trace FILE, or --actual FILE with --provider FILE")
	case f.oneIn < 0:
		return nil, usage("--one-in %d: give 1 or more", f.oneIn)
	}
	source, err := signal.OpenFile(name, signal.FileOptions{})
	if err != nil {
		return nil, usageError{err}
	}
	known, err := source.Zones(ctx)
	if err != nil {
		return nil, usageError{err}
	}
	issued, err := f.issued(known)
	if err != nil {
		return nil, err
	}
	for _, z := range f.zones {
		if !slices.Contains(known, grid.Zone(z)) {
			return nil, usage("%s has no zone %s; it has %s", name, z, zoneNamesOf(known))
		}
	}
	b := &backtest{oneIn: f.oneIn}
	end := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, z := range known {
		if len(f.zones) > 0 && !slices.Contains(f.zones, string(z)) || len(issued) > 0 && issued[z] == nil {
			continue
		}
		s, err := source.History(ctx, z, time.Unix(0, 0), end, end)
		if err != nil {
			return nil, usageError{err}
		}
		if s.Step != time.Hour || len(s.Values) == 0 || !s.Start.Equal(s.Start.Truncate(time.Hour)) {
			return nil, usage("%s: %s has steps of %s, want whole hours", name, z, s.Step)
		}
		b.zones = append(b.zones, newBacktestZone(s, issued[z]))
	}
	if len(b.zones) == 0 {
		return nil, usage("no zone of %s has a --provider file", name)
	}
	return b, f.window(b)
}

// window finds the days to measure. All zones are measured on the same.
func (f *backtestFiles) window(b *backtest) (err error) {
	first, last := b.zones[0].series.Start, b.zones[0].series.End()
	for _, z := range b.zones[1:] {
		first, last = later(first, z.series.Start), earlier(last, z.series.End())
	}
	b.from, b.to = later(first.Add(warmUp), last.AddDate(-1, 0, 0)), last
	for _, x := range []struct {
		flag, text string
		at         *time.Time
	}{{"--from", f.from, &b.from}, {"--to", f.to, &b.to}} {
		if x.text != "" {
			if *x.at, err = time.Parse(time.DateOnly, x.text); err != nil {
				return usage("%s %q is no day, want it as 2023-01-31", x.flag, x.text)
			}
		}
	}
	if whole := b.from.Truncate(24 * time.Hour); !whole.Equal(b.from) {
		b.from = whole.Add(24 * time.Hour)
	}
	switch {
	case b.from.Before(first.Add(leastWarmUp)):
		return usage("--from %s: a forecast rests on what came before, and the file begins on %s: at the earliest %s", b.from.Format(time.DateOnly), first.Format(time.DateOnly), first.Add(leastWarmUp).Format(time.DateOnly))
	case b.to.After(last):
		return usage("--to %s: the file ends on %s", b.to.Format(time.DateOnly), last.Format(time.DateOnly))
	case b.to.Sub(b.from) < (stretch+1)*time.Hour:
		return usage("from %s to %s: at least 9 days are needed, 15 days or more after the beginning of the file", b.from.Format(time.DateOnly), b.to.Format(time.DateOnly))
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func zoneNamesOf(zones []grid.Zone) string {
	var names []string
	for _, z := range zones {
		names = append(names, string(z))
	}
	if len(names) > 20 {
		names = append(names[:20], "…")
	}
	return strings.Join(names, ", ")
}

// issued reads the files of providers, by zone.
func (f *backtestFiles) issued(known []grid.Zone) (map[grid.Zone][]grid.Series, error) {
	all := map[grid.Zone][]grid.Series{}
	for _, given := range f.providers {
		zone, name, err := providerZone(given)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(known, zone) {
			return nil, usage("--provider %s is of zone %s, which --actual does not have; it has %s", name, zone, zoneNamesOf(known))
		}
		if all[zone] != nil {
			return nil, usage("--provider %s: there is a file of zone %s already", name, zone)
		}
		if all[zone], err = readIssues(name, zone); err != nil {
			return nil, usageError{fmt.Errorf("--provider %s: %w", name, err)}
		}
	}
	return all, nil
}

var providerName = regexp.MustCompile(`_(?:lifecycle|direct)_([A-Za-z0-9-]+)_`)

// providerZone takes ZONE=FILE apart, or finds the zone in the file's name.
func providerZone(given string) (zone grid.Zone, file string, err error) {
	if zone, file, ok := strings.Cut(given, "="); ok {
		return grid.Zone(zone), file, nil
	}
	m := providerName.FindStringSubmatch(filepath.Base(given))
	if m == nil {
		return "", "", usage("--provider %s does not tell its zone: give it as ZONE=%s", given, given)
	}
	return grid.Zone(m[1]), given, nil
}
