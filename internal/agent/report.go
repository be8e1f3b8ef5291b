package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// What one question holds at most; the rest waits for the next one.
const (
	maxReports = 500
	maxMeters  = 2000
)

// report adds how every hold stands, and the meters not yet on record.
func (a *Agent) report(q *clusy.SyncRequest, now time.Time) {
	for _, grant := range slices.Sorted(maps.Keys(a.holds)) {
		h := a.holds[grant]
		if h.State == gone || len(q.Reports) == maxReports {
			continue
		}
		runs := a.runs(h, now)
		meters := a.meters(h, runs, now)
		r := a.standing(h, runs)
		r.Metered = over(h) && h.seen.Phase != "" && len(meters) == 0
		q.Reports = append(q.Reports, wire.ReportOut(r))
		for _, m := range meters {
			if len(q.Meters) < maxMeters {
				q.Meters = append(q.Meters, wire.MeterOut(m))
			}
		}
	}
}

func over(h *hold) bool { return h.State == ended || h.State == lost }

// standing says how one hold stands.
func (a *Agent) standing(h *hold, runs []ledger.Run) workload.Report {
	r := workload.Report{Workload: h.Workload, N: h.N, Grant: h.Grant, Cause: h.Cause, Schedule: workload.Schedule(h.Schedule).ID()}
	switch h.State {
	case accepted:
		r.State = workload.ReportAccepted
	case refused:
		r.State = workload.ReportRefused
	case held:
		r.State = workload.ReportHeld
	case released:
		r.State = workload.ReportReleased
	case started, ended, lost:
		a.ran(&r, h, runs)
	}
	return r
}

// ran says how a hold that has started stands, as the engine shows it.
func (a *Agent) ran(r *workload.Report, h *hold, runs []ledger.Run) {
	o := h.seen
	for _, run := range runs {
		r.Active += run.Useful()
	}
	n, since := stints(runs)
	r.Suspensions = max(0, n-1)
	if size := o.Size(); size != workload.Declared {
		r.Size = size
	}
	if !o.Started.IsZero() {
		r.Started = a.Clock.At(o.Started)
	}
	switch {
	case h.State == lost:
		r.State = workload.ReportLost
	case h.State == ended:
		r.State, r.Ended, r.ExitCode = workload.ReportEnded, a.Clock.At(o.Ended), o.ExitCode
		if h.Stop && strings.HasPrefix(o.Cause, "stopped") {
			r.State = workload.ReportStopped
		}
	case o.Phase == executor.Running:
		r.State = workload.ReportRunning
		r.RunSince = since
	case o.Phase == executor.Suspended:
		r.State, r.Suspensions = workload.ReportSuspended, n
	default:
		r.State = workload.ReportStarting
	}
}

// runs returns when a hold ran, in the clock's time.
func (a *Agent) runs(h *hold, now time.Time) []ledger.Run {
	if h.State != started && !over(h) {
		return nil
	}
	if h.seen.Phase == "" {
		return nil // not looked at since we came back; the next step does
	}
	var out []ledger.Run
	for _, s := range h.seen.Runs {
		to := now
		if !s.To.IsZero() {
			to = a.Clock.At(s.To)
		}
		from := a.Clock.At(s.From).UTC().Truncate(time.Microsecond)
		if to = to.UTC().Truncate(time.Microsecond); from.Before(to) {
			out = append(out, a.sized(h, ledger.Run{From: from, To: to})...)
		}
	}
	return out
}

// meters returns the hours of a hold that are over and not yet on record.
func (a *Agent) meters(h *hold, runs []ledger.Run, now time.Time) []ledger.Meter {
	var out []ledger.Meter
	var before time.Duration
	for _, m := range hours(runs) {
		m.Workload, m.Attempt, m.Site, m.Before = h.Workload, h.N, a.Site, before
		for _, r := range m.Runs {
			before += r.Useful()
		}
		if !over(h) && now.Before(m.Hour.Add(time.Hour)) {
			break // this hour may still grow
		}
		if a.metered[meterID(m)] {
			continue
		}
		m.Energy, m.Source = a.energy(h, m)
		out = append(out, m)
	}
	return out
}

func meterID(m ledger.Meter) string {
	return fmt.Sprintf("%s/%d/%s", m.Workload, m.Attempt, m.Hour.Format(time.RFC3339))
}

// energy measures an hour where something measures it, and models it from the
// shape's power where nothing does. The source says which.
func (a *Agent) energy(h *hold, m ledger.Meter) (grid.Energy, ledger.Source) {
	var active time.Duration
	for _, r := range m.Runs {
		active += r.To.Sub(r.From)
	}
	if e, ok := a.gauged(h.task(), m.Hour, active); ok {
		return e, ledger.RAPL
	}
	source := ledger.Declared
	if h.Shape.PowerSource != "declared" {
		source = ledger.Table
	}
	var sum grid.Energy
	for _, r := range alike(m.Runs) {
		sum += grid.Drawn(h.shape().PowerAt(r.size), r.length)
	}
	return sum, source
}

// hours cuts runs at the hours of UTC.
func hours(runs []ledger.Run) []ledger.Meter {
	var out []ledger.Meter
	for _, r := range runs {
		for from, end := r.From, r.To; from.Before(end); {
			hour := from.Truncate(time.Hour)
			to := hour.Add(time.Hour)
			if end.Before(to) {
				to = end
			}
			if n := len(out); n == 0 || !out[n-1].Hour.Equal(hour) {
				out = append(out, ledger.Meter{Hour: hour})
			}
			m := &out[len(out)-1]
			r.From, r.To = from, to
			m.Runs = append(m.Runs, r)
			from = to
		}
	}
	return out
}
