package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"clusy.io/clusy/internal/problem"
)

// ErrFenced is the answer to a leader whose epoch is not the newest: it must
// stop, as another one leads.
var ErrFenced = errors.New("another leader has taken over")

var (
	errClosed   = problem.Errorf(problem.Unready, "the store is closed")
	errReadOnly = errors.New("a view of the store changes nothing")
	errNoTenant = errors.New("the store was asked for the tenant with no name")
)

// constraint is a rule of the schema that a statement would have broken, as
// the memory store says it.
type constraint string

const (
	unique  constraint = "there is one already"
	foreign constraint = "it refers to what is not there"
	check   constraint = "a value is not allowed"
)

func (c constraint) Error() string { return string(c) }

// failed says what was being done when a statement failed, and whom the error
// is for: a broken rule of uniqueness or reference is a problem.Conflict, a
// full or busy disk is problem.Unready, and all else is our own trouble.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	kind := problem.Internal
	var c constraint
	var s *sqlite.Error
	var pg *pgconn.PgError
	var gone net.Error
	var unmade *pgconn.ConnectError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &c):
		if c == unique || c == foreign {
			kind = problem.Conflict
		}
	case errors.As(err, &pg):
		kind = postgresKind(pg.Code)
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &gone), errors.As(err, &unmade):
		kind = problem.Unready
	case errors.As(err, &s):
		switch s.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			kind = problem.Conflict
		default:
			switch s.Code() & 0xff {
			case sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR:
				kind = problem.Unready
			}
		}
	}
	detail := doing + " failed"
	switch kind {
	case problem.Conflict:
		detail = doing + " conflicts with what is stored"
	case problem.Unready:
		detail = doing + " is not possible now: the store cannot write"
	}
	return &problem.Error{Kind: kind, Detail: detail, Cause: err}
}

// postgresKind says whom an error of PostgreSQL is for, by its SQLSTATE.
func postgresKind(code string) problem.Kind {
	switch {
	case code == "23505" || code == "23503": // unique_violation, foreign_key_violation
		return problem.Conflict
	case code == "25006" || code == "55P03": // a standby; lock_not_available
		return problem.Unready
	case len(code) == 5 && slices.Contains([]string{"08", "40", "53", "57", "58"}, code[:2]):
		// The connection, a rollback, resources, an operator, the disk.
		return problem.Unready
	}
	return problem.Internal
}

// unknown is the answer to an update whose commit was asked for, and of which
// nobody could be asked whether it stands.
func unknown(err error) error {
	return &problem.Error{Kind: problem.Unready, Detail: "the store went away while it committed: this may or may not have been changed; look, or send it again with the same idempotency key", Cause: err}
}

// lost is the answer to an update of which nothing was kept through no fault
// of its own: the disk, or another update in its group, broke the transaction.
func lost(err error) error {
	return &problem.Error{Kind: problem.Unready, Detail: "the store could not write; nothing was changed", Cause: err}
}
