package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"clusy.io/clusy/internal/executor"
)

// Work is what a task really is: how long it runs, and how it ends.
type Work struct {
	Length time.Duration
	Resume time.Duration // running time that is lost each time it goes on
	Exit   int
}

// needs is how long it runs when it has been resumed so often.
func (w Work) needs(resumes int) time.Duration {
	return w.Length + time.Duration(resumes)*w.Resume
}

// Engine is an executor in simulated time: a task takes what its work takes and
// not a moment more. It is the machine of a site, so it outlives its agent, and
// what it has run is the truth that everything else is held against.
type Engine struct {
	now    func() time.Time
	work   func(executor.Task) Work
	tasks  map[string]*task
	live   map[string]*task
	starts []Start
}

// Start is a program that really began.
type Start struct {
	Task string
	At   time.Time
}

type task struct {
	executor.Task
	work Work
	seen executor.Observation
}

// NewEngine returns an engine that asks now for the time and work for what a
// task is.
func NewEngine(now func() time.Time, work func(executor.Task) Work) *Engine {
	return &Engine{now: now, work: work, tasks: map[string]*task{}, live: map[string]*task{}}
}

// Start starts t, once for each name.
func (e *Engine) Start(ctx context.Context, t executor.Task) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.Check(); err != nil {
		return err
	}
	if e.tasks[t.Name] != nil {
		return nil
	}
	now := e.now()
	k := &task{Task: t, work: e.work(t), seen: executor.Observation{Phase: executor.Running, Started: now, Runs: []executor.Span{{From: now}}}}
	e.tasks[t.Name], e.live[t.Name] = k, k
	e.starts = append(e.starts, Start{t.Name, now})
	return nil
}

// limit is how long a task runs at most.
func (k *task) limit() time.Duration {
	need := k.work.needs(len(k.seen.Runs) - 1)
	if k.Max > 0 {
		return min(need, k.Max)
	}
	return need
}

// ends returns when a task that runs will end if nobody suspends it.
func (k *task) ends() time.Time {
	last := k.seen.Runs[len(k.seen.Runs)-1]
	return last.From.Add(k.limit() - k.seen.Ran(last.From))
}

// catchUp ends a task whose time is over.
func (e *Engine) catchUp(k *task) {
	if k.seen.Phase != executor.Running {
		return
	}
	if at := k.ends(); !at.After(e.now()) {
		k.seen.ExitCode = k.work.Exit
		if k.Max > 0 && k.Max < k.work.needs(len(k.seen.Runs)-1) {
			k.seen.ExitCode, k.seen.Signal, k.seen.Cause = 128+15, "SIGTERM", "max-duration"
		}
		e.end(k, executor.Ended, at)
	}
}

func (e *Engine) end(k *task, as executor.Phase, at time.Time) {
	if last := &k.seen.Runs[len(k.seen.Runs)-1]; last.To.IsZero() {
		last.To = at
	}
	k.seen.Phase = as
	if as == executor.Ended {
		k.seen.Ended = at
	}
	delete(e.live, k.Name)
}

// find returns a task as it is by now; nil if there is none.
func (e *Engine) find(ctx context.Context, name string) (*task, error) {
	if err := executor.CheckName(name); err != nil {
		return nil, err
	}
	k := e.tasks[name]
	if k != nil {
		e.catchUp(k)
	}
	return k, ctx.Err()
}

// running returns a task that lives.
func (e *Engine) running(ctx context.Context, name string) (*task, error) {
	k, err := e.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case k == nil:
		return nil, executor.ErrAbsent
	case !k.seen.Phase.Live():
		return nil, executor.ErrEnded
	}
	return k, nil
}

// Scale refuses: what is simulated has one size.
func (e *Engine) Scale(ctx context.Context, name string, size int) error {
	if _, err := e.running(ctx, name); err != nil {
		return err
	}
	return fmt.Errorf("task %s is to have the size %d, and simulated work has one size only", name, size)
}

// Suspend stops a task from making progress.
func (e *Engine) Suspend(ctx context.Context, name string) error {
	k, err := e.running(ctx, name)
	if err == nil && k.seen.Phase == executor.Running {
		k.seen.Runs[len(k.seen.Runs)-1].To = e.now()
		k.seen.Phase = executor.Suspended
	}
	return err
}

// Resume lets it go on.
func (e *Engine) Resume(ctx context.Context, name string) error {
	k, err := e.running(ctx, name)
	if err == nil && k.seen.Phase == executor.Suspended {
		k.seen.Runs = append(slices.Clone(k.seen.Runs), executor.Span{From: e.now()})
		k.seen.Phase = executor.Running
	}
	return err
}

// Stop ends a task; all of them obey at the first word. One that was never
// given never starts: its name is taken.
func (e *Engine) Stop(ctx context.Context, name string, _ time.Duration, reason string) error {
	k, err := e.find(ctx, name)
	if err != nil || k == nil || !k.seen.Phase.Live() {
		return err
	}
	k.seen.ExitCode, k.seen.Signal, k.seen.Cause = 128+15, "SIGTERM", "stopped: "+reason
	e.end(k, executor.Ended, e.now())
	return nil
}

// Observe shows a task as it is.
func (e *Engine) Observe(ctx context.Context, name string) (executor.Observation, error) {
	k, err := e.find(ctx, name)
	if err != nil || k == nil {
		return executor.Observation{Phase: executor.Absent}, err
	}
	o := k.seen
	o.Runs = slices.Clone(o.Runs)
	return o, nil
}

// List returns all that anything is kept of.
func (e *Engine) List(ctx context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(e.tasks)), ctx.Err()
}

// Logs returns nothing: simulated work has nothing to say.
func (e *Engine) Logs(ctx context.Context, name string, offset int64, _ int) (executor.Chunk, error) {
	k, err := e.find(ctx, name)
	if err == nil && k == nil {
		err = executor.ErrAbsent
	}
	return executor.Chunk{Offset: max(offset, 0), Next: max(offset, 0)}, err
}

// Forget drops what is kept of a task that does not live.
func (e *Engine) Forget(ctx context.Context, name string) error {
	k, err := e.find(ctx, name)
	if err != nil || k == nil {
		return err
	}
	if k.seen.Phase.Live() {
		return executor.ErrRunning
	}
	delete(e.tasks, name)
	return nil
}

// due returns when the next task ends by itself.
func (e *Engine) due() (at time.Time, any bool) {
	for _, k := range e.live {
		if k.seen.Phase != executor.Running {
			continue
		}
		if end := k.ends(); !any || end.Before(at) {
			at, any = end, true
		}
	}
	return at, any
}

// crash is what a power cut does: nothing that ran lives on, and how it would
// have ended nobody knows.
func (e *Engine) crash() {
	for _, name := range slices.Sorted(maps.Keys(e.live)) {
		k := e.live[name]
		if e.catchUp(k); !k.seen.Phase.Live() {
			continue
		}
		k.seen.Cause = "lost: the machine went down"
		e.end(k, executor.Lost, e.now())
	}
}
