package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/tables"
)

// regionView is a cloud region as --json has it. What is not known is not there.
type regionView struct {
	Region   string   `json:"region"`
	Zone     string   `json:"zone"`
	ZoneName string   `json:"zoneName"`
	Annual   *float64 `json:"annualGramsPerKWh,omitempty"`
	Year     int      `json:"year,omitempty"`
	Basis    string   `json:"basis,omitempty"`
	Grade    string   `json:"grade,omitempty"` // by what could be planned there without signals
	Status   string   `json:"status"`
	Other    string   `json:"otherZone,omitempty"` // of a disputed region
	Why      string   `json:"why,omitempty"`
	Place    string   `json:"place,omitempty"`
	Lat      *float64 `json:"lat,omitempty"`
	Lon      *float64 `json:"lon,omitempty"`
	PUE      *float64 `json:"pue,omitempty"`
	PUEYear  int      `json:"pueYear,omitempty"`
	WattTime string   `json:"wattTimeRegion,omitempty"`
	Source   string   `json:"source,omitempty"`
}

func regionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "regions [PROVIDER[/REGION] | TEXT]",
		Short: "List cloud regions and the grid zones that they draw from",
		Long: `List cloud regions and the grid zones that they draw from, the cleanest first.

STATUS says how sure the zone is: confirmed by two public lists, from a single
source, disputed (two lists name two zones: both are shown, and one region alone
says why), inferred from the place, or said by the operator in a table of their
own. PUE is the energy of the whole facility for each kWh of its machines, as
the provider published it for that region.

It asks no server. A region can stand where a zone is asked for:
clusy serve --zone aws/eu-north-1, clusy run --in gcp/europe-west4.`,
		Example: "clusy regions aws/eu-north-1\nclusy regions gcp\nclusy regions sweden\nclusy regions --json | jq -r '.[] | select(.status == \"disputed\") | .region'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, err := openBook(cmd)
			if err != nil {
				return err
			}
			text := ""
			if len(args) == 1 {
				text = args[0]
			}
			found := known.regions(text)
			views := make([]regionView, len(found))
			for i, r := range found {
				views[i] = known.view(r)
			}
			slices.SortStableFunc(views, func(a, b regionView) int { return cmp.Compare(atLeast(a.Annual), atLeast(b.Annual)) })
			return print(cmd, views, func(out io.Writer) error {
				switch {
				case len(found) == 1:
					return known.tellRegion(out, found[0], views[0])
				case len(found) > 0:
					return tellRegions(out, views)
				}
				if near := known.nearRegions(text); len(near) > 0 {
					fmt.Fprintf(out, "No region matches %q; did you mean %s?\n", text, regionList(near))
					return nil
				}
				fmt.Fprintln(out, "No region matches. clusy regions lists every region; --tables adds your own.")
				return nil
			})
		},
	}
	tablesFlag(cmd)
	return cmd
}

// regions returns those that text means: all for no text, the one of that name,
// those of a provider, or those whose name, place or zone has it.
func (b *book) regions(text string) (found []tables.Region) {
	text = strings.ToLower(strings.TrimSpace(text))
	if r, ok := b.tables.RegionNamed(text); ok {
		return []tables.Region{r}
	}
	tests := []func(r tables.Region) bool{
		func(r tables.Region) bool {
			return text == "" || strings.TrimSuffix(text, "/") == strings.ToLower(r.Provider)
		},
		func(r tables.Region) bool { return text == strings.ToLower(r.ID) },
		func(r tables.Region) bool { return b.within(r.Zone, text) || b.within(r.Alt, text) },
		func(r tables.Region) bool { return strings.Contains(b.regionWords(r), text) },
	}
	for _, test := range tests {
		for _, r := range b.tables.Regions() {
			if test(r) {
				found = append(found, r)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// within reports whether zone is the one of that key, lies within it, or is what
// that one is an alias of.
func (b *book) within(zone grid.Zone, key string) bool {
	known, ok := b.tables.Zone(zone)
	same := func(z grid.Zone) bool { return z != "" && strings.EqualFold(string(z), key) }
	if !ok || same(zone) || same(known.Parent) {
		return ok
	}
	alias, _ := b.zone(key)
	of, _ := b.tables.Zone(grid.Zone(alias.Zone))
	return of.AliasOf == zone
}

// regionWords is the text that a region is looked for in.
func (b *book) regionWords(r tables.Region) string {
	zone, _ := b.tables.Zone(r.Zone)
	parent, _ := b.tables.Zone(zone.Parent)
	return strings.ToLower(strings.Join([]string{r.String(), r.Place, string(r.Zone), zone.Name, parent.Name}, " "))
}

// nearRegions returns those that someone who wrote text most likely meant, the
// likeliest first.
func (b *book) nearRegions(text string) []tables.Region {
	text = strings.ToLower(strings.TrimSpace(text))
	type guess struct {
		tables.Region
		far int
	}
	var near []guess
	for _, r := range b.tables.Regions() {
		words := append(strings.FieldsFunc(b.regionWords(r), func(c rune) bool { return strings.ContainsRune(" ,()/", c) }), r.String())
		best := len(text)/3 + 1
		for _, w := range words {
			if len(w) > 3 {
				best = min(best, edits(text, strings.ToLower(w)))
			}
		}
		if len(text) > 3 && best <= len(text)/3 {
			near = append(near, guess{r, best})
		}
	}
	slices.SortStableFunc(near, func(a, b guess) int { return cmp.Compare(a.far, b.far) })
	var out []tables.Region
	for _, g := range near {
		if g.far <= near[0].far+1 {
			out = append(out, g.Region)
		}
	}
	return out
}

// regionList names a few regions for an error.
func regionList(regions []tables.Region) string {
	var words []string
	for _, r := range regions[:min(len(regions), 3)] {
		words = append(words, fmt.Sprintf("%s (%s)", r, r.Place))
	}
	return strings.Join(words, ", ")
}

func (b *book) view(r tables.Region) regionView {
	z, _ := b.zone(string(r.Zone))
	v := regionView{
		Region: r.String(), Zone: string(r.Zone), ZoneName: z.Name, Annual: z.Annual, Year: z.Year, Basis: z.Basis, Grade: z.Grade,
		Status: string(r.Status), Other: string(r.Alt), Why: r.Note, Place: r.Place, WattTime: r.WattTime, Source: r.Source,
	}
	if r.Where != nil {
		v.Lat, v.Lon = &r.Where.Lat, &r.Where.Lon
	}
	if r.PUE != nil {
		ratio := r.PUE.Ratio()
		v.PUE, v.PUEYear = &ratio, r.PUE.Year
	}
	return v
}

func tellRegions(out io.Writer, views []regionView) error {
	rows := [][]string{{"REGION", "ZONE", "YEARLY MEAN", "PUE", "STATUS", "PLACE", "ZONE NAME"}}
	for _, v := range views {
		status := v.Status
		if v.Other != "" {
			status += ": " + v.Zone + " or " + v.Other
		}
		rows = append(rows, []string{v.Region, v.Zone, yearly(v.Annual, v.Year), orDash(v.PUE, "%.2f"), status, v.Place, v.ZoneName})
	}
	return table(out, rows)
}

func (b *book) tellRegion(out io.Writer, r tables.Region, v regionView) error {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "  %-12s %s\n", name, text)
		}
	}
	fmt.Fprintf(out, "%s  %s\n", paint(out, bold, v.Region), v.Place)
	line("zone", b.name(r.Zone))
	line("yearly mean", yearly(v.Annual, v.Year))
	line("PUE", orDash(v.PUE, "%.2f")+inYear(v.PUEYear))
	where := "unknown"
	if v.Lat != nil {
		where = fmt.Sprintf("%.4f, %.4f", *v.Lat, *v.Lon)
	}
	line("lat, lon", where)
	status := v.Status
	if v.Other != "" {
		status = fmt.Sprintf("disputed: %s here, %s in another list", b.name(r.Zone), b.name(r.Alt))
	}
	line("status", status)
	line("", v.Why)
	line("planned by", plannedBy(v.Grade))
	line("WattTime", v.WattTime)
	line("source", v.Source)
	line("serve there", "clusy serve --zone "+v.Region)
	if v.Other != "" {
		line("", "clusy serve --zone "+v.Other+"   (takes the other)")
	}
	return nil
}

// plannedBy says what a grade means for a zone without signals of one's own.
func plannedBy(grade string) string {
	switch grade {
	case "D":
		return "the usual day and season, without signals of your own (grade D)"
	case "E":
		return "a yearly mean, without signals of your own: nothing waits (grade E)"
	}
	return "nothing, without signals of your own"
}

// yearly writes a yearly mean for people.
func yearly(g *float64, year int) string {
	if g == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.0f g/kWh%s", *g, inYear(year))
}

// atLeast sorts what is not known last.
func atLeast(g *float64) float64 {
	if g == nil {
		return 1e9
	}
	return *g
}
