package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// zones lists every zone with a yearly mean, and for those with a signal what
// it says now.
func (s *Server) zones(ctx context.Context, _ *none) (*body[clusy.Page[clusy.Zone]], error) {
	now := s.Now()
	var items []clusy.Zone
	err := s.Store.ViewAll(ctx, func(tx SystemTx) error {
		forecasts, err := tx.LatestForecasts()
		if err != nil {
			return err
		}
		byZone := map[grid.Zone]int{}
		for _, a := range s.Zones.Annual() {
			byZone[a.Zone] = len(items)
			items = append(items, clusy.Zone{Zone: string(a.Zone), Name: a.Name, Annual: wire.PerKWh(a.Mean), Year: a.Year})
		}
		for zone, series := range forecasts {
			i, found := byZone[zone]
			if !found {
				i = len(items)
				items = append(items, clusy.Zone{Zone: string(zone)})
			}
			z := &items[i]
			z.Problem = s.Zones.Trouble(zone)
			if r, known := grid.Outlook(series).At(now); known {
				z.Now, z.Grade, z.Provider = wire.PerKWh(r.Value), string(r.Grade), r.Provider
				z.Issued, z.Basis = r.Issued, r.Basis.String()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b clusy.Zone) int { return strings.Compare(a.Zone, b.Zone) })
	return page(items, "")
}

type intensityIn struct {
	Zone string    `path:"zone" maxLength:"64"`
	From time.Time `query:"from" doc:"Default: a day ago."`
	To   time.Time `query:"to" doc:"Default: three days ahead."`
}

func (s *Server) intensity(ctx context.Context, in *intensityIn) (*body[clusy.Outlook], error) {
	now := s.Now()
	if in.From.IsZero() {
		in.From = now.Add(-24 * time.Hour).Truncate(time.Hour)
	}
	if in.To.IsZero() {
		in.To = now.Add(72 * time.Hour)
	}
	if !in.From.Before(in.To) || in.To.Sub(in.From) > 31*24*time.Hour {
		return nil, problem.With(problem.Invalid, "The range is empty or too long.", problem.Violation{
			Pointer: "query.to", Message: "to must come after from, by at most 31 days", Value: in.To.Format(time.RFC3339), Limit: "31 days",
			Nearest: in.From.Add(31 * 24 * time.Hour).Format(time.RFC3339),
		})
	}
	var out clusy.Outlook
	err := s.Store.ViewAll(ctx, func(tx SystemTx) (err error) {
		out, err = s.outlook(tx, grid.Zone(in.Zone), in.From, in.To, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(out.Points) == 0 {
		return nil, problem.Errorf(problem.NotFound, "Nothing is known of zone %q; GET /v1/zones lists those that there are.", in.Zone)
	}
	return ok(out)
}

// outlook draws a zone's intensity over [from, to): what was measured, then
// what is expected. What is not known is a gap.
func (s *Server) outlook(tx SystemTx, zone grid.Zone, from, to, now time.Time) (clusy.Outlook, error) {
	measured, err := tx.Measured(zone, from)
	if err != nil {
		return clusy.Outlook{}, err
	}
	forecasts, err := tx.LatestForecasts()
	if err != nil {
		return clusy.Outlook{}, err
	}
	// A later issue of the same time comes first: it is the better word.
	past := grid.Outlook(slices.DeleteFunc(measured, func(m grid.Series) bool { return m.Issued.After(now) }))
	slices.Reverse(past)
	future := grid.Outlook(forecasts[zone])
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

// band returns the spread of the series that is believed at t.
func band(o grid.Outlook, t time.Time) (low, high grid.Intensity) {
	for _, f := range o {
		if _, known := f.At(t); known {
			if len(f.Low) == 0 {
				return grid.Unknown, grid.Unknown
			}
			i := int(t.Sub(f.Start) / f.Step)
			return f.Low[i], f.High[i]
		}
	}
	return grid.Unknown, grid.Unknown
}

// zonesOf returns the zones of the sites that may run a shape.
func zonesOf(sites []plan.Site, where workload.Where) []grid.Zone {
	var zones []grid.Zone
	for _, st := range sites {
		if plan.Allowed(where, st) && !slices.Contains(zones, st.Zone) {
			zones = append(zones, st.Zone)
		}
	}
	return zones
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
