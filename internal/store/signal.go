package store

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

// Signal is a series on its way into the store.
type Signal struct {
	Kind   SignalKind // Measured, Forecast or Issued
	Series grid.Series
	// Replaces is the ref of the series that this one continues or corrects,
	// "" if there is none. It must be of the same kind, zone, provider and
	// basis and issued no later, and is dropped with the same record, unless
	// something on record refers to it. One that is not there is no error.
	Replaces string
}

// Retention says which series are old: those of a kind that ended before its
// time. The zero time keeps all of a kind.
type Retention struct {
	Measured  time.Time
	Forecasts time.Time
	Issued    time.Time
	Prices    time.Time
}

// DigestOf is how a record commits to the series that it brought: hex SHA-256
// over their refs, sorted, a line each. A ref is the digest of its content.
func DigestOf(refs []string) string {
	h := sha256.New()
	for _, r := range slices.Sorted(slices.Values(refs)) {
		h.Write([]byte(r + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (t *systemTx) PutSignal(kind SignalKind, s grid.Series, e audit.Event) (string, bool, error) {
	stored, err := t.PutSignals([]Signal{{Kind: kind, Series: s}}, e)
	if err != nil {
		return "", false, err
	}
	return s.Digest(), len(stored) > 0, nil
}

func (t *systemTx) PutSignals(signals []Signal, e audit.Event) ([]string, error) {
	var arrived []arrival
	for _, s := range signals {
		if s.Kind != Measured && s.Kind != Forecast && s.Kind != Issued {
			return nil, problem.Errorf(problem.Invalid, "a series is measured, a forecast or issued, not %q", s.Kind)
		}
		body, err := s.Series.MarshalBinary()
		if err != nil {
			return nil, &problem.Error{Kind: problem.Invalid, Detail: err.Error(), Cause: err}
		}
		x := s.Series
		a := arrival{SignalHeadRow: headOf(s.Kind, x), ref: x.Digest(), start: x.Start, end: x.End(), body: body}
		if s.Replaces != "" && s.Replaces != a.ref {
			a.replaces = []string{s.Replaces}
		}
		arrived = append(arrived, a)
	}
	return t.arrive(arrived, e)
}

func (t *systemTx) PutPrices(prices []grid.Prices, e audit.Event) ([]string, error) {
	if err := t.writable(); err != nil {
		return nil, err
	}
	var arrived []arrival
	for _, p := range prices {
		body, err := p.MarshalBinary()
		if err != nil {
			return nil, &problem.Error{Kind: problem.Invalid, Detail: err.Error(), Cause: err}
		}
		a := arrival{
			SignalHeadRow: db.SignalHeadRow{Kind: string(Price), Zone: string(p.Zone), Provider: p.Provider, Basis: p.Currency, Issued: usec(p.Issued)},
			ref:           p.Digest(), start: p.Start, end: p.End(), body: body,
		}
		// A market says the prices of a day once. What it says again, or says
		// of more, takes the place of what it said before.
		if a.replaces, err = t.q.SignalsWithin(t.ctx, db.SignalsWithinParams{
			Zone: a.Zone, Kind: a.Kind, Provider: a.Provider, Basis: a.Basis, Issued: a.Issued, First: usec(a.start), Last: usec(a.end)}); err != nil {
			return nil, t.failed("reading earlier prices of "+a.Zone, err)
		}
		arrived = append(arrived, a)
	}
	return t.arrive(arrived, e)
}

// arrival is a row on its way into the table of signals.
type arrival struct {
	db.SignalHeadRow
	ref        string
	start, end time.Time
	body       []byte
	replaces   []string
}

func headOf(kind SignalKind, s grid.Series) db.SignalHeadRow {
	return db.SignalHeadRow{Kind: string(kind), Zone: string(s.Zone), Provider: s.Provider, Basis: s.Basis.String(), Issued: usec(s.Issued), Revision: int64(s.Revision)}
}

// arrive stores what is new of arrived under one record, and returns the refs
// of that.
func (t *systemTx) arrive(arrived []arrival, e audit.Event) (refs []string, err error) {
	if err := t.writable(); err != nil {
		return nil, err
	}
	// 1. Doubt. Nothing is written yet, so that a refusal spoils nothing.
	var fresh []arrival
	seen := map[string]bool{}
	for _, a := range arrived {
		if seen[a.ref] {
			continue
		}
		seen[a.ref] = true
		if _, known, err := t.head(a.ref); err != nil {
			return nil, err
		} else if known {
			continue
		}
		for _, old := range a.replaces {
			h, known, err := t.head(old)
			if err != nil {
				return nil, err
			}
			if known && !succeeds(a.SignalHeadRow, h) {
				return nil, problem.Errorf(problem.Invalid, "the %s series of %s (%s, %s) cannot replace %s, which is the %s one of %s (%s, %s): give one of the same, issued no later",
					a.Kind, a.Zone, a.Provider, a.Basis, old, h.Kind, h.Zone, h.Provider, h.Basis)
			}
		}
		fresh, refs = append(fresh, a), append(refs, a.ref)
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	// 2. One record for all of them.
	digest := DigestOf(refs)
	e = detail(e, "count", strconv.Itoa(len(fresh)), "kinds", kindsOf(fresh), "digest", digest)
	if len(fresh) == 1 {
		e = detail(e, "zone", fresh[0].Zone, "provider", fresh[0].Provider, "ref", fresh[0].ref)
	}
	index, err := t.record(fact{Event: e, kind: audit.SignalStored, tenant: e.Tenant, object: "signals:" + digest})
	if err != nil {
		return nil, err
	}
	// 3. The rows; a newest forecast moves on before its predecessor goes.
	for _, a := range fresh {
		if err := t.failed("storing a series", t.q.InsertSignal(t.ctx, db.InsertSignalParams{
			Ref: a.ref, Kind: a.Kind, Zone: a.Zone, Provider: a.Provider, Basis: a.Basis, StartAt: usec(a.start), EndAt: usec(a.end),
			Issued: a.Issued, Revision: a.Revision, Idx: sql.NullInt64{Int64: index, Valid: true}, Body: a.body})); err != nil {
			return nil, err
		}
		if a.Kind == string(Forecast) {
			if err := t.failed("noting the newest forecast", t.q.PutNewest(t.ctx, db.PutNewestParams{
				Zone: a.Zone, Provider: a.Provider, Basis: a.Basis, Issued: a.Issued, Revision: a.Revision, EndAt: usec(a.end), Ref: a.ref, Now: usec(e.At)})); err != nil {
				return nil, err
			}
		}
		for _, old := range a.replaces {
			if err := t.failed("dropping a series that was replaced", t.q.DropSignal(t.ctx, old)); err != nil {
				return nil, err
			}
		}
	}
	return refs, nil
}

// head returns what a series is of; known is false if it is not stored.
func (t *systemTx) head(ref string) (h db.SignalHeadRow, known bool, err error) {
	h, err = t.q.SignalHead(t.ctx, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return h, false, nil
	}
	return h, err == nil, t.failed("looking for a series", err)
}

// succeeds reports whether a series may take the place of an old one.
func succeeds(now, old db.SignalHeadRow) bool {
	return now.Kind == old.Kind && now.Zone == old.Zone && now.Provider == old.Provider && now.Basis == old.Basis &&
		cmp.Or(cmp.Compare(now.Issued, old.Issued), cmp.Compare(now.Revision, old.Revision)) >= 0
}

// kindsOf counts: "forecast 1000, issued 20".
func kindsOf(arrived []arrival) string {
	n := map[string]int{}
	for _, a := range arrived {
		n[a.Kind]++
	}
	var parts []string
	for k, n := range n {
		parts = append(parts, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// Signal reads what is on disk, and not from the shelf: verification asks it.
func (t *systemTx) Signal(ref string) (grid.Series, error) {
	row, err := t.q.Signal(t.ctx, ref)
	if errors.Is(err, sql.ErrNoRows) || err == nil && row.Kind == string(Price) {
		return grid.Series{}, missing("series "+ref, nil)
	}
	if err != nil {
		return grid.Series{}, t.failed("reading a series", err)
	}
	return unpack(row)
}

func (t *systemTx) ForecastAt(zone grid.Zone, basis grid.Basis, at time.Time) (grid.Series, error) {
	row, err := t.q.SignalIssuedBy(t.ctx, db.SignalIssuedByParams{Zone: string(zone), Kind: string(Forecast), Basis: basis.String(), At: usec(at)})
	if errors.Is(err, sql.ErrNoRows) {
		return grid.Series{}, missing(fmt.Sprintf("forecast of %s issued by %s", zone, at.UTC().Format(time.RFC3339)), nil)
	}
	if err != nil {
		return grid.Series{}, t.failed("reading a forecast", err)
	}
	return t.shelf.read(row)
}

func (t *systemTx) Measured(zone grid.Zone, since time.Time) ([]grid.Series, error) {
	rows, err := t.q.SignalsSince(t.ctx, db.SignalsSinceParams{Zone: string(zone), Kind: string(Measured), Since: usec(since)})
	if err != nil {
		return nil, t.failed("reading the measured series of "+string(zone), err)
	}
	return each(rows, t.shelf.read)
}

func (t *systemTx) IssuedForecasts(zone grid.Zone, since time.Time) ([]grid.Series, error) {
	rows, err := t.q.SignalsIssuedSince(t.ctx, db.SignalsIssuedSinceParams{Zone: string(zone), Kind: string(Issued), Since: usec(since)})
	if err != nil {
		return nil, t.failed("reading the forecasts issued for "+string(zone), err)
	}
	return each(rows, t.shelf.read)
}

func (t *systemTx) Prices(zone grid.Zone, since time.Time) ([]grid.Prices, error) {
	rows, err := t.q.SignalsSince(t.ctx, db.SignalsSinceParams{Zone: string(zone), Kind: string(Price), Since: usec(since)})
	if err != nil {
		return nil, t.failed("reading the prices of "+string(zone), err)
	}
	return each(rows, prices)
}

func (t *systemTx) LatestForecasts() (map[grid.Zone][]grid.Series, error) {
	all, err := t.newest()
	if err != nil {
		return nil, err
	}
	byZone := map[grid.Zone][]grid.Series{}
	for _, s := range all {
		byZone[s.Zone] = append(byZone[s.Zone], s)
	}
	for _, ss := range byZone {
		slices.SortStableFunc(ss, func(a, b grid.Series) int {
			return cmp.Or(b.Issued.Compare(a.Issued), cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.Grade, b.Grade))
		})
	}
	return byZone, nil
}

// newest returns the newest forecasts by zone, provider and basis. They change
// one by one, so most are on the shelf; where few are, one query is faster.
func (t *systemTx) newest() ([]grid.Series, error) {
	if err := t.shelf.doubt(); err != nil {
		return nil, err
	}
	refs, err := t.q.NewestRefs(t.ctx)
	if err != nil {
		return nil, t.failed("reading which forecasts are the newest", err)
	}
	all := make([]grid.Series, len(refs))
	var missing []int
	for i, ref := range refs {
		var ok bool
		if all[i], ok = t.shelf.get(ref); !ok {
			missing = append(missing, i)
		}
	}
	if len(missing) > len(refs)/8 {
		rows, err := t.q.NewestSignals(t.ctx)
		if err != nil {
			return nil, t.failed("reading the newest forecasts", err)
		}
		return each(rows, t.shelf.read)
	}
	for _, i := range missing {
		row, err := t.q.Signal(t.ctx, refs[i])
		if err != nil {
			return nil, t.failed("reading a newest forecast", err)
		}
		if all[i], err = t.shelf.read(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (t *systemTx) PruneSignals(keep Retention) (n int64, err error) {
	if err := t.writable(); err != nil {
		return 0, err
	}
	for _, k := range []struct {
		kind   SignalKind
		before time.Time
	}{{Measured, keep.Measured}, {Forecast, keep.Forecasts}, {Issued, keep.Issued}, {Price, keep.Prices}} {
		if k.before.IsZero() {
			continue
		}
		if k.kind == Forecast {
			if err := t.failed("dropping old series", t.q.PruneNewest(t.ctx, usec(k.before))); err != nil {
				return n, err
			}
		}
		gone, err := t.q.PruneSignals(t.ctx, db.PruneSignalsParams{Kind: string(k.kind), Before: usec(k.before)})
		if err := t.failed("dropping old series", err); err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}
