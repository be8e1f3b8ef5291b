package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/wire"
)

func waitCommand() *cobra.Command {
	var window string
	var by string
	var zones []string
	cmd := &cobra.Command{
		Use:   "wait ID | wait --window 30m --complete-by +6h",
		Short: "Wait for a workload's end, or for a clean window",
		Long: `Wait for a workload's end, or for a clean window.

With an ID: returns when the workload has ended; exit code 0 if it succeeded,
6 if not. With the ID of a group (grp_…): when all of it has.

With --window: returns when the cleanest window of that length begins, and at
the latest in time for it to be over by --complete-by. For scripts and CI jobs
that run their own work:

  clusy wait --window 30m --complete-by +6h && make train

Ctrl-C stops the waiting, never the work.`,
		Example: "clusy wait wl_0199b2c4\nclusy wait --window 30m --complete-by +6h --in DE-LU && make train",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (window != "") {
				return usage("give an ID, or --window with --complete-by")
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			if window != "" {
				return waitForWindow(cmd, c, window, by, zones)
			}
			id, err := fullID(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if isGroup(id) {
				g, err := waitForGroup(cmd.Context(), c, id, nil)
				if err != nil {
					return err
				}
				err = print(cmd, g, func(out io.Writer) error {
					showGroupOutcome(out, g, namesOfGroup(cmd.Context(), c, g))
					return nil
				})
				return errors.Join(err, groupOutcome(g))
			}
			w, err := waitForEnd(cmd.Context(), c, id, nil)
			if err != nil {
				return err
			}
			err = print(cmd, w, func(out io.Writer) error { showOutcome(out, w); return nil })
			return errors.Join(err, outcome(w))
		},
	}
	cmd.Flags().StringVar(&window, "window", "", "length of the clean window to wait for: 30m, 2h")
	cmd.Flags().StringVar(&by, "complete-by", "", "the window is to be over by then: +6h, or 2026-12-01T07:00:00+01:00; needed with --window")
	cmd.Flags().StringSliceVar(&zones, "in", nil, "sites, zones or cloud regions to look at (default: any)")
	return cmd
}

// waitForWindow asks for a plan again and again, as forecasts change, until
// the plan says now.
func waitForWindow(cmd *cobra.Command, c *clusy.Client, window, by string, zones []string) error {
	ctx := cmd.Context()
	length, err := grid.ParseDuration(window)
	if err != nil {
		return usage("--window: %w", err)
	}
	if by == "" {
		return usage("--complete-by is missing: without it there is nothing to keep")
	}
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	f := intentFlags{by: by, takes: window, zones: zones, power: "100W"}
	in, err := intent.Parse(f.fromFlags([]string{"true"}), "the command line", st.Now)
	if err != nil {
		return err
	}
	if err := regionZones(cmd.ErrOrStderr(), in.Where.Allow); err != nil {
		return err
	}
	told := ""
	for {
		blind, err := intent.Blind(in, st.Now)
		if err != nil {
			return err
		}
		start, carbon, err := bestStart(ctx, c, wire.ShapeOut(blind))
		if clusy.StatusOf(err) != 0 || errors.Is(err, errNoTime) {
			// No room left for choice: the promise is to be on time.
			start, err = st.Now, nil
		}
		if err != nil {
			return err
		}
		// The plan may say now, and mean the now it was made at.
		if st, err = c.Status(ctx); err != nil {
			return err
		}
		left := start.Sub(st.Now)
		if left <= 0 {
			return print(cmd, map[string]any{"now": st.Now, "windowSeconds": length.Seconds()}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%s now%s\n", paint(out, green, "✓ clean window:"), carbon)
				return err
			})
		}
		if line := local(start); line != told {
			told = line
			fmt.Fprintf(os.Stderr, "waiting for %s (%s%s)%s\n", line, span(left), realTime(left, st.Rate), carbon)
		}
		// Look again at least every five minutes: forecasts change.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(10*time.Millisecond, time.Duration(float64(min(left, 5*time.Minute))/st.Rate))):
		}
		if st, err = c.Status(ctx); err != nil {
			return err
		}
	}
}

var errNoTime = errors.New("no plan is in time any more")

func bestStart(ctx context.Context, c *clusy.Client, s clusy.Shape) (time.Time, string, error) {
	d, err := c.Plan(ctx, s)
	if err != nil {
		return time.Time{}, "", err
	}
	if !d.Feasible {
		return time.Time{}, "", errNoTime
	}
	text := ""
	if r, p := d.Placement.Why.RunNow, d.Placement; r != nil && r.Carbon != nil && p.Carbon != nil && *r.Carbon > 0 {
		text = fmt.Sprintf(", %s against running at once", percent(*p.Carbon-*r.Carbon, *r.Carbon))
	}
	return d.Placement.Spans[0].Start, text, nil
}
