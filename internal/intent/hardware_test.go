package intent

import (
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// What is wrong with hardware or data is said of the field that it stands in,
// with what would do.
func TestHardwareRefused(t *testing.T) {
	for shape, want := range map[string]string{
		"resources: {gpus: a100}":                      "/shape/resources/gpus",
		"resources: {gpus: {type: A100}}":              "/shape/resources/gpus/type",
		"resources: {gpus: {count: 2}}":                "/shape/resources/gpus/type",
		"resources: {gpus: {type: a100, count: 0}}":    "/shape/resources/gpus/count",
		"resources: {gpus: {type: a100, count: 1.5}}":  "/shape/resources/gpus/count",
		"resources: {gpus: {type: a100, memory: 2GB}}": "/shape/resources/gpus/memory",
		"gang: 0":                            "/shape/gang",
		"gang: -1":                           "/shape/gang",
		"gang: {}":                           "/shape/gang",
		"gang: {size: many}":                 "/shape/gang/size",
		"gang: {ranks: 2}":                   "/shape/gang/ranks",
		"gang: 1025":                         "/shape/gang",
		"gang: 1000, resources: {cpus: 101}": "/shape/gang",
		"alternatives: [h100]":               "/shape/alternatives/0",
		"alternatives: fast":                 "/shape/alternatives",
		"alternatives: [{duration: 2h}]":     "/shape/alternatives/0/power",
		"alternatives: [{power: 1kW}]":       "/shape/alternatives/0/duration/expected",
		"alternatives: [{duration: 2h, power: 1kW}, {duration: 0s, power: 1kW}]":              "/shape/alternatives/1/duration",
		"alternatives: [{duration: {expected: 2h, p95: 1h}, power: 1kW}]":                     "/shape/alternatives/0/duration/p95",
		"alternatives: [{duration: 2h, power: 1kW, resources: {cpus: 0}}]":                    "/shape/alternatives/0/resources/cpus",
		"alternatives: [{duration: 2h, powr: 1kW}]":                                           "/shape/alternatives/0/powr",
		"alternatives: [{duration: 2h, power: 1kW, resources: {gpus: {type: h_100}}}]":        "/shape/alternatives/0/resources/gpus/type",
		"interruptible: {minRun: 3h}, alternatives: [{duration: 2h, power: 1kW}]":             "/shape/interruptible/minRun",
		"alternatives: [" + strings.Repeat("{duration: 2h, power: 1kW}, ", 5) + "]":           "/shape/alternatives",
		"alternatives: [{duration: 2h, power: 1kW, resources: {gpus: {type: h, count: -1}}}]": "/shape/alternatives/0/resources/gpus/count",
	} {
		e := refused(t, strings.Replace(six, "power: 300W", "power: 300W, "+shape, 1))
		found := false
		for _, v := range e.Violations {
			found = found || v.Pointer == want
		}
		if !found || len(e.Violations) > 2 {
			t.Errorf("%s: want %s\n%s", shape, want, Render(e, false))
		}
	}
	if s := Render(refused(t, strings.Replace(six, "power: 300W", "resources: {gpus: {type: a100}}", 1)), false); !strings.Contains(s, "must be given for work on accelerators") {
		t.Errorf("accelerators without a power: %s", s)
	}
	for data, want := range map[string]string{
		"{home: berlin}":                          "/data/size",
		"{size: 2GiB}":                            "/data/home",
		"{home: DE-*, size: 2GiB}":                "/data/home",
		"{home: a b, size: 2GiB}":                 "/data/home",
		"{home: berlin, size: 200}":               "/data/size",
		"{home: berlin, size: 2GiB, rate: 1MB/s}": "/data/rate",
		"{}":     "/data",
		"berlin": "/data",
	} {
		e := refused(t, six+"data: "+data+"\n")
		if e.Violations[0].Pointer != want {
			t.Errorf("%s: want %s\n%s", data, want, Render(e, false))
		}
	}
}

// A window that is long enough on any kind of hardware is long enough.
func TestAlternativesShortenTheWindow(t *testing.T) {
	src := strings.Replace(strings.Replace(six, "power: 300W", "power: 300W, alternatives: [{duration: 1h, power: 1kW}]", 1), "+10h", "+2h", 1)
	in, err := Parse([]byte(src), "x", noon)
	if err != nil {
		t.Fatal(Render(err, false))
	}
	s, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	want := []workload.Way{{Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour}, Power: 1000 * grid.Watt,
		Demand: workload.Resources{CPU: 1000, Power: 1000 * grid.Watt, Slots: 1}}}
	if len(s.Ways) != 1 || s.Ways[0] != want[0] {
		t.Errorf("%+v", s.Ways)
	}
	if _, err := Blind(in, noon.Add(time.Hour)); err == nil {
		t.Error("an hour later it is blinded, though no hardware is quick enough")
	}
	in.Shape.Gang = 3
	in.Shape.Alternatives[0].Resources.GPUs = workload.GPU{Type: "h100", Count: 2}
	s = shapeOf(in)
	if s.Size != 3 || s.Power != 900*grid.Watt || s.Demand.CPU != 3000 || s.Demand.Power != s.Power || s.Demand.Slots != 1 || s.Ways[0].Demand.GPU().Count != 6 || s.Ways[0].Power != 3000*grid.Watt {
		t.Errorf("a gang is %+v", s)
	}
	in.Data = workload.Data{Home: "x", MiB: 10<<10 + 1}
	if s := shapeOf(in); s.Data.MiB != 11<<10 {
		t.Errorf("%d MiB are disclosed", s.Data.MiB)
	}
}
