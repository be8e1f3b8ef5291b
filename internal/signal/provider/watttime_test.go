package provider

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

const wtKey = "wt-p4ss/w0rd&m0r3"

// fakeWT is the API with its sessions: a token holds until it is revoked.
type fakeWT struct {
	*fake.Server
	mu     sync.Mutex
	logins int
	valid  string
	rows   []wtPoint
	model  string
	units  string
}

func (f *fakeWT) revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.valid = ""
}

func newFakeWT(t testing.TB) *fakeWT {
	f := &fakeWT{model: "2025-09-01", units: "lbs_co2_per_mwh"}
	var day struct{ Data []wtPoint }
	if err := json.Unmarshal(sample(t, "watttime/v3_historical.json"), &day); err != nil {
		t.Fatal(err)
	}
	for _, p := range day.Data { // told at the end of its step
		p.Updated = at(p.Time).Add(wtStep).Format(time.RFC3339)
		f.rows = append(f.rows, p)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "freddo" || password != wtKey {
			fake.Body(403, "text/html", string(sample(t, "watttime/error_403_bad_credentials.html")))(w, r)
			return
		}
		f.mu.Lock()
		f.logins++
		f.valid = fmt.Sprintf("tok3n-%d-of-a-session", f.logins)
		token := f.valid
		f.mu.Unlock()
		fake.JSON(200, `{"token":"`+token+`"}`)(w, r)
	})
	data := http.NewServeMux()
	data.HandleFunc("/v3/historical", func(w http.ResponseWriter, r *http.Request) {
		from, to := at(r.URL.Query().Get("start")), at(r.URL.Query().Get("end"))
		if to.Before(from) || to.Sub(from) > 32*24*time.Hour {
			fake.JSON(400, string(sample(t, "watttime/error_400_invalid_params.json")))(w, r)
			return
		}
		rows := []map[string]any{}
		for _, p := range f.rows {
			if when := at(p.Time); !when.Before(from) && !when.After(to) {
				rows = append(rows, map[string]any{"point_time": p.Time, "value": json.Number(p.Value), "last_updated": p.Updated, "imputed_data_used": p.Imputed})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"data": rows, "meta": map[string]any{
			"data_point_period_seconds": 300, "region": "CAISO_NORTH", "signal_type": "co2_moer", "units": f.units,
			"warnings": []any{}, "model": map[string]any{"date": f.model, "type": "binned_regression"},
		}})
	})
	data.HandleFunc("/v3/forecast", fake.JSON(200, string(sample(t, "watttime/v3_forecast.json"))))
	data.HandleFunc("/v3/forecast/historical", fake.JSON(200, string(sample(t, "watttime/v3_forecast_historical.json"))))
	mux.HandleFunc("/v3/", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		ok := f.valid != "" && r.Header.Get("Authorization") == "Bearer "+f.valid
		f.mu.Unlock()
		switch {
		case !ok:
			fake.Body(403, "text/html", string(sample(t, "watttime/error_403_bad_credentials.html")))(w, r)
		case r.URL.Query().Get("region") != "CAISO_NORTH":
			fake.JSON(403, string(sample(t, "watttime/error_403_invalid_scope.json")))(w, r)
		default:
			data.ServeHTTP(w, r)
		}
	})
	f.Server = fake.New(t, mux)
	return f
}

func openWT(t testing.TB, f *fakeWT) *wattTime {
	t.Helper()
	t.Setenv("CLUSY_TEST_WT", wtKey)
	return openFake(t, f.Server, Declaration{
		Kind: "watttime", User: "freddo", Key: "env:CLUSY_TEST_WT",
		Zones: Zones{"US-CAL-CISO": "CAISO_NORTH", "US-TEX-ERCO": "ERCOT_WEST"},
	}, "").Provider.(*wattTime)
}

var wtNow = at("2026-09-14T10:02Z")

func TestWattTimeContract(t *testing.T) {
	f := newFakeWT(t)
	signaltest.Test(t, signaltest.Window{Zone: "US-CAL-CISO", From: at("2026-09-14T09:00Z"), To: at("2026-09-14T10:00Z")}, func(t *testing.T) signal.Provider { return openWT(t, f) })
	signaltest.TestForecast(t, signaltest.Moment{Zone: "US-CAL-CISO", Now: wtNow}, func(t *testing.T) signal.Forecaster { return openWT(t, f) })
}

func TestWattTime(t *testing.T) {
	f := newFakeWT(t)
	w := openWT(t, f)
	got, err := w.History(t.Context(), "US-CAL-CISO", at("2026-09-14T09:00Z"), wtNow, wtNow)
	if err != nil {
		t.Fatal(err)
	}
	// 868.5 lb/MWh times 453.59237 mg/kWh is 393,944.97…
	if got.Values[0] != 393_945 || len(got.Values) != 12 || got.Step != wtStep {
		t.Errorf("got %v in steps of %s", got.Values, got.Step)
	}
	if got.Basis != (grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}) || got.Flow != "" || got.Model != "2025-09-01" {
		t.Errorf("provenance is %+v", got.Provenance)
	}
	asked := f.Asked()
	if len(asked) != 2 || asked[0].Path != "/login" || asked[1].Query.Get("end") != "2026-09-14T09:55:00Z" {
		t.Errorf("asked %+v", asked)
	}
	fc, err := w.Forecast(t.Context(), "US-CAL-CISO", wtNow)
	if err != nil || len(fc.Values) != 288 || !fc.Issued.Equal(at("2026-09-14T10:00Z")) || fc.Model != "2025-09-01" {
		t.Errorf("forecast of %d values issued %s, %v", len(fc.Values), fc.Issued, err)
	}
	list, err := w.Issues(t.Context(), "US-CAL-CISO", at("2026-09-14T10:00Z"), at("2026-09-14T11:00Z"), at("2026-09-14T12:00Z"))
	if err != nil || len(list) != 2 || !list[1].Issued.Equal(at("2026-09-14T10:05Z")) {
		t.Errorf("issues %+v, %v", list, err)
	}

	// Imputed values are estimates; another model is another series.
	f.rows[2].Imputed = true
	got, err = w.History(t.Context(), "US-CAL-CISO", at("2026-09-14T09:00Z"), wtNow, wtNow)
	if err != nil || len(got.Values) != 2 || got.Estimated {
		t.Errorf("got %d values, %v", len(got.Values), err)
	}
	f.model = "2026-09-01"
	later, err := w.History(t.Context(), "US-CAL-CISO", at("2026-09-14T09:00Z"), wtNow, wtNow)
	if err != nil || later.Model != "2026-09-01" || later.Digest() == got.Digest() {
		t.Errorf("got model %s, %v", later.Model, err)
	}
}

func TestWattTimeChunks(t *testing.T) {
	f := newFakeWT(t)
	w := openWT(t, f)
	got, err := w.History(t.Context(), "US-CAL-CISO", at("2026-07-01T00:00Z"), wtNow, wtNow)
	if err != nil || !got.Start.Equal(at("2026-09-14T09:00Z")) {
		t.Fatalf("from %s, %v", got.Start, err)
	}
	var spans []string
	for _, a := range f.Asked()[1:] {
		spans = append(spans, a.Query.Get("start")+"/"+a.Query.Get("end"))
	}
	want := "2026-07-01T00:00:00Z/2026-07-30T23:55:00Z 2026-07-31T00:00:00Z/2026-08-29T23:55:00Z 2026-08-30T00:00:00Z/2026-09-14T09:55:00Z"
	if s := strings.Join(spans, " "); s != want {
		t.Errorf("asked for %s", s)
	}
}

func TestWattTimeSession(t *testing.T) {
	f := newFakeWT(t)
	w := openWT(t, f)
	ask := func(now time.Time) error {
		_, err := w.History(t.Context(), "US-CAL-CISO", at("2026-09-14T09:00Z"), at("2026-09-14T10:00Z"), now)
		return err
	}
	for i, c := range []struct {
		after  time.Duration
		revoke bool
		logins int
	}{
		{0, false, 1},
		{20 * time.Minute, false, 1},
		{26 * time.Minute, false, 2}, // before it runs out
		{27 * time.Minute, true, 3},  // it ran out early: once more
		{28 * time.Minute, false, 3},
	} {
		if c.revoke {
			f.revoke()
		}
		if err := ask(wtNow.Add(c.after)); err != nil || f.logins != c.logins {
			t.Fatalf("step %d: %d logins, want %d; %v", i, f.logins, c.logins, err)
		}
	}
	// A zone outside the plan: one answer, no new session, the other goes on.
	f.Asked()
	_, err := w.Forecast(t.Context(), "US-TEX-ERCO", wtNow.Add(28*time.Minute))
	if !problem.Is(err, problem.Denied) || !strings.Contains(err.Error(), "Invalid scope") || len(f.Asked()) != 1 {
		t.Errorf("got %v", err)
	}
	if err := ask(wtNow.Add(29 * time.Minute)); err != nil {
		t.Error(err)
	}
	for label := range w.keep.entries {
		if strings.Contains(label, "login") {
			t.Error("a session's token is kept among the answers")
		}
	}
	// A wrong password: one try, and then none for an hour.
	w = openWT(t, f)
	t.Setenv("CLUSY_TEST_WT", "wr0ng-password")
	f.Asked()
	err = ask(wtNow)
	if !problem.Is(err, problem.Denied) || !strings.Contains(err.Error(), `"403 Forbidden"`) || len(f.Asked()) != 1 {
		t.Errorf("got %v", err)
	}
	if err = ask(wtNow.Add(59 * time.Minute)); !waits(err) || len(f.Asked()) != 0 {
		t.Errorf("got %v", err)
	}
	// What a careless server repeats is not told on.
	f.Trouble(fake.Echo(400))
	w = openWT(t, f)
	t.Setenv("CLUSY_TEST_WT", wtKey)
	err = ask(wtNow)
	basic := base64.StdEncoding.EncodeToString([]byte("freddo:" + wtKey))
	if err == nil || strings.Contains(err.Error(), wtKey) || strings.Contains(err.Error(), basic) || !strings.Contains(err.Error(), "•••") {
		t.Errorf("got %v", err)
	}
}

func TestWattTimeRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		status int
		want   string
	}{
		"index":       {string(sample(t, "watttime/v3_signal-index.json")), 200, "percentile"},
		"region":      {strings.Replace(string(sample(t, "watttime/v3_forecast.json")), "CAISO_NORTH", "PJM_DC", 1), 200, `answers for "PJM_DC"`},
		"signal":      {strings.Replace(string(sample(t, "watttime/v3_forecast.json")), "co2_moer", "health_damage", 1), 200, "health_damage"},
		"no model":    {strings.Replace(string(sample(t, "watttime/v3_forecast.json")), "2025-09-01", "", 1), 200, "which model"},
		"no issue":    {strings.Replace(string(sample(t, "watttime/v3_forecast.json")), `"generated_at":`, `"x":`, 1), 200, "generated_at"},
		"bad query":   {string(sample(t, "watttime/error_400_invalid_params.json")), 400, "invalid parameters"},
		"validation":  {string(sample(t, "watttime/error_422_validation.json")), 422, "field required"},
		"no coverage": {string(sample(t, "watttime/error_404_no_coverage.json")), 404, "No coverage"},
	} {
		f := newFakeWT(t)
		w := openWT(t, f)
		w.token, w.opened = "held", wtNow
		f.Trouble(fake.JSON(c.status, c.answer))
		_, err := w.Forecast(t.Context(), "US-CAL-CISO", wtNow)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// A pound is 453.59237 g exactly, and so is what is made of it, to the nearest
// milligram.
func TestPounds(t *testing.T) {
	for tenth := int64(0); tenth < 60000; tenth += 7 {
		got, err := intensity(fmt.Sprintf("%d.%d", tenth/10, tenth%10), perPound)
		want := new(big.Rat).Mul(big.NewRat(tenth, 10), big.NewRat(45359237, 100000))
		diff := new(big.Rat).Sub(new(big.Rat).SetInt64(int64(got)), want)
		if err != nil || diff.Abs(diff).Cmp(big.NewRat(1, 2)) > 0 {
			t.Fatalf("%d tenths of a lb/MWh are %d mg/kWh, %v", tenth, got, err)
		}
	}
	for text, want := range map[string]grid.Intensity{"870": 394_625, "0": 0, "1e-300": 0, "8.685e2": 393_945, "": grid.Unknown} {
		if got, err := intensity(text, perPound); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
}
