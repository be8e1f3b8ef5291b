package sim

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// submit submits a job as clusy run does. Who is refused asks once more for the
// nearest completeBy that could be kept; who cannot reach the server tries
// again, under the same key.
func (w *world) submit(n int) error {
	if w.down {
		w.put(time.Second+time.Duration(w.draw.Int64N(int64(30*time.Second))), event{what: arrive, ref: n})
		return nil
	}
	w.beats()
	j := w.cfg.Jobs[n]
	due := j.Arrive.Add(j.Window).Truncate(time.Second)
	err := w.offer(n, j, due, false)
	var no *problem.Error
	if errors.As(err, &no) && no.Kind == problem.Infeasible && no.NearestCompleteBy.After(due) {
		err = w.offer(n, j, no.NearestCompleteBy, true)
	}
	if problem.Is(err, problem.Infeasible) {
		w.stats.Refused++
		return nil
	}
	if err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	return nil
}

func (w *world) offer(n int, j Job, due time.Time, moved bool) error {
	now := w.clock.now
	in := w.intent(n, j, due)
	shape, err := intent.Blind(in, now)
	if err != nil {
		return err
	}
	sealed, err := intent.Seal(in, w.key.Public())
	if err != nil {
		return err
	}
	key := j.ID
	if moved {
		key += ", the second time"
	}
	out, err := w.server.Submit(w.ctx, strconv.Itoa(n)+"/"+key, clusy.Submission{Shape: wire.ShapeOut(shape), Sealed: sealed, Enclave: intent.KeyID(w.key.Public())})
	if err != nil {
		return err
	}
	w.stats.Submitted++
	if moved {
		w.stats.Moved++
	}
	w.byID[out.ID] = len(w.sent)
	w.sent = append(w.sent, Accepted{Job: n, Workload: out.ID, At: now, Shape: intent.ShapeDigest(shape), Due: shape.When.CompleteBy, Moved: moved})
	return nil
}

// intent is what the owner of a job would write.
func (w *world) intent(n int, j Job, due time.Time) intent.Intent {
	home := w.cfg.Sites[j.Home].ID
	in := intent.Intent{
		APIVersion: intent.APIVersion, Kind: intent.Kind, Metadata: intent.Metadata{Name: fmt.Sprintf("job-%d", n)},
		Run: intent.Run{Exec: []string{"job", strconv.Itoa(n)}, Grace: intent.DefaultGrace},
		Shape: intent.Shape{
			Duration: workload.Duration{Expected: j.Declared, P95: j.Declared, Max: 2*j.Declared + time.Hour},
			Power:    grid.Power(math.Round(j.Watts * 1000)), PowerSource: intent.PowerDeclared,
			Resources: intent.Resources{CPU: int64(math.Round(j.CPUs * 1000))},
		},
		When:      workload.When{CompleteBy: due},
		Where:     workload.Where{Prefer: []string{home}},
		Objective: workload.Objective{Minimize: workload.MinimizeCarbon},
		Policy: workload.Policy{Promise: workload.Once, Priority: intent.DefaultPriority, OnNoSignal: workload.RunByDeadline,
			Baseline: workload.BaselineRunNow},
	}
	if !j.Movable {
		in.Where = workload.Where{Allow: []string{home}}
	}
	if j.Pauses {
		in.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: overhead, MinRun: min(intent.DefaultMinRun, j.Declared), MaxSuspensions: intent.DefaultMaxSuspensions}
	}
	return in
}
