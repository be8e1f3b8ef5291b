// Package tables holds what Clusy knows of grids and machines before anyone is
// asked: zones with their yearly means, cloud regions and the zones that they
// draw from, what zones are called elsewhere, emission factors, and what
// hardware and facilities draw. Each table is a CSV file that people can read,
// with its licence at its head and its source in each row; NOTICE.md has them
// together. An operator's files of the same names replace and add rows.
package tables

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"clusy.io/clusy/internal/grid"
)

//go:embed *.csv NOTICE.md
var embedded embed.FS

// Tables is every table, checked against one another. It does not change, and
// may be used by several goroutines. The slices that it returns are shared:
// they are to be read only.
type Tables struct {
	zones    []Zone
	zone     map[grid.Zone]int
	regions  []Region
	region   map[string]int
	in       map[grid.Zone][]Region
	ids      map[idKey][]string
	idsFrom  []*row
	named    map[idKey][]grid.Zone
	factors  []Factor
	factor   map[factorKey]int
	fuel     map[[2]string]Fuel
	power    []Power
	coeff    map[string]Coefficient
	pue      []PUE
	override bool
}

// Embedded returns the tables that ship with Clusy.
var Embedded = sync.OnceValues(func() (*Tables, error) { return Load(nil) })

// Load returns the embedded tables with the rows of an operator's files in
// their place, or beside them. A file there has the name of a table and columns
// of it in any order; a row whose key there is replaces that row, and a column
// that the file leaves out keeps what it says. Files that do not end in .csv
// are not looked at.
//
// It is all or nothing: the error names the file, the line, the column and
// what is wrong. A nil FS brings nothing.
func Load(over fs.FS) (*Tables, error) {
	sheets := map[string]*sheet{}
	for _, l := range layouts {
		s, err := l.read(embedded, "bundled "+l.file)
		if err != nil {
			return nil, err
		}
		sheets[l.file] = s
	}
	t := &Tables{}
	if over != nil {
		entries, err := fs.ReadDir(over, ".")
		if err != nil {
			return nil, fmt.Errorf("read the folder of tables: %w", err)
		}
		for _, e := range entries {
			if path.Ext(e.Name()) != ".csv" {
				continue
			}
			l, ok := layoutOf(e.Name())
			if !ok {
				return nil, fmt.Errorf("%s is not a table; the tables are %s", e.Name(), strings.Join(Files(), ", "))
			}
			s, err := l.read(over, e.Name())
			if err != nil {
				return nil, err
			}
			sheets[l.file].override(s)
			t.override = true
		}
		if !t.override {
			return nil, fmt.Errorf("the folder of tables has none; the tables are %s", strings.Join(Files(), ", "))
		}
	}
	for _, build := range []struct {
		file string
		row  func(*Tables, *row)
	}{
		{"zones.csv", (*Tables).addZone}, {"regions.csv", (*Tables).addRegion}, {"ids.csv", (*Tables).addIDs},
		{"factors.csv", (*Tables).addFactor}, {"fuels.csv", (*Tables).addFuel}, {"power.csv", (*Tables).addPower},
		{"coefficients.csv", (*Tables).addCoefficient}, {"pue.csv", (*Tables).addPUE},
	} {
		for _, r := range sheets[build.file].rows {
			build.row(t, r)
			if r.err != nil {
				return nil, r.err
			}
		}
	}
	if err := t.relate(); err != nil {
		return nil, err
	}
	return t, nil
}

// Files returns the names of the tables' files, sorted.
func Files() []string {
	names := make([]string, len(layouts))
	for i, l := range layouts {
		names[i] = l.file
	}
	return names
}

// Overridden reports whether an operator's rows are among them.
func (t *Tables) Overridden() bool { return t.override }

// Notice returns whose data the tables hold and under which licences, to be
// shown wherever they are.
func Notice() string {
	text, err := embedded.ReadFile("NOTICE.md")
	if err != nil {
		return "Contains data of Electricity Maps under the Open Database License 1.0."
	}
	return string(text)
}

// relate sorts the tables, makes their indexes, and checks what one says of
// another.
func (t *Tables) relate() error {
	slices.SortFunc(t.zones, func(a, b Zone) int { return strings.Compare(string(a.Zone), string(b.Zone)) })
	t.zone = make(map[grid.Zone]int, len(t.zones))
	for i, z := range t.zones {
		t.zone[z.Zone] = i
	}
	known := func(r *row, column string, z grid.Zone) {
		if _, ok := t.zone[z]; !ok && z != "" {
			r.fault(column, "%q is no zone of zones.csv", z)
		}
	}
	for _, z := range t.zones {
		known(z.row, "parent", z.Parent)
		known(z.row, "alias_of", z.AliasOf)
		if of, ok := t.Zone(z.AliasOf); ok && of.AliasOf != "" {
			z.row.fault("alias_of", "%q is itself an alias of %q: name that", z.AliasOf, of.AliasOf)
		}
		// A chain of parents ends: each step goes to a zone of its own.
		for p, steps := z.Parent, 0; p != ""; steps++ {
			if steps > 8 {
				z.row.fault("parent", "the parents of %q go round in a circle", z.Zone)
				break
			}
			of, _ := t.Zone(p)
			p = of.Parent
		}
		if z.row.err != nil {
			return z.row.err
		}
	}
	slices.SortFunc(t.regions, func(a, b Region) int { return strings.Compare(a.String(), b.String()) })
	t.region, t.in = make(map[string]int, len(t.regions)), map[grid.Zone][]Region{}
	for i, r := range t.regions {
		known(r.row, "zone", r.Zone)
		known(r.row, "alt_zone", r.Alt)
		if r.row.err != nil {
			return r.row.err
		}
		t.region[fold(r.String())] = i
		t.in[r.Zone] = append(t.in[r.Zone], r)
	}
	for _, r := range t.idsFrom {
		known(r, "zone", grid.Zone(r.cells["zone"]))
		if r.err != nil {
			return r.err
		}
	}
	for _, zones := range t.named {
		slices.Sort(zones)
	}
	for _, f := range t.fuel {
		for _, scope := range []grid.Scope{grid.Lifecycle, grid.Direct} {
			if _, ok := t.Factor(EMDefault, f.Fuel, scope); !ok {
				f.row.fault("fuel", "factors.csv has no %s factor of %q in scheme %s", scope, f.Fuel, EMDefault)
			}
		}
		if f.row.err != nil {
			return f.row.err
		}
	}
	return nil
}
