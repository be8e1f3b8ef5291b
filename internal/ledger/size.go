package ledger

import (
	"math/bits"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Elastic work draws by its size and gets on by its speed. Its energy is spread
// over its running time by the size; and its baseline is the same work at its
// declared size: it runs for as long as that takes, and draws what that draws.

// Useful returns the running time, at the declared size, of the work that r did.
func (r Run) Useful() time.Duration {
	if r.Speed == 0 {
		return r.To.Sub(r.From)
	}
	return workload.Useful(r.To.Sub(r.From), r.Speed)
}

// weight is how much of the energy a time in r takes.
func (r Run) weight() uint64 {
	if r.Size == 0 {
		return workload.Declared
	}
	return uint64(r.Size)
}

// Useful returns the running time, at the declared size, of the work that the
// attempt did in the hour.
func (m Meter) Useful() (d time.Duration) {
	for _, r := range m.Runs {
		d += r.Useful()
	}
	return d
}

// asDeclared returns the energy of the same work at its declared size, rounded
// down, as all that is avoided is.
func (m Meter) asDeclared() grid.Energy {
	var useful, drawn uint64
	for _, r := range m.Runs {
		useful += uint64(r.Useful()) / 1000 // an hour at a hundredfold, in microseconds and thousandths, is far below 2^64
		drawn += uint64(r.To.Sub(r.From)) / 1000 * r.weight()
	}
	if useful*workload.Declared == drawn || drawn == 0 {
		return m.Energy
	}
	hi, lo := bits.Mul64(uint64(m.Energy), useful*workload.Declared)
	if hi >= drawn {
		return m.Energy
	}
	q, _ := bits.Div64(hi, lo, drawn)
	return grid.Energy(q)
}
