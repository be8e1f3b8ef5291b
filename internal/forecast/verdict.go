package forecast

import (
	"time"

	"clusy.io/clusy/internal/grid"
)

// Verdict says why a forecast is what it is: who has a say in it and how good
// each was. It is shown to people.
type Verdict struct {
	Grade grid.Grade `json:"grade"`
	Why   string     `json:"why"`           // one sentence
	Days  int        `json:"days"`          // of the zone's own past that it rests on
	Parts []Part     `json:"parts"`         // the forecasters, the built-in one first
	Until time.Time  `json:"measuredUntil"` // the end of the last value that was measured; zero: none
}

// Part is one forecaster's say in a forecast.
type Part struct {
	Forecaster string    `json:"forecaster"`
	Issued     time.Time `json:"issued"` // of what it expects now
	Days       []DayPart `json:"days"`   // by day ahead: 1, 2 …
	// Issues is how many of its forecasts the track record rests on.
	Issues int `json:"issues"`
	// Regret is the share of the saving of a clairvoyant that jobs planned on
	// its forecasts alone would have lost, in percent; nil: not known.
	Regret *float64 `json:"regretPercent"`
}

// DayPart is a forecaster's say in one day ahead.
type DayPart struct {
	Weight float64  `json:"weight"`      // the weights of all forecasters make 1
	MAPE   *float64 `json:"mapePercent"` // mean absolute error of its record; nil: not known
}

// blended reports whether a provider has a say.
func (v Verdict) blended() bool { return len(v.Parts) > 1 }
