package reconcile

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// par works on the parts of a plan at once: on all cores but one, which is left
// for those who wait for an answer, and on one at least.
func par(n int, f func(i int)) {
	workers := min(max(runtime.GOMAXPROCS(0)-1, 1), n)
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}
