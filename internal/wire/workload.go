package wire

import (
	"clusy.io/clusy"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// WorkloadOut writes a workload with its placement (nil if it has none) and
// its attempts to the wire.
func WorkloadOut(w workload.Workload, p *plan.Placement, attempts []workload.Attempt) clusy.Workload {
	out := clusy.Workload{
		ID: w.ID, State: string(w.State), Rev: w.Rev, Cause: w.Cause, Shape: ShapeOut(w.Shape), Enclave: w.Enclave,
		Created: w.Created, Changed: w.Changed, Wanted: string(w.Wanted), Baseline: baselineOut(w.Baseline),
		Attempts: []clusy.Attempt{}, MissedAt: w.MissedAt, MissedCause: w.MissedCause,
	}
	if p != nil {
		pl := PlacementOut(*p)
		out.Plan = &pl
	}
	for _, a := range attempts {
		at := clusy.Attempt{
			N: a.N, Site: a.Site, State: string(a.State), Started: a.Started, Ended: a.Ended, Cause: a.Cause,
			Active: a.Active.Seconds(), Suspensions: a.Suspensions,
		}
		if a.State == workload.AttemptSucceeded || a.State == workload.AttemptFailed {
			at.ExitCode = &a.ExitCode
		}
		out.Attempts = append(out.Attempts, at)
	}
	return out
}

func baselineOut(b workload.Counterfactual) clusy.Baseline {
	return clusy.Baseline{Rule: string(b.Rule), Site: b.Site, Zone: string(b.Zone), Start: b.Start}
}

// EventOut writes an event to the wire.
func EventOut(e audit.Entry) clusy.Event {
	return clusy.Event{
		Index: e.Index, At: e.Event.At, Actor: string(e.Event.Actor), Kind: string(e.Event.Kind), Object: e.Event.Object,
		From: e.Event.From, To: e.Event.To, Rev: e.Event.Rev, Detail: e.Event.Detail,
	}
}

// EntryOut writes a ledger entry to the wire.
func EntryOut(index int64, e ledger.Entry) clusy.LedgerEntry {
	out := clusy.LedgerEntry{
		Index: index, Workload: e.Meter.Workload, Attempt: e.Meter.Attempt, Site: e.Meter.Site, Zone: string(e.Zone),
		Hour: e.Meter.Hour, Source: string(e.Meter.Source), PUE: float64(e.PUE) / 1000,
		Emitted: Grams(e.Emitted), Avoided: Grams(e.Avoided), Saved: Grams(e.Saved), Claimed: e.Claimed,
		Grade: string(e.Grade), Baseline: baselineOut(e.Baseline), Method: e.Method,
	}
	if r := e.Restates; r != nil {
		out.Restates, out.Reason = &r.Index, r.Reason
	}
	for _, r := range e.Meter.Runs {
		out.Active += r.To.Sub(r.From).Seconds()
	}
	for _, u := range e.Uses {
		out.EnergyKWh += KWh(u.Energy)
	}
	if out.EnergyKWh > 0 {
		out.Intensity = out.Emitted / out.EnergyKWh
	}
	return out
}

// MeterIn reads a meter from the wire.
func MeterIn(site string, m clusy.Meter) ledger.Meter {
	out := ledger.Meter{
		Workload: m.Workload, Attempt: m.Attempt, Site: site, Hour: instant(m.Hour), Before: Seconds(m.Before),
		Energy: energyIn(m.Joules), Source: ledger.Source(m.Source),
	}
	for _, r := range m.Runs {
		out.Runs = append(out.Runs, ledger.Run{From: instant(r.Start), To: instant(r.End), Size: sizeIn(r.Size), Speed: sizeIn(r.Speed)})
	}
	return out
}

// MeterOut writes a meter to the wire.
func MeterOut(m ledger.Meter) clusy.Meter {
	out := clusy.Meter{
		Workload: m.Workload, Attempt: m.Attempt, Hour: m.Hour, Before: m.Before.Seconds(), Joules: int64(m.Energy), Source: string(m.Source),
		Runs: []clusy.Run{},
	}
	for _, r := range m.Runs {
		out.Runs = append(out.Runs, clusy.Run{Start: r.From, End: r.To, Size: sizeOut(r.Size), Speed: sizeOut(r.Speed)})
	}
	return out
}
