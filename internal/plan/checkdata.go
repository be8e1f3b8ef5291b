package plan

import (
	"math/bits"
	"time"

	"clusy.io/clusy/internal/grid"
)

// brought reports whether the data of an item must be brought to a site before
// it begins there.
func brought(it Item, st Site) bool {
	data := it.Shape.Data
	begun := it.Running || it.Done > 0 || it.Suspensions > 0
	return data.Home != "" && data.MiB > 0 && !begun && data.Home != st.ID && data.Home != string(st.Zone)
}

// carrying is the energy of the network for it: 0.06 kWh a gigabyte, rounded up.
func carrying(it Item) grid.Energy {
	mib := uint64(min(it.Shape.Data.MiB, 1<<30))
	hi, lo := bits.Mul64(mib, 1_048_576*216)
	q, rest := bits.Div64(hi, lo, 1_000_000)
	if rest > 0 {
		q++
	}
	return grid.Energy(q)
}

// comes returns the time from which an item may begin at a site: when its data
// has come, or when it was promised to.
func (d *doubt) comes(it Item, st Site) time.Time {
	if !brought(it, st) {
		return d.now
	}
	rate := it.Shape.Data.Mbit
	if rate <= 0 {
		rate = 1000
	}
	rate = min(rate, 10_000_000)
	bits := min(it.Shape.Data.MiB, 1<<30) * 8_388_608 // of data
	whole, rest := bits/(rate*1_000_000), bits%(rate*1_000_000)
	takes := time.Duration(whole) * time.Second
	if rest > 0 {
		takes += time.Second
	}
	at := d.now.Add(within(takes))
	if p := it.Placement; p != nil && p.Site == st.ID && len(p.Spans) > 0 && p.Spans[0].Start.Before(at) {
		at = later(p.Spans[0].Start, d.now)
	}
	return at
}

// leastToBring is the least that bringing the data of an item to a site emits,
// in a window; 0 if nothing must be brought, or nothing is known.
func leastToBring(it Item, st Site, ls []lane, first, last time.Duration) float64 {
	if !brought(it, st) {
		return 0
	}
	least := -1.0
	for _, l := range ls {
		if l.value >= 0 && l.to > first && l.from < last && (least < 0 || l.value < least) {
			least = l.value
		}
	}
	return max(least, 0) * float64(carrying(it)) / 3.6e6
}
