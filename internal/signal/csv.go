package signal

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"clusy.io/clusy/internal/grid"
)

// parseCSV reads both forms of CSV into t: wide, with a column for each zone,
// and long, with a row for each value. Lines that begin with # are notes.
func parseCSV(text string, t *table) error {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment = '#'
	r.ReuseRecord = true
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	}
	if err != nil {
		return lineError(err)
	}
	line, _ := r.FieldPos(0)
	if strings.TrimSpace(header[0]) != "time_utc" || len(header) < 2 {
		return fmt.Errorf("line %d: the header begins with %s, want time_utc and then the zones, or zone,value", line, short(header[0]))
	}
	if strings.TrimSpace(header[1]) == "zone" {
		return parseLong(r, header, line, t)
	}
	return parseWide(r, header, line, t)
}

// parseWide reads time_utc,ZONE,ZONE,… in g/kWh; an empty cell is unknown.
func parseWide(r *csv.Reader, header []string, line int, t *table) error {
	when := times{what: "line"}
	columns := make([]*column, 0, len(header)-1)
	for _, name := range header[1:] {
		c, err := t.column(strings.TrimSpace(name), &when)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		columns = append(columns, c)
	}
	return eachRow(r, func(row []string, line int) error {
		if len(row) != len(columns)+1 {
			return fmt.Errorf("line %d: %d cells, want %d as in the header", line, len(row), len(columns)+1)
		}
		at, err := instant(row[0])
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if err := when.add(at, line); err != nil {
			return err
		}
		for i, c := range columns {
			v, err := grams(row[i+1])
			if err == nil {
				err = t.add(c, v, false)
			}
			if err != nil {
				return fmt.Errorf("line %d: zone %s: %w", line, c.zone, err)
			}
		}
		return nil
	})
}

// parseLong reads time_utc,zone,value[,estimated]. The rows of a zone are in
// the order of time; zones may be mixed.
func parseLong(r *csv.Reader, header []string, line int, t *table) error {
	for i, want := range []string{"time_utc", "zone", "value", "estimated"} {
		if i < len(header) && strings.TrimSpace(header[i]) != want || i == 2 && len(header) <= i || len(header) > 4 {
			return fmt.Errorf("line %d: the header of a long file is time_utc,zone,value or time_utc,zone,value,estimated", line)
		}
	}
	cells := len(header)
	return eachRow(r, func(row []string, line int) error {
		if len(row) != cells {
			return fmt.Errorf("line %d: %d cells, want %d as in the header", line, len(row), cells)
		}
		at, err := instant(row[0])
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		v, err := grams(row[2])
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		estimated := false
		if cells == 4 {
			if estimated, err = yesNo(row[3]); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
		}
		name := strings.TrimSpace(row[1])
		c := t.named[t.zoneName(name)]
		if c == nil {
			if c, err = t.column(strings.Clone(name), &times{what: "line"}); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
		}
		if err := c.times.add(at, line); err != nil {
			return fmt.Errorf("%w (zone %s)", err, c.zone)
		}
		if err := t.add(c, v, estimated); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		return nil
	})
}

func eachRow(r *csv.Reader, f func(row []string, line int) error) error {
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return lineError(err)
		}
		line, _ := r.FieldPos(0)
		if err := f(row, line); err != nil {
			return err
		}
	}
}

// lineError turns what the reader says into our way of naming lines.
func lineError(err error) error {
	if pe, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("line %d: %w", pe.Line, pe.Err)
	}
	return err
}

func yesNo(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1", "yes":
		return true, nil
	case "false", "0", "no", "":
		return false, nil
	}
	return false, fmt.Errorf("estimated is %s, want true or false", short(s))
}

// known reports whether b is one of the four bases there are.
func known(b grid.Basis) bool {
	return (b.Signal == grid.Average || b.Signal == grid.Marginal) && (b.Scope == grid.Lifecycle || b.Scope == grid.Direct)
}
