package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

const emKey = "em-t0ken&k3y=zq xw/vy#9"

// fakeEM serves rows, each an hour, as the API of a version does.
func fakeEM(t testing.TB, version string, rows []map[string]any) *fake.Server {
	list := map[string]string{"v3": "history", "v4": "data"}[version]
	mux := http.NewServeMux()
	send := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/"+version+"/carbon-intensity/history", func(w http.ResponseWriter, r *http.Request) {
		send(w, map[string]any{"zone": "DE", list: rows, "temporalGranularity": "hourly"})
	})
	mux.HandleFunc("/"+version+"/carbon-intensity/past-range", func(w http.ResponseWriter, r *http.Request) {
		from, err1 := time.Parse(time.RFC3339, r.URL.Query().Get("start"))
		to, err2 := time.Parse(time.RFC3339, r.URL.Query().Get("end"))
		if err1 != nil || err2 != nil || to.Sub(from) > 10*24*time.Hour || !from.Before(to) {
			fake.JSON(400, string(sample(t, "em/error_400_bad_param.json")))(w, r)
			return
		}
		got := []map[string]any{}
		for _, row := range rows {
			if when := at(row["datetime"].(string)); !when.Before(from) && !when.After(to) {
				got = append(got, row)
			}
		}
		send(w, map[string]any{"zone": "DE", "data": got, "temporalGranularity": "hourly"})
	})
	forecast := map[string]string{"v3": "em/v3_carbon-intensity_forecast.json", "v4": "em/v4_carbon-intensity_forecast_72h.json"}[version]
	mux.HandleFunc("/"+version+"/carbon-intensity/forecast", fake.JSON(200, string(sample(t, forecast))))
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("disableCallerLookup") != "true" {
			t.Errorf("%s does not stop the look-up of the caller's own zone", r.URL)
		}
		if r.URL.Query().Get("zone") == "DK-DK2" {
			fake.JSON(401, string(sample(t, "em/error_401_no_access.json")))(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return fake.New(t, fake.Keyed("Auth-Token", emKey, sample(t, "em/error_401_invalid_token.json"), guarded))
}

func emRows(t testing.TB, name, list string) (rows []map[string]any) {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(sample(t, name), &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc[list], &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func emHistory(t testing.TB) []map[string]any {
	return emRows(t, "em/v3_carbon-intensity_history.json", "history")
}

func openEM(t testing.TB, s *fake.Server, d Declaration) *emMaps {
	t.Helper()
	t.Setenv("CLUSY_TEST_EM", emKey)
	d.Kind, d.Key = "electricitymaps", "env:CLUSY_TEST_EM"
	if d.Zones == nil {
		d.Zones = Zones{"DE-LU": "DE", "DK-DK2": "DK-DK2"}
	}
	return openFake(t, s, d, "").Provider.(*emMaps)
}

var emNow = at("2026-09-14T11:00Z")

func TestElectricityMapsContract(t *testing.T) {
	for _, version := range []string{"v3", "v4"} {
		s := fakeEM(t, version, emHistory(t))
		open := func(t *testing.T) *emMaps { return openEM(t, s, Declaration{Version: version, Horizon: "72h"}) }
		signaltest.Test(t, signaltest.Window{Zone: "DE-LU", From: at("2026-09-13T11:00Z"), To: emNow}, func(t *testing.T) signal.Provider { return open(t) })
		signaltest.TestForecast(t, signaltest.Moment{Zone: "DE-LU", Now: at("2026-09-14T10:50Z")}, func(t *testing.T) signal.Forecaster { return open(t) })
	}
}

func TestElectricityMaps(t *testing.T) {
	rows := emHistory(t)
	s := fakeEM(t, "v3", rows)
	e := openEM(t, s, Declaration{})
	got, err := e.History(t.Context(), "DE-LU", at("2026-09-13T13:00Z"), emNow, emNow)
	if err != nil {
		t.Fatal(err)
	}
	if got.Basis != grid.AverageLifecycle || got.Flow != grid.Consumption || got.Estimated || got.Grade != grid.GradeA || got.Zone != "DE-LU" {
		t.Errorf("provenance is %+v", got.Provenance)
	}
	if got.Values[0] != 193_000 || !got.Start.Equal(at("2026-09-13T13:00Z")) {
		t.Errorf("got %v from %s", got.Values, got.Start)
	}
	// What is estimated is a series of its own, one grade lower.
	more, err := e.History(t.Context(), "DE-LU", got.End(), emNow, emNow)
	if err != nil || !more.Estimated || more.Grade != grid.GradeB || !more.Start.Equal(got.End()) {
		t.Errorf("got %+v, %v", more, err)
	}
	asked := s.Asked()
	if len(asked) != 2 || asked[0].Path != "/v3/carbon-intensity/history" || asked[0].Query.Get("emissionFactorType") != "lifecycle" || asked[0].Query.Get("zone") != "DE" {
		t.Errorf("asked %+v", asked)
	}
	for _, a := range asked {
		if strings.Contains(a.Query.Encode(), "t0ken") {
			t.Error("the key is in the query")
		}
	}

	f, err := e.Forecast(t.Context(), "DE-LU", emNow)
	if err != nil || len(f.Values) != 25 || f.Values[0] != 226_000 || !f.Estimated {
		t.Errorf("forecast %+v, %v", f, err)
	}
	if q := s.Asked()[0].Query; q.Get("horizonHours") != "24" {
		t.Errorf("asked %v", q)
	}

	// The measured value of an hour replaces the estimate of it days later: it
	// is issued when it was updated.
	rows[3]["updatedAt"] = "2026-09-14T10:30:00.000Z"
	got, err = e.History(t.Context(), "DE-LU", at("2026-09-13T13:00Z"), at("2026-09-13T15:00Z"), emNow)
	if err != nil || !got.Issued.Equal(at("2026-09-14T10:30Z")) {
		t.Errorf("issued %s, %v", got.Issued, err)
	}
}

// More than a day is asked of the past, ten days at a time, and stretches
// without a value are passed over.
func TestElectricityMapsPast(t *testing.T) {
	s := fakeEM(t, "v4", emHistory(t))
	e := openEM(t, s, Declaration{Version: "v4"})
	got, err := e.History(t.Context(), "DE-LU", at("2026-08-20T00:00Z"), emNow, emNow)
	if err != nil || !got.Start.Equal(at("2026-09-13T11:00Z")) {
		t.Fatalf("got %+v, %v", got, err)
	}
	var spans []string
	for _, a := range s.Asked() {
		spans = append(spans, a.Query.Get("start")[:10]+"/"+a.Query.Get("end")[:10])
	}
	if want := []string{"2026-08-20/2026-08-30", "2026-08-30/2026-09-09", "2026-09-09/2026-09-14"}; !slices.Equal(spans, want) {
		t.Errorf("asked for %v, want %v", spans, want)
	}
	s.Trouble(fake.JSON(200, string(sample(t, "em/v3_carbon-intensity_past-range.json"))))
	if _, err := e.History(t.Context(), "DE-LU", at("2026-06-01T00:00Z"), at("2026-06-09T00:00Z"), emNow); err == nil || !strings.Contains(err.Error(), "asked for 2026-06-01T00:00Z to") {
		t.Errorf("got %v", err)
	}
}

func TestElectricityMapsRefusals(t *testing.T) {
	s := fakeEM(t, "v3", emHistory(t))
	// The plan does not include one zone; the others go on.
	e := openEM(t, s, Declaration{})
	_, err := e.Forecast(t.Context(), "DK-DK2", emNow)
	if !problem.Is(err, problem.Denied) || !strings.Contains(err.Error(), "plan does not include") || errors.Is(err, signal.ErrNoZone) {
		t.Errorf("plan: %v", err)
	}
	if _, err = e.Forecast(t.Context(), "DK-DK2", emNow.Add(time.Hour)); !waits(err) {
		t.Errorf("plan, again: %v", err)
	}
	if _, err = e.Forecast(t.Context(), "DE-LU", emNow); err != nil {
		t.Errorf("another zone: %v", err)
	}
	// A wrong token holds for all of them, and until there is another.
	e = openEM(t, s, Declaration{})
	t.Setenv("CLUSY_TEST_EM", "wr0ngkey123")
	if _, err = e.Forecast(t.Context(), "DE-LU", emNow); !problem.Is(err, problem.Denied) || !strings.Contains(err.Error(), "Invalid auth-token") {
		t.Errorf("token: %v", err)
	}
	s.Asked()
	if _, err = e.History(t.Context(), "DK-DK2", at("2026-09-13T13:00Z"), emNow, emNow); !waits(err) || len(s.Asked()) != 0 {
		t.Errorf("token, again: %v", err)
	}
	t.Setenv("CLUSY_TEST_EM", emKey)
	if _, err = e.Forecast(t.Context(), "DE-LU", emNow); err != nil {
		t.Errorf("the right token: %v", err)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"no data":         {fake.JSON(404, string(sample(t, "em/error_404_no_recent_data.json"))), "No recent data"},
		"no data, in 200": {fake.JSON(200, string(sample(t, "em/error_404_no_recent_data.json"))), "No recent data"},
		"bad parameter":   {fake.JSON(400, string(sample(t, "em/error_400_bad_param.json"))), "Missing or invalid date"},
		"sandbox":         {fake.JSON(200, string(sample(t, "em/sandbox_latest.json"))), "sandbox"},
		"sandbox, quiet":  {fake.JSON(200, strings.Replace(string(sample(t, "em/sandbox_latest.json")), "SANDBOX MODE", "", 1)), "sandbox"},
		"direct":          {fake.JSON(200, strings.Replace(string(sample(t, "em/v3_carbon-intensity_latest.json")), "lifecycle", "direct", 1)), "asked for lifecycle"},
		"neighbour":       {fake.JSON(200, strings.ReplaceAll(string(sample(t, "em/v3_carbon-intensity_latest.json")), `"DE"`, `"FR"`)), `answers for "FR"`},
		"untraced":        {fake.JSON(200, strings.Replace(string(sample(t, "em/v4_carbon-intensity_latest.json")), "true", "false", 2)), "not traced"},
		"other step":      {fake.JSON(200, string(sample(t, "em/v4_carbon-intensity_history.json"))), "15_minutes"},
	} {
		s.Trouble(c.answer)
		_, err := openEM(t, s, Declaration{}).History(t.Context(), "DE-LU", at("2026-09-13T13:00Z"), emNow, emNow)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	s.Trouble(fake.JSON(200, string(sample(t, "em/sandbox_latest.json"))))
	got, err := openEM(t, s, Declaration{Demo: true}).History(t.Context(), "DE-LU", at("2026-09-13T13:00Z"), emNow, emNow)
	if err != nil || len(got.Values) != 1 {
		t.Errorf("sandbox that was asked for: %v, %v", got.Values, err)
	}
}

func waits(err error) bool {
	_, ok := errors.AsType[*signal.Wait](err)
	return ok
}
