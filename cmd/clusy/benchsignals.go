package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/store"
)

// benchSignals says what days of polling are to be measured.
type benchSignals struct {
	zones   int
	days    int
	step    time.Duration
	horizon time.Duration
	every   time.Duration
	batch   int
	keep    string
	poller  time.Duration // 0: not the poller
	past    time.Duration
	issued  int
	profile string
	out     io.Writer // progress
}

func benchSignalsCommand() *cobra.Command {
	var b benchSignals
	cmd := &cobra.Command{
		Use:   "signals",
		Short: "Measure what the signals of many zones cost a store",
		Long: `Measure what the signals of many zones cost a store.

It lives through days of polling as fast as it can, on a store of its own that is
real: SQLite on disk with synchronous=FULL and a signed log. In each step every
zone has a new measured value, in each hour a forecast as a provider issues it
and a forecast in use, with its band. The values are those of the bundled weeks,
put on other zones at other hours, brought to the step and a little disturbed:
measured and issued ones are whole grams, those in use are not.

What it tells: how the store grows in a day, before and after what is old was
dropped; how many bytes were written for that, how many leaves the log grew by,
what processor time it took, how long the longest transaction held the writer;
and how long a plan waits for the newest forecasts of all zones, from disk and
from memory. Making up the values is not in the figures.`,
		Example: "clusy bench signals\nclusy bench signals --zones 100 --step 15m --days 3\nclusy bench signals --zones 100 --poller 6h\nclusy bench signals --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case b.zones < 1 || b.days < 1 || b.batch < 1:
				return usage("--zones, --days and --batch must be more than 0")
			case b.step < time.Minute || b.step > time.Hour || time.Hour%b.step != 0:
				return usage("--step %s: give 1m to 1h, and what divides an hour, as 5m", b.step)
			case b.every != 0 && (b.every < b.step || b.every%b.step != 0 || time.Hour%b.every != 0):
				return usage("--store-every %s: give a multiple of the step that divides an hour, as 1h", b.every)
			case b.horizon < b.step || b.horizon > 14*24*time.Hour:
				return usage("--horizon %s: give a step to 336h, as 72h", b.horizon)
			}
			if b.every == 0 {
				b.every = b.step
			}
			if b.poller != 0 && (b.poller < time.Hour || b.poller > 31*24*time.Hour || b.issued < 0 || b.past < 0 || b.past > 366*24*time.Hour) {
				return usage("--poller %s, --past %s, --issued %d: give 1h to 744h, 0 to 8784h, and 0 or more", b.poller, b.past, b.issued)
			}
			b.out = cmd.ErrOrStderr()
			if b.poller != 0 {
				r, err := b.runPoller(cmd.Context())
				if err != nil {
					return err
				}
				return print(cmd, r, r.show)
			}
			r, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd, r, r.show)
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&b.zones, "zones", 1000, "how many zones")
	fl.IntVar(&b.days, "days", 1, "how many days of polling")
	fl.DurationVar(&b.step, "step", 5*time.Minute, "step of measured values and forecasts")
	fl.DurationVar(&b.horizon, "horizon", 72*time.Hour, "how far forecasts reach")
	fl.DurationVar(&b.every, "store-every", 0, "store measured values this often (default: at each step)")
	fl.IntVar(&b.batch, "batch", 250, "series that are stored in one transaction at most")
	fl.DurationVar(&b.poller, "poller", 0, "measure the real poller for so long, as 6h")
	fl.DurationVar(&b.past, "past", benchPast, "with --poller: the past that the provider has")
	fl.IntVar(&b.issued, "issued", 0, "with --poller: how many hourly forecasts of the past there are, up to 840 count")
	fl.StringVar(&b.profile, "profile", "", "with --poller: file to write a CPU profile to")
	fl.StringVar(&b.keep, "keep", "", "new directory to keep the store in (default: a temporary one)")
	return cmd
}

// benchSignalsResult is what came of it. What is a day's is the mean of all.
type benchSignalsResult struct {
	Zones   int    `json:"zones"`
	Step    string `json:"step"`
	Horizon string `json:"horizon"`
	Every   string `json:"storeEvery"`
	Days    int    `json:"days"`
	Batch   int    `json:"batch"`
	Points  int    `json:"points"` // of a forecast

	Series       int     `json:"seriesPerDay"`       // stored; most measured ones are replaced
	Kept         int64   `json:"bytesKeptPerDay"`    // of the file, the log with it
	AfterPrune   int64   `json:"bytesAfterPrune"`    // a day's, once its forecasts are 35 days old
	AfterAll     int64   `json:"bytesAfterAllPrune"` // a day's, once the measured values are 60 days old, too
	File         int64   `json:"fileBytes"`          // of the whole file, at its largest
	Written      int64   `json:"bytesWrittenPerDay"`
	Leaves       int64   `json:"leavesPerDay"`
	CPU          float64 `json:"cpuSecondsPerDay"`
	PruneSeconds float64 `json:"pruneSeconds"`
	Tx50         float64 `json:"transactionP50Milliseconds"`
	Tx99         float64 `json:"transactionP99Milliseconds"`
	TxMax        float64 `json:"transactionMaxMilliseconds"`

	Cold    float64 `json:"snapshotColdMilliseconds"` // median of a few
	ColdCPU float64 `json:"snapshotColdCPUMilliseconds"`
	Warm    float64 `json:"snapshotWarmMilliseconds"`

	ForecastBytes     int    `json:"forecastBytes"`
	ForecastJSONBytes int    `json:"forecastJSONBytes"`
	IssuedBytes       int    `json:"issuedBytes"`
	MeasuredBytes     int    `json:"measuredDayBytes"`
	Machine           string `json:"machine"`
	Version           string `json:"version"`
}

func (r benchSignalsResult) show(w io.Writer) error {
	fmt.Fprintf(w, "%s a day: %d zones, steps of %s, stored every %s, %s ahead · %d series stored a day, %d days\n",
		paint(w, bold, mega(r.Kept)), r.Zones, r.Step, r.Every, r.Horizon, r.Series, r.Days)
	fmt.Fprintf(w, "kept     %s of a day once its forecasts are 35 days old, %s once all is old · dropped in %.1f s\n", mega(r.AfterPrune), mega(r.AfterAll), r.PruneSeconds)
	fmt.Fprintf(w, "written  %s a day · CPU %.1f s a day · log %d leaves a day\n", mega(r.Written), r.CPU, r.Leaves)
	fmt.Fprintf(w, "writer   held p50 %.1f ms · p99 %.1f ms · max %.1f ms, by %d series at once\n", r.Tx50, r.Tx99, r.TxMax, r.Batch)
	fmt.Fprintf(w, "snapshot newest forecasts of all zones: %.1f ms from disk (CPU %.1f ms), %.2f ms from memory\n", r.Cold, r.ColdCPU, r.Warm)
	fmt.Fprintf(w, "series   a forecast of %d points with its band %d bytes (%d as JSON), one issued without %d, a measured day %d\n",
		r.Points, r.ForecastBytes, r.ForecastJSONBytes, r.IssuedBytes, r.MeasuredBytes)
	fmt.Fprintf(w, "machine  %s · clusy %s\n", r.Machine, r.Version)
	return nil
}

func mega(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// benchStart is when the simulated days begin.
var benchStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// open makes the store that is measured, in --keep or in a directory that goes
// when it is closed.
func (b *benchSignals) open(ctx context.Context) (db store.DB, file *benchFile, closed func() error, err error) {
	dir, away := b.keep, func() error { return nil }
	if dir == "" {
		if dir, err = os.MkdirTemp("", "clusy-bench-"); err != nil {
			return nil, nil, nil, fmt.Errorf("make a directory for the benchmark: %w", err)
		}
		away = func() error { return os.RemoveAll(dir) }
	}
	o, err := benchStore(dir)
	if err != nil {
		return nil, nil, nil, errors.Join(err, away())
	}
	if db, err = store.Open(ctx, o); err != nil {
		return nil, nil, nil, errors.Join(err, away())
	}
	if file, err = openBenchFile(dir); err != nil {
		return nil, nil, nil, errors.Join(err, db.Close(), away())
	}
	return db, file, func() error { file.close(); return errors.Join(db.Close(), away()) }, nil
}

// run lives through the days, and then looks at what they left.
func (b *benchSignals) run(ctx context.Context) (r benchSignalsResult, err error) {
	r = benchSignalsResult{Zones: b.zones, Step: b.step.String(), Horizon: b.horizon.String(), Every: b.every.String(), Days: b.days, Batch: b.batch, Version: versionWithCommit(),
		Machine: fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	world, err := newBenchWorld(b.zones, b.days, b.step, b.horizon)
	if err != nil {
		return r, err
	}
	db, file, closed, err := b.open(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, closed()) }()
	empty, err := file.used(ctx)
	if err != nil {
		return r, err
	}
	m := &benchMeter{db: db, batch: b.batch}
	before, err := m.leaves(ctx)
	if err != nil {
		return r, err
	}
	if err := b.live(ctx, world, m); err != nil {
		return r, err
	}
	if err := b.look(ctx, &r, file.dir); err != nil {
		return r, err
	}
	days := int64(b.days)
	slices.Sort(m.took)
	r.Tx50, r.Tx99, r.TxMax = quantile(m.took, 0.5), quantile(m.took, 0.99), quantile(m.took, 1)
	r.CPU, r.Series, r.Written = m.cpu.Seconds()/float64(b.days), m.stored/b.days, m.written/days
	after, err := m.leaves(ctx)
	if err != nil {
		return r, err
	}
	r.Leaves = (after - before) / days
	full, err := file.used(ctx)
	if err != nil {
		return r, err
	}
	r.Kept, r.File = (full-empty)/days, file.size
	world.sizes(&r, int(time.Duration(b.days)*24*time.Hour/b.step))

	// What is left of the days when they are old.
	end := benchStart.AddDate(0, 0, b.days).Add(b.horizon + time.Second)
	begin := time.Now()
	for _, c := range []struct {
		keep store.Retention
		left *int64
	}{
		{store.Retention{Forecasts: end, Issued: end}, &r.AfterPrune},
		{store.Retention{Measured: end, Forecasts: end, Issued: end}, &r.AfterAll},
	} {
		err := db.System().Update(ctx, func(tx store.SystemTx) error { _, err := tx.PruneSignals(c.keep); return err })
		if err != nil {
			return r, err
		}
		left, err := file.used(ctx)
		if err != nil {
			return r, err
		}
		*c.left = (left - empty) / days
	}
	r.PruneSeconds = time.Since(begin).Seconds()
	return r, nil
}

// live lives through the days: in each step a value of each zone, in each hour
// two forecasts.
func (b *benchSignals) live(ctx context.Context, world *benchWorld, m *benchMeter) error {
	perDay := int(24 * time.Hour / b.step)
	perHour, perStore := int(time.Hour/b.step), int(b.every/b.step)
	today := make([]string, b.zones) // the refs of the days that grow
	for n := perStore; n <= b.days*perDay; n += perStore {
		now := benchStart.Add(time.Duration(n) * b.step)
		var round []store.Signal
		for z := range b.zones {
			s := world.measured(z, n)
			round = append(round, store.Signal{Kind: store.Measured, Series: s, Replaces: today[z]})
			today[z] = s.Digest()
		}
		if n%perDay == 0 {
			clear(today)
		}
		if n%perHour == 0 {
			for z := range b.zones {
				round = append(round, store.Signal{Kind: store.Issued, Series: world.issued(z, n)}, store.Signal{Kind: store.Forecast, Series: world.forecast(z, n)})
			}
		}
		if err := m.put(ctx, round, now); err != nil {
			return err
		}
		if colour(b.out) && n%perHour == 0 {
			fmt.Fprintf(b.out, "\r\x1b[K%s · %.0f s of CPU", now.Format("2 Jan 15:04"), m.cpu.Seconds())
		}
	}
	if colour(b.out) {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
	return nil
}

// look reads the newest forecasts as a plan does, in a store that was just
// opened and in one that has read them before.
func (b *benchSignals) look(ctx context.Context, r *benchSignalsResult, dir string) error {
	var cold, cpu, warm []time.Duration
	for range 5 {
		db, err := store.OpenReadOnly(ctx, dir)
		if err != nil {
			return err
		}
		read := func() (time.Duration, error) {
			begin := time.Now()
			err := db.System().View(ctx, func(tx store.SystemTx) error {
				all, err := tx.LatestForecasts()
				if err == nil && len(all) != b.zones {
					err = fmt.Errorf("there are forecasts of %d zones, not of %d", len(all), b.zones)
				}
				return err
			})
			return time.Since(begin), err
		}
		runtime.GC()
		used := cpuTime()
		took, err := read()
		cold, cpu = append(cold, took), append(cpu, cpuTime()-used)
		for range 5 {
			var again time.Duration
			if err == nil {
				again, err = read()
			}
			warm = append(warm, again)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			return err
		}
	}
	for _, took := range [][]time.Duration{cold, cpu, warm} {
		slices.Sort(took)
	}
	r.Cold, r.ColdCPU, r.Warm = quantile(cold, 0.5), quantile(cpu, 0.5), quantile(warm, 0.5)
	return nil
}

// benchMeter stores series and measures what that takes.
type benchMeter struct {
	db      store.DB
	batch   int
	took    []time.Duration
	cpu     time.Duration
	written int64
	stored  int
}

func (m *benchMeter) put(ctx context.Context, signals []store.Signal, now time.Time) error {
	for some := range slices.Chunk(signals, m.batch) {
		begin, cpu, written := time.Now(), cpuTime(), bytesWritten()
		err := m.db.System().Update(ctx, func(tx store.SystemTx) error {
			refs, err := tx.PutSignals(some, audit.Event{At: now, Actor: "system:signal", Kind: audit.SignalStored})
			if err == nil && len(refs) != len(some) {
				err = fmt.Errorf("%d of %d series were stored at %s", len(refs), len(some), now)
			}
			return err
		})
		if err != nil {
			return err
		}
		m.took, m.cpu = append(m.took, time.Since(begin)), m.cpu+cpuTime()-cpu
		m.written += bytesWritten() - written
		m.stored += len(some)
	}
	return nil
}

func (m *benchMeter) leaves(ctx context.Context) (n int64, err error) {
	err = m.db.System().View(ctx, func(tx store.SystemTx) (err error) { n, err = tx.LogSize(); return err })
	return n, err
}

// bytesWritten returns what this process has written so far, 0 where the kernel
// does not tell.
func bytesWritten() int64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "wchar: "); ok {
			written, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return written
		}
	}
	return 0
}

// benchStore returns the options of a store with a key of its own.
func benchStore(dir string) (store.Options, error) {
	const origin = "clusy.io/log/bench"
	private, _, err := merkle.GenerateKey(rand.Reader, origin)
	if err != nil {
		return store.Options{}, err
	}
	signer, err := merkle.NewSigner(private)
	return store.Options{Dir: dir, Origin: origin, Signer: signer}, err
}

// benchFile looks at a store's file beside the store.
type benchFile struct {
	dir  string
	pool *sql.DB
	size int64
}

func openBenchFile(dir string) (*benchFile, error) {
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "clusy.db")+"?_pragma=busy_timeout(60000)")
	if err != nil {
		return nil, fmt.Errorf("look at the store's file: %w", err)
	}
	pool.SetMaxOpenConns(1)
	return &benchFile{dir: dir, pool: pool}, nil
}

func (f *benchFile) close() { _ = f.pool.Close() }

// used returns how many bytes of the file are in use, its log of changes being
// taken in.
func (f *benchFile) used(ctx context.Context) (int64, error) {
	var busy, log, done, pages, free, page int64
	err := f.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done)
	for pragma, v := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &page} {
		err = errors.Join(err, f.pool.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(v))
	}
	if err != nil || busy != 0 {
		return 0, fmt.Errorf("look at the store's file (busy: %d): %w", busy, err)
	}
	f.size = pages * page
	return (pages - free) * page, nil
}

// benchWorld is what the zones are like: the truth in whole grams, step by step
// until the last forecast ends.
type benchWorld struct {
	step    time.Duration
	horizon int
	truth   [][]int32
}

func newBenchWorld(zones, days int, step, horizon time.Duration) (*benchWorld, error) {
	traces, err := bundled.Trace()
	if err != nil {
		return nil, err
	}
	var names []grid.Zone
	for z := range traces {
		names = append(names, z)
	}
	slices.Sort(names)
	w := &benchWorld{step: step, horizon: int(horizon / step)}
	perHour := int(time.Hour / step)
	r := mathrand.New(mathrand.NewPCG(1, 2))
	for z := range zones {
		trace := traces[names[z%len(names)]].Values
		first := r.IntN(len(trace))
		var truth []int32
		stray := 0.0
		for i := range days*24*perHour + w.horizon + perHour + 1 {
			hour := first + i/perHour
			a, b := trace[hour%len(trace)], trace[(hour+1)%len(trace)]
			if !a.Known() || !b.Known() {
				a, b = 300_000, 300_000
			}
			stray = 0.9*stray + 0.003*r.NormFloat64()
			between := float64(i%perHour) / float64(perHour)
			truth = append(truth, int32(math.Round((float64(a)*(1-between)+float64(b)*between)*(1+stray)/1000)))
		}
		w.truth = append(w.truth, truth)
	}
	return w, nil
}

func (w *benchWorld) series(z, n, from int, provider string) grid.Series {
	return grid.Series{
		Provenance: grid.Provenance{Provider: provider, Zone: grid.Zone(fmt.Sprintf("XX-%04d", z)), Issued: benchStart.Add(time.Duration(n) * w.step),
			Basis: grid.AverageLifecycle, Flow: grid.Consumption, Grade: grid.GradeA},
		Start: benchStart.Add(time.Duration(from) * w.step), Step: w.step,
	}
}

// measured returns the day of a zone as far as it is known after n steps.
func (w *benchWorld) measured(z, n int) grid.Series {
	perDay := int(24 * time.Hour / w.step)
	from := (n - 1) / perDay * perDay
	s := w.series(z, n, from, "bench")
	for _, g := range w.truth[z][from:n] {
		s.Values = append(s.Values, grid.Intensity(g)*1000)
	}
	return s
}

// issued returns what a provider expects after n steps: the truth, more and
// more mistaken, in whole grams.
func (w *benchWorld) issued(z, n int) grid.Series {
	s := w.series(z, n, n, "bench")
	for _, v := range w.expected(z, n) {
		s.Values = append(s.Values, grid.Intensity(math.Round(v/1000))*1000)
	}
	return s
}

// forecast returns the forecast in use after n steps, with its band.
func (w *benchWorld) forecast(z, n int) grid.Series {
	s := w.series(z, n, n, "forecast/bench")
	for i, v := range w.expected(z, n) {
		ahead := float64(i) * w.step.Hours()
		spread := v * (0.04 + 0.2*(1-math.Exp(-ahead/30))) * (1 + 0.2*math.Sin(2*math.Pi*ahead/24))
		s.Values = append(s.Values, grid.Intensity(v))
		s.Low, s.High = append(s.Low, grid.Intensity(max(v-spread, 0))), append(s.High, grid.Intensity(min(v+1.1*spread, float64(grid.MaxIntensity))))
	}
	return s
}

// expected returns the truth from n on, smoothed over an hour and more and more
// mistaken, in mg/kWh.
func (w *benchWorld) expected(z, n int) []float64 {
	r := mathrand.New(mathrand.NewPCG(uint64(z), uint64(n)))
	perHour := int(time.Hour / w.step)
	drift, bias := 0.0, 0.1*r.NormFloat64()
	out := make([]float64, w.horizon)
	sum := 0.0
	truth := w.truth[z][n:]
	for i := range perHour {
		sum += float64(truth[i])
	}
	for i := range out {
		drift += (bias - drift) / float64(24*perHour)
		out[i] = sum / float64(perHour) * 1000 * (1 + drift)
		sum += float64(truth[i+perHour]) - float64(truth[i])
	}
	return out
}

// sizes says how large typical series are, after n steps.
func (w *benchWorld) sizes(r *benchSignalsResult, n int) {
	size := func(make func(z, n int) grid.Series) (binary, text int) {
		zones := min(len(w.truth), 100)
		for z := range zones {
			s := make(z, n)
			b, _ := s.MarshalBinary()
			j, _ := json.Marshal(s)
			binary, text = binary+len(b), text+len(j)
		}
		return binary / zones, text / zones
	}
	r.Points = w.horizon
	r.ForecastBytes, r.ForecastJSONBytes = size(w.forecast)
	r.IssuedBytes, _ = size(w.issued)
	r.MeasuredBytes, _ = size(w.measured)
}
