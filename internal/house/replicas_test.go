package house

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/pgtest"
)

// Three houses share one database: one of them leads, each of them serves, and
// when the one that leads goes, another one does so within the lease.
func TestReplicas(t *testing.T) {
	pg := pgtest.Shared(t)
	address, keys := pg.Address(pg.Schema(t)), filepath.Join(t.TempDir(), "keys")
	type replica struct {
		*House
		stop context.CancelFunc
		done chan error
	}
	var all []*replica
	for range 3 {
		h, err := Open(t.Context(), Config{Dir: t.TempDir(), Keys: keys, Listen: "127.0.0.1:0", Database: address})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		r := &replica{h, stop, make(chan error, 1)}
		go func() { r.done <- h.Run(ctx) }()
		all = append(all, r)
		t.Cleanup(func() { r.stop(); <-r.done })
	}
	leaders := func() (who []*replica) {
		for _, r := range all {
			if r.loop.Leading() {
				who = append(who, r)
			}
		}
		return who
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for begin := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Since(begin) > time.Minute {
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
	first := func() *replica {
		await("one leads", func() bool { return len(leaders()) == 1 })
		return leaders()[0]
	}()
	for _, r := range all {
		answer, err := http.Get(r.URL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("a replica is not ready: %s", answer.Status)
		}
	}
	// What one puts on record wakes those who wait at another.
	var others []*replica
	for _, r := range all {
		if r != first {
			others = append(others, r)
		}
	}
	rung := others[0].bell.next()
	if err := others[1].db.System().Update(t.Context(), func(tx store.SystemTx) error {
		_, err := tx.Append(audit.Event{At: time.Now(), Actor: "test", Kind: audit.PlanRefused})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-rung:
	case <-time.After(time.Minute):
		t.Error("nobody is told of what another replica has put on record")
	}
	// It resigns: nobody waits for the lease to run out.
	was := first.loop.Epoch()
	first.stop()
	if err := <-first.done; err != nil {
		t.Error(err)
	}
	first.done <- nil
	all = others
	await("another one leads", func() bool { return len(leaders()) == 1 })
	if now := leaders()[0].loop.Epoch(); now <= was {
		t.Errorf("epoch %d comes after %d", now, was)
	}
}

// Two replicas admit to the same site at once: together they promise no more of
// it than there is.
func TestReplicasPromiseOnce(t *testing.T) {
	pg := pgtest.Shared(t)
	address, keys := pg.Address(pg.Schema(t)), filepath.Join(t.TempDir(), "keys")
	a, _ := run(t, Config{Keys: keys, Database: address, Sites: []Site{{ID: "berlin", Zone: "DE-LU", Slots: 1, PUE: 1}}})
	b, _ := run(t, Config{Keys: keys, Database: address})
	var mu sync.Mutex
	admitted, refused := 0, 0
	var clients sync.WaitGroup
	for i := range 24 {
		clients.Go(func() {
			h := []*House{a, b}[i%2]
			_, err := submit(t, h, fmt.Sprint("k", i), `apiVersion: clusy.io/v1
kind: Intent
run: {exec: ["true"]}
shape: {duration: 1h, power: 100W}
when: {notBefore: +2h, completeBy: +8h}
`)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused++
				return
			}
			admitted++
		})
	}
	clients.Wait()
	page, err := client(b, b.Token).Workloads(t.Context(), nil, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var placed []clusy.Placement
	for _, w := range page.Items {
		placed = append(placed, *w.Plan)
	}
	slices.SortFunc(placed, func(x, y clusy.Placement) int { return x.Spans[0].Start.Compare(y.Spans[0].Start) })
	for i := 1; i < len(placed); i++ {
		if placed[i].Spans[0].Start.Before(placed[i-1].Spans[0].End) {
			t.Errorf("two workloads are promised the one slot: %v and %v", placed[i-1].Spans, placed[i].Spans)
		}
	}
	if len(placed) != admitted || admitted < 4 || refused < 24-5 {
		t.Errorf("%d were admitted, %d are there, %d were refused; the window has room for five", admitted, len(placed), refused)
	}
}
