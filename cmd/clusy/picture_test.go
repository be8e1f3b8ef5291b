package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/api"
	budgets "clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

var update = flag.Bool("update", false, "write the pictures to docs/pictures")

// TestReadmePicture: the README's picture is what `clusy plan -o` draws of an
// intent of the demo, at the moment at which the demo begins, from the bundled
// data, through the real API. make pictures draws it again.
func TestReadmePicture(t *testing.T) {
	s := frozen(t, demoFrom, "berlin=DE-LU", "madrid=ES")
	di := demoIntents[0]
	intent := filepath.Join(t.TempDir(), di.name+".yaml")
	if err := os.WriteFile(intent, []byte(fmt.Sprintf(di.yaml, `"true"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := filepath.Join(t.TempDir(), "plan.svg")
	run(t, s, "plan", intent, "-o", got)
	svg, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join("..", "..", "docs", "pictures", "plan.svg")
	if *update {
		if err := os.WriteFile(kept, svg, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(svg, want) {
		t.Errorf("%s is not what is drawn now; look at it, then make pictures", kept)
	}
	for _, says := range []string{"DEMO", "| measured", "| expected", "| planned", "| baseline", "| not taken", "completeBy"} {
		if !strings.Contains(string(svg), says) {
			t.Errorf("the picture does not say %q", says)
		}
	}
}

// run carries out a command against a server and returns what it printed.
func run(t *testing.T, s *httptest.Server, args ...string) string {
	t.Helper()
	t.Setenv("CLUSY_URL", s.URL)
	t.Setenv("CLUSY_TOKEN", "any")
	cmd := root()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("clusy %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// frozen serves the real API over a world that stands still: sites, NAME=ZONE,
// and what the bundled grid data say of their zones at now.
func frozen(t *testing.T, now time.Time, sites ...string) *httptest.Server {
	t.Helper()
	w := &stillLife{now: now}
	var zones []grid.Zone
	for _, s := range sites {
		id, zone, _ := strings.Cut(s, "=")
		zones = append(zones, grid.Zone(zone))
		w.sites = append(w.sites, plan.Station{Engine: "process", Seen: now, Site: plan.Site{
			ID: id, Zone: grid.Zone(zone), PUE: 1200,
			Capacity: workload.Resources{CPU: workload.Unlimited, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: 2},
		}})
	}
	provider, err := bundled.Provider()
	if err != nil {
		t.Fatal(err)
	}
	climatology, err := bundled.Climatology()
	if err != nil {
		t.Fatal(err)
	}
	p := &signal.Poller{
		Providers: []signal.Provider{provider}, Sink: w, Climatology: climatology,
		Wanted: func(context.Context) ([]grid.Zone, error) { return zones, nil },
	}
	if err := p.Step(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	server := &api.Server{
		Store: w, Now: func() time.Time { return now }, Version: "still", Origin: "still.example/demo", Demo: true,
		Rules: plan.Rules{Step: 5 * time.Minute, Horizon: 72 * time.Hour, Margin: time.Minute},
	}
	caller := wire.Caller{Principal: "token:still", Tenant: "default", Grants: []access.Grant{
		{Holder: "token:still", Role: access.Operator, Tenant: "default", Until: time.Now().Add(time.Hour)},
	}}
	h := server.Handler()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(rw, r.WithContext(wire.WithCaller(r.Context(), caller)))
	}))
	t.Cleanup(s.Close)
	return s
}

// stillLife is a store that can only be looked at.
type stillLife struct {
	api.Store
	api.SystemTx
	now       time.Time
	sites     []plan.Station
	measured  []grid.Series
	forecasts map[grid.Zone][]grid.Series
}

func (w *stillLife) ViewAll(_ context.Context, f func(api.SystemTx) error) error {
	return f(stillTx{w.SystemTx, w})
}

func (w *stillLife) Put(_ context.Context, _ time.Time, b signal.Batch) error {
	w.forecasts = map[grid.Zone][]grid.Series{}
	for _, f := range b.Found {
		if f.Kind == grid.Measured {
			w.measured = append(w.measured, f.Series)
			continue
		}
		w.forecasts[f.Series.Zone] = append(w.forecasts[f.Series.Zone], f.Series)
	}
	return nil
}

func (w *stillLife) Measured(_ context.Context, zone grid.Zone, _ time.Time) ([]grid.Series, error) {
	return stillTx{w: w}.Measured(zone, time.Time{})
}

func (w *stillLife) Quarantines(context.Context) ([]signal.Note, error) { return nil, nil }

func (w *stillLife) Issued(context.Context, grid.Zone, time.Time) ([]grid.Series, error) {
	return nil, nil
}

type stillTx struct {
	api.SystemTx
	w *stillLife
}

// For is for those who wait for others: here nobody does.
func (tx stillTx) For(access.Tenant) api.TenantTx { return nil }

func (tx stillTx) Spending(access.Tenant, time.Time) (*budgets.Book, error) { return nil, nil }

func (tx stillTx) Sites() ([]plan.Station, error) { return tx.w.sites, nil }
func (tx stillTx) LatestForecasts() (map[grid.Zone][]grid.Series, error) {
	return tx.w.forecasts, nil
}

func (tx stillTx) Measured(zone grid.Zone, _ time.Time) (out []grid.Series, err error) {
	for _, s := range tx.w.measured {
		if s.Zone == zone {
			out = append(out, s)
		}
	}
	return out, nil
}

func (tx stillTx) World(now time.Time) (plan.World, error) {
	w := plan.World{Now: now, Forecasts: tx.w.forecasts}
	for _, s := range tx.w.sites {
		w.Sites = append(w.Sites, s.Site)
	}
	return w, nil
}
