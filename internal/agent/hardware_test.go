package agent

import (
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/wire"
)

// kinds is an offer of work with the shape that src gives.
func (b *bench) kinds(grant, shape string, way int) clusy.Order {
	b.t.Helper()
	in, err := intent.Parse([]byte("apiVersion: clusy.io/v1\nkind: Intent\nrun: {exec: [sleep, \"60\"]}\nshape: "+shape+"\nwhen: {completeBy: +20h}\n"), "test", b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := intent.Blind(in, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	sealed, err := intent.Seal(in, b.Key.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	ws := wire.ShapeOut(s)
	start := b.now.Add(time.Hour)
	return clusy.Order{Verb: "offer", Workload: "wl_" + grant, N: 1, Grant: grant, Epoch: 1, Expires: b.now.Add(time.Minute), Shape: &ws, Sealed: sealed,
		Spans: []clusy.Span{{Start: start, End: start.Add(time.Hour)}}, Latest: start.Add(10 * time.Hour), Way: way}
}

const twoKinds = `{duration: 4h, power: 100W, resources: {gpus: {type: a100, count: 2}}, alternatives: [{duration: {expected: 1h, max: 90m}, power: 700W, resources: {cpus: 1, gpus: {type: h100}}}]}`

// The task is that of the way that the schedule says: its longest time, its
// accelerators, its power. Once it has started the way stays.
func TestGoesTheWayOfItsSchedule(t *testing.T) {
	b := newBench(t)
	b.Describe.GPUs = []clusy.GPUs{{Type: "a100", Count: 2}, {Type: "h100", Count: 1}}
	o := b.kinds("g", twoKinds, 1)
	b.answer(o, as(o, "confirm"))
	h := b.holds["g"]
	if h == nil || h.State != held {
		t.Fatalf("%+v", h)
	}
	in, err := intent.Open(h.Sealed, b.Key, h.Shape)
	if err != nil {
		t.Fatal(err)
	}
	task := b.taskOf(h, in, b.now)
	for _, want := range []string{"CLUSY_WAY=1", "CLUSY_GPU_TYPE=h100", "CLUSY_GPUS=1"} {
		if !slices.Contains(task.Env, want) {
			t.Errorf("the task is not told %s: %v", want, task.Env)
		}
	}
	if task.Max != 90*time.Minute {
		t.Errorf("it is killed after %s", task.Max)
	}
	hour := ledger.Meter{Runs: []ledger.Run{{From: b.now, To: b.now.Add(time.Hour)}}}
	if e, _ := b.energy(h, hour); e != grid.Drawn(700*grid.Watt, time.Hour) {
		t.Errorf("an hour draws %s", e)
	}
	// Until it starts another way may be taken; from then on none.
	other := as(o, "keep")
	other.Way = 0
	b.answer(other)
	if h.Schedule.Way != 0 || !slices.Contains(b.taskOf(h, in, b.now).Env, "CLUSY_GPU_TYPE=a100") {
		t.Errorf("it still goes way %d", h.Schedule.Way)
	}
	h.State = started
	back := as(o, "keep")
	if err := b.order(wire.OrderIn(back)); err == nil || h.Schedule.Way != 0 {
		t.Errorf("while it runs it goes over to way %d (%v)", h.Schedule.Way, err)
	}
}

// What this site cannot run is refused when it is offered, and not found out later.
func TestRefusesHardwareThatIsNotHere(t *testing.T) {
	b := newBench(t)
	b.Describe.GPUs = []clusy.GPUs{{Type: "h100", Count: 1}}
	for grant, c := range map[string]struct {
		order clusy.Order
		want  string
	}{
		"type": {b.kinds("type", twoKinds, 0), "does not fit"},
		"way":  {b.kinds("way", twoKinds, 2), "no more than 1"},
		"gang": {b.kinds("gang", "{duration: 1h, power: 100W, gang: 3}", 0), "one process at a time"},
	} {
		b.answer(c.order)
		if h := b.holds[grant]; h == nil || h.State != refused || !strings.Contains(h.Cause, c.want) {
			t.Errorf("%s: %+v", grant, h)
		}
	}
	b.answer(b.kinds("fits", twoKinds, 1))
	if h := b.holds["fits"]; h == nil || h.State != accepted {
		t.Errorf("%+v", h)
	}
	b.Gang = []string{"gang"}
	o := b.kinds("four", "{duration: 1h, power: 100W, gang: 4, resources: {cpus: 1}}", 0)
	b.answer(o)
	h := b.holds["four"]
	if h == nil || h.State != accepted {
		t.Fatalf("%+v", h)
	}
	in, err := intent.Open(h.Sealed, b.Key, h.Shape)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.taskOf(h, in, b.now).Argv; !slices.Equal(got, []string{"gang", "4", "10s", "--", "sleep", "60"}) {
		t.Errorf("a gang of four is %q", got)
	}
}
