package plan

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// FuzzPromises: whatever the world looks like and however it goes on, a plan
// keeps every promise.
func FuzzPromises(f *testing.F) {
	for seed := range uint64(400) {
		f.Add(seed)
	}
	f.Add(uint64(211742)) // a site goes while another item is admitted beside its promise
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := history(seed, 6); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	})
}

// history lets a world of its own grow out of a seed and plans it again and again.
func history(seed uint64, steps int) error {
	r := rand.New(rand.NewPCG(seed, 0))
	s := randomSnapshot(r)
	p := Compute(s)
	for i := range steps {
		if err := Check(s, p); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		// The past and the day between are forgotten; only the plan goes on.
		s = live(r, s, p, time.Duration(r.IntN(150))*s.Step/60)
		if often(r, 30) {
			p = Compute(s)
			if err := kept(s, p); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
			continue
		}
		it := randomItem(r, s, fmt.Sprintf("x%02d", i))
		next, refusal := Admit(s, it)
		if refusal != nil {
			if len(refusal.Failed) == 0 {
				return fmt.Errorf("step %d: refused without a reason", i)
			}
			p = Compute(s)
		} else {
			s.Items = append(s.Items, it)
			p = next
		}
		if err := kept(s, p); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return Check(s, p)
}

// kept looks for dropped promises without Check's help.
func kept(s Snapshot, p Plan) error {
	placed := map[string]bool{}
	for _, pl := range p.Placements {
		placed[pl.Workload] = true
	}
	for _, it := range s.Items {
		if (it.Placement != nil || it.Pinned != "") && !placed[it.ID] {
			return fmt.Errorf("%s had a place and has none", it.ID)
		}
	}
	return nil
}

// Equal snapshots give equal plans, in whatever order their lists are.
func TestSameWorldSamePlan(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := randomSnapshot(r)
		a := Compute(s)
		r.Shuffle(len(s.Items), func(i, j int) { s.Items[i], s.Items[j] = s.Items[j], s.Items[i] })
		r.Shuffle(len(s.Sites), func(i, j int) { s.Sites[i], s.Sites[j] = s.Sites[j], s.Sites[i] })
		b := Compute(s)
		if a.ID != b.ID || !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: the plan depends on the order of its inputs", seed)
		}
	}
}
