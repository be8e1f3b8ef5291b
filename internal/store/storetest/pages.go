package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// pages: what is read for a page at once is what is read for each of its
// workloads by itself, whoever lies in between.
func pages(t *testing.T, d store.DB) {
	var ids []string
	for n := range 12 {
		if n%3 == 1 {
			metered(t, d, umbr, 100+n) // a neighbour of another tenant
		}
		w := submit(t, d, acme, n)
		switch n % 4 {
		case 0:
			w, _, e := metered(t, d, acme, 200+n)
			ids = append(ids, w.ID)
			update(t, d, acme, func(tx store.TenantTx) error {
				_, err := tx.AppendEntry(e)
				return errors.Join(err, tx.PutPlacement(Placement(w), "one", Event("")), tx.DeletePlacement(w.ID))
			})
		case 1:
			update(t, d, acme, func(tx store.TenantTx) error {
				return errors.Join(tx.PutPlacement(Placement(w), "one", Event("")), tx.PutPlacement(second(w), "two", Event("")))
			})
		case 2:
			update(t, d, acme, func(tx store.TenantTx) error {
				return errors.Join(tx.PutPlacement(Placement(w), "one", Event("")), tx.PutPlacement(second(w), "two", Event("")), tx.DeletePlacement(w.ID))
			})
		}
		ids = append(ids, w.ID)
	}
	some := []string{ids[0], ids[3], ids[len(ids)-1], "wl_none"}
	for _, of := range [][]string{nil, ids, some, {ids[5]}} {
		samePage(t, d, of)
	}

	// A great many of others in between: then each is read by itself.
	first, last := submit(t, d, acme, 5000), submit(t, d, acme, 7000)
	move(t, d, &first, workload.Planned)
	move(t, d, &last, workload.Planned)
	update(t, d, acme, func(tx store.TenantTx) error {
		for n := range 400 {
			w := Workload(acme, 5001+n)
			if err := errors.Join(tx.InsertWorkload(w, Event("")), tx.PutPlacement(Placement(w), "one", Event("")), tx.InsertAttempt(Attempt(w, 1), Event(""))); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutPlacement(Placement(first), "one", Event("")), tx.PutPlacement(Placement(last), "one", Event("")),
			tx.InsertAttempt(Attempt(first, 1), Event("")), tx.InsertAttempt(Attempt(last, 1), Event("")))
	})
	samePage(t, d, []string{first.ID, last.ID})
}

func second(w workload.Workload) plan.Placement {
	p := Placement(w)
	p.Site = "second"
	return p
}

func samePage(t *testing.T, d store.DB, ids []string) {
	t.Helper()
	view(t, d, acme, func(tx store.TenantTx) error {
		attempts, err := tx.AttemptsOf(ids)
		decided, err2 := tx.DecidedOf(ids)
		entries, err3 := tx.EntriesOf(ids)
		meters, err4 := tx.MetersOf(ids)
		errs := []error{err, err2, err3, err4}
		for m := range attempts {
			if !slices.Contains(ids, m) {
				t.Errorf("attempts of %s, which nobody asked for", m)
			}
		}
		for m := range decided {
			if !slices.Contains(ids, m) {
				t.Errorf("a decision on %s, which nobody asked for", m)
			}
		}
		for _, id := range ids {
			as, err := tx.Attempts(id)
			ds, err2 := tx.Decisions(id)
			es, err3 := tx.Entries(id, -1, 0)
			ms, err4 := tx.Meters(id)
			errs = append(errs, err, err2, err3, err4)
			equal(t, "attempts of "+id, attempts[id], as)
			equal(t, "entries of "+id, entries[id], es)
			equal(t, "meters of "+id, meters[id], ms)
			p, any := decided[id]
			if any != (len(ds) > 0) {
				t.Errorf("%s has %d decisions, and on the page one: %t", id, len(ds), any)
			} else if any {
				equal(t, "decision on "+id, p, ds[len(ds)-1].Placement)
			}
			first, any, err5 := tx.FirstDecision(id)
			if errs = append(errs, err5); any != (len(ds) > 0) {
				t.Errorf("%s has %d decisions, and a first one: %t", id, len(ds), any)
			} else if any {
				equal(t, "first decision on "+id, first, ds[0].Placement)
			}
		}
		return errors.Join(errs...)
	})
}

// whatChanged: each leaf is told of once, in order, to the transaction that
// makes it too.
func whatChanged(t *testing.T, d store.DB) {
	w := submit(t, d, acme, 1)
	move(t, d, &w, workload.Planned)
	house(t, d, func(tx store.SystemTx) error {
		before, err := tx.LastChange()
		if before.Workload != w.ID || before.Kind != audit.WorkloadMoved {
			t.Errorf("the last change is %+v", before)
		}
		if err := errors.Join(err, tx.PutSite(Site("berlin"), Event("")), tx.For(acme).PutPlacement(Placement(w), "p", Event("")), tx.SetPlan("", "p", Noon, Event(""))); err != nil {
			return err
		}
		cs, err := tx.Changes(before.Index)
		got := ""
		for _, c := range cs {
			got += fmt.Sprintf("%s %s %s;", c.Kind, c.Object, c.Workload)
		}
		want := fmt.Sprintf("workload.moved workload:%[1]s %[1]s;site.registered site:berlin ;workload.placed workload:%[1]s %[1]s;plan.committed plan:p ;", w.ID)
		if got != want {
			t.Errorf("changed is\n%s\nwant\n%s", got, want)
		}
		last, err2 := tx.LastChange()
		equal(t, "last", last, cs[len(cs)-1])
		seen := map[string]bool{}
		all, err3 := tx.Changes(0)
		for i, c := range all {
			if c.Index != int64(i) || seen[string(c.Leaf)] {
				t.Errorf("leaf %d is number %d or there twice", c.Index, i)
			}
			seen[string(c.Leaf)] = true
		}
		return errors.Join(err, err2, err3)
	})
}

// ownRows: what a transaction has written it reads as it wrote it, and another
// tenant in the same transaction does not.
func ownRows(t *testing.T, d store.DB) {
	w := Workload(acme, 1)
	house(t, d, func(tx store.SystemTx) error {
		mine := tx.For(acme)
		if err := mine.InsertWorkload(w, Event("")); err != nil {
			return err
		}
		if _, err := tx.For(umbr).Workload(w.ID); !problem.Is(err, problem.NotFound) {
			t.Errorf("another tenant in the same transaction: %v", err)
		}
		born, err := mine.Workload(w.ID)
		stale := born
		err2 := mine.MoveWorkload(&born, workload.Planned, Event(""))
		if err := mine.MoveWorkload(&stale, workload.Planned, Event("")); !problem.Is(err, problem.Conflict) {
			t.Errorf("a copy from before the move: %v", err)
		}
		born.Wanted = workload.WantCancel
		err3 := mine.UpdateWorkload(&born, Event(audit.CancelRequested))
		now, err4 := mine.Workload(w.ID)
		equal(t, "in its transaction", now, born)
		w = born
		return errors.Join(err, err2, err3, err4)
	})
	view(t, d, acme, func(tx store.TenantTx) error {
		got, err := tx.Workload(w.ID)
		equal(t, "after it", got, w)
		return err
	})
	sound(t, d)
}
