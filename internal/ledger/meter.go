package ledger

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

const (
	// MaxPower is the most that one attempt's machine may draw on the mean of
	// its running time. Above it a meter is wrong by a unit, not by a little.
	MaxPower = 1_000_000 * grid.Watt

	// MinPUE and MaxPUE bound power usage effectiveness, in thousandths: a
	// facility cannot draw less than its machines, and none draws ten times
	// as much.
	MinPUE = 1_000
	MaxPUE = 10_000

	maxRuns   = 3_600
	maxPieces = 3_600
	maxText   = 256
	maxBefore = 100 * 365 * 24 * time.Hour
)

// firstYear and endYear bound every time in the ledger. Within them no
// difference overflows, and RFC 3339 can write each.
const (
	firstYear = 1970
	lastYear  = 2200
)

// Validate reports the first thing that makes m unfit to be booked. Meters
// come from agents: they are believed in what was measured, not in what
// cannot be.
func (m Meter) Validate() error {
	for _, f := range []struct{ name, text string }{{"workload", m.Workload}, {"tenant", string(m.Tenant)}, {"site", m.Site}} {
		if err := checkText(f.name, f.text); err != nil {
			return err
		}
	}
	switch {
	case m.Attempt < 1:
		return fmt.Errorf("attempt is %d, want 1 or more", m.Attempt)
	case m.Source != RAPL && m.Source != Declared && m.Source != Table:
		return fmt.Errorf("source of energy is %q, want %s, %s or %s", m.Source, RAPL, Declared, Table)
	case m.Before < 0 || m.Before > maxBefore:
		return fmt.Errorf("running time before the hour is %s, want 0 to 100 years", m.Before)
	case len(m.Runs) == 0:
		return fmt.Errorf("there is no run in the hour of %s: there is nothing to book", m.Hour.Format(time.RFC3339))
	case len(m.Runs) > maxRuns:
		return fmt.Errorf("there are %d runs in one hour, want at most %d", len(m.Runs), maxRuns)
	}
	if err := checkTime("hour", m.Hour); err != nil {
		return err
	}
	if !m.Hour.Equal(m.Hour.UTC().Truncate(time.Hour)) {
		return fmt.Errorf("hour is %s, want the start of an hour of UTC", m.Hour.Format(time.RFC3339Nano))
	}
	end := m.Hour
	for i, r := range m.Runs {
		switch {
		case !r.From.Before(r.To):
			return fmt.Errorf("run %d is from %s to %s: it ends before it begins", i, r.From, r.To)
		case r.From.Before(end):
			return fmt.Errorf("run %d begins at %s, before %s: it is out of the hour or runs into the one before", i, r.From, end)
		case r.To.After(m.Hour.Add(time.Hour)):
			return fmt.Errorf("run %d ends at %s, after the hour of %s", i, r.To, m.Hour)
		}
		if (r.Size != 0 || r.Speed != 0) && (r.Size < 1 || r.Size > workload.MaxSize || r.Speed < 1 || r.Speed > workload.MaxSize) {
			return fmt.Errorf("run %d has a size of %d and a speed of %d thousandths, want 1 to %d each, or none", i, r.Size, r.Speed, workload.MaxSize)
		}
		end = r.To
	}
	if most := grid.Drawn(MaxPower, m.Running()); m.Energy < 0 || m.Energy > most {
		return fmt.Errorf("energy is %d J in %s, want 0 to %d, which is %s all the time", int64(m.Energy), m.Running(), int64(most), MaxPower)
	}
	return nil
}

// Running returns how long the attempt ran in the hour.
func (m Meter) Running() time.Duration {
	var d time.Duration
	for _, r := range m.Runs {
		d += r.To.Sub(r.From)
	}
	return d
}

// utc returns m with each time as the ledger writes it.
func (m Meter) utc() Meter {
	m.Hour = utc(m.Hour)
	runs := make([]Run, len(m.Runs))
	for i, r := range m.Runs {
		runs[i] = Run{utc(r.From), utc(r.To), r.Size, r.Speed}
	}
	m.Runs = runs
	return m
}

// utc strips a time of its zone and of a monotonic reading, which equal times
// may differ in.
func utc(t time.Time) time.Time { return t.UTC().Round(0) }

func checkTime(name string, t time.Time) error {
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return fmt.Errorf("%s is %s, want a time from %d to %d", name, t, firstYear, lastYear)
	}
	return nil
}

func checkText(name, s string) error {
	if s == "" || len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s is %q, want 1 to %d bytes of text", name, s, maxText)
	}
	return nil
}

func checkPUE(name string, pue int64) error {
	if pue < MinPUE || pue > MaxPUE {
		return fmt.Errorf("%s is %d thousandths, want %d to %d", name, pue, MinPUE, MaxPUE)
	}
	return nil
}

func checkBaseline(b workload.Counterfactual) error {
	for _, f := range []struct{ name, text string }{{"rule of the baseline", string(b.Rule)}, {"site of the baseline", b.Site}, {"zone of the baseline", string(b.Zone)}} {
		if err := checkText(f.name, f.text); err != nil {
			return err
		}
	}
	if err := checkPUE("PUE of the baseline", b.PUE); err != nil {
		return err
	}
	return checkTime("start of the baseline", b.Start)
}

// checkSignal says what about a reading from somewhere cannot be: in an entry
// from outside, nothing has passed a gate before.
func checkSignal(p grid.Provenance, v grid.Intensity, zone grid.Zone) error {
	switch {
	case p.Zone != zone:
		return fmt.Errorf("signal is of zone %s, want %s", p.Zone, zone)
	case !v.Known() || v > grid.MaxIntensity:
		return fmt.Errorf("signal of %s says %d mg/kWh, want 0 to %d", zone, int64(v), int64(grid.MaxIntensity))
	case len(p.Grade) != 1 || p.Grade < grid.GradeA || p.Grade > grid.GradeE:
		return fmt.Errorf("signal of %s has grade %q, want A to E", zone, p.Grade)
	case p.Basis.Signal != grid.Average && p.Basis.Signal != grid.Marginal || p.Basis.Scope != grid.Lifecycle && p.Basis.Scope != grid.Direct:
		return fmt.Errorf("signal of %s has basis %q, want average or marginal, lifecycle or direct", zone, p.Basis)
	}
	for _, f := range []struct{ name, text string }{{"provider of the signal", p.Provider}, {"ref of the signal", p.Ref}} {
		if err := checkText(f.name, f.text); err != nil {
			return err
		}
	}
	return checkTime("issue of the signal", p.Issued)
}
