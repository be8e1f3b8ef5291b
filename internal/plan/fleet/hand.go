package fleet

import (
	"cmp"
	"math"
	"slices"
)

// spot is where one job is. Its slots stand apart, by rising time.
type spot struct {
	way  int16 // -1: nowhere
	n    int32 // slots
	cost float64
}

// hand places one job at a time into the room that the others have left. It
// allocates nothing while it works.
type hand struct {
	in      *Instance
	free    [][]float64 // room that is left, by thing and cell
	price   Prices      // what a unit is worth to others, by thing and cell
	worth   []float64   // what the use of a unit of each thing costs on average
	least   []float64   // the smallest room of each thing
	options [][]option  // of each job, the cheapest first
	looked  int         // how many slots it has looked at

	slots []int32   // of the last answer
	value []float64 // scratch: what slots are worth
	heap  []worth   // scratch: slots that may be used
}

// option is a way of a job, and what it costs if the job is alone in the world.
type option struct {
	way  int16
	cost float64
}

type worth struct {
	value float64
	slot  int32
}

// ask says on what terms a spot is sought.
type ask struct {
	factor float64 // of the prices: a share of them is paid
	push   bool    // others may be pushed away
	force  float64 // what that costs, as a share of what the room is worth on average
	way    int16   // 1 + the only way that is looked at; 0: all
	from   int32   // no slot before, and, if to is not 0, none from there on
	to     int32
}

// roundoff is the share of a room that sums of uses may be wrong by, after
// many jobs have come and gone.
const roundoff = 1e-9

func newHand(in *Instance, p Prices) *hand {
	h := &hand{
		in:      in,
		price:   p,
		worth:   make([]float64, len(in.Things)),
		options: make([][]option, len(in.Jobs)),
		slots:   make([]int32, 0, in.Slots()),
		value:   make([]float64, in.Slots()),
		heap:    make([]worth, 0, in.Slots()),
	}
	if p == nil {
		h.price = make(Prices, len(in.Things))
		for r := range h.price {
			h.price[r] = make([]float64, in.Cells())
		}
	}
	for r, room := range in.Room {
		free := slices.Clone(room)
		for c := range free {
			free[c] += roundoff * free[c]
		}
		h.free = append(h.free, free)
		h.least = append(h.least, slices.Min(room))
		h.worth[r] = meanWorth(in, r)
	}
	for j := range in.Jobs {
		job := &in.Jobs[j]
		if !plain(job) {
			continue
		}
		all := make([]option, 0, len(job.Ways))
		for w := range job.Ways {
			h.options[j] = append(all[len(all):], option{way: int16(w), cost: math.Inf(-1)})
			if at := h.respondIn(j, ask{push: true}); at.way >= 0 {
				all = append(all, option{at.way, at.cost})
			}
		}
		slices.SortStableFunc(all, func(a, b option) int { return cmp.Compare(a.cost, b.cost) })
		h.options[j] = all
	}
	return h
}

// meanWorth returns what the jobs spend on average on energy for a unit of
// thing r.
func meanWorth(in *Instance, r int) float64 {
	means := make([]float64, len(in.Cost))
	for k, table := range in.Cost {
		n := 0.0
		for _, v := range table {
			if !math.IsNaN(v) {
				means[k] += math.Abs(v)
				n++
			}
		}
		means[k] /= max(1, n)
	}
	var cost, used float64
	for j := range in.Jobs {
		for w := range in.Jobs[j].Ways {
			if way := &in.Jobs[j].Ways[w]; way.Use[r] > 0 {
				used += way.Use[r]
				cost += way.KW * means[in.Jobs[j].Table]
			}
		}
	}
	if used == 0 {
		return 0
	}
	return cost / used
}

// respondIn finds the spot that is cheapest for a plain job, on the terms of
// a. It leaves the slots in h.slots. The way is -1 if there is none.
func (h *hand) respondIn(j int, a ask) spot {

	job := &h.in.Jobs[j]
	best, least := spot{way: -1}, math.Inf(1)
	for _, o := range h.options[j] {
		if o.cost >= least {
			break // the others cost more even in an empty world
		}
		if a.way > 0 && a.way != o.way+1 {
			continue
		}
		way := &job.Ways[o.way]
		from, to := max(job.Release, way.From, a.from), job.Due
		if a.to > 0 {
			to = min(to, a.to)
		}
		if to-from < way.Need {
			continue
		}
		h.looked += int(to-from) + 20
		h.weigh(job, way, from, to, a)
		if job.Kind == Rigid || way.Need == 1 {
			if at, v := stretch(h.value[:to-from], int(way.Need)); v+way.Fixed < least {
				best.way, best.n, least = o.way, way.Need, v+way.Fixed
				h.slots = h.slots[:0]
				for t := range way.Need {
					h.slots = append(h.slots, from+int32(at)+t)
				}
			}
		} else if v := h.cheapest(from, to, int(way.Need)); v+way.Fixed < least {
			best.way, best.n, least = o.way, way.Need, v+way.Fixed
			h.slots = h.slots[:0]
			for _, w := range h.heap[:way.Need] {
				h.slots = append(h.slots, w.slot)
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

// weigh writes to h.value what each slot [from, to) is worth to a job, on
// the terms of a. Those that it may not use are +Inf or NaN.
func (h *hand) weigh(job *Job, way *Way, from, to int32, a ask) {
	cell, end := h.in.Cell(way.Site, from), h.in.Cell(way.Site, to)
	value := h.value[:end-cell]
	for i, v := range h.in.Cost[job.Table][cell:end] {
		value[i] = v * way.KW
	}
	for _, s := range h.in.denied(job.Denied) {
		for t := max(s.From, from); t < min(s.To, to); t++ {
			value[t-from] = math.Inf(1)
		}
	}
	for r, u := range way.Use {
		if u == 0 {
			continue
		}
		paid := u * a.factor
		price, free := h.price[r][cell:end], h.free[r][cell:end]
		price, free = price[:len(value)], free[:len(value)]
		if !a.push {
			for i := range value {
				if u > free[i] {
					value[i] = math.Inf(1)
				} else {
					value[i] += paid * price[i]
				}
			}
			continue
		}
		force := a.force * h.worth[r]
		for i := range value {
			value[i] += paid*price[i] + force*max(0, u-free[i])
		}
		if u > h.least[r] {
			for i, room := range h.in.Room[r][cell:end] {
				if u > room {
					value[i] = math.Inf(1)
				}
			}
		}
	}
}

// stretch finds n slots in a row whose sum is least. It is +Inf if there are none.
func stretch(value []float64, n int) (at int, least float64) {
	least = math.Inf(1)
	row, sum := 0, 0.0
	for i, v := range value {
		if !(v < math.Inf(1)) {
			row, sum = 0, 0
			continue
		}
		sum += v
		if row++; row > n {
			sum -= value[i-n]
		}
		if row >= n && sum < least {
			at, least = i-n+1, sum
		}
	}
	return at, least
}

// cheapest puts the n cheapest slots of [from, to) to the front of h.heap, and
// returns their sum. It is +Inf if there are not as many.
func (h *hand) cheapest(from, to int32, n int) float64 {
	h.heap = h.heap[:0]
	for i, v := range h.value[:to-from] {
		if v < math.Inf(1) {
			h.heap = append(h.heap, worth{v, from + int32(i)})
		}
	}
	if len(h.heap) < n {
		return math.Inf(1)
	}
	toFront(h.heap, n)
	var sum float64
	for _, w := range h.heap[:n] {
		sum += w.value
	}
	return sum
}

// toFront moves the n smallest to the front.
func toFront(a []worth, n int) {
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
func (h *hand) take(site int32, use []float64, slots []int32) {
	for r, u := range use {
		free := h.free[r][h.in.Cell(site, 0):]
		for _, t := range slots {
			free[t] -= u
		}
	}
}

func (h *hand) give(site int32, use []float64, slots []int32) {
	for r, u := range use {
		free := h.free[r][h.in.Cell(site, 0):]
		for _, t := range slots {
			free[t] += u
		}
	}
}

// fits reports whether there is room for this use in the cell.
func (h *hand) fits(use []float64, cell int) bool {
	for r, u := range use {
		if u > h.free[r][cell] {
			return false
		}
	}
	return true
}
