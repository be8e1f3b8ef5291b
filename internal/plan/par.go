package plan

import (
	"maps"
	"slices"
)

// Options are how a plan is made, and nothing of what comes out: it is the same
// with any of them.
type Options struct {
	// Par calls f(0) to f(n-1), at once or one after the other, and returns
	// when all have returned. Nil is one after the other.
	Par func(n int, f func(i int))
}

// inParts calls do with the parts of 0 to n-1, at once if it may.
func (o Options) inParts(n int, do func(from, to int)) {
	parts := min(mostParts, (n+leastPart-1)/leastPart)
	if o.Par == nil || parts < 2 {
		do(0, n)
		return
	}
	o.Par(parts, func(i int) { do(n*i/parts, n*(i+1)/parts) })
}

// Work is cut into parts of at least so many items, and into at most so many
// parts: each has a world of its own to work in.
const (
	leastPart = 64
	mostParts = 16
)

// apart reports whether tasks can be taken out in one twin without another one
// noticing: those that wait for each other, and those of a tenant with queues,
// are looked at together.
func (f *frame) apart() bool { return len(f.chain) == 0 && f.shares == nil }

// twin is a frame of the same tasks with loads and memory of its own: what is
// taken out of one stays in the other.
func (f *frame) twin() *frame {
	g := *f
	g.seen, g.places = nil, make([]*place, len(f.places))
	for i, p := range f.places {
		q := *p
		q.load, q.sums = p.load.clone(), maps.Clone(p.sums)
		g.places[i] = &q
	}
	return &g
}

func (l *load) clone() *load {
	out := &load{parts: slices.Clone(l.parts)}
	if l.cards != nil {
		out.cards = l.cards.clone()
	}
	for i := range out.parts {
		p := &out.parts[i]
		p.at, p.use = slices.Clone(p.at), slices.Clone(p.use)
	}
	return out
}
