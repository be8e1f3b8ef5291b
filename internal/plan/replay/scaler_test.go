package replay

import (
	"math"
	"slices"
	"testing"

	"clusy.io/clusy/internal/plan/fleet"
)

// A second node does less than the first: it is worth it in the clean hour alone.
func TestCarbonScaler(t *testing.T) {
	levels := []fleet.Level{{Rate: 1, KW: 1}, {Rate: 1.8, KW: 2}, {Rate: 2.4, KW: 3}}
	for _, c := range []struct {
		work float64
		cost []float64
		want []int
		ok   bool
	}{
		{1, []float64{300, 100, 200}, []int{0, 1, 0}, true},
		{1.8, []float64{300, 100, 200}, []int{0, 2, 0}, true}, // 0.8/100 before 1/200
		{2.4, []float64{300, 100, 200}, []int{0, 3, 0}, true}, // 0.6/100 before 1/200
		{4, []float64{300, 100, 200}, []int{0, 3, 2}, true},   // then 1/200, then 0.8/200 before 1/300
		{9, []float64{300, 100, 200}, []int{3, 3, 3}, false},  // more than there is
		{2, []float64{math.NaN(), 100, 200}, []int{0, 3, 0}, true},
	} {
		if got, ok := CarbonScaler(c.work, levels, c.cost); !slices.Equal(got, c.want) || ok != c.ok {
			t.Errorf("%v of work at %v: levels %v, %v; want %v, %v", c.work, c.cost, got, ok, c.want, c.ok)
		}
	}
}
