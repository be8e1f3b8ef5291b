package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/house"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine, with nothing left out",
	}
	cmd.AddCommand(benchSubmitCommand(), benchSDKCommand(), benchSignalsCommand(), benchPlanCommand(), benchSeedCommand())
	return cmd
}

// benchSubmit says what is to be measured.
type benchSubmit struct {
	clients int
	count   int
	last    time.Duration
	shapes  string
	lists   int
	keep    string
	out     io.Writer // progress
	token   string
	url     string
	profile string
}

func benchSubmitCommand() *cobra.Command {
	var b benchSubmit
	cmd := &cobra.Command{
		Use:   "submit",
		Short: "Measure how many intents a server admits in a second",
		Long: `Measure how many intents a server admits in a second.

Without --url it brings its own server, and everything about that server is
real: HTTP on loopback with a token in each request, SQLite on disk with
synchronous=FULL, a plan for each intent beside all that is promised, signed
events in the log, the control loop, and four sites in four grid zones whose
agents sync, accept and hold what they are offered. The clients run in the same
process, so that their share of the machine is in the figures.

Two things are made easy. The sites have processors and memory without limit,
though like any site they are promised 384 workloads at once: after ten thousand
or so they are full, and refusals are counted. And no work is due before an hour
from now, so that no program runs while it measures; each client sends intents
that were sealed beforehand, which in real life costs the client a millisecond
each.

At the end every intent that was answered for is looked for: in the store, with
its event, and the log is verified as by clusy ledger verify. If one is
missing, the exit code is 1 and there are no figures to believe.

With --url, the server named is measured, as far as a client can: intents are
really submitted there.`,
		Example: "clusy bench submit\nclusy bench submit --clients 16 --for 30s --shapes rigid\nclusy bench submit --count 10000 --keep /tmp/ten-thousand",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.clients < 1 || b.count < 0 || b.last < 0 {
				return usage("--clients, --count and --for must be more than 0")
			}
			if b.count == 0 && b.last == 0 {
				b.last = 10 * time.Second
			}
			if _, ok := mixes[b.shapes]; !ok {
				return usage("--shapes %q: give mix, rigid, pausing or rules", b.shapes)
			}
			if b.url, _ = cmd.Flags().GetString("url"); b.url != "" {
				c, err := connect(cmd)
				if err != nil {
					return err
				}
				if b.keep != "" {
					return usage("--keep is for a server of the benchmark's own; leave out --url")
				}
				b.token = c.Token
			}
			b.out = cmd.ErrOrStderr()
			r, err := b.run(cmd.Context())
			if err != nil {
				return err
			}
			if err := print(cmd, r, func(w io.Writer) error { return r.show(w) }); err != nil {
				return err
			}
			if r.Wrong != "" {
				return exitStatus(exitError)
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&b.clients, "clients", 64, "clients that submit at the same time, each waiting for its answer")
	fl.IntVar(&b.count, "count", 0, "how many intents to submit")
	fl.DurationVar(&b.last, "for", 0, "how long to submit, instead of --count (default 10s)")
	fl.StringVar(&b.shapes, "shapes", "mix", "mix, rigid, pausing (freely), rules (pauses that have a price)")
	fl.IntVar(&b.lists, "lists", 20, "pages of 500 workloads to list afterwards")
	fl.StringVar(&b.profile, "cpuprofile", "", "file for a profile of the processor while it measures")
	_ = fl.MarkHidden("cpuprofile")
	fl.StringVar(&b.keep, "keep", "", "directory to keep the server's data in, and to go on from (default: a temporary one)")
	return cmd
}

// benchResult is what came of it.
type benchResult struct {
	OK       bool           `json:"ok"`
	Wrong    string         `json:"wrong,omitempty"` // what was lost, if anything was
	Clients  int            `json:"clients"`
	Shapes   string         `json:"shapes"`
	Admitted int            `json:"admitted"`
	Refused  int            `json:"refused"`
	Errors   map[string]int `json:"errors"`
	Seconds  float64        `json:"seconds"`
	Rate     float64        `json:"submitsPerSecond"`
	P50      float64        `json:"p50Milliseconds"`
	P90      float64        `json:"p90Milliseconds"`
	P99      float64        `json:"p99Milliseconds"`
	Max      float64        `json:"maxMilliseconds"`
	CPU      float64        `json:"cpuSeconds,omitempty"` // of the process, server and clients
	Before   int            `json:"openBefore"`
	Open     int            `json:"openAfter"`
	List50   float64        `json:"list500P50Milliseconds,omitempty"`
	List99   float64        `json:"list500MaxMilliseconds,omitempty"`
	Leaves   int64          `json:"leaves,omitempty"`
	Machine  string         `json:"machine"`
	Version  string         `json:"version"`
	Server   string         `json:"server"`
}

func (r benchResult) show(w io.Writer) error {
	fmt.Fprintf(w, "%s submits a second · %d admitted in %.1f s by %d clients, shapes %s\n", paint(w, bold, fmt.Sprintf("%.0f", r.Rate)), r.Admitted, r.Seconds, r.Clients, r.Shapes)
	fmt.Fprintf(w, "latency  p50 %.1f ms · p90 %.1f ms · p99 %.1f ms · max %.1f ms\n", r.P50, r.P90, r.P99, r.Max)
	if r.CPU > 0 {
		fmt.Fprintf(w, "CPU      %.1f s, server and clients: %.2f ms for each admission\n", r.CPU, 1000*r.CPU/float64(max(r.Admitted, 1)))
	}
	fmt.Fprintf(w, "open     %d workloads before, %d after\n", r.Before, r.Open)
	if r.List50 > 0 {
		fmt.Fprintf(w, "list     500 workloads: p50 %.1f ms, max %.1f ms\n", r.List50, r.List99)
	}
	fmt.Fprintf(w, "refused  %d\n", r.Refused)
	for _, kind := range slices.Sorted(keysOf(r.Errors)) {
		fmt.Fprintf(w, "error    %d × %s\n", r.Errors[kind], kind)
	}
	fmt.Fprintf(w, "machine  %s · clusy %s · %s\n", r.Machine, r.Version, r.Server)
	switch {
	case r.Wrong != "":
		fmt.Fprintf(w, "%s %s\n", paint(w, red, "✗ work was lost:"), r.Wrong)
	case r.Leaves > 0:
		fmt.Fprintf(w, "%s every admission is in the store with its event; %d leaves verified\n", paint(w, green, "✓"), r.Leaves)
	default:
		fmt.Fprintf(w, "%s every admission is in the server's list\n", paint(w, green, "✓"))
	}
	return nil
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// benchSites are the sites of the benchmark's own server: the zones of four
// grids, with more room than anything needs.
var benchSites = []house.Site{
	{ID: "berlin", Zone: "DE-LU", CPUs: 900_000, PUE: 1.2}, {ID: "madrid", Zone: "ES", CPUs: 900_000, PUE: 1.3},
	{ID: "paris", Zone: "FR", CPUs: 900_000, PUE: 1.1}, {ID: "fresno", Zone: "US-CAL-CISO", CPUs: 900_000, PUE: 1.25},
}

// run measures, and then looks for everything that was answered for.
func (b *benchSubmit) run(ctx context.Context) (r benchResult, err error) {
	r = benchResult{Clients: b.clients, Shapes: b.shapes, Errors: map[string]int{}, Version: versionWithCommit(),
		Machine: fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	var ids []string
	if b.url != "" {
		r.Server = b.url
		if ids, err = b.measure(ctx, &r); err == nil {
			err = b.lookUp(ctx, &r, ids)
		}
		return r, err
	}
	dir := b.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "clusy-bench-"); err != nil {
			return r, fmt.Errorf("make a directory for the benchmark: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	r.Server = "a server of its own: SQLite, synchronous=FULL"
	collectLess()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	h, err := house.Open(serving, house.Config{Dir: dir, Listen: "127.0.0.1:0", Version: version(), Shim: shim, Sites: benchSites,
		Log: slog.New(slog.NewTextHandler(b.out, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return r, err
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(serving) }()
	b.url, b.token = h.URL, h.Token.Reveal()
	ids, err = b.measure(serving, &r)
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		return r, err
	}
	return r, b.audit(context.WithoutCancel(ctx), &r, dir, ids)
}

func versionWithCommit() string {
	v := version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:12]) {
				v += " " + s.Value[:12]
			}
		}
	}
	return v
}

// client returns a client that keeps its connections.
func (b *benchSubmit) client() *clusy.Client {
	return &clusy.Client{URL: b.url, Token: b.token, HTTP: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConns: b.clients, MaxIdleConnsPerHost: b.clients},
	}}
}

// measure submits as long or as much as it should, and returns the ids of the
// workloads that were admitted.
func (b *benchSubmit) measure(ctx context.Context, r *benchResult) (ids []string, err error) {
	c := b.client()
	defer c.HTTP.CloseIdleConnections()
	if err := untilReady(ctx, c); err != nil {
		return nil, err
	}
	subs, err := b.prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	if r.Before, err = openAt(ctx, c); err != nil {
		return nil, err
	}
	var (
		wait    sync.WaitGroup
		sent    atomic.Int64
		done    atomic.Int64
		mu      sync.Mutex
		all     []time.Duration
		series  = fmt.Sprintf("bench-%d-", time.Now().UnixNano())
		begin   = time.Now()
		cpu     = cpuTime()
		shown   = make(chan struct{})
		deadend atomic.Int64 // errors that no repetition mends
	)
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
	}
	go b.progress(begin, &done, shown)
	for range b.clients {
		wait.Go(func() {
			var took []time.Duration
			var mine []string
			refused, errs := 0, map[string]int{}
			for ctx.Err() == nil && deadend.Load() < 100 {
				n := sent.Add(1)
				if b.count > 0 && n > int64(b.count) || b.count == 0 && time.Since(begin) >= b.last {
					break
				}
				start := time.Now()
				w, err := c.Submit(ctx, fmt.Sprint(series, n), subs[int(n)%len(subs)])
				var p *clusy.Problem
				switch {
				case err == nil:
					took, mine = append(took, time.Since(start)), append(mine, w.ID)
					done.Add(1)
				case errors.As(err, &p) && p.Type == "https://clusy.io/problems/"+string(problem.Infeasible):
					refused++
				case errors.As(err, &p):
					errs[fmt.Sprintf("%d %s", p.Status, p.Title)]++
					deadend.Add(1)
				case ctx.Err() == nil:
					errs[err.Error()]++
					deadend.Add(1)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all, ids, r.Refused = append(all, took...), append(ids, mine...), r.Refused+refused
			for k, n := range errs {
				r.Errors[k] += n
			}
		})
	}
	wait.Wait()
	pprof.StopCPUProfile()
	r.Seconds, r.CPU = time.Since(begin).Seconds(), (cpuTime() - cpu).Seconds()
	close(shown)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	slices.Sort(all)
	r.Admitted, r.Rate = len(all), float64(len(all))/r.Seconds
	r.P50, r.P90, r.P99, r.Max = quantile(all, 0.5), quantile(all, 0.9), quantile(all, 0.99), quantile(all, 1)
	if r.Open, err = openAt(ctx, c); err != nil {
		return nil, err
	}
	return ids, b.list(ctx, c, r)
}

// list measures pages of workloads, newest first and further and further back.
func (b *benchSubmit) list(ctx context.Context, c *clusy.Client, r *benchResult) error {
	var took []time.Duration
	cursor := ""
	for range b.lists {
		start := time.Now()
		p, err := c.Workloads(ctx, nil, cursor, 500)
		if err != nil {
			return err
		}
		if len(p.Items) == 500 {
			took = append(took, time.Since(start))
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	slices.Sort(took)
	r.List50, r.List99 = quantile(took, 0.5), quantile(took, 1)
	return nil
}

// quantile returns a quantile of sorted times, in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := min(int(q*float64(len(sorted))), len(sorted)-1)
	return float64(sorted[i].Microseconds()) / 1000
}

func (b *benchSubmit) progress(begin time.Time, done *atomic.Int64, end chan struct{}) {
	if !colour(b.out) {
		return
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	last, at := int64(0), begin
	for {
		select {
		case <-end:
			fmt.Fprint(b.out, "\r\x1b[K")
			return
		case now := <-tick.C:
			n := done.Load()
			fmt.Fprintf(b.out, "\r\x1b[K%6d admitted · %5.0f a second · %3.0f s", n, float64(n-last)/now.Sub(at).Seconds(), now.Sub(begin).Seconds())
			last, at = n, now
		}
	}
}

// untilReady waits until all sites have registered.
func untilReady(ctx context.Context, c *clusy.Client) error {
	for start := time.Now(); ; {
		sites, err := c.Sites(ctx)
		if err == nil && len(sites.Items) > 0 && (len(sites.Items) >= len(benchSites) || time.Since(start) > time.Second) {
			return nil
		}
		if time.Since(start) > 20*time.Second {
			return errors.Join(errors.New("no site registered in 20 s"), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// openAt counts the open workloads of a server.
func openAt(ctx context.Context, c *clusy.Client) (n int, err error) {
	var open []string
	for _, s := range workload.States() {
		if !s.Terminal() {
			open = append(open, string(s))
		}
	}
	for cursor := ""; ; {
		p, err := c.Workloads(ctx, open, cursor, 500)
		if err != nil {
			return n, err
		}
		n += len(p.Items)
		if cursor = p.Next; cursor == "" {
			return n, nil
		}
	}
}

// mixes are the kinds of work: of ten, so many rigid ones, so many that pause
// freely, and so many whose pauses have a price and rules.
var mixes = map[string][3]int{"mix": {8, 2, 0}, "rigid": {10, 0, 0}, "pausing": {0, 10, 0}, "rules": {0, 0, 10}}

// prepare seals a hundred intents of the kinds that are asked for.
func (b *benchSubmit) prepare(ctx context.Context, c *clusy.Client) ([]clusy.Submission, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	key, err := enclaveKey(ctx, c)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	mix := mixes[b.shapes]
	var out []clusy.Submission
	for i := range 100 {
		in, err := intent.Parse([]byte(benchIntent(r, mix, i)), "bench.yaml", st.Now)
		if err != nil {
			return nil, fmt.Errorf("make an intent for the benchmark: %w", err)
		}
		shape, err := intent.Blind(in, st.Now)
		if err != nil {
			return nil, fmt.Errorf("make an intent for the benchmark: %w", err)
		}
		sealed, err := intent.Seal(in, key)
		if err != nil {
			return nil, err
		}
		out = append(out, clusy.Submission{Shape: wire.ShapeOut(shape), Sealed: sealed, Enclave: intent.KeyID(key)})
	}
	return out, nil
}

func benchIntent(r *rand.Rand, mix [3]int, i int) string {
	minutes := 30 + 15*r.IntN(14)
	after := 65 + 10*r.IntN(60) // nothing is due before an hour
	by := after + 2*minutes + 60*r.IntN(24)
	rules := ""
	switch k := i % 10; {
	case k >= mix[0]+mix[1]:
		rules = "\n  interruptible: {overhead: 4m, minRun: 30m, maxSuspensions: 3}"
	case k >= mix[0]:
		rules = "\n  interruptible: true"
	}
	where := []string{"", "where: {allow: [DE-LU]}\n", "where: {allow: [berlin, paris]}\n", "where: {prefer: [madrid]}\n"}[r.IntN(4)]
	return fmt.Sprintf(`apiVersion: clusy.io/v1
kind: Intent
run: {exec: ["true"]}
shape:
  duration: {expected: %dm, p95: %dm, max: %dm}
  power: %dW
  resources: {cpus: %d}%s
when: {notBefore: +%dm, completeBy: +%dm}
%s`, minutes, minutes+minutes/10, 2*minutes, 100+100*r.IntN(20), 1+r.IntN(8), rules, after, by, where)
}

// lookUp looks for every admission in the server's list.
func (b *benchSubmit) lookUp(ctx context.Context, r *benchResult, ids []string) error {
	c := b.client()
	want := map[string]bool{}
	for _, id := range ids {
		want[id] = true
	}
	for cursor := ""; len(want) > 0; {
		p, err := c.Workloads(ctx, nil, cursor, 500)
		if err != nil {
			return err
		}
		for _, w := range p.Items {
			delete(want, w.ID)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	r.judge(len(ids), len(want), 0, "")
	return nil
}

// judge says whether what was answered for is there.
func (r *benchResult) judge(answered, missing, silent int, fault string) {
	switch {
	case fault != "":
		r.Wrong = fault
	case missing > 0:
		r.Wrong = fmt.Sprintf("%d of %d admissions are not there", missing, answered)
	case silent > 0:
		r.Wrong = fmt.Sprintf("%d of %d admissions have no event", silent, answered)
	}
	r.OK = r.Wrong == ""
}

// audit looks for every admission in the store, for its event in the log, and
// verifies the log.
func (b *benchSubmit) audit(ctx context.Context, r *benchResult, dir string, ids []string) error {
	v, err := verify(ctx, dir)
	if err != nil {
		return err
	}
	r.Leaves = v.Size
	db, err := store.OpenReadOnly(ctx, filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	defer db.Close()
	stored, born := map[string]bool{}, map[string]bool{}
	err = db.System().View(ctx, func(tx store.SystemTx) error {
		states, err := tx.States()
		if err != nil {
			return err
		}
		for _, s := range states {
			if s.Object == workload.ObjectWorkload {
				stored[s.ID] = true
			}
		}
		for from := int64(0); ; {
			ts, err := tx.Transitions(from)
			if err != nil || len(ts) == 0 {
				return err
			}
			for _, t := range ts {
				if t.Object == workload.ObjectWorkload && t.From == "" {
					born[t.ID] = true
				}
			}
			from = ts[len(ts)-1].Index + 1
		}
	})
	if err != nil {
		return err
	}
	missing, silent := 0, 0
	for _, id := range ids {
		if !stored[id] {
			missing++
		}
		if !born[id] {
			silent++
		}
	}
	fault := v.Problem
	if fault == "" && len(stored) != len(born) {
		fault = fmt.Sprintf("the store has %d workloads, the log the births of %d", len(stored), len(born))
	}
	r.judge(len(ids), missing, silent, fault)
	return nil
}
