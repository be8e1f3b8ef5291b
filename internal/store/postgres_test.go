package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/pgtest"
	"clusy.io/clusy/internal/store/storetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.StopShared()
	os.Exit(code)
}

func openPostgres(t testing.TB, address secret.Secret) *store.Postgres {
	t.Helper()
	d, err := store.OpenPostgres(ctx, address, storetest.Options(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func newPostgres(t testing.TB) *store.Postgres {
	s := pgtest.Shared(t)
	return openPostgres(t, s.Address(s.Schema(t)))
}

func TestPostgres(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.DB { return newPostgres(t) })
}

// Two replicas of one store: what one has written, the other one goes on from,
// and both together make one log.
func TestReplicas(t *testing.T) {
	s := pgtest.Shared(t)
	address := s.Address(s.Schema(t))
	a, b := openPostgres(t, address), openPostgres(t, address)
	const each = 60
	var wg sync.WaitGroup
	for i, d := range []*store.Postgres{a, b, a, b} {
		wg.Go(func() {
			for k := range each {
				w := storetest.Workload("acme", 1000*i+k)
				if err := d.For("acme").Update(ctx, func(tx store.TenantTx) error { return tx.InsertWorkload(w, storetest.Event("")) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, d := range []*store.Postgres{a, b} {
		var n int
		if err := d.For("acme").View(ctx, func(tx store.TenantTx) error {
			states, _, err := tx.Counts()
			for _, c := range states {
				n += c
			}
			return err
		}); err != nil || n != 4*each {
			t.Fatalf("%d workloads, %v", n, err)
		}
		storetest.Sound(t, d)
	}
}

// The connections are cut again and again while many write: what was answered
// is there, what was refused is not, and the store goes on by itself.
func TestCutConnections(t *testing.T) {
	s := pgtest.Shared(t)
	d := openPostgres(t, s.Address(s.Schema(t)))
	var mu sync.Mutex
	kept, refused := map[string]bool{}, map[string]bool{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				w := storetest.Workload("acme", 100_000*i+k)
				err := d.For("acme").Update(ctx, func(tx store.TenantTx) error { return tx.InsertWorkload(w, storetest.Event("")) })
				mu.Lock()
				if err == nil {
					kept[w.ID] = true
				} else {
					refused[w.ID] = true
				}
				mu.Unlock()
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(kept) }
	for range 12 {
		for before := count(); count() < before+20; {
			// It goes on.
		}
		s.Hang(t)
	}
	close(stop)
	wg.Wait()
	if len(refused) == 0 {
		t.Fatal("nothing was cut")
	}
	if err := d.For("acme").View(ctx, func(tx store.TenantTx) error {
		for id := range kept {
			if _, err := tx.Workload(id); err != nil {
				return fmt.Errorf("%s was answered: %w", id, err)
			}
		}
		for id := range refused {
			if _, err := tx.Workload(id); err == nil {
				return fmt.Errorf("%s was refused and is there", id)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	storetest.Sound(t, d)
}

// The database itself keeps tenants apart: a question that names no tenant is
// answered with the rows of the one whose transaction it is, in every table that
// knows tenants.
func TestPostgresWalls(t *testing.T) {
	s := pgtest.Shared(t)
	schema := s.Schema(t)
	d := openPostgres(t, s.Address(schema))
	for _, who := range []access.Tenant{"acme", "umbrella", "o'neill"} {
		w := storetest.Workload(who, len(who))
		if err := d.For(who).Update(ctx, func(tx store.TenantTx) error { return tx.InsertWorkload(w, storetest.Event("")) }); err != nil {
			t.Fatal(err)
		}
	}
	for who, want := range map[access.Tenant]int{"acme": 1, "umbrella": 1, "o'neill": 1, "nobody": 0, "": 3} {
		if got, err := d.Rows(who, "SELECT count(*) FROM workload"); err != nil || got != want {
			t.Errorf("%q sees %d workloads of %d (%v)", who, got, want, err)
		}
	}
	if n, err := d.Rows("", "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attname = 'tenant' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"); err != nil || n != 0 {
		t.Errorf("%d tables have no wall (%v)", n, err)
	}
	if n, err := d.Rows("", "SELECT count(*) FROM pg_class WHERE relforcerowsecurity AND relnamespace = current_schema()::regnamespace"); err != nil || n < 10 {
		t.Errorf("%d tables have a wall (%v)", n, err)
	}
	// Without a tenant said, nothing is seen: the owner of the tables too.
	if err := s.Do(ctx, pgtest.Owner, "DO $$ BEGIN IF EXISTS (SELECT 1 FROM "+schema+".workload) THEN RAISE EXCEPTION 'seen'; END IF; END $$"); err != nil {
		t.Error(err)
	}
}

// The guards are in the database: whoever gets at it with the owner's rights
// still cannot change what is on record.
func TestPostgresGuards(t *testing.T) {
	s := pgtest.Shared(t)
	schema := s.Schema(t)
	d := openPostgres(t, s.Address(schema))
	w := storetest.Workload("acme", 1)
	if err := d.For("acme").Update(ctx, func(tx store.TenantTx) error { return tx.InsertWorkload(w, storetest.Event("")) }); err != nil {
		t.Fatal(err)
	}
	for statement, why := range map[string]string{
		"UPDATE leaf SET kind = 'x'":                "append-only",
		"DELETE FROM leaf":                          "append-only",
		"TRUNCATE checkpoint":                       "never emptied",
		"DELETE FROM loghash":                       "append-only",
		"UPDATE workload SET state = 'succeeded'":   "transition on record",
		"DELETE FROM workload":                      "kept",
		"UPDATE transition SET to_state = 'failed'": "append-only",
		"UPDATE legal SET to_state = 'failed'":      "fixed",
		"INSERT INTO leaf SELECT idx+2, tenant, tenant_seq+2, kind, object, workload, leaf, sealed FROM leaf ORDER BY idx DESC LIMIT 1": "end of the log",
	} {
		err := s.Do(ctx, pgtest.Owner, "SET search_path = "+schema+"; SET clusy.tenant = '*'; "+statement)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// What would not keep a promise is refused before it has to.
func TestPostgresRefuses(t *testing.T) {
	s := pgtest.Shared(t)
	open := func(address string) error {
		d, err := store.OpenPostgres(context.Background(), secret.Secret(address), storetest.Options(""))
		if err == nil {
			return errors.Join(errors.New("opened"), d.Close())
		}
		return err
	}
	good := s.Address(s.Schema(t)).Reveal()
	for address, why := range map[string]string{
		"::not an address with s3cret":                            "not one",
		"postgres://clusy:s3cret@db.example/clusy":                "sslmode=verify-full",
		"postgres://clusy:s3cret@db.example/clusy?sslmode=prefer": "sslmode=verify-full",
		strings.Replace(good, "clusy@", "postgres@", 1):           "above the walls",
		good + "&synchronous_commit=off":                          "forgets",
	} {
		err := open(address)
		if err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
	if err := openTwice(t, s.Address(s.Schema(t))); err == nil || !strings.Contains(err.Error(), "its log is") {
		t.Errorf("a store was opened as another's log: %v", err)
	}
}

func openTwice(t *testing.T, address secret.Secret) error {
	openPostgres(t, address)
	o := storetest.Options("")
	o.Origin = "demo.clusy.io/log/other"
	private, _, err := merkle.GenerateKey(rand.Reader, o.Origin)
	if err != nil {
		t.Fatal(err)
	}
	if o.Signer, err = merkle.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	d, err := store.OpenPostgres(ctx, address, o)
	if err == nil {
		return d.Close()
	}
	return err
}
