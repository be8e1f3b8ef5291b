package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

type timelineIn struct {
	From   time.Time `query:"from" doc:"Leave out what was over before. Default: nothing is."`
	To     time.Time `query:"to" doc:"Leave out what was submitted then or later. Default: nothing is."`
	State  string    `query:"state" maxLength:"200" doc:"States wanted, with commas between them. Default: all."`
	ID     []string  `query:"id" maxItems:"500" doc:"Only these workloads; from, to and state do not count then. What is not there is left out."`
	Cursor string    `query:"cursor" maxLength:"200" doc:"The next of the page before."`
	Limit  int       `query:"limit" minimum:"1" maximum:"2000" default:"500"`
}

// look is how many workloads one page of a timeline looks at, at the most: what
// lies outside the window costs, too.
const look = 10_000

// timeline lists workloads as bars, newest first.
func (s *Server) timeline(ctx context.Context, in *timelineIn) (*body[clusy.Page[clusy.Bar]], error) {
	caller, _ := wire.CallerOf(ctx)
	f := workload.Filter{Newest: true, Limit: 500}
	var err error
	if f.States, err = statesIn(in.State); err != nil {
		return nil, err
	}
	if f.After, err = cursorIn(in.Cursor); err != nil {
		return nil, err
	}
	out := clusy.Page[clusy.Bar]{Items: []clusy.Bar{}}
	err = s.Store.ViewAll(ctx, func(sys SystemTx) error {
		tx := sys.For(caller.Tenant)
		if out.AsOf, err = asOf(sys); err != nil {
			return err
		}
		d := draftsman{tx: tx, now: s.Now()}
		if d.sites, err = sys.Sites(); err != nil {
			return err
		}
		var shown []workload.Workload
		if len(in.ID) > 0 {
			shown, err = named(tx, in.ID)
		} else {
			shown, out.Next, err = in.shown(tx, f)
		}
		if err == nil {
			out.Items, err = d.bars(shown)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

// asOf returns the index of the newest entry in the log that sys sees.
func asOf(sys SystemTx) (*int64, error) {
	size, err := sys.LogSize()
	last := size - 1
	return &last, err
}

// shown returns the workloads of one page, and the cursor of the next.
func (in *timelineIn) shown(tx TenantTx, f workload.Filter) (shown []workload.Workload, next string, err error) {
	for seen := 0; ; {
		ws, err := tx.Workloads(f)
		if err != nil {
			return nil, "", err
		}
		for _, w := range ws {
			if seen++; len(shown) == in.Limit || seen > look {
				return shown, cursorOut(f.After), nil
			}
			f.After = workload.CursorOf(w)
			if (in.To.IsZero() || w.Created.Before(in.To)) && (!w.State.Terminal() || !w.Changed.Before(in.From)) {
				w.Sealed = nil // may be large, and is not drawn
				shown = append(shown, w)
			}
		}
		if len(ws) < f.Limit {
			return shown, "", nil
		}
	}
}

// named returns the workloads of some ids, without those that there are not.
func named(tx TenantTx, ids []string) (out []workload.Workload, err error) {
	for _, id := range ids {
		w, err := tx.Workload(id)
		switch {
		case problem.Is(err, problem.NotFound):
		case err != nil:
			return nil, err
		default:
			out = append(out, w)
		}
	}
	return out, nil
}

// draftsman draws workloads as bars.
type draftsman struct {
	tx    TenantTx
	sites []plan.Station
	now   time.Time
}

// bars reads all that it needs in a few queries, a page at a time.
func (d draftsman) bars(ws []workload.Workload) ([]clusy.Bar, error) {
	out := make([]clusy.Bar, 0, len(ws))
	for some := range slices.Chunk(ws, 500) {
		ids := make([]string, len(some))
		for i, w := range some {
			ids[i] = w.ID
		}
		attempts, err := d.tx.AttemptsOf(ids)
		if err != nil {
			return nil, err
		}
		decided, err := d.tx.DecidedOf(ids)
		if err != nil {
			return nil, err
		}
		lines, err := d.tx.EntriesOf(ids)
		if err != nil {
			return nil, err
		}
		meters, err := d.tx.MetersOf(ids)
		if err != nil {
			return nil, err
		}
		for _, w := range some {
			b := d.bar(w)
			if p, ok := decided[w.ID]; ok {
				if err := d.planned(&b, w, p, attempts[w.ID]); err != nil {
					return nil, err
				}
			}
			d.ran(&b, w, attempts[w.ID], meters[w.ID])
			if a := account(w, lines[w.ID], len(meters[w.ID])); a != nil {
				b.Booked = a.Complete
				if a.Entries > 0 {
					b.Emitted, b.Avoided, b.Saved, b.Grade = &a.Emitted, &a.Avoided, &a.Saved, a.Grade
				}
			}
			out = append(out, b)
		}
	}
	return out, nil
}

func (d draftsman) bar(w workload.Workload) clusy.Bar {
	// A run and its baseline are as on the hardware that it was planned on last.
	if p, placed, err := d.tx.Placement(w.ID); err == nil && placed {
		w.Shape = w.Shape.On(p.Way)
	}
	return clusy.Bar{
		ID: w.ID, State: string(w.State), Cause: w.Cause, Created: w.Created, Changed: w.Changed,
		NotBefore: w.Shape.When.NotBefore, CompleteBy: w.Shape.When.CompleteBy,
		Expected: w.Shape.Duration.Expected.Seconds(), Watts: float64(w.Shape.Power) / 1000, Interruptible: w.Shape.Interruptible.Allowed,
		Spans: []clusy.Span{}, Ran: []clusy.Span{}, MissedAt: w.MissedAt,
		Baseline: clusy.BaselineBar{
			Rule: string(w.Baseline.Rule), Site: w.Baseline.Site, Zone: string(w.Baseline.Zone),
			Start: w.Baseline.Start, End: w.Baseline.Start.Add(w.Shape.Duration.Expected),
		},
	}
}

// planned draws the plan in force or the last one. What work that has begun was
// expected to emit, and why, says the decision that it was admitted with: a
// later one is about what was left of it.
func (d draftsman) planned(b *clusy.Bar, w workload.Workload, p plan.Placement, attempts []workload.Attempt) error {
	first := p
	if slices.ContainsFunc(attempts, func(a workload.Attempt) bool { return !a.Started.IsZero() }) {
		admitted, found, err := d.tx.FirstDecision(w.ID)
		if err != nil {
			return err
		}
		if found {
			first = admitted
		}
	}
	out, reasons := wire.PlacementOut(p), wire.PlacementOut(first)
	b.Site, b.Spans, b.Reserved, b.Latest = out.Site, out.Spans, out.Reserved, out.Latest
	b.Zone = d.zone(b.Site)
	b.ExpectedGrams, b.Grade, b.Why = reasons.Carbon, reasons.Grade, reasons.Why.Text
	b.RunNow = reasons.Carbon // it is run at once, or nothing else was known
	if now := reasons.Why.RunNow; now != nil {
		b.RunNow = now.Carbon
	}
	return nil
}

// ran draws what really ran, by the meters, and the run that goes on.
func (d draftsman) ran(b *clusy.Bar, w workload.Workload, attempts []workload.Attempt, meters []ledger.Meter) {
	b.Attempts = len(attempts)
	if len(attempts) == 0 {
		return
	}
	var spans []clusy.Span
	for _, m := range meters {
		for _, r := range m.Runs {
			spans = append(spans, clusy.Span{Start: r.From, End: r.To})
		}
	}
	last := attempts[len(attempts)-1]
	if !last.Started.IsZero() || last.State.Live() && w.State.AtSite() {
		b.Site, b.Zone = last.Site, d.zone(last.Site)
	}
	if last.State == workload.AttemptRunning && !last.RunSince.IsZero() && last.RunSince.Before(d.now) {
		spans = append(spans, clusy.Span{Start: last.RunSince, End: d.now})
		b.Running = true
	}
	b.Ran = merged(spans)
}

func (d draftsman) zone(site string) string {
	i := slices.IndexFunc(d.sites, func(s plan.Station) bool { return s.ID == site })
	if i < 0 {
		return ""
	}
	return string(d.sites[i].Zone)
}

// seam is the gap that is no pause: a meter ends with its hour, and the next
// one begins with the first look in it.
const seam = 2 * time.Second

// merged joins spans that overlap or touch.
func merged(spans []clusy.Span) []clusy.Span {
	slices.SortFunc(spans, func(a, b clusy.Span) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	out := []clusy.Span{}
	for _, s := range spans {
		if n := len(out); n > 0 && !s.Start.After(out[n-1].End.Add(seam)) {
			if s.End.After(out[n-1].End) {
				out[n-1].End = s.End
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

func (s *Server) counts(ctx context.Context, _ *none) (*body[clusy.Counts], error) {
	caller, _ := wire.CallerOf(ctx)
	out := clusy.Counts{States: map[string]int{}}
	err := s.Store.ViewAll(ctx, func(sys SystemTx) error {
		at, err := asOf(sys)
		if err != nil {
			return err
		}
		states, late, err := sys.For(caller.Tenant).Counts()
		for st, n := range states {
			out.States[string(st)] = n
			out.Total += n
		}
		out.Late, out.AsOf = late, *at
		return err
	})
	if err != nil {
		return nil, err
	}
	return ok(out)
}

type outlooksIn struct {
	From time.Time `query:"from" doc:"Default: a day ago."`
	To   time.Time `query:"to" doc:"Default: three days ahead."`
	Zone string    `query:"zone" maxLength:"1000" doc:"Zones wanted, with commas between them. Default: every one with a signal."`
}

// outlooks draws every zone that has a signal, in one answer.
func (s *Server) outlooks(ctx context.Context, in *outlooksIn) (*body[clusy.Page[clusy.Outlook]], error) {
	now := s.Now()
	from, to, err := window(in.From, in.To, now)
	if err != nil {
		return nil, err
	}
	var wanted []string
	for z := range strings.SplitSeq(in.Zone, ",") {
		if z != "" {
			wanted = append(wanted, z)
		}
	}
	var items []clusy.Outlook
	err = s.Store.ViewAll(ctx, func(tx SystemTx) error {
		forecasts, err := tx.LatestForecasts()
		if err != nil {
			return err
		}
		for zone := range forecasts {
			if len(wanted) > 0 && !slices.Contains(wanted, string(zone)) {
				continue
			}
			o, err := outlook(tx, s.Rules.PlansOn(), forecasts, zone, from, to, now)
			if err != nil {
				return err
			}
			items = append(items, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b clusy.Outlook) int { return strings.Compare(a.Zone, b.Zone) })
	return page(items, "")
}

// outlook draws a zone's intensity over [from, to): what was measured, then
// what is expected. What is not known is a gap.
func outlook(tx SystemTx, basis grid.Basis, forecasts map[grid.Zone][]grid.Series, zone grid.Zone, from, to, now time.Time) (clusy.Outlook, error) {
	past, err := measured(tx, zone, basis, from, now)
	if err != nil {
		return clusy.Outlook{}, err
	}
	future := grid.Believe(zone, basis, forecasts[zone]...)
	out := clusy.Outlook{Zone: string(zone)}
	for t := from; t.Before(to); {
		end := future.Until(t, past.Until(t, earliest(to, t.Truncate(time.Hour).Add(time.Hour))))
		if r, known := past.At(t); known {
			out.Points = append(out.Points, wire.PointOut(r, t, false, grid.Unknown, grid.Unknown))
		} else if r, known := future.At(t); known {
			low, high := band(future, t)
			out.Points = append(out.Points, wire.PointOut(r, t, true, low, high))
		}
		t = end
	}
	return out, nil
}
