// Package executor drives the engines that workloads run on. It starts,
// suspends, stops and observes what it is told to, and decides nothing: the
// agent decides, and what an executor reports it has seen on the engine itself.
package executor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Executor drives one engine. Every method is idempotent by name, safe for use
// from many goroutines, and may be repeated after a crash of the caller.
type Executor interface {
	// Start starts t, at most once ever for each name, however often it is
	// called and wherever its caller crashed. The first task given for a name
	// is the one that counts. It returns nil once the start is settled, which
	// includes one that failed: Observe tells. After an error the outcome is
	// unknown, and Start may be called again.
	Start(ctx context.Context, t Task) error

	// Suspend stops every process of the task from making progress, and Resume
	// lets them go on. They return when that is so, ErrAbsent if the task has
	// not started, and ErrEnded if it no longer runs.
	Suspend(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error

	// Scale tells the task to run at a size, in thousandths of the declared one,
	// and returns when it has been told. It is for tasks that were started with
	// a size. It returns ErrAbsent and ErrEnded as Suspend does; a task that is
	// suspended is told too.
	Scale(ctx context.Context, name string, size int) error

	// Stop asks the task to end, and ends it by force when grace is over. It
	// returns when the request is safe with the engine and does not wait for
	// the end. The first reason counts, and the shortest grace. A task that was
	// given but has not started never will. Stop of an unknown or ended task
	// does nothing.
	Stop(ctx context.Context, name string, grace time.Duration, reason string) error

	// Observe says what the engine itself shows of the task. Absent means that
	// it has not started so far: before a caller gives the right to start back
	// it calls Stop or Forget, and only then nothing can start any more.
	Observe(ctx context.Context, name string) (Observation, error)

	// List returns the names of all tasks that anything is kept of, sorted.
	List(ctx context.Context) ([]string, error)

	// Logs returns at most limit bytes of what the task wrote to its standard
	// output and error, from offset on, where offset counts from the first byte
	// ever written. A negative offset asks for the last limit bytes. It returns
	// ErrAbsent if nothing is kept of the task.
	Logs(ctx context.Context, name string, offset int64, limit int) (Chunk, error)

	// Forget removes what is kept of a task that has ended, is lost, or has not
	// started. It returns ErrRunning for one that runs. With it goes the memory
	// that the name was ever started: that is then the caller's to keep.
	Forget(ctx context.Context, name string) error
}

var (
	// ErrAbsent says that there is no task of that name, or none that started.
	ErrAbsent = errors.New("no such task")
	// ErrEnded says that the task does not run any more.
	ErrEnded = errors.New("the task has ended")
	// ErrRunning says that the task still runs.
	ErrRunning = errors.New("the task still runs")
)

// Task is what an executor runs. It is plaintext of the customer's intent and
// stays within the enclave.
type Task struct {
	Name string   `json:"name"`          // a DNS label, so that it is a name on every engine
	Argv []string `json:"argv"`          // the program and its arguments; no shell in between
	Env  []string `json:"env,omitempty"` // KEY=value; nothing else is inherited
	Dir  string   `json:"dir,omitempty"` // an absolute path, "/" if empty

	// Size is the size at which it starts, in thousandths of the declared one, for
	// a program that can run at several; 0: it has one size and is told of none.
	// The program finds it in CLUSY_SIZE, and each later one, as soon as it is
	// asked for, in the file that CLUSY_SIZE_FILE names.
	Size int `json:"size,omitempty"`

	// Max bounds the time that the task runs; time in which it is suspended
	// does not count. 0 is no bound.
	Max time.Duration `json:"max,omitempty"`
	// Grace is how long the task may take to end when Max is over.
	Grace time.Duration `json:"grace,omitempty"`
	// LogLimit bounds what is kept of its output, in bytes. 0 is DefaultLogLimit.
	LogLimit int64 `json:"logLimit,omitempty"`
}

// What Task.Check allows.
const (
	DefaultLogLimit = 16 << 20
	minLogLimit     = 4 << 10
	maxLogLimit     = 1 << 30
	maxTaskBytes    = 1 << 20
	maxName         = 63
)

// Check returns an error if t cannot be a task on any engine.
func (t Task) Check() error {
	if err := CheckName(t.Name); err != nil {
		return err
	}
	if len(t.Argv) == 0 || t.Argv[0] == "" {
		return fmt.Errorf("task %s names no program", t.Name)
	}
	// The values may be secrets: the errors say which rule is broken, not by what.
	size := len(t.Dir)
	for _, a := range t.Argv {
		size += len(a) + 1
		if !plain(a) {
			return fmt.Errorf("task %s has an argument that is not text", t.Name)
		}
	}
	for _, e := range t.Env {
		size += len(e) + 1
		if !plain(e) || strings.IndexByte(e, '=') < 1 {
			return fmt.Errorf("task %s has an environment entry that is not KEY=value", t.Name)
		}
	}
	if size > maxTaskBytes {
		return fmt.Errorf("task %s has %d bytes of arguments and environment, more than %d", t.Name, size, maxTaskBytes)
	}
	if t.Dir != "" && (!filepath.IsAbs(t.Dir) || !plain(t.Dir)) {
		return fmt.Errorf("task %s has a directory that is not an absolute path", t.Name)
	}
	if t.Size != 0 {
		if err := checkSize(t.Size); err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
	}
	if t.Max < 0 || t.Grace < 0 {
		return fmt.Errorf("task %s has a negative time", t.Name)
	}
	if t.LogLimit != 0 && (t.LogLimit < minLogLimit || t.LogLimit > maxLogLimit) {
		return fmt.Errorf("task %s has a log limit of %d, outside %d to %d", t.Name, t.LogLimit, minLogLimit, maxLogLimit)
	}
	return nil
}

// Declared is the size of a task as it is declared; maxSize is a hundredfold.
const (
	Declared = 1000
	maxSize  = 100_000
)

func checkSize(size int) error {
	if size < 1 || size > maxSize {
		return fmt.Errorf("a size of %d thousandths is not 1 to %d", size, maxSize)
	}
	return nil
}

// SizeText writes a size as a program is told it: 2, 0.5.
func SizeText(size int) string { return strconv.FormatFloat(float64(size)/Declared, 'f', -1, 64) }

// plain reports whether s reaches the program unchanged: it ends at no zero
// byte, and is UTF-8, as all that carries it on the way is.
func plain(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// CheckName returns an error if name is not a DNS label (RFC 1123): lower-case
// letters, digits and inner hyphens, at most 63. No such name leaves its
// directory or ends an argument.
func CheckName(name string) error {
	ok := len(name) > 0 && len(name) <= maxName && name[0] != '-' && name[len(name)-1] != '-'
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fmt.Errorf("task name %.80q is not 1 to %d lower-case letters, digits and inner hyphens", name, maxName)
	}
	return nil
}

// Phase is how far a task has come.
type Phase string

const (
	Absent    Phase = "absent"    // has not started so far
	Starting  Phase = "starting"  // claimed by a live shim or engine; may have started
	Running   Phase = "running"   // has started and may make progress
	Suspended Phase = "suspended" // has started and makes no progress
	Ended     Phase = "ended"     // there is a record of its end
	Lost      Phase = "lost"      // may have started, nothing of it lives, and how it ended is unknown
)

// Live reports whether a task in phase p holds processes, or is about to.
func (p Phase) Live() bool { return p == Starting || p == Running || p == Suspended }

// Observation is what an engine shows of a task. Zero times are unknown.
type Observation struct {
	Phase   Phase
	PID     int       // of the main process, 0 if there is none or the engine has no such thing
	Started time.Time // when its program was seen to run; zero if it never was
	Ended   time.Time // zero unless Phase is Ended

	// ExitCode is the main process's, 128 plus the signal if a signal ended it,
	// 127 or 126 if its program was not found or could not be run, -1 if there
	// is none. It says nothing unless Phase is Ended.
	ExitCode int
	Signal   string // SIGKILL and so on, "" if it ended by itself
	Cause    string // "", "max-duration", "stopped: …", "start failed: …", "lost: …"

	// Runs are the intervals of real time in which it ran, in order. The last
	// has a zero To while it runs; if the task is lost, To is the last instant
	// at which it is known to have run.
	Runs []Span

	// Sizes says from when on it had which size, in order; none if it has one
	// size only. The first is that of its start.
	Sizes []Sized

	// CPU is the processor time that the task's processes have used, user and
	// system. It is a lower bound while the task lives.
	CPU time.Duration
}

// Ran returns for how long the task ran, up to now if it still does.
func (o Observation) Ran(now time.Time) time.Duration {
	var sum time.Duration
	for _, s := range o.Runs {
		to := s.To
		if to.IsZero() {
			to = now
		}
		sum += max(0, to.Sub(s.From))
	}
	return sum
}

// Size returns the size that o has last, 0 if it is told of none.
func (o Observation) Size() int {
	if n := len(o.Sizes); n > 0 {
		return o.Sizes[n-1].Size
	}
	return 0
}

// Sized is an instant of real time, and the size from then on.
type Sized struct {
	At   time.Time
	Size int // thousandths of the declared one
}

// Span is an interval of real time, From inclusive and To exclusive.
type Span struct{ From, To time.Time }

// Chunk is a piece of a task's output.
type Chunk struct {
	Data   []byte
	Offset int64 // of Data's first byte; past the one asked for if that is no longer kept
	Next   int64 // where to go on reading
	Size   int64 // bytes written so far
}
