package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"

	"clusy.io/clusy/internal/store/db"
)

func (r *rows) InsertDecision(_ context.Context, p db.InsertDecisionParams) error {
	if r.decisions.has(key{n: p.Idx}) {
		return unique
	}
	if w, ok := r.workloads.get(key{a: p.Workload}); !ok || w.Tenant != p.Tenant || !r.leaves.has(key{n: p.Idx}) {
		return foreign
	}
	r.decisions.put(key{n: p.Idx}, db.Decision(p))
	r.decided.put(key{a: p.Workload, n: p.Idx}, struct{}{})
	return nil
}

func (r *rows) PutPlacement(_ context.Context, p db.PutPlacementParams) error {
	if d, ok := r.decisions.get(key{n: p.Decision}); !ok || d.Tenant != p.Tenant {
		return foreign
	}
	r.placements.put(key{a: p.Workload}, p)
	return nil
}

func (r *rows) DeletePlacement(_ context.Context, p db.DeletePlacementParams) error {
	if old, ok := r.placements.get(key{a: p.Workload}); ok && old.Tenant == p.Tenant {
		r.placements.remove(key{a: p.Workload})
	}
	return nil
}

func (r *rows) Placement(_ context.Context, p db.PlacementParams) (string, error) {
	at, ok := r.placements.get(key{a: p.Workload})
	d, _ := r.decisions.get(key{n: at.Decision})
	return one(d.Body, ok && at.Tenant == p.Tenant)
}

func (r *rows) SystemPlacements(context.Context) ([]db.SystemPlacementsRow, error) {
	var ps []db.SystemPlacementsRow
	for _, p := range r.placements.all() {
		d, _ := r.decisions.get(key{n: p.Decision})
		ps = append(ps, db.SystemPlacementsRow{Workload: p.Workload, Body: d.Body})
	}
	return ps, nil
}

func (r *rows) Decisions(_ context.Context, p db.DecisionsParams) ([]db.Decision, error) {
	var ds []db.Decision
	for k := range r.decided.after(key{a: p.Workload, n: math.MinInt64}) {
		if k.a != p.Workload {
			break
		}
		if d, _ := r.decisions.get(key{n: k.n}); d.Tenant == p.Tenant {
			ds = append(ds, d)
		}
	}
	return ds, nil
}

func (r *rows) SystemDecisions(_ context.Context, p db.SystemDecisionsParams) ([]db.SystemDecisionsRow, error) {
	var ds []db.SystemDecisionsRow
	for _, d := range r.decisions.after(key{n: p.Idx - 1}) {
		if len(ds) == int(p.Most) {
			break
		}
		ds = append(ds, db.SystemDecisionsRow{Idx: d.Idx, Body: d.Body})
	}
	return ds, nil
}

func (r *rows) PlanInForce(context.Context) (db.PlanInForceRow, error) {
	return one(r.plans.get(key{}))
}

func (r *rows) SetPlan(_ context.Context, p db.SetPlanParams) (int64, error) {
	if now, _ := r.plans.get(key{}); now.ID != p.Parent {
		return 0, nil
	}
	r.plans.put(key{}, db.PlanInForceRow{ID: p.NewID, At: p.At})
	return 1, nil
}

func (r *rows) InsertProof(_ context.Context, p db.InsertProofParams) error {
	if r.proven.has(key{a: p.Plan}) {
		return unique
	}
	r.proven.put(key{a: p.Plan}, p.At)
	r.proofs.put(key{n: p.At, b: p.Plan}, db.Proof(p))
	return nil
}

func (r *rows) DropProofs(_ context.Context, keep int32) (n int64, err error) {
	var old []key
	for k := range r.proofs.all() {
		old = append(old, k)
	}
	for _, k := range old[:max(len(old)-int(keep), 0)] {
		r.proofs.remove(k)
		r.proven.remove(key{a: k.b})
		n++
	}
	return n, nil
}

func (r *rows) Proof(_ context.Context, id string) (db.Proof, error) {
	at, _ := r.proven.get(key{a: id})
	return one(r.proofs.get(key{n: at, b: id}))
}

func (r *rows) Proofs(_ context.Context, most int32) (out []db.ProofsRow, err error) {
	for _, p := range r.proofs.before(key{n: math.MaxInt64}) {
		if len(out) == int(most) {
			break
		}
		out = append(out, db.ProofsRow{Plan: p.Plan, At: p.At, Digest: p.Digest, Items: p.Items, Given: p.Given, Carbon: p.Carbon, Bound: p.Bound, Owner: p.Owner})
	}
	return out, nil
}

func (r *rows) PutClass(_ context.Context, p db.PutClassParams) error {
	if p.Tenant == "" {
		return check
	}
	r.classes.put(key{a: p.Tenant, b: p.Class}, db.Class(p))
	return nil
}

func (r *rows) Class(_ context.Context, p db.ClassParams) (db.Class, error) {
	return one(r.classes.get(key{a: p.Tenant, b: p.Class}))
}

func (r *rows) Classes(_ context.Context, p db.ClassesParams) (out []db.Class, err error) {
	for k, c := range r.classes.after(key{a: p.Tenant, b: p.Class}) {
		if k.a != p.Tenant || len(out) == int(p.Most) {
			break
		}
		out = append(out, c)
	}
	return out, nil
}

func (r *rows) ClassesPast(_ context.Context, p db.ClassesPastParams) (names []string, err error) {
	var of []db.Class
	for k, c := range r.classes.after(key{a: p.Tenant, n: math.MinInt64}) {
		if k.a != p.Tenant {
			break
		}
		of = append(of, c)
	}
	slices.SortFunc(of, func(a, b db.Class) int { return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(b.Class, a.Class)) })
	for _, c := range of[min(int(p.Keep), len(of)):] {
		if len(names) == int(p.Most) {
			break
		}
		names = append(names, c.Class)
	}
	return names, nil
}

func (r *rows) DropClass(_ context.Context, p db.DropClassParams) error {
	r.classes.remove(key{a: p.Tenant, b: p.Class})
	return nil
}

func (r *rows) InsertLedgerEntry(_ context.Context, p db.InsertLedgerEntryParams) error {
	if w, ok := r.workloads.get(key{a: p.Workload}); !ok || w.Tenant != p.Tenant || !r.leaves.has(key{n: p.Idx}) {
		return foreign
	}
	r.entries.put(key{n: p.Idx}, db.LedgerEntry(p))
	r.entriesOf.put(key{a: p.Workload, n: p.Idx}, struct{}{})
	return nil
}

func (r *rows) LedgerEntries(_ context.Context, p db.LedgerEntriesParams) ([]db.LedgerEntriesRow, error) {
	var es []db.LedgerEntriesRow
	for k, e := range r.entries.after(key{n: p.Idx}) {
		if len(es) == int(p.Most) {
			break
		}
		if e.Tenant == p.Tenant {
			l, _ := r.leaves.get(k)
			es = append(es, db.LedgerEntriesRow{Idx: l.Idx, Sealed: l.Sealed})
		}
	}
	return es, nil
}

func (r *rows) WorkloadLedgerEntries(_ context.Context, p db.WorkloadLedgerEntriesParams) ([]db.WorkloadLedgerEntriesRow, error) {
	var es []db.WorkloadLedgerEntriesRow
	for k := range r.entriesOf.after(key{a: p.Workload, n: p.Idx}) {
		if k.a != p.Workload || len(es) == int(p.Most) {
			break
		}
		if e, _ := r.entries.get(key{n: k.n}); e.Tenant == p.Tenant {
			l, _ := r.leaves.get(key{n: k.n})
			es = append(es, db.WorkloadLedgerEntriesRow{Idx: l.Idx, Sealed: l.Sealed})
		}
	}
	return es, nil
}

func (r *rows) SystemLedgerEntry(_ context.Context, idx int64) (db.LedgerEntry, error) {
	return one(r.entries.get(key{n: idx}))
}

func meterKey(workload string, attempt, hour int64) key {
	return key{a: workload, n: attempt, m: hour}
}

func unsettledKey(workload string, attempt, hour int64) key {
	return key{n: hour, b: workload, m: attempt}
}

func (r *rows) PutMeter(_ context.Context, p db.PutMeterParams) (int64, error) {
	k := meterKey(p.Workload, p.Attempt, p.Hour)
	if old, ok := r.meters.get(k); ok && (old.Settled.Valid || old.Tenant != p.Tenant) {
		return 0, nil
	}
	if a, ok := r.attempts.get(key{a: p.Workload, n: p.Attempt}); !ok || a.Tenant != p.Tenant {
		return 0, foreign
	}
	r.meters.put(k, db.Meter{Workload: p.Workload, Attempt: p.Attempt, Hour: p.Hour, Tenant: p.Tenant, Body: p.Body})
	r.unsettled.put(unsettledKey(p.Workload, p.Attempt, p.Hour), struct{}{})
	return 1, nil
}

func (r *rows) Meter(_ context.Context, p db.MeterParams) (db.Meter, error) {
	m, ok := r.meters.get(meterKey(p.Workload, p.Attempt, p.Hour))
	return one(m, ok && m.Tenant == p.Tenant)
}

func (r *rows) Meters(_ context.Context, p db.MetersParams) ([]db.Meter, error) {
	var ms []db.Meter
	for k, m := range r.meters.after(key{a: p.Workload, n: math.MinInt64}) {
		if k.a != p.Workload {
			break
		}
		if m.Tenant == p.Tenant {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

func (r *rows) SystemUnsettledMeters(context.Context) ([]db.Meter, error) {
	var ms []db.Meter
	for k := range r.unsettled.all() {
		m, _ := r.meters.get(meterKey(k.b, k.m, k.n))
		ms = append(ms, m)
	}
	return ms, nil
}

func (r *rows) SystemSettleMeter(_ context.Context, p db.SystemSettleMeterParams) (int64, error) {
	k := meterKey(p.Workload, p.Attempt, p.Hour)
	m, ok := r.meters.get(k)
	if !ok || m.Settled.Valid {
		return 0, nil
	}
	if !r.entries.has(key{n: p.Idx.Int64}) {
		return 0, foreign
	}
	m.Settled = p.Idx
	r.meters.put(k, m)
	r.unsettled.remove(unsettledKey(p.Workload, p.Attempt, p.Hour))
	return 1, nil
}

func (r *rows) PutSite(_ context.Context, p db.PutSiteParams) error {
	r.sites.put(key{a: p.ID}, db.Site(p))
	return nil
}

func (r *rows) SeeSite(_ context.Context, p db.SeeSiteParams) (int64, error) {
	s, ok := r.sites.get(key{a: p.ID})
	if !ok {
		return 0, nil
	}
	s.Seen, s.Answered = p.Seen, p.Answered
	r.sites.put(key{a: p.ID}, s)
	return 1, nil
}

func (r *rows) Site(_ context.Context, id string) (db.Site, error) {
	return one(r.sites.get(key{a: id}))
}

func (r *rows) Sites(context.Context) ([]db.Site, error) { return values(&r.sites), nil }

func values[V any](t *table[V]) []V {
	var vs []V
	for _, v := range t.all() {
		vs = append(vs, v)
	}
	return vs
}

func (r *rows) InsertToken(_ context.Context, p db.InsertTokenParams) error {
	if _, err := r.SystemToken(context.Background(), p.Hash); err == nil || r.tokens.has(key{a: p.ID}) {
		return unique
	}
	r.tokens.put(key{a: p.ID}, db.Token(p))
	return nil
}

func (r *rows) SystemToken(_ context.Context, hash []byte) (db.Token, error) {
	for _, t := range r.tokens.all() {
		if bytes.Equal(t.Hash, hash) {
			return t, nil
		}
	}
	return db.Token{}, sql.ErrNoRows
}

func (r *rows) SystemTokens(context.Context) ([]db.Token, error) { return values(&r.tokens), nil }

func (r *rows) EndToken(_ context.Context, p db.EndTokenParams) (int64, error) {
	t, ok := r.tokens.get(key{a: p.ID})
	if !ok || t.Tenant != p.Tenant || t.UntilAt <= p.Until {
		return 0, nil
	}
	t.UntilAt = p.Until
	r.tokens.put(key{a: p.ID}, t)
	return 1, nil
}

func (r *rows) RenewLease(_ context.Context, p db.RenewLeaseParams) (int64, error) {
	l, ok := r.leases.get(key{a: p.Name})
	if !ok || l.Epoch != p.Epoch {
		return 0, nil
	}
	l.At = p.At
	r.leases.put(key{a: p.Name}, l)
	return 1, nil
}

func (r *rows) Lead(_ context.Context, p db.LeadParams) (int64, error) {
	old, _ := r.leases.get(key{a: p.Name})
	r.leases.put(key{a: p.Name}, db.Lease{Name: p.Name, Holder: p.Holder, Epoch: old.Epoch + 1, At: p.At})
	return old.Epoch + 1, nil
}

func (r *rows) Lease(_ context.Context, name string) (db.Lease, error) {
	return one(r.leases.get(key{a: name}))
}

func (r *rows) Meta(_ context.Context, k string) (string, error) { return one(r.metas.get(key{a: k})) }

func (r *rows) SetMeta(_ context.Context, p db.SetMetaParams) error {
	r.metas.put(key{a: p.Key}, p.Value)
	return nil
}
