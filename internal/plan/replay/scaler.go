package replay

import (
	"cmp"
	"math"
	"slices"

	"clusy.io/clusy/internal/plan/fleet"
)

// CarbonScaler returns at which level elastic work runs in each slot, 0 for not
// at all and else one more than the index of the level, so that it does its work,
// in slots at rate 1, as its authors wrote: of all steps from one level to the
// next in a slot those first that do most work for what they emit, as long as the
// one below is taken. It plans one job as if it were alone. Cost is that of a
// kilowatt through each slot; NaN is a slot that is not used. It returns false if
// there is not enough time.
//
// Work that may pause and has one level is what wait-awhile plans. No scheduler's
// log tells how fast a job would have been at another size, so this is a function
// for fleets that are made up, and no row of a backtest.
func CarbonScaler(work float64, levels []fleet.Level, cost []float64) ([]int, bool) {
	type step struct {
		slot, level int
		value, rate float64
	}
	var steps []step
	for t, c := range cost {
		if math.IsNaN(c) {
			continue
		}
		rate, kw := 0.0, 0.0
		for l, lv := range levels {
			value := math.Inf(1) // work for nothing
			if grams := (lv.KW - kw) * c; grams > 0 {
				value = (lv.Rate - rate) / grams
			}
			steps = append(steps, step{t, l, value, lv.Rate - rate})
			rate, kw = lv.Rate, lv.KW
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.slot, b.slot), cmp.Compare(a.level, b.level))
	})
	at := make([]int, len(cost))
	// A curve that is not concave has steps whose turn comes before that of the one
	// below: they are looked at again once it is taken.
	for taken := true; taken && work > 1e-9; {
		taken = false
		for i := 0; i < len(steps) && work > 1e-9; i++ {
			if s := steps[i]; at[s.slot] == s.level {
				at[s.slot], work, taken = s.level+1, work-s.rate, true
			}
		}
	}
	return at, work <= 1e-9
}
