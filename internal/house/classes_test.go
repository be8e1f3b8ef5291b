package house

import (
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// live carries a workload of a class to its end at the site, as reports tell it.
func (w *world) live(id, class string, end workload.Report) {
	w.t.Helper()
	w.submitShape(id, workload.Shape{
		Class: class, Duration: workload.Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour}, Power: 1000, Demand: workload.Resources{Slots: 1},
		When:   workload.When{CompleteBy: w.now.Add(12 * time.Hour)},
		Policy: workload.Policy{Promise: workload.Once, Baseline: workload.BaselineRunNow, OnNoSignal: workload.RunNow},
	})
	report := func(r workload.Report) {
		w.t.Helper()
		if err := w.loop.Step(w.t.Context(), w.now); err != nil {
			w.t.Fatal(err)
		}
		err := w.db.For(tenant).View(w.t.Context(), func(tx store.TenantTx) error {
			a, err := tx.Attempt(id, 1)
			r.Workload, r.N, r.Grant = id, a.N, a.Grant
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.ends[r.Grant] = r.State == workload.ReportEnded && r.ExitCode == 0 && r.Cause == ""
		w.absorb([]workload.Report{r})
	}
	report(workload.Report{State: workload.ReportAccepted})
	report(workload.Report{State: workload.ReportStarting})
	report(workload.Report{State: workload.ReportRunning, Started: w.now, RunSince: w.now})
	w.now = w.now.Add(time.Minute)
	end.Started, end.Ended = w.now.Add(-time.Minute), w.now
	report(end)
	report(end) // once more, as a network may
}

// What the ends of attempts tell of their class is kept with them, each once;
// what takes longer than declared is on record when it is first seen.
func TestClassesLearn(t *testing.T) {
	w := newWorld(t, 1)
	w.absorb(nil) // it is there, and not only known
	n := 0
	live := func(class string, end workload.Report) {
		t.Helper()
		n++
		w.live(fmt.Sprintf("wl_c%d", n), class, end)
	}
	took := func(d time.Duration) workload.Report {
		return workload.Report{State: workload.ReportEnded, Active: d}
	}
	read := func(class string) (h workload.History, drifts int) {
		t.Helper()
		err := w.db.For(tenant).View(t.Context(), func(tx store.TenantTx) (err error) {
			if h, err = tx.History(class); problem.Is(err, problem.NotFound) {
				err = nil
			}
			es, err2 := tx.Events(store.EventFilter{After: -1})
			for _, e := range es {
				if e.Event.Kind == audit.ClassDrifted && e.Event.Object == "class:"+class {
					drifts++
				}
			}
			if err == nil {
				err = err2
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return h, drifts
	}
	live("nightly", took(30*time.Minute))
	live("nightly", workload.Report{State: workload.ReportEnded, Active: time.Minute, ExitCode: 1})
	live("nightly", workload.Report{State: workload.ReportStopped, Active: time.Minute})
	live("nightly", workload.Report{State: workload.ReportEnded, Active: 2 * time.Hour, ExitCode: 137, Cause: "max-duration"})
	live("", took(time.Minute))
	h, drifts := read("nightly")
	if len(h.Runs) != 2 || h.Runs[0].Length != 30*time.Minute || h.Runs[0].Killed || !h.Runs[1].Killed || h.Runs[1].Site != liar || h.Runs[1].Declared != time.Hour || drifts != 0 {
		t.Fatalf("%+v, %d drifts", h, drifts)
	}
	// Of 3 runs 2 are longer than they should be: that is once in a hundred and
	// more. It is said once, and not again while it lasts.
	live("nightly", took(70*time.Minute))
	live("nightly", took(70*time.Minute))
	if h, drifts := read("nightly"); len(h.Runs) != 4 || drifts != 1 || !workload.Learn(h).Drifted {
		t.Errorf("%d runs, %d drifts, %+v", len(h.Runs), drifts, workload.Learn(h))
	}
	w.check()
}
