package plan

import (
	"math"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/workload"
)

// Allowed reports whether a site may run work that says where.
func Allowed(where workload.Where, s Site) bool {
	return len(where.Allow) == 0 || slices.ContainsFunc(where.Allow, func(p string) bool { return matches(p, s) })
}

// Rank orders sites as the owner named them: preferred ones first, then in the
// order in which they are allowed. The site of rank 0 is the owner's home.
func Rank(where workload.Where, s Site) int {
	for i, p := range append(slices.Clone(where.Prefer), where.Allow...) {
		if matches(p, s) {
			return i
		}
	}
	return math.MaxInt32
}

// Same reports whether two placements ask the same of their site.
func Same(a, b Placement) bool {
	return a.Site == b.Site && a.Way == b.Way && a.Reserved.Equal(b.Reserved) && a.Latest.Equal(b.Latest) &&
		slices.EqualFunc(a.Spans, b.Spans, func(x, y Span) bool { return x.Start.Equal(y.Start) && x.End.Equal(y.End) && x.Size == y.Size })
}

// Serves reports whether a site that goes by a does what b asks of it at now, or
// will be told soon enough: all that is between them is what time alone has
// moved, and that by less than step. The latest start of work that runs moves on
// with the time that it has behind it, and an earlier one is on the safe side.
// Work that should have begun, and of which nothing is heard, is planned to begin
// at once for as long as that goes on.
func Serves(a, b Placement, now time.Time, step time.Duration) bool {
	if Same(a, b) {
		return true
	}
	if a.Site != b.Site || a.Way != b.Way || len(a.Spans) != len(b.Spans) || len(a.Spans) == 0 {
		return false
	}
	moved := func(x, y time.Time) bool { d := y.Sub(x); return d >= 0 && d < step }
	begun := !now.Before(a.Spans[0].Start)
	for i, x := range a.Spans {
		y := b.Spans[i]
		late := begun && i == 0 && y.Start.Sub(now) <= time.Second
		if x.Size != y.Size || !x.Start.Equal(y.Start) && !late || !x.End.Equal(y.End) && !(begun && moved(x.End, y.End)) {
			return false
		}
	}
	// Once its only span has begun, the latest start says nothing to its site.
	only := begun && len(a.Spans) == 1
	return (only || moved(a.Latest, b.Latest)) && (a.Reserved.Equal(b.Reserved) || begun && moved(a.Reserved, b.Reserved))
}

func matches(pattern string, s Site) bool {
	return glob(pattern, s.ID) || glob(pattern, string(s.Zone))
}

// glob reports whether text is pattern, in which * stands for any run of
// characters, and nothing else is special.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
