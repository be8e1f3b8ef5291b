package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/pressly/goose/v3"
	sessions "github.com/pressly/goose/v3/lock"

	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

//go:embed sql/migration
var migrations embed.FS

// schemaVersion is the newest migration: what this program reads and writes.
const schemaVersion = 11

// migrate brings the schema of a SQLite file up to date. Forward only: there is
// no way down.
func migrate(ctx context.Context, pool *sql.DB) error {
	guards, err := ownWords(2, "sqlite/0002_guards.sql")
	if err != nil {
		return err
	}
	moved, err := ownWords(4, "sqlite/0004_series.sql")
	if err != nil {
		return err
	}
	return migrateBy(ctx, pool, goose.DialectSQLite3, guards, moved)
}

// migratePostgres brings the schema of a PostgreSQL database up to date, one
// replica after the other, and then builds the walls of what is new.
func migratePostgres(ctx context.Context, pool *sql.DB) error {
	if err := postgresTables(ctx, pool); err != nil {
		return err
	}
	return buildWalls(ctx, pool)
}

func postgresTables(ctx context.Context, pool *sql.DB) error {
	guards, err := ownWords(2, "postgres/0002_guards.sql")
	if err != nil {
		return err
	}
	// There is no store in PostgreSQL that is older than the move of 0004.
	moved := goose.NewGoMigration(4, &goose.GoFunc{RunTx: func(context.Context, *sql.Tx) error { return nil }}, nil)
	one, err := sessions.NewPostgresSessionLocker(sessions.WithLockID(logLock + 1))
	if err != nil {
		return err
	}
	return migrateBy(ctx, pool, goose.DialectPostgres, guards, moved, goose.WithSessionLocker(one))
}

// buildWalls gives each table that knows tenants its wall, under the lock of the
// migrations, so that two replicas do not build the same one.
func buildWalls(ctx context.Context, pool *sql.DB) error {
	walls, err := migrations.ReadFile("sql/migration/postgres/walls.sql")
	if err != nil {
		return err
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("build the walls between tenants: %w", err)
	}
	defer tx.Rollback()
	for _, statement := range []string{fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", logLock+1), string(walls)} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("build the walls between tenants: %w", err)
		}
	}
	return tx.Commit()
}

func migrateBy(ctx context.Context, pool *sql.DB, d goose.Dialect, guards, moved *goose.Migration, more ...goose.ProviderOption) error {
	tables, err := fs.Sub(migrations, "sql/migration")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d, pool, tables,
		append(more, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(guards, moved))...)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return checkVersion(ctx, pool)
}

// ownWords returns a migration that is in an engine's own words.
func ownWords(version int64, name string) (*goose.Migration, error) {
	statements, err := migrations.ReadFile("sql/migration/" + name)
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
