package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"clusy.io/clusy/internal/access"
)

const (
	// groupMost and groupFor bound a group commit: how many updates share
	// one, and how long the first of them waits for the others to run.
	groupMost = 128
	groupFor  = 2 * time.Millisecond
)

// writer is the one goroutine that writes. It opens a transaction, gives each
// waiting update its turn under a savepoint of its own, grows and signs the
// log, commits, and then answers all of them.
type writer struct {
	s      *database
	handle *handle
	log    *growth
	// lost says that a rollback was not followed by a look at where the log
	// ends on disk: nothing is written before that look.
	lost bool
	// patience is groupFor.
	patience time.Duration
}

// job is one update on its way. Its function runs on its caller's goroutine,
// when the writer gives it the turn: so a panic is its caller's alone.
type job struct {
	who   access.Tenant // whose rows it sees; "": all
	state atomic.Int32
	turn  chan *writer // the writer lends itself
	ran   chan bool    // the function is through: true to keep what it did
	done  chan error   // what became of it
}

const (
	waiting int32 = iota
	begun         // the writer gave it the turn
	gone          // its caller no longer waits
)

// update queues f and returns its true outcome. Only before f begins can ctx
// or Close still call it off.
func (s *database) update(ctx context.Context, who access.Tenant, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.queue == nil {
		return errReadOnly
	}
	j := &job{who: who, turn: make(chan *writer, 1), ran: make(chan bool, 1), done: make(chan error, 1)}
	select {
	case s.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stopped:
		return errClosed
	}
	var w *writer
	select {
	case w = <-j.turn:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, gone) {
			return ctx.Err()
		}
		w = <-j.turn
	case <-s.stopped:
		// The writer may have served it as its last; else it never will.
		if j.state.CompareAndSwap(waiting, gone) {
			return errClosed
		}
		w = <-j.turn
	}
	if w == nil {
		return <-j.done // refused
	}
	t := &tx{ctx: context.WithoutCancel(ctx), q: w.handle.q, log: w.log, shelf: &s.shelf, clock: s.clock(w.handle)}
	if err := j.run(t, f); err != nil {
		return err
	}
	return <-j.done
}

// run runs f and tells the writer how it went, whether f returns, panics or
// ends its goroutine.
func (j *job) run(t *tx, f func(*tx) error) (err error) {
	keep := false
	defer func() {
		t.q = nil
		j.ran <- keep
	}()
	err = f(t)
	err = t.end(err)
	keep = err == nil
	return err
}

// run serves updates until the store is closed.
func (w *writer) run() {
	defer close(w.s.stopped)
	defer w.close()
	for {
		select {
		case j := <-w.s.queue:
			w.group(j)
		case <-w.s.closing:
			return
		}
	}
}

// group runs first and whoever waits behind it, and commits them together.
func (w *writer) group(first *job) {
	ctx := context.Background()
	if !first.state.CompareAndSwap(waiting, begun) {
		return
	}
	var kept []*job
	answer := func(err error) {
		for _, j := range kept {
			j.done <- err
		}
	}
	if err := w.begin(ctx); err != nil {
		first.refuse(lost(err))
		return
	}
	start := time.Now()
	for j, n := first, 1; ; n++ {
		ok, err := w.serve(ctx, j)
		if ok {
			kept = append(kept, j)
		}
		if err != nil {
			// The transaction itself is broken: nothing in it can be kept.
			w.abandon(ctx)
			answer(lost(err))
			return
		}
		if j = w.next(n, start); j == nil {
			break
		}
	}
	edge, err := w.log.grow(ctx, w.handle.q)
	if err == nil {
		// Never cancelled: a commit that was asked for is waited for.
		if err = w.handle.exec(ctx, "COMMIT"); err != nil {
			switch stands, told := w.committed(ctx); {
			case stands:
				err = nil
			case !told:
				w.abandon(ctx)
				answer(unknown(err))
				return
			}
		}
	}
	if err != nil {
		w.abandon(ctx)
		answer(lost(err))
		return
	}
	w.log.grown(edge)
	answer(nil)
}

// begin opens a transaction, and finds where the log ends if that is not known.
func (w *writer) begin(ctx context.Context) error {
	if w.handle == nil {
		h, err := w.s.handle(ctx)
		if err != nil {
			return err
		}
		w.handle, w.lost = h, true
	}
	if err := w.handle.exec(ctx, w.s.words.begin); err != nil {
		w.broken()
		return err
	}
	if w.s.words.shared && !w.lost {
		c, err := w.handle.q.LastCheckpoint(ctx)
		w.lost = err != nil || c.Size != w.log.size
	}
	if w.lost {
		if err := w.log.load(ctx, w.handle.q); err != nil {
			_ = w.handle.exec(ctx, "ROLLBACK")
			w.broken()
			return err
		}
		w.lost = false
	}
	return nil
}

func (w *writer) close() {
	if w.handle != nil {
		w.handle.close()
	}
}

// broken lets go of a connection that may be gone: the next transaction makes
// a new one. The one of a file cannot be gone.
func (w *writer) broken() {
	if w.s.words.shared {
		w.handle.drop()
		w.handle = nil
	}
}

// next returns the next update of a group, nil if the group is full, has
// taken its time, or nobody waits.
func (w *writer) next(n int, start time.Time) *job {
	for n < groupMost && time.Since(start) < w.patience {
		select {
		case j := <-w.s.queue:
			if j.state.CompareAndSwap(waiting, begun) {
				return j
			}
		default:
			return nil
		}
	}
	return nil
}

// serve gives j its turn. ok is whether what it did is to be kept; err says
// that the transaction as a whole is broken.
func (w *writer) serve(ctx context.Context, j *job) (ok bool, err error) {
	if err := w.handle.exec(ctx, "SAVEPOINT one"+w.s.words.show(j.who)); err != nil {
		j.refuse(lost(err))
		return false, err
	}
	m := w.log.mark()
	j.turn <- w
	if <-j.ran {
		if err := w.handle.exec(ctx, "RELEASE one"); err != nil {
			return true, err
		}
		return true, nil
	}
	w.log.back(m)
	if err := w.handle.exec(ctx, "ROLLBACK TO one"); err != nil {
		return false, err
	}
	return false, w.handle.exec(ctx, "RELEASE one")
}

// refuse answers a job that cannot have its turn.
func (j *job) refuse(err error) {
	j.turn <- nil
	j.done <- err
}

// committed finds out what became of a commit whose answer was lost on the way:
// the checkpoint that it would have written is there, or it is not. It asks under
// the lock that the lost transaction had, so that one still on its way is waited
// for. A checkpoint is of all leaves before it, salts and all: no other has the
// same note. A server that cannot be asked for long leaves it open.
func (w *writer) committed(ctx context.Context) (stands, told bool) {
	if !w.s.words.shared {
		return false, true
	}
	if len(w.log.leaves) == 0 {
		return false, false // it would have left no checkpoint to look for
	}
	w.broken()
	for wait := 10 * time.Millisecond; wait < 10*time.Second; wait *= 2 {
		h, err := w.s.handle(ctx)
		if err == nil {
			w.handle = h
			if err = h.exec(ctx, w.s.words.begin); err == nil {
				var note string
				note, err = h.q.CheckpointOf(ctx, w.log.next())
				_ = h.exec(ctx, "ROLLBACK")
				if err == nil || errors.Is(err, sql.ErrNoRows) {
					return err == nil && note == w.log.note, true
				}
			}
			w.broken()
		}
		time.Sleep(wait)
	}
	return false, false
}

// abandon rolls back and reads again where the log ends on disk.
func (w *writer) abandon(ctx context.Context) {
	if w.s.words.shared {
		if w.handle != nil {
			w.broken()
		}
		return
	}
	// SQLite may have rolled back by itself (a full disk): no error then.
	_ = w.handle.exec(ctx, "ROLLBACK")
	w.lost = w.log.load(ctx, w.handle.q) != nil
}

// alone runs one update on the writer before its loop begins.
func (w *writer) alone(ctx context.Context, f func(*tx) error) error {
	ctx = context.WithoutCancel(ctx)
	w.lost = true
	if err := w.begin(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := w.handle.exec(ctx, "SAVEPOINT one"+w.s.words.show("")); err != nil {
		return errors.Join(err, w.handle.exec(ctx, "ROLLBACK"))
	}
	t := &tx{ctx: ctx, q: w.handle.q, log: w.log, clock: w.s.clock(w.handle)}
	err := t.end(f(t))
	edge := w.log.edge
	if err == nil {
		edge, err = w.log.grow(ctx, w.handle.q)
	}
	if err == nil {
		err = w.handle.exec(ctx, "COMMIT")
	}
	if err != nil {
		return errors.Join(err, w.handle.exec(ctx, "ROLLBACK"))
	}
	w.log.grown(edge)
	return nil
}
