package fleet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The optimum of a world is found by a solver of integer programs that is no
// part of Clusy, and kept in testdata: Debian's coinor-cbc.
//
//	go test ./internal/plan/fleet -run TestOracle -oracle 10m
var oracle = flag.Duration("oracle", 0, "find the optima in testdata again with cbc, for at most so long each")

// optimum is what the oracle found of one world.
type optimum struct {
	World town
	Best  float64 // cost and charges of the best plan that anyone has found, in however long
	Bound float64 // no plan costs less
	LP    float64 // of the relaxation
	// Proven says that Best is the optimum, to the precision of the oracle.
	Proven bool
}

const optimaFile = "testdata/optima.json"

func optima(t testing.TB) []optimum {
	t.Helper()
	text, err := os.ReadFile(optimaFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []optimum
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOracle finds the optima that are not in testdata yet: delete those that
// are to be found again. What cbc cannot prove in time stands with its best
// bound and the best plan that is known.
func TestOracle(t *testing.T) {
	if *oracle == 0 {
		t.Skip("needs cbc: go test ./internal/plan/fleet -run TestOracle -oracle 10m")
	}
	have := map[town]optimum{}
	if _, err := os.Stat(optimaFile); err == nil {
		for _, o := range optima(t) {
			have[o.World] = o
		}
	}
	var all []optimum
	for _, c := range towns() {
		o, ok := have[c]
		if !ok {
			in := c.make()
			start := Solve(in, Options{})
			polish(in, &start, 30*thorough)
			if err := Verify(in, &start); err != nil {
				t.Fatal(err)
			}
			best, bound, lp := askOracle(t, in, &start, *oracle)
			o = optimum{World: c, Best: start.Cost + start.Missing, Bound: max(start.Bound, lp), LP: lp}
			if best < o.Best {
				o.Best = best
			}
			if bound > o.Bound {
				o.Bound = bound
			}
			o.Proven = o.Bound > o.Best*(1-2e-6)
		}
		t.Logf("%v: %+v", c, o)
		all = append(all, o)
		text, err := json.MarshalIndent(all, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(optimaFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mostInteger is how many jobs a world has at most of which cbc is asked for
// more than the relaxation: it breaks down on greater ones.
const mostInteger = 300

// writeProgram writes in as an integer program in time: a variable for each
// start of rigid work, one for each slot of interruptible work.
func writeProgram(w *bufio.Writer, in *Instance) {
	var objective, rows, binaries bytes.Buffer
	use := make([][]bytes.Buffer, len(in.Things))
	for r := range use {
		use[r] = make([]bytes.Buffer, in.Cells())
	}
	takes := func(name string, way *Way, t int32) {
		for r, u := range way.Use {
			fmt.Fprintf(&use[r][in.Cell(way.Site, t)], " + %v %s\n", u, name)
		}
	}
	cost := func(name string, c float64) {
		fmt.Fprintf(&objective, " + %v %s\n", c, name)
		fmt.Fprintln(&binaries, name)
	}
	for j := range in.Jobs {
		job := &in.Jobs[j]
		var one bytes.Buffer
		name := fmt.Sprintf("m%d", j)
		cost(name, job.Missing)
		fmt.Fprintf(&one, " %s", name)
		for w := range job.Ways {
			way := &job.Ways[w]
			begin := max(job.Release, way.From)
			if job.Kind == Rigid {
				for s := begin; s+way.Need <= job.Due; s++ {
					c, known := way.Fixed, true
					for t := s; t < s+way.Need; t++ {
						c += way.KW * in.Cost[job.Table][in.Cell(way.Site, t)]
						known = known && !math.IsNaN(c)
					}
					if !known {
						continue
					}
					name := fmt.Sprintf("s%d_%d_%d", j, w, s)
					cost(name, c)
					fmt.Fprintf(&one, "\n + %s", name)
					for t := s; t < s+way.Need; t++ {
						takes(name, way, t)
					}
				}
				continue
			}
			y := fmt.Sprintf("y%d_%d", j, w)
			cost(y, way.Fixed)
			fmt.Fprintf(&one, "\n + %s", y)
			var sum bytes.Buffer
			for t := begin; t < job.Due; t++ {
				c := way.KW * in.Cost[job.Table][in.Cell(way.Site, t)]
				if math.IsNaN(c) {
					continue
				}
				x := fmt.Sprintf("x%d_%d_%d", j, w, t)
				cost(x, c)
				takes(x, way, t)
				fmt.Fprintf(&sum, " + %s\n", x)
				fmt.Fprintf(&rows, " %s - %s <= 0\n", x, y)
			}
			fmt.Fprintf(&rows, "%s - %d %s = 0\n", sum.String(), way.Need, y)
		}
		fmt.Fprintf(&rows, "%s = 1\n", one.String())
	}
	fmt.Fprintf(w, "Minimize\n obj:\n%sSubject To\n%s", objective.String(), rows.String())
	for r := range use {
		for c := range use[r] {
			if room := in.Room[r][c]; use[r][c].Len() > 0 && !math.IsInf(room, 1) {
				fmt.Fprintf(w, "%s <= %v\n", use[r][c].String(), room)
			}
		}
	}
	fmt.Fprintf(w, "Binaries\n%sEnd\n", binaries.String())
	w.Flush()
}

// askOracle lets cbc solve in, and returns the best plan's cost that it found, a
// bound on all plans, and the optimum of the relaxation.
func askOracle(t *testing.T, in *Instance, start *Solution, limit time.Duration) (best, bound, lp float64) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "world.lp")
	file, err := os.Create(program)
	if err != nil {
		t.Fatal(err)
	}
	writeProgram(bufio.NewWriter(file), in)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{program, "-timeMode", "elapsed", "-seconds", strconv.Itoa(int(limit.Seconds())), "-ratio", "1e-6"}
	if start != nil {
		mips := filepath.Join(dir, "start")
		if err := os.WriteFile(mips, startFile(in, start), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-mips", mips)
	}
	solve := "-solve"
	if len(in.Jobs) > mostInteger {
		args, solve = []string{program}, "-initialSolve"
	}
	out, err := exec.Command("cbc", append(args, solve, "-quit")...).CombinedOutput()
	if err != nil && start != nil {
		t.Logf("cbc: %v; again without a plan to begin with", err)
		return askOracle(t, in, nil, limit)
	}
	if err != nil {
		t.Fatalf("cbc: %v\n%s", err, out)
	}
	number := func(pattern string) float64 {
		m := regexp.MustCompile(pattern).FindSubmatch(out)
		if m == nil {
			return math.NaN()
		}
		v, _ := strconv.ParseFloat(string(m[1]), 64)
		return v
	}
	if solve == "-initialSolve" {
		lp = number(`Optimal objective (\S+)`)
		return math.NaN(), lp, lp
	}
	best = number(`Objective value:\s+(\S+)`)
	lp = number(`Continuous objective value is (\S+)`)
	if strings.Contains(string(out), "Optimal solution found") {
		return best, best, lp
	}
	bound = number(`Lower bound:\s+(\S+)`)
	if math.IsNaN(bound) || math.IsNaN(lp) {
		t.Logf("%s", out[max(0, len(out)-3000):])
	}
	return best, bound, lp
}

// startFile writes s as a solution that cbc begins with.
func startFile(in *Instance, s *Solution) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Stopped on time - objective value %v\n", s.Cost+s.Missing)
	n := 0
	set := func(name string) {
		fmt.Fprintf(&b, "%d %s 1 0\n", n, name)
		n++
	}
	for j := range in.Jobs {
		runs := s.Of(j)
		switch {
		case len(runs) == 0:
			set(fmt.Sprintf("m%d", j))
		case in.Jobs[j].Kind == Rigid:
			set(fmt.Sprintf("s%d_%d_%d", j, runs[0].Way, runs[0].From))
		default:
			set(fmt.Sprintf("y%d_%d", j, runs[0].Way))
			for _, r := range runs {
				for t := r.From; t < r.To; t++ {
					set(fmt.Sprintf("x%d_%d_%d", j, r.Way, t))
				}
			}
		}
	}
	return b.Bytes()
}

// towns are the worlds that polish is measured by.
func towns() (all []town) {
	for _, use := range []float64{.6, .8, .9} {
		all = append(all,
			town{Jobs: 50, Hours: 48, Sites: 2, Use: use, Most: 4, Seed: uint64(math.Round(10 * use))},
			town{Jobs: 200, Hours: 96, Sites: 3, Use: use, Most: 4, Seed: 2},
			town{Jobs: 500, Hours: 168, Sites: 4, Use: use, Most: 4, Seed: 3},
			town{Jobs: 1000, Hours: 168, Sites: 4, Use: use, Most: 8, Seed: 4})
	}
	return append(all,
		town{Jobs: 1000, Hours: 168, Sites: 4, Use: .7, Most: 8, Room: 29, Seed: 5},
		town{Jobs: 200, Hours: 96, Sites: 3, Use: .8, Most: 4, Memory: true, Seed: 6},
		town{Jobs: 200, Hours: 96, Sites: 3, Use: .8, Most: 8, Seed: 7}, // two of the biggest do not fit together
		town{Jobs: 300, Hours: 96, Sites: 3, Use: .95, Most: 4, Seed: 8})
}
