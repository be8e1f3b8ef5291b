package clusy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client speaks to one Clusy server. The zero HTTP means http.DefaultClient.
type Client struct {
	URL   string // as http://127.0.0.1:8400
	Token string
	HTTP  *http.Client
}

// Problem is an error answer of the API (RFC 9457), with every violation.
type Problem struct {
	Type   string      `json:"type,omitempty"`
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail,omitempty"`
	Errors []Violation `json:"errors,omitempty"`
	// NearestCompleteBy is the earliest completeBy that could be kept, if
	// that was what failed.
	NearestCompleteBy time.Time `json:"nearestCompleteBy,omitzero"`
}

// Violation is one broken rule, by a JSON pointer into the request body.
type Violation struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
	Value   any    `json:"value,omitempty"`
	Limit   string `json:"limit,omitempty"`
	Nearest string `json:"nearest,omitempty"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	if p.Detail != "" && p.Detail != p.Title {
		b.WriteString(": " + p.Detail)
	}
	for _, v := range p.Errors {
		b.WriteString("\n  ")
		if v.Pointer != "" {
			b.WriteString(v.Pointer + ": ")
		}
		b.WriteString(v.Message)
		if v.Nearest != "" {
			b.WriteString(" (nearest that would do: " + v.Nearest + ")")
		}
	}
	return b.String()
}

// Submit asks for an intent to be carried out. The same key with the same
// submission gives the same workload, however often it is sent; so a server that
// says it cannot tell just now (503) is asked again, for some seconds.
func (c *Client) Submit(ctx context.Context, key string, s Submission) (Workload, error) {
	for pause := 200 * time.Millisecond; ; pause *= 2 {
		var w Workload
		err := c.do(ctx, "POST", "/v1/workloads", http.Header{"Idempotency-Key": {key}}, s, &w)
		if StatusOf(err) != http.StatusServiceUnavailable || pause > 2*time.Second {
			return w, err
		}
		select {
		case <-ctx.Done():
			return w, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// SubmitGroup asks for several intents to be carried out, all or none. Keys are
// as with Submit.
func (c *Client) SubmitGroup(ctx context.Context, key string, s GroupSubmission) (Group, error) {
	for pause := 200 * time.Millisecond; ; pause *= 2 {
		var g Group
		err := c.do(ctx, "POST", "/v1/groups", http.Header{"Idempotency-Key": {key}}, s, &g)
		if StatusOf(err) != http.StatusServiceUnavailable || pause > 2*time.Second {
			return g, err
		}
		select {
		case <-ctx.Done():
			return g, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Group returns how a group stands.
func (c *Client) Group(ctx context.Context, id string) (Group, error) {
	var g Group
	return g, c.do(ctx, "GET", "/v1/groups/"+url.PathEscape(id), nil, nil, &g)
}

// CancelGroup asks for all members of a group that have not ended to be cancelled.
func (c *Client) CancelGroup(ctx context.Context, id string) (Group, error) {
	var g Group
	return g, c.do(ctx, "POST", "/v1/groups/"+url.PathEscape(id)+"/cancel", nil, nil, &g)
}

// PlanGroup asks what would become of a group, and changes nothing.
func (c *Client) PlanGroup(ctx context.Context, s GroupShapes) (GroupPlan, error) {
	var p GroupPlan
	return p, c.do(ctx, "POST", "/v1/group-plans", nil, s, &p)
}

// GroupWorkloads returns all members of a group, in full.
func (c *Client) GroupWorkloads(ctx context.Context, group string, states []string) (out []Workload, err error) {
	for cursor := ""; ; {
		q := url.Values{"group": {group}}
		if len(states) > 0 {
			q.Set("state", strings.Join(states, ","))
		}
		var p Page[Workload]
		if err := c.do(ctx, "GET", "/v1/workloads?"+page(q, cursor, 500), nil, nil, &p); err != nil {
			return nil, err
		}
		out = append(out, p.Items...)
		if cursor = p.Next; cursor == "" {
			return out, nil
		}
	}
}

// Plan asks what would become of a shape, and changes nothing.
func (c *Client) Plan(ctx context.Context, s Shape) (DryRun, error) {
	var d DryRun
	return d, c.do(ctx, "POST", "/v1/plans", nil, s, &d)
}

// Quotes returns what more time would save a workload.
func (c *Client) Quotes(ctx context.Context, id string) ([]Quote, error) {
	var q Quotes
	return q.Quotes, c.do(ctx, "GET", "/v1/workloads/"+url.PathEscape(id)+"/quotes", nil, nil, &q)
}

// Classes returns a page of what is known of how long work takes, by class.
func (c *Client) Classes(ctx context.Context, cursor string, limit int) (Page[Class], error) {
	var p Page[Class]
	return p, c.do(ctx, "GET", "/v1/classes?"+page(url.Values{}, cursor, limit), nil, nil, &p)
}

// Class returns what is known of how long the work of one class takes. StatusOf
// its error is 404 until the first of it has ended.
func (c *Client) Class(ctx context.Context, class string) (Class, error) {
	var k Class
	return k, c.do(ctx, "GET", "/v1/classes/"+url.PathEscape(class), nil, nil, &k)
}

// Certificates returns how far the newest plans are from the best possible,
// the newest first.
func (c *Client) Certificates(ctx context.Context) (Page[Certificate], error) {
	var p Page[Certificate]
	return p, c.do(ctx, "GET", "/v1/plans", nil, nil, &p)
}

// PlanProof returns all that a plan was decided on.
func (c *Client) PlanProof(ctx context.Context, plan string) (PlanProof, error) {
	var p PlanProof
	return p, c.do(ctx, "GET", "/v1/plans/"+url.PathEscape(plan)+"/proof", nil, nil, &p)
}

// Workload returns one workload.
func (c *Client) Workload(ctx context.Context, id string) (Workload, error) {
	var w Workload
	return w, c.do(ctx, "GET", "/v1/workloads/"+url.PathEscape(id), nil, nil, &w)
}

// Workloads returns a page of workloads, newest first. States limits it to
// some states; none means all.
func (c *Client) Workloads(ctx context.Context, states []string, cursor string, limit int) (Page[Workload], error) {
	q := url.Values{}
	if len(states) > 0 {
		q.Set("state", strings.Join(states, ","))
	}
	var p Page[Workload]
	return p, c.do(ctx, "GET", "/v1/workloads?"+page(q, cursor, limit), nil, nil, &p)
}

// Cancel asks for a workload to be cancelled, and returns how it stands now:
// what a site holds, only the site can stop.
func (c *Client) Cancel(ctx context.Context, id string) (Workload, error) {
	var w Workload
	return w, c.do(ctx, "POST", "/v1/workloads/"+url.PathEscape(id)+"/cancel", nil, nil, &w)
}

// Decisions returns what plans have said of a workload, newest first.
func (c *Client) Decisions(ctx context.Context, id string) (Page[Decision], error) {
	var p Page[Decision]
	return p, c.do(ctx, "GET", "/v1/workloads/"+url.PathEscape(id)+"/decisions", nil, nil, &p)
}

// Events returns what is on record of a workload, oldest first.
func (c *Client) Events(ctx context.Context, id, cursor string, limit int) (Page[Event], error) {
	var p Page[Event]
	return p, c.do(ctx, "GET", "/v1/workloads/"+url.PathEscape(id)+"/events?"+page(url.Values{}, cursor, limit), nil, nil, &p)
}

// AllEvents returns a page of what is on record of all workloads after an
// index of the log, oldest first; of one workload if id is not empty.
func (c *Client) AllEvents(ctx context.Context, id string, after int64, limit int) (Page[Event], error) {
	q := url.Values{"after": {strconv.FormatInt(after, 10)}}
	if id != "" {
		q.Set("workload", id)
	}
	var p Page[Event]
	return p, c.do(ctx, "GET", "/v1/events?"+page(q, "", limit), nil, nil, &p)
}

// Ask puts a question to the enclave that holds some workloads. The reply is
// sealed to q.Viewer.
func (c *Client) Ask(ctx context.Context, site string, q Question) (Reply, error) {
	var r Reply
	return r, c.do(ctx, "POST", "/v1/sites/"+url.PathEscape(site)+"/questions", nil, q, &r)
}

// Zones returns the grid zones that the server knows.
func (c *Client) Zones(ctx context.Context) (Page[Zone], error) {
	var p Page[Zone]
	return p, c.do(ctx, "GET", "/v1/zones", nil, nil, &p)
}

// Restate books the ledger's hours of a time again; see RestateRequest.
func (c *Client) Restate(ctx context.Context, q RestateRequest) (Restated, error) {
	var r Restated
	return r, c.do(ctx, "POST", "/v1/ledger/restatements", nil, q, &r)
}

// Signals returns how the sources of carbon intensity and price are doing.
func (c *Client) Signals(ctx context.Context) (Signals, error) {
	var s Signals
	return s, c.do(ctx, "GET", "/v1/signals", nil, nil, &s)
}

// Forecast returns what was expected of a zone at a time.
func (c *Client) Forecast(ctx context.Context, zone string, at time.Time) (Forecast, error) {
	var f Forecast
	q := url.Values{"at": {at.UTC().Format(time.RFC3339)}}
	return f, c.do(ctx, "GET", "/v1/zones/"+url.PathEscape(zone)+"/forecast?"+q.Encode(), nil, nil, &f)
}

// Prices returns the prices of a zone over [from, to).
func (c *Client) Prices(ctx context.Context, zone string, from, to time.Time) (Page[Prices], error) {
	q := url.Values{"from": {from.UTC().Format(time.RFC3339)}, "to": {to.UTC().Format(time.RFC3339)}}
	var p Page[Prices]
	return p, c.do(ctx, "GET", "/v1/zones/"+url.PathEscape(zone)+"/prices?"+q.Encode(), nil, nil, &p)
}

// Intensity returns a zone's intensity over [from, to).
func (c *Client) Intensity(ctx context.Context, zone string, from, to time.Time) (Outlook, error) {
	q := url.Values{"from": {from.UTC().Format(time.RFC3339)}, "to": {to.UTC().Format(time.RFC3339)}}
	var o Outlook
	return o, c.do(ctx, "GET", "/v1/zones/"+url.PathEscape(zone)+"/intensity?"+q.Encode(), nil, nil, &o)
}

// Sites returns the sites of the tenant.
func (c *Client) Sites(ctx context.Context) (Page[Site], error) {
	var p Page[Site]
	return p, c.do(ctx, "GET", "/v1/sites", nil, nil, &p)
}

// Entries returns a page of the ledger, oldest first; of one workload if id is
// not empty.
func (c *Client) Entries(ctx context.Context, id, cursor string, limit int) (Page[LedgerEntry], error) {
	q := url.Values{}
	if id != "" {
		q.Set("workload", id)
	}
	var p Page[LedgerEntry]
	return p, c.do(ctx, "GET", "/v1/ledger/entries?"+page(q, cursor, limit), nil, nil, &p)
}

// Checkpoint returns the signed head of the log.
func (c *Client) Checkpoint(ctx context.Context) (Checkpoint, error) {
	var cp Checkpoint
	return cp, c.do(ctx, "GET", "/v1/ledger/checkpoint", nil, nil, &cp)
}

// Proof returns the proof that a log entry is in the log, in the form of
// c2sp.org/tlog-proof.
func (c *Client) Proof(ctx context.Context, index int64) (Proof, error) {
	var p Proof
	return p, c.do(ctx, "GET", "/v1/ledger/proofs/"+strconv.FormatInt(index, 10), nil, nil, &p)
}

// Session returns who the caller is to the server.
func (c *Client) Session(ctx context.Context) (Session, error) {
	var s Session
	return s, c.do(ctx, "GET", "/v1/session", nil, nil, &s)
}

// SessionLink makes a one-time link that signs a browser in as the caller.
func (c *Client) SessionLink(ctx context.Context) (SessionLink, error) {
	var l SessionLink
	return l, c.do(ctx, "POST", "/v1/session-links", nil, nil, &l)
}

// Counts returns how many workloads there are in each state.
func (c *Client) Counts(ctx context.Context) (Counts, error) {
	var n Counts
	return n, c.do(ctx, "GET", "/v1/counts", nil, nil, &n)
}

// Timeline returns a page of workloads as bars, newest first.
func (c *Client) Timeline(ctx context.Context, states []string, cursor string, limit int) (Page[Bar], error) {
	q := url.Values{}
	if len(states) > 0 {
		q.Set("state", strings.Join(states, ","))
	}
	var p Page[Bar]
	return p, c.do(ctx, "GET", "/v1/timeline?"+page(q, cursor, limit), nil, nil, &p)
}

// Savings returns what the ledger comes to.
func (c *Client) Savings(ctx context.Context) (Savings, error) {
	var s Savings
	return s, c.do(ctx, "GET", "/v1/savings", nil, nil, &s)
}

// Status returns what server this is and what time it goes by.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.do(ctx, "GET", "/v1/status", nil, nil, &s)
}

// Sync is an agent's one call: how things stand at its site, against what
// there is to do.
func (c *Client) Sync(ctx context.Context, site string, r SyncRequest) (SyncAnswer, error) {
	var a SyncAnswer
	return a, c.do(ctx, "POST", "/v1/sites/"+url.PathEscape(site)+"/sync", nil, r, &a)
}

func page(q url.Values, cursor string, limit int) string {
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q.Encode()
}

// maxBody bounds what a server may make us read.
const maxBody = 64 << 20

func (c *Client) do(ctx context.Context, method, path string, header http.Header, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	for k, vs := range header {
		req.Header[k] = vs
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	hc := c.HTTP
	if hc == nil {
		hc = http.DefaultClient
	}
	res, err := hc.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server at %s: %w", c.URL, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	if len(b) > maxBody {
		return fmt.Errorf("answer of %s is over %d bytes", path, maxBody)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode >= 400 {
		p := &Problem{Title: http.StatusText(res.StatusCode), Status: res.StatusCode}
		if kind == "application/problem+json" || kind == "application/json" {
			_ = json.Unmarshal(b, p)
		}
		return p
	}
	if kind != "application/json" {
		return fmt.Errorf("%s answered %q, not JSON: is %s a Clusy server?", path, kind, c.URL)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("decode answer of %s: %w", path, err)
	}
	return nil
}

// Status returns the HTTP status of err if it is an answer of the API, else 0.
func StatusOf(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}
