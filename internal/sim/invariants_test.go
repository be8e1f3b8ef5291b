package sim

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func clockAt(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// kept is what came of two workloads that ran side by side, the first in two
// parts: all of it as promised.
func kept() *Facts {
	f := &Facts{Now: clockAt(600), Ended: true, Workloads: map[string]workload.Workload{}, Attempts: map[string][]workload.Attempt{},
		Sites: map[string]plan.Site{
			"a": {ID: "a", Zone: "DE", Capacity: workload.Resources{CPU: 4000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}},
			"b": {ID: "b", Zone: "GB", Capacity: workload.Resources{CPU: 4000, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}},
		}}
	for i, id := range []string{"wl_1", "wl_2"} {
		w := workload.Workload{ID: id, Tenant: access.Tenant(tenant), State: workload.Succeeded, Created: noon, Shape: workload.Shape{
			Power: 100 * grid.Watt, Demand: workload.Resources{CPU: 2000, Power: 100 * grid.Watt, Slots: 1},
			When: workload.When{CompleteBy: clockAt(300)}, Where: workload.Where{Allow: []string{"a"}},
		}}
		runs := []executor.Span{{From: clockAt(10), To: clockAt(40)}}
		work := Work{Length: 30 * time.Minute}
		if i == 0 {
			w.Shape.Interruptible = workload.Interruptible{Allowed: true, MaxSuspensions: 1}
			runs = append(runs, executor.Span{From: clockAt(60), To: clockAt(81)})
			work = Work{Length: 50 * time.Minute, Resume: time.Minute}
		}
		f.Workloads[id] = w
		f.Accepted = append(f.Accepted, Accepted{Workload: id, At: noon, Shape: intent.ShapeDigest(w.Shape), Due: w.Shape.When.CompleteBy})
		f.Attempts[id] = []workload.Attempt{{Workload: id, N: 1, Site: "a", State: workload.AttemptSucceeded}}
		name := "attempt:" + id + "/1"
		for j, to := range []workload.AttemptState{workload.AttemptOffered, workload.AttemptHeld, workload.AttemptRunning, workload.AttemptSucceeded} {
			f.Events = append(f.Events, audit.Event{At: clockAt(j), Object: name, To: string(to), Rev: int64(j + 1)})
		}
		end := runs[len(runs)-1].To
		o := executor.Observation{Phase: executor.Ended, Started: runs[0].From, Ended: end, Runs: runs}
		f.Ran = append(f.Ran, Ran{Workload: id, Attempt: 1, Site: "a", Starts: 1, Started: runs[0].From, Seen: o, Work: work})
		m := ledger.Meter{Workload: id, Attempt: 1, Hour: noon}
		for _, r := range runs {
			m.Runs = append(m.Runs, ledger.Run{From: r.From, To: r.To})
		}
		m.Energy = grid.Drawn(w.Shape.Power, ranFor(m))
		f.Entries = append(f.Entries, ledger.Entry{Meter: m})
	}
	return f
}

// TestInvariantsBite: each promise is found broken when it is, and by nothing
// else than what breaks it.
func TestInvariantsBite(t *testing.T) {
	if broken := CheckAll(kept()); len(broken) > 0 {
		t.Fatalf("all is kept, and it says %v", broken)
	}
	change := func(f *Facts, id string, do func(*workload.Workload)) {
		w := f.Workloads[id]
		do(&w)
		f.Workloads[id] = w
	}
	seen := map[string]bool{}
	for name, c := range map[string]struct {
		want  string // prefix of the invariant
		spoil func(*Facts)
	}{
		"a workload is gone":      {"S1", func(f *Facts) { delete(f.Workloads, "wl_2") }},
		"another shape is stored": {"S1", func(f *Facts) { change(f, "wl_2", func(w *workload.Workload) { w.Shape.Policy.Priority = 7 }) }},
		"two live attempts": {"S2", func(f *Facts) {
			f.Events = append(f.Events, audit.Event{Object: "attempt:wl_1/2", To: string(workload.AttemptOffered), Rev: 1},
				audit.Event{Object: "attempt:wl_1/3", To: string(workload.AttemptOffered), Rev: 1})
		}},
		"started twice": {"S3", func(f *Facts) { f.Ran[1].Starts = 2 }},
		"a second attempt ran": {"S3", func(f *Facts) {
			again := f.Ran[1]
			again.Attempt, again.Started = 2, clockAt(50)
			again.Seen.Runs = []executor.Span{{From: clockAt(50), To: clockAt(80)}}
			f.Ran = append(f.Ran, again)
		}},
		"it never was held":    {"S4", func(f *Facts) { f.Events = slices.Delete(f.Events, 5, 6) }},
		"held after it began":  {"S4", func(f *Facts) { f.Events[1].At = clockAt(11) }},
		"another site's right": {"S4", func(f *Facts) { f.Attempts["wl_2"][0].Site = "b" }},
		"no record at all":     {"S4", func(f *Facts) { f.Attempts["wl_2"] = nil }},
		"it never ended":       {"S7", func(f *Facts) { f.Ran[1].Seen.Phase = executor.Lost }},
		"it failed":            {"S7", func(f *Facts) { f.Ran[1].Seen.ExitCode = 3 }},
		"revoked, and ran":     {"S7", func(f *Facts) { f.Attempts["wl_2"][0].State = workload.AttemptRevoked }},
		"lost, and runs": {"S7", func(f *Facts) {
			f.Attempts["wl_2"][0].State, f.Ran[1].Seen.Phase = workload.AttemptLost, executor.Running
		}},
		"where it may not": {"S8", func(f *Facts) { change(f, "wl_2", func(w *workload.Workload) { w.Shape.Where.Allow = []string{"b"} }) }},
		"too early":        {"S8", func(f *Facts) { change(f, "wl_2", func(w *workload.Workload) { w.Shape.When.NotBefore = clockAt(20) }) }},
		"in a denied time": {"S8", func(f *Facts) {
			change(f, "wl_2", func(w *workload.Workload) {
				w.Shape.When.Deny = []workload.Span{{Start: clockAt(30), End: clockAt(60)}}
			})
		}},
		"over the capacity": {"S9", func(f *Facts) { change(f, "wl_2", func(w *workload.Workload) { w.Shape.Demand.CPU = 2001 }) }},
		"may not be suspended": {"S10", func(f *Facts) {
			change(f, "wl_1", func(w *workload.Workload) { w.Shape.Interruptible.Allowed = false })
		}},
		"suspended too often": {"S10", func(f *Facts) {
			change(f, "wl_1", func(w *workload.Workload) { w.Shape.Interruptible.MaxSuspensions = 0 })
		}},
		"ended before its time": {"S10", func(f *Facts) { f.Ran[1].Work.Length += time.Second }},
		"the log":               {"A1", func(f *Facts) { f.Log = errors.New("leaf 7 is not what it was") }},
		"booked twice":          {"A5", func(f *Facts) { f.Entries = append(f.Entries, f.Entries[1]) }},
		"an hour is missing":    {"A5", func(f *Facts) { f.Entries = f.Entries[:1] }},
		"too much energy":       {"A5", func(f *Facts) { f.Entries[1].Meter.Energy += 10 }},
		"booked, never ran":     {"A5", func(f *Facts) { f.Entries[1].Meter.Attempt = 9 }},
		"it never ends":         {"L1", func(f *Facts) { change(f, "wl_2", func(w *workload.Workload) { w.State = workload.Held }) }},
		"it runs for ever":      {"L1", func(f *Facts) { f.Ran[1].Seen.Phase = executor.Running }},
		"late":                  {"L2", func(f *Facts) { f.Accepted[1].Due = clockAt(39) }},
		"it never ran":          {"L2", func(f *Facts) { f.Ran = f.Ran[:1] }},
	} {
		f := kept()
		c.spoil(f)
		all := CheckAll(f)
		found := slices.ContainsFunc(all, func(b Breach) bool {
			return strings.HasPrefix(b.Invariant, c.want+" ") || strings.HasPrefix(b.Invariant, c.want+"-")
		})
		if !found {
			t.Errorf("%s: %s does not see it; found %v", name, c.want, all)
		}
		seen[c.want] = true
	}
	for _, i := range Invariants {
		id, _, _ := strings.Cut(strings.ReplaceAll(i.Name, "-", " "), " ")
		if !seen[id] {
			t.Errorf("nothing here breaks %s", i.Name)
		}
	}
	// What the world broke is no broken promise, and what has still time is not late.
	f := kept()
	f.Accepted[1].Due = clockAt(39)
	f.Excused = func(a Accepted) string { return "site-down of a" }
	if broken := CheckAll(f); len(broken) > 0 {
		t.Errorf("excused: %v", broken)
	}
	f = kept()
	f.Now, f.Ended, f.Ran, f.Entries = clockAt(200), false, nil, nil
	for id := range f.Attempts {
		f.Attempts[id][0].State = workload.AttemptHeld
	}
	if broken := CheckAll(f); len(broken) > 0 {
		t.Errorf("on the way: %v", broken)
	}
}
