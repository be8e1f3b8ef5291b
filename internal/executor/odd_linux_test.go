package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// short is a context for what must not end by itself.
func short(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(ctx, 60*time.Millisecond)
	t.Cleanup(cancel)
	return c
}

// While somebody holds the lock of a task nobody else decides what became of
// it: all wait, and all can be called off.
func TestLockHeldBySomebody(t *testing.T) {
	t.Parallel()
	p := engine(t)
	for _, name := range []string{"unclaimed", "claimed"} {
		d, _ := p.dir(name)
		if err := p.prepare(d, truthTask(name, "/dev/null")); err != nil {
			t.Fatal(err)
		}
		if name == "claimed" {
			if _, err := d.publish("claim", claim{Run: "R", Shim: identity{PID: 1 << 30}}); err != nil {
				t.Fatal(err)
			}
		}
		lock, err := d.tryLock(false)
		if err != nil {
			t.Fatal(err)
		}
		calls := map[string]error{
			"stop":   p.Stop(short(t), name, 0, "r"),
			"forget": p.Forget(short(t), name),
		}
		if name == "claimed" {
			_, calls["observe"] = p.Observe(short(t), name)
			calls["suspend"] = p.Suspend(short(t), name)
			calls["start"] = p.Start(short(t), truthTask(name, "/dev/null"))
		}
		for what, err := range calls {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s of the %s: %v", what, name, err)
			}
		}
		if err := lock.unlock(); err != nil {
			t.Fatal(err)
		}
		if err := p.Forget(ctx, name); err != nil {
			t.Error(err)
		}
	}
}

// Trouble with the file system is an error of every method, and never an answer.
func TestNoDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rootIsFile, dirIsFile := process(file), process(filepath.Dir(file))
	for what, p := range map[string]Process{"root": rootIsFile, "task": dirIsFile} {
		if err := p.Start(ctx, truthTask("file", "/dev/null")); err == nil {
			t.Errorf("%s is a file: started", what)
		}
		if o, err := p.Observe(ctx, "file"); err == nil {
			t.Errorf("%s is a file: %+v", what, o)
		}
		if _, err := p.Logs(ctx, "file", 0, 0); err == nil || errors.Is(err, ErrAbsent) {
			t.Errorf("%s is a file: logs: %v", what, err)
		}
		for call, err := range map[string]error{
			"suspend": p.Suspend(ctx, "file"), "resume": p.Resume(ctx, "file"),
			"stop": p.Stop(ctx, "file", 0, ""), "forget": p.Forget(ctx, "file"),
		} {
			if err == nil || errors.Is(err, ErrAbsent) {
				t.Errorf("%s is a file: %s: %v", what, call, err)
			}
		}
	}
	if names, err := rootIsFile.List(ctx); err == nil {
		t.Errorf("list: %v", names)
	}
	if names, err := dirIsFile.List(ctx); err != nil || len(names) != 0 {
		t.Errorf("list: %v, %v", names, err)
	}
}

// An order that is there before the program is kept to: it never runs.
func TestOrderBeforeStart(t *testing.T) {
	t.Parallel()
	p, truth := engine(t), filepath.Join(t.TempDir(), "truth")
	d, _ := p.dir("task")
	task := truthTask("task", truth)
	if err := errors.Join(p.prepare(d, task), d.replace("stop", order{Reason: "early"})); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx, task); err != nil {
		t.Fatal(err)
	}
	if o := await(t, p, "task", settled); o.Phase != Ended || o.Cause != "stopped: early" || o.ExitCode != -1 || !o.Started.IsZero() || starts(t, truth) != 0 {
		t.Errorf("%+v", o)
	}
	if err := p.Start(ctx, Task{Name: "file", Argv: []string{"true"}, Dir: "/dev/null"}); err != nil {
		t.Fatal(err)
	}
	if o := await(t, p, "file", settled); o.ExitCode != 126 || !strings.Contains(o.Cause, "not a directory") {
		t.Errorf("%+v", o)
	}
}

// A task that is ending cannot be held up by suspending it.
func TestSuspendOfTheEnding(t *testing.T) {
	t.Parallel()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"sh", "-c", `trap "" TERM; echo ready; while :; do sleep 0.02; done`}}); err != nil {
		t.Fatal(err)
	}
	await(t, p, "task", func(Observation) bool {
		c, err := p.Logs(ctx, "task", 0, 0)
		return err == nil && len(c.Data) > 0
	})
	if err := p.Stop(ctx, "task", 300*time.Millisecond, "r"); err != nil {
		t.Fatal(err)
	}
	if err := p.Suspend(ctx, "task"); !errors.Is(err, ErrEnded) {
		t.Errorf("suspended while it was ending: %v", err)
	}
	if o := await(t, p, "task", settled); o.Signal != "SIGKILL" || len(o.Runs) != 1 {
		t.Errorf("%+v", o)
	}
}

// The end of a task does not wait for a stranger that holds its output open.
func TestOutputHeldByAStranger(t *testing.T) {
	t.Parallel()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"sh", "-c", "echo out; sleep 60"}}); err != nil {
		t.Fatal(err)
	}
	o := await(t, p, "task", func(o Observation) bool { return o.PID != 0 })
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/1", o.PID), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := p.Stop(ctx, "task", 0, "r"); err != nil {
		t.Fatal(err)
	}
	if o := await(t, p, "task", settled); o.Phase != Ended {
		t.Errorf("%+v", o)
	}
	if c, err := p.Logs(ctx, "task", 0, 0); err != nil || string(c.Data) != "out\n" {
		t.Errorf("%q, %v", c.Data, err)
	}
}

// What an interrupted Forget has left is no task, and goes with the next one.
func TestForgetGoesOn(t *testing.T) {
	t.Parallel()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	await(t, p, "task", settled)
	half := filepath.Join(p.Root, gone+"other-X")
	if err := os.MkdirAll(filepath.Join(half, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	if names, err := p.List(ctx); err != nil || fmt.Sprint(names) != "[task]" {
		t.Errorf("%v, %v", names, err)
	}
	if err := p.Forget(ctx, "task"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(p.Root); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A shim may be stopped by somebody. It goes on when it is needed.
func TestShimStoppedBySomebody(t *testing.T) {
	t.Parallel()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"sleep", "60"}}); err != nil {
		t.Fatal(err)
	}
	d, _ := p.dir("task")
	c, _, err := d.readClaim()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Shim.signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.Suspend(ctx, "task"); err != nil {
		t.Error(err)
	}
	if err := c.Shim.signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(ctx, "task", time.Minute, "r"); err != nil {
		t.Error(err)
	}
	if o := await(t, p, "task", settled); o.Cause != "stopped: r" || o.Signal != "SIGTERM" {
		t.Errorf("%+v", o)
	}
}

// The shim outlives the caller and may be looked at: it holds nothing of the
// caller's environment, and no file but its own.
func TestShimInheritsNothing(t *testing.T) {
	t.Setenv("SECRET_OF_THE_CALLER", "x")
	open, err := os.Create(filepath.Join(t.TempDir(), "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"sleep", "60"}}); err != nil {
		t.Fatal(err)
	}
	d, _ := p.dir("task")
	c, _, err := d.readClaim()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.Shim.PID))
	if err != nil {
		t.Fatal(err)
	}
	for e := range strings.SplitSeq(strings.TrimRight(string(b), "\x00"), "\x00") {
		if !strings.HasPrefix(e, "CLUSY_") && !strings.HasPrefix(e, "GO") {
			t.Errorf("the shim has inherited %q", e)
		}
	}
	o, err := p.Observe(ctx, "task")
	if err != nil {
		t.Fatal(err)
	}
	for who, pid := range map[string]int{"shim": c.Shim.PID, "task": o.PID} {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
			// Go's own runtime keeps files of the kernel open.
			own := who == "shim" && (strings.HasPrefix(to, string(d)) || strings.HasPrefix(to, "/sys/"))
			if strings.HasPrefix(to, "/") && !own && to != os.DevNull {
				t.Errorf("the %s has %s open", who, to)
			}
		}
	}
}

// Process numbers and ticks of an earlier boot name other processes now.
func TestAnotherBoot(t *testing.T) {
	t.Parallel()
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	for name, dies := range map[string]bool{boot: true, "an earlier one": false} {
		stranger := exec.Command("sleep", "60")
		stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := stranger.Start(); err != nil {
			t.Fatal(err)
		}
		q, err := readProc(stranger.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		c := claim{Run: "R", Boot: name, Shim: identity{PID: q.Session, Start: 1}}
		if err := killLeftovers(ctx, c, pulse{Ticks: q.Start}); err != nil {
			t.Error(err)
		}
		now, err := readProc(q.PID)
		if dead := err != nil || now.gone(); dead != dies {
			t.Errorf("boot %s: dead is %v", name, dead)
		}
		stranger.Process.Kill()
		stranger.Wait()
	}
}
