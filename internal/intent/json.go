package intent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// readJSON reads src as strict JSON. encoding/json decides what is JSON, as
// YAML's readers take more than that (NaN, comments, trailing commas).
func readJSON(src []byte) (*node, *fault) {
	if err := json.Unmarshal(src, new(json.RawMessage)); err != nil {
		f := &fault{message: "this is not JSON, as a file that begins with { or [ must be", detail: err.Error(), limit: "one JSON object"}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			f.place = newIndex(src).place(max(int(syntax.Offset)-1, 0), 1)
		}
		return nil, f
	}
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	r := jsonReader{src: src, d: d, lines: newIndex(src)}
	return r.value(0)
}

type jsonReader struct {
	src   []byte
	d     *json.Decoder
	lines index
	marks int
}

// token returns the next token and the place where it stands.
func (r *jsonReader) token() (json.Token, place, *fault) {
	from := int(r.d.InputOffset())
	for from < len(r.src) && bytes.IndexByte([]byte(" \t\r\n,:"), r.src[from]) >= 0 {
		from++
	}
	t, err := r.d.Token()
	if err != nil {
		return nil, place{}, &fault{place: r.lines.place(from, 1), message: "this is not JSON", detail: err.Error(), limit: "one JSON object"}
	}
	here := r.lines.place(from, utf8.RuneCount(r.src[from:r.d.InputOffset()]))
	if r.marks++; r.marks > maxMarks {
		return nil, here, &fault{place: here, message: "the file has too many values", limit: fmt.Sprintf("at most %d", maxMarks)}
	}
	return t, here, nil
}

func (r *jsonReader) value(depth int) (*node, *fault) {
	t, here, f := r.token()
	if f != nil {
		return nil, f
	}
	if depth > maxDepth {
		return nil, tooDeep(here)
	}
	n := &node{at: here}
	switch t := t.(type) {
	case json.Delim:
		n.kind = kindMapping
		if t == '[' {
			n.kind = kindList
		}
		for r.d.More() {
			if n.kind == kindList {
				item, f := r.value(depth + 1)
				if f != nil {
					return nil, f
				}
				n.items = append(n.items, item)
				continue
			}
			key, at, f := r.token()
			if f != nil {
				return nil, f
			}
			value, f := r.value(depth + 1)
			if f != nil {
				return nil, f
			}
			n.fields = append(n.fields, field{key.(string), at, value})
		}
		_, _, f := r.token() // the closing bracket
		return n, f
	case string:
		n.kind, n.text = kindText, t
	case json.Number:
		n.kind, n.text = kindNumber, t.String()
	case bool:
		n.kind, n.text = kindBool, fmt.Sprint(t)
	}
	return n, nil
}

func tooDeep(at place) *fault {
	return &fault{place: at, message: "values are nested too deeply", limit: fmt.Sprintf("at most %d levels", maxDepth)}
}

// index finds the line and column of a byte of the file.
type index struct {
	src    []byte
	starts []int // of each line
}

func newIndex(src []byte) index {
	ix := index{src, []int{0}}
	for i, b := range src {
		if b == '\n' {
			ix.starts = append(ix.starts, i+1)
		}
	}
	return ix
}

func (ix index) place(offset, width int) place {
	lo, hi := 0, len(ix.starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; ix.starts[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return place{lo + 1, utf8.RuneCount(ix.src[ix.starts[lo]:min(offset, len(ix.src))]) + 1, width}
}
