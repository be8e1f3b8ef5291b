package plan

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A load in many parts says what a plain list of claims says.
func TestLoadAsAList(t *testing.T) {
	type claim struct {
		a, b time.Duration
		need amounts
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		var l load
		var list []claim
		for range 900 {
			if len(list) > 0 && r.IntN(4) == 0 {
				i := r.IntN(len(list))
				c := list[i]
				l.add(c.a, c.b, c.need, -1)
				list = append(list[:i], list[i+1:]...)
				continue
			}
			a := time.Duration(r.IntN(3000))
			c := claim{a, a + time.Duration(r.IntN(900)), amounts{int64(r.IntN(5)), int64(r.IntN(3)), 0, 1}}
			l.add(c.a, c.b, c.need, 1)
			list = append(list, c)
		}
		if len(l.parts) < 5 {
			t.Fatalf("only %d parts", len(l.parts))
		}
		use := func(at time.Duration) (sum amounts) {
			for _, c := range list {
				if c.a <= at && at < c.b {
					sum = sum.and(c.need)
				}
			}
			return sum
		}
		for range 60 {
			need := amounts{int64(1 + r.IntN(100)), int64(r.IntN(50)), 0, 1}
			room := amounts{int64(100 + r.IntN(300)), 200, 100, int64(40 + r.IntN(100))}
			a := time.Duration(r.IntN(3500))
			b := a + time.Duration(1+r.IntN(300))
			lacks, crowded := false, false
			for at := a; at < b; at++ {
				lacks = lacks || over(use(at).and(need), need, room)
				crowded = crowded || over(use(at), need, room)
			}
			if l.lacks(a, b, need, room) != lacks || l.crowded(a, b, need, room) != crowded {
				t.Fatalf("seed %d: [%d, %d) lacks %t, crowded %t, a list says %t, %t", seed, a, b, !lacks, !crowded, lacks, crowded)
			}
		}
		need, room, from := amounts{60, 0, 0, 1}, amounts{int64(150 + r.IntN(200)), 500, 100, 300}, time.Duration(r.IntN(500))
		for i, until := range l.free(need, room, from, 40, 50) {
			start := from + time.Duration(i)*50
			want := start
			for want < 6000 && !over(use(want).and(need), need, room) {
				want++
			}
			if want == 6000 && until != forever || want < 6000 && until != want-from {
				t.Fatalf("seed %d: from slot %d there is room until %d, a list says %d", seed, i, until, want-from)
			}
		}
		for _, c := range list {
			l.add(c.a, c.b, c.need, -1)
		}
		if len(l.parts) != 0 {
			t.Fatalf("seed %d: nothing is taken and there are %d parts", seed, len(l.parts))
		}
	}
}
