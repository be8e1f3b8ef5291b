package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// NewID returns the name of p by its content: hex SHA-256 of its JSON form
// without the ID. Times count as instants: a plan that was stored and read
// back in another zone keeps its name.
func NewID(p Plan) string {
	p.ID = ""
	p.At = instant(p.At)
	p.Placements = append([]Placement{}, p.Placements...)
	for i, pl := range p.Placements {
		pl.Reserved, pl.Latest = instant(pl.Reserved), instant(pl.Latest)
		pl.Spans = append([]Span{}, pl.Spans...)
		for j, s := range pl.Spans {
			pl.Spans[j] = Span{instant(s.Start), instant(s.End), s.Size}
		}
		pl.Why = pl.Why.instants()
		p.Placements[i] = pl
	}
	p.Unplaced = append([]Refusal{}, p.Unplaced...)
	for i, r := range p.Unplaced {
		r.NearestCompleteBy = instant(r.NearestCompleteBy)
		r.Failed = append([]Failed{}, r.Failed...)
		p.Unplaced[i] = r
	}
	// The types hold nothing that JSON cannot say but years past 9999, which
	// then give the plan a name that no other check lets pass.
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func instant(t time.Time) time.Time { return t.Round(0).UTC() }

func (r Reasons) instants() Reasons {
	r.Signals = append([]SignalUsed{}, r.Signals...)
	for i := range r.Signals {
		r.Signals[i].Issued = instant(r.Signals[i].Issued)
	}
	r.Rejected = append([]Alternative{}, r.Rejected...)
	for i, a := range r.Rejected {
		r.Rejected[i].Start, r.Rejected[i].Finish = instant(a.Start), instant(a.Finish)
	}
	if r.RunNow != nil {
		a := *r.RunNow
		a.Start, a.Finish = instant(a.Start), instant(a.Finish)
		r.RunNow = &a
	}
	if len(r.Fell) == 0 {
		r.Fell = nil
	}
	return r
}
