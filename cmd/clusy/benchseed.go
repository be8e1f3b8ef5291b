package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/house"
)

// benchSeedCommand fills a data directory for measurements of what shows and
// lists many workloads.
func benchSeedCommand() *cobra.Command {
	var n int
	cmd := &cobra.Command{
		Use:    "seed DIR",
		Short:  "Fill a data directory with workloads that never were",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 {
				return usage("--workloads must be more than 0")
			}
			begin := time.Now()
			if err := house.Seed(cmd.Context(), args[0], benchSites, n, begin); err != nil {
				return err
			}
			v, err := verify(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !v.OK {
				return fmt.Errorf("the seeded log does not hold: %s", v.Problem)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%d workloads, %d ledger entries, %d leaves in %.1f s. To serve them:\n  clusy serve --data %s --new-admin-token", n, v.Entries, v.Size, time.Since(begin).Seconds(), args[0])
			for _, s := range benchSites {
				fmt.Fprintf(out, " --site %s=%s", s.ID, s.Zone)
			}
			fmt.Fprintln(out)
			return nil
		},
	}
	cmd.Flags().IntVar(&n, "workloads", 10_000, "how many")
	return cmd
}
