package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/workload"
)

// A queue's share is of what all sites have together, and counts among the
// queues of its own tenant: nobody can keep the house's room from others.
//
// Two rules bind what is new, at every instant that it is booked for:
//
//  1. All work of its queue together takes at most the queue's Most.
//  2. What the tenant's other queues are guaranteed and do not take is left
//     free, for as long ahead as each of them has it reserved. Within its own
//     guarantee a queue need not ask.
//
// Promises are never pre-empted: what was admitted when room was free stays, and
// where it cannot stay it goes where it breaks least, as if there were no queues.
// A move that is made only to better a plan keeps both rules.

// shares is what each tenant's queues take. It is nil where there are none.
type shares struct {
	whole amounts // of all sites that take work
	of    map[access.Tenant]*holdings
}

// holdings is what one tenant's queues take: of those that are set up each by
// itself, and of all work.
type holdings struct {
	queues []*portion // by name
	all    *load
}

type portion struct {
	workload.Queue
	load       *load
	most, kept amounts
}

// newShares returns the shares of queues, of which nothing is taken yet.
func newShares(queues []workload.Queue) *shares {
	if len(queues) == 0 {
		return nil
	}
	s := &shares{of: map[access.Tenant]*holdings{}}
	for _, q := range queues {
		h := s.of[q.Tenant]
		if h == nil {
			h = &holdings{all: &load{}}
			s.of[q.Tenant] = h
		}
		if h.find(q.Name) == nil {
			h.queues = append(h.queues, &portion{Queue: q, load: &load{}})
			slices.SortFunc(h.queues, func(a, b *portion) int { return cmp.Compare(a.Name, b.Name) })
		}
	}
	return s
}

// measure sets of what the shares are.
func (s *shares) measure(places []*place) {
	if s == nil {
		return
	}
	s.whole = amounts{}
	for _, p := range places {
		if p.Down {
			continue
		}
		for r, n := range p.room {
			if n == workload.Unlimited || s.whole[r] == workload.Unlimited {
				s.whole[r] = workload.Unlimited
				continue
			}
			s.whole[r] = min(s.whole[r]+n, mostAmount)
		}
	}
	for _, h := range s.of {
		for _, q := range h.queues {
			q.most, q.kept = s.whole.thousandths(q.Most), s.whole.thousandths(q.Guaranteed)
		}
	}
}

// thousandths returns a part of a; all of what has no end has none.
func (a amounts) thousandths(n int) (out amounts) {
	for r, whole := range a {
		switch {
		case whole != workload.Unlimited:
			out[r] = whole/1000*int64(n) + whole%1000*int64(n)/1000
		case n > 0:
			out[r] = workload.Unlimited
		}
	}
	return out
}

func (h *holdings) find(name string) *portion {
	for _, q := range h.queues {
		if q.Name == name {
			return q
		}
	}
	return nil
}

// add puts need on what a tenant's queue takes in [a, b); sign -1 takes it off.
func (s *shares) add(tenant access.Tenant, queue string, a, b time.Duration, need amounts, sign int64) {
	if s == nil || s.of[tenant] == nil {
		return
	}
	h := s.of[tenant]
	h.all.add(a, b, need, sign)
	if q := h.find(queue); q != nil {
		q.load.add(a, b, need, sign)
	}
}

// closed returns the times from which the shares keep t, counted as the loads
// are: in which need more, 0 if t is booked already, would break a rule.
func (s *shares) closed(t *task, now, from, to time.Duration, need amounts) (out []stretch) {
	h := s.of[t.Tenant]
	own := h.find(t.Shape.QueueOf())
	// Where any of the loads changes, or a guarantee ends, another answer begins.
	cuts := []time.Duration{from, to}
	cut := func(at time.Duration) {
		if at > from && at < to {
			cuts = append(cuts, at)
		}
	}
	loads := []*load{h.all}
	for _, q := range h.queues {
		if q == own || q.Guaranteed > 0 {
			loads = append(loads, q.load)
		}
		if q != own && q.Guaranteed > 0 {
			cut(now + q.ReserveAhead)
		}
	}
	for _, l := range loads {
		l.pieces(from, to, func(a, _ time.Duration, _ amounts) { cut(a) })
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	reads := make([]reader, len(loads))
	for i, l := range loads {
		reads[i].l = l
	}
	for i := 0; i+1 < len(cuts); i++ {
		at, mine, kept := cuts[i], amounts{}, amounts{}
		all := reads[0].at(at)
		n := 1
		for _, q := range h.queues {
			switch {
			case q == own:
				mine = reads[n].at(at)
				n++
			case q.Guaranteed > 0:
				use := reads[n].at(at)
				n++
				if at < now+q.ReserveAhead {
					for r := range kept {
						if q.kept[r] != workload.Unlimited {
							kept[r] += max(q.kept[r]-use[r], 0)
						}
					}
				}
			}
		}
		if !s.breaks(own, mine.and(need), all.and(need), kept, t.demand) {
			continue
		}
		if k := len(out) - 1; k >= 0 && out[k].to == at {
			out[k].to = cuts[i+1]
		} else {
			out = append(out, stretch{at, cuts[i+1]})
		}
	}
	return out
}

// breaks reports whether a rule is broken where a queue takes mine, its tenant
// all, and kept is left free for others.
func (s *shares) breaks(own *portion, mine, all, kept, need amounts) bool {
	if own != nil && over(mine, need, own.most) {
		return true
	}
	if own != nil && own.Guaranteed > 0 && !over(mine, need, own.kept) {
		return false
	}
	for r := range need { // where nothing is kept, the sites alone say what there is
		if need[r] > 0 && kept[r] > 0 && s.whole[r] != workload.Unlimited && all[r]+kept[r] > s.whole[r] {
			return true
		}
	}
	return false
}

// reader reads a load forwards.
type reader struct {
	l       *load
	part, k int
}

// at returns what is taken at a time, no earlier than the one before.
func (r *reader) at(t time.Duration) amounts {
	for r.part < len(r.l.parts) {
		p := &r.l.parts[r.part]
		if r.k+1 < len(p.at) && p.at[r.k+1] <= t {
			r.k++
			continue
		}
		if r.k+1 == len(p.at) && r.part+1 < len(r.l.parts) && r.l.parts[r.part+1].at[0] <= t {
			r.part, r.k = r.part+1, 0
			continue
		}
		if p.at[r.k] > t {
			return amounts{} // nothing is taken before the first piece
		}
		return p.use[r.k].and(p.plus)
	}
	return amounts{}
}

// bound reports whether the shares bind t now.
func (f *frame) bound(t *task) bool {
	return f.shares != nil && f.shares.of[t.Tenant] != nil && !(t.promised && f.loose)
}

// inShare takes from the room that a site has for t what the shares keep from it.
func (f *frame) inShare(t *task, free []time.Duration) []time.Duration {
	if !f.bound(t) || len(free) == 0 {
		return free
	}
	closed := f.shares.closed(t, f.off, f.off, f.off+farthest, t.demand)
	if len(closed) == 0 {
		return free
	}
	for i := range closed {
		closed[i].from, closed[i].to = closed[i].from-f.off, closed[i].to-f.off
	}
	for i, until := range f.opens(closed) {
		free[i] = min(free[i], until)
	}
	return free
}

// kept reports whether the shares keep so much from t, which is not booked, at
// any time in [from, to).
func (f *frame) kept(t *task, from, to time.Duration, need amounts) bool {
	return f.bound(t) && from < to && len(f.shares.closed(t, f.off, f.off+max(from, 0), f.off+to, need)) > 0
}

// beyond reports whether t, which is new and booked for c, breaks a rule of the
// shares there.
func (f *frame) beyond(t *task, c candidate) bool {
	if t.promised || !f.bound(t) {
		return false
	}
	for i, r := range c.runs {
		if i == len(c.runs)-1 {
			r.to = max(r.to, c.reserved)
		}
		if len(f.shares.closed(t, f.off, f.off+max(r.from, 0), f.off+r.to, amounts{})) > 0 {
			return true
		}
	}
	return false
}

// refuseShare says whether it is the shares that leave t no place: whether there
// is one without them.
func (f *frame) refuseShare(t *task, add adder) {
	if !f.bound(t) {
		return
	}
	all := f.shares
	f.shares = nil
	c := f.earliest(t)
	f.shares = all
	if c == nil {
		return
	}
	name := t.Shape.QueueOf()
	own := all.of[t.Tenant].find(name)
	if own != nil && over(t.demand, t.demand, own.most) {
		for r := range t.demand {
			if most := own.most[r]; t.demand[r] > most {
				add("queue", quantity(r, t.demand[r]-most), "", "Queue %s may take %s of all sites at most, which is %s, and this needs %s. An admin can give it more, or it can be submitted to another queue.",
					name, permille(own.Most), quantity(r, most), quantity(r, t.demand[r]))
			}
		}
		return
	}
	if own != nil && own.Most < 1000 {
		add("when.completeBy", "room in its queue", "", "Queue %s takes all that it may until then: %s of all sites at most, less what your other queues are guaranteed.", name, permille(own.Most))
		return
	}
	add("when.completeBy", "room in its queue", "", "What is free until then is kept for your other queues, which are guaranteed it: queue %s has no room of its own.", name)
}

func permille(n int) string { return fmt.Sprintf("%g %%", float64(n)/10) }

// priority returns how much sooner t is placed than others: its own, or that of
// its queue if it says none.
func (f *frame) priority(t *task) int {
	p := t.Shape.Policy.Priority
	if p == workload.UsualPriority && f.shares != nil && f.shares.of[t.Tenant] != nil {
		if q := f.shares.of[t.Tenant].find(t.Shape.QueueOf()); q != nil {
			p = q.Priority
		}
	}
	return p
}

// turn is the queue of a tenant that waits for its turn.
type turn struct {
	waiting []*task
	weight  float64
	taken   [len(amounts{})]float64 // of each thing, in amounts for a nanosecond
}

// byTurn returns ts in the order in which they are placed: by priority; then
// that of the queue which has least of its weighted share of what is booked over
// the horizon, of the thing that it takes most of (dominant resource fairness);
// then by slack. What is given to one counts before the next is chosen.
func (f *frame) byTurn(ts []*task) []*task {
	slices.SortFunc(ts, func(a, b *task) int { return cmp.Or(cmp.Compare(f.priority(b), f.priority(a)), bySlack(a, b)) })
	if f.shares == nil {
		return ts
	}
	type name struct {
		tenant access.Tenant
		queue  string
	}
	turns, order := map[name]*turn{}, []*turn{}
	of := func(t *task) *turn {
		n := name{t.Tenant, t.Shape.QueueOf()}
		if turns[n] == nil {
			turns[n] = &turn{weight: 1}
			if h := f.shares.of[t.Tenant]; h != nil {
				if q := h.find(n.queue); q != nil {
					turns[n].weight = float64(max(q.Weight, 1))
				}
			}
			order = append(order, turns[n])
		}
		return turns[n]
	}
	for _, t := range ts {
		q := of(t)
		q.waiting = append(q.waiting, t)
	}
	for _, t := range f.tasks {
		if t.placed {
			of(t).take(t, f.within(t.at))
		}
	}
	out := make([]*task, 0, len(ts))
	for len(out) < len(ts) {
		var next *turn
		for _, q := range order {
			if len(q.waiting) == 0 {
				continue
			}
			if next == nil {
				next = q
				continue
			}
			a, b := q.waiting[0], next.waiting[0]
			if cmp.Or(cmp.Compare(f.priority(b), f.priority(a)), cmp.Compare(f.dominant(q), f.dominant(next)), bySlack(a, b)) < 0 {
				next = q
			}
		}
		t := next.waiting[0]
		next.waiting = next.waiting[1:]
		next.take(t, t.left+t.lead+t.tail)
		out = append(out, t)
	}
	return out
}

func (q *turn) take(t *task, d time.Duration) {
	for r, n := range t.demand {
		q.taken[r] += float64(n) * float64(d)
	}
}

// within returns how much of what c is booked for lies within the horizon.
func (f *frame) within(c candidate) (d time.Duration) {
	for i, r := range c.runs {
		if i == len(c.runs)-1 {
			r.to = max(r.to, c.reserved)
		}
		d += max(min(r.to, f.slot(f.slots))-max(r.from, 0), 0)
	}
	return d
}

// dominant returns the largest part that a queue has of anything that can run
// out, over its weight.
func (f *frame) dominant(q *turn) (most float64) {
	for r, n := range q.taken {
		if whole := f.shares.whole[r]; whole > 0 && whole != workload.Unlimited {
			most = max(most, n/float64(whole))
		}
	}
	return most / q.weight
}

// Use is what a queue takes, for people.
type Use struct {
	Share            float64 // of what all sites have over the horizon, of the thing that it takes most of
	Waiting, Running int
}

// Uses returns what the queues of a tenant take by the plan in force.
func Uses(s Snapshot, tenant access.Tenant) map[string]Use {
	out, turns := map[string]Use{}, map[string]*turn{}
	// What nobody has set up counts too: the shares know the whole by one queue.
	s.Queues = append(slices.Clone(s.Queues), workload.UsualQueue(workload.DefaultQueue))
	s.Items = slices.DeleteFunc(slices.Clone(s.Items), func(it Item) bool { return it.Tenant != tenant })
	f := newFrame(s)
	for _, t := range f.tasks {
		name := t.Shape.QueueOf()
		u := out[name]
		if t.Running {
			u.Running++
		} else {
			u.Waiting++
		}
		out[name] = u
		if turns[name] == nil {
			turns[name] = &turn{weight: 1}
		}
		if t.Placement == nil {
			continue
		}
		var d time.Duration
		for i, sp := range t.Placement.Spans {
			to := f.from(sp.End)
			if i == len(t.Placement.Spans)-1 {
				to = max(to, f.from(t.Placement.Reserved))
			}
			d += max(min(to, f.slot(f.slots))-max(f.from(sp.Start), 0), 0)
		}
		turns[name].take(t, d)
	}
	for name, q := range turns {
		u := out[name]
		u.Share = f.dominant(q) / float64(f.slot(f.slots))
		out[name] = u
	}
	return out
}
