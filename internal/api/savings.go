package api

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/wire"
)

type savingsIn struct {
	From time.Time `query:"from" doc:"Count from the day of this time on. Default: from the first."`
	To   time.Time `query:"to" doc:"Count the days before this time. Default: to the last."`
}

// savings is what the caller's ledger comes to, by day, zone and grade.
func (s *Server) savings(ctx context.Context, in *savingsIn) (*body[clusy.Savings], error) {
	caller, _ := wire.CallerOf(ctx)
	t, at, err := s.tallies.upTo(ctx, s.Store, caller.Tenant)
	if err != nil {
		return nil, err
	}
	// Grams of two kinds do not add up: those of the newest count, and how many
	// others there are is said.
	inside := func(p ledger.Part) bool {
		return p.Kind == t.Newest && (in.From.IsZero() || p.Day.Add(24*time.Hour).After(in.From)) && (in.To.IsZero() || p.Day.Before(in.To))
	}
	out := clusy.Savings{First: t.First, Last: t.Last, AsOf: at, Method: t.Newest.Method}
	if len(t.Parts) > 0 {
		out.Basis = t.Newest.Basis.String()
	}
	for p, sum := range t.Parts {
		if p.Kind != t.Newest {
			out.Apart += sum.Entries
		}
	}
	all, err := sums(t, inside, func(ledger.Part) string { return "" })
	if len(all) > 0 {
		out.SavingsSum = all[0]
	}
	for _, by := range []struct {
		to  *[]clusy.SavingsSum
		key func(ledger.Part) string
	}{
		{&out.ByDay, func(p ledger.Part) string { return p.Day.Format(time.DateOnly) }},
		{&out.ByZone, func(p ledger.Part) string { return string(p.Zone) }},
		{&out.ByGrade, func(p ledger.Part) string { return string(p.Grade) }},
	} {
		if err == nil {
			*by.to, err = sums(t, inside, by.key)
		}
	}
	if err != nil {
		return nil, err
	}
	return ok(out)
}

// sums adds parts up by a key, in the order of the keys.
func sums(t ledger.Tally, inside func(ledger.Part) bool, key func(ledger.Part) string) ([]clusy.SavingsSum, error) {
	by, err := ledger.Sums(t, func(p ledger.Part) (string, bool) { return key(p), inside(p) })
	out := make([]clusy.SavingsSum, 0, len(by))
	for k, sum := range by {
		out = append(out, clusy.SavingsSum{
			Key: k, Entries: sum.Entries, EnergyKWh: wire.KWh(sum.Energy), Emitted: wire.Grams(sum.Emitted), Avoided: wire.Grams(sum.Avoided),
			Saved: wire.Grams(sum.Saved), Unclaimed: wire.Grams(sum.Unclaimed), Grade: string(sum.Grade),
		})
	}
	slices.SortFunc(out, func(a, b clusy.SavingsSum) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

// tallies keeps what each tenant's ledger comes to, up to an index. It is a
// fold over the log and nothing else: forgotten, it is made again.
type tallies struct {
	mu sync.Mutex
	of map[access.Tenant]*tallied
}

type tallied struct {
	mu    sync.Mutex
	tally ledger.Tally
	after int64
}

// upTo brings a tenant's tally up to the newest entry and returns it.
func (t *tallies) upTo(ctx context.Context, store Store, tenant access.Tenant) (ledger.Tally, int64, error) {
	t.mu.Lock()
	k := t.of[tenant]
	if k == nil {
		k = &tallied{after: -1}
		if t.of == nil {
			t.of = map[access.Tenant]*tallied{}
		}
		t.of[tenant] = k
	}
	t.mu.Unlock()

	k.mu.Lock()
	defer k.mu.Unlock()
	const most = 1000
	for {
		full := false
		err := store.View(ctx, tenant, func(tx TenantTx) error {
			lines, err := tx.Entries("", k.after, most)
			for _, l := range lines {
				if err := k.tally.Add(l.Entry); err != nil {
					return err
				}
				k.after = l.Index
			}
			full = len(lines) == most
			return err
		})
		if err != nil {
			return ledger.Tally{}, 0, err
		}
		if !full {
			break
		}
	}
	// A copy: the caller reads it while the next one adds to it.
	out := k.tally
	out.Parts = maps.Clone(k.tally.Parts)
	return out, k.after, nil
}
