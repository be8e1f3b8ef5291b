package provider

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/tables"
)

var entsoeKind = Kind{
	Name:  "entsoe",
	About: "Europe by ENTSO-E's Transparency Platform: what each kind of plant generates, from which the intensity is reckoned, and day-ahead prices",
	Tells: []string{"history", "prices"},
	Key:   "the security token of an account, which ENTSO-E gives on request by e-mail",
	URL:   "https://web-api.tp.entsoe.eu/api",
	Sends: "the token, the areas and the times that are asked for",
	Limit: "400/1m",
	Fields: append([]Field{
		{Name: "key", About: "env:NAME or file:PATH with the security token", Must: true},
	}, reckonedFields("2h")...),
	open: openEntsoe,
}

// Times for one request. An area has some 20 kinds of plant, 96 times a day.
const (
	entsoeMixSpan   = 10 * 24 * time.Hour
	entsoePriceSpan = 31 * 24 * time.Hour
	// before is how much earlier than asked a mix is looked at: what is not
	// told in its first steps is weighed by what was told before.
	before = 12 * time.Hour
)

// entsoe is ENTSO-E's Transparency Platform.
type entsoe struct {
	*source
	reckoned
	areas  zoneMap // of generation, by their code (EIC)
	priced zoneMap // of prices
}

func openEntsoe(d Declaration, s *source) (signal.Provider, error) {
	r, err := newReckoned(d, s.tables, tables.ENTSOE, 2*time.Hour)
	if err != nil {
		return nil, err
	}
	s.keyQuery, s.accept, s.judge = "securityToken", "application/xml", judgeEntsoe
	e := &entsoe{source: s, reckoned: r}
	e.areas, e.priced = d.split(zonesOf(s.tables, tables.ENTSOE), zonesOf(s.tables, tables.ENTSOEPrice))
	for _, m := range []zoneMap{e.areas, e.priced} {
		for zone, eic := range m {
			if len(eic) != 16 || strings.Trim(eic, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
				return nil, fmt.Errorf("zones maps %s to %s, want an area code (EIC) of 16 characters", zone, clip(eic))
			}
		}
	}
	return e, nil
}

func (e *entsoe) Zones(ctx context.Context) ([]grid.Zone, error) {
	return e.areas.sorted(), ctx.Err()
}

// History reckons the intensity of what was generated. The newest steps are
// left out for a while, as some plants report late.
func (e *entsoe) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	s := e.origin(e.name, zone, 0).series()
	eic, ok := e.areas[zone]
	if !ok {
		return s, signal.NoZone(e.name, zone)
	}
	for _, c := range chunks(from, earlier(to, now.Add(-e.lag)), entsoeMixSpan) {
		q := entsoeQuestion{"A75", eic, c.from.Add(-before).Truncate(time.Hour), roundUp(c.to, time.Hour)}
		err := e.ask(ctx, now, q, url.Values{"processType": {"A16"}, "in_Domain": {eic}}, func(periods []entsoePeriod) error {
			m, err := generation(periods, e.fuel)
			if err != nil {
				return err
			}
			ps, err := e.points(m, now)
			if err == nil {
				s, err = e.origin(e.name, zone, m.step).history(ps, c.from, c.to, now)
			}
			return err
		})
		if err != nil || len(s.Values) > 0 {
			return s, err
		}
	}
	return s, ctx.Err()
}

// Prices returns day-ahead prices of the bidding zone.
func (e *entsoe) Prices(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Prices, error) {
	p := noPrices(e.name, zone)
	eic, ok := e.priced[zone]
	if !ok {
		return p, signal.NoZone(e.name, zone)
	}
	for _, c := range chunks(from, to, entsoePriceSpan) {
		q := entsoeQuestion{"A44", eic, c.from.Truncate(time.Hour), roundUp(c.to, time.Hour)}
		err := e.ask(ctx, now, q, url.Values{"in_Domain": {eic}, "out_Domain": {eic}}, func(periods []entsoePeriod) error {
			b, perMWh, currency, err := auction(periods)
			if err != nil {
				return err
			}
			u, err := priceUnit(currency + "/MWh")
			if err == nil {
				p, err = priceOf(b, perMWh, u, e.name, zone, c.from, c.to, now)
			}
			return err
		})
		if err != nil || len(p.Values) > 0 {
			return p, err
		}
	}
	return p, ctx.Err()
}

// ask sends one question and has take make sense of the document. Names of
// parameters are case-sensitive there, and times are in UTC.
func (e *entsoe) ask(ctx context.Context, now time.Time, q entsoeQuestion, query url.Values, take func([]entsoePeriod) error) error {
	query.Set("documentType", q.document)
	query.Set("periodStart", q.from.UTC().Format("200601021504"))
	query.Set("periodEnd", q.to.UTC().Format("200601021504"))
	return e.get(ctx, now, question{topic: q.document + "/" + q.eic, query: query, also: nothingThere}, func(a answer) error {
		periods, err := decodeEntsoe(a.body, q)
		if err == nil {
			err = take(periods)
		}
		return taking(err)
	})
}

// reasonOf returns what an acknowledgement says; false if it is none.
func reasonOf(a answer) (error, bool) {
	if !bytes.Contains(a.body, []byte("Acknowledgement_MarketDocument")) {
		return nil, false
	}
	dec := xml.NewDecoder(bytes.NewReader(a.body))
	root, err := rootOf(dec)
	if err != nil {
		return nil, false
	}
	return acknowledged(dec, root), true
}

// nothingThere reports whether an answer of status 400 or 404 is the document
// that says that there is nothing, as it does with status 200 on other days.
func nothingThere(a answer) bool {
	if a.status != http.StatusBadRequest && a.status != http.StatusNotFound {
		return false
	}
	err, ok := reasonOf(a)
	return ok && errors.Is(err, errNoData)
}

// judgeEntsoe reads the reason of a refusal, which is a document too.
func judgeEntsoe(a answer) *fault {
	if a.status != http.StatusBadRequest {
		return nil
	}
	err, ok := reasonOf(a)
	if !ok {
		return nil
	}
	return &fault{kind: problem.Invalid, why: "it answers 400: " + err.Error(), wait: wrongAsk}
}
