//go:build !unix

package journal

import (
	"errors"
	"os"
)

// lock refuses: without a lock two processes could write one journal.
func lock(*os.File) error {
	return errors.New("this system has no file locks that a journal can rely on")
}
