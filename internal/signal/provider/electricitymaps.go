package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal"
)

var electricityMaps = Kind{
	Name:  "electricitymaps",
	About: "the world by Electricity Maps: average intensity of what is consumed, imports traced to their origin",
	Tells: []string{"history", "forecast"},
	Key:   "the API's token (file: or env:)",
	URL:   "https://api.electricitymaps.com",
	Sends: "the token, and the zones and times that are asked for",
	Fields: []Field{
		{Name: "key", About: "where the token is: env:NAME or file:PATH", Must: true},
		{Name: "header", About: "that carries the token; auth-token if it is not given, a gateway may want another"},
		{Name: "version", About: "of the API; none for a gateway whose url says it", Only: []string{"v3", "v4", "none"}},
		{Name: "scope", About: "what is counted", Only: []string{"lifecycle", "direct"}},
		{Name: "step", About: "of the values", Only: []string{"1h", "15m", "5m"}},
		{Name: "horizon", About: "of forecasts, as the plan allows", Only: []string{"24h", "6h", "48h", "72h"}},
		{Name: "demo", About: "true takes the sandbox's data, which is wrong on purpose"},
	},
	open: openElectricityMaps,
}

// emMaps is the API of Electricity Maps, version 3 or 4.
type emMaps struct {
	*source
	prefix  string // v3/
	scope   grid.Scope
	step    time.Duration
	horizon string // 24
	demo    bool
	zones   zoneMap
}

// emSteps are what the API calls a step, and the most that one question about
// the past may span. Of the limits that are told, these are the smaller ones.
var emSteps = map[time.Duration]struct {
	name string
	most time.Duration
}{
	time.Hour:        {"hourly", 10 * 24 * time.Hour},
	15 * time.Minute: {"15_minutes", 3 * 24 * time.Hour},
	5 * time.Minute:  {"5_minutes", 24 * time.Hour},
}

func openElectricityMaps(d Declaration, s *source) (signal.Provider, error) {
	if len(d.Zones) == 0 {
		return nil, unfitf("zones is missing: list the zones that may be asked, as the plan allows: zones: [DE, FR]")
	}
	step, err := time.ParseDuration(d.Step)
	if err != nil {
		return nil, unfitf("step is %.20q, want 1h, 15m or 5m", d.Step)
	}
	s.keyHeader = "auth-token"
	if d.Header != "" {
		s.keyHeader = d.Header
	}
	s.judge = emJudge
	e := &emMaps{
		source:  s,
		prefix:  d.Version + "/",
		scope:   grid.Scope(d.Scope),
		step:    step,
		horizon: strings.TrimSuffix(d.Horizon, "h"),
		demo:    d.Demo,
		zones:   d.zones(nil),
	}
	if e.prefix == "none/" {
		e.prefix = ""
	}
	return e, nil
}

// emJudge tells the two kinds of 401 apart: a wrong token holds for all zones,
// what the plan does not include for one of them.
func emJudge(a answer) *fault {
	said := gist(a)
	low := strings.ToLower(said)
	switch {
	case a.status == http.StatusUnauthorized && (strings.Contains(low, "unauthorized for zonekey") ||
		strings.Contains(low, "do not have access") || strings.Contains(low, "endpoint not available")):
		return denied("the token is right, but its plan does not include this zone or endpoint: " + said + "; take the zone out of zones, or extend the plan")
	case a.status == http.StatusUnauthorized:
		return &fault{kind: problem.Denied, why: "it refuses the token: " + said, wait: wrongKey, all: true, key: true}
	case strings.Contains(low, "no recent data"):
		return &fault{kind: problem.NotFound, why: said, wait: wrongAsk}
	}
	return nil
}

func (e *emMaps) Zones(ctx context.Context) ([]grid.Zone, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.zones.sorted(), nil
}

// emRow is one value.
type emRow struct {
	Zone      string `json:"zone"`
	Value     number `json:"carbonIntensity"`
	Time      string `json:"datetime"`
	Updated   string `json:"updatedAt"`
	Factors   string `json:"emissionFactorType"`
	Estimated bool   `json:"isEstimated"`
	Method    string `json:"estimationMethod"`
	Step      string `json:"temporalGranularity"`
	Traced    *bool  `json:"flowTraced"`
}

// emAnswer is each of the three envelopes: a bare row, or rows under history,
// data or forecast.
type emAnswer struct {
	emRow
	History    []emRow `json:"history"`
	Data       []emRow `json:"data"`
	Forecast   []emRow `json:"forecast"`
	Disclaimer string  `json:"_disclaimer"`
	Error      string  `json:"error"`
}

// Basis is what was asked for.
func (e *emMaps) Basis() grid.Basis { return e.origin("").basis }

func (e *emMaps) origin(zone grid.Zone) origin {
	return origin{
		provider: e.name, zone: zone, basis: grid.Basis{Signal: grid.Average, Scope: e.scope},
		flow: grid.Consumption, step: e.step,
	}
}

// query is what every question has. Without disableCallerLookup, a zone that
// is not known is answered for the zone that we call from.
func (e *emMaps) query(theirs string) url.Values {
	return url.Values{
		"zone":                {theirs},
		"emissionFactorType":  {string(e.scope)},
		"temporalGranularity": {emSteps[e.step].name},
		"disableCallerLookup": {"true"},
	}
}

func (e *emMaps) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	if err := ctx.Err(); err != nil {
		return grid.Series{}, err
	}
	theirs, ok := e.zones[zone]
	if !ok {
		return grid.Series{}, signal.NoZone(e.name, zone)
	}
	o := e.origin(zone)
	s := o.series()
	from, to = steps(from, to, now, e.step)
	if !from.Before(to) {
		return s, nil
	}
	// What the last day holds is in every plan; the past before it is not.
	if now.Sub(from) <= 23*time.Hour {
		q := question{topic: "history/" + theirs, path: e.prefix + "carbon-intensity/history", query: e.query(theirs)}
		err := e.get(ctx, now, q, func(a answer) (err error) {
			ps, _, err := e.read(a, zone, theirs)
			if err == nil {
				s, err = o.history(ps, from, to, now)
			}
			return err
		})
		return s, err
	}
	return e.past(ctx, now, &o, from, to, emSteps[e.step].most, func(from, until time.Time) question {
		q := question{topic: "past/" + theirs, path: e.prefix + "carbon-intensity/past-range", query: e.query(theirs)}
		q.query.Set("start", from.Format(time.RFC3339))
		q.query.Set("end", until.Format(time.RFC3339))
		return q
	}, func(a answer) ([]point, error) {
		ps, _, err := e.read(a, zone, theirs)
		return ps, err
	})
}

// Forecast tells the newest forecast, which both of its ends belong to: of 24
// hours there are 25 values.
func (e *emMaps) Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	if err := ctx.Err(); err != nil {
		return grid.Series{}, err
	}
	theirs, ok := e.zones[zone]
	if !ok {
		return grid.Series{}, signal.NoZone(e.name, zone)
	}
	o := e.origin(zone)
	s := o.series()
	q := question{topic: "forecast/" + theirs, path: e.prefix + "carbon-intensity/forecast", query: e.query(theirs)}
	q.query.Set("horizonHours", e.horizon)
	err := e.get(ctx, now, q, func(a answer) error {
		ps, got, err := e.read(a, zone, theirs)
		if err != nil {
			return err
		}
		if got.Updated == "" {
			return unfitf("its forecast of %s does not say when it was issued (updatedAt)", zone)
		}
		issued, err := instant(got.Updated)
		if err != nil {
			return err
		}
		s, err = o.forecast(ps, issued, now)
		return err
	})
	return s, err
}

// read turns each of the envelopes into points.
func (e *emMaps) read(a answer, zone grid.Zone, theirs string) ([]point, emAnswer, error) {
	var got emAnswer
	if err := decode(a, &got); err != nil {
		return nil, got, err
	}
	if got.Error != "" { // seen with status 200, too
		a.status = http.StatusNotFound
		if f := emJudge(a); f != nil {
			return nil, got, f
		}
		return nil, got, unfitf("it answers 200 and says: %s", gist(a))
	}
	rows := got.History
	lists := 0
	for _, list := range [][]emRow{got.History, got.Data, got.Forecast} {
		if list != nil {
			rows = list
			lists++
		}
	}
	switch {
	case lists > 1:
		return nil, got, unfitf("its answer has several lists of values, want one of history, data and forecast")
	case lists == 0 && got.Time != "":
		rows = []emRow{got.emRow}
	case lists == 0:
		return nil, got, unfitf("its answer has no values: neither history nor data nor forecast")
	}
	if !e.demo && strings.Contains(strings.ToUpper(got.Disclaimer), "SANDBOX") {
		return nil, got, emSandbox(zone)
	}
	if got.Zone != theirs {
		return nil, got, unfitf("asked for zone %s, it answers for %q", theirs, printable(got.Zone, 40))
	}
	ps := make([]point, 0, len(rows))
	for _, r := range rows {
		if r.Zone == "" {
			r.Zone = got.Zone
		}
		if r.Factors == "" {
			r.Factors = got.Factors
		}
		p, err := e.point(r, zone, theirs)
		if err != nil {
			return nil, got, err
		}
		ps = append(ps, p)
	}
	return ps, got, nil
}

func emSandbox(zone grid.Zone) error {
	return &fault{kind: problem.Denied, wait: wrongKey, key: true, all: true,
		why: "it answers for " + string(zone) + " with data of its sandbox, which is wrong on purpose: the token is one for trials; get another, or say demo: true where nothing counts"}
}

func (e *emMaps) point(r emRow, zone grid.Zone, theirs string) (p point, err error) {
	switch {
	case r.Zone != theirs:
		return p, unfitf("asked for zone %s, a row is of %q", theirs, printable(r.Zone, 40))
	case r.Factors != "" && r.Factors != string(e.scope):
		return p, unfitf("asked for %s emissions of %s, it answers with %q", e.scope, zone, printable(r.Factors, 40))
	case r.Traced != nil && !*r.Traced:
		return p, unfitf("its values of %s are not traced through imports (flowTraced: false), and two flows are never mixed", zone)
	case r.Step != "" && r.Step != emSteps[e.step].name:
		return p, unfitf("asked for values %s, it answers with values %s; set step to what the plan has", emSteps[e.step].name, printable(r.Step, 40))
	case !e.demo && strings.Contains(strings.ToUpper(r.Method), "SANDBOX"):
		return p, emSandbox(zone)
	}
	if p.at, err = instant(r.Time); err != nil {
		return p, err
	}
	if p.value, err = intensity(string(r.Value), perGram); err != nil {
		return p, where(zone, r.Time, err)
	}
	if r.Updated != "" {
		if p.issued, err = instant(r.Updated); err != nil {
			return p, err
		}
	}
	p.estimated = r.Estimated
	return p, nil
}
