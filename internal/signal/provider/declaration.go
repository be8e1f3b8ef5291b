package provider

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"clusy.io/clusy/internal/grid"
)

// Declaration is one source as an operator declares it, an entry of
// signals.yaml. docs/reference/signals.md has every field.
type Declaration struct {
	Kind     string `yaml:"kind" json:"kind"`
	Name     string `yaml:"name" json:"name"`                   // in every provenance; the kind if it is not given
	URL      string `yaml:"url" json:"url,omitempty"`           // where the API is, if not where the kind says
	Key      string `yaml:"key" json:"key,omitempty"`           // env:NAME or file:PATH, never the key itself
	User     string `yaml:"user" json:"user,omitempty"`         // a reference as key, or plain text
	Header   string `yaml:"header" json:"header,omitempty"`     // that carries the key, where a gateway wants another
	Version  string `yaml:"version" json:"version,omitempty"`   // of the API
	Scope    string `yaml:"scope" json:"scope,omitempty"`       // lifecycle or direct
	Signal   string `yaml:"signal" json:"signal,omitempty"`     // average or marginal
	Step     string `yaml:"step" json:"step,omitempty"`         // of the values: 1h, 15m, 5m
	Horizon  string `yaml:"horizon" json:"horizon,omitempty"`   // of forecasts: 24h
	Currency string `yaml:"currency" json:"currency,omitempty"` // of prices: EUR
	Zones    Zones  `yaml:"zones" json:"zones,omitempty"`       // ours to theirs
	Limit    string `yaml:"limit" json:"limit,omitempty"`       // 50/1h
	Demo     bool   `yaml:"demo" json:"demo,omitempty"`         // take data that the source marks as not real

	// Of sources whose intensity is reckoned from what generates.
	UnknownShare string `yaml:"unknownShare" json:"unknownShare,omitempty"` // of a step's generation that may be in doubt: 0.1
	Settle       string `yaml:"settle" json:"settle,omitempty"`             // after a step until it is whole: 2h

	// Of kind http, which is described rather than known.
	Request    string `yaml:"request" json:"request,omitempty"`       // path and query under url, with {zone}, {from}, {to}
	Tells      string `yaml:"tells" json:"tells,omitempty"`           // history, forecast or price
	Rows       string `yaml:"rows" json:"rows,omitempty"`             // path to the list of rows: data[*]
	Time       string `yaml:"time" json:"time,omitempty"`             // path to the start of a step
	Value      string `yaml:"value" json:"value,omitempty"`           // path to the value
	Estimated  string `yaml:"estimated" json:"estimated,omitempty"`   // path to true where a value is modelled
	Modelled   bool   `yaml:"modelled" json:"modelled,omitempty"`     // all of them are
	Unit       string `yaml:"unit" json:"unit,omitempty"`             // g/kWh, EUR/MWh
	Flow       string `yaml:"flow" json:"flow,omitempty"`             // consumption or production
	TimeFormat string `yaml:"timeFormat" json:"timeFormat,omitempty"` // rfc3339, unix, unix-ms, or a layout
	AskFormat  string `yaml:"askFormat" json:"askFormat,omitempty"`   // the same, of the question
	Timezone   string `yaml:"timezone" json:"timezone,omitempty"`     // of times without an offset
}

// Zones maps the zones that are asked of a source to its own names for them.
// In the file it is a map, or a list where the names are the same.
type Zones map[string]string

// UnmarshalYAML reads a map or a list.
func (z *Zones) UnmarshalYAML(read func(any) error) error {
	var list []string
	if err := read(&list); err == nil {
		*z = make(Zones, len(list))
		for _, name := range list {
			if _, twice := (*z)[name]; twice {
				return fmt.Errorf("zones has %.40q twice", name)
			}
			(*z)[name] = name
		}
		return nil
	}
	m := map[string]string{}
	if err := read(&m); err != nil {
		return errors.New("zones is neither a list of zones nor a map of our zones to the source's names")
	}
	*z = m
	return nil
}

const (
	mostDeclared = 256 << 10 // bytes of a file
	mostSources  = 100
	mostZones    = 1000
)

// Read reads a file of declarations: one document with the field sources. It
// checks each of them and returns what is wrong with the first that is.
func Read(r io.Reader) (list []Declaration, err error) {
	text, err := io.ReadAll(io.LimitReader(r, mostDeclared+1))
	if err != nil {
		return nil, err
	}
	switch {
	case len(text) > mostDeclared:
		return nil, fmt.Errorf("the file has more than %d bytes; declare zones as a list, or split what it declares", mostDeclared)
	case !utf8.Valid(text) || bytes.ContainsRune(text, 0):
		return nil, errors.New("the file is not UTF-8 text")
	}
	defer func() { // the parser is not ours
		if p := recover(); p != nil {
			list, err = nil, errors.New("the file is not YAML that can be read")
		}
	}()
	var file struct {
		Sources []Declaration `yaml:"sources"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := dec.Decode(&file); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty; write sources: and a list under it")
		}
		// Without the lines of the file: a key may stand there by mistake.
		return nil, errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one document; write one list under sources")
	}
	if len(file.Sources) > mostSources {
		return nil, fmt.Errorf("sources has %d entries, want at most %d", len(file.Sources), mostSources)
	}
	names := map[string]int{}
	for i, d := range file.Sources {
		if err := d.check(); err != nil {
			return nil, fmt.Errorf("sources[%d] (%s): %w", i, d.label(), err)
		}
		if first, twice := names[d.label()]; twice {
			return nil, fmt.Errorf("sources[%d]: name %q is that of sources[%d] too; give each a name of its own", i, d.label(), first)
		}
		names[d.label()] = i
	}
	return file.Sources, nil
}

// label is the name that the source signs with.
func (d Declaration) label() string {
	if d.Name == "" {
		return fmt.Sprintf("%.40s", d.Kind)
	}
	return fmt.Sprintf("%.64s", d.Name)
}

// check reports the first field that is wrong.
func (d Declaration) check() error {
	if d.Kind == "" {
		return errors.New("kind is missing; clusy signals kinds lists them")
	}
	k, err := kindOf(d.Kind)
	if err != nil {
		return err
	}
	if d.Name != "" && (len(d.Name) > 64 || strings.Trim(d.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") != "") {
		return fmt.Errorf("name is %.70q, want 1 to 64 letters, digits and -_./", d.Name)
	}
	given := map[string]string{
		"key": d.Key, "user": d.User, "header": d.Header, "version": d.Version, "scope": d.Scope, "signal": d.Signal,
		"step": d.Step, "horizon": d.Horizon, "currency": d.Currency,
		"unknownShare": d.UnknownShare, "settle": d.Settle, "request": d.Request, "tells": d.Tells, "rows": d.Rows, "time": d.Time, "value": d.Value,
		"estimated": d.Estimated, "unit": d.Unit, "flow": d.Flow, "timeFormat": d.TimeFormat, "askFormat": d.AskFormat, "timezone": d.Timezone,
	}
	if d.Demo {
		given["demo"] = "true"
	}
	if d.Modelled {
		given["modelled"] = "true"
	}
	for _, f := range k.Fields {
		v := given[f.Name]
		delete(given, f.Name)
		switch {
		case v == "" && f.Must:
			return fmt.Errorf("%s is missing: %s", f.Name, f.About)
		case v != "" && f.Name != "key" && f.Name != "user" && len(f.Only) > 0 && !slices.Contains(f.Only, v):
			return fmt.Errorf("%s is %.40q, want %s", f.Name, v, strings.Join(f.Only, " or "))
		}
	}
	for name, v := range given {
		if v != "" {
			return fmt.Errorf("%s is given, and kind %s does not read it; leave it out", name, d.Kind)
		}
	}
	if d.Key != "" {
		if _, err := reference(d.Key); err != nil {
			return fmt.Errorf("key %w", err)
		}
	}
	if d.Header != "" && strings.Trim(strings.ToLower(d.Header), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("header is %.40q, want the name of an HTTP header", d.Header)
	}
	if _, err := d.limit(k); err != nil {
		return err
	}
	if len(d.Zones) > mostZones {
		return fmt.Errorf("zones has %d entries, want at most %d", len(d.Zones), mostZones)
	}
	for ours, theirs := range d.Zones {
		probe := grid.Prices{Provider: "x", Zone: grid.Zone(ours), Currency: "EUR", Step: time.Hour, Issued: time.Unix(0, 0), Start: time.Unix(0, 0).UTC()}
		if probe.Validate() != nil {
			return fmt.Errorf("zones has %.70q, want 1 to 64 letters, digits and -_.:/", ours)
		}
		if theirs == "" || len(theirs) > 100 || strings.ContainsFunc(theirs, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("zones maps %s to %.110q, want the source's name for it in 1 to 100 characters", ours, theirs)
		}
	}
	return nil
}

// filled returns d with what holds of each field that is not given.
func (d Declaration) filled(k Kind) Declaration {
	into := map[string]*string{
		"version": &d.Version, "scope": &d.Scope, "signal": &d.Signal, "step": &d.Step, "horizon": &d.Horizon, "currency": &d.Currency,
	}
	for name, v := range into {
		*v = d.or(*v, k, name)
	}
	return d
}

// or returns v, or what holds of the field if it is not given.
func (d Declaration) or(v string, k Kind, field string) string {
	if v != "" {
		return v
	}
	for _, f := range k.Fields {
		if f.Name == field && len(f.Only) > 0 && !f.Open {
			return f.Only[0]
		}
	}
	return ""
}

// zones returns the declared zones, or those that hold if none are.
func (d Declaration) zones(without zoneMap) zoneMap {
	if len(d.Zones) == 0 {
		return without
	}
	m := make(zoneMap, len(d.Zones))
	for ours, theirs := range d.Zones {
		m[grid.Zone(ours)] = theirs
	}
	return m
}

// split is zones for a source that calls a zone by one name for what it
// generates and by another for its prices: "de/DE-LU" has both, and one name
// alone is both.
func (d Declaration) split(carbon, price zoneMap) (zoneMap, zoneMap) {
	if len(d.Zones) == 0 {
		return carbon, price
	}
	carbon, price = zoneMap{}, zoneMap{}
	for ours, theirs := range d.Zones {
		made, priced, two := strings.Cut(theirs, "/")
		if !two {
			priced = made
		}
		if made != "" {
			carbon[grid.Zone(ours)] = made
		}
		if priced != "" {
			price[grid.Zone(ours)] = priced
		}
	}
	return carbon, price
}

// rate is so many requests in a window; the zero value is no limit.
type rate struct {
	requests int
	window   time.Duration
}

// limit reads "50/1h".
func (d Declaration) limit(k Kind) (rate, error) {
	text := d.Limit
	if text == "" {
		text = k.Limit
	}
	if text == "" {
		return rate{}, nil
	}
	n, per, _ := strings.Cut(text, "/")
	requests, err := strconv.Atoi(n)
	window, werr := time.ParseDuration(per)
	if err != nil || werr != nil || requests < 1 || requests > 100_000 || window < time.Second || window > 31*24*time.Hour {
		return rate{}, fmt.Errorf("limit is %.40q, want requests/time as 50/1h: 1 to 100000 requests in 1s to 744h", text)
	}
	return rate{requests, window}, nil
}
