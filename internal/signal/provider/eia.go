package provider

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

var eiaKind = Kind{
	Name:  "eia",
	About: "The lower 48 United States by form EIA-930: what each fuel generates hour by hour, from which the intensity is reckoned",
	Tells: []string{"history"},
	Key:   "an API key, which the EIA gives on request",
	URL:   "https://api.eia.gov/v2",
	Sends: "the key, the balancing authorities and the times that are asked for",
	Fields: append([]Field{
		{Name: "key", About: "env:NAME or file:PATH with the API key", Must: true},
	}, reckonedFields("1h")...),
	open: openEIA,
}

const (
	eiaSpan  = 14 * 24 * time.Hour // with 14 fuels, one page
	eiaPage  = 5000                // rows, the most that the source gives at once
	eiaPages = 8
)

// eia930 is the hourly electric grid monitor of the U.S. Energy Information
// Administration.
type eia930 struct {
	*source
	reckoned
	areas zoneMap
}

func openEIA(d Declaration, s *source) (signal.Provider, error) {
	r, err := newReckoned(d, s.tables, tables.EIA, time.Hour)
	if err != nil {
		return nil, err
	}
	s.keyQuery = "api_key"
	return &eia930{s, r, d.zones(zonesOf(s.tables, tables.EIA))}, nil
}

func (e *eia930) Zones(ctx context.Context) ([]grid.Zone, error) {
	return e.areas.sorted(), ctx.Err()
}

// History reckons the intensity of what was generated, hour by hour.
func (e *eia930) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	o := e.origin(e.name, zone, time.Hour)
	area, ok := e.areas[zone]
	if !ok {
		return o.series(), signal.NoZone(e.name, zone)
	}
	for _, c := range chunks(from, earlier(to, now.Add(-e.lag)), eiaSpan) {
		s := o.series()
		err := e.ask(ctx, now, area, c.from.Add(-before).Truncate(time.Hour), roundUp(c.to, time.Hour), func(rows []eiaRow) error {
			m, err := byHour(rows, e.fuel)
			if err != nil {
				return err
			}
			ps, err := e.points(m, now)
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

// ask reads all pages of the hours of [from, to), which are whole hours, and
// has take make sense of them. A period is the hour's end, and both ends of the
// question are among the answer.
func (e *eia930) ask(ctx context.Context, now time.Time, area string, from, to time.Time, take func([]eiaRow) error) error {
	var rows []eiaRow
	for page := range eiaPages {
		done := false
		err := e.get(ctx, now, question{topic: "history/" + area, path: "electricity/rto/fuel-type-data/data/", query: url.Values{
			"data[]":               {"value"},
			"frequency":            {"hourly"},
			"facets[respondent][]": {area},
			"start":                {from.Add(time.Hour).UTC().Format("2006-01-02T15")},
			"end":                  {to.UTC().Format("2006-01-02T15")},
			"sort[0][column]":      {"period"},
			"sort[0][direction]":   {"asc"},
			"sort[1][column]":      {"fueltype"},
			"sort[1][direction]":   {"asc"},
			"offset":               {strconv.Itoa(len(rows))},
			"length":               {strconv.Itoa(eiaPage)},
		}}, func(a answer) error {
			more, total, err := decodeEIA(a, area, from, to)
			if err != nil {
				return taking(err)
			}
			rows = append(rows, more...)
			switch done = len(rows) >= total; {
			case done:
				return taking(take(rows))
			case len(more) == 0:
				return unfitf("it says that there are %d rows, and has none after %d", total, len(rows))
			case page == eiaPages-1:
				return unfitf("it has more than %d pages for %s", eiaPages, to.Sub(from))
			}
			return nil
		})
		if err != nil || done {
			return err
		}
	}
	return errors.New("the last page is done or an error") // unreachable
}
