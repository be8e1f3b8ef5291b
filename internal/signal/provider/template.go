package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// request is a path and a query with places for the question: {zone}, {from},
// {to} and {date}. One parameter of the query may be {key}.
type request struct {
	path  string
	query []pair
	key   string // the parameter that the key is put into; empty: none
	uses  map[string]bool
}

type pair struct{ name, value string }

var places = []string{"zone", "from", "to", "date"}

// parseRequest reads "/v1/series/{zone}?from={from}&to={to}".
func parseRequest(s string) (request, error) {
	bad := func(why string) (request, error) {
		return request{}, fmt.Errorf("request is %s: %s; write a path and a query, as /v1/series?area={zone}&from={from}&to={to}", clip(s), why)
	}
	path, query, _ := strings.Cut(s, "?")
	if strings.ContainsRune(s, '#') || len(s) > 2000 {
		return bad("it has a fragment or is longer than 2000 bytes")
	}
	r := request{uses: map[string]bool{}}
	var err error
	if r.path, err = url.PathUnescape(path); err != nil {
		return bad("its path is not escaped as paths are")
	}
	if !strings.HasPrefix(r.path, "/") && r.path != "" {
		return bad("its path does not begin with /")
	}
	for one := range strings.SplitSeq(query, "&") {
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || name == "" {
			return bad("its query is not escaped as queries are")
		}
		if strings.ContainsAny(name, "{}") {
			return bad("the name of a parameter holds a place")
		}
		r.query = append(r.query, pair{name, value})
	}
	in := func(text string) error {
		for rest := text; ; {
			_, after, open := strings.Cut(rest, "{")
			if !open {
				if strings.Contains(rest, "}") {
					return errors.New("a } has no {")
				}
				return nil
			}
			name, after, closed := strings.Cut(after, "}")
			if !closed || !slices.Contains(places, name) {
				return fmt.Errorf("{%.20s} is none of {%s}", name, strings.Join(places, "}, {"))
			}
			r.uses[name] = true
			rest = after
		}
	}
	if strings.Contains(r.path, "{key}") {
		return bad("{key} stands in the path, where servers log it; put it into the query or a header")
	}
	if err := in(r.path); err != nil {
		return bad(err.Error())
	}
	plain := r.query[:0]
	for _, p := range r.query {
		switch {
		case p.value == "{key}" && r.key == "":
			r.key = p.name
			continue
		case strings.Contains(p.value, "{key}"):
			return bad("{key} is the whole of one parameter, as ?token={key}")
		}
		if err := in(p.value); err != nil {
			return bad(err.Error())
		}
		plain = append(plain, p)
	}
	r.query = plain
	if r.uses["date"] && (r.uses["from"] || r.uses["to"]) {
		return bad("it has {date} and {from} or {to}; a source is asked for days or for times")
	}
	return r, nil
}

// fill puts the question in. What is put into the path may not make another
// path of it; everything else is escaped by whoever sends it.
func (r request) fill(with map[string]string) (path string, query url.Values, err error) {
	var old []string
	for name, v := range with {
		if strings.Contains(r.path, "{"+name+"}") && (strings.ContainsAny(v, `/\`) || v == "." || v == "..") {
			return "", nil, fmt.Errorf("%s is %s, which cannot stand in a path", name, clip(v))
		}
		old = append(old, "{"+name+"}", v)
	}
	put := strings.NewReplacer(old...) // in one pass: what is put in is not read for places
	query = url.Values{}
	for _, p := range r.query {
		query.Add(p.name, put.Replace(p.value))
	}
	return put.Replace(r.path), query, nil
}

// timeForm is how times are written: rfc3339, unix, unix-ms, or a layout of
// Go's, which is in loc if it does not say its offset.
type timeForm struct {
	form string
	loc  *time.Location
}

func parseTimeForm(field, s string, loc *time.Location) (timeForm, error) {
	switch s {
	case "":
		s = "rfc3339"
	case "rfc3339", "unix", "unix-ms":
	default:
		probe := time.Date(2023, 11, 24, 18, 47, 0, 0, time.UTC)
		back, err := time.Parse(s, probe.Format(s))
		if err != nil || back.Year() != 2023 || back.Month() != 11 || back.Day() != 24 || len(s) > 60 {
			return timeForm{}, fmt.Errorf("%s is %s, want rfc3339, unix, unix-ms or how 2 January 2006, 15:04:05 would be written there", field, clip(s))
		}
	}
	return timeForm{s, loc}, nil
}

func (f timeForm) write(t time.Time) string {
	switch f.form {
	case "rfc3339":
		return t.UTC().Format(time.RFC3339)
	case "unix":
		return strconv.FormatInt(t.Unix(), 10)
	case "unix-ms":
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return t.In(f.loc).Format(f.form)
}

// read reads a time as a JSON value has it.
func (f timeForm) read(v any) (time.Time, error) {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	default:
		return time.Time{}, fmt.Errorf("%s, want a time", wordFor(v))
	}
	switch f.form {
	case "unix", "unix-ms":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			return time.Time{}, fmt.Errorf("%s is no count since 1970", clip(text))
		}
		if f.form == "unix-ms" {
			return time.UnixMilli(n).UTC(), nil
		}
		if n >= firstMillis {
			return time.Time{}, fmt.Errorf("%s is no time in seconds; is timeFormat unix-ms?", clip(text))
		}
		return time.Unix(n, 0).UTC(), nil
	case "rfc3339":
		// Seconds are left out by some sources.
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
			if t, err := time.Parse(layout, text); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, fmt.Errorf("%s is not a time with its offset, as 2026-01-31T14:00:00Z; timeFormat takes other forms", clip(text))
	}
	t, err := time.ParseInLocation(f.form, text, f.loc)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is not written as timeFormat %s", clip(text), clip(f.form))
	}
	return t.UTC(), nil
}

// fields says where in an answer the values are. With rows, the others are
// paths within each row; without, each leads to a list, and the lists are of
// one length.
type fields struct {
	rows      jsonPath
	byRow     bool
	time      jsonPath
	value     jsonPath
	estimated jsonPath // nil: nothing is marked
	times     timeForm
}

// decode reads the values of an answer, in the order of time. A null, and in
// rows a value that is not there, is not known.
func (f fields) decode(a answer) ([]told, error) {
	if err := checkJSON(a.body); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, unfitf("its answer cannot be read: %s", printable(err.Error(), 120))
	}
	var times, values, marks []any
	if f.byRow {
		rows, err := f.rows.find(doc)
		if err != nil {
			return nil, fmt.Errorf("rows: %w", err)
		}
		for i, row := range rows {
			if _, ok := row.(map[string]any); !ok {
				if _, ok := row.([]any); !ok {
					return nil, fmt.Errorf("row %d is %s, want an object or a list; rows usually ends in [*]", i+1, wordFor(row))
				}
			}
			at, err := one(f.time, row)
			if err != nil {
				return nil, fmt.Errorf("row %d: time: %w", i+1, err)
			}
			v, err := one(f.value, row)
			if err != nil && !errors.Is(err, errNowhere) {
				return nil, fmt.Errorf("row %d: value: %w", i+1, err)
			}
			times, values = append(times, at), append(values, v)
			if f.estimated != nil {
				mark, err := one(f.estimated, row)
				if err != nil && !errors.Is(err, errNowhere) {
					return nil, fmt.Errorf("row %d: estimated: %w", i+1, err)
				}
				marks = append(marks, mark)
			}
		}
		// A value that no row has is a path that is wrong, not a source that
		// knows nothing.
		if len(rows) > 0 && !slices.ContainsFunc(rows, func(row any) bool { _, err := one(f.value, row); return err == nil }) {
			return nil, fmt.Errorf("value: %s leads to nothing in any row", f.value)
		}
	} else {
		var err error
		if times, err = f.time.find(doc); err != nil {
			return nil, fmt.Errorf("time: %w", err)
		}
		if values, err = f.value.find(doc); err != nil {
			return nil, fmt.Errorf("value: %w", err)
		}
		if f.estimated != nil {
			if marks, err = f.estimated.find(doc); err != nil {
				return nil, fmt.Errorf("estimated: %w", err)
			}
		}
		if len(times) != len(values) || marks != nil && len(marks) != len(times) {
			return nil, fmt.Errorf("time leads to %d entries, value to %d and estimated to %d; with rows they are found row by row", len(times), len(values), len(marks))
		}
	}
	samples := make([]told, 0, len(times))
	for i := range times {
		s := told{value: math.NaN()}
		var err error
		if s.at, err = f.times.read(times[i]); err != nil {
			return nil, fmt.Errorf("time %d: %w", i+1, err)
		}
		switch v := values[i].(type) {
		case nil:
		case json.Number:
			if s.value, err = decimal(v.String()); err != nil {
				return nil, fmt.Errorf("value %d: %w", i+1, err)
			}
		case string: // some print numbers as text
			if s.value, err = decimal(v); err != nil {
				return nil, fmt.Errorf("value %d: %w", i+1, err)
			}
		default:
			return nil, fmt.Errorf("value %d is %s, want a number", i+1, wordFor(v))
		}
		if marks != nil {
			switch v := marks[i].(type) {
			case nil:
			case bool:
				s.estimated = v
			default:
				return nil, fmt.Errorf("estimated %d is %s, want true or false", i+1, wordFor(v))
			}
		}
		samples = append(samples, s)
	}
	return inOrder(samples), nil
}

// one returns the single value that a path leads to in a row.
func one(p jsonPath, row any) (any, error) {
	found, err := p.find(row)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%s leads to %d values, want one", p, len(found))
	}
	return found[0], nil
}
