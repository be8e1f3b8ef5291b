package provider

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

const deskKey = "s3cr3t+token/with=signs"

var (
	monday = at("2026-03-02T00:00Z")
	opened = signaltest.Window{From: monday, To: monday.Add(36 * time.Hour)}
)

func exchange(t *testing.T, o dial.Options) *dial.Exchange {
	t.Helper()
	x, err := dial.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// sourceCase is one kind of source and a desk that answers as it does, for the
// day and a half of opened.
type sourceCase struct {
	d       Declaration
	desk    http.HandlerFunc
	zone    grid.Zone
	accept  string
	needKey bool
}

func (c sourceCase) open(t *testing.T, o dial.Options) (Opened, *fake.Server) {
	t.Helper()
	k := fake.New(t, c.desk)
	d := c.d
	d.URL = k.URL + d.URL
	if c.needKey {
		t.Setenv("CLUSY_TEST_KEY", deskKey)
		d.Key = "env:CLUSY_TEST_KEY"
	}
	opened, err := Open(d, Deps{Dial: exchange(t, o)})
	if err != nil {
		t.Fatal(err)
	}
	return opened, k
}

// ask asks whatever the source tells.
func (c sourceCase) ask(ctx context.Context, o Opened, now time.Time) error {
	if o.Provider == nil {
		_, err := o.Pricer.Prices(ctx, c.zone, opened.From, opened.To, now)
		return err
	}
	_, err := o.Provider.History(ctx, c.zone, opened.From, opened.To, now)
	if f, ok := o.Provider.(httpForecast); ok && err == nil {
		_, err = f.Forecast(ctx, c.zone, now)
	}
	return err
}

func sourceCases() map[string]sourceCase {
	return map[string]sourceCase{
		"entsoe":        {Declaration{Kind: "entsoe", URL: "/api"}, entsoeDesk, "FI", "application/xml", true},
		"eia":           {Declaration{Kind: "eia", URL: "/v2"}, eiaDesk, "US-CAL-CISO", jsonType, true},
		"energy-charts": {Declaration{Kind: "energy-charts"}, chartsDesk, "DE", jsonType, false},
		"energinet":     {Declaration{Kind: "energinet"}, energinetDesk, "DK-DK1", jsonType, false},
		"http": {Declaration{
			Kind: "http", Name: "own", URL: "/v1", Request: "/areas/{zone}/co2?from={from}&to={to}&token={key}", Tells: "history",
			Rows: "points[*]", Time: "at", Value: "g", Estimated: "guess", Unit: "kg/MWh", Step: "30m", Signal: "average", Scope: "direct",
			Flow: "consumption", AskFormat: "unix", Zones: Zones{"DE-LU": "north & south"},
		}, ownDesk, "DE-LU", jsonType, true},
		"http forecast": {Declaration{
			Kind: "http", Name: "own/forecast", URL: "/v1", Request: "/areas/{zone}/co2?from={from}&to={to}", Tells: "forecast", Header: "Authorization",
			Time: "points[*].at", Value: "points[*].g", Unit: "g/kWh", Step: "30m", Signal: "marginal", Scope: "direct",
			AskFormat: "unix", Zones: Zones{"DE-LU": "north & south"},
		}, ownDesk, "DE-LU", jsonType, true},
		"http price": {Declaration{
			Kind: "http", Name: "market", URL: "/v1", Request: "/prices?day={date}&area={zone}", Tells: "price", Timezone: "Europe/Oslo",
			Rows: "multiAreaEntries[*]", Time: "deliveryStart", Value: "entryPerArea.{zone}", Unit: "EUR/MWh", Step: "1h",
			Header: "X-Api-Key", Zones: Zones{"SE-SE3": "SE3"},
		}, marketDesk, "SE-SE3", jsonType, true},
	}
}

// megawatts is what a kind of plant feeds in: any numbers, the same each time.
func megawatts(kind string, at time.Time) float64 {
	h := at.Hour()
	switch kind {
	case "gas":
		return 3000 + 50*float64(h)
	case "sun":
		return max(0, 200*float64(6-max(h-12, 12-h)))
	case "wind":
		return 1500 + 20*float64(at.Minute()) - 10*float64(h)
	case "pump":
		return 80
	}
	return 2700
}

func within(at time.Time) bool { return !at.Before(opened.From) && at.Before(opened.To) }

func entsoeDesk(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	from, err1 := time.Parse("200601021504", q.Get("periodStart"))
	to, err2 := time.Parse("200601021504", q.Get("periodEnd"))
	refuse := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"><Reason><code>999</code><text>%s</text></Reason></Acknowledgement_MarketDocument>`, text)
	}
	switch {
	case q.Get("securityToken") != deskKey:
		refuse(401, "Unauthorized: "+q.Get("securityToken"))
		return
	case err1 != nil || err2 != nil || to.Sub(from) > 366*24*time.Hour || !to.After(from):
		refuse(400, "The amount of requested data exceeds allowed limit")
		return
	case r.URL.Path != "/api" || q.Get("in_Domain") != finnish:
		refuse(400, "Input parameter does not exist: in_Domain")
		return
	}
	first, last := from, to
	if first.Before(opened.From) {
		first = opened.From
	}
	if last.After(opened.To) {
		last = opened.To
	}
	if !first.Before(last) {
		refuse(200, "No matching data found for Data item")
		return
	}
	layout := "2006-01-02T15:04Z"
	if q.Get("documentType") == "A44" {
		if q.Get("out_Domain") != finnish {
			refuse(400, "out_Domain")
			return
		}
		// A whole market day comes, whatever part was asked for.
		first, last = opened.From.Add(-time.Hour), opened.From.Add(23*time.Hour)
		var pts []any
		for i := range 96 {
			if i%4 != 3 { // it repeats the one before
				pts = append(pts, i+1, 40+i)
			}
		}
		_, _ = io.WriteString(w, strings.NewReplacer("10Y1001A1001A82H", finnish, "2026-09-14T10:00Z", first.Format(layout), "2026-09-14T11:00Z", last.Format(layout)).
			Replace(prices(price("1", "EUR", "PT15M", points(pts...)))))
		return
	}
	if q.Get("processType") != "A16" {
		refuse(400, "processType")
		return
	}
	var all []string
	for code, what := range map[string]string{"B04": "gas", "B14": "atom", "B16": "sun", "B19": "wind"} {
		step, resolution := time.Hour, "PT60M"
		if code == "B19" {
			step, resolution = 15*time.Minute, "PT15M"
		}
		var pts []any
		before := -1.0
		for i := 0; first.Add(time.Duration(i) * step).Before(last); i++ {
			if mw := megawatts(what, first.Add(time.Duration(i)*step)); mw != before {
				pts = append(pts, i+1, mw)
				before = mw
			}
		}
		all = append(all, serie{kind: code, start: first.Format(layout), end: last.Format(layout), resolution: resolution, points: points(pts...)}.String())
	}
	all = append(all, serie{kind: "B10", out: finnish, start: first.Format(layout), end: last.Format(layout), points: points(1, 80)}.String())
	_, _ = io.WriteString(w, doc(all...))
}

func eiaDesk(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", jsonType)
	if q.Get("api_key") != deskKey {
		w.WriteHeader(403)
		_, _ = fmt.Fprintf(w, `{"error":{"code":"API_KEY_INVALID","message":"An invalid api_key was supplied: %s"}}`, q.Get("api_key"))
		return
	}
	start, err1 := time.Parse("2006-01-02T15", q.Get("start"))
	end, err2 := time.Parse("2006-01-02T15", q.Get("end"))
	offset, err3 := strconv.Atoi(q.Get("offset"))
	length, err4 := strconv.Atoi(q.Get("length"))
	if errors.Join(err1, err2, err3, err4) != nil || r.URL.Path != "/v2/electricity/rto/fuel-type-data/data/" || q.Get("facets[respondent][]") != "CISO" ||
		q.Get("data[]") != "value" || q.Get("frequency") != "hourly" || length > 5000 {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"bad parameter","code":400}`)
		return
	}
	var rows []string
	for period := start; !period.After(end); period = period.Add(time.Hour) { // both ends
		if !within(period.Add(-time.Hour)) {
			continue
		}
		for _, f := range [][2]string{{"NG", "gas"}, {"NUC", "atom"}, {"SUN", "sun"}, {"WND", "wind"}} {
			value := fmt.Sprintf(`"%g"`, megawatts(f[1], period.Add(-time.Hour))) // text, as it is now
			if f[0] == "SUN" && period.Hour() < 5 {
				value = "-31"
			}
			rows = append(rows, eiaLine(period.Format("2006-01-02T15"), f[0], value))
		}
	}
	total := len(rows)
	rows = rows[min(offset, total):]
	rows = rows[:min(len(rows), length, 50)] // pages are shorter than asked for
	_, _ = io.WriteString(w, eia(strconv.Quote(strconv.Itoa(total)), rows...))
}

func chartsDesk(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", jsonType)
	from, err1 := time.Parse("2006-01-02T15:04Z", q.Get("start"))
	to, err2 := time.Parse("2006-01-02T15:04Z", q.Get("end"))
	if err1 != nil || err2 != nil || r.URL.Path == "/co2eq" && q.Get("country") != "de" || r.URL.Path == "/price" && q.Get("bzn") != "DE-LU" {
		w.WriteHeader(404)
		_, _ = io.WriteString(w, `{"detail":"not found"}`)
		return
	}
	var at, values, expected []string
	for t := from.Truncate(15 * time.Minute); t.Before(to); t = t.Add(15 * time.Minute) {
		if !within(t) && !within(t.Add(-24*time.Hour)) {
			continue
		}
		v, f := fmt.Sprint(200+10*t.Hour()), "null"
		if !within(t) { // tomorrow is a forecast, and today is measured
			v, f = "null", v
		}
		at, values, expected = append(at, fmt.Sprint(t.Unix())), append(values, v), append(expected, f)
	}
	join := func(s []string) string { return "[" + strings.Join(s, ",") + "]" }
	if r.URL.Path == "/price" {
		for i := range values {
			values[i] = fmt.Sprint(-5.5 + float64(i%4))
		}
		_, _ = fmt.Fprintf(w, `{"license_info":"CC BY 4.0","unix_seconds":%s,"price":%s,"unit":"EUR / MWh","deprecated":false}`, join(at), join(values))
		return
	}
	_, _ = fmt.Fprintf(w, `{"unix_seconds":%s,"co2eq":%s,"co2eq_forecast":%s,"deprecated":false}`, join(at), join(values), join(expected))
}

func energinetDesk(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", jsonType)
	danish, err := time.LoadLocation("Europe/Copenhagen")
	from, err1 := time.ParseInLocation("2006-01-02T15:04", q.Get("start"), danish)
	to, err2 := time.ParseInLocation("2006-01-02T15:04", q.Get("end"), danish)
	if errors.Join(err, err1, err2) != nil || q.Get("filter") != `{"PriceArea":["DK1"]}` || q.Get("limit") != "0" {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"bad parameter"}`)
		return
	}
	set := strings.TrimPrefix(r.URL.Path, "/dataset/")
	step, shift := 5*time.Minute, time.Duration(0)
	switch set {
	case "CO2EmisProg":
		shift = 24 * time.Hour
	case "DayAheadPrices":
		step = 15 * time.Minute
	case "Elspotprices":
		step = time.Hour
	}
	var rows []string
	for t := from.UTC().Truncate(step); t.Before(to); t = t.Add(step) {
		if t.Before(from) || !within(t) && !(shift > 0 && within(t.Add(-shift))) && set != "Elspotprices" {
			continue
		}
		rows = append(rows, fmt.Sprintf(`{"Minutes5UTC":"%[1]s","TimeUTC":"%[1]s","HourUTC":"%[1]s","Minutes5DK":"x","PriceArea":"DK1","CO2Emission":%[2]d,"DayAheadPriceEUR":%[2]d.5,"SpotPriceEUR":%[2]d}`,
			t.Format("2006-01-02T15:04:05"), 30+t.Hour()+t.Minute()))
	}
	_, _ = fmt.Fprintf(w, `{"total":%d,"dataset":"%s","records":[%s]}`, len(rows), set, strings.Join(rows, ","))
}

func ownDesk(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.Header().Set("Content-Type", jsonType)
	from, err1 := strconv.ParseInt(q.Get("from"), 10, 64)
	to, err2 := strconv.ParseInt(q.Get("to"), 10, 64)
	switch {
	case q.Get("token") != deskKey && r.Header.Get("Authorization") != "Bearer "+deskKey:
		w.WriteHeader(401)
		_, _ = fmt.Fprintf(w, `{"error":"no such token: %s"}`, q.Get("token"))
		return
	case errors.Join(err1, err2) != nil || r.URL.Path != "/v1/areas/north & south/co2" || !strings.HasPrefix(r.RequestURI, "/v1/areas/north%20&%20south/co2?"):
		w.WriteHeader(404)
		return
	}
	var rows []string
	for t := time.Unix(from, 0).UTC().Truncate(30 * time.Minute); t.Unix() < to; t = t.Add(30 * time.Minute) {
		if within(t) || q.Get("token") == "" && within(t.Add(-24*time.Hour)) { // the forecast of tomorrow
			rows = append(rows, fmt.Sprintf(`{"at":"%s","g":%d.25,"guess":%v}`, t.Format(time.RFC3339), 300+t.Hour(), t.Hour() == 5))
		}
	}
	_, _ = fmt.Fprintf(w, `{"points":[%s]}`, strings.Join(rows, ","))
}

func marketDesk(w http.ResponseWriter, r *http.Request) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	day, err1 := time.ParseInLocation(time.DateOnly, r.URL.Query().Get("day"), oslo)
	switch {
	case r.Header.Get("X-Api-Key") != deskKey:
		w.WriteHeader(401)
		return
	case errors.Join(err, err1) != nil || r.URL.Query().Get("area") != "SE3":
		w.WriteHeader(400)
		return
	case day.After(opened.To):
		w.WriteHeader(204)
		return
	}
	w.Header().Set("Content-Type", jsonType)
	var rows []string
	for t := day; t.Before(day.AddDate(0, 0, 1)); t = t.Add(time.Hour) {
		rows = append(rows, fmt.Sprintf(`{"deliveryStart":"%s","entryPerArea":{"SE3":%d.5}}`, t.UTC().Format(time.RFC3339), 30+t.Hour()))
	}
	_, _ = fmt.Fprintf(w, `{"multiAreaEntries":[%s]}`, strings.Join(rows, ","))
}

// Every kind keeps the promises of what it tells.
func TestContracts(t *testing.T) {
	for name, c := range sourceCases() {
		w := opened
		w.Zone = c.zone
		if c.d.Kind == "energinet" { // 12 values an hour: a third of the time will do
			w.To = w.From.Add(12 * time.Hour)
		}
		tells := 0
		open := func(t *testing.T) Opened {
			o, _ := c.open(t, dial.Options{})
			return o
		}
		one := open(t)
		if _, ok := one.Provider.(httpForecast); one.Provider != nil && !ok {
			tells++
			t.Run(name, func(t *testing.T) {
				signaltest.Test(t, w, func(t *testing.T) signal.Provider { return open(t).Provider })
			})
		}
		if _, ok := one.Provider.(signal.Forecaster); ok {
			tells++
			t.Run(name+" forecast", func(t *testing.T) {
				signaltest.TestForecast(t, signaltest.Moment{Zone: c.zone, Now: opened.To.Add(7 * time.Minute)}, func(t *testing.T) signal.Forecaster {
					return open(t).Provider.(signal.Forecaster)
				})
			})
		}
		if one.Pricer != nil {
			tells++
			w := w
			w.To = w.From.Add(21 * time.Hour) // the market day of one desk ends at 23
			t.Run(name+" prices", func(t *testing.T) {
				signaltest.TestPrices(t, w, func(t *testing.T) signal.Pricer { return open(t).Pricer })
			})
		}
		k, _ := kindOf(c.d.Kind)
		if c.d.Kind != "http" && tells != len(k.Tells) {
			t.Errorf("%s tells %v, and %d of them were tried", name, k.Tells, tells)
		}
		if one.Provider != nil {
			s, err := one.Provider.History(t.Context(), c.zone, w.From, w.To, w.To.Add(3*time.Hour))
			if b, ok := one.Provider.(interface{ Basis() grid.Basis }); !ok || b.Basis() != s.Basis {
				t.Errorf("%s: its values are %s, and it does not say so, %v", name, s.Basis, err)
			}
			if _, ok := one.Provider.(signal.Metered); !ok {
				t.Errorf("%s does not say how far its budget is used up", name)
			}
		}
	}
}

// Each kind of source that fails is an error that says why and not the key, and
// it is left alone for as long as it wants.
func TestTroubleIsExplained(t *testing.T) {
	now := opened.To.Add(2 * time.Hour)
	status := func(code int, kv ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i+1 < len(kv); i += 2 {
				w.Header().Set(kv[i], kv[i+1])
			}
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"error":"you asked %s with %v"}`, r.RequestURI, r.Header)
		}
	}
	for name, c := range sourceCases() {
		for what, trouble := range map[string]struct {
			h    http.HandlerFunc
			want string
			kind problem.Kind
			wait time.Duration // 0: some
		}{
			"401": {status(401), "is the key right?", problem.Denied, time.Hour},
			"403": {status(403), "is the key right", problem.Denied, time.Hour},
			"404": {status(404), "404", problem.NotFound, 0},
			"410": {status(410), "retired", problem.NotFound, 0},
			"429": {status(429, "Retry-After", "120"), "429", problem.Limited, 2 * time.Minute},
			"503": {status(503, "Retry-After", "60"), "503", problem.Unready, time.Minute},
			"500": {status(500), "500", problem.Unready, 0},
			"302": {status(302, "Location", "https://elsewhere.example/"), "elsewhere.example", problem.Unready, 0},
			"a page of HTML": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "<html><title>Maintenance</title></html>")
			}, "Maintenance", problem.Invalid, 0},
			"slow drip": {func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", c.accept)
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}, "took too long", problem.Unready, 0},
			"cut short": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = io.WriteString(w, `{"data":[`)
			}, "broke off", problem.Unready, 0},
			"too much": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.accept)
				_, _ = w.Write(bytes.Repeat([]byte(" "), 200_000))
			}, "more than 100000 bytes", problem.Unready, 0},
			"a bomb in gzip": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.accept)
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = z.Write(make([]byte, 10<<20))
				_ = z.Close()
			}, "more than 100000 bytes", problem.Unready, 0},
			"not UTF-8": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.accept)
				_, _ = w.Write([]byte("{\"a\":\"\xff\xfe\"}"))
			}, "UTF-8", problem.Invalid, 0},
			"nothing": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", c.accept) }, "empty", problem.Invalid, 0},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				o, k := c.open(t, dial.Options{Patience: 150 * time.Millisecond, MostBytes: 100_000})
				if what != "slow drip" {
					o, k = c.open(t, dial.Options{MostBytes: 100_000})
				}
				k.Trouble(trouble.h)
				err := c.ask(t.Context(), o, now)
				if err == nil || !strings.Contains(err.Error(), trouble.want) || !problem.Is(err, trouble.kind) {
					t.Fatalf("got %v, want %q of kind %v", err, trouble.want, trouble.kind)
				}
				keyless(t, err)
				k.Asked()
				wait, ok := errors.AsType[*signal.Wait](c.ask(t.Context(), o, now.Add(time.Second)))
				if n := len(k.Asked()); !ok || n != 0 {
					t.Fatalf("asked again after a second: %v, %d requests", wait, n)
				}
				if trouble.wait > 0 && !wait.Until.Equal(now.Add(trouble.wait)) {
					t.Errorf("waits until %s, want %s", wait.Until, now.Add(trouble.wait))
				}
				keyless(t, wait)
				if what == "slow drip" {
					return // with so little patience a sound answer may be slow too
				}
				k.Trouble(nil)
				if err := c.ask(t.Context(), o, wait.Until.Add(time.Second)); err != nil {
					t.Errorf("well again: %v", err)
				}
			})
		}
	}
}

func keyless(t *testing.T, err error) {
	t.Helper()
	for _, form := range []string{deskKey, url.QueryEscape(deskKey), url.PathEscape(deskKey)} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), form) {
			t.Errorf("the key is in the error: %v", err)
		}
	}
}

// A key that the desk does not know is refused, and its echo is not printed.
func TestWrongKeys(t *testing.T) {
	for name, c := range sourceCases() {
		if !c.needKey {
			continue
		}
		t.Run(name, func(t *testing.T) {
			o, _ := c.open(t, dial.Options{})
			const wrong = "n0t-the-right-one"
			t.Setenv("CLUSY_TEST_KEY", wrong)
			err := c.ask(t.Context(), o, opened.To)
			if err == nil || !problem.Is(err, problem.Denied) || strings.Contains(err.Error(), wrong) {
				t.Errorf("got %v", err)
			}
			t.Setenv("CLUSY_TEST_KEY", deskKey) // a new key may be tried at once
			if err := c.ask(t.Context(), o, opened.To.Add(time.Second)); err != nil {
				t.Error(err)
			}
		})
	}
}
