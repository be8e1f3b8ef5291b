package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

func idempotency(t *testing.T, d store.DB) {
	k := store.Key{Key: "abc", BodyHash: []byte{1, 2}, Workload: "wl_1", At: Noon}
	update(t, d, acme, func(tx store.TenantTx) error { return tx.PutIdempotent(k) })
	want(t, d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.PutIdempotent(k) }), problem.Conflict)
	update(t, d, umbr, func(tx store.TenantTx) error { // the same key of another tenant is another key
		return tx.PutIdempotent(store.Key{Key: "abc", BodyHash: []byte{9}, Workload: "wl_2", At: Noon.Add(time.Hour)})
	})
	view(t, d, acme, func(tx store.TenantTx) error {
		got, found, err := tx.Idempotent("abc")
		if !found {
			t.Error("the key is not kept")
		}
		equal(t, "key", got, k)
		_, found, err2 := tx.Idempotent("abd")
		if found {
			t.Error("a key was found that nobody kept")
		}
		return errors.Join(err, err2)
	})
	house(t, d, func(tx store.SystemTx) error {
		n, err := tx.PruneIdempotent(Noon.Add(time.Minute))
		if n != 1 {
			t.Errorf("%d keys were old, want 1", n)
		}
		_, mine, err2 := tx.For(acme).Idempotent("abc")
		_, theirs, err3 := tx.For(umbr).Idempotent("abc")
		if mine || !theirs {
			t.Errorf("the old key is there: %t, the new one: %t", mine, theirs)
		}
		return errors.Join(err, err2, err3)
	})
}

// counts: what is counted is what can be listed.
func counts(t *testing.T, d store.DB) {
	for n := range 5 {
		w := submit(t, d, acme, n)
		if n < 2 {
			move(t, d, &w, workload.Planned)
		}
		if n == 4 {
			w.MissedAt = Noon
			update(t, d, acme, func(tx store.TenantTx) error { return tx.UpdateWorkload(&w, Event(audit.WorkloadMissed)) })
		}
	}
	submit(t, d, umbr, 7)
	view(t, d, acme, func(tx store.TenantTx) error {
		states, late, err := tx.Counts()
		equal(t, "counts", states, map[workload.State]int{workload.Accepted: 3, workload.Planned: 2})
		equal(t, "late", late, 1)
		return err
	})
}

// walk pages through a list and returns the ids in the order they came.
func walk(t *testing.T, d store.DB, f store.Filter, between func()) (ids []string) {
	t.Helper()
	for range 1000 {
		var page []workload.Workload
		view(t, d, acme, func(tx store.TenantTx) (err error) {
			page, err = tx.Workloads(f)
			return err
		})
		if len(page) == 0 {
			return ids
		}
		if f.Limit > 0 && len(page) > f.Limit {
			t.Fatalf("a page of %d, want at most %d", len(page), f.Limit)
		}
		for _, w := range page {
			ids = append(ids, w.ID)
		}
		f.After = store.CursorOf(page[len(page)-1])
		if between != nil {
			between()
		}
	}
	t.Fatal("the list has no end")
	return nil
}

func paging(t *testing.T, d store.DB) {
	var all, planned []string
	update(t, d, acme, func(tx store.TenantTx) error {
		for n := range 30 {
			w := Workload(acme, n)
			w.Created = Noon.Add(time.Duration(n/4) * time.Second) // four at a time are equally old
			if err := tx.InsertWorkload(w, Event("")); err != nil {
				return err
			}
			all = append(all, w.ID)
			if n%3 == 0 {
				w.Changed = Workload(acme, n).Changed
				if err := tx.MoveWorkload(&w, workload.Planned, Event("")); err != nil {
					return err
				}
				planned = append(planned, w.ID)
			}
		}
		return nil
	})
	reversed := func(ids []string) []string {
		ids = slices.Clone(ids)
		slices.Reverse(ids)
		return ids
	}
	both := []workload.State{workload.Planned, workload.Accepted, workload.Planned}
	for _, limit := range []int{1, 3, 7, 29, 30, 0} {
		for _, c := range []struct {
			name string
			f    store.Filter
			want []string
		}{
			{"all", store.Filter{}, all},
			{"all, newest first", store.Filter{Newest: true}, reversed(all)},
			{"planned", store.Filter{States: []workload.State{workload.Planned}}, planned},
			{"planned, newest first", store.Filter{States: []workload.State{workload.Planned}, Newest: true}, reversed(planned)},
			{"planned and accepted", store.Filter{States: both}, all},
			{"planned and accepted, newest first", store.Filter{States: both, Newest: true}, reversed(all)},
			{"running", store.Filter{States: []workload.State{workload.Running}}, nil},
		} {
			c.f.Limit = limit
			equal(t, fmt.Sprintf("%s by %d", c.name, limit), walk(t, d, c.f, nil), c.want)
		}
	}
}

// pagingUnderInserts: what was there from the first page on is listed once,
// whatever is added meanwhile.
func pagingUnderInserts(t *testing.T, d store.DB) {
	var old []string
	for n := range 20 {
		old = append(old, submit(t, d, acme, 1000+n).ID)
	}
	n := 0
	for _, newest := range []bool{false, true} {
		ids := walk(t, d, store.Filter{Newest: newest, Limit: 3}, func() {
			n++
			if n%2 == 0 && n < 16 {
				submit(t, d, acme, n) // older than all
			} else if n < 16 {
				submit(t, d, acme, 2000+n) // newer than all
			}
		})
		once := map[string]int{}
		for _, id := range ids {
			once[id]++
		}
		for _, id := range ids {
			if once[id] != 1 {
				t.Errorf("%s is listed %d times", id, once[id])
			}
		}
		for _, id := range old {
			if once[id] != 1 {
				t.Errorf("%s, which was there from the start, is listed %d times", id, once[id])
			}
		}
	}
}

func events(t *testing.T, d store.DB) {
	w := submit(t, d, acme, 1)
	v := submit(t, d, acme, 10) // its id begins as w's does not
	move(t, d, &w, workload.Planned)
	update(t, d, acme, func(tx store.TenantTx) error {
		a := Attempt(w, 1)
		e := Event(audit.PlanRefused)
		e.Object = "plan:p1"
		_, err := tx.Append(e)
		e.From = "x"
		if _, err := tx.Append(e); err == nil {
			t.Error("an event claims a change of state that is none")
		}
		return errors.Join(err, tx.InsertAttempt(a, Event("")))
	})
	submit(t, d, umbr, 1)
	list := func(f store.EventFilter) (kinds []string) {
		t.Helper()
		view(t, d, acme, func(tx store.TenantTx) error {
			es, err := tx.Events(f)
			last := f.After
			for _, e := range es {
				if e.Index <= last {
					t.Errorf("event %d comes after %d", e.Index, last)
				}
				last = e.Index
				kinds = append(kinds, string(e.Event.Kind)+" "+e.Event.Object)
			}
			return err
		})
		return kinds
	}
	submitted, moved := "workload.submitted workload:"+w.ID, "workload.moved workload:"+w.ID
	other := "workload.submitted workload:" + v.ID
	offered := "attempt.moved attempt:" + w.ID + "/1"
	equal(t, "all", list(store.EventFilter{After: -1}), []string{submitted, other, moved, "plan.refused plan:p1", offered})
	equal(t, "of a workload", list(store.EventFilter{After: -1, Workload: w.ID}), []string{submitted, moved, offered})
	equal(t, "of a workload's attempts", list(store.EventFilter{After: -1, Workload: w.ID, Object: "attempt:"}), []string{offered})
	equal(t, "by object", list(store.EventFilter{After: -1, Object: "plan:"}), []string{"plan.refused plan:p1"})
	equal(t, "by an object with signs", list(store.EventFilter{After: -1, Object: "pl_n%"}), []string(nil))
	equal(t, "by an object in capitals", list(store.EventFilter{After: -1, Object: "PLAN:"}), []string(nil))
	equal(t, "the first", list(store.EventFilter{After: -1, Limit: 1}), []string{submitted})
	view(t, d, acme, func(tx store.TenantTx) error {
		es, err := tx.Events(store.EventFilter{After: -1, Workload: w.ID})
		e := es[1].Event
		if e.From != "accepted" || e.To != "planned" || e.Rev != 2 || e.Tenant != acme || !e.At.Equal(Noon) || e.Actor != "token:suite" || e.Detail["why"] != "test" {
			t.Errorf("the move is on record as %+v", e)
		}
		later, err2 := tx.Events(store.EventFilter{After: es[1].Index})
		if len(later) != 2 {
			t.Errorf("%d events after the move, want 2", len(later))
		}
		return errors.Join(err, err2)
	})
	look(t, d, func(tx store.SystemTx) error {
		all, err := tx.Events(store.EventFilter{After: -1})
		of, err2 := tx.Events(store.EventFilter{After: -1, Workload: w.ID})
		if len(all) != 7 || all[0].Event.Kind != audit.LogOpened || len(of) != 3 {
			t.Errorf("the house sees %d events and %d of the workload, want 7 and 3", len(all), len(of))
		}
		return errors.Join(err, err2)
	})
	// Events can be read in the transaction that appends them.
	update(t, d, acme, func(tx store.TenantTx) error {
		i, err := tx.Append(Event(audit.PlanRefused))
		es, err2 := tx.Events(store.EventFilter{After: i - 1})
		if len(es) != 1 {
			t.Errorf("a transaction sees %d of the events that it appended, want 1", len(es))
		}
		return errors.Join(err, err2)
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			update(t, d, acme, func(tx store.TenantTx) error { _, err := tx.Append(Event(audit.PlanRefused)); return err })
		})
	}
	all.Wait()
	sound(t, d)
}

// groups: a group lists its own members, in the order of their ids, to their
// tenant alone, also page by page and by state.
func groups(t *testing.T, d store.DB) {
	var ids []string
	for n := range 5 {
		w := Workload(acme, n)
		w.Shape.Group = []string{"grp_a", "grp_b"}[n/3]
		update(t, d, acme, func(tx store.TenantTx) error { return tx.InsertWorkload(w, Event(audit.WorkloadSubmitted)) })
		if ids = append(ids, w.ID); n == 1 {
			view(t, d, acme, func(tx store.TenantTx) (err error) { w, err = tx.Workload(w.ID); return err })
			move(t, d, &w, workload.Planned)
		}
	}
	submit(t, d, acme, 5) // of no group
	list := func(tx store.TenantTx, f store.Filter) (got []string) {
		ws, err := tx.Workloads(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ws {
			got = append(got, w.ID)
		}
		return got
	}
	view(t, d, acme, func(tx store.TenantTx) error {
		equal(t, "members", list(tx, store.Filter{Group: "grp_a"}), ids[:3])
		equal(t, "of the other group", list(tx, store.Filter{Group: "grp_b"}), ids[3:])
		equal(t, "newest", list(tx, store.Filter{Group: "grp_a", Newest: true}), []string{ids[2], ids[1], ids[0]})
		equal(t, "planned", list(tx, store.Filter{Group: "grp_a", States: []workload.State{workload.Planned}}), ids[1:2])
		equal(t, "the first page", list(tx, store.Filter{Group: "grp_a", Limit: 2}), ids[:2])
		equal(t, "the next page", list(tx, store.Filter{Group: "grp_a", After: store.Cursor{Created: Noon, ID: ids[1]}}), ids[2:3])
		equal(t, "the next of the newest", list(tx, store.Filter{Group: "grp_a", Newest: true, After: store.Cursor{Created: Noon, ID: ids[1]}}), ids[:1])
		equal(t, "no group", list(tx, store.Filter{Group: "grp_c"}), []string(nil))
		return nil
	})
	view(t, d, umbr, func(tx store.TenantTx) error {
		equal(t, "another tenant's", list(tx, store.Filter{Group: "grp_a"}), []string(nil))
		return nil
	})
}
