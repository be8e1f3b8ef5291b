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
			if r, known := grid.Believe(zone, s.Rules.PlansOn(), series...).At(now); known {
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
	from, to, err := window(in.From, in.To, now)
	if err != nil {
		return nil, err
	}
	var out clusy.Outlook
	err = s.Store.ViewAll(ctx, func(tx SystemTx) error {
		forecasts, err := tx.LatestForecasts()
		if err == nil {
			out, err = outlook(tx, s.Rules.PlansOn(), forecasts, grid.Zone(in.Zone), from, to, now)
		}
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

// window fills in what was not asked for, and refuses a window that is empty or
// too long.
func window(from, to, now time.Time) (time.Time, time.Time, error) {
	if from.IsZero() {
		from = now.Add(-24 * time.Hour).Truncate(time.Hour)
	}
	if to.IsZero() {
		to = now.Add(72 * time.Hour)
	}
	if !from.Before(to) || to.Sub(from) > 31*24*time.Hour {
		return from, to, problem.With(problem.Invalid, "The range is empty or too long.", problem.Violation{
			Pointer: "query.to", Message: "to must come after from, by at most 31 days", Value: to.Format(time.RFC3339), Limit: "31 days",
			Nearest: from.Add(31 * 24 * time.Hour).Format(time.RFC3339),
		})
	}
	return from, to, nil
}

// band returns the spread of the series that is believed at t.
func band(o grid.Outlook, t time.Time) (low, high grid.Intensity) {
	for _, f := range o.Series() {
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
