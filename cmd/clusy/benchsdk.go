package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/house"
	"clusy.io/clusy/internal/signal/bundled"
)

// benchSDK says what is to be measured.
type benchSDK struct {
	rate    int
	last    time.Duration
	zones   int
	url     string
	token   string
	profile string
	out     io.Writer
}

func benchSDKCommand() *cobra.Command {
	var b benchSDK
	cmd := &cobra.Command{
		Use:   "sdk",
		Short: "Measure how long the Carbon Aware SDK's API takes to answer",
		Long: `Measure how long the Carbon Aware SDK's API takes to answer.

Requests are sent at a steady rate, whether those before are answered or not,
and each is timed from when it was due: a server that falls behind does not get
fewer of them. Of ten, five are current forecasts, two the newest value, and one
each the best of up to ten places over a day, the mean of a day, and a forecast
as it was in use when the measurement began.

Without --url it brings its own server, on the grid data of the demonstration,
with a site and an agent in each zone: HTTP on loopback with a token in each
request, SQLite on disk. The clients run in the same process, so that their share
of the machine is in the figures. The bundled data has few zones; the others of
--zones have a forecast, and nothing measured.

Any answer but 200 and 204 is counted as an error, and makes the exit code 1.`,
		Example: "clusy bench sdk\nclusy bench sdk --rate 500 --for 30s --zones 50",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.rate < 1 || b.rate > 100_000 || b.last <= 0 || b.zones < 1 || b.zones > 200 {
				return usage("--rate must be 1 to 100000, --zones 1 to 200, and --for more than 0")
			}
			if b.url, _ = cmd.Flags().GetString("url"); b.url != "" {
				c, err := connect(cmd)
				if err != nil {
					return err
				}
				b.url, b.token = c.URL, c.Token
			}
			b.out = cmd.ErrOrStderr()
			r, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			if err := print(cmd, r, func(w io.Writer) error { r.show(w); return nil }); err != nil {
				return err
			}
			if !r.OK {
				return exitStatus(exitError)
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&b.rate, "rate", 200, "requests to send in a second")
	fl.DurationVar(&b.last, "for", 10*time.Second, "how long to send them")
	fl.IntVar(&b.zones, "zones", 2, "zones of the server's sites, without --url")
	fl.StringVar(&b.profile, "cpuprofile", "", "file for a profile of the processor while it measures")
	_ = fl.MarkHidden("cpuprofile")
	return cmd
}

// sdkResult is what came of it.
type sdkResult struct {
	OK      bool           `json:"ok"`
	Rate    int            `json:"rate"`
	Zones   int            `json:"zones"`
	Sent    int            `json:"sent"`
	Seconds float64        `json:"seconds"`
	All     sdkLatency     `json:"all"`
	Doors   []sdkLatency   `json:"doors"`
	Errors  map[string]int `json:"errors"`
	CPU     float64        `json:"cpuSeconds"` // of the process
	Machine string         `json:"machine"`
	Version string         `json:"version"`
	Server  string         `json:"server"`
}

type sdkLatency struct {
	Door  string  `json:"door"`
	Count int     `json:"count"`
	P50   float64 `json:"p50Milliseconds"`
	P90   float64 `json:"p90Milliseconds"`
	P99   float64 `json:"p99Milliseconds"`
	Max   float64 `json:"maxMilliseconds"`
}

func latencyOf(door string, took []time.Duration) sdkLatency {
	slices.Sort(took)
	return sdkLatency{door, len(took), quantile(took, 0.5), quantile(took, 0.9), quantile(took, 0.99), quantile(took, 1)}
}

func (r sdkResult) show(w io.Writer) {
	fmt.Fprintf(w, "p99 %s ms · %d requests at %d a second, of %d zones\n", paint(w, bold, fmt.Sprintf("%.1f", r.All.P99)), r.Sent, r.Rate, r.Zones)
	for _, l := range append([]sdkLatency{r.All}, r.Doors...) {
		fmt.Fprintf(w, "%-44s %6d   p50 %6.2f ms · p90 %6.2f · p99 %6.2f · max %6.2f\n", l.Door, l.Count, l.P50, l.P90, l.P99, l.Max)
	}
	fmt.Fprintf(w, "CPU      %.1f s of %.1f s, server and clients\n", r.CPU, r.Seconds)
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "%s    %d × %s\n", paint(w, red, "error"), r.Errors[kind], kind)
	}
	fmt.Fprintf(w, "machine  %s · clusy %s · %s\n", r.Machine, r.Version, r.Server)
}

func (b *benchSDK) run(ctx context.Context) (r sdkResult, err error) {
	r = sdkResult{Rate: b.rate, Errors: map[string]int{}, Version: versionWithCommit(), Server: b.url,
		Machine: fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	if b.url != "" {
		return r, b.measure(ctx, &r)
	}
	r.Server = "a server of its own, on the data of the demonstration"
	dir, err := os.MkdirTemp("", "clusy-bench-")
	if err != nil {
		return r, fmt.Errorf("make a directory for the benchmark: %w", err)
	}
	defer os.RemoveAll(dir)
	sites, err := sitesIn(ctx, b.zones)
	if err != nil {
		return r, err
	}
	collectLess()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	h, err := house.Open(serving, house.Config{Dir: dir, Listen: "127.0.0.1:0", Version: version(), Shim: shim, Sites: sites,
		Replay: &house.Replay{From: demoFrom, Rate: 1}, Log: slog.New(slog.NewTextHandler(b.out, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return r, err
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(serving) }()
	b.url, b.token = h.URL, h.Token.Reveal()
	c := &clusy.Client{URL: b.url, Token: b.token}
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if all, err := c.Sites(ctx); err == nil && len(all.Items) == len(sites) {
			break
		}
		if time.Since(start) > time.Minute || ctx.Err() != nil {
			stop()
			return r, errors.Join(errors.New("the sites of the benchmark did not register in a minute"), ctx.Err(), <-ended)
		}
	}
	err = b.measure(serving, &r)
	stop()
	return r, errors.Join(err, <-ended)
}

// sitesIn returns a site in each of n zones, those with bundled data first.
func sitesIn(ctx context.Context, n int) ([]house.Site, error) {
	p, err := bundled.Provider()
	if err != nil {
		return nil, err
	}
	zones, err := p.Zones(ctx)
	if err != nil {
		return nil, err
	}
	annual, err := bundled.Annual()
	if err != nil {
		return nil, err
	}
	for _, a := range annual {
		if !slices.Contains(zones, a.Zone) {
			zones = append(zones, a.Zone)
		}
	}
	var sites []house.Site
	for _, z := range zones[:min(n, len(zones))] {
		sites = append(sites, house.Site{ID: "at-" + strings.ToLower(string(z)), Zone: z, CPUs: 8})
	}
	return sites, nil
}

// sdkAsk is one request: which door, where to, and a body if it has one.
type sdkAsk struct{ door, path, body string }

// asks returns the requests to send, in turn. Places of which nothing is measured
// are left out where the answer would say only that.
func (b *benchSDK) asks(ctx context.Context, c *http.Client, r *sdkResult) ([]sdkAsk, error) {
	var locations map[string]struct {
		Zone grid.Zone `json:"zone"`
	}
	now, err := (&clusy.Client{URL: b.url, Token: b.token}).Status(ctx)
	if err != nil {
		return nil, err
	}
	status, text, err := b.send(ctx, c, sdkAsk{path: "/locations"})
	if err != nil || status != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("GET /locations answers %d: %.200s", status, text), err)
	}
	if err := json.Unmarshal(text, &locations); err != nil {
		return nil, fmt.Errorf("GET /locations: %w", err)
	}
	names := slices.Sorted(maps.Keys(locations))
	zones := map[grid.Zone]bool{}
	for _, l := range locations {
		zones[l.Zone] = true
	}
	r.Zones = len(zones)
	at := func(d time.Duration) string { return url.QueryEscape(now.Now.Add(d).UTC().Format(time.RFC3339)) }
	day := "&startTime=" + at(-26*time.Hour) + "&endTime=" + at(-2*time.Hour)
	var measured []string
	for _, n := range names {
		if status, _, err := b.send(ctx, c, sdkAsk{path: "/emissions/average-carbon-intensity?location=" + url.QueryEscape(n) + day}); err == nil && status == http.StatusOK {
			measured = append(measured, n)
		}
	}
	known := len(measured) > 0
	if !known {
		measured = names[:1]
	}
	var out []sdkAsk
	for i := range max(100, 10*len(names)) {
		place, some := url.QueryEscape(names[i/10%len(names)]), url.QueryEscape(measured[i/10%len(measured)])
		kind := i % 10
		if kind == 7 && !known {
			kind = 0 // the mean of a day of which nothing is measured is an error
		}
		switch kind {
		default:
			out = append(out, sdkAsk{"GET /emissions/forecasts/current", fmt.Sprintf("/emissions/forecasts/current?location=%s&windowSize=%d", place, 30*(i%12)), ""})
		case 1, 6:
			out = append(out, sdkAsk{"GET /emissions/bylocation", "/emissions/bylocation?location=" + some, ""})
		case 3:
			q := "/emissions/bylocations/best?time=" + at(-24*time.Hour) + "&toTime=" + at(0)
			for j := range min(10, len(measured)) {
				q += "&location=" + url.QueryEscape(measured[(i/10+j)%len(measured)])
			}
			out = append(out, sdkAsk{"GET /emissions/bylocations/best", q, ""})
		case 7:
			out = append(out, sdkAsk{"GET /emissions/average-carbon-intensity", "/emissions/average-carbon-intensity?location=" + some + day, ""})
		case 9:
			body, _ := json.Marshal([]map[string]any{{"location": names[i/10%len(names)], "requestedAt": now.Now, "windowSize": 60}})
			out = append(out, sdkAsk{"POST /emissions/forecasts/batch", "/emissions/forecasts/batch", string(body)})
		}
	}
	return out, nil
}

func (b *benchSDK) send(ctx context.Context, c *http.Client, a sdkAsk) (int, []byte, error) {
	method := "GET"
	if a.body != "" {
		method = "POST"
	}
	req, err := http.NewRequestWithContext(ctx, method, b.url+a.path, strings.NewReader(a.body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(res.Body)
	return res.StatusCode, text.Bytes(), err
}

// measure sends requests at the rate and times each from when it was due.
func (b *benchSDK) measure(ctx context.Context, r *sdkResult) error {
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256}}
	defer c.CloseIdleConnections()
	asks, err := b.asks(ctx, c, r)
	if err != nil {
		return err
	}
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var (
		mu   sync.Mutex
		took = map[string][]time.Duration{}
		wait sync.WaitGroup
	)
	begin, cpu := time.Now(), cpuTime()
	n := int(b.last.Seconds() * float64(b.rate))
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(b.rate))
		if pause := time.Until(due); pause > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
		}
		a := asks[i%len(asks)]
		wait.Go(func() {
			status, _, err := b.send(ctx, c, a)
			d := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			took[a.door] = append(took[a.door], d)
			switch {
			case err != nil:
				r.Errors[err.Error()]++
			case status != http.StatusOK && status != http.StatusNoContent:
				r.Errors[fmt.Sprintf("%d from %s", status, a.door)]++
			}
		})
	}
	wait.Wait()
	r.Sent, r.Seconds, r.CPU = n, time.Since(begin).Seconds(), (cpuTime() - cpu).Seconds()
	var all []time.Duration
	for _, door := range slices.Sorted(maps.Keys(took)) {
		all = append(all, took[door]...)
		r.Doors = append(r.Doors, latencyOf(door, took[door]))
	}
	r.All = latencyOf("all", all)
	r.OK = len(r.Errors) == 0
	return nil
}
