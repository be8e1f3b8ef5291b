package grid

import (
	"maps"
	"math/bits"
	"slices"
	"time"
)

// Outlook is what is known and expected of one zone in one basis: several
// series, the most trusted first. At each instant the first one that knows a
// value is believed. It can only be made by Believe, so that no mean and no sum
// ever runs over two bases.
type Outlook struct {
	zone   Zone
	basis  Basis
	series []Series
}

// Believe returns the outlook of a zone in one basis on the series, the most
// trusted first. Series of another zone or basis tell of something else: they
// are left out.
func Believe(zone Zone, basis Basis, series ...Series) Outlook {
	o := Outlook{zone: zone, basis: basis}
	for _, s := range series {
		if s.Zone == zone && s.Basis == basis {
			o.series = append(o.series, s)
		}
	}
	return o
}

// Zone returns the zone that o is of.
func (o Outlook) Zone() Zone { return o.zone }

// Basis returns what the intensities of o count.
func (o Outlook) Basis() Basis { return o.basis }

// Series returns the series of o, the most trusted first. They are not to be
// changed.
func (o Outlook) Series() []Series { return o.series }

// Outlooks is what is known and expected of several zones, all in one basis:
// what choosing between places may rest on.
type Outlooks struct {
	basis Basis
	zones map[Zone]Outlook
}

// BelieveAll returns the outlook of each zone in one basis; see Believe.
func BelieveAll(basis Basis, series map[Zone][]Series) Outlooks {
	all := Outlooks{basis, make(map[Zone]Outlook, len(series))}
	for zone, ss := range series {
		all.zones[zone] = Believe(zone, basis, ss...)
	}
	return all
}

// Basis returns what the intensities of all count.
func (all Outlooks) Basis() Basis { return all.basis }

// Zones returns the zones of which something was told, sorted.
func (all Outlooks) Zones() []Zone { return slices.Sorted(maps.Keys(all.zones)) }

// Of returns the outlook of a zone, in which nothing is known if there is none.
func (all Outlooks) Of(zone Zone) Outlook {
	if o, ok := all.zones[zone]; ok {
		return o
	}
	return Believe(zone, all.basis)
}

// At returns the most trusted value that holds at t.
func (o Outlook) At(t time.Time) (Reading, bool) {
	for _, s := range o.series {
		if r, ok := s.At(t); ok {
			return r, true
		}
	}
	return Reading{}, false
}

// Until returns the end of the piece of constant intensity that holds at t,
// at most limit. A piece ends where any series steps, as a more trusted one
// may begin to know there.
func (o Outlook) Until(t, limit time.Time) time.Time {
	for _, s := range o.series {
		if s.Step <= 0 {
			continue
		}
		if t.Before(s.Start) {
			limit = earlier(limit, s.Start)
		} else if i := s.index(t); i >= 0 {
			limit = earlier(limit, s.Start.Add(time.Duration(i+1)*s.Step))
		}
	}
	return limit
}

// Mean returns the time-weighted mean intensity over [from, to), rounded up,
// and the worst grade it rests on; ok is false if any part is unknown.
func (o Outlook) Mean(from, to time.Time) (mean Intensity, grade Grade, ok bool) {
	if !from.Before(to) {
		return Unknown, "", false
	}
	// The sum is exact: intensity × nanoseconds, in 128 bits.
	var hi, lo, whole uint64
	for t := from; t.Before(to); {
		r, known := o.At(t)
		if !known {
			return Unknown, "", false
		}
		end := o.Until(t, to)
		ns := uint64(end.Sub(t))
		h, l := bits.Mul64(uint64(r.Value), ns)
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
		whole += ns
		grade = Worse(grade, r.Grade)
		t = end
	}
	// A mean is never above the largest value, so the quotient fits.
	q, rest := bits.Div64(hi, lo, whole)
	if rest > 0 {
		q++
	}
	return Intensity(q), grade, true
}

// Emitted returns the carbon of drawing p all through [from, to); ok is false
// if any part of the time has no known intensity.
func (o Outlook) Emitted(p Power, from, to time.Time) (c Carbon, grade Grade, ok bool) {
	mean, grade, ok := o.Mean(from, to)
	if !ok {
		return 0, "", false
	}
	return Emitted(Drawn(p, to.Sub(from)), mean), grade, true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
