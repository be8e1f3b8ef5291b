package workload

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
)

const (
	// MaxData is the most data that is believed to be brought, in mebibytes.
	MaxData = 1 << 30
	// DefaultMbit is the rate at which data is brought where none is declared.
	DefaultMbit = 1000
	// MaxMbit is the highest rate that is believed.
	MaxMbit = 10_000_000
)

// IsHome reports whether a text can be the name of a site or a zone.
func IsHome(s string) bool {
	if s == "" || len(s) > MaxPattern {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._/-", rune(c)) {
			return false
		}
	}
	return true
}

// TransferEnergy returns what the network draws to bring data from one site to
// another: 0.06 kWh for each gigabyte of 10⁹ bytes, rounded up to a joule. It is
// the figure that studies of moving work take; networks differ by a factor.
func TransferEnergy(mib int64) grid.Energy {
	const joulesPerBillion = 216_000 // 0.06 kWh
	hi, lo := bits.Mul64(uint64(max(mib, 0))<<20, joulesPerBillion)
	q, rest := bits.Div64(hi, lo, 1_000_000_000)
	if rest > 0 {
		q++
	}
	return grid.Energy(q)
}

// TransferTime returns how long it takes to bring d, in whole seconds up.
func (d Data) TransferTime() time.Duration {
	rate := d.Mbit
	if rate <= 0 {
		rate = DefaultMbit
	}
	n := uint64(min(max(d.MiB, 0), MaxData)) << 23 // bits
	perSecond := uint64(min(rate, MaxMbit)) * 1_000_000
	seconds := n / perSecond
	if n%perSecond > 0 {
		seconds++
	}
	return min(time.Duration(seconds)*time.Second, MaxDuration)
}

func (s Shape) data(bad func(pointer, value, limit, nearest, format string, args ...any)) {
	d := s.Data
	switch {
	case d == (Data{}):
	case !IsHome(d.Home):
		bad("/data/home", "", "1 to 128 letters, digits and . _ / -", "", "not the name of a site or a zone")
	case d.MiB < 1 || d.MiB > MaxData:
		bad("/data/mebibytes", fmt.Sprint(d.MiB), fmt.Sprintf("1 to %d", MaxData), "", "not an amount of data")
	case d.Mbit < 0 || d.Mbit > MaxMbit:
		bad("/data/megabitsPerSecond", fmt.Sprint(d.Mbit), fmt.Sprintf("1 to %d", MaxMbit), fmt.Sprint(DefaultMbit), "not a rate of a network")
	}
}
