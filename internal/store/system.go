package store

import (
	"database/sql"
	"errors"
	"strconv"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

func (t *systemTx) Sites() ([]Site, error) {
	rows, err := t.q.Sites(t.ctx)
	if err != nil {
		return nil, t.failed("reading the sites", err)
	}
	return each(rows, site)
}

func (t *systemTx) Site(id string) (Site, error) {
	row, err := t.q.Site(t.ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Site{}, missing("site "+id, nil)
	}
	if err != nil {
		return Site{}, t.failed("reading site "+id, err)
	}
	return site(row)
}

func (t *systemTx) PutSite(s Site, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	if s.ID == "" {
		return problem.Errorf(problem.Invalid, "a site has no id")
	}
	kind := audit.SiteSeen
	if _, err := t.Site(s.ID); problem.Is(err, problem.NotFound) {
		kind = audit.SiteRegistered
	} else if err != nil {
		return err
	}
	capacity, err := encode("a capacity", s.Capacity)
	if err != nil {
		return err
	}
	if s.Registered.IsZero() {
		s.Registered = e.At
	}
	e = detail(e, "zone", string(s.Zone), "engine", s.Engine, "incarnation", s.Incarnation, "key", s.KeyID)
	if _, err := t.record(fact{Event: e, kind: kind, tenant: e.Tenant, object: "site:" + s.ID}); err != nil {
		return err
	}
	return t.failed("writing site "+s.ID, t.q.PutSite(t.ctx, db.PutSiteParams{
		ID: s.ID, Zone: string(s.Zone), Capacity: capacity, Pue: s.PUE, Price: int64(s.Price), Currency: s.Currency, Down: s.Down,
		Engine: s.Engine, EnclaveKey: blob(s.EnclaveKey), KeyID: s.KeyID, Registered: usec(s.Registered), Seen: maybe(s.Seen),
		Incarnation: s.Incarnation, Answered: s.Answered,
	}))
}

func (t *systemTx) SeeSite(id string, seen time.Time, answered int64) error {
	if err := t.writable(); err != nil {
		return err
	}
	n, err := t.q.SeeSite(t.ctx, db.SeeSiteParams{ID: id, Seen: maybe(seen), Answered: answered})
	if err == nil && n == 0 {
		return missing("site "+id, nil)
	}
	return t.failed("noting that site "+id+" was seen", err)
}

func (t *systemTx) Token(hash []byte) (access.Token, error) {
	row, err := t.q.SystemToken(t.ctx, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return access.Token{}, missing("such token", nil)
	}
	if err != nil {
		return access.Token{}, t.failed("reading a token", err)
	}
	return token(row)
}

func (t *systemTx) Tokens() ([]access.Token, error) {
	rows, err := t.q.SystemTokens(t.ctx)
	if err != nil {
		return nil, t.failed("reading the tokens", err)
	}
	return each(rows, token)
}

func (t *systemTx) PutToken(k access.Token, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	if k.ID == "" || len(k.Hash) == 0 {
		return problem.Errorf(problem.Invalid, "a token needs an id and a hash")
	}
	g := k.Grant
	e = detail(e, "holder", string(g.Holder), "role", string(g.Role), "tenant", string(g.Tenant), "site", g.Site, "until", g.Until.UTC().Format(time.RFC3339))
	if _, err := t.record(fact{Event: e, kind: audit.TokenCreated, tenant: g.Tenant, object: "token:" + k.ID}); err != nil {
		return err
	}
	return t.failed("keeping token "+k.ID, t.q.InsertToken(t.ctx, db.InsertTokenParams{
		ID: k.ID, Hash: blob(k.Hash), Tenant: string(g.Tenant), Holder: string(g.Holder), Role: string(g.Role), Site: g.Site,
		FromAt: usec(g.From), UntilAt: usec(g.Until), Created: usec(k.Created),
	}))
}

func (t *tenantTx) EndToken(id string, at time.Time, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	n, err := t.q.EndToken(t.ctx, db.EndTokenParams{Tenant: string(t.tenant), ID: id, Until: usec(at)})
	if err != nil {
		return t.failed("ending token "+id, err)
	}
	if n == 0 {
		return missing("live token "+id, nil)
	}
	_, err = t.record(fact{Event: e, kind: audit.TokenEnded, tenant: t.tenant, object: "token:" + id})
	return t.spoil(err)
}

// system is who does what the house does by itself.
const system access.Principal = "system"

func (t *systemTx) Lead(name, holder string, at time.Time) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	epoch, err := t.q.Lead(t.ctx, db.LeadParams{Name: name, Holder: holder, At: usec(at)})
	if err != nil {
		return 0, t.failed("taking the lead", err)
	}
	e := audit.Event{At: at, Actor: system, Detail: map[string]string{"holder": holder, "epoch": strconv.FormatInt(epoch, 10)}}
	_, err = t.record(fact{Event: e, kind: audit.LeaderElected, object: "lease:" + name})
	return epoch, t.spoil(err)
}

func (t *systemTx) Compete(name, holder string, ttl time.Duration) (epoch int64, won bool, err error) {
	if err := t.writable(); err != nil {
		return 0, false, err
	}
	now, err := t.clock(t.ctx)
	if err != nil {
		return 0, false, t.failed("asking the time", err)
	}
	l, err := t.q.Lease(t.ctx, name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, false, t.failed("reading the lease "+name, err)
	}
	if err == nil && now.Sub(instant(l.At)) < ttl {
		return l.Epoch, false, nil
	}
	epoch, err = t.Lead(name, holder, now)
	return epoch, err == nil, err
}

func (t *systemTx) Renew(name string, epoch int64) error {
	now, err := t.clock(t.ctx)
	if err != nil {
		return t.failed("asking the time", err)
	}
	return t.renew(name, epoch, now)
}

func (t *systemTx) Resign(name string, epoch int64) error {
	return t.renew(name, epoch, time.UnixMicro(0))
}

func (t *systemTx) renew(name string, epoch int64, at time.Time) error {
	if err := t.writable(); err != nil {
		return err
	}
	n, err := t.q.RenewLease(t.ctx, db.RenewLeaseParams{Name: name, Epoch: epoch, At: usec(at)})
	if err == nil && n == 0 {
		return fenced()
	}
	return t.failed("renewing the lease "+name, err)
}

func (t *systemTx) LeaderEpoch(name string) (int64, error) {
	l, err := t.q.Lease(t.ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return l.Epoch, t.failed("reading the lease "+name, err)
}

func fenced() error {
	return &problem.Error{Kind: problem.Conflict, Detail: ErrFenced.Error(), Cause: ErrFenced}
}

func (t *systemTx) CheckLead(name string, epoch int64) error {
	l, err := t.q.Lease(t.ctx, name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return t.failed("reading the lease "+name, err)
	}
	if err != nil || l.Epoch != epoch {
		return fenced()
	}
	return nil
}

func (t *systemTx) Meta(key string) (string, bool, error) {
	v, err := t.q.Meta(t.ctx, key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return v, err == nil, t.failed("reading "+key, err)
}

func (t *systemTx) SetMeta(key, value string) error {
	if err := t.writable(); err != nil {
		return err
	}
	return t.failed("writing "+key, t.q.SetMeta(t.ctx, db.SetMetaParams{Key: key, Value: value}))
}
