package intent

import (
	"fmt"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// entry is one field of the file as its schema shows it. What the reader makes
// of it stands in fields.go and policy.go; a test holds the two together.
type entry struct {
	name     string
	form     form   // how its value is written; nil: it is a section and nothing else
	says     string // for people: what it means, with the default where that is no plain value
	dflt     any    // nil: none, or not a plain value
	examples []any
	needed   bool // its section cannot do without it
	many     int  // it may be a list of so many such sections; 0: it is one
}

// form is a part of a JSON Schema.
type form map[string]any

// entries lists every field that this version reads, parents included. The
// reader knows a field by its row here; the JSON Schema is made of the rows.
var entries = []entry{
	{name: "apiVersion", form: only(APIVersion), says: "The version of the file's format.", needed: true},
	{name: "kind", form: only(Kind), says: "What the document holds: an Intent. The first of several may be a Group.", needed: true},

	{name: "metadata", says: "How you call the work. Sealed: the server never sees it."},
	{name: "metadata.name", form: anyScalar(maxText), says: "A name; only your enclave and you see it.", examples: list("nightly-report")},
	{name: "metadata.labels", form: form{"type": "object", "maxProperties": maxLabels, "additionalProperties": anyScalar(maxText)}, says: "Names and values of your own. Sealed.", examples: list(map[string]any{"team": "nlp"})},
	{name: "metadata.idempotencyKey", form: anyScalar(maxText), says: "The same key never runs twice. Default: a random one each time.", examples: list("report-2026-11-30")},

	{name: "after", form: form{"type": "array", "minItems": 1, "maxItems": maxNamed, "items": anyScalar(maxText)}, says: "What must have succeeded before: names of other documents of the file, or ids of workloads. Disclosed as numbers.", examples: list([]any{"prepare", "train"})},
	{name: "array", says: "Makes many workloads of this document."},
	{name: "array.count", form: wholeForm(1, workload.MaxMembers), says: "How many. Each is given its number as CLUSY_ARRAY_INDEX, from 0, and how many there are as CLUSY_ARRAY_COUNT.", examples: list(100), needed: true},

	{name: "run", says: "What to run. Sealed: the server never sees it.", needed: true},
	{name: "run.exec", form: either(
		form{"type": "array", "minItems": 1, "maxItems": maxArgs, "items": scalarForm()},
		form{"type": "string", "pattern": `\S`},
	), says: "The program and its arguments, or one text for sh -c.", examples: list([]any{"sh", "-c", "python train.py"}, "python train.py"), needed: true},
	{name: "run.env", form: form{"type": "object", "maxProperties": maxEnv, "propertyNames": form{"pattern": envName.String()}, "additionalProperties": scalarForm()}, says: "Variables that the program is given besides the agent's own.", examples: list(map[string]any{"EPOCHS": "3"})},
	{name: "run.dir", form: form{"type": "string", "pattern": "^/", "maxLength": maxDir}, says: "The directory to run in: an absolute path on the site. Default: one made for the run.", examples: list("/srv/work")},
	{name: "run.grace", form: durationForm, says: fmt.Sprintf("Time between asking the program to end and killing it, at most %s.", length(MaxGrace)), dflt: length(DefaultGrace), examples: list("90s")},

	{name: "shape", says: "How large the work is. This part is disclosed to the server.", needed: true},
	{name: "shape.class", form: classForm(), says: "What you call work of this kind. Disclosed to the server as it is, on purpose: how long such work takes is learned from its runs.", examples: list("nightly-train")},
	{name: "shape.duration", form: either(durationForm, only(learned)), says: "How long it runs, without pauses: 6h, or {expected, p95, max}. With a class it may be left out, or be learned: then it is as long as the runs of the class before it.", examples: list("90m", "6h", "1h30m", "2d", learned)},
	{name: "shape.duration.expected", form: durationForm, says: "The usual running time. Plans are made with it. With a class: default learned.", examples: list("6h")},
	{name: "shape.duration.p95", form: durationForm, says: "19 of 20 runs are shorter. Room is kept for it and a tenth more. Default: expected, or learned with it.", examples: list("8h")},
	{name: "shape.duration.max", form: durationForm, says: "Killed after this much running time. Default: twice expected; of learned work twice p95.", examples: list("12h")},
	{name: "shape.power", form: powerForm, says: "Mean power while running: 300W, or {watts: 300}. Default: 10 W a core, marked as taken from a table.", examples: list("300W", "2.4kW")},
	{name: "shape.power.watts", form: form{"type": []string{"number", "string"}, "exclusiveMinimum": 0, "maximum": MaxPower / grid.Watt, "pattern": decimalForm.String()}, says: "A plain number of watts.", examples: list(2800)},
	{name: "shape.power.value", form: powerForm, says: "A power with its unit, instead of watts.", examples: list("2.8kW")},
	{name: "shape.power.source", form: only(PowerDeclared), says: "Where the figure comes from.", dflt: PowerDeclared},
	{name: "shape.energy", form: units("J", "kJ", "MJ", "Wh", "kWh", "MWh"), says: "Energy of the whole run, instead of power.", examples: list("2.4kWh", "500Wh")},
	{name: "shape.resources", says: "What one run occupies at its site."},
	{name: "shape.resources.cpus", form: form{"type": []string{"number", "string"}, "exclusiveMinimum": 0, "maximum": MaxCPU / 1000, "pattern": `^[0-9]+(\.[0-9]+)?m?$`}, says: "Cores: 2, 0.5, or 500m.", dflt: DefaultCPU / 1000, examples: list(2, 0.5, "500m")},
	{name: "shape.resources.memory", form: units("KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB"), says: "Memory. Default: none is set aside.", examples: list("512MiB", "2GiB")},
	{name: "shape.resources.gpus", says: "Accelerators that it needs all the time, of one type. Power must be given with them."},
	{name: "shape.resources.gpus.type", form: gpuForm, says: "What the sites call them.", examples: list("a100", "h100-80g"), needed: true},
	{name: "shape.resources.gpus.count", form: wholeForm(1, workload.MaxGPUs), says: "How many.", dflt: 1},
	{name: "shape.gang", form: wholeForm(1, workload.MaxGang), says: "How many processes start together at one site: 4, or {size: 4}. Power, energy and resources are of one of them.", dflt: 1, examples: list(4)},
	{name: "shape.gang.size", form: wholeForm(1, workload.MaxGang), says: "How many.", dflt: 1, examples: list(4)},
	{name: "shape.alternatives", many: workload.MaxWays, says: fmt.Sprintf("Other kinds of hardware that it can run on, each with what it takes there; at most %d. The plan chooses one before the start.", workload.MaxWays)},
	{name: "shape.alternatives.duration", form: durationForm, says: "How long it runs on that hardware: 2h, or {expected, p95, max}.", examples: list("2h"), needed: true},
	{name: "shape.alternatives.duration.expected", form: durationForm, says: "The usual running time there.", examples: list("2h"), needed: true},
	{name: "shape.alternatives.duration.p95", form: durationForm, says: "19 of 20 runs are shorter there. Default: expected.", examples: list("3h")},
	{name: "shape.alternatives.duration.max", form: durationForm, says: "Killed after this much running time there. Default: twice expected.", examples: list("4h")},
	{name: "shape.alternatives.power", form: powerForm, says: "Mean power while running there.", examples: list("2.8kW"), needed: true},
	{name: "shape.alternatives.resources", says: "What one run occupies there."},
	{name: "shape.alternatives.resources.cpus", form: form{"type": []string{"number", "string"}, "exclusiveMinimum": 0, "maximum": MaxCPU / 1000, "pattern": `^[0-9]+(\.[0-9]+)?m?$`}, says: "Cores there.", dflt: DefaultCPU / 1000, examples: list(2)},
	{name: "shape.alternatives.resources.memory", form: units("KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB"), says: "Memory there. Default: none is set aside.", examples: list("64GiB")},
	{name: "shape.alternatives.resources.gpus", says: "Accelerators there."},
	{name: "shape.alternatives.resources.gpus.type", form: gpuForm, says: "What the sites call them.", examples: list("h100"), needed: true},
	{name: "shape.alternatives.resources.gpus.count", form: wholeForm(1, workload.MaxGPUs), says: "How many.", dflt: 1},
	{name: "shape.interruptible", form: form{"type": "boolean"}, says: "Whether it may be suspended and resumed: true, or {overhead, minRun, maxSuspensions}.", dflt: false},
	{name: "shape.interruptible.overhead", form: durationForm, says: "Running time lost at each resume.", dflt: length(DefaultOverhead), examples: list("4m")},
	{name: "shape.interruptible.minRun", form: durationForm, says: "Shortest run between two pauses, at most expected.", dflt: length(DefaultMinRun), examples: list("30m")},
	{name: "shape.interruptible.maxSuspensions", form: wholeForm(1, MaxSuspensions), says: "How often at the most.", dflt: DefaultMaxSuspensions},

	{name: "data", says: "What it reads, if that lies at one place and must be where the work runs before it begins. Disclosed. Clusy plans for it; the program brings it."},
	{name: "data.home", form: form{"type": "string", "pattern": `^[A-Za-z0-9._/-]{1,128}$`}, says: "The site or the zone where it lies.", examples: list("berlin", "DE-LU"), needed: true},
	{name: "data.size", form: units("KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB"), says: "How much it is.", examples: list("200GiB"), needed: true},
	{name: "data.rate", form: units("Mbit/s", "Gbit/s"), says: "How fast it is brought.", dflt: "1Gbit/s", examples: list("10Gbit/s")},

	{name: "shape.elastic", form: form{"type": "array", "minItems": 1, "maxItems": workload.MaxLevels, "items": form{"type": "object", "required": []string{"size", "speed"}, "additionalProperties": false,
		"properties": form{"size": ratioForm, "speed": ratioForm}}}, says: "Other sizes at which it can run, larger and faster or smaller and slower: {sizes, speeds}, or a list of {size, speed}. Size 1 with speed 1 is the work as declared.", examples: list([]any{map[string]any{"size": 2, "speed": 1.8}})},
	{name: "shape.elastic.sizes", form: form{"type": "array", "minItems": 1, "maxItems": workload.MaxLevels, "items": ratioForm}, says: "What it takes of cores, memory and power then, against what is declared.", examples: list([]any{0.5, 1, 2, 4}), needed: true},
	{name: "shape.elastic.speeds", form: form{"type": "array", "minItems": 1, "maxItems": workload.MaxLevels, "items": ratioForm}, says: "How fast it is at each of these sizes. duration is at size 1.", examples: list([]any{0.55, 1, 1.8, 3.1}), needed: true},

	{name: "when", says: "The window: completeBy, or maxDelay.", needed: true},
	{name: "when.notBefore", form: instantForms, says: "Earliest start. Default: now.", examples: list("+2h", "2026-12-01T18:00:00+01:00")},
	{name: "when.completeBy", form: instantForms, says: "The work is to be complete by then: a time from now, or an instant with its offset from UTC.", examples: list("+10h", "2026-12-01T07:00:00+01:00")},
	{name: "when.maxDelay", form: durationForm, says: "How much later than now it may start, instead of completeBy.", examples: list("6h")},
	{name: "when.windows", says: "Times within the window."},
	{name: "when.windows.deny", form: form{"type": "array", "maxItems": maxDenials, "items": form{"type": "string", "pattern": deniedForms}},
		says:     fmt.Sprintf("Times in which it may not run: weekdays, a time from and to, and a time zone; or two instants with / between them. At most %d times in all until a week past completeBy.", workload.MaxDeny),
		examples: list([]any{"Mon-Fri 08:00-10:00 Europe/Berlin", "daily 22:00-06:00 +01:00", "2026-12-24T00:00:00Z/2026-12-27T00:00:00Z"})},

	{name: "where", says: "The sites that may run it. Default: any."},
	{name: "where.allow", form: patterns(1), says: "Ids of sites, or zones; * stands for any text.", examples: list([]any{"local", "DE-*"})},
	{name: "where.prefer", form: patterns(0), says: "Those to take among equals, in this order.", examples: list([]any{"local"})},

	{name: "objective", says: "What to make small, and what not to exceed."},
	{name: "objective.minimize", form: words(minimizes), says: "What to make small.", dflt: workload.MinimizeCarbon},
	{name: "objective.signal", form: only(string(grid.Average)), says: "Which carbon intensity counts.", dflt: grid.Average},
	{name: "objective.minSaving", form: units("%"), says: "Do not delay for less: a share of what running at once would emit.", dflt: "0%", examples: list("5%")},
	{name: "objective.carbonCeiling", form: carbonForm, says: "Refuse a plan that is expected to emit more. Default: none.", examples: list("5kgCO2e", "800g")},
	{name: "objective.carbonCeiling.total", form: carbonForm, says: "For the whole run.", examples: list("5kgCO2e"), needed: true},
	{name: "objective.costCeiling", form: moneyForm, says: "Refuse a plan that is expected to cost more. Default: none.", examples: list("40 EUR")},
	{name: "objective.costCeiling.total", form: moneyForm, says: "For the whole run.", examples: list("40 EUR"), needed: true},
	{name: "objective.carbonPrice", form: form{"type": "string", "pattern": `^\s*` + someNumber + `\s*[A-Z]{3}\s*/t\s*$`}, says: "What a tonne of CO2 is worth to you: the cost, and the carbon at this price, are made small together.", examples: list("80 EUR/t")},

	{name: "policy", says: "How the work is to be treated."},
	{name: "policy.promise", form: words(promises), says: "once: no second start without evidence that the first one ended.", dflt: workload.Once},
	{name: "policy.priority", form: wholeForm(0, 100), says: "Who is placed first where not all fit; more is sooner.", dflt: DefaultPriority},
	{name: "policy.retries", form: wholeForm(0, MaxRetries), says: "Further attempts after a recorded failure: a number, or {max}.", dflt: 0},
	{name: "policy.retries.max", form: wholeForm(0, MaxRetries), says: "How many.", dflt: 0},
	{name: "policy.onNoSignal", form: words(noSignals), says: "What to do while no carbon intensity is known.", dflt: workload.RunByDeadline},
	{name: "policy.baseline", form: words(baselines), says: "What savings are measured against; fixed before the run.", dflt: workload.BaselineRunNow},

	{name: "queue", form: form{"type": "string", "pattern": `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`}, says: "Whose share of the sites it takes: a queue that an admin has set up. Default: the queue called default. Disclosed to the server.", examples: list("nightly")},
}

// ratioForm is a size or a speed.
var ratioForm = form{"type": []string{"number", "string"}, "minimum": 0.01, "maximum": 100, "pattern": decimalForm.String()}

// The words that a field can have, the default first.
var (
	minimizes = []workload.Minimize{workload.MinimizeCarbon, workload.MinimizeCost, workload.MinimizeTime}
	promises  = []workload.Promise{workload.Once, workload.RerunOK}
	noSignals = []workload.OnNoSignal{workload.RunByDeadline, workload.RunNow}
	baselines = []workload.Baseline{workload.BaselineRunNow}
)

// supported lists the names of the fields.
var supported = func() (names []string) {
	for _, e := range entries {
		names = append(names, e.name)
	}
	return names
}()

var supportedField = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range supported {
		m[name] = true
	}
	return m
}()
