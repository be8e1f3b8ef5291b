package grid

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"time"
)

// UnknownRate is a price that nobody has told us. A price of zero is a price,
// and so is one below zero.
const UnknownRate Rate = math.MinInt64

// MaxRate is the largest price that is believed, either way: 100 units of
// currency per kWh. Day-ahead markets end at 4 to 20.
const MaxRate Rate = 100_000_000

// Known reports whether r is a price at all.
func (r Rate) Known() bool { return r != UnknownRate }

// Prices are wholesale prices of electricity at equal steps, all from one issue
// of one provider. They are a type of their own, so that no sum of carbon can
// take one in. Taxes and the tariff of the network are not in them.
type Prices struct {
	Provider string        `json:"provider"`
	Zone     Zone          `json:"zone"`
	Issued   time.Time     `json:"issued"`
	Currency string        `json:"currency"` // ISO 4217: EUR
	Start    time.Time     `json:"start"`
	Step     time.Duration `json:"step"`
	Values   []Rate        `json:"values"` // UnknownRate where the provider has none
}

// End returns the end of the last step.
func (p Prices) End() time.Time { return p.Start.Add(time.Duration(len(p.Values)) * p.Step) }

// At returns the price that holds at t; ok is false if it is not known.
func (p Prices) At(t time.Time) (Rate, bool) {
	if p.Step <= 0 || t.Before(p.Start) || !t.Before(p.End()) {
		return UnknownRate, false
	}
	r := p.Values[int(t.Sub(p.Start)/p.Step)]
	return r, r.Known()
}

// Validate reports the first thing that makes p unfit for use. It is the gate
// that prices pass before they are stored.
func (p Prices) Validate() error {
	switch {
	case !p.Zone.plausible():
		return fmt.Errorf("prices have zone %q, want 1 to 64 letters, digits and -_.:/", p.Zone)
	case p.Provider == "":
		return fmt.Errorf("prices of %s do not say who says so", p.Zone)
	case !currency(p.Currency):
		return fmt.Errorf("prices of %s have currency %q, want three letters as EUR", p.Zone, p.Currency)
	case p.Step < time.Minute || p.Step > 24*time.Hour:
		return fmt.Errorf("prices of %s have a step of %s, want 1 min to 24 h", p.Zone, p.Step)
	case p.Issued.IsZero() || !sensible(p.Issued):
		return fmt.Errorf("prices of %s were issued at %s, want years %d to %d", p.Zone, p.Issued.Format(time.RFC3339), firstYear, lastYear)
	case !sensible(p.Start) || len(p.Values) > int((lastYear-firstYear)*366*24*time.Hour/p.Step) || !sensible(p.End()):
		return fmt.Errorf("prices of %s start in the year %d and have %d steps of %s, want years %d to %d", p.Zone, p.Start.Year(), len(p.Values), p.Step, firstYear, lastYear)
	}
	for i, r := range p.Values {
		if r.Known() && (r > MaxRate || r < -MaxRate) {
			return fmt.Errorf("prices of %s say %g %s/kWh at %s, want at most 100 either way", p.Zone, float64(r)/1e6, p.Currency, p.Start.Add(time.Duration(i)*p.Step).Format(time.RFC3339))
		}
	}
	return nil
}

// Digest names the prices by their content, as Series.Digest does a series.
func (p Prices) Digest() string {
	h := sha256.New()
	for _, t := range []string{"prices", p.Provider, string(p.Zone), p.Currency} {
		_ = binary.Write(h, binary.BigEndian, uint32(len(t)))
		h.Write([]byte(t))
	}
	_ = binary.Write(h, binary.BigEndian, []int64{p.Issued.UnixMicro(), p.Start.UnixMicro(), int64(p.Step)})
	_ = binary.Write(h, binary.BigEndian, p.Values)
	return hex.EncodeToString(h.Sum(nil))
}
