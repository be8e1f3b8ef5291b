package plan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

// three is a chain of three in an hour-by-hour world, and a good plan for it.
func three(t *testing.T) (Snapshot, Plan) {
	t.Helper()
	s := hall(300, 200, 100, 150, 250, 350, 400, 420, 430, 440)
	a, b, c := work("a", 1, 1, 9), work("b", 1, 1, 9), work("c", 1, 2, 9)
	b.Shape.After, c.Shape.After = []string{"a"}, []string{"b"}
	s.Items = []Item{a, b, c}
	p := must(t, s)
	if len(p.Placements) != 3 {
		t.Fatalf("not all have a place: %+v", p.Unplaced)
	}
	return s, p
}

// Check objects to each way to break an order, in a plan that is good otherwise.
func TestCheckDoubtsTheOrder(t *testing.T) {
	for _, m := range []struct {
		promise Kept
		what    string
		do      func(*Snapshot, *Plan)
	}{
		{KeptAfter, "one starts before the end of the one before it", func(s *Snapshot, p *Plan) {
			at := find(p, "b").Reserved.Add(-time.Second)
			retime(*s, find(p, "c"), p.Placements[2].Site, Span{Start: at, End: at.Add(2 * time.Hour)})
		}},
		{KeptAfter, "one is new, and what it waits for has no place", func(s *Snapshot, p *Plan) {
			p.Placements = slices.DeleteFunc(p.Placements, func(pl Placement) bool { return pl.Workload == "a" })
			p.Unplaced = []Refusal{{Workload: "a", Failed: []Failed{{Field: "x", Message: "x"}}}}
		}},
		{KeptReserve, "a latest start that forgets what is behind", func(s *Snapshot, p *Plan) {
			find(p, "a").Latest = Latest(*itemOfID(s, "a"), s.Margin, s.Step)
		}},
		{KeptReserve, "a latest start that forgets the last of those behind", func(s *Snapshot, p *Plan) {
			alone := *s
			alone.Items = s.Items[:2]
			q := Compute(alone)
			find(p, "a").Latest = find(&q, "a").Latest
		}},
		{KeptTime, "one is late without need", func(s *Snapshot, p *Plan) {
			itemOfID(s, "c").Placement = &Placement{Workload: "c", Site: p.Placements[2].Site, Spans: []Span{{Start: hour(5), End: hour(7)}}}
			retime(*s, find(p, "c"), p.Placements[2].Site, Span{Start: hour(8), End: hour(10)})
		}},
	} {
		s, p := three(t)
		p.Certificate = nil
		p.ID = NewID(p)
		if err := Check(s, p); err != nil {
			t.Fatal(err)
		}
		m.do(&s, &p)
		p.ID = NewID(p)
		var broken *Broken
		if err := Check(s, p); !errors.As(err, &broken) || broken.Promise != m.promise {
			t.Errorf("%s: %v, want a breach of %s", m.what, err, m.promise)
		}
	}
	// Nor can the Book add what waits for others: it does not see them.
	s, p := three(t)
	var r roll
	r.at(s.Now, s)
	p.Placements, p.Certificate = p.Placements[2:], nil
	p.ID = NewID(p)
	var broken *Broken
	if err := r.doubt(s, s.Items[2:], p); !errors.As(err, &broken) || broken.Promise != KeptAfter {
		t.Errorf("an addition that waits for others: %v", err)
	}
}

// Carry moves nobody out of turn, and those of a chain that must move one after
// the other, whichever way they go.
func TestCarryKeepsTheOrder(t *testing.T) {
	s, p := three(t)
	var later []Placement
	for i := range p.Placements {
		pl := p.Placements[i]
		s.Items[i].Placement = &p.Placements[i]
		moved := pl
		var spans []Span
		for _, sp := range pl.Spans {
			spans = append(spans, Span{Start: sp.Start.Add(time.Hour), End: sp.End.Add(time.Hour)})
		}
		latest := pl.Latest
		retime(s, &moved, pl.Site, spans...)
		moved.Latest = latest
		later = append(later, moved)
	}
	if got, left := Carry(s, later); len(left) > 0 || len(got.Placements) != 3 {
		t.Errorf("%d of 3 were moved, left are %v", len(got.Placements), left)
	}
	for _, alone := range later[:2] {
		if got, _ := Carry(s, []Placement{alone}); len(got.Placements) > 0 {
			t.Errorf("%s was moved into the time of what waits for it", alone.Workload)
		}
	}
	early := later[2]
	latest := early.Latest
	retime(s, &early, early.Site, Span{Start: s.Items[2].Placement.Start().Add(-time.Minute), End: s.Items[2].Placement.Finish().Add(-time.Minute)})
	early.Latest = latest
	if got, _ := Carry(s, []Placement{early}); len(got.Placements) > 0 {
		t.Error("c was moved to before the end of b")
	}
}

// What waits in a circle, or for itself, waits for nobody there: no plan hangs.
func TestCirclesBindNobody(t *testing.T) {
	s := hall(300, 200, 100, 150, 250, 350)
	a, b, c := work("a", 1, 1, 6), work("b", 1, 1, 6), work("c", 1, 1, 6)
	a.Shape.After, b.Shape.After, c.Shape.After = []string{"b", "a"}, []string{"a"}, []string{"b", "nobody"}
	s.Items = []Item{a, b, c}
	if p := must(t, s); len(p.Placements) != 3 {
		t.Errorf("refused: %+v", p.Unplaced)
	}
}

// As those before it end sooner than was booked, one need not wait any longer.
func TestFreedWorkGoesForward(t *testing.T) {
	s := hall(200, 200, 200, 200, 200, 200, 200, 200)
	a, b := work("a", 1, 1, 8), work("b", 1, 1, 8)
	a.Shape.Duration.P95 = 3 * time.Hour
	b.Shape.After = []string{"a"}
	s.Items = []Item{a, b}
	p := must(t, s)
	starts(t, &p, "b", 3.5)
	b.Placement = find(&p, "b")
	s.Items, s.Now, s.Parent = []Item{b}, hour(1), p.ID
	p = must(t, s)
	starts(t, &p, "b", 1)
}

// A promise moves out of the way of what is to wait for it, and what has no time
// left behind it is refused with the nearest completeBy that would do.
func TestDependantsHaveTheirTime(t *testing.T) {
	s := hall(500, 400, 300, 200, 100, 90, 300, 300)
	a := work("a", 1, 2, 8)
	s.Items = []Item{a}
	p := must(t, s)
	starts(t, &p, "a", 4)
	s.Items[0].Placement = find(&p, "a")
	s.Parent = p.ID
	b := work("b", 1, 3, 8)
	b.Shape.After = []string{"a"}
	next, refused := Admit(s, b)
	if refused != nil {
		t.Fatalf("refused: %+v", refused)
	}
	withB := s
	withB.Items = append(slices.Clone(s.Items), b)
	if err := Check(withB, next); err != nil {
		t.Fatal(err)
	}
	if end := find(&next, "a").Reserved; end.After(hour(5)) {
		t.Errorf("a is booked until %s, and b needs three hours until 8", end)
	}
	b.Shape.When.CompleteBy = hour(4.5)
	_, refused = Admit(s, b)
	if refused == nil || !strings.Contains(refused.Failed[0].Message, "What it waits for") {
		t.Fatalf("refused with %+v", refused)
	}
	b.Shape.When.CompleteBy = refused.NearestCompleteBy
	if _, again := Admit(s, b); again != nil {
		t.Errorf("refused at the nearest completeBy %s: %+v", b.Shape.When.CompleteBy, again)
	}
}
