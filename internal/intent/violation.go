package intent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"clusy.io/clusy/internal/problem"
)

// Violation is one broken rule, and where it is in the file.
type Violation struct {
	Field   string // as people write it: shape.power; "" for the whole file
	Pointer string // the same as a JSON pointer: /shape/power
	Line    int    // from 1; 0: the file as a whole
	Column  int    // from 1, in characters
	Width   int    // characters to underline
	Message string // one sentence that a person can act on
	Value   string // what was given, "" if it was absent
	Limit   string // the rule, "" if the message says it all
	Nearest string // the nearest value that would do, "" if there is none

	sealed     bool // names something that must not leave the enclave
	infeasible bool
	large      bool
}

// Error is a refused file with every rule that it breaks. Render shows it to
// the owner in full. Error and Problem are for logs and for borders, and repeat
// nothing of the sealed part.
type Error struct {
	Filename   string
	Violations []Violation

	more  int      // violations beyond those listed
	lines []string // of the file, with the values of run.env masked
}

// Problem returns e as an answer that may cross a border: a violation inside
// the sealed part keeps its rule and loses its words.
func (e *Error) Problem() *problem.Error {
	kind := problem.Infeasible
	var vs []problem.Violation
	for _, v := range e.Violations {
		if !v.infeasible {
			kind = problem.Invalid
		}
		vs = append(vs, v.public())
	}
	if len(e.Violations) == 1 && e.Violations[0].large {
		kind = problem.Limited
	}
	return problem.With(kind, fmt.Sprintf("%s breaks %s", cmp.Or(e.Filename, "the intent"), count(len(vs)+e.more, "rule")), vs...)
}

func (v Violation) public() problem.Violation {
	if !v.sealed {
		return problem.Violation{Pointer: v.Pointer, Message: v.Message, Value: v.Value, Limit: v.Limit, Nearest: v.Nearest}
	}
	top := ""
	if p := pointerPath(v.Pointer); len(p) > 0 && sealedParts[p[0]] {
		top = "/" + p[0]
		if len(p) > 1 && known(at(p[0], p[1])) {
			top += "/" + p[1]
		}
	}
	message := "breaks a rule"
	if v.Line > 0 {
		message += fmt.Sprintf(" at line %d, column %d", v.Line, v.Column)
	}
	if v.Limit != "" {
		message += "; allowed: " + v.Limit
	}
	return problem.Violation{Pointer: top, Message: message, Limit: v.Limit}
}

func (e *Error) Error() string { return e.Problem().Error() }

// Unwrap lets errors.As and problem.KindOf see e as a *problem.Error.
func (e *Error) Unwrap() error { return e.Problem() }

// sealedParts are the sections that never leave the enclave.
var sealedParts = map[string]bool{"metadata": true, "run": true, "after": true}

// fault is a violation before its place in the file is looked up.
type fault struct {
	path  path
	place place // known already, or zero: look path up

	message string
	detail  string // of another's reader: may quote the file
	value   string
	limit   string
	nearest string

	meant      path // the field that this one was written for, if another
	unknown    bool // a name that we do not know: it could be anything
	infeasible bool
	large      bool
}

// maxViolations bounds what a hostile file can make us print.
const maxViolations = 100

// newError turns faults into an Error on the file src, in the file's order.
func newError(src []byte, filename string, root *node, faults []fault) *Error {
	e := &Error{Filename: clean(filename), lines: maskedLines(src, root)}
	for _, f := range faults {
		v := Violation{
			Field: f.path.field(), Pointer: f.path.pointer(), Message: f.message,
			Value: clip(f.value), Limit: f.limit, Nearest: f.nearest,
			infeasible: f.infeasible, large: f.large,
			sealed: len(f.path) > 0 && sealedParts[f.path[0]] || f.unknown || f.detail != "",
		}
		if f.detail != "" {
			v.Message += ": " + clip(f.detail)
		}
		p := f.place
		if p.line == 0 && root != nil && len(f.path) > 0 {
			p, _ = root.point(f.path)
		}
		v.Line, v.Column, v.Width = p.line, p.column, p.width
		e.Violations = append(e.Violations, v)
	}
	slices.SortStableFunc(e.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if n := len(e.Violations); n > maxViolations {
		e.Violations, e.more = e.Violations[:maxViolations:maxViolations], n-maxViolations
	}
	return e
}

// maskedLines splits src into lines and hides the values of run.env, and of
// what may be a misspelt env: they are where people put passwords, and terminals
// and build logs are where others read them. A file that is not YAML has no env
// to find; of such a file one line is shown as it is.
func maskedLines(src []byte, root *node) []string {
	lines := strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	if root == nil {
		return lines
	}
	run := root.child("run")
	if run == nil {
		return lines
	}
	for _, f := range run.value.fields {
		switch f.key {
		case "exec", "dir", "grace", "image", "command":
		default:
			mask(lines, f.value)
		}
	}
	return lines
}

// mask hides every single value in n.
func mask(lines []string, n *node) {
	for _, item := range n.items {
		mask(lines, item)
	}
	for _, f := range n.fields {
		mask(lines, f.value)
	}
	if p := n.at; n.scalar() && p.line > 0 && p.line <= len(lines) {
		line := []rune(lines[p.line-1])
		for i := p.column - 1; i < min(p.column-1+p.width, len(line)); i++ {
			line[i] = '•'
		}
		lines[p.line-1] = string(line)
	}
}

// clip shortens s and takes out what a terminal would obey.
func clip(s string) string {
	s = clean(s)
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:59]) + "…"
	}
	return s
}

// clean replaces the characters that a terminal obeys instead of showing,
// among them those that turn the direction of text around.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n':
			return ' '
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
