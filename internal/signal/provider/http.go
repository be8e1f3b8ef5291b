package provider

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // a small machine has no table of time zones of its own

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
)

var httpKind = Kind{
	Name:  "http",
	About: "any JSON over HTTP, as the declaration describes it; docs/how-to/bring-your-own-signal.md teaches it",
	Tells: []string{"history", "forecast", "prices"},
	Key:   "whatever the source wants, sent in header or for {key} in the query",
	Sends: "what request says",
	Fields: []Field{
		{Name: "request", About: "path and query under url, with {zone}, {from}, {to} or {date}, and {key} in the query", Must: true},
		{Name: "tells", About: "what its values are", Only: []string{"history", "forecast", "price"}, Must: true},
		{Name: "time", About: "path to the start of a step, as data[*].time; within a row if rows is given", Must: true},
		{Name: "value", About: "path to the value", Must: true},
		{Name: "rows", About: "path to the list whose elements hold time and value, as data[*]"},
		{Name: "estimated", About: "path to true where a value is modelled"},
		{Name: "unit", About: "g/kWh, kg/kWh, g/MWh, kg/MWh, t/MWh or lb/MWh; of a price EUR/MWh, SEK/kWh and the like", Must: true},
		{Name: "step", About: "length of a step, as 15m or 1h", Must: true},
		{Name: "signal", About: "what carbon values count; must be given for them", Only: []string{"average", "marginal"}, Open: true},
		{Name: "scope", About: "what carbon values count; must be given for them", Only: []string{"lifecycle", "direct"}, Open: true},
		{Name: "flow", About: "how an average was reckoned", Only: []string{"consumption", "production"}, Open: true},
		{Name: "modelled", About: "true if every value is modelled and none measured", Only: []string{"true"}},
		{Name: "timeFormat", About: "how times are written in the answer: rfc3339, unix, unix-ms, or as 2 January 2006, 15:04:05 would be"},
		{Name: "askFormat", About: "how {from} and {to} are written, like timeFormat"},
		{Name: "timezone", About: "of times without an offset and of the days of {date}; UTC if not given"},
		{Name: "header", About: "that carries the key"},
		{Name: "key", About: "env:NAME or file:PATH"},
	},
	open:  openHTTP,
	price: openHTTPPrice,
}

// Times for one request to a source of which nothing is known.
const (
	httpSpan = 7 * 24 * time.Hour
	httpDays = 8 // requests for one question that is asked by days
	// anyTime is how far around now answers may reach of a source that is not
	// asked for a time.
	anyTime = 400 * 24 * time.Hour
)

// declared is a source as its declaration describes it.
type declared struct {
	*source
	tells    string
	basis    grid.Basis
	flow     grid.Flow
	modelled bool
	zones    zoneMap
	request  request
	fields   map[grid.Zone]fields // {zone} may stand in a path
	unit     unit
	step     time.Duration
	ask      timeForm
	loc      *time.Location
}

// openHTTP opens a source of carbon intensities. A source of prices has no
// Provider.
func openHTTP(d Declaration, s *source) (signal.Provider, error) {
	if d.Tells == "price" {
		return nil, nil
	}
	h, err := newDeclared(d, s)
	if err != nil {
		return nil, err
	}
	if h.unit, err = carbonUnit(d.Unit); err != nil {
		return nil, err
	}
	for name, v := range map[string]string{"signal": d.Signal, "scope": d.Scope} {
		if v == "" {
			return nil, fmt.Errorf("%s is missing: say what the source's values count, as nobody else can", name)
		}
	}
	h.basis, h.flow, h.modelled = grid.Basis{Signal: grid.Signal(d.Signal), Scope: grid.Scope(d.Scope)}, grid.Flow(d.Flow), d.Modelled
	if d.Tells == "forecast" {
		return httpForecast{h}, nil
	}
	return httpHistory{h}, nil
}

// openHTTPPrice opens a source of prices.
func openHTTPPrice(d Declaration, s *source) (signal.Pricer, error) {
	h, err := newDeclared(d, s)
	if err != nil {
		return nil, err
	}
	if h.unit, err = priceUnit(d.Unit); err != nil {
		return nil, err
	}
	for name, v := range map[string]string{"signal": d.Signal, "scope": d.Scope, "flow": d.Flow, "estimated": d.Estimated} {
		if v != "" {
			return nil, fmt.Errorf("%s is given, and a price has none; leave it out", name)
		}
	}
	if d.Modelled {
		return nil, errors.New("modelled is given, and a price has none; leave it out")
	}
	return httpPrice{h}, nil
}

func newDeclared(d Declaration, s *source) (*declared, error) {
	h := &declared{source: s, tells: d.Tells, zones: d.zones(nil), loc: time.UTC, fields: map[grid.Zone]fields{}}
	if len(h.zones) == 0 {
		return nil, errors.New("zones is missing: a map of our zones to the source's names for them")
	}
	var err error
	if h.request, err = parseRequest(d.Request); err != nil {
		return nil, err
	}
	if h.step, err = grid.ParseDuration(d.Step); err != nil || h.step < time.Minute || h.step > 24*time.Hour || h.step%time.Minute != 0 {
		return nil, fmt.Errorf("step is %s, want whole minutes, 1m to 24h", clip(d.Step))
	}
	if d.Timezone != "" {
		if h.loc, err = time.LoadLocation(d.Timezone); err != nil || d.Timezone == "Local" {
			return nil, fmt.Errorf("timezone is %s, want a name as Europe/Oslo", clip(d.Timezone))
		}
	}
	times, err := parseTimeForm("timeFormat", d.TimeFormat, h.loc)
	if err != nil {
		return nil, err
	}
	if h.ask, err = parseTimeForm("askFormat", d.AskFormat, h.loc); err != nil {
		return nil, err
	}
	if err := h.placeKey(d); err != nil {
		return nil, err
	}
	if len(h.zones) > 1 && !h.request.uses["zone"] && !strings.Contains(d.Rows+d.Value, "{zone}") {
		return nil, fmt.Errorf("zones has %d entries, and no {zone} stands in request, rows or value: all would get the same numbers", len(h.zones))
	}
	for zone, name := range h.zones {
		f := fields{times: times, byRow: d.Rows != ""}
		for field, into := range map[string]struct {
			text string
			path *jsonPath
		}{"rows": {d.Rows, &f.rows}, "time": {d.Time, &f.time}, "value": {d.Value, &f.value}, "estimated": {d.Estimated, &f.estimated}} {
			if into.text == "" {
				continue
			}
			text, err := zonePath(into.text, name)
			if err == nil {
				*into.path, err = parsePath(text)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", field, err)
			}
		}
		// What cannot stand in the path is found now, not at night.
		if _, _, err := h.request.fill(map[string]string{"zone": name}); err != nil {
			return nil, err
		}
		h.fields[zone] = f
	}
	return h, nil
}

// placeKey says where the key goes.
func (h *declared) placeKey(d Declaration) error {
	h.keyQuery, h.keyHeader = h.request.key, d.Header
	switch {
	case d.Key == "" && (h.keyQuery != "" || h.keyHeader != ""):
		return errors.New("key is missing, and header or {key} wants one")
	case d.Key != "" && h.keyQuery == "" && h.keyHeader == "":
		return errors.New("key is given, and neither header nor {key} in request says where it goes")
	case h.keyQuery != "" && h.keyHeader != "":
		return errors.New("key goes into header and into {key}; choose one")
	}
	for _, no := range []string{"Host", "Content-Length", "Connection", "Transfer-Encoding", "Accept", "User-Agent"} {
		if strings.EqualFold(h.keyHeader, no) {
			return fmt.Errorf("header is %s, which carries no key", d.Header)
		}
	}
	if strings.EqualFold(h.keyHeader, "Authorization") {
		h.keyPrefix = "Bearer "
	}
	return nil
}

// zonePath puts the source's name of a zone into a path, as one name.
func zonePath(path, name string) (string, error) {
	if !strings.Contains(path, "{zone}") {
		return path, nil
	}
	if strings.ContainsAny(name, `"]`) {
		return "", fmt.Errorf("the zone is called %s, which cannot stand in a path", clip(name))
	}
	quoted := `["` + name + `"]`
	return strings.ReplaceAll(strings.ReplaceAll(path, ".{zone}", quoted), "{zone}", quoted), nil
}

func (h *declared) Zones(ctx context.Context) ([]grid.Zone, error) {
	return h.zones.sorted(), ctx.Err()
}

// chunks parts a question into requests.
func (h *declared) chunks(from, to time.Time) []chunk {
	switch {
	case !from.Before(to):
		return nil
	case h.request.uses["date"]:
		var list []chunk
		y, m, d := from.In(h.loc).Date()
		for len(list) < httpDays {
			// Days begin when their date does: they have 23 to 25 hours.
			day := chunk{time.Date(y, m, d, 0, 0, 0, 0, h.loc), time.Date(y, m, d+1, 0, 0, 0, 0, h.loc)}
			if !day.from.Before(to) {
				break
			}
			list = append(list, day)
			d++
		}
		return list
	case h.request.uses["from"]:
		return chunks(from, to, httpSpan)
	}
	return []chunk{{from, to}}
}

// fetch sends one request and lays what comes on a line. Without samples there
// is nothing, or nothing yet.
func (h *declared) fetch(ctx context.Context, now time.Time, zone grid.Zone, c chunk) (line []told, err error) {
	path, query, err := h.request.fill(map[string]string{
		"zone": h.zones[zone], "from": h.ask.write(c.from), "to": h.ask.write(c.to), "date": c.from.In(h.loc).Format(time.DateOnly),
	})
	if err != nil {
		return nil, err
	}
	q := question{topic: h.tells + "/" + string(zone), path: path, query: query, empty: true}
	err = h.get(ctx, now, q, func(a answer) error {
		if a.status == http.StatusNoContent {
			return nil
		}
		samples, err := h.fields[zone].decode(a)
		if err != nil {
			return taking(err)
		}
		if !h.request.uses["from"] && !h.request.uses["date"] {
			c = chunk{now.Add(-anyTime), now.Add(anyTime)}
		}
		_, line, err = spread(samples, h.step, c.from, c.to)
		if err == nil {
			err = h.fits(line)
		}
		return taking(err)
	})
	return line, err
}

// fits makes sure that every value can be one, so that a bad answer counts
// against the source.
func (h *declared) fits(line []told) (err error) {
	for _, s := range line {
		if h.unit.currency != "" {
			_, err = h.unit.rate(s.value)
		} else {
			_, err = h.unit.intensity(s.value)
		}
		if err != nil {
			return fmt.Errorf("at %s: %w", stamp(s.at), err)
		}
	}
	return nil
}

// gather asks for [from, to) and lays what comes on one line: of a source that
// is asked for days all of them, of another what the first request brings that
// brings anything.
func (h *declared) gather(ctx context.Context, now time.Time, zone grid.Zone, from, to time.Time) (board, []told, error) {
	if _, ok := h.zones[zone]; !ok {
		return board{}, nil, signal.NoZone(h.name, zone)
	}
	var all []told
	for _, c := range h.chunks(from, to) {
		line, err := h.fetch(ctx, now, zone, c)
		if err != nil {
			return board{}, nil, err
		}
		for _, s := range line {
			if s.at.Add(h.step).After(from) && s.at.Before(to) && !math.IsNaN(s.value) {
				all = append(all, s)
			}
		}
		if len(all) > 0 && !h.request.uses["date"] {
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return board{}, nil, err
	}
	b, line, err := spread(once(inOrder(all)), h.step, from, to)
	return b, line, h.refuse(now, zone, err)
}

// refuse holds a topic back whose answers came well and do not fit together.
func (h *declared) refuse(now time.Time, zone grid.Zone, err error) error {
	if err == nil || errors.Is(err, errNoData) {
		return err
	}
	return h.hold(now, h.tells+"/"+string(zone), "", taking(err))
}

// once drops what two answers say alike of the same time: days overlap at some
// sources. What they say differently stays, and is refused.
func once(samples []told) []told {
	kept := samples[:0]
	for _, s := range samples {
		if n := len(kept); n > 0 && kept[n-1] == s {
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// carbon is gather in points.
func (h *declared) carbon(ctx context.Context, now time.Time, zone grid.Zone, from, to time.Time) ([]point, error) {
	_, line, err := h.gather(ctx, now, zone, from, to)
	if errors.Is(err, errNoData) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ps, err := pointsOf(line, h.unit)
	for i := range ps {
		ps[i].estimated = ps[i].estimated || h.modelled
	}
	return ps, err
}

// Basis is what the values count, as the declaration says.
func (h *declared) Basis() grid.Basis { return h.basis }

func (h *declared) origin(zone grid.Zone) origin {
	return origin{provider: h.name, zone: zone, basis: h.basis, flow: h.flow, step: h.step}
}

// httpHistory tells what was.
type httpHistory struct{ *declared }

func (h httpHistory) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	o := h.origin(zone)
	to = earlier(to, now)
	ps, err := h.carbon(ctx, now, zone, from, to)
	if err != nil || len(ps) == 0 {
		return o.series(), err
	}
	s, err := o.history(ps, from, to, now)
	return s, h.refuse(now, zone, err)
}

// httpForecast tells what is expected, and nothing that was measured.
type httpForecast struct{ *declared }

func (h httpForecast) History(ctx context.Context, zone grid.Zone, _, _, _ time.Time) (grid.Series, error) {
	if _, ok := h.zones[zone]; !ok {
		return grid.Series{}, signal.NoZone(h.name, zone)
	}
	return h.origin(zone).series(), ctx.Err()
}

// Forecast asks for three days from the step that holds now.
func (h httpForecast) Forecast(ctx context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	o := h.origin(zone)
	start := now.Truncate(h.step)
	ps, err := h.carbon(ctx, now, zone, start, start.Add(72*time.Hour))
	if err != nil || len(ps) == 0 {
		return o.series(), err
	}
	s, err := o.forecast(ps, now, now)
	return s, h.refuse(now, zone, err)
}

// httpPrice tells prices.
type httpPrice struct{ *declared }

func (h httpPrice) Prices(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Prices, error) {
	b, line, err := h.gather(ctx, now, zone, from, to)
	if errors.Is(err, errNoData) {
		return noPrices(h.name, zone), nil
	}
	if err != nil {
		return noPrices(h.name, zone), err
	}
	p, err := priceOf(b, valuesOf(line), h.unit, h.name, zone, from, to, now)
	return p, h.refuse(now, zone, err)
}
