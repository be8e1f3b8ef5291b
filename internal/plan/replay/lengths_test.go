package replay

import (
	"testing"
	"time"
)

// crowd is jobs of one class of so many slots each, one a day.
func crowd(class string, lengths ...int) (jobs []Job) {
	for i, n := range lengths {
		jobs = append(jobs, Job{Arrive: 24 * i, Length: n, Due: 24*i + 20, Class: class})
	}
	return jobs
}

// night is clean from 3 to 6 of each day, and dirty else.
func night(days int) (curve []float64) {
	for range days {
		for h := range 24 {
			v := 400.0
			if h >= 3 && h < 6 {
				v = 100
			}
			curve = append(curve, v)
		}
	}
	return curve
}

func planned(t *testing.T, w *World, l Lengths) Outcome {
	t.Helper()
	o, err := w.Plan(Planning{Lengths: l})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Verify(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// The planner is told the truth until five jobs have ended, and then what those
// of the class, or all, had in common; never what is still to come.
func TestLengthsLearned(t *testing.T) {
	w := flat(4, night(12), crowd("c", 3, 3, 3, 3, 3, 3, 3, 12)...)
	o := planned(t, w, LengthsLearned)
	if want := (Told{Class: 3, Truth: 5, Over: 1, Killed: 1}); o.Told != want {
		t.Errorf("told %+v, want %+v", o.Told, want)
	}
	// The sixth is planned as well as if its length were known; the last, of which
	// nobody could know that it is long, is run to its end without a pause.
	for i, want := range map[int]Run{5: {123, 126}, 7: {171, 183}} {
		if p := o.Placed[i].Runs; len(p) != 1 || p[0] != want {
			t.Errorf("job %d runs %v, want %v", i, p, want)
		}
	}
	if truth := planned(t, w, LengthsTrue); truth.Told != (Told{Truth: 8}) {
		t.Errorf("the truth is told as %+v", truth.Told)
	}
	// Of another class nothing is known: all count as one.
	w.Jobs[7].Class = "d"
	if o := planned(t, w, LengthsLearned); o.Told.Class != 2 || o.Told.All != 1 {
		t.Errorf("a class of its own: %+v", o.Told)
	}
	// What ended before the beginning is known from the first job on.
	w = flat(4, night(12), crowd("c", 3)...)
	for i := range 5 {
		w.Earlier = append(w.Earlier, Earlier{"c", 3, monday.Add(time.Duration(i-9) * time.Hour)})
	}
	if o := planned(t, w, LengthsLearned); o.Told != (Told{Class: 1}) {
		t.Errorf("with a past: %+v", o.Told)
	}
}

func TestLengthsDeclared(t *testing.T) {
	w := flat(4, night(4), crowd("c", 3, 3)...)
	w.Jobs[0].Declared = 6
	o := planned(t, w, LengthsDeclared)
	if want := (Told{Declared: 1, Truth: 1}); o.Told != want {
		t.Errorf("told %+v, want %+v", o.Told, want)
	}
	// Told 6 h, it is begun so that six hours are as clean as can be; it takes 3.
	if p := o.Placed[0].Runs[0]; p.To-p.From != 3 || p.From > 3 {
		t.Errorf("it runs %v", p)
	}
}

// Who is told too little finds room taken, and is late by what he asked for.
func TestMissed(t *testing.T) {
	w := flat(1, night(4), Job{Length: 8, Due: 8, Declared: 2}, Job{Length: 2, Due: 6, Declared: 2})
	o := planned(t, w, LengthsDeclared)
	if s := w.Sum(&o, w.Measured); s.Missed == 0 || o.Told.Killed != 1 {
		t.Errorf("%+v, told %+v", s, o.Told)
	}
}
