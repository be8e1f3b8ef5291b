package grid

import (
	"math/bits"
	"slices"
	"time"
)

// Tariff is what electricity costs at a place over time, in one currency: at
// each instant the price that the market told last, and the place's own flat
// one where the market has told none.
type Tariff struct {
	currency string
	flat     Rate // UnknownRate if there is none
	market   []Prices
}

// NewTariff returns the tariff of a place. A flat price counts only with its
// currency; prices in another currency are as good as unknown. A place without
// a flat price has the currency of the market's last word.
func NewTariff(flat Rate, currency string, market ...Prices) Tariff {
	t := Tariff{currency: currency, flat: flat}
	if currency == "" {
		t.flat = UnknownRate
	}
	market = slices.Clone(market)
	slices.SortStableFunc(market, func(a, b Prices) int { return b.Issued.Compare(a.Issued) })
	for _, p := range market {
		if t.currency == "" {
			t.currency = p.Currency
		}
		if p.Currency == t.currency && p.Step > 0 && len(p.Values) > 0 {
			t.market = append(t.market, p)
		}
	}
	if len(t.market) > 0 && t.flat.Known() {
		t.flat = min(max(t.flat, -MaxRate), MaxRate)
	}
	return t
}

// Currency returns the currency of t, "" if nothing is known of its prices.
func (t Tariff) Currency() string { return t.currency }

// Flat returns the one price of t; ok is false if it has none, or not only one.
func (t Tariff) Flat() (r Rate, ok bool) { return t.flat, len(t.market) == 0 && t.flat.Known() }

// At returns the price that holds at an instant; ok is false if it is not known.
func (t Tariff) At(at time.Time) (r Rate, ok bool) {
	for _, p := range t.market {
		if r, ok := p.At(at); ok {
			return min(max(r, -MaxRate), MaxRate), true
		}
	}
	return t.flat, t.flat.Known()
}

// Until returns the end of the piece of one price that holds at an instant, at
// most limit.
func (t Tariff) Until(at, limit time.Time) time.Time {
	for _, p := range t.market {
		if at.Before(p.Start) {
			limit = earlier(limit, p.Start)
		} else if at.Before(p.End()) {
			limit = earlier(limit, p.Start.Add((at.Sub(p.Start)/p.Step+1)*p.Step))
		}
	}
	return limit
}

// Mean returns the time-weighted mean price over [from, to), rounded to the
// dearer side; ok is false if any part is unknown.
func (t Tariff) Mean(from, to time.Time) (mean Rate, ok bool) {
	if r, flat := t.Flat(); flat {
		return r, true
	}
	if !from.Before(to) {
		return UnknownRate, false
	}
	// The sum is exact: prices above the lowest there can be × nanoseconds, in
	// 128 bits.
	var hi, lo, whole uint64
	for at := from; at.Before(to); {
		r, known := t.At(at)
		if !known {
			return UnknownRate, false
		}
		end := t.Until(at, to)
		ns := uint64(end.Sub(at))
		h, l := bits.Mul64(uint64(r+MaxRate), ns)
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi, _ = bits.Add64(hi, h, carry)
		whole += ns
		at = end
	}
	q, rest := bits.Div64(hi, lo, whole)
	if rest > 0 {
		q++
	}
	return Rate(q) - MaxRate, true
}
