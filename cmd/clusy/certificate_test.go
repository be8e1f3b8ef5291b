package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clusy.io/clusy/internal/plan/fleet"
)

// planned plans the small instance and writes down everything about it.
func planned(t *testing.T) (dir, file, placements string) {
	t.Helper()
	dir = dirOf(t, small)
	d, err := readWorld(dir)
	if err != nil {
		t.Fatal(err)
	}
	in := d.Instance()
	s := fleet.Solve(in, fleet.Options{})
	s.Prices, s.Bound = fleet.Prices{make([]float64, in.Cells())}, 622 // there is room for all: prices of 0 are the best
	out := t.TempDir()
	file, placements = filepath.Join(out, "certificate.json"), filepath.Join(out, "placements.csv")
	if err := writePlacements(placements, d.World, in, &s); err != nil {
		t.Fatal(err)
	}
	if err := writeCertificate(file, dir, in, &s, boundOf(in, s.Prices, parallel(1))); err != nil {
		t.Fatal(err)
	}
	return dir, file, placements
}

func rewrite(t *testing.T, file string, change func(c *certificate)) {
	t.Helper()
	c, err := readCertificate(file)
	if err != nil {
		t.Fatal(err)
	}
	change(&c)
	b, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(file, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A certificate proves what it says, and nothing that was changed in it, in the
// instance or in the plan.
func TestPlanVerify(t *testing.T) {
	dir, file, placements := planned(t)
	for _, with := range []string{"", placements} {
		v, err := verifyPlan(dir, file, with)
		if err != nil || !v.OK || v.Checked != (with != "") || v.Gap == nil || *v.Gap < 0 || *v.Gap > 0.01 || v.Cost != 622 {
			t.Errorf("%+v, %v", v, err)
		}
	}
	set := func(change func(c *certificate)) func(*testing.T, string, string, string) {
		return func(t *testing.T, _, file, _ string) { rewrite(t, file, change) }
	}
	put := func(lines string) func(*testing.T, string, string, string) {
		return func(t *testing.T, _, _, placements string) {
			if err := os.WriteFile(placements, []byte("id,site,slots\n"+lines), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, dir, file, placements string)
		want   string
	}{
		"higher bound": {set(func(c *certificate) { c.Bound += 0.001 }), "the bound does not follow: the prices give 622, the certificate says 622.001"},
		// Nobody uses NO in slot 0 at this price, and its room is paid for.
		"higher price":  {set(func(c *certificate) { c.Prices[1].Prices[0] += 500 }), "the bound does not follow"},
		"lower price":   {set(func(c *certificate) { c.Prices[1].Prices[0] = -1 }), "slot 0 is -1; none is below 0"},
		"fewer prices":  {set(func(c *certificate) { c.Prices[1].Prices = c.Prices[1].Prices[1:] }), `3 prices of "cpu" at "oslo", and there are 4 slots`},
		"a site less":   {set(func(c *certificate) { c.Prices = c.Prices[:1] }), `no prices of "cpu" at "oslo"`},
		"a site twice":  {set(func(c *certificate) { c.Prices = append(c.Prices, c.Prices[0]) }), `prices of "cpu" at "berlin", twice`},
		"another thing": {set(func(c *certificate) { c.Prices[0].Thing = "gpu" }), `prices of "gpu" at "berlin", twice or where there is none`},
		"less cost":     {set(func(c *certificate) { c.Cost -= 10 }), "the plan does not hold"},
		"smaller gap":   {set(func(c *certificate) { c.Gap -= 0.001 }), "the gap is"},
		"unplaced":      {set(func(c *certificate) { c.Unplaced = 1 }), "0 jobs have no place"},
		"another input": {func(t *testing.T, dir, _, _ string) {
			if err := os.WriteFile(filepath.Join(dir, carbonFile), []byte(strings.Replace(small[carbonFile], "400", "401", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "carbon.csv is not the file that was planned"},
		"no input":    {set(func(c *certificate) { delete(c.Inputs, metaFile) }), "meta.json is not the file"},
		"too full":    {put("first,berlin,0\nsecond,berlin,0 1\nthird,berlin,1 3\n"), "cpu in slot 0 at berlin: 12 is used"},
		"too late":    {put("first,berlin,1\nsecond,oslo,0-1\nthird,berlin,1 3\n"), `(intents.csv has it as "first")`},
		"pausing":     {put("first,berlin,0\nsecond,oslo,0 2\nthird,berlin,1 3\n"), "it pauses 1 times"},
		"unknown":     {put("first,berlin,0\nsecond,oslo,0 1\nthird,berlin,2 3\n"), "the cost of slot 2 at berlin is unknown"},
		"left out":    {put("first,berlin,0\nthird,berlin,1 3\n"), "1 jobs have no place"},
		"too little":  {put("first,berlin,0\nsecond,oslo,0\nthird,berlin,1 3\n"), "it runs for 1 slots, not 2"},
		"other slots": {put("first,berlin,0\nsecond,berlin,1-2\nthird,berlin,1 3\n"), "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file, placements := planned(t)
			c.change(t, dir, file, placements)
			v, err := verifyPlan(dir, file, placements)
			if err != nil || v.OK || !strings.Contains(v.Problem, c.want) {
				t.Errorf("%+v, %v; want …%s…", v, err, c.want)
			}
		})
	}
	// Without placements a cost that no plan can have is seen all the same.
	dir, file, _ = planned(t)
	rewrite(t, file, func(c *certificate) { c.Cost = 100; c.Gap = 1 })
	if v, err := verifyPlan(dir, file, ""); err != nil || v.OK || !strings.Contains(v.Problem, "less than any can") {
		t.Errorf("%+v, %v", v, err)
	}
}

// Files of a plan that cannot be read say where and why.
func TestHostilePlacements(t *testing.T) {
	dir, file, placements := planned(t)
	for lines, want := range map[string]string{
		"fourth,berlin,0":                  `line 2, id: "fourth" is no intent of intents.csv`,
		"first,berlin,0\nfirst,berlin,0":   `line 3, id: "first" is there twice`,
		"first,paris,0":                    `line 2, site: "paris" is no site`,
		"first,oslo,0":                     `line 2, site: "oslo" is in none of the zones of "first"`,
		"first,berlin,4":                   `line 2, slots: "4" is no slot of 0 to 3`,
		"first,berlin,-1":                  `line 2, slots: "" is no slot`,
		"first,berlin,1 0":                 `"0" comes after slot 1: give each slot once, rising`,
		"first,berlin,0 0":                 "each slot once",
		"first,berlin,3-1":                 "rising",
		"first,berlin,0-99999999999999999": "is no slot",
		"first,berlin,":                    "leave out intents that have no place",
		"first,berlin":                     "2 cells, want 3",
	} {
		if err := os.WriteFile(placements, []byte("id,site,slots\n"+lines+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := verifyPlan(dir, file, placements); err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitUsage {
			t.Errorf("%q: %v, want …%s…", lines, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                 "EOF",
		"[]":               "cannot unmarshal array",
		`{"format": "x"}`:  `its format is "x", want "clusy plan certificate 1"`,
		`{"bounds": 3}`:    `unknown field "bounds"`,
		`{"bound": 1e999}`: "cannot unmarshal number",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := verifyPlan(dir, file, ""); err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitUsage {
			t.Errorf("%q: %v, want …%s…", text, err, want)
		}
	}
}

// A bound in parts is the bound of the whole, by any number of workers.
func TestBoundInParts(t *testing.T) {
	d, err := readWorld(dirOf(t, small))
	if err != nil {
		t.Fatal(err)
	}
	for range 12 { // 12,288 intents: four parts
		d.Intents = append(d.Intents, d.Intents...)
	}
	for i := range d.Sites {
		d.Sites[i].CPUs *= 1000
	}
	in := d.Instance()
	p := fleet.Prices{{1, 2, 3, 4, 5, 6, 7, 8}}
	want := fleet.Bound(in, p)
	for _, workers := range []int{1, 2, 7} {
		if got := boundOf(in, p, parallel(workers)); !follows(got, want) || !follows(want, got) {
			t.Errorf("%d workers: %v, want %v", workers, got, want)
		}
	}
}
