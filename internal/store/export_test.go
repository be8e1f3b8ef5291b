package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

// borrow runs f with the writer's own connection as one update, which is kept
// if f succeeds. It is how a test does what no exported method would.
func (s *SQLite) borrow(f func(*writer) error) error {
	j := &job{turn: make(chan *writer, 1), ran: make(chan bool, 1), done: make(chan error, 1)}
	s.queue <- j
	w := <-j.turn
	err := f(w)
	j.ran <- err == nil
	if err != nil {
		return err
	}
	return <-j.done
}

// Queued returns how many updates wait for their turn.
func (s *SQLite) Queued() int { return len(s.queue) }

// Raw runs a statement on the writer's own connection.
func (s *SQLite) Raw(statement string) error {
	return s.borrow(func(w *writer) error { return w.handle.exec(context.Background(), statement) })
}

// Setting returns a pragma as the writer has it.
func (s *SQLite) Setting(pragma string) (v string, err error) {
	err = s.borrow(func(w *writer) error {
		return w.handle.conn.QueryRowContext(context.Background(), "PRAGMA "+pragma).Scan(&v)
	})
	return v, err
}

// RawView runs a statement on a reader's connection.
func (s *SQLite) RawView(statement string) error {
	for {
		h := <-s.views
		if h == nil {
			s.views <- nil
			continue
		}
		err := h.exec(context.Background(), statement)
		s.views <- h
		return err
	}
}

// Patient lets a group take as long as it needs.
func (s *SQLite) Patient() error {
	return s.borrow(func(w *writer) error { w.patience = time.Hour; return nil })
}

// FailAt makes the n-th query from now on fail, of the writer's. Its answer
// says whether it came to that, and heals the writer.
func (s *SQLite) FailAt(n int) (failed func() bool) {
	var f *faulty
	var whole *db.Queries
	_ = s.borrow(func(w *writer) error {
		f, whole = &faulty{conn: w.handle.conn, left: n}, w.handle.q
		w.handle.q = db.New(f)
		return nil
	})
	return func() bool {
		_ = s.borrow(func(w *writer) error { w.handle.q = whole; return nil })
		return f.failed
	}
}

// faulty is a connection of which one query fails.
type faulty struct {
	conn   *sql.Conn
	left   int
	failed bool
}

var errFaulty = errors.New("the disk is on fire")

func (f *faulty) next() bool {
	f.left--
	f.failed = f.failed || f.left == -1
	return f.left == -1
}

func (f *faulty) ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error) {
	if f.next() {
		return nil, errFaulty
	}
	return f.conn.ExecContext(ctx, q, args...)
}

func (f *faulty) PrepareContext(ctx context.Context, q string) (*sql.Stmt, error) {
	return f.conn.PrepareContext(ctx, q)
}

func (f *faulty) QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if f.next() {
		return nil, errFaulty
	}
	return f.conn.QueryContext(ctx, q, args...)
}

func (f *faulty) QueryRowContext(ctx context.Context, q string, args ...any) *sql.Row {
	if f.next() {
		q = "SELECT * FROM no_such_table"
	}
	return f.conn.QueryRowContext(ctx, q, args...)
}

// Blind runs f on the queries beneath a memory store, past all that tx checks.
func (m *Memory) Blind(f func(db.Querier) error) error {
	return m.update(context.Background(), "", func(t *tx) error { return f(t.q) })
}

// Raced is what a change finds when another came between its look and its
// write: on one writer that cannot be, on PostgreSQL it can.
func Raced() (answer error, spoiled bool) {
	t := &tx{log: &growth{}}
	err := t.one("changing it", 0, nil)
	return err, errors.Is(t.writable(), err) && problem.Is(err, problem.Conflict)
}

// Narrow bounds what a board of the shelf holds.
func (s *SQLite) Narrow(numbers int) { s.shelf.most = numbers }

// Shelved returns how many numbers are on the shelf.
func (s *SQLite) Shelved() (n int) {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	for _, board := range []map[string]grid.Series{s.shelf.upper, s.shelf.lower} {
		for _, x := range board {
			n += len(x.Values) + len(x.Low) + len(x.High)
		}
	}
	return n
}

// Rows returns the number that a question gives in a view of one tenant.
func (s *Postgres) Rows(who access.Tenant, question string) (n int, err error) {
	err = s.view(context.Background(), who, func(*tx) error { return nil }) // make a connection
	if err != nil {
		return 0, err
	}
	for h := range s.views {
		if h == nil {
			s.views <- nil
			continue
		}
		defer func() { s.views <- h }()
		if err := h.exec(context.Background(), s.words.look+s.words.show(who)); err != nil {
			return 0, err
		}
		defer h.exec(context.Background(), "ROLLBACK")
		return n, h.conn.QueryRowContext(context.Background(), question).Scan(&n)
	}
	return 0, nil
}
