package fleet

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// oddWorld returns a small world with everything that a plain job may have:
// several things, unknown, negative and zero costs, endless and no room, ways
// that differ in all they can.
func oddWorld(rng *rand.Rand, jobs, slots, sites int) *Instance {
	things := 1 + rng.IntN(3)
	in := &Instance{Hours: make([]float64, slots)}
	for t := range in.Hours {
		in.Hours[t] = 1
	}
	for s := range sites {
		in.Sites = append(in.Sites, Site{ID: string(rune('a' + s))})
	}
	cells := slots * sites
	for r := range things {
		in.Things = append(in.Things, string(rune('p'+r)))
		room := make([]float64, cells)
		for c := range room {
			room[c] = float64(rng.IntN(6))
			if rng.IntN(10) == 0 {
				room[c] = math.Inf(1)
			}
		}
		in.Room = append(in.Room, room)
	}
	for range 1 + rng.IntN(2) {
		table := make([]float64, cells)
		for c := range table {
			table[c] = math.Round(100 * (rng.Float64() - 0.1))
			if rng.IntN(12) == 0 {
				table[c] = math.NaN()
			}
		}
		in.Cost = append(in.Cost, table)
	}
	for range jobs {
		j := Job{Kind: Kind(rng.IntN(2)), Table: uint8(rng.IntN(len(in.Cost))), Release: int32(rng.IntN(slots)), Missing: 2000}
		j.Due = j.Release + 1 + int32(rng.IntN(slots-int(j.Release)))
		for range 1 + rng.IntN(3) {
			w := Way{Site: int32(rng.IntN(sites)), Need: 1 + int32(rng.IntN(3)), KW: float64(rng.IntN(4)), Fixed: 5 * float64(rng.IntN(3))}
			if rng.IntN(3) == 0 {
				w.From = int32(rng.IntN(slots))
			}
			for range things {
				w.Use = append(w.Use, float64(rng.IntN(4)))
			}
			j.Ways = append(j.Ways, w)
		}
		in.Jobs = append(in.Jobs, j)
	}
	return in
}

// every calls f with each set of runs that job j may have by itself.
func every(in *Instance, j int, f func(runs []Run)) {
	job := &in.Jobs[j]
	for w := range job.Ways {
		way := &job.Ways[w]
		var runs []Run
		var next func(t, left int32)
		next = func(t, left int32) {
			if left == 0 {
				f(runs)
				return
			}
			if t >= job.Due {
				return
			}
			if job.Kind == Rigid {
				for s := t; s+way.Need <= job.Due; s++ {
					f([]Run{{From: s, To: s + way.Need, Way: int16(w)}})
				}
				return
			}
			was := append([]Run(nil), runs...)
			if n := len(runs); n > 0 && runs[n-1].To == t {
				runs[n-1].To++
			} else {
				runs = append(runs, Run{From: t, To: t + 1, Way: int16(w)})
			}
			next(t+1, left-1)
			runs = append([]Run(nil), was...)
			next(t+1, left)
			runs = was
		}
		next(max(job.Release, way.From), way.Need)
	}
}

// bruteForce returns the least Cost + Missing of all plans for in.
func bruteForce(in *Instance) float64 {
	left := make([][]float64, len(in.Things))
	for r := range left {
		left[r] = append([]float64(nil), in.Room[r]...)
	}
	var best func(j int) float64
	best = func(j int) float64 {
		if j == len(in.Jobs) {
			return 0
		}
		least := in.Jobs[j].Missing + best(j+1)
		every(in, j, func(runs []Run) {
			way := &in.Jobs[j].Ways[runs[0].Way]
			fits, cost := true, way.Fixed
			take := func(sign float64) {
				for _, run := range runs {
					for t := run.From; t < run.To; t++ {
						c := in.Cell(way.Site, t)
						for r, u := range way.Use {
							left[r][c] -= sign * u
							fits = fits && left[r][c] >= 0
						}
						v := in.Cost[in.Jobs[j].Table][c]
						fits = fits && !math.IsNaN(v)
						cost += way.KW * v
					}
				}
			}
			take(1)
			ok, c := fits, cost
			if ok {
				least = min(least, c+best(j+1))
			}
			take(-1)
		})
		return least
	}
	return best(0)
}

// No plan is better than the bound, the bound is what the reference derives
// from the same prices, and plans are plans: in small worlds, against all plans
// there are.
func TestSolveSmallWorlds(t *testing.T) {
	worlds, best := 0, 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		in := oddWorld(rng, 1+rng.IntN(4), 2+rng.IntN(4), 1+rng.IntN(2))
		if err := in.Validate(); err != nil {
			t.Fatal(err)
		}
		s := Solve(in, Options{})
		if err := Verify(in, &s); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		least := bruteForce(in)
		if s.Bound > least {
			t.Errorf("seed %d: bound %v, but there is a plan for %v", seed, s.Bound, least)
		}
		if cost := s.Cost + s.Missing; cost < least-1e-9 {
			t.Errorf("seed %d: the plan costs %v, and none costs less than %v", seed, cost, least)
		} else if worlds++; cost < least+1e-9 {
			best++
		}
		same(t, in, &s)
	}
	if best < worlds*8/10 {
		t.Errorf("%d of %d plans are the best there is", best, worlds)
	}
	t.Logf("%d of %d plans are the best there is", best, worlds)
}

// same checks the bound of s against the reference at the same prices.
func same(t *testing.T, in *Instance, s *Solution) {
	t.Helper()
	want := Bound(in, s.Prices)
	if s.Bound > want || want-s.Bound > 1e-9*math.Max(1, math.Abs(want)+s.Missing) {
		t.Errorf("bound %v, the reference says %v", s.Bound, want)
	}
}

func TestSolveCrowdedWeek(t *testing.T) {
	for _, c := range []struct {
		n    int
		util float64
		gap  float64
	}{{300, 0.6, 0.6}, {3000, 0.3, 0.002}, {3000, 0.6, 0.004}, {3000, 0.85, 0.02}, {1000, 0.97, 0.5}, {12000, 0.6, 0.002}} {
		in := crowdedWeek(c.n, 168, 4, c.util, 1)
		s := Solve(in, Options{})
		if err := Verify(in, &s); err != nil {
			t.Fatal(err)
		}
		same(t, in, &s)
		if s.Gap() > c.gap || s.Gap() < 0 {
			t.Errorf("%d jobs at %v: the gap is %.3f %%", c.n, c.util, 100*s.Gap())
		}
		t.Logf("%d jobs at %v: gap %.4f %%, %d unplaced", c.n, c.util, 100*s.Gap(), s.Unplaced)
	}
}

// The plan does not depend on how many work on it at a time, and shards that
// plan at the same time fill no cell twice.
func TestSolveWorkers(t *testing.T) {
	defer func(n int) { shardSize = n }(shardSize)
	shardSize = 1500
	in := crowdedWeek(9000, 168, 4, 0.8, 2)
	want := Solve(in, Options{Passes: 2})
	if err := Verify(in, &want); err != nil {
		t.Error(err)
	}
	same(t, in, &want)
	if want.Gap() > 0.02 {
		t.Errorf("the gap is %.3f %%", 100*want.Gap())
	}
	for _, workers := range []int{1, 2, 7} {
		if got := Solve(in, Options{Passes: 2, Par: par(workers)}); !reflect.DeepEqual(got, want) {
			t.Errorf("another plan with %d workers: %v, want %v", workers, got.Cost, want.Cost)
		}
	}
}

// Two who show each other only what they take plan nearly as well as one who
// sees all, and their parts make up the bound.
func TestOutsiders(t *testing.T) {
	in := crowdedWeek(2000, 168, 4, 0.6, 3)
	var halves [2]*Instance
	var out [2]*Outsider
	for k := range halves {
		half := *in
		half.Jobs = in.Jobs[k*1000 : (k+1)*1000]
		halves[k], out[k] = &half, NewOutsider(&half)
	}
	cells := in.Cells()
	prices := Prices{make([]float64, cells)}
	taken := [][]float64{make([]float64, cells)}
	sum := func() {
		clear(taken[0])
		for _, o := range out {
			for c, v := range o.Taken()[0] {
				taken[0][c] += v
			}
		}
	}
	for i := range 30 {
		rise := Rise(in, max(0.25, 4/float64(1+i)))
		for part := range 8 {
			for _, o := range out {
				o.Choose(Round{Prices: prices, Taken: taken, Rise: rise, Others: 1, Part: part, Of: 8})
			}
			sum()
		}
		for c := range cells {
			prices[0][c] = max(0, prices[0][c]+rise[0]/in.Room[0][c]*(taken[0][c]-in.Room[0][c]))
		}
	}
	bound, cost := 0.0, 0.0
	for c, p := range prices[0] {
		bound -= p * in.Room[0][c]
	}
	load := make([]float64, cells)
	for turn := range 12 {
		regret := math.Inf(1)
		if turn < 8 {
			regret = 0.001 * math.Pow(3, float64(turn))
		}
		for k, o := range out {
			own := o.Taken()
			room := [][]float64{make([]float64, cells)}
			for c := range cells {
				free := in.Room[0][c] - taken[0][c]
				switch {
				case free < 0:
					room[0][c] = own[0][c] + free*own[0][c]/taken[0][c]
				case (turn+k)%2 == 0:
					room[0][c] = own[0][c] + free
				default:
					room[0][c] = own[0][c]
				}
			}
			o.Fit(room, prices, 0.8, regret)
			sum()
		}
	}
	for k, o := range out {
		s := o.Solution()
		if err := Verify(halves[k], &s); err != nil {
			t.Fatal(err)
		}
		bound += o.Least(prices)
		cost += s.Cost + s.Missing
		for c, v := range o.Taken()[0] {
			load[c] += v
		}
	}
	for c, v := range load {
		if v > in.Room[0][c]+1e-6 {
			t.Errorf("cell %d holds %v of %v", c, v, in.Room[0][c])
		}
	}
	if want := Bound(in, prices); math.Abs(bound-want) > 1e-9*want {
		t.Errorf("the parts make a bound of %v, want %v", bound, want)
	}
	if gap := (cost - bound) / bound; gap < 0 || gap > 0.01 {
		t.Errorf("the gap is %.3f %%", 100*gap)
	} else {
		t.Logf("gap %.3f %%", 100*gap)
	}
}
