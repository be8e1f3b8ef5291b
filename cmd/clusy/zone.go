package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/tables"
)

// zoneView is one zone with all that this binary knows of it, as --json has it.
type zoneView struct {
	clusy.Zone
	Country     string              `json:"country"`
	Parent      string              `json:"parent,omitempty"`
	AliasOf     string              `json:"aliasOf,omitempty"`
	Why         string              `json:"why,omitempty"` // of an alias
	Means       []yearlyMean        `json:"yearlyMeans,omitempty"`
	MeansOf     string              `json:"yearlyMeansOf,omitempty"`
	Climatology bool                `json:"climatology"`
	Regions     []string            `json:"regions,omitempty"`
	Disputed    []string            `json:"disputedRegions,omitempty"` // that another list puts here
	IDs         map[string][]string `json:"ids,omitempty"`
	Source      string              `json:"source,omitempty"`
}

type yearlyMean struct {
	Year int     `json:"year"`
	Mean float64 `json:"gramsPerKWh"`
}

// zoneView returns what is known of z; ok is false for a zone of a server that
// this binary has never heard of.
func (b *book) zoneView(z clusy.Zone) (v zoneView, ok bool) {
	known, ok := b.tables.Zone(grid.Zone(z.Zone))
	if !ok {
		return zoneView{}, false
	}
	usual, _ := b.zone(z.Zone)
	v = zoneView{
		Zone: z, Country: known.Country, Parent: string(known.Parent), AliasOf: string(known.AliasOf), Why: known.Note, Source: known.Source,
		Climatology: usual.Grade == string(grid.GradeD), IDs: map[string][]string{},
	}
	means, of := b.tables.Means(known.Zone)
	for _, m := range means {
		v.MeansOf = string(of)
		if whose, _ := b.tables.Zone(of); of != known.Zone && len(v.Means) == 0 {
			v.Source = strings.TrimPrefix(v.Source+"; "+whose.Source, "; ")
		}
		v.Means = append(v.Means, yearlyMean{m.Year, float64(m.Mean) / 1000})
	}
	for _, place := range []grid.Zone{known.Zone, known.AliasOf} {
		for _, r := range b.tables.RegionsIn(place) {
			v.Regions = append(v.Regions, r.String())
		}
	}
	for _, r := range b.tables.Regions() {
		if r.Alt == known.Zone {
			v.Disputed = append(v.Disputed, r.String())
		}
	}
	for _, s := range tables.Systems() {
		if ids := b.tables.IDs(known.Zone, s); len(ids) > 0 {
			v.IDs[string(s)] = ids
		}
	}
	return v, true
}

func (b *book) tellZone(out io.Writer, v zoneView) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "  %-17s %s\n", name, text)
		}
	}
	fmt.Fprintf(out, "%s  %s\n", paint(out, bold, v.Zone.Zone), v.Name)
	if v.Now != nil || v.Provider != "" || v.Problem != "" {
		line("now", strings.TrimSpace(fmt.Sprintf("%s g/kWh, grade %s, by %s  %s", orDash(v.Now, "%.0f"), orText(v.Grade), orText(v.Provider), v.Problem)))
	}
	var means []string
	for _, m := range v.Means {
		means = append(means, fmt.Sprintf("%.0f (%d)", m.Mean, m.Year))
	}
	text := "unknown"
	if len(means) > 0 {
		text = strings.Join(means, "  ") + " g/kWh"
		if v.MeansOf != v.Zone.Zone {
			text += ", of " + v.MeansOf
		}
	}
	line("yearly means", text)
	if v.AliasOf != "" {
		line("alias of", b.name(grid.Zone(v.AliasOf)))
	}
	line("", v.Why)
	grade := "E"
	switch {
	case v.Climatology:
		grade = "D"
	case len(v.Means) == 0:
		grade = ""
	}
	line("planned by", plannedBy(grade))
	if v.Parent != "" {
		line("part of", b.name(grid.Zone(v.Parent)))
	}
	line("regions", strings.Join(v.Regions, ", "))
	line("disputed", strings.Join(v.Disputed, ", "))
	for _, s := range tables.Systems() {
		if s == tables.ENTSOEPrice && slices.Equal(v.IDs[string(s)], v.IDs[string(tables.ENTSOE)]) {
			continue
		}
		line(string(s), strings.Join(v.IDs[string(s)], ", "))
	}
	line("source", v.Source)
}

func orText(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
