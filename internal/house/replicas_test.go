package house

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

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
