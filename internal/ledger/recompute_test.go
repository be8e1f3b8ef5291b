package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

// clone returns e with slices of its own.
func clone(e Entry) Entry {
	e.Uses, e.Instead, e.Meter.Runs = slices.Clone(e.Uses), slices.Clone(e.Instead), slices.Clone(e.Meter.Runs)
	return e
}

// Each figure changed alone is found and named.
func TestRecomputeNamesTheFigure(t *testing.T) {
	e := example().entry(t)
	for want, change := range map[string]func(*Entry){
		"method":            func(e *Entry) { e.Method = "clusy.io/attempt-hour/v2" },
		"uses[1].energy":    func(e *Entry) { e.Uses[1].Energy--; e.Uses[2].Energy++ },
		"uses[0].energy":    func(e *Entry) { e.Meter.Energy++ },
		"uses[2].carbon":    func(e *Entry) { e.Uses[2].Carbon-- },
		"uses[0].carbon":    func(e *Entry) { e.Uses[0].Intensity -= 1000 },
		"uses[0].to":        func(e *Entry) { e.Uses[0].To, e.Uses[1].From = at(10, 10), at(10, 10); e.Uses[1].Intensity = 400_000 },
		"uses[1].to":        func(e *Entry) { e.Uses[1].To = at(10, 40) },
		"uses is 4 pieces":  func(e *Entry) { e.Uses = append(e.Uses, e.Uses[0]) },
		"instead[0].energy": func(e *Entry) { e.Baseline.PUE += 100 },
		"instead[1].carbon": func(e *Entry) { e.Instead[1].Carbon++ },
		"instead is 3":      func(e *Entry) { e.Instead = append(e.Instead, e.Instead[1]) },
		"emitted":           func(e *Entry) { e.Emitted -= 1000; e.Saved += 1000 },
		"avoided":           func(e *Entry) { e.Avoided += 1000; e.Saved += 1000 },
		"saved":             func(e *Entry) { e.Saved++ },
		"grade":             func(e *Entry) { e.Instead[0].Signal.Grade = "E" },
		"claimed":           func(e *Entry) { e.Claimed = false },
		"uses[2].from":      func(e *Entry) { e.Uses[2].From = at(10, 40) },
		"a time":            func(e *Entry) { e.Booked = e.Booked.In(time.FixedZone("CET", 3600)) },
		"a time is written": func(e *Entry) { e.Booked = e.Booked.In(time.FixedZone("odd", 86400)) },
	} {
		bad := clone(e)
		change(&bad)
		err := Recompute(bad)
		var d *Difference
		if !errors.As(err, &d) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := Recompute(e); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// Inputs that cannot be are refused, whoever wrote them into an entry.
func TestRecomputeDoubtsInputs(t *testing.T) {
	e := example().entry(t)
	for _, c := range []struct {
		name, want string
		change     func(*Entry)
	}{
		{"no uses", "unknown at", func(e *Entry) { e.Uses = nil }},
		{"uses with a gap", "unknown at", func(e *Entry) { e.Uses = slices.Delete(e.Uses, 1, 2) }},
		{"uses out of order", "unknown at", func(e *Entry) { e.Uses[0], e.Uses[1] = e.Uses[1], e.Uses[0] }},
		{"use of no length", "unknown at", func(e *Entry) { e.Uses[0].To = e.Uses[0].From }},
		{"no instead", "unknown at", func(e *Entry) { e.Instead = nil }},
		{"earlier baseline", "unknown at", func(e *Entry) { e.Baseline.Start = at(7, 0) }},
		{"unknown intensity", "mg/kWh", func(e *Entry) { e.Uses[0].Intensity = grid.Unknown }},
		{"negative intensity", "mg/kWh", func(e *Entry) { e.Uses[0].Intensity = -7 }},
		{"absurd intensity", "mg/kWh", func(e *Entry) { e.Uses[0].Intensity = grid.MaxIntensity + 1 }},
		{"another zone", "signal is of zone", func(e *Entry) { e.Zone = "FR" }},
		{"another basis", "cannot be compared", func(e *Entry) { e.Instead[0].Signal.Basis.Signal = grid.Marginal }},
		{"more energy than is", "energy is", func(e *Entry) { e.Meter.Energy = 1 << 62 }},
		{"PUE of 0", "PUE is", func(e *Entry) { e.PUE = 0 }},
		{"no runs", "nothing to book", func(e *Entry) { e.Meter.Runs = nil }},
		{"nothing at all", "workload is", func(e *Entry) { *e = Entry{Method: Method} }},
		{"ref of nothing", "ref of the signal", func(e *Entry) { e.Uses[0].Signal.Ref = "" }},
	} {
		bad := clone(e)
		c.change(&bad)
		var d *Difference
		if err := Recompute(bad); err == nil || errors.As(err, &d) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// An entry that adds up is still wrong if its intensities are not those that
// were stored.
func TestCheck(t *testing.T) {
	w := example()
	e := w.entry(t)
	if err := Check(e, w.stored); err != nil {
		t.Fatal(err)
	}
	// A dirtier baseline, with all sums made to agree.
	lie := example()
	lie.baseline[0].Values[1] = 600_000
	bad := lie.entry(t)
	if err := Recompute(bad); err != nil {
		t.Fatal(err)
	}
	if err := Check(bad, w.stored); err == nil || !strings.Contains(err.Error(), "instead[0]") || !strings.Contains(err.Error(), "says 500000") {
		t.Errorf("the lie holds: %v", err)
	}
	for want, change := range map[string]func(*Entry){
		"uses[1]: intensity":          func(e *Entry) { e.Uses[1].Intensity-- },
		"instead[1]: intensity":       func(e *Entry) { e.Instead[1].Intensity++ },
		"no stored series":            func(e *Entry) { e.Uses[0].Signal.Ref = strings.Repeat("0", 64) },
		"signal is":                   func(e *Entry) { e.Uses[0].Signal.Grade = "B" },
		"signal is {Provider:other":   func(e *Entry) { e.Uses[0].Signal.Provider = "other" },
		"says {Provider:test Zone:DE": func(e *Entry) { e.Uses[0].Signal.Issued = day },
		"it ends at":                  func(e *Entry) { e.Uses[0].To = e.Uses[0].From },
		"has no value at":             func(e *Entry) { e.Uses[0].From, e.Uses[0].To = at(2, 0), at(2, 1) },
		// The whole piece counts, not its beginning alone.
		"says 300000 at 2026-03-14T10:15": func(e *Entry) { e.Uses[0].To = at(10, 20) },
	} {
		bad := clone(e)
		change(&bad)
		if err := Check(bad, w.stored); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, change := range map[string]func(*grid.Series){
		"was changed": func(s *grid.Series) { s.Values[4]++ },
	} {
		changed := example()
		change(&changed.actual[0])
		get := func(ref string) (grid.Series, bool) {
			if ref == w.actual[0].Ref {
				return changed.actual[0], true
			}
			return w.stored(ref)
		}
		if err := Check(e, get); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	// A series that no gate would let in proves nothing.
	odd := example()
	odd.actual[0].Step, odd.actual[0].Ref = 15*time.Second, ""
	odd.actual[0].Start = at(10, 0)
	odd.actual[0].Values = slices.Repeat([]grid.Intensity{5}, 240)
	if err := Check(odd.entry(t), odd.stored); err == nil || !strings.Contains(err.Error(), "step") {
		t.Errorf("a series of 15 s: %v", err)
	}
}
