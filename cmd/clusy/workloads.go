package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/intent"
)

func listCommand() *cobra.Command {
	var states []string
	var group string
	var limit int
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List workloads, newest first",
		Long: `List workloads, newest first.

RUNS says when it runs or ran, AT at which site. COMPLETE BY is followed by what
is to spare between the planned end, or the end, and then. SAVED is booked in
the ledger, or with ≈ what the plan expects. WHY says why it waits, or how it
ended: clusy explain ID says it in full.

Names are asked of your enclave and come back sealed to you: the server does
not know them. Where the enclave is away, the id stands alone. Times are UTC.`,
		Example: "clusy list\nclusy list --state running,held\nclusy list --group grp_0199b2c4-5a7e-7f31-9c0e-1f2a3b4c5d6e\nclusy list --all --json | jq 'map(.account.savedGrams // 0) | add'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkStates(states); err != nil {
				return err
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			var items []clusy.Workload
			cursor := ""
			if group != "" {
				if items, err = c.GroupWorkloads(cmd.Context(), group, states); err != nil {
					return err
				}
			}
			for group == "" {
				p, err := c.Workloads(cmd.Context(), states, cursor, min(limit-len(items), 500))
				if err != nil {
					return err
				}
				items = append(items, p.Items...)
				if cursor = p.Next; cursor == "" || !all && len(items) >= limit {
					break
				}
				if all {
					limit = len(items) + 500
				}
			}
			return print(cmd, items, func(out io.Writer) error {
				if len(items) == 0 {
					fmt.Fprintln(out, "No workloads. Try: clusy run --by +10h --for 2h --power 300W -- sh -c 'echo hi; sleep 20'")
					return nil
				}
				st, err := c.Status(cmd.Context())
				if err != nil {
					return err
				}
				names := namesOf(cmd.Context(), c, items)
				rows := [][]string{{"ID", "NAME", "STATE", "RUNS", "AT", "COMPLETE BY", "SAVED", "WHY"}}
				for _, w := range items {
					when, at := runsAt(w, st.Now)
					rows = append(rows, []string{w.ID, names[w.ID], w.State, when, at, dueAt(w), savedBy(w), whyOf(w)})
				}
				if err := table(out, rows); err != nil {
					return err
				}
				if cursor != "" {
					fmt.Fprintf(out, "There are more: --all, or --limit N.\n")
				}
				return nil
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only these states, with commas between: accepted, planned, offered, held, releasing, running, suspended, site_silent, succeeded, failed, cancelled, expired")
	cmd.Flags().StringVar(&group, "group", "", "only the members of this group: grp_…")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many of the newest")
	cmd.Flags().BoolVar(&all, "all", false, "all of them, however many")
	return cmd
}

// namesOf asks the enclave for the names of workloads. It is a courtesy: what
// cannot be had is left out.
func namesOf(ctx context.Context, c *clusy.Client, ws []clusy.Workload) map[string]string {
	names := map[string]string{}
	sites, err := c.Sites(ctx)
	if err != nil || len(sites.Items) == 0 || len(ws) == 0 {
		return names
	}
	q := clusy.Question{What: "names"}
	for _, w := range ws[:min(len(ws), 500)] {
		q.Workloads = append(q.Workloads, w.ID)
	}
	var out clusy.Names
	if err := ask(ctx, c, sites.Items[0].ID, q, clusy.SealNames, &out); err != nil {
		return names
	}
	return out.Names
}

// ask puts a question to a site's enclave with a key made for this one answer,
// and opens the answer.
func ask(ctx context.Context, c *clusy.Client, site string, q clusy.Question, purpose string, out any) error {
	key, err := intent.GenerateKey()
	if err != nil {
		return err
	}
	q.Viewer = intent.EncodePublic(key.Public())
	r, err := c.Ask(ctx, site, q)
	if err != nil {
		return err
	}
	if r.Error != "" {
		return fmt.Errorf("the enclave of site %s answers: %s", site, r.Error)
	}
	plain, err := intent.OpenFrom(key, purpose, nil, r.Sealed)
	if err != nil {
		return fmt.Errorf("open the enclave's answer: %w", err)
	}
	return json.Unmarshal(plain, out)
}

func getCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get ID",
		Short: "Show one workload",
		Long: `Show one workload: its state, what was declared, its plan, each attempt, and what
is booked of it.

The first letters of an ID will do, if they begin one of the 1,000 newest only.
Durations are in seconds, power in watts, times in UTC. clusy explain says why
it is planned so, clusy logs what it wrote.`,
		Example: "clusy get wl_0199b2c4\nclusy get wl_0199b2c4 --json | jq .state",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			id, err := fullID(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if isGroup(id) {
				g, err := c.Group(cmd.Context(), id)
				if err != nil {
					return err
				}
				return print(cmd, g, func(out io.Writer) error {
					fmt.Fprintf(out, "%s  %s, to be complete by %s\n", paint(out, bold, g.ID), statesOf(g), local(g.Due))
					return showGroup(out, g, namesOfGroup(cmd.Context(), c, g), len(g.Members))
				})
			}
			w, err := c.Workload(cmd.Context(), id)
			if err != nil {
				return err
			}
			return print(cmd, w, func(out io.Writer) error {
				rows := [][]string{{"id", w.ID}, {"name", namesOf(cmd.Context(), c, []clusy.Workload{w})[w.ID]}, {"state", describe(w)}}
				rows = append(rows,
					[]string{"duration", fmt.Sprintf("%.0f s expected, %.0f s p95, %.0f s at most", w.Shape.Duration.Expected, w.Shape.Duration.P95, w.Shape.Duration.Max)},
					[]string{"power", fmt.Sprintf("%.0f W (%s)", w.Shape.Watts, w.Shape.PowerSource)},
					[]string{"hardware", hardware(w)},
					[]string{"complete by", local(w.Shape.When.CompleteBy)},
					[]string{"created", local(w.Created)})
				if len(w.Shape.Elastic) > 0 {
					var says []string
					for _, l := range w.Shape.Elastic {
						says = append(says, fmt.Sprintf("%s at speed %g", times(l.Size), l.Speed))
					}
					rows = append(rows, []string{"sizes", strings.Join(says, ", ")})
				}
				if w.Shape.Group != "" {
					rows = append(rows, []string{"group", w.Shape.Group})
				}
				for i, id := range w.Shape.After {
					if i == 10 && len(w.Shape.After) > 12 {
						rows = append(rows, []string{"", fmt.Sprintf("and %d more", len(w.Shape.After)-i)})
						break
					}
					rows = append(rows, []string{[]string{"after", ""}[min(i, 1)], id})
				}
				if w.Plan != nil {
					var spans []string
					for _, s := range w.Plan.Spans {
						says := local(s.Start) + " – " + s.End.UTC().Format("15:04")
						if s.Size != 0 {
							says += " at " + times(s.Size)
						}
						spans = append(spans, says)
					}
					rows = append(rows, []string{"plan", w.Plan.Site + ": " + strings.Join(spans, ", ")})
				}
				for _, a := range w.Attempts {
					line := fmt.Sprintf("%s at %s", a.State, a.Site)
					if !a.Started.IsZero() {
						line += ", started " + local(a.Started)
					}
					if !a.Ended.IsZero() {
						line += ", ended " + local(a.Ended)
					}
					if a.ExitCode != nil {
						line += fmt.Sprintf(", exit code %d", *a.ExitCode)
					}
					rows = append(rows, []string{fmt.Sprintf("attempt %d", a.N), line})
				}
				if a := w.Account; a != nil {
					rows = append(rows, []string{"carbon", fmt.Sprintf("%s emitted, %s saved against %s, grade %s", grams(a.Emitted), grams(a.Saved), w.Baseline.Rule, a.Grade)})
				}
				return table(out, rows)
			})
		},
	}
}

func cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a workload",
		Long: `Cancel a workload.

What no site holds yet is cancelled at once. What a site holds or runs, only
that site can stop: it is asked to, and the state says how far that is. What has
ended cannot be cancelled (exit code 3). What waits for it ends with it. With the
ID of a group (grp_…), all of it that has not ended is cancelled.`,
		Example: "clusy cancel wl_0199b2c4\nclusy cancel wl_0199b2c4 && clusy wait wl_0199b2c4",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			id, err := fullID(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if isGroup(id) {
				g, err := c.CancelGroup(cmd.Context(), id)
				if err != nil {
					return err
				}
				return print(cmd, g, func(out io.Writer) error {
					_, err := fmt.Fprintln(out, "asked to cancel", g.ID+":", statesOf(g))
					return err
				})
			}
			w, err := c.Cancel(cmd.Context(), id)
			if err != nil {
				return err
			}
			return print(cmd, w, func(out io.Writer) error {
				if w.State == "cancelled" {
					_, err := fmt.Fprintln(out, "cancelled", w.ID)
					return err
				}
				_, err := fmt.Fprintf(out, "asked its site to stop %s; it is %s now (clusy wait %s)\n", w.ID, w.State, w.ID)
				return err
			})
		},
	}
}
