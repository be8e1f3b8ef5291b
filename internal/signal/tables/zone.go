package tables

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"clusy.io/clusy/internal/grid"
)

// Zone is what is known of a grid zone.
type Zone struct {
	Zone    grid.Zone
	Name    string
	Country string    // ISO 3166 alpha-2
	Parent  grid.Zone // the larger area that it is named under; "" if there is none
	// AliasOf is the zone that stands in where nothing is known of this one:
	// its yearly means, and what it is called elsewhere. Note says why.
	AliasOf grid.Zone
	Means   []Mean // its own, by year; a year that is not there is unknown
	Source  string
	Note    string
	row     *row
}

// Mean is the mean carbon intensity of a year: average, lifecycle.
type Mean struct {
	Year int
	Mean grid.Intensity
}

func (t *Tables) addZone(r *row) {
	z := Zone{
		Zone: grid.Zone(r.word("zone")), Name: r.need("name"), Country: r.cells["country"], Parent: r.zone("parent"), AliasOf: r.zone("alias_of"),
		Source: r.cells["source"], Note: r.cells["note"], row: r,
	}
	if c := z.Country; len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.fault("country", "%q, want the two capitals of ISO 3166, as DE", short(c))
	}
	for column := range r.cells {
		if !isYear(column) {
			continue
		}
		year, _ := strconv.Atoi(column)
		if m := r.intensity(column); m.Known() {
			z.Means = append(z.Means, Mean{year, m})
		}
	}
	slices.SortFunc(z.Means, func(a, b Mean) int { return cmp.Compare(a.Year, b.Year) })
	t.zones = append(t.zones, z)
}

// Zones returns all zones, sorted.
func (t *Tables) Zones() []Zone { return t.zones }

// Zone returns a zone by its key.
func (t *Tables) Zone(z grid.Zone) (Zone, bool) {
	i, ok := t.zone[z]
	if !ok {
		return Zone{}, false
	}
	return t.zones[i], true
}

// Means returns the yearly means to take for a zone, and whose they are: its
// own, or those of the zone that it is an alias of. None means that they are
// not known.
func (t *Tables) Means(z grid.Zone) (means []Mean, of grid.Zone) {
	own, _ := t.Zone(z)
	if len(own.Means) > 0 || own.AliasOf == "" {
		return own.Means, z
	}
	alias, _ := t.Zone(own.AliasOf)
	return alias.Means, alias.Zone
}

// Mean returns the newest of Means.
func (t *Tables) Mean(z grid.Zone) (m Mean, of grid.Zone, ok bool) {
	means, of := t.Means(z)
	if len(means) == 0 {
		return Mean{}, of, false
	}
	return means[len(means)-1], of, true
}
