package provider

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/dial"
	"clusy.io/clusy/internal/signal"
)

const example = `
sources:
  - kind: electricitymaps
    name: em/prod
    key: env:EM_TOKEN
    version: v4
    scope: lifecycle
    step: 15m
    zones: [DE, FR, "NO"]
    limit: 50/1h
  - kind: watttime
    user: freddo
    key: file:/etc/clusy/watttime
    zones: {US-CAL-CISO: CAISO_NORTH}
  - kind: uk-carbon-intensity
    zones: {GB: GB, GB-LON: 13}
`

func TestRead(t *testing.T) {
	list, err := Read(strings.NewReader(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[0].Zones["NO"] != "NO" || list[2].Zones["GB-LON"] != "13" || list[0].Key != "env:EM_TOKEN" || list[1].label() != "watttime" {
		t.Errorf("read %+v", list)
	}
	x, err := dial.New(dial.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		o, err := Open(d, Deps{Dial: x})
		if err != nil {
			t.Fatal(err)
		}
		if o.Provider.Name() != d.label() {
			t.Errorf("%s signs as %s", d.label(), o.Provider.Name())
		}
		if _, ok := o.Provider.(signal.Forecaster); !ok {
			t.Errorf("%s tells no forecast", d.label())
		}
		if _, ok := o.Provider.(signal.Metered); !ok {
			t.Errorf("%s is not metered", d.label())
		}
	}
	if got := x.Destinations(); len(got) != 3 || got[0].URL != "https://api.carbonintensity.org.uk" || got[1].Purpose != "signals of em/prod" {
		t.Errorf("destinations are %+v", got)
	}
	if empty, err := Read(strings.NewReader("sources: []\n")); err != nil || len(empty) != 0 {
		t.Errorf("no sources: %v", err)
	}
}

// What is wrong is named: the field, its value, what would do. A key that was
// written into the file by mistake is not repeated.
func TestReadRefuses(t *testing.T) {
	const key = "s3cretAPIkey"
	em := func(lines ...string) string {
		return "sources:\n  - kind: electricitymaps\n    zones: [DE]\n    " + strings.Join(lines, "\n    ") + "\n"
	}
	for name, c := range map[string]struct{ file, want string }{
		"empty":           {"", "the file is empty"},
		"not YAML":        {"sources: [", "["},
		"unknown field":   {em("key: env:K", "kye: env:K"), `unknown field "kye"`},
		"twice":           {em("key: env:K", "key: env:K"), "already defined"},
		"unknown top":     {"source: []\n", `unknown field "source"`},
		"no kind":         {"sources:\n  - name: x\n", "kind is missing"},
		"unknown kind":    {"sources:\n  - kind: weather\n", `kind is "weather", want one of eia, electricitymaps,`},
		"no key":          {em("name: em"), "key is missing: where the token is"},
		"key itself":      {em("key: " + key), "key is not a reference; write env:NAME or file:PATH"},
		"key as a list":   {em("key: [" + key + "]"), "string"},
		"version":         {em("key: env:K", "version: v2"), `version is "v2", want v3 or v4 or none`},
		"scope":           {em("key: env:K", "scope: all"), `scope is "all", want lifecycle or direct`},
		"field of others": {em("key: env:K", "currency: EUR"), "currency is given, and kind electricitymaps does not read it"},
		"demo of others":  {"sources:\n  - kind: uk-carbon-intensity\n    demo: true\n", "demo is given"},
		"limit":           {em("key: env:K", "limit: 50"), `limit is "50", want requests/time as 50/1h`},
		"limit zero":      {em("key: env:K", "limit: 0/1h"), `limit is "0/1h"`},
		"limit absurd":    {em("key: env:K", "limit: 5/1ns"), `limit is "5/1ns"`},
		"name":            {em("key: env:K", "name: 'a b'"), `name is "a b"`},
		"header":          {em("key: env:K", "header: 'X: y'"), `header is "X: y"`},
		"two names":       {"sources:\n  - kind: uk-carbon-intensity\n  - kind: uk-carbon-intensity\n", "is that of sources[0] too"},
		"zone twice":      {"sources:\n  - kind: uk-carbon-intensity\n    zones: [GB, GB]\n", "GB"},
		"zone name":       {"sources:\n  - kind: uk-carbon-intensity\n    zones: {'a b': GB}\n", `zones has "a b"`},
		"zone to nothing": {"sources:\n  - kind: uk-carbon-intensity\n    zones: {GB: ''}\n", `zones maps GB to ""`},
		"zones a number":  {"sources:\n  - kind: uk-carbon-intensity\n    zones: 5\n", "neither a list"},
		"two documents":   {"sources: []\n---\nsources: []\n", "more than one document"},
		"large":           {"#" + strings.Repeat("x", mostDeclared), "more than 262144 bytes"},
		"not text":        {"sources: []\x00", "not UTF-8"},
		"too many":        {"sources:\n" + strings.Repeat("  - kind: uk-carbon-intensity\n", mostSources+1), "want at most 100"},
	} {
		_, err := Read(strings.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		d    Declaration
		want string
	}{
		"plain http":   {Declaration{Kind: "uk-carbon-intensity", URL: "http://api.example"}, "url: the URL of destination api.example is plain http"},
		"no zones":     {Declaration{Kind: "electricitymaps", Key: "env:K"}, "zones is missing"},
		"wt, no zones": {Declaration{Kind: "watttime", Key: "env:K", User: "u"}, "zones is missing"},
		"no exchange":  {Declaration{Kind: "uk-carbon-intensity"}, "no exchange"},
	} {
		x, _ := dial.New(dial.Options{})
		if name == "no exchange" {
			x = nil
		}
		if _, err := Open(c.d, Deps{Dial: x}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// Each kind explains itself, as clusy signals kinds shows it.
func TestKinds(t *testing.T) {
	fields := map[string]bool{}
	for f := range reflect.TypeFor[Declaration]().Fields() {
		fields[f.Tag.Get("yaml")] = true
	}
	for _, all := range []string{"kind", "name", "url", "zones", "limit"} { // every kind reads them
		delete(fields, all)
	}
	last := ""
	for _, k := range Kinds() {
		if k.Name <= last || k.About == "" || k.Sends == "" || len(k.Tells) == 0 || k.open == nil && k.price == nil {
			t.Errorf("kind %+v does not explain itself", k)
		}
		last = k.Name
		if _, err := (Declaration{}).limit(k); err != nil {
			t.Errorf("kind %s: %v", k.Name, err)
		}
		for _, f := range k.Fields {
			if !fields[f.Name] || f.About == "" {
				t.Errorf("kind %s has a field %+v", k.Name, f)
			}
			if f.Name == "step" || f.Name == "horizon" {
				for _, v := range f.Only {
					if _, err := time.ParseDuration(v); err != nil {
						t.Errorf("kind %s: %s %v", k.Name, f.Name, err)
					}
				}
			}
		}
	}
}

// FuzzRead: whatever the file says, reading it ends, and what is read can be
// opened or says why not.
func FuzzRead(f *testing.F) {
	f.Add(example)
	f.Add("sources: &a [*a]")
	f.Add("sources:\n  - <<: {kind: x}")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		x, _ := dial.New(dial.Options{})
		for _, d := range list {
			_, _ = Open(d, Deps{Dial: x})
		}
	})
}
