package tables

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"clusy.io/clusy/internal/grid"
)

// row is a line of a file and the first thing that is wrong with it.
type row struct {
	file  string
	line  int
	cells map[string]string
	err   error
}

// fault keeps the first thing that is wrong.
func (r *row) fault(column, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s, line %d, column %s: %s", r.file, r.line, column, fmt.Sprintf(format, args...))
	}
}

func (r *row) put(column, cell string) {
	switch {
	case len(cell) > mostCell:
		r.fault(column, "%d bytes, want %d or fewer", len(cell), mostCell)
	case !printable(cell):
		r.fault(column, "%q holds what cannot be printed", short(cell))
	}
	r.cells[column] = cell
}

// key names the row among those of its file.
func (r *row) key(l layout) string {
	parts := make([]string, len(l.key))
	for i, k := range l.key {
		parts[i] = fold(r.need(k))
	}
	return strings.Join(parts, "\x00")
}

// called names the row for people.
func (r *row) called(l layout) string {
	parts := make([]string, len(l.key))
	for i, k := range l.key {
		parts[i] = r.cells[k]
	}
	return strings.Join(parts, " ")
}

// need returns a cell that must not be empty.
func (r *row) need(column string) string {
	if r.cells[column] == "" {
		r.fault(column, "it is empty")
	}
	return r.cells[column]
}

// one returns a cell that is one of several words.
func (r *row) one(column string, words ...string) string {
	c := r.cells[column]
	if !slices.Contains(words, c) {
		r.fault(column, "%q, want one of %s", short(c), strings.Join(words, ", "))
	}
	return c
}

// word returns a cell that is a name without spaces, which is printed and put
// into addresses.
func (r *row) word(column string) string {
	c := r.need(column)
	if len(c) > 64 || strings.IndexFunc(c, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:", r))
	}) >= 0 {
		r.fault(column, "%q, want 1 to 64 letters, digits and -_.:", short(c))
	}
	return c
}

// zone returns a zone, which may be left out.
func (r *row) zone(column string) grid.Zone {
	if r.cells[column] == "" {
		return ""
	}
	return grid.Zone(r.word(column))
}

// number returns a decimal number within bounds; ok is false if the cell is
// empty, which is unknown and not zero.
func (r *row) number(column string, low, high float64) (f float64, ok bool) {
	c := r.cells[column]
	if c == "" {
		return 0, false
	}
	// ParseFloat also reads NaN, Inf, hexadecimal and 1_000.
	f, err := strconv.ParseFloat(c, 64)
	if err != nil || strings.Trim(c, "0123456789.eE+-") != "" || math.IsInf(f, 0) {
		r.fault(column, "%q is not a decimal number", short(c))
		return 0, false
	}
	if f < low || f > high {
		r.fault(column, "%s, want %g to %g", short(c), low, high)
		return 0, false
	}
	return f, true
}

// intensity returns a value in g/kWh.
func (r *row) intensity(column string) grid.Intensity {
	f, ok := r.number(column, 0, float64(grid.MaxIntensity)/1000)
	if !ok {
		return grid.Unknown
	}
	return grid.Intensity(math.Round(f * 1000))
}

// year returns a year, 0 if it is not known.
func (r *row) year(column string) int {
	c := r.cells[column]
	if c != "" && !isYear(c) {
		r.fault(column, "%q is not a year", short(c))
	}
	y, _ := strconv.Atoi(c)
	return y
}

// verified returns how sure a number is.
func (r *row) verified() Verified {
	return Verified(r.one("verified", string(Yes), string(Partial), string(No), string(Suspect)))
}

// Verified says whether a number was checked against a second copy.
type Verified string

const (
	Yes     Verified = "yes"
	Partial Verified = "partial" // in part: the middle of a range, or another source's summary
	No      Verified = "no"      // recalled or unofficial
	Suspect Verified = "suspect" // it contradicts its neighbours: not to be used
)
