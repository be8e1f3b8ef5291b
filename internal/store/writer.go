package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
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
	s      *SQLite
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
func (s *SQLite) update(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.queue == nil {
		return errReadOnly
	}
	j := &job{turn: make(chan *writer, 1), ran: make(chan bool, 1), done: make(chan error, 1)}
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
	t := &tx{ctx: context.WithoutCancel(ctx), q: w.handle.q, log: w.log, shelf: &s.shelf}
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
	defer w.handle.close()
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
	if err := w.handle.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		first.refuse(lost(err))
		return
	}
	if w.lost {
		if err := w.log.load(ctx, w.handle.q); err != nil {
			_ = w.handle.exec(ctx, "ROLLBACK")
			first.refuse(lost(err))
			return
		}
		w.lost = false
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
		err = w.handle.exec(ctx, "COMMIT")
	}
	if err != nil {
		w.abandon(ctx)
		answer(lost(err))
		return
	}
	w.log.grown(edge)
	answer(nil)
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
	if err := w.handle.exec(ctx, "SAVEPOINT one"); err != nil {
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

// abandon rolls back and reads again where the log ends on disk.
func (w *writer) abandon(ctx context.Context) {
	// SQLite may have rolled back by itself (a full disk): no error then.
	_ = w.handle.exec(ctx, "ROLLBACK")
	w.lost = w.log.load(ctx, w.handle.q) != nil
}

// alone runs one update on the writer before its loop begins.
func (w *writer) alone(ctx context.Context, f func(*tx) error) error {
	ctx = context.WithoutCancel(ctx)
	if err := w.handle.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	t := &tx{ctx: ctx, q: w.handle.q, log: w.log}
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
