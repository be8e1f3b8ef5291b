package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

func eventsCommand() *cobra.Command {
	var follow bool
	var after int64
	var limit int
	cmd := &cobra.Command{
		Use:   "events [ID]",
		Short: "Show what is on record of workloads, and follow it",
		Long: `Show what is on record of workloads, and follow it.

Each line begins with its index in the log. With --follow the command stays and
shows each event and each line of the ledger as it comes; where the connection
breaks it goes on behind the last one, so that none is missed and none comes
twice. Begin with --after INDEX where you left off. With --follow --json each
line is one JSON document.`,
		Example: "clusy events --limit 20\nclusy events wl_0199b2c4 --follow\nclusy events --follow --after 1200 --json | jq .kind",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			id := ""
			if len(args) == 1 {
				if id, err = fullID(cmd.Context(), c, args[0]); err != nil {
					return err
				}
			}
			if follow {
				return followEvents(cmd, c, id, after)
			}
			p, err := c.AllEvents(cmd.Context(), id, after, limit)
			if err != nil {
				return err
			}
			return print(cmd, p.Items, func(out io.Writer) error {
				for _, e := range p.Items {
					showEvent(out, e)
				}
				if p.Next != "" {
					fmt.Fprintf(out, "There are more: --after %s, or --follow.\n", p.Next)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "stay, and show what comes")
	cmd.Flags().Int64Var(&after, "after", -1, "only what is on record after this index")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many, 1 to 500 (not with --follow)")
	return cmd
}

func followEvents(cmd *cobra.Command, c *clusy.Client, id string, after int64) error {
	out := cmd.OutOrStdout()
	asJSON, _ := cmd.Flags().GetBool("json")
	err := c.Watch(cmd.Context(), id, after, func(ch clusy.Change) error {
		switch {
		case asJSON && ch.Event != nil:
			return json.NewEncoder(out).Encode(ch.Event)
		case asJSON:
			return json.NewEncoder(out).Encode(ch.Entry)
		case ch.Event != nil:
			showEvent(out, *ch.Event)
		default:
			e := ch.Entry
			fmt.Fprintf(out, "%6d  %s  %-24s workload:%s  %s emitted, %s saved (grade %s)\n",
				e.Index, local(e.Hour), "ledger.entry", e.Workload, grams(e.Emitted), grams(e.Saved), e.Grade)
		}
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how one leaves
	}
	return err
}

func showEvent(out io.Writer, e clusy.Event) {
	what := ""
	if e.To != "" {
		what = "  " + e.From + " → " + e.To
		if e.From == "" {
			what = "  " + e.To
		}
	}
	fmt.Fprintf(out, "%6d  %s  %-24s %s%s  by %s\n", e.Index, local(e.At), e.Kind, e.Object, what, e.Actor)
}
