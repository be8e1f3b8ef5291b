package executor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readyEnv names the descriptor that the shim closes when the start is settled,
// one way or the other, for the caller that waits for it.
const readyEnv = "CLUSY_READY"

// A program that can run at several sizes finds the one that it starts with in
// sizeEnv, and whichever it is to have now in the file that sizeFileEnv names.
const (
	sizeEnv     = "CLUSY_SIZE"
	sizeFileEnv = "CLUSY_SIZE_FILE"
)

// defaultPath is what a task finds programs by if it brings no PATH of its own.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ShimMain runs the shim of the task whose directory is args[0], and returns
// the exit status for the process. It must be called from the main goroutine of
// a process that does nothing else. Process starts it.
func ShimMain(args []string) int {
	return shimMain(args, nil)
}

func shimMain(args []string, crash func(step string)) int {
	// The program dies with the thread that started it (PDEATHSIG), not with
	// the process: this thread must live as long as the shim.
	runtime.LockOSThread()
	if len(args) != 1 || !filepath.IsAbs(args[0]) {
		fmt.Fprintln(os.Stderr, "a shim needs the directory of its task, and is started by the agent only")
		return 2
	}
	if crash == nil {
		crash = func(string) {}
	}
	s := &shim{dir: taskDir(args[0]), step: crash, signals: make(chan os.Signal, 16)}
	// Before there is a claim nobody knows our number, so no signal is missed.
	// Those that a session's end brings are taken and dropped rather than
	// ignored, as the program would inherit that they are.
	signal.Notify(s.signals, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT)
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// shim is the parent of a task's main process, and the only one that acts on
// the task's tree while it lives: callers ask it to, so that what they began is
// finished even if they are not.
type shim struct {
	dir     taskDir
	step    func(string)
	signals chan os.Signal
	ready   *os.File // nil if nobody waits

	me     identity
	spec   spec
	record *recorder
	log    *logWriter
	logEnd chan struct{} // closed when the last of the output is written
	output *os.File      // the reading end of the program's output
	waits  chan wait     // what wait4 says, closed when no child is left

	main    identity
	clock   clock
	suspend bool // main is stopped
	size    int  // that the program was told last; 0: it has one only
	want    goal
	passes  int // over the tree towards the goal
	cause   string
	killAt  time.Time // when grace ends, zero if it has not begun
}

// run claims the task, starts its program and sees it to its end. It returns
// nil without doing so if the task is claimed already.
func (s *shim) run() error {
	if os.Getenv(readyEnv) == "3" {
		s.ready = os.NewFile(3, "ready")
		syscall.CloseOnExec(3) // or the program would hold it open
	}
	lock, err := s.lock()
	if err != nil || lock == nil {
		return err
	}
	// Nothing below gives the lock back: it goes with the process, so that it
	// tells of our life and of nothing else.
	defer runtime.KeepAlive(lock)
	s.step("locked")
	if claimed, err := s.claim(); err != nil || !claimed {
		return err
	}
	s.step("claimed")
	if err := s.start(); err != nil {
		return s.refuse(err)
	}
	s.step("started")
	s.settled()
	end := s.watch()
	s.step("ended")
	return s.finish(end)
}

// lock waits for the task's lock. It returns nil without one if the task is
// claimed, which is how it goes for all shims but the first.
func (s *shim) lock() (*fileLock, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		lock, err := s.dir.tryLock(false)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, err
		}
		// Held by another shim that is about to claim, or by a caller that
		// wants to stop or forget the task before it starts.
		if claimed, err := s.dir.has("claim"); err != nil || claimed {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("lock %s: %w", s.dir, err)
		}
	}
}

// claim takes the one right to start this task. An error before the claim
// stands leaves the task as it was: another shim may try.
func (s *shim) claim() (bool, error) {
	if claimed, err := s.dir.has("claim"); err != nil || claimed {
		return false, err
	}
	if ok, err := s.dir.read("spec", &s.spec); err != nil || !ok {
		return false, errors.Join(err, errors.New("the task has no readable spec"))
	}
	if err := s.spec.Check(); err != nil {
		return false, err
	}
	boot, err := bootID()
	if err != nil {
		return false, err
	}
	if s.me, err = self(); err != nil {
		return false, err
	}
	if s.record, err = openRecorder(s.dir.file("record")); err != nil {
		return false, err
	}
	// Orphans of the task come to us and not to init, however deep they were.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return false, fmt.Errorf("become the reaper of orphans: %w", err)
	}
	now := time.Now()
	if err := s.dir.beat(now); err != nil {
		return false, err
	}
	return s.dir.publish("claim", claim{Run: s.spec.Run, Boot: boot, Shim: s.me, At: now})
}

// start starts the program. After nil it runs; after an error it never did.
func (s *shim) start() error {
	if o, ok := s.order(); ok {
		return refusal{cause: stopCause(o.Reason), code: -1}
	}
	dir := s.spec.Dir
	if dir == "" {
		dir = "/"
	}
	if st, err := os.Stat(dir); err != nil {
		return failure(fmt.Errorf("directory: %w", err))
	} else if !st.IsDir() {
		return failure(fmt.Errorf("%s is not a directory", dir))
	}
	if s.spec.Size > 0 {
		if err := s.dir.tellSize(s.spec.Size); err != nil {
			return failure(fmt.Errorf("size: %w", err))
		}
		s.size = s.spec.Size
	}
	env := taskEnviron(s.spec, s.dir.file("size"))
	path, err := lookPath(s.spec.Argv[0], pathOf(env), dir)
	if err != nil {
		return failure(fmt.Errorf("%s: %w", s.spec.Argv[0], err))
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return failure(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return failure(err)
	}
	// ForkExec and not os/exec: we wait for all children, ours and adopted, and
	// nobody else may. It returns once the exec has succeeded or failed.
	// The run counts from before it, as nobody wakes us at the very instant of
	// the exec: it is a moment too long and not too short.
	now := time.Now()
	pid, err := syscall.ForkExec(path, s.spec.Argv, &syscall.ProcAttr{
		Dir:   dir,
		Env:   env,
		Files: []uintptr{null.Fd(), w.Fd(), w.Fd()},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	w.Close()
	if err != nil {
		r.Close()
		return failure(fmt.Errorf("%s: %w", s.spec.Argv[0], err))
	}
	s.step("exec")
	s.output = r
	s.began(pid, now)
	return nil
}

// began records that pid is our program, which has run since at, and listens.
func (s *shim) began(pid int, at time.Time) {
	// It is our child and not waited for yet, so the number is its own even if
	// it has ended already.
	p, err := readProc(pid)
	if err != nil {
		p.PID = pid
	}
	s.main = p.identity
	s.clock.begin(at)
	boot, _ := bootID() // it was read for the claim
	s.note(event{Kind: started, At: s.clock.now(), PID: s.main.PID, Start: s.main.Start, Boot: boot, Size: s.size})
	s.log = newLogWriter(string(s.dir), s.spec.LogLimit)
	s.logEnd = make(chan struct{})
	go func() {
		defer close(s.logEnd)
		io.Copy(s.log, onlyReader{s.output}) // ends with the last writer, or when closed
	}()
	s.waits = make(chan wait, 64)
	go waitAll(s.waits)
}

// onlyReader keeps io.Copy from taking a short cut past logWriter.
type onlyReader struct{ io.Reader }

// note records e, or sees to it that it will be.
func (s *shim) note(e event) {
	if err := s.record.add(e); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
	}
}

// refusal is why a program was not started.
type refusal struct {
	cause string
	code  int
}

func (r refusal) Error() string { return r.cause }

// failure is a start that failed, with the codes that shells use.
func failure(err error) refusal {
	code := 126
	if errors.Is(err, fs.ErrNotExist) {
		code = 127
	}
	return refusal{cause: "start failed: " + err.Error(), code: code}
}

// refuse records that the program never ran, and why.
func (s *shim) refuse(why error) error {
	r := refusal{cause: why.Error(), code: 126}
	errors.As(why, &r)
	s.note(event{Kind: exited, At: time.Now(), Code: r.code, Cause: r.cause})
	s.settled()
	return s.insist()
}

// insist returns when everything is recorded, however long the disk is full.
func (s *shim) insist() error {
	for s.record.flush() != nil {
		time.Sleep(time.Second)
		_ = s.dir.beat(time.Now()) // as full as the record
	}
	return s.record.close()
}

// settled lets the caller of Start go on.
func (s *shim) settled() {
	if s.ready != nil {
		s.ready.Close()
		s.ready = nil
	}
}

// finish records the end. It is the last thing that happens to a task.
func (s *shim) finish(end event) error {
	// Everybody who could write has died. Only if a descriptor was handed to a
	// process that is none of ours does the output not end: do not wait for it.
	select {
	case <-s.logEnd:
	case <-time.After(2 * time.Second):
		s.output.Close()
		<-s.logEnd
	}
	if err := s.log.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "log:", err)
	}
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &used); err == nil {
		end.CPU = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	end.Kind, end.Cause = exited, s.cause
	s.note(end)
	if err := s.insist(); err != nil {
		return err
	}
	s.step("exit")
	return nil
}

// order reads the stop file.
func (s *shim) order() (order, bool) {
	var o order
	ok, err := s.dir.read("stop", &o)
	return o, ok && err == nil
}

func stopCause(reason string) string { return "stopped: " + reason }

// taskEnviron is all that the program inherits.
func taskEnviron(t spec, sizeFile string) []string {
	env := make([]string, 0, len(t.Env)+5)
	for _, e := range t.Env {
		name, _, _ := strings.Cut(e, "=")
		if name != taskEnv && name != runEnv && (t.Size == 0 || name != sizeEnv && name != sizeFileEnv) {
			env = append(env, e)
		}
	}
	if pathOf(env) == "" {
		env = append(env, "PATH="+defaultPath)
	}
	if t.Size > 0 {
		env = append(env, sizeEnv+"="+SizeText(t.Size), sizeFileEnv+"="+sizeFile)
	}
	return append(env, taskEnv+"="+t.Name, runEnv+"="+t.Run)
}

func pathOf(env []string) string {
	path := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	return path
}

// clock tells real time for the records: each interval begins at the machine's
// real time and lasts as long as its monotonic clock says, so that setting the
// clock during a run adds no time to it and takes none away.
type clock struct {
	from time.Time // with its monotonic reading
	last time.Time
}

func (c *clock) begin(now time.Time) {
	c.from = now
	c.last = laterOf(c.last, now.UTC().Round(0))
}

// end returns the real time at now of the interval that began last.
func (c *clock) end(now time.Time) time.Time {
	c.last = c.last.Add(max(0, now.Sub(c.from)))
	c.from = now
	return c.last
}

func (c *clock) now() time.Time { return c.last }

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
