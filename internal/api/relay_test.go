package api

import (
	"strconv"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/problem"
)

// A question whose carrier hung up is asked again, one that is being answered
// is not, and one that nobody waits for any more is gone.
func TestRelayAsksAgain(t *testing.T) {
	var r relay
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	arrived := r.wait("berlin")
	asked, err := r.put("berlin", clusy.Ask{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	<-arrived
	take := func(after time.Duration) int { return len(r.take("berlin", noon.Add(after))) }
	if n := take(0); n != 1 {
		t.Fatalf("%d questions, want 1", n)
	}
	if n := take(askAgain); n != 0 {
		t.Errorf("%d questions while it is being answered", n)
	}
	arrived = r.wait("berlin")
	r.untake("berlin")
	<-arrived // whoever waits is told
	if n := take(0); n != 1 {
		t.Errorf("after the carrier hung up: %d questions, want 1", n)
	}
	if n := take(askAgain + 1); n != 1 {
		t.Errorf("without an answer for long: %d questions, want 1", n)
	}
	r.answer("berlin", clusy.Reply{ID: "1"})
	r.answer("berlin", clusy.Reply{ID: "1"})
	if got := <-asked; got.ID != "1" {
		t.Errorf("the answer is %+v", got)
	}
	r.drop("berlin", "1")
	if n := take(time.Hour); n != 0 {
		t.Errorf("answered, and %d questions", n)
	}
}

// A site that does not come is asked so much and no more, and who asks is told why.
func TestRelayIsBounded(t *testing.T) {
	var r relay
	for i := range maxAsks {
		if _, err := r.put("berlin", clusy.Ask{ID: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.put("berlin", clusy.Ask{ID: "more"}); !problem.Is(err, problem.Limited) {
		t.Errorf("one more: %v", err)
	}
	r.drop("berlin", "7")
	if _, err := r.put("berlin", clusy.Ask{ID: "more"}); err != nil {
		t.Errorf("one in the place of another: %v", err)
	}
}
