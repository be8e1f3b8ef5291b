package store_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/store/storetest"
)

// TestAnyQueryMayFail lets each query of a long transaction fail, one after the
// other: the error comes out, and nothing of the transaction remains.
func TestAnyQueryMayFail(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	if err := d.System().Update(ctx, storetest.Everything(t, 1)); err != nil {
		t.Fatal(err)
	}
	before := storetest.Picture(t, d)
	for n := 0; ; n++ {
		healed := d.FailAt(n)
		err := d.System().Update(ctx, storetest.Everything(t, 2))
		if !healed() {
			if err != nil {
				t.Fatalf("nothing failed, and yet: %v", err)
			}
			t.Logf("%d queries failed in turn", n)
			if n < 60 {
				t.Errorf("only %d queries could fail", n)
			}
			break
		}
		if err == nil {
			t.Fatalf("query %d failed, and nobody was told", n)
		}
		if now := storetest.Picture(t, d); now != before {
			t.Fatalf("query %d failed (%v), and left\n%s\nwhere there was\n%s", n, err, now, before)
		}
	}
	if _, err := verify(t, d); err != nil {
		t.Fatal(err)
	}
}

// TestReadsTellTheirErrors: a read that was cut short says so; it never
// answers that there is nothing.
func TestReadsTellTheirErrors(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	if err := d.System().Update(ctx, storetest.Everything(t, 1)); err != nil {
		t.Fatal(err)
	}
	tried := 0
	try := func(cancel func(), v reflect.Value) {
		cancel()
		for m := range v.Type().Methods() {
			if m.Name == "For" || m.Name == "Tenant" || m.Name == "Hashes" {
				continue
			}
			args := []reflect.Value{}
			for i := 1; i < m.Type.NumIn(); i++ {
				args = append(args, reflect.Zero(m.Type.In(i)))
			}
			if m.Type.NumIn() > 1 && m.Type.In(1).Kind() == reflect.Pointer {
				args[0] = reflect.New(m.Type.In(1).Elem())
			}
			if len(args) > 0 && args[0].Kind() == reflect.Slice && args[0].Type().Elem().Kind() == reflect.String {
				args[0] = reflect.ValueOf([]string{"wl_1"})
			}
			if m.Name == "Events" || m.Name == "Workloads" {
				args[0] = reflect.Zero(args[0].Type())
			}
			out := v.MethodByName(m.Name).Call(args)
			if err, _ := out[len(out)-1].Interface().(error); err == nil {
				t.Errorf("%s was cut short and says nothing", m.Name)
			}
			tried++
		}
	}
	brief, cancel := context.WithCancel(ctx)
	if err := d.For(acme).View(brief, func(tx store.TenantTx) error { try(cancel, reflect.ValueOf(tx)); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("the view gave %v", err)
	}
	brief, cancel = context.WithCancel(ctx)
	if err := d.System().View(brief, func(tx store.SystemTx) error {
		try(cancel, reflect.ValueOf(tx))
		_, err := tx.Hashes().ReadHashes([]int64{0})
		return err
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("the view gave %v", err)
	}
	if tried < 50 {
		t.Errorf("tried %d methods only", tried)
	}
	if _, err := verify(t, d); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenGroup: when the transaction itself breaks under a group, as SQLite
// may do it by itself, everyone in it is told, nothing of it is kept, and the
// next one goes on from what is on disk.
func TestBrokenGroup(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	if err := submit(d, 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Patient(); err != nil {
		t.Fatal(err)
	}
	before := storetest.Picture(t, d)
	queued := func(n int) {
		for d.Queued() < n {
			time.Sleep(time.Millisecond)
		}
	}
	for name, statement := range map[string]string{
		"rolled back": "ROLLBACK",
		"commit fails": `PRAGMA defer_foreign_keys = ON;
			INSERT INTO series_use (ref, idx) VALUES ('r', 100000)`,
	} {
		t.Run(name, func(t *testing.T) {
			inside, leave := make(chan bool), make(chan bool)
			var all sync.WaitGroup
			all.Go(func() { // holds the writer until the two others wait together
				_ = d.System().Update(ctx, func(store.SystemTx) error {
					close(inside)
					<-leave
					return nil
				})
			})
			<-inside
			all.Go(func() {
				err := d.System().Update(ctx, func(tx store.SystemTx) error { return tx.SetMeta("last", "never") })
				if !problem.Is(err, problem.Unready) {
					t.Errorf("who shared the group was told %v", err)
				}
			})
			queued(1)
			all.Go(func() {
				if err := d.Raw(statement); !problem.Is(err, problem.Unready) {
					t.Errorf("who broke the group was told %v", err)
				}
			})
			queued(2)
			close(leave)
			all.Wait()
			if now := storetest.Picture(t, d); now != before {
				t.Errorf("a broken group left\n%s\nwhere there was\n%s", now, before)
			}
		})
	}
	if err := submit(d, 1); err != nil {
		t.Fatal(err)
	}
	if r, err := verify(t, d); err != nil || r.Head.Size != 7 {
		t.Errorf("verified %+v, %v", r, err)
	}

	// If the end of the log cannot be read after that, nothing is written
	// until it can.
	for _, s := range []string{"DROP TRIGGER checkpoint_unchanged", "UPDATE checkpoint SET note = 'x' || note", "ROLLBACK"} {
		if err := d.Raw(s); (err == nil) != (s != "ROLLBACK") {
			t.Fatalf("%s: %v", s, err)
		}
	}
	for range 2 {
		if err := submit(d, 2); !problem.Is(err, problem.Unready) {
			t.Fatalf("a store with a damaged log wrote: %v", err)
		}
	}
}

// TestBusy: while another process has the file, updates are told to come back.
func TestBusy(t *testing.T) {
	dir := t.TempDir()
	d := openSQLite(t, dir)
	if err := d.Raw("PRAGMA busy_timeout = 20"); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", filepath.Join(dir, "clusy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	conn, err := other.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := submit(d, 1); !problem.Is(err, problem.Unready) {
		t.Errorf("the file was locked, and the update was told %v", err)
	}
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := submit(d, 1); err != nil {
		t.Error(err)
	}
}

// moody signs, and salts, only when it wants to.
type moody struct {
	merkle.Signer
	io.Reader
	refuses bool
}

func (m *moody) Sign(b []byte) ([]byte, error) {
	if m.refuses {
		return nil, errors.New("the key is away")
	}
	return m.Signer.Sign(b)
}

func (m *moody) Read(b []byte) (int, error) {
	if m.refuses {
		return 0, errors.New("no randomness")
	}
	return len(b), nil
}

// TestNothingUnsigned: what cannot be signed, or salted, is not kept.
func TestNothingUnsigned(t *testing.T) {
	for name, fit := range map[string]func(*store.Options, *moody){
		"key":    func(o *store.Options, m *moody) { o.Signer = m },
		"random": func(o *store.Options, m *moody) { o.Random = m },
	} {
		for _, inMemory := range []bool{true, false} {
			o := storetest.Options(t.TempDir())
			m := &moody{Signer: o.Signer}
			fit(&o, m)
			var d store.DB
			var err error
			if inMemory {
				d, err = store.NewMemory(o)
			} else {
				d, err = store.Open(ctx, o)
			}
			if err != nil {
				t.Fatal(err)
			}
			before := storetest.Picture(t, d)
			m.refuses = true
			if err := submit(d, 1); err == nil {
				t.Errorf("%s: an update was kept without it", name)
			}
			if now := storetest.Picture(t, d); now != before {
				t.Errorf("%s: a refused update left\n%s\nwhere there was\n%s", name, now, before)
			}
			m.refuses = false
			if err := submit(d, 1); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := verify(t, d); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			_ = d.Close()
		}
	}
}

// TestRaced: who finds that another was faster keeps nothing.
func TestRaced(t *testing.T) {
	if err, spoiled := store.Raced(); err == nil || !spoiled {
		t.Errorf("a change that met another gave %v, spoiled is %t", err, spoiled)
	}
}

// TestMemoryRefuses: the memory store keeps the rules of the schema, too.
func TestMemoryRefuses(t *testing.T) {
	d := openMemory(t)
	if err := d.System().Update(ctx, storetest.Everything(t, 1)); err != nil {
		t.Fatal(err)
	}
	before := storetest.Picture(t, d)
	w := storetest.Workload(acme, 1)
	move := func(rev int64, from, to string) db.InsertTransitionParams {
		return db.InsertTransitionParams{Idx: 1, Tenant: "acme", Object: "workload", ID: "wl_new", Rev: rev, FromState: from, ToState: to}
	}
	last := int64(11)
	for name, f := range map[string]func(db.Querier) error{
		"illegal move": func(q db.Querier) error { m := move(1, "", "running"); m.Idx = 0; return q.InsertTransition(ctx, m) },
		"move twice":   func(q db.Querier) error { return q.InsertTransition(ctx, move(1, "", "accepted")) },
		"move of no leaf": func(q db.Querier) error {
			m := move(1, "", "accepted")
			m.Idx = 1000
			return q.InsertTransition(ctx, m)
		},
		"gap in the log": func(q db.Querier) error { return q.InsertLeaf(ctx, db.InsertLeafParams{Idx: 1000}) },
		"workload twice": func(q db.Querier) error {
			return q.InsertWorkload(ctx, db.InsertWorkloadParams{ID: w.ID, Tenant: "acme", Rev: 1})
		},
		"workload of nobody": func(q db.Querier) error { return q.InsertWorkload(ctx, db.InsertWorkloadParams{ID: "x", Rev: 1}) },
		"birth off the record": func(q db.Querier) error {
			return q.InsertWorkload(ctx, db.InsertWorkloadParams{ID: "x", Tenant: "acme", Rev: 1, State: "accepted"})
		},
		"move off the record": func(q db.Querier) error {
			r, _ := q.SystemWorkload(ctx, w.ID)
			_, err := q.UpdateWorkload(ctx, db.UpdateWorkloadParams{Tenant: r.Tenant, ID: r.ID, State: r.State, Rev: r.Rev, Changed: r.Changed, NewState: "cancelled", NewRev: r.Rev + 1})
			return err
		},
		"attempt off the record": func(q db.Querier) error {
			return q.InsertAttempt(ctx, db.InsertAttemptParams{Workload: w.ID, N: 2, Tenant: "acme", Rev: 1, State: "offered"})
		},
		"attempt twice": func(q db.Querier) error {
			return q.InsertAttempt(ctx, db.InsertAttemptParams{Workload: w.ID, N: 1, Tenant: "acme"})
		},
		"attempt of no workload": func(q db.Querier) error {
			return q.InsertAttempt(ctx, db.InsertAttemptParams{Workload: "x", N: 1, Tenant: "acme"})
		},
		"attempt moved off the record": func(q db.Querier) error {
			a, _ := q.Attempt(ctx, db.AttemptParams{Tenant: "acme", Workload: w.ID, N: 1})
			_, err := q.MoveAttempt(ctx, db.MoveAttemptParams{Tenant: "acme", Workload: w.ID, N: 1, State: a.State, Rev: a.Rev, NewState: "running", NewRev: a.Rev + 1})
			return err
		},
		"key twice": func(q db.Querier) error {
			return q.PutIdempotency(ctx, db.PutIdempotencyParams{Tenant: "acme", Key: w.ID})
		},
		"decision of no workload": func(q db.Querier) error {
			return q.InsertDecision(ctx, db.InsertDecisionParams{Idx: last, Workload: "x"})
		},
		"decision twice": func(q db.Querier) error {
			ds, _ := q.SystemDecisions(ctx, db.SystemDecisionsParams{Most: 1})
			return q.InsertDecision(ctx, db.InsertDecisionParams{Idx: ds[0].Idx, Workload: w.ID, Tenant: "acme"})
		},
		"placement undecided": func(q db.Querier) error {
			return q.PutPlacement(ctx, db.PutPlacementParams{Workload: w.ID, Decision: 1000})
		},
		"entry of no workload": func(q db.Querier) error {
			return q.InsertLedgerEntry(ctx, db.InsertLedgerEntryParams{Idx: last, Workload: "x"})
		},
		"meter of no attempt": func(q db.Querier) error {
			_, err := q.PutMeter(ctx, db.PutMeterParams{Workload: w.ID, Attempt: 7})
			return err
		},
		"series twice": func(q db.Querier) error {
			refs, _ := q.NewestRefs(ctx)
			s, _ := q.Signal(ctx, refs[0])
			return q.InsertSignal(ctx, db.InsertSignalParams(s))
		},
		"series of no record": func(q db.Querier) error {
			return q.InsertSignal(ctx, db.InsertSignalParams{Ref: "x", Idx: sql.NullInt64{Int64: 1000, Valid: true}})
		},
		"newest of none": func(q db.Querier) error { return q.PutNewest(ctx, db.PutNewestParams{Ref: "x"}) },
		"loss of the newest": func(q db.Querier) error {
			refs, _ := q.NewestRefs(ctx)
			return q.DropSignal(ctx, refs[0])
		},
		"end of the newest": func(q db.Querier) error {
			_, err := q.PruneSignals(ctx, db.PruneSignalsParams{Kind: "forecast", Before: math.MaxInt64})
			return err
		},
	} {
		if err := d.Blind(f); err == nil || err.Error() == "" {
			t.Errorf("%s: the memory store let it pass", name)
		}
	}
	if now := storetest.Picture(t, d); now != before {
		t.Errorf("refused changes left\n%s\nwhere there was\n%s", now, before)
	}
}
