package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
)

func ledgerRestateCommand() *cobra.Command {
	var since, reason string
	var apply bool
	cmd := &cobra.Command{
		Use:   "restate",
		Short: "Book hours again on what is known of their intensity now",
		Long: `Book hours again on what is known of their intensity now.

Providers correct themselves: an estimate gives way to a measurement, a year is
reckoned again. The ledger keeps what it was booked on. This makes the entries of
the last --since again, on the values that are stored now, and shows which would
come to something else; energy, PUE and baseline stay as they were. An hour whose
new values are of a worse grade, or are not kept any more, stands as it is.

Nothing is written without --apply. With it, a new entry is put on record beside
each old one, with the --reason: both stay in the log, and sums count the newer.
That needs an admin's token.`,
		Example: "clusy ledger restate --since 30d\nclusy ledger restate --since 30d --reason \"yearly re-estimate\" --apply",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			st, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			back, err := grid.ParseDuration(since)
			if err != nil {
				return usage("--since: %w", err)
			}
			if apply && reason == "" {
				return usage("--apply needs --reason \"...\": it stays on record with each entry")
			}
			q := clusy.RestateRequest{From: st.Now.Add(-back), To: st.Now.Add(time.Hour), Reason: reason, DryRun: !apply}
			if reason == "" {
				q.Reason = "a dry run"
			}
			all := clusy.Restated{DryRun: q.DryRun, Items: []clusy.RestatedHour{}}
			for {
				r, err := c.Restate(cmd.Context(), q)
				if err != nil {
					return err
				}
				// Each call looks at all the hours again: the last tells how many there are.
				all.Looked, all.Unknown, all.Items, all.More = r.Looked, r.Unknown, append(all.Items, r.Items...), r.More
				if !r.More || q.DryRun {
					break
				}
			}
			return print(cmd, all, func(out io.Writer) error { return restatedTable(out, all) })
		},
	}
	cmd.Flags().StringVar(&since, "since", "30d", "how far back: 36h, 30d, 12w")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stays on record with each entry")
	cmd.Flags().BoolVar(&apply, "apply", false, "put the new entries on record, instead of only showing them")
	return cmd
}

func restatedTable(out io.Writer, r clusy.Restated) error {
	if r.Unknown > 0 {
		fmt.Fprintf(out, "%d hours stand: the values that they would be booked on are not kept any more.\n", r.Unknown)
	}
	if len(r.Items) == 0 {
		fmt.Fprintf(out, "Nothing to restate: %d hours come to what they came to.\n", r.Looked)
		return nil
	}
	rows := [][]string{{"#", "HOUR", "WORKLOAD", "EMITTED", "NOW", "SAVED", "NOW", "GRADE", "NOW"}}
	var emitted, saved float64
	for _, x := range r.Items {
		b, a := x.Before, x.After
		rows = append(rows, []string{fmt.Sprint(b.Index), local(b.Hour), fmt.Sprintf("%s/%d", b.Workload, b.Attempt),
			grams(b.Emitted), grams(a.Emitted), grams(b.Saved), grams(a.Saved), b.Grade, a.Grade})
		emitted, saved = emitted+a.Emitted-b.Emitted, saved+a.Saved-b.Saved
	}
	if err := table(out, rows); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d of %d hours come to something else: emitted %s, saved %s.\n", len(r.Items), r.Looked, signed(emitted), signed(saved))
	switch {
	case r.DryRun && r.More:
		fmt.Fprintln(out, "There are more; these are the first. Nothing was written: --apply does all of them.")
	case r.DryRun:
		fmt.Fprintln(out, "Nothing was written: --apply does.")
	}
	return nil
}
