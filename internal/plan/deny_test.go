package plan

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

// deny denies times to an item, in hours of the first day.
func deny(it *Item, spans ...Span) {
	for _, s := range spans {
		it.Shape.When.Deny = append(it.Shape.When.Deny, workload.Span(s))
	}
}

// The latest safe start beside what is denied, worked out by hand.
func TestLatestBesideWhatIsDenied(t *testing.T) {
	work := func(runs float64, in workload.Interruptible, spans ...Span) Item {
		d := time.Duration(runs * float64(time.Hour))
		it := Item{Shape: workload.Shape{Duration: workload.Duration{Expected: d, P95: d * 10 / 11}, Interruptible: in, When: workload.When{CompleteBy: hour(20)}}}
		deny(&it, spans...)
		return it
	}
	pauses := workload.Interruptible{Allowed: true, Overhead: 30 * time.Minute, MinRun: time.Hour}
	once := pauses
	once.MaxSuspensions = 1
	for _, c := range []struct {
		what string
		it   Item
		want float64
	}{
		{"nothing", work(3, workload.Interruptible{}), 17},
		{"later than all", work(3, workload.Interruptible{}, hours(20, 21)), 17},
		{"before it", work(3, workload.Interruptible{}, hours(16, 17)), 17},
		{"at its end", work(3, workload.Interruptible{}, hours(19, 22)), 16},
		{"no gap is long enough", work(3, workload.Interruptible{}, hours(14, 15), hours(17.5, 18)), 11},
		{"suspended over it", work(3, pauses, hours(16, 18)), 14.5}, // 2 h after it, half an hour to resume, 1.5 h before
		{"suspended over two", work(6, pauses, hours(12, 13), hours(16, 18)), 10},
		{"a gap too short to be suspended after", work(6, pauses, hours(14, 15), hours(15.5, 18)), 9.5},
		{"a last gap too short to be resumed in", work(3, pauses, hours(16, 19.5)), 13},
		{"a first run too short to be suspended", work(2.2, pauses, hours(16, 18)), 15},
		{"only one pause", work(6, once, hours(12, 13), hours(16, 18)), 6},
		{"one pause is enough", work(3, once, hours(12, 13), hours(16, 18)), 14.5},
	} {
		if got := Latest(c.it, 0, time.Hour); !got.Equal(hour(c.want)) {
			t.Errorf("%s: %s, want %s", c.what, got.Format("15:04"), hour(c.want).Format("15:04"))
		}
	}
	// Suspended now, it pays once more; and a margin is kept.
	it := work(3, pauses, hours(16, 18))
	it.Suspensions, it.Done = 1, time.Hour
	if got := Latest(it, time.Hour, time.Hour); !got.Equal(hour(14)) {
		t.Errorf("suspended: %s", got)
	}
}

// Whatever begins at its latest safe start is complete in time: a simulation
// that runs whenever it may says so, for work of every kind.
func TestLatestIsSafe(t *testing.T) {
	paused := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 14))
		s := randomSnapshot(r)
		it := randomItem(r, s, "x")
		it.Shape.When.Deny = randomDeny(r, s)
		left, tail := remaining(it, s.Step)
		at, by := Latest(it, 0, s.Step), it.Shape.When.CompleteBy
		in := it.Shape.Interruptible
		stops := 0
		for need := left + tail; ; {
			end := at.Add(need)
			cut := false
			for _, d := range it.Shape.When.Deny {
				if !at.Before(d.Start) && at.Before(d.End) {
					t.Fatalf("seed %d: it would run at %s, in %v", seed, at, d)
				}
				if d.Start.After(at) && d.Start.Before(end) {
					if !in.Allowed || in.MaxSuspensions > 0 && stops >= in.MaxSuspensions {
						t.Fatalf("seed %d: it would be suspended once too often", seed)
					}
					stops++
					need, at, cut = need-d.Start.Sub(at)+in.Overhead, d.End, true
					break
				}
			}
			if !cut {
				if end.After(by) {
					t.Fatalf("seed %d: done at %s, later than %s: %+v from %s", seed, end, by, it.Shape, Latest(it, 0, s.Step))
				}
				break
			}
			// A gap that is too short is not used.
			for more := true; more; {
				more = false
				for _, d := range it.Shape.When.Deny {
					if !d.Start.Before(at) && d.Start.Sub(at) < max(in.MinRun, in.Overhead) && at.Add(need).After(d.Start) {
						at, more = d.End, true
					}
				}
			}
		}
		if stops > 0 {
			paused++
		}
	}
	if paused < 100 {
		t.Errorf("only %d were suspended", paused)
	}
}

// The whole way of denied work: placed around, suspended over, refused with the
// reason, and excused only if nothing else is left.
func TestDeniedWorkIsPlacedAround(t *testing.T) {
	s, _ := doubtful(t)
	item := *itemOfID(&s, "fresh")
	s.Items = nil
	rigid := item
	deny(&rigid, hours(1, 6.2))
	p, refused := Admit(s, rigid)
	if refused != nil || !p.Placements[0].Start().Equal(hour(6.5)) && p.Placements[0].Start().Before(hour(6.2)) {
		t.Fatalf("placed %+v, %+v", p.Placements, refused)
	}
	w := p.Placements[0].Why
	if w.Binding != BindingDenied || w.Fell[CauseDenied] == 0 || !strings.Contains(w.Text, "when.windows.deny") {
		t.Errorf("its reasons are %+v", w)
	}

	never := item
	deny(&never, hours(0, 3), hours(4, 7))
	_, refused = Admit(s, never)
	if refused == nil || refused.Failed[0].Field != "when.windows.deny" || !strings.Contains(refused.Failed[0].Message, "1 h, and 1 h 6 m") {
		t.Fatalf("refused with %+v", refused)
	}
	if !refused.NearestCompleteBy.Equal(hour(8.1).Add(time.Minute)) {
		t.Errorf("nearest is %s", refused.NearestCompleteBy)
	}
	never.Shape.When.CompleteBy = refused.NearestCompleteBy
	if _, refused = Admit(s, never); refused != nil {
		t.Errorf("and that is refused too: %+v", refused)
	}

	long := item
	long.Shape.Duration = workload.Duration{Expected: 4 * time.Hour, P95: 4 * time.Hour}
	long.Shape.When.NotBefore = time.Time{}
	deny(&long, hours(2, 3), hours(5, 6))
	if _, refused = Admit(s, long); refused == nil || refused.Failed[0].Field != "when.windows.deny" {
		t.Errorf("rigid: %+v", refused)
	}
	long.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: 6 * time.Minute, MinRun: 30 * time.Minute, MaxSuspensions: 2}
	p, refused = Admit(s, long)
	if refused != nil || len(p.Placements[0].Spans) != 3 {
		t.Errorf("interruptible: %+v %+v", p.Placements, refused)
	}
	long.Shape.Interruptible.MaxSuspensions = 1
	if _, refused = Admit(s, long); refused == nil || refused.Failed[0].Field != "when.windows.deny" || !strings.Contains(refused.Failed[0].Message, "at most 1 pause") {
		t.Errorf("one pause: %+v", refused)
	}

	// What runs and cannot be stopped is excused, and says so.
	late := item
	late.Pinned, late.Running, late.RunSince = "a", true, hour(0.5)
	late.Shape.When.NotBefore = time.Time{}
	deny(&late, hours(1, 2))
	s.Items = []Item{late}
	p = Compute(s)
	if err := Check(s, p); err != nil || !strings.Contains(p.Placements[0].Why.Text, "denied to it") {
		t.Errorf("%v: %s", err, p.Placements[0].Why.Text)
	}
	// A promise that has become denied moves.
	moved := item
	moved.Placement = &Placement{Workload: "fresh", Site: "a", Spans: []Span{hours(4, 5)}}
	deny(&moved, hours(4, 5))
	s.Items = []Item{moved}
	p = Compute(s)
	if err := Check(s, p); err != nil || deniedBetween(moved, p.Placements[0].Start(), p.Placements[0].Reserved) {
		t.Errorf("%v: %v", err, p.Placements[0].Spans)
	}
}

// Past a week after completeBy nobody knows what is denied: no later completeBy
// is named.
func TestNearestIsNotGuessed(t *testing.T) {
	s, _ := doubtful(t)
	it := *itemOfID(&s, "fresh")
	s.Items, s.Horizon = nil, 20*24*time.Hour
	deny(&it, Span{Start: hour(0), End: it.Shape.When.CompleteBy.Add(workload.DenyAhead)})
	_, refused := Admit(s, it)
	if refused == nil || refused.Failed[0].Field != "when.windows.deny" || !refused.NearestCompleteBy.IsZero() {
		t.Errorf("refused with %+v", refused)
	}
	it.Shape.When.Deny = it.Shape.When.Deny[:0:0]
	deny(&it, Span{Start: hour(0), End: it.Shape.When.CompleteBy.Add(workload.DenyAhead - 2*time.Hour)})
	if _, refused = Admit(s, it); refused == nil || refused.NearestCompleteBy.IsZero() {
		t.Errorf("refused with %+v", refused)
	}
}
