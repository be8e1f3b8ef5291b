package ledger

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

// corrected is the world after the provider said that the hour was cleaner by
// 100 g/kWh than it had said.
func corrected(w world) world {
	s := w.actual[0]
	s.Values = append([]grid.Intensity{}, s.Values...)
	for i := range s.Values {
		s.Values[i] -= 100_000
	}
	s.Revision, s.Ref = 1, ""
	s.Ref = s.Digest()
	w.actual = []grid.Series{s}
	return w
}

func restated(t *testing.T, old Line, w world) Entry {
	t.Helper()
	e, changed, err := Restate(old, believed(w.actual...), believed(w.baseline...), "re-estimated", at(20, 0))
	if err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	return e
}

func TestRestate(t *testing.T) {
	w := example()
	old := Line{Index: 7, Entry: w.entry(t)}
	e := restated(t, old, corrected(w))
	// 0.3 kWh in each of three quarters of an hour, each 100 g/kWh less: 90 g.
	if e.Emitted != old.Entry.Emitted-90*grid.Gram || e.Avoided != old.Entry.Avoided || e.Saved != old.Entry.Saved+90*grid.Gram {
		t.Errorf("emitted %s of %s, saved %s of %s", e.Emitted, old.Entry.Emitted, e.Saved, old.Entry.Saved)
	}
	if r := e.Restates; r.Index != 7 || r.Emitted != old.Entry.Emitted || r.Reason != "re-estimated" || !e.Booked.Equal(at(20, 0)) {
		t.Errorf("it restates %+v", r)
	}
	// It proves itself like any other, and that it is of the entry it says.
	if err := errors.Join(Recompute(e), CheckRestates(e, old)); err != nil {
		t.Error(err)
	}
	b, err := Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Unmarshal(b); err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("it comes back as %+v, %v", back, err)
	}
	// An older entry has no word of it.
	if b, _ := Marshal(old.Entry); strings.Contains(string(b), "restates") {
		t.Errorf("an entry that restates nothing is %s", b)
	}

	// The same figures, or worse ones, are no reason.
	if _, changed, err := Restate(old, believed(w.actual...), believed(w.baseline...), "why", at(20, 0)); changed || err != nil {
		t.Errorf("the same figures: changed %v, %v", changed, err)
	}
	worse := corrected(w)
	worse.actual[0].Grade, worse.actual[0].Ref = grid.GradeD, ""
	if _, changed, err := Restate(old, believed(worse.actual...), believed(w.baseline...), "why", at(20, 0)); changed || err != nil {
		t.Errorf("worse grades: changed %v, %v", changed, err)
	}
	// What is not known any more is not zero.
	if _, _, err := Restate(old, grid.Outlook{}, believed(w.baseline...), "why", at(20, 0)); !errors.Is(err, ErrUnknown) {
		t.Errorf("without a series: %v", err)
	}
	for _, reason := range []string{"", strings.Repeat("x", 501)} {
		if _, _, err := Restate(old, believed(w.actual...), believed(w.baseline...), reason, at(20, 0)); err == nil {
			t.Errorf("a reason of %d characters is taken", len(reason))
		}
	}
	broken := old
	broken.Entry.Saved++
	if _, _, err := Restate(broken, believed(w.actual...), believed(w.baseline...), "why", at(20, 0)); err == nil {
		t.Error("an entry whose figures contradict one another is restated")
	}
}

// Sums count what stands, by whatever way they are made, and a restatement of a
// restatement too.
func TestSumsCountWhatStands(t *testing.T) {
	w := example()
	other := w
	other.meter.Attempt = 2
	first := Line{1, w.entry(t)}
	second := Line{2, other.entry(t)}
	once := Line{3, restated(t, first, corrected(w))}
	twice := Line{4, restated(t, once, corrected(corrected(w)))}

	var tally, want Tally
	for _, l := range []Line{first, second, once, twice} {
		if err := tally.Add(l.Entry); err != nil {
			t.Fatal(err)
		}
	}
	plain := twice.Entry
	plain.Restates = nil
	for _, e := range []Entry{second.Entry, plain} {
		if err := want.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(tally.Parts, want.Parts) {
		t.Errorf("the tally is %+v, want %+v", tally.Parts, want.Parts)
	}
	got, err := Total([]Entry{first.Entry, second.Entry, once.Entry, twice.Entry})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Total([]Entry{second.Entry, plain})
	if err != nil || !reflect.DeepEqual(got.All, all.All) || !reflect.DeepEqual(got.Workloads, all.Workloads) {
		t.Errorf("the total is %+v, want %+v, %v", got.All, all.All, err)
	}
	if s := Standing([]Line{first, second, once, twice}); len(s) != 2 || s[0].Index != 2 || s[1].Index != 4 {
		t.Errorf("there stand %+v", s)
	}
	// A better grade moves an hour from one part to another.
	poor := w
	poor.actual = []grid.Series{w.actual[0]}
	poor.actual[0].Grade, poor.actual[0].Ref = grid.GradeE, ""
	weak := Line{5, poor.entry(t)}
	better := restated(t, weak, w)
	tally = Tally{}
	for _, e := range []Entry{weak.Entry, better} {
		if err := tally.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	for p, s := range tally.Parts {
		if p.Grade != better.Grade || s.Entries != 1 || s.Unclaimed != 0 || s.Saved != better.Saved || len(tally.Parts) != 1 {
			t.Errorf("part %+v is %+v", p, s)
		}
	}
	if _, err := Total([]Entry{better}); err == nil || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("a restatement of nothing: %v", err)
	}
}

func TestFalseRestatements(t *testing.T) {
	w := example()
	old := Line{Index: 7, Entry: w.entry(t)}
	good := restated(t, old, corrected(w))
	digest := strings.Repeat("ab", 32)
	for what, c := range map[string]struct {
		lie    func(*Entry)
		itself bool // the entry alone shows it
	}{
		"another index":    {func(e *Entry) { e.Restates.Index = 8 }, false},
		"another digest":   {func(e *Entry) { e.Restates.Digest = digest }, false},
		"another sum":      {func(e *Entry) { e.Restates.Emitted-- }, false},
		"another energy":   {func(e *Entry) { e.Restates.Energy++ }, false},
		"another baseline": {func(e *Entry) { e.Restates.Avoided++ }, false},
		"another hour":     {func(e *Entry) { e.Meter.Hour = e.Meter.Hour.Add(time.Hour) }, true},
		"another attempt":  {func(e *Entry) { e.Meter.Attempt++ }, false},
		"before the log":   {func(e *Entry) { e.Restates.Index = -1 }, true},
		"no digest":        {func(e *Entry) { e.Restates.Digest = "x" }, true},
		"no reason":        {func(e *Entry) { e.Restates.Reason = "" }, true},
		"less than none":   {func(e *Entry) { e.Restates.Emitted = -1 }, true},
		"no grade":         {func(e *Entry) { e.Restates.Grade = "" }, true},
		"a claim on E":     {func(e *Entry) { e.Restates.Grade = grid.GradeE }, true},
		"nothing":          {func(e *Entry) { e.Restates = nil }, false},
	} {
		e := good
		if e.Restates != nil {
			r := *good.Restates
			e.Restates = &r
		}
		c.lie(&e)
		if err := CheckRestates(e, old); err == nil {
			t.Errorf("%s: it passes against the entry it restates", what)
		}
		if err := Recompute(e); (err != nil) != c.itself {
			t.Errorf("%s: recomputed, %v", what, err)
		}
		var tally Tally
		if err := tally.Add(e); c.itself && e.Meter.Hour.Equal(good.Meter.Hour) && err == nil {
			t.Errorf("%s: it is added up", what)
		}
	}
}
