package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/workload"
)

// Accelerators come in types, and a site has a few of them. What is taken of
// those is a load of its own, with one number for each type that the site has:
// most work needs none, and pays nothing for those who do.

// second is the load of a site's accelerators.
func (l *load) second() *load {
	if l.cards == nil {
		l.cards = &load{}
	}
	return l.cards
}

// wantedGPU cuts a demand for accelerators to what can be.
func wantedGPU(r workload.Resources) workload.GPU {
	g := r.GPU()
	g.Count = min(g.Count, mostAmount)
	return g
}

// racks lists the types of accelerator that a site has, and how many of each.
func racks(r workload.Resources) (types [workload.MostGPUs]string, room amounts) {
	for i, g := range r.GPUs {
		if g.Type != "" && !slices.Contains(types[:], g.Type) {
			types[i], room[i] = g.Type, min(max(g.Count, 0), mostAmount-1)
		}
	}
	return types, room
}

// rack returns g as the load of p's accelerators counts it; ok is false if p
// has none of the type. Of a site that is gone nothing is known: it has no end
// of any.
func (p *place) rack(g workload.GPU) (need amounts, ok bool) {
	if g.Count == 0 || p.gone {
		return need, true
	}
	i := slices.Index(p.types[:], g.Type)
	if i < 0 || g.Type == "" {
		return need, false
	}
	need[i] = g.Count
	return need, true
}

// lacks reports whether p has none of the accelerators that t is for.
func (p *place) lacks(t *task) bool {
	_, ok := p.rack(t.gpu)
	return !ok
}

// holds reports whether t has room at p if nothing else is there.
func (p *place) holds(t *task) bool {
	cards, ok := p.rack(t.gpu)
	return ok && !over(t.demand, t.demand, p.room) && !over(cards, cards, p.cards)
}

// taking is what some work takes of a place while it is there.
type taking struct {
	amounts
	gpu workload.GPU
}

func (t *task) taking() taking { return taking{t.demand, t.gpu} }

// book takes something of p in [from, to), counted as the loads are; sign -1
// gives it back.
func (p *place) book(need taking, from, to time.Duration, sign int64) {
	p.load.add(from, to, need.amounts, sign)
	if need.gpu.Count > 0 {
		if cards, ok := p.rack(need.gpu); ok && cards != (amounts{}) {
			p.load.second().add(from, to, cards, sign)
		}
	}
}

// crowded reports whether something that is booked has too little room at any
// time in [from, to).
func (p *place) crowded(need taking, from, to time.Duration) bool {
	if p.load.crowded(from, to, need.amounts, p.room) {
		return true
	}
	if need.gpu.Count == 0 {
		return false
	}
	cards, ok := p.rack(need.gpu)
	return !ok || p.load.second().crowded(from, to, cards, p.cards)
}

// full reports whether more of p is taken than there is, at any time from one on.
func (p *place) full(from time.Duration) bool {
	beyond := func(l *load, room amounts) bool {
		return l != nil && l.any(from, forever, func(use amounts) bool { return over(use, use, room) })
	}
	return beyond(p.load, p.room) || beyond(p.load.cards, p.cards)
}

// short reports whether t, which is not booked, would have too little room
// beside a load of p at any time in [from, to).
func (p *place) short(l *load, t *task, from, to time.Duration) bool {
	if l.lacks(from, to, t.demand, p.room) {
		return true
	}
	if t.gpu.Count == 0 {
		return false
	}
	cards, ok := p.rack(t.gpu)
	return !ok || l.second().lacks(from, to, cards, p.cards)
}

// free returns the room that p has for t beside a load, from each slot on.
func (f *frame) free(p *place, l *load, t *task, off time.Duration) []time.Duration {
	out := l.free(t.demand, p.room, off, f.slots, f.step)
	if t.gpu.Count == 0 {
		return out
	}
	cards, ok := p.rack(t.gpu)
	if !ok {
		for i := range out {
			out[i] = f.slot(i)
		}
		return out
	}
	for i, until := range l.second().free(cards, p.cards, off, f.slots, f.step) {
		out[i] = min(out[i], until)
	}
	return out
}

// What has a price is counted as the things are, and after them the types of
// accelerator that the site has, in their order.
const mostThings = len(things) + workload.MostGPUs

// gpuThing is what prices call a type of accelerator.
func gpuThing(kind string) Thing { return Thing("gpu:" + kind) }

// thing returns the number of a thing at p, -1 if p has none of the kind.
func (p *place) thing(of Thing) int {
	if i := slices.Index(things[:], of); i >= 0 {
		return i
	}
	for i, kind := range p.types {
		if kind != "" && gpuThing(kind) == of {
			return len(things) + i
		}
	}
	return -1
}

// roomOf is how much p has of a thing.
func (p *place) roomOf(thing int) int64 {
	if thing < len(things) {
		return p.room[thing]
	}
	return p.cards[thing-len(things)]
}

// needs is what t takes of each thing at p.
func (p *place) needs(t *task) (n [mostThings]int64) {
	copy(n[:], t.demand[:])
	cards, _ := p.rack(t.gpu)
	copy(n[len(things):], cards[:])
	return n
}

// pieces calls do with each piece of [a, b) and what is taken of a thing in it.
func (p *place) pieces(thing int, a, b time.Duration, do func(from, to time.Duration, use int64)) {
	l, k := p.load, thing
	if thing >= len(things) {
		l, k = p.load.second(), thing-len(things)
	}
	l.pieces(a, b, func(from, to time.Duration, use amounts) { do(from, to, use[k]) })
}

// refuseCards says that no site has the accelerators that t is for, and what
// there is. It reports whether it said anything.
func (f *frame) refuseCards(t *task, add adder) bool {
	g := t.gpu
	if g.Count == 0 {
		return false
	}
	var most int64
	total := map[string]int64{}
	for _, i := range t.sites {
		p := f.places[i]
		for k, kind := range p.types {
			if kind != "" {
				total[kind] = max(total[kind], p.cards[k])
			}
			if kind == g.Type {
				most = max(most, p.cards[k])
			}
		}
	}
	switch {
	case g.Count <= most:
		return false
	case most > 0:
		add("shape.resources.gpus", fmt.Sprintf("%d %s", g.Count-most, g.Type), fmt.Sprintf("%d %s", most, g.Type),
			"It needs %d accelerators of type %s, and the largest of its sites has %d.", g.Count, g.Type, most)
		return true
	}
	there := "none of them has any accelerators"
	if len(total) > 0 {
		var each []string
		for _, kind := range slices.Sorted(maps.Keys(total)) {
			each = append(each, fmt.Sprintf("%d %s", total[kind], kind))
		}
		there = "there are at most " + strings.Join(each, ", ") + " at one site"
	}
	add("shape.resources.gpus", fmt.Sprintf("%d %s", g.Count, g.Type), "", "None of its sites has accelerators of type %s: %s.", g.Type, there)
	return true
}

// cardsWanted lists the types of accelerator that any of the tasks is for and
// any of its sites has.
func (m *exchange) cardsWanted() (out []Thing) {
	kinds := map[string]bool{}
	for _, t := range m.tasks {
		m.wants(t, func(v *task) bool {
			if v.gpu.Count > 0 {
				kinds[v.gpu.Type] = true
			}
			return false
		})
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if slices.ContainsFunc(m.places, func(p *place) bool { return slices.Contains(p.types[:], kind) }) {
			out = append(out, gpuThing(kind))
		}
	}
	return out
}
