package reconcile

import (
	"context"
	"fmt"
	"slices"
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

// A site gets what starts soonest, as much as it can report on; another site
// has hands of its own.
func TestDueBounds(t *testing.T) {
	l := &Loop{OfferFor: 90 * time.Second}
	due := l.due(crowd(1000, 56), noon)
	if len(due) != inHand-56+1 {
		t.Fatalf("%d are offered, want %d", len(due), inHand-56+1)
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

	// A full site takes what starts soon all the same, and nothing else.
	w := crowd(300, inHand)
	soon := noon.Add(2*l.OfferFor - time.Second)
	for i := range w.Placements[:40] {
		w.Placements[i].Spans[0].Start = soon
	}
	if due := l.due(w, noon); len(due) != 41 {
		t.Errorf("a full site is offered %d, want the 40 that start soon, and 1 elsewhere", len(due))
	}
	if due := l.due(crowd(3000, inHandSoon), noon); len(due) != 1 {
		t.Errorf("a site that can report on no more is offered %d", len(due)-1)
	}

	// What its site keeps refusing takes nobody's place meanwhile.
	l.later = map[string]time.Time{"p0000": noon.Add(time.Minute)}
	if due := l.due(crowd(1000, 0), noon); slices.Contains(due, "p0000") || !slices.Contains(due, "p0256") || len(due) != inHand+1 {
		t.Errorf("offered are %d, and among them what the site keeps refusing: %t", len(due), slices.Contains(due, "p0000"))
	}
	// To take back goes before to offer.
	w = crowd(10, 0)
	w.Open = append(w.Open, workload.Workload{ID: "old", State: workload.Offered})
	w.Attempts = append(w.Attempts, workload.Attempt{Workload: "old", Site: "a", State: workload.AttemptOffered, Expires: noon.Add(-time.Second)})
	if due := l.due(w, noon); due[0] != "old" {
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
		takes := time.Second
		go l.turns(ctx, wake, func(context.Context, time.Time) error {
			begins = append(begins, time.Since(start))
			time.Sleep(takes)
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
		takes = 0
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
