package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

// How the core's values go to rest and come back. Times are microseconds; a
// time that is not there is NULL, never 0.

func usec(t time.Time) int64 { return t.UnixMicro() }

func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

func maybe(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: true}
}

func perhaps(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return instant(n.Int64)
}

func encode(what string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write %s as JSON: %w", what, err)
	}
	return string(b), nil
}

func decode[T any](what, text string) (v T, err error) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("read %s: %w", what, err)
	}
	return v, nil
}

// decoded remembers what JSON texts say, for the memory store: a simulation
// reads the same few thousands of them at every step. nil remembers nothing.
type decoded struct {
	mu     sync.Mutex
	shapes map[string]workload.Shape
	bases  map[string]workload.Counterfactual
	places map[string]plan.Placement
}

// maxDecoded bounds what is remembered of each.
const maxDecoded = 1 << 16

func remember[T any](d *decoded, m func(*decoded) *map[string]T, what, text string) (T, error) {
	if d == nil {
		return decode[T](what, text)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	known := m(d)
	if v, ok := (*known)[text]; ok {
		return v, nil
	}
	v, err := decode[T](what, text)
	if err == nil {
		if *known == nil || len(*known) >= maxDecoded {
			*known = map[string]T{}
		}
		(*known)[text] = v
	}
	return v, err
}

func (d *decoded) shape(text string) (workload.Shape, error) {
	return remember(d, func(d *decoded) *map[string]workload.Shape { return &d.shapes }, "a shape", text)
}

func (d *decoded) baseline(text string) (workload.Counterfactual, error) {
	return remember(d, func(d *decoded) *map[string]workload.Counterfactual { return &d.bases }, "a baseline", text)
}

func (d *decoded) placement(text string) (plan.Placement, error) {
	return remember(d, func(d *decoded) *map[string]plan.Placement { return &d.places }, "a placement", text)
}

func (d *decoded) workload(r db.Workload) (workload.Workload, error) {
	shape, err := d.shape(r.Shape)
	if err != nil {
		return workload.Workload{}, fmt.Errorf("workload %s: %w", r.ID, err)
	}
	base, err := d.baseline(r.Baseline)
	if err != nil {
		return workload.Workload{}, fmt.Errorf("workload %s: %w", r.ID, err)
	}
	return workload.Workload{
		ID: r.ID, Tenant: access.Tenant(r.Tenant), State: workload.State(r.State), Rev: r.Rev, Shape: shape,
		Sealed: r.Sealed, Enclave: r.Enclave, Created: instant(r.Created), Changed: instant(r.Changed),
		Wanted: workload.Wanted(r.Wanted), Baseline: base,
		MissedAt: perhaps(r.MissedAt), MissedCause: r.MissedCause, Cause: r.Cause,
	}, nil
}

func attempt(r db.Attempt) (workload.Attempt, error) {
	return workload.Attempt{
		Workload: r.Workload, N: int(r.N), Tenant: access.Tenant(r.Tenant), Site: r.Site, Grant: r.GrantID, Epoch: r.Epoch,
		State: workload.AttemptState(r.State), Rev: r.Rev, Expires: perhaps(r.Expires), Started: perhaps(r.Started),
		Ended: perhaps(r.Ended), ExitCode: int(r.ExitCode), Cause: r.Cause, Changed: instant(r.Changed),
		Active: time.Duration(r.Active), RunSince: perhaps(r.RunSince), Suspensions: int(r.Suspensions), Seen: perhaps(r.Seen), Size: int(r.Size),
	}, nil
}

func site(r db.Site) (Site, error) {
	capacity, err := decode[workload.Resources]("a capacity", r.Capacity)
	if err != nil {
		return Site{}, fmt.Errorf("site %s: %w", r.ID, err)
	}
	return Site{
		Site: plan.Site{
			ID: r.ID, Zone: grid.Zone(r.Zone), Capacity: capacity, PUE: r.Pue,
			Price: grid.Rate(r.Price), Currency: r.Currency, Down: r.Down,
		},
		Engine: r.Engine, EnclaveKey: r.EnclaveKey, KeyID: r.KeyID, Registered: instant(r.Registered), Seen: perhaps(r.Seen),
		Incarnation: r.Incarnation, Answered: r.Answered,
	}, nil
}

func token(r db.Token) (access.Token, error) {
	return access.Token{
		ID: r.ID, Hash: r.Hash, Created: instant(r.Created),
		Grant: access.Grant{
			Holder: access.Principal(r.Holder), Role: access.Role(r.Role), Tenant: access.Tenant(r.Tenant), Site: r.Site,
			From: instant(r.FromAt), Until: instant(r.UntilAt),
		},
	}, nil
}

// each makes values of rows.
func each[R, V any](rows []R, value func(R) (V, error)) ([]V, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	vs := make([]V, 0, len(rows))
	for _, r := range rows {
		v, err := value(r)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}
