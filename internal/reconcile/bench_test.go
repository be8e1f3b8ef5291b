package reconcile

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/store/storetest"
)

var errUndo = errors.New("undo it")

// What a plan costs those who wait for the writer: if nothing happened since it
// was begun, if something else was admitted, and if it is made while they wait.
func BenchmarkReplan(b *testing.B) {
	for _, n := range []int{insideMost, 1000, 10000} {
		db, err := store.Open(b.Context(), storetest.Options(b.TempDir()))
		if err != nil {
			b.Fatal(err)
		}
		l, m := newLoop(b, db, 1_000_000, 1_000_000)
		parent, id := "", func(i int) string { return fmt.Sprintf("w%05d", i) }
		var moves []plan.Placement
		for i := 0; i < n; {
			update(b, m, func(tx store.SystemTx) error {
				for range 500 {
					if i >= n {
						break
					}
					w := hours(id(i), 0.5, 23)
					from := noon.Add(time.Duration(i%80) * 15 * time.Minute)
					pl := plan.Placement{Workload: w.ID, Site: "berlin", Spans: []plan.Span{{Start: from, End: from.Add(30 * time.Minute)}}, Reserved: from.Add(33 * time.Minute),
						Latest: noon.Add(23*time.Hour - 34*time.Minute), Currency: "EUR", Why: plan.Reasons{Binding: plan.BindingNone, Text: "because", Considered: 1}}
					pl.Energy = grid.Drawn(w.Shape.Power, 30*time.Minute) * 1200 / 1000
					pl.Cost = grid.Charged(pl.Energy, 250_000)
					if err := enter(tx, parent, w, &pl); err != nil {
						return err
					}
					parent = "plan-of-" + w.ID
					pl.Site = "madrid"
					moves = append(moves, pl)
					i++
				}
				return nil
			})
		}
		var d decision
		if err := m.View(b.Context(), func(tx Tx) (err error) {
			if d.looked, err = l.look(tx, noon); err != nil {
				return err
			}
			d.world, err = l.world(tx, noon)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		d.next = plan.Plan{ID: "next", Parent: parent}
		undone := func(b *testing.B, f func(tx Tx) error) {
			for b.Loop() {
				if err := m.Update(b.Context(), func(tx Tx) error { return errors.Join(f(tx), errUndo) }); err == nil || err.Error() != errUndo.Error() {
					b.Fatal(err)
				}
			}
		}
		for _, most := range []int{10, movesAtOnce} {
			d.changed = moves[:most]
			b.Run(fmt.Sprintf("of-%d/moves-%d/holds", n, most), func(b *testing.B) {
				undone(b, func(tx Tx) error { _, _, err := l.commitPart(tx, d); return err })
			})
			stale, made := d, 0
			stale.looked.last -= 4 * 100 // a hundred that were admitted are news
			b.Run(fmt.Sprintf("of-%d/moves-%d/carried", n, most), func(b *testing.B) {
				undone(b, func(tx Tx) error { left, _, err := l.commitPart(tx, stale); made = most - len(left); return err })
				b.ReportMetric(float64(made), "moves")
			})
		}
		if n > insideMost {
			continue
		}
		b.Run(fmt.Sprintf("of-%d/inside", n), func(b *testing.B) {
			undone(b, func(tx Tx) error {
				w, err := l.world(tx, noon)
				if err != nil {
					return err
				}
				d := decision{world: w}
				d.world.Sites[0].Down = true // all must leave
				l.decide(&d)
				if err := plan.Check(d.snap, d.next); err != nil {
					return err
				}
				d.next.Placements = d.changed
				return l.put(tx, d.next, nil, noon)
			})
		})
	}
}
