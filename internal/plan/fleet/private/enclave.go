package private

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"clusy.io/clusy/internal/plan/fleet"
)

// Enclave plans its own jobs. What it holds leaves it only as Answers.
type Enclave struct {
	id    int
	terms *Terms
	in    *fleet.Instance
	pick  *chooser
	order []int32 // of the jobs, in which they choose
	runs  [][]fleet.Run
	early []int32 // first slot of each job that leaves time for those before it
	late  []int32 // likewise for those after it
	prev  [][]int32
	next  [][]int32

	own     [][]float64 // load of the jobs that have a place
	said    [][]float64 // what own was at the last answer; while admitting, what is granted
	dummy   [][]float64 // load that is not there, in quanta
	view    field
	bare    field // the announced prices alone
	hard    bool
	seed    uint64
	typical float64
	top     [][]float64
	round   int // that is answered next
	claimed bool
}

// NewEnclave returns enclave id of a period. Its jobs are those of in, which
// must be the world of the terms but for them. The seed sets the dummy load; it is a secret of the
// enclave, and another one in each period.
func NewEnclave(t *Terms, id int, in *fleet.Instance, seed uint64) (*Enclave, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if id < 0 || id >= len(t.Shares) {
		return nil, fmt.Errorf("enclave %d of %d: they count from 0", id, len(t.Shares))
	}
	if in.Slots() != t.World.Slots() || len(in.Sites) != len(t.World.Sites) || len(in.Things) != len(t.World.Things) {
		return nil, fmt.Errorf("the jobs of enclave %d are for %d slots, %d sites and %d things, the terms for %d, %d and %d", id,
			in.Slots(), len(in.Sites), len(in.Things), t.World.Slots(), len(t.World.Sites), len(t.World.Things))
	}
	e := &Enclave{id: id, terms: t, in: in, pick: newChooser(in), runs: make([][]fleet.Run, len(in.Jobs))}
	e.own, e.said, e.dummy = t.grid(), t.grid(), t.grid()
	e.top = t.grid()
	e.view = field{t.grid(), t.grid(), in.Room}
	e.bare = field{t.grid(), t.grid(), in.Room}
	rng := rand.New(rand.NewPCG(seed, t.Period))
	for r := range e.dummy {
		for c := range e.dummy[r] {
			e.dummy[r][c] = rng.Float64() * float64(t.Pad)
		}
	}
	e.chain()
	e.seed = seed
	a, b := 0.0, 0.0
	for j := range in.Jobs {
		w := &in.Jobs[j].Ways[0]
		u := w.Use[0]
		a += u * u * float64(w.Need)
		b += u * float64(w.Need)
	}
	e.typical = a / b
	// Jobs with little freedom choose first, and big ones before small ones.
	e.order = make([]int32, len(in.Jobs))
	freedom := make([]float64, len(in.Jobs))
	for j := range in.Jobs {
		e.order[j] = int32(j)
		job := &in.Jobs[j]
		freedom[j] = float64(int(job.Due-job.Release)*len(job.Ways)) / float64(job.Ways[0].Need)
	}
	slices.SortStableFunc(e.order, func(a, b int32) int { return cmp.Compare(freedom[a], freedom[b]) })
	return e, nil
}

// chain works out what the order of jobs leaves each of them.
func (e *Enclave) chain() {
	n := len(e.in.Jobs)
	e.early, e.late = make([]int32, n), make([]int32, n)
	for j := range e.in.Jobs {
		e.early[j], e.late[j] = e.in.Jobs[j].Release, e.in.Jobs[j].Due
	}
	if len(e.in.After) == 0 {
		return
	}
	e.prev, e.next = make([][]int32, n), make([][]int32, n)
	for _, a := range e.in.After {
		e.prev[a[1]] = append(e.prev[a[1]], a[0])
		e.next[a[0]] = append(e.next[a[0]], a[1])
	}
	// As many sweeps as the longest chain has links; a ring would never end.
	for range n {
		moved := false
		for _, a := range e.in.After {
			if t := e.early[a[0]] + shortest(&e.in.Jobs[a[0]]); t > e.early[a[1]] {
				e.early[a[1]], moved = t, true
			}
			if t := e.late[a[1]] - shortest(&e.in.Jobs[a[1]]); t < e.late[a[0]] {
				e.late[a[0]], moved = t, true
			}
		}
		if !moved {
			return
		}
	}
}

// shortest returns in how many slots a job can be done at least.
func shortest(job *fleet.Job) int32 {
	fastest := 1.0
	for _, l := range job.Levels {
		fastest = max(fastest, l.Rate)
	}
	least := int32(math.MaxInt32)
	for w := range job.Ways {
		least = min(least, int32(math.Ceil(float64(job.Ways[w].Need)/fastest)))
	}
	return least
}

// window returns the slots that job j has, beside the jobs it is chained to.
func (e *Enclave) window(j int) (from, to int32) {
	from, to = e.early[j], e.late[j]
	if e.prev == nil {
		return from, to
	}
	for _, i := range e.prev[j] {
		runs := e.runs[i]
		if len(runs) == 0 {
			return 0, 0
		}
		from = max(from, runs[len(runs)-1].To)
	}
	for _, i := range e.next[j] {
		if runs := e.runs[i]; len(runs) > 0 {
			to = min(to, runs[0].From)
		}
	}
	return from, to
}

// add adds what job j uses to the load, or takes it away.
func (e *Enclave) add(j int, sign float64) {
	job := &e.in.Jobs[j]
	for _, run := range e.runs[j] {
		way := &job.Ways[run.Way]
		use := way.Use
		if job.Kind == fleet.Elastic {
			use = job.Levels[run.Level].Use
		}
		for c, end := e.in.Cell(way.Site, run.From), e.in.Cell(way.Site, run.To); c < end; c++ {
			for r, u := range use {
				e.own[r][c] += sign * u
				e.view.base[r][c] += sign * u * e.view.slope[r][c]
				if e.hard {
					e.view.free[r][c] -= sign * u
				}
			}
		}
	}
}

// drop takes job j out of the plan, and those that must come after it.
func (e *Enclave) drop(j int) {
	e.add(j, -1)
	e.runs[j] = e.runs[j][:0]
	if e.next == nil {
		return
	}
	for _, i := range e.next[j] {
		if len(e.runs[i]) > 0 {
			e.drop(int(i))
		}
	}
}

// pass lets every job choose again, one after the other.
func (e *Enclave) pass() {
	for _, j := range e.order {
		e.place(int(j))
	}
}

func (e *Enclave) place(j int) {
	from, to := e.window(j)
	e.add(j, -1)
	had := len(e.runs[j]) > 0
	runs, _ := e.pick.choose(j, from, to, &e.view)
	e.runs[j] = append(e.runs[j][:0], runs...)
	e.add(j, 1)
	if had && len(runs) == 0 && e.next != nil {
		e.drop(j) // it has nothing to lose, but those after it have
	}
}

// look sets the view: the load of all is total, and changes with what the
// enclave changes, times the answer that it expects of the others.
func (e *Enclave) look(prices, total, top [][]float64, stiff float64) {
	n := float64(len(e.terms.Shares)) / float64(e.terms.Turns) // that answer at the same time
	if e.hard = top != nil; e.hard {
		e.view.free = e.top
	} else {
		e.view.free = e.in.Room
	}
	for r := range e.own {
		for c, own := range e.own[r] {
			// If all sides react by their weights, and the weights sum to one,
			// then nobody's step is too long: Cauchy and Schwarz.
			w := 1 / n
			if sum := total[r][c]; sum > 0 {
				w = 0.5/n + 0.5*min(1, float64(e.terms.Turns)*e.said[r][c]/sum)
			}
			room := e.in.Room[r][c]
			s := e.terms.spring(r, c, stiff)
			slope := s / w
			e.view.slope[r][c] = slope
			e.view.base[r][c] = prices[r][c] + slope*(own-e.said[r][c])
			if s > 0 {
				e.view.base[r][c] += s * (total[r][c] - room)
			}
			if e.hard {
				e.view.free[r][c] = top[r][c] - own
			}
		}
	}
}

// bound returns what the jobs cost together, each at its best and paying the announced
// prices; it is rounded down, so that it stays a bound and says no more than it must.
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
