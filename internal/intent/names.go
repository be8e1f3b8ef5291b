package intent

import (
	"strings"
)

// later lists the fields of the intent file that this version knows of and does
// not carry out. They are refused by name: a field that is taken and ignored is
// a promise that is broken in silence.
var later = map[string]string{
	"run.image":       "local exec only: write run.exec",
	"run.command":     "local exec only: write run.exec",
	"run.jobTemplate": "local exec only: write run.exec",
	"run.sbatch":      "local exec only: write run.exec",
	"run.secrets":     "local exec only: let the program read its secrets at the site",
	"run.data":        "local exec only: let the program fetch its data, and write data: {home, size} to have that planned for",
	"run.checkpoint":  "local exec only: the work is suspended in place",

	"shape.array":                      "write array: {count: 100} beside shape",
	"shape.resources.accelerators":     "write shape.resources.gpus: {type: a100, count: 2}",
	"shape.interruptible.mode":         "the work is suspended in place; write interruptible: true",
	"when.confidence":                  "19 of 20 runs are shorter than duration.p95",
	"when.schedule":                    "submit one intent for each run",
	"when.windows.allow":               "deny the other times",
	"where.residency":                  "list the zones in where.allow",
	"where.egress":                     "what a site asks for data is not known; write data: {home, size}",
	"objective.maxIntensity":           "write carbonCeiling",
	"objective.powerCap":               "the draw is not capped",
	"objective.costCeiling.onExceed":   "work over its ceiling is not run",
	"objective.carbonCeiling.onExceed": "work over its ceiling is not run",
	"policy.queue":                     "write queue: it stands by itself, at the top",
	"policy.discloseLabels":            "labels are always sealed",
	"policy.retries.on":                "any recorded failure is retried",
	"policy.retries.backoff":           "a retry is planned like any other run",
	"functionalUnit":                   "the ledger counts energy and carbon",
	"notify":                           "ask for the workload's state",
}

// elsewhere lists what other tools call a field of ours.
var elsewhere = map[string]string{
	"deadline": "when.completeBy", "finishBy": "when.completeBy", "by": "when.completeBy", "until": "when.completeBy",
	"begin": "when.notBefore", "startAfter": "when.notBefore", "earliest": "when.notBefore", "from": "when.notBefore",
	"except": "when.windows.deny", "blackout": "when.windows.deny", "maintenance": "when.windows.deny",
	"latestStart": "when.maxDelay", "maxSchedulingDelay": "when.maxDelay",
	"watts": "shape.power", "kwh": "shape.energy", "runtime": "shape.duration.expected",
	"maxDuration": "shape.duration.max", "timeout": "shape.duration.max", "activeDeadlineSeconds": "shape.duration.max",
	"cpu": "shape.resources.cpus", "cores": "shape.resources.cpus", "mem": "shape.resources.memory", "ram": "shape.resources.memory",
	"gpu": "shape.resources.gpus", "cards": "shape.resources.gpus", "hardware": "shape.alternatives", "variants": "shape.alternatives",
	"preemptible": "shape.interruptible", "suspendable": "shape.interruptible", "suspend": "shape.interruptible",
	"zones": "where.allow", "regions": "where.allow", "sites": "where.allow", "locations": "where.allow",
	"args": "run.exec", "cmd": "run.exec", "script": "run.exec", "workdir": "run.dir", "cwd": "run.dir", "environment": "run.env",
	"queueName": "queue", "localQueue": "queue", "partition": "queue",
	"retry": "policy.retries", "threshold": "objective.minSaving", "gracePeriod": "run.grace",
	"dependsOn": "after", "needs": "after", "depends": "after", "tasks": "array.count", "parallelism": "array.count",
	"budget": "objective.costCeiling", "maxCost": "objective.costCeiling", "maxCarbon": "objective.carbonCeiling",
}

// known reports whether p is a field of the file, of this version or later.
func known(p path) bool {
	name := p.row().dotted()
	_, isLater := later[name]
	return isLater || supportedField[name]
}

// leaves returns the names that may stand directly in the section p.
func leaves(p path) []string {
	var names []string
	for _, name := range supported {
		if parent, leaf := split(name); parent == p.dotted() {
			names = append(names, leaf)
		}
	}
	return names
}

// meant returns the field that someone who wrote p most likely meant: a name
// that is near it in the same section, the same name in another section, or
// what another tool's name stands for. It returns "" if nothing is near.
func meant(p path) string {
	word := fold(p[len(p)-1])
	section := strings.Join(p[:len(p)-1], ".")
	if len(word) > 40 {
		return ""
	}
	best, least := "", 1+len(word)/3
	for _, name := range supported {
		parent, leaf := split(name)
		d := distance(word, fold(leaf))
		if parent != section {
			// A name from another section must be right to the letter; the
			// sections' own parts (duration.max) are too short to guess.
			if d > 0 || strings.Count(name, ".") > 1 {
				continue
			}
			d++
		}
		if d < least || d == least && best == "" && d <= 2 {
			best, least = name, d
		}
	}
	if best != "" {
		return best
	}
	for theirs, ours := range elsewhere {
		if fold(theirs) == word {
			return ours
		}
	}
	return ""
}

func split(name string) (parent, leaf string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// fold makes complete_by, complete-by and CompleteBy one word.
func fold(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
}

// distance counts the letters to change, add, drop or swap with a neighbour to
// make b of a (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// nearestOf returns the one of choices that is closest to s, "" if none is.
func nearestOf(s string, choices []string) string {
	word := fold(s)
	if len(word) > 40 {
		return ""
	}
	best, least := "", 1+len(word)/3
	for _, c := range choices {
		if d := distance(word, fold(c)); d < least || d == least && best == "" {
			best, least = c, d
		}
	}
	return best
}
