package executor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"clusy.io/clusy/internal/journal"
)

// look observes the task in d. What it says rests on three things only: the
// shim's record, whether a shim holds the lock, and the processes themselves.
func (d taskDir) look(ctx context.Context) (account, claim, error) {
	for deadline := time.Now().Add(patience); ; {
		// 1. Without a claim nothing was started. A shim may be about to make
		// one; that it has not is true all the same.
		c, claimed, err := d.readClaim()
		if err != nil {
			return account{}, c, err
		}
		if !claimed {
			return account{Observation: Observation{Phase: Absent}}, c, nil
		}
		if c.Never != "" {
			return account{final: true, Observation: Observation{Phase: Ended, Ended: c.At, ExitCode: -1, Cause: c.Never}}, c, nil
		}
		// 2. A recorded end is final.
		a, damage, err := d.records()
		if err != nil {
			return account{}, c, err
		}
		if a.final && damage == nil {
			return a, c, nil
		}
		// 3. A shim that holds the lock lives, and will record the end.
		held, err := d.locked()
		if err != nil {
			return account{}, c, err
		}
		if held {
			live, certain := a.live(c)
			if certain {
				return live, c, damage
			}
		}
		// 4. Nobody holds it. Whoever takes the lock now is not the shim: its
		// claim is spent. Make sure that nothing is left, and only then say so.
		if !held {
			a, done, err := d.settle(ctx, c)
			if err != nil || done {
				return a, c, err
			}
		}
		if time.Now().After(deadline) {
			return account{}, c, errors.New("it cannot be told whether its shim lives")
		}
		if err := pause(ctx, 3*time.Millisecond); err != nil {
			return account{}, c, err
		}
	}
}

// records reads what the shim has recorded. Damage to the journal is told apart
// from trouble with reading it, as it does not pass.
func (d taskDir) records() (a account, damage, err error) {
	records, err := journal.Read(d.file("record"))
	if errors.Is(err, fs.ErrNotExist) {
		return account{Observation: Observation{Phase: Starting}}, nil, nil
	}
	var corrupt *journal.CorruptError
	if errors.As(err, &corrupt) {
		return account{}, err, nil
	}
	if err != nil {
		return account{}, nil, err
	}
	a, damage = fold(records)
	return a, damage, nil
}

// live completes the account of a task whose lock is held. It is not certain if
// the lock is an observer's that is about to settle the task.
func (a account) live(c claim) (account, bool) {
	shim, err := readProc(c.Shim.PID)
	if err != nil || shim.identity != c.Shim {
		return a, false
	}
	if a.Phase != Running {
		return a, true
	}
	a.CPU = cpuBelow(c.Shim)
	main, err := readProc(a.main.PID)
	if err != nil || main.Start != a.main.Start || main.gone() {
		return a, true // it has ended, and its shim is about to say so
	}
	a.PID = main.PID
	if main.stopped() {
		a.Phase = Suspended
	}
	return a, true
}

// settle finds out what became of a claimed task that has no shim, and reports
// false if somebody else is doing so. It is Lost unless there is a record of
// its end, whatever else speaks for it: a claim is not a start, and a start is
// not a success.
func (d taskDir) settle(ctx context.Context, c claim) (account, bool, error) {
	lock, err := d.tryLock(true)
	if errors.Is(err, errHeld) {
		return account{}, false, nil
	}
	if err != nil {
		return account{}, false, err
	}
	defer lock.unlock()
	// Now nobody writes: read again, as the shim may have recorded the end
	// between our last look and its own.
	a, damage, err := d.records()
	if err != nil {
		return account{}, false, err
	}
	if a.final && damage == nil {
		return a, true, nil
	}
	last := d.lastPulse()
	if err := killLeftovers(ctx, c, last); err != nil {
		return account{}, false, err
	}
	e := event{Kind: lost, At: last.At.UTC(), Cause: "lost: its shim ended before the task did"}
	if damage != nil {
		// It cannot be added to. Each look comes to the same.
		a = account{}
		e.Cause = fmt.Sprintf("lost: its record is damaged: %v", damage)
		a.add(e)
		return a, true, nil
	}
	// Kept, so that the next look need not search all processes again. If it
	// cannot be, this one is as true.
	if r, err := openRecorder(d.file("record")); err == nil {
		_ = r.add(e)
		_ = r.close()
	}
	a.add(e)
	return a, true, nil
}
