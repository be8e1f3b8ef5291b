package plan

import (
	"reflect"
	"sync"
	"testing"
)

func workers(n int) func(int, func(int)) {
	return func(parts int, f func(i int)) {
		var wait sync.WaitGroup
		next := make(chan int)
		for range n {
			wait.Go(func() {
				for i := range next {
					f(i)
				}
			})
		}
		for i := range parts {
			next <- i
		}
		close(next)
		wait.Wait()
	}
}

// A plan is the same to the last digit, however many work at it: with promises,
// refusals, ceilings, rules, what runs, and prices.
func TestAnyNumberOfWorkers(t *testing.T) {
	for name, s := range map[string]Snapshot{"mixed": mixedWorld(140), "wanted": wantedWorld(140), "shrunk": shrunkWorld(140)} {
		want := Compute(s)
		if want.Certificate == nil || name != "wanted" && len(want.Certificate.Prices) == 0 {
			t.Fatalf("%s: nothing has a price: %+v", name, want.Certificate)
		}
		if err := Check(s, want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := 1; n <= 3; n++ {
			if got := ComputeWith(s, Options{Par: workers(n)}); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: with %d workers it is another plan", name, n)
			}
		}
	}
}
