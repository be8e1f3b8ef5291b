package intent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"clusy.io/clusy/internal/workload"
)

// plain mirrors Intent without the methods that hide the sealed part.
type plain struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Metadata   plainMetadata `json:"metadata"`
	Run        plainRun      `json:"run"`

	Shape     Shape              `json:"shape"`
	Data      workload.Data      `json:"data,omitzero"`
	When      workload.When      `json:"when"`
	Where     workload.Where     `json:"where"`
	Objective workload.Objective `json:"objective"`
	Policy    workload.Policy    `json:"policy"`
	Queue     string             `json:"queue,omitempty"`
	After     []string           `json:"after,omitempty"`
}

type (
	plainMetadata Metadata
	plainRun      Run
)

// Marshal returns the canonical JSON of in: the same bytes for the same intent,
// whatever file it came from. It is the plaintext of Seal and holds everything
// in the clear: each call is a place to review.
func Marshal(in Intent) ([]byte, error) {
	in.When = inUTC(in.When)
	fs := check(in)
	if in.When.CompleteBy.Before(in.When.NotBefore.Add(in.soonest())) {
		fs = append(fs, fault{path: at("when", "completeBy"), message: "the work does not fit between notBefore and completeBy", infeasible: true})
	}
	if len(fs) > 0 {
		return nil, fmt.Errorf("write an intent: %w", newError(nil, "", nil, fs))
	}
	b, err := json.Marshal(plain{in.APIVersion, in.Kind, plainMetadata(in.Metadata), plainRun(in.Run),
		in.Shape, in.Data, in.When, in.Where, in.Objective, in.Policy, in.Queue, in.After})
	if err != nil {
		return nil, fmt.Errorf("write an intent: %w", err)
	}
	return b, nil
}

// Unmarshal reads what Marshal wrote and nothing else. Anyone who has a public
// key can seal, so it holds the intent to every rule of a file but those that
// need a clock.
func Unmarshal(b []byte) (Intent, error) {
	// An escape can make JSON larger than the file it came from, but not by
	// more than six times.
	if len(b) > 8*MaxBytes {
		return Intent{}, fmt.Errorf("read an intent: %d bytes, want at most %d", len(b), 8*MaxBytes)
	}
	var p plain
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Intent{}, fmt.Errorf("read an intent: not the canonical form%s", spot(err))
	}
	in := Intent{p.APIVersion, p.Kind, Metadata(p.Metadata), Run(p.Run), p.Shape, p.Data, p.When, p.Where, p.Objective, p.Policy, p.Queue, p.After}
	again, err := Marshal(in)
	if err != nil {
		return Intent{}, fmt.Errorf("read an intent: %w", err)
	}
	if !bytes.Equal(again, b) {
		return Intent{}, fmt.Errorf("read an intent: not the canonical form")
	}
	return in, nil
}

// spot says where JSON broke, without the words that stand there.
func spot(err error) string {
	if s, ok := err.(*json.SyntaxError); ok {
		return fmt.Sprintf(" at byte %d", s.Offset)
	}
	if strings.Contains(err.Error(), "unknown field") {
		return ": a field that this version does not know"
	}
	return ""
}
