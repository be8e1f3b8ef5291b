package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/workload"
)

// step brings one hold to where it should be now. The caller holds a.mu.
func (a *Agent) step(ctx context.Context, h *hold, now time.Time) error {
	switch h.State {
	case held:
		if h.Stop {
			return a.settle(h, released, "")
		}
		if !h.open(now) {
			return nil
		}
		return a.start(ctx, h, now)
	case started:
		return a.watch(ctx, h, now)
	case ended, lost:
		if h.seen.Phase != "" {
			return nil
		}
		// We have come back since it ended: what is left to report of it, the
		// engine still knows.
		o, err := a.Executor.Observe(ctx, h.task())
		if err != nil {
			return fmt.Errorf("look at %s: %w", h.task(), err)
		}
		h.seen = o
	}
	return nil
}

// start runs the work. The journal says so first: if we crash in between, the
// next step starts it, and the executor sees to it that it starts once.
func (a *Agent) start(ctx context.Context, h *hold, now time.Time) error {
	in, err := intent.Open(h.Sealed, a.Key, h.Shape)
	if err != nil {
		// It opened when it was accepted: the key is another one now.
		return a.settle(h, lost, "the intent does not open any more: "+err.Error())
	}
	if h.State != started {
		h.State = started
		if err := a.keep(h); err != nil {
			h.State = held
			return err
		}
		a.tell()
	}
	return a.Executor.Start(ctx, a.taskOf(h, in, now))
}

func (a *Agent) taskOf(h *hold, in intent.Intent, now time.Time) executor.Task {
	env := append([]string{}, a.Env...)
	keys := make([]string, 0, len(in.Run.Env))
	for k := range in.Run.Env {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		env = append(env, k+"="+in.Run.Env[k])
	}
	env = append(env, "CLUSY_WORKLOAD="+h.Workload, fmt.Sprintf("CLUSY_ATTEMPT=%d", h.N), fmt.Sprintf("CLUSY_WAY=%d", h.Schedule.Way))
	shape := h.shape()
	if shape.Data.Home != "" {
		env = append(env, "CLUSY_DATA_HOME="+shape.Data.Home)
	}
	if g := shape.Demand.GPU(); g.Count > 0 {
		env = append(env, "CLUSY_GPU_TYPE="+g.Type, fmt.Sprintf("CLUSY_GPUS=%d", g.Count/int64(max(shape.Size, 1))))
	}
	argv := in.Run.Exec
	if shape.Size > 1 {
		argv = slices.Concat(a.Gang, []string{fmt.Sprint(shape.Size), in.Run.Grace.String(), "--"}, argv)
	}
	return executor.Task{
		Name: h.task(), Argv: argv, Env: env, Dir: in.Run.Dir, Grace: in.Run.Grace,
		// The work's own time may be a replay's; its processes run in ours.
		// Elastic work may run all the time at its slowest.
		Max:  time.Duration(float64(workload.Takes(shape.Duration.Max, h.Shape.Slowest())) / a.Clock.Rate()),
		Size: h.size(now),
	}
}

// watch looks at what the engine shows of it, and suspends, resumes or stops
// it as is due.
func (a *Agent) watch(ctx context.Context, h *hold, now time.Time) error {
	o, err := a.Executor.Observe(ctx, h.task())
	if err != nil {
		return fmt.Errorf("look at %s: %w", h.task(), err)
	}
	if o.Phase != h.seen.Phase {
		a.tell()
	}
	h.seen = o
	switch o.Phase {
	case executor.Absent:
		// We crashed between the journal and the engine: nothing has started.
		if h.Stop {
			if err := a.Executor.Stop(ctx, h.task(), 0, "cancelled"); err != nil {
				return err
			}
			return a.settle(h, lost, "stopped before it had started")
		}
		return a.start(ctx, h, now)
	case executor.Ended:
		return a.settle(h, ended, o.Cause)
	case executor.Lost:
		return a.settle(h, lost, o.Cause)
	case executor.Starting:
		return nil
	}
	open := h.open(now)
	if open && !h.Stop {
		if err := a.scale(ctx, h, now); err != nil {
			return err
		}
		o = h.seen
	}
	switch {
	case h.Stop:
		grace := 10 * time.Second
		if in, err := intent.Open(h.Sealed, a.Key, h.Shape); err == nil {
			grace = in.Run.Grace
		}
		return a.Executor.Stop(ctx, h.task(), grace, "cancelled")
	case o.Phase == executor.Running && !open && h.Shape.Interruptible.Allowed:
		return a.pause(ctx, h, a.Executor.Suspend)
	case o.Phase == executor.Suspended && open:
		return a.pause(ctx, h, a.Executor.Resume)
	}
	return nil
}

func (a *Agent) pause(ctx context.Context, h *hold, do func(context.Context, string) error) error {
	err := do(ctx, h.task())
	if errors.Is(err, executor.ErrEnded) {
		err = nil // the next look says how
	}
	if err != nil {
		return err
	}
	if h.seen, err = a.Executor.Observe(ctx, h.task()); err != nil {
		return err
	}
	a.tell()
	return nil
}

// settle moves a hold on, journal first, and tells.
func (a *Agent) settle(h *hold, to holdState, cause string) error {
	before, why := h.State, h.Cause
	h.State, h.Cause = to, cause
	if err := a.keep(h); err != nil {
		h.State, h.Cause = before, why
		return err
	}
	a.tell()
	return nil
}
