package intent

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"clusy.io/clusy/internal/workload"
)

// Parse reads an intent file, YAML or JSON, at the time now. A refused file
// comes back as an *Error that lists every rule it breaks, each with its place
// in the file; filename is only for its text.
//
// What a file leaves out is filled in: duration.p95 is expected, duration.max
// is twice expected (or p95 if that is longer), cpus is 1, power is 10 W for
// each cpu, interruptible is false, minimize is carbon, minSaving is 0, promise
// is once, priority is 50, retries is 0, onNoSignal is run-by-deadline,
// baseline is run-now, grace is 10 s.
func Parse(src []byte, filename string, now time.Time) (Intent, error) {
	g, err := ParseGroup(src, filename, now)
	if err != nil {
		return Intent{}, err
	}
	if !g.Single() {
		return Intent{}, newError(src, filename, nil, []fault{{message: fmt.Sprintf("the file holds a group of %s, and one intent is wanted", count(len(g.Members), "workload")), limit: "one intent"}})
	}
	return g.Members[0].Intent, nil
}

// read turns the tree of r into an intent, and says what is wrong with it.
func (r *reader) read() Intent {
	in := r.intent()
	for _, f := range check(in) {
		r.judge(f)
	}
	r.window(&in)
	r.deny(&in)
	in.When = inUTC(in.When)
	return in
}

// inUTC returns w with every instant in UTC; it shares no memory with w.
func inUTC(w workload.When) workload.When {
	out := workload.When{NotBefore: utc(w.NotBefore), CompleteBy: utc(w.CompleteBy)}
	for _, s := range w.Deny {
		out.Deny = append(out.Deny, workload.Span{Start: utc(s.Start), End: utc(s.End)})
	}
	return out
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// reader turns a tree into an Intent and collects what is wrong with it.
type reader struct {
	root   *node
	now    time.Time
	faults []fault
	ask    Lengths // how long work of a class takes; nil: nobody is asked

	energy   bool // the power was given as energy
	relative bool // completeBy was given as +10h
	maxDelay time.Duration
	delayed  bool // maxDelay was given
	denials  []denial

	// group is what holds for all documents of the file that do not say their own.
	group  workload.When
	refs   []reference // what it waits for
	count  int         // of its array, 0: it is none
	src    []byte      // its document, at its place in the file
	begins int         // its line
	made   Intent
}

// say records a fault.
func (r *reader) say(f fault) { r.faults = append(r.faults, f) }

// judge records a fault of a value that was read, unless the same value, a part
// of it or the whole around it could not be read: then the default would be
// judged, of which the customer knows nothing.
func (r *reader) judge(f fault) {
	f.path = r.root.resolve(f.path)
	switch f.path.dotted() {
	case "shape.energy":
		f.nearest = "" // it is a power, and which energy that is depends on the duration
	case "shape.power.watts":
		f.nearest = nearWatts(f.nearest)
	}
	if !r.bad(f.path) {
		r.say(f)
	}
}

// bad reports whether something at, in or around p was refused.
func (r *reader) bad(p path) bool {
	for _, f := range r.faults {
		if p.within(f.path) || f.path.within(p) || f.meant != nil && p.within(f.meant) {
			return true
		}
	}
	return false
}

// section returns the mapping at p, nil if it is absent or not a mapping. Each
// of its fields is checked to be one that we know, once.
func (r *reader) section(parent *node, p path) *node {
	n := r.get(parent, p)
	if n == nil || !r.mapping(n, p) {
		return nil
	}
	r.names(n, p)
	return n
}

// get returns the field at p, whose name is p's last step; nil if it is absent,
// empty, or not in this version.
func (r *reader) get(parent *node, p path) *node {
	f := parent.child(p[len(p)-1])
	if f == nil {
		return nil
	}
	if f.value.kind == kindNull {
		r.say(fault{path: p, message: "has no value; give it one or leave the line out", limit: "a value"})
		return nil
	}
	return f.value
}

func (r *reader) mapping(n *node, p path) bool {
	if n.kind == kindMapping {
		return true
	}
	r.say(fault{path: p, place: r.where(n, p), message: fmt.Sprintf("is %s, and must be a mapping of fields", n.kind), value: n.shown(), limit: "name: value, on a line each"})
	return false
}

// where returns the place to point to for a value of the wrong kind.
func (r *reader) where(n *node, p path) place {
	if n.scalar() {
		return n.at
	}
	here, _ := r.root.point(p)
	return here
}

// shown returns a scalar's text, "" for anything else.
func (n *node) shown() string {
	if n.scalar() {
		return n.text
	}
	return ""
}

// names checks the names of n's fields: each known, in this version, and once.
func (r *reader) names(n *node, p path) {
	r.once(n, p)
	for _, f := range n.fields {
		fp := p.with(f.key)
		own := p.row().with(f.key) // a field may be called 0: that is no place in a list
		name := own.dotted()
		if supportedField[name] {
			continue
		}
		if way, ok := later[name]; ok {
			r.say(fault{path: fp, place: f.at, message: fmt.Sprintf("%s is not in this version: %s", f.key, way), meant: insteadOf(fp)})
			continue
		}
		bad := fault{path: fp, place: f.at, message: fmt.Sprintf("unknown field %s", quote(f.key)), limit: strings.Join(leaves(p.row()), ", "), unknown: true}
		if m := meant(own); m != "" {
			bad.meant = splitName(m)
			if parent, leaf := split(m); parent == p.row().dotted() {
				m = leaf
			}
			bad.message += fmt.Sprintf("; did you mean %s?", m)
			bad.nearest = m
		}
		r.say(bad)
	}
}

// insteadOf returns the field that a field of a later version stands in for, so
// that it is not called missing too.
func insteadOf(p path) path {
	switch p[0] {
	case "run":
		return at("run", "exec")
	case "when":
		return at("when", "completeBy")
	}
	return nil
}

// once refuses a name that stands twice in one mapping.
func (r *reader) once(n *node, p path) {
	first := map[string]place{}
	for _, f := range n.fields {
		if was, twice := first[f.key]; twice {
			r.say(fault{path: p.with(f.key), place: f.at, message: fmt.Sprintf("%s is given twice, first at line %d", quote(f.key), was.line), limit: "each field once", unknown: !known(p.with(f.key))})
			continue
		}
		first[f.key] = f.at
	}
}

func quote(s string) string { return strconv.Quote(clip(s)) }

// scalar returns the text of a single value as it was written.
func (r *reader) scalar(n *node, p path, want string) (string, bool) {
	if !n.scalar() {
		r.say(fault{path: p, place: r.where(n, p), message: fmt.Sprintf("is %s, and must be %s", n.kind, want), limit: want})
		return "", false
	}
	return n.text, true
}

// quantity reads a number with its unit by one of grid's parsers.
func quantity[T any](r *reader, n *node, p path, want string, parse func(string) (T, error), near func(string) string) (v T, ok bool) {
	text, ok := r.scalar(n, p, want)
	if !ok {
		return v, false
	}
	f := fault{path: p, place: n.at, value: text, limit: want}
	if utf8.RuneCountInString(text) > 60 {
		f.message = "is too long to be " + want
		r.say(f)
		return v, false
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		f.message = "is not " + want
		r.say(f)
		return v, false
	}
	switch strings.TrimLeft(strings.ToLower(text), "+-.") {
	case "nan", "inf", "infinity":
		f.message = fmt.Sprintf("%s is not a finite number", quote(text))
		r.say(f)
		return v, false
	}
	v, err := parse(text)
	if err != nil {
		f.message = err.Error()
		if s := near(text); s != "" {
			if _, err := parse(s); err == nil {
				f.nearest = s
			}
		}
		r.say(f)
		return v, false
	}
	return v, true
}

func (r *reader) duration(n *node, p path) (time.Duration, bool) {
	return quantity(r, n, p, "a length of time: 90m, 6h, 1h30m or 2d", parseDuration, nearDuration)
}

// integer reads a whole number, written plainly.
func (r *reader) integer(n *node, p path, dflt int, limit string) int {
	if n == nil {
		return dflt
	}
	text, ok := r.scalar(n, p, "a whole number")
	if !ok {
		return dflt
	}
	v, err := strconv.Atoi(text)
	f := fault{path: p, place: n.at, value: text, limit: limit}
	switch {
	case err == nil && strconv.Itoa(v) == text && n.kind == kindNumber:
		return v
	case err == nil:
		f.message, f.nearest = fmt.Sprintf("%s is not written as a plain whole number", quote(text)), strconv.Itoa(v)
	default:
		f.message = fmt.Sprintf("%s is not a whole number", quote(text))
		if x, err := strconv.ParseFloat(text, 64); err == nil && x >= 0 && x < 1e6 {
			f.nearest = strconv.Itoa(int(x + 0.5))
		}
	}
	r.say(f)
	return dflt
}

// choice reads one of a few words. Words of later versions are refused as such.
func choice[T ~string](r *reader, n *node, p path, choices []T, notYet ...string) T {
	if n == nil {
		return choices[0]
	}
	want := "one of"
	var words []string
	for i, c := range choices {
		if i > 0 {
			want += ","
		}
		want += " " + string(c)
		words = append(words, string(c))
	}
	if len(words) == 1 {
		want = words[0]
	}
	text, ok := r.scalar(n, p, want)
	if !ok {
		return choices[0]
	}
	for _, c := range choices {
		if text == string(c) {
			return c
		}
	}
	f := fault{path: p, place: n.at, value: text, limit: want, message: fmt.Sprintf("%s is not %s", quote(text), want), nearest: nearestOf(text, words)}
	for _, w := range notYet {
		if len(text) >= len(w) && text[:len(w)] == w {
			f.message, f.nearest = fmt.Sprintf("%s is not in this version", quote(text)), words[0]
		}
	}
	r.say(f)
	return choices[0]
}

// list reads a list of single values, as they were written.
func (r *reader) list(n *node, p path, want, example string) []string {
	if n == nil {
		return nil
	}
	if n.kind != kindList {
		f := fault{path: p, place: r.where(n, p), message: fmt.Sprintf("is %s, and must be a list", n.kind), value: n.shown(), limit: "a list: " + example}
		if n.scalar() {
			f.nearest = "[" + clip(n.text) + "]"
		}
		r.say(f)
		return nil
	}
	var out []string
	for i, item := range n.items {
		if s, ok := r.scalar(item, p.with(strconv.Itoa(i)), want); ok {
			out = append(out, s)
		}
	}
	return out
}

// texts reads a mapping from names to single values, as they were written.
func (r *reader) texts(n *node, p path) map[string]string {
	if n == nil || !r.mapping(n, p) {
		return nil
	}
	r.once(n, p)
	out := map[string]string{}
	for _, f := range n.fields {
		if s, ok := r.scalar(f.value, p.with(f.key), "a single value"); ok {
			out[f.key] = s
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
