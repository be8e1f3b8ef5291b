package intent

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Schema returns the JSON Schema (2020-12) of the intent file, indented, for
// editors and other programs. It is made of the table by which the reader
// knows its fields. What it refuses, Parse refuses; Parse also knows the rest,
// such as whether the work fits into its window.
func Schema() ([]byte, error) {
	root := form{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://clusy.io/schemas/v1/intent.json",
		"title": "Clusy intent", "description": "What to run, how long it takes, and by when it must be complete.",
	}
	section(root, "")
	// Between two fields, not within one: these are the rules that hold.
	shape, when := property(root, "shape"), property(root, "when")
	shape["not"] = form{"required": []string{"power", "energy"}}
	// How long it runs is declared, or learned of its class.
	declared := form{"required": []string{"duration"}, "properties": form{"duration": form{"anyOf": []form{durationForm, {"type": "object", "required": []string{"expected"}}}}}}
	shape["anyOf"] = []form{declared, {"required": []string{"class"}}}
	when["oneOf"] = []form{{"required": []string{"completeBy"}}, {"required": []string{"maxDelay"}}}
	for _, f := range property(shape, "power")["anyOf"].([]form) {
		if f["type"] == "object" {
			f["oneOf"] = []form{{"required": []string{"watts"}}, {"required": []string{"value"}}}
		}
	}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(b, '\n'), nil
}

// section makes of f the mapping of the fields that stand directly in name.
func section(f form, name string) {
	f["type"], f["additionalProperties"] = "object", false
	fields, needed := form{}, []string{}
	for _, e := range entries {
		parent, leaf := split(e.name)
		if parent != name {
			continue
		}
		fields[leaf] = e.schema()
		if e.needed {
			needed = append(needed, leaf)
		}
	}
	f["properties"] = fields
	if len(needed) > 0 {
		f["required"] = needed
	}
}

// schema is a field with all that stands in it. A field that is written as a
// value or as a mapping may be either.
func (e entry) schema() form {
	out := form{"description": e.says}
	if e.dflt != nil {
		out["default"] = e.dflt
	}
	if e.examples != nil {
		out["examples"] = e.examples
	}
	switch parts := len(leaves(splitName(e.name))) > 0; {
	case parts && e.many > 0:
		inside := form{}
		section(inside, e.name)
		out["anyOf"] = []form{{"type": "array", "maxItems": e.many, "items": inside}, inside}
	case parts && e.form != nil:
		inside := form{}
		section(inside, e.name)
		out["anyOf"] = []form{e.form, inside}
	case parts:
		section(out, e.name)
	default:
		for k, v := range e.form {
			out[k] = v
		}
	}
	return out
}

func property(f form, name string) form { return f["properties"].(form)[name].(form) }

func list(values ...any) []any { return values }

func only(word string) form { return form{"const": word} }

func words[T ~string](choices []T) form { return form{"enum": choices} }

func wholeForm(least, most int) form {
	return form{"type": "integer", "minimum": least, "maximum": most}
}

func either(forms ...form) form { return form{"anyOf": forms} }

// scalarForm is a single value, which is taken as it is written.
func scalarForm() form { return form{"type": []string{"string", "number", "boolean"}} }

func anyScalar(most int) form {
	f := scalarForm()
	f["maxLength"] = most
	return f
}

func patterns(least int) form {
	item := scalarForm()
	item["pattern"] = patternForm.String()
	return form{"type": "array", "minItems": least, "maxItems": MaxPatterns, "items": item}
}

// How quantities are written. The patterns are of the part that all dialects
// of regular expressions have in common.
const (
	someNumber = `\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`
	someSpan   = `([0-9]+\.?[0-9]*|\.[0-9]+)`
	someTime   = `(\s*` + someSpan + `\s*(ms|min|[wdhms]))+\s*`
	someISO    = `\s*P(` + someSpan + `\s*[WD]\s*)*(T(\s*` + someSpan + `\s*[HMS])+)?\s*`
)

var (
	powerForm    = units("mW", "W", "kW", "MW")
	gpuForm      = form{"type": "string", "pattern": `^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`}
	carbonForm   = units("mgCO2e", "gCO2e", "kgCO2e", "tCO2e", "mg", "g", "kg", "t")
	moneyForm    = form{"type": "string", "pattern": `^\s*` + someNumber + `\s*[A-Z]{3}\s*$`}
	durationForm = form{"type": "string", "pattern": `^(` + someTime + `|` + someISO + `)$`}
	someInstant  = `(\+(` + someTime + `|` + someISO + `)|` + strings.Trim(instantForm.String(), "^$") + `)`
	instantForms = form{"type": "string", "pattern": `^` + someInstant + `$`}
	deniedForms  = `(` + denialForm.String() + `)|(^` + someInstant + `/` + someInstant + `$)`
)

// units is a number with one of some units.
func units(symbols ...string) form {
	return form{"type": "string", "pattern": `^\s*` + someNumber + `\s*(` + strings.Join(symbols, "|") + `)\s*$`}
}
