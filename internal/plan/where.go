package plan

import (
	"math"
	"slices"
	"strings"

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
	return a.Site == b.Site && a.Reserved.Equal(b.Reserved) && a.Latest.Equal(b.Latest) &&
		slices.EqualFunc(a.Spans, b.Spans, func(x, y Span) bool { return x.Start.Equal(y.Start) && x.End.Equal(y.End) && x.Size == y.Size })
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
