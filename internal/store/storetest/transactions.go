package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// Everything returns a transaction that touches every table, about the n-th
// workload of a tenant.
func Everything(t *testing.T, n int) func(store.SystemTx) error {
	t.Helper()
	entry := entryOf(t, Workload(acme, n))
	return func(tx store.SystemTx) error {
		w := Workload(acme, n)
		mine := tx.For(acme)
		a := Attempt(w, 1)
		index := int64(0)
		for _, f := range []func() error{
			func() error { return mine.InsertWorkload(w, Event("")) },
			func() error { return mine.MoveWorkload(&w, workload.Planned, Event("")) },
			func() error { return mine.InsertAttempt(a, Event("")) },
			func() error { return mine.MoveAttempt(&a, workload.AttemptHeld, Event("")) },
			func() error { return mine.MoveAttempt(&a, workload.AttemptLost, Event("")) },
			func() error { a.Active++; return mine.UpdateAttempt(&a) },
			func() error { return mine.PutPlacement(Placement(w, "ref"), "p", Event("")) },
			func() error { return mine.DeletePlacement(w.ID) },
			func() error { return mine.PutPlacement(Placement(w), "p", Event("")) },
			func() error { return mine.PutMeter(entry.Meter) },
			func() error { _, _, err := tx.PutSignal(store.Measured, hours(), Event("")); return err },
			func() (err error) { index, err = mine.AppendEntry(entry); return err },
			func() error { return tx.SettleMeter(w.ID, 1, entry.Meter.Hour, index) },
			func() error { return mine.PutIdempotent(store.Key{Key: w.ID, Workload: w.ID, At: Noon}) },
			func() error { return tx.PutSite(Site("berlin-"+w.ID), Event("")) },
			func() error { return tx.SeeSite("berlin-"+w.ID, Noon, 5) },
			func() error {
				_, _, err := tx.PutSignal(store.Forecast, Series("DE", Noon.Add(-1000*time.Hour), int64(n)), Event(""))
				return err
			},
			func() error {
				_, _, err := tx.PutSignal(store.Forecast, Series("DE", Noon, int64(n)), Event(""))
				return err
			},
			func() error {
				_, err := tx.PutSignals([]store.Signal{{Kind: store.Issued, Series: Series("DE", Noon, int64(n))}}, Event(""))
				return err
			},
			func() error {
				_, err := tx.PutPrices([]grid.Prices{Prices("DE", Noon, int64(n))}, Event(""))
				return err
			},
			func() error { _, err := tx.PruneSignals(upTo(Noon.Add(-900 * time.Hour))); return err },
			func() error { return tx.PutToken(Token("t-"+w.ID, acme), Event("")) },
			func() error { _, err := tx.Lead("control", "me", Noon); return err },
			func() error { return tx.SetMeta("last", w.ID) },
			func() error {
				id, _, err := tx.PlanInForce()
				return errors.Join(err, tx.SetPlan(id, "plan-"+w.ID, Noon, Event("")))
			},
		} {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	}
}

// rollbackLeavesNothing: a function that fails, panics or ends its goroutine
// leaves the store as it was, the log too.
func rollbackLeavesNothing(t *testing.T, d store.DB) {
	house(t, d, Everything(t, 1))
	before := Picture(t, d)
	run := Everything(t, 2)
	failure := errors.New("changed my mind")
	err := d.System().Update(ctx, func(tx store.SystemTx) error { return errors.Join(run(tx), failure) })
	if !errors.Is(err, failure) {
		t.Fatalf("Update hides the function's error: %v", err)
	}
	equal(t, "store after an error", Picture(t, d), before)

	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("the function's panic came out as %v", p)
			}
		}()
		_ = d.System().Update(ctx, func(tx store.SystemTx) error {
			ok(t, run(tx))
			panic("boom")
		})
	}()
	equal(t, "store after a panic", Picture(t, d), before)

	done := make(chan bool)
	go func() {
		defer close(done)
		_ = d.System().Update(ctx, func(tx store.SystemTx) error {
			_ = run(tx)
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	equal(t, "store after the end of a goroutine", Picture(t, d), before)

	house(t, d, run)
	sound(t, d)
}

// Picture is all that can be read from a store.
func Picture(t *testing.T, d store.DB) string {
	t.Helper()
	var s string
	put := func(v any, err error) {
		ok(t, err)
		s += fmt.Sprintf("%+v\n", v)
	}
	look(t, d, func(tx store.SystemTx) error {
		put(tx.OpenWorkloads())
		put(tx.LiveAttempts(""))
		put(tx.LostAttempts(""))
		put(tx.Placements())
		id, at, err := tx.PlanInForce()
		put(id+at.String(), err)
		put(tx.Sites())
		put(tx.LatestForecasts())
		put(tx.Measured("DE", time.Time{}))
		put(tx.IssuedForecasts("DE", time.Time{}))
		put(tx.Prices("DE", time.Time{}))
		put(tx.UnsettledMeters())
		put(tx.Tokens())
		put(tx.States())
		put(tx.Transitions(0))
		put(tx.Decided(0))
		put(tx.Checkpoint())
		put(tx.Leaves(0, 1<<40))
		for epoch := range int64(9) {
			put(tx.CheckLead("control", epoch) == nil, nil)
		}
		last, _, err := tx.Meta("last")
		put(last, err)
		mine := tx.For(acme)
		for n := range 4 {
			w := Workload(acme, n)
			put(mine.Decisions(w.ID))
			put(mine.Meters(w.ID))
			put(mine.Attempts(w.ID))
			_, found, err := mine.Idempotent(w.ID)
			put(found, err)
		}
		put(mine.Entries("", -1, 0))
		put(mine.Events(store.EventFilter{After: -1}))
		put(mine.Workloads(store.Filter{}))
		return nil
	})
	return s
}

// spoiledIsNotKept: a change that fails half way takes the transaction with
// it, even if the function goes on as if nothing were.
func spoiledIsNotKept(t *testing.T, d store.DB) {
	house(t, d, func(tx store.SystemTx) error { return tx.PutToken(Token("t", acme), Event("")) })
	before := Picture(t, d)
	err := d.System().Update(ctx, func(tx store.SystemTx) error {
		again := tx.PutToken(Token("t", acme), Event("")) // its event is written, then its row conflicts
		want(t, again, problem.Conflict)
		if tx.For(acme).InsertWorkload(Workload(acme, 1), Event("")) == nil {
			t.Error("a spoiled transaction goes on writing")
		}
		return nil
	})
	want(t, err, problem.Conflict)
	equal(t, "store", Picture(t, d), before)

	// What was refused before anything was written spoils nothing and leaves
	// no trace: the function may take it for an answer and go on.
	w, a, e := metered(t, d, acme, 2)
	house(t, d, func(tx store.SystemTx) error {
		index, err := tx.For(acme).AppendEntry(e)
		return errors.Join(err, tx.SettleMeter(w.ID, 1, e.Meter.Hour, index))
	})
	update(t, d, acme, func(tx store.TenantTx) error {
		return errors.Join(tx.UpdateWorkload(&w, Event(audit.CancelRequested)), tx.PutIdempotent(store.Key{Key: "k", At: Noon}))
	})
	leaves := size(t, d)
	house(t, d, func(sys store.SystemTx) error {
		tx := sys.For(acme)
		stale, staleA, meter := w, a, e.Meter
		stale.Changed = stale.Changed.Add(-time.Microsecond)
		staleA.Rev--
		meter.Energy++
		for name, err := range map[string]error{
			"move of a stale workload":   tx.MoveWorkload(&stale, workload.Running, Event("")),
			"update of a stale workload": tx.UpdateWorkload(&stale, Event(audit.CancelRequested)),
			"illegal move":               tx.MoveWorkload(&w, workload.Offered, Event("")),
			"move of a stale attempt":    tx.MoveAttempt(&staleA, workload.AttemptLost, Event("")),
			"update of a stale attempt":  tx.UpdateAttempt(&staleA),
			"second live attempt":        tx.InsertAttempt(Attempt(w, 2), Event("")),
			"workload that is there":     tx.InsertWorkload(Workload(acme, 2), Event("")),
			"settled meter":              tx.PutMeter(meter),
			"meter settled twice":        sys.SettleMeter(w.ID, 1, e.Meter.Hour, leaves-2),
			"key that is taken":          tx.PutIdempotent(store.Key{Key: "k", At: Noon}),
		} {
			if !problem.Is(err, problem.Conflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := sys.SetPlan("none", "p", Noon, Event("")); !errors.Is(err, plan.ErrStale) {
			t.Errorf("stale plan: %v", err)
		}
		return tx.MoveWorkload(&w, workload.Running, Event(""))
	})
	if now := size(t, d); now != leaves+1 {
		t.Errorf("refusals left %d leaves", now-leaves-1)
	}
	sound(t, d)
}

// panicsHurtNobodyElse: of many updates at once, some fail and some panic, and
// exactly the others are kept.
func panicsHurtNobodyElse(t *testing.T, d store.DB) {
	const n = 96
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer func() { _ = recover() }()
			err := d.For(acme).Update(ctx, func(tx store.TenantTx) error {
				w := Workload(acme, i)
				if err := tx.InsertWorkload(w, Event("")); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					panic("boom")
				case 2:
					return errors.New("no")
				}
				return tx.MoveWorkload(&w, workload.Planned, Event(""))
			})
			if (err == nil) != (i%3 == 0) {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	all.Wait()
	view(t, d, acme, func(tx store.TenantTx) error {
		for i := range n {
			w, err := tx.Workload(Workload(acme, i).ID)
			if kept := err == nil && w.State == workload.Planned; kept != (i%3 == 0) {
				t.Errorf("update %d: kept is %t, %v", i, kept, err)
			}
		}
		return nil
	})
	if r := sound(t, d); r.Events != 1+2*n/3 {
		t.Errorf("%d events on record, want %d", r.Events, 1+2*n/3)
	}
}

// counter: concurrent updates are as if one after the other.
func counter(t *testing.T, d store.DB) {
	const workers, each = 16, 25
	var all sync.WaitGroup
	seen := make([][]int, workers)
	for i := range workers {
		all.Go(func() {
			for range each {
				var now int
				err := d.System().Update(ctx, func(tx store.SystemTx) error {
					text, _, err := tx.Meta("counter")
					if err != nil {
						return err
					}
					now, _ = strconv.Atoi(text)
					now++
					return tx.SetMeta("counter", strconv.Itoa(now))
				})
				if err != nil {
					t.Error(err)
				}
				seen[i] = append(seen[i], now)
				// What was answered is seen by the next reader.
				look(t, d, func(tx store.SystemTx) error {
					text, _, err := tx.Meta("counter")
					if read, _ := strconv.Atoi(text); read < now {
						t.Errorf("read %d after %d was answered", read, now)
					}
					return err
				})
			}
		})
	}
	all.Wait()
	once := map[int]bool{}
	for _, s := range seen {
		for i, v := range s {
			if once[v] || i > 0 && s[i-1] >= v {
				t.Errorf("the count %d was given twice, or out of order", v)
			}
			once[v] = true
		}
	}
	if len(once) != workers*each || !once[workers*each] {
		t.Errorf("counted %d different values, want %d", len(once), workers*each)
	}
}

// cancelled: before its function begins, an update can be called off; after
// that its caller is told what really became of it.
func cancelled(t *testing.T, d store.DB) {
	dead, cancel := context.WithCancel(ctx)
	cancel()
	ran := false
	err := d.For(acme).Update(dead, func(store.TenantTx) error { ran = true; return nil })
	if !errors.Is(err, context.Canceled) || ran {
		t.Errorf("an update that was called off gave %v, ran is %t", err, ran)
	}
	if err := d.For(acme).View(dead, func(tx store.TenantTx) error {
		_, err := tx.Workloads(store.Filter{})
		return err
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("a view that was called off gave %v", err)
	}

	mid, cancel := context.WithCancel(ctx)
	defer cancel()
	w := Workload(acme, 1)
	err = d.For(acme).Update(mid, func(tx store.TenantTx) error {
		if err := tx.InsertWorkload(w, Event("")); err != nil {
			return err
		}
		cancel()
		time.Sleep(2 * time.Millisecond)
		return tx.MoveWorkload(&w, workload.Planned, Event(""))
	})
	ok(t, err)
	view(t, d, acme, func(tx store.TenantTx) error {
		now, err := tx.Workload(w.ID)
		if now.State != workload.Planned {
			t.Errorf("the update was answered, and the workload is %s", now.State)
		}
		return err
	})

	// One waits behind another and is called off: it never runs.
	inside, leave := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		_ = d.System().Update(ctx, func(tx store.SystemTx) error {
			close(inside)
			<-leave
			return tx.SetMeta("first", "1")
		})
	})
	<-inside
	brief, cancel2 := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel2()
	all.Go(func() {
		err := d.System().Update(brief, func(tx store.SystemTx) error { return tx.SetMeta("second", "1") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an update that waited too long gave %v", err)
		}
	})
	time.Sleep(20 * time.Millisecond)
	close(leave)
	all.Wait()

	// Views that are cut short at any point harm no later one.
	for i := range 20 {
		brief, cancel := context.WithTimeout(ctx, time.Duration(i)*20*time.Microsecond)
		_ = d.System().View(brief, func(tx store.SystemTx) error {
			for range 3 {
				if _, err := tx.Leaves(0, 100); err != nil {
					return err
				}
			}
			return nil
		})
		cancel()
	}
	look(t, d, func(tx store.SystemTx) error {
		_, first, err := tx.Meta("first")
		_, second, err2 := tx.Meta("second")
		if !first || second {
			t.Errorf("the one that ran is kept: %t; the one called off: %t", first, second)
		}
		return errors.Join(err, err2)
	})
	sound(t, d)
}

func closed(t *testing.T, d store.DB) {
	submit(t, d, acme, 1)
	ok(t, d.Close())
	ok(t, d.Close())
	never := func(store.TenantTx) error { t.Error("a closed store ran a transaction"); return nil }
	want(t, d.For(acme).Update(ctx, never), problem.Unready)
	want(t, d.For(acme).View(ctx, never), problem.Unready)
}
