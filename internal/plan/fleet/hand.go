package fleet

import (
	"math"
	"slices"
)

// place is where one job is. Its slots stand apart, by rising time.
type place struct {
	way  int16 // -1: nowhere
	n    int32 // slots
	cost float64
}

// hand places one job at a time into the room that the others have left. It
// allocates nothing while it works.
type hand struct {
	in     *Instance
	things int
	free   []float64 // room that is left, by cell and thing
	price  []float64 // what a unit is worth to others, by cell and thing
	worth  []float64 // what the use of a unit of each thing costs on average
	slots  []int32   // of the last answer
	value  []float64 // scratch: of the slots that are looked at
	picks  []pick    // scratch: slots that may be used
}

type pick struct {
	value float64
	slot  int32
}

// roundoff is the share of a room that sums of uses may be wrong by, after
// many jobs have come and gone.
const roundoff = 1e-9

func newHand(in *Instance, p Prices) *hand {
	h := &hand{
		in:     in,
		things: len(in.Things),
		free:   make([]float64, in.Cells()*len(in.Things)),
		price:  make([]float64, in.Cells()*len(in.Things)),
		slots:  make([]int32, 0, in.Slots()),
		value:  make([]float64, in.Slots()),
		picks:  make([]pick, 0, in.Slots()),
	}
	means := make([]float64, len(in.Cost))
	for k, table := range in.Cost {
		n := 0.0
		for _, v := range table {
			if v == v {
				means[k] += math.Abs(v)
				n++
			}
		}
		means[k] /= max(1, n)
	}
	for r, room := range in.Room {
		for c, v := range room {
			h.free[c*h.things+r] = v + roundoff*v
			if p != nil {
				h.price[c*h.things+r] = p[r][c]
			}
		}
	}
	h.worth = make([]float64, h.things)
	for r := range h.worth {
		var cost, used float64
		for j := range in.Jobs {
			for w := range in.Jobs[j].Ways {
				way := &in.Jobs[j].Ways[w]
				if u := way.Use[r]; u > 0 {
					used += u
					cost += way.KW * means[in.Jobs[j].Table]
				}
			}
		}
		if used > 0 {
			h.worth[r] = cost / used
		}
	}
	return h
}

// ask says on what terms a place is sought.
type ask struct {
	factor float64 // of the prices
	push   bool    // others may be pushed away
	force  float64 // what that costs, for a unit of room: a share of what its use costs on average
}

// handy reports whether a hand can place the job.
func handy(job *Job) bool {
	switch job.Kind {
	case Rigid:
		return len(job.Ceilings) == 0
	case Interruptible:
		return len(job.Ceilings) == 0 && job.Resume == 0 && job.MinRun <= 1 && job.Pauses == 0
	}
	return false
}

// respondIn finds the place of a handy job that is cheapest, if it pays for
// what it uses factor times the prices, in the room that is left; or, if alone
// is set, in all the room there is. It leaves the slots in h.slots. The way is
// -1 if there is no such place.
func (h *hand) respondIn(job *Job, a ask) place {
	best, least := place{way: -1}, math.Inf(1)
	for w := range job.Ways {
		way := &job.Ways[w]
		if job.Kind == Rigid || way.Need == 1 {
			if from, v := h.window(job, way, a, least); v < least {
				best.way, best.n, least = int16(w), way.Need, v
				h.slots = h.slots[:0]
				for t := from; t < from+way.Need; t++ {
					h.slots = append(h.slots, t)
				}
			}
		} else if v := h.pickSlots(job, way, a); v < least {
			best.way, best.n, least = int16(w), way.Need, v
			h.slots = h.slots[:0]
			for _, p := range h.picks[:way.Need] {
				h.slots = append(h.slots, p.slot)
			}
		}
	}
	if best.way >= 0 {
		slices.Sort(h.slots)
		best.cost = h.costOf(job, best.way, h.slots)
	}
	return best
}

// costOf returns what a job costs in these slots, without prices.
func (h *hand) costOf(job *Job, w int16, slots []int32) float64 {
	way := &job.Ways[w]
	table := h.in.Cost[job.Table][h.in.Cell(way.Site, 0):]
	var sum float64
	for _, t := range slots {
		sum += table[t]
	}
	return way.Fixed + way.KW*sum
}

// at returns what one slot is worth to a job: +Inf if it may not use it.
func (h *hand) at(way *Way, table []float64, t int32, a ask) float64 {
	v := table[t] * way.KW
	cell := h.in.Cell(way.Site, t)
	i := cell * h.things
	for r, u := range way.Use {
		if lack := u - h.free[i+r]; lack > 0 {
			if !a.push || u > h.in.Room[r][cell] {
				return math.Inf(1)
			}
			v += a.force * lack * h.worth[r]
		}
		v += a.factor * u * h.price[i+r]
	}
	if v != v {
		return math.Inf(1) // the cost of the slot is unknown
	}
	return v
}

// window finds the cheapest unbroken stretch that costs less than least.
func (h *hand) window(job *Job, way *Way, a ask, least float64) (from int32, v float64) {
	table := h.in.Cost[job.Table][h.in.Cell(way.Site, 0):]
	v = math.Inf(1)
	n, sum := int32(0), way.Fixed
	for t := max(job.Release, way.From); t < job.Due; t++ {
		x := h.at(way, table, t, a)
		if math.IsInf(x, 1) {
			n, sum = 0, way.Fixed
			continue
		}
		h.value[t] = x
		sum += x
		if n++; n > way.Need {
			sum -= h.value[t-way.Need]
			n = way.Need
		}
		if n == way.Need && sum < v {
			from, v = t-way.Need+1, sum
		}
	}
	return from, v
}

// pickSlots puts the cheapest slots of a way to the front of h.picks.
func (h *hand) pickSlots(job *Job, way *Way, a ask) float64 {
	table := h.in.Cost[job.Table][h.in.Cell(way.Site, 0):]
	h.picks = h.picks[:0]
	for t := max(job.Release, way.From); t < job.Due; t++ {
		if x := h.at(way, table, t, a); !math.IsInf(x, 1) {
			h.picks = append(h.picks, pick{x, t})
		}
	}
	n := int(way.Need)
	if len(h.picks) < n {
		return math.Inf(1)
	}
	selectSmallest(h.picks, n)
	v := way.Fixed
	for _, p := range h.picks[:n] {
		v += p.value
	}
	return v
}

// selectSmallest moves the n smallest picks to the front.
func selectSmallest(a []pick, n int) {
	lo, hi := 0, len(a)-1
	for lo < hi {
		// The middle one of three stands a chance to halve what is left.
		mid := int(uint(lo+hi) / 2)
		if a[mid].value < a[lo].value {
			a[mid], a[lo] = a[lo], a[mid]
		}
		if a[hi].value < a[lo].value {
			a[hi], a[lo] = a[lo], a[hi]
		}
		if a[hi].value < a[mid].value {
			a[hi], a[mid] = a[mid], a[hi]
		}
		pivot := a[mid].value
		i, j := lo, hi
		for i <= j {
			for a[i].value < pivot {
				i++
			}
			for a[j].value > pivot {
				j--
			}
			if i <= j {
				a[i], a[j] = a[j], a[i]
				i++
				j--
			}
		}
		switch {
		case n-1 <= j:
			hi = j
		case n-1 >= i:
			lo = i
		default:
			return
		}
	}
}

// take uses the room of a way in these slots; give hands it back.
func (h *hand) take(way *Way, slots []int32) {
	for _, t := range slots {
		i := h.in.Cell(way.Site, t) * h.things
		for r, u := range way.Use {
			h.free[i+r] -= u
		}
	}
}

func (h *hand) give(way *Way, slots []int32) {
	for _, t := range slots {
		i := h.in.Cell(way.Site, t) * h.things
		for r, u := range way.Use {
			h.free[i+r] += u
		}
	}
}
