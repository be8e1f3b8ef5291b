package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

// dryRun is a dry run, and where it was drawn.
type dryRun struct {
	clusy.DryRun
	Picture string `json:"picture,omitempty"`
}

func planCommand() *cobra.Command {
	var f intentFlags
	var picture pictureFlag
	cmd := &cobra.Command{
		Use:   "plan FILE | plan -- COMMAND [ARG ...]",
		Short: "Show what would become of an intent, and change nothing",
		Long: `Show what would become of an intent, and change nothing.

If it cannot be done, every constraint that fails is listed with the amount by
which it fails and the nearest value that would do. The exit code is then 4.`,
		Example: "clusy plan night.yaml\nclusy plan night.yaml -o plan.svg\nclusy plan --by +10h --for 2h --power 300W -- true",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := picture.check(cmd); err != nil {
				return err
			}
			src, name, err := f.source(cmd, args)
			if err != nil {
				return err
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			g, st, err := read(ctx, c, src, name, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if !g.Single() {
				if picture.wanted() {
					return usage("-o draws one workload, and %s holds %d; leave it out", name, len(g.Members))
				}
				return planGroup(cmd, c, g, src, name, st)
			}
			_, shape, err := prepare(g.Members[0].Intent, st, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			d, err := c.Plan(ctx, shape)
			if err != nil {
				return onOwnLines(cmd.ErrOrStderr(), src, name, err)
			}
			result := dryRun{DryRun: d}
			if picture.wanted() {
				v, err := look(ctx, c, viewOfDryRun(d, shape, st))
				if err == nil {
					err = picture.write(cmd, v.svg())
				}
				if err != nil {
					return err
				}
				result.Picture = picture.path
			}
			if picture.path != "-" {
				err = print(cmd, result, func(out io.Writer) error {
					showDryRun(out, d, shape, st.Now)
					if result.Picture != "" {
						fmt.Fprintf(out, "  %-12s drawn in %s\n", "picture", result.Picture)
					}
					return nil
				})
			}
			if err == nil && !d.Feasible {
				return exitStatus(exitInfeasible)
			}
			return err
		},
	}
	f.add(cmd)
	picture.add(cmd)
	cmd.AddCommand(planVerifyCommand())
	return cmd
}

func showDryRun(out io.Writer, d clusy.DryRun, shape clusy.Shape, now time.Time) {
	if !d.Feasible {
		fmt.Fprintln(out, paint(out, red, "✗ cannot be done"))
		for _, f := range d.Failed {
			fmt.Fprintf(out, "  %-22s %s", f.Field, f.Message)
			if f.Missing != "" {
				fmt.Fprintf(out, " (missing: %s)", f.Missing)
			}
			fmt.Fprintln(out)
			if f.Nearest != "" {
				fmt.Fprintf(out, "  %-22s would do: %s\n", "", f.Nearest)
			}
		}
		if !d.Nearest.IsZero() {
			fmt.Fprintf(out, "  with completeBy %s (in %s) it can be done\n", d.Nearest.UTC().Format(time.RFC3339), span(d.Nearest.Sub(now)))
		}
		return
	}
	p := *d.Placement
	fmt.Fprintf(out, "%s at %s, %s to %s%s\n", paint(out, green, "✓ would run"), paint(out, bold, p.Site),
		local(p.Spans[0].Start), local(p.Spans[len(p.Spans)-1].End), inPieces(p.Spans))
	from, to := now.Truncate(time.Hour), shape.When.CompleteBy
	to = to.Add(to.Sub(from) / 20)
	for _, o := range d.Outlook {
		var runs []clusy.Span
		if len(d.Outlook) == 1 || len(p.Why.Signals) > 0 && p.Why.Signals[0].Zone == o.Zone {
			runs = p.Spans
		}
		strip(out, o, from, to, now, shape.When.CompleteBy, runs, 60)
	}
	showWhy(out, p)
	showRejected(out, p)
	showQuotes(out, d.Quotes)
}

// showQuotes says what a later completeBy would save, as far as it would.
func showQuotes(out io.Writer, quotes []clusy.Quote) {
	var says []string
	saves := 0.0
	for _, q := range quotes {
		// One that saves no more than the one before says nothing new.
		if q.Saves > saves {
			saves = q.Saves
			says = append(says, fmt.Sprintf("+%s saves %s", span(time.Duration(q.More)*time.Second), grams(q.Saves)))
		}
	}
	switch {
	case len(says) > 0:
		fmt.Fprintf(out, "  %-12s %s\n", "more time", strings.Join(says, ", "))
	case len(quotes) > 0:
		fmt.Fprintf(out, "  %-12s saves nothing\n", "more time")
	}
}

func inPieces(spans []clusy.Span) string {
	n := stints(spans)
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", in %d pieces", n)
}

func showRejected(out io.Writer, p clusy.Placement) {
	if len(p.Why.Rejected) == 0 {
		return
	}
	rows := [][]string{{"  rejected", "site", "start", "finish", "carbon", "because"}}
	for _, a := range p.Why.Rejected {
		carbon := "unknown"
		if a.Carbon != nil {
			carbon = grams(*a.Carbon)
			if a.CarbonDelta != nil {
				carbon += fmt.Sprintf(" (%+.0f g)", *a.CarbonDelta)
			}
		}
		rows = append(rows, []string{"", a.Site, local(a.Start), local(a.Finish), carbon, a.Cause})
	}
	_ = table(out, rows)
	fmt.Fprintf(out, "  %-12s %d candidates looked at\n", "", p.Why.Considered)
}
