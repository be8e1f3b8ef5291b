package signal

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Measured values are kept as one series for each zone, source and day of UTC:
// it is replaced as the day grows. A thousand zones in steps of five minutes
// would otherwise leave a quarter of a million series a day.

const day = 24 * time.Hour

// byDay yields the parts of s that lie in one day each, without the unknown
// values at their ends.
func byDay(s grid.Series) iter.Seq[grid.Series] {
	return func(yield func(grid.Series) bool) {
		for i := 0; i < len(s.Values); {
			at := s.Start.Add(time.Duration(i) * s.Step)
			next := at.Truncate(day).Add(day)
			j := min(len(s.Values), i+int((next.Sub(at)+s.Step-1)/s.Step))
			part := s
			part.Start, part.Values = at, s.Values[i:j]
			if part = trimmed(part); len(part.Values) > 0 && !yield(part) {
				return
			}
			i = j
		}
	}
}

// continues reports whether s says more of the day that the stored series has
// begun to tell: both are by the same source, in the same way, in step.
func continues(stored, s grid.Series) bool {
	a, b := stored.Provenance, s.Provenance
	a.Issued, a.Revision, a.Ref = b.Issued, b.Revision, b.Ref
	return a == b && stored.Step == s.Step && day%s.Step == 0 &&
		stored.Start.Truncate(day).Equal(s.Start.Truncate(day)) && stored.Start.Sub(s.Start)%s.Step == 0
}

// change says what a source changed of what it had said.
type change struct {
	values int            // that are others now
	most   grid.Intensity // the largest difference
}

// united returns what both say, s where both know a value, and how many values
// are new. What s changes is a new revision.
func united(stored, s grid.Series) (u grid.Series, added int, c change) {
	u = stored
	u.Ref, u.Low, u.High = "", nil, nil
	if s.Issued.After(u.Issued) {
		u.Issued = s.Issued
	}
	end := stored.End()
	if s.Start.Before(u.Start) {
		u.Start = s.Start
	}
	if s.End().After(end) {
		end = s.End()
	}
	u.Values = make([]grid.Intensity, int(end.Sub(u.Start)/u.Step))
	for i := range u.Values {
		u.Values[i] = grid.Unknown
	}
	copy(u.Values[int(stored.Start.Sub(u.Start)/u.Step):], stored.Values)
	from := int(s.Start.Sub(u.Start) / u.Step)
	for i, v := range s.Values {
		switch old := u.Values[from+i]; {
		case !v.Known() || v == old:
			continue
		case !old.Known():
			added++
		default:
			c.values++
			c.most = max(c.most, v-old, old-v)
		}
		u.Values[from+i] = v
	}
	if c.values > 0 {
		u.Revision++
	}
	return u, added, c
}

// lay adds what a source has told to the days that are kept. New is how many
// values were not known before.
func (v *visit) lay(s grid.Series) (fresh int) {
	for part := range byDay(s) {
		i := slices.IndexFunc(v.st.days, func(d grid.Series) bool { return continues(d, part) })
		if i < 0 {
			part.Values, part.Ref = slices.Clone(part.Values), ""
			part.Ref = part.Digest()
			v.st.days = append(v.st.days, part)
			v.found = append(v.found, Found{Kind: grid.Measured, Series: part})
			fresh += len(part.Values)
			continue
		}
		old := v.st.days[i]
		all, added, c := united(old, part)
		if added == 0 && c.values == 0 {
			continue
		}
		fresh += added
		all.Ref = all.Digest()
		v.st.days[i] = all
		if k := slices.IndexFunc(v.found, func(f Found) bool { return f.Kind == grid.Measured && f.Series.Ref == old.Ref }); k >= 0 {
			v.found[k].Series = all // not stored yet: it never will be
		} else {
			v.found = append(v.found, Found{Kind: grid.Measured, Series: all, Replaces: old.Ref})
		}
		if c.values > 0 {
			v.tell(Revised, s.Provider, fmt.Sprintf("%s: %d of %d values are others now, by up to %s; revision %d", all.Start.Format(time.DateOnly), c.values, len(all.Values), c.most, all.Revision))
		}
	}
	return fresh
}
