package tables

import (
	"clusy.io/clusy/internal/grid"
)

// Scheme is a list of emission factors that belong together: a sum takes all
// of its factors from one.
type Scheme string

const (
	EMDefault Scheme = "EM-default" // what Electricity Maps takes where it knows nothing better
	IPCC2014  Scheme = "IPCC2014"   // medians of the IPCC's fifth report
	UNECE2022 Scheme = "UNECE2022"  // ranges only
	NESOGB    Scheme = "NESO-GB"    // Great Britain, combustion and imports
	CodeCarb  Scheme = "codecarbon" // mixed scopes, for comparison only
)

// Mixed is the scope of a scheme that does not say. No sum may use it.
const Mixed grid.Scope = "mixed"

// Factor is what a kilowatt-hour from a fuel emits.
type Factor struct {
	Scheme    Scheme
	Fuel      string
	Scope     grid.Scope
	Value     grid.Intensity // Unknown where the scheme gives a range only
	Low, High grid.Intensity // Unknown where it gives none
	Verified  Verified
	Source    string
	Note      string
}

type factorKey struct {
	scheme Scheme
	fuel   string
	scope  grid.Scope
}

// Fuel is what a source's code for a kind of plant counts as.
type Fuel struct {
	Code string
	Name string // as the source calls it
	Fuel string // of scheme EMDefault
	row  *row
}

func (t *Tables) addFactor(r *row) {
	f := Factor{
		Scheme: Scheme(r.word("scheme")), Fuel: r.need("fuel"),
		Scope: grid.Scope(r.one("scope", string(grid.Lifecycle), string(grid.Direct), string(Mixed))),
		Value: r.intensity("g_per_kwh"), Low: r.intensity("low"), High: r.intensity("high"),
		Verified: r.verified(), Source: r.need("source"), Note: r.cells["note"],
	}
	switch {
	case f.Low.Known() != f.High.Known() || f.Low > f.High:
		r.fault("low", "a range of %q to %q", r.cells["low"], r.cells["high"])
	case !f.Value.Known() && !f.Low.Known():
		r.fault("g_per_kwh", "neither a value nor a range")
	case f.Value.Known() && f.Low.Known() && (f.Value < f.Low || f.Value > f.High):
		r.fault("g_per_kwh", "%s is outside its range of %s to %s", r.cells["g_per_kwh"], r.cells["low"], r.cells["high"])
	}
	if t.factor == nil {
		t.factor = map[factorKey]int{}
	}
	t.factor[factorKey{f.Scheme, fold(f.Fuel), f.Scope}] = len(t.factors)
	t.factors = append(t.factors, f)
}

func (t *Tables) addFuel(r *row) {
	if t.fuel == nil {
		t.fuel = map[[2]string]Fuel{}
	}
	system := r.one("system", string(ENTSOE), string(EIA))
	f := Fuel{Code: r.word("code"), Name: r.need("name"), Fuel: r.need("fuel"), row: r}
	t.fuel[[2]string{system, f.Code}] = f
}

// Factor returns the factor of a fuel in a scheme, the fuel in any case; ok is
// false if the scheme does not say one number.
func (t *Tables) Factor(s Scheme, fuel string, scope grid.Scope) (i grid.Intensity, ok bool) {
	n, ok := t.factor[factorKey{s, fold(fuel), scope}]
	if !ok || !t.factors[n].Value.Known() {
		return grid.Unknown, false
	}
	return t.factors[n].Value, true
}

// Factors returns all factors of all schemes.
func (t *Tables) Factors() []Factor { return t.factors }

// Fuel returns what a code of ENTSOE (B04) or EIA (NG) counts as.
func (t *Tables) Fuel(s System, code string) (Fuel, bool) {
	f, ok := t.fuel[[2]string{string(s), code}]
	return f, ok
}
