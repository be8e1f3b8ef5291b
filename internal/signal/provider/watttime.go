package provider

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/signal"
)

var wattTimeKind = Kind{
	Name:  "watttime",
	About: "WattTime, version 3: marginal intensity, what one kWh more causes, by its own regions",
	Tells: []string{"history", "forecast"},
	Key:   "the password (file: or env:), and user",
	URL:   "https://api.watttime.org",
	Sends: "user and password, and the regions and times that are asked for",
	Limit: "3000/5m",
	Fields: []Field{
		{Name: "user", About: "the name of the account", Must: true},
		{Name: "key", About: "where the password is: env:NAME or file:PATH", Must: true},
		{Name: "signal", About: "marginal is co2_moer, average is co2_aoer", Only: []string{"marginal", "average"}},
		{Name: "horizon", About: "of forecasts", Only: []string{"24h", "48h", "72h"}},
	},
	open: openWattTime,
}

// wattTime is the API of WattTime. Its numbers come from models that are
// dated; the date is the model of a series, so that two models are never
// one series.
type wattTime struct {
	*source
	user    string
	basis   grid.Basis
	kind    string // co2_moer
	horizon string
	zones   zoneMap

	// The session. Who has the source's turn may touch it.
	token  secret.Secret
	opened time.Time
	basic  secret.Secret
}

const (
	// wtSession is how long a token is used: it holds for 30 minutes.
	wtSession = 25 * time.Minute
	wtStep    = 5 * time.Minute
	// wtAsk is the most that one question about the past may span: 32 days are
	// allowed, both ends counted.
	wtAsk = 30 * 24 * time.Hour
	// wtIssues bounds one question about past forecasts, which are large.
	wtIssues = 2 * time.Hour
)

func openWattTime(d Declaration, s *source) (signal.Provider, error) {
	if len(d.Zones) == 0 {
		return nil, unfitf("zones is missing: map zones to WattTime's regions, as zones: {US-CAL-CISO: CAISO_NORTH}")
	}
	w := &wattTime{
		source: s, user: d.User, zones: d.zones(nil), kind: "co2_moer",
		basis:   grid.Basis{Signal: grid.Signal(d.Signal), Scope: grid.Direct},
		horizon: strings.TrimSuffix(d.Horizon, "h"),
	}
	if w.basis.Signal == grid.Average {
		w.kind = "co2_aoer"
	}
	s.judge = wtJudge
	s.secrets = func() []secret.Secret { return []secret.Secret{w.token, w.basic} }
	return w, nil
}

// wtJudge tells what a plan does not include from a session that is over.
func wtJudge(a answer) *fault {
	said := gist(a)
	low := strings.ToLower(said)
	if a.status == http.StatusForbidden && (strings.Contains(low, "scope") || strings.Contains(low, "access")) {
		return denied("the account may not read this: " + said + "; take the zone out of zones, or extend the plan")
	}
	if a.status >= 400 && a.status < 500 && strings.Contains(low, "no coverage") {
		return denied(said + "; take the zone out of zones")
	}
	return nil
}

// auth opens a session, or uses the one that is open.
func (w *wattTime) auth(now time.Time) func(context.Context, secret.Secret, bool) (http.Header, error) {
	return func(ctx context.Context, key secret.Secret, again bool) (http.Header, error) {
		if age := now.Sub(w.opened); again || w.token == "" || age >= wtSession || age < -wtSession {
			if err := w.login(ctx, now, key); err != nil {
				return nil, err
			}
		}
		return http.Header{"Authorization": {"Bearer " + w.token.Reveal()}}, nil
	}
}

func (w *wattTime) login(ctx context.Context, now time.Time, key secret.Secret) error {
	user := w.user
	if r, err := reference(user); err == nil {
		u, err := r.read()
		if err != nil {
			return unfitf("user %s", err)
		}
		user = u.Reveal()
	}
	w.token = ""
	w.basic = secret.Secret(base64.StdEncoding.EncodeToString([]byte(user + ":" + key.Reveal())))
	if err := w.admit(now, "login", key); err != nil {
		return err
	}
	a, err := w.send(ctx, question{topic: "login", path: "login", fresh: true, header: http.Header{"Authorization": {"Basic " + w.basic.Reveal()}}}, key)
	if err != nil {
		return err
	}
	var got struct {
		Token string `json:"token"`
	}
	if err := decode(a, &got); err != nil {
		return err
	}
	if got.Token == "" || len(got.Token) > 16<<10 || strings.ContainsFunc(got.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return unfitf("its login gives no token that can be used")
	}
	w.token, w.opened = secret.Secret(got.Token), now
	return nil
}

func (w *wattTime) Zones(ctx context.Context) ([]grid.Zone, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return w.zones.sorted(), nil
}

// wtPoint is one value; wtMeta says what all of them are.
type wtPoint struct {
	Time    string `json:"point_time"`
	Value   number `json:"value"`
	Updated string `json:"last_updated"`
	Imputed bool   `json:"imputed_data_used"`
}

type wtMeta struct {
	Period int    `json:"data_point_period_seconds"`
	Region string `json:"region"`
	Signal string `json:"signal_type"`
	Units  string `json:"units"`
	Issued string `json:"generated_at"`
	Model  struct {
		Date string `json:"date"`
	} `json:"model"`
}

// wtUnits are the units that are known to be carbon by energy. The index
// (percentile) is none, nor is damage to health.
var wtUnits = map[string]ratio{
	"lbs_co2_per_mwh": perPound,
	"kg_co2_per_mwh":  perGram,
	"g_co2_per_kwh":   perGram,
}

// Basis is marginal, unless the average was asked for.
func (w *wattTime) Basis() grid.Basis { return w.basis }

func (w *wattTime) origin(zone grid.Zone) origin {
	return origin{provider: w.name, zone: zone, basis: w.basis}
}

// check reads what the values are, and completes the origin with it.
func (w *wattTime) check(m wtMeta, theirs string, o *origin) (unit ratio, model string, err error) {
	unit, known := wtUnits[m.Units]
	date, derr := time.Parse("2006-01-02", m.Model.Date)
	switch {
	case m.Region != theirs:
		return unit, "", unfitf("asked for region %s, it answers for %q", theirs, printable(m.Region, 40))
	case m.Signal != w.kind:
		return unit, "", unfitf("asked for %s, it answers with %q", w.kind, printable(m.Signal, 40))
	case !known:
		return unit, "", unfitf("its values of %s are in %q, want lbs_co2_per_mwh", theirs, printable(m.Units, 40))
	case derr != nil || date.Year() < 2000 || date.Year() > 2199:
		return unit, "", unfitf("it does not say of which model its values of %s are (meta.model.date is %q)", theirs, printable(m.Model.Date, 40))
	case m.Period < 60 || m.Period > 86400 || m.Period%60 != 0:
		return unit, "", unfitf("its values of %s are %d seconds apart, want 300 or 3600", theirs, m.Period)
	}
	o.step = time.Duration(m.Period) * time.Second
	return unit, date.Format(time.DateOnly), nil
}

func (w *wattTime) points(rows []wtPoint, o origin, unit ratio, model string) ([]point, error) {
	ps := make([]point, 0, len(rows))
	for _, r := range rows {
		p := point{model: model, estimated: r.Imputed}
		var err error
		if p.at, err = instant(r.Time); err != nil {
			return nil, err
		}
		if p.value, err = intensity(string(r.Value), unit); err != nil {
			return nil, where(o.zone, r.Time, err)
		}
		if r.Updated != "" {
			if p.issued, err = instant(r.Updated); err != nil {
				return nil, err
			}
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func (w *wattTime) question(now time.Time, what, theirs string) question {
	return question{
		topic: what + "/" + theirs, path: "v3/" + what, auth: w.auth(now),
		query: url.Values{"region": {theirs}, "signal_type": {w.kind}},
	}
}

func (w *wattTime) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	if err := ctx.Err(); err != nil {
		return grid.Series{}, err
	}
	theirs, ok := w.zones[zone]
	if !ok {
		return grid.Series{}, signal.NoZone(w.name, zone)
	}
	o := w.origin(zone)
	from, to = steps(from, to, now, wtStep)
	return w.past(ctx, now, &o, from, to, wtAsk, func(from, until time.Time) question {
		q := w.question(now, "historical", theirs)
		q.query.Set("start", from.Format(time.RFC3339))
		q.query.Set("end", until.Add(-wtStep).Format(time.RFC3339)) // both ends are told
		q.query.Set("include_imputed_marker", "true")
		return q
	}, func(a answer) ([]point, error) {
		var got struct {
			Data []wtPoint `json:"data"`
			Meta wtMeta    `json:"meta"`
		}
		if err := decode(a, &got); err != nil {
			return nil, err
		}
		unit, model, err := w.check(got.Meta, theirs, &o)
		if err != nil {
			return nil, err
		}
		return w.points(got.Data, o, unit, model)
	})
}

func (w *wattTime) Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	if err := ctx.Err(); err != nil {
		return grid.Series{}, err
	}
	theirs, ok := w.zones[zone]
	if !ok {
		return grid.Series{}, signal.NoZone(w.name, zone)
	}
	o := w.origin(zone)
	s := o.series()
	q := w.question(now, "forecast", theirs)
	q.query.Set("horizon_hours", w.horizon)
	err := w.get(ctx, now, q, func(a answer) error {
		var got struct {
			Data []wtPoint `json:"data"`
			Meta wtMeta    `json:"meta"`
		}
		if err := decode(a, &got); err != nil {
			return err
		}
		var err error
		s, err = w.forecast(got.Data, got.Meta, got.Meta.Issued, o, theirs, now)
		return err
	})
	return s, err
}

func (w *wattTime) forecast(rows []wtPoint, m wtMeta, generated string, o origin, theirs string, now time.Time) (grid.Series, error) {
	unit, model, err := w.check(m, theirs, &o)
	if err != nil {
		return o.series(), err
	}
	ps, err := w.points(rows, o, unit, model)
	if err != nil {
		return o.series(), err
	}
	issued, err := instant(generated)
	if err != nil {
		return o.series(), unfitf("generated_at: %s", err)
	}
	return o.forecast(ps, issued, now)
}

// Issues returns the forecasts that were issued in [from, to), as they were,
// the oldest first: what a backtest of the source wants. One call brings two
// hours of them at most; ask on from the last one's issue.
func (w *wattTime) Issues(ctx context.Context, zone grid.Zone, from, to, now time.Time) ([]grid.Series, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	theirs, ok := w.zones[zone]
	if !ok {
		return nil, signal.NoZone(w.name, zone)
	}
	from, to = steps(from, to, now, wtStep)
	to = earlier(to, from.Add(wtIssues))
	if !from.Before(to) {
		return nil, nil
	}
	q := w.question(now, "forecast/historical", theirs)
	q.query.Set("start", from.Format(time.RFC3339))
	q.query.Set("end", to.Add(-wtStep).Format(time.RFC3339))
	q.query.Set("horizon_hours", w.horizon)
	var list []grid.Series
	err := w.get(ctx, now, q, func(a answer) error {
		var got struct {
			Data []struct {
				Issued   string    `json:"generated_at"`
				Forecast []wtPoint `json:"forecast"`
			} `json:"data"`
			Meta wtMeta `json:"meta"`
		}
		if err := decode(a, &got); err != nil {
			return err
		}
		last := time.Time{}
		for _, g := range got.Data {
			issued, err := instant(g.Issued)
			if err != nil {
				return unfitf("generated_at: %s", err)
			}
			if issued.Before(from) || !issued.Before(to) || !issued.After(last) {
				return unfitf("asked for the forecasts of %s to %s in turn, it tells one of %s", stamp(from), stamp(to), stamp(issued))
			}
			last = issued
			s, err := w.forecast(g.Forecast, got.Meta, g.Issued, w.origin(zone), theirs, issued)
			if err != nil {
				return err
			}
			if len(s.Values) > 0 {
				list = append(list, s)
			}
		}
		return nil
	})
	return list, err
}
