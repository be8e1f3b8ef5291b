// Package journal is an append file that survives a crash at any instant: what
// Append has returned for is on the disk, and a record is there whole or not at
// all. The agent and the shim keep in it what they must not forget.
package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// What a journal holds at most. A record is a fact, not a store of bulk.
const (
	MaxRecord = 1 << 20 // bytes of one record
	MaxBatch  = 8 << 20 // bytes of the records of one Append, each with its length
	MaxFile   = 1 << 30 // bytes of the whole file; Rewrite it long before
)

var (
	// ErrLocked says that another process, or another Journal in this one, has
	// the file open.
	ErrLocked = errors.New("journal is open elsewhere")
	// ErrFailed says that an earlier error left it unknown what is on the disk.
	// Only closing the journal and opening it again finds out.
	ErrFailed = errors.New("journal failed before and must be opened again")
	// ErrTooLarge says that a record, a batch or the file is past its bound.
	ErrTooLarge = errors.New("too large for the journal")
	// ErrClosed says that the journal is closed.
	ErrClosed = errors.New("journal is closed")
)

// CorruptError says that a journal is damaged before its end, where no crash
// leaves damage. It is for a person to look at: nothing was changed.
type CorruptError struct {
	Path   string
	Offset int64 // of the first byte that cannot be read
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal %s is corrupt at offset %d: %s", e.Path, e.Offset, e.Reason)
}

// Journal is an open journal. It is safe for use from many goroutines.
type Journal struct {
	path string
	disk disk
	torn Torn

	mu   sync.Mutex
	f    file
	salt uint64
	size int64 // the end of the last whole frame: all before it is durable
	err  error // why it failed or was closed, nil while usable
}

// Torn is what Open cut off: the beginning of an Append that a crash did not
// let finish, and that therefore never returned nil.
type Torn struct {
	Offset int64 // where it began
	Bytes  int64 // how much there was of it, 0 if the end was clean
}

// Open opens the journal at path, creates it if there is none, and returns its
// records from the oldest on. A torn tail is cut off, see Torn; damage anywhere
// else is a *CorruptError. Only one Journal can have a file open: ErrLocked.
func Open(path string) (*Journal, [][]byte, error) {
	return open(path, osDisk{})
}

func open(path string, d disk) (*Journal, [][]byte, error) {
	f, err := openLocked(path, d)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	j := &Journal{path: path, disk: d, f: f}
	records, err := j.load()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return j, records, nil
}

// load reads the file, cuts off a torn tail, and leaves j ready to append.
func (j *Journal) load() ([][]byte, error) {
	b, err := readAll(j.f)
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, err)
	}
	c, err := parse(b)
	if err != nil {
		return nil, named(err, j.path)
	}
	if !c.headed {
		// The file is empty or was made by a crash in this very line: a header
		// is never written over anything but the beginning of another.
		j.salt = newSalt()
		if _, err := j.f.WriteAt(header(j.salt), 0); err != nil {
			return nil, fmt.Errorf("begin journal %s: %w", j.path, err)
		}
		c.end = headerSize
	} else {
		j.salt = c.salt
	}
	j.size = c.end
	if n := int64(len(b)) - c.end; n > 0 {
		j.torn = Torn{Offset: c.end, Bytes: n}
		if err := j.f.Truncate(c.end); err != nil {
			return nil, fmt.Errorf("cut the torn tail of journal %s: %w", j.path, err)
		}
	} else if !c.headed && len(b) > 0 {
		j.torn = Torn{Bytes: int64(len(b))}
	}
	// Even what was read whole may so far be only in memory, if the process
	// that wrote it died before its fsync. After this line it is as durable as
	// the caller believes it to be; and so is the file's name.
	if err := j.f.Sync(); err != nil {
		return nil, fmt.Errorf("sync journal %s: %w", j.path, err)
	}
	if err := j.disk.SyncDir(j.path); err != nil {
		return nil, fmt.Errorf("sync the directory of journal %s: %w", j.path, err)
	}
	return c.records, nil
}

// Torn returns what Open cut off.
func (j *Journal) Torn() Torn { return j.torn }

// Size returns the length of the file in bytes, for a caller to judge when to
// Rewrite.
func (j *Journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// Append adds recs, all or none, in one write and one fsync, and returns nil
// only when they are durable. After an error they are not in the journal; if it
// was one that leaves the disk in doubt, so is the journal: see ErrFailed.
func (j *Journal) Append(recs ...[]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return fmt.Errorf("append to journal %s: %w", j.path, j.err)
	}
	if len(recs) == 0 {
		return nil
	}
	b, err := appendFrame(nil, j.salt, j.size, recs)
	if err == nil && j.size+int64(len(b)) > MaxFile {
		err = ErrTooLarge
	}
	if err != nil {
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	if _, err := j.f.WriteAt(b, j.size); err != nil {
		// The disk is full, as a rule. Take back what was written of it, so
		// that the next Append finds a clean end; what was there is untouched.
		if cut := j.cutBack(); cut != nil {
			j.err = ErrFailed
			err = errors.Join(err, cut)
		}
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	if err := j.f.Sync(); err != nil {
		// The kernel may have dropped the pages and will not report it again:
		// a second fsync that succeeds would prove nothing.
		j.err = ErrFailed
		return fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	j.size += int64(len(b))
	return nil
}

func (j *Journal) cutBack() error {
	if err := j.f.Truncate(j.size); err != nil {
		return err
	}
	return j.f.Sync()
}

// Rewrite replaces all records by recs, so that after a crash there are either
// the old ones or the new ones. After an error the old ones are there, unless
// the journal failed.
func (j *Journal) Rewrite(recs [][]byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return fmt.Errorf("rewrite journal %s: %w", j.path, j.err)
	}
	if err := j.rewrite(recs); err != nil {
		return fmt.Errorf("rewrite journal %s: %w", j.path, err)
	}
	return nil
}

func (j *Journal) rewrite(recs [][]byte) error {
	// 1. Write the new file beside the old one, durably. A crash leaves it
	// behind under a name that the next Rewrite takes again.
	salt := newSalt()
	next := j.path + ".new"
	f, err := j.disk.Create(next)
	if err != nil {
		return err
	}
	size, err := fill(f, salt, recs)
	if err == nil {
		// The lock must be held before the name is taken, or another process
		// could open the new file in between.
		err = f.Lock()
	}
	if err == nil {
		err = f.Sync()
	}
	// 2. Give it the name.
	if err == nil {
		err = j.disk.Rename(next, j.path)
	}
	if err != nil {
		return errors.Join(err, f.Close(), j.disk.Remove(next))
	}
	// 3. From here on the new file is the journal, and appends go to it. If the
	// directory cannot be synced, a power cut may bring the old one back and
	// lose what is appended now: so nothing may be.
	old := j.f
	j.f, j.salt, j.size = f, salt, size
	if err := j.disk.SyncDir(j.path); err != nil {
		j.err = ErrFailed
		return errors.Join(err, old.Close())
	}
	return old.Close()
}

// fill writes a whole journal to f, in batches of bounded size.
func fill(f file, salt uint64, recs [][]byte) (size int64, err error) {
	if _, err := f.WriteAt(header(salt), 0); err != nil {
		return 0, err
	}
	size = headerSize
	for len(recs) > 0 {
		n, bytes := 0, 0
		for n < len(recs) && (n == 0 || bytes+len(recs[n])+maxPrefix <= MaxRecord) {
			bytes += len(recs[n]) + maxPrefix
			n++
		}
		b, err := appendFrame(nil, salt, size, recs[:n])
		if err == nil && size+int64(len(b)) > MaxFile {
			err = ErrTooLarge
		}
		if err == nil {
			_, err = f.WriteAt(b, size)
		}
		if err != nil {
			return 0, err
		}
		size += int64(len(b))
		recs = recs[n:]
	}
	return size, nil
}

// Close closes the journal and lets go of its lock. Closing twice is harmless.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f, j.err = nil, ErrClosed
	if err != nil {
		return fmt.Errorf("close journal %s: %w", j.path, err)
	}
	return nil
}

// Read returns the records of the journal at path without opening it for
// writing, so that an observer can look while its owner appends. What is torn
// at the end is left alone and not returned. The error is os.ErrNotExist if
// there is no file.
func Read(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	b, err := readAll(osFile{f})
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", path, err)
	}
	c, err := parse(b)
	if err != nil {
		return nil, named(err, path)
	}
	return c.records, nil
}

// named puts the path into a *CorruptError, which parse cannot know.
func named(err error, path string) error {
	var c *CorruptError
	if errors.As(err, &c) {
		c.Path = path
	}
	return err
}
