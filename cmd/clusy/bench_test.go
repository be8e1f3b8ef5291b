package main

import "testing"

// A benchmark that has lost work says so, whatever else it measured.
func TestBenchJudges(t *testing.T) {
	for name, c := range map[string]struct {
		missing, silent int
		fault           string
		ok              bool
	}{
		"all there":         {0, 0, "", true},
		"one not in store":  {1, 0, "", false},
		"one without event": {0, 1, "", false},
		"log does not hold": {0, 0, "leaf 7 is not what was signed", false},
	} {
		var r benchResult
		if r.judge(10, c.missing, c.silent, c.fault); r.OK != c.ok || c.ok != (r.Wrong == "") {
			t.Errorf("%s: ok %t, wrong %q", name, r.OK, r.Wrong)
		}
	}
}
