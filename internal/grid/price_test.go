package grid

import (
	"strings"
	"testing"
	"time"
)

func dayAhead(values ...Rate) Prices {
	return Prices{Provider: "p", Zone: "DE-LU", Issued: midnight, Currency: "EUR", Start: midnight, Step: time.Hour, Values: values}
}

func TestPrices(t *testing.T) {
	p := dayAhead(84_120, -5_000, UnknownRate, 0)
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for h, want := range []Rate{84_120, -5_000, UnknownRate, 0, UnknownRate} {
		r, ok := p.At(hour(float64(h) + 0.5))
		if r != want || ok != want.Known() {
			t.Errorf("at hour %d: got %d %v, want %d", h, r, ok, want)
		}
	}
	if _, ok := p.At(midnight.Add(-1)); ok {
		t.Error("a price is known before the first")
	}
	if _, ok := (Prices{}).At(midnight); ok {
		t.Error("no prices know a price")
	}
}

func TestPricesRefused(t *testing.T) {
	for what, spoil := range map[string]func(*Prices){
		"zone":        func(p *Prices) { p.Zone = "DE LU" },
		"who says":    func(p *Prices) { p.Provider = "" },
		"currency":    func(p *Prices) { p.Currency = "euro" },
		"step":        func(p *Prices) { p.Step = time.Second },
		"issued":      func(p *Prices) { p.Issued = time.Time{} },
		"start":       func(p *Prices) { p.Start = time.Date(1066, 1, 1, 0, 0, 0, 0, time.UTC) },
		"at most 100": func(p *Prices) { p.Values[1] = -MaxRate - 1 },
	} {
		p := dayAhead(1, 2)
		spoil(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// Every field is in the name.
func TestPricesDigest(t *testing.T) {
	seen := map[string]bool{dayAhead(1, 2).Digest(): true}
	for _, change := range []func(*Prices){
		func(p *Prices) { p.Zone = "FR" }, func(p *Prices) { p.Provider = "q" }, func(p *Prices) { p.Currency = "GBP" },
		func(p *Prices) { p.Issued = hour(1) }, func(p *Prices) { p.Start = hour(1) }, func(p *Prices) { p.Step = time.Minute },
		func(p *Prices) { p.Values[0] = UnknownRate },
	} {
		p := dayAhead(1, 2)
		change(&p)
		if d := p.Digest(); seen[d] {
			t.Errorf("%+v has the name of another", p)
		} else {
			seen[d] = true
		}
	}
}
