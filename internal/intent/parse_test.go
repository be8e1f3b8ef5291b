package intent

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

const six = `apiVersion: clusy.io/v1
kind: Intent
run: {exec: [sh, -c, "echo hi; sleep 20"]}
shape: {duration: 6h, power: 300W}
when: {completeBy: +10h}
`

// full states every field that this version reads.
const full = `# yaml-language-server: $schema=./clusy.schema.json
---
apiVersion: clusy.io/v1
kind: Intent
metadata:
  name: nightly finetune
  labels: {team: nlp, project: 7}
  idempotencyKey: ft-2026-11-30
run:
  exec: [python, train.py, --epochs, 3, --quiet, true]
  env: {LR: 2e-5, COUNTRY: no, "QUOTED": "a: b # c"}
  dir: /srv/work
  grace: 90s
shape:
  class: nightly-finetune
  resources: {cpus: 16, memory: 128GiB}
  duration: {expected: 6h, p95: 8h, max: 10h}
  power: {watts: 2800, source: declared}
  interruptible: {overhead: 4m, minRun: 30m, maxSuspensions: 4}
when:
  notBefore: 2026-11-30T18:00:00+01:00
  completeBy: 2026-12-01T07:00:00+01:00
  windows: {deny: ["Mon-Fri 08:00-10:00 Europe/Berlin", "2026-11-30T20:00:00Z/2026-11-30T20:30:00Z"]}
where:
  allow: [aws/eu-*, k8s/prod-eu, local]
  prefer: [k8s/prod-eu]
objective:
  minimize: cost
  signal: average
  minSaving: 5%
  costCeiling: {total: 40 EUR}
  carbonCeiling: 5 kgCO2e
policy:
  promise: rerun_ok
  priority: 70
  retries: {max: 3}
  onNoSignal: run-now
  baseline: run-now
`

func defaults() Intent {
	return Intent{
		APIVersion: APIVersion, Kind: Kind,
		Run: Run{Exec: []string{"sh", "-c", "echo hi; sleep 20"}, Grace: 10 * time.Second},
		Shape: Shape{
			Duration: workload.Duration{Expected: 6 * time.Hour, P95: 6 * time.Hour, Max: 12 * time.Hour},
			Power:    300 * grid.Watt, PowerSource: PowerDeclared, Resources: Resources{CPU: 1000},
		},
		When:      workload.When{CompleteBy: noon.Add(10 * time.Hour)},
		Objective: workload.Objective{Minimize: workload.MinimizeCarbon},
		Policy:    workload.Policy{Promise: workload.Once, Priority: 50, OnNoSignal: workload.RunByDeadline, Baseline: workload.BaselineRunNow},
	}
}

func same(t *testing.T, got, want Intent) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	g, _ := Marshal(got)
	w, _ := Marshal(want)
	t.Errorf("got\n%s\nwant\n%s", g, w)
}

func TestSixLinesAreEnough(t *testing.T) {
	got, err := Parse([]byte(six), "six.yaml", noon)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, defaults())
}

func TestEveryField(t *testing.T) {
	got, err := Parse([]byte(full), "full.yaml", noon)
	if err != nil {
		t.Fatal(Render(err, false))
	}
	same(t, got, Intent{
		APIVersion: APIVersion, Kind: Kind,
		Metadata: Metadata{Name: "nightly finetune", Labels: map[string]string{"team": "nlp", "project": "7"}, IdempotencyKey: "ft-2026-11-30"},
		Run: Run{
			Exec:  []string{"python", "train.py", "--epochs", "3", "--quiet", "true"},
			Env:   map[string]string{"LR": "2e-5", "COUNTRY": "no", "QUOTED": "a: b # c"},
			Dir:   "/srv/work",
			Grace: 90 * time.Second,
		},
		Shape: Shape{
			Duration: workload.Duration{Expected: 6 * time.Hour, P95: 8 * time.Hour, Max: 10 * time.Hour},
			Class:    "nightly-finetune",
			Power:    2800 * grid.Watt, PowerSource: PowerDeclared,
			Resources:     Resources{CPU: 16_000, Memory: 128 << 10},
			Interruptible: workload.Interruptible{Allowed: true, Overhead: 4 * time.Minute, MinRun: 30 * time.Minute, MaxSuspensions: 4},
		},
		When: workload.When{
			NotBefore:  time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC),
			CompleteBy: time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC),
			Deny:       denied("8/8.5", "19/21", "43/45", "67/69", "91/93", "163/165"),
		},
		Where:     workload.Where{Allow: []string{"aws/eu-*", "k8s/prod-eu", "local"}, Prefer: []string{"k8s/prod-eu"}},
		Objective: workload.Objective{Minimize: workload.MinimizeCost, MinSaving: 50, CarbonCeiling: 5 * grid.Kilogram, CostCeiling: 40_000_000, Currency: "EUR"},
		Policy:    workload.Policy{Promise: workload.RerunOK, Priority: 70, Retries: 3, OnNoSignal: workload.RunNow, Baseline: workload.BaselineRunNow},
	})
}

// way is a way of writing the six lines, with a change or without.
type way struct {
	name, src string
	change    func(*Intent)
}

// ways returns the texts of all of them.
func ways(t *testing.T) (sources []string) {
	for _, w := range waysToWrite(t) {
		sources = append(sources, w.src)
	}
	return sources
}

func waysToWrite(t *testing.T) []way {
	edit := func(old, new string) string {
		if !strings.Contains(six, old) {
			t.Fatalf("six lines have no %q", old)
		}
		return strings.Replace(six, old, new, 1)
	}
	return []way{
		{"JSON", `{"apiVersion":"clusy.io/v1","kind":"Intent","run":{"exec":["sh","-c","echo hi; sleep 20"]},` + "\r\n\t" +
			`"shape":{"duration":"6h","power":"300W"},"when":{"completeBy":"+10h"}}`, func(in *Intent) {}},
		{"line ends of Windows", strings.ReplaceAll(six, "\n", "\r\n"), func(in *Intent) {}},
		{"a document's marks", "---\n" + six + "...\n", func(in *Intent) {}},
		{"one text", edit(`[sh, -c, "echo hi; sleep 20"]`, "echo hi; sleep 20"), func(in *Intent) {}},
		{"a block of text", edit(`run: {exec: [sh, -c, "echo hi; sleep 20"]}`, "run:\n  exec: |\n    echo hi\n    sleep 20"), func(in *Intent) {
			in.Run.Exec[2] = "echo hi\nsleep 20\n"
		}},
		{"a list of lines", edit(`{exec: [sh, -c, "echo hi; sleep 20"]}`, "\n  exec:\n  - sh\n  - -c\n  - 'echo hi; sleep 20' # wait"), func(in *Intent) {}},
		{"empty maps", edit("run: {", "metadata: {labels: {}}\nwhere: {prefer: []}\nrun: {env: {}, "), func(in *Intent) {}},
		{"energy", edit("power: 300W", "energy: 1.8kWh"), func(in *Intent) {}},
		{"energy, rounded up", edit("power: 300W", "energy: 1J"), func(in *Intent) { in.Shape.Power = 1 }},
		{"power in watts", edit("power: 300W", "power: {watts: 300.5}"), func(in *Intent) { in.Shape.Power = 300_500 }},
		{"power with its unit", edit("power: 300W", "power: {value: 0.3kW}"), func(in *Intent) {}},
		{"power by the table", edit(", power: 300W", ", resources: {cpus: 2.5}"), func(in *Intent) {
			in.Shape.Power, in.Shape.PowerSource, in.Shape.Resources.CPU = 25*grid.Watt, PowerFromTable, 2500
		}},
		{"no power, no cores", edit(", power: 300W", ""), func(in *Intent) { in.Shape.Power, in.Shape.PowerSource = 10*grid.Watt, PowerFromTable }},
		{"cores of Kubernetes", edit("power: 300W", "power: 300W, resources: {cpus: 500m, memory: 1GB}"), func(in *Intent) {
			in.Shape.Resources = Resources{CPU: 500, Memory: 954}
		}},
		{"ISO 8601", edit("6h", "PT6H"), func(in *Intent) {}},
		{"a long tail", edit("duration: 6h", "duration: {expected: 1h, p95: 6h}"), func(in *Intent) {
			in.Shape.Duration = workload.Duration{Expected: time.Hour, P95: 6 * time.Hour, Max: 6 * time.Hour}
		}},
		{"interruptible", edit("power: 300W", "power: 300W, interruptible: true"), func(in *Intent) {
			in.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: DefaultOverhead, MinRun: DefaultMinRun, MaxSuspensions: DefaultMaxSuspensions}
		}},
		{"not interruptible", edit("power: 300W", "power: 300W, interruptible: false"), func(in *Intent) {}},
		{"interruptible in part", edit("power: 300W", "power: 300W, interruptible: {minRun: 0s}"), func(in *Intent) {
			in.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: DefaultOverhead, MaxSuspensions: DefaultMaxSuspensions}
		}},
		{"an instant", edit("+10h", "2026-11-30T23:00:00.9+01:00"), func(in *Intent) {}},
		{"an instant in quotes", edit("+10h", `"2026-11-30T22:00:00Z"`), func(in *Intent) {}},
		{"the latest start", edit("completeBy: +10h", "maxDelay: 3h24m"), func(in *Intent) {}},
		{"start at once", edit("completeBy: +10h", "maxDelay: 0s"), func(in *Intent) { in.When.CompleteBy = noon.Add(6*time.Hour + 36*time.Minute) }},
		{"not before, gone by", edit("completeBy", "notBefore: 2020-01-01T00:00:00Z, completeBy"), func(in *Intent) {
			in.When.NotBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		}},
		{"just enough", edit("+10h", "+6h36m"), func(in *Intent) { in.When.CompleteBy = noon.Add(6*time.Hour + 36*time.Minute) }},
		{"denied", edit("{completeBy: +10h}", `{completeBy: +10h, windows: {deny: ["Mon-Fri 08:00-10:00 Europe/Berlin", "2026-11-30T13:00:00+01:00/+2h", "21:30-22:00 UTC"]}}`), func(in *Intent) {
			in.When.Deny = denied("0/2", "9.5/10", "19/21", "33.5/34", "43/45", "57.5/58", "67/69", "81.5/82", "91/93", "105.5/106", "129.5/130", "153.5/154", "163/165", "177.5/178")
		}},
		{"nothing denied", edit("{completeBy: +10h}", `{completeBy: +10h, windows: {deny: []}}`), func(in *Intent) {}},
		{"lines of windows", edit("{completeBy: +10h}", "\n  completeBy: +10h\n  windows:\n    deny:\n    - Sun 22:00-24:00 UTC\n    - Mon 00:00-08:00 UTC # joined"), func(in *Intent) { in.When.Deny = denied("154/164") }},
		{"retries", six + "policy: {retries: 2}\n", func(in *Intent) { in.Policy.Retries = 2 }},
		{"accelerators", edit("power: 300W", "power: 300W, resources: {gpus: {type: a100, count: 4}}"), func(in *Intent) {
			in.Shape.Resources.GPUs = workload.GPU{Type: "a100", Count: 4}
		}},
		{"one accelerator", edit("power: 300W", "power: 300W, resources: {gpus: {type: h100-80g}}"), func(in *Intent) {
			in.Shape.Resources.GPUs = workload.GPU{Type: "h100-80g", Count: 1}
		}},
		{"alternatives", edit("power: 300W", "power: 300W, alternatives: [{duration: 2h, power: 2.8kW, resources: {cpus: 4, memory: 8GiB, gpus: {type: h100, count: 2}}}, {duration: {expected: 12h, p95: 13h}, power: 90W}]"), func(in *Intent) {
			in.Shape.Alternatives = []Alternative{
				{Duration: workload.Duration{Expected: 2 * time.Hour, P95: 2 * time.Hour, Max: 4 * time.Hour}, Power: 2800 * grid.Watt, Resources: Resources{CPU: 4000, Memory: 8192, GPUs: workload.GPU{Type: "h100", Count: 2}}},
				{Duration: workload.Duration{Expected: 12 * time.Hour, P95: 13 * time.Hour, Max: 24 * time.Hour}, Power: 90 * grid.Watt, Resources: Resources{CPU: 1000}},
			}
		}},
		{"one alternative", edit("power: 300W", "power: 300W, interruptible: true, alternatives: {duration: 5m, power: 1kW}"), func(in *Intent) {
			in.Shape.Alternatives = []Alternative{{Duration: workload.Duration{Expected: 5 * time.Minute, P95: 5 * time.Minute, Max: 10 * time.Minute}, Power: 1000 * grid.Watt, Resources: Resources{CPU: 1000}}}
			in.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: DefaultOverhead, MinRun: 5 * time.Minute, MaxSuspensions: DefaultMaxSuspensions}
		}},
		{"a gang", edit("power: 300W", "power: 300W, gang: {size: 4}"), func(in *Intent) { in.Shape.Gang = 4 }},
		{"a gang of one", edit("power: 300W", "power: 300W, gang: 1"), func(in *Intent) {}},
		{"data elsewhere", six + "data: {home: berlin, size: 200GiB, rate: 2.5 Gbit/s}\n", func(in *Intent) {
			in.Data = workload.Data{Home: "berlin", MiB: 200 << 10, Mbit: 2500}
		}},
		{"a price of carbon", six + "objective: {carbonPrice: 80.5 EUR/t}\n", func(in *Intent) {
			in.Objective.CarbonPrice, in.Objective.Currency = 80_500_000, "EUR"
		}},
		{"a price of carbon with a ceiling", six + "objective: {minimize: cost, carbonPrice: 80 EUR/t, costCeiling: 2 EUR}\n", func(in *Intent) {
			in.Objective = workload.Objective{Minimize: workload.MinimizeCost, CarbonPrice: 80_000_000, CostCeiling: 2_000_000, Currency: "EUR"}
		}},
		{"ceilings", six + "objective: {carbonCeiling: {total: 800g}, costCeiling: 40 EUR, minimize: time}\n", func(in *Intent) {
			in.Objective = workload.Objective{Minimize: workload.MinimizeTime, CarbonCeiling: 800 * grid.Gram, CostCeiling: 40_000_000, Currency: "EUR"}
		}},
	}
}

// Each way of writing comes to the same as the six lines, but for the change.
func TestWaysToWrite(t *testing.T) {
	for _, c := range waysToWrite(t) {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.src), "x", noon)
			if err != nil {
				t.Fatal(Render(err, false))
			}
			want := defaults()
			c.change(&want)
			same(t, got, want)
		})
	}
}

// A fraction of a second neither makes a fitting window too short nor moves a
// promise past the instant that was written.
func TestFractionsOfSeconds(t *testing.T) {
	now := noon.Add(300 * time.Millisecond)
	in, err := Parse([]byte(strings.Replace(six, "+10h", "+6h36m", 1)), "x", now)
	if err != nil || !in.When.CompleteBy.Equal(noon.Add(6*time.Hour+36*time.Minute+time.Second)) {
		t.Errorf("relative: %s, %v", in.When.CompleteBy, err)
	}
	in, err = Parse([]byte(strings.Replace(six, "completeBy: +10h", "maxDelay: 0s", 1)), "x", now)
	if err != nil || in.When.CompleteBy.Before(now.Add(6*time.Hour+36*time.Minute)) {
		t.Errorf("maxDelay: %s, %v", in.When.CompleteBy, err)
	}
}

func refused(t *testing.T, src string) *Error {
	t.Helper()
	_, err := Parse([]byte(src), "x.yaml", noon)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%.200q: got %v, want an *Error", src, err)
	}
	return e
}

// many returns n lines of a mapping.
func many(key string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%d: x\n", key, i)
	}
	return b.String()
}

// What the goldens cannot hold: files made by repetition, and odd bytes.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, src, says string }{
		{"a price of carbon of nothing", six + "objective: {carbonPrice: 0 EUR/t}\n", "price of nothing"},
		{"a price of carbon by no weight", six + "objective: {carbonPrice: 80 EUR}\n", "try: 80 EUR/t"},
		{"a price of carbon beyond belief", six + "objective: {carbonPrice: 100001 EUR/t}\n", "at most 100000 per tonne"},
		{"a price of carbon in another currency", six + "objective: {carbonPrice: 80 EUR/t, costCeiling: 3 SEK}\n", "cannot be compared"},
		{"a price of carbon for the soonest", six + "objective: {carbonPrice: 80 EUR/t, minimize: time}\n", "done soonest"},
		{"too large", six + strings.Repeat("#", MaxBytes), "too large"},
		{"deep lists", "a: " + strings.Repeat("[", 2000), "nested too deeply"},
		{"deep mappings", strings.Repeat("{a: ", 2000), "JSON"},
		{"deep mappings of YAML", "a: " + strings.Repeat("{a: ", 2000), "nested too deeply"},
		{"deep JSON", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "nested too deeply"},
		{"deeper JSON", strings.Repeat("[", 100_000), "JSON"},
		{"dashes", strings.Repeat("- ", 2000) + "a", "nested too deeply"},
		{"steps", func() string {
			var b strings.Builder
			for i := range 40 {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()
		}(), "nested too deeply"},
		{"many values", strings.Repeat("a: 1\n", 20_000), "too many values"},
		{"many values of JSON", "[" + strings.Repeat("1,", 20_000) + "1]", "too many values"},
		{"UTF-16", "\xff\xfea\x00", "byte order mark"},
		{"an alias bomb", "a: &a [x,x]\nb: &b [*a,*a]\n", "anchors and aliases"},
		{"a merge key", "a: 1\n<<: {b: 1}\n", "merge keys"},
		{"a directive", "%YAML 1.2\n---\n" + six, "directives"},
		{"a complex key", "? a\n: b\n", "begins with ?"},
		{"a list as a key", "[a, b]: c\n", "JSON"},
		{"a list as a key of YAML", "x: {[a, b]: c}\n", "YAML"},
		{"a zero character", six + "metadata: {name: a\x00b}\n", "not allowed in a file"},
		{"an escape character", six + "metadata: {name: \"\x1b[31m\"}\n", "not allowed in a file"},
		{"an escaped zero in an argument", strings.Replace(six, "echo hi", `a\0b`, 1), "zero character"},
		{"a lone carriage return", strings.ReplaceAll(six, "\n", "\r"), "not allowed in a file"},
		{"an unclosed quote", six + "metadata: {name: \"a}\n", "YAML"},
		{"words after a list", "run: {exec: [true]} [x]\n", "YAML"},
		{"a delete", six + "#\x7f", "not allowed in a file"},
		{"a control of C1", six + "#\u0085", "not allowed in a file"},
		{"two documents by their ends", six + "...\n" + six, "more than one document"},
		{"an empty block", "run:\n  exec: |\n", "is empty"},
		{"an escaped zero in a variable", strings.Replace(six, "20\"]", `20"], env: {A: "\0"}`, 1), "zero character"},
		{"many arguments", strings.Replace(six, "[sh", "["+strings.Repeat("a, ", 1024)+"sh", 1), "1027 arguments"},
		{"many variables", "run:\n  exec: [a]\n  env:\n" + many("    A", 257) + "shape: {duration: 6h}", "at most 256 variables"},
		{"many labels", "metadata:\n  labels:\n" + many("    a", 65) + six, "at most 64 labels"},
		{"endless energy in a second", strings.Replace(six, "duration: 6h, power: 300W", "duration: 1s, energy: 1000000000MWh", 1), "draw more"},
		{"lost marks", six + "!!!!!!", "YAML"},
		{"a control in a name", six + `metadata: {name: "a\eb"}`, "control character"},
		{"a control in a quantity", strings.Replace(six, "300W", `"300W\n"`, 1), "is not a power"},
		{"a long quantity", strings.Replace(six, "300W", strings.Repeat("3", 70)+"W", 1), "too long"},
		{"an empty program", strings.Replace(six, `[sh, -c, "echo hi; sleep 20"]`, `["", x]`, 1), "name is empty"},
		{"an empty text to run", strings.Replace(six, `[sh, -c, "echo hi; sleep 20"]`, `" "`, 1), "is empty"},
		{"a number to run", strings.Replace(six, `[sh, -c, "echo hi; sleep 20"]`, `20`, 1), "list of arguments"},
		{"a null in a list", strings.Replace(six, "-c", "~", 1), "is nothing"},
		{"zero power", strings.Replace(six, "300W", "0W", 1), "draw nothing"},
		{"zero duration", strings.Replace(six, "6h", "0s", 1), "how long"},
		{"zero p95", strings.Replace(six, "duration: 6h", "duration: {expected: 6h, p95: 0s}", 1), "no time at all"},
		{"no expected", strings.Replace(six, "duration: 6h", "duration: {p95: 6h}", 1), "does not say how long"},
		{"a short duration", strings.Replace(six, "6h", "999ms", 1), "too short"},
		{"a long duration", strings.Replace(strings.Replace(six, "6h", "91d", 1), "+10h", "+300d", 1), "too long"},
		{"endless energy", strings.Replace(six, "power: 300W", "energy: 1000000000MWh", 1), "draw more"},
		{"power without a value", strings.Replace(six, "300W", "{source: declared}", 1), "neither watts nor value"},
		{"power with two values", strings.Replace(six, "300W", "{watts: 1, value: 1W}", 1), "both given"},
		{"watts with a unit", strings.Replace(six, "300W", "{watts: 2.8kW}", 1), "number of watts"},
		{"profile", strings.Replace(six, "300W", "{watts: 300, source: profile:a}", 1), "not in this version"},
		{"a range of cores", strings.Replace(six, "300W", "300W, resources: {cpus: 16+}", 1), "not in this version"},
		{"no number of cores", strings.Replace(six, "300W", "300W, resources: {cpus: many}", 1), "number of cores"},
		{"cores beyond count", strings.Replace(six, "300W", "300W, resources: {cpus: 9999999999999}", 1), "cores"},
		{"memory beyond count", strings.Replace(six, "300W", "300W, resources: {memory: 99999999999TiB}", 1), "memory"},
		{"no memory", strings.Replace(six, "300W", "300W, resources: {memory: lots}", 1), "memory"},
		{"much memory", strings.Replace(six, "300W", "300W, resources: {memory: 65TiB}", 1), "limits"},
		{"a ceiling of nothing", six + "objective: {carbonCeiling: 0g}", "ceiling of nothing"},
		{"a cost of nothing", six + "objective: {costCeiling: {total: 0 EUR}}", "ceiling of nothing"},
		{"a ceiling without a total", six + "objective: {costCeiling: {}}", "no total"},
		{"onExceed", six + "objective: {costCeiling: {total: 4 EUR, onExceed: hold}}", "not in this version"},
		{"nowhere", six + "where: {allow: []}", "no place at all"},
		{"a long pattern", six + "where: {allow: [" + strings.Repeat("a", 129) + "]}", "pattern"},
		{"many patterns", six + "where: {allow: [" + strings.Repeat("a, ", 33) + "a]}", "patterns"},
		{"priority", six + "policy: {priority: 101}", "limits"},
		{"negative priority", six + "policy: {priority: -1}", "limits"},
		{"an octal priority", six + "policy: {priority: 010}", "plain whole number"},
		{"priority in quotes", six + `policy: {priority: "10"}`, "plain whole number"},
		{"retries", six + "policy: {retries: 11}", "limits"},
		{"a list of retries", six + "policy: {retries: [1]}", "whole number"},
		{"a promise as a list", six + "policy: {promise: [once]}", "one of once"},
		{"no label", six + `metadata: {labels: {"": a}}`, "no name"},
		{"labels in a list", six + `metadata: {labels: [a]}`, "mapping"},
		{"a long name", six + "metadata: {name: " + strings.Repeat("n", 254) + "}", "too long"},
		{"a label twice", six + `metadata: {labels: {a: 1, "a": 2}}`, "given twice"},
		{"an empty dir", strings.Replace(six, "20\"]", "20\"], dir: \"\"", 1), "is empty"},
		{"no exec", strings.Replace(six, `exec: [sh, -c, "echo hi; sleep 20"]`, "dir: /x", 1), "what to run"},
		{"a bad time from now", strings.Replace(six, "+10h", "+ten", 1), "time from now"},
		{"the year zero", strings.Replace(six, "+10h", "0000-01-01T00:00:00Z", 1), "calendar"},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := time.Now()
			e := refused(t, c.src)
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("took %s", took)
			}
			if got := Render(e, false); !strings.Contains(got, c.says) {
				t.Errorf("got\n%s\nwant it to say %q", got, c.says)
			}
			if len(e.Violations) == 0 {
				t.Error("no violation")
			}
			for _, v := range e.Violations {
				if v.Message == "" || strings.Contains(v.Message, "%!") {
					t.Errorf("message %q", v.Message)
				}
			}
		})
	}
}

// The nearest value of a violation, written in its place, is accepted there.
func TestNearestValuesDo(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"300W", "300"}, {"300W", "300 watts"}, {"300W", "2.4KW"}, {"300W", "0W"}, {"300W", "11MW"}, {"300W", "{watts: 11000000}"}, {"300W", "{watts: 2kW}"},
		{"power: 300W", "energy: 2"}, {"power: 300W", "energy: 2 KWH"}, {"power: 300W", "energy: 2kw/h"},
		{"6h", "6"}, {"6h", "6 hours"}, {"6h", "06:00:00"}, {"6h", "6:30"}, {"6h", "90 Minutes"}, {"6h", "1ms"},
		{"300W", "300W, resources: {memory: 2G}"}, {"300W", "300W, resources: {memory: 2}"}, {"300W", "300W, resources: {memory: 80TiB}"},
		{"300W", "300W, resources: {cpus: 0}"}, {"300W", "300W, resources: {cpus: 16+}"},
		{"300W", "300W, interruptible: yes"}, {"300W", "300W, interruptible: 0"},
		{"300W", "300W, interruptible: {maxSuspensions: 0}"}, {"300W", "300W, interruptible: {minRun: 7h}"}, {"300W", "300W, interruptible: {overhead: 100d}"},
		{"+10h", "2026-12-01"}, {"+10h", "2026-12-01 07:00"}, {"+10h", "2026-12-01t07:00:00z"}, {"+10h", "2026-12-01T07:00:00+0100"},
		{"+10h", "10h"}, {"+10h", "+10"}, {"+10h", "10 hours"}, {"+10h", "+1h"}, {"+10h", "2026-11-29T07:00:00+05:30"}, {"+10h", "2026-11-30T13:30:00+01:00"}, {"+10h", "+367d"},
		{"completeBy: +10h", "notBefore: +4h, maxDelay: 1h"}, {"completeBy: +10h", "maxDelay: 366d"}, {"completeBy: +10h", "notBefore: +4h, completeBy: +5h"},
		{"+10h}", "+10h}\nobjective: {minSaving: 5}"}, {"+10h}", "+10h}\nobjective: {minSaving: 0.05}"}, {"+10h}", "+10h}\nobjective: {minSaving: 101%}"},
		{"+10h}", "+10h}\nobjective: {carbonCeiling: 5kgCO2}"}, {"+10h}", "+10h}\nobjective: {carbonCeiling: 5}"}, {"+10h}", "+10h}\nobjective: {costCeiling: 40€}"},
		{"+10h}", "+10h}\nobjective: {costCeiling: 40 euros}"}, {"+10h}", "+10h}\nobjective: {minimize: Carbon}"}, {"+10h}", "+10h}\nobjective: {signal: marginal}"},
		{"+10h}", "+10h}\npolicy: {onNoSignal: hold}"}, {"+10h}", "+10h}\npolicy: {promise: rerun-ok}"}, {"+10h}", "+10h}\npolicy: {priority: 200}"}, {"+10h}", "+10h}\npolicy: {priority: 4.6}"},
		{"+10h}", "+10h}\npolicy: {retries: {max: 99}}"}, {"+10h}", "+10h}\nwhere: {allow: local}"}, {"clusy.io/v1", "v1"}, {"Intent", "intent"},
	} {
		src := strings.Replace(six, c.old, c.new, 1)
		e := refused(t, src)
		if len(e.Violations) != 1 {
			t.Errorf("%s: %d violations:\n%s", c.new, len(e.Violations), Render(e, false))
			continue
		}
		v := e.Violations[0]
		if v.Nearest == "" {
			t.Errorf("%s: no nearest value:\n%s", c.new, Render(e, false))
			continue
		}
		lines := strings.Split(src, "\n")
		line := []rune(lines[v.Line-1])
		lines[v.Line-1] = string(line[:v.Column-1]) + v.Nearest + string(line[v.Column-1+v.Width:])
		if _, err := Parse([]byte(strings.Join(lines, "\n")), "x", noon); err != nil {
			t.Errorf("%s: the nearest value %q does not do:\n%s", c.new, v.Nearest, Render(err, false))
		}
	}
}

// All mistakes are found in one pass, and none hides or invents another.
func TestAllViolationsAtOnce(t *testing.T) {
	e := refused(t, strings.NewReplacer("300W", "300", "6h", "six", "+10h", "soon", "Intent", "Job").Replace(six)+"extra: 1\n")
	var got []string
	for _, v := range e.Violations {
		got = append(got, v.Pointer)
	}
	if want := []string{"/kind", "/shape/duration", "/shape/power", "/when/completeBy", "/extra"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHowManyAreListed(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "zz%d: 1\n", i)
	}
	e := refused(t, six+b.String())
	if len(e.Violations) != 100 || !strings.Contains(Render(e, false), "and 200 more") || !strings.Contains(Render(e, false), "300 mistakes") {
		t.Errorf("%d violations", len(e.Violations))
	}
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		src  string
		want problem.Kind
	}{
		{strings.Replace(six, "300W", "300", 1), problem.Invalid},
		{strings.Replace(six, "+10h", "+1h", 1), problem.Infeasible},
		{strings.Replace(strings.Replace(six, "+10h", "+1h", 1), "300W", "300", 1), problem.Invalid},
		{strings.Repeat("#", MaxBytes+1), problem.Limited},
	} {
		if got := problem.KindOf(refused(t, c.src)); got != c.want {
			t.Errorf("%.80q: got %s, want %s", c.src, got, c.want)
		}
	}
}

// Every name in the tables is read or refused as "not in this version"; none is
// called unknown, and none is ignored.
func TestNoFieldIsIgnored(t *testing.T) {
	build := func(name string) string { // a file with only that field, its value a list of lists
		var b strings.Builder
		steps := strings.Split(name, ".")
		for i, s := range steps {
			b.WriteString(strings.Repeat(" ", i) + s + ":")
			if i == len(steps)-1 {
				b.WriteString(" [[x]]")
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	for name := range later {
		e := refused(t, build(name))
		if s := Render(e, false); !strings.Contains(s, "is not in this version") || strings.Contains(s, "unknown field") {
			t.Errorf("%s:\n%s", name, s)
		}
	}
	// A list of lists is right nowhere: a supported field that does not
	// complain is one that nobody reads.
	for _, name := range supported {
		found := false
		for _, v := range refused(t, build(name)).Violations {
			found = found || strings.HasPrefix(v.Pointer, "/"+strings.ReplaceAll(name, ".", "/")) && !strings.Contains(v.Message, "unknown")
		}
		if !found {
			t.Errorf("%s is ignored", name)
		}
	}
	for name := range elsewhere {
		if m := meant(at(name)); m == "" || !supportedField[m] {
			t.Errorf("%s stands for %q, which is not a field", name, m)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	for name, want := range map[string]string{
		"shape.powr": "shape.power", "shape.Power": "shape.power", "when.complete_by": "when.completeBy", "when.completBy": "when.completeBy",
		"when.deadline": "when.completeBy", "completeBy": "when.completeBy", "shpae": "shape", "metadata.lables": "metadata.labels",
		"run.args": "run.exec", "exec": "run.exec", "policy.prio": "", "xyzzy": "", "shape.watts": "shape.power",
		"shape.resources.cpu": "shape.resources.cpus", "when.notbefore": "when.notBefore", strings.Repeat("a", 500): "",
	} {
		if got := meant(strings.Split(name, ".")); got != want {
			t.Errorf("%.40s: got %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}, {"é", "e", 1}} {
		if got := distance(c.a, c.b); got != c.want || distance(c.b, c.a) != got {
			t.Errorf("%q %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A file cut at any byte is refused or read, and never read as something that
// books less than the whole file does.
func TestCutFiles(t *testing.T) {
	for _, src := range []string{six, full} {
		for i := range len(src) {
			in, err := Parse([]byte(src[:i]), "x", noon)
			if err == nil && len(in.Run.Exec) == 0 {
				t.Errorf("cut at %d: nothing to run", i)
			}
		}
	}
}

// Whatever bytes are changed, the answer is an intent or a list of violations.
func TestChangedFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	signs := []byte("{}[]:,-?|>&*!%@`'\"#~ \n\t0aZ\\<")
	for range 4000 {
		src := []byte(full)
		for range 1 + r.IntN(4) {
			src[r.IntN(len(src))] = signs[r.IntN(len(signs))]
		}
		checkParse(t, src)
	}
}
