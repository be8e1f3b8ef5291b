package plan

import (
	"reflect"
	"sync"
	"testing"

	"clusy.io/clusy/internal/workload"
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
		t.Run(name, func(t *testing.T) {
			want := Compute(s)
			sameWithAll(t, s, want)
			if want.Certificate == nil || name != "wanted" && len(want.Certificate.Prices) == 0 {
				t.Fatalf("nothing has a price: %+v", want.Certificate)
			}
			if err := Check(s, want); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Where tasks are not alone (a tenant has queues, some wait for others, cards are
// taken) it is the same plan too.
func TestAnyNumberOfWorkersTogether(t *testing.T) {
	queued, chained, cards := mixedWorld(129), mixedWorld(129), mixedWorld(129)
	for i := range queued.Items {
		queued.Items[i].Tenant = "acme"
	}
	queued.Queues = []workload.Queue{{Tenant: "acme", Name: workload.DefaultQueue, Most: 600, Weight: 1}}
	for i := 2; i < len(chained.Items); i += 3 {
		if chained.Items[i].Placement == nil && !chained.Items[i].Running {
			chained.Items[i].Shape.After = []string{chained.Items[i-1].ID}
		}
	}
	for i := range cards.Sites {
		cards.Sites[i].Capacity.GPUs[0] = workload.GPU{Type: "a100", Count: 3}
	}
	for i := 0; i < len(cards.Items); i += 2 {
		cards.Items[i].Shape.Demand.GPUs[0] = workload.GPU{Type: "a100", Count: 1}
	}
	for name, s := range map[string]Snapshot{"queued": queued, "chained": chained, "cards": cards} {
		t.Run(name, func(t *testing.T) {
			want := Compute(s)
			if err := Check(s, want); err != nil {
				t.Fatal(err)
			}
			sameWithAll(t, s, want)
		})
	}
}

// sameWithAll holds the plans of one to three workers against one.
func sameWithAll(t *testing.T, s Snapshot, want Plan) {
	t.Helper()
	for _, n := range []int{1, 3} {
		if got := ComputeWith(s, Options{Par: workers(n)}); !reflect.DeepEqual(got, want) {
			t.Errorf("with %d workers it is another plan", n)
		}
	}
}
