package store

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"clusy.io/clusy/internal/store/db"
)

func zoneKey(s db.Signal) key {
	return key{a: s.Zone + "\x00" + s.Kind, n: s.StartAt, m: s.Issued, c: s.Ref}
}

// ofZone returns the signals of a zone and a kind, by start, issue and ref.
func (r *rows) ofZone(zone, kind string) iter.Seq[db.Signal] {
	return func(yield func(db.Signal) bool) {
		name := zone + "\x00" + kind
		for k := range r.zones.after(key{a: name, n: math.MinInt64}) {
			if k.a != name {
				return
			}
			if s, _ := r.signals.get(key{a: k.c}); !yield(s) {
				return
			}
		}
	}
}

func (r *rows) InsertSignal(_ context.Context, p db.InsertSignalParams) error {
	s := db.Signal(p)
	if r.signals.has(key{a: s.Ref}) {
		return unique
	}
	if s.Idx.Valid && !r.leaves.has(key{n: s.Idx.Int64}) {
		return foreign
	}
	r.signals.put(key{a: s.Ref}, s)
	r.zones.put(zoneKey(s), struct{}{})
	return nil
}

func (r *rows) Signal(_ context.Context, ref string) (db.Signal, error) {
	return one(r.signals.get(key{a: ref}))
}

func (r *rows) SignalHead(_ context.Context, ref string) (db.SignalHeadRow, error) {
	s, ok := r.signals.get(key{a: ref})
	return one(db.SignalHeadRow{Kind: s.Kind, Zone: s.Zone, Provider: s.Provider, Basis: s.Basis, Issued: s.Issued, Revision: s.Revision}, ok)
}

func (r *rows) SignalsSince(_ context.Context, p db.SignalsSinceParams) (ss []db.Signal, _ error) {
	for s := range r.ofZone(p.Zone, p.Kind) {
		if s.EndAt > p.Since {
			ss = append(ss, s)
		}
	}
	return ss, nil
}

// byIssue compares signals by issue, revision and ref.
func byIssue(a, b db.Signal) int {
	return cmp.Or(cmp.Compare(a.Issued, b.Issued), cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Ref, b.Ref))
}

func (r *rows) SignalsIssuedSince(_ context.Context, p db.SignalsIssuedSinceParams) (ss []db.Signal, _ error) {
	for s := range r.ofZone(p.Zone, p.Kind) {
		if s.Issued >= p.Since {
			ss = append(ss, s)
		}
	}
	slices.SortFunc(ss, byIssue)
	return ss, nil
}

func (r *rows) SignalIssuedBy(_ context.Context, p db.SignalIssuedByParams) (db.Signal, error) {
	var best db.Signal
	found := false
	for s := range r.ofZone(p.Zone, p.Kind) {
		if s.Issued > p.At || s.Basis != p.Basis {
			continue
		}
		if c := cmp.Or(cmp.Compare(s.Issued, best.Issued), cmp.Compare(s.Revision, best.Revision), cmp.Compare(best.Ref, s.Ref)); !found || c > 0 {
			best, found = s, true
		}
	}
	return one(best, found)
}

func (r *rows) SignalsWithin(_ context.Context, p db.SignalsWithinParams) (refs []string, _ error) {
	for s := range r.ofZone(p.Zone, p.Kind) {
		if s.Provider == p.Provider && s.Basis == p.Basis && s.Issued <= p.Issued && s.StartAt >= p.First && s.EndAt <= p.Last {
			refs = append(refs, s.Ref)
		}
	}
	slices.Sort(refs)
	return refs, nil
}

func (r *rows) PutNewest(_ context.Context, p db.PutNewestParams) error {
	if !r.signals.has(key{a: p.Ref}) {
		return foreign
	}
	k := key{a: p.Zone, b: p.Provider, c: p.Basis}
	old, ok := r.newest.get(k)
	if !ok || cmp.Or(cmp.Compare(p.Issued, old.Issued), cmp.Compare(p.Revision, old.Revision)) >= 0 || old.Issued > p.Now {
		r.newest.put(k, p)
	}
	return nil
}

func (r *rows) NewestRefs(context.Context) (refs []string, _ error) {
	for _, l := range r.newest.all() {
		refs = append(refs, l.Ref)
	}
	return refs, nil
}

func (r *rows) NewestSignals(context.Context) (ss []db.Signal, _ error) {
	for _, l := range r.newest.all() {
		s, _ := r.signals.get(key{a: l.Ref})
		ss = append(ss, s)
	}
	return ss, nil
}

func (r *rows) UseSeries(_ context.Context, p db.UseSeriesParams) error {
	r.uses.put(key{a: p.Ref, n: p.Idx}, struct{}{})
	return nil
}

// used reports whether something on record refers to a series.
func (r *rows) used(ref string) bool {
	for k := range r.uses.after(key{a: ref, n: math.MinInt64}) {
		return k.a == ref
	}
	return false
}

// isNewest reports whether a series is the newest of its zone, provider and
// basis: it cannot go while it is.
func (r *rows) isNewest(s db.Signal) bool {
	l, ok := r.newest.get(key{a: s.Zone, b: s.Provider, c: s.Basis})
	return ok && l.Ref == s.Ref
}

func (r *rows) DropSignal(_ context.Context, ref string) error {
	s, ok := r.signals.get(key{a: ref})
	switch {
	case !ok || r.used(ref):
		return nil
	case r.isNewest(s):
		return foreign
	}
	r.signals.remove(key{a: ref})
	r.zones.remove(zoneKey(s))
	return nil
}

func (r *rows) PruneNewest(_ context.Context, before int64) error {
	prune(&r.newest, func(l db.PutNewestParams) bool { return l.EndAt < before })
	return nil
}

func (r *rows) PruneSignals(_ context.Context, p db.PruneSignalsParams) (int64, error) {
	var held error
	n := prune(&r.signals, func(s db.Signal) bool {
		if s.Kind != p.Kind || s.EndAt >= p.Before || r.used(s.Ref) {
			return false
		}
		if r.isNewest(s) {
			held = foreign
			return false
		}
		r.zones.remove(zoneKey(s))
		return true
	})
	return n, held
}
