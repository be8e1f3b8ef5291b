package private

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"clusy.io/clusy/internal/plan/fleet"
)

// Enclave plans its own jobs. What it knows of them leaves it only as Answers.
type Enclave struct {
	id    int
	terms *Terms
	in    *fleet.Instance
	pick  *chooser
	order []int32       // of the jobs, in which they choose
	runs  [][]fleet.Run // by job
	chain chain

	own   [][]float64 // load of the jobs that have a place
	said  [][]float64 // what own was when the coordinator last heard; or what is granted
	dummy [][]float64 // load that is not there, in quanta
	view  field       // what a job sees that chooses
	hard  bool        // whether view.free is what is left, or all there is
	left  [][]float64 // view.free while it is what is left
	bare  field       // the announced prices and nothing else
	next  int         // round that it would answer next
}

// NewEnclave returns enclave id of a period. Its jobs are those of in, which is
// the world of the terms but for them. The seed sets the dummy load: it is a
// secret of the enclave, and another one in each period.
func NewEnclave(t *Terms, id int, in *fleet.Instance, seed uint64) (*Enclave, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, fmt.Errorf("the jobs of enclave %d: %w", id, err)
	}
	switch {
	case id < 0 || id >= len(t.Shares):
		return nil, fmt.Errorf("enclave %d: there are 0 to %d", id, len(t.Shares)-1)
	case in.Slots() != t.World.Slots() || len(in.Sites) != len(t.World.Sites) || len(in.Things) != len(t.World.Things):
		return nil, fmt.Errorf("the jobs of enclave %d are for %d slots, %d sites and %d things, the terms for %d, %d and %d", id,
			in.Slots(), len(in.Sites), len(in.Things), t.World.Slots(), len(t.World.Sites), len(t.World.Things))
	case len(in.Arrays) > 0 || in.Ramp != nil:
		return nil, fmt.Errorf("enclave %d has %d arrays with a limit, or a limit on ramps: private planning keeps neither; plan these jobs in the open, or submit the array in parts", id, len(in.Arrays))
	}
	e := &Enclave{id: id, terms: t, in: in, pick: newChooser(in), runs: make([][]fleet.Run, len(in.Jobs)), chain: chainOf(in)}
	e.own, e.said, e.left = t.grid(), t.grid(), t.grid()
	e.view = field{t.grid(), t.grid(), in.Room}
	e.bare = field{nil, t.grid(), in.Room}
	e.dummy = t.grid()
	rng := rand.New(rand.NewPCG(seed, t.Period))
	for r := range e.dummy {
		for c := range e.dummy[r] {
			e.dummy[r][c] = rng.Float64() * float64(t.Pad)
		}
	}
	// Jobs choose after those that must come before them, and those with little
	// freedom first.
	freedom := make([]float64, len(in.Jobs))
	for j := range in.Jobs {
		job := &in.Jobs[j]
		freedom[j] = float64(int(job.Due-job.Release)*len(job.Ways)) / float64(job.Ways[0].Need)
		e.order = append(e.order, int32(j))
	}
	slices.SortStableFunc(e.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(e.chain.depth[a], e.chain.depth[b]), cmp.Compare(freedom[a], freedom[b]))
	})
	return e, nil
}

// Plan returns the runs of each job. Until the period is closed they are a wish;
// then they keep to what was granted.
func (e *Enclave) Plan() [][]fleet.Run { return e.runs }

// add adds what job j uses to the load, or takes it away.
func (e *Enclave) add(j int, sign float64) {
	for _, run := range e.runs[j] {
		use := e.in.Use(j, run)
		at := e.in.Cell(e.in.Jobs[j].Ways[run.Way].Site, 0)
		for r, u := range use {
			u *= sign
			for c := at + int(run.From); c < at+int(run.To); c++ {
				e.own[r][c] += u
				e.view.base[r][c] += u * e.view.slope[r][c]
				if e.hard {
					e.view.free[r][c] -= u
				}
			}
		}
	}
}

// place lets job j choose.
func (e *Enclave) place(j int) {
	from, to := e.window(j)
	e.add(j, -1)
	had := len(e.runs[j]) > 0
	runs, _ := e.pick.choose(j, from, to, &e.view)
	e.runs[j] = append(e.runs[j][:0], runs...)
	e.add(j, 1)
	if had && len(runs) == 0 {
		e.orphan(j)
	}
}

// orphan takes those out of the plan that must come after job j, which has no place.
func (e *Enclave) orphan(j int) {
	for _, i := range e.chain.after(j) {
		if len(e.runs[i]) > 0 {
			e.add(int(i), -1)
			e.runs[i] = e.runs[i][:0]
			e.orphan(int(i))
		}
	}
}

// pass lets every job choose again, one after the other.
func (e *Enclave) pass() {
	for _, j := range e.order {
		e.place(int(j))
	}
}

// look sets what jobs see. The load of all is total, and moves with what the
// enclave moves, times what it takes the others to do: for it hears of them only
// when all have moved. Of the enclaves that answer at the same time, one of turns
// groups, each expects to be the part of the movement that it is of the load, or
// of the shares; half and half. These parts sum to one, so that together they never
// go too far, by Cauchy and Schwarz.
func (e *Enclave) look(prices, total [][]float64, rho float64, enclaves, turns int) {
	t := e.terms
	all := 0.0
	for _, s := range t.Shares {
		all += s
	}
	all *= float64(enclaves) / float64(len(t.Shares)) // of those that are left
	share := min(1, t.Shares[e.id]/all*float64(turns))
	for r := range e.own {
		for c, own := range e.own[r] {
			part := share
			if sum := total[r][c]; sum > 0 {
				part = (share + min(1, float64(turns)*e.said[r][c]/sum)) / 2
			}
			s := t.spring(r, c, rho)
			e.view.slope[r][c] = s / part
			e.view.base[r][c] = prices[r][c] + s/part*(own-e.said[r][c])
			if s > 0 {
				e.view.base[r][c] += s * (total[r][c] - e.in.Room[r][c])
			}
		}
	}
	e.view.free, e.hard = e.in.Room, false
}

// within lets the enclave use no more than most from now on. It is given a hair
// more: sums of use, in whatever order, must not push a job from its place.
func (e *Enclave) within(most [][]float64) {
	for r := range most {
		for c, v := range most[r] {
			e.left[r][c] = v - e.own[r][c] + 2*hair*e.terms.Unit[r]
		}
	}
	e.view.free, e.hard = e.left, true
}

// hair is a part of a unit that is less than anything that counts.
const hair = 1e-8

// bound returns what the jobs cost together, each at its best and paying the
// announced prices. It is rounded down: it stays a bound, and says no more than
// it must.
func (e *Enclave) bound(prices [][]float64) float64 {
	e.bare.base = prices
	var sum float64
	for j := range e.in.Jobs {
		_, least := e.pick.choose(j, e.in.Jobs[j].Release, e.in.Jobs[j].Due, &e.bare)
		sum += least
	}
	f, exp := math.Frexp(sum)
	return math.Ldexp(math.Floor(f*(1<<24)), exp-24)
}
