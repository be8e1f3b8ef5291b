package tables

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What an operator's file may hold at most: each is far above any use.
const (
	mostBytes = 4 << 20
	mostRows  = 20_000
	mostCell  = 1_000 // bytes
)

var (
	errTooBig = errors.New("it is too big for a table")
	errNoFile = errors.New("it is no file")
)

// layout is what a table's file looks like.
type layout struct {
	file    string
	key     []string // the columns that name a row
	columns []string // all of them, the key first
	years   bool     // columns named after years are taken too
}

var layouts = []layout{
	{"coefficients.csv", []string{"name"}, []string{"name", "value", "unit", "verified", "source", "note"}, false},
	{"factors.csv", []string{"scheme", "fuel", "scope"}, []string{"scheme", "fuel", "scope", "g_per_kwh", "low", "high", "verified", "source", "note"}, false},
	{"fuels.csv", []string{"system", "code"}, []string{"system", "code", "name", "fuel", "source"}, false},
	{"ids.csv", []string{"zone", "system"}, []string{"zone", "system", "ids", "source", "note"}, false},
	{"power.csv", []string{"kind", "name"}, []string{"kind", "name", "provider", "idle_w", "max_w", "verified", "source", "note"}, false},
	{"pue.csv", []string{"provider", "kind", "year"}, []string{"provider", "kind", "year", "pue", "verified", "source", "note"}, false},
	{"regions.csv", []string{"provider", "region"}, []string{"provider", "region", "zone", "status", "alt_zone", "place", "lat", "lon", "watttime", "pue", "pue_year", "source", "note"}, false},
	{"zones.csv", []string{"zone"}, []string{"zone", "name", "country", "parent", "alias_of", "source", "note"}, true},
}

func layoutOf(file string) (layout, bool) {
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.file == file })
	if i < 0 {
		return layout{}, false
	}
	return layouts[i], true
}

// sheet is a file as text: its rows by their keys.
type sheet struct {
	layout
	rows  []*row
	named map[string]*row
}

// read reads a file of layout l, called name in errors. Nothing is taken from
// a file of which a line is wrong.
func (l layout) read(from fs.FS, name string) (*sheet, error) {
	text, err := l.text(from, name)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment = '#'
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is empty; its first line names columns, of %s", name, strings.Join(l.columns, ","))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := l.checkHeader(name, header); err != nil {
		return nil, err
	}
	s := &sheet{layout: l, named: map[string]*row{}}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		if len(s.rows) == mostRows {
			return nil, fmt.Errorf("%s, line %d: %w: more than %d rows", name, line, errTooBig, mostRows)
		}
		row := &row{file: name, line: line, cells: make(map[string]string, len(header))}
		for i, c := range cells {
			row.put(header[i], strings.TrimSpace(c))
		}
		key := row.key(l)
		if row.err != nil {
			return nil, row.err
		}
		if first := s.named[key]; first != nil {
			return nil, fmt.Errorf("%s, line %d: %s is there twice, first on line %d", name, line, row.called(l), first.line)
		}
		s.named[key] = row
		s.rows = append(s.rows, row)
	}
}

// text reads the whole file, if it is text and not too much of it.
func (l layout) text(from fs.FS, name string) ([]byte, error) {
	// A pipe of that name would be waited for.
	if info, err := fs.Stat(from, l.file); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: %w", name, cmp.Or(err, errNoFile))
	}
	f, err := from.Open(l.file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(text) > mostBytes:
		return nil, fmt.Errorf("%s: %w: more than %d MiB", name, errTooBig, mostBytes>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // as spreadsheets write it
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s is not text in UTF-8", name)
	}
	return text, nil
}

func (l layout) checkHeader(name string, header []string) error {
	for i, c := range header {
		header[i] = strings.TrimSpace(c)
		switch {
		case slices.Contains(header[:i], header[i]):
			return fmt.Errorf("%s has column %q twice", name, header[i])
		case !slices.Contains(l.columns, header[i]) && !(l.years && isYear(header[i])):
			also := ""
			if l.years {
				also = " and years"
			}
			return fmt.Errorf("%s has a column %q; its columns are %s%s", name, short(header[i]), strings.Join(l.columns, ","), also)
		}
	}
	for _, k := range l.key {
		if !slices.Contains(header, k) {
			return fmt.Errorf("%s has no column %q, by which its rows are known", name, k)
		}
	}
	return nil
}

// override puts the rows of an operator's sheet in place of those with the
// same keys, or beside them. A cell that the operator's sheet has no column
// for stays.
func (s *sheet) override(by *sheet) {
	for _, r := range by.rows {
		key := r.key(s.layout)
		old := s.named[key]
		if s.file == "regions.csv" {
			r.settle()
		}
		if old == nil {
			s.named[key] = r
			s.rows = append(s.rows, r)
			continue
		}
		for column, cell := range old.cells {
			if _, said := r.cells[column]; !said {
				r.cells[column] = cell
			}
		}
		s.named[key] = r
		s.rows[slices.Index(s.rows, old)] = r
	}
}

// settle ends a dispute: who runs the server says which zone it is, unless
// they say that they do not know.
func (r *row) settle() {
	_, zone := r.cells["zone"]
	if _, status := r.cells["status"]; !zone || status {
		return
	}
	r.cells["status"] = string(Operator)
	for _, c := range []string{"alt_zone", "note", "source"} {
		if _, said := r.cells[c]; !said {
			r.cells[c] = ""
		}
	}
}

func isYear(s string) bool {
	return len(s) == 4 && strings.Trim(s, "0123456789") == "" && s >= "1990" && s <= "2100"
}

// printable reports whether s can be shown on a terminal as it is.
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// short cuts what a file says to the length of an error message.
func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// fold makes names that differ only in case the same.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
