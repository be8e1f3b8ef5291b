package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonPath is a path into a JSON value: names with dots between them, [n] for
// an element of a list, [*] for each element. A name that holds other than
// letters, digits, - and _ stands in quotes and brackets: data["a.b"].
type jsonPath []hop

// hop is one step of a path: into a name, an element, or each element.
type hop struct {
	name  string
	index int
	each  bool
	list  bool
}

const mostHops = 16

// parsePath reads a path. The leading $ and $. of JSONPath may be there; what
// JSONPath has besides (filters, slices, two dots) is not read.
func parsePath(s string) (jsonPath, error) {
	var p jsonPath
	rest := strings.TrimPrefix(s, "$")
	bad := func(why string) (jsonPath, error) {
		return nil, fmt.Errorf("path %s: %s; write names with dots, [n] and [*], as data[*].value", clip(s), why)
	}
	for first := true; rest != ""; first = false {
		if len(p) == mostHops {
			return bad(fmt.Sprintf("more than %d steps", mostHops))
		}
		if !strings.HasPrefix(rest, "[") {
			if !first || strings.HasPrefix(s, "$") {
				var dot bool
				if rest, dot = strings.CutPrefix(rest, "."); !dot {
					return bad("a name follows without a dot")
				}
			}
			end := strings.IndexFunc(rest, func(r rune) bool {
				return !(r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf)
			})
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return bad("a name is missing")
			}
			p, rest = append(p, hop{name: rest[:end]}), rest[end:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if strings.HasPrefix(rest, `["`) {
			if end = strings.Index(rest, `"]`) + 1; end == 0 {
				return bad("a quoted name does not end")
			}
			if end < 3 {
				return bad("a name is missing")
			}
			p, rest = append(p, hop{name: rest[2 : end-1]}), rest[end+1:]
			continue
		}
		if end < 0 {
			return bad("a bracket does not end")
		}
		inner := rest[1:end]
		rest = rest[end+1:]
		if inner == "*" {
			p = append(p, hop{list: true, each: true})
			continue
		}
		n, err := strconv.ParseUint(inner, 10, 20)
		if err != nil {
			return bad(fmt.Sprintf("%s in brackets", clip(inner)))
		}
		p = append(p, hop{list: true, index: int(n)})
	}
	return p, nil
}

// errNowhere says that a path leads to nothing.
var errNowhere = errors.New("leads to nothing")

// find returns what p leads to in v: one value, or with [*] several. Numbers
// are json.Number. Nothing found at the very end of a path of one element is
// null; a path that leads to nothing at all is errNowhere.
func (p jsonPath) find(v any) ([]any, error) {
	found := []any{v}
	for i, h := range p {
		var next []any
		for _, v := range found {
			switch v := v.(type) {
			case map[string]any:
				if h.list {
					return nil, fmt.Errorf("%s is an object, want a list", p[:i])
				}
				inner, ok := v[h.name]
				if !ok {
					return nil, fmt.Errorf("%s: %w", p[:i+1], errNowhere)
				}
				next = append(next, inner)
			case []any:
				switch {
				case !h.list:
					return nil, fmt.Errorf("%s is a list, want an object; put [*] or [0] after it", p[:i])
				case h.each:
					next = append(next, v...)
				case h.index < len(v):
					next = append(next, v[h.index])
				default:
					return nil, fmt.Errorf("%s: %w", p[:i+1], errNowhere)
				}
			default:
				return nil, fmt.Errorf("%s is %s, and the path goes on", p[:i], wordFor(v))
			}
			if len(next) > mostSteps {
				return nil, fmt.Errorf("%s leads to more than %d values", p[:i+1], mostSteps)
			}
		}
		found = next
	}
	return found, nil
}

func (p jsonPath) String() string {
	if len(p) == 0 {
		return "the whole answer"
	}
	var b strings.Builder
	for i, h := range p {
		switch {
		case h.each:
			b.WriteString("[*]")
		case h.list:
			fmt.Fprintf(&b, "[%d]", h.index)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(h.name)
		}
	}
	return b.String()
}

// wordFor names a JSON value in words, for people.
func wordFor(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "text"
	case json.Number, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "something else"
}
