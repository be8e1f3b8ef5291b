package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The size of a task is asked for in the file "scale", and told to its program
// in the file "size": only the shim writes that one, so that what the program
// is told and what is on record cannot differ.

// Scale implements Executor.
func (p Process) Scale(ctx context.Context, name string, size int) error {
	if err := p.scale(ctx, name, size); err != nil {
		return fmt.Errorf("scale task %s to %s: %w", name, SizeText(size), err)
	}
	return nil
}

func (p Process) scale(ctx context.Context, name string, size int) error {
	if err := checkSize(size); err != nil {
		return err
	}
	d, ok, err := p.existing(name)
	if err != nil {
		return err
	}
	if !ok {
		return ErrAbsent
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
			if len(a.Sizes) == 0 {
				return errors.New("it was started without a size")
			}
			if a.Size() == size {
				return nil
			}
			// If we crash before the signal, the shim finds the file with its
			// next pulse.
			if !asked {
				if err := errors.Join(d.replace("scale", size), c.tell(unix.SIGWINCH)); err != nil {
					return err
				}
				asked = true
			}
		}
		if time.Now().After(deadline) {
			return errors.New("its shim does not follow")
		}
		if err := pause(ctx, 3*time.Millisecond); err != nil {
			return err
		}
	}
}

// resize brings the task to the size that a caller has asked for last. The
// program is told first, and then it is on record: a crash in between ends the
// program too.
func (s *shim) resize() {
	var want int
	if ok, err := s.dir.read("scale", &want); !ok || err != nil || want == s.size || s.size == 0 || checkSize(want) != nil || s.main == (identity{}) {
		return
	}
	if err := s.dir.tellSize(want); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		return // with the next pulse
	}
	s.size = want
	now := time.Now()
	at := laterOf(s.clock.now(), now.UTC().Round(0))
	if !s.suspend {
		at = s.clock.end(now) // the interval goes on from here
	}
	s.note(event{Kind: scaled, At: at, Size: want})
}

// tellSize writes the size where the program looks for it.
func (d taskDir) tellSize(size int) error { return d.replace("size", float64(size)/Declared) }
