package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
)

const jsonType = "application/json"

// unfit is the error of an answer that came whole and cannot be taken.
type unfit struct{ why string }

func (u *unfit) Error() string { return u.why }

func unfitf(format string, args ...any) error { return &unfit{fmt.Sprintf(format, args...)} }

// checkText refuses what is not text in UTF-8 of the type that was asked for.
func checkText(a *answer, accept string) error {
	if t := a.header.Get("Content-Type"); t != "" {
		kind, params, err := mime.ParseMediaType(t)
		if err != nil {
			return unfitf("the type of its answer cannot be read: %.60q", t)
		}
		if !typeFits(kind, accept) {
			return unfitf("it answers with %.60q, want %s%s", kind, accept, about(*a))
		}
		switch c := strings.ToLower(params["charset"]); c {
		case "", "utf-8", "utf8", "us-ascii":
		default:
			return unfitf("its answer is in charset %.40q, want utf-8", c)
		}
	}
	if bytes.HasPrefix(a.body, []byte("\xff\xfe")) || bytes.HasPrefix(a.body, []byte("\xfe\xff")) {
		return unfitf("its answer is in UTF-16, want UTF-8")
	}
	a.body = bytes.TrimPrefix(a.body, []byte("\ufeff"))
	switch {
	case len(bytes.TrimSpace(a.body)) == 0:
		return unfitf("its answer is empty")
	case !utf8.Valid(a.body) || bytes.ContainsRune(a.body, 0):
		return unfitf("its answer is not text in UTF-8")
	}
	return nil
}

func typeFits(kind, accept string) bool {
	if kind == accept {
		return true
	}
	_, sub, _ := strings.Cut(accept, "/") // json, xml
	return kind == "text/"+sub || strings.HasSuffix(kind, "+"+sub)
}

// about adds the gist of an answer to an error about it.
func about(a answer) string {
	if g := gist(a); g != "" {
		return ": " + g
	}
	return ""
}

// gist says in a few words what an answer that is an error says: the message of
// a JSON error, the title of an HTML page.
func gist(a answer) string {
	text := strings.TrimSpace(strings.TrimPrefix(string(a.body[:min(len(a.body), 16<<10)]), "\ufeff"))
	if strings.HasPrefix(text, "<") {
		_, rest, ok := cutFold(text, "<title")
		if _, rest, ok2 := strings.Cut(rest, ">"); ok && ok2 {
			title, _, _ := strings.Cut(rest, "<")
			return fmt.Sprintf("a page titled %q", printable(title, 60))
		}
		if strings.HasPrefix(strings.ToLower(text), "<?xml") {
			return "an XML document"
		}
		return "a page of HTML"
	}
	var said map[string]json.RawMessage
	if checkJSON(a.body) != nil || json.Unmarshal(a.body, &said) != nil {
		return ""
	}
	var parts []string
	add := func(raw json.RawMessage) {
		var s string
		if json.Unmarshal(raw, &s) == nil && s != "" {
			parts = append(parts, printable(s, 160))
		}
	}
	for _, field := range []string{"error", "message", "msg", "detail"} {
		raw, ok := said[field]
		if !ok {
			continue
		}
		var inner map[string]json.RawMessage
		if json.Unmarshal(raw, &inner) == nil {
			add(inner["code"])
			add(inner["message"])
			continue
		}
		var list []map[string]json.RawMessage
		if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
			add(list[0]["msg"])
			continue
		}
		add(raw)
	}
	return strings.Join(parts, ", ")
}

func cutFold(s, sep string) (before, after string, ok bool) {
	if i := strings.Index(strings.ToLower(s), sep); i >= 0 && i+len(sep) <= len(s) {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// printable returns s on one line, at most n characters of it.
func printable(s string, n int) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(s), " ") {
		if n == 0 {
			b.WriteString("…")
			break
		}
		if unicode.IsPrint(r) && r != utf8.RuneError {
			b.WriteRune(r)
			n--
		}
	}
	return b.String()
}

// mostDepth is deeper than any source nests.
const mostDepth = 32

// checkJSON refuses what the decoder would let pass or choke on: two values of
// one name (the decoder takes the last, a reader perhaps the first), names that
// differ in case alone (the decoder takes either), and nests without end.
func checkJSON(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	type level struct {
		names map[string]bool // nil: a list
		value bool            // a value comes next, not a name
	}
	var stack []level
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if len(stack) > 0 {
				return unfitf("its answer is JSON that breaks off")
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return unfitf("its answer is JSON that breaks off")
			}
			return unfitf("its answer is not JSON: %s", printable(err.Error(), 100))
		}
		if d, ok := tok.(json.Delim); ok {
			if d == '}' || d == ']' {
				stack = stack[:len(stack)-1]
			} else {
				if len(stack) == mostDepth {
					return unfitf("its answer nests deeper than %d levels", mostDepth)
				}
				l := level{}
				if d == '{' {
					l.names = map[string]bool{}
				}
				if n := len(stack); n > 0 {
					stack[n-1].value = false
				}
				stack = append(stack, l)
				continue
			}
		} else if n := len(stack); n > 0 && stack[n-1].names != nil {
			top := &stack[n-1]
			if !top.value {
				name := strings.ToLower(tok.(string))
				if top.names[name] {
					return unfitf("its answer has the field %q twice", printable(tok.(string), 40))
				}
				top.names[name], top.value = true, true
				continue
			}
			top.value = false
		}
		if len(stack) == 0 {
			if _, err := dec.Token(); !errors.Is(err, io.EOF) {
				return unfitf("there is more after the end of its JSON")
			}
			return nil
		}
	}
}

// decode reads a JSON answer into v. It is strict about what could be read in
// two ways and tolerant of fields that it does not know, as sources add them.
func decode(a answer, v any) error {
	if err := checkJSON(a.body); err != nil {
		return err
	}
	return unpack(a.body, v)
}

// unpack reads a part of an answer that has been checked as a whole.
func unpack(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return unfitf("field %s of its answer is a %s", printable(te.Field, 60), printable(te.Value, 40))
		}
		return unfitf("its answer cannot be read: %s", printable(err.Error(), 120))
	}
	return nil
}

// number is a number as the source writes it, "" for null or nothing. Text is
// refused, even with a number in it.
type number string

func (n *number) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*n = ""
	case b[0] == '-' || b[0] >= '0' && b[0] <= '9':
		*n = number(b)
	default:
		return unfitf("%s stands where a number should", printable(string(b), 40))
	}
	return nil
}

// looseNumber is a number or a text with a number in it, for sources that write
// one today and the other tomorrow.
type looseNumber number

func (n *looseNumber) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*n = looseNumber(strings.TrimSpace(s))
		return nil
	}
	return (*number)(n).UnmarshalJSON(b)
}

// ratio is a factor from a source's unit to ours, exactly.
type ratio struct{ num, den int64 }

var (
	perGram  = ratio{1000, 1}                // g/kWh, kg/MWh → mg/kWh
	perPound = ratio{453_592_370, 1_000_000} // lb/MWh → mg/kWh: a pound is 453.59237 g
	// perMega is money per MWh → millionths per kWh.
	perMega = ratio{1000, 1}
)

// scaled returns text, a decimal number, times r, rounded to the nearest whole,
// halves away from zero. It refuses what is not a finite number of sane length.
func scaled(text string, r ratio) (int64, error) {
	if len(text) > 40 || strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, unfitf("%s is not a decimal number", strconv.Quote(printable(text, 40)))
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, unfitf("%s is not a number that can be", strconv.Quote(text))
	}
	// Past these there is nothing to be exact about, and an exact one of
	// 1e-999999999 would fill the memory.
	if math.Abs(f) > 1e12 {
		return 0, unfitf("%s is larger than any value", text)
	}
	if math.Abs(f) < 1e-9 {
		return 0, nil
	}
	x, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, unfitf("%s is not a decimal number", strconv.Quote(text))
	}
	x.Mul(x, big.NewRat(r.num, r.den))
	half := big.NewRat(1, 2)
	if x.Sign() < 0 {
		half.Neg(half)
	}
	x.Add(x, half)
	return new(big.Int).Quo(x.Num(), x.Denom()).Int64(), nil
}

// intensity reads a value in a unit of which r makes mg/kWh; "" is Unknown.
func intensity(text string, r ratio) (grid.Intensity, error) {
	if text == "" {
		return grid.Unknown, nil
	}
	v, err := scaled(text, r)
	if err != nil {
		return grid.Unknown, err
	}
	switch i := grid.Intensity(v); {
	case i < 0 || text[0] == '-' && strings.Trim(text, "-0.eE") != "": // -0.0001 too
		return grid.Unknown, unfitf("%s is below zero", text)
	case i > grid.MaxIntensity:
		return grid.Unknown, unfitf("%s is %d g/kWh, more than the %d that any grid has; is the unit right?", text, i/1000, grid.MaxIntensity/1000)
	default:
		return i, nil
	}
}

// instant reads a time that says its offset from UTC.
func instant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, s); err == nil {
			at = at.UTC()
			if at.Year() < 1970 || at.Year() > 2199 {
				return time.Time{}, unfitf("the year %d of a time is out of range", at.Year())
			}
			return at, nil
		}
	}
	return time.Time{}, unfitf("%s is not a time with its offset, as 2026-01-31T14:00Z", strconv.Quote(printable(s, 40)))
}

// denied is a refusal of one topic by a source whose key is right all the same.
func denied(why string) *fault {
	return &fault{kind: problem.Denied, why: why, wait: wrongPlace, key: true}
}
