package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"clusy.io/clusy/internal/problem"
)

// Among several replicas one leads: it alone plans, dispatches and accounts. Its
// right is a lease by the database's clock, with an epoch that every transaction
// of a leader checks. So a leader that was paused and wakes up can commit nothing;
// how long a lease lasts only decides how soon another one takes over.

// Leading reports whether this loop leads, as far as it knows.
func (l *Loop) Leading() bool { return l.leading.Load() }

// terms competes for the lease, leads while it has it, and competes again, until
// ctx ends. Then it resigns, so that another one need not wait.
func (l *Loop) terms(ctx context.Context) error {
	for ctx.Err() == nil {
		// What is trusted begins before the question, not when it is answered.
		asked := time.Now()
		won, err := l.compete(ctx)
		if err != nil && ctx.Err() == nil {
			l.logger().Warn("cannot compete for the lead", "err", err)
		}
		if !won {
			l.idle(ctx, l.TTL/8+rand.N(l.TTL/8+1))
			continue
		}
		l.logger().Info("leads", "holder", l.Holder, "epoch", l.Epoch())
		term, end := context.WithCancel(ctx)
		go func() {
			defer end()
			l.renew(term, asked)
		}()
		l.leading.Store(true)
		l.lead(term)
		l.leading.Store(false)
		end()
	}
	return l.resign(context.WithoutCancel(ctx))
}

func (l *Loop) compete(ctx context.Context) (won bool, err error) {
	var epoch int64
	err = l.Store.Update(ctx, func(tx Tx) (err error) {
		epoch, won, err = tx.Compete(lease, l.Holder, l.TTL)
		return err
	})
	if won = won && err == nil; won {
		l.epoch.Store(epoch) // not before it is on record
	}
	// What the last term knew may be old by now.
	l.planned, l.certified, l.behind, l.later = planned{}, time.Time{}, 0, nil
	return won, err
}

// renew keeps the lease until ctx ends, and returns when it is lost: somebody
// else has it, or it could not be renewed for so long that somebody may.
func (l *Loop) renew(ctx context.Context, asked time.Time) {
	for trusted := asked; ; {
		if !sleep(ctx, l.TTL/4) {
			return
		}
		began := time.Now()
		within, cancel := context.WithDeadline(ctx, trusted.Add(l.TTL))
		err := l.Store.Update(within, func(tx Tx) error { return tx.Renew(lease, l.Epoch()) })
		cancel()
		switch {
		case err == nil:
			trusted = began
		case ctx.Err() != nil:
			return
		case problem.Is(err, problem.Conflict):
			l.logger().Warn("leads no longer: another replica does", "holder", l.Holder, "epoch", l.Epoch())
			return
		case time.Since(trusted) >= l.TTL:
			l.logger().Warn("leads no longer: the lease could not be renewed", "holder", l.Holder, "epoch", l.Epoch(), "err", err)
			return
		}
	}
}

// resign gives the lease back, if it is still ours.
func (l *Loop) resign(ctx context.Context) error {
	if l.Epoch() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.TTL)
	defer cancel()
	err := l.Store.Update(ctx, func(tx Tx) error { return tx.Resign(lease, l.Epoch()) })
	if err == nil || problem.Is(err, problem.Conflict) || errors.Is(err, context.DeadlineExceeded) || problem.Is(err, problem.Unready) {
		return nil // it runs out by itself
	}
	return fmt.Errorf("resign the lead: %w", err)
}

// idle waits and takes no notice of what it is woken for: that is the leader's.
func (l *Loop) idle(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-l.Wake:
		}
	}
}

// sleep waits, and returns false if ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
