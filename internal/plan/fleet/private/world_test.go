package private

import (
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"clusy.io/clusy/internal/plan/fleet"
)

var traces = flag.String("traces", "", "directory of real traces")
var nJobs = flag.Int("jobs", 100000, "")
var nK = flag.Int("k", 100, "")
var nRounds = flag.Int("rounds", 16, "")
var nSeed = flag.Uint64("seed", 1, "")
var fRho = flag.Float64("rho", 0.4, "")
var nTurns = flag.Int("turns", 1, "")
var fUtil = flag.Float64("util", 0.6, "")
var fQ = flag.Float64("quantum", 1, "")

// world makes a fleet of a week in four zones: load is util of the room.
func world(seed uint64, jobs int, util float64, dir string) *fleet.Instance {
	rng := rand.New(rand.NewPCG(seed, 1))
	const slots, sites = 168, 4
	in := &fleet.Instance{Hours: make([]float64, slots), Things: []string{"cpu"}, Cost: [][]float64{make([]float64, slots*sites)}}
	for t := range in.Hours {
		in.Hours[t] = 1
	}
	mean := []float64{370, 260, 190, 550}
	var table [][]string
	col := make([]int, sites)
	if dir != "" {
		table = read(dir + "/carbon/ci_hourly_lca_2021_2023.csv")
		for z, name := range []string{"DE-LU", "US-CAL-CISO", "GB", "AU-NSW"} {
			for i, h := range table[0] {
				if h == name {
					col[z] = i
				}
			}
		}
	}
	off := 1 + int(seed%100)*168
	for z := range sites {
		in.Sites = append(in.Sites, fleet.Site{ID: fmt.Sprintf("z%d", z), Zone: fmt.Sprintf("z%d", z)})
		drift := 0.0
		for t := range slots {
			v := 0.0
			if table != nil {
				v, _ = strconv.ParseFloat(table[off+t][col[z]], 64)
			} else {
				drift = 0.9*drift + 0.04*rng.NormFloat64()
				v = mean[z] * (1 + 0.25*math.Cos(float64(t+6*z-13)/24*2*math.Pi) + drift)
			}
			in.Cost[0][z*slots+t] = max(5, v) * 1.3
		}
	}
	var shapes [][]string
	if dir != "" {
		shapes = read(dir + "/jobs/jobs_azure_100k.csv")[1:]
	}
	work := 0.0
	for range jobs {
		length, cpus := 0.0, 0.0
		if shapes != nil {
			row := shapes[rng.IntN(len(shapes))]
			length, _ = strconv.ParseFloat(row[1], 64)
			cpus, _ = strconv.ParseFloat(row[2], 64)
		} else {
			length = math.Exp(rng.NormFloat64()*1.5 + 0.2)
			cpus = float64(int(1) << rng.IntN(5))
		}
		need := int32(min(max(1, math.Ceil(length)), 72))
		slack := int32(rng.IntN(48))
		release := int32(rng.IntN(slots))
		release = min(release, slots-need)
		job := fleet.Job{Kind: fleet.Kind(rng.IntN(2)), Release: release, Due: min(slots, release+need+slack)}
		home := rng.IntN(sites)
		kw := cpus * 0.01
		for z := range sites {
			if z == home || rng.Uint64()&0 == 0 && jobMovable(rng, z) {
				way := fleet.Way{Site: int32(z), Need: need, KW: kw, Use: []float64{cpus}}
				if z != home {
					way.Fixed = 300 * 0.06 * 0.5 * rng.Float64()
				}
				job.Ways = append(job.Ways, way)
			}
		}
		worst := 0.0
		for _, way := range job.Ways {
			m := 0.0
			for t := job.Release; t < job.Due; t++ {
				m = max(m, in.Cost[0][in.Cell(way.Site, t)])
			}
			worst = max(worst, m*kw*float64(need)+way.Fixed)
		}
		job.Missing = 3 * worst
		in.Jobs = append(in.Jobs, job)
		work += cpus * float64(need)
	}
	room := math.Ceil(work / util / (slots * sites))
	in.Room = [][]float64{make([]float64, slots*sites)}
	for c := range in.Room[0] {
		in.Room[0][c] = room
	}
	return in
}

func jobMovable(rng *rand.Rand, z int) bool { return rng.IntN(2) == 0 }

func read(path string) [][]string {
	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		panic(err)
	}
	return rows
}

func TestExperiment(t *testing.T) {
	in := world(*nSeed, *nJobs, *fUtil, *traces)
	scale, unit := measures(in)
	tm := Common(in, *nK, *nRounds, scale)
	tm.Unit = unit
	tm.Rho = *fRho
	tm.Quantum[0] = *fQ
	tm.Turns = *nTurns
	rep, err := simulate(in, tm, dealt(in, *nK), nil)
	if err != nil {
		t.Fatal(err)
	}
	best := rep.Solution.Bound
	for i, p := range rep.Rounds {
		fmt.Printf("%2d %-10v bound %+.3f%% cost %+.3f%% over %.3f%% unplaced %d up %d down %d\n", i, p.Phase, 100*(p.Bound/best-1), 100*(p.Cost/best-1), 100*p.Over, p.Unplaced, p.Up, p.Down)
	}
	fmt.Printf("gap %.3f%% verify %v room %v unplaced %d bound %v %v\n", 100*rep.Solution.Gap(), fleet.Verify(in, &rep.Solution), in.Room[0][0], rep.Solution.Unplaced, rep.Solution.Bound, fleet.Bound(in, rep.Solution.Prices)/rep.Solution.Bound-1)
}
