package intent

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Render shows err as a good compiler would: for each violation the file's own
// line, a caret under the value, what is wrong, and the way out. With color it
// uses ANSI colours. Any other error is shown as its text. It is for the
// owner's eyes: it repeats the file, but for the values of run.env.
func Render(err error, color bool) string {
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		return clean(err.Error()) + "\n"
	}
	pen := palette{}
	if color {
		pen = palette{bold: "\x1b[1m", red: "\x1b[31m", blue: "\x1b[34m", green: "\x1b[32m", off: "\x1b[0m"}
	}
	name := e.Filename
	if name == "" {
		name = "intent"
	}
	var b strings.Builder
	for _, v := range e.Violations {
		e.one(&b, pen, name, v)
	}
	if e.more > 0 {
		fmt.Fprintf(&b, "… and %d more\n\n", e.more)
	}
	fmt.Fprintf(&b, "%s%s%s in %s\n", pen.bold, count(len(e.Violations)+e.more, "mistake"), pen.off, name)
	return b.String()
}

type palette struct{ bold, red, blue, green, off string }

func (e *Error) one(b *strings.Builder, pen palette, name string, v Violation) {
	here := name
	if v.Line > 0 {
		here = fmt.Sprintf("%s:%d:%d", name, v.Line, v.Column)
	}
	field := ""
	if v.Field != "" {
		field = clip(v.Field) + ": "
	}
	fmt.Fprintf(b, "%s%s:%s %s%s%s%s\n", pen.bold, here, pen.off, pen.red, field, clean(v.Message), pen.off)
	if v.Line > 0 && v.Line <= len(e.lines) {
		line, indent, carets := excerpt(e.lines[v.Line-1], v.Column, v.Width)
		number := fmt.Sprintf("%4d", v.Line)
		fmt.Fprintf(b, "%s%s |%s %s\n", pen.blue, number, pen.off, line)
		fmt.Fprintf(b, "%s%s |%s %s%s%s%s\n", pen.blue, strings.Repeat(" ", len(number)), pen.off, strings.Repeat(" ", indent), pen.red, strings.Repeat("^", carets), pen.off)
	}
	if v.Limit != "" {
		fmt.Fprintf(b, "       allowed: %s\n", clean(v.Limit))
	}
	if v.Nearest != "" {
		fmt.Fprintf(b, "       %stry: %s%s\n", pen.green, clean(v.Nearest), pen.off)
	}
	b.WriteByte('\n')
}

// lineWidth is how much of a line is shown: a JSON file may be one long line.
const lineWidth = 100

// excerpt returns the part of a line around the value at column (from 1, width
// characters long) as a terminal can show it, the columns before the caret and
// the number of carets.
func excerpt(line string, column, width int) (shown string, indent, carets int) {
	rs := []rune(clean(line))
	from := min(max(column-1, 0), len(rs))
	to := min(from+max(width, 1), len(rs))
	first, last := 0, len(rs)
	if len(rs) > lineWidth {
		first = max(0, min(from-lineWidth/2, len(rs)-lineWidth))
		last = min(first+lineWidth, len(rs))
		to = min(to, last)
	}
	prefix, suffix := "", ""
	if first > 0 {
		prefix = "…"
	}
	if last < len(rs) {
		suffix = "…"
	}
	indent = columns(prefix) + columns(string(rs[first:from]))
	return prefix + string(rs[first:last]) + suffix, indent, max(columns(string(rs[from:to])), 1)
}

// columns returns how many columns of a terminal s takes: none for a mark that
// joins the letter before it, two for the wide letters of East Asia and emoji.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul),
			r >= 0x3000 && r < 0x3040, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r < 0x1fb00:
			n += 2
		default:
			n++
		}
	}
	return n
}
