package fleet

import (
	"math"
	"math/rand/v2"
	"testing"
)

// span is when a job begins and ends, at its cheapest.
type span struct {
	from, to int32
	cost     float64
	runs     []Run
}

// bestGroup tries everything that jobs which come after each other could do.
func bestGroup(in *Instance, p Prices) float64 {
	all := make([][]span, len(in.Jobs))
	for j := range in.Jobs {
		least := make(map[[2]int32]float64)
		everyPlan(in, j, p, func(runs []Run, cost, paid float64) {
			k := [2]int32{runs[0].From, runs[len(runs)-1].To}
			if v, ok := least[k]; !ok || cost+paid < v {
				least[k] = cost + paid
			}
		})
		for k, v := range least {
			all[j] = append(all[j], span{from: k[0], to: k[1], cost: v})
		}
	}
	best := math.Inf(1)
	ends := make([]int32, len(in.Jobs)) // -1: no place
	var try func(j int, sum float64)
	try = func(j int, sum float64) {
		if j == len(in.Jobs) {
			best = math.Min(best, sum)
			return
		}
		ends[j] = -1
		try(j+1, sum+in.Jobs[j].Missing)
		first := int32(0)
		for _, a := range in.After {
			if int(a[1]) == j {
				if ends[a[0]] < 0 {
					return
				}
				first = max(first, ends[a[0]])
			}
		}
		for _, s := range all[j] {
			if s.from >= first {
				ends[j] = s.to
				try(j+1, sum+s.cost)
			}
		}
		ends[j] = -1
	}
	try(0, 0)
	return best
}

// shapes are what comes after what, by place.
var shapes = map[string][][2]int32{
	"chain":   {{0, 1}, {1, 2}},
	"spread":  {{0, 1}, {0, 2}, {0, 3}},
	"join":    {{0, 3}, {1, 3}, {2, 3}},
	"diamond": {{0, 1}, {0, 2}, {1, 3}, {2, 3}},
	"ladder":  {{0, 2}, {1, 2}, {1, 3}},
}

func groupWorld(r *rand.Rand, after [][2]int32, kinds []string) *Instance {
	in := emptyWorld(r, 5+r.IntN(2), 1+r.IntN(2), 1)
	in.After = after
	n := int32(0)
	for _, a := range after {
		n = max(n, a[1]+1)
	}
	for range n {
		job := randomJob(r, in, kinds[r.IntN(len(kinds))])
		job.Missing = 150
		for w := range job.Ways {
			job.Ways[w].Need = min(2, job.Ways[w].Need)
		}
		if len(job.Moves) == 0 {
			job.Ways = job.Ways[:1]
		}
		if len(job.Levels) > 1 {
			job.Levels = job.Levels[:2]
		}
		in.Jobs = append(in.Jobs, job)
	}
	return in
}

// checkGroup fails if the answers break a rule, and returns what they cost by
// the words of Verify.
func checkGroup(t testing.TB, in *Instance, p Prices, ans []Answer, total float64) {
	t.Helper()
	s := solutionOf(in, ans)
	for r := range in.Room { // they need not leave each other room here
		for c := range in.Room[r] {
			defer func(r, c int, v float64) { in.Room[r][c] = v }(r, c, in.Room[r][c])
			in.Room[r][c] = math.Inf(1)
		}
	}
	if err := Verify(in, &s); err != nil {
		t.Fatalf("%v\n%+v", err, ans)
	}
	sum := s.Cost + s.Missing
	for j := range ans {
		sum += ans[j].Paid
	}
	if !near(sum, total) {
		t.Fatalf("the answers come to %v, it says %v", sum, total)
	}
}

// solutionOf makes a plan of answers.
func solutionOf(in *Instance, ans []Answer) Solution {
	s := Solution{First: []uint32{0}}
	for j := range ans {
		s.Runs = append(s.Runs, ans[j].Runs...)
		s.First = append(s.First, uint32(len(s.Runs)))
		if len(ans[j].Runs) == 0 {
			s.Unplaced++
			s.Missing += in.Jobs[j].Missing
		} else {
			s.Cost += ans[j].Cost
		}
	}
	return s
}

func TestGroups(t *testing.T) {
	plain, all := []string{"rigid", "freely", "ruled", "moves"}, []string{"rigid", "freely", "ruled", "elastic", "paced"}
	for _, name := range []string{"chain", "spread", "join", "diamond", "ladder"} {
		for k, kinds := range [][]string{plain, all} {
			var exact int
			var gap, boundGap, sum float64
			const n = 60
			for seed := range uint64(n) {
				r := rand.New(rand.NewPCG(seed, 3))
				in := groupWorld(r, shapes[name], kinds)
				p := randomPrices(r, in)
				if err := in.Validate(); err != nil {
					t.Fatal(err)
				}
				best := bestGroup(in, p)
				ans := make([]Answer, len(in.Jobs))
				group := make([]int, len(in.Jobs))
				for j := range group {
					group[j] = j
				}
				total, least := RespondGroup(in, group, p, ans)
				checkGroup(t, in, p, ans, total)
				if total < best-1e-7 || least > best+1e-7 {
					t.Fatalf("%s, seed %d: answer %v, bound %v, best %v", name, seed, total, least, best)
				}
				if near(total, best) {
					exact++
				} else if k == 0 && (name == "chain" || name == "spread") {
					t.Fatalf("%s, seed %d: answer %v, best %v\n%+v", name, seed, total, best, in.Jobs)
				}
				gap, boundGap, sum = gap+total-best, boundGap+best-least, sum+best
			}
			t.Logf("%s, %v: %d of %d the best, %.2f %% above it; bound %.2f %% below", name, kinds, exact, n, 100*gap/sum, 100*boundGap/sum)
			if exact < n*3/4 {
				t.Errorf("%s: only %d of %d are the best", name, exact, n)
			}
		}
	}
}

// A family that is too large for the exact answer has one all the same.
func TestLargeFamily(t *testing.T) {
	defer func(n int) { mostHeads = n }(mostHeads)
	var exact, worlds int
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 8))
		in := groupWorld(r, shapes["chain"], []string{"rigid", "freely", "elastic"})
		p := randomPrices(r, in)
		best := bestGroup(in, p)
		mostHeads = 2
		ans := make([]Answer, len(in.Jobs))
		total, least := RespondGroup(in, []int{0, 1, 2}, p, ans)
		checkGroup(t, in, p, ans, total)
		if total < best-1e-7 || least > best+1e-7 {
			t.Fatalf("seed %d: answer %v, bound %v, best %v", seed, total, least, best)
		}
		if worlds++; near(total, best) {
			exact++
		}
	}
	if exact < worlds/2 {
		t.Errorf("only %d of %d are the best", exact, worlds)
	}
}
