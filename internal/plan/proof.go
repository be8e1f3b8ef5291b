package plan

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Proof is a plan with all that it was decided on, so that whoever has it can
// doubt the plan again by themselves: Check it, and derive its bound.
type Proof struct {
	Now     time.Time        `json:"now"`
	Parent  string           `json:"parent"`
	Step    time.Duration    `json:"step"`
	Horizon time.Duration    `json:"horizon"`
	Margin  time.Duration    `json:"margin"`
	Sites   []Site           `json:"sites"`
	Items   []Item           `json:"items"`
	Basis   grid.Basis       `json:"basis"`
	Series  []grid.Series    `json:"series"` // of each zone, the most trusted first
	Prices  []grid.Prices    `json:"prices,omitempty"`
	Queues  []workload.Queue `json:"queues,omitempty"`
	Plan    Plan             `json:"plan"`
}

// NewProof returns the proof of a plan that was made of s.
func NewProof(s Snapshot, p Plan) Proof {
	pr := Proof{Now: s.Now, Parent: s.Parent, Step: s.Step, Horizon: s.Horizon, Margin: s.Margin,
		Sites: s.Sites, Basis: s.Outlook.Basis(), Plan: p}
	// Why others were placed where they are is not what this plan rests on.
	pr.Items = make([]Item, len(s.Items))
	for i, it := range s.Items {
		if it.Placement != nil {
			bare := *it.Placement
			bare.Why = Reasons{}
			it.Placement = &bare
		}
		pr.Items[i] = it
	}
	// Of queues those that this plan is about: no others' names leave with it.
	for _, q := range s.Queues {
		if slices.ContainsFunc(s.Items, func(it Item) bool { return it.Tenant == q.Tenant }) {
			pr.Queues = append(pr.Queues, q)
		}
	}
	for _, z := range s.Outlook.Zones() {
		pr.Series = append(pr.Series, s.Outlook.Of(z).Series()...)
	}
	for _, z := range slices.Sorted(maps.Keys(s.Prices)) {
		pr.Prices = append(pr.Prices, s.Prices[z]...)
	}
	return pr
}

// Snapshot returns what the plan was decided on.
func (pr Proof) Snapshot() Snapshot {
	zones := map[grid.Zone][]grid.Series{}
	for _, s := range pr.Series {
		zones[s.Zone] = append(zones[s.Zone], s)
	}
	var prices map[grid.Zone][]grid.Prices
	for _, p := range pr.Prices {
		if prices == nil {
			prices = map[grid.Zone][]grid.Prices{}
		}
		prices[p.Zone] = append(prices[p.Zone], p)
	}
	return Snapshot{Prices: prices, Now: pr.Now, Parent: pr.Parent, Step: pr.Step, Horizon: pr.Horizon, Margin: pr.Margin,
		Sites: pr.Sites, Items: pr.Items, Queues: pr.Queues, Outlook: grid.BelieveAll(pr.Basis, zones)}
}

// Verify returns an error if the plan breaks a promise, or if the bound of its
// certificate does not follow from its prices.
func (pr Proof) Verify() error {
	s := pr.Snapshot()
	if err := Check(s, pr.Plan); err != nil {
		return err
	}
	if pr.Plan.Certificate == nil {
		return fmt.Errorf("plan %s has no certificate", pr.Plan.ID)
	}
	return pr.Plan.Certificate.Follows(s, pr.Plan)
}

// Packed is a proof as it is kept: compressed JSON, and what one wants to see of
// it without opening it.
type Packed struct {
	ProofHead
	Body []byte
}

// ProofHead is what one sees of a proof.
type ProofHead struct {
	Plan   string
	At     time.Time
	Digest string // hex SHA-256 of its JSON; the record of the plan has it too
	Items  int
	Given  int
	Carbon grid.Carbon
	Bound  grid.Carbon
	Tenant access.Tenant // whose all items are; "" if they are of several
}

// longestProof is how long the JSON of a proof may be.
const longestProof = 256 << 20

// Pack makes a proof small.
func (pr Proof) Pack() (Packed, error) {
	c := pr.Plan.Certificate
	if c == nil {
		return Packed{}, fmt.Errorf("plan %s has no certificate", pr.Plan.ID)
	}
	text, err := json.Marshal(pr)
	if err != nil {
		return Packed{}, fmt.Errorf("write the proof of plan %s as JSON: %w", pr.Plan.ID, err)
	}
	if len(text) > longestProof {
		return Packed{}, fmt.Errorf("the proof of plan %s is %d bytes long, at most %d are kept", pr.Plan.ID, len(text), longestProof)
	}
	sum := sha256.Sum256(text)
	var body bytes.Buffer
	z, err := flate.NewWriter(&body, flate.BestSpeed)
	if err != nil {
		return Packed{}, err
	}
	if _, err := z.Write(text); err != nil {
		return Packed{}, err
	}
	if err := z.Close(); err != nil {
		return Packed{}, err
	}
	return Packed{ProofHead{pr.Plan.ID, pr.Now, hex.EncodeToString(sum[:]), c.Items, c.Given, c.Carbon, c.Bound, pr.tenant()}, body.Bytes()}, nil
}

// tenant returns whose all items are, "" if they are of several or of none.
func (pr Proof) tenant() (one access.Tenant) {
	for i, it := range pr.Items {
		if i > 0 && it.Tenant != one {
			return ""
		}
		one = it.Tenant
	}
	return one
}

// Unpack reads a packed proof, which must have the digest that is on record.
func Unpack(p Packed) (pr Proof, err error) {
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(p.Body)), longestProof+1))
	if err != nil {
		return pr, fmt.Errorf("read the proof of plan %s: %w", p.Plan, err)
	}
	if len(text) > longestProof {
		return pr, fmt.Errorf("the proof of plan %s is longer than %d bytes", p.Plan, longestProof)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != p.Digest {
		return pr, fmt.Errorf("the proof of plan %s is not the one on record", p.Plan)
	}
	if err := json.Unmarshal(text, &pr); err != nil {
		return pr, fmt.Errorf("read the proof of plan %s: %w", p.Plan, err)
	}
	return pr, nil
}
