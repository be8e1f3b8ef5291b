package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// slowly looks for a key that stands twice with the standard library's reader.
func slowly(data []byte) bool {
	type open struct {
		keys map[string]bool
		key  bool
	}
	var stack []open
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		top := len(stack) - 1
		if d, ok := tok.(json.Delim); ok {
			switch d {
			case '{':
				stack = append(stack, open{map[string]bool{}, true})
				continue
			case '[':
				stack = append(stack, open{})
				continue
			}
			stack = stack[:top]
			top--
		} else if top >= 0 && stack[top].key {
			if stack[top].keys[tok.(string)] {
				return true
			}
			stack[top].keys[tok.(string)], stack[top].key = true, false
			continue
		}
		if top >= 0 && stack[top].keys != nil {
			stack[top].key = true
		}
	}
}

// FuzzTwice: of what is JSON, the quick look and the slow one say the same.
func FuzzTwice(f *testing.F) {
	many := func(n int, more string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"k%d":%d,`, i, i)
		}
		return "{" + b.String() + more + "}"
	}
	for _, s := range []string{
		`{}`, `[]`, `1`, `"a"`, `{"a":1,"b":2}`, `{"a":1,"a":2}`, `{"a":{"a":1},"b":{"a":2}}`, `[{"a":1},{"a":1}]`, `{"a":"a","b":"a"}`,
		`{"a":1,"\u0061":2}`, `{"a\"":1,"a\\":2,"a\"":3}`, `{"a":[1,{"b":2,"b":3}]}`, `{"x":"{\"a\":1,\"a\":2}"}`, `{"a":1,"b":[{"c":1}],"a":2}`,
		many(22, `"k21":0`), many(23, `"k3":0`), many(24, `"k23":0`), many(25, `"k24":0`), many(200, `"k150":0`), many(200, `"z":0`),
		`{"a":{"b":1,"c":2},"b":1,"c":2,"b":3}`, `{"\\":1,"\\":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := duplicates(data)
		if !json.Valid(data) || err != nil && strings.Contains(err.Error(), "deep") {
			return
		}
		if (err != nil) != slowly(data) {
			t.Errorf("%q: %v", data, err)
		}
	})
}

func TestDeep(t *testing.T) {
	if err := duplicates([]byte(strings.Repeat("[", 65))); err == nil {
		t.Error("65 levels are let in")
	}
	if err := duplicates([]byte(strings.Repeat("[", 64))); err != nil {
		t.Error(err)
	}
}
