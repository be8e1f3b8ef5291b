package clusy

import "time"

// SyncRequest is how things stand at a site. An agent sends it, waits for the
// answer, and drops any answer that is not to its newest question.
type SyncRequest struct {
	Incarnation string          `json:"incarnation" minLength:"1" maxLength:"64" doc:"New each time the agent's memory is new."`
	Seq         int64           `json:"seq" minimum:"1" doc:"Rises with each question."`
	MaxEpoch    int64           `json:"maxEpoch" minimum:"0" doc:"The highest leader epoch it has obeyed."`
	Site        SiteReport      `json:"site"`
	Reports     []AttemptReport `json:"reports" maxItems:"500"`
	Meters      []Meter         `json:"meters" maxItems:"2000"`
	Replies     []Reply         `json:"replies,omitempty" maxItems:"100"`
	Checkpoint  string          `json:"checkpoint,omitempty" maxLength:"4096" doc:"The newest signed tree head that it has seen."`
	WaitSeconds float64         `json:"waitSeconds" minimum:"0" maximum:"60" doc:"How long to wait for something to do."`
}

// SiteReport describes the site behind an agent.
type SiteReport struct {
	Zone      string   `json:"zone" minLength:"1" maxLength:"64"`
	Engine    string   `json:"engine" enum:"process"`
	CPUs      *float64 `json:"cpus,omitempty" minimum:"0"`
	MemoryMiB *int64   `json:"memoryMiB,omitempty" minimum:"0"`
	GPUs      []GPUs   `json:"gpus,omitempty" maxItems:"4" doc:"Accelerators, by type. Of a type that is not here it has none."`
	Watts     *float64 `json:"watts,omitempty" minimum:"0"`
	Slots     *int64   `json:"slots,omitempty" minimum:"0"`
	PUE       float64  `json:"pue" minimum:"1" maximum:"10"`
	Price     *Money   `json:"pricePerKWh,omitempty"`
	Enclave   Enclave  `json:"enclave"`
}

// AttemptReport is how one attempt stands.
type AttemptReport struct {
	Workload    string    `json:"workload" minLength:"1" maxLength:"64"`
	N           int       `json:"n" minimum:"1" maximum:"1000000"`
	Grant       string    `json:"grant" minLength:"1" maxLength:"64"`
	State       string    `json:"state" enum:"accepted,refused,held,released,starting,running,suspended,ended,stopped,lost"`
	Started     time.Time `json:"started,omitzero"`
	Ended       time.Time `json:"ended,omitzero"`
	ExitCode    int       `json:"exitCode,omitempty"`
	Cause       string    `json:"cause,omitempty" maxLength:"1000"`
	Active      float64   `json:"activeSeconds" minimum:"0"`
	RunSince    time.Time `json:"runSince,omitzero"`
	Suspensions int       `json:"suspensions,omitempty" minimum:"0"`
	Size        float64   `json:"size,omitempty" minimum:"0" maximum:"100" doc:"Of elastic work: the size at which it runs. Absent: as declared."`
	Metered     bool      `json:"metered,omitempty" doc:"Every hour of an ended attempt has been reported."`
	Schedule    string    `json:"schedule,omitempty" maxLength:"64" doc:"The id of the schedule that it goes by."`
}

// Meter is the energy of one attempt in one hour of UTC.
type Meter struct {
	Workload string    `json:"workload" minLength:"1" maxLength:"64"`
	Attempt  int       `json:"attempt" minimum:"1"`
	Hour     time.Time `json:"hour"`
	Runs     []Run     `json:"runs" maxItems:"3600"`
	Before   float64   `json:"beforeSeconds" minimum:"0"`
	Joules   int64     `json:"joules" minimum:"0"`
	Source   string    `json:"source" enum:"rapl,declared,table"`
}

// Run is a time [start, end) in which an attempt ran; of elastic work, with its
// size and its speed then.
type Run struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Size  float64   `json:"size,omitempty" minimum:"0" maximum:"100" doc:"Absent: as declared."`
	Speed float64   `json:"speed,omitempty" minimum:"0" maximum:"100" doc:"Absent: as declared."`
}

// Order is what the server says of one attempt.
type Order struct {
	Verb     string    `json:"verb" enum:"offer,confirm,keep,release,stop,forget"`
	Workload string    `json:"workload"`
	N        int       `json:"n"`
	Grant    string    `json:"grant"`
	Epoch    int64     `json:"epoch"`
	Expires  time.Time `json:"expires,omitzero"`
	Spans    []Span    `json:"spans,omitempty"`
	Latest   time.Time `json:"latest,omitzero"`
	Way      int       `json:"way,omitempty" minimum:"0" doc:"The kind of hardware, as a placement's."`
	Shape    *Shape    `json:"shape,omitempty"`
	Sealed   []byte    `json:"sealed,omitempty"`
	Enclave  string    `json:"enclave,omitempty"`
}

// SyncAnswer is what there is to do.
type SyncAnswer struct {
	AnswerTo   int64     `json:"answerTo"`
	Now        time.Time `json:"now"`
	Epoch      int64     `json:"epoch"`
	Orders     []Order   `json:"orders"`
	Metered    []string  `json:"metered,omitempty" doc:"Meters now on record, as workload/attempt/hour."`
	Asks       []Ask     `json:"asks,omitempty"`
	NextIn     float64   `json:"nextInSeconds"`
	Checkpoint string    `json:"checkpoint"`
}

// Ask is a question for the enclave behind a site, from one who may see into
// it. The answer is sealed to the asker: the server only carries it.
type Ask struct {
	ID      string    `json:"id"`
	What    string    `json:"what" enum:"logs,names"`
	Items   []AskItem `json:"items"`
	Attempt int       `json:"attempt,omitempty"`
	Offset  int64     `json:"offset,omitempty"`
	Limit   int       `json:"limit,omitempty"`
	Viewer  string    `json:"viewer" doc:"The asker's public key, in text form."`
}

// AskItem is a workload that an Ask is about, with what the server holds of it.
type AskItem struct {
	Workload string `json:"workload"`
	Sealed   []byte `json:"sealed,omitempty"`
	Shape    *Shape `json:"shape,omitempty"`
}

// Purposes of what a Reply seals: they are bound to it, so that no answer can
// be passed off as another.
const (
	SealNames = "clusy.io/names/v1"
	SealLogs  = "clusy.io/logs/v1"
)

// Reply answers an Ask.
type Reply struct {
	ID     string `json:"id" maxLength:"64"`
	Sealed []byte `json:"sealed,omitempty" maxLength:"2097152"`
	Error  string `json:"error,omitempty" maxLength:"1000"`
}

// Question asks the enclave of a site for what the server cannot see.
type Question struct {
	What      string   `json:"what" enum:"logs,names"`
	Workloads []string `json:"workloads" minItems:"1" maxItems:"500"`
	Attempt   int      `json:"attempt,omitempty" minimum:"0" doc:"0: the newest."`
	Offset    int64    `json:"offset,omitempty" doc:"First byte wanted; below 0 counts from the end."`
	Limit     int      `json:"limit,omitempty" minimum:"0" maximum:"1048576"`
	Viewer    string   `json:"viewer" minLength:"1" maxLength:"8192" doc:"Public key that the answer is to be sealed to."`
}

// Names is what is sealed in the reply to a question of names.
type Names struct {
	Names map[string]string `json:"names"` // by workload
}

// LogChunk is what is sealed in the reply to a question of logs.
type LogChunk struct {
	Data   []byte `json:"data"`
	Offset int64  `json:"offset"` // of the first byte of Data
	Next   int64  `json:"next"`   // offset to ask for next
	Ended  bool   `json:"ended"`  // nothing more will come
	Lost   int64  `json:"lost"`   // bytes before Offset that rotation has dropped
}
