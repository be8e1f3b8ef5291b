package merkle

import (
	"fmt"
	"strings"
)

// The origin names a log, once and for ever: it is the first line of each
// checkpoint and the name of the key that signs it. A log of simulated data
// has another origin than any real one, so that no proof of the one can be
// shown for a proof of the other.
const (
	realPrefix = "clusy.io/log/"
	demoPrefix = "demo.clusy.io/log/"
	maxLogID   = 64
)

// Origin returns the origin of the log id; demo if its data are simulated. An
// id is 1 to 64 of a–z 0–9 - _.
func Origin(id string, demo bool) (string, error) {
	o := realPrefix + id
	if demo {
		o = demoPrefix + id
	}
	return o, CheckOrigin(o)
}

// CheckOrigin returns an error if origin is not one of ours.
func CheckOrigin(origin string) error {
	id, ok := strings.CutPrefix(origin, realPrefix)
	if !ok {
		id, ok = strings.CutPrefix(origin, demoPrefix)
	}
	if !ok || id == "" || len(id) > maxLogID || !only(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") {
		return fmt.Errorf("%q is not the origin of a log: want %s<id> or %s<id>, id 1 to %d of a-z 0-9 - _",
			origin, realPrefix, demoPrefix, maxLogID)
	}
	return nil
}

// IsDemo reports whether what the log of this origin says is simulated. What
// comes from such a log must never be shown as fact.
func IsDemo(origin string) bool { return strings.HasPrefix(origin, demoPrefix) }
