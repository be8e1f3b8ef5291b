package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/pgtest"
	"clusy.io/clusy/internal/store/storetest"
	"clusy.io/clusy/internal/workload"
)

// BenchmarkSubmit is what accepting and planning one workload costs: its row,
// a move, a placement with its decision, and three signed leaves.
func BenchmarkSubmit(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("sqlite/%d", clients), func(b *testing.B) { submitBy(b, openSQLite(b, b.TempDir()), clients) })
	}
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("postgres/%d", clients), func(b *testing.B) {
			s, err := pgtest.Start("max_connections=40")
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(s.Stop)
			submitBy(b, openPostgres(b, s.Address(s.Schema(b))), clients)
		})
	}
	b.Run("memory/1", func(b *testing.B) { submitBy(b, openMemory(b), 1) })
}

func openMemory(t testing.TB) *store.Memory {
	t.Helper()
	d, err := store.NewMemory(storetest.Options(""))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func submitBy(b *testing.B, d store.DB, clients int) {
	var n, next atomic.Int64
	done := make(chan error, clients)
	b.ResetTimer()
	for range clients {
		go func() {
			for next.Add(1) <= int64(b.N) {
				w := storetest.Workload(acme, int(n.Add(1)))
				err := d.For(acme).Update(ctx, func(tx store.TenantTx) error {
					if err := tx.InsertWorkload(w, storetest.Event("")); err != nil {
						return err
					}
					if err := tx.MoveWorkload(&w, workload.Planned, storetest.Event("")); err != nil {
						return err
					}
					return tx.PutPlacement(storetest.Placement(w), "plan", storetest.Event(""))
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submits/s")
}

// BenchmarkObserve is what a loop reads at each step, of 1000 open workloads.
func BenchmarkObserve(b *testing.B) {
	for name, open := range map[string]func(testing.TB) store.DB{
		"sqlite": func(t testing.TB) store.DB { return openSQLite(t, t.TempDir()) },
		"memory": func(t testing.TB) store.DB { return openMemory(t) },
	} {
		b.Run(name, func(b *testing.B) {
			d := open(b)
			for n := range 1000 {
				if err := submit(d, n); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for b.Loop() {
				if err := d.System().View(ctx, func(tx store.SystemTx) error {
					ws, err := tx.OpenWorkloads()
					if err != nil || len(ws) != 1000 {
						return fmt.Errorf("%d workloads: %w", len(ws), err)
					}
					_, err = tx.Placements()
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
