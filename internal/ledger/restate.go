package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Restatement says which entry another takes the place of. The log only grows:
// both stay, and sums count the newer one. What the older came to stands here
// too, so that a sum over the log needs nothing but each entry in turn.
type Restatement struct {
	Index   int64       `json:"index"`  // of the older entry in the log
	Digest  string      `json:"digest"` // of that entry; see Digest
	Reason  string      `json:"reason"` // 1 to 500 characters
	Energy  grid.Energy `json:"energy"` // of the facility, as it ran
	Emitted grid.Carbon `json:"emitted"`
	Avoided grid.Carbon `json:"avoided"`
	Grade   grid.Grade  `json:"grade"`
	Claimed bool        `json:"claimed"`
}

// Restate makes the entry of an hour again, on what is known of the intensities
// now: a provider may have replaced an estimate by a measurement, or have
// corrected itself. The meter, the zones, the PUEs and the baseline stay as
// they were: those are facts of the run. Changed is false where that gives the
// same figures, or rests on worse grades than what stands, which is no reason
// to restate anything. An intensity that is not known any more is an
// UnknownError.
func Restate(old Line, actual, baseline grid.Outlook, reason string, booked time.Time) (e Entry, changed bool, err error) {
	if reason == "" || len(reason) > 500 {
		return Entry{}, false, fmt.Errorf("restate entry %d: the reason has %d characters, want 1 to 500", old.Index, len(reason))
	}
	o := old.Entry
	if e, err = Account(o.Meter, o.Zone, o.PUE, actual, o.Baseline, baseline, booked); err != nil {
		return Entry{}, false, err
	}
	was, err := o.sum()
	if err != nil {
		return Entry{}, false, fmt.Errorf("restate entry %d: %w", old.Index, err)
	}
	digest, err := Digest(o)
	if err != nil {
		return Entry{}, false, err
	}
	e.Restates = &Restatement{
		Index: old.Index, Digest: digest, Reason: reason,
		Energy: was.Energy, Emitted: o.Emitted, Avoided: o.Avoided, Grade: o.Grade, Claimed: o.Claimed,
	}
	same := e.Emitted == o.Emitted && e.Avoided == o.Avoided && e.Grade == o.Grade
	return e, !same && e.Grade <= o.Grade, nil
}

// CheckRestates proves that e takes the place of old, and of nothing else: it
// is of the same hour of the same attempt, and says what old came to.
func CheckRestates(e Entry, old Line) error {
	r := e.Restates
	if r == nil {
		return errors.New("it restates nothing")
	}
	if err := r.check(); err != nil {
		return err
	}
	digest, err := Digest(old.Entry)
	if err != nil {
		return err
	}
	was, err := old.Entry.sum()
	if err != nil {
		return err
	}
	now, before := e, old.Entry
	now.Meter.Runs, before.Meter.Runs = nil, nil
	switch {
	case r.Index != old.Index:
		return fmt.Errorf("it restates entry %d, not %d", r.Index, old.Index)
	case r.Digest != digest:
		return fmt.Errorf("the entry that it restates has the digest %s, it says %s", digest, r.Digest)
	case now.Meter.Workload != before.Meter.Workload || now.Meter.Attempt != before.Meter.Attempt || !now.Meter.Hour.Equal(before.Meter.Hour) || now.Meter.Energy != before.Meter.Energy:
		return errors.New("it is of another hour than the entry that it restates")
	case r.Energy != was.Energy || r.Emitted != before.Emitted || r.Avoided != before.Avoided || r.Grade != before.Grade || r.Claimed != before.Claimed:
		return errors.New("it does not say what the entry that it restates came to")
	}
	return nil
}

// Standing returns the lines that no later one restates, in order.
func Standing(lines []Line) []Line {
	gone := map[int64]bool{}
	for _, l := range lines {
		if r := l.Entry.Restates; r != nil {
			gone[r.Index] = true
		}
	}
	if len(gone) == 0 {
		return lines
	}
	var standing []Line
	for _, l := range lines {
		if !gone[l.Index] {
			standing = append(standing, l)
		}
	}
	return standing
}

// check returns nil if r can be what it says.
func (r *Restatement) check() error {
	digest, err := hex.DecodeString(r.Digest)
	switch {
	case r.Index < 0:
		return fmt.Errorf("it restates entry %d", r.Index)
	case err != nil || len(digest) != 32:
		return fmt.Errorf("the digest of what it restates is %q", r.Digest)
	case r.Reason == "" || len(r.Reason) > 500:
		return fmt.Errorf("the reason of the restatement has %d characters, want 1 to 500", len(r.Reason))
	case r.Energy < 0 || r.Emitted < 0 || r.Avoided < 0:
		return errors.New("what it restates came to less than nothing")
	case r.Grade < grid.GradeA || r.Grade > grid.GradeE || len(r.Grade) != 1 || r.Claimed != claims(r.Grade):
		return fmt.Errorf("what it restates was of grade %q, claimed: %v", r.Grade, r.Claimed)
	}
	return nil
}

// sum is what r takes out of a sum.
func (r *Restatement) sum() Sum {
	s := Sum{Entries: -1, Energy: -r.Energy, Emitted: -r.Emitted, Avoided: -r.Avoided}
	if saved := r.Avoided - r.Emitted; r.Claimed {
		s.Saved = -saved
	} else {
		s.Unclaimed = -saved
	}
	return s
}
