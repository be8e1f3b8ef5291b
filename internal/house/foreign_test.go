package house

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/store"
)

// Whatever is asked for, the answer is one of the SDK's, bounded, and says what
// is wrong under the name of the parameter.
func TestCarbonAwareSDKHostile(t *testing.T) {
	h := foreignHouse(t, false)
	many := strings.Repeat("&location=IE", 1000)[1:]
	now := h.Clock.Now()
	item := func(f string) string { return `[{"location":"IE","requestedAt":"2023-06-06T15:50:00Z",` + f + `}]` }
	for _, c := range []struct {
		ask, body string
		status    int
		wrong     string // the parameter that is blamed
		says      string
	}{
		{"GET /emissions/bylocations?" + many, "", 400, "location", "at most 100"},
		{"GET /emissions/bylocation?location=IE&location=SE", "", 400, "location", "one is wanted"},
		{"GET /emissions/bylocations?location=&locations=,", "", 400, "location", "not set"},
		{"GET /emissions/bylocation?location=" + strings.Repeat("x", 5000), "", 400, "location", "unknown"},
		{"GET /emissions/bylocation?location=%00%27%22%3Cscript%3E", "", 400, "location", "unknown"},
		{"GET /emissions/bylocation?location=eu-west1", "", 400, "location", "did you mean"},
		{"GET /emissions/bylocation?location=IE&time=2013-01-01&toTime=2023-01-01", "", 400, "toTime", "at most 366 days"},
		{"GET /emissions/bylocation?location=IE&time=2023-06-06&toTime=2023-06-05", "", 400, "time", "before toTime"},
		{"GET /emissions/bylocation?location=IE&time=2023-06-06&toTime=2023-06-06", "", 400, "time", "before toTime"},
		{"GET /emissions/bylocation?location=IE&toTime=2023-06-06", "", 400, "time", "must be defined"},
		{"GET /emissions/bylocation?location=IE&time=2023-06-06T14:00:00+02:00", "", 400, "time", "%2B"},
		{"GET /emissions/bylocation?location=IE&time=9999-12-31T23:59:59Z", "", 400, "time", "1970 to 2200"},
		{"GET /emissions/bylocation?location=IE&time=" + strings.Repeat("2", 5000), "", 400, "time", "no time"},
		{"GET /emissions/bylocation?location=IE&time=2150-01-01", "", 204, "", ""},
		{"GET /emissions/forecasts/current?location=IE&windowSize=0", "", 200, "", ""},
		{"GET /emissions/forecasts/current?location=IE&windowSize=-5", "", 400, "windowSize", "negative"},
		{"GET /emissions/forecasts/current?location=IE&windowSize=2147483647", "", 200, "", ""},
		{"GET /emissions/forecasts/current?location=IE&windowSize=99999999999", "", 400, "windowSize", "whole number"},
		{"GET /emissions/forecasts/current?location=IE&windowSize=1e3", "", 400, "windowSize", "whole number"},
		{"GET /emissions/forecasts/current?location=IE&dataStartAt=2023-06-06T18:00Z&dataEndAt=2023-06-06T17:00Z", "", 400, "dataStartAt", "before dataEndAt"},
		{"GET /emissions/forecasts/current?location=IE&dataStartAt=2023-06-06T15:29:59Z", "", 400, "dataStartAt", "reaches from"},
		{"GET /emissions/forecasts/current?location=IE&dataEndAt=2023-06-06T19:30:01Z", "", 400, "dataEndAt", "reaches from"},
		{"GET /emissions/forecasts/current?location=IE&dataEndAt=2033-06-06", "", 400, "dataEndAt", "reaches from"},
		{"GET /emissions/forecasts/current?location=IE&dataStartAt=2023-06-06T19:30Z", "", 400, "dataStartAt", "earlier"},
		{"GET /emissions/forecasts/current?location=SE-SE3", "", 501, "", ""},
		{"GET /emissions/forecasts/current?location=IE&compat=both", "", 400, "compat", "docs"},
		{"POST /emissions/forecasts/batch", ``, 400, "$", "JSON array"},
		{"POST /emissions/forecasts/batch", `null`, 400, "$", "required"},
		{"POST /emissions/forecasts/batch", `{}`, 400, "$", "JSON array"},
		{"POST /emissions/forecasts/batch", `[{"location":"IE","location":"SE"}]`, 400, "$", "twice"},
		{"POST /emissions/forecasts/batch", `[{"requestedAt":7,"location":"IE"}]`, 400, "$", "JSON array"},
		{"POST /emissions/forecasts/batch", `[{"location":"IE"}]`, 400, "requestedAt", "not set"},
		{"POST /emissions/forecasts/batch", `[{"requestedAt":"2023-06-06T15:50:00Z"}]`, 400, "location", "item 0"},
		{"POST /emissions/forecasts/batch", `[]`, 200, "", ""},
		{"POST /emissions/forecasts/batch", item(`"windowSize":"60"`), 200, "", ""},
		{"POST /emissions/forecasts/batch", item(`"windowSize":null`), 200, "", ""},
		{"POST /emissions/forecasts/batch", item(`"windowSize":{}`), 400, "windowSize", "whole number"},
		{"POST /emissions/forecasts/batch", item(`"windowSize":1.5`), 400, "windowSize", "whole number"},
		{"POST /emissions/forecasts/batch", `[{"location":"IE","requestedAt":"2023-06-06T11:49:59Z"}]`, 400, "requestedAt", "had been issued"},
		{"POST /emissions/forecasts/batch", `[{"location":"IE","requestedAt":"` + now.Add(time.Hour).Format(time.RFC3339) + `"}]`, 400, "requestedAt", "not known"},
		{"POST /emissions/forecasts/batch", `[{"location":"IE","requestedAt":"` + now.Add(time.Minute).Format(time.RFC3339) + `"}]`, 200, "", ""},
		{"POST /emissions/forecasts/batch", `[{"location":"SE-SE3","requestedAt":"2023-06-06T15:50:00Z"}]`, 501, "", ""},
		{"POST /emissions/forecasts/batch", "[" + strings.Repeat(`{"location":"IE","requestedAt":"2023-06-06T15:50:00Z"},`, 100) + `{}]`, 400, "$", "at most 100"},
		{"POST /emissions/forecasts/batch", "[" + strings.Repeat(" ", 2<<20) + "]", 413, "", ""},
		{"POST /emissions/forecasts/batch", "[" + strings.Repeat(" ", 9<<20) + "]", 413, "", ""},
		{"GET /emissions/average-carbon-intensity?location=IE", "", 400, "endTime", "not set"},
		{"GET /emissions/average-carbon-intensity?location=IE&startTime=2023-06-06T12:00Z&endTime=2023-06-06T16:00Z", "", 400, "startTime", "nothing is measured from 2023-06-06T14:00:00Z to 2023-06-06T15:00:00Z"},
		{"GET /emissions/average-carbon-intensity?location=IE&startTime=2013-06-06&endTime=2023-06-06", "", 400, "endTime", "at most 366 days"},
		{"GET /emissions/average-carbon-intensity?location=IE&startTime=2023-06-06T12:00Z&endTime=2023-06-06T12:00Z", "", 400, "startTime", "before"},
		{"POST /emissions/average-carbon-intensity/batch", `[{"location":"FR","startTime":"2023-06-06","endTime":"2023-06-07"}]`, 400, "startTime", "item 0"},
	} {
		method, path, _ := strings.Cut(c.ask, " ")
		code, b := get(t, h, method, path, h.Token, c.body, "Content-Type", "application/json")
		name := fmt.Sprintf("%.120s %.60s", c.ask, c.body)
		if code != c.status {
			t.Errorf("%s: %d %.300s, want %d", name, code, b, c.status)
			continue
		}
		if len(b) > 20_000 {
			t.Errorf("%s: an answer of %d bytes", name, len(b))
		}
		if code/100 == 2 {
			continue
		}
		var p struct {
			Title, Detail, TraceID string
			Status                 int
			Errors                 map[string][]string
		}
		if err := json.Unmarshal(b, &p); err != nil || p.Status != code || p.Title == "" || p.Detail == "" || p.Errors == nil || len(p.TraceID) != 55 {
			t.Errorf("%s: %v %.400s", name, err, b)
		}
		if c.wrong != "" && !strings.Contains(strings.Join(p.Errors[c.wrong], " "), c.says) {
			t.Errorf("%s: %v, want %s to be blamed: …%s…", name, p.Errors, c.wrong, c.says)
		}
	}
	if code, _ := get(t, h, "POST", "/emissions/forecasts/batch", h.Token, `[]`, "Content-Type", "text/plain"); code != 415 {
		t.Errorf("a batch of plain text: %d, want 415", code)
	}
	// A trace goes on.
	_, b := get(t, h, "GET", "/emissions/bylocation", h.Token, "", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if !strings.Contains(string(b), `"traceId":"00-0af7651916cd43dd8448eb211c80319c-`) {
		t.Errorf("the caller's trace is lost: %s", b)
	}
}

// Times are read as clients of .NET write them.
func TestCarbonAwareSDKTimes(t *testing.T) {
	h := foreignHouse(t, false)
	for _, text := range []string{"2023-06-06T12:00:00Z", "2023-06-06T12:00Z", "2023-06-06T12:00", "2023-06-06 12:00", "2023-06-06T12:00:00.0000000%2B00:00",
		"2023-06-06T14:00:00%2B02:00", "2023-06-06T7:00:00-05:00", "2023-06-06t12:00:00z", "2023-06-06T14:00:00%2B0200"} {
		code, b := get(t, h, "GET", "/emissions/bylocation?location=ie&time="+strings.ReplaceAll(text, " ", "%20"), h.Token, "")
		var out []struct{ Rating float64 }
		if err := json.Unmarshal(b, &out); code != 200 || err != nil || len(out) != 1 || out[0].Rating != 312.5 {
			t.Errorf("%s: %d %.200s", text, code, b)
		}
	}
}

// Without a token, signals are open only where the server was told so, and
// only to who is surely on this machine.
func TestOpenSignals(t *testing.T) {
	shut, open := foreignHouse(t, false), foreignHouse(t, true)
	const path = "/emissions/bylocation?location=IE"
	try := func(h *House, path string, token secret.Secret, change func(*http.Request)) int {
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token.Reveal())
		}
		if change != nil {
			change(req)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for what, c := range map[string]struct {
		got, want int
	}{
		"shut":                {try(shut, path, "", nil), 401},
		"open":                {try(open, path, "", nil), 200},
		"open, localhost":     {try(open, path, "", func(r *http.Request) { r.Host = "localhost:8400" }), 200},
		"a wrong token":       {try(open, path, "clsy_wrong", nil), 401},
		"by a proxy":          {try(open, path, "", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }), 401},
		"by another name":     {try(open, path, "", func(r *http.Request) { r.Host = "clusy.example.org" }), 401},
		"through another one": {try(open, path, "", func(r *http.Request) { r.Header.Set("Via", "1.1 x") }), 401},
		"metrics":             {try(open, "/metrics", "", nil), 401},
		"zones":               {try(open, "/v1/zones", "", nil), 401},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", what, c.got, c.want)
		}
	}
}

// What Prometheus collects is read by its own parser; what is not known is not
// there, and what is stale neither.
func TestMetrics(t *testing.T) {
	h := foreignHouse(t, false)
	stale := grid.Series{Provenance: grid.Provenance{Provider: `a "b"\c`, Zone: "NO", Issued: evening.Add(-10 * time.Hour), Basis: grid.AverageLifecycle, Grade: grid.GradeB, Estimated: true},
		Start: evening.Add(-9 * time.Hour), Step: time.Hour, Values: slices.Repeat([]grid.Intensity{24_000}, 60)}
	old := stale
	old.Values = stale.Values[:5]
	// What the poller of DE-LU has measured is up to date; of NO, the last value
	// is four hours old; of PL, the forecast is older than a day.
	dead := stale
	dead.Zone, dead.Issued = "PL", evening.Add(-25*time.Hour)
	err := h.db.System().Update(t.Context(), func(tx store.SystemTx) error {
		for _, s := range []struct {
			kind   grid.Kind
			series grid.Series
		}{{grid.Forecast, stale}, {grid.Measured, old}, {grid.Forecast, dead}} {
			if _, _, err := tx.PutSignal(s.kind, s.series, audit.Event{At: evening, Actor: "system:test", Kind: audit.SignalStored}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	collect := func(path string) map[string]*dto.MetricFamily {
		t.Helper()
		code, b := get(t, h, "GET", path, h.Token, "")
		p := expfmt.NewTextParser(model.LegacyValidation)
		out, err := p.TextToMetricFamilies(strings.NewReader(string(b)))
		if code != 200 || err != nil {
			t.Fatalf("%s: %d %v\n%s", path, code, err, b)
		}
		return out
	}
	// with returns the one sample that has the labels.
	with := func(f *dto.MetricFamily, labels ...string) (value float64, found bool) {
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			match := true
			for i := 0; i < len(labels); i += 2 {
				match = match && have[labels[i]] == labels[i+1]
			}
			if match {
				if found {
					t.Errorf("%s has more than one sample with %v", f.GetName(), labels)
				}
				value, found = m.GetGauge().GetValue()+m.GetCounter().GetValue(), true
			}
		}
		return value, found
	}
	all := collect("/metrics")
	now := all["clusy_grid_intensity_gco2_per_kwh"]
	if v, ok := with(now, "zone", "DE-LU", "signal", "average", "scope", "lifecycle", "estimated", "false", "grade", "A"); !ok || v <= 0 {
		t.Errorf("DE-LU is at %g, %v", v, ok)
	}
	if v, ok := with(now, "zone", "IE", "provider", "example/meter"); !ok || v != 305.25 {
		t.Errorf("IE is at %g, %v, want 305.25", v, ok)
	}
	if v, ok := with(now, "zone", "NO"); ok {
		t.Errorf("NO, last measured four hours ago, is at %g", v)
	}
	if _, ok := with(all["clusy_grid_measured_until_timestamp_seconds"], "zone", "NO"); !ok {
		t.Error("it is not said until when NO was measured")
	}
	expected := all["clusy_grid_intensity_forecast_gco2_per_kwh"]
	for _, stat := range []string{"now", "mean24h", "min24h"} {
		if v, ok := with(expected, "zone", "NO", "provider", `a "b"\c`, "estimated", "true", "grade", "B", "stat", stat); !ok || v != 24 {
			t.Errorf("%s of NO is %g, %v, want 24", stat, v, ok)
		}
		if v, ok := with(expected, "zone", "PL", "stat", stat); ok {
			t.Errorf("%s of PL, forecast yesterday, is %g", stat, v)
		}
		// The forecast of IE ends this evening.
		if _, ok := with(expected, "zone", "IE", "stat", stat); ok != (stat == "now") {
			t.Errorf("%s of IE is there: %v", stat, ok)
		}
	}
	if v, ok := with(all["clusy_signal_requests_total"], "signal", "average"); !ok || v < 1 || all["clusy_signal_requests_total"].GetType() != dto.MetricType_COUNTER {
		t.Errorf("the source was asked %g times", v)
	}
	if _, ok := with(all["clusy_signal_last_success_timestamp_seconds"], "zone", "DE-LU"); !ok {
		t.Error("it is not said when a source last answered")
	}
	if v, ok := with(all["clusy_workloads"], "tenant", "default", "state", "running"); !ok || v != 0 {
		t.Errorf("%g workloads run, %v", v, ok)
	}
	for _, name := range []string{"clusy_ledger_saved_grams", "clusy_signal_budget_limit", "grid_intensity_carbon_average", "carbon_aware_intensity"} {
		if all[name] != nil {
			t.Errorf("%s is there, and nothing is known of it or nobody asked", name)
		}
	}
	compat := collect("/metrics?compat=grid-intensity&compat=carbon-aware")
	if v, ok := with(compat["grid_intensity_carbon_average"], "location", "IE", "provider", "example/meter", "is_estimated", "false", "units", "gCO2e per kWh"); !ok || v != 305.25 {
		t.Errorf("as grid-intensity writes it, IE is at %g, %v", v, ok)
	}
	if v, ok := with(compat["carbon_aware_intensity"], "location", "IE"); !ok || v != 305.25 {
		t.Errorf("as the Carbon Aware SDK names it, IE is at %g, %v", v, ok)
	}
	if _, ok := with(compat["carbon_aware_intensity"], "location", "NO"); ok {
		t.Error("as the Carbon Aware SDK names it, NO is there")
	}
	if code, _ := get(t, h, "GET", "/metrics?compat=all", h.Token, ""); code != 400 {
		t.Errorf("metrics with names that there are not: %d, want 400", code)
	}
	res, err := http.Get(h.URL + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(b) != "Healthy" {
		t.Errorf("health: %d %s", res.StatusCode, b)
	}
}
