//go:build unix

package journal

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the whole-file lock. It belongs to this open file: another open of
// the same path in this process does not share it, and the kernel lets go of it
// when the process ends, however it ends.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return ErrLocked
		}
		return err
	}
}
