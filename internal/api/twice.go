package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

const (
	deepest = 64 // levels of a body
	fewKeys = 24 // of one object, that are compared one by one
)

// level is an object or an array that is open.
type level struct {
	object bool
	first  int             // of its keys
	many   map[string]bool // its keys, once they are many
}

// has reports whether a key stands in l already; keys are those of all levels.
func (l *level) has(keys [][]byte, name []byte) bool {
	if l.many != nil {
		return l.many[string(name)]
	}
	for _, k := range keys[l.first:] {
		if bytes.Equal(k, name) {
			return true
		}
	}
	return false
}

// quoted returns the text that data begins with, in its quotes; ok is false if
// it has no end.
func quoted(data []byte) (text []byte, ok bool) {
	for end := 1; end < len(data); end++ {
		n := bytes.IndexByte(data[end:], '"')
		if n < 0 {
			return nil, false
		}
		end += n
		slashes := 0
		for data[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return data[:end+1], true
		}
	}
	return nil, false
}

// duplicates returns an error that names the first key that an object has
// twice. It sees every body, so it goes over the bytes once and keeps little;
// what is no JSON at all, it leaves to those who read it next.
func duplicates(data []byte) error {
	var stack []level
	var keys [][]byte
	key := false // a text that comes next is a key
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if len(stack) == deepest {
				return errors.New("nested too deep")
			}
			key = data[i] == '{'
			stack = append(stack, level{object: key, first: len(keys)})
		case '}', ']':
			if len(stack) == 0 {
				return nil
			}
			keys = keys[:stack[len(stack)-1].first]
			stack, key = stack[:len(stack)-1], false
		case ',':
			key = len(stack) > 0 && stack[len(stack)-1].object
		case '"':
			text, ok := quoted(data[i:])
			if !ok {
				return nil
			}
			i += len(text) - 1
			if !key {
				continue
			}
			key = false
			name := text[1 : len(text)-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				var s string
				if json.Unmarshal(text, &s) != nil {
					return nil
				}
				name = []byte(s)
			}
			top := &stack[len(stack)-1]
			if top.has(keys, name) {
				return errors.New("the key " + strconv.Quote(string(name)) + " stands twice in one object")
			}
			keys = append(keys, name)
			if len(keys)-top.first == fewKeys {
				top.many = map[string]bool{}
				for _, k := range keys[top.first:] {
					top.many[string(k)] = true
				}
			} else if top.many != nil {
				top.many[string(name)] = true
			}
		}
	}
	return nil
}
