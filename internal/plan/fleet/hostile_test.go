package fleet

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Worlds in which something is missing have plans too, if empty ones.
func TestSolveHostile(t *testing.T) {
	world := func(change func(in *Instance)) *Instance {
		in := crowdedWeek(200, 48, 2, 0.6, 4)
		change(in)
		return in
	}
	for name, in := range map[string]*Instance{
		"no jobs":          world(func(in *Instance) { in.Jobs = nil }),
		"no room":          world(func(in *Instance) { clear(in.Room[0]) }),
		"room without end": world(func(in *Instance) { fill(in.Room[0], math.Inf(1)) }),
		"nothing is known": world(func(in *Instance) { fill(in.Cost[0], math.NaN()) }),
		"half is known": world(func(in *Instance) {
			for c := range in.Cost[0] {
				if c%7 < 3 {
					in.Cost[0][c] = math.NaN()
				}
			}
		}),
		"all below zero": world(func(in *Instance) { fill(in.Cost[0], -5) }),
		"all for nothing": world(func(in *Instance) {
			fill(in.Cost[0], 0)
			for j := range in.Jobs {
				in.Jobs[j].Missing = 1e-300 // and hardly worth it
			}
		}),
		"no power":        world(func(in *Instance) { each(in, func(w *Way) { w.KW = 0 }) }),
		"nothing is used": world(func(in *Instance) { each(in, func(w *Way) { w.Use[0] = 0 }) }),
		"none fits":       world(func(in *Instance) { each(in, func(w *Way) { w.Use[0] = 1e9 }) }),
		"too long":        world(func(in *Instance) { each(in, func(w *Way) { w.Need = math.MaxInt32 }) }),
		"too long, with rules": world(func(in *Instance) {
			for j := range in.Jobs {
				job := &in.Jobs[j]
				switch j % 4 {
				case 0:
					job.Kind, job.Resume = Interruptible, math.MaxInt32
				case 1:
					job.Kind, job.MinRun = Interruptible, math.MaxInt32
				case 2:
					job.Kind, job.Pauses, job.Resume = Interruptible, 2, 1
				case 3:
					job.Kind, job.Levels = Elastic, []Level{{Rate: 0.5, KW: 1, Use: []float64{1}}}
				}
			}
			each(in, func(w *Way) { w.Need = math.MaxInt32 })
		}),
		"too late":      world(func(in *Instance) { each(in, func(w *Way) { w.From = math.MaxInt32 }) }),
		"far too early": world(func(in *Instance) { each(in, func(w *Way) { w.From = math.MinInt32 }) }),
		"no time": world(func(in *Instance) {
			for j := range in.Jobs {
				in.Jobs[j].Due, in.Jobs[j].Release = 0, math.MaxInt32
			}
		}),
		"vast and tiny": world(func(in *Instance) {
			for j := range in.Jobs {
				for w := range in.Jobs[j].Ways {
					in.Jobs[j].Ways[w].KW *= math.Pow(10, float64(j%9-4))
				}
				in.Jobs[j].Missing *= 1e5
			}
		}),
	} {
		if err := in.Validate(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := Solve(in, Options{})
		if err := Verify(in, &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.Bound > s.Cost+s.Missing {
			t.Errorf("%s: bound %v, cost %v and %v", name, s.Bound, s.Cost, s.Missing)
		}
		same(t, in, &s)
	}
}

func fill(v []float64, with float64) {
	for i := range v {
		v[i] = with
	}
}

func each(in *Instance, f func(w *Way)) {
	for j := range in.Jobs {
		for w := range in.Jobs[j].Ways {
			f(&in.Jobs[j].Ways[w])
		}
	}
}

// Prices from elsewhere, whatever they are, give a plan and a bound that hold;
// good ones give them at once, for last week's jobs and for others.
func TestSolveWarm(t *testing.T) {
	in := crowdedWeek(3000, 168, 4, 0.6, 5)
	cold := Solve(in, Options{})
	other := crowdedWeek(3000, 168, 4, 0.6, 5)
	other.Jobs = other.Jobs[:2900]
	cells := in.Cells()
	odd := make([]float64, cells)
	for c := range odd {
		odd[c] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), -3, 1e300}[c%5]
	}
	for name, warm := range map[string]*Solution{
		"good": &cold, "good, for fewer": {Prices: cold.Prices}, "none": {}, "for other things": {Prices: make(Prices, 2)},
		"for other cells": {Prices: Prices{make([]float64, cells+1)}}, "odd": {Prices: Prices{odd}},
	} {
		in := in
		if name == "good, for fewer" {
			in = other
		}
		s := Solve(in, Options{Warm: warm, Passes: 2})
		if err := Verify(in, &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, in, &s)
		if name != "odd" && s.Gap() > 0.01 {
			t.Errorf("%s: the gap is %.3f %%", name, 100*s.Gap())
		}
	}
}

// The rows of a window, and the slots of a set, are the cheapest: against all
// that there are.
func TestCheapest(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 3000 {
		n := 1 + rng.IntN(60)
		need := 1 + rng.IntN(n)
		row, spare := make([]float64, n), make([]float64, n)
		barred := []int{0, 1, 10, 20}[rng.IntN(4)] // of twenty
		for i := range row {
			row[i] = float64(rng.IntN(1+rng.IntN(40))) - 5 // often equal
			if rng.IntN(20) < barred {
				row[i] = math.Inf(1)
			}
		}
		least, dearest := cheapest(row, need, spare)
		sorted := append([]float64(nil), row...)
		for i := range sorted {
			for k := i; k > 0 && sorted[k] < sorted[k-1]; k-- {
				sorted[k], sorted[k-1] = sorted[k-1], sorted[k]
			}
		}
		want := 0.0
		for _, v := range sorted[:need] {
			want += v
		}
		if least != want || dearest != sorted[need-1] {
			t.Fatalf("%d of %v: %v, dearest %v; want %v, %v", need, row, least, dearest, want, sorted[need-1])
		}
		if !math.IsInf(want, 1) {
			held := make([]int32, need)
			pick(row, need, dearest, 0, held)
			sum := 0.0
			for i, t := range held {
				sum += row[t]
				if i > 0 && held[i-1] >= t {
					sum = math.NaN()
				}
			}
			if sum != want {
				t.Fatalf("%d of %v: picked %v", need, row, held)
			}
		}
		start, least := window(row, need)
		want = math.Inf(1)
		for s := range n - need + 1 {
			sum := 0.0
			for _, v := range row[s : s+need] {
				sum += v
			}
			want = min(want, sum)
		}
		if least != want {
			t.Fatalf("a run of %d in %v: %v at %d, want %v", need, row, least, start, want)
		}
	}
}

// FuzzSolve hunts for worlds whose plan is none, or whose bound is too high.
func FuzzSolve(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint8(3), uint8(5), uint8(2))
	}
	f.Fuzz(func(t *testing.T, seed uint64, jobs, slots, sites uint8) {
		rng := rand.New(rand.NewPCG(seed, 2))
		in := oddWorld(rng, int(jobs%40), 1+int(slots%24), 1+int(sites%3))
		if err := in.Validate(); err != nil {
			t.Skip(err)
		}
		s := Solve(in, Options{})
		if err := Verify(in, &s); err != nil {
			t.Fatal(err)
		}
		if s.Bound > s.Cost+s.Missing {
			t.Fatalf("bound %v, cost %v and %v", s.Bound, s.Cost, s.Missing)
		}
		same(t, in, &s)
		if len(in.Jobs) <= 3 && in.Slots() <= 6 {
			if least := bruteForce(in); s.Bound > least {
				t.Fatalf("bound %v, but there is a plan for %v", s.Bound, least)
			}
		}
	})
}
