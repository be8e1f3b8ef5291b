package plan

import (
	"math/bits"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// A price of carbon makes one amount of cost and carbon: money, in which a plan
// may weigh one against the other. Where the cost is not known in its currency,
// only the carbon is compared, and after all that is known in full.

// perTonne is a tonne in milligrams.
const perTonne = 1_000_000_000

// adds reports whether cost and carbon of t are added up.
func (t *task) adds() bool {
	o := t.Shape.Objective
	return o.CarbonPrice > 0 && o.Minimize != workload.MinimizeTime
}

// looks reports whether t needs to know a carbon intensity.
func (t *task) looks() bool { return t.cleans() || t.adds() }

// worth returns what so much is at a price of a tonne, rounded up.
func worth(milligrams int64, price grid.Money) int64 {
	price = min(max(price, 0), workload.MaxCarbonPrice)
	hi, lo := bits.Mul64(uint64(max(milligrams, 0)), uint64(price))
	if hi >= perTonne {
		return none
	}
	q, rest := bits.Div64(hi, lo, perTonne)
	if rest > 0 {
		q++
	}
	return int64(min(q, none))
}

// total returns cost and carbon of c as one amount; ok is false if one of them
// is not known.
func (f *frame) total(t *task, c candidate) (m grid.Money, ok bool) {
	return f.added(t, c.site, c.known, c.carbon, c.priced, c.cost)
}

func (f *frame) added(t *task, site int, known bool, carbon grid.Carbon, priced bool, cost grid.Money) (m grid.Money, ok bool) {
	if !t.adds() || !known || !priced || f.places[site].currency != f.currency(t) {
		return 0, false
	}
	return min(max(cost, -none), none) + grid.Money(worth(int64(carbon), t.Shape.Objective.CarbonPrice)), true
}

// sum draws what a kilowatt-hour costs at a place with its carbon at a price.
func (f *frame) sum(p *place, price grid.Money) *curve {
	if c := p.sums[price]; c != nil {
		return c
	}
	length := f.slot(f.slots+1) + f.most
	most := int64(none/8) / max(length.Milliseconds(), 1)
	at := func(t time.Time) (int64, bool) {
		rate, priced := p.tariff.At(t)
		r, known := p.air.At(t)
		if !priced || !known {
			return 0, false
		}
		return min(max(int64(min(max(rate, -grid.MaxRate), grid.MaxRate))+worth(int64(r.Value), price), -most), most), true
	}
	until := func(t, limit time.Time) time.Time { return p.air.Until(t, p.tariff.Until(t, limit)) }
	if p.sums == nil {
		p.sums = map[grid.Money]*curve{}
	}
	c := drawCurve(lowest(f.now, length, until, at), f.now, length, until, at)
	p.sums[price] = c
	return c
}
