package store_test

import (
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
)

// BenchmarkSnapshot reads the newest forecasts of 1,000 zones, 72 hours in
// steps of five minutes with their bands, from disk and from the shelf.
func BenchmarkSnapshot(b *testing.B) {
	dir := b.TempDir()
	d := openSQLite(b, dir)
	err := d.System().Update(ctx, func(tx store.SystemTx) error {
		var all []store.Signal
		for z := range 1000 {
			s := storetest.Series(grid.Zone(fmt.Sprint("Z-", z)), storetest.Noon)
			s.Step = 5 * time.Minute
			for i := range 864 {
				v := grid.Intensity(300_000 + 613*((i*i+z)%97))
				s.Values, s.Low, s.High = append(s.Values, v), append(s.Low, v-v/10), append(s.High, v+v/9)
			}
			all = append(all, store.Signal{Kind: store.Forecast, Series: s})
		}
		_, err := tx.PutSignals(all, storetest.Event(""))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	read := func(d store.DB) {
		if all, err := latest(d); err != nil || len(all) != 1000 {
			b.Fatal(len(all), err)
		}
	}
	b.Run("disk", func(b *testing.B) {
		for b.Loop() {
			ro, err := store.OpenReadOnly(ctx, dir)
			if err != nil {
				b.Fatal(err)
			}
			read(ro)
			if err := ro.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("shelf", func(b *testing.B) {
		read(d)
		for b.Loop() {
			read(d)
		}
	})
}
