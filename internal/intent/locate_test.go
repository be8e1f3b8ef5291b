package intent

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"clusy.io/clusy/internal/problem"
)

// under returns the text of src that Locate underlines.
func under(src, pointer string) (string, bool) {
	line, column, width, exact := Locate([]byte(src), pointer)
	if line == 0 {
		return "", false
	}
	rs := []rune(strings.Split(strings.ReplaceAll(src, "\r\n", "\n"), "\n")[line-1])
	return string(rs[column-1 : column-1+width]), exact
}

func TestLocate(t *testing.T) {
	const block = "# café\r\nmetadata: {name: \"日本\", labels: {a/b: \"x~y\"}}\r\nshape:\r\n  duration: 6h\r\n  energy: 2kWh\r\nwhen: {maxDelay: 1h}\r\nwhere:\r\n  allow:\r\n  - local\r\n  - 'DE-*' # x\r\n"
	const flow = `{"note": "日本語", "shape": {"duration": {"expected": "6h", "p95": "\u0037h"}, "power": {"value": "3W"}, "resources": {"cpus": 2}}, "policy": {"retries": {"max": 3}}}`
	for _, c := range []struct {
		src, pointer, want string
		exact              bool
	}{
		{block, "/metadata/name", `"日本"`, true},
		{block, "/metadata/labels/a~1b", `"x~y"`, true},
		{block, "/shape/duration", "6h", true},
		{block, "/shape/duration/p95", "6h", true},
		{block, "/duration/max", "6h", true},
		{block, "/shape/power", "2kWh", true},
		{block, "/shape/demand/power", "2kWh", true},
		{block, "/shape/when/completeBy", "1h", true},
		{block, "/when/completeBy", "1h", true},
		{block, "/shape/where/allow/1", "'DE-*'", true},
		{block, "/where/allow/1", "'DE-*'", true},
		{block, "/where/allow/7", "allow", false},
		{block, "/shape/demand/cpu", "shape", false},
		{block, "/shape/objective/minSaving", "#", false},
		{block, "/nowhere", "#", false},
		{block, "", "#", true},
		{block, "/shape", "shape", true},
		{flow, "/shape/duration/expected", `"6h"`, true},
		{flow, "/shape/duration/p95", `"\u0037h"`, true},
		{flow, "/shape/duration/max", `"\u0037h"`, true},
		{flow, "/power", `"3W"`, true},
		{flow, "#/shape/demand/cpu", "2", true},
		{flow, "/shape/policy/retries", "3", true},
		{flow, "/shape/demand/memory", `"resources"`, false},
		{"a: [", "/a", "", false},
	} {
		if got, exact := under(c.src, c.pointer); got != c.want || exact != c.exact {
			t.Errorf("%s: got %q %t, want %q %t", c.pointer, got, exact, c.want, c.exact)
		}
	}
}

// A field is named as the file writes it.
func TestFieldsAreNamedAsWritten(t *testing.T) {
	e := FromServer([]byte(strings.Replace(six, "300W", "300W, interruptible: true", 1)), "x", []problem.Violation{
		{Pointer: "/shape/interruptible/overhead", Message: "x"}, {Pointer: "/duration/p95", Message: "x"},
	})
	if e.Violations[0].Field != "shape.duration" || e.Violations[1].Field != "shape.interruptible" || e.Violations[1].Pointer != "/shape/interruptible" {
		t.Errorf("%+v", e.Violations)
	}
}

// Every pointer into a Shape leads to a field of the file that we know.
func TestEveryShapePointerHasItsField(t *testing.T) {
	in := planted(t)
	shape, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(shape)
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	seen := 0
	var walk func(v any, pointer string)
	walk = func(v any, pointer string) {
		for _, p := range []string{pointer, "/shape" + pointer} {
			if got := intentPath(p); pointer != "" && !known(got) {
				t.Errorf("%s is %s, which is no field", p, got.field())
			}
		}
		if m, ok := v.(map[string]any); ok {
			for k, v := range m {
				walk(v, pointer+"/"+k)
			}
		}
		seen++
	}
	walk(tree, "")
	if seen < 30 {
		t.Errorf("saw %d", seen)
	}
	if got := FromShape("/shape/demand/cpu"); got != "/shape/resources/cpus" {
		t.Errorf("got %s", got)
	}
	if got := FromShape("/sealed"); got != "/sealed" {
		t.Errorf("got %s", got)
	}
}

func TestAnnotate(t *testing.T) {
	got := Annotate([]byte(six), "night.yaml", []problem.Violation{
		{Pointer: "/shape/when/completeBy", Message: "no site is free in time", Value: "2026-11-30T22:00:00Z", Limit: "one of 2 sites", Nearest: "2026-12-01T04:00:00Z"},
		{Pointer: "/shape/demand/cpu", Message: "no site has so many\x1b[31m", Limit: "1\x9b", Nearest: "\u202e2"},
		{Pointer: "", Message: "tenant acme may run 3 at once"},
	})
	const want = `night.yaml: tenant acme may run 3 at once

night.yaml:4:1: shape.resources.cpus: no site has so many` + "\uFFFD" + `[31m
   4 | shape: {duration: 6h, power: 300W}
     | ^^^^^
       allowed: 1` + "\uFFFD" + `
       try: ` + "\uFFFD" + `2

night.yaml:5:20: when.completeBy: no site is free in time
   5 | when: {completeBy: +10h}
     |                    ^^^^
       allowed: one of 2 sites
       try: 2026-12-01T04:00:00Z

3 mistakes in night.yaml
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// A file that has changed since, or is none, still shows what was said.
	if got := Annotate([]byte("["), "", []problem.Violation{{Pointer: "/shape/power", Message: "too much"}}); !strings.Contains(got, "intent: shape.power: too much") {
		t.Errorf("got\n%s", got)
	}
}

func TestRender(t *testing.T) {
	if Render(nil, true) != "" {
		t.Error("no error is shown")
	}
	if got := Render(errors.New("a\x1b[31mb"), false); got != "a\uFFFD[31mb\n" {
		t.Errorf("got %q", got)
	}
	e := refused(t, strings.Replace(six, "300W", "300", 1))
	if got := Render(e, true); !strings.Contains(got, "\x1b[31m^^^\x1b[0m") {
		t.Errorf("no red caret in %q", got)
	}
	if got := Render(e, false); strings.Contains(got, "\x1b") {
		t.Errorf("colour in %q", got)
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("a", 300) + "VALUE" + strings.Repeat("b", 300)
	for _, c := range []struct {
		line          string
		column, width int
	}{
		{"x: VALUE", 4, 5}, {"\tx: VALUE", 5, 5}, {"日本: VALUE", 5, 5}, {"e\u0301x: VALUE", 6, 5}, {"🙂: VALUE", 4, 5}, {long, 301, 5},
		{strings.Repeat("b", 200) + "VALUE", 201, 5}, {"VALUE" + strings.Repeat("b", 200), 1, 5},
	} {
		shown, indent, carets := excerpt(c.line, c.column, c.width)
		before, _, ok := strings.Cut(shown, "VALUE")
		if !ok || columns(before) != indent || carets != 5 || len([]rune(shown)) > lineWidth+2 {
			t.Errorf("%.40q: shown %q, indent %d, carets %d", c.line, shown, indent, carets)
		}
	}
	for _, c := range []struct{ column, width int }{{0, 0}, {99, 1}, {1, 1000}} {
		if _, indent, carets := excerpt("abc", c.column, c.width); indent > 3 || carets < 1 || carets > 3 {
			t.Errorf("%+v: indent %d, carets %d", c, indent, carets)
		}
	}
	if columns("日é") != 3 || columns("Ｗ") != 2 {
		t.Errorf("widths %d, %d", columns("日é"), columns("Ｗ"))
	}
}
