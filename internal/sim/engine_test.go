package sim

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/executor"
)

// TestEngine holds the simulated engine against the promise of executor.Executor,
// in simulated time: the suite of executortest runs real programs.
func TestEngine(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	e := NewEngine(c.Now, func(k executor.Task) Work { return Work{Length: time.Hour, Resume: time.Minute, Exit: len(k.Argv) - 1} })
	var _ executor.Executor = e
	must := func(want, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	see := func(name string) executor.Observation {
		t.Helper()
		o, err := e.Observe(ctx, name)
		must(nil, err)
		return o
	}

	// Unknown, and refused.
	if o := see("nobody"); o.Phase != executor.Absent {
		t.Errorf("an unknown task is %s", o.Phase)
	}
	must(executor.ErrAbsent, e.Suspend(ctx, "nobody"))
	must(executor.ErrAbsent, e.Resume(ctx, "nobody"))
	must(nil, e.Stop(ctx, "nobody", 0, "test"))
	must(nil, e.Forget(ctx, "nobody"))
	_, err := e.Logs(ctx, "nobody", 0, 1)
	must(executor.ErrAbsent, err)
	for _, bad := range []executor.Task{{Name: "A", Argv: []string{"x"}}, {Name: "a"}, {Name: "a", Argv: []string{"x"}, Max: -1}} {
		if e.Start(ctx, bad) == nil {
			t.Errorf("%+v was started", bad)
		}
	}
	if _, err := e.Observe(ctx, "../up"); err == nil {
		t.Error("a name that is none is observed")
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	must(context.Canceled, e.Start(over, executor.Task{Name: "late", Argv: []string{"x"}}))
	if names, _ := e.List(ctx); len(names) > 0 || len(e.starts) > 0 {
		t.Errorf("refused tasks left %v, %v", names, e.starts)
	}

	// Started once, suspended and resumed: it takes its time, and a minute more.
	task := executor.Task{Name: "work", Argv: []string{"x", "1"}}
	for range 3 {
		must(nil, e.Start(ctx, task))
	}
	if len(e.starts) != 1 {
		t.Errorf("started %d times", len(e.starts))
	}
	must(executor.ErrRunning, e.Forget(ctx, "work"))
	c.now = clockAt(30)
	for range 2 {
		must(nil, e.Suspend(ctx, "work"))
	}
	if _, any := e.due(); any {
		t.Error("what is suspended is due to end")
	}
	c.now = clockAt(100)
	if o := see("work"); o.Phase != executor.Suspended || o.Ran(c.now) != 30*time.Minute {
		t.Errorf("suspended: %+v", o)
	}
	for range 2 {
		must(nil, e.Resume(ctx, "work"))
	}
	if at, any := e.due(); !any || !at.Equal(clockAt(131)) {
		t.Errorf("due at %s, %t", at, any)
	}
	c.now = clockAt(200)
	if o := see("work"); o.Phase != executor.Ended || o.ExitCode != 1 || !o.Ended.Equal(clockAt(131)) || len(o.Runs) != 2 || o.Ran(c.now) != 61*time.Minute || o.Cause != "" {
		t.Errorf("ended: %+v", o)
	}
	must(executor.ErrEnded, e.Suspend(ctx, "work"))
	must(executor.ErrEnded, e.Resume(ctx, "work"))
	must(nil, e.Stop(ctx, "work", 0, "late"))
	must(nil, e.Start(ctx, task))
	if o := see("work"); o.Cause != "" || len(e.starts) != 1 {
		t.Errorf("an ended task is changed by stop or start: %+v", o)
	}

	// Stopped, over its time, and gone with its machine.
	for _, name := range []string{"stopped", "long", "gone", "done"} {
		k := executor.Task{Name: name, Argv: []string{"x"}}
		if name == "long" {
			k.Max = 20 * time.Minute
		}
		if name == "gone" {
			c.now = clockAt(210)
		}
		if name == "done" {
			c.now = clockAt(0)
		}
		must(nil, e.Start(ctx, k))
	}
	c.now = clockAt(230)
	must(nil, e.Stop(ctx, "stopped", 0, "changed our mind"))
	must(nil, e.Stop(ctx, "stopped", 0, "again"))
	if o := see("stopped"); o.Phase != executor.Ended || o.Cause != "stopped: changed our mind" || !o.Ended.Equal(c.now) || o.ExitCode == 0 {
		t.Errorf("stopped: %+v", o)
	}
	e.crash()
	if o := see("long"); o.Cause != "max-duration" || !o.Ended.Equal(clockAt(220)) {
		t.Errorf("over its time: %+v", o)
	}
	if o := see("gone"); o.Phase != executor.Lost || !o.Runs[0].To.Equal(c.now) || !o.Ended.IsZero() {
		t.Errorf("gone: %+v", o)
	}
	if o := see("done"); o.Phase != executor.Ended || !o.Ended.Equal(clockAt(60)) {
		t.Errorf("it had ended before its machine went down: %+v", o)
	}
	names, err := e.List(ctx)
	must(nil, err)
	if !slices.Equal(names, []string{"done", "gone", "long", "stopped", "work"}) {
		t.Errorf("list: %v", names)
	}
	must(nil, e.Forget(ctx, "gone"))
	if o := see("gone"); o.Phase != executor.Absent {
		t.Errorf("forgotten: %+v", o)
	}
}
