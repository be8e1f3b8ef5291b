package replay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

var monday = time.Date(2023, 6, 5, 0, 0, 0, 0, time.UTC)

// flat is a world of one site and a curve that everybody knows beforehand.
func flat(cores int64, curve []float64, jobs ...Job) *World {
	at := func(_, t int) float64 { return 1000 * curve[min(t, len(curve)-1)] }
	w := &World{Start: monday, Slot: time.Hour, Basis: grid.AverageLifecycle, Reach: 24, Jobs: jobs,
		Sites: []Site{{"s0", "DE-LU", 1000 * cores, 1000}}, Measured: at,
		Expected: func(s, t int) []float64 {
			out := make([]float64, 24)
			for k := range out {
				out[k] = at(s, t+k)
			}
			return out
		}}
	for i := range w.Jobs {
		w.Jobs[i].ID = fmt.Sprintf("j%d", i)
		if w.Jobs[i].Sites == nil {
			w.Jobs[i].Sites = []int{0}
		}
		if w.Jobs[i].CPU == 0 {
			w.Jobs[i].CPU = 1000
		}
		w.Jobs[i].Power = 1000 * grid.Watt
	}
	return w
}

func outcome(t *testing.T, w *World, name string) Outcome {
	t.Helper()
	var o Outcome
	if name == Planner {
		var err error
		if o, err = w.Plan(Planning{}); err != nil {
			t.Fatal(err)
		}
	} else {
		i := slices.IndexFunc(Policies(w), func(p Policy) bool { return p.Name == name })
		if i < 0 {
			t.Fatalf("there is no policy %s", name)
		}
		o = w.Replay(Policies(w)[i])
	}
	if err := w.Verify(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// Each policy does what its authors wrote, on a day that is worked out by hand.
func TestPolicies(t *testing.T) {
	//                  0    1    2    3    4    5    6    7
	curve := []float64{400, 380, 100, 500, 200, 210, 190, 400, 150}
	for name, want := range map[string][]Run{
		RunNow:            {{0, 3}},
		"lowest-slot":     {{2, 5}}, // the cleanest hour, whatever follows: 800
		"lowest-window":   {{4, 7}}, // as the mean of its queue is its own length: 600
		"carbon-time":     {{4, 7}}, // 880−600 in 7 h is 40 an hour; 880−800 in 5 h is 16
		"wait-awhile":     {{4, 7}},
		"threshold":       {{2, 5}}, // the first hour under the 30th percentile of a day, 150
		"greedy":          {{4, 7}},
		"greedy-by-slack": {{4, 7}},
		Planner:           {{4, 7}},
	} {
		w := flat(1, curve, Job{Length: 3, Due: 8})
		if got := outcome(t, w, name).Placed[0].Runs; !slices.Equal(got, want) {
			t.Errorf("%s: runs %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string][]Run{
		"wait-awhile": {{2, 3}, {4, 5}, {6, 7}},
		"greedy":      {{2, 3}, {4, 5}, {6, 7}},
		"threshold":   {{2, 3}, {6, 8}}, // then its wait is used up
		Planner:       {{2, 3}, {4, 5}, {6, 7}},
	} {
		w := flat(1, curve, Job{Length: 3, Due: 8, Pauses: true})
		if got := outcome(t, w, name).Placed[0].Runs; !slices.Equal(got, want) {
			t.Errorf("%s, pausing: runs %v, want %v", name, got, want)
		}
	}
}

// A job that finds no room queues; one that cannot wait goes first.
func TestQueue(t *testing.T) {
	curve := make([]float64, 30)
	for i := range curve {
		curve[i] = 300
	}
	curve[4] = 10
	w := flat(1, curve, Job{Length: 2, Due: 8}, Job{Length: 2, Due: 20}, Job{Length: 1, Due: 5, Arrive: 4})
	o := outcome(t, w, "lowest-slot")
	if got := fmt.Sprint(o.Placed); got != "[{0 [{5 7}]} {0 [{7 9}]} {0 [{4 5}]}]" {
		t.Errorf("they ran at %s", got)
	}
	if s := w.Sum(&o, w.Measured); s.Late != 0 || math.Abs(s.Delay-12.0/3) > 1e-9 {
		t.Errorf("late %d, delay %v", s.Late, s.Delay)
	}
	crowd := flat(1, curve, Job{Length: 3, Due: 4}, Job{Length: 3, Due: 4})
	o = outcome(t, crowd, RunNow)
	if s := crowd.Sum(&o, crowd.Measured); s.Late != 1 {
		t.Errorf("two jobs of three hours in four: %d late, want 1", s.Late)
	}
}

// CAP: all at the least intensity, the floor at the greatest.
func TestCap(t *testing.T) {
	e := []float64{100, 200, 300, 400}
	shares := []float64{}
	for _, now := range e {
		shares = append(shares, capShare(append([]float64{now}, e...)))
	}
	if shares[0] != 1 || shares[3] > capFloor+0.02 || !slices.IsSortedFunc(shares, func(a, b float64) int { return int(math.Copysign(1, b-a)) }) {
		t.Errorf("shares %v", shares)
	}
	if got := capShare([]float64{5, 5, 5}); got != 1 {
		t.Errorf("a flat curve leaves %v", got)
	}
	for _, x := range []float64{-0.36, -0.3, -0.1, -1e-6, 0} {
		if w := lambertW(x); math.Abs(w*math.Exp(w)-x) > 1e-9 {
			t.Errorf("W(%v) = %v", x, w)
		}
	}
}

// randomWorld is crowded and of several sites; forecasts err.
func randomWorld(seed uint64, n int) *World {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &World{Start: monday, Slot: time.Hour, Basis: grid.AverageLifecycle, Reach: 72}
	sites := 1 + r.IntN(3)
	for s := range sites {
		w.Sites = append(w.Sites, Site{fmt.Sprintf("s%d", s), grid.Zone(fmt.Sprintf("Z%d", s)), int64(4+r.IntN(6)) * 1000, int64(1000 + 100*s)})
	}
	noise := make([]float64, 4096)
	for i := range noise {
		noise[i] = r.NormFloat64()
	}
	w.Measured = func(s, t int) float64 {
		return math.Round(1000 * (300 + 200*math.Sin(float64(t)/24*2*math.Pi+float64(s)) + 20*noise[(t*7+s)%len(noise)]))
	}
	w.Expected = func(s, t int) []float64 {
		e := make([]float64, w.Reach)
		for k := range e {
			e[k] = math.Max(w.Measured(s, t+k)*(1+0.05*math.Sqrt(float64(k))*noise[(t*13+k+s)%len(noise)]/3), 0)
		}
		return e
	}
	at := 0
	for i := range n {
		at += r.IntN(2)
		j := Job{ID: fmt.Sprint(i), Arrive: at, Length: 1 + r.IntN(8), CPU: int64(1+r.IntN(4)) * 1000, Power: grid.Power(1+r.IntN(2000)) * grid.Watt, Pauses: r.IntN(2) == 0}
		j.Due = at + j.Length + r.IntN(30)
		home := r.IntN(sites)
		j.Sites = []int{home}
		for s := range sites {
			if s != home && r.IntN(2) == 0 {
				j.Sites = append(j.Sites, s)
			}
		}
		w.Jobs = append(w.Jobs, j)
	}
	return w
}

// Whatever the world, every outcome is one that it allows, and of those that
// the planner admits none is late.
func TestOutcomes(t *testing.T) {
	for seed := range uint64(2) {
		w := randomWorld(seed, 30)
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, p := range Policies(w) {
			o := w.Replay(p)
			if err := w.Verify(&o); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
		o, err := w.Plan(Planning{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(&o); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if s := w.Sum(&o, w.Measured); s.Late != 0 || o.Plans == 0 {
			t.Errorf("seed %d: %d of the admitted are late", seed, s.Late)
		}
		e, err := w.PlanExpecting(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(&e); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if s := w.Sum(&e, w.Measured); s.Late != 0 {
			t.Errorf("seed %d: expecting, %d of the admitted are late", seed, s.Late)
		}
		in := w.Offline(o.Due)
		if err := in.Validate(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// A site dies, and forecasts err: only those are late under whom it died, and
// what they had done there is done again.
func TestSiteDies(t *testing.T) {
	hit := 0
	for seed := range uint64(2) {
		w := randomWorld(100+seed, 32)
		down := func(site, t int) bool { return site == 0 && t >= 12 && t < 30 && len(w.Sites) > 1 }
		o, err := w.Plan(Planning{Down: down, Spare: seed%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(&o); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		s := w.Sum(&o, w.Measured)
		if hit += o.Broken; s.Late > o.Broken {
			t.Errorf("seed %d: %d are late, and a site died under %d of them", seed, s.Late, o.Broken)
		}
		for i, p := range o.Placed {
			for _, r := range p.Runs {
				if len(w.Sites) > 1 && p.Site == 0 && r.From < 30 && r.To > 12 {
					t.Errorf("seed %d: job %d runs in [%d, %d) at a dead site", seed, i, r.From, r.To)
				}
			}
		}
	}
	if hit == 0 {
		t.Error("nobody was late: nothing was tried")
	}
}
