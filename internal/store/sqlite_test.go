package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
	"clusy.io/clusy/internal/workload"
)

const acme = access.Tenant("acme")

func submit(d store.DB, n int) error {
	return d.For(acme).Update(ctx, func(tx store.TenantTx) error {
		w := storetest.Workload(acme, n)
		if err := tx.InsertWorkload(w, storetest.Event("")); err != nil {
			return err
		}
		if err := tx.MoveWorkload(&w, workload.Planned, storetest.Event("")); err != nil {
			return err
		}
		return tx.PutPlacement(storetest.Placement(w), "plan", storetest.Event(""))
	})
}

func verify(t testing.TB, d store.DB) (store.Report, error) {
	t.Helper()
	return store.VerifyLog(ctx, d, storetest.Trusted(), storetest.Origin)
}

// TestDatabaseRefuses: what our own code would never do, the database refuses
// by itself.
func TestDatabaseRefuses(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	for n := range 2 {
		if err := submit(d, n); err != nil {
			t.Fatal(err)
		}
	}
	id := storetest.Workload(acme, 0).ID
	for _, a := range []workload.AttemptState{workload.AttemptHeld, workload.AttemptRunning} {
		err := d.For(acme).Update(ctx, func(tx store.TenantTx) error {
			x, err := tx.Attempt(id, 1)
			if err != nil {
				x = storetest.Attempt(storetest.Workload(acme, 0), 1)
				if err := tx.InsertAttempt(x, storetest.Event("")); err != nil {
					return err
				}
			}
			return tx.MoveAttempt(&x, a, storetest.Event(""))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	before, err := verify(t, d)
	if err != nil {
		t.Fatal(err)
	}
	const leaf = `INSERT INTO leaf (idx, tenant, tenant_seq, kind, object, workload, leaf, sealed)
		VALUES ((SELECT max(idx) + 1 FROM leaf), 'acme', 99, 'workload.moved', '', '', x'00', x'00'); `
	for name, statement := range map[string]string{
		"illegal move": leaf + `INSERT INTO transition (idx, tenant, object, id, rev, from_state, to_state)
			VALUES ((SELECT max(idx) FROM leaf), 'acme', 'workload', '` + id + `', 3, 'planned', 'running')`,
		"move twice": leaf + `INSERT INTO transition (idx, tenant, object, id, rev, from_state, to_state)
			VALUES ((SELECT max(idx) FROM leaf), 'acme', 'workload', '` + id + `', 2, 'accepted', 'planned')`,
		"move off the record":     `UPDATE workload SET state = 'offered', rev = 3 WHERE id = '` + id + `'`,
		"rev off the record":      `UPDATE workload SET rev = 3 WHERE id = '` + id + `'`,
		"birth off the record":    `INSERT INTO workload SELECT 'wl_x', tenant, state, rev, shape, sealed, enclave, created, changed, wanted, baseline, missed_at, missed_cause, cause FROM workload LIMIT 1`,
		"workload to a tenant":    `UPDATE workload SET tenant = 'umbrella'`,
		"loss of a workload":      `DELETE FROM workload`,
		"attempt off the record":  `UPDATE attempt SET state = 'succeeded', rev = 4`,
		"attempt to a tenant":     `UPDATE attempt SET tenant = 'umbrella'`,
		"loss of an attempt":      `DELETE FROM attempt`,
		"second live attempt":     `INSERT INTO attempt SELECT workload, 2, tenant, site, grant_id, epoch, state, rev, expires, started, ended, exit_code, cause, changed, active, run_since, suspensions, seen, size FROM attempt`,
		"change of a leaf":        `UPDATE leaf SET sealed = x'00' WHERE idx = 1`,
		"loss of a leaf":          `DELETE FROM leaf WHERE idx = 1`,
		"exchange of a leaf":      `INSERT OR REPLACE INTO leaf SELECT * FROM leaf WHERE idx = 1`,
		"gap in the log":          strings.Replace(leaf, "+ 1", "+ 2", 1),
		"change of a hash":        `UPDATE loghash SET hashes = x'00'`,
		"loss of a hash":          `DELETE FROM loghash`,
		"exchange of a hash":      `INSERT OR REPLACE INTO loghash SELECT first, x'00' FROM loghash`,
		"change of a checkpoint":  `UPDATE checkpoint SET note = ''`,
		"loss of a checkpoint":    `DELETE FROM checkpoint`,
		"change of a transition":  `UPDATE transition SET to_state = 'cancelled'`,
		"loss of a transition":    `DELETE FROM transition`,
		"exchange of transitions": `INSERT OR REPLACE INTO transition SELECT * FROM transition`,
		"change of a decision":    `UPDATE decision SET body = '{}'`,
		"loss of a decision":      `DELETE FROM decision`,
		"change of legal moves":   `UPDATE legal SET to_state = 'running'`,
		"loss of legal moves":     `DELETE FROM legal`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := d.Raw(statement); err == nil {
				t.Error("the database let it pass")
			} else {
				t.Log(err)
			}
		})
	}
	after, err := verify(t, d)
	if err != nil || after != before {
		t.Errorf("after all that, verified %+v, %v; before, %+v", after, err, before)
	}
}

// TestTampering: whoever changes the file past all guards is found out, with
// the index of what was changed.
func TestTampering(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		index     int64 // of the leaf that is named; -1: none is
	}{
		"body":               {`UPDATE leaf SET sealed = CAST(replace(sealed, 'test', 'TEST') AS blob) WHERE idx = 4`, 4},
		"salt":               {`UPDATE leaf SET sealed = CAST(CASE substr(sealed, 1, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(sealed, 2) AS blob) WHERE idx = 4`, 4},
		"leaf":               {`UPDATE leaf SET leaf = CAST(replace(leaf, 'seq', 'sEq') AS blob) WHERE idx = 4`, 4},
		"kind":               {`UPDATE leaf SET kind = 'x' WHERE idx = 4`, 4},
		"tenant":             {`UPDATE leaf SET tenant = 'umbrella' WHERE idx = 4`, 4},
		"missing leaf":       {`DELETE FROM leaf WHERE idx = 4`, 4},
		"last leaf":          {`DELETE FROM leaf WHERE idx = (SELECT max(idx) FROM leaf)`, 15},
		"two leaves":         {`UPDATE leaf SET idx = CASE idx WHEN 4 THEN -4 WHEN 5 THEN -5 ELSE idx END; UPDATE leaf SET idx = 9 + idx WHERE idx < 0`, 4},
		"hash":               {`UPDATE loghash SET hashes = CAST(CASE substr(hashes, 1, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(hashes, 2) AS blob) WHERE first = (SELECT min(first) FROM loghash WHERE first > 4)`, 4},
		"checkpoint":         {`UPDATE checkpoint SET note = replace(note, 'test', 'toast') WHERE size = (SELECT max(size) FROM checkpoint)`, -1},
		"state":              {`UPDATE workload SET state = 'cancelled'`, -1},
		"rev":                {`UPDATE workload SET rev = 9`, -1},
		"missing workload":   {`DELETE FROM placement; DELETE FROM decision; DELETE FROM workload`, 3},
		"transition":         {`UPDATE transition SET to_state = 'cancelled' WHERE rev = 2`, -1},
		"state and record":   {`UPDATE transition SET to_state = 'cancelled' WHERE rev = 2; UPDATE workload SET state = 'cancelled'`, -1},
		"decision":           {`UPDATE decision SET body = replace(body, 'berlin', 'potsdam') WHERE idx = 6`, 6},
		"missing decision":   {`DELETE FROM placement; DELETE FROM decision WHERE idx = 6`, 6},
		"no checkpoint":      {`DELETE FROM checkpoint`, -1},
		"earlier checkpoint": {`DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := openSQLite(t, dir)
			for n := range 5 {
				if err := submit(d, n); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := verify(t, d); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			breakIn(t, dir, c.statement)
			ro, err := store.OpenReadOnly(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ro.Close() }()
			_, err = verify(t, ro)
			t.Log(err)
			var f *merkle.Fault
			switch found := errors.As(err, &f); {
			case err == nil && name == "earlier checkpoint":
				// An older state that is whole is found by who has seen the
				// newer one, and by the states in the tables.
				t.Error("a log cut short was not seen")
			case err == nil:
				t.Error("nothing was found")
			case c.index >= 0 && (!found || f.Index != c.index):
				t.Errorf("found %v, want leaf %d", err, c.index)
			}
		})
	}
}

// TestFalseEntry: a ledger entry that was false from the start is found too,
// though the log is whole: and so is one whose series was changed since.
func TestFalseEntry(t *testing.T) {
	for name, c := range map[string]struct {
		cook      func(*ledger.Entry)
		statement string
	}{
		"true":           {func(*ledger.Entry) {}, ""},
		"flattering":     {func(e *ledger.Entry) { e.Saved++ }, ""},
		"another signal": {func(e *ledger.Entry) { e.Uses[0].Intensity--; e.Uses[0].Carbon-- }, ""},
		"changed series": {func(*ledger.Entry) {}, `UPDATE signal SET body = unhex(substr(hex(body), 1, length(hex(body)) - 2) || '05') WHERE kind = 'measured'`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := openSQLite(t, dir)
			if err := d.System().Update(ctx, storetest.Everything(t, 1)); err != nil {
				t.Fatal(err)
			}
			var index int64
			err := d.For(acme).Update(ctx, func(tx store.TenantTx) error {
				lines, err := tx.Entries("", -1, 0)
				if err != nil {
					return err
				}
				index = lines[0].Index
				e := lines[0].Entry
				e.Uses = slices.Clone(e.Uses)
				c.cook(&e)
				if !reflect.DeepEqual(e, lines[0].Entry) || name == "true" {
					index, err = tx.AppendEntry(e)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if c.statement != "" {
				breakIn(t, dir, c.statement)
			}
			ro, err := store.OpenReadOnly(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ro.Close() }()
			_, err = verify(t, ro)
			t.Log(err)
			var f *merkle.Fault
			if name == "true" {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.As(err, &f) || f.Index != index {
				t.Errorf("found %v, want leaf %d", err, index)
			}
		})
	}
}

// breakIn changes a store's file as someone could who has it, without any of
// its guards.
func breakIn(t *testing.T, dir, statement string) {
	t.Helper()
	raw, err := sql.Open("sqlite", filepath.Join(dir, "clusy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	raw.SetMaxOpenConns(1)
	rows, err := raw.Query(`SELECT name FROM sqlite_master WHERE type = 'trigger'`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		names = append(names, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if _, err := raw.Exec("DROP TRIGGER " + n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// TestDamageIsFoundAtOpen: a store whose tree is not what was signed is not
// signed again.
func TestDamageIsFoundAtOpen(t *testing.T) {
	for name, statement := range map[string]string{
		"tree":       `UPDATE loghash SET hashes = zeroblob(length(hashes))`,
		"lost tree":  `DELETE FROM loghash`,
		"checkpoint": `UPDATE checkpoint SET note = replace(note, 'test', 'toast')`,
		"origin":     `UPDATE meta SET value = 'clusy.io/log/other' WHERE key = 'log.origin'`,
		"moves":      `INSERT INTO legal VALUES ('workload', 'succeeded', 'running')`,
		"version":    `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := openSQLite(t, dir)
			if err := errors.Join(submit(d, 1), d.Close()); err != nil {
				t.Fatal(err)
			}
			breakIn(t, dir, statement)
			d, err := store.Open(ctx, storetest.Options(dir))
			if err == nil {
				t.Error("it was opened", d.Close())
			}
			t.Log(err)
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	good := storetest.Options(t.TempDir())
	for name, change := range map[string]func(*store.Options){
		"no signer":         func(o *store.Options) { o.Signer = nil },
		"no origin":         func(o *store.Options) { o.Origin = "" },
		"another's key":     func(o *store.Options) { o.Origin = "demo.clusy.io/log/other" },
		"no directory":      func(o *store.Options) { o.Dir = "" },
		"file as directory": func(o *store.Options) { o.Dir = filepath.Join(t.TempDir(), "f"); _ = os.WriteFile(o.Dir, nil, 0o600) },
		"directory as file": func(o *store.Options) { o.Dir = t.TempDir(); _ = os.Mkdir(filepath.Join(o.Dir, "clusy.db"), 0o700) },
		"directory as lock": func(o *store.Options) { o.Dir = t.TempDir(); _ = os.Mkdir(filepath.Join(o.Dir, "lock"), 0o700) },
		"not a database": func(o *store.Options) {
			o.Dir = t.TempDir()
			_ = os.WriteFile(filepath.Join(o.Dir, "clusy.db"), []byte(strings.Repeat("text ", 2000)), 0o600)
		},
	} {
		o := good
		change(&o)
		if d, err := store.Open(ctx, o); err == nil {
			t.Errorf("%s: opened", name)
			_ = d.Close()
		}
		if name == "no signer" || name == "no origin" || name == "another's key" {
			if _, err := store.NewMemory(o); err == nil {
				t.Errorf("%s: opened in memory", name)
			}
		}
	}
	if _, err := store.OpenReadOnly(ctx, t.TempDir()); !problem.Is(err, problem.NotFound) {
		t.Errorf("an empty directory was opened for reading: %v", err)
	}
}

func TestLockAndModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state? 100%#1")
	d := openSQLite(t, dir)
	if err := submit(d, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(ctx, storetest.Options(dir)); !problem.Is(err, problem.Conflict) {
		t.Errorf("a second server opened the store: %v", err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 {
		t.Errorf("files are %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}

	// A reader comes and goes while the server runs, and sees what is new.
	ro, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := verify(t, ro); err != nil || r.Head.Size != 4 {
		t.Errorf("verified %+v, %v", r, err)
	}
	if err := submit(d, 2); err != nil {
		t.Fatal(err)
	}
	if r, err := verify(t, ro); err != nil || r.Head.Size != 7 {
		t.Errorf("verified %+v, %v", r, err)
	}
	if err := submit(ro, 3); err == nil {
		t.Error("a reader wrote")
	}
	if err := errors.Join(ro.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}

	// And when the server is down.
	ro, err = store.OpenReadOnly(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := verify(t, ro); err != nil || r.Head.Size != 7 {
		t.Errorf("verified %+v, %v", r, err)
	}
	if err := ro.Close(); err != nil {
		t.Fatal(err)
	}
	d = openSQLite(t, dir)
	if err := submit(d, 3); err != nil {
		t.Fatal(err)
	}
	if r, err := verify(t, d); err != nil || r.Head.Size != 10 {
		t.Errorf("verified %+v, %v", r, err)
	}
}

// TestSettings: what durability and the guards rest on is switched on.
func TestSettings(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "recursive_triggers": "1", "trusted_schema": "0", "busy_timeout": "5000",
	} {
		if got, err := d.Setting(pragma); err != nil || got != want {
			t.Errorf("%s is %s, want %s; %v", pragma, got, want, err)
		}
	}
	if _, err := verify(t, d); err != nil {
		t.Fatal(err)
	}
	if err := d.RawView("INSERT INTO meta (key, value) VALUES ('a', 'b')"); err == nil {
		t.Error("a reader's connection can write")
	}
}

// TestKill: a process that is killed in the middle of many writes has lost
// nothing that it answered, and its log is whole.
func TestKill(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_DIR"); dir != "" {
		writeUntilKilled(dir)
	}
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "STORE_TEST_DIR="+dir, fmt.Sprintf("STORE_TEST_ROUND=%d", round))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
			if n == 150+round*67 {
				_ = cmd.Process.Kill() // and read on what it had said before
			}
		}
		_ = cmd.Wait()

		d := openSQLite(t, dir)
		r, err := verify(t, d)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		err = d.For(acme).View(ctx, func(tx store.TenantTx) error {
			for id := range acknowledged {
				w, err := tx.Workload(id)
				if err != nil || w.State != workload.Planned {
					t.Errorf("round %d: %s was acknowledged: %v, %s", round, id, err, w.State)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %d acknowledged, %d moves on record in %d checkpoints", round, len(acknowledged), r.Moves, r.Checkpoints)
		if len(acknowledged) < 100*(round+1) {
			t.Fatalf("round %d: only %d were acknowledged", round, len(acknowledged))
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeUntilKilled(dir string) {
	d, err := store.Open(ctx, storetest.Options(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var all sync.WaitGroup
	var say sync.Mutex
	for g := range 8 {
		all.Go(func() {
			for n := 0; ; n++ {
				w := storetest.Workload(acme, n)
				w.ID = fmt.Sprintf("wl_%s_%d_%d", os.Getenv("STORE_TEST_ROUND"), g, n)
				err := d.For(acme).Update(ctx, func(tx store.TenantTx) error {
					if err := tx.InsertWorkload(w, storetest.Event("")); err != nil {
						return err
					}
					return tx.MoveWorkload(&w, workload.Planned, storetest.Event(""))
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				say.Lock()
				_, err = fmt.Println(w.ID)
				say.Unlock()
				if err != nil {
					os.Exit(1)
				}
			}
		})
	}
	all.Wait()
}

// TestGroupCommit: updates that wait together are committed together, each is
// covered by a checkpoint, and no group is too large.
func TestGroupCommit(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	if err := d.Patient(); err != nil {
		t.Fatal(err)
	}
	inside, leave := make(chan bool), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		_ = d.System().Update(ctx, func(tx store.SystemTx) error {
			close(inside)
			<-leave
			_, err := tx.Append(storetest.Event(audit.PlanRefused))
			return err
		})
	})
	<-inside
	const n = 300
	for range n {
		all.Go(func() {
			if err := d.For(acme).Update(ctx, func(tx store.TenantTx) error {
				_, err := tx.Append(storetest.Event(audit.PlanRefused))
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	for d.Queued() < 128 { // as many as may share a group; the others wait behind them
		time.Sleep(time.Millisecond)
	}
	close(leave)
	all.Wait()
	r, err := verify(t, d)
	if err != nil {
		t.Fatal(err)
	}
	// One checkpoint is the opening's; 301 updates by 128 make 3 groups, and
	// a few more if some came late.
	if r.Head.Size != 2+n || r.Checkpoints < 4 || r.Checkpoints > 20 {
		t.Errorf("%d updates made %d leaves and %d checkpoints", n, r.Head.Size, r.Checkpoints)
	}
}

// TestFullDisk: when the disk is full, nothing half is kept, those who had
// been promised nothing are told, and when there is room again all goes on.
func TestFullDisk(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	if err := submit(d, 0); err != nil {
		t.Fatal(err)
	}
	before, err := verify(t, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Raw("PRAGMA max_page_count = 1"); err != nil { // no page more than there are
		t.Fatal(err)
	}
	var all sync.WaitGroup
	failed := make([]error, 200)
	for n := range failed {
		all.Go(func() { failed[n] = submit(d, n+1) })
	}
	all.Wait()
	kept := int64(0)
	for n, err := range failed {
		if err == nil {
			kept++
		} else if !problem.Is(err, problem.Unready) {
			t.Errorf("update %d: %v (%s), want unready", n, err, problem.KindOf(err))
		}
	}
	if kept == int64(len(failed)) {
		t.Fatal("the disk was not full")
	}
	after, err := verify(t, d)
	if err != nil || after.Moves != before.Moves+2*kept {
		t.Errorf("%d were answered, and %d moves are on record, %d before: %v", kept, after.Moves, before.Moves, err)
	}
	if err := d.Raw("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	if err := submit(d, 1000); err != nil {
		t.Fatal(err)
	}
	if last, err := verify(t, d); err != nil || last.Moves != after.Moves+2 {
		t.Errorf("verified %+v, %v", last, err)
	}
}

// TestReadersSeeOneState: a view sees one state, whatever is written meanwhile.
func TestReadersSeeOneState(t *testing.T) {
	d := openSQLite(t, t.TempDir())
	err := d.System().View(ctx, func(tx store.SystemTx) error {
		before, err := tx.OpenWorkloads()
		if err != nil {
			return err
		}
		if err := submit(d, 1); err != nil { // a view does not hold up the writer
			return err
		}
		after, err := tx.OpenWorkloads()
		if len(before) != len(after) {
			t.Errorf("a view sees %d workloads, then %d", len(before), len(after))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// More views at once than there are readers wait for their turn.
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := d.For(acme).View(ctx, func(tx store.TenantTx) error {
				_, err := tx.Workloads(store.Filter{})
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	brief, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := store.VerifyLog(brief, d, storetest.Trusted(), storetest.Origin); !errors.Is(err, context.Canceled) {
		t.Errorf("a verification that was called off gave %v", err)
	}
}

// TestDriverPin: modernc.org/libc must be the very version that the driver was
// made with.
func TestDriverPin(t *testing.T) {
	ours, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	pin := regexp.MustCompile(`(?m)^\s*modernc\.org/libc (v\S+)`)
	a, b := pin.FindSubmatch(ours), pin.FindSubmatch(theirs)
	if a == nil || b == nil || string(a[1]) != string(b[1]) {
		t.Errorf("go.mod pins modernc.org/libc %s, the driver wants %s", a, b)
	}
}
