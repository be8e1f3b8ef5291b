package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

func logsCommand() *cobra.Command {
	var followLogs bool
	var attempt, tail int
	cmd := &cobra.Command{
		Use:   "logs ID",
		Short: "Show what a workload wrote",
		Long: `Show what a workload wrote to its standard output and error.

Output stays with the enclave that ran it. It is asked for each time, and comes
sealed to a key made for this one question: the server that carries it cannot
read it.

The end of long output is kept, 16 MiB of each attempt; what was dropped before
it is said on standard error.`,
		Example: "clusy logs wl_0199b2c4\nclusy logs -f wl_0199b2c4\nclusy logs --tail 4096 --attempt 1 wl_0199b2c4",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			id, err := fullID(ctx, c, args[0])
			if err != nil {
				return err
			}
			w, err := c.Workload(ctx, id)
			if err != nil {
				return err
			}
			n := attempt
			if n == 0 {
				n = len(w.Attempts)
			}
			if n < 1 || n > len(w.Attempts) {
				return fmt.Errorf("workload %s has %d attempts: nothing has run yet", w.ID, len(w.Attempts))
			}
			offset := int64(0)
			if tail > 0 {
				offset = -1
			}
			for {
				var chunk clusy.LogChunk
				q := clusy.Question{What: "logs", Workloads: []string{w.ID}, Attempt: n, Offset: offset, Limit: tail}
				if err := ask(ctx, c, w.Attempts[n-1].Site, q, clusy.SealLogs, &chunk); err != nil {
					return err
				}
				if chunk.Lost > 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "… %d bytes before this were dropped by rotation …\n", chunk.Lost)
				}
				if _, err := cmd.OutOrStdout().Write(chunk.Data); err != nil {
					return err
				}
				offset, tail = chunk.Next, 0
				if chunk.Ended || len(chunk.Data) == 0 && !followLogs {
					return nil
				}
				if len(chunk.Data) == 0 {
					select {
					case <-ctx.Done():
						return errors.Join(nil)
					case <-time.After(500 * time.Millisecond):
					}
				}
			}
		},
	}
	cmd.Flags().BoolVarP(&followLogs, "follow", "f", false, "go on as more is written, until it ends")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "which attempt, counted from 1 (default: the newest)")
	cmd.Flags().IntVar(&tail, "tail", 0, "only the last so many bytes (default: all that is kept)")
	return cmd
}
