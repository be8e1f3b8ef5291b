package intent

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

// doc is one document of a file, with more lines.
func doc(name string, more ...string) string {
	s := "---\napiVersion: clusy.io/v1\nkind: Intent\nmetadata: {name: " + name + "}\nrun: {exec: \"true\"}\nshape: {duration: 1h, power: 300W}\n"
	for _, m := range more {
		s += m + "\n"
	}
	return s
}

const headDoc = "# a pipeline\napiVersion: clusy.io/v1\nkind: Group\nmetadata: {name: night, idempotencyKey: k1}\nwhen: {completeBy: +10h}\n"

func grouped(t *testing.T, src string) Group {
	t.Helper()
	g, err := ParseGroup([]byte(src), "g.yaml", noon)
	if err != nil {
		t.Fatalf("%s\n%s", src, Render(asError(t, err), false))
	}
	return g
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T %v", err, err)
	}
	return e
}

func TestGroupFile(t *testing.T) {
	id := "wl_0199b2c4-5a7e-7f31-9c0e-1f2a3b4c5d6e"
	g := grouped(t, headDoc+
		doc("last", "after: [part, first, "+id+"]", "when: {completeBy: +12h}")+
		doc("part", "after: [first]", "array: {count: 3}")+
		doc("first", "when: {notBefore: +1h}"))
	if g.Name != "night" || g.Key != "k1" || g.Single() || len(g.Members) != 5 {
		t.Fatalf("group %q, key %q, %d members", g.Name, g.Key, len(g.Members))
	}
	var names []string
	for i, m := range g.Members {
		names = append(names, m.Metadata.Name)
		want := noon.Add(10 * time.Hour)
		if i == 0 {
			want = noon.Add(12 * time.Hour)
		}
		if !m.When.CompleteBy.Equal(want) {
			t.Errorf("%s is to be complete by %s, want %s", m.Metadata.Name, m.When.CompleteBy, want)
		}
		shape, err := Blind(m.Intent, noon)
		if err != nil || !reflect.DeepEqual(shape.After, m.After) && len(m.After) > 0 {
			t.Errorf("%s leaves with %v, %v", m.Metadata.Name, shape.After, err)
		}
		b, err := Marshal(m.Intent)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Unmarshal(b)
		if err != nil || !reflect.DeepEqual(again, m.Intent) {
			t.Errorf("%s comes back as another: %v", m.Metadata.Name, err)
		}
	}
	if want := []string{"last", "part[0]", "part[1]", "part[2]", "first"}; !reflect.DeepEqual(names, want) {
		t.Errorf("members %v, want %v", names, want)
	}
	if got, want := g.Members[0].After, []string{"#1", "#2", "#3", "#4", id}; !reflect.DeepEqual(got, want) {
		t.Errorf("the last waits for %v, want %v", got, want)
	}
	if got := g.Members[2].After; !reflect.DeepEqual(got, []string{"#4"}) {
		t.Errorf("a part waits for %v", got)
	}
	if env := g.Members[2].Run.Env; env[arrayIndex] != "1" || env[arrayCount] != "3" {
		t.Errorf("a part is given %v", env)
	}
	if !g.Members[4].When.NotBefore.Equal(noon.Add(time.Hour)) {
		t.Error("a window of its own without a completeBy is lost")
	}
	if one := grouped(t, six); !one.Single() {
		t.Error("one intent is a group")
	}
	if _, err := Parse([]byte(headDoc+doc("a")+doc("b")), "g.yaml", noon); err == nil {
		t.Error("a group was read as one intent")
	}
}

// What is wrong with a group is said at its line, with the way out; nothing of
// its names crosses a border.
func TestGroupFileErrors(t *testing.T) {
	for _, x := range []struct{ what, src, at, says string }{
		{"an unknown name", headDoc + doc("first") + doc("b", "after: [frist]"), "18:9", "no document of the file is called \"frist\""},
		{"itself", headDoc + doc("first") + doc("b", "after: [b]"), "18:9", "wait for itself"},
		{"a circle", headDoc + doc("a", "after: [c]") + doc("b", "after: [a]") + doc("c", "after: [b]"), "12:1", "in a circle: a waits for c waits for b waits for a"},
		{"two of one name", headDoc + doc("a") + doc("a"), "15:18", "name of the document at line 6, too"},
		{"a group at the end", doc("a", "when: {completeBy: +10h}") + "---\n" + headDoc, "11:7", "must be the first"},
		{"a group alone", headDoc, "3:7", "there is none"},
		{"a group that says what to run", headDoc + "run: {exec: a}\n" + doc("a"), "6:1", "not a field of a Group"},
		{"a group with more of a window", strings.Replace(headDoc, "+10h", "+10h, notBefore: +1h", 1) + doc("a"), "5:26", "not a field of a Group's window"},
		{"no completeBy at all", doc("a") + doc("b", "when: {completeBy: +10h}"), "1:1", "must say by when"},
		{"a key of one of several", headDoc + strings.Replace(doc("a"), "name: a", "name: a, idempotencyKey: x", 1), "9:37", "of the file, not of one document"},
		{"an array of none", headDoc + doc("a", "array: {count: 0}"), "12:16", "not a number of workloads"},
		{"an array of too many", headDoc + doc("a", "array: {count: 1001}"), "12:16", "not a number of workloads"},
		{"an array without a count", headDoc + doc("a", "array: {}"), "12:1", "how many"},
		{"too many in all", headDoc + doc("a", "array: {count: 999}") + doc("b", "array: {count: 2}"), "", "comes to 1001 workloads"},
		{"too many waits", headDoc + doc("a", "array: {count: 400}") + doc("b", "after: [a]", "array: {count: 100}"), "19:1", "wait for each other 40000 times"},
		{"its own number", headDoc + doc("a", "array: {count: 2}", "policy: {retries: 1}")[:0] + strings.Replace(doc("a", "array: {count: 2}"), "exec: \"true\"", "exec: a, env: {CLUSY_ARRAY_INDEX: 1}", 1), "10:41", "take it out"},
		{"too many names", headDoc + doc("a") + doc("b", "after: ["+strings.Repeat("a, ", 33)+"a]"), "18:1", "names 34"},
	} {
		_, err := ParseGroup([]byte(x.src), "g.yaml", noon)
		if err == nil {
			t.Errorf("%s: no error", x.what)
			continue
		}
		e := asError(t, err)
		found := false
		for _, v := range e.Violations {
			at := fmt.Sprintf("%d:%d", v.Line, v.Column)
			found = found || strings.Contains(v.Message, x.says) && (x.at == "" || x.at == at)
		}
		if !found {
			t.Errorf("%s: want %q at %s\n%s", x.what, x.says, x.at, Render(e, false))
		}
		if strings.Contains(e.Error(), "frist") {
			t.Errorf("%s: a name crosses the border: %s", x.what, e)
		}
	}
	if s := Render(asError(t, func() error {
		_, err := ParseGroup([]byte(headDoc+strings.Replace(doc("a"), "exec: \"true\"", "exec: a, env: {T: "+marker+"}", 1)+doc("b", "after: [x]")), "g.yaml", noon)
		return err
	}()), true); strings.Contains(s, marker) {
		t.Errorf("shows the environment of another document:\n%s", s)
	}
}

// A server can leave out none of those that an intent waits for, and only them
// it may give other words.
func TestSealedGroupMember(t *testing.T) {
	g := grouped(t, headDoc+doc("a")+doc("b", "after: [a]"))
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	in := g.Members[1].Intent
	sealed, err := Seal(in, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	shape, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	shape.After, shape.Group = []string{"wl_0199b2c4-5a7e-7f31-9c0e-1f2a3b4c5d6e"}, "grp_1"
	if _, err := Open(sealed, key, shape); err != nil {
		t.Errorf("with the ids of the server: %v", err)
	}
	var none workload.Shape = shape
	none.After = nil
	if _, err := Open(sealed, key, none); err == nil {
		t.Error("it opens though it waits for nobody")
	}
}
