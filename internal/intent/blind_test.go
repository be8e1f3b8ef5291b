package intent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// marker is planted wherever something sealed can be, in the hope of seeing it
// come out.
const marker = "p1antedMarker"

// plant fills every text, list and map inside v with the marker.
func plant(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(marker)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			plant(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		plant(key)
		plant(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			plant(v.Field(i))
		}
	case reflect.Int64:
		v.SetInt(int64(time.Minute))
	default:
		panic("plant: a field of the sealed part has kind " + v.Kind().String())
	}
}

func planted(t *testing.T) Intent {
	t.Helper()
	in, err := Parse([]byte(full), "full.yaml", noon)
	if err != nil {
		t.Fatal(err)
	}
	plant(reflect.ValueOf(&in.Metadata).Elem())
	plant(reflect.ValueOf(&in.Run).Elem())
	in.Run.Dir = "/" + in.Run.Dir
	if _, err := Marshal(in); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestNothingSealedIsInTheShape(t *testing.T) {
	in := planted(t)
	shape, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(shape)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(marker)) {
		t.Errorf("the shape holds the marker: %s", b)
	}
	// Nor anything else that depends on the sealed part: its length, its hash.
	bare := in
	bare.Metadata, bare.Run = Metadata{}, Run{}
	if other, _ := Blind(bare, noon); !reflect.DeepEqual(shape, other) {
		t.Errorf("the shape depends on the sealed part: %+v, without it %+v", shape, other)
	}
}

// A shape has no field that can carry free text out, and a new one must be
// thought about here.
func TestShapeCannotCarryText(t *testing.T) {
	texts := map[string]func(*Intent, string){
		"Class":              func(in *Intent, s string) { in.Shape.Class = cmp.Or(s, "-") }, // none is no text
		"Data.Home":          func(in *Intent, s string) { in.Data = workload.Data{Home: s, MiB: 5} },
		"Demand.GPUs[].Type": func(in *Intent, s string) { in.Shape.Resources.GPUs = workload.GPU{Type: s, Count: 2} },
		"Ways[].Demand.GPUs[].Type": func(in *Intent, s string) {
			in.Shape.Alternatives = []Alternative{{Duration: in.Shape.Duration, Power: grid.Watt, Resources: Resources{CPU: 1000, GPUs: workload.GPU{Type: s, Count: 2}}}}
		},
		"PowerSource":        func(in *Intent, s string) { in.Shape.PowerSource = s },
		"Where.Allow[]":      func(in *Intent, s string) { in.Where.Allow = []string{s} },
		"Where.Prefer[]":     func(in *Intent, s string) { in.Where.Prefer = []string{s} },
		"Objective.Minimize": func(in *Intent, s string) { in.Objective.Minimize = workload.Minimize(s) },
		"Objective.Currency": func(in *Intent, s string) { in.Objective.Currency = s },
		"Policy.Promise":     func(in *Intent, s string) { in.Policy.Promise = workload.Promise(s) },
		"Policy.OnNoSignal":  func(in *Intent, s string) { in.Policy.OnNoSignal = workload.OnNoSignal(s) },
		// No queue is the default one, and says nothing.
		"Queue": func(in *Intent, s string) {
			if in.Queue = s; s == "" {
				in.Queue = "-"
			}
		},
		"After[]":         func(in *Intent, s string) { in.After = []string{s} },
		"Policy.Baseline": func(in *Intent, s string) { in.Policy.Baseline = workload.Baseline(s) },
	}
	var walk func(ty reflect.Type, name string)
	walk = func(ty reflect.Type, name string) {
		switch {
		case ty == reflect.TypeFor[time.Time](): // an instant in UTC
		case ty.Kind() == reflect.Struct:
			for i := range ty.NumField() {
				walk(ty.Field(i).Type, strings.TrimPrefix(name+"."+ty.Field(i).Name, "."))
			}
		case ty.Kind() == reflect.Slice, ty.Kind() == reflect.Array:
			walk(ty.Elem(), name+"[]")
		case ty.Kind() == reflect.String:
			if name == "Group" {
				// An intent has none: the server makes it.
				if s, err := Blind(planted(t), noon); err != nil || s.Group != "" {
					t.Errorf("an intent leaves with the group %q, %v", s.Group, err)
				}
				return
			}
			set := texts[name]
			if set == nil {
				t.Errorf("Shape.%s can carry text", name)
				return
			}
			for _, text := range []string{"two words", marker + "\n", "naïve", "", "a:b", `"`} {
				in := planted(t)
				set(&in, text)
				if _, err := Marshal(in); err == nil {
					t.Errorf("Shape.%s may be %q", name, text)
				}
			}
		case slices.Contains([]reflect.Kind{reflect.Bool, reflect.Int, reflect.Int64}, ty.Kind()):
		default:
			t.Errorf("Shape.%s is a %s, which can carry anything", name, ty)
		}
	}
	walk(reflect.TypeFor[workload.Shape](), "")
}

func TestSealedPartPrintsAsDots(t *testing.T) {
	in := planted(t)
	var log bytes.Buffer
	for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))} {
		l.Info("x", "intent", in, "run", in.Run, "metadata", in.Metadata, "pointer", &in, "list", []Intent{in})
	}
	j, err := json.Marshal(map[string]any{"in": in, "run": &in.Run})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{in, in.Run, in.Metadata} { // for handlers that print in their own way
		if got := slog.AnyValue(v).Resolve(); got.Kind() != slog.KindString || got.String() != dots {
			t.Errorf("%T is logged as %v", v, got)
		}
	}
	shown := []string{fmt.Sprint(in), log.String(), string(j)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{in, &in, in.Run, &in.Run, in.Metadata, []Intent{in}} {
			shown = append(shown, fmt.Sprintf(verb, v))
		}
	}
	for _, s := range shown {
		if strings.Contains(s, marker) || strings.Contains(s, fmt.Sprintf("%x", marker)) {
			t.Errorf("shows %s", s)
		}
	}
}

// What is said of a refused file to a log or over a border repeats nothing of
// its sealed part, wherever the mistake is.
func TestErrorsOfSealedPartsAreMute(t *testing.T) {
	for _, src := range []string{
		"run: {" + marker + ": [" + marker + "]}",
		"run: " + marker,
		"metadata: [" + marker + "]",
		"run: {exec: {" + marker + ": 1}, dir: " + marker + ", env: [" + marker + "]}",
		"run: {exec: [a], env: {\"" + marker + " 2\": " + marker + "}}",
		"run: {exec: [a], env: {" + marker + ": {a: " + marker + "}}}",
		"run: {exec: [a], env: {A: 1, \"A\": " + marker + "}, image: " + marker + ", grace: " + marker + "}",
		"metadata: {name: [" + marker + "], labels: {" + marker + ": [" + marker + "], " + marker + ": a}, " + marker + ": a}",
		"run: {exec: \"" + marker + "\n" + marker + ": {",
		"{\"run\": {\"exec\": \"" + marker + "\", " + marker + "}}",
		marker + ": 1",
		"shape: {duration: 6h}\nrun:\n  exec: " + marker + "\n " + marker + ": 1\n",
		"&" + marker + " a",
		"run: {exec: [\"" + marker + `\0"], dir: "/` + marker + `\n"}`,
	} {
		e := refused(t, src)
		p := e.Problem()
		if s := fmt.Sprintf("%s %s %+v", e.Error(), p.Error(), *p); strings.Contains(s, marker) {
			t.Errorf("%s\nsays %s", src, s)
		}
		if len(p.Violations) != len(e.Violations) {
			t.Errorf("%s: %d of %d violations", src, len(p.Violations), len(e.Violations))
		}
	}
}

// A refused file shows its own lines, but the values of env as dots.
func TestRenderMasksTheEnvironment(t *testing.T) {
	for _, src := range []string{
		"run: {exec: [a], env: {TOKEN: " + marker + "}, dri: /x}",
		"run: {exec: [a], evn: {TOKEN: \"" + marker + "\"}}",
		"run: {exec: [a], secrets: [{env: a, from: " + marker + "}]}",
		"run: {exec: [a], env: {\"2\": 日本, \"2\": " + marker + ", B: [" + marker + "]}}",
		"{\"run\": {\"exec\": [\"a\"], \"env\": {\"TOKEN\": \"" + marker + "\"}, \"dri\": 1}}",
	} {
		if s := Render(refused(t, src), true); strings.Contains(s, marker) {
			t.Errorf("shows\n%s", s)
		}
	}
}

func TestGranularity(t *testing.T) {
	in := planted(t)
	in.Shape.Duration = workload.Duration{Expected: 1500 * time.Millisecond, P95: 9*time.Minute + 59*time.Second + 1, Max: 10*time.Minute + time.Nanosecond}
	in.Shape.Power = 1
	in.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: 1, MinRun: 0, MaxSuspensions: 1}
	s, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := (workload.Duration{Expected: 2 * time.Second, P95: 10 * time.Minute, Max: 11 * time.Minute}); s.Duration != want {
		t.Errorf("durations %+v, want %+v", s.Duration, want)
	}
	if want := (workload.Resources{CPU: 16_000, Memory: 128 << 10, Power: grid.Watt, Slots: 1}); s.Power != grid.Watt || s.Demand != want {
		t.Errorf("power %s, demand %+v", s.Power, s.Demand)
	}
	if s.Interruptible.Overhead != time.Second || s.Interruptible.MinRun != 0 {
		t.Errorf("interruptible %+v", s.Interruptible)
	}
	in.Shape.Power = 300*grid.Watt + 1
	if s, _ := Blind(in, noon); s.Power != 301*grid.Watt {
		t.Errorf("power %s", s.Power)
	}
}

func TestBlindRefusesWhatIsTooLate(t *testing.T) {
	in := defaults()
	shape, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	if later, err := Blind(in, noon.Add(3*time.Hour)); err != nil || !reflect.DeepEqual(shape, later) {
		t.Errorf("the shape depends on the time: %v", err)
	}
	_, err = Blind(in, noon.Add(3*time.Hour+24*time.Minute+time.Second))
	if problem.KindOf(err) != problem.Infeasible {
		t.Errorf("too late: %v", err)
	}
	in.When.NotBefore = noon.Add(4 * time.Hour)
	if _, err = Blind(in, noon); problem.KindOf(err) != problem.Infeasible {
		t.Errorf("notBefore too late: %v", err)
	}
}

// The shape does not share memory with the intent it came from.
func TestBlindCopies(t *testing.T) {
	in := planted(t)
	s, _ := Blind(in, noon)
	in.Where.Allow[0] = marker
	in.When.Deny = []workload.Span{{Start: noon, End: noon.Add(time.Hour)}}
	d, _ := Blind(in, noon)
	in.When.Deny[0].End = noon
	if s.Where.Allow[0] == marker || d.When.Deny[0].End.Equal(noon) {
		t.Error("a change of the intent changes its shape")
	}
}

func TestShapeDigest(t *testing.T) {
	s, _ := Blind(planted(t), noon)
	b, _ := json.Marshal(s)
	var back workload.Shape
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	back.When.CompleteBy = back.When.CompleteBy.In(time.FixedZone("", 3600))
	for i := range back.When.Deny {
		back.When.Deny[i].Start = back.When.Deny[i].Start.In(time.FixedZone("", 3600))
	}
	back.Where.Prefer = append(make([]string, 0, 9), back.Where.Prefer...)
	if ShapeDigest(back) != ShapeDigest(s) {
		t.Error("a shape that was stored and read has another digest")
	}
	// Every field counts.
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		before := reflect.New(v.Type()).Elem()
		before.Set(v)
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
			v.Set(reflect.ValueOf(v.Interface().(time.Time).Add(time.Second)))
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), name+"."+v.Type().Field(i).Name)
			}
			return
		case v.Kind() == reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s[%d]", name, i))
			}
			return
		case v.Type() == reflect.TypeFor[[]string]():
			v.Set(reflect.ValueOf([]string{"other"}))
		case v.Kind() == reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			walk(v.Index(0), name+"[]") // each field of what it lists
		case v.Kind() == reflect.String:
			v.SetString("other")
		case v.Kind() == reflect.Bool:
			v.SetBool(!v.Bool())
		default:
			v.SetInt(v.Int() + 1)
		}
		// The server makes the group, and gives its members the ids that they wait for.
		if same := ShapeDigest(back) == ShapeDigest(s); name == "Shape.Group" && !same {
			t.Errorf("%s is the server's, and changes the digest", name)
		} else if same && name != "Shape.Group" {
			t.Errorf("a change of %s has the same digest", name)
		}
		v.Set(before)
	}
	walk(reflect.ValueOf(&back).Elem(), "Shape")
	far := s
	far.When.CompleteBy = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	farther := s
	farther.When.CompleteBy = time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC)
	if ShapeDigest(far) == ShapeDigest(farther) {
		t.Error("shapes that cannot be written share a digest")
	}
}
