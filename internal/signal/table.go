package signal

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
)

// table collects what a file says, zone by zone, and makes tracks of it. All
// of its checks are the same for each form of file.
type table struct {
	o     FileOptions
	zones []*column
	named map[grid.Zone]*column
	cells int
}

// column is one zone as the file tells it, in the order of the file.
type column struct {
	zone   grid.Zone
	step   time.Duration // 0: to be found from the times
	times  *times        // in a wide file all columns share theirs
	values []grid.Intensity
	// estimated is one for each value; nil if none of them is.
	estimated []bool
}

// times are the starts of the steps, and where each stands in the file.
type times struct {
	what  string // what lines count: "line" or, in JSON, "entry"
	at    []time.Time
	lines []int
}

func newTable(o FileOptions) *table {
	return &table{o: o, named: map[grid.Zone]*column{}}
}

// zoneName returns the zone that the file calls name.
func (t *table) zoneName(name string) grid.Zone {
	if z, ok := t.o.Zones[name]; ok {
		return z
	}
	return grid.Zone(name)
}

// column returns a new column for a zone, or an error if it has one already.
func (t *table) column(name string, shared *times) (*column, error) {
	zone := t.zoneName(name)
	if err := checkZone(zone); err != nil {
		return nil, err
	}
	if t.named[zone] != nil {
		return nil, fmt.Errorf("zone %s is there twice", zone)
	}
	if len(t.zones) == mostZones {
		return nil, fmt.Errorf("more than %d zones", mostZones)
	}
	c := &column{zone: zone, times: shared}
	t.zones = append(t.zones, c)
	t.named[zone] = c
	return c, nil
}

// checkZone refuses what the gate would refuse later, while the line is known.
func checkZone(zone grid.Zone) error {
	if zone == "" {
		return errors.New("a zone without a name")
	}
	probe := grid.Series{
		Provenance: grid.Provenance{Zone: zone, Basis: grid.AverageLifecycle, Grade: grid.GradeA, Issued: time.Unix(0, 0)},
		Start:      time.Unix(0, 0).UTC(), Step: time.Hour,
	}
	return probe.Validate()
}

// add puts a time at the end of ts.
func (ts *times) add(at time.Time, line int) error {
	if n := len(ts.at); n > 0 && !at.After(ts.at[n-1]) {
		if at.Equal(ts.at[n-1]) {
			return fmt.Errorf("%s %d: %s is there twice, first on %s %d", ts.what, line, at.Format(time.RFC3339), ts.what, ts.lines[n-1])
		}
		return fmt.Errorf("%s %d: %s is before %s, the time on %s %d", ts.what, line, at.Format(time.RFC3339), ts.at[n-1].Format(time.RFC3339), ts.what, ts.lines[n-1])
	}
	ts.at = append(ts.at, at)
	ts.lines = append(ts.lines, line)
	return nil
}

// add puts a value at the end of c.
func (t *table) add(c *column, v grid.Intensity, estimated bool) error {
	if t.cells++; t.cells > mostCells {
		return fmt.Errorf("more than %d values", mostCells)
	}
	estimated = estimated || slices.Contains(t.o.Estimated, c.zone)
	if estimated && c.estimated == nil {
		c.estimated = make([]bool, len(c.values), cap(c.values))
	}
	c.values = append(c.values, v)
	if c.estimated != nil {
		c.estimated = append(c.estimated, estimated)
	}
	return nil
}

// tracks checks the columns as wholes, fills their gaps with Unknown and
// returns them. Gaps may be wide, but not so wide that a small file takes much
// memory.
func (t *table) tracks() (map[grid.Zone]track, error) {
	if len(t.zones) == 0 {
		return nil, errors.New("the file has no zone")
	}
	zones := make(map[grid.Zone]track, len(t.zones))
	cells := 0
	for _, c := range t.zones {
		if err := c.checkUnit(t.o.Basis); err != nil {
			return nil, err
		}
		step, err := c.findStep()
		if err != nil {
			return nil, err
		}
		at, lines := c.times.at, c.times.lines
		n := int64(at[len(at)-1].Sub(at[0])/step) + 1
		if n > mostCells || cells+int(n) > mostCells || cells+int(n) > 10*t.cells+200_000 {
			return nil, fmt.Errorf("zone %s: with its gaps filled it has %d steps of %s from %s %d to %d; split the file", c.zone, n, step, c.times.what, lines[0], lines[len(lines)-1])
		}
		cells += int(n)
		tr := track{start: at[0], step: step, values: make([]grid.Intensity, n)}
		if c.estimated != nil {
			tr.estimated = make([]bool, n)
		}
		for i := range tr.values {
			tr.values[i] = grid.Unknown
		}
		for i, when := range at {
			k := int(when.Sub(at[0]) / step)
			tr.values[k] = c.values[i]
			if c.estimated != nil {
				tr.estimated[k] = c.estimated[i]
			}
		}
		zones[c.zone] = tr
	}
	return zones, nil
}

// findStep returns the distance of the times, which must be one number: a gap
// is a whole number of steps.
func (c *column) findStep() (time.Duration, error) {
	at, lines := c.times.at, c.times.lines
	step := c.step
	if len(at) == 0 {
		return 0, fmt.Errorf("zone %s has no value", c.zone)
	}
	if step == 0 {
		if len(at) < 2 {
			return 0, fmt.Errorf("zone %s: one row does not tell the length of its step; give two or more", c.zone)
		}
		step = at[1].Sub(at[0])
		for i := 2; i < len(at); i++ {
			step = min(step, at[i].Sub(at[i-1]))
		}
	}
	if step < time.Minute || step > 24*time.Hour || step%time.Minute != 0 {
		return 0, fmt.Errorf("zone %s: a step of %s, want whole minutes, 1 min to 24 h", c.zone, step)
	}
	for i := 1; i < len(at); i++ {
		if d := at[i].Sub(at[i-1]); d%step != 0 {
			return 0, fmt.Errorf("%s %d: zone %s: %s after the one before, in a series of steps of %s", c.times.what, lines[i], c.zone, d, step)
		}
	}
	return step, nil
}

// leastPeak is the intensity in mg/kWh that every grid exceeds at some time,
// counted over the life of its plants: water and wind alone have more.
const leastPeak = 2000

// checkUnit refuses a zone whose values look like kilograms, or like zeros
// that stand for nothing known. It looks at lifecycle values only: combustion
// alone can be zero for weeks where there is water.
func (c *column) checkUnit(b grid.Basis) error {
	peak := grid.Unknown
	for _, v := range c.values {
		peak = max(peak, v)
	}
	switch {
	case !peak.Known() || b.Scope != grid.Lifecycle || peak >= leastPeak:
		return nil
	case peak == 0:
		return fmt.Errorf("zone %s: every value is 0; leave empty what is not known", c.zone)
	}
	return fmt.Errorf("zone %s: no value is above %s g/kWh; are they kg/kWh? Write g/kWh", c.zone, strconv.FormatFloat(float64(peak)/1000, 'f', -1, 64))
}

// grams reads a value in g/kWh; an empty one is Unknown.
func grams(s string) (grid.Intensity, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return grid.Unknown, nil
	}
	// ParseFloat also reads NaN, Inf, hexadecimal and 1_000.
	if strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, fmt.Errorf("%s is not a decimal number", short(s))
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number of g/kWh", short(s))
	}
	return fromGrams(f)
}

func fromGrams(f float64) (grid.Intensity, error) {
	most := float64(grid.MaxIntensity) / 1000
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0, fmt.Errorf("%g is not a finite number", f)
	case f < 0:
		return 0, fmt.Errorf("%g g/kWh is below zero", f)
	case f > most:
		return 0, fmt.Errorf("%g g/kWh is above %g, more than any grid has; is the unit right?", f, most)
	}
	return grid.Intensity(math.Round(f * 1000)), nil
}

// The years in which a file's times make sense; its last step must end in what
// the gate takes.
const firstYear, lastYear = 1970, 2199

// instant reads a time that says its offset from UTC, on a whole minute.
func instant(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{"2006-01-02T15:04Z07:00", time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		at, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		at = at.UTC()
		if at.Year() < firstYear || at.Year() > lastYear {
			return time.Time{}, fmt.Errorf("the year %d is out of range", at.Year())
		}
		if !at.Truncate(time.Minute).Equal(at) {
			return time.Time{}, fmt.Errorf("%s is not on a whole minute", short(s))
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%s is not a time with its zone, as 2026-01-31T14:00Z", short(s))
}

// short quotes what a file says for an error message, cut to a line's length.
func short(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strconv.Quote(s)
}
