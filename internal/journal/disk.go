package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// disk and file are what a journal needs of a file system: the seam at which a
// test makes any single call fail.
type disk interface {
	Open(path string) (file, error)   // for reading and writing; made if absent
	Create(path string) (file, error) // made, or emptied
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error // of the directory that holds path
	Same(f file, path string) (bool, error)
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Size() (int64, error)
	Lock() error // ErrLocked if another open file has it
}

type osDisk struct{}

// Journals hold what a workload is made of: they are the owner's alone.
const mode = 0o600

func (osDisk) Open(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) Create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) Remove(path string) error     { return os.Remove(path) }

func (osDisk) SyncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Same reports whether path still names f.
func (osDisk) Same(f file, path string) (bool, error) {
	held, err := f.(osFile).Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(held, named), nil
}

type osFile struct{ *os.File }

func (f osFile) Lock() error { return lock(f.File) }

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !st.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", f.Name())
	}
	return st.Size(), nil
}

// openLocked opens path and locks it. Rewrite may give the name to another file
// between the two: then the lock is on a file that is nobody's journal.
func openLocked(path string, d disk) (file, error) {
	for {
		f, err := d.Open(path)
		if err != nil {
			return nil, err
		}
		if err := f.Lock(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		same, err := d.Same(f, path)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if same {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

func readAll(f file) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > MaxFile {
		return nil, fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}
