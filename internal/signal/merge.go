package signal

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// mostMerged bounds what Merge makes: two months of minutes. Older steps are
// left out.
const mostMerged = 62 * 24 * 60

// Merge makes one series of a zone's stored ones, for what reads history as a
// whole: a forecast. Where several know a time, grid.MoreTrusted says which
// counts. Series of another zone or basis
// are left out. Its step is the shortest of theirs, and its provenance the
// worst: it is a view, not a thing to store or to book on.
func Merge(zone grid.Zone, basis grid.Basis, series []grid.Series) grid.Series {
	out := grid.Series{Provenance: grid.Provenance{Zone: zone, Basis: basis}}
	var parts []grid.Series
	var end time.Time
	for _, s := range ofOneModel(zone, basis, series) {
		if s.Zone != zone || s.Basis != basis || s.Step <= 0 || len(s.Values) == 0 {
			continue
		}
		if len(parts) == 0 || s.Step < out.Step {
			out.Step = s.Step
		}
		if len(parts) == 0 || s.Start.Before(out.Start) {
			out.Start = s.Start
		}
		if len(parts) == 0 || s.End().After(end) {
			end = s.End()
		}
		if len(parts) == 0 {
			out.Flow = s.Flow
		} else if s.Flow != out.Flow {
			out.Flow = "" // of both
		}
		if s.Issued.After(out.Issued) {
			out.Issued, out.Provider = s.Issued, s.Provider
		}
		out.Grade = grid.Worse(out.Grade, s.Grade)
		out.Estimated = out.Estimated || s.Estimated
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return out
	}
	slices.SortStableFunc(parts, grid.MoreTrusted)
	// Every step begins where some series may; a series of longer steps is
	// told at each of the shorter ones that it covers.
	n := int((end.Sub(out.Start) + out.Step - 1) / out.Step)
	if n > mostMerged {
		out.Start = out.Start.Add(time.Duration(n-mostMerged) * out.Step)
		n = mostMerged
	}
	out.Values = make([]grid.Intensity, n)
	for i := range out.Values {
		out.Values[i] = grid.Unknown
	}
	// The most trusted last, so that it has the last word.
	for _, s := range slices.Backward(parts) {
		for k, v := range s.Values {
			if !v.Known() {
				continue
			}
			from := s.Start.Add(time.Duration(k) * s.Step)
			i := max(0, int((from.Sub(out.Start)+out.Step-1)/out.Step))
			for ; i < n && out.Start.Add(time.Duration(i)*out.Step).Before(from.Add(s.Step)); i++ {
				out.Values[i] = v
			}
		}
	}
	return out
}

// lastKnown returns the end of the last known value of s.
func lastKnown(s grid.Series) (time.Time, bool) {
	for i := len(s.Values) - 1; i >= 0; i-- {
		if s.Values[i].Known() {
			return s.Start.Add(time.Duration(i+1) * s.Step), true
		}
	}
	return time.Time{}, false
}

// ofOneModel leaves out the series of a provider that are of an older model than
// its newest: two models never make one series.
func ofOneModel(zone grid.Zone, basis grid.Basis, series []grid.Series) []grid.Series {
	newest := map[string]grid.Series{}
	for _, s := range series {
		if n, ok := newest[s.Provider]; s.Zone == zone && s.Basis == basis && (!ok || s.Issued.After(n.Issued)) {
			newest[s.Provider] = s
		}
	}
	if !slices.ContainsFunc(series, func(s grid.Series) bool { return s.Model != newest[s.Provider].Model }) {
		return series
	}
	return slices.DeleteFunc(slices.Clone(series), func(s grid.Series) bool { return s.Model != newest[s.Provider].Model })
}

// tail is the last known value before something: since when it has held, gaps
// aside, and when its last step began.
type tail struct {
	value     grid.Intensity
	since, at time.Time
}

// noTail is what comes before the first value.
var noTail = tail{value: grid.Unknown}

// through returns the tail after s, which follows t. A source that is asked for
// each value by itself is no less stuck for it.
func (t tail) through(s grid.Series) tail {
	for i, v := range s.Values {
		if !v.Known() {
			continue
		}
		t.at = s.Start.Add(time.Duration(i) * s.Step)
		if v != t.value {
			t.value, t.since = v, t.at
		}
	}
	return t
}

// until returns the part of s whose steps end by a time.
func until(s grid.Series, end time.Time) grid.Series {
	if s.Step <= 0 || !end.Before(s.End()) {
		return s
	}
	s.Values = s.Values[:max(0, int(end.Sub(s.Start)/s.Step))]
	return s
}

// trimmed returns s without the unknown values at its ends.
func trimmed(s grid.Series) grid.Series {
	i, j := 0, len(s.Values)
	for i < j && !s.Values[i].Known() {
		i++
	}
	for i < j && !s.Values[j-1].Known() {
		j--
	}
	s.Start, s.Values = s.Start.Add(time.Duration(i)*s.Step), s.Values[i:j]
	return s
}
