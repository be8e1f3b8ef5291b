package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/merkle"
	providers "clusy.io/clusy/internal/signal/provider"
	"clusy.io/clusy/internal/store"
)

func ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Show and verify the carbon ledger",
		Long: `Show and verify the carbon ledger.

Each attempt has an entry for each hour in which it ran: energy, the intensity
that was measured, the grams, and what the baseline run would have emitted.
Entries and events stand in one Merkle tree whose head is signed.`,
		Example: "clusy ledger show\nclusy ledger verify",
	}
	cmd.AddCommand(ledgerShowCommand(), ledgerVerifyCommand(), ledgerRestateCommand())
	return cmd
}

func ledgerShowCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "List ledger entries, oldest first",
		Long: `List ledger entries, oldest first: an attempt in an hour each.

kWh is what was drawn, with the site's PUE, and SOURCE whether that was measured
or declared. g/kWh is the intensity that was measured for that hour. SAVED is
BASELINE less EMITTED: it may be negative, and is claimed only where the GRADE
allows it (docs/explanation/ledger.md). An hour is booked when it is over and
its intensity is in. Times are UTC.`,
		Example: "clusy ledger show\nclusy ledger show --workload wl_0199b2c4\nclusy ledger show --json | jq 'map(select(.claimed).savedGrams) | add'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			if id != "" {
				if id, err = fullID(cmd.Context(), c, id); err != nil {
					return err
				}
			}
			var items []clusy.LedgerEntry
			for cursor := ""; ; {
				p, err := c.Entries(cmd.Context(), id, cursor, 500)
				if err != nil {
					return err
				}
				items = append(items, p.Items...)
				if cursor = p.Next; cursor == "" {
					break
				}
			}
			cp, err := c.Checkpoint(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd, items, func(out io.Writer) error {
				if cp.Demo {
					fmt.Fprintln(out, paint(out, yellow, "DEMO")+" ledger "+cp.Origin)
				}
				rows := [][]string{{"#", "HOUR", "WORKLOAD", "SITE", "ZONE", "kWh", "SOURCE", "g/kWh", "EMITTED", "BASELINE", "SAVED", "GRADE"}}
				for _, e := range items {
					saved := grams(e.Saved)
					if !e.Claimed {
						saved += " not claimed"
					}
					rows = append(rows, []string{
						fmt.Sprint(e.Index), local(e.Hour), fmt.Sprintf("%s/%d", e.Workload, e.Attempt), e.Site, e.Zone, fmt.Sprintf("%.3f", e.EnergyKWh),
						e.Source, fmt.Sprintf("%.0f", e.Intensity), grams(e.Emitted), grams(e.Avoided), saved, e.Grade,
					})
				}
				if len(items) == 0 {
					fmt.Fprintln(out, "No entries yet: an hour is booked when it is over and its intensity was measured.")
					return nil
				}
				return table(out, rows)
			})
		},
	}
	cmd.Flags().StringVar(&id, "workload", "", "only entries of this workload, by its ID or the first letters of it")
	return cmd
}

// verified is what a verification found.
type verified struct {
	OK      bool   `json:"ok"`
	Origin  string `json:"origin"`
	Demo    bool   `json:"demo"`
	Size    int64  `json:"size"`
	Entries int64  `json:"entries"`
	Problem string `json:"problem,omitempty"`
}

func ledgerVerifyCommand() *cobra.Command {
	var dir, key, database, keys string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute every entry from its stored inputs, and check the tree",
		Long: `Recompute every entry from its stored inputs, and check the tree.

It needs no server, only the files below --data, or with --database the database:
every leaf is hashed again and compared with the signed head, every ledger entry
is recomputed from the series that it names, and replaying the recorded moves must
give the states in the tables. The first thing that is not so is named.

The exit code is 0 if everything holds, and 1 if not. With --key, the head must
be signed by that key: the one in the data directory could have been changed
together with the data.`,
		Example: "clusy ledger verify\nclusy ledger verify --data /srv/clusy --key \"$(cat kept.pub)\"",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			open := func(ctx context.Context) (store.DB, error) {
				return store.OpenReadOnly(ctx, filepath.Join(dir, "store"))
			}
			if database != "" {
				address, err := providers.ReadSecret(database)
				if err != nil {
					return usage("--database: %w", err)
				}
				open = func(ctx context.Context) (store.DB, error) { return store.OpenPostgresReadOnly(ctx, address) }
			}
			v, err := verifyWith(cmd.Context(), cmp.Or(keys, filepath.Join(dir, "keys")), key, open)
			if err != nil {
				return err
			}
			if err := print(cmd, v, func(out io.Writer) error { showVerified(out, v); return nil }); err != nil {
				return err
			}
			if !v.OK {
				return exitStatus(exitError)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "data", defaultData(), "data directory of the server")
	cmd.Flags().StringVar(&database, "database", "", "env:NAME or file:PATH with the address of the PostgreSQL database that the store is in")
	cmd.Flags().StringVar(&keys, "keys", "", "directory of the keys, where it is not keys below --data")
	cmd.Flags().StringVar(&key, "key", "", "verifier key that the head must be signed by (default: keys/log.pub in the data directory)")
	return cmd
}

func verify(ctx context.Context, dir string) (verified, error) {
	return verifyWith(ctx, filepath.Join(dir, "keys"), "", func(ctx context.Context) (store.DB, error) {
		return store.OpenReadOnly(ctx, filepath.Join(dir, "store"))
	})
}

// verifyWith verifies what open opens, by a key or by the public one in keys.
func verifyWith(ctx context.Context, keys, key string, open func(context.Context) (store.DB, error)) (verified, error) {
	if key == "" {
		b, err := os.ReadFile(filepath.Join(keys, "log.pub"))
		if errors.Is(err, os.ErrNotExist) {
			return verified{}, usage("there is no ledger in %s: give its server's --data directory", filepath.Dir(keys))
		}
		if err != nil {
			return verified{}, fmt.Errorf("read the log's public key: %w", err)
		}
		key = strings.TrimSpace(string(b))
	}
	trusted, err := merkle.NewVerifiers(key)
	if err != nil {
		return verified{}, usage("the verifier key cannot be read: %w", err)
	}
	origin, _, _ := strings.Cut(key, "+")
	db, err := open(ctx)
	if err != nil {
		return verified{}, err
	}
	defer db.Close()
	v := verified{Origin: origin, Demo: merkle.IsDemo(origin)}
	report, err := store.VerifyLog(ctx, db, trusted, origin)
	v.Size, v.Entries, v.OK = report.Head.Size, report.Entries, err == nil
	if err != nil {
		v.Problem = err.Error()
	}
	return v, ctx.Err()
}

func showVerified(out io.Writer, v verified) {
	stamp := ""
	if v.Demo {
		stamp = paint(out, yellow, "DEMO ")
	}
	if v.OK {
		fmt.Fprintf(out, "%s%s %d leaves, %d ledger entries recomputed, head signed by %s\n", stamp, paint(out, green, "✓ ledger verified:"), v.Size, v.Entries, v.Origin)
		return
	}
	fmt.Fprintf(out, "%s%s %s\n", stamp, paint(out, red, "✗ ledger does not hold:"), v.Problem)
}
