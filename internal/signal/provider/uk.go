package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
)

var ukCarbonIntensity = Kind{
	Name:  "uk-carbon-intensity",
	About: "Great Britain by the operator of its grid (NESO): generation and imports, direct emissions, half hours",
	Tells: []string{"history", "forecast"},
	URL:   "https://api.carbonintensity.org.uk",
	Sends: "the region and the times that are asked for",
	open:  openUK,
}

// ukRegions are the regions by their number. Only GB has what was measured; of a
// region there are forecasts alone, as its own history is the last forecast.
var ukRegions = []string{
	"North Scotland", "South Scotland", "North West England", "North East England", "Yorkshire", "North Wales",
	"South Wales", "West Midlands", "East Midlands", "East England", "South West England", "South England", "London",
	"South East England", "England", "Scotland", "Wales",
}

// uk is the Carbon Intensity API of the National Energy System Operator.
type uk struct {
	*source
	zones zoneMap // to "GB" or the number of a region
}

func openUK(d Declaration, s *source) (signal.Provider, error) {
	zones := zoneMap{}
	for ours, theirs := range d.zones(zoneMap{"GB": "GB"}) {
		if i := slices.IndexFunc(ukRegions, func(r string) bool { return strings.EqualFold(r, theirs) }); i >= 0 {
			theirs = strconv.Itoa(i + 1)
		}
		if n, err := strconv.Atoi(theirs); theirs != "GB" && (err != nil || n < 1 || n > len(ukRegions)) {
			return nil, unfitf("zones maps %s to %.40q, want GB, or a region by its number (1 to %d) or its name (%s)", ours, theirs, len(ukRegions), strings.Join(ukRegions, ", "))
		}
		zones[ours] = theirs
	}
	return &uk{s, zones}, nil
}

func (u *uk) Zones(ctx context.Context) ([]grid.Zone, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return u.zones.sorted(), nil
}

// ukSlot is half an hour.
type ukSlot struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Intensity struct {
		Forecast number `json:"forecast"`
		Actual   number `json:"actual"`
	} `json:"intensity"`
}

// ukRegion is a region around its slots.
type ukRegion struct {
	ID   int      `json:"regionid"`
	Data []ukSlot `json:"data"`
}

// ukAsk is the most that one question may span.
const ukAsk = 13 * 24 * time.Hour

// Basis is combustion alone.
func (u *uk) Basis() grid.Basis { return u.origin("").basis }

func (u *uk) origin(zone grid.Zone) origin {
	// Imports are counted, losses too; nothing is traced through other zones.
	return origin{provider: u.name, zone: zone, basis: grid.Basis{Signal: grid.Average, Scope: grid.Direct}, step: 30 * time.Minute}
}

// History tells what was measured, for the whole nation: of a region nothing is.
func (u *uk) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	theirs, ok := u.zones[zone]
	o := u.origin(zone)
	if err := ctx.Err(); err != nil {
		return grid.Series{}, err
	}
	if !ok {
		return grid.Series{}, signal.NoZone(u.name, zone)
	}
	from, to = steps(from, to, now, o.step)
	if theirs != "GB" || !from.Before(to) {
		return o.series(), nil
	}
	return u.past(ctx, now, &o, from, to, ukAsk, func(from, until time.Time) question {
		return question{topic: "history/" + theirs, path: "intensity/" + ukStamp(from) + "/" + ukStamp(until)}
	}, func(a answer) ([]point, error) {
		return u.read(a, zone, theirs, func(s ukSlot) number { return s.Intensity.Actual })
	})
}

// Forecast tells the next two days. The API does not say when they were issued:
// it is when we heard it.
func (u *uk) Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	theirs, ok := u.zones[zone]
	o := u.origin(zone)
	if err := ctx.Err(); err != nil {
		return grid.Series{}, err
	}
	if !ok {
		return grid.Series{}, signal.NoZone(u.name, zone)
	}
	path := "intensity/" + ukStamp(ukTime(now)) + "/fw48h"
	if theirs != "GB" {
		path = "regional/" + path + "/regionid/" + theirs
	}
	s := o.series()
	err := u.get(ctx, now, question{topic: "forecast/" + theirs, path: path}, func(a answer) error {
		ps, err := u.read(a, zone, theirs, func(s ukSlot) number { return s.Intensity.Forecast })
		if err == nil {
			s, err = o.forecast(ps, now, now)
		}
		return err
	})
	return s, err
}

// read turns an answer into points. A nation's slots stand in a list, a
// region's in an object, which the documentation puts into a list.
func (u *uk) read(a answer, zone grid.Zone, theirs string, value func(ukSlot) number) ([]point, error) {
	var outer struct {
		Data json.RawMessage `json:"data"`
	}
	if err := decode(a, &outer); err != nil {
		return nil, err
	}
	if raw := bytes.TrimSpace(outer.Data); len(raw) == 0 || string(raw) == "null" {
		return nil, unfitf("its answer has no data%s", about(a))
	}
	var slots []ukSlot
	if theirs == "GB" {
		if err := unpack(outer.Data, &slots); err != nil {
			return nil, err
		}
	} else {
		var regions []ukRegion
		if outer.Data[0] == '{' {
			regions = make([]ukRegion, 1)
			if err := unpack(outer.Data, &regions[0]); err != nil {
				return nil, err
			}
		} else if err := unpack(outer.Data, &regions); err != nil {
			return nil, err
		}
		if len(regions) != 1 || strconv.Itoa(regions[0].ID) != theirs {
			return nil, unfitf("asked for region %s, it answers for another", theirs)
		}
		slots = regions[0].Data
	}
	ps := make([]point, 0, len(slots))
	for _, s := range slots {
		at, err := instant(s.From)
		if err != nil {
			return nil, err
		}
		if end, err := instant(s.To); err != nil || end.Sub(at) != 30*time.Minute {
			return nil, unfitf("it tells a value from %s to %s, want half an hour", printable(s.From, 30), printable(s.To, 30))
		}
		v, err := intensity(string(value(s)), perGram)
		if err != nil {
			return nil, where(zone, s.From, err)
		}
		ps = append(ps, point{at: at, value: v})
	}
	return ps, nil
}

// ukTime is the start of the half hour that holds t.
func ukTime(t time.Time) time.Time { return t.UTC().Truncate(30 * time.Minute) }

func ukStamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }
