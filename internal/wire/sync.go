package wire

import (
	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

func energyIn(joules int64) grid.Energy { return grid.Energy(joules) }

// ReportIn reads an attempt's report from the wire.
func ReportIn(r clusy.AttemptReport) workload.Report {
	return workload.Report{
		Workload: r.Workload, N: r.N, Grant: r.Grant, State: workload.ReportState(r.State), Started: instant(r.Started), Ended: instant(r.Ended),
		ExitCode: r.ExitCode, Cause: r.Cause, Active: Seconds(r.Active), RunSince: instant(r.RunSince), Suspensions: r.Suspensions, Size: sizeIn(r.Size), Metered: r.Metered, Schedule: r.Schedule,
	}
}

// ReportOut writes an attempt's report to the wire.
func ReportOut(r workload.Report) clusy.AttemptReport {
	return clusy.AttemptReport{
		Workload: r.Workload, N: r.N, Grant: r.Grant, State: string(r.State), Started: r.Started, Ended: r.Ended,
		ExitCode: r.ExitCode, Cause: r.Cause, Active: r.Active.Seconds(), RunSince: r.RunSince, Suspensions: r.Suspensions, Size: sizeOut(r.Size), Metered: r.Metered, Schedule: r.Schedule,
	}
}

// OrderOut writes an order to the wire.
func OrderOut(o workload.Order) clusy.Order {
	out := clusy.Order{
		Verb: string(o.Verb), Workload: o.Workload, N: o.N, Grant: o.Grant, Epoch: o.Epoch, Expires: o.Expires,
		Latest: o.Schedule.Latest, Way: o.Schedule.Way, Sealed: o.Sealed, Enclave: o.Enclave,
	}
	for _, s := range o.Schedule.Spans {
		out.Spans = append(out.Spans, clusy.Span{Start: s.Start, End: s.End, Size: sizeOut(s.Size)})
	}
	if o.Verb == workload.Offer {
		s := ShapeOut(o.Shape)
		out.Shape = &s
	}
	return out
}

// OrderIn reads an order from the wire.
func OrderIn(o clusy.Order) workload.Order {
	out := workload.Order{
		Verb: workload.Verb(o.Verb), Workload: o.Workload, N: o.N, Grant: o.Grant, Epoch: o.Epoch, Expires: o.Expires,
		Schedule: workload.Schedule{Latest: o.Latest, Way: max(o.Way, 0)}, Sealed: o.Sealed, Enclave: o.Enclave,
	}
	for _, s := range o.Spans {
		out.Schedule.Spans = append(out.Schedule.Spans, workload.Span{Start: s.Start, End: s.End, Size: sizeIn(s.Size)})
	}
	if o.Shape != nil {
		out.Shape = ShapeIn(*o.Shape)
	}
	return out
}
