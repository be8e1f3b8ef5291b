package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/signal/provider"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

const topSecret = "Kq7vXo2Pz9-not-for-anybody-else"

// wind is a grid that goes up and down with the hours of the day.
func wind(t time.Time) float64 { return 300 + 10*float64(t.Hour()) }

// liveGrid serves the history of DE-LU in a form of its own, to who has
// the key, and counts.
func liveGrid() http.Handler {
	mux := http.NewServeMux()
	rows := func(from time.Time, hours int) []byte {
		var list []map[string]any
		for h := range hours {
			at := from.Add(time.Duration(h) * time.Hour)
			list = append(list, map[string]any{"at": at.Format(time.RFC3339), "grams": wind(at)})
		}
		b, _ := json.Marshal(map[string]any{"rows": list})
		return b
	}
	mux.HandleFunc("/past", func(w http.ResponseWriter, r *http.Request) {
		from, err := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
		if err != nil {
			http.Error(w, `{"error":"from"}`, http.StatusBadRequest)
			return
		}
		to, err := time.Parse(time.RFC3339, r.URL.Query().Get("to"))
		if err != nil {
			http.Error(w, `{"error":"to"}`, http.StatusBadRequest)
			return
		}
		from = from.Truncate(time.Hour)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(rows(from, max(0, int(min(time.Since(from), to.Sub(from))/time.Hour))))
	})
	return fake.Keyed("X-Key", topSecret, []byte(`{"error":"who are you?"}`), mux)
}

// A declared source is asked with its key, once for its zone; what it says is
// planned on and shown; and the key is in nothing that the server writes, says
// or answers, whatever goes wrong.
func TestLiveSource(t *testing.T) {
	s := fake.New(t, liveGrid())
	t.Setenv("SEER_KEY", topSecret)
	declared, err := provider.Read(strings.NewReader(fmt.Sprintf(`sources:
- kind: http
  name: seer
  url: %s
  request: /past?zone={zone}&from={from}&to={to}
  header: X-Key
  key: env:SEER_KEY
  tells: history
  rows: rows[*]
  time: at
  value: grams
  unit: g/kWh
  step: 1h
  signal: average
  scope: lifecycle
  zones: [DE-LU]
`, s.URL)))
	if err != nil {
		t.Fatal(err)
	}
	var log locked
	cfg := Config{Dir: t.TempDir(), Sources: declared, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Sites: []Site{{ID: "berlin", Zone: "DE-LU", Slots: 2, PUE: 1.2}}}
	h, stop := run(t, cfg)
	var said bytes.Buffer
	signals := func() clusy.Signals {
		_, b := get(t, h, "GET", "/v1/signals", h.Token, "")
		said.Write(b)
		var out clusy.Signals
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	st := signals()
	if len(st.Sources) != 1 || st.Sources[0].Name != "seer" || st.Sources[0].LastError != "" || st.Sources[0].Zones != 1 {
		t.Fatalf("sources: %+v", st.Sources)
	}
	if len(st.Destinations) != 1 || st.Destinations[0].URL != s.URL || st.Destinations[0].Sends == "" {
		t.Errorf("destinations: %+v", st.Destinations)
	}
	if z := st.Zones[0]; z.Zone != "DE-LU" || z.Provider != "seer" || z.Grade != "C" || z.Verdict == nil || time.Since(z.MeasuredUntil) > 2*time.Hour {
		t.Errorf("zone: %+v", z)
	}
	asked := s.Asked()
	if len(asked) == 0 || asked[0].Header.Get("X-Key") != topSecret || strings.Contains(asked[0].Query.Encode(), topSecret) {
		t.Errorf("it was asked %+v", asked)
	}
	now := time.Now().UTC()
	last := now.Truncate(time.Hour).Add(-time.Hour)
	out := getJSON[clusy.Outlook](t, h, "/v1/zones/DE-LU/intensity?from="+last.Format(time.RFC3339))
	if p := out.Points[0]; p.Intensity == nil || *p.Intensity != wind(last) || p.Forecast || p.Provider != "seer" {
		t.Errorf("the last hour is %+v, want %g", p, wind(last))
	}
	if f := getJSON[clusy.Forecast](t, h, "/v1/zones/DE-LU/forecast"); f.Grade != "C" || len(f.Points) != 72 || f.Points[10].Low == nil || *f.Points[10].Low > *f.Points[10].High {
		t.Errorf("the forecast is %+v", f)
	}

	// Each way to fail, with a source that repeats all that it was sent.
	for _, trouble := range []http.HandlerFunc{fake.Echo(500), fake.Echo(400), fake.Echo(401), fake.Echo(404), fake.HangUp, fake.Truncated, fake.Body(200, "text/html", "<html>"+topSecret)} {
		s.Trouble(trouble)
		for at := now; at.Before(now.Add(30 * time.Hour)); at = at.Add(5 * time.Hour) {
			if err := h.lookAround(t.Context(), at); err != nil {
				t.Error(err)
			}
		}
		if st := signals(); st.Zones[0].LastError == "" || st.Zones[0].Grade == "" || st.Zones[0].Grade < "C" {
			t.Errorf("with a source in trouble: %+v", st.Zones[0])
		}
	}
	for _, path := range []string{"/v1/zones", "/v1/outlooks", "/v1/status", "/openapi.json", "/metrics"} {
		_, b := get(t, h, "GET", path, h.Token, "")
		said.Write(b)
	}
	stop()
	if strings.Contains(said.String(), topSecret) {
		t.Error("the key is in an answer")
	}
	if strings.Contains(log.String(), topSecret) {
		t.Error("the key is in the log")
	}
	err = filepath.WalkDir(cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(topSecret)) {
			t.Errorf("the key is at rest in %s", filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A source that cannot be opened is named, and so is what is wrong with it.
func TestSourcesThatCannotBeOpened(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Sites: []Site{{ID: "berlin", Zone: "DE-LU", Slots: 2, PUE: 1.2}},
		Sources: []provider.Declaration{{Kind: "electricitymap", Zones: provider.Zones{"DE-LU": "DE"}}}}
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "source 1") || !strings.Contains(err.Error(), "electricitymaps") {
		t.Errorf("got %v", err)
	}
}

// locked is a buffer for several goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
