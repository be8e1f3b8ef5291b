package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Start implements Executor.
func (p Process) Start(ctx context.Context, t Task) error {
	err := t.Check()
	if err == nil {
		err = p.start(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("start task %s: %w", t.Name, err)
	}
	return nil
}

func (p Process) start(ctx context.Context, t Task) error {
	d, err := p.dir(t.Name)
	if err != nil {
		return err
	}
	// 1. Write down what to run. A crash up to here has started nothing, and a
	// later Start goes on with the spec that is there.
	if err := p.prepare(d, t); err != nil {
		return err
	}
	// 2. Launch a shim, until the task is claimed. As many may be launched as
	// like, at once and after crashes: only one can make the claim, and only
	// who made it starts the program, once.
	var trouble error
	for range 3 {
		claimed, err := d.has("claim")
		if err != nil {
			return err
		}
		if claimed {
			return d.started(ctx)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if trouble = p.launch(ctx, d); ctx.Err() != nil {
			return ctx.Err() // the shim goes on without us
		}
	}
	if claimed, err := d.has("claim"); err != nil || claimed {
		return errors.Join(err, d.started(ctx))
	}
	return errors.Join(errors.New("no shim has claimed the task"), trouble)
}

// prepare makes the task's directory with its spec, unless it is there.
func (p Process) prepare(d taskDir, t Task) error {
	root := filepath.Dir(string(d))
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	// All names down to the task must be durable before anything can start: a
	// power cut that forgets the directory would forget the claim in it. Above
	// the root's parent that is the installer's affair.
	if err := syncDir(filepath.Dir(root)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	p.step("root")
	if err := os.Mkdir(string(d), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	p.step("mkdir")
	if err := syncDir(root); err != nil {
		return err
	}
	if ok, err := d.has("spec"); err != nil || ok {
		return errors.Join(err, syncDir(string(d)))
	}
	// The lock file is there before the spec, so that a shim need not make it,
	// and cannot make one in a directory that is being forgotten.
	lock, err := os.OpenFile(d.file("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := lock.Close(); err != nil {
		return err
	}
	p.step("lockfile")
	if _, err := d.publish("spec", spec{Task: t, Run: newRun()}); err != nil {
		return err
	}
	p.step("spec")
	return nil
}

// launch starts a shim and returns when it has settled the start or is gone.
func (p Process) launch(ctx context.Context, d taskDir) error {
	if len(p.Shim) == 0 {
		return errors.New("no command for the shim is set")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	complaints, err := os.OpenFile(d.file("shim.err"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	shim := exec.Command(p.Shim[0], append(p.Shim[1:len(p.Shim):len(p.Shim)], string(d))...)
	// A session of its own, no descriptor but these, and nothing of our
	// environment: the shim and its task outlive us and owe us nothing.
	shim.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	shim.Stderr = complaints
	shim.ExtraFiles = []*os.File{w} // becomes 3, see readyEnv
	shim.Env = append([]string{ShimEnv + "=1", readyEnv + "=3", "GOMAXPROCS=1"}, p.shimEnv...)
	shim.Dir = "/"
	if strings.Contains(p.Shim[0], "/") {
		if shim.Path, err = filepath.Abs(p.Shim[0]); err != nil {
			return errors.Join(err, w.Close(), complaints.Close())
		}
	}
	err = shim.Start()
	err = errors.Join(err, w.Close(), complaints.Close())
	if err != nil {
		return fmt.Errorf("launch a shim: %w", err)
	}
	p.step("launched")
	// So that it does not stay a zombie while we live. Its end says nothing
	// that the record does not.
	go shim.Wait()
	stop := context.AfterFunc(ctx, func() { r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	p.step("settled")
	return tail(d.file("shim.err"))
}

// started waits until the claimed start is settled.
func (d taskDir) started(ctx context.Context) error {
	for {
		a, _, err := d.look(ctx)
		if err != nil {
			return err
		}
		if a.Phase != Starting {
			return nil
		}
		if err := pause(ctx, 3*time.Millisecond); err != nil {
			return err
		}
	}
}

// tail returns the last lines of a file as an error, nil if it has none.
func tail(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return nil
	}
	return errors.New(oneLine(string(b[max(0, len(b)-500):])))
}
