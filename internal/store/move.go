package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/secret"
)

// Moved says what was copied from one store to another.
type Moved struct {
	Tables []MovedTable
	Head   merkle.Head // of the log, the same in both
}

// MovedTable is one table and how many rows it has in both stores.
type MovedTable struct {
	Name string
	Rows int64
}

// MoveToPostgres copies the store in a directory into an empty PostgreSQL
// database, in one transaction, and compares: how many rows every table has, and the
// signed head of the log, whose every leaf is hashed again. The directory is
// locked meanwhile and left as it was. Each table is told to done as it is ready.
func MoveToPostgres(ctx context.Context, dir string, address secret.Secret, trusted merkle.Verifiers, origin string, done func(MovedTable)) (m Moved, err error) {
	l, err := lock(dir)
	if err != nil {
		return m, err
	}
	defer l.Close()
	from, err := OpenReadOnly(ctx, dir)
	if err != nil {
		return m, err
	}
	defer from.Close()
	c, err := postgresConfig(address)
	if err != nil {
		return m, fmt.Errorf("open the new store: %w", err)
	}
	delete(c.RuntimeParams, "statement_timeout") // a table may be large
	pool := stdlib.OpenDB(*c)
	defer pool.Close()
	if err := checkPostgres(ctx, pool); err != nil {
		return m, fmt.Errorf("open the new store in PostgreSQL at %s: %w", c.Host, err)
	}
	if err := empty(ctx, pool); err != nil {
		return m, err
	}
	if err := postgresTables(ctx, pool); err != nil {
		return m, err
	}
	if m.Tables, err = copyTables(ctx, from.pool, pool, done); err != nil {
		return m, err
	}
	// The walls come last: no copy passes through them.
	if err := buildWalls(ctx, pool); err != nil {
		return m, err
	}
	was, err := VerifyLog(ctx, from, trusted, origin)
	if err != nil {
		return m, fmt.Errorf("the store in %s does not hold: %w", dir, err)
	}
	to, err := OpenPostgresReadOnly(ctx, address)
	if err != nil {
		return m, err
	}
	defer to.Close()
	is, err := VerifyLog(ctx, to, trusted, origin)
	if err != nil {
		return m, fmt.Errorf("the copy does not hold: %w", err)
	}
	if was != is {
		return m, fmt.Errorf("the copy is another: %+v instead of %+v", is, was)
	}
	m.Head = is.Head
	return m, nil
}

// empty refuses a database that has a store already.
func empty(ctx context.Context, pool *sql.DB) error {
	var there bool
	err := pool.QueryRowContext(ctx, "SELECT to_regclass('leaf') IS NOT NULL").Scan(&there)
	if err == nil && there {
		err = pool.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM leaf) OR EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = 'leaf'::regclass)").Scan(&there)
	}
	if err != nil {
		return fmt.Errorf("look whether the new store is empty: %w", err)
	}
	if there {
		return errors.New("the database has a store already: give an empty database, or an empty schema by search_path in its address")
	}
	return nil
}

// copyTables copies every table in the order in which they refer to each other.
func copyTables(ctx context.Context, from, to *sql.DB, done func(MovedTable)) (all []MovedTable, err error) {
	tables, err := tablesOf(ctx, from)
	if err != nil {
		return nil, err
	}
	conn, err := to.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		return pgx.BeginFunc(ctx, driver.(*stdlib.Conn).Conn(), func(tx pgx.Tx) error {
			for _, name := range tables {
				n, err := copyTable(ctx, from, tx, name)
				if err != nil {
					return fmt.Errorf("copy the table %s: %w", name, err)
				}
				all = append(all, MovedTable{name, n})
				done(all[len(all)-1])
			}
			return nil
		})
	})
	return all, err
}

// tablesOf lists the tables of a SQLite store, what is referred to first.
func tablesOf(ctx context.Context, from *sql.DB) (order []string, err error) {
	names, err := texts(ctx, from, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' ORDER BY name")
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	for _, name := range names {
		if needs[name], err = texts(ctx, from, `SELECT DISTINCT "table" FROM pragma_foreign_key_list('`+name+`')`); err != nil {
			return nil, err
		}
	}
	for len(order) < len(names) {
		before := len(order)
		for _, name := range names {
			ready := !slices.Contains(order, name)
			for _, n := range needs[name] {
				ready = ready && (n == name || slices.Contains(order, n))
			}
			if ready {
				order = append(order, name)
			}
		}
		if len(order) == before {
			return nil, errors.New("the tables refer to each other in a circle")
		}
	}
	return order, nil
}

func texts(ctx context.Context, from *sql.DB, question string) (out []string, err error) {
	rows, err := from.QueryContext(ctx, question)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// copyTable copies one table, past the triggers that guard its growth: what they
// doubt, the log's own verification doubts again.
func copyTable(ctx context.Context, from *sql.DB, tx pgx.Tx, name string) (int64, error) {
	rows, err := from.QueryContext(ctx, `SELECT * FROM "`+name+`"`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	table := pgx.Identifier{name}
	if _, err := tx.Exec(ctx, "ALTER TABLE "+table.Sanitize()+" DISABLE TRIGGER USER; DELETE FROM "+table.Sanitize()); err != nil {
		return 0, err
	}
	kinds, err := typesOf(ctx, tx, table)
	if err != nil {
		return 0, err
	}
	n, err := tx.CopyFrom(ctx, table, columns, &rowsOf{rows: rows, columns: columns, kinds: kinds})
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, "ALTER TABLE "+table.Sanitize()+" ENABLE TRIGGER USER"); err != nil {
		return 0, err
	}
	var was, is int64
	if err := from.QueryRowContext(ctx, `SELECT count(*) FROM "`+name+`"`).Scan(&was); err != nil {
		return 0, err
	}
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+table.Sanitize()).Scan(&is); err != nil {
		return 0, err
	}
	if was != is || is != n {
		return 0, fmt.Errorf("it has %d rows, and the copy has %d", was, is)
	}
	return n, nil
}

// typesOf returns the types of a table's columns.
func typesOf(ctx context.Context, tx pgx.Tx, table pgx.Identifier) (map[string]string, error) {
	rows, err := tx.Query(ctx, "SELECT attname, atttypid::regtype::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped", table.Sanitize())
	if err != nil {
		return nil, err
	}
	kinds := map[string]string{}
	var name, kind string
	_, err = pgx.ForEachRow(rows, []any{&name, &kind}, func() error { kinds[name] = kind; return nil })
	return kinds, err
}

// rowsOf reads rows of SQLite as PostgreSQL wants them: SQLite has no booleans,
// and may have text where bytes are meant.
type rowsOf struct {
	rows    *sql.Rows
	columns []string
	kinds   map[string]string
}

func (s *rowsOf) Next() bool { return s.rows.Next() }
func (s *rowsOf) Err() error { return s.rows.Err() }

func (s *rowsOf) Values() ([]any, error) {
	values := make([]any, len(s.columns))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	if err := s.rows.Scan(into...); err != nil {
		return nil, err
	}
	for i, name := range s.columns {
		switch v := values[i].(type) {
		case int64:
			if s.kinds[name] == "boolean" {
				values[i] = v != 0
			}
		case string:
			if s.kinds[name] == "bytea" {
				values[i] = []byte(v)
			}
		case []byte:
			switch {
			case s.kinds[name] == "text":
				values[i] = string(v)
			case v == nil: // how the driver says no bytes; none may be absent
				values[i] = []byte{}
			}
		}
	}
	return values, nil
}
