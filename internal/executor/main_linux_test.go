package executor

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// The test binary plays all the roles: the tests, the shims that they start,
// and callers that are killed. A role dies at the step that crashEnv names.
const (
	crashEnv  = "EXECUTOR_TEST_CRASH"
	callerEnv = "EXECUTOR_TEST_CALLER"

	// shimBinaryEnv names another binary to be the shims, one built with -cover,
	// as what a test binary does in other processes is not counted. It knows no
	// steps to die at: the tests of those fail with it.
	shimBinaryEnv = "EXECUTOR_TEST_SHIM"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(ShimEnv) == "1":
		os.Exit(shimMain(os.Args[1:], crashAt(os.Getenv(crashEnv))))
	case os.Getenv(callerEnv) != "":
		os.Exit(caller())
	}
	os.Exit(m.Run())
}

// caller starts a task and waits to be killed: argv is root, name, truth.
func caller() int {
	p := process(os.Args[1])
	p.crash = crashAt(os.Getenv(crashEnv))
	if err := p.Start(context.Background(), truthTask(os.Args[2], os.Args[3])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// truthTask writes a line to truth when it starts, and runs for a moment.
func truthTask(name, truth string) Task {
	return Task{Name: name, Argv: []string{"sh", "-c", `echo started >> "$0"; sleep 0.05`, truth}}
}

func crashAt(step string) func(string) {
	return func(s string) {
		if s == step {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Hour) // the signal is on its way
		}
	}
}

// engine returns an executor of which nothing lives on after the test, should
// the test fail in the middle.
func engine(t *testing.T) Process {
	t.Helper()
	p := process(t.TempDir())
	t.Cleanup(func() {
		names, _ := p.List(ctx)
		for _, name := range names {
			p.Stop(ctx, name, 0, "the test is over")
		}
		for _, name := range names {
			for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if o, err := p.Observe(ctx, name); err != nil || !o.Phase.Live() {
					break
				}
			}
		}
	})
	return p
}

// EngineOfTest is for the contract suite, which is in another package.
func EngineOfTest(root string) Process { return process(root) }

// process returns an executor whose shims are this test binary.
func process(root string) Process {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p := Process{Root: root, Shim: []string{exe}}
	if shim := os.Getenv(shimBinaryEnv); shim != "" {
		p.Shim = []string{shim}
		p.shimEnv = []string{"GOCOVERDIR=" + os.Getenv(shimBinaryEnv+"_COVER")}
	}
	return p
}
