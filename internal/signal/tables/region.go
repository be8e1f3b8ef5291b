package tables

import (
	"fmt"
	"math"
	"strings"

	"clusy.io/clusy/internal/grid"
)

// Status says how sure it is that a region draws from its zone.
type Status string

const (
	Confirmed    Status = "confirmed"     // two public lists agree
	SingleSource Status = "single-source" // one list has it
	Disputed     Status = "disputed"      // two lists name two zones
	Inferred     Status = "inferred"      // no list has it; it follows from the place
	Operator     Status = "operator"      // who runs this server says so
)

// Region is a region of a cloud provider, or another place of that kind.
type Region struct {
	Provider string // aws, gcp, azure, ovh, …
	ID       string // as the provider writes it
	Zone     grid.Zone
	Status   Status
	Alt      grid.Zone // what the other list says, where they dispute; else ""
	Place    string
	Where    *Point // nil if it is not known
	WattTime string // its region at WattTime, as a hint; "" if it is not known
	PUE      *PUE   // nil if it is not published for the region
	Source   string
	Note     string // why, where the zone is disputed or inferred
	row      *row
}

// Point is a place on earth in degrees: north and east count up.
type Point struct{ Lat, Lon float64 }

// String returns the name of the region as aws/eu-north-1.
func (r Region) String() string { return r.Provider + "/" + r.ID }

// Doubt returns what someone who relies on the zone ought to know, "" if two
// sources agree on it or who runs the server has said it.
func (r Region) Doubt() string {
	switch r.Status {
	case Disputed:
		return strings.TrimSpace(fmt.Sprintf("its zone is disputed: %s here, %s in another list. %s", r.Zone, r.Alt, r.Note))
	case Inferred:
		return strings.TrimSpace("its zone is inferred. " + r.Note)
	}
	return ""
}

func (t *Tables) addRegion(r *row) {
	g := Region{
		Provider: r.word("provider"), ID: r.word("region"), Zone: grid.Zone(r.word("zone")), Alt: r.zone("alt_zone"), Place: r.cells["place"],
		Status:   Status(r.one("status", string(Confirmed), string(SingleSource), string(Disputed), string(Inferred), string(Operator))),
		WattTime: r.cells["watttime"], Source: r.cells["source"], Note: r.cells["note"], row: r,
	}
	if (g.Status == Disputed) != (g.Alt != "") || g.Alt == g.Zone {
		r.fault("alt_zone", "%q with status %s and zone %s: a disputed region names another zone, and no other region does", g.Alt, g.Status, g.Zone)
	}
	if g.Status == Disputed && g.Note == "" {
		r.fault("note", "it is empty; say why the zone is disputed")
	}
	lat, north := r.number("lat", -90, 90)
	lon, east := r.number("lon", -180, 180)
	if north != east {
		r.fault("lat", "a latitude without a longitude, or the other way round")
	}
	if north {
		g.Where = &Point{lat, lon}
	}
	if pue, ok := r.pue(); ok {
		g.PUE = &PUE{Provider: g.Provider, Kind: "region", Year: r.year("pue_year"), Thousandths: pue, Verified: Yes, Source: g.Source}
	}
	t.regions = append(t.regions, g)
}

// pue returns thousandths.
func (r *row) pue() (int64, bool) {
	f, ok := r.number("pue", 1, 10)
	return int64(math.Round(f * 1000)), ok
}

// Regions returns all regions, sorted by provider and id.
func (t *Tables) Regions() []Region { return t.regions }

// Region returns a region by its provider and id, in any case.
func (t *Tables) Region(provider, id string) (Region, bool) {
	return t.RegionNamed(provider + "/" + id)
}

// RegionNamed returns a region by its name, as aws/eu-north-1, in any case.
func (t *Tables) RegionNamed(name string) (Region, bool) {
	i, ok := t.region[fold(name)]
	if !ok {
		return Region{}, false
	}
	return t.regions[i], true
}

// RegionsIn returns the regions that draw from a zone, those whose zone is
// disputed included.
func (t *Tables) RegionsIn(z grid.Zone) []Region { return t.in[z] }
