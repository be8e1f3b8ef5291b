package reconcile

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// Each part is worked on once, with any number of cores.
func TestParDoesEachPartOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, cores := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(cores)
		for _, n := range []int{0, 1, 2, 100} {
			done := make([]atomic.Int32, n)
			par(n, func(i int) { done[i].Add(1) })
			for i := range done {
				if got := done[i].Load(); got != 1 {
					t.Errorf("%d cores, %d parts: part %d was done %d times", cores, n, i, got)
				}
			}
		}
	}
}
