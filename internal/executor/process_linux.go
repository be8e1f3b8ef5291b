package executor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var _ Executor = Process{}

// patience is how long to wait for the kernel and for a shim to do what takes
// them milliseconds. Whoever loses it returns an error and may be asked again.
const patience = 10 * time.Second

// dir returns the directory of the task, which need not exist.
func (p Process) dir(name string) (taskDir, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	root, err := filepath.Abs(p.Root)
	if err != nil {
		return "", err
	}
	return taskDir(filepath.Join(root, name)), nil
}

// existing returns the directory of the task, and false if there is none.
func (p Process) existing(name string) (taskDir, bool, error) {
	d, err := p.dir(name)
	if err != nil {
		return "", false, err
	}
	st, err := os.Lstat(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("%s is not a directory", d)
	}
	return d, err == nil, err
}

// Observe implements Executor.
func (p Process) Observe(ctx context.Context, name string) (Observation, error) {
	d, ok, err := p.existing(name)
	if err != nil {
		return Observation{}, fmt.Errorf("observe task %s: %w", name, err)
	}
	if !ok {
		return Observation{Phase: Absent}, nil
	}
	a, _, err := d.look(ctx)
	if err != nil {
		return Observation{}, fmt.Errorf("observe task %s: %w", name, err)
	}
	return a.Observation, nil
}

// Suspend implements Executor.
func (p Process) Suspend(ctx context.Context, name string) error {
	if err := p.bring(ctx, name, true); err != nil {
		return fmt.Errorf("suspend task %s: %w", name, err)
	}
	return nil
}

// Resume implements Executor.
func (p Process) Resume(ctx context.Context, name string) error {
	if err := p.bring(ctx, name, false); err != nil {
		return fmt.Errorf("resume task %s: %w", name, err)
	}
	return nil
}

// bring has the shim stop or continue the whole tree, and returns when it has.
func (p Process) bring(ctx context.Context, name string, suspended bool) error {
	d, ok, err := p.existing(name)
	if err != nil {
		return err
	}
	if !ok {
		return ErrAbsent
	}
	sig := unix.SIGUSR2
	if suspended {
		sig = unix.SIGUSR1
	}
	asked := false
	for deadline := time.Now().Add(patience); ; {
		a, c, err := d.look(ctx)
		if err != nil {
			return err
		}
		switch a.Phase {
		case Absent:
			return ErrAbsent
		case Ended, Lost:
			return ErrEnded
		case Running, Suspended:
			// The shim acts on the tree, and not we: it finishes what it has
			// begun even if we do not, and a tree is never left half stopped.
			if !asked {
				if err := c.tell(sig); err != nil {
					return err
				}
				asked = true
			} else if done, err := brought(c.Shim, a.PID, suspended); err != nil || done {
				return err
			}
		}
		if time.Now().After(deadline) {
			return errors.New("its processes do not follow")
		}
		if err := pause(ctx, 3*time.Millisecond); err != nil {
			return err
		}
	}
}

// tell signals the shim, and has it go on should somebody have stopped it.
func (c claim) tell(sig unix.Signal) error {
	return errors.Join(c.Shim.signal(sig), c.Shim.signal(unix.SIGCONT))
}

// brought looks at the tree itself: every process is stopped, or none is.
func brought(shim identity, main int, suspended bool) (bool, error) {
	tree, err := descendants(shim)
	if err != nil {
		return false, err
	}
	found := false
	for _, p := range tree {
		found = found || p.PID == main && !p.gone() // a dead one obeys nobody
		if !p.gone() && p.stopped() != suspended {
			return false, nil
		}
	}
	return found, nil // without its main process it is about to end
}

// List implements Executor.
func (p Process) List(context.Context) ([]string, error) {
	entries, err := os.ReadDir(p.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && CheckName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Logs implements Executor.
func (p Process) Logs(_ context.Context, name string, offset int64, limit int) (Chunk, error) {
	d, ok, err := p.existing(name)
	if err != nil {
		return Chunk{}, fmt.Errorf("logs of task %s: %w", name, err)
	}
	var s spec
	if ok {
		ok, err = d.read("spec", &s)
	}
	if err != nil {
		return Chunk{}, fmt.Errorf("logs of task %s: %w", name, err)
	}
	if !ok {
		return Chunk{}, fmt.Errorf("logs of task %s: %w", name, ErrAbsent)
	}
	c, err := readLog(string(d), s.LogLimit, offset, limit)
	if err != nil {
		return Chunk{}, fmt.Errorf("logs of task %s: %w", name, err)
	}
	return c, nil
}

// Stop implements Executor.
func (p Process) Stop(ctx context.Context, name string, grace time.Duration, reason string) error {
	d, ok, err := p.existing(name)
	if err == nil && ok {
		err = d.stop(ctx, order{Reason: oneLine(reason), Grace: max(0, grace)})
	}
	if err != nil {
		return fmt.Errorf("stop task %s: %w", name, err)
	}
	return nil
}

func (d taskDir) stop(ctx context.Context, o order) error {
	for deadline := time.Now().Add(patience); ; {
		a, c, err := d.look(ctx)
		if err != nil {
			return err
		}
		switch a.Phase {
		case Ended, Lost:
			return nil
		case Absent:
			if done, err := d.forbid(o); err != nil || done {
				return err
			}
			// A shim has taken the lock meanwhile: look again.
		default:
			// The first reason stays, and no one can lengthen the grace.
			var first order
			if ok, err := d.read("stop", &first); err == nil && ok {
				o.Reason, o.Grace = first.Reason, min(o.Grace, first.Grace)
			}
			// If we crash before the signal, the shim finds the order with its
			// next pulse. If the disk is full it gets the signal all the same:
			// a task that fills it must not be safe from being stopped for that.
			return errors.Join(d.replace("stop", o), c.tell(unix.SIGTERM))
		}
		if time.Now().After(deadline) {
			return errors.New("another process holds its lock")
		}
		if err := pause(ctx, 3*time.Millisecond); err != nil {
			return err
		}
	}
}

// forbid makes the claim itself, so that no shim ever can. It reports false if a
// shim was faster.
func (d taskDir) forbid(o order) (bool, error) {
	lock, err := d.tryLock(true)
	if errors.Is(err, errHeld) {
		return false, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // forgotten meanwhile: no shim can find it
	}
	if err != nil {
		return false, err
	}
	won, err := d.publish("claim", claim{At: time.Now().UTC(), Never: stopCause(o.Reason)})
	return won, errors.Join(err, lock.unlock())
}

// oneLine bounds a reason and makes it fit for a record and a table.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "")
	}
	return s
}

// Forget implements Executor.
func (p Process) Forget(ctx context.Context, name string) error {
	d, ok, err := p.existing(name)
	if err == nil && ok {
		err = d.forget(ctx)
	}
	if err != nil {
		return fmt.Errorf("forget task %s: %w", name, err)
	}
	return nil
}

func (d taskDir) forget(ctx context.Context) error {
	// What an earlier one could not finish. Only ended tasks are ever moved.
	root := filepath.Dir(string(d))
	left, err := filepath.Glob(filepath.Join(root, gone+"*"))
	for _, l := range left {
		err = errors.Join(err, os.RemoveAll(l))
	}
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; {
		a, _, err := d.look(ctx)
		if err != nil {
			return err
		}
		if a.Phase.Live() {
			return ErrRunning
		}
		done, err := d.moveAway(a.Phase, root)
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("another process holds its lock")
		}
		if err := pause(ctx, 3*time.Millisecond); err != nil {
			return err
		}
	}
}

// gone begins the names of directories that are being removed. No task has such
// a name.
const gone = ".gone-"

// moveAway removes the directory if the task is still in the phase that was
// seen, under the lock, so that no shim begins in it meanwhile.
func (d taskDir) moveAway(seen Phase, root string) (bool, error) {
	lock, err := d.tryLock(true)
	if errors.Is(err, errHeld) {
		return false, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // somebody else was faster
	}
	if err != nil {
		return false, err
	}
	defer lock.unlock()
	if claimed, err := d.has("claim"); err != nil || claimed && seen == Absent {
		return false, err
	}
	to := filepath.Join(root, gone+filepath.Base(string(d))+"-"+newRun())
	if err := os.Rename(string(d), to); err != nil {
		return false, err
	}
	if err := syncDir(root); err != nil {
		return false, err
	}
	return true, os.RemoveAll(to)
}
