package ledger

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// values tells the intensity at t and until when it holds, at most limit; ok
// is false where it is not known. It is asked for rising times.
type values func(t, limit time.Time) (v grid.Intensity, p grid.Provenance, until time.Time, ok bool)

// outlook reads stored series. A series that does not say what it is called
// by is called by its digest.
func outlook(o grid.Outlook) values {
	series := slices.Clone(o.Series())
	for i := range series {
		if series[i].Ref == "" {
			series[i].Ref = series[i].Digest()
		}
	}
	o = grid.Believe(o.Zone(), o.Basis(), series...)
	return func(t, limit time.Time) (grid.Intensity, grid.Provenance, time.Time, bool) {
		r, ok := o.At(t)
		r.Issued = issued(r.Issued)
		return r.Value, r.Provenance, utc(o.Until(t, limit)), ok
	}
}

// issued writes the time of issue as a series' digest does, in microseconds.
func issued(t time.Time) time.Time { return utc(t).Truncate(time.Microsecond) }

// cut divides the runs where the intensity or its source changes, and only
// there: a series that is never believed makes no difference to an entry.
//
// It returns with each piece the size that it was run at: pieces of two sizes
// are two.
func cut(runs []Run, zone grid.Zone, known values) (uses []Use, sizes []uint64, err error) {
	for _, r := range runs {
		for t := r.From; t.Before(r.To); {
			v, p, until, ok := known(t, r.To)
			if !ok {
				return nil, nil, &UnknownError{zone, t}
			}
			if err := checkSignal(p, v, zone); err != nil {
				return nil, nil, fmt.Errorf("at %s: %w", t.Format(time.RFC3339), err)
			}
			if n := len(uses); n > 0 && uses[n-1].To.Equal(t) && sizes[n-1] == r.weight() && uses[n-1].Intensity == v && uses[n-1].Signal == p {
				uses[n-1].To = until
			} else {
				uses, sizes = append(uses, Use{From: t, To: until, Intensity: v, Signal: p}), append(sizes, r.weight())
			}
			if len(uses) > maxPieces {
				return nil, nil, fmt.Errorf("the intensity of %s changes more than %d times within an hour", zone, maxPieces)
			}
			t = until
		}
	}
	return uses, sizes, nil
}

// divide spreads total over uses by their length and size, in whole joules that add up
// to total exactly: each gets its share rounded down, and the joules that are
// left go one each to the first uses in order among those whose share was not
// whole.
//
// With order dearest, Σ energy × intensity is at least what the exact shares
// give; with cheapest, at most. For the left joules are as many as the cut-off
// fractions add up to, each fraction is below one, and no way to hand out so
// much in parts of at most one weighs more than giving whole ones to the
// dearest.
func divide(uses []Use, sizes []uint64, total grid.Energy, order func(a, b Use) int) {
	var whole uint64
	for i, u := range uses {
		whole += uint64(u.To.Sub(u.From)) * sizes[i] // at most an hour at a hundredfold
	}
	left := total
	var cutOff []int
	for i, u := range uses {
		// At most total × 1 hour in ns, which needs more than 64 bits; the
		// quotient does not, as the length is at most the whole.
		hi, lo := bits.Mul64(uint64(total), uint64(u.To.Sub(u.From))*sizes[i])
		share, rest := bits.Div64(hi, lo, whole)
		uses[i].Energy = grid.Energy(share)
		left -= grid.Energy(share)
		if rest > 0 {
			cutOff = append(cutOff, i)
		}
	}
	slices.SortStableFunc(cutOff, func(i, j int) int { return order(uses[i], uses[j]) })
	for _, i := range cutOff[:left] {
		uses[i].Energy++
	}
}

func dearest(a, b Use) int  { return cmp.Compare(b.Intensity, a.Intensity) }
func cheapest(a, b Use) int { return cmp.Compare(a.Intensity, b.Intensity) }
