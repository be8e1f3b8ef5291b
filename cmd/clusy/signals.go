package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

func signalsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "signals",
		Short: "Show how the sources of carbon intensity and price are doing",
		Long: `Show how the sources of carbon intensity and price are doing.

First the sources, the most trusted first: what each offers, when it last
answered, how much of its request budget is used up and when that would be
exhausted at this pace. Then the zones that the server's sites draw from: until
when they are measured, and the grade of the forecast in use:

  A  a live provider's forecast          D  the usual day and season
  B  a second provider's, or estimated   E  a yearly mean, by which nothing waits
  C  ours, anchored on measured values

A source that says something else than another, and than was expected, is in
QUARANTINE for the zone: it is not believed until the two agree again. No source
is needed: without any, planning goes on at a worse grade.`,
		Example: "clusy signals\nclusy signals --json | jq '.zones[] | select(.grade > \"B\") | .zone'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			s, err := c.Signals(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd, s, func(out io.Writer) error { return signalsTable(out, s) })
		},
	}
	return cmd
}

func signalsTable(out io.Writer, s clusy.Signals) error {
	if len(s.Sources) == 0 {
		fmt.Fprintln(out, "No sources: planning goes by the usual day and season (grade D) or a yearly mean (E).")
		fmt.Fprintln(out, "clusy serve --signals FILE names some; docs/how-to/real-data.md shows how.")
	} else {
		rows := [][]string{{"SOURCE", "OFFERS", "BASIS", "ZONES", "LAST ANSWER", "BUDGET", ""}}
		for _, x := range s.Sources {
			rows = append(rows, []string{x.Name, strings.Join(x.Offers, ", "), x.Basis, fmt.Sprint(x.Zones), ago(x.LastSuccess, s.AsOf), budget(x.Budget, s.AsOf), sourceTrouble(x)})
		}
		if err := table(out, rows); err != nil {
			return err
		}
	}
	if len(s.Zones) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	rows := [][]string{{"ZONE", "GRADE", "MEASURED UNTIL", "BY", "FORECAST OF", "BASIS", ""}}
	for _, z := range s.Zones {
		grade := z.Grade
		if grade == "" {
			grade = "unknown"
		}
		rows = append(rows, []string{z.Zone, grade, orUnknown(z.MeasuredUntil), z.Provider, orUnknown(z.Forecast), z.Basis, zoneTrouble(z)})
	}
	return table(out, rows)
}

func orUnknown(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return local(t)
}

// ago says how long before now something was.
func ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return "just now"
	default:
		return span(d) + " ago"
	}
}

// budget says how far the requests are used up, and when they will be.
func budget(b *clusy.SignalBudget, now time.Time) string {
	if b == nil {
		return "–"
	}
	text := fmt.Sprintf("%d used", b.Used)
	if b.Limit > 0 {
		text = fmt.Sprintf("%d of %d in %s", b.Used, b.Limit, span(time.Duration(b.Seconds)*time.Second))
	}
	if !b.Exhausts.IsZero() {
		text += ", exhausted " + local(b.Exhausts)
	}
	if b.NotUntil.After(now) {
		text += ", not asked before " + local(b.NotUntil)
	}
	return text
}

func sourceTrouble(x clusy.SignalSource) string {
	var parts []string
	if x.Quarantined > 0 {
		parts = append(parts, fmt.Sprintf("QUARANTINE for %d zones", x.Quarantined))
	}
	if x.LastErrorAt.After(x.LastSuccess) {
		parts = append(parts, x.LastError)
	}
	return strings.Join(parts, "; ")
}

func zoneTrouble(z clusy.ZoneSignal) string {
	var parts []string
	for _, q := range z.Quarantined {
		parts = append(parts, "QUARANTINE: "+q.Provider+" "+q.Reason)
	}
	if z.LastErrorAt.After(z.LastSuccess) {
		parts = append(parts, z.LastError)
	}
	return strings.Join(parts, "; ")
}
