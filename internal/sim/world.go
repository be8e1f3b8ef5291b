package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/agent"
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/house"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/reconcile"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/wire"
)

// world is a simulation that runs.
type world struct {
	cfg    Config
	ctx    context.Context // of every call: it carries who submits
	clock  clock
	queue  queue
	draw   *rand.Rand // what chance decides; asked by the one thread alone
	salt   *rand.ChaCha8
	key    intent.PrivateKey
	trust  merkle.Verifiers
	db     store.DB
	doors  api.Store
	table  reconcile.Store
	server *api.Server
	loop   *reconcile.Loop
	poller *signal.Poller
	sites  []*site
	active map[fault]int // faults that are on, by kind and site

	ids     uint64
	size    int64 // of the log, when it was last looked at
	nextgo  time.Time
	turnGen int
	mail    map[int]message
	mails   int
	sent    []Accepted
	byID    map[string]int // a workload's job
	stats   Stats
	upGen   int
	down    bool // the server is
	done    bool
}

// site is a place: its engine and its journal outlive its agent.
type site struct {
	Site
	i      int
	watch  *watch
	engine *Engine
	book   *book
	hand   agent.Hand
	up     bool // the agent's process lives

	news  <-chan struct{}
	asked clusy.SyncRequest
	at    time.Time // when it asked
	open  bool      // asked has no answer yet
	fails int       // questions in a row that had none

	call    *api.Call // its question waits at the server
	looking bool      // and the server is about to look at it
	lookGen int
	askGen  int
}

// message is a question or an answer under way.
type message struct {
	q      clusy.SyncRequest
	a      clusy.SyncAnswer
	asking int // the site's askGen of then
}

// Accepted is what somebody has been promised.
type Accepted struct {
	Job      int
	Workload string
	At       time.Time
	Shape    string // its digest
	Due      time.Time
	Moved    bool // what was asked for could not be promised, and this is the nearest
}

func newWorld(ctx context.Context, cfg Config) (*world, error) {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], cfg.Seed)
	w := &world{cfg: cfg, clock: clock{cfg.Start.UTC()}, queue: queue{seed: mix(cfg.Seed)}, draw: rand.New(rand.NewPCG(cfg.Seed, 0x51)),
		salt: rand.NewChaCha8(seed), mail: map[int]message{}, active: map[fault]int{}, byID: map[string]int{}}
	var err error
	if w.key, err = intent.DeriveKey(seed[:]); err != nil {
		return nil, err
	}
	private, public, err := merkle.GenerateKey(w.salt, origin)
	if err != nil {
		return nil, err
	}
	signer, err := merkle.NewSigner(private)
	if err != nil {
		return nil, err
	}
	if w.trust, err = merkle.NewVerifiers(public); err != nil {
		return nil, err
	}
	if w.db, err = store.NewMemory(store.Options{Origin: origin, Signer: signer, Now: w.clock.Now, Random: w.salt}); err != nil {
		return nil, err
	}
	w.doors, w.table = house.Stores(w.db)
	caller := wire.Caller{Principal: "token:sim", Tenant: tenant}
	caller.Grants = []access.Grant{{Holder: caller.Principal, Role: access.Operator, Tenant: tenant, Until: cfg.Start.AddDate(100, 0, 0)}}
	w.ctx = wire.WithCaller(ctx, caller)
	if err := w.signals(); err != nil {
		return nil, err
	}
	if err := w.serve(); err != nil {
		return nil, err
	}
	for i, s := range cfg.Sites {
		w.sites = append(w.sites, w.newSite(i, s))
	}
	return w, nil
}

func (w *world) rules() plan.Rules {
	return plan.Rules{Step: w.cfg.Step, Horizon: horizon, Margin: margin}
}

// signals makes the poller and the provider that it asks.
func (w *world) signals() error {
	var zones []grid.Zone
	var series []grid.Series
	for _, s := range w.cfg.Sites {
		if slices.Contains(zones, s.Zone) {
			continue
		}
		zones, series = append(zones, s.Zone), append(series, w.cfg.Grid[s.Zone])
	}
	told, err := signal.Fixed("sim/grid", series...)
	if err != nil {
		return err
	}
	climatology, err := bundled.Climatology()
	if err != nil {
		return err
	}
	annual, err := bundled.Annual()
	if err != nil {
		return err
	}
	w.poller = &signal.Poller{
		Providers: []signal.Provider{&seer{told, func() bool { return w.on(NoSignal, -1) }}}, Sink: house.Sink(w.db), Climatology: climatology, Annual: annual,
		Basis: series[0].Basis, Wanted: func(context.Context) ([]grid.Zone, error) { return zones, nil },
	}
	return nil
}

// serve begins a server's process: all that it knows is in the store.
func (w *world) serve() error {
	w.loop = &reconcile.Loop{Store: w.table, Rules: w.rules(), Now: w.clock.Now, NewID: w.newID, OfferFor: offerFor, Silence: silence, Patience: patience, Holder: w.newID()}
	w.server = &api.Server{Store: w.doors, Syncer: w.loop, Rules: w.rules(), Now: w.clock.Now, NewID: w.newID, Silence: silence, Wake: func() { w.goSoon(0) }}
	w.down = false
	return w.loop.Lead(w.ctx)
}

func (w *world) newSite(i int, s Site) *site {
	st := &site{Site: s, i: i, watch: &watch{clock: &w.clock}, book: &book{}}
	st.engine = NewEngine(w.clock.Now, w.work)
	return st
}

// work is what a task really is: its program's one argument is the job's index.
func (w *world) work(t executor.Task) Work {
	n, err := strconv.Atoi(t.Argv[1])
	if err != nil || n < 0 || n >= len(w.cfg.Jobs) {
		return Work{Exit: 127}
	}
	j := w.cfg.Jobs[n]
	work := Work{Length: j.Length, Exit: j.Exit}
	if j.Pauses {
		work.Resume = overhead
	}
	return work
}

// boot begins an agent's process: all that it knows is in its journal.
func (w *world) boot(s *site) error {
	cpus := s.CPUs
	a := &agent.Agent{
		Site: s.ID, Clock: s.watch, Key: w.key, Executor: s.engine, Poll: beat, Tick: 24 * time.Hour, Book: s.book.open, Random: w.salt,
		Describe: clusy.SiteReport{Zone: string(s.Zone), Engine: "process", PUE: max(1, s.PUE), CPUs: &cpus,
			Enclave: clusy.Enclave{ID: intent.KeyID(w.key.Public()), Key: intent.EncodePublic(w.key.Public())}},
	}
	hand, looked, err := a.ByHand(w.ctx)
	if err := errors.Join(looked, err); err != nil {
		return fmt.Errorf("the agent of %s: %w", s.ID, err)
	}
	s.hand, s.up, s.open, s.news, s.fails = hand, true, false, nil, 0
	w.askIn(s, 0)
	w.lookIn(s, glance)
	return nil
}

// newID returns an id that sorts by its time, as a UUIDv7 does, and by the order
// of its birth within a millisecond.
func (w *world) newID() string {
	ms := w.clock.now.UnixMilli()
	w.ids++
	return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", ms>>16, ms&0xffff, w.ids&0xfff, w.ids>>12&0xfff, mix(w.queue.seed^w.ids)>>16)
}

func (w *world) put(d time.Duration, e event) {
	e.at = w.clock.now.Add(d)
	w.queue.put(e)
}
