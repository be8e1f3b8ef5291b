package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/tables"
)

// deviceView is a piece of hardware as --json has it. What is not known is not
// there.
type deviceView struct {
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Provider string   `json:"provider,omitempty"`
	Idle     *float64 `json:"idleWatts,omitempty"`
	Full     *float64 `json:"fullWatts,omitempty"`
	Verified string   `json:"verified"`
	Note     string   `json:"note,omitempty"`
	Source   string   `json:"source"`
}

func hardwareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hardware [TEXT]",
		Short: "List what processors, threads and cards draw in watts",
		Long: `List what processors, threads and cards draw in watts, for shape.power of an intent.

A vcpu is one thread of a server of that make, idle and at full load, at the
wall and with its first memory; a vcpu-fleet is the mean of a provider's. A gpu
is one card. An accelerator and a socket have their rated power alone, which is
a limit and no mean. VERIFIED says whether the number was checked against a
second copy: yes, partial, no (recalled or unofficial), or suspect: not used.

What is measured is better than all of these. It asks no server.`,
		Example: "clusy hardware h100\nclusy hardware vcpu-fleet\nclusy hardware --json | jq '.[] | select(.kind == \"gpu\")'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, err := openBook(cmd)
			if err != nil {
				return err
			}
			views := []deviceView{}
			for _, p := range known.tables.Hardware() {
				if len(args) == 0 || strings.Contains(strings.ToLower(p.Kind+" "+p.Name+" "+p.Provider), strings.ToLower(args[0])) {
					views = append(views, deviceOf(p))
				}
			}
			return print(cmd, views, func(out io.Writer) error {
				if len(views) == 0 {
					fmt.Fprintln(out, "No hardware matches. clusy hardware lists all; --tables adds your own.")
					return nil
				}
				rows := [][]string{{"KIND", "NAME", "IDLE W", "FULL W", "VERIFIED", "NOTE"}}
				for _, v := range views {
					rows = append(rows, []string{v.Kind, v.Name, orDash(v.Idle, "%.4g"), orDash(v.Full, "%.4g"), v.Verified, v.Note})
				}
				return table(out, rows)
			})
		},
	}
	tablesFlag(cmd)
	return cmd
}

func deviceOf(p tables.Power) deviceView {
	watts := func(w grid.Power) *float64 {
		if w < 0 {
			return nil
		}
		f := float64(w) / float64(grid.Watt)
		return &f
	}
	return deviceView{p.Kind, p.Name, p.Provider, watts(p.Idle), watts(p.Max), string(p.Verified), p.Note, p.Source}
}
