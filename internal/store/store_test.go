package store_test

import (
	"context"
	"testing"

	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
)

var ctx = context.Background()

func openSQLite(t testing.TB, dir string) *store.SQLite {
	t.Helper()
	d, err := store.Open(ctx, storetest.Options(dir))
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

func TestSQLite(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.DB { return openSQLite(t, t.TempDir()) })
}

func TestMemory(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.DB {
		d, err := store.NewMemory(storetest.Options(""))
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
