package intent

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/workload"
)

// Group is all that one file asks for: several intents, or one.
type Group struct {
	Name    string // sealed like a workload's: it stays here
	Key     string // the file's own idempotency key, "" if it has none
	Members []Member

	several bool // documents, or an array
}

// Member is one intent of a group.
type Member struct {
	Intent
	Line int // of the file, where its document begins
}

// Single reports whether the file is one intent, which is no group at all.
func (g Group) Single() bool { return !g.several }

const (
	// KindGroup is the kind of a first document that speaks for all others.
	KindGroup = "Group"
	// maxNamed is how many documents and workloads one may wait for by name.
	maxNamed = 32

	arrayIndex = "CLUSY_ARRAY_INDEX"
	arrayCount = "CLUSY_ARRAY_COUNT"
)

// reference is a name in a list of what a document waits for.
type reference struct {
	name string
	path path
	at   place
}

// memberForm is one that is waited for as it leaves the enclave: a member by its
// number, or a workload by its id.
var memberForm = regexp.MustCompile(`^(#(0|[1-9][0-9]{0,2})|` + idForm + `)$`)

const idForm = `wl_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

var workloadForm = regexp.MustCompile(`^` + idForm + `$`)

func (c *checker) after(refs []string) {
	p := at("after")
	c.must(len(refs) <= workload.MaxAfter, fault{path: p, message: fmt.Sprintf("are %d", len(refs)), limit: fmt.Sprintf("at most %d", workload.MaxAfter)})
	for i, ref := range refs {
		c.must(memberForm.MatchString(ref), fault{path: p.with(strconv.Itoa(i)), message: "is neither a member's number nor the id of a workload", limit: "#0, or wl_…"})
	}
}

// after reads what a document waits for. What the names stand for is known only
// when all documents are read.
func (r *reader) after() []string {
	p := at("after")
	v := r.get(r.root, p)
	if v == nil {
		r.array()
		return nil
	}
	names := r.list(v, p, "a name", "[prepare, train]")
	if len(names) > maxNamed {
		r.say(fault{path: p, place: r.where(v, p), message: fmt.Sprintf("names %d", len(names)), limit: fmt.Sprintf("at most %d names; an array counts as one", maxNamed)})
	}
	for i, name := range names {
		ref := reference{name: name, path: p.with(strconv.Itoa(i))}
		if i < len(v.items) {
			ref.at = v.items[i].at
		}
		r.refs = append(r.refs, ref)
	}
	r.array()
	return nil
}

func (r *reader) array() {
	n := r.section(r.root, at("array"))
	if n == nil {
		return
	}
	p := at("array", "count")
	v := r.get(n, p)
	if v == nil {
		if n.child("count") == nil {
			r.say(fault{path: at("array"), message: "does not say how many; write array: {count: 100}", limit: fmt.Sprintf("1 to %d", workload.MaxMembers), nearest: "100"})
		}
		return
	}
	limit := fmt.Sprintf("1 to %d", workload.MaxMembers)
	before := len(r.faults)
	count := r.integer(v, p, 1, limit)
	if len(r.faults) > before {
		return
	}
	if count < 1 || count > workload.MaxMembers {
		r.say(fault{path: p, place: v.at, message: "is not a number of workloads that one file may hold", value: v.text, limit: limit, nearest: strconv.Itoa(min(max(count, 1), workload.MaxMembers))})
		return
	}
	r.count = count
	if env := r.root.child("run"); env != nil {
		for _, name := range []string{arrayIndex, arrayCount} {
			if e := env.value.child("env"); e != nil && e.value.child(name) != nil {
				r.say(fault{path: at("run", "env", name), message: "is what each of an array is given; take it out", limit: "another name"})
			}
		}
	}
}

// ParseGroup reads an intent file that may hold several documents, each an
// intent, and arrays, at the time now. Names of documents are turned into their
// numbers: no name is in what leaves.
func ParseGroup(src []byte, filename string, now time.Time) (Group, error) {
	return parse(src, filename, now, nil)
}

func parse(src []byte, filename string, now time.Time, lengths Lengths) (Group, error) {
	if f := gate(src); f != nil {
		return Group{}, newError(src, filename, nil, []fault{*f})
	}
	parts := documents(src)
	var g Group
	var docs []*reader
	var bad *Error
	when := workload.When{}
	for i, part := range parts {
		root, f := tree(part.src)
		if f != nil {
			bad = join(bad, newError(part.src, filename, nil, []fault{*f}).from(part.line))
			continue
		}
		r := &reader{root: root, now: now, ask: lengths, group: when, src: part.src, begins: part.line}
		kind := kindOf(root)
		if kind == KindGroup {
			if i == 0 && len(parts) > 1 {
				when = r.head(&g)
			} else {
				message := "a Group speaks for the documents after it, and must be the first"
				if len(parts) == 1 {
					message = "a Group speaks for the documents after it, and there is none"
				}
				r.say(fault{path: at("kind"), message: message, limit: Kind + ", or " + KindGroup + " at the head of several documents"})
			}
		} else {
			r.made = r.read()
			docs = append(docs, r)
			if len(parts) > 1 && r.made.Metadata.IdempotencyKey != "" {
				r.say(fault{path: at("metadata", "idempotencyKey"), message: "is of the file, not of one document: write it in a first document of kind Group", limit: "one key for the file"})
			}
		}
		if kind == KindGroup {
			bad = join(bad, r.error(filename))
		}
	}
	if bad == nil {
		g.number(docs)
	}
	for _, r := range docs {
		bad = join(bad, r.error(filename))
	}
	if bad == nil && len(docs) == 0 { // a Group and nothing to speak for
		bad = newError(src, filename, nil, []fault{{message: "the file holds no intent", limit: "one intent at least"}})
	}
	if bad != nil {
		return Group{}, bad
	}
	for _, r := range docs {
		for n := range max(r.count, 1) {
			g.Members = append(g.Members, Member{Intent: r.element(n), Line: r.begins})
		}
	}
	if g.several = len(parts) > 1 || docs[0].count > 0; !g.several || len(parts) == 1 {
		g.Key = docs[0].made.Metadata.IdempotencyKey
	}
	return g, nil
}

func (r *reader) error(filename string) *Error {
	if len(r.faults) == 0 {
		return nil
	}
	return newError(r.src, filename, r.root, r.faults).from(r.begins)
}

// from lets what is wrong with a document as a whole stand at its first line.
func (e *Error) from(line int) *Error {
	for i := range e.Violations {
		if v := &e.Violations[i]; v.Line == 1 {
			v.Line = line
		}
	}
	return e
}

// head reads a document that speaks for all others.
func (r *reader) head(g *Group) workload.When {
	allowed := map[string]bool{"apiVersion": true, "kind": true, "metadata": true, "when": true}
	for _, f := range r.root.fields {
		if !allowed[f.key] {
			r.say(fault{path: at(f.key), place: f.at, message: "is not a field of a Group: write it in the documents that it is for", limit: "metadata.name, metadata.idempotencyKey, when.completeBy", unknown: !known(at(f.key))})
		}
	}
	r.once(r.root, nil)
	r.header("apiVersion", APIVersion)
	m := r.metadata()
	g.Name, g.Key = m.Name, m.IdempotencyKey
	c := &checker{}
	c.metadata(m)
	for _, f := range c.faults {
		r.judge(f)
	}
	w := r.when()
	if n := r.root.child("when"); n != nil {
		for _, f := range n.value.fields {
			if f.key != "completeBy" {
				r.say(fault{path: at("when", f.key), place: f.at, message: "is not a field of a Group's window", limit: "completeBy", unknown: !known(at("when", f.key))})
			}
		}
	}
	return workload.When{CompleteBy: w.CompleteBy}
}

// number gives each document the number of its first member, and turns what the
// others call it into that.
func (g *Group) number(docs []*reader) {
	first, begin, total := map[string]int{}, make([]int, len(docs)), 0
	for i, r := range docs {
		begin[i] = total
		total += max(r.count, 1)
		name := r.made.Metadata.Name
		if name == "" || len(docs) == 1 {
			continue
		}
		if was, twice := first[name]; twice {
			r.say(fault{path: at("metadata", "name"), message: fmt.Sprintf("is the name of the document at line %d, too", docs[was].begins), limit: "a name of its own for each document"})
			continue
		}
		first[name] = i
	}
	if total > workload.MaxMembers {
		docs[len(docs)-1].say(fault{message: fmt.Sprintf("the file comes to %d workloads", total), limit: fmt.Sprintf("at most %d; submit the rest as a group of its own", workload.MaxMembers)})
		return
	}
	behind := make([][]int, len(docs))
	links := 0
	for i, r := range docs {
		for _, ref := range r.refs {
			if workloadForm.MatchString(ref.name) {
				r.made.After = append(r.made.After, ref.name)
				continue
			}
			n, there := first[ref.name]
			f := fault{path: ref.path, place: ref.at, value: ref.name, limit: "the name of another document of the file, or the id of a workload, wl_…"}
			switch {
			case !there:
				f.message = fmt.Sprintf("no document of the file is called %s", quote(ref.name))
				f.nearest = nearestOf(ref.name, slices.Sorted(maps.Keys(first)))
				r.say(f)
				continue
			case n == i:
				f.message = "it would wait for itself"
				r.say(f)
				continue
			}
			behind[i] = append(behind[i], n)
			for k := range max(docs[n].count, 1) {
				r.made.After = append(r.made.After, fmt.Sprintf("#%d", begin[n]+k))
			}
		}
		seen := map[string]bool{}
		r.made.After = slices.DeleteFunc(r.made.After, func(s string) bool { twice := seen[s]; seen[s] = true; return twice })
		links += len(r.made.After) * max(r.count, 1)
	}
	if links > workload.MaxLinks {
		docs[len(docs)-1].say(fault{path: at("after"), message: fmt.Sprintf("the workloads of the file wait for each other %d times", links),
			limit: fmt.Sprintf("at most %d; let one document in between wait for the first array, and the second array for that", workload.MaxLinks)})
	}
	if around := circle(behind); len(around) > 0 {
		var names []string
		for _, i := range around {
			names = append(names, docs[i].made.Metadata.Name)
		}
		docs[around[0]].say(fault{path: at("after"), message: "waits in a circle: " + strings.Join(append(names, names[0]), " waits for "), limit: "an order in which one after the other can run"})
	}
}

// circle returns documents that wait for one another, each for the next; none if
// there is an order.
func circle(behind [][]int) []int {
	state := make([]int, len(behind)) // 0: not seen, 1: on the way, 2: done
	var way []int
	var walk func(i int) []int
	walk = func(i int) []int {
		switch state[i] {
		case 1:
			return slices.Clone(way[slices.Index(way, i):])
		case 2:
			return nil
		}
		state[i] = 1
		way = append(way, i)
		for _, n := range behind[i] {
			if c := walk(n); c != nil {
				return c
			}
		}
		state[i], way = 2, way[:len(way)-1]
		return nil
	}
	for i := range behind {
		if c := walk(i); c != nil {
			return c
		}
	}
	return nil
}

// element returns member n of the array that r is, or its one intent.
func (r *reader) element(n int) Intent {
	in := r.made
	if r.count == 0 {
		return in
	}
	env := map[string]string{}
	maps.Copy(env, in.Run.Env)
	env[arrayIndex], env[arrayCount] = strconv.Itoa(n), strconv.Itoa(r.count)
	in.Run.Env = env
	in.Metadata.Name += fmt.Sprintf("[%d]", n)
	in.Metadata.IdempotencyKey = ""
	return in
}

func kindOf(root *node) string {
	if k := root.child("kind"); root != nil && root.kind == kindMapping && k != nil && k.value.kind == kindText {
		return k.value.text
	}
	return ""
}

// document is one of a file: the whole file, with all lines but its own empty, so
// that what is wrong with it is shown where it stands.
type document struct {
	src  []byte
	line int
}

// documents splits a file at the lines that begin with ---. In YAML such a line
// is the head of a document wherever it stands.
func documents(src []byte) (out []document) {
	if isJSON(src) {
		return []document{{src, 1}}
	}
	lines := bytes.SplitAfter(src, []byte("\n"))
	var blank bytes.Buffer
	begin := 0
	cut := func(end int) {
		body := slices.Concat(lines[begin:end]...)
		if !idle(lines[begin:end]) {
			out = append(out, document{append(bytes.Clone(blank.Bytes()), body...), begin + 1})
		}
		for range end - begin {
			blank.WriteByte('\n')
		}
		begin = end
	}
	for i, line := range lines {
		if text := bytes.TrimRight(line, " \t\r\n"); bytes.Equal(text, []byte("---")) || bytes.HasPrefix(line, []byte("--- ")) || bytes.HasPrefix(line, []byte("---\t")) {
			cut(i)
		}
	}
	cut(len(lines))
	if len(out) == 0 {
		return []document{{src, 1}}
	}
	return out
}

// idle reports whether lines hold nothing but comments and the head of a document.
func idle(lines [][]byte) bool {
	for _, line := range lines {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' && !bytes.Equal(text, []byte("---")) {
			return false
		}
	}
	return true
}

// join makes one error of those of several documents, in the file's order.
func join(a, b *Error) *Error {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	out := *a
	out.Violations = append(slices.Clone(a.Violations), b.Violations...)
	out.more += b.more
	slices.SortStableFunc(out.Violations, func(x, y Violation) int {
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
	if n := len(out.Violations); n > maxViolations {
		out.Violations, out.more = out.Violations[:maxViolations], out.more+n-maxViolations
	}
	out.lines = make([]string, max(len(a.lines), len(b.lines)))
	for i := range out.lines {
		if i < len(a.lines) {
			out.lines[i] = a.lines[i]
		}
		if out.lines[i] == "" && i < len(b.lines) {
			out.lines[i] = b.lines[i]
		}
	}
	return &out
}
