package grid

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Zone is an electricity grid area with one carbon intensity, by the key that
// Electricity Maps gives it: DE-LU, US-CAL-CISO.
type Zone string

// Basis says what an intensity counts. Values of two bases are never added,
// compared or stored in one series.
type Basis struct {
	Signal Signal `json:"signal"`
	Scope  Scope  `json:"scope"`
}

// Signal is average (what an inventory uses) or marginal (what a shift causes).
type Signal string

// Scope is lifecycle (all of a plant's emissions) or direct (combustion only).
type Scope string

const (
	Average   Signal = "average"
	Marginal  Signal = "marginal"
	Lifecycle Scope  = "lifecycle"
	Direct    Scope  = "direct"
)

// Flow is how an average was reckoned: of what is consumed in the zone, imports
// traced to where they come from, or of what is produced there. Two series of
// different flows may differ by a fifth; each says which it is.
type Flow string

const (
	Consumption Flow = "consumption"
	Production  Flow = "production"
)

// AverageLifecycle is the basis of inventories and of the bundled data.
var AverageLifecycle = Basis{Average, Lifecycle}

func (b Basis) String() string { return string(b.Signal) + "/" + string(b.Scope) }

// Grade says how much a number may be trusted; each decision and each ledger
// entry carries the worst of those it used.
type Grade string

const (
	GradeA Grade = "A" // measured, or a live provider's forecast
	GradeB Grade = "B" // a second provider's, or estimated by the first
	GradeC Grade = "C" // ours: climatology anchored on measured values, or an old forecast
	GradeD Grade = "D" // climatology alone
	GradeE Grade = "E" // a yearly mean: good for planning, never for a claim of savings
)

// Worse returns the less trusted of two grades; "" counts as the most trusted.
func Worse(a, b Grade) Grade { return max(a, b) }

// MoreTrusted orders series of the same time, what is believed first: the better
// grade, then the later revision, then the later issue.
func MoreTrusted(a, b Series) int {
	return cmp.Or(cmp.Compare(a.Grade, b.Grade), cmp.Compare(b.Revision, a.Revision), b.Issued.Compare(a.Issued))
}

// Provenance says where numbers come from. It travels with each of them.
type Provenance struct {
	Provider  string    `json:"provider"`
	Zone      Zone      `json:"zone"`
	Issued    time.Time `json:"issued"`          // when the provider said it; a plan may only use what was issued before it
	Model     string    `json:"model,omitempty"` // of the provider's, where its numbers are a model's: those of two never share a series
	Revision  int       `json:"revision"`        // 0 for the first issue, more for re-estimates of the same time
	Basis     Basis     `json:"basis"`
	Flow      Flow      `json:"flow,omitempty"` // "" if the provider does not say
	Estimated bool      `json:"estimated"`      // modelled by the provider, not measured
	Grade     Grade     `json:"grade"`
	Ref       string    `json:"ref,omitempty"` // the Digest of the stored series that a value came from
}

// Series is values at equal steps, all from one issue of one provider. A
// value holds from the start of its step to the start of the next.
type Series struct {
	Provenance
	Start  time.Time     `json:"start"`
	Step   time.Duration `json:"step"`
	Values []Intensity   `json:"values"` // Unknown where the provider has none
	Low    []Intensity   `json:"low,omitempty"`
	High   []Intensity   `json:"high,omitempty"` // the central 90 % band of a forecast, its 5th and 95th percentile; empty if there is none
}

// Reading is one value with its provenance.
type Reading struct {
	Provenance
	Start time.Time
	Step  time.Duration
	Value Intensity
}

// End returns the end of the last step.
func (s Series) End() time.Time { return s.Start.Add(time.Duration(len(s.Values)) * s.Step) }

// index returns the step that holds t, -1 if the series does not reach it.
func (s Series) index(t time.Time) int {
	if s.Step <= 0 || t.Before(s.Start) || !t.Before(s.End()) {
		return -1
	}
	return int(t.Sub(s.Start) / s.Step)
}

// At returns the value that holds at t; ok is false if it is not known.
func (s Series) At(t time.Time) (r Reading, ok bool) {
	i := s.index(t)
	if i < 0 || !s.Values[i].Known() {
		return Reading{}, false
	}
	return Reading{s.Provenance, s.Start.Add(time.Duration(i) * s.Step), s.Step, s.Values[i]}, true
}

// The years in which a time of a signal makes sense. Between them no sum of
// steps overflows.
const firstYear, lastYear = 1970, 2200

// Validate reports the first thing that makes s unfit for use: a step or time
// that makes no sense, or a value that no grid can have. It is the gate that
// every series passes before it is stored.
func (s Series) Validate() error {
	switch {
	case !s.Zone.plausible():
		return fmt.Errorf("series has zone %q, want 1 to 64 letters, digits and -_.:/", s.Zone)
	case s.Basis.Signal != Average && s.Basis.Signal != Marginal || s.Basis.Scope != Lifecycle && s.Basis.Scope != Direct:
		return fmt.Errorf("series of %s has basis %q, want average or marginal, lifecycle or direct", s.Zone, s.Basis)
	case s.Flow != "" && s.Flow != Consumption && s.Flow != Production:
		return fmt.Errorf("series of %s has flow %q, want consumption or production", s.Zone, s.Flow)
	case len(s.Model) > 64 || strings.IndexFunc(s.Model, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		return fmt.Errorf("series of %s is of model %q, want at most 64 letters and signs of ASCII", s.Zone, s.Model)
	case s.Step < time.Minute || s.Step > 24*time.Hour:
		return fmt.Errorf("series of %s has a step of %s, want 1 min to 24 h", s.Zone, s.Step)
	case s.Issued.IsZero():
		return fmt.Errorf("series of %s does not say when it was issued", s.Zone)
	case !sensible(s.Issued):
		return fmt.Errorf("series of %s was issued in the year %d, want %d to %d", s.Zone, s.Issued.Year(), firstYear, lastYear)
	case !sensible(s.Start) || len(s.Values) > int((lastYear-firstYear)*366*24*time.Hour/s.Step) || !sensible(s.End()):
		return fmt.Errorf("series of %s starts in the year %d and has %d steps of %s, want years %d to %d", s.Zone, s.Start.Year(), len(s.Values), s.Step, firstYear, lastYear)
	case s.Grade < GradeA || s.Grade > GradeE || len(s.Grade) != 1:
		return fmt.Errorf("series of %s has grade %q, want A to E", s.Zone, s.Grade)
	case len(s.Low) != len(s.High) || len(s.Low) != 0 && len(s.Low) != len(s.Values):
		return fmt.Errorf("series of %s has %d values but a band of %d and %d", s.Zone, len(s.Values), len(s.Low), len(s.High))
	}
	for i, v := range s.Values {
		if v != Unknown && (v < 0 || v > MaxIntensity) {
			return fmt.Errorf("series of %s says %d mg/kWh at %s, want 0 to %d", s.Zone, int64(v), s.stamp(i), int64(MaxIntensity))
		}
		if len(s.Low) == 0 {
			continue
		}
		low, high := s.Low[i], s.High[i]
		if v == Unknown && low == Unknown && high == Unknown {
			continue
		}
		if v == Unknown || low < 0 || low > v || v > high || high > MaxIntensity {
			return fmt.Errorf("series of %s has a band of %d to %d around %d mg/kWh at %s", s.Zone, int64(low), int64(high), int64(v), s.stamp(i))
		}
	}
	return nil
}

func (s Series) stamp(i int) string {
	return s.Start.Add(time.Duration(i) * s.Step).Format(time.RFC3339)
}

func sensible(t time.Time) bool { return t.Year() >= firstYear && t.Year() <= lastYear }

// plausible reports whether z may be a zone's name at all: it is printed,
// stored and put into addresses.
func (z Zone) plausible() bool {
	return len(z) >= 1 && len(z) <= 64 && strings.IndexFunc(string(z), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:/", r))
	}) < 0
}

// Digest names the series by its content: hex SHA-256 over every field but
// Ref. What is decided or booked on a series keeps its digest, so that a
// changed input is found.
func (s Series) Digest() string {
	b := make([]byte, 0, 160+len(s.Provider)+len(s.Zone)+8*(len(s.Values)+len(s.Low)+len(s.High)))
	for _, t := range []string{s.Provider, string(s.Zone), string(s.Basis.Signal), string(s.Basis.Scope), string(s.Grade)} {
		b = digestText(b, t)
	}
	for _, n := range []int64{s.Issued.UnixMicro(), int64(s.Revision), s.Start.UnixMicro(), int64(s.Step)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if s.Estimated {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	if s.Flow != "" { // older series, which do not say, keep their names
		b = digestText(b, string(s.Flow))
	}
	if s.Model != "" {
		b = digestText(b, "model "+s.Model)
	}
	for _, vs := range [][]Intensity{s.Values, s.Low, s.High} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(vs)))
		at := len(b)
		b = append(b, make([]byte, 8*len(vs))...)
		for i, v := range vs {
			binary.BigEndian.PutUint64(b[at+8*i:], uint64(v))
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// digestText adds a text after its length, so that none runs into the next.
func digestText(b []byte, t string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(t))), t...)
}
