package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/pressly/goose/v3"

	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

//go:embed sql/migration
var migrations embed.FS

// schemaVersion is the newest migration: what this program reads and writes.
const schemaVersion = 8

// migrate brings the schema up to date. Forward only: there is no way down.
func migrate(ctx context.Context, pool *sql.DB) error {
	tables, err := fs.Sub(migrations, "sql/migration")
	if err != nil {
		return err
	}
	guards, err := ownWords(2, "0002_guards.sql")
	if err != nil {
		return err
	}
	moved, err := ownWords(4, "0004_series.sql")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, tables,
		goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(guards, moved))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return checkVersion(ctx, pool)
}

// ownWords returns a migration that is in SQLite's own words.
func ownWords(version int64, name string) (*goose.Migration, error) {
	statements, err := migrations.ReadFile("sql/migration/sqlite/" + name)
	if err != nil {
		return nil, err
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, string(statements))
		return err
	}}, nil), nil
}

// checkVersion refuses a schema that is not the one this program knows.
func checkVersion(ctx context.Context, pool *sql.DB) error {
	var v int64
	if err := pool.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&v); err != nil {
		return fmt.Errorf("read the version of the schema: %w", err)
	}
	if v != schemaVersion {
		return fmt.Errorf("the store has schema version %d, this program knows %d", v, schemaVersion)
	}
	return nil
}

// agreeOnMoves makes the table of legal moves equal to workload.Legal: the
// program and the database must doubt alike. Moves that are new to the store
// are added; a store that allows more than the program is refused.
func agreeOnMoves(ctx context.Context, q db.Querier) error {
	stored, err := q.Legal(ctx)
	if err != nil {
		return fmt.Errorf("read the table of legal moves: %w", err)
	}
	var want []db.Legal
	for _, m := range workload.Legal() {
		want = append(want, db.Legal{Object: string(m.Object), FromState: m.From, ToState: m.To})
	}
	for _, m := range stored {
		if !slices.Contains(want, m) {
			return fmt.Errorf("the store allows %s to go from %q to %q, and this program does not", m.Object, m.FromState, m.ToState)
		}
	}
	for _, m := range want {
		if slices.Contains(stored, m) {
			continue
		}
		if err := q.InsertLegal(ctx, db.InsertLegalParams(m)); err != nil {
			return fmt.Errorf("fill the table of legal moves: %w", err)
		}
	}
	return nil
}
