// Package budget says what a tenant's work may take in a day, week, month or
// quarter: of carbon, energy, money or hours of hardware. It adds up what was
// spent by the ledger and what is booked by the plan, answers whether more still
// fits, and reckons when the budget will be used up.
package budget

import (
	"fmt"
	"math"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// Budget is a limit that an admin has set.
type Budget struct {
	Tenant  access.Tenant `json:"tenant,omitempty"`
	Name    string        `json:"name"`
	Queue   string        `json:"queue,omitempty"` // of this queue alone; "": of all the tenant's work
	Measure Measure       `json:"measure"`
	// Limit is in the measure's smallest unit: see Measure.Unit.
	Limit    int64  `json:"limit"`
	Currency string `json:"currency,omitempty"` // of money
	Period   Period `json:"period"`
	// Offset is that of the time zone in which periods begin, from UTC.
	Offset time.Duration `json:"offset,omitempty"`
	Then   Consequence   `json:"then"`
	// Exceeded and Foretold are the beginnings of the periods of which it is on
	// record that it was exceeded, or will be used up: each is said once.
	Exceeded time.Time `json:"exceeded,omitzero"`
	Foretold time.Time `json:"foretold,omitzero"`

	Rev     int64     `json:"-"`
	Changed time.Time `json:"-"`
}

type (
	// Measure is what a budget is of.
	Measure string
	// Period is how often it begins anew.
	Period string
	// Consequence is what becomes of work that would exceed it.
	Consequence string
)

const (
	Carbon   Measure = "gCO2e"     // in milligrams
	Energy   Measure = "kWh"       // in joules, of the facility
	Money    Measure = "money"     // of electricity, in millionths of the currency
	GPUHours Measure = "gpu-hours" // in thousandths of a GPU for a second
	CPUHours Measure = "cpu-hours" // in thousandths of a core for a second

	Day     Period = "day"
	Week    Period = "week" // begins on Monday
	Month   Period = "month"
	Quarter Period = "quarter"

	Hold  Consequence = "hold"  // refused now, with the earliest time that has room
	Alert Consequence = "alert" // admitted, and put on record
	Run   Consequence = "run"   // admitted; the figures say it
)

// MaxBudgets is how many one tenant can have: each submission is held against
// all of them.
const MaxBudgets = 64

// Unit returns how many of the smallest unit are one of what people say: a gram,
// a kilowatt-hour, a unit of currency, an hour.
func (m Measure) Unit() float64 {
	switch m {
	case Carbon:
		return float64(grid.Gram)
	case Energy:
		return float64(grid.KilowattHour)
	case Money:
		return 1e6
	}
	return 3600 * 1000
}

// Amount returns so many of what people say in the smallest unit.
func (m Measure) Amount(x float64) int64 {
	return int64(math.Round(min(max(x*m.Unit(), -mostAmount), mostAmount)))
}

// Say writes an amount for people.
func (b Budget) Say(n int64) string {
	x := float64(n) / b.Measure.Unit()
	switch b.Measure {
	case Carbon:
		return grid.Carbon(n).String() + " CO2e"
	case Energy:
		return fmt.Sprintf("%.3g kWh", x)
	case Money:
		return fmt.Sprintf("%.2f %s", x, b.Currency)
	case GPUHours:
		return fmt.Sprintf("%.4g GPU-hours", x)
	}
	return fmt.Sprintf("%.4g CPU-hours", x)
}

// mostAmount is past any limit that means something, and far from where sums
// run over.
const mostAmount = float64(1 << 60)

func isCurrency(s string) bool {
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(s) == 3
}

// Validate returns every rule that b breaks, by the JSON pointers of the wire.
func (b Budget) Validate() (vs []problem.Violation) {
	bad := func(pointer, value, limit, nearest, message string) {
		vs = append(vs, problem.Violation{Pointer: pointer, Value: value, Limit: limit, Nearest: nearest, Message: message})
	}
	if !workload.IsLabel(b.Name) {
		bad("/name", b.Name, "1 to 63 of a-z, 0-9 and -", "team-nlp", "a budget's name has lower-case letters, digits and hyphens, and begins and ends with a letter or digit")
	}
	if b.Queue != "" && !workload.IsLabel(b.Queue) {
		bad("/queue", b.Queue, "the name of a queue", workload.DefaultQueue, "this is no name of a queue")
	}
	switch b.Measure {
	case Carbon, Energy, Money, GPUHours, CPUHours:
	default:
		bad("/measure", string(b.Measure), "gCO2e, kWh, money, gpu-hours or cpu-hours", string(Carbon), "a budget is of one of these")
	}
	switch b.Period {
	case Day, Week, Month, Quarter:
	default:
		bad("/period", string(b.Period), "day, week, month or quarter", string(Month), "a budget begins anew with one of these")
	}
	switch b.Then {
	case Hold, Alert, Run:
	default:
		bad("/then", string(b.Then), "hold, alert or run", string(Hold), "this is what becomes of work that would exceed it")
	}
	if b.Limit < 0 || float64(b.Limit) >= mostAmount {
		bad("/limit", b.Say(b.Limit), "0 to 1e15 grams, or as much of another measure", "0", "a limit is 0 or more, and a number that can be counted to")
	}
	if b.Measure == Money && !isCurrency(b.Currency) {
		bad("/currency", b.Currency, "a code of three letters", "EUR", "a budget of money needs a currency")
	}
	if b.Measure != Money && b.Currency != "" {
		bad("/currency", b.Currency, "none", "", "only a budget of money has a currency")
	}
	if b.Offset < -14*time.Hour || b.Offset > 14*time.Hour || b.Offset%time.Minute != 0 {
		bad("/utcOffset", b.Offset.String(), "-14:00 to +14:00, in whole minutes", "+00:00", "there is no time zone so far from UTC")
	}
	return vs
}

// Window is a time [Start, End).
type Window struct{ Start, End time.Time }

// PeriodOf returns the period in which t lies, in UTC.
func (b Budget) PeriodOf(t time.Time) Window {
	zone := time.FixedZone("", int(b.Offset/time.Second))
	y, m, d := t.In(zone).Date()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, zone).UTC() }
	switch b.Period {
	case Week:
		d -= (int(t.In(zone).Weekday()) + 6) % 7
		return Window{day(y, m, d), day(y, m, d+7)}
	case Month:
		return Window{day(y, m, 1), day(y, m+1, 1)}
	case Quarter:
		m -= (m - 1) % 3
		return Window{day(y, m, 1), day(y, m+3, 1)}
	}
	return Window{day(y, m, d), day(y, m, d+1)}
}

// Covers reports whether b is of work in a queue.
func (b Budget) Covers(queue string) bool { return b.Queue == "" || b.Queue == queue }
