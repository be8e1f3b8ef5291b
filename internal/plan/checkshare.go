package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/workload"
)

// KeptShare is the promise that what is new leaves the other queues of its
// tenant what they are guaranteed, and takes no more than its own queue may.
const KeptShare Kept = "share"

// stake is a claim as the queues count it, wherever it is.
type stake struct {
	claim
	queue string
	fresh bool // it is new: it must keep to the shares
}

// shares looks at every tenant that has queues.
func (d *doubt) shares() error {
	of := map[access.Tenant][]stake{}
	for _, site := range slices.Sorted(keys(d.taken)) {
		for _, c := range d.taken[site] {
			it := d.items[c.workload]
			if hasQueues(d.s.Queues, it.Tenant) {
				of[it.Tenant] = append(of[it.Tenant], d.stakes(it, c)...)
			}
		}
	}
	for _, tenant := range slices.SortedFunc(keysOf(of), func(a, b access.Tenant) int { return cmp.Compare(a, b) }) {
		if err := overShare(d.s, d.now, tenant, of[tenant]); err != nil {
			return err
		}
	}
	return nil
}

func keysOf[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func hasQueues(queues []workload.Queue, of access.Tenant) bool {
	return slices.ContainsFunc(queues, func(q workload.Queue) bool { return q.Tenant == of })
}

// stakes returns what of a claim counts. What was promised before counts where
// it was promised: if it had to go elsewhere, nobody new is to blame for it.
func (d *doubt) stakes(it Item, c claim) (out []stake) {
	if !promisedBefore(it) {
		return []stake{{c, queueName(it), true}}
	}
	if it.Placement == nil {
		return nil
	}
	for i, s := range it.Placement.Spans {
		to := s.End
		if i == len(it.Placement.Spans)-1 {
			to = later(to, it.Placement.Reserved)
		}
		x := c
		x.from = later(c.from, s.Start)
		if to.Before(c.to) {
			x.to = to
		}
		if x.from.Before(x.to) {
			out = append(out, stake{x, queueName(it), false})
		}
	}
	return out
}

func queueName(it Item) string {
	if q := it.Shape.Queue; q != "" {
		return q
	}
	return "default"
}

// overShare sweeps over what one tenant's work claims, and returns a *Broken for
// the first new work that breaks a rule of its queues.
func overShare(s Snapshot, now time.Time, tenant access.Tenant, stakes []stake) error {
	whole := together(s.Sites)
	var queues []workload.Queue
	moments := []time.Time{}
	for _, q := range s.Queues {
		if q.Tenant == tenant && !slices.ContainsFunc(queues, func(o workload.Queue) bool { return o.Name == q.Name }) {
			queues = append(queues, q)
			moments = append(moments, now.Add(q.ReserveAhead))
		}
	}
	type edge struct {
		at   time.Time
		sign int64
		who  int
	}
	var edges []edge
	for i, st := range stakes {
		edges = append(edges, edge{st.from, 1, i}, edge{st.to, -1, i})
	}
	for _, at := range moments {
		edges = append(edges, edge{at, 0, -1})
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })

	used, all, inside := map[string]bill{}, bill{}, map[int]bool{}
	for i, e := range edges {
		if e.who >= 0 {
			st := stakes[e.who]
			u := used[st.queue]
			for r, n := range st.need {
				u[r] += e.sign * n
				all[r] += e.sign * n
			}
			used[st.queue] = u
			if inside[e.who] = e.sign > 0; e.sign < 0 {
				delete(inside, e.who)
			}
		}
		if i+1 < len(edges) && edges[i+1].at.Equal(e.at) {
			continue
		}
		for who := range inside {
			st := stakes[who]
			if !st.fresh {
				continue
			}
			if why := tooMuch(st, queues, used, all, whole, e.at, now); why != "" {
				return &Broken{st.workload, KeptShare, fmt.Sprintf("at %s %s", e.at.Format(time.RFC3339), why)}
			}
		}
	}
	return nil
}

// tooMuch says which rule a stake breaks at an instant, "" if none.
func tooMuch(st stake, queues []workload.Queue, used map[string]bill, all, whole bill, at, now time.Time) string {
	var left bill // for others
	sheltered := false
	for _, q := range queues {
		if q.Name == st.queue {
			sheltered = q.Guaranteed > 0
			for r, n := range used[q.Name] {
				if st.need[r] == 0 || whole[r] < 0 {
					continue
				}
				if n > promille(whole[r], q.Most) {
					return fmt.Sprintf("queue %s takes %d of %d, and at most %d thousandths are its own", q.Name, n, whole[r], q.Most)
				}
				sheltered = sheltered && n <= promille(whole[r], q.Guaranteed)
			}
			continue
		}
		if !at.Before(now.Add(q.ReserveAhead)) {
			continue
		}
		for r, n := range used[q.Name] {
			if whole[r] >= 0 {
				left[r] += max(promille(whole[r], q.Guaranteed)-n, 0)
			}
		}
	}
	if sheltered {
		return ""
	}
	for r := range left {
		if st.need[r] > 0 && left[r] > 0 && all[r]+left[r] > whole[r] {
			return fmt.Sprintf("its tenant takes %d of %d, and %d are kept for queues that are guaranteed them", all[r], whole[r], left[r])
		}
	}
	return ""
}

// together is what all sites that take work have; below 0 it has no end.
func together(sites []Site) (sum bill) {
	seen := map[string]bool{}
	for _, st := range sites {
		if st.Down || seen[st.ID] {
			continue
		}
		seen[st.ID] = true
		for r, n := range has(st) {
			if n < 0 || sum[r] < 0 {
				sum[r] = -1
			} else {
				sum[r] += n
			}
		}
	}
	// Shares are of what every site has: accelerators have types of their own.
	for r := accelerators; r < len(sum); r++ {
		sum[r] = -1
	}
	return sum
}

func promille(whole int64, n int) int64 { return whole/1000*int64(n) + whole%1000*int64(n)/1000 }

// share returns a *Broken if pl, which is new, breaks a rule of its tenant's
// queues beside all that is on the roll.
func (r *roll) share(it Item, pl Placement, now time.Time) error {
	if !hasQueues(r.s.Queues, it.Tenant) {
		return nil
	}
	it, _ = going(it, pl.Way)
	from, to := pl.Spans[0].Start, later(pl.Spans[len(pl.Spans)-1].End, pl.Reserved)
	var stakes []stake
	for _, rows := range r.rows {
		for _, rw := range rows {
			if rw.tenant != it.Tenant || !rw.from.Before(to) || !rw.to.After(from) {
				continue
			}
			for _, c := range rw.claims {
				stakes = append(stakes, stake{c, rw.queue, false})
			}
		}
	}
	for i, s := range pl.Spans {
		c := claim{it.ID, later(s.Start, now), s.End, needsOf(it, Site{}, s.Size)}
		if i == len(pl.Spans)-1 {
			c.to = later(s.End, pl.Reserved)
		}
		stakes = append(stakes, stake{c, queueName(it), true})
	}
	return overShare(r.s, now, it.Tenant, stakes)
}
