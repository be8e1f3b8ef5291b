// Package provider has the drivers of live sources: each turns one source's
// ways into series that are valid, of one origin, and told when they were
// issued. An operator declares sources in a file; keys stand there by reference
// only. A driver makes one attempt per call, never sleeps and never reads the
// clock: a source that said no is left alone for a while (signal.Wait).
package provider

import (
	"fmt"
	"slices"
	"strings"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

// Kind is one sort of source that can be declared.
type Kind struct {
	Name   string   `json:"name"`
	About  string   `json:"about"`            // one sentence: whose data, what it counts
	Tells  []string `json:"tells"`            // of history, forecast, prices
	Key    string   `json:"key,omitempty"`    // what it wants as key, in words; empty: none
	URL    string   `json:"url"`              // where it is asked unless url says another
	Sends  string   `json:"sends"`            // what the source learns by being asked
	Limit  string   `json:"limit,omitempty"`  // requests, unless limit says another; empty: none known
	Fields []Field  `json:"fields,omitempty"` // what it reads besides kind, name, url, zones and limit

	open func(d Declaration, s *source) (signal.Provider, error)
	// price opens a source that tells prices and no carbon.
	price func(d Declaration, s *source) (signal.Pricer, error)
}

// Field is a field of a declaration that a kind reads.
type Field struct {
	Name  string   `json:"name"`
	About string   `json:"about"`
	Only  []string `json:"only,omitempty"` // what may stand there; empty: see About. The first is what holds if none is given
	Must  bool     `json:"must,omitempty"`
	Open  bool     `json:"open,omitempty"` // nothing holds if none is given
}

// kinds is every kind there is, by name.
var kinds = []Kind{
	electricityMaps,
	ukCarbonIntensity,
	entsoeKind,
	eiaKind,
	energyChartsKind,
	energinetKind,
	httpKind,
	wattTimeKind,
}

// Kinds returns every kind that can be declared, sorted by name.
func Kinds() []Kind {
	list := slices.Clone(kinds)
	slices.SortFunc(list, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func kindOf(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("kind is %.40q, want one of %s", name, strings.Join(names, ", "))
}

// Deps are what drivers need of the house.
type Deps struct {
	Dial *dial.Exchange
	// Tables name zones and fuels elsewhere, and what a fuel emits; nil: those
	// that ship with Clusy.
	Tables *tables.Tables
}

// Opened is a declared source, ready to be asked. One of Provider and Pricer is
// set, or both if the source tells both. What it tells besides (forecasts, its
// budget) is found by asserting signal.Forecaster and signal.Metered.
type Opened struct {
	Provider signal.Provider
	Pricer   signal.Pricer
}

// Open declares the source's destination and returns its driver. It sends
// nothing. The error names the field that is wrong.
func Open(d Declaration, deps Deps) (Opened, error) {
	if err := d.check(); err != nil {
		return Opened{}, fmt.Errorf("source %s: %w", d.label(), err)
	}
	k, _ := kindOf(d.Kind) // check has seen to it
	d = d.filled(k)
	s, err := newSource(d, k, deps)
	if err != nil {
		return Opened{}, fmt.Errorf("source %s: %w", d.label(), err)
	}
	var o Opened
	if k.open != nil {
		if o.Provider, err = k.open(d, s); err == nil {
			o.Pricer, _ = o.Provider.(signal.Pricer)
		}
	}
	if o.Provider == nil && err == nil { // it tells prices, or this declaration of it does
		o.Pricer, err = k.price(d, s)
	}
	if err != nil {
		return Opened{}, fmt.Errorf("source %s: %w", d.label(), err)
	}
	return o, nil
}

// zoneMap turns zones of ours into what a source calls them.
type zoneMap map[grid.Zone]string

func (m zoneMap) sorted() []grid.Zone {
	zones := make([]grid.Zone, 0, len(m))
	for z := range m {
		zones = append(zones, z)
	}
	slices.Sort(zones)
	return zones
}
