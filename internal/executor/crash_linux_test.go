package executor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var ctx = context.Background()

const within = time.Minute

func await(t *testing.T, p Process, name string, done func(Observation) bool) Observation {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(3 * time.Millisecond) {
		o, err := p.Observe(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if done(o) {
			return o
		}
		if time.Now().After(end) {
			t.Fatalf("task %s stays as it is: %+v", name, o)
		}
	}
}

func settled(o Observation) bool { return o.Phase == Ended || o.Phase == Lost }

func starts(t *testing.T, truth string) int {
	t.Helper()
	b, err := os.ReadFile(truth)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

// alive returns the living processes that carry the task's mark.
func alive(t *testing.T, p Process, name string) []proc {
	t.Helper()
	d, err := p.dir(name)
	if err != nil {
		t.Fatal(err)
	}
	var s spec
	if ok, err := d.read("spec", &s); err != nil || !ok {
		t.Fatalf("spec of %s: %v, %v", name, ok, err)
	}
	all, err := scan()
	if err != nil {
		t.Fatal(err)
	}
	var out []proc
	for _, q := range all {
		if !q.gone() && hasMark(q.PID, s.Run) {
			out = append(out, q)
		}
	}
	return out
}

// runCaller starts a caller as a process of its own.
func runCaller(t *testing.T, root, name, truth, crash string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, root, name, truth)
	c.Env = []string{callerEnv + "=1", crashEnv + "=" + crash}
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// A caller that dies at any step of Start leaves a task that the next caller
// brings to exactly one start, and to its end.
func TestCallerDiesAtEachStep(t *testing.T) {
	for _, step := range []string{"root", "mkdir", "lockfile", "spec", "launched", "settled"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			root, truth := t.TempDir(), filepath.Join(t.TempDir(), "truth")
			c := runCaller(t, root, "task", truth, step)
			if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != -1 {
				t.Fatalf("the caller did not die at step %s: %v", step, err)
			}
			p := process(root)
			for range 2 {
				if err := p.Start(ctx, truthTask("task", truth)); err != nil {
					t.Fatal(err)
				}
			}
			o := await(t, p, "task", settled)
			if n := starts(t, truth); n != 1 || o.Phase != Ended || o.ExitCode != 0 {
				t.Errorf("started %d times: %+v", n, o)
			}
		})
	}
}

// A shim that dies at any step leaves a task that is started at most once, is
// Ended only if its end is recorded, and of which nothing lives on.
func TestShimDiesAtEachStep(t *testing.T) {
	for step, want := range map[string]struct {
		phase  Phase
		starts []int
	}{
		"locked":  {Ended, []int{1}}, // by the next shim
		"claimed": {Lost, []int{0}},  // a marker is not a start
		"exec":    {Lost, []int{0, 1}},
		"started": {Lost, []int{0, 1}},
		"ended":   {Lost, []int{1}}, // it did, but nobody wrote down how
		"exit":    {Ended, []int{1}},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			truth := filepath.Join(t.TempDir(), "truth")
			p := engine(t)
			doomed := p
			doomed.shimEnv = append(doomed.shimEnv, crashEnv+"="+step)
			err := doomed.Start(ctx, truthTask("task", truth))
			if step == "locked" && err == nil {
				t.Error("Start says that it has started, but no shim has claimed")
			}
			if step != "locked" && err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := p.Start(ctx, truthTask("task", truth)); err != nil {
					t.Fatal(err)
				}
			}
			o := await(t, p, "task", settled)
			n := starts(t, truth)
			ok := false
			for _, w := range want.starts {
				ok = ok || n == w
			}
			if !ok || o.Phase != want.phase {
				t.Errorf("started %d times: %+v", n, o)
			}
			if left := alive(t, p, "task"); len(left) != 0 {
				t.Errorf("lives on: %v", left)
			}
			if o.Phase == Lost && !strings.HasPrefix(o.Cause, "lost: ") {
				t.Errorf("no cause: %+v", o)
			}
			if err := p.Forget(ctx, "task"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A shim may come late: launched by a caller that was killed, scheduled when
// all is over. It starts nothing, whatever has become of the task.
func TestLateShim(t *testing.T) {
	t.Parallel()
	p, dir := engine(t), t.TempDir()
	late := func(name string) {
		t.Helper()
		d, _ := p.dir(name)
		before, err := p.Observe(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := p.launch(ctx, d); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(30 * time.Millisecond)
		after, err := p.Observe(ctx, name)
		if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s was %+v, is %+v, %v", name, before, after, err)
		}
		if n := starts(t, filepath.Join(dir, name)); n > 1 {
			t.Errorf("%s: started %d times", name, n)
		}
	}
	for name, step := range map[string]string{"ended": "", "lost": "claimed"} {
		doomed := p
		doomed.shimEnv = append(doomed.shimEnv, crashEnv+"="+step)
		if err := doomed.Start(ctx, truthTask(name, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
		await(t, p, name, settled)
		late(name)
	}
	d, _ := p.dir("never")
	if err := errors.Join(p.prepare(d, truthTask("never", filepath.Join(dir, "never"))), p.Stop(ctx, "never", 0, "r")); err != nil {
		t.Fatal(err)
	}
	late("never")
	if n := starts(t, filepath.Join(dir, "never")) + starts(t, filepath.Join(dir, "lost")); n != 0 {
		t.Errorf("started %d times", n)
	}
	// One that finds its task forgotten has nothing to start, and makes nothing.
	if err := p.Forget(ctx, "ended"); err != nil {
		t.Fatal(err)
	}
	gone, _ := p.dir("ended")
	exe, _ := os.Executable()
	c := exec.Command(exe, string(gone))
	c.Env = []string{ShimEnv + "=1"}
	if err := c.Run(); err == nil {
		t.Error("a shim without a task is content")
	}
	if o, err := p.Observe(ctx, "ended"); err != nil || o.Phase != Absent {
		t.Errorf("%+v, %v", o, err)
	}
}

// Callers are killed at random instants, several on one task.
func TestCallersKilledAtRandom(t *testing.T) {
	t.Parallel()
	root, dir := t.TempDir(), t.TempDir()
	p := process(root)
	for i := range 30 {
		name := fmt.Sprintf("task-%d", i)
		truth := filepath.Join(dir, name)
		a := runCaller(t, root, name, truth, "")
		b := runCaller(t, root, name, truth, "")
		time.Sleep(time.Duration(rand.IntN(25_000)) * time.Microsecond)
		// Its whole process group, as a terminal or a supervisor would.
		syscall.Kill(-a.Process.Pid, syscall.SIGKILL)
		time.Sleep(time.Duration(rand.IntN(5_000)) * time.Microsecond)
		syscall.Kill(-b.Process.Pid, syscall.SIGKILL)
		a.Wait()
		b.Wait()
		if err := p.Start(ctx, truthTask(name, truth)); err != nil {
			t.Fatal(err)
		}
		o := await(t, p, name, settled)
		if n := starts(t, truth); n != 1 || o.Phase != Ended || o.ExitCode != 0 {
			t.Errorf("%s: started %d times: %+v", name, n, o)
		}
	}
}

// A killed shim takes its child with it at once, and Observe the rest: also
// those that have left the session, cleaned their environment, or are stopped.
func TestShimKilled(t *testing.T) {
	for what, suspended := range map[string]bool{"running": false, "suspended": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := engine(t)
			script := `
				echo $$ > "$0/main"
				setsid sh -c 'echo $$ > "$0/stranger"; while :; do sleep 0.05; done' "$0" > /dev/null 2>&1 < /dev/null &
				env -i /bin/sh -c 'echo $$ > "$0/bare"; while :; do /bin/sleep 0.05; done' "$0" &
				setsid sh -c 'env -i /bin/sh -c "echo \$\$ > \"\$0/both\"; while :; do /bin/sleep 0.05; done" "$0" & wait' "$0" &
				while :; do sleep 0.05; done`
			if err := p.Start(ctx, Task{Name: "tree", Argv: []string{"sh", "-c", script, dir}}); err != nil {
				t.Fatal(err)
			}
			var pids []identity
			for _, who := range []string{"main", "stranger", "bare", "both"} {
				var pid int
				for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
					b, _ := os.ReadFile(filepath.Join(dir, who))
					if n, _ := fmt.Sscan(string(b), &pid); n == 1 {
						break
					}
					if time.Now().After(end) {
						t.Fatalf("%s did not start", who)
					}
				}
				q, err := readProc(pid)
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, q.identity)
			}
			// What is younger than the last pulse, left the session or not, is
			// found by its environment alone.
			time.Sleep(pulseEvery + 100*time.Millisecond)
			if suspended {
				if err := p.Suspend(ctx, "tree"); err != nil {
					t.Fatal(err)
				}
			}
			d, _ := p.dir("tree")
			c, _, err := d.readClaim()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Shim.signal(unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			// The main process goes with it, though nobody observes.
			for end := time.Now().Add(within); ; time.Sleep(time.Millisecond) {
				if q, err := readProc(pids[0].PID); err != nil || q.identity != pids[0] || q.gone() {
					break
				}
				if time.Now().After(end) {
					t.Fatal("the main process survives its shim")
				}
			}
			o := await(t, p, "tree", settled)
			if o.Phase != Lost || o.PID != 0 || len(o.Runs) != 1 || o.Runs[0].To.IsZero() {
				t.Errorf("its shim was killed: %+v", o)
			}
			for i, id := range pids {
				if q, err := readProc(id.PID); err == nil && q.identity == id && !q.gone() {
					t.Errorf("process %d of the tree lives on: %+v", i, q)
				}
			}
			again, err := p.Observe(ctx, "tree")
			if err != nil || fmt.Sprint(again) != fmt.Sprint(o) {
				t.Errorf("a second look differs: %+v, %v", again, err)
			}
			if err := p.Start(ctx, truthTask("tree", filepath.Join(dir, "truth"))); err != nil {
				t.Error(err)
			}
			if again, _ := p.Observe(ctx, "tree"); again.Phase != Lost || starts(t, filepath.Join(dir, "truth")) != 0 {
				t.Errorf("a lost task was started again: %+v", again)
			}
		})
	}
}

// Shims are killed at random instants of a short life.
func TestShimsKilledAtRandom(t *testing.T) {
	t.Parallel()
	p, dir := engine(t), t.TempDir()
	for i := range 20 {
		name := fmt.Sprintf("task-%d", i)
		truth := filepath.Join(dir, name)
		done := make(chan error, 1)
		go func() { done <- p.Start(ctx, truthTask(name, truth)) }()
		d, _ := p.dir(name)
		var c claim
		for end := time.Now().Add(within); c.Shim.PID == 0 && time.Now().Before(end); {
			c, _, _ = d.readClaim()
		}
		time.Sleep(time.Duration(rand.IntN(70_000)) * time.Microsecond)
		if err := c.Shim.signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		o := await(t, p, name, settled)
		n := starts(t, truth)
		if n > 1 || o.Phase == Ended && (n != 1 || o.ExitCode != 0) {
			t.Errorf("%s: started %d times: %+v", name, n, o)
		}
		if left := alive(t, p, name); len(left) != 0 {
			t.Errorf("%s lives on: %v", name, left)
		}
	}
}

// Neither a caller's note nor a claim makes a start: what is written by hand
// here is what a crash or a liar may leave.
func TestMarkersAreNoStarts(t *testing.T) {
	p := engine(t)
	make := func(name string, files map[string]any) taskDir {
		d, _ := p.dir(name)
		if err := os.MkdirAll(string(d), 0o700); err != nil {
			t.Fatal(err)
		}
		for f, v := range files {
			if err := d.replace(f, v); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	me, err := self()
	if err != nil {
		t.Fatal(err)
	}
	want := func(name string, phase Phase) {
		t.Helper()
		o, err := p.Observe(ctx, name)
		if err != nil || o.Phase != phase || !o.Started.IsZero() {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	make("empty", nil)
	want("empty", Absent)
	make("spec", map[string]any{"spec": spec{Task: truthTask("spec", "/dev/null"), Run: "R"}})
	want("spec", Absent)
	// This very process is alive, and yet it is not the shim: no lock is held.
	// Nor may it be killed for being what the claim names.
	make("claim", map[string]any{"claim": claim{Run: "R", Boot: boot, Shim: me}})
	want("claim", Lost)
	make("reboot", map[string]any{"claim": claim{Run: "R", Boot: "another", Shim: me}})
	want("reboot", Lost)
	make("order", map[string]any{"stop": order{Reason: "x"}})
	want("order", Absent)
	if err := os.WriteFile(filepath.Join(p.Root, "claim", "claim"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := p.Observe(ctx, "claim"); err == nil {
		t.Errorf("a claim that cannot be read: %+v", o)
	}
	d := make("damaged", map[string]any{"claim": claim{Run: "R", Boot: boot, Shim: me}})
	if err := os.WriteFile(d.file("record"), []byte("this is not a journal at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("damaged", Lost)
	// Unclaimed ones can be stopped for good, and forgotten.
	for _, name := range []string{"empty", "spec"} {
		if err := p.Stop(ctx, name, 0, "never mind"); err != nil {
			t.Error(err)
		}
		o, err := p.Observe(ctx, name)
		if err != nil || o.Phase != Ended || o.Cause != "stopped: never mind" || o.ExitCode != -1 || o.Ended.IsZero() {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		truth := filepath.Join(t.TempDir(), "truth")
		if err := p.Start(ctx, truthTask(name, truth)); err != nil {
			t.Error(err)
		}
		if starts(t, truth) != 0 {
			t.Errorf("%s was started after it was stopped", name)
		}
	}
	for _, name := range []string{"empty", "spec", "reboot", "order", "damaged"} {
		if err := p.Forget(ctx, name); err != nil {
			t.Error(err)
		}
	}
}

// The pid of a lost task's session may be anybody's by now.
func TestLeftovers(t *testing.T) {
	c := claim{Run: "R", Shim: identity{PID: 100, Start: 50}}
	at := func(pid, parent, session int, start uint64) proc {
		return proc{identity: identity{pid, start}, Parent: parent, Session: session, State: 'S'}
	}
	for what, test := range map[string]struct {
		all    []proc
		marked []int
		want   []int
	}{
		"nothing":              {[]proc{at(1, 0, 1, 0), at(200, 1, 200, 60)}, nil, nil},
		"old session":          {[]proc{at(200, 1, 100, 60), at(201, 1, 100, 900)}, nil, []int{200, 201}},
		"session of another":   {[]proc{at(200, 1, 100, 900), at(201, 1, 100, 901)}, nil, nil},
		"older than the shim":  {[]proc{at(200, 1, 100, 49)}, nil, nil},
		"number taken again":   {[]proc{at(100, 1, 100, 900), at(200, 100, 100, 901)}, nil, nil},
		"marked":               {[]proc{at(200, 1, 200, 900), at(201, 1, 7, 60)}, []int{200}, []int{200}},
		"child of a marked":    {[]proc{at(202, 201, 202, 902), at(201, 200, 201, 901), at(200, 1, 200, 900)}, []int{200}, []int{200, 202, 201}},
		"circle of the absurd": {[]proc{at(200, 201, 9, 900), at(201, 200, 9, 900)}, nil, nil},
	} {
		marked := func(pid int) bool {
			for _, m := range test.marked {
				if m == pid {
					return true
				}
			}
			return false
		}
		var got []int
		for _, p := range leftovers(test.all, c, pulse{Ticks: 500}, marked) {
			got = append(got, p.PID)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, want %v", what, got, test.want)
		}
	}
}

// A process is told by its number and its start: the number alone is not it.
func TestSignalOnlyTheSame(t *testing.T) {
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	q, err := readProc(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	other := identity{PID: q.PID, Start: q.Start + 1}
	if err := other.signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	time.Sleep(20 * time.Millisecond)
	if now, err := readProc(q.PID); err != nil || now.gone() {
		t.Fatalf("a process was killed for having another's number: %v", err)
	}
	for _, pid := range []int{-1, 0, 1} {
		if err := (identity{PID: pid}).signal(unix.SIGCONT); err == nil {
			t.Errorf("process %d was signalled", pid)
		}
	}
	if err := q.signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	c.Wait()
	if err := q.signal(unix.SIGKILL); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}
