package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/signal/tables"
	"clusy.io/clusy/internal/wire"
)

// book is what this binary knows of zones and cloud regions without a server.
type book struct {
	tables *tables.Tables
	zones  []clusy.Zone // each with the grade by which it could plan there: D by climatology, E by a yearly mean
}

// openBook reads the tables that ship, with those of the folder that --tables
// names in their place.
func openBook(cmd *cobra.Command) (*book, error) {
	known, err := tables.Embedded()
	if dir, _ := cmd.Flags().GetString("tables"); dir != "" && err == nil {
		if known, err = tables.Load(os.DirFS(dir)); err != nil {
			return nil, usage("--tables %s: %w", dir, err)
		}
	}
	if err != nil {
		return nil, err
	}
	climatology, err := bundled.ClimatologyOf(known)
	if err != nil {
		return nil, err
	}
	b := &book{tables: known}
	for _, z := range known.Zones() {
		listed := clusy.Zone{Zone: string(z.Zone), Name: z.Name}
		if m, _, ok := known.Mean(z.Zone); ok {
			listed.Annual, listed.Year, listed.Basis, listed.Grade = wire.PerKWh(m.Mean), m.Year, grid.AverageLifecycle.String(), string(grid.GradeE)
		}
		if climatology.Zones[z.Zone] != nil {
			listed.Basis, listed.Grade = climatology.Basis.String(), string(grid.GradeD)
		}
		b.zones = append(b.zones, listed)
	}
	return b, nil
}

// tablesFlag is how a command is told of tables that come before those that ship.
func tablesFlag(cmd *cobra.Command) {
	cmd.Flags().String("tables", "", "folder with tables of your own: zones.csv, regions.csv, … (their rows come first)")
}

// zone returns what is known of a zone, by its key in any case.
func (b *book) zone(key string) (clusy.Zone, bool) {
	i := slices.IndexFunc(b.zones, func(z clusy.Zone) bool { return strings.EqualFold(z.Zone, key) })
	if i < 0 {
		return clusy.Zone{}, false
	}
	return b.zones[i], true
}

// name returns a zone as people write it.
func (b *book) name(z grid.Zone) string {
	known, ok := b.tables.Zone(z)
	if !ok {
		return string(z)
	}
	return fmt.Sprintf("%s (%s)", z, known.Name)
}

// nearZones returns those zones that someone who wrote word most likely meant,
// the likeliest first, and of equals those that can be planned for best.
func nearZones(word string, zones []clusy.Zone) []clusy.Zone {
	word = strings.ToLower(strings.TrimSpace(word))
	rank := func(z clusy.Zone) int {
		id, name := strings.ToLower(z.Zone), strings.ToLower(z.Name)
		best := 9
		switch {
		case id == word:
			return 0
		case word != "" && (strings.HasPrefix(id, word+"-") || id == strings.ReplaceAll(word, "_", "-")):
			return 1
		case len(word) > 2 && strings.Contains(name, word):
			return 2
		}
		for _, w := range append(strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == ',' }), id) {
			if d := edits(word, w); len(w) > 3 && d <= len(w)/3 {
				best = min(best, 3+d)
			}
		}
		return best
	}
	var near []clusy.Zone
	for _, z := range zones {
		if rank(z) < 6 {
			near = append(near, z)
		}
	}
	slices.SortStableFunc(near, func(a, b clusy.Zone) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(cmp.Or(a.Grade, "F"), cmp.Or(b.Grade, "F"))
	})
	return near
}

// edits counts the letters to change, add, drop or swap with a neighbour to
// make b of a.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := last[j]
			if x[i] != y[j] {
				cost++
			}
			row[j+1] = min(cost, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// zoneList names a few zones for an error.
func zoneList(zones []clusy.Zone) string {
	var words []string
	for _, z := range zones[:min(len(zones), 3)] {
		words = append(words, fmt.Sprintf("%s (%s)", z.Zone, z.Name))
	}
	return strings.Join(words, ", ")
}

// place is where a site of serve is.
type place struct {
	zone grid.Zone
	pue  float64
}

// place finds the zone that serve is given: a zone, or a cloud region, which
// stands for the zone that it draws from. What nobody knows is a slip, unless
// signals are given that may know it. What there is to tell about it is told:
// which zone a region became and how sure that is, and that a zone of which a
// yearly mean alone is known works, and hardly saves anything.
func (b *book) place(tell io.Writer, given string, signals bool) (place, error) {
	if r, ok := b.tables.RegionNamed(given); ok {
		p, pue := place{zone: r.Zone, pue: 1}, ""
		if r.PUE != nil {
			p.pue = r.PUE.Ratio()
			pue = fmt.Sprintf(", PUE %.2f%s", p.pue, inYear(r.PUE.Year))
		}
		fmt.Fprintf(tell, "note: %s (%s) draws from zone %s%s\n", r, r.Place, b.name(r.Zone), pue)
		if doubt := r.Doubt(); doubt != "" {
			fmt.Fprintf(tell, "warning: %s: %s\n", r, doubt)
		}
		if _, err := b.place(tell, string(r.Zone), signals); err != nil {
			return place{}, err
		}
		return p, nil
	}
	near := slices.DeleteFunc(nearZones(given, b.zones), func(z clusy.Zone) bool { return z.Zone == given })
	i := slices.IndexFunc(b.zones, func(z clusy.Zone) bool { return z.Zone == given })
	switch {
	case i < 0 && signals:
	case i < 0 && strings.Contains(given, "/"):
		if like := b.nearRegions(given); len(like) > 0 {
			return place{}, usage("cloud region %q is not known here; did you mean %s?\n  clusy regions lists every region", given, regionList(like))
		}
		return place{}, usage("cloud region %q is not known here: clusy regions lists every region; --tables adds your own", given)
	case i < 0 && len(near) > 0:
		return place{}, usage("zone %q is not known here; did you mean %s?\n  clusy zones --all lists every zone; one of your own needs --signals", given, zoneList(near))
	case i < 0:
		return place{}, usage("zone %q is not known here: clusy zones --all lists every zone; one of your own needs --signals", given)
	case b.zones[i].Grade != string(grid.GradeD) && !signals:
		better := slices.IndexFunc(near, func(z clusy.Zone) bool { return z.Grade == "D" && strings.HasPrefix(z.Zone, given+"-") })
		note := fmt.Sprintf("note: of %s only a yearly mean is known, by which every hour looks the same: give --signals", given)
		if b.zones[i].Annual == nil {
			note = fmt.Sprintf("note: of %s no carbon intensity is known: give --signals", given)
		}
		if better >= 0 {
			note += ", or take " + zoneList(near[better:better+1]) + ", of which the usual day and season are known"
		}
		fmt.Fprintln(tell, note)
	}
	return place{zone: grid.Zone(given), pue: 1}, nil
}

// regionZones puts in place of cloud regions, where an intent may name sites or
// zones, the zones that they draw from.
func regionZones(tell io.Writer, lists ...[]string) error {
	known, err := tables.Embedded()
	if err != nil {
		return err
	}
	for _, list := range lists {
		for i, name := range list {
			r, ok := known.RegionNamed(name)
			if !ok {
				continue
			}
			list[i] = string(r.Zone)
			fmt.Fprintf(tell, "note: %s is taken as its zone, %s\n", r, r.Zone)
			if doubt := r.Doubt(); doubt != "" {
				fmt.Fprintf(tell, "warning: %s: %s\n", r, doubt)
			}
		}
	}
	return nil
}

func inYear(year int) string {
	if year == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d)", year)
}
