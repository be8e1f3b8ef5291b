// Package agent is the enclave's side of Clusy: it syncs with the server over
// one outbound call, opens intents, drives executors at the planned instant
// with or without contact, meters energy, and reports. What it has agreed to
// is on its own disk before it says so.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/intent"
)

// Clock is the time that workloads are planned in. It runs at Rate of its
// seconds in one real second: 1, but for a replay.
type Clock interface {
	Now() time.Time
	At(real time.Time) time.Time
	Rate() float64
}

// Server is what the agent asks of the server.
type Server interface {
	Sync(ctx context.Context, site string, r clusy.SyncRequest) (clusy.SyncAnswer, error)
}

// Book is what an agent needs of its journal: *journal.Journal.
type Book interface {
	Append(recs ...[]byte) error
	Rewrite(recs [][]byte) error
	Close() error
}

// Agent holds the start rights of one site and carries them out. All exported
// fields but Log, Gauge, Env, Book and Random are needed.
type Agent struct {
	Site     string
	Describe clusy.SiteReport
	Server   Server
	Executor executor.Executor
	Clock    Clock
	Key      intent.PrivateKey
	Journal  string        // path of its journal
	Poll     time.Duration // how long one question waits for an answer
	Tick     time.Duration // longest time between two looks at the engine, real
	Log      *slog.Logger
	Env      []string // given to every task
	// Gang is the argv of the program that runs several copies of another as one;
	// none: this site takes no gangs.
	Gang []string
	// Gauge measures the machine's energy; nil where nothing does. Then, and
	// for hours of which too little was measured, energy is modelled.
	Gauge Gauge
	// Book opens another journal than the file at Journal, and Random is where
	// a new incarnation's name comes from; nil: crypto/rand. Both are seams for
	// a simulation.
	Book   func() (Book, [][]byte, error)
	Random io.Reader

	mu          sync.Mutex
	journal     Book
	incarnation string
	holds       map[string]*hold // by grant
	records     int              // in the journal since it was rewritten
	seq         int64
	maxEpoch    int64
	checkpoint  string
	metered     map[string]bool
	replies     []clusy.Reply
	changed     chan struct{} // closed and replaced when there is news
	reading     reading
	drawn       map[string]map[time.Time]measured // by task and hour
}

// Run opens the journal, finds again what ran, and goes on until ctx ends.
// What runs then runs on.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.open(); err != nil {
		return err
	}
	defer a.journal.Close()
	// Look at everything once before we speak: what we say must be so.
	if err := a.Step(ctx, a.Clock.Now()); err != nil {
		a.log().Error("first look at the engine failed", "site", a.Site, "err", err)
	}
	var loops sync.WaitGroup
	loops.Go(func() { a.syncLoop(ctx) })
	a.actLoop(ctx)
	loops.Wait()
	return nil
}

func (a *Agent) log() *slog.Logger {
	if a.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return a.Log
}

// actLoop looks at the engine at least every Tick, and at each planned instant.
func (a *Agent) actLoop(ctx context.Context) {
	for {
		if err := a.Step(ctx, a.Clock.Now()); err != nil && ctx.Err() == nil {
			a.log().Error("agent step failed", "site", a.Site, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(a.untilDue()):
		case <-a.news():
		}
	}
}

// syncLoop keeps one question open at the server. News at the site ends the
// question that waits and asks a newer one.
func (a *Agent) syncLoop(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		news := a.news()
		q := a.question(a.Clock.Now())
		call, cancel := context.WithTimeout(ctx, a.Poll+30*time.Second)
		go func() {
			select {
			case <-news:
				cancel()
			case <-call.Done():
			}
		}()
		answer, err := a.Server.Sync(call, a.Site, q)
		cancel()
		switch {
		case err == nil:
			failures = 0
			if err := a.obey(answer); err != nil {
				a.log().Error("orders could not be carried out", "site", a.Site, "err", err)
				sleep(ctx, time.Second)
			}
		case ctx.Err() != nil:
			return
		case errors.Is(err, context.Canceled):
			// There is news to tell; the answer to this question, should it
			// still come, would not be to the newest one.
			a.unsent(q)
		default:
			a.unsent(q)
			failures++
			wait := min(time.Duration(1<<min(failures, 6))*250*time.Millisecond, 15*time.Second)
			a.log().Warn("no contact with the server", "site", a.Site, "err", err, "again", wait)
			sleep(ctx, wait/2+rand.N(wait))
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// news returns a channel that closes when there is something to report.
func (a *Agent) news() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

// tell wakes both loops. The caller holds a.mu.
func (a *Agent) tell() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// Step brings the engine to what the schedules say for now, and looks at what
// it finds there.
func (a *Agent) Step(ctx context.Context, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, grant := range slices.Sorted(maps.Keys(a.holds)) {
		h := a.holds[grant]
		if err := a.step(ctx, h, now); err != nil {
			errs = append(errs, fmt.Errorf("%s/%d: %w", h.Workload, h.N, err))
		}
	}
	a.measure(now)
	return errors.Join(errs...)
}

// untilDue returns the real time until the next planned instant, at most Tick.
func (a *Agent) untilDue() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.Clock.Now()
	wait := a.Tick
	for _, h := range a.holds {
		if h.State != held && h.State != started {
			continue
		}
		if next, ok := h.next(now); ok {
			wait = min(wait, time.Duration(float64(next.Sub(now))/a.Clock.Rate()))
		}
	}
	return max(wait, time.Millisecond)
}
