package store

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

func (t *tenantTx) AppendEntry(e ledger.Entry) (int64, error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	m := e.Meter
	switch {
	case m.Tenant != t.tenant:
		return 0, missing("workload "+m.Workload, nil)
	case e.Booked.IsZero() || usec(e.Booked) < 0:
		return 0, fmt.Errorf("the ledger entry of attempt %s does not say when it was booked", attemptID(m.Workload, m.Attempt))
	}
	if _, err := t.attemptRow(m.Workload, m.Attempt); err != nil {
		return 0, err
	}
	body, err := ledger.Marshal(e)
	if err != nil {
		return 0, err
	}
	index, err := t.log.add(t.ctx, t.q, t.tenant, usec(e.Booked), audit.LedgerEntry, attemptObject(m.Workload, m.Attempt), m.Workload, body)
	if err != nil {
		return 0, t.failed("putting a ledger entry on record", err)
	}
	if err := t.failed("adding a ledger entry", t.q.InsertLedgerEntry(t.ctx, db.InsertLedgerEntryParams{
		Idx: index, Tenant: string(t.tenant), Workload: m.Workload, Attempt: int64(m.Attempt), Hour: usec(m.Hour)})); err != nil {
		return 0, err
	}
	for _, us := range [][]ledger.Use{e.Uses, e.Instead} {
		for _, u := range us {
			if err := t.use(u.Signal.Ref, index); err != nil {
				return 0, err
			}
		}
	}
	return index, nil
}

func (t *tenantTx) Entries(id string, after int64, limit int) ([]LedgerLine, error) {
	who := string(t.tenant)
	if id != "" {
		rows, err := t.q.WorkloadLedgerEntries(t.ctx, db.WorkloadLedgerEntriesParams{Tenant: who, Workload: id, Idx: after, Most: page(limit)})
		if err != nil {
			return nil, t.failed("reading the ledger of workload "+id, err)
		}
		return each(rows, func(r db.WorkloadLedgerEntriesRow) (LedgerLine, error) { return line(t.tenant, r.Idx, r.Sealed) })
	}
	rows, err := t.q.LedgerEntries(t.ctx, db.LedgerEntriesParams{Tenant: who, Idx: after, Most: page(limit)})
	if err != nil {
		return nil, t.failed("reading the ledger", err)
	}
	return each(rows, func(r db.LedgerEntriesRow) (LedgerLine, error) { return line(t.tenant, r.Idx, r.Sealed) })
}

func line(t access.Tenant, index int64, sealed []byte) (LedgerLine, error) {
	_, body, err := open(t, sealed)
	if err != nil {
		return LedgerLine{}, fmt.Errorf("ledger entry %d: %w", index, err)
	}
	e, err := ledger.Unmarshal(body)
	if err != nil {
		return LedgerLine{}, fmt.Errorf("ledger entry %d: %w", index, err)
	}
	return LedgerLine{Index: index, Entry: e}, nil
}

func (t *tenantTx) PutMeter(m ledger.Meter) error {
	if err := t.writable(); err != nil {
		return err
	}
	name := attemptID(m.Workload, m.Attempt)
	if m.Tenant == "" {
		m.Tenant = t.tenant
	} else if m.Tenant != t.tenant {
		return missing("attempt "+name, nil)
	}
	if err := m.Validate(); err != nil {
		return &problem.Error{Kind: problem.Invalid, Detail: "a meter of attempt " + name + ": " + err.Error(), Cause: err}
	}
	m.Hour = m.Hour.UTC()
	if _, err := t.attemptRow(m.Workload, m.Attempt); err != nil {
		return err
	}
	body, err := encode("a meter", m)
	if err != nil {
		return err
	}
	key := db.MeterParams{Tenant: string(t.tenant), Workload: m.Workload, Attempt: int64(m.Attempt), Hour: usec(m.Hour)}
	stored, err := t.q.Meter(t.ctx, key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return t.failed("reading a meter of attempt "+name, err)
	case stored.Body == body:
		return nil
	case stored.Settled.Valid:
		return problem.Errorf(problem.Conflict, "the hour %s of attempt %s is settled by ledger entry %d", m.Hour.Format(time.RFC3339), name, stored.Settled.Int64)
	}
	n, err := t.q.PutMeter(t.ctx, db.PutMeterParams{
		Workload: m.Workload, Attempt: int64(m.Attempt), Hour: usec(m.Hour), Tenant: string(t.tenant), Body: body})
	return t.one("keeping a meter of attempt "+name, n, err)
}

func meter(r db.Meter) (ledger.Meter, error) { return decode[ledger.Meter]("a meter", r.Body) }

func (t *tenantTx) Meters(id string) ([]ledger.Meter, error) {
	rows, err := t.q.Meters(t.ctx, db.MetersParams{Tenant: string(t.tenant), Workload: id})
	if err != nil {
		return nil, t.failed("reading the meters of workload "+id, err)
	}
	return each(rows, meter)
}

func (t *systemTx) UnsettledMeters() ([]ledger.Meter, error) {
	rows, err := t.q.SystemUnsettledMeters(t.ctx)
	if err != nil {
		return nil, t.failed("reading the unsettled meters", err)
	}
	return each(rows, meter)
}

func (t *systemTx) SettleMeter(id string, n int, hour time.Time, index int64) error {
	if err := t.writable(); err != nil {
		return err
	}
	name := attemptID(id, n)
	e, err := t.q.SystemLedgerEntry(t.ctx, index)
	if errors.Is(err, sql.ErrNoRows) {
		return missing(fmt.Sprintf("ledger entry %d", index), nil)
	}
	if err != nil {
		return t.failed("reading a ledger entry", err)
	}
	if e.Workload != id || e.Attempt != int64(n) || e.Hour != usec(hour) {
		return problem.Errorf(problem.Conflict, "ledger entry %d is not of the hour %s of attempt %s", index, hour.UTC().Format(time.RFC3339), name)
	}
	rows, err := t.q.SystemSettleMeter(t.ctx, db.SystemSettleMeterParams{
		Workload: id, Attempt: int64(n), Hour: usec(hour), Idx: sql.NullInt64{Int64: index, Valid: true}})
	if err == nil && rows == 0 {
		return problem.Errorf(problem.Conflict, "the hour %s of attempt %s is settled, or was never metered", hour.UTC().Format(time.RFC3339), name)
	}
	return t.failed("settling a meter of attempt "+name, err)
}
