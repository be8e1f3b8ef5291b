package intent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/lexer"
)

// The guards in front of the parser, each by itself.
func TestTokensAreRefusedBeforeTheyAreParsed(t *testing.T) {
	for _, src := range []string{
		strings.Repeat("- ", 100) + "a", strings.Repeat("[", 100), "a: {b: " + strings.Repeat("{a: ", 100), strings.Repeat("a: 1\n", 10_000),
		"&a b", "*a", "!t a", "<<: a", "%Y", "? a", "a\n---\nb",
	} {
		if f := refuseTokens(lexer.Tokenize(src)); f == nil || f.place.line == 0 {
			t.Errorf("%.40q: %+v", src, f)
		}
	}
	if f := refuseTokens(lexer.Tokenize(full)); f != nil {
		t.Errorf("%+v", f)
	}
}

// The parser leaves words out of what it does not understand; a word that is
// left out is found by counting.
func TestLostWordsAreFound(t *testing.T) {
	for words, ok := range map[int]bool{5: false, 6: true, 7: false} {
		if _, f := build(lexer.Tokenize("a: [b, 'c', 4, ~]\ne:\n"), words); (f == nil) != ok {
			t.Errorf("6 words, counted as %d: %+v", words, f)
		}
	}
	for _, src := range []string{"b: *x]", "? *, ", "*x\t]"} {
		tokens := lexer.Tokenize(src)
		if n, f := build(tokens, scalars(tokens)); f == nil {
			t.Errorf("%q: read as %+v", src, n)
		}
	}
	if whole([]byte("a: !!!!!!"), lexer.Tokenize("a: !!!!!!")) {
		t.Error("lost marks are not found")
	}
}

func TestPanicsAreRefusals(t *testing.T) {
	n, f := guarded(func() (*node, *fault) { panic("a bug of another's") })
	if n != nil || f == nil {
		t.Errorf("%v, %v", n, f)
	}
}

// What another's reader says of a file may quote it, and stays in the enclave.
func TestTextsOfReadersAreSealed(t *testing.T) {
	e := newError(nil, "", nil, []fault{{message: "this is not YAML", detail: marker}})
	if s := fmt.Sprint(e.Error(), e.Problem().Violations); strings.Contains(s, marker) {
		t.Error(s)
	}
	if !strings.Contains(Render(e, false), marker) {
		t.Error("the owner is not told")
	}
}

// Escapes of a double-quoted word are read, and none of it is lost on the way.
func TestEscapes(t *testing.T) {
	for quoted, want := range map[string]string{
		`"a \u003e b"`: "a > b", `"\u0041u0042"`: "Au0042", `"\x41\\u003e"`: `A\u003e`, `"\U0001F600\t\"x\" y"`: "\U0001F600\t\"x\" y",
		`'a \u003e b'`: `a \u003e b`, `"\\"`: `\`, `"\\x41"`: `\x41`, `"é \u00e9"`: "é é",
	} {
		src := "apiVersion: clusy.io/v1\nkind: Intent\nrun: {exec: [echo, " + quoted + "]}\nshape: {duration: 1h}\nwhen: {completeBy: +10h}\n"
		in, err := Parse([]byte(src), "x", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Errorf("%s: %s", quoted, Render(err, false))
		} else if in.Run.Exec[1] != want {
			t.Errorf("%s is read as %q, want %q", quoted, in.Run.Exec[1], want)
		}
	}
}
