package house

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

// places answers the API about where on the grid a place is.
type places struct {
	all    []api.Place    // under their full names, sorted
	byName map[string]int // by those in small letters, and by the names of regions that are unique
}

func placesOf(t *tables.Tables, annual []signal.AnnualMean, wanted []grid.Zone) *places {
	p := &places{byName: map[string]int{}}
	zones := map[grid.Zone]bool{}
	for _, z := range t.Zones() {
		zones[z.Zone] = true
	}
	for _, a := range annual {
		zones[a.Zone] = true
	}
	for _, z := range slices.Sorted(maps.Keys(zones)) {
		p.add(api.Place{Name: string(z), Zone: z}, string(z))
	}
	bare := map[string]int{}
	for _, r := range t.Regions() {
		bare[strings.ToLower(r.ID)]++
	}
	for _, r := range t.Regions() {
		place := api.Place{Name: r.String(), Zone: r.Zone}
		// Where signals are kept of the same grid under another name, that is
		// the one: DE-LU for DE.
		if !slices.Contains(wanted, r.Zone) {
			for _, z := range wanted {
				if of, ok := t.Zone(z); ok && of.AliasOf == r.Zone {
					place.Zone = z
				}
			}
		}
		if r.Where != nil {
			place.Latitude, place.Longitude = &r.Where.Lat, &r.Where.Lon
		}
		names := []string{place.Name}
		if bare[strings.ToLower(r.ID)] == 1 {
			names = append(names, r.ID)
		}
		p.add(place, names...)
	}
	return p
}

// add adds a place under its names. A name that is taken stays with the first:
// zones come before regions.
func (p *places) add(place api.Place, names ...string) {
	p.all = append(p.all, place)
	for _, n := range names {
		if _, taken := p.byName[strings.ToLower(n)]; !taken {
			p.byName[strings.ToLower(n)] = len(p.all) - 1
		}
	}
}

func (p *places) Place(name string) (api.Place, bool) {
	i, ok := p.byName[strings.ToLower(name)]
	if !ok {
		return api.Place{}, false
	}
	return p.all[i], true
}

// All returns each place under its full name, and under the short one that
// clients of one cloud know it by.
func (p *places) All() []api.Place {
	out := slices.Clone(p.all)
	for name, i := range p.byName {
		if full := p.all[i].Name; !strings.EqualFold(full, name) {
			short := p.all[i]
			_, short.Name, _ = strings.Cut(full, "/")
			out = append(out, short)
		}
	}
	return out
}

// Near returns up to three names that differ from name in few letters.
func (p *places) Near(name string) []string {
	if len(name) > 64 {
		return nil
	}
	name = strings.ToLower(name)
	type guess struct {
		name string
		far  int
	}
	var near []guess
	for known, i := range p.byName {
		if far := edits(name, known); far <= max(1, len(name)/4) {
			if full := p.all[i].Name; strings.EqualFold(full, known) {
				known = full
			}
			near = append(near, guess{known, far})
		}
	}
	slices.SortFunc(near, func(a, b guess) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name)) })
	var out []string
	for _, g := range near[:min(3, len(near))] {
		out = append(out, g.name)
	}
	return out
}

// edits counts the letters to add, drop or change on the way from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, last+cost)
		}
	}
	return row[len(b)]
}
