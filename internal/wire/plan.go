package wire

import (
	"math"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// PlacementOut writes a placement to the wire.
func PlacementOut(p plan.Placement) clusy.Placement {
	out := clusy.Placement{
		Site: p.Site, Way: p.Way, Spans: spansOut(p.Spans), Reserved: p.Reserved, Latest: p.Latest,
		Energy: KWh(p.Energy), Grade: string(p.Grade), Cost: MoneyOut(p.Cost, p.Currency), Why: reasonsOut(p.Why, p.Currency),
	}
	if p.Grade != "" {
		g := Grams(p.Carbon)
		out.Carbon = &g
	}
	return out
}

func spansOut(spans []plan.Span) []clusy.Span {
	out := make([]clusy.Span, len(spans))
	for i, s := range spans {
		out[i] = clusy.Span{Start: s.Start, End: s.End, Size: sizeOut(s.Size)}
	}
	return out
}

func reasonsOut(r plan.Reasons, currency string) clusy.Reasons {
	out := clusy.Reasons{
		Binding: string(r.Binding), Text: r.Text, Considered: r.Considered,
		Signals: []clusy.SignalUsed{}, Rejected: []clusy.Alternative{},
	}
	for _, s := range r.Signals {
		out.Signals = append(out.Signals, clusy.SignalUsed{
			Zone: string(s.Zone), Provider: s.Provider, Issued: s.Issued, Grade: string(s.Grade), Basis: s.Basis.String(), Ref: s.Ref,
		})
	}
	if r.RunNow != nil {
		a := alternativeOut(*r.RunNow, currency)
		out.RunNow = &a
	}
	for _, a := range r.Rejected {
		out.Rejected = append(out.Rejected, alternativeOut(a, currency))
	}
	for cause, n := range r.Fell {
		if out.Fell == nil {
			out.Fell = map[string]int{}
		}
		out.Fell[string(cause)] = n
	}
	return out
}

func alternativeOut(a plan.Alternative, currency string) clusy.Alternative {
	out := clusy.Alternative{Site: a.Site, Way: a.Way, Start: a.Start, Finish: a.Finish, Cause: string(a.Cause), FinishDelta: a.DFinish.Seconds()}
	if a.Known {
		c, d := Grams(a.Carbon), Grams(a.DCarbon)
		out.Carbon, out.CarbonDelta = &c, &d
	}
	if a.DCost != nil {
		out.CostDelta = MoneyOut(*a.DCost, currency)
	}
	return out
}

// QuotesOut writes what more time would be worth.
func QuotesOut(qs []plan.Quote) []clusy.Quote {
	out := make([]clusy.Quote, len(qs))
	for i, q := range qs {
		out[i] = clusy.Quote{More: q.More.Seconds(), Site: q.Site, Start: q.Start, Finish: q.Finish, Carbon: Grams(q.Carbon), Saves: Grams(q.Saves)}
	}
	return out
}

// CertificateOut writes how far a plan is from the best possible, for a tenant.
func CertificateOut(h plan.ProofHead, to access.Tenant) clusy.Certificate {
	out := clusy.Certificate{Plan: h.Plan, At: h.At, Digest: h.Digest}
	if h.Carbon > 0 {
		gap := float64(h.Carbon-h.Bound) / float64(h.Carbon)
		out.Gap = &gap
	}
	if h.Tenant == to && to != "" {
		carbon, bound := Grams(h.Carbon), Grams(h.Bound)
		out.Items, out.Given, out.Carbon, out.Bound = &h.Items, &h.Given, &carbon, &bound
	}
	return out
}

// RefusalOut writes the reasons for which a shape has no place.
func RefusalOut(r plan.Refusal) clusy.DryRun {
	out := clusy.DryRun{Nearest: r.NearestCompleteBy}
	for _, f := range r.Failed {
		out.Failed = append(out.Failed, clusy.Failed(f))
	}
	return out
}

// SiteIn reads what an agent says of its site. What it does not say is not
// limited.
func SiteIn(id string, r clusy.SiteReport) plan.Site {
	s := plan.Site{
		ID: id, Zone: grid.Zone(r.Zone), PUE: int64(math.Round(r.PUE * 1000)),
		Capacity: workload.Resources{CPU: workload.Unlimited, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited},
	}
	if r.CPUs != nil {
		s.Capacity.CPU = int64(math.Round(*r.CPUs * 1000))
	}
	if r.MemoryMiB != nil {
		s.Capacity.Memory = *r.MemoryMiB
	}
	s.Capacity.GPUs = cardsIn(r.GPUs)
	if r.Watts != nil {
		s.Capacity.Power = grid.Power(math.Round(*r.Watts * 1000))
	}
	if r.Slots != nil {
		s.Capacity.Slots = *r.Slots
	}
	if r.Price != nil {
		m, cur := moneyIn(*r.Price)
		s.Price, s.Currency = grid.Rate(m), cur
	}
	return s
}

// SiteOut writes a site to the wire.
func SiteOut(s plan.Site) clusy.Site {
	out := clusy.Site{ID: s.ID, Zone: string(s.Zone), PUE: float64(s.PUE) / 1000, Silent: s.Down}
	if c := s.Capacity.CPU; c != workload.Unlimited {
		f := float64(c) / 1000
		out.CPUs = &f
	}
	if m := s.Capacity.Memory; m != workload.Unlimited {
		out.MemoryMiB = &m
	}
	if p := s.Capacity.Power; p != workload.Unlimited {
		f := float64(p) / 1000
		out.Watts = &f
	}
	if n := s.Capacity.Slots; n != workload.Unlimited {
		out.Slots = &n
	}
	out.GPUs = cardsOut(s.Capacity.GPUs)
	out.Price = MoneyOut(grid.Money(s.Price), s.Currency)
	return out
}

// PointOut writes one reading of an intensity curve as it holds from at.
func PointOut(r grid.Reading, at time.Time, forecast bool, low, high grid.Intensity) clusy.Point {
	return clusy.Point{
		Start: at, Intensity: PerKWh(r.Value), Low: PerKWh(low), High: PerKWh(high),
		Forecast: forecast, Grade: string(r.Grade), Provider: r.Provider, Issued: r.Issued,
	}
}
