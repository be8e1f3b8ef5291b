package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// tangle lets some items of a world wait for others, never in a circle.
func tangle(r *rand.Rand, s *Snapshot) {
	for i := range s.Items {
		for range r.IntN(3) {
			if i > 0 && !s.Items[i].Running && s.Items[i].Pinned == "" && s.Items[i].Placement == nil {
				s.Items[i].Shape.After = append(s.Items[i].Shape.After, s.Items[r.IntN(i)].ID)
			}
		}
	}
}

// held back: what waits for one that is still open has not begun, whatever its
// plan said.
func holdBack(before, s Snapshot) Snapshot {
	was, open := map[string]Item{}, map[string]bool{}
	for _, it := range before.Items {
		was[it.ID] = it
	}
	for _, it := range s.Items {
		open[it.ID] = true
	}
	for i, it := range s.Items {
		old := was[it.ID]
		if !old.Running && old.Done == 0 && slices.ContainsFunc(it.Shape.After, func(id string) bool { return open[id] }) {
			pl := it.Placement
			s.Items[i] = old
			s.Items[i].Placement = pl
		}
	}
	return s
}

// inOrderOf says which placement starts before the booked end of one that it
// waits for, without the help of Check.
func inOrderOf(s Snapshot, p Plan) error {
	at := map[string]Placement{}
	for _, pl := range p.Placements {
		at[pl.Workload] = pl
	}
	for _, it := range s.Items {
		pl, placed := at[it.ID]
		if !placed || it.Running {
			continue
		}
		for _, id := range it.Shape.After {
			if q, ok := at[id]; ok && pl.Start().Before(q.Reserved) {
				return fmt.Errorf("%s starts at %s, and %s is booked until %s", it.ID, pl.Start(), id, q.Reserved)
			}
		}
	}
	return nil
}

// However a world goes on in which work waits for other work, plans keep the
// order, and every promise.
func TestOrderIsKept(t *testing.T) {
	waiting, late := 0, 0
	for seed := range uint64(250) {
		r := rand.New(rand.NewPCG(seed, 77))
		s := randomSnapshot(r)
		tangle(r, &s)
		p := Compute(s)
		for i := range 5 {
			err := Check(s, p)
			if err == nil {
				err = inOrderOf(s, p)
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			for _, it := range s.Items {
				if len(it.Shape.After) > 0 {
					waiting++
				}
				if pl := placementOf(p, it.ID); pl != nil && pl.Reserved.After(it.Shape.When.CompleteBy) {
					late++
				}
			}
			was := s
			s = holdBack(was, live(r, s, p, time.Duration(r.IntN(150))*s.Step/60))
			it := randomItem(r, s, fmt.Sprintf("x%02d", i))
			if len(s.Items) > 0 && often(r, 70) {
				it.Shape.After = []string{s.Items[r.IntN(len(s.Items))].ID}
			}
			if next, refused := Admit(s, it); refused == nil {
				s.Items = append(s.Items, it)
				p = next
			} else {
				p = Compute(s)
			}
			if err := kept(s, p); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
		}
	}
	t.Logf("%d waited, %d late", waiting, late)
	if waiting < 1000 {
		t.Error("too little waits in this test")
	}
}
