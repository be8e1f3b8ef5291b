package main

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/wire"
)

// bundledZones lists the zones that this binary knows of without a server, and
// by what grade it could plan there: D by climatology, E by a yearly mean.
func bundledZones() ([]clusy.Zone, error) {
	means, err := bundled.Annual()
	if err != nil {
		return nil, err
	}
	climatology, err := bundled.Climatology()
	if err != nil {
		return nil, err
	}
	var out []clusy.Zone
	listed := map[string]bool{}
	for _, m := range means {
		z := clusy.Zone{Zone: string(m.Zone), Name: m.Name, Annual: wire.PerKWh(m.Mean), Year: m.Year, Basis: m.Basis.String(), Grade: "E"}
		if climatology.Zones[m.Zone] != nil {
			z.Grade = "D"
		}
		listed[z.Zone] = true
		out = append(out, z)
	}
	for zone := range climatology.Zones {
		if !listed[string(zone)] {
			out = append(out, clusy.Zone{Zone: string(zone), Name: zoneNames[string(zone)], Grade: "D"})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Zone < out[j].Zone })
	return out, nil
}

// zoneNames names the zones that have no yearly mean of their own, and so no
// name in the bundled data.
var zoneNames = map[string]string{"DE-LU": "Germany and Luxembourg"}

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

// checkZones looks at the zones that serve is given. One that nobody knows is
// a slip, unless signals are given that may know it. One that has a yearly mean
// alone works, and hardly saves anything: that is said.
func checkZones(cmd *cobra.Command, _ []string) error {
	zones, err := bundledZones()
	if err != nil {
		return err
	}
	signals, _ := cmd.Flags().GetStringArray("signals")
	var given []string
	if z, _ := cmd.Flags().GetString("zone"); z != "" {
		given = append(given, z)
	}
	sites, _ := cmd.Flags().GetStringArray("site")
	for _, s := range sites {
		if _, z, ok := strings.Cut(s, "="); ok {
			given = append(given, z)
		}
	}
	for _, g := range given {
		i := slices.IndexFunc(zones, func(z clusy.Zone) bool { return z.Zone == g })
		near := slices.DeleteFunc(nearZones(g, zones), func(z clusy.Zone) bool { return z.Zone == g })
		switch {
		case i < 0 && len(signals) > 0:
		case i < 0 && len(near) > 0:
			return usage("zone %q is not known here; did you mean %s?\n  clusy zones --all lists every zone; one of your own needs --signals", g, zoneList(near))
		case i < 0:
			return usage("zone %q is not known here: clusy zones --all lists every zone; one of your own needs --signals", g)
		case zones[i].Grade == "E" && len(signals) == 0:
			better := slices.IndexFunc(near, func(z clusy.Zone) bool { return z.Grade == "D" && strings.HasPrefix(z.Zone, g+"-") })
			note := fmt.Sprintf("note: of %s only a yearly mean is known, by which every hour looks the same: give --signals", g)
			if better >= 0 {
				note += ", or take " + zoneList(near[better:better+1]) + ", of which the usual day and season are known"
			}
			fmt.Fprintln(cmd.ErrOrStderr(), note)
		}
	}
	return nil
}
