package ledger

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// By hand: half an hour at double size, which does 0.9 of an hour's half, and a
// quarter at half size. Energy goes by size, the baseline by the work.
func TestSizesByHand(t *testing.T) {
	w := example()
	w.meter.Runs = []Run{{From: at(10, 0), To: at(10, 30), Size: 2000, Speed: 1800}, {From: at(10, 45), To: at(11, 0), Size: 500, Speed: 600}}
	// 200 W × 30 min and 50 W × 15 min.
	w.meter.Energy = 360_000 + 45_000
	if got, want := w.meter.Useful(), 54*time.Minute+9*time.Minute; got != want {
		t.Errorf("useful is %s, want %s", got, want)
	}
	if got := w.meter.asDeclared(); got != 378_000 { // 100 W × 63 min
		t.Errorf("as declared it draws %d J, want 378000", got)
	}
	e := w.entry(t)
	byRun := map[bool]int64{}
	for _, u := range e.Uses {
		byRun[u.From.Before(at(10, 45))] += int64(u.Energy)
	}
	if byRun[true] != 432_000 || byRun[false] != 54_000 { // × PUE 1.2
		t.Errorf("the runs have %v J", byRun)
	}
	if last := e.Instead[len(e.Instead)-1].To; !e.Instead[0].From.Equal(at(8, 30)) || !last.Equal(at(9, 33)) {
		t.Errorf("the baseline runs %s to %s, want 08:30 to 09:33", e.Instead[0].From, last)
	}
	if got := energyOf(e.Instead); got != 567_000 { // × PUE 1.5
		t.Errorf("the baseline draws %d J, want 567000", got)
	}
	if err := Recompute(e); err != nil {
		t.Error(err)
	}
	b, err := Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Unmarshal(b)
	if err != nil || back.Meter.Runs[0] != w.meter.Runs[0] {
		t.Errorf("%v: %+v", err, back.Meter.Runs)
	}
	// Whoever changes a size on the way is found.
	forged := e
	forged.Meter.Runs = append([]Run{}, e.Meter.Runs...)
	forged.Meter.Runs[0].Size = 4000
	var d *Difference
	if err := Recompute(forged); !errors.As(err, &d) {
		t.Errorf("a forged size: %v", err)
	}
	forged.Meter.Runs[0] = Run{From: at(10, 0), To: at(10, 30), Size: 2000}
	if err := Recompute(forged); err == nil || !strings.Contains(err.Error(), "speed of 0") {
		t.Errorf("a size without a speed: %v", err)
	}
}

// What has no size is written as it always was: old entries keep their digests.
func TestNoSizeIsAsBefore(t *testing.T) {
	b, err := json.Marshal(Run{From: at(10, 0), To: at(10, 30)})
	var fields map[string]any
	if err := errors.Join(err, json.Unmarshal(b, &fields)); err != nil || len(fields) != 2 {
		t.Errorf("%s %v", b, err)
	}
}
