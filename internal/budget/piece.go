package budget

import (
	"math/bits"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Piece is what some work takes over a time, evenly: an hour of the ledger, or a
// run that is planned.
type Piece struct {
	Workload string
	Queue    string
	From, To time.Time
	Energy   grid.Energy // of the facility
	Carbon   grid.Carbon // meaningful only if CarbonKnown
	Cost     grid.Money  // meaningful only with a Currency
	CPU, GPU int64       // thousandths of a core or a GPU, each for a second

	CarbonKnown bool
	Currency    string // "" if the price is not known
}

// of returns what p takes of the measure of b, and whether that is known.
func (p Piece) of(b Budget) (n int64, known bool) {
	switch b.Measure {
	case Carbon:
		return int64(p.Carbon), p.CarbonKnown
	case Energy:
		return int64(p.Energy), true
	case Money:
		return int64(p.Cost), p.Currency != "" && p.Currency == b.Currency
	case GPUHours:
		return p.GPU, true
	}
	return p.CPU, true
}

// within returns what p takes of the measure of b within a window, and how long
// it is in it.
func (p Piece) within(b Budget, w Window) (n int64, known bool, in time.Duration) {
	from, to := later(p.From, w.Start), earlier(p.To, w.End)
	in, whole := to.Sub(from), p.To.Sub(p.From)
	if in <= 0 || whole <= 0 {
		return 0, true, 0
	}
	n, known = p.of(b)
	return part(n, in, whole), known, in
}

// part returns the part of n that is in of whole, rounded away from zero.
func part(n int64, in, whole time.Duration) int64 {
	if in >= whole {
		return n
	}
	return ratio(n, int64(in), int64(whole))
}

// ratio returns n·a/b, rounded away from zero, at most the most that is counted.
// a is 0 or more, b more than 0.
func ratio(n, a, b int64) int64 {
	if n < 0 {
		return -ratio(-n, a, b)
	}
	hi, lo := bits.Mul64(uint64(n), uint64(a))
	if hi >= uint64(b) {
		return int64(mostAmount)
	}
	q, r := bits.Div64(hi, lo, uint64(b))
	if r > 0 {
		q++
	}
	return int64(min(q, uint64(mostAmount)))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// held returns the hardware that a shape holds for a time at a size.
func held(s workload.Shape, size int, d time.Duration) (cpu, gpu int64) {
	demand := s.Demand.At(size)
	seconds := int64((d + time.Second - 1) / time.Second)
	for _, g := range demand.GPUs {
		gpu += g.Count * 1000 * seconds
	}
	return max(demand.CPU, 0) * seconds, gpu
}

// ran returns the hardware that the runs of a meter held, each at its size.
func ran(s workload.Shape, m ledger.Meter) (cpu, gpu int64) {
	for _, r := range m.Runs {
		c, g := held(s, r.Size, r.To.Sub(r.From))
		cpu, gpu = cpu+c, gpu+g
	}
	return cpu, gpu
}

// Spent is what an entry of the ledger came to. The ledger has no money: the
// price is the site's tariff of that hour.
func Spent(e ledger.Entry, shape workload.Shape, way int, tariff grid.Tariff) Piece {
	m := e.Meter
	p := Piece{Workload: m.Workload, Queue: shape.QueueOf(), From: m.Hour, To: m.Hour.Add(time.Hour),
		Carbon: e.Emitted, CarbonKnown: true, Currency: tariff.Currency()}
	for _, u := range e.Uses {
		p.Energy += u.Energy
		rate, ok := tariff.Mean(u.From, u.To)
		if !ok {
			p.Currency = ""
			continue
		}
		p.Cost += grid.Charged(u.Energy, rate)
	}
	p.CPU, p.GPU = ran(shape.On(way), m)
	return p
}

// Pending is what a meter will come to that is not in the ledger yet: at the
// carbon and the price for which its work was planned.
func Pending(m ledger.Meter, shape workload.Shape, pl plan.Placement, pue int64) Piece {
	p := Piece{Workload: m.Workload, Queue: shape.QueueOf(), From: m.Hour, To: m.Hour.Add(time.Hour)}
	p.Energy = times(m.Energy, pue)
	p.priced(pl)
	p.CPU, p.GPU = ran(shape.On(pl.Way), m)
	return p
}

// times returns e at a power usage effectiveness in thousandths, rounded up.
func times(e grid.Energy, pue int64) grid.Energy {
	return grid.Energy(ratio(int64(e), max(pue, 1000), 1000))
}

// priced gives p the carbon and the cost of its energy at the means of a placement.
func (p *Piece) priced(pl plan.Placement) {
	if pl.Energy <= 0 {
		return
	}
	at := func(n int64) int64 { return ratio(n, int64(p.Energy), int64(pl.Energy)) }
	if p.CarbonKnown = pl.Grade != ""; p.CarbonKnown {
		p.Carbon = grid.Carbon(at(int64(pl.Carbon)))
	}
	if p.Currency = pl.Currency; p.Currency != "" {
		p.Cost = grid.Money(at(int64(pl.Cost)))
	}
}

// Booked is what a placement is to take from now on, a piece for each run: the
// power of the shape at its size, at the carbon and the price for which it was planned.
func Booked(id string, shape workload.Shape, pl plan.Placement, pue int64, now time.Time) (out []Piece) {
	queue := shape.QueueOf()
	shape = shape.On(pl.Way)
	for _, s := range pl.Spans {
		from := later(s.Start, now)
		if !from.Before(s.End) {
			continue
		}
		d := s.End.Sub(from)
		p := Piece{Workload: id, Queue: queue, From: from, To: s.End, Energy: times(grid.Drawn(shape.PowerAt(s.Size), d), pue)}
		p.priced(pl)
		p.CPU, p.GPU = held(shape, s.Size, d)
		out = append(out, p)
	}
	return out
}
