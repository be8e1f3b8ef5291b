package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/wire"
)

type explanation struct {
	Workload  clusy.Workload   `json:"workload"`
	Decisions []clusy.Decision `json:"decisions"`
	Events    []clusy.Event    `json:"events"`
	Quotes    []clusy.Quote    `json:"quotes,omitempty"`
	Class     *clusy.Class     `json:"class,omitempty"`
	Picture   string           `json:"picture,omitempty"`
	// Before is what it waits for, Behind what waits for it in its group.
	Before []clusy.GroupMember `json:"before,omitempty"`
	Behind []clusy.GroupMember `json:"behind,omitempty"`
}

func explainCommand() *cobra.Command {
	var picture pictureFlag
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Say why a workload runs where and when it does",
		Long: `Say why a workload runs where and when it does.

Every decision is kept with its reasons: the constraint that binds, the best
alternatives that were rejected and by how much they were worse, and the
signal that it rests on; and what more time would save it, while all others
stay where they are.

With -o it is drawn as well: the zone's carbon intensity, measured and
expected, with the run-now baseline, the plan and what ran beneath it, and the
rejected alternatives by number. The file needs nothing but itself.`,
		Example: "clusy explain wl_0199b2c4\nclusy explain wl_0199b2c4 -o plan.svg\nclusy explain wl_0199b2c4 --json | jq .decisions[0].placement.why",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := picture.check(cmd); err != nil {
				return err
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			id, err := fullID(ctx, c, args[0])
			if err != nil {
				return err
			}
			var x explanation
			if x.Workload, err = c.Workload(ctx, id); err != nil {
				return err
			}
			ds, err := c.Decisions(ctx, id)
			if err != nil {
				return err
			}
			es, err := c.Events(ctx, id, "", 500)
			if err != nil {
				return err
			}
			x.Decisions, x.Events = ds.Items, es.Items
			if x.Quotes, err = c.Quotes(ctx, id); err != nil {
				return err
			}
			if x.Class, err = classOf(ctx, c, x.Workload); err != nil {
				return err
			}
			st, err := c.Status(ctx)
			if err != nil {
				return err
			}
			if x.Before, x.Behind, err = lineOf(ctx, c, x.Workload); err != nil {
				return err
			}
			if picture.wanted() {
				v, err := look(ctx, c, viewOfWorkload(x, st))
				if err != nil {
					return err
				}
				if err := picture.write(cmd, v.svg()); err != nil || picture.path == "-" {
					return err
				}
				x.Picture = picture.path
			}
			return print(cmd, x, func(out io.Writer) error {
				w := x.Workload
				fmt.Fprintf(out, "%s  %s\n", paint(out, bold, w.ID), describe(w))
				if err := showPlan(ctx, c, out, w, st.Now); err != nil {
					return err
				}
				if w.Plan != nil {
					fmt.Fprintf(out, "  %-12s %s\n", "binding", bindingMeans[w.Plan.Why.Binding])
					showRejected(out, *w.Plan)
				}
				showQuotes(out, x.Quotes)
				if x.Class != nil {
					if text := compared(*x.Class, wire.ShapeIn(w.Shape).Duration); text != "" {
						fmt.Fprintf(out, "  %-12s %s\n", "duration", text)
					}
				}
				if w.Shape.Queue != "" {
					fmt.Fprintf(out, "  %-12s %s\n", "queue", w.Shape.Queue)
				}
				showLine(out, x)
				fmt.Fprintf(out, "  %-12s %s at %s, fixed before the run\n", "baseline", w.Baseline.Rule, w.Baseline.Site)
				if len(x.Decisions) > 1 {
					fmt.Fprintf(out, "  %-12s %d decisions; before this one:\n", "history", len(x.Decisions))
					for _, d := range x.Decisions[1:min(len(x.Decisions), 6)] {
						fmt.Fprintf(out, "  %-12s %s: %s\n", "", local(d.At), d.Placement.Why.Text)
					}
				}
				fmt.Fprintln(out, "  events")
				for _, e := range x.Events {
					if e.To != "" {
						fmt.Fprintf(out, "  %-12s %s  %-10s → %-10s by %s\n", "", local(e.At), e.From, e.To, e.Actor)
					}
				}
				if x.Picture != "" {
					fmt.Fprintf(out, "  %-12s drawn in %s\n", "picture", x.Picture)
				}
				return nil
			})
		},
	}
	picture.add(cmd)
	return cmd
}

var bindingMeans = map[string]string{
	"none":        "nothing in the window is cleaner",
	"complete-by": "something cleaner would end too late",
	"capacity":    "something cleaner is taken by other work",
	"denied":      "something cleaner is in a time that when.windows.deny takes out, or in which no budget has room",
	"min-saving":  "waiting would save less than minSaving",
	"no-signal":   "no intensity is known: it runs by the policy onNoSignal",
	"started":     "it runs, and rigid work is not moved",
	"objective":   "carbon is not what it is to minimize",
	"expected":    "something cleaner is free, and left to work that is expected",
	"hysteresis":  "a move would gain too little to be worth it",
}
