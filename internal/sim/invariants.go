package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Breach is a promise that was broken, and by which workload.
type Breach struct {
	Invariant string `json:"invariant"`
	Workload  string `json:"workload,omitempty"`
	What      string `json:"what"`
}

func (b Breach) String() string {
	return fmt.Sprintf("%s: %s %s", b.Invariant, b.Workload, b.What)
}

// Invariant is one promise of RELIABILITY §7.
type Invariant struct {
	Name string
	// Check returns what breaks it, each with the workload.
	Check func(*Facts) []Breach
}

// Invariants is all of them. They are the one set of functions that simulation,
// kill tests and the auditor of a server share.
var Invariants = []Invariant{
	{"S1 none is lost", notLost},
	{"S2 one live attempt", oneLive},
	{"S3 started once", startedOnce},
	{"S4 started by right", startedByRight},
	{"S7 no phantom end", noPhantom},
	{"S8 within its window and place", withinWindow},
	{"S9 within capacity", withinCapacity},
	{"S10 suspended by the rules", suspendedByRules},
	{"A1-A6 log, tables and ledger agree", logAgrees},
	{"A5 what was booked ran", bookedRan},
	{"L1 all end", allEnd},
	{"L2 none late", noneLate},
}

// CheckAll returns every breach.
func CheckAll(f *Facts) (all []Breach) {
	for _, i := range Invariants {
		for _, b := range i.Check(f) {
			b.Invariant = i.Name
			all = append(all, b)
		}
	}
	return all
}

func breach(id, format string, args ...any) Breach {
	return Breach{Workload: id, What: fmt.Sprintf(format, args...)}
}

func sortRan(r []Ran) {
	slices.SortFunc(r, func(a, b Ran) int {
		return cmp.Or(strings.Compare(a.Workload, b.Workload), cmp.Compare(a.Attempt, b.Attempt), strings.Compare(a.Site, b.Site))
	})
}

func notLost(f *Facts) (out []Breach) {
	for _, a := range f.Accepted {
		w, there := f.Workloads[a.Workload]
		switch {
		case !there:
			out = append(out, breach(a.Workload, "was acknowledged at %s and is not there", a.At.Format(time.RFC3339)))
		case intent.ShapeDigest(w.Shape) != a.Shape:
			out = append(out, breach(a.Workload, "is not what was acknowledged"))
		}
	}
	return out
}

// oneLive follows the log: at no time are two attempts of a workload alive.
func oneLive(f *Facts) (out []Breach) {
	live := map[string]map[string]bool{}
	for _, e := range f.Events {
		id, ok := strings.CutPrefix(e.Object, "attempt:")
		if !ok || e.Rev == 0 {
			continue
		}
		w, _, _ := strings.Cut(id, "/")
		if live[w] == nil {
			live[w] = map[string]bool{}
		}
		if workload.AttemptState(e.To).Live() {
			live[w][id] = true
		} else {
			delete(live[w], id)
		}
		if len(live[w]) > 1 {
			out = append(out, breach(w, "has %d live attempts at %s", len(live[w]), e.At.Format(time.RFC3339Nano)))
		}
	}
	return out
}

func startedOnce(f *Facts) (out []Breach) {
	starts := map[string][]Ran{}
	for _, r := range f.Ran {
		if r.Starts > 1 {
			out = append(out, breach(r.Workload, "attempt %d was started %d times at %s", r.Attempt, r.Starts, r.Site))
		}
		starts[r.Workload] = append(starts[r.Workload], r)
	}
	for id, rs := range starts {
		// Of a later attempt the former ones must have ended before it began, on
		// record or not: at no time do two of them run.
		slices.SortFunc(rs, func(a, b Ran) int { return a.Started.Compare(b.Started) })
		for i := 1; i < len(rs); i++ {
			before := rs[i-1].Seen.Runs
			last := before[len(before)-1].To
			if last.IsZero() || last.After(rs[i].Started) {
				out = append(out, breach(id, "attempt %d starts at %s while attempt %d runs", rs[i].Attempt, rs[i].Site, rs[i-1].Attempt))
			}
			if w := f.Workloads[id]; len(rs) > 1+w.Shape.Policy.Retries {
				out = append(out, breach(id, "has run %d times, and may %d times", len(rs), 1+w.Shape.Policy.Retries))
			}
		}
	}
	sortBreaches(out)
	return out
}

func sortBreaches(b []Breach) {
	slices.SortFunc(b, func(a, c Breach) int {
		return cmp.Or(strings.Compare(a.Workload, c.Workload), strings.Compare(a.What, c.What))
	})
}

// startedByRight: before an attempt starts, the log says that its site holds it.
func startedByRight(f *Facts) (out []Breach) {
	held := map[string]time.Time{}
	for _, e := range f.Events {
		if e.To == string(workload.AttemptHeld) {
			held[e.Object] = e.At
		}
	}
	for _, r := range f.Ran {
		name := fmt.Sprintf("attempt:%s/%d", r.Workload, r.Attempt)
		at, ok := held[name]
		switch a := attempt(f, r.Workload, r.Attempt); {
		case a == nil:
			out = append(out, breach(r.Workload, "attempt %d ran at %s, and is not on record", r.Attempt, r.Site))
		case a.Site != r.Site:
			out = append(out, breach(r.Workload, "attempt %d ran at %s, and its right is of %s", r.Attempt, r.Site, a.Site))
		case !ok || at.After(r.Started):
			out = append(out, breach(r.Workload, "attempt %d started at %s, before it was held", r.Attempt, r.Started.Format(time.RFC3339Nano)))
		}
	}
	return out
}

func attempt(f *Facts, id string, n int) *workload.Attempt {
	for i := range f.Attempts[id] {
		if f.Attempts[id][i].N == n {
			return &f.Attempts[id][i]
		}
	}
	return nil
}

func ranOf(f *Facts) map[string]Ran {
	out := map[string]Ran{}
	for _, r := range f.Ran {
		out[fmt.Sprintf("%s/%d", r.Workload, r.Attempt)] = r
	}
	return out
}

// noPhantom: what ended on record has ended so.
func noPhantom(f *Facts) (out []Breach) {
	ran := ranOf(f)
	for _, id := range sorted(f.Attempts) {
		for _, a := range f.Attempts[id] {
			r, did := ran[fmt.Sprintf("%s/%d", id, a.N)]
			switch a.State {
			case workload.AttemptSucceeded, workload.AttemptFailed:
				if !did || r.Seen.Phase != executor.Ended {
					out = append(out, breach(id, "attempt %d is %s, and its engine knows no end of it", a.N, a.State))
				} else if good := r.Seen.ExitCode == 0 && r.Seen.Cause == ""; good != (a.State == workload.AttemptSucceeded) || a.ExitCode != r.Seen.ExitCode {
					out = append(out, breach(id, "attempt %d is %s with exit code %d, and ended with %d", a.N, a.State, a.ExitCode, r.Seen.ExitCode))
				}
			case workload.AttemptReleased, workload.AttemptRevoked:
				if did {
					out = append(out, breach(id, "attempt %d is %s, and ran", a.N, a.State))
				}
			case workload.AttemptLost:
				if did && r.Seen.Phase.Live() {
					out = append(out, breach(id, "attempt %d is lost on record, and runs", a.N))
				}
			}
		}
	}
	return out
}

// withinWindow: nothing runs before it may, where it may not, or in a time that
// is denied; and what may be suspended runs only in its hours or at its latest.
func withinWindow(f *Facts) (out []Breach) {
	for _, r := range f.Ran {
		w, ok := f.Workloads[r.Workload]
		if !ok {
			continue // that is S1's, or S4's
		}
		if site, ok := f.Sites[r.Site]; !ok || !plan.Allowed(w.Shape.Where, site) {
			out = append(out, breach(r.Workload, "ran at %s, where it may not", r.Site))
		}
		earliest := w.Created
		if w.Shape.When.NotBefore.After(earliest) {
			earliest = w.Shape.When.NotBefore
		}
		if r.Started.Before(earliest.Add(-f.Slip)) {
			out = append(out, breach(r.Workload, "started at %s, before %s", r.Started.Format(time.RFC3339Nano), earliest.Format(time.RFC3339Nano)))
		}
		for _, s := range spans(r, f.Now) {
			for _, d := range w.Shape.When.Deny {
				// A site's agent finds out within a moment that a time is over.
				if s.From.Before(d.End.Add(-f.Slip)) && s.To.After(d.Start.Add(f.Slip+time.Minute)) {
					out = append(out, breach(r.Workload, "ran from %s to %s, in a time that is denied", s.From.Format(time.RFC3339), s.To.Format(time.RFC3339)))
				}
			}
		}
	}
	return out
}

// spans returns when it ran, up to now.
func spans(r Ran, now time.Time) []executor.Span {
	out := slices.Clone(r.Seen.Runs)
	if n := len(out); n > 0 && out[n-1].To.IsZero() {
		out[n-1].To = now
	}
	return out
}

// withinCapacity adds up what really ran at each site, at each instant. Work that
// can no longer be in time as the world broke is planned at once, also where its
// site is full (plan.Check asks for that excuse): what else ran is never too much.
func withinCapacity(f *Facts) (out []Breach) {
	excused := map[string]bool{}
	for _, a := range f.Accepted {
		excused[a.Workload] = f.Excused != nil && f.Excused(a) != ""
	}
	type edge struct {
		at time.Time
		cpu,
		power int64
		id string
	}
	bySite := map[string][]edge{}
	for _, r := range f.Ran {
		d := f.Workloads[r.Workload].Shape.Demand
		for _, s := range spans(r, f.Now) {
			bySite[r.Site] = append(bySite[r.Site], edge{s.From, d.CPU, int64(d.Power), r.Workload}, edge{s.To, -d.CPU, -int64(d.Power), r.Workload})
		}
	}
	for _, site := range sorted(bySite) {
		edges := bySite[site]
		// What ends makes room before what begins at the same instant takes it.
		slices.SortFunc(edges, func(a, b edge) int {
			return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.power, b.power), strings.Compare(a.id, b.id))
		})
		most := f.Sites[site].Capacity
		var cpu, power int64
		for _, e := range edges {
			cpu, power = cpu+e.cpu, power+e.power
			if (cpu > most.CPU || power > int64(most.Power)) && (e.cpu > 0 || e.power > 0) && !excused[e.id] {
				out = append(out, breach(e.id, "begins at %s at %s: %d of %d thousandths of a core are in use", site, e.at.Format(time.RFC3339Nano), cpu, most.CPU))
			}
		}
	}
	return out
}

// suspendedByRules: only what may be suspended is, no more often than it may,
// and what has ended by itself has run for as long as its work takes.
func suspendedByRules(f *Facts) (out []Breach) {
	for _, r := range f.Ran {
		w := f.Workloads[r.Workload]
		rules := w.Shape.Interruptible
		if n := len(r.Seen.Runs) - 1; n > 0 && (!rules.Allowed || n > rules.MaxSuspensions) {
			out = append(out, breach(r.Workload, "was suspended %d times, and may be %d times (allowed: %t)", n, rules.MaxSuspensions, rules.Allowed))
		}
		if need := r.Work.needs(len(r.Seen.Runs) - 1); r.Seen.Phase == executor.Ended && r.Seen.Cause == "" && r.Seen.Ran(f.Now) != need {
			out = append(out, breach(r.Workload, "ended after %s of running, and takes %s", r.Seen.Ran(f.Now), need))
		}
	}
	return out
}

func logAgrees(f *Facts) []Breach {
	if f.Log != nil {
		return []Breach{breach("", "%v", f.Log)}
	}
	return nil
}

// bookedRan: the time on the ledger's entries of an attempt is the time that it
// ran, and its energy what its power comes to in it. A machine that went down
// may have taken with it what was not told.
func bookedRan(f *Facts) (out []Breach) {
	booked, energy := map[string]time.Duration{}, map[string]grid.Energy{}
	for _, e := range f.Entries {
		if e.Restates != nil {
			continue
		}
		name := fmt.Sprintf("%s/%d", e.Meter.Workload, e.Meter.Attempt)
		energy[name] += e.Meter.Energy
		booked[name] += ranFor(e.Meter)
	}
	for _, r := range f.Ran {
		name := fmt.Sprintf("%s/%d", r.Workload, r.Attempt)
		ran := r.Seen.Ran(f.Now)
		if booked[name] > ran+f.Slip+time.Microsecond*time.Duration(len(r.Seen.Runs)) {
			out = append(out, breach(r.Workload, "attempt %d is booked for %s, and ran %s", r.Attempt, booked[name], ran))
		}
		if f.Ended && (ran-booked[name]).Abs() > f.Slip+2*time.Microsecond*time.Duration(len(r.Seen.Runs)) {
			out = append(out, breach(r.Workload, "attempt %d ran %s, and is booked for %s", r.Attempt, ran, booked[name]))
		}
		// Each hour is rounded up to a whole joule.
		want := grid.Drawn(f.Workloads[r.Workload].Shape.Power, booked[name])
		if d := energy[name] - want; d < -1 || d > grid.Energy(2+len(f.Entries)) {
			out = append(out, breach(r.Workload, "attempt %d is booked with %d J, and drew %d J", r.Attempt, energy[name], want))
		}
		delete(booked, name)
	}
	for _, name := range sorted(booked) {
		id, _, _ := strings.Cut(name, "/")
		out = append(out, breach(id, "%s is booked for %s, and nothing of it ran", name, booked[name]))
	}
	return out
}

func ranFor(m ledger.Meter) (sum time.Duration) {
	for _, r := range m.Runs {
		sum += r.To.Sub(r.From)
	}
	return sum
}

func allEnd(f *Facts) (out []Breach) {
	if !f.Ended {
		return nil
	}
	for _, a := range f.Accepted {
		if w, ok := f.Workloads[a.Workload]; ok && !w.State.Terminal() {
			out = append(out, breach(a.Workload, "was accepted at %s, and is %s for ever", a.At.Format(time.RFC3339), w.State))
		}
	}
	for _, r := range f.Ran {
		if r.Seen.Phase.Live() {
			out = append(out, breach(r.Workload, "attempt %d is %s at %s for ever", r.Attempt, r.Seen.Phase, r.Site))
		}
	}
	return out
}

// noneLate: what was accepted is complete by when it was promised, as its engine
// has it, unless the world broke.
func noneLate(f *Facts) (out []Breach) {
	ends := map[string]time.Time{}
	for _, r := range f.Ran {
		if r.Seen.Ended.After(ends[r.Workload]) {
			ends[r.Workload] = r.Seen.Ended
		}
	}
	for _, a := range f.Accepted {
		end, ran := ends[a.Workload]
		if ran && !end.IsZero() && !end.After(a.Due.Add(f.Slip)) || !f.Now.After(a.Due) {
			continue
		}
		if f.Excused != nil && f.Excused(a) != "" {
			continue
		}
		what := "has not run"
		if !end.IsZero() {
			what = "was complete at " + end.Format(time.RFC3339)
		}
		out = append(out, breach(a.Workload, "was to be complete by %s, and %s", a.Due.Format(time.RFC3339), what))
	}
	return out
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
