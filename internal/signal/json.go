package signal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
)

// document is a JSON file: ours, with Series, or the JSON data source of the
// Carbon Aware SDK, with Emissions.
type document struct {
	Provider string       `json:"provider"`
	Basis    string       `json:"basis"` // "average/lifecycle"
	Step     string       `json:"step"`  // "1h", "PT15M"
	Series   []jsonSeries `json:"series"`

	Description string     `json:"Description"`
	Date        string     `json:"Date"`
	License     string     `json:"License"`
	Emissions   []emission `json:"Emissions"`
}

type jsonSeries struct {
	Zone      string   `json:"zone"`
	Start     string   `json:"start"`
	Estimated bool     `json:"estimated"`
	Values    gramList `json:"values"` // g/kWh; null is unknown
}

type emission struct {
	Location string      `json:"Location"`
	Time     string      `json:"Time"`
	Rating   looseNumber `json:"Rating"`   // g/kWh
	Duration string      `json:"Duration"` // hh:mm or hh:mm:ss
}

// gramList is a list of values in g/kWh. What is wrong with one is kept until
// the zone is known that it belongs to.
type gramList struct {
	values []grid.Intensity
	err    error
}

func (g *gramList) UnmarshalJSON(b []byte) error {
	text := strings.TrimSpace(string(b))
	*g = gramList{}
	if !strings.HasPrefix(text, "[") {
		g.err = errors.New("values is not a list")
		return nil
	}
	text = strings.TrimSpace(text[1 : len(text)-1]) // a valid list, as json has seen to
	for i := 0; text != ""; i++ {
		one, rest, _ := strings.Cut(text, ",")
		text = rest
		v, err := grid.Unknown, error(nil)
		if one = strings.TrimSpace(one); one != "null" {
			v, err = grams(one)
		}
		if err == nil && i == mostCells {
			err = fmt.Errorf("more than %d values", mostCells)
		}
		if err != nil {
			g.err = fmt.Errorf("value %d: %w", i+1, err)
			return nil
		}
		g.values = append(g.values, v)
	}
	return nil
}

// looseNumber is a number or, as the SDK's own demo file has it, a string with
// a number in it.
type looseNumber string

func (n *looseNumber) UnmarshalJSON(b []byte) error {
	*n = looseNumber(strings.Trim(string(b), `"`))
	return nil
}

// parseJSON reads a JSON file into t and returns the provider's name, if the
// file gives one.
func parseJSON(text string, t *table) (provider string, err error) {
	var doc document
	dec := json.NewDecoder(strings.NewReader(text))
	if head := text[:min(len(text), 64<<10)]; !strings.HasPrefix(strings.TrimSpace(head), "[") && !strings.Contains(head, `"Emissions"`) {
		dec.DisallowUnknownFields() // our own form; the SDK lets keys be that it does not know
	}
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		err = dec.Decode(&doc.Emissions)
	} else {
		err = dec.Decode(&doc)
	}
	if err != nil {
		return "", jsonError(text, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("there is more after the end of the JSON value")
	}
	switch {
	case len(doc.Series) > 0 && len(doc.Emissions) > 0:
		return "", errors.New("the file has both series and Emissions; it is one or the other")
	case len(doc.Emissions) > 0:
		return "", doc.emissions(t)
	case len(doc.Series) > 0:
		return doc.Provider, doc.series(t)
	}
	return "", errors.New("the file has neither series nor Emissions")
}

func (d document) series(t *table) error {
	if err := checkName(d.Provider); err != nil {
		return err
	}
	basis, err := parseBasis(d.Basis)
	if err != nil {
		return err
	}
	if t.o.Basis != (grid.Basis{}) && t.o.Basis != basis {
		return fmt.Errorf("the file has basis %s, want %s: the two are never mixed", basis, t.o.Basis)
	}
	t.o.Basis = basis
	step, err := grid.ParseDuration(d.Step)
	if err != nil {
		return fmt.Errorf("step: %w", err)
	}
	if step < time.Minute || step > 24*time.Hour || step%time.Minute != 0 {
		return fmt.Errorf("step is %s, want whole minutes, 1 min to 24 h", step)
	}
	for i, s := range d.Series {
		where := func(err error) error { return fmt.Errorf("series %d, zone %s: %w", i+1, short(s.Zone), err) }
		start, err := instant(s.Start)
		if err != nil {
			return where(fmt.Errorf("start: %w", err))
		}
		if s.Values.err != nil {
			return where(s.Values.err)
		}
		c, err := t.column(s.Zone, &times{what: "value"})
		if err != nil {
			return where(err)
		}
		c.step = step
		for k, v := range s.Values.values {
			at := start.Add(time.Duration(k) * step)
			if at.Year() > lastYear {
				return where(fmt.Errorf("value %d: the year %d is out of range", k+1, at.Year()))
			}
			if err := errors.Join(c.times.add(at, k+1), t.add(c, v, s.Estimated)); err != nil {
				return where(err)
			}
		}
	}
	return nil
}

// emissions reads the entries of the Carbon Aware SDK, which stand in any
// order. It has no forecasts and names no provider.
func (d document) emissions(t *table) error {
	type entry struct {
		n  int
		at time.Time
	}
	entries := make([]entry, len(d.Emissions))
	for i, e := range d.Emissions {
		at, err := instant(e.Time)
		if err != nil {
			return fmt.Errorf("entry %d of Emissions, location %s: %w", i+1, short(e.Location), err)
		}
		entries[i] = entry{i, at}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at.Compare(b.at) })
	for _, one := range entries {
		i, at, e := one.n, one.at, d.Emissions[one.n]
		where := func(err error) error {
			return fmt.Errorf("entry %d of Emissions, location %s: %w", i+1, short(e.Location), err)
		}
		v, err := grams(string(e.Rating))
		if err == nil && !v.Known() {
			err = errors.New("it has no Rating")
		}
		if err != nil {
			return where(err)
		}
		step, err := timeSpan(e.Duration)
		if err != nil {
			return where(err)
		}
		c := t.named[t.zoneName(e.Location)]
		if c == nil {
			if c, err = t.column(e.Location, &times{what: "entry"}); err != nil {
				return where(err)
			}
			c.step = step
		}
		if step != c.step {
			return where(fmt.Errorf("its Duration is %s, others have %s", step, c.step))
		}
		if err := errors.Join(c.times.add(at, i+1), t.add(c, v, false)); err != nil {
			return where(err)
		}
	}
	return nil
}

// timeSpan reads .NET's hh:mm and hh:mm:ss, and its way to write a day.
func timeSpan(s string) (time.Duration, error) {
	if s == "1.00:00" || s == "1.00:00:00" {
		return 24 * time.Hour, nil
	}
	bad := fmt.Errorf("Duration is %s, want hh:mm:ss", short(s))
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return 0, bad
	}
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second}[:len(parts)] {
		n, err := strconv.ParseUint(parts[i], 10, 8)
		if err != nil {
			return 0, bad
		}
		d += time.Duration(n) * unit
	}
	if d < time.Minute || d > 24*time.Hour || d%time.Minute != 0 {
		return 0, bad
	}
	return d, nil
}

func parseBasis(s string) (grid.Basis, error) {
	signal, scope, _ := strings.Cut(s, "/")
	b := grid.Basis{Signal: grid.Signal(signal), Scope: grid.Scope(scope)}
	if !known(b) {
		return grid.Basis{}, fmt.Errorf("basis is %s, want average/lifecycle, average/direct, marginal/lifecycle or marginal/direct", short(s))
	}
	return b, nil
}

// checkName refuses provider names that would not print well.
func checkName(s string) error {
	if len(s) > 64 || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return fmt.Errorf("provider is %s, want at most 64 characters without spaces", short(s))
	}
	return nil
}

// jsonError adds the line to what the decoder says.
func jsonError(text string, err error) error {
	at := int64(len(text))
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = se.Offset
	} else if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("line %d: %s is a %s", lineAt(text, te.Offset), te.Field, te.Value)
	} else if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("line %d: not valid JSON: %w", lineAt(text, at), err)
}

func lineAt(text string, offset int64) int {
	return 1 + strings.Count(text[:min(max(0, offset), int64(len(text)))], "\n")
}
