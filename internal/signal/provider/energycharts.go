package provider

import (
	"context"
	"net/url"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

var energyChartsKind = Kind{
	Name:  "energy-charts",
	About: "Europe by Energy-Charts of Fraunhofer ISE: the intensity of what is produced, with a forecast, and day-ahead prices (CC BY 4.0)",
	Tells: []string{"history", "forecast", "prices"},
	URL:   "https://api.energy-charts.info",
	Sends: "the countries and the times that are asked for",
	open:  openEnergyCharts,
}

const chartsSpan = 31 * 24 * time.Hour

// energyCharts is the API behind Energy-Charts.info.
type energyCharts struct {
	*source
	countries zoneMap
	priced    zoneMap
}

func openEnergyCharts(d Declaration, s *source) (signal.Provider, error) {
	e := &energyCharts{source: s}
	e.countries, e.priced = d.split(zonesOf(s.tables, tables.EnergyCharts), zonesOf(s.tables, tables.EnergyChartsBZN))
	return e, nil
}

func (e *energyCharts) Zones(ctx context.Context) ([]grid.Zone, error) {
	return e.countries.sorted(), ctx.Err()
}

// Basis is what the values count.
func (e *energyCharts) Basis() grid.Basis { return grid.AverageLifecycle }

func (e *energyCharts) origin(zone grid.Zone, step time.Duration) origin {
	return origin{provider: e.name, zone: zone, basis: e.Basis(), flow: grid.Production, step: step}
}

// History returns what was measured; the forecast in the same answer is not
// looked at.
func (e *energyCharts) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	s := e.origin(zone, 0).series()
	country, ok := e.countries[zone]
	if !ok {
		return s, signal.NoZone(e.name, zone)
	}
	for _, c := range chunks(from, earlier(to, now), chartsSpan) {
		err := e.ask(ctx, now, question{topic: "history/" + country, path: "co2eq", query: url.Values{"country": {country}}}, c, charts.measured,
			func(b board, line []told) error {
				ps, err := pointsOf(line, gramUnit)
				if err == nil {
					s, err = e.origin(zone, b.step).history(ps, c.from, c.to, now)
				}
				return err
			})
		if err != nil || len(s.Values) > 0 {
			return s, err
		}
	}
	return s, ctx.Err()
}

// Forecast returns what is expected of the rest of today and of tomorrow. The
// source does not say when it made it: it is when we heard it.
func (e *energyCharts) Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	s := e.origin(zone, 0).series()
	country, ok := e.countries[zone]
	if !ok {
		return s, signal.NoZone(e.name, zone)
	}
	hour := now.Truncate(time.Hour)
	q := question{topic: "forecast/" + country, path: "co2eq", query: url.Values{"country": {country}}}
	err := e.ask(ctx, now, q, chunk{hour, hour.Add(48 * time.Hour)}, charts.forecast, func(b board, line []told) error {
		ps, err := pointsOf(line, gramUnit)
		if err == nil {
			s, err = e.origin(zone, b.step).forecast(ahead(ps, b.step, now), now, now)
		}
		return err
	})
	return s, err
}

// Prices returns day-ahead prices of the bidding zone.
func (e *energyCharts) Prices(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Prices, error) {
	p := noPrices(e.name, zone)
	bzn, ok := e.priced[zone]
	if !ok {
		return p, signal.NoZone(e.name, zone)
	}
	for _, c := range chunks(from, to, chartsSpan) {
		err := e.ask(ctx, now, question{topic: "price/" + bzn, path: "price", query: url.Values{"bzn": {bzn}}}, c, charts.prices,
			func(b board, line []told) (err error) {
				p, err = priceOf(b, valuesOf(line), euroUnit, e.name, zone, c.from, c.to, now)
				return err
			})
		if err != nil || len(p.Values) > 0 {
			return p, err
		}
	}
	return p, ctx.Err()
}

// ask sends one question and has take make sense of a column of the answer.
func (e *energyCharts) ask(ctx context.Context, now time.Time, q question, c chunk, column func(charts) ([]told, error), take func(board, []told) error) error {
	// An hour more on each side: one value alone does not tell its step.
	q.query.Set("start", stamp(c.from.Add(-time.Hour)))
	q.query.Set("end", stamp(c.to.Add(time.Hour)))
	return e.get(ctx, now, q, func(a answer) error {
		answer, err := decodeCharts(a)
		if err != nil {
			return taking(err)
		}
		samples, err := column(answer)
		if err != nil {
			return taking(err)
		}
		b, line, err := spread(samples, 0, c.from, c.to)
		if err == nil {
			err = take(b, line)
		}
		return taking(err)
	})
}
