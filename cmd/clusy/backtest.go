package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
)

func backtestCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backtest",
		Short: "Try on the past what Clusy does about the future",
	}
	cmd.AddCommand(backtestForecastCommand())
	return cmd
}

func backtestForecastCommand() *cobra.Command {
	var f backtestFiles
	var picture pictureFlag
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "Measure forecasts of grid carbon on a trace",
		Long: `Measure forecasts of grid carbon on a trace of what came.

Each forecast is made as it would have been made then: from values whose hour
had ended, and from forecasts that had been issued.`,
		Example: "clusy backtest forecast --trace ci.csv --zones DE-LU,GB\nclusy backtest forecast --actual actual.csv --provider DE=forecast_DE.csv -o forecast.svg",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := f.load(cmd.Context())
			if err != nil {
				return err
			}
			b.progress = cmd.ErrOrStderr()
			r, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd, r, func(w io.Writer) error { return r.show(w) })
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.trace, "trace", "", "CSV of what came: time_utc, then a column for each zone, g/kWh")
	fl.StringVar(&f.actual, "actual", "", "the same, of zones of which there are forecasts of a provider")
	fl.StringArrayVar(&f.providers, "provider", nil, "CSV of a zone's forecasts: a row for each issue, columns h00 to h95; FILE or ZONE=FILE")
	fl.StringSliceVar(&f.zones, "zones", nil, "zones to look at (default: all that there are)")
	fl.StringVar(&f.from, "from", "", "first day of the measure (default: after the days that a forecast rests on)")
	fl.StringVar(&f.to, "to", "", "day after the last one (default: the end of the trace)")
	fl.IntVar(&f.oneIn, "one-in", 0, "plan jobs in one of so many stretches of 8 days (default: as many as take a few minutes)")
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

// backtestZone is a zone of it: what came, and what was forecast.
type backtestZone struct {
	zone   grid.Zone
	series grid.Series
	actual []float64 // by hour from Start on, NaN where it is not known
	issued []grid.Series
}

func (f *backtestFiles) load(ctx context.Context) (*backtest, error) {
	file := f.trace
	switch {
	case f.trace != "" && f.actual != "":
		return nil, usage("give --trace or --actual, not both")
	case f.actual != "":
		file = f.actual
	case f.trace == "":
		return nil, usage("give --trace FILE, or --actual FILE with --provider FILE")
	}
	p, err := signal.OpenFile(file, signal.FileOptions{})
	if err != nil {
		return nil, usageError{err}
	}
	known, err := p.Zones(ctx)
	if err != nil {
		return nil, usageError{err}
	}
	issued := map[grid.Zone][]grid.Series{}
	for _, name := range f.providers {
		zone, file, err := providerZone(name)
		if err != nil {
			return nil, err
		}
		if issued[zone], err = readIssues(file, zone); err != nil {
			return nil, usageError{err}
		}
		if !slices.Contains(known, zone) {
			return nil, usage("--provider %s is of zone %s, which the file of what came does not have", file, zone)
		}
	}
	b := &backtest{oneIn: f.oneIn}
	for _, z := range known {
		if len(f.zones) > 0 && !slices.Contains(f.zones, string(z)) || len(issued) > 0 && issued[z] == nil {
			continue
		}
		s, err := p.History(ctx, z, time.Unix(0, 0), time.Unix(1<<33, 0), time.Unix(1<<33, 0))
		if err != nil {
			return nil, err
		}
		zone := backtestZone{zone: z, series: s, issued: issued[z]}
		for _, v := range s.Values {
			x := math.NaN()
			if v.Known() {
				x = float64(v)
			}
			zone.actual = append(zone.actual, x)
		}
		if s.Step != time.Hour {
			return nil, usage("%s has steps of %s, want hours", file, s.Step)
		}
		b.zones = append(b.zones, zone)
	}
	if len(b.zones) == 0 {
		return nil, usage("none of the zones %s is in the file", strings.Join(f.zones, ", "))
	}
	first, last := b.zones[0].series.Start, b.zones[0].series.End()
	b.from, b.to = first.Add(45*24*time.Hour), last
	for _, x := range []struct {
		text string
		at   *time.Time
	}{{f.from, &b.from}, {f.to, &b.to}} {
		if x.text != "" {
			if *x.at, err = time.Parse(time.DateOnly, x.text); err != nil {
				return nil, usage("%q is no day, want 2023-01-31", x.text)
			}
		}
	}
	return b, nil
}

var providerName = regexp.MustCompile(`_(?:lifecycle|direct)_([A-Za-z0-9-]+)_`)

func providerZone(name string) (grid.Zone, string, error) {
	if zone, file, ok := strings.Cut(name, "="); ok {
		return grid.Zone(zone), file, nil
	}
	m := providerName.FindStringSubmatch(filepath.Base(name))
	if m == nil {
		return "", "", usage("--provider %s does not tell its zone: give it as ZONE=FILE", name)
	}
	return grid.Zone(m[1]), name, nil
}

func readIssues(name string, zone grid.Zone) ([]grid.Series, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []grid.Series
	for i, row := range rows[1:] {
		at, err := time.Parse("2006-01-02T15:04Z07:00", row[0])
		if err != nil {
			return nil, fmt.Errorf("%s line %d: %w", name, i+2, err)
		}
		s := grid.Series{Provenance: grid.Provenance{Provider: "provider", Zone: zone, Issued: at, Basis: grid.AverageLifecycle, Grade: grid.GradeA}, Start: at, Step: time.Hour}
		for _, cell := range row[1:] {
			v := grid.Unknown
			if cell != "" {
				x, err := strconv.ParseFloat(cell, 64)
				if err != nil {
					return nil, fmt.Errorf("%s line %d: %w", name, i+2, err)
				}
				v = grid.Intensity(math.Round(x * 1000))
			}
			s.Values = append(s.Values, v)
		}
		out = append(out, s)
	}
	return out, nil
}

const reach = 96 // hours

var forecasters = []string{"built-in", "anchored", "persistence", "blend", "provider"}

type outlook struct {
	mean, low, high []float64
}

func floats(v []grid.Intensity) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.NaN()
		if x.Known() {
			out[i] = float64(x)
		}
	}
	return out
}

// past is what was known at hour u.
func (z *backtestZone) past(u int, issued bool) (forecast.Past, time.Time) {
	now := z.series.Start.Add(time.Duration(u) * time.Hour)
	h := z.series
	a := max(0, u-int(forecast.Lookback/time.Hour))
	h.Start, h.Values = h.Start.Add(time.Duration(a)*time.Hour), h.Values[a:u]
	p := forecast.Past{Zone: z.zone, Basis: h.Basis, Measured: h}
	if issued {
		for _, s := range z.issued {
			if !s.Issued.After(now) && now.Sub(s.Issued) < forecast.TrackRecord {
				p.Issued = append(p.Issued, s)
			}
		}
	}
	return p, now
}

func (z *backtestZone) forecast(name string, u int, replan forecast.Replanning) outlook {
	p, now := z.past(u, name == "blend" || name == "provider")
	switch name {
	case "built-in", "blend":
		s, _, ok := forecast.Make(p, forecast.Climatology{}, now, time.Hour, reach)
		if ok {
			return outlook{floats(s.Values), floats(s.Low), floats(s.High)}
		}
	case "anchored":
		if s, ok := forecast.Anchored(p.Measured, forecast.Climatology{}, now, time.Hour, reach); ok {
			return outlook{floats(s.Values), floats(s.Low), floats(s.High)}
		}
	case "persistence":
		o := outlook{mean: make([]float64, reach)}
		for h := range o.mean {
			o.mean[h] = z.actual[u+h%24-24]
		}
		return o
	case "provider":
		plain, shifted, ok := forecast.Issued(p, now, reach)
		if ok && replan == forecast.Hourly {
			plain = shifted
		}
		b := z.forecast("built-in", u, replan)
		if ok {
			for i, v := range plain {
				if v.Known() {
					b.mean[i] = float64(v)
				}
			}
		}
		return outlook{mean: b.mean}
	}
	return outlook{mean: make([]float64, reach)}
}

type zoneResult struct {
	Zone    grid.Zone
	Skill   map[string]*skill
	Regrets map[string]*[7][3]float64 // realised
	Now     [7]float64
	Best    [7]float64
	N       int
}

type skill struct{ off, n, held [4]float64 }

func (b *backtest) run(ctx context.Context) (*backtestResult, error) {
	r := &backtestResult{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	results := make([]zoneResult, len(b.zones))
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				results[i] = b.measure(ctx, i)
				mu.Lock()
				fmt.Fprintln(b.progress, b.zones[i].zone)
				mu.Unlock()
			}
		}()
	}
	for i := range b.zones {
		next <- i
	}
	close(next)
	wg.Wait()
	r.zones = results
	return r, ctx.Err()
}

func (b *backtest) measure(ctx context.Context, index int) zoneResult {
	z := &b.zones[index]
	names := forecasters
	if z.issued == nil {
		names = names[:3]
	}
	r := zoneResult{Zone: z.zone, Skill: map[string]*skill{}, Regrets: map[string]*[7][3]float64{}}
	for _, n := range names {
		r.Skill[n], r.Regrets[n] = &skill{}, &[7][3]float64{}
	}
	lo := int(b.from.Sub(z.series.Start) / time.Hour)
	hi := int(b.to.Sub(z.series.Start) / time.Hour)
	every := 13
	if z.issued != nil {
		every = 24
	}
	if s, err := strconv.Atoi(os.Getenv("EVERY")); err == nil {
		every = s
	}
	for u := lo; u+reach <= hi; u += every {
		for _, n := range names {
			o := z.forecast(n, u, forecast.Once)
			for h, v := range o.mean {
				y := z.actual[u+h]
				r.Skill[n].off[h/24] += math.Abs(v-y) / y
				r.Skill[n].n[h/24]++
				if o.low != nil && o.low[h] <= y && y <= o.high[h] {
					r.Skill[n].held[h/24]++
				}
			}
		}
	}
	if b.oneIn <= 0 {
		return r
	}
	const stretch, releases = 8 * 24, 4 * 24
	k := 0
	for s := lo; s+stretch <= hi; s += stretch {
		k++
		if (k+index)%b.oneIn != 0 {
			continue
		}
		for _, n := range names {
			memo := map[[2]int][]float64{}
			for u := s; u < s+releases; u += 5 {
				for k, j := range forecast.Jobs {
					for _, re := range []forecast.Replanning{forecast.Once, forecast.Daily, forecast.Hourly} {
						sum, ok := j.Shift(z.actual, u, lo, re, func(h int) []float64 {
							key := [2]int{h, int(re) / 2}
							if n != "provider" {
								key[1] = 0
							}
							f := memo[key]
							if f == nil {
								f = z.forecast(n, h, re).mean
								memo[key] = f
							}
							return f
						})
						if !ok {
							panic("?")
						}
						r.Regrets[n][k][re] += sum
					}
					if n == names[0] {
						best, _ := j.Shift(z.actual, u, lo, forecast.Once, func(h int) []float64 { return z.actual[h : h+reach] })
						r.Best[k] += best
						for _, v := range z.actual[u : u+j.Hours] {
							r.Now[k] += v
						}
						if k == 0 {
							r.N++
						}
					}
				}
			}
		}
	}
	return r
}

type backtestResult struct{ zones []zoneResult }

func (r *backtestResult) show(w io.Writer) error {
	pool := zoneResult{Zone: "pooled", Skill: map[string]*skill{}, Regrets: map[string]*[7][3]float64{}}
	for _, z := range r.zones {
		for n, s := range z.Skill {
			if pool.Skill[n] == nil {
				pool.Skill[n], pool.Regrets[n] = &skill{}, &[7][3]float64{}
			}
			for d := range 4 {
				pool.Skill[n].off[d] += s.off[d]
				pool.Skill[n].n[d] += s.n[d]
				pool.Skill[n].held[d] += s.held[d]
			}
			for k := range 7 {
				for m := range 3 {
					pool.Regrets[n][k][m] += z.Regrets[n][k][m]
				}
			}
		}
		for k := range 7 {
			pool.Now[k] += z.Now[k]
			pool.Best[k] += z.Best[k]
		}
		pool.N += z.N
	}
	for _, z := range append(r.zones, pool) {
		fmt.Fprintf(w, "%-12s", z.Zone)
		for _, n := range forecasters {
			if s := z.Skill[n]; s != nil {
				fmt.Fprintf(w, " %s", n[:5])
				for d := range 4 {
					fmt.Fprintf(w, " %4.1f", 100*s.off[d]/s.n[d])
				}
				if s.held[0] > 0 {
					fmt.Fprintf(w, " [")
					for d := range 4 {
						fmt.Fprintf(w, " %2.0f", 100*s.held[d]/s.n[d])
					}
					fmt.Fprintf(w, "]")
				}
			}
		}
		if z.Now[4] > 0 {
			for _, n := range forecasters {
				if x := z.Regrets[n]; x != nil {
					fmt.Fprintf(w, " %.0f", 100*(z.Now[4]-x[4][2])/(z.Now[4]-z.Best[4]))
				}
			}
		}
		fmt.Fprintln(w)
	}
	if pool.N == 0 {
		return nil
	}
	for k, j := range forecast.Jobs {
		fmt.Fprintf(w, "%-32s %5.1f", j, 100*(pool.Now[k]-pool.Best[k])/pool.Now[k])
		for _, n := range forecasters {
			if x := pool.Regrets[n]; x != nil {
				fmt.Fprintf(w, "  %s", n[:5])
				for m := range 3 {
					fmt.Fprintf(w, " %5.1f", 100*(pool.Now[k]-x[k][m])/(pool.Now[k]-pool.Best[k]))
				}
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, pool.N, "releases")
	return nil
}
