package executor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	line := "1234 (a) b (c) S 7 1234 99 0 -1 4194304 10 20 30 40 5 6 70 80 20 0 1 0 4242 1000 50 18446744073709551615 1 1\n"
	p, err := parseStat([]byte(line))
	want := proc{identity: identity{1234, 4242}, Parent: 7, Session: 99, State: 'S',
		CPU: 1610 * time.Millisecond, Waited: 1500 * time.Millisecond}
	if err != nil || p != want {
		t.Errorf("%+v, %v, want %+v", p, err, want)
	}
	for _, bad := range []string{"", "1", "1 a S", ")(", "1 (a) S 1 2", "x (a) S" + strings.Repeat(" 1", 30), "1 (a) SS" + strings.Repeat(" 1", 30)} {
		if p, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
	me, err := self()
	if err != nil || me.PID != os.Getpid() || me.Start == 0 || me.Start > bootTicks() {
		t.Errorf("self: %+v, %v, now %d", me, err, bootTicks())
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (sh) S" + strings.Repeat(" 1", 40))
	f.Add("1 ()) (")
	f.Fuzz(func(t *testing.T, s string) { parseStat([]byte(s)) })
}

// Each interval is as long as the monotonic clock says, and none begins before
// the one before it has ended, however the machine's clock is set.
func TestClock(t *testing.T) {
	t0 := time.Now()
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	var c clock
	c.begin(at(0))
	from := c.now()
	if to := c.end(at(time.Second)); to.Sub(from) != time.Second {
		t.Errorf("a second took %s", to.Sub(from))
	}
	stop := c.now()
	c.begin(at(-time.Hour)) // set back by an hour
	if c.now().Before(stop) {
		t.Errorf("began at %s, before %s", c.now(), stop)
	}
	again := c.now()
	if to := c.end(at(-time.Hour + time.Minute)); to.Sub(again) != time.Minute {
		t.Errorf("a minute took %s", to.Sub(again))
	}
	if to := c.end(at(-2 * time.Hour)); to.Before(again) {
		t.Errorf("ended at %s, before it began", to)
	}
}

func TestFold(t *testing.T) {
	t0 := time.Unix(1_800_000_000, 0).UTC()
	s := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	for what, c := range map[string]struct {
		events []string
		want   string
	}{
		"nothing":        {nil, "starting"},
		"runs":           {[]string{"1 started 0"}, "running 0-"},
		"written twice":  {[]string{"1 started 0", "1 started 5"}, "running 0-"},
		"stopped":        {[]string{"1 started 0", "2 stopped 2"}, "running 0-2"},
		"stopped twice":  {[]string{"1 started 0", "2 stopped 2", "3 stopped 3"}, "running 0-2"},
		"goes on":        {[]string{"1 started 0", "2 stopped 2", "3 continued 4"}, "running 0-2 4-"},
		"went on anyway": {[]string{"1 started 0", "2 continued 4"}, "running 0-"},
		"ended":          {[]string{"1 started 0", "2 stopped 2", "3 continued 4", "4 exited 7"}, "ended 0-2 4-7"},
		"ended stopped":  {[]string{"1 started 0", "2 stopped 2", "3 exited 7"}, "ended 0-2"},
		"never began":    {[]string{"1 exited 0"}, "ended"},
		"continued only": {[]string{"1 continued 0"}, "starting"},
		"lost":           {[]string{"1 started 3", "2 lost 5"}, "lost 3-5"},
		"lost, no pulse": {[]string{"1 started 3", "2 lost -9"}, "lost 3-3"},
		"after the end":  {[]string{"1 started 0", "2 exited 1", "3 lost 2", "4 started 3"}, "ended 0-1"},
	} {
		var records [][]byte
		for _, e := range c.events {
			var seq, at int
			var kind string
			fmt.Sscan(e, &seq, &kind, &at)
			records = append(records, fmt.Appendf(nil, `{"seq":%d,"kind":%q,"at":%q}`, seq, kind, s(at).Format(time.RFC3339)))
		}
		a, err := fold(records)
		got := string(a.Phase)
		for _, r := range a.Runs {
			got += fmt.Sprintf(" %d-", int(r.From.Sub(t0).Seconds()))
			if !r.To.IsZero() {
				got += fmt.Sprint(int(r.To.Sub(t0).Seconds()))
			}
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", what, got, err, c.want)
		}
	}
	if _, err := fold([][]byte{[]byte("no event")}); err == nil {
		t.Error("nonsense was folded")
	}
	o := Observation{Runs: []Span{{s(0), s(2)}, {s(5), time.Time{}}}}
	if ran := o.Ran(s(9)); ran != 6*time.Second {
		t.Errorf("ran %s, want 6 s", ran)
	}
}

// What cannot be recorded now is recorded later, in order and once.
func TestRecorderWaits(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "record")
	r, err := openRecorder(path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(kind eventKind, ok bool) {
		t.Helper()
		if err := r.add(event{Kind: kind, At: time.Unix(int64(r.seq), 0)}); (err == nil) != ok {
			t.Errorf("%s: %v", kind, err)
		}
	}
	add(started, true)
	r.j.Close() // as a journal that has failed
	add(stopped, false)
	if err := os.Rename(path, path+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	add(continued, false)
	if err := errors.Join(os.Remove(path), os.Rename(path+"-away", path)); err != nil {
		t.Fatal(err)
	}
	// The last failure was in doubt, and the event is on the disk after all.
	r2, err := openRecorder(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r2.add(r.waiting[0]), r2.close()); err != nil {
		t.Fatal(err)
	}
	add(exited, true)
	if err := errors.Join(r.flush(), r.close(), r.close()); err != nil {
		t.Error(err)
	}
	a, damage, err := taskDir(dir).records()
	if err != nil || damage != nil || a.Phase != Ended || len(a.Runs) != 2 || a.seq != 4 {
		t.Errorf("%+v, %v, %v", a, damage, err)
	}
}

func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"bin/run": 0o755, "bin/data": 0o644, "other/data": 0o755} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), nil, mode)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		program, path, want string
		err                 error
	}{
		{"run", dir + "/bin", "bin/run", nil},
		{"run", "bin", "bin/run", nil}, // relative to the task's directory
		{"./bin/run", "", "bin/run", nil},
		{dir + "/bin/run", "", "bin/run", nil},
		{"data", dir + "/bin:" + dir + "/other", "other/data", nil},
		{"data", dir + "/bin", "", fs.ErrPermission},
		{"bin/data", "", "", fs.ErrPermission},
		{"bin", dir, "", fs.ErrPermission},
		{"none", dir + "/bin", "", fs.ErrNotExist},
		{"none", "", "", fs.ErrNotExist},
		{"/none", "", "", fs.ErrNotExist},
	} {
		got, err := lookPath(c.program, c.path, dir)
		if !errors.Is(err, c.err) || err == nil && got != filepath.Join(dir, c.want) {
			t.Errorf("%s in %q: %q, %v", c.program, c.path, got, err)
		}
	}
}

func TestShimRefuses(t *testing.T) {
	t.Setenv(ShimEnv, "")
	for _, args := range [][]string{nil, {"relative"}, {"/a", "/b"}} {
		if code := ShimMain(args); code != 2 {
			t.Errorf("%q: %d", args, code)
		}
	}
}

// Start says what is wrong with the shim, starts nothing, and can be repeated.
func TestStartWithoutShim(t *testing.T) {
	p := engine(t)
	for _, shim := range [][]string{nil, {"/no/such/shim"}, {"no-such-shim"}, {"/bin/false"}} {
		broken := p
		broken.Shim = shim
		if err := broken.Start(ctx, truthTask("task", "/dev/null")); err == nil {
			t.Errorf("%q: no error", shim)
		}
	}
	broken := p
	broken.Shim = []string{"/bin/sh", "-c", "echo out of order >&2; exit 1"}
	if err := broken.Start(ctx, truthTask("task", "/dev/null")); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("the shim's complaint is not told: %v", err)
	}
	// A spec that cannot be read is never run.
	d, _ := p.dir("task")
	good, err := os.ReadFile(d.file("spec"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"{", `{"name":"task"}`} {
		if err := os.WriteFile(d.file("spec"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(ctx, truthTask("task", "/dev/null")); err == nil {
			t.Errorf("spec %q was run", bad)
		}
	}
	if err := os.WriteFile(d.file("spec"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx, truthTask("task", "/dev/null")); err != nil {
		t.Error(err)
	}
	if o := await(t, p, "task", settled); o.Phase != Ended || o.ExitCode != 0 {
		t.Errorf("%+v", o)
	}
	if err := p.Forget(ctx, "task"); err != nil {
		t.Error(err)
	}
}

// What is kept holds the customer's secrets: nobody else can read it.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	root := filepath.Join(t.TempDir(), "deep", "root")
	p := process(root)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"echo", "secret"}}); err != nil {
		t.Fatal(err)
	}
	await(t, p, "task", settled)
	n := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		n++
		if st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, st.Mode())
		}
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s was left behind", path)
		}
		return nil
	})
	if err != nil || n < 8 {
		t.Errorf("%d files, %v", n, err)
	}
}

// The machine asks its processes to end when it goes down. The shim takes it
// for a stop, with the grace that the task was given.
func TestShimTerminatedFromOutside(t *testing.T) {
	t.Parallel()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"sleep", "60"}, Grace: time.Minute}); err != nil {
		t.Fatal(err)
	}
	d, _ := p.dir("task")
	c, _, err := d.readClaim()
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT} {
		if err := c.Shim.signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if o, err := p.Observe(ctx, "task"); err != nil || o.Phase != Running {
		t.Fatalf("after a hangup: %+v, %v", o, err)
	}
	if err := c.Shim.signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if o := await(t, p, "task", settled); o.Phase != Ended || o.Signal != "SIGTERM" || !strings.HasPrefix(o.Cause, "stopped: ") {
		t.Errorf("%+v", o)
	}
}

// A caller that dies between its order and its signal is obeyed with the next
// pulse of the shim.
func TestOrderWithoutSignal(t *testing.T) {
	t.Parallel()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"sleep", "60"}}); err != nil {
		t.Fatal(err)
	}
	d, _ := p.dir("task")
	if err := d.replace("stop", order{Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	if o := await(t, p, "task", settled); o.Cause != "stopped: r" {
		t.Errorf("%+v", o)
	}
}

// The shim may record the end between an observer's look at the record and its
// look at the lock: whoever takes the lock reads again.
func TestSettleReadsAgain(t *testing.T) {
	t.Parallel()
	p := engine(t)
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	await(t, p, "task", settled)
	d, _ := p.dir("task")
	c, _, err := d.readClaim()
	if err != nil {
		t.Fatal(err)
	}
	for held := true; held; { // the shim lets go of it when it is gone
		if held, err = d.locked(); err != nil {
			t.Fatal(err)
		}
	}
	if a, done, err := d.settle(ctx, c); err != nil || !done || a.Phase != Ended {
		t.Errorf("%+v, %v, %v", a, done, err)
	}
	lock, err := d.tryLock(false)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.unlock()
	if _, done, err := d.settle(ctx, c); err != nil || done {
		t.Errorf("settled without the lock: %v", err)
	}
}

// A lock of a directory that was forgotten since is no lock of the task.
func TestLockOfTheForgotten(t *testing.T) {
	t.Parallel()
	d := taskDir(filepath.Join(t.TempDir(), "task"))
	make := func() {
		t.Helper()
		if err := errors.Join(os.Mkdir(string(d), 0o700), os.WriteFile(d.file("lock"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	make()
	f, err := os.OpenFile(d.file("lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := d.sameLock(f); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(string(d)); err != nil {
		t.Fatal(err)
	}
	if err := d.sameLock(f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	make()
	if err := d.sameLock(f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made anew: %v", err)
	}
}

// On a full disk the task runs on and can be stopped, its end is not forgotten
// and not invented, and it is recorded as soon as there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		t.Skipf("needs the right to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	p := process(root)
	task := Task{Name: "task", Argv: []string{"sh", "-c", "while :; do sleep 0.02; done"}, Grace: time.Minute}
	if err := p.Start(ctx, task); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(root, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := p.Start(ctx, truthTask("other", "/dev/null")); err == nil {
		t.Error("a task was started that cannot be recorded")
	}
	// Enough records to need a page that is not there.
	const times = 40
	for range times {
		if err := p.Suspend(ctx, "task"); err != nil {
			t.Fatal(err)
		}
		if err := p.Resume(ctx, "task"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Stop(ctx, "task", time.Second, "full"); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("the reason has found room: %v", err)
	}
	o, err := p.Observe(ctx, "task")
	for end := time.Now().Add(within); err == nil && o.PID != 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		o, err = p.Observe(ctx, "task")
	}
	time.Sleep(100 * time.Millisecond)
	if o, err = p.Observe(ctx, "task"); err != nil || o.Phase != Running || o.PID != 0 || o.Ended != (time.Time{}) {
		t.Fatalf("its end cannot be known yet: %+v, %v", o, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	o = await(t, p, "task", settled)
	if o.Phase != Ended || len(o.Runs) < times/2 || !strings.HasPrefix(o.Cause, "stopped: ") {
		t.Errorf("with room again: %+v", o)
	}
	for i, r := range o.Runs {
		if r.To.Before(r.From) || i > 0 && r.From.Before(o.Runs[i-1].To) {
			t.Errorf("run %d is out of order: %+v", i, r)
		}
	}
	if err := p.Start(ctx, truthTask("other", "/dev/null")); err != nil {
		t.Error(err)
	}
	await(t, p, "other", settled)
}

// The processor time is that of the whole tree, while it lives and afterwards.
func TestCPU(t *testing.T) {
	t.Parallel()
	p := engine(t)
	burn := `i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done`
	if err := p.Start(ctx, Task{Name: "task", Argv: []string{"sh", "-c", "(" + burn + "); (" + burn + ") & wait; echo burnt; sleep 60"}}); err != nil {
		t.Fatal(err)
	}
	o := await(t, p, "task", func(o Observation) bool {
		c, _ := p.Logs(ctx, "task", 0, 10)
		return string(c.Data) == "burnt\n"
	})
	if o, _ = p.Observe(ctx, "task"); o.CPU < 50*time.Millisecond {
		t.Errorf("while it lives: %s", o.CPU)
	}
	if err := p.Stop(ctx, "task", 0, "enough"); err != nil {
		t.Fatal(err)
	}
	if end := await(t, p, "task", settled); end.CPU < o.CPU || end.CPU > time.Minute {
		t.Errorf("afterwards %s, before %s", end.CPU, o.CPU)
	}
}

// A reason ends up in records and tables: it is one bounded line of text.
func TestReasons(t *testing.T) {
	for in, want := range map[string]string{"a\n\tb  c": "a b c", "\xff": "?", strings.Repeat("ä", 300): strings.Repeat("ä", 250)} {
		if got := oneLine(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
