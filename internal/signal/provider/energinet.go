package provider

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

var energinetKind = Kind{
	Name:  "energinet",
	About: "Denmark by Energinet's Energi Data Service: the intensity every five minutes, with a forecast until tomorrow, and day-ahead prices",
	Tells: []string{"history", "forecast", "prices"},
	URL:   "https://api.energidataservice.dk",
	Sends: "the price areas and the times that are asked for",
	Fields: []Field{
		{Name: "scope", About: "what the source's values count, which its pages leave open", Only: []string{"direct", "lifecycle"}},
	},
	open: openEnerginet,
}

const (
	danishSpan      = 7 * 24 * time.Hour
	danishPriceSpan = 31 * 24 * time.Hour
)

// energinet is Energi Data Service of the Danish grid operator.
type energinet struct {
	*source
	areas zoneMap
	scope grid.Scope
}

func openEnerginet(d Declaration, s *source) (signal.Provider, error) {
	return &energinet{s, d.zones(zonesOf(s.tables, tables.Energinet)), grid.Scope(d.Scope)}, nil
}

func (e *energinet) Zones(ctx context.Context) ([]grid.Zone, error) {
	return e.areas.sorted(), ctx.Err()
}

// Basis is what the values count.
func (e *energinet) Basis() grid.Basis { return grid.Basis{Signal: grid.Average, Scope: e.scope} }

func (e *energinet) origin(zone grid.Zone) origin {
	return origin{provider: e.name, zone: zone, basis: e.Basis(), step: 5 * time.Minute}
}

func (e *energinet) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	o := e.origin(zone)
	area, ok := e.areas[zone]
	if !ok {
		return o.series(), signal.NoZone(e.name, zone)
	}
	for _, c := range chunks(from, earlier(to, now), danishSpan) {
		s := o.series()
		err := e.ask(ctx, now, danishCO2, area, c, func(_ board, line []told) error {
			ps, err := pointsOf(line, gramUnit)
			if err == nil {
				s, err = o.history(ps, c.from, c.to, now)
			}
			return err
		})
		if err != nil || len(s.Values) > 0 {
			return s, err
		}
	}
	return o.series(), ctx.Err()
}

// Forecast returns what is expected until the end of tomorrow. The source does
// not say when it made it: it is when we heard it.
func (e *energinet) Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	o := e.origin(zone)
	s := o.series()
	area, ok := e.areas[zone]
	if !ok {
		return s, signal.NoZone(e.name, zone)
	}
	hour := now.Truncate(time.Hour)
	err := e.ask(ctx, now, danishForecast, area, chunk{hour, hour.Add(48 * time.Hour)}, func(_ board, line []told) error {
		ps, err := pointsOf(line, gramUnit)
		if err == nil {
			s, err = o.forecast(ahead(ps, o.step, now), now, now)
		}
		return err
	})
	return s, err
}

// Prices returns day-ahead prices: of quarter hours since they are made so, and
// of hours before.
func (e *energinet) Prices(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Prices, error) {
	p := noPrices(e.name, zone)
	area, ok := e.areas[zone]
	if !ok {
		return p, signal.NoZone(e.name, zone)
	}
	for _, c := range chunks(from, to, danishPriceSpan) {
		set := danishPrices
		if c.from.Before(quarterHours) {
			set, c.to = danishSpot, earlier(c.to, quarterHours)
		}
		err := e.ask(ctx, now, set, area, c, func(b board, line []told) (err error) {
			p, err = priceOf(b, valuesOf(line), euroUnit, e.name, zone, c.from, c.to, now)
			return err
		})
		if err != nil || len(p.Values) > 0 {
			return p, err
		}
	}
	return p, ctx.Err()
}

// ask sends one question and has take make sense of the answer. Start and end
// are read as Danish time, which is an hour or two ahead of UTC: three hours
// more are asked for at the end, and what is too much is left out, so that no
// table of time zones is needed.
func (e *energinet) ask(ctx context.Context, now time.Time, d dataset, area string, c chunk, take func(board, []told) error) error {
	filter, err := json.Marshal(map[string][]string{"PriceArea": {area}})
	if err != nil {
		return err
	}
	q := question{topic: d.name + "/" + area, path: "dataset/" + d.name, query: url.Values{
		"start":  {c.from.UTC().Format("2006-01-02T15:04")},
		"end":    {c.to.Add(3 * time.Hour).UTC().Format("2006-01-02T15:04")},
		"filter": {string(filter)},
		"sort":   {d.column + " asc"},
		"limit":  {"0"}, // all of them
	}}
	return e.get(ctx, now, q, func(a answer) error {
		samples, total, err := decodeEnerginet(a, d, area)
		if err == nil && len(samples) < total {
			err = partial(total, len(samples))
		}
		var b board
		var line []told
		if err == nil {
			b, line, err = spread(inOrder(samples), d.step, c.from, c.to)
		}
		if err == nil {
			err = take(b, line)
		}
		return taking(err)
	})
}
