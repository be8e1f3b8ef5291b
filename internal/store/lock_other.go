//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package store

import (
	"errors"
	"os"
)

// lock is not possible here, and a store without it could be opened twice.
func lock(string) (*os.File, error) {
	return nil, errors.New("the embedded store needs a system with flock")
}
