// Package bundled is the real data that ships with Clusy, so that it plans
// sensibly before any provider is set up: ten weeks of ten grids for trying
// out, and what is usual by month and hour of the week. Its yearly means are
// those of package tables. NOTICE.md says where it comes from and under which licence.
package bundled

import (
	"context"
	"embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

//go:embed trace.csv climatology.csv NOTICE.md
var files embed.FS

// TraceProvider is the provider of the bundled weeks.
const TraceProvider = "bundled/electricity-maps-2023"

// Notice returns the attribution that the licence of the data asks for, to be
// shown wherever the data is.
func Notice() string {
	text, err := files.ReadFile("NOTICE.md")
	if err != nil {
		return "Contains data of Electricity Maps under the Open Database License 1.0."
	}
	return string(text)
}

// Provider returns the bundled weeks as a provider: each value appears at the
// end of its hour.
func Provider() (signal.Provider, error) {
	return signal.OpenFS(files, "trace.csv", signal.FileOptions{
		Name:      TraceProvider,
		Basis:     grid.AverageLifecycle,
		Grade:     grid.GradeA,
		Estimated: []grid.Zone{"IN-WE"}, // wholly modelled by Electricity Maps: grade B
	})
}

// Trace returns the bundled weeks, a series for each zone, issued at the end.
// For a run in which time passes use Provider.
func Trace() (map[grid.Zone]grid.Series, error) {
	p, err := Provider()
	if err != nil {
		return nil, fmt.Errorf("bundled trace: %w", err)
	}
	ctx, start := context.Background(), time.Unix(0, 0)
	end := start.AddDate(100, 0, 0)
	zones, err := p.Zones(ctx)
	if err != nil {
		return nil, fmt.Errorf("bundled trace: %w", err)
	}
	trace := make(map[grid.Zone]grid.Series, len(zones))
	for _, z := range zones {
		if trace[z], err = p.History(ctx, z, start, end, end); err != nil {
			return nil, fmt.Errorf("bundled trace: %w", err)
		}
	}
	return trace, nil
}

// Climatology returns what is usual, learnt from 2021 until the bundled weeks
// begin, so that a forecast of them was not learnt from them.
func Climatology() (forecast.Climatology, error) {
	t, err := tables.Embedded()
	if err != nil {
		return forecast.Climatology{}, err
	}
	return ClimatologyOf(t)
}

// ClimatologyOf returns the same, where a zone of t and the one that it is an
// alias of stand in for each other.
func ClimatologyOf(t *tables.Tables) (forecast.Climatology, error) {
	rows, err := read(files, "climatology.csv", 4+forecast.HoursOfWeek)
	if err != nil {
		return forecast.Climatology{}, err
	}
	c, err := climatology(rows)
	if err != nil {
		return forecast.Climatology{}, err
	}
	for _, z := range t.Zones() {
		switch own, of := c.Zones[z.Zone], c.Zones[z.AliasOf]; {
		case z.AliasOf == "":
		case own == nil && of != nil:
			c.Zones[z.Zone] = of
		case own != nil && of == nil:
			c.Zones[z.AliasOf] = own
		}
	}
	return c, nil
}

func climatology(rows [][]string) (forecast.Climatology, error) {
	c := forecast.Climatology{Basis: grid.AverageLifecycle, Zones: map[grid.Zone]*forecast.Normal{}}
	for i, row := range rows {
		fault := func(err error) error { return fmt.Errorf("bundled climatology.csv, row %d: %w", i+2, err) }
		month, err := strconv.Atoi(row[1])
		if err != nil || month < 1 || month > 12 {
			return forecast.Climatology{}, fault(fmt.Errorf("month is %q", row[1]))
		}
		until, err := time.Parse("2006-01-02T15:04Z", row[3])
		if err != nil {
			return forecast.Climatology{}, fault(err)
		}
		if until.After(c.Until) {
			c.Until = until
		}
		zone := grid.Zone(row[0])
		if c.Zones[zone] == nil {
			c.Zones[zone] = unknown()
		}
		cells := &c.Zones[zone].Mean
		if row[2] == "spread" {
			cells = &c.Zones[zone].Spread
		} else if row[2] != "mean" {
			return forecast.Climatology{}, fault(fmt.Errorf("stat is %q", row[2]))
		}
		for h, text := range row[4:] {
			if cells[month-1][h], err = milligrams(text); err != nil {
				return forecast.Climatology{}, fault(err)
			}
		}
	}
	return c, nil
}

// unknown returns a year of which nothing is known.
func unknown() *forecast.Normal {
	var n forecast.Normal
	for m := range 12 {
		for h := range forecast.HoursOfWeek {
			n.Mean[m][h], n.Spread[m][h] = grid.Unknown, grid.Unknown
		}
	}
	return &n
}

// Annual returns the yearly mean of every zone that has one, sorted by zone.
func Annual() ([]signal.AnnualMean, error) {
	t, err := tables.Embedded()
	if err != nil {
		return nil, err
	}
	return AnnualOf(t), nil
}

// AnnualOf returns the newest yearly mean of every zone of t that has one or is
// an alias of one that has, sorted by zone.
func AnnualOf(t *tables.Tables) []signal.AnnualMean {
	var means []signal.AnnualMean
	for _, z := range t.Zones() {
		if m, of, ok := t.Mean(z.Zone); ok {
			means = append(means, signal.AnnualMean{Zone: z.Zone, Of: of, Name: z.Name, Mean: m.Mean, Year: m.Year, Basis: grid.AverageLifecycle})
		}
	}
	return means
}

// read returns the rows of a bundled file without its header.
func read(files fs.FS, name string, cells int) ([][]string, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, fmt.Errorf("bundled data: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = cells
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("bundled %s: %w", name, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("bundled %s is empty", name)
	}
	return rows[1:], nil
}

// milligrams reads a value in g/kWh.
func milligrams(s string) (grid.Intensity, error) { return grid.ParseIntensity(s + " g/kWh") }
