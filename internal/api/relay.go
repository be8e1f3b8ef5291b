package api

import (
	"slices"
	"sync"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/problem"
)

// relay holds questions until their site fetches them, and waits for replies.
// It is memory only: a question lost is asked again. Those that another server
// was asked come and go by the Post.
type relay struct {
	mu    sync.Mutex
	sites map[string]*queue
}

type queue struct {
	asks    []asked
	waiting map[string]chan clusy.Reply
	arrived chan struct{} // closed and replaced when asks grows
}

// asked is a question that has no answer yet.
type asked struct {
	clusy.Ask
	taken time.Time // when the site last fetched it; zero: it has not
}

// askAgain is the time after which a question that was fetched and not answered
// is handed out once more: the answer that it was in may never have arrived. A
// site that answers twice is heard once.
const askAgain = 3 * time.Second

func (r *relay) queue(site string) *queue {
	if r.sites == nil {
		r.sites = map[string]*queue{}
	}
	q := r.sites[site]
	if q == nil {
		q = &queue{waiting: map[string]chan clusy.Reply{}, arrived: make(chan struct{})}
		r.sites[site] = q
	}
	return q
}

// maxAsks bounds what waits for a site that does not come.
const maxAsks = 1000

// put queues a question. Its reply comes once, to the channel, unless the question is
// dropped before.
func (r *relay) put(site string, a clusy.Ask) (<-chan clusy.Reply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(site)
	if len(q.waiting) >= maxAsks {
		return nil, problem.Errorf(problem.Limited, "%d questions wait for the enclave of site %s, which is the limit: ask again in some seconds", maxAsks, site)
	}
	reply := make(chan clusy.Reply, 1)
	q.asks = append(q.asks, asked{Ask: a})
	q.waiting[a.ID] = reply
	close(q.arrived)
	q.arrived = make(chan struct{})
	return reply, nil
}

func (r *relay) drop(site, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.queue(site).waiting, id)
}

// knows reports whether somebody waits here for the reply to a question.
func (r *relay) knows(site, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue(site).waiting[id] != nil
}

// taken reports whether the site has fetched a question here.
func (r *relay) taken(site, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.queue(site).asks, func(a asked) bool { return a.ID == id && !a.taken.IsZero() })
}

func (r *relay) wait(site string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue(site).arrived
}

// take hands out the questions of a site that someone still waits for.
func (r *relay) take(site string, now time.Time) []clusy.Ask {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(site)
	var out []clusy.Ask
	q.asks = slices.DeleteFunc(q.asks, func(a asked) bool { return q.waiting[a.ID] == nil })
	for i, a := range q.asks {
		if a.taken.IsZero() || now.Sub(a.taken) > askAgain {
			out = append(out, a.Ask)
			q.asks[i].taken = now
		}
	}
	return out
}

// untake hands out again what a site has fetched and not answered.
func (r *relay) untake(site string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(site)
	for i := range q.asks {
		q.asks[i].taken = time.Time{}
	}
	close(q.arrived)
	q.arrived = make(chan struct{})
}

// answer hands a reply to who waits for it. A reply to nobody is dropped.
func (r *relay) answer(site string, reply clusy.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.queue(site).waiting[reply.ID]; c != nil {
		select {
		case c <- reply:
		default:
		}
	}
}
