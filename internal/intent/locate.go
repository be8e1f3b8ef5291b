package intent

import (
	"slices"

	"clusy.io/clusy/internal/problem"
)

// written lists where a value of an intent may stand in a file, the most exact
// first: power may be a mapping, or be worked out of energy.
var written = map[string][]string{
	"shape.duration.expected":  {"shape.duration.expected", "shape.duration"},
	"shape.duration.p95":       {"shape.duration.p95", "shape.duration.expected", "shape.duration"},
	"shape.duration.max":       {"shape.duration.max", "shape.duration.p95", "shape.duration.expected", "shape.duration"},
	"shape.duration":           {"shape.duration.expected", "shape.duration"},
	"shape.power":              {"shape.power.watts", "shape.power.value", "shape.power", "shape.energy", "shape.resources.cpus"},
	"when.completeBy":          {"when.completeBy", "when.maxDelay"},
	"objective.carbonCeiling":  {"objective.carbonCeiling.total", "objective.carbonCeiling"},
	"objective.costCeiling":    {"objective.costCeiling.total", "objective.costCeiling"},
	"policy.retries":           {"policy.retries.max", "policy.retries"},
	"shape.interruptible.mode": {"shape.interruptible"},
}

// fromShape maps the fields of a workload.Shape's JSON to those of the file,
// where they differ.
var fromShape = map[string]string{
	"duration": "shape.duration", "duration.expected": "shape.duration.expected", "duration.p95": "shape.duration.p95", "duration.max": "shape.duration.max",
	"class": "shape.class",
	"power": "shape.power", "powerSource": "shape.power",
	"demand": "shape.resources", "demand.cpu": "shape.resources.cpus", "demand.memory": "shape.resources.memory",
	"data.mebibytes": "data.size", "data.megabitsPerSecond": "data.rate",
	"demand.gpus": "shape.resources.gpus", "gpus": "shape.resources.gpus", "size": "shape.gang", "gang": "shape.gang", "ways": "shape.alternatives", "alternatives": "shape.alternatives",
	"demand.power": "shape.power", "demand.slots": "shape.resources",
	"interruptible": "shape.interruptible", "interruptible.allowed": "shape.interruptible",
	"interruptible.overhead": "shape.interruptible.overhead", "interruptible.minRun": "shape.interruptible.minRun",
	"interruptible.maxSuspensions": "shape.interruptible.maxSuspensions",
	"objective.currency":           "objective.costCeiling",
	"when.deny":                    "when.windows.deny",
	"queue":                        "queue",
}

// FromShape returns the JSON pointer into an intent file for a pointer into a
// disclosed Shape or into the request that carries one: /shape/when/completeBy
// and /when/completeBy are both /when/completeBy, /shape/demand/cpu is
// /shape/resources/cpus. A pointer that is one of the file's own, or of
// neither, comes back unchanged.
func FromShape(pointer string) string { return intentPath(pointer).pointer() }

func intentPath(pointer string) path {
	p := pointerPath(pointer)
	inner := p
	if len(p) > 1 && p[0] == "shape" {
		inner = p[1:]
	}
	if name, ok := fromShape[inner.dotted()]; ok {
		return splitName(name)
	}
	if len(inner) < len(p) && slices.Contains([]string{"data", "when", "where", "objective", "policy"}, inner[0]) {
		return inner
	}
	return p
}

// resolve returns the place in the file where the value p is written: p itself,
// or the other form of the same value that the file uses.
func (n *node) resolve(p path) path {
	for _, name := range written[p.dotted()] {
		q := splitName(name)
		if _, _, depth := n.find(q); depth == len(q) {
			return q
		}
	}
	if found, _, depth := n.find(p); found.scalar() {
		return p[:depth] // one value stands for the whole of what p is a part of
	}
	return p
}

// Locate returns the line and column, from 1 and in characters, at which the
// value at pointer stands in src, and how many characters wide it is. A pointer
// may be one of the file or one of a Shape. If the value is not in the file,
// the place of its nearest parent is given and exact is false; line is 0 if src
// cannot be read.
func Locate(src []byte, pointer string) (line, column, width int, exact bool) {
	root, f := tree(src)
	if f != nil {
		return 0, 0, 0, false
	}
	p, exact := root.point(root.resolve(intentPath(pointer)))
	return p.line, p.column, p.width, exact
}

// Annotate shows violations that a server reports of a Shape on the lines of
// the file that the Shape came from, without colour.
func Annotate(src []byte, filename string, vs []problem.Violation) string {
	return Render(FromServer(src, filename, vs), false)
}

// FromServer returns violations that a server reports as an *Error on the file
// that their Shape came from, for Render to show. The texts of a server are
// shown, never obeyed.
func FromServer(src []byte, filename string, vs []problem.Violation) *Error {
	root, _ := tree(src)
	var fs []fault
	for _, v := range vs {
		p := intentPath(v.Pointer)
		if root != nil {
			p = root.resolve(p)
		}
		fs = append(fs, fault{path: p, message: v.Message, value: v.Value, limit: v.Limit, nearest: v.Nearest})
	}
	return newError(src, filename, root, fs)
}

// AnnotateDocument is Annotate for the document that begins at a line of a file
// of several.
func AnnotateDocument(src []byte, filename string, line int, vs []problem.Violation) string {
	for _, d := range documents(src) {
		if d.line == line {
			return Annotate(d.src, filename, vs)
		}
	}
	return Annotate(src, filename, vs)
}
