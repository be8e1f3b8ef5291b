package clusy

import "time"

// The wire types of /v1. Times are RFC 3339 in UTC; durations are seconds;
// power is watts, energy kilowatt-hours, carbon grams of CO2-equivalent, and
// intensity grams per kilowatt-hour. A number that is not known is absent.

// Shape is the part of an intent that the server may see.
type Shape struct {
	Duration      Duration      `json:"duration" doc:"How long the work runs, without suspensions."`
	Watts         float64       `json:"watts" minimum:"0" maximum:"1000000000" doc:"Mean power while running, in watts."`
	PowerSource   string        `json:"powerSource,omitempty" enum:"declared,hardware-table" doc:"Where the figure of power comes from."`
	CPUs          float64       `json:"cpus,omitempty" minimum:"0" maximum:"1000000" doc:"Processor cores needed while running."`
	MemoryMiB     int64         `json:"memoryMiB,omitempty" minimum:"0" maximum:"1099511627776" doc:"Memory needed while running, in MiB."`
	GPUs          *GPUs         `json:"gpus,omitempty" doc:"Accelerators needed while running."`
	Gang          int           `json:"gang,omitempty" minimum:"0" maximum:"1024" doc:"How many processes it is, that start together at one site; power and resources are of all of them. Absent: one."`
	Alternatives  []Hardware    `json:"alternatives,omitempty" maxItems:"4" doc:"Other kinds of hardware that it can run on. The plan chooses one before the start; way 0 is what stands above, way 1 the first of these."`
	Interruptible Interruptible `json:"interruptible,omitzero" doc:"Whether the work may be suspended, and what that costs."`
	Class         string        `json:"class,omitempty" pattern:"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" doc:"What its owner calls work of this kind, disclosed on purpose: how long such work takes is learned from its runs."`
	Data          *Data         `json:"data,omitempty" doc:"What must be where it runs before it begins."`
	Elastic       []Level       `json:"elastic,omitempty" maxItems:"7" doc:"Sizes at which the work can run beside the declared one, the smallest first."`
	After         []string      `json:"after,omitempty" maxItems:"999" doc:"Ids of workloads that must have succeeded before it starts; in a group, #0 is its first member."`
	Group         string        `json:"group,omitempty" maxLength:"64" doc:"The group that it was submitted with. The server makes it: what is sent is not looked at."`
	When          When          `json:"when" doc:"The window."`
	Where         Where         `json:"where,omitzero" doc:"The sites that may run the work."`
	Objective     Objective     `json:"objective,omitzero" doc:"What to make small, and what not to exceed."`
	Policy        Policy        `json:"policy,omitzero" doc:"How the work is to be treated."`
	Queue         string        `json:"queue,omitempty" maxLength:"63" doc:"Whose share of the sites it takes: a queue that an admin has set up. Default: the queue called default."`
}

// Duration is a running time in seconds: expected, at the 95th percentile, and
// at the most (then it is killed).
type Duration struct {
	Expected float64 `json:"expectedSeconds" exclusiveMinimum:"0" maximum:"31536000" doc:"Expected running time."`
	P95      float64 `json:"p95Seconds,omitempty" minimum:"0" maximum:"31536000" doc:"19 of 20 runs are shorter. Default: expected."`
	Max      float64 `json:"maxSeconds,omitempty" minimum:"0" maximum:"63072000" doc:"Killed after this much running time. Default: twice the expected."`
}

// Data lies at one place, and must be brought to any other before a run begins.
type Data struct {
	Home string `json:"home" minLength:"1" maxLength:"128" pattern:"^[A-Za-z0-9._/-]+$" doc:"A site or a zone."`
	MiB  int64  `json:"mebibytes" minimum:"1" maximum:"1073741824"`
	Mbit int64  `json:"megabitsPerSecond,omitempty" minimum:"0" maximum:"10000000" doc:"At which it is brought. Absent: 1000."`
}

// GPUs is a number of accelerators of one type.
type GPUs struct {
	Type  string `json:"type" minLength:"1" maxLength:"32" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" doc:"What the sites call them: a100."`
	Count int64  `json:"count" minimum:"1" maximum:"1048576"`
}

// Hardware is a kind of hardware and what the work takes on it.
type Hardware struct {
	Duration  Duration `json:"duration"`
	Watts     float64  `json:"watts" minimum:"0" maximum:"1000000000"`
	CPUs      float64  `json:"cpus,omitempty" minimum:"0" maximum:"1000000"`
	MemoryMiB int64    `json:"memoryMiB,omitempty" minimum:"0" maximum:"1099511627776"`
	GPUs      *GPUs    `json:"gpus,omitempty"`
}

// Interruptible says whether work may be suspended.
type Interruptible struct {
	Allowed        bool    `json:"allowed,omitempty" doc:"May be suspended and resumed."`
	Overhead       float64 `json:"overheadSeconds,omitempty" minimum:"0" maximum:"86400" doc:"Running time lost at each resume."`
	MinRun         float64 `json:"minRunSeconds,omitempty" minimum:"0" maximum:"31536000" doc:"Shortest run between two suspensions."`
	MaxSuspensions int     `json:"maxSuspensions,omitempty" minimum:"0" maximum:"1000" doc:"0: as often as it pays."`
}

// Level is a size of elastic work, against the declared one.
type Level struct {
	Size  float64 `json:"size" minimum:"0.01" maximum:"100" doc:"What it takes of cores, memory and power then, as a multiple of what is declared."`
	Speed float64 `json:"speed" minimum:"0.01" maximum:"100" doc:"How fast the work is then, as a multiple; it rises with the size."`
}

// When is the window of an intent.
type When struct {
	NotBefore  time.Time `json:"notBefore,omitzero" doc:"Earliest start. Default: now."`
	CompleteBy time.Time `json:"completeBy" doc:"The work is to be complete by then."`
	Deny       []Span    `json:"deny,omitempty" maxItems:"366" doc:"Times in which the work may not run, in order and apart; told until seven days past completeBy, so that a refusal can name a later one."`
}

// Where names sites by patterns of their id or zone; * stands for any text.
type Where struct {
	Allow  []string `json:"allow,omitempty" maxItems:"100" doc:"Sites that may run the work. Default: any."`
	Prefer []string `json:"prefer,omitempty" maxItems:"100" doc:"Sites to take among equals, in this order."`
}

// Objective is what a plan makes small.
type Objective struct {
	Minimize      string  `json:"minimize,omitempty" enum:"carbon,cost,time" doc:"Default: carbon."`
	MinSaving     float64 `json:"minSaving,omitempty" minimum:"0" maximum:"1" doc:"Do not delay for less than this share."`
	CarbonCeiling float64 `json:"carbonCeilingGrams,omitempty" minimum:"0" maximum:"1e15" doc:"Refuse a plan that is expected to emit more."`
	CostCeiling   *Money  `json:"costCeiling,omitempty" doc:"Refuse a plan that is expected to cost more."`
	CarbonPrice   *Money  `json:"carbonPrice,omitempty" doc:"Internal price of a tonne of CO2-equivalent: the cost, and the carbon at this price, are added up and made small together."`
}

// Money is an amount of a currency.
type Money struct {
	Amount   float64 `json:"amount" minimum:"-1e12" maximum:"1e12"`
	Currency string  `json:"currency" pattern:"^[A-Z]{3}$"`
}

// Policy is how work is to be treated.
type Policy struct {
	Promise    string `json:"promise,omitempty" enum:"once,rerun_ok" doc:"once (default): no second start without evidence that the first one ended."`
	Priority   int    `json:"priority,omitempty" minimum:"0" maximum:"100"`
	Retries    int    `json:"retries,omitempty" minimum:"0" maximum:"100" doc:"Further attempts after a recorded failure."`
	OnNoSignal string `json:"onNoSignal,omitempty" enum:"run-now,run-by-deadline" doc:"What to do while no intensity is known. Default: run-by-deadline."`
	Baseline   string `json:"baseline,omitempty" enum:"run-now" doc:"What savings are measured against; fixed before the run."`
}

// Submission asks for an intent to be carried out.
type Submission struct {
	Shape   Shape  `json:"shape" doc:"The disclosed part of the intent."`
	Sealed  []byte `json:"sealed" minLength:"1" maxLength:"1048576" doc:"The whole intent, sealed to an enclave's key."`
	Enclave string `json:"enclave" minLength:"1" maxLength:"128" doc:"The id of the key that it is sealed to."`
}

// GroupSubmission asks for several intents to be carried out: all of them are
// admitted, or none.
type GroupSubmission struct {
	Members []Submission `json:"members" minItems:"1" maxItems:"1000" doc:"A member names others that it waits for by their place in this list: #0 is the first."`
}

// GroupShapes are the disclosed parts of a group, for a dry run.
type GroupShapes struct {
	Members []Shape `json:"members" minItems:"1" maxItems:"1000"`
}

// Group is several workloads that were submitted as one thing.
type Group struct {
	ID       string         `json:"id" example:"grp_0199b2c4-5a7e-7f31-9c0e-1f2a3b4c5d6e"`
	Created  time.Time      `json:"created"`
	States   map[string]int `json:"states" doc:"How many members are in each state."`
	Finish   time.Time      `json:"finish,omitzero" doc:"When the last member is expected to end, or ended; absent while one has no place in a plan."`
	Due      time.Time      `json:"completeBy" doc:"The latest completeBy of its members."`
	Carbon   *float64       `json:"carbonGrams,omitempty" doc:"Expected of all open members; absent if that of one is not known."`
	Complete bool           `json:"complete" doc:"Every member has ended."`
	Members  []GroupMember  `json:"members" doc:"In the order in which they were submitted."`
}

// GroupMember is one workload of a group, in short.
type GroupMember struct {
	ID         string    `json:"id"`
	State      string    `json:"state"`
	Cause      string    `json:"cause,omitempty"`
	After      []string  `json:"after,omitempty" doc:"Ids of what it waits for."`
	Site       string    `json:"site,omitempty"`
	Start      time.Time `json:"start,omitzero" doc:"Of its plan, or of its last run."`
	Finish     time.Time `json:"finish,omitzero"`
	Reserved   time.Time `json:"reservedUntil,omitzero"`
	CompleteBy time.Time `json:"completeBy"`
	Carbon     *float64  `json:"carbonGrams,omitempty" doc:"Expected."`
}

// GroupPlan is what a plan of a group would be, or why there is none.
type GroupPlan struct {
	Feasible bool        `json:"feasible"`
	Members  []Placement `json:"members,omitempty" doc:"The place of each, in the order of the request."`
	Refused  *int        `json:"refused,omitempty" doc:"Which member has no place: its number, from 0."`
	Failed   []Failed    `json:"failed,omitempty"`
	Nearest  time.Time   `json:"nearestCompleteBy,omitzero" doc:"With the latest completeBy of its members at that time, and those of the others as much later, the group can be admitted."`
}

// Workload is the server's record of an intent.
type Workload struct {
	ID          string     `json:"id" example:"wl_0199b2c4-5a7e-7f31-9c0e-1f2a3b4c5d6e"`
	State       string     `json:"state" enum:"accepted,planned,offered,held,releasing,running,suspended,site_silent,succeeded,failed,cancelled,expired"`
	Rev         int64      `json:"rev"`
	Cause       string     `json:"cause,omitempty" doc:"Why it is in this state."`
	Shape       Shape      `json:"shape"`
	Enclave     string     `json:"enclave"`
	Created     time.Time  `json:"created"`
	Changed     time.Time  `json:"changed"`
	Wanted      string     `json:"wanted,omitempty" enum:"cancel,move"`
	Plan        *Placement `json:"plan,omitempty" doc:"Its part of the plan in force, or of the last one."`
	Baseline    Baseline   `json:"baseline"`
	Attempts    []Attempt  `json:"attempts"`
	MissedAt    time.Time  `json:"missedAt,omitzero" doc:"When completeBy passed with the work unfinished."`
	MissedCause string     `json:"missedCause,omitempty"`
	Account     *Account   `json:"account,omitempty" doc:"What the ledger holds of it so far."`
}

// Account sums the ledger entries of one workload.
type Account struct {
	Entries   int     `json:"entries"`
	EnergyKWh float64 `json:"energyKWh"`
	Emitted   float64 `json:"emittedGrams"`
	Avoided   float64 `json:"baselineGrams"`
	Saved     float64 `json:"savedGrams" doc:"Signed: may be negative. Only claimed entries count."`
	Grade     string  `json:"grade"`
	Complete  bool    `json:"complete" doc:"True when every hour of every attempt is booked."`
}

// Baseline is the run that savings are measured against.
type Baseline struct {
	Rule  string    `json:"rule"`
	Site  string    `json:"site"`
	Zone  string    `json:"zone"`
	Start time.Time `json:"start"`
}

// Attempt is one execution.
type Attempt struct {
	N           int       `json:"n"`
	Site        string    `json:"site"`
	State       string    `json:"state"`
	Started     time.Time `json:"started,omitzero"`
	Ended       time.Time `json:"ended,omitzero"`
	ExitCode    *int      `json:"exitCode,omitempty"`
	Cause       string    `json:"cause,omitempty"`
	Active      float64   `json:"activeSeconds"`
	Suspensions int       `json:"suspensions"`
}

// Span is a time [start, end).
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Size  float64   `json:"size,omitempty" minimum:"0" maximum:"100" doc:"Of elastic work: its size in this time, as a multiple of the declared one. Absent: as declared."`
}

// Placement is one workload's part of a plan.
type Placement struct {
	Site     string    `json:"site"`
	Way      int       `json:"way,omitempty" doc:"The kind of hardware: 0 is the shape's own, 1 the first of its alternatives."`
	Spans    []Span    `json:"spans"`
	Reserved time.Time `json:"reservedUntil"`
	Latest   time.Time `json:"latestStart"`
	Energy   float64   `json:"energyKWh"`
	Carbon   *float64  `json:"carbonGrams,omitempty" doc:"Expected; absent if no intensity is known."`
	Grade    string    `json:"grade,omitempty"`
	Cost     *Money    `json:"cost,omitempty"`
	Why      Reasons   `json:"why"`
}

// Reasons says why a placement is what it is.
type Reasons struct {
	Binding    string         `json:"binding"`
	Text       string         `json:"text"`
	Signals    []SignalUsed   `json:"signals"`
	RunNow     *Alternative   `json:"runNow,omitempty"`
	Rejected   []Alternative  `json:"rejected"`
	Considered int            `json:"considered"`
	Fell       map[string]int `json:"fell,omitempty"`
}

// Alternative is a candidate that was not chosen; deltas are its own figure
// less the chosen one's.
type Alternative struct {
	Site        string    `json:"site"`
	Way         int       `json:"way,omitempty" doc:"The kind of hardware, as a placement's."`
	Start       time.Time `json:"start"`
	Finish      time.Time `json:"finish"`
	Cause       string    `json:"cause,omitempty"`
	Carbon      *float64  `json:"carbonGrams,omitempty"`
	CarbonDelta *float64  `json:"carbonDeltaGrams,omitempty"`
	FinishDelta float64   `json:"finishDeltaSeconds"`
	CostDelta   *Money    `json:"costDelta,omitempty"`
}

// SignalUsed names a series that a decision rests on.
type SignalUsed struct {
	Zone     string    `json:"zone"`
	Provider string    `json:"provider"`
	Issued   time.Time `json:"issued"`
	Grade    string    `json:"grade"`
	Basis    string    `json:"basis"`
	Ref      string    `json:"ref,omitempty"`
}

// Decision is one plan's word on a workload, kept for good.
type Decision struct {
	Plan      string    `json:"plan"`
	At        time.Time `json:"at"`
	Placement Placement `json:"placement"`
}

// DryRun is what a plan would be, or every reason why there is none.
type DryRun struct {
	Feasible  bool       `json:"feasible"`
	Placement *Placement `json:"placement,omitempty"`
	Failed    []Failed   `json:"failed,omitempty"`
	Nearest   time.Time  `json:"nearestCompleteBy,omitzero"`
	Outlook   []Outlook  `json:"outlook,omitempty" doc:"Intensity over the window, one entry for each zone considered."`
	Quotes    []Quote    `json:"quotes,omitempty" doc:"What a later completeBy would save."`
}

// Quote says what a later completeBy would be worth.
type Quote struct {
	More   float64   `json:"moreSeconds" doc:"How much later completeBy would be."`
	Site   string    `json:"site"`
	Start  time.Time `json:"start"`
	Finish time.Time `json:"finish"`
	Carbon float64   `json:"carbonGrams" doc:"What it would be expected to emit."`
	Saves  float64   `json:"savesGrams" doc:"How much less that is than without; 0 if more time is worth nothing."`
}

// Quotes is what more time would be worth to a workload.
type Quotes struct {
	Quotes []Quote `json:"quotes" doc:"None for what runs or has ended, for what is not there to be clean, and where no intensity is known."`
}

// Certificate says how far a plan was from the best possible. What it adds up is
// told to those whose workloads it is all of: of a plan of several tenants
// everybody is told the gap alone.
type Certificate struct {
	Plan   string    `json:"plan" doc:"As it was decided. If something happened meanwhile, what was committed of it has a name of its own."`
	At     time.Time `json:"at"`
	Items  *int      `json:"items,omitempty" doc:"Workloads that the sums are of."`
	Given  *int      `json:"given,omitempty" doc:"Workloads whose time or site is not a matter of carbon: they run, are to be quick or cheap, or nothing is known of them."`
	Carbon *float64  `json:"carbonGrams,omitempty" doc:"What the plan is expected to emit."`
	Bound  *float64  `json:"boundGrams,omitempty" doc:"No plan can be expected to emit less."`
	Gap    *float64  `json:"gap,omitempty" doc:"By how much the plan is above the bound at most, as a share of what it emits; absent if it emits nothing."`
	Digest string    `json:"digest" doc:"SHA-256 of all that it was decided on; the log has it too."`
}

// PlanProof is all that a plan was decided on, as the server keeps it.
type PlanProof struct {
	Certificate
	Body []byte `json:"body" doc:"JSON, compressed (DEFLATE), base64. clusy plan verify opens it, and doubts the plan with nothing else."`
}

// Class is what is known of how long the work of one class takes. Of the lengths
// the suspensions are no part.
type Class struct {
	Class   string     `json:"class"`
	Runs    int        `json:"runs" doc:"That it rests on: the newest, at most 200."`
	Killed  int        `json:"killed" doc:"Of those: killed at their maximum, so that they would have taken longer."`
	Median  *float64   `json:"medianSeconds,omitempty" doc:"What to expect; absent until five runs have ended."`
	P95     *float64   `json:"p95Seconds,omitempty" doc:"A cautious bound: 19 of 20 runs are shorter. Absent until five runs have ended."`
	Longest *float64   `json:"longestSeconds,omitempty"`
	Rule    string     `json:"rule,omitempty" enum:"order-statistic,longest-and-half" doc:"How the p95 was come by: with 95 % confidence, from 59 runs on, or the longest run and half as much again."`
	Last    time.Time  `json:"last,omitzero" doc:"When the newest run ended."`
	Judged  int        `json:"judged" doc:"Of the newest runs: those that a declared p95 is held against, at most 50."`
	Over    int        `json:"over" doc:"Of those: longer than was declared."`
	Drifted bool       `json:"drifted" doc:"With 99 % confidence more than 1 in 20 take longer than was declared."`
	Newest  []ClassRun `json:"newest,omitempty" doc:"The runs, the newest last; not in a list of classes."`
}

// ClassRun is one run of a class.
type ClassRun struct {
	At       time.Time `json:"at" doc:"When it ended."`
	Length   float64   `json:"seconds" doc:"Useful running time, without suspensions and what resuming cost."`
	Killed   bool      `json:"killed,omitempty" doc:"At its maximum: it would have taken longer."`
	Declared float64   `json:"declaredP95Seconds"`
	Site     string    `json:"site"`
	Way      int       `json:"way,omitempty" doc:"Which of its shape's ways it went; only those of the way 0 are learned from."`
}

// Failed is one constraint that cannot be kept.
type Failed struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Missing string `json:"missing,omitempty"`
	Nearest string `json:"nearest,omitempty"`
}

// Outlook is a zone's intensity over time: what was measured, then what is
// expected.
type Outlook struct {
	Zone   string  `json:"zone"`
	Points []Point `json:"points"`
}

// Point is one value of intensity; absent if it is not known.
type Point struct {
	Start     time.Time `json:"start"`
	Intensity *float64  `json:"gramsPerKWh,omitempty"`
	Low       *float64  `json:"low,omitempty"`
	High      *float64  `json:"high,omitempty"`
	Forecast  bool      `json:"forecast"`
	Grade     string    `json:"grade"`
	Provider  string    `json:"provider"`
	Issued    time.Time `json:"issued"`
}

// Zone is a grid area as Clusy knows it.
type Zone struct {
	Zone     string    `json:"zone"`
	Name     string    `json:"name,omitempty"`
	Annual   *float64  `json:"annualGramsPerKWh,omitempty" doc:"Yearly mean."`
	Year     int       `json:"year,omitempty"`
	Now      *float64  `json:"nowGramsPerKWh,omitempty"`
	Grade    string    `json:"grade,omitempty"`
	Provider string    `json:"provider,omitempty"`
	Issued   time.Time `json:"issued,omitzero"`
	Basis    string    `json:"basis,omitempty"`
	Problem  string    `json:"problem,omitempty" doc:"What is wrong with its signal, if anything."`
}

// Signals is how the sources of carbon intensity and price are doing.
type Signals struct {
	AsOf    time.Time      `json:"asOf"`
	Sources []SignalSource `json:"sources" doc:"The most trusted first."`
	Zones   []ZoneSignal   `json:"zones"`
	// Destinations are all places outside that the server may speak to.
	Destinations []Destination `json:"destinations" doc:"Every place outside that the server may open a connection to: what for, and what is told there."`
}

// Destination is a place outside that the server may speak to.
type Destination struct {
	URL     string `json:"url"`
	Purpose string `json:"purpose"`
	Sends   string `json:"sends"`
	Via     string `json:"via,omitempty" doc:"The proxy in between."`
}

// SignalSource is one source of signals.
type SignalSource struct {
	Name        string        `json:"name"`
	Basis       string        `json:"basis" doc:"What its intensities count: average or marginal, lifecycle or direct."`
	Offers      []string      `json:"offers" doc:"history, forecast, prices"`
	Zones       int           `json:"zones" doc:"Zones of ours that it has."`
	Quarantined int           `json:"quarantined" doc:"Of those: where it is not believed."`
	Asked       int64         `json:"asked" doc:"Since the server's start."`
	Failed      int64         `json:"failed"`
	LastSuccess time.Time     `json:"lastSuccess,omitzero"`
	LastError   string        `json:"lastError,omitempty"`
	LastErrorAt time.Time     `json:"lastErrorAt,omitzero"`
	Budget      *SignalBudget `json:"budget,omitempty" doc:"Absent: it may be asked at will."`
}

// SignalBudget says how far the requests that a source allows are used up.
type SignalBudget struct {
	Limit    int       `json:"limit,omitempty" doc:"Requests in a window; absent: none is known."`
	Seconds  int64     `json:"windowSeconds,omitempty"`
	Used     int       `json:"used"`
	Exhausts time.Time `json:"exhausts,omitzero" doc:"When it is used up at this pace; absent: not within a day."`
	NotUntil time.Time `json:"notUntil,omitzero" doc:"It is not asked before."`
}

// ZoneSignal is how the signals of one zone are doing, in one basis.
type ZoneSignal struct {
	Zone          string       `json:"zone"`
	Basis         string       `json:"basis"`
	Provider      string       `json:"provider,omitempty" doc:"That last brought a value."`
	Grade         string       `json:"grade,omitempty" doc:"Of the forecast in use; absent: there is none."`
	MeasuredUntil time.Time    `json:"measuredUntil,omitzero"`
	Forecast      time.Time    `json:"forecastIssued,omitzero"`
	LastSuccess   time.Time    `json:"lastSuccess,omitzero"`
	LastError     string       `json:"lastError,omitempty"`
	LastErrorAt   time.Time    `json:"lastErrorAt,omitzero"`
	Quarantined   []Quarantine `json:"quarantined,omitempty"`
	Verdict       *Verdict     `json:"verdict,omitempty" doc:"What the forecast in use rests on; absent: there is none."`
}

// Verdict says what a forecast rests on, and how good that has been.
type Verdict struct {
	Why   string          `json:"why"`
	Days  int             `json:"days" doc:"Of the zone's own past that it rests on."`
	Parts []ForecasterSay `json:"parts"`
}

// ForecasterSay is one forecaster's part in a forecast.
type ForecasterSay struct {
	Forecaster string        `json:"forecaster"`
	Issued     time.Time     `json:"issued,omitzero"`
	Issues     int           `json:"issues" doc:"How many of its forecasts its record rests on."`
	Regret     *float64      `json:"regretPercent,omitempty" doc:"Of what perfect foresight would save: the part that its forecasts alone would have lost. Absent: not known."`
	Days       []ForecastDay `json:"days" doc:"By day ahead."`
}

// ForecastDay is a forecaster's weight and record some days ahead.
type ForecastDay struct {
	Weight float64  `json:"weight"`
	MAPE   *float64 `json:"mapePercent,omitempty" doc:"Mean absolute percentage error. Absent: not known."`
}

// Quarantine is a source that is not believed for a zone.
type Quarantine struct {
	Provider string `json:"provider"`
	Reason   string `json:"reason"`
}

// Forecast is what was expected of a zone at some time.
type Forecast struct {
	Zone     string    `json:"zone"`
	Provider string    `json:"provider"`
	Issued   time.Time `json:"issued"`
	Grade    string    `json:"grade"`
	Basis    string    `json:"basis"`
	Points   []Point   `json:"points" doc:"Low and high hold nine of ten values that come."`
}

// Prices is the wholesale price of electricity in a zone, without taxes and the
// tariff of the network.
type Prices struct {
	Zone     string       `json:"zone"`
	Provider string       `json:"provider"`
	Currency string       `json:"currency"`
	Issued   time.Time    `json:"issued"`
	Points   []PricePoint `json:"points"`
}

// PricePoint is one price; it may be below zero.
type PricePoint struct {
	Start time.Time `json:"start"`
	Price float64   `json:"perKWh"`
}

// Site is a place that can run workloads.
type Site struct {
	ID        string    `json:"id"`
	Zone      string    `json:"zone"`
	Engine    string    `json:"engine"`
	CPUs      *float64  `json:"cpus,omitempty" doc:"Absent: not limited."`
	MemoryMiB *int64    `json:"memoryMiB,omitempty"`
	GPUs      []GPUs    `json:"gpus,omitempty" doc:"Accelerators, by type; of a type that is not here it has none."`
	Watts     *float64  `json:"watts,omitempty"`
	Slots     *int64    `json:"slots,omitempty"`
	PUE       float64   `json:"pue"`
	Price     *Money    `json:"pricePerKWh,omitempty"`
	Enclave   Enclave   `json:"enclave"`
	Seen      time.Time `json:"seen,omitzero"`
	Silent    bool      `json:"silent"`
	Running   int       `json:"running"`
}

// Enclave is a key that intents can be sealed to.
type Enclave struct {
	ID  string `json:"id"`
	Key string `json:"key" doc:"Public key, in text form."`
}

// Event is one fact on record.
type Event struct {
	Index  int64             `json:"index"`
	At     time.Time         `json:"at"`
	Actor  string            `json:"actor"`
	Kind   string            `json:"kind"`
	Object string            `json:"object"`
	From   string            `json:"from,omitempty"`
	To     string            `json:"to,omitempty"`
	Rev    int64             `json:"rev,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
}

// LedgerEntry is one attempt in one hour.
type LedgerEntry struct {
	Index     int64     `json:"index"`
	Workload  string    `json:"workload"`
	Attempt   int       `json:"attempt"`
	Site      string    `json:"site"`
	Zone      string    `json:"zone"`
	Hour      time.Time `json:"hour"`
	Active    float64   `json:"activeSeconds"`
	EnergyKWh float64   `json:"energyKWh" doc:"Of the facility: with PUE."`
	Source    string    `json:"energySource"`
	PUE       float64   `json:"pue"`
	Intensity float64   `json:"gramsPerKWh" doc:"Energy-weighted mean of the intensities used."`
	Emitted   float64   `json:"emittedGrams"`
	Avoided   float64   `json:"baselineGrams"`
	Saved     float64   `json:"savedGrams"`
	Claimed   bool      `json:"claimed"`
	Grade     string    `json:"grade"`
	Baseline  Baseline  `json:"baseline"`
	Method    string    `json:"method"`
	Restates  *int64    `json:"restates,omitempty" doc:"The index of the earlier entry that this one takes the place of; that one counts no longer."`
	Reason    string    `json:"reason,omitempty" doc:"Why it was restated."`
}

// RestateRequest asks for the ledger's hours of a time to be booked again on
// what is known of their intensity now.
type RestateRequest struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason" minLength:"1" maxLength:"500" doc:"Stays on record with each entry."`
	DryRun bool      `json:"dryRun,omitempty" doc:"Only show what would change."`
}

// Restated is what came of a RestateRequest.
type Restated struct {
	DryRun  bool           `json:"dryRun"`
	Looked  int            `json:"looked" doc:"Hours that were booked again."`
	Unknown int            `json:"unknown" doc:"Of those: whose intensities are not kept any more; they stand."`
	Items   []RestatedHour `json:"items" doc:"Where that gives other figures."`
	More    bool           `json:"more" doc:"There is more to restate than one call takes: ask again."`
}

// RestatedHour is an entry that stood and the one in its place.
type RestatedHour struct {
	Before LedgerEntry `json:"before"`
	After  LedgerEntry `json:"after"`
}

// Checkpoint is the signed head of the log.
type Checkpoint struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Text   string `json:"text" doc:"The signed note (C2SP tlog-checkpoint)."`
	Key    string `json:"key" doc:"The note verifier key."`
	Demo   bool   `json:"demo"`
}

// Status says what server this is and what time it goes by.
type Status struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`
	Demo    bool      `json:"demo" doc:"Everything here is a demonstration on replayed data."`
	Rate    float64   `json:"rate" doc:"Seconds of its clock in one second."`
	Ends    time.Time `json:"ends,omitzero" doc:"When the replayed data ends."`
	Origin  string    `json:"origin"`
}

// Page is one page of a list. Next is empty on the last one.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page."`
	AsOf  *int64 `json:"asOf,omitempty" doc:"Index of the newest log entry that this page reflects: watch after it."`
}

// Proof shows that a log entry is in the log under a checkpoint.
type Proof struct {
	Index int64  `json:"index"`
	Leaf  []byte `json:"leaf" doc:"The canonical bytes of the entry's leaf."`
	Text  string `json:"text" doc:"The proof (c2sp.org/tlog-proof)."`
}
