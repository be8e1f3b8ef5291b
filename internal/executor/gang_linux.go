package executor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// mostLine is where a line of a gang's output is broken, if it does not end.
const mostLine = 64 << 10

// GangMain runs SIZE copies of a program as one: args are SIZE, the grace, "--",
// the program and its arguments. It is the program that a task of a gang has: its
// copies are in the task's tree, so that who suspends, stops or counts that has
// all of them. Each copy is told its number from 0 in CLUSY_RANK, and SIZE in
// CLUSY_SIZE. What they write comes out line by line, each line after the number
// of its copy: "3| text".
//
// It ends when all have ended, with 0 if all did. When one fails, the others are
// asked to end, and killed when grace is over; the first failure's code is the
// gang's, and 128 and the signal for one that a signal ended.
func GangMain(args []string) int {
	if len(args) < 4 || args[2] != "--" {
		fmt.Fprintln(os.Stderr, "a gang is SIZE GRACE -- PROGRAM [ARGUMENT …], and is started by the agent only")
		return 2
	}
	size, err := strconv.Atoi(args[0])
	grace, err2 := time.ParseDuration(args[1])
	if err = errors.Join(err, err2); err != nil || size < 1 || size > 1<<20 {
		fmt.Fprintln(os.Stderr, "a gang of", args[0], "with a grace of", args[1], "cannot be:", err)
		return 2
	}
	// A copy dies with the thread that started it: this one lives as long as we.
	runtime.LockOSThread()
	// Who stops the task asks each process of it: the copies end, and we then.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	return (&gang{size: size, grace: grace, argv: args[3:], out: os.Stdout}).run()
}

type gang struct {
	size  int
	grace time.Duration
	argv  []string

	mu  sync.Mutex // one line is written at a time
	out io.Writer
}

// over is how one copy ended.
type over struct{ rank, code int }

func (g *gang) run() int {
	ended := make(chan over, g.size)
	running := map[int]int{} // the process of each copy that has not ended
	code := 0
	for rank := range g.size {
		pid, err := g.start(rank, ended)
		if err != nil {
			g.line(rank, []byte("start failed: "+err.Error()))
			if code = 126; errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
				code = 127
			}
			break
		}
		running[rank] = pid
	}
	var kill <-chan time.Time
	stop := func() {
		each(running, syscall.SIGTERM)
		kill = time.After(g.grace)
	}
	if code != 0 {
		stop()
	}
	for len(running) > 0 {
		select {
		case o := <-ended:
			delete(running, o.rank)
			if o.code != 0 && code == 0 {
				code = o.code
				g.line(o.rank, fmt.Appendf(nil, "failed with code %d: the others are stopped", o.code))
				stop()
			}
		case <-kill:
			each(running, syscall.SIGKILL)
		}
	}
	return code
}

// each sends a signal to every copy, with what it started in its own group.
func each(running map[int]int, s syscall.Signal) {
	for _, pid := range running {
		_ = syscall.Kill(-pid, s)
	}
}

func (g *gang) start(rank int, ended chan<- over) (pid int, err error) {
	c := exec.Command(g.argv[0], g.argv[1:]...)
	c.Env = append(os.Environ(), fmt.Sprintf("CLUSY_RANK=%d", rank), fmt.Sprintf("CLUSY_SIZE=%d", g.size))
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	w := &ranked{g: g, rank: rank}
	c.Stdout, c.Stderr = w, w
	c.WaitDelay = 2 * time.Second // what it leaves behind may hold its output open
	if err := c.Start(); err != nil {
		return 0, err
	}
	go func() {
		err := c.Wait()
		w.flush()
		o := over{rank: rank}
		if err != nil {
			o.code = 1
			if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
				o.code = 128 + int(s.Signal())
			} else if n := c.ProcessState.ExitCode(); n > 0 {
				o.code = n
			}
		}
		ended <- o
	}()
	return c.Process.Pid, nil
}

func (g *gang) line(rank int, text []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = fmt.Fprintf(g.out, "%d| %s\n", rank, text)
}

// ranked writes what one copy writes, a line at a time.
type ranked struct {
	g    *gang
	rank int
	rest []byte
}

func (w *ranked) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		switch {
		case i >= 0:
			w.g.line(w.rank, w.rest[:i])
			w.rest = w.rest[i+1:]
		case len(w.rest) >= mostLine:
			w.g.line(w.rank, w.rest)
			w.rest = nil
		default:
			w.rest = bytes.Clone(w.rest)
			return len(b), nil
		}
	}
}

func (w *ranked) flush() {
	if len(w.rest) > 0 {
		w.g.line(w.rank, w.rest)
		w.rest = nil
	}
}
