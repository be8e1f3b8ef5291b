package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
)

func queueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Set up queues: who gets which share of the sites",
		Long: `Set up queues: who gets which share of the sites.

An intent names its queue: queue: nightly. A queue may be guaranteed a share of all
sites, and may be kept from taking more than one. Among new work the one with the
higher priority is placed first; then that of the queue which has the least of its
share, by weight.`,
		Example: "clusy queue list\nclusy queue set nightly --weight 2 --most 50%",
	}
	cmd.AddCommand(queueSetCommand(), queueListCommand(), queueShowCommand(), queueRemoveCommand())
	return cmd
}

func queueSetCommand() *cobra.Command {
	var guaranteed, most, ahead string
	var weight, priority int
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Set up a queue, or change it",
		Long: `Set up a queue, or change it to exactly what is given.

--guaranteed is the share of all sites that your other queues must leave free for
it, as far ahead as --reserve-ahead says; further ahead it may be lent to them, as
a promise is never taken back. --most is the share beyond which nothing new of the
queue is admitted. Both count among your own queues alone. --weight says how room
is shared where several queues want it. It needs an admin's token.`,
		Example: "clusy queue set nightly --weight 2 --most 50%\nclusy queue set urgent --guaranteed 20% --reserve-ahead 48h --priority 80",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := clusy.QueueSettings{Weight: &weight, Priority: &priority}
			g, err := grid.ParsePermille(guaranteed)
			if err != nil {
				return usage("--guaranteed: %w", err)
			}
			m, err := grid.ParsePermille(most)
			if err != nil {
				return usage("--most: %w", err)
			}
			d, err := grid.ParseDuration(ahead)
			if err != nil {
				return usage("--reserve-ahead: %w", err)
			}
			share, seconds := float64(m)/1000, d.Seconds()
			s.Guaranteed, s.Most, s.ReserveAhead = float64(g)/1000, &share, &seconds
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			q, err := c.SetQueue(cmd.Context(), args[0], s)
			if err != nil {
				return err
			}
			return print(cmd, q, func(out io.Writer) error { return queueText(out, q) })
		},
	}
	cmd.Flags().StringVar(&guaranteed, "guaranteed", "0%", "share of all sites that is kept free for it")
	cmd.Flags().StringVar(&most, "most", "100%", "share of all sites that it may take at most")
	cmd.Flags().StringVar(&ahead, "reserve-ahead", "24h", "how far ahead the guaranteed share is kept free")
	cmd.Flags().IntVar(&weight, "weight", 1, "its part where several queues want the same room, 1 to 1000")
	cmd.Flags().IntVar(&priority, "priority", 50, "priority of work that says none, 0 to 100")
	return cmd
}

func queueListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List queues with what they take",
		Long: `List queues with what they take.

BOOKED is the share of what all sites have over the horizon of the plan that is
booked for the queue, of the thing that it takes most of. WAITING has a place and
does not run yet. Work that names no queue is in the one called default.`,
		Example: "clusy queue list\nclusy queue list --json | jq '.[].booked'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			p, err := c.Queues(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd, p.Items, func(out io.Writer) error {
				rows := [][]string{{"NAME", "PRIORITY", "WEIGHT", "GUARANTEED", "MOST", "", "BOOKED", "WAITING", "RUNNING"}}
				for _, q := range p.Items {
					rows = append(rows, []string{q.Name, fmt.Sprint(q.Priority), fmt.Sprint(q.Weight), share100(q.Guaranteed), share100(q.Most), queueBar(q, 12),
						share100(q.Booked), fmt.Sprint(q.Waiting), fmt.Sprint(q.Running)})
				}
				return table(out, rows)
			})
		},
	}
}

func queueShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a queue and what it takes",
		Long:    "Show a queue: what it is guaranteed, what it may take at most, what is booked\nfor it, and how much of its work waits and runs.",
		Example: "clusy queue show nightly\nclusy queue show nightly --json | jq .waiting",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			q, err := c.Queue(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return print(cmd, q, func(out io.Writer) error { return queueText(out, q) })
		},
	}
}

func queueRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a queue; its work stays",
		Long:    "Remove a queue. Work that is in it keeps its place and has no share any more;\nintents that name it are refused. It needs an admin's token.",
		Example: "clusy queue remove nightly",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			if err := c.RemoveQueue(cmd.Context(), args[0]); err != nil {
				return err
			}
			return print(cmd, clusy.Removed{Name: args[0]}, func(out io.Writer) error {
				fmt.Fprintf(out, "Removed queue %s.\n", args[0])
				return nil
			})
		},
	}
}

func share100(x float64) string { return fmt.Sprintf("%.3g%%", x*100) }

// queueBar draws what is booked for a queue (▓) of what it may take (░).
func queueBar(q clusy.Queue, width int) string {
	of := func(x float64) int { return int(min(max(x, 0), 1)*float64(width) + 0.5) }
	booked := of(q.Booked)
	most := max(of(q.Most), booked)
	return strings.Repeat("▓", booked) + strings.Repeat("░", most-booked) + strings.Repeat("·", width-most)
}

func queueText(out io.Writer, q clusy.Queue) error {
	fmt.Fprintf(out, "Queue %s: weight %d, priority %d\n", q.Name, q.Weight, q.Priority)
	fmt.Fprintf(out, "  %s  booked %s of what all sites have over the horizon\n", queueBar(q, 40), share100(q.Booked))
	fmt.Fprintf(out, "  guaranteed %s, kept free %s ahead; at most %s\n", share100(q.Guaranteed), span(seconds(q.ReserveAhead)), share100(q.Most))
	fmt.Fprintf(out, "  %d waiting, %d running\n", q.Waiting, q.Running)
	return nil
}
