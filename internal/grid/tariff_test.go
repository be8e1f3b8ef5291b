package grid

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTariff(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h := func(n float64) time.Time { return day.Add(time.Duration(n * float64(time.Hour))) }
	told := func(currency string, issued, start float64, rates ...Rate) Prices {
		return Prices{Provider: "m", Zone: "DE", Issued: h(issued), Currency: currency, Start: h(start), Step: time.Hour, Values: rates}
	}
	eur := NewTariff(100_000, "EUR", told("EUR", -2, 0, 50_000, -20_000, UnknownRate, 80_000), told("EUR", -1, 3, 90_000), told("SEK", 0, 0, 1, 1, 1, 1))
	for at, want := range map[float64]Rate{-1: 100_000, 0: 50_000, 1.5: -20_000, 2: 100_000, 3: 90_000, 4: 100_000} {
		if r, ok := eur.At(h(at)); !ok || r != want {
			t.Errorf("at %g it costs %d, want %d", at, r, want)
		}
	}
	if _, flat := eur.Flat(); flat || eur.Currency() != "EUR" {
		t.Error("a tariff of the market is flat")
	}
	for _, c := range []struct {
		from, to float64
		want     Rate
	}{{0, 2, 15_000}, {0.5, 2.5, 27_500}, {1, 2, -20_000}, {-1, 0, 100_000}, {3, 5, 95_000}} {
		if m, ok := eur.Mean(h(c.from), h(c.to)); !ok || m != c.want {
			t.Errorf("from %g to %g it costs %d, want %d", c.from, c.to, m, c.want)
		}
	}
	if _, ok := eur.Mean(h(1), h(1)); ok {
		t.Error("no time at all has a mean")
	}
	// Without a price of its own, a place has that of the market, and none where
	// the market has none.
	bare := NewTariff(7, "", told("EUR", -2, 0, 50_000, 60_000), told("SEK", -3, 0, 1))
	if m, ok := bare.Mean(h(0), h(2)); !ok || m != 55_000 || bare.Currency() != "EUR" {
		t.Errorf("bare: %d %v %s", m, ok, bare.Currency())
	}
	if _, ok := bare.Mean(h(1), h(2.001)); ok {
		t.Error("past the market's last word nothing is known")
	}
	// Prices in another currency are as good as unknown.
	other := NewTariff(5, "USD", told("EUR", -2, 0, 50_000))
	if r, flat := other.Flat(); !flat || r != 5 || other.Currency() != "USD" {
		t.Errorf("other: %d %v", r, flat)
	}
	if none := NewTariff(5, ""); none.Currency() != "" {
		t.Error("a price without a currency counts")
	} else if _, ok := none.Mean(h(0), h(1)); ok {
		t.Error("nothing has a mean")
	}
}

// A mean is the exact one, rounded to the dearer side, below zero too.
func TestTariffMeanIsExact(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := Prices{Issued: day, Currency: "EUR", Start: day, Step: time.Duration(1+r.IntN(90)) * time.Minute}
		for range 1 + r.IntN(20) {
			p.Values = append(p.Values, Rate(r.Int64N(2*int64(MaxRate)+1))-MaxRate)
		}
		tariff := NewTariff(Rate(r.Int64N(1000)), "EUR", p)
		from := day.Add(time.Duration(r.Int64N(int64(6 * time.Hour))))
		to := from.Add(1 + time.Duration(r.Int64N(int64(30*time.Hour))))
		sum := new(big.Int)
		for at := from; at.Before(to); {
			v, _ := tariff.At(at)
			end := tariff.Until(at, to)
			if !end.After(at) {
				t.Fatalf("seed %d: a piece without length", seed)
			}
			sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(v)), big.NewInt(int64(end.Sub(at)))))
			at = end
		}
		want, rest := new(big.Int).DivMod(sum, big.NewInt(int64(to.Sub(from))), new(big.Int))
		if rest.Sign() > 0 {
			want.Add(want, big.NewInt(1))
		}
		if got, ok := tariff.Mean(from, to); !ok || int64(got) != want.Int64() {
			t.Fatalf("seed %d: %d, want %s", seed, got, want)
		}
	}
}
