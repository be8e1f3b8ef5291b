package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// crowd is a world with n planned workloads at one site, the last one first,
// ten minutes apart, and so many in the hands of the site already.
func crowd(n, held int) plan.World {
	w := plan.World{Now: noon, Sites: []plan.Site{{ID: "a"}, {ID: "b"}}}
	add := func(id string, s workload.State, site string, start time.Time) {
		w.Open = append(w.Open, workload.Workload{ID: id, State: s})
		w.Placements = append(w.Placements, plan.Placement{Workload: id, Site: site, Spans: []plan.Span{{Start: start, End: start.Add(time.Hour)}}})
	}
	for i := range n {
		add(fmt.Sprintf("p%04d", n-i-1), workload.Planned, "a", noon.Add(time.Duration(n-i)*10*time.Minute))
	}
	for i := range held {
		id := fmt.Sprintf("h%04d", i)
		add(id, workload.Held, "a", noon.Add(100*time.Hour))
		w.Attempts = append(w.Attempts, workload.Attempt{Workload: id, Site: "a", State: workload.AttemptHeld})
	}
	add("elsewhere", workload.Planned, "b", noon.Add(time.Hour))
	return w
}

// A site gets what starts soonest, as much as it can hold for later beside what
// is promised to run; another site has hands of its own.
func TestDueBounds(t *testing.T) {
	l := &Loop{OfferFor: 90 * time.Second}
	due := l.due(crowd(1000, 56), nil, noon)
	if len(due) != ahead-56+1 {
		t.Fatalf("%d are offered, want %d", len(due), ahead-56+1)
	}
	want := 0
	for _, id := range due {
		if id == "elsewhere" {
			continue
		}
		if id != fmt.Sprintf("p%04d", want) {
			t.Fatalf("number %d to be offered is %s: the nearest start goes first", want, id)
		}
		want++
	}

	// All that may be promised to start now gets a hand, however much is held
	// for later; and what runs leaves as much as ever to be held.
	now := func(w *plan.World, n int, s workload.State) {
		for i := range n {
			id := fmt.Sprintf("%s%04d", s, i)
			w.Open = append(w.Open, workload.Workload{ID: id, State: s})
			w.Placements = append(w.Placements, plan.Placement{Workload: id, Site: "a", Latest: noon, Spans: []plan.Span{{Start: noon, End: noon.Add(8 * time.Hour)}}})
			if s == workload.Running {
				w.Attempts = append(w.Attempts, workload.Attempt{Workload: id, Site: "a", State: workload.AttemptRunning})
			}
		}
	}
	w := crowd(1000, ahead)
	now(&w, plan.MostAtOnce, workload.Planned)
	if due := l.due(w, nil, noon); len(due) != plan.MostAtOnce+1 || slices.Contains(due, "p0000") {
		t.Errorf("%d of %d that must start now are offered", len(due)-1, plan.MostAtOnce)
	}
	w = crowd(1000, 0)
	now(&w, plan.MostAtOnce, workload.Running)
	if due := l.due(w, nil, noon); len(due) != ahead+1 {
		t.Errorf("a site that runs all it may is offered %d for later, want %d", len(due)-1, ahead)
	}
	// A site that can report on no more is offered nothing, though it be late.
	w = crowd(1000, 0)
	now(&w, inHand, workload.Running)
	now(&w, 10, workload.Planned)
	if due := l.due(w, nil, noon); len(due) != 1 {
		t.Errorf("a site that can report on no more is offered %d", len(due)-1)
	}

	// What its site keeps refusing takes nobody's place meanwhile.
	l.later = map[string]time.Time{"p0000": noon.Add(time.Minute)}
	if due := l.due(crowd(1000, 0), nil, noon); slices.Contains(due, "p0000") || !slices.Contains(due, fmt.Sprintf("p%04d", ahead)) || len(due) != ahead+1 {
		t.Errorf("offered are %d, and among them what the site keeps refusing: %t", len(due), slices.Contains(due, "p0000"))
	}
	// When its time is over, it is offered, and nothing is left to remember.
	if due := l.due(crowd(10, 0), nil, noon.Add(time.Minute)); !slices.Contains(due, "p0000") || len(l.later) > 0 {
		t.Errorf("offered are %v, remembered %v", due, l.later)
	}
	// To take back goes before to offer.
	w = crowd(10, 0)
	w.Open = append(w.Open, workload.Workload{ID: "old", State: workload.Offered})
	w.Attempts = append(w.Attempts, workload.Attempt{Workload: "old", Site: "a", State: workload.AttemptOffered, Expires: noon.Add(-time.Second)})
	if due := l.due(w, nil, noon); due[0] != "old" {
		t.Errorf("first is %s", due[0])
	}
}

// However much there is to do, a hand rests nine times as long as it worked;
// and it comes at once when woken after that, or when Every is over.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l := &Loop{Every: time.Minute, Now: time.Now}
		wake := make(chan struct{}, 1)
		var begins []time.Duration
		start := time.Now()
		var takes atomic.Int64
		takes.Store(int64(time.Second))
		go l.turns(ctx, wake, func(context.Context, time.Time) error {
			begins = append(begins, time.Since(start))
			time.Sleep(time.Duration(takes.Load()))
			return nil
		})
		awake := func(at time.Duration) {
			time.Sleep(at - time.Since(start))
			select {
			case wake <- struct{}{}:
			default:
			}
			synctest.Wait()
		}
		awake(2 * time.Second)  // it rests: comes at 10 s
		awake(15 * time.Second) // it rests from 11 s to 20 s
		takes.Store(0)
		awake(25 * time.Second) // rested: at once
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 25 * time.Second, 85 * time.Second, 145 * time.Second}
		if fmt.Sprint(begins) != fmt.Sprint(want) {
			t.Errorf("turns begin at %v, want %v", begins, want)
		}
		stop()
		synctest.Wait()
	})
}

// Planning is left out only while nothing has happened.
func TestPlannedSame(t *testing.T) {
	p := planned{last: 7, down: "a ", at: noon}
	for want, now := range map[planned]bool{
		{7, "a ", noon}: true, {7, "a ", noon.Add(4 * time.Minute)}: true,
		{8, "a ", noon}: false, {7, "", noon}: false, {7, "a ", noon.Add(5 * time.Minute)}: false, {7, "a ", noon.Add(-time.Second)}: false,
	} {
		if p.same(want, 5*time.Minute) != now {
			t.Errorf("%+v is the same: %t", want, !now)
		}
	}
}
