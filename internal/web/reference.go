package web

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
)

//go:embed reference.css
var referenceStyle []byte

//go:embed reference.html
var referenceText string

// description is as much of an OpenAPI document as the reference shows.
type description struct {
	Info struct {
		Title, Description, Version string
	}
	Paths      map[string]map[string]*operation
	Components struct {
		Schemas map[string]*schema
	}
}

type operation struct {
	ID          string `json:"operationId"`
	Summary     string
	Tags        []string
	Permission  string `json:"x-permission"`
	Parameters  []parameter
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema *schema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema *schema }
	}

	Method, Path string `json:"-"`
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                *schema
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        any
	Format      string
	Description string
	Enum        []any
	Default     any
	Example     any
	Examples    []any
	Pattern     string
	Minimum     *float64
	Maximum     *float64
	ExMinimum   *float64 `json:"exclusiveMinimum"`
	MinLength   *int
	MaxLength   *int
	MinItems    *int
	MaxItems    *int
	Items       *schema
	OneOf       []*schema
	Properties  map[string]*schema
	More        any `json:"additionalProperties"`
	Required    []string
}

// chapter is the operations of one tag.
type chapter struct {
	Name       string
	Operations []*operation
}

// referencePage draws the whole reference, once.
func referencePage(spec []byte) (*file, error) {
	var d description
	if err := json.Unmarshal(spec, &d); err != nil {
		return nil, fmt.Errorf("read the API's description: %w", err)
	}
	t, err := template.New("reference").Funcs(template.FuncMap{
		"kind": kindOf, "limits": limitsOf, "name": nameOf, "example": d.example, "needs": slices.Contains[[]string, string], "upper": strings.ToUpper,
	}).Parse(referenceText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"About": d.Info, "Chapters": d.chapters(), "Schemas": d.Components.Schemas})
	return newFile("reference.html", b.Bytes(), false), err
}

// chapters sorts the operations by tag, path and method.
func (d description) chapters() []chapter {
	by := map[string][]*operation{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			op := d.Paths[path][method]
			if op == nil {
				continue
			}
			op.Method, op.Path = strings.ToUpper(method), path
			tag := "other"
			if len(op.Tags) > 0 {
				tag = op.Tags[0]
			}
			by[tag] = append(by[tag], op)
		}
	}
	var out []chapter
	for _, tag := range slices.Sorted(maps.Keys(by)) {
		out = append(out, chapter{tag, by[tag]})
	}
	return out
}

func nameOf(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

// kindOf says in a few words what a value is.
func kindOf(s *schema) string {
	if s == nil {
		return ""
	}
	var kinds []string
	switch t := s.Type.(type) {
	case string:
		kinds = append(kinds, t)
	case []any:
		for _, k := range t {
			if k != "null" {
				kinds = append(kinds, fmt.Sprint(k))
			}
		}
	}
	text := strings.Join(kinds, " or ")
	switch {
	case s.Items != nil && s.Items.Ref != "":
		text = "list of"
	case s.Items != nil:
		text = "list of " + kindOf(s.Items)
	case s.Format == "date-time":
		text = "time, RFC 3339"
	case s.Format == "byte" || s.Format == "base64":
		text = "bytes, base64"
	}
	return text
}

// limitsOf says what a value must keep to.
func limitsOf(s *schema) string {
	if s == nil {
		return ""
	}
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if s.Minimum != nil {
		say("≥ %g", *s.Minimum)
	}
	if s.ExMinimum != nil {
		say("> %g", *s.ExMinimum)
	}
	if s.Maximum != nil {
		say("≤ %g", *s.Maximum)
	}
	for _, l := range []struct {
		n    *int
		text string
	}{{s.MinLength, "at least %d characters"}, {s.MaxLength, "at most %d characters"}, {s.MinItems, "at least %d items"}, {s.MaxItems, "at most %d items"}} {
		if l.n != nil {
			say(l.text, *l.n)
		}
	}
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			words[i] = fmt.Sprint(e)
		}
		say("one of %s", strings.Join(words, ", "))
	}
	if s.Pattern != "" {
		say("pattern %s", s.Pattern)
	}
	if s.Default != nil {
		say("default %v", s.Default)
	}
	return strings.Join(out, " · ")
}

// example is a call of op as one types it into a shell.
func (d description) example(op *operation) string {
	var b strings.Builder
	b.WriteString("curl")
	if op.Method != http.MethodGet {
		b.WriteString(" -X " + op.Method)
	}
	if op.Permission != "public" {
		b.WriteString(` -H "Authorization: Bearer $CLUSY_TOKEN"`)
	}
	for _, p := range op.Parameters {
		if p.In == "header" && p.Required {
			b.WriteString(fmt.Sprintf(" \\\n  -H '%s: …'", p.Name))
		}
	}
	if op.RequestBody != nil {
		b.WriteString(" \\\n  -H 'Content-Type: application/json' -d @body.json")
	}
	b.WriteString(" \\\n  \"$CLUSY_URL" + op.Path + `"`)
	return b.String()
}
