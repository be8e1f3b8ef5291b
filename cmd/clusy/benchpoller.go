package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/house"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/store"
)

// benchPollerResult is what the poller costs. What is a day's is reckoned from
// the time that was lived through, after the first look.
type benchPollerResult struct {
	Zones     int     `json:"zones"`
	Step      string  `json:"step"`
	Lived     string  `json:"lived"`
	Past      string  `json:"past"`         // that the provider has, and the store from the first look on
	Issued    int     `json:"issuedBefore"` // forecasts of the provider, of each zone
	Points    int     `json:"points"`
	FirstCPU  float64 `json:"firstLookCPUSeconds"`
	CPU       float64 `json:"cpuSecondsPerDay"`
	Cores     float64 `json:"cores"` // that is
	History   float64 `json:"historyRequestsPerZoneAndStep"`
	Forecasts float64 `json:"forecastRequestsPerZoneAndHour"`
	Kept      int64   `json:"bytesKeptPerDay"`
	Written   int64   `json:"bytesWrittenPerDay"`
	Snapshot  float64 `json:"snapshotColdMilliseconds"`
	Grade     string  `json:"grade"`
	Machine   string  `json:"machine"`
	Version   string  `json:"version"`
}

func (r benchPollerResult) show(w io.Writer) error {
	fmt.Fprintf(w, "%s of CPU a day, %.3f cores: the poller of %d zones in steps of %s, forecasts of %d points each hour\n",
		paint(w, bold, fmt.Sprintf("%.0f s", r.CPU)), r.Cores, r.Zones, r.Step, r.Points)
	fmt.Fprintf(w, "asked    %.2f times for each zone and step, %.2f times for each zone and hour's forecast\n", r.History, r.Forecasts)
	fmt.Fprintf(w, "store    %s kept a day, %s written · snapshot %.1f ms from disk\n", mega(r.Kept), mega(r.Written), r.Snapshot)
	fmt.Fprintf(w, "lived    %s on a past of %s and %d forecasts, the first look at which took %.1f s of CPU; a day is reckoned from that · grade %s\n", r.Lived, r.Past, r.Issued, r.FirstCPU, r.Grade)
	fmt.Fprintf(w, "machine  %s · clusy %s\n", r.Machine, r.Version)
	return nil
}

// runPoller lives through some time with the real poller on a real store, a
// look each minute, and a provider that is made up and answers at once.
func (b *benchSignals) runPoller(ctx context.Context) (r benchPollerResult, err error) {
	r = benchPollerResult{Zones: b.zones, Step: b.step.String(), Lived: b.poller.String(), Past: b.past.String(), Issued: b.issued, Points: int(b.horizon / b.step), Version: versionWithCommit(),
		Machine: fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	db, file, closed, err := b.open(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, closed()) }()
	source := &benchSource{step: b.step, horizon: int(b.horizon / b.step), began: benchStart.Add(-b.past)}
	var zones []grid.Zone
	for z := range b.zones {
		zones = append(zones, grid.Zone(fmt.Sprintf("XX-%04d", z)))
	}
	p := &signal.Poller{Providers: []signal.Provider{source}, Sink: house.Sink(db), Basis: grid.AverageLifecycle,
		Wanted: func(context.Context) ([]grid.Zone, error) { return zones, nil }}

	// 1. The first look, which brings the past; forecasts of the past are there.
	for h := b.issued; h > 0; h-- {
		var some signal.Batch
		for _, z := range zones {
			f, err := source.Forecast(ctx, z, benchStart.Add(-time.Duration(h)*time.Hour))
			if err != nil {
				return r, err
			}
			some.Found = append(some.Found, signal.Found{Kind: grid.Issued, Series: f})
		}
		if err := p.Sink.Put(ctx, benchStart.Add(-time.Duration(h)*time.Hour), some); err != nil {
			return r, err
		}
	}
	used := cpuTime()
	if err := p.Step(ctx, benchStart); err != nil {
		return r, err
	}
	r.FirstCPU = (cpuTime() - used).Seconds()
	empty, err := file.used(ctx)
	if err != nil {
		return r, err
	}

	// 2. Minute by minute.
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return r, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return r, err
		}
		defer pprof.StopCPUProfile()
	}
	source.asked.Store(0)
	source.foretold.Store(0)
	used, written := cpuTime(), bytesWritten()
	for at := time.Minute; at <= b.poller; at += time.Minute {
		if err := p.Step(ctx, benchStart.Add(at)); err != nil {
			return r, err
		}
	}
	share := float64(24*time.Hour) / float64(b.poller)
	r.CPU = (cpuTime() - used).Seconds() * share
	r.Cores = r.CPU / (24 * time.Hour).Seconds()
	r.Written = int64(float64(bytesWritten()-written) * share)
	r.History = float64(source.asked.Load()) / float64(b.zones) / (float64(b.poller) / float64(b.step))
	r.Forecasts = float64(source.foretold.Load()) / float64(b.zones) / b.poller.Hours()
	full, err := file.used(ctx)
	if err != nil {
		return r, err
	}
	r.Kept = int64(float64(full-empty) * share)
	r.Grade = string(p.Health()[0].Grade)

	// 3. What a plan waits for.
	again, err := store.OpenReadOnly(ctx, file.dir)
	if err != nil {
		return r, err
	}
	begin := time.Now()
	err = again.System().View(ctx, func(tx store.SystemTx) error { _, err := tx.LatestForecasts(); return err })
	r.Snapshot = float64(time.Since(begin).Microseconds()) / 1000
	return r, errors.Join(err, again.Close())
}

// benchSource is a provider of as many zones as are asked for: days that go up
// and down, and a forecast of them each hour that is a little off.
type benchSource struct {
	step    time.Duration
	horizon int
	began   time.Time

	asked, foretold atomic.Int64
}

func (s *benchSource) Name() string { return "bench" }

func (s *benchSource) Zones(context.Context) ([]grid.Zone, error) { return nil, nil }

func (s *benchSource) series(zone grid.Zone, from, to, issued time.Time, off float64) grid.Series {
	out := grid.Series{Start: from, Step: s.step, Provenance: grid.Provenance{Provider: s.Name(), Zone: zone, Issued: issued, Basis: grid.AverageLifecycle, Flow: grid.Consumption, Grade: grid.GradeA}}
	h := fnv.New64a()
	_, _ = io.WriteString(h, string(zone))
	seed := h.Sum64()
	for at := from; at.Before(to); at = at.Add(s.step) {
		n := seed + uint64(at.Unix()/int64(s.step/time.Second))*0x9e3779b97f4a7c15
		n ^= n >> 29
		stray := float64(n*0xbf58476d1ce4e5b9>>40)/(1<<24) - 0.5
		day := math.Sin(2*math.Pi*float64(at.Unix()%86400)/86400 + float64(seed%7))
		week := math.Sin(2 * math.Pi * float64(at.Unix()%604800) / 604800)
		out.Values = append(out.Values, grid.Intensity(math.Round(300*(1+0.3*day+0.1*week)*(1+0.04*stray+off)))*1000)
	}
	return out
}

func (s *benchSource) History(_ context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	s.asked.Add(1)
	if from.Before(s.began) {
		from = s.began
	}
	to = now.Truncate(s.step)
	return s.series(zone, from.Truncate(s.step), to, to, 0), nil
}

func (s *benchSource) Forecast(_ context.Context, zone grid.Zone, now time.Time) (grid.Series, error) {
	s.foretold.Add(1)
	issued := now.Truncate(time.Hour)
	out := s.series(zone, issued, issued.Add(time.Duration(s.horizon)*s.step), issued, 0.03*math.Sin(float64(issued.Unix())))
	out.Estimated = true
	return out, nil
}

var _ signal.Forecaster = (*benchSource)(nil)

// benchPast is the past that a poller starts with if it is not told.
const benchPast = forecast.Lookback
