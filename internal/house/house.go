// Package house introduces the rooms to one another, once, for every way in
// which Clusy runs: serve, demo, tests. It owns nothing and decides nothing.
package house

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/agent"
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/authn"
	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/reconcile"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/signal/provider"
	"clusy.io/clusy/internal/signal/tables"
	"clusy.io/clusy/internal/store"
)

// Config says what is to run.
type Config struct {
	Dir    string // everything at rest is below it
	Listen string // host:port; only loopback without TLS
	// Database is the address of a PostgreSQL database that other replicas may
	// share; "": a file below Dir that is this process's own.
	Database secret.Secret
	Keys     string // directory of the keys; "": below Dir
	Sites    []Site
	Replay   *Replay // nil: real time and no bundled trace
	Signals  []signal.Provider
	Sources  []provider.Declaration // live ones, after those; the most trusted first
	Tables   *tables.Tables         // nil: those that ship
	Version  string
	Shim     []string // argv of the shim
	Log      *slog.Logger
	// Expect lets plans leave clean hours to work that is expected, by what was
	// submitted in the weeks before.
	Expect bool
	// OpenSignals lets programs on this machine read carbon intensities by the
	// Carbon Aware SDK's API without a token.
	OpenSignals bool
	// NewAdmin makes another admin token, for those who lost the first one.
	NewAdmin bool
}

// Site is a site of the all-in-one server: this machine, said to draw its
// power in some zone.
type Site struct {
	ID    string
	Zone  grid.Zone
	CPUs  float64
	GPUs  []clusy.GPUs
	Slots int64 // 0: not limited
	PUE   float64
}

// Replay runs the house on a stretch of the bundled data, in fast time.
type Replay struct {
	From time.Time
	Rate float64
}

// tenant is the one that a single machine serves until it is told of others.
const tenant access.Tenant = "default"

// House is everything that runs in one process.
type House struct {
	URL   string
	Clock Clock
	// Admin is the token of the first admin, only where it was made just now:
	// it is not kept.
	Admin secret.Secret
	// Token is a token of the house's own, for the commands that bring their
	// server with them. It ends with the process.
	Token secret.Secret

	cfg      Config
	db       store.DB
	bell     *bell
	listener net.Listener
	pipe     *pipe
	server   *http.Server
	loop     *reconcile.Loop
	dial     *dial.Exchange
	pollers  []*signal.Poller // one for each basis, that of the plans first
	agents   []*agent.Agent
	carry    func(context.Context) error // looks through the post of the replicas; nil: there are none
	wake     chan struct{}
	sessions sessions
	stopping chan struct{} // closed when streams are to end
}

// Open makes or finds everything at rest in cfg.Dir and listens. Nothing runs
// before Run.
func Open(ctx context.Context, cfg Config) (*House, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := loopback(cfg.Listen); err != nil {
		return nil, err
	}
	h := &House{cfg: cfg, bell: newBell(), pipe: newPipe(), wake: make(chan struct{}, 1), stopping: make(chan struct{})}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if r := cfg.Replay; r != nil {
		c, err := replayClock(cfg.Dir, Clock{Epoch: r.From, Began: time.Now(), Speed: r.Rate})
		if err != nil {
			return nil, err
		}
		h.Clock = c
	}
	keys, err := openKeys(cmp.Or(cfg.Keys, filepath.Join(cfg.Dir, "keys")), cfg.Replay != nil)
	if err != nil {
		return nil, err
	}
	db, err := h.openStore(ctx, keys)
	if err != nil {
		return nil, err
	}
	h.db = db
	h.sessions = sessions{h, &authn.Links{Now: time.Now}, authn.Cached(tokens{db}, time.Now)}
	if err := h.furnish(ctx, keys); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return h, nil
}

// openStore opens the database that was named, or the one in the data directory.
func (h *House) openStore(ctx context.Context, keys keys) (store.DB, error) {
	o := store.Options{Dir: filepath.Join(h.cfg.Dir, "store"), Origin: keys.origin, Signer: keys.signer, Now: h.Clock.Now}
	if h.cfg.Database == "" {
		return store.Open(ctx, o)
	}
	if h.cfg.Replay != nil {
		return nil, errors.New("a replay has a clock of its own, and a database that others share has another: leave --database out")
	}
	return store.OpenPostgres(ctx, h.cfg.Database, o)
}

// loopback refuses an address that others could reach: what is said there is
// not encrypted.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q is not host:port; write 127.0.0.1:8400", address)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen address %q is not loopback, and anything else needs TLS, which this version does not serve: write 127.0.0.1:8400, and put a TLS proxy or an SSH tunnel in front of it", address)
}

func (h *House) furnish(ctx context.Context, keys keys) (err error) {
	cfg, clock := h.cfg, h.Clock
	if h.Admin, h.Token, err = h.bootstrap(ctx); err != nil {
		return err
	}
	if h.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	h.URL = "http://" + h.listener.Addr().String()

	// Signals: given ones before the bundled, which a replay alone may use as
	// if they were measured now.
	known := cfg.Tables
	if known == nil {
		if known, err = tables.Embedded(); err != nil {
			return err
		}
	}
	climatology, err := bundled.ClimatologyOf(known)
	if err != nil {
		return err
	}
	annual := bundled.AnnualOf(known)
	providers := slices.Clone(cfg.Signals)
	if h.dial, err = dial.New(dial.Options{Version: cfg.Version}); err != nil {
		return err
	}
	var pricers []signal.Pricer
	for i, d := range cfg.Sources {
		opened, err := provider.Open(d, provider.Deps{Dial: h.dial, Tables: cfg.Tables})
		if err != nil {
			return fmt.Errorf("source %d (%s): %w", i+1, d.Kind, err)
		}
		if opened.Provider != nil {
			providers = append(providers, opened.Provider)
		}
		if opened.Pricer != nil {
			pricers = append(pricers, opened.Pricer)
		}
	}
	if cfg.Replay != nil {
		p, err := bundled.Provider()
		if err != nil {
			return err
		}
		providers = append(providers, p)
	}
	h.pollers = pollers(providers, cfg.Sites, sink{h.db}, climatology, annual, cfg.Log)
	h.pollers[0].Pricers = pricers

	// The margin is real time that starting takes; a replay's clock runs on
	// meanwhile.
	rules := plan.Rules{Step: 5 * time.Minute, Horizon: 72 * time.Hour, Margin: max(time.Minute, clock.Scaled(time.Second))}
	h.loop = &reconcile.Loop{
		Store: loopStore{h.db, h.bell}, Rules: rules, Log: cfg.Log, Now: clock.Now, NewID: newID, Wake: h.wake, Every: every(clock),
		TTL: leaseFor(cfg), OfferFor: clock.Scaled(90 * time.Second), Silence: clock.Scaled(2 * time.Minute), Patience: 24 * time.Hour, Holder: holder(), Expect: cfg.Expect,
	}
	server := &api.Server{
		Store: apiStore{h.db, h.bell}, Syncer: h.loop, Zones: zones{annual, h.pollers, h.dial}, Places: placesOf(known, annual, zonesOf(cfg.Sites)), Rules: rules, Now: clock.Now, NewID: newID,
		Version: cfg.Version, Origin: keys.origin, LogKey: keys.public, Demo: cfg.Replay != nil, Rate: clock.Rate(), Log: cfg.Log,
		Silence: h.loop.Silence, Changed: h.bell.next, Wake: h.nudge, Stopping: h.stopping,
		Sessions: h.sessions, Cookie: cookieOf(h.listener, false), Ends: clock.Ends, OpenSignals: cfg.OpenSignals,
	}
	if cfg.Database != "" {
		server.Post = post{h.db, clock}
		h.carry = server.Carry
	}
	front, err := h.front(server, server.Cookie.Name)
	if err != nil {
		return err
	}
	h.server = &http.Server{
		Handler:           front,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
	for _, s := range cfg.Sites {
		a, err := h.agentFor(ctx, s, keys.enclave)
		if err != nil {
			return err
		}
		h.agents = append(h.agents, a)
	}
	return nil
}

// holder names this incarnation of this process, so that people can find it.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), newID())
}

// leaseFor is how long a lead lasts that is not renewed: 0 where the store is one
// process's own.
func leaseFor(cfg Config) time.Duration {
	if cfg.Database == "" {
		return 0
	}
	return 3 * time.Second
}

// every is how often the control loop goes around without being woken. A
// replay's forecasts change every few seconds.
func every(c Clock) time.Duration {
	if c.Rate() > 1 {
		return 200 * time.Millisecond
	}
	return 5 * time.Second
}

// plain has no answer of the API kept anywhere.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Run serves until ctx ends, then lets go of everything. Work that runs then
// runs on, and is found again by the next Run.
func (h *House) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	errs := make(chan error, 4+len(h.agents))
	run := func(name string, f func(context.Context) error) {
		parts.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				errs <- fmt.Errorf("%s: %w", name, err)
				stop()
			}
		})
	}
	// Signals come first: a plan without them would be made twice.
	if err := h.lookAround(ctx, h.Clock.Now()); err != nil && ctx.Err() == nil {
		h.cfg.Log.Error("first look at the signals failed", "err", err)
	}
	if h.loop.TTL == 0 { // nobody else can lead: what is due need not wait for a lease
		if err := h.loop.Lead(ctx); err != nil && ctx.Err() == nil {
			return errors.Join(err, h.close())
		}
	}
	run("serve", func(context.Context) error { return serve(h.server, h.listener) })
	run("serve agents", func(context.Context) error { return serve(h.server, h.pipe) })
	run("control loop", h.loop.Run)
	run("signals", h.poll)
	if h.carry != nil {
		run("other replicas", h.listen)
		run("questions of other replicas", h.post)
	}
	for _, a := range h.agents {
		run("agent of "+a.Site, a.Run)
	}
	<-ctx.Done()
	// Streams are told to end, and long polls end with their agents; the rest gets a moment to finish.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	close(h.stopping)
	if err := h.server.Shutdown(grace); err != nil {
		_ = h.server.Close()
	}
	_ = h.pipe.Close()
	parts.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(append(all, h.close())...)
}

// StopWork stops every program that the house's own agents have started. It is
// for demonstrations: a server leaves its work running when it stops.
func (h *House) StopWork(ctx context.Context) {
	for _, a := range h.agents {
		names, err := a.Executor.List(ctx)
		if err != nil {
			h.cfg.Log.Error("list what runs", "site", a.Site, "err", err)
		}
		for _, name := range names {
			if err := a.Executor.Stop(ctx, name, 0, "the demonstration was given up"); err != nil {
				h.cfg.Log.Error("stop what runs", "task", name, "err", err)
			}
		}
	}
}

// What is kept no longer than this: a key that may be sent again, and a series
// that nothing on record refers to.
const (
	keepKeys      = 7 * 24 * time.Hour
	keepMeasured  = 60 * 24 * time.Hour
	keepForecasts = 35 * 24 * time.Hour
)

func (h *House) prune(ctx context.Context, now time.Time) error {
	return h.db.System().Update(ctx, func(tx store.SystemTx) error {
		if _, err := tx.PruneIdempotent(now.Add(-keepKeys)); err != nil {
			return err
		}
		measured, expected := now.Add(-keepMeasured), now.Add(-keepForecasts)
		_, err := tx.PruneSignals(store.Retention{Measured: measured, Prices: measured, Forecasts: expected, Issued: expected})
		return err
	})
}

func (h *House) close() error { return h.db.Close() }

func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// pollers returns a poller for each basis that the providers have, that of the
// plans first: two bases are two sets of signals that never meet.
func pollers(providers []signal.Provider, sites []Site, in signal.Sink, clim forecast.Climatology, annual []signal.AnnualMean, log *slog.Logger) []*signal.Poller {
	of := map[grid.Basis][]signal.Provider{}
	bases := []grid.Basis{grid.AverageLifecycle}
	for _, p := range providers {
		b := signal.BasisOf(p)
		if of[b] = append(of[b], p); !slices.Contains(bases, b) {
			bases = append(bases, b)
		}
	}
	var all []*signal.Poller
	for _, b := range bases {
		all = append(all, &signal.Poller{
			Providers: of[b], Sink: in, Climatology: clim, Annual: annual, Basis: b, Log: log,
			Wanted: func(context.Context) ([]grid.Zone, error) { return zonesOf(sites), nil },
		})
	}
	return all
}

// lookAround has every poller step.
func (h *House) lookAround(ctx context.Context, now time.Time) error {
	var errs []error
	for _, p := range h.pollers {
		errs = append(errs, p.Step(ctx, now))
	}
	return errors.Join(errs...)
}

// poll steps the poller in the house's own time.
func (h *House) poll(ctx context.Context) error {
	pause := time.Minute
	if h.Clock.Rate() > 1 {
		pause = max(50*time.Millisecond, time.Duration(float64(10*time.Minute)/h.Clock.Rate()))
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var pruned time.Time
	for {
		now := h.Clock.Now()
		if !h.loop.Leading() {
			// One replica asks the providers; what it is told is in the store.
			if !pauseFor(ctx, time.Second) {
				return nil
			}
			continue
		}
		if err := h.lookAround(ctx, now); err != nil && ctx.Err() == nil {
			h.cfg.Log.Error("signals", "err", err)
		}
		if now.Sub(pruned) > 6*time.Hour {
			pruned = now
			if err := h.prune(ctx, now); err != nil && ctx.Err() == nil {
				h.cfg.Log.Error("prune", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// listen rings the bell for what other replicas have put on record.
func (h *House) listen(ctx context.Context) error {
	var seen int64
	for pauseFor(ctx, 200*time.Millisecond) {
		var size int64
		err := h.db.System().View(ctx, func(tx store.SystemTx) (err error) {
			size, err = tx.LogSize()
			return err
		})
		if err == nil && size != seen {
			seen = size
			h.bell.ring()
			h.nudge()
		}
	}
	return nil
}

// post carries questions and replies between the replicas.
func (h *House) post(ctx context.Context) error {
	for pauseFor(ctx, 200*time.Millisecond) {
		if err := h.carry(ctx); err != nil && ctx.Err() == nil {
			h.cfg.Log.Warn("questions of other replicas", "err", err)
		}
	}
	return nil
}

// nudge has the control loop go around soon.
func (h *House) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// bootstrap makes the first admin's token, and the house's own.
func (h *House) bootstrap(ctx context.Context) (admin, own secret.Secret, err error) {
	err = h.db.System().Update(ctx, func(tx store.SystemTx) error {
		all, err := tx.Tokens()
		if err != nil {
			return err
		}
		if len(all) == 0 || h.cfg.NewAdmin {
			if admin, err = h.newToken(tx, access.Admin, "token:admin-", "", 365*24*time.Hour); err != nil {
				return err
			}
		}
		own, err = h.newToken(tx, access.Operator, "token:house-", "", 24*time.Hour)
		return err
	})
	return admin, own, err
}

// newToken makes a token and keeps its hash. Grants end by real time, also in
// a replay.
func (h *House) newToken(tx store.SystemTx, role access.Role, prefix, site string, lives time.Duration) (secret.Secret, error) {
	t, err := authn.NewToken(rand.Reader)
	if err != nil {
		return "", err
	}
	hash, _ := authn.Hash(t)
	id := rand.Text()[:8]
	now := time.Now().UTC().Truncate(time.Microsecond)
	holder := access.Principal(prefix + strings.ToLower(id))
	if site != "" {
		holder = access.Principal("site:" + site)
	}
	return t, tx.PutToken(access.Token{
		ID: "tok_" + strings.ToLower(id), Hash: hash, Created: now,
		Grant: access.Grant{Holder: holder, Role: role, Tenant: tenant, Site: site, From: now, Until: now.Add(lives)},
	}, audit.Event{At: h.Clock.Now(), Actor: "system:house", Kind: audit.TokenCreated, Detail: map[string]string{"holder": string(holder), "role": string(role)}})
}

func (h *House) agentFor(ctx context.Context, s Site, key intent.PrivateKey) (*agent.Agent, error) {
	dir := filepath.Join(h.cfg.Dir, "agents", s.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the agent's directory: %w", err)
	}
	var token secret.Secret
	err := h.db.System().Update(ctx, func(tx store.SystemTx) (err error) {
		token, err = h.newToken(tx, access.Agent, "", s.ID, 24*365*time.Hour)
		return err
	})
	if err != nil {
		return nil, err
	}
	describe := clusy.SiteReport{
		Zone: string(s.Zone), Engine: "process", PUE: max(1, s.PUE),
		Enclave: clusy.Enclave{ID: intent.KeyID(key.Public()), Key: intent.EncodePublic(key.Public())},
	}
	if s.CPUs > 0 {
		describe.CPUs = &s.CPUs
	}
	describe.GPUs = s.GPUs
	if s.Slots > 0 {
		describe.Slots = &s.Slots
	}
	tick := time.Second
	if h.Clock.Rate() > 1 {
		tick = 100 * time.Millisecond
	}
	out := &agent.Agent{
		Site: s.ID, Describe: describe, Clock: h.Clock, Key: key, Journal: filepath.Join(dir, "journal"),
		Server:   &clusy.Client{URL: "http://in-process", Token: token.Reveal(), HTTP: h.pipe.client()},
		Executor: &executor.Process{Root: filepath.Join(dir, "tasks"), Shim: h.cfg.Shim}, Gang: gangBy(h.cfg.Shim),
		Poll: 25 * time.Second, Tick: tick, Log: h.cfg.Log, Env: []string{"CLUSY_SITE=" + s.ID},
	}
	if rapl, ok := executor.OpenRAPL("/"); ok {
		out.Gauge = gauge{rapl}
	}
	return out, nil
}

// gauge is the machine's own counters.
type gauge struct{ *executor.RAPL }

func (gauge) Busy() (time.Duration, bool) { return executor.BusyTime("/") }

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func zonesOf(sites []Site) []grid.Zone {
	var zones []grid.Zone
	for _, s := range sites {
		if !slices.Contains(zones, s.Zone) {
			zones = append(zones, s.Zone)
		}
	}
	return zones
}

// zones answers the API about zones.
type zones struct {
	annual  []signal.AnnualMean
	pollers []*signal.Poller
	dial    *dial.Exchange
}

func (z zones) Annual() []api.Annual {
	out := make([]api.Annual, len(z.annual))
	for i, a := range z.annual {
		out[i] = api.Annual{Zone: a.Zone, Name: a.Name, Mean: a.Mean, Year: a.Year}
	}
	return out
}

func (z zones) Trouble(zone grid.Zone) string {
	for _, h := range z.pollers[0].Health() {
		if h.Zone == zone && h.LastErrorAt.After(h.LastSuccess) {
			return h.LastError
		}
	}
	return ""
}

func (z zones) Signals(now time.Time) clusy.Signals {
	out := clusy.Signals{AsOf: now, Destinations: []clusy.Destination{}}
	for _, d := range z.dial.Destinations() {
		out.Destinations = append(out.Destinations, clusy.Destination{URL: d.URL, Purpose: d.Purpose, Sends: d.Sends, Via: d.Via})
	}
	for _, p := range z.pollers {
		for _, s := range p.Sources(now) {
			o := clusy.SignalSource{
				Name: s.Name, Basis: s.Basis.String(), Offers: s.Offers, Zones: s.Zones, Quarantined: s.Quarantined,
				Asked: s.Asked, Failed: s.Failed, LastSuccess: s.LastSuccess, LastError: s.LastError, LastErrorAt: s.LastErrorAt,
			}
			if b := s.Budget; b != (signal.Budget{}) {
				o.Budget = &clusy.SignalBudget{Limit: b.Limit, Seconds: int64(b.Window / time.Second), Used: b.Used, Exhausts: b.Exhausts, NotUntil: b.NotUntil}
			}
			out.Sources = append(out.Sources, o)
		}
		for _, h := range p.Health() {
			o := clusy.ZoneSignal{
				Zone: string(h.Zone), Basis: p.Basis.String(), Provider: h.Provider, Grade: string(h.Grade), MeasuredUntil: h.MeasuredUntil, Forecast: h.ForecastIssued,
				LastSuccess: h.LastSuccess, LastError: h.LastError, LastErrorAt: h.LastErrorAt,
			}
			o.Verdict = verdictOut(h)
			for _, name := range slices.Sorted(maps.Keys(h.Quarantined)) {
				o.Quarantined = append(o.Quarantined, clusy.Quarantine{Provider: name, Reason: h.Quarantined[name]})
			}
			out.Zones = append(out.Zones, o)
		}
	}
	return out
}

// verdictOut says what a zone's forecast rests on, nil if it has none.
func verdictOut(h signal.Health) *clusy.Verdict {
	if h.Grade == "" {
		return nil
	}
	out := &clusy.Verdict{Why: h.Verdict.Why, Days: h.Verdict.Days, Parts: []clusy.ForecasterSay{}}
	for _, p := range h.Verdict.Parts {
		say := clusy.ForecasterSay{Forecaster: p.Forecaster, Issued: p.Issued, Issues: p.Issues, Regret: p.Regret, Days: []clusy.ForecastDay{}}
		for _, d := range p.Days {
			say.Days = append(say.Days, clusy.ForecastDay{Weight: d.Weight, MAPE: d.MAPE})
		}
		out.Parts = append(out.Parts, say)
	}
	return out
}

// keys are what the house signs and opens with.
type keys struct {
	origin  string
	public  string // the log's verifier key
	signer  merkle.Signer
	enclave intent.PrivateKey
}

// openKeys finds the house's keys, or makes them. A demo's log has an origin
// of its own, so that its entries can never pass for real ones.
func openKeys(dir string, demo bool) (keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return keys{}, fmt.Errorf("make the directory of keys: %w", err)
	}
	logPath, pubPath, enclavePath := filepath.Join(dir, "log.key"), filepath.Join(dir, "log.pub"), filepath.Join(dir, "enclave.key")
	text, err := os.ReadFile(logPath)
	if errors.Is(err, fs.ErrNotExist) {
		origin, err := merkle.Origin(newID(), demo)
		if err != nil {
			return keys{}, err
		}
		private, public, err := merkle.GenerateKey(rand.Reader, origin)
		if err != nil {
			return keys{}, fmt.Errorf("make the log's key: %w", err)
		}
		// The public half first: where the private one is, both are.
		if err := errors.Join(writePrivate(pubPath, []byte(public+"\n")), writePrivate(logPath, []byte(private+"\n"))); err != nil {
			return keys{}, fmt.Errorf("keep the log's key: %w", err)
		}
		text = []byte(private)
	} else if err != nil {
		return keys{}, fmt.Errorf("read the log's key: %w", err)
	}
	signer, err := merkle.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return keys{}, fmt.Errorf("read the log's key: %w", err)
	}
	if merkle.IsDemo(signer.Name()) != demo {
		return keys{}, fmt.Errorf("the data in %s are a demo's or a real server's, and this is the other: give another --data directory", filepath.Dir(dir))
	}
	public, err := os.ReadFile(pubPath)
	if err != nil {
		return keys{}, fmt.Errorf("read the log's public key: %w", err)
	}
	k := keys{origin: signer.Name(), public: strings.TrimSpace(string(public)), signer: signer}

	pem, err := os.ReadFile(enclavePath)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := intent.GenerateKey()
		if err != nil {
			return keys{}, fmt.Errorf("make the enclave's key: %w", err)
		}
		text, err := intent.EncodePrivate(key)
		if err == nil {
			err = writePrivate(enclavePath, []byte(text.Reveal()))
		}
		if err != nil {
			return keys{}, fmt.Errorf("keep the enclave's key: %w", err)
		}
		k.enclave = key
		return k, nil
	}
	if err != nil {
		return keys{}, fmt.Errorf("read the enclave's key: %w", err)
	}
	k.enclave, err = intent.ParsePrivate(secret.Secret(pem))
	return k, err
}

// gangBy is the argv of the program that runs gangs: the shim's own, nil if there
// is none.
func gangBy(shim []string) []string {
	if len(shim) == 0 {
		return nil
	}
	return []string{shim[0], "gang"}
}
