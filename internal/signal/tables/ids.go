package tables

import (
	"strings"

	"clusy.io/clusy/internal/grid"
)

// System is a source that calls zones by names of its own.
type System string

const (
	ENTSOE          System = "entsoe"            // area code (EIC) of generation
	ENTSOEPrice     System = "entsoe-price"      // area code of prices, where it is another
	EIA             System = "eia"               // respondent of EIA-930
	WattTime        System = "watttime"          // region, as a hint
	EnergyCharts    System = "energy-charts"     // country of generation and intensity
	EnergyChartsBZN System = "energy-charts-bzn" // bidding zone of prices
	NordPool        System = "nordpool"          // delivery area
	NESO            System = "neso"
	Energinet       System = "energinet" // price area
)

// idKey is a name within a system: a zone, or what the system calls it.
type idKey struct {
	system System
	name   string
}

func (t *Tables) addIDs(r *row) {
	zone := r.word("zone")
	system := System(r.one("system", string(EIA), string(Energinet), string(EnergyCharts), string(EnergyChartsBZN), string(ENTSOE),
		string(ENTSOEPrice), string(NESO), string(NordPool), string(WattTime)))
	ids := strings.Fields(r.need("ids"))
	if t.ids == nil {
		t.ids, t.named = map[idKey][]string{}, map[idKey][]grid.Zone{}
	}
	t.ids[idKey{system, zone}] = ids
	for _, id := range ids {
		if len(id) > 64 {
			r.fault("ids", "%q is longer than 64 letters", short(id))
		}
		k := idKey{system, id}
		t.named[k] = append(t.named[k], grid.Zone(zone))
	}
	t.idsFrom = append(t.idsFrom, r)
}

// IDs returns what a system calls a zone, the name to ask for first: its own
// names, or those of the zone that it is an alias of. For prices at ENTSO-E it
// is the area of generation, where no other is given. None means that the
// system does not have the zone, as far as we know.
func (t *Tables) IDs(z grid.Zone, s System) []string {
	zone, _ := t.Zone(z)
	for _, k := range []grid.Zone{z, zone.AliasOf} {
		if ids := t.ids[idKey{s, string(k)}]; len(ids) > 0 {
			return ids
		}
		if s == ENTSOEPrice {
			if ids := t.ids[idKey{ENTSOE, string(k)}]; len(ids) > 0 {
				return ids
			}
		}
	}
	return nil
}

// ZonesCalled returns the zones that a system calls by id, sorted: mostly one.
func (t *Tables) ZonesCalled(s System, id string) []grid.Zone { return t.named[idKey{s, id}] }

// Systems returns all systems, in the order in which people know them.
func Systems() []System {
	return []System{ENTSOE, ENTSOEPrice, EIA, WattTime, EnergyCharts, EnergyChartsBZN, NordPool, NESO, Energinet}
}
