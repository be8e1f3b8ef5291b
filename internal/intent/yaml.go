package intent

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readYAML reads src as the plain part of YAML: mappings, lists and scalars.
// What an intent has no use for and a reader can be hurt or fooled by (anchors,
// aliases, tags, merge keys, directives, several documents) is refused on the
// tokens, before anything is built from them.
func readYAML(src []byte) (*node, *fault) {
	return guarded(func() (*node, *fault) {
		// The tokenizer counts a CRLF in a block text as two lines.
		src := bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
		tokens := lexer.Tokenize(string(src))
		if f := refuseTokens(tokens); f != nil {
			return nil, f
		}
		if !whole(src, tokens) {
			return nil, &fault{message: "part of the file is not YAML", limit: "mappings, lists and plain values"}
		}
		return build(tokens, scalars(tokens))
	})
}

// guarded turns a panic of read into a fault. The parser is not ours and the
// bytes are anyone's: if one finds a panic in the other, it is a refused file
// and not a dead agent.
func guarded(read func() (*node, *fault)) (n *node, f *fault) {
	defer func() {
		if p := recover(); p != nil {
			n, f = nil, &fault{message: "this is not YAML that can be read", limit: "mappings, lists and plain values"}
		}
	}()
	return read()
}

// build parses tokens, of which words are words of the file, into nodes.
func build(tokens token.Tokens, words int) (*node, *fault) {
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxFault(err)
	}
	var bodies []*ast.DocumentNode
	for _, d := range file.Docs {
		if d.Body != nil {
			bodies = append(bodies, d)
		}
	}
	switch {
	case len(bodies) == 0:
		return nil, &fault{message: "the file is empty", limit: "one intent"}
	case len(bodies) > 1:
		return nil, several(placeOf(bodies[1].Body.GetToken()))
	}
	r := yamlReader{}
	n, f := r.value(bodies[0].Body, 0)
	if f != nil {
		return nil, f
	}
	// A parser that leaves out a word would have us run something else than
	// was written.
	if r.scalars != words {
		return nil, &fault{message: "part of the file is not YAML", limit: "mappings, lists and plain values"}
	}
	return n, nil
}

// refuseTokens returns what is wrong with the tokens alone.
func refuseTokens(tokens token.Tokens) *fault {
	if len(tokens) > maxMarks {
		return &fault{place: placeOf(tokens[maxMarks]), message: "the file has too many values", limit: fmt.Sprintf("at most %d words and signs", maxMarks)}
	}
	depth, dashes, line, begun := 0, 0, 0, false
	for _, t := range tokens {
		refused := ""
		switch t.Type {
		case token.InvalidType:
			return &fault{place: placeOf(t), message: "this is not YAML", detail: t.Error, limit: "mappings, lists and plain values"}
		case token.AnchorType, token.AliasType:
			refused = "anchors and aliases are not read; write the value out"
		case token.TagType:
			refused = "tags are not read; leave the ! and its word out"
		case token.MergeKeyType:
			refused = "merge keys are not read; write the fields out"
		case token.DirectiveType:
			refused = "directives are not read; leave the line out"
		case token.MappingKeyType:
			refused = "a key that begins with ? is not read; write key: value"
		case token.DocumentHeaderType:
			if begun {
				return several(placeOf(t))
			}
		case token.MappingStartType, token.SequenceStartType:
			if depth++; depth > maxDepth {
				return tooDeep(placeOf(t))
			}
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType:
			if t.Position.Line != line {
				line, dashes = t.Position.Line, 0
			}
			if dashes++; dashes > maxDepth {
				return tooDeep(placeOf(t))
			}
		}
		if refused != "" {
			return &fault{place: placeOf(t), message: refused, limit: "mappings, lists and plain values"}
		}
		begun = begun || t.Type != token.CommentType
	}
	return nil
}

func several(at place) *fault {
	return &fault{place: at, message: "the file holds more than one document; give each intent a file of its own", limit: "one intent"}
}

// whole reports whether every visible character of the file is in a token. The
// tokenizer drops some that it cannot place, and a dropped word is a changed
// intent.
func whole(src []byte, tokens token.Tokens) bool {
	visible := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, s)
	}
	rest, ok := visible(string(src)), true
	for _, t := range tokens {
		origin := visible(t.Origin)
		if t.Type == token.DoubleQuoteType {
			rest, ok = cutQuoted(rest, origin)
		} else {
			rest, ok = strings.CutPrefix(rest, origin)
		}
		if !ok {
			return false
		}
	}
	return rest == ""
}

// cutQuoted takes a double-quoted word off the text that it was read from. The
// tokenizer keeps no more of \x41, \u003e and \U0001F600 than the backslash.
func cutQuoted(text, origin string) (rest string, ok bool) {
	for origin != "" {
		if text == "" || text[0] != origin[0] {
			return "", false
		}
		if text[0] != '\\' || len(text) < 2 {
			text, origin = text[1:], origin[1:]
			continue
		}
		if n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]; n > 0 && len(text) >= 2+n {
			text, origin = text[2+n:], origin[1:]
			continue
		}
		if len(origin) < 2 || text[1] != origin[1] {
			return "", false
		}
		text, origin = text[2:], origin[2:]
	}
	return text, true
}

// scalars counts the tokens that are words of the file.
func scalars(tokens token.Tokens) int {
	n := 0
	for _, t := range tokens {
		switch t.Type {
		case token.StringType, token.SingleQuoteType, token.DoubleQuoteType, token.IntegerType, token.BinaryIntegerType,
			token.OctetIntegerType, token.HexIntegerType, token.FloatType, token.BoolType, token.NullType, token.InfinityType, token.NanType:
			n++
		}
	}
	return n
}

func syntaxFault(err error) *fault {
	f := &fault{message: "this is not YAML", limit: "mappings, lists and plain values"}
	var y yaml.Error
	if errors.As(err, &y) {
		f.detail = y.GetMessage()
		f.place = placeOf(y.GetToken())
	}
	return f
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	text, _, _ := strings.Cut(strings.TrimSpace(t.Origin), "\n")
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1), max(utf8.RuneCountInString(strings.TrimSpace(text)), 1)}
}

type yamlReader struct{ scalars int }

func (r *yamlReader) value(y ast.Node, depth int) (*node, *fault) {
	if y == nil {
		return &node{}, nil
	}
	n := &node{at: placeOf(y.GetToken())}
	if depth > maxDepth {
		return nil, tooDeep(n.at)
	}
	switch y := y.(type) {
	case *ast.MappingNode:
		n.kind = kindMapping
		for _, v := range y.Values {
			if f := r.field(n, v, depth); f != nil {
				return nil, f
			}
		}
	case *ast.MappingValueNode: // a mapping of one line
		n.kind = kindMapping
		if f := r.field(n, y, depth); f != nil {
			return nil, f
		}
	case *ast.SequenceNode:
		n.kind = kindList
		for _, v := range y.Values {
			item, f := r.value(v, depth+1)
			if f != nil {
				return nil, f
			}
			n.items = append(n.items, item)
		}
	case *ast.StringNode:
		n.kind, n.text = kindText, y.Value
		r.scalars++
	case *ast.LiteralNode:
		n.kind, n.text = kindText, y.Value.Value
		n.at = placeOf(y.Start)
		if n.text != "" { // an empty block has no word
			r.scalars++
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.text = kindNumber, y.GetToken().Value
		r.scalars++
	case *ast.BoolNode:
		n.kind, n.text = kindBool, y.GetToken().Value
		r.scalars++
	case *ast.NullNode:
		if y.GetToken().Type == token.NullType {
			r.scalars++
		}
	default:
		return nil, &fault{place: n.at, message: "this is not a mapping, a list or a plain value", limit: "mappings, lists and plain values"}
	}
	return n, nil
}

func (r *yamlReader) field(n *node, v *ast.MappingValueNode, depth int) *fault {
	key := v.Key.GetToken()
	switch v.Key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		r.scalars++
	default:
		return &fault{place: placeOf(key), message: "this is not a field's name", limit: "a plain name"}
	}
	if len(n.fields) == 0 {
		n.at = placeOf(key) // the parser's own place for a mapping is its first colon
	}
	value, f := r.value(v.Value, depth+1)
	if f != nil {
		return f
	}
	n.fields = append(n.fields, field{key.Value, placeOf(key), value})
	return nil
}
