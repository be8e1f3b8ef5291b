package executor

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// taskDir is the directory of one task, the only thing that the caller and the
// shim share:
//
//	spec    what to run; made once and whole by the first Start
//	lock    held by the shim for as long as it lives
//	claim   made once, under the lock, before the program is started
//	record  the journal of what happened to the program
//	pulse   when the shim was last alive; not synced, as it is for this boot only
//	stop    why and how soon the task shall end
//	scale   which size the task shall have
//	size    which one its program is told to have; the program reads it
//	log.N   pieces of its output, the last two
//	shim.err  what the shim itself had to complain about
//
// The order spec, claim, start, record is what "at most once" rests on: without
// a claim nothing was started, and where there is a claim nothing is started
// again. A claim is no start either: only the record tells of one.
type taskDir string

func (d taskDir) file(name string) string { return filepath.Join(string(d), name) }

// spec is the task with the mark that all its processes carry.
type spec struct {
	Task
	// Run is random: a process with it in its environment belongs to this
	// start, and not to a task of the same name below another root.
	Run string `json:"run"`
}

// claim says which shim may start the program, and where and when it lived.
type claim struct {
	Run  string    `json:"run"`
	Boot string    `json:"boot"` // the boot of the machine that Shim belongs to
	Shim identity  `json:"shim"`
	At   time.Time `json:"at"`
	// Never is the cause if the claim was made to prevent a start. Such a claim
	// is a record too: there is no shim that could make another.
	Never string `json:"never,omitempty"`
}

// order is the contents of the stop file.
type order struct {
	Reason string        `json:"reason"`
	Grace  time.Duration `json:"grace"`
}

func newRun() string { return rand.Text() }

// publish gives v the name, whole and durable, if the name is not taken yet,
// and reports whether it was free: of two that publish, one wins.
func (d taskDir) publish(name string, v any) (won bool, err error) {
	tmp, err := d.write(name, v)
	if err != nil {
		return false, err
	}
	err = os.Link(tmp, d.file(name))
	if errors.Is(err, fs.ErrExist) {
		return false, os.Remove(tmp)
	}
	if err := errors.Join(err, os.Remove(tmp)); err != nil {
		return false, err
	}
	return true, syncDir(string(d))
}

// replace gives v the name, whole and durable, whether or not it was taken.
func (d taskDir) replace(name string, v any) error {
	tmp, err := d.write(name, v)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, d.file(name)); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(string(d))
}

// write puts v into a new file beside name, durably, and returns its path.
func (d taskDir) write(name string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(string(d), "."+name+"-*") // 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// read fills v from the file of that name and reports whether there is one.
func (d taskDir) read(name string, v any) (bool, error) {
	b, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		// The contents of a spec are the customer's: name the file, not them.
		return false, fmt.Errorf("%s is not readable", d.file(name))
	}
	return true, nil
}

func (d taskDir) has(name string) (bool, error) {
	_, err := os.Lstat(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// readClaim returns the claim, and false if the task is not claimed.
func (d taskDir) readClaim() (claim, bool, error) {
	var c claim
	ok, err := d.read("claim", &c)
	return c, ok, err
}

// pulse is written by the shim every pulseEvery and tells, after its death,
// until when it is known to have lived.
type pulse struct {
	Ticks uint64    // of the machine's clock since boot
	At    time.Time // the same instant of real time
}

const pulseEvery = 2 * time.Second

// beat writes the pulse in place and does not sync it: it costs one page in
// memory that the kernel writes out when it sees fit.
func (d taskDir) beat(now time.Time) error {
	f, err := os.OpenFile(d.file("pulse"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%020d %020d\n", bootTicks(), now.UnixNano())
	return errors.Join(err, f.Close())
}

// lastPulse returns the zero pulse if there is none that can be read.
func (d taskDir) lastPulse() pulse {
	b, err := os.ReadFile(d.file("pulse"))
	if err != nil {
		return pulse{}
	}
	var ticks uint64
	var at int64
	if _, err := fmt.Sscanf(string(b), "%d %d\n", &ticks, &at); err != nil {
		return pulse{}
	}
	return pulse{Ticks: ticks, At: time.Unix(0, at)}
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// fileLock is an open file description lock: it belongs to one open file, can
// be asked after without being taken, and ends with the process however it ends.
type fileLock struct{ f *os.File }

var errHeld = errors.New("the lock is held")

// tryLock takes the task's lock, or returns errHeld.
func (d taskDir) tryLock(create bool) (*fileLock, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(d.file("lock"), flags, 0o600)
	if err != nil {
		return nil, err
	}
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &whole)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = errHeld
	}
	if err == nil {
		err = d.sameLock(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &fileLock{f}, nil
}

// sameLock returns an error unless f is still the task's lock file: Forget may
// have moved the directory away between open and lock.
func (d taskDir) sameLock(f *os.File) error {
	have, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(d.file("lock"))
	if err != nil {
		return err
	}
	if !os.SameFile(have, named) {
		return fmt.Errorf("%s was forgotten: %w", d, fs.ErrNotExist)
	}
	return nil
}

func (l *fileLock) unlock() error { return l.f.Close() }

// locked reports whether anyone holds the task's lock, without touching it.
func (d taskDir) locked() (bool, error) {
	f, err := os.Open(d.file("lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	// Asking for a read lock needs no more than read access, and meets the
	// same write lock.
	whole := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &whole); err != nil {
		return false, err
	}
	return whole.Type != unix.F_UNLCK, nil
}

// lookPath finds the program as a shell would: by PATH of the task's own
// environment, relative to the task's own directory.
func lookPath(program, path, dir string) (string, error) {
	if strings.Contains(program, "/") {
		if !filepath.IsAbs(program) {
			program = filepath.Join(dir, program)
		}
		return program, executable(program)
	}
	var denied error
	for _, p := range filepath.SplitList(path) {
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		p = filepath.Join(p, program)
		err := executable(p)
		if err == nil {
			return p, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", fmt.Errorf("no such program in PATH: %w", fs.ErrNotExist)
}

func executable(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return fmt.Errorf("is a directory: %w", fs.ErrPermission)
	}
	return unix.Access(path, unix.X_OK)
}
