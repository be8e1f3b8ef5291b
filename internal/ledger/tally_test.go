package ledger

import (
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

// A tally that grows entry by entry comes to what Total says of all at once,
// whichever way it is added up.
func TestTallyIsTotal(t *testing.T) {
	w := example()
	w.meter.Workload = "wl_2"
	w.baseline[0].Grade, w.baseline[0].Ref = "E", ""
	x := example()
	x.meter.Attempt = 2
	x.zone, x.pue = "PL", 1500
	x.actual = []grid.Series{series("PL", at(10, 0), time.Hour, 1000)}
	y := example()
	y.meter.Hour, y.meter.Runs, y.booked = at(11, 0), []Run{{From: at(11, 0), To: at(11, 10)}}, at(12, 5)
	y.actual = []grid.Series{series("DE", at(11, 0), time.Hour, 300)}
	y.baseline = []grid.Series{series("PL", at(7, 0), time.Hour, 999, 500, 400, 999, 100, 100)}
	all := []Entry{example().entry(t), w.entry(t), x.entry(t), y.entry(t)}
	want, err := Total(all)
	if err != nil {
		t.Fatal(err)
	}
	var tally Tally
	for i, e := range all {
		if err := tally.Add(e); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	for name, by := range map[string]func(Part) (string, bool){
		"all":   func(Part) (string, bool) { return "", true },
		"day":   func(p Part) (string, bool) { return p.Day.Format(time.DateOnly), true },
		"zone":  func(p Part) (string, bool) { return string(p.Zone), true },
		"grade": func(p Part) (string, bool) { return string(p.Grade), true },
	} {
		sums, err := Sums(tally, by)
		if err != nil {
			t.Fatal(err)
		}
		var got Sum
		for _, s := range sums {
			if err := into(&got, s); err != nil {
				t.Fatal(err)
			}
		}
		if got != want.All {
			t.Errorf("by %s it comes to %+v, want %+v", name, got, want.All)
		}
	}
	if none, _ := Sums(tally, func(Part) (string, bool) { return "", false }); len(none) != 0 {
		t.Errorf("parts that do not count come to %v", none)
	}
	if tally.First.After(tally.Last) || !tally.First.Equal(all[0].Meter.Hour) || !tally.Last.Equal(all[len(all)-1].Meter.Hour) {
		t.Errorf("it reaches from %s to %s", tally.First, tally.Last)
	}

	// What does not add is kept apart; what is false is refused, and changes
	// nothing.
	ours := tally.Newest
	other := all[0]
	other.Method = "another"
	if err := tally.Add(other); err != nil || tally.Newest == ours {
		t.Errorf("another method: %v", err)
	}
	lie := all[0]
	lie.Saved++
	nothing := all[0]
	nothing.Uses = nil
	for name, e := range map[string]Entry{"figures that contradict one another": lie, "no uses": nothing} {
		if tally.Add(e) == nil {
			t.Errorf("an entry of %s is added", name)
		}
	}
	if again, _ := Sums(tally, func(p Part) (int, bool) { return 0, p.Kind == ours }); again[0] != want.All {
		t.Error("a refused entry has changed the tally")
	}
}
