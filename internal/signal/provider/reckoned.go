package provider

import (
	"fmt"
	"strconv"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/tables"
)

// reckoned is what sources have in common that tell what generates, and leave
// it to us to reckon what that emits.
type reckoned struct {
	tables *tables.Tables
	system tables.System
	scope  grid.Scope
	doubt  float64
	lag    time.Duration // after a step, until it is whole
}

// reckonedFields are the fields of a declaration that such a source reads.
func reckonedFields(settle string) []Field {
	return []Field{
		{Name: "scope", About: "lifecycle or direct emission factors (scheme EM-default)", Only: []string{"lifecycle", "direct"}},
		{Name: "unknownShare", About: "share of a step's generation that may be of an unknown fuel or not told; 0.1 if not given"},
		{Name: "settle", About: "time after a step until its values are taken as whole; " + settle + " if not given"},
	}
}

func newReckoned(d Declaration, t *tables.Tables, system tables.System, settle time.Duration) (reckoned, error) {
	r := reckoned{tables: t, system: system, scope: grid.Scope(d.Scope), doubt: mostDoubt, lag: settle}
	if d.UnknownShare != "" {
		f, err := strconv.ParseFloat(d.UnknownShare, 64)
		if err != nil || !(f >= 0 && f <= 0.5) {
			return r, fmt.Errorf("unknownShare is %s, want a share from 0 to 0.5", clip(d.UnknownShare))
		}
		r.doubt = f
	}
	if d.Settle != "" {
		v, err := grid.ParseDuration(d.Settle)
		if err != nil || v < 0 || v > 7*24*time.Hour {
			return r, fmt.Errorf("settle is %s, want a time from 0s to 7d", clip(d.Settle))
		}
		r.lag = v
	}
	return r, nil
}

// fuel is what a code of the source burns, unknown if the tables do not say.
func (r reckoned) fuel(code string) string {
	if f, ok := r.tables.Fuel(r.system, code); ok {
		return f.Fuel
	}
	return fuelUnknown
}

func (r reckoned) factor(fuel string) (grid.Intensity, bool) {
	return r.tables.Factor(tables.EMDefault, fuel, r.scope)
}

// points makes points of the steps of a mix that are whole by now. They are
// estimates of ours, and issued when they are whole.
func (r reckoned) points(m mix, now time.Time) ([]point, error) {
	values, err := m.intensities(r.factor, r.doubt)
	if err != nil {
		return nil, err
	}
	var ps []point
	for i, v := range values {
		at := m.start.Add(time.Duration(i) * m.step)
		if whole := at.Add(m.step + r.lag); !whole.After(now) {
			ps = append(ps, point{at: at, value: v, estimated: true, issued: whole})
		}
	}
	return ps, nil
}

// origin of what is reckoned: of what is produced in the zone.
func (r reckoned) origin(who string, zone grid.Zone, step time.Duration) origin {
	return origin{provider: who, zone: zone, basis: r.Basis(), flow: grid.Production, step: step}
}

// Basis is what the values count.
func (r reckoned) Basis() grid.Basis { return grid.Basis{Signal: grid.Average, Scope: r.scope} }

// zonesOf returns the zones that the tables name in a system.
func zonesOf(t *tables.Tables, system tables.System) zoneMap {
	m := zoneMap{}
	for _, z := range t.Zones() {
		if ids := t.IDs(z.Zone, system); len(ids) > 0 {
			m[z.Zone] = ids[0]
		}
	}
	return m
}
