package api

import (
	"context"
	"slices"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
)

// signals says how the sources of signals are doing.
func (s *Server) signals(context.Context, *none) (*body[clusy.Signals], error) {
	out := s.Zones.Signals(s.Now())
	// Lists are lists, also empty ones.
	if out.Sources == nil {
		out.Sources = []clusy.SignalSource{}
	}
	if out.Zones == nil {
		out.Zones = []clusy.ZoneSignal{}
	}
	return ok(out)
}

type forecastIn struct {
	Zone string    `path:"zone" maxLength:"64"`
	At   time.Time `query:"at" doc:"Default: now. An earlier time gives the forecast that was in use then, as it was issued."`
}

// forecast returns the forecast of a zone that was in use at some time.
func (s *Server) forecast(ctx context.Context, in *forecastIn) (*body[clusy.Forecast], error) {
	at := in.At
	if now := s.Now(); at.IsZero() || at.After(now) {
		at = now
	}
	var f grid.Series
	err := s.Store.ViewAll(ctx, func(tx SystemTx) (err error) {
		f, err = tx.ForecastAt(grid.Zone(in.Zone), s.Rules.PlansOn(), at)
		return err
	})
	if problem.KindOf(err) == problem.NotFound {
		return nil, problem.Errorf(problem.NotFound, "No forecast of zone %q is kept that was in use at %s; GET /v1/zones lists the zones that have one, and forecasts are kept for about a month.", in.Zone, at.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return nil, err
	}
	out := clusy.Forecast{Zone: string(f.Zone), Provider: f.Provider, Issued: f.Issued, Grade: string(f.Grade), Basis: f.Basis.String(), Points: []clusy.Point{}}
	for i := range f.Values {
		t := f.Start.Add(time.Duration(i) * f.Step)
		r, known := f.At(t)
		if !known {
			continue
		}
		low, high := grid.Unknown, grid.Unknown
		if len(f.Low) > 0 {
			low, high = f.Low[i], f.High[i]
		}
		out.Points = append(out.Points, wire.PointOut(r, t, true, low, high))
	}
	return ok(out)
}

// prices returns what is known of a zone's prices, a list for each provider and
// currency. Of two issues the later counts.
func (s *Server) prices(ctx context.Context, in *intensityIn) (*body[clusy.Page[clusy.Prices]], error) {
	now := s.Now()
	from, to, err := window(in.From, in.To, now)
	if err != nil {
		return nil, err
	}
	var stored []grid.Prices
	err = s.Store.ViewAll(ctx, func(tx SystemTx) (err error) {
		stored, err = tx.Prices(grid.Zone(in.Zone), from)
		return err
	})
	if err != nil {
		return nil, err
	}
	type source struct{ provider, currency string }
	at := map[source]map[time.Time]float64{}
	var items []clusy.Prices
	for _, p := range stored { // by start, the later issued after the earlier
		if p.Issued.After(now) {
			continue
		}
		k := source{p.Provider, p.Currency}
		i := slices.IndexFunc(items, func(o clusy.Prices) bool { return o.Provider == p.Provider && o.Currency == p.Currency })
		if i < 0 {
			i, at[k] = len(items), map[time.Time]float64{}
			items = append(items, clusy.Prices{Zone: in.Zone, Provider: p.Provider, Currency: p.Currency})
		}
		if p.Issued.After(items[i].Issued) {
			items[i].Issued = p.Issued
		}
		for n, r := range p.Values {
			if t := p.Start.Add(time.Duration(n) * p.Step); r.Known() && t.Before(to) && t.Add(p.Step).After(from) {
				at[k][t.UTC()] = float64(r) / 1e6
			}
		}
	}
	for i := range items {
		points := []clusy.PricePoint{}
		for t, r := range at[source{items[i].Provider, items[i].Currency}] {
			points = append(points, clusy.PricePoint{Start: t, Price: r})
		}
		slices.SortFunc(points, func(a, b clusy.PricePoint) int { return a.Start.Compare(b.Start) })
		items[i].Points = points
	}
	return page(items, "")
}
