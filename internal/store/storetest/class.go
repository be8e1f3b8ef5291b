package storetest

import (
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// History returns n runs of a class, the last of which ended at noon.
func History(class string, n int) workload.History {
	h := workload.History{Class: class}
	for i := range n {
		h.Runs = append(h.Runs, workload.Run{At: Noon.Add(time.Duration(i-n+1) * time.Hour), Length: time.Duration(i+1) * time.Minute,
			Killed: i%2 == 1, Declared: time.Hour, Site: "berlin", Way: i % 3})
	}
	return h
}

// classes: a history is as it was put, each tenant has its own, and they are
// bounded: what has not run for long makes room.
func classes(t *testing.T, d store.DB) {
	update(t, d, acme, func(tx store.TenantTx) error {
		_, err := tx.History("nightly")
		want(t, err, problem.NotFound)
		for _, bad := range []workload.History{{Class: "nightly"}, History("", 1), History("Nightly", 1), History("a b", 1), History("nightly", workload.MostRuns+1)} {
			want(t, tx.PutHistory(bad), problem.Invalid)
		}
		ok(t, tx.PutHistory(History("nightly", 1)))
		return tx.PutHistory(History("nightly", workload.MostRuns))
	})
	update(t, d, umbr, func(tx store.TenantTx) error { return tx.PutHistory(History("nightly", 2)) })
	view(t, d, acme, func(tx store.TenantTx) error {
		h, err := tx.History("nightly")
		equal(t, "history", h, History("nightly", workload.MostRuns))
		return err
	})

	// Of one more than are kept the one goes that ended first, here not the
	// first by name.
	update(t, d, acme, func(tx store.TenantTx) error {
		for i := range workload.MostClasses {
			h := History(fmt.Sprintf("c-%04d", i), 1)
			h.Runs[0].At = Noon.Add(time.Duration(i) * time.Second)
			if i == 7 {
				h.Runs[0].At = Noon.Add(-time.Hour)
			}
			ok(t, tx.PutHistory(h))
		}
		_, err := tx.History("c-0007")
		want(t, err, problem.NotFound)
		return nil
	})
	view(t, d, acme, func(tx store.TenantTx) error {
		first, err := tx.Histories("", 3)
		equal(t, "classes", names(first), []string{"c-0000", "c-0001", "c-0002"})
		rest, err2 := tx.Histories("c-0005", 0)
		equal(t, "classes", len(rest), workload.MostClasses-6)
		equal(t, "class", rest[0].Class, "c-0006")
		equal(t, "class", rest[1].Class, "c-0008")
		equal(t, "class", rest[len(rest)-1].Class, "nightly")
		ok(t, err2)
		return err
	})
	view(t, d, umbr, func(tx store.TenantTx) error {
		all, err := tx.Histories("", 0)
		equal(t, "classes", names(all), []string{"nightly"})
		return err
	})
	sound(t, d)
}

func names(hs []workload.History) (out []string) {
	for _, h := range hs {
		out = append(out, h.Class)
	}
	return out
}
