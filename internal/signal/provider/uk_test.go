package provider

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func at(text string) time.Time {
	t, err := instant(text)
	if err != nil {
		panic(err)
	}
	return t
}

// openFake opens a declared source that leads to a fake.
func openFake(t testing.TB, s *fake.Server, d Declaration, base string) Opened {
	t.Helper()
	d.URL = s.URL + base
	o, err := Open(d, Deps{Dial: fake.Exchange(t, 5*time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// fakeUK serves the slots of the sample that overlap what is asked for.
func fakeUK(t testing.TB) *fake.Server {
	var day struct {
		Data []map[string]any `json:"data"`
	}
	if err := json.Unmarshal(sample(t, "uk/intensity_from_to_pt24h.json"), &day); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/intensity/{from}/{to}", func(w http.ResponseWriter, r *http.Request) {
		from, to := at(r.PathValue("from")), at(r.PathValue("to"))
		if !from.Before(to) || to.Sub(from) > 14*24*time.Hour {
			fake.JSON(400, string(sample(t, "uk/error_400.json")))(w, r)
			return
		}
		slots := []map[string]any{}
		for _, s := range day.Data {
			if at(s["to"].(string)).After(from) && at(s["from"].(string)).Before(to) {
				slots = append(slots, s)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"data": slots})
	})
	mux.HandleFunc("/intensity/{from}/fw48h", fake.JSON(200, string(sample(t, "uk/intensity_from_fw48h.json"))))
	mux.HandleFunc("/regional/intensity/{from}/fw48h/regionid/13", fake.JSON(200, string(sample(t, "uk/regional_intensity_fw24h_regionid_13.json"))))
	mux.HandleFunc("/regional/intensity/{from}/fw48h/regionid/12", fake.JSON(200, string(sample(t, "uk/regional_regionid_13.json"))))
	return fake.New(t, mux)
}

var ukNow = at("2026-09-14T10:00Z")

func openUKFake(t testing.TB, s *fake.Server) *uk {
	return openFake(t, s, Declaration{Kind: "uk-carbon-intensity", Zones: Zones{"GB": "GB", "GB-London": "London", "GB-South": "12"}}, "").Provider.(*uk)
}

func TestUKContract(t *testing.T) {
	s := fakeUK(t)
	signaltest.Test(t, signaltest.Window{Zone: "GB", From: at("2026-09-13T10:00Z"), To: ukNow}, func(t *testing.T) signal.Provider { return openUKFake(t, s) })
	for _, zone := range []grid.Zone{"GB", "GB-London"} {
		signaltest.TestForecast(t, signaltest.Moment{Zone: zone, Now: at("2026-09-14T10:10Z")}, func(t *testing.T) signal.Forecaster { return openUKFake(t, s) })
	}
}

func TestUK(t *testing.T) {
	s := fakeUK(t)
	u := openUKFake(t, s)
	got, err := u.History(t.Context(), "GB", at("2026-09-13T10:00Z"), at("2026-09-13T11:30Z"), ukNow)
	if err != nil {
		t.Fatal(err)
	}
	if got.Basis != (grid.Basis{Signal: grid.Average, Scope: grid.Direct}) || got.Flow != "" || got.Estimated || got.Grade != grid.GradeA || got.Step != 30*time.Minute {
		t.Errorf("provenance is %+v, step %s", got.Provenance, got.Step)
	}
	if len(got.Values) != 3 || got.Values[0] != 114_000 || got.Values[1] != 102_000 || !got.Issued.Equal(got.End()) {
		t.Errorf("got %v, issued %s", got.Values, got.Issued)
	}
	asked := s.Asked()
	if len(asked) != 1 || asked[0].Path != "/intensity/2026-09-13T10:00Z/2026-09-13T11:30Z" {
		t.Errorf("asked %+v", asked)
	}
	// Nothing for a fortnight: the question goes on to where there is something.
	got, err = u.History(t.Context(), "GB", at("2026-08-29T10:00Z"), ukNow, ukNow)
	if err != nil || len(got.Values) == 0 || len(s.Asked()) != 2 {
		t.Errorf("got %d values, %v", len(got.Values), err)
	}
	// A region has no measured values, and is not asked for them.
	got, err = u.History(t.Context(), "GB-London", at("2026-09-13T10:00Z"), ukNow, ukNow)
	if err != nil || len(got.Values) != 0 || len(s.Asked()) != 0 {
		t.Errorf("got %v, %v", got.Values, err)
	}
	// The region of another number, as the source might answer by mistake.
	if _, err = u.Forecast(t.Context(), "GB-South", ukNow); err == nil || !strings.Contains(err.Error(), "answers for another") {
		t.Errorf("got %v", err)
	}
}

func TestUKZones(t *testing.T) {
	s := fakeUK(t)
	for zone, theirs := range map[string]string{"GB-X": "18", "GB-Y": "Atlantis", "GB-Z": "0"} {
		_, err := Open(Declaration{Kind: "uk-carbon-intensity", URL: s.URL, Zones: Zones{zone: theirs}}, Deps{Dial: fake.Exchange(t, time.Second)})
		if err == nil || !strings.Contains(err.Error(), "1 to 17") {
			t.Errorf("%s: %v", theirs, err)
		}
	}
}
