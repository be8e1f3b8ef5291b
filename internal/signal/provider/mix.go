package provider

import (
	"fmt"
	"math"
	"time"

	"clusy.io/clusy/internal/grid"
)

// mix is what was generated in a zone, plant kind by plant kind: mean MW in
// each step. A carbon intensity reckoned from it counts what is produced in the
// zone and nothing that flows in.
type mix struct {
	start time.Time
	step  time.Duration
	kinds []kind // in the order of their codes, so that a sum is the same each time
}

// kind is one kind of plant as the source names it.
type kind struct {
	code string    // the source's own: B04, NG
	fuel string    // as the table of emission factors calls it
	mw   []float64 // NaN where the source does not say
}

// factors returns what a kWh from a fuel emits; false if the scheme has none.
type factors func(fuel string) (grid.Intensity, bool)

const (
	fuelUnknown = "unknown"
	hydroStore  = "hydro discharge"
	batteries   = "battery discharge"

	// mostDoubt is the share of a step's generation that may be of an unknown
	// fuel or not told yet. Ten percent of a mix at 700 g/kWh, where it may
	// have been 300, is an error of 40 g/kWh.
	mostDoubt = 0.10
	// mostBelow is the share that may be below zero: plants that stand still
	// draw a little themselves, and sources report that. More is a mistake.
	mostBelow = 0.02
)

// storage reports whether a fuel gives back what was generated before.
func storage(fuel string) bool { return fuel == hydroStore || fuel == batteries }

// intensities returns the carbon intensity of each step, Unknown where too much
// of the mix is in doubt. Its rules:
//   - What a source does not say is not zero. It weighs as much as the nearest
//     values before and after it that are known, and counts as doubt.
//   - So does what comes from a fuel that has no name.
//   - A little below zero is zero; of storage, everything below zero is
//     charging, and is zero too.
//   - What storage gives back carries its factor; in a scheme without one it is
//     left out, for it was counted when it was generated.
//
// If no step at all is known, the error says why the first one is not.
func (m mix) intensities(factor factors, doubt float64) ([]grid.Intensity, error) {
	if len(m.kinds) == 0 {
		return nil, nil
	}
	steps := len(m.kinds[0].mw)
	absent := make([][]float64, len(m.kinds))
	for i, k := range m.kinds {
		if len(k.mw) != steps {
			return nil, fmt.Errorf("kind %s has %d steps, others have %d", k.code, len(k.mw), steps)
		}
		absent[i] = weights(k.mw)
	}
	values := make([]grid.Intensity, steps)
	known := false
	var why error
	for s := range values {
		v, err := m.intensity(s, absent, factor, doubt)
		if err != nil && why == nil {
			why = fmt.Errorf("the step of %s: %w", m.start.Add(time.Duration(s)*m.step).Format(time.RFC3339), err)
		}
		values[s] = v
		known = known || v.Known()
	}
	if !known {
		return nil, why
	}
	return values, nil
}

func (m mix) intensity(s int, absent [][]float64, factor factors, doubt float64) (grid.Intensity, error) {
	var told, carbon, unsure, below float64 // MW, and MW times mg/kWh
	for i, k := range m.kinds {
		mw := k.mw[s]
		if math.IsNaN(mw) {
			if absent[i] != nil {
				unsure += absent[i][s]
			}
			continue
		}
		if mw < 0 && !storage(k.fuel) {
			below -= mw
		}
		mw = max(0, mw)
		f, ok := factor(k.fuel)
		if !ok && storage(k.fuel) {
			continue
		}
		if !ok || k.fuel == fuelUnknown {
			unsure += mw
			if !ok {
				if f, ok = factor(fuelUnknown); !ok {
					continue
				}
			}
		}
		told += mw
		carbon += mw * float64(f)
	}
	// What is unsure is partly in told: the share below is on the safe side.
	switch {
	case told <= 0:
		return grid.Unknown, fmt.Errorf("no generation is told")
	case below > mostBelow*told:
		return grid.Unknown, fmt.Errorf("%.0f of %.0f MW are below zero, want at most %.0f %%", below, told, 100*mostBelow)
	case unsure > doubt*told:
		return grid.Unknown, fmt.Errorf("%.0f of %.0f MW are of an unknown fuel or not told, want at most %.0f %%; unknownShare allows more", unsure, told, 100*doubt)
	}
	return grid.Intensity(math.Round(carbon / told)), nil
}

// weights returns for each step that is not known the larger of the nearest
// known values on both sides, 0 if there is none; nil if every step is known.
func weights(mw []float64) []float64 {
	whole := true
	for _, v := range mw {
		whole = whole && !math.IsNaN(v)
	}
	if whole {
		return nil
	}
	w := make([]float64, len(mw))
	last := 0.0
	for i, v := range mw {
		if !math.IsNaN(v) {
			last = v
		}
		w[i] = max(0, last)
	}
	last = 0
	for i := len(mw) - 1; i >= 0; i-- {
		if !math.IsNaN(mw[i]) {
			last = mw[i]
		}
		w[i] = max(w[i], last)
	}
	return w
}
