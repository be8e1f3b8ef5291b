package clusy

import (
	"context"
	"net/url"
	"time"
)

// QueueSettings is what an admin sets of a queue.
type QueueSettings struct {
	Priority     *int     `json:"priority,omitempty" minimum:"0" maximum:"100" doc:"Stands in for that of work that says none. Default: 50."`
	Weight       *int     `json:"weight,omitempty" minimum:"1" maximum:"1000" doc:"Its part where several queues want the same room. Default: 1."`
	Guaranteed   float64  `json:"guaranteed,omitempty" minimum:"0" maximum:"1" doc:"The share of what all sites have that is kept free of the tenant's other queues. Default: 0."`
	Most         *float64 `json:"most,omitempty" minimum:"0.001" maximum:"1" doc:"The share of what all sites have beyond which nothing new of it is admitted. Default: 1."`
	ReserveAhead *float64 `json:"reserveAheadSeconds,omitempty" minimum:"0" maximum:"34560000" doc:"How long ahead its guaranteed share is kept free. Default: a day."`
}

// Queue is whose share of its tenant some work takes.
type Queue struct {
	Name         string    `json:"name"`
	Priority     int       `json:"priority"`
	Weight       int       `json:"weight"`
	Guaranteed   float64   `json:"guaranteed"`
	Most         float64   `json:"most"`
	ReserveAhead float64   `json:"reserveAheadSeconds"`
	Changed      time.Time `json:"changed,omitzero" doc:"When it was set; absent if it never was."`
	Booked       float64   `json:"booked" doc:"The share of what all sites have over the horizon that is booked for it, of the thing that it takes most of."`
	Waiting      int       `json:"waiting" doc:"Workloads of it that have a place and do not run yet."`
	Running      int       `json:"running" doc:"Workloads of it that run."`
}

// BudgetSettings is what an admin sets of a budget.
type BudgetSettings struct {
	Queue     string  `json:"queue,omitempty" maxLength:"63" doc:"Of this queue alone. Default: of all the tenant's work."`
	Measure   string  `json:"measure" enum:"gCO2e,kWh,money,gpu-hours,cpu-hours" doc:"What it is of."`
	Limit     float64 `json:"limit" minimum:"0" maximum:"1e15" doc:"How much of it in a period: grams, kilowatt-hours, units of the currency, or hours."`
	Currency  string  `json:"currency,omitempty" pattern:"^[A-Z]{3}$" doc:"Of money."`
	Period    string  `json:"period,omitempty" enum:"day,week,month,quarter" doc:"How often it begins anew. Default: month."`
	UTCOffset string  `json:"utcOffset,omitempty" pattern:"^[+-][0-9]{2}:[0-9]{2}$" doc:"Of the time zone in which periods begin. Default: +00:00."`
	Then      string  `json:"then,omitempty" enum:"hold,alert,run" doc:"What becomes of work that would exceed it. hold (default): it is refused, with the earliest time that has room. alert: it is admitted, and put on record. run: it is admitted."`
}

// Budget is a limit that an admin has set, and how it stands in a period.
type Budget struct {
	Name      string    `json:"name"`
	Queue     string    `json:"queue,omitempty"`
	Measure   string    `json:"measure" enum:"gCO2e,kWh,money,gpu-hours,cpu-hours"`
	Limit     float64   `json:"limit"`
	Currency  string    `json:"currency,omitempty"`
	Period    string    `json:"period" enum:"day,week,month,quarter"`
	UTCOffset string    `json:"utcOffset"`
	Then      string    `json:"then" enum:"hold,alert,run"`
	Changed   time.Time `json:"changed"`

	From     time.Time `json:"from" doc:"The period."`
	To       time.Time `json:"to"`
	Spent    float64   `json:"spent" doc:"By the ledger."`
	Booked   float64   `json:"booked" doc:"By the plan in force, and metered but not in the ledger yet."`
	Left     float64   `json:"left" doc:"Below 0 it is exceeded."`
	Unknown  float64   `json:"unknownSeconds" doc:"Running time that is in neither, as its figure is not known."`
	Exceeded bool      `json:"exceeded"`
	Rate     *float64  `json:"ratePerDay,omitempty" doc:"What was spent in a day on the mean of the last 4 weeks; absent if there is too little history."`
	// Exhausted is when it will be used up, if that is within the period.
	Exhausted time.Time `json:"exhausted,omitzero" doc:"When it will be used up; absent if not within the period, or if that cannot be told."`
	Why       string    `json:"why" doc:"How that was reckoned, in a sentence."`
}

// Removed says what is no more.
type Removed struct {
	Name string `json:"name"`
}

// Queues returns the caller's queues.
func (c *Client) Queues(ctx context.Context) (Page[Queue], error) {
	var p Page[Queue]
	return p, c.do(ctx, "GET", "/v1/queues", nil, nil, &p)
}

// Queue returns a queue.
func (c *Client) Queue(ctx context.Context, name string) (Queue, error) {
	var q Queue
	return q, c.do(ctx, "GET", "/v1/queues/"+url.PathEscape(name), nil, nil, &q)
}

// SetQueue sets a queue up, or changes it to exactly what is given.
func (c *Client) SetQueue(ctx context.Context, name string, s QueueSettings) (Queue, error) {
	var q Queue
	return q, c.do(ctx, "PUT", "/v1/queues/"+url.PathEscape(name), nil, s, &q)
}

// RemoveQueue removes a queue; its work stays.
func (c *Client) RemoveQueue(ctx context.Context, name string) error {
	return c.do(ctx, "DELETE", "/v1/queues/"+url.PathEscape(name), nil, nil, &Removed{})
}

// Budgets returns the caller's budgets, each in the period of a time (zero: now).
func (c *Client) Budgets(ctx context.Context, at time.Time) (Page[Budget], error) {
	var p Page[Budget]
	path := "/v1/budgets"
	if !at.IsZero() {
		path += "?at=" + url.QueryEscape(at.UTC().Format(time.RFC3339))
	}
	return p, c.do(ctx, "GET", path, nil, nil, &p)
}

// Budget returns a budget.
func (c *Client) Budget(ctx context.Context, name string) (Budget, error) {
	var b Budget
	return b, c.do(ctx, "GET", "/v1/budgets/"+url.PathEscape(name), nil, nil, &b)
}

// SetBudget sets a budget, or changes it to exactly what is given.
func (c *Client) SetBudget(ctx context.Context, name string, s BudgetSettings) (Budget, error) {
	var b Budget
	return b, c.do(ctx, "PUT", "/v1/budgets/"+url.PathEscape(name), nil, s, &b)
}

// RemoveBudget removes a budget.
func (c *Client) RemoveBudget(ctx context.Context, name string) error {
	return c.do(ctx, "DELETE", "/v1/budgets/"+url.PathEscape(name), nil, nil, &Removed{})
}
