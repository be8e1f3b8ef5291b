package intent

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled is the schema as an editor has it.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	b, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("intent.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("intent.json") // also checks it against the meta-schema
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is a file as an editor's reader of YAML sees it.
func instance(n *node) any {
	switch n.kind {
	case kindMapping:
		m := map[string]any{}
		for _, f := range n.fields {
			m[f.key] = instance(f.value)
		}
		return m
	case kindList:
		l := []any{}
		for _, item := range n.items {
			l = append(l, instance(item))
		}
		return l
	case kindNumber:
		if json.Valid([]byte(n.text)) {
			return json.Number(n.text)
		}
		return n.text
	case kindBool:
		return strings.EqualFold(n.text, "true")
	case kindText:
		return n.text
	}
	return nil
}

func fits(t testing.TB, s *jsonschema.Schema, src string) error {
	t.Helper()
	root, f := tree([]byte(src))
	if f != nil {
		t.Fatalf("%s\n%s", f.message, src)
	}
	return s.Validate(instance(root))
}

// What Parse takes, the schema takes: every way of writing that the tests know,
// and the full file with pieces changed at random.
func TestSchemaTakesWhatParseTakes(t *testing.T) {
	s := compiled(t)
	sources := slices.Concat([]string{six, full}, ways(t))
	if len(sources) < 25 {
		t.Fatalf("%d sources", len(sources))
	}
	for _, src := range sources {
		if _, err := Parse([]byte(src), "x", noon); err != nil {
			t.Fatal(Render(err, false))
		}
		if err := fits(t, s, src); err != nil {
			t.Errorf("%v\n%s", err, src)
		}
	}
	r := rand.New(rand.NewPCG(7, 7))
	pieces := []string{"6h", "PT6H", "1.5d", ".5h", "300W", "+2.4 kW", "2e3W", "5", "0.5", "500m", "true", "5%", "40 EUR", "+10h", "+PT90M", "2026-12-01T07:00:00.5Z", "800g", "1kgCO2e", "x", "-", "{total: 5t}", "[a, b]", "run-now", "cost", "1h 30min"}
	taken := 0
	for range 4000 {
		lines := strings.Split(full, "\n")
		i := 3 + r.IntN(len(lines)-4)
		name, _, ok := strings.Cut(lines[i], ":")
		if !ok {
			continue
		}
		lines[i] = name + ": " + pieces[r.IntN(len(pieces))]
		src := strings.Join(lines, "\n")
		if _, err := Parse([]byte(src), "x", noon); err != nil {
			continue
		}
		taken++
		if err := fits(t, s, src); err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
	}
	if taken < 200 {
		t.Errorf("only %d of the changed files are intents", taken)
	}
}

// What people do wrong is marked by the editor, before anything is sent.
func TestSchemaRefusesMistakes(t *testing.T) {
	s := compiled(t)
	for _, c := range []struct{ old, new string }{
		{"clusy.io/v1", "v1"}, {"Intent", "Job"}, {"power: 300W", "powr: 300W"}, {"300W", "300"}, {"300W", "300 watts"}, {"300W", `"300w"`},
		{"6h", "6"}, {"6h", "6 hours"}, {"6h", "06:00"}, {"6h", "P1M"}, {"6h", "-6h"}, {"6h", "{p95: 6h}"}, {"6h", `""`},
		{"+10h", "10h"}, {"+10h", "2026-12-01"}, {"+10h", "2026-12-01T07:00:00"}, {"+10h", "tomorrow"},
		{"completeBy: +10h", "deadline: +10h"}, {"completeBy: +10h", "completeBy: +10h, maxDelay: 1h"}, {"when: {completeBy: +10h}", "when: {}"}, {"when: {completeBy: +10h}\n", ""},
		{"power: 300W", "power: 300W, energy: 1kWh"}, {"power: 300W", "energy: 5kW"}, {"power: 300W", "power: {source: declared}"}, {"power: 300W", "power: {watts: 1, value: 1W}"},
		{"power: 300W", "power: 300W, interruptible: yes"}, {"power: 300W", "power: 300W, interruptible: {often: true}"}, {"power: 300W", "power: 300W, resources: {cpus: 0}"},
		{"power: 300W", "power: 300W, resources: {memory: 2}"}, {"power: 300W", "power: 300W, gang: 0"},
		{`{exec: [sh, -c, "echo hi; sleep 20"]}`, "{}"}, {`[sh, -c, "echo hi; sleep 20"]`, "[]"}, {`[sh, -c, "echo hi; sleep 20"]`, "[[sh]]"}, {"run: {", "run: {image: x, "}, {"run: {", "run: {env: {1A: x}, "}, {"run: {", "run: {dir: work, "},
		{"kind: Intent", "kind: Intent\nobjective: {minimize: emissions}"}, {"kind: Intent", "kind: Intent\nobjective: {minSaving: 0.05}"}, {"kind: Intent", "kind: Intent\nobjective: {costCeiling: 40}"},
		{"kind: Intent", "kind: Intent\npolicy: {retries: 11}"}, {"kind: Intent", "kind: Intent\npolicy: {priority: high}"}, {"kind: Intent", "kind: Intent\npolicy: {promise: twice}"},
		{"kind: Intent", "kind: Intent\nwhere: {allow: []}"}, {"kind: Intent", "kind: Intent\nwhere: {allow: [a b]}"}, {"kind: Intent", "kind: Intent\nmetadata:"},
	} {
		src := strings.Replace(six, c.old, c.new, 1)
		if src == six {
			t.Fatalf("six lines have no %q", c.old)
		}
		if _, err := Parse([]byte(src), "x", noon); err == nil {
			t.Errorf("Parse takes %q", c.new)
		}
		if err := fits(t, s, src); err == nil {
			t.Errorf("the schema takes %q", c.new)
		}
	}
}

// Of the files whose rendered errors we keep, the schema finds all mistakes
// but these, which no schema can: windows, amounts, names given twice.
func TestSchemaOnKeptMistakes(t *testing.T) {
	s := compiled(t)
	files, _ := filepath.Glob("testdata/errors/*.[yj]*")
	beyond := set("duplicate-key.yaml", "json-duplicate.json", "energy-too-much.yaml", "infinite.yaml", "horizon.yaml",
		"max-delay-before-not-before.yaml", "window-after-not-before.yaml", "window-inverted.yaml", "window-past.yaml", "window-short.yaml", "deny-no-room.yaml")
	read := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root, f := tree(src)
		if f != nil {
			continue
		}
		read++
		if s.Validate(instance(root)) == nil && !beyond[filepath.Base(file)] {
			t.Errorf("the schema takes %s", filepath.Base(file))
		}
	}
	if read < 25 {
		t.Errorf("only %d files can be read", read)
	}
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// The schema teaches: every field says what it means, what stands for nothing
// is a value that the field can have, and every example is one too. Its bytes
// are the same each time.
func TestSchemaTeaches(t *testing.T) {
	a, _ := Schema()
	b, _ := Schema()
	if !bytes.Equal(a, b) {
		t.Error("twice written, twice different")
	}
	for _, e := range entries {
		if len(e.says) < 8 || !strings.HasSuffix(e.says, ".") {
			t.Errorf("%s says %q", e.name, e.says)
		}
		values := slices.Clone(e.examples)
		if e.dflt != nil {
			values = append(values, e.dflt)
		}
		if e.form == nil {
			continue
		}
		if _, constant := e.form["const"]; !constant && len(values) == 0 {
			t.Errorf("%s has neither an example nor a default", e.name)
		}
		doc, _ := json.Marshal(e.schema())
		parsed, _ := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
		c := jsonschema.NewCompiler()
		if err := c.AddResource("x", parsed); err != nil {
			t.Fatal(err)
		}
		s := c.MustCompile("x")
		for _, v := range values {
			text, _ := json.Marshal(v)
			value, _ := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err := s.Validate(value); err != nil {
				t.Errorf("%s: %s is no value of it: %v", e.name, text, err)
			}
		}
	}
}

// The page on the intent file names every field.
func TestReferenceNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/intent.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range supported {
		_, leaf := split(name)
		if !strings.Contains(string(page), leaf) {
			t.Errorf("docs/reference/intent.md does not name %s", name)
		}
	}
}
