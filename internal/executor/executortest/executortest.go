// Package executortest is the promise that every executor makes, as tests. A
// new driver calls Test and owes nothing more.
package executortest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/executor"
)

// Open returns an executor that keeps what it must in root. Two opened with one
// root drive the same engine, as one does after its caller was started again.
// The engine must be able to run sh, and to reach the files of the test.
type Open func(t *testing.T, root string) executor.Executor

// Test runs the whole suite.
func Test(t *testing.T, open Open) {
	for name, f := range map[string]func(*bench){
		"unknown":          unknown,
		"refused":          refused,
		"outcomes":         outcomes,
		"missing program":  missingProgram,
		"missing dir":      missingDir,
		"environment":      environment,
		"logs":             logs,
		"log bound":        logBound,
		"start once":       startOnce,
		"adoption":         adoption,
		"suspend":          suspend,
		"scale":            scale,
		"max duration":     maxDuration,
		"max stubborn":     maxStubborn,
		"stop gently":      stopGently,
		"stop by force":    stopByForce,
		"stop impatiently": stopImpatiently,
		"stop suspended":   stopSuspended,
		"stop first":       stopFirst,
		"leftovers":        leftovers,
		"forget":           forget,
		"cancelled":        cancelled,
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := &bench{T: t, root: filepath.Join(t.TempDir(), "engine"), open: open}
			b.Executor = open(t, b.root)
			t.Cleanup(b.clear)
			f(b)
		})
	}
}

// bench is one test with its own engine.
type bench struct {
	*testing.T
	executor.Executor
	root string
	open Open
}

var ctx = context.Background()

// within is how long anything may take here that is not meant to take time: the
// machine that tests run on may be busy.
const within = time.Minute

// clear ends and forgets everything, so that no process outlives its test.
func (b *bench) clear() {
	names, err := b.List(ctx)
	if err != nil {
		b.Errorf("list: %v", err)
	}
	for _, n := range names {
		if err := b.Stop(ctx, n, 0, "the test is over"); err != nil {
			b.Errorf("stop %s: %v", n, err)
		}
		b.await(n, func(o executor.Observation) bool { return !o.Phase.Live() })
		if err := b.Forget(ctx, n); err != nil {
			b.Errorf("forget %s: %v", n, err)
		}
	}
}

func (b *bench) start(t executor.Task) {
	b.Helper()
	if err := b.Start(ctx, t); err != nil {
		b.Fatalf("start: %v", err)
	}
}

// sh starts a shell script as a task of that name.
func (b *bench) sh(name, script string, args ...string) {
	b.Helper()
	b.start(executor.Task{Name: name, Argv: append([]string{"sh", "-c", script, "sh"}, args...)})
}

func (b *bench) observe(name string) executor.Observation {
	b.Helper()
	o, err := b.Observe(ctx, name)
	if err != nil {
		b.Fatalf("observe %s: %v", name, err)
	}
	return o
}

func (b *bench) await(name string, done func(executor.Observation) bool) executor.Observation {
	b.Helper()
	var o executor.Observation
	b.until("task "+name, func() bool {
		o = b.observe(name)
		return done(o)
	}, func() string { return fmt.Sprintf("%+v", o) })
	return o
}

func (b *bench) ended(name string) executor.Observation {
	b.Helper()
	return b.await(name, func(o executor.Observation) bool { return o.Phase == executor.Ended })
}

func (b *bench) until(what string, done func() bool, show func() string) {
	b.Helper()
	for end := time.Now().Add(within); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%s did not get there: %s", what, show())
		}
	}
}

// lines returns how many lines the file has, 0 if there is none.
func lines(path string) int {
	b, _ := os.ReadFile(path)
	return strings.Count(string(b), "\n")
}

// grows waits until the file has more lines than it had.
func (b *bench) grows(path string) {
	b.Helper()
	n := lines(path)
	b.until(path, func() bool { return lines(path) > n }, func() string { return fmt.Sprintf("still %d lines", n) })
}

func unknown(b *bench) {
	if o := b.observe("nobody"); o.Phase != executor.Absent {
		b.Errorf("phase of an unknown task is %s", o.Phase)
	}
	if err := b.Suspend(ctx, "nobody"); !errors.Is(err, executor.ErrAbsent) {
		b.Errorf("suspend: %v", err)
	}
	if err := b.Resume(ctx, "nobody"); !errors.Is(err, executor.ErrAbsent) {
		b.Errorf("resume: %v", err)
	}
	if _, err := b.Logs(ctx, "nobody", 0, 10); !errors.Is(err, executor.ErrAbsent) {
		b.Errorf("logs: %v", err)
	}
	if err := b.Stop(ctx, "nobody", 0, "test"); err != nil {
		b.Errorf("stop: %v", err)
	}
	if err := b.Forget(ctx, "nobody"); err != nil {
		b.Errorf("forget: %v", err)
	}
	if names, err := b.List(ctx); err != nil || len(names) != 0 {
		b.Errorf("list: %v, %v", names, err)
	}
}

func refused(b *bench) {
	ok := executor.Task{Name: "ok", Argv: []string{"true"}}
	for what, spoil := range map[string]func(*executor.Task){
		"no name":         func(t *executor.Task) { t.Name = "" },
		"path in name":    func(t *executor.Task) { t.Name = "../up" },
		"no program":      func(t *executor.Task) { t.Argv = nil },
		"empty program":   func(t *executor.Task) { t.Argv = []string{""} },
		"zero byte":       func(t *executor.Task) { t.Argv = []string{"echo", "a\x00b"} },
		"not text":        func(t *executor.Task) { t.Env = []string{"A=\xff"} },
		"no value":        func(t *executor.Task) { t.Env = []string{"A"} },
		"no key":          func(t *executor.Task) { t.Env = []string{"=a"} },
		"relative dir":    func(t *executor.Task) { t.Dir = "here" },
		"negative max":    func(t *executor.Task) { t.Max = -1 },
		"negative grace":  func(t *executor.Task) { t.Grace = -1 },
		"tiny log":        func(t *executor.Task) { t.LogLimit = 1 },
		"huge log":        func(t *executor.Task) { t.LogLimit = 1 << 40 },
		"endless command": func(t *executor.Task) { t.Argv = []string{strings.Repeat("x", 2<<20)} },
	} {
		t := ok
		spoil(&t)
		if err := b.Start(ctx, t); err == nil {
			b.Errorf("%s: started", what)
		}
	}
	for _, name := range []string{"", "..", "a/b", "A", "-a", "a-", "a b", strings.Repeat("a", 64)} {
		if _, err := b.Observe(ctx, name); err == nil {
			b.Errorf("observe %q: no error", name)
		}
		if err := b.Forget(ctx, name); err == nil {
			b.Errorf("forget %q: no error", name)
		}
		if err := b.Stop(ctx, name, 0, ""); err == nil {
			b.Errorf("stop %q: no error", name)
		}
		if err := b.Suspend(ctx, name); err == nil {
			b.Errorf("suspend %q: no error", name)
		}
		if _, err := b.Logs(ctx, name, 0, 1); err == nil {
			b.Errorf("logs %q: no error", name)
		}
	}
	if names, err := b.List(ctx); err != nil || len(names) != 0 {
		b.Errorf("refused tasks left something behind: %v, %v", names, err)
	}
}

func outcomes(b *bench) {
	before := time.Now().Add(-time.Second)
	b.start(executor.Task{Name: "true", Argv: []string{"true"}})
	b.start(executor.Task{Name: "false", Argv: []string{"false"}})
	b.sh("seven", "sleep 0.2; exit 7")
	b.sh("killed", "kill -9 $$")
	for name, want := range map[string]executor.Observation{
		"true":   {},
		"false":  {ExitCode: 1},
		"seven":  {ExitCode: 7},
		"killed": {ExitCode: 137, Signal: "SIGKILL"},
	} {
		o := b.ended(name)
		if o.ExitCode != want.ExitCode || o.Signal != want.Signal || o.Cause != "" || o.PID != 0 {
			b.Errorf("%s: %+v", name, o)
		}
		if o.Started.Before(before) || o.Ended.Before(o.Started) || len(o.Runs) != 1 ||
			o.Runs[0].From != o.Started || o.Runs[0].To != o.Ended {
			b.Errorf("%s: times do not agree: %+v", name, o)
		}
	}
	if ran := b.observe("seven").Ran(time.Now()); ran < 200*time.Millisecond || ran > within {
		b.Errorf("seven ran for %s, want 200 ms", ran)
	}
	names, err := b.List(ctx)
	if err != nil || strings.Join(names, " ") != "false killed seven true" {
		b.Errorf("list: %v, %v", names, err)
	}
	for _, name := range names {
		if err := b.Suspend(ctx, name); !errors.Is(err, executor.ErrEnded) {
			b.Errorf("suspend %s: %v", name, err)
		}
		if err := b.Stop(ctx, name, 0, "late"); err != nil {
			b.Errorf("stop %s: %v", name, err)
		}
		if o := b.observe(name); o.Cause != "" {
			b.Errorf("a late stop has changed the cause of %s to %q", name, o.Cause)
		}
	}
}

func missingProgram(b *bench) {
	b.start(executor.Task{Name: "none", Argv: []string{"no-such-program-anywhere"}})
	o := b.ended("none")
	if o.ExitCode != 127 || !strings.HasPrefix(o.Cause, "start failed: ") || !o.Started.IsZero() || len(o.Runs) != 0 {
		b.Errorf("missing program: %+v", o)
	}
	file := filepath.Join(b.TempDir(), "data")
	if err := os.WriteFile(file, []byte("no program"), 0o644); err != nil {
		b.Fatal(err)
	}
	b.start(executor.Task{Name: "data", Argv: []string{file}})
	if o := b.ended("data"); o.ExitCode != 126 || !strings.HasPrefix(o.Cause, "start failed: ") || !o.Started.IsZero() {
		b.Errorf("not executable: %+v", o)
	}
}

func missingDir(b *bench) {
	b.start(executor.Task{Name: "nowhere", Argv: []string{"true"}, Dir: filepath.Join(b.TempDir(), "none")})
	if o := b.ended("nowhere"); o.ExitCode != 127 || !strings.HasPrefix(o.Cause, "start failed: ") {
		b.Errorf("missing directory: %+v", o)
	}
	dir := b.TempDir()
	b.start(executor.Task{Name: "here", Argv: []string{"pwd"}, Dir: dir})
	b.ended("here")
	if got := strings.TrimSpace(b.output("here")); got != dir {
		b.Errorf("ran in %q, want %q", got, dir)
	}
}

func (b *bench) output(name string) string {
	b.Helper()
	c, err := b.Logs(ctx, name, 0, 1<<20)
	if err != nil {
		b.Fatalf("logs: %v", err)
	}
	return string(c.Data)
}

func environment(b *bench) {
	// Not t.Setenv: other tests run at the same time. It stays set, harmlessly.
	os.Setenv("EXECUTORTEST_OF_THE_CALLER", "must not arrive")
	b.start(executor.Task{Name: "env", Argv: []string{"env"}, Env: []string{"GREETING=grüß=gott", "CLUSY_TASK=forged"}})
	b.start(executor.Task{Name: "path", Argv: []string{"/usr/bin/env"}, Env: []string{"PATH=/nowhere"}})
	b.ended("env")
	b.ended("path")
	got := map[string]string{}
	for line := range strings.Lines(b.output("env")) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		if _, twice := got[k]; twice {
			b.Errorf("%s is there twice", k)
		}
		got[k] = v
	}
	if got["GREETING"] != "grüß=gott" || got["CLUSY_TASK"] != "env" || got["PATH"] == "" {
		b.Errorf("environment: %v", got)
	}
	for k := range got {
		if k != "GREETING" && k != "PATH" && !strings.HasPrefix(k, "CLUSY_") {
			b.Errorf("%s was inherited", k)
		}
	}
	if !strings.Contains(b.output("path"), "PATH=/nowhere\n") {
		b.Errorf("the task's own PATH did not arrive")
	}
}

func logs(b *bench) {
	b.sh("talk", `echo out; echo err >&2; cat; sleep 0.1; printf end`)
	b.ended("talk") // and did not wait for input
	const all = "out\nerr\nend"
	for _, c := range []struct {
		offset int64
		limit  int
		want   string
		at     int64
	}{
		{0, 100, all, 0},
		{0, 3, "out", 0},
		{4, 3, "err", 4},
		{8, 100, "end", 8},
		{11, 100, "", 11},
		{99, 100, "", 11},
		{-1, 3, "end", 8},
		{-1, 100, all, 0},
		{0, 0, all, 0},
	} {
		got, err := b.Logs(ctx, "talk", c.offset, c.limit)
		if err != nil || string(got.Data) != c.want || got.Offset != c.at ||
			got.Next != c.at+int64(len(c.want)) || got.Size != int64(len(all)) {
			b.Errorf("logs from %d, at most %d: %+v, %v", c.offset, c.limit, got, err)
		}
	}
}

func logBound(b *bench) {
	// Numbered lines of 8 bytes, 40,000 in all, of which 64 KiB may be kept.
	const limit, total = 64 << 10, 8 * 40_000
	b.start(executor.Task{Name: "flood", LogLimit: limit,
		Argv: []string{"sh", "-c", `i=1000000; while [ $i -lt 1040000 ]; do echo $i; i=$((i+1)); done`}})
	b.ended("flood")
	first, err := b.Logs(ctx, "flood", 0, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	if kept := first.Size - first.Offset; first.Size != total || kept > limit || kept < limit/4 {
		b.Fatalf("%d bytes of %d are kept, of at most %d", kept, first.Size, limit)
	}
	for at := first.Offset; at < total; {
		c, err := b.Logs(ctx, "flood", at, 1000)
		if err != nil || len(c.Data) == 0 || c.Offset != at {
			b.Fatalf("logs from %d: %d bytes from %d, %v", at, len(c.Data), c.Offset, err)
		}
		for i, ch := range c.Data {
			pos := at + int64(i)
			line := fmt.Sprintf("%d\n", 1000000+pos/8)
			if line[pos%8] != ch {
				b.Fatalf("byte %d is %q, want %q", pos, ch, line[pos%8])
			}
		}
		at = c.Next
	}
}

func startOnce(b *bench) {
	truth := filepath.Join(b.TempDir(), "truth")
	task := executor.Task{Name: "once", Argv: []string{"sh", "-c", `echo started >> "$0"; sleep 0.3`, truth}}
	other := b.open(b.T, b.root)
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			e := b.Executor
			if i%2 == 1 {
				e = other
			}
			if err := e.Start(ctx, task); err != nil {
				b.Errorf("start: %v", err)
			}
		})
	}
	wait.Wait()
	if o := b.observe("once"); o.Phase == executor.Absent || o.Phase == executor.Starting {
		b.Errorf("phase after Start has returned: %s", o.Phase)
	}
	b.start(task)
	b.ended("once")
	b.start(task)
	changed := task
	changed.Argv = []string{"sh", "-c", `echo other >> "$0"`, truth}
	b.start(changed)
	b.ended("once")
	time.Sleep(50 * time.Millisecond)
	if n := lines(truth); n != 1 {
		b.Errorf("started %d times", n)
	}
}

func adoption(b *bench) {
	truth := filepath.Join(b.TempDir(), "truth")
	b.sh("orphan", `echo started >> "$1"; sleep 0.4; exit 5`, truth)
	was := b.observe("orphan")
	b.Executor = b.open(b.T, b.root) // the caller is started again
	if o := b.observe("orphan"); o.Phase != executor.Running || o.PID != was.PID || !o.Started.Equal(was.Started) {
		b.Errorf("adopted as %+v, was %+v", o, was)
	}
	b.sh("orphan", `echo again >> "$1"`, truth)
	if o := b.ended("orphan"); o.ExitCode != 5 || lines(truth) != 1 {
		b.Errorf("ended as %+v after %d starts", o, lines(truth))
	}
}

// family is a tree that works on: a main process, a child of it, a child that
// has left the session, and an orphan. Each adds lines to a file of its own.
const family = `
	work() { while :; do echo x >> "$1"; sleep 0.01; done; }
	work "$1/child" &
	setsid sh -c 'while :; do echo x >> "$1/stranger"; sleep 0.01; done' sh "$1" &
	(sh -c 'while :; do echo x >> "$1/orphan"; sleep 0.01; done' sh "$1" &)
	work "$1/main"`

var members = []string{"main", "child", "stranger", "orphan"}

func suspend(b *bench) {
	dir := b.TempDir()
	b.sh("family", family, dir)
	for range 2 {
		for _, m := range members {
			b.grows(filepath.Join(dir, m))
		}
		for range 2 { // once more is no more
			if err := b.Suspend(ctx, "family"); err != nil {
				b.Fatalf("suspend: %v", err)
			}
		}
		o := b.observe("family")
		if o.Phase != executor.Suspended || o.PID == 0 {
			b.Errorf("suspended: %+v", o)
		}
		// That is on record when whoever stopped the tree has made sure of all
		// of it, which takes a moment on a busy machine.
		b.await("family", func(o executor.Observation) bool { return !o.Runs[len(o.Runs)-1].To.IsZero() })
		before := map[string]int{}
		for _, m := range members {
			before[m] = lines(filepath.Join(dir, m))
		}
		time.Sleep(300 * time.Millisecond)
		for _, m := range members {
			if n := lines(filepath.Join(dir, m)); n != before[m] {
				b.Errorf("%s went on from %d to %d while suspended", m, before[m], n)
			}
		}
		if o := b.observe("family"); o.Phase != executor.Suspended || o.Runs[len(o.Runs)-1].To.IsZero() {
			b.Errorf("its run is not closed while it is suspended: %+v", o)
		}
		for range 2 {
			if err := b.Resume(ctx, "family"); err != nil {
				b.Fatalf("resume: %v", err)
			}
		}
	}
	for _, m := range members {
		b.grows(filepath.Join(dir, m))
	}
	o := b.await("family", func(o executor.Observation) bool { return len(o.Runs) == 3 })
	if o.Phase != executor.Running || !o.Runs[2].To.IsZero() {
		b.Errorf("resumed: %+v", o)
	}
	for i := 1; i < 3; i++ {
		if gap := o.Runs[i].From.Sub(o.Runs[i-1].To); gap < 250*time.Millisecond || gap > within {
			b.Errorf("gap %d is %s, want 300 ms", i, gap)
		}
	}
}

// scale: the program is told each size once it is asked for, in a file that is
// never half written; asking again changes nothing.
func scale(b *bench) {
	if err := b.Scale(ctx, "nobody", 2000); !errors.Is(err, executor.ErrAbsent) {
		b.Errorf("scale of an unknown task: %v", err)
	}
	b.sh("rigid", `while :; do sleep 0.05; done`)
	if err := b.Scale(ctx, "rigid", 2000); err == nil {
		b.Error("a task that was started without a size has got one")
	}
	seen := filepath.Join(b.TempDir(), "seen")
	b.start(executor.Task{Name: "wide", Size: 500, Env: []string{"CLUSY_SIZE=9"}, Argv: []string{"sh", "-c",
		`echo "$CLUSY_SIZE" > $1; was=$CLUSY_SIZE; while :; do now=$(cat $CLUSY_SIZE_FILE); if [ "$now" != "$was" ]; then echo "$now" >> $1; was=$now; fi; sleep 0.02; done`, "sh", seen}})
	sees := func(want string) {
		b.Helper()
		b.until("its sizes", func() bool { got, _ := os.ReadFile(seen); return string(got) == want }, func() string { got, _ := os.ReadFile(seen); return string(got) })
	}
	sees("0.5\n")
	for range 2 { // once more is no more
		if err := b.Scale(ctx, "wide", 4000); err != nil {
			b.Fatal(err)
		}
	}
	sees("0.5\n4\n")
	if err := b.Scale(ctx, "wide", 0); err == nil {
		b.Error("a size of nothing was accepted")
	}
	// What is suspended is told too, and sees it when it goes on.
	if err := b.Suspend(ctx, "wide"); err != nil {
		b.Fatal(err)
	}
	if err := b.Scale(ctx, "wide", 1000); err != nil {
		b.Fatal(err)
	}
	if err := b.Resume(ctx, "wide"); err != nil {
		b.Fatal(err)
	}
	sees("0.5\n4\n1\n")
	o := b.observe("wide")
	if len(o.Sizes) != 3 || o.Sizes[0].Size != 500 || o.Sizes[1].Size != 4000 || o.Sizes[2].Size != 1000 || o.Size() != 1000 {
		b.Errorf("sizes on record: %+v", o.Sizes)
	}
	for i := 1; i < len(o.Sizes); i++ {
		if o.Sizes[i].At.Before(o.Sizes[i-1].At) {
			b.Errorf("sizes on record go backwards: %+v", o.Sizes)
		}
	}
	if len(b.await("wide", func(o executor.Observation) bool { return len(o.Runs) == 2 }).Runs) != 2 {
		b.Errorf("a change of size is no run of its own: %+v", o.Runs)
	}
	if err := b.Stop(ctx, "wide", 0, "enough"); err != nil {
		b.Fatal(err)
	}
	b.ended("wide")
	if err := b.Scale(ctx, "wide", 2000); !errors.Is(err, executor.ErrEnded) {
		b.Errorf("scale of an ended task: %v", err)
	}
}

// maxDuration allows a busy machine three tries: its own lateness passes, a
// limit that counts the wrong time does not.
func maxDuration(b *bench) {
	const limit = 3 * time.Second
	for try := 1; ; try++ {
		problem := b.maxOnce(fmt.Sprintf("long-%d", try), limit)
		if problem == "" {
			return
		}
		if try == 3 {
			b.Fatal(problem)
		}
		b.Logf("try %d: %s", try, problem)
	}
}

// maxOnce runs a task past its limit with a suspension in between, and says
// what was wrong with the time it got.
func (b *bench) maxOnce(name string, limit time.Duration) string {
	b.Helper()
	b.start(executor.Task{Name: name, Argv: []string{"sh", "-c", "while :; do sleep 0.02; done"},
		Max: limit, Grace: 5 * time.Second})
	time.Sleep(limit / 3)
	if err := b.Suspend(ctx, name); err != nil {
		return err.Error()
	}
	time.Sleep(limit)
	if o := b.observe(name); o.Phase != executor.Suspended {
		return fmt.Sprintf("its suspended time was counted: %+v", o)
	}
	if err := b.Resume(ctx, name); err != nil {
		return err.Error()
	}
	o := b.ended(name)
	if o.Cause != "max-duration" || o.Signal != "SIGTERM" {
		return fmt.Sprintf("ended as %+v", o)
	}
	// The time before it was suspended counts: it did not get that again.
	if ran := o.Ran(o.Ended); ran < limit-10*time.Millisecond || ran > limit*7/6 {
		return fmt.Sprintf("ran for %s, want %s", ran, limit)
	}
	if all := o.Ended.Sub(o.Started); all < 2*limit-50*time.Millisecond {
		return fmt.Sprintf("took %s in all, want %s", all, 2*limit)
	}
	return ""
}

func maxStubborn(b *bench) {
	b.start(executor.Task{Name: "stubborn", Argv: []string{"sh", "-c", `trap "" TERM; while :; do sleep 0.02; done`},
		Max: 100 * time.Millisecond, Grace: 200 * time.Millisecond})
	o := b.ended("stubborn")
	if o.Cause != "max-duration" || o.Signal != "SIGKILL" || o.Ran(o.Ended) < 290*time.Millisecond {
		b.Errorf("ended as %+v", o)
	}
}

func stopGently(b *bench) {
	b.sh("polite", `trap "echo bye; exit 4" TERM; echo ready; while :; do sleep 0.02; done`)
	b.until("polite", func() bool { return b.output("polite") == "ready\n" }, func() string { return b.output("polite") })
	if err := b.Stop(ctx, "polite", time.Minute, "the owner\nasked for it"); err != nil {
		b.Fatal(err)
	}
	o := b.ended("polite")
	if o.ExitCode != 4 || o.Signal != "" || o.Cause != "stopped: the owner asked for it" {
		b.Errorf("ended as %+v", o)
	}
	// In between the shell may say that what it waited for was terminated too.
	if got := b.output("polite"); !strings.HasSuffix(got, "bye\n") {
		b.Errorf("output %q", got)
	}
}

func stopByForce(b *bench) {
	b.sh("deaf", `trap "" TERM; echo ready; while :; do sleep 0.02; done`)
	b.until("deaf", func() bool { return b.output("deaf") == "ready\n" }, func() string { return b.output("deaf") })
	asked := time.Now()
	if err := b.Stop(ctx, "deaf", 300*time.Millisecond, "first"); err != nil {
		b.Fatal(err)
	}
	if err := b.Stop(ctx, "deaf", time.Hour, "second"); err != nil {
		b.Fatal(err)
	}
	got := b.ended("deaf")
	if got.Signal != "SIGKILL" || got.ExitCode != 137 || got.Cause != "stopped: first" {
		b.Errorf("ended as %+v", got)
	}
	if took := got.Ended.Sub(asked); took < 290*time.Millisecond {
		b.Errorf("was killed after %s, before its grace was over", took)
	}
}

func stopImpatiently(b *bench) {
	b.sh("slow", `trap "" TERM; echo ready; while :; do sleep 0.02; done`)
	b.until("slow", func() bool { return b.output("slow") == "ready\n" }, func() string { return b.output("slow") })
	if err := b.Stop(ctx, "slow", time.Hour, "first"); err != nil {
		b.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if p := b.observe("slow").Phase; p != executor.Running {
		b.Fatalf("phase within its grace: %s", p)
	}
	if err := b.Stop(ctx, "slow", 0, "second"); err != nil {
		b.Fatal(err)
	}
	if got := b.ended("slow"); got.Signal != "SIGKILL" || got.Cause != "stopped: first" {
		b.Errorf("ended as %+v", got)
	}
}

func stopSuspended(b *bench) {
	b.sh("asleep", `trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.02; done`)
	b.until("asleep", func() bool { return b.output("asleep") == "ready\n" }, func() string { return b.output("asleep") })
	if err := b.Suspend(ctx, "asleep"); err != nil {
		b.Fatal(err)
	}
	if err := b.Stop(ctx, "asleep", time.Minute, "enough"); err != nil {
		b.Fatal(err)
	}
	if got := b.ended("asleep"); got.ExitCode != 0 || got.Cause != "stopped: enough" || !strings.HasSuffix(b.output("asleep"), "bye\n") {
		b.Errorf("ended as %+v with output %q", got, b.output("asleep"))
	}
}

// stopFirst stops while a start is under way: either it was started and ends,
// or it never will be.
func stopFirst(b *bench) {
	for i := range 10 {
		name := fmt.Sprintf("race-%d", i)
		truth := filepath.Join(b.TempDir(), "truth")
		task := executor.Task{Name: name, Argv: []string{"sh", "-c", `echo started >> "$0"; exec sleep 60`, truth}}
		var wait sync.WaitGroup
		wait.Go(func() {
			if err := b.Start(ctx, task); err != nil {
				b.Errorf("start: %v", err)
			}
		})
		time.Sleep(time.Duration(i) * time.Millisecond)
		if err := b.Stop(ctx, name, time.Second, "changed our mind"); err != nil {
			b.Errorf("stop: %v", err)
		}
		wait.Wait()
		// Stop may have come before there was anything to stop.
		if err := b.Stop(ctx, name, time.Second, "changed our mind"); err != nil {
			b.Errorf("stop: %v", err)
		}
		o := b.ended(name)
		if o.Cause != "stopped: changed our mind" || o.Started.IsZero() && lines(truth) != 0 {
			b.Errorf("ended as %+v after %d starts", o, lines(truth))
		}
	}
}

// leftovers: the task ends with its main process, and all that it started.
func leftovers(b *bench) {
	dir := b.TempDir()
	script := strings.Replace(family, `work "$1/main"`,
		`until [ -s "$1/child" ] && [ -s "$1/stranger" ] && [ -s "$1/orphan" ]; do sleep 0.01; done; exit 3`, 1)
	b.sh("parent", script, dir)
	if o := b.ended("parent"); o.ExitCode != 3 {
		b.Errorf("ended as %+v", o)
	}
	before := map[string]int{}
	for _, m := range members[1:] {
		before[m] = lines(filepath.Join(dir, m))
	}
	time.Sleep(200 * time.Millisecond)
	for _, m := range members[1:] {
		if n := lines(filepath.Join(dir, m)); n != before[m] {
			b.Errorf("%s goes on after the end of its task", m)
		}
	}
}

func forget(b *bench) {
	truth := filepath.Join(b.TempDir(), "truth")
	b.sh("past", `echo started >> "$1"; sleep 60`, truth)
	b.until(truth, func() bool { return lines(truth) == 1 }, func() string { return "not written" })
	if err := b.Forget(ctx, "past"); !errors.Is(err, executor.ErrRunning) {
		b.Errorf("forget a running task: %v", err)
	}
	if err := b.Stop(ctx, "past", 0, "test"); err != nil {
		b.Fatal(err)
	}
	b.ended("past")
	for range 2 {
		if err := b.Forget(ctx, "past"); err != nil {
			b.Fatalf("forget: %v", err)
		}
	}
	if p := b.observe("past").Phase; p != executor.Absent {
		b.Errorf("phase of a forgotten task: %s", p)
	}
	if names, err := b.List(ctx); err != nil || len(names) != 0 {
		b.Errorf("list: %v, %v", names, err)
	}
}

// cancelled: a caller that gives up leaves a task that is started once or not.
func cancelled(b *bench) {
	truth := filepath.Join(b.TempDir(), "truth")
	task := executor.Task{Name: "hurry", Argv: []string{"sh", "-c", `echo started >> "$0"`, truth}}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := b.Start(over, task); !errors.Is(err, context.Canceled) {
		b.Errorf("start with a cancelled context: %v", err)
	}
	for i := range 5 {
		short, cancel := context.WithTimeout(ctx, time.Duration(i)*time.Millisecond)
		if err := b.Start(short, task); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("start: %v", err)
		}
		cancel()
	}
	b.start(task)
	b.ended("hurry")
	if n := lines(truth); n != 1 {
		b.Errorf("started %d times", n)
	}
}
