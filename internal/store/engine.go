package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/store/db"
)

// database is what SQLite and PostgreSQL have in common: one writer with group
// commit, and a few readers beside it. What differs is in its words.
type database struct {
	words words
	pool  *sql.DB
	views chan *handle
	queue chan *job // nil if the store is only read
	shelf shelf
	now   func() time.Time // where the database has no clock of its own

	closing chan struct{} // closed when Close is called
	stopped chan struct{} // closed when the writer has stopped
	once    sync.Once
	closed  error
	// release lets go of what else is held; nil: nothing.
	release func() error
}

// words are how an engine says what it is told.
type words struct {
	// begin and look open a transaction that writes, and one that only reads.
	begin, look string
	// reader makes a new connection one that cannot write; "" where look does.
	reader string
	// shared says that others write to the same database: where the log ends
	// is read again in each transaction.
	shared bool
	// clock is the question for the time, in microseconds since 1970; "": the
	// database is this process, and so is its clock.
	clock string
	// wall returns the statement that shows a transaction the rows of one
	// tenant only, "" being the house that sees all; nil where there is none.
	wall func(access.Tenant) string
}

// newDatabase returns a database without a writer.
func newDatabase(pool *sql.DB, w words) *database {
	d := &database{words: w, pool: pool, views: make(chan *handle, readers), closing: make(chan struct{}), stopped: make(chan struct{})}
	for range readers {
		d.views <- nil // made when first needed
	}
	return d
}

// start agrees with the store on what it is, and starts the writer.
func (s *database) start(ctx context.Context, o Options) error {
	h, err := s.handle(ctx)
	if err != nil {
		return err
	}
	s.queue, s.now = make(chan *job, groupMost), o.Now
	w := &writer{s: s, handle: h, patience: groupFor, log: &growth{origin: o.Origin, signer: o.Signer, random: o.Random}}
	if err := w.prepare(ctx, o); err != nil {
		w.close()
		return err
	}
	go w.run()
	return nil
}

// prepare agrees with the store on the legal moves and on whose log it is,
// and opens the log if this is its first day.
func (w *writer) prepare(ctx context.Context, o Options) error {
	if _, err := merkle.Sign(o.Signer, o.Origin, 0, merkle.Hash{}); err != nil {
		return err // found now rather than at the first commit
	}
	if _, err := whose(ctx, w.handle.q, o.Origin); err != nil {
		return err
	}
	return w.alone(ctx, func(t *tx) error {
		isNew, err := whose(t.ctx, t.q, o.Origin)
		if err != nil {
			return err
		}
		if err := agreeOnMoves(t.ctx, t.q); err != nil || !isNew {
			return err
		}
		return openLog(t, o)
	})
}

// whose refuses another's log; isNew says that it is nobody's yet.
func whose(ctx context.Context, q db.Querier, own string) (isNew bool, err error) {
	origin, err := q.Meta(ctx, metaOrigin)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("read whose log it is: %w", err)
	case origin != own:
		return false, fmt.Errorf("its log is %s, not %s", origin, own)
	}
	return false, nil
}

// openLog puts the first leaf into a new log.
func openLog(t *tx, o Options) error {
	s := &systemTx{t}
	if err := s.SetMeta(metaOrigin, o.Origin); err != nil {
		return err
	}
	_, err := s.record(fact{Event: audit.Event{At: o.Now(), Actor: system}, kind: audit.LogOpened, object: "log:" + o.Origin})
	return err
}

// clock tells the time of the database behind a connection.
func (s *database) clock(h *handle) func(context.Context) (time.Time, error) {
	if s.words.clock == "" {
		return func(context.Context) (time.Time, error) { return s.now(), nil }
	}
	return func(ctx context.Context) (time.Time, error) {
		var usec int64
		err := h.conn.QueryRowContext(ctx, s.words.clock).Scan(&usec)
		return time.UnixMicro(usec).UTC(), err
	}
}

// handle is one connection with its prepared statements.
type handle struct {
	conn *sql.Conn
	q    *db.Queries
}

func (h *handle) exec(ctx context.Context, statement string) error {
	_, err := h.conn.ExecContext(ctx, statement)
	return err
}

func (h *handle) close() { _ = errors.Join(h.q.Close(), h.conn.Close()) }

// drop closes the connection itself: close gives it back to a pool, which would
// hand it out again.
func (h *handle) drop() {
	_ = h.q.Close()
	_ = h.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = h.conn.Close()
}

// handle opens a connection and prepares every query on it.
func (s *database) handle(ctx context.Context) (*handle, error) {
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	q, err := db.Prepare(ctx, conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the queries: %w", err), conn.Close())
	}
	return &handle{conn, q}, nil
}

// Close waits for the transactions that have begun, refuses the others, and
// lets go of the files and the lock.
func (s *database) Close() error {
	s.once.Do(func() {
		close(s.closing)
		<-s.stopped
		for range readers {
			if h := <-s.views; h != nil {
				h.close()
			}
		}
		s.closed = s.pool.Close()
		if s.release != nil {
			s.closed = errors.Join(s.closed, s.release())
		}
	})
	return s.closed
}

// view runs f on one consistent state.
func (s *database) view(ctx context.Context, who access.Tenant, f func(*tx) error) (err error) {
	var h *handle
	select {
	case <-s.closing:
		return errClosed
	default:
	}
	select {
	case h = <-s.views:
	case <-s.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.views <- h }()
	// Only f is called off with ctx: what comes before is short.
	steady := context.WithoutCancel(ctx)
	if h == nil {
		if h, err = s.handle(steady); err != nil {
			return failed("reading", err)
		}
		if err := h.exec(steady, s.words.reader); s.words.reader != "" && err != nil {
			h.drop()
			h = nil
			return failed("reading", err)
		}
	}
	if err := h.exec(steady, s.words.look+s.words.show(who)); err != nil {
		h.drop()
		h = nil
		return failed("reading", err)
	}
	// A read that was called off must not leave its snapshot open under the
	// next reader, nor its interruption on the way, which the driver sends by
	// a goroutine of its own and may be late with: the connection is dropped.
	defer func() {
		if h.exec(steady, "ROLLBACK") != nil || ctx.Err() != nil {
			h.drop()
			h = nil
		}
	}()
	t := &tx{ctx: ctx, q: h.q, shelf: &s.shelf, clock: s.clock(h)}
	defer func() { t.q = nil }()
	return t.end(f(t))
}

// show is the statement that shows a transaction the rows of one tenant only,
// to be said after another one.
func (w words) show(who access.Tenant) string {
	if w.wall == nil {
		return ""
	}
	return "; " + w.wall(who)
}

// For returns the handle of one tenant.
func (s *database) For(t access.Tenant) Tenant { return tenantHandle{s, t} }

// System returns the handle that serves all tenants.
func (s *database) System() System { return systemHandle{s} }

// engine is what runs transactions.
type engine interface {
	view(ctx context.Context, who access.Tenant, f func(*tx) error) error
	update(ctx context.Context, who access.Tenant, f func(*tx) error) error
}

type tenantHandle struct {
	engine
	tenant access.Tenant
}

func (h tenantHandle) View(ctx context.Context, f func(TenantTx) error) error {
	return h.run(ctx, h.view, f)
}

func (h tenantHandle) Update(ctx context.Context, f func(TenantTx) error) error {
	return h.run(ctx, h.update, f)
}

func (h tenantHandle) run(ctx context.Context, in func(context.Context, access.Tenant, func(*tx) error) error, f func(TenantTx) error) error {
	if h.tenant == "" {
		return errNoTenant
	}
	return in(ctx, h.tenant, func(t *tx) error { return f(&tenantTx{t, h.tenant}) })
}

type systemHandle struct{ engine }

func (h systemHandle) View(ctx context.Context, f func(SystemTx) error) error {
	return h.view(ctx, "", func(t *tx) error { return f(&systemTx{t}) })
}

func (h systemHandle) Update(ctx context.Context, f func(SystemTx) error) error {
	return h.update(ctx, "", func(t *tx) error { return f(&systemTx{t}) })
}
