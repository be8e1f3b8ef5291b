package store_test

import (
	"strings"
	"testing"

	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/pgtest"
	"clusy.io/clusy/internal/store/storetest"
)

// A store of one machine moves into PostgreSQL whole: all that was there is
// there, the log has the same head, and it goes on from it.
func TestMoveToPostgres(t *testing.T) {
	dir := t.TempDir()
	d := openSQLite(t, dir)
	storetest.Fill(t, d)
	pg := pgtest.Shared(t)
	address := pg.Address(pg.Schema(t))
	move := func() (store.Moved, error) {
		return store.MoveToPostgres(ctx, dir, address, storetest.Trusted(), storetest.Origin, func(store.MovedTable) {})
	}
	if _, err := move(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a store that is open was moved: %v", err)
	}
	was := storetest.Sound(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := move()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, x := range m.Tables {
		rows[x.Name] = x.Rows
	}
	if m.Head != was.Head || rows["leaf"] != was.Head.Size || rows["workload"] == 0 || rows["signal"] == 0 || rows["site"] == 0 || rows["token"] == 0 {
		t.Errorf("moved %+v of %+v", m, was)
	}
	to := openPostgres(t, address)
	if is := storetest.Sound(t, to); is != was {
		t.Errorf("the copy is %+v, the store was %+v", is, was)
	}
	w := storetest.Workload("acme", 4711)
	if err := to.For("acme").Update(ctx, func(tx store.TenantTx) error { return tx.InsertWorkload(w, storetest.Event("")) }); err != nil {
		t.Fatal(err)
	}
	storetest.Sound(t, to)
	if _, err := move(); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a store was moved over another: %v", err)
	}
}
