package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"clusy.io/clusy/internal/store/pgtest"
)

// TestScript runs the stories in testdata/script against the real binary, each
// with a home and a server of its own.
func TestScript(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if stories.Load() > 0 {
			if pg, err := sharedPostgres(); err == nil {
				pg.Stop()
			}
		}
	})
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			trace, err := filepath.Abs("../../internal/signal/bundled/trace.csv")
			env.Setenv("TRACE", trace)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "halt": scriptHalt, "flip": scriptFlip, "capture": scriptCapture, "code": scriptCode, "postgres": scriptPostgres,
		},
	})
}

var exported = regexp.MustCompile(`export (CLUSY_\w+)=(\S+)`)

// scriptServe starts a server with the flags given and keeps its address and
// token in the environment: serve NAME FLAG …
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve NAME [flag ...]")
	}
	name := args[0]
	cmd := exec.Command("clusy", append([]string{"serve", "--listen", "127.0.0.1:0", "--data", ts.MkAbs(name)}, args[1:]...)...)
	if path, err := exec.LookPath("clusy"); err == nil {
		cmd.Path = path
	}
	bin, _ := binary()
	cmd.Path, cmd.Err = bin, nil
	cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"), "NO_COLOR=1"}
	if where := ts.Getenv("CLUSY_DATABASE"); where != "" {
		cmd.Env = append(cmd.Env, "CLUSY_DATABASE="+where)
	}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	ts.Check(cmd.Start())
	servers.Store(ts.Getenv("WORK")+"/"+name, cmd)
	ts.Defer(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := exported.FindStringSubmatch(lines.Text()); m != nil {
			ts.Setenv(m[1], m[2])
		}
		if m := regexp.MustCompile(`serves at (\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			ts.Setenv("CLUSY_URL", m[1])
		}
		if strings.HasPrefix(lines.Text(), "Try:") {
			go func() {
				for lines.Scan() {
				}
			}()
			ready(ts, bin)
			return
		}
	}
	ts.Fatalf("the server did not start: %s", errs.String())
}

// servers are those that scripts, side by side, have started.
var servers sync.Map

// ready waits until the server's own sites have registered.
func ready(ts *testscript.TestScript, bin string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		cmd := exec.Command(bin, "sites", "--json")
		cmd.Env = []string{"CLUSY_URL=" + ts.Getenv("CLUSY_URL"), "CLUSY_TOKEN=" + ts.Getenv("CLUSY_TOKEN")}
		if out, err := cmd.Output(); err == nil && bytes.Contains(out, []byte(`"zone"`)) {
			return
		}
	}
	ts.Fatalf("no site registered")
}

// scriptHalt ends a server and waits for it: halt NAME. (testscript has a stop of
// its own, which ends the story.)
func scriptHalt(ts *testscript.TestScript, neg bool, args []string) {
	started, ok := servers.Load(ts.Getenv("WORK") + "/" + args[0])
	if !ok {
		ts.Fatalf("no server %s", args[0])
	}
	cmd := started.(*exec.Cmd)
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
}

// scriptFlip changes one byte of a file, within the first place that holds a
// text: flip FILE TEXT
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	i := bytes.Index(b, []byte(args[1]))
	if i < 0 {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	b[i+len(args[1])/2] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// scriptCapture keeps the last line of the standard output: capture NAME
func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	ts.Setenv(args[0], lines[len(lines)-1])
}

// scriptCode runs a command that is to end with an exit code: code 4 clusy plan …
func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	bin, _ := binary()
	cmd := exec.Command(bin, args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, k := range []string{"HOME", "PATH", "NO_COLOR", "CLUSY_URL", "CLUSY_TOKEN", "WORK"} {
		cmd.Env = append(cmd.Env, k+"="+ts.Getenv(k))
	}
	if where := ts.Getenv("CLUSY_DATABASE"); where != "" {
		cmd.Env = append(cmd.Env, "CLUSY_DATABASE="+where)
	}
	out, err := cmd.CombinedOutput()
	ts.Logf("%s", out)
	got := 0
	if err != nil {
		got = cmd.ProcessState.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs("out"), out, 0o600))
}

// scriptPostgres makes an empty database and says where it is.
func scriptPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: postgres")
	}
	pg, err := sharedPostgres()
	ts.Check(err)
	name := fmt.Sprintf("story%d", stories.Add(1))
	ts.Check(pg.Do(context.Background(), pgtest.Owner, "CREATE SCHEMA "+name))
	ts.Setenv("CLUSY_DATABASE", pg.Address(name).Reveal())
}

var stories atomic.Int64

var sharedPostgres = sync.OnceValues(func() (*pgtest.Server, error) { return pgtest.Start("fsync=off", "max_connections=60") })
