package tables

import (
	"math"

	"clusy.io/clusy/internal/grid"
)

// Kinds of hardware in the table of power.
const (
	VCPU        = "vcpu"        // one thread of a server of some make
	VCPUFleet   = "vcpu-fleet"  // one thread of a provider's servers, on the average
	GPU         = "gpu"         // one card, idle and at full load
	Accelerator = "accelerator" // rated power of one card or module: a limit, no mean
	Socket      = "socket"      // rated power of one processor
)

// UnknownPower is a power that nobody has told us. It is not zero.
const UnknownPower grid.Power = -1

// Power is what a piece of hardware draws.
type Power struct {
	Kind     string
	Name     string
	Provider string     // whose servers, of kind VCPUFleet; else ""
	Idle     grid.Power // UnknownPower of a rated power
	Max      grid.Power // at full load
	Verified Verified
	Source   string
	Note     string
}

// At returns the power at a load of 0 to 1, on the line between idle and full
// load; ok is false where idle is not known.
func (p Power) At(load float64) (w grid.Power, ok bool) {
	if p.Idle < 0 || p.Max < 0 || !(load >= 0 && load <= 1) {
		return UnknownPower, false
	}
	return p.Idle + grid.Power(math.Round(load*float64(p.Max-p.Idle))), true
}

// Coefficient is a number of the energy model, in its Unit.
type Coefficient struct {
	Name     string
	Value    float64
	Unit     string
	Verified Verified
	Source   string
	Note     string
}

// PUE is the energy of a whole facility for each unit of its machines'.
type PUE struct {
	Provider    string
	Kind        string // fleet, best, ccf, industry, enterprise; region for that of one region
	Year        int    // 0 if it is not known
	Thousandths int64  // ≥ 1000
	Verified    Verified
	Source      string
	Note        string
}

// Ratio returns the PUE as a number: 1.12.
func (p PUE) Ratio() float64 { return float64(p.Thousandths) / 1000 }

func (t *Tables) addPower(r *row) {
	watts := func(column string) grid.Power {
		f, ok := r.number(column, 0, 100_000)
		if !ok {
			return UnknownPower
		}
		return grid.Power(math.Round(f * float64(grid.Watt)))
	}
	p := Power{
		Kind: r.one("kind", VCPU, VCPUFleet, GPU, Accelerator, Socket), Name: r.need("name"), Provider: r.cells["provider"],
		Idle: watts("idle_w"), Max: watts("max_w"), Verified: r.verified(), Source: r.need("source"), Note: r.cells["note"],
	}
	rated := p.Kind == Accelerator || p.Kind == Socket
	switch {
	case p.Max <= 0:
		r.fault("max_w", "%q, want watts above 0", r.cells["max_w"])
	case rated != (p.Idle == UnknownPower):
		r.fault("idle_w", "%q for kind %s: a rated power has none, and the others need one", r.cells["idle_w"], p.Kind)
	case p.Idle > p.Max:
		r.fault("idle_w", "%s is above the power at full load, %s", r.cells["idle_w"], r.cells["max_w"])
	case (p.Kind == VCPUFleet) != (p.Provider != ""):
		r.fault("provider", "%q for kind %s: kind %s names a provider, and no other does", p.Provider, p.Kind, VCPUFleet)
	}
	t.power = append(t.power, p)
}

func (t *Tables) addCoefficient(r *row) {
	c := Coefficient{Name: r.word("name"), Unit: r.need("unit"), Verified: r.verified(), Source: r.need("source"), Note: r.cells["note"]}
	var ok bool
	if c.Value, ok = r.number("value", 0, 1e9); !ok {
		r.need("value")
	}
	if t.coeff == nil {
		t.coeff = map[string]Coefficient{}
	}
	t.coeff[c.Name] = c
}

func (t *Tables) addPUE(r *row) {
	p := PUE{
		Provider: r.word("provider"), Kind: r.one("kind", "fleet", "best", "ccf", "industry", "enterprise"), Year: r.year("year"),
		Verified: r.verified(), Source: r.need("source"), Note: r.cells["note"],
	}
	var ok bool
	if p.Thousandths, ok = r.pue(); !ok {
		r.need("pue")
	}
	t.pue = append(t.pue, p)
}

// Hardware returns the whole table of power.
func (t *Tables) Hardware() []Power { return t.power }

// Device returns the power of a kind of hardware by its name, in any case.
func (t *Tables) Device(kind, name string) (Power, bool) {
	for _, p := range t.power {
		if p.Kind == kind && fold(p.Name) == fold(name) {
			return p, true
		}
	}
	return Power{}, false
}

// VCPU returns what one thread draws at a provider, of a make of server (such
// as "Ice Lake"; "" if it is not known): that of the make, or else the mean of
// the provider's fleet. What is suspect is not taken.
func (t *Tables) VCPU(provider, make string) (Power, bool) {
	if p, ok := t.Device(VCPU, make); ok && p.Verified != Suspect {
		return p, true
	}
	for _, p := range t.power {
		if p.Kind == VCPUFleet && fold(p.Provider) == fold(provider) && p.Verified != Suspect {
			return p, true
		}
	}
	return Power{}, false
}

// Coefficient returns a coefficient by its name: memory, network, hdd, ssd,
// utilisation, embodied-server, …
func (t *Tables) Coefficient(name string) (Coefficient, bool) {
	c, ok := t.coeff[name]
	return c, ok
}

// FleetPUE returns the PUE of a provider's facilities in a year: the newest
// that is not newer, the mean of its fleet before any other of that year. What
// is recalled only is not taken.
func (t *Tables) FleetPUE(provider string, year int) (best PUE, ok bool) {
	for _, p := range t.pue {
		if fold(p.Provider) != fold(provider) || p.Year > year || p.Verified == No || p.Verified == Suspect {
			continue
		}
		if !ok || p.Year > best.Year || p.Year == best.Year && p.Kind == "fleet" {
			best, ok = p, true
		}
	}
	return best, ok
}
