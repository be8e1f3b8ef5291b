package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/merkle"
	providers "clusy.io/clusy/internal/signal/provider"
	"clusy.io/clusy/internal/store"
)

func storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "store",
		Short:   "Move what is at rest",
		Long:    "Move what is at rest: from the file of one server to a database that several share.",
		Example: "clusy store migrate --to env:CLUSY_DATABASE",
	}
	cmd.AddCommand(storeMigrateCommand())
	return cmd
}

// migrated is what was moved.
type migrated struct {
	Tables map[string]int64 `json:"tables"` // rows, counted in both
	Size   int64            `json:"size"`   // of the log
	Root   string           `json:"root"`   // of its tree, the same in both
}

func storeMigrateCommand() *cobra.Command {
	var dir, keys, to string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Copy the store of one server into an empty PostgreSQL database",
		Long: `Copy the store of one server into an empty PostgreSQL database.

The server must be stopped: its store is locked meanwhile, and left as it was.
All tables are copied in one transaction. Then their rows are counted in both,
every leaf of the log is hashed again in both, every ledger entry recomputed,
and the signed heads are compared: a copy that differs is refused.

Afterwards start the server with --database and the same --keys.`,
		Example: "clusy store migrate --to env:CLUSY_DATABASE\nclusy store migrate --data /srv/clusy --to file:/etc/clusy/database --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return usage("give --to env:NAME or file:PATH: where the address of the PostgreSQL database is kept")
			}
			address, err := providers.ReadSecret(to)
			if err != nil {
				return usage("--to: %w", err)
			}
			public, err := os.ReadFile(filepath.Join(cmp.Or(keys, filepath.Join(dir, "keys")), "log.pub"))
			if err != nil {
				return usage("there is no store in %s: give its server's --data directory", dir)
			}
			key := strings.TrimSpace(string(public))
			trusted, err := merkle.NewVerifiers(key)
			if err != nil {
				return fmt.Errorf("read the log's public key: %w", err)
			}
			origin, _, _ := strings.Cut(key, "+")
			m, err := moveStore(cmd, filepath.Join(dir, "store"), func(ctx context.Context, from string, done func(store.MovedTable)) (store.Moved, error) {
				return store.MoveToPostgres(ctx, from, address, trusted, origin, done)
			})
			if err != nil {
				return err
			}
			return print(cmd, m, m.show)
		},
	}
	cmd.Flags().StringVar(&dir, "data", defaultData(), "data directory of the server")
	cmd.Flags().StringVar(&keys, "keys", "", "directory of the keys, where it is not keys below --data")
	cmd.Flags().StringVar(&to, "to", "", "env:NAME or file:PATH with the address of the database")
	return cmd
}

// moveStore moves a store and says on standard error how far it is.
func moveStore(cmd *cobra.Command, from string, move func(context.Context, string, func(store.MovedTable)) (store.Moved, error)) (migrated, error) {
	m := migrated{Tables: map[string]int64{}}
	moved, err := move(cmd.Context(), from, func(t store.MovedTable) {
		m.Tables[t.Name] = t.Rows
		if t.Rows > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d rows\n", t.Name, t.Rows)
		}
	})
	if err != nil {
		return m, err
	}
	m.Size, m.Root = moved.Head.Size, moved.Head.Root.String()
	return m, nil
}

func (m migrated) show(w io.Writer) error {
	rows := int64(0)
	for _, n := range m.Tables {
		rows += n
	}
	_, err := fmt.Fprintf(w, "%s %d rows of %d tables; both logs have %d leaves and the root %s\n", paint(w, green, "✓ moved:"), rows, len(m.Tables), m.Size, m.Root)
	return err
}
