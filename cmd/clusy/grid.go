package main

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

func zonesCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "zones [TEXT]",
		Short: "List grid zones, the cleanest now first",
		Long: `List grid zones, the cleanest now first.

Without --all or a TEXT to look for, only zones with a live signal are shown.
A zone whose intensity is not known says so: unknown is never zero.

Without a token the zones that this binary knows of itself are listed, so that
the zone of a first server can be found. The grade says by what could be planned
there without signals of your own: D by the usual day and season, E by a yearly
mean, by which nothing waits.

A TEXT that means one zone alone, such as its key, shows all that is known of it:
its yearly means, the cloud regions in it, and what other sources call it.`,
		Example: "clusy zones\nclusy zones germany\nclusy zones DE-LU\nclusy zones --all --json | jq '.[] | select(.grade == \"D\") | .zone'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, err := openBook(cmd)
			if err != nil {
				return err
			}
			zones, offline, err := known.ask(cmd)
			if err != nil {
				return err
			}
			var items []clusy.Zone
			for _, z := range zones {
				match := len(args) == 1 && strings.Contains(strings.ToLower(z.Zone+" "+z.Name), strings.ToLower(args[0]))
				if all || match || len(args) == 0 && (z.Now != nil || offline) {
					items = append(items, z)
				}
			}
			// A zone's own key means it alone, and not those that have it in theirs.
			for _, z := range items {
				if len(args) == 1 && !all && strings.EqualFold(z.Zone, args[0]) {
					items = []clusy.Zone{z}
					break
				}
			}
			sort.SliceStable(items, func(i, j int) bool { return now(items[i]) < now(items[j]) })
			if len(args) == 1 && len(items) == 1 {
				if v, ok := known.zoneView(items[0]); ok {
					return print(cmd, []zoneView{v}, func(out io.Writer) error {
						known.tellZone(out, v)
						return nil
					})
				}
			}
			return print(cmd, items, func(out io.Writer) error {
				rows := [][]string{{"ZONE", "NOW g/kWh", "GRADE", "YEARLY MEAN", "NAME", "PROVIDER", ""}}
				for _, z := range items {
					annual := "unknown"
					if z.Annual != nil {
						annual = fmt.Sprintf("%.0f (%d)", *z.Annual, z.Year)
					}
					rows = append(rows, []string{z.Zone, orDash(z.Now, "%.0f"), z.Grade, annual, z.Name, z.Provider, z.Problem})
				}
				if len(items) == 0 {
					near := []clusy.Zone(nil)
					if len(args) == 1 {
						near = nearZones(args[0], zones)
					}
					if len(near) > 0 {
						fmt.Fprintf(out, "No zone matches %q; did you mean %s?\n", args[0], zoneList(near))
						return nil
					}
					fmt.Fprintln(out, "No zone matches. clusy zones --all lists every zone.")
					return nil
				}
				return table(out, rows)
			})
		},
	}
	tablesFlag(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every zone that is known, also without a live signal")
	return cmd
}

// ask asks the server for its zones; without a token they are those of the book.
func (b *book) ask(cmd *cobra.Command) (zones []clusy.Zone, offline bool, err error) {
	c, err := connect(cmd)
	if errors.Is(err, errNoToken) {
		return b.zones, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	p, err := c.Zones(cmd.Context())
	return p.Items, false, err
}

func now(z clusy.Zone) float64 {
	switch {
	case z.Now != nil:
		return *z.Now
	case z.Annual != nil:
		return 1e6 + *z.Annual // those with a signal come first
	}
	return 1e9
}

func sitesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sites",
		Short: "List the sites that can run workloads",
		Long: `List the sites that can run workloads.

A site is a place with an engine, in one grid ZONE. CORES is what it offers and
RUNNING what runs there now; PUE is the energy of the whole facility for each
kWh of its machines. SEEN is when its agent last spoke, in UTC: a site that is
SILENT starts what it holds by itself, and takes no new work. ENCLAVE is the key
that intents are sealed to.`,
		Example: "clusy sites\nclusy sites --json | jq '.[].zone'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			p, err := c.Sites(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd, p.Items, func(out io.Writer) error {
				rows := [][]string{{"SITE", "ZONE", "ENGINE", "CORES", "GPUS", "RUNNING", "PUE", "SEEN", "ENCLAVE"}}
				for _, s := range p.Items {
					seen := local(s.Seen)
					if s.Silent {
						seen += " SILENT"
					}
					cores := "not limited"
					if s.CPUs != nil {
						cores = fmt.Sprintf("%g", *s.CPUs)
					}
					rows = append(rows, []string{s.ID, s.Zone, s.Engine, cores, cards(s.GPUs), fmt.Sprint(s.Running), fmt.Sprintf("%.2f", s.PUE), seen, s.Enclave.ID})
				}
				if len(p.Items) == 0 {
					fmt.Fprintln(out, "No sites. clusy serve --zone ZONE makes this machine one.")
					return nil
				}
				return table(out, rows)
			})
		},
	}
}
