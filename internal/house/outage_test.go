package house

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

const (
	cycle   = time.Hour
	closely = 6 * time.Minute // near the end of the outage: longer than a source is left alone that fails
	healthy = 24 * time.Hour
	dead    = 72 * time.Hour
	// silentFor is how long a provider may not be heard of until its forecast is
	// not of grade A any more.
	silentFor = 3 * time.Hour
	after     = 60 * time.Hour // until all that was submitted has run and is booked
)

// TestOutage: every provider is dead for three days, in every way in which one
// can be. A decision is made in each cycle, on what is known, and says of which
// grade that is; nothing is late for it, and no hour is booked for more than it
// is. When they are back, so is grade A, with the next look.
func TestOutage(t *testing.T) {
	w := newVale(t)
	began := w.now
	died, back := began.Add(healthy), began.Add(healthy+dead)
	seen := map[grid.Grade]int{}
	for ; w.now.Before(back.Add(after)); w.now = w.now.Add(w.step(back)) {
		down := !w.now.Before(died) && w.now.Before(back)
		w.mood(down)
		w.around()
		for _, h := range w.health() {
			// It is made anew each hour: what holds is how things stood then.
			told := w.seers[0].told[grid.Zone(h.Zone)]
			// It was left alone for a moment when it last failed.
			left := !w.now.Before(back) && w.now.Before(back.Add(closely))
			if h.Zone != "PL" && !down && !left && w.now.Sub(told) > 2*time.Hour {
				t.Errorf("at %s the newest forecast of %s that was asked for is of %s", w.now, h.Zone, told)
			}
			want := grid.GradeA
			switch made := h.Forecast; {
			case h.Zone == "PL": // no provider has it, and no climatology
				want = grid.GradeE
			case made.Sub(h.MeasuredUntil) >= 48*time.Hour:
				want = grid.GradeD
			case made.Sub(told) > silentFor+2*cycle:
				want = grid.GradeC
			case made.Sub(told) > silentFor:
				want = grid.Grade(h.Grade) // it was asked up to a cycle after it had told
			}
			if grade := grid.Grade(h.Grade); grade != want {
				t.Fatalf("at %s, measured until %s and foretold at %s, the forecast of %s in use is of grade %s, want %s", w.now, h.MeasuredUntil, told, h.Zone, grade, want)
			}
			if w.now.Sub(h.Forecast) >= time.Hour {
				t.Errorf("at %s the forecast of %s is of %s", w.now, h.Zone, h.Forecast)
			}
			if h.Zone != "PL" {
				if seen[want]++; down && !h.LastErrorAt.After(h.LastSuccess) {
					t.Errorf("at %s the health of %s shows no trouble: %+v", w.now, h.Zone, h)
				}
			}
		}
		if w.now.Sub(began)%(6*time.Hour) == 0 {
			w.tell()
		}
		if w.now.Before(back.Add(after-32*time.Hour)) && w.now.Minute() == 0 {
			w.submit()
		}
	}
	if seen[grid.GradeA] == 0 || seen[grid.GradeC] == 0 || seen[grid.GradeD] == 0 {
		t.Errorf("grades seen: %v", seen)
	}
	for _, s := range w.seers {
		for ill := range illnesses {
			if s.bad[ill] == 0 { // of the kinds in turn, each comes in its turn
				t.Errorf("%s was never asked while it was ill in way %d", s.Name(), ill)
			}
		}
	}
	w.inTime()
	w.booked(died, back)
}

// step is how long the next cycle is.
func (w *vale) step(back time.Time) time.Duration {
	if !w.now.Before(back.Add(-time.Hour)) && w.now.Before(back.Add(time.Hour)) {
		return closely
	}
	return cycle
}

// tell writes a line of the timeline.
func (w *vale) tell() {
	var b strings.Builder
	for _, h := range w.health() {
		fmt.Fprintf(&b, "  %s %s, measured until %s", h.Zone, h.Grade, h.MeasuredUntil.Format("02 15:04"))
	}
	w.t.Logf("%s %d submitted%s", w.now.Format("02 15:04"), len(w.sent), b.String())
}

// inTime looks at what became of all that was submitted.
func (w *vale) inTime() {
	w.t.Helper()
	err := w.db.For(tenant).View(w.t.Context(), func(tx store.TenantTx) error {
		for _, s := range w.sent {
			wl, err := tx.Workload(s.ID)
			if err != nil {
				return err
			}
			attempts, err := tx.Attempts(s.ID)
			if err != nil {
				return err
			}
			if wl.State != workload.Succeeded || !wl.MissedAt.IsZero() || attempts[len(attempts)-1].Ended.After(wl.Shape.When.CompleteBy) {
				w.t.Errorf("%s of %s, to be complete by %s, is %s (missed at %s: %s)", s.ID, wl.Created, wl.Shape.When.CompleteBy, wl.State, wl.MissedAt, wl.MissedCause)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// booked looks at the ledger: what is booked as measured was measured, what was
// only expected says so, and on a yearly mean nothing is claimed.
func (w *vale) booked(died, back time.Time) {
	w.t.Helper()
	var entries []ledger.Entry
	var open int
	err := w.db.System().View(w.t.Context(), func(tx store.SystemTx) error {
		for after := int64(-1); ; {
			lines, err := tx.For(tenant).Entries("", after, 100)
			if err != nil {
				return err
			}
			if len(lines) == 0 {
				break
			}
			for _, l := range lines {
				entries, after = append(entries, l.Entry), l.Index
			}
		}
		meters, err := tx.UnsettledMeters()
		open = len(meters)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	grades := map[string]int{}
	for _, e := range entries {
		what := fmt.Sprintf("the hour %s of %s, booked at %s", e.Meter.Hour, e.Meter.Workload, e.Booked)
		worst, expected := grid.Grade(""), false
		for _, uses := range [][]ledger.Use{e.Uses, e.Instead} {
			for _, u := range uses {
				worst = grid.Worse(worst, u.Signal.Grade)
				real, known := w.truth[u.Signal.Zone].At(u.From)
				measured := known && (u.Signal.Provider == "grid" || u.Signal.Provider == "spare") && !u.Signal.Estimated
				if measured && u.Intensity != real.Value {
					w.t.Errorf("%s: %s as measured, it was %s", what, u.Intensity, real.Value)
				}
				// A forecast in which a live provider has a say is of grade A, too.
				ours := strings.HasPrefix(u.Signal.Provider, "clusy/") && u.Signal.Estimated && (u.Signal.Grade > grid.GradeB || u.Signal.Issued.Before(died.Add(silentFor+2*cycle)))
				if measured != (u.Signal.Grade == grid.GradeA && !u.Signal.Estimated) || measured == ours {
					w.t.Errorf("%s: by %s of grade %s, estimated: %t", what, u.Signal.Provider, u.Signal.Grade, u.Signal.Estimated)
				}
				if expected = expected || ours; ours && !e.Booked.After(e.Meter.Hour.Add(w.loop.Patience)) {
					w.t.Errorf("%s: on a forecast, while its measured value was still waited for", what)
				}
			}
		}
		if e.Grade != worst || e.Claimed == (worst == grid.GradeE) {
			w.t.Errorf("%s is of grade %s (claimed: %t) on what is of grade %s", what, e.Grade, e.Claimed, worst)
		}
		when := "before"
		if !e.Meter.Hour.Before(back) {
			when = "after"
		} else if !e.Meter.Hour.Before(died) {
			when = "during"
		}
		if expected {
			when += ", expected"
		}
		grades[when+" "+string(worst)]++
	}
	w.t.Logf("%d cycles, %d submitted, %d hours booked: %v; %d open", w.cycles, len(w.sent), len(entries), grades, open)
	if open != 0 || grades["during A"] == 0 || grades["during, expected C"] == 0 || grades["during, expected E"] == 0 {
		w.t.Errorf("%d hours are not booked; booked are %v", open, grades)
	}
}
