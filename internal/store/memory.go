package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/merkle"
)

// Memory is the store of a simulation: nothing outlives it. It answers the
// same queries as SQLite does, in Go, and runs the same transactions on them.
type Memory struct {
	mu     sync.RWMutex
	rows   *rows
	log    *growth
	memo   *decoded
	shelf  shelf
	closed bool
	now    func() time.Time
}

// NewMemory returns an empty store with an opened log. Of the options it
// takes Origin, Signer, Now and Random.
func NewMemory(o Options) (*Memory, error) {
	if o.Signer == nil {
		return nil, errors.New("open a store in memory: nobody to sign its log")
	}
	if _, err := merkle.Sign(o.Signer, o.Origin, 0, merkle.Hash{}); err != nil {
		return nil, fmt.Errorf("open a store in memory: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	m := &Memory{rows: newRows(), log: &growth{origin: o.Origin, signer: o.Signer, random: o.Random}, memo: &decoded{}, now: o.Now}
	if err := m.log.load(context.Background(), m.rows); err != nil {
		return nil, fmt.Errorf("open a store in memory: %w", err)
	}
	err := m.update(context.Background(), "", func(t *tx) error {
		if err := agreeOnMoves(t.ctx, t.q); err != nil {
			return err
		}
		return openLog(t, o)
	})
	if err != nil {
		return nil, fmt.Errorf("open a store in memory: %w", err)
	}
	return m, nil
}

// For returns the handle of one tenant.
func (m *Memory) For(t access.Tenant) Tenant { return tenantHandle{m, t} }

// System returns the handle that serves all tenants.
func (m *Memory) System() System { return systemHandle{m} }

// Close refuses every later transaction.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *Memory) view(ctx context.Context, _ access.Tenant, f func(*tx) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t := &tx{ctx: ctx, q: m.rows, memo: m.memo, shelf: &m.shelf, clock: m.clock}
	defer func() { t.q = nil }()
	return t.end(f(t))
}

func (m *Memory) update(ctx context.Context, _ access.Tenant, f func(*tx) error) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	t := &tx{ctx: ctx, q: m.rows, log: m.log, memo: m.memo, shelf: &m.shelf, clock: m.clock}
	start := m.log.mark()
	keep := false
	defer func() { // also when f panics or ends its goroutine
		t.q = nil
		if !keep {
			m.rows.rollback()
			m.log.back(start)
		}
	}()
	if err := t.end(f(t)); err != nil {
		return err
	}
	edge, err := m.log.grow(ctx, m.rows)
	if err != nil {
		return lost(err)
	}
	keep = true
	m.rows.commit()
	m.log.grown(edge)
	return nil
}

// clock is that of the process: there is no other.
func (m *Memory) clock(context.Context) (time.Time, error) { return m.now(), nil }
