package clusy

import "time"

// The wire types that are made for looking at: what a console draws, and who
// is looking.

// Session is who the caller is to the server, and until when.
type Session struct {
	Principal   string    `json:"principal,omitempty" doc:"Absent: the caller is nobody."`
	Tenant      string    `json:"tenant,omitempty"`
	Role        string    `json:"role,omitempty"`
	Until       time.Time `json:"until,omitzero" doc:"When the grant ends. It can be ended before."`
	Permissions []string  `json:"permissions" doc:"What the role may do."`
	Browser     bool      `json:"browser" doc:"True if a browser carries it in a cookie."`
}

// SignIn is a one-time code, exchanged for a session.
type SignIn struct {
	Code string `json:"code" minLength:"1" maxLength:"128" doc:"What stands behind the # of a sign-in link."`
}

// SessionLink is a link that signs a browser in as its maker, once.
type SessionLink struct {
	URL   string    `json:"url" doc:"Open it in a browser. What stands behind the # reaches no log."`
	Until time.Time `json:"until" doc:"It is good for nothing afterwards."`
}

// Counts says how many workloads there are.
type Counts struct {
	States map[string]int `json:"states" doc:"By state; states that no workload is in are absent."`
	Total  int            `json:"total"`
	Late   int            `json:"late" doc:"Workloads whose completeBy passed unfinished."`
	AsOf   int64          `json:"asOf"`
}

// Bar is one workload as a timeline draws it.
type Bar struct {
	ID            string      `json:"id"`
	State         string      `json:"state"`
	Cause         string      `json:"cause,omitempty"`
	Site          string      `json:"site,omitempty" doc:"Where it is planned or ran; absent if nowhere."`
	Zone          string      `json:"zone,omitempty"`
	Created       time.Time   `json:"created"`
	Changed       time.Time   `json:"changed"`
	NotBefore     time.Time   `json:"notBefore,omitzero"`
	CompleteBy    time.Time   `json:"completeBy"`
	Expected      float64     `json:"expectedSeconds"`
	Watts         float64     `json:"watts"`
	Interruptible bool        `json:"interruptible"`
	Spans         []Span      `json:"spans" doc:"Planned: of the plan in force, or of the last one."`
	Reserved      time.Time   `json:"reservedUntil,omitzero"`
	Latest        time.Time   `json:"latestStart,omitzero"`
	Ran           []Span      `json:"ran" doc:"When it really ran, as its site measured it."`
	Running       bool        `json:"running" doc:"The last span of ran is still growing."`
	Baseline      BaselineBar `json:"baseline"`
	ExpectedGrams *float64    `json:"expectedGrams,omitempty" doc:"What the plan expects it to emit."`
	RunNow        *float64    `json:"runNowGrams,omitempty" doc:"What it was expected to emit if run at once."`
	Grade         string      `json:"grade,omitempty"`
	Emitted       *float64    `json:"emittedGrams,omitempty" doc:"Booked so far."`
	Avoided       *float64    `json:"baselineGrams,omitempty" doc:"Booked so far: of the baseline."`
	Saved         *float64    `json:"savedGrams,omitempty" doc:"Booked so far. Signed."`
	Booked        bool        `json:"booked" doc:"Every hour of every attempt is booked."`
	MissedAt      time.Time   `json:"missedAt,omitzero"`
	Attempts      int         `json:"attempts"`
	Why           string      `json:"why,omitempty" doc:"Why it is planned so, in words."`
}

// BaselineBar is the run that savings are measured against, as a bar: from its
// start for as long as the work is expected to run.
type BaselineBar struct {
	Rule  string    `json:"rule"`
	Site  string    `json:"site"`
	Zone  string    `json:"zone"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Savings is what the ledger comes to.
type Savings struct {
	SavingsSum
	First   time.Time    `json:"first,omitzero" doc:"The first hour booked."`
	Last    time.Time    `json:"last,omitzero" doc:"The last hour booked."`
	ByDay   []SavingsSum `json:"byDay"`
	ByZone  []SavingsSum `json:"byZone"`
	ByGrade []SavingsSum `json:"byGrade"`
	Method  string       `json:"method,omitempty" doc:"Of accounting, of all that is added up here."`
	Basis   string       `json:"basis,omitempty" doc:"Of the intensities, as average/lifecycle."`
	Apart   int          `json:"apart" doc:"Entries of another method or basis: they do not add up with these and are left out."`
	AsOf    int64        `json:"asOf"`
}

// SavingsSum is what some ledger entries come to.
type SavingsSum struct {
	Key       string  `json:"key,omitempty" doc:"The day (UTC), zone or grade that it is the sum of."`
	Entries   int     `json:"entries"`
	EnergyKWh float64 `json:"energyKWh" doc:"Of the facility."`
	Emitted   float64 `json:"emittedGrams"`
	Avoided   float64 `json:"baselineGrams"`
	Saved     float64 `json:"savedGrams" doc:"Signed. Of the entries that claim their saving."`
	Unclaimed float64 `json:"unclaimedGrams" doc:"Signed. Of the entries whose grade is too weak to claim; never part of savedGrams."`
	Grade     string  `json:"grade,omitempty" doc:"The worst of all."`
}
