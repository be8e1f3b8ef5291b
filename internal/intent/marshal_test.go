package intent

import (
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

func TestMarshalIsCanonical(t *testing.T) {
	// The same intent from YAML and from JSON, at any offset, is the same bytes.
	a, err := Parse([]byte(six), "", noon)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse([]byte(`{"when":{"completeBy":"2026-12-01T00:00:00+02:00"},"shape":{"power":"0.3kW","duration":"360m"},`+
		`"run":{"exec":"echo hi; sleep 20","env":{}},"kind":"Intent","apiVersion":"clusy.io/v1"}`), "", noon)
	if err != nil {
		t.Fatal(Render(err, false))
	}
	x, err := Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, _ := Marshal(b)
	if string(x) != string(y) {
		t.Errorf("%s\n%s", x, y)
	}
	const want = `{"apiVersion":"clusy.io/v1","kind":"Intent","metadata":{"name":""},"run":{"exec":["sh","-c","echo hi; sleep 20"],"grace":10000000000},` +
		`"shape":{"duration":{"expected":21600000000000,"p95":21600000000000,"max":43200000000000},"power":300000,"powerSource":"declared",` +
		`"resources":{"cpu":1000,"memory":0},"interruptible":{"allowed":false,"overhead":0,"minRun":0,"maxSuspensions":0}},` +
		`"when":{"completeBy":"2026-11-30T22:00:00Z"},"where":{},"objective":{"minimize":"carbon","minSaving":0},` +
		`"policy":{"promise":"once","priority":50,"retries":0,"onNoSignal":"run-by-deadline","baseline":"run-now"}}`
	if string(x) != want {
		t.Errorf("got  %s\nwant %s", x, want)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	in := planted(t)
	good, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unmarshal(good); err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	for name, src := range map[string]string{
		"nothing":             "",
		"a space":             string(good) + " ",
		"more":                string(good) + "{}",
		"cut":                 string(good[:len(good)-1]),
		"unknown field":       edit(`"kind"`, `"also":1,"kind"`),
		"twice":               edit(`"kind":"Intent"`, `"kind":"Intent","kind":"Intent"`),
		"another case":        edit(`"kind"`, `"Kind"`),
		"another version":     edit(`clusy.io/v1`, `clusy.io/v2`),
		"nothing to run":      edit(`"exec":["`+marker+`","`+marker+`"]`, `"exec":[]`),
		"a relative dir":      edit(`"dir":"/`, `"dir":"`),
		"wrong type":          edit(`"cpu":16000`, `"cpu":"`+marker+`"`),
		"no cores":            edit(`"cpu":16000`, `"cpu":0`),
		"no power":            edit(`"power":2800000`, `"power":0`),
		"unknown power":       edit(`"powerSource":"declared"`, `"powerSource":"guess"`),
		"no window":           edit(`"completeBy":"2026-12-01T06:00:00Z"`, `"completeBy":"0001-01-01T00:00:00Z"`),
		"a window too short":  edit(`"completeBy":"2026-12-01T06:00:00Z"`, `"completeBy":"2026-12-01T00:00:00Z"`),
		"another offset":      edit(`T06:00:00Z`, `T07:00:00+01:00`),
		"a fraction":          edit(`T06:00:00Z`, `T06:00:00.5Z`),
		"an escape":           edit(`"Intent"`, `"\u0049ntent"`),
		"free text":           edit(`"local"`, `"loc al"`),
		"a huge p95":          edit(`"p95":28800000000000`, `"p95":9223372036854775807`),
		"interruptible by 0":  edit(`"maxSuspensions":4`, `"maxSuspensions":0`),
		"not interruptible":   edit(`"allowed":true`, `"allowed":false`),
		"ceiling below zero":  edit(`"carbonCeiling":5000000`, `"carbonCeiling":-1`),
		"no currency":         edit(`,"currency":"EUR"`, ``),
		"priority":            edit(`"priority":70`, `"priority":101`),
		"too many bytes":      strings.Repeat(" ", 8*MaxBytes+1),
		"not even JSON":       marker,
		"a broken letter":     edit(`"name":"`, "\"name\":\"\xff"),
		"half a letter":       edit(`"name":"`, `"name":"\ud800`),
		"negative grace":      edit(`"grace":60000000000`, `"grace":-1`),
		"minSaving over 100%": edit(`"minSaving":50`, `"minSaving":1001`),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Unmarshal([]byte(src)); err == nil {
				t.Error("accepted")
			} else if strings.Contains(err.Error(), marker) {
				t.Errorf("the error repeats the intent: %s", err)
			}
		})
	}
}

// The reasons that name no word of the intent are worth keeping.
func TestUnmarshalSaysWhy(t *testing.T) {
	for src, want := range map[string]string{
		`{"also":1}`:                        "a field that this version does not know",
		`{"kind":`:                          "not the canonical form",
		`{"kind":,}`:                        "at byte 9",
		strings.Repeat(" ", 8*MaxBytes+1):   "bytes, want at most",
		`{"apiVersion":"clusy.io/v1"} more`: "breaks",
	} {
		if _, err := Unmarshal([]byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want it to say %q", src, err, want)
		}
	}
}

func TestMarshalRefusesWhatItCouldNotRead(t *testing.T) {
	if _, err := Marshal(Intent{}); err == nil {
		t.Error("wrote an empty intent")
	}
	in := defaults()
	in.When.CompleteBy = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := Marshal(in); err == nil {
		t.Error("wrote the year 10000")
	}
	in = defaults()
	in.Shape.Duration = workload.Duration{Expected: 1<<63 - 1, P95: 1<<63 - 1, Max: 1<<63 - 1}
	if _, err := Marshal(in); err == nil {
		t.Error("wrote a duration that overflows")
	}
}
