package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

// Options say where a store is and how it signs its log.
type Options struct {
	// Dir holds the store's files and nothing else. It is made if need be,
	// for the owner's eyes only.
	Dir string
	// Origin names the log, once and for ever.
	Origin string
	// Signer signs the log's checkpoints under the name Origin.
	Signer merkle.Signer
	// Now tells the time of the event that opens the log; nil: time.Now.
	Now func() time.Time
	// Random is where salts come from; nil: crypto/rand.
	Random io.Reader
}

// metaOrigin is the meta key under which the log's origin is kept.
const metaOrigin = "log.origin"

// fileName is the name of the database inside Dir.
const fileName = "clusy.db"

// readers is how many views may run at once.
const readers = 4

// SQLite is the store of one machine: one file, one writer with group commit,
// and a few readers beside it. WAL and synchronous=FULL: what Update has
// answered is on disk, and a power cut does not take it back.
type SQLite struct {
	pool  *sql.DB
	lock  *os.File // nil if the store is only read
	views chan *handle
	queue chan *job
	shelf shelf

	closing chan struct{} // closed when Close is called
	stopped chan struct{} // closed when the writer has stopped
	once    sync.Once
	closed  error
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

// Open opens the store in a directory, makes it if there is none, and keeps
// every other process from doing the same.
func Open(ctx context.Context, o Options) (*SQLite, error) {
	if o.Signer == nil {
		return nil, errors.New("open the store: nobody to sign its log")
	}
	if err := merkle.CheckOrigin(o.Origin); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if err := private(o.Dir); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	l, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", source(o.Dir, "_txlock", "immediate", "_pragma", "journal_mode(WAL)", "_pragma", "synchronous(FULL)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store: %w", err), l.Close())
	}
	s := &SQLite{
		pool: pool, lock: l, views: make(chan *handle, readers), queue: make(chan *job, groupMost),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", o.Dir, err), pool.Close(), l.Close())
	}
	return s, nil
}

// start makes the schema, reads where the log ends and starts the writer.
func (s *SQLite) start(ctx context.Context, o Options) error {
	if err := migrate(ctx, s.pool); err != nil {
		return err
	}
	h, err := s.handle(ctx)
	if err != nil {
		return err
	}
	w := &writer{s: s, handle: h, patience: groupFor, log: &growth{origin: o.Origin, signer: o.Signer, random: o.Random}}
	if err := w.prepare(ctx, o); err != nil {
		h.close()
		return err
	}
	for range readers {
		s.views <- nil // made when first needed
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
	origin, err := w.handle.q.Meta(ctx, metaOrigin)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read whose log it is: %w", err)
	}
	if err == nil && origin != o.Origin {
		return fmt.Errorf("its log is %s, not %s", origin, o.Origin)
	}
	if err := w.log.load(ctx, w.handle.q); err != nil {
		return err
	}
	isNew := origin == ""
	return w.alone(ctx, func(t *tx) error {
		if err := agreeOnMoves(t.ctx, t.q); err != nil || !isNew {
			return err
		}
		return openLog(t, o)
	})
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

// OpenReadOnly opens the store in a directory for reading and verification,
// whether a server has it open or not. It changes nothing and locks nothing.
func OpenReadOnly(ctx context.Context, dir string) (*SQLite, error) {
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		return nil, problem.Errorf(problem.NotFound, "there is no store in %s: %w", dir, err)
	}
	pool, err := sql.Open("sqlite", source(dir, "mode", "ro"))
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s := &SQLite{pool: pool, views: make(chan *handle, readers), closing: make(chan struct{}), stopped: make(chan struct{})}
	close(s.stopped)
	if err := checkVersion(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", dir, err), pool.Close())
	}
	for range readers {
		s.views <- nil
	}
	return s, nil
}

// private makes a directory and its database file for the owner's eyes only.
func private(dir string) error {
	if dir == "" {
		return errors.New("no directory")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(dir, fileName)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Chmod(name, 0o600))
}

// source returns the driver's name for the database in dir.
func source(dir string, pairs ...string) string {
	v := url.Values{"_pragma": {
		"busy_timeout(5000)", "foreign_keys(ON)", "recursive_triggers(ON)", "trusted_schema(OFF)", "cell_size_check(ON)", "temp_store(MEMORY)",
	}}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	path, err := filepath.Abs(filepath.Join(dir, fileName))
	if err != nil {
		path = filepath.Join(dir, fileName)
	}
	return "file://" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + v.Encode()
}

// handle opens a connection and prepares every query on it.
func (s *SQLite) handle(ctx context.Context) (*handle, error) {
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
func (s *SQLite) Close() error {
	s.once.Do(func() {
		close(s.closing)
		<-s.stopped
		for range readers {
			if h := <-s.views; h != nil {
				h.close()
			}
		}
		s.closed = s.pool.Close()
		if s.lock != nil {
			s.closed = errors.Join(s.closed, s.lock.Close())
		}
	})
	return s.closed
}

// view runs f on one consistent state.
func (s *SQLite) view(ctx context.Context, f func(*tx) error) (err error) {
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
		if err := h.exec(steady, "PRAGMA query_only(ON)"); err != nil {
			h.drop()
			h = nil
			return failed("reading", err)
		}
	}
	if err := h.exec(steady, "BEGIN"); err != nil {
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
	t := &tx{ctx: ctx, q: h.q, shelf: &s.shelf}
	defer func() { t.q = nil }()
	return t.end(f(t))
}

// For returns the handle of one tenant.
func (s *SQLite) For(t access.Tenant) Tenant { return tenantHandle{s, t} }

// System returns the handle that serves all tenants.
func (s *SQLite) System() System { return systemHandle{s} }

// engine is what runs transactions.
type engine interface {
	view(context.Context, func(*tx) error) error
	update(context.Context, func(*tx) error) error
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

func (h tenantHandle) run(ctx context.Context, in func(context.Context, func(*tx) error) error, f func(TenantTx) error) error {
	if h.tenant == "" {
		return errNoTenant
	}
	return in(ctx, func(t *tx) error { return f(&tenantTx{t, h.tenant}) })
}

type systemHandle struct{ engine }

func (h systemHandle) View(ctx context.Context, f func(SystemTx) error) error {
	return h.view(ctx, func(t *tx) error { return f(&systemTx{t}) })
}

func (h systemHandle) Update(ctx context.Context, f func(SystemTx) error) error {
	return h.update(ctx, func(t *tx) error { return f(&systemTx{t}) })
}
