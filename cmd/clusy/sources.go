package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	drivers "clusy.io/clusy/internal/signal/provider"
)

// readSources reads a file of declared sources.
func readSources(name string) ([]drivers.Declaration, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := drivers.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

func signalKindsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kinds [KIND]",
		Short: "List the kinds of source that a signals.yaml can declare",
		Long: `List the kinds of source that a signals.yaml can declare.

Each entry of the file names a KIND, the zones that are asked of it, and a key
where the source wants one: by reference, as env:NAME or file:PATH, never the key
itself. With a KIND, all fields that it reads are listed, and an example.
The file is for clusy serve --signals; clusy signals check tries it.`,
		Example: "clusy signals kinds\nclusy signals kinds http\nclusy signals kinds --json | jq '.[].name'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds := drivers.Kinds()
			if len(args) == 1 {
				i := slices.IndexFunc(kinds, func(k drivers.Kind) bool { return k.Name == args[0] })
				if i < 0 {
					var names []string
					for _, k := range kinds {
						names = append(names, k.Name)
					}
					return usage("there is no kind %q; there are %s", args[0], strings.Join(names, ", "))
				}
				return print(cmd, kinds[i], func(out io.Writer) error { return oneKind(out, kinds[i]) })
			}
			return print(cmd, kinds, func(out io.Writer) error {
				rows := [][]string{{"KIND", "TELLS", "KEY", "LIMIT", ""}}
				for _, k := range kinds {
					rows = append(rows, []string{k.Name, strings.Join(k.Tells, ", "), cmp.Or(k.Key, "none"), cmp.Or(k.Limit, "–"), k.About})
				}
				return table(out, rows)
			})
		},
	}
}

func oneKind(out io.Writer, k drivers.Kind) error {
	fmt.Fprintf(out, "%s: %s\nIt is asked at %s, and learns %s\n\n", k.Name, k.About, cmp.Or(k.URL, "the url that is declared"), k.Sends)
	rows := [][]string{{"FIELD", "", ""}}
	for _, f := range k.Fields {
		must := ""
		if f.Must {
			must = "required"
		}
		about := f.About
		if len(f.Only) > 0 {
			about += " (" + strings.Join(f.Only, ", ") + ")"
		}
		rows = append(rows, []string{f.Name, must, about})
	}
	if len(rows) > 1 {
		if err := table(out, rows); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nsources:\n- kind: %s\n  zones: [DE-LU]\n", k.Name)
	if k.Key != "" {
		fmt.Fprintln(out, "  key: env:MY_KEY")
	}
	for _, f := range k.Fields {
		if f.Must {
			fmt.Fprintf(out, "  %s: …\n", f.Name)
		}
	}
	return nil
}

// tried is what one source answered to one question.
type tried struct {
	Source string `json:"source"`
	Zone   string `json:"zone"`
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Values int    `json:"values"`
	Until  string `json:"until,omitempty"`
	Last   string `json:"last,omitempty"`
	Error  string `json:"error,omitempty"`
}

func signalCheckCommand() *cobra.Command {
	var zone string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Ask each source of a signals.yaml once, and show what it answers",
		Long: `Ask each source of a signals.yaml once, and show what it answers.

It needs no server. Each source is asked for what it tells of its first zone, or
of --zone: the last day, its forecast, the prices of today. What comes back
passes the same checks as in a server, and nothing is stored. Keys are looked up
and are never printed. The exit code is 1 if any answer is not as it should be.`,
		Example: "clusy signals check signals.yaml\nclusy signals check signals.yaml --zone FR --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			declared, err := readSources(args[0])
			if err != nil {
				return usage("%w", err)
			}
			x, err := dial.New(dial.Options{Version: version()})
			if err != nil {
				return err
			}
			var all []tried
			for i, d := range declared {
				opened, err := drivers.Open(d, drivers.Deps{Dial: x})
				if err != nil {
					return usage("%s: source %d: %w", args[0], i+1, err)
				}
				all = append(all, try(cmd.Context(), opened, d, grid.Zone(zone), time.Now().UTC())...)
			}
			if err := print(cmd, all, func(out io.Writer) error {
				rows := [][]string{{"SOURCE", "ZONE", "", "VALUES", "UNTIL", "LAST", ""}}
				for _, t := range all {
					rows = append(rows, []string{t.Source, t.Zone, t.What, fmt.Sprint(t.Values), cmp.Or(t.Until, "–"), cmp.Or(t.Last, "–"), cmp.Or(t.Error, "ok")})
				}
				return table(out, rows)
			}); err != nil {
				return err
			}
			if slices.ContainsFunc(all, func(t tried) bool { return !t.OK }) {
				return exitStatus(exitError)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "zone to ask for (default: the first that is declared)")
	return cmd
}

// try asks a source for what it tells.
func try(ctx context.Context, o drivers.Opened, d drivers.Declaration, zone grid.Zone, now time.Time) []tried {
	if zone == "" && len(d.Zones) > 0 {
		zone = grid.Zone(slices.Min(slices.Collect(maps.Keys(d.Zones))))
	}
	if zone == "" && o.Provider != nil {
		if zones, err := o.Provider.Zones(ctx); err == nil && len(zones) > 0 {
			zone = zones[0]
		}
	}
	var all []tried
	told := func(name, what string, n int, until time.Time, last string, err error) {
		t := tried{Source: name, Zone: string(zone), What: what, OK: err == nil, Values: n, Last: last}
		if err != nil {
			t.Error = err.Error()
		}
		if n > 0 {
			t.Until = local(until)
		}
		all = append(all, t)
	}
	series := func(name, what string, s grid.Series, err error) {
		if err == nil && len(s.Values) > 0 {
			err = s.Validate()
		}
		last := ""
		if n := len(s.Values); n > 0 && err == nil {
			last = s.Values[n-1].String()
		}
		told(name, what, len(s.Values), s.End(), last, err)
	}
	if p := o.Provider; p != nil {
		s, err := p.History(ctx, zone, now.Add(-24*time.Hour), now, now)
		series(p.Name(), "history", s, err)
		if f, ok := p.(signal.Forecaster); ok {
			s, err := f.Forecast(ctx, zone, now)
			series(p.Name(), "forecast", s, err)
		}
	}
	if p := o.Pricer; p != nil {
		from := now.Truncate(24 * time.Hour)
		prices, err := p.Prices(ctx, zone, from, from.Add(48*time.Hour), now)
		if err == nil && len(prices.Values) > 0 {
			err = prices.Validate()
		}
		last := ""
		if n := len(prices.Values); n > 0 && err == nil {
			last = fmt.Sprintf("%.4f %s/kWh", float64(prices.Values[n-1])/1e6, prices.Currency)
		}
		told(p.Name(), "prices", len(prices.Values), prices.End(), last, err)
	}
	return all
}
