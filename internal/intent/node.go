package intent

import (
	"strconv"
	"strings"
)

// kind is what a node of a file is.
type kind int

const (
	kindNull kind = iota
	kindText
	kindNumber
	kindBool
	kindMapping
	kindList
)

func (k kind) String() string {
	return [...]string{"nothing", "a text", "a number", "true or false", "a mapping", "a list"}[k]
}

// place is a stretch of one line of the file. Lines and columns count from 1,
// columns in characters. The zero place is nowhere.
type place struct{ line, column, width int }

// node is a value of the file, whether it came as YAML or as JSON.
type node struct {
	kind   kind
	text   string // of a scalar: as written, with quotes and escapes undone
	at     place
	fields []field // of a mapping, in the file's order, duplicates included
	items  []*node // of a list
}

// field is one line of a mapping.
type field struct {
	key   string
	at    place // of the key
	value *node
}

// scalar reports whether n is a single value that is not null.
func (n *node) scalar() bool {
	return n.kind == kindText || n.kind == kindNumber || n.kind == kindBool
}

// child returns the first field of that name, nil if there is none.
func (n *node) child(key string) *field {
	if n == nil {
		return nil
	}
	for i := range n.fields {
		if n.fields[i].key == key {
			return &n.fields[i]
		}
	}
	return nil
}

// path names a value in the file: shape, power.
type path []string

func at(steps ...string) path { return steps }

// with returns p and one more step; it never shares p's memory.
func (p path) with(step string) path {
	return append(append(make(path, 0, len(p)+1), p...), step)
}

// within reports whether p is q or inside it.
func (p path) within(q path) bool {
	if len(p) < len(q) {
		return false
	}
	for i := range q {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}

// dotted writes p as the tables of names do: run.env.
func (p path) dotted() string { return strings.Join(p, ".") }

// field writes p as people do: where.allow[0].
func (p path) field() string {
	var b strings.Builder
	for i, s := range p {
		switch _, err := strconv.Atoi(s); {
		case err == nil && i > 0:
			b.WriteString("[" + s + "]")
		case i > 0:
			b.WriteString("." + s)
		default:
			b.WriteString(s)
		}
	}
	return b.String()
}

// row returns p without the numbers of list items, as the table of fields has it.
func (p path) row() path {
	out := make(path, 0, len(p))
	for _, s := range p {
		if _, err := strconv.Atoi(s); err != nil {
			out = append(out, s)
		}
	}
	return out
}

// splitName reads a name of the tables of names.
func splitName(name string) path { return strings.Split(name, ".") }

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")
var pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")

// pointer writes p as a JSON pointer (RFC 6901): /where/allow/0.
func (p path) pointer() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteString("/" + pointerEscape.Replace(s))
	}
	return b.String()
}

// pointerPath reads a JSON pointer; "" is the whole.
func pointerPath(pointer string) path {
	pointer = strings.TrimPrefix(strings.TrimPrefix(pointer, "#"), "/")
	if pointer == "" {
		return nil
	}
	p := path(strings.Split(pointer, "/"))
	for i := range p {
		p[i] = pointerUnescape.Replace(p[i])
	}
	return p
}

// find returns the node at p below n, its key's place, and how many steps of p
// were found: where a value is missing, its parent is the place to point to.
func (n *node) find(p path) (found *node, key place, depth int) {
	found = n
	for _, step := range p {
		var next *node
		var nextKey place
		if found != nil && found.kind == kindList {
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(found.items) {
				next, nextKey = found.items[i], found.items[i].at
			}
		} else if f := found.child(step); f != nil {
			next, nextKey = f.value, f.at
		}
		if next == nil {
			return found, key, depth
		}
		found, key, depth = next, nextKey, depth+1
	}
	return found, key, depth
}

// point returns the place that stands for p: its scalar value, else its key,
// else the same of the nearest parent that is there.
func (n *node) point(p path) (where place, exact bool) {
	found, key, depth := n.find(p)
	exact = depth == len(p)
	switch {
	case found.scalar() && found.at.line > 0:
		return found.at, exact
	case key.line > 0:
		return key, exact
	}
	return place{1, 1, 1}, exact
}
